//! The radio network of a home: a coordinator and the nodes around it, as machines without I/O
//! (ZigBee 05-3474, 2.2 and 3.6, unverified).
//!
//! Every node is a child of the coordinator. Each machine takes frames with the instant at which
//! they were received, is stepped at the instants it asks for, and yields frames to send and
//! events. Random numbers are an argument.
//!
//! What is not modelled: the scan for beacons and the transport of keys. A *secured* frame has the
//! sender's EUI-64 and frame counter, as the auxiliary header has them; receivers refuse a counter
//! that is not higher than the last one. Every unicast also has its receiver's EUI-64, and polls
//! have the sender's: so a frame that was under way while a short address changed hands never
//! reaches or credits the address's next owner.

mod coordinator;
mod delivery;
mod event;
mod frame;
mod node;
mod table;
#[cfg(test)]
mod tests;
mod wire;

use lastmeter_units::SimDuration;

pub use coordinator::{Coordinator, CoordinatorConfig};
pub use delivery::{Failure, Handle, SendError};
pub use event::{Departure, Event, NodeEvent, Refusal};
pub use frame::{ApsFrame, Body, JoinStatus, RadioFrame};
pub use node::{Node, NodeConfig, NodeState};
pub use table::{Former, Remembered, Snapshot};

/// Where a machine takes its random 16-bit numbers from.
pub type Random<'a> = &'a mut dyn FnMut() -> u16;

/// How long a sleepy child's frame waits for its poll: 500 periods of 15.36 ms
/// (macTransactionPersistenceTime of IEEE 802.15.4).
pub const PERSISTENCE: SimDuration = SimDuration::from_milliseconds(7_680);
/// How long a sender waits for an acknowledgement, and keeps its receiver on for answers
/// (apscAckWaitDuration, about 1.6 s).
pub const ANSWER_WAIT: SimDuration = SimDuration::from_milliseconds(1_600);
/// How often a frame is sent again without acknowledgement (apscMaxFrameRetries).
pub const RETRIES: u8 = 3;
/// Frame counters that a restart skips: twice what a durable copy may be behind.
const COUNTER_RESERVE: u32 = 1 << 16;
