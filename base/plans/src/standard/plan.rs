//! Unrolls a test plan for a claim: which operating points are played when, and what each is for.
//!
//! Points that several tests need are played once. Each lasts a whole number of the meter's
//! readings: some to settle, the others to count.

use std::collections::BTreeMap;

use lastmeter_units::SimDuration;

use super::claim::Claim;
use super::coordinates::{Conditions, Coordinates, POINTS_MAX};
use super::model::{Evaluate, LimitFigure, Shape, Subject, Test};
use super::sweep::{influences, limit_of, points_wanted, sweep};
use super::test_plan::TestPlan;

/// Joules of a kilowatt-hour, and var-seconds of a kilovar-hour.
pub const PER_KILO_HOUR: f64 = 3.6e6;

/// And so are more figures than these, in all tests together.
pub(crate) const ITEMS_MAX: usize = 100_000;
/// A longer plan is one too: ten years, as of any scenario.
const SECONDS_MAX: f64 = 10.0 * 365.25 * 86_400.0;

/// A point of the plan.
#[derive(Clone, Debug, PartialEq)]
pub struct Point {
    /// What the source carries.
    pub conditions: Conditions,
    /// When it begins, since the start.
    pub start: SimDuration,
    /// From when on readings count.
    pub measure_from: SimDuration,
    /// When it ends.
    pub end: SimDuration,
    /// How many readings count.
    pub readings: u32,
}

/// One figure to be judged.
#[derive(Clone, Debug, PartialEq)]
pub struct PlannedItem {
    /// Where in the sweep.
    pub coordinates: Coordinates,
    /// The point, by its place in the plan.
    pub point: usize,
    /// The points it is held against: of a variation the one at reference, of a composite one list
    /// for each influence.
    pub against: Vec<Vec<usize>>,
    /// The row of limits, by its place in the test.
    pub limit: usize,
    /// What the class allows.
    pub figure: LimitFigure,
}

/// Why a test is not judged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Skip {
    /// The standard does not ask it of such a meter.
    NotAsked(String),
    /// The standard asks it, and it was not done: the class is not wholly tested without it.
    Missing(String),
    /// The test plan has no limit of it for the class: what the class asks is not known.
    NoLimit(String),
}

impl Skip {
    /// The reason, for people.
    pub fn reason(&self) -> &str {
        match self {
            Self::NotAsked(reason) | Self::Missing(reason) | Self::NoLimit(reason) => reason,
        }
    }

    /// Whether nothing can be concluded about the class as a whole without it.
    pub fn is_gap(&self) -> bool {
        !matches!(self, Self::NotAsked(_))
    }
}

/// One test of the plan.
#[derive(Clone, Debug, PartialEq)]
pub struct PlannedTest {
    /// By its place in the test plan.
    pub test: usize,
    /// Why it is not played, if so.
    pub skipped: Option<Skip>,
    /// What is to be judged.
    pub items: Vec<PlannedItem>,
}

/// A point of a sweep.
#[derive(Clone, Debug, PartialEq)]
pub struct Swept {
    /// By its place in the test plan.
    pub sweep: usize,
    /// Where in the sweep.
    pub coordinates: Coordinates,
    /// The point, by its place in the plan.
    pub point: usize,
}

/// A test plan unrolled.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    /// The test plan.
    pub test_plan: TestPlan,
    /// What is claimed.
    pub claim: Claim,
    /// The meter's reporting period.
    pub period: SimDuration,
    /// What is played, one after another.
    pub points: Vec<Point>,
    /// What is judged for the claimed class, in the test plan's order.
    pub tests: Vec<PlannedTest>,
    /// The points of the sweeps.
    pub swept: Vec<Swept>,
}

impl Plan {
    /// Unrolls a test plan for a claim and a meter that reports every `period`.
    ///
    /// # Errors
    /// A text that names what does not work out: a current that means nothing here, too many
    /// points.
    pub fn new(test_plan: TestPlan, claim: Claim, period: SimDuration) -> Result<Self, String> {
        if period.0 <= 0 {
            return Err("a meter that never reports cannot be tested".to_owned());
        }
        let (points, tests, swept) = (Vec::new(), Vec::new(), Vec::new());
        let mut plan = Self { test_plan, claim, period, points, tests, swept };
        let wanted = plan.test_plan.tests.iter().map(points_wanted).fold(0, usize::saturating_add);
        if wanted > ITEMS_MAX {
            return Err(format!("{wanted} points in all tests together; at most {ITEMS_MAX}"));
        }
        let mut wanted: Vec<(Conditions, u32)> = Vec::new();
        let mut known = BTreeMap::new();
        let class = plan.claim.class;
        let mut place = |conditions: Conditions, readings: u32| {
            let place = *known.entry(conditions.key()).or_insert(wanted.len());
            if place == wanted.len() {
                wanted.push((conditions, readings));
            }
            wanted[place].1 = wanted[place].1.max(readings);
            place
        };
        plan.tests =
            plan.unroll(class, &mut |conditions, readings| Some(place(conditions, readings)))?;
        for (index, row) in plan.test_plan.sweeps.iter().enumerate() {
            for coordinates in sweep(&plan.test_plan, row, &plan.claim, class)? {
                let point = place(coordinates.conditions(&plan.claim), plan.claim.readings);
                plan.swept.push(Swept { sweep: index, coordinates, point });
            }
        }
        plan.lay_out(wanted)?;
        Ok(plan)
    }

    fn lay_out(&mut self, wanted: Vec<(Conditions, u32)>) -> Result<(), String> {
        if wanted.len() > POINTS_MAX {
            return Err(format!("{} operating points; at most {POINTS_MAX}", wanted.len()));
        }
        let period_s = self.period.as_seconds_f64();
        let settle = (self.claim.settle.as_seconds_f64() / period_s - 1e-9).ceil().max(1.0) as i64;
        let readings: f64 = wanted.iter().map(|(_, n)| f64::from(*n) + settle as f64).sum();
        if readings * period_s > SECONDS_MAX {
            return Err("the plan would last longer than ten years".to_owned());
        }
        let mut start = SimDuration::ZERO;
        for (conditions, readings) in wanted {
            let measure_from = start + SimDuration(self.period.0 * settle);
            let end = measure_from + SimDuration(self.period.0 * i64::from(readings));
            self.points.push(Point { conditions, start, measure_from, end, readings });
            start = end;
        }
        Ok(())
    }

    /// How long it lasts.
    pub fn duration(&self) -> SimDuration {
        self.points.last().map_or(SimDuration::ZERO, |point| point.end)
    }

    /// The tests as they would be for another class, on the points that are played; one whose
    /// points are not is skipped.
    pub fn for_class(&self, class: usize) -> Vec<PlannedTest> {
        if class == self.claim.class {
            return self.tests.clone();
        }
        let mut find = |conditions: Conditions, readings: u32| {
            let fits = |point: &Point| point.conditions == conditions && point.readings >= readings;
            self.points.iter().position(fits)
        };
        self.unroll(class, &mut find).unwrap_or_default()
    }

    /// Whether a test is among those that are played.
    pub fn is_selected(&self, test: &Test) -> bool {
        self.claim.tests.iter().any(|pattern| pattern.matches(&test.name))
    }

    fn unroll(
        &self,
        class: usize,
        place: &mut dyn FnMut(Conditions, u32) -> Option<usize>,
    ) -> Result<Vec<PlannedTest>, String> {
        let mut planned = Vec::new();
        for (index, test) in self.test_plan.tests.iter().enumerate() {
            let mut skipped = self.skips(test, class);
            let mut items = Vec::new();
            if skipped.is_none() {
                for coordinates in sweep(&self.test_plan, test, &self.claim, class)? {
                    let Some(item) = self.item(test, class, coordinates, place)? else {
                        let class = &self.test_plan.classes[class];
                        let reason = format!("its points for class {class} are not played");
                        skipped = Some(Skip::Missing(reason));
                        continue;
                    };
                    items.push(item);
                }
            }
            if skipped.is_some() {
                items.clear();
            }
            planned.push(PlannedTest { test: index, skipped, items });
        }
        Ok(planned)
    }

    /// Why a test is not played, if so.
    fn skips(&self, test: &Test, class: usize) -> Option<Skip> {
        if !test.connections.is_empty() && !test.connections.contains(&self.claim.connection) {
            let only = test.connections[0].word();
            return Some(Skip::NotAsked(format!("for {only} connection only")));
        }
        if !test.classes.is_empty() && !test.classes.contains(&class) {
            let class = &self.test_plan.classes[class];
            return Some(Skip::NotAsked(format!("not asked of class {class}")));
        }
        let one_of_three = test.loaded.iter().any(Option::is_some)
            || test.reversed.contains(&true)
            || !test.phase_voltages.is_empty();
        if self.claim.phases == 1 && (test.three_phases || one_of_three) {
            return Some(Skip::NotAsked("needs three phases".to_owned()));
        }
        if !self.is_selected(test) {
            return Some(Skip::Missing("not selected by this scenario".to_owned()));
        }
        if let Some(reason) = &test.not_played {
            return Some(Skip::Missing(reason.clone()));
        }
        if !test.limits.iter().any(|limit| limit.values.contains_key(&class)) {
            let class = &self.test_plan.classes[class];
            let reason = format!("the test plan has no limit of it for class {class}");
            return Some(Skip::NoLimit(reason));
        }
        if test.subject == Subject::Each(Vec::new()) {
            let quantity = &test.quantity;
            let reason = format!("this version's registry has no quantity `{quantity}`");
            return Some(Skip::Missing(reason));
        }
        None
    }

    /// `Ok(None)`: one of its points is not played.
    fn item(
        &self,
        test: &Test,
        class: usize,
        coordinates: Coordinates,
        place: &mut dyn FnMut(Conditions, u32) -> Option<usize>,
    ) -> Result<Option<PlannedItem>, String> {
        let (limit, figure) = limit_of(&self.test_plan, test, &self.claim, class, &coordinates)?;
        let readings = self.readings(test, class, &coordinates)?;
        let celsius = self.test_plan.temperature;
        let mut put = |at: &Coordinates| place(at.conditions(&self.claim), readings);
        let mut against = Vec::new();
        let point = if test.evaluate == Evaluate::Composite {
            let base = coordinates.at_reference(celsius);
            let Some(point) = put(&base) else { return Ok(None) };
            for influence in influences(test, &base) {
                let points: Option<Vec<usize>> = influence.iter().map(&mut put).collect();
                let Some(points) = points else { return Ok(None) };
                against.push(points);
            }
            point
        } else {
            let Some(point) = put(&coordinates) else { return Ok(None) };
            if test.evaluate.has_reference_point() {
                let Some(reference) = put(&coordinates.at_reference(celsius)) else {
                    return Ok(None);
                };
                against.push(vec![reference]);
            }
            point
        };
        Ok(Some(PlannedItem { coordinates, point, against, limit, figure }))
    }

    /// How many readings a point of a test needs.
    fn readings(&self, test: &Test, class: usize, at: &Coordinates) -> Result<u32, String> {
        let claim = &self.claim;
        let period_s = self.period.as_seconds_f64();
        let pulse = PER_KILO_HOUR / claim.pulse_constant;
        let seconds = match test.evaluate {
            Evaluate::NoLoad => {
                let name = &self.test_plan.classes[class];
                let Some(constant) = test.no_load_constant.get(&class) else {
                    return Err(format!("`{}` has no no_load_constant for {name}", test.name));
                };
                let power = claim.phases as f64 * claim.voltage * claim.maximum;
                60.0 * constant * 1e6 / (claim.pulse_constant * power)
            }
            Evaluate::Starting => test.pulses * pulse / at.conditions(claim).apparent(),
            _ => 0.0,
        };
        // Of a burst a whole one at least: else no energy flows, or all of it.
        let burst = match self.test_plan.waveforms[at.waveform].shape {
            Shape::Burst { on, off } => f64::from(on + off) / (at.frequency * self.claim.frequency),
            _ => 0.0,
        };
        let seconds: f64 = seconds;
        let seconds = seconds.max(burst);
        let least = f64::from(test.readings.unwrap_or(0).max(claim.readings));
        let readings = (seconds / period_s - 1e-9).ceil().max(least);
        if readings.is_finite() && readings < 1e8 {
            Ok(readings as u32)
        } else {
            Err(format!("`{}` would take {readings:.3e} readings", test.name))
        }
    }
}
