//! One function per use case, for whoever asks: REST calls them, and so will pages.
//!
//! | file | purpose |
//! |---|---|
//! | `caller` | who asks, and the one way to a permit |
//! | `accounts`, `credentials` | users and their own accounts; keys and credentials |
//! | `commands` | commands to many devices, and what schedules have to have |
//! | `reader` | reading data, each query within a permit |
//! | `documents` | making, reading, changing and removing documents of every kind |

pub(crate) mod accounts;
mod caller;
pub(crate) mod commands;
pub(crate) mod credentials;
pub(crate) mod documents;
mod reader;

pub(crate) use caller::{Caller, not_permitted};
pub(crate) use reader::{Cuts, Looked, Reader};
