//! The journal: what was accepted or refused, durable before anybody is told so.
//!
//! Terms: a *segment* is one append-only file; a *group* is all records that share one sync. The
//! parts: `record` and `scan` are the format, `append` and `recover` the two ends, `file` what is
//! asked of a disk, `writer` the thread that makes groups of what many senders append.

mod append;
mod file;
mod record;
mod recover;
mod scan;
#[cfg(test)]
pub(crate) mod simulated;
#[cfg(test)]
mod tests;
mod writer;

pub(crate) use append::Appender;
pub(crate) use file::{Directory, RealDirectory};
pub(crate) use record::{Kind, Record};
pub(crate) use recover::{RecoverError, Recovery, recover};
pub(crate) use writer::{Append, Journal, JournalFailed, JournalStopped};
