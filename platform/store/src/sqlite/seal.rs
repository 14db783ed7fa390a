//! A checksum in each row, so that a flipped bit is noticed when the row is read.
//!
//! The seal is the CRC-32C (Castagnoli) of the table's name and of every column with its type, the
//! key included: a row that comes from another table, under another key or through a damaged page
//! header does not fit its seal. It finds every error of up to 32 bits in a row; secondary indexes
//! have none and are held against independent counts instead (`walk`).

use rusqlite::types::{ToSqlOutput, ValueRef};
use rusqlite::{Row, Statement};

use crate::damage::Damage;
use crate::rows::{Column, Columns};

#[derive(Debug, thiserror::Error)]
pub(crate) enum ReadError {
    /// SQLite refused something.
    #[error(transparent)]
    Sqlite(#[from] rusqlite::Error),
    /// What is stored is not what was stored.
    #[error(transparent)]
    Damaged(#[from] Damage),
}

impl ReadError {
    /// What SQLite found damaged counts as damage too, with the part that was read.
    pub(super) fn as_damage(&self, part: &'static str, key: impl ToString) -> Option<Damage> {
        match self {
            Self::Damaged(damage) => Some(damage.clone()),
            Self::Sqlite(error) if is_corrupt(error) => {
                Some(Damage::new(part, key, error.to_string()))
            }
            Self::Sqlite(_) => None,
        }
    }
}

pub(crate) type ReadResult<T> = Result<T, ReadError>;

/// Whether SQLite reports that the file is damaged.
pub(super) fn is_corrupt(error: &rusqlite::Error) -> bool {
    use rusqlite::ErrorCode::{DatabaseCorrupt, NotADatabase};
    matches!(error.sqlite_error_code(), Some(DatabaseCorrupt | NotADatabase))
        // A value of another type than the column's: nothing of ours writes one.
        || matches!(error, rusqlite::Error::InvalidColumnType(..) | rusqlite::Error::Utf8Error(..))
}

pub(super) fn seal<'a>(table: &str, columns: impl IntoIterator<Item = ValueRef<'a>>) -> i64 {
    let mut sum = crc32c::crc32c(table.as_bytes());
    for column in columns {
        sum = match column {
            ValueRef::Null => crc32c::crc32c_append(sum, &[0]),
            ValueRef::Integer(number) => append(sum, 1, number.to_le_bytes()),
            ValueRef::Real(number) => append(sum, 2, number.to_bits().to_le_bytes()),
            ValueRef::Text(text) => append_long(sum, 3, text),
            ValueRef::Blob(bytes) => append_long(sum, 4, bytes),
        };
    }
    i64::from(sum)
}

fn append(sum: u32, tag: u8, number: [u8; 8]) -> u32 {
    let mut bytes = [tag; 9];
    bytes[1..].copy_from_slice(&number);
    crc32c::crc32c_append(sum, &bytes)
}

fn append_long(sum: u32, tag: u8, bytes: &[u8]) -> u32 {
    crc32c::crc32c_append(append(sum, tag, (bytes.len() as u64).to_le_bytes()), bytes)
}

/// Runs a statement that writes a whole row: its parameters are the columns in the order of the
/// table, and last the seal.
pub(super) fn write_row(
    statement: &mut Statement<'_>,
    table: &str,
    columns: &[ValueRef<'_>],
) -> rusqlite::Result<usize> {
    for (index, column) in (1..).zip(columns) {
        statement.raw_bind_parameter(index, ToSqlOutput::Borrowed(*column))?;
    }
    statement.raw_bind_parameter(columns.len() + 1, seal(table, columns.iter().copied()))?;
    statement.raw_execute()
}

/// Makes sure that a row is what was stored: `columns` columns in the order of the table, the first
/// one being what the row is called by, then the seal.
pub(super) fn check_row(table: &'static str, row: &Row<'_>, columns: usize) -> ReadResult<()> {
    let found = row.get_ref(columns)?;
    // Every query names its columns, so that there are as many.
    let values = (0..columns).map(|index| row.get_ref(index).unwrap_or(ValueRef::Null));
    if found == ValueRef::Integer(seal(table, values)) {
        return Ok(());
    }
    let key = match row.get_ref(0)? {
        ValueRef::Integer(number) => number.to_string(),
        ValueRef::Text(text) => String::from_utf8_lossy(text).into_owned(),
        _ => "?".to_owned(),
    };
    Err(Damage::new(table, key, "the row does not fit its checksum").into())
}

impl Columns for Row<'_> {
    type Error = ReadError;

    fn value<T: Column>(&self, column: usize) -> ReadResult<T> {
        Ok(self.get(column)?)
    }

    fn text_or_none(&self, column: usize) -> ReadResult<Option<String>> {
        Ok(self.get(column)?)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rusqlite::types::Value;

    use super::*;
    use crate::rows::text;

    fn value() -> impl Strategy<Value = Value> {
        prop_oneof![
            Just(Value::Null),
            any::<i64>().prop_map(Value::Integer),
            prop::num::f64::NORMAL.prop_map(Value::Real),
            ".{0,9}".prop_map(Value::Text),
            prop::collection::vec(any::<u8>(), 0..9).prop_map(Value::Blob),
        ]
    }

    fn of(table: &str, row: &[Value]) -> i64 {
        seal(table, row.iter().map(ValueRef::from))
    }

    proptest! {
        #[test]
        fn rows_that_differ_have_different_seals(
            row in prop::collection::vec(value(), 1..6), other in prop::collection::vec(value(), 1..6),
        ) {
            prop_assert_eq!(of("a", &row) == of("a", &other), row == other);
            prop_assert_ne!(of("a", &row), of("b", &row));
        }
    }

    #[test]
    fn a_seal_is_the_castagnoli_sum_of_the_documented_bytes() {
        // "t", then integer 1, null, text "ab", by an independent bitwise CRC.
        let mut bytes = b"t\x01\x01\0\0\0\0\0\0\0\0\x03\x02\0\0\0\0\0\0\0ab".to_vec();
        let sum = bytes.drain(..).fold(!0_u32, |sum, byte| {
            (0..8).fold(sum ^ u32::from(byte), |sum, _| {
                if sum & 1 == 1 { sum >> 1 ^ 0x82f6_3b78 } else { sum >> 1 }
            })
        });
        let row = [ValueRef::Integer(1), ValueRef::Null, text("ab")];
        assert_eq!(seal("t", row), i64::from(!sum));
    }
}
