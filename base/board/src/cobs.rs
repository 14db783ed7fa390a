//! Frames between zeros: consistent overhead byte stuffing (Cheshire and Baker, 1999) with a
//! CRC-16/IBM-3740 behind the content, low byte first.

/// The longest content taken, with its CRC.
const FRAME_MAX: usize = 1024;

/// CRC-16/IBM-3740: polynomial 0x1021, from 0xFFFF on.
pub fn crc16(bytes: &[u8]) -> u16 {
    bytes.iter().fold(0xFFFF, |crc, &byte| {
        (0..8).fold(crc ^ (u16::from(byte) << 8), |crc, _| {
            if crc & 0x8000 == 0 { crc << 1 } else { (crc << 1) ^ 0x1021 }
        })
    })
}

/// Appends a frame, with its CRC and the zero that ends it.
pub fn encode(content: &[u8], out: &mut Vec<u8>) {
    let mut whole = content.to_vec();
    whole.extend(crc16(content).to_le_bytes());
    let mut rest = &whole[..];
    loop {
        let zero = rest.iter().position(|&byte| byte == 0);
        let run = zero.unwrap_or(rest.len()).min(254);
        out.push(u8::try_from(run + 1).unwrap_or(u8::MAX));
        out.extend(&rest[..run]);
        match zero {
            // A whole block of 254 bytes has no zero behind it, so one that follows is the next's.
            Some(at) if at == run && run < 254 => rest = &rest[run + 1..],
            None if run == rest.len() => break,
            _ => rest = &rest[run..],
        }
    }
    out.push(0);
}

/// Why a frame was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CobsError {
    /// A block reaches beyond the frame's end.
    #[error("a frame ends within a block")]
    Cut,
    /// Longer than anything that is sent.
    #[error("a frame of more than {FRAME_MAX} bytes")]
    TooLong,
    /// Too short for a CRC.
    #[error("a frame of {0} bytes has no CRC")]
    TooShort(usize),
    /// The CRC is another one.
    #[error("CRC {found:04x} where the content has {expected:04x}")]
    Crc {
        /// In the frame.
        found: u16,
        /// Of its content.
        expected: u16,
    },
}

/// Finds frames in a stream, however it is cut.
#[derive(Clone, Debug, Default)]
pub struct Reader {
    raw: Vec<u8>,
    is_too_long: bool,
}

impl Reader {
    /// Takes bytes; what they complete, in order. Zeros between frames are nothing.
    pub fn take(&mut self, bytes: &[u8]) -> Vec<Result<Vec<u8>, CobsError>> {
        let mut found = Vec::new();
        for &byte in bytes {
            if byte != 0 {
                self.is_too_long |= self.raw.len() > FRAME_MAX + FRAME_MAX / 254;
                if !self.is_too_long {
                    self.raw.push(byte);
                }
                continue;
            }
            let raw = std::mem::take(&mut self.raw);
            if std::mem::take(&mut self.is_too_long) {
                found.push(Err(CobsError::TooLong));
            } else if !raw.is_empty() {
                found.push(decode(&raw));
            }
        }
        found
    }

    /// Forgets the beginning of a frame.
    pub fn clear(&mut self) {
        *self = Self::default();
    }
}

/// The content of a frame without its final zero.
fn decode(raw: &[u8]) -> Result<Vec<u8>, CobsError> {
    let mut content = Vec::with_capacity(raw.len());
    let mut rest = raw;
    while let Some((&code, behind)) = rest.split_first() {
        let run = usize::from(code).saturating_sub(1);
        let block = behind.get(..run).ok_or(CobsError::Cut)?;
        content.extend(block);
        rest = &behind[run..];
        if code != u8::MAX && !rest.is_empty() {
            content.push(0);
        }
    }
    let length = content.len();
    let Some((_, &found)) = content.split_last_chunk::<2>() else {
        return Err(CobsError::TooShort(length));
    };
    content.truncate(length - 2);
    let (found, expected) = (u16::from_le_bytes(found), crc16(&content));
    if found == expected { Ok(content) } else { Err(CobsError::Crc { found, expected }) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_check_value_of_the_catalogue() {
        assert_eq!(crc16(b"123456789"), 0x29B1);
    }

    /// Typed in from the paper's rules; the CRC of nothing is FFFF.
    #[test]
    fn frames_have_no_zero_but_the_last() {
        let mut out = Vec::new();
        encode(&[], &mut out);
        assert_eq!(out, [3, 0xFF, 0xFF, 0]);
        let long = vec![1; 600];
        encode(&long, &mut out);
        assert_eq!(out.split(|&byte| byte == 0).count(), 3);
        assert_eq!(Reader::default().take(&out)[1], Ok(long));
    }

    #[test]
    fn what_is_broken_is_named_and_the_next_frame_is_read() {
        let mut out = vec![9, 1, 2, 0, 2, 7, 0];
        encode(b"abc", &mut out);
        let whole = out.clone();
        out[8] ^= 1;
        out.extend([1; 2000]);
        out.push(0);
        out.extend(&whole[7..]);
        let found = Reader::default().take(&out);
        assert_eq!(found[0], Err(CobsError::Cut));
        assert_eq!(found[1], Err(CobsError::TooShort(1)));
        assert!(matches!(found[2], Err(CobsError::Crc { .. })), "{found:?}");
        assert_eq!(found[3], Err(CobsError::TooLong));
        assert_eq!(found[4], Ok(b"abc".to_vec()));
    }

    proptest! {
        #[test]
        fn any_content_comes_back_however_it_is_cut(
            contents in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..700), 1..4),
            cut in 1_usize..9,
        ) {
            let mut out = Vec::new();
            for content in &contents {
                encode(content, &mut out);
            }
            let mut reader = Reader::default();
            let found: Vec<_> = out.chunks(cut).flat_map(|piece| reader.take(piece)).collect();
            prop_assert_eq!(found, contents.into_iter().map(Ok).collect::<Vec<_>>());
        }

        #[test]
        fn nothing_makes_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..2000)) {
            let mut reader = Reader::default();
            reader.take(&bytes);
            reader.take(&[0]);
            let mut out = Vec::new();
            encode(b"next", &mut out);
            prop_assert_eq!(reader.take(&out), vec![Ok(b"next".to_vec())]);
        }
    }
}
