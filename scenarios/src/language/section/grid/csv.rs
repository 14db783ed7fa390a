//! The profile `csv`: columns of powers, one row after another.

use lastmeter_grid::Complex64;
use lastmeter_grid::network::Load;
use lastmeter_params::{Code, Diagnostics, Values, nearest};
use lastmeter_sim::grid::{Raster, Rows};
use lastmeter_units::{SimDuration, SimTime};

use super::header::{Header, Written, header, is_no_power, seconds, tangent, vars, watts};
use super::rows::{Line, doubt, lines, place};

const DAY_NS: i64 = 86_400_000_000_000;

/// Times that differ by less are even: they are written as decimals.
const UNEVEN_NS: i64 = 1_000;

/// A table, and how its rows follow each other.
pub(super) struct Table<'a> {
    header: Vec<&'a str>,
    rows: Vec<Line<'a>>,
    every: SimDuration,
}

/// The table of a row of `[[grid.load]]`; mistakes are told.
pub(super) fn table<'a>(
    text: &'a str,
    values: &Values,
    raster: &Raster,
    out: &mut Diagnostics,
) -> Option<Table<'a>> {
    let (file, span) = (values.text("file"), values.span_of("file"));
    let mut rows = match lines(text) {
        Ok(rows) => rows,
        Err(what) => {
            let message = format!("`{file}` is refused: {what}");
            out.report(Code::FILE_REFUSED, span, message, "expected a table of powers");
            return None;
        }
    };
    let header = rows.remove(0).fields;
    let given = values.duration_opt("every");
    let told = match times(file, &header, &rows, given.is_some(), raster) {
        Ok(told) => told,
        Err(message) => {
            let label = "expected times that go on evenly";
            out.report(Code::FILE_REFUSED, span, message, label);
            return None;
        }
    };
    if let (Some(given), Some(told)) = (given, told)
        && given != told.every
    {
        let TimeColumn { column, every, .. } = told;
        let name = header[column];
        let message = format!("rows of `{file}` follow each other every {every}, by `{name}`");
        let (label, help) = (format!("not every {given}"), "leave `every` out, or that column");
        let span = values.span_of("every");
        out.report_with_help(Code::DOES_NOT_FIT, span, message, label, Some(help.to_owned()));
        return None;
    }
    let every = given.or(told.map(|told| told.every)).unwrap_or(raster.step);
    if let Some(told) = told {
        one_row_is_enough(&told, &header, rows.len(), values, raster, out);
    }
    Some(Table { header, rows, every })
}

/// Warns where the whole scenario lies in the first row, as in one whose seconds are milliseconds.
/// Rows of whole hours, up to a day, are meant.
fn one_row_is_enough(
    told: &TimeColumn,
    header: &[&str],
    rows: usize,
    values: &Values,
    raster: &Raster,
    out: &mut Diagnostics,
) {
    const HOUR: i64 = 3_600_000_000_000;
    let every = told.every;
    let is_usual = every.0 < 10_000_000_000_000 || (every.0 % HOUR == 0 && every.0 <= DAY_NS);
    if !told.is_bare || is_usual || Rows::needed(every, SimDuration::ZERO, raster) > 1 {
        return;
    }
    let name = header[told.column];
    let what = format!(
        "its rows follow each other every {every} by the seconds of column `{name}`, so that the \
         scenario plays the first of {rows} rows and no other"
    );
    let help = format!("if they are no seconds, write their unit, as in `{name} [ms]`");
    doubt(values, &what, Some(help), out);
}

/// What a first column is called if its numbers are times, beside `time`.
const SECONDS_NAMES: [&str; 3] = ["t", "seconds", "timestamp"];

/// Whether a column has one of these names, its unit left out.
fn is_one_of(column: &str, names: &[&str]) -> bool {
    let Header { name, .. } = header(column, |unit| seconds(unit).is_some());
    names.iter().any(|it| it.eq_ignore_ascii_case(name))
}

fn unit_of_time(column: &str) -> Option<Written<'_>> {
    header(column, |unit| seconds(unit).is_some()).unit
}

/// The seconds of a number in a column of times, by the unit in its name.
fn seconds_of(column: &str) -> Result<f64, String> {
    let Some(unit) = unit_of_time(column) else { return Ok(1.0) };
    seconds(unit.text).ok_or_else(|| {
        format!(
            "the times of column `{column}` are numbers of `{}`, which is no unit of time that is \
             known here; expected s, ms, us, ns, min, h or d",
            unit.text
        )
    })
}

/// Whether a time of a column is not later than that of the row before. Clock times may pass
/// midnight; what cannot be read as times of one form goes on as it likes.
pub(crate) fn turns_back(column: &str, before: &str, now: &str) -> bool {
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

/// What a column of times tells.
#[derive(Clone, Copy)]
struct TimeColumn {
    column: usize,
    every: SimDuration,
    /// Whether they are numbers that nothing but the name of their column says are seconds.
    is_bare: bool,
}

lastmeter_units::words! {
    /// How a time is written.
    enum Form {
        Seconds = "a number of seconds",
        Clock = "a clock time such as 00:15",
        Instant = "a date and time such as 2027-01-18T00:15 or 18.01.2027 00:15",
    }
}

/// What the times of a table say of its rows, as far as a scenario needs them: the column `time`,
/// or else the first if it holds times. Numbers are times only under a name that says so, since
/// they may be powers.
fn times(
    file: &str,
    header: &[&str],
    rows: &[Line<'_>],
    is_given: bool,
    raster: &Raster,
) -> Result<Option<TimeColumn>, String> {
    let named = header.iter().position(|name| is_one_of(name, &["time"]));
    let column = named.unwrap_or(0);
    let is_under_seconds = named.is_some() || is_one_of(header[0], &SECONDS_NAMES);
    let [first, second, ..] = rows else { return Ok(None) };
    // Clock times and dates are none of the unit's business.
    let is_number = is_under_seconds && first.fields[column].parse::<f64>().is_ok();
    let unit_s = if is_number { seconds_of(header[column]) } else { Ok(1.0) };
    let unit_s = unit_s.map_err(|why| format!("{}: {why}", place(file, 1, column)))?;
    let time = |text: &str| time(text, unit_s);
    let (form, begin) = match time(first.fields[column]) {
        Some((Form::Seconds, _)) if !is_under_seconds => return Ok(None),
        Some(read) => read,
        None if !is_under_seconds && is_in_milliseconds(first.fields[column]) => return Ok(None),
        // What is neither a time nor a number is no power: somebody's way to write times.
        None if !is_given => {
            let (place, found) = (place(file, first.number, column), first.fields[column]);
            let why = if is_in_milliseconds(found) { MILLISECONDS } else { "" };
            return Err(format!(
                "{place}: `{found}` is no supported time{why}, so `every` has to state how \
                 far rows are apart"
            ));
        }
        None => return Ok(None),
    };
    let after = |line: &Line<'_>, before: i64| {
        let (place, found) = (place(file, line.number, column), line.fields[column]);
        let Some((_, at)) = time(found).filter(|(own, _)| *own == form) else {
            let hint = if is_in_milliseconds(found) { MILLISECONDS } else { "" };
            return Err(format!("{place}: found `{found}`, expected {}{hint}", form.word()));
        };
        let passed = at.saturating_sub(before);
        let passed = if form == Form::Clock { passed.rem_euclid(DAY_NS) } else { passed };
        if passed <= 0 {
            return Err(format!("{place}: `{found}` is not later than the row before"));
        }
        Ok((at, passed))
    };
    let (mut before, every) = after(second, begin)?;
    if form == Form::Clock && every > DAY_NS / 2 {
        let (place, found) = (place(file, second.number, column), second.fields[column]);
        return Err(format!("{place}: `{found}` is not later than the row before"));
    }
    let needed = Rows::needed(SimDuration(every), SimDuration::ZERO, raster);
    for (at, line) in rows.iter().enumerate().skip(2) {
        let is_needed = at < needed;
        let (own, passed) = match after(line, before) {
            Ok(read) => read,
            Err(why) if is_needed => return Err(why),
            Err(_) => break,
        };
        // Behind what is needed clocks may be set on; but nothing comes sooner than it should.
        if passed < every - UNEVEN_NS || (is_needed && passed > every + UNEVEN_NS) {
            let (place, found) = (place(file, line.number, column), line.fields[column]);
            let (passed, every) = (SimDuration(passed), SimDuration(every));
            return Err(format!(
                "{place}: `{found}` comes {passed} after the row before, not {every}"
            ));
        }
        before = own;
    }
    let is_bare = form == Form::Seconds && unit_of_time(header[column]).is_none();
    Ok(Some(TimeColumn { column, every: SimDuration(every), is_bare }))
}

/// What is meant to be in seconds lies within some two hundred years of 1970.
const SECONDS_MAX: f64 = 9.2e9;

const MILLISECONDS: &str = " (seconds since 1970 have ten digits: are these milliseconds?)";

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

/// A load's powers from a table.
pub(super) fn powers(
    load: &Load,
    table: &Table<'_>,
    values: &Values,
    raster: &Raster,
    out: &mut Diagnostics,
) -> Option<Vec<Complex64>> {
    let every = table.every;
    let needed = Rows::needed(every, SimDuration::ZERO, raster);
    let mut column = |key: &str, written: &str| {
        let name = written.replace("{load}", &load.name);
        let figures = figures(&name, key, needed, table, values, out)?;
        Some((figures, unit((&name, written), key, values, out)?))
    };
    let (mut active, of_active) = column("column", values.text("column"))?;
    let default = if values.text("unit") == "kW" { 1e3 } else { 1.0 };
    let own = of_active.unwrap_or(default);
    for power in &mut active {
        *power *= own;
    }
    let factor = values.si("scale");
    let reactive: Vec<f64> = if let Some(written) = values.text_opt("reactive_column") {
        let (mut reactive, of_reactive) = column("reactive_column", written)?;
        if of_active.is_some() != of_reactive.is_some() && !values.is_written("unit") {
            let span = values.span_of("reactive_column");
            let message =
                "one of both columns of powers has its unit in its name, the other has not";
            let help = Some("write `unit`, or both units in the table's header".to_owned());
            let label = "expected both units, or none";
            out.report_with_help(Code::DOES_NOT_FIT, span, message, label, help);
            return None;
        }
        let own = of_reactive.unwrap_or(default);
        for power in &mut reactive {
            *power *= own;
        }
        reactive
    } else {
        let tangent = tangent(values.si_opt("power_factor").unwrap_or(1.0));
        active.iter().map(|watts| watts * tangent).collect()
    };
    let power = |(p, q): (&f64, f64)| Complex64::new(*p, q) * factor;
    let power_va: Vec<Complex64> = active.iter().zip(reactive).map(power).collect();
    let is_drawn = active.iter().all(|&watts| watts >= 0.0) && active.iter().any(|&it| it > 0.0);
    if load.generator && is_drawn && !values.is_written("scale") {
        let (name, span) = (&load.name, values.span_of("column"));
        let message = format!("generator `{name}` would draw what its column holds, all the time");
        let label = "powers of `[[grid.load]]` are drawn, also by a generator";
        let help = "write `scale = -1` if it delivers them, or `scale = 1` if it does draw them";
        out.report_with_help(Code::DOES_NOT_FIT, span, message, label, Some(help.to_owned()));
        return None;
    }
    Some(Rows { every, ahead: SimDuration::ZERO, power_va }.means(raster))
}

/// What the unit in a column's name makes of its figures, if there is one; a mistake is told. Where
/// the scenario writes `{load}` it is not looked for: a load may be called `EV 11 kW`.
#[expect(clippy::option_option, reason = "a mistake, no unit, and a unit are three answers")]
fn unit(
    (name, written): (&str, &str),
    key: &str,
    values: &Values,
    out: &mut Diagnostics,
) -> Option<Option<f64>> {
    let known = |unit: &str| if key == "column" { watts(unit) } else { vars(unit) };
    let Some(Written { text, is_marked }) = header(written, |unit| known(unit).is_some()).unit
    else {
        return Some(None);
    };
    let is_given = values.is_written("unit");
    let Some(factor) = known(text) else {
        // With `unit` a word in brackets may be a remark, but no other quantity.
        if !is_marked || (is_given && !is_no_power(text)) {
            return Some(None);
        }
        let expected = if key == "column" { "W, kW or MW" } else { "var, kvar or Mvar" };
        let message = format!("column `{name}` is in `{text}`, which is no unit of a power here");
        let help = "write the unit that it is in; where it is none, give `unit`".to_owned();
        let label = format!("expected {expected}");
        out.report_with_help(Code::DOES_NOT_FIT, values.span_of(key), message, label, Some(help));
        return None;
    };
    let given = if values.text("unit") == "kW" { 1e3 } else { 1.0 };
    if is_given && given != factor {
        let (unit, span) = (values.text("unit"), values.span_of("unit"));
        let message = format!("`unit` is {unit}, and column `{name}` is in {text} by its name");
        let help = "leave `unit` out, or mend the table's header".to_owned();
        out.report_with_help(Code::DOES_NOT_FIT, span, message, "not both", Some(help));
        return None;
    }
    Some(Some(factor))
}

/// So many figures of a column.
fn figures(
    name: &str,
    key: &str,
    needed: usize,
    table: &Table<'_>,
    values: &Values,
    out: &mut Diagnostics,
) -> Option<Vec<f64>> {
    let (file, span) = (values.text("file"), values.span_of(key));
    let mut places = (0..table.header.len()).filter(|place| table.header[*place] == name);
    let Some(column) = places.next() else {
        let near = nearest(name, table.header.iter().copied());
        let near = near.map(|near| format!("did you mean `{near}`?"));
        let message = format!("`{file}` has no column `{name}`");
        out.report_with_help(Code::UNKNOWN_REFERENCE, span, message, "not there", near);
        return None;
    };
    let mut refuse = |message: String, label: String| {
        out.report(Code::FILE_REFUSED, span, message, label);
        None
    };
    if let Some(other) = places.next() {
        let (one, other) = (column + 1, other + 1);
        let message = format!("columns {one} and {other} of `{file}` are both called `{name}`");
        return refuse(message, "expected one of that name".to_owned());
    }
    if table.rows.len() < needed {
        let (found, every) = (table.rows.len(), table.every);
        let message = format!("`{file}` has {found} rows, and the scenario needs {needed}");
        return refuse(message, format!("one every {every}"));
    }
    let mut figures = Vec::with_capacity(needed);
    for line in &table.rows[..needed] {
        let found = line.fields[column];
        let Some(figure) = found.parse().ok().filter(|figure: &f64| figure.is_finite()) else {
            let place = place(file, line.number, column);
            let message = format!("{place} (`{name}`): found `{found}`, which is no number");
            return refuse(message, "expected powers".to_owned());
        };
        figures.push(figure);
    }
    Some(figures)
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
