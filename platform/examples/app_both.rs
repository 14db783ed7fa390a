//! An application by both: hears each reading of a device by MQTT, and has it report every five
//! seconds by REST once its voltage is beyond a limit.
//!
//! `MQTT=127.0.0.1:1883 REST=http://127.0.0.1:8080 TOKEN=... DEVICE=meter-1 LIMIT=240 cargo run -p
//! lastmeter-platform --example app_both`; the token is the administrators'.

#![expect(clippy::print_stdout, reason = "an application tells what it does")]

use std::error::Error;

use lastmeter_link::http::Client;
use rumqttc::{AsyncClient, Event, MqttOptions, Packet, QoS};
use serde_json::{Value, json};

const VOLTAGE: &str = "electricity.voltage.rms.l1";

fn setting(name: &str) -> Result<String, Box<dyn Error>> {
    std::env::var(name).map_err(|_| format!("{name} is not set").into())
}

/// Has the device report every five seconds.
async fn act(rest: &Client, device: &str) -> Result<(), Box<dyn Error>> {
    let of: Value = rest.get_json(&format!("/sitewhere/api/devices/{device}/assignment")).await?;
    let token = of["token"].as_str().unwrap_or_default();
    let path = format!("/sitewhere/api/assignments/{token}/invocations");
    let parameters = json!({ "seconds": "5" });
    let command = json!({ "commandToken": "setReportingPeriod", "parameterValues": parameters });
    let made: Value = rest.post_json(&path, &command).await?;
    println!("asked {device}: {}", made["id"]);
    Ok(())
}

async fn run() -> Result<(), Box<dyn Error>> {
    let (device, limit) = (setting("DEVICE")?, setting("LIMIT")?.parse::<f64>()?);
    let (broker, token) = (setting("MQTT")?, setting("TOKEN")?);
    let rest = Client::new(&setting("REST")?, &token)?;
    let (host, port) = broker.rsplit_once(':').ok_or("MQTT is written as HOST:PORT")?;
    let mut options = MqttOptions::new(format!("{device}-watch"), (host, port.parse::<u16>()?));
    options.set_credentials("default", token);
    let (client, mut events) = AsyncClient::builder(options).capacity(16).build();
    client.subscribe(format!("default/live/device/{device}"), QoS::AtLeastOnce).await?;
    loop {
        match events.poll().await? {
            Event::Incoming(Packet::SubAck(_)) => println!("listening"),
            Event::Incoming(Packet::Publish(message)) => {
                let reading: Value = serde_json::from_slice(&message.payload)?;
                if reading["values"][VOLTAGE].as_f64().is_some_and(|volts| volts > limit) {
                    return act(&rest, &device).await;
                }
            }
            _ => {}
        }
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(run())
}
