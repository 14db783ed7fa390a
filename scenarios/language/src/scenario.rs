//! A scenario as loaded: every value checked, every reference resolved.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use lastmeter_devices::Device;
use lastmeter_grid::Network;
use lastmeter_params::{Diagnostic, Values};
use lastmeter_plans::calibration;
use lastmeter_plans::standard::Plan;
use lastmeter_record::Override;
use lastmeter_sim::Streams;
use lastmeter_sim::grid::{GridChange, LiveGrid, Playing, SolvedNetwork};
use lastmeter_text::append;
use lastmeter_units::SimDuration;

use super::draft::{FORMAT, Part, Section};
use super::names::{HOME_PREFIX, LOAD_PREFIX, SWITCH_PREFIX};
use super::render;
use super::section::application::ApplicationRow;
use super::section::check::CheckRow;
use super::section::device::{DevicePlace, DeviceRow, build_device};
use super::section::expect::Expect;
use super::section::floor::FloorRow;
use super::section::gateway::GatewayRow;
use super::section::grid::Grid;
use super::section::inject::Injection;
use super::section::link::LinkRow;
use super::section::network::NetworkRow;
use super::section::observer::ObserverRow;
use super::section::platform::PlatformSetup;
use super::section::scenario::{About, Schedule};
use super::section::signal::SignalRow;
use super::section::simulator::SimulatorRow;
use super::section::source::Source;
use super::texts::Texts;

/// What makes the voltages and currents that devices measure.
#[derive(Clone)]
pub struct Plant {
    /// The sources: those that are written, the one that plays a plan, and those of a network.
    pub sources: Vec<Source>,
    /// Why it cannot be had on this machine.
    pub(crate) unavailable: Option<String>,
    /// What flows in its network; none before that is played (`lastmeter_bench::plant`).
    pub feeder: Option<Arc<SolvedNetwork>>,
}

/// What a source of its own plays: at most one of them is there.
#[derive(Clone)]
pub(crate) struct Plans {
    pub(crate) test_plan: Option<Arc<Plan>>,
    pub(crate) calibration: Option<Arc<calibration::Plan>>,
    /// What feeds loads and feeding points.
    pub(crate) grid: Option<Grid>,
}

impl Plans {
    /// How long the scenario lasts, if a plan states it.
    pub(crate) fn duration(&self) -> Option<SimDuration> {
        let test_plan = self.test_plan.as_ref().map(|plan| plan.duration());
        test_plan.or_else(|| self.calibration.as_ref().map(|plan| plan.duration()))
    }
}

/// What a scenario was loaded from.
#[derive(Clone)]
pub struct LoadedFrom {
    /// The file.
    pub path: PathBuf,
    /// SHA-256 of the file's bytes and the overrides, in hexadecimal.
    pub hash: String,
    /// The scenario file and the overrides.
    pub texts: Texts,
    /// Whether it is a must-fail twin that a table of its scenario's file describes.
    pub is_in_table: bool,
    /// What options of the command line have changed, and what varies of a case.
    pub overrides: Vec<Override>,
    /// Of a case what varies, by address, as TOML.
    pub values: Vec<(String, String)>,
    /// What is odd about it, ordered by place.
    pub warnings: Vec<Diagnostic>,
    /// The texts of the files that checks name, by the names as written.
    pub files: BTreeMap<String, String>,
    /// Each table with its section, in the order of a file; those of `[platform]` and `[floor]`
    /// also where they are left out and state what is done.
    pub(crate) tables: Vec<(&'static Section, Arc<Values>)>,
}

impl LoadedFrom {
    /// The values of a section that stands once, if it does.
    pub fn single(&self, section: &str) -> Option<&Arc<Values>> {
        self.all(section).next()
    }

    /// The values of each table of a section.
    pub fn all(&self, section: &str) -> impl Iterator<Item = &Arc<Values>> {
        self.tables.iter().filter(move |(known, _)| known.name == section).map(|(_, values)| values)
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
    /// How the floor is measured; `None`: it is not.
    pub floor: Option<FloorRow>,
    /// What makes voltages and currents.
    pub plant: Plant,
    /// The links, in the order of the file.
    pub links: Vec<LinkRow>,
    /// The field networks.
    pub networks: Vec<NetworkRow>,
    /// The devices, those that `count` makes each by itself.
    pub devices: Vec<DeviceRow>,
    /// The gateways, in the order of the file.
    pub gateways: Vec<GatewayRow>,
    /// The simulators, in the order of the file.
    pub simulators: Vec<SimulatorRow>,
    /// The observers, in the order of the file.
    pub observers: Vec<ObserverRow>,
    /// The programs on the platform's side.
    pub applications: Vec<ApplicationRow>,
    /// The injections, in the order of the file.
    pub injections: Vec<Injection>,
    /// The signals that are recorded.
    pub signals: Vec<SignalRow>,
    /// The checks, in the order of the file.
    pub checks: Vec<CheckRow>,
    /// What sections build from nothing but their own tables.
    pub(crate) parts: Vec<Part>,
    /// What it plays.
    pub(crate) plans: Plans,
    /// What it was loaded from.
    pub written: LoadedFrom,
}

impl Scenario {
    /// What a section has built of this type from its own tables.
    pub fn part<T: 'static>(&self) -> Option<&T> {
        self.parts.iter().find_map(|part| part.downcast_ref())
    }

    /// How it has to end, if it is a must-fail twin.
    pub fn expected(&self) -> Option<&Expect> {
        self.part()
    }

    /// The network of its `[grid]` with what flows in it, if it has one that was played.
    pub fn feeder(&self) -> Option<&SolvedNetwork> {
        self.plant.feeder.as_deref()
    }

    /// The network of its `[grid]` before its first step, if it has one that is played ahead.
    pub fn network_ahead(&self) -> Option<&Playing> {
        self.plans.grid.as_ref()?.ahead.as_deref()
    }

    /// The network of its `[grid]` as its file declares it, without what scenarios do to it.
    pub fn declared_network(&self) -> Option<&Network> {
        self.plans.grid.as_ref()?.declared.as_deref()
    }

    /// The network of its `[grid]` before its first step, if devices at its switches have it obey:
    /// then it is played while the run goes on.
    pub fn network_that_obeys(&self) -> Option<&Playing> {
        let is_used = |row: &DeviceRow| self.plant.sources[row.source].switch_name().is_some();
        self.network_ahead().filter(|_| self.devices.iter().any(is_used))
    }

    /// By injection, what it changes in a network that only steps.
    pub fn network_changes(&self) -> &[Option<GridChange>] {
        self.plans.grid.as_ref().map_or(&[], |grid| &grid.changes)
    }

    /// The test plan that it plays, if it plays one.
    pub fn test_plan(&self) -> Option<&Arc<Plan>> {
        self.plans.test_plan.as_ref()
    }

    /// The calibration that its `[calibration]` carries out, if it has one.
    pub fn calibration(&self) -> Option<&Arc<calibration::Plan>> {
        self.plans.calibration.as_ref()
    }

    /// The load of the network that a device measures, if it measures one.
    pub fn load_of(&self, device: &DeviceRow) -> Option<&str> {
        self.plant.sources.get(device.source)?.name.strip_prefix(LOAD_PREFIX)
    }

    /// The node of the network at which a source of it, a load or a switch of it, is.
    fn node_of(&self, source: &str) -> Option<&str> {
        let network = self.feeder()?.network();
        let load = source.strip_prefix(LOAD_PREFIX);
        let node = match (load, source.strip_prefix(SWITCH_PREFIX)) {
            (Some(name), _) => network.loads.iter().find(|it| &*it.name == name)?.connection.node,
            (_, Some(name)) => network.switches.iter().find(|it| &*it.name == name)?.from.node,
            _ => network.sources.iter().find(|it| &*it.name == source)?.node,
        };
        Some(&network.nodes[node.index()].name)
    }

    /// The network that its simulator plays, for the one run that takes it.
    pub fn take_live_grid(&self) -> Option<LiveGrid> {
        self.plans.grid.as_ref()?.live.as_ref()?.take()
    }

    /// What the file of its network is called, without folder and ending, if it has one.
    pub fn network_name(&self) -> Option<String> {
        let file = Path::new(self.written.single("grid")?.text("file"));
        Some(file.file_stem()?.to_string_lossy().into_owned())
    }

    /// Whose connections through a link an injection is about: devices, observers, and observers'
    /// connections for one device as `OBSERVER.DEVICE`; `None` of the devices: all of them.
    pub fn lanes(&self, link: usize, devices: Option<&[usize]>) -> Vec<String> {
        let is_meant = |device: &usize| devices.is_none_or(|devices| devices.contains(device));
        let own = self.devices.iter().enumerate();
        let own = own.filter(|(index, row)| row.via == Some(link) && is_meant(index));
        let mut lanes: Vec<String> = own.map(|(_, row)| row.name.clone()).collect();
        if devices.is_none() {
            let gateways = self.gateways.iter().filter(|row| row.via == Some(link));
            lanes.extend(gateways.map(|row| row.name.clone()));
        }
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

    /// The networks that are real lines whose devices are here and are read from the other end.
    pub fn foreign_masters(&self) -> impl Iterator<Item = usize> {
        let is_one = |network: &usize| {
            self.networks[*network].line.is_some() && self.gateway_of(*network).is_none()
        };
        (0..self.networks.len()).filter(is_one)
    }

    /// Whether a device's readings are taken to the platform by somebody who is not here.
    pub fn is_read_elsewhere(&self, device: usize) -> bool {
        let on = self.devices[device].on;
        on.is_some_and(|network| self.gateway_of(network).is_none())
    }

    /// How often whoever reads a network's devices is to poll, if anybody does.
    pub fn poll_period(&self, network: usize) -> Option<SimDuration> {
        let values = match self.gateway_of(network) {
            Some(gateway) => &gateway.values,
            None => &self.networks[network].values,
        };
        // The adapter of a simulator is not asked, but makes a reading of each meter so often.
        values.duration_opt("poll_every").or_else(|| values.duration_opt("report_every"))
    }

    /// The simulator on a network.
    pub fn simulator_on(&self, network: usize) -> Option<&SimulatorRow> {
        self.simulators.iter().find(|row| row.network == network)
    }

    /// What is waited for before a device takes part, for people.
    pub fn whom_to_wait_for(&self, device: usize) -> String {
        let row = &self.devices[device];
        let network = row.on.map(|network| &self.networks[network]);
        let broker = format!("device `{}` to connect to the platform's broker", row.name);
        match network.and_then(|network| Some((&network.name, network.line.as_ref()?))) {
            Some((name, line)) => {
                format!("somebody at the other end of network `{name}` ({line}), or {broker}")
            }
            None if network.is_some() => {
                // Those of a field begin together.
                let lines = self.devices.iter().filter(|other| other.on == row.on);
                let lines = lines.filter_map(|other| Some((&other.name, other.line.as_ref()?)));
                let somebody = lines.map(|(name, line)| {
                    format!("somebody at the other end of the line of `{name}` ({line}), or ")
                });
                somebody.collect::<String>() + &broker
            }
            None => broker,
        }
    }

    /// What the readings of a network's devices come by: its gateway, or the network itself where
    /// somebody else reads it.
    pub fn way_of(&self, network: usize) -> &str {
        let gateway = self.gateway_of(network).map(|row| row.name.as_str());
        gateway.unwrap_or(&self.networks[network].name)
    }

    /// How much later than at whole periods it begins to poll.
    pub fn poll_offset(&self, network: usize) -> SimDuration {
        let gateway = self.gateway_of(network);
        let offset = gateway.and_then(|row| row.values.duration_opt("poll_offset"));
        offset.unwrap_or(SimDuration::ZERO)
    }

    /// Whether a gateway carries the frames of a device unread.
    pub fn is_carried(&self, device: usize) -> bool {
        let network = self.devices[device].on;
        let gateway = network.and_then(|network| self.gateway_of(network));
        gateway.is_some_and(|gateway| gateway.kind.dispatcher.is_some())
    }

    pub(crate) fn gateway_of(&self, network: usize) -> Option<&GatewayRow> {
        self.gateways.iter().find(|row| row.networks.contains(&network))
    }

    /// Where a source is, as a scenario writes it: `source:NAME`, `load:NAME` or `home:NAME`.
    pub fn place_of_source(&self, source: usize) -> String {
        let name = &self.plant.sources[source].name;
        let is_whole =
            [LOAD_PREFIX, HOME_PREFIX, SWITCH_PREFIX].iter().any(|prefix| name.starts_with(prefix));
        if is_whole { name.clone() } else { format!("source:{name}") }
    }

    /// The warnings as text for people, each with its line and the marked span.
    pub fn render_warnings(&self, color: bool) -> String {
        render::human(&self.written.warnings, &self.written.texts, color)
    }

    /// One object for each warning, with the keys of a mistake.
    pub fn warnings_json(&self) -> Vec<serde_json::Value> {
        render::json(&self.written.warnings, &self.written.texts)
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
        self.build_device_with(index, None)
    }

    /// The same, of a board that has to have an image of this CRC-32 in it.
    pub fn build_device_with(&self, index: usize, image: Option<u32>) -> Option<Box<dyn Device>> {
        let row = &self.devices[index];
        let point = self.plant.sources[row.source].metering_point.as_ref()?;
        let mut diagnostics = lastmeter_params::Diagnostics::new();
        let place = DevicePlace {
            name: &row.name,
            hardware_id: row.hardware_id(),
            start: self.schedule.start,
            streams: self.streams(),
            node: self.node_of(&self.plant.sources[row.source].name),
            point,
            board: row.board.as_ref(),
            image,
        };
        build_device(row.kind, &row.values, &place, &mut diagnostics)
    }

    /// The scenario with every default and override written out: a scenario file that means the
    /// same, as long as it lies in the same folder.
    pub fn resolved_toml(&self) -> String {
        let mut text = format!("format = {FORMAT}\n");
        for (section, values) in &self.written.tables {
            append(&mut text, format_args!("\n{}\n{}", section.header(), values.to_toml()));
        }
        text
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
