//! Periods and profile against registers that are looked up again.

use proptest::prelude::*;

use super::*;
use crate::household::kept::{decode, encode};

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    /// A reading every 5 minutes over the end of a month, with restarts: each period has what the
    /// register counted since its first reading, and each interval its mean power.
    #[test]
    fn periods_and_profile_are_those_of_the_register(
        powers_w in prop::collection::vec(0_i64..4000, 600),
        kills in prop::collection::vec(0_u8..40, 600),
    ) {
        let start: SimTime = "2027-02-27T10:00:00Z".parse().unwrap();
        let offset = SimDuration::from_seconds(3600);
        let step = SimDuration::from_seconds(300);
        let mut track = Track::default();
        let mut registers = vec![Energy::from_watt_hours(4_000_000)];
        let _ = track.reading(start, registers[0], offset);
        for (place, (power, kill)) in powers_w.iter().zip(kills).enumerate() {
            let register = *registers.last().unwrap() + Energy::of_power(*power, step);
            registers.push(register);
            let is_kept = track.reading(start + step * (place as i64 + 1), register, offset);
            if kill == 0 && is_kept {
                track = Track::new(decode(&encode(track.kept())).unwrap());
            }
        }
        let view = track.view();
        let last = registers[600];
        let at = |text: &str| {
            let at: SimTime = text.parse().unwrap();
            registers[((at - start).0 / step.0) as usize]
        };
        prop_assert_eq!(view.register, last);
        // 600 steps of 5 minutes end on March 1st at 12:00 UTC.
        prop_assert_eq!(view.day, last - at("2027-03-01T00:00:00+01:00"));
        prop_assert_eq!(view.month, last - at("2027-03-01T00:00:00+01:00"));
        prop_assert_eq!(view.year, last - registers[0]);
        let profile = track.profile();
        prop_assert_eq!(profile.len(), 96);
        for (from, mean) in &profile {
            let first = ((*from - start).0 / step.0) as usize;
            let sum: i64 = powers_w[first..first + 3].iter().sum();
            prop_assert!((mean * 3 - sum).abs() <= 2, "{mean} of {sum}");
        }
        let midnight: SimTime = "2027-03-01T00:00:00+01:00".parse().unwrap();
        let today = profile.iter().filter(|(from, _)| *from >= midnight);
        prop_assert_eq!(Some(view.peak_w), today.map(|(_, mean)| *mean).max());
    }
}
