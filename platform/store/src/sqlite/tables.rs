//! The tables, and what is written and reported of a file that has them.

use std::path::Path;

use lastmeter_model::standing::Standing;
use rusqlite::Connection;

use super::seal::{ReadError, is_corrupt};
use super::standing::encode;
use crate::error::StoreError;

/// Counts changes of the tables.
pub(super) const FORMAT: i64 = 2;

/// The tables. Times are nanoseconds since 1970 UTC. `reading.content` and the blobs of `state` are
/// described in `content.rs`, `sum` in `seal.rs`, the one row of `meta` in `standing.rs`.
///
/// The values of a message are in its `reading` only: a series is read by way of `reading_time`.
/// `tally` counts the readings of a device by the minute of their event, so that a reading that
/// `reading_time` lost is noticed. The rows of every table but `state` and `tally` are numbered
/// from 1 without gaps.
pub(super) const TABLES: &str = "
CREATE TABLE meta (key TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE quantity (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, sum INTEGER);
CREATE TABLE device (
  id INTEGER PRIMARY KEY, hardware_id TEXT NOT NULL UNIQUE, created_ns INTEGER NOT NULL, \
  commands INTEGER, last_command INTEGER, sum INTEGER);
CREATE TABLE reading (
  sequence INTEGER PRIMARY KEY, device INTEGER NOT NULL, epoch INTEGER, serial INTEGER,
  event_ns INTEGER NOT NULL, dated INTEGER NOT NULL, update_state INTEGER NOT NULL,
  received_ns INTEGER NOT NULL, commit_ns INTEGER NOT NULL, content BLOB NOT NULL, extra TEXT, \
  sum INTEGER);
CREATE UNIQUE INDEX reading_identity ON reading (device, epoch, serial) WHERE serial IS NOT NULL;
CREATE INDEX reading_time ON reading (device, event_ns);
CREATE TABLE state (
  device INTEGER PRIMARY KEY, last_interaction_ns INTEGER NOT NULL, quantities BLOB NOT NULL,
  content BLOB NOT NULL, alerts BLOB, sum INTEGER);
CREATE TABLE alert (
  sequence INTEGER PRIMARY KEY, device INTEGER NOT NULL, event_ns INTEGER NOT NULL,
  received_ns INTEGER NOT NULL, level TEXT NOT NULL, type TEXT NOT NULL, message TEXT NOT NULL,
  update_state INTEGER NOT NULL, extra TEXT, sum INTEGER);
CREATE TABLE refusal (
  sequence INTEGER PRIMARY KEY, reason TEXT NOT NULL, device TEXT, topic TEXT NOT NULL,
  detail TEXT NOT NULL, event_ns INTEGER NOT NULL, content BLOB, content_bytes INTEGER, \
  sum INTEGER);
CREATE TABLE invocation (
  id INTEGER PRIMARY KEY, device INTEGER NOT NULL, command TEXT NOT NULL,
  parameters TEXT NOT NULL, initiator TEXT NOT NULL, initiator_id TEXT NOT NULL,
  metadata TEXT NOT NULL, created_ns INTEGER NOT NULL, expires_ns INTEGER NOT NULL,
  state TEXT NOT NULL, sent_ns INTEGER, ended_ns INTEGER, response TEXT, previous INTEGER, \
  sum INTEGER);
CREATE TABLE tally (
  device INTEGER NOT NULL, minute INTEGER NOT NULL, readings INTEGER NOT NULL, sum INTEGER,
  PRIMARY KEY (device, minute)) WITHOUT ROWID;
CREATE INDEX invocation_open ON invocation (id) WHERE state IN ('Pending', 'Sent');
";

/// SQLite's error while a file is opened, as a verdict on the file where it is one.
pub(super) fn damaged(path: &Path, error: rusqlite::Error) -> StoreError {
    if is_corrupt(&error) {
        return StoreError::Damaged { path: path.to_owned(), found: error.to_string() };
    }
    StoreError::Sqlite { doing: "open the store's file", source: error }
}

/// The same of anything that was read.
pub(super) fn unreadable(path: &Path, error: ReadError) -> StoreError {
    match error {
        ReadError::Sqlite(error) => damaged(path, error),
        ReadError::Damaged(damage) => {
            StoreError::Damaged { path: path.to_owned(), found: damage.to_string() }
        }
    }
}

pub(super) fn write_standing(db: &Connection, to: &Standing) -> rusqlite::Result<()> {
    db.prepare_cached("INSERT OR REPLACE INTO meta VALUES ('standing', ?1)")?
        .execute([&encode(to)[..]])
        .map(|_| ())
}
