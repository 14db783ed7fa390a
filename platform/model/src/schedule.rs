//! When a schedule is due: once, at a period, or by a local calendar.
//!
//! A local time that a change of offset leaves out is due at the end of the gap, and one that
//! occurs twice is due once, at the first. Instants that passed while nobody looked are due once
//! together ([`Schedule::due`]).

use jiff::civil::Time;
use lastmeter_units::{SimDuration, SimTime, words};
use serde::{Deserialize, Serialize};

use crate::calendar::Zone;

words! {
    /// A day of the week.
    pub enum Weekday in files {
        /// Monday.
        Monday = "mon",
        /// Tuesday.
        Tuesday = "tue",
        /// Wednesday.
        Wednesday = "wed",
        /// Thursday.
        Thursday = "thu",
        /// Friday.
        Friday = "fri",
        /// Saturday.
        Saturday = "sat",
        /// Sunday.
        Sunday = "sun",
    }
}

/// A time of day, by the local clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct TimeOfDay(Time);

/// The instants at which something is due.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase", deny_unknown_fields)]
pub enum Schedule {
    /// Once.
    Once {
        /// When.
        at: SimTime,
    },
    /// At a period, for ever.
    Every {
        /// The first time.
        from: SimTime,
        /// The period in seconds.
        every_s: u32,
    },
    /// On days of the week, by the clock of a zone.
    Calendar {
        /// Which days.
        weekdays: Vec<Weekday>,
        /// At which time of these days.
        time: TimeOfDay,
        /// Where.
        zone: Zone,
    },
}

/// Why a schedule is none.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ScheduleError {
    /// A text that is no time of day.
    #[error("time: `{0}`, expected a time of day such as `07:30` or `07:30:15`")]
    Time(String),
    /// A period of nothing.
    #[error("every_s: 0, expected a number of seconds from 1")]
    Period,
    /// No day at all.
    #[error("weekdays: none, expected at least one of {days}", days = Weekday::WORDS.join(", "))]
    Weekdays,
}

impl TryFrom<String> for TimeOfDay {
    type Error = ScheduleError;

    /// Reads `HH:MM` or `HH:MM:SS`.
    fn try_from(text: String) -> Result<Self, ScheduleError> {
        let numbers: Option<Vec<i8>> = text
            .split(':')
            .map(|part| {
                let is_two = part.len() == 2 && part.bytes().all(|byte| byte.is_ascii_digit());
                is_two.then(|| part.parse().ok()).flatten()
            })
            .collect();
        let time = match numbers.as_deref() {
            Some([hour, minute]) => Time::new(*hour, *minute, 0, 0).ok(),
            Some([hour, minute, second]) => Time::new(*hour, *minute, *second, 0).ok(),
            _ => None,
        };
        time.map(Self).ok_or_else(|| ScheduleError::Time(text.chars().take(32).collect()))
    }
}

impl From<TimeOfDay> for String {
    fn from(TimeOfDay(time): TimeOfDay) -> Self {
        format!("{:02}:{:02}:{:02}", time.hour(), time.minute(), time.second())
    }
}

impl TimeOfDay {
    /// The instant of it on a day.
    pub(crate) fn on(self, day: jiff::civil::Date, zone: &Zone) -> SimTime {
        zone.instant(day.to_datetime(self.0))
    }

    /// Whole seconds since midnight, as the clock counts them.
    pub(crate) fn second_of_day(self) -> i64 {
        let Self(time) = self;
        (i64::from(time.hour()) * 60 + i64::from(time.minute())) * 60 + i64::from(time.second())
    }
}

impl Schedule {
    /// Checks what its types leave open.
    ///
    /// # Errors
    /// The field that has no valid value.
    pub fn validate(&self) -> Result<(), ScheduleError> {
        match self {
            Self::Every { every_s: 0, .. } => Err(ScheduleError::Period),
            Self::Calendar { weekdays, .. } if weekdays.is_empty() => Err(ScheduleError::Weekdays),
            _ => Ok(()),
        }
    }

    /// The first instant after another at which it is due.
    pub fn next_after(&self, after: SimTime) -> Option<SimTime> {
        match self {
            Self::Once { at } => (*at > after).then_some(*at),
            Self::Every { from, .. } if *from > after => Some(*from),
            Self::Every { from, every_s } => {
                let periods = periods(*from, *every_s, after)? + 1;
                nth(*from, *every_s, periods)
            }
            Self::Calendar { zone, .. } => {
                // From the evening before, which a change of offset may bring back.
                let first = zone.date(after).yesterday().ok()?;
                let days = std::iter::successors(Some(first), |day| day.tomorrow().ok());
                days.take(DAYS_MAX).filter_map(|day| self.instant_on(day)).find(|at| *at > after)
            }
        }
    }

    /// The one instant for which it is due now, if it was last looked at `since`: the latest of
    /// those after `since` and up to `now`, so that missed ones are made good once.
    pub fn due(&self, since: SimTime, now: SimTime) -> Option<SimTime> {
        let last = match self {
            Self::Once { at } => Some(*at),
            Self::Every { from, every_s } => nth(*from, *every_s, periods(*from, *every_s, now)?),
            Self::Calendar { zone, .. } => {
                let last = zone.date(now).tomorrow().ok()?;
                let days = std::iter::successors(Some(last), |day| day.yesterday().ok());
                days.take(DAYS_MAX).filter_map(|day| self.instant_on(day)).find(|at| *at <= now)
            }
        };
        last.filter(|at| since < *at && *at <= now)
    }

    fn instant_on(&self, day: jiff::civil::Date) -> Option<SimTime> {
        let Self::Calendar { weekdays, time, zone } = self else { return None };
        let weekday = Weekday::ALL[day.weekday().to_monday_zero_offset() as usize];
        weekdays.contains(&weekday).then(|| time.on(day, zone))
    }
}

/// Days within which a calendar with a weekday is due in any case: a week, the day before and the
/// day after, and a date that a zone left out.
const DAYS_MAX: usize = 11;

/// How many whole periods have passed; `None` before the first instant or without a period.
fn periods(from: SimTime, every_s: u32, at: SimTime) -> Option<i128> {
    let period = i128::from(SimDuration::from_seconds(every_s.into()).0);
    let passed = i128::from(at.0) - i128::from(from.0);
    (passed >= 0).then(|| passed.checked_div(period)).flatten()
}

fn nth(from: SimTime, every_s: u32, periods: i128) -> Option<SimTime> {
    let period = i128::from(SimDuration::from_seconds(every_s.into()).0);
    i64::try_from(i128::from(from.0) + periods * period).ok().map(SimTime)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::calendar::tests::ZONES;

    fn at(text: &str) -> SimTime {
        text.parse().unwrap()
    }

    fn daily(zone: &str, time: &str) -> Schedule {
        let body =
            json!({"kind": "calendar", "weekdays": Weekday::WORDS, "time": time, "zone": zone});
        serde_json::from_value(body).unwrap()
    }

    #[test]
    fn a_time_in_the_gap_is_due_at_its_end_and_a_repeated_one_at_the_first() {
        let schedule = daily("Europe/Rome", "02:30");
        for (after, next) in [
            ("2027-03-27T00:00:00Z", "2027-03-27T01:30:00Z"),
            ("2027-03-27T01:30:00Z", "2027-03-28T01:00:00Z"), // 02:00 to 03:00 is left out
            ("2027-03-28T01:00:00Z", "2027-03-29T00:30:00Z"),
            ("2027-10-30T12:00:00Z", "2027-10-31T00:30:00Z"), // not at 01:30Z, 02:30 again
            ("2027-10-31T00:30:00Z", "2027-11-01T01:30:00Z"),
        ] {
            assert_eq!(schedule.next_after(at(after)), Some(at(next)), "{after}");
        }
    }

    #[test]
    fn missed_instants_are_due_once() {
        let schedule = daily("Europe/Rome", "07:00");
        let (since, now) = (at("2027-05-01T00:00:00Z"), at("2027-05-09T12:00:00Z"));
        let due = schedule.due(since, now);
        assert_eq!(due, Some(at("2027-05-09T05:00:00Z")));
        assert_eq!(schedule.due(due.unwrap(), now), None);
        let once = Schedule::Once { at: since };
        assert_eq!(once.due(SimTime(0), now), Some(since));
        assert_eq!((once.due(since, now), once.next_after(since)), (None, None));
    }

    #[test]
    fn documents_that_are_no_schedule_are_reported_with_the_field() {
        let read = |body| serde_json::from_value::<Schedule>(body).unwrap_err().to_string();
        let body = |time: &str, zone: &str| json!({"kind": "calendar", "weekdays": ["mon"], "time": time, "zone": zone});
        for time in ["24:00", "7:30", "07:60", "07", "07:30:15.5", "+1:00"] {
            assert!(read(body(time, "UTC")).starts_with(&format!("time: `{time}`")));
        }
        assert!(read(body("07:30", "Mars/Base")).contains("unknown time zone `Mars/Base`"));
        assert!(read(json!({"kind": "once", "at": 3, "more": 1})).len() > 1);
        let every = Schedule::Every { from: SimTime(0), every_s: 0 };
        assert_eq!(every.validate(), Err(ScheduleError::Period));
        assert_eq!((every.next_after(SimTime(1)), every.due(SimTime(0), SimTime(1))), (None, None));
        let text = json!({"kind": "calendar", "weekdays": [], "time": "07:30:00", "zone": "UTC"});
        let none: Schedule = serde_json::from_value(text.clone()).unwrap();
        assert_eq!(none.validate(), Err(ScheduleError::Weekdays));
        assert_eq!(none.next_after(SimTime(0)), None);
        assert_eq!(serde_json::to_value(&none).unwrap(), text);
    }

    proptest! {
        #[test]
        fn periods_are_counted_from_the_first(
            from in any::<i64>(),
            every_s: u32,
            after in any::<i64>(),
        ) {
            let schedule = Schedule::Every { from: SimTime(from), every_s };
            let period = i128::from(every_s) * 1_000_000_000;
            if let Some(next) = schedule.next_after(SimTime(after)) {
                prop_assert!(next.0 > after && next.0 >= from);
                prop_assert!(next.0 == from || i128::from(next.0) - i128::from(after) <= period);
                prop_assert!(next.0 == from || (i128::from(next.0) - i128::from(from)) % period == 0);
                prop_assert_eq!(schedule.due(SimTime(after), next), Some(next));
            }
        }

        #[test]
        fn local_times_are_those_of_a_clock_that_is_watched(
            zone in proptest::sample::select(&ZONES[..]),
            days in proptest::sample::subsequence(&Weekday::ALL[..], 1..=7),
            minute in 0..96_i8,
            from_s in 1_000_000_000_i64..2_200_000_000,
        ) {
            // By brute force: a clock that is looked at each 15 min, since all changes of these
            // zones fall on them, is due when it first shows the time of a day, or passes it.
            let zone = Zone::named(zone).unwrap();
            let time = Time::new(minute / 4, minute % 4 * 15, 0, 0).unwrap();
            let calendar =
                Schedule::Calendar { weekdays: days.clone(), time: TimeOfDay(time), zone: zone.clone() };
            let start = SimTime(from_s / 900 * 900 * 1_000_000_000);
            let mut expected = Vec::new();
            for day in -2..12_i64 {
                let day = zone.date(start).checked_add(jiff::Span::new().days(day)).unwrap();
                let weekday = Weekday::ALL[day.weekday().to_monday_zero_offset() as usize];
                let shows = |quarter: i64| {
                    let at = start + SimDuration::from_seconds(900 * quarter);
                    let local: jiff::civil::DateTime = zone.local_text(at)[..19].parse().unwrap();
                    (local >= day.to_datetime(time)).then_some(at)
                };
                if days.contains(&weekday) {
                    expected.extend((-5 * 96..14 * 96).find_map(shows));
                }
            }
            expected.dedup();
            let first = expected.iter().find(|at| **at > start).copied();
            prop_assert_eq!(calendar.next_after(start), first);
            let last = expected.iter().rfind(|at| **at <= start).copied();
            if let Some(last) = last {
                prop_assert_eq!(calendar.due(SimTime(0), start), Some(last));
            }
        }
    }
}
