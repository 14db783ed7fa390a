//! How devices that report in real time are spread over their period.

use lastmeter_units::SimDuration;

/// How far each of `devices` devices lags behind the first, so that their messages do not fall on
/// one instant: meters in the field are not synchronised. Even over the reporting period; who owes
/// no reading in a run of this duration, such as a recorder, has none to spread.
pub fn stagger(
    index: usize,
    devices: usize,
    period: SimDuration,
    duration: SimDuration,
) -> SimDuration {
    if period > duration {
        return SimDuration::ZERO;
    }
    let share = i128::from(period.0) * index as i128 / devices.max(1) as i128;
    SimDuration(i64::try_from(share).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn devices_are_spread_evenly_over_their_period() {
        let period = SimDuration::from_milliseconds(500);
        let lag = |index| stagger(index, 4, period, period).0 / 1_000_000;
        assert_eq!((0..4).map(lag).collect::<Vec<i64>>(), [0, 125, 250, 375]);
        assert_eq!(stagger(0, 0, period, period), SimDuration::ZERO);
    }

    #[test]
    fn who_owes_no_reading_in_a_run_does_not_make_it_longer() {
        let run = SimDuration::from_seconds(10);
        // A recorder, and a meter that reports once in an hour.
        for seconds in [100 * 365 * 86_400, 3600, 11] {
            let period = SimDuration::from_seconds(seconds);
            assert_eq!(stagger(1, 2, period, run), SimDuration::ZERO, "{seconds} s");
        }
        assert_eq!(stagger(1, 2, run, run), SimDuration::from_seconds(5));
    }
}
