//! Text as it comes in files: Latin-1 where it is not UTF-8, and safe to show in a message.

use std::borrow::Cow;

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

/// The text in backquotes, cut to 60 characters and without control characters, for messages.
pub(crate) fn quote(text: &str) -> String {
    const LONGEST: usize = 60;
    let mut shown = String::from("`");
    for (count, character) in text.chars().enumerate() {
        if count == LONGEST {
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
    const MOST: usize = 20;
    let names: Vec<&str> = names.into_iter().collect();
    if names.is_empty() {
        return "none".to_owned();
    }
    let mut shown: Vec<String> = names.iter().take(MOST).map(|name| quote(name)).collect();
    if names.len() > MOST {
        shown.push(format!("and {} more", names.len() - MOST));
    }
    shown.join(", ")
}

/// A finite number, or nothing: `nan`, `inf` and the empty text are none.
pub(crate) fn finite(text: &str) -> Option<f64> {
    text.trim().parse().ok().filter(|number: &f64| number.is_finite())
}

/// The line a CSV record really stands in, counted from 1: the csv crate gives the place where it
/// began to look for it, before any comments and blank lines.
pub(crate) fn line_of(bytes: &[u8], position: Option<&csv::Position>) -> u64 {
    let Some(position) = position else { return 0 };
    let start = usize::try_from(position.byte()).unwrap_or(usize::MAX).min(bytes.len());
    let passed = bytes[start..]
        .split_inclusive(|&byte| byte == b'\n')
        .take_while(|line| line.starts_with(b"#") || line.trim_ascii().is_empty());
    position.line() + passed.count() as u64
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
    fn what_is_shown_is_short_and_printable() {
        assert_eq!(quote("a\tb\u{1}"), "`a\\tb\\u{1}`");
        assert_eq!(quote(&"x".repeat(100)).len(), 65);
        assert_eq!(list(std::iter::repeat_n("x", 22)).matches("`x`").count(), 20);
        assert!(list(std::iter::repeat_n("x", 22)).ends_with("and 2 more"));
        assert_eq!(list([]), "none");
    }
}
