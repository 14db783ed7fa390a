//! Pages of lists, which end where they are full of rows or of bytes.

use lastmeter_model::invocation::InvocationRow;
use lastmeter_model::row::ReadingRow;

/// Content of rows in one answer at most, bytes; a page ends where it is reached.
pub const PAGE_BYTES_MAX: usize = 8 * 1024 * 1024;

/// The rows of a page so far.
pub(crate) struct PageRows<T> {
    limit: usize,
    bytes: usize,
    rows: Vec<T>,
}

impl<T> PageRows<T> {
    /// A page of so many rows at most.
    pub(crate) fn new(limit: u32) -> Self {
        Self { limit: limit as usize, bytes: 0, rows: Vec::new() }
    }

    /// Whether no more rows are on it.
    pub(crate) fn is_full(&self) -> bool {
        self.rows.len() >= self.limit || self.bytes >= PAGE_BYTES_MAX
    }

    /// Puts a row of so many bytes on it, unless it is full.
    pub(crate) fn push(&mut self, row: T, bytes: usize) {
        if !self.is_full() {
            self.rows.push(row);
            self.bytes += bytes;
        }
    }

    /// Its rows; it is empty then.
    pub(crate) fn take(&mut self) -> Vec<T> {
        std::mem::take(&mut self.rows)
    }
}

/// The bytes that a reading counts on a page.
pub(crate) fn reading_bytes(row: &ReadingRow) -> usize {
    row.values.len() * 10 + row.extra.as_ref().map_or(0, String::len)
}

/// The bytes that an invocation counts on a page.
pub(crate) fn invocation_bytes(row: &InvocationRow) -> usize {
    let texts = row.asked.metadata.iter().chain(&row.asked.parameters);
    let texts: usize = texts.map(|(name, value)| name.len() + value.len()).sum();
    texts + row.response.as_ref().map_or(0, String::len)
}
