//! The tables of a scenario, each checked by itself, on their way to one that makes sense.
//!
//! Everything that can be looked at is looked at, whatever else is wrong, so that all mistakes
//! come at once; only if there is none a [`Scenario`] comes out.

use std::path::Path;
use std::sync::Arc;

use lastmeter_devices::{DEVICES, DeviceKind};
use lastmeter_params::{Code, Diagnostics, NodeValue, Table, Values, nearest};
use lastmeter_plans::calibration::{self, CALIBRATION_FIELDS, CALIBRATION_SOURCE};
use lastmeter_plans::standard::{Plan, SUITE_FIELDS, SUITE_SOURCE};
use lastmeter_reports::{CHECKS, CheckKind};
use lastmeter_sim::{SOURCES, SourceKind};
use lastmeter_units::SimDuration;

use super::files::Files;
use super::grid::{self, Grid, GridTables};
use super::interference::{self, Connected, Target};
use super::names::Names;
use super::read::{self, Row, Single};
use super::scenario::{GivenAuthority, PlatformUse, Scenario};
use super::sections::{self, InjectKind};
use super::semantics;
use super::wiring::{self, Reported, Via};

/// The tables of a scenario, each checked by itself.
pub(crate) struct Draft<'a> {
    root: &'a Table,
    /// Sections that stand in the file under a misspelt name.
    misspelt: Vec<&'static str>,
    pub(super) head: Option<Single<'a>>,
    pub(super) platform: Option<Single<'a>>,
    pub(super) floor: Option<Single<'a>>,
    pub(super) suite: Option<Single<'a>>,
    pub(super) calibration: Option<Single<'a>>,
    pub(super) grid: Option<GridTables<'a>>,
    pub(super) sources: Vec<Row<'a, &'static SourceKind>>,
    pub(super) links: Vec<Row<'a, ()>>,
    pub(super) devices: Vec<Row<'a, &'static DeviceKind>>,
    pub(super) observers: Vec<Row<'a, ()>>,
    pub(super) injections: Vec<Row<'a, InjectKind>>,
    pub(super) checks: Vec<Row<'a, &'static CheckKind>>,
    pub(super) expect: Option<Single<'a>>,
}

/// The names of each section.
struct AllNames {
    sources: Names,
    devices: Names,
    observers: Names,
    links: Names,
    checks: Names,
    /// Of the network.
    loads: Names,
    /// The place of the network's first source among the sources.
    grid_from: usize,
}

/// What the tables refer to, by index.
pub(super) struct References {
    /// The name of each device, and the table that makes it.
    pub(super) devices: Vec<(String, usize)>,
    /// The source of a table's first device.
    pub(super) source_of_table: Vec<Option<usize>>,
    pub(super) source_of_device: Vec<Option<usize>>,
    /// The place of the network's first source among the sources.
    pub(super) grid_from: usize,
    pub(super) via_of_table: Vec<Via>,
    pub(super) observers: Names,
    pub(super) via_of_observer: Vec<Via>,
    pub(super) devices_of_observer: Vec<Vec<usize>>,
    pub(super) via_of_floor: Via,
    pub(super) device_of_injection: Vec<Option<usize>>,
    pub(super) source_of_injection: Vec<Option<usize>>,
    pub(super) target_of_injection: Vec<Option<Target>>,
    pub(super) devices_of_check: Vec<Vec<usize>>,
    pub(super) authority: Result<Option<GivenAuthority>, Reported>,
}

/// What a source of its own plays: at most one of them is there.
pub(super) struct Plans {
    pub(super) suite: Option<Arc<Plan>>,
    pub(super) calibration: Option<Arc<calibration::Plan>>,
    /// What feeds loads and feeding points.
    pub(super) grid: Option<Grid>,
}

impl Plans {
    /// The source that plays one.
    pub(super) fn player(&self) -> Option<&'static str> {
        let calibration = self.calibration.as_ref().map(|_| CALIBRATION_SOURCE);
        self.suite.as_ref().map(|_| SUITE_SOURCE).or(calibration)
    }

    /// How long the scenario lasts, if a plan says so.
    pub(super) fn duration(&self) -> Option<SimDuration> {
        let suite = self.suite.as_ref().map(|plan| plan.duration());
        suite.or_else(|| self.calibration.as_ref().map(|plan| plan.duration()))
    }
}

impl<'a> Draft<'a> {
    /// Reads every table.
    pub(crate) fn read(root: &'a Table, out: &mut Diagnostics) -> Self {
        let misspelt = read::check_root(root, out);
        let checks = sections::check_section();
        let injections = InjectKind::all();
        Self {
            root,
            misspelt,
            head: read::single(root, "scenario", sections::SCENARIO_FIELDS, out),
            platform: read::single(root, "platform", sections::PLATFORM_FIELDS, out),
            floor: read::single(root, "floor", sections::FLOOR_FIELDS, out),
            suite: read::single(root, "suite", SUITE_FIELDS, out),
            calibration: read::single(root, "calibration", CALIBRATION_FIELDS, out),
            grid: grid::tables(root, out),
            sources: read::rows(root, &sections::SOURCE, SOURCES.iter(), |k| &k.entry, out),
            links: read::plain_rows(root, &sections::link_section(), out),
            devices: read::rows(root, &sections::DEVICE, DEVICES.iter(), |k| &k.entry, out),
            observers: read::plain_rows(root, &sections::OBSERVER, out),
            injections: read::rows(root, &sections::INJECT, injections, InjectKind::entry, out),
            checks: read::rows(root, &checks, CHECKS.iter(), |kind| &kind.entry, out),
            expect: read::single(root, "expect", sections::EXPECT_FIELDS, out),
        }
    }

    /// Looks at what holds between the tables and builds the parts; a scenario comes out if
    /// nothing is wrong.
    pub(crate) fn resolve(
        self,
        path: &Path,
        files: &Files<'_>,
        out: &mut Diagnostics,
    ) -> Option<Scenario> {
        let platform = self.platform_use(files, out);
        let plans = Plans {
            suite: self.plan(files, out),
            calibration: self.calibration_plan(out),
            grid: self.grid(files, out),
        };
        let references = self.check_between(platform.as_ref(), (files, &plans), out);
        let parts = self.build(&references, (files, &plans), out);
        if !out.is_empty() {
            return None;
        }
        self.into_scenario(path, platform?, &references, (parts, plans))
    }

    pub(super) fn head_values(&self) -> Option<&Values> {
        self.head.as_ref()?.values.as_deref()
    }

    /// Whether all tables of a section were read.
    fn all_read(&self, section: &str) -> bool {
        !self.root.incomplete && !self.misspelt.contains(&section)
    }

    /// Whether a section is left out, and not only unreadable.
    fn is_left_out(&self, section: &str) -> bool {
        self.root.get(section).is_none() && self.all_read(section)
    }

    /// Which platform; `None` after a mistake.
    fn platform_use(&self, files: &Files<'_>, out: &mut Diagnostics) -> Option<PlatformUse> {
        let Some(platform) = &self.platform else {
            return self.is_left_out("platform").then_some(PlatformUse::Embedded);
        };
        let Some(node) = platform.table.get("use") else { return Some(PlatformUse::Embedded) };
        let NodeValue::String(text) = &node.value else { return None };
        match text.as_str() {
            "embedded" => return Some(PlatformUse::Embedded),
            "child" => return Some(PlatformUse::Child),
            _ => {}
        }
        let file = files.path(text);
        if let Some(file) = file.filter(|file| file.is_file()) {
            return Some(PlatformUse::Profile(file));
        }
        if let Some(near) = nearest(text, ["embedded", "child"]) {
            let message = format!("`use` cannot be `{text}`");
            let label = "expected `embedded`, `child` or a profile file";
            let help = Some(format!("did you mean `{near}`?"));
            out.report_with_help(Code::UNKNOWN_WORD, node.span, message, label, help);
        } else {
            let message = format!("there is no profile file `{text}`");
            let help = "write `embedded` or `child`, or the path of a profile file".to_owned();
            let code = Code::FILE_UNREADABLE;
            out.report_with_help(code, node.span, message, "no such file", Some(help));
        }
        None
    }

    /// The source that plays a plan, if there is one; it stands behind those that are written.
    fn player(&self) -> Option<&'static str> {
        let calibration = self.calibration.as_ref().map(|_| CALIBRATION_SOURCE);
        self.suite.as_ref().map(|_| SUITE_SOURCE).or(calibration)
    }

    /// The names of each section, and for each device its table.
    fn names(&self, grid: Option<&Grid>, out: &mut Diagnostics) -> (AllNames, Vec<usize>) {
        let loads = match grid {
            Some(grid) => grid.loads.clone(),
            None => Names::given("load", std::iter::empty(), self.all_read("grid")),
        };
        let (devices, table_of_device) =
            Names::of_devices(&self.devices, &loads, self.all_read("device"), out);
        Names::of("injection", &self.injections, false, out);
        let mut sources = Names::of("source", &self.sources, self.all_read("source"), out);
        if let Some(player) = self.player() {
            semantics::is_left_to_the_plan(player, &self.sources, out);
            sources.add(player);
        }
        let grid_from = sources.len();
        if let Some(grid) = grid {
            for name in &grid.sources {
                semantics::is_left_to_the_grid(name, &self.sources, out);
                sources.add(name);
            }
            if !grid.loads.is_complete() {
                sources.may_lack_some();
            }
        }
        let names = AllNames {
            sources,
            devices,
            observers: Names::of("observer", &self.observers, self.all_read("observer"), out),
            links: Names::of("link", &self.links, self.all_read("link"), out),
            checks: Names::of("check", &self.checks, self.all_read("check"), out),
            loads,
            grid_from,
        };
        (names, table_of_device)
    }

    fn check_between(
        &self,
        platform: Option<&PlatformUse>,
        (files, plans): (&Files<'_>, &Plans),
        out: &mut Diagnostics,
    ) -> References {
        let (names, table_of_device) = self.names(plans.grid.as_ref(), out);
        semantics::is_available(&self.devices, out);
        semantics::injections_are_in_time(&self.injections, self.head.as_ref(), out);
        interference::are_over_in_time(&self.injections, self.head.as_ref(), out);
        semantics::commands_have_names(&self.injections, out);
        wiring::no_link_is_called_none(&self.links, out);
        wiring::keep_alive_is_whole(&self.devices, out);
        if let Some(platform) = platform {
            semantics::kill_has_a_victim(&self.injections, platform, out);
        }
        semantics::requirements_are_rows(&self.checks, out);
        semantics::no_check_is_called_implicit(&self.checks, out);
        semantics::twin_is_named(self.expect.as_ref(), &names.checks, out);
        if self.is_left_out("check")
            && let Some(entry) = self.root.entry("scenario")
        {
            semantics::report_no_checks(entry.node.span, out);
        }
        if let Some(head) = self.head_values() {
            let has_plan = self.suite.is_some() || self.calibration.is_some();
            semantics::lasts_so_long(head, has_plan, out);
            semantics::is_in_time(head, plans.duration(), out);
        }
        self.references(names, &table_of_device, (platform, files), out)
    }

    fn references(
        &self,
        names: AllNames,
        table_of_device: &[usize],
        (platform, files): (Option<&PlatformUse>, &Files<'_>),
        out: &mut Diagnostics,
    ) -> References {
        let AllNames { sources, devices, observers, links, loads, grid_from, .. } = names;
        let devices_of_observer: Vec<Vec<usize>> =
            self.observers.iter().map(|row| wiring::observed(row, &devices, out)).collect();
        for (row, of) in self.observers.iter().zip(&devices_of_observer) {
            let (rows, tables) = (&self.devices, table_of_device);
            wiring::observer_can_tell_devices_apart(row, of, &devices, tables, rows, out);
        }
        let mut via_of = |table: &Table| wiring::via_of(table, &links, out);
        let via_of_table: Vec<Via> = self.devices.iter().map(|row| via_of(row.table)).collect();
        let via_of_observer: Vec<Via> =
            self.observers.iter().map(|row| via_of(row.table)).collect();
        let via_of_floor = self.floor.as_ref().map_or(Ok(None), |floor| via_of(floor.table));
        let connected = Connected {
            links: &links,
            devices: &devices,
            via_of_device: table_of_device.iter().map(|&table| via_of_table[table]).collect(),
            via_of_observer: &via_of_observer,
        };
        let injections = self.injections.iter();
        let target_of_injection: Vec<Option<Target>> =
            injections.map(|row| interference::target_of(row, &connected, out)).collect();
        interference::do_not_overlap(&self.injections, &target_of_injection, out);
        let tables = self.devices.iter();
        let sources_of_table: Vec<Vec<usize>> =
            tables.map(|row| semantics::sources_of(row, &sources, &loads, out)).collect();
        let source_of_table: Vec<Option<usize>> =
            sources_of_table.iter().map(|of| of.first().copied()).collect();
        self.suite_has_its_device(&devices, &sources, &source_of_table, out);
        self.calibration_has_its_devices(&devices, &sources, &source_of_table, out);
        let name_of = |device: usize| devices.get(device).unwrap_or_default().to_owned();
        let named = table_of_device.iter().enumerate();
        References {
            devices: named.map(|(device, table)| (name_of(device), *table)).collect(),
            source_of_table,
            source_of_device: one_by_one(table_of_device, &sources_of_table),
            grid_from,
            via_of_table,
            observers,
            via_of_observer,
            devices_of_observer,
            via_of_floor,
            device_of_injection: self
                .injections
                .iter()
                .map(|row| semantics::device_of(row, &devices, out))
                .collect(),
            source_of_injection: self
                .injections
                .iter()
                .map(|row| {
                    let others = (self.player(), grid_from);
                    semantics::source_of_injection(row, &sources, others, out)
                })
                .collect(),
            target_of_injection,
            devices_of_check: self
                .checks
                .iter()
                .map(|row| semantics::devices_of_check(row, &devices, out))
                .collect(),
            authority: wiring::authority(self.platform.as_ref(), platform, files, out),
        }
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
