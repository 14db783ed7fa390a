//! What has to hold for any network: powers add up, methods agree, names and order do not matter,
//! and nonsense is refused instead of panicking.

use lastmeter_grid::flow::{self, Flow, Method, Options, Phases};
use lastmeter_grid::network::{
    Configuration, Connection, Line, LineImpedance, Load, LoadModel, Magnetising, Network, Neutral,
    Node, NodeId, Place, SequenceImpedance, Shunt, ShuntAdmittance, Source, Switch, Transformer,
    VoltageBand, Winding, WindingKind, Wire, WireList, Wires, ZipShares,
};
use num_complex::Complex64;
use proptest::prelude::*;

/// Numbers that look random and are the same each time.
struct Dice(u64);

impl Dice {
    fn next(&mut self) -> f64 {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 11) as f64 / (1_u64 << 53) as f64
    }

    fn below(&mut self, count: usize) -> usize {
        (self.next() * count as f64) as usize
    }

    fn between(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * self.next()
    }
}

fn c(re: f64, im: f64) -> Complex64 {
    Complex64::new(re, im)
}

/// A transformer station and a low-voltage network of four wires behind it, with ties, switches,
/// laterals of one phase, loads of every kind.
fn network(seed: u64, count: usize, ties: usize) -> Network {
    let mut dice = Dice(seed);
    let mut network = Network::new("random", 50.0);
    let node = |network: &mut Network, wires, volts| {
        let name = format!("n{}", network.nodes.len()).into();
        let place = Place::default();
        network.push_node(Node { name, wires, rated_voltage_v: volts, position: None, place })
    };
    let high = node(&mut network, Wires::ABC, 10e3);
    let low = node(&mut network, Wires::ABCN, 400.0);
    network.sources.push(Source {
        name: "grid".into(),
        node: high,
        voltage_v: 10e3,
        angle_rad: 0.3,
        z1_ohm: c(0.05, 0.5),
        z0_ohm: c(0.1, 0.8),
        connected: true,
        place: Place::default(),
    });
    let winding = |node, kind, volts| Winding {
        connection: Connection::abc(node),
        kind,
        rated_voltage_v: volts,
        tap: None,
    };
    network.transformers.push(Transformer {
        name: "station".into(),
        windings: vec![
            winding(high, WindingKind::Delta, 10e3),
            winding(low, WindingKind::Star(Neutral::Wire), 410.0),
        ],
        clock: vec![[1, 5, 7, 11][dice.below(4)]],
        closed: vec![true; 2],
        rated_power_va: 400e3,
        short_circuit_pu: vec![c(0.01, 0.04)],
        magnetising: Magnetising::AtWinding {
            winding: 1,
            y_pu: c(0.001, -0.005),
            antifloat_pu: 1e-6,
        },
        place: Place::default(),
    });
    network.shunts.push(earth("station earth", low));
    for number in 0..count {
        let at = NodeId(1 + dice.below(network.nodes.len() - 1) as u32);
        let wires = network.nodes[at.index()].wires;
        // Every fourth is a lateral of one phase and the neutral.
        let wires = match wires.iter().next() {
            Some(first) if number % 4 == 3 => Wires::NONE.with(first).with(Wire::Neutral),
            _ => wires,
        };
        let next = node(&mut network, wires, 400.0);
        join(&mut network, &mut dice, at, next, wires, number % 7 == 6);
        if number % 9 == 8 {
            network.shunts.push(earth(&format!("earth {number}"), next));
        }
        add_load(&mut network, &mut dice, next, 60e3 / count as f64);
    }
    for _ in 0..ties {
        let ends = [0; 2].map(|_| NodeId(1 + dice.below(network.nodes.len() - 1) as u32));
        let [a, b] = ends.map(|it| network.nodes[it.index()].wires);
        let both: Wires = a.iter().filter(|&it| b.contains(it)).collect();
        if ends[0] != ends[1] {
            join(&mut network, &mut dice, ends[0], ends[1], both, false);
        }
    }
    network
}

fn earth(name: &str, node: NodeId) -> Shunt {
    Shunt {
        name: name.into(),
        connection: Connection { node, wires: WireList::single(Wire::Neutral) },
        admittance: ShuntAdmittance::Parts {
            configuration: Configuration::Star,
            y_s: [c(0.5, 0.0), Complex64::ZERO, Complex64::ZERO],
        },
        connected: true,
        place: Place::default(),
    }
}

fn connection(node: NodeId, wires: Wires) -> Connection {
    let wires: Vec<Wire> = wires.iter().collect();
    Connection { node, wires: WireList::new(&wires).expect("a set has no wire twice") }
}

fn join(
    network: &mut Network,
    dice: &mut Dice,
    a: NodeId,
    b: NodeId,
    wires: Wires,
    by_switch: bool,
) {
    let (from, to) = (connection(a, wires), connection(b, wires));
    let place = Place::default();
    if by_switch {
        let name = format!("s{}", network.switches.len()).into();
        let (closed, rated_current_a) = (true, Some(100.0));
        network.switches.push(Switch { name, from, to, closed, rated_current_a, place });
        return;
    }
    let km = dice.between(0.01, 0.05);
    let sequence = SequenceImpedance {
        z1_ohm: c(0.3, 0.08) * km,
        z0_ohm: c(0.9, 0.3) * km,
        y1_s: c(0.0, 8e-5) * km,
        y0_s: c(0.0, 4e-5) * km,
    };
    network.lines.push(Line {
        name: format!("l{}", network.lines.len()).into(),
        from,
        to,
        from_closed: true,
        to_closed: true,
        impedance: LineImpedance::Sequence(sequence),
        length_m: Some(km * 1e3),
        rated_current_a: Some(150.0),
        place,
    });
}

fn add_load(network: &mut Network, dice: &mut Dice, node: NodeId, power: f64) {
    let wires = network.nodes[node.index()].wires;
    let phases: Wires = wires.iter().filter(|&it| it != Wire::Neutral).collect();
    let delta = phases.len() == 3 && dice.next() < 0.3;
    let model = match dice.below(6) {
        0 | 1 => LoadModel::ConstantPower,
        2 => LoadModel::ConstantCurrent,
        3 => LoadModel::ConstantImpedance,
        4 => LoadModel::Exponential { active: 1.4, reactive: 2.2 },
        _ => {
            let shares = ZipShares { impedance: 0.5, current: 0.2, power: 0.3 };
            LoadModel::Zip { active: shares, reactive: shares }
        }
    };
    let mut power_va = [Complex64::ZERO; 3];
    for part in power_va.iter_mut().take(phases.len()) {
        *part = c(1.0, 0.3) * (power / 3.0 * dice.between(-0.3, 2.0));
    }
    let turns = network.loads.len().is_multiple_of(2);
    network.loads.push(Load {
        name: format!("load {}", network.loads.len()).into(),
        connection: connection(node, if delta { phases } else { wires }),
        configuration: if delta { Configuration::Delta } else { Configuration::Star },
        power_va,
        model,
        rated_voltage_v: if delta { 400.0 } else { 230.0 },
        band: (dice.next() < 0.3).then_some(VoltageBand {
            lowest: 0.95,
            highest: 1.05,
            turned: Some(0.5).filter(|_| turns),
        }),
        connected: dice.next() < 0.95,
        generator: false,
        place: Place::default(),
    });
}

fn solve(network: &Network, method: Method) -> Flow {
    let options = Options { method, tolerance_pu: 1e-11, ..Options::default() };
    flow::solve(network, &options).unwrap_or_else(|error| panic!("{error}"))
}

fn furthest(network: &Network, a: &Flow, b: &Flow) -> f64 {
    let nodes = network.nodes.iter().zip(a.nodes.iter().zip(&b.nodes));
    let off = nodes.flat_map(|(node, (a, b))| {
        (0..4).map(|k| (a.voltage_v[k] - b.voltage_v[k]).norm() / node.rated_voltage_v)
    });
    off.fold(0.0, f64::max)
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 48, failure_persistence: None, ..ProptestConfig::default()
    })]

    #[test]
    fn powers_add_up_and_methods_agree(seed: u64, count in 3_usize..60, ties in 0_usize..5) {
        let network = network(seed, count, ties);
        let flow = solve(&network, Method::CurrentInjection);
        let total = |it: &mut dyn Iterator<Item = Complex64>| it.sum::<Complex64>();
        let fed = total(&mut flow.sources.iter().map(flow::EndState::total_va));
        let drawn = total(&mut flow.loads.iter().flat_map(|it| it.power_va));
        let shunts = total(&mut flow.shunts.iter().map(flow::EndState::total_va));
        let left = fed - drawn - shunts - flow.losses_va;
        prop_assert!(left.norm() < 1e-8 * fed.norm(), "{left} of {fed}");
        prop_assert!(flow.residual_share < 1e-8, "{}", flow.residual_share);
        prop_assert!(flow.losses_va.re > 0.0);
        let newton = solve(&network, Method::Newton);
        let off = furthest(&network, &flow, &newton);
        prop_assert!(off < 1e-9, "{off}");
    }

    #[test]
    fn the_order_of_elements_does_not_matter(seed: u64, count in 3_usize..40, ties in 0_usize..4) {
        let network = network(seed, count, ties);
        let mut turned = network.clone();
        turned.lines.reverse();
        turned.loads.reverse();
        turned.switches.reverse();
        for line in &mut turned.lines {
            std::mem::swap(&mut line.from, &mut line.to);
        }
        let (a, b) = (solve(&network, Method::Auto), solve(&turned, Method::Auto));
        let off = furthest(&network, &a, &b);
        prop_assert!(off < 1e-9, "{off}");
        let through = |flow: &Flow| flow.switches.iter().map(|it| it.from.total_va()).sum::<Complex64>();
        prop_assert!((through(&a) - through(&b)).norm() < 1e-3);
        for (a, b) in a.lines.iter().zip(b.lines.iter().rev()) {
            prop_assert!((a.from.total_va() - b.to.total_va()).norm() < 1e-3);
        }
    }

    /// One figure is spoilt, one reference leads elsewhere, one switch is turned: whatever comes
    /// out, it comes out.
    #[test]
    fn nonsense_does_not_panic(seed: u64, what in 0_usize..14, with in 0_usize..5) {
        let mut network = network(seed, 12, 2);
        let figure = [f64::NAN, f64::INFINITY, 0.0, -1.0, 1e300][with];
        let line = &mut network.lines[0];
        match what {
            0 => line.from.node = NodeId(9999),
            1 => line.to.node = line.from.node,
            2 => line.impedance = LineImpedance::Sequence(SequenceImpedance {
                z1_ohm: c(figure, 0.0), z0_ohm: c(0.0, figure),
                y1_s: c(figure, figure), y0_s: Complex64::ZERO,
            }),
            3 => line.to_closed = false,
            4 => network.loads[1].power_va[0] = c(figure, 1.0),
            5 => network.loads[1].rated_voltage_v = figure,
            6 => network.sources[0].voltage_v = figure,
            7 => network.sources[0].z1_ohm = c(figure, 0.0),
            8 => network.sources[0].connected = false,
            9 => network.transformers[0].windings[1].rated_voltage_v = figure,
            10 => network.transformers[0].short_circuit_pu[0] = c(figure, 0.0),
            11 => network.transformers[0].clock[0] = 2,
            12 => network.nodes[1].rated_voltage_v = figure,
            _ => network.transformers[0].closed[with % 2] = false,
        }
        for method in [Method::Auto, Method::Newton] {
            let options = Options { method, ..Options::default() };
            if let Ok(flow) = flow::solve(&network, &options) {
                let finite = |it: &Complex64| it.re.is_finite() && it.im.is_finite();
                prop_assert!(flow.nodes.iter().flat_map(|it| &it.voltage_v).all(finite));
            }
            let balanced = Options { phases: Phases::Balanced, ..options };
            drop(flow::solve(&network, &balanced));
        }
    }
}
