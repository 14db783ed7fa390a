//! Fuses by the current as it flows, beside integrals of it.

use std::f64::consts::{SQRT_2, TAU};

use super::{
    Event, FaultAt, FuseLink, Motion, NetworkAction, Operation, OperationKind, Options, Probe,
    ProbeAt, ProbePair, Protector, Resolution, SegmentContent,
};
use crate::flow;
use crate::network::{Network, NodeId, Wire, Wires};
use crate::protection::{Fuse, GgGates};
use crate::testing::{add_load, add_node, add_source, add_switch, c};
use crate::transient::FaultKind;

/// Of the fuse of 63 A between its gates: the geometric mean of both pre-arcing values.
const MELTS_A2S: f64 = 15_588.457_268_119_894;

/// Of one phase, as all phases are apart; 2.5 kA.
const OHM: (f64, f64) = (0.0266, 0.0885);

fn network() -> Network {
    let mut network = Network::new("fuse", 50.0);
    let [supply, home] = std::array::from_fn(|_| add_node(&mut network, 400.0));
    let z = c(OHM.0, OHM.1);
    add_source(&mut network, supply, [z, z]).angle_rad = 0.3;
    add_switch(&mut network, supply, home, true);
    add_load(&mut network, home, [c(1.0, 0.0); 3]);
    network
}

fn fault((id, wire): (u32, Wire), at_ns: i64, resistance_ohm: f64) -> Event {
    let (name, node) = (format!("fault:{id}").into(), NodeId(1));
    let kind = FaultKind::Ground(Wires::NONE.with(wire));
    let (arc, angle_rad, extinguishes_s) = (None, None, None);
    let fault = FaultAt { id, name, node, kind, resistance_ohm, arc, angle_rad, extinguishes_s };
    Event { at_ns, what: NetworkAction::Fault(fault) }
}

/// When the fuse of phase a melts, and the integral of the squared current of phase a until then.
fn melted(step_s: f64, events: Vec<Event>) -> (i64, f64) {
    let network = network();
    let options = Options { step_s, ..Options::default() };
    assert_eq!(options.resolution, Resolution::Waveforms);
    let curve = GgGates::of_rating(63.0).unwrap().melting(0.5).unwrap();
    let device = Box::new(FuseLink::new(Fuse::new(curve, None).unwrap(), false));
    let fuse = Protector { name: "fuse".into(), switch: 0, device };
    let only = [1.0, 0.0, 0.0, 0.0];
    let pairs = vec![ProbePair { voltage: only, current: only }];
    let probes = vec![Probe { at: ProbeAt::Switch(0), pairs }];
    let mut motion = Motion::new(&network, options, events, vec![fuse], probes).unwrap();
    let flow = flow::solve(&network, &flow::Options::default()).unwrap();
    let (segments, _) = motion.play(&network, &flow, (0, 400_000_000)).unwrap();
    let is_it = |it: &&Operation| it.kind == OperationKind::Melted && it.detail == "phase a".into();
    let found = motion.operations().iter().find(is_it).unwrap();
    let mut square_time = 0.0;
    for segment in &segments {
        let SegmentContent::Waveforms(waves) = &segment.what else { continue };
        let left_s = (found.at_ns - segment.from_ns) as f64 * 1e-9;
        let (at_s, current) = (&waves.at_s, &waves.probes[0][0].1);
        for at in 1..at_s.len() {
            let (from_s, to_s) = (at_s[at - 1], at_s[at].min(left_s));
            if to_s <= from_s {
                break;
            }
            let share = (to_s - from_s) / (at_s[at] - from_s);
            let from = current[at - 1];
            let to = from + (current[at] - from) * share;
            square_time += (to_s - from_s) * (from * from + from * to + to * to) / 3.0;
        }
    }
    (found.at_ns, square_time)
}

/// The integral of the squared current of a fault through resistance and inductance, by Simpson's
/// rule of its closed form.
fn square_time(from_ns: i64, to_ns: i64) -> f64 {
    let omega = TAU * 50.0;
    let (r, x) = OHM;
    let peak = SQRT_2 * 400.0 / 3f64.sqrt() / r.hypot(x);
    let begun_s = from_ns as f64 * 1e-9;
    let steady = |t: f64| peak * (omega * t + 0.3 - x.atan2(r)).sin();
    let current = |t: f64| steady(t) - steady(begun_s) * (-(t - begun_s) * omega * r / x).exp();
    let count = 2_000;
    let step_s = (to_ns - from_ns) as f64 * 1e-9 / f64::from(count);
    let weight = |at: i32| match at {
        0 => 1.0,
        at if at == count => 1.0,
        at => 2.0 + 2.0 * f64::from(at % 2),
    };
    let at = |at: i32| weight(at) * current(begun_s + f64::from(at) * step_s).powi(2);
    (0..=count).map(at).sum::<f64>() * step_s / 3.0
}

const MS: i64 = 1_000_000;

fn near(found: f64, what: &str) {
    assert!((found / MELTS_A2S - 1.0).abs() < 0.01, "{what}: {:.4}", found / MELTS_A2S);
}

#[test]
fn a_fuse_melts_by_its_energy_whenever_the_fault_begins() {
    for nth in 0..50 {
        let at_ns = 40 * MS + nth * 400_000 + 137;
        let step_s = [20e-6, 50e-6, 200e-6][nth as usize % 3];
        let (melted_ns, found) = melted(step_s, vec![fault((1, Wire::A), at_ns, 0.0)]);
        near(found, "as it was played");
        near(square_time(at_ns, melted_ns), "closed form");
    }
}

#[test]
fn a_fuse_melts_by_its_energy_in_a_second_fault_too() {
    for nth in 0..50 {
        // In waves of another phase, or of its own, or just before it melts.
        let (first, ohm, before_ns) = match nth % 3 {
            0 => (Wire::C, 20.0, 14 * MS),
            1 => (Wire::A, 20.0, 14 * MS - nth * 250_000),
            _ => (Wire::C, 0.0, -MS / 2),
        };
        let at_ns = 60 * MS + nth * 400_000 + 137;
        let events =
            vec![fault((1, first), at_ns - before_ns, ohm), fault((2, Wire::A), at_ns, 0.0)];
        near(melted(50e-6, events).1, &format!("nth {nth}"));
    }
}

#[test]
fn a_resistive_fault_jumps_and_is_counted_from_its_instant() {
    // Through 0.4 ohm the current is there within 0.2 ms; below 10 ms the curve is the same.
    for nth in 0..10 {
        let at_ns = 45 * MS + nth * 1_130_000;
        let mut network = network();
        network.sources[0].z1_ohm = c(0.09, 1e-6);
        network.sources[0].z0_ohm = c(0.09, 1e-6);
        let (events, options) = (vec![fault((1, Wire::A), at_ns, 0.0)], Options::default());
        let curve = GgGates::of_rating(63.0).unwrap().melting(0.5).unwrap();
        let device = Box::new(FuseLink::new(Fuse::new(curve, None).unwrap(), false));
        let fuse = Protector { name: "fuse".into(), switch: 0, device };
        let mut motion = Motion::new(&network, options, events, vec![fuse], Vec::new()).unwrap();
        let flow = flow::solve(&network, &flow::Options::default()).unwrap();
        motion.play(&network, &flow, (0, 200 * MS)).unwrap();
        let found = motion.operations().iter().find(|it| it.kind == OperationKind::Melted).unwrap();
        let (omega, peak) = (TAU * 50.0, SQRT_2 * 400.0 / 3f64.sqrt() / 0.09);
        let whole = |at_ns: i64| {
            let angle = omega * (at_ns as f64 * 1e-9) + 0.3;
            peak * peak * (angle / 2.0 - (2.0 * angle).sin() / 4.0) / omega
        };
        near(whole(found.at_ns) - whole(at_ns), &format!("nth {nth}"));
    }
}
