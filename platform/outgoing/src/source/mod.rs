//! Sources outside, which are read and never written: whatever they are, they give rows of texts by
//! the names of their columns.
//!
//! | file | kind |
//! |---|---|
//! | `http_json` | a list in a JSON document of the web |
//! | `csv` | a file with a head |
//! | `postgres` | a query of a database |

mod csv;
mod http_json;
mod postgres;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::pin::Pin;

use crate::error::OutgoingError;
use crate::web::{ClientTls, Web};

/// Rows that are taken of a source at once.
const ROWS_MAX: usize = 5_000;

/// A row: texts by column; what is not known is left out.
pub type SourceRow = BTreeMap<String, String>;

type Reading<'a> = Pin<Box<dyn Future<Output = Result<Vec<SourceRow>, OutgoingError>> + Send + 'a>>;

/// A kind of source.
#[derive(Debug)]
pub struct SourceKind {
    /// Its name in settings.
    pub name: &'static str,
    /// What it is, for people.
    pub doc: &'static str,
    /// Settings that it needs.
    pub needs: &'static [&'static str],
    /// Reads all rows.
    pub read: for<'a> fn(&'a Source, &'a Web) -> Reading<'a>,
}

/// Every kind of source; a new one is a file and a row.
pub static SOURCES: &[SourceKind] = &[http_json::KIND, csv::KIND, postgres::KIND];

/// A source, as far as its kind needs it.
#[derive(Clone, Default)]
pub struct Source {
    /// Where it is.
    pub url: Option<String>,
    /// What is shown there.
    pub token: Option<String>,
    /// Where in a document its rows are, as a JSON pointer (RFC 6901).
    pub rows: Option<String>,
    /// The file.
    pub file: Option<PathBuf>,
    /// The query.
    pub query: Option<String>,
    /// The password.
    pub password: Option<String>,
    /// How its server is known; without, a database is spoken to in plain text.
    pub tls: Option<ClientTls>,
}

/// A setting that a source has, or an error that names it.
fn set<'a>(value: Option<&'a String>, name: &str) -> Result<&'a str, OutgoingError> {
    let missing = || OutgoingError::Refused(format!("`{name}` is not set"));
    value.map(String::as_str).ok_or_else(missing)
}

fn too_many() -> OutgoingError {
    OutgoingError::Refused(format!("there are more than {ROWS_MAX} rows"))
}

#[cfg(test)]
mod tests;
