//! Metering points of several domains: which device fits where, and in which units limits are.

use super::{assert_printed, change, load, mistakes};
use crate::{LoadFailure, Scenario};

const PIPES: &str = r#"format = 1

[scenario]
name = "pipes"
start = 2027-01-18T00:00:00Z
duration = "1 h"

[[source]]
name = "mains"
kind = "synthetic"

[[source]]
name = "circuit"
kind = "heat-circuit"

[[source]]
name = "tap"
kind = "water"

[[device]]
name = "heat"
at = "source:circuit"
model = "heat-meter"

[[device]]
name = "water"
at = "source:tap"
model = "water-meter"

[[check]]
name = "temperatures"
kind = "accuracy"
quantity = "heating.temp.primary.*"
limit = "0.1 K"
"#;

fn with(from: &str, to: &str) -> (String, Result<Scenario, LoadFailure>) {
    assert!(PIPES.contains(from), "{from}");
    (change(from, to), load(&PIPES.replacen(from, to, 1)))
}

#[test]
fn meters_of_three_domains_stand_in_one_scenario() {
    let scenario = load(PIPES).map_err(|failure| failure.to_string()).unwrap();
    let facts: Vec<bool> =
        (0..2).map(|index| scenario.build_device(index).unwrap().electricity().is_some()).collect();
    assert_eq!(facts, [false, false]);
    assert!(scenario.plant.sources[0].terminal().is_some());
    assert!(scenario.plant.sources[1].terminal().is_none());
}

#[test]
fn a_device_is_connected_to_what_its_model_measures() {
    let cases = [
        ("at = \"source:circuit\"", "at = \"source:mains\""),
        ("model = \"water-meter\"", "model = \"ideal-1ph\""),
        ("model = \"water-meter\"", "model = \"heat-meter\""),
    ];
    assert_printed("domains", cases.map(|(from, to)| with(from, to)));
}

#[test]
fn nothing_is_injected_into_a_pipe() {
    let dip = "[[inject]]\nat = \"5 min\"\nkind = \"dip\"\nsource = \"tap\"\nto = \"40 %\"\n";
    let found = mistakes(&format!("{PIPES}\n{dip}"));
    let expected = "<\"tap\"> `tap` is a pipe, into which nothing can be injected";
    assert!(matches!(&found[..], [only] if only.ends_with(expected)), "{found:?}");
}

#[test]
fn a_limit_of_a_temperature_is_a_difference() {
    let limit = "limit = \"0.1 K\"";
    let limits = [
        "limit = \"0.1 %\"",
        "limit = \"0.1 °C\"",
        "limit = \"0.1 m3\"",
        "limit = \"0.1 K\"\nminimum = \"1 K\"",
    ];
    assert_printed("limits_of_temperatures", limits.map(|to| with(limit, to)));
}
