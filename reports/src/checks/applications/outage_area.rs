//! `outage_area`: which meters applications hold for being without supply, against those that are.

use std::collections::{BTreeMap, BTreeSet};

use lastmeter_params::{Dimension, Entry, Field, Kind, Pattern};
use lastmeter_record::{Event, EventKind, RunFacts, field};
use lastmeter_text::{append, plural};
use lastmeter_units::{SimDuration, SimTime};
use serde_json::Value;

use super::{
    APPLICATION, Concluded, Darkness, Raised, Subject, TIME, meets, report_without, section,
};
use crate::check::kind::{
    Check, CheckContext, CheckKind, JudgedAlerts, RecordTable, Section, finish,
};
use crate::verdict::{At, Reason, Verdict};

/// At none nothing could fail.
const F1: Kind = Kind::Quantity { dimension: Dimension::Ratio, min: 0.01, max: 1.0 };

pub(in crate::checks) const KIND: CheckKind = CheckKind {
    entry: Entry {
        name: "outage_area",
        summary: "applications find who has no supply, in time, and nobody else",
        description: "Each time the plant leaves a meter without supply for at least `within` \
            (`supply_lost` and `supply_returned` in the record), a result of kind `outage` that \
            holds it for being without has to be there once `within` is over: it is found, or \
            missed; once more `within` after each result that gives it up before. A meter that is held for being without at such an instant, when a result is \
            made, at the end, or `back` after its supply is back, is false where it has its supply, \
            once for each outage; so is one that is held in two outages at once. `measured` is F1, \
            twice the found over twice the found with the missed and the false. Each outage that \
            is reported while it lasts has one alert `outage.detected`, and none comes without. One \
            that is reported as planned needs none where an interruption was planned in the plant. \
            Losses of some phases, which leave a meter its supply, are counted and not judged.",
        fields: &[
            APPLICATION,
            Field::default(
                "within",
                TIME,
                "\"35 s\"",
                "how long after the loss it has to be found",
            ),
            Field::default("back", TIME, "\"2 min\"", "how long after its return it may be held"),
            Field::default("f1", F1, "\"95 %\"", "the least F1"),
        ],
    },
    build: |values, context, _| {
        Some(Box::new(OutageArea {
            context,
            application: Pattern::new(values.text("application")),
            within: values.duration("within"),
            back: values.duration("back"),
            least: values.si("f1"),
            dark: Darkness::default(),
            reports: BTreeMap::new(),
            interruptions: Vec::new(),
            raised: Raised::default(),
        }))
    },
    tables: &[RecordTable::Events],
    fits: |values, bench, out| report_without("outage", values, bench, out),
    section: Some(Section { place: 26, make: section::section }),
    ..CheckKind::PLAIN
};

/// What an application held of an outage from an instant on.
struct Version {
    made: SimTime,
    held: BTreeSet<String>,
    is_over: bool,
    is_planned: bool,
}

/// A load had no supply in some or all of its phases.
struct Interrupted {
    load: String,
    from: SimTime,
    until: SimTime,
    is_planned: bool,
}

pub(super) struct OutageArea {
    context: CheckContext,
    application: Pattern,
    pub(super) within: SimDuration,
    /// How long after its supply is back a meter may be held for being without: it has to start,
    /// and to report.
    back: SimDuration,
    least: f64,
    dark: Darkness,
    /// What was held of each outage, in order.
    reports: BTreeMap<Subject, Vec<Version>>,
    interruptions: Vec<Interrupted>,
    raised: Raised,
}

impl Check for OutageArea {
    fn accounts_for_alerts(&self) -> Option<JudgedAlerts> {
        // Last gasps that were lost or false are what it has to cope with.
        let taken = ["supply.failed", "supply.returned"];
        let made = ["outage.detected", "outage.changed", "outage.restored", "result.outage"];
        Some(JudgedAlerts::new(&Pattern::new("*"), taken.into_iter().chain(made)))
    }

    fn event(&mut self, line: u64, event: &Event) {
        self.dark.take(line, event);
        self.raised.take(event, &self.application, ["outage.detected", "outage"]);
        if event.kind == EventKind::Interruption {
            self.interruptions.extend(Interrupted::of(event));
        }
        let result = Concluded::of(event, "outage");
        if let Some(result) = result.filter(|it| self.application.matches(it.application)) {
            let is_planned = result.content("planned").and_then(Value::as_bool) == Some(true);
            let (made, held, is_over) = (result.made, result.held(), result.is_over());
            let version = Version { made, held, is_over, is_planned };
            self.reports.entry(result.key()).or_default().push(version);
        }
    }

    fn verdict(&self, facts: &RunFacts) -> Verdict {
        let tally = self.tally(facts);
        let Tally { found, missed, wrong, at } = tally;
        let n = found + missed;
        let f1 = 2.0 * found as f64 / ((2 * found + missed + wrong).max(1) as f64);
        let odd = self.odd_alerts(facts);
        let reason = match n + wrong + odd {
            0 => Reason::NothingToJudge,
            _ if f1 >= self.least && odd == 0 => Reason::WithinLimit,
            _ => Reason::OutsideLimit,
        };
        let mut why = format!(
            "{found} of {n} losses of supply found {} s later, {missed} missed, {wrong} meters \
             false, {odd} alerts missing or too many",
            self.within.as_seconds_f64()
        );
        let unjudged = self.unjudged(facts).count();
        if unjudged > 0 {
            let interruptions = plural(unjudged as u64, "interruption");
            append(
                &mut why,
                format_args!(
                    "; not judged: {interruptions} of some phases, or of meters without `hold_up`"
                ),
            );
        }
        let verdict = Verdict {
            measured: (n + wrong > 0).then_some(100.0 * f1),
            limit_low: Some(100.0 * self.least),
            n,
            at,
            ..self.context.verdict(reason, "%", why)
        };
        finish(verdict, facts)
    }
}

#[derive(Default)]
struct Tally {
    found: u64,
    missed: u64,
    wrong: u64,
    /// The first that is missed or false.
    at: Option<At>,
}

impl Tally {
    fn note(&mut self, meter: &str, time: SimTime, line: Option<u64>) {
        if self.at.as_ref().is_none_or(|at| at.time.is_none_or(|first| time < first)) {
            let device = Some(meter.to_owned());
            self.at = Some(At { device, time: Some(time), event: line, ..At::default() });
        }
    }
}

impl OutageArea {
    /// What each outage is held to be at an instant.
    fn held_at(&self, at: SimTime) -> impl Iterator<Item = (&Subject, &BTreeSet<String>)> {
        self.reports.iter().filter_map(move |(outage, versions)| {
            let last = versions.iter().rfind(|version| version.made <= at)?;
            Some((outage, &last.held))
        })
    }

    /// Alerts of outages that are missing, and those that are too many.
    fn odd_alerts(&self, facts: &RunFacts) -> u64 {
        self.raised.odd(self.reports.iter().map(|(outage, versions)| {
            // What is over when it is first reported is announced as restored only.
            let mut open = versions.iter().filter(|version| !version.is_over);
            let is_due = open.clone().any(|version| !version.is_planned)
                || open.next().is_some_and(|first| !self.was_planned(first, facts));
            (outage, is_due)
        }))
    }

    /// Whether the plant had planned that one of these meters is without supply then.
    fn was_planned(&self, version: &Version, facts: &RunFacts) -> bool {
        let of_those = facts.devices.iter().filter(|device| version.held.contains(&device.name));
        let mut loads = of_those.filter_map(|device| device.at.strip_prefix("load:"));
        let is_then = |from: SimTime, until: SimTime| {
            from <= version.made && version.made <= until + self.back
        };
        loads.any(|own| {
            let mut planned = self.interruptions.iter().filter(|it| it.is_planned);
            planned.any(|it| it.load == own && is_then(it.from, it.until))
        })
    }

    /// Interruptions of loads with meters of which none lost what it lives on.
    fn unjudged(&self, facts: &RunFacts) -> impl Iterator<Item = &Interrupted> {
        let is_left = move |it: &&Interrupted| {
            let has_lost = |meter: &str| {
                let mut spells = self.dark.0.get(meter).into_iter().flatten();
                spells.any(|(spell, _)| meets(spell, it.from, it.until))
            };
            let is_at_it = |at: &str| at.strip_prefix("load:") == Some(&*it.load);
            let mut meters = facts.devices.iter().filter(|it| is_at_it(&it.at)).peekable();
            meters.peek().is_some() && !meters.any(|meter| has_lost(&meter.name))
        };
        let long = self.interruptions.iter().filter(|it| it.until - it.from >= self.within);
        long.filter(is_left)
    }

    fn is_dark(&self, meter: &str, at: SimTime) -> bool {
        let spells = self.dark.0.get(meter).into_iter().flatten();
        let mut spells = spells.map(|(spell, _)| *spell);
        spells.any(|(lost, back)| lost <= at && back.is_none_or(|back| at <= back + self.back))
    }

    /// When a meter that is without supply has to be held: `within` after the loss, and after each
    /// result by which it is given up; with the line of the loss.
    fn dues(&self, end: SimTime) -> Vec<(&str, SimTime, u64)> {
        let mut dues = Vec::new();
        let given_up = self.given_up();
        for (meter, spells) in &self.dark.0 {
            for ((lost, back), line) in spells {
                let first = *lost + self.within;
                let until = back.unwrap_or(end);
                let again = given_up.get(meter.as_str()).into_iter().flatten();
                let again = again.filter(|at| first < **at && **at < until);
                let instants = std::iter::once(first).chain(again.map(|at| *at + self.within));
                let due = instants.filter(|at| *at <= until);
                dues.extend(due.map(|at| (meter.as_str(), at, *line)));
            }
        }
        dues
    }

    /// When a meter that was held for being without supply was held no longer.
    fn given_up(&self) -> BTreeMap<&str, Vec<SimTime>> {
        let made: BTreeSet<SimTime> = self.made().collect();
        let mut given_up: BTreeMap<&str, Vec<SimTime>> = BTreeMap::new();
        let mut before = BTreeSet::new();
        for at in made {
            let held = self.held_at(at).flat_map(|(_, held)| held).map(String::as_str);
            let held: BTreeSet<&str> = held.collect();
            for meter in before.difference(&held) {
                given_up.entry(meter).or_default().push(at);
            }
            before = held;
        }
        given_up
    }

    /// When results were made.
    fn made(&self) -> impl Iterator<Item = SimTime> {
        self.reports.values().flatten().map(|version| version.made)
    }

    fn tally(&self, facts: &RunFacts) -> Tally {
        let end = facts.end;
        let mut tally = Tally::default();
        let mut instants = BTreeSet::new();
        let returns = self.dark.0.values().flatten().filter_map(|(spell, _)| spell.1);
        instants.extend(returns.map(|back| back + self.back + SimDuration(1)));
        for (meter, at, line) in self.dues(end) {
            instants.insert(at);
            if self.held_at(at).any(|(_, held)| held.contains(meter)) {
                tally.found += 1;
            } else {
                tally.missed += 1;
                tally.note(meter, at, Some(line));
            }
        }
        // Where nothing was lost, what is held is false as well.
        instants.extend(self.made());
        instants.retain(|at| *at <= end);
        instants.insert(end);
        // Who goes on although its load has no supply is without it all the same.
        let unjudged: Vec<&Interrupted> = self.unjudged(facts).collect();
        let loads = facts.devices.iter();
        let loads = loads.filter_map(|it| Some((&*it.name, it.at.strip_prefix("load:")?)));
        let loads: BTreeMap<&str, &str> = loads.collect();
        let is_unjudged = |meter: &str, at: SimTime| {
            let is_then = |it: &&&Interrupted| it.from <= at && at <= it.until + self.back;
            let own = |it: &&Interrupted| loads.get(meter) == Some(&&*it.load);
            unjudged.iter().filter(is_then).any(own)
        };
        let mut wrong: BTreeMap<(&Subject, &str), SimTime> = BTreeMap::new();
        for &at in &instants {
            let mut is_right = BTreeSet::new();
            for (outage, held) in self.held_at(at) {
                for meter in held {
                    let is_dark = self.is_dark(meter, at) || is_unjudged(meter, at);
                    if !(is_dark && is_right.insert(meter)) {
                        wrong.entry((outage, meter)).or_insert(at);
                    }
                }
            }
        }
        tally.wrong = wrong.len() as u64;
        for ((_, meter), at) in wrong {
            tally.note(meter, at, None);
        }
        tally
    }
}

impl Interrupted {
    fn of(event: &Event) -> Option<Self> {
        let lasted = SimDuration::from_seconds_f64(event.get(field::DURATION_S)?.as_f64()?);
        Some(Self {
            load: event.text(field::LOAD)?.to_owned(),
            from: event.time,
            until: event.time + lasted,
            is_planned: event.boolean(field::IS_PLANNED) == Some(true),
        })
    }
}
