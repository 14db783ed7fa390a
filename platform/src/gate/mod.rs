//! The gate in front of every port: who gets a place, for how long, and what becomes of the others.
//!
//! Terms: a *door* is a port that is listened on; a *seat* is one connection's place at it; a
//! *guest* has a seat and has not shown yet who it is, a *member* has; to *turn away* is to end a
//! connection of somebody unknown, which is counted by door and reason and recorded nowhere,
//! because it costs its sender nothing.
//!
//! A guest that takes its time cannot keep others out: where there is no seat left, the oldest
//! guest gives up its own (see `seats`). File descriptors are shared out at the start, so that what
//! the journal and the store need is never anybody's connection (see `share`).

mod accept;
mod guesses;
mod seats;
mod share;
mod socket;
mod tally;

use std::net::{IpAddr, SocketAddr};
use std::sync::Mutex;
use std::time::Duration;

use tokio::time::Instant;

pub(crate) use accept::Acceptor;
pub(crate) use guesses::GuessLimits;
use guesses::Guesses;
pub(crate) use seats::{Answer, DoorLimits, Seat, Seats};
pub(crate) use share::{ANTEROOM, Share, share};
pub(crate) use socket::Socket;
pub(crate) use tally::{Door, Tally, Turned};

use crate::lock::lock;
use crate::log_throttle::LogThrottle;

/// A log line about guesses and about full doors, at most this often.
const LOG_EVERY: Duration = Duration::from_secs(10);

/// What all doors have in common.
pub(crate) struct Gate {
    /// Who was turned away, and how many are there.
    pub(crate) tally: Tally,
    guesses: Mutex<Guesses>,
    guesses_log: LogThrottle,
    full_log: LogThrottle,
    cut_log: LogThrottle,
    begun: Instant,
}

impl Gate {
    /// A gate with these bounds on wrong secrets.
    pub(crate) fn new(limits: GuessLimits) -> Self {
        Self {
            tally: Tally::default(),
            guesses: Mutex::new(Guesses::new(limits)),
            guesses_log: LogThrottle::new(LOG_EVERY),
            full_log: LogThrottle::new(LOG_EVERY),
            cut_log: LogThrottle::new(LOG_EVERY),
            begun: Instant::now(),
        }
    }

    /// How long ago the gate was built.
    pub(crate) fn now(&self) -> Duration {
        self.begun.elapsed()
    }

    /// Whether secrets from this address are not even looked at, for having been wrong too often.
    pub(crate) fn is_shut_for(&self, door: Door, from: IpAddr) -> bool {
        let is_shut = lock(&self.guesses).is_shut_for(from, self.now());
        if is_shut {
            self.turn_away(door, Turned::Guessing);
        }
        is_shut
    }

    /// Takes note of a wrong secret; returns how long its sender has to wait for the answer.
    pub(crate) fn wrong_secret(&self, door: Door, from: IpAddr, who: &str) -> Duration {
        self.tally.wrong_secret(door);
        if let Some(unsaid) = self.guesses_log.admit() {
            let door = door.word();
            tracing::warn!(%from, who, door, unsaid, "a wrong secret");
        }
        lock(&self.guesses).wrong(from, self.now())
    }

    /// Says now and then that a subscriber was disconnected for what waits for it.
    pub(crate) fn note_cut(&self, from: SocketAddr, bound: &str, messages: usize, bytes: usize) {
        if let Some(unsaid) = self.cut_log.admit() {
            tracing::warn!(%from, bound, messages, bytes, unsaid, "a subscriber does not keep up");
        }
    }

    /// Counts one that was turned away; says so now and then, where the platform lacks room.
    pub(crate) fn turn_away(&self, door: Door, reason: Turned) {
        self.tally.turned_away(door, reason);
        if matches!(reason, Turned::Full | Turned::FullOfPeer | Turned::CrowdedOut)
            && let Some(unsaid) = self.full_log.admit()
        {
            let (door, reason) = (door.word(), reason.word());
            tracing::warn!(door, reason, unsaid, "no seat for every connection");
        }
    }
}
