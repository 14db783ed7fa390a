//! `villas.binary`: messages of a header and 32-bit words, concatenated in one datagram.
//!
//! | offset | bytes | field |
//! |---|---|---|
//! | 0 | 1 | version in bits 7 to 4, kind in bits 3 and 2, bits 1 and 0 reserved: `0x20` for data |
//! | 1 | 1 | number of the source |
//! | 2 | 2 | number of values |
//! | 4 | 4 | low 32 bits of the sequence number |
//! | 8 | 4 + 4 | seconds and nanoseconds of the origin |
//! | 16 | 4 each | values: 32-bit float, or 32-bit integer in two's complement |
//!
//! All fields are big endian. A value's type is that of its signal; booleans and complex numbers
//! are not carried. A float is narrowed to 32 bits on its way. The sequence number returns to 0
//! after 2^32 - 1, and a sample without one cannot be sent; the same holds for its time.
//!
//! `VILLASnode` extends a negative integer with zeros when it reads one, so that -3 arrives there
//! as 4294967293; here its sign is kept. No field protects a datagram against loss of its
//! fragments: keep one below the MTU of the way.

use super::{Decoded, at_signal, check_values, checked_origin, narrowed, origin_in_32_bits};
use crate::number;
use crate::{FormatKind, Refusal, Rejection, Sample, SignalType, Value};

/// The row of the format.
pub const VILLAS_BINARY: FormatKind = FormatKind {
    name: "villas-binary",
    summary: "messages of VILLASnode: a header of 16 bytes and 32-bit words",
    description: "A datagram is one message or several (`villas.binary`): a header with the \
        number of values, a sequence and a time, then a 32-bit big-endian word for each point, \
        float32 or int32. Each message is read by itself.",
    simulator_keys: &[],
    point_keys: &[],
};

/// The header before the values, bytes.
pub const HEADER_BYTES: usize = 16;

const WORD_BYTES: usize = 4;

/// Version 2 of today's bit order, before kind and reserved bits.
const VERSION_2: u8 = 0x20;

const KIND_BITS: u8 = 0x0c;
const KIND_START: u8 = 0x04;
const KIND_STOP: u8 = 0x08;

/// A header's fields that decide how the message is read.
struct Header {
    first: u8,
    count: usize,
    sequence: u32,
    seconds: u32,
    nanoseconds: u32,
}

impl Header {
    /// The header at the begin of the bytes; none if they are fewer than it has.
    fn read(bytes: &[u8]) -> Option<Self> {
        let fields = bytes.first_chunk::<HEADER_BYTES>()?;
        let [first, _, count_high, count_low, rest @ ..] = fields;
        let words = rest.as_chunks::<WORD_BYTES>().0;
        let [sequence, seconds, nanoseconds] = words else { return None };
        Some(Self {
            first: *first,
            count: u16::from_be_bytes([*count_high, *count_low]).into(),
            sequence: u32::from_be_bytes(*sequence),
            seconds: u32::from_be_bytes(*seconds),
            nanoseconds: u32::from_be_bytes(*nanoseconds),
        })
    }
}

/// The samples of a datagram, one result for each of its messages, in their order.
///
/// A message of another layout ends the datagram, as nothing in it can be relied on; after any
/// other fault the next message is looked at where the announced number of values ends.
pub fn decode(datagram: &[u8], signals: &[SignalType]) -> Vec<Decoded> {
    let mut decoded = Vec::with_capacity(1);
    if datagram.is_empty() {
        decoded.push(Err(Rejection::new(
            Refusal::NoSample,
            "found an empty datagram, expected at least one message".to_owned(),
        )));
    }
    let mut rest = datagram;
    while !rest.is_empty() {
        let (header, words, behind) = match split(rest) {
            Ok(parts) => parts,
            Err(rejection) => {
                decoded.push(Err(rejection));
                break;
            }
        };
        decoded.push(sample(&header, words, signals));
        rest = behind;
    }
    decoded
}

/// The first message's header and words, and what follows them.
fn split(bytes: &[u8]) -> Result<(Header, &[u8], &[u8]), Rejection> {
    if let Some(first) = bytes.first() {
        check_layout(*first)?;
    }
    let header = Header::read(bytes).ok_or_else(|| {
        let detail = format!("found {} bytes, expected a header of {HEADER_BYTES}", bytes.len());
        Rejection::new(Refusal::HeaderCut, detail)
    })?;
    let behind = &bytes[HEADER_BYTES..];
    let length = header.count * WORD_BYTES;
    let (words, behind) = behind.split_at_checked(length).ok_or_else(|| {
        let detail = format!(
            "found {} bytes behind the header, which announces {} values of {WORD_BYTES} bytes",
            behind.len(),
            header.count
        );
        Rejection::new(Refusal::FrameTooShort, detail)
    })?;
    Ok((header, words, behind))
}

/// Rejects a first byte that is not of today's layout. The older ones had the same first bytes
/// for data only, so only those are recognised.
fn check_layout(first: u8) -> Result<(), Rejection> {
    let refusal = match first {
        0x02 => Refusal::VillasVersion2OldBits,
        0x10 => Refusal::VillasVersion1Little,
        0x12 => Refusal::VillasVersion1Big,
        _ if first & !KIND_BITS == VERSION_2 => return Ok(()),
        _ => Refusal::UnknownLayout,
    };
    Err(Rejection::new(
        refusal,
        format!("first byte 0x{first:02x}, expected 0x20; the sender has to send villas.binary 2"),
    ))
}

fn sample(header: &Header, words: &[u8], signals: &[SignalType]) -> Decoded {
    let without_data = match header.first & KIND_BITS {
        0 => None,
        KIND_START => Some(Refusal::StartSample),
        KIND_STOP => Some(Refusal::StopSample),
        _ => Some(Refusal::UnknownKind),
    };
    if let Some(refusal) = without_data {
        let detail = format!("first byte 0x{:02x}, expected 0x20 for data", header.first);
        return Err(Rejection::new(refusal, detail));
    }
    number::count(header.count, signals.len())?;
    let origin = checked_origin(header.seconds.into(), header.nanoseconds.into())?;
    let mut values = Vec::with_capacity(signals.len());
    let words = words.as_chunks::<WORD_BYTES>().0;
    for (index, (word, signal)) in words.iter().zip(signals).enumerate() {
        values.push(match signal {
            SignalType::Float => Value::Float(f32::from_be_bytes(*word).into()),
            SignalType::Integer => Value::Integer(i32::from_be_bytes(*word).into()),
            SignalType::Boolean | SignalType::Complex => return Err(uncarried(index, *signal)),
        });
    }
    Ok(Sample { sequence: Some(header.sequence.into()), origin: Some(origin), values })
}

/// One datagram of all the samples, each as a message from source 0.
pub fn encode(samples: &[Sample], signals: &[SignalType]) -> Result<Vec<u8>, Rejection> {
    let message_bytes = HEADER_BYTES + signals.len() * WORD_BYTES;
    let mut datagram = Vec::with_capacity(samples.len() * message_bytes);
    for sample in samples {
        append(&mut datagram, sample, signals)?;
    }
    Ok(datagram)
}

/// Adds one message to a datagram. A rejected sample leaves the datagram unusable.
fn append(
    datagram: &mut Vec<u8>,
    sample: &Sample,
    signals: &[SignalType],
) -> Result<(), Rejection> {
    check_values(sample, signals)?;
    let count = u16::try_from(sample.values.len()).map_err(|_| {
        let found = sample.values.len();
        let detail = format!("found {found} values, expected at most {}", u16::MAX);
        Rejection::new(Refusal::LengthTooLarge, detail)
    })?;
    let missing = |refusal, what| {
        Rejection::new(refusal, format!("the sample has no {what}, which villas.binary needs"))
    };
    let sequence =
        sample.sequence.ok_or_else(|| missing(Refusal::MissingSequence, "sequence number"))?;
    let origin = sample.origin.ok_or_else(|| missing(Refusal::MissingTime, "time"))?;
    let (seconds, nanoseconds) = origin_in_32_bits(origin)?;
    datagram.extend([VERSION_2, 0]);
    datagram.extend(count.to_be_bytes());
    // The field has the low 32 bits only.
    datagram.extend((sequence as u32).to_be_bytes());
    datagram.extend(seconds.to_be_bytes());
    datagram.extend(nanoseconds.to_be_bytes());
    for (index, value) in sample.values.iter().enumerate() {
        datagram.extend(word(index, *value)?);
    }
    Ok(())
}

fn word(index: usize, value: Value) -> Result<[u8; WORD_BYTES], Rejection> {
    match value {
        Value::Float(value) => Ok(narrowed(index, value)?.to_be_bytes()),
        Value::Integer(value) => {
            let narrow = i32::try_from(value).map_err(|_| {
                let detail = format!("{value} is beyond a 32-bit integer; scale the signal");
                at_signal(index, Refusal::IntegerOutOfRange, &detail)
            })?;
            Ok(narrow.to_be_bytes())
        }
        Value::Boolean(_) | Value::Complex(..) => Err(uncarried(index, value.signal_type())),
    }
}

/// The rejection of a signal of a type that the format does not carry.
fn uncarried(index: usize, signal: SignalType) -> Rejection {
    let refusal = match signal {
        SignalType::Complex => Refusal::ComplexValue,
        _ => Refusal::BooleanValue,
    };
    let detail = format!("villas.binary does not carry {signal}; use villas json or protobuf");
    at_signal(index, refusal, &detail)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::villas::testing::{any_narrow, bits, bytes, fuzz, reasons, samples, signals_of};

    const TWO_FLOATS: [SignalType; 2] = [SignalType::Float; 2];

    /// From a datagram that libvillas 1.0.1 sent, as `DPsim` 1.4.0 bundles it: 0.1 and 1e9/3.
    const PEER: &str = "20000002 00000002 6b03a4ef 2c881b97 3dcccccd 4d9ef21b";

    fn peer_sample() -> Sample {
        Sample {
            sequence: Some(2),
            origin: Some((0x6b03_a4ef, 747_117_463)),
            values: vec![Value::Float(0.1_f32.into()), Value::Float(333_333_344.0)],
        }
    }

    #[test]
    fn a_datagram_of_the_peer_is_read_and_written() {
        assert_eq!(decode(&bytes(PEER), &TWO_FLOATS), [Ok(peer_sample())]);
        let exact =
            Sample { values: vec![Value::Float(0.1), Value::Float(1e9 / 3.0)], ..peer_sample() };
        assert_eq!(encode(&[exact], &TWO_FLOATS).unwrap(), bytes(PEER));
    }

    #[test]
    fn integers_keep_their_sign() {
        let datagram = bytes("20000002 ffffffff 00000001 3b9ac9ff fffffffd 7fffffff");
        let signals = [SignalType::Integer; 2];
        let sample = Sample {
            sequence: Some(0xffff_ffff),
            origin: Some((1, 999_999_999)),
            values: vec![Value::Integer(-3), Value::Integer(0x7fff_ffff)],
        };
        assert_eq!(decode(&datagram, &signals), [Ok(sample.clone())]);
        let wide = Sample { sequence: Some(0x1_ffff_ffff), ..sample };
        assert_eq!(encode(&[wide], &signals).unwrap(), datagram);
    }

    #[test]
    fn a_faulty_message_does_not_cost_the_next() {
        let good = bytes(PEER);
        for (faulty, refusal) in [
            (
                "20000005 00000001 00000001 00000000 3f800000 40000000 40400000 40800000 40a00000",
                Refusal::TooManyValues,
            ),
            ("20000001 00000001 00000001 00000000 3f800000", Refusal::TooFewValues),
            ("20000000 00000001 00000001 00000000", Refusal::TooFewValues),
            (
                "20000002 00000001 00000001 3b9aca00 3f800000 3f800000",
                Refusal::NanosecondsOutOfRange,
            ),
            ("24000001 00000001 00000001 00000000 3f800000", Refusal::StartSample),
            ("28000000 00000001 00000001 00000000", Refusal::StopSample),
            ("2c000000 00000001 00000001 00000000", Refusal::UnknownKind),
        ] {
            let datagram = [good.clone(), bytes(faulty), good.clone()].concat();
            let decoded = decode(&datagram, &TWO_FLOATS);
            assert_eq!(reasons(&decoded), [None, Some(refusal), None]);
            assert_eq!(decoded[2], Ok(peer_sample()));
        }
    }

    #[test]
    fn what_cannot_be_followed_ends_the_datagram() {
        for (tail, refusal) in [
            (
                "02000002 00000001 00000001 00000000 00000000 00000000",
                Refusal::VillasVersion2OldBits,
            ),
            (
                "10000200 01000000 01000000 00000000 00000000 00000000",
                Refusal::VillasVersion1Little,
            ),
            ("12000002 00000001 00000001 00000000 00000000 00000000", Refusal::VillasVersion1Big),
            ("21000002 00000001 00000001 00000000 00000000 00000000", Refusal::UnknownLayout),
            ("30", Refusal::UnknownLayout),
            ("20000000 00000001 00000001 000000", Refusal::HeaderCut),
            ("20000002 00000001 00000001 00000000 00000000 000000", Refusal::FrameTooShort),
            ("2000ffff 00000001 00000001 00000000 00000000 00000000", Refusal::FrameTooShort),
        ] {
            let decoded = decode(&bytes(&[PEER, tail].concat()), &TWO_FLOATS);
            assert_eq!(reasons(&decoded), [None, Some(refusal)]);
        }
        assert_eq!(reasons(&decode(&[], &TWO_FLOATS)), [Some(Refusal::NoSample)]);
    }

    #[test]
    fn what_the_format_does_not_carry_is_rejected_both_ways() {
        let at = |values: Vec<Value>| Sample { values, ..peer_sample() };
        let refused = |sample: Sample| {
            encode(std::slice::from_ref(&sample), &signals_of(&sample)).unwrap_err().refusal
        };
        let datagram = bytes(PEER);
        for (value, refusal) in [
            (Value::Boolean(true), Refusal::BooleanValue),
            (Value::Complex(1.0, 2.0), Refusal::ComplexValue),
        ] {
            assert_eq!(refused(at(vec![value])), refusal);
            let signals = [SignalType::Float, value.signal_type()];
            let rejection = decode(&datagram, &signals).remove(0).unwrap_err();
            assert_eq!(rejection.refusal, refusal);
            assert!(rejection.detail.starts_with("signal 1: "), "{rejection}");
        }
        assert_eq!(refused(at(vec![Value::Float(3.5e38)])), Refusal::FloatOverflow);
        assert_eq!(refused(at(vec![Value::Integer(1 << 31)])), Refusal::IntegerOutOfRange);
        assert_eq!(refused(at(vec![Value::Float(0.0); 65_536])), Refusal::LengthTooLarge);
        assert_eq!(refused(Sample { sequence: None, ..at(vec![]) }), Refusal::MissingSequence);
        assert_eq!(refused(Sample { origin: None, ..at(vec![]) }), Refusal::MissingTime);
        let late = Sample { origin: Some((1 << 32, 0)), ..at(vec![]) };
        assert_eq!(refused(late), Refusal::SecondsOutOfRange);
        let other = [SignalType::Float, SignalType::Integer];
        let rejection = encode(&[peer_sample()], &other).unwrap_err();
        assert_eq!(rejection.refusal, Refusal::TypeMismatch);
        assert!(rejection.detail.starts_with("signal 1: expected integer, found float"));
    }

    fn value(signal: SignalType) -> BoxedStrategy<Value> {
        match signal {
            SignalType::Integer => any::<i32>().prop_map(|v| Value::Integer(v.into())).boxed(),
            _ => any_narrow().prop_map(Value::Float).boxed(),
        }
    }

    proptest! {
        #[test]
        fn samples_come_back_bit_for_bit(
            (signals, sent) in samples(&[SignalType::Float, SignalType::Integer], value),
        ) {
            let decoded = decode(&encode(&sent, &signals).unwrap(), &signals);
            prop_assert_eq!(decoded.len(), sent.len());
            for (decoded, sent) in decoded.into_iter().zip(&sent) {
                let got = decoded.unwrap();
                prop_assert_eq!((got.sequence, got.origin), (sent.sequence, sent.origin));
                prop_assert_eq!(bits(&got), bits(sent));
            }
        }
    }

    #[test]
    fn any_bytes_are_read_without_a_panic() {
        let seeds = [bytes(PEER), bytes(&PEER.repeat(3))];
        let signals = [SignalType::Float, SignalType::Integer];
        let mut taken = 0;
        fuzz(&seeds, |input| {
            taken += decode(input, &signals).iter().filter(|one| one.is_ok()).count();
        });
        assert!(taken > 1_000, "{taken}");
    }
}
