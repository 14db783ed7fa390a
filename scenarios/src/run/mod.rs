//! Runs one scenario: assembles the bench, moves it to the end, writes the record, has it judged.
//!
//! Terms: a *run* is one execution of one scenario into one run folder. The runner appends to the
//! record as it goes, so that a killed run leaves what there was; judging and drawing read the
//! folder alone.

mod bench;
mod console;
mod error;
mod feeder;
mod host;
mod ledger;
mod live;
mod modelled;
mod network;
mod real;
mod rest;
mod schedule;
mod shell;
mod under_test;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::{Duration, Instant};

pub use console::{Console, ConsoleOptions};
pub use error::{BenchError, chain};
use lastmeter_devices::Device;
use lastmeter_link::mqtt::{Session, SessionOptions};
use lastmeter_platform::{ClockSource, TENANT};
use lastmeter_record::Event;
use lastmeter_record::{
    DeviceFacts, Evidence, RunEnd, RunStart, RunState, RunWriter, Signal, TimeMode,
};
use lastmeter_reports::Evaluation;
use lastmeter_text::plural;
use lastmeter_units::{SimDuration, SimTime};
use serde_json::{Map, json};
use tokio::sync::watch;
pub use under_test::Profile;

use crate::language::{Action, DeviceRow, Injection, PlatformUse, Scenario};
use bench::{Bench, Calibrator, Parts, SYNC_EVERY};
use console::Progress;
pub(crate) use host::{host_name, monotonic};
pub use host::{stamp, wall_now};
use ledger::{Account, AccountStart};
use live::Live;
pub(crate) use real::stagger;
use rest::Rest;
use shell::{Shell, ShellParts};
pub(crate) use under_test::{Policy, own_policy};
use under_test::{StartOptions, UnderTest};

/// How to run.
#[derive(Clone, Debug)]
pub struct RunOptions {
    /// The run folder.
    pub out: PathBuf,
    /// Longest wall time, and how it was written.
    pub timeout: Option<(Duration, String)>,
    /// The command that repeats the run.
    pub command_line: Vec<String>,
    /// Whether a real-time run asks for real-time priority.
    pub real_time_priority: bool,
    /// How long a real-time run waits for a quieter machine before it begins; `None`: it does not.
    pub wait_quiet: Option<Duration>,
}

/// Why a run stopped before its end.
enum Halt {
    Interrupted(Signal),
    Broken(BenchError),
}

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
    console: &mut Console,
    stop: Stop,
) -> Result<Evaluation, BenchError> {
    let record = |error: &dyn std::error::Error| BenchError::Record(chain(error));
    let logs = options.out.join("logs");
    std::fs::create_dir_all(&logs)
        .map_err(BenchError::file("cannot create the run folder", &options.out))?;
    let start = run_start(scenario, options);
    let mut writer = RunWriter::create(&options.out, &start).map_err(|e| record(&e))?;
    let live = {
        let flows = scenario.feeder().map(network::record);
        if let Some(flows) = &flows {
            writer.grid(flows).map_err(|e| record(&e))?;
        }
        let steps = flows.iter().flat_map(|flows| &flows.rows);
        Live::new(writer.facts(), &start.scenario_toml, steps).map_err(|e| record(&e))?
    };
    console.started(
        &headline(scenario),
        &scenario.about.name,
        scenario.schedule.seed,
        scenario.schedule.duration,
    );
    console.overridden(scenario.overrides());
    let data = options.out.join("platform");
    if let Some(reason) = scenario.unavailable() {
        writer
            .finish(ending(RunState::Skipped, Some(reason), scenario.schedule.start))
            .map_err(|e| record(&e))?;
    } else {
        let is_real = scenario.schedule.time == TimeMode::Real;
        let place = StartOptions {
            data: &data,
            logs: &logs,
            strict_table2: scenario.platform.strict_table2,
            clock: if is_real { ClockSource::Wall } else { ClockSource::Driven },
            tls: scenario.platform.tls,
            authority: scenario.platform.authority.clone(),
            real_time_priority: is_real && options.real_time_priority,
        };
        if is_real {
            let whole = real::run(scenario, options, console, stop, (writer, live), &place);
            Box::pin(whole).await?;
        } else {
            let whole = run_bench(scenario, options, console, stop, (writer, live), &place);
            Box::pin(whole).await?;
        }
    }
    let evaluation = lastmeter_reports::evaluate(&options.out).map_err(|e| record(&e))?;
    // Said before it is written: for that there may be no room.
    console.judged(&evaluation.verdicts);
    console.account(evaluation.account);
    lastmeter_reports::complete(&options.out, &evaluation).map_err(|e| record(&e))?;
    if evaluation.exit_code().number() == 0 {
        // Nothing to look into: everything that was stored is in the record.
        let _ = std::fs::remove_dir_all(&data);
    }
    Ok(evaluation)
}

/// What holds the signal that asks for an end, once one came.
pub(crate) type Stop = watch::Receiver<Option<Signal>>;

/// Waits for the signal that ends the run.
async fn ended_by(stop: &mut Stop) -> Signal {
    match stop.wait_for(Option::is_some).await.ok().and_then(|signal| *signal) {
        Some(signal) => signal,
        // Nobody is left who could send one.
        None => std::future::pending().await,
    }
}

/// Finishes the record of a run whose bench never stood.
fn never_stood(
    mut writer: RunWriter,
    error: &BenchError,
    start: SimTime,
) -> Result<(), lastmeter_record::RecordError> {
    let mut state = RunState::Error;
    if let BenchError::Interrupted(signal) = error {
        state = RunState::Interrupted;
        writer.set_signal(*signal);
    }
    writer.finish(ending(state, Some(&chain(error)), start))
}

async fn run_bench(
    scenario: &Scenario,
    options: &RunOptions,
    console: &mut Console,
    stop: Stop,
    (writer, live): (RunWriter, Live),
    place: &StartOptions<'_>,
) -> Result<(), BenchError> {
    let record = |error: &dyn std::error::Error| BenchError::Record(chain(error));
    let started = monotonic();
    let mut stopping = stop.clone();
    let assembled = tokio::select! {
        biased;
        signal = ended_by(&mut stopping) => Err(BenchError::Interrupted(signal)),
        assembled = assemble(scenario, place) => assembled,
    };
    let parts = match assembled {
        Ok(parts) => parts,
        Err(error) => {
            return never_stood(writer, &error, scenario.schedule.start).map_err(|e| record(&e));
        }
    };
    let mut bench = Bench::new(parts, writer, live, scenario.schedule.start);
    let halt = drive(&mut bench, scenario, options, console, stop, started).await.err();
    let (state, cause) = match &halt {
        None => (RunState::Finished, None),
        Some(Halt::Interrupted(signal)) => {
            let event = Event::interrupted(bench.now(), signal.cause());
            bench.note(event);
            (RunState::Interrupted, Some(signal.cause().to_owned()))
        }
        Some(Halt::Broken(error)) => {
            let (state, event) = broken(bench.now(), error);
            bench.note(event);
            (state, Some(chain(error)))
        }
    };
    bench.flush()?;
    let mut end = ending(state, cause.as_deref(), bench.recorded());
    end.guarantees = guarantees(&scenario.platform.choice);
    end.more = measured(&bench, started.elapsed());
    let (mut writer, stopped) = Box::pin(bench.close()).await;
    if let Some(Halt::Interrupted(signal)) = halt {
        writer.set_signal(signal);
    }
    if let (RunState::Finished, Err(error)) = (state, &stopped) {
        (end.state, end.cause) = (RunState::Error, Some(chain(error)));
    }
    writer.finish(end).map_err(|e| record(&e))
}

/// What an error that ended a run says of it: what the platform answered is its own doing, and for
/// a check to judge.
fn broken(now: SimTime, error: &BenchError) -> (RunState, Event) {
    if let Some(what) = error.wrong_answer() {
        return (RunState::Stopped, Event::wrong_answer(now, what));
    }
    let text = format!("the bench broke: {}", chain(error));
    (RunState::Error, Event::note(now, &text))
}

/// Starts the platform and connects the devices to it.
async fn assemble(scenario: &Scenario, place: &StartOptions<'_>) -> Result<Parts, BenchError> {
    let platform = UnderTest::start(&scenario.platform.choice, place).await?;
    let profile = platform.profile().clone();
    let rest = Rest::new(&profile)?;
    let acknowledged = Arc::new(AtomicU64::new(0));
    let records_latency = !scenario.links.is_empty() || !scenario.observers.is_empty();
    let (mut shells, mut accounts) = (Vec::new(), Vec::new());
    for (index, row) in scenario.devices.iter().enumerate() {
        let terminal = scenario.plant.sources[row.source].terminal.clone();
        let (Some(device), Some(terminal)) = (scenario.build_device(index), terminal) else {
            return Err(BenchError::Device {
                device: row.name.clone(),
                message: "it could not be made, although the scenario was checked".to_owned(),
            });
        };
        accounts.push(Account::open(&AccountStart {
            device: &row.name,
            index,
            terminal: terminal.clone(),
            netting: device.netting(),
            pulse_constant: device.pulse_constant(),
            quantities: device.quantities(),
            start: scenario.schedule.start,
            period: due_every(row, device.as_ref())?,
        }));
        let address = platform.broker_address()?.to_string();
        let options = SessionOptions {
            subscriptions: device.subscriptions(),
            tls: platform.client_tls(&row.name)?,
            ..SessionOptions::new(&address, &row.name, TENANT, profile.device_password())
        };
        let (session, events) = Session::open(options);
        shells.push(Shell::new(ShellParts {
            name: row.name.clone(),
            device,
            terminal,
            session,
            events,
            start: scenario.schedule.start,
            acknowledged: Arc::clone(&acknowledged),
            uplink: modelled::uplink(scenario, row),
            records_latency,
        }));
    }
    Ok(Parts {
        shells,
        accounts,
        rest,
        platform,
        acknowledged,
        modelled: records_latency.then(|| modelled::record(scenario)),
        links: scenario.links.iter().map(|link| link.name.clone()).collect(),
        sources: scenario.plant.sources.iter().map(|source| source.name.clone()).collect(),
        via: scenario.devices.iter().map(|row| row.via).collect(),
        calibrator: Calibrator::of(scenario),
    })
}

/// The period the scenario asks for; that the device follows it is for the checks to find out, but
/// one that does not even claim to is broken.
fn due_every(row: &DeviceRow, device: &dyn Device) -> Result<SimDuration, BenchError> {
    let Some(asked) = row.values.duration_opt("report_every") else {
        return Ok(device.report_period());
    };
    if device.report_period() == asked {
        return Ok(asked);
    }
    Err(BenchError::Device {
        device: row.name.clone(),
        message: format!("it reports every {}, not every {asked}", device.report_period()),
    })
}

/// Moves the bench from sync point to sync point.
async fn drive(
    bench: &mut Bench,
    scenario: &Scenario,
    options: &RunOptions,
    console: &mut Console,
    mut stop: Stop,
    started: Instant,
) -> Result<(), Halt> {
    let whole = async {
        bench.connect().await?;
        let mut acts = acts(scenario).into_iter().peekable();
        let end = scenario.schedule.start + scenario.schedule.duration;
        loop {
            let since_start = bench.now() - scenario.schedule.start;
            while let Some((_, injection, begins)) = acts.next_if(|next| next.0 <= since_start) {
                if !begins {
                    bench.end_act(injection);
                    continue;
                }
                let detail = injection.detail();
                console.injected(since_start, &format!("{}  {detail}", injection.kind));
                bench.act(injection).await?;
            }
            if bench.next_calibration().is_some_and(|at| at <= bench.now()) {
                bench.calibrate().await?;
            }
            if bench.now() >= end && !bench.kill_pending() {
                return bench.let_go().await;
            }
            let planned = acts.peek().map_or(end, |next| scenario.schedule.start + next.0);
            let planned = bench.next_calibration().map_or(planned, |at| planned.min(at));
            let next = planned.min(bench.now() + SYNC_EVERY).min(end);
            bench.run_to(next).await?;
            if console.shows_progress() {
                console.progress(
                    scenario.schedule.duration,
                    &progress(bench, scenario, started.elapsed()),
                );
            }
        }
    };
    let limit = options.timeout.as_ref().map_or(Duration::MAX, |(limit, _)| *limit);
    tokio::select! {
        biased;
        signal = ended_by(&mut stop) => Err(Halt::Interrupted(signal)),
        ended = tokio::time::timeout(limit, whole) => ended
            .unwrap_or_else(|_| {
                let written = options.timeout.as_ref().map_or("", |(_, written)| written);
                Err(BenchError::Timeout(written.to_owned()))
            })
            .map_err(Halt::Broken),
    }
}

/// When an injection that the bench itself has to end is over.
fn until(injection: &Injection) -> Option<SimDuration> {
    match &injection.action {
        Action::Impair { until, .. } | Action::Disconnect { until, .. } => *until,
        // Devices know the ends of their faults themselves, and terminals of what happens there.
        Action::Device { .. }
        | Action::Source { .. }
        | Action::Command { .. }
        | Action::KillPlatform => None,
    }
}

/// What happens when, since the start: injections, and the ends of those that last.
fn acts(scenario: &Scenario) -> Vec<(SimDuration, &Injection, bool)> {
    let begins = scenario.injections.iter().map(|injection| (injection.at, injection, true));
    let ends = scenario.injections.iter();
    let ends = ends.filter_map(|injection| Some((until(injection)?, injection, false)));
    let mut acts: Vec<_> = begins.chain(ends).collect();
    // At one instant what ends comes before what begins.
    acts.sort_by_key(|(at, _, begins)| (*at, *begins));
    acts
}

fn progress(bench: &mut Bench, scenario: &Scenario, wall: Duration) -> Progress {
    let verdicts = bench.verdicts_so_far();
    let totals = &bench.totals;
    Progress {
        simulated: bench.now() - scenario.schedule.start,
        wall,
        published: totals.published,
        stored: totals.settled.stored,
        missing: totals.settled.missing,
        unexpected: totals.settled.unexpected,
        refused: totals.refused,
        verdicts,
    }
}

fn run_start(scenario: &Scenario, options: &RunOptions) -> RunStart {
    let devices = scenario.devices.iter().map(|row| DeviceFacts {
        name: row.name.clone(),
        model: row.kind.entry.name.to_owned(),
        evidence: Evidence::Simulated,
        at: scenario.place_of(row),
        under_test: row.values.boolean("under_test"),
        fidelity: row.values.text_opt("fidelity").map(str::to_owned),
        serial: None,
        firmware: None,
    });
    RunStart {
        scenario: scenario.about.name.clone(),
        title: scenario.about.title.clone().unwrap_or_default(),
        scenario_hash: scenario.hash().to_owned(),
        scenario_toml: scenario.resolved_toml(),
        files: scenario.files().clone(),
        seed: scenario.schedule.seed,
        time: scenario.schedule.time,
        start: scenario.schedule.start,
        end: scenario.schedule.start + scenario.schedule.duration,
        started: wall_now(),
        command_line: options.command_line.clone(),
        overrides: scenario.overrides().to_vec(),
        versions: host::versions(),
        platform: platform_word(&scenario.platform.choice),
        devices: devices.collect(),
        host: host::facts(),
        more: Map::new(),
    }
}

fn ending(state: RunState, cause: Option<&str>, recorded_until: SimTime) -> RunEnd {
    RunEnd {
        state,
        cause: cause.map(str::to_owned),
        recorded_until,
        ended: wall_now(),
        guarantees: Vec::new(),
        more: Map::new(),
    }
}

fn platform_word(platform: &PlatformUse) -> String {
    match platform {
        PlatformUse::Embedded => "embedded".to_owned(),
        PlatformUse::Child => "child".to_owned(),
        PlatformUse::Profile(path) => path.display().to_string(),
    }
}

/// What may be relied on behind the verdicts.
fn guarantees(platform: &PlatformUse) -> Vec<String> {
    let broker = match platform {
        PlatformUse::Embedded | PlatformUse::Child => {
            "a PUBACK follows the fsync of the platform's journal; refusals are durable first too"
        }
        PlatformUse::Profile(_) => {
            "a PUBACK of this platform's broker may mean memory only; what was checked is what \
             REST gave back"
        }
    };
    let outbox = "simulated devices keep their outbox in memory, it survives a lost connection";
    vec![broker.to_owned(), outbox.to_owned()]
}

/// Wall-clock figures of the run, for `run.json` only.
fn measured(bench: &Bench, wall: Duration) -> Map<String, serde_json::Value> {
    let totals = &bench.totals;
    let seconds = wall.as_secs_f64();
    let value = json!({
        "wall_s": seconds,
        "read_back_wall_s": totals.read_back.as_secs_f64(),
        "messages_published": totals.published,
        "messages_per_second": totals.published as f64 / seconds.max(1e-9),
        "readings_due": totals.settled.due,
        "readings_stored": totals.settled.stored,
        "readings_missing": totals.settled.missing,
        "readings_unexpected": totals.settled.unexpected,
        "values_unknown": totals.settled.unknown_values,
        "refused": totals.refused,
        "observations": totals.observations,
        "platform_kills": totals.kills,
        "connections": bench.shells.iter().map(Shell::connections).sum::<u64>(),
    });
    match value {
        serde_json::Value::Object(map) => map,
        _ => Map::new(),
    }
}

/// `lastmeter 0.1.0  first-light  seed 2027  virtual time, 10 min  platform embedded  1 meter`.
fn headline(scenario: &Scenario) -> String {
    let grid = scenario.network_name().map(|name| format!("  grid {name}")).unwrap_or_default();
    format!(
        "lastmeter {}  {}  seed {}  {} time, {}  platform {}{grid}  {}",
        env!("CARGO_PKG_VERSION"),
        scenario.about.name,
        scenario.schedule.seed,
        if scenario.schedule.time == TimeMode::Real { "real" } else { "virtual" },
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
