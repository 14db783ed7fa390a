//! Texts as PostgreSQL takes them: it has no character U+0000, and messages may. Pure.

use std::borrow::Cow;

/// Begins what stands for U+0000 (`0`) and for itself (`1`).
const ESCAPE: char = '\u{1a}';

/// A text without U+0000; nearly always the text itself.
pub(super) fn escape(text: &str) -> Cow<'_, str> {
    if !text.contains(['\0', ESCAPE]) {
        return Cow::Borrowed(text);
    }
    Cow::Owned(text.replace(ESCAPE, "\u{1a}1").replace('\0', "\u{1a}0"))
}

/// The text that was escaped.
pub(super) fn unescape(text: String) -> String {
    if !text.contains(ESCAPE) {
        return text;
    }
    text.replace("\u{1a}0", "\0").replace("\u{1a}1", "\u{1a}")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn every_text_reads_back_and_none_has_a_zero(text in "[\0\u{1a}01é]{0,12}") {
            let escaped = escape(&text).into_owned();
            prop_assert!(!escaped.contains('\0'));
            prop_assert_eq!(unescape(escaped), text);
        }
    }
}
