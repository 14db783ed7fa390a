//! The coordinator's table of its children, and what of it outlasts a restart.

use std::collections::BTreeMap;

use lastmeter_units::SimTime;
use serde::{Deserialize, Serialize};

use super::delivery::{Outgoing, Received};
use super::{PERSISTENCE, Random};
use crate::address::{Eui64, ShortAddress};
use crate::zdp::Capability;

/// The highest address of a node; those above are reserved and broadcasts.
const LAST_ADDRESS: u16 = 0xFFF7;
/// Random addresses that are tried before the next free one is taken.
const DRAWS: usize = 64;

/// Why an address is offered, which decides what taking it means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum OfferKind {
    Association,
    Rejoin,
    /// Two nodes used one address: it is offered until it is taken.
    Conflict,
}

/// An address that a node may take by announcing it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Offer {
    pub(super) address: ShortAddress,
    pub(super) kind: OfferKind,
    pub(super) at: SimTime,
}

/// A node in the table.
#[derive(Debug, Clone)]
pub(super) struct Child {
    /// The address that it announced; none before its first announcement.
    pub(super) address: Option<ShortAddress>,
    pub(super) offer: Option<Offer>,
    pub(super) capability: Capability,
    pub(super) heard: SimTime,
    pub(super) is_lost: bool,
    /// The frame counter that was received last.
    pub(super) counter: Option<u32>,
    /// When it is asked to leave next, if it has to.
    pub(super) leaving: Option<SimTime>,
    pub(super) outgoing: Outgoing,
    pub(super) received: Received,
}

impl Child {
    pub(super) fn new(now: SimTime, capability: Capability, room: usize) -> Self {
        let persistence = (!capability.listens_when_idle()).then_some(PERSISTENCE);
        Self {
            address: None,
            offer: None,
            capability,
            heard: now,
            is_lost: false,
            counter: None,
            leaving: None,
            outgoing: Outgoing::new(room, persistence, 0),
            received: Received::default(),
        }
    }

    pub(super) fn set_capability(&mut self, capability: Capability) {
        self.capability = capability;
        self.outgoing.persistence = (!capability.listens_when_idle()).then_some(PERSISTENCE);
    }

    pub(super) fn is_conflicting(&self) -> bool {
        self.offer.is_some_and(|offer| offer.kind == OfferKind::Conflict)
    }
}

/// A node as a durable copy has it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Remembered {
    /// The node.
    pub node: Eui64,
    /// The address that it announced last.
    pub address: ShortAddress,
    /// What it stated when it joined.
    pub capability: Capability,
    /// Its frame counter that was received last.
    pub counter: Option<u32>,
    /// Whether it was silent for too long.
    pub is_lost: bool,
    /// Whether it has to leave.
    pub is_leaving: bool,
    /// Counters of its messages that were received lately.
    pub received: Vec<u8>,
    /// The counter of the next message to it.
    pub next_message: u8,
}

/// What of a coordinator outlasts a restart: to be kept after each start, at each event that
/// changes the table, and at least every 32,768 frames.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Snapshot {
    /// The coordinator's own frame counter.
    pub counter: u32,
    /// Its next handle.
    pub handle: u64,
    /// Its children, by EUI-64.
    pub nodes: Vec<Remembered>,
    /// Nodes that were members, the one that left first before others.
    pub former: Vec<Former>,
}

/// What is kept of a node that was a member.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Former {
    /// The node.
    pub node: Eui64,
    /// Its frame counter that was received last: older frames are still refused.
    pub counter: Option<u32>,
    /// The counter of the next message to it.
    pub next_message: u8,
    /// Whether it was made to leave, and so comes back by joining only.
    pub was_removed: bool,
}

impl Snapshot {
    /// The same network after its table was lost: its nodes are unknown, and have to rejoin.
    #[must_use]
    pub fn without_table(self) -> Self {
        Self { counter: self.counter, handle: self.handle, ..Self::default() }
    }
}

/// All children, by EUI-64.
pub(super) type Children = BTreeMap<Eui64, Child>;

/// Whether an address may be a node's.
pub(super) const fn is_of_node(address: ShortAddress) -> bool {
    address.0 != ShortAddress::COORDINATOR.0 && address.0 <= LAST_ADDRESS
}

/// The node that announced an address.
pub(super) fn owner(children: &Children, address: ShortAddress) -> Option<Eui64> {
    let of = |child: &Child| child.address == Some(address);
    children.iter().find(|(_, child)| of(child)).map(|(node, _)| *node)
}

/// Whether an address is nobody's but this node's, and offered to nobody else.
pub(super) fn is_free(children: &Children, address: ShortAddress, node: Eui64) -> bool {
    let holds = |child: &Child| {
        child.address == Some(address) || child.offer.is_some_and(|it| it.address == address)
    };
    is_of_node(address) && !children.iter().any(|(other, child)| *other != node && holds(child))
}

/// An address that nobody has, this node neither.
pub(super) fn free_address(children: &Children, random: Random<'_>) -> Option<ShortAddress> {
    let taken: Vec<u16> = children
        .values()
        .flat_map(|child| [child.address, child.offer.map(|offer| offer.address)])
        .flatten()
        .map(|address| address.0)
        .collect();
    let fits = |address: &u16| is_of_node(ShortAddress(*address)) && !taken.contains(address);
    let mut drawn = 0;
    for _ in 0..DRAWS {
        drawn = random();
        if fits(&drawn) {
            return Some(ShortAddress(drawn));
        }
    }
    (drawn..=LAST_ADDRESS).chain(1..drawn).find(fits).map(ShortAddress)
}
