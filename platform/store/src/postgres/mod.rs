//! A schema in a PostgreSQL database a tenant.
//!
//! | file | purpose |
//! |---|---|
//! | `session` | a connection and its prepared statements |
//! | `tables` | the tables, and the statements that write them |
//! | `schema` | what is made, checked and read at the start |
//! | `writer` | the one writer: look-ups and batches |
//! | `readers` | queries of committed snapshots over some connections |
//! | `rollups` | sums of buckets, summaries of series, and what retention removes |
//! | `rows`, `text` | rows and texts as they are there |
//! | `error` | why something could not be read |
//!
//! Rows have no seals: a cluster has checksums of its own, and a warning is written where they are
//! off. Every value is kept bit by bit. `psql` can read all of it but `meta.standing`.

mod error;
mod readers;
mod rollups;
mod rows;
mod schema;
mod session;
mod tables;
mod text;
mod writer;

use std::time::Duration;

use lastmeter_model::invocation::InvocationId;
use lastmeter_model::standing::Standing;
use lastmeter_units::{SimTime, TenantName};
use readers::PostgresReaders;
pub use session::Database;
use writer::PostgresWriter;

use crate::error::StoreResult;
use crate::sqlite::{Quantities, ReadContext};

/// The columns of a reading, as `rows::read_reading` takes them.
macro_rules! reading_where {
    ($end:literal) => {
        concat!(
            "SELECT sequence, device, epoch, serial, event_ns, dated, update_state, received_ns,
                    commit_ns, quantities, \"values\", extra FROM reading WHERE ",
            $end
        )
    };
}
/// The columns of an invocation, as `read_invocation` takes them.
macro_rules! invocation_where {
    ($end:literal) => {
        concat!(
            "SELECT id, device, command, parameters, initiator, initiator_id, metadata,
                    created_ns, expires_ns, state, sent_ns, ended_ns, response, previous
             FROM invocation WHERE ",
            $end
        )
    };
}
/// The columns of a document or of a version, as `read_document` takes them.
macro_rules! document_where {
    ($table:literal, $end:literal) => {
        concat!(
            "SELECT number, kind, token, version, created_ns, changed_ns, who, deleted, body FROM ",
            $table,
            " WHERE ",
            $end
        )
    };
}
/// The columns of an alert, as `read_alert` takes them.
macro_rules! alert_where {
    ($end:literal) => {
        concat!(
            "SELECT sequence, device, epoch, serial, event_ns, received_ns, level, type, message,
                    update_state, extra FROM alert WHERE ",
            $end
        )
    };
}
use {alert_where, document_where, invocation_where, reading_where};

const READING_BY_NUMBER: &str =
    reading_where!("device = $1 AND epoch = $2 AND serial = $3 AND serial IS NOT NULL");
const INVOCATION: &str = invocation_where!("id = $1");
const STATE: &str = "SELECT device, last_interaction_ns, quantities, last, event_ns, \"values\",
    alerts FROM state WHERE device = $1";
const DOCUMENT: &str = document_where!("document", "kind = $1 AND token = $2");
const ANSWER: &str = "SELECT number, who, key, request, status, at_ns, gives, kind, name, version
    FROM answer WHERE who = $1 AND key = $2";

/// A schema that has been opened.
pub(crate) struct PostgresOpened {
    pub(crate) writer: PostgresWriter,
    pub(crate) readers: [PostgresReaders; 2],
    pub(crate) standing: Standing,
    /// When which open invocation expires.
    pub(crate) expiries: Vec<(InvocationId, SimTime)>,
}

/// Opens a tenant's schema for its one writer, making it if it is not there, and fills the
/// directories of what is around it. To be called outside of any runtime, as all of the writer.
pub(crate) fn open(
    database: &Database,
    (tenant, deadline): (&TenantName, Duration),
    context: impl FnOnce(Quantities) -> ReadContext,
) -> StoreResult<PostgresOpened> {
    let context = |start: &schema::Start| context(Quantities::new(&start.quantities));
    let (writer, start) = PostgresWriter::open(database.clone(), tenant.as_str(), context)?;
    let schema::Start { standing, devices, documents, open, .. } = start;
    let context = writer.context();
    context.documents.enter(documents);
    context.devices.fill(devices, open.iter().map(|(device, id, _)| (*device, *id)).collect());
    let readers = || PostgresReaders::new(database.clone(), context.clone(), deadline);
    let readers = [readers(), readers()];
    let expiries = open.into_iter().map(|(_, id, expires)| (id, expires)).collect();
    Ok(PostgresOpened { writer, readers, standing, expiries })
}
