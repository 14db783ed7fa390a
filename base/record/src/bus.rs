//! What `run.json` holds of each CAN bus: how busy it was, and where the time of exchanges went.
//!
//! Terms: an *exchange* is a request and its answer. Its time is *bus* (its own two frames on the
//! wire), *queue* (in a mailbox, while others had the bus or its frames were repeated) and
//! *software* (the rest: that of both nodes).

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::facts::RunFacts;

/// The key among whatever else was kept of a run.
const BUSES: &str = "buses";

/// A mean and the greatest of times, in ns.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TimeShare {
    /// Of all exchanges together.
    pub sum_ns: i64,
    /// Of the one that took longest.
    pub max_ns: i64,
}

impl TimeShare {
    /// Takes one more.
    pub fn take(&mut self, time_ns: i64) {
        self.sum_ns = self.sum_ns.saturating_add(time_ns);
        self.max_ns = self.max_ns.max(time_ns);
    }

    /// The mean of so many.
    pub fn mean_ns(&self, count: u64) -> Option<f64> {
        (count > 0).then(|| self.sum_ns as f64 / count as f64)
    }
}

/// The exchanges of one identifier.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct IdentifierFacts {
    /// Of its frames.
    pub identifier: u32,
    /// Whose node it is.
    pub device: String,
    /// How often it was asked for.
    pub asked: u64,
    /// How often it was answered.
    pub answered: u64,
    /// Data bytes of its answers.
    pub bytes: u64,
    /// Its own frames on the wire.
    pub bus: TimeShare,
    /// Waiting for the wire.
    pub queue: TimeShare,
    /// The software of both nodes.
    pub software: TimeShare,
}

/// A bus.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct BusFacts {
    /// The network's name.
    pub network: String,
    /// Its bit rate.
    pub bits_per_second: u32,
    /// How many nodes answer on it.
    pub nodes: usize,
    /// Frames that got through.
    pub frames: u64,
    /// Attempts that ended in an error.
    pub errors: u64,
    /// How long frames that got through were on the wire.
    pub busy_ns: i64,
    /// How long it was watched.
    pub watched_ns: i64,
    /// By identifier.
    pub identifiers: Vec<IdentifierFacts>,
}

impl BusFacts {
    /// The share of the time in which frames were on the wire, 0 to 1.
    pub fn load(&self) -> f64 {
        if self.watched_ns > 0 { self.busy_ns as f64 / self.watched_ns as f64 } else { 0.0 }
    }

    /// Puts the buses of a run to whatever else is kept of it; nothing if it has none.
    pub fn keep(buses: &[Self], more: &mut serde_json::Map<String, Value>) {
        if !buses.is_empty()
            && let Ok(value) = serde_json::to_value(buses)
        {
            more.insert(BUSES.to_owned(), value);
        }
    }

    /// The buses of a run; none of one that has none, or of facts that somebody altered.
    pub fn of(facts: &RunFacts) -> Vec<Self> {
        let value = facts.more.get(BUSES).cloned();
        value.and_then(|value| serde_json::from_value(value).ok()).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buses_are_read_as_they_were_kept() {
        let mut share = TimeShare::default();
        for time_ns in [3, 9] {
            share.take(time_ns);
        }
        assert_eq!((share.mean_ns(2), share.max_ns, share.mean_ns(0)), (Some(6.0), 9, None));
        let bus = BusFacts {
            network: "riser".to_owned(),
            busy_ns: 1,
            watched_ns: 4,
            identifiers: vec![IdentifierFacts { identifier: 0x221, ..IdentifierFacts::default() }],
            ..BusFacts::default()
        };
        let mut facts = RunFacts::default();
        BusFacts::keep(&[], &mut facts.more);
        assert!(facts.more.is_empty());
        BusFacts::keep(std::slice::from_ref(&bus), &mut facts.more);
        assert_eq!((bus.load(), BusFacts::default().load()), (0.25, 0.0));
        assert_eq!(BusFacts::of(&facts), [bus]);
    }
}
