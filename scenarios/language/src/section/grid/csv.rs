//! The profile `csv`: columns of powers, one row after another.

use lastmeter_grid::Complex64;
use lastmeter_grid::network::Load;
use lastmeter_params::{Code, Diagnostics, Values, nearest};
use lastmeter_sim::grid::{Raster, Rows};
use lastmeter_table::{Heading, Table, TimeColumn, Unit, heading, is_no_power, vars, watts};
use lastmeter_units::SimDuration;

use super::rows::{doubt, tangent};

pub(super) const DAY_NS: i64 = 86_400_000_000_000;

/// A table, and how its rows follow each other.
pub(super) struct Powers {
    table: Table,
    every: SimDuration,
}

/// The table of a row of `[[grid.load]]`; mistakes are reported.
pub(super) fn table(
    text: &str,
    values: &Values,
    raster: &Raster,
    out: &mut Diagnostics,
) -> Option<Powers> {
    let (file, span) = (values.text("file"), values.span_of("file"));
    let given = values.duration_opt("every");
    let needed = |every: SimDuration| Rows::needed(every, SimDuration::ZERO, raster);
    let mut refuse = |message: String, label: &str| {
        out.report(Code::FILE_REFUSED, span, message, label);
    };
    let read =
        Table::read(text).map_err(|why| refuse(why.in_file(file), "expected a table of powers"));
    let table = read.ok()?;
    let times = table.times(given.is_some(), needed);
    let times =
        times.map_err(|why| refuse(why.in_file(file), "expected times that go on evenly")).ok()?;
    if let (Some(given), Some(found)) = (given, times)
        && given != found.every
    {
        let TimeColumn { column, every, .. } = found;
        let name = &table.header[column];
        let message = format!("rows of `{file}` follow each other every {every}, by `{name}`");
        let (label, help) = (format!("not every {given}"), "leave `every` out, or that column");
        let span = values.span_of("every");
        out.report_with_help(Code::DOES_NOT_FIT, span, message, label, Some(help.to_owned()));
        return None;
    }
    let every = given.or(times.map(|it| it.every)).unwrap_or(raster.step);
    if let Some(times) = times {
        warn_single_row(&times, &table, values, raster, out);
    }
    Some(Powers { table, every })
}

/// Warns where the whole scenario lies in the first row, as in one whose seconds are milliseconds.
/// Rows of whole hours, up to a day, are meant.
fn warn_single_row(
    times: &TimeColumn,
    table: &Table,
    values: &Values,
    raster: &Raster,
    out: &mut Diagnostics,
) {
    const HOUR: i64 = 3_600_000_000_000;
    let every = times.every;
    let is_usual = every.0 < 10_000_000_000_000 || (every.0 % HOUR == 0 && every.0 <= DAY_NS);
    if !times.is_bare || is_usual || Rows::needed(every, SimDuration::ZERO, raster) > 1 {
        return;
    }
    let (name, rows) = (&table.header[times.column], table.rows.len());
    let what = format!(
        "its rows follow each other every {every} by the seconds of column `{name}`, so that the \
         scenario plays the first of {rows} rows and no other"
    );
    let help = format!("if they are not seconds, write their unit, as in `{name} [ms]`");
    doubt(values, &what, Some(help), out);
}

/// A load's powers from a table.
pub(super) fn powers(
    load: &Load,
    table: &Powers,
    values: &Values,
    raster: &Raster,
    out: &mut Diagnostics,
) -> Option<Vec<Complex64>> {
    let every = table.every;
    let needed = Rows::needed(every, SimDuration::ZERO, raster);
    let default = if values.text("unit") == "kW" { 1e3 } else { 1.0 };
    let mut column = |key: &str, written: &str| {
        let name = written.replace("{load}", &load.name);
        let mut figures = figures(&name, key, needed, table, values, out)?;
        let unit = unit((&name, written), key, values, out)?;
        for power in &mut figures {
            *power *= unit.unwrap_or(default);
        }
        Some((figures, unit.is_some()))
    };
    let (active, has_unit) = column("column", values.text("column"))?;
    let factor = values.si("scale");
    let reactive: Vec<f64> = if let Some(written) = values.text_opt("reactive_column") {
        let (reactive, has_unit_too) = column("reactive_column", written)?;
        if has_unit != has_unit_too && !values.is_written("unit") {
            let span = values.span_of("reactive_column");
            let message =
                "one of both columns of powers has its unit in its name, the other has not";
            let help = Some("write `unit`, or both units in the table's header".to_owned());
            let label = "expected both units, or none";
            out.report_with_help(Code::DOES_NOT_FIT, span, message, label, help);
            return None;
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
        // most likely a wrong sign
        let (name, span) = (&load.name, values.span_of("column"));
        let message = format!("generator `{name}` would draw what its column holds, all the time");
        let label = "powers of `[[grid.load]]` are drawn, also by a generator";
        let help = "write `scale = -1` if it delivers them, or `scale = 1` if it does draw them";
        out.report_with_help(Code::DOES_NOT_FIT, span, message, label, Some(help.to_owned()));
        return None;
    }
    Some(Rows { every, ahead: SimDuration::ZERO, power_va }.means(raster))
}

/// What the unit in a column's name makes of its figures, if any; a mistake is reported. Where
/// the scenario writes `{load}` it is not looked for: a load may be called `EV 11 kW`.
#[expect(clippy::option_option, reason = "a mistake, no unit, and a unit are three answers")]
fn unit(
    (name, written): (&str, &str),
    key: &str,
    values: &Values,
    out: &mut Diagnostics,
) -> Option<Option<f64>> {
    let known = |unit: &str| if key == "column" { watts(unit) } else { vars(unit) };
    let Heading { unit: Some(Unit { text, is_marked }), .. } =
        heading(written, |unit| known(unit).is_some())
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
        let message = format!("column `{name}` is in `{text}`, which is not a unit of power here");
        let help = "write the unit that it is in; where it is not a unit, give `unit`".to_owned();
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

/// So many values of a column.
fn figures(
    name: &str,
    key: &str,
    needed: usize,
    Powers { table, every }: &Powers,
    values: &Values,
    out: &mut Diagnostics,
) -> Option<Vec<f64>> {
    let (file, span) = (values.text("file"), values.span_of(key));
    let mut places = table.header.fields().enumerate().filter(|(_, own)| *own == name);
    let Some((column, _)) = places.next() else {
        let near = nearest(name, table.header.fields());
        let near = near.map(|near| format!("did you mean `{near}`?"));
        let message = format!("`{file}` has no column `{name}`");
        out.report_with_help(Code::UNKNOWN_REFERENCE, span, message, "not there", near);
        return None;
    };
    let mut refuse = |message: String, label: String| {
        out.report(Code::FILE_REFUSED, span, message, label);
        None
    };
    if let Some((other, _)) = places.next() {
        let (one, other) = (column + 1, other + 1);
        let message = format!("columns {one} and {other} of `{file}` are both called `{name}`");
        return refuse(message, "expected one of that name".to_owned());
    }
    let found = table.rows.len();
    if found < needed {
        let message = format!("`{file}` has {found} rows, and the scenario needs {needed}");
        return refuse(message, format!("one every {every}"));
    }
    let figures = table.rows[..needed].iter().map(|row| table.number(row, column, ""));
    match figures.collect() {
        Ok(figures) => Some(figures),
        Err(why) => refuse(why.in_file(file), "expected powers".to_owned()),
    }
}
