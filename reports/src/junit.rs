//! Verdicts as JUnit XML: one test suite per run, one test case per check.

use quick_junit::{NonSuccessKind, Property, Report, TestCase, TestCaseStatus, TestSuite};

use crate::console::number;
use crate::evaluate::Evaluation;
use crate::verdict::{Status, Verdict};

/// The XML of one or several runs. An inconclusive check is a failure of type `inconclusive`: a
/// reader that knows only pass and fail must not take it for a pass.
pub fn of_runs<'a>(
    name: &str,
    runs: impl IntoIterator<Item = &'a Evaluation>,
) -> Result<String, quick_junit::SerializeError> {
    let mut report = Report::new(name);
    for run in runs {
        let mut suite = TestSuite::new(run.facts.scenario.as_str());
        suite.add_property(Property::new("seed", run.facts.seed.to_string()));
        suite.add_property(Property::new("exit_code", run.exit_code().number().to_string()));
        suite.add_test_cases(run.verdicts.iter().map(test_case));
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
    let optional =
        [("measured", verdict.measured), ("limit", verdict.limit), ("bound", verdict.bound)];
    for (name, value) in optional {
        if let Some(value) = value {
            case.add_property(Property::new(name, value.to_string()));
        }
    }
    case.add_property(Property::new("unit", verdict.unit.as_str()));
    case.add_property(Property::new("n", verdict.n.to_string()));
    if !verdict.covers.is_empty() {
        case.add_property(Property::new("covers", verdict.covers.join(" ")));
    }
    if let (Status::Pass, Some(measured)) = (verdict.status, verdict.measured) {
        case.set_system_out(format!("{} {}: {}", number(measured), verdict.unit, verdict.why));
    }
    case
}
