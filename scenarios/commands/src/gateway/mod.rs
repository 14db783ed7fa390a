//! Gateways that run by themselves, on real lines and against any broker.

mod answers;
mod devices;
mod flow;
mod http;
mod keeper;
mod kept;
mod options;
mod sources;
mod stand_alone;

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use lastmeter_bench::capture::Capture;
use lastmeter_bench::host::wall_now;
use lastmeter_bench::lines::Lines;
use lastmeter_bench::output::{broken, complain, print_err, print_out, read_text};
use lastmeter_bench::run::{MqttPort, Outgoing, chain};
use lastmeter_bench::stop::on_this_thread;
use lastmeter_devices::{GATEWAYS, GatewayContext, GatewayKind, NetworkContext};
use lastmeter_link::channel::{Channel, ChannelAddress, ChannelSettings, DatagramCounts};
use lastmeter_link::mqtt::{MqttVersion, Session, SessionOptions};
use lastmeter_params::{self as params, Diagnostics, Values};
use lastmeter_reports::ExitCode;
use lastmeter_sim::Streams;
use lastmeter_units::{Epoch, HardwareId, TenantName};
use lastmeter_wire::topics::TENANT;
use tokio::signal::unix::{SignalKind, signal};

pub use http::HttpOptions;
pub use kept::{KeptError, RecordStore};
pub use options::GatewayOptions;
pub use sources::SourceOptions;
pub use stand_alone::password;

use crate::ending::ends;
use answers::Presence;
use flow::Flow;
use keeper::Keeper;
use sources::Sources;
use stand_alone::{Files, LiveTopics, Questions, StandAlone, TakeOvers};

/// The rate of a line unless its gateway asks for another.
const BITS_PER_SECOND: u32 = ChannelSettings::M_BUS.baud;

/// The line of a simulator that sends its frames to the broker.
const BY_BROKER: &str = "mqtt";

/// What `lastmeter device` is given besides the options of gateways.
#[derive(Clone, Debug)]
pub struct OnLines<'a> {
    /// The lines, by their addresses.
    pub on: &'a [String],
    /// Fields of the model, as `key=value`.
    pub set: &'a [String],
    /// How long; `None`: until a signal.
    pub length: Option<Duration>,
    /// Whether what passed through is printed at the end.
    pub summary: bool,
    /// Where its counts and values are served over HTTP.
    pub http: Option<HttpOptions>,
    /// Who it is where it asks and listens beside its devices.
    pub sources: SourceOptions,
    /// The file in which what passes on the line is kept, where there is one line.
    pub capture: Option<&'a Path>,
}

/// The gateway model of a name.
pub fn kind_of(model: &str) -> Option<&'static GatewayKind> {
    GATEWAYS.iter().find(|kind| kind.entry.name == model)
}

/// Runs a gateway on real lines until a signal, or for so long, and returns the exit code.
pub fn run(kind: &'static GatewayKind, options: &GatewayOptions, lines: &OnLines<'_>) -> ExitCode {
    let prepared = match prepare(kind, options, lines) {
        Ok(prepared) => prepared,
        Err(message) => return complain(&message),
    };
    let served = on_this_thread(async {
        match begin(kind, prepared, lines).await {
            Ok(stand_alone) => serve(stand_alone, lines).await,
            Err(message) => Ok(complain(&message)),
        }
    });
    served.unwrap_or_else(|message| broken(&message))
}

/// Everything that was asked for, read and found to make sense.
struct Prepared {
    hardware_id: HardwareId,
    values: Values,
    addresses: Vec<ChannelAddress>,
    networks: Vec<NetworkContext>,
    /// The texts of the files that its keys name.
    files: BTreeMap<String, String>,
    session: SessionOptions,
    /// The connection for flows, where it is one of its own.
    own_flows: Option<SessionOptions>,
    port: MqttPort,
    live: LiveTopics,
    kept: RecordStore,
    epoch: Epoch,
}

/// Frames of a CAN bus are no bytes of a line.
fn check_lines(kind: &GatewayKind) -> Result<(), String> {
    if kind.networks == ["can"] {
        return Err(format!(
            "`{}` is on a CAN bus, expected a gateway on lines: it runs in scenarios, with its \
             meters",
            kind.entry.name
        ));
    }
    Ok(())
}

fn prepare(
    kind: &GatewayKind,
    options: &GatewayOptions,
    lines: &OnLines<'_>,
) -> Result<Prepared, String> {
    let missing = |what: &str| format!("`{}` needs {what}", kind.entry.name);
    check_lines(kind)?;
    if lines.on.is_empty() {
        return Err(missing("`--on LINE`, such as `--on /dev/ttyUSB0` or `--on tcp:HOST:PORT`"));
    }
    let broker = options.mqtt.as_deref().ok_or_else(|| missing("`--mqtt HOST:PORT`"))?;
    let port = broker.rsplit_once(':').map(|(_, port)| port.parse::<u16>());
    if !matches!(port, Some(Ok(1..))) {
        return Err(format!(
            "`--mqtt {broker}`: expected a host and a port, such as localhost:1883"
        ));
    }
    let data = options.data.as_deref().ok_or_else(|| missing("`--data DIR`"))?;
    let hardware_id = HardwareId::new(&options.name)
        .map_err(|error| format!("`--name {}`: {error}", options.name))?;
    let by_broker = lines.on == [BY_BROKER] && !kind.files.is_empty();
    let on = if by_broker { &[] } else { lines.on };
    let addresses = on.iter().map(|on| on.parse::<ChannelAddress>());
    let addresses = addresses.collect::<Result<Vec<_>, _>>().map_err(|error| error.to_string())?;
    if let Some(twice) =
        repeated(addresses.iter().filter(|line| **line != ChannelAddress::Pty(None)))
    {
        return Err(format!("`--on {twice}` is there twice, expected once: a line has one master"));
    }
    let values =
        params::read_text(&lines.set.join("\n"), &[kind.entry.fields]).map_err(|mistakes| {
            let messages: Vec<String> =
                mistakes.iter().map(|mistake| mistake.message.clone()).collect();
            format!("--set: {}", messages.join("; "))
        })?;
    let files = read_files(kind, &values)?;
    let of_lines = match &options.devices {
        Some(path) => devices::read(path, addresses.len(), &hardware_id)?,
        None => vec![Vec::new(); addresses.len()],
    };
    let password = options.mqtt_password_file.as_deref().map(password).transpose()?;
    let ids = of_lines.iter().flatten().map(|(id, _)| id.as_str().to_owned());
    let named = (kind.devices)(&values, &files);
    let own = std::iter::once(options.name.clone());
    let owners: Vec<String> = own.chain(ids).chain(named).collect();
    let port = MqttPort::new(&TenantName::default(), false, owners.iter().map(String::as_str));
    let password = password.as_deref().unwrap_or_default();
    let mut session = SessionOptions::new(broker, &options.name, &options.mqtt_user, password);
    // What the platform refuses is known with MQTT 5 only.
    session.version = MqttVersion::V5;
    session.subscriptions = port.subscriptions();
    let flows = (kind.flows)(&values, &files);
    let own_flows = lines.sources.session((broker, &options.name), &flows);
    let flows = if own_flows.is_some() { Vec::new() } else { flows };
    let live = LiveTopics::new(&hardware_id, (kind.live)(&values), by_broker, flows);
    session.subscriptions.extend(live.subscriptions());
    let networks = of_lines
        .into_iter()
        .map(|devices| NetworkContext { bits_per_second: BITS_PER_SECOND, devices });
    let networks = networks.collect();
    let mut kept = RecordStore::open(data).map_err(|error| chain(&error))?;
    // By the clock it is above those of all folders before.
    let now_ms = u64::try_from(wall_now().0 / 1_000_000).unwrap_or(0);
    let epoch = Epoch(kept.epoch(now_ms).map_err(|error| chain(&error))?);
    Ok(Prepared {
        hardware_id,
        values,
        addresses,
        networks,
        files,
        session,
        own_flows,
        port,
        live,
        kept,
        epoch,
    })
}

/// The texts of the files that a gateway's keys name.
fn read_files(kind: &GatewayKind, values: &Values) -> Result<BTreeMap<String, String>, String> {
    let names = kind.files.iter().filter_map(|key| values.text_opt(key));
    let read = |name: &str| Ok((name.to_owned(), read_text(Path::new(name))?));
    names.map(read).collect()
}

/// The first that is there for the second time.
fn repeated<T: PartialEq>(all: impl Iterator<Item = T>) -> Option<T> {
    let mut seen = Vec::new();
    for one in all {
        if seen.contains(&one) {
            return Some(one);
        }
        seen.push(one);
    }
    None
}

/// What was kept before; what was cut off its end is reported.
fn records_of(kept: &RecordStore) -> Vec<Vec<u8>> {
    if kept.cut_bytes() > 0 {
        let bytes = kept.cut_bytes();
        print_err(&format!("{bytes} bytes of an incomplete record were cut off the outbox"));
    }
    kept.records()
}

/// Builds the gateway, opens its lines, and prints that it is ready.
async fn begin(
    kind: &'static GatewayKind,
    prepared: Prepared,
    own: &OnLines<'_>,
) -> Result<StandAlone, String> {
    let Prepared {
        hardware_id,
        values,
        addresses,
        networks,
        files,
        session,
        own_flows,
        port,
        live,
        kept,
        epoch,
    } = prepared;
    let (name, records) = (hardware_id.to_string(), records_of(&kept));
    let context = GatewayContext {
        name: &name,
        hardware_id: hardware_id.clone(),
        tenant: TENANT,
        start: wall_now(),
        epoch,
        networks,
        streams: &Streams::new(epoch.0),
        files: &files,
    };
    let mut diagnostics = Diagnostics::new();
    let gateway = (kind.build)(&values, &context, &records, &mut diagnostics).ok_or_else(|| {
        let messages = diagnostics.into_sorted().into_iter().map(|it| it.message);
        messages.collect::<Vec<String>>().join("; ")
    })?;
    let sources = Sources::open(&own.sources, own_flows, gateway.settles_at().is_some())?;
    let lines = open_lines(&addresses).await?;
    let places: Vec<String> = lines.iter().map(|line| line.place().to_owned()).collect();
    let counts: Vec<_> = lines.iter().map(|line: &Channel| line.datagrams().clone()).collect();
    let buffers: Vec<_> = counts.iter().map(DatagramCounts::buffer_bytes).collect();
    let capture = own.capture.map(|path| capture(path, addresses.first())).transpose()?;
    let (http, questions) = served(own.http.as_ref()).await?;
    // Without files the signal ends the program, as it does others.
    let asked = (!kind.files.is_empty()).then(|| signal(SignalKind::hangup())).transpose();
    let asked = asked.map_err(|error| format!("signals: {error}"))?;
    let keeper = Keeper::start(kept).map_err(|error| format!("a thread for records: {error}"))?;
    let (session, events) = Session::open(session);
    print_out(
        &serde_json::json!({
            "ready": true, "name": name, "lines": places, "records": records.len(),
            "epoch": epoch, "waiting": gateway.unacknowledged(),
            "receive_buffer_bytes": buffers, "http": http,
        })
        .to_string(),
    );
    let lines = lines.into_iter().map(|line| (line, BITS_PER_SECOND)).collect();
    let presence = Presence { lines: vec![false; addresses.len()], ..Presence::default() };
    Ok(StandAlone {
        gateway,
        keeper,
        port,
        live,
        flow: Flow::new(counts),
        files: Files { read: Box::new(move || read_files(kind, &values)), asked },
        presence,
        questions,
        sources,
        session,
        events,
        lines: Lines::serve_and_keep(lines, capture),
        outgoing: Outgoing::default(),
        reported: Vec::new(),
        take_overs: TakeOvers::default(),
    })
}

/// Where it answers over HTTP, and what is asked there.
async fn served(options: Option<&HttpOptions>) -> Result<(Option<String>, Questions), String> {
    let Some(options) = options else { return Ok((None, None)) };
    let (at, asked) = http::serve(options).await?;
    Ok((Some(at.to_string()), Some(asked)))
}

async fn open_lines(addresses: &[ChannelAddress]) -> Result<Vec<Channel>, String> {
    let mut lines = Vec::new();
    for address in addresses {
        let line = Channel::open(address, ChannelSettings::M_BUS).await;
        lines.push(line.map_err(|error| chain(&error))?);
    }
    Ok(lines)
}

/// A capture of the first line.
fn capture(path: &Path, address: Option<&ChannelAddress>) -> Result<Capture, String> {
    let none = || "--capture: frames come by the broker, not on a line".to_owned();
    Capture::create(path, address.ok_or_else(none)?)
}

/// Runs it until a signal, or for so long. A failure where the platform has refused messages.
async fn serve(stand_alone: StandAlone, lines: &OnLines<'_>) -> Result<ExitCode, String> {
    let ended = ends(lines.length).map_err(|error| format!("signals: {error}"))?;
    let flow = stand_alone.run(ended).await.map_err(|error| chain(&error))?;
    if lines.summary {
        print_out(&flow.summary().to_string());
    }
    let Some(refused) = flow.refused_messages() else { return Ok(ExitCode::Passed) };
    print_err(&refused);
    Ok(ExitCode::Failed)
}
