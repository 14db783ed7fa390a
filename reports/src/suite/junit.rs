//! The runs of a suite in JUnit XML.

use crate::junit::{Case, Group, document, of_run, status_and_reason};
use crate::suite::{Suite, SuiteRun};
use lastmeter_record::Status;
use lastmeter_text::Prose;

/// The XML of a suite folder. A must-fail twin is one test case, which passes if the named check
/// failed, or was inconclusive, as it has to, and nothing else failed; a run that never started is
/// one test case in error.
pub(super) fn of_suite(suite: &Suite) -> String {
    let group = |run: &SuiteRun| in_quarantine(run, of_suite_run(suite, run));
    let groups: Vec<Group> = suite.runs.iter().map(group).collect();
    document(&suite.name, &groups)
}

fn of_suite_run(suite: &Suite, run: &SuiteRun) -> Group {
    let (judged, twin) = (run.judged(), run.twin.as_ref());
    if let (Some(evaluation), None) = (judged, twin) {
        let mut group = Group { name: run.scenario.clone(), ..of_run(evaluation) };
        group.cases.iter_mut().for_each(|case| case.attempts = attempts_of(run, &case.name));
        group.properties.extend(label(run));
        return group;
    }
    let group = match judged {
        Some(evaluation) => of_run(evaluation),
        None => Group {
            name: run.scenario.clone(),
            timestamp: suite.started,
            hostname: suite.host.clone(),
            time_s: 0.0,
            properties: Vec::new(),
            cases: Vec::new(),
        },
    };
    let mut properties = group.properties;
    let ours = ["exit_code", "reason"];
    properties.retain(|(name, _)| !ours.contains(name));
    properties.push(("exit_code", run.exit_code().number().to_string()));
    properties.push(("reason", run.reason().word().to_owned()));
    let name = twin.map(|twin| format!("must fail: {}", twin.check));
    let mut of_case = status_and_reason(run.status(), run.reason());
    if let Some(control) = twin.and_then(|twin| twin.control.as_ref()) {
        of_case.push(("control", control.status.word().to_owned()));
        of_case.push(("control_reason", control.reason.word().to_owned()));
    }
    let case = Case {
        name: name.unwrap_or_else(|| "run".to_owned()),
        classname: run.scenario.clone(),
        status: run.status(),
        why: run.why(),
        place: None,
        properties: of_case,
        attempts: run.attempts.iter().map(|it| (it.status, it.why.clone())).collect(),
    };
    properties.extend(label(run));
    Group { name: run.scenario.clone(), properties, cases: vec![case], ..group }
}

/// What a reader of JUnit is given of a run in quarantine: what is no pass is skipped, with what it
/// was; once that is over it has a case more, which failed.
fn in_quarantine(run: &SuiteRun, mut group: Group) -> Group {
    let Some(entry) = &run.quarantine else { return group };
    group.properties.push(("quarantine", entry.to_string()));
    if run.is_excused() {
        let bad = group.cases.iter_mut();
        let bad = bad.filter(|case| !matches!(case.status, Status::Pass | Status::Skipped));
        for case in bad {
            let why = case.why.take().unwrap_or_default();
            case.why = Some(format!("{entry}; it is {}: {why}", case.status).into());
            case.status = Status::Skipped;
        }
    }
    if entry.has_expired {
        group.cases.push(Case {
            name: "quarantine".to_owned(),
            classname: run.scenario.clone(),
            status: Status::Fail,
            why: Some(entry.to_string().into()),
            place: None,
            properties: Vec::new(),
            attempts: Vec::new(),
        });
    }
    group
}

/// What states that a run was made again.
fn label(run: &SuiteRun) -> Vec<(&'static str, String)> {
    if run.attempts.is_empty() {
        return Vec::new();
    }
    let count = run.attempts.len() + 1;
    vec![("attempts", count.to_string()), ("flaky", run.is_flaky().to_string())]
}

/// How a check ended in the attempts before, as far as that was no pass; what an attempt was that
/// has no verdicts stands at each.
fn attempts_of(run: &SuiteRun, check: &str) -> Vec<(Status, Option<Prose>)> {
    let mut found = Vec::new();
    for attempt in &run.attempts {
        if attempt.checks.is_empty() {
            found.push((attempt.status, attempt.why.clone()));
        }
        let own = attempt.checks.iter().filter(|it| it.check == check);
        found.extend(own.map(|it| (it.status, Some(it.why.clone()))));
    }
    found
}
