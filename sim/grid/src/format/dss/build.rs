//! From the objects of the scripts to a network.

use std::collections::{BTreeMap, VecDeque};

use num_complex::Complex64;

use super::Document;
use super::bus::Bus;
use super::class::{Capacitor, Class, Line, Load, Model, Reactor, Source, State};
use super::script_state::{Object, ScriptState};
use super::value::ValueResult;
use crate::format::Mistakes;
use crate::network::{
    self, Configuration, Connection, LineImpedance, LoadModel, Matrix, Network, Node, NodeId,
    Place, SequenceImpedance, Shunt, ShuntAdmittance, VoltageBand, Wire, WireList, Wires,
    ZipShares,
};

mod transformer;

pub(super) struct Builder<'w> {
    state: &'w ScriptState,
    network: Network,
    nodes: BTreeMap<String, NodeId>,
    /// What is not quite as in `OpenDSS`: the first load, and how many more there are.
    otherwise: BTreeMap<&'static str, (String, usize)>,
    notes: Vec<String>,
}

/// The network of the objects that are enabled.
pub(super) fn network(state: &ScriptState, file: &str, mistakes: &mut Mistakes) -> Document {
    let name = state.circuit.clone().unwrap_or_default();
    let frequency_hz = if state.frequency_hz > 0.0 { state.frequency_hz } else { 60.0 };
    let mut builder = Builder {
        state,
        network: Network::new(name, frequency_hz),
        nodes: BTreeMap::new(),
        otherwise: BTreeMap::new(),
        notes: Vec::new(),
    };
    if state.circuit.is_none() && mistakes.is_empty() {
        mistakes.add(file, 0, "there is no circuit: \"new circuit.NAME\" is expected");
    }
    // Regulators need their transformers, which may have been made later.
    let enabled = state.objects.iter().filter(|object| object.enabled);
    let (regulators, others): (Vec<&Object>, Vec<&Object>) =
        enabled.partition(|object| object.class == Class::Regulator);
    for object in others.into_iter().chain(regulators) {
        if let Err(what) = builder.object(object) {
            let what = format!("{} {}: {what}", object.class.name(), object.name);
            mistakes.add(&object.file, object.place.0, what);
        }
    }
    builder.voltages();
    let notes = builder.otherwise.into_iter().map(|(what, (first, more))| match more {
        0 => format!("load {first} {what}"),
        more => format!("load {first} and {more} more: {what}"),
    });
    let notes = builder.notes.into_iter().chain(notes).collect();
    Document { network: builder.network, notes }
}

/// A wire by its number in a script; none is earth.
fn wire(node: u8) -> Option<Wire> {
    Wire::ALL.get(usize::from(node).wrapping_sub(1)).copied()
}

impl Builder<'_> {
    fn object(&mut self, object: &Object) -> ValueResult<()> {
        match &object.state {
            State::Source(own) => self.source(object, own),
            State::Line(own) => self.line(object, own),
            State::Transformer(own) => self.transformer(object, own),
            State::Capacitor(own) => self.capacitor(object, own),
            State::Reactor(own) => self.reactor(object, own),
            State::Load(own) => self.load(object, own),
            State::Regulator(own) => self.regulator(object, own),
            State::LineCode(_) | State::LoadShape(_) => Ok(()),
        }
    }

    fn node(&mut self, bus: &Bus, place: Place) -> ValueResult<NodeId> {
        if bus.name.is_empty() {
            return Err("it has no bus".to_owned());
        }
        let key = bus.name.to_ascii_lowercase();
        if let Some(&node) = self.nodes.get(&key) {
            return Ok(node);
        }
        let node = self.network.push_node(Node {
            name: bus.name.as_str().into(),
            wires: Wires::NONE,
            rated_voltage_v: 0.0,
            position: self.state.positions.get(&key).copied(),
            place,
        });
        self.nodes.insert(key, node);
        Ok(node)
    }

    /// Connects conductors to nodes of a bus, none of which is earth.
    fn connect(&mut self, bus: &Bus, nodes: &[u8], place: Place) -> ValueResult<Connection> {
        let wires: Option<Vec<Wire>> = nodes.iter().map(|&node| wire(node)).collect();
        let wires = wires.and_then(|wires| WireList::new(&wires)).ok_or_else(|| {
            let shown: Vec<_> = nodes.iter().map(u8::to_string).collect();
            format!(
                "its conductors at {} go to nodes {}; here they go to different nodes, and none \
                 to earth",
                bus.name,
                shown.join(".")
            )
        })?;
        let node = self.node(bus, place)?;
        let own = &mut self.network.nodes[node.index()].wires;
        *own = own.union(wires.set());
        Ok(Connection { node, wires })
    }

    fn source(&mut self, object: &Object, own: &Source) -> ValueResult<()> {
        let nodes = own.bus.conductors(3, 3);
        let connection = self.connect(&own.bus, &nodes, object.place)?;
        if connection.wires != WireList::ABC {
            return Err("its phases are expected at nodes 1.2.3".to_owned());
        }
        let (z1_ohm, z0_ohm) = own.impedance_ohm()?;
        if z0_ohm.re < 0.0 || z0_ohm.im < 0.0 {
            self.notes.push(format!(
                "vsource {}: its zero-sequence impedance is {:.4} + j {:.4} ohm, negative, since \
                 its short-circuit powers of three phases and of one do not fit together; OpenDSS \
                 counts so too. Give both (what is not given is 2000 MVA and 2100 MVA)",
                object.name, z0_ohm.re, z0_ohm.im
            ));
        }
        self.network.sources.push(network::Source {
            name: object.name.as_str().into(),
            node: connection.node,
            voltage_v: own.base_kv * own.pu * 1000.0,
            angle_rad: own.angle_deg.to_radians(),
            z1_ohm,
            z0_ohm,
            connected: true,
            place: object.place,
        });
        Ok(())
    }

    fn line(&mut self, object: &Object, own: &Line) -> ValueResult<()> {
        let (each, length) = own.total();
        let order = each.order;
        let [one, other] = [0, 1].map(|end| own.buses[end].conductors(order, order));
        let from = self.connect(&own.buses[0], &one, object.place)?;
        let to = self.connect(&own.buses[1], &other, object.place)?;
        let hertz = self.network.frequency_hz;
        let omega = std::f64::consts::TAU * hertz;
        // Away from the base frequency the earth return changes too, as OpenDSS counts it.
        let times = hertz / each.base_hz;
        let return_x = if each.xg == 0.0 {
            0.0
        } else {
            let kxg = each.xg / libm::log(658.5 * (each.rho / each.base_hz).sqrt());
            0.5 * kxg * libm::log(times)
        };
        let series = |i: usize, j: usize| {
            let r = each.r[i][j] + each.rg * (times - 1.0);
            Complex64::new(r, (each.x[i][j] - return_x) * times) * length
        };
        let shunt = |i: usize, j: usize| Complex64::new(0.0, omega * each.c[i][j] * length);
        let alike = each.symmetric && order == 3;
        let impedance = if alike && from.wires == WireList::ABC && to.wires == WireList::ABC {
            let (zs, zm) = (series(0, 0), series(0, 1));
            let (ys, ym) = (shunt(0, 0), shunt(0, 1));
            LineImpedance::Sequence(SequenceImpedance {
                z1_ohm: zs - zm,
                z0_ohm: zs + zm * 2.0,
                y1_s: ys - ym,
                y0_s: ys + ym * 2.0,
            })
        } else {
            LineImpedance::Matrix {
                series_ohm: Box::new(Matrix::from_fn(order, series)),
                shunt_s: Box::new(Matrix::from_fn(order, shunt)),
            }
        };
        self.network.lines.push(network::Line {
            name: object.name.as_str().into(),
            from,
            to,
            from_closed: own.closed[0],
            to_closed: own.closed[1],
            impedance,
            length_m: own.length_m(),
            rated_current_a: own.rated_current_a,
            place: object.place,
        });
        Ok(())
    }

    /// Where the parts of a load or a bank are connected, and how.
    fn parts(
        &mut self,
        bus: &Bus,
        phases: usize,
        delta: bool,
        place: Place,
    ) -> ValueResult<(Connection, Configuration)> {
        if delta && phases == 2 {
            return Err("two phases in delta are unsupported".to_owned());
        }
        let conductors = if delta && phases == 3 { 3 } else { phases + 1 };
        let mut nodes = bus.conductors(phases, conductors);
        if delta && phases == 3 {
            return Ok((self.connect(bus, &nodes, place)?, Configuration::Delta));
        }
        match (phases, nodes.pop()) {
            // To earth.
            (_, Some(0) | None) => {}
            (1, Some(end)) if nodes[0] == 0 => nodes = vec![end],
            // To the neutral, or a star point that is one.
            (_, Some(4)) if !nodes.contains(&4) => nodes.push(4),
            (1, Some(end)) => {
                nodes.push(end);
                return Ok((self.connect(bus, &nodes, place)?, Configuration::Delta));
            }
            (_, Some(end)) => return Err(format!("its neutral point is at node {end}")),
        }
        Ok((self.connect(bus, &nodes, place)?, Configuration::Star))
    }

    fn load(&mut self, object: &Object, own: &Load) -> ValueResult<()> {
        let (connection, configuration) =
            self.parts(&own.bus, own.phases, own.delta, object.place)?;
        if own.neutral_ohm >= 0.0 && connection.wires.set().contains(Wire::Neutral) {
            return Err("an impedance at its neutral point (rneut) is unsupported".to_owned());
        }
        let volts = if own.delta || own.phases == 1 { own.kv } else { own.kv / 3f64.sqrt() };
        let (active, reactive) = own.exponents;
        let model = match own.model {
            Model::Power => LoadModel::ConstantPower,
            Model::Impedance => LoadModel::ConstantImpedance,
            Model::Current => LoadModel::ConstantCurrent,
            Model::Motor => LoadModel::Exponential { active: 0.0, reactive: 2.0 },
            Model::Exponents => LoadModel::Exponential { active, reactive },
            Model::Zip => {
                let [zp, ip, pp, zq, iq, pq] = own.zip.ok_or("model 8 needs zipv")?;
                LoadModel::Zip {
                    active: ZipShares { impedance: zp, current: ip, power: pp },
                    reactive: ZipShares { impedance: zq, current: iq, power: pq },
                }
            }
        };
        if let Some(what) = otherwise(own) {
            let more = self.otherwise.entry(what);
            more.and_modify(|it| it.1 += 1).or_insert_with(|| (object.name.clone(), 0));
        }
        let factor = self.state.load_factor(own.fixed);
        let each = Complex64::new(own.kw, own.kvar) * (1000.0 * factor / own.phases as f64);
        let mut power_va = [Complex64::ZERO; 3];
        power_va[..own.phases].fill(each);
        let turned = Some(own.turned_pu).filter(|&turned| (0.0..own.lowest_pu).contains(&turned));
        let band = VoltageBand { lowest: own.lowest_pu, highest: own.highest_pu, turned };
        self.network.loads.push(network::Load {
            name: object.name.as_str().into(),
            connection,
            configuration,
            power_va,
            model,
            rated_voltage_v: volts * 1000.0,
            band: (own.model != Model::Impedance).then_some(band),
            connected: true,
            generator: false,
            place: object.place,
        });
        Ok(())
    }

    fn shunt(
        &mut self,
        name: String,
        place: Place,
        (connection, configuration): (Connection, Configuration),
        (phases, each): (usize, Complex64),
    ) {
        let mut y_s = [Complex64::ZERO; 3];
        y_s[..phases].fill(each);
        self.network.shunts.push(Shunt {
            name: name.into(),
            connection,
            admittance: ShuntAdmittance::Parts { configuration, y_s },
            connected: true,
            place,
        });
    }

    fn capacitor(&mut self, object: &Object, own: &Capacitor) -> ValueResult<()> {
        if !own.on {
            return Ok(());
        }
        let parts = self.parts(
            &own.bus.of_bank(own.phases, own.delta),
            own.phases,
            own.delta,
            object.place,
        )?;
        let kv = if own.delta || own.phases == 1 { own.kv } else { own.kv / 3f64.sqrt() };
        let siemens = match own.farads {
            Some(farads) => std::f64::consts::TAU * self.network.frequency_hz * farads,
            None => own.kvar / own.phases as f64 / (kv * kv * 1000.0),
        };
        let each = (own.phases, Complex64::new(0.0, siemens));
        self.shunt(object.name.clone(), object.place, parts, each);
        Ok(())
    }

    fn reactor(&mut self, object: &Object, own: &Reactor) -> ValueResult<()> {
        let (r, x) = own.impedance_ohm();
        let z = Complex64::new(r, x);
        if !(z.norm() > 0.0 && z.norm().is_finite()) {
            return Err("it has no impedance".to_owned());
        }
        let Some(other) = &own.other else {
            let parts = self.parts(
                &own.bus.of_bank(own.phases, own.delta),
                own.phases,
                own.delta,
                object.place,
            )?;
            let each = (own.phases, z.inv());
            self.shunt(format!("reactor {}", object.name), object.place, parts, each);
            return Ok(());
        };
        let order = own.phases;
        let from = self.connect(&own.bus, &own.bus.conductors(order, order), object.place)?;
        let to = self.connect(other, &other.conductors(order, order), object.place)?;
        let own = |i, j| if i == j { z } else { Complex64::ZERO };
        self.network.lines.push(network::Line {
            name: format!("reactor {}", object.name).into(),
            from,
            to,
            from_closed: true,
            to_closed: true,
            impedance: LineImpedance::Matrix {
                series_ohm: Box::new(Matrix::from_fn(order, own)),
                shunt_s: Box::new(Matrix::zero(order)),
            },
            length_m: None,
            rated_current_a: None,
            place: object.place,
        });
        Ok(())
    }

    /// Gives every node its rated voltage: from the sources along the lines, by the ratios of
    /// transformers, then the nearest of the voltage bases.
    fn voltages(&mut self) {
        let count = self.network.nodes.len();
        let mut beside: Vec<Vec<(NodeId, f64)>> = vec![Vec::new(); count];
        for line in &self.network.lines {
            let (from, to) = (line.from.node, line.to.node);
            beside[from.index()].push((to, 1.0));
            beside[to.index()].push((from, 1.0));
        }
        for transformer in &self.network.transformers {
            let volts = |winding: &network::Winding| {
                let alone = winding.connection.wires.as_slice().len() == 1
                    || winding.connection.wires.as_slice().get(1) == Some(&Wire::Neutral);
                winding.rated_voltage_v * if alone { 3f64.sqrt() } else { 1.0 }
            };
            for one in &transformer.windings {
                for other in &transformer.windings {
                    let (from, to) = (one.connection.node, other.connection.node);
                    if from != to {
                        beside[from.index()].push((to, volts(other) / volts(one)));
                    }
                }
            }
        }
        let mut next: VecDeque<(NodeId, f64)> = VecDeque::new();
        for object in &self.state.objects {
            if let State::Source(source) = &object.state
                && let Some(&node) = self.nodes.get(&source.bus.name.to_ascii_lowercase())
            {
                next.push_back((node, source.base_kv * 1000.0));
            }
        }
        while let Some((node, volts)) = next.pop_front() {
            let rated = &mut self.network.nodes[node.index()].rated_voltage_v;
            // What became zero, by ratios out of all proportion, would be passed on forever.
            if *rated > 0.0 || volts.is_nan() || volts <= 0.0 {
                continue;
            }
            *rated = volts;
            next.extend(beside[node.index()].iter().map(|&(to, ratio)| (to, volts * ratio)));
        }
        let bases = &self.state.voltage_bases_kv;
        for node in &mut self.network.nodes {
            let own = node.rated_voltage_v / 1000.0;
            let away = |base: f64| (1.0 - own / base).abs();
            let nearest = bases.iter().copied().filter(|&base| base > 0.0);
            if let Some(base) = nearest.min_by(|&a, &b| away(a).total_cmp(&away(b))) {
                node.rated_voltage_v = base * 1000.0;
            }
            if let Some(kv) = self.state.node_bases_kv.get(&node.name.to_ascii_lowercase()) {
                node.rated_voltage_v = kv * 1000.0;
            }
        }
    }

    fn transformer_at(&self, name: &str) -> Option<usize> {
        let at = self.state.find(Class::Transformer, name)?;
        let name = &*self.state.objects[at].name;
        self.network.transformers.iter().position(|own| &*own.name == name)
    }
}

/// In what a load is not as in `OpenDSS` outside its band of voltages. There powers leap, which
/// leaves networks without a solution, or with two.
fn otherwise(own: &Load) -> Option<&'static str> {
    let whole = |shares: &[f64]| (shares.iter().sum::<f64>() - 1.0).abs() <= 1e-3;
    match (own.model, own.zip) {
        (Model::Impedance, _) => None,
        (Model::Motor | Model::Exponents, _) => Some(
            "is of model 3 or 4: outside vminpu and vmaxpu OpenDSS has constant power's current of \
             that border, here the model's own goes on as an impedance",
        ),
        (Model::Zip, Some(zip)) if !(whole(&zip[..3]) && whole(&zip[3..])) => Some(
            "has shares of zipv that do not add up to 1: below vminpu OpenDSS goes on from what they \
             would be, here from what they are",
        ),
        _ if own.turned_pu >= own.lowest_pu && own.turned_pu > 0.0 => Some(
            "has vlowpu above vminpu: below vlowpu OpenDSS leaps to the rated impedance, here the \
             model holds down to vminpu",
        ),
        _ => None,
    }
}
