//! Runs that are made again after one that was no pass: each attempt keeps its folder.

use std::path::Path;

use lastmeter_record::Status;
use lastmeter_reports::suite::{ATTEMPTS, Attempt, AttemptedCheck, Outcome, SuiteRun};
use serde_json::json;

use crate::run::Console;
use crate::stop::Stop;

/// Runs until it passes, or until there is no further attempt.
pub(super) fn until_pass(
    retries: u16,
    base: &Path,
    console: &mut Console<'_>,
    stop: &Stop,
    mut run: impl FnMut(&mut Console<'_>) -> SuiteRun,
) -> SuiteRun {
    let mut attempts = Vec::new();
    loop {
        let done = run(console);
        let is_last = attempts.len() >= usize::from(retries) || stop.borrow().is_some();
        if is_last || !may_end_otherwise(&done) {
            return SuiteRun { attempts, ..done };
        }
        match put_aside(base, &done, attempts.len() + 1) {
            Ok(attempt) => attempts.push(attempt),
            Err(message) => {
                console.error(&format!("error: {message}"));
                return SuiteRun { attempts, ..done };
            }
        }
        print_next(console, &done, attempts.len() + 1, usize::from(retries) + 1);
    }
}

/// Whether another attempt may end otherwise: the run was no pass, and has ended by itself.
fn may_end_otherwise(run: &SuiteRun) -> bool {
    let is_no_pass = !matches!(run.status(), Status::Pass | Status::Skipped);
    // A file that is broken stays so.
    let has_begun = match &run.outcome {
        Outcome::Judged(_) => true,
        Outcome::NotRun { reason, .. } => *reason == lastmeter_reports::Reason::BenchBroke,
    };
    is_no_pass && has_begun
}

/// Puts the folder of a run aside, so that the next attempt has its place. The error states why
/// that cannot be.
fn put_aside(base: &Path, run: &SuiteRun, number: usize) -> Result<Attempt, String> {
    let folder = run.folder.as_deref().unwrap_or(&run.scenario);
    let aside = format!("{ATTEMPTS}/{folder}/{number}");
    let (from, to) = (base.join(folder), base.join(&aside));
    let moved = to.parent().map_or(Ok(()), std::fs::create_dir_all).and_then(|()| {
        // A bench that broke before it had a record has none.
        if from.exists() { std::fs::rename(&from, &to) } else { Ok(()) }
    });
    moved.map_err(|error| format!("{} cannot be put aside: {error}", from.display()))?;
    let checks = run.judged().map(|judged| &judged.verdicts[..]).unwrap_or_default().iter();
    let checks = checks.filter(|it| !matches!(it.status, Status::Pass | Status::Skipped));
    let check = |verdict: &lastmeter_reports::Verdict| AttemptedCheck {
        check: verdict.check.clone(),
        status: verdict.status,
        why: verdict.why.clone(),
    };
    Ok(Attempt {
        folder: aside,
        status: run.status(),
        reason: run.reason(),
        why: run.why(),
        checks: checks.map(check).collect(),
    })
}

fn print_next(console: &Console<'_>, run: &SuiteRun, number: usize, of: usize) {
    let text = format!("Retry    attempt {number} of {of}: it was {}", run.status());
    let value = json!({
        "event": "retry", "scenario": run.scenario, "attempt": number, "of": of,
        "reason": run.reason(),
    });
    console.text_or_json(&text, value);
}
