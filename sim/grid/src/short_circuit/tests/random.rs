//! Random networks: sweeps are single solutions, ends of lines are nodes, nothing panics.

use num_complex::Complex64;
use proptest::prelude::*;

use super::super::{Fault, Kind, Location, Options, solve, sweep};
use super::{ACTUAL, at_node, loaded};
use crate::block::magnitude;
use crate::flow::Phases;
use crate::network::{Magnetising, Network, Neutral, NodeId, WindingKind, Wire, Wires};
use crate::testing::{add_line, add_load, add_node, add_source, add_transformer, c, sequence};

const EVERY_KIND: [Kind; 10] = Kind::SHORT;

/// A random network: medium voltage, a transformer of some vector group, low voltage behind it, a
/// tree of lines and a few ties; one source or two.
fn random_network(seed: u64, nodes: usize) -> Network {
    let mut state = seed;
    let mut next = move || {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as f64 / f64::from(1_u32 << 31)
    };
    let mut network = Network::new("random", 50.0);
    let upper = nodes / 2;
    for node in 0..nodes {
        add_node(&mut network, if node < upper { 10e3 } else { 400.0 });
    }
    let id = |node: usize| NodeId(node as u32);
    let line = |next: &mut dyn FnMut() -> f64, scale: f64| {
        let z1 = c(0.1 + next(), 0.1 + next()) * scale;
        let y1 = c(0.0, 1e-6 * next() / scale);
        sequence([z1, z1 * (1.5 + next())], [y1, y1 * 0.6])
    };
    for node in 1..nodes {
        if node == upper {
            continue;
        }
        let (low, scale) = if node < upper { (0, 1.0) } else { (upper, 0.02) };
        let to = low + (next() * (node - low) as f64) as usize;
        let impedance = line(&mut next, scale);
        add_line(&mut network, id(node), id(to), impedance);
    }
    for _ in 0..(nodes as f64 * 0.1 * next()) as usize {
        let (a, b) = ((next() * upper as f64) as usize, (next() * upper as f64) as usize);
        if a != b {
            let impedance = line(&mut next, 1.0);
            add_line(&mut network, id(a), id(b), impedance);
        }
    }
    let earthed = WindingKind::Star(Neutral::Earthed(Complex64::ZERO));
    let (kinds, clock) =
        if next() < 0.5 { ([WindingKind::Delta, earthed], 5) } else { ([earthed, earthed], 0) };
    let windings = [(id(0), kinds[0]), (id(upper), kinds[1])];
    add_transformer(&mut network, windings, clock, 630e3, c(0.01, 0.04)).magnetising =
        Magnetising::BySequence { y1_pu: c(1e-3, -5e-3), y0_pu: c(1e-3, -5e-3) };
    let ideal = next() < 0.3;
    let z = if ideal { Complex64::ZERO } else { c(0.1, 1.0) };
    add_source(&mut network, id(0), [z, z * 1.3]).voltage_v = 10.1e3;
    if next() < 0.5 && upper > 1 {
        let second = add_source(&mut network, id(upper - 1), [c(0.5, 2.0), c(0.4, 3.0)]);
        second.voltage_v = 9.9e3;
    }
    add_load(&mut network, id(nodes - 1), [c(9e3, 1e3), c(0.0, 0.0), c(4e3, 4e3)]);
    network
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn a_sweep_gives_what_single_solutions_give(seed in any::<u64>(), nodes in 4..24_usize,
                                                impeded in any::<bool>(), with_load in any::<bool>()) {
        let network = random_network(seed, nodes);
        let z = if impeded { c(0.3, 0.1) } else { Complex64::ZERO };
        let options = if with_load { loaded() } else { Options::default() };
        let swept = sweep(&network, &EVERY_KIND, z, &options).unwrap();
        for node in 0..nodes as u32 {
            for (kind, &it) in EVERY_KIND.iter().enumerate() {
                let single = solve(&network, &[at_node(it, NodeId(node), z)], &options);
                let Some(found) = swept.fault(NodeId(node), kind) else {
                    prop_assert!(single.is_err());
                    continue;
                };
                let single = single.unwrap();
                let state = &single.faults[0];
                let current: f64 = state.current_a.iter().map(|&it| magnitude(it)).sum();
                let voltage: f64 = state.before_v.iter().map(|&it| magnitude(it)).sum();
                for wire in 0..3 {
                    let currents = magnitude(found.current_a[wire] - state.current_a[wire]);
                    let voltages = magnitude(found.voltage_v[wire] - state.voltage_v[wire]);
                    prop_assert!(currents <= 1e-10 * current, "{it:?} at {node}: {currents}");
                    prop_assert!(voltages <= 1e-10 * voltage, "{it:?} at {node}: {voltages}");
                }
            }
        }
    }

    #[test]
    fn at_the_ends_of_a_line_a_fault_is_at_its_nodes(seed in any::<u64>(), nodes in 4..16_usize,
                                                    kind in 0..10_usize) {
        let network = random_network(seed, nodes);
        let (kind, z) = (EVERY_KIND[kind], c(0.02, 0.01));
        for (index, line) in network.lines.iter().enumerate() {
            // Close to an end is what the end is, but for the line's own split.
            for (share, node) in [(0.0, line.from.node), (1.0, line.to.node),
                                  (1e-6, line.from.node), (1.0 - 1e-6, line.to.node)] {
                let location = Location::Line { line: index as u32, share };
                let along = Fault { kind, location, impedance_ohm: z };
                let along = solve(&network, &[along], &Options::default());
                let Ok(there) = solve(&network, &[at_node(kind, node, z)], &Options::default())
                else {
                    // Two wires joined right at a source without impedance.
                    prop_assert!(along.is_err() || (share > 0.0 && share < 1.0));
                    continue;
                };
                let along = along.unwrap();
                let size: f64 = there.faults[0].current_a.iter().map(|&it| magnitude(it)).sum();
                for wire in 0..3 {
                    let (a, b) = (along.faults[0].current_a[wire], there.faults[0].current_a[wire]);
                    prop_assert!(magnitude(a - b) <= 5e-4 * size, "{share}: {a} {b}");
                }
            }
        }
    }

    #[test]
    fn no_network_makes_it_panic(seed in any::<u64>(), nodes in 1..12_usize,
                                 spoiled in 0..8_usize, figure in 0..5_usize) {
        let figure = [f64::NAN, f64::INFINITY, -1.0, 0.0, 1e300][figure];
        let mut network = random_network(seed, nodes.max(2));
        match spoiled {
            0 => network.nodes[0].rated_voltage_v = figure,
            1 => network.sources[0].voltage_v = figure,
            2 => network.sources[0].z1_ohm.im = figure,
            3 => network.transformers[0].short_circuit_pu[0].im = figure,
            4 => network.transformers[0].rated_power_va = figure,
            5 => network.loads[0].power_va[0].re = figure,
            6 => network.loads[0].rated_voltage_v = figure,
            _ => if let Some(line) = network.lines.first_mut() {
                line.impedance = sequence([c(figure, 0.0), c(0.1, 0.1)], [c(0.0, figure), c(0.0, 0.0)]);
            }
        }
        for options in [ACTUAL, loaded(), Options { phases: Phases::Balanced, ..ACTUAL }] {
            let _ = sweep(&network, &EVERY_KIND, c(0.0, 0.0), &options);
            let fault = at_node(Kind::ThreePhase, NodeId(0), c(0.0, figure));
            let _ = solve(&network, &[fault], &options);
            let location = Location::Line { line: 0, share: figure };
            let kind = Kind::OpenConductors(Wires::NONE.with(Wire::A));
            let _ = solve(&network, &[Fault { kind, location, impedance_ohm: c(0.0, 0.0) }], &options);
        }
        let _ = crate::check::check(&network);
    }
}
