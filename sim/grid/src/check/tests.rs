//! One network that is sound, and everything that can be wrong with it, one thing at a time.

use num_complex::Complex64;
use proptest::prelude::*;

use super::check;
use crate::network::{
    Configuration, Connection, Line, LineImpedance, Load, LoadModel, Magnetising, Matrix, Network,
    Neutral, Node, NodeId, Place, SequenceImpedance, Source, Switch, TapChanger, Transformer,
    VoltageBand, Winding, WindingKind, Wires,
};

fn node(name: &str, rated_voltage_v: f64) -> Node {
    let place = Place(1);
    Node { name: name.into(), wires: Wires::ABC, rated_voltage_v, position: None, place }
}

fn line(name: &str, from: u32, to: u32) -> Line {
    let (one, none) = (Complex64::new(0.1, 0.1), Complex64::ZERO);
    let it = SequenceImpedance { z1_ohm: one, z0_ohm: one * 3.0, y1_s: none, y0_s: none };
    Line {
        name: name.into(),
        from: Connection::abc(NodeId(from)),
        to: Connection::abc(NodeId(to)),
        from_closed: true,
        to_closed: true,
        impedance: LineImpedance::Sequence(it),
        length_m: Some(120.0),
        rated_current_a: Some(200.0),
        place: Place(7),
    }
}

fn switch(name: &str, from: u32, to: u32, closed: bool) -> Switch {
    Switch {
        name: name.into(),
        from: Connection::abc(NodeId(from)),
        to: Connection::abc(NodeId(to)),
        closed,
        rated_current_a: None,
        place: Place(8),
    }
}

fn load(name: &str, at: u32) -> Load {
    Load {
        name: name.into(),
        connection: Connection::abc(NodeId(at)),
        configuration: Configuration::Star,
        power_va: [Complex64::new(1e3, 2e2); 3],
        model: LoadModel::ConstantPower,
        rated_voltage_v: 231.0,
        band: None,
        connected: true,
        generator: false,
        place: Place(9),
    }
}

fn transformer() -> Transformer {
    let winding = |at: u32, rated_voltage_v, tap| Winding {
        connection: Connection::abc(NodeId(at)),
        kind: WindingKind::Star(Neutral::Earthed(Complex64::ZERO)),
        rated_voltage_v,
        tap,
    };
    let tap = TapChanger { step: 0.025, position: 1, neutral: 0, lowest: -2, highest: 2 };
    Transformer {
        name: "t".into(),
        windings: vec![winding(0, 10e3, Some(tap)), winding(1, 400.0, None)],
        clock: vec![0],
        closed: vec![true, true],
        rated_power_va: 400e3,
        short_circuit_pu: vec![Complex64::new(0.01, 0.04)],
        magnetising: Magnetising::AtWinding {
            winding: 0,
            y_pu: Complex64::ZERO,
            antifloat_pu: 1e-6,
        },
        place: Place(6),
    }
}

/// A source, a transformer, a chain of three lines, a load at the end, a tie that is open.
fn sound() -> Network {
    let mut network = Network::new("sound", 50.0);
    network.push_node(node("mv", 10e3));
    for name in ["a", "b", "c", "d"] {
        network.push_node(node(name, 400.0));
    }
    network.lines = vec![line("ab", 1, 2), line("bc", 2, 3), line("cd", 3, 4)];
    network.switches = vec![switch("tie", 4, 1, false)];
    network.transformers = vec![transformer()];
    network.loads = vec![load("home", 4)];
    network.sources = vec![Source {
        name: "grid".into(),
        node: NodeId(0),
        voltage_v: 10e3,
        angle_rad: 0.0,
        z1_ohm: Complex64::new(0.1, 1.0),
        z0_ohm: Complex64::new(0.1, 1.0),
        connected: true,
        place: Place(5),
    }];
    network
}

/// The faults of the sound network after a change to it.
fn describe(change: impl FnOnce(&mut Network)) -> Vec<String> {
    let mut network = sound();
    change(&mut network);
    check(&network).faults.iter().map(ToString::to_string).collect()
}

fn sequence(network: &mut Network, line: usize) -> &mut SequenceImpedance {
    match &mut network.lines[line].impedance {
        LineImpedance::Sequence(it) => it,
        LineImpedance::Matrix { .. } => panic!("by symmetrical components"),
    }
}

#[test]
fn a_sound_network_has_no_faults() {
    assert_eq!(check(&sound()), super::Report::default());
}

#[test]
fn each_fault_is_reported_with_its_element_and_its_line() {
    let one = |change: fn(&mut Network), expected: &str| assert_eq!(describe(change), [expected]);
    one(
        |it| it.lines[0].length_m = Some(-3.0),
        "line 7: line `ab`: its length is -3 m, expected 0 m or more",
    );
    one(
        |it| sequence(it, 1).z1_ohm.re = -0.1,
        "line 7: line `bc`: the real part of its positive-sequence impedance is -0.1 ohm, \
         expected 0 ohm or more",
    );
    one(
        |it| sequence(it, 2).y0_s.im = f64::NAN,
        "line 7: line `cd`: its zero-sequence charging is 0+NaNi, expected finite numbers",
    );
    one(
        |it| it.nodes[2].rated_voltage_v = f64::INFINITY,
        "line 1: node `b`: its rated voltage is inf, expected a finite number",
    );
    one(
        |it| it.loads[0].connection.node = NodeId(77),
        "line 9: load `home`: it refers to node 77, but there are 5 nodes",
    );
    one(
        |it| it.lines[0].to.wires = crate::network::WireList::single(crate::network::Wire::B),
        "line 7: line `ab`: it has 3 wires at one end and 1 at the other",
    );
    one(
        |it| it.lines[2].name = "ab".into(),
        "line 7: line `ab`: another line on line 7 has this name already",
    );
    one(|it| it.nodes[3].name = "".into(), "line 1: node ``: it has no name");
    one(|it| it.lines[1].to.node = NodeId(2), "line 7: line `bc`: both its ends are at node `b`");
    one(
        |it| it.transformers[0].windings[0].tap.as_mut().unwrap().position = 3,
        "line 6: transformer `t`: its tap is at position 3, expected -2 to 2",
    );
    one(
        |it| it.transformers[0].windings[0].tap.as_mut().unwrap().step = 0.5,
        "line 6: transformer `t`: at tap position -2 it has no turns left",
    );
    one(
        |it| {
            it.transformers[0].windings[0].rated_voltage_v = 400.0;
            it.transformers[0].windings[1].rated_voltage_v = 10e3;
        },
        "line 6: transformer `t`: a winding of 400 V is at node `mv` of 10000 V, expected about \
         that voltage: its windings may be in the wrong order",
    );
    one(
        |it| it.transformers[0].short_circuit_pu[0] = Complex64::ZERO,
        "line 6: transformer `t`: its short-circuit impedance is zero, expected one above it",
    );
    one(
        |it| it.sources[0].voltage_v = 0.0,
        "line 5: source `grid`: its voltage is 0 V, expected more than 0 V",
    );
    one(
        |it| it.frequency_hz = 0.0,
        "network `sound`: its frequency is 0 Hz, expected more than 0 Hz",
    );
}

#[test]
fn a_band_of_voltages_that_cannot_be_is_reported() {
    let one = |change: fn(&mut Network), expected: &str| assert_eq!(describe(change), [expected]);
    one(
        |it| {
            let turned = Some(0.95);
            it.loads[0].band = Some(VoltageBand { lowest: 0.95, highest: 1.05, turned });
        },
        "line 9: load `home`: below its band of voltages it turns into an impedance at 0.95 of the \
         rated one, expected 0 or more and less than 0.95, where the band begins",
    );
    one(
        |it| it.loads[0].band = Some(VoltageBand { lowest: 1.1, highest: 0.9, turned: None }),
        "line 9: load `home`: its band of voltages begins at 1.1 and ends at 0.9 of the rated one",
    );
}

#[test]
fn a_source_behind_an_absurd_impedance_is_reported() {
    let expected = "line 5: source `grid`: its impedance is 1e13 ohm, expected 1e12 ohm at most: \
                    look at its short-circuit power";
    assert_eq!(describe(|it| it.sources[0].z1_ohm = 1e13.into()), [expected]);
}

#[test]
fn lines_that_nobody_could_build_are_reported() {
    let of = |mutual: f64, below: f64| {
        describe(|it| {
            let own = |i: usize, j: usize| if i == j { 1.0 } else { mutual };
            let mut series_ohm = Matrix::from_fn(3, |i, j| Complex64::new(own(i, j), 0.3));
            series_ohm.rows[2][1].re += below;
            let shunt_s = Matrix::from_fn(3, |_, _| Complex64::ZERO);
            it.lines[0].impedance = LineImpedance::Matrix {
                series_ohm: Box::new(series_ohm),
                shunt_s: Box::new(shunt_s),
            };
        })
    };
    let active = "line 7: line `ab`: its resistances would give power to some currents (conductor ";
    for (mutual, conductor) in [(5.0, 2), (-0.6, 3)] {
        let found = of(mutual, 0.0);
        assert!(found[0].starts_with(&format!("{active}{conductor} ")), "{found:?}");
    }
    // All currents in earth, or none: the borders.
    for mutual in [1.0, 0.99, 0.0, -0.49, -0.5] {
        assert_eq!(of(mutual, 0.0), Vec::<String>::new(), "{mutual}");
    }
    let found = of(0.2, 0.1);
    let expected = "line 7: line `ab`: its series impedance is 0.30000000000000004+0.3i ohm in row \
                    3, column 2, and 0.2+0.3i ohm in row 2, column 3; expected the same";
    assert_eq!(found, [expected]);
}

#[test]
fn every_loop_without_impedance_is_reported() {
    let found = describe(|it| {
        it.switches[0].closed = true;
        it.switches.push(switch("second", 1, 4, true));
        it.switches.push(switch("third", 4, 1, true));
    });
    let expected = [("second", "`a` to `d`"), ("third", "`d` to `a`")].map(|(name, between)| {
        format!(
            "line 8: switch `{name}`: it closes a loop without any impedance from {between}; open \
             it, or give it one"
        )
    });
    assert_eq!(found, expected);
}

#[test]
fn loads_without_a_source_are_remarked_once_for_each_island() {
    let mut network = sound();
    network.lines[1].from_closed = false;
    network.loads.push(load("second", 3));
    network.push_node(node("alone", 400.0));
    network.push_node(node("lonely", 400.0));
    network.loads.push(load("third", 6));
    let report = check(&network);
    assert!(report.is_sound());
    let remarks: Vec<String> = report.remarks.iter().map(ToString::to_string).collect();
    let expected = [
        "line 1: node `c`: its island is de-energised and has 2 loads: nothing is drawn",
        "line 1: node `lonely`: its island is de-energised and has a load: nothing is drawn",
    ];
    assert_eq!(remarks, expected);
}

#[test]
fn rated_voltages_that_do_not_belong_together_are_doubted() {
    let describe = |change: fn(&mut Network)| -> Vec<String> {
        let mut network = sound();
        change(&mut network);
        let report = check(&network);
        assert!(report.is_sound(), "{:?}", report.faults);
        report.doubts.iter().map(ToString::to_string).collect()
    };
    assert_eq!(describe(|_| ()), Vec::<String>::new());
    // What equipment is rated for is no doubt: 12 kV in 10 kV networks, 420 V and 433 V in 400 V.
    let usual = describe(|it| {
        it.transformers[0].windings[0].rated_voltage_v = 12e3;
        it.transformers[0].windings[1].rated_voltage_v = 433.0;
        it.loads[0].rated_voltage_v = 240.0;
    });
    assert_eq!(usual, Vec::<String>::new());
    let of = |change: fn(&mut Network), expected: &str| assert_eq!(describe(change), [expected]);
    of(
        |it| it.transformers[0].windings[0].rated_voltage_v = 20e3,
        "line 6: transformer `t`: a winding is rated for 20000 V and has 10000 V at node `mv`: the \
         voltages behind it are off by as much; look at its plate and at the node's voltage",
    );
    of(
        |it| it.loads[0].rated_voltage_v = 400.0,
        "line 9: load `home`: it is rated for 400 V across each part and has 231 V to earth at node \
         `d`: far from its rated voltage it draws another power than the one written; look at its \
         voltage",
    );
    of(
        |it| it.loads[0].configuration = Configuration::Delta,
        "line 9: load `home`: it is rated for 231 V across each part and has 400 V between lines at \
         node `d`: far from its rated voltage it draws another power than the one written; look at \
         its voltage",
    );
    of(
        |it| it.sources[0].voltage_v = 1e4 * 1e4,
        "line 5: source `grid`: its voltage is 100000000 V, and node `mv` is rated for 10000 V",
    );
    of(
        |it| {
            it.nodes[4].rated_voltage_v = 230.0;
            it.loads[0].connected = false;
            it.switches.clear();
        },
        "line 7: line `cd`: it joins node `c` of 400 V and node `d` of 230 V, expected the same \
         rated voltage at both ends: mend the node's, or put a transformer between them",
    );
    // Of many alike some are listed, and how many more there are.
    let many = describe(|it| {
        for name in ["1", "2", "3", "4", "5", "6", "7"] {
            it.loads.push(Load { rated_voltage_v: 10e3, ..load(name, 4) });
        }
    });
    assert_eq!((many.len(), &*many[5]), (6, "load `5`: and 2 more like it"));
}

#[test]
fn of_very_many_faults_some_are_listed_and_the_others_counted() {
    let mut network = sound();
    for _ in 0..3000 {
        network.push_node(node("again", -1.0));
    }
    let report = check(&network);
    assert_eq!(
        (report.faults.len(), report.left_out),
        (super::MOST_LISTED, 3000 + 2999 - super::MOST_LISTED)
    );
}

proptest! {
    #[test]
    fn every_fault_that_is_planted_is_reported(which in 0..9_usize, what in 0..4_usize) {
        let figure = [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, -5.0][what];
        let element = ["node", "line", "line", "transformer", "transformer", "source", "source",
                       "load", "network"][which];
        let mut network = sound();
        match which {
            0 => network.nodes[4].rated_voltage_v = figure,
            1 => sequence(&mut network, 0).z0_ohm.re = figure,
            2 => network.lines[0].rated_current_a = Some(figure),
            3 => network.transformers[0].rated_power_va = figure,
            4 => network.transformers[0].windings[1].rated_voltage_v = figure,
            5 => network.sources[0].voltage_v = figure,
            6 => network.sources[0].z1_ohm.re = figure,
            7 => network.loads[0].rated_voltage_v = figure,
            _ => network.frequency_hz = figure,
        }
        let report = check(&network);
        prop_assert_eq!(report.faults.len(), 1);
        prop_assert_eq!(report.faults[0].element, element);
    }
}
