//! The true power profile of a meter: the mean power of each interval of a clock.
//!
//! Intervals begin at whole multiples of their length since the clock's epoch, and are numbered by
//! the clock: the one in which the scenario starts is 1. The mean is that of active power, consumed
//! less injected, over the whole interval, whatever lag a meter has at its ends.

use lastmeter_units::{SimDuration, SimTime};

/// The intervals of a meter's power profile.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProfileIntervals {
    /// How long each is, in nanoseconds; above zero.
    pub length: SimDuration,
    /// When the scenario starts, in nanoseconds by the clock that they follow.
    pub start: SimTime,
}

impl ProfileIntervals {
    /// The number of the last interval that is over at an instant since the start; 0 before the
    /// first.
    #[must_use]
    pub fn last(self, at: SimDuration) -> i64 {
        let of = |at: SimTime| at.0.div_euclid(self.length.0.max(1));
        of(self.start + at) - of(self.start)
    }

    /// Begin and end of the interval of this number, since the start; `None` of what is no number
    /// of one, and of an interval that began before the start, which no meter has seen whole.
    #[must_use]
    pub fn span(self, number: f64) -> Option<(SimDuration, SimDuration)> {
        let length = self.length.0.max(1);
        let is_number = number >= 1.0 && number.fract() == 0.0 && number <= f64::from(u32::MAX);
        // Exact: at most 2^32.
        let number = is_number.then_some(number as i64)?;
        let from =
            (number - 1).checked_mul(length)?.checked_sub(self.start.0.rem_euclid(length))?;
        let span = (SimDuration(from), SimDuration(from.checked_add(length)?));
        (from >= 0).then_some(span)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SECOND: i64 = 1_000_000_000;

    fn seconds(value: i64) -> SimDuration {
        SimDuration::from_seconds(value)
    }

    /// By hand: started at 0:10 of quarters of an hour.
    #[test]
    fn intervals_begin_at_the_quarters_of_the_clock() {
        let start = SimTime(1_800_000_600 * SECOND);
        let quarters = ProfileIntervals { length: seconds(900), start };
        assert_eq!(quarters.span(1.0), None, "it began ten minutes before the start");
        assert_eq!(quarters.span(2.0), Some((seconds(300), seconds(1200))));
        assert_eq!([0, 299, 300, 1199, 1200].map(|at| quarters.last(seconds(at))), [0, 0, 1, 1, 2]);
        for wrong in [0.0, -3.0, 2.5, f64::NAN, f64::INFINITY, 1e300] {
            assert_eq!(quarters.span(wrong), None, "{wrong}");
        }
    }

    proptest! {
        /// The last interval that is over is the one with this instant in the next one.
        #[test]
        fn the_last_interval_is_over_and_the_next_is_not(
            length in 1..100_000_i64, start in 0..4_000_000_000_i64, at in 0..1_000_000_i64,
        ) {
            let start = SimTime(start * SECOND);
            let intervals = ProfileIntervals { length: seconds(length), start };
            let last = intervals.last(seconds(at));
            if let Some((_, to)) = intervals.span(last as f64) {
                prop_assert!(to <= seconds(at));
                prop_assert_eq!((start + to).0 % (length * SECOND), 0);
            }
            if let Some((from, to)) = intervals.span(last as f64 + 1.0) {
                prop_assert!(from <= seconds(at) && seconds(at) < to);
            }
        }
    }
}
