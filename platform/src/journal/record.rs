//! How a record and the head of a segment stand in a file. Pure: bytes in, bytes out.
//!
//! Record, little endian: payload length u32, CRC-32C u32 (over all that follows the CRC, and the
//! length), sequence u64, synced u64, kind u8, payload. *Synced* is the last sequence known to be
//! durable when the record was written: it distinguishes a group that never became durable (a torn
//! tail) from damage to something that had been acknowledged.
//!
//! Segment head: the magic, synced u64, CRC-32C u32 of both.

/// First bytes of every segment; the digit is the format's version.
pub(crate) const MAGIC: [u8; 8] = *b"LMJRNL1\n";
/// Length of a segment's head.
pub(crate) const SEGMENT_HEAD_BYTES: usize = 20;
/// Length of a record without its payload.
pub(crate) const RECORD_HEAD_BYTES: usize = 25;
/// No record has a longer payload; a length beyond it is damage, not a reason to allocate.
pub(crate) const PAYLOAD_BYTES_MAX: usize = 16 * 1024 * 1024;

/// What a record holds, by its code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A message that was accepted, of the first format: entries of versions that had no other.
    Unnamed = 1,
    /// A refusal with its reason.
    Refusal = 2,
    /// A message that was accepted, with its format.
    Message = 3,
}

impl Kind {
    fn from_code(code: u8) -> Option<Self> {
        [Self::Unnamed, Self::Refusal, Self::Message].into_iter().find(|kind| *kind as u8 == code)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Record<'a> {
    /// Grows by one per record within a segment.
    pub(crate) sequence: u64,
    /// The last sequence that was durable when this was written.
    pub(crate) synced: u64,
    pub(crate) kind: Kind,
    pub(crate) payload: &'a [u8],
}

pub(crate) fn encode(out: &mut Vec<u8>, record: &Record<'_>) {
    let length = (record.payload.len() as u32).to_le_bytes();
    let start = out.len();
    out.extend_from_slice(&length);
    out.extend_from_slice(&[0; 4]);
    out.extend_from_slice(&record.sequence.to_le_bytes());
    out.extend_from_slice(&record.synced.to_le_bytes());
    out.push(record.kind as u8);
    out.extend_from_slice(record.payload);
    let sum = crc32c::crc32c_append(crc32c::crc32c(&length), &out[start + 8..]);
    out[start + 4..start + 8].copy_from_slice(&sum.to_le_bytes());
}

/// Reads the record at the start of `bytes`; `None` if there is no whole, undamaged one.
/// Also returns how many bytes it takes.
pub(crate) fn decode(bytes: &[u8]) -> Option<(Record<'_>, usize)> {
    let head = bytes.get(..RECORD_HEAD_BYTES)?;
    let length = read_u32(head, 0) as usize;
    let kind = Kind::from_code(head[24])?;
    let sequence = read_u64(head, 8);
    let synced = read_u64(head, 16);
    if length > PAYLOAD_BYTES_MAX || synced >= sequence {
        return None;
    }
    let end = RECORD_HEAD_BYTES + length;
    let whole = bytes.get(..end)?;
    let sum = crc32c::crc32c_append(crc32c::crc32c(&whole[..4]), &whole[8..]);
    if sum != read_u32(head, 4) {
        return None;
    }
    Some((Record { sequence, synced, kind, payload: &whole[RECORD_HEAD_BYTES..] }, end))
}

/// The head of a segment begun when `synced` was the last durable sequence.
pub(crate) fn segment_head(synced: u64) -> [u8; SEGMENT_HEAD_BYTES] {
    let mut head = [0; SEGMENT_HEAD_BYTES];
    head[..8].copy_from_slice(&MAGIC);
    head[8..16].copy_from_slice(&synced.to_le_bytes());
    let sum = crc32c::crc32c(&head[..16]);
    head[16..].copy_from_slice(&sum.to_le_bytes());
    head
}

/// Reads a segment's head: the last durable sequence when it was begun, or `None` if damaged.
pub(crate) fn read_segment_head(bytes: &[u8]) -> Option<u64> {
    let head = bytes.get(..SEGMENT_HEAD_BYTES)?;
    let whole = head[..8] == MAGIC && crc32c::crc32c(&head[..16]) == read_u32(head, 16);
    whole.then(|| read_u64(head, 8))
}

fn read_u32(bytes: &[u8], at: usize) -> u32 {
    let mut word = [0; 4];
    word.copy_from_slice(&bytes[at..at + 4]);
    u32::from_le_bytes(word)
}

fn read_u64(bytes: &[u8], at: usize) -> u64 {
    let mut word = [0; 8];
    word.copy_from_slice(&bytes[at..at + 8]);
    u64::from_le_bytes(word)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_has_the_documented_bytes() {
        let mut out = Vec::new();
        let record = Record { sequence: 2, synced: 1, kind: Kind::Refusal, payload: b"ab" };
        encode(&mut out, &record);
        assert_eq!(out[..4], [2, 0, 0, 0]);
        assert_eq!(out[8..], [2, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 2, b'a', b'b']);
        assert_eq!(decode(&out), Some((record, 27)));
    }

    /// Longer ones are damage: a length that is one would want memory that there is not.
    #[test]
    fn a_payload_has_at_most_16_mebibytes() {
        let payload = vec![7; 16_777_217];
        for (length, is_read) in [(16_777_216, true), (16_777_217, false)] {
            let mut out = Vec::new();
            let payload = &payload[..length];
            encode(&mut out, &Record { sequence: 1, synced: 0, kind: Kind::Message, payload });
            assert_eq!(decode(&out).is_some(), is_read, "{length}");
        }
    }

    #[test]
    fn nothing_was_durable_before_it_was_written() {
        for (synced, is_read) in [(4, true), (5, false), (6, false)] {
            let mut out = Vec::new();
            encode(&mut out, &Record { sequence: 5, synced, kind: Kind::Message, payload: b"" });
            assert_eq!(decode(&out).is_some(), is_read, "{synced}");
        }
    }

    #[test]
    fn crc_is_the_castagnoli_one() {
        // RFC 3720 appendix B.4: 32 bytes of zeroes.
        assert_eq!(crc32c::crc32c(&[0; 32]), 0x8a91_36aa);
    }

    #[test]
    fn every_single_flipped_bit_is_noticed() {
        let mut out = Vec::new();
        encode(&mut out, &Record { sequence: 9, synced: 8, kind: Kind::Message, payload: b"xyz" });
        for bit in 0..out.len() * 8 {
            let mut flipped = out.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(decode(&flipped), None, "bit {bit}");
        }
        let head = segment_head(77);
        assert_eq!(read_segment_head(&head), Some(77));
        for bit in 0..head.len() * 8 {
            let mut flipped = head;
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(read_segment_head(&flipped), None, "bit {bit}");
        }
    }
}
