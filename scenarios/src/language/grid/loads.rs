//! `[[grid.load]]`: what each load draws in each step.

use std::collections::BTreeMap;

use lastmeter_grid::{Complex64, Network};
use lastmeter_params::{Code, Diagnostics, Values, nearest};
use lastmeter_sim::Streams;
use lastmeter_sim::grid::{ClearSky, Household, Raster, Rows, Season};
use lastmeter_units::SimDuration;

use super::fields::Profile;
use super::file::text_of;
use crate::language::files::Files;
use crate::language::names::Names;
use crate::language::read::Row;

/// By load, the power of each step; none where the network's file holds.
pub(super) type Powers = Vec<Option<Vec<Complex64>>>;

/// What profiles are made from.
pub(super) struct Context<'a> {
    pub(super) network: &'a Network,
    pub(super) loads: &'a Names,
    pub(super) raster: Raster,
    pub(super) streams: Streams,
    pub(super) files: &'a Files<'a>,
}

/// A table that a profile names, column by column.
struct Table {
    columns: Vec<(String, Vec<f64>)>,
}

/// Adds up what the rows say of each load.
pub(super) fn powers(
    rows: &[Row<'_, Profile>],
    context: &Context<'_>,
    kept: &mut BTreeMap<String, String>,
    out: &mut Diagnostics,
) -> Powers {
    let mut powers: Powers = vec![None; context.network.loads.len()];
    let mut households = vec![0_u32; powers.len()];
    for row in rows {
        let Some((pattern, span)) = row.text("name") else { continue };
        let found = context.loads.fitting(pattern, span, out);
        let (Some(profile), Some(values)) = (row.kind, &row.values) else { continue };
        let table = match profile {
            Profile::Csv => match table(values, context.files, kept, out) {
                Some(table) => Some(table),
                None => continue,
            },
            _ => None,
        };
        for load in found {
            let own = match profile {
                Profile::Constant => {
                    let written: Complex64 = context.network.loads[load].power_va.iter().sum();
                    Some(vec![written; context.raster.steps])
                }
                Profile::Csv => {
                    table.as_ref().and_then(|it| of_table(load, it, values, context, out))
                }
                Profile::Household => {
                    households[load] += 1;
                    Some(household(load, households[load], values, context))
                }
                Profile::Solar => Some(solar(values, context)),
            };
            let Some(own) = own else { break };
            match &mut powers[load] {
                Some(sum) => sum.iter_mut().zip(own).for_each(|(sum, own)| *sum += own),
                none => *none = Some(own),
            }
        }
    }
    powers
}

/// Reactive over active power.
fn tangent(power_factor: f64) -> f64 {
    (1.0 / (power_factor * power_factor) - 1.0).max(0.0).sqrt()
}

fn household(
    load: usize,
    number: u32,
    values: &Values,
    Context { network, raster, streams, .. }: &Context<'_>,
) -> Vec<Complex64> {
    let household = Household {
        annual_energy_j: values.si("annual_energy"),
        season: Season::from_word(values.text("season")).unwrap_or(Season::Transition),
    };
    let name = &network.loads[load].name;
    let stream = match number {
        1 => format!("grid.load.{name}"),
        _ => format!("grid.load.{name}/{number}"),
    };
    let every = SimDuration::from_seconds(60);
    let minutes = Rows::needed(every, raster);
    let watts = household.minutes(raster.start, minutes, &mut streams.stream(&stream));
    let tangent = tangent(values.si("power_factor"));
    let power_va = watts.into_iter().map(|watts| Complex64::new(watts, watts * tangent)).collect();
    Rows { every, power_va }.means(raster)
}

fn solar(values: &Values, context: &Context<'_>) -> Vec<Complex64> {
    let sky = ClearSky {
        peak_w: values.si("peak"),
        performance: values.si("performance"),
        latitude_rad: values.si("latitude"),
        longitude_rad: values.si("longitude"),
    };
    sky.powers(&context.raster).into_iter().map(|watts| Complex64::new(-watts, 0.0)).collect()
}

/// The table of a row.
fn table(
    values: &Values,
    files: &Files<'_>,
    kept: &mut BTreeMap<String, String>,
    out: &mut Diagnostics,
) -> Option<Table> {
    let (name, span) = (values.text("file"), values.span_of("file"));
    let text = match text_of(name, files) {
        Ok(text) => text,
        Err(why) => {
            let message = format!("`{name}` cannot be read: {why}");
            out.report(Code::FILE_UNREADABLE, span, message, "expected a table of powers");
            return None;
        }
    };
    let table = columns(&text);
    kept.insert(name.to_owned(), text);
    match table {
        Ok(columns) => Some(Table { columns }),
        Err(what) => {
            let message = format!("`{name}` is refused: {what}");
            out.report(Code::FILE_REFUSED, span, message, "expected a table of powers");
            None
        }
    }
}

/// The columns of a table; one that is not all numbers, such as times, has none.
fn columns(text: &str) -> Result<Vec<(String, Vec<f64>)>, String> {
    let mut lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
    let (_, header) = lines.next().ok_or("it is empty")?;
    let names = header.trim_start_matches('\u{feff}').split(',');
    let names = names.map(|name| name.trim().trim_matches('"').to_owned());
    let mut columns: Vec<(String, Vec<f64>)> = names.map(|name| (name, Vec::new())).collect();
    for (number, line) in lines {
        let fields: Vec<&str> = line.split(',').collect();
        if fields.len() != columns.len() {
            let (number, found) = (number + 1, fields.len());
            return Err(format!("line {number} has {found} fields, its header {}", columns.len()));
        }
        for ((_, column), field) in columns.iter_mut().zip(fields) {
            column.push(field.trim().parse().unwrap_or(f64::NAN));
        }
    }
    Ok(columns)
}

/// A load's powers from a table.
fn of_table(
    load: usize,
    table: &Table,
    values: &Values,
    Context { network, raster, .. }: &Context<'_>,
    out: &mut Diagnostics,
) -> Option<Vec<Complex64>> {
    let every = values.duration_opt("every").unwrap_or(raster.step);
    let needed = Rows::needed(every, raster);
    let mut column = |key: &str, written: &str| {
        let name = written.replace("{load}", &network.loads[load].name);
        let (file, span) = (values.text("file"), values.span_of(key));
        let names = table.columns.iter().map(|(name, _)| name.as_str());
        let Some((_, figures)) = table.columns.iter().find(|(own, _)| *own == name) else {
            let near = nearest(&name, names).map(|near| format!("did you mean `{near}`?"));
            let message = format!("`{file}` has no column `{name}`");
            out.report_with_help(Code::UNKNOWN_REFERENCE, span, message, "not there", near);
            return None;
        };
        if figures.len() < needed {
            let (found, every) = (figures.len(), every.to_string());
            let message = format!("`{file}` has {found} rows, and the scenario needs {needed}");
            out.report(Code::FILE_REFUSED, span, message, format!("one every {every}"));
            return None;
        }
        let bad = figures[..needed].iter().position(|figure| !figure.is_finite());
        if let Some(row) = bad {
            let message = format!("`{file}`: row {} of column `{name}` is no number", row + 1);
            out.report(Code::FILE_REFUSED, span, message, "expected powers");
            return None;
        }
        Some(&figures[..needed])
    };
    let active = column("column", values.text("column"))?;
    let unit = if values.text("unit") == "kW" { 1e3 } else { 1.0 };
    let factor = unit * values.si("scale");
    let reactive: Vec<f64> = if let Some(written) = values.text_opt("reactive_column") {
        column("reactive_column", written)?.to_vec()
    } else {
        let tangent = tangent(values.si_opt("power_factor").unwrap_or(1.0));
        active.iter().map(|watts| watts * tangent).collect()
    };
    let power = |(p, q): (&f64, f64)| Complex64::new(*p, q) * factor;
    let power_va = active.iter().zip(reactive).map(power).collect();
    Some(Rows { every, power_va }.means(raster))
}

#[cfg(test)]
mod tests {
    use super::columns;

    #[test]
    fn a_table_is_read_by_its_header() {
        let found = columns("time,home 1,\"home 2\"\n00:00,1,2.5\n\n00:01,-3,4e2\n").unwrap();
        assert_eq!(found[1], ("home 1".to_owned(), vec![1.0, -3.0]));
        assert_eq!(found[2], ("home 2".to_owned(), vec![2.5, 400.0]));
        assert!(found[0].1.iter().all(|figure| figure.is_nan()));
        assert_eq!(columns("a,b\n1\n").unwrap_err(), "line 2 has 1 fields, its header 2");
        assert_eq!(columns("\n").unwrap_err(), "it is empty");
    }
}
