//! The command line of `lastmeter grid`.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use clap::builder::TypedValueParser;
use lastmeter_bench::output::Format;
use lastmeter_grid::Complex64;
use lastmeter_grid::diagram::Colouring;
use lastmeter_grid::short_circuit::Scaling;
use lastmeter_language::one_of;

/// What `lastmeter grid` is asked with.
#[derive(Clone, Debug, Args)]
#[command(after_help = "Examples:
  lastmeter grid feeder.dss
  lastmeter grid network.json --asym --format json
  lastmeter grid feeder.dss --svg feeder.svg --color-by loading --timings
  lastmeter grid network.json --sc --format json
  lastmeter grid feeder.dss --sc --fault ag@671 --fault abc@650632:0.5
  lastmeter grid feeder.dss --sc --fault abc@671 --loaded --svg fault.svg
  lastmeter grid feeder.dss --sc --fault-sweep --format csv
  lastmeter grid feeder.dss --series day.csv --format csv
  lastmeter grid feeder.toml --play 0.2s --event \"20ms fault ag@n3 0.1\" --event \"70ms clear ag@n3\"")]
pub struct GridOptions {
    /// A network: JSON of power-grid-model (.json), an `OpenDSS` script, or our own TOML (.toml)
    pub file: PathBuf,
    /// Phase by phase, where the file alone would be solved by its positive sequence
    #[arg(long)]
    pub asym: bool,
    /// Largest change of a voltage in the last iteration, per unit
    #[arg(long, value_name = "PU", default_value_t = 1e-8, value_parser = tolerance)]
    pub tolerance: f64,
    /// Leave taps where they are, whatever regulators want
    #[arg(long)]
    pub fixed_taps: bool,
    /// A table for people, one JSON document, or CSV rows
    #[arg(long, value_enum, default_value_t = Format::Table)]
    pub format: Format,
    /// Write the one-line diagram, of the power flow or of one short circuit
    #[arg(long, value_name = "FILE")]
    pub svg: Option<PathBuf>,
    /// What its colours mean
    #[arg(long, alias = "colour", value_parser = colourings(), default_value = "voltage", requires = "svg")]
    pub color_by: Colouring,
    /// Write the network as JSON of power-grid-model
    #[arg(long, value_name = "FILE")]
    pub write: Option<PathBuf>,
    /// Solve step by step with loads of a table: CSV `time,LOAD,...`, watts (`LOAD.q_var`: vars);
    /// of a generator what it delivers
    #[arg(long, value_name = "FILE", conflicts_with_all = [
        "sc", "svg", "color_by", "write", "faults", "fault_sweep", "fault_resistance",
        "fault_reactance", "loaded", "sources",
    ])]
    pub series: Option<PathBuf>,
    /// Report what reading and solving took
    #[arg(long, alias = "time")]
    pub timings: bool,
    /// Short circuits instead of the power flow: those of the file (`fault` of power-grid-model),
    /// or those of --fault or --fault-sweep
    #[arg(long)]
    pub sc: bool,
    /// Which short circuits.
    #[command(flatten)]
    pub short_circuits: ShortCircuits,
    /// What is played.
    #[command(flatten)]
    pub transients: Transients,
}

/// What is played instant by instant.
#[derive(Clone, Debug, Args)]
pub struct Transients {
    /// Play the network so long, instant by instant from its steady state on, instead of the power
    /// flow
    #[arg(long, value_name = "TIME", value_parser = crate::ending::length, conflicts_with_all = [
        "sc", "svg", "color_by", "write", "series", "asym",
    ])]
    pub play: Option<Duration>,
    /// What happens on the way: `20ms fault ag@NODE 0.5`, `120ms clear ag@NODE`, `60ms open SWITCH`
    /// or `close`, of single wires too (`60ms open LINE n`, a lost neutral),
    /// `10ms source NAME 0.9`; may be repeated
    #[arg(long = "event", value_name = "TIME WHAT", requires = "play")]
    pub events: Vec<String>,
    /// A gG fuse in each pole of a switch: `F1 63A`, or with its place between the gates of the
    /// standard from 0 (fastest) to 1, `F1 63A 0.2`; may be repeated
    #[arg(long = "fuse", value_name = "SWITCH RATING", requires = "play")]
    pub fuses: Vec<String>,
    /// The length of a step
    #[arg(long, value_name = "TIME", default_value = "50us", value_parser = crate::ending::length, requires = "play")]
    pub step: Duration,
    /// Show the voltages of a node, the currents of a line, a switch or a source; may be repeated.
    /// Without any: sources, and what has a fault
    #[arg(long, value_name = "NAME", requires = "play")]
    pub watch: Vec<String>,
    /// What is shown and written is so far apart; the step if left out
    #[arg(long, value_name = "TIME", value_parser = crate::ending::length, requires = "play")]
    pub every: Option<Duration>,
    /// Write what is watched as COMTRADE (2013, FLOAT32): this file and a `.dat` beside it
    #[arg(long, value_name = "FILE.cfg", requires = "play")]
    pub comtrade: Option<PathBuf>,
}

/// Which short circuits are wanted.
#[derive(Clone, Debug, Args)]
pub struct ShortCircuits {
    /// A fault, by itself: abc, ag, ab, an, abg, open-a ... at a node, or at a share of a line from
    /// its first end; may be repeated
    #[arg(long = "fault", value_name = "KIND@NODE|LINE:SHARE", requires = "sc")]
    pub faults: Vec<String>,
    /// Every fault at every node
    #[arg(long, requires = "sc", conflicts_with = "faults")]
    pub fault_sweep: bool,
    /// Resistance of the faults asked for
    #[arg(long, value_name = "OHM", default_value_t = 0.0, value_parser = ohms, requires = "sc")]
    pub fault_resistance: f64,
    /// Reactance of the faults asked for
    #[arg(long, value_name = "OHM", default_value_t = 0.0, value_parser = ohms, requires = "sc")]
    pub fault_reactance: f64,
    /// With loads: the admittances that they were in the power flow before the fault. Sources are
    /// as described, taps where regulators left them
    #[arg(long, requires = "sc", conflicts_with = "sources")]
    pub loaded: bool,
    /// How high sources' voltages are: c of IEC 60909 for the largest or the smallest current, or
    /// as described
    #[arg(long, value_parser = scalings(), default_value = "maximum", requires = "sc")]
    pub sources: Scaling,
}

impl ShortCircuits {
    /// Impedance of the faults asked for, ohm.
    pub(crate) fn impedance_ohm(&self) -> Complex64 {
        Complex64::new(self.fault_resistance, self.fault_reactance)
    }
}

/// What the colours of a diagram mean.
fn colourings() -> impl TypedValueParser<Value = Colouring> {
    one_of(&[
        ("voltage", "The lowest voltage of a node, per unit", Colouring::Voltage),
        (
            "loading",
            "What flows through an element as a share of its rating: current of lines and \
             switches, power of transformers",
            Colouring::Loading,
        ),
    ])
}

/// How high sources are in short circuits.
fn scalings() -> impl TypedValueParser<Value = Scaling> {
    one_of(&[
        ("maximum", "The rated voltage times c for the largest current", Scaling::Maximum),
        ("minimum", "The rated voltage times c for the smallest current", Scaling::Minimum),
        ("actual", "As they are described", Scaling::Actual),
    ])
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
