//! Reads input data into a network.

use std::collections::BTreeSet;

use num_complex::Complex64;
use serde_json::value::RawValue;

use super::document::{Document, Element, FaultRow, Reader};
use super::json::{Members, Row, RowResult, within};
use super::{Component, branch};
use crate::format::{Mistakes, Refusal, unmarked};
use crate::network::{
    Configuration, Connection, Load, LoadModel, Node, Place, Shunt, ShuntAdmittance, Source, Wire,
    Wires,
};
use crate::short_circuit::{Fault, Kind, Location};

/// Has no influence on a power flow.
const MEASUREMENTS: [&str; 6] = [
    "sym_voltage_sensor",
    "asym_voltage_sensor",
    "sym_power_sensor",
    "asym_power_sensor",
    "sym_current_sensor",
    "asym_current_sensor",
];

/// Reads the text of a file that is called `file` in messages.
///
/// # Errors
/// Every mistake, with component, number and line: what is not JSON of that schema, unknown
/// components and attributes, missing and impossible figures, numbers used twice, unknown nodes.
pub fn read(file: &str, text: &str) -> Result<Document, Refusal> {
    let (mut mistakes, text) = (Mistakes::default(), unmarked(text));
    let root: Members<'_> = match serde_json::from_str(text) {
        Ok(root) => root,
        Err(error) => {
            let what = format!("not the JSON of power-grid-model: {}", within(&error));
            mistakes.add_at(file, (error.line() as u32, error.column() as u32), what);
            return mistakes.or(Reader::new(file, text).document);
        }
    };
    let mut reader = Reader::new(file, text);
    reader.mistakes = mistakes;
    reader.root(&root);
    reader.call_by_names();
    if reader.names_left_out > 0 {
        let count = reader.names_left_out;
        let what = "names left out: empty or those of others; numbers stand for them";
        reader.document.notes.push(format!("{count} {what}"));
    }
    let Reader { mistakes, document, .. } = reader;
    mistakes.or(document)
}

impl<'a> Reader<'a> {
    fn refuse(&mut self, at: &RawValue, what: impl Into<String>) {
        self.mistakes.add_at(self.file, self.lines.of(at), what);
    }

    fn root(&mut self, root: &Members<'a>) {
        let mut attributes = Members::default();
        let mut data = None;
        self.refuse_twice(root, "the file");
        for (name, value) in &root.0 {
            match (&**name, value.get()) {
                ("version", "\"1.0\"") | ("type", "\"input\"") | ("is_batch", "false") => {}
                ("version", found) => {
                    self.refuse(value, format!("version is {found}, expected \"1.0\""));
                }
                ("type", found) => {
                    let what = format!("type is {found}, expected \"input\": a network");
                    self.refuse(value, what);
                }
                ("is_batch", found) => {
                    self.refuse(value, format!("is_batch is {found}, expected false"));
                }
                ("attributes", text) => match serde_json::from_str(text) {
                    Ok(read) => attributes = read,
                    Err(error) => self.refuse(value, format!("attributes: {}", within(&error))),
                },
                ("data", _) => data = Some(*value),
                (other, _) => {
                    self.refuse(value, format!("{other:?} is not part of such a file"));
                }
            }
        }
        let Some(data) = data else {
            self.mistakes.add(self.file, 0, "there is no \"data\"");
            return;
        };
        self.attributes(&attributes);
        match serde_json::from_str::<Members<'_>>(data.get()) {
            Ok(data) => self.data(&data, &attributes),
            Err(error) => self.refuse(data, format!("data: {}", within(&error))),
        }
    }

    /// Refuses what stands in an object under the same name again: JSON does not define which
    /// holds, and the other would be gone without a word.
    fn refuse_twice(&mut self, members: &Members<'a>, within: &str) {
        let mut seen = BTreeSet::new();
        for (name, value) in &members.0 {
            if !seen.insert(&**name) {
                let what = format!("{name:?} stands in {within} twice; keep one of them");
                self.refuse(value, what);
            }
        }
    }

    /// Refuses orders of attributes of what is no component.
    fn attributes(&mut self, attributes: &Members<'a>) {
        self.refuse_twice(attributes, "\"attributes\"");
        for (name, value) in &attributes.0 {
            let component = Component::ALL.iter().find(|known| known.name() == name);
            if component.is_none() && left_out(name).is_none() {
                let what = format!("\"attributes\": unknown component {name}");
                self.refuse(value, what);
            }
        }
    }

    fn data(&mut self, data: &Members<'a>, attributes: &Members<'a>) {
        self.refuse_twice(data, "\"data\"");
        let mut found: Vec<(Component, &RawValue)> = Vec::new();
        for (name, value) in &data.0 {
            if let Some(component) = Component::ALL.iter().find(|known| known.name() == name) {
                found.push((*component, value));
                continue;
            }
            let Some(why) = left_out(name) else {
                self.refuse(value, format!("unknown component {name}"));
                continue;
            };
            let rows = serde_json::from_str::<Vec<&RawValue>>(value.get()).ok();
            for row in rows.iter().flatten() {
                if let Ok(row) = serde_json::from_str::<Members<'_>>(row.get()) {
                    self.refuse_twice(&row, &format!("a {name}"));
                }
            }
            match rows.map_or(1, |rows| rows.len()) {
                0 => {}
                count => self.document.notes.push(format!("{count} {name} left out: {why}")),
            }
        }
        for component in Component::ALL {
            if let Some(&(_, rows)) = found.iter().find(|(known, _)| *known == component) {
                self.component(component, rows, attributes);
            }
        }
    }

    fn component(&mut self, component: Component, rows: &'a RawValue, attributes: &Members<'a>) {
        let compact = match compact_order(component, attributes) {
            Ok(order) => order,
            Err((at, what)) => return self.refuse(at, what),
        };
        let rows: Vec<&RawValue> = match serde_json::from_str(rows.get()) {
            Ok(rows) => rows,
            Err(_) => return self.refuse(rows, format!("{component} is not a list")),
        };
        for raw in rows {
            let at = self.lines.of(raw);
            let read = Row::read(component, compact.as_deref(), raw, at)
                .and_then(|row| self.row(component, &row).map_err(|wrong| (row.id, wrong)));
            if let Err((id, what)) = read {
                self.mistakes.add_at(self.file, at, format!("{component} {id}: {what}"));
            }
        }
    }

    fn row(&mut self, component: Component, row: &Row) -> RowResult<()> {
        if let Some(((line, column), other)) = self.seen.insert(row.id, (row.at, component)) {
            return Err(format!(
                "its number is that of a {other} on line {line}, column {column}; numbers are unique"
            ));
        }
        let at = match component {
            Component::Node => self.node(row)?,
            Component::Line => branch::line(self, row)?,
            Component::AsymLine => branch::asym_line(self, row)?,
            Component::Link => branch::link(self, row)?,
            Component::GenericBranch => branch::generic_branch(self, row)?,
            Component::Transformer => branch::transformer(self, row)?,
            Component::ThreeWindingTransformer => branch::three_winding_transformer(self, row)?,
            Component::Shunt => self.shunt(row)?,
            Component::Source => self.source(row)?,
            Component::SymLoad => self.load(row, false, false)?,
            Component::SymGen => self.load(row, false, true)?,
            Component::AsymLoad => self.load(row, true, false)?,
            Component::AsymGen => self.load(row, true, true)?,
            Component::Fault => self.fault(row)?,
        };
        self.document.elements.push(Element { component, id: row.id, at: at as u32 });
        self.called.push((component, at, row.name.clone()));
        Ok(())
    }

    /// Calls elements by the names that they have, unless those are another's: a name, or the
    /// number of one that has none.
    fn call_by_names(&mut self) {
        let mut names = BTreeSet::new();
        let (named, by_number): (Vec<_>, Vec<_>) = std::mem::take(&mut self.called)
            .into_iter()
            .partition(|(_, _, name)| name.as_ref().is_some_and(|it| !it.is_empty()));
        for (component, at, empty) in by_number {
            self.names_left_out += usize::from(empty.is_some());
            if let Some((list, own)) = self.own_name(component, at) {
                names.insert((list, own.to_string()));
            }
        }
        let mut left_out = 0;
        for (component, at, name) in named {
            let (Some((list, own)), Some(name)) = (self.own_name(component, at), name) else {
                continue;
            };
            if names.insert((list, name.clone())) {
                *own = name.into();
            } else {
                left_out += 1;
            }
        }
        self.names_left_out += left_out;
    }

    /// Which list of the network an element is in, and what it is called there.
    fn own_name(&mut self, component: Component, at: usize) -> Option<(u8, &mut Box<str>)> {
        let network = &mut self.document.network;
        Some(match component {
            Component::Node => (0, &mut network.nodes[at].name),
            Component::Line | Component::AsymLine | Component::Link => {
                (1, &mut network.lines[at].name)
            }
            Component::Transformer | Component::GenericBranch => {
                (2, &mut network.transformers[at].name)
            }
            Component::Shunt => (3, &mut network.shunts[at].name),
            Component::Source => (4, &mut network.sources[at].name),
            Component::SymLoad | Component::SymGen | Component::AsymLoad | Component::AsymGen => {
                (5, &mut network.loads[at].name)
            }
            // It has become several transformers; and faults have no names.
            Component::ThreeWindingTransformer | Component::Fault => return None,
        })
    }

    fn node(&mut self, row: &Row) -> RowResult<usize> {
        let node = self.document.network.push_node(Node {
            name: row.id.to_string().into(),
            wires: Wires::ABC,
            rated_voltage_v: row.positive("u_rated")?,
            position: None,
            place: Place(row.at.0),
        });
        self.nodes.insert(row.id, node);
        Ok(node.index())
    }

    fn shunt(&mut self, row: &Row) -> RowResult<usize> {
        let (node, _) = self.node_of(row, "node")?;
        let y1_s = Complex64::new(row.need("g1")?, row.need("b1")?);
        let y0_s = if let (Some(g0), Some(b0)) = (row.number("g0")?, row.number("b0")?) {
            Complex64::new(g0, b0)
        } else {
            self.symmetric_only(Component::Shunt, row, "has no g0 and b0");
            y1_s
        };
        self.document.network.shunts.push(Shunt {
            name: row.id.to_string().into(),
            connection: Connection::abc(node),
            admittance: ShuntAdmittance::Sequence { y1_s, y0_s },
            connected: row.status("status")?,
            place: Place(row.at.0),
        });
        Ok(self.document.network.shunts.len() - 1)
    }

    fn source(&mut self, row: &Row) -> RowResult<usize> {
        let (node, rated) = self.node_of(row, "node")?;
        let short_circuit_va = match row.number("sk")? {
            None => 1e10,
            Some(_) => row.positive("sk")?,
        };
        let ratio = row.or("rx_ratio", 0.1)?;
        let zero_sequence = row.or("z01_ratio", 1.0)?;
        if zero_sequence < 0.0 {
            let what = format!("z01_ratio is {zero_sequence}, expected 0 or more");
            return Err(what);
        }
        let reactance = rated * rated / short_circuit_va / (ratio * ratio + 1.0).sqrt();
        let z1_ohm = Complex64::new(reactance * ratio, reactance);
        self.document.network.sources.push(Source {
            name: row.id.to_string().into(),
            node,
            voltage_v: row.need("u_ref")? * rated,
            angle_rad: row.or("u_ref_angle", 0.0)?,
            z1_ohm,
            z0_ohm: z1_ohm * zero_sequence,
            connected: row.status("status")?,
            place: Place(row.at.0),
        });
        Ok(self.document.network.sources.len() - 1)
    }

    fn load(&mut self, row: &Row, by_phase: bool, generator: bool) -> RowResult<usize> {
        let (node, rated) = self.node_of(row, "node")?;
        let [active, reactive] = if by_phase {
            [row.phases("p_specified")?, row.phases("q_specified")?]
        } else {
            [[row.need("p_specified")? / 3.0; 3], [row.need("q_specified")? / 3.0; 3]]
        };
        let sign = if generator { -1.0 } else { 1.0 };
        let model = match row.need_small("type")? {
            0 => LoadModel::ConstantPower,
            1 => LoadModel::ConstantImpedance,
            2 => LoadModel::ConstantCurrent,
            found => return Err(format!("type is {found}, expected 0, 1 or 2")),
        };
        self.document.network.loads.push(Load {
            name: row.id.to_string().into(),
            connection: Connection::abc(node),
            configuration: Configuration::Star,
            power_va: [0, 1, 2].map(|k| Complex64::new(active[k], reactive[k]) * sign),
            model,
            rated_voltage_v: rated / 3f64.sqrt(),
            band: None,
            connected: row.status("status")?,
            generator,
            place: Place(row.at.0),
        });
        Ok(self.document.network.loads.len() - 1)
    }

    fn fault(&mut self, row: &Row) -> RowResult<usize> {
        let (node, _) = self.node_of(row, "fault_object")?;
        let phase = row.small("fault_phase")?.unwrap_or(-1);
        let pair = |phase| match phase {
            -1 | 6 => Ok((Wire::B, Wire::C)),
            5 => Ok((Wire::A, Wire::C)),
            4 => Ok((Wire::A, Wire::B)),
            found => Err(format!("fault_phase is {found}, expected two phases: 4, 5 or 6")),
        };
        let kind = match (row.need_small("fault_type")?, phase) {
            (0, -1 | 0) => Kind::ThreePhase,
            (1, -1 | 1) => Kind::SinglePhaseToGround(Wire::A),
            (1, 2) => Kind::SinglePhaseToGround(Wire::B),
            (1, 3) => Kind::SinglePhaseToGround(Wire::C),
            (2, phase) => pair(phase).map(|(one, other)| Kind::TwoPhase(one, other))?,
            (3, phase) => pair(phase).map(|(one, other)| Kind::TwoPhaseToGround(one, other))?,
            (kind @ (0 | 1), found) => {
                let what =
                    format!("fault_phase is {found}, which a fault of type {kind} cannot be");
                return Err(what);
            }
            (found, _) => {
                return Err(format!("fault_type is {found}, expected 0, 1, 2 or 3"));
            }
        };
        let active = row.status("status")?;
        let impedance_ohm = Complex64::new(row.or("r_f", 0.0)?, row.or("x_f", 0.0)?);
        let fault = Fault { kind, location: Location::Node(node), impedance_ohm };
        self.document.faults.push(FaultRow { active, fault });
        Ok(self.document.faults.len() - 1)
    }
}

/// Why components of this name are left out, if they are.
fn left_out(name: &str) -> Option<&'static str> {
    match name {
        name if MEASUREMENTS.contains(&name) => Some("measurements"),
        "transformer_tap_regulator" => Some("taps stay where they are"),
        _ => None,
    }
}

/// The order of the values in compact rows of a component, if the file gives one.
fn compact_order<'a>(
    component: Component,
    attributes: &Members<'a>,
) -> Result<Option<Vec<usize>>, (&'a RawValue, String)> {
    let Some(&(_, value)) = attributes.0.iter().find(|(name, _)| name == component.name()) else {
        return Ok(None);
    };
    let names: Vec<String> = serde_json::from_str(value.get())
        .map_err(|error| (value, format!("attributes of {component}: {}", within(&error))))?;
    let known = component.attributes();
    let mut order: Vec<usize> = Vec::new();
    for name in names {
        match known.iter().position(|&known| known == name) {
            Some(at) if order.contains(&at) => {
                return Err((value, format!("attributes of {component} list {name} twice")));
            }
            Some(at) => order.push(at),
            None => return Err((value, format!("{name} is no attribute of a {component}"))),
        }
    }
    Ok(Some(order))
}
