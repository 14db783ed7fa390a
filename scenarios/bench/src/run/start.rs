//! One run from its beginning to its verdicts: what it is called, where it goes, who judges it.

use std::path::{Path, PathBuf};

use lastmeter_devices::BoardWay;
use lastmeter_language::{DeviceRow, PlatformUse, Scenario, TenantRow};
use lastmeter_platform::{ClockSource, StoreConfig, remove_store};
use lastmeter_record::{
    DeviceFacts, Evidence, GridRecord, RunFacts, RunStart, RunState, RunWriter, TimeMode,
};
use lastmeter_reports::Evaluation;
use lastmeter_sim::Streams;
use lastmeter_text::plural;
use lastmeter_units::TenantName;

use super::board::Boards;
use super::console::Console;
use super::error::BenchError;
use super::live::Live;
use super::motion_record;
use super::moving::{RunOptions, carry_out, ending};
use super::network;
use super::own_settings::{doors_of, store_of};
use super::real::{self, RealBench};
use super::run_platform::StartOptions;
use super::signals;
use super::virtual_time::{self, VirtualBench};
use crate::host::{self, stamp, wall_now};
use crate::stop::Stop;

/// Runs a scenario and has it judged; the run folder is complete afterwards, however it ended.
///
/// `stop` holds the signal that asks for an end, once one came.
///
/// # Errors
/// Only if there is no record to speak of: the run folder cannot be written, or not be judged.
/// A bench that broke is in the record, and gives an evaluation in error.
pub async fn run_scenario(
    scenario: &Scenario,
    options: &RunOptions,
    console: &mut Console<'_>,
    stop: Stop,
) -> Result<Evaluation, BenchError> {
    let logs = options.out.join("logs");
    std::fs::create_dir_all(&logs)
        .map_err(BenchError::file("cannot create the run folder", &options.out))?;
    let boards = match scenario.unavailable() {
        None => Boards::prepare(scenario, &options.out)?,
        Some(_) => Boards::none(scenario),
    };
    let start = run_start(scenario, options, &boards);
    let mut writer = RunWriter::create(&options.out, &start).map_err(BenchError::record)?;
    if !scenario.signals.is_empty() {
        writer.record_signals().map_err(BenchError::record)?;
    }
    let live = {
        let flows = flows(scenario)?;
        if let Some(flows) = &flows {
            writer.grid(flows).map_err(BenchError::record)?;
        }
        let steps = flows.iter().flat_map(|flows| &flows.rows);
        Live::new(writer.facts(), &start.scenario_toml, steps).map_err(BenchError::record)?
    };
    console.started(
        &headline(scenario),
        &scenario.about.name,
        scenario.schedule.seed,
        scenario.schedule.duration,
    );
    console.overridden(&scenario.written.overrides);
    let (data, stored) = (options.out.join("platform"), store_of(scenario));
    if let Some(reason) = scenario.unavailable() {
        writer
            .finish(ending(RunState::Skipped, Some(reason), scenario.schedule.start))
            .map_err(BenchError::record)?;
    } else {
        let is_real = scenario.schedule.time == TimeMode::Real;
        let place = StartOptions {
            data: &data,
            logs: &logs,
            strict_table2: scenario.platform.strict_table2,
            store: stored.clone(),
            tenants: tenants(scenario),
            doors: &doors_of(scenario),
            clock: if is_real { ClockSource::Wall } else { ClockSource::Driven },
            tls: scenario.platform.tls,
            authority: scenario.platform.authority.clone(),
            real_time_priority: is_real && options.real_time_priority,
            boards: &boards,
        };
        let about = (scenario, options);
        if is_real {
            writer.record_latency().map_err(BenchError::record)?;
            let parts = real::assemble(scenario, &place);
            let whole = carry_out::<RealBench<'_>>(about, console, stop, (writer, live), parts);
            Box::pin(whole).await?;
        } else {
            let parts = virtual_time::assemble(scenario, &place);
            let whole = carry_out::<VirtualBench<'_>>(about, console, stop, (writer, live), parts);
            Box::pin(whole).await?;
        }
    }
    let evaluation = lastmeter_reports::evaluate(&options.out).map_err(BenchError::record)?;
    // ClientOutput before it is written: for that there may be no room.
    console.judged(&evaluation.verdicts);
    console.account(evaluation.account);
    lastmeter_reports::complete(&options.out, &evaluation).map_err(BenchError::record)?;
    if evaluation.exit_code().number() == 0 {
        // Nothing to look into: everything that was stored is in the record.
        let _ = std::fs::remove_dir_all(&data);
        remove_stores(scenario, stored).await;
    }
    Ok(evaluation)
}

/// Removes what the tenants of a run have in a database.
async fn remove_stores(scenario: &Scenario, stored: StoreConfig) {
    let names = tenants(scenario).iter().map(|row| row.name.clone());
    let names: Vec<TenantName> = names.chain([TenantName::default()]).collect();
    let removing = move || {
        for name in &names {
            let _ = remove_store(&stored, name);
        }
    };
    let _ = tokio::task::spawn_blocking(removing).await;
}

/// The tenants beside the one that is always there.
fn tenants(scenario: &Scenario) -> &[TenantRow] {
    scenario.part::<Vec<TenantRow>>().map_or(&[], Vec::as_slice)
}

/// What flows in a network that is played ahead, if there is one; one that obeys is written when
/// the run is over.
fn flows(scenario: &Scenario) -> Result<Option<GridRecord>, BenchError> {
    let obeys = scenario.network_that_obeys().is_some();
    let Some(feeder) = scenario.feeder().filter(|_| !obeys) else { return Ok(None) };
    let mut flows = network::record(feeder);
    let (start, streams) = (scenario.schedule.start, Streams::new(scenario.schedule.seed));
    motion_record::add(&mut flows, feeder, (start, streams)).map_err(BenchError::Record)?;
    Ok(Some(flows))
}

/// What a device reports by alerts; of models without such keys nothing.
fn reported(row: &DeviceRow) -> Vec<String> {
    let has = |key: &&str| row.values.get(key).is_some();
    let words = ["events", "tamper"].into_iter().filter(has);
    words.flat_map(|key| row.values.text_list(key)).map(str::to_owned).collect()
}

fn run_start(scenario: &Scenario, options: &RunOptions, boards: &Boards) -> RunStart {
    let devices = scenario.devices.iter().enumerate().map(|(index, row)| DeviceFacts {
        name: row.name.clone(),
        model: row.kind.entry.name.to_owned(),
        evidence: match row.board.as_ref().map(|board| board.way) {
            Some(BoardWay::Emulated) => Evidence::Emulated,
            _ if row.is_hardware => Evidence::Hardware,
            _ => Evidence::Simulated,
        },
        at: scenario.place_of_source(row.source),
        under_test: row.values.boolean("under_test"),
        fidelity: row.values.text_opt("fidelity").map(str::to_owned),
        serial: None,
        firmware: boards.facts(index),
        reports: reported(row),
    });
    let facts = RunFacts {
        scenario: scenario.about.name.clone(),
        title: scenario.about.title.clone().unwrap_or_default(),
        source_hash: scenario.written.hash.clone(),
        files: scenario.written.files.clone(),
        seed: scenario.schedule.seed,
        time: scenario.schedule.time,
        start: scenario.schedule.start,
        end: scenario.schedule.start + scenario.schedule.duration,
        started: wall_now(),
        command_line: options.command_line.clone(),
        overrides: Some(scenario.written.overrides.clone()),
        versions: host::versions(),
        platform: platform_word(&scenario.platform.choice),
        devices: devices.collect(),
        recorded_signals: signals::facts(scenario),
        host: host::facts(),
        ..RunFacts::default()
    };
    RunStart { scenario_toml: scenario.resolved_toml(), facts }
}

fn platform_word(platform: &PlatformUse) -> String {
    match platform {
        PlatformUse::Embedded => "embedded".to_owned(),
        PlatformUse::Child => "child".to_owned(),
        PlatformUse::Profile(path) => path.display().to_string(),
    }
}

/// `lastmeter 0.2.0  first-light  seed 2027  virtual time, 10 min  platform embedded  1 meter`.
fn headline(scenario: &Scenario) -> String {
    let grid = scenario.network_name().map(|name| format!("  grid {name}")).unwrap_or_default();
    format!(
        "lastmeter {}  {}  seed {}  {} time, {}  platform {}{grid}  {}",
        env!("CARGO_PKG_VERSION"),
        scenario.about.name,
        scenario.schedule.seed,
        scenario.schedule.time,
        scenario.schedule.duration,
        platform_word(&scenario.platform.choice),
        plural(scenario.devices.len(), "device"),
    )
}

/// The default run folder: `runs/<name>-<UTC time>`, with a number where two fall into one second.
pub fn default_out(name: &str) -> PathBuf {
    let first = format!("{name}-{}", stamp());
    let others = (2..1000).map(|number| format!("{first}-{number}"));
    let runs = Path::new("runs");
    // Making the folder is what claims the name: another run may be looking for one right now.
    let claimed =
        std::iter::once(first.clone()).chain(others).map(|name| runs.join(name)).find(|folder| {
            std::fs::create_dir_all(runs).is_ok() && std::fs::create_dir(folder).is_ok()
        });
    claimed.unwrap_or_else(|| runs.join(first))
}
