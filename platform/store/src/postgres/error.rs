//! Why something of a schema could not be read.

use tokio_postgres::error::SqlState;

use crate::damage::Damage;
pub(super) use crate::postgres_error::PostgresError;

/// Why something could not be read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ReadError {
    /// The server refused something, or the connection broke.
    #[error(transparent)]
    Postgres(#[from] tokio_postgres::Error),
    /// What is stored is not what was stored.
    #[error(transparent)]
    Damaged(#[from] Damage),
}

pub(crate) type ReadResult<T> = Result<T, ReadError>;

/// Whether the server reports that its files are damaged.
pub(super) fn is_corrupt(error: &tokio_postgres::Error) -> bool {
    matches!(error.code(), Some(&SqlState::DATA_CORRUPTED | &SqlState::INDEX_CORRUPTED))
}

/// What the server refused, as an error of the store.
pub(super) fn querying(doing: &'static str) -> impl Fn(tokio_postgres::Error) -> PostgresError {
    move |source| PostgresError::Query { doing, source }
}
