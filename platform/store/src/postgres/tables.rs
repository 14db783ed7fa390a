//! The tables, and the statements that write them.
//!
//! Times are nanoseconds since 1970 UTC; numbers of messages are the same 64 bits with a sign.
//! Texts have no U+0000 (`text`). All rows of a batch go to the server as columns of texts, one
//! statement a table, and become what the columns hold there.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::LazyLock;

use rusqlite::types::ValueRef;
use tokio_postgres::Error;

use super::session::{Parameter, Session};
use super::text::escape;

/// Counts changes of the tables, together with those of SQLite.
pub(super) const FORMAT: i32 = 3;

struct Table {
    name: &'static str,
    /// Names, types and constraints of its columns; the first one is what its rows are called by.
    columns: &'static str,
    /// The columns by which a row replaces another one; otherwise rows are only added.
    replaces: Option<&'static str>,
    /// Unique columns beside the first one, and what else is searched for.
    indexes: &'static str,
}

/// The tables that keep what is decided. `alert`, `document_version` (all versions of all
/// documents), `reading`, `result`, `block`, `refusal`, `invocation`, `device` and `audit` are
/// numbered from 1 without gaps; `document` has the current versions.
const TABLES: &[Table] = &[
    Table {
        name: "device",
        columns: "id int8 PRIMARY KEY, hardware_id text NOT NULL UNIQUE, created_ns int8 NOT NULL, \
                  commands int8 NOT NULL, last_command int8 NOT NULL",
        replaces: Some("id"),
        indexes: "",
    },
    Table {
        name: "reading",
        columns: "sequence int8 PRIMARY KEY, device int8 NOT NULL, epoch int8, serial int8, \
                  event_ns int8 NOT NULL, dated bool NOT NULL, update_state bool NOT NULL, \
                  received_ns int8 NOT NULL, commit_ns int8 NOT NULL, \
                  quantities int4[] NOT NULL, \"values\" float8[] NOT NULL, extra text",
        replaces: None,
        indexes: "CREATE UNIQUE INDEX reading_identity ON reading (device, epoch, serial)
                    WHERE serial IS NOT NULL;
                  CREATE INDEX reading_time ON reading (device, event_ns, sequence);",
    },
    Table {
        name: "state",
        columns: "device int8 PRIMARY KEY, last_interaction_ns int8 NOT NULL, \
                  quantities int4[] NOT NULL, last int4[] NOT NULL, event_ns int8[] NOT NULL, \
                  \"values\" float8[] NOT NULL, alerts int8[] NOT NULL",
        replaces: Some("device"),
        indexes: "",
    },
    Table {
        name: "alert",
        columns: "sequence int8 PRIMARY KEY, device int8 NOT NULL, epoch int8, serial int8, \
                  event_ns int8 NOT NULL, received_ns int8 NOT NULL, level text NOT NULL, \
                  type text NOT NULL, message text NOT NULL, update_state bool NOT NULL, extra text",
        replaces: None,
        indexes: "CREATE UNIQUE INDEX alert_identity ON alert (device, epoch, serial)
                    WHERE serial IS NOT NULL;",
    },
    Table {
        name: "result",
        columns: "sequence int8 PRIMARY KEY, device int8 NOT NULL, epoch int8, serial int8, \
                  kind text NOT NULL, subject text NOT NULL, from_ns int8 NOT NULL, \
                  until_ns int8, received_ns int8 NOT NULL, content text NOT NULL",
        replaces: None,
        indexes: "CREATE UNIQUE INDEX result_identity ON result (device, epoch, serial)
                    WHERE serial IS NOT NULL;
                  CREATE INDEX result_subject ON result (kind, subject, from_ns);",
    },
    Table {
        name: "block",
        columns: "sequence int8 PRIMARY KEY, device int8 NOT NULL, epoch int8, serial int8, \
                  event_ns int8 NOT NULL, received_ns int8 NOT NULL, channels int8 NOT NULL, \
                  rate float8 NOT NULL, content bytea NOT NULL, extra text",
        replaces: None,
        indexes: "CREATE UNIQUE INDEX block_identity ON block (device, epoch, serial)
                    WHERE serial IS NOT NULL;",
    },
    Table {
        name: "refusal",
        columns: "sequence int8 PRIMARY KEY, reason text NOT NULL, device text, \
                  topic text NOT NULL, detail text NOT NULL, event_ns int8 NOT NULL, \
                  content bytea, content_bytes int8",
        replaces: None,
        indexes: "",
    },
    Table {
        name: "invocation",
        columns: "id int8 PRIMARY KEY, device int8 NOT NULL, command text NOT NULL, \
                  parameters text NOT NULL, initiator text NOT NULL, initiator_id text NOT NULL, \
                  metadata text NOT NULL, created_ns int8 NOT NULL, expires_ns int8 NOT NULL, \
                  state text NOT NULL, sent_ns int8, ended_ns int8, response text, \
                  previous int8 NOT NULL",
        replaces: Some("id"),
        indexes: "CREATE INDEX invocation_device ON invocation (device, id);
                  CREATE INDEX invocation_open ON invocation (id)
                    WHERE state IN ('Pending', 'Sent');",
    },
    Table {
        name: "document",
        columns: "number int8 PRIMARY KEY, kind int8 NOT NULL, token text COLLATE \"C\" NOT NULL, \
                  version int8 NOT NULL, created_ns int8 NOT NULL, changed_ns int8 NOT NULL, \
                  who text NOT NULL, deleted bool NOT NULL, body text NOT NULL",
        replaces: Some("kind, token"),
        indexes: "CREATE UNIQUE INDEX document_token ON document (kind, token);
                  CREATE INDEX document_there ON document (kind, token) WHERE NOT deleted;",
    },
    Table {
        name: "document_version",
        columns: "number int8 PRIMARY KEY, kind int8 NOT NULL, token text COLLATE \"C\" NOT NULL, \
                  version int8 NOT NULL, created_ns int8 NOT NULL, changed_ns int8 NOT NULL, \
                  who text NOT NULL, deleted bool NOT NULL, body text NOT NULL",
        replaces: None,
        indexes: "CREATE UNIQUE INDEX document_history ON document_version (kind, token, version);",
    },
    Table {
        name: "answer",
        columns: "number int8 PRIMARY KEY, who text NOT NULL, key text NOT NULL, \
                  request bytea NOT NULL, status int8 NOT NULL, at_ns int8 NOT NULL, \
                  gives int8 NOT NULL, kind int8, name text, version int8",
        replaces: Some("who, key"),
        indexes: "CREATE UNIQUE INDEX answer_key ON answer (who, key);
                  CREATE INDEX answer_who ON answer (who, number);
                  CREATE INDEX answer_time ON answer (at_ns);",
    },
    Table {
        name: "audit",
        columns: "number int8 PRIMARY KEY, at_ns int8 NOT NULL, who text NOT NULL, \
                  action text NOT NULL, resource text NOT NULL, before bytea, after bytea, \
                  outcome text NOT NULL, hash bytea NOT NULL",
        replaces: None,
        indexes: "",
    },
];

/// The others: those that later rows come into as well. The one row of `meta` is locked before
/// anything is written.
const OTHERS: &str = "
CREATE TABLE meta (format int4 NOT NULL, standing bytea NOT NULL);
CREATE TABLE quantity (id int4 PRIMARY KEY, name text NOT NULL UNIQUE);
CREATE TABLE document_key (
  kind int8 NOT NULL, name text NOT NULL, value text NOT NULL, token text COLLATE \"C\" NOT NULL,
  PRIMARY KEY (kind, name, value, token));
CREATE INDEX document_key_token ON document_key (kind, token);
CREATE TABLE configuration (
  sequence int8 PRIMARY KEY, device int8 NOT NULL, event_ns int8 NOT NULL,
  received_ns int8 NOT NULL, content bytea NOT NULL, extra text);
CREATE INDEX configuration_device ON configuration (device, sequence);
CREATE TABLE rollup (
  device int8 NOT NULL, bucket int8 NOT NULL, content bytea NOT NULL,
  PRIMARY KEY (device, bucket));
CREATE TABLE contiguous (
  device int8 NOT NULL, epoch int8 NOT NULL, serial int8 NOT NULL, removed int8,
  PRIMARY KEY (device, epoch));
CREATE TABLE cursor (name text PRIMARY KEY, value bytea NOT NULL);
";

/// Statements that make all of them.
pub(super) fn definitions() -> String {
    let mut all = OTHERS.to_owned();
    for Table { name, columns, indexes, .. } in TABLES {
        // Writing to a string does not fail.
        let _ = write!(all, "CREATE TABLE {name} ({columns}); {indexes}");
    }
    all
}

/// By table, what writes rows to it.
static INSERTS: LazyLock<BTreeMap<&'static str, String>> =
    LazyLock::new(|| TABLES.iter().map(|table| (table.name, table.insert())).collect());

impl Table {
    /// Names and types.
    fn columns(&self) -> impl Iterator<Item = (&'static str, &'static str)> {
        let definitions = self.columns.split(", ").map(str::split_whitespace);
        definitions.filter_map(|mut words| Some((words.next()?, words.next()?)))
    }

    fn insert(&self) -> String {
        let all = |one: &dyn Fn(usize, &str, &str) -> String| {
            let columns = self.columns().enumerate();
            let texts: Vec<_> = columns.map(|(at, (name, kind))| one(at, name, kind)).collect();
            texts.join(", ")
        };
        let names = all(&|_, name, _| name.to_owned());
        let values = all(&|_, name, kind| format!("{name}::{kind}"));
        let arrays = all(&|at, _, _| format!("${}::text[]", at + 1));
        let conflict = self.replaces.map_or_else(
            || "DO NOTHING".to_owned(),
            |key| {
                let set = all(&|_, name, _| format!("{name} = EXCLUDED.{name}"));
                format!("({key}) DO UPDATE SET {set}")
            },
        );
        format!(
            "INSERT INTO {} SELECT {values} FROM unnest({arrays}) AS r ({names})
             ON CONFLICT {conflict}",
            self.name
        )
    }
}

/// Rows to be written: by table and what they are called by, their columns as texts.
#[derive(Default)]
pub(super) struct Gathered(BTreeMap<&'static str, BTreeMap<i64, Vec<Option<String>>>>);

/// A value as PostgreSQL reads it.
fn literal(value: &ValueRef<'_>) -> Option<String> {
    match value {
        ValueRef::Null => None,
        ValueRef::Integer(number) => Some(number.to_string()),
        ValueRef::Real(number) => Some(format!("{number:e}")),
        ValueRef::Text(text) => Some(escape(&String::from_utf8_lossy(text)).into_owned()),
        ValueRef::Blob(bytes) => {
            let mut hexadecimal = String::with_capacity(2 + 2 * bytes.len());
            hexadecimal.push_str("\\x");
            for byte in *bytes {
                let _ = write!(hexadecimal, "{byte:02x}");
            }
            Some(hexadecimal)
        }
    }
}

/// A column that holds a list.
pub(super) fn list<T: ToString>(items: impl Iterator<Item = T>) -> String {
    let items: Vec<_> = items.map(|item| item.to_string()).collect();
    format!("{{{}}}", items.join(","))
}

impl Gathered {
    /// Adds a row, in place of another one that is called the same.
    pub(super) fn add(&mut self, table: &'static str, row: &[ValueRef<'_>]) {
        let Some(ValueRef::Integer(key)) = row.first() else { return };
        self.0.entry(table).or_default().insert(*key, row.iter().map(literal).collect());
    }

    pub(super) fn has(&self, table: &str, key: i64) -> bool {
        self.0.get(table).is_some_and(|rows| rows.contains_key(&key))
    }

    pub(super) fn remove(&mut self, table: &str, key: i64) {
        self.0.get_mut(table).and_then(|rows| rows.remove(&key));
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Writes all of it; `false` if a row that is new was there already.
    pub(super) async fn write(self, session: &Session) -> Result<bool, Error> {
        for (table, rows) in self.0 {
            let Some(insert) = INSERTS.get(table) else { continue };
            let count = rows.len() as u64;
            let mut columns: Vec<Vec<Option<String>>> = Vec::new();
            for row in rows.into_values() {
                columns.resize_with(row.len(), Vec::new);
                columns.iter_mut().zip(row).for_each(|(column, value)| column.push(value));
            }
            let columns: Vec<Parameter<'_>> = columns.iter().map(|one| one as _).collect();
            if count > 0 && session.run(insert, &columns).await? != count {
                return Ok(false);
            }
        }
        Ok(true)
    }
}
