//! Samples as they come, beside the readings: each n-th goes out at once, neither stored nor sent
//! again.
//!
//! As JSON a sample has its values in the units of the point map:
//! `{"t":[1800000000,250000000],"sequence":7,"points":{"u1":230.5,"i1":"NaN"}}`. JSON has no
//! infinities and no NaN, so these are the texts `"NaN"`, `"Infinity"` and `"-Infinity"`. As
//! `villas.binary` it has the words that the simulator sent, without scale and offset; a boolean is
//! the integer 0 or 1.

use std::fmt::Write as _;

use lastmeter_rts::point_map::{Point, PointDirection, PointMap};
use lastmeter_rts::villas::binary;
use lastmeter_rts::{Rejection, Sample, SignalType, Value};
use lastmeter_units::SimTime;
use serde_json::Value as Json;

/// The channel on which samples go out.
pub(super) const POINTS: &str = "points";
/// The channel on which values to write come in.
pub(super) const SET: &str = "set";

const NANOSECONDS_PER_SECOND: i64 = 1_000_000_000;

lastmeter_units::words! {
    /// How samples go out as they come.
    pub(super) enum RawForm {
        /// Not at all.
        None = "none",
        /// As JSON, in the units of the map.
        Json = "json",
        /// As the simulator's words, in `villas.binary`.
        Binary = "binary",
    }
}

/// A point as JSON has it.
#[derive(Debug)]
struct RawPoint {
    /// Its name, quoted, with the colon.
    key: String,
    /// Word times this, plus `offset`, is the value in the point's unit.
    scale: f64,
    offset: f64,
}

/// The most bytes of a message with values to write.
const SET_BYTES_MAX: usize = 1 << 16;

/// The values of `{"point": value, ...}`, in the units of the map; a boolean is 1 or 0.
///
/// # Errors
/// What was found, and what was expected.
pub(super) fn set_points(payload: &[u8]) -> Result<Vec<(String, f64)>, String> {
    if payload.len() > SET_BYTES_MAX {
        return Err(format!("found {} bytes, expected at most {SET_BYTES_MAX}", payload.len()));
    }
    let read = serde_json::from_slice(payload).map_err(|error| error.to_string())?;
    let serde_json::Value::Object(points) = read else {
        return Err("found no object, expected {\"point\": value, ...}".to_owned());
    };
    if points.is_empty() {
        return Err("found no point, expected {\"point\": value, ...}".to_owned());
    }
    let number = |(name, value): (String, serde_json::Value)| {
        let number = match value {
            serde_json::Value::Bool(value) => Some(f64::from(u8::from(value))),
            other => other.as_f64(),
        };
        let Some(number) = number else {
            let name: String = name.chars().take(64).collect();
            return Err(format!("point `{name}`: expected a number, or true or false"));
        };
        Ok((name, number))
    };
    points.into_iter().map(number).collect()
}

#[derive(Debug)]
pub(super) struct RawSamples {
    form: RawForm,
    decimate: u64,
    points: Vec<RawPoint>,
    /// Of the words in `villas.binary`.
    types: Vec<SignalType>,
    samples: u64,
}

impl RawSamples {
    /// # Errors
    /// If the form does not carry a point of the map.
    pub(super) fn new(form: RawForm, decimate: u64, map: &PointMap) -> Result<Self, String> {
        let (mut points, mut types) = (Vec::new(), Vec::new());
        for point in map.of_direction(PointDirection::FromSimulator) {
            types.push(match point.signal_type {
                SignalType::Boolean => SignalType::Integer,
                SignalType::Complex if form == RawForm::Binary => {
                    return Err(format!(
                        "line {}: point `{}` is complex, which `raw = \"binary\"` does not carry; \
                         choose `raw = \"json\"`",
                        point.line, point.name
                    ));
                }
                other => other,
            });
            points.push(RawPoint {
                key: format!("{}:", Json::from(&*point.name)),
                scale: point.scale,
                offset: point.offset / point.unit.factor,
            });
        }
        Ok(Self { form, decimate: decimate.max(1), points, types, samples: 0 })
    }

    /// The same samples by another map, with the count that goes on.
    ///
    /// # Errors
    /// As of [`new`](Self::new).
    pub(super) fn of_map(&self, map: &PointMap) -> Result<Self, String> {
        Ok(Self { samples: self.samples, ..Self::new(self.form, self.decimate, map)? })
    }

    /// What goes out for the sample that came now; nothing for those in between. Numbered are
    /// samples as the simulator does, or as they came.
    pub(super) fn payload(
        &mut self,
        taken: SimTime,
        sample: &Sample,
    ) -> Option<Result<Vec<u8>, Rejection>> {
        let number = self.samples;
        self.samples = self.samples.wrapping_add(1);
        if self.form == RawForm::None || !number.is_multiple_of(self.decimate) {
            return None;
        }
        let sequence = sample.sequence.unwrap_or(number);
        let origin = parts(taken);
        Some(match self.form {
            RawForm::Binary => self.binary(sequence, origin, sample),
            _ => Ok(self.json(sequence, origin, sample)),
        })
    }

    /// A sample as JSON whatever goes out: the last that came.
    pub(super) fn shown(&self, taken: SimTime, sample: &Sample) -> Vec<u8> {
        let sequence = sample.sequence.unwrap_or(self.samples.saturating_sub(1));
        self.json(sequence, parts(taken), sample)
    }

    fn binary(
        &self,
        sequence: u64,
        (seconds, nanoseconds): (i64, i64),
        sample: &Sample,
    ) -> Result<Vec<u8>, Rejection> {
        let word = |value: &Value| match value {
            Value::Boolean(value) => Value::Integer(i64::from(*value)),
            other => *other,
        };
        let sample = Sample {
            sequence: Some(sequence),
            origin: Some((seconds.max(0).unsigned_abs(), nanoseconds as u32)),
            values: sample.values.iter().map(word).collect(),
        };
        binary::encode(&[sample], &self.types)
    }

    fn json(&self, sequence: u64, (seconds, nanoseconds): (i64, i64), sample: &Sample) -> Vec<u8> {
        let mut text = String::with_capacity(64 + 32 * self.points.len());
        // Writing to a String cannot fail.
        let _ =
            write!(text, "{{\"t\":[{seconds},{nanoseconds}],\"sequence\":{sequence},\"points\":{{");
        for (place, (point, value)) in self.points.iter().zip(&sample.values).enumerate() {
            if place > 0 {
                text.push(',');
            }
            text.push_str(&point.key);
            push_value(&mut text, point, *value);
        }
        text.push_str("}}");
        text.into_bytes()
    }
}

/// Seconds and nanoseconds of Unix time.
fn parts(at: SimTime) -> (i64, i64) {
    (at.0.div_euclid(NANOSECONDS_PER_SECOND), at.0.rem_euclid(NANOSECONDS_PER_SECOND))
}

/// Values that are written, by point and in the units of the map, as `{"points":{...}}`.
pub(super) fn written_values<'a>(points: impl Iterator<Item = (&'a Point, f64)>) -> Vec<u8> {
    let mut text = String::from("{\"points\":{");
    for (place, (point, value)) in points.enumerate() {
        if place > 0 {
            text.push(',');
        }
        let _ = write!(text, "{}", Json::from(&*point.name));
        text.push(':');
        match point.signal_type {
            SignalType::Boolean => text.push_str(if value == 0.0 { "false" } else { "true" }),
            _ => push_number(&mut text, value),
        }
    }
    text.push_str("}}");
    text.into_bytes()
}

fn push_value(text: &mut String, point: &RawPoint, value: Value) {
    let in_unit = |word: f64| word * point.scale + point.offset;
    match value {
        Value::Boolean(value) => text.push_str(if value { "true" } else { "false" }),
        Value::Integer(word) if point.scale == 1.0 && point.offset == 0.0 => {
            let _ = write!(text, "{word}");
        }
        Value::Integer(word) => push_number(text, in_unit(word as f64)),
        Value::Float(word) => push_number(text, in_unit(word)),
        Value::Complex(real, imaginary) => {
            text.push_str("{\"real\":");
            push_number(text, in_unit(real));
            text.push_str(",\"imag\":");
            push_number(text, imaginary * point.scale);
            text.push('}');
        }
    }
}

/// The shortest text that gives the same number again.
fn push_number(text: &mut String, number: f64) {
    let size = number.abs();
    let _ = if number.is_nan() {
        write!(text, "\"NaN\"")
    } else if number.is_infinite() {
        write!(text, "\"{}Infinity\"", if number < 0.0 { "-" } else { "" })
    } else if size == 0.0 || (1e-5..1e16).contains(&size) {
        write!(text, "{number}")
    } else {
        write!(text, "{number:e}")
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    const TAKEN: SimTime = SimTime(1_800_000_000_250_000_000);

    fn map(of_types: &[&str], unit: &str) -> PointMap {
        let mut text = "format = 1\n[simulator]\nname = \"rack\"\nwire_format = \"villas-json\"\n\
                        card = \"none\"\nsample_rate = \"1 kHz\"\n"
            .to_owned();
        for (place, signal_type) in of_types.iter().enumerate() {
            let _ = write!(
                text,
                "[[point]]\nname = \"p{place}\"\ndirection = \"from-simulator\"\n\
                 type = \"{signal_type}\"\n{}",
                if *signal_type == "float" { unit } else { "" }
            );
        }
        PointMap::parse(&text).unwrap_or_else(|error| panic!("{error}"))
    }

    fn raw(form: RawForm, decimate: u64, of_types: &[&str]) -> RawSamples {
        RawSamples::new(form, decimate, &map(of_types, "unit = \"kV\"\n")).unwrap()
    }

    fn floats(values: &[f64]) -> Sample {
        let values = values.iter().map(|value| Value::Float(*value)).collect();
        Sample { sequence: None, origin: None, values }
    }

    fn json(raw: &mut RawSamples, sample: &Sample) -> String {
        String::from_utf8(raw.payload(TAKEN, sample).unwrap().unwrap()).unwrap()
    }

    #[test]
    fn what_json_cannot_carry_is_a_text_and_stays_at_its_point() {
        let mut raw = raw(RawForm::Json, 1, &["float"; 6]);
        let sample = floats(&[0.23, f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 1e300, -2e-7]);
        let text = json(&mut raw, &sample);
        let points = "{\"p0\":0.23,\"p1\":\"NaN\",\"p2\":\"Infinity\",\"p3\":\"-Infinity\",\
                      \"p4\":1e300,\"p5\":-2e-7}";
        let head = "{\"t\":[1800000000,250000000],\"sequence\":0,\"points\":";
        assert_eq!(text, format!("{head}{points}}}"));
        let read: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(read["points"]["p4"], 1e300);
    }

    #[test]
    fn values_of_every_type_are_read_back() {
        let mut raw = raw(RawForm::Json, 1, &["integer", "boolean", "complex"]);
        let values = vec![
            Value::Integer(9_007_199_254_740_993),
            Value::Boolean(true),
            Value::Complex(1.5, -2.0),
        ];
        let text = json(&mut raw, &Sample { sequence: Some(9), origin: None, values });
        assert!(text.contains("\"sequence\":9,"), "{text}");
        let points = "{\"p0\":9007199254740993,\"p1\":true,\"p2\":{\"real\":1.5,\"imag\":-2}}}";
        assert!(text.ends_with(points), "{text}");
    }

    #[test]
    fn scale_and_offset_lead_to_the_unit_of_the_map() {
        let unit = "unit = \"kV\"\nscale = 0.5\noffset = \"100 V\"\n";
        let map = map(&["float"], unit);
        let mut raw = RawSamples::new(RawForm::Json, 1, &map).unwrap();
        assert!(json(&mut raw, &floats(&[4.0])).ends_with("{\"p0\":2.1}}"));
    }

    #[test]
    fn each_nth_sample_goes_out_with_its_own_number() {
        let mut raw = raw(RawForm::Binary, 3, &["float", "boolean"]);
        let values = vec![Value::Float(1.5), Value::Boolean(true)];
        let sample = Sample { sequence: None, origin: None, values };
        let types = [SignalType::Float, SignalType::Integer];
        let mut numbers = Vec::new();
        for _ in 0..7 {
            let Some(payload) = raw.payload(TAKEN, &sample) else { continue };
            let decoded = binary::decode(&payload.unwrap(), &types);
            let [Ok(read)] = decoded.as_slice() else { panic!("{decoded:?}") };
            assert_eq!(read.origin, Some((1_800_000_000, 250_000_000)));
            assert_eq!(read.values, [Value::Float(1.5), Value::Integer(1)]);
            numbers.push(read.sequence.unwrap());
        }
        assert_eq!(numbers, [0, 3, 6]);
        // A NaN stays one, and what 32 bits do not hold is refused with its reason.
        assert!(raw.payload(TAKEN, &sample).is_none() && raw.payload(TAKEN, &sample).is_none());
        let values = vec![Value::Float(1e300), Value::Boolean(true)];
        let refused = raw.payload(TAKEN, &Sample { values, ..sample }).unwrap().unwrap_err();
        assert_eq!(refused.refusal, lastmeter_rts::Refusal::FloatOverflow);
    }

    #[test]
    fn values_to_write_are_numbers_of_points() {
        let read = set_points(b"{\"tap\":-2,\"closed\":true}").unwrap();
        assert_eq!(read, [("closed".to_owned(), 1.0), ("tap".to_owned(), -2.0)]);
        for (payload, word) in [
            (&b"{\"tap\":\"2\"}"[..], "expected a number"),
            (b"[1]", "no object"),
            (b"{}", "no point"),
            (b"{\"tap\":", "EOF"),
            (vec![b' '; 70_000].as_slice(), "at most"),
        ] {
            let error = set_points(payload).unwrap_err();
            assert!(error.contains(word), "{error}");
        }
    }

    #[test]
    fn complex_points_need_json() {
        let error = RawSamples::new(RawForm::Binary, 1, &map(&["complex"], "")).unwrap_err();
        assert!(error.contains("`p0` is complex"), "{error}");
    }
}
