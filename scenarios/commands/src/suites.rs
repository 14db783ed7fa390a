//! The commands on suite folders: join those of shards, judge and render one again.

use std::path::{Path, PathBuf};

use lastmeter_bench::output::{broken, complain, print_err, print_out};
use lastmeter_record::Counts;
use lastmeter_reports::suite::{
    Coverage, CoverageState, CoveringCheck, Suite, SuiteError, SuiteRun,
};
use lastmeter_reports::{ExitCode, complete};
use lastmeter_text::plural;

/// Joins the suite folders of all shards in a new folder.
pub fn merge(suites: &[PathBuf], out: &Path) -> ExitCode {
    if out.exists() {
        return complain(&format!("--out {}: it is there already", out.display()));
    }
    let whole = Suite::merge(suites, out).and_then(|suite| {
        suite.write(out).map_err(|error| SuiteError::NoShards(error.to_string()))?;
        Ok(suite)
    });
    match whole {
        Ok(suite) => printed(&suite, out, false),
        Err(error @ SuiteError::Record(_)) => broken(&error.to_string()),
        Err(error) => complain(&error.to_string()),
    }
}

/// Which requirements the runs and twins of these folders cover.
pub fn coverage(folders: &[PathBuf], json: bool) -> ExitCode {
    let coverage = match Coverage::read(folders.iter().map(PathBuf::as_path)) {
        Ok(coverage) => coverage,
        Err(error) => return complain(&error.to_string()),
    };
    if json {
        print_out(&serde_json::to_string_pretty(&coverage).unwrap_or_default());
        return ExitCode::Passed;
    }
    for row in coverage.rows.iter().filter(|row| row.state != CoverageState::NotChecked) {
        let name = |it: &CoveringCheck| match it.twins {
            0 => format!("{} without twin", it.check),
            _ => it.check.clone(),
        };
        let checks: Vec<String> = row.checks.iter().map(name).collect();
        let more = checks.len().saturating_sub(2);
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        let shown = checks[..checks.len().min(2)].join(", ");
        print_out(&format!("{}  {:<12}  {}  ({shown}{more})", row.id, row.state, row.words));
    }
    let counts = CoverageState::ALL.into_iter().map(|state| (state, coverage.count(state)));
    let counts = counts.filter(|(_, count)| *count > 0);
    let counts: Vec<String> = counts.map(|(state, count)| format!("{count} {state}")).collect();
    print_out(&format!("Requirements: {}", counts.join(", ")));
    ExitCode::Passed
}

/// Judges and renders each run of a suite folder again, and what is on top of them.
pub fn report(dir: &Path, json: bool) -> ExitCode {
    let suite = match Suite::read(dir) {
        Ok(suite) => suite,
        Err(error) => return complain(&error.to_string()),
    };
    for run in &suite.runs {
        let (Some(judged), Some(folder)) = (run.judged(), &run.folder) else { continue };
        if let Err(error) = complete(&dir.join(folder), judged) {
            return broken(&format!("{}: {error}", run.scenario));
        }
    }
    match suite.write(dir) {
        Ok(()) => printed(&suite, dir, json),
        Err(error) => broken(&error.to_string()),
    }
}

fn printed(suite: &Suite, dir: &Path, json: bool) -> ExitCode {
    let exit = suite.exit_code();
    if json {
        match std::fs::read_to_string(dir.join("suite.json")) {
            Ok(text) => print_out(text.trim_end()),
            Err(error) => print_err(&format!("suite.json: {error}")),
        }
        return exit;
    }
    for run in &suite.runs {
        if let Some(why) = run.why() {
            print_out(&format!("{:>7}  {}: {why}", run.status().label(), run.scenario));
        }
    }
    let counts = Counts::of(suite.runs.iter().map(SuiteRun::status));
    print_out(&format!(
        "Suite    {}: {counts}  exit {}",
        plural(suite.runs.len(), "run"),
        exit.number()
    ));
    print_out(&format!("         {}", dir.join("index.html").display()));
    exit
}
