//! Calls the constructors of what a scenario is made of, and holds the checks against it.
//!
//! Whatever has a mistake so far is left out, and nothing is reported about what depends on it.

use std::collections::BTreeMap;

use lastmeter_devices::Device;
use lastmeter_link::impair::{self, LinkSpec};
use lastmeter_params::{Code, Diagnostics, Pattern, Table, Values, measurement_help};
use lastmeter_plans::standard::{Plan, TEST_PLAN_FILE_PREFIX, TRANSDUCER_FILE};
use lastmeter_reports::check::{Needs, PlannedBench};
use lastmeter_reports::{CHECKS, CheckContext, CheckKind};
use lastmeter_sim::{INJECTIONS, InjectionKind, MeteringPoint, Streams};
use lastmeter_units::{MEASUREMENTS, MeasurementId, Quantity, SimDuration};
use lastmeter_wire::commands::{Effect, find};

use super::draft::{Draft, Reported, Row};
use super::emulation::missing_for_boards;
use super::files::Files;
use super::judging::{self, Breakage, Claim, Planned, PlannedDevice};
use super::names::full_name;
use super::read::table_at;
use super::references::{References, Target, Via};
use super::scenario::Plans;
use super::section::application;
use super::section::board::{self, Boards};
use super::section::calibration::{self, CALIBRATION};
use super::section::check::{self, CHECK};
use super::section::device::{self, DEVICE, DevicePlace, build_device};
use super::section::expect::EXPECT;
use super::section::gateway::{self, GATEWAY};
use super::section::grid;
use super::section::home;
use super::section::inject::{self, INJECT, PlacedDevice};
use super::section::link::LINK;
use super::section::network::NETWORK;
use super::section::scenario::{SCENARIO, head, is_in_real_time};
use super::section::signal::{self, SIGNAL};
use super::section::simulator::{self, SimulatorRow};
use super::section::source::{self, SOURCE, Source, SourcePlace, build_source};
use super::section::test_plan::{self, TEST_PLAN};
use super::warnings;

/// The device model and the kind of check that are programs of others.
const EXTERNAL: &str = "external";

/// Requirement tables stand in `run.json`, and are written by hand.
const TABLE_BYTES_MAX: usize = 1 << 20;

/// What the parts of the bench turned out to be.
pub(super) struct Parts {
    pub(super) points: Vec<Option<MeteringPoint>>,
    /// What a network makes, then feed-ins and sockets of homes.
    pub(super) places: Vec<Source>,
    pub(super) links: Vec<Option<LinkSpec>>,
    pub(super) simulators: Vec<SimulatorRow>,
    /// The boards that devices are.
    pub(super) boards: Boards,
    /// The texts of the files that checks name.
    pub(super) files: BTreeMap<String, String>,
    pub(super) unavailable: Option<String>,
}

/// By table: of devices that one table makes the first stands for all, since they differ in
/// nothing but the name.
type Devices = Vec<Option<Box<dyn Device>>>;

impl Draft<'_> {
    /// Makes everything that has no mistake so far.
    pub(super) fn build(
        &self,
        references: &References,
        (files, plans): (&Files<'_>, &Plans),
        out: &mut Diagnostics,
    ) -> Parts {
        let head = head(self);
        let streams = Streams::new(head.map_or(0, |head| head.seed));
        let mut unavailable = None;
        let mut points = self.written_points(references, (streams, files), &mut unavailable, out);
        let test_plan = self.values(&TEST_PLAN);
        let plan = plans.test_plan.as_ref();
        if self.single(&TEST_PLAN).is_some() {
            let both = plan.zip(test_plan);
            let played =
                both.and_then(|(plan, values)| test_plan::terminal(plan, values, streams, out));
            points.push(played.map(Into::into));
        } else if self.single(&CALIBRATION).is_some() {
            let both = plans.calibration.as_ref().zip(self.values(&CALIBRATION));
            let played =
                both.and_then(|(plan, values)| calibration::terminal(plan, values, streams, out));
            points.push(played.map(Into::into));
        }
        let grid = plans.grid.as_ref();
        let of_grid = grid.map(|grid| grid::grid_sources(grid, references, streams));
        let (of_grid, stand_ins) = of_grid.unwrap_or_default();
        let of_homes = home::homes(self, (&mut points, plans), streams, out);
        let at_switches = grid::switch_places(self, (grid, references), out);
        let written = points.len();
        points.extend(stand_ins);
        points.extend(of_homes.iter().map(|place| place.metering_point.clone()));
        points.extend(at_switches.iter().map(|place| place.metering_point.clone()));
        self.validate_phases(references, &points, out);
        let mut files_of_boards = BTreeMap::new();
        let boards = board::boards(self.rows(&DEVICE), files, &mut files_of_boards, out);
        if let Some(missing) = self.missing_for_boards(&boards) {
            unavailable.get_or_insert(missing);
        }
        let devices = self.build_devices(references, (&points, &boards), streams, out);
        self.validate_signals(references, (&points, &devices), out);
        let start = head.map(|head| head.start).unwrap_or_default();
        gateway::files_of_gateways(self, files, &mut files_of_boards, out);
        let from = (streams, start, &files_of_boards);
        gateway::report_unfit(self, references, &devices, from, out);
        self.warn(references, (&points, &devices), plans, out);
        points.truncate(written); // stand-ins are for validation; the plant is played later
        self.validate_targets(references, &devices, out);
        if !of_homes.is_empty() {
            home::report_late_breakers(self, references, &devices, out);
        }
        self.validate_pulse_constant(plans, &devices, out);
        let links = self.rows(&LINK).iter();
        let links = links.map(|row| impair::read_link(row.values.as_ref()?, out)).collect();
        let read_from = files;
        let mut files = self.files_of_checks(files, out);
        files.extend(files_of_boards);
        if let Some((plan, values)) = plan.zip(test_plan) {
            let name = format!("{TEST_PLAN_FILE_PREFIX}{}", values.text("standard"));
            files.insert(name, plan.test_plan.text.clone());
            files.extend(self.transducer(plan));
        }
        files.extend(grid.iter().flat_map(|grid| grid.files.clone()));
        simulator::maps_of_gateways(self, read_from, &mut files, out);
        let about = (grid, references);
        let simulators = simulator::simulators(self, about, read_from, &mut files, out);
        application::report_unfit(self, (grid, &simulators), references, out);
        self.validate_checks(references, &devices, (&files, plans), out);
        Parts {
            points,
            places: [of_grid, of_homes, at_switches].concat(),
            links,
            simulators,
            boards,
            files,
            unavailable,
        }
    }

    /// The sources that are written.
    fn written_points(
        &self,
        references: &References,
        (streams, files): (Streams, &Files<'_>),
        unavailable: &mut Option<String>,
        out: &mut Diagnostics,
    ) -> Vec<Option<MeteringPoint>> {
        let head = head(self);
        self.rows(&SOURCE)
            .iter()
            .enumerate()
            .map(|(source, row)| {
                let place = SourcePlace {
                    streams,
                    start: head.map(|head| head.start).unwrap_or_default(),
                    duration: head.and_then(|head| head.duration),
                    injections: self.injections_into(source, references),
                    files,
                };
                let (kind, values) = (source::kind_of(row)?, row.values.as_ref()?);
                build_source(kind, values, &place, unavailable, out)
            })
            .collect()
    }

    /// What this machine lacks for the boards that are emulated.
    fn missing_for_boards(&self, boards: &Boards) -> Option<String> {
        let rows = self.rows(&DEVICE).iter();
        let rows: Vec<_> = rows.filter_map(|row| device::board_of(row, boards)).collect();
        missing_for_boards(rows.iter())
    }

    /// The injections into a source that have no mistake of their own.
    fn injections_into(
        &self,
        source: usize,
        references: &References,
    ) -> Vec<(&'static InjectionKind, &Values)> {
        let about = self.rows(&INJECT).iter().zip(&references.target_of_injection);
        let about = about.filter(|(_, target)| *target == &Some(Target::Source(source)));
        let into = about.filter_map(|(row, _)| {
            Some((row.kind_of(INJECTIONS, |kind| &kind.entry)?, row.values.as_deref()?))
        });
        into.collect()
    }

    /// The devices that one table makes are alike, so are the places where they are connected.
    fn validate_phases(
        &self,
        references: &References,
        points: &[Option<MeteringPoint>],
        out: &mut Diagnostics,
    ) {
        let phases =
            |source: Option<usize>| Some(points.get(source?)?.as_ref()?.terminal()?.phases());
        for (table, (row, first)) in
            self.rows(&DEVICE).iter().zip(&references.source_of_table).enumerate()
        {
            let own = references.devices.iter().zip(&references.source_of_device);
            let mut others = own.filter(|((_, of), _)| *of == table);
            let other = others.find(|(_, source)| phases(**source) != phases(*first));
            if let (Some(((name, _), _)), Some((_, span))) = (other, row.text("at")) {
                let message = "some of these places have one phase, others three".to_owned();
                let label = format!("`{name}` differs from the first");
                let help = "write a table for those of one phase and one for the others".to_owned();
                out.report_with_help(Code::DOES_NOT_FIT, span, message, label, Some(help));
            }
        }
    }

    /// What a signal records is there to be recorded.
    fn validate_signals(
        &self,
        references: &References,
        (points, devices): (&[Option<MeteringPoint>], &Devices),
        out: &mut Diagnostics,
    ) {
        for (row, place) in self.rows(&SIGNAL).iter().zip(&references.signals) {
            let point = place.source.and_then(|source| points.get(source)?.as_ref());
            if let Some(point) = point {
                signal::report_missing_truth(row, point, out);
            }
            let device = place.device.and_then(|device| references.devices.get(device));
            let Some((name, table)) = device else { continue };
            let device = devices.get(*table).and_then(|device| device.as_ref());
            if let (Some(device), Some(quantity)) = (device, row.text("quantity")) {
                signal::report_unmeasured(quantity, name, device.quantities(), out);
            }
        }
    }

    fn build_devices(
        &self,
        references: &References,
        (points, boards): (&[Option<MeteringPoint>], &Boards),
        streams: Streams,
        out: &mut Diagnostics,
    ) -> Devices {
        let start = head(self).map(|head| head.start).unwrap_or_default();
        let device = |(table, (row, source)): (usize, (&Row<'_>, &Option<usize>))| {
            let source = (*source)?;
            // The first one's name, from which it may have a number.
            let name = &references.devices.iter().find(|(_, of)| *of == table)?.0;
            let point = points.get(source)?.as_ref();
            let written = self.rows(&SOURCE).get(source);
            if let Some(point) = point {
                device::is_of_its_domain(row, point, out)?;
                grid::is_at_its_place(row, point, out)?;
            }
            let terminal = point.and_then(MeteringPoint::terminal);
            device::has_spectrum_to_work_on(row, written, terminal, out)?;
            let point = point?;
            let board = device::board_of(row, boards);
            if board.is_none() && board::way_of(row).is_some() {
                // Its file has a mistake.
                return None;
            }
            let board = board.as_ref();
            let (hardware_id, node, image) = (name.as_str(), None, None);
            let place =
                DevicePlace { name, hardware_id, start, streams, node, point, board, image };
            build_device(device::kind_of(row)?, row.values.as_ref()?, &place, out)
        };
        let tables = self.rows(&DEVICE).iter().zip(&references.source_of_table);
        tables.enumerate().map(device).collect()
    }

    /// What is odd about the devices and what they are connected to.
    fn warn(
        &self,
        references: &References,
        (points, devices): (&[Option<MeteringPoint>], &Devices),
        plans: &Plans,
        out: &mut Diagnostics,
    ) {
        warnings::warn_no_devices(self, out);
        let planned = plans.duration();
        let duration = planned.or_else(|| head(self)?.duration);
        let tables = self.rows(&DEVICE).iter().zip(devices).zip(&references.source_of_table);
        self.warn_of_commands(references, devices, duration, out);
        for (table, ((row, device), source)) in tables.enumerate() {
            if let (Some(device), Some(duration)) = (device, duration) {
                warnings::warn_no_readings(row, device.as_ref(), duration, out);
            }
            if let Some(device) = device {
                let is_judged = |id| self.is_judged(references, table, id);
                warnings::warn_unjudged(row, device.as_ref(), is_judged, out);
            }
            let terminal = source.and_then(|source| points.get(source)?.as_ref()?.terminal());
            // A plan plays what its tests ask for.
            let terminal = terminal.filter(|_| planned.is_none());
            if let (Some(terminal), Some(values)) = (terminal, &row.values) {
                warnings::warn_off_rated_voltage(values, terminal, out);
            }
        }
    }

    /// Whether a check, or a signal for one, is about a quantity of the devices of a table.
    fn is_judged(&self, references: &References, table: usize, id: MeasurementId) -> bool {
        let fits = |row: &Row<'_>| {
            row.text("quantity").is_some_and(|(text, _)| Pattern::new(text).matches(id.name()))
        };
        let is_of = |of: &[usize]| {
            of.iter().any(|&device| references.devices.get(device).is_some_and(|it| it.1 == table))
        };
        let by_plan =
            |row: &Row<'_>| check::kind_of(row).is_some_and(|kind| kind.needs != Needs::Nothing);
        let mut checks = self.rows(&CHECK).iter().zip(&references.devices_of_check);
        let name = self.rows(&DEVICE).get(table).and_then(full_name);
        let is_signal =
            |row: &Row<'_>| row.text("of").map(|(of, _)| of) == name.as_deref() && fits(row);
        // A twin leaves checks out, and is not what anybody relies on.
        self.single(&EXPECT).is_some()
            || checks.any(|(row, of)| by_plan(row) || fits(row) && is_of(of))
            || self.rows(&SIGNAL).iter().any(is_signal)
    }

    /// A command that is judged by its answer has readings behind it.
    fn warn_of_commands(
        &self,
        references: &References,
        devices: &Devices,
        duration: Option<SimDuration>,
        out: &mut Diagnostics,
    ) {
        let planned = self.planned_devices(references, devices);
        let checks = || self.rows(&CHECK).iter().zip(&references.devices_of_check);
        let is_judged = |device: &usize| {
            checks().any(|(row, of)| {
                check::kind_of(row).is_some_and(|kind| kind.entry.name == "command_ack")
                    && of.contains(device)
            })
        };
        for (row, _, device) in self.given_commands(references) {
            let is_refused = row.values.as_ref().is_some_and(|values| values.boolean("refused"));
            if let (Some(duration), Some(PlannedDevice { name, period: Some(period), .. }), true) =
                (duration, planned.get(device), !is_refused && is_judged(&device))
            {
                warnings::warn_unseen_command(row, (name, *period), duration, out);
            }
        }
    }

    /// A meter whose pulses are reported has the constant that the test plan counts by.
    fn validate_pulse_constant(&self, plans: &Plans, devices: &Devices, out: &mut Diagnostics) {
        let values = self.values(&TEST_PLAN);
        let (Some(plan), Some(values)) = (&plans.test_plan, values) else { return };
        let is_tested = |row: &&Row<'_>| row.name() == Some(plan.claim.device.as_str());
        let mut tables = self.rows(&DEVICE).iter().zip(devices);
        let Some((_, Some(device))) = tables.find(|(row, _)| is_tested(row)) else { return };
        let is_pulses = |id: &MeasurementId| {
            matches!(id.row().quantity, Quantity::ActivePulses | Quantity::ReactivePulses)
        };
        let Some(electricity) = device.electricity() else { return };
        let (nameplate, counted) = (electricity.pulse_constant, plan.claim.pulse_constant);
        if nameplate == counted || !device.quantities().iter().any(is_pulses) {
            return;
        }
        let message = format!(
            "the test plan counts {counted} pulses per kWh, the meter's nameplate states {nameplate}"
        );
        let help = "write the same `pulse_constant` under `[test_plan]` and in the device's table";
        let label = "another constant than the meter's";
        let span = values.span_of("pulse_constant");
        out.report_with_help(Code::DOES_NOT_FIT, span, message, label, Some(help.to_owned()));
    }

    /// Looks whether each fault and command could reach the devices it is for.
    fn validate_targets(&self, references: &References, devices: &Devices, out: &mut Diagnostics) {
        let in_real_time = is_in_real_time(self);
        for (row, target) in self.rows(&INJECT).iter().zip(&references.target_of_injection) {
            let (Some(kind), Some(Target::Device(device))) = (inject::kind_of(row), target) else {
                continue;
            };
            let Some((_, table)) = references.devices.get(*device) else { continue };
            let device = devices.get(*table).and_then(|device| device.as_deref());
            let table = &self.rows(&DEVICE)[*table];
            kind.validate_target(row, &PlacedDevice { table, device, in_real_time }, out);
        }
    }

    /// What the publication's transducer is like, where its meter is held against its figures.
    fn transducer(&self, plan: &Plan) -> Option<(String, String)> {
        if plan.test_plan.published.is_empty() {
            return None;
        }
        let mut rows = self.rows(&DEVICE).iter();
        let row = rows.find(|row| row.name() == Some(&*plan.claim.device))?;
        let csv = device::kind_of(row)?.transducer?(row.values.as_ref()?);
        Some((TRANSDUCER_FILE.to_owned(), csv))
    }

    /// The texts of the files that checks name; empty if refused, absent if not to be read, which
    /// the check itself reports.
    fn files_of_checks(
        &self,
        files: &Files<'_>,
        out: &mut Diagnostics,
    ) -> BTreeMap<String, String> {
        let mut texts = BTreeMap::new();
        for (name, span) in self.rows(&CHECK).iter().filter_map(|row| row.text("requirements")) {
            let Ok(bytes) = files.read(name) else { continue };
            let text = if (1..=TABLE_BYTES_MAX).contains(&bytes.len()) {
                String::from_utf8_lossy(&bytes).into_owned()
            } else {
                let message = format!("`{name}` is refused: it is empty, or larger than 1 MiB");
                out.report(Code::FILE_REFUSED, span, message, "expected a requirement table");
                String::new()
            };
            texts.insert(name.to_owned(), text);
        }
        texts.extend(self.programs(files, out));
        texts
    }

    /// The texts of programs that devices and checks name: what ran is kept with the run.
    fn programs(&self, files: &Files<'_>, out: &mut Diagnostics) -> BTreeMap<String, String> {
        let rows = self.rows(&DEVICE).iter().chain(self.rows(&CHECK));
        let named = rows.filter(|row| row.kind == Some(EXTERNAL));
        let mut texts = BTreeMap::new();
        for (name, span) in named.filter_map(|row| row.text("program")) {
            let read = files.read(name);
            match read.map(String::from_utf8) {
                Ok(Ok(text)) if text.len() <= TABLE_BYTES_MAX => {
                    texts.insert(name.to_owned(), text);
                }
                Ok(_) => {
                    let message = format!("`{name}` is no text, or larger than 1 MiB");
                    out.report(Code::FILE_REFUSED, span, message, "expected a program's text");
                }
                Err(error) => {
                    let message = format!("`{name}` cannot be read: {error}");
                    let (code, help) = (Code::FILE_UNREADABLE, files.near(name));
                    out.report_with_help(code, span, message, "expected a program", help);
                }
            }
        }
        texts
    }

    /// Makes each check, and looks whether it could end in a verdict on this bench.
    fn validate_checks(
        &self,
        references: &References,
        devices: &Devices,
        (files, plans): (&BTreeMap<String, String>, &Plans),
        out: &mut Diagnostics,
    ) {
        let scenario = self.values(&SCENARIO).map_or("", |head| head.text("name"));
        let about = CheckContext {
            scenario: scenario.to_owned(),
            files: files.clone(),
            plan: plans.test_plan.clone(),
            calibration: plans.calibration.clone(),
            ..CheckContext::default()
        };
        let duration = plans.duration();
        let written = || self.values(&SCENARIO).and_then(|head| head.duration_opt("duration"));
        let duration = duration.or_else(written);
        let planned_devices = self.planned_devices(references, devices);
        self.validate_spans(references, &planned_devices, out);
        let planned = self.planned(references, plans.duration(), &planned_devices);
        let network = plans.grid.as_ref().map(grid::planned_network);
        let network = network.as_ref();
        for (row, of) in self.rows(&CHECK).iter().zip(&references.devices_of_check) {
            let (Some(kind), Some(values)) = (check::kind_of(row), &row.values) else { continue };
            let file = row.text("requirements").and_then(|(name, _)| files.get(name));
            if file.is_some_and(String::is_empty) {
                continue;
            }
            // Without its plan, which has a mistake then, nothing can be reported of it.
            if self.is_without(kind.needs, plans) {
                continue;
            }
            let mistakes = out.len();
            // Only to see whether it can be made; its verdict is for the judge of the record.
            let check = (kind.build)(values, about.of(values), out);
            if out.len() > mistakes {
                continue;
            }
            if kind.is_limit_of_report {
                check::report_unmissable_limit(values, out);
            }
            let mut tables: Vec<Option<usize>> = of
                .iter()
                .map(|&device| references.devices.get(device).map(|(_, table)| *table))
                .collect();
            tables.dedup();
            report_what_is_not_measured(row, &tables, devices, out);
            if let Some(meters) = check.as_ref().and_then(|check| check.balances()) {
                let grid = plans.grid.as_ref();
                grid::validate_balance((values, meters), grid, references, devices, out);
            }
            let about = |table: &Option<usize>| {
                devices.get((*table)?)?.as_deref().map(device::what_it_reports)
            };
            let devices = tables.iter().map(about).collect();
            let bench = PlannedBench {
                duration,
                network,
                devices,
                device_names: references.devices.iter().map(|(name, _)| name.clone()).collect(),
                gateway_names: self.gateway_names(),
                applications: application::names_and_kinds(self),
            };
            (kind.fits)(values, &bench, out);
            let demand = check.and_then(|check| check.demand());
            if let (Some(demand), Some(planned)) = (&demand, &planned) {
                judging::report_unjudgeable(&Claim { row, of, demand }, planned, out);
            }
        }
        let Some((plan, test_plan)) = plans.test_plan.as_deref().zip(self.values(&TEST_PLAN))
        else {
            return;
        };
        for kind in CHECKS {
            if let (Some(rule), Some(tables)) = (kind.together, self.tables_of(kind)) {
                rule(plan, &tables, test_plan.span_of("standard"), out);
            }
        }
    }

    /// Whether there is a plan of this kind that could not be read.
    fn is_without(&self, needs: Needs, plans: &Plans) -> bool {
        match needs {
            Needs::TestPlan => self.single(&TEST_PLAN).is_some() && plans.test_plan.is_none(),
            Needs::Calibration => {
                self.single(&CALIBRATION).is_some() && plans.calibration.is_none()
            }
            Needs::Nothing => false,
        }
    }

    fn gateway_names(&self) -> Vec<String> {
        let names = self.rows(&GATEWAY).iter().filter_map(|row| row.text("name"));
        names.map(|(name, _)| name.to_owned()).collect()
    }

    /// The tables of all checks of a kind; `None` where one has a mistake, since nobody knows what
    /// it would report.
    fn tables_of(&self, kind: &CheckKind) -> Option<Vec<&Values>> {
        let mut tables = Vec::new();
        for row in self.rows(&CHECK) {
            match (row.kind, &row.values) {
                (Some(own), _) if own != kind.entry.name => {}
                (Some(_), Some(values)) => tables.push(&**values),
                _ => return None,
            }
        }
        Some(tables)
    }

    /// What is planned, for checks of latency; `None` if too much of it could not be read.
    fn planned<'b>(
        &self,
        references: &'b References,
        planned: Option<SimDuration>,
        devices: &'b [PlannedDevice<'b>],
    ) -> Option<Planned<'b>> {
        let head = head(self)?;
        let breakages = self.rows(&INJECT).iter().zip(&references.target_of_injection);
        let breakages = breakages.filter_map(|(row, target)| {
            let ends = inject::kind_of(row)?.breakage_ends(row)?;
            Some(Breakage { what: target.as_ref(), ends })
        });
        let commands = self.given_commands(references);
        let commands = commands
            .filter_map(|(row, _, device)| Some((device, row.values.as_ref()?.duration("at"))));
        Some(Planned {
            time: head.time,
            time_in_file: head.time_in_file,
            duration: planned.or(head.duration)?,
            devices,
            observers: &references.observers,
            via_of_observer: &references.via_of_observer,
            devices_of_observer: &references.devices_of_observer,
            commands: commands.collect(),
            breakages: breakages.collect(),
        })
    }

    /// The injections that give commands, each with its command and the device that it is for.
    fn given_commands<'b>(
        &'b self,
        references: &'b References,
    ) -> impl Iterator<Item = (&'b Row<'b>, &'b Table, usize)> {
        let about = self.rows(&INJECT).iter().zip(&references.target_of_injection);
        about.filter_map(|(row, target)| match target {
            Some(Target::Device(device)) => Some((row, table_at(row.table, "command")?, *device)),
            _ => None,
        })
    }

    /// What is declared of readings fits how often they are due.
    fn validate_spans(
        &self,
        references: &References,
        planned: &[PlannedDevice<'_>],
        out: &mut Diagnostics,
    ) {
        let mut before = None;
        for ((_, table), planned) in references.devices.iter().zip(planned) {
            // Those that one table makes differ in nothing but the name.
            let is_first = before.replace(*table) != Some(*table);
            if let (true, Some(row), Some(period)) =
                (is_first, self.rows(&DEVICE).get(*table), planned.period)
            {
                device::report_overlapping_spans(row, period, out);
            }
        }
    }

    fn planned_devices<'b>(
        &self,
        references: &'b References,
        devices: &Devices,
    ) -> Vec<PlannedDevice<'b>> {
        // A device that a command gives another period is not counted by its first one.
        let changed = self.given_commands(references).filter_map(|(_, command, device)| {
            let effect = find(command.text("name")?)?.effect;
            matches!(effect, Effect::ReportsEvery(_)).then_some(device)
        });
        let changed: Vec<usize> = changed.collect();
        let planned = |(index, (name, table)): (usize, &'b (String, usize))| {
            let device = devices.get(*table).and_then(|device| device.as_ref());
            let gateway = self.gateway_of_table(*table, references);
            let reader = gateway.map(|(row, _)| row).or_else(|| {
                let network = references.on_networks.of_table.get(*table).copied().flatten()?;
                self.rows(&NETWORK).get(network)
            });
            let polled = reader.and_then(|row| {
                let values = row.values.as_ref()?;
                values.duration_opt("poll_every").or_else(|| values.duration_opt("report_every"))
            });
            let period = polled.or_else(|| device.map(|device| device.report_period()));
            let own_via = || references.via_of_table.get(*table).copied().unwrap_or(Err(Reported));
            PlannedDevice {
                name,
                via: gateway.map_or_else(own_via, |(_, via)| via),
                period: period.filter(|_| !changed.contains(&index)),
            }
        };
        references.devices.iter().enumerate().map(planned).collect()
    }
}

impl<'a> Draft<'a> {
    /// The gateway of the network that a device table is on, and the link it goes through.
    fn gateway_of_table(&self, table: usize, references: &References) -> Option<(&Row<'a>, Via)> {
        let network = references.on_networks.of_table.get(table).copied().flatten()?;
        let mut gateways = references.on_networks.of_gateway.iter();
        let index = gateways.position(|networks| networks.contains(&network))?;
        Some((self.rows(&GATEWAY).get(index)?, *references.via_of_gateway.get(index)?))
    }
}

/// A check of a quantity is about one that its devices report.
fn report_what_is_not_measured(
    check: &Row<'_>,
    tables: &[Option<usize>],
    devices: &[Option<Box<dyn Device>>],
    out: &mut Diagnostics,
) {
    let Some((text, span)) = check.text("quantity") else { return };
    let pattern = Pattern::new(text);
    let reported: Option<Vec<&str>> = tables
        .iter()
        .map(|table| devices.get((*table)?)?.as_ref())
        .collect::<Option<Vec<_>>>()
        .map(|devices| devices.iter().flat_map(|d| d.quantities()).map(|id| id.name()).collect());
    // Of a device that could not be built nobody knows what it reports.
    let Some(reported) = reported.filter(|names| !names.is_empty()) else { return };
    if reported.iter().any(|name| pattern.matches(name)) {
        return;
    }
    let help = Some(measurement_help(text, reported.iter().copied()));
    if MEASUREMENTS.iter().any(|row| pattern.matches(row.name)) {
        let message = format!("none of the check's devices reports `{text}`");
        out.report_with_help(Code::CANNOT_MEASURE, span, message, "never measured here", help);
    } else {
        let message = format!("unknown measurement identifier `{text}`");
        let code = Code::UNKNOWN_MEASUREMENT;
        out.report_with_help(code, span, message, "not in the registry", help);
    }
}
