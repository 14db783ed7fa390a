//! The picture of an accuracy check: whom it names, what its band holds, and what is left of a long
//! run.

#![expect(clippy::unwrap_used, reason = "a test shows by its panic what went wrong")]

use std::fs;
use std::path::Path;

use lastmeter_record::{RunState, RunWriter, Status, file};
use lastmeter_reports::{evaluate, render};
use sample::Sample;

use crate::sample;

/// Ends a run that got to its end.
fn finish(writer: RunWriter) {
    let end = lastmeter_record::RunEnd {
        state: RunState::Finished,
        cause: None,
        recorded_until: Sample::start(),
        ended: Sample::start(),
        guarantees: Vec::new(),
        more: serde_json::Map::new(),
    };
    writer.finish(end).unwrap();
}

/// A street of meters at 230 V, one reading each 10 s: what each of them reports of it.
fn street(dir: &Path, readings: u32, meters: &[(&str, f64)], dip_at: u32) -> String {
    let mut start = Sample::CALM.start_facts();
    let check = "[[check]]\nname = \"voltage\"\nkind = \"accuracy\"\ncovers = [\"C-04\"]\n\
                 quantity = \"electricity.voltage.rms.*\"\nlimit = \"0.2 %\"\n";
    check.clone_into(&mut start.scenario_toml);
    start.facts.devices.clear();
    start.facts.end =
        Sample::start() + lastmeter_units::SimDuration::from_seconds(10 * i64::from(readings));
    let mut writer = RunWriter::create(dir, &start).unwrap();
    let quantity = lastmeter_units::MeasurementId::lookup("electricity.voltage.rms.l1").unwrap();
    for serial in 1..=readings {
        let reference = if serial == dip_at { 69.0 } else { 230.0 };
        for (place, (device, factor)) in meters.iter().enumerate() {
            writer.observation(&lastmeter_record::Observation {
                device,
                epoch: Some(lastmeter_units::Epoch(1)),
                serial: Some(lastmeter_units::Serial(serial.into())),
                quantity,
                event_time: Sample::start()
                    + lastmeter_units::SimDuration::from_seconds(10 * i64::from(serial)),
                reference: Some(reference + place as f64),
                reported: Some((reference + place as f64) * factor),
                span: None,
            });
        }
    }
    finish(writer);
    fs::read_to_string(render(dir).unwrap()).unwrap()
}

/// The rows of a curve of a picture: start, width, n, min, mean, max.
fn curve(dir: &Path, picture: &str, name: &str) -> Vec<[f64; 6]> {
    let path = dir.join(file::FIGURES).join(format!("{picture}.csv"));
    let mut csv = csv::Reader::from_path(path).unwrap();
    let rows = csv.records().map(Result::unwrap).filter(|row| &row[0] == name);
    rows.map(|row| std::array::from_fn(|place| row[place + 2].parse().unwrap())).collect()
}

#[test]
fn the_one_wrong_meter_is_named_and_drawn_over_the_band_of_the_others() {
    let dir = tempfile::tempdir().unwrap();
    let meters = [("m-1", 1.0), ("m-2", 1.000_5), ("m-3", 0.99), ("m-4", 0.999_5)];
    let html = street(dir.path(), 12, &meters, 5);
    let evaluation = evaluate(dir.path()).unwrap();
    let verdict = &evaluation.verdicts[0];
    let devices = verdict.devices.unwrap();
    assert_eq!((verdict.status, devices.wrong, devices.judged), (Status::Fail, 1, 4));
    let why = "1 of 4 devices: wrong; worst m-3: reported 229.7 V, reference 232 V; 12 of 48 \
               outside";
    assert_eq!(verdict.why, why.into());
    let attention = &html[html.find("What needs attention").unwrap()..];
    assert!(attention.find("voltage: m-3").unwrap() < attention.find(why).unwrap());
    for part in [
        "1 of 4 devices outside",
        "data-device=\"m-3\" data-quantity=\"electricity.voltage.rms.l1\"",
        "reported by m-3",
        "3 other devices: lowest to highest",
        // Chips and rows of requirements have words.
        "C-04 quantities of a CAN meter</span>",
        "<b>C-04</b> <span class=\"soft\">quantities of a CAN meter</span>",
    ] {
        assert!(html.contains(part), "{part}");
    }
    let rows = |name: &str| curve(dir.path(), "accuracy-voltage", name);
    let (near, of) = (|a: f64, b: f64| (a - b).abs() < 1e-9, |row: &[f64; 6]| (row[3], row[5]));
    for (at, row) in rows("reported").iter().enumerate() {
        let reference = if at == 4 { 71.0 } else { 232.0 };
        assert!(near(row[3], 0.99 * reference) && near(row[5], 0.99 * reference), "{row:?}");
        assert!(near(rows("reference")[at][3], reference) && near(rows("error")[at][3], -1.0));
        // The band: from the first meter to the fourth, and errors from -0.05 % to 0.05 %.
        let (low, high) = of(&rows("others-reported")[at]);
        assert!(near(low, reference - 2.0) && near(high, (reference + 1.0) * 0.999_5), "{high}");
        let (low, high) = of(&rows("others-error")[at]);
        assert!(near(low, -0.05) && near(high, 0.05), "{low} {high}");
    }
    assert_eq!(rows("reported").len(), 12);
}

/// Two days at 10 s: few bins, of which the one with the dip still shows it.
#[test]
fn a_long_run_is_thinned_out_and_keeps_its_dip() {
    let dir = tempfile::tempdir().unwrap();
    let html = street(dir.path(), 17_280, &[("m-1", 1.0), ("m-2", 1.001)], 9_000);
    for name in ["reference", "reported", "error", "others-reported", "others-error"] {
        let rows = curve(dir.path(), "accuracy-voltage", name);
        assert!((60..=240).contains(&rows.len()), "{name}: {}", rows.len());
        assert_eq!(rows.iter().map(|row| row[2]).sum::<f64>(), 17_280.0, "{name}");
    }
    let rows = curve(dir.path(), "accuracy-voltage", "reference");
    let dip = rows.iter().find(|row| row[3] == 70.0).unwrap();
    assert!((dip[0]..dip[0] + dip[1]).contains(&90_000.0) && dip[5] == 231.0, "{dip:?}");
    assert!(html.len() < 400_000, "{} bytes", html.len());
}
