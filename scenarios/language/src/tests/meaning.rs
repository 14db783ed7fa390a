//! What a file without mistakes means, and that its resolved form means the same.

use std::path::Path;

use lastmeter_devices::DeviceFault;
use lastmeter_units::{SimDuration, SimTime};

use super::{VALID, changed, load, load_with};
use crate::{LoadOptions, Order, PlatformUse, Scenario};

#[test]
fn a_scenario_is_loaded_with_its_references_resolved() {
    let scenario = load(VALID).unwrap();
    assert_eq!(scenario.about.name, "first");
    assert_eq!(scenario.about.title.as_deref(), Some("Ten minutes – mit Ümläuten"));
    assert_eq!(scenario.about.tags, ["quick"]);
    assert_eq!(scenario.schedule.start, "2027-01-18T17:00:00Z".parse::<SimTime>().unwrap());
    assert_eq!(scenario.schedule.duration, SimDuration::from_seconds(600));
    assert_eq!(scenario.schedule.seed, 7);
    assert_eq!(scenario.platform.choice, PlatformUse::Child);
    assert!(scenario.platform.strict_table2);
    assert_eq!(scenario.plant.sources[0].terminal().unwrap().phases(), 3);
    assert_eq!((scenario.devices[0].name.as_str(), scenario.devices[0].source), ("home", 0));
    let device = scenario.build_device(0).unwrap();
    assert_eq!(device.report_period(), SimDuration::from_seconds(10));
    assert_eq!(scenario.checks[0].covers, ["F-04", "C-04"]);
    assert_eq!(scenario.expected(), None);
    assert_eq!(scenario.unavailable(), None);
}

#[test]
fn injections_state_what_happens_to_whom_and_when() {
    let scenario = load(VALID).unwrap();
    let [skip, command, kill] = scenario.injections.as_slice() else { panic!() };
    assert_eq!((skip.name.as_deref(), skip.kind.entry().name), (Some("skip"), "skip_reading"));
    assert_eq!(skip.at, SimDuration::from_seconds(60));
    let fault = DeviceFault::SkipReading { count: 2 };
    assert_eq!(skip.begin(), [Order::Fault { device: 0, fault }]);
    assert_eq!(skip.detail(), "device = \"home\", count = 2");
    let parameters = [("seconds".to_owned(), "5".to_owned())].into();
    let name = "setReportingPeriod".to_owned();
    assert_eq!(
        command.begin(),
        [Order::Command { device: 0, command: name, parameters, must_be_refused: false }]
    );
    assert_eq!((kill.begin(), kill.name.clone()), (vec![Order::KillPlatform], None));
}

#[test]
fn the_resolved_form_writes_defaults_out_and_means_the_same() {
    let twin =
        format!("{VALID}[expect]\nverdict = \"fail\"\ncheck = \"accuracy-u\"\ntwin_of = \"a/b\"\n");
    for text in [VALID, &twin] {
        let scenario = load(text).unwrap();
        let resolved = scenario.resolved_toml();
        for default in ["time = \"virtual\"", "as = \"simulated\"", "voltage_gain_error = \"0 %\""]
        {
            assert!(resolved.contains(default), "{default} in\n{resolved}");
        }
        let again = load(&resolved).unwrap();
        assert!(again.same_meaning(&scenario));
        assert_eq!(again.resolved_toml(), resolved);
        // The record is judged by the resolved form.
        lastmeter_reports::Judge::new(&scenario.about.name, &resolved).unwrap();
    }
    let other = load(&changed("seed = 7", "seed = 8")).unwrap();
    assert!(!other.same_meaning(&load(VALID).unwrap()));
}

#[test]
fn the_hash_covers_the_file_and_the_overrides() {
    let plain = load(VALID).unwrap();
    assert_eq!(plain.written.hash.len(), 64);
    assert_eq!(plain.written.hash, load(VALID).unwrap().written.hash);
    assert_ne!(plain.written.hash, load(&changed("# A meter", "# a meter")).unwrap().written.hash);
    let seed = LoadOptions { seed: Some(7), ..LoadOptions::default() };
    assert_ne!(plain.written.hash, load_with(VALID, &seed).unwrap().written.hash);
}

#[test]
fn left_out_sections_and_values_have_their_defaults() {
    let text = "format = 1\n[scenario]\nname = \"s\"\nduration = \"1 s\"\n\
                [[check]]\nname = \"c\"\nkind = \"refused\"\n";
    let scenario = load(text).unwrap();
    assert_eq!(scenario.platform.choice, PlatformUse::Embedded);
    assert!(!scenario.platform.strict_table2);
    assert_eq!((scenario.schedule.seed, scenario.about.title.clone()), (1, None));
    assert!(load(&scenario.resolved_toml()).unwrap().same_meaning(&scenario));
}

/// The valid scenario with a source that plays a recording.
fn playing(file: &str) -> String {
    changed(
        "kind = \"synthetic\"\nvoltage = \"230 V\"",
        &format!("kind = \"recording\"\nfile = \"{file}\""),
    )
}

#[test]
fn a_recording_that_is_not_on_this_machine_makes_a_scenario_unavailable_and_not_wrong() {
    let scenario = load(&playing("recordings:no-such.cfg")).unwrap();
    assert_eq!(
        scenario.unavailable(),
        Some(
            "`recordings:no-such.cfg` is a recording, and the environment variable \
             LASTMETER_RECORDINGS is not set to the folder of recordings"
        )
    );
    assert!(scenario.build_device(0).is_none());
    assert!(load(&scenario.resolved_toml()).unwrap().same_meaning(&scenario));
}

/// What `lastmeter measure` notes of such a recording comes as warnings at the key that names it.
#[test]
fn a_damaged_recording_is_warned_of_where_the_scenario_names_it() {
    let folder = tempfile::tempdir().unwrap();
    let write = |gap: u32| {
        let line = |k: u32| {
            let seconds = f64::from(if k < 1500 { k } else { k + gap }) / 5000.0;
            let wave = |phase: f64| (std::f64::consts::TAU * (f64::from(k) / 100.0 - phase)).sin();
            let [a, b, c] = [0.0, 1.0 / 3.0, 2.0 / 3.0].map(wave);
            let row = [325.0 * a, 325.0 * b, 325.0 * c, 7.0 * a, 7.0 * b, 7.0 * c];
            let row = row.map(|value| value.to_string()).join(",");
            format!("{seconds:.6},{row}\n")
        };
        let lines: String = (0..3000).map(line).collect();
        let text = format!("t,Va,Vb,Vc,Ia,Ib,Ic\n{lines}");
        std::fs::write(folder.path().join("g.csv"), text).unwrap();
        let file = folder.path().join("s.toml");
        std::fs::write(&file, playing("g.csv")).unwrap();
        Scenario::load(&file, &LoadOptions::default()).unwrap_or_else(|why| panic!("{why:?}"))
    };
    assert_eq!(write(0).written.warnings, []);
    let scenario = write(100);
    let shown = scenario.render_warnings(false);
    assert!(shown.starts_with("warning[W004]: `g.csv`: 1 of 2999 time steps are irreg"), "{shown}");
    assert!(shown.contains("by the stamps 100 are missing there"), "{shown}");
    let [warning] = &scenario.written.warnings[..] else {
        panic!("{:?}", scenario.written.warnings)
    };
    let text = playing("g.csv");
    assert_eq!(&text[warning.span.start..warning.span.end], "\"g.csv\"");
}

#[test]
fn a_scenario_file_and_what_it_names_are_read_from_its_folder() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("s.toml");
    let missing = Scenario::load(&file, &LoadOptions::default()).expect_err("no such file");
    assert_eq!(missing.diagnostics()[0].code.code(), "S025");
    std::fs::write(
        &file,
        VALID
            .replace("use = \"child\"", "use = \"mine.toml\"")
            .replace("kind = \"kill\"", "kind = \"freeze\"\ndevice = \"home\""),
    )
    .unwrap();
    let missing = Scenario::load(&file, &LoadOptions::default()).expect_err("no such profile");
    assert_eq!(missing.diagnostics()[0].message, "there is no profile file `mine.toml`");
    std::fs::write(folder.path().join("mine.toml"), "").unwrap();
    let scenario = Scenario::load(&file, &LoadOptions::default()).unwrap();
    assert_eq!(scenario.platform.choice, PlatformUse::Profile(folder.path().join("mine.toml")));
    assert_eq!(scenario.written.path, Path::new(&file));
}
