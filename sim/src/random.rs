//! Named random streams from one seed.
//!
//! Every part of the bench that draws random numbers draws them from its own stream, asked for by
//! name. A stream depends on the seed and its name alone, never on which streams were asked for
//! before it: adding a device does not change the noise of another ("Time and randomness
//! are arguments", ARCHITECTURE.md).
//!
//! The generator is `ChaCha8`; the 32-byte key of a stream is
//! `SHA-256("lastmeter stream 1" || 0x00 || seed as 8 bytes, little endian || name as UTF-8)`.
//! Both are fixed algorithms, so a seed means the same draws on every machine and in every version
//! that keeps the prefix.

use chacha20::ChaCha8Rng;
use rand::SeedableRng as _;
use sha2::{Digest as _, Sha256};

/// What is hashed ahead of seed and name; its number changes if the derivation ever does.
const PREFIX: &[u8] = b"lastmeter stream 1\0";

/// The random streams of one scenario.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Streams {
    seed: u64,
}

impl Streams {
    /// The streams of a seed.
    pub const fn new(seed: u64) -> Self {
        Self { seed }
    }

    /// The stream of a name, such as `source/g/voltage/0/noise`, from its beginning.
    pub fn stream(&self, name: &str) -> ChaCha8Rng {
        ChaCha8Rng::from_seed(self.key(name))
    }

    /// The 32-byte key of a stream, for those who have to seek in it again and again.
    pub(crate) fn key(self, name: &str) -> [u8; 32] {
        let mut hash = Sha256::new();
        hash.update(PREFIX);
        hash.update(self.seed.to_le_bytes());
        hash.update(name.as_bytes());
        hash.finalize().into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::Rng as _;

    fn first(seed: u64, name: &str) -> u64 {
        Streams::new(seed).stream(name).next_u64()
    }

    #[test]
    fn the_key_is_the_documented_hash() {
        // printf 'lastmeter stream 1\0\x2a\0\0\0\0\0\0\0source/g/voltage/0/noise' | sha256sum
        let expected = "99d40121443d3f1801fba7ff243e155321d858ba55dd07fb4beda4c938cf6f1d";
        let key = Streams::new(42).key("source/g/voltage/0/noise");
        let bytes: Vec<u8> =
            (0..32).map(|k| u8::from_str_radix(&expected[2 * k..2 * k + 2], 16).unwrap()).collect();
        assert_eq!(key[..], bytes[..]);
    }

    #[test]
    fn a_stream_does_not_depend_on_the_streams_asked_for_before() {
        let streams = Streams::new(7);
        let alone = streams.stream("b").next_u64();
        let mut other = streams.stream("a");
        other.next_u64();
        assert_eq!(streams.stream("b").next_u64(), alone);
    }

    #[test]
    fn another_name_or_another_seed_is_another_stream() {
        let draws = [first(1, "a"), first(1, "b"), first(2, "a"), first(1, ""), first(1, "aa")];
        for (index, draw) in draws.iter().enumerate() {
            assert!(!draws[..index].contains(draw));
        }
    }

    #[test]
    fn two_streams_are_uncorrelated() {
        let (mut a, mut b) = (Streams::new(1).stream("x/0"), Streams::new(1).stream("x/1"));
        let draws = 64 * 1024;
        // Bits that differ between two independent streams: half, spread sqrt(n)/2.
        let differing: u32 = (0..draws).map(|_| (a.next_u64() ^ b.next_u64()).count_ones()).sum();
        let bits = f64::from(draws) * 64.0;
        let deviations = (f64::from(differing) - bits / 2.0) / (bits.sqrt() / 2.0);
        assert!(deviations.abs() < 5.0, "{deviations}");
    }
}
