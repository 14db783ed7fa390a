//! Types of field networks behind gateways: what their nodes send and take.
//!
//! Pure: bytes in, values out, and the reverse; no I/O, no clock. No bytes make it panic.
//!
//! | module | what |
//! |---|---|
//! | [`firmware`] | what nodes ask about program images, and what they are given |
//! | [`network_type`] | what a type is, and the list of all; one file for each |
//! | [`relay`] | a frame with all that reading it depends on, as journals keep it |

pub mod firmware;
pub mod network_type;
pub mod relay;

pub use firmware::{Asked, Demand, ImageKey, Supply};
pub use network_type::{
    Accepted, Answer, CommandRow, Declared, Decoded, FrameRefusal, Frames, NETWORK_TYPES,
    NetworkType, NodeContext, NodeEvent, Order, Origin, Parameter, Settings, SupplyFrame, by_code,
    by_name,
};
pub use relay::RelayEntry;
