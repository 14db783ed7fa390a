//! How event time and the monotonic clock lie on one another in real time.

use lastmeter_units::{SimDuration, SimTime};

/// The beginning of the schedule on both clocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Timeline {
    /// Event time of the first sample.
    pub(crate) start: SimTime,
    /// The instant of the monotonic clock it stands for.
    pub(crate) origin_ns: i64,
}

impl Timeline {
    /// When an event time is there, for a device that lags by so much.
    pub(crate) fn instant(&self, at: SimTime, lag: SimDuration) -> i64 {
        self.origin_ns + (at - self.start).0 + lag.0
    }

    /// The event time at an instant.
    pub(crate) fn event_time(&self, at_ns: i64, lag: SimDuration) -> SimTime {
        self.start + SimDuration(at_ns - self.origin_ns - lag.0)
    }
}

/// How far each of `devices` devices lags behind the first, so that their messages do not fall on
/// one instant: meters in the field are not synchronised. Even over the reporting period.
pub(crate) fn stagger(index: usize, devices: usize, period: SimDuration) -> SimDuration {
    let share = i128::from(period.0) * index as i128 / devices.max(1) as i128;
    SimDuration(i64::try_from(share).unwrap_or(0))
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

    #[test]
    fn devices_are_spread_evenly_over_their_period() {
        let period = SimDuration::from_milliseconds(500);
        let lags: Vec<i64> = (0..4).map(|index| stagger(index, 4, period).0 / 1_000_000).collect();
        assert_eq!(lags, [0, 125, 250, 375]);
        assert_eq!(stagger(0, 0, period), SimDuration::ZERO);
    }
}
