//! The manufacturer's cluster of a metering plug: blocks of waveforms, and calibration.
//!
//! It is this project's own; nobody else assigns meaning to it. A block has at most 32 samples, so
//! that its frame fits a radio frame without fragments.

use crate::bytes::{DecodeError, EncodeError, Reader, crc16};
use crate::zcl::global::Record;

/// The manufacturer code of these commands, which this project uses on its bench only
/// (unverified: it is not assigned to it).
pub const MANUFACTURER: u16 = 0xFFF0;
/// A block of a waveform, from server to client.
pub const WAVEFORM_BLOCK: u8 = 0x00;
/// New coefficients of a channel, from client to server; answered by a default response.
pub const CALIBRATION_WRITE: u8 = 0x01;
/// Samples of one block, at most.
pub const SAMPLES_MAX: usize = 32;
/// The largest gain, of 24 bits as energy chips have.
pub const GAIN_MAX: u32 = 0xFF_FFFF;

/// Samples of a capture.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WaveformBlock<'a> {
    /// Which capture.
    pub capture: u16,
    /// Samples per second.
    pub sample_rate_hz: u16,
    /// Number of the first sample in the capture.
    pub offset: u16,
    samples: &'a [u8],
}

impl<'a> WaveformBlock<'a> {
    /// The samples, of which a full scale is 32767.
    pub fn samples(&self) -> impl Iterator<Item = i16> + 'a {
        self.samples.chunks_exact(2).map(|two| i16::from_le_bytes([two[0], two[1]]))
    }

    /// Writes the payload of a block.
    pub fn encode(
        (capture, sample_rate_hz, offset): (u16, u16, u16),
        samples: &[i16],
        out: &mut Vec<u8>,
    ) -> Result<(), EncodeError> {
        if samples.len() > SAMPLES_MAX {
            let (found, max) = (samples.len(), SAMPLES_MAX);
            return Err(EncodeError::TooLong { what: "samples of a block", found, max });
        }
        for field in [capture, sample_rate_hz, offset] {
            out.extend(field.to_le_bytes());
        }
        out.push(samples.len() as u8);
        out.extend(samples.iter().flat_map(|sample| sample.to_le_bytes()));
        Ok(())
    }
}

impl<'a> Record<'a> for WaveformBlock<'a> {
    fn take(reader: &mut Reader<'a>) -> Result<Self, DecodeError> {
        let capture = reader.u16("capture identifier")?;
        let sample_rate_hz = reader.u16("sample rate")?;
        let offset = reader.u16("offset of the first sample")?;
        let (what, at) = ("number of samples", reader.at());
        let count = reader.u8(what)?;
        if usize::from(count) > SAMPLES_MAX {
            let (found, expected) = (count.into(), "at most 0x20");
            return Err(DecodeError::Unexpected { what, at, found, expected });
        }
        let samples = reader.take("samples", 2 * usize::from(count))?;
        Ok(Self { capture, sample_rate_hz, offset, samples })
    }

    fn put(&self, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        let samples: Vec<i16> = self.samples().collect();
        Self::encode((self.capture, self.sample_rate_hz, self.offset), &samples, out)
    }
}

/// Coefficients of a channel, with a CRC-16 that goes with them into the chip's memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CalibrationWrite {
    /// Which channel.
    pub channel: u8,
    /// Its gain, at most [`GAIN_MAX`].
    pub gain: u32,
    /// Its offset.
    pub offset: i32,
}

impl CalibrationWrite {
    fn fields(&self) -> [u8; 9] {
        let ([a, b, c, d], [e, f, g, h]) = (self.gain.to_le_bytes(), self.offset.to_le_bytes());
        [self.channel, a, b, c, d, e, f, g, h]
    }
}

impl<'a> Record<'a> for CalibrationWrite {
    fn take(reader: &mut Reader<'a>) -> Result<Self, DecodeError> {
        let channel = reader.u8("channel")?;
        let (what, at) = ("gain", reader.at());
        let gain = reader.u32(what)?;
        if gain > GAIN_MAX {
            let (found, expected) = (gain.into(), "at most 24 bits");
            return Err(DecodeError::Unexpected { what, at, found, expected });
        }
        let read = Self { channel, gain, offset: reader.u32("offset")?.cast_signed() };
        let (what, at) = ("CRC of a calibration", reader.at());
        let found = reader.u16(what)?;
        if found != crc16(&read.fields()) {
            let (found, expected) = (found.into(), "the CRC-16 of the bytes before it");
            return Err(DecodeError::Unexpected { what, at, found, expected });
        }
        Ok(read)
    }

    fn put(&self, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        if self.gain > GAIN_MAX {
            let (what, found, expected) = ("gain", self.gain.into(), "at most 24 bits");
            return Err(EncodeError::OutOfRange { what, found, expected });
        }
        let fields = self.fields();
        out.extend(fields);
        out.extend(crc16(&fields).to_le_bytes());
        Ok(())
    }
}
