//! An application by MQTT alone: hears each reading of a device, and publishes how far its voltage
//! is from a limit as a reading of a device of its own, `DEVICE-distance`.
//!
//! `MQTT=127.0.0.1:1883 TOKEN=... DEVICE=meter-1 LIMIT=240 cargo run -p lastmeter-platform
//! --example app_mqtt`; the token is the administrators', who may have all that is live.

#![expect(clippy::print_stdout, reason = "an application tells what it does")]

use std::error::Error;

use rumqttc::{AsyncClient, Event, MqttOptions, Packet, PublishOptions, QoS};
use serde_json::{Value, json};

const VOLTAGE: &str = "electricity.voltage.rms.l1";

fn setting(name: &str) -> Result<String, Box<dyn Error>> {
    std::env::var(name).map_err(|_| format!("{name} is not set").into())
}

/// The value of a reading, as the live topic has it.
fn volts(payload: &[u8]) -> Option<f64> {
    let reading: Value = serde_json::from_slice(payload).ok()?;
    reading["values"][VOLTAGE].as_f64()
}

async fn run() -> Result<(), Box<dyn Error>> {
    let (device, limit) = (setting("DEVICE")?, setting("LIMIT")?.parse::<f64>()?);
    let broker = setting("MQTT")?;
    let (host, port) = broker.rsplit_once(':').ok_or("MQTT is written as HOST:PORT")?;
    let mut options = MqttOptions::new(format!("{device}-distance"), (host, port.parse::<u16>()?));
    options.set_credentials("default", setting("TOKEN")?);
    let (client, mut events) = AsyncClient::builder(options).capacity(16).build();
    client.subscribe(format!("default/live/device/{device}"), QoS::AtLeastOnce).await?;
    loop {
        match events.poll().await? {
            Event::Incoming(Packet::SubAck(_)) => println!("listening"),
            Event::Incoming(Packet::Publish(message)) => {
                let Some(volts) = volts(&message.payload) else { continue };
                let own = json!({
                    "hardwareId": format!("{device}-distance"), "type": "DeviceMeasurements",
                    "request": { "measurements": { VOLTAGE: limit - volts }, "updateState": true },
                });
                let topic = "default/SiteWhere/input/json";
                client.publish(topic, own.to_string(), PublishOptions::at_least_once()).await?;
            }
            Event::Incoming(Packet::PubAck(_)) => return Ok(()),
            _ => {}
        }
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(run())
}
