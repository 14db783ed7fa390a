//! `lastmeter rts`: real-time simulators, their point maps and the way from them to a platform.
//!
//! | file | command |
//! |---|---|
//! | `check` | a point map, and its mistakes |
//! | `serve` | plays the simulator of a scenario |
//! | `watch`, `watched` | shows what a simulator sends |
//! | `replay` | plays a capture again |
//! | `bridge` | the adapter by itself, to any broker |
//! | `ping_pong`, `levels`, `cycles` | latency of a value there and back, and its evaluation |

mod bridge;
mod check;
mod cycles;
mod levels;
mod ping_pong;
mod replay;
mod serve;
mod watch;
mod watched;

use std::path::Path;

use clap::Subcommand;
use lastmeter_bench::output::read_text;
use lastmeter_bench::run::chain;
use lastmeter_link::channel::{Channel, ChannelAddress, ChannelSettings};
use lastmeter_record::Deadlines;
use lastmeter_reports::ExitCode;
use lastmeter_rts::point_map::PointMap;
use serde_json::{Value, json};

pub use bridge::BridgeOptions;
pub use check::CheckOptions;
pub use ping_pong::PingPongOptions;
pub use replay::ReplayOptions;
pub use serve::ServeOptions;
pub use watch::WatchOptions;

/// What is done with a simulator.
#[derive(Clone, Debug, Subcommand)]
pub enum RtsCommand {
    /// Check point maps; list their points, and which shifts cannot be noticed
    Check(CheckOptions),
    /// Carry what a simulator sends to an MQTT broker, as readings of devices
    Bridge(BridgeOptions),
    /// Play the simulator of a scenario in real time, for an adapter at the other end of a line
    Serve(ServeOptions),
    /// Show what a simulator sends: values, rate, jitter, gaps, and what does not fit its map
    Watch(WatchOptions),
    /// Measure how long a value takes through an adapter to the broker, and back
    PingPong(PingPongOptions),
    /// Play again what a capture holds of a simulator, with its spacing
    Replay(ReplayOptions),
}

/// Runs the subcommand and returns its exit code.
pub fn rts(command: &RtsCommand) -> ExitCode {
    match command {
        RtsCommand::Check(options) => check::check(options),
        RtsCommand::Bridge(options) => bridge::bridge(options),
        RtsCommand::Serve(options) => serve::serve(options),
        RtsCommand::Watch(options) => watch::watch(options),
        RtsCommand::PingPong(options) => ping_pong::ping_pong(options),
        RtsCommand::Replay(options) => replay::replay(options),
    }
}

/// Reads a point map.
///
/// # Errors
/// All its mistakes, one a line.
fn read_map(path: &Path) -> Result<PointMap, String> {
    let name = path.display();
    PointMap::parse(&read_text(path)?).map_err(|error| {
        let mistakes = error.0.iter().map(|mistake| format!("{name}: {mistake}"));
        mistakes.collect::<Vec<_>>().join("\nerror: ")
    })
}

/// Reads the address of `--on`; with it whether frames go in a stream of bytes there.
fn line_address(on: &str) -> Result<(ChannelAddress, bool), String> {
    let address: ChannelAddress = on.parse().map_err(|error| format!("--on: {error}"))?;
    let is_stream = !matches!(address, ChannelAddress::Udp(_) | ChannelAddress::UdpListen(_));
    Ok((address, is_stream))
}

async fn open_line(address: &ChannelAddress) -> Result<Channel, String> {
    Channel::open(address, ChannelSettings::M_BUS).await.map_err(|error| chain(&error))
}

/// How late the steps of a schedule were.
fn lateness(steps: &Deadlines) -> Value {
    let seconds = |ns: i64| ns as f64 / 1e9;
    json!({
        "p50": seconds(steps.p50_ns), "p99": seconds(steps.p99_ns),
        "worst": seconds(steps.worst_ns),
    })
}
