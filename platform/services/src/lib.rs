//! What the platform makes of stored readings: machines that take rows and documents in the order
//! of their instants and give effects. Pure: no clock, no store, no I/O; `lastmeter-platform` has a
//! shell that feeds them, and commits what they give together with how far they have come.
//!
//! | file | purpose |
//! |---|---|
//! | `border` | what a service takes and gives |
//! | `reorder` | rows in the order of their instants |
//! | `presence` | devices that are not heard |
//! | `rules` | what people want done when something begins to hold |
//!
//! A service is one row of [`SERVICES`].

mod border;
mod presence;
mod reorder;
mod rules;

pub use border::{Input, Output, Service, ServiceKind};
pub use reorder::{Reorder, Row};

/// Every service there is; a new one is a file and a row.
pub static SERVICES: &[ServiceKind] = &[presence::KIND, rules::KIND];
