//! What travels from the journal to the store, and how a journalled entry is written as bytes.
//!
//! Terms: a *barrier* answers when everything before it is committed; see `lastmeter_model::work`
//! for the others.

use bytes::Bytes;
use lastmeter_model::refusal::RefusalRecord;
use lastmeter_model::standing::{Standing, Totals};
use lastmeter_model::work::{Change, Changed, Delivery, Work};
use lastmeter_units::{HardwareId, SimTime};
use tokio::sync::{OwnedSemaphorePermit, oneshot};

use crate::format::{self, Format};

/// What the store thread is given, in the order in which it is committed.
pub(crate) enum Job {
    /// A durable journal entry.
    Delivery {
        delivery: Box<Delivery>,
        /// Its share of the memory that may be in flight; given back after the commit.
        _permit: Option<OwnedSemaphorePermit>,
    },
    /// Something the platform itself wants stored.
    Change(Change, oneshot::Sender<Changed>),
    /// Answers when everything before it is committed.
    Barrier(oneshot::Sender<Totals>),
    /// Removes a part of what is kept no longer, and answers where the store stands then and
    /// whether there may be more to remove.
    Tend(oneshot::Sender<(Standing, bool)>),
    /// What is missing up to here has been reported: it is not looked for again.
    Settle {
        /// The last sequence of the journal that was acknowledged.
        committed: u64,
        /// Changes there ever were.
        changes: u64,
    },
}

impl Job {
    /// Whether the driven clock is moved with it.
    pub(crate) fn moves_clock(&self) -> bool {
        matches!(self, Self::Change(Change::Clock(_), _))
    }

    /// What there is to store.
    pub(crate) fn work(&self) -> Option<Work<'_>> {
        match self {
            Self::Delivery { delivery, .. } => Some(Work::Delivery(delivery)),
            Self::Change(change, _) => Some(Work::Change(change)),
            Self::Settle { committed, changes } => {
                Some(Work::Settle { committed: *committed, changes: *changes })
            }
            Self::Barrier(_) | Self::Tend(_) => None,
        }
    }
}

/// A journal entry that is not the platform's own writing, or that of a later version.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum EntryError {
    /// It is not what any version writes.
    #[error("a journal entry of {0} bytes cannot be read")]
    Unreadable(usize),
    /// No format has its code.
    #[error(
        "a journal entry has format {0}, which this version does not have; start the later one"
    )]
    UnknownFormat(u8),
}

/// A message as it stands in the journal.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Entry<'a> {
    pub(crate) received: SimTime,
    /// What it is written in.
    pub(crate) format: &'static Format,
    pub(crate) topic: &'a str,
    /// The bytes as they came.
    pub(crate) payload: &'a [u8],
}

/// Writes a message as it goes into the journal: received i64, format u8, topic length u16, topic,
/// payload, all little endian.
pub(crate) fn encode_message(entry: &Entry<'_>) -> Vec<u8> {
    let Entry { received, format, topic, payload } = entry;
    let mut out = Vec::with_capacity(11 + topic.len() + payload.len());
    out.extend_from_slice(&received.as_nanoseconds().to_le_bytes());
    out.push(format.code);
    put_text(&mut out, topic);
    out.extend_from_slice(payload);
    out
}

/// Writes a refusal: received i64, then device (empty: unknown), reason, topic, detail as texts
/// with a length u16 in front; where the content is kept, the rest is 1 u8 and the content.
pub(crate) fn encode_refusal(received: SimTime, record: &RefusalRecord) -> Vec<u8> {
    let content = record.content.as_ref().map_or(0, Bytes::len);
    let mut out = Vec::with_capacity(64 + record.topic.len() + record.detail.len() + content);
    out.extend_from_slice(&received.as_nanoseconds().to_le_bytes());
    put_text(&mut out, record.device.as_ref().map_or("", HardwareId::as_str));
    for text in [&record.reason, &record.topic, &record.detail] {
        put_text(&mut out, text);
    }
    if let Some(content) = &record.content {
        out.push(1);
        out.extend_from_slice(content);
    }
    out
}

pub(crate) fn decode_message(entry: &[u8]) -> Result<Entry<'_>, EntryError> {
    let error = EntryError::Unreadable(entry.len());
    let (received, rest) = take_time(entry).ok_or(error)?;
    let (code, rest) = rest.split_first().ok_or(error)?;
    let (topic, payload) = take_text(rest).ok_or(error)?;
    let format = format::by_code(*code).ok_or(EntryError::UnknownFormat(*code))?;
    Ok(Entry { received, format, topic, payload })
}

/// Reads a message entry of the versions that had one format: the same without its code.
pub(crate) fn decode_unnamed(entry: &[u8]) -> Result<Entry<'_>, EntryError> {
    let error = EntryError::Unreadable(entry.len());
    let (received, rest) = take_time(entry).ok_or(error)?;
    let (topic, payload) = take_text(rest).ok_or(error)?;
    Ok(Entry { received, format: format::first(), topic, payload })
}

pub(crate) fn decode_refusal(entry: &[u8]) -> Result<(SimTime, RefusalRecord), EntryError> {
    let read = || {
        let (received, rest) = take_time(entry)?;
        let (device, rest) = take_text(rest)?;
        let (reason, rest) = take_text(rest)?;
        let (topic, rest) = take_text(rest)?;
        let (detail, rest) = take_text(rest)?;
        let content = rest.split_first().map(|(_, content)| Bytes::copy_from_slice(content));
        let record = RefusalRecord {
            reason: reason.to_owned(),
            device: HardwareId::new(device).ok(),
            topic: topic.to_owned(),
            detail: detail.to_owned(),
            content,
        };
        Some((received, record))
    };
    read().ok_or(EntryError::Unreadable(entry.len()))
}

fn put_text(out: &mut Vec<u8>, text: &str) {
    let text = lastmeter_model::refusal::shortened(text, usize::from(u16::MAX));
    out.extend_from_slice(&(text.len() as u16).to_le_bytes());
    out.extend_from_slice(text.as_bytes());
}

fn take_time(bytes: &[u8]) -> Option<(SimTime, &[u8])> {
    let (time, rest) = bytes.split_first_chunk::<8>()?;
    Some((SimTime::from_nanoseconds(i64::from_le_bytes(*time)), rest))
}

fn take_text(bytes: &[u8]) -> Option<(&str, &[u8])> {
    let (length, rest) = bytes.split_first_chunk::<2>()?;
    let (text, rest) = rest.split_at_checked(usize::from(u16::from_le_bytes(*length)))?;
    Some((std::str::from_utf8(text).ok()?, rest))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_message_entry_reads_back(
            ns in any::<i64>(), topic in ".{0,60}", payload in prop::collection::vec(any::<u8>(), 0..99),
            row in 0..format::FORMATS.len(), unknown in 100_u8..,
        ) {
            let format = &format::FORMATS[row];
            let entry = Entry { received: SimTime(ns), format, topic: &topic, payload: &payload };
            let mut bytes = encode_message(&entry);
            let read = decode_message(&bytes).unwrap();
            prop_assert_eq!((read.received, read.format.code), (SimTime(ns), format.code));
            prop_assert_eq!((read.topic, read.payload), (&*topic, &*payload));
            // As versions before wrote it.
            let mut before = bytes.clone();
            before.remove(8);
            let read = decode_unnamed(&before).unwrap();
            prop_assert_eq!((read.received, read.format.name), (SimTime(ns), "json"));
            prop_assert_eq!((read.topic, read.payload), (&*topic, &*payload));
            bytes[8] = unknown;
            let refused = decode_message(&bytes).map(|read| read.format.code);
            prop_assert_eq!(refused, Err(EntryError::UnknownFormat(unknown)));
        }

        #[test]
        fn a_refusal_entry_reads_back(
            ns in any::<i64>(), device in "[a-z]{0,9}", topic in ".{0,60}", detail in ".{0,60}",
            content in prop::option::of(prop::collection::vec(any::<u8>(), 0..60)),
        ) {
            let record = RefusalRecord {
                reason: "not_json".into(), device: HardwareId::new(device).ok(), topic, detail,
                content: content.map(Bytes::from),
            };
            let entry = encode_refusal(SimTime(ns), &record);
            prop_assert_eq!(decode_refusal(&entry), Ok((SimTime(ns), record)));
        }

        #[test]
        fn any_bytes_are_read_without_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..99)) {
            let _ = decode_message(&bytes);
            let _ = decode_unnamed(&bytes);
            let _ = decode_refusal(&bytes);
        }
    }
}
