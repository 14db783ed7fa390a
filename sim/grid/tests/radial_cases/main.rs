//! Published distribution networks: losses and lowest voltages to the digits in which they are
//! printed, radial, reconfigured and with all ties closed.
//!
//! The figures were computed with another program (an own nodal power flow in Python to 1e-10) and
//! agree with the literature where that prints them: 202.677 kW and 139.551 kW for 33 buses,
//! 511.436 kW and 466.127 kW for 16.

#![expect(clippy::unwrap_used, reason = "a table that cannot be read fails its test")]

use lastmeter_grid::flow::{self, Flow, Method, Options, Phases};
use lastmeter_grid::network::{
    Configuration, Connection, Line, LineImpedance, Load, LoadModel, Network, Node, NodeId, Place,
    SequenceImpedance, Source, Wires,
};
use num_complex::Complex64;

const BARAN_WU_33: &str = include_str!("baran_wu_33.csv");
const CIVANLAR_16: &str = include_str!("civanlar_16.csv");
const DAS_70: &str = include_str!("das_70.csv");
const ZHANG_118: &str = include_str!("zhang_118.csv");

/// Which branches are closed.
#[derive(Clone, Copy)]
enum Ties<'a> {
    /// As in the table.
    AsGiven,
    /// All but these, counted from 1 as the table has them.
    AllBut(&'a [usize]),
}

fn node_of(network: &mut Network, number: &str, volts: f64) -> NodeId {
    network.node(number).unwrap_or_else(|| {
        network.push_node(Node {
            name: number.into(),
            wires: Wires::ABC,
            rated_voltage_v: volts,
            position: None,
            place: Place::default(),
        })
    })
}

fn network(table: &str, ties: Ties<'_>, load: f64) -> Network {
    let mut network = Network::new("case", 50.0);
    let (mut volts, mut ohm) = (0.0, 1.0);
    let mut branches = 0;
    for line in table.lines().filter(|line| !line.starts_with('#')) {
        let fields: Vec<&str> = line.split(',').collect();
        let figure = |at: usize| fields[at].parse::<f64>().unwrap();
        match fields[0] {
            "kv" => volts = figure(1) * 1e3,
            "per_unit_of_mva" => ohm = volts * volts / (figure(1) * 1e6),
            "sources" => {
                for number in &fields[1..] {
                    let node = node_of(&mut network, number, volts);
                    network.sources.push(source(number, node, volts));
                }
            }
            "bus" => {
                let node = node_of(&mut network, fields[1], volts);
                let power = Complex64::new(figure(2), figure(3)) * (1e3 * load / 3.0);
                network.loads.push(constant_power(fields[1], node, power, volts));
            }
            "branch" => {
                branches += 1;
                let closed = match ties {
                    Ties::AsGiven => fields[5] == "1",
                    Ties::AllBut(open) => !open.contains(&branches),
                };
                let ends = [fields[1], fields[2]].map(|it| node_of(&mut network, it, volts));
                let z = Complex64::new(figure(3), figure(4)) * ohm;
                network.lines.push(branch(branches, ends, z, closed));
            }
            other => panic!("no such row: {other}"),
        }
    }
    network
}

fn source(name: &str, node: NodeId, volts: f64) -> Source {
    Source {
        name: name.into(),
        node,
        voltage_v: volts,
        angle_rad: 0.0,
        z1_ohm: Complex64::ZERO,
        z0_ohm: Complex64::ZERO,
        connected: true,
        place: Place::default(),
    }
}

fn constant_power(name: &str, node: NodeId, power: Complex64, volts: f64) -> Load {
    Load {
        name: name.into(),
        connection: Connection::abc(node),
        configuration: Configuration::Star,
        power_va: [power; 3],
        model: LoadModel::ConstantPower,
        rated_voltage_v: volts / 3.0_f64.sqrt(),
        band: None,
        connected: true,
        generator: false,
        place: Place::default(),
    }
}

fn branch(number: usize, [from, to]: [NodeId; 2], z: Complex64, closed: bool) -> Line {
    Line {
        name: number.to_string().into(),
        from: Connection::abc(from),
        to: Connection::abc(to),
        from_closed: closed,
        to_closed: closed,
        impedance: LineImpedance::Sequence(SequenceImpedance {
            z1_ohm: z,
            z0_ohm: z,
            y1_s: Complex64::ZERO,
            y0_s: Complex64::ZERO,
        }),
        length_m: None,
        rated_current_a: None,
        place: Place::default(),
    }
}

fn lowest_pu(network: &Network, flow: &Flow) -> f64 {
    let nodes = network.nodes.iter().zip(&flow.nodes);
    let voltages = nodes.map(|(node, state)| {
        assert!(state.energized, "{} is without voltage", node.name);
        state.voltage_v[0].norm() * 3.0_f64.sqrt() / node.rated_voltage_v
    });
    voltages.fold(f64::INFINITY, f64::min)
}

/// Losses in kW and lowest voltage, with whatever method.
fn check(table: &str, ties: Ties<'_>, load: f64, losses_kw: f64, lowest: Option<f64>) {
    let network = network(table, ties, load);
    for phases in [Phases::Balanced, Phases::All] {
        for method in [Method::Auto, Method::CurrentInjection, Method::Newton] {
            let options = Options { phases, method, tolerance_pu: 1e-10, ..Options::default() };
            let flow = flow::solve(&network, &options).unwrap();
            let found = flow.losses_va.re / 1e3;
            let case = format!("{} buses, {phases:?}, {method:?}", network.nodes.len());
            assert!((found - losses_kw).abs() <= 0.000_501, "{case}: {found} kW, not {losses_kw}");
            if let Some(expected) = lowest {
                let found = lowest_pu(&network, &flow);
                assert!(
                    (found - expected).abs() <= 0.000_051,
                    "{case}: {found} pu, not {expected}"
                );
            }
            assert!(flow.residual_share < 1e-9, "{case}: {}", flow.residual_share);
        }
    }
}

#[test]
fn baran_and_wu_33_buses() {
    let reconfigure = |open: &[usize], losses_kw, lowest| {
        check(BARAN_WU_33, Ties::AllBut(open), 1.0, losses_kw, lowest);
    };
    check(BARAN_WU_33, Ties::AsGiven, 1.0, 202.677, Some(0.9131));
    reconfigure(&[], 123.291, None);
    reconfigure(&[7, 10, 14, 28, 32], 140.706, Some(0.9413));
    reconfigure(&[7, 9, 14, 32, 37], 139.551, Some(0.9378));
    reconfigure(&[7, 9, 14, 28, 32], 139.978, None);
    reconfigure(&[7, 10, 14, 32, 37], 140.279, None);
    reconfigure(&[7, 11, 32, 34, 37], 142.759, None);
    for (load, base_kw, best_kw) in [(0.5, 47.071, 33.269), (1.2, 301.454, 205.051)] {
        check(BARAN_WU_33, Ties::AsGiven, load, base_kw, None);
        check(BARAN_WU_33, Ties::AllBut(&[7, 9, 14, 32, 37]), load, best_kw, None);
    }
}

#[test]
fn civanlar_16_buses_behind_three_sources() {
    check(CIVANLAR_16, Ties::AsGiven, 1.0, 511.436, Some(0.9693));
    check(CIVANLAR_16, Ties::AllBut(&[]), 1.0, 426.259, None);
    // Open between 8 and 10, 9 and 11, 7 and 16.
    check(CIVANLAR_16, Ties::AllBut(&[7, 8, 16]), 1.0, 466.127, Some(0.9716));
}

#[test]
fn das_70_buses_behind_two_substations() {
    check(DAS_70, Ties::AsGiven, 1.0, 341.427, Some(0.8839));
    check(DAS_70, Ties::AllBut(&[]), 1.0, 297.937, None);
    check(DAS_70, Ties::AllBut(&[28, 39, 45, 51, 67, 70, 73, 76]), 1.0, 304.736, None);
}

#[test]
fn zhang_118_buses() {
    check(ZHANG_118, Ties::AsGiven, 1.0, 1298.092, Some(0.8688));
    check(ZHANG_118, Ties::AllBut(&[]), 1.0, 819.363, None);
}

/// Far more than 33 buses can carry: where it collapses is reported. With its loads growing alike
/// this feeder carries 3.622 times as much, at 0.422 pu (continuation with `fsolve` of `SciPy`).
#[test]
fn an_overloaded_feeder_reports_where_it_collapses() {
    let network = network(BARAN_WU_33, Ties::AsGiven, 5.0);
    let error = flow::solve(&network, &Options::default()).unwrap_err();
    let text = error.to_string();
    assert!(text.contains("voltages collapse at") && text.contains("node `18`"), "{text}");
    let flow::Failure::Collapse(collapse) = error else { panic!("{text}") };
    assert_eq!((&*collapse.source, &*collapse.node), ("1", "18"));
    let loadability = collapse.share * 5.0;
    assert!((3.615..3.6225).contains(&loadability), "{loadability}");
    assert!((collapse.voltage_pu - 0.422).abs() < 0.02, "{collapse:?}");
    let names: Vec<&str> = collapse.path.iter().map(|(name, _)| &**name).collect();
    assert_eq!(names[..4], ["1", "2", "3", "4"]);
    assert!(collapse.path.windows(2).all(|pair| pair[0].1 > pair[1].1), "{collapse:?}");
}
