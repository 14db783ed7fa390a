//! Networks that are solved step by step, against closed forms and against all steps known ahead.

use std::f64::consts::{SQRT_2, TAU};

use lastmeter_grid::flow::EndState;
use lastmeter_grid::network::Network;
use lastmeter_units::{MeasurementId, SimDuration, SimTime};
use num_complex::Complex64;
use proptest::prelude::*;

use super::*;
use crate::{ElectricityFacts, MeteringPoint, Netting, ReferenceSpan, Streams};

const PHASE_V: f64 = 230.940_107_675_850_3;
const VOLTAGE: &str = "electricity.voltage.rms.l1";
const CURRENT: &str = "electricity.current.rms.l1";
/// Powers of two parts, each from a wire to earth.
const BOTH: &str = "[\"1 kW\", \"3 kW\"]\nconnection = \"star\"";
const POWER: &str = "electricity.power.active.consumed.l1";
const CONSUMED: &str = "electricity.energy.active.consumed.total";
const INJECTED: &str = "electricity.energy.active.injected.total";

/// A stiff source, a switch, a line of 0.5 ohm in each phase without coupling, and a node `home`.
fn network(loads: &str) -> Network {
    tests::network::network(1_000_000, true, Some([0.5, 0.0]), loads)
}

fn load(name: &str, wires: &str, power: &str) -> String {
    format!("[[load]]\nname = \"{name}\"\nnode = \"home\"\nwires = \"{wires}\"\np = {power}\n")
}

fn one_home() -> Network {
    network(&load("h", "a", "\"2 kW\""))
}

fn setup(network: Network, step: SimDuration, steps: usize) -> Setup {
    let powers = vec![None; network.loads.len()];
    let raster = Raster { start: SimTime(0), step, steps };
    let (defects, changes) = (Vec::new(), Vec::new());
    Setup { network, frequency_hz: 50.0, raster, powers, defects, changes }
}

fn seconds(seconds: i64) -> SimDuration {
    SimDuration::from_seconds(seconds)
}

fn span(from: SimDuration, to: SimDuration) -> ReferenceSpan {
    ReferenceSpan { from, to, registers_from: SimDuration::ZERO }
}

/// What a quantity is in the last step that was solved.
pub(super) fn now(grid: &LiveGrid, point: &LivePoint, name: &str) -> f64 {
    let next = grid.next_step();
    let [from, to] = [next - 1, next].map(|step| grid.raster().begin(step));
    point.truth_value(span(from, to), Netting::Net, MeasurementId::lookup(name).unwrap()).unwrap()
}

fn over(point: &LivePoint, name: &str, from_s: i64, to_s: i64) -> Option<f64> {
    let id = MeasurementId::lookup(name).unwrap();
    point.truth_value(span(seconds(from_s), seconds(to_s)), Netting::Net, id)
}

/// A constant power `P` behind 0.5 ohm: `V^2 - V0 V + R P = 0`.
fn behind_line(source_v: f64, watts: f64) -> f64 {
    0.5 * (source_v + (source_v * source_v - 4.0 * 0.5 * watts).sqrt())
}

fn watts(watts: f64) -> Complex64 {
    Complex64::new(watts, 0.0)
}

fn load_step(change_w: f64) -> GridInput {
    GridInput::LoadStep { load: 0, change_va: watts(change_w) }
}

fn set_point(power_w: Option<f64>) -> GridInput {
    GridInput::LoadSetPoint { load: 0, power_va: power_w.map(watts) }
}

fn breaker(at: BreakerAt, is_closed: bool) -> GridInput {
    GridInput::Breaker { at, is_closed }
}

#[test]
fn loads_and_sources_follow_their_inputs_by_the_closed_form() {
    let mut grid = LiveGrid::new(setup(one_home(), seconds(1), 100));
    let home = grid.live_load(0).unwrap();
    let mut after = |input: Option<GridInput>, source_v: f64, watts: f64| {
        if let Some(input) = input {
            grid.apply(input).unwrap();
        }
        grid.step().unwrap();
        let volts = behind_line(source_v, watts);
        assert!((now(&grid, &home, VOLTAGE) - volts).abs() < 1e-5, "{input:?}: {volts} V expected");
        assert!((now(&grid, &home, CURRENT) - watts / volts).abs() < 1e-6, "{input:?}");
        assert!((now(&grid, &home, POWER) - watts).abs() < 1e-4, "{input:?}");
    };
    after(None, PHASE_V, 2000.0);
    after(Some(load_step(1000.0)), PHASE_V, 3000.0);
    after(None, PHASE_V, 3000.0);
    after(Some(set_point(Some(500.0))), PHASE_V, 1500.0);
    after(Some(load_step(0.0)), PHASE_V, 500.0);
    after(Some(set_point(None)), PHASE_V, 2000.0);
    let voltage_pu = 1.05;
    after(Some(GridInput::SourceVoltage { source: 0, voltage_pu }), 1.05 * PHASE_V, 2000.0);
}

#[test]
fn behind_an_open_breaker_nothing_flows_and_all_is_as_before_once_it_is_closed() {
    let network = one_home();
    let named = |name: &str| BreakerAt::named(&network, name);
    assert_eq!(named("cb"), Some(BreakerAt::Switch(0)));
    assert_eq!(named("L"), Some(BreakerAt::Line(0)));
    assert_eq!(named("h"), None);
    for at in [BreakerAt::Switch(0), BreakerAt::Line(0)] {
        let mut grid = LiveGrid::new(setup(network.clone(), seconds(1), 3));
        let (home, supply) = (grid.live_load(0).unwrap(), grid.live_source(0).unwrap());
        let before = grid.step().unwrap().clone();
        assert!(grid.is_closed(at));
        grid.apply(breaker(at, false)).unwrap();
        assert!(grid.is_closed(at), "it opens with the next step");
        let dead = grid.step().unwrap().clone();
        assert!(!grid.is_closed(at));
        assert!(!dead.nodes[2].energized && dead.loads[0].power_va[0] == Complex64::ZERO);
        assert_eq!([VOLTAGE, CURRENT, POWER].map(|name| now(&grid, &home, name)), [0.0; 3]);
        assert_eq!(now(&grid, &home, "electricity.powerFactor.l1"), 0.0);
        assert_eq!(now(&grid, &home, "electricity.frequency"), 50.0);
        assert_eq!(now(&grid, &supply, POWER), 0.0);
        assert!((now(&grid, &supply, VOLTAGE) - PHASE_V).abs() < 1e-6);
        grid.apply(breaker(at, true)).unwrap();
        assert_eq!(*grid.step().unwrap(), before);
        // One second of three without anything.
        let joules = over(&home, CONSUMED, 0, 3).unwrap();
        assert!((joules - 4000.0).abs() < 1e-3, "{joules}");
    }
}

#[test]
fn a_load_keeps_the_split_of_its_phases_through_nothing() {
    let loads = load("h", "abc", "[\"3 kW\", \"1 kW\", \"0 kW\"]");
    let mut grid = LiveGrid::new(setup(network(&loads), seconds(1), 9));
    let drawn = |step: &Step| step.loads[0].power_va.map(|power| power.re.round());
    grid.apply(set_point(Some(0.0))).unwrap();
    assert_eq!(drawn(grid.step().unwrap()), [0.0; 3]);
    grid.apply(set_point(Some(2000.0))).unwrap();
    assert_eq!(drawn(grid.step().unwrap()), [1500.0, 500.0, 0.0]);
    grid.apply(set_point(None)).unwrap();
    assert_eq!(drawn(grid.step().unwrap()), [3000.0, 1000.0, 0.0]);
}

#[test]
fn energy_adds_up_in_every_step_whatever_comes_in() {
    let loads = load("a", "a", "\"2 kW\"") + &load("b", "bc", BOTH);
    let mut grid = LiveGrid::new(setup(network(&loads), seconds(60), 5));
    let homes = [0, 1].map(|load| grid.live_load(load).unwrap());
    let supply = grid.live_source(0).unwrap();
    let came = [
        load_step(-5000.0),
        breaker(BreakerAt::Line(0), false),
        load_step(3000.0),
        breaker(BreakerAt::Line(0), true),
        GridInput::SourceVoltage { source: 0, voltage_pu: 0.97 },
    ];
    let mut lost_j = 0.0;
    for input in came {
        grid.apply(input).unwrap();
        let step = grid.step().unwrap();
        let delivered: Complex64 = step.sources.iter().map(EndState::total_va).sum();
        let drawn: Complex64 = step.loads.iter().flat_map(|load| load.power_va).sum();
        assert!((delivered - drawn - step.losses_va).norm() < 1e-3, "{input:?}: {step:?}");
        lost_j += step.losses_va.re * 60.0;
    }
    let net = |point: &LivePoint| {
        over(point, CONSUMED, 0, 300).unwrap() - over(point, INJECTED, 0, 300).unwrap()
    };
    let counted: f64 = homes.iter().map(net).sum();
    assert!((net(&supply) - counted - lost_j).abs() < 1e-2, "{} {counted} {lost_j}", net(&supply));
    assert!(over(&homes[0], INJECTED, 0, 300).unwrap() > 100e3);
}

#[test]
fn a_span_with_a_step_in_it_has_the_mean_over_time_of_both() {
    let mut grid = LiveGrid::new(setup(one_home(), seconds(10), 2));
    let home = grid.live_load(0).unwrap();
    let seen = home.clone();
    grid.step().unwrap();
    assert_eq!(over(&home, VOLTAGE, 4, 14), None, "not solved so far");
    grid.apply(load_step(-2500.0)).unwrap();
    grid.step().unwrap();
    let late = grid.live_load(0).unwrap();
    assert_eq!(over(&late, VOLTAGE, 4, 14), None, "before its first step");
    let (volts, lifted) = (behind_line(PHASE_V, 2000.0), behind_line(PHASE_V, -500.0));
    let expected = [
        (VOLTAGE, 0.6 * volts + 0.4 * lifted),
        (CURRENT, 0.6 * 2000.0 / volts + 0.4 * 500.0 / lifted),
        (POWER, 1200.0),
        ("electricity.power.active.injected.total", 200.0),
        ("electricity.power.apparent.total", 1400.0),
        ("electricity.powerFactor.l1", 0.6 - 0.4),
        ("electricity.frequency", 50.0),
        (CONSUMED, 20_000.0),
        (INJECTED, 2000.0),
        ("electricity.energy.apparent.total", 22_000.0),
    ];
    for (name, expected) in expected {
        let found = over(&seen, name, 4, 14).unwrap();
        assert!((found - expected).abs() < 1e-5 * expected, "{name}: {found}, not {expected}");
    }
    for absent in ["electricity.voltage.rms.l2", "x.electricity.voltage.thd.l1"] {
        assert_eq!(over(&seen, absent, 4, 14), None, "{absent}");
    }
    assert_eq!(over(&seen, VOLTAGE, 4, 4), None);
    // As a metering point it gives the same.
    let point = MeteringPoint::Live(seen.clone());
    assert!(point.terminal().is_none() && point.pipe(SimDuration::ZERO).is_none());
    let facts = ElectricityFacts { netting: Netting::Net, pulse_constant: 1000.0, profile: None };
    let id = MeasurementId::lookup(POWER).unwrap();
    let truth = point.truth(span(seconds(4), seconds(14)), Some(facts)).value(id);
    assert_eq!(truth, over(&seen, POWER, 4, 14));
}

#[test]
fn waves_are_those_of_a_terminal_at_the_same_load() {
    let setup = setup(network(&load("h", "abc", "\"6 kW\"")), seconds(1), 1);
    let feeder = SolvedNetwork::solve(setup.clone()).unwrap();
    let terminal = feeder.load_terminal(0, "load:h", Streams::new(1)).unwrap();
    let mut grid = LiveGrid::new(setup);
    let home = grid.live_load(0).unwrap();
    assert_eq!(home.pairs(), None);
    grid.step().unwrap();
    let pairs = home.pairs().unwrap();
    assert_eq!(pairs.len(), 3);
    let mut block = crate::Block::default();
    terminal.render(0, 1000.0, 50, &mut block);
    for (phase, pair) in pairs.iter().enumerate() {
        for sample in 0..50 {
            let turned_rad = TAU * home.frequency_hz() * sample as f64 / 1000.0;
            let seen = |it: Complex64| SQRT_2 * it.norm() * (turned_rad + it.arg()).sin();
            let volts = seen(pair.0) - block.voltages[phase][sample];
            let amperes = seen(pair.1) - block.currents[phase][sample];
            assert!(volts.abs() < 1e-6 && amperes.abs() < 1e-7, "{phase} {sample}: {volts}");
        }
    }
}

#[test]
fn what_does_not_fit_is_refused_and_changes_nothing() {
    let network = one_home();
    let refusals = [
        (breaker(BreakerAt::Switch(1), true), "there is no switch 1: the network has 1"),
        (breaker(BreakerAt::Line(7), true), "there is no line 7"),
        (load_step(f64::NAN), "for load `h`: both of its parts have to be finite"),
        (set_point(Some(f64::INFINITY)), "for load `h`"),
        (GridInput::SourceVoltage { source: 0, voltage_pu: -1.0 }, "for source `supply`"),
        (GridInput::SourceVoltage { source: 1, voltage_pu: 1.0 }, "there is no source 1"),
    ];
    let mut known = setup(network, seconds(1), 1);
    let mut grid = LiveGrid::new(known.clone());
    for (input, expected) in refusals {
        let error = grid.apply(input).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
        known.changes.push(GridChange { step: 0, input });
    }
    let feeder = SolvedNetwork::solve(known).unwrap();
    assert_eq!(feeder.steps()[0], *grid.step().unwrap());
    assert!(grid.live_load(1).is_none() && grid.live_source(1).is_none());
}

#[test]
fn a_step_that_cannot_be_carried_can_be_mended() {
    let mut grid = LiveGrid::new(setup(one_home(), seconds(1), 1));
    let home = grid.live_load(0).unwrap();
    // The most that 0.5 ohm carry are V0^2 / 4 R = 26.7 kW.
    grid.apply(load_step(25e3)).unwrap();
    let failure = grid.step().unwrap_err();
    assert!(matches!(failure, NetworkFailure::Step(StepFailure { step: 0, .. })), "{failure}");
    assert_eq!(grid.next_step(), 0);
    grid.apply(load_step(1e3)).unwrap();
    grid.step().unwrap();
    assert!((now(&grid, &home, POWER) - 3000.0).abs() < 1e-3);
}

#[test]
fn behind_the_raster_the_last_powers_hold() {
    let mut known = setup(one_home(), seconds(1), 2);
    known.powers = vec![Some(vec![watts(100.0), watts(700.0)])];
    let mut grid = LiveGrid::new(known);
    let drawn: Vec<f64> =
        (0..4).map(|_| grid.step().unwrap().loads[0].power_va[0].re.round()).collect();
    assert_eq!(drawn, [100.0, 700.0, 700.0, 700.0]);
    grid.apply(load_step(50.0)).unwrap();
    assert!((grid.step().unwrap().loads[0].power_va[0].re - 750.0).abs() < 1e-3);
    assert_eq!(grid.next_step(), 5);
}

/// One of two lines beside each other opens; the other one has a corroded joint.
#[test]
fn losses_as_declared_are_those_with_the_breakers_as_they_stand() {
    let second = "[[line]]\nname = \"L2\"\nfrom = \"feeder\"\nto = \"home\"\nlength = \"1 km\"\n\
                  r1 = \"0.5 ohm/km\"\nx1 = \"0 ohm/km\"\n";
    let mut known = setup(network(&(load("h", "a", "\"2 kW\"") + second)), seconds(1), 3);
    known.defects = vec![Defect::Resistance { line: 0, factor: 1.0, added_ohm: 0.25 }];
    let opens = |step, at| GridChange { step, input: breaker(at, false) };
    known.changes = vec![opens(1, BreakerAt::Line(1)), opens(2, BreakerAt::Switch(0))];
    let feeder = SolvedNetwork::solve(known).unwrap();
    let losses = |ohm: f64| {
        let volts = 0.5 * (PHASE_V + (PHASE_V * PHASE_V - 4.0 * ohm * 2000.0).sqrt());
        ohm * (2000.0 / volts).powi(2)
    };
    let expected = [(0.3, 0.25), (0.75, 0.5), (0.0, 0.0)];
    for (step, (own, declared)) in feeder.steps().iter().zip(expected) {
        assert!((step.losses_va.re - losses(own)).abs() < 1e-3, "{own}: {}", step.losses_va);
        let found = step.declared_losses_va.re;
        assert!((found - losses(declared)).abs() < 1e-3, "{declared}: {found}");
    }
    let (network, flow) = feeder.again(2).unwrap();
    assert!(!network.switches[0].closed && !flow.nodes[2].energized);
}

fn any_input() -> impl Strategy<Value = GridInput> {
    let power = || (-4000.0..4000.0, -1000.0..1000.0).prop_map(|(p, q)| Complex64::new(p, q));
    let at = prop_oneof![Just(BreakerAt::Switch(0)), Just(BreakerAt::Line(0))];
    prop_oneof![
        (at, any::<bool>()).prop_map(|(at, is_closed)| breaker(at, is_closed)),
        (0..3_usize, power()).prop_map(|(load, change_va)| GridInput::LoadStep { load, change_va }),
        (0..3_usize, proptest::option::of(power()))
            .prop_map(|(load, power_va)| GridInput::LoadSetPoint { load, power_va }),
        (0.9..1.1).prop_map(|voltage_pu| GridInput::SourceVoltage { source: 0, voltage_pu }),
    ]
}

fn three_homes() -> Network {
    network(
        &(load("a", "a", "\"1 kW\"")
            + &load("b", "bc", BOTH)
            + &load("c", "abc", "[\"2 kW\", \"1 kW\", \"0 kW\"]")),
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn inputs_one_by_one_give_the_bits_of_inputs_known_ahead(
        came in proptest::collection::vec(proptest::collection::vec(any_input(), 0..3), 8),
        is_known in proptest::collection::vec(any::<bool>(), 8),
        profile in proptest::collection::vec(-2000.0..4000.0, 8),
        added_ohm in 0.0..0.3,
    ) {
        let mut known = setup(three_homes(), seconds(1), 8);
        known.powers[1] = Some(profile.iter().map(|&power| watts(power)).collect());
        known.defects = vec![
            Defect::Resistance { line: 0, factor: 1.0, added_ohm },
            Defect::Bypass { load: 2, share: 0.3 },
        ];
        let mut some = known.clone();
        for (step, inputs) in came.iter().enumerate() {
            let all = inputs.iter().map(|&input| GridChange { step, input });
            known.changes.extend(all.clone());
            if is_known[step] {
                some.changes.extend(all);
            }
        }
        known.changes.sort_by_key(|change| std::cmp::Reverse(change.step));
        let feeder = SolvedNetwork::solve(known).unwrap();
        let mut grid = LiveGrid::new(some);
        let homes = [0, 1, 2].map(|load| grid.live_load(load).unwrap());
        for (step, inputs) in came.iter().enumerate() {
            for &input in inputs.iter().filter(|_| !is_known[step]) {
                grid.apply(input).unwrap();
            }
            prop_assert_eq!(grid.step().unwrap(), &feeder.steps()[step]);
        }
        // And meters see the same, whichever way.
        for (load, home) in homes.iter().enumerate() {
            let terminal = feeder.load_terminal(load, "load", Streams::new(1)).unwrap();
            for name in [CONSUMED, INJECTED, POWER, "electricity.energy.reactive.consumed.l1"] {
                let id = MeasurementId::lookup(name).unwrap();
                let known = terminal.reference(id, span(seconds(2), seconds(3)), Netting::Net);
                let seen = over(home, name, 2, 3);
                let (known, seen) = (known.unwrap(), seen.unwrap());
                prop_assert!((known - seen).abs() < 1e-6 * known.abs().max(1.0), "{}", name);
            }
        }
    }

    /// Steps from a cycle to half a second, spans that cut them.
    #[test]
    fn registers_net_within_the_intervals_of_a_terminal(
        profile in proptest::collection::vec(-2000.0..2000.0, 40),
        cycles in 1..25_i64,
        from_cycle in 0..50_i64,
        length_cycles in 1..200_i64,
    ) {
        let cycle = SimDuration::from_milliseconds(20);
        let mut known = setup(three_homes(), cycle * cycles, 40);
        known.powers[1] = Some(profile.iter().map(|&power| watts(power)).collect());
        known.powers[2] = Some(profile.iter().rev().map(|&power| watts(power)).collect());
        let feeder = SolvedNetwork::solve(known.clone()).unwrap();
        let mut grid = LiveGrid::new(known);
        let homes = [1, 2].map(|load| (load, grid.live_load(load).unwrap()));
        for _ in 0..40 {
            grid.step().unwrap();
        }
        let whole = 40 * cycles;
        let registers_from = cycle * from_cycle.min(whole);
        let to = cycle * (from_cycle + length_cycles).min(whole);
        let span = ReferenceSpan { from: registers_from, to, registers_from };
        for (load, home) in homes {
            let terminal = feeder.load_terminal(load, "load", Streams::new(1)).unwrap();
            for name in [CONSUMED, INJECTED, "electricity.energy.active.consumed.l2"] {
                for netting in [Netting::Net, Netting::PerPhase] {
                    let id = MeasurementId::lookup(name).unwrap();
                    let known = terminal.reference(id, span, netting).unwrap();
                    let seen = home.truth_value(span, netting, id).unwrap();
                    prop_assert!((known - seen).abs() < 1e-6 * known.abs().max(1.0),
                        "{} {:?} {:?}: {} {}", name, netting, span, known, seen);
                }
            }
        }
    }
}
