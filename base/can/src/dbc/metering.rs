//! The database of the metering network, which comes with the program.
//!
//! A DBC file has no parameters, so it has each message 31 times, once for each node: message
//! `Node5_VoltageCurrent` is that of node 5. `base/can/examples/metering_network_dbc.rs` writes it.

use std::sync::LazyLock;

use super::Database;

/// The file.
pub const METERING_NETWORK_TEXT: &str = include_str!("../../metering-network.dbc");

static METERING_NETWORK: LazyLock<Database> = LazyLock::new(|| {
    Database::read(METERING_NETWORK_TEXT)
        .expect("a test reads the file that comes with the program")
});

/// What the file holds.
pub fn metering_network() -> &'static Database {
    &METERING_NETWORK
}
