//! From tables without mistakes to a scenario.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use lastmeter_devices::DeviceKind;
use lastmeter_link::impair::{Breakage, Impairment, LinkSpec};
use lastmeter_params::{Diagnostics, Field, Table, Values, read_table};
use lastmeter_record::Status;
use lastmeter_record::TimeMode;
use lastmeter_reports::CheckKind;
use lastmeter_sim::{SourceKind, Terminal};
use lastmeter_units::{SimDuration, SimTime};

use super::construct::Parts;
use super::draft::{Draft, Plans, References};
use super::grid::GridTables;
use super::interference::Target;
use super::read::{Row, Single};
use super::scenario::{
    Action, CheckRow, DeviceRow, Expect, FloorRow, GridValues, Injection, LinkRow, ObserverRow,
    PlatformUse, Scenario, Source, TlsUse,
};
use super::sections::{self, InjectKind};
use super::semantics;
use super::texts::Texts;
use super::wiring::{Reported, Via};

impl Draft<'_> {
    /// The scenario; `None` only where a mistake was reported before.
    pub(super) fn into_scenario(
        self,
        path: &Path,
        platform: PlatformUse,
        references: &References,
        (parts, plans): (Parts, Plans),
    ) -> Option<Scenario> {
        let head = self.head?.values?;
        let platform_values = match self.platform {
            Some(platform) => platform.values?,
            None => defaults(sections::PLATFORM_FIELDS)?,
        };
        let time = time_mode(&head);
        let start = head.instant_opt("start")?;
        let injections = self.injections.into_iter().enumerate().map(|(index, row)| {
            let about = About::of(index, references, &parts);
            injection(row.kind?, row.values?, about?, start)
        });
        let injections: Option<Vec<Injection>> = injections.collect();
        let tables = self.devices.into_iter().map(|row| Some((row.kind?, Arc::new(row.values?))));
        let tables: Vec<(&'static DeviceKind, Arc<Values>)> = tables.collect::<Option<_>>()?;
        let floor_values = match self.floor {
            Some(floor) => Some(floor.values?),
            // In real time a floor is measured, whether something is written about it or not.
            None if time == TimeMode::Real => defaults(sections::FLOOR_FIELDS),
            None => None,
        };
        let observers = self.observers.into_iter().zip(&references.via_of_observer);
        let observers = observers.zip(&references.devices_of_observer);
        let suite_values = values_of(self.suite).ok()?;
        let calibration_values = values_of(self.calibration).ok()?;
        let sources = sources(self.sources, (parts.terminals, parts.grid), plans.player())?;
        let grid_tables = grid_values(self.grid).ok()?;
        let optional = |key: &str| head.text_opt(key).map(str::to_owned);
        let expect_values = values_of(self.expect).ok()?;
        Some(Scenario {
            name: head.text("name").to_owned(),
            title: optional("title"),
            description: optional("description"),
            tags: head.text_list("tags").into_iter().map(str::to_owned).collect(),
            time,
            start,
            duration: plans.duration().or(head.duration_opt("duration"))?,
            seed: head.integer("seed") as u64,
            platform,
            strict_table2: platform_values.boolean("strict_table2"),
            tls: tls(&platform_values),
            tls_authority: references.authority.clone().ok()?,
            floor: floor(floor_values.as_ref(), references.via_of_floor)?,
            sources,
            links: self.links.into_iter().zip(parts.links).map(link).collect::<Option<_>>()?,
            devices: devices(references, &tables)?,
            observers: observers
                .map(|((row, via), of)| observer(row, *via, of))
                .collect::<Option<_>>()?,
            injections: injections?,
            checks: self.checks.into_iter().map(check).collect::<Option<_>>()?,
            expect: expect_values.as_ref().map(expect).map_or(Some(None), |read| read.map(Some))?,
            path: path.to_owned(),
            hash: String::new(),
            unavailable: parts.unavailable,
            texts: Texts::default(),
            overrides: Vec::new(),
            warnings: Vec::new(),
            files: parts.files,
            head,
            platform_values,
            suite_values,
            calibration_values,
            grid_tables,
            feeder: plans.grid.and_then(|grid| grid.feeder),
            plan: plans.suite,
            calibration: plans.calibration,
            floor_values,
            device_tables: tables.into_iter().map(|(_, values)| values).collect(),
            expect_values,
        })
    }
}

fn time_mode(head: &Values) -> TimeMode {
    match head.text("time") {
        "real" => TimeMode::Real,
        _ => TimeMode::Virtual,
    }
}

/// The values of `[grid]` and of the tables in it.
fn grid_values(tables: Option<GridTables<'_>>) -> Result<Option<GridValues>, Reported> {
    let values = |tables: GridTables<'_>| {
        Some(GridValues {
            own: tables.own.values?,
            loads: tables.loads.into_iter().map(|row| row.values).collect::<Option<_>>()?,
            defects: tables.defects.into_iter().map(|row| row.values).collect::<Option<_>>()?,
        })
    };
    tables.map(|tables| values(tables).ok_or(Reported)).transpose()
}

/// The values of a section that may be left out.
fn values_of(section: Option<Single<'_>>) -> Result<Option<Values>, Reported> {
    section.map(|section| section.values.ok_or(Reported)).transpose()
}

/// The sources, behind them the one that plays a suite or a calibration, then those of a network.
fn sources(
    rows: Vec<Row<'_, &'static SourceKind>>,
    (mut terminals, grid): (Vec<Option<Terminal>>, Vec<Source>),
    player: Option<&'static str>,
) -> Option<Vec<Source>> {
    let played = player.and_then(|kind| Some((kind, terminals.pop()?)));
    let played = played.map(|(kind, terminal)| {
        Some(Source { name: kind.to_owned(), kind, terminal, values: Values::default() })
    });
    rows.into_iter()
        .zip(terminals)
        .map(source)
        .chain(played)
        .chain(grid.into_iter().map(Some))
        .collect()
}

/// The values of a table that is not there.
fn defaults(fields: &[Field]) -> Option<Values> {
    read_table(&Table::default(), semantics::FILE_START, fields, &mut Diagnostics::new())
}

fn tls(platform: &Values) -> TlsUse {
    match platform.text("tls") {
        "server" => TlsUse::Server,
        "mutual" => TlsUse::Mutual,
        _ => TlsUse::None,
    }
}

/// A time on the wall.
fn wall(values: &Values, key: &str) -> Duration {
    Duration::from_secs_f64(values.si(key))
}

fn floor(values: Option<&Values>, via: Via) -> Option<FloorRow> {
    let defaults = defaults(sections::FLOOR_FIELDS)?;
    let values = values.unwrap_or(&defaults);
    Some(FloorRow {
        messages: u32::try_from(values.integer("messages")).ok()?,
        period: wall(values, "period"),
        via: via.ok()?,
    })
}

fn source((row, terminal): (Row<'_, &'static SourceKind>, Option<Terminal>)) -> Option<Source> {
    let values = row.values?;
    let name = values.text("name").to_owned();
    Some(Source { name, kind: row.kind?.entry.name, terminal, values })
}

fn link((row, spec): (Row<'_, ()>, Option<LinkSpec>)) -> Option<LinkRow> {
    let values = row.values?;
    Some(LinkRow { name: values.text("name").to_owned(), spec: spec?, values })
}

fn devices(
    references: &References,
    tables: &[(&'static DeviceKind, Arc<Values>)],
) -> Option<Vec<DeviceRow>> {
    let device = |((name, table), source): (&(String, usize), &Option<usize>)| {
        let (kind, values) = tables.get(*table)?;
        Some(DeviceRow {
            name: name.clone(),
            source: (*source)?,
            kind,
            via: (*references.via_of_table.get(*table)?).ok()?,
            acknowledge_limit: wall(values, "acknowledge_limit"),
            keep_alive: wall(values, "keep_alive"),
            nodelay: values.boolean("nodelay"),
            values: Arc::clone(values),
        })
    };
    references.devices.iter().zip(&references.source_of_device).map(device).collect()
}

fn observer(row: Row<'_, ()>, via: Via, devices: &[usize]) -> Option<ObserverRow> {
    let values = row.values?;
    Some(ObserverRow {
        name: values.text("name").to_owned(),
        via: via.ok()?,
        devices: devices.to_vec(),
        per_device: values.text("connections") == "per-device",
        values,
    })
}

fn check(row: Row<'_, &'static CheckKind>) -> Option<CheckRow> {
    let values = row.values?;
    let name = values.text("name").to_owned();
    let covers = values.text_list("covers").into_iter().map(str::to_owned).collect();
    Some(CheckRow { name, kind: row.kind?.entry.name, covers, values })
}

/// What an injection is about, by its kind.
struct About {
    device: Option<usize>,
    source: Option<usize>,
    target: Option<Target>,
    change: Option<Impairment>,
}

impl About {
    /// Of the injection of an index.
    fn of(index: usize, references: &References, parts: &Parts) -> Option<Self> {
        Some(Self {
            device: *references.device_of_injection.get(index)?,
            source: *references.source_of_injection.get(index)?,
            target: references.target_of_injection.get(index)?.clone(),
            change: *parts.impairments.get(index)?,
        })
    }
}

fn injection(kind: InjectKind, values: Values, about: About, start: SimTime) -> Option<Injection> {
    let at: SimDuration = values.duration("at");
    let until = |values: &Values| values.duration_opt("for").map(|length| at + length);
    let action = match kind {
        InjectKind::Device(kind) => {
            Action::Device { device: about.device?, fault: (kind.build)(&values, start + at) }
        }
        InjectKind::Source(_) => Action::Source { source: about.source? },
        InjectKind::Command => {
            let mut parameters = values.texts("command");
            let command = parameters.remove("name")?;
            let refused = values.boolean("refused");
            Action::Command { device: about.device?, command, parameters, refused }
        }
        InjectKind::Kill => Action::KillPlatform,
        InjectKind::Impair => {
            let Target { link, devices } = about.target?;
            let change = Box::new(about.change?);
            Action::Impair { link, change, until: until(&values), devices }
        }
        InjectKind::Disconnect => {
            let Target { link, devices } = about.target?;
            let how = Breakage::from_name(values.text("how"))?;
            Action::Disconnect { link, how, until: until(&values), devices }
        }
    };
    let name = values.text_opt("name").map(str::to_owned);
    Some(Injection { name, kind: kind.entry().name, at, action, values })
}

fn expect(values: &Values) -> Option<Expect> {
    let (scenario, check) = values.text("twin_of").split_once('/')?;
    Some(Expect {
        verdict: match values.text("verdict") {
            "inconclusive" => Status::Inconclusive,
            _ => Status::Fail,
        },
        check: values.text("check").to_owned(),
        twin_scenario: scenario.to_owned(),
        twin_check: check.to_owned(),
    })
}
