//! What may stand on the command line.

use std::iter;
use std::path::PathBuf;

use clap::builder::{PossibleValue, PossibleValuesParser};
use clap::{Parser, Subcommand};
use lastmeter_bench::output::{Color, TextFormat};
use lastmeter_bench::suite::SuiteOptions;
use lastmeter_commands::accuracy::AccuracyOptions;
use lastmeter_commands::app::AppOptions;
use lastmeter_commands::boards::BoardsOptions;
use lastmeter_commands::can::CanCommand;
use lastmeter_commands::certificates::CertificatesOptions;
use lastmeter_commands::compare::CompareOptions;
use lastmeter_commands::demo::DemoOptions;
use lastmeter_commands::device::DeviceOptions;
use lastmeter_commands::doctor::DoctorOptions;
use lastmeter_commands::grid::GridOptions;
use lastmeter_commands::measure::MeasureOptions;
use lastmeter_commands::new;
use lastmeter_commands::rts::RtsCommand;
use lastmeter_commands::serve::ServeOptions;
use lastmeter_commands::store::{AuditCommand, StoreCommand};
use lastmeter_language::{TimeMode, time_modes};

/// Version and commit.
const VERSION: &str = concat!(env!("CARGO_PKG_VERSION"), " (", env!("LASTMETER_COMMIT"), ")");

/// Simulation and test bench for smart metering.
#[derive(Debug, Parser)]
#[command(version = VERSION, propagate_version = true, max_term_width = 100)]
#[command(after_help = "Examples:
  lastmeter run first-light
  lastmeter run scenarios/library --out results
  lastmeter accuracy stpm34-3ph --test-plan iec-62053-22-2003
  lastmeter validate my-scenario.toml
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
    /// Show on standard error what the bench and its platform log; twice: everything
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    pub(crate) verbose: u8,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What `lastmeter list` takes.
fn listed() -> PossibleValuesParser {
    let test_plans = PossibleValue::new("test-plans").alias("suites");
    let registered = [
        "sources",
        "doors",
        "links",
        "networks",
        "devices",
        "gateways",
        "applications",
        "injections",
        "commands",
        "checks",
        "profiles",
        "defects",
        "quantities",
    ];
    let all = iter::once("scenarios").chain(registered).map(PossibleValue::new);
    PossibleValuesParser::new(all.chain([test_plans, PossibleValue::new("reasons")]))
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run scenario files or folders
    Run(SuiteOptions),
    /// Test a meter against a standard: class verdict, worst points, report
    Accuracy(AccuracyOptions),
    /// Validate scenario files without running them; every error of every file at once
    #[command(alias = "check")]
    Validate {
        /// Scenario files or folders
        #[arg(required = true)]
        paths: Vec<PathBuf>,
        /// Solve and play the networks of scenarios too, and report what only that shows: a step
        /// without a solution, a defect without effect, an element that nothing can happen to. May
        /// take as long as a run's first part; without it a network is read and not solved
        #[arg(long)]
        play: bool,
        /// Override a scenario value, as in `device.home.voltage_gain_error="1 %"`; by its number
        /// where a table has no name, or shares it: `inject.1.at="2 min"`,
        /// `grid.load.h1.2.scale=0.5`
        #[arg(long = "set", value_name = "KEY=VALUE")]
        set: Vec<String>,
        /// Whether to run as fast as it can, or by the clock on the wall
        #[arg(long, value_parser = time_modes())]
        time: Option<TimeMode>,
        /// For people, or one JSON object per error and line
        #[arg(long, value_enum, default_value_t = TextFormat::Human)]
        format: TextFormat,
    },
    /// List what there is: scenarios, sources, links, devices, injections, commands, checks,
    /// profiles and defects of a network, quantities, test plans, reasons of verdicts
    List {
        /// Which kind; everything registered if left out
        #[arg(value_parser = listed())]
        what: Option<String>,
        /// Where to look for scenarios
        paths: Vec<PathBuf>,
        /// For people, or one JSON document
        #[arg(long, value_enum, default_value_t = TextFormat::Human)]
        format: TextFormat,
    },
    /// Describe a registered thing or an error code
    Explain {
        /// A source, link preset, device, injection, command, check, profile, defect, section or a
        /// key of one, test plan, `network` or a key of one, the reason of a verdict such as
        /// host-load, a requirement such as F-04, or an error code such as S004
        name: String,
    },
    /// Judge and render a run folder again, or a suite folder, without running
    Report {
        /// A run folder or a suite folder
        run: PathBuf,
        /// For people, or the verdicts as JSON
        #[arg(long, value_enum, default_value_t = TextFormat::Human)]
        format: TextFormat,
    },
    /// Which requirements runs cover: by checks that passed, and twins of them that went red
    Coverage {
        /// Folders of runs and suites, of scenarios and of their must-fail twins
        #[arg(required = true)]
        folders: Vec<PathBuf>,
        /// For people, or one JSON document
        #[arg(long, value_enum, default_value_t = TextFormat::Human)]
        format: TextFormat,
    },
    /// Join the suite folders of all shards in a new one
    Merge {
        /// The suite folders, one for each shard
        #[arg(required = true)]
        suites: Vec<PathBuf>,
        /// Where the whole suite goes
        #[arg(long, value_name = "DIR")]
        out: PathBuf,
    },
    /// Write a start of your own: a scenario, or one with a check or a device that is a program
    New {
        /// What to write
        #[arg(value_enum)]
        what: new::Template,
        /// Its name: files NAME.toml and NAME.py
        name: String,
    },
    /// Compare runs with others, or with a baseline: what changed, and what got worse
    Compare(CompareOptions),
    /// Print the JSON Schema of the scenario language
    Schema,
    /// Run the metering platform alone
    Serve(ServeOptions),
    /// Play a household for fourteen days, then serve its pages to look at
    Demo(DemoOptions),
    /// Verify, back up, restore, export and import the data of a platform that does not run
    #[command(subcommand)]
    Store(StoreCommand),
    /// Verify the audit of a platform that does not run
    #[command(subcommand)]
    Audit(AuditCommand),
    /// Run a gateway or meters alone, in real time, on a real line
    Device(DeviceOptions),
    /// Run an application of the grid or the home alone, beside any platform
    App(AppOptions),
    /// Real-time simulators: check point maps, carry what they send to a broker
    #[command(subcommand)]
    Rts(RtsCommand),
    /// List the boards that can be used, and serial lines; find out what answers on a port
    Boards(BoardsOptions),
    /// Show and send frames on a CAN bus behind an SLCAN adapter
    #[command(subcommand)]
    Can(CanCommand),
    /// Make certificates for the platform and its devices
    Certificates(CertificatesOptions),
    /// Measure a COMTRADE or CSV recording
    Measure(MeasureOptions),
    /// Solve the power flow of a network
    Grid(GridOptions),
    /// Report what this machine can measure, what it cannot, and what to do about it
    Doctor(DoctorOptions),
    /// Print a shell's completion script
    Completions {
        /// For which shell
        #[arg(value_enum)]
        shell: clap_complete::Shell,
    },
}

#[cfg(test)]
mod tests {
    use clap::{CommandFactory, Parser};

    use lastmeter_bench::output::Format;
    use lastmeter_commands::grid::Colouring;

    use super::*;

    fn read(line: &str) -> Command {
        let words = iter::once("lastmeter").chain(line.split(' '));
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
            assert_eq!((grid.timings, grid.color_by), (true, Colouring::Loading), "{line}");
        }
        for name in ["validate", "check"] {
            assert!(matches!(read(&format!("{name} a.toml")), Command::Validate { .. }), "{name}");
        }
        for name in ["test-plans", "suites"] {
            assert!(matches!(read(&format!("list {name}")), Command::List { .. }), "{name}");
        }
        for option in ["--test-plan", "--suite"] {
            let line = format!("accuracy ideal-1ph {option} mid-annex-v");
            let Command::Accuracy(accuracy) = read(&line) else { panic!("{line}") };
            assert_eq!(accuracy.test_plan, "mid-annex-v");
        }
        let Command::Measure(measure) = read("measure a.csv --format human") else { panic!() };
        assert_eq!(measure.format, Format::Table);
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
                let found: Vec<&str> = found.iter().map(PossibleValue::get_name).collect();
                assert_eq!(found, values, "{name}");
            }
        }
    }
}
