//! Small helpers for text.

use std::fmt::Arguments;

/// Appends formatted text: `append(&mut text, format_args!("{count} more"))`.
pub(crate) fn append(text: &mut String, more: Arguments<'_>) {
    std::fmt::write(text, more).expect("writing to a string cannot fail");
}

/// `1 reading`, `2 readings`.
pub(crate) fn plural(count: u64, one: &str) -> String {
    if count == 1 { format!("1 {one}") } else { format!("{count} {one}s") }
}

/// A figure with three digits.
pub(crate) fn three_digits(value: f64) -> String {
    crate::console::number(format!("{value:.2e}").parse().unwrap_or(value))
}
