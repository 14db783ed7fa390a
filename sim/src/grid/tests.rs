//! What meters see of small networks whose flows are known in closed form.

use lastmeter_grid::flow::EndState;
use lastmeter_grid::format::toml;
use lastmeter_grid::network::{Network, Wire};
use lastmeter_units::{MeasurementId, SimDuration, SimTime};
use num_complex::Complex64;

use super::*;
use crate::{Netting, ReferenceSpan, Streams, Terminal};

pub(super) mod network;

const PHASE_V: f64 = 230.940_107_675_850_3;

/// A stiff source, a line of 0.5 ohm in each phase without coupling, and a node `home`.
fn network(loads: &str) -> Network {
    network::network(1_000_000, false, Some([0.5, 0.0]), loads)
}

fn load(name: &str, wires: &str, more: &str) -> String {
    format!(
        "[[load]]\nname = \"{name}\"\nnode = \"home\"\nwires = \"{wires}\"\np = \"1 kW\"\n{more}\n"
    )
}

fn feeder(network: Network, powers: &[&[f64]], defects: Vec<Defect>) -> SolvedNetwork {
    let watts = |series: &&[f64]| series.iter().map(|&p| Complex64::new(p, 0.0)).collect();
    let powers: Vec<Option<Vec<Complex64>>> =
        powers.iter().map(|series| Some(series).filter(|it| !it.is_empty()).map(watts)).collect();
    let steps = powers.iter().flatten().map(Vec::len).max().unwrap_or(1);
    let raster = Raster { start: SimTime(0), step: SimDuration::from_seconds(60), steps };
    let changes = Vec::new();
    SolvedNetwork::solve(Setup { network, frequency_hz: 50.0, raster, powers, defects, changes })
        .unwrap()
}

fn value(terminal: &Terminal, name: &str, from_s: i64, to_s: i64) -> f64 {
    let seconds = SimDuration::from_seconds;
    let registers_from = SimDuration::ZERO;
    let span = ReferenceSpan { from: seconds(from_s), to: seconds(to_s), registers_from };
    terminal.reference(MeasurementId::lookup(name).unwrap(), span, Netting::Net).unwrap()
}

fn at_load(feeder: &SolvedNetwork, load: usize) -> Terminal {
    feeder.load_terminal(load, "load:test", Streams::new(1)).unwrap()
}

/// A constant power `P` behind `R`: `V^2 - V0 V + R P = 0`.
fn behind_line(watts: f64) -> f64 {
    0.5 * (PHASE_V + (PHASE_V * PHASE_V - 4.0 * 0.5 * watts).sqrt())
}

const VOLTAGE: &str = "electricity.voltage.rms.l1";
const POWER: &str = "electricity.power.active.consumed.l1";
const CONSUMED: &str = "electricity.energy.active.consumed.total";
const INJECTED: &str = "electricity.energy.active.injected.total";

#[test]
fn a_load_of_phase_b_sees_what_its_line_leaves_of_phase_b() {
    let network = network(&(load("h", "b", "") + &load("other", "a", "")));
    let feeder = feeder(network, &[&[2000.0, 500.0], &[9000.0, 0.0]], Vec::new());
    let terminal = at_load(&feeder, 0);
    assert_eq!(terminal.phases(), 1);
    for (from, watts) in [(0, 2000.0), (60, 500.0)] {
        assert!((value(&terminal, VOLTAGE, from, from + 60) - behind_line(watts)).abs() < 1e-5);
        assert!((value(&terminal, POWER, from, from + 60) - watts).abs() < 1e-3);
    }
    // 120 degrees behind phase a, which begins with its positive zero crossing.
    let mut block = crate::Block::default();
    terminal.render(0, 6000.0, 120, &mut block);
    let peak = block.voltages[0].iter().enumerate().max_by(|a, b| a.1.total_cmp(b.1)).unwrap();
    assert_eq!(peak.0, 30 + 40, "a quarter of a period and a third of it");
}

#[test]
fn energy_adds_up_from_loads_through_losses_to_the_source_at_every_step() {
    let loads =
        load("a", "a", "") + &load("b", "b", "model = \"impedance\"") + &load("c", "abc", "");
    let series: [&[f64]; 3] =
        [&[2000.0, 10.0, -3000.0], &[100.0, 4000.0, 0.0], &[3000.0, 900.0, 1200.0]];
    let feeder = feeder(network(&loads), &series, Vec::new());
    for step in feeder.steps() {
        let delivered: Complex64 = step.sources.iter().map(EndState::total_va).sum();
        let drawn: Complex64 = step.loads.iter().flat_map(|load| load.power_va).sum();
        assert!((delivered - drawn - step.losses_va).norm() < 1e-3, "{step:?}");
        assert!(step.losses_va.re > 0.0 && step.losses_va == step.declared_losses_va);
    }
    // And in the registers of meters: three homes and the feeding point.
    let homes: f64 = (0..3)
        .map(|load| at_load(&feeder, load))
        .map(|home| value(&home, CONSUMED, 0, 180) - value(&home, INJECTED, 0, 180))
        .sum();
    let source = feeder.source_terminal(0, "supply", Streams::new(1)).unwrap();
    let supplied = value(&source, CONSUMED, 0, 180) - value(&source, INJECTED, 0, 180);
    let losses: f64 = feeder.steps().iter().map(|step| step.losses_va.re * 60.0).sum();
    assert!((supplied - homes - losses).abs() < 1e-4 * supplied, "{supplied} {homes} {losses}");
}

/// What a meter counts and what the plant drew, watts: of one load at a node whose neutral carries
/// the current of another one.
fn counted_and_drawn(wires: &str, powers: &str) -> [f64; 2] {
    let matrix = |own: f64, neutral: f64, mutual: f64| {
        let entry = |row: usize, column: usize| match (row == column, row) {
            (true, 3) => neutral,
            (true, _) => own,
            _ => mutual,
        };
        let row = |row: usize| {
            let entries = [0, 1, 2, 3].map(|column| format!("\"{} ohm/km\"", entry(row, column)));
            format!("[{}]", entries.join(", "))
        };
        format!("[{}]", [0, 1, 2, 3].map(row).join(", "))
    };
    let text = format!(
        "format = 1\nvoltage = \"400 V\"\n[[node]]\nname = \"bus\"\nwires = \"abcn\"\n\
         [[node]]\nname = \"home\"\nwires = \"abcn\"\n[[source]]\nname = \"supply\"\n\
         node = \"bus\"\nshort_circuit_power = \"10 MVA\"\n[[line]]\nname = \"L\"\n\
         from = \"bus\"\nto = \"home\"\nlength = \"120 m\"\nwires = \"abcn\"\n\
         r_matrix = {}\nx_matrix = {}\n{}{}",
        matrix(0.642, 10.0, 0.05),
        matrix(0.7, 0.7, 0.3),
        load("other", "an", "").replace("1 kW", "4 kW"),
        load("own", wires, "").replace("\"1 kW\"", powers),
    );
    let network = toml::read("test.toml", &text).unwrap();
    let feeder = feeder(network, &[&[], &[]], Vec::new());
    let terminal = at_load(&feeder, 1);
    let joules = value(&terminal, CONSUMED, 0, 60) - value(&terminal, INJECTED, 0, 60);
    let drawn: Complex64 = feeder.steps()[0].loads[1].power_va.iter().sum();
    // Far from what it is between wires and neutral where it stands between wires and earth.
    let node = &feeder.steps()[0].nodes[1];
    assert!(node.voltage_v[Wire::Neutral.index()].norm() > 10.0);
    [joules / 60.0, drawn.re]
}

#[test]
fn a_load_to_earth_is_metered_to_earth_beside_a_neutral_that_carries_current() {
    for (wires, powers, watts) in [
        ("b", "\"4 kW\"", 4000.0),
        ("bn", "\"4 kW\"", 4000.0),
        ("abc", "[\"4 kW\", \"0 kW\", \"0 kW\"]", 4000.0),
        ("abcn", "[\"3 kW\", \"1 kW\", \"0 kW\"]", 4000.0),
        ("bc", "\"4 kW\"\nconnection = \"delta\"", 4000.0),
    ] {
        let [counted, drawn] = counted_and_drawn(wires, powers);
        assert!((drawn - watts).abs() < 1e-3, "{wires}: {drawn} W drawn");
        assert!((counted - watts).abs() < 1e-3, "{wires}: {counted} W counted");
    }
}

#[test]
fn what_a_roof_delivers_is_in_the_other_register() {
    let feeder = feeder(network(&load("roof", "c", "")), &[&[-3000.0, 1000.0]], Vec::new());
    let terminal = at_load(&feeder, 0);
    assert!((value(&terminal, INJECTED, 0, 120) - 180_000.0).abs() < 1.0);
    assert!((value(&terminal, CONSUMED, 0, 120) - 60_000.0).abs() < 1.0);
    // Power that flows out lifts the voltage.
    assert!(value(&terminal, VOLTAGE, 0, 60) > PHASE_V);
    let source = feeder.source_terminal(0, "supply", Streams::new(1)).unwrap();
    assert!(value(&source, INJECTED, 0, 120) > 170_000.0);
}

#[test]
fn loads_between_wires_and_in_delta_are_seen_with_their_power() {
    let delta = "connection = \"delta\"";
    let loads = load("two", "ab", delta)
        + &load("three", "abc", delta)
        + &load("star", "ab", "connection = \"star\"");
    let feeder = feeder(network(&loads), &[&[600.0], &[900.0], &[400.0]], Vec::new());
    let [two, three, star] = [0, 1, 2].map(|load| at_load(&feeder, load));
    assert_eq!([&two, &three, &star].map(Terminal::phases), [1, 3, 3]);
    assert!((value(&two, VOLTAGE, 0, 60) / 400.0 - 1.0).abs() < 0.02);
    for (terminal, watts) in [(&two, 600.0), (&three, 900.0), (&star, 400.0)] {
        assert!((value(terminal, CONSUMED, 0, 60) - 60.0 * watts).abs() < 0.1, "{watts}");
    }
    let names = feeder.network().loads.iter().map(part_names);
    assert_eq!(names.collect::<Vec<_>>(), [vec!["ab"], vec!["ab", "bc", "ca"], vec!["a", "b"]]);
}

#[test]
fn a_bypassed_meter_sees_the_rest_and_the_network_carries_all() {
    let defect = Defect::Bypass { load: 0, share: 0.3 };
    let feeder = feeder(network(&load("h", "a", "")), &[&[2000.0]], vec![defect]);
    let terminal = at_load(&feeder, 0);
    assert!((value(&terminal, POWER, 0, 60) - 1400.0).abs() < 1e-3);
    assert!((value(&terminal, VOLTAGE, 0, 60) - behind_line(2000.0)).abs() < 1e-5);
    let drawn = feeder.steps()[0].loads[0].power_va[0];
    assert!((drawn.re - 2000.0).abs() < 1e-3);
}

/// The current is in phase with the voltage of a; that of b is a third of a turn behind:
/// cos 120 degrees = -1/2, of the size of b's voltage.
#[test]
fn a_meter_on_the_wrong_phase_counts_half_the_energy_backwards() {
    let defect = Defect::WrongPhase { load: 0, phase: Wire::B };
    let feeder = feeder(network(&load("h", "a", "")), &[&[2000.0]], vec![defect]);
    let terminal = at_load(&feeder, 0);
    let expected = 0.5 * 60.0 * PHASE_V * 2000.0 / behind_line(2000.0);
    assert!((value(&terminal, INJECTED, 0, 60) - expected).abs() < 0.1);
    assert!(value(&terminal, CONSUMED, 0, 60).abs() < 1e-6);
}

/// `I^2 R` of the declared line beside that of the corroded one, both at the same power.
#[test]
fn a_corroded_joint_loses_what_the_declared_network_does_not() {
    let defect = Defect::Resistance { line: 0, factor: 1.0, added_ohm: 0.25 };
    let feeder = feeder(network(&load("h", "a", "")), &[&[2000.0]], vec![defect]);
    let step = &feeder.steps()[0];
    let losses = |ohm: f64| {
        let volts = 0.5 * (PHASE_V + (PHASE_V * PHASE_V - 4.0 * ohm * 2000.0).sqrt());
        ohm * (2000.0 / volts).powi(2)
    };
    assert!((step.losses_va.re - losses(0.75)).abs() < 1e-3, "{}", step.losses_va);
    assert!((step.declared_losses_va.re - losses(0.5)).abs() < 1e-3, "{}", step.declared_losses_va);
}

#[test]
fn a_step_that_cannot_be_carried_is_named() {
    let network = network(&load("h", "a", ""));
    let raster = Raster { start: SimTime(0), step: SimDuration::from_seconds(60), steps: 3 };
    // The most that 0.5 ohm carry are V0^2 / 4 R = 26.7 kW.
    let powers = vec![Some([26e3, 27e3, 1e3].map(|p| Complex64::new(p, 0.0)).to_vec())];
    let (defects, changes) = (Vec::new(), Vec::new());
    let setup = Setup { network, frequency_hz: 50.0, raster, powers, defects, changes };
    let failure = SolvedNetwork::solve(setup).unwrap_err();
    let NetworkFailure::Step(failure) = failure else { panic!("{failure:?}") };
    assert_eq!((failure.step, failure.is_declared), (1, false));
    assert!(failure.why.to_string().contains("node `home` wire a"), "{}", failure.why);
}

#[test]
fn a_load_that_lags_consumes_reactive_power_as_its_file_states() {
    let feeder = feeder(network(&load("h", "c", "q = \"0.4 kvar\"")), &[&[]], Vec::new());
    let terminal = at_load(&feeder, 0);
    let reactive = "electricity.power.reactive.consumed.l1";
    assert!((value(&terminal, POWER, 0, 60) - 1000.0).abs() < 1e-3);
    assert!((value(&terminal, reactive, 0, 60) - 400.0).abs() < 1e-3);
}

#[test]
fn an_unequal_split_outlives_a_step_without_power() {
    // Three quarters on one phase, before and after the profile passes zero.
    let load = load("h", "ab", "connection = \"star\"")
        .replace("p = \"1 kW\"", "p = [\"3 kW\", \"1 kW\"]");
    let feeder = feeder(network(&load), &[&[4000.0, 0.0, 8000.0]], Vec::new());
    let drawn = feeder.steps().iter().map(|step| step.loads[0].power_va);
    let drawn: Vec<[f64; 2]> = drawn.map(|va| [va[0].re.round(), va[1].re.round()]).collect();
    assert_eq!(drawn, [[3000.0, 1000.0], [0.0, 0.0], [6000.0, 2000.0]]);
}
