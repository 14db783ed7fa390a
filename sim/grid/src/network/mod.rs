//! The network as it is described: nodes, and what is connected to them.
//!
//! All figures are in SI units and of the whole element (a line's impedance, not that of its
//! kilometre), so no element needs another one, or a base, to be understood. Elements refer to
//! nodes and to each other by their place in the lists of [`Network`].

mod branch;
mod check;
mod injection;
mod transformer;
mod wire;

pub use branch::{Line, LineImpedance, Matrix, SequenceImpedance, Switch};
pub(crate) use check::references;
pub use check::{Fault, check_references};
pub use injection::{
    Configuration, Load, LoadModel, Shunt, ShuntAdmittance, Source, VoltageBand, ZipShares,
};
pub use transformer::{
    LineDropCompensation, Magnetising, Neutral, Pace, Regulator, TapChanger, Transformer, Winding,
    WindingKind,
};
pub use wire::{Connection, Wire, WireList, Wires};

/// A node's place in [`Network::nodes`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeId(pub u32);

impl NodeId {
    /// The index into [`Network::nodes`], and into everything that has one entry for each node.
    pub fn index(self) -> usize {
        self.0 as usize
    }
}

/// Where an element was read: the line of its file, from 1; 0 if it was not read from a file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Place(pub u32);

/// A point where elements are joined, with up to four wires.
#[derive(Clone, Debug, PartialEq)]
pub struct Node {
    /// Unique among the nodes.
    pub name: Box<str>,
    /// The wires that exist here. A neutral that is not among them is ideally earthed (or was
    /// reduced into the impedances).
    pub wires: Wires,
    /// Rated voltage between lines, volts; for per unit, and where voltages begin. Where a node has
    /// only one wire it is still that of the three-phase system it belongs to.
    pub rated_voltage_v: f64,
    /// Where it is drawn, in whatever units its file had.
    pub position: Option<(f64, f64)>,
    /// Where it was read.
    pub place: Place,
}

/// A network as it is described, in SI units.
#[derive(Clone, Debug, PartialEq)]
pub struct Network {
    /// What it calls itself.
    pub name: String,
    /// Rated frequency, hertz.
    pub frequency_hz: f64,
    /// All nodes; [`NodeId`] is the index.
    pub nodes: Vec<Node>,
    /// Lines and cables.
    pub lines: Vec<Line>,
    /// Transformers with two or three windings, of three phases or of one.
    pub transformers: Vec<Transformer>,
    /// Voltage regulators: the control of a transformer's taps.
    pub regulators: Vec<Regulator>,
    /// Switches, fuses, breakers and ideal links: no impedance, open or closed.
    pub switches: Vec<Switch>,
    /// Capacitors, reactors and other constant admittances to earth or between wires.
    pub shunts: Vec<Shunt>,
    /// Voltage sources behind an impedance.
    pub sources: Vec<Source>,
    /// Loads; a generator is a load with negative power.
    pub loads: Vec<Load>,
}

impl Network {
    /// A network without anything in it.
    pub fn new(name: impl Into<String>, frequency_hz: f64) -> Self {
        Self {
            name: name.into(),
            frequency_hz,
            nodes: Vec::new(),
            lines: Vec::new(),
            transformers: Vec::new(),
            regulators: Vec::new(),
            switches: Vec::new(),
            shunts: Vec::new(),
            sources: Vec::new(),
            loads: Vec::new(),
        }
    }

    /// Adds a node.
    pub fn push_node(&mut self, node: Node) -> NodeId {
        let id = NodeId(self.nodes.len() as u32);
        self.nodes.push(node);
        id
    }

    /// The node of this name, looked for one by one: for tests and small questions.
    pub fn node(&self, name: &str) -> Option<NodeId> {
        let at = self.nodes.iter().position(|node| &*node.name == name)?;
        Some(NodeId(at as u32))
    }
}
