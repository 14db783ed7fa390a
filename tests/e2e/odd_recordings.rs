//! Recordings that cannot be measured, or only in part: `lastmeter measure` reports what is wrong
//! with them and what to do, and never a number that is none.

use std::f64::consts::TAU;
use std::path::Path;

use crate::bench::{Done, call};

const RATE_HZ: f64 = 10_000.0;

/// 230 V and 5 A at 50 Hz.
fn signal(sample: u32) -> [f64; 2] {
    let cosine = (TAU * 50.0 * f64::from(sample) / RATE_HZ).cos();
    [230.0, 5.0].map(|rms| rms * 2.0_f64.sqrt() * cosine)
}

/// Writes a COMTRADE recording of one voltage and one current in single precision.
fn comtrade(folder: &Path, announced: u32, rate_hz: f64, samples: &[[f64; 2]]) -> String {
    let cfg = format!(
        "typed,1,2013\n2,2A,0D\n1,Ua,A,,V,1,0,0,-9e9,9e9,1,1,P\n2,Ia,A,,A,1,0,0,-9e9,9e9,1,1,P\n\
         50\n1\n{rate_hz},{announced}\n01/01/2026,00:00:00.000000\n01/01/2026,00:00:00.000000\n\
         FLOAT32\n1\n0,x\n0,0\n"
    );
    let mut dat = Vec::new();
    for (number, values) in (1_u32..).zip(samples) {
        dat.extend(number.to_le_bytes());
        dat.extend(((f64::from(number - 1) * 1e6 / rate_hz) as u32).to_le_bytes());
        for value in values {
            dat.extend((*value as f32).to_le_bytes());
        }
    }
    std::fs::write(folder.join("r.cfg"), cfg).unwrap();
    std::fs::write(folder.join("r.dat"), dat).unwrap();
    folder.join("r.cfg").display().to_string()
}

fn samples(count: u32, of: impl Fn(u32) -> [f64; 2]) -> Vec<[f64; 2]> {
    (0..count).map(of).collect()
}

fn measured(arguments: &[&str]) -> Done {
    let mut all = vec!["measure"];
    all.extend(arguments);
    call(&all)
}

#[track_caller]
fn refused(arguments: &[&str], parts: &[&str]) {
    let done = measured(arguments);
    assert_eq!(done.code, 2, "{done:?}");
    assert_eq!(done.stdout, "");
    for part in parts {
        assert!(done.stderr.contains(part), "no `{part}` in: {}", done.stderr);
    }
}

#[test]
fn files_without_samples_are_named_as_such() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["r.csv", "r.cff"] {
        let path = folder.path().join(name);
        std::fs::write(&path, "").unwrap();
        refused(&[path.to_str().unwrap()], &[name, "the file is empty (0 bytes)"]);
    }
    let path = comtrade(folder.path(), 100, RATE_HZ, &[]);
    refused(&[&path], &["r.dat", "the file is empty (0 bytes)"]);
    let path = folder.path().join("header.csv");
    std::fs::write(&path, "t,Va,Ia\n").unwrap();
    refused(&[path.to_str().unwrap()], &["a header row but no row of samples"]);
}

#[test]
fn one_sample_is_less_than_a_cycle_and_determines_no_rate() {
    let folder = tempfile::tempdir().unwrap();
    let path = comtrade(folder.path(), 1, RATE_HZ, &samples(1, signal));
    refused(&[&path], &["0.0001 s, less than one cycle"]);
    let path = folder.path().join("row.csv");
    std::fs::write(&path, "t,Va,Ia\n0,1,2\n").unwrap();
    let path = path.to_str().unwrap();
    refused(&[path], &["one row determines no rate", "--rate"]);
    refused(&[path, "--rate", "1000"], &["0.001 s, less than one cycle"]);
}

#[test]
fn samples_that_are_no_numbers_are_missing_and_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let none = samples(5000, |_| [f64::NAN; 2]);
    let path = comtrade(folder.path(), 5000, RATE_HZ, &none);
    refused(&[&path], &["nothing to measure", "all 5000 samples of every chosen channel"]);
    // One channel without samples leaves the other as it is.
    let half = samples(5000, |k| [signal(k)[0], f64::INFINITY]);
    let path = comtrade(folder.path(), 5000, RATE_HZ, &half);
    let done = measured(&[&path, "--format", "json"]);
    assert_eq!(done.code, 0, "{done:?}");
    let value: serde_json::Value = serde_json::from_str(&done.stdout).unwrap();
    let volts = value["phases"][0]["u_rms_v"].as_f64().unwrap();
    assert!((volts / 230.0 - 1.0).abs() < 1e-6, "{volts}");
    assert!(value["phases"][0]["thd_i_pct"].is_null(), "{value}");
    let note = "channel `Ia`: all 5000 samples are missing; it is taken as zero";
    assert!(value["notes"].as_array().unwrap().contains(&note.into()), "{value}");
    refused(&[&path, "--current", "Ia"], &["nothing to measure"]);
    // In text a cell without a number is a mistake of the writer's, and is located.
    let path = folder.path().join("nan.csv");
    std::fs::write(&path, "t,Va,Ia\n0,1,2\n1e-3,nan,2\n").unwrap();
    refused(&[path.to_str().unwrap()], &["line 3, column `Va`: found `nan`"]);
}

#[test]
fn a_wrong_rate_is_named_as_what_may_be_wrong() {
    let folder = tempfile::tempdir().unwrap();
    let all = samples(5000, signal);
    let path = comtrade(folder.path(), 5000, RATE_HZ / 10.0, &all);
    refused(&[&path], &["no channel has three steady cycles", "check the sampling rate"]);
    let path = comtrade(folder.path(), 5000, 60.0, &all);
    refused(&[&path], &["the sampling rate is 60 Hz; at least 400 Hz are needed"]);
}
