//! Runs scenario files and folders, one after the other or several at a time, and joins what came
//! out.
//!
//! Terms: a *suite* is several runs under one folder; a *twin* is a scenario that has to fail by
//! exactly one named check, which proves that the check can; its *control* is the same without the
//! defect, which has to pass.

mod annotations;
mod attempts;
mod controls;
mod jobs;
mod messages;
mod options;
mod plan;
mod playing;
mod quarantine;
mod resuming;
mod selection;

use std::net::TcpListener;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use lastmeter_language::{GatewayRow, Scenario};
use lastmeter_params::{Dimension, parse_quantity};
use lastmeter_record::{Signal, Status};
use lastmeter_reports::suite::{Case, CaseValue, Outcome, Suite, SuiteRun, Twin};
use lastmeter_reports::{ExitCode, Reason, remove_record};
use tokio::runtime::Runtime;

use crate::host::{host_name, monotonic, wall_now};
use crate::out_folder::occupied;
use crate::output::{broken, complain};
use crate::plant::Watch;
use crate::run::{Console, RunOptions, Turns, chain, default_out, run_scenario};
use crate::stop::Stop;
use crate::stop::{runtime, stop_signal};
use messages::{print_plan, print_run, print_suite, print_warnings};
pub use options::SuiteOptions;
use options::{KeptRecords, SuiteFormat};
use plan::{BrokenFile, Item, Plan};
pub use plan::{passed_over, print_left_out};
use playing::{play_case, play_first};

/// The table of a gateway that answers pages.
const HOUSEHOLD: &str = "household";

/// Runs what was asked for and returns the exit code.
pub fn run(options: &SuiteOptions) -> ExitCode {
    let timeout = match options.timeout.as_deref().map(read_time).transpose() {
        Ok(timeout) => timeout,
        Err(message) => return complain(&format!("--timeout: {message}")),
    };
    let wait_quiet = match options.wait_quiet.as_deref().map(read_time).transpose() {
        Ok(wait) => wait.map(|(time, _)| time),
        Err(message) => return complain(&format!("--wait-quiet: {message}")),
    };
    let out = options.out.as_deref().filter(|_| !options.resume);
    if let Some(message) = out.and_then(occupied) {
        return complain(&message);
    }
    let times = Times { timeout, wait_quiet, played: Duration::ZERO };
    let jobs = usize::from(options.jobs);
    runtime(jobs).map_or_else(|exit| exit, |runtime| run_all(&runtime, options, &times))
}

/// The times that were asked for.
struct Times {
    /// The longest a run may take, and as it was written.
    timeout: Option<(Duration, String)>,
    /// The longest a run waits for a quiet machine.
    wait_quiet: Option<Duration>,
    /// What it took to play the scenario's network.
    played: Duration,
}

impl Times {
    /// What is left of them after its network was played so long.
    fn after(&self, played: Duration) -> Self {
        let timeout = self.timeout.clone();
        let timeout = timeout.map(|(time, written)| (time.saturating_sub(played), written));
        Self { timeout, wait_quiet: self.wait_quiet, played: self.played + played }
    }
}

fn run_all(runtime: &Runtime, options: &SuiteOptions, times: &Times) -> ExitCode {
    let _within = runtime.enter();
    let mut plan = match plan::plan(options).and_then(|plan| with_pages(options, plan)) {
        Ok(plan) if options.dry_run => return print_plan(&Console::new(options.console()), &plan),
        Ok(plan) => plan,
        Err(exit) => return exit,
    };
    let stop = stop_signal();
    let is_played = options.strict || plan.only().is_some();
    let took = match is_played
        .then(|| runtime.block_on(play_first(&mut plan, options, &watch(&stop, times, options))))
    {
        Some(Err(exit)) => return exit,
        each => each.and_then(Result::ok).unwrap_or_default(),
    };
    let name = plan::suite_name(options);
    let only = plan.only().map(|scenario| scenario.about.name.clone());
    let base = || default_out(only.as_deref().unwrap_or(name));
    let base = options.out.clone().unwrap_or_else(base);
    let started = Some(wall_now());
    let turns = Turns::default();
    let has_failed = AtomicBool::new(false);
    let run_at = |place: usize| {
        let turn = turns.turn(place);
        let (item, of) = plan.case(place);
        let scenario = match item {
            Item::Broken(broken) => return broken_run(broken),
            Item::Run(scenario) => scenario,
        };
        let ended = *stop.borrow();
        if let Some(signal) = ended {
            return not_run(scenario, signal);
        }
        if options.fail_fast && has_failed.load(Ordering::Relaxed) {
            return passed_by(scenario);
        }
        // Controls stand in the folder of a twin.
        let name = of.map_or(&scenario.about.name, |of| &of[0]);
        let mut folder = if only.is_some() { base.clone() } else { base.join(name) };
        folder.extend(of.map(|_| controls::FOLDER));
        let times = times.after(took.get(place).copied().unwrap_or_default());
        let mut console = Console::in_turn(options.console(), turn);
        if options.resume
            && let Some(done) = resuming::finished(scenario, &folder, (options, of), &console)
        {
            return done;
        }
        let about = (options, &times, of);
        attempts::until_pass(options.retries, &base, &mut console, &stop, |console| {
            runtime.block_on(run_one(scenario, about, &folder, console, &stop))
        })
    };
    let run = |place: usize| {
        let mut done = run_caught(&plan, place, || run_at(place));
        if options.keep == KeptRecords::Failed && done.status() == Status::Pass {
            let folder = done.folder.clone().filter(|_| only.is_none());
            done = without_record(done, &base.join(folder.unwrap_or_default()));
        }
        let is_good = matches!(done.exit_code(), ExitCode::Passed | ExitCode::NothingEvaluated);
        has_failed.fetch_or(!is_good && !done.is_excused(), Ordering::Relaxed);
        done
    };
    let exclusive = plan.exclusive();
    let mut runs = jobs::carry_out(options.jobs.into(), &exclusive, run);
    let ended: Vec<_> = plan.controls.iter().zip(runs.split_off(plan.items.len())).collect();
    controls::join(&mut runs, &ended);
    let suite = Suite { started, ..joined(plan, runs, options) };
    let exit = if only.is_some() { suite.exit_code() } else { write(&suite, &base, options) };
    if options.format == SuiteFormat::Github {
        annotations::print(&suite);
    }
    exit
}

/// The plan, if pages that are asked for are there and can be served.
fn with_pages(options: &SuiteOptions, plan: Plan) -> Result<Plan, ExitCode> {
    let Some(at) = &options.pages else { return Ok(plan) };
    let refused = |why: String| Err(complain(&format!("--pages {why}")));
    let Some(scenario) = plan.only() else { return refused("is for one scenario alone".into()) };
    let answers = |row: &GatewayRow| row.values.get(HOUSEHOLD).is_some();
    if !scenario.gateways.iter().any(answers) {
        let name = &scenario.about.name;
        return refused(format!(
            "has nothing to serve: no gateway of `{name}` has a `{HOUSEHOLD}`"
        ));
    }
    match TcpListener::bind(at) {
        Ok(_) => Ok(plan),
        Err(error) => {
            refused(format!("{at}: {error}; expected a free address, as in 127.0.0.1:8090"))
        }
    }
}

/// The whole of runs that have ended.
fn joined(plan: Plan, runs: Vec<SuiteRun>, options: &SuiteOptions) -> Suite {
    Suite {
        name: plan::suite_name(options).to_owned(),
        runs,
        started: None,
        host: host_name(),
        passed_over: plan.passed_over,
        shard: options.shard,
        in_all: plan.in_all,
        planned: plan.planned,
        map: plan.map.unwrap_or_default(),
    }
}

/// Writes what is on top of the runs' folders, and prints what it came to.
fn write(suite: &Suite, base: &Path, options: &SuiteOptions) -> ExitCode {
    let exit = suite.exit_code();
    if let Err(error) = suite.write(base) {
        return ExitCode::worst_of([exit, broken(&chain(&error))]);
    }
    print_suite(&Console::new(options.console()), suite, base);
    exit
}

/// Runs a place of a plan; that it panicked is an error of it, and the others go on.
fn run_caught(plan: &Plan, place: usize, run: impl FnOnce() -> SuiteRun) -> SuiteRun {
    let done = catch_unwind(AssertUnwindSafe(run));
    let mut done = done.unwrap_or_else(|_| crashed(plan.case(place).0));
    done.place = plan.places.get(place).copied().unwrap_or_default();
    done.quarantine = plan.quarantine.get(place).cloned().flatten();
    done
}

/// Who waits for the networks that are played.
fn watch<'a>(stop: &'a Stop, times: &'a Times, options: &SuiteOptions) -> Watch<'a> {
    let shows_progress = options.console().progress && !options.console().json;
    Watch { stop, limit: &times.timeout, shows_progress }
}

async fn run_one(
    scenario: &Scenario,
    (options, times, of): (&SuiteOptions, &Times, Option<&[String]>),
    folder: &Path,
    console: &mut Console<'_>,
    stop: &Stop,
) -> SuiteRun {
    let began = monotonic();
    let mut watch = watch(stop, times, options);
    watch.shows_progress &= console.has_turn(); // others print before it
    let played = match play_case(scenario, console, &watch).await {
        Ok(played) => played,
        Err(done) => return *done,
    };
    let scenario = &played;
    let times = &times.after(began.elapsed());
    let run = RunOptions {
        out: folder.to_owned(),
        timeout: times.timeout.clone(),
        wait_quiet: times.wait_quiet,
        pages: options.pages.clone(),
        command_line: repeat_command(scenario, of, options),
        real_time_priority: !options.normal_priority,
    };
    print_warnings(console, scenario);
    if let Some(of) = of {
        controls::print_begin(console, of);
    }
    let started = monotonic();
    let outcome = match Box::pin(run_scenario(scenario, &run, console, stop.clone())).await {
        Ok(evaluation) => Outcome::Judged(Box::new(evaluation)),
        Err(error) => Outcome::NotRun {
            exit: ExitCode::Broken,
            reason: Reason::BenchBroke,
            why: chain(&error).into(),
        },
    };
    let done = ended(scenario, outcome, (options, of));
    print_run(console, &done, folder, times.played + started.elapsed());
    if let Some(of) = of {
        controls::print_end(console, of, &done);
    }
    done
}

/// A run that came to an end, with what it is as a twin, or as the control of twins.
fn ended(
    scenario: &Scenario,
    outcome: Outcome,
    (options, of): (&SuiteOptions, Option<&[String]>),
) -> SuiteRun {
    let twin = scenario.expected().filter(|_| options.must_fail).map(|expect| Twin {
        check: expect.check.clone(),
        verdict: expect.verdict,
        reason: expect.reason,
        control: None,
        twin_of: format!("{}/{}", expect.twin_scenario, expect.twin_check),
    });
    let mut done = SuiteRun { twin, ..suite_run(scenario, outcome) };
    if let Some([of, ..]) = of {
        done.folder = Some(format!("{of}/{}", controls::FOLDER));
    }
    done
}

fn suite_run(scenario: &Scenario, outcome: Outcome) -> SuiteRun {
    SuiteRun {
        folder: Some(scenario.about.name.clone()),
        scenario: scenario.about.name.clone(),
        file: Some(scenario.written.path.display().to_string()),
        place: 0,
        case: case_of(scenario),
        twin: None,
        quarantine: None,
        attempts: Vec::new(),
        outcome,
    }
}

/// Which case of its scenario it is, and what varies in it.
fn case_of(scenario: &Scenario) -> Option<Case> {
    let (of, _) = scenario.about.name.split_once('/')?;
    let name = scenario.about.case.clone()?;
    let values = scenario.written.values.iter().cloned();
    let values = values.map(|(address, value)| CaseValue { address, value });
    Some(Case { scenario: of.to_owned(), name, values: values.collect() })
}

/// A run that passed, and whose record is removed; if that cannot be, what is on the disk is not
/// known.
fn without_record(run: SuiteRun, folder: &Path) -> SuiteRun {
    let Err(error) = remove_record(folder) else { return run };
    let (exit, reason) = (ExitCode::Broken, Reason::BenchBroke);
    let why = format!("its record could not be removed: {}", chain(&error)).into();
    SuiteRun { outcome: Outcome::NotRun { exit, reason, why }, ..run }
}

/// A scenario whose turn never came.
fn not_run(scenario: &Scenario, signal: Signal) -> SuiteRun {
    let exit = ExitCode::of_signal(signal);
    let why = format!("not run: the suite was {} before", signal.cause());
    suite_run(scenario, Outcome::NotRun { exit, reason: Reason::NotRun, why: why.into() })
}

/// A scenario whose turn did not come behind one that failed.
fn passed_by(scenario: &Scenario) -> SuiteRun {
    let why = "not run: another run had failed before its turn (--fail-fast)".into();
    let exit = ExitCode::NothingEvaluated;
    suite_run(scenario, Outcome::NotRun { exit, reason: Reason::RunSkipped, why })
}

/// A run that a panic ended: an error, beside which the others go on.
fn crashed(item: &Item) -> SuiteRun {
    let why = "the bench panicked; standard error has what it printed".into();
    let (exit, reason) = (ExitCode::Broken, Reason::BenchBroke);
    match item {
        Item::Run(scenario) => suite_run(scenario, Outcome::NotRun { exit, reason, why }),
        Item::Broken(broken) => broken_run(broken),
    }
}

/// A file that is no scenario.
fn broken_run(broken: &BrokenFile) -> SuiteRun {
    let file = broken.file.display().to_string();
    SuiteRun {
        folder: None,
        scenario: file.clone(),
        file: Some(file),
        place: 0,
        case: None,
        twin: None,
        quarantine: None,
        attempts: Vec::new(),
        outcome: Outcome::NotRun {
            exit: ExitCode::BadInput,
            reason: Reason::FileBroken,
            why: broken.why.clone().into(),
        },
    }
}

/// The command that repeats one run of a suite.
fn repeat_command(
    scenario: &Scenario,
    of: Option<&[String]>,
    options: &SuiteOptions,
) -> Vec<String> {
    let mut command = vec!["lastmeter".to_owned(), "run".to_owned()];
    command.push(scenario.written.path.display().to_string());
    let expect = scenario.expected().filter(|_| scenario.written.is_in_table);
    let twin = expect.map(|expect| (&expect.twin_scenario, &scenario.about.name));
    if let Some((scenario, twin)) = twin.or_else(|| Some((&scenario.about.name, &of?[0]))) {
        let twin = format!("{scenario}/{twin}");
        command.extend(["--must-fail", "--filter", &twin].map(str::to_owned));
    }
    for (option, all) in [("--set", &options.load.overrides), ("--vary", &options.vary)] {
        command.extend(all.iter().flat_map(|change| [option.to_owned(), change.clone()]));
    }
    let is_case = scenario.about.case.is_some();
    if is_case {
        command.extend(["--filter".to_owned(), scenario.about.name.clone()]);
    }
    // A case may be one by its seed.
    let seed = options.load.seed.or((!is_case).then_some(scenario.schedule.seed));
    for (option, value) in [
        ("--seed", seed.map(|seed| seed.to_string())),
        ("--seeds", options.seeds.clone()),
        ("--repeat", (options.repeat > 1).then(|| options.repeat.to_string())),
        ("--platform", options.load.platform.clone()),
        ("--time", options.load.time.map(|time| time.to_string())),
        ("--timeout", options.timeout.clone()),
        ("--wait-quiet", options.wait_quiet.clone()),
    ] {
        command.extend(value.into_iter().flat_map(|value| [option.to_owned(), value]));
    }
    command
}

fn read_time(text: &str) -> Result<(Duration, String), String> {
    let (seconds, _) =
        parse_quantity(text, &[Dimension::Time]).map_err(|error| error.to_string())?;
    if seconds > 0.0 && seconds < 1e9 {
        Ok((Duration::from_secs_f64(seconds), text.to_owned()))
    } else {
        Err(format!("expected a time between 0 and 1e9 s, found `{text}`"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_that_panics_is_an_error_of_its_own() {
        let file = std::path::PathBuf::from("a.toml");
        let broken = Item::Broken(BrokenFile { file, why: "no scenario".to_owned() });
        let plan = Plan::of(vec![broken], 9);
        let crashed = run_caught(&plan, 0, || panic!("as a bench that broke would"));
        assert_eq!((crashed.exit_code(), crashed.place), (ExitCode::BadInput, 0));
        let whole = run_caught(&plan, 0, || {
            broken_run(&BrokenFile { file: "b.toml".into(), why: String::new() })
        });
        assert_eq!(whole.scenario, "b.toml");
    }
}
