//! One connection to a tenant's schema, with its prepared statements.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Mutex;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::runtime::Runtime;
use tokio_postgres::config::{Host, SslMode};
use tokio_postgres::types::ToSql;
use tokio_postgres::{Client, Config, Connection, Error, NoTls, Row, RowStream, Statement};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::error::{PostgresError, querying};
use super::schema::lock_schema;
use crate::error::StoreResult;
use crate::lock;

/// How long a connection attempt may take.
const CONNECT: Duration = Duration::from_secs(5);
/// How long a lost peer goes unnoticed.
const UNANSWERED: Duration = Duration::from_secs(15);

/// A parameter of a statement.
pub(super) type Parameter<'a> = &'a (dyn ToSql + Sync);

/// Where the store of a tenant is: a server's database, and the schema in it.
#[derive(Clone)]
pub struct Database {
    config: Config,
    tls: Option<MakeRustlsConnect>,
    /// The schema's name, without quotes.
    pub(super) schema: String,
}

impl Database {
    /// A schema in the database of a connection string (`host=... dbname=...` or
    /// `postgresql://...`).
    ///
    /// # Errors
    /// If the string is none.
    pub fn new(connection: &str, schema: &str) -> Result<Self, PostgresError> {
        let mut config: Config = connection.parse().map_err(PostgresError::Address)?;
        config.connect_timeout(CONNECT).tcp_user_timeout(UNANSWERED).keepalives_idle(UNANSWERED);
        if config.get_application_name().is_none() {
            config.application_name(format!("lastmeter {schema} pid {}", std::process::id()));
        }
        Ok(Self { config, tls: None, schema: schema.to_owned() })
    }

    /// The same with a password, in place of any in the connection string.
    #[must_use]
    pub fn with_password(mut self, password: &str) -> Self {
        self.config.password(password);
        self
    }

    /// The same over TLS and in no other way.
    #[must_use]
    pub fn with_tls(mut self, client: rustls::ClientConfig) -> Self {
        self.config.ssl_mode(SslMode::Require);
        self.tls = Some(MakeRustlsConnect::new(client));
        self
    }

    /// Whether the schema is there. It blocks, outside of any runtime.
    ///
    /// # Errors
    /// If the server cannot be asked.
    pub fn is_there(&self) -> StoreResult<bool> {
        self.once(async |session| {
            let query = "SELECT FROM pg_namespace WHERE nspname = $1";
            let found = session.row(query, &[&self.schema]).await;
            Ok(found.map_err(querying("find the schema"))?.is_some())
        })
    }

    /// Removes the schema with all that is in it. It blocks, outside of any runtime.
    ///
    /// # Errors
    /// If somebody writes it, or the server refuses.
    pub fn remove(&self) -> StoreResult<()> {
        self.once(async |session| {
            lock_schema(self, session).await?;
            let drop = format!("DROP SCHEMA IF EXISTS {} CASCADE", self.quoted());
            session.client.batch_execute(&drop).await.map_err(querying("remove the schema"))
        })
    }

    /// Does something over a connection of its own.
    fn once<T>(
        &self,
        work: impl AsyncFnOnce(&Session) -> Result<T, PostgresError>,
    ) -> StoreResult<T> {
        Ok(runtime()?.block_on(async {
            let settings = "SET statement_timeout TO '60s'; SET lock_timeout TO '2s'";
            let session = Session::open(self, settings).await?;
            work(&session).await
        })?)
    }

    /// The schema's name as it stands in a statement. There are no quotes in it.
    pub(crate) fn quoted(&self) -> String {
        format!("\"{}\"", self.schema)
    }

    /// The server's addresses, without secrets.
    fn server(&self) -> String {
        let ports = self.config.get_ports();
        let port = |index| ports.get(index).or(ports.first()).copied().unwrap_or(5432);
        let one = |(index, host): (usize, &Host)| match host {
            Host::Tcp(name) => format!("{name}:{}", port(index)),
            Host::Unix(path) => format!("{}, port {}", path.display(), port(index)),
        };
        let hosts: Vec<_> = self.config.get_hosts().iter().enumerate().map(one).collect();
        hosts.join(", ")
    }
}

impl fmt::Display for Database {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let database = self.config.get_dbname().or(self.config.get_user()).unwrap_or("?");
        write!(f, "schema {} of database {database} at {}", self.schema, self.server())
    }
}

pub(super) struct Session {
    pub(super) client: Client,
    statements: Mutex<BTreeMap<&'static str, Statement>>,
}

/// A client whose connection is attended to by the runtime at hand.
fn attended<S, T>((client, connection): (Client, Connection<S, T>)) -> Client
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    tokio::spawn(async move {
        if let Err(error) = connection.await {
            tracing::debug!(%error, "a connection to PostgreSQL has ended");
        }
    });
    client
}

/// What the one thread that waits for a server runs on.
pub(super) fn runtime() -> Result<Runtime, PostgresError> {
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    runtime.enable_all().build().map_err(PostgresError::Runtime)
}

impl Session {
    /// Connects within the runtime at hand and runs the statements of a session's start.
    pub(super) async fn open(database: &Database, settings: &str) -> Result<Self, PostgresError> {
        let client = match &database.tls {
            Some(tls) => database.config.connect(tls.clone()).await.map(attended),
            None => database.config.connect(NoTls).await.map(attended),
        };
        let client = client
            .map_err(|source| PostgresError::Unreachable { server: database.server(), source })?;
        let start = format!(
            "SET search_path TO {}; SET synchronous_commit TO on; SET jit TO off; {settings}",
            database.quoted()
        );
        client
            .batch_execute(&start)
            .await
            .map_err(|source| PostgresError::Query { doing: "begin a session", source })?;
        Ok(Self { client, statements: Mutex::new(BTreeMap::new()) })
    }

    async fn prepared(&self, sql: &'static str) -> Result<Statement, Error> {
        let known = lock(&self.statements).get(sql).cloned();
        if let Some(statement) = known {
            return Ok(statement);
        }
        let statement = self.client.prepare(sql).await?;
        lock(&self.statements).insert(sql, statement.clone());
        Ok(statement)
    }

    /// The rows of a query.
    pub(super) async fn rows(
        &self,
        sql: &'static str,
        parameters: &[Parameter<'_>],
    ) -> Result<Vec<Row>, Error> {
        self.client.query(&self.prepared(sql).await?, parameters).await
    }

    /// The rows of a query, one after the other.
    pub(super) async fn stream(
        &self,
        sql: &'static str,
        parameters: &[Parameter<'_>],
    ) -> Result<RowStream, Error> {
        self.client.query_raw(&self.prepared(sql).await?, parameters.iter().copied()).await
    }

    /// The row of a query that has one at most.
    pub(super) async fn row(
        &self,
        sql: &'static str,
        parameters: &[Parameter<'_>],
    ) -> Result<Option<Row>, Error> {
        self.client.query_opt(&self.prepared(sql).await?, parameters).await
    }

    /// Runs a statement; the answer is how many rows it wrote.
    pub(super) async fn run(
        &self,
        sql: &'static str,
        parameters: &[Parameter<'_>],
    ) -> Result<u64, Error> {
        self.client.execute(&self.prepared(sql).await?, parameters).await
    }
}
