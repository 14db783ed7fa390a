//! `lastmeter rts`: real-time simulators, their point maps and the way from them to a platform.

mod bridge;
mod check;

use clap::Subcommand;
use lastmeter_reports::ExitCode;

pub use bridge::BridgeOptions;
pub use check::CheckOptions;

/// What is done with a simulator.
#[derive(Clone, Debug, Subcommand)]
pub enum RtsCommand {
    /// Check point maps; list their points, and which shifts cannot be noticed
    Check(CheckOptions),
    /// Carry what a simulator sends to an MQTT broker, as readings of devices
    Bridge(BridgeOptions),
}

/// Does it; says how it ended.
pub fn rts(command: &RtsCommand) -> ExitCode {
    match command {
        RtsCommand::Check(options) => check::check(options),
        RtsCommand::Bridge(options) => bridge::bridge(options),
    }
}
