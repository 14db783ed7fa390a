//! `no_loss`: each due reading arrived exactly once.

use std::borrow::Borrow;
use std::collections::BTreeMap;

use lastmeter_params::{Code, Diagnostics, Dimension, Entry, Field, Kind, Pattern, Values};

use crate::by_device::ByDevice;
use crate::check::causes::Causes;
use crate::check::kind::{Check, CheckContext, CheckKind, RecordTable, finish};
use crate::check::selection::DEVICE;
use crate::delivery::{Delivery, NAMED_MAX, Place, place_of_stray, sparse, stray};
use crate::verdict::{At, Reason, Verdict, some_of};
use lastmeter_record::{Event, EventKind, Observation, RunFacts, field};
use lastmeter_text::{append, number, plural};

pub(super) const KIND: CheckKind = CheckKind {
    entry: Entry {
        name: "no_loss",
        summary: "each due reading arrived exactly once",
        description: "Every reading that was due has to be stored once, with all its values, and \
            nothing else may be stored: no reading twice or altered, none under a device that is not on the \
            bench, none without a known value, no value under an identifier nobody sent. Readings \
            are distinguished by epoch and serial number, or, of a device whose readings are \
            `scheduled`, by when they were due; a device that sends no serial \
            numbers otherwise, or of which no reading was due, cannot be judged, and the check is \
            inconclusive. `measured` counts what is missing or unexpected, `n` the readings that \
            were due. Of a device that is to fall silent (`silent`) exactly so many readings have \
             to be missing, one after another; more or fewer count as missing or unexpected, and a \
             reading that was handed over to the platform, in part or whole, is lost and not silent, \
             and so is one that was made and did not get through, unless `or_lost` counts these too. \
             A reading that its sender made of fewer usable samples than `usable` is there and shows \
             nothing: it fails the check as well. Where the device, its gateway or the platform \
             reported why a reading did not come, the cause next to the first missing one stands in \
             `why`.",
        fields: &[
            DEVICE,
            Field::default(
                "silent",
                Kind::List(&Kind::Table(SILENT)),
                "[]",
                "devices that are to fall silent, with how many of their readings are missing then",
            ),
            Field::default(
                "usable",
                Kind::Quantity { dimension: Dimension::Ratio, min: 0.0, max: 1.0 },
                "\"95 %\"",
                "the least share of the samples of a reading that could be used, as its sender states it",
            ),
        ],
    },
    build: |values, context, diagnostics| {
        let devices = ByDevice::new(Pattern::new(values.text("device")));
        let silent = read_silent(values, diagnostics)?;
        Some(Box::new(NoLoss {
            context,
            devices,
            silent,
            usable: values.si("usable"),
            strays: NamedReadings::default(),
            sparse: NamedReadings::default(),
            not_answered: NamedReadings::default(),
            causes: Causes::default(),
        }))
    },
    tables: &[RecordTable::Observations, RecordTable::Events],
    takes_thinned: |_| true,
    ..CheckKind::PLAIN
};

const SILENT: &[Field] = &[
    Field::required("device", Kind::Name, "which device"),
    Field::required(
        "readings",
        Kind::Integer { min: 1, max: 1_000_000_000 },
        "how many of its readings are missing",
    ),
    Field::default(
        "or_lost",
        Kind::Boolean,
        "false",
        "whether readings count too that it makes and that do not get through",
    ),
];

/// What has to be missing of a device.
#[derive(Clone, Copy, Debug)]
struct Silence {
    /// So many readings, one after another.
    readings: u64,
    /// Whether lost ones are among them.
    or_lost: bool,
}

/// How many readings have to be missing, by device.
fn read_silent(
    values: &Values,
    diagnostics: &mut Diagnostics,
) -> Option<BTreeMap<String, Silence>> {
    let mut silent = BTreeMap::new();
    let pattern = Pattern::new(values.text("device"));
    for table in values.tables("silent") {
        let device = table.text("device");
        let readings = table.integer("readings") as u64;
        let silence = Silence { readings, or_lost: table.boolean("or_lost") };
        let is_first = silent.insert(device.to_owned(), silence).is_none();
        if !is_first || !pattern.matches(device) {
            let (message, label) = if is_first {
                (format!("the check is not about `{device}`"), "not among its devices")
            } else {
                (format!("`{device}` is silent twice"), "add up their numbers of readings")
            };
            diagnostics.report(Code::DOES_NOT_FIT, table.span, message, label);
            return None;
        }
    }
    Some(silent)
}

struct NoLoss {
    context: CheckContext,
    devices: ByDevice<Delivery>,
    /// What has to be missing of a device.
    silent: BTreeMap<String, Silence>,
    /// The least share of usable samples.
    usable: f64,
    /// What is stored and has no row: foreign readings, those without a known value, and values
    /// under an identifier nobody sent.
    strays: NamedReadings,
    sparse: NamedReadings,
    /// Readings that came and that the meter did not answer so; they have rows as well.
    not_answered: NamedReadings,
    causes: Causes,
}

/// Events of readings: how many, and the first at most [`NAMED_MAX`], with the text of each.
#[derive(Default)]
struct NamedReadings {
    count: u64,
    first: Vec<(At, String)>,
}

impl NamedReadings {
    fn add(&mut self, event: &Event, line: u64, what: &str) {
        self.count += 1;
        if self.first.len() < NAMED_MAX {
            let device = event.text(field::DEVICE).unwrap_or_default();
            let at = place_of_stray(event, line);
            let serial = at.serial.map(|serial| format!(" serial {serial}")).unwrap_or_default();
            self.first.push((at, format!("{device}{serial} ({what}) at {}", event.time)));
        }
    }

    fn push(&self, why: &mut String, what: &str) {
        let named: Vec<&str> = self.first.iter().map(|(_, text)| text.as_str()).collect();
        push_named(why, what, self.count, &named);
    }
}

impl Check for NoLoss {
    fn accounts_for(&self) -> Option<&Pattern> {
        Some(&self.devices.pattern)
    }

    fn observation(&mut self, observation: &Observation<'_>) {
        if let Some(delivery) = self.devices.entry(observation.device) {
            delivery.observation(observation);
        }
    }

    fn event(&mut self, line: u64, event: &Event) {
        self.causes.event(event);
        if !self.devices.pattern.matches(event.text(field::DEVICE).unwrap_or_default()) {
            return;
        }
        if let Some(what) = stray(event) {
            self.strays.add(event, line, &what);
        } else if let Some(share) = sparse(event, self.usable) {
            self.sparse.add(event, line, &format!("{} % usable", number(100.0 * share)));
        } else if event.kind == EventKind::NotAnswered {
            let was_asked = event.text(field::WHAT) != Some("not-asked");
            let what = if was_asked { "answered other values" } else { "was not asked" };
            self.not_answered.add(event, line, what);
        }
    }

    fn verdict(&self, facts: &RunFacts) -> Verdict {
        let mut devices: Vec<(&str, Delivery)> =
            self.devices.iter().map(|(name, delivery)| (name, delivery.closed())).collect();
        let silent = self.take_out_silent(&mut devices, facts.is_finished());
        let sum = |count: fn(&Delivery) -> u64| devices.iter().map(|(_, d)| count(d)).sum::<u64>();
        let (due, missing) = (sum(|d| d.due), sum(|d| d.missing));
        let unexpected_rows = sum(|d| d.unexpected);
        let unexpected = unexpected_rows + self.strays.count;
        let first_missing = first(&devices, |delivery| &delivery.first_missing);
        let first_unexpected = first(&devices, |delivery| &delivery.first_unexpected);
        let without_serial: Vec<&str> =
            devices.iter().filter(|(_, d)| d.without_serial > 0).map(|(name, _)| *name).collect();
        let never_due = self.never_due(facts, &devices);

        let mut why = format!("{} of {due} readings, {unexpected} unexpected", due - missing);
        push_places(&mut why, "missing", missing, &first_missing);
        if let Some((device, place)) = first_missing.first() {
            why.push_str(&self.causes.of(device, place.time, facts));
        }
        // Readings that came although a device was to be silent have no place.
        if !first_unexpected.is_empty() {
            push_places(&mut why, "unexpected", unexpected_rows, &first_unexpected);
        }
        why.push_str(&silent);
        let altered = sum(|d| d.altered);
        if altered > 0 {
            append(&mut why, format_args!("; {altered} stored altered"));
        }
        self.strays.push(&mut why, "also stored");
        let sparse = self.sparse.count;
        if sparse > 0 {
            let least = number(100.0 * self.usable);
            append(&mut why, format_args!("; {sparse} of {due} readings rest on too few samples"));
            self.sparse.push(&mut why, &format!("below {least} %"));
        }
        self.not_answered.push(&mut why, "not what the meter answered");
        for (what, names) in
            [("without serial numbers", &without_serial), ("without a due reading", &never_due)]
        {
            let count = names.len() as u64;
            let what = format!("cannot judge {} {what}", plural(count, "device"));
            push_named(&mut why, &what, count, &names[..names.len().min(NAMED_MAX)]);
        }
        // A reading that was under way when the run ended early is not lost.
        let proven = unexpected + if facts.is_finished() { missing } else { 0 };
        let reason = if proven > unexpected {
            Reason::ReadingsLost
        } else if proven > 0 {
            Reason::ReadingsUnexpected
        } else if sparse > 0 {
            Reason::ReadingsSparse
        } else if due == 0 {
            why = format!("no reading of device {} was due; {why}", self.devices.pattern);
            Reason::NothingToJudge
        } else if !without_serial.is_empty() {
            Reason::Unnumbered
        } else if missing > 0 || !never_due.is_empty() {
            Reason::Incomplete
        } else {
            Reason::WithinLimit
        };
        let place = first_missing.first().or(first_unexpected.first());
        let event = || self.strays.first.first().or(self.sparse.first.first());
        let stray = || event().map(|(at, _)| at.clone());
        let off = missing + unexpected + sparse;
        let verdict = Verdict {
            measured: (due > 0 || off > 0).then_some(off as f64),
            limit: Some(0.0),
            n: due,
            at: place.map(|&(device, place)| place.at(device)).or_else(stray),
            ..self.context.verdict(reason, "1", why)
        };
        finish(verdict, facts)
    }
}

impl NoLoss {
    /// Takes what is missing as it has to be out of the figures, and states it; readings that came
    /// although they had to be missing are unexpected.
    fn take_out_silent(&self, devices: &mut [(&str, Delivery)], is_finished: bool) -> String {
        let mut text = String::new();
        for (name, Silence { readings: expected, or_lost }) in &self.silent {
            let Some((_, delivery)) = devices.iter_mut().find(|(other, _)| other == name) else {
                continue;
            };
            let silent = if *or_lost { delivery.missing } else { delivery.silent };
            append(&mut text, format_args!("; {name} silent for {silent} of {expected}"));
            if delivery.silent_stretches > 1 && !or_lost {
                let stretches = delivery.silent_stretches;
                append(&mut text, format_args!(" in {stretches} stretches, expected one"));
                continue;
            }
            let lost = delivery.missing - silent;
            delivery.missing -= silent.min(*expected);
            // A run that ended early may have ended before it was silent for so long.
            if is_finished {
                if silent < *expected {
                    text.push_str(", the rest did not happen");
                }
                delivery.unexpected += expected.saturating_sub(silent);
            }
            delivery.due -= silent.min(*expected);
            if delivery.missing == lost {
                delivery.first_missing.clone_from(&delivery.first_lost);
            }
        }
        text
    }

    /// The devices of the run this is about of which no reading was due and none came: nothing is
    /// known of them, so nothing may pass for them.
    fn never_due<'a>(&self, facts: &'a RunFacts, devices: &[(&'a str, Delivery)]) -> Vec<&'a str> {
        let is_judged = |name: &str| {
            // They come sorted by name.
            let place = devices.binary_search_by_key(&name, |(known, _)| known);
            place.is_ok_and(|place| devices[place].1.due > 0 || devices[place].1.without_serial > 0)
        };
        let names = facts.devices.iter().map(|device| device.name.as_str());
        names.filter(|name| self.devices.pattern.matches(name) && !is_judged(name)).collect()
    }
}

/// The first places of all devices together, by time.
fn first<'a>(
    devices: &'a [(&'a str, Delivery)],
    places: fn(&Delivery) -> &Vec<Place>,
) -> Vec<(&'a str, Place)> {
    let mut all: Vec<(&str, Place)> = devices
        .iter()
        .flat_map(|(name, delivery)| places(delivery).iter().map(|&place| (*name, place)))
        .collect();
    all.sort_by_key(|(name, place)| (place.time, *name, place.serial));
    all.truncate(NAMED_MAX);
    all
}

fn push_places(why: &mut String, what: &str, count: u64, first: &[(&str, Place)]) {
    let named: Vec<String> = first
        .iter()
        .map(|(device, place)| match (place.serial, place.without) {
            (Some(serial), None) => format!("{device} serial {serial} at {}", place.time),
            (None, None) => format!("{device} at {}, never made or without a number", place.time),
            (Some(serial), Some(value)) => {
                format!("{device} serial {serial} at {} without {}", place.time, value.name())
            }
            (None, Some(value)) => format!("{device} at {} without {}", place.time, value.name()),
        })
        .collect();
    push_named(why, what, count, &named);
}

/// `; what: first, second and 7 more`; nothing if there is none.
fn push_named(why: &mut String, what: &str, count: u64, first: &[impl Borrow<str>]) {
    if count == 0 {
        return;
    }
    append(why, format_args!("; {what}: {}", some_of(first, count as usize)));
}

#[cfg(test)]
#[path = "no_loss_tests.rs"]
mod tests;
