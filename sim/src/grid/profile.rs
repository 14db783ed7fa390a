//! Powers over time, brought to the steps of a scenario.

use lastmeter_units::{SimDuration, SimTime};
use num_complex::Complex64;

/// The steps of a scenario: so many of one length, the first at its start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Raster {
    /// When the first begins, UTC.
    pub start: SimTime,
    /// How long each is.
    pub step: SimDuration,
    /// How many there are.
    pub steps: usize,
}

impl Raster {
    /// As many steps as a scenario needs; the last one may reach beyond its end.
    pub fn over(start: SimTime, step: SimDuration, duration: SimDuration) -> Self {
        let step_ns = step.0.max(1);
        let steps = (duration.0.max(0) as u64).div_ceil(step_ns as u64).max(1);
        Self { start, step: SimDuration(step_ns), steps: steps as usize }
    }

    /// When a step begins, since the start.
    pub fn begin(&self, step: usize) -> SimDuration {
        SimDuration(self.step.0.saturating_mul(step as i64))
    }

    /// From the start to the end of the last step.
    pub fn length(&self) -> SimDuration {
        self.begin(self.steps)
    }
}

/// Figures one after another, each for the same time.
#[derive(Clone, Debug, PartialEq)]
pub struct Rows {
    /// How long each holds.
    pub every: SimDuration,
    /// How long the first has held when the scenario starts: quarters of an hour are those of the
    /// clock, whenever that is.
    pub ahead: SimDuration,
    /// Volt-amperes.
    pub power_va: Vec<Complex64>,
}

impl Rows {
    /// How many there have to be, so that every step has some; `ahead` is less than one.
    pub fn needed(every: SimDuration, ahead: SimDuration, raster: &Raster) -> usize {
        let length = ahead.0.max(0).saturating_add(raster.length().0) as u64;
        length.div_ceil(every.0.max(1) as u64) as usize
    }

    /// The mean over each step, so that no energy is lost or made. Beyond the last row there is
    /// nothing.
    pub fn means(&self, raster: &Raster) -> Vec<Complex64> {
        let every = self.every.0.max(1);
        let row = |index: i64| {
            let found = usize::try_from(index).ok().and_then(|index| self.power_va.get(index));
            found.copied().unwrap_or_default()
        };
        let mean = |step: usize| {
            let since_first = |at: SimDuration| self.ahead.0.saturating_add(at.0);
            let from = since_first(raster.begin(step));
            let to = since_first(raster.begin(step + 1));
            let (first, last) = (from / every, (to - 1) / every);
            if first == last {
                return row(first);
            }
            let mut sum = Complex64::default();
            for index in first..=last {
                let overlap = to.min((index + 1) * every) - from.max(index * every);
                sum += row(index) * overlap as f64;
            }
            sum / (to - from) as f64
        };
        (0..raster.steps).map(mean).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(every_s: i64, watts: &[f64]) -> Rows {
        let power_va = watts.iter().map(|&p| Complex64::new(p, 0.5 * p)).collect();
        Rows { every: SimDuration::from_seconds(every_s), ahead: SimDuration::ZERO, power_va }
    }

    fn raster(step_s: i64, steps: usize) -> Raster {
        Raster { start: SimTime(0), step: SimDuration::from_seconds(step_s), steps }
    }

    #[test]
    fn steps_shorter_than_rows_repeat_them_and_longer_ones_take_their_mean() {
        let means = |every_s, watts: &[f64], step_s, steps| -> Vec<f64> {
            rows(every_s, watts).means(&raster(step_s, steps)).iter().map(|s| s.re).collect()
        };
        assert_eq!(means(60, &[1.0, 3.0], 30, 4), [1.0, 1.0, 3.0, 3.0]);
        assert_eq!(means(60, &[1.0, 3.0, 5.0, 7.0], 120, 2), [2.0, 6.0]);
        // 40 s of the first and 20 s of the second, and so on.
        assert_eq!(means(40, &[3.0, 6.0, 9.0], 60, 2), [4.0, 8.0]);
        let seconds = SimDuration::from_seconds;
        assert_eq!(Rows::needed(seconds(40), SimDuration::ZERO, &raster(60, 2)), 3);
    }

    #[test]
    fn the_first_row_may_have_begun_before_the_start() {
        let seconds = SimDuration::from_seconds;
        let late = Rows { ahead: seconds(30), ..rows(40, &[3.0, 6.0, 9.0, 12.0]) };
        let means: Vec<f64> = late.means(&raster(60, 2)).iter().map(|s| s.re).collect();
        // 10 s of the first, 40 s of the second, 10 s of the third; 30 s of that and 30 s more.
        assert_eq!(means, [6.0, 10.5]);
        assert_eq!(Rows::needed(seconds(40), seconds(30), &raster(60, 2)), 4);
    }

    #[test]
    fn the_last_step_may_reach_beyond_the_end() {
        let seconds = SimDuration::from_seconds;
        assert_eq!(Raster::over(SimTime(0), seconds(60), seconds(61)).steps, 2);
        assert_eq!(Raster::over(SimTime(0), seconds(60), seconds(120)).steps, 2);
    }
}
