//! Documents as rows: `document` has the last version of each, `document_version` all versions of
//! all of them in the order of their commit, with the same columns.

use lastmeter_model::decide::NewVersion;
use lastmeter_model::document::{Document, DocumentKind, KINDS, Key};
use lastmeter_units::SimTime;
use rusqlite::{Connection, Params, Row, params};

use super::read::Reader;
use super::seal::{ReadResult, check_row, write_row};
use crate::damage::Damage;
use crate::page::PAGE_BYTES_MAX;
use crate::rows::{self, keys_of, read_document};
use crate::seam::{Page, Rows, Stretch};

const COLUMNS: usize = 9;

/// The statement that reads rows of a table in the order of its columns.
macro_rules! select {
    ($table:literal, $end:literal) => {
        concat!(
            "SELECT number, kind, token, version, created_ns, changed_ns, who, deleted, body, sum
             FROM ",
            $table,
            " ",
            $end
        )
    };
}

/// The last version of a document; a removed one is there.
pub(super) fn current(
    connection: &Connection,
    kind: &'static DocumentKind,
    token: &str,
) -> ReadResult<Option<Document>> {
    let by_token = select!("document", "WHERE kind = ?1 AND token = ?2");
    if let Some((_, document)) = one(connection, "document", by_token, params![kind.code, token])? {
        return Ok(Some(document));
    }
    let history = "SELECT 1 FROM document_version INDEXED BY document_history
                   WHERE kind = ?1 AND token = ?2 LIMIT 1";
    if connection.prepare_cached(history)?.exists(params![kind.code, token])? {
        return Err(Damage::missing("document", format!("{}:{token}", kind.name)).into());
    }
    Ok(None)
}

/// A row by its keys.
fn one(
    connection: &Connection,
    table: &'static str,
    query: &str,
    keys: impl Params,
) -> ReadResult<Option<(i64, Document)>> {
    let mut statement = connection.prepare_cached(query)?;
    let mut rows = statement.query(keys)?;
    rows.next()?.map(|row| read(table, row)).transpose()
}

/// Rows of a page: at most so many, and none beyond those that fill it with bytes.
fn several(
    connection: &Connection,
    table: &'static str,
    query: &str,
    keys: impl Params,
) -> ReadResult<Vec<(i64, Document)>> {
    let mut statement = connection.prepare_cached(query)?;
    let mut rows = statement.query(keys)?;
    let (mut documents, mut bytes) = (Vec::new(), 0);
    while bytes < PAGE_BYTES_MAX
        && let Some(row) = rows.next()?
    {
        let (number, document) = read(table, row)?;
        bytes += document.body.len();
        documents.push((number, document));
    }
    Ok(documents)
}

fn read(table: &'static str, row: &Row<'_>) -> ReadResult<(i64, Document)> {
    check_row(table, row, COLUMNS)?;
    read_document(row, table)
}

/// Writes a version as the current one and into the history.
pub(super) fn write(
    connection: &Connection,
    NewVersion { number, document, keys }: &NewVersion<'_>,
) -> rusqlite::Result<usize> {
    let row = rows::document(*number, document);
    let (code, token) = (document.kind.code, &document.token);
    if document.version > 1 {
        connection
            .prepare_cached("DELETE FROM document WHERE kind = ?1 AND token = ?2")?
            .execute(params![code, token])?;
        connection
            .prepare_cached("DELETE FROM document_key WHERE kind = ?1 AND token = ?2")?
            .execute(params![code, token])?;
    }
    let insert = "INSERT INTO document VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)";
    write_row(&mut *connection.prepare_cached(insert)?, "document", &row)?;
    let insert = "INSERT INTO document_version VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)";
    let written = write_row(&mut *connection.prepare_cached(insert)?, "document_version", &row)?;
    let mut insert =
        connection.prepare_cached("INSERT INTO document_key VALUES (?1, ?2, ?3, ?4)")?;
    for key in *keys {
        insert.execute(params![code, key.name, key.value, token])?;
    }
    Ok(written)
}

/// All resident documents with their keys. What cannot be read is reported and left out.
pub(super) fn resident(
    connection: &Connection,
    mut damaged: impl FnMut(&Damage),
) -> ReadResult<Vec<(Document, Vec<Key>)>> {
    let mut documents = Vec::new();
    let query = select!("document", "INDEXED BY document_there WHERE deleted = 0 AND kind = ?1");
    let mut statement = connection.prepare(query)?;
    for kind in KINDS.iter().copied().flatten().filter(|kind| kind.is_resident) {
        let mut rows = statement.query([kind.code])?;
        while let Some(row) = rows.next()? {
            match read("document", row) {
                Ok((_, document)) => {
                    let keys = keys_of(&document);
                    documents.push((document, keys));
                }
                Err(error) => match error.as_damage("document", kind.name) {
                    Some(damage) => damaged(&damage),
                    None => return Err(error),
                },
            }
        }
    }
    Ok(documents)
}

impl Reader {
    /// A document in a version, or in its last one.
    pub(super) fn document(
        &self,
        kind: &'static DocumentKind,
        token: &str,
        version: Option<u64>,
    ) -> ReadResult<Option<Document>> {
        let Some(version) = version else { return current(&self.connection, kind, token) };
        let query = select!(
            "document_version INDEXED BY document_history",
            "WHERE kind = ?1 AND token = ?2 AND version = ?3"
        );
        let keys = params![kind.code, token, version.cast_signed()];
        Ok(one(&self.connection, "document_version", query, keys)?.map(|(_, document)| document))
    }

    /// A document as it was at an instant.
    pub(super) fn document_at(
        &self,
        kind: &'static DocumentKind,
        token: &str,
        at: SimTime,
    ) -> ReadResult<Option<Document>> {
        let query = select!(
            "document_version INDEXED BY document_history",
            "WHERE kind = ?1 AND token = ?2 AND changed_ns <= ?3 ORDER BY version DESC LIMIT 1"
        );
        let keys = params![kind.code, token, at.as_nanoseconds()];
        Ok(one(&self.connection, "document_version", query, keys)?.map(|(_, document)| document))
    }

    /// Documents of a kind that are not removed, all or those with a key, by token.
    pub(super) fn documents(
        &self,
        kind: &'static DocumentKind,
        key: Option<&Key>,
        Page { offset, limit }: Page,
    ) -> ReadResult<(u64, Vec<Document>)> {
        let (code, offset) = (kind.code, offset.min(i64::MAX.cast_unsigned()).cast_signed());
        let (connection, one) = (&self.connection, |row: &Row<'_>| row.get::<_, i64>(0));
        let (count, documents) = if let Some(Key { name, value }) = key {
            let count = "SELECT count(*) FROM document_key
                         WHERE kind = ?1 AND name = ?2 AND value = ?3";
            let count =
                connection.prepare_cached(count)?.query_row(params![code, name, value], one)?;
            let query = select!(
                "document",
                "WHERE kind = ?1 AND token IN (
                   SELECT token FROM document_key WHERE kind = ?1 AND name = ?2 AND value = ?3
                   ORDER BY token LIMIT ?4 OFFSET ?5) ORDER BY token"
            );
            let keys = params![code, name, value, limit, offset];
            (count, several(connection, "document", query, keys)?)
        } else {
            let count = "SELECT count(*) FROM document INDEXED BY document_there
                         WHERE deleted = 0 AND kind = ?1";
            let count = connection.prepare_cached(count)?.query_row([code], one)?;
            let query = select!(
                "document INDEXED BY document_there",
                "WHERE deleted = 0 AND kind = ?1 ORDER BY token LIMIT ?2 OFFSET ?3"
            );
            (count, several(connection, "document", query, params![code, limit, offset])?)
        };
        let documents = documents.into_iter().map(|(_, document)| document).collect();
        Ok((count.cast_unsigned(), documents))
    }

    /// The versions of a document, newest first, and how many there are: as many as the last one
    /// has counted.
    pub(super) fn history(
        &self,
        kind: &'static DocumentKind,
        token: &str,
        Page { offset, limit }: Page,
    ) -> ReadResult<(u64, Vec<Document>)> {
        let Some(last) = current(&self.connection, kind, token)? else {
            return Ok((0, Vec::new()));
        };
        let newest = last.version.saturating_sub(offset);
        let oldest = newest.saturating_sub(limit.into()) + 1;
        if newest == 0 || limit == 0 {
            return Ok((last.version, Vec::new()));
        }
        let query = select!(
            "document_version INDEXED BY document_history",
            "WHERE kind = ?1 AND token = ?2 AND version BETWEEN ?3 AND ?4 ORDER BY version DESC"
        );
        let keys = params![kind.code, token, oldest.cast_signed(), newest.cast_signed()];
        let found = several(&self.connection, "document_version", query, keys)?;
        for (expected, (_, document)) in (1..=newest).rev().zip(&found) {
            if document.version != expected {
                let key = format!("{}:{token}, version {expected}", kind.name);
                return Err(Damage::missing("document_version", key).into());
            }
        }
        Ok((last.version, found.into_iter().map(|(_, document)| document).collect()))
    }

    /// All versions of all documents, in the order of their commit.
    pub(super) fn versions(&self, stretch: Stretch) -> ReadResult<Rows<Document>> {
        let table = ("document_version", "number");
        self.in_order(table, select!("document_version", ""), stretch, |row| {
            let (_, document) = read("document_version", row)?;
            let bytes = document.body.len();
            Ok((document, bytes))
        })
    }

    /// Looks at the current documents after a number: each has to be a copy of its version, and to
    /// have its keys. Returns where to go on; `None` at the end.
    pub(super) fn look_at_documents(&self, after: i64, limit: u32) -> ReadResult<Option<i64>> {
        let query = select!("document", "WHERE number > ?1 ORDER BY number LIMIT ?2");
        let found = several(&self.connection, "document", query, params![after, limit])?;
        for (number, document) in &found {
            let by_number = select!("document_version", "WHERE number = ?1");
            let version = one(&self.connection, "document_version", by_number, [number])?;
            if version.as_ref().map(|(_, version)| version) != Some(document) {
                return Err(Damage::new("document", number, "it is not its last version").into());
            }
            let keys = "SELECT name, value FROM document_key WHERE kind = ?1 AND token = ?2
                        ORDER BY name, value";
            let mut statement = self.connection.prepare_cached(keys)?;
            let rows = statement.query_map(params![document.kind.code, document.token], |row| {
                Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?))
            })?;
            let stored = rows.collect::<Result<Vec<_>, _>>()?;
            let keys = keys_of(document);
            let keys = keys.into_iter().map(|key| (key.name.to_owned(), key.value));
            if !keys.eq(stored) {
                return Err(Damage::new("document_key", number, "they are not its keys").into());
            }
        }
        Ok(found.last().map(|(number, _)| *number))
    }
}
