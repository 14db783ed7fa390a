//! The journal: what was accepted or refused, durable before it is acknowledged.
//!
//! Terms: a *segment* is one append-only file; a *group* is all records that share one sync. The
//! parts: `record` and `scan` are the format, `append` and `recover` the two ends, `file` what is
//! asked of a disk, `writer` the thread that makes groups of what many senders append, `head` what
//! shows how far it all had come should any of it be gone.

mod append;
mod file;
mod head;
mod record;
mod recover;
mod scan;
#[cfg(test)]
#[path = "tests/simulated.rs"]
pub(crate) mod simulated;
#[cfg(test)]
mod tests;
mod writer;

pub(crate) use append::{Appender, Position};
pub(crate) use file::{Directory, RealDirectory};
pub(crate) use head::{Facts, Found, Head, read as read_head};
pub(crate) use record::{Kind, Record};
pub(crate) use recover::{Missing, Survey, look, replay, survey};
pub(crate) use scan::{Item, scan};
pub(crate) use writer::{Append, Journal, JournalFailed, JournalStopped, Source, Working};
