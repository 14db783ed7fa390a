//! An electric network as operators see it: its elements by kind and name, and which of them have
//! supply. What is known only if the position of a switch is known is unknown.

use std::collections::{BTreeMap, BTreeSet};

use lastmeter_grid::Network;
use lastmeter_grid::format::pgm::{self, Component};
use lastmeter_grid::topology::supply;
use lastmeter_model::entity::ElectricNetwork;

lastmeter_units::words! {
    /// What an element is, as areas of outages name it.
    pub(crate) enum ElementKind {
        Node = "node",
        Line = "line",
        Switch = "switch",
        Transformer = "transformer",
        Source = "source",
        Load = "load",
        Generator = "generator",
    }
}

impl ElementKind {
    /// Whether elements of it join two nodes.
    pub(crate) fn joins(self) -> bool {
        matches!(self, Self::Line | Self::Switch | Self::Transformer)
    }
}

lastmeter_units::words! {
    /// How a switch stands.
    pub(crate) enum Position {
        Open = "open",
        Closed = "closed",
        Unknown = "position unknown",
    }
}

lastmeter_units::words! {
    /// Whether an element has supply.
    pub(crate) enum Supply {
        Yes = "energised",
        Partly = "no supply on some phases",
        No = "no supply",
        Unknown = "supply unknown",
    }
}

/// Phases as bits, the first phase lowest.
pub(crate) type Phases = u8;
pub(crate) const ALL_PHASES: Phases = 0b111;

/// Phases by their letters; those that are none are left out.
pub(crate) fn phases_of(letters: &str) -> Phases {
    let bit = |letter: char| match letter.to_ascii_lowercase() {
        'a' => 1,
        'b' => 2,
        'c' => 4,
        _ => 0,
    };
    letters.chars().fold(0, |all, letter| all | bit(letter))
}

/// One element.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Element {
    pub(crate) kind: ElementKind,
    pub(crate) name: String,
    /// Index into the network's list.
    at: usize,
    /// The nodes that it joins; twice the same where it stands at one.
    pub(crate) ends: [usize; 2],
}

/// The state of an element.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct State {
    /// How it stands, if it is a switch.
    pub(crate) position: Option<Position>,
    /// Phases that have no voltage for sure.
    dark: Phases,
    is_doubtful: bool,
}

impl State {
    pub(crate) fn supply(self) -> Supply {
        match self {
            Self { dark: ALL_PHASES, .. } => Supply::No,
            Self { is_doubtful: true, .. } => Supply::Unknown,
            Self { dark: 0, .. } => Supply::Yes,
            _ => Supply::Partly,
        }
    }

    /// The state in words.
    pub(crate) fn text(self) -> String {
        let supply = match (self.supply(), self.dark) {
            (Supply::Partly, dark) => {
                let letters = [(1, "a"), (2, "b"), (4, "c")];
                let dark = letters.iter().filter(|(bit, _)| dark & bit != 0).map(|(_, name)| *name);
                format!("no supply on phase {}", dark.collect::<Vec<_>>().join(", "))
            }
            (supply, _) => supply.word().to_owned(),
        };
        match self.position {
            None => supply,
            Some(Position::Closed) => format!("closed, {supply}"),
            Some(position) => position.word().to_owned(),
        }
    }
}

/// What an outage takes from a network.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Cut {
    /// Elements that have failed, with the phases.
    pub(crate) failed: Vec<(usize, Phases)>,
    /// Connections that have supply again, and those of which it is not known.
    pub(crate) lit: Vec<usize>,
    pub(crate) doubtful: Vec<usize>,
}

/// A network with its elements: nodes, lines and switches, transformers, sources, loads.
pub(crate) struct Model {
    /// With its switches in their normal positions.
    pub(crate) network: Network,
    pub(crate) elements: Vec<Element>,
    /// Of each declared switch its element; none where the model has no line or link of its number.
    pub(crate) switches: Vec<Option<usize>>,
}

impl Model {
    /// Reads a network.
    ///
    /// # Errors
    /// What the model has that is no power-grid-model JSON, in the words of its reader.
    pub(crate) fn read(given: &ElectricNetwork) -> Result<Self, String> {
        let read = pgm::read("model", &given.model).map_err(|refusal| refusal.to_string())?;
        let mut network = read.network;
        let lines_at = network.nodes.len();
        let is_line = |element: &&pgm::Element| {
            let lines = [Component::Line, Component::AsymLine, Component::Link];
            lines.contains(&element.component)
        };
        let line_of: BTreeMap<i64, usize> = read
            .elements
            .iter()
            .filter(is_line)
            .map(|element| (i64::from(element.id), element.at as usize))
            .collect();
        let lines: Vec<Option<usize>> =
            given.switches.iter().map(|switch| line_of.get(&switch.id).copied()).collect();
        for (line, switch) in lines.iter().zip(&given.switches) {
            if let Some(line) = line.and_then(|line| network.lines.get_mut(line)) {
                (line.from_closed, line.to_closed) = (switch.normal, switch.normal);
            }
        }
        let elements = elements(&network, &lines.iter().flatten().copied().collect());
        let switches = lines.iter().map(|line| line.map(|line| lines_at + line)).collect();
        Ok(Self { network, elements, switches })
    }

    /// The element of a kind and name; what joins two nodes may be called a line or a switch.
    pub(crate) fn find(&self, kind: &str, name: &str) -> Option<usize> {
        let joins = [ElementKind::Line.word(), ElementKind::Switch.word()];
        let is_meant = |one: &Element| {
            let own = one.kind.word();
            one.name == name && (own == kind || joins.contains(&own) && joins.contains(&kind))
        };
        self.elements.iter().position(is_meant)
    }

    /// The normal positions of its switches.
    pub(crate) fn normal(&self) -> Vec<Option<bool>> {
        let line = |at: usize| Some(self.network.lines.get(self.elements[at].at)?.from_closed);
        self.switches.iter().map(|switch| line((*switch)?)).collect()
    }

    /// Whether an element is a line or switch that is open at both ends, as switches normally are.
    pub(crate) fn is_open(&self, element: usize) -> bool {
        let Element { kind, at, .. } = self.elements[element];
        let line = self.network.lines.get(at).filter(|_| kind != ElementKind::Transformer);
        line.is_some_and(|line| !line.from_closed && !line.to_closed)
    }

    /// Where customers are connected.
    pub(crate) fn connections(&self) -> impl Iterator<Item = usize> + '_ {
        let is_one = |(_, element): &(usize, &Element)| element.kind == ElementKind::Load;
        self.elements.iter().enumerate().filter(is_one).map(|(at, _)| at)
    }

    /// The state of each element, given that of each declared switch, if it is known, and what
    /// outages take.
    pub(crate) fn states(&self, closed: &[Option<bool>], cuts: &[Cut]) -> Vec<State> {
        let low = self.switched(closed, false);
        let doubtful = State { position: None, dark: 0, is_doubtful: true };
        let both = (self.reach(&low), self.reach(&self.switched(closed, true)));
        let (Some(sure), Some(possible)) = both else {
            return vec![doubtful; self.elements.len()];
        };
        let state = |(sure, possible): (&bool, &bool)| State {
            position: None,
            dark: if *possible { 0 } else { ALL_PHASES },
            is_doubtful: *possible && !*sure,
        };
        let mut states: Vec<State> = sure.iter().zip(&possible).map(state).collect();
        for (switch, closed) in self.switches.iter().zip(closed) {
            let position = match closed {
                Some(true) => Position::Closed,
                Some(false) => Position::Open,
                None => Position::Unknown,
            };
            if let Some(state) = switch.and_then(|at| states.get_mut(at)) {
                state.position = Some(position);
            }
        }
        for cut in cuts {
            for &(failed, phases) in &cut.failed {
                let Some(element) = self.elements.get(failed) else { continue };
                let without = self.without(&low, element).unwrap_or_else(|| sure.clone());
                let lost = sure.iter().zip(&without).map(|(before, after)| *before && !*after);
                for (at, _) in lost.enumerate().filter(|(at, lost)| *lost || *at == failed) {
                    states[at].dark |= phases;
                }
            }
            for &at in &cut.doubtful {
                (states[at].dark, states[at].is_doubtful) = (0, true);
            }
            for &at in &cut.lit {
                (states[at].dark, states[at].is_doubtful) = (0, false);
            }
        }
        self.of_own_phases(states)
    }

    /// A connection whose phases are all dark is dark, and phases that it has not do not count.
    fn of_own_phases(&self, mut states: Vec<State>) -> Vec<State> {
        let first = self.elements.len() - self.network.loads.len();
        for (load, state) in self.network.loads.iter().zip(&mut states[first..]) {
            let drawn = load.power_va.iter().enumerate();
            let own = drawn.filter(|(_, power)| power.norm() > 0.0);
            let own = own.fold(0, |all, (phase, _)| all | 1 << phase);
            let own = if own == 0 { ALL_PHASES } else { own };
            let dark = state.dark & own;
            state.dark = if dark == own { ALL_PHASES } else { dark };
        }
        states
    }

    /// The network with its switches as they stand, unknown ones in a position.
    fn switched(&self, closed: &[Option<bool>], unknown: bool) -> Network {
        let mut network = self.network.clone();
        for (switch, closed) in self.switches.iter().zip(closed) {
            let line = switch.and_then(|at| network.lines.get_mut(self.elements[at].at));
            if let Some(line) = line {
                let closed = closed.unwrap_or(unknown);
                (line.from_closed, line.to_closed) = (closed, closed);
            }
        }
        network
    }

    /// What has supply without an element, if it gives any to others.
    fn without(&self, network: &Network, element: &Element) -> Option<Vec<bool>> {
        use ElementKind::{Generator, Load, Node};
        if matches!(element.kind, Node | Load | Generator) {
            return None;
        }
        let (mut network, at) = (network.clone(), element.at);
        match element.kind {
            ElementKind::Line | ElementKind::Switch => {
                let line = &mut network.lines[at];
                (line.from_closed, line.to_closed) = (false, false);
            }
            ElementKind::Transformer => network.transformers[at].closed.fill(false),
            ElementKind::Source => network.sources[at].connected = false,
            Node | Load | Generator => {}
        }
        self.reach(&network)
    }

    /// Of each element whether a source reaches it; none if the network's topology cannot be
    /// determined.
    fn reach(&self, network: &Network) -> Option<Vec<bool>> {
        let supply = supply(network).ok()?;
        let is_live = |node: usize| supply.is_live(supply.group[node]);
        let is_reached = |element: &Element| {
            let [from, to] = element.ends;
            match element.kind {
                ElementKind::Node => is_live(from),
                ElementKind::Line | ElementKind::Switch => {
                    let line = &network.lines[element.at];
                    (line.from_closed && is_live(from)) || (line.to_closed && is_live(to))
                }
                ElementKind::Transformer => {
                    let of = &network.transformers[element.at];
                    let nodes = of.windings.iter().map(|it| it.connection.node.index());
                    nodes.zip(&of.closed).any(|(node, closed)| *closed && is_live(node))
                }
                ElementKind::Source => network.sources[element.at].connected && is_live(from),
                ElementKind::Load | ElementKind::Generator => {
                    network.loads[element.at].connected && is_live(from)
                }
            }
        };
        Some(self.elements.iter().map(is_reached).collect())
    }
}

/// All elements, list by list.
fn elements(network: &Network, switches: &BTreeSet<usize>) -> Vec<Element> {
    let mut all = Vec::new();
    let mut add = |kind, name: &str, at, ends| {
        all.push(Element { kind, name: name.to_owned(), at, ends });
    };
    for (at, node) in network.nodes.iter().enumerate() {
        add(ElementKind::Node, &node.name, at, [at, at]);
    }
    for (at, line) in network.lines.iter().enumerate() {
        let is_switch = switches.contains(&at);
        let kind = if is_switch { ElementKind::Switch } else { ElementKind::Line };
        add(kind, &line.name, at, [line.from.node.index(), line.to.node.index()]);
    }
    for (at, of) in network.transformers.iter().enumerate() {
        let node = |winding: usize| of.windings.get(winding).map(|it| it.connection.node.index());
        let from = node(0).unwrap_or_default();
        add(ElementKind::Transformer, &of.name, at, [from, node(1).unwrap_or(from)]);
    }
    for (at, source) in network.sources.iter().enumerate() {
        let node = source.node.index();
        add(ElementKind::Source, &source.name, at, [node, node]);
    }
    for (at, load) in network.loads.iter().enumerate() {
        let kind = if load.generator { ElementKind::Generator } else { ElementKind::Load };
        let node = load.connection.node.index();
        add(kind, &load.name, at, [node, node]);
    }
    all
}
