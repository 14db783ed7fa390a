//! Text as it comes in files: Latin-1 where it is not UTF-8, and safe to show in a message.

use std::borrow::Cow;
use std::io::{self, BufRead, Read, Seek, SeekFrom};

/// Decodes bytes as UTF-8, or else as Latin-1 (every byte is the character of the same number):
/// station names in old recordings often are.
pub(crate) fn decode(bytes: &[u8]) -> Cow<'_, str> {
    match std::str::from_utf8(bytes) {
        Ok(text) => Cow::Borrowed(text),
        Err(_) => Cow::Owned(bytes.iter().map(|&byte| char::from(byte)).collect()),
    }
}

/// Drops a UTF-8 byte order mark.
pub(crate) fn without_mark(bytes: &[u8]) -> &[u8] {
    bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes)
}

/// Stands behind a UTF-8 byte order mark, if there is one; returns where that is.
pub(crate) fn after_mark<R: Read + Seek>(source: &mut R) -> io::Result<u64> {
    source.rewind()?;
    let mut head = Vec::new();
    source.by_ref().take(3).read_to_end(&mut head)?;
    let start = (head.len() - without_mark(&head).len()) as u64;
    source.seek(SeekFrom::Start(start))
}

/// The note on a text whose last line has no end.
pub const CUT: &str = "the last line has no end, so it may be cut, and its last number with it; \
    if the file is whole, put an end of line there";

/// Whether the last line has no end: what is cut anywhere else shows, but not within a number. A
/// last line that is empty, or a comment, has nothing to lose.
pub fn is_cut(text: &[u8]) -> bool {
    let begin = text.iter().rposition(|byte| b"\r\n".contains(byte)).map_or(0, |at| at + 1);
    let last = text[begin..].trim_ascii();
    !last.is_empty() && !last.starts_with(b"#")
}

/// As [`is_cut`], of a file; the end of a longer line than any is looked at.
pub(crate) fn is_cut_at_end<R: Read + Seek>(source: &mut R) -> io::Result<bool> {
    const LOOKED_AT: u64 = 1 << 12;
    let length = source.seek(SeekFrom::End(0))?;
    source.seek(SeekFrom::Start(length.saturating_sub(LOOKED_AT)))?;
    let mut end = Vec::new();
    source.take(LOOKED_AT).read_to_end(&mut end)?;
    Ok(is_cut(&end))
}

/// The text in backquotes, cut to 60 characters and without control characters, for messages.
pub(crate) fn quote(text: &str) -> String {
    const CHARACTERS_MAX: usize = 60;
    let mut shown = String::from("`");
    for (count, character) in text.chars().enumerate() {
        if count == CHARACTERS_MAX {
            shown.push_str("...");
            break;
        }
        if character.is_control() {
            shown.extend(character.escape_default());
        } else {
            shown.push(character);
        }
    }
    shown.push('`');
    shown
}

/// Names for a message: the first twenty, quoted, and how many more there are.
pub(crate) fn list<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    const NAMES_MAX: usize = 20;
    let names: Vec<&str> = names.into_iter().collect();
    if names.is_empty() {
        return "none".to_owned();
    }
    let mut shown: Vec<String> = names.iter().take(NAMES_MAX).map(|name| quote(name)).collect();
    if names.len() > NAMES_MAX {
        shown.push(format!("and {} more", names.len() - NAMES_MAX));
    }
    shown.join(", ")
}

/// A finite number, or nothing: `nan`, `inf` and the empty text are none.
pub(crate) fn finite(text: &str) -> Option<f64> {
    text.trim().parse().ok().filter(|number: &f64| number.is_finite())
}

/// Lines longer than this are no lines of a recording.
pub(crate) const LONGEST_LINE: usize = 1 << 24;

/// Reads a line into `line`, its end (`\n`) left out, and only its first `keep` bytes; returns how
/// long it is with its end, 0 at the end of the bytes.
pub(crate) fn read_line(
    reader: &mut impl BufRead,
    keep: usize,
    line: &mut Vec<u8>,
) -> io::Result<u64> {
    line.clear();
    let read = reader.by_ref().take(keep as u64).read_until(b'\n', line)?;
    if line.last() == Some(&b'\n') {
        line.pop();
        return Ok(read as u64);
    }
    // Behind the end of the bytes there is nothing to pass over.
    Ok(read as u64 + if read == keep { reader.skip_until(b'\n')? as u64 } else { 0 })
}

/// The line a CSV record really stands in, counted from 1: the csv crate gives the place where it
/// began to look for it, before any comments and blank lines. `rest` is what stands there.
pub(crate) fn line_of(mut rest: impl BufRead, position: Option<&csv::Position>) -> u64 {
    let Some(position) = position else { return 0 };
    let mut number = position.line();
    let mut line = Vec::new();
    while let Ok(1..) = read_line(&mut rest, LONGEST_LINE, &mut line) {
        if !line.starts_with(b"#") && !line.trim_ascii().is_empty() {
            break;
        }
        number += 1;
    }
    number
}

/// What stands at a position.
pub(crate) fn from_position<'a>(bytes: &'a [u8], position: Option<&csv::Position>) -> &'a [u8] {
    let at = position.map_or(0, |position| usize::try_from(position.byte()).unwrap_or(usize::MAX));
    bytes.get(at..).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn latin_1_and_utf_8_are_both_read() {
        assert_eq!(decode("Köln".as_bytes()), "Köln");
        assert_eq!(decode(b"K\xf6ln"), "Köln");
        assert_eq!(decode(b"\xb5V"), "µV");
    }

    #[test]
    fn a_last_line_without_an_end_may_be_cut() {
        for text in ["1,2", "a\n1,2", "a\r\n1,2 ", "# a\n1"] {
            assert!(is_cut(text.as_bytes()), "{text:?}");
            let filled = format!("{}{text}", "0,1\n".repeat(3000));
            assert!(is_cut_at_end(&mut io::Cursor::new(filled)).unwrap(), "{text:?}");
        }
        for text in ["", "\n", "1,2\n", "1,2\r\n", "1,2\r", "1\n  ", "1\n\n", "1\n# end"] {
            assert!(!is_cut(text.as_bytes()), "{text:?}");
            let end = &mut io::Cursor::new(text);
            assert!(!is_cut_at_end(end).unwrap(), "{text:?}");
        }
    }

    #[test]
    fn what_is_shown_is_short_and_printable() {
        assert_eq!(quote("a\tb\u{1}"), "`a\\tb\\u{1}`");
        assert_eq!(quote(&"x".repeat(100)).len(), 65);
        assert_eq!(list(std::iter::repeat_n("x", 22)).matches("`x`").count(), 20);
        assert!(list(std::iter::repeat_n("x", 22)).ends_with("and 2 more"));
        assert_eq!(list([]), "none");
    }
}
