//! What loads draw after an outage, against the closed form and its integral.

use lastmeter_grid::motion::{
    Event, FaultAt, InterfaceProtection, NetworkAction, OperationKind, Options, Piece, Protector,
    Resolution, cut,
};
use lastmeter_grid::network::{Network, NodeId, Wire};
use lastmeter_grid::protection::{
    Curve, Interface, InterfaceSettings, Recloser, RecloserSettings, Relay, VoltageStage,
};
use lastmeter_grid::transient::{Arc, FaultKind, Pole};
use lastmeter_units::{MeasurementId, SimDuration, SimTime};
use num_complex::Complex64;

use super::*;
use crate::{Netting, ReferenceSpan, Streams, Terminal};

const STEP: SimDuration = SimDuration::from_seconds(60);
const LOST_S: f64 = 1800.0;
const DECAY_S: f64 = 1200.0;

fn pickup() -> Pickup {
    let [lost, decay] = [LOST_S, DECAY_S].map(SimDuration::from_seconds_f64);
    Pickup { factor: 2.5, lost, decay }
}

/// A source, a switch, a line, and a load of a constant power of 3 kW in three phases.
fn network() -> Network {
    let load = tests::network::three_phase_load("home", "");
    tests::network::network(10, true, Some([0.1, 0.1]), &load)
}

fn wanted(
    resolution: Resolution,
    events: Vec<Event>,
    protectors: Vec<Protector>,
) -> DynamicNetworkSetup {
    DynamicNetworkSetup {
        options: Options { resolution, ..Options::default() },
        events,
        protectors,
        changes: Vec::new(),
        frequency: Vec::new(),
        recorders: Vec::new(),
        metered: Vec::new(),
        pickups: vec![Some(pickup())],
        planned: Vec::new(),
        dark_at: None,
    }
}

fn play(network: Network, steps: usize, wanted: &DynamicNetworkSetup) -> (SolvedNetwork, Terminal) {
    let raster = Raster { start: SimTime(0), step: STEP, steps };
    let powers = vec![None; network.loads.len()];
    let (defects, changes) = (Vec::new(), Vec::new());
    let setup = Setup { network, frequency_hz: 50.0, raster, powers, defects, changes };
    let feeder = SolvedNetwork::play(setup, wanted).unwrap();
    let terminal = feeder.load_terminal(0, "load:h", Streams::new(1)).unwrap();
    (feeder, terminal)
}

fn value(terminal: &Terminal, name: &str, from_s: f64, to_s: f64) -> f64 {
    let [from, to] = [from_s, to_s].map(SimDuration::from_seconds_f64);
    let span = ReferenceSpan { from, to, registers_from: SimDuration::ZERO };
    terminal.reference(MeasurementId::lookup(name).unwrap(), span, Netting::Net).unwrap()
}

const TOTAL: &str = "electricity.power.active.consumed.total";

fn switched(at_s: f64, pole: Pole, is_closed: bool) -> Event {
    let what = if is_closed {
        NetworkAction::Close { switch: 0, pole }
    } else {
        NetworkAction::Open { switch: 0, pole }
    };
    Event { at_ns: (at_s * 1e9).round() as i64, what }
}

/// How many times its profile the load draws some time after an outage, in closed form.
fn factor(outage_s: f64, since_s: f64) -> f64 {
    1.0 + 1.5 * (1.0 - (-outage_s / LOST_S).exp()) * (-since_s / DECAY_S).exp()
}

/// The share of diversity by its differential equation, in steps of a tenth of a second.
fn lost_by_equation(outage_s: f64, since_s: f64) -> f64 {
    let (mut lost, dt_s) = (0.0_f64, 0.1);
    for _ in 0..(outage_s / dt_s).round() as u32 {
        lost += dt_s * (1.0 - lost) / LOST_S;
    }
    for _ in 0..(since_s / dt_s).round() as u32 {
        lost -= dt_s * lost / DECAY_S;
    }
    lost
}

#[test]
fn the_factor_follows_its_differential_equation() {
    for (outage_s, since_s) in [(0.0, 0.0), (600.0, 0.0), (1800.0, 900.0), (7200.0, 4000.0)] {
        let expected = 1.0 + 1.5 * lost_by_equation(outage_s, since_s);
        let found = factor(outage_s, since_s);
        assert!((found - expected).abs() < 1e-4, "{found} {expected}");
    }
}

#[test]
fn a_load_draws_the_closed_form_after_an_outage_and_its_integral() {
    // Comes back in the middle of a step.
    let (from_s, to_s) = (600.0, 3017.25);
    let events = || vec![switched(from_s, Pole::All, false), switched(to_s, Pole::All, true)];
    for resolution in [Resolution::Phasors, Resolution::Waveforms] {
        let (feeder, terminal) = play(network(), 160, &wanted(resolution, events(), Vec::new()));
        // Waves last until both ends are steady, with the impedance of the beginning.
        let is_exact = resolution == Resolution::Phasors;
        let peak = 1.5 * (1.0 - (-(to_s - from_s) / LOST_S).exp());
        let factor = |since_s: f64| factor(to_s - from_s, since_s);
        let before = value(&terminal, TOTAL, 100.0, 500.0);
        assert!((before - 3000.0).abs() < 0.1, "{before}");
        assert!(value(&terminal, TOTAL, 700.0, 3017.0).abs() < 1e-6);
        for since_s in [1.0, 15.0, 100.0, 1200.0, 3600.0] {
            let (at_s, mean_s) = (to_s + since_s, 0.5);
            let found = value(&terminal, TOTAL, at_s, at_s + mean_s) / 3000.0;
            // Pieces are at most 30 s long.
            let most = factor(since_s) * 30.0 / DECAY_S;
            assert!((found - factor(since_s)).abs() < most, "{since_s}: {found}");
            assert!(found > 1.0 + 0.97 * (factor(since_s) - 1.0), "{since_s}: {found}");
        }
        for until_s in [30.0, 600.0, 5400.0] {
            let found = value(&terminal, TOTAL, to_s, to_s + until_s) * until_s / 3000.0;
            let expected = until_s + peak * DECAY_S * (1.0 - (-until_s / DECAY_S).exp());
            // Of a piece that is cut its mean counts; those of the steps end elsewhere.
            let most = if until_s < 60.0 { 1e-3 } else { 2e-4 };
            let most = if is_exact { most } else { most + 0.5 / until_s };
            assert!((found / expected - 1.0).abs() < most, "{until_s}: {found} {expected}");
        }
        // What was not supplied is what the profile wanted.
        let dark = &feeder.interruptions()[0];
        let unserved_j = feeder.unserved_j(dark, dark.to.unwrap());
        assert!((unserved_j / (3000.0 * (to_s - from_s)) - 1.0).abs() < 1e-4, "{unserved_j}");
    }
}

/// An arc keeps waves going while the load comes back: it draws what it has lost all the same, from
/// when they are over.
#[test]
fn a_load_that_comes_back_while_an_arc_burns_has_lost_its_diversity() {
    let (from_s, to_s) = (600.0, 3017.25);
    let arc = Arc::Long { positive_v: 50.0, negative_v: 50.0, resistance_ohm: 10.0 };
    let fault = FaultAt {
        id: 1,
        name: "fault:f".into(),
        node: NodeId(0),
        kind: FaultKind::Ground(Wire::PHASES.into_iter().take(1).collect()),
        resistance_ohm: 10.0,
        arc: Some(arc),
        angle_rad: None,
        extinguishes_s: None,
    };
    let at = |at_s: f64, what| Event { at_ns: (at_s * 1e9) as i64, what };
    let events = vec![
        switched(from_s, Pole::All, false),
        at(3016.5, NetworkAction::Fault(fault)),
        switched(to_s, Pole::All, true),
        at(3018.5, NetworkAction::Clear { id: 1 }),
    ];
    let (feeder, terminal) =
        play(network(), 60, &wanted(Resolution::Waveforms, events, Vec::new()));
    let [dark] = &feeder.interruptions()[..] else { panic!("{:?}", feeder.interruptions()) };
    assert!((dark.to.unwrap().as_seconds_f64() - to_s).abs() < 1e-3, "{dark:?}");
    let peak = 1.5 * (1.0 - (-(to_s - from_s) / LOST_S).exp());
    for since_s in [5.0, 100.0, 500.0] {
        let found = value(&terminal, TOTAL, to_s + since_s, to_s + since_s + 0.5) / 3000.0;
        let expected = 1.0 + peak * (-since_s / DECAY_S).exp();
        assert!((found - expected).abs() < expected * 30.0 / DECAY_S, "{found} {expected}");
    }
}

#[test]
fn what_was_not_supplied_follows_the_changes_of_its_load() {
    let at = SimDuration::from_seconds_f64;
    // Before the outage, at the border of two steps, and twice within a step.
    let set = |power_w: Option<f64>| GridInput::LoadSetPoint {
        load: 0,
        power_va: power_w.map(|it| Complex64::new(it, 100.0)),
    };
    let by = |change_w: f64| GridInput::LoadStep { load: 0, change_va: change_w.into() };
    let changes = vec![
        (at(70.0), set(Some(1000.0))),
        (at(60.0), by(500.0)),
        (at(180.0), by(-2000.0)),
        (at(190.5), set(None)),
        (at(230.0), by(0.0)),
        (at(250.0), set(Some(0.0))),
    ];
    // 30 s of 1.5 kW; 10.5 s of a load that would have fed 1 kW back; 39.5 s of 1 kW; 20 s of 3 kW;
    // then nothing.
    let (from_s, to_s, expected_j) = (150.0, 260.0, 45_000.0 + 39_500.0 + 60_000.0);
    for resolution in [Resolution::Phasors, Resolution::Waveforms] {
        let events = vec![switched(from_s, Pole::All, false), switched(to_s, Pole::All, true)];
        let wanted = wanted(resolution, events, Vec::new());
        let (feeder, _) =
            play(network(), 6, &DynamicNetworkSetup { changes: changes.clone(), ..wanted });
        let dark = &feeder.interruptions()[0];
        let unserved_j = feeder.unserved_j(dark, dark.to.unwrap());
        // Each pole opens at its current's own zero.
        assert!((unserved_j - expected_j).abs() < 1500.0 * 0.02, "{unserved_j}");
    }
}

#[test]
fn a_phase_that_was_lost_comes_back_with_its_own_pickup() {
    let (from_s, to_s) = (600.0, 2400.0);
    let events = [(from_s, false), (to_s, true)];
    let events = events.map(|(at_s, it)| switched(at_s, Pole::One(1), it)).to_vec();
    let (_, terminal) = play(network(), 60, &wanted(Resolution::Phasors, events, Vec::new()));
    let peak = 1.5 * (1.0 - (-1800.0_f64 / LOST_S).exp());
    for (phase, factor) in [(1, 1.0), (2, 1.0 + peak), (3, 1.0)] {
        let name = format!("electricity.power.active.consumed.l{phase}");
        let found = value(&terminal, &name, to_s, to_s + 10.0) / 1000.0;
        assert!((found - factor).abs() < 0.02, "{phase}: {found}, not {factor}");
    }
}

#[test]
fn two_outages_add_up_and_one_of_a_moment_is_none() {
    let at = [(600.0, false), (2400.0, true), (3000.0, false), (3600.0, true)];
    let events = at.map(|(at_s, it)| switched(at_s, Pole::All, it)).to_vec();
    let (_, terminal) = play(network(), 70, &wanted(Resolution::Phasors, events, Vec::new()));
    let first = 1.0 - (-1800.0_f64 / LOST_S).exp();
    let between = first * (-600.0 / DECAY_S).exp();
    let second = 1.0 - (1.0 - between) * (-600.0 / LOST_S).exp();
    let found = value(&terminal, TOTAL, 3600.0, 3630.0) / 3000.0;
    let mean = DECAY_S / 30.0 * (1.0 - (-30.0 / DECAY_S).exp());
    assert!((found - (1.0 + 1.5 * second * mean)).abs() < 1e-4, "{found}");
    let at = [(600.0, false), (600.2, true)];
    let events = at.map(|(at_s, it)| switched(at_s, Pole::All, it)).to_vec();
    let (_, terminal) = play(network(), 20, &wanted(Resolution::Phasors, events, Vec::new()));
    let found = value(&terminal, TOTAL, 601.0, 630.0) / 3000.0;
    assert!((found - 1.0).abs() < 3e-4, "{found}");
}

#[test]
fn a_recloser_in_the_middle_of_a_step_brings_it_back_with_its_pickup() {
    let curve = Curve::definite(100.0, 0.1).unwrap();
    let relay = Relay::new(&[curve], &[]);
    let settings = RecloserSettings {
        trips: vec![relay.clone(), relay],
        dead_times_s: vec![605.0],
        reclaim_s: 30.0,
        opening_s: 0.05,
    };
    let device = Box::new(Recloser::new(settings).unwrap());
    let protectors = vec![Protector { name: "recloser:r".into(), switch: 0, device }];
    let fault = FaultAt {
        id: 1,
        name: "fault:f".into(),
        node: NodeId(2),
        kind: FaultKind::Ground(Wire::PHASES.into_iter().collect()),
        resistance_ohm: 0.1,
        angle_rad: None,
        arc: None,
        extinguishes_s: Some(0.5),
    };
    let events = vec![Event { at_ns: 70_000_000_000, what: NetworkAction::Fault(fault) }];
    for resolution in [Resolution::Phasors, Resolution::Waveforms] {
        let wanted = wanted(resolution, events.clone(), protectors.clone());
        let (feeder, terminal) = play(network(), 15, &wanted);
        let at = |kind: OperationKind| {
            let it = feeder
                .operations()
                .iter()
                .find(|it| it.kind == kind && it.element.starts_with("recloser"));
            it.unwrap().at_ns as f64 * 1e-9
        };
        let (opened_s, closed_s) = (at(OperationKind::Opened), at(OperationKind::Closed));
        assert!((opened_s - 70.15).abs() < 1e-3 && (closed_s - opened_s - 605.0).abs() < 1e-3);
        let lost = 1.0 - (-605.0_f64 / LOST_S).exp();
        let mean = DECAY_S / 30.0 * (1.0 - (-30.0 / DECAY_S).exp());
        let found = value(&terminal, TOTAL, closed_s + 0.5, closed_s + 29.0) / 3000.0;
        assert!((found - (1.0 + 1.5 * lost * mean)).abs() < 3e-4, "{found}");
        assert!(value(&terminal, TOTAL, closed_s - 30.0, closed_s - 0.1).abs() < 1e-6);
        // At once: not a hundredth of a second later.
        let found = value(&terminal, TOTAL, closed_s, closed_s + 0.02) / 3000.0;
        assert!(found > 1.3, "{resolution:?} {found}");
    }
}

/// Twenty kilowatts on one phase each, behind a protection: leaves a second after the network, is
/// back a minute after it, and has all its power ten minutes later.
#[test]
fn a_generator_that_comes_back_ramps_up_along_a_straight_line() {
    let mut network = network();
    network.loads[0].generator = true;
    for it in &mut network.loads[0].power_va {
        *it = -*it;
    }
    let switch = cut(&mut network, Piece::Load(0)).unwrap();
    let settings = InterfaceSettings {
        undervoltage: vec![VoltageStage { threshold_pu: 0.8, delay_s: 1.0 }],
        overvoltage: Vec::new(),
        mean_overvoltage_pu: 1.1,
        frequency_hz: (47.5, 51.5),
        frequency_delay_s: 0.1,
        opening_s: 0.0,
        reconnect_pu: (0.85, 1.1),
        reconnect_hz: (49.5, 50.2),
        reconnect_after_s: 60.0,
    };
    let interface = Interface::new(settings).unwrap();
    let device = Box::new(InterfaceProtection::new(interface, 0, 600.0));
    let name = "interface-protection:pv".into();
    let protectors = vec![Protector { name, switch, device }];
    let events = vec![switched(100.0, Pole::All, false), switched(200.5, Pole::All, true)];
    let mut wanted = wanted(Resolution::Phasors, events, protectors);
    wanted.pickups = Vec::new();
    let (feeder, terminal) = play(network, 20, &wanted);
    let own = feeder.operations().iter().filter(|it| it.element.starts_with("interface"));
    let found: Vec<(i64, OperationKind)> = own.map(|it| (it.at_ns / 1_000_000, it.kind)).collect();
    let expected = [
        (101_000, OperationKind::Tripped),
        (101_000, OperationKind::Opened),
        (260_500, OperationKind::Closed),
    ];
    assert_eq!(found, expected);
    let injected = "electricity.power.active.injected.total";
    let delivered = |from_s: f64, to_s: f64| value(&terminal, injected, from_s, to_s) / 3000.0;
    assert!((delivered(0.0, 100.0) - 1.0).abs() < 1e-4);
    assert!(delivered(101.0, 260.0).abs() < 1e-9);
    assert!((delivered(260.5, 860.5) - 0.5).abs() < 1e-3);
    assert!((delivered(560.5, 575.5) - 0.5125).abs() < 5e-3);
    assert!((delivered(870.0, 1000.0) - 1.0).abs() < 1e-4);
    // It has left by itself from 200.5 s on; before that the network had gone.
    let dark = feeder.interruptions();
    let spans: Vec<_> = dark.iter().map(|it| (it.from.0, it.to.map(|to| to.0))).collect();
    assert_eq!(spans, [(100_000_000_000, Some(200_500_000_000))]);
}
