//! A run folder's suite, read and held against every class.

use std::path::Path;

use lastmeter_params::{Diagnostics, SourceId, parse_document};

use super::assess::{Assessment, Assessor, Item, TestResult};
use super::of_scenario::plan_of;
use super::plan::{Plan, Skip};
use super::tell::figure_told;
use crate::check::suite::{UNCONFIRMED, with_uncertainty};
use crate::record::{RecordError, RunReader, changed};
use crate::text::plural;
use crate::verdict::Status;

/// What a run says of its suite.
#[derive(Clone, Debug)]
pub struct Assessed {
    /// What was played and judged.
    pub plan: Plan,
    /// For each class of the suite, in its order.
    pub classes: Vec<Assessment>,
}

impl Assessed {
    /// Reads a run folder; `None` if its scenario has no suite, or none that this version reads.
    pub fn read(dir: &Path) -> Result<Option<Self>, RecordError> {
        Self::of(&RunReader::open(dir)?)
    }

    /// Like [`Self::read`], of an open folder. A record that cannot be read to its end, or that is
    /// not what the run wrote, is in doubt as a whole.
    pub(crate) fn of(reader: &RunReader) -> Result<Option<Self>, RecordError> {
        let text = reader.scenario_toml()?;
        let document = parse_document(&text, SourceId::FILE, &mut Diagnostics::new());
        let facts = reader.facts();
        let Some(plan) = plan_of(&document, &facts.files, &mut Diagnostics::new()) else {
            return Ok(None);
        };
        let mut assessor = Assessor::new(plan, facts.start);
        let mut events = reader.open_events(true)?;
        for event in &mut events {
            match event {
                Ok((_, event)) => assessor.event(&event),
                Err(error) => assessor.unreadable(format!("the record cannot be read: {error}")),
            }
        }
        let mut rows = reader.open_observations(true)?;
        let mut count = 0;
        loop {
            match rows.next_row() {
                Ok(Some(row)) => {
                    assessor.observation(&row);
                    count += 1;
                }
                Ok(None) => break,
                Err(error) => {
                    assessor.unreadable(format!("the record cannot be read: {error}"));
                    break;
                }
            }
        }
        if let Some(why) = changed(facts, &text, &[events.found(), rows.found(count)]) {
            assessor.unreadable(why);
        }
        let plan = assessor.plan().clone();
        let classes = (0..plan.suite.classes.len()).map(|class| assessor.assessment(class, facts));
        Ok(Some(Self { classes: classes.collect(), plan }))
    }

    /// What is said of the claimed class.
    pub fn claimed(&self) -> &Assessment {
        &self.classes[self.plan.claim.class]
    }

    /// What is said of each class, the claimed one first.
    pub fn summary(&self) -> Vec<ClassLine> {
        let claimed = self.plan.claim.class;
        let mut lines: Vec<ClassLine> =
            self.classes.iter().map(|assessment| self.class_line(assessment)).collect();
        let first = lines.remove(claimed);
        lines.insert(0, first);
        lines
    }

    fn class_line(&self, assessment: &Assessment) -> ClassLine {
        let suite = &self.plan.suite;
        let class = suite.classes[assessment.class].clone();
        let judged = assessment.tests.iter().filter(|test| test.skipped.is_none());
        let judged: Vec<&TestResult> = judged.collect();
        let status = Status::worst_of(judged.iter().map(|test| test.status));
        let gaps: Vec<&str> = assessment
            .tests
            .iter()
            .filter(|test| test.skipped.as_ref().is_some_and(Skip::is_gap))
            .map(|test| suite.tests[test.test].name.as_str())
            .collect();
        let Some(status) = status else {
            let text = "not tested: every test of it is skipped".to_owned();
            return ClassLine { class, status: Status::Skipped, text, qualification: None };
        };
        let bad: Vec<&&TestResult> = judged.iter().filter(|test| test.status == status).collect();
        let tests = plural(judged.len() as u64, "test");
        let from_memory = |test: &&&TestResult| {
            let limits = &suite.tests[test.test].limits;
            test.items.iter().any(|item| !limits[item.planned.limit].confirmed)
        };
        let from_memory: Vec<&str> = judged
            .iter()
            .filter(from_memory)
            .map(|test| suite.tests[test.test].name.as_str())
            .collect();
        let (text, qualification) = match status {
            Status::Pass if !gaps.is_empty() => {
                let all = judged.len() + gaps.len();
                let missing = listed(&gaps);
                (format!("partly tested: met in {} of {all}; not {missing}", judged.len()), None)
            }
            Status::Pass if from_memory.is_empty() => (format!("met in {tests}"), None),
            Status::Pass => {
                let which = match from_memory.len() {
                    all if all == judged.len() => "all of them".to_owned(),
                    1..4 => from_memory.join(", "),
                    some => format!("{some} of them"),
                };
                let text = format!("met in {tests}; {UNCONFIRMED} in {which}");
                (text, Some(UNCONFIRMED.to_owned()))
            }
            _ => {
                let word = if status == Status::Fail { "fails" } else { "cannot say" };
                let first = bad.first().and_then(|test| Some((*test, test.worst()?)));
                let place = first.map_or_else(String::new, |(test, item)| {
                    format!(" at {}, {}", suite.tests[test.test].name, self.item_told(item))
                });
                let more = match bad.len() {
                    0 | 1 => String::new(),
                    count => format!("; and in {}", plural(count as u64 - 1, "more test")),
                };
                let confirmed = first.is_none_or(|(test, item)| {
                    suite.tests[test.test].limits[item.planned.limit].confirmed
                });
                let qualification = (!confirmed).then(|| UNCONFIRMED.to_owned());
                (format!("{word}{place}{more}"), qualification)
            }
        };
        let status = match status {
            Status::Pass if !gaps.is_empty() => Status::Inconclusive,
            status => status,
        };
        let (status, text) = match assessment.doubt(status) {
            Some(doubt) => (doubt.status(), format!("{}; otherwise {text}", doubt.why)),
            None => (status, text),
        };
        ClassLine { class, status, text, qualification }
    }

    /// `In, PF 1: 0.31 ± 0.002 %, limit 0.2 %`.
    pub fn item_told(&self, item: &Item) -> String {
        let place = item.planned.coordinates.told(&self.plan.suite);
        match &item.figures {
            None => format!("{place}: {}", item.why),
            Some(figures) => {
                let limit = figure_told(item.planned.figure, &figures.unit);
                format!("{place}: {}, limit {limit}", with_uncertainty(item))
            }
        }
    }
}

/// `voltage, frequency`; of many the first three.
fn listed(names: &[&str]) -> String {
    match names {
        [a, b, c, rest @ ..] if rest.len() > 1 => format!("{a}, {b}, {c} and {} more", rest.len()),
        _ => names.join(", "),
    }
}

/// What is said of one class.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClassLine {
    /// The class.
    pub class: String,
    /// Pass: met; fail: not met; inconclusive: cannot say; skipped: not tested.
    pub status: Status,
    /// In words.
    pub text: String,
    /// `limit unconfirmed` where what is said rests on one.
    pub qualification: Option<String>,
}
