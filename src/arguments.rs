//! What may stand on the command line.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use lastmeter_scenarios::certificates::CertificatesOptions;
use lastmeter_scenarios::measure::SimTime;
use lastmeter_scenarios::output;
use lastmeter_scenarios::serve::ServeOptions;

/// Simulation and test bench for smart metering.
#[derive(Debug, Parser)]
#[command(version, propagate_version = true, max_term_width = 100)]
#[command(after_help = "Examples:
  lastmeter run scenarios/library/first-light.toml
  lastmeter run scenarios/library --out results
  lastmeter accuracy stpm34-3ph --suite iec-62053-22-2003
  lastmeter check my-scenario.toml
  lastmeter explain no_loss
  lastmeter doctor

Exit codes:
  0    at least one check passed, none failed, none inconclusive, none in error
  1    a check failed
  2    bad command line or scenario
  3    the bench could not be set up, broke or panicked; a check ended in error
  4    nothing was evaluated (nothing selected, or all skipped)
  5    nothing failed, but a check was inconclusive
  130  interrupted (SIGINT, Ctrl-C); 143 by SIGTERM, 129 by SIGHUP")]
pub(crate) struct Arguments {
    /// When to colour the output
    #[arg(long, global = true, value_enum, default_value_t = Color::Auto)]
    pub(crate) color: Color,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// When to colour the output.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Color {
    /// On a terminal, and without `NO_COLOR` in the environment
    Auto,
    /// Always
    Always,
    /// Never
    Never,
}

/// What to print results as.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// For people
    Human,
    /// For programs
    Json,
}

/// What clock a scenario runs by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Time {
    /// As fast as it can; latency is not judged
    Virtual,
    /// The clock on the wall
    Real,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run scenario files or folders
    Run(RunArguments),
    /// Test a meter against a standard: class verdict, worst points, report
    Accuracy(AccuracyArguments),
    /// Validate scenario files without running them; every error of every file at once
    Check {
        /// Scenario files or folders
        #[arg(required = true)]
        paths: Vec<PathBuf>,
        /// Override a scenario value, as in `device.home.voltage_gain_error="1 %"`; by its number
        /// where a table has no name, or shares it: `inject.1.at="2 min"`,
        /// `grid.load.h1.2.scale=0.5`
        #[arg(long = "set", value_name = "KEY=VALUE")]
        set: Vec<String>,
        /// Whether to run as fast as it can, or by the clock on the wall
        #[arg(long, value_enum)]
        time: Option<Time>,
        /// For people, or one JSON object per error and line
        #[arg(long, value_enum, default_value_t = Format::Human)]
        format: Format,
    },
    /// List what there is: scenarios, sources, links, devices, injections, checks, profiles and
    /// defects of a network, quantities, suites, reasons of verdicts
    List {
        /// Which kind; everything registered if left out
        #[arg(value_parser = ["scenarios", "sources", "links", "devices", "injections", "checks", "profiles", "defects", "quantities", "suites", "reasons"])]
        what: Option<String>,
        /// Where to look for scenarios
        paths: Vec<PathBuf>,
        /// For people, or one JSON document
        #[arg(long, value_enum, default_value_t = Format::Human)]
        format: Format,
    },
    /// Describe a registered thing or an error code
    Explain {
        /// A source, link preset, device, injection, check, profile, defect, section, suite,
        /// `network` or a key of one, the reason of a verdict such as host-load, or an error code
        /// such as S004
        name: String,
    },
    /// Judge and render a run folder again, without running
    Report {
        /// A run folder
        run: PathBuf,
        /// For people, or the verdicts as JSON
        #[arg(long, value_enum, default_value_t = Format::Human)]
        format: Format,
    },
    /// Print the JSON Schema of the scenario language
    Schema,
    /// Run the metering platform alone
    Serve(ServeOptions),
    /// Make certificates for the platform and its devices
    Certificates(CertificatesOptions),
    /// Measure a COMTRADE or CSV recording
    Measure(MeasureArguments),
    /// Solve the power flow of a network
    Grid(GridArguments),
    /// Report what this machine can measure, what it cannot, and what to do about it
    Doctor(DoctorArguments),
    /// Print a shell's completion script
    Completions {
        /// For which shell
        #[arg(value_enum)]
        shell: clap_complete::Shell,
    },
}

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  lastmeter accuracy stpm34-3ph --suite iec-62053-22-2003
  lastmeter accuracy stpm34-3ph --suite iec-62053-22-2003 --set meter.current_gain_error=\"0.3 %\"
  lastmeter accuracy my-scenario.toml --suite my-suite.toml --class B --test 'error-*'")]
pub(crate) struct AccuracyArguments {
    /// A device model (`lastmeter list devices`), or a scenario file with one device under test
    pub(crate) meter: String,
    /// A suite (`lastmeter list suites`), or a suite file
    #[arg(long, value_name = "SUITE")]
    pub(crate) suite: String,
    /// The class that is claimed [default: the suite's]
    #[arg(long, value_name = "CLASS")]
    pub(crate) class: Option<String>,
    /// How the meter is connected [default: the suite's first]
    #[arg(long, value_parser = ["direct", "transformer"])]
    pub(crate) connection: Option<String>,
    /// Play only these tests: a name or pattern; may be repeated
    #[arg(long = "test", value_name = "NAME")]
    pub(crate) tests: Vec<String>,
    /// Override a value of the meter, as in `meter.voltage_gain_error="1 %"`, or of the suite's
    /// claim, as in `suite.pulse_constant=10000`
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub(crate) set: Vec<String>,
    /// Where the results go [default: runs/NAME-TIME]
    #[arg(long, value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,
    /// For people, or one JSON document
    #[arg(long, value_enum, default_value_t = Format::Human)]
    pub(crate) format: Format,
}

#[derive(Debug, Args)]
pub(crate) struct RunArguments {
    /// Scenario files or folders
    #[arg(required = true)]
    pub(crate) paths: Vec<PathBuf>,
    /// Where the results go [default: runs/NAME-TIME]
    #[arg(long, value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,
    /// Run only what fits: a name or pattern, `tag:WORD` or `covers:ROW`, any of several joined by
    /// commas, `!` before what must not fit; given more than once, all have to fit
    #[arg(long = "filter", value_name = "EXPR")]
    pub(crate) filters: Vec<String>,
    /// Override a scenario value, as in `device.home.voltage_gain_error="1 %"`; by its number
    /// where a table has no name, or shares it: `inject.1.at="2 min"`, `grid.load.h1.2.scale=0.5`
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub(crate) set: Vec<String>,
    /// Override the scenario's seed
    #[arg(long, value_name = "N")]
    pub(crate) seed: Option<u64>,
    /// Whether to run as fast as it can, or by the clock on the wall; what needs the other one is
    /// skipped
    #[arg(long, value_enum)]
    pub(crate) time: Option<Time>,
    /// embedded, child, or a profile file with the addresses of a platform
    #[arg(long, value_name = "PLATFORM")]
    pub(crate) platform: Option<String>,
    /// Run only the must-fail twins, and pass if each fails by its named check
    #[arg(long)]
    pub(crate) must_fail: bool,
    /// Run nothing if one of the files is broken; else such a file is an error of the suite, and
    /// the rest runs
    #[arg(long)]
    pub(crate) strict: bool,
    /// End a scenario that takes longer in wall time, such as `90 s`
    #[arg(long, value_name = "TIME")]
    pub(crate) timeout: Option<String>,
    /// How long a real-time run waits for a machine on which all its checks can be judged, as in
    /// 2min; then it runs anyway
    #[arg(long, value_name = "TIME")]
    pub(crate) wait_quiet: Option<String>,
    /// Ask for no real-time priority, which a run in real time otherwise uses if it is granted
    #[arg(long)]
    pub(crate) normal_priority: bool,
    /// For people, or one JSON object per event and line
    #[arg(long, value_enum, default_value_t = Format::Human)]
    pub(crate) format: Format,
    /// No progress line, even on a terminal
    #[arg(long)]
    pub(crate) no_progress: bool,
}

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  lastmeter doctor
  lastmeter doctor --quick --format json
  lastmeter doctor --out /srv/results

Reports rights, processors, clocks and timers, the disk, the way through a broker, and equipment,
each as ok, limited or no with what to do about it; and which transfer-time classes TT6 to TT0 can
be judged here: those whose limit is at least ten times the floor's 99th percentile.

Exit codes:
  0    everything could be measured, whatever was found
  3    something could not be measured at all")]
pub(crate) struct DoctorArguments {
    /// Take a few seconds instead of half a minute; percentiles are rougher
    #[arg(long)]
    pub(crate) quick: bool,
    /// The folder results would go to: its disk is tried
    #[arg(long, value_name = "DIR", default_value = "runs")]
    pub(crate) out: PathBuf,
    /// For people, or one JSON document
    #[arg(long, value_enum, default_value_t = Format::Human)]
    pub(crate) format: Format,
}

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  lastmeter measure fault.cfg
  lastmeter measure fault.cfg --declared-voltage 127017
  lastmeter measure generator.csv --voltage Va,Vb,Vc --current Ia,Ib,Ic --format json
  lastmeter measure week.csv --start 2026-11-16T00:00:00Z
  lastmeter measure fault.cfg --waveform fault-32.csv --per-cycle 32
  lastmeter measure generator.csv --voltage Va,Vb,Vc --current Ia,Ib,Ic --spectrum table.csv")]
pub(crate) struct MeasureArguments {
    /// A COMTRADE configuration (.cfg beside its .dat, or .cff) or a CSV file
    pub(crate) file: PathBuf,
    /// Voltage columns or channels, each the exact name or a unique part of one
    #[arg(long, value_delimiter = ',', value_name = "NAME,...")]
    pub(crate) voltage: Vec<String>,
    /// Current columns or channels, each the exact name or a unique part of one
    #[arg(long, value_delimiter = ',', value_name = "NAME,...")]
    pub(crate) current: Vec<String>,
    /// The column of a CSV file that holds the time
    #[arg(long, alias = "time", value_name = "COLUMN", conflicts_with = "rate")]
    pub(crate) time_column: Option<String>,
    /// Samples per second of a CSV file without time column
    #[arg(long, value_name = "HERTZ", value_parser = bare_number)]
    pub(crate) rate: Option<f64>,
    /// When the first sample was taken, as in 2026-11-20T09:59:58.5Z: intervals of ten minutes
    /// begin with the clock; without it, the recording's start
    #[arg(long, value_name = "TIME")]
    pub(crate) start: Option<SimTime>,
    /// Measure only what lies within 15 % of this frequency; without it the signal decides,
    /// whatever the recording states
    #[arg(long, value_parser = ["50", "60"])]
    pub(crate) nominal: Option<String>,
    /// The declared voltage in V (of a phase) that dips, swells and EN 50160's limits are relative
    /// to; without it, 230 V or 120 V where the recording begins near that
    #[arg(long, value_name = "VOLTS", value_parser = bare_number)]
    pub(crate) declared_voltage: Option<f64>,
    /// The lamp flicker is meant for, by its voltage; without it, by the declared voltage
    #[arg(long, value_parser = ["230", "120"])]
    pub(crate) lamp: Option<String>,
    /// A table for people, one JSON document, or CSV rows
    #[arg(long, value_enum, default_value_t = output::Format::Table)]
    pub(crate) format: output::Format,
    /// Write the recording's spectrum table, which a `spectrum` source plays back
    #[arg(long, value_name = "FILE")]
    pub(crate) spectrum: Option<PathBuf>,
    /// Write the waveforms at a whole number of points per cycle, as fault location takes them
    #[arg(long, value_name = "FILE")]
    pub(crate) waveform: Option<PathBuf>,
    /// Points per cycle of the waveforms, a power of two from 4 to 1024
    #[arg(long, value_name = "N", default_value_t = 32, requires = "waveform")]
    pub(crate) per_cycle: usize,
    /// Write the RMS values and power of one cycle, refreshed every half cycle, as CSV
    #[arg(long, value_name = "FILE")]
    pub(crate) half_cycles: Option<PathBuf>,
    /// Leave lines out of the spectrum table that are smaller than this share of the fundamental
    #[arg(long, value_name = "RATIO", default_value_t = 1e-4, requires = "spectrum")]
    pub(crate) threshold: f64,
}

/// What the colours of a diagram mean.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum GridColor {
    /// The lowest voltage of a node, per unit
    Voltage,
    /// What flows through an element as a share of its rating: current of lines and switches, power
    /// of transformers
    Loading,
}

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  lastmeter grid feeder.dss
  lastmeter grid network.json --asym --format json
  lastmeter grid feeder.dss --svg feeder.svg --color-by loading --timings
  lastmeter grid network.json --sc --format json
  lastmeter grid feeder.dss --sc --fault ag@671 --fault abc@650632:0.5
  lastmeter grid feeder.dss --sc --fault abc@671 --loaded --svg fault.svg
  lastmeter grid feeder.dss --sc --fault-sweep --format csv
  lastmeter grid feeder.dss --series day.csv --format csv")]
pub(crate) struct GridArguments {
    /// A network: JSON of power-grid-model (.json), an `OpenDSS` script, or our own TOML (.toml)
    pub(crate) file: PathBuf,
    /// Phase by phase, where the file alone would be solved by its positive sequence
    #[arg(long)]
    pub(crate) asym: bool,
    /// Largest change of a voltage in the last iteration, per unit
    #[arg(long, value_name = "PU", default_value_t = 1e-8, value_parser = tolerance)]
    pub(crate) tolerance: f64,
    /// Leave taps where they are, whatever regulators want
    #[arg(long)]
    pub(crate) fixed_taps: bool,
    /// A table for people, one JSON document, or CSV rows
    #[arg(long, value_enum, default_value_t = output::Format::Table)]
    pub(crate) format: output::Format,
    /// Write the one-line diagram, of the power flow or of one short circuit
    #[arg(long, value_name = "FILE")]
    pub(crate) svg: Option<PathBuf>,
    /// What its colours mean
    #[arg(long, alias = "colour", value_enum, default_value_t = GridColor::Voltage, requires = "svg")]
    pub(crate) color_by: GridColor,
    /// Write the network as JSON of power-grid-model
    #[arg(long, value_name = "FILE")]
    pub(crate) write: Option<PathBuf>,
    /// Solve step by step with loads of a table: CSV `time,LOAD,...`, watts (`LOAD.q_var`: vars);
    /// of a generator what it delivers
    #[arg(long, value_name = "FILE", conflicts_with_all = [
        "sc", "svg", "color_by", "write", "faults", "fault_sweep", "fault_resistance",
        "fault_reactance", "loaded", "sources",
    ])]
    pub(crate) series: Option<PathBuf>,
    /// Report what reading and solving took
    #[arg(long, alias = "time")]
    pub(crate) timings: bool,
    /// Short circuits instead of the power flow: those of the file (`fault` of power-grid-model),
    /// or those of --fault or --fault-sweep
    #[arg(long)]
    pub(crate) sc: bool,
    /// A fault, by itself: abc, ag, ab, an, abg, open-a ... at a node, or at a share of a line from
    /// its first end; may be repeated
    #[arg(long = "fault", value_name = "KIND@NODE|LINE:SHARE", requires = "sc")]
    pub(crate) faults: Vec<String>,
    /// Every fault at every node
    #[arg(long, requires = "sc", conflicts_with = "faults")]
    pub(crate) fault_sweep: bool,
    /// Resistance of the faults asked for
    #[arg(long, value_name = "OHM", default_value_t = 0.0, value_parser = ohms, requires = "sc")]
    pub(crate) fault_resistance: f64,
    /// Reactance of the faults asked for
    #[arg(long, value_name = "OHM", default_value_t = 0.0, value_parser = ohms, requires = "sc")]
    pub(crate) fault_reactance: f64,
    /// With loads: the admittances that they were in the power flow before the fault. Sources are
    /// as described, taps where regulators left them
    #[arg(long, requires = "sc", conflicts_with = "sources")]
    pub(crate) loaded: bool,
    /// How high sources' voltages are: c of IEC 60909 for the largest or the smallest current, or
    /// as described
    #[arg(long, value_enum, default_value_t = GridSources::Maximum, requires = "sc")]
    pub(crate) sources: GridSources,
}

/// How high sources are in short circuits.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum GridSources {
    /// The rated voltage times c for the largest current
    Maximum,
    /// The rated voltage times c for the smallest current
    Minimum,
    /// As they are described
    Actual,
}

/// A resistance or reactance that can be.
fn ohms(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(ohm) if ohm.is_finite() && ohm >= 0.0 => Ok(ohm),
        _ => Err("expected a number of ohms, 0 or more".to_owned()),
    }
}

/// A tolerance that a calculation with 64 bits can meet, and that means something.
fn tolerance(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(value) if (1e-13..=1e-2).contains(&value) => Ok(value),
        _ => Err("a number from 1e-13 to 1e-2 is expected".to_owned()),
    }
}

/// A number whose unit is fixed.
fn bare_number(text: &str) -> Result<f64, String> {
    text.parse().map_err(|_| "expected a number without its unit, as in 230".to_owned())
}

#[cfg(test)]
mod tests {
    use clap::{CommandFactory, Parser};

    use super::*;

    fn read(line: &str) -> Command {
        let words = std::iter::once("lastmeter").chain(line.split(' '));
        Arguments::try_parse_from(words).unwrap().command
    }

    #[test]
    fn options_that_had_another_name_still_go_by_it() {
        for column in ["--time-column", "--time"] {
            let line = format!("measure a.csv {column} seconds");
            let Command::Measure(measure) = read(&line) else { panic!("{line}") };
            assert_eq!(measure.time_column.as_deref(), Some("seconds"), "{line}");
        }
        for names in ["--timings --color-by", "--time --colour"] {
            let line = format!("grid a.dss --svg a.svg {names} loading");
            let Command::Grid(grid) = read(&line) else { panic!("{line}") };
            assert_eq!((grid.timings, grid.color_by), (true, GridColor::Loading), "{line}");
        }
        let Command::Measure(measure) = read("measure a.csv --format human") else { panic!() };
        assert_eq!(measure.format, output::Format::Table);
    }

    #[test]
    fn time_and_color_mean_one_thing_each() {
        let mut command = Arguments::command();
        command.build();
        let options: Vec<_> =
            command.get_subcommands().flat_map(clap::Command::get_arguments).collect();
        for (name, values) in
            [("time", &["virtual", "real"][..]), ("color", &["auto", "always", "never"])]
        {
            let same: Vec<_> =
                options.iter().filter(|option| option.get_long() == Some(name)).collect();
            assert!(same.len() >= 2, "{name}");
            for option in same {
                let found = option.get_possible_values();
                let found: Vec<&str> =
                    found.iter().map(clap::builder::PossibleValue::get_name).collect();
                assert_eq!(found, values, "{name}");
            }
        }
    }
}
