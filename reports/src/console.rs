//! Verdicts as lines for a terminal, and numbers for people.
//!
//! Plain text: the caller colours by [`VerdictLine::status`] if there is a terminal.

use std::fmt;
use std::time::Duration;

use crate::exit::ExitCode;
use crate::verdict::Verdict;
use lastmeter_record::{Counts, Status};
use lastmeter_text::{Prose, append, number, plural};

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
        self.detail.iter().try_for_each(|detail| write!(f, "\n         {detail}"))
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
    if let Some(text) = &verdict.told {
        let unit = if verdict.unit == "1" { "" } else { verdict.unit.as_str() };
        // What is allowed on two sides stands beside what was measured already.
        let limit = verdict.limit.filter(|_| verdict.limit_low.is_none());
        let limit = limit.map(|limit| format!("limit {} {unit}", number(limit)));
        let limit = limit.unwrap_or_default().trim_end().to_owned();
        return [verdict.check.clone(), text.measured.clone(), limit, text.basis.clone()];
    }
    let counts = verdict.unit == "1";
    let measured = match verdict.measured {
        _ if counts && verdict.status == Status::Pass => verdict.why.to_string(),
        Some(measured) if counts => format!("{} of {}", number(measured), verdict.n),
        Some(measured) => format!("{} {}", number(measured), verdict.unit),
        None => "-".to_owned(),
    };
    let bound = verdict.bound.map(|bound| format!(", bound {} {}", number(bound), verdict.unit));
    let limit = match verdict.limit {
        Some(limit) if verdict.limit_low.is_some() => {
            let low = verdict.limit_low.unwrap_or_default();
            let unit = if counts { "" } else { verdict.unit.as_str() };
            format!("allowed {} to {} {unit}", number(low), number(limit)).trim_end().to_owned()
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
    let why = Some(&verdict.why).filter(|why| **why != Prose::default());
    match (place, why) {
        (Some(place), Some(why)) => Some(format!("{place}: {why}")),
        (place, why) => place.or(why.map(ToString::to_string)),
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
