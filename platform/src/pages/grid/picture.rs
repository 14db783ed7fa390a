//! The one-line picture of a network: each element a link with its state in its name. States are
//! shapes and dashes first, and colours then; places stay as switches move.

use lastmeter_grid::diagram;
use lastmeter_text::{append, escape, grouped};

use super::Drawn;
use super::tree::letter;
use crate::ops::grid::{ElementKind, Model, Supply};
use crate::ops::outages::{Candidate, Outage};
use crate::pages::viewer::in_address;

/// Pixels around the picture, and how much rows are apart beside what the layout has.
const MARGIN: f64 = 40.0;
const ROWS_APART: f64 = 1.4;
/// Pixels from a node down to what is connected to it, and from one of these to the next.
const BELOW: f64 = 28.0;
const BESIDE: f64 = 26.0;
/// Above so many connections at a node they are one mark.
const MARKS_MAX: usize = 3;
/// Up to how many nodes their names are written, and how many letters of them.
const NAMES_MAX: usize = 150;
const LETTERS_MAX: usize = 12;

/// The name under which an element of a kind stands in an address.
pub(super) fn key(kind: ElementKind) -> &'static str {
    match kind {
        ElementKind::Node => "n",
        ElementKind::Line => "l",
        ElementKind::Switch => "s",
        ElementKind::Transformer => "t",
        ElementKind::Source => "i",
        ElementKind::Load => "c",
        ElementKind::Generator => "g",
    }
}

/// Shapes of marks, by kind and by the letter of the state.
const SHAPES: &str = "<defs>\
<circle id=\"ne\" r=\"5\"/>\
<g id=\"nn\"><circle r=\"5\" class=\"hollow\"/><path d=\"M-7-7L7 7M7-7L-7 7\"/></g>\
<g id=\"np\"><circle r=\"5\" class=\"hollow\"/>\
<path class=\"half\" d=\"M0-5a5 5 0 0 1 0 10z\"/></g>\
<g id=\"nu\"><circle r=\"8\" class=\"hollow\"/><text y=\"5\" class=\"ask\">?</text></g>\
<path id=\"ce\" d=\"M-7-6H7L0 7z\"/>\
<g id=\"cn\"><path class=\"hollow\" d=\"M-7-6H7L0 7z\"/><path d=\"M-8-8L8 8M8-8L-8 8\"/></g>\
<g id=\"cp\"><path class=\"hollow\" d=\"M-7-6H7L0 7z\"/>\
<path class=\"half\" d=\"M0-6H7L0 7z\"/></g>\
<g id=\"cu\"><path class=\"hollow\" d=\"M-10-8H10L0 11z\"/><text y=\"3\" class=\"ask\">?</text></g>\
<path id=\"sc\" d=\"M-7-7H7V7H-7z\"/>\
<path id=\"so\" class=\"hollow\" d=\"M-7-7H7V7H-7z\"/>\
<g id=\"sq\"><path class=\"hollow\" d=\"M-9-9H9V9H-9z\"/><text y=\"5\" class=\"ask\">?</text></g>\
<path id=\"t\" class=\"hollow\" d=\"M-13 0a8 8 0 1 1 16 0a8 8 0 1 1-16 0\
M-3 0a8 8 0 1 1 16 0a8 8 0 1 1-16 0\"/>\
<path id=\"i\" class=\"hollow\" d=\"M-9 0a9 9 0 1 1 18 0a9 9 0 1 1-18 0M-5 1q2.500-6 5 0t5 0\"/>\
<g id=\"x\"><path class=\"hollow\" d=\"M0-11L11 0L0 11L-11 0z\"/>\
<path d=\"M-4-4L4 4M4-4L-4 4\"/></g>\
</defs>";

struct Picture<'a> {
    of: &'a Drawn<'a>,
    places: Vec<(f64, f64)>,
    out: String,
}

/// The picture as SVG, with the faults of outages.
pub(super) fn svg(of: &Drawn<'_>, outages: &[Outage]) -> String {
    let model = of.model;
    let place = |(x, y): &(f64, f64)| (x + MARGIN, y * ROWS_APART + MARGIN);
    let places: Vec<(f64, f64)> = diagram::places(&normal(model)).iter().map(place).collect();
    let largest = |of: fn(&(f64, f64)) -> f64| places.iter().map(of).fold(0.0_f64, f64::max);
    let width = (largest(|it| it.0) + MARGIN + 60.0).round();
    let height = (largest(|it| it.1) + MARGIN + BELOW).round();
    let out = format!(
        "<svg class=\"one-line\" width=\"{width}\" height=\"{height}\" viewBox=\"0 0 {width} \
         {height}\" role=\"group\" aria-label=\"One-line picture\">{SHAPES}\n"
    );
    let mut picture = Picture { of, places, out };
    for at in 0..model.elements.len() {
        picture.branch(at);
    }
    for node in 0..model.network.nodes.len() {
        picture.node(node);
    }
    picture.appliances();
    for outage in outages {
        for candidate in outage.faults.iter().flat_map(|fault| fault.candidates.iter().enumerate())
        {
            picture.candidate(outage, candidate);
        }
    }
    picture.out.push_str("</svg>");
    picture.out
}

/// The network without the lines that are open switches: they join nothing in the layout.
pub(super) fn normal(model: &Model) -> lastmeter_grid::Network {
    let mut network = model.network.clone();
    network.lines.retain(|line| line.from_closed || line.to_closed);
    network
}

/// Down or up to the row of the end, and along it.
fn bent((x1, y1): (f64, f64), (x2, y2): (f64, f64)) -> String {
    if y1 == y2 {
        format!("M{x1:.0} {y1:.0}H{x2:.0}")
    } else {
        format!("M{x1:.0} {y1:.0}V{y2:.0}H{x2:.0}")
    }
}

/// A mark at a place.
fn mark(shape: &str, (x, y): (f64, f64)) -> String {
    format!("<use href=#{shape} x={x:.0} y={y:.0} />")
}

impl Picture<'_> {
    fn link(&mut self, at: usize, drawn: &str) {
        let (element, state) = (&self.of.model.elements[at], self.of.states[at]);
        append(
            &mut self.out,
            format_args!(
                "<a href=\"{}\" class={}><title>{}, {}</title>{drawn}</a>\n",
                self.of.link(element),
                letter(state),
                escape(&super::named(element)),
                state.text()
            ),
        );
    }

    /// The way of what joins two nodes: along the row of the one behind, if it is of the tree; and
    /// the middle of it.
    fn way(&self, at: usize) -> (String, [(f64, f64); 2]) {
        let [from, to] = self.of.model.elements[at].ends;
        let (start, end) = (self.places[from], self.places[to]);
        let is_via = |node: usize| self.of.walk.via[node].is_some_and(|(via, _)| via == at);
        let ((x1, y1), (x2, y2)) = (start, end);
        if is_via(to) {
            (bent(start, end), [(x1, y2), end])
        } else if is_via(from) {
            (bent(end, start), [start, (x2, y1)])
        } else {
            (format!("M{x1:.0} {y1:.0}L{x2:.0} {y2:.0}"), [start, end])
        }
    }

    fn branch(&mut self, at: usize) {
        let kind = self.of.model.elements[at].kind;
        if !kind.joins() {
            return;
        }
        let (way, [(x1, y1), (x2, y2)]) = self.way(at);
        let (x, y) = (f64::midpoint(x1, x2), f64::midpoint(y1, y2));
        let shape = match (kind, letter(self.of.states[at])) {
            (ElementKind::Transformer, _) => "t",
            (ElementKind::Switch, 'o') => "so",
            (ElementKind::Switch, 'q') => "sq",
            (ElementKind::Switch, _) => "sc",
            _ => "",
        };
        let mut drawn = format!("<path d=\"{way}\"/>");
        if !shape.is_empty() {
            drawn.push_str(&mark(shape, (x, y)));
        }
        if kind == ElementKind::Switch {
            self.name(&mut drawn, &self.of.model.elements[at].name, (x, y - 12.0));
        }
        self.link(at, &drawn);
    }

    /// A name beside a mark, if there are not too many.
    fn name(&self, drawn: &mut String, name: &str, (x, y): (f64, f64)) {
        if self.of.model.network.nodes.len() > NAMES_MAX {
            return;
        }
        let short: String = name.chars().take(LETTERS_MAX).collect();
        append(drawn, format_args!("<text x=\"{x:.0}\" y=\"{y:.0}\">{}</text>", escape(&short)));
    }

    fn node(&mut self, node: usize) {
        let (x, y) = self.places[node];
        let state = letter(self.of.states[node]);
        let mut drawn = mark(&format!("n{state}"), (x, y));
        self.name(&mut drawn, &self.of.model.elements[node].name, (x, y - 12.0));
        self.link(node, &drawn);
    }

    /// Sources, connections and generators, below their nodes; many connections of a node are one
    /// mark with their count, which leads to the node.
    fn appliances(&mut self) {
        let mut at_node = vec![Vec::new(); self.places.len()];
        for (at, element) in self.of.model.elements.iter().enumerate() {
            match element.kind {
                ElementKind::Source => {
                    let (x, y) = self.places[element.ends[0]];
                    self.link(at, &mark("i", (x - BESIDE, y)));
                }
                ElementKind::Load | ElementKind::Generator => at_node[element.ends[0]].push(at),
                _ => {}
            }
        }
        for (node, found) in at_node.iter().enumerate() {
            let (x, y) = (self.places[node].0, self.places[node].1 + BELOW);
            if found.len() > MARKS_MAX {
                self.many(node, found, (x, y));
                continue;
            }
            for (place, &at) in found.iter().enumerate() {
                let x = x + BESIDE * place as f64;
                let state = letter(self.of.states[at]);
                self.link(at, &mark(&format!("c{state}"), (x, y)));
            }
        }
    }

    fn many(&mut self, node: usize, found: &[usize], (x, y): (f64, f64)) {
        let count = |meant: &[Supply]| {
            found.iter().filter(|at| meant.contains(&self.of.states[**at].supply())).count()
        };
        let without = count(&[Supply::No, Supply::Partly]);
        let (unknown, all) = (count(&[Supply::Unknown]), found.len());
        let state = match () {
            () if without == all => 'n',
            () if without > 0 => 'p',
            () if unknown > 0 => 'u',
            () => 'e',
        };
        append(
            &mut self.out,
            format_args!(
                "<a href=\"{}\" class=\"{state}\"><title>{all} at {}: {without} without supply, \
                 {unknown} unknown</title><use href=\"#c{state}\" x=\"{x:.0}\" y=\"{y:.0}\"/>\
                 <text x=\"{:.0}\" y=\"{:.0}\">{all}</text></a>\n",
                self.of.link(&self.of.model.elements[node]),
                escape(&self.of.model.elements[node].name),
                x + 12.0,
                y + 4.0
            ),
        );
    }

    /// A place where a fault may be, on its line, as far along as is known.
    fn candidate(&mut self, outage: &Outage, (rank, candidate): (usize, &Candidate)) {
        let Some(at) = self.of.model.find(ElementKind::Line.word(), &candidate.line) else {
            return;
        };
        let lines_at = self.of.model.network.nodes.len();
        let length = self.of.model.network.lines.get(at - lines_at).and_then(|line| line.length_m);
        let share = length.map_or(0.5, |length| (candidate.along_m / length).clamp(0.0, 1.0));
        let [from, to] = self.way(at).1;
        let (x, y) = (from.0 + (to.0 - from.0) * share, from.1 + (to.1 - from.1) * share);
        append(
            &mut self.out,
            format_args!(
                "<a href=\"/grid/outages/{}\" class=\"x\"><title>Fault, place {}: {} m from the \
                 station, on {}</title><use href=\"#x\" x=\"{x:.0}\" y=\"{y:.0}\"/><text \
                 x=\"{x:.0}\" y=\"{:.0}\">{}</text></a>\n",
                in_address(&outage.token),
                rank + 1,
                grouped(candidate.distance_m, 0),
                escape(&candidate.line),
                y + 22.0,
                rank + 1
            ),
        );
    }
}
