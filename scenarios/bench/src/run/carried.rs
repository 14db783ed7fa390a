//! Readings that a transparent gateway carries unread: which frame is of which reading, and what
//! the platform made of each.
//!
//! Nodes number no readings, and one reading may be several frames. The bench sees the frames as
//! the device made them and as the gateway numbered them, byte by byte; the platform stores what
//! is in a frame under the gateway's number. What was stored under the numbers of one reading's
//! frames is that reading.

use std::collections::{BTreeMap, VecDeque};

use lastmeter_units::{Epoch, MeasurementId, Serial, SimDuration, SimTime};
use lastmeter_zigbee::opcode::Opcode;
use lastmeter_zigbee::payload::{Content, Numbered, Up};
use lastmeter_zigbee::relay::Relay;

use super::ledger::{SentReading, StoredReading};

/// How long a frame may take to its gateway: its repetitions, and the poll of a node that sleeps.
const ON_AIR_MAX: SimDuration = SimDuration::from_seconds(30);
/// What rounding in two orders may differ by, as a share.
const ROUNDING: f64 = 1e-9;
const SECOND_NS: i64 = 1_000_000_000;

/// The number that the platform stores something under.
type Number = (Epoch, Serial);

/// A frame of a reading at its gateway.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Carried {
    number: Number,
    /// The reading, as its device numbers it; `None` of what the device sent besides.
    reading: Option<Number>,
}

struct Waiting {
    reading: Number,
    at: SimTime,
    frame: Vec<u8>,
}

/// The frames of readings that are on their way to a gateway.
pub(crate) struct OnAir {
    /// The number of the gateway at the platform.
    gateway_number: u64,
    /// The places of devices, by their addresses.
    nodes: BTreeMap<u64, usize>,
    waiting: Vec<VecDeque<Waiting>>,
}

impl OnAir {
    /// None yet, of devices with these addresses.
    pub(crate) fn new(gateway_number: u64, addresses: &[u64]) -> Self {
        let nodes = addresses.iter().enumerate().map(|(place, address)| (*address, place));
        let waiting = addresses.iter().map(|_| VecDeque::new()).collect();
        Self { gateway_number, nodes: nodes.collect(), waiting }
    }

    /// A device has made a reading as these frames.
    pub(crate) fn made(&mut self, place: usize, sent: &SentReading, frames: Vec<Vec<u8>>) {
        let Some(at) = sent.event_time else { return };
        let of_reading = |frame| Waiting { reading: sent.key, at, frame };
        if let Some(waiting) = self.waiting.get_mut(place) {
            waiting.extend(frames.into_iter().map(of_reading));
        }
    }

    /// When the oldest reading was made that may still arrive; what is older is forgotten.
    pub(crate) fn oldest(&self, now: SimTime) -> Option<SimTime> {
        let all = self.waiting.iter().flatten().map(|waiting| waiting.at);
        all.filter(|&at| now - at <= ON_AIR_MAX).min()
    }

    /// The place of the device and the frame that a packet is, if it is one of a node.
    pub(crate) fn carried(&mut self, packet: &[u8]) -> Option<(usize, Carried)> {
        let (code, payload) = packet.split_first_chunk()?;
        let opcode = Opcode::of(u16::from_be_bytes(*code))?;
        let Ok(Up::Numbered(Numbered { epoch, sequence, taken_s, content })) =
            Up::read(opcode, payload)?
        else {
            return None;
        };
        let Content::Relay { frame, .. } = content else { return None };
        let relay = Relay::decode(frame).ok()?;
        let &place = self.nodes.get(&relay.eui64.0)?;
        let waiting = self.waiting.get_mut(place)?;
        // It may have waited for its turn at the gateway.
        let taken = SimTime(i64::from(taken_s) * SECOND_NS);
        waiting.retain(|it| taken - it.at <= ON_AIR_MAX);
        let found = waiting.iter().position(|it| it.frame == relay.frame);
        let reading = found.and_then(|found| waiting.remove(found)).map(|it| it.reading);
        let epoch = Epoch(self.gateway_number << 32 | u64::from(epoch));
        Some((place, Carried { number: (epoch, Serial(u64::from(sequence))), reading }))
    }
}

/// What the platform is to have of a device's readings.
#[derive(Default)]
pub(crate) struct CarriedReadings(BTreeMap<Number, Option<Number>>);

impl CarriedReadings {
    pub(crate) fn expect(&mut self, carried: Carried) {
        // What is sent again is what it was.
        self.0.entry(carried.number).or_insert(carried.reading);
    }

    /// Puts what is stored of a frame to what is stored of its reading. What the device sent besides
    /// is left out: nothing of it was due. What belongs to no frame, came twice or is dated wrong
    /// stays what it is, and is one too many.
    pub(crate) fn put(
        &mut self,
        stored: StoredReading,
        sent: &BTreeMap<Number, SentReading>,
        all: &mut Vec<StoredReading>,
    ) {
        let number = stored.epoch.zip(stored.serial);
        let frame = number.and_then(|number| self.0.remove(&number));
        if frame == Some(None) {
            return;
        }
        let of_reading = frame.flatten().and_then(|reading| sent.get(&reading));
        let Some((reading, at)) = of_reading.and_then(|it| Some((it.key, it.event_time?))) else {
            all.push(stored);
            return;
        };
        // Gateways date by whole seconds.
        let first = SimTime(at.0.div_euclid(SECOND_NS) * SECOND_NS);
        if !(first..=at + ON_AIR_MAX).contains(&stored.event_time) {
            all.push(stored);
            return;
        }
        let key = (Some(reading.0), Some(reading.1));
        match all.iter_mut().find(|other| (other.epoch, other.serial) == key) {
            None => {
                let (epoch, serial) = key;
                all.push(StoredReading { epoch, serial, event_time: at, ..stored });
            }
            Some(other) if stored.values.keys().any(|name| other.values.contains_key(name)) => {
                all.push(stored);
            }
            Some(other) => other.values.extend(stored.values),
        }
    }
}

/// Values in SI units in the units of messages.
pub(crate) fn in_message_units(values: BTreeMap<String, f64>) -> BTreeMap<String, f64> {
    let converted = values.into_iter().map(|(name, value)| {
        let factor = MeasurementId::lookup(&name).map_or(1.0, |id| id.row().si_factor);
        (name, value / factor)
    });
    converted.collect()
}

/// Whether values are the same but for rounding.
pub(crate) fn are_same(one: &BTreeMap<String, f64>, other: &BTreeMap<String, f64>) -> bool {
    one.len() == other.len()
        && one.iter().zip(other).all(|((name, value), (other_name, other))| {
            name == other_name && (value - other).abs() <= ROUNDING * other.abs()
        })
}
