//! The bytes of the compact and the strong scheme, and the counter behind its truncated form.

use super::keys::{MacKey, NodeKey};
use super::{Address, Direction, Scheme};
use crate::frame::{CanFrame, DATA_BYTES_MAX, FrameError};

/// The most data bytes of the compact scheme.
pub(super) const COMPACT_DATA_BYTES: usize = 4;
/// Bytes of counter and MAC in the compact scheme.
const COMPACT_TAIL_BYTES: usize = 4;
const RESYNC_MAC_BYTES: usize = 8;

/// The keys of one sender.
#[derive(Clone, Debug)]
pub(super) struct Keys {
    messages: MacKey,
    resync: MacKey,
}

impl Keys {
    pub(super) fn new(key: &NodeKey, scheme: Scheme) -> Self {
        let label = match scheme {
            Scheme::Compact => "can compact",
            Scheme::Strong => "can strong",
        };
        Self { messages: key.key_of_use(label), resync: key.key_of_use("can resync") }
    }
}

/// The low bits of a counter, as they travel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Fresh {
    pub(super) value: u64,
    pub(super) bits: u32,
}

impl Fresh {
    const fn mask(self) -> u64 {
        u64::MAX >> (64 - self.bits)
    }

    /// The least counter above the last one that has these low bits.
    pub(super) fn counter_above(self, last: u64) -> Option<u64> {
        let first = last.checked_add(1)?;
        first.checked_add(self.value.wrapping_sub(first) & self.mask())
    }

    /// The largest counter up to the last one that has these low bits.
    pub(super) fn counter_up_to(self, last: u64) -> Option<u64> {
        last.checked_sub(last.wrapping_sub(self.value) & self.mask())
    }
}

/// Counter and MAC as they travel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Tail<'a> {
    /// The counter; all 64 bits of it in a resynchronisation.
    pub(super) fresh: Fresh,
    mac: &'a [u8],
}

/// What is authenticated, without the counter.
#[derive(Clone, Copy, Debug)]
pub(super) struct Subject<'a> {
    pub(super) address: Address,
    pub(super) direction: Direction,
    pub(super) data: &'a [u8],
}

impl Subject<'_> {
    /// Takes the bytes over which the MAC is computed.
    fn with_input<T>(&self, counter: u64, then: impl FnOnce(&[u8]) -> T) -> T {
        let mut input = [0; 12 + DATA_BYTES_MAX];
        let length = self.data.len().min(DATA_BYTES_MAX);
        input[..2].copy_from_slice(&self.address.data_id.to_be_bytes());
        input[2] = self.direction as u8;
        input[3..11].copy_from_slice(&counter.to_be_bytes());
        input[11] = length as u8;
        input[12..12 + length].copy_from_slice(&self.data[..length]);
        then(&input[..12 + length])
    }

    /// Whether the MAC is that of this counter.
    pub(super) fn is_sealed(&self, keys: &Keys, counter: u64, tail: Tail<'_>) -> bool {
        let key = if tail.fresh.bits == 64 { &keys.resync } else { &keys.messages };
        self.with_input(counter, |input| key.is_mac(input, tail.mac))
    }

    /// The frames of a message; its data are as many as the scheme takes.
    pub(super) fn seal(
        &self,
        keys: &Keys,
        scheme: Scheme,
        counter: u64,
    ) -> Result<Vec<CanFrame>, FrameError> {
        let mac = self.with_input(counter, |input| keys.messages.mac(&[input]));
        let fresh = counter.to_be_bytes();
        match scheme {
            Scheme::Compact => {
                let bytes = [self.data, &fresh[7..], &mac[..3]].concat();
                Ok(vec![self.address.frame(false, &bytes)?])
            }
            Scheme::Strong => {
                let tail = [&fresh[6..], &mac[..6]].concat();
                Ok(vec![self.address.frame(false, self.data)?, self.address.frame(true, &tail)?])
            }
        }
    }
}

/// The frames that carry the whole counter.
pub(super) fn seal_resync(
    keys: &Keys,
    address: Address,
    direction: Direction,
    counter: u64,
) -> Result<Vec<CanFrame>, FrameError> {
    let data = &counter.to_be_bytes();
    let subject = Subject { address, direction, data };
    let mac = subject.with_input(counter, |input| keys.resync.mac(&[input]));
    Ok(vec![address.frame(false, data)?, address.frame(true, &mac[..RESYNC_MAC_BYTES])?])
}

/// The data of a frame of the compact scheme, and their tail.
pub(super) fn compact(bytes: &[u8]) -> Option<(&[u8], Tail<'_>)> {
    let (data, tail) = bytes.split_at_checked(bytes.len().checked_sub(COMPACT_TAIL_BYTES)?)?;
    let (fresh, mac) = tail.split_first()?;
    Some((data, Tail { fresh: Fresh { value: u64::from(*fresh), bits: 8 }, mac }))
}

/// The tail in the second frame of the strong scheme.
pub(super) fn strong(bytes: &[u8]) -> Option<Tail<'_>> {
    let (fresh, mac) = bytes.split_first_chunk::<2>().filter(|_| bytes.len() == DATA_BYTES_MAX)?;
    Some(Tail { fresh: Fresh { value: u64::from(u16::from_be_bytes(*fresh)), bits: 16 }, mac })
}

/// The tail of a resynchronisation, from the counter of the first frame and the MAC of the second.
pub(super) fn resync<'a>(data: &[u8], mac: &'a [u8]) -> Option<Tail<'a>> {
    let counter = <[u8; 8]>::try_from(data).ok().filter(|_| mac.len() == RESYNC_MAC_BYTES)?;
    Some(Tail { fresh: Fresh { value: u64::from_be_bytes(counter), bits: 64 }, mac })
}
