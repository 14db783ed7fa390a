//! The wire formats of `VILLASnode`, a gateway between simulators, both directions.
//!
//! A decoder yields one result for each message of a datagram, in their order, so that a fault of
//! one message does not cost the others. None of the formats carries enough to check a sample
//! without the configured signals, so the decoders and the encoders take their types.
//!
//! Layouts after `VILLASnode` 1.2.0, sources in its folder `lib/formats`; the vectors in the tests
//! come from datagrams that its library 1.0.1 sent, as the `DPsim` 1.4.0 package bundles it.
//!
//! Larger than its budget: three formats of one program.

pub mod binary;
pub mod json;
pub mod protobuf;

use crate::number;
use crate::{Refusal, Rejection, Sample, SignalType};

/// One message of a datagram: the sample, or why it was not taken.
pub type Decoded = Result<Sample, Rejection>;

/// The most bytes that the decoders of self-describing formats look at: sixteen times the largest
/// datagram. Longer input is rejected before anything is allocated for it.
pub const MAX_INPUT_BYTES: usize = 1 << 20;

/// The most samples in such input: a sample with its time is longer than 32 bytes, so that only
/// input that was made to exhaust the memory with rejections has more.
pub const MAX_SAMPLES: usize = MAX_INPUT_BYTES / 32;

const NANOSECONDS_PER_SECOND: u32 = 1_000_000_000;

/// Rejects a sample that is to be sent unless it has a value of the right type for each signal.
fn check_values(sample: &Sample, signals: &[SignalType]) -> Result<(), Rejection> {
    number::count(sample.values.len(), signals.len())?;
    for (index, (value, signal)) in sample.values.iter().zip(signals).enumerate() {
        if value.signal_type() != *signal {
            return Err(mismatch(index, *signal, value.signal_type().word()));
        }
    }
    Ok(())
}

/// The rejection of a value of another type than its signal.
fn mismatch(index: usize, expected: SignalType, found: &str) -> Rejection {
    Rejection::new(
        Refusal::TypeMismatch,
        format!(
            "signal {index}: expected {expected}, found {found}; \
             configure the same types on both sides"
        ),
    )
}

/// The rejection of a value at the place of a signal, for another reason than its type.
fn at_signal(index: usize, refusal: Refusal, detail: &str) -> Rejection {
    Rejection::new(refusal, format!("signal {index}: {detail}"))
}

/// A complex number's part or a value as the narrower float of the wire; one that becomes infinite
/// is rejected.
fn narrowed(index: usize, value: f64) -> Result<f32, Rejection> {
    let narrow = value as f32;
    if value.is_finite() && narrow.is_infinite() {
        let detail = format!("{value:e} is beyond 32-bit floating point; scale the signal");
        return Err(at_signal(index, Refusal::FloatOverflow, &detail));
    }
    Ok(narrow)
}

/// A time with nanoseconds below a second.
fn checked_origin(seconds: u64, nanoseconds: u64) -> Result<(u64, u32), Rejection> {
    match u32::try_from(nanoseconds) {
        Ok(within) if within < NANOSECONDS_PER_SECOND => Ok((seconds, within)),
        _ => Err(Rejection::new(
            Refusal::NanosecondsOutOfRange,
            format!("found {nanoseconds} nanoseconds, expected fewer than a second has"),
        )),
    }
}

/// A time to be sent in 32-bit fields, which end in the year 2106.
fn origin_in_32_bits(origin: (u64, u32)) -> Result<(u32, u32), Rejection> {
    let (seconds, nanoseconds) = checked_origin(origin.0, origin.1.into())?;
    let seconds = u32::try_from(seconds).map_err(|_| {
        Rejection::new(
            Refusal::SecondsOutOfRange,
            format!("found {seconds} seconds, expected at most {}", u32::MAX),
        )
    })?;
    Ok((seconds, nanoseconds))
}

/// Rejects input that is larger than is looked at.
fn check_size(bytes: &[u8]) -> Result<(), Rejection> {
    if bytes.len() <= MAX_INPUT_BYTES {
        return Ok(());
    }
    Err(Rejection::new(
        Refusal::InputTooLarge,
        format!("found {} bytes, expected at most {MAX_INPUT_BYTES}", bytes.len()),
    ))
}

/// Rejects input with more samples than are looked at.
fn check_samples(found: usize) -> Result<(), Rejection> {
    if found <= MAX_SAMPLES {
        return Ok(());
    }
    Err(Rejection::new(
        Refusal::InputTooLarge,
        format!("found {found} samples, expected at most {MAX_SAMPLES}"),
    ))
}

#[cfg(test)]
#[path = "tests/testing.rs"]
mod testing;
