//! Verdicts as JUnit XML: one test suite per run, one test case per check.

use quick_junit::{NonSuccessKind, Property, Report, TestCase, TestCaseStatus, TestSuite};

use crate::console::exact;
use crate::evaluate::Evaluation;
use crate::suite::{Outcome, SuiteRun};
use crate::verdict::{Status, Verdict};

/// The XML of one or several runs. An inconclusive check is a failure of type `inconclusive`: a
/// reader that knows only pass and fail must not take it for a pass.
pub fn of_runs<'a>(
    name: &str,
    runs: impl IntoIterator<Item = &'a Evaluation>,
) -> Result<String, quick_junit::SerializeError> {
    let mut report = Report::new(name);
    for run in runs {
        let mut suite = suite_of(run);
        suite.add_test_cases(run.verdicts.iter().map(test_case));
        report.add_test_suite(suite);
    }
    report.to_string()
}

fn suite_of(run: &Evaluation) -> TestSuite {
    let mut suite = TestSuite::new(run.facts.scenario.as_str());
    suite.add_property(Property::new("seed", run.facts.seed.to_string()));
    suite.add_property(Property::new("exit_code", run.exit_code().number().to_string()));
    suite
}

/// The XML of a suite folder. A must-fail twin is one test case, which passes if the named check
/// failed, or was inconclusive, as it has to, and nothing else failed; a run that never started is
/// one test case in error.
pub(crate) fn of_suite(
    name: &str,
    runs: &[SuiteRun],
) -> Result<String, quick_junit::SerializeError> {
    let mut report = Report::new(name);
    for run in runs {
        let suite = match (&run.outcome, &run.twin) {
            (Outcome::Judged(evaluation), None) => {
                let mut suite = suite_of(evaluation);
                suite.add_test_cases(evaluation.verdicts.iter().map(test_case));
                suite
            }
            (outcome, twin) => {
                let mut suite = TestSuite::new(run.scenario.as_str());
                let check = twin.as_ref().map(|twin| format!("must fail: {}", twin.check));
                let status = match run.why() {
                    None => TestCaseStatus::success(),
                    Some(why) => {
                        let kind = match outcome {
                            Outcome::Judged(_) => NonSuccessKind::Failure,
                            Outcome::NotRun { .. } => NonSuccessKind::Error,
                        };
                        let mut status = TestCaseStatus::non_success(kind);
                        status.set_message(why);
                        status
                    }
                };
                let mut case = TestCase::new(check.unwrap_or_else(|| "run".to_owned()), status);
                case.set_classname(run.scenario.as_str());
                suite.add_test_case(case);
                suite
            }
        };
        report.add_test_suite(suite);
    }
    report.to_string()
}

fn test_case(verdict: &Verdict) -> TestCase {
    let non_success = |kind: NonSuccessKind| {
        let mut status = TestCaseStatus::non_success(kind);
        status.set_type(verdict.status.word()).set_message(verdict.why.as_str());
        if let Some(at) = &verdict.at {
            status.set_description(at.to_string());
        }
        status
    };
    let status = match verdict.status {
        Status::Pass => TestCaseStatus::success(),
        Status::Skipped => {
            let mut status = TestCaseStatus::skipped();
            status.set_message(verdict.why.as_str());
            status
        }
        Status::Inconclusive | Status::Fail => non_success(NonSuccessKind::Failure),
        Status::Error => non_success(NonSuccessKind::Error),
    };
    let mut case = TestCase::new(verdict.check.as_str(), status);
    case.set_classname(verdict.scenario.as_str());
    case.add_property(Property::new("status", verdict.status.word()));
    case.add_property(Property::new("reason", verdict.reason.word()));
    let optional =
        [("measured", verdict.measured), ("limit", verdict.limit), ("bound", verdict.bound)];
    for (name, value) in optional {
        if let Some(value) = value {
            case.add_property(Property::new(name, exact(value)));
        }
    }
    case.add_property(Property::new("unit", verdict.unit.as_str()));
    case.add_property(Property::new("n", verdict.n.to_string()));
    if !verdict.covers.is_empty() {
        case.add_property(Property::new("covers", verdict.covers.join(" ")));
    }
    if let Some(qualification) = &verdict.qualification {
        case.add_property(Property::new("qualification", qualification.as_str()));
    }
    if verdict.status == Status::Pass {
        case.set_system_out(verdict.why.as_str());
    }
    case
}
