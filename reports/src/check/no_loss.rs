//! `no_loss`: each due reading arrived exactly once.

use lastmeter_params::{Entry, Field, Kind};

use super::delivery::{Delivery, NAMED_MAX, Place};
use super::select::ByDevice;
use super::{Check, CheckContext, CheckKind, Pattern, finish};
use crate::record::{Observation, RunFacts};
use crate::text::{append, plural};
use crate::verdict::{Status, Verdict};

/// The registry's row.
pub(super) const KIND: CheckKind = CheckKind {
    entry: Entry {
        name: "no_loss",
        summary: "each due reading arrived exactly once",
        description: "Every reading that was due has to be stored once, with all its values, and \
            nothing else may be stored. Readings are told apart by epoch and serial number (D-22); \
            a device that sends no serial numbers cannot be judged, and the check is inconclusive. \
            `measured` counts missing and unexpected readings, `n` those that were due.",
        fields: &[Field::default(
            "device",
            Kind::Text,
            "\"*\"",
            "name of the device, or a pattern with *",
        )],
    },
    build: |values, context, _| {
        let devices = ByDevice::new(Pattern::new(values.text("device")));
        Some(Box::new(NoLoss { context, devices }))
    },
};

struct NoLoss {
    context: CheckContext,
    devices: ByDevice<Delivery>,
}

impl Check for NoLoss {
    fn observation(&mut self, observation: &Observation<'_>) {
        if let Some(delivery) = self.devices.entry(observation.device) {
            delivery.observation(observation);
        }
    }

    fn verdict(&self, facts: &RunFacts) -> Verdict {
        let devices: Vec<(&str, Delivery)> =
            self.devices.iter().map(|(name, delivery)| (name, delivery.closed())).collect();
        let sum = |count: fn(&Delivery) -> u64| devices.iter().map(|(_, d)| count(d)).sum::<u64>();
        let (due, missing, unexpected) =
            (sum(|d| d.due), sum(|d| d.missing), sum(|d| d.unexpected));
        let first_missing = first(&devices, |delivery| &delivery.first_missing);
        let first_unexpected = first(&devices, |delivery| &delivery.first_unexpected);
        let silent: Vec<&str> =
            devices.iter().filter(|(_, d)| d.without_serial > 0).map(|(name, _)| *name).collect();

        let mut why = format!("{} of {due} readings, {unexpected} unexpected", due - missing);
        push_places(&mut why, "missing", missing, &first_missing);
        push_places(&mut why, "unexpected", unexpected, &first_unexpected);
        if !silent.is_empty() {
            let names = silent.iter().take(NAMED_MAX).copied().collect::<Vec<_>>().join(", ");
            append(
                &mut why,
                format_args!(
                    "; cannot judge {} without serial numbers: {names}",
                    plural(silent.len() as u64, "device")
                ),
            );
        }
        // A reading that was under way when the run ended early is not lost.
        let proven = unexpected + if facts.is_finished() { missing } else { 0 };
        let status = if proven > 0 {
            Status::Fail
        } else if due == 0 {
            why = format!("no reading of device {} was due; {why}", self.devices.pattern());
            Status::Inconclusive
        } else if missing > 0 || !silent.is_empty() {
            Status::Inconclusive
        } else {
            Status::Pass
        };
        let at = first_missing.first().or(first_unexpected.first());
        let verdict = Verdict {
            measured: (due > 0 || unexpected > 0).then_some((missing + unexpected) as f64),
            limit: Some(0.0),
            n: due,
            at: at.map(|&(device, place)| place.at(device)),
            ..self.context.verdict(status, "1", why)
        };
        finish(verdict, facts)
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
    if count == 0 {
        return;
    }
    let named: Vec<String> = first
        .iter()
        .map(|(device, place)| match place.serial {
            Some(serial) => format!("{device} serial {serial} at {}", place.time),
            None => format!("{device} at {}, never made", place.time),
        })
        .collect();
    append(why, format_args!("; {what}: {}", named.join(", ")));
    let more = count - (first.len() as u64).min(count);
    if more > 0 {
        append(why, format_args!(" and {more} more"));
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{check, facts, row};
    use super::*;
    use crate::record::RunState;

    const U: &str = "electricity.voltage.rms.l1";
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
        assert_eq!(verdict.why, "10 of 10 readings, 0 unexpected");
    }

    #[test]
    fn a_reading_of_which_one_value_is_missing_fails_by_name() {
        let mut rows = [good("m", 1), good("m", 2), good("m", 3)].concat();
        rows[3].reported = None;
        let verdict = judge(&rows, RunState::Finished);
        assert_eq!((verdict.status, verdict.n, verdict.measured), (Status::Fail, 3, Some(1.0)));
        assert_eq!(verdict.at.as_ref().unwrap().serial, Some(2));
        assert!(verdict.why.contains("2 of 3 readings"), "{}", verdict.why);
        assert!(
            verdict.why.contains("missing: m serial 2 at 2027-01-15T08:00:20"),
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
        assert!(verdict.why.contains("unexpected: m serial 3"), "{}", verdict.why);
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
            verdict.why.contains("cannot judge 1 device without serial numbers: x"),
            "{}",
            verdict.why
        );
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
        assert!(verdict.why.contains("never made"), "{}", verdict.why);
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
        assert!(verdict.why.contains("serial 3") && !verdict.why.contains("serial 4"));
        assert!(verdict.why.ends_with("and 6 more"), "{}", verdict.why);
    }
}
