//! A schema in a PostgreSQL database a tenant.
//!
//! | file | purpose |
//! |---|---|
//! | `session` | a connection and its prepared statements |
//! | `schema` | the tables; what is made, checked and read at the start |
//! | `writer`, `gathered` | the one writer; a batch's rows as columns |
//! | `readers` | queries of committed snapshots over some connections |
//! | `rows`, `text` | rows and texts as they are there |
//! | `error` | why something could not be read |
//!
//! Rows have no seals: a cluster has checksums of its own, and a warning is written where they are
//! off. Every value is kept bit by bit. `psql` can read all of it but `meta.standing`.

mod error;
mod gathered;
mod readers;
mod rows;
mod schema;
mod session;
mod text;
mod writer;

use std::sync::Arc;

use lastmeter_model::directory::DeviceDirectory;
use lastmeter_model::invocation::InvocationId;
use lastmeter_model::standing::Standing;
use lastmeter_units::{SimTime, TenantName};
pub use readers::PostgresReaders;
pub use session::Database;
pub use writer::PostgresWriter;

use crate::error::StoreResult;
use crate::seam::Observer;
use crate::sqlite::{Quantities, ReadContext};

/// The columns of a reading, as `rows::reading` takes them.
macro_rules! reading_where {
    ($end:literal) => {
        concat!(
            "SELECT sequence, device, epoch, serial, event_ns, dated, update_state, received_ns,
                    commit_ns, quantities, \"values\", extra FROM reading WHERE ",
            $end
        )
    };
}
/// The columns of an invocation, as `rows::invocation` takes them.
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
use {invocation_where, reading_where};

const READING_BY_NUMBER: &str = reading_where!(
    "device = $1 AND epoch = $2 AND serial = $3 AND serial IS NOT NULL AND sequence <= $4"
);
const INVOCATION: &str = invocation_where!("id = $1");
const STATE: &str = "SELECT device, last_interaction_ns, quantities, last, event_ns, \"values\",
    alerts FROM state WHERE device = $1";

/// A schema that has been opened.
pub struct PostgresOpened {
    /// The one writer.
    pub writer: PostgresWriter,
    /// Where it stands.
    pub standing: Standing,
    /// What queries need beside the database.
    pub context: ReadContext,
    /// When which open invocation expires.
    pub expiries: Vec<(InvocationId, SimTime)>,
}

/// Opens a tenant's schema for its one writer, making it if it is not there, and fills the device
/// directory. To be called outside of any runtime, as all of the writer.
///
/// # Errors
/// If the server cannot be reached, somebody else writes the schema, or it is not one of this
/// version.
pub fn open_postgres(
    database: &Database,
    tenant: &TenantName,
    (devices, observer): (Arc<DeviceDirectory>, Arc<dyn Observer>),
) -> StoreResult<PostgresOpened> {
    let context = |start: &schema::Start| ReadContext {
        quantities: Arc::new(Quantities::new(&start.quantities)),
        devices,
        documents: Arc::default(),
        observer,
    };
    let (writer, start) = PostgresWriter::open(database.clone(), tenant.as_str(), context)?;
    let context = writer.context().clone();
    let schema::Start { standing, devices, open, .. } = start;
    context.devices.fill(devices, open.iter().map(|(device, id, _)| (*device, *id)).collect());
    let expiries = open.into_iter().map(|(_, id, expires)| (id, expires)).collect();
    Ok(PostgresOpened { writer, standing, context, expiries })
}
