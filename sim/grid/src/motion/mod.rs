//! A network in motion: faults, switching and protection, each at its own instant.
//!
//! Between two instants at which something happens a network is in a steady state: a power flow
//! or, with what has happened since, its circuit with every load as the impedance that it is in
//! that flow. Around an instant the same circuit is played wave by wave ([`crate::transient`]),
//! from the steady state before until it differs from the one after by less than a tolerance. So
//! the three resolutions are one network: steps (power flows), phasors, and waves.
//!
//! Protective devices act all the time: fuses by the current as it flows, relays by its phasors.
//! What they do holds from then on, also in later steps.
//!
//! Time is in nanoseconds since the beginning of what is played; a phasor's wave is
//! `sqrt(2) |V| sin(2 pi f t + angle)` with that time.
//!
//! ```text
//! place, probe, step      where a fault is, where the network is looked at, how short steps are
//! cut, crew               switches put in where none are; what a crew closes after a repair
//! guard, device           protective devices in the switches; a file for each kind
//! loading, last_period    the currents that devices act on
//!   -> play               from one instant to the next, with network_state in hand
//!   -> window             waveforms around an instant
//! ```

#[cfg(test)]
mod bent_tests;
mod crew;
mod cut;
mod device;
#[cfg(test)]
mod fuse_tests;
mod guard;
#[cfg(test)]
mod interface_tests;
mod last_period;
mod loading;
mod network_state;
#[cfg(test)]
mod neutral_tests;
mod place;
mod play;
mod probe;
mod step;
#[cfg(test)]
mod tests;
mod window;

use std::sync::Arc;

use lastmeter_text::Prose;
use num_complex::Complex64;
use thiserror::Error;

use crate::network::{Configuration, Network, NodeId, Wire, Wires};
use crate::transient::{Arc as FaultArc, FaultKind, Pole, Saturation, TransientError};
pub(crate) use cut::is_behind_a_switch;
pub use cut::{Piece, cut};
pub use device::{
    Act, Cause, Device, DeviceClone, DeviceInputs, FuseLink, InterfaceProtection, Move, NamedCurve,
    RelayBreaker, Squares,
};
use network_state::NetworkState;
pub use probe::{Probe, ProbeAt, ProbePair};
pub use step::{Fast, StepRemark, step_remark, step_remark_with};

/// How finely instants at which something happens are played.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resolution {
    /// From one steady state to the next.
    Phasors,
    /// By waves from one to the other.
    Waveforms,
}

/// How a network is played.
#[derive(Clone, Debug, PartialEq)]
pub struct Options {
    /// How finely.
    pub resolution: Resolution,
    /// The step of waves, seconds.
    pub step_s: f64,
    /// Waves end when all probes differ from the steady state by less than this share of what they
    /// had at most ...
    pub tolerance: f64,
    /// ... or after so many seconds without anything that happened. They go on while an arc burns.
    pub longest_s: f64,
    /// Transformers whose iron saturates. The residual flux is that of iron without a voltage where
    /// waves begin.
    pub saturations: Vec<Saturation>,
}

impl Default for Options {
    fn default() -> Self {
        let (resolution, saturations) = (Resolution::Waveforms, Vec::new());
        Self { resolution, step_s: 50e-6, tolerance: 1e-3, longest_s: 1.0, saturations }
    }
}

/// A fault.
#[derive(Clone, Debug, PartialEq)]
pub struct FaultAt {
    /// Unique among the faults.
    pub id: u32,
    /// What it is called.
    pub name: Box<str>,
    /// Where; along a line at the node that divides it.
    pub node: NodeId,
    /// What it connects.
    pub kind: FaultKind,
    /// Ohm.
    pub resistance_ohm: f64,
    /// What burns there, with a resistance of its own; none: nothing but the resistance.
    pub arc: Option<FaultArc>,
    /// It begins at the next instant at which the voltage that it shorts, of the network as it
    /// stands then, is at this angle, counted from its positive zero crossing; none: at its own,
    /// as where there is no voltage.
    pub angle_rad: Option<f64>,
    /// After so many seconds without voltage it is gone, as an arc in air is; none: it stays. Where
    /// there is an arc those without a current count, also within a half wave.
    pub extinguishes_s: Option<f64>,
}

/// What happens from outside.
#[derive(Clone, Debug, PartialEq)]
pub enum NetworkAction {
    /// A fault begins.
    Fault(FaultAt),
    /// A fault ends, each of its currents at its zero.
    Clear {
        /// Which.
        id: u32,
    },
    /// A fault has lasted as long as it does: as [`Self::Clear`], and later by as much as the fault
    /// waited for its angle.
    RunOut {
        /// Which.
        id: u32,
    },
    /// A fault is mended, and a second later whatever protective devices have opened is closed
    /// again, with fuses replaced; but for switches behind which another fault burns, which wait
    /// for the repair of that one.
    Repair {
        /// Which fault.
        id: u32,
    },
    /// A switch opens, each pole at its current's zero.
    Open {
        /// Index into the network's switches.
        switch: usize,
        /// Which poles.
        pole: Pole,
    },
    /// A switch closes; a device in it begins again, and a fuse is replaced.
    Close {
        /// Index into the network's switches.
        switch: usize,
        /// Which poles.
        pole: Pole,
    },
}

/// Something that happens from outside at an instant.
#[derive(Clone, Debug, PartialEq)]
pub struct Event {
    /// When.
    pub at_ns: i64,
    /// What.
    pub what: NetworkAction,
}

/// A protective device in a switch of the network.
#[derive(Clone, Debug)]
pub struct Protector {
    /// What it is called in operations, such as `fuse:F1`.
    pub name: Box<str>,
    /// Index into the network's switches.
    pub switch: usize,
    /// What it is.
    pub device: Box<dyn Device>,
}

/// What was done to an element of the network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OperationKind {
    /// A fault began.
    Ignited,
    /// A fault ended.
    Cleared,
    /// A relay tripped.
    Tripped,
    /// A fuse melted: its arc begins.
    Melted,
    /// A fuse has interrupted its current.
    Blown,
    /// A switch opened.
    Opened,
    /// A switch closed.
    Closed,
    /// A recloser opened for good.
    LockedOut,
    /// It was to be done, but nothing was there to do.
    Idle,
}

impl OperationKind {
    /// Whether the network is another one after it.
    #[must_use]
    pub const fn switches(self) -> bool {
        !matches!(self, Self::Tripped | Self::Melted | Self::Idle)
    }

    /// The word in records.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Ignited => "ignited",
            Self::Cleared => "cleared",
            Self::Tripped => "tripped",
            Self::Melted => "melted",
            Self::Blown => "blown",
            Self::Opened => "opened",
            Self::Closed => "closed",
            Self::LockedOut => "locked_out",
            Self::Idle => "idle",
        }
    }
}

/// Something that was done, and by whom.
#[derive(Clone, Debug, PartialEq)]
pub struct Operation {
    /// When.
    pub at_ns: i64,
    /// The protective device, the switch or the fault.
    pub element: Box<str>,
    /// Where: the node of the fault, or that of the switch's first end.
    pub node: Box<str>,
    /// What.
    pub kind: OperationKind,
    /// More about it, for people.
    pub detail: Prose,
    /// Where in its time-current plane a device acted, if a current made it act.
    pub point: Option<OperatingPoint>,
}

/// A current and how long it took a protective device to act on it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct OperatingPoint {
    /// RMS value over the time, amperes.
    pub current_a: f64,
    /// Since it was picked up, seconds.
    pub time_s: f64,
    /// Whether it is the residual current.
    pub is_residual: bool,
}

/// A voltage and the current that goes with it, RMS phasors.
pub type Pair = (Complex64, Complex64);

/// Of each part of a load whether it has a voltage across; beyond the last part they have.
pub type LiveParts = [bool; 3];

/// A stretch of time, from the one before to the next.
#[derive(Clone, Debug)]
pub struct Segment {
    /// When it begins.
    pub from_ns: i64,
    /// What is in it.
    pub what: SegmentContent,
}

/// What a stretch of time has.
#[derive(Clone, Debug)]
pub enum SegmentContent {
    /// A steady state.
    Steady {
        /// Of each probe its pairs.
        pairs: Vec<Vec<Pair>>,
        /// What has a supply.
        supply: Supply,
    },
    /// Waves, which go straight between instants.
    Waveforms(Waveforms),
}

/// A value at each of many instants; shared, as it is large.
pub type Trace = Arc<Vec<f64>>;

/// Waves of all probes.
#[derive(Clone, Debug)]
pub struct Waveforms {
    /// Instants, seconds since the beginning; the first is 0.
    pub at_s: Trace,
    /// Of each probe, pair by pair, voltage and current at each instant.
    pub probes: Vec<Vec<(Trace, Trace)>>,
    /// The furthest that a probe's last period is from the steady state that follows, as a share of
    /// what it had at most; 0 where other waves follow.
    pub jump: f64,
    /// What had a supply on the way, after each switching: waves may have several, and may last.
    pub supply: Vec<Supply>,
}

/// What has a supply from an instant on, by the phasors of the network without arcs.
#[derive(Clone, Debug)]
pub struct Supply {
    /// From when on.
    pub from_ns: i64,
    /// Of each load the share of its power that is supplied: less than 1 where parts have no
    /// voltage.
    pub supplied: Vec<f64>,
    /// Of each load its parts that have a voltage.
    pub parts: Vec<LiveParts>,
    /// Of each node its phases that have a voltage.
    pub alive: Vec<Wires>,
    /// Of each switch its poles that are closed.
    pub closed: Vec<Vec<bool>>,
}

/// Why a network cannot be played.
#[derive(Clone, Debug, PartialEq, Error)]
pub enum MotionError {
    /// Its circuit cannot be, or something is of an element that is not there.
    #[error("{0}")]
    Transient(#[from] TransientError),
    /// Devices that act on each other without an end.
    #[error(
        "at {0} ns switches open and close without an end: see which devices act on each other"
    )]
    Restless(i64),
    /// An arc, or iron that saturates, and no waves.
    #[error("{0} has no phasors: expected waveforms")]
    Phasors(Box<str>),
    /// Two devices in one switch.
    #[error("both `{0}` and `{1}` are in one switch: expected one device in each")]
    Twice(Box<str>, Box<str>),
}

/// A network that is played step by step.
#[derive(Clone, Debug)]
pub struct Motion {
    options: Options,
    /// In order of time; those that have not happened yet.
    events: std::collections::VecDeque<Event>,
    guards: Vec<guard::Guard>,
    probes: Vec<Probe>,
    /// As they are declared.
    switches: Vec<crate::network::Switch>,
    state: NetworkState,
    operations: Vec<Operation>,
    /// Of each load whether the caller wants to give it another power when it comes back.
    returning: Vec<bool>,
    /// Of each load its parts that have a voltage now.
    parts: Vec<LiveParts>,
    /// What was to be done when playing ended before it.
    pending: Option<play::Pending>,
    /// Waves that go on where the last ones ended.
    paused: Option<window::PausedWires>,
    /// Whether there is anything whose current is not that of a linear network.
    is_bent: bool,
}

impl Motion {
    /// A network before its first step, switches as they are declared.
    ///
    /// # Errors
    /// If an event or a device is about an element that is not there.
    pub fn new(
        network: &Network,
        options: Options,
        mut events: Vec<Event>,
        protectors: Vec<Protector>,
        probes: Vec<Probe>,
    ) -> Result<Self, MotionError> {
        for event in &events {
            event.check(network, options.resolution)?;
        }
        for it in &options.saturations {
            is_there("transformer", it.transformer, network.transformers.len())?;
            if options.resolution == Resolution::Phasors {
                let name = &network.transformers[it.transformer].name;
                return Err(MotionError::Phasors(
                    format!("iron of `{name}` that saturates").into(),
                ));
            }
        }
        for (at, it) in protectors.iter().enumerate() {
            is_there("switch", it.switch, network.switches.len())?;
            if let Some(load) = it.device.load() {
                is_there("load", load, network.loads.len())?;
            }
            if let Some(other) = protectors[..at].iter().find(|other| other.switch == it.switch) {
                return Err(MotionError::Twice(other.name.clone(), it.name.clone()));
            }
        }
        events.sort_by_key(|event| event.at_ns);
        let guards = protectors.into_iter().map(|it| guard::Guard::new(it, network)).collect();
        let state = NetworkState::new(network);
        let switches = network.switches.clone();
        let is_bent = !options.saturations.is_empty() || events.iter().any(Event::has_arc);
        let (events, operations) = (events.into(), Vec::new());
        let (returning, parts, pending, paused) = (Vec::new(), Vec::new(), None, None);
        Ok(Self {
            options,
            events,
            guards,
            probes,
            switches,
            state,
            operations,
            returning,
            parts,
            pending,
            paused,
            is_bent,
        })
    }

    /// Of each load whether it may draw another power when it comes back than it did before. While
    /// a part of such a load has no voltage, playing ends at each instant at which something is
    /// done in the network, once before and once after it, so that the power flow is solved
    /// again.
    pub fn end_at_returns(&mut self, returning: Vec<bool>) {
        self.returning = returning;
    }

    /// Of each load its parts that have a voltage at the end of what was played.
    #[must_use]
    pub fn live_parts(&self) -> &[LiveParts] {
        &self.parts
    }

    /// Whether a load that may come back otherwise lacks a part of its supply.
    fn awaits_returns(&self) -> bool {
        let lacks = |(returns, parts): (&bool, &LiveParts)| *returns && parts.contains(&false);
        self.returning.iter().zip(&self.parts).any(lacks)
    }

    /// Takes an event in that was not known ahead. It happens when it is played, after those of the
    /// same instant that came before it.
    ///
    /// # Errors
    /// If it is about an element that is not there; then nothing is changed.
    pub fn order(&mut self, network: &Network, event: Event) -> Result<(), MotionError> {
        event.check(network, self.options.resolution)?;
        self.is_bent |= event.has_arc();
        let place = self.events.partition_point(|it| it.at_ns <= event.at_ns);
        self.events.insert(place, event);
        Ok(())
    }

    /// Puts the switches of a network of the same elements as they stand, for its power flow.
    pub fn stand(&self, network: &mut Network) {
        network.switches.clone_from(&self.switches);
        self.state.put_into(network);
    }

    /// What was done so far.
    #[must_use]
    pub fn operations(&self) -> &[Operation] {
        &self.operations
    }

    /// Of each switch whether each of its poles is closed.
    #[must_use]
    pub fn poles(&self) -> &[Vec<bool>] {
        &self.state.closed
    }

    /// The faults that burn.
    pub fn faults(&self) -> impl Iterator<Item = &FaultAt> {
        self.state.faults.iter().map(|it| &it.fault)
    }
}

fn is_there(what: &'static str, place: usize, count: usize) -> Result<(), MotionError> {
    if place < count { Ok(()) } else { Err(TransientError::Place { what, place, count }.into()) }
}

impl Event {
    fn has_arc(&self) -> bool {
        matches!(&self.what, NetworkAction::Fault(it) if it.arc.is_some())
    }

    /// Whether its element is there, and can be played so.
    fn check(&self, network: &Network, resolution: Resolution) -> Result<(), MotionError> {
        match &self.what {
            NetworkAction::Fault(it) if self.has_arc() && resolution == Resolution::Phasors => {
                Err(MotionError::Phasors(format!("the arc of `{}`", it.name).into()))
            }
            NetworkAction::Fault(it) => is_there("node", it.node.index(), network.nodes.len()),
            NetworkAction::Open { switch, .. } | NetworkAction::Close { switch, .. } => {
                is_there("switch", *switch, network.switches.len())
            }
            NetworkAction::Clear { .. }
            | NetworkAction::RunOut { .. }
            | NetworkAction::Repair { .. } => Ok(()),
        }
    }
}

/// Voltage below this share of the rated one is none.
const DEAD_SHARE: f64 = 0.05;

/// Whether a wire of a node has a voltage to earth.
fn is_alive(network: &Network, node: NodeId, voltage_v: Complex64) -> bool {
    let rated_v = network.nodes[node.index()].rated_voltage_v / 3f64.sqrt();
    voltage_v.norm() > DEAD_SHARE * rated_v
}

/// The voltages across a load's parts, with the rated one, at a node: a phase to earth without one
/// does not matter to a load between phases.
fn part_voltages(
    network: &Network,
    load: &crate::network::Load,
    node: NodeId,
    voltage_v: impl Fn(NodeId, Wire) -> Complex64,
) -> (Vec<Complex64>, f64) {
    let wires = load.connection.wires.as_slice();
    let rated_v = network.nodes[node.index()].rated_voltage_v;
    let of = |wire: Wire| voltage_v(node, wire);
    let own: Vec<Wire> = wires.iter().copied().filter(|it| *it != Wire::Neutral).collect();
    let parts = 0..load.parts();
    let back_v = match load.configuration {
        Configuration::Delta => {
            let across = |part: usize| of(own[part]) - of(own[(part + 1) % own.len()]);
            return (parts.map(across).collect(), rated_v);
        }
        Configuration::StarIsolated => {
            let sum: Complex64 = own.iter().map(|wire| of(*wire)).sum();
            sum / own.len().max(1) as f64
        }
        Configuration::Star if wires.contains(&Wire::Neutral) => of(Wire::Neutral),
        Configuration::Star => Complex64::ZERO,
    };
    (parts.map(|part| of(own[part]) - back_v).collect(), rated_v / 3f64.sqrt())
}

/// Which of a load's parts have a voltage across, at a node.
fn live_parts(
    network: &Network,
    load: &crate::network::Load,
    node: NodeId,
    voltage_v: impl Fn(NodeId, Wire) -> Complex64,
) -> LiveParts {
    let rated_v = network.nodes[node.index()].rated_voltage_v / 3f64.sqrt();
    let (across, _) = part_voltages(network, load, node, voltage_v);
    let mut live = [true; 3];
    for (own, volts) in live.iter_mut().zip(across) {
        *own = volts.norm() > DEAD_SHARE * rated_v;
    }
    live
}

/// The share of a load's active power that is in live parts.
fn supplied_share(load: &crate::network::Load, live: LiveParts) -> f64 {
    let whole_w: f64 = load.power_va[..load.parts()].iter().map(|it| it.re.abs()).sum();
    let weight = |part: usize| {
        let even = 1.0 / load.parts() as f64;
        if whole_w > 0.0 { load.power_va[part].re.abs() / whole_w } else { even }
    };
    let alive: Vec<usize> = (0..load.parts()).filter(|part| live[*part]).collect();
    // Not by a sum, which rounds.
    if alive.len() == load.parts() { 1.0 } else { alive.into_iter().map(weight).sum() }
}

/// Its phases, in order.
fn phases(network: &Network, node: NodeId) -> impl Iterator<Item = Wire> + '_ {
    network.nodes[node.index()].wires.iter().filter(|wire| *wire != Wire::Neutral)
}
