//! Neutral wires of their own: where they begin, what they carry, and where there is none.

#![expect(clippy::unwrap_used, reason = "what is not as expected fails its test")]

use lastmeter_grid::flow::{self, Flow, Method, Options};
use lastmeter_grid::format::toml;
use lastmeter_grid::network::{Neutral, NodeId, WindingKind, Wire};
use lastmeter_grid::short_circuit::{self, Fault, Location, PrefaultState, Scaling};
use lastmeter_grid::{Complex64, Network, check};

/// Of one conductor, ohm; the line's zero sequence has four times as much, as the three phases'
/// current comes back in the neutral.
const OHM: f64 = 0.2;
const LOAD_OHM: f64 = 10.0;

fn read(text: &str) -> Network {
    toml::read("net.toml", text).unwrap_or_else(|refusal| panic!("{refusal}"))
}

/// A transformer of next to no impedance, a line of four wires, 10 ohm from phase a to neutral.
fn behind(group: &str, keys_of_line: &str) -> Network {
    read(&text(group, keys_of_line))
}

fn text(group: &str, keys_of_line: &str) -> String {
    let power = 3.0 * (400.0 * 400.0 / 3.0) / LOAD_OHM / 3.0;
    format!(
        r#"
        format = 1
        voltage = "400 V"
        node = [
            {{ name = "grid", voltage = "10 kV" }},
            {{ name = "busbar", wires = "abcn" }},
            {{ name = "home", wires = "abcn" }},
        ]
        source = [{{ node = "grid", short_circuit_power = "1e6 MVA" }}]
        load = [{{ name = "heater", node = "home", wires = "an", p = "{power} W", model = "impedance" }}]
        [[transformer]]
        name = "transformer"
        from = "grid"
        to = "busbar"
        group = "{group}"
        voltages = ["10 kV", "400 V"]
        power = "1000 MVA"
        uk = "0.1 %"
        [[line]]
        name = "cable"
        from = "busbar"
        to = "home"
        length = "1 km"
        {keys_of_line}
        r1 = "{OHM} ohm/km"
        x1 = "0 ohm/km"
        r0 = "{} ohm/km"
        x0 = "0 ohm/km"
        "#,
        4.0 * OHM
    )
}

/// The same with a transformer as streets have one: its 0.01 ohm of reactance move no magnitude by
/// more than 1e-6. Beside a high impedance next to none leaves no digits.
fn of_a_street(text: &str) -> String {
    text.replacen("1000 MVA", "630 kVA", 1).replacen("0.1 %", "4 %", 1)
}

fn solve(network: &Network) -> Vec<Flow> {
    let by = |method| flow::solve(network, &Options { method, ..Options::default() }).unwrap();
    [Method::Sweep, Method::CurrentInjection, Method::Newton].map(by).into()
}

fn assert_close(found: f64, expected: f64, what: &str) {
    assert!((found / expected - 1.0).abs() < 1e-5, "{what}: {found}, expected {expected}");
}

#[test]
fn a_neutral_begins_at_an_earthed_star_point() {
    let volts = 400.0 / 3.0_f64.sqrt();
    let current = volts / (LOAD_OHM + 2.0 * OHM);
    for group in ["Dyn5", "Dyn11", "YNyn0", "Dzn6", "Dzn0"] {
        for keys in ["", r#"wires = "abcn""#] {
            for flow in solve(&behind(group, keys)) {
                let at = flow.nodes[2].voltage_v;
                assert_close((at[0] - at[3]).norm(), current * LOAD_OHM, group);
                assert_close(at[3].norm(), current * OHM, group);
                assert_eq!(flow.nodes[1].voltage_v[3], Complex64::ZERO, "{group}");
                let conductors = flow.lines[0].from.current_a.map(Complex64::norm);
                assert_close(conductors[0], current, group);
                assert_close(conductors[3], current, group);
                assert_close(flow.losses_va.re, 2.0 * OHM * current * current, group);
            }
        }
    }
}

#[test]
fn an_earth_fault_returns_by_earth_and_one_to_the_neutral_by_it() {
    let volts = 1.1 * 400.0 / 3.0_f64.sqrt();
    let network = behind("Dyn5", "");
    let options = short_circuit::Options {
        before: PrefaultState::Unloaded(Scaling::Maximum),
        ..short_circuit::Options::default()
    };
    let current = |kind: &str, node: u32, ohm: f64| {
        let fault = Fault {
            kind: kind.parse().unwrap(),
            location: Location::Node(NodeId(node)),
            impedance_ohm: ohm.into(),
        };
        short_circuit::solve(&network, &[fault], &options).map(|it| it.faults[0].current_a[0])
    };
    // One conductor sees (2 r1 + r0) / 3 by way of earth, two in a loop 2 r1.
    for (kind, ohm) in [("ag", 2.0 * OHM), ("an", 2.0 * OHM), ("ab", 2.0 * OHM)] {
        let line = if kind == "ab" { 3.0_f64.sqrt() } else { 1.0 };
        assert_close(current(kind, 2, 0.0).unwrap().norm(), line * volts / ohm, kind);
    }
    // At the star point the neutral is earth.
    let [earth, neutral] = ["ag", "an"].map(|kind| current(kind, 1, 0.5).unwrap());
    assert_close(earth.norm(), volts / 0.5, "ag");
    assert!((earth - neutral).norm() < 1e-9 * earth.norm(), "{earth} {neutral}");
    let message = current("ng", 1, 0.5).unwrap_err().to_string();
    assert!(message.contains("joins earth with earth"), "{message}");
}

/// The current comes back by the neutral, and by an electrode and earth: two equations.
#[test]
fn a_neutral_can_be_earthed_at_other_places_too() {
    let (volts, own, mutual) = (400.0 / 3.0_f64.sqrt(), 2.0 * OHM, OHM);
    for electrode in [0.5, 5.0, 100.0] {
        let more = format!("[[earthing]]\nnode = \"home\"\nresistance = \"{electrode} ohm\"\n");
        let network = read(&(text("Dyn5", "") + &more));
        let rise = OHM / (1.0 + own / electrode);
        let seen = LOAD_OHM + own - mutual + rise * (1.0 + mutual / electrode);
        let current = volts / seen;
        for flow in solve(&network) {
            let at = flow.nodes[2].voltage_v;
            assert_close((at[0] - at[3]).norm(), current * LOAD_OHM, "load");
            assert_close(at[3].norm(), current * rise, "neutral");
            assert_close(flow.shunts[0].current_a[0].norm(), current * rise / electrode, "earth");
        }
    }
    // It makes a neutral that no conductor leads to one: all of the current is earth's.
    let electrode = "[[earthing]]\nnode = \"home\"\nresistance = \"5 ohm\"\n";
    let network = read(&(text("Dyn5", r#"wires = "abc""#) + electrode));
    assert!(check::check(&network).is_sound());
    let current = volts / (LOAD_OHM + 5.0 + own);
    for flow in solve(&network) {
        assert_close(flow.nodes[2].voltage_v[3].norm(), 5.0 * current, "electrode");
    }
    // Where the star point is earth an electrode changes nothing, which nobody means.
    let idle = electrode.replace("home", "busbar");
    let message = check::check(&read(&(text("Dyn5", "") + &idle))).faults[0].to_string();
    assert!(
        message.contains("shunt `earthing 1`: `n` of node `busbar` is earth already"),
        "{message}"
    );
    for (more, expected) in [
        ("node = \"home\"", "earthing: resistance is missing"),
        ("node = \"grid\"\nresistance = \"5 ohm\"", "node grid has wires abc, not all of n"),
        ("node = \"home\"\nresistance = \"0 ohm\"", "\"0 ohm\" is found, more than 0 is expected"),
        ("node = \"home\"\nresistance = \"5\"", "its unit is expected to be ohm or mohm"),
    ] {
        let text = text("Dyn5", "") + "[[earthing]]\n" + more;
        let message = toml::read("net.toml", &text).unwrap_err().to_string();
        assert!(message.contains(expected), "{message}");
    }
}

/// The star point is at wire `n`, and an impedance leads from there to earth: what a load draws
/// comes back by the wire, whatever that impedance is.
#[test]
fn a_neutral_impedance_stands_between_star_point_and_earth() {
    let through = |ohm: f64, group: &str| {
        let text = text(group, "");
        let group = format!("group = \"{group}\"");
        text.replacen(&group, &format!("{group}\nneutral_resistance = \"{ohm} ohm\""), 1)
    };
    let volts = 400.0 / 3.0_f64.sqrt();
    let current = volts / (LOAD_OHM + 2.0 * OHM);
    for group in ["Dyn5", "Yyn0", "Yzn5"] {
        for ohm in [2.0, 1500.0] {
            for flow in solve(&read(&of_a_street(&through(ohm, group)))) {
                let at = flow.nodes[2].voltage_v;
                // Yyn0 has no path for a sequence that is the same in all phases.
                if group != "Yyn0" {
                    assert_close((at[0] - at[3]).norm(), current * LOAD_OHM, group);
                    assert_close(at[3].norm(), current * OHM, group);
                }
                assert!(flow.nodes[1].voltage_v[3].norm() < 1e-5, "{group}");
                let conductors = flow.lines[0].from.current_a.map(Complex64::norm);
                assert_close(conductors[3], conductors[0], group);
            }
        }
    }
    // Beside an electrode at the house: the current divides over wire and earth.
    let (own, mutual, electrodes) = (2.0 * OHM, OHM, 2.0 + 5.0);
    let more = "[[earthing]]\nnode = \"home\"\nresistance = \"5 ohm\"\n";
    let rise = OHM / (1.0 + own / electrodes);
    let seen = LOAD_OHM + own - mutual + rise * (1.0 + mutual / electrodes);
    for flow in solve(&read(&(of_a_street(&through(2.0, "Dyn5")) + more))) {
        let (at, busbar) = (flow.nodes[2].voltage_v, flow.nodes[1].voltage_v);
        assert_close((at[0] - at[3]).norm(), volts / seen * LOAD_OHM, "load");
        assert_close((at[3] - busbar[3]).norm(), volts / seen * rise, "neutral");
        assert_close(at[3].norm(), volts / seen * rise * 5.0 / electrodes, "electrode");
    }
    // A fault to earth returns by the electrode, one to the wire does not.
    let network = read(&through(2.0, "Dyn5"));
    for (kind, ohm) in [("ag", 2.0 + 2.0 * OHM), ("an", 2.0 * OHM)] {
        let options = short_circuit::Options {
            before: PrefaultState::Unloaded(Scaling::Actual),
            ..short_circuit::Options::default()
        };
        let (kind, location) = (kind.parse().unwrap(), Location::Node(NodeId(2)));
        let fault = Fault { kind, location, impedance_ohm: Complex64::ZERO };
        let found = short_circuit::solve(&network, &[fault], &options).unwrap();
        assert_close(found.faults[0].current_a[0].norm(), volts / ohm, &kind.to_string());
    }
}

#[test]
fn which_neutral_point_an_impedance_earths_is_written_where_there_are_two() {
    let read_with = |group: &str, more: &str| {
        let text = text("Dyn5", "");
        let with = format!("group = \"{group}\"\n{more}");
        toml::read("net.toml", &text.replacen("group = \"Dyn5\"", &with, 1))
    };
    let ohm = "neutral_resistance = \"40 ohm\"";
    for (group, more, expected) in [
        ("YNyn0", ohm.to_owned(), "both neutral points are brought out"),
        ("Yyn0", format!("{ohm}\nneutral_side = \"from\""), "neutral point is not brought out"),
        ("Dy5", ohm.to_owned(), "neutral point is not brought out"),
        ("Dyn5", "neutral_side = \"to\"".to_owned(), "neutral_side stands without"),
    ] {
        let refusal = read_with(group, &more).unwrap_err().to_string();
        assert!(refusal.contains(expected), "{refusal}");
    }
    for (side, at) in [("from", 0), ("to", 1)] {
        let network = read_with("YNyn0", &format!("{ohm}\nneutral_side = \"{side}\"")).unwrap();
        let kinds = [0, 1].map(|at: usize| network.transformers[0].windings[at].kind);
        let has = |kind: WindingKind| match kind.neutral() {
            Some(Neutral::Earthed(z) | Neutral::WireThrough(z)) => z.re,
            _ => 0.0,
        };
        assert_eq!((has(kinds[at]), has(kinds[1 - at])), (40.0, 0.0));
    }
    // A zigzag winding has a neutral point like any other, also at a node of three wires.
    let text = of_a_street(&text("Yzn5", ""));
    let text = text.replace("\"abcn\"", "\"abc\"").replace("\"an\"", "\"a\"");
    let group = "group = \"Yzn5\"";
    let network = read(&text.replacen(group, &format!("{group}\n{ohm}"), 1));
    let expected = WindingKind::Zigzag(Neutral::Earthed(40.0.into()));
    assert_eq!(network.transformers[0].windings[1].kind, expected);
    for flow in solve(&network) {
        // All of the current comes back by earth, and so by the resistance.
        let current = 400.0 / 3.0_f64.sqrt() / (LOAD_OHM + 2.0 * OHM + 40.0);
        assert_close(flow.lines[0].from.current_a[0].norm(), current, "by earth");
    }
}

#[test]
fn loads_whose_current_has_no_way_back_are_refused() {
    for network in [behind("Dy5", ""), behind("Dyn5", r#"wires = "abc""#)] {
        let expected = "load `heater`: its current from `a` has no way back: no conductor leads \
                        from `n` of node `home` to an earthed neutral point or a source; give the \
                        lines there a wire `n`, earth the neutral point, or `n` itself";
        let faults = check::check(&network).faults;
        let [fault] = &faults[..] else { panic!("{faults:?}") };
        assert_eq!(fault.to_string(), format!("line 10: {expected}"));
        let message = flow::solve(&network, &Options::default()).unwrap_err().to_string();
        assert!(message.contains(expected), "{message}");
    }
}

fn two_wires(loads: &str) -> Network {
    read(&format!(
        r#"
        format = 1
        voltage = "400 V"
        node = [{{ name = "grid" }}, {{ name = "home" }}]
        source = [{{ node = "grid", short_circuit_power = "10 MVA" }}]
        load = [{loads}]
        line = [{{ name = "cable", from = "grid", to = "home", length = "1 km", wires = "ab",
                   r1 = "0.2 ohm/km", x1 = "0.1 ohm/km" }}]
        "#
    ))
}

#[test]
fn loads_between_a_wire_that_is_fed_and_one_that_is_not_are_refused() {
    let delta = r#"{ name = "motor", node = "home", connection = "delta", p = "9 kW" }"#;
    let network = two_wires(delta);
    let message = check::check(&network).faults[0].to_string();
    let expected = "line 6: load `motor`: it stands between `b` and `c` of node `home`, but `c` \
                    is de-energised there; give the lines there that wire, or leave it out";
    assert_eq!(message, expected);
    assert!(flow::solve(&network, &Options::default()).is_err());
}

#[test]
fn nothing_is_drawn_from_a_dark_phase_beside_a_neutral() {
    let text = text("Dyn5", r#"wires = "abn""#);
    let load = "{ name = \"heater\"";
    let more = "{ name = \"dark\", node = \"home\", wires = \"cn\", p = \"2 kW\" },";
    let network = read(&text.replacen(load, &format!("{more} {load}"), 1));
    let report = check::check(&network);
    assert!(report.is_sound(), "{:?}", report.faults);
    let remarks = report.remarks.iter().map(ToString::to_string).collect::<String>();
    assert!(remarks.contains("load `dark`: `c` of node `home` is de-energised"), "{remarks}");
    for flow in solve(&network) {
        assert_eq!(flow.loads[0].current_a, [Complex64::ZERO; 4]);
        let current = 400.0 / 3.0_f64.sqrt() / (LOAD_OHM + 2.0 * OHM);
        assert_close(flow.lines[0].from.current_a[0].norm(), current, "beside it");
    }
}

#[test]
fn what_a_wire_without_a_source_would_feed_is_remarked() {
    let star = r#"{ name = "shop", node = "home", p = "9 kW" }"#;
    let single = r#"{ name = "flat", node = "home", wires = "c", p = "2 kW" }"#;
    let network = two_wires(&format!("{star}, {single}"));
    let report = check::check(&network);
    assert!(report.is_sound());
    let remarks: Vec<String> = report.remarks.iter().map(ToString::to_string).collect();
    let expected = ["shop", "flat"].map(|name| {
        format!(
            "line 6: load `{name}`: `c` of node `home` is de-energised: nothing is drawn from \
             there"
        )
    });
    assert_eq!(remarks, expected);
    for flow in solve(&network) {
        assert_eq!(flow.loads[1].current_a[Wire::A.index()], Complex64::ZERO);
        assert_close(flow.loads[0].power_va.iter().map(|it| it.re).sum(), 6000.0, "two of three");
    }
}
