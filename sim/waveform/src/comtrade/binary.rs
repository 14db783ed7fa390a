//! Reading of binary data: BINARY (16-bit), BINARY32, FLOAT32, all least significant byte first.
//!
//! Missing values are 0x8000 and 0x80000000; in FLOAT32 every value that is not finite. A missing
//! time stamp is 0xFFFFFFFF. Time stamps that start again from 0 are counted on.

use super::assemble::{Data, Scale};
use super::header::Header;
use super::layout::{record_bytes, records, word_at};
use super::numbers::SampleNumbers;
use super::{ComtradeError, DataKind};

/// Records decoded at a time, so that a block stays in the cache while its channels are taken.
const BLOCK: usize = 256;

/// Reads the records.
pub(super) fn read(header: &Header, dat: &[u8]) -> Result<Data, ComtradeError> {
    let mut data = Data::default();
    let records = records(header, dat, &mut data.notes)?;
    let (analogue, digital) = (header.analogue.len(), header.digital.len());
    let size = record_bytes(header.kind, analogue, digital);
    let body = &dat[..records * size];
    heads(header, body, size, &mut data)?;

    let scales: Vec<Scale> = header.analogue.iter().map(Scale::of).collect();
    let width = header.kind.width();
    // The data for every one of these is there: checked above.
    data.analogue = scales.iter().map(|_| Vec::with_capacity(records)).collect();
    data.digital = header.digital.iter().map(|_| Vec::with_capacity(records)).collect();
    for block in body.chunks(size * BLOCK) {
        for (index, (samples, scale)) in data.analogue.iter_mut().zip(&scales).enumerate() {
            column(block, size, 8 + index * width, header.kind, *scale, samples);
        }
        for (index, states) in data.digital.iter_mut().enumerate() {
            let (at, bit) = (8 + width * analogue + index / 16 * 2, index % 16);
            let (byte, bit) = (at + bit / 8, bit % 8);
            let state = |record: &[u8]| record.get(byte).is_some_and(|byte| byte >> bit & 1 == 1);
            states.extend(block.chunks_exact(size).map(state));
        }
    }
    data.records = records;
    Ok(data)
}

/// Sample numbers and time stamps.
fn heads(header: &Header, body: &[u8], size: usize, data: &mut Data) -> Result<(), ComtradeError> {
    let mut numbers = SampleNumbers::default();
    // Stamps are 32 bits: in nanoseconds they start again from 0 every 4.3 s.
    let (mut before, mut turns) = (0_u32, 0_u64);
    for (record, bytes) in (1..).zip(body.chunks_exact(size)) {
        numbers.take(record, u64::from(word_at(bytes, 0)))?;
        let ticks = Some(word_at(bytes, 4)).filter(|&ticks| ticks != u32::MAX);
        if let Some(ticks) = ticks {
            turns += u64::from(before > ticks && before - ticks > u32::MAX / 2);
            before = ticks;
        }
        // Exact up to 2^53 ticks, 104 days of nanoseconds.
        let ticks = ticks.map(|ticks| (turns << 32 | u64::from(ticks)) as f64);
        data.stamp(header, record, ticks)?;
    }
    data.notes.extend(numbers.note());
    Ok(())
}

/// Appends one analogue channel of a block of records.
fn column(
    block: &[u8],
    size: usize,
    at: usize,
    kind: DataKind,
    scale: Scale,
    samples: &mut Vec<f64>,
) {
    let records = block.chunks_exact(size);
    match kind {
        DataKind::Binary => samples.extend(records.map(|record| {
            let raw = record.get(at..).and_then(<[u8]>::first_chunk);
            let raw = raw.map_or(i16::MIN, |raw| i16::from_le_bytes(*raw));
            if raw == i16::MIN { f64::NAN } else { scale.apply(f64::from(raw)) }
        })),
        DataKind::Binary32 => samples.extend(records.map(|record| {
            let raw = word_at(record, at) as i32;
            if raw == i32::MIN { f64::NAN } else { scale.apply(f64::from(raw)) }
        })),
        // Infinities stay what they are here and become gaps like every value that is not finite.
        DataKind::Float32 | DataKind::Ascii => samples.extend(
            records.map(|record| scale.apply(f64::from(f32::from_bits(word_at(record, at))))),
        ),
    }
}
