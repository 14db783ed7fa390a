//! Nodes of a ZigBee network as devices: a smart plug, a sensor of temperature and a door contact.
//!
//! Each is an application behind a [`lastmeter_zigbee::network::Node`]: attributes that are read,
//! written and reported, and commands. What it measures is set from outside; where a plug's values
//! come from is its meter's affair.
//!
//! | file | purpose |
//! |---|---|
//! | `attributes` | values, who may write them, when they are reported, faults of their scaling |
//! | `server` | frames of the cluster library that ask, write, configure and command |
//! | `node` | an application and its radio |
//! | `plug` | the smart plug: relay, scaled measurements, calibration, display |
//! | `sensor` | temperature and door contact |
//! | `upgrade` | the client that fetches program images over the radio |

mod attributes;
mod node;
mod plug;
mod sensor;
mod server;
#[cfg(test)]
mod tests;
mod upgrade;

pub use lastmeter_zigbee::zcl::cluster::ota::ImageId;

pub use attributes::{Attributes, Reporting, Reports, ScalingFault};
pub use node::{Application, ENDPOINT, ZigbeeNode};
pub use plug::{
    BistableRelay, CALIBRATION_CHANNELS, Measured, PLUG_PROGRAM, Plug, PlugOrder, PlugScales, Shown,
};
pub use sensor::RoomSensor;
pub use server::Server;
pub use upgrade::{BLOCK_BYTES, Upgrade, UpgradeConfig, UpgradeOutcome, WINDOW_MAX};
