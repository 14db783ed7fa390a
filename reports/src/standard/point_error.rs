//! The error at one point of a plan, from what the record holds of it.

use lastmeter_units::{Direction, MeasurementId, Phase, SiUnit, SimTime};

use super::assessor::{Assessor, Figures};
use super::readings::{Pair, PointRecord, Reading};
use super::uncertainty::{self, Budget, EnergyScale};
use lastmeter_plans::standard::{PER_KILO_HOUR, Relative, Subject, Test};

/// Why an item has no figures.
pub(super) enum NoValue {
    /// There is too little to judge.
    TooLittle(String),
    /// The device does not report it.
    Absent,
}

struct Flow {
    way: Direction,
    /// Of each reading what the register of that direction gained: reference and reported.
    steps: Vec<(f64, f64)>,
    /// What the register of the other direction gained too much, in joules or var-seconds.
    other_way: f64,
}

#[derive(Clone)]
pub(super) struct PointError {
    pub(super) value: f64,
    pub(super) budget: Budget,
    pub(super) reported: f64,
    pub(super) reference: f64,
    pub(super) unit: SiUnit,
    pub(super) quantity: Option<MeasurementId>,
    pub(super) readings: usize,
    pub(super) at: Option<SimTime>,
    /// Of each reading by itself.
    pub(super) single: Vec<f64>,
    /// Of an energy: what the register of the other direction gained too much, in percent.
    pub(super) other_way: f64,
}
impl Assessor {
    /// The readings of a point, all of them.
    pub(super) fn whole<'a>(
        &self,
        point: usize,
        points: &'a [PointRecord],
    ) -> Result<&'a PointRecord, NoValue> {
        let (planned, found) = (self.plan.points[point].readings as usize, &points[point]);
        if found.readings.len() < planned || found.before.is_none() {
            let found = found.readings.len();
            return Err(NoValue::TooLittle(format!("{found} of {planned} readings")));
        }
        Ok(found)
    }

    pub(super) fn error(
        &self,
        test: &Test,
        absolute: bool,
        point: usize,
        points: &[PointRecord],
    ) -> Result<PointError, NoValue> {
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
    ) -> Result<PointError, NoValue> {
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
            found.readings.last().map_or(Pair::Absent, |last| self.register(last, subject, way));
        let register = match register {
            Pair::Of(reference, reported) => reference.abs().max(reported.abs()),
            Pair::Absent | Pair::Missing => f64::INFINITY,
        };
        let step = self.gathered.register_step(subject, way, self.plan.claim.phases);
        let scale_of = EnergyScale {
            energy: reference,
            step,
            apparent: conditions.apparent() * seconds,
            power: conditions.apparent(),
            register,
        };
        // Both ends of what the register gained.
        let ends = found.before.iter().chain(found.readings.last());
        let phases = self.plan.claim.phases;
        let spread: f64 = ends.map(|one| one.register_spread(subject, way, phases)).sum();
        let budget = Budget {
            scatter: uncertainty::scatter(&single),
            given: self.plan.claim.bench_uncertainty,
            spread: 100.0 * spread / reference,
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

    fn register(&self, reading: &Reading, subject: &Subject, way: Direction) -> Pair {
        reading.register(subject, way, self.plan.claim.phases)
    }

    /// The register of the direction in which energy truly flowed.
    fn flow(&self, subject: &Subject, found: &PointRecord) -> Result<Flow, NoValue> {
        let of = |way: Direction| match steps(found, |one| self.register(one, subject, way)) {
            Ok(steps) => Ok(Some(steps)),
            Err(NoValue::Absent) => Ok(None),
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
        let steps = steps.ok_or(NoValue::Absent)?;
        if sums(&steps).0 <= 0.0 {
            let why = "no energy flowed in a direction that the device reports";
            return Err(NoValue::TooLittle(why.to_owned()));
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
    ) -> Result<PointError, NoValue> {
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
        worst.ok_or(NoValue::Absent)
    }

    /// Of a quantity that is reported in one phase all phases of the meter are needed.
    fn has_all_phases(&self, ids: &[MeasurementId], found: &PointRecord) -> Result<(), NoValue> {
        let is_there =
            |id: MeasurementId| found.readings.iter().any(|one| one.value(id) != Pair::Absent);
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
    ) -> Result<Option<PointError>, NoValue> {
        let mut pairs = Vec::with_capacity(found.readings.len());
        for reading in &found.readings {
            match reading.value(id) {
                Pair::Absent if pairs.is_empty() => return Ok(None),
                Pair::Absent | Pair::Missing => return Err(missing(id.name())),
                Pair::Of(reference, reported) if reference.is_nan() => match test.expected {
                    Some(expected) => pairs.push((expected, reported)),
                    None => return Err(no_truth(id.name())),
                },
                Pair::Of(reference, reported) => pairs.push((reference, reported)),
            }
        }
        let n = pairs.len() as f64;
        let (reference, reported) = sums(&pairs);
        let (reference, reported) = (reference / n, reported / n);
        // An error in percent of nothing has no value, so such a point has none.
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
        let spread: f64 = found.readings.iter().map(|one| one.spread(id)).sum();
        let budget = Budget {
            scatter: uncertainty::scatter(&single),
            given,
            spread: scale * spread / n,
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
    pub(super) fn no_load(
        &self,
        test: &Test,
        point: usize,
        points: &[PointRecord],
    ) -> Result<Figures, NoValue> {
        let found = self.whole(point, points)?;
        let (mut reported, mut register, mut step) = (0.0, 0.0_f64, 0.0_f64);
        let mut is_there = false;
        for direction in [Direction::Consumed, Direction::Injected] {
            let at = |reading: &Reading| self.register(reading, &test.subject, direction);
            if found.readings.iter().all(|reading| at(reading) == Pair::Absent) {
                continue;
            }
            is_there = true;
            let phases = self.plan.claim.phases;
            step = libm::hypot(step, self.gathered.register_step(&test.subject, direction, phases));
            let steps = steps(found, at)?;
            reported += steps.iter().map(|step| step.1.abs()).sum::<f64>();
            if let Some(Pair::Of(_, last)) = found.readings.last().map(at) {
                register = register.max(last.abs());
            }
        }
        if !is_there {
            return Err(NoValue::Absent);
        }
        let pulses = self.plan.claim.pulse_constant / PER_KILO_HOUR;
        let budget =
            Budget { register: uncertainty::of_step(step), ..uncertainty::of_value(register) };
        let budget = budget.times(pulses);
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
    pub(super) fn starting(
        &self,
        test: &Test,
        point: usize,
        points: &[PointRecord],
    ) -> Result<(Figures, f64), NoValue> {
        let found = self.whole(point, points)?;
        let whole = self.energy(&test.subject, point, found)?;
        let Flow { steps, .. } = self.flow(&test.subject, found)?;
        let (first, second) = steps.split_at(steps.len() / 2);
        let short = |half: &[(f64, f64)]| {
            let (reference, reported) = sums(half);
            100.0 * (1.0 - reported / reference)
        };
        if sums(first).0 <= 0.0 || sums(second).0 <= 0.0 {
            let why = "no energy flowed in one half of the time";
            return Err(NoValue::TooLittle(why.to_owned()));
        }
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
/// What a register gained from reading to reading: reference and reported.
fn steps(
    found: &PointRecord,
    register: impl Fn(&Reading) -> Pair,
) -> Result<Vec<(f64, f64)>, NoValue> {
    let mut previous = match found.before.as_ref().map_or(Pair::Absent, &register) {
        Pair::Of(reference, reported) => (reference, reported),
        Pair::Absent => return Err(NoValue::Absent),
        Pair::Missing => return Err(missing("the register before the first reading")),
    };
    let mut steps = Vec::with_capacity(found.readings.len());
    for reading in &found.readings {
        match register(reading) {
            Pair::Absent => return Err(NoValue::Absent),
            Pair::Missing => return Err(missing("a register")),
            Pair::Of(reference, _) if reference.is_nan() => {
                return Err(no_truth("the energy"));
            }
            Pair::Of(reference, reported) => {
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

fn missing(what: &str) -> NoValue {
    NoValue::TooLittle(format!("{what} is missing"))
}

fn no_truth(what: &str) -> NoValue {
    NoValue::TooLittle(format!("the reference of {what} is not known"))
}
