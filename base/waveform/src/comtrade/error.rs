//! What can be wrong with a COMTRADE recording, located and with what to do about it.
//!
//! Lines of text and records count from 1. Messages are lower-case fragments.

use std::io;

use crate::text::quote;

/// Why bytes are no COMTRADE recording.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ComtradeError {
    /// The header ends too early.
    #[error("the .cfg ends before line {line}, where {expected} is expected; is the file whole?")]
    HeaderEnds {
        /// The line that is missing.
        line: usize,
        /// What should stand there.
        expected: String,
    },
    /// A field of the header cannot be used.
    #[error("line {line} of the .cfg, {field}: found {}, expected {expected}", quote(found))]
    Header {
        /// The line's number.
        line: usize,
        /// Name of the field.
        field: &'static str,
        /// What stands there.
        found: String,
        /// What would be right.
        expected: String,
    },
    /// The total number of channels is not the sum.
    #[error(
        "line {line} of the .cfg: wrong channel count: {total} channels in total, but {analogue} \
         analogue and {digital} digital are {}; correct the line", analogue + digital
    )]
    ChannelTotal {
        /// The line's number.
        line: usize,
        /// The total as stated.
        total: u64,
        /// Analogue channels as stated.
        analogue: u64,
        /// Digital channels as stated.
        digital: u64,
    },
    /// A line that should describe a channel (or should not) shows that the counts are wrong.
    #[error(
        "line {line} of the .cfg: wrong channel count: {found} field(s) where {expected} is \
         expected; the counts in line 2 ({analogue}A, {digital}D) do not fit the lines that follow"
    )]
    ChannelLines {
        /// The line's number.
        line: usize,
        /// How many fields it has.
        found: usize,
        /// What should stand there.
        expected: String,
        /// Analogue channels as stated.
        analogue: u64,
        /// Digital channels as stated.
        digital: u64,
    },
    /// The data holds fewer records than the header announces.
    #[error(
        "the .dat is truncated: it holds {whole} whole records{partial} of the {announced} that the \
         .cfg announces; get the whole file, or correct the last sample number in the .cfg"
    )]
    Truncated {
        /// Whole records there are.
        whole: u64,
        /// Records that the header announces.
        announced: u64,
        /// Empty, or ` and N bytes of another`.
        partial: String,
    },
    /// The sample numbers read sensibly only in the other byte order.
    #[error(
        "swapped byte order: the first sample numbers read {found}, and {swapped} with their bytes \
         swapped; COMTRADE data is least significant byte first, swap the bytes of the .dat"
    )]
    ByteOrder {
        /// The first sample numbers as they read.
        found: String,
        /// The same with their bytes swapped.
        swapped: String,
    },
    /// The size of the records does not fit the channel count.
    #[error(
        "wrong channel count: {analogue} analogue and {digital} digital channels make records of \
         {expected_bytes} bytes, but the sample numbers in the .dat stand {found_bytes} bytes apart, \
         which fits {fits}; correct the .cfg, or give the .dat that belongs to it"
    )]
    RecordSize {
        /// Analogue channels as stated.
        analogue: usize,
        /// Digital channels as stated.
        digital: usize,
        /// The size that follows from them.
        expected_bytes: usize,
        /// The size at which the sample numbers line up.
        found_bytes: usize,
        /// Channel counts or data kinds that give that size.
        fits: String,
    },
    /// The number of fields in the lines does not fit the channel count.
    #[error(
        "wrong channel count: {analogue} analogue and {digital} digital channels make lines of \
         {expected} fields, but line {line} of the .dat and those around it have {found}, which \
         fits {} channels; correct the .cfg, or give the .dat that belongs to it",
        found.saturating_sub(2)
    )]
    LineFields {
        /// Analogue channels as stated.
        analogue: usize,
        /// Digital channels as stated.
        digital: usize,
        /// The first such line.
        line: usize,
        /// How many fields it has.
        found: usize,
        /// How many the channel count asks for.
        expected: usize,
    },
    /// One line of ASCII data has another number of fields than its neighbours.
    #[error("line {line} of the .dat: found {found} fields, expected {expected} as in other lines")]
    RaggedLine {
        /// The line's number.
        line: usize,
        /// How many fields it has.
        found: usize,
        /// How many are expected.
        expected: usize,
    },
    /// A value of ASCII data cannot be used.
    #[error("line {line} of the .dat, {field}: found {}, expected {expected}", quote(found))]
    Value {
        /// The line's number.
        line: usize,
        /// Which field, with the channel's name.
        field: String,
        /// What stands there.
        found: String,
        /// What would be right.
        expected: &'static str,
    },
    /// The sample numbers run backwards.
    #[error(
        "record {record} of the .dat has sample number {found} after {previous}; sample numbers \
         count up: the data is damaged, or does not belong to this .cfg"
    )]
    SampleNumber {
        /// The record, counted from 1.
        record: u64,
        /// Sample number of the record.
        found: u64,
        /// The number before it.
        previous: u64,
    },
    /// The sample numbers belong to no sequence of records.
    #[error(
        "record {record} of the .dat has sample number {found} after {previous}, and sample numbers \
         do not go on as expected in {places} of {records} records; a few are records that were \
         lost, so many are data that is damaged (bytes missing or too many in it?) or does not \
         belong to this .cfg: get the whole file again"
    )]
    SampleNumbers {
        /// The first such record, counted from 1.
        record: u64,
        /// The number before its own.
        previous: u64,
        /// Sample number of the record.
        found: u64,
        /// How many such records there are.
        places: u64,
        /// Of so many.
        records: u64,
    },
    /// A line of ASCII data is too long to be one.
    #[error("line {line} of the .dat is longer than 16 MiB; this is no ASCII data")]
    LongLine {
        /// The line's number.
        line: usize,
    },
    /// The data could not be read to its end.
    #[error("the data cannot be read: {why}")]
    Unreadable {
        /// The system's error.
        why: String,
    },
    /// The data is of another kind than the header's.
    #[error(
        "the .cfg states {stated} data, but the .dat {looks}; correct the file type in the .cfg"
    )]
    DataKind {
        /// The kind as stated.
        stated: String,
        /// What the data looks like.
        looks: &'static str,
    },
    /// There is nothing to read.
    #[error("the recording has no {what}; there is nothing to read")]
    Empty {
        /// `samples` or `channels`.
        what: &'static str,
    },
    /// The header gives no rate and the time stamps do not either.
    #[error("the .cfg gives no sampling rate and none follows from the time stamps: {why}")]
    NoRate {
        /// What is wrong with the stamps.
        why: String,
    },
    /// Sections so different that one rate for all would need absurdly many samples.
    #[error(
        "the sections are sampled at {lowest_hz} to {highest_hz} Hz: bringing {samples} samples to \
         the highest rate would make {joined} of them; split the recording by section first"
    )]
    RatesTooDifferent {
        /// The lowest rate in hertz, as text.
        lowest_hz: String,
        /// The highest rate in hertz, as text.
        highest_hz: String,
        /// Samples there are.
        samples: usize,
        /// Samples there would be, as text.
        joined: String,
    },
    /// A single-file recording lacks a section or has an unreadable section header.
    #[error("line {line} of the .cff: {why}")]
    Sections {
        /// The line's number.
        line: usize,
        /// What is missing or wrong and what to do.
        why: String,
    },
}

/// The error where the bytes themselves cannot be had.
#[expect(clippy::needless_pass_by_value, reason = "it stands in map_err")]
pub(super) fn unreadable(error: io::Error) -> ComtradeError {
    ComtradeError::Unreadable { why: error.to_string() }
}
