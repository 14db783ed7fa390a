//! A network in motion: what is injected into it, what protects it, and its mistakes.

use std::path::Path;

use lastmeter_grid::motion::OperationKind;

use super::grid::{Folder, with};
use super::{assert_printed, change, difference};
use lastmeter_language::{LoadOptions, Scenario};

fn inject(at: &str, rest: &str) -> String {
    format!("[[inject]]\nat = \"{at}\"\n{rest}\n")
}

/// The scenario in motion, with more tables.
fn moving(more: &str) -> String {
    let text = with(more);
    assert!(text.contains("[grid]\n"), "{text}");
    text.replacen("[grid]\n", "[grid]\nresolution = \"waveforms\"\n", 1)
}

const FAULT: &str = "name = \"tree\"\nkind = \"line-fault\"\ninto = \"line:L1\"\nphases = \"a\"\nangle = \"90 deg\"";

const FUSE: &str = "[[grid.protection]]\nname = \"F\"\nkind = \"fuse-link\"\nat = \"line:L1\"\nrating = \"63 A\"\n";

const INVERTER: &str =
    "[[grid.protection]]\nname = \"I\"\nkind = \"interface-protection\"\nat = \"load:h1\"\n";

const COLD: &str = "[[grid.load]]\nname = \"h1\"\nprofile = \"constant\"\ncold_load_pickup = 1.8\n";

#[test]
fn a_fault_behind_a_fuse_is_played() {
    let mend = inject("4 min", "kind = \"restore\"\ninto = \"fault:tree\"")
        + &inject("5 min", "kind = \"restore\"\ninto = \"line:L1\"");
    let scenario =
        Folder::new().load(&moving(&(FUSE.to_owned() + &inject("1 min", FAULT) + &mend))).unwrap();
    let feeder = scenario.feeder().unwrap();
    let found: Vec<(&str, OperationKind)> =
        feeder.operations().iter().map(|it| (&*it.element, it.kind)).collect();
    assert_eq!(
        found,
        [
            ("fault:tree", OperationKind::Ignited),
            ("fuse-link:F", OperationKind::Melted),
            ("fuse-link:F", OperationKind::Blown),
            ("fault:tree", OperationKind::Cleared),
            ("switch:L1", OperationKind::Closed)
        ]
    );
    // One conductor is open for four minutes, so whoever is at it has no supply.
    let dark = feeder.interruptions();
    assert_eq!(dark.iter().map(|it| it.load).collect::<Vec<_>>(), [0, 2]);
    for it in dark {
        let length = it.to.unwrap() - it.from;
        assert!((length.as_seconds_f64() - 240.0).abs() < 0.5, "{length}");
    }
}

#[test]
fn faults_at_several_distances_along_one_line_all_happen() {
    let fault = |at: &str, distance_m: u32| {
        let rest = "kind = \"line-fault\"\ninto = \"line:L1\"\nresistance = \"10 ohm\"";
        inject(at, &format!("{rest}\nfor = \"100 ms\"\ndistance_m = {distance_m}"))
    };
    let faults = fault("1 min", 70) + &fault("2 min", 30) + &fault("3 min", 100);
    let scenario = Folder::new().load(&moving(&faults)).unwrap();
    let operations = scenario.feeder().unwrap().operations().iter();
    let ignited = operations.filter(|it| it.kind == OperationKind::Ignited);
    let found: Vec<&str> = ignited.map(|it| &*it.element).collect();
    assert_eq!(found, ["fault:1", "fault:2", "fault:3"]);
}

/// A network with a neutral wire behind a transformer.
const FOUR_WIRES: &str = r#"format = 1
voltage = "400 V"
node = [
    { name = "grid", voltage = "10 kV" },
    { name = "bus", wires = "abcn" },
    { name = "end", wires = "abcn" },
]
source = [{ name = "supply", node = "grid", short_circuit_power = "250 MVA" }]
line = [{ name = "L1", from = "bus", to = "end", length = "100 m",
          r1 = "0.2 ohm/km", x1 = "0.1 ohm/km" }]
load = [
    { name = "h1", node = "end", wires = "an", p = "2 kW" },
    { name = "h2", node = "end", wires = "bn", p = "1 kW" },
    { name = "shop", node = "end", p = "9 kW" },
]
[[transformer]]
name = "T1"
from = "grid"
to = "bus"
group = "Dyn5"
voltages = ["10 kV", "400 V"]
power = "250 kVA"
uk = "4 %"
"#;

#[test]
fn a_neutral_is_lost_and_a_phase_meets_it() {
    let folder = Folder::new();
    std::fs::write(folder.0.path().join("net.toml"), FOUR_WIRES).unwrap();
    let fault = "name = \"tree\"\nkind = \"line-fault\"\ninto = \"line:L1\"\nphases = \"an\"";
    let lost = "kind = \"open-conductor\"\nphases = \"n\"\nfor = \"100 s\"\n";
    for into in ["line:L1", "transformer:T1"] {
        // Beyond a border of steps.
        let more = inject("4 min", &format!("{lost}into = \"{into}\""));
        let scenario = folder.load(&moving(&more)).unwrap();
        let kinds: Vec<OperationKind> =
            scenario.feeder().unwrap().operations().iter().map(|it| it.kind).collect();
        assert_eq!(kinds, [OperationKind::Opened, OperationKind::Closed], "{into}");
    }
    let earth = inject("1 min", &format!("{fault}\nearth = true"));
    let found = folder.mistake(&moving(&earth));
    assert!(found.contains("<true> `earth = true` of the fault `an`"), "{found}");
    // `for` counts from when it began.
    let late = format!("{fault}\nangle = \"270 deg\"\nfor = \"93 ms\"\nresistance = \"1 ohm\"");
    let scenario = folder.load(&moving(&inject("1 min", &late))).unwrap();
    let operations = scenario.feeder().unwrap().operations();
    let at = |kind: OperationKind| operations.iter().find(|it| it.kind == kind).map(|it| it.at_ns);
    let (ignited, cleared) =
        (at(OperationKind::Ignited).unwrap(), at(OperationKind::Cleared).unwrap());
    assert!(ignited > 60_000_000_000 && ignited <= 60_020_000_000, "{ignited}");
    let length_ms = (cleared - ignited) as f64 / 1e6;
    assert!((93.0..104.0).contains(&length_ms), "{length_ms}");
}

#[test]
fn mistakes_of_a_network_in_motion_are_located() {
    let folder = Folder::new();
    let at = |rest: &str| inject("1 min", rest);
    let mistakes = [
        at(&FAULT.replace("line:L1", "line:L7")),
        at(&FAULT.replace("line:L1", "node:L1")),
        at(&FAULT.replace("phases = \"a\"", "distance_m = 90000")),
        at(&FAULT.replace("phases = \"a\"", "earth = false")),
        at(&FAULT.replace("phases = \"a\"", "phases = \"an\"")),
        at("kind = \"open-conductor\"\ninto = \"line:L1\"\nphases = \"n\""),
        at("kind = \"open-conductor\"\ninto = \"transformer:T1\"\nphases = \"n\""),
        at("kind = \"restore\"\ninto = \"fault:tree\"") + &at(FAULT),
        at("kind = \"outage\"\ninto = \"line:L1\"") + &at("kind = \"restore\"\ninto = \"line:L1\""),
        inject("2 min", FAULT) + &at("kind = \"restore\"\ninto = \"fault:tree\""),
        inject("90 s", FAULT) + &inject("2 min", "kind = \"restore\"\ninto = \"fault:tre\""),
        at("kind = \"outage\"\ninto = \"line:L1\"\nfor = \"3 min\"")
            + &inject("2 min", "kind = \"outage\"\ninto = \"line:L1\"\nfor = \"3 min\""),
        at("kind = \"open-conductor\"\ninto = \"line:L1\"\nphases = \"a\"\nfor = \"3 min\"")
            + &inject("2 min", "kind = \"restore\"\ninto = \"line:L1\""),
        at("kind = \"source-voltage\"\ninto = \"source:supply\"\nto = 0.9")
            + &at("kind = \"source-voltage\"\ninto = \"source:supply\"\nto = 1.1"),
        at("kind = \"source-voltage\"\ninto = \"source:supply\"\nto = 0.9\nover = \"10 s\"")
            + &inject("65 s", "kind = \"source-voltage\"\ninto = \"source:supply\"\nto = 1.1"),
        at("kind = \"load-step\"\ninto = \"load:h1\"\nactive_power = \"1 kW\"")
            + &at("kind = \"generation-step\"\ninto = \"load:h1\"\nactive_power = \"1 kW\""),
        at("kind = \"fuse\"\ninto = \"line:L1\""),
        at("kind = \"grid-frequency\"\nto = \"500 Hz\""),
        at("kind = \"tap\"\ninto = \"transformer:T9\"\nposition = 1"),
        FUSE.replace("rating = \"63 A\"", "") + &at(FAULT),
        FUSE.replace("63 A", "64 A"),
        FUSE.to_owned() + &FUSE.replace("\"F\"", "\"G\""),
        at("kind = \"storm\"\nfaults = 3\nfor = \"1 min\"\ninto = \"line:Z*\""),
        at("kind = \"grid-frequency\"\nto = \"49 Hz\"") + &at(FAULT),
    ];
    let cases = mistakes.map(|more| (change("", &more), folder.load(&moving(&more))));
    assert_printed("networks_in_motion", cases);
    // The mistake of a fault is one, also where something mends it.
    let faulty = inject("1 min", &FAULT.replace("line:L1", "line:L7"));
    let mended = faulty + &inject("2 min", "kind = \"restore\"\ninto = \"fault:tree\"");
    let failure = folder.load(&moving(&mended)).err().unwrap();
    assert_eq!(failure.diagnostics().len(), 1, "{:?}", failure.diagnostics());
    // A ramp may go on where one ends, and mending may stand before the fault.
    let sound = inject("1 min", "kind = \"outage\"\ninto = \"line:L1\"\nfor = \"1 min\"")
        + &inject("3 min", "kind = \"outage\"\ninto = \"line:L1\"\nfor = \"1 min\"")
        + &inject(
            "1 min",
            "kind = \"source-voltage\"\ninto = \"source:supply\"\nto = 0.9\nover = \"10 s\"",
        )
        + &inject(
            "70 s",
            "kind = \"source-voltage\"\ninto = \"source:supply\"\nto = 1.0\nover = \"10 s\"",
        )
        + &inject("8 min", "kind = \"restore\"\ninto = \"fault:tree\"")
        + &inject("6 min", FAULT);
    folder.load(&moving(&sound)).unwrap();
    // What happens between steps needs a network that has such.
    let found = folder.mistake(&with(&at(FAULT)));
    assert!(found.contains("a `line-fault` happens between the steps"), "{found}");
    let found = folder.mistake(&with(FUSE));
    assert!(found.contains("protective devices and recorders act between the steps"), "{found}");
}

#[test]
fn mistakes_suggest_what_to_write_instead() {
    let folder = Folder::new();
    let at = |rest: &str| inject("1 min", rest);
    let operated = |from: &str, to: &str| {
        format!(
            "{FUSE}[[check]]\nname = \"did\"\nkind = \"protection_operation\"\nexpect = [{{ element = \
             \"fuse-link:*\", what = \"blown\", from = \"{from}\", to = \"{to}\" }}]\n"
        )
    };
    let alerts = |from: &str, to: &str| {
        format!(
            "[[check]]\nname = \"seen\"\nkind = \"alerts\"\ntype = \"x\"\n\
             expect = [{{ about = \"y\", from = \"{from}\", to = \"{to}\" }}]\n"
        )
    };
    let supply = |kind: &str| format!("[[check]]\nname = \"seen\"\nkind = \"{kind}\"\n");
    let cases = [
        FUSE.replace("line:L1", "node:a"),
        FUSE.replace("line:L1", "F1"),
        FUSE.replace("line:L1", "L1"),
        at(&FAULT.replace("line:L1", "L1")),
        FUSE.to_owned() + &FUSE.replace("\"F\"", "\"G\""),
        inject("-10 s", FAULT),
        operated("9 min", "11 min"),
        operated("11 min", "12 min"),
        alerts("9 min", "11 min"),
        supply("last_gasp"),
        supply("restored"),
    ];
    let cases = cases.map(|more| (change("", &more), folder.load(&moving(&more))));
    assert_printed("help_in_motion", cases);
    folder.load(&moving(&operated("9 min", "10 min"))).unwrap();
}

const ARC: &str = "resistance = \"1 ohm\"\narc_voltage = \"40 V\"";

#[test]
fn mistakes_of_arcs_and_iron_are_located() {
    let folder = Folder::new();
    let arc = |rest: &str| inject("1 min", &format!("{FAULT}\n{rest}"));
    let iron = |rest: &str| format!("[[grid.saturation]]\ntransformer = \"T\"\n{rest}\n");
    let mistakes = [
        arc(ARC),
        arc(&format!("{ARC}\nextinguishes = \"1 s\"")),
        arc("arc_voltage = \"40 V\"\nfor = \"1 s\""),
        arc("arc_voltage_negative = \"30 V\"\nfor = \"1 s\""),
        arc("arc_time_constant = \"1 ms\"\nfor = \"1 s\""),
        arc(&format!(
            "{ARC}\narc_voltage_negative = \"30 V\"\narc_time_constant = \"1 ms\"\nfor = \"1 s\""
        )),
        arc(&format!("{ARC}\nearth = false\nfor = \"1 s\""))
            .replace("phases = \"a\"", "phases = \"abc\""),
        iron("").replace("\"T\"", "\"T9\""),
    ];
    let cases = mistakes.map(|more| (change("", &more), folder.load(&moving(&more))));
    assert_printed("arcs_and_iron", cases);
    for sound in [
        arc(&format!("{ARC}\nfor = \"1 s\"")),
        arc(&format!("{ARC}\nextinguishes = \"1 ms\"")),
        arc(&format!("{ARC}\narc_time_constant = \"1 ms\"\nfor = \"100 ms\"")),
        arc(ARC) + &inject("61 s", "kind = \"restore\"\ninto = \"fault:tree\""),
        arc(&format!("{ARC}\nextinguishes = \"100 ms\"")) + FUSE + &inject("62 s", OUTAGE),
    ] {
        folder.load(&moving(&sound)).unwrap();
    }
    let phasors = moving(&arc(&format!("{ARC}\nfor = \"1 s\"")));
    let found = folder.mistake(&phasors.replace("\"waveforms\"", "\"phasors\""));
    assert!(found.contains("<\"40 V\"> the current of an arc is not sinusoidal"), "{found}");
    let found = folder.mistake(&moving(&iron("")).replace("\"waveforms\"", "\"phasors\""));
    assert!(found.contains("iron that saturates has no phasors"), "{found}");
    let found = folder.mistake(&with(&iron("")));
    assert!(found.contains("and iron saturates there"), "{found}");
}

const OUTAGE: &str = "kind = \"outage\"\ninto = \"line:L1\"";

#[test]
fn iron_that_cannot_be_is_located() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../library/inrush.toml");
    let text = std::fs::read_to_string(&path).unwrap();
    let load = |text: &str| Scenario::from_bytes(&path, text.as_bytes(), &LoadOptions::default());
    load(&text).unwrap();
    let table = &text[text.find("[[grid.saturation]]").unwrap()..text.find("[[grid.rec").unwrap()];
    let cases = [
        ("0.7, -0.35, -0.35", "1.2, 0, 0"),
        ("0.7, -0.35, -0.35", "0.7"),
        ("knee = 1.15", "knee = 0.6"),
        (table, &format!("{table}{table}")),
    ];
    let cases = cases.map(|(from, to)| (change(from, to), load(&text.replacen(from, to, 1))));
    assert_printed("iron", cases);
}

#[test]
fn mistakes_of_interface_protections_and_pickups_are_located() {
    let folder = Folder::new();
    let mistakes = [
        INVERTER.replace("load:h1", "line:L1"),
        INVERTER.replace("load:h1", "load:h9"),
        INVERTER.to_owned() + &INVERTER.replace("\"I\"", "\"J\""),
        INVERTER.to_owned() + "undervoltage = \"40 %\"\n",
        INVERTER.to_owned() + "reconnect_from = \"70 %\"\n",
        COLD.to_owned() + &COLD.replace("1.8", "2.5"),
        COLD.replace("cold_load_pickup = 1.8", "cold_load_decay = \"5 min\""),
        COLD.replace("1.8", "0.5"),
    ];
    let cases = mistakes.map(|more| (change("", &more), folder.load(&moving(&more))));
    assert_printed("interface_protections_and_pickups", cases);
    let found = folder.mistake(&with(COLD));
    assert!(found.contains("<1.8> `cold_load_pickup` follows an outage"), "{found}");
}

#[test]
fn a_simulator_plays_a_network_in_motion_by_phasors_alone() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../library/rts-fault.toml");
    let text = std::fs::read_to_string(&path).unwrap();
    let load = |text: &str| Scenario::from_bytes(&path, text.as_bytes(), &LoadOptions::default());
    let scenario = load(&text).unwrap();
    assert!(scenario.take_live_grid().is_some() && scenario.feeder().is_none());
    let signal = "[[signal]]\n";
    let more = |more: &str| text.replacen(signal, &format!("{more}\n{signal}"), 1);
    let texts = [
        text.replace("\"phasors\"", "\"waveforms\""),
        more("[[grid.recorder]]\nname = \"r\"\nat = \"node:bus-3\"\n"),
        more(&inject("5 s", "kind = \"grid-frequency\"\nto = \"49.5 Hz\"")),
        more("[[check]]\nname = \"dark\"\nkind = \"reliability\"\nsaidi = \"2 h\"\n"),
        more(&inject("5 s", "kind = \"outage\"\ninto = \"line:cable-3\"\nplanned = true")),
        more("[[grid.load]]\nname = \"*\"\nprofile = \"constant\"\ncold_load_pickup = 2\n"),
        text.replace("fault:digger", "fault:diger"),
    ];
    let cases = texts.map(|changed| (difference(&text, &changed), load(&changed)));
    assert_printed("simulators_of_networks_in_motion", cases);
}

#[test]
fn a_step_that_is_too_long_for_the_network_is_remarked_and_played() {
    let folder = Folder::new();
    let warned = |set: &str| {
        let text = moving("").replace("[grid]\n", &format!("[grid]\n{set}\n"));
        let warnings = folder.load(&text).unwrap().written.warnings;
        warnings.iter().map(|it| format!("{} {}", it.code, it.message)).collect::<Vec<_>>()
    };
    assert_eq!(warned(""), Vec::<String>::new());
    // 100 kvar with 10 MVA of short circuits swing at the order 10, so within 2 ms.
    let bank = "[[capacitor]]\nname = \"bank\"\nnode = \"bus\"\nq = \"100 kvar\"\n";
    let path = folder.0.path().join("net.toml");
    let network = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, network + bank).unwrap();
    let found = warned("waveform_step = \"1 ms\"");
    assert!(found[0].starts_with("W005 a step of 1000.000 us is too long: `bank`"), "{found:?}");
    assert_eq!(found.len(), 1);
}
