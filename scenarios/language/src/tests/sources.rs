//! Injections into sources: what they make of the terminal, and the mistakes of those that cannot.

use lastmeter_sim::{Netting, ReferenceSpan, Terminal};
use lastmeter_units::{MeasurementId, SimDuration};

use super::{VALID, assert_printed, change, changed, difference, load, mistakes};
use crate::references::Target;

/// The valid scenario with an injection into its source.
fn with(kind: &str, keys: &str) -> String {
    format!("{VALID}[[inject]]\nat = \"4 min\"\nkind = \"{kind}\"\nsource = \"g\"\n{keys}\n")
}

fn mean(terminal: &Terminal, name: &str, from_s: i64, to_s: i64) -> f64 {
    let (from, to) = (SimDuration::from_seconds(from_s), SimDuration::from_seconds(to_s));
    let span = ReferenceSpan { from, to, registers_from: SimDuration::ZERO };
    let id = MeasurementId::lookup(name).unwrap();
    terminal.reference(id, span, Netting::Net).unwrap()
}

#[test]
fn what_is_injected_is_built_into_the_terminal() {
    let scenario = load(&with("dip", "to = \"40 %\"\nphases = [2]\nfor = \"1 min\"")).unwrap();
    let injection = scenario.injections.last().unwrap();
    assert_eq!(injection.kind.entry().name, "dip");
    assert_eq!((&injection.target, injection.begin()), (&Target::Source(0), Vec::new()));
    let terminal = scenario.plant.sources[0].terminal().unwrap();
    let voltage = |name: &str, from_s, to_s| mean(terminal, name, from_s, to_s).round();
    assert_eq!(voltage("electricity.voltage.rms.l2", 230, 240), 230.0);
    assert_eq!(voltage("electricity.voltage.rms.l2", 240, 300), 92.0);
    assert_eq!(voltage("electricity.voltage.rms.l1", 240, 300), 230.0);
    assert_eq!(voltage("electricity.voltage.rms.l2", 300, 400), 230.0);
}

/// Each kind with its least keys, what it does, and whether windows can be computed through it.
#[test]
fn every_kind_of_injection_into_a_source_can_be_written() {
    let current = "electricity.current.rms.l1";
    let voltage = "electricity.voltage.rms.l3";
    let half = 10.0 / 2.0_f64.sqrt();
    let (with_fifth, with_dc) = (10.0 * 1.16_f64.sqrt(), (100.0_f64 + 4.0).sqrt());
    let flicker = |depth: f64| 230.0 * (1.0 + depth * depth).sqrt();
    for (kind, keys, name, expected, has_spectrum_throughout) in [
        ("amplitude", "of = \"current\"\nto = \"50 %\"", current, 5.0, true),
        ("amplitude", "to = \"50 %\"\nover = \"10 s\"", voltage, 115.0, false),
        ("frequency", "to = \"52 Hz\"", "electricity.frequency", 52.0, true),
        ("frequency", "to = \"52 Hz\"\nover = \"10 s\"", "electricity.frequency", 52.0, false),
        ("angle", "by = \"30 deg\"", voltage, 230.0, true),
        ("swell", "to = \"110 %\"", voltage, 253.0, true),
        ("interruption", "phases = [3]\nstart_phase = \"90 deg\"", voltage, 0.0, true),
        ("rapid_change", "to = \"95 %\"", voltage, 218.5, true),
        ("unbalance", "factors = [\"100 %\", \"95 %\", \"105 %\"]", voltage, 241.5, true),
        ("reversed_sequence", "", voltage, 230.0, true),
        ("harmonic", "order = 5\ncurrent = \"40 %\"", current, with_fifth, true),
        ("interharmonic", "frequency = \"175 Hz\"\ncurrent = \"40 %\"", current, with_fifth, true),
        (
            "flicker",
            "depth = \"20 %\"\nfrequency = \"8 Hz\"",
            voltage,
            flicker(0.1 / 2.0_f64.sqrt()),
            true,
        ),
        (
            "flicker",
            "shape = \"rectangle\"\ndepth = \"20 %\"\nchanges_per_minute = 120",
            voltage,
            flicker(0.1),
            true,
        ),
        ("dc", "current = \"2 A\"", current, with_dc, true),
        ("noise", "current = \"2 A\"", current, with_dc, true),
        (
            "notches",
            "depth = \"100 %\"\nper_cycle = 1\nangle = \"0 deg\"\nwidth = \"180 deg\"",
            voltage,
            230.0 / 2.0_f64.sqrt(),
            false,
        ),
        ("current_shape", "shape = \"half-wave\"", current, half, false),
        (
            "current_shape",
            "shape = \"burst-fired\"\nburst_on = 3\nburst_off = 3",
            current,
            half,
            false,
        ),
        (
            "transient",
            "peak = \"1 kV\"\nfrequency = \"1 kHz\"\ndecay = \"1 ms\"",
            voltage,
            230.0,
            false,
        ),
    ] {
        let scenario = load(&with(kind, keys)).unwrap_or_else(|failure| {
            panic!("{kind}: {:?}", failure.diagnostics());
        });
        let terminal = scenario.plant.sources[0].terminal().unwrap();
        let found = mean(terminal, name, 480, 540);
        assert!((found - expected).abs() < 1e-6 * expected + 1e-9, "{kind}: {found} {expected}");
        assert_eq!(terminal.has_spectrum_throughout(), has_spectrum_throughout, "{kind} {keys}");
        // Its resolved form means the same.
        let again = load(&scenario.resolved_toml()).unwrap();
        assert!(again.same_meaning(&scenario), "{kind}");
    }
}

#[test]
fn invalid_injections_into_sources_are_reported_with_their_span() {
    let cases = [
        ("dip", "to = \"40 %\"\nphases = [4]"),
        ("dip", "to = \"40 %\"\nphases = [2, 2]"),
        ("dip", "to = \"140 %\""),
        ("dip", "to = \"40 %\"\nfor = \"9 min\""),
        ("flicker", "depth = \"1 %\""),
        ("unbalance", "factors = [\"1 %\"]"),
        ("current_shape", "shape = \"half-wave\"\nburst_on = 3"),
        ("notches", "depth = \"1 %\"\nwidth = \"90 deg\""),
        ("harmonic", "order = 3\nrise = \"2 s\"\nfor = \"1 s\""),
        ("transient", "peak = \"1 V\"\nfrequency = \"1 kHz\""),
    ];
    let cases =
        cases.map(|(kind, keys)| (change("", &format!("{kind}\n{keys}")), with(kind, keys)));
    let other = with("dip", "to = \"40 %\"").replace("source = \"g\"", "source = \"gg\"");
    let other = (difference(&with("dip", "to = \"40 %\""), &other), other);
    let cases = cases.into_iter().chain([other]);
    assert_printed("injections_into_sources", cases.map(|(change, text)| (change, load(&text))));
}

#[test]
fn windows_need_tones_at_every_instant() {
    let windows = |text: String| {
        text.replace("report_every = \"10 s\"", "report_every = \"10 s\"\nfidelity = \"windows\"")
    };
    assert_eq!(mistakes(&windows(with("dip", "to = \"40 %\""))), Vec::<String>::new());
    let ramp = windows(with("amplitude", "to = \"40 %\"\nover = \"1 s\""));
    let found = mistakes(&ramp);
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(found[0].contains("<\"windows\"> `g` is not made of tones all the time"), "{found:?}");
}

#[test]
fn a_source_may_be_cut_and_modulated_all_the_time() {
    let text = VALID.replace(
        "voltage = \"230 V\"",
        "current_shape = \"phase-fired\"\nfiring_angle = \"90 deg\"\nsequence = \"negative\"\n\
         flicker = { depth = \"20 %\", frequency = \"8 Hz\" }\n\
         notches = { depth = \"50 %\", width = \"1 deg\" }\n\
         phase_voltage_leads = [\"0 deg\", \"10 deg\", \"0 deg\"]",
    );
    let scenario = load(&text).unwrap();
    let terminal = scenario.plant.sources[0].terminal().unwrap();
    let current = mean(terminal, "electricity.current.rms.l1", 0, 60);
    assert!((current - 10.0 / 2.0_f64.sqrt()).abs() < 1e-9, "{current}");
    let angle = mean(terminal, "electricity.voltage.phase.l2", 0, 60).to_degrees();
    assert!((angle - 130.0).abs() < 1e-9, "{angle}");
}

#[test]
fn a_load_needs_a_network() {
    let text = changed("source:g", "load:h1");
    assert_eq!(
        mistakes(&text)[0],
        "S018 22:6 <\"load:h1\"> `load:h1` is a load of a network, and the scenario has no network"
    );
}

#[test]
fn an_energy_balance_needs_a_network() {
    let text = changed(
        "kind = \"no_loss\"\ndevice = \"home\"",
        "kind = \"energy_balance\"\n\
        substation = \"home\"\nlimit = \"1 %\"",
    );
    let found = mistakes(&text);
    assert!(found[0].contains("a check `energy_balance` needs a network"), "{found:?}");
}
