//! Must-fail twins as tables of their scenario: what they mean, and what is reported of those that
//! cannot be made.

use std::path::Path;

use lastmeter_record::Status;
use lastmeter_units::SimDuration;

use super::{VALID, assert_printed, change, load};
use crate::{LoadFailure, LoadOptions, Scenario, ScenarioFile};

/// The valid scenario with a table `[[must_fail]]` of these lines.
fn with_twin(lines: &str) -> String {
    format!("{VALID}\n[[must_fail]]\n{lines}\n")
}

fn twin_with(text: &str, name: &str, options: &LoadOptions) -> Result<Scenario, LoadFailure> {
    let file = ScenarioFile::from_bytes(Path::new("test.toml"), text.as_bytes()).unwrap();
    file.twin(name, options).expect("a twin of this name")
}

fn twin(text: &str) -> Result<Scenario, LoadFailure> {
    twin_with(text, "gain", &LoadOptions::default())
}

const GAIN: &str = r#"name = "gain"
title = "The voltage is 2 % too high."
check = "accuracy-u"
set = { "device.home.voltage_gain_error" = "2 %" }"#;

#[test]
fn a_twin_is_its_scenario_with_the_changes_of_its_table() {
    let lines = format!(
        "{GAIN}\nremove = [\"inject.skip\"]\n\
         without = {{ readings-once = \"a reading is skipped\" }}\n\
         shortened.add.check = {{ name = \"once\", kind = \"no_loss\" }}\n\
         shortened.reason = \"an error of every reading\"\nshortened.duration = \"4 min\""
    );
    let twin = twin(&with_twin(&lines)).unwrap();
    let skip = VALID.find("[[inject]]\nname = \"skip\"").unwrap();
    let next = skip + VALID[skip..].find("\n\n").unwrap();
    let once = VALID.find("[[check]]\nname = \"readings-once\"").unwrap();
    let by_hand = format!("{}{}", &VALID[..skip], &VALID[next..once])
        .replace("name = \"first\"", "name = \"gain\"")
        .replace("Ten minutes – mit Ümläuten", "The voltage is 2 % too high.")
        .replace("\"10 min\"", "\"4 min\"")
        .replace("covers = [\"F-04\", \"C-04\"]\n", "")
        .replace(
            "report_every = \"10 s\"",
            "report_every = \"10 s\"\nvoltage_gain_error = \"2 %\"",
        );
    let by_hand = format!(
        "{by_hand}[[check]]\nname = \"once\"\nkind = \"no_loss\"\n[expect]\nverdict = \"fail\"\n\
         check = \"accuracy-u\"\ntwin_of = \"first/accuracy-u\"\n"
    );
    let by_hand = load(&by_hand).unwrap();
    assert_eq!(twin.resolved_toml(), by_hand.resolved_toml());
    assert!(twin.same_meaning(&by_hand) && by_hand.expected() == twin.expected());
    // What is written to the run folder is a twin by itself.
    let again = load(&twin.resolved_toml()).unwrap();
    assert!(again.same_meaning(&twin));
    let expect = again.expected().unwrap();
    assert_eq!((&*expect.check, expect.verdict), ("accuracy-u", Status::Fail));
    assert_eq!((&*expect.twin_scenario, &*expect.twin_check), ("first", "accuracy-u"));
}

/// The controls of some twins of a text: which have it, and the scenario.
fn controls(text: &str, options: &LoadOptions) -> Vec<(Vec<String>, Result<Scenario, String>)> {
    let file = ScenarioFile::from_bytes(Path::new("test.toml"), text.as_bytes()).unwrap();
    let names = |of: Vec<&str>| of.into_iter().map(str::to_owned).collect();
    let found = |failure: LoadFailure| failure.diagnostics()[0].message.clone();
    let all = file.controls(file.twins(), options).into_iter();
    all.map(|control| (names(control.of), control.scenario.map_err(found))).collect()
}

#[test]
fn a_control_is_the_twin_without_its_defect_and_twins_share_it() {
    let short = "shortened = { reason = \"x\", duration = \"4 min\" }\n\
                 without = { readings-once = \"y\" }";
    let another = GAIN.replace("\"gain\"", "\"loss\"").replace("2 %\" }", "-2 %\" }");
    let whole = another.replace("\"loss\"", "\"whole\"");
    let text = with_twin(&format!(
        "{GAIN}\n{short}\n[[must_fail]]\n{another}\n{short}\n[[must_fail]]\n{whole}"
    ));
    // What is set of the defect is not there in the control.
    let set =
        |change: &str| LoadOptions { overrides: vec![change.to_owned()], ..LoadOptions::default() };
    let plain = controls(&text, &LoadOptions::default());
    let of: Vec<&[String]> = plain.iter().map(|(of, _)| &of[..]).collect();
    assert_eq!(of, [&["gain".to_owned(), "loss".to_owned()][..], &["whole".to_owned()]]);
    let controls_of: Vec<&Scenario> = plain.iter().map(|it| it.1.as_ref().unwrap()).collect();
    let checks = |of: &Scenario| of.checks.iter().map(|it| it.name.clone()).collect::<Vec<_>>();
    assert_eq!(checks(controls_of[0]), ["accuracy-u"]);
    assert_eq!(controls_of[0].schedule.duration, SimDuration::from_seconds(240));
    assert!(controls_of[0].expected().is_none() && &*controls_of[0].about.name == "first");
    assert!(controls_of.iter().all(|it| !it.resolved_toml().contains("voltage_gain_error = \"2")));
    assert!(controls_of[1].checks.iter().all(|check| check.covers.is_empty()));
    assert_eq!(checks(controls_of[1]).len(), 2);
    // The table's own, and what addresses the defect alone.
    let longer = controls(&text, &set("must_fail.gain.shortened.duration=6 min"));
    assert_eq!(longer.len(), 3);
    let added = text.replace(
        "set = {",
        "add.inject = { name = \"s\", at = \"2 s\", kind = \"kill\" }\nset = {",
    );
    let moved = controls(&added, &set("inject.s.at=3 s"));
    assert!(moved.iter().all(|(_, control)| control.is_ok()), "{moved:?}");
}

#[test]
fn a_control_that_makes_no_sense_is_a_mistake_of_its_twin() {
    // The defect brings back what the shortening took away.
    let lines = "name = \"gain\"\ncheck = \"accuracy-u\"\n\
                 shortened = { reason = \"x\", remove = [\"source.g\"] }\n\
                 add.source = { name = \"g\", kind = \"synthetic\", voltage = \"200 V\" }";
    assert!(twin(&with_twin(lines)).is_ok());
    let found = controls(&with_twin(lines), &LoadOptions::default());
    let message = found[0].1.as_ref().unwrap_err();
    assert!(message.starts_with("in the control of the must-fail twin `gain`"), "{message}");
}

#[test]
fn a_scenario_is_the_same_with_twins_beside_it() {
    let (with, without) = (load(&with_twin(GAIN)).unwrap(), load(VALID).unwrap());
    assert!(with.same_meaning(&without) && with.expected().is_none());
    assert_eq!(with.resolved_toml(), without.resolved_toml());
    assert_ne!(with.written.hash, twin(&with_twin(GAIN)).unwrap().written.hash);
}

#[test]
fn a_check_that_nobody_writes_mirrors_one_of_the_scenario() {
    let lines = "name = \"gain\"\ncheck = \"unjudged-readings\"\nverdict = \"inconclusive\"\n\
                 mirrors = \"readings-once\"\nset.\"inject.skip.count\" = 5\n\
                 without.readings-once = \"it is what would judge them\"";
    let twin = twin(&with_twin(lines)).unwrap();
    let expect = twin.expected().unwrap();
    assert_eq!((&*expect.check, expect.verdict), ("unjudged-readings", Status::Inconclusive));
    assert_eq!(expect.twin_check, "readings-once");
    assert_eq!(twin.checks.len(), 1);
}

#[test]
fn options_change_a_twin_after_its_table_does() {
    let options = |change: &str| LoadOptions {
        overrides: vec![change.to_owned()],
        seed: Some(11),
        ..LoadOptions::default()
    };
    let text =
        with_twin(&format!("{GAIN}\nshortened = {{ reason = \"x\", duration = \"4 min\" }}"));
    let minutes = |count: i64| SimDuration::from_seconds(60 * count);
    for (change, gain, duration) in [
        ("device.home.voltage_gain_error=3 %", "3 %", minutes(4)),
        ("scenario.duration=5 min", "2 %", minutes(5)),
        ("must_fail.gain.shortened.duration=6 min", "2 %", minutes(6)),
    ] {
        let twin = twin_with(&text, "gain", &options(change)).unwrap();
        assert_eq!((twin.schedule.duration, twin.schedule.seed), (duration, 11), "{change}");
        assert!(twin.resolved_toml().contains(&format!("voltage_gain_error = \"{gain}\"")));
    }
}

#[test]
fn mistakes_are_located_in_the_table() {
    let head = "name = \"gain\"\ncheck = \"accuracy-u\"\n";
    let cases = [
        // At the address.
        format!("{head}set = {{ \"device.hom.count\" = 2 }}"),
        format!("{head}set = {{ device.home.voltage_gain_error = \"1 %\" }}"),
        format!("{GAIN}\nremove = [\"check.accuracy-u\", \"check.1\"]"),
        format!("{head}set = {{ \"scenario.name\" = \"other\" }}"),
        format!("{head}remove = [\"check.none\"]"),
        format!("{GAIN}\nwithout = {{ none = \"a reason\" }}"),
        // At the value.
        format!("{head}set = {{ \"device.home.report_every\" = \"10\" }}"),
        format!("{head}add.inject = {{ at = \"1 s\", kind = \"freze\", device = \"home\" }}"),
        // What is judged, and how the twin is called, is no defect.
        format!("{head}set = {{ \"check.accuracy-u.limit\" = \"1 uV\" }}"),
        format!("{head}remove = [\"check.readings-once\"]"),
        format!("{head}add.signal = {{ name = \"u\" }}"),
        format!("{head}set = {{ \"scenario.duration\" = \"1 min\" }}"),
        format!("{GAIN}\nshortened = {{ reason = \"x\", set = {{ \"scenario.name\" = \"y\" }} }}"),
        format!("{GAIN}\nreason = \"host-load\""),
        // What it changes, and what it is the twin of.
        format!("{head}set = {{ \"device.home.report_every\" = \"10 s\" }}"),
        head.to_owned(),
        GAIN.replace("accuracy-u", "accuracy"),
        format!("{GAIN}\nmirrors = \"readings-once\""),
        GAIN.replace("accuracy-u\"", "unjudged-readings\"\nmirrors = \"accuracy\""),
        GAIN.replace("accuracy-u", "unjudged-readings"),
        // What is wrong elsewhere because of it.
        format!("{head}remove = [\"source.g\"]"),
    ];
    let cases = cases.map(|lines| (change("", &lines), twin(&with_twin(&lines))));
    assert_printed("twins", cases);
}

#[test]
fn what_a_table_states_by_itself_is_looked_at_with_the_scenario() {
    let cases = [
        format!("{GAIN}\n[[must_fail]]\n{GAIN}"),
        GAIN.replace("gain\"\nt", "first\"\nt"),
        format!("{GAIN}\nverdict = \"pass\""),
        format!("{GAIN}\nshortened = {{ duration = \"1 s\" }}"),
        format!("{GAIN}\nshortened = {{ reason = \" \", duration = \"1 s\" }}"),
        format!("{GAIN}\nwithout = {{ readings-once = \"\" }}"),
        format!("{GAIN}\nreason = \"outside\""),
        format!("{GAIN}\n[expect]\nverdict = \"fail\"\ncheck = \"accuracy-u\"\ntwin_of = \"a/b\""),
    ];
    let cases = cases.map(|lines| (change("", &lines), load(&with_twin(&lines))));
    assert_printed("tables_of_twins", cases);
}

#[test]
fn mistakes_of_all_twins_come_at_once_and_those_of_the_scenario_before() {
    let twins = |gain: &str| {
        let second = GAIN.replace("\"gain\"", "\"more\"").replace("2 %\" }", "many\" }");
        format!("{}\n[[must_fail]]\n{second}\n", with_twin(&GAIN.replace("2 %\" }", gain)))
    };
    let failures = |text: &str| {
        let file = ScenarioFile::from_bytes(Path::new("test.toml"), text.as_bytes()).unwrap();
        file.with_twins(&LoadOptions::default()).map_err(|failures| failures.len())
    };
    assert_eq!(failures(&twins("few\" }")).unwrap_err(), 2);
    assert_eq!(failures(&twins("1 %\" }")).unwrap_err(), 1);
    assert_eq!(failures(&twins("few\" }").replace("source:g", "source:h")).unwrap_err(), 1);
    let (_, twins) = failures(&with_twin(GAIN)).unwrap();
    assert_eq!(twins.iter().map(|twin| &*twin.about.name).collect::<Vec<_>>(), ["gain"]);
}
