//! The Flexmeter data format: JSON messages between devices and platform (Flexmeter
//! deliverable, section 4.5).
//!
//! Terms: the *envelope* is the outer object with `hardwareId`, `type`, `request`; a *reading* is
//! one `DeviceMeasurements` message; an *invocation* is one use of a command.
//!
//! | file | purpose |
//! |---|---|
//! | `message`, `fact` | messages of devices as values; the names of facts in their metadata |
//! | `reader` -> `decode` | a text to fields in one pass; these judged, from the envelope inwards |
//! | `batch`, `command`, `result` | batches; commands and what defines them; results of applications |
//! | `encode` | messages as JSON |
//! | `refusal` | why a payload is not accepted |
//!
//! What is read, beyond the letter of the section:
//! - Decoding is strict: a measurement is a finite JSON number, nothing else (SiteWhere's leniency
//!   of turning booleans into numbers and texts into metadata is not followed). Keys that stand
//!   twice in one object are refused, because readers disagree on which of them holds.
//! - Keys the section does not name, in the envelope and in the request, are harmless: they are
//!   left out.
//! - `null` for an optional field is the same as leaving it out.
//! - Dates are read in three forms (docs/decisions.md) and written as RFC 3339 in UTC.
//! - `request.metadata.serial` and `.epoch` number readings, see [`MeasurementMessage`].
//! - A *batch* (`jsonbatch`) is what SiteWhere's batches of events hold, an element each for what
//!   would otherwise be a message of its own; see [`decode_batch`].
//! - A *result* (`result`) is the project's own: what an application concludes; see
//!   [`decode_result`].
//! - Why a payload is refused does not depend on the order of its keys: the whole text is read
//!   first, then judged from the envelope inwards.

mod batch;
mod command;
mod decode;
mod encode;
pub mod fact;
mod message;
mod reader;
mod refusal;
mod result;

pub use batch::{BatchRefusal, Element, decode_batch};
pub use command::{
    CommandDefinition, CommandMessage, Invocation, ParameterDefinition, ParameterType,
    ParameterValue, decode_command, encode_command,
};
pub use decode::decode;
pub use encode::{encode, encode_acknowledge, encode_alert, encode_measurements};
pub use message::{AcknowledgeMessage, AlertLevel, AlertMessage, MeasurementMessage, Request};
pub use refusal::{DecodeRules, Limits, Refusal, RefusalReason};
pub use result::{KIND_BYTES_MAX, ResultMessage, SUBJECT_BYTES_MAX, decode_result, encode_result};
