//! What `lastmeter device MODEL` takes where the model is a gateway.

use std::path::PathBuf;

use clap::Args;

/// A gateway on real lines.
#[derive(Clone, Debug, Args)]
pub struct GatewayOptions {
    /// Where it sends to: the address of an MQTT broker
    #[arg(long, value_name = "HOST:PORT")]
    pub mqtt: Option<String>,
    /// MQTT user name: the tenant, for a lastmeter platform
    #[arg(long, value_name = "NAME", default_value = lastmeter_wire::topics::TENANT)]
    pub mqtt_user: String,
    /// A file with the MQTT password: the devices' token, for a lastmeter platform
    #[arg(long, value_name = "FILE")]
    pub mqtt_password_file: Option<PathBuf>,
    /// The folder of its durable outbox
    #[arg(long, value_name = "DIR")]
    pub data: Option<PathBuf>,
    /// Its hardware id
    #[arg(long, value_name = "NAME", default_value = "concentrator")]
    pub name: String,
    /// A CSV file `hardware_id,address` with the devices that are known, and a third column `line`,
    /// counted from 1, where there are several lines
    #[arg(long, value_name = "FILE")]
    pub devices: Option<PathBuf>,
}
