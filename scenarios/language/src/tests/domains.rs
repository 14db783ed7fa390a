//! Metering points of several domains: which device fits where, and in which units limits are.

use super::{load, mistakes};

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

fn with(from: &str, to: &str) -> Vec<String> {
    assert!(PIPES.contains(from), "{from}");
    mistakes(&PIPES.replacen(from, to, 1))
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
    for (from, to, expected) in [
        (
            "at = \"source:circuit\"",
            "at = \"source:mains\"",
            "S027 22:6 <\"source:mains\"> `heat-meter` measures heat, and `source:mains` is \
             electricity",
        ),
        (
            "model = \"water-meter\"",
            "model = \"ideal-1ph\"",
            "S027 27:6 <\"source:tap\"> `ideal-1ph` measures electricity, and `source:tap` is water",
        ),
        (
            "model = \"water-meter\"",
            "model = \"heat-meter\"",
            "S027 27:6 <\"source:tap\"> `heat-meter` measures heat, and `source:tap` is water",
        ),
    ] {
        assert_eq!(with(from, to), [expected]);
    }
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
    for (to, expected) in [
        (
            "limit = \"0.1 %\"",
            "S010 34:9 <\"0.1 %\"> `limit` has no meaning for heating.temp.primary.inlet, a \
             temperature in °C",
        ),
        (
            "limit = \"0.1 °C\"",
            "S010 34:9 <\"0.1 °C\"> `°C` is a unit of temperature, not of ratio or temperature \
             difference",
        ),
        (
            "limit = \"0.1 m3\"",
            "S010 34:9 <\"0.1 m3\"> `limit` is of dimension volume, which \
             heating.temp.primary.inlet is not",
        ),
        (
            "limit = \"0.1 K\"\nminimum = \"1 K\"",
            "S010 35:11 <\"1 K\"> `minimum` has no meaning for heating.temp.primary.inlet, a \
             temperature in °C",
        ),
    ] {
        assert_eq!(with(limit, to), [expected]);
    }
}
