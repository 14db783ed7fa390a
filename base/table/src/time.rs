//! Times as tables write them: numbers of seconds or another unit, clock times, dates with times.

use lastmeter_units::{SimDuration, SimTime};

use crate::{Heading, Row, Table, TableError, Unit, heading, seconds};

const DAY_NS: i64 = 86_400_000_000_000;

/// Times that differ by less are even: they are written as decimals.
const UNEVEN_NS: i64 = 1_000;

/// What a first column is called if its numbers are times, beside `time`.
const SECONDS_NAMES: [&str; 3] = ["t", "seconds", "timestamp"];

/// Whether a column has one of these names, its unit left out.
fn is_one_of(column: &str, names: &[&str]) -> bool {
    let Heading { name, .. } = heading(column, |unit| seconds(unit).is_some());
    names.iter().any(|it| it.eq_ignore_ascii_case(name))
}

fn unit_of_time(column: &str) -> Option<Unit<'_>> {
    heading(column, |unit| seconds(unit).is_some()).unit
}

/// The seconds of a number in a column of times, by the unit in its name.
fn seconds_of(column: &str) -> Result<f64, String> {
    let Some(unit) = unit_of_time(column) else { return Ok(1.0) };
    seconds(unit.text).ok_or_else(|| {
        format!(
            "the times of column `{column}` are numbers of `{}`, which is not a unit of time that is \
             known here; expected s, ms, us, ns, min, h or d",
            unit.text
        )
    })
}

/// Whether a time of a column is not later than that of the row before. Clock times may pass
/// midnight; what cannot be read as times of one form goes on as it likes.
pub fn turns_back(column: &str, before: &str, now: &str) -> bool {
    // In whatever unit, times go on.
    let (Some((form, begin)), Some((own, end))) = (time(before, 1.0), time(now, 1.0)) else {
        return false;
    };
    if own != form {
        return false;
    }
    match form {
        Form::Seconds if !is_one_of(column, &["time"]) && !is_one_of(column, &SECONDS_NAMES) => {
            false
        }
        Form::Seconds | Form::Instant => end <= begin,
        Form::Clock => end == begin || (end < begin && end - begin + DAY_NS > DAY_NS / 2),
    }
}

/// The column of times of a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimeColumn {
    /// Which, from 0.
    pub column: usize,
    /// From one row to the next.
    pub every: SimDuration,
    /// Whether they are numbers, in seconds only by the name of their column.
    pub is_bare: bool,
}

lastmeter_units::words! {
    /// How a time is written.
    enum Form {
        Seconds = "a number of seconds",
        Clock = "a clock time such as 00:15",
        Instant = "a date and time such as 2027-01-18T00:15 or 18.01.2027 00:15",
    }
}

impl Table {
    /// Its column of times, as far as rows are needed (`needed`, by the length of one): the column
    /// `time`, or else the first if it holds times. Numbers are times only under a name that
    /// means so, since they may be powers. `is_given` is whether the length of a row is known
    /// without it.
    ///
    /// # Errors
    /// If times that are needed do not go on evenly, or are in a unit or of a form that is
    /// unsupported.
    pub fn times(
        &self,
        is_given: bool,
        needed: impl Fn(SimDuration) -> usize,
    ) -> Result<Option<TimeColumn>, TableError> {
        let header = &self.header;
        let named = header.fields().position(|name| is_one_of(name, &["time"]));
        let column = named.unwrap_or(0);
        let is_under_seconds = named.is_some() || is_one_of(&header[0], &SECONDS_NAMES);
        let [first, second, ..] = &*self.rows else { return Ok(None) };
        // Clock times and dates are none of the unit's business.
        let is_number = is_under_seconds && first[column].parse::<f64>().is_ok();
        let unit_s = if is_number { seconds_of(&header[column]) } else { Ok(1.0) };
        let unit_s = unit_s.map_err(|why| TableError::field(header.line, column, why))?;
        let (form, begin) = match time(&first[column], unit_s) {
            Some((Form::Seconds, _)) if !is_under_seconds => return Ok(None),
            Some(read) => read,
            None if !is_under_seconds && is_in_milliseconds(&first[column]) => return Ok(None),
            // What is neither a time nor a number is no power: somebody's way to write times.
            None if !is_given => {
                let found = &first[column];
                let what = format!(
                    "`{found}` is not a supported time{}, so `every` has to state how far rows are \
                     apart",
                    hint(found)
                );
                return Err(TableError::field(first.line, column, what));
            }
            None => return Ok(None),
        };
        let after = |row: &Row, before: i64| {
            let found = &row[column];
            let wrong = |what: String| TableError::field(row.line, column, what);
            let Some((_, at)) = time(found, unit_s).filter(|(own, _)| *own == form) else {
                let expected = form.word();
                return Err(wrong(format!("found `{found}`, expected {expected}{}", hint(found))));
            };
            let passed = at.saturating_sub(before);
            let passed = if form == Form::Clock { passed.rem_euclid(DAY_NS) } else { passed };
            if passed <= 0 {
                return Err(wrong(format!("`{found}` is not later than the row before")));
            }
            Ok((at, passed))
        };
        let (mut before, every) = after(second, begin)?;
        if form == Form::Clock && every > DAY_NS / 2 {
            let what = format!("`{}` is not later than the row before", &second[column]);
            return Err(TableError::field(second.line, column, what));
        }
        let needed = needed(SimDuration(every));
        for (at, row) in self.rows.iter().enumerate().skip(2) {
            let is_needed = at < needed;
            let (own, passed) = match after(row, before) {
                Ok(read) => read,
                Err(why) if is_needed => return Err(why),
                Err(_) => break,
            };
            // Behind what is needed clocks may be set on; but nothing comes sooner than it should.
            if passed < every - UNEVEN_NS || (is_needed && passed > every + UNEVEN_NS) {
                let (passed, every) = (SimDuration(passed), SimDuration(every));
                let found = &row[column];
                let what = format!("`{found}` comes {passed} after the row before, not {every}");
                return Err(TableError::field(row.line, column, what));
            }
            before = own;
        }
        let is_bare = form == Form::Seconds && unit_of_time(&header[column]).is_none();
        Ok(Some(TimeColumn { column, every: SimDuration(every), is_bare }))
    }
}

/// What is meant to be in seconds lies within some two hundred years of 1970.
const SECONDS_MAX: f64 = 9.2e9;

const MILLISECONDS: &str = " (seconds since 1970 have ten digits: are these milliseconds?)";

/// What may be wrong with it.
fn hint(text: &str) -> &'static str {
    if is_in_milliseconds(text) { MILLISECONDS } else { "" }
}

fn is_in_milliseconds(text: &str) -> bool {
    text.parse().is_ok_and(|number: f64| number.is_finite() && number.abs() > SECONDS_MAX)
}

/// A time as it is written, in nanoseconds from some begin; a number counts so many seconds.
fn time(text: &str, unit_s: f64) -> Option<(Form, i64)> {
    if let Ok(number) = text.parse::<f64>() {
        let seconds = number * unit_s;
        let span = SimDuration::from_seconds_f64(seconds);
        return (seconds.abs() <= SECONDS_MAX).then_some((Form::Seconds, span.0));
    }
    if let Some(span) = clock(text) {
        return Some((Form::Clock, span));
    }
    // As spreadsheets and others write it: a blank for the T, no seconds, no offset.
    let (date, rest) = text.split_once(['T', 't', ' '])?;
    let at = rest.find(['Z', 'z', '+', '-']).unwrap_or(rest.len());
    let (of_day, offset) = rest.split_at(at);
    clock(of_day)?;
    let date = day(date)?;
    let seconds = if of_day.matches(':').count() == 1 { ":00" } else { "" };
    let offset = if offset.is_empty() { "Z" } else { offset };
    let instant: SimTime = format!("{date}T{of_day}{seconds}{offset}").parse().ok()?;
    Some((Form::Instant, instant.as_nanoseconds()))
}

/// A date as the standard has it: as it is, or from day, month and year with dots between them.
fn day(date: &str) -> Option<String> {
    if !date.contains('.') {
        return Some(date.to_owned());
    }
    let mut parts = date.split('.');
    let (day, month, year) = (parts.next()?, parts.next()?, parts.next()?);
    let is_number = |text: &str, most: usize| {
        (1..=most).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit())
    };
    let is_date = is_number(day, 2) && is_number(month, 2) && is_number(year, 4);
    (is_date && year.len() == 4 && parts.next().is_none())
        .then(|| format!("{year}-{month:0>2}-{day:0>2}"))
}

/// Hours and minutes, with seconds if need be.
fn clock(text: &str) -> Option<i64> {
    let mut parts = text.split(':');
    let mut whole = |most: i64| {
        let is_part = |part: &&str| matches!(part.len(), 1 | 2) && !part.starts_with('+');
        let part = parts.next().filter(is_part)?;
        part.parse::<u8>().ok().map(i64::from).filter(|value| *value <= most)
    };
    let (hours, minutes) = (whole(24)?, whole(59)?);
    let seconds = match parts.next() {
        Some(seconds) => seconds.parse::<f64>().ok().filter(|it| (0.0..60.0).contains(it))?,
        None => 0.0,
    };
    let whole = SimDuration::from_seconds(hours * 3600 + minutes * 60);
    parts.next().is_none().then_some(whole.0 + SimDuration::from_seconds_f64(seconds).0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_in_the_forms_that_tables_have() {
        let (minute, hour) = (60_000_000_000, 3_600_000_000_000_i64);
        let midnight = "2027-01-18T00:00:00Z".parse::<SimTime>().unwrap().as_nanoseconds();
        for (text, form, expected) in [
            ("900", Form::Seconds, 15 * minute),
            ("0.5", Form::Seconds, minute / 120),
            ("00:15", Form::Clock, 15 * minute),
            ("7:05", Form::Clock, 7 * hour + 5 * minute),
            ("24:00", Form::Clock, 24 * hour),
            ("07:05:30.5", Form::Clock, 7 * hour + 5 * minute + minute / 2 + minute / 120),
            ("2027-01-18T00:15:00Z", Form::Instant, midnight + 15 * minute),
            ("2027-01-18T01:15:00+01:00", Form::Instant, midnight + 15 * minute),
            ("2027-01-18 00:15", Form::Instant, midnight + 15 * minute),
            ("2027-01-18T00:15:00", Form::Instant, midnight + 15 * minute),
            ("2027-01-18 01:15+01:00", Form::Instant, midnight + 15 * minute),
            ("18.01.2027 00:15", Form::Instant, midnight + 15 * minute),
            ("18.1.2027 00:15:00", Form::Instant, midnight + 15 * minute),
        ] {
            assert_eq!(time(text, 1.0), Some((form, expected)), "{text}");
        }
        for text in [
            "",
            "x",
            "25:00",
            "00:60",
            "00:00:60",
            "0:0:0:0",
            "18.01.27 00:00",
            "18.13.2027 00:00",
            "1.2.3.2027 00:00",
            "18.+1.2027 00:00",
            "2027.01.18 00:00",
            "nan",
            "2027-01-18",
            "2027-13-18 00:00",
            "00:00-00:15",
            "-1:00",
            "+1:00",
            "inf",
        ] {
            assert_eq!(time(text, 1.0), None, "{text}");
        }
    }
}
