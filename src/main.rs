//! The command line: parses, dispatches, turns the outcome into an exit code. No behaviour here.
//!
//! Results and data go to standard output; progress, logs and errors to standard error.

mod arguments;
mod command;

use clap::Parser;
use lastmeter_reports::ExitCode;

fn main() -> std::process::ExitCode {
    let arguments = arguments::Arguments::parse();
    lastmeter_commands::show_log(arguments.verbose);
    // A broken invariant is a panic, and to the caller the bench is broken, not the scenario bad.
    let outcome =
        std::panic::catch_unwind(|| command::dispatch(arguments.command, arguments.color));
    let code = outcome.unwrap_or(ExitCode::Broken);
    if lastmeter_bench::output::output_was_lost() {
        lastmeter_bench::output::print_err("error: standard output could not be written");
        return ExitCode::worst_of([code, ExitCode::Broken]).into();
    }
    code.into()
}
