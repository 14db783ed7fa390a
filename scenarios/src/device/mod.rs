//! `lastmeter device`: one device or gateway by itself, in real time, on real lines.

mod meters;

use std::time::Duration;

use clap::Args;
use lastmeter_devices::{DEVICES, GATEWAYS};
use lastmeter_params::{Dimension, parse_quantity};
use lastmeter_reports::ExitCode;
use tokio::signal::unix::{SignalKind, signal};

use crate::gateway::{self, GatewayOptions, OnLines};
use crate::output::complain;
use crate::stop::or_never;

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
    /// How many meters there are on the line
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=250))]
    pub count: u32,
    /// So many of them have identifications that differ in the last digits only
    #[arg(long, value_name = "K", default_value_t = 0, value_parser = clap::value_parser!(u32).range(0..=9))]
    pub collide: u32,
    /// A key of the source that meters measure, as in `peak_flow="600 l/h"`
    #[arg(long, value_name = "KEY=VALUE")]
    pub plant: Vec<String>,
    /// The seed of its random streams
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub seed: u64,
    /// What only gateways have.
    #[command(flatten)]
    pub gateway: GatewayOptions,
}

/// A time with its unit, such as `90 s`.
pub(crate) fn length(text: &str) -> Result<Duration, String> {
    let (seconds, _) = parse_quantity(text, &[Dimension::Time])
        .map_err(|_| "expected a time with its unit, such as `90 s`".to_owned())?;
    Duration::try_from_secs_f64(seconds).map_err(|error| error.to_string())
}

/// Runs the device and returns the exit code.
pub fn device(options: &DeviceOptions) -> ExitCode {
    let DeviceOptions { model, on, set, length, .. } = options;
    if let Some(kind) = gateway::kind_of(model) {
        let lines = OnLines { on, set, length: *length, summary: false, http: None, capture: None };
        return gateway::run(kind, &options.gateway, &lines);
    }
    let found = DEVICES.iter().find(|kind| kind.entry.name == model);
    if let Some((kind, network)) = found.and_then(|kind| Some((kind, kind.on?))) {
        return meters::run(kind, network, options);
    }
    let named = DEVICES.iter().filter(|kind| kind.on.is_some()).map(|kind| kind.entry.name);
    let named: Vec<&str> = named.chain(GATEWAYS.iter().map(|kind| kind.entry.name)).collect();
    let named = named.join(", ");
    complain(&format!("no model `{model}` runs by itself, expected one of {named}"))
}

/// What ends it: a signal, or its time.
#[expect(clippy::disallowed_methods, reason = "it ends by itself after so long")]
pub(crate) fn ends(length: Option<Duration>) -> Result<impl Future<Output = ()>, std::io::Error> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    Ok(async move {
        let time = async { tokio::time::sleep(or_never(length).await).await };
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
            () = time => {}
        }
    })
}
