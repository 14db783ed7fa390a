//! The comparison in real time, by the rule for values that scatter from run to run.

use lastmeter_text::{number, plural};

use super::metric::{Metric, RUN};
use super::side::Group;
use super::{Compared, Row, RowOutcome, RowReason};
use crate::gate::{ALPHA, Doubt, Gate, Outcome, RUNS_MIN, Smallest, Tolerance, gate};

pub(super) fn compare(base: &Group, new: &Group) -> Compared {
    let mut one = Compared::of(base, new);
    for metric in base.metrics.iter().filter(|metric| metric.name != RUN) {
        let after = new.counterpart(base, metric);
        match after {
            // Without any run there is nothing that could be gone.
            None if new.runs > 0 => one.rows.push(
                Row::of(metric, None, RowOutcome::Worse)
                    .because(RowReason::Gone, "not all of the new runs have it"),
            ),
            _ => {
                let none = Metric::default();
                let after = after.unwrap_or(&none);
                one.rows.extend(values(metric, after));
                one.rows.extend(failures(metric, after));
            }
        }
    }
    if one.rows.is_empty() {
        let row = base.metric(RUN).map(|run| Row::of(run, new.metric(RUN), RowOutcome::CannotGate));
        let why = "no value is there that could be compared";
        one.rows.extend(row.map(|row| row.because(RowReason::NotEvaluated, why)));
    }
    one.rows.extend(left_out(base, new));
    one
}

/// What breaks has no value that could be worse, so that more of it has to count by itself; `None`
/// if no greater share of the new runs was left out.
fn left_out(base: &Group, new: &Group) -> Option<Row> {
    let all = |group: &Group| group.runs + group.left_out;
    let is_more = |before: usize, after: usize| after * all(base).max(1) > before * all(new);
    let outcome = if is_more(base.crashed, new.crashed) {
        RowOutcome::Worse
    } else if is_more(base.left_out, new.left_out) {
        RowOutcome::CannotGate
    } else {
        return None;
    };
    let run = Metric { name: RUN.to_owned(), unit: "1".to_owned(), ..Metric::default() };
    let why = format!(
        "{} of {} did not run to their end, of the base {} of {}",
        new.left_out,
        plural(all(new), "new run"),
        base.left_out,
        all(base)
    );
    Some(Row {
        from: Some(base.left_out as f64),
        to: Some(new.left_out as f64),
        ..Row::of(&run, None, outcome).because(RowReason::LeftOut, why)
    })
}

/// Compares the values of the runs; `None` if nobody has stated which way is worse.
fn values(base: &Metric, new: &Metric) -> Option<Row> {
    let badness = |values: &[f64]| -> Option<Vec<f64>> {
        values.iter().map(|&value| base.badness(value)).collect()
    };
    let (before, after) = (badness(&base.values)?, badness(&new.values)?);
    if before.is_empty() && after.is_empty() {
        return None;
    }
    let tolerance = base.tolerance();
    let found = gate(&before, &after, tolerance);
    let (outcome, reason) = match found.outcome {
        Outcome::Worse => (RowOutcome::Worse, Some(RowReason::Shifted)),
        Outcome::Better => (RowOutcome::Better, None),
        Outcome::NoChange => (RowOutcome::NoChange, None),
        Outcome::CannotGate(doubt) => (RowOutcome::CannotGate, Some(reason_of(doubt))),
    };
    let finite = |value: f64| Some(value).filter(|value| !value.is_nan());
    Some(Row {
        reason,
        from: finite(found.from),
        to: finite(found.to),
        why: why(base, &found, tolerance).into(),
        statistics: Some(found),
        ..Row::of(base, Some(new), outcome)
    })
}

fn reason_of(doubt: Doubt) -> RowReason {
    match doubt {
        Doubt::TooFewRuns => RowReason::TooFewRuns,
        Doubt::TooMuchSpread => RowReason::TooMuchSpread,
        Doubt::NotFinite => RowReason::NotFinite,
    }
}

/// What the comparison of one value comes to, for people.
fn why(metric: &Metric, found: &Gate, tolerance: Tolerance) -> String {
    let tolerated = describe(metric, found.from, tolerance);
    match found.outcome {
        Outcome::Worse => format!("beyond its tolerance of {tolerated}"),
        Outcome::Better | Outcome::NoChange => String::new(),
        Outcome::CannotGate(Doubt::TooFewRuns) => too_few(found.runs),
        Outcome::CannotGate(Doubt::NotFinite) => {
            "a run lost so many messages that it has no such value".to_owned()
        }
        Outcome::CannotGate(Doubt::TooMuchSpread) => {
            let Some(Smallest { significant, runs_needed, .. }) = found.smallest else {
                return String::new();
            };
            let needed = match runs_needed {
                Some(runs) => format!("about {runs} runs of each side would do"),
                None => "100 runs of each side would not do".to_owned(),
            };
            let seen = describe_change(metric, found.from, significant);
            format!(
                "the runs differ so much among themselves that only a change of {seen} stands out; \
                 its tolerance is {tolerated}: {needed}"
            )
        }
    }
}

fn too_few((base, new): (usize, usize)) -> String {
    format!("{} against {new}; {RUNS_MIN} against {RUNS_MIN} are needed", plural(base, "run"))
}

/// The tolerance that decides, for people.
fn describe(metric: &Metric, from: f64, tolerance: Tolerance) -> String {
    if from != 0.0 && tolerance.relative * from.abs() >= tolerance.absolute {
        return format!("{} %", number(100.0 * tolerance.relative));
    }
    in_unit(metric, tolerance.absolute)
}

fn describe_change(metric: &Metric, from: f64, change: f64) -> String {
    if from > 0.0 { format!("{:.0} %", 100.0 * change / from) } else { in_unit(metric, change) }
}

fn in_unit(metric: &Metric, value: f64) -> String {
    let unit = if metric.unit == "1" { "" } else { &metric.unit };
    format!("{} {unit}", number(value)).trim_end().to_owned()
}

/// Compares in how many runs a check failed, by the same test; `None` if it never did.
fn failures(base: &Metric, new: &Metric) -> Option<Row> {
    if base.status.is_none() || base.failed + new.failed == 0 {
        return None;
    }
    // A run that failed counts 1, another 0.
    let of = |metric: &Metric| -> Vec<f64> {
        (0..metric.judged).map(|run| f64::from(u8::from(run < metric.failed))).collect()
    };
    let found = Gate { shift: None, ratio: None, ..Gate::estimated(&of(base), &of(new)) };
    let differs = found.test.is_some_and(|test| test.p <= ALPHA);
    let is_more = found.test.is_some_and(|test| test.superiority > 0.5);
    let is_enough = base.judged.min(new.judged) >= RUNS_MIN;
    let (outcome, reason, why) = match (is_enough, differs, is_more) {
        (false, ..) => {
            let why = too_few((base.judged, new.judged));
            (RowOutcome::CannotGate, Some(RowReason::TooFewRuns), why)
        }
        (true, true, true) => {
            let why = "it fails in more runs".to_owned();
            (RowOutcome::Worse, Some(RowReason::FailsMoreOften), why)
        }
        (true, true, false) => (RowOutcome::Better, None, String::new()),
        (true, false, _) => (RowOutcome::NoChange, None, String::new()),
    };
    Some(Row {
        metric: format!("{} failed", base.name),
        reason,
        from: Some(base.failed as f64),
        to: Some(new.failed as f64),
        unit: "1".to_owned(),
        limit: None,
        why: why.into(),
        statistics: Some(found),
        ..Row::of(base, Some(new), outcome)
    })
}
