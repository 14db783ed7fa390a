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
use super::interference::Target;
use super::read::{Row, Single};
use super::scenario::{
    About, Action, CheckRow, DeviceRow, Expect, FloorRow, Injection, LinkRow, ObserverRow, Plant,
    PlatformSetup, PlatformUse, PlayedPlans, Scenario, Schedule, Source, TlsUse, Written,
};
use super::sections::{self, InjectKind};
use super::semantics;
use super::texts::Texts;
use super::wiring::Via;

impl Draft<'_> {
    /// The scenario; `None` only where a mistake was reported before.
    pub(super) fn into_scenario(
        self,
        path: &Path,
        platform: PlatformUse,
        references: &References,
        (parts, plans): (Parts, Plans),
    ) -> Option<Scenario> {
        let head = self.head.as_ref()?.values.as_ref()?;
        let start = head.instant_opt("start")?;
        let platform_values =
            written_or_defaults(self.platform.as_ref(), sections::PLATFORM_FIELDS)?;
        // In real time a floor is measured, whether something is written about it or not.
        let floor_values = written_or_defaults(self.floor.as_ref(), sections::FLOOR_FIELDS)?;
        let measures_floor = self.floor.is_some() || time_mode(head) == TimeMode::Real;
        let tables = self.tables(&platform_values, measures_floor.then_some(&floor_values))?;
        let injections = self.injections.iter().enumerate().map(|(index, row)| {
            let about = Subject::of(index, references, &parts);
            injection(row.kind?, row.values.clone()?, about?, start)
        });
        let injections = injections.collect::<Option<_>>()?;
        let observers = self.observers.iter().zip(&references.via_of_observer);
        let observers = observers.zip(&references.devices_of_observer);
        let duration = plans.duration().or(head.duration_opt("duration"))?;
        let player = plans.player();
        Some(Scenario {
            about: about(head),
            schedule: Schedule {
                time: time_mode(head),
                start,
                duration,
                seed: head.integer("seed") as u64,
            },
            platform: PlatformSetup {
                choice: platform,
                strict_table2: platform_values.boolean("strict_table2"),
                tls: tls(&platform_values),
                authority: references.authority.clone().ok()?,
            },
            floor: floor(&floor_values, references.via_of_floor)?,
            plant: Plant {
                sources: sources(&self.sources, (parts.terminals, parts.grid), player)?,
                feeder: plans.grid.and_then(|grid| grid.feeder),
                unavailable: parts.unavailable,
            },
            links: self.links.iter().zip(parts.links).map(link).collect::<Option<_>>()?,
            devices: devices(references, &self.devices)?,
            observers: observers
                .map(|((row, via), of)| observer(row, *via, of))
                .collect::<Option<_>>()?,
            injections,
            checks: self.checks.iter().map(check).collect::<Option<_>>()?,
            expect: match &self.expect {
                Some(section) => Some(expect(section.values.as_ref()?)?),
                None => None,
            },
            plans: PlayedPlans { suite: plans.suite, calibration: plans.calibration },
            written: Written {
                path: path.to_owned(),
                hash: String::new(),
                texts: Texts::default(),
                overrides: Vec::new(),
                warnings: Vec::new(),
                files: parts.files,
                tables,
            },
        })
    }

    /// Each table with its section, in the order of a file.
    fn tables(
        &self,
        platform: &Arc<Values>,
        floor: Option<&Arc<Values>>,
    ) -> Option<Vec<(&'static str, Arc<Values>)>> {
        let grid = self.grid.as_ref();
        let all = one("scenario", self.head.as_ref())
            .chain([("platform", Some(Arc::clone(platform)))])
            .chain(floor.map(|floor| ("floor", Some(Arc::clone(floor)))))
            .chain(one("suite", self.suite.as_ref()))
            .chain(one("calibration", self.calibration.as_ref()))
            .chain(one("grid", grid.map(|grid| &grid.own)))
            .chain(rows("grid.load", grid.map_or(&[], |grid| &grid.loads)))
            .chain(rows("grid.defect", grid.map_or(&[], |grid| &grid.defects)))
            .chain(rows("source", &self.sources))
            .chain(rows("link", &self.links))
            .chain(rows("device", &self.devices))
            .chain(rows("observer", &self.observers))
            .chain(rows("inject", &self.injections))
            .chain(rows("check", &self.checks))
            .chain(one("expect", self.expect.as_ref()));
        all.map(|(section, values)| Some((section, values?))).collect()
    }
}

/// A table with its section; without values it has a mistake.
type Listed = (&'static str, Option<Arc<Values>>);

fn one(section: &'static str, single: Option<&Single<'_>>) -> impl Iterator<Item = Listed> {
    single.map(|single| (section, single.values.clone())).into_iter()
}

fn rows<K>(section: &'static str, rows: &[Row<'_, K>]) -> impl Iterator<Item = Listed> {
    rows.iter().map(move |row| (section, row.values.clone()))
}

/// The values of a section, or those of one that is left out.
fn written_or_defaults(section: Option<&Single<'_>>, fields: &[Field]) -> Option<Arc<Values>> {
    match section {
        Some(section) => section.values.clone(),
        None => defaults(fields).map(Arc::new),
    }
}

fn about(head: &Values) -> About {
    let optional = |key: &str| head.text_opt(key).map(str::to_owned);
    About {
        name: head.text("name").to_owned(),
        title: optional("title"),
        description: optional("description"),
        tags: head.text_list("tags").into_iter().map(str::to_owned).collect(),
    }
}

fn time_mode(head: &Values) -> TimeMode {
    match head.text("time") {
        "real" => TimeMode::Real,
        _ => TimeMode::Virtual,
    }
}

/// The sources, behind them the one that plays a suite or a calibration, then those of a network.
fn sources(
    rows: &[Row<'_, &'static SourceKind>],
    (mut terminals, grid): (Vec<Option<Terminal>>, Vec<Source>),
    player: Option<&'static str>,
) -> Option<Vec<Source>> {
    let played = player.and_then(|kind| Some((kind, terminals.pop()?)));
    let played =
        played.map(|(kind, terminal)| Some(Source { name: kind.to_owned(), kind, terminal }));
    let written = rows.iter().zip(terminals).map(source);
    written.chain(played).chain(grid.into_iter().map(Some)).collect()
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

fn floor(values: &Values, via: Via) -> Option<FloorRow> {
    Some(FloorRow {
        messages: u32::try_from(values.integer("messages")).ok()?,
        period: wall(values, "period"),
        via: via.ok()?,
    })
}

fn source((row, terminal): (&Row<'_, &'static SourceKind>, Option<Terminal>)) -> Option<Source> {
    let name = row.values.as_ref()?.text("name").to_owned();
    Some(Source { name, kind: row.kind?.entry.name, terminal })
}

fn link((row, spec): (&Row<'_, ()>, Option<LinkSpec>)) -> Option<LinkRow> {
    let values = row.values.clone()?;
    Some(LinkRow { name: values.text("name").to_owned(), spec: spec?, values })
}

fn devices(
    references: &References,
    tables: &[Row<'_, &'static DeviceKind>],
) -> Option<Vec<DeviceRow>> {
    let device = |((name, table), source): (&(String, usize), &Option<usize>)| {
        let table_of_device = tables.get(*table)?;
        let values = table_of_device.values.as_ref()?;
        Some(DeviceRow {
            name: name.clone(),
            source: (*source)?,
            kind: table_of_device.kind?,
            via: (*references.via_of_table.get(*table)?).ok()?,
            acknowledge_limit: wall(values, "acknowledge_limit"),
            keep_alive: wall(values, "keep_alive"),
            nodelay: values.boolean("nodelay"),
            values: Arc::clone(values),
        })
    };
    references.devices.iter().zip(&references.source_of_device).map(device).collect()
}

fn observer(row: &Row<'_, ()>, via: Via, devices: &[usize]) -> Option<ObserverRow> {
    let values = row.values.clone()?;
    Some(ObserverRow {
        name: values.text("name").to_owned(),
        via: via.ok()?,
        devices: devices.to_vec(),
        per_device: values.text("connections") == "per-device",
    })
}

fn check(row: &Row<'_, &'static CheckKind>) -> Option<CheckRow> {
    let values = row.values.clone()?;
    let name = values.text("name").to_owned();
    let covers = values.text_list("covers").into_iter().map(str::to_owned).collect();
    Some(CheckRow { name, kind: row.kind?.entry.name, covers, values })
}

/// What an injection is about, by its kind.
struct Subject {
    device: Option<usize>,
    source: Option<usize>,
    target: Option<Target>,
    change: Option<Impairment>,
}

impl Subject {
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

fn injection(
    kind: InjectKind,
    values: Arc<Values>,
    about: Subject,
    start: SimTime,
) -> Option<Injection> {
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
