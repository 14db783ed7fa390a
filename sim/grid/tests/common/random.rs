//! Networks that look random, the same each time.

use lastmeter_grid::network::{
    Configuration, Connection, Line, LineImpedance, Load, LoadModel, Magnetising, Matrix, Network,
    Neutral, Node, NodeId, Place, SequenceImpedance, Shunt, ShuntAdmittance, Source, TapChanger,
    Transformer, VoltageBand, Winding, WindingKind, Wire, WireList, Wires, ZipShares,
};
use num_complex::Complex64;

/// A generator of figures.
pub(crate) struct Figures(u64);

impl Figures {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    /// Between 0 and 1.
    pub(crate) fn next(&mut self) -> f64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (self.0 >> 33) as f64 / f64::from(1_u32 << 31)
    }

    pub(crate) fn within(&mut self, from: f64, to: f64) -> f64 {
        from + (to - from) * self.next()
    }

    pub(crate) fn below(&mut self, count: usize) -> usize {
        ((self.next() * count as f64) as usize).min(count - 1)
    }
}

/// What a random network may have.
#[derive(Clone, Copy)]
pub(crate) struct Wanted {
    pub(crate) nodes: usize,
    pub(crate) seed: u64,
    /// Nodes have a neutral wire.
    pub(crate) neutral: bool,
    /// Everything has three phases, and loads are in star.
    pub(crate) balanced: bool,
    /// Lines that close loops.
    pub(crate) ties: usize,
}

const VOLTS: f64 = 10_000.0;

pub(crate) fn complex(re: f64, im: f64) -> Complex64 {
    Complex64::new(re, im)
}

pub(crate) fn network(wanted: Wanted) -> Network {
    let mut network = Network::new("random", 50.0);
    let mut figures = Figures::new(wanted.seed);
    let wires = if wanted.neutral { Wires::ABCN } else { Wires::ABC };
    add_node(&mut network, wires, VOLTS);
    network.sources.push(source(NodeId(0), 0.0, VOLTS));
    for at in 1..wanted.nodes {
        let above = NodeId(figures.below(at).max(at.saturating_sub(6).min(at - 1)) as u32);
        let rated = network.nodes[above.index()].rated_voltage_v;
        let wires = network.nodes[above.index()].wires;
        if wires.contains_all(Wires::ABC)
            && !wanted.neutral
            && rated > 1000.0
            && figures.next() < 0.1
        {
            let node = add_node(&mut network, wires, 400.0);
            let transformer = transformer(&mut figures, above, node, wanted.balanced);
            network.transformers.push(transformer);
        } else {
            let mut below = wires;
            if !wanted.balanced && at > 4 && figures.next() < 0.2 {
                let phases: Vec<Wire> = wires.iter().filter(|&it| it != Wire::Neutral).collect();
                let left = figures.below(phases.len());
                below =
                    wires.iter().filter(|&it| it != phases[left] || phases.len() == 1).collect();
            }
            let node = add_node(&mut network, below, rated);
            let line = line(&mut figures, &wanted, [above, node], below, rated);
            network.lines.push(line);
        }
        add_load(&mut network, &mut figures, &wanted, NodeId(at as u32));
    }
    for _ in 0..wanted.ties {
        let ends = [0, 1].map(|_| NodeId(figures.below(wanted.nodes) as u32));
        let [a, b] = ends.map(|id| &network.nodes[id.index()]);
        let both: Wires = a.wires.iter().filter(|&it| b.wires.contains(it)).collect();
        // Sides of transformers with other clock numbers must not be joined.
        if [a, b].iter().any(|it| it.rated_voltage_v < VOLTS)
            || ends[0] == ends[1]
            || both.is_empty()
        {
            continue;
        }
        let (wires, rated) = (if wanted.balanced { Wires::ABC } else { both }, a.rated_voltage_v);
        let tie = line(&mut figures, &wanted, ends, wires, rated);
        network.lines.push(Line { name: format!("tie {}", network.lines.len()).into(), ..tie });
    }
    if wanted.nodes > 20 && !wanted.neutral {
        // A second source, in the middle.
        let node = (1..wanted.nodes)
            .find(|&at| {
                at > 12
                    && network.nodes[at].rated_voltage_v == VOLTS
                    && network.nodes[at].wires == wires
            })
            .unwrap_or(0);
        let mut second = source(NodeId(node as u32), 0.01, VOLTS * 0.99);
        second.z1_ohm = complex(3.0, 9.0);
        second.z0_ohm = complex(5.0, 11.0);
        network.sources.push(second);
    }
    network
}

fn add_node(network: &mut Network, wires: Wires, rated_voltage_v: f64) -> NodeId {
    let name = format!("n{}", network.nodes.len()).into();
    network.push_node(Node { name, wires, rated_voltage_v, position: None, place: Place(0) })
}

fn source(node: NodeId, angle_rad: f64, voltage_v: f64) -> Source {
    Source {
        name: format!("source {}", node.0).into(),
        node,
        voltage_v,
        angle_rad,
        z1_ohm: complex(0.02, 0.3),
        z0_ohm: complex(0.03, 0.4),
        connected: true,
        place: Place(0),
    }
}

fn transformer(figures: &mut Figures, from: NodeId, to: NodeId, plain: bool) -> Transformer {
    let tap = TapChanger { step: 0.0125, position: 1, neutral: 0, lowest: -5, highest: 5 };
    let winding = |node, kind, rated_voltage_v, tap| Winding {
        connection: Connection::abc(node),
        kind,
        rated_voltage_v,
        tap,
    };
    let earthed = Neutral::Earthed(complex(figures.within(0.0, 0.2), 0.0));
    let (kind, clock) = match figures.below(3) {
        0 => (WindingKind::Delta, 11),
        1 => (WindingKind::Star(Neutral::Earthed(Complex64::ZERO)), 0),
        _ => (WindingKind::Delta, 5),
    };
    let magnetising = if plain || figures.next() < 0.5 {
        Magnetising::BySequence { y1_pu: complex(0.002, -0.01), y0_pu: complex(0.003, -0.02) }
    } else {
        Magnetising::AtWinding { winding: 1, y_pu: complex(0.002, -0.01), antifloat_pu: 1e-6 }
    };
    // By coils the clock numbers 11 and 1 are what a delta and a star make.
    Transformer {
        name: format!("t{}", to.0).into(),
        windings: vec![
            winding(from, kind, 10_250.0, Some(tap)),
            winding(to, WindingKind::Star(earthed), 400.0, None),
        ],
        clock: vec![clock],
        closed: vec![true, true],
        rated_power_va: 400_000.0,
        short_circuit_pu: vec![complex(0.01, 0.04)],
        magnetising,
        place: Place(0),
    }
}

fn line(
    figures: &mut Figures,
    wanted: &Wanted,
    [from, to]: [NodeId; 2],
    wires: Wires,
    rated: f64,
) -> Line {
    let list: Vec<Wire> = wires.iter().collect();
    let size = list.len();
    let mut scale = if rated < 1000.0 { 0.02 } else { 1.0 } * figures.within(0.02, 0.15);
    if figures.next() < 0.05 {
        scale *= 0.01;
    }
    let charging = if figures.next() < 0.5 { 0.0 } else { figures.within(1e-6, 2e-5) };
    let impedance = if wanted.balanced || (size == 3 && figures.next() < 0.6) {
        LineImpedance::Sequence(SequenceImpedance {
            z1_ohm: complex(0.4, 0.35) * scale,
            z0_ohm: complex(0.9, 1.2) * scale,
            y1_s: complex(0.0, charging),
            y0_s: complex(0.0, charging * 0.6),
        })
    } else {
        let mut entry = |row: usize, column: usize, own: f64| {
            let apart = (row as f64 - column as f64).abs();
            complex(figures.within(0.9, 1.0), figures.within(1.0, 1.1))
                * (own / (1.0 + 2.0 * apart))
        };
        let mut series = Matrix::from_fn(size, |row, column| entry(row, column, 0.6 * scale));
        for row in 0..size {
            for column in 0..row {
                series.rows[row][column] = series.rows[column][row];
            }
        }
        let shunt = Matrix::from_fn(size, |row, column| {
            complex(0.0, if row == column { charging } else { -0.2 * charging })
        });
        LineImpedance::Matrix { series_ohm: Box::new(series), shunt_s: Box::new(shunt) }
    };
    let list = WireList::new(&list).unwrap();
    Line {
        name: format!("l{}", to.0).into(),
        from: Connection { node: from, wires: list },
        to: Connection { node: to, wires: list },
        from_closed: true,
        to_closed: true,
        impedance,
        length_m: None,
        rated_current_a: None,
        place: Place(0),
    }
}

fn add_load(network: &mut Network, figures: &mut Figures, wanted: &Wanted, node: NodeId) {
    let at = &network.nodes[node.index()];
    let rated = at.rated_voltage_v;
    let phases: Vec<Wire> = at.wires.iter().filter(|&it| it != Wire::Neutral).collect();
    for nth in 0..=figures.below(2) {
        let model = match figures.below(8) {
            0 => LoadModel::ConstantImpedance,
            1 => LoadModel::ConstantCurrent,
            2 => LoadModel::Exponential { active: 1.3, reactive: 2.7 },
            3 => LoadModel::Zip {
                active: ZipShares { impedance: 0.2, current: 0.3, power: 0.5 },
                reactive: ZipShares { impedance: 0.5, current: 0.1, power: 0.4 },
            },
            _ => LoadModel::ConstantPower,
        };
        let delta = !wanted.balanced && phases.len() > 1 && figures.next() < 0.3;
        let mut wires = phases.clone();
        if !delta && wanted.neutral {
            wires.push(Wire::Neutral);
        }
        let parts = if delta && phases.len() == 2 { 1 } else { phases.len() };
        let size = if rated < 1000.0 { 4e3 } else { 30e3 };
        let mut power_va = [Complex64::ZERO; 3];
        for power in &mut power_va[..parts] {
            *power = complex(figures.within(-0.2, 1.0), figures.within(0.0, 0.5)) * size;
        }
        if wanted.balanced {
            power_va = [power_va[0]; 3];
        }
        let band = (figures.next() < 0.2).then_some(VoltageBand {
            lowest: 0.995,
            highest: 1.05,
            turned: None,
        });
        network.loads.push(Load {
            name: format!("load {} {nth}", node.0).into(),
            connection: Connection { node, wires: WireList::new(&wires).unwrap() },
            configuration: if delta { Configuration::Delta } else { Configuration::Star },
            power_va,
            model,
            rated_voltage_v: if delta { rated } else { rated / 3.0_f64.sqrt() },
            band,
            connected: true,
            generator: false,
            place: Place(0),
        });
    }
    if figures.next() < 0.1 && phases.len() == 3 {
        let connection = Connection::abc(node);
        let y_s = [complex(0.0, 3000.0 / (rated * rated)); 3];
        let configuration = Configuration::Delta;
        network.shunts.push(Shunt {
            name: format!("shunt {}", node.0).into(),
            connection,
            admittance: ShuntAdmittance::Parts { configuration, y_s },
            connected: true,
            place: Place(0),
        });
    }
}
