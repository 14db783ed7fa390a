//! Small tables of text: fields that know their line and column, units in headers, times in the
//! forms that tables have.
//!
//! Fields are separated by commas and decimals have a point; a table of semicolons or tabs is
//! rejected with what its header would have by those. Whole recordings are read by
//! `lastmeter-waveform`, in blocks.

mod heading;
mod time;

use std::fmt;
use std::ops::Index;

pub use heading::{Heading, Unit, heading, is_no_power, seconds, vars, watts};
pub use time::{TimeColumn, turns_back};

/// What is wrong with a table, and where.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct TableError {
    line: Option<usize>,
    column: Option<(usize, Option<String>)>,
    what: String,
}

impl TableError {
    /// Of a table as a whole.
    pub fn whole(what: impl Into<String>) -> Self {
        Self { line: None, column: None, what: what.into() }
    }

    /// Of a line, from 1.
    pub fn line(line: usize, what: impl Into<String>) -> Self {
        Self { line: Some(line), ..Self::whole(what) }
    }

    /// Of a field; columns count from 0 here and from 1 in messages.
    pub fn field(line: usize, column: usize, what: impl Into<String>) -> Self {
        Self { column: Some((column, None)), ..Self::line(line, what) }
    }

    /// The same with the file's name in front.
    pub fn in_file(&self, file: impl fmt::Display) -> String {
        let separator = if self.line.is_some() { ", " } else { ": " };
        format!("`{file}`{separator}{self}")
    }
}

impl fmt::Display for TableError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(line) = self.line {
            write!(f, "line {line}")?;
            match &self.column {
                Some((column, Some(name))) => write!(f, ", column {} (`{name}`)", column + 1)?,
                Some((column, None)) => write!(f, ", column {}", column + 1)?,
                None => {}
            }
            f.write_str(": ")?;
        }
        f.write_str(&self.what)
    }
}

/// A line that is not blank.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// Its number, from 1.
    pub line: usize,
    fields: csv::StringRecord,
}

impl Row {
    /// Its fields, without the blanks around them.
    pub fn fields(&self) -> impl DoubleEndedIterator<Item = &str> + Clone {
        self.fields.iter()
    }

    /// How many fields it has.
    pub fn count(&self) -> usize {
        self.fields.len()
    }
}

impl Index<usize> for Row {
    type Output = str;

    fn index(&self, column: usize) -> &str {
        &self.fields[column]
    }
}

/// The lines of a text that are not blank, with as many fields as each has.
///
/// # Errors
/// If a field is too long to be held.
pub fn rows(text: &str) -> Result<Vec<Row>, TableError> {
    let text = text.trim_start_matches('\u{feff}');
    let mut reader = csv::ReaderBuilder::new();
    let reader = reader.has_headers(false).flexible(true).trim(csv::Trim::All);
    let mut reader = reader.from_reader(text.as_bytes());
    let (mut rows, mut line, mut counted) = (Vec::new(), 1, 0);
    for fields in reader.records() {
        let fields = fields.map_err(|error| TableError::whole(error.to_string()))?;
        // A record's own position may be that of a blank line before it.
        let begin = fields.position().map_or(0, |it| usize::try_from(it.byte()).unwrap_or(0));
        let blank = text[begin..].bytes().take_while(|it| matches!(it, b'\r' | b'\n')).count();
        line += text[counted..begin + blank].bytes().filter(|it| *it == b'\n').count();
        counted = begin + blank;
        if fields.len() > 1 || !fields[0].is_empty() {
            rows.push(Row { line, fields });
        }
    }
    Ok(rows)
}

/// Rows below a header, each with as many fields as that.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Table {
    /// The first line.
    pub header: Row,
    /// The rows below the header.
    pub rows: Vec<Row>,
}

impl Table {
    /// Reads a table.
    ///
    /// # Errors
    /// If it has no header, its header has other separators than commas, or a row has more or fewer
    /// fields than the header.
    pub fn read(text: &str) -> Result<Self, TableError> {
        let mut rows = rows(text)?.into_iter();
        let header = rows.next().ok_or_else(|| TableError::whole("it is empty"))?;
        if let (1, Some(why)) = (header.count(), other_separator(&header[0])) {
            return Err(TableError::line(header.line, why));
        }
        let table = Self { header, rows: rows.collect() };
        let expected = table.header.count();
        match table.rows.iter().find(|row| row.count() != expected) {
            Some(Row { line, fields }) => {
                let found = fields.len();
                let what = format!("found {found} fields, expected {expected} as in the header");
                Err(TableError::line(*line, what))
            }
            None => Ok(table),
        }
    }

    /// A finite number; `of` is what it counts, as in `of watts`, and may be empty.
    ///
    /// # Errors
    /// If the field holds none.
    pub fn number(&self, row: &Row, column: usize, of: &str) -> Result<f64, TableError> {
        let found = &row[column];
        found.parse().ok().filter(|it: &f64| it.is_finite()).ok_or_else(|| {
            let what = format!("found `{found}`, expected {}", format!("a number {of}").trim_end());
            let name = Some(self.header[column].to_owned());
            TableError { column: Some((column, name)), ..TableError::line(row.line, what) }
        })
    }
}

/// What is wrong with a header that has one field by commas, but several by what spreadsheets of
/// many countries write instead.
fn other_separator(header: &str) -> Option<String> {
    let (name, found) = [("semicolons", ';'), ("tabs", '\t')]
        .into_iter()
        .find(|(_, separator)| header.contains(*separator))?;
    let count = header.matches(found).count() + 1;
    Some(format!(
        "its header has {count} fields by {name}, and none by commas; fields are separated by \
         commas here, and decimals have a point"
    ))
}

#[cfg(test)]
mod tests {
    use super::{Table, rows};

    #[test]
    fn blank_lines_are_left_out_and_numbers_of_lines_stay_those_of_the_file() {
        let text = "\u{feff}time,home 1,\"home, 2\"\n00:00, 1 ,2.5\n\n \r\n00:01,-3,4e2\n";
        let found = rows(text).unwrap();
        let found: Vec<_> = found.iter().map(|row| (row.line, row.fields().collect())).collect();
        let expected = [
            (1, vec!["time", "home 1", "home, 2"]),
            (2, vec!["00:00", "1", "2.5"]),
            (5, vec!["00:01", "-3", "4e2"]),
        ];
        assert_eq!(found, expected);
    }

    #[test]
    fn errors_have_the_file_the_line_the_column_what_was_found_and_what_was_expected() {
        let refused = |text: &str| Table::read(text).unwrap_err().in_file("a.csv");
        let expected = "`a.csv`, line 3: found 1 fields, expected 2 as in the header";
        assert_eq!(refused("a,b\n\n1\n"), expected);
        assert_eq!(refused("\n"), "`a.csv`: it is empty");
        let found = refused("time;a;b\n0;1,5;2\n");
        let expected = "`a.csv`, line 1: its header has 3 fields by semicolons, and none by";
        assert!(found.starts_with(expected), "{found}");
        assert!(refused("time\ta\n0\t1\n").contains("its header has 2 fields by tabs"));
        let table = Table::read("time,a;b\n0,1\n1,1 kW\n2,inf\n").unwrap();
        assert_eq!(table.number(&table.rows[0], 1, ""), Ok(1.0));
        for (row, of, expected) in [
            (1, "of watts", "line 3, column 2 (`a;b`): found `1 kW`, expected a number of watts"),
            (2, "", "line 4, column 2 (`a;b`): found `inf`, expected a number"),
        ] {
            let error = table.number(&table.rows[row], 1, of).unwrap_err();
            assert_eq!(error.to_string(), expected);
        }
    }
}
