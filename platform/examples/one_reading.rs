//! A platform in a temporary folder on free ports of the loopback: one reading goes in over MQTT,
//! and comes back by REST once it is committed.
//!
//! `cargo run -p lastmeter-platform --example one_reading`

#![expect(clippy::print_stdout, reason = "an example shows what it found")]

use std::error::Error;

use lastmeter_link::http::Client;
use lastmeter_link::mqtt::{Session, SessionEvent, SessionOptions};
use lastmeter_platform::{ClockSource, Config, Platform, TENANT, Token};
use lastmeter_units::{Epoch, HardwareId, MeasurementId, Serial};
use lastmeter_wire::flexmeter::{MeasurementMessage, encode_measurements};
use lastmeter_wire::topics;

fn payload(meter: &HardwareId) -> Result<Vec<u8>, Box<dyn Error>> {
    let voltage = MeasurementId::lookup("electricity.voltage.rms.l1").ok_or("no such row")?;
    let reading = MeasurementMessage {
        epoch: Some(Epoch(1)),
        serial: Some(Serial(1)),
        ..MeasurementMessage::new(meter.clone(), vec![(voltage, 229.7)])
    };
    let mut payload = Vec::new();
    encode_measurements(&reading, &mut payload);
    Ok(payload)
}

async fn run() -> Result<(), Box<dyn Error>> {
    let folder = tempfile::tempdir()?;
    let secret = "a long random text";
    let config = Config::embedded(folder.path(), Token::new(secret), ClockSource::Wall);
    let platform = Platform::start(config).await?;
    println!("MQTT on {}, REST on {}", platform.mqtt_address(), platform.rest_address());

    let meter = HardwareId::new("meter-7")?;
    let broker = platform.mqtt_address().to_string();
    let (session, mut events) =
        Session::open(SessionOptions::new(&broker, "meter-7", TENANT, secret));
    while let Some(event) = events.recv().await {
        match event {
            SessionEvent::Connected => {
                let topic = topics::device_input(TENANT, &meter);
                session.publish(1, topic, payload(&meter)?.into()).await?;
            }
            SessionEvent::Acknowledged { .. } => break,
            other => return Err(format!("expected an acknowledgement, found {other:?}").into()),
        }
    }
    println!("acknowledged: it is durable in {}", folder.path().display());

    let rest = Client::new(&format!("http://{}", platform.rest_address()), secret)?;
    let readings = rest.get_text("/api/v1/readings?after=0&limit=10&wait_ms=5000").await?;
    println!("{readings}");
    session.close().await;
    platform.shutdown().await;
    Ok(())
}

fn main() -> Result<(), Box<dyn Error>> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(run())
}
