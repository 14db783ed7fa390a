//! `reliability`: energy that was not supplied, and the indices of interruptions.

use lastmeter_params::{Code, Dimension, Entry, Field, Kind, Values};
use lastmeter_record::{Event, EventKind, RunFacts, field};
use lastmeter_text::{append, number};

use super::{figure, fits};
use crate::check::kind::{Check, CheckContext, CheckKind, RecordTable, finish};
use crate::verdict::{At, Reason, Verdict, VerdictText};

/// Seconds in a minute, in which SAIDI and CAIDI are stated.
const MINUTE_S: f64 = 60.0;

const fn limit(name: &'static str, dimension: Dimension, doc: &'static str) -> Field {
    Field::optional(name, Kind::Quantity { dimension, min: 0.0, max: 1e15 }, doc)
}

pub(in super::super) const KIND: CheckKind = CheckKind {
    entry: Entry {
        name: "reliability",
        summary: "energy that was not supplied, and how often and how long customers had no supply",
        description: "By IEEE 1366: SAIFI is the number of sustained interruptions per customer, \
            SAIDI their duration per customer, CAIDI their mean duration; interruptions shorter \
            than `sustained_from` are short ones, and count for the energy alone. Every load is a \
            customer. What has not ended when the run does counts as far as it went. Interruptions \
            that began by an `outage` with `planned = true`, and by nothing else, are planned ones; \
            `planned` states whether they count. MAIFI is the number of short interruptions per \
            customer. One of `energy`, `saidi`, `saifi`, `caidi` and `maifi` has a limit, and perhaps a least value as well \
            (`at_least`): then an outage has to have had an effect.",
        fields: &[
            limit("energy", Dimension::ActiveEnergy, "the most that is not supplied"),
            limit("saidi", Dimension::Time, "the largest, as a time"),
            limit("saifi", Dimension::Ratio, "the largest, as a number"),
            limit("caidi", Dimension::Time, "the largest, as a time"),
            limit("maifi", Dimension::Ratio, "the largest, as a number"),
            Field::default(
                "at_least",
                Kind::Quantity { dimension: Dimension::Ratio, min: 0.0, max: 1.0 },
                "0",
                "the least that the value has to be, as a share of its limit",
            ),
            Field::default(
                "sustained_from",
                Kind::Quantity { dimension: Dimension::Time, min: 0.0, max: 86_400.0 },
                "\"3 min\"",
                "what lasts less is a short interruption (EN 50160)",
            ),
            Field::default(
                "planned",
                Kind::Choice(&[Planned::COUNT, Planned::LEAVE_OUT, Planned::ONLY]),
                "\"count\"",
                "whether planned interruptions count as others do, not at all, or they alone",
            ),
        ],
    },
    build: |values, context, diagnostics| {
        let given: Vec<Index> =
            Index::ALL.into_iter().filter(|it| values.si_opt(it.key()).is_some()).collect();
        let [index] = given[..] else {
            let message = "one of `energy`, `saidi`, `saifi`, `caidi` and `maifi` has a limit";
            let label = format!("found {}", given.len());
            diagnostics.report(Code::DOES_NOT_FIT, values.span_of("kind"), message, label);
            return None;
        };
        Some(Box::new(Reliability::new(values, context, index)))
    },
    tables: &[RecordTable::Events],
    former_name: Some("unserved"),
    fits: fits::reliability,
    ..CheckKind::PLAIN
};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Index {
    Energy,
    Saidi,
    Saifi,
    Caidi,
    Maifi,
}

impl Index {
    const ALL: [Self; 5] = [Self::Energy, Self::Saidi, Self::Saifi, Self::Caidi, Self::Maifi];

    const fn key(self) -> &'static str {
        match self {
            Self::Energy => "energy",
            Self::Saidi => "saidi",
            Self::Saifi => "saifi",
            Self::Caidi => "caidi",
            Self::Maifi => "maifi",
        }
    }

    const fn unit(self) -> &'static str {
        match self {
            Self::Energy => "Wh",
            Self::Saidi | Self::Caidi => "s",
            Self::Saifi | Self::Maifi => "1",
        }
    }
}

/// Which interruptions count.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Planned {
    /// Planned and unplanned ones.
    #[default]
    Count,
    /// Those that were not planned.
    LeaveOut,
    /// Those that were.
    Only,
}

impl Planned {
    pub(super) const COUNT: &str = "count";
    const LEAVE_OUT: &str = "leave_out";
    const ONLY: &str = "only";

    fn of(word: &str) -> Self {
        match word {
            Self::LEAVE_OUT => Self::LeaveOut,
            Self::ONLY => Self::Only,
            _ => Self::Count,
        }
    }

    /// Whether an interruption counts. One of an older record, which does not state it, was not
    /// planned.
    fn counts(self, event: &Event) -> bool {
        let is_planned = event.get(field::IS_PLANNED).and_then(serde_json::Value::as_bool);
        match self {
            Self::Count => true,
            Self::LeaveOut => is_planned != Some(true),
            Self::Only => is_planned == Some(true),
        }
    }

    /// Before `interruptions`, for people.
    const fn words(self) -> &'static str {
        match self {
            Self::Count => "",
            Self::LeaveOut => "unplanned ",
            Self::Only => "planned ",
        }
    }
}

/// The indices of a run.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Indices {
    /// Of which interruptions.
    pub(super) planned: Planned,
    pub(super) customers: f64,
    /// Of customers, sustained ones.
    pub(super) interruptions: f64,
    pub(super) momentary: f64,
    /// Of all sustained ones together, customer seconds.
    pub(super) seconds: f64,
    pub(super) unserved_wh: f64,
    /// How many have not ended.
    pub(super) open: u64,
    /// Whether one of them is sustained already.
    pub(super) is_going_on: bool,
    /// Of customers, those that have not ended and may still become sustained ones.
    pub(super) pending: f64,
    pub(super) events: u64,
}

impl Indices {
    pub(super) fn take(&mut self, event: &Event, sustained_from_s: f64) {
        if event.kind != EventKind::Interruption {
            return;
        }
        let of = |name: &str| figure(event, name).unwrap_or(0.0);
        let (customers, duration_s) = (of(field::CUSTOMERS), of(field::DURATION_S));
        self.customers = self.customers.max(of(field::CUSTOMERS_TOTAL));
        if !self.planned.counts(event) {
            return;
        }
        self.events += 1;
        self.unserved_wh += of(field::UNSERVED_WH);
        if duration_s >= sustained_from_s {
            self.interruptions += customers;
            self.seconds += customers * duration_s;
        } else {
            self.momentary += customers;
        }
        let is_over = event.get(field::IS_OVER).and_then(serde_json::Value::as_bool);
        if is_over == Some(false) {
            self.open += 1;
            self.is_going_on |= duration_s >= sustained_from_s;
            self.pending += if duration_s < sustained_from_s { customers } else { 0.0 };
        }
    }

    pub(super) fn saifi(&self) -> f64 {
        if self.customers > 0.0 { self.interruptions / self.customers } else { 0.0 }
    }

    pub(super) fn maifi(&self) -> f64 {
        if self.customers > 0.0 { self.momentary / self.customers } else { 0.0 }
    }

    pub(super) fn saidi_s(&self) -> f64 {
        if self.customers > 0.0 { self.seconds / self.customers } else { 0.0 }
    }

    pub(super) fn caidi_s(&self) -> f64 {
        if self.interruptions > 0.0 { self.seconds / self.interruptions } else { 0.0 }
    }

    /// What an index comes to at the least, however long those go on that have not ended. All
    /// grow with them but CAIDI, which what has just become sustained brings down.
    fn at_least(&self, index: Index, sustained_from_s: f64) -> f64 {
        let found = self.of(index);
        if index == Index::Maifi && self.customers > 0.0 {
            // What has not ended may become a sustained one.
            return (self.momentary - self.pending) / self.customers;
        }
        if index != Index::Caidi || self.interruptions == 0.0 {
            return found;
        }
        let with_pending = self.seconds + self.pending * sustained_from_s;
        found.min(with_pending / (self.interruptions + self.pending))
    }

    /// Whether an index may still change by what has not ended.
    fn may_change(&self, index: Index) -> bool {
        match index {
            Index::Energy => false,
            // One that is sustained is counted already.
            Index::Saifi | Index::Maifi => self.pending > 0.0,
            Index::Saidi | Index::Caidi => self.pending > 0.0 || self.is_going_on,
        }
    }

    fn of(&self, index: Index) -> f64 {
        match index {
            Index::Energy => self.unserved_wh,
            Index::Saidi => self.saidi_s(),
            Index::Saifi => self.saifi(),
            Index::Caidi => self.caidi_s(),
            Index::Maifi => self.maifi(),
        }
    }
}

struct Reliability {
    context: CheckContext,
    index: Index,
    limit: f64,
    least: f64,
    sustained_from_s: f64,
    indices: Indices,
    /// Whether anything was done in the network, or interrupted.
    has_happened: bool,
    last: Option<At>,
}

impl Reliability {
    fn new(values: &Values, context: CheckContext, index: Index) -> Self {
        let limit = values.si(index.key());
        let limit = if index == Index::Energy { limit / 3600.0 } else { limit };
        Self {
            context,
            index,
            limit,
            least: limit * values.si("at_least"),
            sustained_from_s: values.si("sustained_from"),
            indices: Indices { planned: Planned::of(values.text("planned")), ..Indices::default() },
            has_happened: false,
            last: None,
        }
    }

    fn reason(&self, found: f64, facts: &RunFacts, why: &mut String) -> Reason {
        let (it, index) = (&self.indices, self.index);
        let lasted_s = (facts.end - facts.start).as_seconds_f64();
        // What would have come later can bring no index down but the mean.
        let is_known = index != Index::Caidi || facts.is_finished();
        if is_known && it.at_least(index, self.sustained_from_s) > self.limit {
            Reason::OutsideLimit
        } else if !matches!(index, Index::Energy | Index::Maifi) && lasted_s < self.sustained_from_s
        {
            why.push_str("; the run is shorter than `sustained_from`, so nothing can be sustained");
            Reason::NothingToJudge
        } else if it.may_change(index) {
            why.push_str(", so it is not known what it comes to");
            Reason::Incomplete
        } else if !is_known {
            Reason::Incomplete
        } else if index == Index::Caidi && it.interruptions == 0.0 {
            why.push_str("; there was no sustained interruption, so CAIDI has no value");
            Reason::NothingToJudge
        } else if found < self.least && !facts.is_finished() {
            // More could have come.
            Reason::Incomplete
        } else if found < self.least {
            Reason::OutsideLimit
        } else if !self.has_happened {
            why.push_str("; nothing was done in the network, so nothing could be");
            Reason::NothingToJudge
        } else if it.events == 0 && !facts.is_finished() {
            Reason::NothingToJudge
        } else {
            Reason::WithinLimit
        }
    }
}

impl Check for Reliability {
    fn event(&mut self, line: u64, event: &Event) {
        self.indices.take(event, self.sustained_from_s);
        self.has_happened |= [EventKind::Interruption, EventKind::Operated].contains(&event.kind);
        if event.kind == EventKind::Interruption && self.indices.planned.counts(event) {
            self.last = Some(At { time: Some(event.time), event: Some(line), ..At::default() });
        }
    }

    fn verdict(&self, facts: &RunFacts) -> Verdict {
        let it = &self.indices;
        let found = it.of(self.index);
        // An event of interruptions is what has the number of customers.
        let of = match it.customers {
            0.0 => "of no customer with an interruption".to_owned(),
            customers => format!("of {} customers", number(customers)),
        };
        let mut why = format!(
            "{} Wh not supplied, SAIFI {}, SAIDI {} min, {}, {of}",
            number(it.unserved_wh),
            number(it.saifi()),
            number(it.saidi_s() / MINUTE_S),
            if it.interruptions > 0.0 {
                format!("CAIDI {} min", number(it.caidi_s() / MINUTE_S))
            } else {
                "no CAIDI".to_owned()
            },
        );
        let (open, all, which) = (it.open, it.events, it.planned.words());
        if it.planned != Planned::Count {
            append(&mut why, format_args!("; of {which}interruptions alone"));
        }
        if open > 0 {
            append(&mut why, format_args!("; {open} of {all} {which}interruptions have not ended"));
        }
        if all == 0 {
            append(&mut why, format_args!("; there were no {which}interruptions"));
        }
        let reason = self.reason(found, facts, &mut why);
        // An index without a unit is no count, as which the line for people would show it.
        let text = (self.index.unit() == "1").then(|| {
            let low = (self.least > 0.0)
                .then(|| format!(", allowed {} to {}", number(self.least), number(self.limit)));
            let name = self.index.key().to_uppercase();
            let measured = format!("{name} {}{}", number(found), low.unwrap_or_default());
            VerdictText { measured, basis: format!("n {}", it.events) }
        });
        let verdict = Verdict {
            told: text,
            // The mean of none is none.
            measured: Some(found).filter(|_| self.index != Index::Caidi || it.interruptions > 0.0),
            limit: Some(self.limit),
            limit_low: (self.least > 0.0).then_some(self.least),
            n: it.events.max(u64::from(facts.is_finished() && self.has_happened)),
            at: self.last.clone().filter(|_| reason == Reason::OutsideLimit),
            ..self.context.verdict(reason, self.index.unit(), why)
        };
        finish(verdict, facts)
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::testing::{at, check, facts, try_check};
    use super::*;
    use lastmeter_record::{RunState, Status};

    fn interruption(duration_s: f64, customers: u64, unserved_wh: f64) -> Event {
        lasting((duration_s, true), customers, unserved_wh)
    }

    fn lasting((duration_s, is_over): (f64, bool), customers: u64, unserved_wh: f64) -> Event {
        Event::new(at(10), "bench", EventKind::Interruption)
            .with(field::LOAD, "x")
            .with(field::DURATION_S, duration_s)
            .with(field::IS_OVER, is_over)
            .with(field::UNSERVED_WH, unserved_wh)
            .with(field::CUSTOMERS, customers)
            .with(field::CUSTOMERS_TOTAL, 10)
    }

    fn judge(keys: &str, events: &[Event]) -> Verdict {
        let mut check = check("reliability", keys);
        check.begin(&facts(RunState::Finished));
        for (line, event) in (1..).zip(events) {
            check.event(line, event);
        }
        check.verdict(&facts(RunState::Finished))
    }

    #[test]
    fn the_indices_are_those_of_the_standard() {
        // Two customers for an hour, four for half an hour, ten for a minute.
        let events = [
            interruption(3600.0, 2, 500.0),
            interruption(1800.0, 4, 250.0),
            interruption(60.0, 10, 10.0),
        ];
        for (keys, measured) in [
            ("saifi = 1", 0.6),
            ("saidi = \"1 h\"", (2.0 * 3600.0 + 4.0 * 1800.0) / 10.0),
            ("caidi = \"1 h\"", (2.0 * 3600.0 + 4.0 * 1800.0) / 6.0),
            ("energy = \"1 kWh\"", 760.0),
            ("maifi = 1", 1.0),
        ] {
            let verdict = judge(keys, &events);
            assert_eq!(verdict.status, Status::Pass, "{}", verdict.why);
            assert!((verdict.measured.unwrap() - measured).abs() < 1e-9, "{keys}");
        }
        assert_eq!(judge("energy = \"759 Wh\"", &events).status, Status::Fail);
        assert_eq!(judge("saifi = 1\nat_least = \"70 %\"", &events).status, Status::Fail);
        // Of a network in which something was done none is known to be interrupted.
        let done = Event::new(at(10), "bench", EventKind::Operated);
        assert_eq!(judge("saifi = 1", &[done]).status, Status::Pass);
        let nothing = judge("saifi = 1", &[]);
        assert_eq!((nothing.reason, nothing.n), (Reason::NothingToJudge, 0));
        let measured = |keys: &str| judge(keys, &events).told.unwrap().measured;
        assert_eq!(measured("saifi = 1"), "SAIFI 0.6");
        assert_eq!(measured("saifi = 1\nat_least = \"50 %\""), "SAIFI 0.6, allowed 0.5 to 1");
        assert!(try_check("reliability", "").is_err());
        assert!(try_check("reliability", "saifi = 1\nsaidi = \"1 h\"").is_err());
    }

    #[test]
    fn planned_interruptions_count_alone_or_not_at_all() {
        let planned = |seconds: f64, customers: u64| {
            interruption(seconds, customers, 100.0).with(field::IS_PLANNED, true)
        };
        let not = |seconds: f64, customers: u64| {
            interruption(seconds, customers, 10.0).with(field::IS_PLANNED, false)
        };
        // One of an older record, too.
        let events = [planned(3600.0, 5), not(600.0, 2), interruption(600.0, 1, 1.0)];
        for (keys, saifi, n) in [
            ("", 0.8, 3),
            ("planned = \"count\"", 0.8, 3),
            ("planned = \"leave_out\"", 0.3, 2),
            ("planned = \"only\"", 0.5, 1),
        ] {
            let verdict = judge(&format!("saifi = 0.4\n{keys}"), &events);
            assert!((verdict.measured.unwrap() - saifi).abs() < 1e-9, "{keys}");
            assert_eq!((verdict.n, verdict.status == Status::Pass), (n, saifi < 0.4), "{keys}");
        }
        assert_eq!(judge("energy = \"1 kWh\"\nplanned = \"only\"", &events).measured, Some(100.0));
        let none = judge("saifi = 1\nplanned = \"only\"", &events[1..]);
        assert!(
            none.why.to_string().contains("of 10 customers; of planned interruptions alone"),
            "{}",
            none.why
        );
        assert!(
            none.why.to_string().ends_with("there were no planned interruptions"),
            "{}",
            none.why
        );
        // What is left out has no place in the record that is at fault.
        let red =
            judge("saidi = \"1 min\"\nplanned = \"leave_out\"", &[not(9e3, 2), planned(9e3, 2)]);
        assert_eq!((red.status, red.at.and_then(|at| at.event)), (Status::Fail, Some(1)));
    }

    fn open(duration_s: f64, customers: u64) -> Event {
        lasting((duration_s, false), customers, 1.0)
    }

    /// Of a run of an hour.
    fn judge_in(state: RunState, keys: &str, events: &[Event]) -> Verdict {
        let mut facts = facts(state);
        facts.end = facts.start + lastmeter_units::SimDuration::from_seconds(3600);
        let mut check = check("reliability", keys);
        check.begin(&facts);
        for (line, event) in (1..).zip(events) {
            check.event(line, event);
        }
        check.verdict(&facts)
    }

    #[test]
    fn what_has_not_ended_is_a_lower_bound() {
        for (keys, events, expected) in [
            // Not yet sustained: it may become so.
            ("saifi = 0", vec![open(60.0, 2)], Status::Inconclusive),
            ("saidi = \"0 s\"", vec![open(60.0, 2)], Status::Inconclusive),
            ("caidi = \"1 s\"", vec![open(60.0, 2)], Status::Inconclusive),
            ("saifi = 1\nat_least = \"50 %\"", vec![open(60.0, 2)], Status::Inconclusive),
            // Sustained, and it goes on: how often is known, how long is not.
            ("saifi = 0.1", vec![open(600.0, 2)], Status::Fail),
            ("saifi = 0.2", vec![open(600.0, 2)], Status::Pass),
            ("saidi = \"119 s\"", vec![open(600.0, 2)], Status::Fail),
            ("saidi = \"121 s\"", vec![open(600.0, 2)], Status::Inconclusive),
            ("saidi = \"1 h\"\nat_least = \"50 %\"", vec![open(600.0, 2)], Status::Inconclusive),
            ("caidi = \"599 s\"", vec![open(600.0, 2)], Status::Fail),
            ("caidi = \"601 s\"", vec![open(600.0, 2)], Status::Inconclusive),
            // Another one that becomes sustained could bring the mean down to 390 s.
            ("caidi = \"400 s\"", vec![open(600.0, 2), open(9.0, 2)], Status::Inconclusive),
            ("caidi = \"389 s\"", vec![open(600.0, 2), open(9.0, 2)], Status::Fail),
            // All have ended.
            ("saidi = \"119 s\"", vec![interruption(600.0, 2, 1.0)], Status::Fail),
            ("saidi = \"121 s\"", vec![interruption(600.0, 2, 1.0)], Status::Pass),
            ("caidi = \"1 s\"", vec![interruption(60.0, 2, 1.0)], Status::Inconclusive),
            ("caidi = \"1 s\"", vec![], Status::Inconclusive),
            ("saifi = 0", vec![interruption(60.0, 2, 1.0)], Status::Pass),
            // A short one may become sustained, and then is none of these any more.
            ("maifi = 0.1", vec![open(60.0, 2)], Status::Inconclusive),
            ("maifi = 0.1", vec![interruption(60.0, 2, 1.0)], Status::Fail),
            ("maifi = 0.2", vec![interruption(60.0, 2, 1.0), open(600.0, 2)], Status::Pass),
            // Energy is not counted by how long it takes.
            ("energy = \"2 Wh\"", vec![open(60.0, 2)], Status::Pass),
        ] {
            let verdict = judge_in(RunState::Finished, keys, &events);
            assert_eq!(verdict.status, expected, "{keys}: {}", verdict.why);
        }
        let verdict = judge_in(RunState::Finished, "caidi = \"1 s\"", &[]);
        assert!(
            verdict
                .why
                .to_string()
                .ends_with("there was no sustained interruption, so CAIDI has no value")
        );
        assert_eq!(verdict.measured, None);
    }

    #[test]
    fn a_run_shorter_than_a_sustained_interruption_shows_none() {
        let mut facts = facts(RunState::Finished);
        facts.end = facts.start + lastmeter_units::SimDuration::from_seconds(30);
        let judge = |keys: &str| {
            let mut check = check("reliability", keys);
            check.begin(&facts);
            check.event(1, &open(22.0, 2));
            check.verdict(&facts)
        };
        for keys in ["saifi = 0", "saidi = \"0 s\"\nat_least = \"50 %\"", "caidi = \"1 s\""] {
            let verdict = judge(keys);
            assert_eq!(verdict.status, Status::Inconclusive, "{keys}: {}", verdict.why);
            assert!(
                verdict.why.to_string().contains("shorter than `sustained_from`"),
                "{}",
                verdict.why
            );
        }
        assert_eq!(judge("saifi = 0\nsustained_from = \"20 s\"").status, Status::Fail);
    }

    #[test]
    fn of_an_interrupted_run_too_little_is_no_failure() {
        let events = [interruption(600.0, 2, 1.0)];
        for (keys, expected) in [
            ("saidi = \"2 h\"\nat_least = \"5 %\"", Status::Inconclusive),
            ("energy = \"100 Wh\"\nat_least = \"5 %\"", Status::Inconclusive),
            ("saidi = \"1 min\"", Status::Fail),
            ("caidi = \"1 min\"", Status::Inconclusive),
        ] {
            for state in [RunState::Interrupted, RunState::Running] {
                let verdict = judge_in(state, keys, &events);
                assert_eq!(verdict.status, expected, "{keys}: {}", verdict.why);
            }
            let whole = judge_in(RunState::Finished, keys, &events);
            assert_eq!(whole.status, Status::Fail, "{keys}: {}", whole.why);
        }
    }
}
