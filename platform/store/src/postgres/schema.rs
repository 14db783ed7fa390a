//! A tenant's schema: making it, or making sure that it is one of this version; and what is read
//! of it once, at the start.

use std::collections::BTreeMap;

use lastmeter_model::document::{Document, KINDS, Key};
use lastmeter_model::invocation::InvocationId;
use lastmeter_model::row::DeviceRow;
use lastmeter_model::standing::Standing;
use lastmeter_units::{MEASUREMENTS, SimTime};
use tokio_postgres::error::SqlState;

use super::document_where;
use super::error::{PostgresError, ReadError, ReadResult, querying};
use super::session::{Database, Session};
use super::tables::{FORMAT, definitions};
use crate::damage::Damage;
use crate::rows::{Columns, keys_of, read_device, read_document};
use crate::sqlite::standing::{decode, encode};

/// The class of this program's advisory locks; the object is the schema.
const LOCK_CLASS: i32 = 0x4c4d_5452;

/// What is read at the start.
pub(super) struct Start {
    pub(super) standing: Standing,
    pub(super) quantities: BTreeMap<u16, String>,
    pub(super) devices: Vec<DeviceRow>,
    /// The resident documents and their keys.
    pub(super) documents: Vec<(Document, Vec<Key>)>,
    /// Device, id and expiry of open invocations.
    pub(super) open: Vec<(i64, InvocationId, SimTime)>,
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
    let found = encoding.map_err(querying("look at the database"))?;
    let found: String = found.and_then(|row| row.try_get(0).ok()).unwrap_or_default();
    if found != "UTF8" {
        return Err(PostgresError::Encoding { found });
    }
    let known = "SELECT oid FROM pg_namespace WHERE nspname = $1";
    let is_there =
        session.row(known, &[&database.schema]).await.map_err(querying("find the schema"))?;
    if is_there.is_none() {
        let make = format!("CREATE SCHEMA IF NOT EXISTS {}", database.quoted());
        session.client.batch_execute(&make).await.map_err(querying("make the schema"))?;
    }
    lock_schema(database, &session).await?;
    Ok(session)
}

/// Takes a schema for one session alone, until that ends; one that is not there is nobody's.
pub(super) async fn lock_schema(
    database: &Database,
    session: &Session,
) -> Result<(), PostgresError> {
    // An object identifier has the 32 bits of the lock's second key.
    let lock = "SELECT pg_advisory_lock($1, oid::int8::bit(32)::int4) FROM pg_namespace
                WHERE nspname = $2";
    match session.rows(lock, &[&LOCK_CLASS, &database.schema]).await {
        Ok(_) => Ok(()),
        Err(error) if error.code() == Some(&SqlState::LOCK_NOT_AVAILABLE) => {
            Err(PostgresError::InUse {
                schema: database.schema.clone(),
                holder: holder(session).await.unwrap_or_else(|| "unknown".to_owned()),
            })
        }
        Err(error) => Err(querying("lock the schema")(error)),
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
    let tables =
        session.row(found, &[&database.schema]).await.map_err(querying("find the tables"))?;
    if tables.is_none_or(|row| row.try_get::<_, i64>(0).ok() == Some(0)) {
        make(session).await.map_err(querying("make the tables"))?;
    }
    let meta = session.client.query("SELECT format FROM meta", &[]).await;
    let meta = meta.map_err(querying("read the store's format"))?;
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
    let Some(standing) = standing(session, false).await? else {
        return Err(damaged("where it stands cannot be read".to_owned()));
    };
    if standing.has_earlier_rollups() {
        let removed = session.run("DELETE FROM rollup", &[]).await;
        removed.map_err(querying("remove roll-ups that are to be made again"))?;
    }
    read(session, standing, tenant).await.map_err(|error| match error {
        ReadError::Postgres(error) => querying("read the store at the start")(error),
        ReadError::Damaged(damage) => damaged(damage.to_string()),
    })
}

async fn make(session: &Session) -> Result<(), tokio_postgres::Error> {
    // One transaction, as there is no other statement of its end in it.
    session.client.batch_execute(&format!("BEGIN; {}", definitions())).await?;
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

/// Where the store stands, locked against other writers or not; `None` if that is not what was
/// written.
pub(super) async fn standing(
    session: &Session,
    is_locked: bool,
) -> Result<Option<Standing>, PostgresError> {
    let query = if is_locked {
        "SELECT standing FROM meta FOR UPDATE"
    } else {
        "SELECT standing FROM meta"
    };
    let row = session.row(query, &[]).await.map_err(querying("read where the store stands"))?;
    Ok(row.and_then(|row| decode(row.try_get(0).ok()?)))
}

async fn read(session: &Session, mut standing: Standing, tenant: &str) -> ReadResult<Start> {
    let quantities = quantities(session, &mut standing).await?;
    let rows = "SELECT id, hardware_id, created_ns, commands, last_command FROM device ORDER BY id";
    let mut devices = Vec::new();
    for row in session.rows(rows, &[]).await? {
        devices.push(read_device(&row, tenant, devices.len() + 1)?);
    }
    let open = "SELECT device, id, expires_ns FROM invocation
                WHERE state IN ('Pending', 'Sent') ORDER BY id";
    let mut invocations = Vec::new();
    for row in session.rows(open, &[]).await? {
        invocations.push((row.try_get(0)?, InvocationId(row.try_get(1)?), row.time(2)?));
    }
    let resident = document_where!("document", "kind = ANY($1) AND NOT deleted ORDER BY number");
    let kinds = KINDS.iter().copied().flatten().filter(|kind| kind.is_resident);
    let kinds: Vec<_> = kinds.map(|kind| i64::from(kind.code)).collect();
    let mut documents = Vec::new();
    for row in session.rows(resident, &[&kinds]).await? {
        let (_, document) = read_document(&row, "document")?;
        let keys = keys_of(&document);
        documents.push((document, keys));
    }
    let counts = [
        ("device", devices.len(), standing.devices),
        ("invocation_open", invocations.len(), standing.open),
    ];
    check_ends(
        session,
        &standing,
        counts.map(|(table, found, expected)| (table, found as u64, expected)),
    )
    .await?;
    Ok(Start { standing, quantities, devices, documents, open: invocations })
}

/// Each table has to have as many rows as the store counts, or to end with the one that was
/// written last.
async fn check_ends(
    session: &Session,
    standing: &Standing,
    counts: [(&'static str, u64, u64); 2],
) -> ReadResult<()> {
    let ends = "SELECT (SELECT max(sequence) FROM reading), (SELECT max(sequence) FROM refusal),
                       (SELECT max(sequence) FROM alert), (SELECT max(sequence) FROM result),
                       (SELECT max(sequence) FROM block), (SELECT max(id) FROM invocation),
                       (SELECT max(number) FROM document_version), (SELECT max(number) FROM audit)";
    let Some(row) = session.row(ends, &[]).await? else {
        return Err(Damage::missing("meta", "").into());
    };
    let expected = [
        ("reading", standing.readings, standing.reading_floor),
        ("refusal", standing.refusals, standing.refusal_floor),
        ("alert", standing.alerts, standing.alert_floor),
        ("result", standing.results, standing.result_floor),
        ("block", standing.blocks, standing.block_floor),
        ("invocation", standing.invocations, 0),
        ("document_version", standing.versions, 0),
        ("audit", standing.chain.count, 0),
    ];
    let mut all = counts.to_vec();
    for (column, (table, expected, floor)) in expected.into_iter().enumerate() {
        let last: Option<i64> = row.try_get(column)?;
        all.push((table, last.map_or(floor, i64::cast_unsigned), expected));
    }
    for (table, found, expected) in all {
        if found != expected {
            let found = format!("the last row is {found}, expected {expected}");
            return Err(Damage::new(table, expected, found).into());
        }
    }
    Ok(())
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
