//! `lastmeter accuracy`: a meter against a standard's test plan, without writing a scenario.
//!
//! What is run is a scenario like any other, made here: the meter at the test plan's source, one
//! check for each test. The run folder holds it resolved, so that `lastmeter run` repeats it.

mod assemble;
mod meter;
mod options;
mod ratings;
mod summary;

use lastmeter_bench::host::monotonic;
use lastmeter_bench::out_folder::occupied;
use lastmeter_bench::output::{TextFormat, broken, complain, print_err, print_out};
use lastmeter_bench::run::{Console, ConsoleOptions, RunOptions, chain, default_out, run_scenario};
use lastmeter_bench::stop::{block_on, stop_signal};
use lastmeter_language::Scenario;
use lastmeter_plans::standard::Skip;
use lastmeter_record::Status;
use lastmeter_reports::standard::Assessed;
use lastmeter_reports::{Evaluation, ExitCode, format_summary};

use assemble::{assemble, is_selected};
use meter::Refusal;
pub use options::AccuracyOptions;
use ratings::Ratings;
use summary::{describe, document, headline};

/// Runs a test plan on a meter and returns the exit code.
pub fn accuracy(options: &AccuracyOptions) -> ExitCode {
    if let Some(message) = options.out.as_deref().and_then(occupied) {
        return complain(&message);
    }
    let (scenario, ratings) = match assemble(options) {
        Ok(assembled) => assembled,
        Err(Refusal::Message(message)) => return complain(&message),
        Err(Refusal::Failure(failure)) => {
            if options.format == TextFormat::Json {
                failure.to_json().iter().for_each(|value| print_out(&value.to_string()));
            } else {
                print_err(&failure.render(options.color));
            }
            return ExitCode::BadInput;
        }
    };
    block_on(run(&scenario, &ratings, options))
}

async fn run(scenario: &Scenario, ratings: &Ratings, options: &AccuracyOptions) -> ExitCode {
    let out = options.out.clone().unwrap_or_else(|| default_out(&scenario.about.name));
    let run = RunOptions {
        out: out.clone(),
        timeout: None,
        command_line: std::env::args().collect(),
        real_time_priority: false,
        wait_quiet: None,
        pages: None,
    };
    let mut console = Console::new(ConsoleOptions {
        json: false,
        color: options.color,
        progress: options.format != TextFormat::Json,
        silent: true,
    });
    let started = monotonic();
    let judged = Box::pin(run_scenario(scenario, &run, &mut console, stop_signal())).await;
    let evaluation = match judged {
        Ok(evaluation) => evaluation,
        Err(error) => return broken(&chain(&error)),
    };
    if let Some(cause) = &evaluation.facts.cause {
        print_err(&format!("error: {cause}"));
    }
    let assessed = match Assessed::read(&out) {
        Ok(Some(assessed)) => assessed,
        Ok(None) => return broken("the run folder has no test plan"),
        Err(error) => return broken(&chain(&error)),
    };
    let exit = exit_code(&assessed, &evaluation, options);
    if options.format == TextFormat::Json {
        print_out(&document(&assessed, &evaluation, exit, &out, ratings).to_string());
    } else {
        print_out(headline(scenario, options, &assessed, ratings).trim_end());
        print_out(describe(&assessed, options.color).trim_end());
        print_out(&format_summary(evaluation.counts(), started.elapsed(), exit));
        print_out(&format!("         {}", out.join("report.html").display()));
    }
    exit
}

/// That of the checks; but no class that fails is green, whatever the checks were set to look at.
/// A class that was asked for as a whole and of which something could not be tested is not met,
/// however good the rest was; and who asks for tests is answered about all of them.
fn exit_code(assessed: &Assessed, evaluation: &Evaluation, options: &AccuracyOptions) -> ExitCode {
    let exit = evaluation.exit_code();
    if exit != ExitCode::Passed {
        return exit;
    }
    let claimed = assessed.summary().into_iter().next().map(|class| class.status);
    let is_answered = if options.tests.is_empty() {
        claimed == Some(Status::Pass)
    } else {
        let left_out = assessed.claimed().tests.iter().filter(|result| {
            let test = &assessed.plan.test_plan.tests[result.test];
            is_selected(options, &test.name) && result.skipped.as_ref().is_some_and(Skip::is_gap)
        });
        left_out.count() == 0
    };
    match claimed {
        Some(Status::Fail) => ExitCode::Failed,
        _ if is_answered => ExitCode::Passed,
        _ => ExitCode::Inconclusive,
    }
}
