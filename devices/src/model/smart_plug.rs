//! The smart plug of a home: the measuring part around an ADE7953, a bistable relay, and a node of
//! a ZigBee network as its way out.

use lastmeter_params::{Code, Diagnostics, Dimension, Entry, Field, Kind, Values};
use lastmeter_units::{HardwareId, SimDuration};
use lastmeter_zigbee::address::Eui64;
use lastmeter_zigbee::network::NodeConfig;
use lastmeter_zigbee::zcl::cluster::ota::ImageId;

use super::ade7953_1ph::{ADE7953_1PH, DEFAULTS, RECIPE};
use super::build::build_with;
use super::fields::{between, count, of_model};
use super::kind::DeviceKind;
use crate::outlet::zigbee::{ZigbeeOutlet, ZigbeeParts, is_reported};
use crate::zigbee::{PLUG_PROGRAM, PlugScales, UpgradeConfig, WINDOW_MAX};

/// The first 32 bits of addresses that are derived from names: of a maker of radios.
pub(super) const MAKER: u64 = 0x0015_8D00;

/// How long it waits for a block: one that sleeps fetches eight a second, and has 64 on their way.
/// Asked for again while it waits at the coordinator, it would come twice.
const ANSWER_WAIT: SimDuration = SimDuration::from_seconds(30);

const OWN: [Field; 8] = [
    Field::optional(
        "eui64",
        Kind::Text,
        "Its EUI-64, eight bytes in hexadecimal with colons; left out, it follows from its name, so \
         that devices made by `count` differ.",
    ),
    Field::default(
        "sleeps",
        Kind::Boolean,
        "false",
        "Whether its receiver is off when it is idle: commands wait for its poll.",
    ),
    Field::default(
        "poll_every",
        between(Dimension::Time, 0.1, 3600.0),
        "\"60 s\"",
        "How often it polls its coordinator; four polls without an answer make it rejoin.",
    ),
    Field::default(
        "relay_closed",
        Kind::Boolean,
        "true",
        "Whether the contact of its relay is closed at the start.",
    ),
    Field::default(
        "display",
        Kind::Boolean,
        "false",
        "Whether it has a display of its own, which shows voltage, current, power and energy.",
    ),
    Field::default(
        "frame_counter",
        Kind::Integer { min: 0, max: u32::MAX as i64 },
        "0",
        "How far it has counted the frames of its network: a coordinator takes none twice. For one \
         that was a member of it before.",
    ),
    Field::default(
        "program_version",
        Kind::Integer { min: 0, max: u32::MAX as i64 },
        "1",
        "The version of the program image that it runs; it fetches another one over the radio when \
         the platform gives notice of it.",
    ),
    Field::default(
        "blocks_under_way",
        Kind::Integer { min: 1, max: WINDOW_MAX as i64 },
        "64",
        "How many blocks of an image it asks for before the first of them has come.",
    ),
];

static FIELDS: [Field; count(&OWN)] = of_model(&OWN, &PLUG_DEFAULTS);

const PLUG_DEFAULTS: [(&str, &str); DEFAULTS.len() + 3] = {
    let mut all = [("", ""); DEFAULTS.len() + 3];
    let mut at = 0;
    while at < DEFAULTS.len() {
        all[at] = DEFAULTS[at];
        at += 1;
    }
    all[at] = ("fidelity", "\"windows\"");
    all[at + 1] = ("report_every", "\"60 s\"");
    all[at + 2] = ("totals_only", "true");
    all
};

/// Its row.
pub(crate) const SMART_PLUG: DeviceKind = DeviceKind {
    on: Some("zigbee"),
    entry: Entry {
        name: "smart-plug",
        summary: "smart plug on a ZigBee network: ADE7953, bistable relay, radio node",
        description: "A plug between an appliance and its socket (230 V, 16 A). Its ADE7953 is as \
            delivered: uncalibrated. It joins the ZigBee network that it is on, reports voltage, \
            current, powers, power factor, frequency and energies as attributes of Electrical \
            Measurement and Metering, every `report_every` unless its coordinator configures \
            something else, and takes commands of On/Off and calibrations over the radio. Its \
            relay is bistable: the contact stays where it is without power.",
        fields: &FIELDS,
    },
    build: |values, context, diagnostics| {
        let report_every = values.duration("report_every");
        let eui = match values.text_opt("eui64") {
            Some(text) => eui_of(text).or_else(|| {
                report_no_eui(values, diagnostics);
                None
            })?,
            None => derived(MAKER, &context.hardware_id),
        };
        let poll_every = values.duration("poll_every");
        let config = if values.boolean("sleeps") {
            NodeConfig::sleepy(eui, poll_every)
        } else {
            NodeConfig { poll_every, ..NodeConfig::listening(eui) }
        };
        let outlet = ZigbeeOutlet::new(ZigbeeParts {
            start: context.start,
            config,
            scales: PlugScales::default(),
            report_every: report_every.max(SimDuration::from_seconds(1)),
            is_closed: values.boolean("relay_closed"),
            has_display: values.boolean("display"),
            upgrade: upgrade_of(values),
            frame_counter: u32::try_from(values.integer("frame_counter")).unwrap_or_default(),
            stream: context.streams.stream(&format!("device/{}/radio", context.name)),
        });
        build_with(&RECIPE, values, context, (Box::new(outlet), is_reported), diagnostics)
    },
    ..ADE7953_1PH
};

/// The image that it runs, and how it fetches another.
fn upgrade_of(values: &Values) -> UpgradeConfig {
    let version = u32::try_from(values.integer("program_version")).unwrap_or_default();
    let window = u8::try_from(values.integer("blocks_under_way")).unwrap_or(WINDOW_MAX);
    let answer_wait = ANSWER_WAIT;
    UpgradeConfig { window, answer_wait, ..UpgradeConfig::new(ImageId { version, ..PLUG_PROGRAM }) }
}

/// Notes that `eui64` is none.
pub(crate) fn report_no_eui(values: &Values, diagnostics: &mut Diagnostics) {
    let message = format!("`{}` is not an EUI-64", values.text_opt("eui64").unwrap_or_default());
    let label = "expected eight bytes, such as \"00:15:8d:00:00:00:00:2a\"";
    diagnostics.report(Code::DOES_NOT_FIT, values.span_of("eui64"), message, label);
}

/// An EUI-64 as it is written on nodes.
pub(crate) fn eui_of(text: &str) -> Option<Eui64> {
    let bytes: Vec<&str> = text.split(':').collect();
    let is_byte = |byte: &&str| byte.len() == 2 && byte.bytes().all(|c| c.is_ascii_hexdigit());
    if bytes.len() != 8 || !bytes.iter().all(is_byte) {
        return None;
    }
    u64::from_str_radix(&bytes.concat(), 16).ok().map(Eui64)
}

/// Of each name another one of a maker, as far as 32 bits allow: FNV-1a of its bytes, folded.
pub(crate) fn derived(maker: u64, id: &HardwareId) -> Eui64 {
    let hash = id.as_str().bytes().fold(0xCBF2_9CE4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01B3)
    });
    Eui64(maker << 32 | (hash ^ hash >> 32) & 0xFFFF_FFFF)
}
