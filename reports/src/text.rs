//! Small helpers for text.

use std::fmt::{Arguments, Display};

/// Appends formatted text: `append(&mut text, format_args!("{count} more"))`.
pub(crate) fn append(text: &mut String, more: Arguments<'_>) {
    std::fmt::write(text, more).expect("writing to a string cannot fail");
}

/// `1 reading`, `2 readings`: a count with the word for what is counted, of which `one` is the
/// singular.
pub fn plural<N: Display + Copy + PartialEq + From<u8>>(count: N, one: &str) -> String {
    if count == N::from(1) { format!("1 {one}") } else { format!("{count} {one}s") }
}

/// A figure with three digits.
pub(crate) fn three_digits(value: f64) -> String {
    crate::console::number(format!("{value:.2e}").parse().unwrap_or(value))
}

/// Text as it may stand in XML, SVG and HTML, between tags and in quotes; what XML cannot hold is
/// replaced.
pub(crate) fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&apos;"),
            c if is_in_xml(c) => escaped.push(c),
            _ => escaped.push('\u{fffd}'),
        }
    }
    escaped
}

/// Whether XML 1.0 has the character at all (section 2.2, `Char`).
const fn is_in_xml(c: char) -> bool {
    matches!(c, '\t' | '\n' | '\r' | ' '..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..)
}

#[cfg(test)]
mod tests {
    use super::plural;

    #[test]
    fn one_is_one_and_everything_else_is_several() {
        assert_eq!(plural(0_u64, "run"), "0 runs");
        assert_eq!(plural(1_usize, "must-fail twin"), "1 must-fail twin");
        assert_eq!(plural(2_u32, "device"), "2 devices");
    }
}
