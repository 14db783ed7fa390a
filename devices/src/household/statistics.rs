//! What a meter's register counted by day, month and year of local time, and its power profile.
//!
//! A period begins with the register of its first reading: with polls on the full hour that is the
//! one at its beginning, and what is counted before it belongs to the period before.
//! The profile has the mean power from one quarter of an hour to the next, of steps of the register
//! from the first reading of each. Where a register fell, it is taken to have counted nothing in
//! that step.

use std::collections::VecDeque;

use lastmeter_household::Energy;
use lastmeter_units::{SimDuration, SimTime};
use serde::{Deserialize, Serialize};

use super::calendar::{Periods, periods};
use super::view::Statistics;

const INTERVAL: SimDuration = SimDuration::from_seconds(900);
/// Intervals of the profile.
const INTERVALS: usize = 96;

/// What is kept of a meter: energies in microjoules, instants in nanoseconds. It changes once an
/// interval.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Kept {
    /// Numbers of day, month and year, and the register at their beginning.
    periods: [(i64, i128); 3],
    /// The highest mean power of an interval of the day, in W.
    peak_w: i64,
    /// Instant and register of the first reading of each interval.
    points: VecDeque<(i64, i128)>,
}

/// The statistics of a meter.
#[derive(Clone, Debug, Default)]
pub(super) struct Track {
    kept: Kept,
    last: Option<Energy>,
}

impl Track {
    pub(super) fn new(kept: Kept) -> Self {
        let last = kept.points.back().map(|point| Energy(point.1));
        Self { kept, last }
    }

    /// Takes a register; whether there is something to be kept.
    pub(super) fn reading(&mut self, at: SimTime, register: Energy, offset: SimDuration) -> bool {
        let Periods { day, month, year } = periods(at, offset);
        let kept = &mut self.kept;
        let Some(last) = self.last.replace(register) else {
            kept.periods = [day, month, year].map(|period| (period, register.0));
            kept.points.push_back((at.0, register.0));
            return true;
        };
        let fell = (last.0 - register.0).max(0);
        if fell > 0 {
            kept.periods.iter_mut().for_each(|period| period.1 -= fell);
            kept.points.iter_mut().for_each(|point| point.1 -= fell);
        }
        let is_other_day = kept.periods[0].0 != day;
        let mean = kept.points.back().and_then(|point| mean_w(*point, (at.0, register.0)));
        let is_of = |at: i64| at.div_euclid(INTERVAL.0);
        let is_next = kept.points.back().is_some_and(|point| is_of(point.0) < is_of(at.0));
        if is_next {
            // The interval that ends at midnight is of the day before.
            kept.peak_w = if is_other_day { 0 } else { kept.peak_w.max(mean.unwrap_or(0)) };
            kept.points.push_back((at.0, register.0));
            while kept.points.len() > INTERVALS + 1 {
                kept.points.pop_front();
            }
        }
        for (period, number) in kept.periods.iter_mut().zip([day, month, year]) {
            if period.0 != number {
                *period = (number, register.0);
            }
        }
        is_next || is_other_day || fell > 0
    }

    pub(super) const fn kept(&self) -> &Kept {
        &self.kept
    }

    pub(super) fn view(&self) -> Statistics {
        let register = self.last.unwrap_or_default();
        let [day, month, year] = self.kept.periods.map(|period| register - Energy(period.1));
        Statistics { register, day, month, year, peak_w: self.kept.peak_w }
    }

    /// Mean power in W by the beginning of each interval, the oldest first.
    pub(super) fn profile(&self) -> Vec<(SimTime, i64)> {
        let points = self.kept.points.iter().zip(self.kept.points.iter().skip(1));
        let mean = |(one, next): (&(i64, i128), &(i64, i128))| {
            Some((SimTime(one.0), mean_w(*one, *next)?))
        };
        points.filter_map(mean).collect()
    }
}

/// The mean power in W between two readings, to the nearest W.
fn mean_w(one: (i64, i128), next: (i64, i128)) -> Option<i64> {
    let microseconds = i128::from((next.0 - one.0) / 1000);
    let doubled = (2 * (next.1 - one.1)).checked_div(microseconds)?;
    i64::try_from((doubled + 1).div_euclid(2)).ok()
}

#[cfg(test)]
#[path = "statistics_tests.rs"]
mod tests;
