//! A network as a tree: from each source along its heaviest way, laterals within. Its order follows
//! the network with its switches in their normal positions, so that it stays as switches move.

use lastmeter_grid::diagram::{self, Tree};
use lastmeter_text::{append, escape, plural};

use super::Drawn;
use super::picture::normal;
use crate::ops::grid::{ElementKind, Model, State, Supply};

/// Up to how many elements all laterals are shown.
const ALL_OPEN: usize = 60;

/// Where the tree branches.
pub(super) struct Walk {
    /// Of each node the element by which it is reached, and the node before it.
    pub(super) via: Vec<Option<(usize, usize)>>,
    /// Of each node: the nodes behind it, those with most behind them last.
    children: Vec<Vec<usize>>,
    /// Of each node what stands at it, and what joins it to others beside the tree.
    here: Vec<Vec<usize>>,
    roots: Vec<usize>,
}

impl Walk {
    pub(super) fn of(model: &Model) -> Self {
        let Tree { order, parents, .. } = diagram::tree(&normal(model));
        let mut via = vec![None; parents.len()];
        let (mut here, mut beside) = (vec![Vec::new(); parents.len()], Vec::new());
        for (at, element) in model.elements.iter().enumerate() {
            let [from, to] = element.ends;
            if element.kind.joins() {
                let is_next = |(node, before): &(usize, usize)| {
                    parents[*node] == Some(*before) && via[*node].is_none()
                };
                let ways = [(to, from), (from, to)].into_iter().filter(|_| !model.is_open(at));
                match ways.into_iter().find(is_next) {
                    Some((node, before)) => via[node] = Some((at, before)),
                    None => beside.push((from, at)),
                }
            } else if element.kind != ElementKind::Node {
                here[from].push(at);
            }
        }
        for (node, at) in beside {
            here[node].push(at);
        }
        let (mut children, mut roots) = (vec![Vec::new(); parents.len()], Vec::new());
        for &node in &order {
            match parents[node] {
                Some(before) => children[before].push(node),
                None => roots.push(node),
            }
        }
        let mut weight: Vec<usize> = here.iter().map(|here| 1 + here.len()).collect();
        for &node in order.iter().rev() {
            if let Some(before) = parents[node] {
                weight[before] += weight[node];
            }
        }
        // What leads to no further node stands where it begins, and the heaviest way last.
        for children in &mut children {
            children.sort_by_key(|&child| (weight[child], std::cmp::Reverse(child)));
        }
        Self { via, children, here, roots }
    }
}

/// The letter of a state, as classes and shapes have it.
pub(super) fn letter(state: State) -> char {
    use crate::ops::grid::Position::{Closed, Open, Unknown};
    match (state.position, state.supply()) {
        (Some(Open), _) => 'o',
        (Some(Unknown), _) => 'q',
        (Some(Closed) | None, Supply::Yes) => 'e',
        (Some(Closed) | None, Supply::Partly) => 'p',
        (Some(Closed) | None, Supply::No) => 'n',
        (Some(Closed) | None, Supply::Unknown) => 'u',
    }
}

/// The tree as nested lists; `chosen` is the element that is looked at.
pub(super) fn html(of: &Drawn<'_>, chosen: Option<usize>) -> String {
    let lists = Lists { of, chosen, is_all_open: of.model.elements.len() <= ALL_OPEN };
    let mut out = String::from("<ul class=\"tree\">");
    for &root in &of.walk.roots {
        out.push_str(&lists.run(root).text);
    }
    out.push_str("</ul>");
    out
}

struct Lists<'a> {
    of: &'a Drawn<'a>,
    chosen: Option<usize>,
    is_all_open: bool,
}

/// A part of the tree, and what there is to know of it while it is closed.
#[derive(Default)]
struct Part {
    text: String,
    /// The state of the row that is being written: what stands at a node in one state is a row.
    row: Option<State>,
    connections: usize,
    without: usize,
    unknown: usize,
    has_chosen: bool,
}

impl Part {
    fn end_row(&mut self) {
        if let Some(state) = self.row.take() {
            append(&mut self.text, format_args!("{}\n", state.text()));
        }
    }

    fn take(&mut self, other: &Self) {
        self.connections += other.connections;
        self.without += other.without;
        self.unknown += other.unknown;
        self.has_chosen |= other.has_chosen;
    }
}

impl Lists<'_> {
    /// A node and what is behind it along its heaviest way.
    fn run(&self, first: usize) -> Part {
        let (mut part, mut next) = (Part::default(), Some(first));
        while let Some(node) = next {
            let via = self.of.walk.via[node].map(|(via, _)| via);
            for at in via.into_iter().chain([node]).chain(self.of.walk.here[node].iter().copied()) {
                self.entry(at, &mut part);
            }
            part.end_row();
            let (heaviest, laterals) = match self.of.walk.children[node].split_last() {
                Some((heaviest, laterals)) => (Some(*heaviest), laterals),
                None => (None, &[][..]),
            };
            for &lateral in laterals.iter().rev() {
                let inner = self.run(lateral);
                self.lateral(node, &inner, &mut part.text);
                part.take(&inner);
            }
            next = heaviest;
        }
        part
    }

    fn lateral(&self, node: usize, inner: &Part, out: &mut String) {
        let needs_eyes = inner.without > 0 || inner.unknown > 0 || inner.has_chosen;
        let open = if needs_eyes || self.is_all_open { " open" } else { "" };
        let name = escape(&self.of.model.elements[node].name);
        let mut behind = plural(inner.connections as u64, "connection");
        if inner.without > 0 {
            append(&mut behind, format_args!(", {} without supply", inner.without));
        }
        if inner.unknown > 0 {
            append(&mut behind, format_args!(", {} unknown", inner.unknown));
        }
        append(
            out,
            format_args!(
                "<li><details{open}><summary>Lateral at {name}: {behind}</summary>\n<ul>{}</ul>\
                 </details></li>\n",
                inner.text
            ),
        );
    }

    fn entry(&self, at: usize, part: &mut Part) {
        let (element, state) = (&self.of.model.elements[at], self.of.states[at]);
        if element.kind == ElementKind::Load {
            part.connections += 1;
            match state.supply() {
                Supply::Yes => {}
                Supply::No | Supply::Partly => part.without += 1,
                Supply::Unknown => part.unknown += 1,
            }
        }
        let is_chosen = self.chosen == Some(at);
        part.has_chosen |= is_chosen;
        if part.row != Some(state) {
            part.end_row();
            append(&mut part.text, format_args!("<li class={}>", letter(state)));
            part.row = Some(state);
        }
        let id = if is_chosen { " id=\"here\"" } else { "" };
        let (to, name) = (self.of.link(element), escape(&super::named(element)));
        append(&mut part.text, format_args!("<a{id} href=\"{to}\">{name}</a> "));
    }
}
