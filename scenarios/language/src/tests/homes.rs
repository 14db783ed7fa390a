//! Homes: which places they have, and what cannot be one.

use super::{assert_printed, change, load};
use crate::{LoadFailure, Scenario};

const HOME: &str = r#"format = 1

[scenario]
name = "home"
start = 2027-06-21T07:00:00Z
duration = "1 h"

[[source]]
name = "mains"
kind = "synthetic"
current = "0 A"

[[home]]
name = "flat"
at = "source:mains"
sockets = [
    { name = "fridge", load = "fridge" },
    { name = "kettle", load = "kettle", phase = 2, on = [{ every = "20 min", for = "5 min" }] },
    { name = "roof", load = "photovoltaics", phase = 3 },
]

[[device]]
name = "plug"
at = "home:flat/*"
model = "stpm34-1ph"
fidelity = "windows"

[[device]]
name = "feed-in"
at = "home:flat"
model = "stpm34-3ph"
fidelity = "windows"

[[signal]]
name = "power"
at = "home:flat/kettle"
quantity = "electricity.power.active.consumed.l1"
every = "1 min"

[[check]]
name = "once"
kind = "no_loss"
"#;

fn with(from: &str, to: &str) -> (String, Result<Scenario, LoadFailure>) {
    assert!(HOME.contains(from), "{from}");
    (change(from, to), load(&HOME.replacen(from, to, 1)))
}

#[test]
fn a_home_has_a_feed_in_and_sockets() {
    let scenario = load(HOME).map_err(|failure| failure.to_string()).unwrap();
    let places: Vec<String> =
        (0..scenario.plant.sources.len()).map(|place| scenario.place_of_source(place)).collect();
    let expected =
        ["source:mains", "home:flat", "home:flat/fridge", "home:flat/kettle", "home:flat/roof"];
    assert_eq!(places, expected);
    let phases = scenario.plant.sources.iter().map(|source| source.terminal().unwrap().phases());
    assert_eq!(phases.collect::<Vec<_>>(), [3, 3, 1, 1, 1]);
    let is_cut_off = scenario.plant.sources.iter().map(|source| source.breaker.is_some());
    assert_eq!(is_cut_off.collect::<Vec<_>>(), [false, true, true, true, true]);
    let devices: Vec<&str> = scenario.devices.iter().map(|row| &*row.name).collect();
    assert_eq!(devices, ["plug-flat-fridge", "plug-flat-kettle", "plug-flat-roof", "feed-in"]);
    let again = load(&scenario.resolved_toml()).map_err(|failure| failure.to_string()).unwrap();
    assert!(scenario.same_meaning(&again));
}

#[test]
fn what_cannot_be_a_home_is_reported_at_its_place() {
    let cases = [
        ("at = \"source:mains\"", "at = \"source:main\""),
        ("at = \"source:mains\"", "at = \"load:mains\""),
        ("load = \"fridge\"", "load = \"freezer\""),
        ("name = \"kettle\"", "name = \"fridge\""),
        ("phase = 2,", "phase = 4,"),
        ("kind = \"synthetic\"\n", "kind = \"synthetic\"\nphases = 1\n"),
        ("kind = \"synthetic\"\n", "kind = \"synthetic\"\ncurrent_shape = \"half-wave\"\n"),
        ("every = \"20 min\"", "every = \"4 min\""),
        (", on = [{ every = \"20 min\", for = \"5 min\" }]", ""),
        ("at = \"home:flat\"\n", "at = \"home:house\"\n"),
        ("[[home]]", "[grid]\nfile = \"../grids/lv-feeder-55.toml\"\n\n[[home]]"),
        ("duration = \"1 h\"", "duration = \"1 h\"\ntime = \"real\""),
    ];
    assert_printed("homes", cases.map(|(from, to)| with(from, to)));
}
