//! `protobuf`: one message of samples, each with tagged values, after `villas.proto` (proto2).
//!
//! | message | fields |
//! |---|---|
//! | message | 1 samples |
//! | sample | 1 kind (1 data, 2 start, 3 stop), 2 sequence, 3 origin, 4 received, 5 new frame, |
//! | | 100 values |
//! | time | 1 seconds, 2 nanoseconds, both unsigned and of 32 bits |
//! | value | one of 1 double, 2 64-bit integer, 3 boolean, 4 complex |
//! | complex | 1 real part, 2 imaginary part, 32-bit floats |
//!
//! Unknown fields are passed over, and so are the time of receipt and the mark of a new frame: a
//! [`Sample`] has no place for them. A complex number is narrowed to 32 bits on its way. An older
//! `villas.proto` had the values in field 5 and the time in field 4; field 5 is then not what it is
//! here, and the sample is rejected.

use prost::Message as _;

use super::{
    Decoded, at_signal, check_samples, check_size, check_values, checked_origin, mismatch,
    narrowed, origin_in_32_bits,
};
use crate::number;
use crate::{FormatKind, Refusal, Rejection, Sample, SignalType, Value};

/// The row of the format.
pub const VILLAS_PROTOBUF: FormatKind = FormatKind {
    name: "villas-protobuf",
    summary: "samples of VILLASnode as Protocol Buffers",
    description: "A datagram is one message of samples (`protobuf`), each with its sequence, its \
        time and values that have their types with them: float64, 64-bit integer, boolean or \
        complex number.",
    simulator_keys: &[],
    point_keys: &[],
};

/// The kinds of samples.
const KIND_DATA: i32 = 1;
const KIND_START: i32 = 2;
const KIND_STOP: i32 = 3;

/// A message as it is read: the samples are not looked into yet, so that a fault of one of them
/// does not cost the others.
#[derive(Clone, PartialEq, prost::Message)]
struct WireMessage {
    #[prost(bytes = "vec", repeated, tag = "1")]
    samples: Vec<Vec<u8>>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct WireSample {
    // An enumeration on the wire, which is carried as this is.
    #[prost(int32, optional, tag = "1")]
    kind: Option<i32>,
    #[prost(uint64, optional, tag = "2")]
    sequence: Option<u64>,
    #[prost(message, optional, tag = "3")]
    origin: Option<WireTime>,
    #[prost(bool, optional, tag = "5")]
    new_frame: Option<bool>,
    #[prost(message, repeated, tag = "100")]
    values: Vec<WireValue>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct WireTime {
    #[prost(uint32, required, tag = "1")]
    seconds: u32,
    #[prost(uint32, required, tag = "2")]
    nanoseconds: u32,
}

#[derive(Clone, PartialEq, prost::Message)]
struct WireValue {
    #[prost(oneof = "Carried", tags = "1, 2, 3, 4")]
    carried: Option<Carried>,
}

#[derive(Clone, PartialEq, prost::Oneof)]
enum Carried {
    #[prost(double, tag = "1")]
    Float(f64),
    #[prost(int64, tag = "2")]
    Integer(i64),
    #[prost(bool, tag = "3")]
    Boolean(bool),
    #[prost(message, tag = "4")]
    Complex(WireComplex),
}

#[derive(Clone, PartialEq, prost::Message)]
struct WireComplex {
    #[prost(float, required, tag = "1")]
    real: f32,
    #[prost(float, required, tag = "2")]
    imaginary: f32,
}

/// The samples of a message, one result for each, in their order.
///
/// Bytes that are not protobuf are one rejection, and so are more than [`super::MAX_INPUT_BYTES`]
/// or [`super::MAX_SAMPLES`].
pub fn decode(message: &[u8], signals: &[SignalType]) -> Vec<Decoded> {
    if let Err(rejection) = check_size(message) {
        return vec![Err(rejection)];
    }
    let samples = match WireMessage::decode(message) {
        Ok(message) => message.samples,
        Err(error) => return vec![Err(malformed(&error))],
    };
    if samples.is_empty() {
        let detail = format!("found no sample in {} bytes, expected at least one", message.len());
        return vec![Err(Rejection::new(Refusal::NoSample, detail))];
    }
    match check_samples(samples.len()) {
        Ok(()) => samples.iter().map(|bytes| sample(bytes, signals)).collect(),
        Err(rejection) => vec![Err(rejection)],
    }
}

/// The rejection of bytes that are not of the message.
fn malformed(error: &prost::DecodeError) -> Rejection {
    let detail = format!("{error}; the sender has to use the fields of today's villas.proto");
    Rejection::new(Refusal::MalformedProtobuf, detail)
}

/// The sample of one of a message's elements.
fn sample(bytes: &[u8], signals: &[SignalType]) -> Decoded {
    let wire = WireSample::decode(bytes).map_err(|error| malformed(&error))?;
    // Without the field it is data, which is its default.
    let without_data = match wire.kind.unwrap_or(KIND_DATA) {
        KIND_DATA => None,
        KIND_START => Some(Refusal::StartSample),
        KIND_STOP => Some(Refusal::StopSample),
        _ => Some(Refusal::UnknownKind),
    };
    if let Some(refusal) = without_data {
        let kind = wire.kind.unwrap_or_default();
        let detail = format!("found a sample of kind {kind}, expected {KIND_DATA} for data");
        return Err(Rejection::new(refusal, detail));
    }
    number::count(wire.values.len(), signals.len())?;
    let origin =
        wire.origin.map(|time| checked_origin(time.seconds.into(), time.nanoseconds.into()));
    let values = wire.values.iter().zip(signals).enumerate();
    let values = values.map(|(index, (wire, signal))| value(index, wire, *signal));
    Ok(Sample {
        sequence: wire.sequence,
        origin: origin.transpose()?,
        values: values.collect::<Result<_, _>>()?,
    })
}

fn value(index: usize, wire: &WireValue, signal: SignalType) -> Result<Value, Rejection> {
    let value = match &wire.carried {
        None => {
            let detail = format!("found no value of a known type, expected {signal}");
            return Err(at_signal(index, Refusal::MissingValue, &detail));
        }
        Some(Carried::Float(value)) => Value::Float(*value),
        Some(Carried::Integer(value)) => Value::Integer(*value),
        Some(Carried::Boolean(value)) => Value::Boolean(*value),
        Some(Carried::Complex(value)) => Value::Complex(value.real.into(), value.imaginary.into()),
    };
    if value.signal_type() == signal {
        Ok(value)
    } else {
        Err(mismatch(index, signal, value.signal_type().word()))
    }
}

/// One message of all the samples.
pub fn encode(samples: &[Sample], signals: &[SignalType]) -> Result<Vec<u8>, Rejection> {
    let encoded = |sample: &Sample| Ok(wire(sample, signals)?.encode_to_vec());
    let samples = samples.iter().map(encoded).collect::<Result<_, _>>()?;
    Ok(WireMessage { samples }.encode_to_vec())
}

/// A sample in the fields of the wire.
fn wire(sample: &Sample, signals: &[SignalType]) -> Result<WireSample, Rejection> {
    check_values(sample, signals)?;
    let origin = sample.origin.map(origin_in_32_bits).transpose()?;
    let carried = |(index, value): (usize, &Value)| {
        Ok(WireValue {
            carried: Some(match *value {
                Value::Float(value) => Carried::Float(value),
                Value::Integer(value) => Carried::Integer(value),
                Value::Boolean(value) => Carried::Boolean(value),
                Value::Complex(real, imaginary) => Carried::Complex(WireComplex {
                    real: narrowed(index, real)?,
                    imaginary: narrowed(index, imaginary)?,
                }),
            }),
        })
    };
    Ok(WireSample {
        kind: Some(KIND_DATA),
        sequence: sample.sequence,
        origin: origin.map(|(seconds, nanoseconds)| WireTime { seconds, nanoseconds }),
        new_frame: None,
        values: sample.values.iter().enumerate().map(carried).collect::<Result<_, _>>()?,
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::villas::testing::{ALL_TYPES, any_narrow, bits, bytes, fuzz, reasons, samples};
    use crate::villas::{MAX_INPUT_BYTES, MAX_SAMPLES};

    /// From a datagram that libvillas 1.0.1 sent, as `DPsim` 1.4.0 bundles it.
    const PEER: &str = "0a3e 0801 1002 1a0c 08f4c98ed806 10b0e7f48302
        a206 09 099a9999999999b93f a206 09 095555555543deb341 a206 02 1801
        a206 0c 220a 0d8fa2a243 150000c0bf";
    const PEER_SIGNALS: [SignalType; 4] =
        [SignalType::Float, SignalType::Float, SignalType::Boolean, SignalType::Complex];

    fn peer_sample() -> Sample {
        Sample {
            sequence: Some(2),
            origin: Some((1_795_400_948, 545_076_144)),
            values: vec![
                Value::Float(0.1),
                Value::Float(1e9 / 3.0),
                Value::Boolean(true),
                Value::Complex(325.27_f32.into(), -1.5),
            ],
        }
    }

    #[test]
    fn a_message_of_the_peer_is_read_and_written() {
        assert_eq!(decode(&bytes(PEER), &PEER_SIGNALS), [Ok(peer_sample())]);
        assert_eq!(encode(&[peer_sample()], &PEER_SIGNALS).unwrap(), bytes(PEER));
    }

    #[test]
    fn unknown_fields_are_passed_over_and_integers_have_all_bits() {
        // Kind, time of receipt, a mark of a new frame, an unknown field 6, one value of -3.
        let message =
            bytes("0a1d 0801 2204 08051006 2801 3203616263 a206 0b 10fdffffffffffffffff01");
        let sample = Sample { sequence: None, origin: None, values: vec![Value::Integer(-3)] };
        assert_eq!(decode(&message, &[SignalType::Integer]), [Ok(sample)]);
    }

    #[test]
    fn a_faulty_sample_does_not_cost_the_next() {
        let good = bytes("0a07 0801 a20602 1801");
        let good_sample = Sample { values: vec![Value::Boolean(true)], ..Sample::default() };
        for (faulty, refusal) in [
            ("0a02 0802", Refusal::StartSample),
            ("0a02 0803", Refusal::StopSample),
            ("0a02 0809", Refusal::UnknownKind),
            ("0a02 0801", Refusal::TooFewValues),
            ("0a0c 0801 a20602 1801 a20602 1801", Refusal::TooManyValues),
            ("0a05 0801 a20600", Refusal::MissingValue),
            ("0a07 0801 a20602 2801", Refusal::MissingValue),
            ("0a07 0801 a20602 1001", Refusal::TypeMismatch),
            ("0a01 08", Refusal::MalformedProtobuf),
            // The older layout: time in field 4, values in field 5.
            ("0a0c 0801 2204 08051006 2a02 1801", Refusal::MalformedProtobuf),
            ("0a11 0801 1a08 0801 108094ebdc03 a20602 1801", Refusal::NanosecondsOutOfRange),
        ] {
            let message = [good.clone(), bytes(faulty), good.clone()].concat();
            let decoded = decode(&message, &[SignalType::Boolean]);
            assert_eq!(reasons(&decoded), [None, Some(refusal), None], "{faulty}");
            assert_eq!(decoded[2], Ok(good_sample.clone()));
        }
        let found = decode(&bytes("0a07 0801 a20602 1001"), &[SignalType::Boolean]).remove(0);
        let detail = found.unwrap_err().detail;
        assert!(detail.starts_with("signal 0: expected boolean, found integer"), "{detail}");
    }

    #[test]
    fn what_is_no_message_is_one_rejection() {
        for (message, refusal) in [
            (Vec::new(), Refusal::NoSample),
            (bytes("1001"), Refusal::NoSample),
            (bytes("0a05 0801"), Refusal::MalformedProtobuf),
            (bytes("0affffffffffffffffff01"), Refusal::MalformedProtobuf),
            (bytes(&"0a00".repeat(MAX_SAMPLES + 1)), Refusal::InputTooLarge),
            (vec![0; MAX_INPUT_BYTES + 1], Refusal::InputTooLarge),
        ] {
            assert_eq!(reasons(&decode(&message, &[])), [Some(refusal)]);
        }
    }

    #[test]
    fn what_the_fields_do_not_hold_is_not_sent() {
        let at = |value: Value| Sample { values: vec![value], ..Sample::default() };
        let refused = |sample: Sample, signals: &[SignalType]| {
            encode(&[sample], signals).unwrap_err().refusal
        };
        let complex = [SignalType::Complex];
        assert_eq!(refused(at(Value::Complex(0.0, 1e39)), &complex), Refusal::FloatOverflow);
        assert_eq!(refused(at(Value::Float(0.0)), &complex), Refusal::TypeMismatch);
        assert_eq!(refused(at(Value::Float(0.0)), &[]), Refusal::TooManyValues);
        let late = Sample { origin: Some((1 << 32, 0)), ..Sample::default() };
        assert_eq!(refused(late, &[]), Refusal::SecondsOutOfRange);
    }

    fn value(signal: SignalType) -> BoxedStrategy<Value> {
        match signal {
            SignalType::Float => any::<u64>().prop_map(|v| Value::Float(f64::from_bits(v))).boxed(),
            SignalType::Integer => any::<i64>().prop_map(Value::Integer).boxed(),
            SignalType::Boolean => any::<bool>().prop_map(Value::Boolean).boxed(),
            SignalType::Complex => (any_narrow(), any_narrow())
                .prop_map(|(real, imaginary)| Value::Complex(real, imaginary))
                .boxed(),
        }
    }

    proptest! {
        #[test]
        fn samples_come_back_bit_for_bit((signals, sent) in samples(ALL_TYPES, value)) {
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
        let seeds = [bytes(PEER), bytes(&PEER.repeat(2)), bytes("0a07 0801 a20602 1801")];
        let mut taken = 0;
        fuzz(&seeds, |input| {
            taken += decode(input, &PEER_SIGNALS).iter().filter(|one| one.is_ok()).count();
        });
        assert!(taken > 1_000, "{taken}");
    }
}
