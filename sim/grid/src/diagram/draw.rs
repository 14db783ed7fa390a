//! Marks, colours and legend.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use num_complex::Complex64;

use super::labels::{Room, around};
use crate::flow::{Flow, NodeState};
use crate::motion::is_behind_a_switch;
use crate::network::{Network, Node, NodeId, Wire, Wires};

/// What colours mean.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Colouring {
    /// The lowest voltage of a node's wires, per unit.
    #[default]
    Voltage,
    /// The voltage of a node's wires that is farthest from the rated one, per unit.
    Farthest,
    /// The largest current of an element as a share of its rated one.
    Loading,
}

/// Pixels around the picture.
const MARGIN: f64 = 50.0;
/// Up to how many nodes their names are written; others show them when pointed at.
const MOST_NAMES: usize = 250;
const UNKNOWN: &str = "#999999";

/// A colour scale: values and their red, green, blue.
type Scale = &'static [(f64, [f64; 3])];

const VOLTAGE: Scale = &[
    (0.90, [165.0, 0.0, 38.0]),
    (0.95, [244.0, 109.0, 67.0]),
    (1.00, [26.0, 152.0, 80.0]),
    (1.05, [69.0, 117.0, 180.0]),
    (1.10, [73.0, 20.0, 134.0]),
];

const LOADING: Scale = &[
    (0.0, [26.0, 152.0, 80.0]),
    (0.5, [166.0, 190.0, 60.0]),
    (0.8, [253.0, 141.0, 60.0]),
    (1.0, [215.0, 25.0, 28.0]),
    (1.2, [103.0, 0.0, 13.0]),
];

fn colour(scale: Scale, value: f64) -> String {
    if !value.is_finite() {
        return UNKNOWN.to_owned();
    }
    let (first, last) = (scale[0], scale[scale.len() - 1]);
    let value = value.clamp(first.0, last.0);
    let at = scale.windows(2).find(|pair| value <= pair[1].0);
    let [low, high] = at.map_or([first, last], |pair| [pair[0], pair[1]]);
    let share = (value - low.0) / (high.0 - low.0);
    let part = |k: usize| (low.1[k] + (high.1[k] - low.1[k]) * share).round() as u8;
    format!("#{:02x}{:02x}{:02x}", part(0), part(1), part(2))
}

fn escape(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            // Control characters are not allowed in XML at all.
            c if c.is_control() => safe.push(' '),
            c => safe.push(c),
        }
    }
    safe
}

/// Something to be seen at a node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mark {
    /// Where.
    pub node: NodeId,
    /// What it is called.
    pub text: String,
}

/// What colours are about.
#[derive(Clone, Copy)]
pub(super) enum DiagramContent<'a> {
    Flow(&'a Flow, Colouring),
    /// Of each node its phases that have a voltage.
    Supply(&'a [Wires], &'a [Mark]),
}

const LIVE: &str = "#1a9850";
const PARTLY: &str = "#fd8d3c";
const DARK: &str = "#111111";

struct Picture<'a> {
    network: &'a Network,
    shown: DiagramContent<'a>,
    places: &'a [(f64, f64)],
    /// Of each node the voltage that its colour shows, per unit.
    shown_pu: Vec<f64>,
    text: String,
    /// What words must not cover.
    room: Room,
}

/// Draws everything; `about` is for programs that show it.
pub(super) fn draw(
    network: &Network,
    places: &[(f64, f64)],
    shown: DiagramContent<'_>,
    about: Option<&str>,
) -> String {
    let shown_pu = match shown {
        DiagramContent::Flow(flow, colouring) => {
            let nodes = network.nodes.iter().zip(&flow.nodes);
            nodes.map(|(node, state)| voltage_pu(node, state, colouring)).collect()
        }
        DiagramContent::Supply(..) => Vec::new(),
    };
    let (text, room) = (String::new(), Room::default());
    let mut picture = Picture { network, shown, places, shown_pu, text, room };
    let largest = |of: fn(&(f64, f64)) -> f64| places.iter().map(of).fold(0.0_f64, f64::max);
    let width = (largest(|it| it.0) + 2.0 * MARGIN + 60.0).max(560.0);
    let height = largest(|it| it.1) + 2.0 * MARGIN + 70.0;
    let _ = write!(
        picture.text,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width:.0} {height:.0}\" \
         width=\"{width:.0}\" height=\"{height:.0}\" font-family=\"sans-serif\" \
         font-size=\"10\">\n{}<rect width=\"100%\" height=\"100%\" fill=\"#ffffff\"/>\n\
         <text x=\"{MARGIN:.0}\" y=\"22\" font-size=\"14\">{}</text>\n",
        about.map_or_else(String::new, |about| format!("<desc>{}</desc>\n", escape(about))),
        escape(&picture.network.name)
    );
    (picture.room.width, picture.room.height) = (width, height - 72.0);
    let many = picture.network.nodes.len() > MOST_NAMES;
    picture.branches();
    picture.appliances();
    picture.nodes(if many { 2.5 } else { 4.0 });
    picture.marks();
    if !many {
        picture.names();
    }
    picture.legend(height);
    picture.text.push_str("</svg>\n");
    picture.text
}

/// The voltage of a node's phases that its colour shows, per unit.
fn voltage_pu(node: &Node, state: &NodeState, colouring: Colouring) -> f64 {
    if !state.energized {
        return f64::NAN;
    }
    let base = node.rated_voltage_v / 3f64.sqrt();
    let phases = Wire::PHASES.iter().filter(|&&wire| node.wires.contains(wire));
    let shown = phases.map(|wire| state.voltage_v[wire.index()].norm() / base);
    shown.reduce(|one, other| choose(one, other, colouring)).unwrap_or(f64::NAN)
}

/// Which of two voltages a colour shows.
fn choose(one: f64, other: f64, colouring: Colouring) -> f64 {
    let is_first = match colouring {
        Colouring::Farthest => (one - 1.0).abs() >= (other - 1.0).abs(),
        Colouring::Voltage | Colouring::Loading => one <= other,
    };
    if is_first { one } else { other }
}

/// A branch as it is drawn: one for each pair of nodes and kind.
struct Branch {
    loading: f64,
    conductors: usize,
    names: Vec<String>,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Line,
    OpenLine,
    Transformer,
    Closed,
    Open,
}

impl Picture<'_> {
    fn at(&self, node: NodeId) -> (f64, f64) {
        let (x, y) = self.places.get(node.index()).copied().unwrap_or_default();
        (x + MARGIN, y + MARGIN)
    }

    fn collect(&self) -> BTreeMap<(NodeId, NodeId, Kind), Branch> {
        let mut branches = BTreeMap::new();
        let mut add = |kind: Kind, from: NodeId, to: NodeId, conductors, loading: f64, name| {
            let key = (from.min(to), from.max(to), kind);
            let branch = branches.entry(key).or_insert(Branch {
                loading: f64::NAN,
                conductors: 0,
                names: Vec::new(),
            });
            branch.loading = branch.loading.max(loading);
            branch.conductors += conductors;
            branch.names.push(name);
        };
        let share = |loading: Option<f64>| loading.unwrap_or(f64::NAN);
        let flow = self.flow();
        for (at, line) in self.network.lines.iter().enumerate() {
            let open = !(line.from_closed && line.to_closed);
            let kind = if open { Kind::OpenLine } else { Kind::Line };
            let conductors = line.from.wires.as_slice().len();
            let (from, to) = (line.from.node, line.to.node);
            let loading = share(flow.and_then(|flow| flow.lines[at].loading));
            add(kind, from, to, conductors, loading, format!("line {}", line.name));
        }
        for (at, own) in self.network.transformers.iter().enumerate() {
            let [first, others @ ..] = &own.windings[..] else { continue };
            for other in others {
                let (from, to) = (first.connection.node, other.connection.node);
                let conductors = first.connection.wires.as_slice().len();
                let name = format!("transformer {}", own.name);
                let loading = flow.map_or(f64::NAN, |flow| flow.transformers[at].loading);
                add(Kind::Transformer, from, to, conductors, loading, name);
            }
        }
        for (at, switch) in self.network.switches.iter().enumerate() {
            let kind = if switch.closed { Kind::Closed } else { Kind::Open };
            let name = format!("switch {}", switch.name);
            let conductors = switch.from.wires.as_slice().len();
            let (from, to) = (switch.from.node, switch.to.node);
            let loading = share(flow.and_then(|flow| flow.switches[at].loading));
            add(kind, from, to, conductors, loading, name);
        }
        branches
    }

    fn flow(&self) -> Option<&'_ Flow> {
        match self.shown {
            DiagramContent::Flow(flow, _) => Some(flow),
            DiagramContent::Supply(..) => None,
        }
    }

    /// The colour of a node by its supply.
    fn supplied(&self, node: NodeId, alive: &[Wires]) -> &'static str {
        let own = self.network.nodes[node.index()].wires;
        let has = alive.get(node.index()).copied().unwrap_or(Wires::NONE);
        let phases = || own.iter().filter(|wire| *wire != Wire::Neutral);
        match phases().filter(|wire| has.contains(*wire)).count() {
            0 => DARK,
            count if count < phases().count() => PARTLY,
            _ => LIVE,
        }
    }

    /// The colour of what joins two nodes.
    fn stroke(&self, from: NodeId, to: NodeId, loading: f64) -> String {
        match self.shown {
            DiagramContent::Flow(_, Colouring::Loading) => colour(LOADING, loading),
            DiagramContent::Flow(_, colouring) => {
                let [from, to] = [from, to].map(|node| self.shown_pu[node.index()]);
                colour(VOLTAGE, choose(from, to, colouring))
            }
            // It is as dark as its darker end.
            DiagramContent::Supply(alive, _) => {
                let [from, to] = [from, to].map(|node| self.supplied(node, alive));
                let worst = [DARK, PARTLY].into_iter().find(|it| [from, to].contains(it));
                worst.unwrap_or(LIVE).to_owned()
            }
        }
    }

    fn marks(&mut self) {
        let DiagramContent::Supply(_, marks) = self.shown else { return };
        for mark in marks {
            let (x, y) = self.at(mark.node);
            let _ = writeln!(
                self.text,
                "<path stroke=\"#b30000\" fill=\"#fee08b\" d=\"M {x:.1} {y:.1} m -3 -16 h 7 l -4 6 h \
                 5 l -9 12 l 3 -9 h -5 z\"/>"
            );
            self.room.taken.push([x - 6.0, y - 17.0, x + 6.0, y + 3.0]);
        }
        for mark in marks {
            self.write(&mark.text, self.at(mark.node), "#b30000");
        }
    }

    /// The names of nodes, but not of those that only hold a switch.
    fn names(&mut self) {
        self.room.taken.push([0.0, 0.0, MARGIN + 9.0 * self.network.name.len() as f64, 28.0]);
        for (number, node) in self.network.nodes.iter().enumerate() {
            if !is_behind_a_switch(&node.name) {
                let name = node_name(self.network, number);
                self.write(&name, self.at(NodeId(number as u32)), "#222222");
            }
        }
    }

    /// Words beside a place.
    fn write(&mut self, text: &str, at: (f64, f64), fill: &str) {
        let (x, y) = self.room.place(text, at);
        let _ = writeln!(
            self.text,
            "<text x=\"{x:.1}\" y=\"{y:.1}\" fill=\"{fill}\" stroke=\"#ffffff\" \
             stroke-width=\"3\" paint-order=\"stroke\">{}</text>",
            escape(text)
        );
    }

    fn branches(&mut self) {
        for ((from, to, kind), branch) in self.collect() {
            let ((x1, y1), (x2, y2)) = (self.at(from), self.at(to));
            let stroke = self.stroke(from, to, branch.loading);
            let dashes = match kind {
                Kind::Open | Kind::OpenLine => " stroke-dasharray=\"4 4\"",
                _ => "",
            };
            let width = 1.0 + 0.6 * branch.conductors.min(4) as f64;
            let mut title = escape(&branch.names.join(", "));
            if branch.loading.is_finite() {
                let _ = write!(title, ": {:.0} %", branch.loading * 100.0);
            }
            let _ = writeln!(
                self.text,
                "<g stroke=\"{stroke}\" fill=\"none\"><title>{title}</title><path d=\"M {x1:.1} \
                 {y1:.1} L {x2:.1} {y2:.1}\" stroke-width=\"{width:.1}\"{dashes}/>{}</g>",
                symbol(kind, f64::midpoint(x1, x2), f64::midpoint(y1, y2))
            );
            let middle = (f64::midpoint(x1, x2), f64::midpoint(y1, y2));
            self.room.lines.push(((x1, y1), (x2, y2)));
            match kind {
                Kind::Line | Kind::OpenLine => {}
                Kind::Transformer => self.room.taken.push(around(middle, 21.0, 14.0)),
                Kind::Closed | Kind::Open => self.room.taken.push(around(middle, 10.0, 10.0)),
            }
        }
    }

    /// Sources, loads, capacitors: beside their nodes.
    fn appliances(&mut self) {
        for source in &self.network.sources {
            let (x, y) = self.at(source.node);
            let _ = writeln!(
                self.text,
                "<g stroke=\"#333333\" fill=\"#ffffff\"><title>source {}</title><path d=\"M \
                 {x:.1} {y:.1} h -14\"/><circle cx=\"{:.1}\" cy=\"{y:.1}\" r=\"9\"/><path d=\"M \
                 {:.1} {y:.1} q 3 -6 5 0 t 5 0\" fill=\"none\"/></g>",
                escape(&source.name),
                x - 23.0,
                x - 28.0
            );
            self.room.taken.push([x - 33.0, y - 10.0, x, y + 10.0]);
        }
        let mut loads: BTreeMap<NodeId, (Complex64, usize)> = BTreeMap::new();
        for (at, load) in self.network.loads.iter().enumerate() {
            let own = loads.entry(load.connection.node).or_default();
            let state = self.flow().map(|flow| &flow.loads[at]);
            own.0 += state.map_or(Complex64::ZERO, |it| it.power_va.iter().sum());
            own.1 += 1;
        }
        for (node, (power, count)) in loads {
            let (x, y) = self.at(node);
            let (kw, kvar) = (power.re / 1000.0, power.im / 1000.0);
            let drawn = format!("{count} loads: {kw:.3} kW, {kvar:.3} kvar");
            let title = if self.flow().is_some() { drawn } else { format!("{count} loads") };
            let _ = writeln!(
                self.text,
                "<path d=\"M {x:.1} {y:.1} v 10 m -4 0 h 8 l -4 7 z\" stroke=\"#555555\" \
                 fill=\"#dddddd\"><title>{title}</title></path>"
            );
            self.room.taken.push([x - 5.0, y, x + 5.0, y + 18.0]);
        }
        for shunt in &self.network.shunts {
            let (x, y) = self.at(shunt.connection.node);
            let _ = writeln!(
                self.text,
                "<path d=\"M {x:.1} {y:.1} v -9 m -6 0 h 12 m -12 -3 h 12\" stroke=\"#555555\" \
                 fill=\"none\"><title>shunt {}</title></path>",
                escape(&shunt.name)
            );
            self.room.taken.push([x - 7.0, y - 13.0, x + 7.0, y]);
        }
    }

    fn nodes(&mut self, radius: f64) {
        for (number, node) in self.network.nodes.iter().enumerate() {
            let id = NodeId(number as u32);
            let (x, y) = self.at(id);
            let mut title = format!("node {}", escape(&node_name(self.network, number)));
            let fill = match self.shown {
                DiagramContent::Flow(flow, colouring) => {
                    let base = node.rated_voltage_v / 3f64.sqrt();
                    for wire in node.wires.iter().filter(|&wire| wire != Wire::Neutral) {
                        let volts = flow.nodes[number].voltage_v[wire.index()].norm();
                        let _ = write!(title, "; {wire} {:.4} pu", volts / base);
                    }
                    match colouring {
                        Colouring::Loading => "#333333".to_owned(),
                        _ => colour(VOLTAGE, self.shown_pu[number]),
                    }
                }
                DiagramContent::Supply(alive, _) => {
                    let fill = self.supplied(id, alive);
                    title.push_str(match fill {
                        DARK => ": no voltage",
                        PARTLY => ": not all phases have a voltage",
                        _ => "",
                    });
                    fill.to_owned()
                }
            };
            let _ = writeln!(
                self.text,
                "<g><title>{title}</title><circle cx=\"{x:.1}\" cy=\"{y:.1}\" \
                 r=\"{radius:.1}\" fill=\"{fill}\"/></g>"
            );
            self.room.taken.push(around((x, y), 2.0 * radius, 2.0 * radius));
        }
    }

    /// The scale with its unit, and what the marks are.
    fn legend(&mut self, height: f64) {
        let y = height - 62.0;
        match self.shown {
            DiagramContent::Flow(_, colouring) => self.scale(colouring, y),
            DiagramContent::Supply(..) => {
                let names = [(LIVE, "supplied"), (PARTLY, "some phases"), (DARK, "no voltage")];
                for ((fill, name), x) in names.into_iter().zip([0.0, 65.0, 150.0]) {
                    let x = MARGIN + x;
                    let _ = write!(
                        self.text,
                        "<rect x=\"{x:.1}\" y=\"{y:.1}\" width=\"10\" height=\"10\" \
                         fill=\"{fill}\"/><text x=\"{:.1}\" y=\"{:.1}\">{name}</text>",
                        x + 14.0,
                        y + 9.0
                    );
                }
            }
        }
        self.signs(y);
    }

    fn scale(&mut self, colouring: Colouring, y: f64) {
        let (scale, unit, factor) = match colouring {
            Colouring::Voltage => (VOLTAGE, "lowest voltage, pu of rated", 1.0),
            Colouring::Farthest => (VOLTAGE, "voltage farthest from the rated one, pu", 1.0),
            Colouring::Loading => (LOADING, "loading, % of rated (grey: no rating)", 100.0),
        };
        let (low, high) = (scale[0].0, scale[scale.len() - 1].0);
        for step in 0..40 {
            let value = low + (high - low) * (f64::from(step) + 0.5) / 40.0;
            let x = MARGIN + f64::from(step) * 5.0;
            let fill = colour(scale, value);
            let _ = write!(
                self.text,
                "<rect x=\"{x:.1}\" y=\"{y:.1}\" width=\"5.3\" height=\"10\" fill=\"{fill}\"/>"
            );
        }
        for &(value, _) in scale {
            let x = MARGIN + (value - low) / (high - low) * 200.0;
            let shown = value * factor;
            let shown = if factor == 1.0 { format!("{shown:.2}") } else { format!("{shown:.0}") };
            let _ = write!(
                self.text,
                "<text x=\"{x:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{shown}</text>",
                y + 22.0
            );
        }
        let _ = writeln!(self.text, "<text x=\"{MARGIN:.1}\" y=\"{:.1}\">{unit}</text>", y - 5.0);
    }

    /// What the marks of elements are.
    fn signs(&mut self, y: f64) {
        let (x, y) = (MARGIN + 240.0, y + 5.0);
        let marks = [
            (Kind::Transformer, "transformer", 0.0),
            (Kind::Closed, "switch", 100.0),
            (Kind::Open, "open", 170.0),
        ];
        for (kind, name, right) in marks {
            let dashes = if kind == Kind::Open { " stroke-dasharray=\"4 4\"" } else { "" };
            let _ = write!(
                self.text,
                "<g stroke=\"#333333\" fill=\"none\"><path d=\"M {:.1} {y:.1} h 26\"{dashes}/>{}\
                 </g><text x=\"{:.1}\" y=\"{:.1}\">{name}</text>",
                x + right,
                symbol(kind, x + right + 13.0, y),
                x + right + 31.0,
                y + 3.5
            );
        }
        let _ = writeln!(
            self.text,
            "<path d=\"M {:.1} {:.1} h 8 l -4 7 z\" stroke=\"#555555\" fill=\"#dddddd\"/><text \
             x=\"{:.1}\" y=\"{:.1}\">load</text>",
            x + 242.0,
            y - 3.5,
            x + 255.0,
            y + 3.5
        );
    }
}

/// A node as it is called in a picture: of one that divides a line the share as a percentage.
pub(super) fn node_name(network: &Network, number: usize) -> String {
    let name = &network.nodes[number].name;
    let place = name.rsplit_once(" at ");
    let share = place.and_then(|(line, share)| Some((line, share.parse::<f64>().ok()?)));
    match share.filter(|(_, share)| *share > 0.0 && *share < 1.0) {
        Some((line, share)) if network.lines.iter().any(|it| *it.name == *line) => {
            format!("{line} at {} %", (share * 1e3).round() / 10.0)
        }
        _ => name.to_string(),
    }
}

fn symbol(kind: Kind, x: f64, y: f64) -> String {
    match kind {
        Kind::Line | Kind::OpenLine => String::new(),
        Kind::Transformer => format!(
            "<circle cx=\"{:.1}\" cy=\"{y:.1}\" r=\"6\" fill=\"#ffffff\"/><circle cx=\"{:.1}\" \
             cy=\"{y:.1}\" r=\"6\"/>",
            x - 3.5,
            x + 3.5
        ),
        Kind::Closed | Kind::Open => format!(
            "<rect x=\"{:.1}\" y=\"{:.1}\" width=\"8\" height=\"8\" fill=\"{}\" \
             stroke-dasharray=\"none\"/>",
            x - 4.0,
            y - 4.0,
            if kind == Kind::Closed { "#333333" } else { "#ffffff" }
        ),
    }
}
