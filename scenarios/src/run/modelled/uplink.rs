//! The modelled way from a device to the platform.
//!
//! Terms: a message is *held* from when its device hands it over until the link releases it on the
//! platform's side; only then is it really published. An *outage* is a stretch in which the link is
//! broken: a message that meets one is handed over again at its end, as a device does that comes
//! back; after a half-open stretch it takes until the device has noticed that nothing is
//! acknowledged.

use std::collections::VecDeque;

use bytes::Bytes;
use lastmeter_link::impair::{Breakage, Impairment, Leg};
use lastmeter_units::{SimDuration, SimTime};

/// A stretch in which a link is broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Outage {
    pub(crate) from: SimTime,
    /// When it is mended.
    pub(crate) to: SimTime,
    pub(crate) how: Breakage,
}

/// A message that the link has not released yet.
#[derive(Clone, Debug)]
pub(crate) struct Held {
    /// When its device handed it over.
    pub(crate) handed: SimTime,
    /// When the link releases it.
    pub(crate) release: SimTime,
    pub(crate) message: u64,
    pub(crate) topic: String,
    pub(crate) payload: Bytes,
}

/// The way from one device to the platform.
pub(crate) struct Uplink {
    leg: Leg,
    outages: Vec<Outage>,
    /// How long a device takes to notice that nothing is acknowledged.
    acknowledge_limit: SimDuration,
    held: VecDeque<Held>,
}

impl Uplink {
    /// A link with its outages, in order.
    pub(crate) fn new(leg: Leg, outages: Vec<Outage>, acknowledge_limit: SimDuration) -> Self {
        Self { leg, outages, acknowledge_limit, held: VecDeque::new() }
    }

    /// Takes a message from its device.
    pub(crate) fn hand_over(&mut self, at: SimTime, message: u64, topic: String, payload: Bytes) {
        // The order of one connection holds: nobody overtakes.
        let after = self.held.back().map_or(at, |last| last.release.max(at));
        let release = self.release(at, payload.len()).max(after);
        self.held.push_back(Held { handed: at, release, message, topic, payload });
    }

    fn release(&mut self, at: SimTime, bytes: usize) -> SimTime {
        let mut sent = at;
        let mut release = self.send(sent, bytes);
        for outage in &self.outages.clone() {
            // On its way when the link breaks, or handed over while it is broken.
            if outage.to <= sent || release < outage.from {
                continue;
            }
            sent = match outage.how {
                Breakage::Stall => {
                    release = release.max(outage.to);
                    continue;
                }
                Breakage::Reset | Breakage::Close => outage.to,
                Breakage::HalfOpen => outage.to.max(sent + self.acknowledge_limit),
            };
            release = self.send(sent, bytes);
        }
        release
    }

    fn send(&mut self, at: SimTime, bytes: usize) -> SimTime {
        SimTime(self.leg.send_bytes(at.0, bytes))
    }

    /// The link gets worse from now on.
    pub(crate) fn impair(&mut self, now: SimTime, change: &Impairment) {
        self.leg.impair(now.0, change);
    }

    /// The link is itself again.
    pub(crate) fn restore(&mut self, now: SimTime) {
        self.leg.restore(now.0);
    }

    /// Takes out the next message that is released by an instant.
    pub(crate) fn released(&mut self, by: SimTime) -> Option<Held> {
        self.held.pop_front_if(|first| first.release <= by)
    }

    /// When the oldest message that is held was handed over.
    pub(crate) fn oldest(&self) -> Option<SimTime> {
        self.held.iter().map(|held| held.handed).min()
    }

    /// Whether a message is held.
    pub(crate) fn holds(&self, message: u64) -> bool {
        self.held.iter().any(|held| held.message == message)
    }

    /// How many messages are held.
    pub(crate) fn len(&self) -> usize {
        self.held.len()
    }

    /// When the last message that is held is released.
    pub(crate) fn last_release(&self) -> Option<SimTime> {
        self.held.back().map(|held| held.release)
    }
}
