//! What the concentrator keeps durably: messages that are open, and how far each meter has counted.
//!
//! A record is a version, a kind, its number, its fields, and the CRC-32C of all of that; numbers
//! are little-endian, texts and payloads have their length before them.

use std::collections::BTreeMap;

use lastmeter_units::{HardwareId, SimTime};
use thiserror::Error;

const VERSION: u8 = 1;
const MESSAGE: u8 = 1;
const STATE: u8 = 2;
const STATE_WITH_POINTS: u8 = 3;
const METER: u8 = 4;
const PART: u8 = 5;
const STATE_WITH_PARTS: u8 = 6;
const CHECKSUM_BYTES: usize = 4;
/// Bits of a meter's flags.
const UNREACHABLE: u8 = 1;
const HAS_ALERT: u8 = 2;
const HAS_COUNTER: u8 = 4;
const HAS_PROFILE: u8 = 8;

/// What is remembered of a meter from one answer to the next.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct MeterState {
    /// The serial of its last reading; 0 before the first.
    pub(super) serial: u64,
    /// The access number of the answer that made it.
    pub(super) access_number: u8,
    /// The CRC-32C of that answer; of a node of a CAN network, the number of its last voltage dip
    /// that was reported.
    pub(super) fingerprint: u32,
    /// The error bits of its last status.
    pub(super) status: u8,
    /// It was reported as unreachable, and has not answered since.
    pub(super) unreachable: bool,
    /// The serial of the gateway's last alert about it; 0 before the first. Written since alerts
    /// have numbers, where there was one.
    pub(super) alert: u64,
    /// The counter of authentication of its last message; of the gateway itself, the first one that
    /// it never reserved. 0 without authentication, and then not written.
    pub(super) counter: u64,
    /// The number of the last interval of its power profile that was reported; 0 before the first,
    /// and then not written.
    pub(super) profile: u64,
}

/// What is remembered of a point of a simulator that is written, in SI units.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct PointState {
    /// Its name, of at most 64 bytes.
    pub(super) name: String,
    pub(super) target: f64,
    /// What it had when this was kept.
    pub(super) value: f64,
    pub(super) at: SimTime,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Record {
    /// A message, and what is to be remembered of a meter once it is durable.
    Message {
        number: u64,
        owner: HardwareId,
        about: Option<(HardwareId, MeterState)>,
        payload: Vec<u8>,
    },
    /// What is to be remembered of a meter, without a message.
    Meter { number: u64, id: HardwareId, state: MeterState },
    /// All that is to be remembered, in place of the records before.
    State {
        number: u64,
        dropped: u64,
        meters: Vec<(HardwareId, MeterState)>,
        /// What was written to points of a simulator.
        points: Vec<PointState>,
        /// What the gateway's own machines keep, by name.
        parts: Parts,
    },
    /// What one of the gateway's own machines keeps, in place of what it kept under this name.
    Part { number: u64, name: String, bytes: Vec<u8> },
}

/// What machines keep, by names of at most 255 bytes.
pub(super) type Parts = BTreeMap<String, Vec<u8>>;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub(super) enum RecordError {
    #[error("{0} bytes, expected a record of at least 14")]
    TooShort(usize),
    #[error("the checksum is {found:08x}, expected {expected:08x}")]
    Checksum { found: u32, expected: u32 },
    #[error("record version {0}, expected {VERSION}")]
    Version(u8),
    #[error("record kind {0}, expected {MESSAGE} to {STATE_WITH_PARTS}")]
    Kind(u8),
    #[error("fields that do not fit the record's length")]
    Fields,
}

impl Record {
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut out = vec![VERSION];
        match self {
            Self::Message { number, owner, about, payload } => {
                out.push(MESSAGE);
                out.extend(number.to_le_bytes());
                put_text(&mut out, owner);
                out.push(u8::from(about.is_some()));
                if let Some((meter, state)) = about {
                    put_meter(&mut out, meter, state);
                }
                out.extend((payload.len() as u32).to_le_bytes());
                out.extend(payload);
            }
            Self::Meter { number, id, state } => {
                out.push(METER);
                out.extend(number.to_le_bytes());
                put_meter(&mut out, id, state);
            }
            Self::Part { number, name, bytes } => {
                out.push(PART);
                out.extend(number.to_le_bytes());
                put_part(&mut out, name, bytes);
            }
            Self::State { number, dropped, meters, points, parts } => {
                // The kinds of before are written where they suffice.
                out.push(match (parts.is_empty(), points.is_empty()) {
                    (false, _) => STATE_WITH_PARTS,
                    (true, false) => STATE_WITH_POINTS,
                    (true, true) => STATE,
                });
                out.extend(number.to_le_bytes());
                out.extend(dropped.to_le_bytes());
                out.extend((meters.len() as u32).to_le_bytes());
                for (meter, state) in meters {
                    put_meter(&mut out, meter, state);
                }
                if !points.is_empty() || !parts.is_empty() {
                    out.extend((points.len() as u32).to_le_bytes());
                }
                for PointState { name, target, value, at } in points {
                    out.push(name.len() as u8);
                    out.extend(name.as_bytes());
                    out.extend([target.to_le_bytes(), value.to_le_bytes()].concat());
                    out.extend(at.0.to_le_bytes());
                }
                if !parts.is_empty() {
                    out.extend((parts.len() as u32).to_le_bytes());
                }
                for (name, bytes) in parts {
                    put_part(&mut out, name, bytes);
                }
            }
        }
        out.extend(crc32c::crc32c(&out).to_le_bytes());
        out
    }

    pub(super) fn decode(bytes: &[u8]) -> Result<Self, RecordError> {
        let short = RecordError::TooShort(bytes.len());
        let (body, checksum) = bytes.split_last_chunk::<CHECKSUM_BYTES>().ok_or(short)?;
        let (found, expected) = (u32::from_le_bytes(*checksum), crc32c::crc32c(body));
        if found != expected {
            return Err(RecordError::Checksum { found, expected });
        }
        let mut fields = Fields(body);
        let (version, kind) = (fields.byte().ok_or(short)?, fields.byte().ok_or(short)?);
        if version != VERSION {
            return Err(RecordError::Version(version));
        }
        let record = match kind {
            MESSAGE => fields.message(),
            STATE | STATE_WITH_POINTS | STATE_WITH_PARTS => fields.state(kind),
            METER => fields.meter_alone(),
            PART => fields.part_alone(),
            other => return Err(RecordError::Kind(other)),
        };
        record.filter(|_| fields.0.is_empty()).ok_or(RecordError::Fields)
    }
}

/// A hardware id has at most 128 bytes.
fn put_text(out: &mut Vec<u8>, id: &HardwareId) {
    out.push(id.as_str().len() as u8);
    out.extend(id.as_str().as_bytes());
}

fn put_part(out: &mut Vec<u8>, name: &str, bytes: &[u8]) {
    out.push(name.len() as u8);
    out.extend(name.as_bytes());
    out.extend((bytes.len() as u32).to_le_bytes());
    out.extend(bytes);
}

fn put_meter(out: &mut Vec<u8>, id: &HardwareId, state: &MeterState) {
    put_text(out, id);
    out.extend(state.serial.to_le_bytes());
    out.push(state.access_number);
    out.extend(state.fingerprint.to_le_bytes());
    let has_alert = if state.alert > 0 { HAS_ALERT } else { 0 };
    let has_counter = if state.counter > 0 { HAS_COUNTER } else { 0 };
    let has_profile = if state.profile > 0 { HAS_PROFILE } else { 0 };
    let has = has_alert | has_counter | has_profile;
    out.extend([state.status, u8::from(state.unreachable) | has]);
    let values = [state.alert, state.counter, state.profile].into_iter();
    for value in values.filter(|value| *value > 0) {
        out.extend(value.to_le_bytes());
    }
}

/// Fields that are still to be read.
struct Fields<'a>(&'a [u8]);

impl<'a> Fields<'a> {
    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(taken)
    }

    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        self.take(N)?.try_into().ok()
    }

    fn byte(&mut self) -> Option<u8> {
        self.array::<1>().map(|[byte]| byte)
    }

    fn flag(&mut self) -> Option<bool> {
        self.byte().filter(|byte| *byte < 2).map(|byte| byte == 1)
    }

    fn short(&mut self) -> Option<u32> {
        self.array().map(u32::from_le_bytes)
    }

    fn long(&mut self) -> Option<u64> {
        self.array().map(u64::from_le_bytes)
    }

    fn id(&mut self) -> Option<HardwareId> {
        let length = self.byte()?;
        let text = self.take(usize::from(length))?.to_vec();
        HardwareId::new(String::from_utf8(text).ok()?).ok()
    }

    fn meter(&mut self) -> Option<(HardwareId, MeterState)> {
        let id = self.id()?;
        let (serial, access_number) = (self.long()?, self.byte()?);
        let (fingerprint, status) = (self.short()?, self.byte()?);
        let known = UNREACHABLE | HAS_ALERT | HAS_COUNTER | HAS_PROFILE;
        let flags = self.byte().filter(|flags| *flags <= known)?;
        let mut positive = |flag| match flags & flag {
            0 => Some(0),
            _ => self.long().filter(|value| *value > 0),
        };
        let (alert, counter) = (positive(HAS_ALERT)?, positive(HAS_COUNTER)?);
        let profile = positive(HAS_PROFILE)?;
        let unreachable = flags & UNREACHABLE != 0;
        let state = MeterState {
            serial,
            access_number,
            fingerprint,
            status,
            unreachable,
            alert,
            counter,
            profile,
        };
        Some((id, state))
    }

    fn meter_alone(&mut self) -> Option<Record> {
        let number = self.long()?;
        let (id, state) = self.meter()?;
        Some(Record::Meter { number, id, state })
    }

    fn part(&mut self) -> Option<(String, Vec<u8>)> {
        let length = self.byte()?;
        let name = String::from_utf8(self.take(usize::from(length))?.to_vec()).ok()?;
        let length = self.short()?;
        Some((name, self.take(length as usize)?.to_vec()))
    }

    fn part_alone(&mut self) -> Option<Record> {
        let number = self.long()?;
        let (name, bytes) = self.part()?;
        Some(Record::Part { number, name, bytes })
    }

    fn message(&mut self) -> Option<Record> {
        let (number, owner) = (self.long()?, self.id()?);
        let about = if self.flag()? { Some(self.meter()?) } else { None };
        let length = self.short()?;
        let payload = self.take(length as usize)?.to_vec();
        Some(Record::Message { number, owner, about, payload })
    }

    fn state(&mut self, kind: u8) -> Option<Record> {
        let (number, dropped, count) = (self.long()?, self.long()?, self.short()?);
        let meters = (0..count).map(|_| self.meter()).collect::<Option<_>>()?;
        let mut points = Vec::new();
        let count = if kind == STATE { 0 } else { self.short()? };
        for _ in 0..count {
            let length = self.byte()?;
            let name = String::from_utf8(self.take(usize::from(length))?.to_vec()).ok()?;
            let target = f64::from_le_bytes(self.array()?);
            let value = f64::from_le_bytes(self.array()?);
            let at = SimTime(i64::from_le_bytes(self.array()?));
            points.push(PointState { name, target, value, at });
        }
        let mut parts = Parts::new();
        if kind == STATE_WITH_PARTS {
            for _ in 0..self.short()? {
                // In order, so that there is one encoding of each.
                let (name, bytes) = self.part()?;
                if parts.last_key_value().is_some_and(|(last, _)| *last >= name) {
                    return None;
                }
                parts.insert(name, bytes);
            }
        }
        // What has none has a kind of its own.
        let is_whole = match kind {
            STATE_WITH_PARTS => !parts.is_empty(),
            STATE_WITH_POINTS => !points.is_empty(),
            _ => true,
        };
        is_whole.then_some(Record::State { number, dropped, meters, points, parts })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn id(text: &str) -> HardwareId {
        HardwareId::new(text).unwrap()
    }

    fn records() -> [Record; 8] {
        let state = MeterState {
            serial: 1 << 40,
            access_number: 255,
            fingerprint: 7,
            status: 4,
            unreachable: true,
            alert: 1 << 33,
            counter: 0,
            profile: 0,
        };
        let before = MeterState { alert: 0, ..state };
        let sealed = MeterState { counter: 1 << 50, ..before };
        let both = MeterState { counter: 1, unreachable: false, ..state };
        let (owner, payload) = (id("m"), vec![1, 2, 3]);
        let about = Some((id("m-2"), state));
        [
            Record::Message { number: 9, owner: owner.clone(), about, payload },
            Record::Message { number: 1, owner, about: None, payload: Vec::new() },
            Record::Meter { number: 4, id: id("m"), state: sealed },
            Record::Meter { number: 5, id: id("m"), state: both },
            Record::State {
                number: 2,
                dropped: 3,
                meters: vec![(id("é"), before); 3],
                points: Vec::new(),
                parts: Parts::new(),
            },
            Record::Part { number: 7, name: "bill".to_owned(), bytes: vec![7; 9] },
            Record::State {
                number: 8,
                dropped: 0,
                meters: vec![(id("m"), state)],
                points: Vec::new(),
                parts: [("a".to_owned(), vec![1]), ("b".to_owned(), Vec::new())].into(),
            },
            Record::State {
                number: 3,
                dropped: 0,
                meters: vec![(id("m"), state)],
                points: [("tap", -0.1, 7), ("u", f64::MAX, -7)]
                    .map(|(name, target, at)| PointState {
                        name: name.to_owned(),
                        target,
                        value: target / 2.0,
                        at: SimTime(at),
                    })
                    .to_vec(),
                parts: Parts::new(),
            },
        ]
    }

    #[test]
    fn records_are_read_as_they_were_written() {
        for record in records() {
            assert_eq!(Record::decode(&record.encode()), Ok(record));
        }
    }

    /// Bytes that were written before meters had counters, put together by hand.
    #[test]
    fn records_of_before_are_readable() {
        let meter = [
            &[1, b'm'][..],
            &7_u64.to_le_bytes(),
            &[9],
            &5_u32.to_le_bytes(),
            &[4, 3],
            &2_u64.to_le_bytes(),
        ]
        .concat();
        let mut bytes =
            [&[1, 2][..], &6_u64.to_le_bytes(), &0_u64.to_le_bytes(), &1_u32.to_le_bytes(), &meter]
                .concat();
        bytes.extend(crc32c::crc32c(&bytes).to_le_bytes());
        let state = MeterState {
            serial: 7,
            access_number: 9,
            fingerprint: 5,
            status: 4,
            unreachable: true,
            alert: 2,
            counter: 0,
            profile: 0,
        };
        let meters = vec![(id("m"), state)];
        let (points, parts) = (Vec::new(), Parts::new());
        let expected = Record::State { number: 6, dropped: 0, meters, points, parts };
        assert_eq!(Record::decode(&bytes), Ok(expected));
    }

    #[test]
    fn what_is_damaged_is_refused() {
        for record in records() {
            let bytes = record.encode();
            for at in 0..bytes.len() {
                let mut damaged = bytes.clone();
                damaged[at] ^= 1;
                assert!(Record::decode(&damaged).is_err());
                assert!(Record::decode(&bytes[..at]).is_err());
            }
        }
    }

    proptest! {
        #[test]
        fn counters_are_read_as_they_were_written(
            number: u64, serial: u64, alert: u64, counter: u64, profile: u64, unreachable: bool,
        ) {
            let rest = MeterState::default();
            let state = MeterState { serial, unreachable, alert, counter, profile, ..rest };
            let record = Record::Meter { number, id: id("m-7"), state };
            prop_assert_eq!(Record::decode(&record.encode()), Ok(record));
        }

        #[test]
        fn any_bytes_behind_a_right_checksum_do_no_harm(
            mut bytes in prop::collection::vec(any::<u8>(), 0..80), kind in 1_u8..7,
        ) {
            bytes.splice(0..0, [VERSION, kind]);
            bytes.extend(crc32c::crc32c(&bytes).to_le_bytes());
            if let Ok(record) = Record::decode(&bytes) {
                prop_assert_eq!(record.encode(), bytes);
            }
        }
    }
}
