//! `[grid]`: a network in the plant, what its loads draw, and what is wrong with it.
//!
//! The network belongs to its own package and the plant to another; here files are read, names are
//! looked up, and the feeder is solved for every step, so that a scenario without a solution is
//! refused before anything runs.

mod balance;
mod csv;
mod defects;
mod fields;
mod file;
mod header;
mod loads;
mod rows;
mod standard;

use std::collections::BTreeMap;
use std::sync::Arc;

use lastmeter_grid::Network;
use lastmeter_params::{Code, Diagnostics, NodeValue, Table, Values, read_table};
use lastmeter_sim::grid::{Feeder, Raster, Setup, StepFailure};
use lastmeter_sim::{Streams, Terminal};
use lastmeter_units::SimTime;

use super::draft::{Draft, References};
use super::files::Files;
use super::names::Names;
use super::read::{self, Row, Single};
use super::scenario::Source;
use super::sections::{GRID_DEFECT, GRID_LOAD};

pub(super) use balance::can_add_up;
pub(crate) use csv::turns_back;
pub(crate) use fields::{DEFECT_FIELDS, DefectKind, GRID_FIELDS, LOAD_FIELDS, Profile};
pub(crate) use rows::other_separator;

/// The kind of the sources that a network makes; no `[[source]]` can be of it.
pub(crate) const GRID_SOURCE: &str = "grid";

/// What the name of a load's source begins with, as in `at = "load:NAME"`.
pub(crate) const LOAD_PREFIX: &str = "load:";

/// Nodes times steps: so many states take some hundred megabytes.
const STATES_MAX: usize = 4_000_000;

/// `[grid]` with the tables in it.
pub(crate) struct GridTables<'a> {
    /// Its own keys.
    pub(super) own: Single<'a>,
    pub(super) loads: Vec<Row<'a, Profile>>,
    pub(super) defects: Vec<Row<'a, DefectKind>>,
}

/// What `[grid]` came to.
pub(crate) struct Grid {
    /// The names of its loads; more may be there if the network could not be read.
    pub(super) loads: Names,
    /// The names of its sources.
    pub(super) sources: Vec<String>,
    /// None after a mistake.
    pub(super) feeder: Option<Arc<Feeder>>,
    /// The texts of the files it was read from, by the names as written.
    pub(super) files: BTreeMap<String, String>,
}

/// Reads the keys of `[grid]` and its tables.
pub(super) fn tables<'a>(root: &'a Table, out: &mut Diagnostics) -> Option<GridTables<'a>> {
    let node = root.get("grid")?;
    let NodeValue::Table(table) = &node.value else {
        // Tells that it has to be a table.
        read::single(root, "grid", GRID_FIELDS, out);
        return None;
    };
    let mut own = table.clone();
    own.entries.retain(|entry| !["load", "defect"].contains(&entry.key.as_str()));
    let values = read_table(&own, node.span, GRID_FIELDS, out);
    Some(GridTables {
        own: Single { table, values: values.map(Arc::new) },
        loads: read::rows(table, &GRID_LOAD, Profile::ALL.into_iter(), Profile::entry, out),
        defects: read::rows(
            table,
            &GRID_DEFECT,
            DefectKind::ALL.into_iter(),
            DefectKind::entry,
            out,
        ),
    })
}

impl Draft<'_> {
    /// The network of the scenario, solved; `None` without a `[grid]`.
    pub(super) fn grid(&self, files: &Files<'_>, out: &mut Diagnostics) -> Option<Grid> {
        let tables = self.grid.as_ref()?;
        let mut grid = Grid {
            loads: Names::given("load", std::iter::empty(), false),
            sources: Vec::new(),
            feeder: None,
            files: BTreeMap::new(),
        };
        let Some(values) = &tables.own.values else { return Some(grid) };
        if self.suite.is_some() || self.calibration.is_some() {
            let message = "a network cannot be played beside `[suite]` or `[calibration]`";
            out.report(Code::DOES_NOT_FIT, values.span, message, "leave one of them out");
            return Some(grid);
        }
        let Some(network) = file::network(values, files, &mut grid.files, out) else {
            return Some(grid);
        };
        let names = network.loads.iter().map(|load| load.name.to_string());
        grid.loads = Names::given("load", names, true);
        grid.sources = network.sources.iter().map(|source| source.name.to_string()).collect();
        let before = out.len();
        let setup = self.setup(network, &mut grid, files, out);
        // Without what has a mistake the plant would be another one.
        let is_sound = out.len() == before
            && tables.loads.iter().all(|row| row.values.is_some())
            && tables.defects.iter().all(|row| row.values.is_some());
        if let Some((setup, start)) = setup.filter(|_| is_sound) {
            grid.feeder = solve(setup, start, values, out);
            if let Some(feeder) = &grid.feeder {
                defects::have_effect(&tables.defects, feeder, out);
            }
        }
        Some(grid)
    }

    fn setup(
        &self,
        network: Network,
        grid: &mut Grid,
        files: &Files<'_>,
        out: &mut Diagnostics,
    ) -> Option<(Setup, SimTime)> {
        let tables = self.grid.as_ref()?;
        let values = tables.own.values.as_ref()?;
        let head = self.head_values()?;
        let (start, duration) = (head.instant_opt("start")?, head.duration_opt("duration")?);
        let raster = Raster::over(start, values.duration("step"), duration);
        let states = raster.steps.saturating_mul(network.nodes.len());
        if states > STATES_MAX {
            let (steps, nodes) = (raster.steps, network.nodes.len());
            let message = format!("{steps} steps of {nodes} nodes are too much to keep");
            let label = format!("expected at most {STATES_MAX} of both multiplied");
            let help = Some("take a longer `step`, or a shorter `duration`".to_owned());
            out.report_with_help(Code::OUT_OF_RANGE, values.span_of("step"), message, label, help);
            return None;
        }
        let context = loads::Context {
            network: &network,
            loads: &grid.loads,
            raster,
            streams: Streams::new(head.integer("seed") as u64),
            files,
        };
        let powers = loads::powers(&tables.loads, &context, &mut grid.files, out);
        let defects = defects::defects(&tables.defects, &network, &grid.loads, out);
        let frequency_hz = values.si_opt("frequency").unwrap_or(network.frequency_hz);
        Some((Setup { network, frequency_hz, raster, powers, defects }, start))
    }

    /// The sources that a network makes, in the order of their places: its feeding points, then its
    /// loads. Only those have a terminal to which something is connected.
    pub(super) fn grid_sources(
        &self,
        grid: &Grid,
        references: &References,
        streams: Streams,
        out: &mut Diagnostics,
    ) -> Vec<Source> {
        let first = references.grid_from;
        let is_used = |place: usize| references.source_of_device.contains(&Some(first + place));
        let span = self.grid.as_ref().and_then(|it| it.own.values.as_ref()).map(|it| it.span);
        let mut made = Vec::with_capacity(grid.sources.len() + grid.loads.len());
        let mut make = |name: String, at: &dyn Fn(&Feeder, &str) -> Made| {
            let feeder = grid.feeder.as_ref().filter(|_| is_used(made.len()));
            let terminal = match feeder.map(|feeder| at(feeder, &name)).transpose() {
                Ok(terminal) => terminal,
                Err(error) => {
                    let message = format!("`{name}` makes no terminal: {error}");
                    out.report(
                        Code::DOES_NOT_FIT,
                        span.unwrap_or_default(),
                        message,
                        "this network",
                    );
                    None
                }
            };
            made.push(Source { name, kind: GRID_SOURCE, terminal });
        };
        for (place, name) in grid.sources.iter().enumerate() {
            let at = |feeder: &Feeder, name: &str| feeder.source_terminal(place, name, streams);
            make(name.clone(), &at);
        }
        for (place, name) in grid.loads.iter().enumerate() {
            let at = |feeder: &Feeder, name: &str| feeder.load_terminal(place, name, streams);
            make(format!("{LOAD_PREFIX}{name}"), &at);
        }
        made
    }
}

type Made = Result<Terminal, lastmeter_sim::TerminalError>;

/// Solves every step; one without a solution is told with its time, and where voltages collapse.
fn solve(
    setup: Setup,
    start: SimTime,
    values: &Values,
    out: &mut Diagnostics,
) -> Option<Arc<Feeder>> {
    let raster = setup.raster;
    match Feeder::solve(setup) {
        Ok(feeder) => Some(Arc::new(feeder)),
        Err(StepFailure { step, is_declared, why }) => {
            let at = start + raster.begin(step);
            let which = if is_declared { " of the network without its defects" } else { "" };
            let message = format!("step {}{which}, at {at}: {why}", step + 1);
            let label = "this network cannot carry what its loads draw";
            out.report(Code::DOES_NOT_FIT, values.span_of("file"), message, label);
            None
        }
    }
}
