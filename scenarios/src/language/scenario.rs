//! A scenario as loaded: every value checked, every reference resolved.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use lastmeter_devices::{Device, DeviceFault, DeviceKind};
use lastmeter_link::impair::{Breakage, Impairment, LinkSpec};
use lastmeter_params::{Diagnostic, Values};
use lastmeter_plans::calibration::{self, CALIBRATION_SOURCE};
use lastmeter_plans::standard::{Plan, SUITE_SOURCE};
use lastmeter_record::Status;
use lastmeter_record::{Override, TimeMode};
use lastmeter_sim::grid::Feeder;
use lastmeter_sim::{Streams, Terminal};
use lastmeter_units::{SimDuration, SimTime};

use super::grid::{GRID_SOURCE, LOAD_PREFIX};
use super::parts;
use super::render;
use super::sections::FORMAT;
use super::texts::Texts;

/// Which platform a scenario runs against.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PlatformUse {
    /// In the bench's own process.
    Embedded,
    /// As a child process, which can be killed.
    Child,
    /// One that runs already; the file says where.
    Profile(PathBuf),
}

/// A source with its terminal.
#[derive(Clone)]
pub struct Source {
    /// Its name.
    pub name: String,
    /// The registered kind's name.
    pub kind: &'static str,
    /// What devices are connected to; `None` if [`Scenario::unavailable`].
    pub terminal: Option<Terminal>,
    pub(crate) values: Values,
}

/// How devices and broker protect what they say to each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TlsUse {
    /// Not at all: plain TCP.
    None,
    /// TLS; devices verify the broker's certificate.
    Server,
    /// TLS; devices also show certificates, which bear their hardware ids.
    Mutual,
}

/// An authority that the scenario gives, instead of one that the bench makes for the run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GivenAuthority {
    /// The file with its certificate, PEM.
    pub certificate: PathBuf,
    /// The file with its private key, PEM. Only somebody else's platform can do without: then the
    /// bench has no certificate to issue.
    pub key: Option<PathBuf>,
}

/// A link between devices or observers and the platform.
#[derive(Clone)]
pub struct LinkRow {
    /// Its name.
    pub name: String,
    /// What it does to what passes it.
    pub spec: LinkSpec,
    pub(crate) values: Values,
}

/// A device, to be built with [`Scenario::build_device`].
#[derive(Clone)]
pub struct DeviceRow {
    /// Its name, which is also its hardware id.
    pub name: String,
    /// The index of the source it is connected to.
    pub source: usize,
    /// The registered model.
    pub kind: &'static DeviceKind,
    /// The index of the link it is connected through; `None`: straight to the platform.
    pub via: Option<usize>,
    /// Wall time a message may stay unacknowledged before the connection counts as lost.
    pub acknowledge_limit: Duration,
    /// MQTT keep-alive in wall time; zero: none.
    pub keep_alive: Duration,
    /// `TCP_NODELAY` of its connection.
    pub nodelay: bool,
    /// The values of its table, which devices made by `count` share.
    pub(crate) values: Arc<Values>,
}

/// A subscriber of the bench, which receives what devices publish.
#[derive(Clone)]
pub struct ObserverRow {
    /// Its name.
    pub name: String,
    /// The index of the link it is connected through; `None`: straight to the platform.
    pub via: Option<usize>,
    /// The indices of the devices whose messages it subscribes to, in order.
    pub devices: Vec<usize>,
    /// Whether it has a connection for each of them, or one for all.
    pub per_device: bool,
    pub(crate) values: Values,
}

/// How the floor is measured, before and after a run in real time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FloorRow {
    /// Echo messages, and as many timer probes.
    pub messages: u32,
    /// From one echo message to the next.
    pub period: Duration,
    /// The index of the link the echo goes through; `None`: straight to the platform.
    pub via: Option<usize>,
}

/// What an injection does.
#[derive(Clone, Debug, PartialEq)]
pub enum Action {
    /// A fault of a device.
    Device {
        /// The device's index.
        device: usize,
        /// What it is told.
        fault: DeviceFault,
    },
    /// Something that happens to a source; its terminal knows of it from the beginning.
    Source {
        /// The source's index.
        source: usize,
    },
    /// A command to a device through the platform.
    Command {
        /// The device's index.
        device: usize,
        /// The command.
        command: String,
        /// Its parameters.
        parameters: BTreeMap<String, String>,
        /// Whether the device has to refuse it.
        refused: bool,
    },
    /// The platform's child process is killed and started again.
    KillPlatform,
    /// A link gets worse. What ends at an instant ends before what begins then.
    Impair {
        /// The link's index.
        link: usize,
        /// What is put on top of it.
        change: Box<Impairment>,
        /// When that is over, since the start; `None`: not before the end.
        until: Option<SimDuration>,
        /// The indices of the devices whose connections it is about, all of which go through the
        /// link; `None`: whatever goes through it.
        devices: Option<Vec<usize>>,
    },
    /// A link breaks. What ends at an instant ends before what begins then.
    Disconnect {
        /// The link's index.
        link: usize,
        /// How it breaks.
        how: Breakage,
        /// When it is mended, since the start; `None`: not before the end.
        until: Option<SimDuration>,
        /// As with [`Action::Impair`].
        devices: Option<Vec<usize>>,
    },
}

/// Something that is done to the bench at an instant.
#[derive(Clone)]
pub struct Injection {
    /// Its name, if it has one.
    pub name: Option<String>,
    /// The registered kind's name.
    pub kind: &'static str,
    /// When, since the start.
    pub at: SimDuration,
    /// What.
    pub action: Action,
    pub(crate) values: Values,
}

impl Injection {
    /// Its keys beside name, time and kind as one line of TOML, for people.
    pub fn detail(&self) -> String {
        let own = self.values.to_toml();
        let mut keys: Vec<&str> = own.lines().collect();
        keys.retain(|line| {
            !["name = ", "at = ", "kind = "].iter().any(|key| line.starts_with(key))
        });
        keys.join(", ")
    }
}

/// A check; the package of the checks reads it again from the resolved scenario.
#[derive(Clone)]
pub struct CheckRow {
    /// Its name.
    pub name: String,
    /// The registered kind's name.
    pub kind: &'static str,
    /// The requirements it covers.
    pub covers: Vec<String>,
    pub(crate) values: Values,
}

/// How a must-fail twin has to end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expect {
    /// How the named check has to end: [`Status::Fail`] or [`Status::Inconclusive`].
    pub verdict: Status,
    /// The check that has to end so; no other may fail or end in error.
    pub check: String,
    /// The scenario it mirrors.
    pub twin_scenario: String,
    /// The check it mirrors.
    pub twin_check: String,
}

/// The values of `[grid]` and of the tables in it.
#[derive(Clone)]
pub(crate) struct GridValues {
    pub(crate) own: Values,
    pub(crate) loads: Vec<Values>,
    pub(crate) defects: Vec<Values>,
}

/// A scenario that makes sense.
#[derive(Clone)]
pub struct Scenario {
    /// Its name.
    pub name: String,
    /// One line for the head of a report.
    pub title: Option<String>,
    /// What it is about.
    pub description: Option<String>,
    /// Words to select it by.
    pub tags: Vec<String>,
    /// Whether it runs as fast as it can, or by the clock on the wall.
    pub time: TimeMode,
    /// Event time of the first sample.
    pub start: SimTime,
    /// How long it lasts.
    pub duration: SimDuration,
    /// Where all randomness comes from.
    pub seed: u64,
    /// Which platform it runs against.
    pub platform: PlatformUse,
    /// Whether the tenant accepts the identifiers of Table 2 only.
    pub strict_table2: bool,
    /// What is between devices and broker.
    pub tls: TlsUse,
    /// Who vouches for them, unless the bench makes an authority for the run.
    pub tls_authority: Option<GivenAuthority>,
    /// How the floor is measured.
    pub floor: FloorRow,
    /// The sources.
    pub sources: Vec<Source>,
    /// The links.
    pub links: Vec<LinkRow>,
    /// The devices, those that `count` makes each by itself.
    pub devices: Vec<DeviceRow>,
    /// The observers.
    pub observers: Vec<ObserverRow>,
    /// The injections, in the order of the file.
    pub injections: Vec<Injection>,
    /// The checks.
    pub checks: Vec<CheckRow>,
    /// How it has to end, if it is a must-fail twin.
    pub expect: Option<Expect>,
    pub(crate) path: PathBuf,
    pub(crate) hash: String,
    pub(crate) unavailable: Option<String>,
    pub(crate) texts: Texts,
    /// What options of the command line have changed.
    pub(crate) overrides: Vec<Override>,
    /// What is odd about it, ordered by place.
    pub(crate) warnings: Vec<Diagnostic>,
    pub(crate) files: BTreeMap<String, String>,
    pub(crate) head: Values,
    pub(crate) platform_values: Values,
    pub(crate) suite_values: Option<Values>,
    pub(crate) plan: Option<Arc<Plan>>,
    pub(crate) calibration_values: Option<Values>,
    /// What its `[calibration]` plays, if it has one.
    pub(crate) calibration: Option<Arc<calibration::Plan>>,
    pub(crate) grid_tables: Option<GridValues>,
    /// What its `[grid]` feeds, if it has one.
    pub(crate) feeder: Option<Arc<Feeder>>,
    /// `None` where nothing is written about the floor and nothing is measured.
    pub(crate) floor_values: Option<Values>,
    /// The device tables, each once whatever it makes.
    pub(crate) device_tables: Vec<Arc<Values>>,
    pub(crate) expect_values: Option<Values>,
}

impl Scenario {
    /// The file it was loaded from.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What its `[suite]` plays and judges, if it has one.
    pub fn plan(&self) -> Option<&Plan> {
        self.plan.as_deref()
    }

    /// The network of its `[grid]` with what flows in it, if it has one.
    pub fn feeder(&self) -> Option<&Feeder> {
        self.feeder.as_deref()
    }

    /// What the file of its network is called, without folder and ending, if it has one.
    pub fn network_name(&self) -> Option<String> {
        let file = Path::new(self.grid_tables.as_ref()?.own.text("file"));
        Some(file.file_stem()?.to_string_lossy().into_owned())
    }

    /// Whose connections through a link an injection is about: devices, observers, and observers'
    /// connections for one device as `OBSERVER.DEVICE`; `None` of the devices: all of them.
    pub(crate) fn lanes(&self, link: usize, devices: Option<&[usize]>) -> Vec<String> {
        let is_meant = |device: &usize| devices.is_none_or(|devices| devices.contains(device));
        let own = self.devices.iter().enumerate();
        let own = own.filter(|(index, row)| row.via == Some(link) && is_meant(index));
        let mut lanes: Vec<String> = own.map(|(_, row)| row.name.clone()).collect();
        for observer in self.observers.iter().filter(|observer| observer.via == Some(link)) {
            if observer.per_device {
                let of = observer.devices.iter().filter(|device| is_meant(device));
                let name =
                    |&device: &usize| format!("{}.{}", observer.name, self.devices[device].name);
                lanes.extend(of.map(name));
            } else if devices.is_none() {
                lanes.push(observer.name.clone());
            }
        }
        lanes
    }

    /// Where a device is connected, as a scenario writes it: `source:NAME` or `load:NAME`.
    pub(crate) fn place_of(&self, device: &DeviceRow) -> String {
        let name = &self.sources[device.source].name;
        if name.starts_with(LOAD_PREFIX) { name.clone() } else { format!("source:{name}") }
    }

    /// The texts it was loaded from.
    pub fn texts(&self) -> &Texts {
        &self.texts
    }

    /// What options of the command line have changed of its file.
    pub fn overrides(&self) -> &[Override] {
        &self.overrides
    }

    /// What is odd about it, although it makes sense, ordered by place.
    pub fn warnings(&self) -> &[Diagnostic] {
        &self.warnings
    }

    /// The warnings as text for people, each with its line and the marked span.
    pub fn render_warnings(&self, color: bool) -> String {
        render::human(&self.warnings, &self.texts, color)
    }

    /// One object for each warning, with the keys of a mistake.
    pub fn warnings_json(&self) -> Vec<serde_json::Value> {
        render::json(&self.warnings, &self.texts)
    }

    /// The texts of the files that checks name, by the names as written: their judge needs them.
    pub fn files(&self) -> &BTreeMap<String, String> {
        &self.files
    }

    /// SHA-256 of the file's bytes and the overrides, in hexadecimal.
    pub fn hash(&self) -> &str {
        &self.hash
    }

    /// Why it cannot run on this machine although nothing is wrong with it: a recording that is
    /// not here. Such a scenario is skipped with this reason.
    pub fn unavailable(&self) -> Option<&str> {
        self.unavailable.as_deref()
    }

    /// The scenario's random streams.
    pub fn streams(&self) -> Streams {
        Streams::new(self.seed)
    }

    /// Makes the device of this index, in its initial state; `None` if its source is unavailable.
    ///
    /// # Panics
    /// If there is no device of that index.
    pub fn build_device(&self, index: usize) -> Option<Box<dyn Device>> {
        let row = &self.devices[index];
        let terminal = self.sources[row.source].terminal.as_ref()?;
        let mut diagnostics = lastmeter_params::Diagnostics::new();
        let place = parts::DevicePlace {
            name: &row.name,
            start: self.start,
            streams: self.streams(),
            terminal,
        };
        parts::build_device(row.kind, &row.values, &place, &mut diagnostics)
    }

    /// The scenario with every default and override written out: a scenario file that means the
    /// same, as long as it lies in the same folder.
    pub fn resolved_toml(&self) -> String {
        let mut text = format!("format = {FORMAT}\n\n[scenario]\n{}", self.head.to_toml());
        let mut section = |header: &str, values: &Values| {
            // Writing to a String cannot fail.
            let _ = write!(text, "\n{header}\n{}", values.to_toml());
        };
        section("[platform]", &self.platform_values);
        self.floor_values.iter().for_each(|values| section("[floor]", values));
        self.suite_values.iter().for_each(|values| section("[suite]", values));
        let calibration = self.calibration_values.iter();
        calibration.for_each(|values| section("[calibration]", values));
        if let Some(grid) = &self.grid_tables {
            section("[grid]", &grid.own);
            grid.loads.iter().for_each(|values| section("[[grid.load]]", values));
            grid.defects.iter().for_each(|values| section("[[grid.defect]]", values));
        }
        let played = [SUITE_SOURCE, CALIBRATION_SOURCE, GRID_SOURCE];
        let sources = self.sources.iter().filter(|row| !played.contains(&row.kind));
        sources.for_each(|row| section("[[source]]", &row.values));
        self.links.iter().for_each(|row| section("[[link]]", &row.values));
        self.device_tables.iter().for_each(|values| section("[[device]]", values));
        self.observers.iter().for_each(|row| section("[[observer]]", &row.values));
        self.injections.iter().for_each(|row| section("[[inject]]", &row.values));
        self.checks.iter().for_each(|row| section("[[check]]", &row.values));
        self.expect_values.iter().for_each(|values| section("[expect]", values));
        text
    }

    /// Whether both mean the same, wherever and however they are written.
    pub fn same_meaning(&self, other: &Self) -> bool {
        let same = |a: &[&Values], b: &[&Values]| {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| a.same_values(b))
        };
        self.values().iter().zip(&other.values()).all(|(a, b)| same(a, b))
    }

    /// The values of all tables, section by section.
    fn values(&self) -> [Vec<&Values>; 14] {
        let grid = self.grid_tables.as_ref();
        [
            grid.iter().map(|grid| &grid.own).collect(),
            grid.iter().flat_map(|grid| &grid.loads).collect(),
            grid.iter().flat_map(|grid| &grid.defects).collect(),
            vec![&self.head, &self.platform_values],
            self.floor_values.iter().collect(),
            self.suite_values.iter().collect(),
            self.calibration_values.iter().collect(),
            self.sources.iter().map(|row| &row.values).collect(),
            self.links.iter().map(|row| &row.values).collect(),
            self.device_tables.iter().map(|values| &**values).collect(),
            self.observers.iter().map(|row| &row.values).collect(),
            self.injections.iter().map(|row| &row.values).collect(),
            self.checks.iter().map(|row| &row.values).collect(),
            self.expect_values.iter().collect(),
        ]
    }
}

impl std::fmt::Debug for Scenario {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Scenario")
            .field("name", &self.name)
            .field("hash", &self.hash)
            .finish_non_exhaustive()
    }
}
