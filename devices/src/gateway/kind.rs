//! What a gateway model is to a scenario, and how it is made.

use std::collections::BTreeMap;

use lastmeter_params::{Diagnostics, Dimension, Entry, Field, Kind, Values};
use lastmeter_sim::Streams;
use lastmeter_units::{Epoch, HardwareId, SimTime};

use super::Gateway;

/// A time in seconds as a field.
pub(super) const fn time(min: f64, max: f64) -> Kind {
    Kind::Quantity { dimension: Dimension::Time, min, max }
}

pub(super) const OUTBOX: Field = Field::default(
    "outbox",
    Kind::Choice(&["durable", "volatile"]),
    "\"durable\"",
    "Whether messages are written before they are sent; a volatile outbox loses them at a restart \
     and while the link is down.",
);

pub(super) const OUTBOX_LIMIT: Field = Field::default(
    "outbox_limit",
    Kind::Integer { min: 1, max: 10_000_000 },
    "100000",
    "Most messages that wait for the platform; beyond it the oldest is dropped and reported.",
);

/// What a gateway model needs to know of its place in a scenario.
#[derive(Clone, Debug)]
pub struct GatewayContext<'a> {
    /// The gateway's name in the scenario.
    pub name: &'a str,
    /// The id it goes by in messages.
    pub hardware_id: HardwareId,
    /// The tenant it belongs to.
    pub tenant: &'a str,
    /// Event time of its start; after a restart, that of the scenario still.
    pub start: SimTime,
    /// The epoch of its serials, and of those of the devices behind it: a new one where nothing is
    /// kept of the serials before.
    pub epoch: Epoch,
    /// The networks it is on.
    pub networks: Vec<NetworkContext>,
    /// The scenario's random streams.
    pub streams: &'a Streams,
    /// The texts of the files that its keys name, by those names.
    pub files: &'a BTreeMap<String, String>,
}

/// A network that a gateway is on.
#[derive(Clone, Debug)]
pub struct NetworkContext {
    /// Its rate, in bits per second.
    pub bits_per_second: u32,
    /// The devices that are configured there, with their addresses as their models write them.
    pub devices: Vec<(HardwareId, String)>,
}

/// Makes a gateway, with the records kept before a restart. `None` if values do not fit together,
/// which is then in the diagnostics.
pub type BuildGateway =
    fn(&Values, &GatewayContext<'_>, &[Vec<u8>], &mut Diagnostics) -> Option<Box<dyn Gateway>>;

/// What a gateway that speaks to the platform's dispatcher is registered as.
#[derive(Clone, Copy, Debug)]
pub struct DispatcherUplink {
    /// The type of its network, as the platform names it.
    pub network_type: &'static str,
    /// Its address of 64 bits; `None` if its keys have none.
    pub address: fn(&Values, &HardwareId) -> Option<u64>,
}

/// A gateway model: its place in the scenario language, and how it is made.
#[derive(Clone, Copy)]
pub struct GatewayKind {
    /// Name, texts and fields.
    pub entry: Entry,
    /// Kinds of network that it can be on, such as `m-bus`.
    pub networks: &'static [&'static str],
    /// Those of its keys that name files, whose texts it is then given.
    pub files: &'static [&'static str],
    /// The channel on which it takes messages beside its commands, if its keys ask for it: one
    /// level of a topic.
    pub live: fn(&Values) -> Option<&'static str>,
    /// The filters of the topics that its files name, of messages that it then takes as
    /// [`GatewayInput::Flow`](super::GatewayInput::Flow).
    pub flows: fn(&Values, &BTreeMap<String, String>) -> Vec<String>,
    /// The devices that its files name, whose commands are for it as well.
    pub devices: fn(&Values, &BTreeMap<String, String>) -> Vec<String>,
    /// Of a gateway that dials into the platform's dispatcher; `None`: it speaks MQTT.
    pub dispatcher: Option<DispatcherUplink>,
    /// Makes one, as [`BuildGateway`] describes.
    pub build: BuildGateway,
}
