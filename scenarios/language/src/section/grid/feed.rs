//! From the tables of `[grid]` to a network that can be played, and to the sources it makes.
//!
//! The network belongs to its own package and the plant to another; here files are read and names
//! are looked up. Nothing is solved: that is for the plant step (`lastmeter-bench`).

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use lastmeter_grid::Network;
use lastmeter_grid::motion::{MotionError, NetworkAction};
use lastmeter_params::{Code, Diagnostics, NodeValue, Pattern, Table, Values};
use lastmeter_reports::check::PlannedNetwork;
use lastmeter_sim::grid::{
    DynamicNetworkSetup, GridChange, LiveGrid, LivePoint, NetworkFailure, Playing, Raster, Setup,
    StepFailure, phases_of, silent_terminal,
};
use lastmeter_sim::{MeteringPoint, Streams};
use lastmeter_units::SimDuration;

use super::defects::GRID_DEFECT;
use super::fields::{GRID, GRID_LOAD};
use super::injected::Injected;
use super::protection::GRID_PROTECTION;
use super::recorder::GRID_RECORDER;
use super::saturation::GRID_SATURATION;
use super::{defects, file, inputs, loads, motion, pickup, switches};
use crate::draft::{Draft, Row, Section};
use crate::files::Files;
use crate::names::{LOAD_PREFIX, Names, SOURCE_PREFIX, SWITCH_PREFIX};
use crate::references::References;
use crate::section::SECTIONS;
use crate::section::calibration::CALIBRATION;
use crate::section::device::DEVICE;
use crate::section::scenario::{Head, head};
use crate::section::source::{GRID_SOURCE, Source};
use crate::section::test_plan::TEST_PLAN;

/// Nodes times steps: so many states take some hundred megabytes.
const STATES_MAX: usize = 4_000_000;

#[derive(Clone, Default)]
pub(crate) struct Grid {
    /// The names of its loads; more may be there if the network could not be read.
    pub(crate) loads: Names,
    pub(crate) sources: Vec<String>,
    /// The names of its switches, likewise.
    pub(crate) switches: Names,
    /// The network as its file declares it, before anything is done to it.
    pub(crate) declared: Option<Arc<Network>>,
    /// By injection, what it changes in the network; none of the others, and after a mistake.
    pub(crate) changes: Vec<Option<GridChange>>,
    /// The network that is played ahead, before its first step; none after a mistake, and where a
    /// simulator plays it.
    pub(crate) ahead: Option<Arc<Playing>>,
    /// What a simulator plays; none after a mistake, and where there is none.
    pub(crate) live: Option<LiveNetwork>,
    /// The texts of the files it was read from, by the names as written.
    pub(crate) files: BTreeMap<String, String>,
}

impl Grid {
    /// The sources that it makes by their names: its feeding points, then its loads.
    fn places(&self) -> impl Iterator<Item = String> {
        let loads = self.loads.iter().map(|name| format!("{LOAD_PREFIX}{name}"));
        self.sources.iter().cloned().chain(loads)
    }
}

/// A network that is solved as the run goes.
#[derive(Clone)]
pub(crate) struct LiveNetwork {
    pub(crate) network: Arc<Network>,
    /// The names of its protective devices and faults; none of a network that only steps.
    pub(crate) moving: Option<Vec<String>>,
    /// What is at the places where a device is, by their place among the sources of the network.
    points: BTreeMap<usize, LivePoint>,
    /// For the run that takes it.
    grid: Arc<Mutex<Option<LiveGrid>>>,
}

impl LiveNetwork {
    fn new(setup: Setup, wanted: Option<&DynamicNetworkSetup>) -> Result<Self, MotionError> {
        let network = Arc::new(setup.network.clone());
        let mut grid = match wanted {
            Some(wanted) => LiveGrid::in_motion(setup, wanted)?,
            None => LiveGrid::new(setup),
        };
        let sources = network.sources.len();
        let at_source = (0..sources).filter_map(|place| Some((place, grid.live_source(place)?)));
        let mut points: BTreeMap<usize, LivePoint> = at_source.collect();
        let at_load = (0..network.loads.len())
            .filter_map(|load| Some((sources + load, grid.live_load(load)?)));
        points.extend(at_load);
        let moving = wanted.map(|wanted| {
            let faults = wanted.events.iter().filter_map(|event| match &event.what {
                NetworkAction::Fault(fault) => Some(fault.name.to_string()),
                _ => None,
            });
            wanted.protectors.iter().map(|it| it.name.to_string()).chain(faults).collect()
        });
        Ok(Self { network, points, moving, grid: Arc::new(Mutex::new(Some(grid))) })
    }

    /// The network for a run, which one run only gets.
    pub(crate) fn take(&self) -> Option<LiveGrid> {
        self.grid.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

/// The network of the scenario, ready to be played; `None` without a `[grid]`.
pub(crate) fn grid(
    draft: &Draft<'_>,
    injected: &Injected<'_>,
    files: &Files<'_>,
    out: &mut Diagnostics,
) -> Option<Grid> {
    let section = draft.single(&GRID)?;
    let loads = Names::given("load", std::iter::empty(), false);
    let switches = Names::given("switch", std::iter::empty(), false);
    let mut grid = Grid { loads, switches, ..Grid::default() };
    let Some(values) = &section.values else { return Some(grid) };
    if draft.single(&TEST_PLAN).is_some() || draft.single(&CALIBRATION).is_some() {
        let message = "a network cannot be played beside `[test_plan]` or `[calibration]`";
        out.report(Code::DOES_NOT_FIT, values.span, message, "leave one of them out");
        return Some(grid);
    }
    let Some(network) = file::network(values, files, &mut grid.files, out) else {
        return Some(grid);
    };
    let names = network.loads.iter().map(|load| load.name.to_string());
    grid.loads = Names::given("load", names, true);
    grid.switches = switches::names(&network);
    grid.declared = Some(Arc::new(network.clone()));
    grid.sources = network.sources.iter().map(|source| source.name.to_string()).collect();
    let before = out.len();
    let setup = setup((draft, injected), network, &mut grid, files, out);
    // Without what has a mistake the plant would be another one.
    let is_sound = out.len() == before && is_read(draft, injected);
    if let Some((setup, wanted)) = setup.filter(|_| is_sound) {
        let raster = setup.raster;
        if injected.by_simulator {
            report_defects_at_simulator(&setup, draft.rows(&GRID_DEFECT), out);
            if let Some(wanted) = &wanted {
                motion::report_unplayable_here((values, wanted), injected, draft, out);
            }
            let why = "is about loads that a simulator gives their powers";
            pickup::report_idle_pickup(draft.rows(&GRID_LOAD), why, "leave it out", out);
            match LiveNetwork::new(setup, wanted.as_ref()) {
                Ok(live) => grid.live = Some(live),
                Err(why) => {
                    let failure = NetworkFailure::Motion { at: SimDuration::ZERO, why };
                    report_unplayable(&failure, &raster, values, out);
                }
            }
            return Some(grid);
        }
        match Playing::new(setup, wanted) {
            Ok(playing) => grid.ahead = Some(Arc::new(playing)),
            Err(failure) => report_unplayable(&failure, &raster, values, out),
        }
    }
    Some(grid)
}

/// Whether all that is done in the network was read without a mistake.
fn is_read(draft: &Draft<'_>, injected: &Injected<'_>) -> bool {
    let into_network = injected.rows.iter().filter(|row| (injected.kind_of)(row).is_some());
    let sections = [&GRID_LOAD, &GRID_DEFECT, &GRID_PROTECTION, &GRID_RECORDER, &GRID_SATURATION];
    let rows = sections.into_iter().flat_map(|section| draft.rows(section));
    rows.chain(into_network).all(|row| row.values.is_some())
}

fn setup(
    (draft, injected): (&Draft<'_>, &Injected<'_>),
    mut network: Network,
    grid: &mut Grid,
    files: &Files<'_>,
    out: &mut Diagnostics,
) -> Option<(Setup, Option<DynamicNetworkSetup>)> {
    let values = draft.values(&GRID)?;
    let Head { start, duration, seed, .. } = head(draft)?;
    let duration = duration?;
    let raster = Raster::over(start, values.duration("step"), duration);
    let states = raster.steps.saturating_mul(network.nodes.len());
    if states > STATES_MAX {
        let (steps, nodes) = (raster.steps, network.nodes.len());
        let message = format!("{steps} steps of {nodes} nodes are more than can be kept");
        let label = format!("expected at most {STATES_MAX} of both multiplied");
        let help = Some("take a longer `step`, or a shorter `duration`".to_owned());
        out.report_with_help(Code::OUT_OF_RANGE, values.span_of("step"), message, label, help);
        return None;
    }
    let context = loads::Context {
        network: &network,
        loads: &grid.loads,
        raster,
        streams: Streams::new(seed),
        files,
    };
    let powers = loads::powers(draft.rows(&GRID_LOAD), &context, &mut grid.files, out);
    let pickups = pickup::pickups(draft.rows(&GRID_LOAD), &grid.loads, network.loads.len(), out);
    let defects = defects::defects(draft.rows(&GRID_DEFECT), &network, &grid.loads, out);
    let frequency_hz = values.si_opt("frequency").unwrap_or(network.frequency_hz);
    motion::doubt_idle_keys(values, injected.by_simulator, out);
    if let Some(at) = values.duration_opt("dark_at").filter(|at| *at > duration) {
        let message = format!("`dark_at` is {at}, when the scenario is over");
        let label = format!("the duration is {duration}");
        out.report(Code::OUTSIDE_SCENARIO, values.span_of("dark_at"), message, label);
    }
    let wanted = motion::resolution(values).map(|resolution| {
        // The waves have that frequency.
        network.frequency_hz = frequency_hz;
        motion::doubt_step(values, resolution, &network, out);
        let network = (&mut network, &grid.loads, Streams::new(seed));
        let mut wanted = motion::motion((draft, injected), (values, resolution), network, out);
        wanted.metered = metered(draft.rows(&DEVICE), grid);
        wanted.pickups = pickups;
        wanted
    });
    if wanted.is_none() {
        motion::report_injections_between_steps(injected, out);
        let why = "follows an outage, which happens between the steps of the network";
        let help = "write `resolution = \"waveforms\"` (or `\"phasors\"`) under `[grid]`";
        pickup::report_idle_pickup(draft.rows(&GRID_LOAD), why, help, out);
        let between = [&GRID_PROTECTION, &GRID_RECORDER, &GRID_SATURATION];
        if let Some(first) = between.into_iter().find_map(|section| draft.rows(section).first()) {
            let message = "protective devices and recorders act between the steps of the network, \
                           and iron saturates there";
            let help = "write `resolution = \"waveforms\"` (or `\"phasors\"`) under `[grid]`";
            let (code, label) = (Code::DOES_NOT_FIT, "not in a network that only steps");
            out.report_with_help(code, first.span, message, label, Some(help.to_owned()));
        }
        grid.changes = inputs::inputs(injected, &network, &grid.loads, &raster, out);
    }
    let changes = grid.changes.iter().flatten().copied().collect();
    Some((Setup { network, frequency_hz, raster, powers, defects, changes }, wanted))
}

/// Of each source of a network, then of each load, whether a device may be at it.
fn metered(devices: &[Row<'_>], grid: &Grid) -> Vec<bool> {
    let at: Option<Vec<Pattern>> =
        devices.iter().map(|row| Some(Pattern::new(row.text("at")?.0))).collect();
    // A device that does not name its place may be anywhere.
    let Some(at) = at else { return Vec::new() };
    let is_at = |name: &str| at.iter().any(|at| at.matches(name));
    let is_metered =
        |name: String| is_at(&name) || is_at(&format!("{}{name}", inputs::SOURCE_PREFIX));
    grid.places().map(is_metered).collect()
}

/// What checks know of the network, as far as it could be read. What acts in one that is
/// played ahead shows when it is.
pub(crate) fn planned_network(grid: &Grid) -> PlannedNetwork {
    let (ahead, live) = (grid.ahead.as_deref(), grid.live.as_ref());
    let elements = live.map(|live| {
        let switches = live.network.switches.iter().map(|it| format!("switch:{}", it.name));
        live.moving.iter().flatten().cloned().chain(switches).collect()
    });
    let motion = ahead.map(Playing::motion);
    PlannedNetwork {
        is_in_motion: motion
            .map(|motion| motion.is_some())
            .or_else(|| live.map(|live| live.moving.is_some())),
        is_simulated: live.is_some(),
        has_planned_outages: motion.flatten().is_none_or(|motion| !motion.planned.is_empty()),
        elements,
    }
}

/// The sources, loads and switches of the network, with their prefixes; none of one that cannot be
/// read, which is reported when it is.
pub(crate) fn places(root: &Table, files: &Files<'_>) -> Vec<String> {
    static ALONE: &[&Section] = &[&GRID];
    let mut unread = Diagnostics::new();
    let Some(entry) = root.entries.iter().find(|entry| entry.key == GRID.name) else {
        return Vec::new();
    };
    let mut grid = entry.clone();
    if let NodeValue::Table(table) = &mut grid.node.value {
        // Its loads, defects and the like are sections of their own.
        let within: Vec<&str> = SECTIONS
            .iter()
            .filter_map(|section| section.within())
            .filter(|(outer, _)| *outer == GRID.name)
            .map(|(_, key)| key)
            .collect();
        table.entries.retain(|entry| !within.contains(&entry.key.as_str()));
    }
    let root = Table { entries: vec![grid], ..Table::default() };
    let draft = crate::read::draft(&root, ALONE, &mut unread);
    let values = draft.values(&GRID);
    let network =
        values.and_then(|values| file::network(values, files, &mut BTreeMap::new(), &mut unread));
    let Some(network) = network else { return Vec::new() };
    let sources = network.sources.iter().map(|source| format!("{SOURCE_PREFIX}{}", source.name));
    let loads = network.loads.iter().map(|load| format!("{LOAD_PREFIX}{}", load.name));
    let switches = network.switches.iter().map(|it| format!("{SWITCH_PREFIX}{}", it.name));
    sources.chain(loads).chain(switches).collect()
}

/// The sources that a network makes, in the order of their places: its feeding points, then its
/// loads; and what stands in for their metering points until the network is played. Only those have
/// one to which something is connected.
pub(crate) fn grid_sources(
    grid: &Grid,
    references: &References,
    streams: Streams,
) -> (Vec<Source>, Vec<Option<MeteringPoint>>) {
    let first = references.grid_from;
    let is_used = |place: usize| references.source_of_device.contains(&Some(first + place));
    let source = |(place, name)| {
        let live = grid.live.as_ref().and_then(|live| live.points.get(&place));
        let point = live.filter(|_| is_used(place)).map(|live| MeteringPoint::Live(live.clone()));
        let ahead = grid.ahead.as_deref().filter(|_| is_used(place));
        let stands_in = point.clone().or_else(|| stand_in(ahead?, place, streams));
        (Source::new(name, GRID_SOURCE, point), stands_in)
    };
    grid.places().enumerate().map(source).unzip()
}

/// A metering point like the one at a place of a network that is not played yet.
fn stand_in(network: &Playing, place: usize, streams: Streams) -> Option<MeteringPoint> {
    let Network { sources, loads, frequency_hz, .. } = network.network();
    let load = place.checked_sub(sources.len()).and_then(|load| loads.get(load));
    let phases = load.map_or(3, phases_of);
    silent_terminal(phases, *frequency_hz, streams).ok().map(Into::into)
}

/// What a simulator sends has no meter in front of which a current could be led past.
fn report_defects_at_simulator(setup: &Setup, defects: &[Row<'_>], out: &mut Diagnostics) {
    if let Some(first) = defects.first().filter(|_| !setup.defects.is_empty()) {
        let message = "a network that a simulator plays has no defects";
        out.report(Code::DOES_NOT_FIT, first.span, message, "leave it out");
    }
}

/// Reports why a network cannot be played; a step without a solution with its time, and where
/// voltages collapse.
pub fn report_unplayable(
    failure: &NetworkFailure,
    raster: &Raster,
    values: &Values,
    out: &mut Diagnostics,
) {
    let file = values.span_of("file");
    match failure {
        NetworkFailure::Waveforms { at } => {
            let at = raster.start + *at;
            let message = format!("waveform memory limit (4 GiB) reached at t = {at}");
            let label = "expected fewer waveforms of meters and recorders";
            let help =
                "write `resolution = \"phasors\"`, a longer `waveform_step`, or meter fewer \
                        places; and play less that is switched"
                    .to_owned();
            let span = values.span_of("waveform_step");
            out.report_with_help(Code::OUT_OF_RANGE, span, message, label, Some(help));
        }
        NetworkFailure::Motion { at, why } => {
            let message = format!("at {}: {why}", raster.start + *at);
            out.report(Code::DOES_NOT_FIT, file, message, "this network cannot be played");
        }
        NetworkFailure::Step(StepFailure { step, is_declared, why }) => {
            let at = raster.start + raster.begin(*step);
            let which = if *is_declared { " of the network without its defects" } else { "" };
            let message = format!("step {}{which}, at {at}: {why}", step + 1);
            let label = "this network cannot carry what its loads draw";
            out.report(Code::DOES_NOT_FIT, file, message, label);
        }
    }
}
