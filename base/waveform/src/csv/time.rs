//! Time stamps in CSV cells as whole picoseconds: dates, RFC 3339, or plain numbers with a unit.
//!
//! Terms: the *resolution* is the worth of the last digit a stamp is written with. Never rounds a
//! stamp of up to twelve decimals; never guesses a time zone other than UTC.

use crate::time_axis::PICOSECONDS_PER_SECOND;

/// What the cells of a time column are.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Form {
    /// Dates with time of day; picoseconds since 1970-01-01T00:00:00Z.
    Date,
    /// Numbers worth so many picoseconds each.
    Number { unit_ps: f64 },
}

impl Form {
    /// What a cell of this form should look like, for messages.
    pub(super) const fn expected(self) -> &'static str {
        match self {
            Self::Date => "a date such as 2020-02-24 18:15:21.499998208 or 2020-02-24T18:15:21Z",
            Self::Number { .. } => "a time as a number",
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Stamp {
    pub(super) picoseconds: i128,
    pub(super) resolution_ps: i64,
    pub(super) zoned: bool,
}

/// The form of a column, determined by its name and its first cell.
pub(super) fn form_of(name: &str, first_cell: &str) -> Option<Form> {
    if date(first_cell).is_some() {
        return Some(Form::Date);
    }
    let last = name.split(|c: char| !c.is_alphanumeric()).rfind(|word| !word.is_empty());
    let unit_ps = match last.unwrap_or("").to_ascii_lowercase().as_str() {
        "ms" => 1e9,
        "us" | "\u{b5}s" | "\u{3bc}s" => 1e6,
        "ns" => 1e3,
        _ => PICOSECONDS_PER_SECOND,
    };
    let form = Form::Number { unit_ps };
    stamp(form, first_cell).map(|_| form)
}

/// A name that means time: a word starting with `time`, or `t`, `date`, `utc` as a word.
pub(super) fn is_time_name(name: &str) -> bool {
    name.to_ascii_lowercase().split(|c: char| !c.is_alphanumeric()).any(|word| {
        word.starts_with("time") || word.starts_with("date") || matches!(word, "t" | "utc" | "sec")
    })
}

pub(super) fn stamp(form: Form, cell: &str) -> Option<Stamp> {
    match form {
        Form::Date => date(cell),
        Form::Number { unit_ps } => number(cell.trim(), unit_ps),
    }
}

fn decimals(text: &str) -> usize {
    let after = text.split_once('.').map_or("", |(_, after)| after);
    after.bytes().take_while(u8::is_ascii_digit).count()
}

fn resolution(unit_ps: f64, decimals: usize) -> i64 {
    (unit_ps / 10_f64.powi(decimals.min(15) as i32)).max(1.0) as i64
}

/// `2020-02-24 18:15:21.5`, with `T` for the blank, with or without a zone.
fn date(cell: &str) -> Option<Stamp> {
    let cell = cell.trim();
    // Civil dates are read by their shape first: a zone is only what follows the time of day.
    if cell.len() < 16 || !cell.is_ascii() || !matches!(cell.as_bytes()[10], b' ' | b'T' | b't') {
        return None;
    }
    let zoned = cell.ends_with(['Z', 'z']) || cell[11..].contains(['+', '-']);
    let nanoseconds = if zoned {
        cell.parse::<jiff::Timestamp>().ok()?.as_nanosecond()
    } else {
        let civil: jiff::civil::DateTime = cell.parse().ok()?;
        jiff::tz::Offset::UTC.to_timestamp(civil).ok()?.as_nanosecond()
    };
    let resolution_ps = resolution(PICOSECONDS_PER_SECOND, decimals(cell));
    Some(Stamp { picoseconds: nanoseconds * 1000, resolution_ps, zoned })
}

/// A number: exact by its decimal digits, or through `f64` where it has an exponent.
fn number(cell: &str, unit_ps: f64) -> Option<Stamp> {
    let value = crate::text::finite(cell)?;
    let resolution_ps = resolution(unit_ps, decimals(cell));
    let exact = decimal_picoseconds(cell, unit_ps);
    let picoseconds = match exact {
        Some(exact) => exact,
        None if (value * unit_ps).abs() < 1e30 => (value * unit_ps).round() as i128,
        None => return None,
    };
    Some(Stamp { picoseconds, resolution_ps, zoned: true })
}

/// `-12.345` in units as whole picoseconds; nothing if the text has another shape.
fn decimal_picoseconds(cell: &str, unit_ps: f64) -> Option<i128> {
    let (negative, digits) = match cell.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, cell.strip_prefix('+').unwrap_or(cell)),
    };
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let all_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if whole.len() > 15 || fraction.len() > 15 || !all_digits(whole) || !all_digits(fraction) {
        return None;
    }
    let value = |text: &str| if text.is_empty() { Some(0) } else { text.parse::<i128>().ok() };
    let scale = 10_i128.pow(fraction.len() as u32);
    let units = value(whole)? * scale + value(fraction)?;
    let picoseconds = (units * unit_ps as i128 + scale / 2) / scale;
    Some(if negative { -picoseconds } else { picoseconds })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_read_to_the_nanosecond() {
        // 2020-02-24 is day 18,316 after 1970-01-01; 18:15:21 is 65,721 s.
        let expected = ((18_316_i128 * 86_400 + 65_721) * 1_000_000_000 + 499_998_208) * 1000;
        for (text, zoned) in [
            ("2020-02-24 18:15:21.499998208", false),
            ("2020-02-24T18:15:21.499998208", false),
            ("2020-02-24T18:15:21.499998208Z", true),
            ("2020-02-24T20:15:21.499998208+02:00", true),
        ] {
            let read = stamp(Form::Date, text).unwrap();
            assert_eq!((read.picoseconds, read.zoned), (expected, zoned), "{text}");
            assert_eq!(read.resolution_ps, 1000);
        }
        for text in ["", "2020-02-24", "0.5", "2020-13-24 18:15:21", "2020-02-24 18:15:21é"] {
            assert_eq!(stamp(Form::Date, text), None, "{text}");
        }
    }

    #[test]
    fn numbers_are_exact_in_their_unit() {
        let seconds = form_of("time", "0").unwrap();
        for (text, picoseconds) in [
            ("0.00002", 20_000_000),
            ("1582568121.499998208", 1_582_568_121_499_998_208_000),
            ("-0.5", -500_000_000_000),
            ("2e-5", 20_000_000),
            (".25", 250_000_000_000),
        ] {
            assert_eq!(stamp(seconds, text).unwrap().picoseconds, picoseconds, "{text}");
        }
        let ms = form_of("t_ms", "0").unwrap();
        assert_eq!(stamp(ms, "0.02").unwrap().picoseconds, 20_000_000);
        assert_eq!(stamp(ms, "0.02").unwrap().resolution_ps, 10_000_000);
        for text in ["", "nan", "inf", "1e300", "1.2.3", "x"] {
            assert_eq!(stamp(seconds, text), None, "{text}");
        }
    }

    #[test]
    fn time_columns_are_recognised_by_name() {
        for name in ["Time_UTC", "time", "t", "Timestamp", "t_ms", "Date", "time (s)"] {
            assert!(is_time_name(name), "{name}");
        }
        for name in ["Va", "temperature", "current", "IT"] {
            assert!(!is_time_name(name), "{name}");
        }
    }
}
