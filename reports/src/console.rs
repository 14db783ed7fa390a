//! Verdicts as lines for a terminal, and numbers for people.
//!
//! Plain text: the caller colours by [`VerdictLine::status`] if there is a terminal.

use std::fmt;
use std::time::Duration;

use crate::exit::ExitCode;
use crate::text::{append, plural};
use crate::verdict::{Counts, Status, Verdict};

/// A figure for people: four significant digits without trailing zeros, never a dozen digits.
pub fn number(value: f64) -> String {
    let magnitude = value.abs();
    if magnitude == 0.0 || !magnitude.is_finite() {
        return format!("{value}").replace("inf", "infinity").replace("-0", "0");
    }
    if value.fract() == 0.0 && magnitude < 1e9 {
        return format!("{value}");
    }
    let rounded: f64 = format!("{value:.3e}").parse().unwrap_or(value);
    if (1e-4..1e9).contains(&magnitude) { format!("{rounded}") } else { format!("{rounded:e}") }
}

/// A figure with all its digits, in powers of ten where it would be a row of zeros.
pub(crate) fn exact(value: f64) -> String {
    let magnitude = value.abs();
    let is_plain = magnitude == 0.0 || (1e-6..1e9).contains(&magnitude) || !magnitude.is_finite();
    if is_plain { value.to_string() } else { format!("{value:e}") }
}

/// A figure with its uncertainty: that to two digits, the figure to as many as it is known to.
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

/// One verdict as a line, its parts aligned with those of its neighbours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerdictLine {
    /// For the colour of the first word.
    pub status: Status,
    /// `PASS`, right-aligned in seven columns.
    pub label: String,
    /// The rest of the line.
    pub text: String,
    /// What a bad verdict rests on, for a second line.
    pub detail: Option<String>,
}

impl fmt::Display for VerdictLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}  {}", self.label, self.text)?;
        match &self.detail {
            Some(detail) => write!(f, "\n         {detail}"),
            None => Ok(()),
        }
    }
}

/// Verdicts as aligned lines, in their order.
pub fn format_verdicts(verdicts: &[Verdict]) -> Vec<VerdictLine> {
    let columns: Vec<[String; 4]> = verdicts.iter().map(columns).collect();
    let width =
        |column: usize| columns.iter().map(|line| line[column].chars().count()).max().unwrap_or(0);
    let widths = [width(0), width(1), width(2)];
    verdicts
        .iter()
        .zip(&columns)
        .map(|(verdict, columns)| {
            let mut text = String::new();
            for (column, width) in columns.iter().zip(widths) {
                append(&mut text, format_args!("{column:width$}  "));
            }
            text.push_str(&columns[3]);
            VerdictLine {
                status: verdict.status,
                label: format!("{:>7}", verdict.status.label()),
                text: text.trim_end().to_owned(),
                detail: detail(verdict),
            }
        })
        .collect()
}

/// Name, measured, limit, and what it rests on.
fn columns(verdict: &Verdict) -> [String; 4] {
    if let Some(told) = &verdict.told {
        let unit = if verdict.unit == "1" { "" } else { verdict.unit.as_str() };
        // What is allowed on two sides stands beside what was measured already.
        let limit = verdict.limit.filter(|_| verdict.limit_low.is_none());
        let limit = limit.map(|limit| format!("limit {} {unit}", number(limit)));
        let limit = limit.unwrap_or_default().trim_end().to_owned();
        return [verdict.check.clone(), told.measured.clone(), limit, told.basis.clone()];
    }
    let counts = verdict.unit == "1";
    let measured = match verdict.measured {
        _ if counts && verdict.status == Status::Pass => verdict.why.clone(),
        Some(measured) if counts => format!("{} of {}", number(measured), verdict.n),
        Some(measured) => format!("{} {}", number(measured), verdict.unit),
        None => "-".to_owned(),
    };
    let bound = verdict.bound.map(|bound| format!(", bound {} {}", number(bound), verdict.unit));
    let limit = match verdict.limit {
        Some(limit) if verdict.limit_low.is_some() => {
            let low = verdict.limit_low.unwrap_or_default();
            format!("allowed {} to {} {}", number(low), number(limit), verdict.unit)
        }
        Some(limit) if !counts => format!("limit {} {}", number(limit), verdict.unit),
        Some(limit) if limit != 0.0 => format!("limit {}", number(limit)),
        _ => String::new(),
    };
    let n = if counts && verdict.measured.is_some() {
        String::new()
    } else {
        format!("n {}", verdict.n)
    };
    [verdict.check.clone(), measured + &bound.unwrap_or_default(), limit, n]
}

fn detail(verdict: &Verdict) -> Option<String> {
    if verdict.status == Status::Pass {
        return None;
    }
    let place = verdict.at.as_ref().map(ToString::to_string).filter(|place| !place.is_empty());
    let why = Some(verdict.why.clone()).filter(|why| !why.is_empty());
    match (place, why) {
        (Some(place), Some(why)) => Some(format!("{place}: {why}")),
        (place, why) => place.or(why),
    }
}

/// `Summary  4 checks: 3 pass, 1 inconclusive  30 min 21 s  exit 5`.
pub fn format_summary(counts: Counts, took: Duration, exit: ExitCode) -> String {
    let (checks, exit) = (plural(counts.total(), "check"), exit.number());
    format!("Summary  {checks}: {counts}  {}  exit {exit}", format_duration(took))
}

/// A wall-clock time for people: `840 ms`, `12.4 s`, `30 min 21 s`, `2 h 5 min`.
pub fn format_duration(took: Duration) -> String {
    let seconds = took.as_secs();
    match seconds {
        0 => format!("{} ms", took.as_millis()),
        1..60 => format!("{:.1} s", (took.as_secs_f64() * 10.0).floor() / 10.0),
        60..3600 => format!("{} min {} s", seconds / 60, seconds % 60),
        _ => format!("{} h {} min", seconds / 3600, seconds / 60 % 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_figure_is_a_row_of_zeros() {
        for (value, told) in [
            (1e300, "1e300"),
            (-2.5e-12, "-2.5e-12"),
            (0.0, "0"),
            (0.123_456_789, "0.123456789"),
            (123_456_789.5, "123456789.5"),
            (f64::NAN, "NaN"),
        ] {
            assert_eq!(exact(value), told);
            assert!(number(value).len() < 14, "{}", number(value));
        }
        assert_eq!((number(1e300), number(1e-300)), ("1e300".to_owned(), "1e-300".to_owned()));
        assert_eq!(with_uncertainty(1e300, 1e290), "1e300 ± 1e290");
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
