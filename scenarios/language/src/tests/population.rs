//! Populations: members that differ, by tables of their own, by distributions and by what models
//! draw, and the messages when they cannot be made.

use std::collections::BTreeSet;
use std::path::Path;

use lastmeter_params::Pattern;

use crate::{DeviceRow, LoadFailure, LoadOptions, Scenario};

const HEAD: &str = r#"
format = 1
[scenario]
name = "people"
start = 2027-01-18T17:00:00Z
duration = "1 min"
seed = 7

[[source]]
name = "flat"
count = 5
kind = "synthetic"
voltage = "uniform(225 V, 235 V)"
phases = 1

[[check]]
name = "once"
kind = "no_loss"
"#;

fn load(devices: &str, set: &[&str]) -> Result<Scenario, LoadFailure> {
    let text = format!("{HEAD}\n{devices}");
    let overrides = set.iter().map(|&text| text.to_owned()).collect();
    let options = LoadOptions { overrides, ..LoadOptions::default() };
    Scenario::from_bytes(Path::new("people.toml"), text.as_bytes(), &options)
}

fn loaded(devices: &str, set: &[&str]) -> Scenario {
    load(devices, set).unwrap_or_else(|failure| panic!("{}", failure.render(false)))
}

fn device(text: &str) -> String {
    format!("[[device]]\nname = \"home\"\nmodel = \"ideal-1ph\"\n{text}\n")
}

fn gains(scenario: &Scenario) -> Vec<f64> {
    let gain = |row: &DeviceRow| row.values.si("current_gain_error");
    scenario.devices.iter().map(gain).collect()
}

fn names(scenario: &Scenario) -> Vec<&str> {
    scenario.devices.iter().map(|row| row.name.as_str()).collect()
}

/// What is wrong with devices, in the words of code and message.
fn mistakes(devices: &str) -> Vec<String> {
    let Err(failure) = load(devices, &[]) else { return Vec::new() };
    let found = failure.diagnostics().iter();
    found.map(|it| format!("{}: {}; {}", it.code, it.message, it.label)).collect()
}

const SPREAD: &str = "current_gain_error = \"normal(0 %, 0.3 %)\"";

#[test]
fn each_member_has_a_draw_of_its_own_which_the_seed_decides() {
    let text = device(&format!("at = \"source:flat-1\"\ncount = 200\n{SPREAD}"));
    let scenario = loaded(&text, &[]);
    let all = gains(&scenario);
    let distinct: BTreeSet<u64> = all.iter().map(|gain| gain.to_bits()).collect();
    assert_eq!((all.len(), distinct.len()), (200, 200));
    let mean = all.iter().sum::<f64>() / 200.0;
    let variance = all.iter().map(|gain| (gain - mean).powi(2)).sum::<f64>() / 199.0;
    // Four standard errors of each: 0.003/sqrt(200), and the deviation over sqrt(2*199).
    assert!(mean.abs() < 8.5e-4 && (variance.sqrt() - 0.003).abs() < 6.1e-4, "{mean} {variance}");
    assert_eq!(gains(&loaded(&text, &[])), all);
    assert_ne!(gains(&loaded(&text, &["scenario.seed=8"])), all);
    // Another key of one member leaves the draws of all as they are.
    let other = loaded(&text, &["device.home-007.current_headroom=30"]);
    assert_eq!(gains(&other), all);
    assert_eq!(other.devices[6].values.si("current_headroom"), 30.0);
    assert_eq!(other.devices[7].values.si("current_headroom"), 100.0);
    // What was drawn stands in the resolved scenario, which is one with the same devices.
    let resolved = scenario.resolved_toml();
    assert!(!resolved.contains("normal(") && !resolved.contains("uniform("), "{resolved}");
    let again = Scenario::from_bytes(
        Path::new("resolved.toml"),
        resolved.as_bytes(),
        &LoadOptions::default(),
    );
    assert_eq!(gains(&again.unwrap_or_else(|it| panic!("{}", it.render(false)))), all);
}

#[test]
fn sources_are_drawn_one_by_one() {
    let text = device("at = \"source:flat-*\"");
    let scenario = loaded(&text, &[]);
    let resolved = scenario.resolved_toml();
    let volts: BTreeSet<&str> =
        resolved.lines().filter(|line| line.starts_with("voltage = ")).collect();
    assert_eq!(volts.len(), 5, "{resolved}");
}

#[test]
fn members_extend_their_group_in_order() {
    let text = device(
        "at = [\"source:flat-*\", \"!source:flat-3\"]\ncurrent_gain_error = \"1 %\"\n\
         [[device.member]]\nname = [\"home-flat-2\", \"home-flat-4\"]\ncurrent_gain_error = \"2 %\"\n\
         [[device.member]]\nname = \"home-*, !*-1\"\nvoltage_gain_error = \"3 %\"\n\
         [[device.member]]\nname = \"home-flat-4\"\ncurrent_gain_error = \"4 %\"",
    );
    let scenario = loaded(&text, &["device.home-flat-5.current_gain_error=\"5 %\""]);
    assert_eq!(names(&scenario), ["home-flat-1", "home-flat-2", "home-flat-4", "home-flat-5"]);
    assert_eq!(gains(&scenario), [0.01, 0.02, 0.04, 0.05]);
    let volts = |row: &DeviceRow| row.values.si("voltage_gain_error");
    let volts: Vec<f64> = scenario.devices.iter().map(volts).collect();
    assert_eq!(volts, [0.0, 0.03, 0.03, 0.03]);
    let sources: Vec<usize> = scenario.devices.iter().map(|row| row.source).collect();
    assert_eq!(sources, [0, 1, 3, 4]);
}

#[test]
fn drawn_members_are_as_many_as_stated_and_none_is_drawn_twice() {
    let text = device(
        "at = \"source:flat-1\"\ncount = 200\n\
         [[device.member]]\ndrawn = 3\ninstalled_current_ratio = [2]\n\
         [[device.member]]\nname = \"home-0*\"\ndrawn = 90\nreversed_currents = [\"l1\"]",
    );
    let odd = |seed: &str| {
        let scenario = loaded(&text, &[seed]);
        let of = |key: &str| -> Vec<String> {
            let rows = scenario.devices.iter().filter(|row| !row.values.list(key).is_empty());
            rows.map(|row| row.name.clone()).collect()
        };
        (of("installed_current_ratio"), of("reversed_currents"))
    };
    let (wrong, reversed) = odd("scenario.seed=1");
    assert_eq!((wrong.len(), reversed.len()), (3, 90));
    assert!(reversed.iter().all(|name| Pattern::new("home-0*").matches(name)));
    assert!(!wrong.iter().any(|name| reversed.contains(name)));
    assert_ne!(odd("scenario.seed=2").0, wrong);
    assert_eq!(odd("scenario.seed=1").0, wrong);
}

#[test]
fn a_meter_of_a_class_has_errors_that_stand_in_the_resolved_scenario() {
    let text = "[[device]]\nname = \"home\"\nmodel = \"class-meter-1ph\"\naccuracy_class = \"1\"\n\
                at = \"source:flat-1\"\ncount = 20\n[[device.member]]\nname = \"home-20\"\n\
                errors = [{ current = \"5 A\", error = \"3 %\" }]\n";
    let scenario = loaded(text, &[]);
    let points = |row: &DeviceRow| -> Vec<f64> {
        row.values.tables("errors").iter().map(|point| point.si("error")).collect()
    };
    let all: Vec<Vec<f64>> = scenario.devices.iter().map(points).collect();
    assert!(all[..19].iter().all(|points| points.len() == 12));
    assert!(all[..19].iter().flatten().all(|error| error.abs() <= 0.015));
    assert_ne!(all[0], all[1]);
    assert_eq!(all[19], [0.03]);
    assert!(scenario.devices[0].values.si("temperature_coefficient") != 0.0);
}

#[test]
fn what_cannot_be_made_is_refused_where_it_is_written() {
    let one = |text: &str| mistakes(&device(text));
    for (text, expected) in [
        (
            "at = [\"source:flat-1\", \"load:7\"]",
            "S018: no source or load has a name that fits `load:7`",
        ),
        ("at = [\"source:flat-*\", \"!source:*\"]", "S018: nothing is left of"),
        (
            "at = \"source:flat-1\"\ncount = 9\ncurrent_gain_error = \"normal(0 %)\"",
            "S011: expected `normal(MEAN, DEVIATION)`, found 1 numbers",
        ),
        ("at = \"source:flat-1\"\ncurrent_gain_error = \"normal(0 V, 1 V)\"", "S010: "),
        ("at = \"source:flat-1\"\ncurrent_gain_error = \"uniform(0.6, 0.7)\"", "S006: "),
        (
            "at = \"source:flat-1\"\ncount = 2\n[[device.member]]\nname = \"home-3\"\nbits = 16",
            "S018: no member of `home` has a name that fits `home-3`",
        ),
        (
            "at = \"source:flat-1\"\ncount = 2\n[[device.member]]\nbits = 16",
            "S004: which members this is about is not stated",
        ),
        (
            "at = \"source:flat-1\"\ncount = 2\n[[device.member]]\nname = \"home-1\"",
            "S004: a member like all others needs no table",
        ),
        (
            "at = \"source:flat-1\"\ncount = 2\n[[device.member]]\ndrawn = 3\nbits = 16",
            "S006: 3 of 2 members cannot be drawn",
        ),
        (
            "at = \"source:flat-1\"\ncount = 2\n[[device.member]]\nname = \"home-1\"\ncount = 3",
            "S027: `count` is a key of the whole group",
        ),
        (
            "at = \"source:flat-1\"\ncount = 2\n[[device.member]]\nname = \"home-1\"\nbitts = 16",
            "S003: ",
        ),
        (
            "at = \"source:flat-1\"\ncount = 11000\ncurrent_gain_error = \"uniform(0, 0.01)\"",
            "S006: there are more than 10000 devices that differ",
        ),
    ] {
        let found = one(text);
        assert!(found.len() == 1 && found[0].starts_with(expected), "{text}:\n{found:#?}");
    }
}
