//! `lastmeter grid` as it is typed: networks solved, drawn, short-circuited and refused.

use std::path::{Path, PathBuf};

use crate::bench::call;

/// A home of 2 kW at the end of 0.1 ohm, behind a stiff source of 400 V between lines.
const FEEDER: &str = "new circuit.small basekv=0.4 mvasc3=1000 mvasc1=1000\n\
    new line.l bus1=sourcebus.1 bus2=home.1 phases=1 r1=0.1 x1=0 c1=0\n\
    new load.h bus1=home.1 phases=1 kv=0.230940107675850 kw=2 kvar=0\n";

fn write(folder: &Path, name: &str, text: &str) -> String {
    let file: PathBuf = folder.join(name);
    std::fs::write(&file, text).unwrap();
    file.display().to_string()
}

#[test]
fn the_shipped_feeder_loses_what_is_published_and_is_drawn() {
    let folder = tempfile::tempdir().unwrap();
    let shipped = concat!(env!("CARGO_MANIFEST_DIR"), "/scenarios/grids/baran-wu-33.toml");
    let picture = folder.path().join("feeder.svg").display().to_string();
    let done = call(&["grid", shipped, "--format", "json", "--svg", &picture]);
    assert_eq!(done.code, 0, "{done:?}");
    let value: serde_json::Value = serde_json::from_str(&done.stdout).unwrap();
    let losses_w = value["lastmeter"]["losses_w"].as_f64().unwrap();
    assert!((losses_w - 202_677.0).abs() < 0.5, "{losses_w}");
    assert!(std::fs::read_to_string(&picture).unwrap().starts_with("<svg"));
    // A picture is never written over the network it shows.
    let feeder = write(folder.path(), "small.dss", FEEDER);
    let done = call(&["grid", &feeder, "--svg", &feeder]);
    assert_eq!(done.code, 2, "{done:?}");
    assert_eq!(std::fs::read_to_string(&feeder).unwrap(), FEEDER);
}

#[test]
fn a_short_circuit_is_asked_for_at_the_command_line() {
    let folder = tempfile::tempdir().unwrap();
    let feeder = write(folder.path(), "small.dss", FEEDER);
    // 230.94 V over 0.1 ohm and an ohm more of the fault; names in any case.
    let fault = ["--sc", "--fault", "ag@HOME", "--fault-resistance", "1"];
    let asked = [&["grid", &feeder, "--sources", "actual", "--format", "json"][..], &fault];
    let done = call(&asked.concat());
    assert_eq!(done.code, 0, "{done:?}");
    let value: serde_json::Value = serde_json::from_str(&done.stdout).unwrap();
    let current = value["short_circuits"][0]["current_a_rad"][0][0].as_f64().unwrap();
    assert!((current / (400.0 / 3f64.sqrt() / 1.1) - 1.0).abs() < 1e-3, "{current}");
    for wrong in ["ag", "ag@nowhere", "xyz@home", "ag@l:1.5", "open-a@home"] {
        let done = call(&["grid", &feeder, "--sc", "--fault", wrong]);
        assert_eq!(done.code, 2, "{wrong}: {done:?}");
    }
    // What belongs to short circuits is not passed over beside something else.
    for more in [&["--fault", "ag@home"][..], &["--fault-sweep"], &["--loaded"]] {
        let done = call(&[&["grid", &feeder, "--series", "day.csv"], more].concat());
        assert_eq!(done.code, 2, "{done:?}");
        assert!(done.stderr.contains("cannot be used with"), "{done:?}");
    }
    // With the home as it was, through a reactance: drawn, timed, and described as it is.
    let picture = folder.path().join("fault.svg").display().to_string();
    let loaded = ["--sc", "--fault", "ag@home", "--fault-reactance", "0.5", "--loaded"];
    let done = call(&[&["grid", &feeder, "--time", "--svg", &picture][..], &loaded].concat());
    assert_eq!(done.code, 0, "{done:?}");
    for expected in ["with loads as the admittances that they were", "0 ohm + j 0.5 ohm"] {
        assert!(done.stdout.contains(expected), "{done:?}");
    }
    assert!(done.stderr.contains("read and checked in"), "{done:?}");
    assert!(done.stderr.contains(&format!("wrote {picture}")), "{done:?}");
    assert!(std::fs::read_to_string(&picture).unwrap().starts_with("<svg"));
    let both = [&["grid", &feeder, "--sources", "actual"][..], &loaded].concat();
    assert_eq!(call(&both).code, 2, "sources are as described where loads are");
}

#[test]
fn what_is_no_network_is_refused_with_its_place_and_nothing_hangs() {
    let folder = tempfile::tempdir().unwrap();
    let nodes = |count: usize| (0..count).map(|k| format!("[[node]]\nname = 'n{k}'\n"));
    let head = "format = 1\nvoltage = '400 V'\n[[source]]\nnode = 'n0'\n\
        short_circuit_power = '10 MVA'\n";
    let line = |name: &str, from: usize, to: usize, length: &str| {
        format!(
            "[[line]]\nname = '{name}'\nfrom = 'n{from}'\nto = 'n{to}'\nr1 = '0.5 ohm/km'\n\
             x1 = '0.1 ohm/km'\nlength = '{length}'\n"
        )
    };
    let load = |p: &str| format!("[[load]]\nname = 'home'\nnode = 'n1'\np = '{p}'\n");
    let two: String = nodes(2).collect();
    let cases = [
        ("length.toml", format!("{head}{two}{}", line("l", 0, 1, "-3 m")), "length"),
        ("nan.toml", format!("{head}{two}{}", line("l", 0, 1, "nan m")), "length"),
        (
            "twice.toml",
            format!("{head}{two}{}{}", line("l", 0, 1, "3 m"), line("l", 0, 1, "4 m")),
            "the name stands on line 10 too",
        ),
        ("nowhere.toml", format!("{head}{two}{}", line("l", 0, 7, "3 m")), "n7"),
        (
            "collapse.toml",
            format!("{head}{two}{}{}", line("l", 0, 1, "2 km"), load("900 kW")),
            "n1",
        ),
        ("control.dss", "clear\nnew circuit.x\nnew \u{1b}[31mfoo\u{7} bar\n".to_owned(), "foo"),
        ("half.json", "{\"version\": \"1.0\", \"type\": \"input\"".to_owned(), "half.json"),
        ("empty.toml", String::new(), "empty.toml"),
    ];
    for (name, text, expected) in cases {
        let file = write(folder.path(), name, &text);
        let done = call(&["grid", &file]);
        assert_eq!(done.code, 2, "{name}: {done:?}");
        assert!(done.stderr.contains(expected), "{name}: {done:?}");
        assert!(!done.stderr.chars().any(|c| c.is_control() && c != '\n'), "{name}: {done:?}");
        assert!(done.stdout.is_empty(), "{name}: {done:?}");
    }
    // A de-energised part is reported, and is no mistake.
    let apart = format!("{head}{two}{}", load("1 kW"));
    let done = call(&["grid", &write(folder.path(), "island.toml", &apart)]);
    assert_eq!(done.code, 0, "{done:?}");
    assert!(done.stdout.contains("de-energised"), "{done:?}");
}

/// A scenario of two homes on one line, for a quarter of an hour.
const HOMES: &str = r#"format = 1
[scenario]
name = "two-homes"
start = 2027-01-18T18:00:00Z
duration = "15 min"
[grid]
file = "net.toml"
[[device]]
name = "home"
at = "load:*"
model = "ideal-1ph"
fidelity = "windows"
report_every = "5 min"
[[device]]
name = "all"
at = "source:supply"
model = "ideal-3ph"
fidelity = "windows"
report_every = "5 min"
[[check]]
name = "sum"
kind = "energy_balance"
substation = "all"
limit = "0.1 %"
"#;

/// The network of those homes.
fn two_homes() -> String {
    let home = |name: &str, wire: &str| {
        format!("[[load]]\nname = '{name}'\nnode = 'end'\nwires = '{wire}'\np = '3 kW'\n")
    };
    format!(
        "format = 1\nvoltage = '400 V'\n[[node]]\nname = 'bus'\n[[node]]\nname = 'end'\n\
         [[source]]\nname = 'supply'\nnode = 'bus'\nshort_circuit_power = '10 MVA'\n\
         [[line]]\nname = 'l'\nfrom = 'bus'\nto = 'end'\nr1 = '0.5 ohm/km'\n\
         x1 = '0.1 ohm/km'\nlength = '200 m'\n{}{}",
        home("one", "a"),
        home("two", "b")
    )
}

/// Networks lie beside the scenarios that use them, and are typed where scenarios are due.
#[test]
fn a_network_is_distinguished_from_a_scenario() {
    let folder = tempfile::tempdir().unwrap();
    let network = write(folder.path(), "net.toml", &two_homes());
    write(folder.path(), "two-homes.toml", HOMES);
    let all = folder.path().display().to_string();
    let checked = call(&["validate", &all]);
    assert_eq!(checked.code, 0, "{checked:?}");
    assert!(checked.stdout.contains("net.toml  (a network)"), "{checked:?}");
    let out = |name: &str| folder.path().join(name).display().to_string();
    let ran = call(&["run", &all, "--out", &out("out")]);
    assert_eq!(ran.code, 0, "{ran:?}");
    assert!(ran.stderr.contains("net.toml: a network, and no scenario, passed over"), "{ran:?}");
    assert!(ran.stdout.contains("1 scenario: 1 as expected"), "{ran:?}");
    // What a network is solved without is noted; the scenarios of the folder are listed.
    let cut = two_homes().replacen("to = 'end'", "to = 'end'\nopen = 'from'", 1);
    write(folder.path(), "net.toml", &cut);
    let checked = call(&["validate", &network]);
    assert_eq!(checked.code, 0, "{checked:?}");
    assert!(checked.stdout.contains("note: line "), "{checked:?}");
    assert!(checked.stdout.contains("its island is de-energised"), "{checked:?}");
    write(folder.path(), "net.toml", &two_homes());
    let listed = call(&["list", "scenarios", &all]);
    assert_eq!((listed.code, listed.stdout.contains("two-homes")), (0, true), "{listed:?}");
    // One that is named is not passed over.
    let script = write(folder.path(), "small.dss", FEEDER);
    for named in [&network, &script] {
        let ran = call(&["run", named, "--out", &out("named")]);
        assert_eq!(ran.code, 2, "{ran:?}");
        assert!(ran.stderr.contains("this is a network, and no scenario"), "{ran:?}");
        assert!(ran.stderr.contains(&format!("`lastmeter grid {named}`")), "{ran:?}");
    }
    write(folder.path(), "net.toml", &two_homes().replace("200 m", "-200 m"));
    let checked = call(&["validate", &network, "--format", "json"]);
    assert_eq!(checked.code, 2, "{checked:?}");
    let found: serde_json::Value = serde_json::from_str(&checked.stdout).unwrap();
    assert_eq!((&found["valid"], found["errors"].as_array().unwrap().len()), (&false.into(), 1));
    // A scenario without its head is none, and no network: it is not passed over.
    let headless = HOMES.replace("[scenario]", "[scenaro]");
    write(folder.path(), "two-homes.toml", &headless);
    let ran = call(&["run", &all, "--out", &out("headless")]);
    assert_eq!(ran.code, 2, "{ran:?}");
}

#[test]
fn a_network_runs_and_its_record_is_not_believed_once_it_was_changed() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), "net.toml", &two_homes());
    let scenario = write(folder.path(), "two-homes.toml", HOMES);
    let out = folder.path().join("run");
    let shown = out.display().to_string();
    let ran = call(&["run", &scenario, "--out", &shown, "--format", "json"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    // When all is in, the checks judge during the run as they judge its record.
    let events: Vec<serde_json::Value> =
        ran.stdout.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
    let progress: Vec<_> = events.iter().filter(|value| value["event"] == "progress").collect();
    assert_eq!(progress.len(), 15, "{ran:?}");
    for (number, value) in progress.iter().enumerate() {
        let is_last = number + 1 == progress.len();
        assert_eq!(value["verdicts"]["pass"], u64::from(is_last), "{value}");
        assert_eq!(value["verdicts"]["inconclusive"], u64::from(!is_last), "{value}");
    }
    for file in ["grid.csv", "grid-loads.csv", "grid-heaviest.svg", "grid-highest.svg"] {
        let path = out.join(file);
        let before = std::fs::read(&path).unwrap();
        std::fs::write(&path, [&before[..], b"<!-- -->\n"].concat()).unwrap();
        let done = call(&["report", &shown]);
        assert_eq!(done.code, 3, "{file}: {done:?}");
        std::fs::write(&path, before).unwrap();
        assert_eq!(call(&["report", &shown]).code, 0, "{file}");
    }
    // Two minutes that no reading covers are not passed over.
    let skipped = HOMES.replace("duration = \"15 min\"", "duration = \"17 min\"");
    let scenario = write(folder.path(), "two-homes.toml", &skipped);
    let ran = call(&["run", &scenario, "--out", &folder.path().join("open").display().to_string()]);
    assert_eq!(ran.code, 5, "{ran:?}");
    assert!(ran.stdout.contains("no interval ends after"), "{ran:?}");
}

/// What is played of the shipped feeder with a breaker, as JSON.
fn played(more: &[&str]) -> serde_json::Value {
    let shipped = concat!(env!("CARGO_MANIFEST_DIR"), "/scenarios/grids/rts-feeder.toml");
    let done = call(&[&["grid", shipped, "--play", "200 ms", "--format", "json"], more].concat());
    assert_eq!(done.code, 0, "{done:?}");
    serde_json::from_str(&done.stdout).unwrap()
}

/// The RMS value of a channel over a cycle up to an instant, in steps of 50 us.
fn rms(played: &serde_json::Value, name: &str, until_ms: usize) -> f64 {
    let all = played["channels"].as_array().unwrap();
    let found = all.iter().find(|it| it["name"] == name);
    let values = found.unwrap_or_else(|| panic!("{name}"))["values"].as_array().unwrap();
    let until = until_ms * 20;
    let square = |value: &serde_json::Value| value.as_f64().unwrap().powi(2);
    (values[until - 400..until].iter().map(square).sum::<f64>() / 400.0).sqrt()
}

#[test]
fn a_fault_is_played_as_the_short_circuit_engine_has_it_and_ends() {
    let event = ["--event", "20.3 ms fault ag@bus-3 0.05", "--event", "120ms clear ag@bus-3"];
    let played = played(&[&event[..], &["--watch", "bus-3"]].concat());
    let shipped = concat!(env!("CARGO_MANIFEST_DIR"), "/scenarios/grids/rts-feeder.toml");
    let fault = ["--sc", "--loaded", "--fault", "ag@bus-3", "--fault-resistance", "0.05"];
    let done = call(&[&["grid", shipped, "--format", "json"][..], &fault].concat());
    let value: serde_json::Value = serde_json::from_str(&done.stdout).unwrap();
    let expected_a = value["short_circuits"][0]["current_a_rad"][0][0].as_f64().unwrap();
    let found_a = rms(&played, "fault.ag@bus-3.a", 110);
    assert!((found_a / expected_a - 1.0).abs() < 5e-4, "{found_a} {expected_a}");
    let [before_v, during_v, after_v] = [20, 110, 195].map(|at| rms(&played, "bus-3.v.a", at));
    assert!(during_v < 0.6 * before_v && (after_v / before_v - 1.0).abs() < 1e-3, "{after_v}");
    assert!(rms(&played, "fault.ag@bus-3.a", 190) == 0.0);
}

#[test]
fn a_breaker_and_a_source_act_while_a_network_is_played() {
    let played = played(&[
        "--event",
        "50ms open sectioner",
        "--event",
        "110ms close sectioner",
        "--event",
        "150ms source supply 0.5",
        "--watch",
        "bus-2",
        "--watch",
        "sectioner",
    ]);
    let volts = [40, 100, 149, 195].map(|at| rms(&played, "bus-2.v.b", at));
    assert!(volts[1] < 1e-3 * volts[0] && (volts[2] / volts[0] - 1.0).abs() < 1e-3, "{volts:?}");
    assert!((volts[3] / volts[0] - 0.5).abs() < 1e-3, "{volts:?}");
    assert!(rms(&played, "sectioner.i.b", 40) > 30.0);
    assert!(rms(&played, "sectioner.i.b", 100) == 0.0);
}

#[test]
fn a_fuse_melts_by_what_the_recorded_current_adds_up_to() {
    let played = played(&[
        "--event",
        "30.7ms fault abc@bus-3",
        "--fuse",
        "sectioner 63A 0",
        "--watch",
        "sectioner",
        "--step",
        "20 us",
        "--every",
        "20 us",
    ]);
    let operations = played["operations"].as_array().unwrap();
    assert_eq!(operations.len(), 3, "{operations:?}");
    let shipped = concat!(env!("CARGO_MANIFEST_DIR"), "/scenarios/grids/rts-feeder.toml");
    let done = call(&["grid", shipped, "--format", "json", "--sc", "--fault", "abc@bus-3"]);
    let value: serde_json::Value = serde_json::from_str(&done.stdout).unwrap();
    let driven_a = value["short_circuits"][0]["current_a_rad"][0][0].as_f64().unwrap();
    assert!(driven_a > (9000.0 / 0.01_f64).sqrt(), "{driven_a}");
    for (operation, wire) in operations.iter().zip(["a", "b", "c"]) {
        assert_eq!(operation["fuse"], format!("sectioner.{wire}"));
        let all = played["channels"].as_array().unwrap();
        let name = format!("sectioner.i.{wire}");
        let found = all.iter().find(|it| it["name"] == name.as_str()).unwrap();
        let values: Vec<f64> =
            found["values"].as_array().unwrap().iter().map(|it| it.as_f64().unwrap()).collect();
        // The fastest fuse of 63 A melts by 9000 A2s wherever the network drives more than the
        // 949 A that melt it in 10 ms, and not by the load before the fault.
        let mut sum = 0.0;
        let reached = values.windows(2).enumerate().position(|(step, pair)| {
            if step as f64 * 20e-6 >= 0.0307 {
                sum += f64::midpoint(pair[0].powi(2), pair[1].powi(2)) * 20e-6;
            }
            sum >= 9000.0
        });
        let expected_s = (reached.unwrap() + 1) as f64 * 20e-6;
        let melted_s = operation["melted_s"].as_f64().unwrap();
        assert!((melted_s - expected_s).abs() < 60e-6, "{melted_s} {expected_s}");
        let cleared_s = operation["cleared_s"].as_f64().unwrap();
        assert!(cleared_s > melted_s && cleared_s < melted_s + 0.0105, "{operation}");
        let after = (cleared_s / 20e-6) as usize + 5;
        assert!(values[after..].iter().all(|value| *value == 0.0));
    }
}

#[test]
fn what_was_played_is_a_recording_that_measures() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("dip.cfg").display().to_string();
    let event = "100 ms source supply 0.7";
    played(&["--event", event, "--watch", "bus-1", "--comtrade", &file]);
    let done = call(&["measure", &file, "--format", "json"]);
    assert_eq!(done.code, 0, "{}", done.stderr);
    let value: serde_json::Value = serde_json::from_str(&done.stdout).unwrap();
    let found_v = value["phases"][0]["u_rms_v"].as_f64().unwrap();
    // Five cycles as they were, five with seven tenths of the voltage.
    let expected_v = 228.05 * f64::midpoint(1.0, 0.49).sqrt();
    assert!((found_v / expected_v - 1.0).abs() < 1e-3, "{found_v} {expected_v}");
}

#[test]
fn what_cannot_be_played_is_refused_with_the_reason() {
    let shipped = concat!(env!("CARGO_MANIFEST_DIR"), "/scenarios/grids/rts-feeder.toml");
    let begin = ["grid", shipped, "--play", "100 ms"];
    for (more, expected) in [
        (&["--event", "20ms explode bus-3"][..], "expected `TIME fault KIND@PLACE [OHM]`"),
        (&["--event", "20 fault ag@bus-3"], "expected a time with its unit"),
        (&["--event", "20ms fault ag@bus3"], "did you mean `bus-3`?"),
        (&["--event", "20ms fault ag@bus-3 -1"], "`-1` is not a number from 0 on"),
        (&["--event", "20ms fault open-a@cable-1:0.5"], "broken conductors are not played"),
        (&["--event", "20ms open sectionr"], "did you mean `sectioner`?"),
        (&["--event", "20ms source supply nan"], "`nan` is not a number"),
        (&["--fuse", "sectioner 64A"], "is not a rating of a gG fuse-link here: 16, 20"),
        (&["--fuse", "sectioner 63A 2"], "0 to 1"),
        (&["--fuse", "sectionr 63A"], "did you mean `sectioner`?"),
        (&["--watch", "bus-9"], "no node, line, switch or source of that name"),
        (&["--step", "3 ms"], "expected one between 0 and a tenth of a period"),
        (&["--step", "0 s"], "expected a time above it"),
        (&["--every", "0 s"], "expected a time above it"),
        (&["--every", "1 ns", "--play", "1000 s"], "cannot be used multiple times"),
        (&["--sc"], "cannot be used with"),
        (&["--event", "200ms open sectioner"], "behind the end of --play"),
        (&["--fuse", "sectioner 63A", "--fuse", "sectioner 16A"], "switch `sectioner` has two"),
        (&["--every", "5 ms"], "expected 1.25 ms or less"),
    ] {
        let done = call(&[&begin[..], more].concat());
        assert!(done.code == 2 && done.stderr.contains(expected), "{more:?}: {done:?}");
    }
    let done = call(&["grid", shipped, "--event", "20ms open sectioner"]);
    assert!(done.code == 2 && done.stderr.contains("--play"), "{done:?}");
    // A line is divided once, whoever names the same place again.
    let events = ["--event", "20ms fault ag@cable-3:0.4", "--event", "60ms clear ag@cable-3:0.4"];
    let done = call(&[&begin[..], &events].concat());
    assert!(done.code == 0 && done.stdout.contains("fault.ag@cable-3:0.4.a"), "{done:?}");
}
