//! One line of a table: its fields as they are written and as they are read.

use std::fmt::Display;
use std::io::{self, Write};
use std::str::FromStr;

use super::number::write_number;

/// Writes a table field by field and line by line.
pub(crate) struct TableWriter<W: Write> {
    csv: csv::Writer<W>,
    /// The field that is being written: no allocation per field.
    scratch: Vec<u8>,
    written: u64,
}

impl<W: Write> TableWriter<W> {
    /// A table that begins with a header.
    pub(crate) fn new<'a>(
        to: W,
        header: impl IntoIterator<Item = &'a str>,
    ) -> Result<Self, csv::Error> {
        let mut csv = csv::WriterBuilder::new().buffer_capacity(1 << 16).from_writer(to);
        csv.write_record(header)?;
        Ok(Self { csv, scratch: Vec::new(), written: 0 })
    }

    pub(crate) fn text(&mut self, text: &str) -> Result<(), csv::Error> {
        self.csv.write_field(text)
    }

    /// Writes a field as it is shown; an empty one for nothing.
    pub(crate) fn shown(&mut self, value: Option<impl Display>) -> Result<(), csv::Error> {
        self.scratch.clear();
        if let Some(value) = value {
            write!(self.scratch, "{value}")?;
        }
        self.csv.write_field(&self.scratch)
    }

    /// Writes a field as [`write_number`] does; an empty one for nothing.
    pub(crate) fn number(&mut self, value: Option<f64>) -> Result<(), csv::Error> {
        self.scratch.clear();
        if let Some(value) = value {
            write_number(&mut self.scratch, value)?;
        }
        self.csv.write_field(&self.scratch)
    }

    pub(crate) fn end_line(&mut self) -> Result<(), csv::Error> {
        self.csv.write_record(None::<&[u8]>)?;
        self.written += 1;
        Ok(())
    }

    /// How many lines were written, without the header.
    pub(crate) fn written(&self) -> u64 {
        self.written
    }

    pub(crate) fn target(&self) -> &W {
        self.csv.get_ref()
    }

    pub(crate) fn flush(&mut self) -> io::Result<()> {
        self.csv.flush()
    }
}

impl TableWriter<Vec<u8>> {
    /// The whole table, of one that is written in memory.
    pub(crate) fn into_bytes(self) -> Result<Vec<u8>, csv::Error> {
        self.csv.into_inner().map_err(|error| csv::Error::from(error.into_error()))
    }
}

/// A line that was read. Errors state what was found and what was expected.
pub(crate) struct Line<'a> {
    record: &'a csv::StringRecord,
    header: &'static [&'static str],
}

impl<'a> Line<'a> {
    /// A line with a field for each of the header.
    pub(crate) fn of(
        record: &'a csv::StringRecord,
        header: &'static [&'static str],
    ) -> Result<Self, String> {
        if record.len() != header.len() {
            return Err(format!("found {} fields, expected {}", record.len(), header.len()));
        }
        Ok(Self { record, header })
    }

    /// A field as it stands there.
    pub(crate) fn text(&self, place: usize) -> &'a str {
        &self.record[place]
    }

    pub(crate) fn value<T: FromStr>(&self, place: usize, expected: &str) -> Result<T, String> {
        let text = self.text(place);
        text.parse().map_err(|_| format!("{} `{text}`, expected {expected}", self.header[place]))
    }

    /// A field that is a value or empty.
    pub(crate) fn optional<T: FromStr>(
        &self,
        place: usize,
        expected: &str,
    ) -> Result<Option<T>, String> {
        if self.text(place).is_empty() { Ok(None) } else { self.value(place, expected).map(Some) }
    }
}
