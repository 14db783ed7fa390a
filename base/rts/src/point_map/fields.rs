//! The keys of a map's tables.

use lastmeter_params::{Dimension, Field, Kind};

use super::format::{Card, WireFormat};
use super::{PointDirection, StatusRole, WaveformChannel};
use crate::FORMATS;
use crate::sample::SignalType;

/// The keys of `[simulator]`, besides those of its wire format.
pub(super) static SIMULATOR: &[Field] = &[
    Field::required("name", Kind::Name, "how reports refer to the simulator"),
    Field::required("wire_format", Kind::Choice(WireFormat::WORDS), "how points stand in a packet"),
    Field::default(
        "card",
        Kind::Choice(Card::WORDS),
        "\"none\"",
        "the communication card, whose limits then hold",
    ),
    Field::required(
        "sample_rate",
        Kind::Quantity { dimension: Dimension::Frequency, min: 1e-3, max: 1e6 },
        "packets per second in each direction",
    ),
];

/// The keys of `[[point]]` whose kind does not depend on the point's unit, besides those of the
/// wire format.
pub(super) static POINT: &[Field] = &[
    Field::required("name", Kind::Name, "how readings, limits and reports refer to the point"),
    Field::required(
        "direction",
        Kind::Choice(PointDirection::WORDS),
        "whether the simulator sends or takes it",
    ),
    Field::required("type", Kind::Choice(SignalType::WORDS), "how it is carried"),
    Field::optional("role", Kind::Choice(StatusRole::WORDS), "what a status word reports"),
    Field::optional("unit", Kind::Text, "the unit of the value after `scale`"),
    Field::optional("device", Kind::Name, "the device that it belongs to"),
    Field::optional("quantity", Kind::Text, "the measurement identifier of what it carries"),
    Field::optional(
        "waveform",
        Kind::Choice(WaveformChannel::WORDS),
        "the channel of the device whose instantaneous values it carries",
    ),
    Field::default(
        "scale",
        Kind::Quantity { dimension: Dimension::Ratio, min: f64::NEG_INFINITY, max: f64::INFINITY },
        "1",
        "the word on the wire times this is the value in `unit`",
    ),
    Field::optional(
        "command",
        Kind::Choice(&["setPoint", "setBreaker"]),
        "of a point that is written for a device: by which command, `setPoint` unless given; \
         `setBreaker` writes 1 (closed) and 0 (open)",
    ),
    Field::optional("reflected_by", Kind::Name, "the point by which the simulator echoes it"),
    Field::default(
        "blocked_by_mode",
        Kind::Boolean,
        "false",
        "whether it is not written while the point of role `mode` stands at 0 (manual)",
    ),
    Field::optional(
        "from",
        Kind::Text,
        "of a point that is written: where its value comes from, `device:NAME/QUANTITY` (the last \
         reading of a device), `topic:FILTER` (messages of MQTT) or `rest:PATH` (the platform's REST)",
    ),
    Field::optional("pointer", Kind::Text, "with a topic or a path: the JSON pointer of the value"),
    Field::optional(
        "time_pointer",
        Kind::Text,
        "with a topic or a path: the JSON pointer of the value's time (RFC 3339); without it a value \
         is of when it came",
    ),
    Field::optional(
        "from_unit",
        Kind::Text,
        "with a topic or a path: the unit of the value there, that of the point unless given",
    ),
    Field::optional(
        "every",
        FEED_TIME,
        "with a device or a path: how often it is asked, 1 s unless given",
    ),
    Field::optional(
        "stale_after",
        FEED_TIME,
        "with `from`: without a newer value for so long the safe value is written",
    ),
];

const FEED_TIME: Kind = Kind::Quantity { dimension: Dimension::Time, min: 0.001, max: 86_400.0 };

/// The keys of a point's source.
pub(super) const FEED_KEYS: [&str; 6] =
    ["from", "pointer", "time_pointer", "from_unit", "every", "stale_after"];

/// How many keys depend on the point's unit.
const VALUE_FIELDS: usize = 6;

pub(super) const VALUE_KEYS: [&str; VALUE_FIELDS] =
    ["offset", "least", "greatest", "greatest_change_per_second", "initial", "safe_value"];

pub(super) const WRITE_KEYS: [&str; 12] = [
    "greatest_change_per_second",
    "initial",
    "safe_value",
    "reflected_by",
    "blocked_by_mode",
    "command",
    "from",
    "pointer",
    "time_pointer",
    "from_unit",
    "every",
    "stale_after",
];

const fn value_fields(dimension: Dimension) -> [Field; VALUE_FIELDS] {
    let difference = match dimension {
        Dimension::Temperature => Dimension::TemperatureDifference,
        other => other,
    };
    let (min, max) = (f64::NEG_INFINITY, f64::INFINITY);
    let value = Kind::Quantity { dimension, min, max };
    let offset = Kind::Quantity { dimension: difference, min, max };
    let change = Kind::Quantity { dimension: difference, min: 0.0, max };
    [
        Field::optional("offset", offset, "what is added after `scale`, with its unit"),
        Field::optional("least", value, "the least value it takes"),
        Field::optional("greatest", value, "the greatest value it takes"),
        Field::optional(
            "greatest_change_per_second",
            change,
            "the steepest change per second: of a point that is written its limit; of a measured one a \
             sample that changes faster cannot be used",
        ),
        Field::optional("initial", value, "what is written before anything else"),
        Field::optional("safe_value", value, "what is written when the bench loses its input"),
    ]
}

static VALUES: [[Field; VALUE_FIELDS]; Dimension::ALL.len()] = {
    let mut all = [value_fields(Dimension::Ratio); Dimension::ALL.len()];
    let mut at = 0;
    while at < all.len() {
        all[at] = value_fields(Dimension::ALL[at]);
        at += 1;
    }
    all
};

/// The keys of a point whose values are of this dimension.
pub(super) fn values_of(dimension: Dimension) -> &'static [Field] {
    &VALUES[dimension as usize]
}

/// All keys of a table of point maps, for people: `simulator` or `point`, those of a wire format
/// with its name; `None` of no such table.
pub fn documented_keys(table: &str) -> Option<Vec<(&'static str, Vec<Field>)>> {
    let (common, mut own): (Vec<Field>, _) = match table {
        "simulator" => (SIMULATOR.to_vec(), Vec::new()),
        "point" => {
            let values = values_of(Dimension::Ratio).iter().map(|field| {
                let kind = Kind::Text;
                Field { kind, ..*field }
            });
            (POINT.iter().copied().chain(values).collect(), Vec::new())
        }
        _ => return None,
    };
    for row in FORMATS {
        let keys = if table == "point" { row.point_keys } else { row.simulator_keys };
        if !keys.is_empty() {
            own.push((row.name, keys.to_vec()));
        }
    }
    own.insert(0, ("", common));
    Some(own)
}

/// Whether a `[[point]]` of any wire format has such a key.
pub(super) fn is_point_key(key: &str) -> bool {
    let of_format = FORMATS.iter().flat_map(|row| row.point_keys);
    VALUE_KEYS.contains(&key) || POINT.iter().chain(of_format).any(|field| field.name == key)
}
