//! A scenario as loaded: every value checked, every reference resolved.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use lastmeter_devices::{Device, DeviceFault, DeviceKind};
use lastmeter_link::impair::{Breakage, Impairment, LinkSpec};
use lastmeter_params::{Diagnostic, Values};
use lastmeter_plans::calibration;
use lastmeter_plans::standard::Plan;
use lastmeter_record::Status;
use lastmeter_record::{Override, TimeMode};
use lastmeter_sim::grid::Feeder;
use lastmeter_sim::{Streams, Terminal};
use lastmeter_units::{SimDuration, SimTime};

use super::grid::LOAD_PREFIX;
use super::parts;
use super::render;
use super::sections::{FORMAT, sections};
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
    pub(crate) values: Arc<Values>,
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
    pub(crate) values: Arc<Values>,
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
    pub(crate) values: Arc<Values>,
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

/// What a scenario is called and what it is about.
#[derive(Clone)]
pub struct About {
    /// Its name.
    pub name: String,
    /// One line for the head of a report.
    pub title: Option<String>,
    /// What it is about.
    pub description: Option<String>,
    /// Words to select it by.
    pub tags: Vec<String>,
}

/// When a scenario happens, and by which clock and dice.
#[derive(Clone)]
pub struct Schedule {
    /// Whether it runs as fast as it can, or by the clock on the wall.
    pub time: TimeMode,
    /// Event time of the first sample.
    pub start: SimTime,
    /// How long it lasts.
    pub duration: SimDuration,
    /// Where all randomness comes from.
    pub seed: u64,
}

/// The platform under test, and how the bench speaks to it.
#[derive(Clone)]
pub struct PlatformSetup {
    /// Which platform it is.
    pub choice: PlatformUse,
    /// Whether the tenant accepts the identifiers of Table 2 only.
    pub strict_table2: bool,
    /// What is between devices and broker.
    pub tls: TlsUse,
    /// Who vouches for them, unless the bench makes an authority for the run.
    pub authority: Option<GivenAuthority>,
}

/// What makes the voltages and currents that devices measure.
#[derive(Clone)]
pub struct Plant {
    /// The sources: those that are written, the one that plays a plan, and those of a network.
    pub sources: Vec<Source>,
    /// The network of `[grid]` with what flows in it, if there is one.
    pub(crate) feeder: Option<Arc<Feeder>>,
    /// Why it cannot be had on this machine.
    pub(crate) unavailable: Option<String>,
}

/// What a source of its own plays: at most one of them is there.
#[derive(Clone)]
pub(crate) struct PlayedPlans {
    pub(crate) suite: Option<Arc<Plan>>,
    pub(crate) calibration: Option<Arc<calibration::Plan>>,
}

/// What a scenario was loaded from.
#[derive(Clone)]
pub(crate) struct Written {
    pub(crate) path: PathBuf,
    /// SHA-256 of the file's bytes and the overrides, in hexadecimal.
    pub(crate) hash: String,
    pub(crate) texts: Texts,
    /// What options of the command line have changed.
    pub(crate) overrides: Vec<Override>,
    /// What is odd about it, ordered by place.
    pub(crate) warnings: Vec<Diagnostic>,
    /// The texts of the files that checks name, by the names as written.
    pub(crate) files: BTreeMap<String, String>,
    /// Each table with its section, in the order of a file; those of `[platform]` and `[floor]`
    /// also where they are left out and say what is done.
    pub(crate) tables: Vec<(&'static str, Arc<Values>)>,
}

impl Written {
    /// The values of a section that stands once, if it does.
    pub(crate) fn single(&self, section: &str) -> Option<&Arc<Values>> {
        self.tables.iter().find(|(name, _)| *name == section).map(|(_, values)| values)
    }
}

/// A scenario that makes sense.
#[derive(Clone)]
pub struct Scenario {
    /// What it is called and what it is about.
    pub about: About,
    /// When it happens.
    pub schedule: Schedule,
    /// What it runs against.
    pub platform: PlatformSetup,
    /// How the floor is measured.
    pub floor: FloorRow,
    /// What makes voltages and currents.
    pub plant: Plant,
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
    /// What it plays.
    pub(crate) plans: PlayedPlans,
    /// What it was loaded from.
    pub(crate) written: Written,
}

impl Scenario {
    /// The file it was loaded from.
    pub fn path(&self) -> &Path {
        &self.written.path
    }

    /// What its `[suite]` plays and judges, if it has one.
    pub fn plan(&self) -> Option<&Plan> {
        self.plans.suite.as_deref()
    }

    /// The network of its `[grid]` with what flows in it, if it has one.
    pub fn feeder(&self) -> Option<&Feeder> {
        self.plant.feeder.as_deref()
    }

    /// What the file of its network is called, without folder and ending, if it has one.
    pub fn network_name(&self) -> Option<String> {
        let file = Path::new(self.written.single("grid")?.text("file"));
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
        let name = &self.plant.sources[device.source].name;
        if name.starts_with(LOAD_PREFIX) { name.clone() } else { format!("source:{name}") }
    }

    /// The texts it was loaded from.
    pub fn texts(&self) -> &Texts {
        &self.written.texts
    }

    /// What options of the command line have changed of its file.
    pub fn overrides(&self) -> &[Override] {
        &self.written.overrides
    }

    /// What is odd about it, although it makes sense, ordered by place.
    pub fn warnings(&self) -> &[Diagnostic] {
        &self.written.warnings
    }

    /// The warnings as text for people, each with its line and the marked span.
    pub fn render_warnings(&self, color: bool) -> String {
        render::human(&self.written.warnings, &self.written.texts, color)
    }

    /// One object for each warning, with the keys of a mistake.
    pub fn warnings_json(&self) -> Vec<serde_json::Value> {
        render::json(&self.written.warnings, &self.written.texts)
    }

    /// The texts of the files that checks name, by the names as written: their judge needs them.
    pub fn files(&self) -> &BTreeMap<String, String> {
        &self.written.files
    }

    /// SHA-256 of the file's bytes and the overrides, in hexadecimal.
    pub fn hash(&self) -> &str {
        &self.written.hash
    }

    /// Why it cannot run on this machine although nothing is wrong with it: a recording that is
    /// not here. Such a scenario is skipped with this reason.
    pub fn unavailable(&self) -> Option<&str> {
        self.plant.unavailable.as_deref()
    }

    /// The scenario's random streams.
    pub fn streams(&self) -> Streams {
        Streams::new(self.schedule.seed)
    }

    /// Makes the device of this index, in its initial state; `None` if its source is unavailable.
    ///
    /// # Panics
    /// If there is no device of that index.
    pub fn build_device(&self, index: usize) -> Option<Box<dyn Device>> {
        let row = &self.devices[index];
        let terminal = self.plant.sources[row.source].terminal.as_ref()?;
        let mut diagnostics = lastmeter_params::Diagnostics::new();
        let place = parts::DevicePlace {
            name: &row.name,
            start: self.schedule.start,
            streams: self.streams(),
            terminal,
        };
        parts::build_device(row.kind, &row.values, &place, &mut diagnostics)
    }

    /// The scenario with every default and override written out: a scenario file that means the
    /// same, as long as it lies in the same folder.
    pub fn resolved_toml(&self) -> String {
        let mut text = format!("format = {FORMAT}\n");
        for (section, values) in &self.written.tables {
            let repeats = sections().iter().any(|known| known.name == *section);
            let (open, close) = if repeats { ("[[", "]]") } else { ("[", "]") };
            // Writing to a String cannot fail.
            let _ = write!(text, "\n{open}{section}{close}\n{}", values.to_toml());
        }
        text
    }

    /// Whether both mean the same, wherever and however they are written.
    pub fn same_meaning(&self, other: &Self) -> bool {
        let (own, other) = (&self.written.tables, &other.written.tables);
        let mut both = own.iter().zip(other);
        own.len() == other.len() && both.all(|(a, b)| a.0 == b.0 && a.1.same_values(&b.1))
    }
}

impl std::fmt::Debug for Scenario {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Scenario")
            .field("name", &self.about.name)
            .field("hash", &self.written.hash)
            .finish_non_exhaustive()
    }
}
