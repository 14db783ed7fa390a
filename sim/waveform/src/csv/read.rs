//! Reading of CSV recordings: choose the columns, read the rows, tell the rate.
//!
//! See the parent module for the terms. Memory grows with the rows that are really there.

use ::csv::{ByteRecord, Position, Reader, ReaderBuilder, Trim};
use lastmeter_units::SimTime;

use super::time::{Form, Stamp, form_of, is_time_name, stamp};
use super::{CsvError, CsvOptions};
use crate::lookup::{LookupError, select};
use crate::names::{kind_of_name, phase_of_name, unit_in_name};
use crate::recording::{Channel, ChannelKind, Recording};
use crate::text::{decode, finite, line_of, list, quote, without_mark};
use crate::time_axis::{NoRate, rate_of};

/// Reads a recording.
///
/// # Errors
/// A [`CsvError`] naming the line, the column, what was found and what was expected. Ragged rows,
/// empty cells, NaN and infinities are errors; irregular time steps are notes.
pub fn read(bytes: &[u8], options: &CsvOptions) -> Result<Recording, CsvError> {
    let bytes = without_mark(bytes);
    let mut rows = Rows::open(bytes)?;
    let names: Vec<&str> = rows.names.iter().map(String::as_str).collect();
    if let Some(rate) = options.rate_hz.filter(|rate| !(rate.is_finite() && *rate > 0.0)) {
        return Err(CsvError::Rate { found: rate.to_string() });
    }
    let time = time_column(bytes, &names, &rows.first, options)?;
    let (mut recording, columns) = channels(&names, time.map(|(column, _)| column), options)?;
    let mut stamps: Vec<Stamp> = Vec::new();
    let mut record = std::mem::take(&mut rows.first);
    loop {
        let line = || line_of(bytes, record.position());
        if record.len() != rows.names.len() {
            return Err(CsvError::Ragged {
                line: line(),
                found: record.len(),
                expected: rows.names.len(),
            });
        }
        let wrong = |column: usize, expected| CsvError::Value {
            line: line(),
            column: quote(&rows.names[column]),
            found: quote(&decode(&record[column])),
            expected,
        };
        for (channel, &(column, factor)) in recording.channels.iter_mut().zip(&columns) {
            let value = finite(&decode(&record[column])).map(|value| value * factor);
            let value = value.filter(|value| value.is_finite());
            channel.samples.push(value.ok_or_else(|| wrong(column, "a finite number"))?);
        }
        if let Some((column, form)) = time {
            let read = stamp(form, &decode(&record[column]));
            stamps.push(read.ok_or_else(|| wrong(column, form.expected()))?);
        }
        if !next(&mut rows.reader, &mut record)? {
            break;
        }
    }
    match time {
        Some((column, form)) => {
            set_time(&mut recording, names[column], form, &stamps, options.rate_hz)?;
        }
        None => recording.rate_hz = options.rate_hz.unwrap_or_default(),
    }
    Ok(recording)
}

/// A reader that stands behind the first row of samples.
struct Rows<'a> {
    reader: Reader<&'a [u8]>,
    names: Vec<String>,
    first: ByteRecord,
}

impl<'a> Rows<'a> {
    fn open(bytes: &'a [u8]) -> Result<Self, CsvError> {
        let mut reader = ReaderBuilder::new()
            .has_headers(false)
            .flexible(true)
            .comment(Some(b'#'))
            .trim(Trim::All)
            .delimiter(delimiter(bytes))
            .from_reader(bytes);
        let mut record = ByteRecord::new();
        let found = next(&mut reader, &mut record)?;
        let names: Vec<String> = record.iter().map(|field| decode(field).into_owned()).collect();
        if !found || names.iter().all(|name| name.is_empty() || finite(name).is_some()) {
            return Err(CsvError::NoHeader {
                line: line_of(bytes, record.position()),
                found: quote(&names.join(",")),
            });
        }
        if !next(&mut reader, &mut record)? {
            return Err(CsvError::Empty);
        }
        Ok(Self { reader, names, first: record })
    }
}

/// Reads on; `line` of an error is where the reader began to look.
fn next(reader: &mut Reader<&[u8]>, record: &mut ByteRecord) -> Result<bool, CsvError> {
    reader.read_byte_record(record).map_err(|error| CsvError::Csv {
        line: error.position().map_or(0, Position::line),
        why: error.to_string(),
    })
}

/// The separator that the first line which is no comment has most of; a comma if it has none.
fn delimiter(bytes: &[u8]) -> u8 {
    let lines = bytes.split(|&byte| byte == b'\n');
    let header = lines.into_iter().find(|line| !line.starts_with(b"#") && !line.is_empty());
    let header = header.unwrap_or_default();
    let count = |of: u8| header.split(|&byte| byte == of).count();
    // The last of equals wins, so the comma stands last.
    b"\t;,".iter().copied().max_by_key(|&of| count(of)).unwrap_or(b',')
}

/// The time column and the form of its cells, if the options or the names say there is one.
fn time_column(
    bytes: &[u8],
    names: &[&str],
    first: &ByteRecord,
    options: &CsvOptions,
) -> Result<Option<(usize, Form)>, CsvError> {
    let cell = |column: usize| decode(first.get(column).unwrap_or_default()).into_owned();
    if let Some(selector) = &options.time {
        let column = select(names, selector, "column")?;
        let form = form_of(names[column], &cell(column)).ok_or_else(|| CsvError::Value {
            line: line_of(bytes, first.position()),
            column: quote(names[column]),
            found: quote(&cell(column)),
            expected: "a date such as 2020-02-24 18:15:21.499998208 or a time in seconds",
        })?;
        return Ok(Some((column, form)));
    }
    if options.rate_hz.is_some() {
        return Ok(None);
    }
    match form_of(names[0], &cell(0)) {
        Some(form) if form == Form::Date || is_time_name(names[0]) => Ok(Some((0, form))),
        _ => Err(CsvError::NoTime { candidates: list(names.iter().copied()) }),
    }
}

/// The channels without samples, and for each its column and the factor to SI.
fn channels(
    names: &[&str],
    time: Option<usize>,
    options: &CsvOptions,
) -> Result<(Recording, Vec<(usize, f64)>), CsvError> {
    let mut chosen: Vec<(usize, ChannelKind)> = Vec::new();
    if options.voltage.is_empty() && options.current.is_empty() {
        let looks = names.iter().map(|name| kind_of_name(name)).enumerate();
        chosen.extend(
            looks.filter(|&(column, kind)| kind != ChannelKind::Other && Some(column) != time),
        );
        // Voltages first, as they are when selected.
        chosen.sort_by_key(|&(column, kind)| (kind, column));
    } else {
        let voltages = options.voltage.iter().map(|name| (name, ChannelKind::Voltage));
        let currents = options.current.iter().map(|name| (name, ChannelKind::Current));
        for (selector, kind) in voltages.chain(currents) {
            let column = select(names, selector, "column")?;
            if Some(column) == time || chosen.iter().any(|&(other, _)| other == column) {
                let name = names[column].to_owned();
                return Err(LookupError::Twice { name, what: "column".to_owned() }.into());
            }
            chosen.push((column, kind));
        }
    }
    if chosen.is_empty() {
        return Err(CsvError::NothingSelected { candidates: list(names.iter().copied()) });
    }
    let mut recording = Recording::default();
    let mut columns = Vec::with_capacity(chosen.len());
    for (column, kind) in chosen {
        let name = names[column];
        let factor = unit_in_name(name, kind).map_or(1.0, |unit| unit.factor);
        if factor != 1.0 {
            recording.notes.push(format!("column {} is scaled by {factor}", quote(name)));
        }
        columns.push((column, factor));
        recording.channels.push(Channel {
            name: name.to_owned(),
            phase: phase_of_name(name, kind).unwrap_or("").to_owned(),
            unit: if kind == ChannelKind::Voltage { "V" } else { "A" }.to_owned(),
            kind,
            ..Channel::default()
        });
    }
    Ok((recording, columns))
}

/// Sets rate and start from the stamps; a rate that was given wins.
fn set_time(
    recording: &mut Recording,
    name: &str,
    form: Form,
    stamps: &[Stamp],
    given_hz: Option<f64>,
) -> Result<(), CsvError> {
    let wrong = |why| CsvError::TimeColumn { column: quote(name), why };
    let Some(first) = stamps.first() else { return Err(CsvError::Empty) };
    if form == Form::Date {
        let start = i64::try_from(first.picoseconds.div_euclid(1000));
        recording.start = start.ok().map(SimTime);
        if !first.zoned {
            recording.notes.push(format!(
                "the dates in column {} name no time zone and are taken as UTC",
                quote(name)
            ));
        }
    }
    let relative: Result<Vec<i64>, _> =
        stamps.iter().map(|stamp| i64::try_from(stamp.picoseconds - first.picoseconds)).collect();
    let relative = relative.map_err(|_| wrong("it spans more than 106 days"))?;
    let resolution_ps = stamps.iter().map(|stamp| stamp.resolution_ps).min().unwrap_or(1);
    let told = rate_of(&relative, resolution_ps).map_err(|error| match error {
        NoRate::TooFew => wrong("one row tells no rate"),
        NoRate::NotAdvancing => wrong("the time does not advance from row to row"),
    });
    recording.rate_hz = match (given_hz, told) {
        (Some(given), told) => {
            recording.notes.extend(told.ok().and_then(|rate| rate.note));
            given
        }
        (None, told) => {
            let rate = told?;
            recording.notes.extend(rate.note);
            rate.rate_hz
        }
    };
    Ok(())
}
