//! What passes between a device and its board, beside the messages of all devices.
//!
//! Bytes of its ports and orders to its emulator cross here only: no other device has any.

use lastmeter_units::SimDuration;
use serde::{Deserialize, Serialize};

/// A serial port of a board.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BoardPort {
    /// The one that it is read by.
    Network,
    /// The one that stands for its converter and its EEPROM.
    #[serde(rename = "bench")]
    Stimulus,
}

/// What a board is waited for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BoardWait {
    /// For how long in wall time; then it gets [`BoardInput::Silent`].
    pub limit: SimDuration,
    /// What it waits for, as text for people.
    pub what: String,
}

/// What is done to a board from outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BoardOrder {
    /// Its reset line is pulled.
    Reset,
    /// Its clock stops.
    Stop,
    /// Its clock goes on.
    Continue,
}

/// What reaches a device of its board.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BoardInput {
    /// Bytes that its board has sent.
    Bytes {
        /// On which port.
        port: BoardPort,
        /// Received bytes, as they were cut on the way.
        bytes: Vec<u8>,
    },
    /// Its board has sent nothing for as long as it was waited for.
    Silent,
    /// Its board is gone: its port was closed, or does not exist any more.
    Lost {
        /// What the port reported.
        reason: String,
    },
}

/// What a device does to its board.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BoardOutput {
    /// Bytes for a port.
    Bytes {
        /// The port that they go to.
        port: BoardPort,
        /// Bytes to send, of one or more whole frames or lines.
        bytes: Vec<u8>,
    },
    /// Something to be done to it.
    Order(BoardOrder),
}
