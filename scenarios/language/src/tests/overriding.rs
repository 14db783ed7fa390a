//! Overrides: addresses, values, and the messages when nothing is there.

use lastmeter_units::SimDuration;

use super::{VALID, assert_printed, load, load_with, mistakes_with};
use crate::{LoadOptions, PlatformUse};

fn set(overrides: &[&str]) -> LoadOptions {
    let overrides = overrides.iter().map(|&text| text.to_owned()).collect();
    LoadOptions { overrides, ..LoadOptions::default() }
}

#[test]
fn any_value_can_be_set_by_its_address() {
    let options = set(&[
        "scenario.duration=1 h",
        "device.home.report_every=\"5 s\"",
        "device.home.voltage_gain_error=1 %",
        "check.accuracy-u.limit = 2 V",
        "inject.1.at=2 min",
        "inject.skip.count=3",
        "inject.2.command.seconds=7",
        "source.g.harmonics=[{ order = 5, voltage = \"2 %\" }]",
        "source.g.harmonics.1.voltage=3 %",
        "scenario.start=2028-01-01T00:00:00Z",
        "check.accuracy-u.covers=[\"K-01\"]",
    ]);
    let scenario = load_with(VALID, &options).unwrap();
    assert_eq!(scenario.schedule.duration, SimDuration::from_seconds(3600));
    assert_eq!(scenario.build_device(0).unwrap().report_period(), SimDuration::from_seconds(5));
    assert_eq!(scenario.injections[0].at, SimDuration::from_seconds(120));
    assert_eq!(scenario.checks[0].covers, ["K-01"]);
    let resolved = scenario.resolved_toml();
    for line in [
        "start = 2028-01-01T00:00:00.000Z",
        "voltage_gain_error = \"1 %\"",
        "limit = \"2 V\"",
        "count = 3",
        "command = { name = \"setReportingPeriod\", seconds = \"7\" }",
    ] {
        assert!(resolved.contains(line), "{line} in\n{resolved}");
    }
    assert!(resolved.contains("voltage = \"3 %\""), "{resolved}");
    assert!(load(&resolved).unwrap().same_meaning(&scenario));
}

#[test]
fn seed_and_platform_have_options_of_their_own() {
    let options = LoadOptions {
        seed: Some(99),
        platform: Some("child".to_owned()),
        ..LoadOptions::default()
    };
    let text = VALID.replace("[platform]\nuse = \"child\"\nstrict_table2 = true\n", "");
    let scenario = load_with(&text, &options).unwrap();
    assert_eq!((scenario.schedule.seed, scenario.platform.choice), (99, PlatformUse::Child));
    let huge = LoadOptions { seed: Some(u64::MAX), ..LoadOptions::default() };
    assert_eq!(
        mistakes_with(VALID, &huge),
        ["S005 1:15 <18446744073709551615> `seed` takes a whole number, and this is text"]
    );
}

#[test]
fn a_mistake_in_an_override_is_shown_in_the_override() {
    let failure = load_with(VALID, &set(&["device.home.report_every=10"])).expect_err("no unit");
    insta::assert_snapshot!(failure.to_string().trim_end(), @r#"
        error[S008]: `10` has no unit
         --> --set:1:26
          |
        1 | device.home.report_every=10
          |                          ^^ expected a time with its unit, as text
          |
          = note: for the scenario test.toml
          = help: write `"10 s"`
          = hint: run lastmeter explain S008
    "#);
}

#[test]
fn an_override_of_nothing_points_to_the_nearest_right_address() {
    let cases = [
        "device.hoem.report_every=5 s",
        "device.home.report_evry=5 s",
        "devices.home.report_every=5 s",
        "scenario.durration=5 s",
        "check.acuracy-u.limit=5 %",
        "inject.3.att=5 s",
    ];
    let cases = cases.map(|text| (text.to_owned(), load_with(VALID, &set(&[text]))));
    assert_printed("overrides_of_nothing", cases);
    for text in [
        "inject.4.at=5 s",
        "inject.0.at=5 s",
        "nonsense=1",
        "format=2",
        "device.home=1",
        "=",
        "device.=1",
    ] {
        let found = mistakes_with(VALID, &set(&[text]));
        assert_eq!(found.len(), 1, "{text}: {found:?}");
        assert!(found[0].starts_with("S023"), "{text}: {found:?}");
    }
    let found = mistakes_with(VALID, &set(&["device.home.report_every"]));
    let expected =
        "S024 1:1 <device.home.report_every> an override has an address, `=` and a value";
    assert_eq!(found, [expected]);
}

/// What each override is, and what was there: written, by default, or nothing.
#[test]
fn what_an_override_changed_is_known_and_what_it_did_not_is_not_listed() {
    let options = LoadOptions {
        seed: Some(7),
        platform: Some("child".to_owned()),
        time: Some(crate::TimeMode::Virtual),
        ..set(&[
            "check.accuracy-u.limit=5 %",
            "check.accuracy-u.limit=6 %",
            "device.home.report_every=\"10 s\"",
            "device.home.nominal_voltage=\"231 V\"",
            "check.readings-once.device=\"*\"",
            "inject.2.command.seconds=6",
            "scenario.description=words",
            "scenario.time=virtual",
        ])
    };
    let scenario = load_with(VALID, &options).unwrap();
    let found: Vec<String> = scenario.written.overrides.iter().map(ToString::to_string).collect();
    assert_eq!(
        found,
        [
            "check.accuracy-u.limit = \"6 %\" (was \"0.5 %\")",
            "device.home.nominal_voltage = \"231 V\" (was \"230 V\")",
            "check.readings-once.device = \"*\" (was \"home\")",
            "inject.2.command.seconds = 6 (was 5)",
            "scenario.description = \"words\" (was not set)",
        ]
    );
    assert!(scenario.written.overrides.iter().all(|changed| changed.option == "--set"));
    let other = LoadOptions { seed: Some(8), ..LoadOptions::default() };
    let scenario = load_with(VALID, &other).unwrap();
    let [changed] = &scenario.written.overrides[..] else {
        panic!("{:?}", scenario.written.overrides)
    };
    assert_eq!((changed.option.as_str(), changed.was.as_deref()), ("--seed", Some("7")));
    assert_eq!(load(VALID).unwrap().written.overrides, []);
}
