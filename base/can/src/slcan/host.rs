//! The host's side: what an adapter wrote, out of bytes in any segments.

use super::answer::Item;
use super::line::{BEL, CR, LINE_BYTES_MAX, LineBuffer, LineFault};

/// What was read so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Frames.
    pub frames: u64,
    /// Answers that are neither frames nor refusals.
    pub answers: u64,
    /// BELs.
    pub refusals: u64,
    /// Lines that are not of the protocol.
    pub garbage: u64,
}

/// Reads what an adapter writes. After a line that is not of the protocol it goes on behind the
/// next CR or BEL.
#[derive(Clone, Debug, Default)]
pub struct Reader {
    line: LineBuffer,
    counts: Counts,
}

impl Reader {
    /// Takes bytes of the adapter; appends what they end.
    ///
    /// A BEL is a refusal wherever it stands; the part of a line before it is garbage.
    pub fn bytes(&mut self, bytes: &[u8], items: &mut Vec<Item>) {
        for &byte in bytes {
            if byte != CR && byte != BEL {
                self.line.push(byte);
                continue;
            }
            let (line, found) = self.line.take();
            let read = if found > LINE_BYTES_MAX {
                Err(LineFault::TooLong { found })
            } else if byte == CR {
                Item::read(&line)
            } else if found == 0 {
                Ok(Item::Refused)
            } else {
                Err(LineFault::CutByBel { found })
            };
            let cut = byte == BEL && read.is_err();
            self.yields(read.unwrap_or_else(|why| Item::Garbage { bytes: line, why }), items);
            if cut {
                self.yields(Item::Refused, items);
            }
        }
    }

    fn yields(&mut self, item: Item, items: &mut Vec<Item>) {
        *match item {
            Item::Frame { .. } => &mut self.counts.frames,
            Item::Refused => &mut self.counts.refusals,
            Item::Garbage { .. } => &mut self.counts.garbage,
            _ => &mut self.counts.answers,
        } += 1;
        items.push(item);
    }

    /// What was read so far.
    #[must_use]
    pub const fn counts(&self) -> Counts {
        self.counts
    }
}
