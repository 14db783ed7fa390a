//! Wire formats of real-time simulators, both directions, and the map of their points. No I/O.
//!
//! Terms: a *signal* is one value that a simulator sends or takes, with a type on the wire; a
//! *sample* is what one frame carries: the values of all its signals, in order; a *refusal* is why
//! a frame was not taken, counted by its reason.
//!
//! | module | purpose |
//! |---|---|
//! | `gtnet`, `async_ip`, `frame_description`, [`villas`] | one wire format each, both ways |
//! | `format_kind`, `format` | a row of the slice, the slice [`FORMATS`], and any one of the formats |
//! | `wire`, `stream` | a point map put to work; frames out of a stream of bytes |
//! | `sequence`, `rate_guard` | gaps and repetitions; samples no faster than a card takes |
//! | `sample`, `refusal`, `number` | values, reasons and exact conversion, of all formats |
//! | [`point_map`] | what the values mean: devices, quantities, units, ranges |
//!
//! Bytes go through `wire` to a sample, and a sample through the point map to readings; set-points
//! take the way back.

mod async_ip;
mod format;
mod format_kind;
mod frame_description;
mod gtnet;
mod number;
pub mod point_map;
mod rate_guard;
mod refusal;
mod sample;
mod sequence;
mod stream;
pub mod villas;
mod wire;

pub use async_ip::{ASYNC_IP_MAX_VALUES, AsyncIp};
pub use format::{FORMATS, Format};
pub use format_kind::FormatKind;
pub use frame_description::{ByteOrder, FieldType, FrameDescription, FrameField};
pub use gtnet::{Gtnet, GtnetError, GtnetHeader, GtnetPoint};
pub use rate_guard::{Offered, OnExcess, RateCounts, RateGuard};
pub use refusal::{Refusal, Refusals, Rejection};
pub use sample::{Sample, SignalType, Value};
pub use sequence::{MOST_MISORDERED, SequenceEvent, SequenceWatch};
pub use stream::{Framing, Reassembly};
pub use wire::{Wire, WireError};
