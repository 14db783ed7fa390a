//! One scenario for each error code: the code comes out once, where the mistake is, and alone.

use std::collections::BTreeSet;

use lastmeter_params::CODES;

use super::latency::LATE;
use super::links::LINKED;
use super::{VALID, changed, mistakes, mistakes_with};
use crate::LoadOptions;

/// A change of the valid scenario, and the one mistake it makes.
const CASES: &[(&str, &str, &str)] = &[
    (
        "seed = 7",
        "seed = seven",
        "S001 9:8 <seven> this is not valid TOML: the value has no quotes",
    ),
    ("seed = 7", "seed = 7\nseed = 8", "S002 10:1 <seed> key `seed` stands twice"),
    ("seed = 7", "sede = 7", "S003 9:1 <sede> unknown key `sede`"),
    ("[platform]", "[platfrom]", "S003 11:2 <platfrom> unknown section or key `platfrom`"),
    ("duration = \"10 min\"\n", "", "S004 3:1 <[scenario]> key `duration` is missing"),
    ("format = 1\n", "", "S004 1:1 <#> key `format` is missing"),
    ("model = \"stpm34-3ph\"\n", "", "S004 20:1 <[[device]]> key `model` is missing"),
    ("name = \"setReportingPeriod\", ", "", "S004 37:11 <{ seconds = 5 }> the command has no name"),
    (
        "\"setReportingPeriod\"",
        "\"setReportingPeriods\"",
        "S035 37:11 <{ name = \"setReportingPeriods\", seconds = 5 }> unknown command \
         `setReportingPeriods`; there are COMMANDS",
    ),
    ("seed = 7", "seed = \"7\"", "S005 9:8 <\"7\"> `seed` takes a whole number, and this is text"),
    ("seed = 7", "seed = -7", "S006 9:8 <-7> `seed` is out of range"),
    (
        "start = 2027",
        "start = 2262-04-11T23:40:00Z # ",
        "S006 7:9 <2262-04-11T23:40:00Z> the scenario would end after the year 2262",
    ),
    (
        "start = 2027",
        "start = 1969-12-31T23:59:59Z # ",
        "S006 7:9 <1969-12-31T23:59:59Z> the scenario would start before 1970",
    ),
    ("use = \"child\"", "use = \"chidl\"", "S007 12:7 <\"chidl\"> `use` cannot be `chidl`"),
    ("\"230 V\"", "230", "S008 18:11 <230> `230` has no unit"),
    ("\"230 V\"", "\"230 volt\"", "S009 18:11 <\"230 volt\"> `volt` is not a unit"),
    ("\"230 V\"", "\"230 A\"", "S010 18:11 <\"230 A\"> `A` is a unit of current, not of voltage"),
    ("\"230 V\"", "\"x V\"", "S011 18:11 <\"x V\"> `x V` is not a number with a unit"),
    ("\"synthetic\"", "\"synthtic\"", "S012 17:8 <\"synthtic\"> unknown source kind `synthtic`"),
    ("\"stpm34-3ph\"", "\"stpm99\"", "S012 23:9 <\"stpm99\"> unknown device model `stpm99`"),
    ("\"kill\"", "\"kil\"", "S012 41:8 <\"kil\"> unknown injection `kil`"),
    ("\"no_loss\"", "\"loss\"", "S012 52:8 <\"loss\"> unknown check `loss`"),
    ("name = \"first\"", "name = \"a/b\"", "S013 4:8 <\"a/b\"> this is no name"),
    (
        "electricity.voltage.rms.*",
        "electricity.volts.*",
        "S014 46:12 <\"electricity.volts.*\"> no measurement identifier fits `electricity.volts.*`",
    ),
    ("17:00:00Z", "17:00:00", "S015 7:9 <2027-01-18T17:00:00> this is no instant"),
    ("format = 1", "format = 2", "S016 2:10 <2> this version of lastmeter reads another format"),
    (
        "\"readings-once\"",
        "\"accuracy-u\"",
        "S017 51:8 <\"accuracy-u\"> there is already a check named `accuracy-u`",
    ),
    ("\"source:g\"", "\"source:h\"", "S018 22:6 <\"source:h\"> there is no source named `h`"),
    ("\"source:g\"", "\"g\"", "S018 22:6 <\"g\"> `g` is no place to connect a device to"),
    (
        "device = \"home\"\ncount",
        "device = \"hom\"\ncount",
        "S018 30:10 <\"hom\"> there is no device named `hom`",
    ),
    (
        "kind = \"no_loss\"\ndevice = \"home\"",
        "kind = \"no_loss\"\ndevice = \"x*\"",
        "S018 53:10 <\"x*\"> no device has a name that fits `x*`",
    ),
    (
        "report_every = \"10 s\"",
        "as = \"hardware\"",
        "S019 24:6 <\"hardware\"> hardware without a board or a network is not available",
    ),
    ("at = \"3 min\"", "at = \"10 min\"", "S020 40:6 <\"10 min\"> at 10 min the scenario is over"),
    (
        "use = \"child\"",
        "use = \"embedded\"",
        "S021 41:8 <\"kill\"> an embedded platform cannot be killed",
    ),
    (
        "kind = \"synthetic\"\nvoltage = \"230 V\"",
        "kind = \"recording\"\nfile = \"no-such-file.cfg\"",
        "S025 18:8 <\"no-such-file.cfg\"> `no-such-file.cfg` cannot be read: No such file or \
         directory (os error 2)",
    ),
    (
        "kind = \"synthetic\"\nvoltage = \"230 V\"",
        "kind = \"spectrum\"\nfile = \"Cargo.toml\"",
        "S026 18:8 <\"Cargo.toml\"> `Cargo.toml` is refused: the first line must be `# \
         lastmeter spectrum table, format 1`, found `[package]`; is this a spectrum table?",
    ),
    ("\"F-04\"", "\"F-4\"", "S028 48:11 <\"F-4\"> `F-4` is no requirement"),
    (
        "electricity.voltage.rms.*",
        "heating.power",
        "S030 46:12 <\"heating.power\"> none of the check's devices reports `heating.power`",
    ),
];

#[test]
fn each_code_comes_alone_and_where_the_mistake_is() {
    let mut wrong = Vec::new();
    for (from, to, expected) in CASES {
        let found = mistakes(&changed(from, to));
        if found != [expected.replace("COMMANDS", &lastmeter_wire::commands::names())] {
            wrong.push(format!("{to}\n  expected {expected}\n  found {found:#?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// What takes more than one change, or an override.
fn special_cases() -> Vec<(String, LoadOptions, &'static str)> {
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
        (
            without_checks,
            plain(),
            "S022 3:1 <[scenario]> the scenario has no checks, so it judges nothing",
        ),
        (
            VALID.to_owned(),
            set("device.office.report_every=5 s"),
            "S023 1:1 <device.office.report_every> `device.office.report_every` addresses nothing \
             in this scenario",
        ),
        (
            VALID.to_owned(),
            set("seven"),
            "S024 1:1 <seven> an override has an address, `=` and a value",
        ),
        (
            recording,
            plain(),
            "S027 24:12 <\"windows\"> `g` plays a recording, which has no spectrum to compute from",
        ),
        (
            twin("accuracy", "first/accuracy-u"),
            plain(),
            "S029 56:9 <\"accuracy\"> there is no check named `accuracy` that could end so",
        ),
        (
            format!(
                "{LINKED}[[inject]]\nat = \"7 min\"\nkind = \"impair\"\nlink = \"wan\"\ndelay = \"1 s\"\n"
            ),
            set("inject.1.for=3 min"),
            "S031 81:6 <\"7 min\"> the link is already impaired at that time",
        ),
        (
            LATE.to_owned(),
            set("observer.head-end.devices=meter-0*"),
            "S033 48:8 <\"intended..received\"> observer `head-end` does not receive what \
             `meter-10` sends",
        ),
        (
            LATE.to_owned(),
            set("check.late.coverage=99.9 %"),
            "S034 1:21 <99.9 %> a coverage of 99.9 % needs 2995 messages, and 1001 are planned",
        ),
        (
            LATE[..LATE.find("[[check]]\nname = \"back\"").unwrap()].to_owned(),
            set("scenario.time=virtual"),
            "S032 47:8 <\"latency\"> a latency check needs real time",
        ),
        (
            twin("accuracy-u", "first"),
            plain(),
            "S029 57:11 <\"first\"> `first` names no check of another scenario",
        ),
    ]
}

#[test]
fn mistakes_that_need_more_than_one_change_come_alone_too() {
    for (text, options, expected) in special_cases() {
        assert_eq!(mistakes_with(&text, &options), [expected]);
    }
}

#[test]
fn every_code_has_a_case() {
    let special = special_cases();
    let expected = CASES.iter().map(|case| case.2).chain(special.iter().map(|case| case.2));
    let covered: BTreeSet<&str> = expected.map(|text| &text[..4]).collect();
    // Warnings have tests of their own.
    let errors = CODES.iter().filter(|code| !code.is_warning());
    let all: BTreeSet<&str> = errors.map(|code| code.code()).collect();
    assert_eq!(covered, all);
}
