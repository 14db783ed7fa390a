//! GTNET-SKT: a vector of 32-bit big-endian words.
//!
//! Source: RTDS Technologies, GTNET-SKT component of RSCAD, and its public descriptions; layout
//! unverified against hardware.
//!
//! A frame has no header. Its order, count and types are those of the component in the draft, so
//! both ends need the same list of points:
//!
//! | bytes | word |
//! |---|---|
//! | 4 k to 4 k + 3 | point k: int32 or IEEE 754 float32, big endian |
//!
//! Many drafts export a counter and the second and nanosecond of GTSYNC as the first three points.
//! With [`GtnetHeader::SequenceAndTime`] these become the sample's sequence and origin:
//!
//! | bytes | word |
//! |---|---|
//! | 0 to 3 | sequence, 32 bits, counted modulo 2^32 |
//! | 4 to 7 | seconds of Unix time, int32 |
//! | 8 to 11 | nanoseconds, int32, 0 to 999,999,999 |
//! | 12 + 4 k to 15 + 4 k | point k |
//!
//! Peers read the seconds as a signed number. So do we: negative seconds are refused on reading, as
//! an origin is not before 1970, and seconds above 2,147,483,647 (from 2038-01-19T03:14:08Z) are
//! refused on writing, as a peer would read an instant in 1901.
//!
//! A point of type int32 is read as a signed integer; there is no boolean, true is written as 1. A
//! frame always carries all points.

use crate::{FormatKind, Refusal, Rejection, Sample, Value, number};

pub(crate) const GTNET_WORD_BYTES: usize = 4;
/// The most words in a frame, each way, of a single device (1,200 bytes).
pub(crate) const GTNET_MAX_WORDS: usize = 300;
/// Words before the points with [`GtnetHeader::SequenceAndTime`].
const HEADER_WORDS: usize = 3;

const NANOSECONDS_PER_SECOND: u32 = 1_000_000_000;

/// The row of the format without a header.
pub(crate) const GTNET_SKT: FormatKind = FormatKind {
    name: "gtnet-skt",
    summary: "32-bit big-endian words of an RTDS GTNET-SKT component",
    description: "A frame is the points of the GTNET-SKT component in the RSCAD draft, in its \
        order: a 32-bit big-endian word each, int32 or float32, without a header. Both ends need \
        the same list of points, and every frame carries all of them, at most 300 words.",
    simulator_keys: &[],
    point_keys: &[],
};

/// The row of the format with [`GtnetHeader::SequenceAndTime`].
pub(crate) const GTNET_SKT_HEADER: FormatKind = FormatKind {
    name: "gtnet-skt-header",
    summary: "words of a GTNET-SKT component behind sequence, seconds and nanoseconds",
    description: "As `gtnet-skt`, for drafts whose first three points are a counter and the \
        second and nanosecond of GTSYNC. They are a header here and no points: frames then have \
        a sequence and a time. At most 300 words with the header.",
    simulator_keys: &[],
    point_keys: &[],
};

lastmeter_units::words! {
    /// How a point is carried.
    pub enum GtnetPoint {
        /// A signed 32-bit integer.
        Int32 = "int32",
        /// An IEEE 754 number of 32 bits.
        Float32 = "float32",
    }
}

lastmeter_units::words! {
    /// What precedes the points.
    pub enum GtnetHeader {
        /// No header, values only.
        None = "none",
        /// Sequence, seconds and nanoseconds, a word each.
        SequenceAndTime = "sequence-and-time",
    }
}

/// More words than a device carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "found {0} words in a frame, expected at most {GTNET_MAX_WORDS}; divide the points between two \
     GTNET-SKT components"
)]
pub struct GtnetError(pub usize);

/// The frames of one GTNET-SKT component, in one direction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gtnet {
    header: GtnetHeader,
    points: Vec<GtnetPoint>,
}

impl Gtnet {
    /// The frames with these points.
    pub fn new(header: GtnetHeader, points: Vec<GtnetPoint>) -> Result<Self, GtnetError> {
        let gtnet = Self { header, points };
        let words = gtnet.words();
        if words > GTNET_MAX_WORDS { Err(GtnetError(words)) } else { Ok(gtnet) }
    }

    /// What precedes the points.
    pub const fn header(&self) -> GtnetHeader {
        self.header
    }

    /// Words of a frame.
    pub const fn words(&self) -> usize {
        let header = match self.header {
            GtnetHeader::None => 0,
            GtnetHeader::SequenceAndTime => HEADER_WORDS,
        };
        header + self.points.len()
    }

    /// Bytes of a frame.
    pub const fn frame_bytes(&self) -> usize {
        self.words() * GTNET_WORD_BYTES
    }

    /// Appends the frame of a sample to `out`, or a part of it before a refusal.
    pub(crate) fn encode(&self, sample: &Sample, out: &mut Vec<u8>) -> Result<(), Rejection> {
        number::count(sample.values.len(), self.points.len())?;
        out.reserve(self.frame_bytes());
        if self.header == GtnetHeader::SequenceAndTime {
            for word in header_words(sample)? {
                out.extend_from_slice(&word.to_be_bytes());
            }
        }
        for (index, (value, point)) in sample.values.iter().zip(&self.points).enumerate() {
            out.extend_from_slice(&word(index, *value, *point)?);
        }
        Ok(())
    }

    /// Reads a frame, which a datagram or a [`Reassembly`](crate::Reassembly) gave whole, into
    /// `sample`, which a refusal leaves as it was. A sequence and an origin that the frame does not
    /// carry become `None`.
    pub fn decode(&self, frame: &[u8], sample: &mut Sample) -> Result<(), Rejection> {
        let (words, remainder) = frame.as_chunks::<GTNET_WORD_BYTES>();
        if !remainder.is_empty() {
            let detail = format!(
                "found {} bytes, expected {}; a frame is a whole number of words of 4 bytes",
                frame.len(),
                self.frame_bytes()
            );
            return Err(Rejection::new(Refusal::Remainder, detail));
        }
        let (stamp, words) = match (self.header, words) {
            (GtnetHeader::None, _) => (None, words),
            (GtnetHeader::SequenceAndTime, [sequence, seconds, nanoseconds, words @ ..]) => {
                (Some([sequence, seconds, nanoseconds]), words)
            }
            (GtnetHeader::SequenceAndTime, _) => {
                let found = words.len();
                let detail =
                    format!("found {found} words, expected {HEADER_WORDS} before the points");
                return Err(Rejection::new(Refusal::HeaderCut, detail));
            }
        };
        number::count(words.len(), self.points.len())?;
        (sample.sequence, sample.origin) = match stamp {
            None => (None, None),
            Some([sequence, seconds, nanoseconds]) => {
                let origin =
                    origin(i32::from_be_bytes(*seconds), i32::from_be_bytes(*nanoseconds))?;
                (Some(u64::from(u32::from_be_bytes(*sequence))), Some(origin))
            }
        };
        sample.values.clear();
        sample.values.extend(words.iter().zip(&self.points).map(|(word, point)| match point {
            GtnetPoint::Int32 => Value::Integer(i64::from(i32::from_be_bytes(*word))),
            GtnetPoint::Float32 => Value::Float(number::widen(f32::from_be_bytes(*word))),
        }));
        Ok(())
    }
}

pub(crate) fn word(index: usize, value: Value, point: GtnetPoint) -> Result<[u8; 4], Rejection> {
    match point {
        GtnetPoint::Int32 => {
            let integer = number::integer(index, value, i32::MIN.into(), i32::MAX.into())?;
            Ok((integer as i32).to_be_bytes())
        }
        GtnetPoint::Float32 => Ok(number::float32(index, value)?.to_be_bytes()),
    }
}

fn header_words(sample: &Sample) -> Result<[u32; HEADER_WORDS], Rejection> {
    let Some(sequence) = sample.sequence else {
        let detail = "found no sequence number, expected one for the first word; count the frames";
        return Err(Rejection::new(Refusal::MissingSequence, detail.to_owned()));
    };
    let Some((seconds, nanoseconds)) = sample.origin else {
        let detail = "found no time, expected one for the second and third word; state the origin";
        return Err(Rejection::new(Refusal::MissingTime, detail.to_owned()));
    };
    let Ok(seconds) = i32::try_from(seconds) else {
        let detail = format!("found {seconds} s, expected at most {} s (2038-01-19)", i32::MAX);
        return Err(Rejection::new(Refusal::SecondsOutOfRange, detail));
    };
    if nanoseconds >= NANOSECONDS_PER_SECOND {
        return Err(nanoseconds_out_of_range(nanoseconds.into()));
    }
    // The number counts modulo 2^32.
    Ok([sequence as u32, seconds as u32, nanoseconds])
}

fn origin(seconds: i32, nanoseconds: i32) -> Result<(u64, u32), Rejection> {
    let Ok(seconds) = u64::try_from(seconds) else {
        let detail = format!(
            "found {seconds} s, expected seconds of Unix time as a positive int32; check the order \
             of the first three points"
        );
        return Err(Rejection::new(Refusal::SecondsOutOfRange, detail));
    };
    match u32::try_from(nanoseconds) {
        Ok(nanoseconds) if nanoseconds < NANOSECONDS_PER_SECOND => Ok((seconds, nanoseconds)),
        _ => Err(nanoseconds_out_of_range(nanoseconds.into())),
    }
}

fn nanoseconds_out_of_range(found: i64) -> Rejection {
    let detail = format!(
        "found {found} ns, expected 0 to 999,999,999; check the order of the first three points"
    );
    Rejection::new(Refusal::NanosecondsOutOfRange, detail)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Format;

    const POINTS: [GtnetPoint; 3] = [GtnetPoint::Int32, GtnetPoint::Float32, GtnetPoint::Float32];

    /// -3, 325.27 V and -0.5.
    const FRAME: [u8; 12] =
        [0xFF, 0xFF, 0xFF, 0xFD, 0x43, 0xA2, 0xA2, 0x8F, 0xBF, 0x00, 0x00, 0x00];

    fn gtnet(header: GtnetHeader) -> Gtnet {
        Gtnet::new(header, POINTS.to_vec()).unwrap()
    }

    fn refused(gtnet: &Gtnet, frame: &[u8]) -> Refusal {
        let before = Sample { sequence: Some(9), ..Sample::default() };
        let mut sample = before.clone();
        let refusal = gtnet.decode(frame, &mut sample).unwrap_err().refusal;
        assert_eq!(sample, before);
        refusal
    }

    fn not_sent(gtnet: &Gtnet, sample: &Sample) -> Refusal {
        let mut out = vec![7];
        let format = Format::GtnetSkt(gtnet.clone());
        let refusal = format.encode(sample, &mut out).unwrap_err().refusal;
        assert_eq!(out, [7]);
        refusal
    }

    #[test]
    fn words_are_read_and_written_big_endian() {
        let gtnet = gtnet(GtnetHeader::None);
        let mut sample = Sample::default();
        gtnet.decode(&FRAME, &mut sample).unwrap();
        assert_eq!((sample.sequence, sample.origin), (None, None));
        assert_eq!(sample.values[0], Value::Integer(-3));
        assert_eq!(sample.values[1], Value::Float(f64::from(325.27_f32)));
        assert_eq!(sample.values[2], Value::Float(-0.5));
        let mut out = Vec::new();
        gtnet.encode(&sample, &mut out).unwrap();
        assert_eq!(out, FRAME);
        // What the bench has is a float64, which is rounded.
        sample.values[1] = Value::Float(325.27);
        out.clear();
        gtnet.encode(&sample, &mut out).unwrap();
        assert_eq!(out, FRAME);
    }

    #[test]
    fn the_three_leading_words_are_sequence_and_time() {
        let gtnet = gtnet(GtnetHeader::SequenceAndTime);
        assert_eq!((gtnet.words(), gtnet.frame_bytes()), (6, 24));
        // 4,294,967,295; 2026-08-03T00:00:00Z; 999,999,999 ns.
        let mut frame =
            vec![0xFF, 0xFF, 0xFF, 0xFF, 0x6A, 0x6F, 0xDA, 0x00, 0x3B, 0x9A, 0xC9, 0xFF];
        frame.extend(FRAME);
        let mut sample = Sample::default();
        gtnet.decode(&frame, &mut sample).unwrap();
        assert_eq!(sample.sequence, Some(4_294_967_295));
        assert_eq!(sample.origin, Some((1_785_715_200, 999_999_999)));
        assert_eq!(sample.values.len(), 3);
        let mut out = Vec::new();
        gtnet.encode(&sample, &mut out).unwrap();
        assert_eq!(out, frame);

        frame[4] = 0x80;
        assert_eq!(refused(&gtnet, &frame), Refusal::SecondsOutOfRange);
        frame[4] = 0x6A;
        frame[11] = 0x00;
        frame[10] = 0xCA;
        assert_eq!(refused(&gtnet, &frame), Refusal::NanosecondsOutOfRange);
        assert_eq!(refused(&gtnet, &frame[..8]), Refusal::HeaderCut);
        assert_eq!(refused(&gtnet, &frame[..12]), Refusal::TooFewValues);

        sample.origin = Some((2_147_483_648, 0));
        assert_eq!(not_sent(&gtnet, &sample), Refusal::SecondsOutOfRange);
        sample.origin = Some((0, 1_000_000_000));
        assert_eq!(not_sent(&gtnet, &sample), Refusal::NanosecondsOutOfRange);
        sample.origin = None;
        assert_eq!(not_sent(&gtnet, &sample), Refusal::MissingTime);
        sample.sequence = None;
        assert_eq!(not_sent(&gtnet, &sample), Refusal::MissingSequence);
    }

    #[test]
    fn frames_of_another_size_are_refused() {
        let gtnet = gtnet(GtnetHeader::None);
        assert_eq!(refused(&gtnet, &FRAME[..11]), Refusal::Remainder);
        assert_eq!(refused(&gtnet, &FRAME[..8]), Refusal::TooFewValues);
        assert_eq!(refused(&gtnet, &[]), Refusal::TooFewValues);
        // One value more than configured aborts another implementation.
        assert_eq!(refused(&gtnet, &[0; 16]), Refusal::TooManyValues);
        assert_eq!(refused(&gtnet, &[0; 13]), Refusal::Remainder);
    }

    #[test]
    fn values_that_the_words_do_not_carry_are_not_sent() {
        let gtnet = gtnet(GtnetHeader::None);
        let sample = |values: &[Value]| Sample { values: values.to_vec(), ..Sample::default() };
        let [one, half] = [Value::Integer(1), Value::Float(0.5)];
        assert_eq!(not_sent(&gtnet, &sample(&[one])), Refusal::TooFewValues);
        assert_eq!(not_sent(&gtnet, &sample(&[one; 4])), Refusal::TooManyValues);
        assert_eq!(not_sent(&gtnet, &sample(&[half; 3])), Refusal::NotAnInteger);
        let large = Value::Integer(16_777_217);
        assert_eq!(not_sent(&gtnet, &sample(&[large, one, large])), Refusal::InexactInteger);
        let huge = Value::Float(1e39);
        assert_eq!(not_sent(&gtnet, &sample(&[one, half, huge])), Refusal::FloatOverflow);
        let beyond = Value::Integer(2_147_483_648);
        assert_eq!(not_sent(&gtnet, &sample(&[beyond, half, half])), Refusal::IntegerOutOfRange);
    }

    #[test]
    fn a_device_has_up_to_three_hundred_words() {
        let points = |count| vec![GtnetPoint::Float32; count];
        assert!(Gtnet::new(GtnetHeader::None, points(300)).is_ok());
        let with_header = Gtnet::new(GtnetHeader::SequenceAndTime, points(298));
        assert_eq!(with_header, Err(GtnetError(301)));
    }
}
