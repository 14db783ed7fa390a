//! How late was served in real time what was due: the steps of a simulator, the readings of
//! devices.

use hdrhistogram::Histogram;
use lastmeter_record::Deadlines;
use lastmeter_units::SimDuration;

/// The longest lateness that is distinguished, one hour.
const LATENESS_MAX_NS: u64 = 3_600_000_000_000;

/// The steps of one simulator, or all that devices owed. A step that is served later than the next
/// one was due is missed: a rack would have overrun.
pub struct Steps {
    lateness: Histogram<u64>,
    /// A step that is served later than that is missed.
    limit: SimDuration,
    served: u64,
    missed: u64,
    worst_ns: i64,
}

impl Steps {
    /// Steps of this length.
    pub fn every(period: SimDuration) -> Self {
        Self {
            lateness: Histogram::new_with_bounds(1, LATENESS_MAX_NS, 3)
                .expect("the bounds are constants that fit"),
            limit: period,
            served: 0,
            missed: 0,
            worst_ns: 0,
        }
    }

    /// A step was served so late.
    pub fn served(&mut self, lateness: SimDuration) {
        self.served_within(lateness, self.limit);
    }

    /// A step with a limit of its own was served so late; whether it was missed. The smallest limit
    /// is the one that is reported.
    pub(crate) fn served_within(&mut self, lateness: SimDuration, limit: SimDuration) -> bool {
        let is_missed = lateness > limit;
        self.served += 1;
        self.missed += u64::from(is_missed);
        self.limit = self.limit.min(limit);
        self.worst_ns = self.worst_ns.max(lateness.0);
        self.lateness.saturating_record(lateness.0.max(0).unsigned_abs());
        is_missed
    }

    /// Steps that were left out because their time was over.
    pub fn left_out(&mut self, count: u64) {
        (self.served, self.missed) = (self.served + count, self.missed + count);
    }

    /// How punctual they were.
    pub fn facts(&self) -> Deadlines {
        let quantile =
            |share| i64::try_from(self.lateness.value_at_quantile(share)).unwrap_or(i64::MAX);
        Deadlines {
            scheduled: self.served,
            missed: self.missed,
            limit_ns: self.limit.0,
            p50_ns: quantile(0.5),
            p99_ns: quantile(0.99),
            worst_ns: self.worst_ns,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_is_missed_once_the_next_one_is_due() {
        let mut steps = Steps::every(SimDuration::from_milliseconds(20));
        for late in [0, 1, 20, 21, 3000] {
            steps.served(SimDuration::from_milliseconds(late));
        }
        steps.left_out(2);
        let facts = steps.facts();
        assert_eq!((facts.scheduled, facts.missed, facts.worst_ns), (7, 4, 3_000_000_000));
    }
}
