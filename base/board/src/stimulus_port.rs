//! The stimulus port of a board: what stands for its converter and its EEPROM.
//!
//! Frames of [`crate::cobs`]: a kind, a number, data; integers are little endian. The bench sends
//! one frame and waits for its answer. A frame that comes again under the same number is answered
//! and otherwise ignored, so that an answer that was lost costs nothing.

use crate::cobs;

/// Pairs in one frame at most.
pub const PAIRS_MAX: usize = 80;

/// Bytes of an EEPROM's record.
pub const RECORD_BYTES: usize = 64;

/// What the bench sends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ToBoard {
    /// A pair of codes of the converter for each sample: voltage and current, 12 bits each.
    Samples {
        /// Counts frames, modulo 256.
        number: u8,
        /// Codes, at most [`PAIRS_MAX`] pairs.
        pairs: Vec<(u16, u16)>,
    },
    /// Measuring begins again, with so many samples per 1000 seconds.
    Begin {
        /// Samples per second, in thousandths.
        rate_mhz: u32,
    },
    /// What the EEPROM holds: a record, or, if it is blank, the address switches in one byte.
    Record(Vec<u8>),
}

impl ToBoard {
    /// Appends the frame.
    pub fn encode(&self, out: &mut Vec<u8>) {
        let mut content = Vec::with_capacity(2 + 3 * PAIRS_MAX);
        match self {
            Self::Samples { number, pairs } => {
                content.extend([1, *number]);
                for &(u, i) in pairs.iter().take(PAIRS_MAX) {
                    let both = u32::from(u & 0xFFF) | u32::from(i & 0xFFF) << 12;
                    content.extend(&both.to_le_bytes()[..3]);
                }
            }
            Self::Begin { rate_mhz } => {
                content.extend([2, 0]);
                content.extend(rate_mhz.to_le_bytes());
            }
            Self::Record(record) => {
                content.extend([3, 0]);
                content.extend(record);
            }
        }
        cobs::encode(&content, out);
    }
}

/// What a board sends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FromBoard {
    /// A frame was taken.
    Taken {
        /// Number of the frame that was taken.
        number: u8,
        /// Samples since [`ToBoard::Begin`].
        samples: u32,
        /// Measurement windows since then.
        windows: u32,
        /// Bytes that found no room since the board's start.
        lost: u32,
    },
    /// It has started and wants its EEPROM's record.
    WantsRecord,
    /// A record to be kept.
    Keep(Vec<u8>),
    /// It refused a frame: 1 not a frame, 2 a wrong CRC, 3 not understood.
    Refused(u8),
}

/// Why what a board sent is nothing that it may send.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    /// Not a COBS frame.
    #[error("{0}")]
    Cobs(#[from] cobs::CobsError),
    /// A frame of another kind or length.
    #[error("a frame of kind {kind:02x} with {length} bytes; expected an answer of a meter board")]
    Unknown {
        /// Its first byte, 0 if it has none.
        kind: u8,
        /// Bytes of data.
        length: usize,
    },
}

/// Reads what a board sends, however it is cut.
#[derive(Clone, Debug, Default)]
pub struct Reader(cobs::Reader);

impl Reader {
    /// Takes bytes; what they complete.
    pub fn take(&mut self, bytes: &[u8]) -> Vec<Result<FromBoard, FrameError>> {
        let frames = self.0.take(bytes).into_iter();
        frames.map(|frame| frame.map_err(FrameError::from).and_then(|it| decode(&it))).collect()
    }

    /// Forgets the beginning of a frame.
    pub fn clear(&mut self) {
        self.0.clear();
    }
}

fn decode(content: &[u8]) -> Result<FromBoard, FrameError> {
    let word = |data: &[u8], at: usize| {
        let bytes = data.get(at..).and_then(<[u8]>::first_chunk::<4>);
        bytes.map_or(0, |bytes| u32::from_le_bytes(*bytes))
    };
    match content {
        [0x81, number, data @ ..] if data.len() == 12 => Ok(FromBoard::Taken {
            number: *number,
            samples: word(data, 0),
            windows: word(data, 4),
            lost: word(data, 8),
        }),
        [0x83, _, data @ ..] if data.len() == RECORD_BYTES => Ok(FromBoard::Keep(data.to_vec())),
        [0x84, _] => Ok(FromBoard::WantsRecord),
        [0x8E, why] => Ok(FromBoard::Refused(*why)),
        _ => Err(FrameError::Unknown {
            kind: content.first().copied().unwrap_or(0),
            length: content.len().saturating_sub(2),
        }),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn pairs_are_packed_in_three_bytes() {
        let mut out = Vec::new();
        ToBoard::Samples { number: 7, pairs: vec![(0x123, 0xABC)] }.encode(&mut out);
        assert_eq!(cobs::Reader::default().take(&out), [Ok(vec![1, 7, 0x23, 0xC1, 0xAB])]);
    }

    #[test]
    fn answers_are_read_and_others_are_refused_by_name() {
        let mut out = Vec::new();
        cobs::encode(&[0x81, 9, 1, 1, 0, 0, 2, 0, 0, 0, 3, 0, 0, 0], &mut out);
        cobs::encode(&[0x84, 0], &mut out);
        cobs::encode(&[0x8E, 2], &mut out);
        cobs::encode(&[0x83, 0, 1], &mut out);
        cobs::encode(&[], &mut out);
        let found = Reader::default().take(&out);
        let taken = FromBoard::Taken { number: 9, samples: 257, windows: 2, lost: 3 };
        assert_eq!(found[..3], [Ok(taken), Ok(FromBoard::WantsRecord), Ok(FromBoard::Refused(2))]);
        assert_eq!(found[3], Err(FrameError::Unknown { kind: 0x83, length: 1 }));
        assert_eq!(found[4], Err(FrameError::Unknown { kind: 0, length: 0 }));
    }

    proptest! {
        #[test]
        fn nothing_makes_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            let mut out = Vec::new();
            cobs::encode(&bytes, &mut out);
            Reader::default().take(&out);
            Reader::default().take(&bytes);
        }
    }
}
