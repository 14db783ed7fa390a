//! Holds what the record says of a plan against a class.

use lastmeter_units::{Direction, MeasurementId, Phase, Quantity, SiUnit, SimTime};

use super::model::{Evaluate, Limit, LimitFigure, Relative, Subject, Test};
use super::plan::{PER_KILO_HOUR, Plan, PlannedItem, PlannedTest, Skip};
use super::readings::{Gatherer, Got, PointRecord, Reading};
use super::uncertainty::{self, Budget, EnergyScale, decide};
use crate::check::unfinished;
use crate::console::number;
use crate::record::{Event, Observation, RunFacts, kind};
use crate::verdict::Status;

/// The figures of one item.
#[derive(Clone, Debug, PartialEq)]
pub struct Figures {
    /// What is held against the limit, with its sign, in [`Self::unit`].
    pub value: f64,
    /// `%`, `%/K`, an SI unit, or `1` for pulses.
    pub unit: String,
    /// The bench's expanded uncertainty (k = 2) of it.
    pub budget: Budget,
    /// What was reported at the point, in [`Self::quantity_unit`].
    pub reported: f64,
    /// What was true.
    pub reference: f64,
    /// The unit of both.
    pub quantity_unit: SiUnit,
    /// Which of several quantities was worst.
    pub quantity: Option<MeasurementId>,
    /// How many readings it rests on.
    pub readings: usize,
    /// When the last of them was due.
    pub at: Option<SimTime>,
}

/// One item, judged.
#[derive(Clone, Debug, PartialEq)]
pub struct Item {
    /// What was planned.
    pub planned: PlannedItem,
    /// The outcome.
    pub status: Status,
    /// The figures, if there are any.
    pub figures: Option<Figures>,
    /// Why, where the figures do not tell.
    pub why: String,
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
    /// By its place in the suite.
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

/// What the record says of a plan, for one class.
#[derive(Clone, Debug, PartialEq)]
pub struct Assessment {
    /// The class, as the suite's list counts.
    pub class: usize,
    /// The tests, in the suite's order.
    pub tests: Vec<TestResult>,
    /// What all of it comes to at best, and why, where the run itself leaves doubts.
    pub doubt: Option<(Status, String)>,
}

impl Assessment {
    /// The status of all tests together; `None` without any. Doubts about the run are not in it.
    pub fn status(&self) -> Option<Status> {
        Status::worst_of(self.tests.iter().map(|test| test.status))
    }

    /// What a status is worth in the light of the doubts about the run, and why if it is less.
    pub fn doubted(&self, status: Status) -> (Status, Option<&str>) {
        match &self.doubt {
            Some((at_best, why)) if status <= *at_best => (*at_best, Some(why)),
            _ => (status, None),
        }
    }

    /// The items of some tests whose limits are not confirmed, among those that were judged.
    pub fn unconfirmed<'a>(&'a self, plan: &'a Plan) -> impl Iterator<Item = &'a Item> {
        self.tests.iter().flat_map(move |result| {
            let limits = &plan.suite.tests[result.test].limits;
            result.items.iter().filter(|item| !limits[item.planned.limit].confirmed)
        })
    }
}

/// Takes in a record, and says how it stands.
#[derive(Clone, Debug)]
pub struct Assessor {
    plan: Plan,
    gathered: Gatherer,
    beyond_range: bool,
    unreadable: Option<String>,
}

/// Why an item has no figures.
enum Trouble {
    /// There is too little to say.
    TooLittle(String),
    /// The device does not report it.
    Absent,
}

/// What flowed at a point.
struct Flow {
    way: Direction,
    /// Of each reading what the register of that direction gained: reference and reported.
    steps: Vec<(f64, f64)>,
    /// What the register of the other direction gained too much, in joules or var-seconds.
    other_way: f64,
}

/// The error at a point.
#[derive(Clone)]
struct PointError {
    value: f64,
    budget: Budget,
    reported: f64,
    reference: f64,
    unit: SiUnit,
    quantity: Option<MeasurementId>,
    readings: usize,
    at: Option<SimTime>,
    /// Of each reading by itself.
    single: Vec<f64>,
    /// Of an energy: what the register of the other direction gained too much, in percent.
    other_way: f64,
}

impl Assessor {
    /// Of a run of this plan that begins at an instant.
    pub fn new(plan: Plan, start: SimTime) -> Self {
        let gathered = Gatherer::new(&plan, start);
        Self { plan, gathered, beyond_range: false, unreadable: None }
    }

    /// The plan.
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// Takes the next row of the record.
    pub fn observation(&mut self, row: &Observation<'_>) {
        self.gathered.observation(row);
    }

    /// Takes the next event of the record.
    pub fn event(&mut self, event: &Event) {
        self.beyond_range |= event.kind == kind::DEVICE
            && event.text("what") == Some("beyond_range")
            && event.about() == Some(self.plan.claim.device.as_str());
    }

    /// Notes that the record could not be read to its end.
    pub fn unreadable(&mut self, why: String) {
        self.unreadable.get_or_insert(why);
    }

    /// How it stands with a class after such a run.
    pub fn assessment(&self, class: usize, facts: &RunFacts) -> Assessment {
        let points = self.gathered.points();
        let tests = self.plan.for_class(class);
        let tests = tests.into_iter().map(|test| self.test(test, &points)).collect();
        Assessment { class, tests, doubt: self.doubt(facts) }
    }

    fn doubt(&self, facts: &RunFacts) -> Option<(Status, String)> {
        let unreadable = self.unreadable.as_ref().map(|why| (Status::Error, why.clone()));
        unreadable.or_else(|| unfinished(facts)).or_else(|| {
            let why = "the input may exceed the converter's range, which is modelled with \
                       fidelity = \"samples\" only";
            self.beyond_range.then(|| (Status::Inconclusive, why.to_owned()))
        })
    }

    fn test(&self, planned: PlannedTest, points: &[PointRecord]) -> TestResult {
        let test = &self.plan.suite.tests[planned.test];
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
                let mut status = decide(figures.value.abs(), expanded, limit);
                let mut why = match status {
                    Status::Inconclusive => "too close to call".to_owned(),
                    Status::Fail if !figures.value.is_finite() => {
                        "no number is inside a limit".to_owned()
                    }
                    _ => String::new(),
                };
                let back = decide(other_way.abs(), expanded, limit);
                if back > status {
                    status = back;
                    why = format!("the other direction registered {} %", number(other_way));
                }
                Item { planned, status, figures: Some(figures), why }
            }
            Err(trouble) => {
                let why = match trouble {
                    Trouble::TooLittle(why) => why,
                    Trouble::Absent => format!("{} was not reported", test.quantity),
                };
                Item { planned, status: Status::Inconclusive, figures: None, why }
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
    ) -> Result<(Figures, f64), Trouble> {
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
                    _ => item.coordinates.celsius - self.plan.suite.temperature,
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
                (deviation, Budget { scatter, ..at.budget })
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

    /// The readings of a point, all of them.
    fn whole<'a>(
        &self,
        point: usize,
        points: &'a [PointRecord],
    ) -> Result<&'a PointRecord, Trouble> {
        let (planned, found) = (self.plan.points[point].readings as usize, &points[point]);
        if found.readings.len() < planned || found.before.is_none() {
            let found = found.readings.len();
            return Err(Trouble::TooLittle(format!("{found} of {planned} readings")));
        }
        Ok(found)
    }

    fn error(
        &self,
        test: &Test,
        absolute: bool,
        point: usize,
        points: &[PointRecord],
    ) -> Result<PointError, Trouble> {
        let found = self.whole(point, points)?;
        match &test.subject {
            Subject::Each(ids) => self.worst_value(test, ids, absolute, found),
            energy => self.energy(energy, point, found),
        }
    }

    /// The error of an energy over the readings of a point, in percent.
    fn energy(
        &self,
        subject: &Subject,
        point: usize,
        found: &PointRecord,
    ) -> Result<PointError, Trouble> {
        let Flow { way, steps, other_way } = self.flow(subject, found)?;
        let (reference, reported) = sums(&steps);
        let mean = reference / steps.len() as f64;
        let error = (reported - reference) / reference;
        // Readings of unequal length: what is left of each once the common error is taken away, as
        // of a ratio of sums.
        let single: Vec<f64> =
            steps.iter().map(|step| 100.0 * (step.1 - step.0 - error * step.0) / mean).collect();
        let conditions = &self.plan.points[point].conditions;
        let seconds = self.plan.period.as_seconds_f64() * steps.len() as f64;
        let register =
            found.readings.last().map_or(Got::Absent, |last| self.register(last, subject, way));
        let register = match register {
            Got::Pair(reference, reported) => reference.abs().max(reported.abs()),
            Got::Absent | Got::Missing => f64::INFINITY,
        };
        let scale_of = EnergyScale {
            energy: reference,
            apparent: conditions.apparent() * seconds,
            power: conditions.apparent(),
            register,
        };
        let budget = Budget {
            scatter: uncertainty::scatter(&single),
            given: self.plan.claim.bench_uncertainty,
            ..uncertainty::of_energy(scale_of)
        };
        let unit = match subject {
            Subject::ReactiveEnergy => SiUnit::VarSecond,
            Subject::ActiveEnergy | Subject::Each(_) => SiUnit::Joule,
        };
        Ok(PointError {
            value: 100.0 * error,
            budget,
            reported,
            reference,
            unit,
            quantity: None,
            readings: steps.len(),
            at: found.last,
            single,
            other_way: 100.0 * other_way / reference,
        })
    }

    fn register(&self, reading: &Reading, subject: &Subject, way: Direction) -> Got {
        reading.register(subject, way, self.plan.claim.phases)
    }

    /// The register of the direction in which energy truly flowed.
    fn flow(&self, subject: &Subject, found: &PointRecord) -> Result<Flow, Trouble> {
        let of = |way: Direction| match steps(found, |one| self.register(one, subject, way)) {
            Ok(steps) => Ok(Some(steps)),
            Err(Trouble::Absent) => Ok(None),
            Err(trouble) => Err(trouble),
        };
        let gained =
            |steps: &Option<Vec<(f64, f64)>>| steps.as_ref().map_or((0.0, 0.0), |s| sums(s));
        let (consumed, injected) = (of(Direction::Consumed)?, of(Direction::Injected)?);
        let (import, export) = (gained(&consumed), gained(&injected));
        let (way, steps, other) = if export.0 > import.0 {
            (Direction::Injected, injected, import)
        } else {
            (Direction::Consumed, consumed, export)
        };
        let steps = steps.ok_or(Trouble::Absent)?;
        if sums(&steps).0 <= 0.0 {
            let why = "no energy flowed in a direction that the device reports";
            return Err(Trouble::TooLittle(why.to_owned()));
        }
        Ok(Flow { way, steps, other_way: other.1 - other.0 })
    }

    /// The largest error of some quantities' means over the readings of a point.
    fn worst_value(
        &self,
        test: &Test,
        ids: &[MeasurementId],
        absolute: bool,
        found: &PointRecord,
    ) -> Result<PointError, Trouble> {
        let mut worst: Option<PointError> = None;
        self.has_all_phases(ids, found)?;
        for &id in ids {
            let Some(error) = self.value(test, id, absolute, found)? else { continue };
            let size = |error: &PointError| {
                let size = error.value.abs() + error.budget.expanded();
                if size.is_nan() { f64::INFINITY } else { size }
            };
            if worst.as_ref().is_none_or(|worst| size(&error) > size(worst)) {
                worst = Some(error);
            }
        }
        worst.ok_or(Trouble::Absent)
    }

    /// Of a quantity that is reported in one phase all phases of the meter are needed.
    fn has_all_phases(&self, ids: &[MeasurementId], found: &PointRecord) -> Result<(), Trouble> {
        let is_there =
            |id: MeasurementId| found.readings.iter().any(|one| one.value(id) != Got::Absent);
        let of_meter = |id: &&MeasurementId| {
            id.row().phase.index().is_some_and(|phase| phase < self.plan.claim.phases)
        };
        for id in ids.iter().filter(of_meter).filter(|id| !is_there(**id)) {
            let quantity = id.row().quantity;
            let mut others = ids.iter().filter(|other| other.row().quantity == quantity);
            if others.any(|other| is_there(*other)) {
                return Err(missing(id.name()));
            }
        }
        Ok(())
    }

    /// The error of one quantity's mean; `None` if it is not reported, or is zero by itself where
    /// the limit is a share of it.
    fn value(
        &self,
        test: &Test,
        id: MeasurementId,
        absolute: bool,
        found: &PointRecord,
    ) -> Result<Option<PointError>, Trouble> {
        let mut pairs = Vec::with_capacity(found.readings.len());
        for reading in &found.readings {
            match reading.value(id) {
                Got::Absent if pairs.is_empty() => return Ok(None),
                Got::Absent | Got::Missing => return Err(missing(id.name())),
                Got::Pair(reference, reported) if reference.is_nan() => match test.expected {
                    Some(expected) => pairs.push((expected, reported)),
                    None => return Err(no_truth(id.name())),
                },
                Got::Pair(reference, reported) => pairs.push((reference, reported)),
            }
        }
        let n = pairs.len() as f64;
        let (reference, reported) = sums(&pairs);
        let (reference, reported) = (reference / n, reported / n);
        let scale = match (absolute, test.relative) {
            (true, _) => 1.0,
            (false, Relative::Absolute) => 100.0,
            (false, Relative::Nominal) => 100.0 / self.nominal(id),
            (false, Relative::Reading) if reference == 0.0 => return Ok(None),
            (false, Relative::Reading) => 100.0 / reference.abs(),
        };
        let single: Vec<f64> = pairs.iter().map(|pair| scale * (pair.1 - pair.0)).collect();
        let magnitude = reference.abs().max(reported.abs());
        let given = self.plan.claim.bench_uncertainty / 100.0 * reference.abs() * scale;
        let budget = Budget {
            scatter: uncertainty::scatter(&single),
            given,
            ..uncertainty::of_value(magnitude).times(scale)
        };
        Ok(Some(PointError {
            value: scale * (reported - reference),
            budget,
            reported,
            reference,
            unit: id.row().si_unit,
            quantity: Some(id),
            readings: pairs.len(),
            at: found.last,
            single,
            other_way: 0.0,
        }))
    }

    fn nominal(&self, id: MeasurementId) -> f64 {
        let claim = &self.plan.claim;
        match id.row().si_unit {
            SiUnit::Volt => claim.voltage,
            SiUnit::Ampere => claim.current,
            SiUnit::Hertz => claim.frequency,
            SiUnit::Watt | SiUnit::Var | SiUnit::VoltAmpere => {
                let phases = if id.row().phase == Phase::Total { claim.phases } else { 1 };
                claim.voltage * claim.current * phases as f64
            }
            _ => 1.0,
        }
    }

    /// Pulses that the registers' advance amounts to, both directions together.
    fn no_load(
        &self,
        test: &Test,
        point: usize,
        points: &[PointRecord],
    ) -> Result<Figures, Trouble> {
        let found = self.whole(point, points)?;
        let (mut reported, mut register) = (0.0, 0.0_f64);
        let mut is_there = false;
        for direction in [Direction::Consumed, Direction::Injected] {
            let at = |reading: &Reading| self.register(reading, &test.subject, direction);
            if found.readings.iter().all(|reading| at(reading) == Got::Absent) {
                continue;
            }
            is_there = true;
            let steps = steps(found, at)?;
            reported += steps.iter().map(|step| step.1.abs()).sum::<f64>();
            if let Some(Got::Pair(_, last)) = found.readings.last().map(at) {
                register = register.max(last.abs());
            }
        }
        if !is_there {
            return Err(Trouble::Absent);
        }
        let pulses = self.plan.claim.pulse_constant / PER_KILO_HOUR;
        let budget = uncertainty::of_value(register).times(pulses);
        Ok(Figures {
            value: pulses * reported,
            unit: "1".to_owned(),
            budget,
            reported,
            reference: 0.0,
            quantity_unit: SiUnit::Joule,
            quantity: None,
            readings: found.readings.len(),
            at: found.last,
        })
    }

    /// By how much the energy of each half is off, short of the true one above zero; the worse half
    /// counts.
    fn starting(
        &self,
        test: &Test,
        point: usize,
        points: &[PointRecord],
    ) -> Result<(Figures, f64), Trouble> {
        let found = self.whole(point, points)?;
        let whole = self.energy(&test.subject, point, found)?;
        let Flow { steps, .. } = self.flow(&test.subject, found)?;
        let (first, second) = steps.split_at(steps.len() / 2);
        let short = |half: &[(f64, f64)]| {
            let (reference, reported) = sums(half);
            100.0 * (1.0 - reported / reference)
        };
        let (first, second) = (short(first), short(second));
        let is_first = first.is_nan() || first.abs() > second.abs();
        let figures = Figures {
            value: if is_first { first } else { second },
            unit: "%".to_owned(),
            // A half has half the readings, and its ends weigh twice.
            budget: whole.budget.times(2.0),
            reported: whole.reported,
            reference: whole.reference,
            quantity_unit: whole.unit,
            quantity: None,
            readings: whole.readings,
            at: whole.at,
        };
        Ok((figures, whole.other_way))
    }
}

/// Root of the sum of squares of the error at reference and the worst variation of each influence.
fn composite(
    at: &PointError,
    item: &PlannedItem,
    error: impl Fn(usize) -> Result<PointError, Trouble>,
) -> Result<(f64, Budget), Trouble> {
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

/// What a register gained from reading to reading: reference and reported.
fn steps(
    found: &PointRecord,
    register: impl Fn(&Reading) -> Got,
) -> Result<Vec<(f64, f64)>, Trouble> {
    let mut previous = match found.before.as_ref().map_or(Got::Absent, &register) {
        Got::Pair(reference, reported) => (reference, reported),
        Got::Absent => return Err(Trouble::Absent),
        Got::Missing => return Err(missing("the register before the first reading")),
    };
    let mut steps = Vec::with_capacity(found.readings.len());
    for reading in &found.readings {
        match register(reading) {
            Got::Absent => return Err(Trouble::Absent),
            Got::Missing => return Err(missing("a register")),
            Got::Pair(reference, _) if reference.is_nan() => return Err(no_truth("the energy")),
            Got::Pair(reference, reported) => {
                steps.push((reference - previous.0, reported - previous.1));
                previous = (reference, reported);
            }
        }
    }
    Ok(steps)
}

fn sums(pairs: &[(f64, f64)]) -> (f64, f64) {
    pairs.iter().fold((0.0, 0.0), |sums, pair| (sums.0 + pair.0, sums.1 + pair.1))
}

fn missing(what: &str) -> Trouble {
    Trouble::TooLittle(format!("{what} is missing"))
}

fn no_truth(what: &str) -> Trouble {
    Trouble::TooLittle(format!("the reference of {what} is not known"))
}

impl Limit {
    /// `0.4 %, clause, edition; confirmed in SOURCE`.
    pub fn told(&self) -> String {
        let word = if self.confirmed { "confirmed" } else { "not confirmed" };
        format!("{}, {}: {word}, {}", self.edition, self.clause, self.source)
    }
}
