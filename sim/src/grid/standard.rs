//! Standard load profiles: the mean of many customers, by month, day type and quarter of an hour.
//!
//! The form is that of BDEW's profiles of 2025 (H25, G25, L25, P25, S25): a table of energies for a
//! year of so much, typical days for each month. Holidays are Sundays; 24 and 31 December are
//! Saturdays, unless they are Sundays or holidays. Those of households (H25, P25, S25) are made
//! smooth over the year by BDEW's factor of dynamisation, see [`dynamisation`].

use jiff::Timestamp;
use jiff::civil::{Date, Weekday};
use jiff::tz::Offset;
use lastmeter_units::{SimDuration, SimTime};

const QUARTERS: usize = 96;
const QUARTER_NS: i64 = 900_000_000_000;
const QUARTER_S: f64 = 900.0;
const DAY_NS: i64 = QUARTERS as i64 * QUARTER_NS;

/// Days of each month in a year that is no leap year.
const DAYS: [f64; 12] = [31.0, 28.0, 31.0, 30.0, 31.0, 30.0, 31.0, 31.0, 30.0, 31.0, 30.0, 31.0];

lastmeter_units::words! {
    /// What a day is to a profile, in the order and with the words of the published tables.
    pub enum DayType {
        /// A Saturday; 24 and 31 December too.
        Saturday = "SA",
        /// A Sunday or a holiday.
        SundayOrHoliday = "FT",
        /// Any other day.
        WorkingDay = "WT",
    }
}

impl DayType {
    fn of(date: Date, is_holiday: bool) -> Self {
        let (month, day) = (date.month(), date.day());
        match date.weekday() {
            Weekday::Sunday => Self::SundayOrHoliday,
            _ if is_holiday => Self::SundayOrHoliday,
            Weekday::Saturday => Self::Saturday,
            _ if month == 12 && (day == 24 || day == 31) => Self::Saturday,
            _ => Self::WorkingDay,
        }
    }
}

/// The typical days of a profile: energies of quarters of an hour, by month and day type.
#[derive(Clone, Debug, PartialEq)]
pub struct StandardProfile {
    /// Joules.
    energy_j: Vec<[[f64; QUARTERS]; 3]>,
}

impl StandardProfile {
    /// How many figures a typical day has.
    pub const QUARTERS: usize = QUARTERS;

    /// Takes a function that gives the energy of a quarter of an hour in joules, by month (from 0),
    /// day type and quarter (from 0).
    pub fn new(energy_j: impl Fn(usize, DayType, usize) -> f64) -> Self {
        let day = |month, day| std::array::from_fn(|quarter| energy_j(month, day, quarter));
        let month = |month| DayType::ALL.map(|own| day(month, own));
        Self { energy_j: (0..12).map(month).collect() }
    }

    /// The energy of a year of 365 days, five of seven of them working days, without dynamisation.
    pub fn annual_energy_j(&self) -> f64 {
        let month = |(days, [saturday, sunday, working]): (f64, &[[f64; QUARTERS]; 3])| {
            let sum = |day: &[f64; QUARTERS]| day.iter().sum::<f64>();
            days / 7.0 * (sum(saturday) + sum(sunday) + 5.0 * sum(working))
        };
        DAYS.into_iter().zip(&self.energy_j).map(month).sum()
    }
}

/// A customer, or many, with a standard load profile.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct StandardLoad<'a> {
    /// The typical days.
    pub profile: &'a StandardProfile,
    /// The energy of the year that the profile is made for, joules.
    pub profile_energy_j: f64,
    /// The energy of the customer's year, joules.
    pub annual_energy_j: f64,
    /// Whether the factor of dynamisation applies.
    pub is_dynamic: bool,
    /// Days that count as Sundays, since 1970-01-01 in the clock of the profile.
    pub holidays: &'a [i64],
    /// What the clock of the profile is ahead of UTC.
    pub utc_offset: SimDuration,
}

impl StandardLoad<'_> {
    /// How much of its quarter of an hour has passed at an instant.
    pub fn ahead(&self, at: SimTime) -> SimDuration {
        SimDuration(self.local_ns(at).rem_euclid(QUARTER_NS))
    }

    /// How long each quarter of an hour is.
    pub fn every() -> SimDuration {
        SimDuration(QUARTER_NS)
    }

    /// The mean power of so many quarters of an hour, watts, from the one on that holds an instant.
    pub fn quarters(&self, start: SimTime, count: usize) -> Vec<f64> {
        let first = self.local_ns(start).div_euclid(QUARTER_NS);
        let scale = self.annual_energy_j / self.profile_energy_j / QUARTER_S;
        let mut today = None;
        let mut watts = Vec::with_capacity(count);
        for quarter in first..first.saturating_add(count as i64) {
            let day = quarter.div_euclid(QUARTERS as i64);
            let (month, day_type, factor) = match today {
                Some((known, of_day)) if known == day => of_day,
                _ => {
                    let of_day = self.day(day);
                    today = Some((day, of_day));
                    of_day
                }
            };
            let at = quarter.rem_euclid(QUARTERS as i64) as usize;
            watts.push(self.profile.energy_j[month][day_type as usize][at] * factor * scale);
        }
        watts
    }

    fn local_ns(&self, at: SimTime) -> i64 {
        at.as_nanoseconds().saturating_add(self.utc_offset.0)
    }

    /// The month from 0, the type, and the factor of a day since 1970.
    fn day(&self, day: i64) -> (usize, DayType, f64) {
        let date = date(day);
        let day_type = DayType::of(date, self.holidays.contains(&day));
        let factor =
            if self.is_dynamic { dynamisation(f64::from(date.day_of_year())) } else { 1.0 };
        (date.month() as usize - 1, day_type, factor)
    }
}

/// The date of a day since 1970.
pub(super) fn date(day: i64) -> Date {
    let at = Timestamp::from_nanosecond(i128::from(day) * i128::from(DAY_NS))
        .expect("every i64 of nanoseconds lies within the years 1677 to 2262");
    Offset::UTC.to_datetime(at).date()
}

/// BDEW's factor of dynamisation on a day of the year from 1, not rounded: the polynomial that VDEW
/// gave with the profile H0 (Repräsentative VDEW-Lastprofile, 1999), kept for those of 2025.
fn dynamisation(day: f64) -> f64 {
    (((-3.92e-10 * day + 3.2e-7) * day - 7.02e-5) * day + 2.1e-3) * day + 1.24
}

#[cfg(test)]
mod tests {
    use super::*;

    const KWH: f64 = 3.6e6;

    /// Made-up values that differ by month, day type and quarter, for a year of 1000 kWh.
    fn profile() -> StandardProfile {
        StandardProfile::new(|month, day, quarter| {
            let day = [2.0, 3.0, 1.0][day as usize];
            (100.0 * (month + 1) as f64 + 10.0 * day + quarter as f64 / 100.0) * KWH
        })
    }

    /// The figures of each quarter, back from watts to kWh of the table.
    fn figures(load: &StandardLoad<'_>, start: &str, count: usize) -> Vec<f64> {
        let scale = load.annual_energy_j / load.profile_energy_j;
        let watts = load.quarters(start.parse().unwrap(), count);
        watts.iter().map(|watts| watts * 900.0 / KWH / scale).collect()
    }

    fn load(profile: &StandardProfile) -> StandardLoad<'_> {
        StandardLoad {
            profile,
            profile_energy_j: 1000.0 * KWH,
            annual_energy_j: 3500.0 * KWH,
            is_dynamic: false,
            holidays: &[],
            utc_offset: SimDuration::ZERO,
        }
    }

    fn close(found: &[f64], expected: &[f64]) {
        assert_eq!(found.len(), expected.len());
        for (found, expected) in found.iter().zip(expected) {
            assert!((found / expected - 1.0).abs() < 1e-12, "{found}, expected {expected}");
        }
    }

    #[test]
    fn a_quarter_is_found_by_month_day_and_clock_and_scaled_to_the_year() {
        let profile = profile();
        // 1 January 2027 is a Friday. 100 + 10 kWh of 1000 kWh, for 3500 kWh, in a quarter.
        let start: SimTime = "2027-01-01T00:00:00Z".parse().unwrap();
        close(&load(&profile).quarters(start, 1), &[110.0 * 3.5 * 4000.0]);
        for (start, expected) in [
            ("2027-01-01T00:14:59Z", [110.0, 110.01]),
            ("2027-01-01T23:45:00Z", [110.95, 120.0]),
            ("2027-01-02T23:45:00Z", [120.95, 130.0]),
            ("2027-01-31T23:45:00Z", [130.95, 210.0]),
            ("2027-02-28T23:45:00Z", [230.95, 310.0]),
            // A leap year's 29 February was a Tuesday in 2028.
            ("2028-02-28T23:45:00Z", [210.95, 210.0]),
            ("2027-12-31T23:45:00Z", [1220.95, 120.0]),
        ] {
            close(&figures(&load(&profile), start, 2), &expected);
        }
    }

    #[test]
    fn holidays_are_sundays_and_the_last_days_of_advent_and_of_the_year_saturdays() {
        let profile = profile();
        let day = |text: &str| text.parse::<SimTime>().unwrap().as_nanoseconds() / DAY_NS;
        let holidays = ["2027-01-01T00:00:00Z", "2027-12-31T00:00:00Z", "2026-12-26T00:00:00Z"];
        let holidays = holidays.map(day);
        let with = StandardLoad { holidays: &holidays, ..load(&profile) };
        for (start, without, expected) in [
            ("2027-01-01T00:00:00Z", 110.0, 130.0),
            // A Thursday, a Friday, a Friday that somebody calls a holiday, a Saturday likewise.
            ("2026-12-24T00:00:00Z", 1220.0, 1220.0),
            ("2027-12-24T00:00:00Z", 1220.0, 1220.0),
            ("2027-12-31T00:00:00Z", 1220.0, 1230.0),
            ("2026-12-26T00:00:00Z", 1220.0, 1230.0),
            // In 2028 both are Sundays.
            ("2028-12-24T00:00:00Z", 1230.0, 1230.0),
            ("2028-12-31T00:00:00Z", 1230.0, 1230.0),
            ("2026-12-23T00:00:00Z", 1210.0, 1210.0),
            ("2026-11-24T00:00:00Z", 1110.0, 1110.0),
        ] {
            close(&figures(&load(&profile), start, 1), &[without]);
            close(&figures(&with, start, 1), &[expected]);
        }
    }

    #[test]
    fn the_clock_of_the_profile_may_be_ahead_of_that_of_the_scenario() {
        let profile = profile();
        let hour = SimDuration::from_seconds(3600);
        let berlin = StandardLoad { utc_offset: hour, ..load(&profile) };
        // 00:07:30 on Saturday 2 January there.
        let start: SimTime = "2027-01-01T23:07:30Z".parse().unwrap();
        assert_eq!(berlin.ahead(start), SimDuration::from_seconds(450));
        close(&figures(&berlin, "2027-01-01T23:07:30Z", 2), &[120.0, 120.01]);
        close(&figures(&load(&profile), "2027-01-01T23:07:30Z", 1), &[110.92]);
        // 04:47:30 by a clock that is 5 h 40 min ahead.
        let odd = StandardLoad { utc_offset: SimDuration(hour.0 / 60 * 340), ..load(&profile) };
        assert_eq!(odd.ahead(start), SimDuration::from_seconds(150));
    }

    /// Worked out by hand from the published polynomial: on day 1 1.24 + 0.0021 - 0.0000702
    /// + 0.00000032; on day 100 1.24 + 0.21 - 0.702 + 0.32 - 0.0392; on day 200 1.24 + 0.42
    /// - 2.808 + 2.56 - 0.6272.
    #[test]
    fn dynamisation_is_the_published_polynomial_of_the_day_of_the_year() {
        for (day, expected) in [(1.0, 1.242_030_119_608), (100.0, 1.0288), (200.0, 0.7848)] {
            assert!((dynamisation(day) - expected).abs() < 1e-12, "day {day}");
        }
        let profile = profile();
        let dynamic = StandardLoad { is_dynamic: true, ..load(&profile) };
        // 10 April is the hundredth day: 31 + 28 + 31 + 10; in 2027 a Saturday.
        close(&figures(&dynamic, "2027-04-10T00:00:00Z", 1), &[420.0 * 1.0288]);
    }

    #[test]
    fn the_energy_of_a_year_is_counted_by_the_days_of_its_months() {
        let flat = StandardProfile::new(|_, _, _| 2.0);
        assert!((flat.annual_energy_j() - 365.0 * 96.0 * 2.0).abs() < 1e-6);
        // A working day of 1 in March: 31 * 5 / 7 days of 96.
        let march =
            StandardProfile::new(
                |month, day, _| {
                    if month == 2 && day == DayType::WorkingDay { 1.0 } else { 0.0 }
                },
            );
        assert!((march.annual_energy_j() - 31.0 * 5.0 / 7.0 * 96.0).abs() < 1e-9);
    }
}
