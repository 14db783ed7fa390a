//! What is taken of the ledger's rows and of the plant into signals, and when.

use std::path::Path;

use lastmeter_language::LoadOptions;
use lastmeter_units::{Epoch, Serial};

use super::*;

const SCENARIO: &str = r#"format = 1
[scenario]
name = "s"
start = 2027-01-18T17:00:00Z
duration = "10 s"
[[source]]
name = "g"
kind = "synthetic"
voltage = "230 V"
[[device]]
name = "m"
at = "source:g"
model = "stpm34-3ph"
report_every = "1 s"
[[inject]]
at = "4 s"
kind = "amplitude"
source = "g"
of = "voltage"
to = "110 %"
[[signal]]
name = "truth"
at = "source:g"
quantity = "electricity.voltage.rms.l2"
every = "3 s"
[[signal]]
name = "all"
of = "m"
quantity = "electricity.voltage.rms.l1"
[[signal]]
name = "thinned"
of = "m"
quantity = "electricity.voltage.rms.l1"
every = "2 s"
[[check]]
name = "c"
kind = "constant"
signal = "all"
tolerance = "1 V"
"#;

type Taken = Vec<(String, i64, f64)>;

fn take(signals: &mut Signals, rows: &[Row], recorded_s: i64) -> Taken {
    let mut taken = Vec::new();
    let recorded = signals.start + SimDuration::from_seconds(recorded_s);
    let done: Result<(), ()> = signals.take(rows, recorded, |sample| {
        taken.push((sample.signal.to_owned(), sample.time.0 / 1_000_000_000, sample.value));
        Ok(())
    });
    done.unwrap();
    taken
}

fn signals() -> (Scenario, Signals) {
    let options = LoadOptions::default();
    let loaded = Scenario::from_bytes(Path::new("s.toml"), SCENARIO.as_bytes(), &options);
    let scenario = loaded.map_err(|failure| failure.to_string()).unwrap();
    let signals = Signals::new(&scenario);
    (scenario, signals)
}

#[test]
fn the_truth_is_taken_up_to_where_the_record_is_complete_and_no_further() {
    let (_, mut signals) = signals();
    assert!(take(&mut signals, &[], 2).is_empty());
    let first = take(&mut signals, &[], 7);
    let places: Vec<_> = first.iter().map(|(name, at, _)| (name.as_str(), *at)).collect();
    assert_eq!(places, [("truth", 3), ("truth", 6)]);
    assert!((first[0].2 - 230.0).abs() < 1e-6);
    // From 3 s to 6 s: one second of 230 V, two of 253 V, as an RMS value.
    let rms = ((230.0_f64.powi(2) + 2.0 * 253.0_f64.powi(2)) / 3.0).sqrt();
    assert!((first[1].2 - rms).abs() < 1e-6, "{first:?}");
    // Behind the end there is no truth, and nothing is taken twice.
    let rest: Vec<i64> = take(&mut signals, &[], 100).iter().map(|(_, at, _)| *at).collect();
    assert_eq!(rest, [9]);
    assert!(take(&mut signals, &[], 100).is_empty());
}

#[test]
fn of_a_device_counts_what_was_due_and_came_back_the_first_of_each_interval() {
    let (scenario, mut signals) = signals();
    let quantity = MeasurementId::lookup("electricity.voltage.rms.l1").unwrap();
    let other = MeasurementId::lookup("electricity.voltage.rms.l2").unwrap();
    let row = |second: i64, quantity, reference, reported| Row {
        device: 0,
        key: (Some(Epoch(1)), Some(Serial(second.unsigned_abs()))),
        quantity,
        event_time: scenario.schedule.start + SimDuration::from_seconds(second),
        reference,
        reported,
        span: None,
    };
    let rows = [
        row(1, quantity, Some(230.0), Some(231.0)),
        row(2, quantity, Some(230.0), Some(232.0)),
        row(3, quantity, Some(230.0), None),
        row(4, other, Some(230.0), Some(9.0)),
        row(4, quantity, Some(230.0), Some(234.0)),
        row(5, quantity, None, Some(235.0)),
        Row { device: 1, ..row(6, quantity, Some(230.0), Some(9.0)) },
    ];
    let of = |taken: &Taken, name: &str| -> Vec<i64> {
        taken.iter().filter(|one| one.0 == name).map(|one| one.1).collect()
    };
    let taken = take(&mut signals, &rows, 0);
    assert_eq!((of(&taken, "all"), of(&taken, "thinned")), (vec![1, 2, 4], vec![1, 4]));
    assert_eq!(taken[0].2, 231.0);
    // Which value is the first of its interval is remembered from one call to the next.
    let rows = [row(4, quantity, Some(1.0), Some(1.0)), row(5, quantity, Some(1.0), Some(1.0))];
    let taken = take(&mut signals, &rows, 0);
    assert_eq!((of(&taken, "all"), of(&taken, "thinned")), (vec![4, 5], vec![5]));
}

#[test]
fn the_facts_name_device_and_place() {
    let (scenario, _) = signals();
    let origins: Vec<_> = facts(&scenario).into_iter().map(|signal| signal.from).collect();
    let device = SignalOrigin::Device("m".to_owned());
    let plant = SignalOrigin::Plant("source:g".to_owned());
    assert_eq!(origins, [plant, device.clone(), device]);
}
