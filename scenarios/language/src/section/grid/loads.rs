//! `[[grid.load]]`: what each load draws in each step.

use std::collections::BTreeMap;

use lastmeter_grid::{Complex64, Network};
use lastmeter_params::{Code, Diagnostics, Span, Values};
use lastmeter_sim::Streams;
use lastmeter_sim::grid::{ClearSky, Household, Raster, Rows, Season};
use lastmeter_units::SimDuration;

use super::fields::{Profile, profile_of};
use super::rows::{table_text, tangent};
use super::{csv, standard};
use crate::draft::Row;
use crate::files::Files;
use crate::names::Names;

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

/// Adds up what the rows state of each load.
pub(super) fn powers(
    rows: &[Row<'_>],
    context: &Context<'_>,
    kept: &mut BTreeMap<String, String>,
    out: &mut Diagnostics,
) -> Powers {
    let mut powers: Powers = vec![None; context.network.loads.len()];
    let mut households = vec![0_u32; powers.len()];
    let mut is_as_written = vec![false; powers.len()];
    for row in rows {
        let Some((pattern, span)) = row.text("name") else { continue };
        let found = context.loads.fitting(pattern, span, out);
        let (Some(profile), Some(values)) = (profile_of(row), &row.values) else { continue };
        if would_make_generators_draw(profile, &found, (pattern, span), context.network, out) {
            continue;
        }
        for (load, own) in of_row(profile, values, found, context, &mut households, kept, out) {
            is_as_written[load] = powers[load].is_none() && profile == Profile::Constant;
            match &mut powers[load] {
                Some(sum) => sum.iter_mut().zip(own).for_each(|(sum, own)| *sum += own),
                none => *none = Some(own),
            }
        }
    }
    // What is constant and nothing else has its parts as they are written, and not by their sum.
    for (powers, _) in powers.iter_mut().zip(is_as_written).filter(|it| it.1) {
        *powers = None;
    }
    powers
}

/// Whether a row has generators draw what homes draw; it is reported, with the first of them.
fn would_make_generators_draw(
    profile: Profile,
    found: &[usize],
    (pattern, span): (&str, Span),
    network: &Network,
    out: &mut Diagnostics,
) -> bool {
    let generator = found.iter().map(|&load| &network.loads[load]).find(|load| load.generator);
    let (Profile::Household | Profile::Standard, Some(generator)) = (profile, generator) else {
        return false;
    };
    let name = &generator.name;
    let message = format!("generator `{name}` would draw the profile `{profile}`");
    let help = if pattern == &**name {
        "a home with a generator is a `[[load]]` of the network, with a table for each"
    } else {
        "write a pattern that loads alone fit, or a table for each name"
    };
    let label = "powers of `[[grid.load]]` are drawn, also by a generator";
    out.report_with_help(Code::DOES_NOT_FIT, span, message, label, Some(help.to_owned()));
    true
}

/// What one row states of its loads; none of those after a mistake, which is reported once.
fn of_row(
    profile: Profile,
    values: &Values,
    found: Vec<usize>,
    context: &Context<'_>,
    households: &mut [u32],
    kept: &mut BTreeMap<String, String>,
    out: &mut Diagnostics,
) -> Vec<(usize, Vec<Complex64>)> {
    let Context { network, raster, files, .. } = context;
    let each = found.into_iter();
    match profile {
        Profile::Constant => {
            let written = |load: usize| network.loads[load].power_va.iter().sum();
            each.map(|load| (load, vec![written(load); raster.steps])).collect()
        }
        Profile::Csv => {
            let text = table_text(values, files, kept, out);
            let text = text.as_deref();
            let Some(table) = text.and_then(|text| csv::table(text, values, raster, out)) else {
                return Vec::new();
            };
            let mut own =
                |load: usize| csv::powers(&network.loads[load], &table, values, raster, out);
            each.map_while(|load| Some((load, own(load)?))).collect()
        }
        Profile::Household => {
            let mut own = |load: usize| {
                households[load] += 1;
                household(load, households[load], values, context)
            };
            each.map(|load| (load, own(load))).collect()
        }
        Profile::Solar => each.map(|load| (load, solar(values, context))).collect(),
        Profile::Standard => {
            let text = table_text(values, files, kept, out);
            let powers = text.and_then(|text| standard::powers(&text, values, raster, out));
            each.filter_map(|load| Some((load, powers.clone()?))).collect()
        }
    }
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
    let minutes = Rows::needed(every, SimDuration::ZERO, raster);
    let watts = household.minutes(raster.start, minutes, &mut streams.stream(&stream));
    let tangent = tangent(values.si("power_factor"));
    let power_va = watts.into_iter().map(|watts| Complex64::new(watts, watts * tangent)).collect();
    Rows { every, ahead: SimDuration::ZERO, power_va }.means(raster)
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
