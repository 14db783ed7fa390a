//! Reading of binary data: BINARY (16-bit), BINARY32, FLOAT32, all least significant byte first.
//!
//! Missing values are 0x8000 and 0x80000000; in FLOAT32 every value that is not finite. A missing
//! time stamp is 0xFFFFFFFF. Time stamps that start again from 0 are counted on.

use std::io::{Read, Seek, SeekFrom};

use super::error::unreadable;
use super::header::Header;
use super::layout::{record_bytes, records, word_at};
use super::scan::{Facts, Scale, Wanted};
use super::{ComtradeError, DataKind};
use crate::columns::{Columns, Sink};
use crate::window::Window;

/// Bytes decoded at a time, so that they stay in the cache while their channels are taken.
const BLOCK_BYTES: usize = 1 << 15;

pub(super) fn read<R: Read + Seek>(
    header: &Header,
    dat: &mut Window<R>,
    wanted: &Wanted,
    sink: &mut dyn Sink,
) -> Result<Facts, ComtradeError> {
    let mut facts = Facts::default();
    let records = records(header, dat, &mut facts.damage)?;
    let size = record_bytes(header.kind, header.analogue.len(), header.digital.len());
    let mut heads = Heads::default();
    // The data for every one of these is there: checked above.
    sink.expect(records);
    let columns = analogue_columns(header, wanted);
    let mut buffer = vec![0; (BLOCK_BYTES / size).max(1) * size];
    dat.seek(SeekFrom::Start(0)).map_err(unreadable)?;
    let mut left = records;
    while left > 0 {
        let most = (buffer.len() / size) as u64;
        let block = &mut buffer[..left.min(most) as usize * size];
        dat.read_exact(block).map_err(unreadable)?;
        if wanted.checked {
            heads.take(header, block, size, &mut facts)?;
        }
        let into = sink.columns();
        let (rows, record) = (into.rows(), records - left);
        for (&(at, scale), samples) in columns.iter().zip(&mut into.analogue) {
            column(block, size, at, header.kind, scale, samples);
        }
        if wanted.checked {
            facts.values(header, into, rows, record);
        }
        if wanted.digital {
            states(header, block, size, into);
        }
        left -= (block.len() / size) as u64;
        if sink.turn().is_break() {
            break;
        }
    }
    facts.end(records)?;
    Ok(facts)
}

/// Where in a record each wanted channel stands.
fn analogue_columns(header: &Header, wanted: &Wanted) -> Vec<(usize, Scale)> {
    let of = |&index: &usize| {
        let channel = header.analogue.get(index)?;
        Some((8 + index * header.kind.width(), Scale::of(channel)))
    };
    wanted.analogue.iter().filter_map(of).collect()
}

/// Sample numbers and time stamps.
#[derive(Default)]
struct Heads {
    record: u64,
    // Stamps are 32 bits: in nanoseconds they start again from 0 every 4.3 s.
    before: u32,
    turns: u64,
}

impl Heads {
    fn take(
        &mut self,
        header: &Header,
        block: &[u8],
        size: usize,
        facts: &mut Facts,
    ) -> Result<(), ComtradeError> {
        for bytes in block.chunks_exact(size) {
            self.record += 1;
            let ticks = Some(word_at(bytes, 4)).filter(|&ticks| ticks != u32::MAX);
            if let Some(ticks) = ticks {
                let turned = self.before > ticks && self.before - ticks > u32::MAX / 2;
                self.turns += u64::from(turned);
                self.before = ticks;
            }
            // Exact up to 2^53 ticks, 104 days of nanoseconds.
            let ticks = ticks.map(|ticks| (self.turns << 32 | u64::from(ticks)) as f64);
            facts.number(self.record, u64::from(word_at(bytes, 0)))?;
            facts.stamp(header, self.record, ticks)?;
        }
        Ok(())
    }
}

/// Appends the digital channels of a block of records.
fn states(header: &Header, block: &[u8], size: usize, into: &mut Columns) {
    let first = 8 + header.kind.width() * header.analogue.len();
    for (index, states) in into.digital.iter_mut().enumerate() {
        let (at, bit) = (first + index / 16 * 2, index % 16);
        let (byte, bit) = (at + bit / 8, bit % 8);
        let state = |record: &[u8]| record.get(byte).is_some_and(|byte| byte >> bit & 1 == 1);
        states.extend(block.chunks_exact(size).map(state));
    }
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
