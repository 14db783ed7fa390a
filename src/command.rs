//! From the command line to the library, and back to an exit code.

use clap::CommandFactory;
use lastmeter_bench::output::{Color, TextFormat, write_out};
use lastmeter_bench::suite::{self, SuiteOptions};
use lastmeter_commands::accuracy::{self, AccuracyOptions};
use lastmeter_commands::doctor::{self, DoctorOptions};
use lastmeter_commands::inspect::Validation;
use lastmeter_commands::{
    app, boards, can, certificates, compare, demo, device, grid, inspect, measure, new, rts, serve,
    store, suites,
};
use lastmeter_language::LoadOptions;
use lastmeter_reports::ExitCode;

use crate::arguments::{Arguments, Command};

pub(crate) fn dispatch(command: Command, color: Color) -> ExitCode {
    let json = |format: TextFormat| format == TextFormat::Json;
    // What depends on the terminal is decided here; commands take it as an option.
    match command {
        Command::Run(options) => {
            let load = options.load.in_environment();
            suite::run(&SuiteOptions { load, color: color.on_stdout(), ..options })
        }
        Command::Accuracy(options) => {
            accuracy::accuracy(&AccuracyOptions { color: color.on_stdout(), ..options })
        }
        Command::Validate { paths, play, set, time, format } => {
            let options = LoadOptions { overrides: set, time, ..LoadOptions::from_environment() };
            let how = Validation { plays: play, json: json(format), color: color.on_stderr() };
            inspect::validate(&paths, &options, how)
        }
        Command::List { what, paths, format } => {
            inspect::list(what.as_deref(), &paths, json(format))
        }
        Command::Explain { name } => inspect::explain(&name),
        Command::Report { run, format } => inspect::report(&run, json(format)),
        Command::Coverage { folders, format } => suites::coverage(&folders, json(format)),
        Command::Merge { suites, out } => suites::merge(&suites, &out),
        Command::New { what, name } => new::new(what, &name),
        Command::Compare(options) => compare::compare(&options),
        Command::Schema => inspect::schema(),
        Command::Serve(options) => serve::serve(&options),
        Command::Demo(options) => demo::demo(&options),
        Command::Store(command) => store::store(&command),
        Command::Audit(command) => store::audit(&command),
        Command::Device(options) => device::device(&options),
        Command::App(options) => app::app(&options),
        Command::Rts(command) => rts::rts(&command),
        Command::Boards(options) => boards::boards(&options),
        Command::Can(command) => can::can(&command),
        Command::Certificates(options) => certificates::certificates(&options),
        Command::Measure(options) => measure::measure(&options),
        Command::Grid(options) => grid::grid(&options),
        Command::Doctor(options) => {
            doctor::doctor(&DoctorOptions { color: color.on_stdout(), ..options })
        }
        Command::Completions { shell } => {
            let mut command = Arguments::command();
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut command, "lastmeter", &mut script);
            write_out(|out| out.write_all(&script));
            ExitCode::Passed
        }
    }
}
