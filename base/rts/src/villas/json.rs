//! `json`: an array of samples in a message, or one sample a line in files.
//!
//! ```json
//! [{"ts": {"origin": [1, 500000000]}, "sequence": 7,
//!   "data": [0.5, 3, true, {"real": 1, "imag": 2}]}]
//! ```
//!
//! `ts` and `sequence` may be absent. Other keys, `flags` and `ts.received` among them, are passed
//! over: a [`Sample`] has no place for them.
//!
//! A whole number is taken where a float is expected, as most writers drop the fraction `.0`. (A
//! message with one ends `VILLASnode`, so floats are written with a fraction and an exponent.) JSON
//! has neither infinity nor NaN: some writers put `null` or a word in their place, others leave the
//! value out, so that the later ones stand at the wrong signals; each is rejected with its name.

use std::fmt::Write as _;

use serde_json::Value as Json;

use super::{
    Decoded, at_signal, check_samples, check_size, check_values, checked_origin, mismatch,
};
use crate::number;
use crate::{FormatKind, Refusal, Rejection, Sample, SignalType, Value};

/// The row of the format.
pub const VILLAS_JSON: FormatKind = FormatKind {
    name: "villas-json",
    summary: "samples of VILLASnode as JSON",
    description: "A datagram is an array of samples (`json`): each with its values in order, a \
        time and a sequence where the sender has them. Values are of any type, and each keeps the \
        digits that it has.",
    simulator_keys: &[],
    point_keys: &[],
};

/// The samples of a message or of lines, one result for each, in their order.
///
/// An array's elements are its samples; without a `[` at the begin, each line that is not blank is
/// one, or all the lines together. Text that is not JSON is one rejection. What is nested deeper
/// than 127 levels, longer than [`super::MAX_INPUT_BYTES`] or has more than [`super::MAX_SAMPLES`]
/// is rejected: read a file in parts.
pub fn decode(text: &[u8], signals: &[SignalType]) -> Vec<Decoded> {
    if let Err(rejection) = check_size(text) {
        return vec![Err(rejection)];
    }
    let text = text.trim_ascii();
    if text.is_empty() {
        return vec![Err(no_sample("an empty message"))];
    }
    // Of several lines this reads the first only, as more behind it is an error.
    let error = match serde_json::from_slice::<Json>(text) {
        Ok(Json::Array(elements)) if elements.is_empty() => {
            return vec![Err(no_sample("an empty array"))];
        }
        Ok(Json::Array(elements)) => {
            if let Err(rejection) = check_samples(elements.len()) {
                return vec![Err(rejection)];
            }
            return elements.iter().map(|one| sample(one, signals)).collect();
        }
        Ok(one) => return vec![sample(&one, signals)],
        Err(error) => error,
    };
    if text.starts_with(b"[") {
        return vec![Err(malformed(text, &error))];
    }
    let lines = text.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii);
    let decoded = |line: &[u8]| match serde_json::from_slice(line) {
        Ok(one) => sample(&one, signals),
        Err(error) => Err(malformed(line, &error)),
    };
    let lines = lines.filter(|line| !line.is_empty());
    match check_samples(lines.clone().count()) {
        Ok(()) => lines.map(decoded).collect(),
        Err(rejection) => vec![Err(rejection)],
    }
}

/// The rejection of a message without samples.
fn no_sample(found: &str) -> Rejection {
    Rejection::new(Refusal::NoSample, format!("found {found}, expected at least one sample"))
}

/// The rejection of text that is not JSON. Words for infinity and NaN have a reason of their own.
fn malformed(text: &[u8], error: &serde_json::Error) -> Rejection {
    let line = text.split(|byte| *byte == b'\n').nth(error.line().saturating_sub(1));
    let line = line.unwrap_or_default();
    // The parser stops at the first or the second letter of such a word.
    let begin = error.column().saturating_sub(3).min(line.len());
    let near = line[begin..line.len().min(begin + 7)].to_ascii_lowercase();
    let is_word = near.windows(3).any(|three| three == b"nan" || three == b"inf");
    // 1e999 is how some write infinity.
    let refusal = if is_word || error.to_string().starts_with("number out of range") {
        Refusal::NotFinite
    } else {
        Refusal::MalformedJson
    };
    Rejection::new(refusal, format!("{error}; the sender has to write JSON numbers"))
}

fn sample(element: &Json, signals: &[SignalType]) -> Decoded {
    let not_a_sample = |what: &str, found: &str| {
        let detail = format!("found {found}, expected {what}");
        Rejection::new(Refusal::NotASample, detail)
    };
    let Json::Object(fields) = element else {
        return Err(not_a_sample("an object with `data`", kind(element)));
    };
    let data = match fields.get("data") {
        Some(Json::Array(data)) => data,
        Some(other) => return Err(not_a_sample("an array as `data`", kind(other))),
        None => return Err(not_a_sample("an object with `data`", "an object without")),
    };
    number::count(data.len(), signals.len())?;
    let sequence = fields.get("sequence").map(whole("sequence")).transpose()?;
    let origin = match fields.get("ts") {
        None => None,
        Some(Json::Object(times)) => times.get("origin").map(origin).transpose()?,
        Some(other) => return Err(malformed_field("ts", "an object", other)),
    };
    let values = data.iter().zip(signals).enumerate();
    let values = values.map(|(index, (element, signal))| value(index, element, *signal));
    Ok(Sample { sequence, origin, values: values.collect::<Result<_, _>>()? })
}

/// A number without sign and fraction, which a field has.
fn whole(field: &'static str) -> impl Fn(&Json) -> Result<u64, Rejection> {
    move |element| {
        element.as_u64().ok_or_else(|| malformed_field(field, "a number from 0 on", element))
    }
}

/// The rejection of a field beside the data.
fn malformed_field(field: &str, expected: &str, found: &Json) -> Rejection {
    let found = match found {
        Json::Number(number) => number.to_string(),
        other => kind(other).to_owned(),
    };
    let detail = format!("`{field}`: found {found}, expected {expected}");
    Rejection::new(Refusal::MalformedField, detail)
}

/// Seconds and nanoseconds.
fn origin(element: &Json) -> Result<(u64, u32), Rejection> {
    let parts = element.as_array().map(Vec::as_slice);
    let Some([seconds, nanoseconds]) = parts else {
        return Err(malformed_field("ts.origin", "[seconds, nanoseconds]", element));
    };
    if seconds.as_i64().is_some_and(i64::is_negative) {
        let detail = format!("found {seconds} seconds, expected a time from 1970 on");
        return Err(Rejection::new(Refusal::SecondsOutOfRange, detail));
    }
    checked_origin(whole("ts.origin")(seconds)?, whole("ts.origin")(nanoseconds)?)
}

fn value(index: usize, element: &Json, signal: SignalType) -> Result<Value, Rejection> {
    match (signal, element) {
        (_, Json::Null) => {
            let detail = "found null, as is written for infinity and NaN; send a finite number";
            Err(at_signal(index, Refusal::MissingValue, detail))
        }
        (SignalType::Float, Json::Number(number)) => {
            number.as_f64().map(Value::Float).ok_or_else(|| mismatch(index, signal, kind(element)))
        }
        (SignalType::Integer, Json::Number(number)) if number.is_u64() || number.is_i64() => {
            number.as_i64().map(Value::Integer).ok_or_else(|| {
                let detail = format!("{number} is beyond a 64-bit integer; scale the signal");
                at_signal(index, Refusal::IntegerOutOfRange, &detail)
            })
        }
        (SignalType::Boolean, Json::Bool(value)) => Ok(Value::Boolean(*value)),
        (SignalType::Complex, Json::Object(parts)) => {
            let part = |name| match parts.get(name) {
                None | Some(Json::Null) => {
                    let detail = format!("found no `{name}`; a complex number needs both parts");
                    Err(at_signal(index, Refusal::MissingValue, &detail))
                }
                Some(part) => part
                    .as_f64()
                    .ok_or_else(|| mismatch(index, signal, &format!("{} as `{name}`", kind(part)))),
            };
            Ok(Value::Complex(part("real")?, part("imag")?))
        }
        _ => Err(mismatch(index, signal, kind(element))),
    }
}

fn kind(element: &Json) -> &'static str {
    match element {
        Json::Null => "null",
        Json::Bool(_) => SignalType::Boolean.word(),
        Json::Number(number) if number.is_f64() => SignalType::Float.word(),
        Json::Number(_) => SignalType::Integer.word(),
        Json::String(_) => "text",
        Json::Array(_) => "an array",
        Json::Object(fields) if fields.contains_key("real") => SignalType::Complex.word(),
        Json::Object(_) => "an object",
    }
}

/// One message of all the samples.
pub fn encode(samples: &[Sample], signals: &[SignalType]) -> Result<String, Rejection> {
    let mut text = String::from("[");
    for (index, sample) in samples.iter().enumerate() {
        if index > 0 {
            text.push(',');
        }
        append(&mut text, sample, signals)?;
    }
    text.push(']');
    Ok(text)
}

/// Adds one sample to a text. A rejected sample leaves the text unusable.
fn append(text: &mut String, sample: &Sample, signals: &[SignalType]) -> Result<(), Rejection> {
    check_values(sample, signals)?;
    text.push('{');
    if let Some((seconds, nanoseconds)) = sample.origin {
        let (seconds, nanoseconds) = checked_origin(seconds, nanoseconds.into())?;
        let seconds = signed(seconds, "seconds", Refusal::SecondsOutOfRange)?;
        push(text, format_args!("\"ts\":{{\"origin\":[{seconds},{nanoseconds}]}},"));
    }
    if let Some(sequence) = sample.sequence {
        let sequence = signed(sequence, "a sequence number", Refusal::IntegerOutOfRange)?;
        push(text, format_args!("\"sequence\":{sequence},"));
    }
    text.push_str("\"data\":[");
    for (index, value) in sample.values.iter().enumerate() {
        if index > 0 {
            text.push(',');
        }
        append_value(text, index, *value)?;
    }
    text.push_str("]}");
    Ok(())
}

/// A number that the peer's reader takes: it rejects a whole message for one of 2^63 and above.
fn signed(number: u64, what: &str, refusal: Refusal) -> Result<i64, Rejection> {
    i64::try_from(number).map_err(|_| {
        Rejection::new(refusal, format!("found {number} as {what}, expected at most {}", i64::MAX))
    })
}

/// Adds a value. 17 digits hold every 64-bit float.
fn append_value(text: &mut String, index: usize, value: Value) -> Result<(), Rejection> {
    let finite = |part: f64| {
        if part.is_finite() {
            return Ok(part);
        }
        let detail = format!("found {part}, which JSON does not carry; send a finite number");
        Err(at_signal(index, Refusal::NotFinite, &detail))
    };
    match value {
        Value::Float(value) => push(text, format_args!("{:.16e}", finite(value)?)),
        Value::Integer(value) => push(text, format_args!("{value}")),
        Value::Boolean(value) => push(text, format_args!("{value}")),
        Value::Complex(real, imaginary) => {
            let (real, imaginary) = (finite(real)?, finite(imaginary)?);
            push(text, format_args!("{{\"real\":{real:.16e},\"imag\":{imaginary:.16e}}}"));
        }
    }
    Ok(())
}

/// Adds formatted text; to write to a text does not fail.
fn push(text: &mut String, formatted: std::fmt::Arguments<'_>) {
    let _ = text.write_fmt(formatted);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::villas::testing::{ALL_TYPES, bits, fuzz, reasons, samples};
    use crate::villas::{MAX_INPUT_BYTES, MAX_SAMPLES};

    /// From a datagram that libvillas 1.0.1 sent, as `DPsim` 1.4.0 bundles it.
    const PEER: &str = concat!(
        r#"[{"ts": {"origin": [1795400945, 171997105]}, "sequence": 0, "data": "#,
        "[0.10000000000000001, 333333333.33333331, true, ",
        r#"{"real": 325.26998901367188, "imag": -1.5}]}]"#,
    );
    const PEER_SIGNALS: [SignalType; 4] =
        [SignalType::Float, SignalType::Float, SignalType::Boolean, SignalType::Complex];

    fn peer_sample() -> Sample {
        Sample {
            sequence: Some(0),
            origin: Some((1_795_400_945, 171_997_105)),
            values: vec![
                Value::Float(0.1),
                Value::Float(1e9 / 3.0),
                Value::Boolean(true),
                Value::Complex(325.27_f32.into(), -1.5),
            ],
        }
    }

    /// The reasons for data, each of a message of its own with these signals.
    fn reason(data: &str, signals: &[SignalType]) -> Rejection {
        let text = format!("[{{\"data\":[{data}]}}]");
        decode(text.as_bytes(), signals).remove(0).unwrap_err()
    }

    /// One line of a file, with the break at its end.
    fn line(sample: &Sample, signals: &[SignalType]) -> Result<String, Rejection> {
        let mut text = String::new();
        append(&mut text, sample, signals)?;
        Ok(text + "\n")
    }

    #[test]
    fn a_message_of_the_peer_is_read() {
        assert_eq!(decode(PEER.as_bytes(), &PEER_SIGNALS), [Ok(peer_sample())]);
    }

    #[test]
    fn what_is_written_is_pinned() {
        let first = Sample {
            values: vec![
                Value::Float(0.1),
                Value::Float(-0.0),
                Value::Boolean(false),
                Value::Complex(1.0, -2.5e-300),
            ],
            ..peer_sample()
        };
        let second = Sample { sequence: None, origin: None, ..peer_sample() };
        let first_text = concat!(
            r#"{"ts":{"origin":[1795400945,171997105]},"sequence":0,"data":"#,
            "[1.0000000000000001e-1,-0.0000000000000000e0,false,",
            r#"{"real":1.0000000000000000e0,"imag":-2.5000000000000000e-300}]}"#,
        );
        let second_text = concat!(
            r#"{"data":[1.0000000000000001e-1,3.3333333333333331e8,true,"#,
            r#"{"real":3.2526998901367188e2,"imag":-1.5000000000000000e0}]}"#,
        );
        let both = encode(&[first.clone(), second.clone()], &PEER_SIGNALS).unwrap();
        assert_eq!(both, format!("[{first_text},{second_text}]"));
        let lines = [&first, &second].map(|one| line(one, &PEER_SIGNALS).unwrap()).concat();
        assert_eq!(lines, format!("{first_text}\n{second_text}\n"));
        let expected = [Ok(first), Ok(second)];
        assert_eq!(decode(both.as_bytes(), &PEER_SIGNALS), expected);
        assert_eq!(decode(lines.as_bytes(), &PEER_SIGNALS), expected);
    }

    #[test]
    fn whole_numbers_are_floats_and_other_keys_are_passed_over() {
        let text =
            r#"[{"flags": ["new_frame"], "ts": {"received": [1, 2]}, "x": {}, "data": [1, 7]}]"#;
        let signals = [SignalType::Float, SignalType::Integer];
        let values = vec![Value::Float(1.0), Value::Integer(7)];
        let sample = Sample { sequence: None, origin: None, values };
        assert_eq!(decode(text.as_bytes(), &signals), [Ok(sample.clone())]);
        let pretty = "{\n  \"data\": [\n 1,\n 7]\n}\n";
        assert_eq!(decode(pretty.as_bytes(), &signals), [Ok(sample)]);
    }

    #[test]
    fn types_are_held_to_the_signals() {
        let all = SignalType::ALL;
        for (data, found) in [
            ("true, 1, true, {}", "signal 0: expected float, found boolean"),
            ("1, 1.0, true, {}", "signal 1: expected integer, found float"),
            ("1, 1, 1, {}", "signal 2: expected boolean, found integer"),
            ("1, 1, true, 1.5", "signal 3: expected complex, found float"),
            ("1, {\"real\": 1, \"imag\": 1}, true, 1", "signal 1: expected integer, found complex"),
            ("\"1\", 1, true, 1", "signal 0: expected float, found text"),
            (
                "1, 1, true, {\"real\": [], \"imag\": 1}",
                "signal 3: expected complex, found an array as `real`",
            ),
        ] {
            let rejection = reason(data, &all);
            assert_eq!(rejection.refusal, Refusal::TypeMismatch);
            assert!(rejection.detail.starts_with(found), "{rejection}");
        }
        let rejection = reason("9223372036854775808", &[SignalType::Integer]);
        assert_eq!(rejection.refusal, Refusal::IntegerOutOfRange);
    }

    #[test]
    fn infinity_and_nan_shift_no_channel() {
        let three = [SignalType::Float; 3];
        for (data, refusal) in [
            ("1.0, null, 3.0", Refusal::MissingValue),
            ("1.0, 3.0", Refusal::TooFewValues),
            ("1.0, NaN, 3.0", Refusal::NotFinite),
            ("1.0,nan,3.0", Refusal::NotFinite),
            ("1.0, Infinity, 3.0", Refusal::NotFinite),
            ("1.0, -Infinity, 3.0", Refusal::NotFinite),
            ("1.0,-inf,3.0", Refusal::NotFinite),
            ("1.0, 1e999, 3.0", Refusal::NotFinite),
            ("1.0, ?, 3.0", Refusal::MalformedJson),
            ("1.0, 2.0, 3.0, 4.0", Refusal::TooManyValues),
        ] {
            assert_eq!(reason(data, &three).refusal, refusal, "{data}");
        }
        let complex = [SignalType::Complex];
        assert_eq!(reason("{\"real\": 1}", &complex).refusal, Refusal::MissingValue);
        assert_eq!(
            reason("{\"real\": null, \"imag\": 1}", &complex).refusal,
            Refusal::MissingValue
        );
        for value in [f64::NAN, f64::INFINITY] {
            for value in [Value::Float(value), Value::Complex(0.0, value)] {
                let sample = Sample { values: vec![value], ..Sample::default() };
                let rejection = encode(&[sample], &[value.signal_type()]).unwrap_err();
                assert_eq!(rejection.refusal, Refusal::NotFinite);
            }
        }
    }

    #[test]
    fn a_faulty_sample_does_not_cost_the_next() {
        let one = [SignalType::Float];
        let cases = [
            (r#"{"data": [1]}"#, None),
            (r#"{"data": 1}"#, Some(Refusal::NotASample)),
            (r#"{"sequence": 1}"#, Some(Refusal::NotASample)),
            ("7", Some(Refusal::NotASample)),
            (r#"{"data": [1], "sequence": -1}"#, Some(Refusal::MalformedField)),
            (r#"{"data": [1], "ts": 5}"#, Some(Refusal::MalformedField)),
            (r#"{"data": [1], "ts": {"origin": [1]}}"#, Some(Refusal::MalformedField)),
            (r#"{"data": [1], "ts": {"origin": [1, 0.5]}}"#, Some(Refusal::MalformedField)),
            (r#"{"data": [1], "ts": {"origin": [-1, 5]}}"#, Some(Refusal::SecondsOutOfRange)),
            (
                r#"{"data": [1], "ts": {"origin": [1, 1000000000]}}"#,
                Some(Refusal::NanosecondsOutOfRange),
            ),
            (r#"{"data": [2], "ts": {}}"#, None),
        ];
        let expected: Vec<_> = cases.iter().map(|(_, refusal)| *refusal).collect();
        let array = format!("[{}]", cases.map(|(text, _)| text).join(","));
        assert_eq!(reasons(&decode(array.as_bytes(), &one)), expected);
        let lines = format!("{}\n\n{{\"data\": [1\n", cases.map(|(text, _)| text).join("\n"));
        let with_cut = [expected, vec![Some(Refusal::MalformedJson)]].concat();
        assert_eq!(reasons(&decode(lines.as_bytes(), &one)), with_cut);
    }

    #[test]
    fn what_is_empty_deep_or_huge_is_one_rejection() {
        let depth = MAX_INPUT_BYTES / 8;
        for (text, refusal) in [
            (String::new(), Refusal::NoSample),
            (" \n".to_owned(), Refusal::NoSample),
            ("[]".to_owned(), Refusal::NoSample),
            ("[".repeat(depth), Refusal::MalformedJson),
            ("{\"data\":".repeat(depth), Refusal::MalformedJson),
            (" ".repeat(MAX_INPUT_BYTES + 1), Refusal::InputTooLarge),
            ("\u{ff}".to_owned(), Refusal::MalformedJson),
            (format!("[{}0]", "0,".repeat(MAX_SAMPLES)), Refusal::InputTooLarge),
            ("{}\n".repeat(MAX_SAMPLES + 1), Refusal::InputTooLarge),
        ] {
            assert_eq!(reasons(&decode(text.as_bytes(), &[])), [Some(refusal)]);
        }
        let late = Sample { origin: Some((1 << 63, 0)), ..Sample::default() };
        assert_eq!(encode(&[late], &[]).unwrap_err().refusal, Refusal::SecondsOutOfRange);
        let far = Sample { sequence: Some(1 << 63), ..Sample::default() };
        assert_eq!(line(&far, &[]).unwrap_err().refusal, Refusal::IntegerOutOfRange);
    }

    fn value(signal: SignalType) -> BoxedStrategy<Value> {
        use proptest::num::f64::{NEGATIVE, NORMAL, POSITIVE, SUBNORMAL, ZERO};
        let finite = || NEGATIVE | POSITIVE | NORMAL | SUBNORMAL | ZERO;
        match signal {
            SignalType::Float => finite().prop_map(Value::Float).boxed(),
            SignalType::Integer => any::<i64>().prop_map(Value::Integer).boxed(),
            SignalType::Boolean => any::<bool>().prop_map(Value::Boolean).boxed(),
            SignalType::Complex => {
                (finite(), finite()).prop_map(|(re, im)| Value::Complex(re, im)).boxed()
            }
        }
    }

    proptest! {
        #[test]
        fn samples_come_back_bit_for_bit((signals, sent) in samples(ALL_TYPES, value)) {
            let lines = sent.iter().map(|one| line(one, &signals).unwrap());
            for text in [encode(&sent, &signals).unwrap(), lines.collect::<String>()] {
                let decoded = decode(text.as_bytes(), &signals);
                prop_assert_eq!(decoded.len(), sent.len());
                for (decoded, sent) in decoded.into_iter().zip(&sent) {
                    let got = decoded.unwrap();
                    prop_assert_eq!((got.sequence, got.origin), (sent.sequence, sent.origin));
                    prop_assert_eq!(bits(&got), bits(sent));
                }
            }
        }
    }

    #[test]
    fn any_bytes_are_read_without_a_panic() {
        let lines = format!("{0}\n{0}\n", &PEER[1..PEER.len() - 1]);
        let seeds = [PEER.as_bytes().to_vec(), lines.into_bytes()];
        let mut taken = 0;
        fuzz(&seeds, |input| {
            taken += decode(input, &PEER_SIGNALS).iter().filter(|one| one.is_ok()).count();
        });
        assert!(taken > 1_000, "{taken}");
    }
}
