//! How well the bench kept its own schedule.
//!
//! A due instant counts as missed if the bench served it later than the smaller of 10 % of the
//! device's period and 5 ms. It is about the bench: what a device or a link holds back on its own
//! account is in the latency, not here.

use lastmeter_record::{Deadlines, LateTick};
use lastmeter_units::SimDuration;

use crate::run::steps::Steps;

/// The latest a due instant may be served, however long the period.
const LIMIT_MAX_NS: i64 = 5_000_000;

/// The lateness that is allowed for a period.
fn limit(period: SimDuration) -> SimDuration {
    SimDuration((period.0 / 10).clamp(1, LIMIT_MAX_NS))
}

/// So many missed ones are kept one by one. More are more than one in a hundred of a million.
const KEPT_MAX: usize = 10_000;

/// Counts due instants and how late they were served.
pub(crate) struct Punctuality {
    due: Steps,
    /// The missed ones, by instants of the monotonic clock.
    missed_ticks: Vec<LateTick>,
    /// How many of them are not known one by one.
    unknown: u64,
}

impl Punctuality {
    pub(crate) fn new() -> Self {
        let due = Steps::every(SimDuration(LIMIT_MAX_NS));
        Self { due, missed_ticks: Vec::new(), unknown: 0 }
    }

    /// A due instant was served so late, at this instant.
    pub(crate) fn served(&mut self, at_ns: i64, lateness_ns: i64, period: SimDuration) {
        if self.due.served_within(SimDuration(lateness_ns), limit(period)) {
            if self.missed_ticks.len() < KEPT_MAX {
                let tick = LateTick { at_ns: at_ns.saturating_sub(lateness_ns), lateness_ns };
                self.missed_ticks.push(tick);
            } else {
                self.unknown += 1;
            }
        }
    }

    /// Due instants that were never served.
    pub(crate) fn never_served(&mut self, count: u64) {
        self.due.left_out(count);
        self.unknown += count;
    }

    /// The missed ones, since `origin_ns`; none if not all of them are known.
    pub(crate) fn late_ticks(&self, origin_ns: i64) -> Vec<LateTick> {
        if self.unknown > 0 {
            return Vec::new();
        }
        let since = |tick: &LateTick| LateTick { at_ns: tick.at_ns - origin_ns, ..*tick };
        self.missed_ticks.iter().map(since).collect()
    }

    pub(crate) fn facts(&self) -> Deadlines {
        self.due.facts()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tenth_of_the_period_and_at_most_five_milliseconds_are_allowed() {
        let mut punctuality = Punctuality::new();
        let period = SimDuration::from_milliseconds;
        for (lateness_ns, period) in [
            (1_000_000, period(10)),
            (1_000_001, period(10)),
            (5_000_000, period(500)),
            (5_000_001, period(500)),
            (3_000_000_000, period(60_000)),
        ] {
            punctuality.served(7_000_000_000, lateness_ns, period);
        }
        let tick = |at_ns, lateness_ns| LateTick { at_ns, lateness_ns };
        let ticks = punctuality.late_ticks(4_000_000_000);
        let expected = [
            tick(2_998_999_999, 1_000_001),
            tick(2_994_999_999, 5_000_001),
            tick(0, 3_000_000_000),
        ];
        assert_eq!(ticks, expected);
        punctuality.never_served(2);
        // When those were nobody knows.
        assert_eq!(punctuality.late_ticks(0), []);
        let facts = punctuality.facts();
        assert_eq!((facts.scheduled, facts.missed), (7, 5));
        assert_eq!((facts.limit_ns, facts.worst_ns), (1_000_000, 3_000_000_000));
        // The histogram keeps three digits.
        assert!((facts.p50_ns - 5_000_000).abs() <= 5_000);
    }
}
