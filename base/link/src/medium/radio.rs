//! The air of a radio network with a coordinator: one channel that all share, frames that are
//! received whole or not at all.
//!
//! Who wants to send while another sends waits until the channel is free, so frames never collide;
//! what is lost is lost by chance. A node is heard by the coordinator alone, and hears it alone.

use chacha20::ChaCha8Rng;
use lastmeter_params::{Dimension, Entry, Field, Kind, Values};
use lastmeter_units::{SimDuration, SimTime};

use super::{Arrival, Due, MediumSpec, NANOSECONDS_PER_SECOND, NetworkKind, Party, later};
use crate::impair::Draws;

/// Payload bits per second of the 2.4 GHz band (IEEE 802.15.4-2020, 12.2.2, unverified).
const BITS_PER_SECOND: i64 = 250_000;
/// Bytes around the frame's own: preamble, start and length (6), header and check of the MAC (11)
/// and of the network layer (8), security (14).
const OVERHEAD_BYTES: i64 = 39;

const PROBABILITY: Kind = Kind::Quantity { dimension: Dimension::Ratio, min: 0.0, max: 1.0 };

/// The keys of a radio network.
pub static RADIO_MEDIUM_FIELDS: &[Field] = &[
    Field::default(
        "delay",
        Kind::Quantity { dimension: Dimension::Time, min: 0.0, max: 60.0 },
        "\"5 ms\"",
        "How long a frame takes beside the time of its bits: access to the channel, processing, hops",
    ),
    Field::default(
        "frame_loss",
        PROBABILITY,
        "\"0 %\"",
        "Probability for each frame and each party that it is not received",
    ),
    Field::default(
        "duplicates",
        PROBABILITY,
        "\"0 %\"",
        "Probability for each frame and each party that it is received twice",
    ),
];

pub(super) const ZIGBEE: NetworkKind = NetworkKind {
    entry: Entry {
        name: "zigbee",
        summary: "ZigBee: a radio channel with one coordinator",
        description: "A radio network in the 2.4 GHz band, 250 kbit/s. All parties share one \
            channel: who wants to send waits until it is free. The gateway's coordinator hears \
            every node, a node the coordinator alone. A frame is received whole, twice, or not at \
            all. What is lost is sent again by who misses the acknowledgement.",
        fields: RADIO_MEDIUM_FIELDS,
    },
    build: |values, _| Some(MediumSpec::Radio(read_radio(values))),
};

/// What a radio network is like.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RadioSpec {
    /// Of each frame, beside the time of its bits.
    pub delay: SimDuration,
    /// Probability for each frame and receiver not to be received.
    pub loss: f64,
    /// Probability for each frame and receiver to be received twice.
    pub duplicates: f64,
}

/// What the checked keys of a radio network mean.
fn read_radio(values: &Values) -> RadioSpec {
    RadioSpec {
        delay: values.duration("delay"),
        loss: values.si("frame_loss"),
        duplicates: values.si("duplicates"),
    }
}

/// Streams of a receiver; the master has the first, slave n those from `(n + 1) * STREAMS`.
const STREAMS: u64 = 2;

/// What befalls the frames that a party receives.
#[derive(Debug)]
struct Receiver {
    loss: Draws,
    duplicates: Draws,
}

/// A radio channel and what is on its way in it.
#[derive(Debug)]
pub struct Radio {
    spec: RadioSpec,
    /// When the channel is free.
    free: SimTime,
    /// The last arrival that was taken: nothing is sent before it.
    now: SimTime,
    /// The master, then the slaves.
    receivers: Vec<Receiver>,
    due: Due,
}

impl Radio {
    /// An idle channel with so many slaves, drawing from the key of `rng`.
    pub fn new(spec: RadioSpec, slaves: usize, rng: &ChaCha8Rng) -> Self {
        let key = rng.get_seed();
        let receiver = |number: u64| Receiver {
            loss: Draws::new(key, number * STREAMS),
            duplicates: Draws::new(key, number * STREAMS + 1),
        };
        Self {
            spec,
            free: SimTime(i64::MIN),
            now: SimTime(i64::MIN),
            receivers: (0..=slaves as u64).map(receiver).collect(),
            due: Due::default(),
        }
    }

    /// A party sends a frame at `at`, or as soon after it as the channel is free; see
    /// [`Medium::transmit`](super::Medium::transmit).
    pub fn transmit(
        &mut self,
        from: Party,
        to: Option<usize>,
        at: SimTime,
        bytes: &[u8],
    ) -> SimTime {
        let slaves = self.receivers.len() - 1;
        let is_there = |slave: usize| slave < slaves;
        let (receivers, lane) = match from {
            Party::Slave(slave) => (0..usize::from(is_there(slave)), Some(slave)),
            Party::Master => match to {
                Some(slave) => (slave + 1..slave + 1 + usize::from(is_there(slave)), None),
                None => (1..slaves + 1, None),
            },
        };
        if receivers.is_empty() || bytes.is_empty() {
            return at;
        }
        let bits = (bytes.len() as i64).saturating_add(OVERHEAD_BYTES).saturating_mul(8);
        let takes = SimDuration(bits.saturating_mul(NANOSECONDS_PER_SECOND / BITS_PER_SECOND));
        let out = later(at.max(self.now).max(self.free), takes);
        self.free = out;
        for number in receivers {
            let receiver = &mut self.receivers[number];
            let is_lost = receiver.loss.uniform() < self.spec.loss;
            let is_double = receiver.duplicates.uniform() < self.spec.duplicates;
            let to = number.checked_sub(1).map_or(Party::Master, Party::Slave);
            let arrives = later(out, self.spec.delay);
            let copies = [(!is_lost).then_some(arrives), is_double.then(|| later(arrives, takes))];
            for at in copies.into_iter().flatten() {
                let bits_per_second = BITS_PER_SECOND as u32;
                self.due.put(Arrival { to, lane, at, bytes: bytes.to_vec(), bits_per_second });
            }
        }
        out
    }

    /// When the next arrival is.
    pub fn next(&self) -> Option<SimTime> {
        self.due.next()
    }

    /// The next arrival, if it is not after `until`.
    pub fn pop(&mut self, until: SimTime) -> Option<Arrival> {
        let at = self.next().filter(|&at| at <= until)?;
        self.now = self.now.max(at);
        self.due.pop()
    }
}
