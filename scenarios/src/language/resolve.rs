//! What holds between the tables of a scenario, and the scenario that comes out if nothing is
//! wrong.

use std::collections::BTreeMap;
use std::path::Path;

use lastmeter_params::Diagnostics;
use lastmeter_plans::calibration::CALIBRATION_SOURCE;
use lastmeter_plans::standard::SUITE_SOURCE;

use super::assemble;
use super::draft::{Draft, Naming, Row, Section};
use super::files::Files;
use super::names::Names;
use super::plans::Plans;
use super::references::References;
use super::scenario::Scenario;
use super::section::calibration::{self, CALIBRATION};
use super::section::check::{CHECK, devices_of_check};
use super::section::device::{DEVICE, sources_of};
use super::section::expect::twin_is_named;
use super::section::floor::FLOOR;
use super::section::grid::{self, GRID, Grid};
use super::section::inject::{
    Connected, INJECT, Target, device_of, do_not_overlap, kill_has_a_victim, source_of_injection,
    target_of,
};
use super::section::link::{self, LINK, Via};
use super::section::observer::{OBSERVER, observed, observer_can_tell_devices_apart};
use super::section::platform::{PlatformUse, authority, platform_use};
use super::section::scenario::{is_in_time, lasts_so_long};
use super::section::source::{SOURCE, is_left_to_the_grid, is_left_to_the_plan};
use super::section::suite::{self, SUITE};

/// The names that tables are referred to by.
struct AllNames {
    /// As they are written, but for devices.
    by_section: BTreeMap<&'static str, Names>,
    /// With the one that plays a plan, and those of the network.
    sources: Names,
    devices: Names,
    /// Of the network.
    loads: Names,
    /// The place of the network's first source among the sources.
    grid_from: usize,
}

impl AllNames {
    fn of(&self, section: &Section) -> &Names {
        &self.by_section[section.name]
    }
}

/// Looks at what holds between the tables and builds the parts; a scenario comes out if
/// nothing is wrong.
pub(crate) fn resolve(
    draft: &Draft<'_>,
    path: &Path,
    files: &Files<'_>,
    out: &mut Diagnostics,
) -> Option<Scenario> {
    let platform = platform_use(draft, files, out);
    let plans = Plans {
        suite: suite::plan(draft, files, out),
        calibration: calibration::plan(draft, out),
        grid: grid::grid(draft, files, out),
    };
    let references = check_between(draft, platform.as_ref(), (files, &plans), out);
    let parts = draft.build(&references, (files, &plans), out);
    if !out.is_empty() {
        return None;
    }
    assemble::scenario(draft, path, platform?, &references, (parts, plans))
}

/// The source that plays a plan, if there is one; it stands behind those that are written.
fn player(draft: &Draft<'_>) -> Option<&'static str> {
    let calibration = draft.single(&CALIBRATION).map(|_| CALIBRATION_SOURCE);
    draft.single(&SUITE).map(|_| SUITE_SOURCE).or(calibration)
}

/// The names of each section, and for each device its table.
fn names(draft: &Draft<'_>, grid: Option<&Grid>, out: &mut Diagnostics) -> (AllNames, Vec<usize>) {
    let loads = match grid {
        Some(grid) => grid.loads.clone(),
        None => Names::given("load", std::iter::empty(), draft.all_read(&GRID)),
    };
    let (devices, table_of_device) =
        Names::of_devices(draft.rows(&DEVICE), &loads, draft.all_read(&DEVICE), out);
    let mut by_section = BTreeMap::new();
    for (section, rows) in &draft.sections {
        if section.naming == Naming::Unique && section.name != DEVICE.name {
            let names = Names::of(section.noun, rows, draft.all_read(section), out);
            by_section.insert(section.name, names);
        }
    }
    let mut sources = by_section[SOURCE.name].clone();
    if let Some(player) = player(draft) {
        is_left_to_the_plan(player, draft.rows(&SOURCE), out);
        sources.add(player);
    }
    let grid_from = sources.len();
    if let Some(grid) = grid {
        for name in &grid.sources {
            is_left_to_the_grid(name, draft.rows(&SOURCE), out);
            sources.add(name);
        }
        if !grid.loads.is_complete() {
            sources.may_lack_some();
        }
    }
    (AllNames { by_section, sources, devices, loads, grid_from }, table_of_device)
}

fn check_between(
    draft: &Draft<'_>,
    platform: Option<&PlatformUse>,
    (files, plans): (&Files<'_>, &Plans),
    out: &mut Diagnostics,
) -> References {
    let (names, table_of_device) = names(draft, plans.grid.as_ref(), out);
    for (section, _) in &draft.sections {
        section.rules.iter().for_each(|rule| rule(draft, out));
    }
    if let Some(platform) = platform {
        kill_has_a_victim(draft.rows(&INJECT), platform, out);
    }
    twin_is_named(draft, names.of(&CHECK), out);
    if let Some(head) = draft.head_values() {
        lasts_so_long(head, player(draft).is_some(), out);
        is_in_time(head, plans.duration(), out);
    }
    references(draft, &names, &table_of_device, (platform, files), out)
}

fn references(
    draft: &Draft<'_>,
    names: &AllNames,
    table_of_device: &[usize],
    (platform, files): (Option<&PlatformUse>, &Files<'_>),
    out: &mut Diagnostics,
) -> References {
    let AllNames { sources, devices, loads, grid_from, .. } = names;
    let links = names.of(&LINK);
    let devices_of_observer: Vec<Vec<usize>> =
        draft.rows(&OBSERVER).iter().map(|row| observed(row, devices, out)).collect();
    for (row, of) in draft.rows(&OBSERVER).iter().zip(&devices_of_observer) {
        let (rows, tables) = (draft.rows(&DEVICE), table_of_device);
        observer_can_tell_devices_apart(row, of, devices, tables, rows, out);
    }
    let mut via_of = |row: &Row<'_>| link::via_of(row, links, out);
    let via_of_table: Vec<Via> = draft.rows(&DEVICE).iter().map(&mut via_of).collect();
    let via_of_observer: Vec<Via> = draft.rows(&OBSERVER).iter().map(&mut via_of).collect();
    let via_of_floor = draft.single(&FLOOR).map_or(Ok(None), via_of);
    let connected = Connected {
        links,
        devices,
        via_of_device: table_of_device.iter().map(|&table| via_of_table[table]).collect(),
        via_of_observer: &via_of_observer,
    };
    let injections = draft.rows(&INJECT);
    let target_of_injection: Vec<Option<Target>> =
        injections.iter().map(|row| target_of(row, &connected, out)).collect();
    do_not_overlap(injections, &target_of_injection, out);
    let tables = draft.rows(&DEVICE).iter();
    let sources_of_table: Vec<Vec<usize>> =
        tables.map(|row| sources_of(row, sources, loads, out)).collect();
    let source_of_table: Vec<Option<usize>> =
        sources_of_table.iter().map(|of| of.first().copied()).collect();
    suite::has_its_device(draft, devices, sources, &source_of_table, out);
    calibration::has_its_devices(draft, devices, sources, &source_of_table, out);
    let name_of = |device: usize| devices.get(device).unwrap_or_default().to_owned();
    let named = table_of_device.iter().enumerate();
    References {
        devices: named.map(|(device, table)| (name_of(device), *table)).collect(),
        source_of_table,
        source_of_device: one_by_one(table_of_device, &sources_of_table),
        grid_from: *grid_from,
        via_of_table,
        observers: names.of(&OBSERVER).clone(),
        via_of_observer,
        devices_of_observer,
        via_of_floor,
        device_of_injection: injections.iter().map(|row| device_of(row, devices, out)).collect(),
        source_of_injection: injections
            .iter()
            .map(|row| {
                let others = (player(draft), *grid_from);
                source_of_injection(row, sources, others, out)
            })
            .collect(),
        target_of_injection,
        devices_of_check: draft
            .rows(&CHECK)
            .iter()
            .map(|row| devices_of_check(row, devices, out))
            .collect(),
        authority: authority(draft, platform, files, out),
    }
}

/// The source of each device: where a table makes a device at each of several, one after another.
fn one_by_one(table_of_device: &[usize], sources_of_table: &[Vec<usize>]) -> Vec<Option<usize>> {
    let mut taken = vec![0; sources_of_table.len()];
    let source = |&table: &usize| {
        let of = &sources_of_table[table];
        let place = if of.len() > 1 { taken[table] } else { 0 };
        taken[table] += 1;
        of.get(place).copied()
    };
    table_of_device.iter().map(source).collect()
}
