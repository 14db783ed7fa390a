//! Why a PostgreSQL store does not do what it is asked to.

/// Why a PostgreSQL store cannot be opened, read or written.
#[derive(Debug, thiserror::Error)]
pub enum PostgresError {
    /// There is no address.
    #[error("no database is given; set `store.url`")]
    Nowhere,
    /// The connection string is none.
    #[error("the address of the PostgreSQL server cannot be read")]
    Address(#[source] tokio_postgres::Error),
    /// There is no connection.
    #[error(
        "the PostgreSQL server at {server} cannot be reached; look whether it runs and what \
         `store.url` names"
    )]
    Unreachable {
        /// Its addresses.
        server: String,
        /// The library's error.
        #[source]
        source: tokio_postgres::Error,
    },
    /// The server did not answer in time.
    #[error("{doing}: the PostgreSQL server has not answered within {limit_s} s")]
    Silent {
        /// What was being done.
        doing: &'static str,
        /// How long it was waited for.
        limit_s: u64,
    },
    /// The server refused something, or the connection broke.
    #[error("{doing} in PostgreSQL")]
    Query {
        /// What was being done.
        doing: &'static str,
        /// The library's error.
        #[source]
        source: tokio_postgres::Error,
    },
    /// Another process writes the schema.
    #[error(
        "schema {schema} is being written by another process ({holder}); one process writes a \
         tenant's store: stop the other one, or give this one another database"
    )]
    InUse {
        /// The schema.
        schema: String,
        /// What the server reports of the other's session.
        holder: String,
    },
    /// The schema was written by another version.
    #[error(
        "schema {schema} has format {found}, this version reads {expected}; start the version \
         that wrote it, or give another database"
    )]
    Format {
        /// The schema.
        schema: String,
        /// Its format.
        found: i32,
        /// The format of this version.
        expected: i32,
    },
    /// The database cannot hold every text.
    #[error("the database has encoding {found}, expected UTF8")]
    Encoding {
        /// Its encoding.
        found: String,
    },
    /// The schema is not a sound store.
    #[error("schema {schema} is damaged: {found}; restore the database from a copy")]
    Damaged {
        /// The schema.
        schema: String,
        /// What is wrong with it.
        found: String,
    },
    /// Somebody else has written the schema since.
    #[error(
        "schema {schema} has been written by another process: it stands at journal entry {found}, \
         expected {expected}; nothing is written until this process has been restarted"
    )]
    Moved {
        /// The schema.
        schema: String,
        /// Where it stands.
        found: u64,
        /// Where this process left it.
        expected: u64,
    },
    /// The connection was lost within a batch, which has to be repeated.
    #[error("the connection to the PostgreSQL server was lost within a batch")]
    Broken,
    /// The runtime of the connection could not be started.
    #[error("start the runtime of the PostgreSQL connection")]
    Runtime(#[source] std::io::Error),
}
