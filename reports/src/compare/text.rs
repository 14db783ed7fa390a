//! A comparison for a terminal: a table for each scenario that is not equal, and a conclusion.

use std::fmt;

use lastmeter_record::{Status, TimeMode};
use lastmeter_text::{append, number, plural};

use super::{Compared, Comparison, Row, RowOutcome, RowReason};
use crate::gate::Gate;

/// What the columns of a table in real time mean.
const LEGEND: &str = "\
ratio: new over base, over all pairs of runs, with the interval in which it lies at 99 %
p: how likely chance alone makes a difference as large; 0.01 or less counts
seen from: the smallest change that as many runs, with this spread, show in 4 of 5 comparisons
";

const EXACT_HEAD: [&str; 4] = ["what", "from", "to", "verdict"];
const SCATTERED_HEAD: [&str; 7] = ["what", "from", "to", "ratio", "p", "seen from", "verdict"];

impl fmt::Display for Comparison {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut has_statistics = false;
        for one in self.scenarios.iter().filter(|one| !one.is_equal()) {
            has_statistics |= one.rows.iter().any(|row| row.statistics.is_some());
            writeln!(f, "{one}")?;
        }
        for name in &self.only_new {
            writeln!(f, "{name}: only new runs are there, nothing to compare them with")?;
        }
        if has_statistics {
            writeln!(f, "{LEGEND}")?;
        }
        f.write_str(&self.conclusion())
    }
}

impl Comparison {
    /// What it comes to, in a sentence.
    fn conclusion(&self) -> String {
        let rows =
            || self.scenarios.iter().flat_map(|one| one.rows.iter().map(move |row| (one, row)));
        let first = |outcome| {
            let found = rows().find(|(_, row)| row.outcome == outcome);
            let more = rows().filter(|(_, row)| row.outcome == outcome).count().saturating_sub(1);
            let more = if more > 0 { format!(", and {more} more") } else { String::new() };
            found.map(|(one, row)| format!("{} of {}{more}", row.metric, one.scenario))
        };
        let values = plural(self.compared, "value");
        let text = match (first(RowOutcome::Worse), first(RowOutcome::CannotGate)) {
            (Some(worse), _) => format!("WORSE: {worse}; {} of {values} got worse", self.worse),
            (None, Some(doubt)) => {
                let what = format!("{} of {values}", self.cannot_gate);
                format!("CANNOT GATE: {what} could not be judged: {doubt}; nothing else got worse")
            }
            (None, None) if self.scenarios.is_empty() => "NOTHING COMPARED".to_owned(),
            (None, None) => {
                let equal = self.scenarios.iter().filter(|one| one.is_equal()).count();
                let scenarios = plural(self.scenarios.len(), "scenario");
                format!("NOTHING GOT WORSE: {values} of {scenarios} compared, {equal} equal")
            }
        };
        format!("{text}  exit {}", self.exit_code)
    }
}

impl fmt::Display for Compared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.scenario)?;
        match self.time {
            Some(TimeMode::Real) => {
                let (base, new) = (plural(self.base_runs, "run"), self.new_runs);
                write!(f, ", real time, {base} against {new}")?;
            }
            Some(TimeMode::Virtual) => f.write_str(", virtual time")?,
            None => {}
        }
        if let Some(seed) = self.seed {
            write!(f, ", seed {seed}")?;
        }
        writeln!(f)?;
        if self.scenario_differs {
            writeln!(f, "  the scenario that was run is not the same")?;
        }
        if self.left_out > 0 {
            let runs = plural(self.left_out, "run");
            writeln!(f, "  {runs} left out: they did not run to their end")?;
        }
        if self.disturbed > 0 {
            let runs = plural(self.disturbed, "run");
            writeln!(
                f,
                "  in {runs} the machine was too busy for some check: repeat on a quiet one"
            )?;
        }
        for difference in &self.differences {
            let line = difference.line.map(|line| format!(" from line {line}"));
            writeln!(f, "  {} differs{}", difference.file, line.unwrap_or_default())?;
        }
        let is_shown = |row: &&Row| row.outcome != RowOutcome::Equal;
        let rows: Vec<&Row> = self.rows.iter().filter(is_shown).collect();
        if rows.iter().any(|row| row.statistics.is_some()) {
            f.write_str(&table(&SCATTERED_HEAD, rows.iter().map(|row| scattered(row))))?;
            return f.write_str(&reasons(&rows));
        }
        if rows.is_empty() {
            return Ok(());
        }
        f.write_str(&table(&EXACT_HEAD, rows.into_iter().map(exact)))
    }
}

/// Why values are worse or cannot gate, those with the same reason together.
fn reasons(rows: &[&Row]) -> String {
    let mut text = String::new();
    let named: Vec<&Row> = rows.iter().copied().filter(|row| row.reason.is_some()).collect();
    for group in named.chunk_by(|one, other| one.why == other.why) {
        let is_all = group.len() == rows.len() && group.len() > 1;
        let names: Vec<&str> = group.iter().map(|row| row.metric.as_str()).collect();
        let names = if is_all { "all".to_owned() } else { names.join(", ") };
        append(&mut text, format_args!("  {names}: {}\n", group[0].why));
    }
    text
}

/// Lines with columns of one width.
fn table<const N: usize>(head: &[&str; N], rows: impl Iterator<Item = [String; N]>) -> String {
    let mut lines = vec![head.map(str::to_owned)];
    lines.extend(rows);
    let widths: Vec<usize> = (0..N)
        .map(|column| lines.iter().map(|line| line[column].chars().count()).max().unwrap_or(0))
        .collect();
    let mut text = String::new();
    for line in &lines {
        let mut shown = String::new();
        for (cell, width) in line.iter().zip(&widths) {
            append(&mut shown, format_args!("  {cell:width$}"));
        }
        append(&mut text, format_args!("{}\n", shown.trim_end()));
    }
    text
}

fn value(value: Option<f64>, unit: &str) -> String {
    let unit = if unit == "1" { "" } else { unit };
    value.map_or("-".to_owned(), |it| format!("{} {unit}", number(it)).trim_end().to_owned())
}

fn exact(row: &Row) -> [String; 4] {
    let side = |measured: Option<f64>, status: Option<Status>| {
        let measured = measured.map(|_| value(measured, &row.unit));
        let status = status.map(|status| status.word().to_owned());
        let parts: Vec<String> = measured.into_iter().chain(status).collect();
        if parts.is_empty() { "-".to_owned() } else { parts.join(" ") }
    };
    [row.metric.clone(), side(row.from, row.from_status), side(row.to, row.to_status), verdict(row)]
}

fn scattered(row: &Row) -> [String; 7] {
    let none = || "-".to_owned();
    let statistics = row.statistics.as_ref();
    let p = statistics.and_then(|it| it.test).map_or_else(none, |test| short(test.p));
    [
        row.metric.clone(),
        value(row.from, &row.unit),
        value(row.to, &row.unit),
        statistics.and_then(ratio).unwrap_or_else(none),
        p,
        statistics.and_then(|it| seen_from(it, &row.unit)).unwrap_or_else(none),
        word(row).to_owned(),
    ]
}

/// `1.21 (1.15 to 1.29)`; where there is no ratio the shift, as `+3 (2 to 4)`.
fn ratio(of: &Gate) -> Option<String> {
    let estimate = of.ratio.or(of.shift)?;
    let sign = if of.ratio.is_none() && estimate.value >= 0.0 { "+" } else { "" };
    let interval =
        estimate.interval.map(|(low, high)| format!(" ({} to {})", short(low), short(high)));
    Some(format!("{sign}{}{}", short(estimate.value), interval.unwrap_or_default()))
}

fn seen_from(of: &Gate, unit: &str) -> Option<String> {
    let smallest = of.smallest?;
    Some(match smallest.relative {
        Some(share) => format!("+{} %", short(100.0 * share)),
        None => format!("+{}", value(Some(smallest.shift), unit)),
    })
}

fn short(value: f64) -> String {
    lastmeter_text::three_digits(value)
}

/// What follows, in words that need no statistics.
fn word(row: &Row) -> &'static str {
    match row.outcome {
        RowOutcome::Worse => "WORSE",
        RowOutcome::CannotGate => "CANNOT GATE",
        RowOutcome::Better => "better",
        RowOutcome::Changed => "changed",
        RowOutcome::NoChange => "no change",
        RowOutcome::New => "new",
        RowOutcome::Equal => "equal",
    }
}

/// The same with its reason.
fn verdict(row: &Row) -> String {
    let word = word(row);
    match row.reason {
        None => word.to_owned(),
        Some(RowReason::Status) => format!("{word}: it ended worse"),
        Some(_) => format!("{word}: {}", row.why),
    }
}
