//! `lastmeter device`: one device or gateway by itself, in real time, on real lines.

mod home;
mod meters;

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use lastmeter_bench::output::complain;
use lastmeter_devices::{DEVICES, GATEWAYS};
use lastmeter_reports::ExitCode;

use crate::ending::length;
use crate::gateway::{self, GatewayOptions, OnLines, SourceOptions};

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
    /// How many meters there are on the line, or nodes behind a gateway that dials
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=250))]
    pub count: u32,
    /// So many of them have identifications that differ in the last digits only
    #[arg(long, value_name = "K", default_value_t = 0, value_parser = clap::value_parser!(u32).range(0..=9))]
    pub collide: u32,
    /// A key of the source that meters measure, as in `peak_flow="600 l/h"`
    #[arg(long, value_name = "KEY=VALUE")]
    pub plant: Vec<String>,
    /// A field of the nodes behind a gateway that dials, as in `report_every="10 s"`
    #[arg(long, value_name = "KEY=VALUE")]
    pub node: Vec<String>,
    /// The dispatcher that such a gateway dials
    #[arg(long, value_name = "HOST:PORT")]
    pub dispatcher: Option<String>,
    /// The name of its network, as it is registered there
    #[arg(long, value_name = "NAME")]
    pub network_name: Option<String>,
    /// A file with the network's key: 32 hexadecimal digits
    #[arg(long, value_name = "FILE")]
    pub key_file: Option<PathBuf>,
    /// The seed of its random streams
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub seed: u64,
    /// What only gateways have.
    #[command(flatten)]
    pub gateway: GatewayOptions,
}

/// Runs the device and returns the exit code.
pub fn device(options: &DeviceOptions) -> ExitCode {
    let DeviceOptions { model, on, set, length, .. } = options;
    if let Some(kind) = gateway::kind_of(model) {
        if let Some(dials) = &kind.dispatcher {
            return home::run(kind, dials, options);
        }
        let (length, sources) = (*length, SourceOptions::default());
        let lines = OnLines { on, set, length, summary: false, http: None, sources, capture: None };
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
