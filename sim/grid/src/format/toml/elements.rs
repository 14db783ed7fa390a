//! Tables into elements.

use std::collections::{BTreeMap, BTreeSet};

use num_complex::Complex64;
use toml::de::{DeTable, DeValue};

use super::reader::{Code, Reader};
use super::table::{Source, Table};
use super::unit::Unit;
use super::{loads, regulator};
use crate::format::Refusal;
use crate::network::{
    self, Line, LineImpedance, Magnetising, Matrix, Network, Neutral, Node, NodeId, Place,
    SequenceImpedance, Switch, TapChanger, Transformer, Winding, WindingKind, Wire, WireList,
};

/// Reads the text of a file that is called `file` in messages.
///
/// # Errors
/// Every mistake with its line: what is not TOML, unknown tables and fields, missing fields,
/// figures without or with another unit, names that are not there or there twice.
pub fn read(file: &str, text: &str) -> Result<Network, Refusal> {
    let source = Source::new(file, text);
    let (root, errors) = DeTable::parse_recoverable(text);
    for error in &errors {
        let at = error.span().map_or(0, |span| span.start);
        source.refuse(source.line(at), format!("not TOML: {}", error.message()));
    }
    let mut network = Network::new("", 50.0);
    if errors.is_empty() {
        let table = Table::new(&source, "the file", 0, root.get_ref());
        network = Reader::new(&table).all(&table);
    }
    source.mistakes.into_inner().or(network)
}

/// Makes the element of a table; none if it cannot be made, which then has been reported.
type Make = fn(&mut Reader, &mut Table<'_>) -> Option<()>;

struct Kind {
    /// What stands between the double brackets.
    name: &'static str,
    make: Make,
    /// Its keys, and whether those of impedances are among them. They are listed, as a table that
    /// lacks one key is not looked at to its end.
    keys: &'static str,
    has_impedances: bool,
}

const fn kind(name: &'static str, make: Make, keys: &'static str) -> Kind {
    Kind { name, make, keys, has_impedances: false }
}

const IMPEDANCE_KEYS: &str = "r1 x1 r0 x0 c1 c0 r_matrix x_matrix c_matrix";

const LOAD_KEYS: &str = "name node p q power_factor wires connection model connected";

/// In the order in which they refer to each other.
const KINDS: [Kind; 11] = [
    kind("node", Reader::node, "name voltage wires at"),
    Kind { has_impedances: true, ..kind("code", Reader::code, "name rated_current") },
    Kind {
        has_impedances: true,
        ..kind("line", Reader::line, "name from to length code wires open rated_current")
    },
    kind("switch", Reader::switch, "name from to kind closed wires rated_current"),
    kind(
        "transformer",
        Reader::transformer,
        "name from to group voltages power uk copper_loss no_load_loss no_load_current \
         neutral_resistance neutral_reactance neutral_side tap",
    ),
    kind(
        "source",
        Reader::source,
        "name node short_circuit_power voltage angle r_to_x z0_to_z1 connected",
    ),
    kind("load", |own, table| loads::load(own, table, false), LOAD_KEYS),
    kind("generator", |own, table| loads::load(own, table, true), LOAD_KEYS),
    kind("capacitor", loads::capacitor, "name node q wires connection connected"),
    kind("earthing", loads::earthing, "name node resistance reactance connected"),
    kind("regulator", regulator::make, regulator::KEYS),
];

impl Reader {
    fn new(table: &Table<'_>) -> Self {
        if table.whole("format") != Some(1) {
            match table.field("format") {
                None => table.refuse(table.line, "format is missing; write `format = 1` on top"),
                Some(_) => table.refuse_found("format", "`format = 1` is expected on top"),
            }
        }
        let name = table.text("name").map_or("", |(name, _)| name);
        let hertz = table.figure("frequency", Unit::Hertz).unwrap_or(50.0);
        if hertz <= 0.0 {
            table.refuse_found("frequency", "more than 0 is expected");
        }
        Self {
            network: Network::new(name, hertz),
            nodes: BTreeMap::new(),
            codes: BTreeMap::new(),
            refused: BTreeSet::new(),
            voltage_v: table.figure("voltage", Unit::Volt),
        }
    }

    fn all(mut self, root: &Table<'_>) -> Network {
        for Kind { name: kind, make, keys, has_impedances } in KINDS {
            let impedances = if has_impedances { IMPEDANCE_KEYS } else { "" };
            let keys = format!("{keys} {impedances}");
            let mut names: BTreeMap<String, u32> = BTreeMap::new();
            for mut table in root.tables(kind) {
                let name = table.text("name").map(|(name, _)| name.to_owned());
                if let Some(name) = &name {
                    table.set_name(format!("{kind} {name}"));
                    if let Some(line) = names.insert(name.clone(), table.line) {
                        let what = format!("the name stands on line {line} too");
                        table.refuse(table.line_of(&["name"]), &what);
                    }
                } else if matches!(kind, "node" | "code" | "line" | "switch" | "transformer") {
                    table.missing("name");
                    table.end(&keys);
                    continue;
                }
                // What is missing or wrong is reported there.
                if let (None, Some(name)) = (make(&mut self, &mut table), name) {
                    self.refused.insert((kind, name));
                }
                table.end(&keys);
            }
        }
        let kinds = KINDS.map(|kind| kind.name);
        root.end(&format!("format name frequency voltage {}", kinds.join(" ")));
        self.network
    }

    /// What is no transformer joins nodes of one rated voltage.
    fn same_voltage(&self, table: &Table<'_>, (from, to): (NodeId, NodeId)) -> Option<()> {
        let [from, to] = [from, to].map(|it| &self.network.nodes[it.index()]);
        let (from_v, to_v) = (from.rated_voltage_v, to.rated_voltage_v);
        if (from_v - to_v).abs() <= 1e-9 * from_v {
            return Some(());
        }
        let what = format!(
            "node {} is rated for {from_v} V and node {} for {to_v} V, but the same voltage is \
             expected at both ends; the voltage of a node is that between lines, also of one with \
             a single phase: mend it, or put a transformer between them",
            from.name, to.name
        );
        table.refuse(table.line_of(&["to"]), &what);
        None
    }

    fn node(&mut self, table: &mut Table<'_>) -> Option<()> {
        let (name, _) = table.need_text("name")?;
        let (wires, _) = Self::wires(table, "wires", "abc")?;
        let own = table.figure("voltage", Unit::Volt).or(self.voltage_v);
        let Some(rated_voltage_v) = own.filter(|&volts| volts > 0.0) else {
            if table.field("voltage").is_none() {
                table.missing("voltage (above 0, here or on top of the file)");
            } else if own.is_some() {
                table.refuse_found("voltage", "more than 0 is expected");
            }
            return None;
        };
        let position = table.field("at").and_then(|(value, line)| {
            let place = |value: &DeValue<'_>| match value {
                DeValue::Integer(number) => number.as_str().parse::<f64>().ok(),
                DeValue::Float(number) => number.as_str().parse::<f64>().ok(),
                _ => None,
            };
            let DeValue::Array(list) = value else {
                table.refuse(line, "at is [x, y]");
                return None;
            };
            let places: Vec<f64> = list.iter().filter_map(|it| place(it.get_ref())).collect();
            if let [x, y] = places[..] {
                return Some((x, y));
            }
            table.refuse(line, "at is [x, y]");
            None
        });
        let node = self.network.push_node(Node {
            name: name.into(),
            wires: wires.set(),
            rated_voltage_v,
            position,
            place: Place(table.line),
        });
        self.nodes.insert(name.to_owned(), node);
        Some(())
    }

    fn code(&mut self, table: &mut Table<'_>) -> Option<()> {
        let (name, _) = table.need_text("name")?;
        let code = self.impedances(table)?;
        self.codes.insert(name.to_owned(), code);
        Some(())
    }

    /// Impedances by length: by symmetrical components or as matrices.
    fn impedances(&self, table: &Table<'_>) -> Option<Code> {
        let omega = std::f64::consts::TAU * self.network.frequency_hz;
        let rated_current_a = table.figure("rated_current", Unit::Ampere);
        let series = |name| table.figure(name, Unit::OhmPerKilometre);
        let charge = |name| table.figure(name, Unit::FaradPerKilometre).unwrap_or(0.0);
        if table.field("r_matrix").is_none() {
            let z1 = Complex64::new(table.positive("r1", Unit::OhmPerKilometre)?, series("x1")?);
            let z0 = Complex64::new(series("r0").unwrap_or(z1.re), series("x0").unwrap_or(z1.im));
            let c1 = charge("c1");
            let c0 = table.figure("c0", Unit::FaradPerKilometre).unwrap_or(c1);
            let impedance = LineImpedance::Sequence(SequenceImpedance {
                z1_ohm: z1,
                z0_ohm: z0,
                y1_s: Complex64::new(0.0, omega * c1),
                y0_s: Complex64::new(0.0, omega * c0),
            });
            return Some(Code { impedance, conductors: None, rated_current_a });
        }
        let (r, line) = table.matrix("r_matrix", Unit::OhmPerKilometre)?;
        let size = r.len();
        let zero = || vec![vec![0.0; size]; size];
        let (x, _) = table.matrix("x_matrix", Unit::OhmPerKilometre)?;
        let c = match table.field("c_matrix") {
            None => zero(),
            Some(_) => table.matrix("c_matrix", Unit::FaradPerKilometre)?.0,
        };
        let fits = |matrix: &Vec<Vec<f64>>| {
            matrix.len() == size && matrix.iter().all(|row| row.len() == size)
        };
        if !(1..=4).contains(&size) || ![&r, &x, &c].into_iter().all(fits) {
            table.refuse(line, "its matrices are not square, of one size from 1 to 4");
            return None;
        }
        let series = Matrix::from_fn(size, |i, j| Complex64::new(r[i][j], x[i][j]));
        let shunt = Matrix::from_fn(size, |i, j| Complex64::new(0.0, omega * c[i][j]));
        let impedance =
            LineImpedance::Matrix { series_ohm: Box::new(series), shunt_s: Box::new(shunt) };
        Some(Code { impedance, conductors: Some(size), rated_current_a })
    }

    fn line(&mut self, table: &mut Table<'_>) -> Option<()> {
        let (name, _) = table.need_text("name")?;
        let (from, to) = (self.at(table, "from")?, self.at(table, "to")?);
        self.same_voltage(table, (from, to))?;
        let length_m = table.positive("length", Unit::Metre)?;
        let code = match table.text("code") {
            None => self.impedances(table)?,
            Some((code, line)) => {
                if IMPEDANCE_KEYS.split(' ').any(|key| table.field(key).is_some()) {
                    table.refuse(line, "it has a code and impedances of its own; leave out one");
                }
                let Some(code) = self.codes.get(code) else {
                    self.not_there(table, "code", ("code", code), line);
                    return None;
                };
                let own = table.figure("rated_current", Unit::Ampere);
                Code { rated_current_a: own.or(code.rated_current_a), ..code.clone() }
            }
        };
        let both = self.wires_of_both(from, to);
        let default = match code.conductors {
            Some(count @ 1..=4) if count != both.len() => ["a", "ab", "abc", "abcn"][count - 1],
            _ => &both,
        };
        let (wires, line) = Self::wires(table, "wires", default)?;
        let count = wires.as_slice().len();
        if code.conductors.is_some_and(|conductors| conductors != count) {
            table.refuse(line, &format!("its impedances are not for {count} wires"));
            return None;
        }
        let from = self.connect(table, ("from", from), wires)?;
        let to = self.connect(table, ("to", to), wires)?;
        let open = table.end_named("open").ok()?;
        self.network.lines.push(Line {
            name: name.into(),
            from,
            to,
            from_closed: open != Some(0),
            to_closed: open != Some(1),
            impedance: along(&code.impedance, length_m, count),
            length_m: Some(length_m),
            rated_current_a: code.rated_current_a,
            place: Place(table.line),
        });
        Some(())
    }

    fn switch(&mut self, table: &mut Table<'_>) -> Option<()> {
        let (name, _) = table.need_text("name")?;
        let (from, to) = (self.at(table, "from")?, self.at(table, "to")?);
        self.same_voltage(table, (from, to))?;
        let both = self.wires_of_both(from, to);
        let (wires, _) = Self::wires(table, "wires", &both)?;
        // All kinds are the same to a network.
        if let Some((kind, line)) = table.text("kind")
            && !["switch", "fuse", "breaker", "link"].contains(&kind)
        {
            table.refuse(line, &format!("kind is {kind:?}; switch, fuse, breaker, link exist"));
            return None;
        }
        self.network.switches.push(Switch {
            name: name.into(),
            from: self.connect(table, ("from", from), wires)?,
            to: self.connect(table, ("to", to), wires)?,
            closed: table.truth("closed").unwrap_or(true),
            rated_current_a: table.figure("rated_current", Unit::Ampere),
            place: Place(table.line),
        });
        Some(())
    }

    fn transformer(&mut self, table: &mut Table<'_>) -> Option<()> {
        let (name, _) = table.need_text("name")?;
        let nodes = [self.at(table, "from")?, self.at(table, "to")?];
        let (group, line) = table.need_text("group")?;
        let Some((kinds, clock)) = vector_group(group) else {
            table.refuse(line, &format!("group is {group:?}, one like \"Dyn5\" is expected"));
            return None;
        };
        if table.field("voltages").is_none() {
            table.missing("voltages");
        }
        let (volts, _) = table.figures("voltages", Unit::Volt)?;
        let ([_, _], true) = (&volts[..], volts.iter().all(|&it| it > 0.0)) else {
            table.refuse_found("voltages", "two are expected, each more than 0");
            return None;
        };
        let power = table.positive("power", Unit::VoltAmpere)?;
        let size = table.at_most_whole("uk", table.positive("uk", Unit::Share)?)?;
        let copper = table.figure("copper_loss", Unit::Watt).unwrap_or(0.0) / power;
        let iron = table.figure("no_load_loss", Unit::Watt).unwrap_or(0.0) / power;
        let current = match table.figure("no_load_current", Unit::Share) {
            None => iron,
            Some(share) => table.at_most_whole("no_load_current", share)?,
        };
        if copper > size || iron > current {
            let name = if copper > size { "copper_loss" } else { "no_load_loss" };
            let what = format!(
                "{} is found: its losses are more than its impedance or current allow",
                table.found(name)
            );
            table.refuse(table.line_of(&[name]), &what);
            return None;
        }
        let reactance = (size * size - copper * copper).sqrt();
        let y_pu = Complex64::new(iron, -(current * current - iron * iron).sqrt());
        let (side, tap) = Self::taps(table)?;
        let through = Self::neutral(table, kinds).ok()?;
        let mut windings = Vec::new();
        for k in 0..2 {
            let at = self.network.nodes[nodes[k].index()].wires;
            let neutral = match through.filter(|(side, _)| *side == k) {
                Some((_, z)) if at.contains(Wire::Neutral) => Some(Neutral::WireThrough(z)),
                Some((_, z)) => Some(Neutral::Earthed(z)),
                None if at.contains(Wire::Neutral) && is_brought_out(kinds[k]) => {
                    Some(Neutral::EarthedWire)
                }
                None => None,
            };
            let kind = neutral.map_or(kinds[k], |it| kinds[k].with_neutral(it));
            windings.push(Winding {
                connection: self.connect(table, (["from", "to"][k], nodes[k]), WireList::ABC)?,
                kind,
                rated_voltage_v: volts[k],
                tap: tap.filter(|_| side == k),
            });
        }
        self.network.transformers.push(Transformer {
            name: name.into(),
            windings,
            clock: vec![clock],
            closed: vec![true; 2],
            rated_power_va: power,
            short_circuit_pu: vec![Complex64::new(copper, reactance)],
            magnetising: Magnetising::BySequence { y1_pu: y_pu, y0_pu: y_pu },
            place: Place(table.line),
        });
        Some(())
    }

    /// Which neutral point is earthed through an impedance, and through which, if that is written.
    fn neutral(
        table: &mut Table<'_>,
        kinds: [WindingKind; 2],
    ) -> Result<Option<(usize, Complex64)>, ()> {
        let names = ["neutral_resistance", "neutral_reactance"];
        let written = table.end_named("neutral_side")?;
        if names.iter().all(|name| table.field(name).is_none()) {
            if written.is_some() {
                let what = "neutral_side stands without neutral_resistance or neutral_reactance";
                table.refuse(table.line_of(&["neutral_side"]), what);
                return Err(());
            }
            return Ok(None);
        }
        let [from, to] = kinds.map(is_brought_out);
        let side = match (from, to, written) {
            (true, true, None) => {
                let what = "both neutral points are brought out, and which of them is earthed \
                            through the impedance is not written: expected neutral_side = \"from\" \
                            or \"to\"";
                table.refuse(table.line_of(&names), what);
                return Err(());
            }
            (true, _, Some(0)) | (true, false, None) => 0,
            (_, true, Some(1)) | (false, true, None) => 1,
            _ => {
                let what = "its neutral point is not brought out: expected a group with `n` or `N`";
                table.refuse(table.line_of(&names), what);
                return Err(());
            }
        };
        let [resistance, reactance] =
            names.map(|name| table.figure(name, Unit::Ohm).unwrap_or(0.0));
        let through = Complex64::new(resistance, reactance);
        if resistance < 0.0 || through == Complex64::ZERO {
            let what = "an impedance of the neutral point: expected a resistance from 0 on, and not both 0";
            table.refuse(table.line_of(&names), what);
            return Err(());
        }
        Ok(Some((side, through)))
    }

    /// On which side there are taps, and which.
    fn taps(table: &Table<'_>) -> Option<(usize, Option<TapChanger>)> {
        let Some(own) = table.table("tap") else { return Some((0, None)) };
        own.end("step side position lowest highest");
        let side = own.end_named("side").ok()?.unwrap_or(0);
        let step = own.at_most_whole("step", own.positive("step", Unit::Share)?)?;
        let position = own.whole("position").unwrap_or(0);
        let lowest = own.whole("lowest").unwrap_or(position.min(0));
        let highest = own.whole("highest").unwrap_or(position.max(0));
        if !(lowest..=highest).contains(&position) || 1.0 + step * f64::from(lowest) <= 0.0 {
            own.refuse(
                own.line_of(&["position", "lowest", "highest"]),
                &format!(
                    "position {position} is outside of {lowest} to {highest}, or no turns are left"
                ),
            );
            return None;
        }
        Some((side, Some(TapChanger { step, position, neutral: 0, lowest, highest })))
    }

    fn source(&mut self, table: &mut Table<'_>) -> Option<()> {
        let node = self.at(table, "node")?;
        self.connect(table, ("node", node), WireList::ABC)?;
        let rated = self.network.nodes[node.index()].rated_voltage_v;
        let voltage_v = match table.field("voltage") {
            None => rated,
            Some(_) => table.positive("voltage", Unit::Volt)?,
        };
        let power = table.positive("short_circuit_power", Unit::VoltAmpere)?;
        let ratio = table.figure("r_to_x", Unit::Share).unwrap_or(0.1);
        let reactance = rated * rated / power / (1.0 + ratio * ratio).sqrt();
        let z1_ohm = Complex64::new(reactance * ratio, reactance);
        let zero_sequence = table.not_negative("z0_to_z1", Unit::Share, 1.0)?;
        self.network.sources.push(network::Source {
            name: Self::name(table, "source", self.network.sources.len()),
            node,
            voltage_v,
            angle_rad: table.figure("angle", Unit::Degree).unwrap_or(0.0),
            z1_ohm,
            z0_ohm: z1_ohm * zero_sequence,
            connected: table.truth("connected").unwrap_or(true),
            place: Place(table.line),
        });
        Some(())
    }
}

/// An impedance by length as that of a line with `count` conductors, which are alike if the
/// impedance is given by symmetrical components.
fn along(each: &LineImpedance, length_m: f64, count: usize) -> LineImpedance {
    match each {
        LineImpedance::Sequence(own) if count != 3 => {
            let fill = |one: Complex64, zero: Complex64| {
                let (same, mutual) = ((one * 2.0 + zero) / 3.0, (zero - one) / 3.0);
                let each = |i, j| if i == j { same } else { mutual } * length_m;
                Box::new(Matrix::from_fn(count, each))
            };
            LineImpedance::Matrix {
                series_ohm: fill(own.z1_ohm, own.z0_ohm),
                shunt_s: fill(own.y1_s, own.y0_s),
            }
        }
        each => each.times(length_m),
    }
}

/// Whether a winding of a vector group has a star point that is brought out: there a neutral wire
/// begins, where its node has one.
fn is_brought_out(kind: WindingKind) -> bool {
    matches!(kind.neutral(), Some(Neutral::Earthed(_)))
}

/// A vector group by IEC 60076-1: the winding of higher voltage in capitals, `N` where a star point
/// is brought out (here: solidly earthed), the clock number.
fn vector_group(text: &str) -> Option<([WindingKind; 2], u8)> {
    fn winding(text: &str) -> Option<(WindingKind, &str)> {
        let mut letters = text.chars();
        let letter = letters.next()?.to_ascii_uppercase();
        let rest = letters.as_str();
        let after = rest.strip_prefix(['N', 'n']);
        let neutral = match after {
            Some(_) => Neutral::Earthed(Complex64::ZERO),
            None => Neutral::Isolated,
        };
        let kind = match letter {
            'D' if after.is_none() => WindingKind::Delta,
            'Y' => WindingKind::Star(neutral),
            'Z' => WindingKind::Zigzag(neutral),
            _ => return None,
        };
        Some((kind, after.unwrap_or(rest)))
    }
    let (one, rest) = winding(text.trim())?;
    let (other, clock) = winding(rest)?;
    let clock: u8 = clock.parse().ok()?;
    let star = |kind| matches!(kind, WindingKind::Star(_));
    let even = star(one) == star(other);
    (clock <= 11 && clock.is_multiple_of(2) == even).then_some(([one, other], clock))
}
