//! Dates, times and time zones of a COMTRADE header.
//!
//! Terms: *time code* is the zone of the header's stamps relative to UTC, written `-5h30`, `+9`,
//! `0`. Two-digit years below 80 are of this century (the standard is of 1991).

use jiff::civil::{Date, Time};
use jiff::tz::Offset;
use lastmeter_units::SimTime;

use super::Revision;

/// A start or trigger time as it stands in the header.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Stamp {
    /// As if its zone were UTC.
    pub(super) instant: SimTime,
    /// Stamps of the data are in nanoseconds: the fraction has more than six digits (2013).
    pub(super) nanoseconds: bool,
    /// Day and month stand in the other order than the revision's.
    pub(super) swapped: bool,
}

/// Reads `dd/mm/yyyy` (1991: `mm/dd/yy`) and `hh:mm:ss.ffffff`; a month above 12 shows that the
/// writer used the other order.
pub(super) fn stamp(date: &str, time: &str, revision: Revision) -> Option<Stamp> {
    let mut parts = date.split('/').map(|part| part.trim().parse::<i16>().ok());
    let (first, second, year) = (parts.next()??, parts.next()??, parts.next()??);
    if parts.next().is_some() {
        return None;
    }
    let year = match year {
        0..80 => year + 2000,
        80..100 => year + 1900,
        _ => year,
    };
    let (day, month) = if revision == Revision::R1991 { (second, first) } else { (first, second) };
    let swapped = month > 12;
    let (day, month) = if swapped { (month, day) } else { (day, month) };
    let civil = Date::new(year, i8::try_from(month).ok()?, i8::try_from(day).ok()?).ok()?;

    let mut parts = time.split(':').map(str::trim);
    let (hour, minute, second) = (parts.next()?, parts.next()?, parts.next()?);
    if parts.next().is_some() {
        return None;
    }
    let (whole, fraction) = second.split_once('.').unwrap_or((second, ""));
    if !fraction.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let nanosecond = fraction.bytes().chain(std::iter::repeat(b'0')).take(9);
    let nanosecond = nanosecond.fold(0_i32, |sum, digit| sum * 10 + i32::from(digit - b'0'));
    let clock =
        Time::new(hour.parse().ok()?, minute.parse().ok()?, whole.parse().ok()?, nanosecond);
    let instant = Offset::UTC.to_timestamp(civil.to_datetime(clock.ok()?)).ok()?;
    let instant = i64::try_from(instant.as_nanosecond()).ok()?;
    Some(Stamp { instant: SimTime(instant), nanoseconds: fraction.len() > 6, swapped })
}

/// The two fields of a header's date line for an instant in UTC. Nanoseconds are written only in
/// revision 2013 and only where the instant needs them.
pub(super) fn write(instant: SimTime, revision: Revision) -> String {
    write_in(instant, revision, in_nanoseconds(instant, revision))
}

/// The same with a given number of digits: all dates of a header determine the unit of its stamps.
pub(super) fn write_in(instant: SimTime, revision: Revision, nanoseconds: bool) -> String {
    // `Timestamp` covers more than an i64 of nanoseconds, so the fallback is never taken.
    let timestamp = jiff::Timestamp::from_nanosecond(i128::from(instant.0)).unwrap_or_default();
    let civil = Offset::UTC.to_datetime(timestamp);
    let (day, month, year) = (civil.day(), civil.month(), civil.year());
    let date = if revision == Revision::R1991 {
        format!("{month:02}/{day:02}/{:02}", year.rem_euclid(100))
    } else {
        format!("{day:02}/{month:02}/{year:04}")
    };
    let (hour, minute, second) = (civil.hour(), civil.minute(), civil.second());
    let fraction = civil.subsec_nanosecond();
    let fraction =
        if nanoseconds { format!("{fraction:09}") } else { format!("{:06}", fraction / 1000) };
    format!("{date},{hour:02}:{minute:02}:{second:02}.{fraction}")
}

/// Whether [`write`] gives nine digits, and the data's stamps are in nanoseconds therefore.
pub(super) fn in_nanoseconds(instant: SimTime, revision: Revision) -> bool {
    revision == Revision::R2013 && instant.0 % 1000 != 0
}

/// Seconds east of UTC of a time code: `-5h30`, `+9`, `0`, `+10H00`.
pub(super) fn zone_s(code: &str) -> Option<i64> {
    let code = code.trim();
    let (sign, rest) = match code.strip_prefix('-') {
        Some(rest) => (-1, rest),
        None => (1, code.strip_prefix('+').unwrap_or(code)),
    };
    let (hours, minutes) = rest.split_once(['h', 'H']).unwrap_or((rest, "0"));
    let number = |text: &str, most: i64| {
        let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        text.parse::<i64>().ok().filter(|&value| digits && value <= most)
    };
    Some(sign * (number(hours, 23)? * 3600 + number(minutes, 59)? * 60))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_order_of_day_and_month_follows_the_revision() {
        let expected: SimTime = "2011-01-12T05:55:30.075011Z".parse().unwrap();
        let read = |date, revision| stamp(date, "05:55:30.075011", revision).unwrap();
        assert_eq!(read("12/01/2011", Revision::R2013).instant, expected);
        assert_eq!(read("12/01/2011", Revision::R1999).instant, expected);
        assert_eq!(read("01/12/11", Revision::R1991).instant, expected);
        assert!(!read("01/12/11", Revision::R1991).swapped);
        let other: SimTime = "1995-07-27T05:55:30.075011Z".parse().unwrap();
        for (date, revision) in [("27/07/95", Revision::R1991), ("07/27/1995", Revision::R1999)] {
            assert_eq!(read(date, revision).instant, other);
            assert!(read(date, revision).swapped);
        }
    }

    #[test]
    fn more_than_six_digits_mean_nanoseconds() {
        let read = stamp("27/07/2023", "09:19:53.156666511", Revision::R2013).unwrap();
        assert!(read.nanoseconds);
        assert_eq!(read.instant, "2023-07-27T09:19:53.156666511Z".parse().unwrap());
        assert_eq!(write(read.instant, Revision::R2013), "27/07/2023,09:19:53.156666511");
        assert_eq!(write(read.instant, Revision::R1999), "27/07/2023,09:19:53.156666");
        assert_eq!(write(read.instant, Revision::R1991), "07/27/23,09:19:53.156666");
    }

    #[test]
    fn what_is_no_date_is_refused() {
        for (date, time) in [
            ("", ""),
            ("32/01/2011", "00:00:00"),
            ("01/01/2011", "24:00:00"),
            ("01/01/2011", "00:00"),
            ("01-01-2011", "00:00:00"),
            ("01/01/2011", "00:00:00.1x"),
            ("01/01/9999", "00:00:00"),
        ] {
            assert_eq!(stamp(date, time, Revision::R2013), None, "{date} {time}");
        }
    }

    #[test]
    fn time_codes_are_hours_and_minutes() {
        for (code, seconds) in [
            ("-5h30", Some(-19_800)),
            ("+10h30", Some(37_800)),
            ("+9", Some(32_400)),
            ("0", Some(0)),
            ("x", None),
            ("", None),
            ("24", None),
        ] {
            assert_eq!(zone_s(code), seconds, "{code}");
        }
    }
}
