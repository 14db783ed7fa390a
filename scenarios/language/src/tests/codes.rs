//! One scenario for each error code: the code comes out once, where the mistake is, and alone.

use std::collections::BTreeSet;

use lastmeter_params::CODES;

use super::latency::LATE;
use super::links::LINKED;
use super::{VALID, assert_printed, change, changed, load, load_with};
use crate::LoadOptions;

/// A change of the valid scenario, and the one mistake it makes.
const CASES: &[(&str, &str)] = &[
    ("seed = 7", "seed = seven"),
    ("seed = 7", "seed = 7\nseed = 8"),
    ("seed = 7", "sede = 7"),
    ("[platform]", "[platfrom]"),
    ("duration = \"10 min\"\n", ""),
    ("format = 1\n", ""),
    ("model = \"stpm34-3ph\"\n", ""),
    ("name = \"setReportingPeriod\", ", ""),
    ("\"setReportingPeriod\"", "\"setReportingPeriods\""),
    ("seed = 7", "seed = \"7\""),
    ("seed = 7", "seed = -7"),
    ("start = 2027", "start = 2262-04-11T23:40:00Z # "),
    ("start = 2027", "start = 1969-12-31T23:59:59Z # "),
    ("use = \"child\"", "use = \"chidl\""),
    ("\"230 V\"", "230"),
    ("\"230 V\"", "\"230 volt\""),
    ("\"230 V\"", "\"230 A\""),
    ("\"230 V\"", "\"x V\""),
    ("\"synthetic\"", "\"synthtic\""),
    ("\"stpm34-3ph\"", "\"stpm99\""),
    ("\"kill\"", "\"kil\""),
    ("\"no_loss\"", "\"loss\""),
    ("name = \"first\"", "name = \"a/b\""),
    ("electricity.voltage.rms.*", "electricity.volts.*"),
    ("17:00:00Z", "17:00:00"),
    ("format = 1", "format = 2"),
    ("\"readings-once\"", "\"accuracy-u\""),
    ("\"source:g\"", "\"source:h\""),
    ("\"source:g\"", "\"g\""),
    ("device = \"home\"\ncount", "device = \"hom\"\ncount"),
    ("kind = \"no_loss\"\ndevice = \"home\"", "kind = \"no_loss\"\ndevice = \"x*\""),
    ("report_every = \"10 s\"", "as = \"hardware\""),
    ("at = \"3 min\"", "at = \"10 min\""),
    ("use = \"child\"", "use = \"embedded\""),
    (
        "kind = \"synthetic\"\nvoltage = \"230 V\"",
        "kind = \"recording\"\nfile = \"no-such-file.cfg\"",
    ),
    ("kind = \"synthetic\"\nvoltage = \"230 V\"", "kind = \"spectrum\"\nfile = \"Cargo.toml\""),
    ("\"F-04\"", "\"F-4\""),
    ("[platform]", "[matrix]\nseeds = \"5\"\n[platform]"),
    ("electricity.voltage.rms.*", "heating.power"),
];

#[test]
fn each_code_comes_alone_and_where_the_mistake_is() {
    let cases = CASES.iter().map(|(from, to)| (change(from, to), load(&changed(from, to))));
    assert_printed("codes", cases);
}

/// What takes more than one change, or an override.
fn special_cases() -> Vec<(String, LoadOptions)> {
    let plain = LoadOptions::default;
    let set = |text: &str| LoadOptions { overrides: vec![text.to_owned()], ..plain() };
    let twin = |check: &str, of: &str| {
        format!("{VALID}[expect]\nverdict = \"fail\"\ncheck = \"{check}\"\ntwin_of = \"{of}\"\n")
    };
    let recording = changed(
        "kind = \"synthetic\"\nvoltage = \"230 V\"",
        "kind = \"recording\"\nfile = \"recordings:x.cfg\"",
    )
    .replace("report_every = \"10 s\"", "fidelity = \"windows\"");
    let without_checks = VALID[..VALID.find("[[check]]").unwrap()].to_owned();
    vec![
        (without_checks, plain()),
        (VALID.to_owned(), set("device.office.report_every=5 s")),
        (VALID.to_owned(), set("seven")),
        (recording, plain()),
        (twin("accuracy", "first/accuracy-u"), plain()),
        (
            format!(
                "{LINKED}[[inject]]\nat = \"7 min\"\nkind = \"impair\"\nlink = \"wan\"\ndelay = \"1 s\"\n"
            ),
            set("inject.1.for=3 min"),
        ),
        (LATE.to_owned(), set("observer.head-end.devices=meter-0*")),
        (LATE.to_owned(), set("check.late.coverage=99.9 %")),
        (
            LATE[..LATE.find("[[check]]\nname = \"back\"").unwrap()].to_owned(),
            set("scenario.time=virtual"),
        ),
        (twin("accuracy-u", "first"), plain()),
    ]
}

#[test]
fn mistakes_that_need_more_than_one_change_come_alone_too() {
    let cases = special_cases().into_iter().map(|(text, options)| {
        let tables = text.strip_prefix(VALID).unwrap_or_default();
        (change("", tables) + &options.overrides.join("\n"), load_with(&text, &options))
    });
    assert_printed("codes_of_several_changes", cases);
}

#[test]
fn every_code_has_a_case() {
    let plain = CASES.iter().map(|(from, to)| load(&changed(from, to)));
    let special = special_cases().into_iter().map(|(text, options)| load_with(&text, &options));
    let mut covered = BTreeSet::new();
    for loaded in plain.chain(special) {
        let failure = loaded.expect_err("a mistake");
        let [found] = failure.diagnostics() else { panic!("{failure}") };
        covered.insert(found.code.code());
    }
    // Warnings have tests of their own.
    let errors = CODES.iter().filter(|code| !code.is_warning());
    let all: BTreeSet<&str> = errors.map(|code| code.code()).collect();
    assert_eq!(covered, all);
}
