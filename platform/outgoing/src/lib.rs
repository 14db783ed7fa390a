//! What the platform itself asks of others outside and sends to them. No tenant, no document and no
//! clock is here: `lastmeter-platform` decides what is sent when, and keeps what came of it.
//!
//! | file | purpose |
//! |---|---|
//! | `error` | why something was not reached or taken |
//! | `hosts` | who may be reached |
//! | `web` | one request over HTTP, to an address that is looked up once |
//! | `mail` | one message to a mail server |
//! | `source` | rows of sources outside: a kind each in a file |

mod error;
mod hosts;
mod mail;
mod source;
mod web;

pub use error::OutgoingError;
pub use hosts::{Host, Hosts, is_public};
pub use mail::{Encryption, MailServer, Message};
pub use source::{SOURCES, Source, SourceKind, SourceRow};
pub use web::{Asked, ClientTls, Reply, Url, Web};

use std::time::Duration;

/// How long anything outside may take.
pub const TIME_LIMIT: Duration = Duration::from_secs(10);
/// The largest answer that is taken, bytes.
pub const ANSWER_BYTES_MAX: usize = 1024 * 1024;
