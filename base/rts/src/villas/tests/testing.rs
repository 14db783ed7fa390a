//! What the tests of the formats share.

use proptest::prelude::*;

use super::Decoded;
use crate::{Refusal, Sample, SignalType, Value};

/// The bytes of a hexadecimal text; blanks and breaks are passed over.
pub(super) fn bytes(hex: &str) -> Vec<u8> {
    let digits: Vec<u32> = hex.chars().filter_map(|digit| digit.to_digit(16)).collect();
    digits.chunks(2).map(|pair| (pair[0] * 16 + pair[1]) as u8).collect()
}

/// The reasons of the rejections among the results, none for a sample.
pub(super) fn reasons(decoded: &[Decoded]) -> Vec<Option<Refusal>> {
    decoded.iter().map(|one| one.as_ref().err().map(|rejection| rejection.refusal)).collect()
}

/// The bits of a sample, to compare negative zeros and payloads of NaN too.
pub(super) fn bits(sample: &Sample) -> Vec<(SignalType, u64, u64)> {
    let bits = |value: &Value| match *value {
        Value::Float(value) => (SignalType::Float, value.to_bits(), 0),
        Value::Integer(value) => (SignalType::Integer, value as u64, 0),
        Value::Boolean(value) => (SignalType::Boolean, value.into(), 0),
        Value::Complex(real, imaginary) => {
            (SignalType::Complex, real.to_bits(), imaginary.to_bits())
        }
    };
    sample.values.iter().map(bits).collect()
}

/// All the types of signals.
pub(super) const ALL_TYPES: &[SignalType] = &SignalType::ALL;

/// A 32-bit float of any bits as the wire's wider type; of NaN only one, as casts may alter others.
pub(super) fn any_narrow() -> impl Strategy<Value = f64> {
    any::<u32>().prop_map(|bits| {
        let value = f32::from_bits(bits);
        if value.is_nan() { f64::from(f32::NAN) } else { value.into() }
    })
}

/// The types of a sample's values.
pub(super) fn signals_of(sample: &Sample) -> Vec<SignalType> {
    sample.values.iter().map(|value| value.signal_type()).collect()
}

/// Samples of the same signals, whose values come from `value` for each type.
pub(super) fn samples(
    types: &'static [SignalType],
    value: fn(SignalType) -> BoxedStrategy<Value>,
) -> impl Strategy<Value = (Vec<SignalType>, Vec<Sample>)> {
    let signals = prop::collection::vec(prop::sample::select(types), 0..8);
    signals.prop_flat_map(move |signals| {
        let values: Vec<_> = signals.iter().map(|signal| value(*signal)).collect();
        let sample = (any::<u32>(), any::<u32>(), 0..1_000_000_000_u32, values).prop_map(
            |(sequence, seconds, nanoseconds, values)| Sample {
                sequence: Some(sequence.into()),
                origin: Some((seconds.into(), nanoseconds)),
                values,
            },
        );
        (Just(signals), prop::collection::vec(sample, 1..5))
    })
}

/// Bytes to begin from, changed at random: what a decoder meets that is nearly right. Calls
/// `decode` with 100,000 of them.
pub(super) fn fuzz(seeds: &[Vec<u8>], mut decode: impl FnMut(&[u8])) {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut random = move |below: usize| {
        // Xorshift, so that a failure can be repeated.
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 11) as usize % below.max(1)
    };
    for round in 0..100_000 {
        let mut input = match round % 4 {
            0 => (0..random(80)).map(|_| random(256) as u8).collect(),
            _ => seeds[random(seeds.len())].clone(),
        };
        for _ in 0..=random(4) {
            let at = random(input.len());
            match random(4) {
                0 => input.truncate(at),
                1 => input.insert(at, random(256) as u8),
                2 => input.extend_from_within(at..),
                _ => input.iter_mut().skip(at).take(1).for_each(|byte| *byte = random(256) as u8),
            }
        }
        decode(&input);
    }
}
