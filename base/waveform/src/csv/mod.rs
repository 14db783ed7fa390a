//! CSV recordings: a header row with the columns' names, then one row per sampling instant.
//!
//! Terms: a *selector* is a column's exact name or else a part that only one name contains, in any
//! case. Samples are taken in volts and amperes; a name that ends in a unit with a prefix (`Va_kV`,
//! `current [mA]`) is scaled, and that is noted. Commas, semicolons or tabs separate the fields;
//! lines that start with `#` are skipped. Never guesses a decimal comma, never reads a file.

mod read;
mod time;

use crate::lookup::LookupError;

pub use read::read;
pub(crate) use read::{Plan, Scanned, scan};

/// Which columns to read and where the time comes from.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct CsvOptions {
    /// Selectors of the voltage columns, in the order of the channels. If neither voltages nor
    /// currents are selected, every column whose name looks like a voltage or a current is read:
    /// a word such as `Va`, `UL1`, `Ib`, `IT`; or a last word that is a unit (`V`, `kV`, `A`) or
    /// the letter `I`; or the whole name `U`; or `volt` or `curr` anywhere.
    pub voltage: Vec<String>,
    /// Selectors of the current columns, as for the voltages.
    pub current: Vec<String>,
    /// Selector of the time column: dates such as `2020-02-24 18:15:21.499998208` (taken as UTC),
    /// RFC 3339, or seconds (`ms`, `us`, `ns` where the name ends so). Without it, and without a
    /// rate, the first column is taken if it looks like a time.
    pub time: Option<String>,
    /// The sampling rate in hertz; wins over a time column's.
    pub rate_hz: Option<f64>,
}

/// Why bytes are no CSV recording. Lines count from 1, the header row included.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CsvError {
    /// There is no header row with names.
    #[error("line {line}: expected a header row with the columns' names, found {found}")]
    NoHeader {
        /// The line's number.
        line: u64,
        /// What stands there, quoted.
        found: String,
    },
    /// A column could not be determined.
    #[error(transparent)]
    Column(#[from] LookupError),
    /// Nothing was selected and no name looks like a voltage or a current.
    #[error(
        "no column looks like a voltage or a current; select them by name (--voltage, --current) \
         out of: {candidates}"
    )]
    NothingSelected {
        /// The names there are, quoted.
        candidates: String,
    },
    /// Neither a rate nor a time column.
    #[error(
        "the sampling rate is unknown: give a rate (--rate 50000) or the time column \
         (--time-column) out of: {candidates}"
    )]
    NoTime {
        /// The names there are, quoted.
        candidates: String,
    },
    /// The rate given is no rate.
    #[error("the rate must be a number of hertz above zero, found {found}")]
    Rate {
        /// What was given.
        found: String,
    },
    /// A row has another number of fields than the header.
    #[error("line {line}: found {found} fields, expected {expected} as in the header row")]
    Ragged {
        /// The line's number.
        line: u64,
        /// How many fields the row has.
        found: usize,
        /// How many the header has.
        expected: usize,
    },
    /// A cell cannot be used.
    #[error("line {line}, column {column}: found {found}, expected {expected}")]
    Value {
        /// The line's number.
        line: u64,
        /// The column's name, quoted.
        column: String,
        /// What stands there, quoted.
        found: String,
        /// What would be right.
        expected: &'static str,
    },
    /// The time column gives no rate.
    #[error("time column {column}: {why}; give the rate instead (--rate 50000)")]
    TimeColumn {
        /// The column's name, quoted.
        column: String,
        /// What is wrong with it.
        why: &'static str,
    },
    /// The time column has two steps that take turns: no even sampling.
    #[error(
        "time column {column}: samples are not evenly spaced: steps of {short_us} us and {long_us} \
         us alternate (from line {line} on); bring the samples to equal steps, or, if only the time \
         stamps are wrong, give the rate (--rate 50000)"
    )]
    Alternating {
        /// The column's name, quoted.
        column: String,
        /// The shorter step in microseconds.
        short_us: String,
        /// The longer one.
        long_us: String,
        /// The line from which on they alternate.
        line: u64,
    },
    /// A row is too long to be one.
    #[error("line {line}: a row of over a mebibyte begins here; is a quotation mark left open?")]
    LongRow {
        /// The line's number.
        line: u64,
    },
    /// The file could not be read to its end.
    #[error("the file cannot be read: {why}")]
    Unreadable {
        /// The system's error.
        why: String,
    },
    /// There are no rows.
    #[error("there is a header row but no row of samples")]
    Empty,
    /// The CSV layer found something unreadable.
    #[error("line {line}: not readable as CSV: {why}")]
    Csv {
        /// The line's number, 0 if unknown.
        line: u64,
        /// The CSV layer's error.
        why: String,
    },
}
