//! Places that are known, against the short-circuit engine.

use num_complex::Complex64;
use proptest::prelude::*;

use super::{Candidate, FaultSearchError, Feeder, Observation, Options, Phasors, Station};
use crate::flow;
use crate::network::{
    Configuration, Connection, Line, LineImpedance, Load, LoadModel, Network, Node, NodeId, Place,
    SequenceImpedance, Source, Wires,
};
use crate::short_circuit::{self, Fault, Kind, Location, PrefaultState};

fn c(re: f64, im: f64) -> Complex64 {
    Complex64::new(re, im)
}

/// A main line of `main` sections and a branch of `branch` from its node `fork` on, each section of
/// 700 m and some more; a load at each node.
fn feeder(main: u32, fork: u32, branch: u32) -> Network {
    let mut network = Network::new("feeder", 50.0);
    for at in 0..=main + branch {
        network.push_node(Node {
            name: format!("n{at}").into(),
            wires: Wires::ABC,
            rated_voltage_v: 20e3,
            position: None,
            place: Place(0),
        });
    }
    network.sources.push(Source {
        name: "s".into(),
        node: NodeId(0),
        voltage_v: 20.4e3,
        angle_rad: 0.3,
        z1_ohm: c(0.2, 2.0),
        z0_ohm: c(0.2, 2.0),
        connected: true,
        place: Place(0),
    });
    for at in 1..=main + branch {
        let before = if at == main + 1 { fork } else { at - 1 };
        let length_m = 700.0 + 40.0 * f64::from(at % 5);
        let z1_ohm = if at % 3 == 0 { c(0.206, 0.12) } else { c(0.3, 0.36) } * (length_m / 1e3);
        // Every other line is described from its far end.
        let ends = if at % 2 == 0 { [before, at] } else { [at, before] };
        let [from, to] = ends.map(|node| Connection::abc(NodeId(node)));
        let (y1_s, y0_s) = (Complex64::ZERO, Complex64::ZERO);
        let z0_ohm = z1_ohm * c(3.0, 0.4);
        network.lines.push(Line {
            name: format!("l{at}").into(),
            from,
            to,
            from_closed: true,
            to_closed: true,
            impedance: LineImpedance::Sequence(SequenceImpedance { z1_ohm, z0_ohm, y1_s, y0_s }),
            length_m: Some(length_m),
            rated_current_a: None,
            place: Place(0),
        });
        let phase = |k: u32| c(110e3, 30e3) * (1.0 + 0.1 * f64::from((at + k) % 4));
        network.loads.push(Load {
            name: format!("d{at}").into(),
            connection: Connection::abc(NodeId(at)),
            configuration: Configuration::Star,
            power_va: [phase(0), phase(1), phase(2)],
            model: LoadModel::ConstantPower,
            rated_voltage_v: 20e3 / 3f64.sqrt(),
            band: None,
            connected: true,
            generator: false,
            place: Place(0),
        });
    }
    network
}

fn three(all: [Complex64; 4]) -> [Complex64; 3] {
    [all[0], all[1], all[2]]
}

fn at_source(flow: &flow::Flow) -> Phasors {
    Phasors {
        voltage_v: three(flow.nodes[0].voltage_v),
        current_a: three(flow.sources[0].current_a),
    }
}

/// What the station measures, by the short-circuit engine. Two phases to earth have there one
/// resistance to earth for both, here one each: so they are bolted.
fn observed(network: &Network, kind: Kind, line: u32, share: f64, ohm: f64) -> Observation {
    let location = Location::Line { line, share };
    let fault = Fault { kind, location, impedance_ohm: ohm.into() };
    let before = flow::Options { tolerance_pu: 1e-12, ..flow::Options::default() };
    let options =
        short_circuit::Options { phases: flow::Phases::All, before: PrefaultState::Loaded(before) };
    let solved = short_circuit::solve(network, &[fault], &options).unwrap();
    let before = flow::solve(network, &before).unwrap();
    Observation {
        before: at_source(&before),
        during: at_source(&solved.flow),
        voltage_sigma_v: 1.0,
        current_sigma_a: 0.1,
    }
}

fn search(network: &Network, observation: &Observation) -> Vec<Candidate> {
    let options = Options { load_spread: 0.0, line_spread: 0.0, ..Options::default() };
    Feeder::new(network, Station::Source(0)).unwrap().search(observation, &options).unwrap()
}

/// The place on the main line or, where both are at the same electrical distance, on the branch.
fn assert_found(found: &[Candidate], (kind, line, along_m, ohm): (Kind, u32, f64, f64)) {
    let near = |it: &&Candidate| {
        it.line == line
            && (it.along_m - along_m).abs() < 0.5 + 0.01 * it.spread_m
            && it.kind == kind
    };
    let what = format!("{kind} on {line} at {along_m} m, {ohm} ohm: {found:#?}");
    let it = found.iter().find(near).expect(&what);
    assert!((it.resistance_ohm - ohm).abs() < 1e-3 * (1.0 + ohm), "{what}");
    assert!(it.misfit < 1e-3 && it.likelihood > 0.2, "{what}");
    let sum: f64 = found.iter().map(|it| it.likelihood).sum();
    assert!((sum - 1.0).abs() < 1e-9, "{what}");
}

#[test]
fn places_are_found_where_the_short_circuit_engine_has_them() {
    let network = feeder(9, 4, 3);
    for kind in Kind::SHORT {
        for (line, share) in [(0, 0.02), (2, 0.5), (5, 0.3), (8, 0.9), (10, 0.61)] {
            for ohm in [0.0, 0.4, 10.0, 40.0, 200.0] {
                if matches!(kind, Kind::TwoPhaseToGround(..)) && ohm > 0.0 {
                    continue;
                }
                let observation = observed(&network, kind, line, share, ohm);
                let found = search(&network, &observation);
                let along_m = share * network.lines[line as usize].length_m.unwrap();
                assert_found(&found, (kind, line, along_m, ohm));
                assert!(found.len() <= 5);
            }
        }
    }
}

/// Known loads that are all too small by the same factor, in each phase by its own, are scaled.
#[test]
fn loads_are_scaled_to_the_current_before_the_fault() {
    let network = feeder(9, 4, 3);
    let mut known = network.clone();
    for load in &mut known.loads {
        load.power_va = [load.power_va[0] * 0.7, load.power_va[1] * 1.3, load.power_va[2] * 0.5];
    }
    let kind = Kind::SinglePhaseToGround(crate::network::Wire::A);
    let observation = observed(&network, kind, 6, 0.4, 10.0);
    let found = search(&known, &observation);
    let along_m = 0.4 * network.lines[6].length_m.unwrap();
    let it = found.iter().find(|it| it.line == 6).expect("a candidate there");
    assert!((it.along_m - along_m).abs() < 2.0, "{found:#?}");
}

/// A branch that begins and goes on as the main line does fits equally well.
#[test]
fn equal_electrical_distances_are_both_reported() {
    let mut network = feeder(9, 4, 3);
    for at in 0..3 {
        let (impedance, length_m) =
            (network.lines[4 + at].impedance.clone(), network.lines[4 + at].length_m);
        network.lines[9 + at].impedance = impedance;
        network.lines[9 + at].length_m = length_m;
    }
    let kind = Kind::TwoPhase(crate::network::Wire::B, crate::network::Wire::C);
    let found = search(&network, &observed(&network, kind, 5, 0.5, 1.0));
    let mut lines: Vec<u32> = found.iter().map(|it| it.line).collect();
    lines.sort_unstable();
    assert_eq!(lines, [5, 10], "{found:#?}");
    assert!(found.iter().all(|it| it.likelihood > 0.3), "{found:#?}");
}

#[test]
fn a_station_at_a_line_sees_what_flows_into_that_line() {
    let network = feeder(6, 2, 2);
    let kind = Kind::ThreePhase;
    let mut observation = observed(&network, kind, 4, 0.25, 2.0);
    // The first line takes the current of the source and its node has no load.
    let feeder = Feeder::new(&network, Station::Line(0)).unwrap();
    let options = Options { load_spread: 0.0, ..Options::default() };
    let found = feeder.search(&observation, &options).unwrap();
    assert_found(&found, (kind, 4, 0.25 * network.lines[4].length_m.unwrap(), 2.0));
    observation.during.current_a[0].re = f64::NAN;
    assert_eq!(feeder.search(&observation, &options), Err(FaultSearchError::Phasors));
}

#[test]
fn what_cannot_be_searched_is_refused() {
    let network = feeder(4, 2, 1);
    let refused = |network: &Network, station| Feeder::new(network, station).unwrap_err();
    assert_eq!(refused(&network, Station::Node(NodeId(99))), FaultSearchError::Station);
    assert_eq!(refused(&network, Station::Line(99)), FaultSearchError::Station);
    let mut looped = network.clone();
    let mut line = network.lines[0].clone();
    (line.from, line.to) = (Connection::abc(NodeId(4)), Connection::abc(NodeId(5)));
    looped.lines.push(Line { name: "tie".into(), ..line });
    assert_eq!(refused(&looped, Station::Source(0)), FaultSearchError::NotRadial);
    let mut bare = network.clone();
    bare.lines.iter_mut().for_each(|it| it.length_m = None);
    assert_eq!(refused(&bare, Station::Source(0)), FaultSearchError::NoLength);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Whatever was measured, candidates are finite, or it is refused.
    #[test]
    fn any_phasors_are_taken(values in prop::collection::vec(
        prop_oneof![Just(0.0), Just(f64::NAN), Just(1e300), -2e4..2e4f64], 24), sigma in 0.0..10.0)
    {
        let take = |at: usize| -> [Complex64; 3] {
            std::array::from_fn(|k| c(values[at + 2 * k], values[at + 2 * k + 1]))
        };
        let phasors = |at| Phasors { voltage_v: take(at), current_a: take(at + 6) };
        let observation = Observation {
            before: phasors(0),
            during: phasors(12),
            voltage_sigma_v: sigma,
            current_sigma_a: sigma,
        };
        let feeder = Feeder::new(&feeder(5, 2, 2), Station::Source(0)).unwrap();
        for it in feeder.search(&observation, &Options::default()).unwrap_or_default() {
            let all = [it.along_m, it.distance_m, it.resistance_ohm, it.misfit, it.likelihood];
            prop_assert!(all.iter().all(|it| it.is_finite()), "{it:?}");
            prop_assert!(it.spread_m >= 0.0, "{it:?}");
        }
    }
}
