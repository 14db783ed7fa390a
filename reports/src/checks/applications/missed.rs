//! What the plant did and no application concluded: outages that none found, and faults of lines
//! that none located.

use std::collections::{BTreeMap, BTreeSet};

use lastmeter_params::{Dimension, NodeValue, Table, parse_quantity};
use lastmeter_record::{Event, EventKind, field};
use lastmeter_units::{SimDuration, SimTime};
use serde_json::Value;

use super::{Concluded, Darkness, Spell};
use crate::render::pictures::tables;

/// Losses of supply after which no outage named the meter, as far as they overlap.
pub(super) struct MissedOutage {
    pub(super) since: SimTime,
    /// When most of its meters were without supply at once.
    pub(super) widest: SimTime,
    pub(super) meters: BTreeSet<String>,
}

/// A fault of a line.
pub(super) struct LineFault {
    pub(super) at: SimTime,
    pub(super) line: String,
    /// From the line's first end: metres, or a share of its length.
    pub(super) along_m: Option<f64>,
    pub(super) share: f64,
    pub(super) conductors: String,
    is_located: bool,
}

/// Of each meter the outages that named it: since when, and when that was concluded.
pub(super) struct Missed<'a> {
    named: BTreeMap<String, Vec<(SimTime, SimTime)>>,
    /// The faults of lines that the scenario plans, and when.
    planned: Vec<(SimTime, &'a Table)>,
    faults: Vec<LineFault>,
}

const LINE_FAULT: &str = "line-fault";

/// How much later than planned a fault begins at most: by the bench's jitter in real time.
const LATE: SimDuration = SimDuration::from_seconds(1);

impl<'a> Missed<'a> {
    pub(super) fn new(start: SimTime, document: &'a Table) -> Self {
        let faults = tables(document, "inject").filter(|it| it.text("kind") == Some(LINE_FAULT));
        let planned = faults.filter_map(|it| {
            let (at_s, _) = parse_quantity(it.text("at")?, &[Dimension::Time]).ok()?;
            Some((start + SimDuration::from_seconds_f64(at_s), it))
        });
        Self { named: BTreeMap::new(), planned: planned.collect(), faults: Vec::new() }
    }

    pub(super) fn take(&mut self, event: &Event) {
        self.faults.extend(LineFault::of(event, &self.planned));
        if let Some(result) = Concluded::of(event, "outage") {
            let from = result.from().unwrap_or(result.made);
            for meter in result.texts("expected") {
                self.named.entry(meter.to_owned()).or_default().push((from, result.made));
            }
        }
        let result = Concluded::of(event, "fault");
        let has_place = |it: &Concluded<'_>| {
            it.content("candidates").is_some_and(|candidates| candidates.get(0).is_some())
        };
        let at = result.filter(has_place).and_then(|it| it.truth("at").and_then(Value::as_str));
        if let Some(at) = at.and_then(|text| text.parse::<SimTime>().ok()) {
            let near = |it: &&mut LineFault| SimDuration((it.at - at).0.abs()) <= LATE;
            self.faults.iter_mut().filter(near).for_each(|it| it.is_located = true);
        }
    }

    /// The faults that were not located.
    pub(super) fn faults(&self) -> impl Iterator<Item = &LineFault> {
        self.faults.iter().filter(|fault| !fault.is_located)
    }

    /// The outages of which nobody named a meter, of losses that lasted at least so long.
    pub(super) fn outages(
        &self,
        dark: &Darkness,
        (least, end): (SimDuration, SimTime),
    ) -> Vec<MissedOutage> {
        let mut losses: Vec<(SimTime, SimTime, &str)> = Vec::new();
        for (meter, spells) in &dark.0 {
            let own = spells.iter().map(|(spell, _)| *spell);
            let left = own.filter(|spell| !self.is_named(meter, spell));
            let left = left.map(|(lost, back)| (lost, back.unwrap_or(end)));
            let long = left.filter(|(lost, back)| *back - *lost >= least);
            losses.extend(long.map(|(lost, back)| (lost, back, meter.as_str())));
        }
        losses.sort_unstable();
        together(&losses)
    }

    fn is_named(&self, meter: &str, (lost, back): &Spell) -> bool {
        let mut named = self.named.get(meter).into_iter().flatten();
        named.any(|(from, made)| *made >= *lost && back.is_none_or(|back| *from <= back))
    }
}

/// Losses in order of time, those together that overlap.
fn together(losses: &[(SimTime, SimTime, &str)]) -> Vec<MissedOutage> {
    let mut all: Vec<MissedOutage> = Vec::new();
    let mut until = SimTime(i64::MIN);
    for &(since, back, meter) in losses {
        if let Some(last) = all.last_mut().filter(|_| since <= until) {
            last.meters.insert(meter.to_owned());
        } else {
            let meters = BTreeSet::from([meter.to_owned()]);
            all.push(MissedOutage { since, widest: since, meters });
        }
        until = until.max(back);
        let dark = |at: SimTime| losses.iter().filter(|it| it.0 <= at && at < it.1).count();
        if let Some(last) = all.last_mut().filter(|last| dark(since) > dark(last.widest)) {
            last.widest = since;
        }
    }
    all
}

impl LineFault {
    /// Of a fault that was injected, as the scenario plans it: the event has its line only. What is
    /// left out there has its default.
    fn of(event: &Event, planned: &[(SimTime, &Table)]) -> Option<Self> {
        if event.kind != EventKind::Inject || event.text(field::INJECT) != Some(LINE_FAULT) {
            return None;
        }
        let into = event.text(field::INTO)?;
        let own = planned.iter().filter(|(_, table)| table.text("into") == Some(into));
        let (_, table) = own.min_by_key(|(at, _)| (event.time - *at).0.abs())?;
        let number = |key: &str| match table.get(key)?.value {
            NodeValue::Integer(number) => Some(number as f64),
            NodeValue::Float(number) => Some(number),
            _ => None,
        };
        let position = table.text("position").map(|text| parse_quantity(text, &[Dimension::Ratio]));
        let position = position.and_then(Result::ok).map(|(share, _)| share);
        let earth = table.get("earth").map(|node| &node.value);
        let earth = if earth == Some(&NodeValue::Boolean(false)) { "" } else { "G" };
        Some(Self {
            at: event.time,
            line: into.strip_prefix("line:")?.to_owned(),
            along_m: number("distance_m"),
            share: position.or_else(|| number("position")).unwrap_or(0.5),
            conductors: table.text("phases").unwrap_or("a").to_uppercase() + earth,
            is_located: false,
        })
    }

    /// Its place in words.
    pub(super) fn text(&self) -> String {
        match self.along_m {
            Some(metres) => format!("{}, {metres:.0} m along it", self.line),
            None => format!("{}, at {:.0} % of its length", self.line, 100.0 * self.share),
        }
    }
}

/// Whether a scenario has an application of a kind.
pub(super) fn has_application(document: &Table, kind: &str) -> bool {
    tables(document, "application").any(|it| it.text("kind") == Some(kind))
}
