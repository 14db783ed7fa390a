//! Admission of connections on every listener: which get a slot, for how long, and what becomes of
//! the others.
//!
//! Terms: a *listener* is a port that is listened on; a *slot* is the right to one connection of
//! it; a connection is *unauthenticated* until it has proved its identity; to *reject* is to close
//! an unauthenticated connection, which is counted by listener and reason and recorded nowhere,
//! because it costs its sender nothing.
//!
//! A slow unauthenticated connection cannot keep others out: where no slot is left, the oldest one
//! loses its own (see `connection_slots`). File descriptors are shared out at the start, so that
//! what the journal and the store need is never anybody's connection (see `share`).

mod accept;
mod connection_slots;
mod guesses;
mod rates;
mod share;
mod socket;
mod tally;

use std::net::{IpAddr, SocketAddr};
use std::sync::Mutex;
use std::time::Duration;

use tokio::time::Instant;

pub(crate) use accept::Acceptor;
pub(crate) use connection_slots::{ConnectionSlots, ListenerLimits, Origin, Slot, SlotOffer};
use guesses::Guesses;
pub(crate) use guesses::{GuessLimits, network};
use lastmeter_store::lock;
pub(crate) use rates::Rate;
use rates::Rates;
pub(crate) use share::{HEALTH_RESERVE, Share, share};
pub(crate) use socket::Socket;
pub(crate) use tally::{Listener, RejectReason, Tally};

use crate::log_throttle::LogThrottle;

/// A log line about guesses and about full listeners, at most this often.
const LOG_EVERY: Duration = Duration::from_secs(10);

/// Who sends how many requests.
struct RequestRates {
    addresses: Mutex<Rates<IpAddr>>,
    principals: Mutex<Rates<String>>,
}

/// What all listeners have in common.
pub(crate) struct Gate {
    /// How many were rejected, and how many there are.
    pub(crate) tally: Tally,
    guesses: Mutex<Guesses>,
    rates: Option<RequestRates>,
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
            rates: None,
            guesses_log: LogThrottle::new(LOG_EVERY),
            full_log: LogThrottle::new(LOG_EVERY),
            cut_log: LogThrottle::new(LOG_EVERY),
            begun: Instant::now(),
        }
    }

    /// The same with bounds on requests, by address and by who sends them.
    pub(crate) fn with_rates(self, address: Rate, principal: Rate) -> Self {
        let (addresses, principals) = (Rates::new(address), Rates::new(principal));
        let rates = RequestRates { addresses: addresses.into(), principals: principals.into() };
        Self { rates: Some(rates), ..self }
    }

    /// Takes a request of an address. Those of this machine have as many as they send.
    ///
    /// # Errors
    /// After how long it may send one again.
    pub(crate) fn take_request(&self, from: IpAddr) -> Result<(), Duration> {
        self.take(from, |rates, now| lock(&rates.addresses).take(network(from), now))
    }

    /// Takes a request of somebody, from an address.
    ///
    /// # Errors
    /// After how long it may send one again.
    pub(crate) fn take_request_of(&self, of: String, from: IpAddr) -> Result<(), Duration> {
        self.take(from, |rates, now| lock(&rates.principals).take(of, now))
    }

    fn take(
        &self,
        from: IpAddr,
        take: impl FnOnce(&RequestRates, Duration) -> Result<(), Duration>,
    ) -> Result<(), Duration> {
        let is_here = from.to_canonical().is_loopback();
        let Some(rates) = self.rates.as_ref().filter(|_| !is_here) else { return Ok(()) };
        take(rates, self.now()).inspect_err(|_| self.tally.too_many_requests())
    }

    /// How long ago the gate was built.
    pub(crate) fn now(&self) -> Duration {
        self.begun.elapsed()
    }

    /// Whether secrets from this address are not even looked at, for having been wrong too often.
    pub(crate) fn is_shut_for(&self, listener: Listener, from: IpAddr) -> bool {
        let is_shut = lock(&self.guesses).is_shut_for(from, self.now());
        if is_shut {
            self.reject(listener, RejectReason::Guessing);
        }
        is_shut
    }

    /// Takes note of a wrong secret; returns how long its sender has to wait for the answer.
    pub(crate) fn wrong_secret(&self, listener: Listener, from: IpAddr, who: &str) -> Duration {
        self.tally.wrong_secret(listener);
        if let Some(unsaid) = self.guesses_log.admit() {
            let door = listener.word();
            tracing::warn!(%from, who, door, unsaid, "a wrong secret");
        }
        lock(&self.guesses).wrong(from, self.now())
    }

    /// Logs now and then that a subscriber was disconnected for what waits for it.
    pub(crate) fn note_cut(&self, from: SocketAddr, bound: &str, messages: usize, bytes: usize) {
        if let Some(unsaid) = self.cut_log.admit() {
            tracing::warn!(%from, bound, messages, bytes, unsaid, "a subscriber does not keep up");
        }
    }

    /// Counts a rejected connection; logs it now and then, where the platform lacks room.
    pub(crate) fn reject(&self, listener: Listener, reason: RejectReason) {
        self.tally.rejected(listener, reason);
        if matches!(
            reason,
            RejectReason::Full | RejectReason::FullOfPeer | RejectReason::CrowdedOut
        ) && let Some(unsaid) = self.full_log.admit()
        {
            let (door, reason) = (listener.word(), reason.word());
            tracing::warn!(door, reason, unsaid, "more connections than slots");
        }
    }
}
