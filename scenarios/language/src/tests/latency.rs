//! Checks of latency: what they demand of the bench is there, or is reported before the start.

use lastmeter_reports::latency::needed_sample_size;

use super::{assert_printed, change, load, load_with, mistakes, mistakes_with};
use crate::{LoadOptions, TimeMode};

/// Ten meters behind a link that breaks, and one that is not, judged at an observer. They send
/// 45.5 ms apart, so that a stall of 45 ms hits one message.
pub(crate) const LATE: &str = r#"format = 1
[scenario]
name = "late"
time = "real"
duration = "1 min"

[platform]
use = "child"

[[source]]
name = "g"
kind = "synthetic"

[[link]]
name = "wan"
preset = "lan"

[[device]]
name = "meter"
count = 10
at = "source:g"
model = "stpm34-3ph"
fidelity = "windows"
report_every = "500 ms"
via = "wan"

[[device]]
name = "direct"
at = "source:g"
model = "stpm34-3ph"
fidelity = "windows"
report_every = "500 ms"

[[observer]]
name = "head-end"
via = "wan"
devices = "meter-*"

[[inject]]
at = "20 s"
kind = "disconnect"
link = "wan"
for = "2 s"

[[check]]
name = "late"
kind = "latency"
path = "intended..received"
device = "meter-*"
limit = "1 s"
coverage = "99 %"
stall = "45 ms"

[[check]]
name = "back"
kind = "recovery"
path = "intended..committed"
recover_within = "10 s"
"#;

fn changed(from: &str, to: &str) -> String {
    assert!(LATE.contains(from), "{from}");
    LATE.replacen(from, to, 1)
}

/// So many commands, two seconds apart; `command` has `AT` for when.
fn commands(command: &str, from_s: usize, count: usize) -> String {
    (0..count).map(|number| command.replace("AT", &format!("{} s", from_s + 2 * number))).collect()
}

fn set(overrides: &[&str]) -> LoadOptions {
    let overrides = overrides.iter().map(|&text| text.to_owned()).collect();
    LoadOptions { overrides, ..LoadOptions::default() }
}

fn in_time(time: TimeMode) -> LoadOptions {
    LoadOptions { time: Some(time), ..LoadOptions::default() }
}

/// A change that makes one mistake.
const MISTAKES: &[(&str, &str)] = &[
    ("[[observer]]\nname = \"head-end\"\nvia = \"wan\"\ndevices = \"meter-*\"\n", ""),
    ("devices = \"meter-*\"", "devices = \"meter-0*\""),
    ("devices = \"meter-*\"\n", "devices = \"meter-*\"\n[[observer]]\nname = \"other\"\n"),
    ("limit = \"1 s\"", "limit = \"1 s\"\nobserver = \"headend\""),
    ("device = \"meter-*\"\nlimit = \"1 s\"", "observer = \"head-end\"\nlimit = \"1 s\""),
    ("intended..committed", "proxy_in_up..committed"),
    ("name = \"head-end\"\nvia = \"wan\"", "name = \"head-end\""),
    ("intended..received", "intended..recieved"),
    ("kind = \"disconnect\"", "kind = \"impair\"\ndelay = \"1 s\""),
    ("for = \"2 s\"\n", ""),
    ("recover_within = \"10 s\"", "recover_within = \"10 s\"\ndevice = \"direct\""),
    ("recover_within = \"10 s\"", "recover_within = \"10 s\"\ndevice = \"meter-*\""),
    ("coverage = \"99 %\"", "coverage = \"99.9 %\""),
    ("coverage = \"99 %\"\n", ""),
    ("coverage = \"99 %\"", "warm_up = \"1 min\"\ncoverage = \"90 %\""),
    ("coverage = \"99 %\"", "warm_up = \"2 min\"\ncoverage = \"90 %\""),
];

#[test]
fn unjudgeable_checks_are_reported_with_their_span() {
    assert_eq!(mistakes(LATE), Vec::<String>::new());
    let cases = MISTAKES.iter().map(|(from, to)| (change(from, to), load(&changed(from, to))));
    assert_printed("checks_of_latency", cases);
}

#[test]
fn only_what_goes_through_a_link_passes_its_ends() {
    for (path, via, observer) in [
        ("proxy_in_up..proxy_out_down", "wan", None),
        ("intended..received", "none", None),
        ("intended..proxy_out_down", "none", Some("`proxy_out_down`: observer `head-end`")),
        ("proxy_in_down..received", "none", Some("`proxy_in_down`: observer `head-end`")),
        ("proxy_out_up..received", "none", None),
    ] {
        let options =
            set(&[&format!("check.late.path={path}"), &format!("observer.head-end.via={via}")]);
        let found = mistakes_with(LATE, &options);
        let expected = observer.map(|who| {
            format!("S030 1:17 <{path}> nothing passes {who} goes straight to the platform")
        });
        assert_eq!(found, expected.into_iter().collect::<Vec<_>>(), "{path} {via}");
    }
    // A command comes down the link of its device.
    let command = "[[inject]]\nat = \"AT\"\nkind = \"command\"\ndevice = \"direct\"\n\
                   command = { name = \"setReportingPeriod\", seconds = 1 }\n";
    let obeyed = "[[check]]\nname = \"obeyed\"\nkind = \"latency\"\nlimit = \"1 s\"\n\
                  path = \"proxy_in_down..obeyed\"\ndevice = \"direct\"\ncoverage = \"50 %\"\n";
    let found = mistakes(&format!("{LATE}{obeyed}{}", commands(command, 30, 5)));
    assert_eq!(
        found,
        ["S030 63:8 <\"proxy_in_down..obeyed\"> nothing passes `proxy_in_down`: device `direct` \
          goes straight to the platform"]
    );
}

#[test]
fn latency_is_judged_by_the_clock_on_the_wall_or_skipped_and_never_misplaced() {
    let expected = [
        "S032 47:8 <\"latency\"> a latency check needs real time",
        "S032 56:8 <\"recovery\"> a recovery check needs real time",
    ];
    let virtual_file = changed("time = \"real\"\n", "time = \"virtual\"\n");
    assert_eq!(mistakes(&virtual_file), expected);
    assert_eq!(mistakes_with(LATE, &set(&["scenario.time=virtual"])), expected);
    // An option states what is wanted now, and not what the file is about.
    assert_eq!(mistakes_with(LATE, &in_time(TimeMode::Virtual)), Vec::<String>::new());
    assert_eq!(mistakes_with(&virtual_file, &in_time(TimeMode::Virtual)), expected);
    assert_eq!(mistakes_with(&virtual_file, &in_time(TimeMode::Real)), Vec::<String>::new());
    let skipping = load_with(LATE, &in_time(TimeMode::Virtual)).unwrap();
    assert!(load(&skipping.resolved_toml()).unwrap().same_meaning(&skipping));
    // Where nothing is judged, nothing is too few.
    let few = changed("coverage = \"99 %\"", "coverage = \"99.99 %\"");
    assert_eq!(mistakes(&few).len(), 1);
    assert_eq!(mistakes_with(&few, &in_time(TimeMode::Virtual)), Vec::<String>::new());
}

#[test]
fn a_published_figure_may_be_held_against_the_model() {
    let check = "[[check]]\nname = \"median\"\nkind = \"published\"\npath = \"intended..received\"\n\
                 device = \"meter-*\"\nstatistic = \"median\"\nvalue = \"140 ms\"\n\
                 tolerance = \"5 ms\"\nsource = \"a paper\"\n";
    let checks = LATE.find("[[check]]").unwrap();
    let text = |time: &str, duration: &str| {
        format!("{}{check}", &LATE[..checks])
            .replace("\"real\"", &format!("\"{time}\""))
            .replace("1 min", duration)
    };
    assert_eq!(mistakes(&text("virtual", "30 s")), Vec::<String>::new());
    assert_eq!(mistakes(&text("real", "30 s")), Vec::<String>::new());
    // Nothing has to warm up in virtual time: 10 devices, 4 s, 8 messages each.
    let late = |found: Vec<String>| {
        found.iter().filter(|text| text.starts_with("S034")).cloned().collect::<Vec<_>>()
    };
    assert_eq!(
        late(mistakes(&text("virtual", "4 s"))),
        ["S034 47:8 <\"published\"> this check needs 100 messages, and 80 are planned"]
    );
    assert_eq!(late(mistakes(&text("virtual", "5 s"))), Vec::<String>::new());
}

#[test]
fn help_states_how_long_would_be_long_enough_and_that_is_the_shortest() {
    for (devices, coverage, expected) in
        [(3, "99 %", "1 min"), (10, "99.9 %", "160 s"), (50, "99.99 %", "316 s")]
    {
        let options = |duration: &str| {
            set(&[
                &format!("device.meter.count={devices}"),
                &format!("check.late.coverage={coverage}"),
                &format!("scenario.duration={duration}"),
                "check.late.stall=9 ms",
            ])
        };
        let failure = load_with(LATE, &options("30 s")).expect_err("too short");
        let help = failure.diagnostics()[0].help.clone().unwrap();
        let expected_help = format!("take more devices, a duration of {expected}, or claim less");
        assert_eq!(help, expected_help, "{devices} {coverage}");
        assert_eq!(mistakes_with(LATE, &options(expected)), Vec::<String>::new());
        let seconds =
            lastmeter_params::parse_quantity(expected, &[lastmeter_params::Dimension::Time]);
        let shorter = format!("{} s", seconds.unwrap().0 - 1.0);
        assert_eq!(mistakes_with(LATE, &options(&shorter)).len(), 1, "{shorter}");
    }
}

/// The shortest run is three stalls over what the coverage leaves: 0.05^(1/m) is the coverage at
/// m = 98.4, 298.1 and 2,994.2 stalls behind the warm-up, whatever the number of devices.
#[test]
fn a_run_too_short_for_its_stall_is_refused_with_the_shortest_duration() {
    // Warm-up: 10 s up to 200 s, then 5 %.
    for (coverage, stall, stall_s, stalls) in [
        ("97 %", "1 s", 1.0, 98.36),
        ("97 %", "500 ms", 0.5, 98.36),
        ("99 %", "1 s", 1.0, 298.08),
        ("99.9 %", "1 s", 1.0, 2_994.24),
        ("90 %", "10 s", 10.0, 28.43),
    ] {
        for devices in [3, 10, 40] {
            let options = |duration: i64| {
                set(&[
                    &format!("device.meter.count={devices}"),
                    &format!("check.late.coverage={coverage}"),
                    &format!("check.late.stall={stall}"),
                    &format!("scenario.duration={duration} s"),
                ])
            };
            let window_s: f64 = stalls * stall_s;
            let expected_s = (window_s + 10.0).max(window_s / 0.95);
            let failure = load_with(LATE, &options(40)).expect_err("too short");
            let [found] = failure.diagnostics() else { panic!("{failure}") };
            let start = format!(
                "a coverage of {coverage} with stalls of up to {stall} needs a duration of "
            );
            let rest = found.message.strip_prefix(&start).unwrap_or_else(|| panic!("{found:?}"));
            let (needed, planned) = rest.split_once(", and ").unwrap();
            assert_eq!((found.code.code(), planned), ("S034", "40 s are planned"));
            let needed_s =
                lastmeter_params::parse_quantity(needed, &[lastmeter_params::Dimension::Time]);
            let needed_s = needed_s.unwrap().0 as i64;
            assert!(
                (needed_s as f64 - expected_s).abs() <= 0.5 * stall_s + 2.0,
                "{needed_s} {expected_s}"
            );
            assert!(found.help.as_ref().unwrap().contains(needed), "{found:?}");
            assert_eq!(mistakes_with(LATE, &options(needed_s)), Vec::<String>::new());
            assert_eq!(mistakes_with(LATE, &options(needed_s - 1)).len(), 1, "{needed_s}");
        }
    }
    let default = changed("stall = \"45 ms\"\n", "");
    assert_eq!(
        mistakes(&default),
        [
            "S034 51:12 <\"99 %\"> a coverage of 99 % with stalls of up to 1 s needs a duration of 314 s, \
          and 1 min are planned"
        ]
    );
}

/// The planned number, counted one by one as the schedule would.
#[test]
fn planned_messages_are_those_due_from_the_end_of_the_warm_up_to_the_end() {
    for (duration_s, warm_up_s, period_ms) in
        [(60, 10, 500), (60, 0, 500), (61, 7, 300), (30, 29, 1000), (400, 20, 250)]
    {
        // Of four devices each lags a quarter of the period behind the one before it, here in
        // quarters of a ms; the check is about three of them.
        let of_device = |device: u64| {
            (1..=duration_s * 1000)
                .map(|k| 4 * k * period_ms + device * period_ms)
                .take_while(|at| *at <= 4 * duration_s * 1000)
                .filter(|at| *at >= 4 * warm_up_s * 1000)
                .count() as u64
        };
        let due: u64 = (0..3).map(of_device).sum();
        let planned_of = |devices: u64| {
            let options = set(&[
                &format!("device.meter.count={devices}"),
                &format!("device.meter.report_every={period_ms} ms"),
                &format!("scenario.duration={duration_s} s"),
                "check.late.coverage=99.99 %",
                &format!("check.late.warm_up={warm_up_s} s"),
                "inject.1.at=1 s",
            ]);
            mistakes_with(LATE, &options)
        };
        let expected = format!("and {due} are planned");
        let found = planned_of(3);
        assert!(found[0].ends_with(&expected), "{expected}: {found:?}");
        assert!(due < needed_sample_size(0.9999));
    }
}

#[test]
fn a_period_that_changes_is_not_counted_on_and_commands_are_counted_one_by_one() {
    let command = "[[inject]]\nat = \"AT\"\nkind = \"command\"\ndevice = \"meter-01\"\n\
                   command = { name = \"setReportingPeriod\", seconds = 1 }\n";
    let few = changed("coverage = \"99 %\"", "coverage = \"99.9 %\"");
    assert_eq!(mistakes(&few).len(), 1);
    assert_eq!(mistakes(&format!("{few}{}", commands(command, 30, 1))), Vec::<String>::new());
    let obeyed = "[[check]]\nname = \"obeyed\"\nkind = \"latency\"\npath = \"intended..obeyed\"\n\
                  limit = \"1 s\"\ncoverage = \"50 %\"\n";
    // A coverage of one half needs 5 commands (0.5^5 < 5 %); what comes in the warm-up is none.
    for (count, found) in [(4, 1), (5, 0)] {
        let text = format!("{LATE}{obeyed}{}", commands(command, 30, count));
        assert_eq!(mistakes(&text).len(), found, "{count}");
    }
    // All at once they are hit by one stall.
    let together = commands(command, 30, 1).repeat(5);
    let expected = "S034 64:12 <\"50 %\"> a coverage of 50 % needs 22 messages, and 5 are planned, \
                    up to 5 of them in one stall";
    assert_eq!(mistakes(&format!("{LATE}{obeyed}{together}")), [expected]);
    let early = commands(command, 1, 5);
    let expected = "S034 64:12 <\"50 %\"> a coverage of 50 % needs 5 messages, and 0 are planned";
    assert_eq!(mistakes(&format!("{LATE}{obeyed}{early}")), [expected]);
}

#[test]
fn a_table_of_ones_own_is_read_beside_the_scenario_and_goes_with_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("s.toml");
    let table = "format = 1\ntitle = \"ours\"\nedition = \"2027\"\nsource = \"us\"\n\
                 [[requirement]]\nname = \"quick\"\nlimit = \"2 s\"\ncoverage = \"95 %\"\n\
                 use = \"ours\"\nstanding = \"original\"\n";
    std::fs::write(folder.path().join("ours.toml"), table).unwrap();
    let load = |file: &str| {
        let keys = format!("profile = \"quick\"\nrequirements = \"{file}\"");
        let text = changed("limit = \"1 s\"\ncoverage = \"99 %\"", &keys);
        crate::Scenario::from_bytes(&path, text.as_bytes(), &LoadOptions::default())
    };
    let scenario = load("ours.toml").unwrap();
    assert_eq!(scenario.written.files.get("ours.toml").map(String::as_str), Some(table));
    let resolved = scenario.resolved_toml();
    // The judge has the folder of the run, and not that of the scenario.
    assert!(lastmeter_reports::Judge::new(&scenario.about.name, &resolved).is_err());
    lastmeter_reports::Judge::with_files(&scenario.about.name, &resolved, &scenario.written.files)
        .unwrap();
    let describe = |file: &str| {
        let failure = load(file).expect_err(file);
        let [found] = failure.diagnostics() else { panic!("{failure}") };
        found.code.code()
    };
    assert_eq!(describe("no.toml"), "S025");
    std::fs::write(folder.path().join("empty.toml"), "").unwrap();
    assert_eq!(describe("empty.toml"), "S026");
    std::fs::write(folder.path().join("bad.toml"), "format = 1").unwrap();
    assert_eq!(describe("bad.toml"), "S026");
    std::fs::write(folder.path().join("huge.toml"), vec![b' '; (1 << 20) + 1]).unwrap();
    assert_eq!(describe("huge.toml"), "S026");
}

#[test]
fn the_share_of_a_profile_is_what_it_needs_messages_for() {
    // On-demand read: 15 s, more than 98 %; without one late 149 messages show it.
    let text = changed("limit = \"1 s\"\ncoverage = \"99 %\"", "profile = \"on-demand-read\"");
    assert_eq!(mistakes(&text), Vec::<String>::new());
    let found = mistakes_with(
        &text,
        &set(&["device.meter.count=1", "check.late.device=meter-1", "scenario.duration=30 s"]),
    );
    let expected =
        "S034 50:11 <\"on-demand-read\"> a coverage of 98 % needs 149 messages, and 41 are planned";
    assert_eq!(found, [expected]);
    let found = mistakes(&changed("limit = \"1 s\"", "class = \"TT9\""));
    assert!(found[0].starts_with("S018 50:9 <\"TT9\">"), "{found:?}");
}
