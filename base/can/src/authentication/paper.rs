//! The scheme of the paper on an ARM network of smart meters, as it is written, to show what it
//! holds and what it does not: tag = SHA-256(message || sync code || key), one key for all, no
//! identifier in the hash, and a sync code that may not fall but may stay.
//!
//! What the paper leaves open is settled so: the sync code has 4 bytes, big endian; of the tag its
//! first 4 bytes travel. `message || sync code || tag` is cut into frames of 8 bytes, the last of
//! which has the identifier that closes a message: a message of 8 bytes travels in two frames, the
//! second of which is sync code and tag. The sync code is compared with the last one under the same
//! identifier. For the variant with the key first, and for demonstrations, up to all 32 bytes of
//! the tag travel, in as many frames as that needs.
//!
//! The last message can be replayed; a message can be moved to the identifier of another node; who
//! has the key can forge all nodes; with the key first, a message can be extended without the key.

use std::collections::BTreeMap;

use lastmeter_units::{SimDuration, SimTime};
use sha2::{Digest, Sha256};

use super::keys::SecretKey;
use super::sender::SealError;
use super::{Address, Counts, Refusal};
use crate::frame::{CanFrame, CanId, DATA_BYTES_MAX};

/// Bytes of the sync code.
pub const SYNC_BYTES: usize = 4;
/// Bytes of the tag that travel in the scheme as it is written.
pub const TAG_BYTES: usize = 4;
/// The most bytes of a message.
pub const MESSAGE_BYTES_MAX: usize = 256;
/// How long the frames of a message may take.
const MESSAGE_LIMIT: SimDuration = SimDuration::from_milliseconds(100);

/// Where the key stands in what is hashed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyPlace {
    /// `message || sync code || key`, as it is written.
    Last,
    /// `key || message || sync code`, which can be extended.
    First,
}

/// The scheme with its key.
#[derive(Clone, Debug)]
pub struct PaperScheme {
    key: SecretKey,
    place: KeyPlace,
    tag_bytes: usize,
}

impl PaperScheme {
    /// As it is written: the key last, 4 bytes of the tag.
    pub const fn as_written(key: SecretKey) -> Self {
        Self { key, place: KeyPlace::Last, tag_bytes: TAG_BYTES }
    }

    /// A variant; 1 to 32 bytes of the tag travel.
    pub fn variant(key: SecretKey, place: KeyPlace, tag_bytes: usize) -> Self {
        Self { key, place, tag_bytes: tag_bytes.clamp(1, 32) }
    }

    /// The whole tag.
    pub fn tag(&self, message: &[u8], sync: u32) -> [u8; 32] {
        let (key, sync) = (&self.key.bytes()[..], &sync.to_be_bytes()[..]);
        let parts = match self.place {
            KeyPlace::Last => [message, sync, key],
            KeyPlace::First => [key, message, sync],
        };
        let mut hash = Sha256::new();
        for part in parts {
            hash.update(part);
        }
        hash.finalize().into()
    }

    /// The frames of a message with its sync code, which the caller counts.
    pub fn seal(&self, id: CanId, message: &[u8], sync: u32) -> Result<Vec<CanFrame>, SealError> {
        self.frames(id, message, sync, &self.tag(message, sync)[..self.tag_bytes])
    }

    /// The frames of a message with any tag, also a wrong one: for an attacker.
    pub fn frames(
        &self,
        id: CanId,
        message: &[u8],
        sync: u32,
        tag: &[u8],
    ) -> Result<Vec<CanFrame>, SealError> {
        let (found, most) = (message.len(), MESSAGE_BYTES_MAX);
        if found > most {
            return Err(SealError::DataLength { found, most });
        }
        let node = id.value() as u8 & super::NODE_MAX;
        let address = Address::of(id)
            .filter(|address| !address.closes)
            .ok_or(SealError::Identifier { found: id, node })?;
        let bytes = [message, &sync.to_be_bytes(), tag].concat();
        let last = bytes.len().div_ceil(DATA_BYTES_MAX) - 1;
        let chunks = bytes.chunks(DATA_BYTES_MAX).enumerate();
        chunks.map(|(place, chunk)| Ok(address.frame(place == last, chunk)?)).collect()
    }
}

/// A message that was accepted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PaperMessage {
    /// Its identifier.
    pub id: CanId,
    /// Its bytes.
    pub message: Vec<u8>,
    /// Its sync code.
    pub sync: u32,
}

/// What has come of a message so far.
#[derive(Debug)]
struct Begun {
    since: SimTime,
    bytes: Vec<u8>,
}

/// The end that receives.
#[derive(Debug)]
pub struct PaperReceiver {
    scheme: PaperScheme,
    begun: BTreeMap<u16, Begun>,
    /// The last sync code of each identifier.
    last: BTreeMap<u16, u32>,
    counts: BTreeMap<u8, Counts>,
}

impl PaperReceiver {
    /// A receiver that has accepted nothing yet. It knows all nodes, for they share its key.
    pub const fn new(scheme: PaperScheme) -> Self {
        Self { scheme, begun: BTreeMap::new(), last: BTreeMap::new(), counts: BTreeMap::new() }
    }

    /// What became of the messages of a node.
    pub fn counts(&self, node: u8) -> Counts {
        self.counts.get(&node).copied().unwrap_or_default()
    }

    /// Takes a frame; `None` if its message goes on.
    pub fn receive(
        &mut self,
        now: SimTime,
        frame: &CanFrame,
    ) -> Option<Result<PaperMessage, Refusal>> {
        let Some(address) = Address::of(frame.id()) else {
            return Some(Err(Refusal::UnknownSender));
        };
        let result = self.judge(now, address, frame)?;
        match &result {
            Ok(_) => self.counts_mut(address).verified += 1,
            Err(reason) => self.counts_mut(address).refuse(*reason),
        }
        Some(result)
    }

    fn counts_mut(&mut self, address: Address) -> &mut Counts {
        self.counts.entry(address.node()).or_default()
    }

    fn judge(
        &mut self,
        now: SimTime,
        address: Address,
        frame: &CanFrame,
    ) -> Option<Result<PaperMessage, Refusal>> {
        if frame.is_remote() {
            return Some(Err(Refusal::Malformed));
        }
        let mut begun = Begun { since: now, bytes: Vec::new() };
        if let Some(before) = self.begun.remove(&address.data_id) {
            if now.since(before.since) > MESSAGE_LIMIT {
                self.counts_mut(address).refuse(Refusal::Unpaired);
            } else {
                begun = before;
            }
        }
        begun.bytes.extend_from_slice(frame.bytes());
        if begun.bytes.len() > MESSAGE_BYTES_MAX + SYNC_BYTES + self.scheme.tag_bytes {
            return Some(Err(Refusal::Malformed));
        }
        if address.closes {
            return Some(self.verify(address, &begun.bytes));
        }
        self.begun.insert(address.data_id, begun);
        None
    }

    fn verify(&mut self, address: Address, bytes: &[u8]) -> Result<PaperMessage, Refusal> {
        let tag_begin = bytes.len().checked_sub(self.scheme.tag_bytes).ok_or(Refusal::Unpaired)?;
        let (head, tag) = bytes.split_at(tag_begin);
        let (message, sync) = head.split_last_chunk::<SYNC_BYTES>().ok_or(Refusal::Unpaired)?;
        let sync = u32::from_be_bytes(*sync);
        if self.scheme.tag(message, sync)[..self.scheme.tag_bytes] != *tag {
            return Err(Refusal::WrongTag);
        }
        let last = self.last.entry(address.data_id).or_default();
        if sync < *last {
            return Err(Refusal::TooOld);
        }
        *last = sync;
        let id = address.id(false).map_err(|_| Refusal::Malformed)?;
        Ok(PaperMessage { id, message: message.to_vec(), sync })
    }
}
