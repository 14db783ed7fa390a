//! The same scenarios in virtual time: modelled, repeatable, and never a verdict on a platform.

use std::collections::BTreeMap;

use crate::bench::{COMPARED, json, run, verdict};
use crate::outcome::{alone, library};

#[test]
fn in_virtual_time_the_wide_area_experiment_is_modelled_and_repeats_to_the_byte() {
    let _alone = alone();
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    // Five minutes of ten publishers are as many messages as the scenario's minute of fifty.
    let arguments =
        ["--time", "virtual", "--set", "device.meter.count=10", "--set", "scenario.duration=5 min"];
    for name in ["first", "again"] {
        let done = run(&library("communication-performance"), &path(name), &arguments);
        assert_eq!(done.code, 0, "{done:?}");
    }
    for file in COMPARED.iter().chain(&["latency.csv"]) {
        let [first, again] = ["first", "again"].map(|name| path(name).join(file));
        assert!(std::fs::read(first).unwrap() == std::fs::read(again).unwrap(), "{file} differs");
    }
    for check in ["class-tt2", "class-tt1", "class-tt0"] {
        let verdict = verdict(&path("first"), check);
        assert_eq!(verdict["status"], "skipped", "{verdict}");
        assert!(verdict["why"].as_str().unwrap().contains("modelled"), "{verdict}");
    }
    assert_eq!(verdict(&path("first"), "readings-once")["status"], "pass");
    let page = std::fs::read_to_string(path("first").join("report.html")).unwrap();
    assert!(page.to_lowercase().contains("modelled"));
}

/// Quartiles of the latency column, linear (type 7), in milliseconds.
fn quartiles(folder: &std::path::Path) -> [f64; 3] {
    let text = std::fs::read_to_string(folder.join("latency.csv")).unwrap();
    let mut lines = text.lines();
    let header: Vec<&str> = lines.next().unwrap().split(',').collect();
    let column = |name: &str| header.iter().position(|field| *field == name).unwrap();
    let (intended, received) = (column("intended_ns"), column("received_ns"));
    let mut latencies: Vec<f64> = lines
        .filter(|line| line.starts_with("reading>"))
        .filter_map(|line| {
            let fields: Vec<&str> = line.split(',').collect();
            let at = |index: usize| fields[index].parse::<f64>().ok();
            Some((at(received)? - at(intended)?) / 1e6)
        })
        .collect();
    latencies.sort_by(f64::total_cmp);
    [0.25, 0.5, 0.75].map(|share| {
        let place = share * (latencies.len() - 1) as f64;
        let low = place.floor() as usize;
        let high = (low + 1).min(latencies.len() - 1);
        latencies[low] + (latencies[high] - latencies[low]) * place.fract()
    })
}

#[test]
fn the_modelled_figure_is_the_published_one() {
    let _alone = alone();
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("run");
    let arguments = ["--time", "virtual", "--set", "scenario.duration=5 min"];
    let done = run(&library("communication-performance"), &out, &arguments);
    assert_eq!(done.code, 0, "{done:?}");
    // Flexmeter deliverable, section 9: quartiles 0.11 s and 0.15 s, median 0.14 s.
    for (ours, published) in quartiles(&out).into_iter().zip([110.0, 140.0, 150.0]) {
        assert!((ours - published).abs() < 5.0, "{ours} ms, published {published} ms");
    }
}

#[test]
fn in_virtual_time_broken_links_lose_nothing_either() {
    let _alone = alone();
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("run");
    let done = run(&library("link-outage"), &out, &["--time", "virtual"]);
    assert_eq!(verdict(&out, "readings-once")["status"], "pass", "{done:?}");
    let text = std::fs::read_to_string(out.join("latency.csv")).unwrap();
    // In the order of their serials, whatever the link did meanwhile.
    let mut last: BTreeMap<String, i64> = BTreeMap::new();
    let mut rows: Vec<(String, u64, i64)> = text
        .lines()
        .filter(|line| line.starts_with("reading>head-end,"))
        .map(|line| {
            let fields: Vec<&str> = line.split(',').collect();
            let (device, rest) = fields[1].split_once('/').unwrap();
            let serial = rest.rsplit('/').next().unwrap().parse().unwrap();
            (device.to_owned(), serial, fields[8].parse().unwrap())
        })
        .collect();
    rows.sort();
    for (device, serial, received) in rows {
        let before = last.insert(device.clone(), received).unwrap_or(i64::MIN);
        assert!(received >= before, "{device} {serial} overtook the reading before it");
    }
    let verdicts = json(&out, "verdicts.json");
    assert!(verdicts.as_array().unwrap().iter().all(|verdict| verdict["status"] != "fail"));
}
