//! Errors of the sweeps, before and after, with what the bench and the reference meter add.

use lastmeter_units::SimTime;

use crate::standard::{Budget, coverage_factor, deviation, of_value, scatter};
use lastmeter_plans::calibration::{
    Conditions, Gatherer, Plan, Procedure, Readings, Stage, Subject,
};
use lastmeter_record::Observation;

/// Smaller powers than this part of the apparent one have no error relative to themselves.
const SHARE_MIN: f64 = 0.1;

/// What errors are counted from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorBasis {
    /// What the plant did.
    Truth,
    /// What the reference meter reported: all that a laboratory has.
    Reference,
}

impl ErrorBasis {
    /// The words of checks.
    pub const WORDS: &'static [&'static str] = &["truth", "reference"];
}

/// A figure with the uncertainty the bench has of it, in percent.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Estimate {
    /// Mean error of the readings.
    pub error: f64,
    /// Standard deviation of the readings' errors.
    pub deviation: f64,
    /// Expanded uncertainty (k = 2) of the mean error.
    pub uncertainty: Budget,
    /// Expanded uncertainty of the standard deviation.
    pub deviation_uncertainty: f64,
    /// How many readings.
    pub readings: usize,
    /// Mean of what was reported, in the subject's unit.
    pub reported: f64,
    /// Mean of what it is held against.
    pub reference: f64,
}

impl Estimate {
    /// The figure of all readings of several points together; `None` without any.
    pub fn together(figures: &[Self]) -> Option<Self> {
        let n: usize = figures.iter().map(|figure| figure.readings).sum();
        if n < 2 {
            return None;
        }
        let (count, degrees) = (n as f64, (n - 1) as f64);
        let mean = |of: fn(&Self) -> f64| {
            figures.iter().map(|figure| figure.readings as f64 * of(figure)).sum::<f64>() / count
        };
        let error = mean(|figure| figure.error);
        let squares = figures.iter().map(|figure| {
            let (readings, away) = (figure.readings as f64, figure.error - error);
            (readings - 1.0) * figure.deviation * figure.deviation + readings * away * away
        });
        let deviation = (squares.sum::<f64>() / degrees).sqrt();
        let factor = coverage_factor(n - 1);
        let parts = figures.iter().map(|figure| figure.uncertainty);
        let largest = parts.fold(Budget::default(), |most, own| most.of_both(&own, f64::max));
        Some(Self {
            error,
            deviation,
            // What all have in common does not become less by their number.
            uncertainty: Budget { scatter: factor * deviation / count.sqrt(), ..largest },
            deviation_uncertainty: factor * deviation / (2.0 * degrees).sqrt(),
            readings: n,
            reported: mean(|figure| figure.reported),
            reference: mean(|figure| figure.reference),
        })
    }
}

/// One subject at one point of a sweep.
#[derive(Clone, Debug, PartialEq)]
pub struct SweepPoint {
    /// Before or after.
    pub stage: Stage,
    /// What the source carried.
    pub conditions: Conditions,
    /// What was measured.
    pub subject: Subject,
    /// The figure; `None` without readings of all that is needed.
    pub figure: Option<Estimate>,
}

/// Takes the record in, and computes the errors of the sweeps.
#[derive(Clone, Debug)]
pub struct Assessor {
    plan: Plan,
    start: SimTime,
    reported: Gatherer,
    truth: Gatherer,
    reference: Gatherer,
}

impl Assessor {
    /// For a plan that began at an instant.
    pub fn new(plan: Plan, start: SimTime) -> Self {
        let gatherer = Gatherer::new(&plan);
        let [reported, truth, reference] = [gatherer.clone(), gatherer.clone(), gatherer];
        Self { plan, start, reported, truth, reference }
    }

    /// The plan whose points are assessed.
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// Takes the next row of the record.
    pub fn observation(&mut self, row: &Observation<'_>) {
        let due = row.event_time - self.start;
        // What was not due is the business of other checks; what was never made has no values.
        let (Some(reference), Some(reported)) = (row.reference, row.reported) else { return };
        if row.device == self.plan.device {
            self.reported.value(&self.plan, due, row.quantity, reported);
            self.truth.value(&self.plan, due, row.quantity, reference);
        } else if row.device == self.plan.reference {
            self.reference.value(&self.plan, due, row.quantity, reported);
        }
    }

    /// Every subject at every point of the sweeps, in the order of the plan.
    pub fn sweeps(&self, against: ErrorBasis) -> Vec<SweepPoint> {
        let whole = |gatherer: &Gatherer| {
            let mut whole = gatherer.clone();
            whole.close(&self.plan);
            whole.points().to_vec()
        };
        let reported = whole(&self.reported);
        let other = match against {
            ErrorBasis::Truth => whole(&self.truth),
            ErrorBasis::Reference => whole(&self.reference),
        };
        let mut points = Vec::new();
        for (place, point) in self.plan.points.iter().enumerate() {
            if !matches!(point.stage, Stage::Before | Stage::After) {
                continue;
            }
            for subject in Subject::ALL {
                let is_direct = self.plan.procedure == Procedure::Static;
                if is_direct && !matches!(subject, Subject::Voltage | Subject::Current) {
                    continue;
                }
                let pair = (&reported[place], &other[place]);
                if is_small(&point.conditions, subject) {
                    continue;
                }
                points.push(SweepPoint {
                    stage: point.stage,
                    conditions: point.conditions,
                    subject,
                    figure: self.figure(pair, (subject, &point.conditions), against),
                });
            }
        }
        points
    }

    fn figure(
        &self,
        (reported, other): (&Readings, &Readings),
        (subject, conditions): (Subject, &Conditions),
        against: ErrorBasis,
    ) -> Option<Estimate> {
        let (reported, other) = (reported.get(&subject)?, other.get(&subject)?);
        if reported.len() != other.len() || reported.len() < 3 {
            return None;
        }
        let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len() as f64;
        let base = match conditions {
            Conditions::Direct { .. } => self.plan.full_scale(subject),
            // The true value does not change within a point.
            Conditions::Sine { .. } => mean(other).abs(),
        };
        let percent = |value: f64| 100.0 * value / base;
        let errors: Vec<f64> =
            reported.iter().zip(other).map(|(reported, other)| percent(reported - other)).collect();
        let deviation = deviation(&errors)?;
        let numbers = of_value(100.0 * (mean(other).abs() / base).max(1e-3));
        let mut uncertainty = Budget { scatter: scatter(&errors), ..numbers };
        if against == ErrorBasis::Reference {
            let stated = self.plan.reference_uncertainty?;
            uncertainty.given = match (conditions, subject) {
                // Stated of the apparent power, it weighs more where the power is a part of it.
                (Conditions::Sine { lag_rad, .. }, Subject::ActivePower) => {
                    100.0 * stated / libm::cos(*lag_rad).abs()
                }
                (Conditions::Sine { lag_rad, .. }, Subject::ReactivePower) => {
                    100.0 * stated / libm::sin(*lag_rad).abs()
                }
                _ => 100.0 * stated,
            };
        }
        // Of a sample of n values from a normal distribution: s / sqrt(2 (n - 1)).
        let degrees = errors.len() - 1;
        let spread = deviation / (2.0 * degrees as f64).sqrt();
        Some(Estimate {
            error: mean(&errors),
            deviation,
            uncertainty,
            deviation_uncertainty: coverage_factor(degrees) * spread,
            readings: errors.len(),
            reported: mean(reported),
            reference: mean(other),
        })
    }
}

/// Whether a power is so small a part of the apparent one that its relative error means nothing.
fn is_small(conditions: &Conditions, subject: Subject) -> bool {
    let Conditions::Sine { lag_rad, .. } = conditions else { return false };
    match subject {
        Subject::ActivePower => libm::cos(*lag_rad).abs() < SHARE_MIN,
        Subject::ReactivePower => libm::sin(*lag_rad).abs() < SHARE_MIN,
        _ => false,
    }
}
