//! How event time and the monotonic clock lie on one another in real time.

use lastmeter_link::clock::monotonic_ns;
use lastmeter_units::{SimDuration, SimTime};

/// The beginning of the schedule on both clocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timeline {
    /// Event time of the first sample.
    pub start: SimTime,
    /// The instant of the monotonic clock it stands for.
    pub origin_ns: i64,
}

impl Timeline {
    /// When an event time is there, for a device that lags by so much.
    pub(crate) fn instant(&self, at: SimTime, lag: SimDuration) -> i64 {
        self.origin_ns + (at - self.start).0 + lag.0
    }

    /// The event time at an instant.
    pub fn event_time(&self, at_ns: i64, lag: SimDuration) -> SimTime {
        self.start + SimDuration(at_ns - self.origin_ns - lag.0)
    }

    /// The event time now.
    pub fn now(&self) -> SimTime {
        self.event_time(monotonic_ns(), SimDuration::ZERO)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_clocks_lead_to_one_another() {
        let timeline = Timeline { start: SimTime(1_000), origin_ns: 50 };
        let lag = SimDuration(7);
        assert_eq!(timeline.instant(SimTime(1_100), lag), 157);
        assert_eq!(timeline.event_time(157, lag), SimTime(1_100));
    }
}
