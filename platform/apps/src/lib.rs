//! Applications: programs beside the platform that see its REST and MQTT, and nothing else.
//!
//! Each is a machine without I/O and clock ([`border`]); what moves it, in a process of its own or
//! in a run of the bench, carries out what it asks with the application's own credential. None of
//! them keeps anything on disk: what it has to know after a restart it reads from the platform.
//!
//! ```text
//! border      what an application takes and gives
//!   -> shell           moves one in wall time beside any platform
//! kind        a row of the registry: its fields, what it may see, how it is made
//! client      requests under way, an application's own results and alerts; platform: their forms
//! network     the network that an application was given
//!   -> fault_location  where a fault of a line is
//!   -> outage          who has no supply, and where that begins
//!   -> reaction        threshold and controller: a value is read, a command is given
//!     -> registry      every kind of application
//! ```

pub mod border;
mod client;
pub mod fault_location;
mod kind;
mod network;
pub mod outage;
mod platform;
mod reaction;
mod registry;
pub mod shell;

pub use kind::{AppContext, ApplicationKind, Need};
pub use registry::APPLICATIONS;
