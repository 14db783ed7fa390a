//! Which unique id stands at which number of a network, and numbers that two nodes have.
//!
//! A node announces its id before it answers anything, and another one of its number answers that
//! by its own announcement; then the lower id has the number. Ids that are announced within
//! [`CONTEST_TIME`] are of two nodes that are both there; one that is announced later is of a node
//! that was put in the other's place. What stands is kept with the outbox, by network.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use lastmeter_board::meter_node::{Register, UniqueId, UniqueIdHalves};
use lastmeter_can::frame::CanFrame;
use lastmeter_units::{SimDuration, SimTime};
use lastmeter_wire::flexmeter::{AlertLevel, fact};

use super::machine::Parts;
use super::poll::{Node, identifier};
use crate::gateway::{GatewayEventKind as Kind, Out, event};
use crate::message::Alert;

/// A back-off of at most 65.535 ms, and what else is on the bus.
const CONTEST_TIME: SimDuration = SimDuration::from_seconds(2);

/// The data length of an answer with half of an id.
const HALF_BYTES: u8 = 8;

/// Whether several nodes may have a number.
fn is_shared(nodes: &[Node], number: u8) -> bool {
    nodes.iter().filter(|node| node.number == number).count() > 1
}

/// What was announced under a number.
#[derive(Debug, Default)]
struct Announced {
    halves: UniqueIdHalves,
    /// Who has the number, and when an id was announced last.
    standing: Option<(UniqueId, Option<SimTime>)>,
    /// The pair that was reported last.
    reported: Option<[UniqueId; 2]>,
}

/// The unique ids of a network, by number.
#[derive(Debug, Default)]
pub(super) struct UniqueIds(BTreeMap<u8, Announced>);

impl UniqueIds {
    /// Takes the data of a node's register; its id, if they complete one.
    pub(super) fn join(&mut self, number: u8, register: Register, data: &[u8]) -> Option<UniqueId> {
        self.0.entry(number).or_default().halves.take(register, data)
    }

    /// The place of the node that has a number: of several, the one whose unique id stands there.
    pub(super) fn place(&self, nodes: &[Node], number: u8) -> Option<usize> {
        let standing = self.standing(number);
        if standing.is_none() && is_shared(nodes, number) {
            return None;
        }
        nodes.iter().position(|node| {
            let is_other = node.unique_id.zip(standing).is_some_and(|(own, id)| own != id);
            node.number == number && !is_other
        })
    }

    /// Requests for the ids of numbers that several nodes may have, where none stands: whoever
    /// began behind its nodes has not heard them.
    pub(super) fn requests(&self, nodes: &[Node]) -> Vec<CanFrame> {
        let numbers: BTreeSet<u8> = nodes.iter().map(|node| node.number).collect();
        let unknown = numbers
            .into_iter()
            .filter(|&number| self.standing(number).is_none() && is_shared(nodes, number));
        let halves = [Register::UniqueIdHigh, Register::UniqueIdLow];
        let ids = unknown.flat_map(|number| halves.map(|half| identifier(half, number)));
        ids.flatten().filter_map(|id| CanFrame::remote(id, HALF_BYTES).ok()).collect()
    }

    /// Who has a number, as far as that was announced.
    fn standing(&self, number: u8) -> Option<UniqueId> {
        self.0.get(&number)?.standing.map(|(id, _)| id)
    }

    /// An id was announced; the pair of which the first has the number, if that is news.
    fn announced(&mut self, now: SimTime, number: u8, id: UniqueId) -> Option<[UniqueId; 2]> {
        let Announced { standing, reported, .. } = self.0.entry(number).or_default();
        let is_present = |at: &SimTime| now - *at <= CONTEST_TIME;
        if standing.is_some_and(|(_, at)| at.is_none_or(|at| !is_present(&at))) {
            // Whoever meets from now on meets anew.
            *reported = None;
        }
        match standing.replace((id, Some(now))) {
            Some((other, Some(at))) if other != id && is_present(&at) => {
                let pair = [id.min(other), id.max(other)];
                *standing = Some((pair[0], Some(now)));
                (reported.replace(pair) != Some(pair)).then_some(pair)
            }
            _ => None,
        }
    }

    /// What stands, as lines of a number and an id.
    fn encoded(&self) -> Vec<u8> {
        let standing = self.0.iter().filter_map(|(number, of)| Some((number, of.standing?.0)));
        let mut text = String::new();
        for (number, id) in standing {
            _ = writeln!(text, "{number} {id}");
        }
        text.into_bytes()
    }

    /// What stood at a network before a restart.
    pub(super) fn kept(bytes: &[u8]) -> Self {
        let lines = std::str::from_utf8(bytes).unwrap_or("").lines();
        let line = |line: &str| {
            let (number, id) = line.split_once(' ')?;
            let standing = Some((UniqueId::from_hex(id)?, None));
            Some((number.parse().ok()?, Announced { standing, ..Announced::default() }))
        };
        Self(lines.filter_map(line).collect())
    }
}

/// The name under which the ids of a network are kept.
pub(super) fn part(network: usize) -> String {
    format!("unique-ids/{network}")
}

/// A node of a network has announced its id.
pub(super) fn announced(
    parts: &mut Parts,
    (now, network): (SimTime, usize),
    (number, id): (u8, UniqueId),
    out: &mut Out,
) {
    let Parts { hardware_id, masters, store, .. } = parts;
    let Some(master) = masters.get_mut(network) else { return };
    let before = master.ids.standing(number);
    let pair = master.ids.announced(now, number, id);
    if master.ids.standing(number) != before {
        store.keep_part(part(network), master.ids.encoded(), out);
    }
    let Some([first, second]) = pair else { return };
    let text = format!("network {network}: node {number} is {first} and {second}");
    event(out, Kind::NumberShared, text.clone());
    let facts = vec![
        (fact::KIND, "duplicate".to_owned()),
        (fact::NETWORK, network.to_string()),
        (fact::NODE, number.to_string()),
        (fact::UNIQUE_IDS, format!("{first} {second}")),
    ];
    let alert = Alert { kind: "node.duplicate", level: AlertLevel::Warning, text, facts };
    let state = store.meter(hardware_id);
    store.put_alert((hardware_id, now), alert, (hardware_id.clone(), state), out);
}

#[cfg(test)]
#[path = "unique_ids_tests.rs"]
mod tests;
