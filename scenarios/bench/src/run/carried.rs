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
    /// Whether it has reached the gateway. One that is numbered once more is one too many.
    is_there: bool,
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
        let of_reading = |frame| Waiting { reading: sent.key, at, frame, is_there: false };
        if let Some(waiting) = self.waiting.get_mut(place) {
            waiting.extend(frames.into_iter().map(of_reading));
        }
    }

    /// When the oldest reading was made that may still arrive; what is older is forgotten.
    pub(crate) fn oldest(&self, now: SimTime) -> Option<SimTime> {
        let all = self.waiting.iter().flatten().filter(|waiting| !waiting.is_there);
        all.map(|waiting| waiting.at).filter(|&at| now - at <= ON_AIR_MAX).min()
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
        let found = waiting.iter_mut().find(|it| it.frame == relay.frame);
        let reading = found.map(|it| {
            it.is_there = true;
            it.reading
        });
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

    /// Puts what is stored of a frame to what is stored of its reading. What the device sent
    /// besides is left out: nothing of it was due. What belongs to no frame, came twice or is dated
    /// wrong stays what it is, and is one too many.
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

/// Whether what is stored is what was sent, but for rounding: without the values that nobody can
/// read, which are no numbers.
pub(crate) fn are_same(stored: &BTreeMap<String, f64>, sent: &BTreeMap<String, f64>) -> bool {
    let sent = || sent.iter().filter(|(_, value)| !value.is_nan());
    stored.len() == sent().count()
        && stored.iter().zip(sent()).all(|((name, value), (other_name, other))| {
            name == other_name && (value - other).abs() <= ROUNDING * other.abs()
        })
}

#[cfg(test)]
mod tests {
    use super::*;
    use lastmeter_zigbee::address::{Eui64, ShortAddress};

    const AT: SimTime = SimTime(1_800_000_060_000_000_000);

    fn sent(serial: u64) -> SentReading {
        let values = BTreeMap::from([("a".to_owned(), 1.0), ("b".to_owned(), 2.0)]);
        let event_time = Some(AT);
        SentReading { key: (Epoch(1), Serial(serial)), event_time, usable: None, values }
    }

    fn packet(sequence: u32, node: u64, taken: SimTime, frame: &[u8]) -> Vec<u8> {
        let relay = Relay {
            short: ShortAddress(1),
            eui64: Eui64(node),
            source_endpoint: 1,
            destination_endpoint: 1,
            profile: 0x0104,
            cluster: 0x0702,
            lqi: 255,
            aps_counter: 0,
            frame,
        };
        let mut native = Vec::new();
        relay.encode(&mut native);
        let content = Content::Relay { network_type: 0, frame: &native };
        let taken_s = u32::try_from(taken.0 / SECOND_NS).unwrap();
        let opcode = content.opcode();
        let up = Up::Numbered(Numbered { epoch: 0, sequence, taken_s, content });
        let mut packet = opcode.code().to_be_bytes().to_vec();
        up.write(&mut packet);
        packet
    }

    fn stored(sequence: u64, at: SimTime, name: &str) -> StoredReading {
        let values = BTreeMap::from([(name.to_owned(), 1.0)]);
        let (epoch, serial) = (Some(Epoch(7 << 32)), Some(Serial(sequence)));
        StoredReading {
            device: "plug".to_owned(),
            epoch,
            serial,
            event_time: at,
            commit_time: None,
            values,
        }
    }

    #[test]
    fn frames_of_a_reading_make_it_whole_whatever_their_numbers() {
        let mut on_air = OnAir::new(7, &[41, 42]);
        on_air.made(1, &sent(5), vec![vec![1], vec![2]]);
        assert_eq!(on_air.oldest(AT), Some(AT));
        let carried = |on_air: &mut OnAir, sequence, frame: &[u8]| {
            on_air.carried(&packet(sequence, 42, AT, frame)).unwrap()
        };
        let (place, first) = carried(&mut on_air, 10, &[1]);
        let (_, besides) = carried(&mut on_air, 11, &[9]);
        let (_, second) = carried(&mut on_air, 12, &[2]);
        assert_eq!((place, on_air.oldest(AT)), (1, None));
        let mut readings = CarriedReadings::default();
        // Sent again after a connection was lost, it is what it was.
        let (_, again) = carried(&mut on_air, 10, &[1]);
        for one in [first, besides, second, again] {
            readings.expect(one);
        }
        let known = BTreeMap::from([((Epoch(1), Serial(5)), sent(5))]);
        let mut all = Vec::new();
        for (sequence, name) in [(10, "a"), (11, "relay"), (12, "b")] {
            readings.put(stored(sequence, AT, name), &known, &mut all);
        }
        let found = |all: &[StoredReading]| {
            let of =
                |it: &StoredReading| (it.epoch.unwrap().0, it.serial.unwrap().0, it.values.len());
            all.iter().map(of).collect::<Vec<_>>()
        };
        assert_eq!(found(&all), [(1, 5, 2)]);
        // Twice, it is one too many, under the same number and under another one.
        readings.put(stored(12, AT, "b"), &known, &mut all);
        assert_eq!(found(&all), [(1, 5, 2), (7 << 32, 12, 1)]);
        let (_, doubled) = carried(&mut on_air, 13, &[2]);
        readings.expect(doubled);
        readings.put(stored(13, AT, "b"), &known, &mut all);
        assert_eq!(found(&all), [(1, 5, 2), (7 << 32, 12, 1), (7 << 32, 13, 1)]);
    }

    #[test]
    fn of_another_node_or_dated_otherwise_it_is_not_that_reading() {
        let mut on_air = OnAir::new(7, &[41, 42]);
        on_air.made(0, &sent(5), vec![vec![1]]);
        let (place, other) = on_air.carried(&packet(3, 42, AT, &[1])).unwrap();
        assert_eq!((place, other.reading), (1, None));
        assert_eq!(on_air.carried(&packet(3, 43, AT, &[1])), None, "a stranger");
        assert_eq!(on_air.carried(&[1, 2, 3]), None);
        let (_, own) = on_air.carried(&packet(4, 41, AT, &[1])).unwrap();
        let mut readings = CarriedReadings::default();
        readings.expect(own);
        let known = BTreeMap::from([((Epoch(1), Serial(5)), sent(5))]);
        for late in [AT - SimDuration::from_seconds(1), AT + SimDuration::from_seconds(31)] {
            let mut all = Vec::new();
            readings.expect(own);
            readings.put(stored(4, late, "a"), &known, &mut all);
            assert_eq!(all[0].serial, Some(Serial(4)), "{late}");
        }
    }

    #[test]
    fn what_nobody_can_read_is_not_to_be_stored() {
        let of = |values: &[(&str, f64)]| -> BTreeMap<String, f64> {
            values.iter().map(|&(name, value)| (name.to_owned(), value)).collect()
        };
        let sent = of(&[("a", 1.0), ("b", f64::NAN)]);
        assert!(are_same(&of(&[("a", 1.0)]), &sent));
        for wrong in [&[("a", 1.0), ("b", 2.0)][..], &[("a", 2.0)], &[("b", 1.0)], &[]] {
            assert!(!are_same(&of(wrong), &sent), "{wrong:?}");
        }
    }

    #[test]
    fn what_never_arrives_is_not_waited_for() {
        let mut on_air = OnAir::new(7, &[41]);
        on_air.made(0, &sent(5), vec![vec![1]]);
        assert_eq!(on_air.oldest(AT + ON_AIR_MAX), Some(AT));
        assert_eq!(on_air.oldest(AT + ON_AIR_MAX + SimDuration(1)), None);
    }
}
