//! What is known of the gateways of a tenant beside documents: who is connected, what was refused
//! of whom, what is missing. It is in memory, bounded by the networks that there are.

use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::{Arc, Mutex};

use lastmeter_store::lock;
use lastmeter_units::SimTime;
use lastmeter_zigbee::payload::Delivered;
use lastmeter_zigbee::session::Refusal;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Serialize;

/// Refusals of a gateway that are remembered.
const ATTEMPTS_MAX: usize = 20;
/// Refusals of a gateway of which a record is kept in an hour; all are counted.
const RECORDED_MAX: u32 = 60;
const HOUR_NS: i64 = 3_600_000_000_000;

/// How an instant is written: RFC 3339, UTC.
fn instant(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "string", "format": "date-time" })
}

fn optional_instant(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": ["string", "null"], "format": "date-time" })
}

/// The gateways of a tenant, by the token of their network.
#[derive(Debug, Default)]
pub(crate) struct GatewayBook {
    lives: Mutex<BTreeMap<String, Life>>,
    /// Each network has one at a time that takes its packets, or changes what they are read by.
    turns: Mutex<BTreeMap<String, Turn>>,
    /// The port that they dial; 0 while there is none.
    port: AtomicU16,
}

/// Whose turn it is at a network.
pub(crate) type Turn = Arc<tokio::sync::Mutex<()>>;

/// How a gateway stands.
#[derive(Clone, Debug, Default)]
struct Life {
    shown: GatewayStatus,
    /// Up to where its numbered packets are on disk, once that is known.
    delivered: Option<Delivered>,
    attempts: VecDeque<Attempt>,
    /// An hour, and refusals of it that have a record.
    recorded: (i64, u32),
}

/// How a gateway stands, for who may read its network.
#[derive(Clone, Debug, Default, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct GatewayStatus {
    /// Since when it is connected; it is not, if there is nothing.
    #[schemars(schema_with = "optional_instant")]
    pub(crate) online_since: Option<SimTime>,
    /// When something came of it last.
    #[schemars(schema_with = "optional_instant")]
    pub(crate) heard: Option<SimTime>,
    /// Whether it has confirmed the network's options since it connected.
    pub(crate) options_confirmed: bool,
    /// Numbered packets that never came.
    pub(crate) missing: u64,
    /// Packets that came again.
    pub(crate) repeated: u64,
    /// Frames that wait until it is known which node they are from.
    pub(crate) held: u64,
    /// Frames of which that never became known.
    pub(crate) unknown: u64,
    /// What was refused of it last, newest first.
    pub(crate) attempts: Vec<Attempt>,
}

/// Something that was refused of a gateway.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub(crate) struct Attempt {
    /// When.
    #[schemars(schema_with = "instant")]
    pub(crate) at: SimTime,
    /// Why, as a stable word.
    pub(crate) reason: &'static str,
    /// What it is, and what to do.
    pub(crate) help: &'static str,
}

impl GatewayBook {
    /// The door of gateways is open at this port.
    pub(crate) fn set_port(&self, port: u16) {
        self.port.store(port, Ordering::Relaxed);
    }

    /// The port that gateways dial, if there is one.
    pub(crate) fn port(&self) -> Option<u16> {
        Some(self.port.load(Ordering::Relaxed)).filter(|port| *port > 0)
    }

    /// Whose turn it is at a network; who waits for it is given it in the order of coming.
    pub(crate) fn turn(&self, token: &str) -> Turn {
        Arc::clone(lock(&self.turns).entry(token.to_owned()).or_default())
    }

    /// How the gateway of a network stands.
    pub(crate) fn status(&self, token: &str) -> GatewayStatus {
        let book = lock(&self.lives);
        let Some(life) = book.get(token) else { return GatewayStatus::default() };
        GatewayStatus { attempts: life.attempts.iter().cloned().collect(), ..life.shown.clone() }
    }

    /// Changes what is shown of a gateway.
    pub(crate) fn change(&self, token: &str, change: impl FnOnce(&mut GatewayStatus)) {
        change(&mut lock(&self.lives).entry(token.to_owned()).or_default().shown);
    }

    /// Up to where the packets of a gateway are on disk, if that is known here.
    pub(crate) fn delivered(&self, token: &str) -> Option<Delivered> {
        lock(&self.lives).get(token)?.delivered
    }

    /// Up to here they are.
    pub(crate) fn set_delivered(&self, token: &str, delivered: Delivered) {
        lock(&self.lives).entry(token.to_owned()).or_default().delivered = Some(delivered);
    }

    /// Takes note of a refusal; whether it is to have a record.
    pub(crate) fn refused(&self, token: &str, at: SimTime, refusal: Refusal) -> bool {
        let mut book = lock(&self.lives);
        let life = book.entry(token.to_owned()).or_default();
        let attempt = Attempt { at, reason: refusal.word(), help: help(refusal) };
        life.attempts.push_front(attempt);
        life.attempts.truncate(ATTEMPTS_MAX);
        let hour = at.0.div_euclid(HOUR_NS);
        if life.recorded.0 != hour {
            life.recorded = (hour, 0);
        }
        life.recorded.1 += 1;
        life.recorded.1 <= RECORDED_MAX
    }

    /// A network is gone.
    pub(crate) fn forget(&self, token: &str) {
        lock(&self.lives).remove(token);
    }
}

/// What to do about a refusal, for people.
const fn help(refusal: Refusal) -> &'static str {
    match refusal {
        Refusal::Version | Refusal::Length | Refusal::Handshake => {
            "It speaks another protocol. Check that it dials this port."
        }
        Refusal::Silent => "It fell silent. Check its connection.",
        Refusal::UnknownGateway => "No network has its address. Check the address on its label.",
        Refusal::WrongName => "It has another name of the network. Enter the name as it is here.",
        Refusal::WrongKey => "It has another key. Enter the key again, or make a new one.",
        Refusal::Closed => "Another connection of it took its place.",
        Refusal::OtherGateway | Refusal::Direction => {
            "It sent what no gateway sends. Look at what is between it and the platform."
        }
        Refusal::RepeatedSerial => {
            "A packet came twice. Look at what is between it and the platform."
        }
        Refusal::WrongTag => {
            "A packet was changed on its way. Look at what is between it and the platform."
        }
        Refusal::WrongTime => "Its clock was off. It has been given the time.",
        Refusal::UnknownOpcode => "It sent an opcode that this version does not know.",
        Refusal::BadPayload => "It sent a payload that is none of its opcode.",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attempts_and_records_are_bounded() {
        let book = GatewayBook::default();
        let at = |n: i64| SimTime(n * 1_000_000_000);
        let recorded = (0..100).filter(|n| book.refused("a", at(*n), Refusal::WrongKey)).count();
        assert_eq!(recorded, 60);
        assert!(book.refused("a", at(3600), Refusal::WrongName), "the next hour");
        let status = book.status("a");
        assert_eq!((status.attempts.len(), status.attempts[0].reason), (20, "wrong_name"));
        assert!(book.status("b").attempts.is_empty());
        book.forget("a");
        assert!(book.status("a").attempts.is_empty());
    }
}
