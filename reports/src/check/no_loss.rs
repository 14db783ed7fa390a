//! `no_loss`: each due reading arrived exactly once.

use std::borrow::Borrow;
use std::collections::BTreeMap;

use lastmeter_params::{Code, Diagnostics, Dimension, Entry, Field, Kind, Pattern, Values};

use super::causes::Causes;
use super::delivery::{Delivery, NAMED_MAX, Place, place_of_stray, sparse, stray};
use super::kind::{Check, CheckContext, CheckKind, RecordTable, finish};
use super::select::ByDevice;
use crate::check::selection::DEVICE;
use crate::verdict::{At, Reason, Verdict, some_of};
use lastmeter_record::{Event, EventKind, Observation, RunFacts, field};
use lastmeter_text::{append, number, plural};

/// The registry's row.
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
             reading that was handed over to the platform, in part or whole, is lost and not silent. \
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
            strays: Named::default(),
            sparse: Named::default(),
            not_answered: Named::default(),
            causes: Causes::default(),
        }))
    },
    tables: &[RecordTable::Observations, RecordTable::Events],
    ..CheckKind::PLAIN
};

const SILENT: &[Field] = &[
    Field::required("device", Kind::Name, "which device"),
    Field::required(
        "readings",
        Kind::Integer { min: 1, max: 1_000_000_000 },
        "how many of its readings are missing",
    ),
];

/// How many readings have to be missing, by device.
fn read_silent(values: &Values, diagnostics: &mut Diagnostics) -> Option<BTreeMap<String, u64>> {
    let mut silent = BTreeMap::new();
    let pattern = Pattern::new(values.text("device"));
    for table in values.tables("silent") {
        let device = table.text("device");
        let readings = table.integer("readings") as u64;
        let is_first = silent.insert(device.to_owned(), readings).is_none();
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
    /// How many readings of a device have to be missing, one after another.
    silent: BTreeMap<String, u64>,
    /// The least share of usable samples.
    usable: f64,
    /// What is stored and has no row: foreign readings, those without a known value, and values
    /// under an identifier nobody sent.
    strays: Named,
    /// Readings on too few samples.
    sparse: Named,
    /// Readings that came and that the meter did not answer so; they have rows as well.
    not_answered: Named,
    causes: Causes,
}

/// Events of readings: how many, and the first at most [`NAMED_MAX`], with what to say of each.
#[derive(Default)]
struct Named {
    count: u64,
    first: Vec<(At, String)>,
}

impl Named {
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
        Some(self.devices.pattern())
    }

    fn observation(&mut self, observation: &Observation<'_>) {
        if let Some(delivery) = self.devices.entry(observation.device) {
            delivery.observation(observation);
        }
    }

    fn event(&mut self, line: u64, event: &Event) {
        self.causes.event(event);
        if !self.devices.pattern().matches(event.text(field::DEVICE).unwrap_or_default()) {
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
            why = format!("no reading of device {} was due; {why}", self.devices.pattern());
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
    /// Takes what is missing as it has to be out of the figures, and says so; readings that came
    /// although they had to be missing are unexpected.
    fn take_out_silent(&self, devices: &mut [(&str, Delivery)], is_finished: bool) -> String {
        let mut told = String::new();
        for (name, expected) in &self.silent {
            let Some((_, delivery)) = devices.iter_mut().find(|(other, _)| other == name) else {
                continue;
            };
            let silent = delivery.silent;
            append(&mut told, format_args!("; {name} silent for {silent} of {expected}"));
            if delivery.silent_stretches > 1 {
                let stretches = delivery.silent_stretches;
                append(&mut told, format_args!(" in {stretches} stretches, expected one"));
                continue;
            }
            let lost = delivery.missing - silent;
            delivery.missing -= silent.min(*expected);
            // A run that ended early may have ended before it was silent for so long.
            if is_finished {
                if silent < *expected {
                    told.push_str(", the rest did not happen");
                }
                delivery.unexpected += expected.saturating_sub(silent);
            }
            delivery.due -= silent.min(*expected);
            if delivery.missing == lost {
                delivery.first_missing.clone_from(&delivery.first_lost);
            }
        }
        told
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
        names.filter(|name| self.devices.pattern().matches(name) && !is_judged(name)).collect()
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
mod tests {
    use super::super::testing::{at, check, facts, row};
    use super::*;
    use lastmeter_record::Status;
    use lastmeter_record::{DeviceFacts, Evidence, RecordedSpan, RunState};
    use lastmeter_units::SimDuration;

    const U: &str = "electricity.voltage.rms.l1";

    #[test]
    fn a_device_that_is_to_fall_silent_misses_exactly_so_many_in_one_stretch() {
        let judge = |missing: &[u64], expected: u64| {
            let keys = format!("silent = [{{ device = \"m\", readings = {expected} }}]");
            let mut check = check("no_loss", &keys);
            for number in 1..=6 {
                let reported = (!missing.contains(&number)).then_some(230.0);
                let row = row("m", number, U, Some(230.0), reported);
                // What the device never made has no number.
                let serial = reported.and(row.serial);
                check.observation(&Observation { serial, epoch: serial.and(row.epoch), ..row });
            }
            check.verdict(&facts(RunState::Finished))
        };
        let good = judge(&[3, 4, 5], 3);
        assert_eq!((good.status, good.measured, good.n), (Status::Pass, Some(0.0), 3));
        assert!(good.why.to_string().contains("m silent for 3 of 3"), "{}", good.why);
        for (missing, wrong) in
            [(&[4, 5, 6][..], 2), (&[2, 3][..], 3), (&[][..], 1), (&[2, 4, 5][..], 3)]
        {
            let verdict = judge(missing, wrong);
            assert_eq!(verdict.status, Status::Fail, "{missing:?}: {}", verdict.why);
        }
    }
    /// What was handed over and is not there is lost: as many losses do not make a silence, and a
    /// silence does not excuse them.
    #[test]
    fn a_reading_that_was_handed_over_is_lost_and_never_silent() {
        let judge = |never_made: &[u64], lost: &[u64], in_part: &[u64]| {
            let mut check = check("no_loss", "silent = [{ device = \"m\", readings = 3 }]");
            for number in 1..=8 {
                let is_there = !never_made.contains(&number) && !lost.contains(&number);
                for (quantity, is_left_out) in [(U, false), (F, in_part.contains(&number))] {
                    let reported = (is_there && !is_left_out).then_some(1.0);
                    let row = row("m", number, quantity, Some(1.0), reported);
                    let is_numbered = !never_made.contains(&number) && !in_part.contains(&number);
                    let serial = row.serial.filter(|_| is_numbered);
                    let zero = SimDuration::ZERO;
                    let span = RecordedSpan { from: zero, to: zero, spread: 0.0, way: "direct" };
                    let epoch = serial.and(row.epoch);
                    check.observation(&Observation { serial, epoch, span: Some(span), ..row });
                }
            }
            check.verdict(&facts(RunState::Finished))
        };
        assert_eq!(judge(&[4, 5, 6], &[], &[]).status, Status::Pass);
        for (never_made, lost, in_part, off, told) in [
            (&[][..], &[4, 5, 6][..], &[][..], 6.0, "missing: m serial 4 "),
            (&[4, 5], &[6], &[], 2.0, "missing: m serial 6 at"),
            (&[4, 5, 6], &[8], &[], 1.0, "missing: m serial 8 at"),
            (&[4, 5], &[], &[6], 2.0, "without electricity.frequency"),
        ] {
            let verdict = judge(never_made, lost, in_part);
            assert_eq!((verdict.status, verdict.measured), (Status::Fail, Some(off)), "{lost:?}");
            assert!(verdict.why.to_string().contains(told), "{}", verdict.why);
        }
    }

    #[test]
    fn the_cause_of_a_missing_reading_stands_in_the_verdict() {
        let mut check = check("no_loss", "");
        check.observation(&row("m", 1, U, Some(230.0), Some(230.0)));
        check.observation(&row("m", 2, U, Some(230.0), None));
        let note = |seconds, what, detail| Event::device(at(seconds), "m", what, detail);
        check.event(1, &note(5, "board_retried", "noise"));
        check.event(2, &note(20, "reading_left_out", "board m: checksum 3F, expected 40"));
        let told = check.verdict(&facts(RunState::Finished)).why.to_string();
        assert!(told.contains("08:00:20.000Z; m: board m: checksum 3F, expected 40"), "{told}");
    }

    const F: &str = "electricity.frequency";

    fn judge(rows: &[Observation<'_>], state: RunState) -> Verdict {
        let mut check = check("no_loss", "");
        for row in rows {
            check.observation(row);
        }
        check.verdict(&facts(state))
    }

    fn good(device: &str, serial: u64) -> [Observation<'_>; 2] {
        [
            row(device, serial, U, Some(230.0), Some(230.0)),
            row(device, serial, F, Some(50.0), Some(50.0)),
        ]
    }

    #[test]
    fn each_reading_once_is_a_pass_also_when_devices_alternate() {
        let rows: Vec<_> = (1..=5)
            .flat_map(|serial| good("a", serial).into_iter().chain(good("b", serial)))
            .collect();
        let verdict = judge(&rows, RunState::Finished);
        assert_eq!((verdict.status, verdict.n, verdict.measured), (Status::Pass, 10, Some(0.0)));
        assert_eq!(verdict.why.to_string(), "10 of 10 readings, 0 unexpected");
    }

    #[test]
    fn a_reading_of_which_one_value_is_missing_fails_by_name() {
        let mut rows = [good("m", 1), good("m", 2), good("m", 3)].concat();
        rows[3].reported = None;
        let verdict = judge(&rows, RunState::Finished);
        assert_eq!((verdict.status, verdict.n, verdict.measured), (Status::Fail, 3, Some(1.0)));
        assert_eq!(verdict.limit, Some(0.0));
        let place = verdict.at.as_ref().unwrap();
        assert_eq!((place.device.as_deref(), place.time), (Some("m"), Some(at(20))));
        assert_eq!((place.epoch, place.serial), (Some(1), Some(2)));
        assert!(verdict.why.to_string().contains("2 of 3 readings"), "{}", verdict.why);
        assert!(
            verdict.why.to_string().contains("missing: m serial 2 at 2027-01-15T08:00:20"),
            "{}",
            verdict.why
        );
    }

    #[test]
    fn the_same_reading_under_a_fresh_serial_fails() {
        let mut rows = [good("m", 1), good("m", 2), good("m", 3)].concat();
        for row in &mut rows[4..] {
            row.reference = None;
        }
        let verdict = judge(&rows, RunState::Finished);
        assert_eq!((verdict.status, verdict.n, verdict.measured), (Status::Fail, 2, Some(1.0)));
        assert!(verdict.why.to_string().contains("unexpected: m serial 3"), "{}", verdict.why);
    }

    #[test]
    fn a_reading_stored_twice_fails_though_it_was_due_once() {
        let mut twice = good("m", 1).to_vec();
        twice.extend(good("m", 1).map(|row| Observation { reference: None, ..row }));
        twice.sort_by_key(|row| row.quantity);
        let verdict = judge(&twice, RunState::Finished);
        assert_eq!((verdict.status, verdict.n, verdict.measured), (Status::Fail, 1, Some(1.0)));
    }

    #[test]
    fn a_device_without_serials_is_not_judged() {
        let mut rows = good("m", 1).to_vec();
        rows.extend(good("x", 1).map(|row| Observation { serial: None, epoch: None, ..row }));
        let verdict = judge(&rows, RunState::Finished);
        assert_eq!((verdict.status, verdict.n), (Status::Inconclusive, 1));
        assert!(
            verdict.why.to_string().contains("cannot judge 1 device without serial numbers: x"),
            "{}",
            verdict.why
        );
    }

    /// Of a device with declared spans the bench has joined each by when it was due.
    #[test]
    fn a_device_that_is_known_by_its_schedule_is_judged_without_serials() {
        let (from, to) = (SimDuration(0), SimDuration(1));
        let span = Some(RecordedSpan { from, to, spread: 0.0, way: "direct" });
        let joined = |row| Observation { serial: None, epoch: None, span, ..row };
        let mut rows: Vec<_> = (1..=3).flat_map(|serial| good("x", serial).map(joined)).collect();
        let verdict = judge(&rows, RunState::Finished);
        assert_eq!((verdict.status, verdict.n, verdict.measured), (Status::Pass, 3, Some(0.0)));
        for row in &mut rows[2..4] {
            (row.reported, row.span) = (None, None);
        }
        let verdict = judge(&rows, RunState::Finished);
        assert_eq!((verdict.status, verdict.n, verdict.measured), (Status::Fail, 3, Some(1.0)));
    }

    #[test]
    fn a_reading_the_device_never_made_is_missing_at_its_instant() {
        let mut rows = good("m", 1).to_vec();
        for serial in [2, 3] {
            let never = |row: Observation<'static>| Observation {
                serial: None,
                epoch: None,
                reported: None,
                ..row
            };
            rows.extend(good("m", serial).map(never));
        }
        let verdict = judge(&rows, RunState::Finished);
        assert_eq!((verdict.status, verdict.n, verdict.measured), (Status::Fail, 3, Some(2.0)));
        assert!(verdict.why.to_string().contains("never made"), "{}", verdict.why);
    }

    fn stray(kind: &str, device: &str, serial: Option<u64>) -> Event {
        let event = Event::new(at(35), "platform", kind).with("device", device);
        match serial {
            Some(serial) => event.with(field::EPOCH, 1).with("serial", serial),
            None => event,
        }
    }

    #[test]
    fn a_stored_reading_that_is_no_row_is_unexpected_and_named() {
        let foreign = stray("foreign_reading", "ghost", None);
        let valueless = stray("valueless_reading", "m", Some(7));
        let told_foreign = "ghost (not on the bench) at 2027-01-15T08:00:35";
        let told_valueless = "m serial 7 (no known value) at 2027-01-15T08:00:35";
        for (toml, unexpected, told, place) in [
            ("", 2, vec![told_foreign, told_valueless], Some(("ghost", None, 2))),
            ("device = \"gh*\"", 1, vec![told_foreign], Some(("ghost", None, 2))),
            ("device = \"m\"", 1, vec![told_valueless], Some(("m", Some(7), 3))),
            ("device = \"other\"", 0, vec![], None),
        ] {
            let mut check = check("no_loss", toml);
            let events = [Event::note(at(0), "x"), foreign.clone(), valueless.clone()];
            for (line, event) in (1..).zip(&events) {
                check.event(line, event);
            }
            for row in &good("m", 1) {
                check.observation(row);
            }
            // What was seen and is wrong stays so, however the run ended.
            for state in [RunState::Finished, RunState::Interrupted] {
                let verdict = check.verdict(&facts(state));
                let is_fail = verdict.status == Status::Fail;
                assert_eq!(is_fail, unexpected > 0, "{toml}: {}", verdict.why);
                for told in &told {
                    assert!(verdict.why.to_string().contains(told), "{} lacks {told}", verdict.why);
                }
                assert!(verdict.why.to_string().contains(&format!("{unexpected} unexpected")));
                let found = verdict.at.as_ref();
                let found = found.map(|at| (at.device.as_deref().unwrap(), at.serial, at.event));
                assert_eq!(found, place.map(|(device, serial, line)| (device, serial, Some(line))));
                let measured = (unexpected > 0 || verdict.n > 0).then_some(f64::from(unexpected));
                assert_eq!(verdict.measured, measured);
            }
        }
    }

    #[test]
    fn a_value_under_an_identifier_nobody_sent_is_unexpected_and_named() {
        let mut check = check("no_loss", "");
        check.event(4, &stray("unknown_value", "m", Some(1)).with("name", "electricity.luck"));
        for row in &good("m", 1) {
            check.observation(row);
        }
        let verdict = check.verdict(&facts(RunState::Finished));
        assert_eq!((verdict.status, verdict.measured), (Status::Fail, Some(1.0)));
        let told = "m serial 1 (nobody sent its `electricity.luck`) at 2027-01-15T08:00:35";
        assert!(verdict.why.to_string().contains(told), "{}", verdict.why);
        assert_eq!(verdict.at.unwrap().event, Some(4));
    }

    #[test]
    fn a_reading_on_too_few_samples_is_no_reading() {
        let share = |serial, usable: f64| {
            let event = stray("reading_share", "m", Some(serial));
            event.with(field::USABLE, usable)
        };
        for (toml, shares, status, measured) in [
            ("", [0.98, 0.95], Status::Pass, 0.0),
            ("", [0.98, 0.02], Status::Fail, 1.0),
            ("usable = \"99 %\"", [0.98, 0.02], Status::Fail, 2.0),
            ("usable = \"1 %\"", [0.98, 0.02], Status::Pass, 0.0),
        ] {
            let mut check = check("no_loss", toml);
            good("m", 1).iter().chain(&good("m", 2)).for_each(|row| check.observation(row));
            check.event(1, &share(1, shares[0]));
            check.event(2, &share(2, shares[1]));
            let verdict = check.verdict(&facts(RunState::Finished));
            assert_eq!((verdict.status, verdict.measured), (status, Some(measured)), "{toml}");
            if measured == 1.0 {
                let told = "; 1 of 2 readings rest on too few samples; below 95 %: m serial 2 (2 % \
                            usable) at 2027-01-15T08:00:35";
                assert_eq!(verdict.reason, Reason::ReadingsSparse);
                assert!(verdict.why.to_string().contains(told), "{}", verdict.why);
                assert_eq!(verdict.at.unwrap().serial, Some(2));
            }
        }
    }

    #[test]
    fn why_a_reading_is_none_of_the_meters_answers_is_named() {
        let mut check = check("no_loss", "");
        check.observation(&row("m", 1, U, Some(230.0), None));
        check.observation(&row("m", 1, U, None, Some(460.0)));
        for what in ["not-asked", "other-values"] {
            check.event(1, &stray("not_answered", "m", Some(1)).with(field::WHAT, what));
        }
        let verdict = check.verdict(&facts(RunState::Finished));
        let told = "; not what the meter answered: m serial 1 (was not asked) at \
                    2027-01-15T08:00:35.000Z, m serial 1 (answered other values) at ";
        assert!(verdict.why.to_string().contains(told), "{}", verdict.why);
        assert_eq!(verdict.measured, Some(2.0));
    }

    #[test]
    fn of_many_strays_the_first_are_named_and_the_rest_counted() {
        let mut check = check("no_loss", "");
        for line in 1..=9 {
            check.event(line, &stray("foreign_reading", &format!("ghost-{line}"), None));
        }
        let verdict = check.verdict(&facts(RunState::Finished));
        assert_eq!((verdict.status, verdict.measured), (Status::Fail, Some(9.0)));
        assert!(
            verdict.why.to_string().contains("ghost-3")
                && !verdict.why.to_string().contains("ghost-4")
        );
        assert!(verdict.why.to_string().ends_with("and 6 more"), "{}", verdict.why);
    }

    /// The facts of a finished run with these devices.
    fn with_devices(names: &[&str]) -> RunFacts {
        let device = |name: &&str| DeviceFacts {
            name: (*name).to_owned(),
            model: "stpm34-1ph".to_owned(),
            evidence: Evidence::Simulated,
            at: "source:s".to_owned(),
            under_test: true,
            fidelity: None,
            serial: None,
            firmware: None,
            reports: Vec::new(),
        };
        RunFacts { devices: names.iter().map(device).collect(), ..facts(RunState::Finished) }
    }

    #[test]
    fn a_device_of_which_nothing_was_due_is_not_passed_over() {
        let facts = with_devices(&["m", "mute", "x"]);
        for (toml, lost, status, told) in [
            ("", false, Status::Inconclusive, "1 device without a due reading: mute"),
            ("device = \"m*\"", false, Status::Inconclusive, "without a due reading: mute"),
            ("device = \"m\"", false, Status::Pass, "1 of 1 readings, 0 unexpected"),
            ("device = \"mute\"", false, Status::Inconclusive, "no reading of device mute was due"),
            ("", true, Status::Fail, "without a due reading: mute"),
        ] {
            let mut check = check("no_loss", toml);
            let mut rows = [good("m", 1), good("x", 1)].concat();
            if lost {
                rows[3].reported = None;
            }
            for row in &rows {
                check.observation(row);
            }
            let verdict = check.verdict(&facts);
            assert_eq!(verdict.status, status, "{toml}: {}", verdict.why);
            assert!(verdict.why.to_string().contains(told), "{} lacks {told}", verdict.why);
        }
        // What came from it though nothing was due makes nothing due.
        let mut check = check("no_loss", "");
        let stray = Observation { reference: None, ..good("mute", 1)[0] };
        for row in [good("m", 1).to_vec(), good("x", 1).to_vec(), vec![stray]].concat() {
            check.observation(&row);
        }
        let why = check.verdict(&facts).why.to_string();
        assert!(why.contains("1 unexpected") && why.contains("due reading: mute"), "{why}");
    }

    #[test]
    fn nothing_due_is_inconclusive() {
        let verdict = judge(&[], RunState::Finished);
        assert_eq!((verdict.status, verdict.n, verdict.measured), (Status::Inconclusive, 0, None));
    }

    #[test]
    fn what_was_under_way_when_the_run_was_interrupted_is_not_lost() {
        let mut rows = [good("m", 1), good("m", 2)].concat();
        rows[3].reported = None;
        assert_eq!(judge(&rows, RunState::Interrupted).status, Status::Inconclusive);
        rows[3].reference = None;
        assert_eq!(judge(&rows, RunState::Interrupted).status, Status::Fail);
        assert_eq!(judge(&good("m", 1), RunState::Interrupted).status, Status::Inconclusive);
        assert_eq!(judge(&good("m", 1), RunState::Error).status, Status::Error);
    }

    #[test]
    fn of_many_missing_the_first_are_named_and_the_rest_counted() {
        let rows: Vec<_> = (1..=9).map(|serial| row("m", serial, U, Some(230.0), None)).collect();
        let verdict = judge(&rows, RunState::Finished);
        assert_eq!(verdict.measured, Some(9.0));
        assert!(
            verdict.why.to_string().contains("serial 3")
                && !verdict.why.to_string().contains("serial 4")
        );
        assert!(verdict.why.to_string().ends_with("and 6 more"), "{}", verdict.why);
    }
}
