//! From bytes in any segmentation to lines.

use std::fmt::Write as _;

/// The longest line in bytes, without its end. What is longer is rejected up to its end.
pub const LINE_BYTES_MAX: usize = 4096;

/// What a line turned out to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Line {
    /// A line without its end.
    Whole(Vec<u8>),
    /// One of more than [`LINE_BYTES_MAX`] bytes, which are not kept.
    TooLong,
}

/// Collects bytes until a line is whole.
#[derive(Clone, Debug)]
pub struct LineReader {
    line_end: Vec<u8>,
    /// The line so far; of one that is too long the last bytes, as they may be part of its end.
    buffer: Vec<u8>,
    is_too_long: bool,
}

impl LineReader {
    /// A reader of lines that end in these bytes; without any, every byte is a line.
    pub fn new(line_end: &[u8]) -> Self {
        Self { line_end: line_end.to_vec(), buffer: Vec::new(), is_too_long: false }
    }

    /// Takes the next byte; the line that it ends.
    pub fn push(&mut self, byte: u8) -> Option<Line> {
        self.buffer.push(byte);
        if self.buffer.ends_with(&self.line_end) {
            let is_too_long = std::mem::take(&mut self.is_too_long);
            let mut line = std::mem::take(&mut self.buffer);
            line.truncate(line.len() - self.line_end.len());
            return Some(if is_too_long { Line::TooLong } else { Line::Whole(line) });
        }
        // The longest line fits with its end but for the last byte of that.
        self.is_too_long |= self.buffer.len() >= LINE_BYTES_MAX + self.line_end.len();
        if self.is_too_long {
            let kept = self.line_end.len().saturating_sub(1);
            self.buffer.drain(..self.buffer.len().saturating_sub(kept));
        }
        None
    }

    /// Whether the begin of a line is there, and not its end. Blanks and other line ends do not
    /// count: a meter may send `\r\n` where `\r` is expected.
    pub fn is_within_line(&self) -> bool {
        self.is_too_long || self.buffer.iter().any(|byte| !byte.is_ascii_whitespace())
    }
}

/// Bytes as text from which they can be had back: what is printable UTF-8 as it is, `\` doubled,
/// everything else as `\xNN` for each byte.
pub fn shown_bytes(bytes: &[u8]) -> String {
    let mut text = String::new();
    for chunk in bytes.utf8_chunks() {
        for c in chunk.valid().chars() {
            match c {
                '\\' => text.push_str("\\\\"),
                c if c.is_control() => {
                    let mut buffer = [0; 4];
                    push_escaped(&mut text, c.encode_utf8(&mut buffer).as_bytes());
                }
                c => text.push(c),
            }
        }
        push_escaped(&mut text, chunk.invalid());
    }
    text
}

fn push_escaped(text: &mut String, bytes: &[u8]) {
    for byte in bytes {
        // Writing into a text does not fail.
        let _ = write!(text, "\\x{byte:02X}");
    }
}
