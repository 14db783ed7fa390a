//! Text and numbers for people: plurals, numbers with so many digits, and what XML may hold.

use std::fmt::{self, Arguments, Display, Formatter};

use serde::{Deserialize, Serialize};

/// Text for people: it can be made, shown, written down and compared. Programs do not read it, so
/// there is no way to its letters; what they need stands beside it as a fact.
///
/// ```
/// let why = lastmeter_text::Prose::from("outside the limit");
/// println!("{why}");
/// ```
/// ```compile_fail,E0599
/// let why = lastmeter_text::Prose::from("outside the limit");
/// why.contains("outside");
/// ```
/// ```compile_fail,E0308
/// let why = lastmeter_text::Prose::from("outside the limit");
/// let letters: &str = &why;
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Prose(String);

impl From<String> for Prose {
    fn from(text: String) -> Self {
        Self(text)
    }
}

impl From<&str> for Prose {
    fn from(text: &str) -> Self {
        Self(text.to_owned())
    }
}

/// A precision cuts it: `{why:.80}` has the first 80 characters.
impl Display for Prose {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl fmt::Write for Prose {
    fn write_str(&mut self, more: &str) -> fmt::Result {
        self.0.push_str(more);
        Ok(())
    }
}

/// Appends formatted text: `append(&mut text, format_args!("{count} more"))`.
///
/// # Panics
/// If it is written into what may fail, which a `String` and a [`Prose`] do not.
pub fn append(text: &mut impl fmt::Write, more: Arguments<'_>) {
    text.write_fmt(more).expect("writing into memory cannot fail");
}

/// A text that does not drown what is around it: its first characters, with a mark where there are
/// more.
pub fn shortened(text: &Prose, characters_max: usize) -> Prose {
    let shown = format!("{text:.characters_max$}");
    if shown == text.0 { text.clone() } else { Prose(shown + "…") }
}

/// `1 reading`, `2 readings`: a count with the word for what is counted, of which `one` is the
/// singular.
pub fn plural<N: Display + Copy + PartialEq + From<u8>>(count: N, one: &str) -> String {
    if count == N::from(1) { format!("1 {one}") } else { format!("{count} {one}s") }
}

/// A value for people: four significant digits without trailing zeros, never a dozen digits.
pub fn number(value: f64) -> String {
    let magnitude = value.abs();
    if magnitude == 0.0 || !magnitude.is_finite() {
        return format!("{value}").replace("inf", "infinity").replace("-0", "0");
    }
    if value.fract() == 0.0 && magnitude < 1e9 {
        return format!("{value}");
    }
    significant(value, 4)
}

/// A value with so many significant digits, without trailing zeros.
fn significant(value: f64, digits: usize) -> String {
    let rounded: f64 = format!("{value:.*e}", digits.saturating_sub(1)).parse().unwrap_or(value);
    if (1e-4..1e9).contains(&value.abs()) { format!("{rounded}") } else { format!("{rounded:e}") }
}

/// Two values that are compared, in one unit: as [`number`] has them, and with as many more digits
/// as it takes to see by how much they differ.
pub fn apart(one: f64, other: f64) -> (String, String) {
    let (size, distance) = (one.abs().max(other.abs()), (one - other).abs());
    let digits = libm::floor(libm::log10(size)) - libm::floor(libm::log10(distance)) + 2.0;
    if digits.is_nan() || digits <= 4.0 || digits.is_infinite() {
        return (number(one), number(other));
    }
    let digits = digits.min(17.0) as usize;
    let text = |value: f64| if value == 0.0 { number(value) } else { significant(value, digits) };
    (text(one), text(other))
}

/// A value with all its digits, in powers of ten where it would be a row of zeros.
pub fn exact(value: f64) -> String {
    let magnitude = value.abs();
    let is_plain = magnitude == 0.0 || (1e-6..1e9).contains(&magnitude) || !magnitude.is_finite();
    if is_plain { value.to_string() } else { format!("{value:e}") }
}

/// A value with its uncertainty: that to two digits, the value to as many as it is known to.
pub fn with_uncertainty(value: f64, uncertainty: f64) -> String {
    if !value.is_finite() || !uncertainty.is_finite() {
        return format!("{} ± {}", number(value), number(uncertainty));
    }
    let rounded = |value: f64, digits: usize| {
        let text = format!("{value:.*e}", digits.saturating_sub(1));
        let rounded: f64 = text.parse().unwrap_or(value);
        let plain = rounded == 0.0 || (1e-4..1e9).contains(&rounded.abs());
        if plain { format!("{rounded}") } else { format!("{rounded:e}") }
    };
    let known = libm::log10(value.abs() / uncertainty.max(1e-300)).clamp(0.0, 5.0);
    format!("{} ± {}", rounded(value, known.ceil() as usize + 2), rounded(uncertainty, 2))
}

/// A number with so many decimals, narrow spaces between thousands, and a true minus sign where
/// digits other than zero are left.
pub fn grouped(value: f64, decimals: usize) -> String {
    let digits = format!("{:.decimals$}", value.abs());
    let (whole, rest) = digits.split_once('.').unwrap_or((&digits, ""));
    let mut out = String::new();
    if value < 0.0 && digits.bytes().any(|digit| matches!(digit, b'1'..=b'9')) {
        out.push('\u{2212}');
    }
    for (index, digit) in whole.chars().enumerate() {
        if index > 0 && (whole.len() - index) % 3 == 0 {
            out.push('\u{202f}');
        }
        out.push(digit);
    }
    if !rest.is_empty() {
        out.push('.');
        out.push_str(rest);
    }
    out
}

/// A value with three digits.
pub fn three_digits(value: f64) -> String {
    number(format!("{value:.2e}").parse().unwrap_or(value))
}

/// Text as it may stand in XML, SVG and HTML, between tags and in quotes; what XML cannot hold is
/// replaced.
pub fn escape(text: &str) -> String {
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
    use super::*;

    #[test]
    fn one_is_one_and_everything_else_is_several() {
        assert_eq!(plural(0_u64, "run"), "0 runs");
        assert_eq!(plural(1_usize, "must-fail twin"), "1 must-fail twin");
        assert_eq!(plural(2_u32, "device"), "2 devices");
    }

    #[test]
    fn thousands_are_apart_and_zero_has_no_sign() {
        assert_eq!(grouped(1_234_567.891, 2), "1\u{202f}234\u{202f}567.89");
        assert_eq!(grouped(-999.6, 0), "\u{2212}1\u{202f}000");
        assert_eq!(grouped(-0.004, 2), "0.00");
    }

    #[test]
    fn prose_is_added_to_and_cut_by_characters() {
        let mut why = Prose::from("é and");
        append(&mut why, format_args!(" {}", 2));
        assert_eq!(why, Prose::from("é and 2".to_owned()));
        assert_eq!(format!("{why}|{why:.3}"), "é and 2|é a");
        assert_eq!(shortened(&why, 7), why);
        assert_eq!(shortened(&why, 3), "é a…".into());
    }

    #[test]
    fn no_figure_is_a_row_of_zeros() {
        for (value, expected) in [
            (1e300, "1e300"),
            (-2.5e-12, "-2.5e-12"),
            (0.0, "0"),
            (0.123_456_789, "0.123456789"),
            (123_456_789.5, "123456789.5"),
            (f64::NAN, "NaN"),
        ] {
            assert_eq!(exact(value), expected);
            assert!(number(value).len() < 14, "{}", number(value));
        }
        assert_eq!((number(1e300), number(1e-300)), ("1e300".to_owned(), "1e-300".to_owned()));
        assert_eq!(with_uncertainty(1e300, 1e290), "1e300 ± 1e290");
    }

    #[test]
    fn two_figures_have_digits_until_it_is_seen_by_how_much_they_differ() {
        for (one, other, texts) in [
            (232.3, 230.0, ("232.3", "230")),
            (230.001_7, 230.0, ("230.0017", "230")),
            (230.000_49, 230.000_51, ("230.00049", "230.00051")),
            (1234.4, 1234.6, ("1234.4", "1234.6")),
            (5.0, 0.0, ("5", "0")),
            (0.1 + 0.2, 0.3, ("0.30000000000000004", "0.3")),
            (1.5, 1.5, ("1.5", "1.5")),
            (f64::NAN, 230.0, ("NaN", "230")),
            (f64::INFINITY, 230.0, ("infinity", "230")),
            (0.0, 0.0, ("0", "0")),
            (1e300, -1e300, ("1e300", "-1e300")),
        ] {
            assert_eq!(apart(one, other), (texts.0.to_owned(), texts.1.to_owned()));
        }
    }

    #[test]
    fn a_figure_has_the_digits_its_uncertainty_leaves_it() {
        for (value, uncertainty, text) in [
            (0.300_033_46, 3.266e-7, "0.3000335 ± 3.3e-7"),
            (0.250_63, 0.001_941, "0.25063 ± 0.0019"),
            (-6.299e-5, 6.404e-4, "-6.3e-5 ± 0.00064"),
            (-3.385_12, 0.002_833, "-3.38512 ± 0.0028"),
            (0.0, 2.3e-7, "0 ± 2.3e-7"),
            (100.0, 0.0, "100 ± 0"),
            (f64::NAN, 0.1, "NaN ± 0.1"),
            (1.0, f64::INFINITY, "1 ± infinity"),
        ] {
            assert_eq!(with_uncertainty(value, uncertainty), text);
        }
    }
}
