//! A tenant's schema: making it, or making sure that it is one of this version; and what is read
//! of it once, at the start.

use std::collections::BTreeMap;

use lastmeter_model::directory::device_row;
use lastmeter_model::invocation::InvocationId;
use lastmeter_model::row::DeviceRow;
use lastmeter_model::standing::Standing;
use lastmeter_units::{HardwareId, MEASUREMENTS, SimTime};
use tokio_postgres::error::SqlState;

use super::error::{PostgresError, ReadError, ReadResult};
use super::session::{Database, Session};
use crate::damage::Damage;
use crate::sqlite::standing::{decode, encode};

/// Counts changes of the tables, together with those of SQLite.
const FORMAT: i32 = 2;

/// The class of this program's advisory locks; the object is the schema.
const LOCK_CLASS: i32 = 0x4c4d_5452;

/// The tables. Times are nanoseconds since 1970 UTC; numbers of messages are the same 64 bits with
/// a sign. Texts have no U+0000 (`text`). The one row of `meta` is locked before anything is
/// written. All tables but `state` are numbered from 1 without gaps.
const TABLES: &str = r#"
CREATE TABLE meta (format int4 NOT NULL, standing bytea NOT NULL);
CREATE TABLE quantity (id int4 PRIMARY KEY, name text NOT NULL UNIQUE);
CREATE TABLE device (
  id int8 PRIMARY KEY, hardware_id text NOT NULL UNIQUE, created_ns int8 NOT NULL,
  commands int8 NOT NULL, last_command int8 NOT NULL);
CREATE TABLE reading (
  sequence int8 PRIMARY KEY, device int8 NOT NULL, epoch int8, serial int8,
  event_ns int8 NOT NULL, dated bool NOT NULL, update_state bool NOT NULL,
  received_ns int8 NOT NULL, commit_ns int8 NOT NULL,
  quantities int4[] NOT NULL, "values" float8[] NOT NULL, extra text);
CREATE UNIQUE INDEX reading_identity ON reading (device, epoch, serial) WHERE serial IS NOT NULL;
CREATE INDEX reading_time ON reading (device, event_ns, sequence);
CREATE TABLE state (
  device int8 PRIMARY KEY, last_interaction_ns int8 NOT NULL, quantities int4[] NOT NULL,
  last int4[] NOT NULL, event_ns int8[] NOT NULL, "values" float8[] NOT NULL,
  alerts int8[] NOT NULL);
CREATE TABLE alert (
  sequence int8 PRIMARY KEY, device int8 NOT NULL, event_ns int8 NOT NULL,
  received_ns int8 NOT NULL, level text NOT NULL, type text NOT NULL, message text NOT NULL,
  update_state bool NOT NULL, extra text);
CREATE TABLE refusal (
  sequence int8 PRIMARY KEY, reason text NOT NULL, device text, topic text NOT NULL,
  detail text NOT NULL, event_ns int8 NOT NULL, content bytea, content_bytes int8);
CREATE TABLE invocation (
  id int8 PRIMARY KEY, device int8 NOT NULL, command text NOT NULL, parameters text NOT NULL,
  initiator text NOT NULL, initiator_id text NOT NULL, metadata text NOT NULL,
  created_ns int8 NOT NULL, expires_ns int8 NOT NULL, state text NOT NULL, sent_ns int8,
  ended_ns int8, response text, previous int8 NOT NULL);
CREATE INDEX invocation_device ON invocation (device, id);
CREATE INDEX invocation_open ON invocation (id) WHERE state IN ('Pending', 'Sent');
"#;

/// What is read at the start.
pub(super) struct Start {
    pub(super) standing: Standing,
    pub(super) quantities: BTreeMap<u16, String>,
    pub(super) devices: Vec<DeviceRow>,
    /// Device, id and expiry of open invocations.
    pub(super) open: Vec<(i64, InvocationId, SimTime)>,
}

fn doing(doing: &'static str) -> impl Fn(tokio_postgres::Error) -> PostgresError {
    move |source| PostgresError::Query { doing, source }
}

/// Connects the one writer of a schema, which holds the schema's lock as long as it is connected.
/// A schema that is not there is made.
pub(super) async fn connect_writer(database: &Database) -> Result<Session, PostgresError> {
    // Of a writer whose machine is gone the server learns within half a minute, and frees the lock.
    let settings = "SET statement_timeout TO '60s'; SET lock_timeout TO '2s'; \
                    SET client_min_messages TO warning; SET tcp_keepalives_idle TO 10; \
                    SET tcp_keepalives_interval TO 5; SET tcp_keepalives_count TO 3";
    let session = Session::open(database, settings).await?;
    let encoding = session.row("SELECT current_setting('server_encoding')", &[]).await;
    let found = encoding.map_err(doing("look at the database"))?;
    let found: String = found.and_then(|row| row.try_get(0).ok()).unwrap_or_default();
    if found != "UTF8" {
        return Err(PostgresError::Encoding { found });
    }
    let known = "SELECT oid FROM pg_namespace WHERE nspname = $1";
    let is_there =
        session.row(known, &[&database.schema]).await.map_err(doing("find the schema"))?;
    if is_there.is_none() {
        let make = format!("CREATE SCHEMA IF NOT EXISTS {}", database.quoted());
        session.client.batch_execute(&make).await.map_err(doing("make the schema"))?;
    }
    // An object identifier has the 32 bits of the lock's second key.
    let lock = "SELECT pg_advisory_lock($1, oid::int8::bit(32)::int4) FROM pg_namespace
                WHERE nspname = $2";
    match session.rows(lock, &[&LOCK_CLASS, &database.schema]).await {
        Ok(_) => Ok(session),
        Err(error) if error.code() == Some(&SqlState::LOCK_NOT_AVAILABLE) => {
            Err(PostgresError::InUse {
                schema: database.schema.clone(),
                holder: holder(&session).await.unwrap_or_else(|| "unknown".to_owned()),
            })
        }
        Err(error) => Err(doing("lock the schema")(error)),
    }
}

/// Who holds the lock, as the server describes it.
async fn holder(session: &Session) -> Option<String> {
    let who =
        "SELECT format('%s, server process %s, connected since %s', a.application_name, a.pid,
                             a.backend_start)
               FROM pg_locks l JOIN pg_stat_activity a USING (pid)
               WHERE l.locktype = 'advisory' AND l.granted AND l.classid::int8 = $1
                 AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
                 AND l.objid = (SELECT oid FROM pg_namespace WHERE nspname = current_schema())";
    let row = session.row(who, &[&i64::from(LOCK_CLASS)]).await.ok()??;
    row.try_get(0).ok()
}

/// Makes the tables if there are none, and reads what a start needs.
pub(super) async fn start(
    database: &Database,
    session: &Session,
    tenant: &str,
) -> Result<Start, PostgresError> {
    let damaged = |found: String| PostgresError::Damaged { schema: database.schema.clone(), found };
    let found = "SELECT count(*) FROM pg_tables WHERE schemaname = $1";
    let tables = session.row(found, &[&database.schema]).await.map_err(doing("find the tables"))?;
    if tables.is_none_or(|row| row.try_get::<_, i64>(0).ok() == Some(0)) {
        make(session).await.map_err(doing("make the tables"))?;
    }
    let meta = session.client.query("SELECT format FROM meta", &[]).await;
    let meta = meta.map_err(doing("read the store's format"))?;
    let format: Option<i32> = meta.first().and_then(|row| row.try_get(0).ok());
    match format {
        Some(FORMAT) => {}
        Some(found) => {
            let schema = database.schema.clone();
            return Err(PostgresError::Format { schema, found, expected: FORMAT });
        }
        None => return Err(damaged("it has no format".to_owned())),
    }
    warn(database, session).await;
    let standing = standing(session).await.map_err(doing("read where the store stands"))?;
    let Some(standing) = standing else {
        return Err(damaged("where it stands cannot be read".to_owned()));
    };
    read(session, standing, tenant).await.map_err(|error| match error {
        ReadError::Postgres(error) => doing("read the store at the start")(error),
        ReadError::Damaged(damage) => damaged(damage.to_string()),
    })
}

async fn make(session: &Session) -> Result<(), tokio_postgres::Error> {
    // One transaction, as there is no other statement of its end in it.
    session.client.batch_execute(&format!("BEGIN; {TABLES}")).await?;
    let standing = encode(&Standing::default());
    let insert = "INSERT INTO meta VALUES ($1, $2)";
    session.run(insert, &[&FORMAT, &&standing[..]]).await?;
    session.client.batch_execute("COMMIT").await
}

/// Reports settings of the server under which something could be lost.
async fn warn(database: &Database, session: &Session) {
    let settings = "SELECT name, setting FROM pg_settings WHERE setting = 'off'
                    AND name IN ('fsync', 'full_page_writes', 'data_checksums')";
    for row in session.rows(settings, &[]).await.unwrap_or_default() {
        let name: String = row.try_get(0).unwrap_or_default();
        let schema = &database.schema;
        tracing::warn!(schema, "the PostgreSQL server runs with {name} = off");
    }
}

/// Where the store stands; `None` if that is not what was written.
pub(super) async fn standing(session: &Session) -> Result<Option<Standing>, tokio_postgres::Error> {
    let row = session.row("SELECT standing FROM meta", &[]).await?;
    Ok(row.and_then(|row| decode(row.try_get(0).ok()?)))
}

async fn read(session: &Session, mut standing: Standing, tenant: &str) -> ReadResult<Start> {
    let quantities = quantities(session, &mut standing).await?;
    let rows = "SELECT id, hardware_id, created_ns, commands, last_command FROM device ORDER BY id";
    let mut devices = Vec::new();
    for row in session.rows(rows, &[]).await? {
        let id: i64 = row.try_get(0)?;
        if id.cast_unsigned() != devices.len() as u64 + 1 {
            return Err(Damage::missing("device", devices.len() + 1).into());
        }
        let hardware_id = HardwareId::new(row.try_get::<_, String>(1)?)
            .map_err(|error| Damage::new("device", id, error.to_string()))?;
        let commands = row.try_get::<_, i64>(3)?.cast_unsigned();
        let created = SimTime(row.try_get(2)?);
        devices.push(device_row(tenant, (id, hardware_id), created, commands, row.try_get(4)?));
    }
    let open = "SELECT device, id, expires_ns FROM invocation
                WHERE state IN ('Pending', 'Sent') ORDER BY id";
    let mut invocations = Vec::new();
    for row in session.rows(open, &[]).await? {
        invocations.push((
            row.try_get(0)?,
            InvocationId(row.try_get(1)?),
            SimTime(row.try_get(2)?),
        ));
    }
    let ends = "SELECT coalesce((SELECT max(sequence) FROM reading), 0),
                       coalesce((SELECT max(sequence) FROM refusal), 0),
                       coalesce((SELECT max(sequence) FROM alert), 0),
                       coalesce((SELECT max(id) FROM invocation), 0)";
    let Some(ends) = session.row(ends, &[]).await? else {
        return Err(Damage::missing("meta", "").into());
    };
    let counts = [
        ("reading", ends.try_get::<_, i64>(0)?, standing.readings),
        ("refusal", ends.try_get(1)?, standing.refusals),
        ("alert", ends.try_get(2)?, standing.alerts),
        ("invocation", ends.try_get(3)?, standing.invocations),
        ("device", devices.len() as i64, standing.devices),
        ("invocation_open", invocations.len() as i64, standing.open),
    ];
    for (table, found, expected) in counts {
        if found.cast_unsigned() != expected {
            let found = format!("the last row is {found}, expected {expected}");
            return Err(Damage::new(table, expected, found).into());
        }
    }
    Ok(Start { standing, quantities, devices, open: invocations })
}

/// The store's numbers of quantities; what the registry has and the store has not is added.
async fn quantities(
    session: &Session,
    standing: &mut Standing,
) -> ReadResult<BTreeMap<u16, String>> {
    let mut names = BTreeMap::new();
    for row in session.rows("SELECT id, name FROM quantity ORDER BY id", &[]).await? {
        let id: i32 = row.try_get(0)?;
        if usize::try_from(id) != Ok(names.len() + 1) {
            return Err(Damage::missing("quantity", names.len() + 1).into());
        }
        names.insert(names.len() as u16 + 1, row.try_get::<_, String>(1)?);
    }
    if names.len() as u64 != standing.quantities {
        return Err(Damage::missing("quantity", standing.quantities).into());
    }
    let is_new = |name: &&str| !names.values().any(|known| known == name);
    let new: Vec<&str> = MEASUREMENTS.iter().map(|one| one.name).filter(is_new).collect();
    if new.is_empty() {
        return Ok(names);
    }
    let before = names.len() as i32;
    let to = Standing { quantities: (names.len() + new.len()) as u64, ..*standing };
    let add = "WITH added AS (
                 INSERT INTO quantity SELECT $1 + n::int4, name
                 FROM unnest($2::text[]) WITH ORDINALITY AS q (name, n))
               UPDATE meta SET standing = $3";
    session.run(add, &[&before, &new, &&encode(&to)[..]]).await?;
    names.extend((before as u16 + 1..).zip(new.into_iter().map(str::to_owned)));
    *standing = to;
    Ok(names)
}
