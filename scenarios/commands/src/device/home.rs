//! A transparent gateway with nodes of its own that dials a dispatcher.
//!
//! What is asked for is written as a scenario and read by its language, so that keys, bounds and
//! mistakes are the same.

use std::path::Path;

use lastmeter_bench::host::wall_now;
use lastmeter_bench::output::{broken, complain, print_err, print_out, read_text};
use lastmeter_bench::run::{Dials, LiveHome, Records};
use lastmeter_bench::stop::on_this_thread;
use lastmeter_devices::{DispatcherUplink, GatewayKind};
use lastmeter_language::{GatewayRow, LoadOptions, Scenario};
use lastmeter_params::quote;
use lastmeter_reports::ExitCode;
use lastmeter_units::SimTime;
use lastmeter_zigbee::keys::NetworkKey;
use lastmeter_zigbee::packet::GatewayAddress;
use lastmeter_zigbee::session::GatewaySettings;
use serde_json::json;

use super::DeviceOptions;
use crate::ending::ends;
use crate::gateway::RecordStore;

/// A counter of frames that is higher than before whenever the command is started: so many a second
/// since 2026, which 32 bits hold for 17 years.
const FRAMES_PER_SECOND: i64 = 8;
const COUNTED_FROM_S: i64 = 1_767_225_600;
/// The nodes of a home that runs by itself.
const NODE: &str = "smart-plug";

/// Runs a gateway with its nodes until a signal, or for so long.
pub(super) fn run(
    kind: &GatewayKind,
    dials: &DispatcherUplink,
    options: &DeviceOptions,
) -> ExitCode {
    match prepare(kind, dials, options) {
        Err(message) => complain(&message),
        Ok(prepared) => match on_this_thread(serve(prepared, options)) {
            Ok(()) => ExitCode::Passed,
            Err(message) => broken(&message),
        },
    }
}

struct Prepared {
    home: LiveHome,
    dials: Dials,
    store: RecordStore,
    gateway: GatewayAddress,
}

fn prepare(
    kind: &GatewayKind,
    uplink: &DispatcherUplink,
    options: &DeviceOptions,
) -> Result<Prepared, String> {
    let missing = |what: &str| format!("`{}` needs {what}", kind.entry.name);
    if let Some(line) = options.on.first() {
        let name = kind.entry.name;
        return Err(format!(
            "`--on {line}`: the radio of `{name}` is in the same process; leave it out"
        ));
    }
    let address = options.dispatcher.clone();
    let address = address.ok_or_else(|| missing("`--dispatcher HOST:PORT`"))?;
    let port = address.rsplit_once(':').map(|(_, port)| port.parse::<u16>());
    if !matches!(port, Some(Ok(1..))) {
        let example = "expected a host and a port, such as localhost:7400";
        return Err(format!("`--dispatcher {address}`: {example}"));
    }
    let network =
        options.network_name.as_deref().ok_or_else(|| missing("`--network-name NAME`"))?;
    let key = options.key_file.as_deref().ok_or_else(|| missing("`--key-file FILE`"))?;
    let key = read_text(key)?.trim().parse::<NetworkKey>();
    let key = key.map_err(|error| format!("`--key-file`: {error}"))?;
    let data = options.gateway.data.as_deref().ok_or_else(|| missing("`--data DIR`"))?;
    let text = scenario_text(kind, uplink, options, wall_now());
    let scenario =
        Scenario::from_bytes(Path::new("device"), text.as_bytes(), &LoadOptions::default())
            .map_err(|failure| {
                let all = failure.diagnostics().iter().map(|mistake| mistake.message.as_str());
                let mut all: Vec<&str> = all.collect();
                all.dedup();
                all.join("; ")
            })?;
    let dials = scenario.gateways.first().and_then(GatewayRow::dispatcher);
    let gateway = GatewayAddress(dials.ok_or("the gateway has no address")?.0);
    let store = RecordStore::open(data).map_err(|error| error.to_string())?;
    let kept: Records = (0..).zip(store.records()).collect();
    let home = LiveHome::new(&scenario, kept)?;
    let settings = GatewaySettings::new(gateway, network, key);
    Ok(Prepared { home, dials: Dials { address, settings }, store, gateway })
}

/// What is asked for as a scenario that begins at an instant, or less than a second before.
fn scenario_text(
    kind: &GatewayKind,
    uplink: &DispatcherUplink,
    options: &DeviceOptions,
    start: SimTime,
) -> String {
    let start = start.0.div_euclid(1_000_000_000) * 1_000_000_000;
    // They keep nothing, and the gateway knows how far they had counted.
    let counted = FRAMES_PER_SECOND * (start / 1_000_000_000 - COUNTED_FROM_S).max(0);
    let plant = if options.plant.is_empty() { "current = \"1 A\"" } else { "" };
    format!(
        "format = 1\n[scenario]\nname = \"device\"\nstart = {}\nduration = \"100 d\"\nseed = {}\n\
         [[network]]\nname = \"radio\"\nkind = {}\n\
         [[gateway]]\nname = {}\nmodel = {}\non = \"network:radio\"\n{}\n\
         [[check]]\nname = \"once\"\nkind = \"no_loss\"\n\
         [[source]]\nname = \"plant\"\nkind = \"synthetic\"\nphases = 1\n{plant}{}\n\
         [[device]]\nname = \"node\"\ncount = {}\nat = \"source:plant\"\nmodel = \"{NODE}\"\n\
         on = \"network:radio\"\nframe_counter = {counted}\n{}\n",
        SimTime(start),
        options.seed,
        quote(uplink.network_type),
        quote(&options.gateway.name),
        quote(kind.entry.name),
        options.set.join("\n"),
        options.plant.join("\n"),
        options.count,
        options.node.join("\n"),
    )
}

async fn serve(prepared: Prepared, options: &DeviceOptions) -> Result<(), String> {
    let Prepared { mut home, dials, mut store, gateway } = prepared;
    let nodes = home.nodes();
    let nodes = nodes.iter().map(|(name, address)| json!({ "name": name, "address": address }));
    let nodes: Vec<serde_json::Value> = nodes.collect();
    let ready = json!({
        "ready": true, "model": options.model, "gateway": gateway.to_string(),
        "dispatcher": dials.address, "nodes": nodes,
    });
    print_out(&ready.to_string());
    let mut last = None;
    let mut keep = |records: &Records| {
        let Some((&number, record)) = records.last_key_value() else { return Ok(()) };
        if last.replace(number) == Some(number) {
            return Ok(());
        }
        let kept = store.keep(&[(number, record.clone())]);
        let kept = kept.and_then(|()| number.checked_sub(1).map_or(Ok(()), |to| store.forget(to)));
        kept.map_err(|error| error.to_string())
    };
    let ended = ends(options.length).map_err(|error| error.to_string())?;
    home.serve(dials, &mut keep, &mut |what| print_err(&what), ended).await
}
