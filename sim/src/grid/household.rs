//! A household's consumption, minute by minute: a synthetic profile made of figures of our own.
//!
//! A day's mean energy is the year's over 365.25, times the season's factor. It is made of
//!
//! - 22 %: what is always on;
//! - 12 %: a refrigerator, on for a third of its cycle of 40 to 60 min;
//! - 26 %: light and electronics, which follow how many are at home and awake ([`ACTIVITY`]), at a
//!   level that is drawn again every quarter of an hour (0.4 to 1.6 times the mean);
//! - 40 %: appliances ([`APPLIANCES`]), each switched on at random times as often as activity and
//!   its share of the energy require, with a power within 10 % of its own.
//!
//! Neighbours differ in all that is drawn, so their sum is smooth and each of them is not. It is no
//! standard load profile, and stands for no measured home.

use chacha20::ChaCha8Rng;
use lastmeter_units::SimTime;
use rand::RngExt as _;

/// A season, whose factor scales the day's energy; the mean of the four is 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Season {
    /// December to February: 1.18.
    Winter,
    /// March to May, and September to November: 1.
    Transition,
    /// June to August: 0.82.
    Summer,
}

impl Season {
    /// The season of a word in scenarios.
    pub fn from_word(word: &str) -> Option<Self> {
        match word {
            "winter" => Some(Self::Winter),
            "spring" | "autumn" => Some(Self::Transition),
            "summer" => Some(Self::Summer),
            _ => None,
        }
    }

    /// What the day's energy is multiplied by.
    pub fn factor(self) -> f64 {
        match self {
            Self::Winter => 1.18,
            Self::Transition => 1.0,
            Self::Summer => 0.82,
        }
    }
}

/// What describes a household.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Household {
    /// Energy of a mean year, joules.
    pub annual_energy_j: f64,
    /// The season.
    pub season: Season,
}

/// How many of a household are at home and awake, by the hour of the scenario's clock, relative.
const ACTIVITY: [f64; 24] = [
    0.08, 0.05, 0.05, 0.05, 0.06, 0.15, 0.50, 0.80, 0.60, 0.40, 0.35, 0.40, 0.55, 0.45, 0.35, 0.35,
    0.50, 0.80, 1.00, 1.00, 0.95, 0.80, 0.50, 0.20,
];

const ALWAYS_ON: f64 = 0.22;
const REFRIGERATOR: f64 = 0.12;
const LIGHT: f64 = 0.26;
const SWITCHED: f64 = 0.40;

/// The share of its cycle for which a refrigerator is on.
const REFRIGERATOR_ON: f64 = 1.0 / 3.0;

/// Power in watts, minutes, and share of the energy of all appliances.
const APPLIANCES: [(f64, usize, f64); 7] = [
    // Kettle, hob, oven, washing machine, dishwasher, tumble dryer, small ones.
    (2000.0, 3, 0.08),
    (1800.0, 18, 0.24),
    (2000.0, 35, 0.14),
    (1900.0, 25, 0.16),
    (1800.0, 30, 0.18),
    (2300.0, 45, 0.12),
    (1400.0, 6, 0.08),
];

/// The longest of them, minutes: what was switched on so long before the start is still on.
const LONGEST_MIN: usize = 45;

const DAY_MIN: usize = 1440;

impl Household {
    /// Power in each minute from an instant on, watts, drawn from a stream of its own.
    pub fn minutes(&self, start: SimTime, minutes: usize, draw: &mut ChaCha8Rng) -> Vec<f64> {
        let mean_w = self.annual_energy_j / (365.25 * 86_400.0) * self.season.factor();
        let minute_of_day = start.as_nanoseconds().div_euclid(60_000_000_000);
        let of_day = minute_of_day.rem_euclid(DAY_MIN as i64) as usize;
        let activity = |minute: usize| {
            let mean = ACTIVITY.iter().sum::<f64>() / 24.0;
            ACTIVITY[(of_day + minute) / 60 % 24] / mean
        };
        let mut power = vec![ALWAYS_ON * mean_w; minutes];
        let cycle = draw.random_range(40.0..60.0);
        let phase = draw.random_range(0.0..cycle);
        for (minute, power) in power.iter_mut().enumerate() {
            let into: f64 = (minute as f64 + phase) % cycle;
            // A minute in which it switches counts by its part.
            let on = (cycle * REFRIGERATOR_ON - into).clamp(0.0, 1.0);
            let again = (into + 1.0 - cycle).clamp(0.0, 1.0);
            *power += REFRIGERATOR / REFRIGERATOR_ON * mean_w * (on + again);
        }
        let mut level = 1.0;
        for (minute, power) in power.iter_mut().enumerate() {
            if minute % 15 == 0 {
                level = draw.random_range(0.4..1.6);
            }
            *power += LIGHT * mean_w * level * activity(minute);
        }
        for (watts, length, share) in APPLIANCES {
            let per_minute = SWITCHED * share * mean_w / (watts * length as f64);
            for begin in 0..minutes + LONGEST_MIN {
                // From so long before the start that the longest one may still be on; the hour of
                // a day before is the same.
                let hour = begin + DAY_MIN - LONGEST_MIN;
                if draw.random_range(0.0..1.0) >= per_minute * activity(hour) {
                    continue;
                }
                let own = watts * draw.random_range(0.9..1.1);
                for at in begin..begin + length {
                    if let Some(at) = at.checked_sub(LONGEST_MIN)
                        && let Some(power) = power.get_mut(at)
                    {
                        *power += own;
                    }
                }
            }
        }
        power
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Streams;

    const KWH: f64 = 3.6e6;

    fn day(number: usize, season: Season, start: &str) -> Vec<f64> {
        let household = Household { annual_energy_j: 3500.0 * KWH, season };
        let mut draw = Streams::new(5).stream(&format!("grid.load.{number}"));
        household.minutes(start.parse().unwrap(), DAY_MIN, &mut draw)
    }

    #[test]
    fn many_days_have_the_energy_of_the_year() {
        assert!((APPLIANCES.iter().map(|it| it.2).sum::<f64>() - 1.0).abs() < 1e-12);
        for (season, factor) in [(Season::Winter, 1.18), (Season::Summer, 0.82)] {
            let days = 600;
            let energy: f64 = (0..days)
                .flat_map(|home| day(home, season, "2027-01-18T00:00:00Z"))
                .map(|watts| watts * 60.0 / KWH)
                .sum();
            let expected = 3500.0 / 365.25 * factor;
            let mean = energy / days as f64;
            // A day's appliances spread by about a third of the energy: 1.5 % of the mean of 600.
            assert!((mean / expected - 1.0).abs() < 0.05, "{mean} kWh, expected {expected} kWh");
        }
    }

    #[test]
    fn a_home_peaks_and_many_homes_have_an_evening() {
        let homes: Vec<Vec<f64>> =
            (0..200).map(|home| day(home, Season::Winter, "2027-01-18T00:00:00Z")).collect();
        for home in &homes {
            assert!(home.iter().all(|watts| *watts > 50.0));
        }
        let peak = homes[0].iter().fold(0.0_f64, |peak, watts| peak.max(*watts));
        assert!(peak > 1500.0, "{peak}");
        let mean = |hours: std::ops::Range<usize>| {
            let minutes = hours.start * 60..hours.end * 60;
            let sum: f64 = homes.iter().flat_map(|home| &home[minutes.clone()]).sum();
            sum / (homes.len() * minutes.len()) as f64
        };
        let (evening, night) = (mean(18..20), mean(1..4));
        assert!(evening > 3.0 * night, "{evening} W in the evening, {night} W at night");
        // The hours are those of the clock, whenever the scenario begins.
        let later = day(0, Season::Winter, "2027-01-18T12:00:00Z");
        assert_ne!(later, homes[0]);
    }

    #[test]
    fn homes_differ_and_come_again() {
        let [one, again, other] = [0, 0, 1].map(|n| day(n, Season::Winter, "2027-01-18T00:00:00Z"));
        assert_eq!(one, again);
        assert_ne!(one, other);
    }
}
