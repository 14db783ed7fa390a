//! The timing classes of one path: what was counted, which bounds follow, and which statement
//! holds.

use serde::Serialize;

use super::words::{duration, limit, nanoseconds, percent};
use crate::latency::{Analysis, COVERAGES, ClassRow, Grounds, Limit, Validity, requirement_tables};
use crate::render::figure::Csv;
use crate::render::page::grouped;
use crate::verdict::{Because, Reason};
use lastmeter_record::Status;
use lastmeter_text::{Prose, number};

#[derive(Serialize)]
pub(super) struct Statement {
    status: Status,
    text: String,
}

/// One class in the table.
#[derive(Serialize)]
pub(super) struct Row {
    name: String,
    summary: String,
    limit: String,
    late: String,
    share: String,
    cells: Vec<Cell>,
}

/// One class at one coverage.
#[derive(Serialize)]
struct Cell {
    status: Status,
    word: &'static str,
    bound: String,
    stall: String,
    why: Prose,
}

pub(super) fn coverages() -> Vec<String> {
    COVERAGES.iter().map(|coverage| format!("p{}", number(100.0 * coverage))).collect()
}

/// What the classes amount to, a sentence for each coverage. In virtual time there is nothing to
/// state of a platform.
pub(super) fn statements(analysis: &Analysis, validity: &Validity) -> Vec<Statement> {
    if validity.modelled {
        return Vec::new();
    }
    if let Some(Because { why, .. }) = validity.refuses(&analysis.population) {
        let text = format!("No timing class can be judged: {why}.");
        return vec![Statement { status: Status::Inconclusive, text }];
    }
    let mut grouped: Vec<(Finding, Vec<String>)> = Vec::new();
    for (coverage, name) in COVERAGES.into_iter().zip(coverages()) {
        let statement = finding(analysis, coverage);
        match grouped.last_mut() {
            Some((last, names)) if *last == statement => names.push(name),
            _ => grouped.push((statement, vec![name])),
        }
    }
    let statement =
        |(Finding { status, text, condition }, names): (Finding, Vec<String>)| Statement {
            status,
            text: format!("{text} at {}, 95 % confidence, this run{condition}.", list(&names)),
        };
    grouped.into_iter().map(statement).chain(not_measurable(analysis, validity)).collect()
}

/// Which classes this machine could not judge in this run.
fn not_measurable(analysis: &Analysis, validity: &Validity) -> Option<Statement> {
    let mut names: Vec<String> = Vec::new();
    for row in &analysis.classes {
        let limit = Limit::of(row.class.limit_ns);
        if validity.is_not_measurable(limit).is_some() && !names.contains(&row.class.name) {
            names.push(row.class.name.clone());
        }
    }
    let floor = validity.floor.filter(|_| !names.is_empty())?;
    let p99 = duration(nanoseconds(floor.p99_ns));
    let text = format!(
        "Not measurable here: {}. A limit has to be at least ten times the floor's p99, which was {p99}.",
        list(&names)
    );
    Some(Statement { status: Status::Inconclusive, text })
}

/// What may be stated at one coverage, and under which condition.
fn finding(analysis: &Analysis, coverage: f64) -> Finding {
    let mut rows = analysis.classes.iter().filter(|row| row.judged.claim.coverage == coverage);
    let of = |class: &str| rows.clone().find(|row| row.class.name == class);
    if let Some(row) = analysis.strictest(coverage).and_then(|class| of(&class.name)) {
        let text = format!("Timing consistent with {}", row.class.name);
        return Finding {
            status: Status::Pass,
            text,
            condition: format!(", {}", row.judged.words()),
        };
    }
    let plain =
        |status, text: &str| Finding { status, text: text.to_owned(), condition: String::new() };
    if rows.clone().all(|row| row.conclusion.status() == Status::Fail) {
        return plain(Status::Fail, "Timing consistent with no class");
    }
    if rows.clone().any(|row| matches!(row.judged.grounds, Grounds::TooFew { .. })) {
        return plain(Status::Inconclusive, "Too few messages to show any class");
    }
    if rows.any(|row| row.conclusion.reason == Reason::StallTooShort) {
        return plain(
            Status::Inconclusive,
            "The run is too short for the declared stall to show any class",
        );
    }
    plain(Status::Inconclusive, "No class can be shown")
}

/// One sentence, without the coverages it holds for.
#[derive(PartialEq)]
struct Finding {
    status: Status,
    text: String,
    condition: String,
}

/// `a`, `a and b`, `a, b and c`.
fn list(names: &[String]) -> String {
    match names {
        [first @ .., last] if !first.is_empty() => format!("{} and {last}", first.join(", ")),
        _ => names.concat(),
    }
}

/// The rows, the strictest class first.
pub(super) fn rows(analysis: &Analysis, validity: &Validity) -> Vec<Row> {
    let mut rows: Vec<Row> = Vec::new();
    for one in &analysis.classes {
        let (tally, judged) = (&one.judged.tally, &one.judged);
        if rows.last().is_none_or(|row| row.name != one.class.name) {
            rows.push(Row {
                name: one.class.name.clone(),
                summary: one.class.use_for.clone(),
                limit: one.class.limit_ns.map_or_else(|| "delivery".to_owned(), limit),
                late: format!("{} of {}", grouped(tally.k()), grouped(tally.n)),
                share: percent(judged.share()),
                cells: Vec::new(),
            });
        }
        if let Some(row) = rows.last_mut() {
            row.cells.push(cell(one, validity));
        }
    }
    rows.reverse();
    rows
}

fn cell(one: &ClassRow, validity: &Validity) -> Cell {
    let (judged, conclusion) = (&one.judged, &one.conclusion);
    // What was compared with what is allowed, and not what would have been.
    let is_judged = validity.modelled || conclusion.reason == judged.reason();
    let (status, word) = match (conclusion.status(), conclusion.reason) {
        _ if validity.modelled => (Status::Skipped, "modelled"),
        (status, Reason::NotMeasurableHere) => (status, "not measurable here"),
        (status, Reason::TooFew) => (status, "n too small"),
        (status, Reason::StallTooShort) => (status, "run too short"),
        (status, Reason::Incomplete) => (status, "rows missing"),
        (status, _) => (status, status.word()),
    };
    let side = if judged.status == Status::Fail { "at least" } else { "at most" };
    let bound = if is_judged {
        format!("{side} {}", percent(three(judged.bound())))
    } else {
        String::new()
    };
    let stall = match judged.holds_up_to_ns.filter(|_| is_judged && judged.status != Status::Fail) {
        Some(ns) => format!("stalls up to {}", duration(nanoseconds(ns))),
        None => String::new(),
    };
    Cell { status, word, bound, stall, why: conclusion.why.clone() }
}

/// Three significant digits, unless that makes a share all there is.
fn three(value: f64) -> f64 {
    let rounded = format!("{value:.2e}").parse().unwrap_or(value);
    if rounded >= 1.0 && value < 1.0 { value } else { rounded }
}

/// What has to be known to read the table.
pub(super) fn note(analysis: &Analysis, validity: &Validity) -> String {
    let mut parts = vec![format!(
        "Later than the limit counts, and lost messages do. Below the word stands the share \
             that is at least, or at most, later than the limit, at 95 % confidence (exact \
             binomial), and the longest stall of the whole bench with which that holds: what one \
             stall can hit counts as one message. Asked for are stalls of {}.",
        duration(nanoseconds(analysis.classes[0].judged.claim.stall_ns))
    )];
    if let Some(floor) = validity.floor {
        let p99 = duration(nanoseconds(floor.p99_ns));
        let least = duration(nanoseconds(floor.least_limit_ns()));
        parts.push(format!("The floor's p99 is {p99}: limits under {least} are not measurable."));
    }
    let table = &requirement_tables()[0];
    let standing = table.rows.last().map(|row| row.standing.words()).unwrap_or_default();
    parts.push(format!("{}, {}; limits {standing}.", table.title, table.edition));
    parts.join(" ")
}

pub(super) const COLUMNS: &str = "path,from,to,class,status,why,limit_ms,coverage,n,k,not_known,\
    share,upper_95,lower_95,deff,per_stall,longest_run,weight,stall_ms,holds_up_to_ms,floor_p99_ms";

/// Adds the classes of a path to the table. The statuses of a run in virtual time are `modelled`.
pub(super) fn lines(analysis: &Analysis, validity: &Validity, csv: &mut Csv) {
    let span = analysis.population.span;
    let floor_ms = validity.floor.map_or(f64::NAN, |floor| nanoseconds(floor.p99_ns) / 1e6);
    for ClassRow { class, judged, conclusion } in &analysis.classes {
        let status = if validity.modelled { "modelled" } else { conclusion.status().word() };
        let (from, to) = (span.from.word(), span.to.word());
        csv.line(
            &[&analysis.path, from, to, &class.name, status, &conclusion.why.to_string()],
            &[
                class.limit_ns.map_or(f64::INFINITY, |limit_ns| nanoseconds(limit_ns) / 1e6),
                judged.claim.coverage,
                judged.tally.n as f64,
                judged.tally.k() as f64,
                judged.tally.open as f64,
                judged.share(),
                judged.upper,
                judged.lower,
                judged.deff.estimate,
                judged.per_stall as f64,
                judged.longest_run as f64,
                judged.weight(),
                nanoseconds(judged.claim.stall_ns) / 1e6,
                judged.holds_up_to_ns.map_or(f64::NAN, nanoseconds) / 1e6,
                floor_ms,
            ],
        );
    }
}
