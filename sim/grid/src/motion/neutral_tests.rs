//! Faults to the neutral wire, and neutrals that are lost, beside the circuit solved by hand.

use num_complex::Complex64;

use super::{
    Event, FaultAt, Motion, NetworkAction, Options, Piece, Probe, ProbeAt, ProbePair, Resolution,
    Segment, SegmentContent, cut,
};
use crate::flow;
use crate::format::toml;
use crate::network::{Network, NodeId, Wire, Wires};
use crate::transient::{FaultKind, Pole};

const MS: i64 = 1_000_000;

/// A stiff source, a transformer of next to no impedance, a line whose conductors have 0.2 ohm
/// each, and loads of 10, 20 and 40 ohm from its end to the neutral.
fn network(earthing: &str) -> Network {
    let watts = |ohm: f64| 400.0 * 400.0 / 3.0 / ohm;
    let text = format!(
        r#"
        format = 1
        voltage = "400 V"
        node = [
            {{ name = "grid", voltage = "10 kV" }},
            {{ name = "busbar", wires = "abcn" }},
            {{ name = "home", wires = "abcn" }},
        ]
        source = [{{ node = "grid", short_circuit_power = "1e3 MVA" }}]
        load = [{{ name = "home", node = "home", model = "impedance",
                   p = ["{} W", "{} W", "{} W"] }}]
        [[transformer]]
        name = "T1"
        from = "grid"
        to = "busbar"
        group = "Dyn5"
        voltages = ["10 kV", "400 V"]
        power = "10 MVA"
        uk = "1 %"
        {earthing}
        [[line]]
        name = "cable"
        from = "busbar"
        to = "home"
        length = "1 km"
        r1 = "0.2 ohm/km"
        x1 = "0 ohm/km"
        "#,
        watts(10.0),
        watts(20.0),
        watts(40.0),
    );
    toml::read("net.toml", &text).unwrap()
}

/// The voltages at the home at the end, wire by wire, as phasors.
fn played(network: &Network, events: &[Event], resolution: Resolution) -> [Complex64; 4] {
    let pair = |wire: usize| {
        let mut voltage = [0.0; 4];
        voltage[wire] = 1.0;
        ProbePair { voltage, current: [0.0; 4] }
    };
    let home = network.node("home").unwrap();
    let probe = Probe { at: ProbeAt::Node(home), pairs: (0..4).map(pair).collect() };
    let options = Options { resolution, ..Options::default() };
    let mut motion =
        Motion::new(network, options, events.to_vec(), Vec::new(), vec![probe]).unwrap();
    let mut segments: Vec<Segment> = Vec::new();
    // Over a border of steps too, where the power flow is solved as the network stands.
    for span in [(0, 1_000 * MS), (1_000 * MS, 2_000 * MS)] {
        let mut standing = network.clone();
        motion.stand(&mut standing);
        let flow = flow::solve(&standing, &flow::Options::default()).unwrap();
        segments.extend(motion.play(network, &flow, span).unwrap().0);
    }
    let SegmentContent::Steady { pairs, .. } = &segments.last().unwrap().what else { panic!() };
    std::array::from_fn(|wire| pairs[0][wire].0)
}

/// The star point's voltage against a stiff system of phases, by Millman's theorem; with what leads
/// from it to the neutral of that system, siemens.
fn star_point(phases: [Complex64; 3], behind_ohm: f64, neutral_s: f64) -> Complex64 {
    let siemens = [10.0, 20.0, 40.0].map(|ohm| 1.0 / (ohm + behind_ohm));
    let driven: Complex64 = phases.iter().zip(siemens).map(|(u, y)| u * y).sum();
    driven / (siemens.iter().sum::<f64>() + neutral_s)
}

fn system(network: &Network) -> [Complex64; 3] {
    let flow = flow::solve(network, &flow::Options::default()).unwrap();
    std::array::from_fn(|wire| flow.nodes[1].voltage_v[wire])
}

#[test]
fn a_lost_neutral_lifts_the_star_point() {
    for (earthing, electrode) in [
        ("", 0.0),
        ("neutral_resistance = \"2 ohm\"\nneutral_reactance = \"1 ohm\"", 0.0),
        ("", 5.0),
    ] {
        let network = network(earthing);
        let phases = system(&network);
        for (piece, resolution) in [
            (Piece::Line(0), Resolution::Phasors),
            (Piece::Line(0), Resolution::Waveforms),
            (Piece::StarPoint(0), Resolution::Phasors),
        ] {
            let mut network = network.clone();
            if electrode > 0.0 {
                let text = "format = 1\nvoltage = \"1 V\"\n[[node]]\nname = \"x\"\n\
                            wires = \"abcn\"\n[[earthing]]\nnode = \"x\"\nresistance = \"5 ohm\"";
                let mut shunt = toml::read("e.toml", text).unwrap().shunts.remove(0);
                shunt.connection.node = NodeId(2);
                network.shunts.push(shunt);
            }
            let switch = cut(&mut network, piece).unwrap();
            let pole = Pole::One(3);
            let open = Event { at_ns: 300 * MS, what: NetworkAction::Open { switch, pole } };
            let close = Event { at_ns: 1_400 * MS, what: NetworkAction::Close { switch, pole } };
            let found = played(&network, std::slice::from_ref(&open), resolution);
            let neutral_s = if electrode > 0.0 { 1.0 / electrode } else { 0.0 };
            let expected = star_point(phases, 0.2, neutral_s);
            assert!((found[3] - expected).norm() < 1e-3 * 231.0, "{piece:?} {found:?} {expected}");
            let across = [0, 1, 2].map(|wire| (found[wire] - found[3]).norm());
            if electrode == 0.0 {
                assert!(across[0] < 160.0 && across[2] > 300.0, "{across:?}");
            }
            let back = played(&network, &[open, close], resolution);
            assert!(back[3].norm() < 5.0, "{back:?}");
        }
    }
}

#[test]
fn a_fault_to_the_neutral_returns_by_that_wire() {
    let network = network("neutral_resistance = \"2 ohm\"");
    let phases = system(&network);
    for (resistance_ohm, resolution) in
        [(0.0, Resolution::Phasors), (0.3, Resolution::Phasors), (0.3, Resolution::Waveforms)]
    {
        let kind = FaultKind::Between(Wires::NONE.with(Wire::A).with(Wire::Neutral));
        let (name, node) = ("fault:f".into(), NodeId(2));
        let (arc, angle_rad, extinguishes_s) = (None, None, None);
        let fault =
            FaultAt { id: 1, name, node, kind, resistance_ohm, arc, angle_rad, extinguishes_s };
        let event = Event { at_ns: 300 * MS, what: NetworkAction::Fault(fault) };
        let found = played(&network, &[event], resolution);
        // Two equations: phase a, and the star of the other two; all returns by 0.2 ohm.
        let parallel = 1.0 / (1.0 / 10.0 + 1.0 / f64::max(resistance_ohm, 1e-9));
        let siemens = [1.0 / (parallel + 0.2), 1.0 / 20.2, 1.0 / 40.2];
        let driven: Complex64 = phases.iter().zip(siemens).map(|(u, y)| u * y).sum();
        let neutral = driven / (siemens.iter().sum::<f64>() + 1.0 / 0.2);
        let across = (phases[0] - neutral) * parallel * siemens[0];
        assert!((found[3] - neutral).norm() < 2e-3 * 231.0, "{found:?} {neutral}");
        assert!((found[0] - found[3] - across).norm() < 2e-3 * 231.0, "{found:?} {across}");
    }
}
