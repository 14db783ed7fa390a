//! What a type of field networks is: one row with its functions, and the list of all types.
//!
//! A row's code stands in journals and in packets of gateways: it never changes and is never given
//! again. What a frame means may depend on what was learned of its node before: all of that is the
//! node's context, which stands beside the frame wherever it is kept, so that a frame is read the
//! same at any time and by any later version.

mod can;
mod zigbee;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use lastmeter_params::{Entry, Kind, Presence};
use lastmeter_units::MeasurementId;
use serde_json::Value;
use thiserror::Error;

use crate::firmware::{Demand, ImageKey, Supply};

/// Frames for a node, in their order.
pub type Frames = Vec<Vec<u8>>;

/// Entries of a gateway's configuration: keys with their values.
pub type Settings = Vec<(u8, Vec<u8>)>;

/// Makes the frame of what a node is given; what is wrong with it otherwise.
pub type SupplyFrame = fn(&NodeContext, (u16, ImageKey), &Supply<'_>) -> Result<Vec<u8>, String>;

/// A type of field networks.
#[derive(Debug)]
pub struct NetworkType {
    /// Its name, texts, and options.
    pub entry: Entry,
    /// Its number in packets and journals.
    pub code: u8,
    /// What its nodes measure.
    pub yields: &'static [Declared],
    /// What its nodes can be ordered to do.
    pub commands: &'static [CommandRow],
    /// Which node a frame is from.
    pub origin: fn(&[u8]) -> Result<Origin, FrameRefusal>,
    /// The context of a node after a frame of it, if the frame changes it.
    pub learn: fn(&NodeContext, &[u8]) -> Option<NodeContext>,
    /// What was learned of a node and waits to be accepted, if there is such; none if nodes of this
    /// type have nothing that waits.
    pub accept: Option<fn(&NodeContext) -> Option<Accepted>>,
    /// Reads a frame from a node.
    pub decode: fn(&NodeContext, &[u8]) -> Result<Decoded, FrameRefusal>,
    /// An order as frames for its node; what is wrong with it otherwise.
    pub encode: fn(&NodeContext, &Order<'_>) -> Result<Frames, String>,
    /// What a node is given of its program image as a frame, by what its demand has for the answer
    /// (0 if it has asked for nothing) and the image; none if nodes of this type take no images.
    pub supply: Option<SupplyFrame>,
    /// Options of a network as entries of its gateway's configuration.
    pub settings: fn(&BTreeMap<String, Value>) -> Settings,
}

/// All types; a new one is a file and a line.
pub static NETWORK_TYPES: &[NetworkType] = &[zigbee::ZIGBEE, can::CAN];

/// The type with a name.
pub fn by_name(name: &str) -> Option<&'static NetworkType> {
    NETWORK_TYPES.iter().find(|row| row.entry.name == name)
}

/// The type with a code.
pub fn by_code(code: u8) -> Option<&'static NetworkType> {
    NETWORK_TYPES.iter().find(|row| row.code == code)
}

/// A quantity that nodes of a type measure.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Declared {
    /// Its name in messages.
    pub id: &'static str,
    /// Whether its values are a register that rises.
    pub is_counter: bool,
    /// The smallest step of its values, in its unit; nodes may be coarser.
    pub resolution: f64,
    /// The greatest error of its values, in percent.
    pub accuracy_percent: f64,
}

/// A command of nodes of a type.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CommandRow {
    /// What it is called.
    pub name: &'static str,
    /// What it does, for people.
    pub description: &'static str,
    /// Its parameters.
    pub parameters: &'static [Parameter],
}

/// A parameter of a command: a whole number.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Parameter {
    /// What it is called.
    pub name: &'static str,
    /// Whether it has to be given.
    pub is_required: bool,
    /// The smallest number.
    pub min: i64,
    /// The greatest number.
    pub max: i64,
}

/// What is known of a node.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NodeContext {
    /// Its address for life.
    pub node: u64,
    /// Its address in the network.
    pub address: u16,
    /// What its type has learned of it, at most [`STATE_BYTES_MAX`].
    pub state: Vec<u8>,
}

/// What becomes of a node's context when what waits is accepted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Accepted {
    /// The context from then on.
    pub context: NodeContext,
    /// What changes with that, each in a few words for people.
    pub changes: Vec<String>,
}

/// The most that a type may learn of a node, bytes.
pub const STATE_BYTES_MAX: usize = 1024;

/// Which node a frame is from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Origin {
    /// Its address for life, if the frame has it.
    pub node: Option<u64>,
    /// Its address in the network.
    pub address: u16,
    /// How well it was heard, of 255.
    pub signal: u8,
}

/// What a frame holds; it may be several things.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Decoded {
    /// Values in the units of messages, each quantity once.
    pub measured: Vec<(MeasurementId, f64)>,
    /// Values that are there and cannot be used, with the reason.
    pub unusable: Vec<String>,
    /// Whether the frame is to be kept as it is: it configures, or describes, its node.
    pub is_configuration: bool,
    /// What became of the node.
    pub event: Option<NodeEvent>,
    /// What it answers to an order.
    pub answer: Option<Answer>,
    /// What it asks about its program image: nothing else of the frame is kept then.
    pub demand: Option<Demand>,
}

/// What became of a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NodeEvent {
    /// It is there, under the address of the frame.
    Joined {
        /// Its address for life.
        node: u64,
        /// Its address in the network.
        address: u16,
        /// Whether it sleeps.
        sleeps: bool,
    },
    /// It leaves.
    Left,
}

/// The answer of a node to an order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The number that the order's frame had.
    pub sequence: u8,
    /// What it is, for people and programs.
    pub text: String,
}

/// An order for a node.
#[derive(Clone, Copy, Debug)]
pub struct Order<'a> {
    /// The command's name.
    pub command: &'a str,
    /// Its arguments, as texts.
    pub arguments: &'a BTreeMap<String, String>,
    /// The number that its answer repeats.
    pub sequence: u8,
}

/// A frame that is none of its type.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{detail}")]
pub struct FrameRefusal {
    /// A stable word.
    pub reason: &'static str,
    /// What was found and what was expected.
    pub detail: String,
}

impl FrameRefusal {
    /// Bytes that are no frame of the type.
    #[expect(clippy::needless_pass_by_value, reason = "it is made of errors, as they come")]
    pub fn malformed(detail: impl ToString) -> Self {
        Self { reason: "malformed_frame", detail: detail.to_string() }
    }
}

impl Order<'_> {
    /// A whole number among the arguments: decimal, or hexadecimal behind `0x`.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn number(&self, parameter: &Parameter) -> Result<Option<i64>, String> {
        let Parameter { name, is_required, min, max } = *parameter;
        let Some(text) = self.arguments.get(name) else {
            return if is_required { Err(format!("`{name}` is missing")) } else { Ok(None) };
        };
        let read = match text.strip_prefix("0x") {
            Some(digits) => i64::from_str_radix(digits, 16).ok(),
            None => text.parse().ok(),
        };
        let within = read.filter(|number| (min..=max).contains(number));
        let wrong = || format!("`{name}` is `{text}`, expected a whole number from {min} to {max}");
        within.map(Some).ok_or_else(wrong)
    }
}

impl NetworkType {
    /// Checks options of a network: the name of the first that is wrong, and what was expected.
    ///
    /// # Errors
    /// What was expected in place of an option.
    pub fn check_options(&self, options: &BTreeMap<String, Value>) -> Result<(), (String, String)> {
        for (name, value) in options {
            let field = self.entry.fields.iter().find(|field| field.name == name);
            let Some(field) = field.filter(|field| field.presence != Presence::Retired) else {
                let known: Vec<&str> = self.entry.fields.iter().map(|field| field.name).collect();
                return Err((name.clone(), format!("expected one of {}", known.join(", "))));
            };
            let expected = match field.kind {
                Kind::Integer { min, max } => {
                    let is_within = value.as_i64().is_some_and(|it| (min..=max).contains(&it));
                    (!is_within).then(|| format!("expected a whole number from {min} to {max}"))
                }
                Kind::Boolean => (!value.is_boolean()).then(|| "expected true or false".to_owned()),
                Kind::Choice(words) => {
                    let is_known = value.as_str().is_some_and(|word| words.contains(&word));
                    (!is_known).then(|| format!("expected one of {}", words.join(", ")))
                }
                _ => (!value.is_string()).then(|| "expected a text".to_owned()),
            };
            if let Some(expected) = expected {
                return Err((name.clone(), expected));
            }
        }
        Ok(())
    }
}
