//! The profile `standard`: reads a standard load profile in the form in which BDEW publishes it.
//!
//! Two header rows tell the month and the day type of each column (SA: Saturday, FT: Sunday or
//! holiday, WT: working day), 96 rows the energy of each quarter of an hour in kWh.

use lastmeter_grid::Complex64;
use lastmeter_params::{Code, Diagnostics, Span, Value, Values};
use lastmeter_sim::grid::{DayType, Raster, Rows, StandardLoad, StandardProfile};
use lastmeter_units::SimTime;

use super::header::tangent;
use super::rows::{Line, lines, place};

const KWH_J: f64 = 3.6e6;
const DAY_NS: i64 = 86_400_000_000_000;
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

/// What a load with a standard load profile draws in each step; mistakes are told.
pub(super) fn powers(
    text: &str,
    values: &Values,
    raster: &Raster,
    out: &mut Diagnostics,
) -> Option<Vec<Complex64>> {
    let (file, span) = (values.text("file"), values.span_of("file"));
    let profile = read(file, text).map_err(|message| {
        out.report(Code::FILE_REFUSED, span, message, "expected a standard load profile");
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
            let message = format!("`{text}` is no date");
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

/// Reads the table; the mistake tells where it stands.
fn read(file: &str, text: &str) -> Result<StandardProfile, String> {
    let lines = lines(text).map_err(|what| format!("`{file}` is refused: {what}"))?;
    let [months, days, quarters @ ..] = lines.as_slice() else {
        return Err(format!("`{file}` has 1 row, expected months, day types, and {QUARTERS} more"));
    };
    let columns = columns(file, months, days)?;
    let mut energies_j = Vec::with_capacity(QUARTERS);
    for (at, line) in quarters.iter().take(QUARTERS).enumerate() {
        let begin = format!("{:02}:{:02}", at / 4, at % 4 * 15);
        let found = line.fields[0];
        if found.split('-').next().is_none_or(|found| found.trim() != begin) {
            let place = place(file, line.number, 0);
            return Err(format!("{place}: found `{found}`, expected the quarter from {begin} on"));
        }
        let energy = |&column: &usize| {
            let found = line.fields[column];
            let energy = found.parse::<f64>().ok().filter(|energy| energy.is_finite());
            energy.map(|kwh| kwh * KWH_J).ok_or_else(|| {
                let place = place(file, line.number, column);
                format!("{place}: found `{found}`, expected a number of kWh")
            })
        };
        energies_j.push(columns.iter().map(energy).collect::<Result<Vec<f64>, String>>()?);
    }
    if quarters.len() != QUARTERS {
        let found = quarters.len();
        return Err(format!("`{file}` has {found} quarters of an hour, expected {QUARTERS}"));
    }
    let of = |month: usize, day: DayType| month * DayType::ALL.len() + day as usize;
    Ok(StandardProfile::new(|month, day, quarter| energies_j[quarter][of(month, day)]))
}

/// The column of each month and day type, from January on and in the order of the day types.
fn columns(file: &str, months: &Line<'_>, days: &Line<'_>) -> Result<Vec<usize>, String> {
    if days.fields[0] != "[kWh]" {
        let (place, found) = (place(file, days.number, 0), days.fields[0]);
        return Err(format!("{place}: found `{found}`, expected `[kWh]`"));
    }
    let mut columns = vec![None; MONTHS.len() * DayType::ALL.len()];
    for column in 1..months.fields.len() {
        let (month, day) = (months.fields[column], days.fields[column]);
        let Some(month_at) = MONTHS.iter().position(|known| *known == month) else {
            let place = place(file, months.number, column);
            return Err(format!(
                "{place}: found `{month}`, expected a month from Januar to Dezember"
            ));
        };
        let Some(day_at) = DayType::ALL.iter().position(|known| known.word() == day) else {
            let place = place(file, days.number, column);
            return Err(format!("{place}: found `{day}`, expected SA, FT or WT"));
        };
        let own = &mut columns[month_at * DayType::ALL.len() + day_at];
        if let Some(first) = own.replace(column) {
            let (first, second) = (first + 1, column + 1);
            return Err(format!("columns {first} and {second} of `{file}` are both {month} {day}"));
        }
    }
    let missing = |at: usize| {
        let day = DayType::ALL[at % DayType::ALL.len()];
        format!("`{file}` has no column {} {day}", MONTHS[at / DayType::ALL.len()])
    };
    let found = |(at, column): (usize, Option<usize>)| column.ok_or_else(|| missing(at));
    columns.into_iter().enumerate().map(found).collect()
}
