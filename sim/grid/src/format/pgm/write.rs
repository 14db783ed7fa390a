//! Writes a network as input data, where power-grid-model can express it.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use num_complex::Complex64;

use super::Component;
use crate::format::{Mistakes, Refusal};
use crate::network::{
    Configuration, Connection, Line, LineImpedance, Load, LoadModel, Magnetising, Matrix, Network,
    Neutral, NodeId, Shunt, ShuntAdmittance, Source, Switch, Transformer, WindingKind, Wire,
};

/// A network as text, and which element has become which component.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Written {
    /// The file.
    pub json: String,
    /// For each node its number.
    pub nodes: Vec<i32>,
    /// For each line its number; likewise the next ones.
    pub lines: Vec<i32>,
    /// For each switch, which is a link.
    pub switches: Vec<i32>,
    /// For each transformer.
    pub transformers: Vec<i32>,
    /// For each shunt.
    pub shunts: Vec<i32>,
    /// For each source.
    pub sources: Vec<i32>,
    /// For each load or generator.
    pub loads: Vec<i32>,
}

/// Writes the network. Elements that are named by distinct whole numbers keep them; otherwise all
/// are numbered through, nodes first, and have their names in an attribute `name`. Lines have their
/// length in an attribute `length_m`. power-grid-model passes over both and
/// [`read`](super::read()) takes them. Switches become links, which are read as lines.
///
/// # Errors
/// Every element that power-grid-model cannot express, by name: wires other than the three phases,
/// delta loads, voltage bands, transformers of one phase or three windings, regulators that move.
pub fn write(network: &Network) -> Result<Written, Refusal> {
    let mut writer = Writer {
        network,
        mistakes: Mistakes::default(),
        rows: BTreeMap::new(),
        ids: Numbers::of(network),
    };
    writer.all();
    let Writer { mistakes, rows, ids, .. } = writer;
    let mut next = 0;
    let mut take = |count: usize| {
        next += count;
        ids.0[next - count..next].to_vec()
    };
    mistakes.or(Written {
        json: text(&rows),
        nodes: take(network.nodes.len()),
        lines: take(network.lines.len()),
        switches: take(network.switches.len()),
        transformers: take(network.transformers.len()),
        shunts: take(network.shunts.len()),
        sources: take(network.sources.len()),
        loads: take(network.loads.len()),
    })
}

/// Numbers of all elements, list by list.
struct Numbers(Vec<i32>);

impl Numbers {
    fn of(network: &Network) -> Self {
        let mut names: Vec<&str> = network.nodes.iter().map(|node| &*node.name).collect();
        names.extend(network.lines.iter().map(|line| &*line.name));
        names.extend(network.switches.iter().map(|switch| &*switch.name));
        names.extend(network.transformers.iter().map(|transformer| &*transformer.name));
        names.extend(network.shunts.iter().map(|shunt| &*shunt.name));
        names.extend(network.sources.iter().map(|source| &*source.name));
        names.extend(network.loads.iter().map(|load| &*load.name));
        let own: Option<Vec<i32>> = names.iter().map(|name| name.parse().ok()).collect();
        let own = own.filter(|ids| {
            let mut sorted = ids.clone();
            sorted.sort_unstable();
            sorted.windows(2).all(|pair| pair[0] != pair[1]) && !sorted.contains(&i32::MIN)
        });
        Self(own.unwrap_or_else(|| (0..names.len() as i32).collect()))
    }
}

struct Writer<'a> {
    network: &'a Network,
    mistakes: Mistakes,
    rows: BTreeMap<Component, (&'static str, Vec<String>)>,
    ids: Numbers,
}

const ASYM_LINE: &str = "id from_node to_node from_status to_status r_aa r_ba r_bb r_ca r_cb r_cc \
                         x_aa x_ba x_bb x_ca x_cb x_cc c_aa c_ba c_bb c_ca c_cb c_cc i_n";
const TRANSFORMER: &str = "id from_node to_node from_status to_status u1 u2 sn uk pk i0 p0 \
                           i0_zero_sequence p0_zero_sequence winding_from winding_to clock \
                           tap_side tap_pos tap_min tap_max tap_nom tap_size r_grounding_from \
                           x_grounding_from r_grounding_to x_grounding_to";

/// Attributes that are whole numbers.
const WHOLE: [&str; 14] = [
    "from_node",
    "to_node",
    "node",
    "from_status",
    "to_status",
    "status",
    "winding_from",
    "winding_to",
    "clock",
    "tap_side",
    "tap_pos",
    "tap_min",
    "tap_max",
    "tap_nom",
];

/// Why an element cannot be written.
type WriteResult<T> = Result<T, String>;

impl Writer<'_> {
    fn all(&mut self) {
        let network = self.network;
        let mut id = self.ids.0.clone().into_iter();
        if network.frequency_hz != super::FREQUENCY_HZ {
            let what = format!(
                "{} Hz: power-grid-model counts 50 Hz when it reads a file",
                network.frequency_hz
            );
            self.mistakes.add(&network.name, 0, what);
        }
        for (node, id) in network.nodes.iter().zip(&mut id) {
            let row = [Some(node.rated_voltage_v)];
            self.push(Component::Node, Component::Node.words(), (id, &node.name), &row);
        }
        macro_rules! each {
            ($list:ident, $kind:ident) => {
                for (it, id) in network.$list.iter().zip(&mut id) {
                    if let Err(what) = self.$kind(it, id) {
                        let what = format!("{} {}: {what}", stringify!($kind), it.name);
                        self.mistakes.add(&network.name, it.place.0, what);
                    }
                }
            };
        }
        each!(lines, line);
        each!(switches, switch);
        each!(transformers, transformer);
        each!(shunts, shunt);
        each!(sources, source);
        each!(loads, load);
        for it in network.regulators.iter().filter(|regulator| regulator.enabled) {
            let what = format!("regulator {}: power-grid-model would not move its taps", it.name);
            self.mistakes.add(&network.name, it.place.0, what);
        }
    }

    fn push(&mut self, kind: Component, names: &'static str, of: (i32, &str), row: &[Option<f64>]) {
        self.push_with_length(kind, names, (of.0, of.1, None), row);
    }

    fn push_with_length(
        &mut self,
        kind: Component,
        names: &'static str,
        of: (i32, &str, Option<f64>),
        row: &[Option<f64>],
    ) {
        let value = |(name, value): (&str, &Option<f64>)| match value {
            // Whole numbers must not have a point.
            Some(value) if WHOLE.contains(&name) => format!("{}", *value as i64),
            Some(value) if value.is_finite() => format!("{value:?}"),
            _ => "null".to_owned(),
        };
        let values = names.split(' ').skip(1).zip(row).map(value).collect();
        self.push_values(kind, names, of, values);
    }

    /// A list of values; of an element whose name is not its number, or that has a length, an
    /// object, which has them.
    fn push_values(
        &mut self,
        kind: Component,
        names: &'static str,
        (id, name, length_m): (i32, &str, Option<f64>),
        values: Vec<String>,
    ) {
        let is_number = name == id.to_string();
        let length_m = length_m.filter(|it| *it > 0.0 && it.is_finite());
        let text = if is_number && length_m.is_none() {
            format!("[{id}, {}]", values.join(", "))
        } else {
            let mut text = format!("{{\"id\": {id}");
            for (name, value) in names.split(' ').skip(1).zip(values) {
                let _ = write!(text, ", \"{name}\": {value}");
            }
            if let Some(metres) = length_m {
                let _ = write!(text, ", \"length_m\": {metres:?}");
            }
            if !is_number {
                let _ = write!(text, ", \"name\": {}", serde_json::Value::from(name));
            }
            text.push('}');
            text
        };
        self.rows.entry(kind).or_insert((names, Vec::new())).1.push(text);
    }

    fn node(&self, connection: &Connection) -> WriteResult<Option<f64>> {
        if connection.wires.as_slice() != Wire::PHASES {
            return Err(format!(
                "its conductors are {}; power-grid-model has abc everywhere",
                connection.wires
            ));
        }
        Ok(self.number(connection.node))
    }

    fn number(&self, node: NodeId) -> Option<f64> {
        self.ids.0.get(node.index()).map(|&id| f64::from(id))
    }

    fn line(&mut self, line: &Line, id: i32) -> WriteResult<()> {
        let mut row = vec![
            self.node(&line.from)?,
            self.node(&line.to)?,
            Some(status(line.from_closed)),
            Some(status(line.to_closed)),
        ];
        let omega = std::f64::consts::TAU * self.network.frequency_hz;
        match &line.impedance {
            LineImpedance::Sequence(own) => {
                for (z, y) in [(own.z1_ohm, own.y1_s), (own.z0_ohm, own.y0_s)] {
                    if y.im == 0.0 && y.re != 0.0 {
                        return Err("its charging is a conductance only".to_owned());
                    }
                    let tangent = if y.re == 0.0 { 0.0 } else { y.re / y.im };
                    row.extend([z.re, z.im, y.im / omega, tangent].map(Some));
                }
                row.push(line.rated_current_a);
                let of = (id, &*line.name, line.length_m);
                self.push_with_length(Component::Line, Component::Line.words(), of, &row);
            }
            LineImpedance::Matrix { series_ohm, shunt_s } => {
                let lower = [(0, 0), (1, 0), (1, 1), (2, 0), (2, 1), (2, 2)];
                if !symmetric(series_ohm) || !symmetric(shunt_s) {
                    return Err("its matrices are not symmetric".to_owned());
                }
                if lower.iter().any(|&(i, j)| shunt_s.rows[i][j].re != 0.0) {
                    return Err("its charging has losses".to_owned());
                }
                row.extend(lower.map(|(i, j)| Some(series_ohm.rows[i][j].re)));
                row.extend(lower.map(|(i, j)| Some(series_ohm.rows[i][j].im)));
                row.extend(lower.map(|(i, j)| Some(shunt_s.rows[i][j].im / omega)));
                row.push(line.rated_current_a);
                let of = (id, &*line.name, line.length_m);
                self.push_with_length(Component::AsymLine, ASYM_LINE, of, &row);
            }
        }
        Ok(())
    }

    fn switch(&mut self, switch: &Switch, id: i32) -> WriteResult<()> {
        let closed = Some(status(switch.closed));
        let row = [self.node(&switch.from)?, self.node(&switch.to)?, closed, closed];
        self.push(Component::Link, Component::Link.words(), (id, &switch.name), &row);
        Ok(())
    }

    fn transformer(&mut self, transformer: &Transformer, id: i32) -> WriteResult<()> {
        let [one, other] = &transformer.windings[..] else {
            return Err("only two windings can be written".to_owned());
        };
        let [closed_one, closed_other] = transformer.closed[..] else {
            return Err("it has other than two breakers".to_owned());
        };
        let (&[z], &[clock]) = (&transformer.short_circuit_pu[..], &transformer.clock[..]) else {
            return Err("it has other than one impedance and clock number".to_owned());
        };
        let (y1, y0) = match transformer.magnetising {
            Magnetising::BySequence { y1_pu, y0_pu } => (y1_pu, y0_pu),
            Magnetising::AtWinding { y_pu: Complex64::ZERO, .. } => {
                (Complex64::ZERO, Complex64::ZERO)
            }
            Magnetising::AtWinding { .. } => {
                return Err(
                    "its magnetising current flows at one winding, not half at each".to_owned()
                );
            }
        };
        if y1.im > 0.0 || y0.im > 0.0 || z.im < 0.0 {
            return Err("its reactances are not inductive".to_owned());
        }
        let sn = transformer.rated_power_va;
        let (side, tap) = match (&one.tap, &other.tap) {
            (None, None) => (0.0, [0.0; 5]),
            (Some(tap), None) => (0.0, taps(tap, one.rated_voltage_v)),
            (None, Some(tap)) => (1.0, taps(tap, other.rated_voltage_v)),
            (Some(_), Some(_)) => return Err("it has taps at both windings".to_owned()),
        };
        let mut row = vec![
            self.node(&one.connection)?,
            self.node(&other.connection)?,
            Some(status(closed_one)),
            Some(status(closed_other)),
        ];
        row.extend([one.rated_voltage_v, other.rated_voltage_v, sn, z.norm(), z.re * sn].map(Some));
        row.extend([y1.norm(), y1.re * sn, y0.norm(), y0.re * sn].map(Some));
        let ((kind_one, earth_one), (kind_other, earth_other)) =
            (winding(one.kind)?, winding(other.kind)?);
        row.extend([kind_one, kind_other, f64::from(clock), side].map(Some));
        row.extend(tap.map(Some));
        row.extend([earth_one.re, earth_one.im, earth_other.re, earth_other.im].map(Some));
        self.push(Component::Transformer, TRANSFORMER, (id, &transformer.name), &row);
        Ok(())
    }

    fn shunt(&mut self, shunt: &Shunt, id: i32) -> WriteResult<()> {
        let node = self.node(&shunt.connection)?;
        let (y1, y0) = match shunt.admittance {
            ShuntAdmittance::Sequence { y1_s, y0_s } => (y1_s, y0_s),
            ShuntAdmittance::Parts { configuration, y_s } => {
                if y_s[1] != y_s[0] || y_s[2] != y_s[0] {
                    return Err("its parts are not alike".to_owned());
                }
                match configuration {
                    Configuration::Star => (y_s[0], y_s[0]),
                    Configuration::StarIsolated => (y_s[0], Complex64::ZERO),
                    Configuration::Delta => (y_s[0] * 3.0, Complex64::ZERO),
                }
            }
        };
        let row = [node, Some(status(shunt.connected))];
        let row: Vec<_> = row.into_iter().chain([y1.re, y1.im, y0.re, y0.im].map(Some)).collect();
        self.push(Component::Shunt, Component::Shunt.words(), (id, &shunt.name), &row);
        Ok(())
    }

    fn source(&mut self, source: &Source, id: i32) -> WriteResult<()> {
        let rated = self
            .network
            .nodes
            .get(source.node.index())
            .ok_or("its node is not there")?
            .rated_voltage_v;
        let (z1, ratio) = (source.z1_ohm, source.z0_ohm / source.z1_ohm);
        if !(z1.norm() > 0.0 && z1.im > 0.0) {
            return Err("it has no reactance".to_owned());
        }
        if !(ratio.im.abs() <= 1e-9 * ratio.re.abs() && ratio.re > 0.0) {
            return Err("its z0 is not z1 times a number".to_owned());
        }
        let row = [
            self.number(source.node),
            Some(status(source.connected)),
            Some(source.voltage_v / rated),
            Some(source.angle_rad),
            Some(rated * rated / z1.norm()),
            Some(z1.re / z1.im),
            Some(ratio.re),
        ];
        self.push(Component::Source, Component::Source.words(), (id, &source.name), &row);
        Ok(())
    }

    fn load(&mut self, load: &Load, id: i32) -> WriteResult<()> {
        let node = load.connection.node;
        let rated =
            self.network.nodes.get(node.index()).ok_or("its node is not there")?.rated_voltage_v;
        let kind = match load.model {
            LoadModel::ConstantPower => 0.0,
            LoadModel::ConstantImpedance => 1.0,
            LoadModel::ConstantCurrent => 2.0,
            LoadModel::Exponential { .. } | LoadModel::Zip { .. } => {
                return Err("it follows the voltage by other than one of three models".to_owned());
            }
        };
        if load.band.is_some() {
            return Err("its model holds within a band of voltages".to_owned());
        }
        if load.configuration != Configuration::Star {
            return Err("it is not a wye to earth".to_owned());
        }
        let expected = rated / 3f64.sqrt();
        if kind != 0.0 && (load.rated_voltage_v - expected).abs() > 1e-9 * expected {
            let own = load.rated_voltage_v;
            return Err(format!("it is rated {own} V, but its node {expected} V to earth"));
        }
        let mut power = [Complex64::ZERO; 3];
        for (&wire, &own) in load.connection.wires.as_slice().iter().zip(&load.power_va) {
            *power.get_mut(wire.index()).ok_or("it is connected to the neutral")? = own;
        }
        if load.generator {
            power = power.map(|own| -own);
        }
        let text = |part: [f64; 3]| format!("[{:?}, {:?}, {:?}]", part[0], part[1], part[2]);
        let values = vec![
            self.number(node).unwrap_or(f64::NAN).to_string(),
            u8::from(load.connected).to_string(),
            kind.to_string(),
            text(power.map(|own| own.re)),
            text(power.map(|own| own.im)),
        ];
        let component = if load.generator { Component::AsymGen } else { Component::AsymLoad };
        self.push_values(component, component.words(), (id, &load.name, None), values);
        Ok(())
    }
}

fn status(closed: bool) -> f64 {
    f64::from(u8::from(closed))
}

fn symmetric(matrix: &Matrix) -> bool {
    matrix.size == 3 && (0..3).all(|i| (0..i).all(|j| matrix.rows[i][j] == matrix.rows[j][i]))
}

fn winding(kind: WindingKind) -> WriteResult<(f64, Complex64)> {
    let earthing = |neutral, isolated: f64| match neutral {
        Neutral::Earthed(z) => Ok((isolated + 1.0, z)),
        Neutral::Isolated => Ok((isolated, Complex64::ZERO)),
        Neutral::Wire | Neutral::WireThrough(_) | Neutral::EarthedWire => {
            Err("a neutral point is brought to a neutral wire".to_owned())
        }
    };
    match kind {
        WindingKind::Star(neutral) => earthing(neutral, 0.0),
        WindingKind::Delta => Ok((2.0, Complex64::ZERO)),
        WindingKind::Zigzag(neutral) => earthing(neutral, 3.0),
    }
}

/// Position, minimum, maximum, nominal and size in volts; turned round where turns become less.
fn taps(tap: &crate::network::TapChanger, rated_v: f64) -> [f64; 5] {
    let (minimum, maximum) =
        if tap.step < 0.0 { (tap.highest, tap.lowest) } else { (tap.lowest, tap.highest) };
    [
        f64::from(tap.position),
        f64::from(minimum),
        f64::from(maximum),
        f64::from(tap.neutral),
        tap.step.abs() * rated_v,
    ]
}

fn text(rows: &BTreeMap<Component, (&'static str, Vec<String>)>) -> String {
    let mut text = String::from(
        "{\n\"version\": \"1.0\",\n\"type\": \"input\",\n\"is_batch\": false,\n\"attributes\": {",
    );
    for (number, (component, (names, _))) in rows.iter().enumerate() {
        let names: Vec<_> = names.split(' ').map(|name| format!("\"{name}\"")).collect();
        let comma = if number == 0 { "" } else { "," };
        let _ = write!(text, "{comma}\n  \"{component}\": [{}]", names.join(", "));
    }
    text.push_str("\n},\n\"data\": {");
    for (number, (component, (_, rows))) in rows.iter().enumerate() {
        let comma = if number == 0 { "" } else { "," };
        let _ = write!(text, "{comma}\n  \"{component}\": [\n    {}\n  ]", rows.join(",\n    "));
    }
    text.push_str("\n}\n}\n");
    text
}
