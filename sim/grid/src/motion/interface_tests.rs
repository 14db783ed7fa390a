//! Interface protections in a network: delays from the instant of a dip, and their return.

use num_complex::Complex64;

use super::tests::network;
use super::{
    Event, FaultAt, InterfaceProtection, Motion, NetworkAction, OperationKind, Options, Piece,
    Protector, Resolution, Segment, SegmentContent, cut,
};
use crate::flow;
use crate::network::{Network, NodeId, Wire};
use crate::protection::{Interface, InterfaceSettings, VoltageStage};
use crate::transient::{FaultKind, Pole};

const MS: i64 = 1_000_000;
const STEP_NS: i64 = 50_000;

/// The two feeders, a generator instead of the load at the end of the first, behind its device.
fn with_generator() -> (Network, Vec<Protector>) {
    let mut network = network();
    network.loads[0].generator = true;
    network.loads[0].power_va = [Complex64::new(-100e3, 0.0); 3];
    let switch = cut(&mut network, Piece::Load(0)).unwrap();
    let stage = |threshold_pu, delay_s| VoltageStage { threshold_pu, delay_s };
    let settings = InterfaceSettings {
        undervoltage: vec![stage(0.8, 1.5), stage(0.45, 0.3)],
        overvoltage: vec![stage(1.25, 0.1)],
        mean_overvoltage_pu: 1.1,
        frequency_hz: (47.5, 51.5),
        frequency_delay_s: 0.1,
        opening_s: 0.0,
        reconnect_pu: (0.85, 1.1),
        reconnect_hz: (49.5, 50.2),
        reconnect_after_s: 5.0,
    };
    let interface = Interface::new(settings).unwrap();
    let device = Box::new(InterfaceProtection::new(interface, 0, 0.0));
    (network, vec![Protector { name: "interface-protection:pv".into(), switch, device }])
}

/// A fault of all phases at the end of the other feeder.
fn fault(at_ms: i64, to_ms: i64, resistance_ohm: f64) -> Vec<Event> {
    let fault = FaultAt {
        id: 1,
        name: "fault:f".into(),
        node: NodeId(4),
        kind: FaultKind::Ground(Wire::PHASES.into_iter().collect()),
        resistance_ohm,
        angle_rad: None,
        arc: None,
        extinguishes_s: None,
    };
    let end = NetworkAction::RunOut { id: 1 };
    let event = |at_ms: i64, what| Event { at_ns: at_ms * MS, what };
    vec![event(at_ms, NetworkAction::Fault(fault)), event(to_ms, end)]
}

/// Plays steps of a second, each with its own flow.
fn play(resolution: Resolution, events: Vec<Event>, seconds: i64) -> (Motion, Vec<Segment>) {
    let (mut network, protectors) = with_generator();
    let options = Options { resolution, ..Options::default() };
    let mut motion = Motion::new(&network, options, events, protectors, Vec::new()).unwrap();
    let (mut segments, mut reached_ns) = (Vec::new(), 0);
    for step in 1..=seconds {
        motion.stand(&mut network);
        let flow = flow::solve(&network, &flow::Options::default()).unwrap();
        if reached_ns < step * 1000 * MS {
            let span = (reached_ns, step * 1000 * MS);
            let (more, until_ns) = motion.play(&network, &flow, span).unwrap();
            segments.extend(more);
            reached_ns = until_ns;
        }
    }
    (motion, segments)
}

fn own(motion: &Motion) -> Vec<(i64, OperationKind)> {
    let of = motion.operations().iter().filter(|it| it.element.starts_with("interface"));
    of.map(|it| (it.at_ns, it.kind)).collect()
}

#[test]
fn it_trips_its_stages_delay_after_a_dip_and_returns_its_time_after_the_voltage() {
    // Behind 0.2 + 1.5j ohm of the source and 2 + 1.5j ohm of the other feeder.
    for resolution in [Resolution::Phasors, Resolution::Waveforms] {
        for (ohm, delay_ms) in [(0.1, 1500), (1e5, 0)] {
            let (motion, _) = play(resolution, fault(2345, 6000, ohm), 14);
            let found = own(&motion);
            if delay_ms == 0 {
                assert_eq!(found, [], "{resolution:?}");
                continue;
            }
            let kinds: Vec<OperationKind> = found.iter().map(|it| it.1).collect();
            assert_eq!(
                kinds,
                [OperationKind::Tripped, OperationKind::Opened, OperationKind::Closed],
                "{resolution:?}"
            );
            let near = |found_ns: i64, expected_ns: i64| {
                let is_exact = resolution == Resolution::Phasors;
                // A fault that ends by waves is noted some steps after its last current.
                let most = if is_exact { 2 } else { 5 * STEP_NS };
                assert!((found_ns - expected_ns).abs() <= most, "{found_ns} {expected_ns}");
            };
            near(found[0].0, (2345 + delay_ms) * MS);
            near(found[1].0, found[0].0);
            let all = motion.operations();
            let cleared =
                all.iter().filter(|it| it.kind == OperationKind::Cleared).map(|it| it.at_ns);
            near(found[2].0, cleared.max().unwrap() + 5000 * MS);
        }
    }
}

#[test]
fn its_network_goes_on_without_what_it_delivers_and_with_it_again() {
    let (motion, segments) = play(Resolution::Phasors, fault(2345, 6000, 0.1), 14);
    let at = |ms: i64| {
        let it = segments.iter().rev().find(|it| it.from_ns <= ms * MS).unwrap();
        let SegmentContent::Steady { supply, .. } = &it.what else { panic!() };
        (supply.supplied[0], supply.parts[0], supply.closed[2][0])
    };
    let (on, off) = ([true; 3], [false; 3]);
    assert_eq!(at(2000), (1.0, on, true));
    // It has left by itself: nobody has lost its supply.
    assert_eq!(at(5000), (1.0, off, false));
    assert_eq!(at(13_000), (1.0, on, true));
    assert!(motion.poles()[2].iter().all(|it| *it));
}

#[test]
fn a_phase_without_voltage_is_seen_and_a_crew_that_opens_its_switch_is_obeyed() {
    let open = |at_ms: i64, switch, pole| Event {
        at_ns: at_ms * MS,
        what: NetworkAction::Open { switch, pole },
    };
    let close =
        Event { at_ns: 9000 * MS, what: NetworkAction::Close { switch: 0, pole: Pole::All } };
    let events = vec![open(1000, 0, Pole::One(1)), close.clone()];
    let (motion, _) = play(Resolution::Phasors, events, 16);
    let found = own(&motion);
    let expected = [
        (1300, OperationKind::Tripped),
        (1300, OperationKind::Opened),
        (14_000, OperationKind::Closed),
    ]
    .map(|(ms, it)| (ms * MS, it));
    assert_eq!(found.len(), 3, "{found:?}");
    for ((found_ns, kind), (expected_ns, expected)) in found.into_iter().zip(expected) {
        assert!(kind == expected && (found_ns - expected_ns).abs() <= 2, "{found_ns} {kind:?}");
    }
    // The same, and somebody opens its own switch meanwhile.
    let events = vec![open(1000, 0, Pole::One(1)), open(5000, 2, Pole::All), close];
    let (motion, _) = play(Resolution::Phasors, events, 16);
    assert_eq!(own(&motion).len(), 2);
}
