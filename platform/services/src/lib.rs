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
//! | `aggregates` | what a zone takes as a whole, where nobody can be picked out of it |
//! | `monitor` | what whoever operates the tenant has to know |
//! | `reports` | what is made of each period |
//!
//! A service is one row of [`SERVICES`].

mod aggregates;
mod border;
mod monitor;
mod presence;
mod reorder;
mod reports;
mod rules;

pub use aggregates::{AggregateWidth, HOUSEHOLDS_MIN, MEMBERS, source};
pub use border::{
    Also, Asker, DeviceRows, Input, Output, Query, Read, Rows, Service, ServiceKind, Subject, Task,
    Unanswered,
};
pub use reorder::{Reorder, Row};
pub use reports::made::{REPORTS, ReportRow};
pub use rules::{Firing, tried};

/// Every service there is; a new one is a file and a row.
pub static SERVICES: &[ServiceKind] =
    &[presence::KIND, rules::KIND, aggregates::KIND, reports::KIND, monitor::KIND];
