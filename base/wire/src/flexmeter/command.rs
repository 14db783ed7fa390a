//! Commands from the platform to a device (Flexmeter deliverable, section 4.5.3, Table 4).
//!
//! The platform writes all keys of the section's example. A device needs of them only the
//! command's name, the invocation's id and the typed parameters, so that is what decoding insists
//! on; everything else may be left out or `null`.

use std::collections::BTreeMap;
use std::fmt;

use lastmeter_units::SimTime;
use serde::{Deserialize, Deserializer, Serialize};

use super::decode::tree;
use super::refusal::{Limits, Refusal, RefusalReason};

/// A command on its way to a device.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct CommandMessage {
    /// `command.command`: what the device's type can do.
    #[serde(rename = "command")]
    pub definition: CommandDefinition,
    /// `command.invocation`: this one use of it.
    pub invocation: Invocation,
    /// `command.parameters`: the arguments with their types.
    #[serde(default, deserialize_with = "or_default")]
    pub parameters: BTreeMap<String, ParameterValue>,
}

/// A command a type of device understands.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CommandDefinition {
    /// When it was defined.
    #[serde(default)]
    pub created_date: Option<SimTime>,
    /// Who defined it.
    #[serde(default)]
    pub created_by: Option<String>,
    /// When it was last changed.
    #[serde(default)]
    pub updated_date: Option<SimTime>,
    /// Who changed it.
    #[serde(default)]
    pub updated_by: Option<String>,
    /// Whether it has been withdrawn.
    #[serde(default, deserialize_with = "or_default")]
    pub deleted: bool,
    /// Its id.
    #[serde(default, deserialize_with = "or_default")]
    pub token: String,
    /// Id of the device specification it belongs to.
    #[serde(default, deserialize_with = "or_default")]
    pub specification_token: String,
    /// Keeps equal names of different makers apart.
    #[serde(default, deserialize_with = "or_default")]
    pub namespace: String,
    /// What the device goes by.
    pub name: String,
    /// What it does, for people.
    #[serde(default, deserialize_with = "or_default")]
    pub description: String,
    /// Its parameters.
    #[serde(default, deserialize_with = "or_default")]
    pub parameters: Vec<ParameterDefinition>,
    /// Further texts by name.
    #[serde(default, deserialize_with = "or_default")]
    pub metadata: BTreeMap<String, String>,
}

/// A parameter of a command.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ParameterDefinition {
    /// Its name.
    pub name: String,
    /// The type of its values.
    #[serde(rename = "type")]
    pub kind: ParameterType,
    /// Whether an invocation must give it.
    #[serde(default)]
    pub required: bool,
}

/// The types of SiteWhere's command parameters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the names are SiteWhere's own words")]
pub enum ParameterType {
    Double,
    Float,
    Int32,
    Int64,
    UInt32,
    UInt64,
    SInt32,
    SInt64,
    Fixed32,
    Fixed64,
    SFixed32,
    SFixed64,
    Bool,
    String,
    Bytes,
}

/// An argument with its JSON type.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum ParameterValue {
    /// `true` or `false`.
    Boolean(bool),
    /// A whole number.
    Integer(i64),
    /// Any other number.
    Number(f64),
    /// A text.
    Text(String),
}

impl ParameterValue {
    /// The value as a number, if it is one.
    pub fn as_number(&self) -> Option<f64> {
        match self {
            Self::Integer(value) => Some(*value as f64),
            Self::Number(value) => Some(*value),
            Self::Boolean(_) | Self::Text(_) => None,
        }
    }
}

impl fmt::Display for ParameterValue {
    /// The text that stands in `invocation.parameterValues`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Boolean(value) => write!(f, "{value}"),
            Self::Integer(value) => write!(f, "{value}"),
            Self::Number(value) => write!(f, "{value}"),
            Self::Text(value) => f.write_str(value),
        }
    }
}

/// One use of a command: who wants it, from which assignment of a device.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Invocation {
    /// What the device's answer refers to.
    pub id: String,
    /// `CommandInvocation`.
    #[serde(default, deserialize_with = "or_default")]
    pub event_type: String,
    /// Id of the site.
    #[serde(default, deserialize_with = "or_default")]
    pub site_token: String,
    /// Id of the device's assignment.
    #[serde(default, deserialize_with = "or_default")]
    pub device_assignment_token: String,
    /// `Associated` or `Unassociated` with an asset.
    #[serde(default, deserialize_with = "or_default")]
    pub assignment_type: String,
    /// When it was asked for.
    #[serde(default)]
    pub event_date: Option<SimTime>,
    /// When the platform took it.
    #[serde(default)]
    pub received_date: Option<SimTime>,
    /// `REST`, `BatchOperation`, `Script` or `Scheduler`.
    #[serde(default, deserialize_with = "or_default")]
    pub initiator: String,
    /// Who asked for it.
    #[serde(default, deserialize_with = "or_default")]
    pub initiator_id: String,
    /// `Assignment`.
    #[serde(default, deserialize_with = "or_default")]
    pub target: String,
    /// Id of the command's definition.
    #[serde(default, deserialize_with = "or_default")]
    pub command_token: String,
    /// The arguments as texts.
    #[serde(default, deserialize_with = "or_default")]
    pub parameter_values: BTreeMap<String, String>,
    /// How far it has come.
    #[serde(default, deserialize_with = "or_default")]
    pub status: String,
    /// Further texts by name.
    #[serde(default, deserialize_with = "or_default")]
    pub metadata: BTreeMap<String, String>,
}

/// `null` is the same as leaving a field out.
fn or_default<'de, D: Deserializer<'de>, T: Deserialize<'de> + Default>(
    deserializer: D,
) -> Result<T, D::Error> {
    Option::deserialize(deserializer).map(Option::unwrap_or_default)
}

/// Appends a command (Flexmeter deliverable, section 4.5.3).
pub fn encode_command(message: &CommandMessage, out: &mut Vec<u8>) {
    out.extend_from_slice(b"{\"command\":");
    serde_json::to_writer(&mut *out, message).expect("texts, numbers and maps of them");
    out.push(b'}');
}

/// Decodes a command, on the device.
///
/// # Errors
/// [`Refusal`] for what is no command with a name and an invocation id, or has keys twice.
pub fn decode_command(payload: &[u8], limits: &Limits) -> Result<CommandMessage, Refusal> {
    read_command(payload, limits).map_err(|(reason, detail)| Refusal {
        reason,
        detail,
        hardware_id: None,
    })
}

fn read_command(
    payload: &[u8],
    limits: &Limits,
) -> Result<CommandMessage, (RefusalReason, String)> {
    let mut envelope = tree(payload, limits, "command")?;
    let Some(command) = envelope.remove("command") else {
        return Err((RefusalReason::MissingField, "`command` is missing".to_owned()));
    };
    let message: CommandMessage =
        serde_json::from_value(command).map_err(|error| field_not_read(&error))?;
    for (key, text) in
        [("command.name", &message.definition.name), ("invocation.id", &message.invocation.id)]
    {
        if text.is_empty() {
            return Err((RefusalReason::MissingField, format!("`command.{key}` is empty")));
        }
    }
    Ok(message)
}

fn field_not_read(error: &serde_json::Error) -> (RefusalReason, String) {
    let text = error.to_string();
    let reason = if text.starts_with("missing field") {
        RefusalReason::MissingField
    } else if text.starts_with("expected a date") {
        RefusalReason::BadDate
    } else {
        RefusalReason::WrongType
    };
    (reason, text)
}
