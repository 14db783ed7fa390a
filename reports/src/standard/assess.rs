//! Holds what the record shows of a plan against a class.

use lastmeter_units::Quantity;

use super::assessor::{Assessor, Figures};
use super::point_error::{NoValue, PointError};
use super::readings::PointRecord;
use super::uncertainty::{self, Budget, decide};
use crate::verdict::unfinished;
use crate::verdict::{Because, Reason};
use lastmeter_plans::standard::{
    Evaluate, LimitFigure, Plan, PlannedItem, PlannedTest, Skip, Subject, Test,
};
use lastmeter_record::{RunFacts, Status};
use lastmeter_text::{Prose, number};

/// One item, judged.
#[derive(Clone, Debug, PartialEq)]
pub struct Item {
    /// What was planned.
    pub planned: PlannedItem,
    /// The outcome.
    pub status: Status,
    /// The figures, if there are any.
    pub figures: Option<Figures>,
    /// Why, where the figures do not show it.
    pub why: Prose,
}

impl Item {
    /// Which share of the limit is used, uncertainty included; infinite for what is no number.
    pub fn share(&self) -> f64 {
        let Some(figures) = &self.figures else { return 0.0 };
        let used = figures.value.abs() + figures.budget.expanded();
        let share = used / self.planned.figure.value();
        if share.is_nan() { f64::INFINITY } else { share }
    }
}

/// One test, judged.
#[derive(Clone, Debug, PartialEq)]
pub struct TestResult {
    /// By its place in the test plan.
    pub test: usize,
    /// The outcome.
    pub status: Status,
    /// Why it was skipped, if so.
    pub skipped: Option<Skip>,
    /// Its items.
    pub items: Vec<Item>,
}

impl TestResult {
    /// The item that decides: the worst status, and of those the largest share of its limit.
    pub fn worst(&self) -> Option<&Item> {
        let key = |item: &&Item| (item.status, item.share());
        self.items.iter().max_by(|a, b| {
            let (a, b) = (key(a), key(b));
            a.0.cmp(&b.0).then(a.1.total_cmp(&b.1))
        })
    }
}

/// `0.012 % ± 0.0004 %`.
pub fn with_uncertainty(item: &Item) -> String {
    let Some(figures) = &item.figures else { return "-".to_owned() };
    let unit = if figures.unit == "1" { "pulses" } else { figures.unit.as_str() };
    format!("{} {unit}", lastmeter_text::with_uncertainty(figures.value, figures.budget.expanded()))
}

/// What the record shows of a plan, for one class.
#[derive(Clone, Debug, PartialEq)]
pub struct Assessment {
    /// The class, as the test plan's list counts.
    pub class: usize,
    /// The tests, in the test plan's order.
    pub tests: Vec<TestResult>,
    /// What all of it comes to at best, and why, where the run itself leaves doubts.
    pub doubt: Option<Because>,
}

impl Assessment {
    /// The status of all tests together; `None` without any. Doubts about the run are not in it.
    pub fn status(&self) -> Option<Status> {
        Status::worst_of(self.tests.iter().map(|test| test.status))
    }

    /// What a status comes to instead where the run itself leaves doubts; `None` if it stands.
    pub fn doubt(&self, status: Status) -> Option<&Because> {
        self.doubt.as_ref().filter(|doubt| status <= doubt.status())
    }

    /// The items of some tests whose limits are not confirmed, among those that were judged.
    pub fn unconfirmed<'a>(&'a self, plan: &'a Plan) -> impl Iterator<Item = &'a Item> {
        self.tests.iter().flat_map(move |result| {
            let limits = &plan.test_plan.tests[result.test].limits;
            result.items.iter().filter(|item| !limits[item.planned.limit].confirmed)
        })
    }
}

impl Assessor {
    /// How it stands with a class after such a run.
    pub fn assessment(&self, class: usize, facts: &RunFacts) -> Assessment {
        let points = self.gathered.points();
        let tests = self.plan.for_class(class);
        let tests = tests.into_iter().map(|test| self.test(test, &points)).collect();
        Assessment { class, tests, doubt: self.doubt(facts) }
    }

    fn doubt(&self, facts: &RunFacts) -> Option<Because> {
        let unreadable = self
            .unreadable
            .as_ref()
            .map(|why| Because::new(Reason::RecordUnreadable, why.as_str()));
        let unfinished = unfinished(facts).map(|(reason, why)| Because::new(reason, why));
        unreadable.or(unfinished).or_else(|| {
            let why = "the input may exceed the converter's range, which is modelled with \
                       fidelity = \"samples\" only";
            self.beyond_range.then(|| Because::new(Reason::BeyondRange, why))
        })
    }

    fn test(&self, planned: PlannedTest, points: &[PointRecord]) -> TestResult {
        let test = &self.plan.test_plan.tests[planned.test];
        let skipped = planned.skipped.or_else(|| self.not_reported(test));
        if let Some(skip) = &skipped {
            let status = match skip {
                // The class asks something that is not known here.
                Skip::NoLimit(_) => Status::Inconclusive,
                Skip::NotAsked(_) | Skip::Missing(_) => Status::Skipped,
            };
            return TestResult { test: planned.test, status, skipped, items: Vec::new() };
        }
        let items: Vec<Item> =
            planned.items.into_iter().map(|item| self.item(test, item, points)).collect();
        let status = Status::worst_of(items.iter().map(|item| item.status));
        let status = status.unwrap_or(Status::Inconclusive);
        TestResult { test: planned.test, status, skipped: None, items }
    }

    /// Why a test cannot be judged of this device at all, if so.
    fn not_reported(&self, test: &Test) -> Option<Skip> {
        if self.gathered.rows == 0 {
            return None;
        }
        let seen = |quantity: &dyn Fn(Quantity) -> bool| {
            self.gathered.seen.iter().any(|id| quantity(id.row().quantity))
        };
        let is_there = match &test.subject {
            Subject::ActiveEnergy => seen(&|one| matches!(one, Quantity::ActiveEnergy(_))),
            Subject::ReactiveEnergy => seen(&|one| matches!(one, Quantity::ReactiveEnergy(_))),
            Subject::Each(ids) => ids.iter().any(|id| self.gathered.seen.contains(id)),
        };
        let quantity = &test.quantity;
        (!is_there).then(|| Skip::Missing(format!("the device does not report {quantity}")))
    }

    fn item(&self, test: &Test, planned: PlannedItem, points: &[PointRecord]) -> Item {
        match self.figures(test, &planned, points) {
            Ok((figures, other_way)) => {
                let limit = planned.figure.value();
                let expanded = figures.budget.expanded();
                let is_undefined = !figures.value.is_finite()
                    && figures.reported.is_finite()
                    && figures.reference.is_finite();
                let mut status = if is_undefined {
                    Status::Inconclusive
                } else {
                    decide(figures.value.abs(), expanded, limit)
                };
                let mut why = match status {
                    _ if is_undefined => {
                        let reference = number(figures.reference);
                        format!("the reference is {reference}: no error relative to it is defined")
                    }
                    Status::Inconclusive => "too close to call".to_owned(),
                    Status::Fail if !figures.value.is_finite() => {
                        "no number is inside a limit".to_owned()
                    }
                    _ => String::new(),
                };
                let back = decide(other_way.abs(), expanded, limit);
                if back > status && !is_undefined {
                    status = back;
                    why = format!("the other direction registered {} %", number(other_way));
                }
                Item { planned, status, figures: Some(figures), why: why.into() }
            }
            Err(trouble) => {
                let why = match trouble {
                    NoValue::TooLittle(why) => why,
                    NoValue::Absent => format!("{} was not reported", test.quantity),
                };
                Item { planned, status: Status::Inconclusive, figures: None, why: why.into() }
            }
        }
    }

    /// The figures of an item, and what the register of the other direction gained too much at its
    /// point, in percent, where that is held against the same limit.
    fn figures(
        &self,
        test: &Test,
        item: &PlannedItem,
        points: &[PointRecord],
    ) -> Result<(Figures, f64), NoValue> {
        match test.evaluate {
            Evaluate::NoLoad => return Ok((self.no_load(test, item.point, points)?, 0.0)),
            Evaluate::Starting => return self.starting(test, item.point, points),
            _ => {}
        }
        let absolute = matches!(item.figure, LimitFigure::Absolute(_));
        let error = |point: usize| self.error(test, absolute, point, points);
        let at = error(item.point)?;
        let (value, budget) = match test.evaluate {
            Evaluate::Variation | Evaluate::TemperatureCoefficient => {
                let reference = error(item.against[0][0])?;
                let kelvin = match test.evaluate {
                    Evaluate::Variation => 1.0,
                    _ => item.coordinates.celsius - self.plan.test_plan.temperature,
                };
                let budget = at.budget.with(&reference.budget).times(1.0 / kelvin);
                ((at.value - reference.value) / kelvin, budget)
            }
            Evaluate::Composite => composite(&at, item, error)?,
            Evaluate::Repeatability => {
                let degrees = at.single.len() as f64 - 1.0;
                let deviation = uncertainty::deviation(&at.single).unwrap_or(f64::NAN);
                // Of a standard deviation: itself over the root of twice its degrees of freedom.
                let scatter = 2.0 * deviation / (2.0 * degrees).sqrt();
                // Each reading has ends of its own.
                let register = at.budget.register * at.readings as f64;
                (deviation, Budget { scatter, register, ..at.budget })
            }
            _ => (at.value, at.budget),
        };
        let unit = match (test.evaluate, absolute) {
            (Evaluate::TemperatureCoefficient, false) => "%/K".to_owned(),
            (_, false) => "%".to_owned(),
            (_, true) => at.unit.to_string(),
        };
        let other_way = match test.evaluate {
            // Their limits are of another kind than an energy's error.
            Evaluate::Repeatability | Evaluate::TemperatureCoefficient => 0.0,
            _ => at.other_way,
        };
        let figures = Figures {
            value,
            unit,
            budget,
            reported: at.reported,
            reference: at.reference,
            quantity_unit: at.unit,
            quantity: at.quantity,
            readings: at.readings,
            at: at.at,
        };
        Ok((figures, other_way))
    }
}

/// Root of the sum of squares of the error at reference and the worst variation of each influence.
fn composite(
    at: &PointError,
    item: &PlannedItem,
    error: impl Fn(usize) -> Result<PointError, NoValue>,
) -> Result<(f64, Budget), NoValue> {
    let (mut square, mut budget) = (at.value * at.value, at.budget);
    for influence in &item.against {
        let mut worst: Option<(f64, Budget)> = None;
        for &point in influence {
            let other = error(point)?;
            let variation = (other.value - at.value).abs();
            let larger = worst.as_ref().is_none_or(|(worst, _)| {
                variation.is_nan() || (!worst.is_nan() && variation > *worst)
            });
            if larger {
                worst = Some((variation, other.budget.with(&at.budget)));
            }
        }
        if let Some((variation, of_variation)) = worst {
            square += variation * variation;
            budget = budget.with(&of_variation);
        }
    }
    Ok((square.sqrt(), budget))
}
