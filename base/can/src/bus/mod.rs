//! A CAN bus to the bit (ISO 11898-1): arbitration, acknowledgement, error frames, fault
//! confinement, and what disturbs a wire.
//!
//! Sans-I/O: instants are arguments, nothing is drawn. All nodes read a bit at the same instant,
//! which is its end; a bus that is idle starts with the first node that has something to send.
//! Whole frames are stepped over at once where nothing but their bits decides about them
//! ([`Detail::Frames`]): what happens, and when, is the same as bit by bit.
//!
//! | file | purpose |
//! |---|---|
//! | `node` | a node, bit by bit |
//! | `confinement` | error counters, and what a node may do by them |
//! | `whole` | a frame that nothing disturbs, in one step |

mod confinement;
mod node;
#[cfg(test)]
mod tests;
mod whole;

use std::collections::VecDeque;

use lastmeter_units::{SimDuration, SimTime};

pub use self::confinement::{ErrorCounters, ErrorState};
pub use self::node::Happening;
use self::node::{Node, Offer, Quiet};
use crate::frame::CanFrame;

/// How a bus is calculated.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Detail {
    /// Each bit.
    Bits,
    /// Each bit that is disturbed; frames else.
    #[default]
    Frames,
}

/// What happened, and where.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BusEvent {
    /// The end of the bit in which it happened.
    pub at: SimTime,
    /// The node, counted from 0.
    pub node: usize,
    /// What.
    pub what: Happening,
    /// The error counters of the node after that bit.
    pub counters: ErrorCounters,
}

/// What happens to a wire or to a node from outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// A node has its supply from now on, or has not.
    Supply(usize, bool),
    /// A node that is bus-off is to come back.
    Recover(usize),
    /// The wire is cut in front of a node: those before it and those from it on are apart.
    Cut(usize),
    /// It is mended.
    Mend,
    /// Both conductors are joined, or one is held: the level stays as it is, recessive or dominant.
    Hold(bool),
    /// They are free again.
    Release,
    /// A node drives a dominant level whatever it should, or no more.
    Babble(usize, bool),
    /// The next bit is read wrongly by all nodes.
    FlipAll,
    /// The next bit is read wrongly by one of them.
    Flip(usize),
}

/// Bits that are read wrongly: by whom, and how long after one another. What is drawn is the
/// caller's affair.
pub struct Noise {
    /// One node, or all of them.
    pub node: Option<usize>,
    /// The time until the next one, each time it is asked.
    pub gap: Box<dyn FnMut() -> SimDuration + Send>,
}

impl std::fmt::Debug for Noise {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Noise at {:?}", self.node)
    }
}

/// What comes next while nothing changes.
enum Pending {
    /// Each bit matters.
    Bit,
    /// Nodes count recessive bits, of which so many are missing, and the start of a frame.
    Count(u32, Option<SimTime>),
    /// The start of a frame, if one is offered.
    Idle(Option<SimTime>),
}

/// A bus and its nodes.
#[derive(Debug)]
pub struct Bus {
    detail: Detail,
    bit: SimDuration,
    /// The start of the next bit.
    now: SimTime,
    nodes: Vec<Node>,
    /// Up to when what happened was taken.
    taken: SimTime,
    /// What happened and was not taken.
    due: VecDeque<BusEvent>,
    /// What is to change, in order of time.
    changes: VecDeque<(SimTime, Change)>,
    noises: Vec<(Noise, SimTime)>,
    cut: Option<usize>,
    held: Option<bool>,
    babbling: Vec<bool>,
    /// Who reads the next bit wrongly.
    flipped: Vec<bool>,
    /// Who begins together, kept for its room.
    contenders: Vec<usize>,
}

impl Bus {
    /// A bus with bits of a length and so many nodes, which get their supply now.
    pub fn new(detail: Detail, bit: SimDuration, now: SimTime, nodes: usize) -> Self {
        Self {
            detail,
            // Time passes in any case.
            bit: bit.max(SimDuration(1)),
            now,
            taken: now,
            nodes: (0..nodes).map(|_| Node::new(true)).collect(),
            due: VecDeque::new(),
            changes: VecDeque::new(),
            noises: Vec::new(),
            cut: None,
            held: None,
            babbling: vec![false; nodes],
            flipped: vec![false; nodes],
            contenders: Vec::new(),
        }
    }

    /// How many nodes there are.
    pub fn nodes(&self) -> usize {
        self.nodes.len()
    }

    /// The error counters of a node, at the end of a frame that is on the wire; those of one that
    /// is not there are 0.
    pub fn counters(&self, node: usize) -> ErrorCounters {
        self.nodes.get(node).map(|node| node.counters).unwrap_or_default()
    }

    /// Whether a node that is bus-off comes back by itself, as it does at first.
    pub fn set_recovery(&mut self, node: usize, is_automatic: bool) {
        if let Some(node) = self.nodes.get_mut(node) {
            node.recovers = is_automatic;
        }
    }

    /// A node that only listens neither acknowledges nor sends, error flags included.
    pub fn set_only_listening(&mut self, node: usize, does: bool) {
        if let Some(node) = self.nodes.get_mut(node) {
            node.only_listens = does;
            node.set_offer(None);
        }
    }

    /// From `at` on a node has this frame to send, and no other one, as soon as the bus is free;
    /// what happened until `at` is taken before. A frame that it began is not stopped, and is tried
    /// again if it does not get through, unless another one, or none, is offered until then. A
    /// frame that was sent is offered no more. A node without supply that gets it has its offer.
    pub fn offer(&mut self, node: usize, at: SimTime, frame: Option<CanFrame>) {
        let at = at.max(self.taken);
        if let Some(node) = self.nodes.get_mut(node).filter(|node| !node.only_listens) {
            node.set_offer(frame.map(|frame| Offer::new(frame, at)));
        }
    }

    /// Something changes with the first bit that starts at `at` or later. It is to be known before
    /// the frame begins that is then on the wire; where it is not, it takes effect after that.
    pub fn schedule(&mut self, at: SimTime, change: Change) {
        let at = at.max(self.taken);
        let behind = self.changes.iter().rev().take_while(|(other, _)| *other > at).count();
        self.changes.insert(self.changes.len() - behind, (at, change));
    }

    /// Bits are read wrongly from `at` on; of a frame that is then on the wire as with
    /// [`Self::schedule`].
    pub fn disturb(&mut self, at: SimTime, mut noise: Noise) {
        let first = later(at.max(self.taken), (noise.gap)());
        self.noises.push((noise, first));
    }

    /// When something may happen next, as long as nothing is offered and nothing changes.
    pub fn next(&self) -> Option<SimTime> {
        if let Some(event) = self.due.front() {
            return Some(event.at);
        }
        let at = match self.pending() {
            Pending::Bit => Some(self.now),
            Pending::Count(bits, start) => {
                start.into_iter().chain([later(self.now, self.bits(bits - 1))]).min()
            }
            Pending::Idle(start) => start,
        };
        let at = at.into_iter().chain(self.next_change()).min()?;
        Some(later(at.max(self.now), self.bit))
    }

    /// The next thing that happened until an instant, if one did. A bit that ends later is not
    /// begun, unless it is one of a frame.
    pub fn pop(&mut self, until: SimTime) -> Option<BusEvent> {
        loop {
            match self.due.front() {
                Some(event) if event.at <= until => {
                    self.taken = self.taken.max(event.at);
                    return self.due.pop_front();
                }
                Some(_) => break,
                None => {}
            }
            self.change();
            if !self.advance(until) {
                break;
            }
        }
        self.taken = self.taken.max(until);
        None
    }

    fn bits(&self, count: u32) -> SimDuration {
        SimDuration(self.bit.0.saturating_mul(count.into()))
    }

    /// When the next change or disturbance is.
    fn next_change(&self) -> Option<SimTime> {
        let noises = self.noises.iter().map(|(_, at)| *at);
        self.changes.front().map(|(at, _)| *at).into_iter().chain(noises).min()
    }

    /// Whether a level is on the wire that no node drives by the rules.
    fn is_driven(&self) -> bool {
        self.held.is_some() || self.babbling.contains(&true) || self.flipped.contains(&true)
    }

    fn pending(&self) -> Pending {
        if self.is_driven() {
            return Pending::Bit;
        }
        let (mut counted, mut start) = (None::<u32>, None::<SimTime>);
        for node in &self.nodes {
            match node.quiet() {
                Quiet::No => return Pending::Bit,
                Quiet::Counts(bits) => counted = Some(counted.map_or(bits, |it| it.min(bits))),
                Quiet::Listens => {
                    let at = node.offer.as_ref().map(|offer| offer.at.max(self.now));
                    start = start.into_iter().chain(at).min();
                }
                Quiet::Away => {}
            }
        }
        match (counted, start) {
            (Some(_), Some(start)) if start <= self.now => Pending::Bit,
            (Some(bits), start) => Pending::Count(bits, start),
            (None, start) => Pending::Idle(start),
        }
    }

    /// Goes on, at least by a bit; false if nothing can happen until then.
    fn advance(&mut self, until: SimTime) -> bool {
        // At the end of time there is no bit.
        let ends_later = |at: SimTime| at.0 > until.0.saturating_sub(self.bit.0);
        if ends_later(self.now) {
            return false;
        }
        let change = self.next_change();
        match self.pending() {
            Pending::Bit => self.step(),
            Pending::Count(bits, start) => {
                // Up to what happens else, and not the last one of them.
                let rest = start.into_iter().chain(change).chain([until]).min().unwrap_or(until);
                let whole = rest.0.saturating_sub(self.now.0).max(0) / self.bit.0;
                let count = whole.min(i64::from(bits) - 1) as u32;
                if count == 0 {
                    self.step();
                } else {
                    self.nodes.iter_mut().for_each(|node| node.skip(count));
                    self.now = later(self.now, self.bits(count));
                }
            }
            Pending::Idle(start) => {
                let Some(at) = start.into_iter().chain(change).min() else { return false };
                if ends_later(at) {
                    return false;
                }
                let is_start = start == Some(at);
                self.now = self.now.max(at);
                // What changes then is first.
                if is_start && change.is_none_or(|change| change > at) {
                    self.begin();
                }
            }
        }
        true
    }

    fn begin(&mut self) {
        if self.detail == Detail::Bits || self.cut.is_some() || !self.send_whole() {
            self.step();
        }
    }

    /// What changes by now.
    fn change(&mut self) {
        while let Some((_, change)) = self.changes.pop_front_if(|(at, _)| *at <= self.now) {
            let known = |node: usize| node < self.nodes.len();
            match change {
                Change::Supply(node, is_on) if known(node) => self.nodes[node].set_powered(is_on),
                Change::Recover(node) if known(node) => self.nodes[node].recover(),
                Change::Cut(node) => self.cut = Some(node),
                Change::Mend => self.cut = None,
                Change::Hold(level) => self.held = Some(level),
                Change::Release => self.held = None,
                Change::Babble(node, does) if known(node) => self.babbling[node] = does,
                Change::FlipAll => self.flipped.fill(true),
                Change::Flip(node) if known(node) => self.flipped[node] ^= true,
                _ => {}
            }
        }
        for (noise, at) in &mut self.noises {
            while *at <= self.now {
                match noise.node {
                    None => self.flipped.iter_mut().for_each(|flipped| *flipped ^= true),
                    Some(node) => {
                        if let Some(flipped) = self.flipped.get_mut(node) {
                            *flipped ^= true;
                        }
                    }
                }
                *at = later(*at, (noise.gap)().max(SimDuration(1)));
            }
        }
    }

    /// One bit.
    fn step(&mut self) {
        let Self { now, nodes, due, cut, .. } = self;
        let at = later(*now, self.bit);
        let apart = cut.unwrap_or(0);
        // What the nodes before a cut drive, and those behind it.
        let mut levels = [true; 2];
        for (number, node) in nodes.iter_mut().enumerate() {
            let counters = node.counters;
            let mut begins = |what| due.push_back(BusEvent { at, node: number, what, counters });
            levels[usize::from(number >= apart)] &=
                node.drive(*now, &mut begins) && !self.babbling[number];
        }
        for (number, node) in nodes.iter_mut().enumerate() {
            let level = self.held.unwrap_or(levels[usize::from(number >= apart)]);
            let level = level != std::mem::take(&mut self.flipped[number]);
            note(due, at, number, node, |node, happened| node.read(*now, level, happened));
        }
        self.now = at;
    }
}

/// Lets a node do something, and keeps what happens by it.
fn note(
    due: &mut VecDeque<BusEvent>,
    at: SimTime,
    number: usize,
    node: &mut Node,
    act: impl FnOnce(&mut Node, &mut dyn FnMut(Happening)),
) {
    let first = due.len();
    let counters = node.counters;
    act(node, &mut |what| due.push_back(BusEvent { at, node: number, what, counters }));
    if due.len() > first {
        let counters = node.counters;
        due.range_mut(first..).for_each(|event| event.counters = counters);
    }
}

/// An instant so much later, at most the last one that there is.
const fn later(at: SimTime, span: SimDuration) -> SimTime {
    SimTime(at.0.saturating_add(span.0))
}
