//! The sensor of a room: its temperature and the contact of its door or window, a node of a ZigBee
//! network that sleeps on a battery.

use lastmeter_params::{Dimension, Entry, Field, Kind};
use lastmeter_units::Domain;
use lastmeter_zigbee::network::NodeConfig;

use super::fields::{between, either_way, positive};
use super::kind::{DeviceKind, Fits};
use super::smart_plug::{MAKER, derived, eui_of, report_no_eui};
use crate::gaussian::Gaussian;
use crate::room::{RoomSensorDevice, RoomSensorParts};

static FIELDS: [Field; 6] = [
    Field::optional(
        "eui64",
        Kind::Text,
        "Its EUI-64, eight bytes in hexadecimal with colons; left out, it follows from its name, so \
         that devices made by `count` differ.",
    ),
    Field::default(
        "report_every",
        between(Dimension::Time, 10.0, 3600.0),
        "\"5 min\"",
        "Time between two readings; that its contact opens or closes is sent at once.",
    ),
    Field::default(
        "poll_every",
        between(Dimension::Time, 0.1, 3600.0),
        "\"60 s\"",
        "How often it polls its coordinator; four polls without an answer make it rejoin.",
    ),
    Field::default(
        "temperature_offset",
        either_way(Dimension::TemperatureDifference, 20.0),
        "\"0 K\"",
        "By how much its temperature reads too high.",
    ),
    Field::default(
        "temperature_noise",
        positive(Dimension::TemperatureDifference, 5.0),
        "\"0.05 K\"",
        "Standard deviation of what is drawn for each reading and added to its temperature.",
    ),
    Field::default(
        "battery",
        between(Dimension::Ratio, 0.0, 1.0),
        "\"100 %\"",
        "What is left in its battery.",
    ),
];

/// Its row.
pub(crate) const ROOM_SENSOR: DeviceKind = DeviceKind {
    fits: Fits::Pipe(Domain::Room),
    on: Some("zigbee"),
    entry: Entry {
        name: "room-sensor",
        summary: "sensor of a room on a ZigBee network: temperature, contact of a door or window",
        description: "A sensor on a battery in a room. It joins the ZigBee network that it is on \
            and sleeps between its polls. Every `report_every` it reports its temperature, in steps \
            of 0.01 K, and whether its door or window is open; that this has changed it sends at \
            once as well.",
        fields: &FIELDS,
    },
    build: |values, context, diagnostics| {
        let eui64 = match values.text_opt("eui64") {
            Some(text) => eui_of(text).or_else(|| {
                report_no_eui(values, diagnostics);
                None
            })?,
            None => derived(MAKER, &context.hardware_id),
        };
        let stream = |what: &str| {
            let name = format!("device/{}/{what}", context.name);
            context.streams.stream(&name)
        };
        Some(Box::new(RoomSensorDevice::new(RoomSensorParts {
            start: context.start,
            config: NodeConfig::sleepy(eui64, values.duration("poll_every")),
            report_every: values.duration("report_every"),
            offset_k: values.si("temperature_offset"),
            noise_k: values.si("temperature_noise"),
            battery_percent: 100.0 * values.si("battery"),
            noise: Gaussian::new(stream("temperature")),
            radio: stream("radio"),
        })))
    },
    ..DeviceKind::PLAIN
};
