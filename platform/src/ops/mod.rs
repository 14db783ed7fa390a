//! One function per use case, for whoever asks: REST calls them, and so will pages.
//!
//! | file | purpose |
//! |---|---|
//! | `caller` | who asks, and the one way to a permit |
//! | `accounts`, `credentials` | users and their own accounts; keys and credentials |
//! | `assignments`, `devices` | devices registered, changed, assigned and decommissioned |
//! | `commands` | commands to many devices, and what schedules have to have |
//! | `reader` | reading data, each query within a permit |
//! | `documents` | making, reading, changing and removing documents of every kind |
//! | `topology` | electric networks and the states of their switches |

pub(crate) mod accounts;
pub(crate) mod assignments;
mod caller;
pub(crate) mod commands;
pub(crate) mod credentials;
pub(crate) mod devices;
pub(crate) mod documents;
mod reader;
pub(crate) mod topology;

pub(crate) use caller::{Caller, not_permitted};
pub(crate) use reader::{Cuts, Looked, Reader};
