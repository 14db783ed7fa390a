//! `lastmeter rts bridge`: the adapter by itself, between a simulator and any broker.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use lastmeter_bench::output::complain;
use lastmeter_link::channel::ChannelAddress;
use lastmeter_params::quote;
use lastmeter_reports::ExitCode;

use crate::gateway::{self, GatewayOptions, HttpOptions, OnLines, SourceOptions};

/// The model that carries readings of simulators.
const MODEL: &str = "simulator-adapter";

/// What is bridged.
#[derive(Clone, Debug, Args)]
pub struct BridgeOptions {
    /// The point map
    pub map: PathBuf,
    /// Where the simulator is: `tcp:HOST:PORT`, `tcp-listen:HOST:PORT`, `udp:HOST:PORT`, or
    /// `udp-listen:HOST:PORT` for datagrams that it sends to a port here; `mqtt` where it publishes
    /// its frames to the broker under `TENANT/rts/NAME/frames`, and is written to under
    /// `TENANT/rts/NAME/writes`
    #[arg(long, value_name = "ADDRESS")]
    pub on: String,
    /// Where it sends to: the address of an MQTT broker
    #[arg(long, value_name = "HOST:PORT")]
    pub mqtt: String,
    /// MQTT user name: the tenant, for a lastmeter platform
    #[arg(long, value_name = "NAME", default_value = lastmeter_wire::topics::TENANT)]
    pub mqtt_user: String,
    /// A file with the MQTT password: the devices' token, for a lastmeter platform
    #[arg(long, value_name = "FILE")]
    pub mqtt_password_file: Option<PathBuf>,
    /// The folder of its durable outbox
    #[arg(long, value_name = "DIR")]
    pub data: PathBuf,
    /// Its own hardware id, of its alerts
    #[arg(long, value_name = "NAME", default_value = "simulator")]
    pub name: String,
    /// Write nothing to the simulator
    #[arg(long)]
    pub read_only: bool,
    /// A field of the adapter, as in `report_every="10 s"`; see `lastmeter explain
    /// simulator-adapter`
    #[arg(long, value_name = "KEY=VALUE")]
    pub set: Vec<String>,
    /// Serve counts (`/metrics`, `/health`), values (`/points`, `/set-points`) and a way in
    /// (`POST /samples`, `POST /set-points`) over HTTP
    #[arg(long, value_name = "HOST:PORT")]
    pub http: Option<String>,
    /// A file with the token that requests over HTTP have to carry; without one HTTP is for this
    /// machine only
    #[arg(long, value_name = "FILE", requires = "http")]
    pub http_token_file: Option<PathBuf>,
    /// Where points that are fed by devices and paths are asked for: the address of the platform's
    /// REST
    #[arg(long, value_name = "HOST:PORT")]
    pub rest: Option<String>,
    /// A file with the token of these requests, such as a key that reads what was granted alone
    #[arg(long, value_name = "FILE", requires = "rest")]
    pub rest_token_file: Option<PathBuf>,
    /// MQTT user name by which topics are heard that feed points, such as `TENANT/app/NAME`; unless
    /// given, they are heard as readings are sent
    #[arg(long, value_name = "NAME", requires = "flow_password_file")]
    pub flow_user: Option<String>,
    /// A file with the password of that user
    #[arg(long, value_name = "FILE", requires = "flow_user")]
    pub flow_password_file: Option<PathBuf>,
    /// Keep what passes on the line in a new file that Wireshark opens (pcapng), to be played again
    /// by `lastmeter rts replay`; frames that come by the broker are not in it
    #[arg(long, value_name = "FILE")]
    pub capture: Option<PathBuf>,
    /// End by itself after so long; else at a signal
    #[arg(long = "for", value_name = "TIME", value_parser = crate::ending::length)]
    pub length: Option<Duration>,
}

/// Bridges until a signal, or for so long, and returns the exit code.
pub(super) fn bridge(options: &BridgeOptions) -> ExitCode {
    let token = options.http_token_file.as_deref().map(gateway::password).transpose();
    let sources = sources(options);
    let read = keys(options).and_then(|keys| Ok((keys, token?, sources?)));
    let (keys, token, sources) = match read {
        Ok(both) => both,
        Err(message) => return complain(&message),
    };
    let own = GatewayOptions {
        mqtt: Some(options.mqtt.clone()),
        mqtt_user: options.mqtt_user.clone(),
        mqtt_password_file: options.mqtt_password_file.clone(),
        data: Some(options.data.clone()),
        name: options.name.clone(),
        devices: None,
    };
    let lines = OnLines {
        on: std::slice::from_ref(&options.on),
        set: &keys,
        length: options.length,
        summary: true,
        http: options.http.clone().map(|at| HttpOptions { at, token }),
        sources,
        capture: options.capture.as_deref(),
    };
    let Some(kind) = gateway::kind_of(MODEL) else { return ExitCode::Broken };
    gateway::run(kind, &own, &lines)
}

/// Who it is where it asks and listens.
fn sources(options: &BridgeOptions) -> Result<SourceOptions, String> {
    let secret = |file: &PathBuf| gateway::password(file);
    let token = options.rest_token_file.as_ref().map(secret).transpose()?;
    let password = options.flow_password_file.as_ref().map(secret).transpose()?;
    let flows = options.flow_user.clone().zip(password);
    Ok(SourceOptions { rest: options.rest.clone(), token, flows })
}

/// The adapter's keys: the map, how frames come over such a line, and what was set.
fn keys(options: &BridgeOptions) -> Result<Vec<String>, String> {
    let map = quote(&options.map.display().to_string());
    let carrier = match options.on.as_str() {
        "mqtt" => "datagrams",
        on => match on.parse().map_err(|error| format!("--on: {error}"))? {
            ChannelAddress::Udp(_) | ChannelAddress::UdpListen(_) => "datagrams",
            _ => "stream",
        },
    };
    let mut keys = vec![format!("map = {map}"), format!("carrier = \"{carrier}\"")];
    if options.read_only {
        keys.push("read_only = true".to_owned());
    }
    keys.extend(options.set.iter().cloned());
    Ok(keys)
}
