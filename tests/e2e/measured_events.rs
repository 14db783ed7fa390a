//! Events in recordings, by the command: a dip in a table of samples, and what is relative to a
//! declared voltage.

use std::f64::consts::TAU;
use std::fmt::Write as _;

use crate::bench::call;

/// Two seconds of 230 V at 50 Hz, 5 kS/s, at 60 % from 1 s on for 0.2 s; the current stops at
/// sample 8000.
fn recording(folder: &std::path::Path) -> String {
    let mut text = "Va,Ia\n".to_owned();
    for k in 0..10_000_u32 {
        let sine = 2.0_f64.sqrt() * (TAU * 50.0 * f64::from(k) / 5000.0).sin();
        let share = if (5000..6000).contains(&k) { 0.6 } else { 1.0 };
        let late = 2.0_f64.sqrt() * (TAU * 50.0 * f64::from(k) / 5000.0 - 1.0).sin();
        let current = if k < 8000 { 7.0 * late } else { 0.0 };
        writeln!(text, "{},{current}", 230.0 * share * sine).unwrap();
    }
    let path = folder.join("dip.csv");
    std::fs::write(&path, text).unwrap();
    path.display().to_string()
}

fn json(arguments: &[&str]) -> serde_json::Value {
    let done = call(&[&["measure", "--format", "json", "--rate", "5000"], arguments].concat());
    assert_eq!(done.code, 0, "{done:?}");
    serde_json::from_str(&done.stdout).unwrap()
}

#[test]
fn a_dip_and_a_current_that_stops_are_reported() {
    let folder = tempfile::tempdir().unwrap();
    let path = recording(folder.path());
    let found = json(&[&path]);
    assert_eq!(found["declared_voltage_v"], 230.0);
    let events = found["events"].as_array().unwrap();
    assert_eq!(events.len(), 1, "{events:?}");
    assert_eq!((&events[0]["kind"], &events[0]["phase"]), (&"dip".into(), &"a".into()));
    let near = |key: &str, due: f64, by: f64| {
        let found = events[0][key].as_f64().unwrap();
        assert!((found - due).abs() < by, "{key}: {found} is not {due}");
    };
    near("residual_v", 138.0, 0.01);
    near("residual_pct", 60.0, 0.005);
    near("start_s", 1.0, 1e-3);
    // Eighteen whole cycles' values and the two at the edges, sqrt((1 + 0.36) / 2) = 82 %.
    near("duration_s", 0.21, 1e-3);
    let stopped = &found["current_events"][0];
    assert_eq!(stopped["start_sample"], 8000, "{stopped}");
    let flagged = found["windows"].as_array().unwrap().iter().filter(|w| w["flagged"] == true);
    assert!((1..=3).contains(&flagged.count()));

    let table = call(&["measure", "--rate", "5000", &path]);
    assert!(table.stdout.contains("dip of a at 1.0000"), "{}", table.stdout);
    assert!(table.stdout.contains("sample 8000"), "{}", table.stdout);
}

#[test]
fn a_declared_voltage_decides_what_is_a_dip() {
    let folder = tempfile::tempdir().unwrap();
    let path = recording(folder.path());
    let kinds = |volts: &str| -> Vec<String> {
        let found = json(&[&path, "--declared-voltage", volts]);
        let events = found["events"].as_array().unwrap().clone();
        events.iter().map(|e| e["kind"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(kinds("150"), ["swell", "swell"]);
    assert_eq!(kinds("230"), ["dip"]);
    assert_eq!(kinds("10000"), ["dip", "interruption"]);
    let done = call(&["measure", "--rate", "5000", "--declared-voltage=-5", &path]);
    assert_eq!(done.code, 2);
    assert!(done.stderr.contains("declared voltage"), "{}", done.stderr);
}
