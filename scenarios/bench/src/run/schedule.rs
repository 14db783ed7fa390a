//! When each device owes a reading, decided by the bench and never by the device.
//!
//! A reading is due every reporting period after the scenario's start. An acknowledged change of
//! the period at an instant T makes the readings due at T + k * new period. A frozen or dead device
//! therefore still owes its readings.

use std::collections::VecDeque;

use lastmeter_units::{SimDuration, SimTime};

/// The instants at which one device owes a reading.
#[derive(Clone, Debug)]
pub(crate) struct Schedule {
    next: SimTime,
    period: SimDuration,
    /// Changes of the period that lie after the last instant taken out.
    changes: VecDeque<(SimTime, SimDuration)>,
}

impl Schedule {
    /// Readings every `period` after `start`, the first one period later.
    pub(crate) fn new(start: SimTime, period: SimDuration) -> Self {
        assert!(period > SimDuration::ZERO, "a reporting period is positive");
        Self { next: start + period, period, changes: VecDeque::new() }
    }

    /// The period was changed at `at`, as the device acknowledged; changes come in order.
    pub(crate) fn change_period(&mut self, at: SimTime, period: SimDuration) {
        assert!(period > SimDuration::ZERO, "a reporting period is positive");
        self.changes.push_back((at, period));
    }

    /// Takes out the instants up to and including `until`.
    pub(crate) fn take_until(&mut self, until: SimTime) -> Vec<SimTime> {
        let mut due = Vec::new();
        while self.next() <= until {
            due.push(self.next);
            self.next += self.period;
        }
        due
    }

    pub(crate) fn next(&mut self) -> SimTime {
        while let Some(&(at, period)) = self.changes.front() {
            // What was due until the change was due by the old period.
            if self.next <= at {
                break;
            }
            self.changes.pop_front();
            (self.next, self.period) = (at + period, period);
        }
        self.next
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> SimTime {
        SimTime(0) + SimDuration::from_seconds(seconds)
    }

    #[test]
    fn readings_are_due_one_period_after_the_start_and_on() {
        let mut schedule = Schedule::new(at(100), SimDuration::from_seconds(10));
        assert_eq!(schedule.take_until(at(109)), []);
        assert_eq!(schedule.take_until(at(120)), [at(110), at(120)]);
        assert_eq!(schedule.take_until(at(129)), []);
    }

    #[test]
    fn a_new_period_counts_from_the_change() {
        let mut schedule = Schedule::new(at(0), SimDuration::from_seconds(10));
        assert_eq!(schedule.take_until(at(10)), [at(10)]);
        schedule.change_period(at(13), SimDuration::from_seconds(4));
        assert_eq!(schedule.take_until(at(22)), [at(17), at(21)]);
    }

    #[test]
    fn a_change_learnt_late_leaves_what_was_due_before_it() {
        let mut schedule = Schedule::new(at(0), SimDuration::from_seconds(10));
        schedule.change_period(at(23), SimDuration::from_seconds(4));
        schedule.change_period(at(30), SimDuration::from_seconds(100));
        assert_eq!(schedule.take_until(at(15)), [at(10)]);
        assert_eq!(schedule.take_until(at(131)), [at(20), at(27), at(130)]);
    }
}
