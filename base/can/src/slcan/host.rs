//! What an adapter wrote, out of bytes in any segments.

use super::answer::Item;
use super::line::{BEL, CR, LINE_BYTES_MAX, LineFault};

/// Reads what an adapter writes. After a line that is not of the protocol it goes on behind the
/// next CR or BEL.
#[derive(Clone, Debug, Default)]
pub struct Reader {
    /// A line that has not ended; what is beyond the limit is counted only.
    line: Vec<u8>,
    length: usize,
}

impl Reader {
    /// Takes bytes of the adapter; appends what they end.
    ///
    /// A BEL is a refusal wherever it stands; the part of a line before it is garbage.
    pub fn bytes(&mut self, bytes: &[u8], items: &mut Vec<Item>) {
        for &byte in bytes {
            if byte != CR && byte != BEL {
                if self.line.len() < LINE_BYTES_MAX {
                    self.line.push(byte);
                }
                self.length = self.length.saturating_add(1);
                continue;
            }
            let (line, found) = (std::mem::take(&mut self.line), std::mem::take(&mut self.length));
            let read = if found > LINE_BYTES_MAX {
                Err(LineFault::TooLong { found })
            } else if byte == CR {
                Item::read(&line)
            } else if found == 0 {
                Ok(Item::Refused)
            } else {
                Err(LineFault::CutByBel { found })
            };
            let is_cut = byte == BEL && read.is_err();
            items.push(read.unwrap_or_else(|why| Item::Garbage { bytes: line, why }));
            if is_cut {
                items.push(Item::Refused);
            }
        }
    }
}
