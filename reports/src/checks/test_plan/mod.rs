//! `test_plan`: the tests of a standard, judged point by point with the bench's own uncertainty.
//!
//! Larger than its budget: limits, guard bands and repetitions are judged test by test, and drawn
//! point by point.

pub(super) mod section;

use lastmeter_params::{Code, Diagnostics, Entry, Field, Kind, Pattern, Value, Values};
use lastmeter_units::SimTime;

use crate::check::kind::{Check, CheckContext, CheckKind, Needs, RecordTable, Section, finish};
use crate::standard::{
    Assessment, Assessor, Item, MISSING, Missing, TestResult, UNCONFIRMED, named, with_uncertainty,
};
use crate::verdict::{At, Because, Reason, Verdict, VerdictText, unfinished};
use lastmeter_plans::standard::{IN_THIS_PLAN, value_text};
use lastmeter_record::{Event, Observation, RunFacts, Status};
use lastmeter_text::{Prose, append, plural};

pub(super) const KIND: CheckKind = CheckKind {
    entry: Entry {
        name: "test_plan",
        summary: "tests of a standard's suite: within the limits of a class, with guard band",
        description: "Judges what the source of `[test_plan]` played, point by point: the readings \
            whose spans lie wholly within a point's measuring time make its error, its variation \
            against the point at reference conditions, its pulses without load and so on, as the \
            test plan states. The bench computes its own expanded uncertainty U (k = 2) of each value: \
            scatter of the readings, arithmetic, resolution, ends of spans, and \
            `bench_uncertainty`. |value| <= limit - U passes, |value| > limit + U fails, in \
            between it is too close to call and inconclusive. `tests` selects by name, also with \
            `*`; `class` holds the same points against another class than the claimed one. \
            `measured` and `limit` are those of the point that uses most of its limit.\n\n\
            A limit whose value was not confirmed in a source gives at best a pass with the \
            qualification `limit unconfirmed`, and a class of which the test plan lacks a clause, or of \
            which a test was skipped, a pass with `clauses missing`, which names them. A test that needs what the device does not report \
            is skipped with the reason, and so is one that does not fit the claim.",
        fields: &[
            Field::default(
                "tests",
                Kind::List(&Kind::Text),
                "[\"*\"]",
                "names of the test plan's tests, also with *",
            ),
            Field::optional("class", Kind::Text, "the class; the claimed one if left out"),
        ],
    },
    build,
    tables: &[RecordTable::Observations, RecordTable::Events],
    needs: Needs::TestPlan,
    section: Some(Section { place: 10, make: section::section }),
    ..CheckKind::PLAIN
};

struct TestPlanCheck {
    context: CheckContext,
    /// Anew from the start of the run on.
    assessor: Assessor,
    tests: Vec<Pattern>,
    class: usize,
}

fn build(values: &Values, context: CheckContext, out: &mut Diagnostics) -> Option<Box<dyn Check>> {
    let Some(plan) = context.plan.clone() else {
        let message = "a check of kind `test_plan` needs a `[test_plan]` in the scenario";
        let help = Some("write `[test_plan]` with `standard` and `device`".to_owned());
        let label = "`[test_plan]` is missing";
        out.report_with_help(Code::DOES_NOT_FIT, values.span_of("kind"), message, label, help);
        return None;
    };
    let mistakes = out.len();
    let class = match values.text_opt("class") {
        None => Some(plan.claim.class),
        Some(name) => plan.test_plan.class(name),
    };
    if class.is_none() {
        let message = format!("{} has no such class", plan.test_plan.name);
        let label = format!("expected one of {}", plan.test_plan.classes.join(", "));
        out.report(Code::UNKNOWN_REFERENCE, values.span_of("class"), message, label);
    }
    let played = || plan.test_plan.tests.iter().filter(|test| plan.is_selected(test));
    let mut tests = Vec::new();
    for (value, span) in values.list("tests") {
        let Value::Text(text) = value else { continue };
        let pattern = Pattern::new(text);
        if !played().any(|test| pattern.matches(&test.name)) {
            let names: Vec<&str> = played().map(|test| test.name.as_str()).collect();
            let message = format!("no test that is played fits `{text}`");
            let label = format!("there are {}", names.join(", "));
            out.report(Code::UNKNOWN_REFERENCE, *span, message, label);
        }
        tests.push(pattern);
    }
    if tests.is_empty() {
        let message = "a check of no tests judges nothing";
        out.report(Code::OUT_OF_RANGE, values.span_of("tests"), message, "expected a test");
    }
    let class = class.filter(|_| out.len() == mistakes)?;
    let assessor = Assessor::new((*plan).clone(), SimTime::default());
    Some(Box::new(TestPlanCheck { context, assessor, tests, class }))
}

impl Check for TestPlanCheck {
    fn begin(&mut self, facts: &RunFacts) {
        self.assessor = Assessor::new(self.assessor.plan().clone(), facts.start);
    }

    fn observation(&mut self, observation: &Observation<'_>) {
        self.assessor.observation(observation);
    }

    fn event(&mut self, _line: u64, event: &Event) {
        self.assessor.event(event);
    }

    fn verdict(&self, facts: &RunFacts) -> Verdict {
        let plan = self.assessor.plan();
        let mut assessment = self.assessor.assessment(self.class, facts);
        let missing = assessment.missing(plan);
        let tests = &plan.test_plan.tests;
        assessment.tests.retain(|result| {
            self.tests.iter().any(|pattern| pattern.matches(&tests[result.test].name))
        });
        let mut verdict = self.judged(&assessment, &missing);
        // Of a run that was cut short every check reports it in the same words.
        if unfinished(facts).is_some() {
            return finish(verdict, facts);
        }
        let doubt = assessment.doubt(verdict.status);
        if let Some(Because { reason, why: doubt }) = doubt {
            verdict.set_reason(*reason);
            verdict.why = format!("{doubt}; otherwise {}", verdict.why).into();
        }
        finish(verdict, facts)
    }
}

impl TestPlanCheck {
    fn judged(&self, assessment: &Assessment, missing: &[Missing]) -> Verdict {
        let plan = self.assessor.plan();
        let class = &plan.test_plan.classes[self.class];
        let judged: Vec<&TestResult> =
            assessment.tests.iter().filter(|test| test.skipped.is_none()).collect();
        let skipped: Vec<String> = assessment
            .tests
            .iter()
            .filter_map(|test| {
                let name = &plan.test_plan.tests[test.test].name;
                Some(format!("{name}: {}", test.skipped.as_ref()?.reason()))
            })
            .collect();
        let status = assessment.status().unwrap_or(Status::Inconclusive);
        // By status first: what fails decides, however small a share of its limit it used.
        let worst = judged
            .iter()
            .filter_map(|test| Some((*test, test.worst()?)))
            .max_by(|a, b| a.1.status.cmp(&b.1.status).then(a.1.share().total_cmp(&b.1.share())));
        let n = judged.iter().flat_map(|test| &test.items);
        let n = n.filter(|item| item.figures.is_some()).count() as u64;
        let mut why = match worst {
            Some((test, item)) => {
                let name = &plan.test_plan.tests[test.test].name;
                let place = item.planned.coordinates.describe(&plan.test_plan);
                format!("{name} at {place}: {}", describe(item))
            }
            None if skipped.is_empty() => "nothing was judged".to_owned(),
            None => "every test is skipped".to_owned(),
        };
        let outside = items(&judged).filter(|item| item.status == status).count() as u64;
        if status >= Status::Inconclusive && outside > 1 {
            why = format!("{outside} of {} points {status}; {why}", items(&judged).count());
        }
        if !skipped.is_empty() {
            let count = plural(skipped.len() as u64, "test");
            why = format!("{why}; {count} skipped ({})", skipped.join("; "));
        }
        let qualification = self.qualification(assessment, status, missing);
        let mut of_class = format!("class {class}");
        if status == Status::Pass && !missing.is_empty() {
            let missing = named(missing);
            append(&mut why, format_args!("; {of_class} {IN_THIS_PLAN}, not in {missing}"));
            append(&mut of_class, format_args!(" {IN_THIS_PLAN}"));
        }
        let mut basis = format!("{of_class}, {}", plural(n, "point"));
        if let Some(qualification) = &qualification {
            append(&mut basis, format_args!(", {qualification}"));
        }
        let figures = worst.and_then(|(_, item)| item.figures.as_ref());
        let unit = figures.map_or("%", |figures| figures.unit.as_str());
        let reason = match (n, status) {
            (0, Status::Inconclusive) => Reason::NothingToJudge,
            _ => Reason::of(status),
        };
        let mut verdict = self.context.verdict(reason, unit, why);
        verdict.n = n;
        verdict.qualification = qualification;
        if let (Some((_, item)), Some(figures)) = (worst, figures) {
            verdict.measured = Some(figures.value.abs());
            verdict.limit = Some(item.planned.figure.value());
            verdict.told = Some(VerdictText { measured: with_uncertainty(item), basis });
            verdict.at = Some(At {
                device: Some(plan.claim.device.clone()),
                quantity: figures.quantity.map(|id| id.name().to_owned()),
                time: figures.at,
                ..At::default()
            });
        }
        verdict
    }

    /// What the status is worth less by: what decides rests on limits from memory, or a pass is by
    /// a plan that lacks something of the class.
    fn qualification(
        &self,
        assessment: &Assessment,
        status: Status,
        missing: &[Missing],
    ) -> Option<String> {
        let mut unconfirmed = assessment.unconfirmed(self.assessor.plan());
        let is_from_memory = match status {
            Status::Pass => unconfirmed.next().is_some(),
            // Against one confirmed limit a fail is a fail.
            Status::Fail => {
                let failed = |item: &&Item| item.status == Status::Fail;
                let all = assessment.tests.iter().flat_map(|test| &test.items).filter(failed);
                let all = all.count();
                unconfirmed.filter(failed).count() == all
            }
            _ => false,
        };
        let lacks = status == Status::Pass && !missing.is_empty();
        let worth = [(is_from_memory, UNCONFIRMED), (lacks, MISSING)];
        let worth: Vec<&str> =
            worth.iter().filter(|(holds, _)| *holds).map(|(_, word)| *word).collect();
        (!worth.is_empty()).then(|| worth.join(", "))
    }
}

fn items<'a>(judged: &'a [&'a TestResult]) -> impl Iterator<Item = &'a Item> {
    judged.iter().flat_map(|test| &test.items)
}

fn describe(item: &Item) -> String {
    let Some(figures) = &item.figures else { return item.why.to_string() };
    let limit = value_text(item.planned.figure, &figures.unit);
    let is_clear = item.why == Prose::default();
    let why = if is_clear { String::new() } else { format!(": {}", item.why) };
    format!("{}, limit {limit}{why}", with_uncertainty(item))
}

#[cfg(test)]
mod tests;
