//! The frames of attacks, made of a message that was heard.
//!
//! Where data, counter and MAC are is public: the head of [`crate::authentication`] has it.

use std::ops::Range;

use sha2::block_api::compress256;

use super::Protection;
use super::recording::Message;
use crate::authentication::{CLOSING, KEY_BYTES};
use crate::frame::{CanFrame, CanId, DATA_BYTES_MAX};

/// Bits of an identifier, and those of register and node where another one closes a message.
const IDENTIFIER_BITS: u64 = 11;
const ADDRESS_BITS: u64 = 10;
/// Bytes of the state of SHA-256, which are those of the whole hash, and of its block.
const HASH_BYTES: usize = 32;
const HASH_BLOCK_BYTES: usize = 64;
/// What is appended to a message.
const EXTENSION: [u8; 8] = *b"extended";

/// Where counter and MAC of a message begin in its bytes; the data are in front of both.
struct Places {
    counter: usize,
    mac: usize,
}

impl Places {
    /// `None` if the message is too short.
    fn of(bytes: usize, protection: Protection) -> Option<Self> {
        let (counter, mac) = match protection {
            Protection::None => (bytes, bytes),
            Protection::Paper => (DATA_BYTES_MAX, DATA_BYTES_MAX + 4),
            Protection::Compact => (bytes.checked_sub(4)?, bytes.checked_sub(3)?),
            Protection::Strong => (bytes.checked_sub(8)?, bytes.checked_sub(6)?),
        };
        (mac <= bytes).then_some(Self { counter, mac })
    }
}

/// The frame that wins against all others, and is the longest such.
pub(super) fn first_of_all() -> Option<CanFrame> {
    CanFrame::data(CanId::standard(0).ok()?, &[0; DATA_BYTES_MAX]).ok()
}

fn flip(
    message: &Message,
    protection: Protection,
    part: impl FnOnce(Places, usize) -> Range<usize>,
    random: &mut dyn FnMut() -> u64,
) -> Vec<CanFrame> {
    let mut bytes = message.bytes();
    let part = Places::of(bytes.len(), protection).map(|places| part(places, bytes.len()));
    let Some(part) = part.and_then(|part| bytes.get_mut(part)).filter(|part| !part.is_empty())
    else {
        return Vec::new();
    };
    let bit = random() % (8 * part.len() as u64);
    part[bit as usize / 8] ^= 1 << (bit % 8);
    message.with_bytes(&bytes)
}

/// With one bit of the data flipped.
pub(super) fn flip_data(
    message: &Message,
    protection: Protection,
    random: &mut dyn FnMut() -> u64,
) -> Vec<CanFrame> {
    flip(message, protection, |places, _| 0..places.counter, random)
}

/// With one bit of the MAC flipped; without one there is nothing to flip.
pub(super) fn flip_mac(
    message: &Message,
    protection: Protection,
    random: &mut dyn FnMut() -> u64,
) -> Vec<CanFrame> {
    flip(message, protection, |places, end| places.mac..end, random)
}

/// With one bit of the identifier flipped, in all frames the same one.
pub(super) fn flip_identifier(
    message: &Message,
    protection: Protection,
    random: &mut dyn FnMut() -> u64,
) -> Vec<CanFrame> {
    let bits = if protection.has_closing_frame() { ADDRESS_BITS } else { IDENTIFIER_BITS };
    let flipped = message
        .frames()
        .first()
        .and_then(|first| CanId::standard(first.id().value() ^ 1 << (random() % bits)).ok());
    flipped.map(|id| message.under(id)).unwrap_or_default()
}

/// With the counter that comes next, and random data and MAC.
pub(super) fn guess(
    message: &Message,
    protection: Protection,
    random: &mut dyn FnMut() -> u64,
) -> Vec<CanFrame> {
    let mut bytes = message.bytes();
    let Some(Places { counter, mac }) = Places::of(bytes.len(), protection) else {
        return Vec::new();
    };
    let next = bytes[counter..mac].iter().fold(0_u32, |value, byte| value << 8 | u32::from(*byte));
    let next = next.wrapping_add(1).to_be_bytes();
    for eight in bytes.chunks_mut(8) {
        let drawn = random().to_be_bytes();
        eight.copy_from_slice(&drawn[..eight.len()]);
    }
    bytes[counter..mac].copy_from_slice(&next[next.len() - (mac - counter)..]);
    message.with_bytes(&bytes)
}

/// The message of the paper's scheme with something appended and a sync code of one more: the hash
/// goes on from the tag that was heard, as if the key stood first and all of the tag had travelled.
/// Where that is so, it is right.
pub(super) fn extend(message: &Message, protection: Protection) -> Vec<CanFrame> {
    let bytes = message.bytes();
    let (Protection::Paper, Some(places)) = (protection, Places::of(bytes.len(), protection))
    else {
        return Vec::new();
    };
    let (hashed, tag) = bytes.split_at(places.mac);
    let mut hash = [0; HASH_BYTES];
    let known = tag.len().min(HASH_BYTES);
    hash[..known].copy_from_slice(&tag[..known]);
    let sync = hashed[places.counter..].iter().fold(0_u32, |sum, byte| sum << 8 | u32::from(*byte));
    let extension = [&EXTENSION[..], &sync.wrapping_add(1).to_be_bytes()].concat();
    let before = padding(KEY_BYTES + hashed.len());
    let all = [hashed, &before, &extension].concat();
    let rest = [extension, padding(KEY_BYTES + all.len())].concat();
    let forged = continued(hash, &rest);
    let all = [all.as_slice(), &forged[..known]].concat();
    let Some(first) = message.frames().first() else { return Vec::new() };
    let (id, last) = (first.id().value(), all.len().div_ceil(DATA_BYTES_MAX) - 1);
    let frame = |(place, bytes): (usize, &[u8])| {
        let id = if place == last { id | u32::from(CLOSING) } else { id };
        CanFrame::data(CanId::standard(id).ok()?, bytes).ok()
    };
    all.chunks(DATA_BYTES_MAX).enumerate().filter_map(frame).collect()
}

/// What stands behind so many bytes in their last block of SHA-256 (FIPS 180-4, 5.1.1).
pub(super) fn padding(bytes: usize) -> Vec<u8> {
    let zeros = (2 * HASH_BLOCK_BYTES - 9 - bytes % HASH_BLOCK_BYTES) % HASH_BLOCK_BYTES;
    let mut padding = vec![0x80];
    padding.resize(1 + zeros, 0);
    padding.extend((8 * bytes as u64).to_be_bytes());
    padding
}

/// The hash after whole blocks more.
pub(super) fn continued(hash: [u8; HASH_BYTES], rest: &[u8]) -> [u8; HASH_BYTES] {
    let mut state = [0_u32; HASH_BYTES / 4];
    for (word, bytes) in state.iter_mut().zip(hash.as_chunks::<4>().0) {
        *word = u32::from_be_bytes(*bytes);
    }
    compress256(&mut state, rest.as_chunks::<HASH_BLOCK_BYTES>().0);
    let mut hash = [0; HASH_BYTES];
    for (bytes, word) in hash.as_chunks_mut::<4>().0.iter_mut().zip(state) {
        *bytes = word.to_be_bytes();
    }
    hash
}
