//! One connection to a tenant's schema, with its prepared statements.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Mutex;
use std::time::Duration;

use lastmeter_units::TenantName;
use tokio_postgres::config::Host;
use tokio_postgres::types::ToSql;
use tokio_postgres::{Client, Config, Error, NoTls, Row, RowStream, Statement};

use super::error::PostgresError;
use crate::lock;

/// How long a connection attempt may take.
const CONNECT: Duration = Duration::from_secs(5);
/// How long a lost peer goes unnoticed.
const UNANSWERED: Duration = Duration::from_secs(15);

/// A parameter of a statement.
pub(super) type Parameter<'a> = &'a (dyn ToSql + Sync);

/// Where the store of a tenant is: a server's database, and the schema in it.
#[derive(Clone, Debug)]
pub struct Database {
    config: Config,
    /// The schema's name, without quotes.
    pub(super) schema: String,
}

impl Database {
    /// The schema of a tenant in the database of a connection string (`host=... dbname=...` or
    /// `postgresql://...`).
    ///
    /// # Errors
    /// If the string is none.
    pub fn new(connection: &str, tenant: &TenantName) -> Result<Self, PostgresError> {
        let mut config: Config = connection.parse().map_err(PostgresError::Address)?;
        config.connect_timeout(CONNECT).tcp_user_timeout(UNANSWERED).keepalives_idle(UNANSWERED);
        if config.get_application_name().is_none() {
            config.application_name(format!("lastmeter {tenant} pid {}", std::process::id()));
        }
        Ok(Self { config, schema: format!("t_{tenant}") })
    }

    /// The schema's name as it stands in a statement. A tenant's name has no quotes.
    pub(super) fn quoted(&self) -> String {
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

impl Session {
    /// Connects within the runtime at hand and runs the statements of a session's start.
    pub(super) async fn open(database: &Database, settings: &str) -> Result<Self, PostgresError> {
        let (client, connection) = database
            .config
            .connect(NoTls)
            .await
            .map_err(|source| PostgresError::Unreachable { server: database.server(), source })?;
        tokio::spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!(%error, "a connection to PostgreSQL has ended");
            }
        });
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
