//! Single-file recordings (`.cff`, revision 2013): header and data as sections of one file.
//!
//! Terms: a section starts with a line such as `--- file type: CFG ---`, `--- file type: DAT ASCII
//! ---` or `--- file type: DAT BINARY: 4214 ---`; the number counts the bytes of binary data that
//! follow the line's end. Without a number the data ends with the file.

use super::write::{WriteError, write};
use super::{ComtradeError, DataKind, Revision, read};
use crate::recording::Recording;
use crate::text::{decode, quote, without_mark};

/// Reads a single-file recording.
///
/// # Errors
/// As [`read`]; [`ComtradeError::Sections`] if a section is missing or unreadable.
pub fn read_cff(bytes: &[u8]) -> Result<Recording, ComtradeError> {
    let bytes = without_mark(bytes);
    let (cfg, dat, kind) = sections(bytes)?;
    let header = super::header::parse(cfg)?;
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
    read(cfg, dat)
}

/// Writes a single-file recording of revision 2013.
///
/// # Errors
/// As [`write()`].
pub fn write_cff(recording: &Recording, kind: DataKind) -> Result<Vec<u8>, WriteError> {
    let written = write(recording, kind, Revision::R2013)?;
    let mut bytes = b"--- file type: CFG ---\r\n".to_vec();
    bytes.extend(&written.cfg);
    bytes.extend(b"--- file type: INF ---\r\n\r\n--- file type: HDR ---\r\n\r\n");
    let data = match kind {
        DataKind::Ascii => "--- file type: DAT ASCII ---\r\n".to_owned(),
        _ => format!("--- file type: DAT BINARY: {} ---\r\n", written.dat.len()),
    };
    bytes.extend(data.as_bytes());
    bytes.extend(&written.dat);
    Ok(bytes)
}

/// The header, the data and the kind the data section is headed with.
fn sections(bytes: &[u8]) -> Result<(&[u8], &[u8], DataKind), ComtradeError> {
    let (mut at, mut line_number) = (0, 0);
    let mut cfg: Option<&[u8]> = None;
    let mut open: Option<usize> = None;
    while at < bytes.len() {
        line_number += 1;
        let end = bytes[at..].iter().position(|&byte| byte == b'\n');
        let end = end.map_or(bytes.len(), |end| at + end + 1);
        if let Some(text) = section_line(&bytes[at..end]) {
            if let Some(start) = open.take() {
                cfg = Some(&bytes[start..at]);
            }
            let error = |why: String| ComtradeError::Sections { line: line_number, why };
            let mut words = text.split([' ', '\t', ':']).filter(|word| !word.is_empty());
            match words.next().unwrap_or("").to_ascii_uppercase().as_str() {
                "CFG" => open = Some(end),
                "INF" | "HDR" => {}
                "DAT" => {
                    let word = words.next().unwrap_or("");
                    let kind = DataKind::of_word(word).ok_or_else(|| {
                        error(format!("found `DAT` {}, expected ASCII or BINARY", quote(word)))
                    })?;
                    let cfg = cfg.ok_or_else(|| {
                        error("the CFG section must stand before the DAT section".to_owned())
                    })?;
                    let count = words.next().map(str::parse::<u64>).transpose().map_err(|_| {
                        error(format!("found {}, expected a number of bytes", quote(&text)))
                    })?;
                    return Ok((cfg, data(&bytes[end..], kind, count), kind));
                }
                other => {
                    return Err(error(format!(
                        "found a section {}, expected CFG, INF, HDR or DAT",
                        quote(other)
                    )));
                }
            }
        }
        at = end;
    }
    let missing = if cfg.is_some() || open.is_some() { "DAT" } else { "CFG" };
    Err(ComtradeError::Sections {
        line: line_number,
        why: format!("the file ends without a line `--- file type: {missing} ... ---`"),
    })
}

/// The text between `--- file type:` and `---`, if the line is the head of a section.
fn section_line(line: &[u8]) -> Option<String> {
    // A head is short; the lines of binary data need not be.
    let line = line.get(..line.len().min(200))?;
    let text = decode(line.trim_ascii());
    let inner = text.strip_prefix("---")?.trim_end().trim_end_matches('-').trim();
    let head = inner.get(..9).filter(|head| head.eq_ignore_ascii_case("file type"))?;
    Some(inner[head.len()..].trim_start_matches([' ', ':']).trim().to_owned())
}

/// The bytes of the data section. Too few are found out when the records are counted.
fn data(rest: &[u8], kind: DataKind, count: Option<u64>) -> &[u8] {
    if kind != DataKind::Ascii {
        let count = count.and_then(|count| usize::try_from(count).ok()).unwrap_or(rest.len());
        return &rest[..count.min(rest.len())];
    }
    let mut at = 0;
    while at < rest.len() {
        let end = rest[at..].iter().position(|&byte| byte == b'\n');
        let end = end.map_or(rest.len(), |end| at + end + 1);
        if section_line(&rest[at..end]).is_some() {
            break;
        }
        at = end;
    }
    &rest[..at]
}
