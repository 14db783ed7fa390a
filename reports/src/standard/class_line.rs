//! The conclusion on a class.

use super::assess::{Assessment, TestResult};
use super::folder::Assessed;
use lastmeter_plans::standard::{IN_THIS_PLAN, Skip};

use super::missing::{MISSING, Missing, UNCONFIRMED, named};
use lastmeter_record::Status;
use lastmeter_text::{append, plural};
use serde::Serialize;

/// The conclusion on one class.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ClassLine {
    /// The class.
    pub class: String,
    /// Pass: met, in the tests that the plan has; fail: not met; inconclusive: cannot be decided;
    /// skipped: not tested.
    pub status: Status,
    /// In words.
    pub text: String,
    /// What a pass is worth less by: `limit unconfirmed`, `clauses missing`.
    pub qualification: Option<String>,
    /// What the class asks for and was not tested.
    pub missing: Vec<Missing>,
}

impl Assessed {
    /// The conclusion on each class, the claimed one first.
    pub fn summary(&self) -> Vec<ClassLine> {
        let claimed = self.plan.claim.class;
        let mut lines: Vec<ClassLine> =
            self.classes.iter().map(|assessment| self.class_line(assessment)).collect();
        let first = lines.remove(claimed);
        lines.insert(0, first);
        lines
    }

    fn class_line(&self, assessment: &Assessment) -> ClassLine {
        let class = self.plan.test_plan.classes[assessment.class].clone();
        let missing = assessment.missing(&self.plan);
        let judged = assessment.tests.iter().filter(|test| test.skipped.is_none());
        let judged: Vec<&TestResult> = judged.collect();
        let Some(status) = Status::worst_of(judged.iter().map(|test| test.status)) else {
            let text = "not tested: every test of it is skipped".to_owned();
            return ClassLine {
                class,
                status: Status::Skipped,
                text,
                qualification: None,
                missing,
            };
        };
        let (status, text, qualification) = match status {
            Status::Pass => self.met(assessment, &judged, &missing),
            _ => self.not_met(status, &judged),
        };
        let (status, text) = match assessment.doubt(status) {
            Some(doubt) => (doubt.status(), format!("{}; otherwise {text}", doubt.why)),
            None => (status, text),
        };
        ClassLine { class, status, text, qualification, missing }
    }

    /// Of a class all of whose judged tests pass.
    fn met(
        &self,
        assessment: &Assessment,
        judged: &[&TestResult],
        missing: &[Missing],
    ) -> (Status, String, Option<String>) {
        let test_plan = &self.plan.test_plan;
        let is_gap = |test: &&TestResult| test.skipped.as_ref().is_some_and(Skip::is_gap);
        let gaps: Vec<&str> = assessment
            .tests
            .iter()
            .filter(is_gap)
            .map(|test| test_plan.tests[test.test].name.as_str())
            .collect();
        let tests = plural(judged.len() as u64, "test");
        if !gaps.is_empty() {
            let (met, all) = (judged.len(), judged.len() + gaps.len());
            let mut text = format!("partly tested: met in {met} of {all}; not {}", listed(&gaps));
            let skipped = assessment.tests.iter().filter(|test| test.skipped.is_some()).count();
            // Skipped tests are among what is missing; this counts the clauses.
            if missing.len() > skipped {
                let clauses = plural((missing.len() - skipped) as u64, "clause");
                append(&mut text, format_args!(", nor in {clauses} that the test plan lacks"));
            }
            return (Status::Inconclusive, text, None);
        }
        let from_memory = |test: &&&TestResult| {
            let limits = &test_plan.tests[test.test].limits;
            test.items.iter().any(|item| !limits[item.planned.limit].confirmed)
        };
        let from_memory: Vec<&str> = judged
            .iter()
            .filter(from_memory)
            .map(|test| test_plan.tests[test.test].name.as_str())
            .collect();
        let mut text = match missing {
            [] => format!("met in {tests}"),
            _ => format!("met {IN_THIS_PLAN} ({tests})"),
        };
        let mut worth = Vec::new();
        if !from_memory.is_empty() {
            let which = match from_memory.len() {
                all if all == judged.len() => "all of them".to_owned(),
                1..4 => from_memory.join(", "),
                some => format!("{some} of them"),
            };
            append(&mut text, format_args!("; {UNCONFIRMED} in {which}"));
            worth.push(UNCONFIRMED);
        }
        if !missing.is_empty() {
            append(&mut text, format_args!("; not in it: {}", named(missing)));
            worth.push(MISSING);
        }
        (Status::Pass, text, Some(worth.join(", ")).filter(|worth| !worth.is_empty()))
    }

    /// Of a class of which a judged test does not pass.
    fn not_met(&self, status: Status, judged: &[&TestResult]) -> (Status, String, Option<String>) {
        let test_plan = &self.plan.test_plan;
        let bad: Vec<&&TestResult> = judged.iter().filter(|test| test.status == status).collect();
        let word = if status == Status::Fail { "fails" } else { "undecided" };
        let first = bad.first().and_then(|test| Some((*test, test.worst()?)));
        let place = first.map_or_else(String::new, |(test, item)| {
            format!(" at {}, {}", test_plan.tests[test.test].name, self.describe_item(item))
        });
        let more = match bad.len() {
            0 | 1 => String::new(),
            count => format!("; and in {}", plural(count as u64 - 1, "more test")),
        };
        let confirmed = first.is_none_or(|(test, item)| {
            test_plan.tests[test.test].limits[item.planned.limit].confirmed
        });
        let qualification = (!confirmed).then(|| UNCONFIRMED.to_owned());
        (status, format!("{word}{place}{more}"), qualification)
    }
}

/// `voltage, frequency`; of many the first three.
fn listed(names: &[&str]) -> String {
    match names {
        [a, b, c, rest @ ..] if rest.len() > 1 => format!("{a}, {b}, {c} and {} more", rest.len()),
        _ => names.join(", "),
    }
}
