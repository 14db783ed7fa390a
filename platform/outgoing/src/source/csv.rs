//! A file of comma-separated values with a head (RFC 4180).

use std::fs::File;
use std::io::Read as _;

use super::{ROWS_MAX, Source, SourceKind, SourceRow, too_many};
use crate::error::OutgoingError;
use crate::{ANSWER_BYTES_MAX, TIME_LIMIT};

pub(super) const KIND: SourceKind = SourceKind {
    name: "csv",
    doc: "a file of comma-separated values with a head, read again each time",
    needs: &["file"],
    read: |source, _| Box::pin(async move { read(source).await }),
};

async fn read(source: &Source) -> Result<Vec<SourceRow>, OutgoingError> {
    let missing = || OutgoingError::Refused("`file` is not set".to_owned());
    let path = source.file.as_ref().ok_or_else(missing)?;
    let file = path.clone();
    let bytes = tokio::task::spawn_blocking(move || {
        let mut bytes = Vec::new();
        File::open(&file)?.take(ANSWER_BYTES_MAX as u64 + 1).read_to_end(&mut bytes)?;
        Ok(bytes)
    });
    // A pipe, or a disk of another machine, may not answer.
    let bytes = tokio::time::timeout(TIME_LIMIT, bytes).await;
    let late =
        || OutgoingError::Failed(format!("{}: nothing within {TIME_LIMIT:?}", path.display()));
    let bytes = bytes.map_err(|_| late())?.map_err(std::io::Error::other).flatten();
    let bytes =
        bytes.map_err(|error| OutgoingError::Failed(format!("{}: {error}", path.display())))?;
    if bytes.len() > ANSWER_BYTES_MAX {
        let why = format!("{} has more than {ANSWER_BYTES_MAX} bytes", path.display());
        return Err(OutgoingError::Refused(why));
    }
    rows(&bytes).map_err(|why| match why {
        OutgoingError::Refused(why) => OutgoingError::Refused(format!("{}: {why}", path.display())),
        failed @ OutgoingError::Failed(_) => failed,
    })
}

fn rows(bytes: &[u8]) -> Result<Vec<SourceRow>, OutgoingError> {
    let wrong = |error: ::csv::Error| OutgoingError::Refused(error.to_string());
    let mut reader = ::csv::ReaderBuilder::new().trim(::csv::Trim::All).from_reader(bytes);
    let head = reader.headers().map_err(wrong)?.clone();
    let mut rows = Vec::new();
    for record in reader.records() {
        if rows.len() == ROWS_MAX {
            return Err(too_many());
        }
        let record = record.map_err(wrong)?;
        let known = head.iter().zip(record.iter()).filter(|(_, text)| !text.is_empty());
        rows.push(known.map(|(name, text)| (name.to_owned(), text.to_owned())).collect());
    }
    Ok(rows)
}
