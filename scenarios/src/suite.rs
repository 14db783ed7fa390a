//! Runs scenario files and folders, one after the other, and joins what came out.
//!
//! Terms: a *suite* is several runs under one folder; a *twin* is a scenario that has to fail by
//! exactly one named check, which proves that the check can.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use lastmeter_params::{Dimension, parse_quantity};
use lastmeter_reports::suite::{Outcome, Suite, SuiteRun, Twin};
use lastmeter_reports::{Counts, ExitCode, Status, format_summary};
use serde_json::json;
use tokio::sync::watch;

use crate::filter::Filter;
use crate::language::{LoadOptions, Meant, PlatformUse, Scenario, time_word};
use crate::run::{
    Console, ConsoleOptions, Profile, RunOptions, chain, default_out, monotonic, run_scenario,
};

/// What `lastmeter run` was asked for.
#[derive(Clone, Debug)]
pub struct SuiteOptions {
    /// Scenario files and folders.
    pub paths: Vec<PathBuf>,
    /// Where the results go.
    pub out: Option<PathBuf>,
    /// Which of the scenarios found there are meant; all of these have to fit.
    pub filters: Vec<String>,
    /// Overrides, seed, platform and time.
    pub load: LoadOptions,
    /// Run twins only, and turn them round.
    pub must_fail: bool,
    /// Longest wall time of one scenario, as written.
    pub timeout: Option<String>,
    /// Whether real-time runs ask for real-time priority.
    pub real_time_priority: bool,
    /// How to tell.
    pub console: ConsoleOptions,
}

/// Runs what was asked for; says how it ended.
pub fn run(options: &SuiteOptions) -> ExitCode {
    let timeout = match options.timeout.as_deref().map(read_time).transpose() {
        Ok(timeout) => timeout,
        Err(message) => return complain(&format!("--timeout: {message}")),
    };
    let files = match select(&options.paths) {
        Ok(files) => files,
        Err(message) => return complain(&message),
    };
    let filters: Result<Vec<Filter>, _> =
        options.filters.iter().map(|text| Filter::read(text)).collect();
    let filters = match filters {
        Ok(filters) => filters,
        Err(message) => return complain(&format!("--filter: {message}")),
    };
    let single = options.paths.len() == 1 && options.paths[0].is_file();
    let mut scenarios = Vec::new();
    let mut bad = 0;
    for file in files.iter().filter(|file| is_meant(&file.path, &filters)) {
        if !file.named && passed_over(&file.path) {
            continue;
        }
        match Scenario::load(&file.path, &options.load) {
            Ok(scenario) => scenarios.push((file.named, scenario)),
            Err(failure) => {
                bad += failure.diagnostics().len();
                tell_failure(&failure, options);
            }
        }
    }
    if bad > 0 {
        tell(&format!("{}; nothing was run", plural(bad, "error")));
        return ExitCode::BadInput;
    }
    // What a filter has left out may be what a twin mirrors.
    if filters.is_empty()
        && let Some(message) = orphan(&scenarios)
    {
        return complain(&message);
    }
    // A file that was named runs whatever it is; in a folder twins have a call of their own.
    let before = scenarios.len();
    scenarios.retain(|(named, scenario)| {
        let twin = scenario.expect.is_some();
        if options.must_fail { twin } else { *named || !twin }
    });
    let scenarios: Vec<Scenario> = scenarios.into_iter().map(|(_, scenario)| scenario).collect();
    for scenario in &scenarios {
        if let PlatformUse::Profile(file) = &scenario.platform
            && let Err(error) = Profile::read(file)
        {
            return complain(&chain(&error));
        }
    }
    if scenarios.is_empty() {
        tell(&none_selected(options.must_fail, before));
        return ExitCode::NothingEvaluated;
    }
    if let Some(message) = name_twice(&scenarios) {
        return complain(&message);
    }
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .thread_name("bench")
        .enable_all()
        .build();
    match runtime {
        Ok(runtime) => runtime.block_on(run_all(&scenarios, options, timeout, single)),
        Err(error) => {
            tell(&format!("error: the runtime did not start: {error}"));
            ExitCode::Broken
        }
    }
}

/// Why nothing runs, of so many scenarios that no filter has left out.
fn none_selected(must_fail: bool, count: usize) -> String {
    match (must_fail, count) {
        (true, 0) => "no must-fail twin was selected".to_owned(),
        (true, _) => {
            "no must-fail twin was selected; they are scenarios with `[expect]`".to_owned()
        }
        (false, 0) => "no scenario was selected".to_owned(),
        (false, twins) => format!(
            "no scenario was selected; there is {}, which `--must-fail` runs",
            plural(twins, "must-fail twin")
        ),
    }
}

/// Whether a file of a folder lies beside its scenarios and is none; it is said which.
pub(crate) fn passed_over(path: &Path) -> bool {
    let what = match Meant::of_file(path) {
        Meant::Scenario => return false,
        Meant::Suite => "a suite",
        Meant::Network => "a network",
    };
    tell(&format!("{}: {what}, and no scenario: passed over", path.display()));
    true
}

/// Whether all filters fit a file, as it is written: an override need not make sense to those that
/// are not meant. What cannot be loaded is not passed over.
fn is_meant(path: &Path, filters: &[Filter]) -> bool {
    if filters.is_empty() {
        return true;
    }
    let loaded = Scenario::load(path, &LoadOptions::from_environment());
    loaded.map_or(true, |scenario| filters.iter().all(|filter| filter.fits(&scenario)))
}

async fn run_all(
    scenarios: &[Scenario],
    options: &SuiteOptions,
    timeout: Option<(Duration, String)>,
    single: bool,
) -> ExitCode {
    let stop = stop_signal();
    let mut console = Console::new(options.console);
    let name = if options.must_fail { "must-fail" } else { "suite" };
    let base = options
        .out
        .clone()
        .unwrap_or_else(|| default_out(if single { &scenarios[0].name } else { name }));
    if !single && base.join("suite.json").exists() {
        return complain(&format!(
            "{} already holds a suite; give another folder, results are never overwritten",
            base.display()
        ));
    }
    let mut suite = Suite { name: name.to_owned(), runs: Vec::new() };
    for scenario in scenarios {
        if *stop.borrow() {
            suite.runs.push(not_run(scenario));
            continue;
        }
        let folder = if single { base.clone() } else { base.join(&scenario.name) };
        let run = RunOptions {
            out: folder,
            timeout: timeout.clone(),
            command_line: repeat_command(scenario, options),
            real_time_priority: options.real_time_priority,
        };
        let started = monotonic();
        let outcome = match Box::pin(run_scenario(scenario, &run, &mut console, stop.clone())).await
        {
            Ok(evaluation) => Outcome::Judged(Box::new(evaluation)),
            Err(error) => Outcome::NotRun { exit: ExitCode::Broken, why: chain(&error) },
        };
        let twin = scenario.expect.as_ref().filter(|_| options.must_fail).map(|expect| Twin {
            check: expect.check.clone(),
            verdict: expect.verdict,
            twin_of: format!("{}/{}", expect.twin_scenario, expect.twin_check),
        });
        let folder = scenario.name.clone();
        let done = SuiteRun { folder, scenario: scenario.name.clone(), twin, outcome };
        tell_run(&console, &done, &run.out, started.elapsed());
        suite.runs.push(done);
    }
    let exit = suite.exit_code();
    if single {
        return exit;
    }
    if let Err(error) = suite.write(&base) {
        tell(&format!("error: {}", chain(&error)));
        return ExitCode::worst_of([exit, ExitCode::Broken]);
    }
    tell_suite(&console, &suite, &base);
    exit
}

/// A scenario whose turn never came.
fn not_run(scenario: &Scenario) -> SuiteRun {
    let why = "not run: ended by the user before".to_owned();
    SuiteRun {
        folder: scenario.name.clone(),
        scenario: scenario.name.clone(),
        twin: None,
        outcome: Outcome::NotRun { exit: ExitCode::Interrupted, why },
    }
}

fn tell_run(console: &Console, run: &SuiteRun, folder: &Path, took: Duration) {
    let exit = run.exit_code();
    let counts = match &run.outcome {
        Outcome::Judged(evaluation) => {
            if let Some(cause) = &evaluation.facts.cause {
                tell(&format!("{}: {cause}", run.scenario));
            }
            evaluation.counts()
        }
        Outcome::NotRun { why, .. } => {
            tell(&format!("error: {}: {why}", run.scenario));
            Counts::default()
        }
    };
    if let Some(twin) = &run.twin {
        let why = run.why();
        let text = match &why {
            None if twin.verdict == Status::Fail => {
                format!("Twin     `{}` failed, as it must", twin.check)
            }
            None => format!("Twin     `{}` is {}, as it must be", twin.check, twin.verdict),
            Some(why) => format!("Twin     {why}"),
        };
        let value = json!({
            "event": "twin", "scenario": run.scenario, "twin_of": twin.twin_of,
            "check": twin.check, "as_expected": why.is_none(), "why": why,
        });
        console.summary(&text, value);
    }
    let mut text = format_summary(counts, took, exit);
    let report = folder.join("report.html");
    if matches!(run.outcome, Outcome::Judged(_)) {
        text = format!("{text}\n         {}", report.display());
    }
    let value = json!({
        "event": "finished", "scenario": run.scenario, "exit": exit.number(),
        "verdicts": counts, "wall_s": took.as_secs_f64(), "folder": folder,
    });
    console.summary(&text, value);
}

fn tell_suite(console: &Console, suite: &Suite, base: &Path) {
    let mut lines = vec![String::new()];
    for run in &suite.runs {
        if let Some(why) = run.why() {
            lines.push(format!("{:>7}  {}: {why}", run.status().label(), run.scenario));
        }
    }
    let passed = suite.runs.iter().filter(|run| run.status() == Status::Pass).count();
    let exit = suite.exit_code().number();
    let scenarios = plural(suite.runs.len(), "scenario");
    lines.push(format!("Suite    {scenarios}: {passed} as expected  exit {exit}"));
    lines.push(format!("         {}", base.join("index.html").display()));
    let value = json!({
        "event": "suite", "scenarios": suite.runs.len(), "passed": passed, "exit": exit,
    });
    console.summary(&lines.join("\n"), value);
}

/// A scenario file that was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Selected {
    /// Where it lies.
    pub path: PathBuf,
    /// Whether it was named itself, not a folder it lies in.
    pub named: bool,
}

/// The scenario files behind the given paths: of a folder all TOML files at any depth.
pub fn select(paths: &[PathBuf]) -> Result<Vec<Selected>, String> {
    let mut files = Vec::new();
    for path in paths {
        if path.is_dir() {
            walk(path, &mut files).map_err(|error| format!("{}: {error}", path.display()))?;
        } else if path.exists() {
            files.push(Selected { path: path.clone(), named: true });
        } else {
            return Err(format!("{}: there is no such file or folder", path.display()));
        }
    }
    Ok(files)
}

fn walk(folder: &Path, files: &mut Vec<Selected>) -> std::io::Result<()> {
    let entries = std::fs::read_dir(folder)?.map(|entry| entry.map(|entry| entry.path()));
    let mut entries: Vec<PathBuf> = entries.collect::<Result<_, _>>()?;
    entries.sort();
    for path in entries {
        // A link to a folder may lead back to where it lies.
        if path.is_dir() && !path.is_symlink() {
            walk(&path, files)?;
        } else if path.is_file() && path.extension().is_some_and(|extension| extension == "toml") {
            files.push(Selected { path, named: false });
        } else if leads_nowhere(&path) {
            // Passed over, what it stands for would be missed by nobody.
            let what = format!("the link {} leads nowhere", path.display());
            return Err(std::io::Error::other(what));
        }
    }
    Ok(())
}

/// Whether a path is a link to a scenario that is not there; editors keep hidden ones as locks.
fn leads_nowhere(path: &Path) -> bool {
    let is_hidden = path.file_name().is_some_and(|name| name.to_string_lossy().starts_with('.'));
    let is_scenario = path.extension().is_some_and(|extension| extension == "toml");
    is_scenario && !is_hidden && path.is_symlink() && !path.exists()
}

/// A twin of a check that none of the scenarios beside it has; without any beside it, who knows.
fn orphan(scenarios: &[(bool, Scenario)]) -> Option<String> {
    let originals =
        || scenarios.iter().map(|(_, scenario)| scenario).filter(|s| s.expect.is_none());
    originals().next()?;
    for (_, twin) in scenarios {
        let Some(expect) = &twin.expect else { continue };
        let has_check = |scenario: &Scenario| {
            scenario.name == expect.twin_scenario
                && scenario.checks.iter().any(|check| check.name == expect.twin_check)
        };
        if !originals().any(has_check) {
            return Some(format!(
                "{}: it is the twin of {}/{}, which is not among the scenarios given",
                twin.path().display(),
                expect.twin_scenario,
                expect.twin_check
            ));
        }
    }
    None
}

fn name_twice(scenarios: &[Scenario]) -> Option<String> {
    for (index, scenario) in scenarios.iter().enumerate() {
        let other = scenarios[..index].iter().find(|other| other.name == scenario.name);
        if let Some(other) = other {
            return Some(format!(
                "{} and {} are both named `{}`; their results would overwrite each other",
                other.path().display(),
                scenario.path().display(),
                scenario.name
            ));
        }
    }
    None
}

/// The command that repeats one run of a suite.
fn repeat_command(scenario: &Scenario, options: &SuiteOptions) -> Vec<String> {
    let mut command = vec!["lastmeter".to_owned(), "run".to_owned()];
    command.push(scenario.path().display().to_string());
    for change in &options.load.overrides {
        command.extend(["--set".to_owned(), change.clone()]);
    }
    command.extend(["--seed".to_owned(), scenario.seed.to_string()]);
    if let Some(platform) = &options.load.platform {
        command.extend(["--platform".to_owned(), platform.clone()]);
    }
    if let Some(time) = options.load.time {
        command.extend(["--time".to_owned(), time_word(time).to_owned()]);
    }
    if let Some(timeout) = &options.timeout {
        command.extend(["--timeout".to_owned(), timeout.clone()]);
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

/// Turns true at Ctrl-C, SIGTERM or SIGHUP (the terminal went away; not below `nohup`); at the
/// second one the process ends at once.
pub(crate) fn stop_signal() -> watch::Receiver<bool> {
    let (sender, receiver) = watch::channel(false);
    tokio::spawn(async move {
        use tokio::signal::unix::{SignalKind, signal};
        let (Ok(mut interrupt), Ok(mut terminate)) =
            (signal(SignalKind::interrupt()), signal(SignalKind::terminate()))
        else {
            tell("warning: signals cannot be caught here; Ctrl-C ends without a report");
            std::future::pending::<()>().await;
            return;
        };
        // Below `nohup` a hang-up is ignored; to listen for it would undo that.
        let mut hang_up =
            (!is_hang_up_ignored()).then(|| signal(SignalKind::hangup()).ok()).flatten();
        for time in 0.. {
            let hung_up = async {
                match &mut hang_up {
                    Some(hang_up) => hang_up.recv().await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                _ = hung_up => {}
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            }
            if time == 0 {
                tell("interrupted; finishing the record (once more ends at once)");
                let _ = sender.send(true);
            } else {
                second_interrupt();
            }
        }
    });
    receiver
}

/// Whether this process was started with hang-ups ignored, as the kernel tells it.
fn is_hang_up_ignored() -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    // Signal 1 is the lowest bit.
    mask.is_some_and(|mask| mask & 1 == 1)
}

#[expect(clippy::exit, reason = "the user has asked twice; the record so far is on disk")]
fn second_interrupt() -> ! {
    std::process::exit(i32::from(ExitCode::Interrupted.number()))
}

fn tell_failure(failure: &crate::language::LoadFailure, options: &SuiteOptions) {
    if options.console.json {
        for value in failure.to_json() {
            tell_out(&value.to_string());
        }
    } else {
        tell(&failure.render(options.console.color));
    }
}

fn complain(message: &str) -> ExitCode {
    tell(&format!("error: {message}"));
    ExitCode::BadInput
}

/// `1 error`, `2 errors`.
pub fn plural(count: usize, one: &str) -> String {
    if count == 1 { format!("1 {one}") } else { format!("{count} {one}s") }
}

/// A line to standard error; that nobody reads it is no reason to stop.
pub fn tell(text: &str) {
    use std::io::Write;
    let _ = writeln!(std::io::stderr(), "{text}");
}

/// A line to standard output. That nobody reads it is no reason to stop (`| head`); that it could
/// not be written is remembered, see [`output_was_lost`].
pub fn tell_out(text: &str) {
    write_out(|out| writeln!(out, "{text}"));
}

/// As [`tell_out`], for what is too long for one text.
pub(crate) fn write_out(write: impl FnOnce(&mut dyn std::io::Write) -> std::io::Result<()>) {
    use std::io::Write;
    let mut out = std::io::BufWriter::new(std::io::stdout().lock());
    if let Err(error) = write(&mut out).and_then(|()| out.flush())
        && error.kind() != std::io::ErrorKind::BrokenPipe
    {
        OUTPUT_LOST.store(true, Ordering::Relaxed);
    }
}

static OUTPUT_LOST: AtomicBool = AtomicBool::new(false);

/// Whether something meant for standard output could not be written: the disk is full, say.
pub fn output_was_lost() -> bool {
    OUTPUT_LOST.load(Ordering::Relaxed)
}
