//! A list in a JSON document of the web. Columns are named by their members, nested ones as
//! `price/value`, members of a list by their places from 0 on.

use serde_json::Value;

use super::{ROWS_MAX, Source, SourceKind, SourceRow, set, too_many};
use crate::error::OutgoingError;
use crate::web::{Asked, Url, Web};

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
    Ok(list.iter().map(row).collect())
}

fn row(value: &Value) -> SourceRow {
    let mut row = SourceRow::new();
    flatten(value, "", &mut row);
    row
}

/// Values are nested as deep as the parser lets them.
fn flatten(value: &Value, name: &str, row: &mut SourceRow) {
    let within = |part: &str| match name {
        "" => part.to_owned(),
        name => format!("{name}/{part}"),
    };
    match value {
        Value::Null => {}
        Value::Object(members) => {
            for (part, value) in members {
                flatten(value, &within(part), row);
            }
        }
        Value::Array(values) => {
            for (place, value) in values.iter().enumerate() {
                flatten(value, &within(&place.to_string()), row);
            }
        }
        Value::String(text) => drop(row.insert(name.to_owned(), text.clone())),
        plain => drop(row.insert(name.to_owned(), plain.to_string())),
    }
}
