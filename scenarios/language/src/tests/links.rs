//! Links, observers, the floor, TLS, many devices in one table, and time by the clock on the wall.

use std::time::Duration;

use lastmeter_link::impair::{Breakage, LegSpec, Preset};
use lastmeter_units::SimDuration;

use super::{assert_printed, change, load, load_with, mistakes, mistakes_with};
use crate::{DeviceRow, FloorRow, LoadOptions, Order, Through, TimeMode, TlsUse};

/// A scenario without mistakes with everything that `VALID` has not.
pub(crate) const LINKED: &str = r#"# Many meters behind a link that breaks.
format = 1
[scenario]
name = "linked"
time = "real"
duration = "10 min"

[platform]
use = "child"
tls = "mutual"

[floor]
messages = 500
period = "1 ms"
via = "slow"

[[source]]
name = "g"
kind = "synthetic"
voltage = "230 V"

[[link]]
name = "wan"
preset = "flexmeter-wan"
loss = "1 %"
down = { delay = "20 ms" }

[[link]]
name = "slow"
delay = "300 ms"
bandwidth = "64 kbit/s"

[[device]]
name = "meter"
count = 50
at = "source:g"
model = "stpm34-3ph"
fidelity = "windows"
report_every = "500 ms"
input_topic = "bound"
via = "wan"
acknowledge_limit = "5 s"
keep_alive = "0 s"
nodelay = false

[[device]]
name = "direct"
at = "source:g"
model = "stpm34-3ph"
fidelity = "windows"

[[observer]]
name = "head-end"
via = "wan"
devices = "meter-*"
connections = "per-device"

[[observer]]
name = "near"

[[inject]]
at = "5 min"
kind = "impair"
link = "wan"
delay = "200 ms"
for = "2 min"

[[inject]]
at = "2 min"
kind = "disconnect"
link = "wan"
device = "meter-1*"
how = "half-open"
for = "30 s"

[[check]]
name = "readings-once"
kind = "no_loss"
device = "meter-07"
"#;

/// That scenario with one thing changed.
fn changed(from: &str, to: &str) -> String {
    assert!(LINKED.contains(from), "{from}");
    LINKED.replacen(from, to, 1)
}

fn set(overrides: &[&str]) -> LoadOptions {
    let overrides = overrides.iter().map(|&text| text.to_owned()).collect();
    LoadOptions { overrides, ..LoadOptions::default() }
}

#[test]
fn links_observers_floor_and_tls_are_loaded_with_their_references_resolved() {
    let scenario = load(LINKED).unwrap();
    assert_eq!((scenario.schedule.time, scenario.platform.tls), (TimeMode::Real, TlsUse::Mutual));
    assert_eq!(scenario.platform.authority, None);
    let expected = FloorRow { messages: 500, period: Duration::from_millis(1), via: Some(1) };
    assert_eq!(scenario.floor, Some(expected));
    let [wan, slow] = scenario.links.as_slice() else { panic!() };
    assert_eq!((wan.name.as_str(), slow.name.as_str()), ("wan", "slow"));
    let preset = &Preset::find("flexmeter-wan").unwrap().link;
    assert_eq!(wan.spec.up.jitter, preset.up.jitter);
    assert_eq!(wan.spec.up.loss.probability, 0.01);
    assert_eq!((wan.spec.up.delay_ns, wan.spec.down.delay_ns), (50e6, 20e6));
    assert_eq!((slow.spec.up.delay_ns, slow.spec.up.bandwidth.bits_per_s), (300e6, 64e3));
    let [head_end, near] = scenario.observers.as_slice() else { panic!() };
    assert_eq!((head_end.via, head_end.per_device), (Some(0), true));
    assert_eq!(head_end.devices, (0..50).collect::<Vec<_>>());
    assert_eq!((near.via, near.per_device, near.devices.len()), (None, false, 51));
}

#[test]
fn a_table_with_a_count_makes_devices_that_differ_in_name_only() {
    let scenario = load(LINKED).unwrap();
    assert_eq!(scenario.devices.len(), 51);
    let names: Vec<&str> = scenario.devices.iter().map(|row| row.name.as_str()).collect();
    assert_eq!(
        [names[0], names[6], names[49], names[50]],
        ["meter-01", "meter-07", "meter-50", "direct"]
    );
    for row in &scenario.devices[..50] {
        assert_eq!((row.via, row.nodelay, row.keep_alive), (Some(0), false, Duration::ZERO));
        assert_eq!(row.acknowledge_limit, Duration::from_secs(5));
    }
    let direct = &scenario.devices[50];
    assert_eq!((direct.via, direct.nodelay), (None, true));
    assert_eq!(direct.keep_alive, Duration::from_secs(10));
    assert_eq!(direct.acknowledge_limit, Duration::from_secs(30));
    assert!(scenario.build_device(6).is_some());
    // Written out once, whatever it makes.
    let resolved = scenario.resolved_toml();
    assert_eq!(resolved.matches("[[device]]").count(), 2);
    assert!(resolved.contains("count = 50"), "{resolved}");
}

#[test]
fn an_override_addresses_the_table_and_with_it_all_its_devices() {
    let options = set(&[
        "device.meter.count=3",
        "device.meter.via=none",
        "check.readings-once.device=meter-3",
    ]);
    let scenario = load_with(&changed("device = \"meter-1*\"\n", ""), &options).unwrap();
    let names: Vec<&str> = scenario.devices.iter().map(|row| row.name.as_str()).collect();
    assert_eq!(names, ["meter-1", "meter-2", "meter-3", "direct"]);
    assert!(scenario.devices.iter().all(|row| row.via.is_none()));
    // The number is part of the name, also with one.
    let options = set(&["device.meter.count=1", "check.readings-once.device=meter-1"]);
    assert_eq!(load_with(LINKED, &options).unwrap().devices[0].name, "meter-1");
    // One of them is addressed by its own name, which has to be one of theirs.
    let scenario = load_with(LINKED, &set(&["device.meter-07.via=none"])).unwrap();
    let direct = |row: &&DeviceRow| row.via.is_none() && row.name.starts_with("meter-");
    let direct: Vec<&str> = scenario.devices.iter().filter(direct).map(|it| &*it.name).collect();
    assert_eq!(direct, ["meter-07"]);
    let found = mistakes_with(LINKED, &set(&["device.meter-99.via=none"]));
    let expected =
        "S018 1:1 <device.meter-99.via> no member of `meter` has a name that fits `meter-99`";
    assert_eq!(found, [expected]);
}

#[test]
fn injections_into_links_state_whom_they_are_about_and_until_when() {
    let scenario = load(LINKED).unwrap();
    let [impair, disconnect] = scenario.injections.as_slice() else { panic!() };
    let through = Through { link: 0, devices: None };
    let begins = impair.begin();
    let [Order::Impair { through: own, change: Some(change) }] = &begins[..] else {
        panic!("{begins:?}")
    };
    assert_eq!(own, &through);
    assert_eq!(impair.end(), [Order::Impair { through, change: None }]);
    let expected = LegSpec { delay_ns: 200e6, ..LegSpec::PERFECT };
    assert_eq!((change.up, change.down), (Some(expected), Some(expected)));
    assert_eq!(impair.until(), Some(SimDuration::from_seconds(7 * 60)));
    assert_eq!(disconnect.until(), Some(SimDuration::from_seconds(150)));
    let through = Through { link: 0, devices: Some((9..19).collect()) };
    let how = Breakage::HalfOpen;
    let order = |begins| [Order::Disconnect { through: through.clone(), how, begins }];
    assert_eq!((disconnect.begin(), disconnect.end()), (order(true).into(), order(false).into()));
    assert_eq!(
        impair.detail(),
        "link = \"wan\", for = \"2 min\", leg = \"both\", delay = \"200 ms\""
    );
    let endless = load(&changed("how = \"half-open\"\nfor = \"30 s\"\n", "")).unwrap();
    let begins = endless.injections[1].begin();
    assert!(matches!(begins[..], [Order::Disconnect { how: Breakage::Reset, .. }]), "{begins:?}");
    assert_eq!(endless.injections[1].until(), None);
}

#[test]
fn the_resolved_form_means_the_same_and_a_change_of_any_section_does_not() {
    let scenario = load(LINKED).unwrap();
    let resolved = scenario.resolved_toml();
    for line in ["connections = \"one\"", "via = \"none\"", "leg = \"both\"", "tls = \"mutual\""] {
        assert!(resolved.contains(line), "{line} in\n{resolved}");
    }
    let again = load(&resolved).unwrap();
    assert!(again.same_meaning(&scenario));
    assert_eq!(again.resolved_toml(), resolved);
    lastmeter_reports::Judge::new(&scenario.about.name, &resolved).unwrap();
    for (from, to) in [
        ("delay = \"20 ms\"", "delay = \"21 ms\""),
        ("messages = 500", "messages = 501"),
        ("count = 50", "count = 51"),
        ("[[observer]]\nname = \"near\"\n", ""),
        ("tls = \"mutual\"", "tls = \"server\""),
        ("for = \"30 s\"", "for = \"31 s\""),
    ] {
        assert!(!load(&changed(from, to)).unwrap().same_meaning(&scenario), "{to}");
    }
}

#[test]
fn a_floor_is_measured_in_real_time_if_a_check_needs_it_or_something_is_written_about_it() {
    let written = "[floor]\nmessages = 500\nperiod = \"1 ms\"\nvia = \"slow\"\n";
    assert!(load(LINKED).unwrap().floor.is_some(), "it is written, and no check needs it");
    let text = changed(written, "");
    let scenario = load(&text).unwrap();
    assert_eq!(scenario.floor, None);
    assert!(!scenario.resolved_toml().contains("[floor]"));
    let default = FloorRow { messages: 2000, period: Duration::from_millis(2), via: None };
    let lines = "path = \"intended..committed\"\nlimit = \"1 s\"\ncoverage = \"90 %\"\n";
    let late = format!("{text}[[check]]\nname = \"late\"\nkind = \"latency\"\n{lines}");
    let scenario = load(&late).unwrap();
    assert_eq!(scenario.floor, Some(default));
    assert!(scenario.resolved_toml().contains("[floor]\nmessages = 2000\nperiod = \"2 ms\"\n"));
    // What is set by an option is written.
    let few = load_with(&text, &set(&["floor.messages=200"])).unwrap();
    assert_eq!(few.floor.map(|row| row.messages), Some(200));
    let virtual_time = LoadOptions { time: Some(TimeMode::Virtual), ..LoadOptions::default() };
    let scenario = load_with(&text, &virtual_time).unwrap();
    assert_eq!(scenario.floor, None);
    assert!(!scenario.resolved_toml().contains("[floor]"));
}

#[test]
fn an_option_replaces_the_time_and_the_resolved_form_states_both() {
    let virtual_time = LoadOptions { time: Some(TimeMode::Virtual), ..LoadOptions::default() };
    let scenario = load_with(LINKED, &virtual_time).unwrap();
    assert_eq!(scenario.schedule.time, TimeMode::Virtual);
    let resolved = scenario.resolved_toml();
    assert!(resolved.contains("time = \"virtual\"\ntime_in_file = \"real\"\n"), "{resolved}");
    let again = load(&resolved).unwrap();
    assert!(again.same_meaning(&scenario));
    assert_ne!(scenario.written.hash, load(LINKED).unwrap().written.hash);
    // Back again: what the file stated stays known.
    let real = LoadOptions { time: Some(TimeMode::Real), ..LoadOptions::default() };
    let scenario = load_with(&resolved, &real).unwrap();
    assert!(scenario.resolved_toml().contains("time = \"real\"\ntime_in_file = \"real\"\n"));
    // A word that is none stays a mistake.
    assert_eq!(
        mistakes_with(&changed("time = \"real\"", "time = \"reel\""), &real),
        ["S007 5:8 <\"reel\"> `time_in_file` cannot be `reel`"]
    );
}

#[test]
fn a_twin_may_expect_an_inconclusive_verdict() {
    let twin =
        "[expect]\nverdict = \"inconclusive\"\ncheck = \"readings-once\"\ntwin_of = \"a/b\"\n";
    let scenario = load(&format!("{LINKED}{twin}")).unwrap();
    let expect = scenario.expected().unwrap();
    assert_eq!(expect.verdict, lastmeter_record::Status::Inconclusive);
    assert!(load(&scenario.resolved_toml()).unwrap().same_meaning(&scenario));
    let found = mistakes(&format!("{LINKED}{}", twin.replace("inconclusive", "skipped")));
    assert_eq!(found, ["S007 81:11 <\"skipped\"> `verdict` cannot be `skipped`"]);
}

/// A change of the linked scenario that makes one mistake.
const MISTAKES: &[(&str, &str)] = &[
    ("via = \"wan\"\nacknow", "via = \"wam\"\nacknow"),
    ("name = \"head-end\"\nvia = \"wan\"", "name = \"head-end\"\nvia = \"x\""),
    ("via = \"slow\"", "via = \"fast\""),
    ("kind = \"impair\"\nlink = \"wan\"", "kind = \"impair\"\nlink = \"van\""),
    ("kind = \"impair\"\nlink = \"wan\"", "kind = \"impair\"\nlink = \"slow\""),
    ("device = \"meter-1*\"", "device = \"direct\""),
    ("device = \"meter-1*\"", "device = \"meter-6*\""),
    ("device = \"meter-07\"", "device = \"meter\""),
    ("devices = \"meter-*\"", "devices = \"m\""),
    ("devices = \"meter-*\"", "devices = \"*\""),
    ("name = \"direct\"", "name = \"meter-07\""),
    ("count = 50", "count = 0"),
    ("count = 50", "count = 20001"),
    ("name = \"slow\"", "name = \"wan\"\n[[link]]\nname = \"slow\""),
    ("name = \"near\"", "name = \"head-end\""),
    ("for = \"2 min\"", "for = \"6 min\""),
    ("how = \"half-open\"", "how = \"half\""),
    ("delay = \"200 ms\"\n", ""),
    ("bandwidth = \"64 kbit/s\"", "burst_bytes = 1000"),
    ("preset = \"flexmeter-wan\"", "preset = \"wan\""),
    ("delay = \"300 ms\"", "delay = \"300\""),
    ("\"0 s\"", "\"1500 ms\""),
    ("[[link]]\nname = \"slow\"", "[[link]]\nname = \"none\"\n[[link]]\nname = \"slow\""),
    ("messages = 500", "messages = 5"),
    ("tls = \"mutual\"", "tls_authority = \"Cargo.toml\"\ntls_authority_key = \"Cargo.toml\""),
];

#[test]
fn each_mistake_comes_alone_and_where_it_is() {
    // What a mistake leads to is not reported as well.
    let cases = MISTAKES.iter().map(|(from, to)| (change(from, to), load(&changed(from, to))));
    assert_printed("links", cases);
}

#[test]
fn help_names_what_is_nearest_or_what_there_is() {
    let cases = [
        ("via = \"wan\"\nacknow", "via = \"wam\"\nacknow"),
        ("via = \"slow\"", "via = \"fibre\""),
        ("device = \"meter-07\"", "device = \"meter\""),
        ("device = \"meter-07\"", "device = \"x*\""),
        ("device = \"meter-07\"", "device = \"meter-7\""),
    ];
    let cases = cases.map(|(from, to)| (change(from, to), load(&changed(from, to))));
    assert_printed("names_that_are_near", cases);
    let freeze = "[[inject]]\nat = \"1 s\"\nkind = \"freeze\"\ndevice = \"meter\"\n";
    let failure = load(&format!("{LINKED}{freeze}")).expect_err("several");
    let expected = "`meter` makes `meter-01` to `meter-50`; write which one is meant";
    assert_eq!(failure.diagnostics()[0].help.as_deref(), Some(expected));
}

/// The linked scenario with these injections into its link instead of its own.
fn injecting(rows: &[(&str, &str, &str, &str)]) -> String {
    let begin = LINKED.find("[[inject]]").unwrap();
    let end = LINKED.find("[[check]]").unwrap();
    let row = |&(kind, at, length, more): &(&str, &str, &str, &str)| {
        let change = if kind == "impair" { "delay = \"1 ms\"\n" } else { "" };
        let length =
            if length.is_empty() { String::new() } else { format!("for = \"{length}\"\n") };
        format!(
            "[[inject]]\nat = \"{at}\"\nkind = \"{kind}\"\nlink = \"wan\"\n{length}{change}{more}\n"
        )
    };
    let rows: String = rows.iter().map(row).collect();
    format!("{}{rows}{}", &LINKED[..begin], &LINKED[end..])
}

#[test]
fn two_of_a_kind_may_follow_each_other_on_a_link_but_not_overlap() {
    let (a, b) = ("device = \"meter-1*\"", "device = \"meter-2*\"");
    for (kind, other) in [("impair", "disconnect"), ("disconnect", "impair")] {
        for (rows, overlaps) in [
            ([(kind, "1 min", "1 min", ""), (kind, "2 min", "1 min", "")], false),
            ([(kind, "1 min", "1 min 1 s", ""), (kind, "2 min", "1 min", "")], true),
            // In the order of time, not of the file.
            ([(kind, "2 min", "1 min", ""), (kind, "1 min", "1 min", "")], false),
            ([(kind, "2 min", "1 min", ""), (kind, "1 min", "2 min", "")], true),
            // Without an end it lasts.
            ([(kind, "1 min", "", ""), (kind, "9 min", "1 s", "")], true),
            ([(kind, "1 min", "1 s", ""), (kind, "9 min", "", "")], false),
            // Of another kind, or of other devices.
            ([(kind, "1 min", "5 min", ""), (other, "2 min", "1 min", "")], false),
            ([(kind, "1 min", "5 min", a), (kind, "2 min", "1 min", b)], false),
            ([(kind, "1 min", "5 min", a), (kind, "2 min", "1 min", a)], true),
            ([(kind, "1 min", "5 min", a), (kind, "2 min", "1 min", "")], true),
            // At one instant.
            ([(kind, "1 min", "1 s", ""), (kind, "60 s", "1 s", "")], true),
        ] {
            let found = mistakes(&injecting(&rows));
            let expected = usize::from(overlaps);
            assert_eq!(found.len(), expected, "{rows:?}: {found:?}");
            assert!(found.iter().all(|text| text.starts_with("S031")), "{found:?}");
        }
    }
    // To the very end is still within the scenario.
    assert_eq!(mistakes(&injecting(&[("impair", "1 min", "9 min", "")])), Vec::<String>::new());
    assert_eq!(mistakes(&injecting(&[("impair", "1 min", "9 min 1 ms", "")])).len(), 1);
    // Of no length, an instant is still one's own.
    let at_once = [("disconnect", "1 min", "0 s", ""), ("disconnect", "1 min", "0 s", "")];
    assert_eq!(mistakes(&injecting(&at_once)).len(), 1);
}

#[test]
fn a_given_authority_has_to_be_there_and_whole() {
    let folder = tempfile::tempdir().unwrap();
    let authority = lastmeter_link::tls::Authority::generate("test").unwrap();
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
    write("ca.pem", authority.certificate_pem());
    write("key.pem", &authority.key_pem());
    let other = lastmeter_link::tls::Authority::generate("other").unwrap();
    write("other.pem", &other.key_pem());
    write("profile.toml", "");
    let load = |tls: &str, more: &str| {
        let text = changed("tls = \"mutual\"", &format!("tls = \"{tls}\"\n{more}"));
        let path = folder.path().join("s.toml");
        let loaded = crate::Scenario::from_bytes(&path, text.as_bytes(), &LoadOptions::default());
        loaded.map_err(|failure| {
            let found = failure.diagnostics().iter();
            found.map(|found| format!("{} {}", found.code, found.message)).collect::<Vec<_>>()
        })
    };
    let (cert, key) = ("tls_authority = \"ca.pem\"\n", "tls_authority_key = \"key.pem\"\n");
    let given = load("server", &format!("{cert}{key}")).unwrap().platform.authority.unwrap();
    assert_eq!(given.certificate, folder.path().join("ca.pem"));
    assert_eq!(given.key, Some(folder.path().join("key.pem")));
    let describe = |tls: &str, more: &str| load(tls, more).expect_err(more);
    assert_eq!(
        describe("server", cert),
        ["S027 this authority can issue no certificates without its key"]
    );
    assert_eq!(describe("mutual", key), ["S027 the key of an authority without its certificate"]);
    let swapped = "tls_authority = \"key.pem\"\ntls_authority_key = \"ca.pem\"\n";
    assert_eq!(
        describe("mutual", swapped),
        [
            "S026 `key.pem` is refused: it holds no `-----BEGIN CERTIFICATE-----` in PEM",
            "S026 `ca.pem` is refused: it holds no `-----BEGIN PRIVATE KEY-----` in PEM",
        ]
    );
    let missing = describe("server", &format!("tls_authority = \"no.pem\"\n{key}"));
    assert!(missing[0].starts_with("S025 `no.pem` cannot be read"), "{missing:?}");
    let unfit = describe("server", &format!("{cert}tls_authority_key = \"other.pem\"\n"));
    assert!(unfit[0].starts_with("S026 the authority is refused: "), "{unfit:?}");
    assert_eq!(unfit.len(), 1);
    // Somebody else's broker has its own certificate: to verify it, no key is needed.
    let foreign = |tls: &str| format!("tls = \"{tls}\"\n{cert}").replace("use", "");
    let text = changed(
        "use = \"child\"\ntls = \"mutual\"\n",
        &format!("use = \"profile.toml\"\n{}", foreign("server")),
    );
    let path = folder.path().join("s.toml");
    let options = LoadOptions::default();
    let scenario = crate::Scenario::from_bytes(&path, text.as_bytes(), &options).unwrap();
    assert_eq!(scenario.platform.authority.unwrap().key, None);
}

#[test]
fn ten_thousand_devices_are_distinguished() {
    let options = set(&["device.meter.count=10000", "check.readings-once.device=meter-00007"]);
    let scenario = load_with(LINKED, &options).unwrap();
    assert_eq!(scenario.devices.len(), 10_001);
    assert_eq!(scenario.devices[9_999].name, "meter-10000");
    assert_eq!(scenario.observers[0].devices.len(), 10_000);
    let through = scenario.injections[1].through().unwrap();
    assert_eq!(through.devices.as_deref(), Some(&[9_999][..]));
}
