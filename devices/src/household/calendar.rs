//! Days, months and years of local time, which has a fixed offset from UTC.

use lastmeter_units::{SimDuration, SimTime};

/// A day of local time.
pub(crate) const DAY: SimDuration = SimDuration::from_seconds(86_400);

/// The periods of the calendar that an instant is in, each as a number that grows by one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Periods {
    /// Since 1970-01-01.
    pub(crate) day: i64,
    /// Of all years.
    pub(crate) month: i64,
    pub(crate) year: i64,
}

/// Those of an instant, by the Gregorian calendar: years begin in March while it is computed, so
/// that the day of a leap year is the last one, and 400 of them have 146,097 days.
pub(crate) fn periods(at: SimTime, offset: SimDuration) -> Periods {
    let day = at.0.saturating_add(offset.0).div_euclid(DAY.0);
    let from_march = day + 719_468;
    let (era, of_era) = (from_march.div_euclid(146_097), from_march.rem_euclid(146_097));
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * of_year + 2) / 153;
    let months = (era * 400 + year_of_era) * 12 + month_from_march + 2;
    Periods { day, month: months, year: months.div_euclid(12) }
}

/// The instant of a time of day on a day of local time.
pub(crate) fn instant(day: i64, time: SimDuration, offset: SimDuration) -> SimTime {
    SimTime(day.saturating_mul(DAY.0).saturating_add(time.0).saturating_sub(offset.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Against dates as they are written, by the parser of dates.
    #[test]
    fn days_months_and_years_begin_where_the_calendar_has_them() {
        let hour = SimDuration::from_seconds(3600);
        let mut before = None;
        for year in [1999, 2000, 2023, 2024, 2025, 2100] {
            for month in 1..=12 {
                for (day, time) in [(1, "00:00:00"), (28, "23:59:59")] {
                    let text = format!("{year}-{month:02}-{day:02}T{time}+01:00");
                    let at: SimTime = text.parse().unwrap();
                    let found = periods(at, hour);
                    assert_eq!((found.year, found.month), (year, year * 12 + month - 1), "{text}");
                    let midnight = instant(found.day, SimDuration::ZERO, hour);
                    assert!(midnight <= at && at < midnight + DAY);
                    assert!(before < Some(found.day), "{text}");
                    before = Some(found.day);
                }
            }
        }
        let leap: SimTime = "2024-02-29T12:00:00Z".parse().unwrap();
        assert_eq!(periods(leap, SimDuration::ZERO).month, 2024 * 12 + 1);
    }
}
