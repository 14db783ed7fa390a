//! The profile `standard`: reads a standard load profile in the form in which BDEW publishes it.
//!
//! Two header rows give the month and the day type of each column (SA: Saturday, FT: Sunday or
//! holiday, WT: working day), 96 rows the energy of each quarter of an hour in kWh.

use lastmeter_grid::Complex64;
use lastmeter_params::{Code, Diagnostics, Span, Value, Values};
use lastmeter_sim::grid::{DayType, Raster, Rows, StandardLoad, StandardProfile};
use lastmeter_table::{Row, Table, TableError};
use lastmeter_units::SimTime;

use super::csv::DAY_NS;
use super::rows::tangent;

const KWH_J: f64 = 3.6e6;
const QUARTERS: usize = StandardProfile::QUARTERS;

/// Of the published tables S25 is 11 % off where nothing makes it dynamic; another unit is off by
/// far more.
const YEAR_MAY_DIFFER: f64 = 0.3;

const MONTHS: [&str; 12] = [
    "Januar",
    "Februar",
    "März",
    "April",
    "Mai",
    "Juni",
    "Juli",
    "August",
    "September",
    "Oktober",
    "November",
    "Dezember",
];

/// What a load with a standard load profile draws in each step; mistakes are reported.
pub(super) fn powers(
    text: &str,
    values: &Values,
    raster: &Raster,
    out: &mut Diagnostics,
) -> Option<Vec<Complex64>> {
    let (file, span) = (values.text("file"), values.span_of("file"));
    let profile = read(text).map_err(|why| {
        let label = "expected a standard load profile";
        out.report(Code::FILE_REFUSED, span, why.in_file(file), label);
    });
    let holidays = holidays(values, out);
    let (profile, holidays) = (profile.ok()?, holidays?);
    let profile_energy_j = values.si("profile_energy");
    let off = profile.annual_energy_j() / profile_energy_j - 1.0;
    if off.abs() > YEAR_MAY_DIFFER {
        let (found, expected) = (profile.annual_energy_j() / KWH_J, profile_energy_j / KWH_J);
        let message = format!("a year of `{file}` has {found:.1} kWh, expected {expected} kWh");
        let help = "`profile_energy` is the yearly energy that the table is made for".to_owned();
        let label = "the energies of this table";
        out.report_with_help(Code::DOES_NOT_FIT, span, message, label, Some(help));
        return None;
    }
    let load = StandardLoad {
        profile: &profile,
        profile_energy_j,
        annual_energy_j: values.si("annual_energy"),
        is_dynamic: values.boolean("dynamic"),
        holidays: &holidays,
        utc_offset: values.duration("utc_offset"),
    };
    let (every, ahead) = (StandardLoad::every(), load.ahead(raster.start));
    let watts = load.quarters(raster.start, Rows::needed(every, ahead, raster));
    let tangent = tangent(values.si("power_factor"));
    let power_va = watts.into_iter().map(|watts| Complex64::new(watts, watts * tangent)).collect();
    Some(Rows { every, ahead, power_va }.means(raster))
}

/// The days since 1970 that are holidays.
fn holidays(values: &Values, out: &mut Diagnostics) -> Option<Vec<i64>> {
    let mut day = |text: &str, span: Span| match format!("{text}T00:00:00Z").parse::<SimTime>() {
        Ok(midnight) if text.len() == 10 => Some(midnight.as_nanoseconds().div_euclid(DAY_NS)),
        _ => {
            let message = format!("`{text}` is not a date");
            out.report(Code::BAD_INSTANT, span, message, "expected one such as 2027-12-25");
            None
        }
    };
    let mut days = Vec::new();
    for (value, span) in values.list("holidays") {
        if let Value::Text(text) = value {
            days.push(day(text, *span));
        }
    }
    days.into_iter().collect()
}

/// Reads the table; the mistake has its place.
fn read(text: &str) -> Result<StandardProfile, TableError> {
    let table = Table::read(text)?;
    let Table { header: months, rows } = &table;
    let [days, quarters @ ..] = rows.as_slice() else {
        let what = format!("it has 1 row, expected months, day types, and {QUARTERS} more");
        return Err(TableError::whole(what));
    };
    let columns = columns(months, days)?;
    let mut energies_j = Vec::with_capacity(QUARTERS);
    for (at, row) in quarters.iter().take(QUARTERS).enumerate() {
        let begin = format!("{:02}:{:02}", at / 4, at % 4 * 15);
        let found = &row[0];
        if found.split('-').next().is_none_or(|found| found.trim() != begin) {
            let what = format!("found `{found}`, expected the quarter from {begin} on");
            return Err(TableError::field(row.line, 0, what));
        }
        let energy = |&column: &usize| Ok(table.number(row, column, "of kWh")? * KWH_J);
        energies_j.push(columns.iter().map(energy).collect::<Result<Vec<f64>, TableError>>()?);
    }
    if quarters.len() != QUARTERS {
        let found = quarters.len();
        let what = format!("it has {found} quarters of an hour, expected {QUARTERS}");
        return Err(TableError::whole(what));
    }
    let of = |month: usize, day: DayType| month * DayType::ALL.len() + day as usize;
    Ok(StandardProfile::new(|month, day, quarter| energies_j[quarter][of(month, day)]))
}

/// The column of each month and day type, from January on and in the order of the day types.
fn columns(months: &Row, days: &Row) -> Result<Vec<usize>, TableError> {
    let unexpected = |row: &Row, column: usize, expected: &str| {
        let what = format!("found `{}`, expected {expected}", &row[column]);
        TableError::field(row.line, column, what)
    };
    if days.fields().next() != Some("[kWh]") {
        return Err(unexpected(days, 0, "`[kWh]`"));
    }
    let mut columns = vec![None; MONTHS.len() * DayType::ALL.len()];
    for column in 1..months.count() {
        let (month, day) = (&months[column], &days[column]);
        let month_at = MONTHS
            .iter()
            .position(|known| *known == month)
            .ok_or_else(|| unexpected(months, column, "a month from Januar to Dezember"))?;
        let day_at = DayType::ALL.iter().position(|known| known.word() == day);
        let day_at = day_at.ok_or_else(|| unexpected(days, column, "SA, FT or WT"))?;
        let own = &mut columns[month_at * DayType::ALL.len() + day_at];
        if let Some(first) = own.replace(column) {
            let (first, second) = (first + 1, column + 1);
            let what = format!("columns {first} and {second} are both {month} {day}");
            return Err(TableError::whole(what));
        }
    }
    let missing = |at: usize| {
        let (month, day) = (MONTHS[at / DayType::ALL.len()], DayType::ALL[at % DayType::ALL.len()]);
        TableError::whole(format!("it has no column {month} {day}"))
    };
    let found = |(at, column): (usize, Option<usize>)| column.ok_or_else(|| missing(at));
    columns.into_iter().enumerate().map(found).collect()
}
