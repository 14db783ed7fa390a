//! How devices that report in real time are spread over their period.

use lastmeter_units::SimDuration;

/// How far each of `devices` devices lags behind the first, so that their messages do not fall on
/// one instant: meters in the field are not synchronised. Even over the reporting period.
pub fn stagger(index: usize, devices: usize, period: SimDuration) -> SimDuration {
    let share = i128::from(period.0) * index as i128 / devices.max(1) as i128;
    SimDuration(i64::try_from(share).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn devices_are_spread_evenly_over_their_period() {
        let period = SimDuration::from_milliseconds(500);
        let lags: Vec<i64> = (0..4).map(|index| stagger(index, 4, period).0 / 1_000_000).collect();
        assert_eq!(lags, [0, 125, 250, 375]);
        assert_eq!(stagger(0, 0, period), SimDuration::ZERO);
    }
}
