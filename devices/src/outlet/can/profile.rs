//! The power profile of a node: the mean power of the last whole interval of its clock.
//!
//! Intervals begin at whole multiples of their length since the epoch of the clock, quarters of an
//! hour at the full hour. They are numbered by the clock, that in which the node was started first
//! is 1, so one that was not measured from its begin to its end leaves a gap. The mean is what the
//! energy registers have counted between the measurements at both ends.

use lastmeter_board::meter_node::ProfileInterval;
use lastmeter_units::{SimDuration, SimTime};

/// What it keeps to find the next mean.
#[derive(Debug)]
pub(super) struct Profile {
    interval_ns: i64,
    /// How far behind a boundary the measurement of it may be.
    lag: SimDuration,
    /// The interval in which the node was started.
    first: i64,
    /// The first measurement of the interval that goes on, and what the registers had then, in J.
    open: Option<(SimTime, f64)>,
    last: Option<ProfileInterval>,
}

impl Profile {
    /// A profile of a node that starts, measured so often.
    pub(super) fn new(interval: SimDuration, measure_every: SimDuration, start: SimTime) -> Self {
        let interval_ns = interval.0.max(1);
        let first = start.0.div_euclid(interval_ns);
        let open = Some((start, 0.0));
        Self { interval_ns, lag: measure_every, first, open, last: None }
    }

    /// The last whole interval; `None` before the first.
    pub(super) fn last(&self) -> Option<ProfileInterval> {
        self.last
    }

    /// All is lost that is not stored.
    pub(super) fn forget(&mut self) {
        (self.open, self.last) = (None, None);
    }

    /// Takes what the registers have, consumed less injected, up to an instant.
    pub(super) fn take(&mut self, at: SimTime, joules: f64) {
        let of = |at: SimTime| at.0.div_euclid(self.interval_ns);
        let is_at_begin = |at: SimTime| at.0.rem_euclid(self.interval_ns) <= self.lag.0;
        let Some((from, before)) = self.open else {
            self.open = Some((at, joules));
            return;
        };
        if of(at) == of(from) {
            return;
        }
        if of(at) == of(from) + 1 && is_at_begin(from) && is_at_begin(at) {
            let mean_power_w = (joules - before) / (at - from).as_seconds_f64();
            let number = u32::try_from(of(from) - self.first + 1).unwrap_or(u32::MAX);
            self.last = Some(ProfileInterval { number, mean_power_w });
        }
        self.open = Some((at, joules));
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SECOND: SimDuration = SimDuration::from_seconds(1);
    const START_S: i64 = 900 * 2000;

    fn at(seconds: i64) -> SimTime {
        SimTime((START_S + seconds) * 1_000_000_000)
    }

    /// By hand: 100 W, from 900 s on 300 W, from 1350 s on -100 W.
    #[test]
    fn means_are_of_whole_intervals_and_numbered_by_the_clock() {
        let joules = |s: i64| {
            let (s, first, second) = (s as f64, 900.0_f64, 1350.0_f64);
            100.0 * s.min(first) + 300.0 * (s.min(second) - first).max(0.0)
                - 100.0 * (s - second).max(0.0)
        };
        let mut profile = Profile::new(SECOND * 900, SECOND, at(0));
        let mut found = Vec::new();
        for s in 1..=4500 {
            // Its supply is lost for a while, and back in the fourth interval.
            if s == 2000 {
                profile.forget();
            }
            if !(2000..2750).contains(&s) {
                profile.take(at(s), joules(s));
            }
            let last = profile.last().map(|it| (s, it.number, it.mean_power_w));
            if found.last().map(|&(_, number, _)| number) != last.map(|it| it.1) {
                found.extend(last);
            }
        }
        assert_eq!(found, [(900, 1, 100.0), (1800, 2, 100.0), (4500, 5, -100.0)]);
    }

    #[test]
    fn an_interval_that_it_was_not_there_to_see_begin_is_not_numbered() {
        let mut profile = Profile::new(SECOND * 900, SECOND, at(300));
        for s in 301..1800 {
            profile.take(at(s), 50.0 * (s - 300) as f64);
            assert_eq!(profile.last(), None);
        }
        profile.take(at(1800), 50.0 * 1500.0);
        let expected = ProfileInterval { number: 2, mean_power_w: 50.0 };
        assert_eq!(profile.last(), Some(expected));
    }

    proptest! {
        /// The mean of each interval is that of the powers in it, whenever the node started.
        #[test]
        fn means_are_those_of_the_powers(
            offset in 0..60_i64, powers in prop::collection::vec(-5000..5000_i32, 120..400),
        ) {
            let mut profile = Profile::new(SECOND * 60, SECOND, at(offset));
            let mut joules = 0.0;
            for (s, &watts) in (offset..).zip(&powers) {
                joules += f64::from(watts);
                profile.take(at(s + 1), joules);
                // That second ends an interval, and the node has seen all of it.
                let place = (s + 1 - offset) as usize;
                if (s + 1) % 60 == 0 && place >= 60 {
                    let sum: i32 = powers[place - 60..place].iter().sum();
                    let last = profile.last().unwrap();
                    prop_assert_eq!(i64::from(last.number), (s + 1) / 60);
                    prop_assert!((last.mean_power_w - f64::from(sum) / 60.0).abs() < 1e-6);
                }
            }
        }
    }
}
