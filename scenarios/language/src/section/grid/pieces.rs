//! Elements of a network by name, and the switches that are put in front of what has none.

use std::collections::BTreeMap;

use lastmeter_grid::Network;
use lastmeter_grid::motion::{Piece, cut};
use lastmeter_grid::network::Wire;
use lastmeter_grid::transient::Pole;
use lastmeter_params::{Code, Diagnostics, Span, nearest};

/// The switches that were put in front of pieces.
#[derive(Debug, Default)]
pub(super) struct Pieces {
    cut: BTreeMap<Piece, usize>,
}

/// What can be opened, by the word before the colon.
const WHAT: &str = "`switch:NAME`, `line:NAME`, `transformer:NAME`, `load:NAME` or `source:NAME`";

impl Pieces {
    /// The switch between a transformer's star point and the neutral wire that begins there, put
    /// there where it has none.
    pub(super) fn star_point(
        &mut self,
        name: &str,
        span: Span,
        network: &mut Network,
        out: &mut Diagnostics,
    ) -> Option<usize> {
        let names = network.transformers.iter().map(|it| &*it.name);
        let at = find(names, ("transformer", name), span, out)?;
        let switch = self.put(Piece::StarPoint(at), network);
        if switch.is_none() {
            let message = format!("no neutral wire begins at transformer `{name}`");
            let label = "expected a group with `n`, and a node with a wire `n`";
            out.report(Code::DOES_NOT_FIT, span, message, label);
        }
        switch
    }

    /// The switch of an element, put in front of it where it has none.
    pub(super) fn switch(
        &mut self,
        element: &str,
        span: Span,
        network: &mut Network,
        out: &mut Diagnostics,
    ) -> Option<usize> {
        let Some((what, name)) = element.split_once(':') else {
            return refuse(element, WHAT, span, out);
        };
        let switches = || network.switches.iter().map(|it| &*it.name);
        let lines = || network.lines.iter().map(|it| &*it.name);
        let piece = match what {
            "switch" => return find(switches(), ("switch", name), span, out),
            "breaker" => match switches().position(|own| own == name) {
                found @ Some(_) => return found,
                None => Piece::Line(find(lines(), ("breaker", name), span, out)?),
            },
            "line" => Piece::Line(find(lines(), ("line", name), span, out)?),
            "transformer" => {
                let names = network.transformers.iter().map(|it| &*it.name);
                Piece::Transformer(find(names, ("transformer", name), span, out)?)
            }
            "load" => {
                let names = network.loads.iter().map(|it| &*it.name);
                Piece::Load(find(names, ("load", name), span, out)?)
            }
            "source" => {
                let names = network.sources.iter().map(|it| &*it.name);
                Piece::Source(find(names, ("source", name), span, out)?)
            }
            _ => return refuse(element, WHAT, span, out),
        };
        self.put(piece, network)
    }

    fn put(&mut self, piece: Piece, network: &mut Network) -> Option<usize> {
        if let Some(switch) = self.cut.get(&piece) {
            return Some(*switch);
        }
        let switch = cut(network, piece)?;
        self.cut.insert(piece, switch);
        Some(switch)
    }
}

fn refuse<T>(element: &str, expected: &str, span: Span, out: &mut Diagnostics) -> Option<T> {
    let message = format!("`{element}` is nothing that this can be about");
    out.report(Code::BAD_NAME, span, message, format!("expected {expected}"));
    None
}

pub(crate) fn find<'a>(
    mut names: impl Iterator<Item = &'a str> + Clone,
    (what, name): (&str, &str),
    span: Span,
    out: &mut Diagnostics,
) -> Option<usize> {
    let all = names.clone();
    let found = names.position(|own| own == name);
    if found.is_none() {
        let near = nearest(name, all).map(|near| format!("did you mean `{near}`?"));
        let message = format!("the network has no {what} `{name}`");
        out.report_with_help(Code::BAD_NAME, span, message, "not in the network's file", near);
    }
    found
}

/// The poles of a switch that belong to phases such as `ab`; none if it does not have one.
pub(crate) fn poles(network: &Network, switch: usize, phases: &str) -> Option<Vec<Pole>> {
    let wires = network.switches.get(switch)?.from.wires;
    let wires = wires.as_slice();
    let pole = |wire: Wire| wires.iter().position(|own| *own == wire).map(Pole::One);
    let wanted: Vec<Wire> = wires_of(phases);
    if wires.iter().all(|wire| wanted.contains(wire)) {
        return Some(vec![Pole::All]);
    }
    // What has fewer conductors has those.
    let has = |wire: &&Wire| phases.len() < 3 || wires.contains(wire);
    wanted.iter().filter(has).map(|wire| pole(*wire)).collect()
}

/// The wires of letters.
pub(crate) fn wires_of(phases: &str) -> Vec<Wire> {
    let of =
        |letter: char| Wire::ALL.into_iter().find(|wire| wire.to_string() == letter.to_string());
    phases.chars().filter_map(of).collect()
}
