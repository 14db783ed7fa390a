//! Frames of the ZigBee Cluster Library: header, typed values, global commands, status codes, and
//! the clusters of a metering plug.

pub mod cluster;
pub mod frame;
pub mod global;
pub mod status;
pub mod value;

pub use frame::{Direction, Frame, FrameType, Header};
pub use global::{Attribute, Global, Record, Records};
pub use status::Status;
pub use value::{Type, Value};
