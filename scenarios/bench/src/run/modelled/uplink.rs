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
use lastmeter_units::{Epoch, Serial, SimDuration, SimTime};

/// A stretch in which a link is broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Outage {
    pub(crate) from: SimTime,
    /// When it is mended.
    pub(crate) to: SimTime,
    pub(crate) how: Breakage,
}

/// A reading on its way through the modelled link.
#[derive(Clone, Debug)]
pub(crate) struct ReleasedReading {
    pub(crate) device: usize,
    pub(crate) key: (Epoch, Serial),
    pub(crate) handed: SimTime,
    pub(crate) released: SimTime,
    pub(crate) bytes: usize,
}

/// A message that the link has not released yet.
#[derive(Clone, Debug)]
pub(crate) struct DelayedMessage {
    /// When its device handed it over.
    pub(crate) handed: SimTime,
    /// When the link releases it.
    pub(crate) release: SimTime,
    pub(crate) message: u64,
    pub(crate) owner: String,
    pub(crate) topic: String,
    pub(crate) payload: Bytes,
}

/// The way from one device to the platform.
pub(crate) struct Uplink {
    leg: Leg,
    outages: Vec<Outage>,
    /// How long a device takes to notice that nothing is acknowledged.
    acknowledge_limit: SimDuration,
    held: VecDeque<DelayedMessage>,
}

impl Uplink {
    /// A link with its outages, in order.
    pub(crate) fn new(leg: Leg, outages: Vec<Outage>, acknowledge_limit: SimDuration) -> Self {
        Self { leg, outages, acknowledge_limit, held: VecDeque::new() }
    }

    /// Takes a message from its device.
    pub(crate) fn hand_over(
        &mut self,
        at: SimTime,
        (message, owner): (u64, String),
        topic: String,
        payload: Bytes,
    ) {
        // The order of one connection holds: nobody overtakes.
        let after = self.held.back().map_or(at, |last| last.release.max(at));
        let release = self.release(at, payload.len()).max(after);
        self.held.push_back(DelayedMessage { handed: at, release, message, owner, topic, payload });
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
    pub(crate) fn released(&mut self, by: SimTime) -> Option<DelayedMessage> {
        self.held.pop_front_if(|first| first.release <= by)
    }

    /// When the oldest message that is held was handed over.
    pub(crate) fn oldest(&self) -> Option<SimTime> {
        self.held.iter().map(|held| held.handed).min()
    }

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

#[cfg(test)]
mod tests {
    use lastmeter_link::impair::{LegName, LinkSpec};
    use lastmeter_sim::Streams;

    use super::*;

    fn at(milliseconds: i64) -> SimTime {
        SimTime(1_800_000_000_000_000_000) + SimDuration::from_milliseconds(milliseconds)
    }

    /// A link of 20 ms with these outages, and a device that notices after two seconds.
    fn uplink(outages: &[(i64, i64, Breakage)]) -> Uplink {
        let mut spec = LinkSpec::PERFECT;
        spec.up.delay_ns = 20e6;
        let leg = Leg::new(&spec, LegName::Up, &Streams::new(1).stream("t"));
        let outage =
            |&(from, to, how): &(i64, i64, Breakage)| Outage { from: at(from), to: at(to), how };
        Uplink::new(leg, outages.iter().map(outage).collect(), SimDuration::from_seconds(2))
    }

    /// When messages handed over at these instants are released.
    fn released(mut uplink: Uplink, handed: &[i64]) -> Vec<i64> {
        for (message, &instant) in (1..).zip(handed) {
            let (topic, payload) = ("t".to_owned(), Bytes::from_static(b"x"));
            uplink.hand_over(at(instant), (message, "d".to_owned()), topic, payload);
        }
        let mut instants = Vec::new();
        while let Some(held) = uplink.released(at(1_000_000)) {
            instants.push((held.release - at(0)).0 / 1_000_000);
        }
        instants
    }

    #[test]
    fn a_sound_link_releases_after_its_delay() {
        assert_eq!(released(uplink(&[]), &[0, 500, 501]), [20, 520, 521]);
    }

    #[test]
    fn a_broken_link_is_passed_after_it_is_mended_and_nobody_overtakes() {
        for how in [Breakage::Reset, Breakage::Close] {
            let link = uplink(&[(1000, 3000, how)]);
            // The second is on its way when the link breaks, the third is made meanwhile.
            assert_eq!(released(link, &[900, 990, 2000, 3500]), [920, 3020, 3020, 3520], "{how:?}");
        }
    }

    #[test]
    fn a_stalled_link_releases_what_it_held_at_its_end() {
        let link = uplink(&[(1000, 3000, Breakage::Stall)]);
        assert_eq!(released(link, &[900, 990, 2000, 3500]), [920, 3000, 3000, 3520]);
    }

    #[test]
    fn behind_a_half_open_link_a_device_notices_only_by_the_missing_acknowledgement() {
        let link = uplink(&[(1000, 2000, Breakage::HalfOpen)]);
        // Handed over at 1.5 s, noticed at 3.5 s; what comes later waits behind it.
        assert_eq!(released(link, &[1500, 2500, 4000]), [3520, 3520, 4020]);
    }

    #[test]
    fn two_outages_in_a_row_are_both_waited_for() {
        let link = uplink(&[(1000, 2000, Breakage::Reset), (2010, 3000, Breakage::Close)]);
        assert_eq!(released(link, &[1500]), [3020]);
    }

    #[test]
    fn what_is_held_is_known() {
        let mut link = uplink(&[(0, 1000, Breakage::Reset)]);
        link.hand_over(at(10), (7, "d".to_owned()), "t".to_owned(), Bytes::new());
        assert_eq!((link.len(), link.oldest()), (1, Some(at(10))));
        assert!(link.holds(7) && !link.holds(8));
        assert!(link.released(at(1019)).is_none());
        assert_eq!(link.released(at(1020)).map(|held| held.message), Some(7));
        assert_eq!((link.len(), link.last_release()), (0, None));
    }
}
