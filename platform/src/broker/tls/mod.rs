//! The record of who was refused at the TLS port of MQTT.

use lastmeter_store::lock;

mod ration;
mod reports;

pub(super) use reports::Reports;
