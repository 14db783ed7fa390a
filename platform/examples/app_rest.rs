//! An application by REST alone: asks for the last values of a device, and has it report every
//! five seconds once its voltage is beyond a limit. Copy it and change what `act` does.
//!
//! `REST=http://127.0.0.1:8080 TOKEN=lmk_... DEVICE=meter-1 LIMIT=240 cargo run -p
//! lastmeter-platform --example app_rest`

#![expect(clippy::print_stdout, reason = "an application tells what it does")]

use std::error::Error;
use std::time::Duration;

use lastmeter_link::http::Client;
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
    let command = json!({
        "commandToken": "setReportingPeriod", "parameterValues": { "seconds": "5" },
    });
    let made: Value = rest.post_json(&path, &command).await?;
    println!("asked {device}: {}", made["id"]);
    Ok(())
}

#[expect(clippy::disallowed_methods, reason = "it asks once a second")]
async fn run() -> Result<(), Box<dyn Error>> {
    let (device, limit) = (setting("DEVICE")?, setting("LIMIT")?.parse::<f64>()?);
    let rest = Client::new(&setting("REST")?, &setting("TOKEN")?)?;
    loop {
        let latest: Value = rest.get_json(&format!("/api/v1/latest?device={device}")).await?;
        let values = latest["results"][0]["values"].as_array().cloned().unwrap_or_default();
        let voltage = values.iter().find(|one| one["quantity"] == VOLTAGE);
        let volts = voltage.and_then(|one| one["value"].as_f64());
        println!("{device}: {volts:?} V");
        if volts.is_some_and(|volts| volts > limit) {
            return act(&rest, &device).await;
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(run())
}
