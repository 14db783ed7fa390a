//! `lastmeter rts`: real-time simulators, their point maps and the way from them to a platform.

mod bridge;
mod check;
mod cycles;
mod levels;
mod ping_pong;
mod replay;
mod serve;
mod watch;
mod watched;

use clap::Subcommand;
use lastmeter_reports::ExitCode;

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

/// Does it; says how it ended.
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
