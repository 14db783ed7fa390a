//! The account of alerts and of answers to commands, in the record so far.
//!
//! What was lost, altered or never sent stands in the record by itself; an alert that is stored
//! once more with the same number and content is a repetition, which no check is fed. What is wrong
//! with alerts fails the checks that judge them; what no check judges, and alerts of level Warning
//! or worse that no check is about, make an implicit verdict.

use std::collections::{BTreeMap, BTreeSet};

use crate::check::kind::{Check, CheckContext, JudgedAlerts, finish};
use crate::verdict::{At, Reason, Verdict, VerdictText};
use lastmeter_params::Pattern;
use lastmeter_record::{Account, Event, EventKind, NoticeAccount, RunFacts, Status, field};
use lastmeter_text::{append, plural};

/// What the verdict about unjudged alerts is called.
pub(crate) const UNJUDGED_ALERTS: &str = "unjudged-alerts";

/// The level of alerts that need nobody's judgement.
const INFO: &str = "Info";

/// Faults of more senders and types than this are counted together, so that forged ones cannot
/// fill the memory.
const FAULTS_MAX: usize = 1_000;

/// What is wrong with alerts or answers: one kind of it, of one sender.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Fault {
    what: FaultKind,
    device: String,
    /// Of an alert as it was sent, and as it is stored.
    types: Option<[String; 2]>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum FaultKind {
    Lost,
    Altered,
    Foreign,
}

impl FaultKind {
    const ALL: [Self; 3] = [Self::Lost, Self::Altered, Self::Foreign];

    const fn word(self) -> &'static str {
        match self {
            Self::Lost => "lost",
            Self::Altered => "altered",
            Self::Foreign => "foreign",
        }
    }
}

impl Fault {
    fn of(event: &Event) -> Option<Self> {
        let (what, is_alert) = match event.kind {
            EventKind::AlertLost => (FaultKind::Lost, true),
            EventKind::AlertAltered => (FaultKind::Altered, true),
            EventKind::AlertForeign => (FaultKind::Foreign, true),
            EventKind::AnswerLost => (FaultKind::Lost, false),
            EventKind::AnswerAltered => (FaultKind::Altered, false),
            EventKind::AnswerForeign => (FaultKind::Foreign, false),
            _ => return None,
        };
        let text = |name: &str| event.text(name).unwrap_or_default().to_owned();
        let found = event.text(field::FOUND_TYPE).map_or_else(|| text(field::TYPE), str::to_owned);
        let types = is_alert.then(|| [text(field::TYPE), found]);
        Some(Self { what, device: text(field::DEVICE), types })
    }

    fn is_judged_by(&self, alerts: &[JudgedAlerts], commands: &[Pattern]) -> bool {
        match &self.types {
            Some(types) => alerts
                .iter()
                .any(|judged| types.iter().any(|kind| judged.includes(&self.device, kind))),
            None => commands.iter().any(|pattern| pattern.matches(&self.device)),
        }
    }
}

/// How many faults of one kind there are, and the first.
#[derive(Default)]
struct Faults {
    /// By what is wrong and whether of alerts.
    counts: BTreeMap<(bool, FaultKind), u64>,
    first: Option<At>,
}

impl Faults {
    fn take(&mut self, fault: &Fault, (count, place): &(u64, At)) {
        *self.counts.entry((fault.types.is_none(), fault.what)).or_default() += count;
        if self.first.as_ref().is_none_or(|first| place.time < first.time) {
            self.first = Some(place.clone());
        }
    }

    fn count(&self) -> u64 {
        self.counts.values().sum()
    }

    /// `1 alert lost, 2 alerts altered`.
    fn text(&self) -> String {
        let one = |((is_answer, what), count): (&(bool, FaultKind), &u64)| {
            let noun = if *is_answer { "answer" } else { "alert" };
            format!("{} {}", plural(*count, noun), what.word())
        };
        self.counts.iter().map(one).collect::<Vec<_>>().join(", ")
    }
}

/// Keeps the account while the record passes by.
pub(crate) struct AlertAccountant {
    scenario: String,
    /// The alerts that checks of the scenario judge.
    judged: Vec<JudgedAlerts>,
    /// The content of each numbered alert, with its number.
    seen: BTreeSet<String>,
    repeated: u64,
    alerts: NoticeAccount,
    answers: NoticeAccount,
    is_unreadable: bool,
    /// How many of each, and where the first is.
    faults: BTreeMap<Fault, (u64, At)>,
    /// Alerts of level Warning or worse that no check is about: how many, and the first.
    unjudged: Option<(u64, At, String)>,
}

impl AlertAccountant {
    /// For a scenario whose checks judge these alerts.
    pub(crate) fn new(scenario: &str, judged: Vec<JudgedAlerts>) -> Self {
        Self {
            scenario: scenario.to_owned(),
            judged,
            seen: BTreeSet::new(),
            repeated: 0,
            alerts: NoticeAccount::default(),
            answers: NoticeAccount::default(),
            is_unreadable: false,
            faults: BTreeMap::new(),
            unjudged: None,
        }
    }

    /// Whether an event is an alert that was there before, with the same number and content.
    pub(crate) fn is_repetition(&mut self, event: &Event) -> bool {
        if event.kind != EventKind::Alert {
            return false;
        }
        let numbers = event.number(field::EPOCH).zip(event.number(field::SERIAL));
        let Some(number) = numbers else { return false };
        let texts = [field::DEVICE, field::TYPE, field::LEVEL].map(|name| event.text(name));
        let (facts, message) = (event.get(field::METADATA), event.prose(field::MESSAGE));
        let content = format!("{number:?} {texts:?} {:?} {facts:?} {message:?}", event.own_time());
        let is_new = self.seen.insert(content);
        self.repeated += u64::from(!is_new);
        !is_new
    }

    /// Takes the next event of the record that is no repetition.
    pub(crate) fn event(&mut self, line: u64, event: &Event) {
        let at = || {
            let device = event.text(field::DEVICE).map(str::to_owned);
            let (epoch, serial) = (event.number(field::EPOCH), event.number(field::SERIAL));
            let (time, event) = (Some(event.own_time()), Some(line));
            At { device, epoch, serial, time, event, ..At::default() }
        };
        match event.kind {
            EventKind::AlertsUnreadable => self.is_unreadable = true,
            EventKind::Notices => {
                let number = |name: &str| event.number(name).unwrap_or_default();
                self.alerts.sent = number(field::ALERTS_SENT);
                self.alerts.stored = number(field::ALERTS_STORED);
                self.answers.sent = number(field::ANSWERS_SENT);
                self.answers.stored = number(field::ANSWERS_STORED);
            }
            EventKind::Alert => {
                let text = |name: &str| event.text(name).unwrap_or_default();
                let (device, kind) = (text(field::DEVICE), text(field::TYPE));
                let is_judged = self.judged.iter().any(|judged| judged.includes(device, kind));
                if text(field::LEVEL) != INFO && !is_judged {
                    let first = || (0, at(), format!("{kind} of {device}"));
                    self.unjudged.get_or_insert_with(first).0 += 1;
                }
            }
            _ => {
                let Some(mut fault) = Fault::of(event) else { return };
                if self.faults.len() >= FAULTS_MAX && !self.faults.contains_key(&fault) {
                    fault.device.clear();
                    fault.types = fault.types.map(|_| Default::default());
                }
                self.faults.entry(fault).or_insert_with(|| (0, at())).0 += 1;
            }
        }
    }

    /// Adds what became of alerts and answers.
    pub(crate) fn add_to(&self, account: Account) -> Account {
        let with = |account: NoticeAccount, is_alert: bool| {
            let faults = self.faults.iter().filter(|(fault, _)| fault.types.is_some() == is_alert);
            let of = |what| faults.clone().filter(|it| it.0.what == what).map(|it| it.1.0).sum();
            let [lost, altered, foreign] = FaultKind::ALL.map(of);
            NoticeAccount { lost, altered, foreign, ..account }
        };
        Account {
            alerts: NoticeAccount { repeated: self.repeated, ..with(self.alerts, true) },
            answers: with(self.answers, false),
            alerts_unreadable: self.is_unreadable,
            ..account
        }
    }

    /// What is wrong with alerts or commands that a check judges fails it.
    pub(crate) fn held_against(&self, check: &dyn Check, mut verdict: Verdict) -> Verdict {
        let alerts: Vec<JudgedAlerts> = check.accounts_for_alerts().into_iter().collect();
        let commands: Vec<Pattern> = check.accounts_for_commands().into_iter().cloned().collect();
        let faults = self.faults(|fault| fault.is_judged_by(&alerts, &commands));
        let Some(first) = faults.first.clone() else { return verdict };
        let text = faults.text();
        if verdict.status >= Status::Fail {
            append(&mut verdict.why, format_args!("; of what was sent or answered: {text}"));
            return verdict;
        }
        verdict.set_reason(Reason::NotAsSent);
        verdict.why =
            format!("{text}, by the bench's account of what was sent; otherwise {}", verdict.why)
                .into();
        let basis = "not stored as sent".to_owned();
        verdict.told = Some(VerdictText { measured: text, basis });
        verdict.at = Some(first);
        verdict
    }

    fn faults(&self, is_meant: impl Fn(&Fault) -> bool) -> Faults {
        let mut faults = Faults::default();
        for (fault, found) in self.faults.iter().filter(|(fault, _)| is_meant(fault)) {
            faults.take(fault, found);
        }
        faults
    }

    /// A verdict if there are alerts that a check should be about and none is.
    pub(crate) fn verdict(&self, facts: &RunFacts) -> Option<Verdict> {
        let is_left =
            |fault: &Fault| fault.types.is_some() && !fault.is_judged_by(&self.judged, &[]);
        let faults = self.faults(is_left);
        let mut parts = Vec::new();
        if let Some((count, _, first)) = &self.unjudged {
            let alerts = plural(*count, "alert");
            parts.push(format!("{alerts} of level Warning or worse, the first {first}"));
        }
        if faults.count() > 0 {
            parts.push(faults.text());
        }
        if parts.is_empty() {
            return None;
        }
        let why = format!(
            "{}; no check judges these alerts, as `alerts`, `event`, `tamper`, `last_gasp` and \
             `restored` do",
            parts.join("; ")
        );
        let unjudged = self.unjudged.as_ref().map_or(0, |(count, ..)| *count);
        let first = self.unjudged.as_ref().map(|(_, at, _)| at).into_iter().chain(&faults.first);
        let context = CheckContext::implicit(UNJUDGED_ALERTS, &self.scenario);
        let verdict = Verdict {
            measured: Some((unjudged + faults.count()) as f64),
            limit: Some(0.0),
            n: unjudged.max(self.alerts.sent),
            at: first.min_by_key(|at| at.time).cloned(),
            ..context.verdict(Reason::UnjudgedAlerts, "1", why)
        };
        Some(finish(verdict, facts))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::testing::{at, check, facts};
    use lastmeter_record::RunState;
    use serde_json::json;

    fn alert(seconds: i64, device: &str, kind: &str, level: &str) -> Event {
        Event::new(at(seconds), "platform", EventKind::Alert)
            .with(field::DEVICE, device)
            .with(field::TYPE, kind)
            .with(field::LEVEL, level)
            .with_prose(field::MESSAGE, "m: in words")
    }

    fn numbered(event: Event, serial: u64) -> Event {
        event.with(field::EPOCH, 1).with(field::SERIAL, serial)
    }

    fn fault(kind: EventKind, device: &str, alert_type: &str) -> Event {
        let event = Event::new(at(600), "bench", kind).with(field::DEVICE, device);
        event.with(field::TYPE, alert_type).with(field::EVENT_TIME, at(10).to_string())
    }

    fn answer(kind: EventKind, device: &str) -> Event {
        Event::new(at(600), "bench", kind).with(field::ID, 1).with(field::DEVICE, device)
    }

    fn fed(judged: Vec<JudgedAlerts>, events: &[Event]) -> AlertAccountant {
        let mut accountant = AlertAccountant::new("s", judged);
        for (line, event) in (1..).zip(events) {
            if !accountant.is_repetition(event) {
                accountant.event(line, event);
            }
        }
        accountant
    }

    fn judged(device: &str, kind: &str) -> Vec<JudgedAlerts> {
        vec![JudgedAlerts::new(&Pattern::new(device), [kind])]
    }

    #[test]
    fn a_warning_or_worse_that_no_check_is_about_is_inconclusive_and_info_is_not() {
        let run = facts(RunState::Finished);
        for (level, is_verdict) in
            [("Info", false), ("Warning", true), ("Error", true), ("Critical", true), ("?", true)]
        {
            let events = [alert(10, "m", "voltage.dip", level)];
            let verdict = fed(Vec::new(), &events).verdict(&run);
            assert_eq!(verdict.is_some(), is_verdict, "{level}");
            for (device, kind, is_about) in
                [("m", "voltage.dip", true), ("n", "voltage.dip", false), ("*", "tamper", false)]
            {
                let verdict = fed(judged(device, kind), &events).verdict(&run);
                assert_eq!(verdict.is_some(), is_verdict && !is_about, "{device} {kind}");
            }
        }
        let events = [alert(10, "m", "voltage.dip", "Warning"), alert(9, "n", "x", "Critical")];
        let verdict = fed(Vec::new(), &events).verdict(&run).unwrap();
        assert_eq!((verdict.reason, verdict.measured), (Reason::UnjudgedAlerts, Some(2.0)));
        assert_eq!(
            (verdict.status, verdict.check.as_str()),
            (Status::Inconclusive, UNJUDGED_ALERTS)
        );
        let why = verdict.why.to_string();
        assert!(why.starts_with("2 alerts of level Warning or worse, the first voltage"), "{why}");
        assert_eq!(verdict.at.unwrap().event, Some(1));
    }

    #[test]
    fn what_is_wrong_fails_the_check_that_judges_it_and_is_unjudged_else() {
        let run = facts(RunState::Finished);
        let checks = [
            check("alerts", "type = \"voltage.dip\""),
            check("event", "what = [\"dip\"]\nnone = true"),
            check("tamper", ""),
            check("last_gasp", ""),
            check("restored", "device = \"n\""),
            check("command_ack", ""),
        ];
        for (event, failing, is_unjudged) in [
            (fault(EventKind::AlertLost, "m", "voltage.dip"), &[0, 1][..], false),
            (fault(EventKind::AlertForeign, "ghost", "voltage.dip"), &[0, 1], false),
            (fault(EventKind::AlertAltered, "m", "tamper.field_began"), &[2], false),
            (fault(EventKind::AlertLost, "m", "supply.failed"), &[3], false),
            (fault(EventKind::AlertLost, "n", "supply.returned"), &[4], false),
            (fault(EventKind::AlertLost, "m", "supply.returned"), &[], true),
            (fault(EventKind::AlertForeign, "m", "voltage.swell"), &[], true),
            // Stored under another type, it concerns those that judge that one too.
            (
                fault(EventKind::AlertAltered, "m", "x").with(field::FOUND_TYPE, "supply.failed"),
                &[3],
                false,
            ),
            (answer(EventKind::AnswerAltered, "m"), &[5], false),
            (answer(EventKind::AnswerLost, "m"), &[5], false),
            (answer(EventKind::AnswerForeign, "m"), &[5], false),
        ] {
            let judged = checks.iter().filter_map(|check| check.accounts_for_alerts()).collect();
            let accountant = fed(judged, std::slice::from_ref(&event));
            for (place, check) in checks.iter().enumerate() {
                let before = check.verdict(&run);
                let verdict = accountant.held_against(&**check, before.clone());
                if failing.contains(&place) {
                    assert_eq!(verdict.reason, Reason::NotAsSent, "{event:?}: {}", verdict.why);
                    assert_eq!(verdict.at.unwrap().event, Some(1));
                } else {
                    assert_eq!(verdict, before, "{event:?}");
                }
            }
            assert_eq!(accountant.verdict(&run).is_some(), is_unjudged, "{event:?}");
        }
    }

    #[test]
    fn a_check_that_fails_already_keeps_its_reason_and_names_what_was_lost() {
        let check = check("alerts", "type = \"voltage.dip\"");
        let context = CheckContext::default();
        let failed = context.verdict(Reason::AlertMissing, "1", "1 did not come");
        let events = [fault(EventKind::AlertLost, "m", "voltage.dip")];
        let verdict = fed(Vec::new(), &events).held_against(&*check, failed);
        assert_eq!(verdict.reason, Reason::AlertMissing);
        assert_eq!(
            verdict.why.to_string(),
            "1 did not come; of what was sent or answered: 1 alert lost"
        );
    }

    #[test]
    fn the_same_number_with_the_same_content_is_a_repetition_and_nothing_else_is() {
        let one = || numbered(alert(10, "m", "voltage.dip", "Warning"), 7);
        // Read back after the record was written up to 20 s, its own time stands in a field.
        let late = alert(20, "m", "voltage.dip", "Warning");
        let late = numbered(late.with(field::EVENT_TIME, at(10).to_string()), 7);
        for (second, is_repetition) in [
            (one(), true),
            (late, true),
            (numbered(alert(10, "m", "voltage.dip", "Warning"), 8), false),
            (numbered(alert(10, "n", "voltage.dip", "Warning"), 7), false),
            (numbered(alert(10, "m", "voltage.swell", "Warning"), 7), false),
            (numbered(alert(10, "m", "voltage.dip", "Info"), 7), false),
            (numbered(alert(11, "m", "voltage.dip", "Warning"), 7), false),
            (one().with(field::METADATA, json!({ "phase": "l1" })), false),
            (alert(10, "m", "voltage.dip", "Warning"), false),
        ] {
            let mut accountant = fed(Vec::new(), &[one()]);
            assert_eq!(accountant.is_repetition(&second), is_repetition, "{second:?}");
            let account = accountant.add_to(Account::default());
            assert_eq!(account.alerts.repeated, u64::from(is_repetition));
            assert!(account.is_clean());
        }
        let bare = || alert(10, "m", "voltage.dip", "Warning");
        assert!(!fed(Vec::new(), &[bare()]).is_repetition(&bare()), "without a number");
    }

    #[test]
    fn the_account_counts_all_and_is_shown() {
        let counts = Event::new(at(600), "bench", EventKind::Notices)
            .with(field::ALERTS_SENT, 5)
            .with(field::ALERTS_STORED, 3)
            .with(field::ANSWERS_SENT, 2)
            .with(field::ANSWERS_STORED, 1);
        let one = || numbered(alert(10, "m", "t", "Info"), 1);
        let events = [
            one(),
            one(),
            fault(EventKind::AlertLost, "m", "t"),
            fault(EventKind::AlertAltered, "m", "t"),
            fault(EventKind::AlertForeign, "g", "t"),
            answer(EventKind::AnswerAltered, "m"),
            counts,
        ];
        let account = fed(Vec::new(), &events).add_to(Account::default());
        assert!(!account.is_clean() && account.has_clean_readings());
        let shown = account.to_string();
        let expected = "; 3 of 5 alerts stored as sent, 1 lost, 1 altered, 1 foreign, 1 repeated; \
                        1 of 2 answers stored as sent, 1 altered";
        assert!(shown.ends_with(expected), "{shown}");
        let unreadable = Event::new(at(1), "platform", EventKind::AlertsUnreadable);
        let accountant = fed(Vec::new(), &[unreadable]);
        let shown = accountant.add_to(Account::default()).to_string();
        assert!(shown.ends_with("; alerts unreadable, 0 sent"), "{shown}");
        assert!(accountant.verdict(&facts(RunState::Finished)).is_none());
    }

    #[test]
    fn forged_senders_and_types_do_not_fill_the_memory() {
        let forged = |number: u64| fault(EventKind::AlertForeign, &format!("ghost-{number}"), "t");
        let events: Vec<Event> = (0..10_000).map(forged).collect();
        let accountant = fed(Vec::new(), &events);
        assert!(accountant.faults.len() <= FAULTS_MAX + 1);
        assert_eq!(accountant.add_to(Account::default()).alerts.foreign, 10_000);
    }
}
