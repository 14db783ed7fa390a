//! The command line of `lastmeter accuracy`.

use std::path::PathBuf;

use clap::Args;
use lastmeter_bench::output::TextFormat;

/// What `lastmeter accuracy` is asked with.
#[derive(Clone, Debug, Args)]
#[command(after_help = "Examples:
  lastmeter accuracy stpm34-3ph --test-plan iec-62053-22-2003
  lastmeter accuracy stpm34-3ph --test-plan iec-62053-22-2003 --set meter.current_gain_error=\"0.3 %\"
  lastmeter accuracy my-scenario.toml --test-plan my-test-plan.toml --class B --test 'error-*'")]
pub struct AccuracyOptions {
    /// A device model (`lastmeter list devices`), or a scenario file with one device under test
    pub meter: String,
    /// A test plan (`lastmeter list test-plans`), or a test-plan file
    #[arg(long, alias = "suite", value_name = "NAME")]
    pub test_plan: String,
    /// The class that is claimed [default: the test plan's]
    #[arg(long, value_name = "CLASS")]
    pub class: Option<String>,
    /// How the meter is connected [default: the test plan's first]
    #[arg(long, value_parser = ["direct", "transformer"])]
    pub connection: Option<String>,
    /// Play only these tests: a name or pattern; may be repeated
    #[arg(long = "test", value_name = "NAME")]
    pub tests: Vec<String>,
    /// Override a value of the meter, as in `meter.voltage_gain_error="1 %"`, or of the test plan's
    /// claim, as in `test_plan.pulse_constant=10000`
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub set: Vec<String>,
    /// Where the results go [default: runs/NAME-TIME]
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// For people, or one JSON document
    #[arg(long, value_enum, default_value_t = TextFormat::Human)]
    pub format: TextFormat,
    /// Whether words are coloured
    #[arg(skip)]
    pub color: bool,
}
