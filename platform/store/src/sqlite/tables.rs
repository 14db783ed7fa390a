//! The tables, and what is written and reported of a file that has them.

use std::path::Path;

use lastmeter_model::standing::Standing;
use rusqlite::Connection;

use super::seal::{ReadError, is_corrupt};
use super::standing::encode;
use crate::error::StoreError;

/// Counts changes of the tables.
pub(super) const FORMAT: i64 = 3;

/// The tables. Times are nanoseconds since 1970 UTC. `dated`, the times and the `content` of a
/// `reading` and the blobs of `state` are described in `content.rs`, `sum` in `seal.rs`, the one
/// row of `meta` in `standing.rs`.
///
/// The values of a message are in its `reading` only: a series is read by way of `reading_time`.
/// `tally` counts the readings of a device by the minute of their event, so that a reading that
/// `reading_time` lost is noticed. The rows of every table but `state` and `tally` are numbered
/// from 1 without gaps. `TABLES_OF_3` has the others.
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

/// The tables that came or changed with format 3. `alert`, `document_version` (all versions of all
/// documents), `result`, `configuration`, `block` and `audit` are numbered from 1 without gaps.
/// `document` has the current versions, each a copy of the row `number` of `document_version`;
/// `document_key`, `rollup`, `contiguous`, `answer` and `cursor` are derived or short-lived.
pub(super) const TABLES_OF_3: &str = "
CREATE TABLE alert (
  sequence INTEGER PRIMARY KEY, device INTEGER NOT NULL, epoch INTEGER, serial INTEGER,
  event_ns INTEGER NOT NULL, received_ns INTEGER NOT NULL, level TEXT NOT NULL,
  type TEXT NOT NULL, message TEXT NOT NULL, update_state INTEGER NOT NULL, extra TEXT,
  sum INTEGER);
CREATE UNIQUE INDEX alert_identity ON alert (device, epoch, serial) WHERE serial IS NOT NULL;
CREATE TABLE document (
  number INTEGER PRIMARY KEY, kind INTEGER NOT NULL, token TEXT NOT NULL,
  version INTEGER NOT NULL, created_ns INTEGER NOT NULL, changed_ns INTEGER NOT NULL,
  who TEXT NOT NULL, deleted INTEGER NOT NULL, body TEXT NOT NULL, sum INTEGER,
  UNIQUE (kind, token));
CREATE INDEX document_there ON document (kind, token) WHERE deleted = 0;
CREATE TABLE document_version (
  number INTEGER PRIMARY KEY, kind INTEGER NOT NULL, token TEXT NOT NULL,
  version INTEGER NOT NULL, created_ns INTEGER NOT NULL, changed_ns INTEGER NOT NULL,
  who TEXT NOT NULL, deleted INTEGER NOT NULL, body TEXT NOT NULL, sum INTEGER);
CREATE UNIQUE INDEX document_history ON document_version (kind, token, version);
CREATE TABLE document_key (
  kind INTEGER NOT NULL, name TEXT NOT NULL, value TEXT NOT NULL, token TEXT NOT NULL,
  PRIMARY KEY (kind, name, value, token)) WITHOUT ROWID;
CREATE INDEX document_key_token ON document_key (kind, token);
CREATE TABLE result (
  sequence INTEGER PRIMARY KEY, device INTEGER NOT NULL, epoch INTEGER, serial INTEGER,
  kind TEXT NOT NULL, subject TEXT NOT NULL, from_ns INTEGER NOT NULL, until_ns INTEGER,
  received_ns INTEGER NOT NULL, content TEXT NOT NULL, sum INTEGER);
CREATE UNIQUE INDEX result_identity ON result (device, epoch, serial) WHERE serial IS NOT NULL;
CREATE INDEX result_subject ON result (kind, subject, from_ns);
CREATE TABLE configuration (
  sequence INTEGER PRIMARY KEY, device INTEGER NOT NULL, event_ns INTEGER NOT NULL,
  received_ns INTEGER NOT NULL, content BLOB NOT NULL, extra TEXT, sum INTEGER);
CREATE INDEX configuration_device ON configuration (device, sequence);
CREATE TABLE block (
  sequence INTEGER PRIMARY KEY, device INTEGER NOT NULL, epoch INTEGER, serial INTEGER,
  event_ns INTEGER NOT NULL, received_ns INTEGER NOT NULL, channels INTEGER NOT NULL,
  rate REAL NOT NULL, content BLOB NOT NULL, extra TEXT, sum INTEGER);
CREATE UNIQUE INDEX block_identity ON block (device, epoch, serial) WHERE serial IS NOT NULL;
CREATE TABLE rollup (
  device INTEGER NOT NULL, bucket INTEGER NOT NULL, content BLOB NOT NULL, sum INTEGER,
  PRIMARY KEY (device, bucket)) WITHOUT ROWID;
CREATE TABLE contiguous (
  device INTEGER NOT NULL, epoch INTEGER NOT NULL, serial INTEGER NOT NULL, removed INTEGER,
  sum INTEGER, PRIMARY KEY (device, epoch)) WITHOUT ROWID;
CREATE TABLE answer (
  number INTEGER PRIMARY KEY, who TEXT NOT NULL, key TEXT NOT NULL, request BLOB NOT NULL,
  status INTEGER NOT NULL, at_ns INTEGER NOT NULL, gives INTEGER NOT NULL, kind INTEGER,
  name TEXT, version INTEGER, sum INTEGER);
CREATE UNIQUE INDEX answer_key ON answer (who, key);
CREATE INDEX answer_who ON answer (who, number);
CREATE INDEX answer_time ON answer (at_ns);
CREATE TABLE cursor (name TEXT PRIMARY KEY, value BLOB NOT NULL, sum INTEGER) WITHOUT ROWID;
CREATE TABLE audit (
  number INTEGER PRIMARY KEY, at_ns INTEGER NOT NULL, who TEXT NOT NULL, action TEXT NOT NULL,
  resource TEXT NOT NULL, before BLOB, after BLOB, outcome TEXT NOT NULL, hash BLOB NOT NULL,
  sum INTEGER);
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
