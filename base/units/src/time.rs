//! Points and spans of simulated time in whole nanoseconds.
//!
//! Terms: a [`SimTime`] is an instant counted from 1970-01-01T00:00:00Z; a [`SimDuration`] is the
//! signed distance of two instants. Neither ever reads a clock.

use std::fmt;
use std::ops::{Add, AddAssign, Mul, Sub};
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

const NANOSECONDS_PER_SECOND: i64 = 1_000_000_000;

/// An instant in nanoseconds since 1970-01-01T00:00:00Z, without leap seconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SimTime(pub i64);

/// A signed span of time in nanoseconds; serialised as that number.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct SimDuration(pub i64);

/// A date that is not one of the forms read here.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected a date such as 2027-01-18T17:00:00Z or 2027-01-18T18:00:00.5+01:00, found `{0}`")]
pub struct TimeError(pub String);

impl SimTime {
    /// The instant a number of nanoseconds after 1970-01-01T00:00:00Z.
    pub const fn from_nanoseconds(nanoseconds: i64) -> Self {
        Self(nanoseconds)
    }

    /// Nanoseconds since 1970-01-01T00:00:00Z.
    pub const fn as_nanoseconds(self) -> i64 {
        self.0
    }

    /// The span since an earlier instant (negative if `earlier` is later).
    pub const fn since(self, earlier: Self) -> SimDuration {
        SimDuration(self.0 - earlier.0)
    }
}

impl SimDuration {
    /// No time at all.
    pub const ZERO: Self = Self(0);

    /// A whole number of seconds.
    pub const fn from_seconds(seconds: i64) -> Self {
        Self(seconds * NANOSECONDS_PER_SECOND)
    }

    /// A whole number of milliseconds.
    pub const fn from_milliseconds(milliseconds: i64) -> Self {
        Self(milliseconds * 1_000_000)
    }

    /// The span nearest to a number of seconds; saturates at the type's ends, NaN gives zero.
    pub fn from_seconds_f64(seconds: f64) -> Self {
        Self((seconds * NANOSECONDS_PER_SECOND as f64).round() as i64)
    }

    /// The span in seconds.
    pub fn as_seconds_f64(self) -> f64 {
        self.0 as f64 / NANOSECONDS_PER_SECOND as f64
    }
}

impl Add<SimDuration> for SimTime {
    type Output = Self;
    fn add(self, span: SimDuration) -> Self {
        Self(self.0 + span.0)
    }
}

impl AddAssign<SimDuration> for SimTime {
    fn add_assign(&mut self, span: SimDuration) {
        self.0 += span.0;
    }
}

impl Sub<SimDuration> for SimTime {
    type Output = Self;
    fn sub(self, span: SimDuration) -> Self {
        Self(self.0 - span.0)
    }
}

impl Sub for SimTime {
    type Output = SimDuration;
    fn sub(self, earlier: Self) -> SimDuration {
        self.since(earlier)
    }
}

impl Add for SimDuration {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        Self(self.0 + other.0)
    }
}

impl Sub for SimDuration {
    type Output = Self;
    fn sub(self, other: Self) -> Self {
        Self(self.0 - other.0)
    }
}

impl Mul<i64> for SimDuration {
    type Output = Self;
    fn mul(self, factor: i64) -> Self {
        Self(self.0 * factor)
    }
}

/// RFC 3339 in UTC: milliseconds unless the instant is finer, then up to nanoseconds.
impl fmt::Display for SimTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let timestamp = jiff::Timestamp::from_nanosecond(i128::from(self.0))
            .expect("every i64 of nanoseconds lies within the years 1677 to 2262");
        if self.0 % 1_000_000 == 0 { write!(f, "{timestamp:.3}") } else { write!(f, "{timestamp}") }
    }
}

impl FromStr for SimTime {
    type Err = TimeError;

    /// Reads RFC 3339 with `Z`, `+02:00` or `-0500`; the fraction has no or one to nine
    /// digits, the offset is at most 23:59 (RFC 3339 section 5.6). A date without an offset is
    /// rejected: which instant it means cannot be known. So is second 60: time has no leap seconds
    /// here, and only 27 days so far had one.
    fn from_str(text: &str) -> Result<Self, TimeError> {
        let error = || TimeError(text.to_owned());
        if !has_form(text.as_bytes()) {
            return Err(error());
        }
        let timestamp: jiff::Timestamp = text.parse().map_err(|_| error())?;
        i64::try_from(timestamp.as_nanosecond()).map(Self).map_err(|_| error())
    }
}

/// Whether a text has the form of a date. The library that reads it also takes forms of ISO 8601
/// (week dates, time zone names, commas), second 60 on any day, and offsets above a day.
fn has_form(text: &[u8]) -> bool {
    const DATE_AND_TIME: &[u8] = b"dddd-dd-ddTdd:dd:sd";
    let Some((head, mut rest)) = text.split_at_checked(DATE_AND_TIME.len()) else {
        return false;
    };
    if !matches(head, DATE_AND_TIME) {
        return false;
    }
    if let [b'.', fraction @ ..] = rest {
        let digits = fraction.iter().take_while(|byte| byte.is_ascii_digit()).count();
        if !(1..=9).contains(&digits) {
            return false;
        }
        rest = &fraction[digits..];
    }
    match rest {
        [b'Z' | b'z'] => true,
        [b'+' | b'-', offset @ ..] => {
            (matches(offset, b"dd:sd") || matches(offset, b"ddsd")) && &offset[..2] <= b"23"
        }
        _ => false,
    }
}

/// Whether a text has digits where the pattern has `d`, those below 6 where it has `s`, and
/// otherwise what the pattern has.
fn matches(text: &[u8], pattern: &[u8]) -> bool {
    text.len() == pattern.len()
        && text.iter().zip(pattern).all(|(byte, form)| match form {
            b'd' => byte.is_ascii_digit(),
            b's' => matches!(byte, b'0'..=b'5'),
            b'T' => matches!(byte, b'T' | b't'),
            other => byte == other,
        })
}

impl Serialize for SimTime {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for SimTime {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// The span as people write it: the largest unit that gives a whole number, else seconds.
impl fmt::Display for SimDuration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const UNITS: [(i64, &str); 5] = [
            (3_600 * NANOSECONDS_PER_SECOND, "h"),
            (60 * NANOSECONDS_PER_SECOND, "min"),
            (NANOSECONDS_PER_SECOND, "s"),
            (1_000_000, "ms"),
            (1_000, "us"),
        ];
        if self.0 == 0 {
            return f.write_str("0 s");
        }
        for (size, unit) in UNITS {
            if self.0 % size == 0 {
                return write!(f, "{} {unit}", self.0 / size);
            }
        }
        write!(f, "{} ns", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_three_date_forms_of_the_data_format_mean_one_instant() {
        let expected: SimTime = "2016-02-10T17:40:03.391Z".parse().unwrap();
        for text in ["2016-02-10T19:40:03.391+02:00", "2016-02-10T12:40:03.391-0500"] {
            assert_eq!(text.parse::<SimTime>().unwrap(), expected, "{text}");
        }
        assert_eq!(expected.as_nanoseconds(), 1_455_126_003_391_000_000);
    }

    #[test]
    fn an_instant_is_written_with_milliseconds_unless_it_is_finer() {
        for text in [
            "2027-01-18T17:00:00.000Z",
            "2027-01-18T17:00:00.250Z",
            "2027-01-18T17:00:00.000000001Z",
            "1969-12-31T23:59:59.999Z",
        ] {
            assert_eq!(text.parse::<SimTime>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn what_is_no_instant_is_refused() {
        for text in [
            "",
            "now",
            "2027-01-18",
            "2027-01-18T17:00:00",
            "2027-13-01T00:00:00Z",
            "2027-01-18 17:00:00Z",
            "9999-01-01T00:00:00Z",
            "2016-02-10T17:40Z",
            "2016-02-10T17:40:03.Z",
            "2016-02-10T17:40:03,391Z",
            "2016-02-10T17:40:03.3910000000Z",
            "2016-02-10T19:40:03+02",
            "2016-02-10T19:40:03+02:00[Europe/Rome]",
            "2016-02-10T19:40:03Z[UTC]",
            "2016-02-30T17:40:03Z",
            "2015-02-29T17:40:03Z",
            "2016-00-10T17:40:03Z",
            "2016-02-00T17:40:03Z",
            "2016-02-10T24:00:00Z",
            "2016-02-10T17:60:03Z",
            "2016-W06-3T17:40:03Z",
            "2016-041T17:40:03Z",
            "+002016-02-10T17:40:03Z",
            "2016-02-10T17:40:03\u{2212}05:00",
            "2016-02-10T17:40:03é",
            " 2016-02-10T17:40:03Z",
            "2016-02-10T17:40:03Z ",
        ] {
            assert!(text.parse::<SimTime>().is_err(), "{text}");
        }
    }

    #[test]
    fn second_60_names_no_instant_on_any_day() {
        for text in [
            "2027-01-18T23:59:60Z",
            "2027-01-18T17:00:60Z",
            "2027-01-18T17:00:60.5+01:00",
            // This one there was, and it has no place of its own in time without leap seconds.
            "2016-12-31T23:59:60Z",
            "2027-01-18T17:00:61Z",
        ] {
            assert!(text.parse::<SimTime>().is_err(), "{text}");
        }
        let last: SimTime = "2027-01-18T23:59:59.999999999Z".parse().unwrap();
        let next: SimTime = "2027-01-19T00:00:00Z".parse().unwrap();
        assert_eq!(next.since(last), SimDuration(1));
    }

    #[test]
    fn an_offset_is_less_than_a_day() {
        let at = |text: &str| text.parse::<SimTime>().map(|instant| instant.0 / 1_000_000_000);
        // 2016-02-10T17:40:03Z is 1455126003 s after 1970, by `date -u -d @1455126003`.
        for (offset, minutes_east) in [
            ("+23:59", 1439),
            ("-23:59", -1439),
            ("+2359", 1439),
            ("-00:00", 0),
            ("+05:45", 345),
            ("-0930", -570),
        ] {
            let read = at(&format!("2016-02-10T17:40:03{offset}"));
            assert_eq!(read, Ok(1_455_126_003 - minutes_east * 60), "{offset}");
        }
        for offset in
            ["+24:00", "-24:00", "+25:00", "+2500", "+99:00", "+23:60", "-0060", "+02:00:30", "+"]
        {
            assert!(at(&format!("2016-02-10T17:40:03{offset}")).is_err(), "{offset}");
        }
    }

    #[test]
    fn a_span_is_written_in_its_largest_whole_unit() {
        for (seconds, text) in [
            (0.0, "0 s"),
            (3600.0, "1 h"),
            (90.0, "90 s"),
            (0.25, "250 ms"),
            (1e-9, "1 ns"),
            (-60.0, "-1 min"),
        ] {
            assert_eq!(SimDuration::from_seconds_f64(seconds).to_string(), text);
        }
    }
}
