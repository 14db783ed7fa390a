//! A list in a JSON document of the web. Columns are named by their members, nested ones as
//! `price/value`, members of a list by their places from 0 on.

use serde_json::Value;

use super::{ROWS_MAX, Source, SourceKind, SourceRow, set, too_many};
use crate::ANSWER_BYTES_MAX;
use crate::error::OutgoingError;
use crate::web::{Asked, Url, Web};

/// Bytes of the names of all that is in all rows.
const FLAT_BYTES_MAX: usize = 8 * ANSWER_BYTES_MAX;

pub(super) const KIND: SourceKind = SourceKind {
    name: "http-json",
    doc: "a list in a JSON document that an address of the web gives",
    needs: &["url"],
    read: |source, web| Box::pin(async move { read(source, web).await }),
};

async fn read(source: &Source, web: &Web) -> Result<Vec<SourceRow>, OutgoingError> {
    let url: Url = set(source.url.as_ref(), "url")?
        .parse()
        .map_err(|expected| OutgoingError::Refused(format!("`url`: expected {expected}")))?;
    let asked = Asked { token: source.token.clone(), ..Asked::default() };
    let reply = web.send_trusted(&url, asked).await?.taken()?;
    rows(&reply.body, source.rows.as_deref().unwrap_or_default())
}

fn rows(body: &[u8], pointer: &str) -> Result<Vec<SourceRow>, OutgoingError> {
    let wrong = |error: serde_json::Error| OutgoingError::Refused(format!("no JSON: {error}"));
    let document: Value = serde_json::from_slice(body).map_err(wrong)?;
    let list = document.pointer(pointer).and_then(Value::as_array);
    let list = list.ok_or_else(|| {
        OutgoingError::Refused(format!("there is no list at `{pointer}` of the answer"))
    })?;
    if list.len() > ROWS_MAX {
        return Err(too_many());
    }
    let mut left = FLAT_BYTES_MAX;
    let rows = list.iter().map(|value| {
        let mut row = SourceRow::new();
        flatten(value, "", &mut row, &mut left).map(|()| row)
    });
    let too_much = || {
        let why =
            format!("its rows with their names of columns have more than {FLAT_BYTES_MAX} bytes");
        OutgoingError::Refused(why)
    };
    rows.collect::<Option<_>>().ok_or_else(too_much)
}

/// Values are nested as deep as the parser lets them; a name stands with each of what is in it, so
/// that a small document could become a very large table.
fn flatten(value: &Value, name: &str, row: &mut SourceRow, left: &mut usize) -> Option<()> {
    match value {
        Value::Null => {}
        Value::Object(members) => {
            for (part, value) in members {
                let name = within(name, part, left)?;
                flatten(value, &name, row, left)?;
            }
        }
        Value::Array(values) => {
            for (place, value) in values.iter().enumerate() {
                let name = within(name, &place.to_string(), left)?;
                flatten(value, &name, row, left)?;
            }
        }
        Value::String(text) => drop(row.insert(name.to_owned(), text.clone())),
        plain => drop(row.insert(name.to_owned(), plain.to_string())),
    }
    Some(())
}

/// The name of what is in something.
fn within(name: &str, part: &str, left: &mut usize) -> Option<String> {
    *left = left.checked_sub(name.len() + part.len() + 1)?;
    Some(if name.is_empty() { part.to_owned() } else { format!("{name}/{part}") })
}
