//! `lastmeter device`: one device or gateway by itself, in real time, on real lines.

use std::time::Duration;

use clap::Args;
use lastmeter_params::{Dimension, parse_quantity};
use lastmeter_reports::ExitCode;

use crate::gateway::{self, GatewayOptions, OnLines};
use crate::output::print_err;

/// What to run, and where.
#[derive(Clone, Debug, Args)]
pub struct DeviceOptions {
    /// The model, such as m-bus-concentrator
    pub model: String,
    /// The line it is on: `pty`, `pty:PATH`, a serial line such as /dev/ttyUSB0, `tcp:HOST:PORT`,
    /// `tcp-listen:HOST:PORT` or `udp:HOST:PORT`; a gateway can be on several
    #[arg(long, value_name = "LINE")]
    pub on: Vec<String>,
    /// A field of the model, as in `poll_every="1 min"`
    #[arg(long, value_name = "KEY=VALUE")]
    pub set: Vec<String>,
    /// End by itself after so long; else at a signal
    #[arg(long = "for", value_name = "TIME", value_parser = length)]
    pub length: Option<Duration>,
    /// What only gateways have.
    #[command(flatten)]
    pub gateway: GatewayOptions,
}

/// A time with its unit, such as `90 s`.
fn length(text: &str) -> Result<Duration, String> {
    let (seconds, _) = parse_quantity(text, &[Dimension::Time])
        .map_err(|_| "expected a time with its unit, such as `90 s`".to_owned())?;
    Duration::try_from_secs_f64(seconds).map_err(|error| error.to_string())
}

/// Runs it; says how it ended.
pub fn device(options: &DeviceOptions) -> ExitCode {
    let DeviceOptions { model, on, set, length, .. } = options;
    if let Some(kind) = gateway::kind_of(model) {
        let lines = OnLines { on, set, length: *length };
        return gateway::run(kind, &options.gateway, &lines);
    }
    print_err(&format!("error: there is no model `{model}` that runs by itself"));
    ExitCode::BadInput
}
