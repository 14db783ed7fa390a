//! MQTT as a transport: a session of its own for each device, see [`crate::mqtt`]. It carries
//! messages, not bytes, so it has no address of a channel.

use lastmeter_params::{Dimension, Entry, Field, Kind};

use super::TransportKind;

/// The keys of everything that has such a session: `[[device]]` and `[[gateway]]` take them.
pub const MQTT_FIELDS: [Field; 4] = [
    Field::default(
        "input_topic",
        Kind::Choice(&["shared", "bound"]),
        "\"shared\"",
        "publish where all devices of the tenant do, or on \
         `TENANT/device/HARDWARE-ID/input/json`, which takes this device only",
    ),
    Field::default(
        "nodelay",
        Kind::Boolean,
        "true",
        "TCP_NODELAY of its connection; off, Nagle's algorithm may hold small packets back",
    ),
    Field::default(
        "keep_alive",
        Kind::Quantity { dimension: Dimension::Time, min: 0.0, max: 65_535.0 },
        "\"10 s\"",
        "MQTT keep-alive, in whole seconds of wall time: a silent broker is noticed after one \
         to two of them; `0 s`: none",
    ),
    Field::default(
        "acknowledge_limit",
        Kind::Quantity { dimension: Dimension::Time, min: 0.1, max: 86_400.0 },
        "\"30 s\"",
        "wall time a message may stay unacknowledged before its connection counts as lost",
    ),
];

pub(super) const MQTT: TransportKind = TransportKind {
    entry: Entry {
        name: "mqtt",
        summary: "an MQTT 3.1.1 session with the platform",
        description: "A session of the device's own with the platform's broker, over TCP or TLS, \
            with QoS 1. What the broker has not acknowledged when a connection is lost is sent \
            again on the next one.",
        fields: &MQTT_FIELDS,
    },
    address: None,
};
