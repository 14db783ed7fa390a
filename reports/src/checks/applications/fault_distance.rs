//! `fault_distance`: where applications locate faults of lines, against where those are.

use std::collections::BTreeSet;

use lastmeter_params::{Entry, Field, Kind, Pattern};
use lastmeter_record::{Event, EventKind, RunFacts, field};
use lastmeter_text::{append, plural};
use lastmeter_units::{SimDuration, SimTime};
use serde_json::Value;

use super::{APPLICATION, Concluded, Raised, SHARE, Subject, TIME, report_without};
use crate::check::kind::{Check, CheckContext, CheckKind, JudgedAlerts, RecordTable, finish};
use crate::verdict::{At, Reason, Verdict};

const METRES: Kind = Kind::Integer { min: 1, max: 1_000_000 };

pub(in crate::checks) const KIND: CheckKind = CheckKind {
    entry: Entry {
        name: "fault_distance",
        summary: "applications locate each fault of a line, in time and near enough",
        description: "Each `line-fault` has to be located by a result of kind `fault` that is made \
            within `soon`, with the conductors that are shorted. `measured` is the mean distance \
            along the lines from the first candidate to the true place, metres, at most `mean_m`; \
            and in a share `found` of the faults the true place is within `near_m` of one of the \
            candidates. A fault that is switched on again while it lasts, as by a recloser, may be \
            located each time, and each of these is judged. A result without a fault, or a second \
            one of the same instant, fails; so does one without its alert `fault.located`, or such \
            an alert without a result. What comes of faults at nodes is not judged. Where the \
            faults of a `storm` are, the record does not state, so with one nothing is judged.",
        fields: &[
            APPLICATION,
            Field::required("mean_m", METRES, "the largest mean of the first candidates, metres"),
            Field::required("near_m", METRES, "how near one of the candidates has to be, metres"),
            Field::default("found", SHARE, "\"98 %\"", "in what share of the faults that is so"),
            Field::default("soon", TIME, "\"5 s\"", "how soon after the fault the result is made"),
        ],
    },
    build: |values, context, _| {
        let metres = |key: &str| values.integer_opt(key).map_or(0.0, |metres| metres as f64);
        Some(Box::new(FaultDistance {
            context,
            application: Pattern::new(values.text("application")),
            mean_m: metres("mean_m"),
            near_m: metres("near_m"),
            found: values.si("found"),
            soon: values.duration("soon"),
            faults: Vec::new(),
            has_storm: false,
            at_nodes: Vec::new(),
            unlocated: None,
            recorded: Vec::new(),
            strays: 0,
            results: BTreeSet::new(),
            raised: Raised::default(),
            first_wrong: None,
        }))
    },
    tables: &[RecordTable::Events],
    fits: |values, bench, out| report_without("fault-location", values, bench, out),
    ..CheckKind::PLAIN
};

/// How much later than planned a fault begins at most: by the bench's jitter in real time.
const LATE: SimDuration = SimDuration::from_seconds(1);

/// A fault that has to be located.
struct Fault {
    at: SimTime,
    line: u64,
    located: Option<Located>,
}

struct Located {
    made: SimTime,
    /// From each candidate to the true place, metres.
    deviations_m: Vec<f64>,
    has_right_loop: bool,
}

struct FaultDistance {
    context: CheckContext,
    application: Pattern,
    mean_m: f64,
    near_m: f64,
    found: f64,
    soon: SimDuration,
    faults: Vec<Fault>,
    /// Whether faults came of which nobody states where they are.
    has_storm: bool,
    /// Faults at nodes, which are not judged, by when they began.
    at_nodes: Vec<SimTime>,
    /// Why the first result that has no place has none.
    unlocated: Option<String>,
    /// When recorders announced a block.
    recorded: Vec<SimTime>,
    /// Results that no fault gave cause for.
    strays: u64,
    /// What was located, which needs its alert.
    results: BTreeSet<Subject>,
    raised: Raised,
    first_wrong: Option<At>,
}

impl Check for FaultDistance {
    fn accounts_for_alerts(&self) -> Option<JudgedAlerts> {
        // What meters report is what candidates are ranked by.
        let taken = ["supply.failed", "supply.returned", "fault.recorded"];
        let made = ["fault.located", "result.fault"];
        Some(JudgedAlerts::new(&Pattern::new("*"), taken.into_iter().chain(made)))
    }

    fn event(&mut self, line: u64, event: &Event) {
        let injected = (event.kind == EventKind::Inject).then(|| event.text(field::INJECT));
        match injected.flatten() {
            Some("line-fault") => {
                self.faults.push(Fault { at: event.time, line, located: None });
            }
            Some("node-fault") => self.at_nodes.push(event.time),
            Some("storm") => self.has_storm = true,
            _ => {}
        }
        if event.kind == EventKind::Alert && event.text(field::TYPE) == Some("fault.recorded") {
            self.recorded.push(event.time);
        }
        self.raised.take(event, &self.application, ["fault.located", "fault"]);
        let result = Concluded::of(event, "fault");
        let Some(result) = result.filter(|it| self.application.matches(it.application)) else {
            return;
        };
        if result.content("candidates").is_some_and(|it| it.get(0).is_some()) {
            self.results.insert(result.key());
        }
        if self.unlocated.is_none() {
            self.unlocated = result.content("reason").and_then(Value::as_str).map(str::to_owned);
        }
        if !self.takes(&result, line) {
            self.strays += 1;
            let at = At::of_device(result.application, result.made, line);
            self.first_wrong.get_or_insert(at);
        }
    }

    fn verdict(&self, facts: &RunFacts) -> Verdict {
        let is_over = |fault: &&Fault| fault.at + self.soon <= facts.end;
        let due: Vec<&Fault> = self.faults.iter().filter(is_over).collect();
        let located: Vec<&Located> = due.iter().filter_map(|it| self.located(it)).collect();
        let firsts = located.iter().filter_map(|it| it.deviations_m.first());
        let n = due.len();
        let mean_m = firsts.sum::<f64>() / located.len().max(1) as f64;
        let is_near = |it: &&&Located| it.deviations_m.iter().any(|m| *m <= self.near_m);
        let near = located.iter().filter(is_near).count();
        let is_found = near as f64 >= self.found * n as f64;
        let missed = n - located.len();
        let odd = self.raised.odd(self.results.iter().map(|fault| (fault, true)));
        let reason = match n {
            _ if self.has_storm => Reason::ShowsNothing,
            0 if self.strays + odd == 0 => Reason::NothingToJudge,
            _ if missed == 0 && is_found && mean_m <= self.mean_m && self.strays + odd == 0 => {
                Reason::WithinLimit
            }
            _ => Reason::OutsideLimit,
        };
        let firsts = match located.len() {
            0 => String::new(),
            _ => format!(" their first candidates {mean_m:.0} m away in the mean,"),
        };
        let why = format!(
            "{} of {n} faults located in time with the right conductors,{firsts} {near} with a \
             candidate within {} m, {} results without a fault, {odd} alerts missing or too many{}",
            located.len(),
            self.near_m,
            self.strays,
            self.remarks(&due)
        );
        let missed = due.iter().find(|fault| self.located(fault).is_none());
        let missed =
            missed.map(|it| At { time: Some(it.at), event: Some(it.line), ..At::default() });
        let verdict = Verdict {
            measured: (!located.is_empty()).then_some(mean_m),
            limit: Some(self.mean_m),
            n: n as u64,
            at: missed.or_else(|| self.first_wrong.clone()),
            ..self.context.verdict(reason, "m", why)
        };
        finish(verdict, facts)
    }
}

impl FaultDistance {
    /// Takes a result, if it is the first about a fault at a time; or of a fault at a node.
    fn takes(&mut self, result: &Concluded<'_>, line: u64) -> bool {
        let is_near = |at: SimTime, of: SimTime| SimDuration((at - of).0.abs()) <= LATE;
        let from = result.from().unwrap_or(result.made);
        let begun = result.truth("at").and_then(Value::as_str).and_then(|it| it.parse().ok());
        let Some(begun) = begun else { return self.at_nodes.iter().any(|at| is_near(*at, from)) };
        // One that is located while it lasts is a fault of that instant.
        let is_again = !is_near(from, begun);
        let at = if is_again { from } else { begun };
        let apart = |fault: &Fault| SimDuration((fault.at - at).0.abs());
        let of_then = self.faults.iter_mut().filter(|fault| is_near(fault.at, at));
        let own = of_then.min_by_key(|fault| apart(fault));
        let located = Some(Located::of(result));
        match own {
            Some(fault) if fault.located.is_none() => fault.located = located,
            None if is_again => self.faults.push(Fault { at, line, located }),
            _ => return false,
        }
        true
    }

    /// What explains the counts: faults without a block, and others that are not judged.
    fn remarks(&self, due: &[&Fault]) -> String {
        let mut remarks = String::new();
        let has_block = |fault: &Fault| {
            let (from, until) = (fault.at - LATE, fault.at + self.soon);
            self.recorded.iter().any(|at| from <= *at && *at <= until)
        };
        let silent = due.iter().filter(|fault| fault.located.is_none() && !has_block(fault));
        let silent = silent.count();
        if silent > 0 {
            append(&mut remarks, format_args!(", no block of a recorder in time of {silent}"));
        }
        if let Some(why) = &self.unlocated {
            append(&mut remarks, format_args!(", a result without a place: {why}"));
        }
        if !self.at_nodes.is_empty() {
            let faults = plural(self.at_nodes.len() as u64, "fault");
            append(&mut remarks, format_args!(", {faults} at nodes not judged"));
        }
        if self.has_storm {
            remarks.push_str(", and a storm made others at unknown places");
        }
        remarks
    }

    /// How a fault is located, if that came in time and is of its conductors.
    fn located<'a>(&self, fault: &'a Fault) -> Option<&'a Located> {
        let located = fault.located.as_ref()?;
        let is_in_time = located.made <= fault.at + self.soon;
        let has_candidates = !located.deviations_m.is_empty();
        (is_in_time && has_candidates && located.has_right_loop).then_some(located)
    }
}

impl Located {
    fn of(result: &Concluded<'_>) -> Self {
        let text = |value: Option<&Value>| value.and_then(Value::as_str).map(str::to_uppercase);
        let to_earth = result.truth("earth").and_then(Value::as_bool) == Some(true);
        let phases = text(result.truth("phases")).unwrap_or_default();
        // Three conductors with each other are the same to earth as without.
        let earth = if to_earth && phases.len() < 3 { "G" } else { "" };
        let stated = text(result.content("loop")).unwrap_or_default();
        Self {
            made: result.made,
            deviations_m: result.deviations_m(),
            has_right_loop: stated == format!("{phases}{earth}")
                || stated == format!("{phases}G") && phases.len() == 3,
        }
    }
}
