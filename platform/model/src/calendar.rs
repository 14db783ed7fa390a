//! Local calendars: time zones, and the stretches of a width that divide time in one of them.
//!
//! The time zone database is compiled in (IANA, by `jiff`); the machine's is never asked. A local
//! time that a change of offset leaves out means the instant of the change, and one that occurs
//! twice means the first of the two.

use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;
use jiff::civil::{Date, DateTime};
use jiff::tz::{AmbiguousOffset, Offset, TimeZone, TimeZoneDatabase};
use lastmeter_units::{SimDuration, SimTime, words};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A time zone of the IANA database, such as `Europe/Rome`; that of a premises.
#[derive(Clone, PartialEq, Eq)]
pub struct Zone(TimeZone);

/// A name that the database of time zones does not have.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown time zone `{0}`, expected a name of the IANA database such as `Europe/Rome`")]
pub struct ZoneError(pub String);

words! {
    /// How long a stretch is, in local time.
    pub enum Width {
        /// A quarter of an hour, by the local clock.
        Minutes15 = "15m",
        /// Half an hour, by the local clock.
        Minutes30 = "30m",
        /// An hour, by the local clock.
        Hour = "1h",
        /// From midnight to midnight: 23 or 25 hours where the offset changes.
        Day = "1d",
        /// From Monday to Monday (ISO 8601).
        Week = "1w",
        /// A month of the calendar.
        Month = "1mo",
        /// A year of the calendar.
        Year = "1y",
    }
}

/// A text that is no width.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown width `{0}`, expected one of {expected}", expected = Width::WORDS.join(", "))]
pub struct WidthError(pub String);

/// An instant as a zone's clocks show it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LocalTime {
    /// The year.
    pub year: i16,
    /// The month, from 1.
    pub month: i8,
    /// The day of the month, from 1.
    pub day: i8,
    /// The day of the week, from Monday 0.
    pub weekday: i8,
    /// The hour, from 0.
    pub hour: i8,
    /// The minute, from 0.
    pub minute: i8,
}

/// A stretch of time: from an instant up to, not including, another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stretch {
    /// Its first instant.
    pub from: SimTime,
    /// The first instant after it.
    pub until: SimTime,
}

impl Zone {
    /// The zone of a name, which has to be written as in the database or in other case.
    ///
    /// # Errors
    /// The database has no such name.
    pub fn named(name: &str) -> Result<Self, ZoneError> {
        let error = |_| ZoneError(name.chars().take(64).collect());
        TimeZoneDatabase::bundled().get(name).map(Self).map_err(error)
    }

    /// Coordinated universal time.
    pub fn utc() -> Self {
        Self(TimeZone::UTC)
    }

    /// Its name in the database.
    pub fn name(&self) -> &str {
        self.0.iana_name().unwrap_or("UTC")
    }

    /// How far its clocks are ahead of UTC at an instant.
    pub fn offset(&self, at: SimTime) -> SimDuration {
        SimDuration::from_seconds(self.0.to_offset(timestamp(at)).seconds().into())
    }

    /// An instant as the zone's clocks show it, with the offset: `2027-03-28T03:00:00+02:00`.
    pub fn local_text(&self, at: SimTime) -> String {
        let at = timestamp(at);
        at.display_with_offset(self.0.to_offset(at)).to_string()
    }

    /// What its clocks show at an instant.
    pub fn local(&self, at: SimTime) -> LocalTime {
        let local = self.0.to_datetime(timestamp(at));
        LocalTime {
            year: local.year(),
            month: local.month(),
            day: local.day(),
            weekday: local.weekday().to_monday_zero_offset(),
            hour: local.hour(),
            minute: local.minute(),
        }
    }

    /// The first instant of a date; `None` if there is no such date.
    pub fn midnight(&self, year: i16, month: i8, day: i8) -> Option<SimTime> {
        let date = Date::new(year, month, day).ok()?;
        Some(self.instant(date.to_datetime(jiff::civil::Time::midnight())))
    }

    /// The instant at which a full hour of the local date of another begins.
    pub fn hour_of_date(&self, of: SimTime, hour: u8) -> SimTime {
        let hour = i8::try_from(hour).unwrap_or(23).min(23);
        self.instant(self.date(of).at(hour, 0, 0, 0))
    }

    /// The local date at an instant.
    pub(crate) fn date(&self, at: SimTime) -> Date {
        self.0.to_datetime(timestamp(at)).date()
    }

    /// The instant of a local time: the instant of the change if a change of offset leaves it out,
    /// the first if it occurs twice. Later local times never give earlier instants.
    pub(crate) fn instant(&self, local: DateTime) -> SimTime {
        let with = |offset: Offset| offset.to_timestamp(local).unwrap_or(Timestamp::MAX);
        let at = match self.0.to_ambiguous_timestamp(local).offset() {
            AmbiguousOffset::Unambiguous { offset } => with(offset),
            AmbiguousOffset::Fold { before, .. } => with(before),
            AmbiguousOffset::Gap { after, .. } => {
                // With the later offset the local time lies before the change.
                let mut changes = self.0.following(with(after));
                let change = changes.find(|change| change.offset() == after);
                change.map_or(with(after), |change| change.timestamp())
            }
        };
        instant(at)
    }

    /// The first change of offset after an instant; the end of time if there is none.
    pub(crate) fn change_after(&self, at: SimTime) -> SimTime {
        let before = self.0.to_offset(timestamp(at));
        let mut changes = self.0.following(timestamp(at));
        let change = changes.find(|change| change.offset() != before);
        change.map_or(SimTime(i64::MAX), |change| instant(change.timestamp()))
    }
}

fn timestamp(at: SimTime) -> Timestamp {
    Timestamp::from_nanosecond(at.as_nanoseconds().into()).unwrap_or(Timestamp::MAX)
}

fn instant(at: Timestamp) -> SimTime {
    let nanoseconds = at.as_nanosecond().clamp(i64::MIN.into(), i64::MAX.into());
    SimTime(nanoseconds as i64)
}

impl fmt::Display for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl fmt::Debug for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Zone({self})")
    }
}

impl Serialize for Zone {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

impl<'de> Deserialize<'de> for Zone {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::named(&String::deserialize(deserializer)?).map_err(serde::de::Error::custom)
    }
}

impl FromStr for Width {
    type Err = WidthError;

    fn from_str(text: &str) -> Result<Self, WidthError> {
        Self::from_word(text).ok_or_else(|| WidthError(text.chars().take(32).collect()))
    }
}

impl Width {
    /// The width that is so long where no offset changes; months and years have no length.
    pub fn of_length(length: SimDuration) -> Option<Self> {
        let days = |days: i64| Some(SimDuration::from_seconds(days * 86_400).0);
        let length_of = |width: &Self| match width {
            Self::Day => days(1),
            Self::Week => days(7),
            other => other.span(),
        };
        Self::ALL.into_iter().find(|width| length_of(width) == Some(length.0))
    }

    /// The span of widths that are the same everywhere; `None` for those of the calendar.
    fn span(self) -> Option<i64> {
        let minutes = match self {
            Self::Minutes15 => 15,
            Self::Minutes30 => 30,
            Self::Hour => 60,
            Self::Day | Self::Week | Self::Month | Self::Year => return None,
        };
        Some(SimDuration::from_seconds(minutes * 60).0)
    }

    /// The first day of the calendar's stretch that a date lies in.
    fn first_day(self, date: Date) -> Date {
        match self {
            Self::Month => date.first_of_month(),
            Self::Year => date.first_of_year(),
            Self::Week => {
                let days = date.weekday().to_monday_zero_offset();
                (0..days).fold(date, |date, _| date.yesterday().unwrap_or(date))
            }
            _ => date,
        }
    }

    /// The first day of the next one.
    fn next(self, first: Date) -> Option<Date> {
        let days = match self {
            Self::Month => i32::from(first.days_in_month()),
            Self::Year => i32::from(first.days_in_year()),
            Self::Week => 7,
            _ => 1,
        };
        first.checked_add(jiff::Span::new().days(days)).ok()
    }
}

/// The whole stretches of a width that have an instant of a range, in order: the first one contains
/// `from`, each begins where the one before ends, and the last one reaches to `until` or beyond.
///
/// Widths up to an hour begin where the local clock shows a multiple of them; a change of offset in
/// the middle of one (Lord Howe Island changes by half an hour) ends it there. Those of the
/// calendar begin with the first instant of a local date; a date that a zone left out has none.
pub fn stretches(
    zone: &Zone,
    width: Width,
    from: SimTime,
    until: SimTime,
) -> impl Iterator<Item = Stretch> + use<> {
    let of_clock = width.span().map(|span| ClockStretches::new(zone.clone(), span, from));
    let of_calendar = match of_clock {
        Some(_) => None,
        None => Some(calendar_stretches(zone.clone(), width, from)),
    };
    let all = of_clock.into_iter().flatten().chain(of_calendar.into_iter().flatten());
    all.skip_while(move |stretch| stretch.until <= from)
        .take_while(move |stretch| stretch.from < until)
}

/// What whole stretches of a width fill of the time between two instants, if anything.
pub fn whole(zone: &Zone, width: Width, from: SimTime, until: SimTime) -> Option<Stretch> {
    let around = |at: SimTime| stretches(zone, width, at, SimTime(at.0.saturating_add(1))).next();
    let first = around(from)?;
    let from = if first.from == from { from } else { first.until };
    let until = around(until)?.from;
    (from < until).then_some(Stretch { from, until })
}

fn calendar_stretches(
    zone: Zone,
    width: Width,
    from: SimTime,
) -> impl Iterator<Item = Stretch> + use<> {
    // A change of offset at midnight may bring the evening before back: begin a day earlier.
    let date = zone.date(from);
    let first = width.first_day(date.yesterday().unwrap_or(date));
    let days = std::iter::successors(Some(first), move |first| width.next(*first));
    let start = move |first: &Date| zone.instant(first.at(0, 0, 0, 0));
    let pairs = days.scan(None, move |last: &mut Option<SimTime>, first| {
        let start = start(&first);
        let from = last.replace(start).unwrap_or(start);
        Some(Stretch { from, until: start })
    });
    pairs.filter(|stretch| stretch.from < stretch.until)
}

/// Stretches of a fixed span, aligned with the local clock.
struct ClockStretches {
    zone: Zone,
    span: i64,
    at: SimTime,
    offset: SimDuration,
    change: SimTime,
}

impl ClockStretches {
    fn new(zone: Zone, span: i64, from: SimTime) -> Self {
        // Two spans earlier, since a change of offset may lie in between.
        let at = SimTime(from.0.saturating_sub(2 * span));
        let (offset, change) = (zone.offset(at), zone.change_after(at));
        Self { zone, span, at, offset, change }
    }
}

impl Iterator for ClockStretches {
    type Item = Stretch;

    fn next(&mut self) -> Option<Stretch> {
        let from = self.at;
        let local = from.0.checked_add(self.offset.0)?;
        let full = from.0.checked_add(self.span - local.rem_euclid(self.span))?;
        self.at = SimTime(full.min(self.change.0));
        if self.at == self.change {
            self.offset = self.zone.offset(self.change);
            self.change = self.zone.change_after(self.change);
        }
        (from < self.at).then_some(Stretch { from, until: self.at })
    }
}

#[cfg(test)]
pub(crate) mod tests;
