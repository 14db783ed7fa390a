//! The plant step of a suite: case by case, each before it runs, or all before any of them does.

use std::time::Duration;

use lastmeter_language::Scenario;
use lastmeter_reports::suite::{Outcome, SuiteRun};
use lastmeter_reports::{ExitCode, Reason};
use lastmeter_text::plural;

use super::options::SuiteOptions;
use super::plan::{BrokenFile, Item, Plan, first_of, print_failure};
use super::{broken_run, not_run, suite_run};
use crate::host::monotonic;
use crate::output::print_err;
use crate::plant::{NotPlayed, Watch, play};
use crate::run::Console;

/// Plays the networks of all cases, so that nothing runs if one of them cannot be played; how long
/// each took.
pub(super) async fn play_first(
    plan: &mut Plan,
    options: &SuiteOptions,
    watch: &Watch<'_>,
) -> Result<Vec<Duration>, ExitCode> {
    let (mut broken, mut took) = (0, Vec::new());
    for item in &mut plan.items {
        let began = monotonic();
        if let Item::Run(scenario) = item {
            let file = scenario.written.path.display();
            match play(scenario, watch).await {
                Ok(played) => **scenario = played,
                Err(NotPlayed::Broken(failure)) => {
                    print_failure(&failure, &Console::new(options.console()));
                    broken += 1;
                }
                Err(NotPlayed::Interrupted(signal)) => {
                    let cause = signal.cause();
                    let text = "while its network was played: nothing was run";
                    print_err(&format!("{file}: {cause} {text}"));
                    return Err(ExitCode::of_signal(signal));
                }
                Err(NotPlayed::TooLong(limit)) => {
                    print_err(&format!("error: {file}: {}: nothing was run", too_long(&limit)));
                    return Err(ExitCode::Broken);
                }
            }
        }
        took.push(began.elapsed());
    }
    if broken > 0 {
        print_err(&format!("{}; nothing was run", plural(broken, "broken file")));
        return Err(ExitCode::BadInput);
    }
    Ok(took)
}

/// Plays the network of one case, unless it is played; where that does not go, what stands in place
/// of its run.
pub(super) async fn play_case(
    scenario: &Scenario,
    console: &Console<'_>,
    watch: &Watch<'_>,
) -> Result<Scenario, Box<SuiteRun>> {
    let run = match play(scenario, watch).await {
        Ok(played) => return Ok(played),
        Err(NotPlayed::Broken(failure)) => {
            print_failure(&failure, console);
            let file = scenario.written.path.clone();
            broken_run(&BrokenFile { file, why: first_of(&failure) })
        }
        Err(NotPlayed::Interrupted(signal)) => not_run(scenario, signal),
        Err(NotPlayed::TooLong(limit)) => {
            let (exit, reason) = (ExitCode::Broken, Reason::BenchBroke);
            suite_run(scenario, Outcome::NotRun { exit, reason, why: too_long(&limit).into() })
        }
    };
    Err(Box::new(run))
}

fn too_long(limit: &str) -> String {
    format!("to play its network takes longer than {limit} (--timeout)")
}
