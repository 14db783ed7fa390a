//! Mistakes of checks of a network in motion that could see nothing, of names that stand twice
//! there, and of keys without effect.

use super::grid::{Folder, with};
use super::{assert_printed, change};
use lastmeter_language::Scenario;

/// The scenario in motion, with more tables.
fn moving(more: &str) -> String {
    with(more).replacen("[grid]\n", "[grid]\nresolution = \"phasors\"\n", 1)
}

fn check(kind: &str, rest: &str) -> String {
    format!("[[check]]\nname = \"c\"\nkind = \"{kind}\"\n{rest}\n")
}

/// With keys of the device `home`, which are two.
fn with_home(keys: &str, more: &str) -> String {
    moving(more).replacen("at = \"load:h*\"\n", &format!("at = \"load:h*\"\n{keys}\n"), 1)
}

fn warnings(scenario: &Scenario) -> Vec<String> {
    let warnings = &scenario.written.warnings;
    warnings.iter().map(|it| format!("{} {}", it.code, it.message)).collect()
}

#[test]
fn checks_of_what_no_device_reports_are_refused() {
    let folder = Folder::new();
    let dips = "fidelity = \"samples\"\nevents = [\"dip\", \"swell\"]";
    let cover = "tamper = [\"cover\"]";
    let cases = [
        ("", check("event", "")),
        ("", check("event", "none = true")),
        ("", check("event", "device = \"home-*\"\nnone = true")),
        (dips, check("event", "what = [\"interruption\"]\nnone = true")),
        (dips, check("event", "what = [\"dip\", \"interruption\"]")),
        (dips, check("event", "none = true")),
        (dips, check("event", "what = []\nnone = true")),
        (dips, check("event", "device = \"shop\"")),
        ("", check("tamper", "none = true")),
        (cover, check("tamper", "what = [\"magnetic-field\"]")),
        (dips, check("tamper", "")),
    ];
    let load = |(keys, more): (&str, String)| {
        (change("", &format!("{keys}\n{more}")), folder.load(&with_home(keys, &more)))
    };
    assert_printed("checks_of_what_no_device_reports", cases.map(load));
    // Of several those are judged that report it.
    for (keys, more) in [
        (dips, check("event", "")),
        (dips, check("event", "what = [\"dip\"]\nnone = true")),
        (dips, check("event", "device = \"home-h1\"\nwhat = [\"swell\", \"dip\"]")),
        (cover, check("tamper", "")),
        (cover, check("tamper", "what = [\"cover\"]\nnone = true")),
    ] {
        folder.load(&with_home(keys, &more)).unwrap();
    }
}

#[test]
fn a_check_that_could_never_fail_is_refused() {
    let found = Folder::new().mistake(&moving(&check("protection_operation", "only = false")));
    assert!(found.starts_with("S027 <false> nothing has to be done"), "{found}");
}

#[test]
fn planned_interruptions_need_a_planned_outage() {
    let folder = Folder::new();
    let outage = "[[inject]]\nat = \"1 min\"\nkind = \"outage\"\ninto = \"line:L1\"\n\
                  for = \"1 min\"\n";
    let planned = outage.to_owned() + "planned = true\n";
    for of in ["only", "leave_out"] {
        let check = check("reliability", &format!("energy = \"1 kWh\"\nplanned = \"{of}\""));
        let found = folder.mistake(&moving(&[outage, &check].concat()));
        let expected = format!("S030 <\"{of}\"> no outage of this scenario is planned");
        assert!(found.starts_with(&expected), "{found}");
        folder.load(&moving(&[planned.as_str(), &check].concat())).unwrap();
    }
}

#[test]
fn a_run_too_short_for_a_sustained_interruption_is_remarked() {
    let folder = Folder::new();
    let warned = |rest: &str| warnings(&folder.load(&moving(&check("reliability", rest))).unwrap());
    for index in ["saidi = \"1 h\"", "saifi = 1", "caidi = \"1 h\""] {
        assert_eq!(warned(index), Vec::<String>::new());
        let found = warned(&format!("{index}\nsustained_from = \"11 min\""));
        assert_eq!(found.len(), 1);
        assert!(found[0].starts_with("W006 sustained interruptions last 11 min"), "{found:?}");
    }
    let energy = "energy = \"1 kWh\"\nsustained_from = \"11 min\"";
    assert_eq!(warned(energy), Vec::<String>::new());
}

const RECORDER: &str = "[[grid.recorder]]\nname = \"r\"\nat = \"node:end\"\n";

const RELAY: &str =
    "[[grid.protection]]\nname = \"P\"\nkind = \"relay\"\nat = \"line:L1\"\npickup = \"300 A\"\n";

const FUSE: &str = "[[grid.protection]]\nname = \"P\"\nkind = \"fuse-link\"\nat = \"load:shop\"\n\
                    rating = \"63 A\"\n";

#[test]
fn names_stand_once() {
    let folder = Folder::new();
    let found = folder.mistake(&moving(&[RECORDER, RECORDER].concat()));
    assert!(found.starts_with("S017 <\"r\"> there is already a disturbance recorder"), "{found}");
    let other = FUSE.replace("load:shop", "load:h1");
    let found = folder.mistake(&moving(&[FUSE, &other].concat()));
    let expected = "S017 <\"P\"> there is already a protective device named `fuse-link:P`";
    assert!(found.starts_with(expected), "{found}");
    // A relay and a fuse are distinguished by what they are.
    folder.load(&moving(&[FUSE, RELAY, RECORDER].concat())).unwrap();
}

#[test]
fn keys_without_effect_are_reported() {
    let folder = Folder::new();
    let recloser = RELAY.replace("\"relay\"", "\"recloser\"");
    let curve = "melting = [{ current = \"100 A\", time = \"10 s\" }, \
                 { current = \"1 kA\", time = \"10 ms\" }]\n";
    let table = FUSE.replace("rating = \"63 A\"\n", curve);
    let cases = [
        RELAY.to_owned() + "time = \"1 s\"\n",
        recloser.clone() + "fast_time = \"1 s\"\n",
        RELAY.to_owned() + "curve = \"definite\"\nmultiplier = 0.3\n",
        recloser + "curve = \"definite\"\nfast_multiplier = 0.3\n",
        table.clone() + "between = \"20 %\"\n",
        table.clone() + "rating = \"63 A\"\n",
    ];
    let cases = cases.map(|more| (change("", &more), folder.load(&moving(&more))));
    assert_printed("keys_without_effect", cases);
    for sound in [
        RELAY.to_owned() + "multiplier = 0.3\n",
        // The default written out, as in a resolved scenario.
        RELAY.to_owned() + "time = \"0.5 s\"\n",
        RELAY.to_owned() + "curve = \"definite\"\ntime = \"1 s\"\n",
        table,
        FUSE.to_owned() + "between = \"20 %\"\n",
    ] {
        folder.load(&moving(&sound)).unwrap();
    }
    let stepped = moving("").replace("[grid]\n", "[grid]\nwaveform_step = \"20 us\"\n");
    let found = warnings(&folder.load(&stepped).unwrap());
    assert_eq!(found, ["W007 `waveform_step` has no effect without waveforms"]);
    let default = stepped.replace("20 us", "50 us");
    assert_eq!(warnings(&folder.load(&default).unwrap()), Vec::<String>::new());
}

#[test]
fn a_dark_area_is_one_of_a_network_in_motion_while_it_is_played() {
    let folder = Folder::new();
    let asked = |text: &str, at: &str| {
        text.replacen("[grid]\n", &format!("[grid]\ndark_at = \"{at}\"\n"), 1)
    };
    let area = folder.load(&asked(&moving(""), "90 s")).unwrap().feeder().unwrap().dark_area();
    assert_eq!(area.unwrap().at, lastmeter_units::SimDuration::from_seconds(90));
    let found = warnings(&folder.load(&asked(&with(""), "90 s")).unwrap());
    assert_eq!(found, ["W007 `dark_at` has no effect without a network in motion"]);
    let found = folder.mistake(&asked(&moving(""), "3 h"));
    assert!(found.starts_with("S020 <\"3 h\"> `dark_at` is 3 h, when the scenario is"), "{found}");
}

#[test]
fn a_mistake_of_the_network_is_none_of_its_devices() {
    let text = moving(&check("no_loss", "device = \"home-h1\""));
    let text = text.replace("[grid]\n", "[grid]\nwaveform_step = \"2 ms\"\n");
    let failure = Folder::new().load(&text).err().unwrap();
    let codes: Vec<_> = failure.diagnostics().iter().map(|it| it.code.code()).collect();
    assert_eq!(codes, ["S006"]);
}

#[test]
fn mistakes_of_tampering_are_located() {
    let folder = Folder::new();
    let inject = |rest: &str| format!("[[inject]]\nat = \"1 min\"\ndevice = \"shop\"\n{rest}\n");
    let cover = "tamper = [\"cover\"]\n";
    let cases = [
        ("tamper = [\"lid\"]", String::new()),
        ("tamper = [\"cover\", \"cover\"]", String::new()),
        ("tamper_debounce = \"1 s\"", String::new()),
        ("tamper_battery = false", String::new()),
        (&format!("{cover}tamper_battery = false"), String::new()),
        (&format!("{cover}tamper_debounce = \"0 s\""), String::new()),
        (cover, inject("kind = \"tamper\"")),
        (cover, inject("kind = \"tamper\"\nwhat = \"lid\"")),
        (cover, inject("kind = \"tamper\"\nwhat = \"cover\"\nfor = \"0 s\"")),
        (cover, inject("kind = \"tamper_sensor\"\nwhat = \"cover\"")),
        (cover, inject("kind = \"tamper_sensor\"\nwhat = \"cover\"\nshows = \"all\"")),
        (cover, inject("kind = \"tamper\"\nwhat = \"cover\"").replace("shop", "shed")),
        (cover, check("tamper", "within = \"0 s\"")),
        (cover, check("tamper", "what = [\"lid\"]")),
    ];
    let load = |(keys, more): (&str, String)| {
        (change("", &format!("{keys}\n{more}")), folder.load(&with_home(keys, &more)))
    };
    assert_printed("tampering", cases.map(load));
    let sound = inject("kind = \"tamper\"\nwhat = \"cover\"\nfor = \"5 s\"")
        + &inject("kind = \"tamper_sensor\"\nwhat = \"cover\"\nshows = \"nothing\"")
        + &check("tamper", "");
    folder.load(&with_home(cover, &sound)).unwrap();
}
