//! What holds between the tables of a scenario, and the scenario that comes out if nothing is
//! wrong.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use lastmeter_params::{Diagnostics, Table, Values, read_table};
use lastmeter_plans::calibration::CALIBRATION_SOURCE;
use lastmeter_plans::standard::TEST_PLAN_SOURCE;
use lastmeter_units::TenantName;

use super::construct::Parts;
use super::draft::{Draft, FILE_START, Naming, Row, Section};
use super::files::Files;
use super::names::{Names, PlaceNames};
use super::references::{References, Via};
use super::scenario::{LoadedFrom, Plans, Plant, Scenario};
use super::section::application::{APPLICATION, applications, report_shared_names};
use super::section::calibration::{self, CALIBRATION};
use super::section::check::{CHECK, check, devices_of_check};
use super::section::device::{DEVICE, devices, sources_of};
use super::section::expect::report_missing_twin_name;
use super::section::floor::{FLOOR, floor};
use super::section::gateway::{GATEWAY, gateway, on_networks};
use super::section::grid::{self, GRID, Grid, Injected};
use super::section::home::{HOME, home_places};
use super::section::inject::{INJECT, Places, injection, network_kind_of, targets};
use super::section::link::{LINK, link, via_of};
use super::section::must_fail::MUST_FAIL;
use super::section::network::{NETWORK, network};
use super::section::observer::{OBSERVER, observed, observer, report_ambiguous_observer};
use super::section::platform::{PLATFORM, PlatformUse, authority, platform, platform_use};
use super::section::record::report_starved_checks;
use super::section::scenario::{SCENARIO, Schedule, about, head, report_times, validate_duration};
use super::section::signal::{self, SIGNAL, signal};
use super::section::simulator::SIMULATOR;
use super::section::source::{SOURCE, report_taken, sources};
use super::section::tenant::TENANT;
use super::section::test_plan::{self, TEST_PLAN};
use super::texts::Texts;

/// The names that tables are referred to by.
struct AllNames {
    /// Those of device tables are the devices that they make; sources come with the one that plays
    /// a plan, and with those of the network.
    by_section: BTreeMap<&'static str, Names>,
    /// Of the network.
    loads: Names,
    /// Feed-ins and sockets of homes.
    homes: Names,
    /// Of the network.
    switches: Names,
    /// The place of the network's first source among the sources.
    grid_from: usize,
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
    let injected = Injected {
        rows: draft.rows(&INJECT),
        kind_of: network_kind_of,
        by_simulator: !draft.rows(&SIMULATOR).is_empty(),
    };
    let plans = Plans {
        test_plan: test_plan::plan(draft, files, out),
        calibration: calibration::plan(draft, out),
        grid: grid::grid(draft, &injected, files, out),
    };
    let references = check_between(draft, platform.as_ref(), (files, &plans), out);
    let parts = draft.build(&references, (files, &plans), out);
    if !out.is_empty() {
        return None;
    }
    assemble(draft, path, platform?, &references, (parts, plans))
}

/// The source that plays a plan, if there is one; it stands behind those that are written.
fn player(draft: &Draft<'_>) -> Option<&'static str> {
    let calibration = draft.single(&CALIBRATION).map(|_| CALIBRATION_SOURCE);
    draft.single(&TEST_PLAN).map(|_| TEST_PLAN_SOURCE).or(calibration)
}

/// The names of each section, and for each device its table.
fn names(draft: &Draft<'_>, grid: Option<&Grid>, out: &mut Diagnostics) -> (AllNames, Vec<usize>) {
    let none = |what| Names::given(what, std::iter::empty(), draft.all_read(&GRID));
    let loads = grid.map_or_else(|| none("load"), |grid| grid.loads.clone());
    let switches = grid.map_or_else(|| none("switch"), |grid| grid.switches.clone());
    let mut by_section = BTreeMap::new();
    for (section, rows) in &draft.sections {
        if section.naming == Naming::Unique && section.name != DEVICE.name {
            let names = Names::of(section.noun, rows, draft.all_read(section), out);
            by_section.insert(section.name, names);
        }
    }
    if let Some(tenants) = by_section.get_mut(TENANT.name) {
        tenants.add(TenantName::default().as_str());
    }
    let mut sources = by_section[SOURCE.name].clone();
    if let Some(player) = player(draft) {
        let section = player.replace('-', "_");
        let message = format!("`{player}` is the source that plays `[{section}]`");
        report_taken(player, &message, draft.rows(&SOURCE), out);
        sources.add(player);
    }
    let grid_from = sources.len();
    if let Some(grid) = grid {
        for name in &grid.sources {
            let message = format!("`{name}` is a source of the network too");
            report_taken(name, &message, draft.rows(&SOURCE), out);
            sources.add(name);
        }
        sources.is_complete &= grid.loads.is_complete;
    }
    let homes = home_places(draft.rows(&HOME), draft.all_read(&HOME));
    let places =
        PlaceNames { sources: &sources, loads: &loads, homes: &homes, switches: &switches };
    let (devices, table_of_device) =
        Names::of_devices(draft.rows(&DEVICE), places, draft.all_read(&DEVICE), out);
    by_section.insert(DEVICE.name, devices);
    by_section.insert(SOURCE.name, sources);
    (AllNames { by_section, loads, homes, switches, grid_from }, table_of_device)
}

fn check_between(
    draft: &Draft<'_>,
    platform: Option<&PlatformUse>,
    (files, plans): (&Files<'_>, &Plans),
    out: &mut Diagnostics,
) -> References {
    let (names, table_of_device) = names(draft, plans.grid.as_ref(), out);
    for (section, rows) in &draft.sections {
        section.rules.iter().for_each(|rule| rule(draft, out));
        for (key, other) in section.refers {
            for (name, span) in rows.iter().filter_map(|row| row.reference(key)) {
                names.by_section[other].find(name, span, out);
            }
        }
    }
    report_shared_names(draft, &names.by_section, out);
    report_missing_twin_name(draft, &names.by_section[CHECK.name], out);
    if let Some(head) = draft.values(&SCENARIO) {
        validate_duration(head, player(draft).is_some(), out);
        report_times(head, plans.duration(), out);
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
    let AllNames { by_section, loads, homes, switches, grid_from } = names;
    let [sources, devices, links, gateways] =
        [&SOURCE, &DEVICE, &LINK, &GATEWAY].map(|section| &by_section[section.name]);
    let devices_of_observer: Vec<Vec<usize>> =
        draft.rows(&OBSERVER).iter().map(|row| observed(row, devices, out)).collect();
    for (row, of) in draft.rows(&OBSERVER).iter().zip(&devices_of_observer) {
        let (rows, tables) = (draft.rows(&DEVICE), table_of_device);
        report_ambiguous_observer(row, of, devices, tables, rows, out);
    }
    let mut via = |row: &Row<'_>| via_of(row, links, out);
    let [via_of_table, via_of_gateway, via_of_observer] = [&DEVICE, &GATEWAY, &OBSERVER]
        .map(|section| draft.rows(section).iter().map(&mut via).collect::<Vec<Via>>());
    let via_of_floor = draft.single(&FLOOR).map_or(Ok(None), via);
    let on_networks = on_networks(draft, &by_section[NETWORK.name], out);
    let network_of = |table: &usize| on_networks.of_table.get(*table).copied().flatten();
    let authentication_of =
        |table: &usize| Some(draft.rows(&DEVICE).get(*table)?.text("authentication")?.0);
    let places = Places {
        platform,
        devices,
        sources,
        player: player(draft),
        grid_from: *grid_from,
        gateways,
        applications: &by_section[APPLICATION.name],
        simulators: &by_section[SIMULATOR.name],
        links,
        networks: &by_section[NETWORK.name],
        network_rows: draft.rows(&NETWORK),
        network_of_device: table_of_device.iter().map(network_of).collect(),
        authentication_of_device: table_of_device.iter().map(authentication_of).collect(),
        via_of_device: table_of_device.iter().map(|&table| via_of_table[table]).collect(),
        via_of_gateway: &via_of_gateway,
        via_of_observer: &via_of_observer,
        out: &mut *out, // lent: the rest is reported there too
    };
    let target_of_injection = targets(draft.rows(&INJECT), places);
    let tables = draft.rows(&DEVICE).iter();
    let at = PlaceNames { sources, loads, homes, switches };
    let sources_of_table: Vec<Vec<usize>> = tables.map(|row| sources_of(row, at, out)).collect();
    let source_of_table: Vec<Option<usize>> =
        sources_of_table.iter().map(|of| of.first().copied()).collect();
    test_plan::validate_device(draft, devices, sources, &source_of_table, out);
    calibration::validate_meters(draft, devices, sources, &source_of_table, out);
    let senders = (devices, gateways, &by_section[APPLICATION.name]);
    let checks = draft.rows(&CHECK).iter();
    let devices_of_check: Vec<Vec<usize>> =
        checks.map(|row| devices_of_check(row, senders, out)).collect();
    report_starved_checks(draft, (devices, &devices_of_check), out);
    let name_of = |device: usize| devices.get(device).unwrap_or_default().to_owned();
    let named = table_of_device.iter().enumerate();
    References {
        devices: named.map(|(device, table)| (name_of(device), *table)).collect(),
        source_of_table,
        source_of_device: one_by_one(table_of_device, &sources_of_table),
        grid_from: *grid_from,
        switches_from: sources.len() + loads.len() + homes.len(),
        via_of_table,
        on_networks,
        via_of_gateway,
        observers: by_section[OBSERVER.name].clone(),
        device_names: devices.clone(),
        via_of_observer,
        devices_of_observer,
        via_of_floor,
        target_of_injection,
        signals: signal::places(draft, devices, at, out),
        devices_of_check,
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

/// The scenario; `None` only where a mistake was reported before.
fn assemble(
    draft: &Draft<'_>,
    path: &Path,
    choice: PlatformUse,
    references: &References,
    (parts, plans): (Parts, Plans),
) -> Option<Scenario> {
    let tables = tables(draft)?;
    let values = |section: &Section| {
        let found = tables.iter().find(|(known, _)| known.name == section.name);
        found.map(|(_, values)| &**values)
    };
    let head = head(draft)?;
    let injections = draft.rows(&INJECT).iter().zip(&references.target_of_injection);
    let injections = injections.map(|(row, target)| injection(row, target.as_ref(), head.start));
    let observers = draft.rows(&OBSERVER).iter().zip(&references.via_of_observer);
    let observers = observers.zip(&references.devices_of_observer);
    let signals = draft.rows(&SIGNAL).iter().zip(&references.signals);
    let gateways = draft.rows(&GATEWAY).iter().zip(&references.via_of_gateway);
    let gateways = gateways.zip(&references.on_networks.of_gateway);
    let gateways = gateways.map(|((row, via), networks)| gateway(row, networks, *via));
    let player = player(draft);
    let platform = platform(choice, values(&PLATFORM)?, references.authority.clone().ok()?);
    Some(Scenario {
        about: about(draft.values(&SCENARIO)?),
        schedule: Schedule {
            time: head.time,
            start: head.start,
            duration: plans.duration().or(head.duration)?,
            sync_every: head.sync_every,
            seed: head.seed,
        },
        floor: match values(&FLOOR) {
            Some(values) => Some(floor(values, references.via_of_floor)?),
            None => None,
        },
        plant: Plant {
            sources: sources(draft.rows(&SOURCE), (parts.points, parts.places), player)?,
            unavailable: parts.unavailable.or_else(|| platform.missing()),
            feeder: None,
        },
        platform,
        links: draft.rows(&LINK).iter().zip(parts.links).map(link).collect::<Option<_>>()?,
        networks: draft.rows(&NETWORK).iter().map(network).collect::<Option<_>>()?,
        devices: devices(references, draft.rows(&DEVICE), &parts.boards)?,
        gateways: gateways.collect::<Option<_>>()?,
        simulators: parts.simulators,
        applications: applications(draft, &references.device_names)?,
        observers: observers
            .map(|((row, via), of)| observer(row, *via, of))
            .collect::<Option<_>>()?,
        injections: injections.collect::<Option<_>>()?,
        signals: signals.map(|(row, place)| signal(row, *place)).collect::<Option<_>>()?,
        checks: draft.rows(&CHECK).iter().map(check).collect::<Option<_>>()?,
        parts: draft.sections.iter().filter_map(|(known, rows)| (known.build)(rows)).collect(),
        plans,
        written: LoadedFrom {
            path: path.to_owned(),
            hash: String::new(),
            texts: Texts::default(),
            is_in_table: false,
            overrides: Vec::new(),
            values: Vec::new(),
            warnings: Vec::new(),
            files: parts.files,
            tables,
        },
    })
}

/// Each table with its section, in the order of a file.
fn tables(draft: &Draft<'_>) -> Option<Vec<(&'static Section, Arc<Values>)>> {
    let mut all = Vec::new();
    // What ran is the scenario, whatever twins its file describes beside it.
    for (section, rows) in draft.sections.iter().filter(|it| it.0.name != MUST_FAIL.name) {
        for row in rows {
            all.push((*section, row.values.clone()?));
        }
        if rows.is_empty() && (section.is_implied)(draft) {
            all.push((*section, defaults(section)?));
        }
    }
    Some(all)
}

/// The values of a table that is not there.
fn defaults(section: &Section) -> Option<Arc<Values>> {
    let none = Table::default();
    read_table(&none, FILE_START, section.fields, &mut Diagnostics::new()).map(Arc::new)
}
