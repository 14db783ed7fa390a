//! A query of a database of PostgreSQL, in a session that only reads, with the rights of the user
//! of its address.

use std::error::Error as _;
use std::fmt::Write as _;
use std::pin::pin;

use futures_util::TryStreamExt as _;
use tokio::task::JoinSet;
use tokio_postgres::config::SslMode;
use tokio_postgres::{Client, Config, Connection, Error, NoTls, SimpleQueryMessage};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::{ROWS_MAX, Source, SourceKind, SourceRow, set, too_many};
use crate::error::OutgoingError;
use crate::web::Web;
use crate::{ANSWER_BYTES_MAX, TIME_LIMIT};

pub(super) const KIND: SourceKind = SourceKind {
    name: "postgres",
    doc: "a query of a database of PostgreSQL, read with the rights of the user that is named",
    needs: &["url", "query"],
    read: |source, _: &Web| Box::pin(async move { read(source).await }),
};

/// What a session of a source may not do.
const SESSION: &str = "-c default_transaction_read_only=on -c statement_timeout=10000";

async fn read(source: &Source) -> Result<Vec<SourceRow>, OutgoingError> {
    let address = set(source.url.as_ref(), "url")?;
    // The address may have a password in it: it is not shown.
    let mut config: Config = address
        .parse()
        .map_err(|_| OutgoingError::Refused("`url` is no address of a database".to_owned()))?;
    let options = match config.get_options() {
        Some(own) => format!("{own} {SESSION}"),
        None => SESSION.to_owned(),
    };
    config.options(options).connect_timeout(TIME_LIMIT);
    if let Some(password) = &source.password {
        config.password(password);
    }
    let query = set(source.query.as_ref(), "query")?;
    let all = async {
        if let Some(tls) = &source.tls {
            config.ssl_mode(SslMode::Require);
            let connector = MakeRustlsConnect::new(tls.config());
            asked(config.connect(connector).await.map_err(|error| told(&error))?, query).await
        } else {
            asked(config.connect(NoTls).await.map_err(|error| told(&error))?, query).await
        }
    };
    let late =
        || OutgoingError::Failed(format!("the database did not answer within {TIME_LIMIT:?}"));
    tokio::time::timeout(TIME_LIMIT, all).await.unwrap_or_else(|_| Err(late()))
}

async fn asked<S, T>(
    (client, connection): (Client, Connection<S, T>),
    query: &str,
) -> Result<Vec<SourceRow>, OutgoingError>
where
    S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin + Send + 'static,
    T: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin + Send + 'static,
{
    // It ends with this, however that ends.
    let mut connected = JoinSet::new();
    connected.spawn(connection);
    let found = client.simple_query_raw(query).await.map_err(|error| told(&error))?;
    let (mut found, mut rows, mut bytes) = (pin!(found), Vec::new(), 0);
    while let Some(message) = found.try_next().await.map_err(|error| told(&error))? {
        let SimpleQueryMessage::Row(found) = message else { continue };
        if rows.len() == ROWS_MAX {
            return Err(too_many());
        }
        let texts = found.columns().iter().enumerate().filter_map(|(place, column)| {
            Some((column.name().to_owned(), found.get(place)?.to_owned()))
        });
        let row: SourceRow = texts.collect();
        bytes += row.values().map(String::len).sum::<usize>();
        if bytes > ANSWER_BYTES_MAX {
            let why = format!("its rows have more than {ANSWER_BYTES_MAX} bytes");
            return Err(OutgoingError::Refused(why));
        }
        rows.push(row);
    }
    Ok(rows)
}

/// What the server refuses it refuses again; the rest may be otherwise later.
fn told(error: &Error) -> OutgoingError {
    let mut why = format!("the database: {error}");
    if let Some(source) = error.source() {
        let _ = write!(why, ": {source}");
    }
    match error.as_db_error() {
        Some(_) => OutgoingError::Refused(why),
        None => OutgoingError::Failed(why),
    }
}
