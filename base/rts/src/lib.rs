//! Wire formats of real-time simulators, both directions, and the map of their points. No I/O.
//!
//! Terms: a *signal* is one value that a simulator sends or takes, with a type on the wire; a
//! *sample* is what one frame carries: the values of all its signals, in order; a *refusal* is why
//! a frame was not taken, counted by its reason.

mod async_ip;
mod format;
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

pub use async_ip::{
    ASYNC_IP_HEADER_BYTES, ASYNC_IP_MAX_VALUES, AsyncIp, AsyncIpError, OPAL_ASYNC_IP,
};
pub use format::{FORMATS, Format, FormatKind};
pub use frame_description::{
    ByteOrder, DESCRIBED_FRAME, FRAME_MAX_BYTES, FieldType, FrameDescription,
    FrameDescriptionError, FrameField,
};
pub use gtnet::{
    GTNET_MAX_WORDS, GTNET_SKT, GTNET_SKT_HEADER, GTNET_WORD_BYTES, Gtnet, GtnetError, GtnetHeader,
    GtnetPoint,
};
pub use rate_guard::{Offered, OnExcess, RateCounts, RateGuard};
pub use refusal::{Refusal, Refusals, Rejection};
pub use sample::{Sample, SignalType, Value};
pub use sequence::{MOST_MISORDERED, SequenceEvent, SequenceWatch};
pub use stream::{Framing, Reassembly};
pub use wire::{Wire, WireError};
