//! Reading of CSV recordings: choose the columns, read the rows, determine the rate.
//!
//! See the parent module for the terms. Memory grows with the rows that are really there, or not at
//! all where they are read in blocks. Rows of up to a mebibyte are read.

use std::io::{self, BufRead, BufReader, Cursor, Read, Seek, SeekFrom};

use ::csv::{ByteRecord, ErrorKind, Position, Reader, ReaderBuilder, Trim};
use lastmeter_units::SimTime;

use super::time::{Form, Stamp, form_of, is_time_name, stamp};
use super::{CsvError, CsvOptions};
use crate::columns::{Collect, Columns, Sink};
use crate::lookup::{LookupError, select};
use crate::names::{kind_of_name, phase_of_name, unit_in_name};
use crate::recording::{Channel, ChannelKind, Recording};
use crate::text::{CUT, after_mark, decode, finite, is_cut_at_end, line_of, list, quote};
use crate::time_axis::{Alternation, NoRate, Steps};

/// Longer rows are no rows of a recording; a reader of them would need unbounded memory.
const LONGEST_ROW: u64 = 1 << 20;
/// Bytes asked for at a time.
const BUFFER: usize = 1 << 16;
/// Values, and rows, that are decoded before the sink is called.
const TURN_VALUES: usize = 1 << 14;
const TURN_ROWS: usize = 1 << 10;

/// Reads a recording.
///
/// # Errors
/// A [`CsvError`] naming the line, the column, what was found and what was expected. Ragged rows,
/// empty cells, NaN and infinities are errors; irregular time steps are notes.
pub fn read(bytes: &[u8], options: &CsvOptions) -> Result<Recording, CsvError> {
    let mut sink = Collect(Columns::default());
    let mut scanned = scan(&mut Cursor::new(bytes), options, &mut sink)?;
    for (channel, samples) in scanned.recording.channels.iter_mut().zip(sink.0.analogue) {
        channel.samples = samples;
    }
    Ok(scanned.recording)
}

/// What a recording was found to be when it was read from the first row to the last.
#[derive(Debug)]
pub(crate) struct Scanned {
    /// The recording without its samples.
    pub(crate) recording: Recording,
    pub(crate) rows: u64,
    pub(crate) plan: Plan,
}

/// How the rows of a recording are read again.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    /// Where the text begins.
    start: u64,
    delimiter: u8,
    names: Vec<String>,
    /// For each channel its column and the factor to SI.
    columns: Vec<(usize, f64)>,
}

/// An error whose line is still to be found: the place is where the CSV layer began to look.
struct Fault {
    error: CsvError,
    place: Option<Position>,
}

impl<E: Into<CsvError>> From<E> for Fault {
    fn from(error: E) -> Self {
        Self { error: error.into(), place: None }
    }
}

impl Fault {
    fn at(record: &ByteRecord, error: CsvError) -> Self {
        Self { error, place: record.position().cloned() }
    }

    /// The error with its line.
    fn located<R: Read + Seek>(self, source: &mut R, start: u64) -> CsvError {
        let Self { mut error, place } = self;
        if let CsvError::NoHeader { line, .. }
        | CsvError::Ragged { line, .. }
        | CsvError::Value { line, .. }
        | CsvError::LongRow { line } = &mut error
        {
            let byte = place.as_ref().map_or(0, Position::byte);
            if let Err(error) = source.seek(SeekFrom::Start(start + byte)) {
                return unreadable(&error);
            }
            *line = line_of(BufReader::new(source), place.as_ref());
        }
        error
    }
}

fn unreadable(error: &io::Error) -> CsvError {
    CsvError::Unreadable { why: error.to_string() }
}

/// Reads all rows: checks, facts, and the samples of the channels that the options choose, which go
/// to a sink.
pub(crate) fn scan<R: Read + Seek>(
    source: &mut R,
    options: &CsvOptions,
    sink: &mut dyn Sink,
) -> Result<Scanned, CsvError> {
    let start = after_mark(source).map_err(|error| unreadable(&error))?;
    scan_rows(source, start, options, sink).map_err(|fault| fault.located(source, start))
}

fn scan_rows<R: Read + Seek>(
    source: &mut R,
    start: u64,
    options: &CsvOptions,
    sink: &mut dyn Sink,
) -> Result<Scanned, Fault> {
    let delimiter = delimiter(source).map_err(|error| unreadable(&error))?;
    let mut rows = Rows::open(source, start, delimiter)?;
    let mut record = ByteRecord::new();
    let found = rows.next(&mut record)?;
    let names: Vec<String> = record.iter().map(|field| decode(field).into_owned()).collect();
    if !found || names.iter().all(|name| name.is_empty() || finite(name).is_some()) {
        let found = quote(&names.join(","));
        return Err(Fault::at(&record, CsvError::NoHeader { line: 0, found }));
    }
    if !rows.next(&mut record)? {
        return Err(CsvError::Empty.into());
    }
    if let Some(rate) = options.rate_hz.filter(|rate| !(rate.is_finite() && *rate > 0.0)) {
        return Err(CsvError::Rate { found: rate.to_string() }.into());
    }
    let shown: Vec<&str> = names.iter().map(String::as_str).collect();
    let time = time_column(&shown, &record, options)?;
    let (mut recording, columns) = channels(&shown, time.map(|(column, _)| column), options)?;
    *sink.columns() = Columns::new(columns.len(), 0);
    let turn = (TURN_VALUES / columns.len().max(1)).clamp(1, TURN_ROWS) as u64;
    let plan = Plan { start, delimiter, names, columns };
    let mut stamps = Stamps::default();
    let mut count = 0_u64;
    loop {
        plan.take(&record, &plan.columns, sink.columns())?;
        if let Some((column, form)) = time {
            let read = stamp(form, &decode(&record[column]));
            let read = read.ok_or_else(|| plan.wrong(&record, column, form.expected()))?;
            stamps.take(read, record.position().map_or(0, Position::line));
        }
        count += 1;
        let goes_on = rows.next(&mut record)?;
        if (!goes_on || count.is_multiple_of(turn)) && sink.turn().is_break() {
            break;
        }
        if !goes_on {
            break;
        }
    }
    match time {
        Some((column, form)) => {
            let name = &plan.names[column];
            set_time(&mut recording, name, form, &mut stamps, options.rate_hz)?;
        }
        None => recording.rate_hz = options.rate_hz.unwrap_or_default(),
    }
    if is_cut_at_end(source).map_err(|error| unreadable(&error))? {
        recording.note_damage(None, CUT.to_owned());
    }
    Ok(Scanned { recording, rows: count, plan })
}

impl Plan {
    /// Reads the samples of some channels again.
    pub(crate) fn play<R: Read + Seek>(
        &self,
        source: &mut R,
        channels: &[usize],
        sink: &mut dyn Sink,
    ) -> Result<(), CsvError> {
        let of = |&channel: &usize| self.columns.get(channel).copied();
        let columns: Vec<(usize, f64)> = channels.iter().filter_map(of).collect();
        self.play_columns(source, &columns, sink).map_err(|fault| fault.located(source, self.start))
    }

    fn play_columns<R: Read + Seek>(
        &self,
        source: &mut R,
        columns: &[(usize, f64)],
        sink: &mut dyn Sink,
    ) -> Result<(), Fault> {
        let mut rows = Rows::open(source, self.start, self.delimiter)?;
        let mut record = ByteRecord::new();
        let turn = (TURN_VALUES / columns.len().max(1)).clamp(1, TURN_ROWS) as u64;
        let mut count = 0_u64;
        // The header row.
        rows.next(&mut record)?;
        while rows.next(&mut record)? {
            self.take(&record, columns, sink.columns())?;
            count += 1;
            if count.is_multiple_of(turn) && sink.turn().is_break() {
                return Ok(());
            }
        }
        let _ = sink.turn();
        Ok(())
    }

    fn take(
        &self,
        record: &ByteRecord,
        columns: &[(usize, f64)],
        into: &mut Columns,
    ) -> Result<(), Fault> {
        let expected = self.names.len();
        if record.len() != expected {
            let found = record.len();
            return Err(Fault::at(record, CsvError::Ragged { line: 0, found, expected }));
        }
        for (&(column, factor), samples) in columns.iter().zip(&mut into.analogue) {
            let value = finite(&decode(&record[column])).map(|value| value * factor);
            let value = value.filter(|value| value.is_finite());
            samples.push(value.ok_or_else(|| self.wrong(record, column, "a finite number"))?);
        }
        Ok(())
    }

    fn wrong(&self, record: &ByteRecord, column: usize, expected: &'static str) -> Fault {
        let error = CsvError::Value {
            line: 0,
            column: quote(&self.names[column]),
            found: quote(&decode(&record[column])),
            expected,
        };
        Fault::at(record, error)
    }
}

/// A source that ends in an error where one row has too many bytes.
struct Limited<R> {
    inner: R,
    /// Bytes since the last row ended.
    spent: u64,
}

impl<R: Read> Read for Limited<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.spent > LONGEST_ROW {
            return Err(io::Error::other("the row is too long"));
        }
        let read = self.inner.read(buffer)?;
        self.spent += read as u64;
        Ok(read)
    }
}

/// The rows one by one, the header row first.
struct Rows<'a, R> {
    reader: Reader<Limited<&'a mut R>>,
}

impl<'a, R: Read + Seek> Rows<'a, R> {
    fn open(source: &'a mut R, start: u64, delimiter: u8) -> Result<Self, CsvError> {
        source.seek(SeekFrom::Start(start)).map_err(|error| unreadable(&error))?;
        let reader = ReaderBuilder::new()
            .has_headers(false)
            .flexible(true)
            .comment(Some(b'#'))
            .trim(Trim::All)
            .delimiter(delimiter)
            .buffer_capacity(BUFFER)
            .from_reader(Limited { inner: source, spent: 0 });
        Ok(Self { reader })
    }

    /// Reads on, if there is a row.
    fn next(&mut self, record: &mut ByteRecord) -> Result<bool, Fault> {
        self.reader.get_mut().spent = 0;
        self.reader.read_byte_record(record).map_err(|error| {
            if self.reader.get_ref().spent > LONGEST_ROW {
                return Fault::at(record, CsvError::LongRow { line: 0 });
            }
            match error.kind() {
                ErrorKind::Io(error) => unreadable(error),
                _ => CsvError::Csv {
                    line: error.position().map_or(0, Position::line),
                    why: error.to_string(),
                },
            }
            .into()
        })
    }
}

/// The separator that the first line which is no comment has most of; a comma if it has none.
fn delimiter<R: Read>(source: &mut R) -> io::Result<u8> {
    let mut reader = BufReader::new(source);
    // The last of equals wins, so the comma stands last.
    let mut counts = [(b'\t', 0_u64), (b';', 0), (b',', 0)];
    loop {
        let head = reader.fill_buf()?;
        match head.first() {
            None => break,
            Some(b'#' | b'\n') => {
                reader.skip_until(b'\n')?;
                continue;
            }
            Some(_) => {}
        }
        let mut line = reader.take(LONGEST_ROW);
        let mut ended = false;
        while !ended {
            let part = line.fill_buf()?;
            let end = part.iter().position(|&byte| byte == b'\n');
            ended = end.is_some() || part.is_empty();
            let part = &part[..end.unwrap_or(part.len())];
            for (of, count) in &mut counts {
                *count += part.split(|byte| byte == of).count() as u64 - 1;
            }
            let read = part.len();
            line.consume(read);
        }
        break;
    }
    Ok(counts.iter().copied().max_by_key(|&(_, count)| count).map_or(b',', |(of, _)| of))
}

/// What the time column gives, row by row.
#[derive(Debug, Default)]
struct Stamps {
    first: Option<Stamp>,
    resolution_ps: Option<i64>,
    steps: Steps,
    alternation: Alternation,
    /// A stamp is too far from the first one to be counted in picoseconds.
    too_far: bool,
}

impl Stamps {
    fn take(&mut self, stamp: Stamp, line: u64) {
        let first = self.first.get_or_insert(stamp);
        match i64::try_from(stamp.picoseconds - first.picoseconds) {
            Ok(relative) => {
                self.steps.take(relative);
                self.alternation.take(relative, line);
            }
            Err(_) => self.too_far = true,
        }
        let finest = self.resolution_ps.map_or(stamp.resolution_ps, |r| r.min(stamp.resolution_ps));
        self.resolution_ps = Some(finest);
    }
}

/// The time column and the form of its cells, if there is one by the options or the names.
fn time_column(
    names: &[&str],
    first: &ByteRecord,
    options: &CsvOptions,
) -> Result<Option<(usize, Form)>, Fault> {
    let cell = |column: usize| decode(first.get(column).unwrap_or_default()).into_owned();
    if let Some(selector) = &options.time {
        let column = select(names, selector, "column")?;
        let form = form_of(names[column], &cell(column)).ok_or_else(|| {
            let error = CsvError::Value {
                line: 0,
                column: quote(names[column]),
                found: quote(&cell(column)),
                expected: "a date such as 2020-02-24 18:15:21.499998208 or a time in seconds",
            };
            Fault::at(first, error)
        })?;
        return Ok(Some((column, form)));
    }
    if options.rate_hz.is_some() {
        return Ok(None);
    }
    match form_of(names[0], &cell(0)) {
        Some(form) if form == Form::Date || is_time_name(names[0]) => Ok(Some((0, form))),
        // The column is there, and its first cell is what is wrong.
        None if is_time_name(names[0]) => {
            let error = CsvError::Value {
                line: 0,
                column: quote(names[0]),
                found: quote(&cell(0)),
                expected: "a date or a time in seconds with a decimal point; else give the rate \
                           (--rate 50000)",
            };
            Err(Fault::at(first, error))
        }
        _ => Err(CsvError::NoTime { candidates: list(names.iter().copied()) }.into()),
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
    stamps: &mut Stamps,
    given_hz: Option<f64>,
) -> Result<(), CsvError> {
    let wrong = |why| CsvError::TimeColumn { column: quote(name), why };
    let Some(first) = stamps.first else { return Err(CsvError::Empty) };
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
    if stamps.too_far {
        return Err(wrong("it spans more than 106 days"));
    }
    let alternating = stamps.alternation.found(stamps.resolution_ps.unwrap_or(1));
    if let (Some(([short_us, long_us], line)), None) = (alternating, given_hz) {
        let [short_us, long_us] = [short_us, long_us].map(|us| us.to_string());
        return Err(CsvError::Alternating { column: quote(name), short_us, long_us, line });
    }
    let found = stamps.steps.rate(stamps.resolution_ps.unwrap_or(1));
    let found = found.map_err(|error| match error {
        NoRate::TooFew => wrong("one row determines no rate"),
        NoRate::NotAdvancing => wrong("the time does not advance from row to row"),
    });
    recording.rate_hz = match (given_hz, found) {
        (Some(given), found) => {
            // A given rate does not mend irregular stamps: they are noted all the same.
            if let Ok(rate) = found {
                rate.report(recording);
            }
            given
        }
        (None, found) => {
            let rate = found?;
            let rate_hz = rate.hz;
            rate.report(recording);
            rate_hz
        }
    };
    Ok(())
}
