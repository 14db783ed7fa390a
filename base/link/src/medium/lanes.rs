//! Lanes: ordered and lossless bytes between the master and each slave, as TCP or a private serial
//! line gives them.
//!
//! What is sent at once arrives at once, when its last byte does: after the lane is free, the time
//! its bits take at the lane's rate, and the delay. The two directions of a lane are independent.

use lastmeter_params::{Diagnostics, Dimension, Entry, Field, Kind, Values};
use lastmeter_units::{SimDuration, SimTime};

use super::{Arrival, Due, MediumSpec, NANOSECONDS_PER_SECOND, NetworkKind, Party, later};
use crate::impair::read_bits_per_s;

/// The keys of lanes.
pub static STREAM_MEDIUM_FIELDS: &[Field] = &[
    Field::default(
        "delay",
        Kind::Quantity { dimension: Dimension::Time, min: 0.0, max: 3600.0 },
        "\"1 ms\"",
        "How long a byte takes from one end to the other, one way",
    ),
    Field::optional(
        "rate",
        Kind::Text,
        "Speed of each lane as payload bits per second, such as `\"128 kbit/s\"`; unless set, or \
         with `\"unlimited\"`, bytes take no time but the delay",
    ),
];

pub(super) const STREAM: NetworkKind = NetworkKind {
    entry: Entry {
        name: "stream",
        summary: "an ordered, lossless lane between the gateway and each device",
        description: "Each device has a lane of its own to the gateway, as TCP or a private serial \
            line gives it: bytes arrive in the order in which they were sent, none is lost or \
            altered, and nobody else hears them. Both directions can be used at the same time. A \
            byte takes the `delay` and, with a `rate`, the time of its bits. What is sent at once \
            arrives at once.",
        fields: STREAM_MEDIUM_FIELDS,
    },
    build: |values, out| read_lanes(values, out).map(MediumSpec::Lanes),
};

/// What the lanes of a network are like.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LanesSpec {
    /// From one end to the other, one way.
    pub delay: SimDuration,
    /// Payload bits per second of each direction of a lane; infinite for an unlimited lane.
    pub bits_per_second: f64,
}

/// What the checked keys of lanes mean. `None` if they do not fit together; what is wrong is then
/// in `out`.
pub fn read_lanes(values: &Values, out: &mut Diagnostics) -> Option<LanesSpec> {
    let bits_per_second = match values.text_opt("rate") {
        None => f64::INFINITY,
        Some(_) => read_bits_per_s(values, "rate", out)?,
    };
    Some(LanesSpec { delay: values.duration("delay"), bits_per_second })
}

/// The lanes of a network and what is on its way in them.
#[derive(Debug)]
pub struct Lanes {
    spec: LanesSpec,
    /// When the direction to each slave, and from it, is free.
    free: Vec<[SimTime; 2]>,
    /// The last arrival that was taken: nothing is sent before it.
    now: SimTime,
    to_master: Due,
    to_slaves: Due,
}

impl Lanes {
    /// Idle lanes to so many slaves.
    pub fn new(spec: LanesSpec, slaves: usize) -> Self {
        Self {
            spec,
            free: vec![[SimTime(i64::MIN); 2]; slaves],
            now: SimTime(i64::MIN),
            to_master: Due::default(),
            to_slaves: Due::default(),
        }
    }

    /// A party sends at `at`, or as soon after it as the lane is free; see
    /// [`Medium::transmit`](super::Medium::transmit).
    pub fn transmit(
        &mut self,
        from: Party,
        to: Option<usize>,
        at: SimTime,
        bits_per_second: u32,
        bytes: &[u8],
    ) -> SimTime {
        match (from, to) {
            (Party::Slave(slave), _) => self.send(slave, Party::Master, at, bits_per_second, bytes),
            (Party::Master, Some(slave)) => {
                self.send(slave, Party::Slave(slave), at, bits_per_second, bytes)
            }
            (Party::Master, None) => (0..self.free.len())
                .map(|slave| self.send(slave, Party::Slave(slave), at, bits_per_second, bytes))
                .fold(at, SimTime::max),
        }
    }

    fn send(
        &mut self,
        slave: usize,
        to: Party,
        at: SimTime,
        bits_per_second: u32,
        bytes: &[u8],
    ) -> SimTime {
        let from_slave = to == Party::Master;
        let Some(free) = self.free.get_mut(slave).map(|both| &mut both[usize::from(from_slave)])
        else {
            return at;
        };
        if bytes.is_empty() {
            return at;
        }
        let bits = bytes.len() as f64 * 8.0;
        // The cast saturates.
        let takes = bits * NANOSECONDS_PER_SECOND as f64 / self.spec.bits_per_second;
        *free = later(at.max(self.now).max(*free), SimDuration(takes.round() as i64));
        let out = *free;
        let arrival = Arrival {
            to,
            lane: from_slave.then_some(slave),
            at: later(out, self.spec.delay),
            bytes: bytes.to_vec(),
            bits_per_second,
        };
        if from_slave {
            self.to_master.put(arrival);
        } else {
            self.to_slaves.put(arrival);
        }
        out
    }

    /// When the next arrival is.
    pub fn next(&self) -> Option<SimTime> {
        self.to_master.next().into_iter().chain(self.to_slaves.next()).min()
    }

    /// The next arrival, if it is not after `until`.
    pub fn pop(&mut self, until: SimTime) -> Option<Arrival> {
        let at = self.next().filter(|&at| at <= until)?;
        self.now = self.now.max(at);
        let first = if self.to_master.next() == Some(at) {
            &mut self.to_master
        } else {
            &mut self.to_slaves
        };
        first.pop()
    }
}
