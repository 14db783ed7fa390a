//! The `AsyncIP` example protocol of OPAL-RT: an 8-byte header and float64 values.
//!
//! Source: OPAL-RT, asynchronous program `AsyncIP` of RT-LAB (2003), a packed C structure; layout
//! unverified against hardware.
//!
//! | bytes | field |
//! |---|---|
//! | 0 to 1 | `dev_id`, int16, little endian |
//! | 2 to 5 | `msg_id`, int32, little endian, not aligned: the sequence, counted modulo 2^32 |
//! | 6 to 7 | `msg_len`, int16, little endian: bytes of the values, 8 n |
//! | 8 + 8 k to 15 + 8 k | value k, float64, little endian, k < n <= 64 |
//!
//! `dev_id` routes: the sender puts in what the receiver waits for. There is no time. All values
//! are float64: integers and booleans are written as such, and read back as floating-point numbers.
//!
//! RT-LAB models also carry other layouts over the same sockets; see
//! [`FrameDescription`](crate::FrameDescription) and [`Gtnet`](crate::Gtnet).

use lastmeter_params::{Field, Kind};

use crate::{FormatKind, Refusal, Rejection, Sample, Value, number};

pub(crate) const ASYNC_IP_HEADER_BYTES: usize = 8;
/// The most values in a frame.
pub const ASYNC_IP_MAX_VALUES: usize = 64;
const VALUE_BYTES: usize = 8;

pub(crate) const OPAL_ASYNC_IP: FormatKind = FormatKind {
    name: "opal-asyncip",
    summary: "float64 values behind the 8-byte header of OPAL-RT's AsyncIP",
    description: "A frame is a header of 8 bytes (device, message number, length of the values; \
        little endian) and up to 64 little-endian float64 values. The device number routes: a \
        frame for another one is rejected. There is no time in a frame.",
    simulator_keys: &[Field::optional(
        "dev_id",
        Kind::Integer { min: i16::MIN as i64, max: i16::MAX as i64 },
        "the number by which AsyncIP routes packets: 0 in those that are sent and any in those \
         received unless given",
    )],
    point_keys: &[],
};

/// The frames between two devices.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AsyncIp {
    /// The device in frames that are sent.
    pub send_id: i16,
    /// The device that received frames must have; `None` for any.
    pub receive_id: Option<i16>,
    values: usize,
}

impl AsyncIp {
    /// Frames with so many values, at most [`ASYNC_IP_MAX_VALUES`], as
    /// [`PointMap::parse`](crate::point_map::PointMap::parse) has checked.
    pub const fn new(values: usize, send_id: i16, receive_id: Option<i16>) -> Self {
        Self { send_id, receive_id, values }
    }

    /// Bytes of a frame.
    pub const fn frame_bytes(&self) -> usize {
        ASYNC_IP_HEADER_BYTES + self.values * VALUE_BYTES
    }

    /// Appends the frame of a sample to `out`, or a part of it before a refusal. The origin is not
    /// carried.
    pub(crate) fn encode(&self, sample: &Sample, out: &mut Vec<u8>) -> Result<(), Rejection> {
        number::count(sample.values.len(), self.values)?;
        let Some(sequence) = sample.sequence else {
            let detail = "found no sequence number, expected one for msg_id; count the frames";
            return Err(Rejection::new(Refusal::MissingSequence, detail.to_owned()));
        };
        out.reserve(self.frame_bytes());
        out.extend_from_slice(&self.send_id.to_le_bytes());
        // The number counts modulo 2^32.
        out.extend_from_slice(&(sequence as u32).to_le_bytes());
        out.extend_from_slice(&((self.values * VALUE_BYTES) as u16).to_le_bytes());
        for (index, value) in sample.values.iter().enumerate() {
            out.extend_from_slice(&number::float64(index, *value)?.to_le_bytes());
        }
        Ok(())
    }

    /// Reads a frame, which a datagram or a [`Reassembly`](crate::Reassembly) gave whole, into
    /// `sample`, which a refusal leaves as it was. Its origin becomes `None`.
    pub fn decode(&self, frame: &[u8], sample: &mut Sample) -> Result<(), Rejection> {
        let Some((header, values)) = frame.split_first_chunk() else {
            let detail = format!(
                "found {} bytes, expected a header of {ASYNC_IP_HEADER_BYTES}",
                frame.len()
            );
            return Err(Rejection::new(Refusal::HeaderCut, detail));
        };
        let announced = announced_bytes(*header)?;
        let (values, remainder) = values.as_chunks::<VALUE_BYTES>();
        if !remainder.is_empty() {
            let detail = format!(
                "found {} bytes, expected {ASYNC_IP_HEADER_BYTES} and 8 for each value",
                frame.len()
            );
            return Err(Rejection::new(Refusal::Remainder, detail));
        }
        number::same(
            frame.len(),
            announced,
            [Refusal::FrameTooShort, Refusal::FrameTooLong],
            || format!("found {} bytes, expected the {announced} of the header", frame.len()),
        )?;
        let [device_low, device_high, sequence @ .., _, _] = *header;
        let device = i16::from_le_bytes([device_low, device_high]);
        if let Some(expected) = self.receive_id.filter(|id| *id != device) {
            let detail = format!(
                "found device {device}, expected {expected}; compare SendID and RecvID at both ends"
            );
            return Err(Rejection::new(Refusal::OtherDevice, detail));
        }
        number::count(values.len(), self.values)?;
        sample.sequence = Some(u32::from_le_bytes(sequence).into());
        sample.origin = None;
        sample.values.clear();
        sample.values.extend(values.iter().map(|value| Value::Float(f64::from_le_bytes(*value))));
        Ok(())
    }
}

/// Bytes of the frame that begins with a header, as it announces them.
pub(crate) fn announced_bytes(header: [u8; ASYNC_IP_HEADER_BYTES]) -> Result<usize, Rejection> {
    let length = i16::from_le_bytes([header[6], header[7]]);
    let refusal = match usize::try_from(length) {
        Err(_) => Refusal::NegativeLength,
        Ok(bytes) if !bytes.is_multiple_of(VALUE_BYTES) => Refusal::UnevenLength,
        Ok(bytes) if bytes > ASYNC_IP_MAX_VALUES * VALUE_BYTES => Refusal::LengthTooLarge,
        Ok(bytes) => return Ok(ASYNC_IP_HEADER_BYTES + bytes),
    };
    let detail = format!(
        "found msg_len {length}, expected a multiple of 8 from 0 to {}",
        ASYNC_IP_MAX_VALUES * VALUE_BYTES
    );
    Err(Rejection::new(refusal, detail))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Device 3, message 4,294,967,294, 1.0 and -0.5.
    const FRAME: [u8; 24] = [
        3, 0, 0xFE, 0xFF, 0xFF, 0xFF, 16, 0, // header
        0, 0, 0, 0, 0, 0, 0xF0, 0x3F, // 1.0
        0, 0, 0, 0, 0, 0, 0xE0, 0xBF, // -0.5
    ];

    fn refused(format: AsyncIp, frame: &[u8]) -> Refusal {
        let mut sample = Sample::default();
        let refusal = format.decode(frame, &mut sample).unwrap_err().refusal;
        assert_eq!(sample, Sample::default());
        refusal
    }

    #[test]
    fn a_frame_is_read_and_written() {
        let format = AsyncIp::new(2, 3, Some(3));
        let mut sample = Sample::default();
        format.decode(&FRAME, &mut sample).unwrap();
        assert_eq!(sample.sequence, Some(4_294_967_294));
        assert_eq!(sample.values, [Value::Float(1.0), Value::Float(-0.5)]);
        let mut out = Vec::new();
        format.encode(&sample, &mut out).unwrap();
        assert_eq!(out, FRAME);
        // An integer is the same float64; a number beyond 32 bits counts on from 0.
        sample.values[0] = Value::Integer(1);
        sample.sequence = Some((7 << 32) + 4_294_967_294);
        out.clear();
        format.encode(&sample, &mut out).unwrap();
        assert_eq!(out, FRAME);
    }

    #[test]
    fn frames_that_contradict_themselves_or_the_configuration_are_refused() {
        let format = AsyncIp::new(2, 3, Some(3));
        let with = |at: usize, byte: u8| {
            let mut frame = FRAME;
            frame[at] = byte;
            refused(format, &frame)
        };
        assert_eq!(with(0, 4), Refusal::OtherDevice);
        assert_eq!(with(7, 0x80), Refusal::NegativeLength);
        assert_eq!(with(6, 15), Refusal::UnevenLength);
        assert_eq!(with(7, 4), Refusal::LengthTooLarge);
        assert_eq!(with(6, 24), Refusal::FrameTooShort);
        assert_eq!(with(6, 8), Refusal::FrameTooLong);
        assert_eq!(refused(format, &FRAME[..7]), Refusal::HeaderCut);
        assert_eq!(refused(format, &FRAME[..23]), Refusal::Remainder);
        let of = |values| AsyncIp::new(values, 0, None);
        assert_eq!(refused(of(1), &FRAME), Refusal::TooManyValues);
        assert_eq!(refused(of(3), &FRAME), Refusal::TooFewValues);
        assert!(of(2).decode(&FRAME, &mut Sample::default()).is_ok());
    }

    #[test]
    fn up_to_64_values_are_carried() {
        let format = AsyncIp::new(64, -1, Some(-1));
        let values = vec![Value::Float(0.1); 64];
        let sample = Sample { sequence: Some(0), origin: None, values };
        let mut out = Vec::new();
        format.encode(&sample, &mut out).unwrap();
        assert_eq!((out.len(), &out[..8]), (520, &[0xFF, 0xFF, 0, 0, 0, 0, 0, 2][..]));
        let mut read = Sample::default();
        format.decode(&out, &mut read).unwrap();
        assert_eq!(read, sample);
    }

    #[test]
    fn what_a_frame_does_not_carry_is_not_sent() {
        let format = crate::Format::OpalAsyncIp(AsyncIp::new(1, 0, None));
        let not_sent = |sequence, values: &[Value]| {
            let sample = Sample { sequence, origin: None, values: values.to_vec() };
            let mut out = vec![7];
            let refusal = format.encode(&sample, &mut out).unwrap_err().refusal;
            assert_eq!(out, [7]);
            refusal
        };
        assert_eq!(not_sent(None, &[Value::Float(1.0)]), Refusal::MissingSequence);
        assert_eq!(not_sent(Some(1), &[]), Refusal::TooFewValues);
        assert_eq!(not_sent(Some(1), &[Value::Complex(0.0, 1.0)]), Refusal::ComplexValue);
        assert_eq!(not_sent(Some(1), &[Value::Integer(i64::MAX)]), Refusal::InexactInteger);
    }
}
