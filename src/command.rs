//! From the command line to the library, and back to an exit code.

use std::io::IsTerminal;
use std::path::PathBuf;

use clap::CommandFactory;
use lastmeter_reports::ExitCode;
use lastmeter_scenarios::accuracy::{self, AccuracyOptions};
use lastmeter_scenarios::doctor::{self, DoctorOptions};
use lastmeter_scenarios::grid::{self, Colouring, GridOptions};
use lastmeter_scenarios::language::{LoadOptions, TimeMode};
use lastmeter_scenarios::measure::{self, MeasureOptions};
use lastmeter_scenarios::output::write_out;
use lastmeter_scenarios::run::ConsoleOptions;
use lastmeter_scenarios::suite::{self, SuiteOptions};
use lastmeter_scenarios::{certificates, inspect, serve};

use crate::arguments::{
    AccuracyArguments, Arguments, Color, Command, DoctorArguments, Format, GridArguments,
    GridColor, GridSources, MeasureArguments, RunArguments, Time,
};

/// Carries out one command.
pub(crate) fn dispatch(command: Command, color: Color) -> ExitCode {
    let json = |format: Format| format == Format::Json;
    match command {
        Command::Run(arguments) => run(arguments, color),
        Command::Accuracy(arguments) => accuracy(arguments, color),
        Command::Check { paths, set, time, format } => {
            let time = time.map(mode);
            let options = LoadOptions { overrides: set, time, ..LoadOptions::from_environment() };
            inspect::check(&paths, &options, json(format), on_stderr(color))
        }
        Command::List { what, paths, format } => list(what.as_deref(), &paths, json(format)),
        Command::Explain { name } => inspect::explain(&name),
        Command::Report { run, format } => inspect::report(&run, json(format)),
        Command::Schema => inspect::schema(),
        Command::Serve(options) => serve::serve(&options),
        Command::Certificates(options) => certificates::certificates(&options),
        Command::Measure(arguments) => measure(arguments),
        Command::Grid(arguments) => grid(arguments),
        Command::Doctor(arguments) => doctor(arguments, color),
        Command::Completions { shell } => {
            let mut command = Arguments::command();
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut command, "lastmeter", &mut script);
            write_out(|out| out.write_all(&script));
            ExitCode::Passed
        }
    }
}

fn list(what: Option<&str>, paths: &[PathBuf], json: bool) -> ExitCode {
    inspect::list(what, paths, json)
}

fn accuracy(arguments: AccuracyArguments, color: Color) -> ExitCode {
    accuracy::accuracy(&AccuracyOptions {
        meter: arguments.meter,
        suite: arguments.suite,
        class: arguments.class,
        connection: arguments.connection,
        tests: arguments.tests,
        set: arguments.set,
        out: arguments.out,
        json: arguments.format == Format::Json,
        color: on_stdout(color),
        command_line: std::env::args().collect(),
    })
}

fn run(arguments: RunArguments, color: Color) -> ExitCode {
    suite::run(&SuiteOptions {
        paths: arguments.paths,
        out: arguments.out,
        filters: arguments.filters,
        load: LoadOptions {
            overrides: arguments.set,
            seed: arguments.seed,
            platform: arguments.platform,
            time: arguments.time.map(mode),
            ..LoadOptions::from_environment()
        },
        must_fail: arguments.must_fail,
        strict: arguments.strict,
        timeout: arguments.timeout,
        wait_quiet: arguments.wait_quiet,
        real_time_priority: !arguments.normal_priority,
        console: ConsoleOptions {
            json: arguments.format == Format::Json,
            color: on_stdout(color),
            progress: !arguments.no_progress,
            silent: false,
        },
    })
}

fn measure(arguments: MeasureArguments) -> ExitCode {
    measure::measure(&MeasureOptions {
        file: arguments.file,
        voltage: arguments.voltage,
        current: arguments.current,
        time: arguments.time_column,
        rate_hz: arguments.rate,
        start: arguments.start,
        nominal_hz: arguments.nominal.and_then(|text| text.parse().ok()),
        declared_voltage_v: arguments.declared_voltage,
        lamp_v: arguments.lamp.and_then(|text| text.parse().ok()),
        format: arguments.format,
        spectrum: arguments.spectrum,
        waveform: arguments.waveform,
        per_cycle: arguments.per_cycle,
        half_cycles: arguments.half_cycles,
        threshold: arguments.threshold,
    })
}

fn grid(arguments: GridArguments) -> ExitCode {
    grid::grid(&GridOptions {
        file: arguments.file,
        by_phase: arguments.asym,
        tolerance_pu: arguments.tolerance,
        fixed_taps: arguments.fixed_taps,
        format: arguments.format,
        svg: arguments.svg,
        colouring: match arguments.color_by {
            GridColor::Voltage => Colouring::Voltage,
            GridColor::Loading => Colouring::Loading,
        },
        write: arguments.write,
        timings: arguments.timings,
        series: arguments.series,
        short_circuits: arguments.sc.then_some(grid::ShortCircuits {
            faults: arguments.faults,
            everywhere: arguments.fault_sweep,
            scaling: match arguments.sources {
                GridSources::Maximum => grid::Scaling::Maximum,
                GridSources::Minimum => grid::Scaling::Minimum,
                GridSources::Actual => grid::Scaling::Actual,
            },
            loaded: arguments.loaded,
            impedance_ohm: grid::Complex64::new(
                arguments.fault_resistance,
                arguments.fault_reactance,
            ),
        }),
    })
}

fn mode(time: Time) -> TimeMode {
    match time {
        Time::Virtual => TimeMode::Virtual,
        Time::Real => TimeMode::Real,
    }
}

fn doctor(arguments: DoctorArguments, color: Color) -> ExitCode {
    doctor::doctor(&DoctorOptions {
        folder: arguments.out,
        quick: arguments.quick,
        json: arguments.format == Format::Json,
        color: on_stdout(color),
        progress: std::io::stderr().is_terminal(),
    })
}

fn on_stdout(color: Color) -> bool {
    wanted(color, std::io::stdout().is_terminal())
}

fn on_stderr(color: Color) -> bool {
    wanted(color, std::io::stderr().is_terminal())
}

fn wanted(color: Color, terminal: bool) -> bool {
    match color {
        Color::Always => true,
        Color::Never => false,
        Color::Auto => {
            terminal && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
        }
    }
}
