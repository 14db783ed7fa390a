//! Two hundred meters of a class: each measures what was drawn for it, and those with a planted
//! defect are found by their names and no others are.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use crate::bench::{library, run, verdict};

/// The load points of the scenario, in the order of its readings: amperes, and degrees by which the
/// current lags.
const LOAD_POINTS: [(f64, f64); 6] =
    [(5.0, 0.0), (0.25, 0.0), (60.0, 0.0), (60.0, 60.0), (1.0, 60.0), (5.0, 60.0)];

/// The drawn errors of each meter by load point, read from the scenario as resolved.
fn drawn(out: &Path) -> BTreeMap<String, Vec<(f64, f64, f64)>> {
    let text = std::fs::read_to_string(out.join("scenario.toml")).unwrap();
    let table: toml::Table = text.parse().unwrap();
    let number = |value: &toml::Value| -> f64 {
        value.as_str().unwrap().split_once(' ').unwrap().0.parse().unwrap()
    };
    let devices = table["device"].as_array().unwrap().iter();
    let of = |device: &toml::Value| {
        let points = device["errors"].as_array().unwrap().iter();
        let point =
            |it: &toml::Value| (number(&it["current"]), number(&it["lag"]), number(&it["error"]));
        (device["name"].as_str().unwrap().to_owned(), points.map(point).collect())
    };
    devices.map(of).collect()
}

/// The error at a load point in per cent, linear in the logarithm of the current between points.
fn expected(points: &[(f64, f64, f64)], (current, lag): (f64, f64)) -> f64 {
    let mut own: Vec<(f64, f64)> =
        points.iter().filter(|it| (it.1 - lag).abs() < 1e-9).map(|it| (it.0, it.2)).collect();
    own.sort_by(|a, b| a.0.total_cmp(&b.0));
    let after = own.iter().position(|it| it.0 >= current * (1.0 - 1e-9)).unwrap();
    let (to, second) = own[after];
    if after == 0 || (to - current).abs() < 1e-9 * current {
        return second;
    }
    let (from, first) = own[after - 1];
    first + (second - first) * (current / from).ln() / (to / from).ln()
}

/// The measured errors of each meter in per cent, in the order of its readings.
fn measured(out: &Path) -> BTreeMap<String, Vec<f64>> {
    let text = std::fs::read_to_string(out.join("observations.csv")).unwrap();
    let mut errors: BTreeMap<String, Vec<f64>> = BTreeMap::new();
    for line in text.lines().skip(1) {
        let fields: Vec<&str> = line.split(',').collect();
        if fields[3] != "electricity.power.active.consumed.l1" {
            continue;
        }
        let (reference, reported): (f64, f64) =
            (fields[6].parse().unwrap(), fields[7].parse().unwrap());
        errors.entry(fields[0].to_owned()).or_default().push(100.0 * (reported / reference - 1.0));
    }
    errors
}

fn judge(out: &Path, count: usize) {
    let (drawn, measured) = (drawn(out), measured(out));
    assert_eq!((drawn.len(), measured.len()), (count, count));
    let mut largest: f64 = 0.0;
    for (device, errors) in &measured {
        // Of two readings at each the second: a step ends with the first of its windows.
        assert_eq!(errors.len(), 2 * LOAD_POINTS.len(), "{device}");
        for (error, load) in errors.iter().skip(1).step_by(2).zip(LOAD_POINTS) {
            let expected = expected(&drawn[device], load);
            assert!((error - expected).abs() < 0.02, "{device} {load:?}: {error} for {expected}");
            largest = largest.max((error - expected).abs());
        }
    }
    println!("{count} meters: at most {largest:.2e} % off what was drawn for them");
}

#[test]
fn two_hundred_meters_measure_the_errors_that_were_drawn_for_them() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("windows");
    let done = run(&library("two-hundred-meters"), &out, &[]);
    assert_eq!(done.code, 0, "{done:?}");
    judge(&out, 200);
    assert!(out.join("figures/population-class-1.svg").exists());
    // Five of them again, sample by sample.
    let out = folder.path().join("samples");
    let more = ["--set", "device.meter.count=5", "--set", "device.meter.fidelity=samples"];
    let done = run(&library("two-hundred-meters"), &out, &more);
    assert_eq!(done.code, 0, "{done:?}");
    judge(&out, 5);
}

#[test]
fn households_whose_loads_are_tables_are_members() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("out");
    let short = ["--set", "scenario.duration=10 min"];
    let own = ["--set", "device.home-20.voltage_gain_error=1 %"];
    run(&library("wrong-ct"), &out, &[&short[..], &own].concat());
    let scenario = std::fs::read_to_string(out.join("scenario.toml")).unwrap();
    let table: toml::Table = scenario.parse().unwrap();
    let devices = table["device"].as_array().unwrap();
    assert_eq!(devices.len(), 56, "55 households and the substation");
    let of = |name: &str| devices.iter().find(|it| it["name"].as_str() == Some(name)).unwrap();
    let ratio = |name: &str| of(name)["installed_current_ratio"].as_array().unwrap().len();
    assert_eq!((ratio("home-17"), ratio("home-18")), (1, 0));
    let gain = |name: &str| of(name)["voltage_gain_error"].to_string();
    assert_ne!(gain("home-20"), gain("home-21"));
    let nobody = ["--set", "device.home-99.voltage_gain_error=1 %"];
    let done = run(&library("wrong-ct"), &folder.path().join("none"), &nobody);
    assert_eq!(done.code, 2, "{done:?}");
}

#[test]
fn three_drawn_defects_are_found_by_name_and_nothing_else_is() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("two-hundred-meters.toml");
    let text = std::fs::read_to_string(library("two-hundred-meters")).unwrap();
    let member = "quantities = [\"active_power\"]\n[[device.member]]\ndrawn = 3\n\
                  installed_current_ratio = [1.04]\n";
    std::fs::write(&file, text.replace("quantities = [\"active_power\"]\n", member)).unwrap();
    let mut found_before = BTreeSet::new();
    for seed in ["2027", "2028"] {
        let out = folder.path().join(seed);
        let done = run(file.to_str().unwrap(), &out, &["--seed", seed]);
        assert_eq!(done.code, 1, "{done:?}");
        let scenario = std::fs::read_to_string(out.join("scenario.toml")).unwrap();
        let table: toml::Table = scenario.parse().unwrap();
        let devices = table["device"].as_array().unwrap().iter();
        let planted =
            devices.filter(|it| !it["installed_current_ratio"].as_array().unwrap().is_empty());
        let planted: BTreeSet<String> =
            planted.map(|it| it["name"].as_str().unwrap().to_owned()).collect();
        let table = std::fs::read_to_string(out.join("figures/accuracy.csv")).unwrap();
        let outside = table.lines().skip(1).filter(|line| {
            let fields: Vec<&str> = line.split(',').collect();
            let (worst, limit): (f64, f64) =
                (fields[7].parse().unwrap(), fields[8].parse().unwrap_or(f64::NAN));
            worst.abs() > limit
        });
        let outside: BTreeSet<String> =
            outside.map(|line| line.split(',').next().unwrap().to_owned()).collect();
        assert_eq!((planted.len(), &outside), (3, &planted), "{table}");
        let why = verdict(&out, "class-1")["why"].as_str().unwrap().to_owned();
        assert!(why.starts_with("3 of 200 devices: wrong"), "{why}");
        assert_ne!(found_before, planted);
        found_before = planted;
    }
}
