//! How binary data is cut into records, proved by the sample numbers that stand at their heads.
//!
//! Terms: a *stride* is a distance in bytes; sample numbers *line up* at a stride if they count up
//! by one there. A wrong channel count or data kind shows as lining up at another stride than the
//! header's; swapped bytes show as lining up only when read most significant byte first.

use std::io::{Read, Seek};

use super::error::unreadable;
use super::{ComtradeError, DataKind, header::Header};
use crate::window::Window;

/// How many sample numbers are looked at for a proof.
const NUMBERS_EXAMINED: usize = 64;
/// The longest record that is searched for: 999 analogue channels of 32 bits and many digital ones.
const RECORD_BYTES_MAX: usize = 1 << 16;

/// Bytes of a record: sample number, time stamp, analogue values, digital channels in words of 16.
pub(super) fn record_bytes(kind: DataKind, analogue: usize, digital: usize) -> usize {
    8 + kind.width() * analogue + 2 * digital.div_ceil(16)
}

/// The four bytes at an offset, least significant first; 0 beyond the end.
pub(super) fn word_at(bytes: &[u8], at: usize) -> u32 {
    let word = bytes.get(at..).and_then(<[u8]>::first_chunk);
    word.map_or(0, |word| u32::from_le_bytes(*word))
}

/// The data as far as it is looked at for a proof, and how long it is in all.
struct Proof {
    bytes: Vec<u8>,
    length: u64,
}

impl Proof {
    fn read<R: Read + Seek>(dat: &mut Window<R>, size: usize) -> Result<Self, ComtradeError> {
        // Every stride that is searched for, and three records as the header has them.
        let most = (NUMBERS_EXAMINED * RECORD_BYTES_MAX).max(3 * size) as u64 + 4;
        dat.rewind().map_err(unreadable)?;
        let mut bytes = Vec::new();
        dat.by_ref().take(most).read_to_end(&mut bytes).map_err(unreadable)?;
        Ok(Self { bytes, length: dat.length })
    }

    /// How many whole records of so many bytes there are.
    fn records(&self, stride: usize) -> u64 {
        self.length / stride as u64
    }

    fn word_at(&self, at: usize) -> u32 {
        word_at(&self.bytes, at)
    }
}

/// The number of whole records to read, after all cross-checks; surplus bytes become a note.
pub(super) fn records<R: Read + Seek>(
    header: &Header,
    dat: &mut Window<R>,
    notes: &mut Vec<String>,
) -> Result<u64, ComtradeError> {
    let size = record_bytes(header.kind, header.analogue.len(), header.digital.len());
    let proof = Proof::read(dat, size)?;
    if looks_like_text(&proof.bytes) {
        let stated = header.kind.to_string();
        return Err(ComtradeError::DataKind { stated, looks: "holds lines of text (ASCII data)" });
    }
    check_numbers(header, &proof, size)?;
    let (whole, rest) = (proof.records(size), proof.length % size as u64);
    let announced = header.announced().unwrap_or(whole);
    if whole < announced {
        let partial =
            if rest > 0 { format!(" and {rest} bytes of another") } else { String::new() };
        return Err(ComtradeError::Truncated { whole, announced, partial });
    }
    let surplus = proof.length - announced * size as u64;
    if surplus > 0 {
        notes.push(format!(
            "{surplus} bytes follow the {announced} records of the .dat and were left out"
        ));
    }
    Ok(announced)
}

/// Whether data that should be binary is text.
fn looks_like_text(dat: &[u8]) -> bool {
    let head = &dat[..dat.len().min(256)];
    let text = |&byte: &u8| byte.is_ascii_digit() || b",.+-eE \t\r\n".contains(&byte);
    head.len() >= 8 && head.iter().all(text) && head.contains(&b',')
}

/// How many sample numbers from the start line up at a stride, at most [`NUMBERS_EXAMINED`].
fn lined_up(proof: &Proof, stride: usize, swapped: bool) -> usize {
    let there = proof.records(stride).min(NUMBERS_EXAMINED as u64) as usize;
    let number = |record: usize| {
        let word = proof.word_at(record * stride);
        if swapped { word.swap_bytes() } else { word }
    };
    let first = number(0);
    (0..there).take_while(|&k| Some(number(k)) == first.checked_add(k as u32)).count()
}

fn check_numbers(header: &Header, proof: &Proof, size: usize) -> Result<(), ComtradeError> {
    let there = proof.records(size);
    if lined_up(proof, size, false) >= 2 {
        return Ok(());
    }
    let swapped = || {
        let shown = |swap: bool| {
            let numbers = (0..there.min(3) as usize).map(|k| proof.word_at(k * size));
            let numbers = numbers.map(|n| if swap { n.swap_bytes() } else { n }.to_string());
            numbers.collect::<Vec<_>>().join(", ")
        };
        ComtradeError::ByteOrder { found: shown(false), swapped: shown(true) }
    };
    if lined_up(proof, size, true) >= 2 {
        return Err(swapped());
    }
    // A single record has no neighbour to count on; the first sample's number is 1 (or 0).
    if there == 1 && proof.word_at(0) == 1_u32.swap_bytes() {
        return Err(swapped());
    }
    let alone = proof.length == size as u64 && header.announced() == Some(1);
    if there == 1 && proof.word_at(0) <= 1 && alone {
        return Ok(());
    }
    if let Some(stride) = other_stride(proof, false) {
        let (analogue, digital) = (header.analogue.len(), header.digital.len());
        return Err(ComtradeError::RecordSize {
            analogue,
            digital,
            expected_bytes: size,
            found_bytes: stride,
            fits: fits(stride, header.kind, analogue, digital),
        });
    }
    if let Some(stride) = other_stride(proof, true) {
        let number = |k: usize| proof.word_at(k * stride);
        let list = |swap: bool| {
            let numbers = (0..2).map(|k| if swap { number(k).swap_bytes() } else { number(k) });
            numbers.map(|n| n.to_string()).collect::<Vec<_>>().join(", ")
        };
        return Err(ComtradeError::ByteOrder { found: list(false), swapped: list(true) });
    }
    Ok(())
}

/// The smallest stride at which all sample numbers line up: three of them, or two that fill the
/// data exactly.
fn other_stride(proof: &Proof, swapped: bool) -> Option<usize> {
    let longest = usize::try_from(proof.length / 2).unwrap_or(usize::MAX).min(RECORD_BYTES_MAX);
    (10..=longest).step_by(2).find(|&stride| {
        let run = lined_up(proof, stride, swapped);
        let all = proof.records(stride).min(NUMBERS_EXAMINED as u64) as usize;
        run == all && (run >= 3 || proof.length == 2 * stride as u64)
    })
}

/// Which channel counts and kinds make records of this size, in words.
fn fits(found: usize, kind: DataKind, analogue: usize, digital: usize) -> String {
    let words = 2 * digital.div_ceil(16);
    let mut options = Vec::new();
    for (width, name) in [(2, "BINARY"), (4, "BINARY32 or FLOAT32")] {
        if let Some(rest) = found.checked_sub(8 + words).filter(|rest| rest % width == 0) {
            options.push((
                width != kind.width(),
                format!("{} analogue and {digital} digital as {name}", rest / width),
            ));
        }
    }
    let rest = found.checked_sub(8 + kind.width() * analogue);
    if let Some(rest) = rest.filter(|rest| rest % 2 == 0) {
        let most = rest * 8;
        let least = most.saturating_sub(16) + usize::from(most > 0);
        options
            .push((false, format!("{analogue} analogue and {least} to {most} digital as {kind}")));
    }
    // The stated kind first.
    options.sort_by_key(|(other, _)| *other);
    let texts: Vec<String> = options.into_iter().map(|(_, text)| text).collect();
    if texts.is_empty() { "no usual count".to_owned() } else { texts.join(", or ") }
}
