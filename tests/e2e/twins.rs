//! Every check of the library has its must-fail twin, and every twin fails by exactly its check.
//!
//! What belongs together is read from the library's own files, so nothing can be forgotten: a twin
//! whose check is not red, a check without a twin (but for what runs in real time), a test of a
//! standard that is played and not judged. What a twin leaves out to save time, and why, stands in
//! its table.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use lastmeter_bench::select::select;
use lastmeter_language::{LoadOptions, ScenarioFile};
use toml::{Table, Value};

use crate::bench::{
    DatabaseOfRuns, Done, json, lastmeter, recordings, run, verdict, virtual_library,
};

/// Checks without a twin of their own, as `scenario/check`, and why.
const WITHOUT_TWIN: [(&str, &str); 6] = [
    ("class-*/readings-once", "`class-skipped-reading` is the twin for all that play a test plan"),
    ("table-1-*/readings-once", "they play a test plan: `class-skipped-reading`"),
    ("lv-feeder-solar/readings-once", "the network of `lv-feeder-skipped-reading`"),
    ("lv-feeder-standard/readings-once", "the network of `lv-feeder-skipped-reading`"),
    ("twenty-meters-dip/class-1", "`two-hundred-meters-transformer` is the twin of this check"),
    ("first-light-recording/*", "the recording is not here; the last test below plants its errors"),
];

/// Keys of `[test_plan]` by which a twin may differ from the scenario it is the twin of.
const MAY_DIFFER: [&str; 4] = ["class", "maximum_current", "readings", "settle"];

/// How many points of a test plan each defect of a front end turns red, and the worst of them.
const POINTS: [(&str, u32, &str); 26] = [
    ("class-anti-alias", 1, "harmonics at 0.5 Imax, PF 1, fifth-harmonic"),
    ("class-creep", 1, "no-load at"),
    ("class-crosstalk", 1, "error-pf1 at 0.01 In, PF 1:"),
    ("class-harmonic-divider", 1, "voltage-distortion at In, PF 1, order-40"),
    ("class-harmonic-droop", 2, "voltage-harmonics at In, PF 1, order-40"),
    ("class-harmonic-jitter", 1, "voltage-without-harmonics at In, PF 1"),
    ("class-harmonic-non-linear", 1, "voltage-without-harmonics at In, PF 1"),
    ("class-high-pass", 8, "error-pf025-05 at"),
    ("class-integral-non-linearity", 6, "error-pf1 at"),
    ("class-load-balance", 1, "load-balance at In, PF 1, L1 only"),
    ("class-low-current-phase", 1, "error-pf05-08 at 0.02 In, PF 0.5 ind:"),
    ("class-missed-windows", 1, "sub-harmonics at 0.5 In, PF 1, burst"),
    ("class-non-linear", 6, "voltage-pf1 at"),
    ("class-phase-error", 8, "error-pf025-05 at"),
    ("class-phases-in-turn", 1, "unbalance at"),
    ("class-pickup", 1, "reversed-sequence at 0.1 In, PF 1"),
    ("class-r46-aliasing", 1, "phase-fired at 0.5 Ib, PF 1"),
    ("class-rogowski", 6, "frequency-pf05 at"),
    ("class-saturation", 1, "half-wave at 0.70710678 Imax, PF 1"),
    ("class-skew", 8, "error-pf025-05 at"),
    ("class-supply", 3, "voltage-unbalance at In, PF 1"),
    ("class-temperature-slope", 6, "temperature at"),
    ("class-1-aliasing", 1, "odd-harmonics at 0.5 Ib, PF 1"),
    ("class-1-coarse-steps", 1, "starting at Ist"),
    ("class-uneven-steps", 1, "single-phase-pf1 at 0.05 In, PF 1"),
    ("class-unmatched-transformers", 8, "single-phase-pf1 at"),
];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// All TOML files below a folder, by their stems.
fn read(folder: &Path) -> BTreeMap<String, Table> {
    let mut found = BTreeMap::new();
    for entry in std::fs::read_dir(folder).unwrap().map(Result::unwrap) {
        let path: PathBuf = entry.path();
        if path.is_dir() {
            found.extend(read(&path));
        } else if path.extension().is_some_and(|extension| extension == "toml") {
            let text = std::fs::read_to_string(&path).unwrap();
            let table = text.parse().unwrap_or_else(|error| panic!("{}: {error}", path.display()));
            let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
            assert!(found.insert(name, table).is_none(), "{}: a name twice", path.display());
        }
    }
    found
}

/// A scenario or a twin, as resolved.
struct Resolved {
    table: Table,
    /// The table `[[must_fail]]` of a twin.
    twin: Table,
    in_real_time: bool,
}

/// The scenarios and the twins of the library.
#[derive(Default)]
struct Library {
    scenarios: BTreeMap<String, Resolved>,
    twins: BTreeMap<String, Resolved>,
}

static LIBRARY: LazyLock<Library> = LazyLock::new(|| {
    let mut library = Library::default();
    for file in select(&[root().join("scenarios/library")]).unwrap().files {
        let text = std::fs::read_to_string(&file.path).unwrap();
        let written: Table = text.parse().unwrap();
        if !written.contains_key("scenario") {
            continue;
        }
        let read = ScenarioFile::read(&file.path).unwrap();
        let loaded = read.with_twins(&LoadOptions::from_environment());
        let (scenario, twins) = loaded.unwrap_or_else(|failures| panic!("{}", failures[0]));
        let in_real_time = file.path.to_str().unwrap().contains("/real-time/");
        let resolved = |toml: String, twin: Option<&Table>| Resolved {
            table: toml.parse().unwrap(),
            twin: twin.cloned().unwrap_or_default(),
            in_real_time,
        };
        let name = scenario.about.name.clone();
        library.scenarios.insert(name, resolved(scenario.resolved_toml(), None));
        for (twin, table) in twins.iter().zip(tables(&written, "must_fail")) {
            let name = twin.about.name.clone();
            let twin = resolved(twin.resolved_toml(), Some(table));
            assert!(library.twins.insert(name.clone(), twin).is_none(), "{name}: a name twice");
        }
    }
    library
});

fn text<'a>(table: &'a Table, key: &str) -> &'a str {
    table.get(key).and_then(Value::as_str).unwrap_or_default()
}

fn tables<'a>(table: &'a Table, key: &str) -> impl Iterator<Item = &'a Table> {
    let all = table.get(key).and_then(Value::as_array);
    all.into_iter().flatten().filter_map(Value::as_table)
}

fn texts(table: &Table, key: &str) -> Vec<String> {
    let all = table.get(key).and_then(Value::as_array);
    all.into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
}

fn checks(scenario: &Table) -> BTreeMap<&str, &Table> {
    tables(scenario, "check").map(|check| (text(check, "name"), check)).collect()
}

fn has_test_plan_check(scenario: &Table) -> bool {
    tables(scenario, "check").any(|check| text(check, "kind") == "test_plan")
}

/// Whether a name matches a pattern with at most one `*`.
fn is_like(name: &str, pattern: &str) -> bool {
    match pattern.split_once('*') {
        None => name == pattern,
        Some((before, after)) => {
            assert!(!after.contains('*'), "{pattern}: this test knows one `*` only");
            name.len() >= before.len() + after.len()
                && name.starts_with(before)
                && name.ends_with(after)
        }
    }
}

/// The verdict that a run gets by itself where no check judges what is wrong with its readings.
const IMPLICIT: &str = "unjudged-readings";

#[test]
fn every_twin_fails_by_exactly_its_check() {
    let scratch = tempfile::tempdir().unwrap();
    // Where somebody has just run them, or those that were drawn, their folders are read; else
    // those in virtual time are run here. Twins in real time want the machine for themselves.
    let run_before = std::env::var_os("LASTMETER_TWINS").map(PathBuf::from);
    let is_drawn = run_before.is_some();
    let out = run_before.unwrap_or_else(|| {
        let out = scratch.path().join("twins");
        let (library, database) = (virtual_library(scratch.path()), DatabaseOfRuns::start());
        let mut command = lastmeter();
        command.args(["run", &library, "--out", out.to_str().unwrap(), "--must-fail"]);
        let done = Done::from(database.known_to(&mut command).output().unwrap());
        assert_eq!(done.code, 0, "{done:?}");
        out
    });
    let in_virtual_time = LIBRARY.twins.iter().filter(|(_, twin)| !twin.in_real_time);
    let twins: BTreeMap<&str, &Table> =
        in_virtual_time.map(|(name, twin)| (name.as_str(), &twin.table)).collect();
    let is_run = |name: &str| !is_drawn || out.join(name).is_dir();
    let (all, twins): (usize, BTreeMap<&str, &Table>) =
        (twins.len(), twins.into_iter().filter(|(name, _)| is_run(name)).collect());
    // Of 70 that `tests/run` draws some are in real time.
    assert!(all > 250 && twins.len() >= 60, "{} twins of {all}", twins.len());
    for (&name, &twin) in &twins {
        let expect = twin["expect"].as_table().unwrap();
        let verdicts = json(&out.join(name), "verdicts.json");
        // What nothing judges where the check of it is left out.
        let implicit = ["unjudged-alerts", IMPLICIT];
        let is_of_checks = |verdict: &&serde_json::Value| {
            let check = verdict["check"].as_str().unwrap();
            check == text(expect, "check") || !implicit.contains(&check)
        };
        let verdicts: Vec<&serde_json::Value> =
            verdicts.as_array().unwrap().iter().filter(is_of_checks).collect();
        let is_implicit = text(expect, "check") == IMPLICIT;
        assert_eq!(verdicts.len(), checks(twin).len() + usize::from(is_implicit), "{name}");
        for verdict in verdicts {
            let is_its = verdict["check"] == text(expect, "check");
            let check = checks(twin).get(verdict["check"].as_str().unwrap()).copied();
            let is_known =
                check.is_some_and(|check| tables(check, "not_reproduced").next().is_some());
            let status = match (is_its, is_known) {
                (true, _) => text(expect, "verdict"),
                (false, true) => "skipped",
                // No accuracy of values that were altered on their way, nor of what did not happen.
                (false, false)
                    if ["altered-readings", "nothing-to-judge"]
                        .contains(&verdict["reason"].as_str().unwrap()) =>
                {
                    "inconclusive"
                }
                (false, false) => "pass",
            };
            assert_eq!(verdict["status"], status, "{name}: {verdict}");
        }
    }
    for (name, points, worst) in POINTS.into_iter().filter(|(name, ..)| is_run(name)) {
        let check = text(twins[name]["expect"].as_table().unwrap(), "check");
        let verdict = verdict(&out.join(name), check);
        let why = verdict["why"].as_str().unwrap();
        let (red, at) = match why.split_once(" points fail; ") {
            Some((counts, at)) => (counts.split(' ').next().unwrap().parse().unwrap(), at),
            None => (1, why),
        };
        assert!(red == points && at.starts_with(worst), "{name}: {why}");
    }
    if !is_run("phase-error") {
        return;
    }
    // Half a degree at a power factor of 0.5: 1 - cos(60.5 deg) / cos(60 deg).
    let measured = verdict(&out.join("phase-error"), "power")["measured"].as_f64().unwrap();
    let expected = 100.0 * (1.0 - (60.5_f64).to_radians().cos() / (60.0_f64).to_radians().cos());
    assert!((measured - expected).abs() < 0.002, "measured {measured} %, expected {expected} %");
}

#[test]
fn every_check_has_a_twin() {
    let Library { scenarios, twins } = &*LIBRARY;
    let mut pointed_at = BTreeSet::new();
    for (name, twin) in twins {
        let expect = twin.table["expect"].as_table().unwrap();
        let (of, check) = (text(expect, "twin_of"), text(expect, "check"));
        let (scenario, original) = of.split_once('/').unwrap();
        let theirs = checks(&scenarios[scenario].table);
        if check == IMPLICIT {
            // What it turns red is the check that it leaves out.
            assert!(theirs.contains_key(original), "{name} and {of}");
            continue;
        }
        let own = checks(&twin.table);
        assert_eq!(text(own[check], "kind"), text(theirs[original], "kind"), "{name} and {of}");
        pointed_at.insert(of);
    }
    let mut missing = Vec::new();
    let mut excused = BTreeSet::new();
    for (scenario, resolved) in scenarios.iter().filter(|(_, scenario)| !scenario.in_real_time) {
        for check in checks(&resolved.table).into_keys() {
            let path = format!("{scenario}/{check}");
            if pointed_at.contains(&*path) {
                continue;
            }
            match WITHOUT_TWIN.iter().find(|(pattern, _)| is_like(&path, pattern)) {
                Some((pattern, _)) => _ = excused.insert(pattern),
                None => missing.push(path),
            }
        }
    }
    assert!(missing.is_empty(), "no twin turns these red: {missing:?}");
    assert_eq!(excused.len(), WITHOUT_TWIN.len(), "an excuse that nobody needs");
}

#[test]
fn every_twin_of_a_test_plan_plays_and_judges_all_that_its_scenario_does() {
    let Library { scenarios, twins } = &*LIBRARY;
    let mut seen = 0;
    for (name, Resolved { table, twin, .. }) in twins {
        let of = text(table["expect"].as_table().unwrap(), "twin_of");
        let (scenario, check) = of.split_once('/').unwrap();
        let original = &scenarios[scenario].table;
        if text(checks(original)[check], "kind") != "test_plan" {
            continue;
        }
        seen += 1;
        let test_plan = |table: &Table| table["test_plan"].as_table().unwrap().clone();
        let (own, theirs) = (test_plan(table), test_plan(original));
        let leaves_out = twin.get("shortened").is_some_and(|it| it.get("tests").is_some());
        let keys: BTreeSet<&String> = own.keys().chain(theirs.keys()).collect();
        for key in keys.into_iter().filter(|key| !MAY_DIFFER.contains(&key.as_str())) {
            if !(leaves_out && key == "tests") {
                assert_eq!(own.get(key), theirs.get(key), "{name}: `{key}` of [test_plan]");
            }
        }
        if leaves_out {
            continue;
        }
        let judged = |table: &Table| -> BTreeSet<(String, Vec<String>)> {
            let checks = tables(table, "check").filter(|check| text(check, "kind") == "test_plan");
            checks.map(|check| (text(check, "name").to_owned(), texts(check, "tests"))).collect()
        };
        assert_eq!(judged(table), judged(original), "{name} and {scenario}");
    }
    assert!(seen > 40, "{seen} twins of test plans");
}

#[test]
fn no_test_of_a_test_plan_is_played_without_being_judged() {
    let test_plans: BTreeMap<String, Table> = read(&root().join("base/plans/test_plans"))
        .into_values()
        .map(|test_plan| {
            (text(test_plan["test_plan"].as_table().unwrap(), "name").to_owned(), test_plan)
        })
        .collect();
    let Library { scenarios, twins } = &*LIBRARY;
    let all = scenarios.iter().chain(twins).map(|(name, resolved)| (name, &resolved.table));
    let mut seen = 0;
    for (name, scenario) in all.filter(|(_, scenario)| has_test_plan_check(scenario)) {
        let claim = scenario["test_plan"].as_table().unwrap();
        let test_plan = &test_plans[text(claim, "standard")];
        let chosen = texts(claim, "tests");
        let judged: Vec<String> =
            tables(scenario, "check").flat_map(|check| texts(check, "tests")).collect();
        for test in tables(test_plan, "test") {
            let is_of = |key: &str, value: &str| {
                let only = texts(test, key);
                only.is_empty() || only.iter().any(|one| one == value)
            };
            let test_name = text(test, "name");
            let is_chosen = chosen.is_empty() || chosen.iter().any(|one| is_like(test_name, one));
            let is_played = is_chosen
                && !test.contains_key("not_played")
                && is_of("classes", text(claim, "class"))
                && is_of("connections", text(claim, "connection"));
            if is_played {
                seen += 1;
                let is_judged = judged.iter().any(|pattern| is_like(test_name, pattern));
                assert!(is_judged, "{name} plays `{test_name}` and no check asks for it");
            }
        }
    }
    assert!(seen > 500, "{seen} tests");
}

/// The twins of `first-light-recording`, of which the recording is not part of the library.
#[test]
fn each_error_of_a_meter_on_a_recording_turns_its_check_red() {
    if recordings("each_error_of_a_meter_on_a_recording_turns_its_check_red").is_none() {
        return;
    }
    let scratch = tempfile::tempdir().unwrap();
    let file = root().join("scenarios/library/first-light-recording.toml");
    // Power may be 0.2 % off, voltage and current half of it.
    for (check, voltage, current, angle) in [
        ("voltage", "0.15 %", "0 %", "0 deg"),
        ("current", "0 %", "-0.15 %", "0 deg"),
        ("power", "0.08 %", "0.08 %", "-0.9 deg"),
    ] {
        let out = scratch.path().join(check);
        let errors = [
            "scenario.duration=\"20 s\"".to_owned(),
            format!("device.meter.voltage_gain_error=\"{voltage}\""),
            format!("device.meter.current_gain_error=\"{current}\""),
            format!("device.meter.phase_error=\"{angle}\""),
        ];
        let more: Vec<&str> = errors.iter().flat_map(|error| ["--set", error]).collect();
        let done = run(file.to_str().unwrap(), &out, &more);
        assert_eq!(done.code, 1, "{check}: {done:?}");
        for verdict in json(&out, "verdicts.json").as_array().unwrap() {
            let status = if verdict["check"] == check { "fail" } else { "pass" };
            assert_eq!(verdict["status"], status, "{check}: {verdict}");
        }
    }
}
