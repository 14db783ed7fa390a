//! `[[gateway]]`: what carries the readings of devices on field networks to the platform.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use lastmeter_devices::{Device, EPOCH, GATEWAYS, GatewayContext, GatewayKind, NetworkContext};
use lastmeter_link::channel::MQTT_FIELDS;
use lastmeter_params::{Code, Diagnostics, Field, Kind, Span, Table, Values, read_table};
use lastmeter_sim::Streams;
use lastmeter_units::{HardwareId, SimTime};
use lastmeter_wire::topics::TENANT;

use super::device::{self, DEVICE};
use super::floor::wall;
use super::grid::kept_text;
use super::keys::{AS, HARDWARE, ON};
use super::link::{LINK, VIA};
use super::network::{self, LINE, NETWORK, POLL_EVERY};
use super::request::{self, REQUEST};
use super::scenario::is_in_real_time;
use super::simulator::MAP;
use super::tenant;
use crate::draft::{Draft, FILE_START, Row, Section, joined};
use crate::files::Files;
use crate::names::Names;
use crate::references::{OnNetworks, References, Via};

/// By whose credential it asks the platform.
pub(super) const READS_AS: &str = "reads_as";
/// What `on` begins with.
pub(super) const NETWORK_PREFIX: &str = "network:";

pub(crate) static GATEWAY: Section = Section {
    name: "gateway",
    noun: "gateway",
    doc: "What carries the readings of the devices on one or more field networks to the platform: \
        a concentrator, an aggregator, an adapter. It has a connection as a device has. A reading \
        stays its device's, whoever carried it.",
    fields: &FIELDS,
    kind: Some(("model", "gateway model")),
    entries: || GATEWAYS.iter().map(|kind| kind.entry).collect(),
    heading: "gateways",
    rules: &[report_unknown_credentials],
    ..Section::REPEATED
};

/// The keys of a gateway beside those of its connection.
const OWN: &[Field] = &[
    Field::required("name", Kind::Name, "its hardware id, and what injections refer to"),
    Field::required("model", Kind::Text, "which gateway model"),
    Field::required(
        ON,
        Kind::Text,
        "the networks it is on: `network:NAME`, with a pattern such as `network:line-*` several",
    ),
    VIA,
    Field::optional(
        READS_AS,
        Kind::Name,
        "whose requests to the platform's REST it makes: the name under which a `[[request]]` kept \
         a bearer token, or a `[[tenant]]`; until it is kept, and without it, they are nobody's",
    ),
];

static FIELDS: [Field; OWN.len() + MQTT_FIELDS.len()] = joined(&[OWN, &MQTT_FIELDS]);

/// A gateway, which `build` of its kind makes.
#[derive(Clone)]
pub struct GatewayRow {
    /// Its name, which is also its hardware id.
    pub name: String,
    /// The registered model.
    pub kind: &'static GatewayKind,
    /// The indices of its networks.
    pub networks: Vec<usize>,
    /// The index of the link it is connected through; `None`: straight to the platform.
    pub via: Option<usize>,
    /// Wall time a message may stay unacknowledged before the connection counts as lost.
    pub acknowledge_limit: Duration,
    /// MQTT keep-alive in wall time; zero: none.
    pub keep_alive: Duration,
    /// `TCP_NODELAY` of its connection.
    pub nodelay: bool,
    /// Whether messages go under a topic of their owner's own.
    pub is_bound: bool,
    /// Under which name its bearer token for REST is kept.
    pub reads_as: Option<String>,
    /// Its keys.
    pub values: Arc<Values>,
}

impl GatewayRow {
    /// Its address and the type of its network, where it dials the platform's dispatcher.
    pub fn dispatcher(&self) -> Option<(u64, &'static str)> {
        let uplink = self.kind.dispatcher?;
        let id = HardwareId::new(&self.name).ok()?;
        Some(((uplink.address)(&self.values, &id)?, uplink.network_type))
    }
}

pub(crate) fn kind_of(row: &Row<'_>) -> Option<&'static GatewayKind> {
    row.kind_of(GATEWAYS, |kind| &kind.entry)
}

/// Looks who is on which network, and whether each fits there.
pub(crate) fn on_networks(
    draft: &Draft<'_>,
    networks: &Names,
    out: &mut Diagnostics,
) -> OnNetworks {
    let rows = draft.rows(&NETWORK);
    let of_table: Vec<_> = draft
        .rows(&DEVICE)
        .iter()
        .map(|device| network_of_device(device, (networks, rows), out))
        .collect();
    let mut of_gateway = Vec::new();
    let mut taken: Vec<Option<&str>> = vec![None; rows.len()];
    for gateway in draft.rows(&GATEWAY) {
        let (found, span) = networks_on(gateway, networks, out);
        if let Some(kind) = kind_of(gateway).filter(|kind| kind.dispatcher.is_some())
            && is_in_real_time(draft)
        {
            let message = format!("`{}` dials its platform in virtual time alone", kind.entry.name);
            let help = Some("leave `time = \"real\"` under `[scenario]` out".to_owned());
            let (_, span) = gateway.text("model").unwrap_or(("", gateway.span));
            out.report_with_help(Code::DOES_NOT_FIT, span, message, "not in real time", help);
        }
        report_dialling(gateway, draft, out);
        for &network in &found {
            if let Some(other) = taken[network].replace(gateway.name().unwrap_or("another")) {
                let name = networks.get(network).unwrap_or_default();
                let message = format!("`{other}` is the gateway of network `{name}` already");
                out.report(Code::DOES_NOT_FIT, span, message, "a network has one gateway");
            }
            if let (Some(kind), Some(network)) =
                (kind_of(gateway), network::kind_of(&rows[network]))
                && !kind.networks.contains(&network.entry.name)
            {
                let own = kind.networks.join(" or ");
                let name = kind.entry.name;
                let message = format!("`{name}` cannot be on a network of {}", network.entry.name);
                let label = format!("expected a network of {own}");
                out.report(Code::DOES_NOT_FIT, span, message, label);
            }
        }
        of_gateway.push(found);
    }
    // Of a gateway with a mistake nobody knows where it is.
    if draft.all_read(&GATEWAY) {
        for (device, network) in draft.rows(&DEVICE).iter().zip(&of_table) {
            let on = network.map(|network| (&rows[network], taken[network].is_some()));
            report_line_of_device(device, on, draft, out);
            let Some(network) = *network else { continue };
            report_device_at_wrong_end(device, (&rows[network], taken[network].is_some()), out);
        }
        for (network, gateway) in rows.iter().zip(&taken) {
            report_gateway_of_adapter(network, gateway.is_some(), out);
            report_superfluous_polls(network, gateway.is_some(), out);
        }
    }
    OnNetworks { of_table, of_gateway }
}

/// A credential has to be kept by somebody, whenever that is.
fn report_unknown_credentials(draft: &Draft<'_>, out: &mut Diagnostics) {
    for row in draft.rows(&GATEWAY) {
        let Some((name, span)) = row.text(READS_AS) else { continue };
        let is_tenant =
            draft.rows(&tenant::TENANT).iter().any(|tenant| tenant.name() == Some(name));
        if is_tenant || request::is_kept(draft, name) || !draft.all_read(&REQUEST) {
            continue;
        }
        let message = format!("no request keeps a token under `{name}`");
        let help = Some(format!("add `keep = {{ {name} = \"/key\" }}` to one"));
        out.report_with_help(Code::DOES_NOT_FIT, span, message, "is not known", help);
    }
}

/// A gateway that dials its platform has an address. Its link can be broken; what links do to
/// messages is not modelled for packets.
fn report_dialling(gateway: &Row<'_>, draft: &Draft<'_>, out: &mut Diagnostics) {
    let Some(uplink) = kind_of(gateway).and_then(|kind| kind.dispatcher) else { return };
    let id = gateway.name().and_then(|name| HardwareId::new(name).ok());
    if let (Some(values), Some(id)) = (gateway.values.as_ref(), id)
        && (uplink.address)(values, &id).is_none()
    {
        let text = values.text_opt("eui64").unwrap_or_default();
        let message = format!("`{text}` is not an EUI-64");
        let label = "expected eight bytes, such as \"00:12:4b:00:00:00:00:2a\"";
        out.report(Code::DOES_NOT_FIT, values.span_of("eui64"), message, label);
    }
    let Some((name, span)) = gateway.text("via") else { return };
    let link = draft.rows(&LINK).iter().find(|link| link.name() == Some(name));
    let key = link.and_then(|link| link.table.entries.iter().find(|entry| entry.key != "name"));
    if let Some(key) = key {
        let message = format!("`{name}` has `{}`, and its gateway sends packets", key.key);
        let help = Some("leave it out: injections `disconnect` break the link".to_owned());
        let label = "expected a link without keys";
        out.report_with_help(Code::DOES_NOT_FIT, span, message, label, help);
    }
}

/// A device has a real line of its own on a CAN bus that has a gateway and is simulated.
fn report_line_of_device(
    device: &Row<'_>,
    on: Option<(&Row<'_>, bool)>,
    draft: &Draft<'_>,
    out: &mut Diagnostics,
) {
    let Some((_, span)) = device.text(LINE) else { return };
    network::report_unusable_line(device, draft, out);
    let is_bus = |row: &Row<'_>| network::network(row).is_some_and(|row| !row.carries_bytes());
    if !on.is_some_and(|(row, has_gateway)| has_gateway && is_bus(row)) {
        let message = "a node with a real line of its own is on no bus here";
        let label = "expected on a network of kind `can` with a gateway only";
        let help = "write `line` in the `[[network]]` for what is on the line of another kind";
        out.report_with_help(Code::DOES_NOT_FIT, span, message, label, Some(help.to_owned()));
    }
}

/// What is at a line has no keys of the bench.
fn report_keys_of_real(device: &Row<'_>, is_real: bool, out: &mut Diagnostics) {
    let sealed = device.text("authentication").filter(|(word, _)| *word != "none");
    if let Some((word, span)) = sealed.filter(|_| is_real) {
        let message = format!("a real node with `authentication = \"{word}\"`");
        let help = "leave `authentication` out: the bench cannot hand keys to what is at the line";
        let label = "expected none with `line`";
        out.report_with_help(Code::DOES_NOT_FIT, span, message, label, Some(help.to_owned()));
    }
}

/// A device is where its network has devices: at the other end of a line that a gateway here reads,
/// and here if the line is simulated or read from the other end.
fn report_device_at_wrong_end(
    device: &Row<'_>,
    (network, has_gateway): (&Row<'_>, bool),
    out: &mut Diagnostics,
) {
    let name = network.name().unwrap_or_default();
    let own = device.text(LINE);
    let is_read_here = (network.text(LINE).is_some() || own.is_some()) && has_gateway;
    let (_, on) = device.text(ON).unwrap_or(("", device.span));
    let hardware = own.or_else(|| device.text(AS).filter(|(way, _)| *way == HARDWARE));
    report_keys_of_real(device, own.is_some(), out);
    let without_gateway = format!("add a `[[gateway]]` with `on = \"network:{name}\"`");
    let (span, message, label, help) = match hardware {
        _ if network.text(LINE).is_none() && !has_gateway => (
            on,
            format!("network `{name}` has no gateway"),
            "nothing carries its readings",
            without_gateway.as_str(),
        ),
        None if is_read_here => (
            on,
            format!("the gateway of network `{name}` is here, its devices are not"),
            "at the other end of a real line nothing is simulated",
            "write `as = \"hardware\"` for what is at the other end of the line, or leave `line` \
             or the gateway out",
        ),
        Some((_, span)) if !is_read_here => (
            span,
            format!("network `{name}` has no `line` that a gateway here reads"),
            "there is no way to it",
            "give the network a `line` and a `[[gateway]]`, or leave `as` out",
        ),
        Some((_, span)) if !device::is_scheduled(device) => (
            span,
            "a device that is not simulated announces nothing to the bench".to_owned(),
            "its readings are known by their instant alone",
            "write `readings = \"scheduled\"`, with `span_earliest` and `span_latest` for how far \
             from the poll it may have measured",
        ),
        _ => return,
    };
    out.report_with_help(Code::DOES_NOT_FIT, span, message, label, Some(help.to_owned()));
}

/// Where no bytes go over a network, its line is that of an adapter, whose host is its master.
fn report_gateway_of_adapter(network: &Row<'_>, has_gateway: bool, out: &mut Diagnostics) {
    let Some((_, span)) = network.text(LINE).filter(|_| has_gateway) else { return };
    if network::network(network).is_some_and(|row| !row.carries_bytes()) {
        let message = "frames of a CAN bus are no bytes of a line";
        let help = "leave `line` out, or the gateway: whoever is at the other end is then the \
                    master, by an SLCAN adapter. For a node that is real write `line` in its \
                    `[[device]]`";
        let label = "a gateway here cannot be on such a line";
        out.report_with_help(Code::DOES_NOT_FIT, span, message, label, Some(help.to_owned()));
    }
}

/// How often devices are read has to be known of a reader that is not here, and of no other.
fn report_superfluous_polls(network: &Row<'_>, has_gateway: bool, out: &mut Diagnostics) {
    let line = network.text(LINE);
    let polls = network.values.as_ref().filter(|values| values.get(POLL_EVERY).is_some());
    match (line, polls) {
        (Some((_, span)), None) if !has_gateway => {
            let message = "nobody here reads the devices on this line";
            let help = format!(
                "write `{POLL_EVERY} = \"10 s\"` if whoever is at the other end reads each of them \
                 so often, or add a `[[gateway]]`"
            );
            let label = "when their readings are due is unknown";
            out.report_with_help(Code::MISSING_KEY, span, message, label, Some(help));
        }
        (line, Some(values)) if line.is_none() || has_gateway => {
            let message = format!("`{POLL_EVERY}` is of a reader at the other end of a line");
            let label = "expected with `line` and without a gateway only";
            out.report(Code::DOES_NOT_FIT, values.span_of(POLL_EVERY), message, label);
        }
        _ => {}
    }
}

/// The name or pattern after `network:`, with its place.
fn written<'a>(row: &Row<'a>, out: &mut Diagnostics) -> Option<(&'a str, Span)> {
    let (on, span) = row.text(ON)?;
    if let Some(name) = on.strip_prefix(NETWORK_PREFIX) {
        return Some((name, span));
    }
    let message = format!("`{on}` is not a network");
    let help = Some(format!("write `on = \"network:{on}\"` if that is its name"));
    let label = "expected `network:` and the name of a network";
    out.report_with_help(Code::UNKNOWN_REFERENCE, span, message, label, help);
    None
}

fn networks_on(gateway: &Row<'_>, networks: &Names, out: &mut Diagnostics) -> (Vec<usize>, Span) {
    match written(gateway, out) {
        Some((pattern, span)) => (networks.fitting(pattern, span, out), span),
        None => (Vec::new(), gateway.span),
    }
}

/// The network of a device table; a model for a network is on one of its kind, any other on none.
fn network_of_device(
    device: &Row<'_>,
    (networks, rows): (&Names, &[Row<'_>]),
    out: &mut Diagnostics,
) -> Option<usize> {
    let model = device::kind_of(device);
    let Some((name, span)) = written(device, out) else {
        let speaks_on = model.and_then(|model| Some((model, model.on?)));
        if let Some((model, kind)) = speaks_on.filter(|_| device.table.get(ON).is_none()) {
            let message = format!("`{}` speaks on a network only", model.entry.name);
            let help =
                format!("add a `[[network]]` of kind `{kind}`, and write `on = \"network:NAME\"`");
            let (_, span) = device.text("model").unwrap_or(("", device.span));
            out.report_with_help(Code::MISSING_KEY, span, message, "needs `on`", Some(help));
        }
        return None;
    };
    let network = networks.find(name, span, out)?;
    let (kind, model) = (network::kind_of(&rows[network])?.entry.name, model?);
    if model.on == Some(kind) {
        refuse_connection_keys(device, out);
        return Some(network);
    }
    let label = match model.on {
        Some(own) => format!("expected a network of kind `{own}`"),
        None => "it has a connection to the platform of its own".to_owned(),
    };
    let message = format!("`{}` cannot be on a network of kind `{kind}`", model.entry.name);
    out.report(Code::DOES_NOT_FIT, span, message, label);
    None
}

/// Whoever is on a network has no connection that a key could be about; as a default that is
/// written out it states nothing.
fn refuse_connection_keys(device: &Row<'_>, out: &mut Diagnostics) {
    let (none, fields) = (Table::default(), [&[VIA][..], &MQTT_FIELDS[..]].concat());
    let defaults = read_table(&none, FILE_START, &fields, &mut Diagnostics::new());
    let (Some(defaults), Some(values)) = (defaults, device.values.as_ref()) else { return };
    for key in fields.iter().map(|field| field.name) {
        let Some(node) = device.table.get(key) else { continue };
        if values.get(key) == defaults.get(key) {
            continue;
        }
        let message = format!("`{key}` is about a connection to the platform");
        let help = Some(format!("write `{key}` in the `[[gateway]]`"));
        let label = "a device on a network has none";
        out.report_with_help(Code::DOES_NOT_FIT, node.span, message, label, help);
    }
}

/// Reads the files that gateways' keys name, but those of simulators.
pub(crate) fn files_of_gateways(
    draft: &Draft<'_>,
    files: &Files<'_>,
    kept: &mut BTreeMap<String, String>,
    out: &mut Diagnostics,
) {
    for row in draft.rows(&GATEWAY) {
        let keys = kind_of(row).map_or(&[][..], |kind| kind.files);
        for name in keys.iter().filter(|key| **key != MAP).filter_map(|key| row.text(key)) {
            kept_text(name, "expected a file", files, kept, out);
        }
    }
}

/// Each gateway has to be one that its model can make with the devices on its networks; of those
/// that one table makes the first stands for all. What needs a point map or dials a dispatcher is
/// looked at elsewhere.
pub(crate) fn report_unfit(
    draft: &Draft<'_>,
    references: &References,
    devices: &[Option<Box<dyn Device>>],
    (streams, start, files): (Streams, SimTime, &BTreeMap<String, String>),
    out: &mut Diagnostics,
) {
    let on = &references.on_networks;
    let of_network = |network: usize| {
        let device = |(table, device): (usize, &Option<Box<dyn Device>>)| {
            let is_here = on.of_table.get(table).copied().flatten() == Some(network);
            let device = device.as_ref().filter(|_| is_here)?;
            let name = &references.devices.iter().find(|(_, of)| *of == table)?.0;
            Some((HardwareId::new(name.as_str()).ok()?, device.network_address()?))
        };
        let rate = network::network(draft.rows(&NETWORK).get(network)?)?.bits_per_second();
        let devices = devices.iter().enumerate().filter_map(device).collect();
        Some(NetworkContext { bits_per_second: rate.unwrap_or(0), devices })
    };
    for (row, networks) in draft.rows(&GATEWAY).iter().zip(&on.of_gateway) {
        let (Some(kind), Some(values), Some(name)) =
            (kind_of(row), row.values.as_ref(), row.name())
        else {
            continue;
        };
        // A device with a mistake would be missed, and that would be reported as one more.
        let is_short = |(table, device): (usize, &Option<_>)| {
            let on = on.of_table.get(table).copied().flatten();
            device.is_none() && on.is_some_and(|network| networks.contains(&network))
        };
        if !out.is_empty() && devices.iter().enumerate().any(is_short) {
            continue;
        }
        let Some(networks) = networks.iter().map(|&it| of_network(it)).collect() else { continue };
        let Ok(hardware_id) = HardwareId::new(name) else { continue };
        let is_there =
            |key: &&str| values.text_opt(key).is_some_and(|name| files.contains_key(name));
        if !kind.files.iter().all(is_there) || kind.dispatcher.is_some() {
            continue;
        }
        let streams = &streams;
        let tenant = TENANT;
        let context = GatewayContext {
            name,
            hardware_id,
            tenant,
            start,
            epoch: EPOCH,
            networks,
            streams,
            files,
        };
        (kind.build)(values, &context, &[], out);
    }
}

pub(crate) fn gateway(row: &Row<'_>, networks: &[usize], via: Via) -> Option<GatewayRow> {
    let values = Arc::clone(row.values.as_ref()?);
    Some(GatewayRow {
        name: row.name()?.to_owned(),
        kind: kind_of(row)?,
        networks: networks.to_vec(),
        via: via.ok()?,
        acknowledge_limit: wall(&values, "acknowledge_limit"),
        keep_alive: wall(&values, "keep_alive"),
        nodelay: values.boolean("nodelay"),
        is_bound: values.text("input_topic") == "bound",
        reads_as: values.text_opt(READS_AS).map(str::to_owned),
        values,
    })
}
