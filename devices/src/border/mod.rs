//! The border between the runner and a device: messages in, messages out, nothing shared.
//!
//! Terms: *data time* is how far the device has seen its terminal; *now* is the instant the runner
//! is at. Everything that crosses is serialisable, so a device can be a process of its own.
//!
//! | file | what crosses |
//! |---|---|
//! | `message` | [`Input`]s of a device and what follows from them, its [`Output`]s |
//! | `board` | the same between a device and its board: bytes of ports, orders to an emulator |
//! | `page` | requests of a browser to a device that serves pages itself, and its answers |
//! | `program` | lines to a device that is somebody else's program, and its answers |
//! | `fault` | faults that injections cause, and tampering |
//! | `facts` | constants of a device that checks need: its supply, thresholds, sensors |
//! | `event` | kinds of events that a device writes into the record |
//! | `device` | the traits: [`Device`] and, above it, [`BoardDevice`] |

mod board;
mod device;
mod event;
mod facts;
mod fault;
mod message;
mod page;
mod program;

pub use board::{BoardInput, BoardOrder, BoardOutput, BoardPort, BoardWait};
pub use device::{BoardDevice, Device};
pub use event::{EventKind, VoltageEventKind};
pub use facts::{EventFacts, SupplyFacts, TamperFacts};
pub use fault::{
    BoardFault, DeviceFault, NodeTask, ScaledQuantity, ScalingChange, TamperKind, TamperSensorFault,
};
pub use message::{ExchangeStage, Feed, Input, Output};
pub use page::{PageAnswer, PageMethod, PageRequest};
pub use program::{Exchange, ProgramDevice, ProgramSpec};
