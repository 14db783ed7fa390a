//! Single-file recordings (`.cff`, revision 2013): header and data as sections of one file.
//!
//! Terms: a section starts with a line such as `--- file type: CFG ---`, `--- file type: DAT ASCII
//! ---` or `--- file type: DAT BINARY: 4214 ---`; the number counts the bytes of binary data that
//! follow the line's end. Without a number the data ends with the file.

use std::io::{BufReader, Cursor, Read, Seek, SeekFrom};

use super::error::unreadable;
use super::header::{Header, parse};
use super::{ComtradeError, DataKind, assemble};
use crate::recording::Recording;
use crate::text::{after_mark, decode, quote, read_line};
use crate::window::Window;

/// The longest CFG section; a million channels need less.
const LONGEST_CFG: u64 = 1 << 27;
/// A head is short; the lines of binary data need not be.
const LONGEST_HEAD: usize = 200;

/// Reads a single-file recording.
///
/// # Errors
/// As [`read`](super::read); [`ComtradeError::Sections`] if a section is missing or unreadable.
pub fn read_cff(bytes: &[u8]) -> Result<Recording, ComtradeError> {
    let CffParts { header, mut dat } = parts(Cursor::new(bytes))?;
    assemble::read(&header, &mut dat)
}

/// The two parts of a single file that are used.
pub(super) struct CffParts<R> {
    pub(super) header: Header,
    pub(super) dat: Window<R>,
}

/// Finds and reads the header and finds the data.
pub(super) fn parts<R: Read + Seek>(mut file: R) -> Result<CffParts<R>, ComtradeError> {
    let Sections { cfg, dat, kind } = sections(&mut file)?;
    let header = parse(&cfg)?;
    // `DAT BINARY` stands for all binary kinds.
    let fits = kind == header.kind || (kind == DataKind::Binary && header.kind != DataKind::Ascii);
    if !fits {
        let looks = match kind {
            DataKind::Ascii => "section is headed `DAT ASCII`",
            DataKind::Binary => "section is headed `DAT BINARY`",
            DataKind::Binary32 => "section is headed `DAT BINARY32`",
            DataKind::Float32 => "section is headed `DAT FLOAT32`",
        };
        return Err(ComtradeError::DataKind { stated: header.kind.to_string(), looks });
    }
    let dat = Window::part(file, dat.0, dat.1).map_err(unreadable)?;
    Ok(CffParts { header, dat })
}

/// The heads of the sections.
struct Sections {
    /// The text of the header.
    cfg: Vec<u8>,
    /// Where the data begins, and how many bytes it has at most.
    dat: (u64, u64),
    /// The kind the data section is headed with.
    kind: DataKind,
}

/// The lines of a single file as far as they could be heads, and where they begin and end.
struct Lines<'a, R> {
    reader: BufReader<&'a mut R>,
    line: Vec<u8>,
    number: usize,
    begin: u64,
    end: u64,
}

impl<'a, R: Read + Seek> Lines<'a, R> {
    fn new(file: &'a mut R) -> Result<Self, ComtradeError> {
        let end = after_mark(file).map_err(unreadable)?;
        let reader = BufReader::with_capacity(1 << 16, file);
        Ok(Self { reader, line: Vec::new(), number: 0, begin: end, end })
    }

    /// Goes on to the next line, if there is one.
    fn next(&mut self) -> Result<bool, ComtradeError> {
        let read = read_line(&mut self.reader, LONGEST_HEAD, &mut self.line).map_err(unreadable)?;
        self.begin = self.end;
        self.end += read;
        self.number += usize::from(read > 0);
        Ok(read > 0)
    }

    fn error(&self, why: impl Into<String>) -> ComtradeError {
        ComtradeError::Sections { line: self.number, why: why.into() }
    }
}

fn sections<R: Read + Seek>(file: &mut R) -> Result<Sections, ComtradeError> {
    let mut lines = Lines::new(file)?;
    let mut cfg: Option<(u64, u64)> = None;
    let mut open: Option<u64> = None;
    while lines.next()? {
        let Some(text) = section_line(&lines.line) else { continue };
        if let Some(start) = open.take() {
            cfg = Some((start, lines.begin));
        }
        let mut words = text.split([' ', '\t', ':']).filter(|word| !word.is_empty());
        match words.next().unwrap_or("").to_ascii_uppercase().as_str() {
            "CFG" => open = Some(lines.end),
            "INF" | "HDR" => {}
            "DAT" => {
                let word = words.next().unwrap_or("");
                let kind = DataKind::of_word(word).ok_or_else(|| {
                    lines.error(format!("found `DAT` {}, expected ASCII or BINARY", quote(word)))
                })?;
                let cfg = cfg.ok_or_else(|| {
                    lines.error("the CFG section must stand before the DAT section")
                })?;
                let count = words.next().map(str::parse::<u64>).transpose().map_err(|_| {
                    lines.error(format!("found {}, expected a number of bytes", quote(&text)))
                })?;
                return found(lines, cfg, kind, count);
            }
            other => {
                let other = quote(other);
                return Err(
                    lines.error(format!("found a section {other}, expected CFG, INF, HDR or DAT"))
                );
            }
        }
    }
    let missing = if cfg.is_some() || open.is_some() { "DAT" } else { "CFG" };
    Err(lines.error(format!("the file ends without a line `--- file type: {missing} ... ---`")))
}

/// Reads the header, and finds the end of the data, which begins where the lines stand. Too few
/// bytes are found out when the records are counted.
fn found<R: Read + Seek>(
    mut lines: Lines<'_, R>,
    (start, end): (u64, u64),
    kind: DataKind,
    count: Option<u64>,
) -> Result<Sections, ComtradeError> {
    if end - start > LONGEST_CFG {
        let megabytes = LONGEST_CFG >> 20;
        return Err(lines.error(format!("the CFG section before it is over {megabytes} MiB long")));
    }
    let begin = lines.end;
    let mut length = count.unwrap_or(u64::MAX);
    if kind == DataKind::Ascii {
        length = u64::MAX;
        while lines.next()? {
            if section_line(&lines.line).is_some() {
                length = lines.begin - begin;
                break;
            }
        }
    }
    let file = lines.reader.into_inner();
    let mut cfg = Vec::new();
    file.seek(SeekFrom::Start(start)).map_err(unreadable)?;
    file.take(end - start).read_to_end(&mut cfg).map_err(unreadable)?;
    Ok(Sections { cfg, dat: (begin, length), kind })
}

/// The text between `--- file type:` and `---`, if the line is the head of a section.
fn section_line(line: &[u8]) -> Option<String> {
    let line = line.trim_ascii();
    if !line.starts_with(b"---") {
        return None;
    }
    let text = decode(line);
    let inner = text.strip_prefix("---")?.trim_end().trim_end_matches('-').trim();
    let head = inner.get(..9).filter(|head| head.eq_ignore_ascii_case("file type"))?;
    Some(inner[head.len()..].trim_start_matches([' ', ':']).trim().to_owned())
}
