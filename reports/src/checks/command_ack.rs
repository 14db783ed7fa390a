//! `command_ack`: every command was acknowledged in time by the device it was given to.
//!
//! Commands and what became of them are joined by number and device, whatever the order of their
//! lines: within one instant the record is sorted by source, so a device whose name sorts before
//! `bench` answers on a line before the command's.

use std::collections::{BTreeMap, BTreeSet};

use lastmeter_params::{Dimension, Entry, Field, Kind, Pattern};
use lastmeter_units::{SimDuration, SimTime};

use crate::check::kind::{Check, CheckContext, CheckKind, RecordTable, finish};
use crate::check::selection::DEVICE;
use crate::latency::HoldUps;
use crate::verdict::{At, Reason, Verdict};
use lastmeter_record::{Event, EventKind, RunFacts, field};
use lastmeter_text::{append, plural};

pub(super) const KIND: CheckKind = CheckKind {
    entry: Entry {
        name: "command_ack",
        summary: "every command was acknowledged by its device in time",
        description: "Each command the bench gave through the platform has to come back \
            acknowledged by the device it was given to, within the time `within`, counted in \
            virtual or real time as the scenario runs. A command the device refused, or the \
            platform gave up or let expire, was not obeyed and fails. `measured` is the longest \
            time; with a command that was never acknowledged it is empty, for lost is infinite. A \
            command that the scenario marks as `refused = true` has to be refused, and fails if it \
             is obeyed. A command that was written to a simulator's point without `reflected_by` is \
             inconclusive: nothing shows whether it is obeyed. An acknowledgement is what the device \
             claims; what became of the plant the readings behind it show, which another check judges. \
             An answer that is not what the device sent fails it too. Without any command the check is \
             inconclusive.",
        fields: &[
            DEVICE,
            Field::default(
                "within",
                Kind::Quantity { dimension: Dimension::Time, min: 0.0, max: 1e9 },
                "\"60 s\"",
                "longest time from the command to its acknowledgement",
            ),
            Field::default(
                "unsupplied",
                Kind::Boolean,
                "true",
                "whether commands to devices that have no supply when they are given count, too",
            ),
        ],
    },
    build: |values, context, _| {
        let device = Pattern::new(values.text("device"));
        let mut check = CommandAck::new(context, device, values.duration("within"));
        check.is_of_all = values.boolean("unsupplied");
        Some(Box::new(check))
    },
    tables: &[RecordTable::Events],
    ..CheckKind::PLAIN
};

struct CommandAck {
    context: CheckContext,
    device: Pattern,
    within: SimDuration,
    /// Whether those to devices without a supply count; who has none; how many were left out so.
    is_of_all: bool,
    dark: BTreeSet<String>,
    left_out: u64,
    /// Commands that wait for their acknowledgement, by number and device.
    open: BTreeMap<(u64, String), IssuedCommand>,
    /// What became of commands whose own line has not come yet; the first of each counts.
    early: BTreeMap<(u64, String), (SimTime, Outcome)>,
    acknowledged: u64,
    /// Of those, the ones that had to be refused, and were.
    refused: u64,
    /// Commands that were refused, given up or let expire.
    disobeyed: u64,
    /// The first of them, with what became of it.
    first_disobeyed: Option<(IssuedCommand, String)>,
    slowest: Option<(SimDuration, IssuedCommand)>,
    /// Those that were answered as written where nothing shows whether they are obeyed.
    unreflected: u64,
}

#[derive(Clone)]
enum Outcome {
    Acknowledged,
    /// The device answered with an error, in its words.
    Refused(String),
    /// It was not obeyed; what happened instead, in words.
    Disobeyed(String),
}

impl Outcome {
    fn of(event: &Event) -> Option<Self> {
        let what = match &event.kind {
            EventKind::Acknowledged => return Some(Self::Acknowledged),
            EventKind::CommandRefused => "refused",
            EventKind::CommandFailed => "failed",
            EventKind::CommandExpired => "expired",
            _ => return None,
        };
        let response = event.text(field::RESPONSE).filter(|response| !response.is_empty());
        let text = match response {
            Some(response) => format!("{what} with `{response}`"),
            None => format!("{what} without a response"),
        };
        let is_answer = event.kind == EventKind::CommandRefused;
        Some(if is_answer { Self::Refused(text) } else { Self::Disobeyed(text) })
    }
}

#[derive(Clone)]
struct IssuedCommand {
    time: SimTime,
    device: String,
    name: String,
    line: u64,
    must_be_refused: bool,
}

impl IssuedCommand {
    fn at(&self) -> At {
        At::of_device(&self.device, self.time, self.line)
    }

    fn describe(&self) -> String {
        format!("{} to {} at {}", self.name, self.device, self.time)
    }
}

impl Check for CommandAck {
    fn accounts_for_commands(&self) -> Option<&Pattern> {
        Some(&self.device)
    }

    fn event(&mut self, line: u64, event: &Event) {
        let is_of = |device: &str| self.device.matches(device);
        match (&event.kind, event.text(field::DEVICE)) {
            (EventKind::SupplyLost, Some(device)) => _ = self.dark.insert(device.to_owned()),
            (EventKind::SupplyReturned, Some(device)) => _ = self.dark.remove(device),
            _ => {}
        }
        self.unreflected +=
            u64::from(event.is_not_reflected() && event.text(field::DEVICE).is_some_and(is_of));
        let (Some(id), Some(device)) = (event.number(field::ID), event.text(field::DEVICE)) else {
            return;
        };
        if !self.device.matches(device) {
            return;
        }
        // What another device reports of a command means nothing for this one's.
        let key = (id, device.to_owned());
        if event.kind == EventKind::Command && !self.is_of_all && self.dark.contains(device) {
            self.left_out += 1;
        } else if event.kind == EventKind::Command {
            let name = event.text(field::NAME).unwrap_or("command").to_owned();
            let must_be_refused = event.is_to_be_refused();
            let (time, device) = (event.time, device.to_owned());
            let given = IssuedCommand { time, device, name, line, must_be_refused };
            match self.early.remove(&key) {
                Some((time, outcome)) => self.close(given, time, outcome),
                None => drop(self.open.insert(key, given)),
            }
        } else if let Some(outcome) = Outcome::of(event) {
            match self.open.remove(&key) {
                Some(given) => self.close(given, event.time, outcome),
                None => drop(self.early.entry(key).or_insert((event.time, outcome))),
            }
        }
    }

    fn verdict(&self, facts: &RunFacts) -> Verdict {
        let end = facts.recorded_until.unwrap_or(facts.end);
        let commands = self.acknowledged + self.disobeyed + self.open.len() as u64;
        let lost = self.open.values().find(|given| {
            // After an early end the record may lack what did happen.
            facts.is_finished() && end - given.time >= self.within
        });
        let late = self.slowest.as_ref().filter(|(took, _)| *took > self.within);
        let mut why =
            format!("{} of {} acknowledged", self.acknowledged, plural(commands, "command"));
        if self.refused > 0 {
            append(&mut why, format_args!(", {} of them refused as expected", self.refused));
        }
        if self.left_out > 0 {
            append(&mut why, format_args!("; {} without a supply left out", self.left_out));
        }
        let (reason, about) = if let Some((given, what)) = &self.first_disobeyed {
            append(&mut why, format_args!("; {what}: {}", given.describe()));
            if self.disobeyed > 1 {
                append(&mut why, format_args!(" and {} more not obeyed", self.disobeyed - 1));
            }
            (Reason::NotObeyed, Some(given))
        } else if let Some(given) = lost {
            append(&mut why, format_args!("; never: {}", given.describe()));
            (Reason::NeverAnswered, Some(given))
        } else if let Some((took, given)) = late {
            append(&mut why, format_args!("; too late: {}", given.describe()));
            if self.is_touched(facts, given.time, *took) {
                why.push_str(", which load on this machine may have caused");
                (Reason::HostLoad, Some(given))
            } else {
                (Reason::TooLate, Some(given))
            }
        } else if let Some(given) = self.open.values().next() {
            append(
                &mut why,
                format_args!("; the record ends before the time is up: {}", given.describe()),
            );
            (Reason::Unanswered, Some(given))
        } else if commands == 0 {
            why = format!("no command was given to device {}", self.device);
            (Reason::NothingToJudge, None)
        } else if self.unreflected > 0 {
            append(&mut why, format_args!("; {} written, not reflected", self.unreflected));
            (Reason::NotReflected, self.slowest.as_ref().map(|(_, given)| given))
        } else {
            (Reason::WithinLimit, self.slowest.as_ref().map(|(_, given)| given))
        };
        let slowest_s = self.slowest.as_ref().map(|(took, _)| took.as_seconds_f64());
        let verdict = Verdict {
            measured: slowest_s.filter(|_| self.open.is_empty() && self.disobeyed == 0),
            limit: Some(self.within.as_seconds_f64()),
            n: commands,
            at: about.map(IssuedCommand::at),
            ..self.context.verdict(reason, "s", why)
        };
        finish(verdict, facts)
    }
}

impl CommandAck {
    /// Before any command was given.
    fn new(context: CheckContext, device: Pattern, within: SimDuration) -> Self {
        Self {
            context,
            device,
            within,
            is_of_all: true,
            dark: BTreeSet::new(),
            left_out: 0,
            open: BTreeMap::new(),
            early: BTreeMap::new(),
            acknowledged: 0,
            refused: 0,
            disobeyed: 0,
            first_disobeyed: None,
            slowest: None,
            unreflected: 0,
        }
    }

    /// Whether a command that took so long may have been in time without load on the machine.
    fn is_touched(&self, facts: &RunFacts, given: SimTime, took: SimDuration) -> bool {
        let Some(real) = &facts.real_time else { return false };
        let from_ns = (given - facts.start).0;
        let span = (from_ns, from_ns.saturating_add(took.0));
        let held_up_ns = HoldUps::of(real).touching_ns(span, self.within.0);
        held_up_ns > 0 && took.0.saturating_sub(held_up_ns) <= self.within.0
    }

    /// A command of which it is known what became of it, and when.
    fn close(&mut self, given: IssuedCommand, time: SimTime, outcome: Outcome) {
        let what = match (outcome, given.must_be_refused) {
            (Outcome::Acknowledged, false) | (Outcome::Refused(_), true) => None,
            (Outcome::Acknowledged, true) => Some("obeyed, though it has to be refused".to_owned()),
            (Outcome::Refused(what), false) | (Outcome::Disobeyed(what), _) => Some(what),
        };
        match what {
            None => {
                self.acknowledged += 1;
                self.refused += u64::from(given.must_be_refused);
                let took = time - given.time;
                if self.slowest.as_ref().is_none_or(|(slowest, _)| took > *slowest) {
                    self.slowest = Some((took, given));
                }
            }
            Some(what) => {
                self.disobeyed += 1;
                if self.first_disobeyed.is_none() {
                    self.first_disobeyed = Some((given, what));
                }
            }
        }
    }
}

/// Commands to devices that no `command_ack` check is about. That they were not obeyed, or never
/// answered, fails no check, but what the scenario wanted to test did not happen, or nobody knows
/// whether it did, so it is not green either.
pub(crate) struct Unjudged {
    judged: Vec<Pattern>,
    /// A calibration judges itself whether its commands were obeyed.
    is_calibration: bool,
    all: CommandAck,
    /// Answers lost, altered or foreign: how many, and where the first is.
    not_as_sent: Option<(u64, At)>,
}

/// What the verdict about them is called.
pub(crate) const UNJUDGED_COMMANDS: &str = "unjudged-commands";

impl Unjudged {
    /// Of a scenario whose `command_ack` checks are about these devices.
    pub(crate) fn new(scenario: &str, judged: Vec<Pattern>, is_calibration: bool) -> Self {
        let context = CheckContext::implicit(UNJUDGED_COMMANDS, scenario);
        let all = CommandAck::new(context, Pattern::new("*"), SimDuration(i64::MAX));
        Self { judged, is_calibration, all, not_as_sent: None }
    }

    pub(crate) fn event(&mut self, line: u64, event: &Event) {
        let device = event.text(field::DEVICE).unwrap_or_default();
        if self.judged.iter().any(|pattern| pattern.matches(device)) {
            return;
        }
        if matches!(
            event.kind,
            EventKind::AnswerLost | EventKind::AnswerAltered | EventKind::AnswerForeign
        ) {
            let first = || (0, At::of_device(device, event.time, line));
            self.not_as_sent.get_or_insert_with(first).0 += 1;
        }
        if !self.is_calibration {
            self.all.event(line, event);
        }
    }

    /// A verdict if any was not obeyed, had no answer until the end of the run, or another one than
    /// its device gave.
    pub(crate) fn verdict(&self, facts: &RunFacts) -> Option<Verdict> {
        let silent = self.all.open.values().min_by_key(|given| given.line);
        let first = match &self.all.first_disobeyed {
            Some((given, what)) => Some((given, what.as_str())),
            None => silent.map(|given| (given, "never answered")),
        };
        let n = self.all.disobeyed + self.all.open.len() as u64;
        let mut parts = Vec::new();
        if let Some((given, what)) = first {
            let count = plural(n, "command");
            parts.push(format!("{count} not carried out, the first {what}: {}", given.describe()));
        }
        if let Some((count, _)) = &self.not_as_sent {
            let answers = plural(*count, "answer");
            parts.push(format!("{answers} not as the device gave, or lost"));
        }
        if parts.is_empty() {
            return None;
        }
        let why = format!("{}; no `command_ack` check is about it", parts.join("; "));
        let (wrong, wrong_at) = self.not_as_sent.clone().unzip();
        let verdict = Verdict {
            n: n + wrong.unwrap_or_default(),
            at: first.map(|(given, _)| given.at()).or(wrong_at),
            ..self.all.context.verdict(Reason::UnjudgedCommands, "1", why)
        };
        Some(finish(verdict, facts))
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{at, check, facts, try_check};
    use super::*;
    use lastmeter_record::Status;
    use lastmeter_record::{LateTick, RealTimeFacts, RunState};

    fn judge(toml: &str, events: &[Event], state: RunState) -> Verdict {
        let mut check = check("command_ack", toml);
        for (line, event) in (1..).zip(events) {
            check.event(line, event);
        }
        check.verdict(&facts(state))
    }

    fn given(seconds: i64, id: u64, device: &str) -> Event {
        Event::command(at(seconds), id, device, "setReportingPeriod")
    }

    fn answer(seconds: i64, id: u64, device: &str) -> Event {
        Event::acknowledged(at(seconds), id, device, "ok")
    }

    #[test]
    fn acknowledged_in_time_is_a_pass_with_the_longest_time() {
        let events = [given(10, 1, "a"), given(10, 2, "b"), answer(12, 2, "b"), answer(13, 1, "a")];
        let verdict = judge("", &events, RunState::Finished);
        assert_eq!((verdict.status, verdict.n), (Status::Pass, 2));
        assert_eq!((verdict.measured, verdict.limit), (Some(3.0), Some(60.0)));
    }

    #[test]
    fn an_answer_counts_though_its_line_stands_before_the_commands() {
        let events = [answer(10, 1, "a"), given(10, 1, "a")];
        let verdict = judge("", &events, RunState::Finished);
        assert_eq!((verdict.status, verdict.n), (Status::Pass, 1), "{}", verdict.why);
        assert_eq!(verdict.measured, Some(0.0));
        assert_eq!(verdict.at.unwrap().event, Some(2));
        let refused = ended(10, "command_refused", 1, "a", "no");
        let verdict = judge("", &[refused, given(10, 1, "a")], RunState::Finished);
        assert_eq!((verdict.status, verdict.n), (Status::Fail, 1));
        assert!(verdict.why.to_string().contains("refused with `no`"), "{}", verdict.why);
        // Of another device's answer, before or after, nothing is counted.
        let verdict = judge("", &[answer(10, 1, "b"), given(10, 1, "a")], RunState::Finished);
        assert_eq!((verdict.status, verdict.n), (Status::Fail, 1));
    }

    #[test]
    fn the_limit_itself_is_in_time_and_a_second_more_is_not() {
        for (seconds, expected) in [(70, Status::Pass), (71, Status::Fail)] {
            let events = [given(10, 1, "a"), answer(seconds, 1, "a")];
            assert_eq!(judge("", &events, RunState::Finished).status, expected);
        }
    }

    #[test]
    fn a_command_never_acknowledged_fails_and_is_named() {
        let events = [given(10, 1, "a"), given(20, 2, "a"), answer(20, 2, "a")];
        let verdict = judge("", &events, RunState::Finished);
        assert_eq!((verdict.status, verdict.measured, verdict.n), (Status::Fail, None, 2));
        assert!(
            verdict.why.to_string().contains("never: setReportingPeriod to a at 2027"),
            "{}",
            verdict.why
        );
        let place = verdict.at.unwrap();
        assert_eq!((place.device.as_deref(), place.time), (Some("a"), Some(at(10))));
        assert_eq!(place.event, Some(1));
    }

    #[test]
    fn an_answer_to_another_command_or_of_another_device_does_not_count() {
        let events = [given(10, 1, "a"), answer(11, 7, "a"), answer(11, 1, "b")];
        for toml in ["device = \"a\"", ""] {
            let verdict = judge(toml, &events, RunState::Finished);
            assert_eq!((verdict.status, verdict.n), (Status::Fail, 1), "{toml}");
            assert!(
                verdict.why.to_string().starts_with("0 of 1 command acknowledged"),
                "{}",
                verdict.why
            );
        }
    }

    #[test]
    fn commands_to_devices_without_a_supply_may_be_left_out() {
        let supply =
            |seconds, kind| Event::new(at(seconds), "bench", kind).with(field::DEVICE, "a");
        let events = [
            supply(5, EventKind::SupplyLost),
            given(10, 1, "a"),
            given(10, 2, "b"),
            answer(11, 2, "b"),
            ended(20, "command_expired", 1, "a", ""),
            supply(30, EventKind::SupplyReturned),
            given(40, 3, "a"),
            ended(50, "command_expired", 3, "a", ""),
        ];
        for (toml, until, expected) in [
            ("", 5, (Status::Fail, 2)),
            ("unsupplied = false", 5, (Status::Pass, 1)),
            ("unsupplied = false", 8, (Status::Fail, 2)),
        ] {
            let verdict = judge(toml, &events[..until], RunState::Finished);
            assert_eq!((verdict.status, verdict.n), expected, "{toml} {}", verdict.why);
            let is_named = verdict.why.to_string().contains("; 1 without a supply left out");
            assert_eq!(is_named, !toml.is_empty(), "{}", verdict.why);
        }
    }

    #[test]
    fn what_was_written_and_is_not_reflected_passes_nothing() {
        let written = |device: &str| {
            let note = Event::device(at(11), "adapter", "not_reflected", "supply = 1.05");
            note.with("device", device)
        };
        for (toml, about, expected) in
            [("", "a", Reason::NotReflected), ("device = \"a\"", "b", Reason::WithinLimit)]
        {
            let events = [written(about), given(10, 1, "a"), answer(11, 1, "a")];
            let verdict = judge(toml, &events, RunState::Finished);
            assert_eq!(verdict.reason, expected, "{}", verdict.why);
        }
        // What fails, fails.
        let events = [written("a"), given(10, 1, "a"), answer(99, 1, "a")];
        assert_eq!(judge("", &events, RunState::Finished).status, Status::Fail);
    }

    fn ended(seconds: i64, kind: &str, id: u64, device: &str, response: &str) -> Event {
        Event::new(at(seconds), "platform", kind)
            .with("id", id)
            .with("device", device)
            .with("response", response)
    }

    #[test]
    fn a_command_that_was_refused_given_up_or_let_expire_fails_with_the_response() {
        for (kind, response, message) in [
            ("command_refused", "error: seconds is 0", "refused with `error: seconds is 0`"),
            ("command_failed", "no route", "failed with `no route`"),
            ("command_expired", "", "expired without a response"),
        ] {
            let events = [given(10, 1, "a"), given(10, 2, "a"), answer(11, 1, "a")];
            let events = [&events[..], &[ended(12, kind, 2, "a", response)]].concat();
            // What was seen and is wrong stays so, however the run ended.
            for state in [RunState::Finished, RunState::Interrupted] {
                let verdict = judge("", &events, state);
                assert_eq!((verdict.status, verdict.measured, verdict.n), (Status::Fail, None, 2));
                let why =
                    format!("1 of 2 commands acknowledged; {message}: setReportingPeriod to a");
                assert!(verdict.why.to_string().starts_with(&why), "{}", verdict.why);
                assert_eq!(verdict.at.unwrap().event, Some(2));
            }
            let other = ended(12, kind, 2, "b", response);
            let events = [given(10, 2, "a"), other, answer(13, 2, "a")];
            assert_eq!(judge("", &events, RunState::Finished).status, Status::Pass, "{kind}");
        }
    }

    #[test]
    fn what_has_to_be_refused_fails_if_it_is_obeyed() {
        let given = || given(10, 1, "a").must_be_refused();
        let refused = || ended(11, "command_refused", 1, "a", "error: no such register");
        let verdict = judge("", &[given(), refused()], RunState::Finished);
        assert_eq!((verdict.status, verdict.n, verdict.measured), (Status::Pass, 1, Some(1.0)));
        assert_eq!(
            verdict.why.to_string(),
            "1 of 1 command acknowledged, 1 of them refused as expected"
        );
        let verdict = judge("", &[given(), answer(11, 1, "a")], RunState::Finished);
        assert_eq!((verdict.status, verdict.n), (Status::Fail, 1));
        assert!(
            verdict.why.to_string().contains("obeyed, though it has to be refused"),
            "{}",
            verdict.why
        );
        // No answer at all is no refusal.
        let expired = ended(70, "command_expired", 1, "a", "");
        let verdict = judge("", &[given(), expired], RunState::Finished);
        assert_eq!(verdict.status, Status::Fail);
    }

    #[test]
    fn a_command_that_was_not_obeyed_is_reported_where_no_check_is_about_it() {
        let describe = |judged: &[&str], events: &[Event]| {
            let patterns = judged.iter().map(|text| Pattern::new(text)).collect();
            let mut unjudged = Unjudged::new("s", patterns, false);
            for (line, event) in (1..).zip(events) {
                unjudged.event(line, event);
            }
            unjudged.verdict(&facts(RunState::Finished))
        };
        let refused = || ended(11, "command_refused", 1, "a", "error: no");
        let verdict = describe(&[], &[given(10, 1, "a"), refused()]).unwrap();
        assert_eq!((verdict.status, verdict.n), (Status::Inconclusive, 1));
        assert_eq!(verdict.check, "unjudged-commands");
        assert!(
            verdict.why.to_string().contains("refused with `error: no`: setReporting"),
            "{}",
            verdict.why
        );
        assert_eq!(verdict.at.unwrap().event, Some(1));
        assert_eq!(describe(&["b", "a*"], &[given(10, 1, "a"), refused()]), None);
        assert_eq!(describe(&[], &[given(10, 1, "a"), answer(11, 1, "a")]), None);
        assert_eq!(describe(&[], &[given(10, 1, "a").must_be_refused(), refused()]), None);
        // Nobody knows whether one without an answer was carried out.
        let events = [given(10, 1, "a"), given(12, 2, "b"), answer(13, 1, "a")];
        let verdict = describe(&[], &events).unwrap();
        assert_eq!((verdict.status, verdict.n), (Status::Inconclusive, 1));
        assert!(
            verdict.why.to_string().contains("never answered: setReporting"),
            "{}",
            verdict.why
        );
        assert_eq!(verdict.at.unwrap().event, Some(2));
        assert_eq!(describe(&["b"], &events), None);
    }

    /// A tenth of the minute that is allowed are 6 s: what is shorter counts for nothing.
    #[test]
    fn what_load_may_have_made_late_is_inconclusive() {
        for (lateness_s, answered, expected) in [
            (7, 71, Reason::HostLoad),
            (7, 77, Reason::HostLoad),
            (7, 78, Reason::TooLate),
            (6, 71, Reason::TooLate),
        ] {
            let late = LateTick { at_ns: 20_000_000_000, lateness_ns: lateness_s * 1_000_000_000 };
            let real = RealTimeFacts { late_ticks: vec![late], ..RealTimeFacts::default() };
            let facts = RunFacts { real_time: Some(real), ..facts(RunState::Finished) };
            let mut check = check("command_ack", "");
            for (line, event) in (1..).zip([given(10, 1, "a"), answer(answered, 1, "a")]) {
                check.event(line, &event);
            }
            assert_eq!(check.verdict(&facts).reason, expected, "{lateness_s} {answered}");
        }
    }

    #[test]
    fn what_cannot_be_known_yet_is_inconclusive() {
        for (events, state) in [
            (vec![], RunState::Finished),
            (vec![given(590, 1, "a")], RunState::Finished),
            (vec![given(10, 1, "a")], RunState::Interrupted),
            (vec![given(10, 1, "a"), answer(11, 1, "a")], RunState::Interrupted),
        ] {
            assert_eq!(judge("", &events, state).status, Status::Inconclusive, "{events:?}");
        }
    }

    #[test]
    fn a_limit_that_is_no_time_is_refused() {
        assert!(try_check("command_ack", "within = \"3 V\"").is_err());
    }
}
