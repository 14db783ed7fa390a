//! The comparison in virtual time, where nothing scatters.

use std::path::Path;

use lastmeter_record::{Status, file};
use lastmeter_text::{apart, number};

use super::metric::{Metric, RUN};
use super::side::Group;
use super::{Compared, Difference, Row, RowOutcome, RowReason};

/// What repeats of a run have in common, byte for byte.
const FILES: [&str; 3] = [file::VERDICTS, file::OBSERVATIONS, file::EVENTS];

pub(super) fn compare(base: &Group, new: &Group) -> Compared {
    let mut one = Compared::of(base, new);
    if let Some(first) = base.folders.first() {
        let others = base.folders[1..].iter().chain(&new.folders);
        let differing = others.map(|other| differences(first, other));
        one.differences = differing.max_by_key(Vec::len).unwrap_or_default();
    }
    // Of a run that left no record there is its status alone.
    let has_checks = new.metrics.iter().any(|metric| metric.name != RUN);
    let values = base.metrics.iter().filter(|metric| metric.name != RUN && has_checks);
    one.rows = values.map(|metric| row(metric, new.counterpart(base, metric))).collect();
    let only_new = new.metrics.iter().filter(|metric| base.metric(&metric.name).is_none());
    one.rows.extend(only_new.filter(|metric| metric.name != RUN).map(|metric| Row {
        from: None,
        from_status: None,
        to: metric.values.first().copied(),
        to_status: metric.status,
        ..Row::of(metric, None, RowOutcome::New)
    }));
    // A run is worse by itself where none of its checks shows it.
    let shows = |row: &Row| matches!(row.outcome, RowOutcome::Worse | RowOutcome::CannotGate);
    if let (Some(before), Some(after)) = (base.metric(RUN), new.metric(RUN))
        && !one.rows.iter().any(shows)
    {
        one.rows.push(row(before, Some(after)));
    }
    one
}

/// How the check of a base ended in new runs.
fn row(base: &Metric, new: Option<&Metric>) -> Row {
    let Some(new) = new else {
        return Row::of(base, None, RowOutcome::Worse)
            .because(RowReason::Gone, "the new run does not have it");
    };
    let worst = worst_value(base, new);
    let of = |outcome| Row { to: worst, ..Row::of(base, Some(new), outcome) };
    match (base.status, new.status) {
        (Some(Status::Pass), Some(Status::Skipped)) => of(RowOutcome::CannotGate)
            .because(RowReason::NotEvaluated, "it was skipped in the new run"),
        (before, after) if after > before => {
            of(RowOutcome::Worse).because(RowReason::Status, "it ended worse")
        }
        (before, after) if after < before => of(RowOutcome::Better),
        _ => nearer(base, new, worst, of),
    }
}

/// Of several new runs the value that is worst.
fn worst_value(base: &Metric, new: &Metric) -> Option<f64> {
    let badness = |value: &f64| base.badness(*value).unwrap_or(0.0);
    new.values.iter().copied().max_by(|a, b| badness(a).total_cmp(&badness(b)))
}

/// Compares values where the status is the same.
fn nearer(base: &Metric, new: &Metric, worst: Option<f64>, of: impl Fn(RowOutcome) -> Row) -> Row {
    let before = base.values.first().copied();
    if before == worst && (base.limit, base.limit_low) == (new.limit, new.limit_low) {
        return of(RowOutcome::Equal);
    }
    let badness = before
        .zip(worst)
        .and_then(|(before, after)| Some((base.badness(before)?, base.badness(after)?)));
    let Some((before, after)) = badness else { return of(RowOutcome::Changed) };
    let tolerance = base.tolerance();
    let change = after - before;
    let is_beyond = change.abs() > tolerance.relative * before && change.abs() > tolerance.absolute;
    if !is_beyond {
        let changed = of(RowOutcome::Changed);
        let limits = base.limit.zip(new.limit).filter(|(before, after)| before != after);
        return match limits.map(|(before, after)| apart(before, after)) {
            None => changed,
            Some((before, after)) => changed
                .because(RowReason::OtherLimit, format!("its limit was {before} and is {after}")),
        };
    }
    if change < 0.0 {
        return of(RowOutcome::Better);
    }
    let limit = base.limit.map_or_else(String::new, |limit| {
        let limit = format!("{} {}", number(limit), if base.unit == "1" { "" } else { &base.unit });
        format!(" of {}", limit.trim_end())
    });
    let (before, after) = apart(before, after);
    let from_middle =
        if base.limit_low.is_some() { ", off the middle of what is allowed" } else { "" };
    let why = format!("nearer its limit{limit}: {before} to {after}{from_middle}");
    of(RowOutcome::Worse).because(RowReason::NearerLimit, why)
}

/// The compared files that differ in two run folders.
fn differences(base: &Path, new: &Path) -> Vec<Difference> {
    let differing = FILES.iter().filter_map(|name| {
        let read = |dir: &Path| std::fs::read(dir.join(name)).ok();
        let line = match (read(base), read(new)) {
            (a, b) if a == b => return None,
            (Some(a), Some(b)) => Some(first_difference(&a, &b)),
            _ => None,
        };
        Some(Difference { file: (*name).to_owned(), line })
    });
    differing.collect()
}

/// The first line in which two texts differ, from 1.
fn first_difference(a: &[u8], b: &[u8]) -> u64 {
    let same = a.iter().zip(b).take_while(|(a, b)| a == b).count();
    a[..same].split(|byte| *byte == b'\n').count() as u64
}
