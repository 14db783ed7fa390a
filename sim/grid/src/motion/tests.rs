//! Against the formulas of devices, integrals of their own, the power flow and the circuit.

use std::f64::consts::{SQRT_2, TAU};

use num_complex::Complex64;

use super::{
    Event, FaultAt, FuseLink, Motion, NetworkAction, OperationKind, Options, Piece, Probe, ProbeAt,
    ProbePair, Protector, RelayBreaker, Resolution, Segment, SegmentContent, cut,
};
use crate::flow::{self, Flow};
use crate::network::{Configuration, Network, NodeId, Wire, Wires};
use crate::protection::{Characteristic, Curve, Fuse, Recloser, RecloserSettings, Relay};
use crate::short_circuit;
use crate::testing::{add_line, add_load, add_node, add_source, add_switch, c, sequence};
use crate::transient::{FaultKind, Pole};

const MS: i64 = 1_000_000;
const END: i64 = 2_000 * MS;
const STEP_NS: i64 = 50_000;

/// 20 kV: a source, two feeders behind switches `q0` and `q1`, a load at the end of each.
pub(super) fn network() -> Network {
    let mut network = Network::new("two feeders", 50.0);
    let [busbar, one, two, far, other] = std::array::from_fn(|_| add_node(&mut network, 20e3));
    add_source(&mut network, busbar, [c(0.2, 1.5), c(0.4, 3.0)]).angle_rad = 0.3;
    for to in [one, two] {
        add_switch(&mut network, busbar, to, true);
    }
    for (from, to) in [(one, far), (two, other)] {
        let impedance = sequence([c(2.0, 1.5), c(4.0, 4.0)], [c(0.0, 1e-6); 2]);
        add_line(&mut network, from, to, impedance).length_m = Some(4000.0);
        add_load(&mut network, to, [c(100e3, 30e3), c(80e3, 20e3), c(120e3, 30e3)]);
    }
    network
}

const FAR: NodeId = NodeId(3);

pub(super) fn probes() -> Vec<Probe> {
    let pair = |wire: usize| {
        let mut only = [0.0; 4];
        only[wire] = 1.0;
        ProbePair { voltage: only, current: only }
    };
    let pairs: Vec<ProbePair> = (0..3).map(pair).collect();
    [ProbeAt::Source(0), ProbeAt::Load(0), ProbeAt::Load(1)]
        .map(|at| Probe { at, pairs: pairs.clone() })
        .into()
}

fn fault(at_ms: f64, kind: FaultKind, extinguishes_s: Option<f64>) -> Event {
    let name = "fault:f".into();
    let (resistance_ohm, angle_rad) = (0.5, None);
    let fault = FaultAt {
        id: 1,
        name,
        node: FAR,
        kind,
        resistance_ohm,
        arc: None,
        angle_rad,
        extinguishes_s,
    };
    Event { at_ns: (at_ms * 1e6) as i64, what: NetworkAction::Fault(fault) }
}

fn ground() -> FaultKind {
    FaultKind::Ground(Wires::NONE.with(Wire::A))
}

struct PlayResult {
    motion: Motion,
    segments: Vec<Segment>,
    until_ns: i64,
}

fn flow_of(network: &Network) -> Flow {
    flow::solve(network, &flow::Options::default()).unwrap()
}

fn play(resolution: Resolution, events: Vec<Event>, protectors: Vec<Protector>) -> PlayResult {
    let network = network();
    let options = Options { resolution, ..Options::default() };
    let mut motion = Motion::new(&network, options, events, protectors, probes()).unwrap();
    let flow = flow_of(&network);
    let (segments, until_ns) = motion.play(&network, &flow, (0, END)).unwrap();
    PlayResult { motion, segments, until_ns }
}

fn breaker(relay: Relay) -> Vec<Protector> {
    let device = Box::new(RelayBreaker::new(relay, 0.05));
    vec![Protector { name: "breaker:q0".into(), switch: 0, device }]
}

fn inverse() -> Relay {
    let curve = Curve::inverse(Characteristic::StandardInverse, 100.0, 0.05).unwrap();
    Relay::new(&[curve], &[])
}

impl PlayResult {
    fn kinds(&self) -> Vec<(&str, OperationKind)> {
        let mut all: Vec<_> = self.motion.operations().iter().collect();
        all.sort_by_key(|it| it.at_ns);
        all.iter().map(|it| (&*it.element, it.kind)).collect()
    }

    fn when(&self, element: &str, kind: OperationKind) -> i64 {
        let mut all = self.motion.operations().iter();
        all.find(|it| &*it.element == element && it.kind == kind).map_or(-1, |it| it.at_ns)
    }
}

#[test]
fn sections_follow_each_other_without_a_gap_or_a_jump() {
    let length = NetworkAction::Clear { id: 1 };
    let events = vec![fault(503.3, ground(), None), Event { at_ns: 900 * MS, what: length }];
    let played = play(Resolution::Waveforms, events, Vec::new());
    assert_eq!(played.until_ns, END);
    let segments = &played.segments;
    let mut waves = 0;
    for three in segments.windows(3) {
        let [before, between, after] = three else { panic!() };
        let SegmentContent::Waveforms(wave) = &between.what else { continue };
        waves += 1;
        let end_ns = between.from_ns + (wave.at_s.last().unwrap() * 1e9).round() as i64;
        assert_eq!(end_ns, after.from_ns);
        assert_eq!((end_ns - between.from_ns) % (20 * MS), 0, "whole periods");
        let value = |segment: &Segment, probe: usize, pair: usize, at_ns: i64| {
            let SegmentContent::Steady { pairs, .. } = &segment.what else { panic!() };
            let (u, i) = pairs[probe][pair];
            let angle = TAU * 50.0 * (at_ns as f64 * 1e-9);
            let wave = |it: Complex64| SQRT_2 * it.norm() * (angle + it.arg()).sin();
            (wave(u), wave(i))
        };
        for (probe, kept) in wave.probes.iter().enumerate() {
            for (pair, (voltages, currents)) in kept.iter().enumerate() {
                let (u, i) = value(before, probe, pair, between.from_ns);
                assert!(
                    (voltages[0] - u).abs() < 2e-4 * 16e3,
                    "{probe} {pair}: {u} {}",
                    voltages[0]
                );
                assert!((currents[0] - i).abs() < 5e-3, "{i} {}", currents[0]);
                let (u, i) = value(after, probe, pair, end_ns);
                let largest = currents.iter().fold(0.0_f64, |most, it| most.max(it.abs()));
                assert!((voltages.last().unwrap() - u).abs() < 2e-3 * 16e3, "{probe} {pair}");
                assert!((currents.last().unwrap() - i).abs() < 2e-3 * largest, "{probe} {pair}");
            }
        }
        assert!(wave.jump < 1e-3, "{}", wave.jump);
    }
    let begin: Vec<_> = segments
        .iter()
        .map(|it| (it.from_ns, matches!(it.what, SegmentContent::Waveforms(_))))
        .collect();
    assert_eq!(waves, 2, "{begin:?} {:?}", played.motion.operations());
    assert_eq!(
        played.kinds(),
        [("fault:f", OperationKind::Ignited), ("fault:f", OperationKind::Cleared)]
    );
    // At the current's zero, within half a period.
    let cleared = played.when("fault:f", OperationKind::Cleared);
    assert!((900 * MS..910 * MS + 2 * STEP_NS).contains(&cleared), "{cleared}");
    assert!(played.motion.faults().next().is_none());
}

#[test]
fn phasors_during_a_fault_are_those_of_the_short_circuit_engine() {
    let (network, one) = (network(), short_circuit::Kind::SinglePhaseToGround(Wire::A));
    let location = short_circuit::Location::Node(FAR);
    let fault_at = short_circuit::Fault { kind: one, location, impedance_ohm: c(0.5, 0.0) };
    let before = short_circuit::PrefaultState::Loaded(flow::Options::default());
    let options = short_circuit::Options { phases: flow::Phases::All, before };
    let expected = short_circuit::solve(&network, &[fault_at], &options).unwrap().flow;
    let played = play(Resolution::Phasors, vec![fault(503.3, ground(), None)], Vec::new());
    let SegmentContent::Steady { pairs, .. } = &played.segments.last().unwrap().what else {
        panic!()
    };
    for (wire, (source, (load, other))) in
        pairs[0].iter().zip(pairs[1].iter().zip(&pairs[2])).enumerate()
    {
        let near = |found: Complex64, node: NodeId| {
            let volts = expected.nodes[node.index()].voltage_v[wire];
            let share = (found - volts).norm() * 3f64.sqrt() / 20e3;
            assert!(share < 1e-6, "{wire}: {found} {volts} {share}");
        };
        near(source.0, NodeId(0));
        near(load.0, FAR);
        near(other.0, NodeId(4));
        let current_a = expected.sources[0].current_a[wire];
        let share = (source.1 - current_a).norm() / expected.sources[0].current_a[0].norm();
        assert!(share < 1e-6, "{wire}: {} {current_a} {share}", source.1);
    }
}

#[test]
fn a_relay_trips_by_its_formula_and_its_breaker_opens_at_zeros() {
    let events = || vec![fault(503.3, ground(), None)];
    let played = play(Resolution::Waveforms, events(), breaker(inverse()));
    // The phasor of the fault's current through the breaker, where nothing trips.
    let unhindered = play(Resolution::Phasors, events(), Vec::new());
    let steady = unhindered.segments.iter().find_map(|it| match &it.what {
        SegmentContent::Steady { pairs, .. } if it.from_ns > 503 * MS => Some(pairs.clone()),
        _ => None,
    });
    // Behind the source stands the breaker's feeder and the other one, which draws no more than
    // its load: taken away here.
    let pairs = steady.unwrap();
    let current_a = (pairs[0][0].1 - pairs[2][0].1).norm();
    let seconds = 0.05 * 0.14 / ((current_a / 100.0).min(20.0).powf(0.02) - 1.0);
    let tripped = played.when("breaker:q0", OperationKind::Tripped);
    let expected = 503_300_000 + (seconds * 1e9) as i64;
    assert!((tripped - expected).abs() <= STEP_NS, "{tripped} {expected}");
    let opened = played.when("breaker:q0", OperationKind::Opened);
    assert!((opened - tripped - 50 * MS).abs() <= 2 * STEP_NS, "{opened} {tripped}");
    assert!(played.motion.poles()[0].iter().all(|closed| !closed));
    assert!(played.motion.poles()[1].iter().all(|closed| *closed));
    let SegmentContent::Steady { supply, .. } = &played.segments.last().unwrap().what else {
        panic!()
    };
    assert_eq!(supply.supplied, [0.0, 1.0]);
}

#[test]
fn a_fuse_melts_by_the_integral_of_what_was_recorded() {
    // Constant I2t of 5 kA2s from 60 A on.
    let melting = Curve::table(vec![(60.0, 5e3 / 3600.0), (6e3, 5e3 / 36e6)]);
    let fuse = Fuse::new(melting.unwrap(), None).unwrap();
    let device = Box::new(FuseLink::new(fuse, false));
    let protectors = vec![Protector { name: "fuse:q0".into(), switch: 0, device }];
    for at_ms in [501.0, 505.0, 508.0] {
        let kind = FaultKind::Between(Wires::NONE.with(Wire::B).with(Wire::C));
        let events = vec![fault(at_ms, kind, None)];
        let played = play(Resolution::Waveforms, events, protectors.clone());
        let melted =
            played.motion.operations().iter().find(|it| it.kind == OperationKind::Melted).unwrap();
        let (from_ns, waves) = played
            .segments
            .iter()
            .find_map(|it| match &it.what {
                SegmentContent::Waveforms(waves) => Some((it.from_ns, waves.clone())),
                SegmentContent::Steady { .. } => None,
            })
            .unwrap();
        // The feeder's current in phase b: of the source without the other load, whose line's
        // charging is milliamperes.
        let (source, other) = (&waves.probes[0][1].1, &waves.probes[2][1].1);
        let (mut sum, mut at_s) = (0.0, 0.0);
        for k in 1..source.len() {
            let (a, b) = (source[k - 1] - other[k - 1], source[k] - other[k]);
            let length_s = waves.at_s[k] - waves.at_s[k - 1];
            let more = length_s * (a * a + a * b + b * b) / 3.0;
            if sum + more >= 5e3 {
                at_s = waves.at_s[k - 1] + length_s * (5e3 - sum) / more;
                break;
            }
            sum += more;
        }
        let found_s = (melted.at_ns - from_ns) as f64 * 1e-9;
        assert!((found_s - at_s).abs() < 1e-5, "{found_s} {at_s}");
        let blown = played.when("fuse:q0", OperationKind::Blown);
        assert!(blown > melted.at_ns && blown < melted.at_ns + 11 * MS, "{blown}");
        // Both fuses of the loop are in series: the second may survive, the first has opened it.
        assert!(!played.motion.poles()[0][1] || !played.motion.poles()[0][2]);
    }
}

/// Constant I2t; the same of clearing, in times of it.
fn slow_fuse(square_time: f64, clearing: Option<f64>) -> Vec<Protector> {
    let curve = |times: f64| {
        let points = [60.0, 6e3].map(|it: f64| (it, times * square_time / (it * it)));
        Curve::table(points.to_vec()).unwrap()
    };
    let fuse = Fuse::new(curve(1.0), clearing.map(curve)).unwrap();
    let device = Box::new(FuseLink::new(fuse, false));
    vec![Protector { name: "fuse:q0".into(), switch: 0, device }]
}

#[test]
fn a_fuse_that_melts_between_waves_is_blown_at_the_zero_of_its_current() {
    let kind = FaultKind::Between(Wires::NONE.with(Wire::B).with(Wire::C));
    for (at_ms, square_time) in [(501.0, 3e6), (503.0, 3.1e6), (505.0, 3.17e6)] {
        let events = vec![fault(at_ms, kind, None)];
        let played = play(Resolution::Waveforms, events.clone(), slow_fuse(square_time, None));
        let kinds = played.kinds();
        // One of the two, or both at once: they carry the same current.
        let expected = [OperationKind::Ignited, OperationKind::Melted, OperationKind::Blown];
        let mut kinds: Vec<OperationKind> = kinds.iter().map(|it| it.1).collect();
        kinds.dedup();
        assert_eq!(kinds, expected, "{kinds:?}");
        let melts =
            played.motion.operations().iter().find(|it| it.kind == OperationKind::Melted).unwrap();
        let pole = if melts.detail == "phase b".into() { 1 } else { 2 };
        // Mean squares from the fault on: of the waves, then of the steady state.
        let mut waves = Vec::new();
        let (mut sum, mut steady_a2, mut steady_ns) = (0.0, 0.0, 0);
        for segment in &played.segments {
            match &segment.what {
                SegmentContent::Waveforms(it) => {
                    let (source, other) = (&it.probes[0][pole].1, &it.probes[2][pole].1);
                    let current: Vec<f64> =
                        source.iter().zip(&**other).map(|(one, other)| one - other).collect();
                    if waves.is_empty() {
                        for k in 1..current.len() {
                            let (a, b) = (current[k - 1], current[k]);
                            let length_s = it.at_s[k] - it.at_s[k - 1];
                            sum += length_s * (a * a + a * b + b * b) / 3.0;
                        }
                    }
                    waves.push((segment.from_ns, it.at_s.clone(), current));
                }
                SegmentContent::Steady { pairs, .. } if waves.len() == 1 => {
                    steady_a2 = (pairs[0][pole].1 - pairs[2][pole].1).norm_sqr();
                    steady_ns = segment.from_ns;
                }
                SegmentContent::Steady { .. } => {}
            }
        }
        let melted = played.when("fuse:q0", OperationKind::Melted);
        let expected_s = steady_ns as f64 * 1e-9 + (square_time - sum) / steady_a2;
        assert!((melted as f64 * 1e-9 - expected_s).abs() < 1e-4, "{melted} {expected_s}");
        let [_, (from_ns, at_s, current)] = &waves[..] else { panic!("{}", waves.len()) };
        assert!((from_ns - melted).abs() <= 1, "{from_ns} {melted}");
        // From there on nothing flows.
        let most = current.iter().fold(0.0_f64, |most, it| most.max(it.abs()));
        let zero = current.iter().rposition(|it| it.abs() > 1e-3 * most).unwrap();
        let zero_ns = from_ns + (at_s[zero] * 1e9).round() as i64;
        let blown = played.when("fuse:q0", OperationKind::Blown);
        // An end is seen after the three steps that are damped behind it.
        assert!((blown - zero_ns).abs() <= 5 * STEP_NS, "{melted} {blown} {zero_ns}");
        // Without waves both are one instant.
        let played = play(Resolution::Phasors, events, slow_fuse(square_time, None));
        assert_eq!(
            played.when("fuse:q0", OperationKind::Melted),
            played.when("fuse:q0", OperationKind::Blown)
        );
    }
}

#[test]
fn a_fuse_with_a_clearing_curve_arcs_for_its_time_between_waves() {
    let kind = FaultKind::Between(Wires::NONE.with(Wire::B).with(Wire::C));
    let protectors = slow_fuse(3e6, Some(1.5));
    let played = play(Resolution::Waveforms, vec![fault(501.0, kind, None)], protectors);
    let (melted, blown) = (
        played.when("fuse:q0", OperationKind::Melted),
        played.when("fuse:q0", OperationKind::Blown),
    );
    let share = (blown - melted) as f64 / (melted - 501 * MS) as f64;
    assert!((share - 0.5).abs() < 0.01, "{melted} {blown}");
    assert!(!played.motion.poles()[0][1] || !played.motion.poles()[0][2]);
}

fn recloser() -> Vec<Protector> {
    let fast = Relay::new(&[Curve::definite(100.0, 0.04).unwrap()], &[]);
    let settings = RecloserSettings {
        trips: vec![fast.clone(), fast.clone(), fast],
        dead_times_s: vec![0.3, 0.3],
        reclaim_s: 10.0,
        opening_s: 0.03,
    };
    let device = Box::new(Recloser::new(settings).unwrap());
    vec![Protector { name: "recloser:q0".into(), switch: 0, device }]
}

#[test]
fn a_recloser_saves_a_temporary_fault_and_gives_up_a_permanent_one() {
    for resolution in [Resolution::Waveforms, Resolution::Phasors] {
        let played = play(resolution, vec![fault(203.3, ground(), Some(0.1))], recloser());
        assert_eq!(
            played.kinds(),
            [
                ("fault:f", OperationKind::Ignited),
                ("recloser:q0", OperationKind::Opened),
                ("fault:f", OperationKind::Cleared),
                ("recloser:q0", OperationKind::Closed),
            ],
            "{resolution:?}"
        );
        assert!(played.motion.poles()[0].iter().all(|closed| *closed));
        let played = play(resolution, vec![fault(203.3, ground(), None)], recloser());
        let opened: Vec<OperationKind> = played.kinds().iter().map(|it| it.1).collect();
        assert_eq!(
            opened,
            [
                OperationKind::Ignited,
                OperationKind::Opened,
                OperationKind::Closed,
                OperationKind::Opened,
                OperationKind::Closed,
                OperationKind::LockedOut
            ],
            "{resolution:?}"
        );
        let first = played.when("recloser:q0", OperationKind::Opened);
        assert!((first - 273_300_000).abs() <= 2 * STEP_NS, "{first}");
        assert!(!played.motion.poles()[0][0]);
    }
}

#[test]
fn what_stands_after_it_is_the_same_network_for_the_power_flow() {
    let open = NetworkAction::Open { switch: 0, pole: Pole::One(1) };
    let events = vec![Event { at_ns: 500 * MS, what: open }];
    let played = play(Resolution::Waveforms, events, Vec::new());
    let mut network = network();
    played.motion.stand(&mut network);
    assert_eq!(network.switches[0].from.wires.to_string(), "ac");
    let flow = flow_of(&network);
    let SegmentContent::Steady { pairs, .. } = &played.segments.last().unwrap().what else {
        panic!()
    };
    for (at, wire) in Wire::PHASES.into_iter().enumerate() {
        let expected = flow.nodes[4].voltage_v[wire.index()];
        assert!((pairs[2][at].0 - expected).norm() < 2e-4 * 11.5e3, "{at}");
        let expected = flow.loads[0].current_a[at];
        assert!((pairs[1][at].1 - expected).norm() < 2e-2, "{at}: {expected}");
    }
    assert_eq!(played.kinds(), [("switch:q0", OperationKind::Opened)]);
    // The next step goes on from there.
    let mut motion = played.motion;
    let (segments, until_ns) = motion.play(&network, &flow, (END, 2 * END)).unwrap();
    assert_eq!((segments.len(), until_ns), (1, 2 * END));
}

#[test]
fn what_has_nothing_to_do_is_noted() {
    let close = NetworkAction::Close { switch: 1, pole: Pole::All };
    let open = || NetworkAction::Open { switch: 1, pole: Pole::All };
    let at = |ms: i64, what| Event { at_ns: ms * MS, what };
    let events = vec![at(100, close), at(300, open()), at(600, open())];
    let played = play(Resolution::Waveforms, events, Vec::new());
    let name = "switch:q1";
    assert_eq!(
        played.kinds(),
        [(name, OperationKind::Idle), (name, OperationKind::Opened), (name, OperationKind::Idle)]
    );
}

#[test]
fn a_probe_sees_the_same_in_a_flow_and_in_the_circuit() {
    for (generator, configuration) in [
        (false, Configuration::Star),
        (true, Configuration::Star),
        (false, Configuration::Delta),
        (true, Configuration::Delta),
    ] {
        let mut network = network();
        let load = &mut network.loads[0];
        load.configuration = configuration;
        load.generator = generator;
        load.power_va = [c(-90e3, 10e3), c(-80e3, 10e3), c(-70e3, 5e3)];
        if configuration == Configuration::Delta {
            load.rated_voltage_v = 20e3;
        }
        let flow = flow_of(&network);
        // A fault without consequence makes the circuit.
        let mut event = fault(1.0, ground(), None);
        if let NetworkAction::Fault(fault) = &mut event.what {
            fault.resistance_ohm = 1e12;
        }
        let options = Options { resolution: Resolution::Phasors, ..Options::default() };
        let mut motion = Motion::new(&network, options, vec![event], Vec::new(), probes()).unwrap();
        let (segments, _) = motion.play(&network, &flow, (0, END)).unwrap();
        let pairs = |at: usize| match &segments[at].what {
            SegmentContent::Steady { pairs, .. } => pairs.clone(),
            SegmentContent::Waveforms(_) => panic!(),
        };
        for (in_flow, in_circuit) in pairs(0).iter().flatten().zip(pairs(1).iter().flatten()) {
            assert!(
                (in_flow.0 - in_circuit.0).norm() < 2e-4 * 11.5e3,
                "{in_flow:?} {in_circuit:?}"
            );
            assert!((in_flow.1 - in_circuit.1).norm() < 5e-3, "{in_flow:?} {in_circuit:?}");
        }
    }
}

#[test]
fn a_fault_waits_for_its_angle() {
    for (kind, angle_rad) in [
        (ground(), 0.0),
        (ground(), 1.3),
        (FaultKind::Between(Wires::NONE.with(Wire::B).with(Wire::C)), 2.0),
    ] {
        let mut event = fault(500.0, kind, None);
        if let NetworkAction::Fault(fault) = &mut event.what {
            fault.angle_rad = Some(angle_rad);
        }
        let played = play(Resolution::Waveforms, vec![event], Vec::new());
        let at_ns = played.when("fault:f", OperationKind::Ignited);
        assert!((500 * MS..520 * MS).contains(&at_ns), "{at_ns}");
        let flow = flow_of(&network());
        let of = |wire: Wire| flow.nodes[3].voltage_v[wire.index()];
        let across = match kind {
            FaultKind::Ground(_) => of(Wire::A),
            FaultKind::Between(_) => of(Wire::B) - of(Wire::C),
        };
        let found = TAU * 50.0 * (at_ns as f64 * 1e-9) + across.arg();
        assert!(((found - angle_rad + 1.0).rem_euclid(TAU) - 1.0).abs() < 1e-6, "{found}");
    }
}

#[test]
fn a_fault_waits_for_its_angle_by_the_voltage_of_its_own_instant() {
    let flow = flow_of(&network());
    let across = flow.nodes[3].voltage_v[0];
    let switched = |at_ms: i64, what| Event { at_ns: at_ms * MS, what };
    let open = NetworkAction::Open { switch: 0, pole: Pole::All };
    let close = NetworkAction::Close { switch: 0, pole: Pole::All };
    // Fed again long before, within the same waves, and at the very instant; then dark.
    for (back_ms, is_fed) in [(700, true), (985, true), (1000, true), (1500, false)] {
        for angle_deg in [0.0_f64, 90.0, 180.0] {
            for resolution in [Resolution::Phasors, Resolution::Waveforms] {
                let mut event = fault(1000.0, ground(), None);
                if let NetworkAction::Fault(fault) = &mut event.what {
                    fault.angle_rad = Some(angle_deg.to_radians());
                }
                let run_out = switched(1030, NetworkAction::RunOut { id: 1 });
                let events = vec![
                    switched(0, open.clone()),
                    switched(back_ms, close.clone()),
                    event,
                    run_out,
                ];
                let played = play(resolution, events, Vec::new());
                let named = format!("{back_ms} {angle_deg} {resolution:?}");
                let at_ns = played.when("fault:f", OperationKind::Ignited);
                let ignited = played.motion.operations().iter();
                let ignited =
                    ignited.filter(|it| it.kind == OperationKind::Ignited).collect::<Vec<_>>();
                let at = format!("at {}", ignited[0].node);
                let dark = format!("{at}, which is not energised");
                let detail = if is_fed { at } else { dark };
                assert_eq!(ignited[0].detail, detail.into(), "{named}");
                if !is_fed {
                    assert_eq!(at_ns, 1000 * MS, "{named}");
                    continue;
                }
                assert!((1000 * MS..1022 * MS).contains(&at_ns), "{named}: {at_ns}");
                let found = TAU * 50.0 * (at_ns as f64 * 1e-9) + across.arg();
                let off = (found - angle_deg.to_radians() + 1.0).rem_euclid(TAU) - 1.0;
                // The waves' steps turn a voltage a little.
                assert!(off.abs() < 1e-3, "{named}: {off}");
                let lasted_ns = played.when("fault:f", OperationKind::Cleared) - at_ns;
                // Up to the next zero of its current.
                assert!((30 * MS - 10..42 * MS).contains(&lasted_ns), "{named}: {lasted_ns}");
            }
        }
    }
}

#[test]
fn what_is_cut_off_is_the_same_network_while_its_switch_is_closed() {
    let plain = flow_of(&network());
    for piece in [Piece::Line(0), Piece::Load(1), Piece::Source(0)] {
        let mut network = network();
        let switch = cut(&mut network, piece).unwrap();
        let flow = flow_of(&network);
        for (one, other) in plain.nodes.iter().zip(&flow.nodes) {
            assert!((one.voltage_v[1] - other.voltage_v[1]).norm() < 1e-3);
        }
        let current = flow.switches[switch].from.current_a[0];
        let expected = match piece {
            Piece::Line(_) => plain.lines[0].from.current_a[0],
            Piece::Source(_) => plain.sources[0].current_a[0],
            _ => plain.loads[1].current_a[0],
        };
        assert!((current - expected).norm() < 1e-3, "{piece:?}: {current} {expected}");
        network.switches[switch].closed = false;
        let flow = flow_of(&network);
        let dark = network.loads[usize::from(piece != Piece::Line(0))].connection.node;
        assert!(!flow.nodes[dark.index()].energized, "{piece:?}");
    }
    assert_eq!(cut(&mut network(), Piece::Transformer(0)), None);
}

#[test]
fn a_fault_that_waits_for_its_angle_lasts_as_long_as_it_does() {
    let mut event = fault(500.0, ground(), None);
    if let NetworkAction::Fault(fault) = &mut event.what {
        fault.angle_rad = Some(1.0);
    }
    // Shorter than what it waits at most.
    let run_out = Event { at_ns: 502 * MS, what: NetworkAction::RunOut { id: 1 } };
    let played = play(Resolution::Phasors, vec![event, run_out], Vec::new());
    let (from, to) = (
        played.when("fault:f", OperationKind::Ignited),
        played.when("fault:f", OperationKind::Cleared),
    );
    assert!(from > 500 * MS && (to - from - 2 * MS).abs() < 10, "{from} {to}");
}

#[test]
fn an_opening_is_called_off_until_a_current_is_zero() {
    let at = |ms: f64, what| Event { at_ns: (ms * 1e6) as i64, what };
    let open = NetworkAction::Open { switch: 1, pole: Pole::All };
    let close = NetworkAction::Close { switch: 1, pole: Pole::All };
    let events = vec![at(300.0, open), at(300.01, close)];
    let played = play(Resolution::Waveforms, events, Vec::new());
    assert_eq!(played.kinds(), [("switch:q1", OperationKind::Idle)]);
    assert!(played.motion.poles()[1].iter().all(|closed| *closed));
}

#[test]
fn a_relay_trips_once_for_a_fault_that_it_clears() {
    for resolution in [Resolution::Phasors, Resolution::Waveforms] {
        let curve = Curve::definite(100.0, 0.0).unwrap();
        let relay = Relay::new(&[curve], &[]);
        let all = FaultKind::Ground(Wires::NONE.with(Wire::A).with(Wire::B).with(Wire::C));
        let played = play(resolution, vec![fault(500.0, all, None)], breaker(relay));
        let name = "breaker:q0";
        let own: Vec<_> = played.kinds().into_iter().filter(|(who, _)| *who == name).collect();
        assert_eq!(
            own,
            [(name, OperationKind::Tripped), (name, OperationKind::Opened)],
            "{resolution:?}"
        );
    }
}
