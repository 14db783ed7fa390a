//! Reading a record back, as a stream, whole or torn.

use std::io::{self, BufRead, BufReader};
use std::path::{Path, PathBuf};

use super::facts::{RunFacts, RunState};
use super::grid::{GRID_HEADER, GridRow};
use super::hash::sha256;
use super::latency::{LATENCY_HEADER, LATENCY_HEADER_BEFORE, LatencyRow};
use super::observation::{FieldReader, OBSERVATION_HEADER, Observation};
use super::rows::{Rows, WholeLines, found, open_lines};
use super::seal::Found;
use super::signal::{self, SIGNAL_HEADER, SignalSample};
use super::span::{self, RecordedSpan, SPAN_HEADER};
use super::{Event, FORMAT_VERSION, RecordError, file};

/// A run folder, opened for reading.
#[derive(Clone, Debug)]
pub struct RunReader {
    dir: PathBuf,
    facts: RunFacts,
    /// Whether files are hashed as they are read.
    hashes: bool,
}

impl RunReader {
    /// Opens a run folder and reads its `run.json`.
    pub fn open(dir: &Path) -> Result<Self, RecordError> {
        /// Only what shows whether the rest can be understood.
        #[derive(serde::Deserialize)]
        struct Version {
            format_version: u32,
        }
        let path = dir.join(file::RUN);
        let bytes = std::fs::read(&path).map_err(RecordError::io("read", &path))?;
        let malformed = |error: serde_json::Error| {
            RecordError::malformed(&path, error.line() as u64, error.to_string())
        };
        let version: Version = serde_json::from_slice(&bytes).map_err(malformed)?;
        if version.format_version != FORMAT_VERSION {
            return Err(RecordError::Version { path, found: version.format_version });
        }
        let facts = serde_json::from_slice(&bytes).map_err(malformed)?;
        Ok(Self { dir: dir.to_owned(), facts, hashes: false })
    }

    /// The same folder, whose files are hashed as they are read.
    #[must_use]
    pub fn hashing(&self) -> Self {
        Self { hashes: true, ..self.clone() }
    }

    /// The run folder.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// What `run.json` holds.
    pub fn facts(&self) -> &RunFacts {
        &self.facts
    }

    /// The scenario as resolved.
    pub fn scenario_toml(&self) -> Result<String, RecordError> {
        let path = self.dir.join(file::SCENARIO);
        std::fs::read_to_string(&path).map_err(RecordError::io("read", &path))
    }

    /// The values, from the first.
    pub fn observations(&self) -> Result<ObservationReader, RecordError> {
        let path = self.dir.join(file::OBSERVATIONS);
        let mut reader = ObservationReader::open(&path, self.hashes)?;
        // Of a writer that was killed there may be spans whose rows were never written.
        let may_be_ahead = self.facts.state == RunState::Running;
        let rows = self.rows(file::SPANS, &SPAN_HEADER)?;
        reader.spans = rows.map(|rows| Spans::new(rows, may_be_ahead));
        Ok(reader)
    }

    /// The latency rows, from the first; `None` if there is no `latency.csv`: the run does not
    /// record latency.
    pub fn latency(&self) -> Result<Option<LatencyReader>, RecordError> {
        let rows = self
            .rows(file::LATENCY, &LATENCY_HEADER)
            .or_else(|error| self.rows(file::LATENCY, &LATENCY_HEADER_BEFORE).map_err(|_| error))?;
        Ok(rows.map(|rows| LatencyReader { rows }))
    }

    /// The steps of the network, from the first; `None` if there is no `grid.csv`: the run has
    /// none.
    pub fn grid(&self) -> Result<Option<GridReader>, RecordError> {
        let rows = self.rows(file::GRID, &GRID_HEADER)?;
        Ok(rows.map(|rows| GridReader { rows }))
    }

    /// The samples of signals, from the first; `None` if there is no `signals.csv`: the run names
    /// no signal.
    ///
    /// # Errors
    /// If the file cannot be read or does not begin as such a table.
    pub fn signals(&self) -> Result<Option<SignalReader>, RecordError> {
        let rows = self.rows(file::SIGNALS, &SIGNAL_HEADER)?;
        Ok(rows.map(|rows| SignalReader { rows }))
    }

    /// Opens a table; `None` if there is none.
    fn rows(
        &self,
        file: &'static str,
        header: &'static [&'static str],
    ) -> Result<Option<Rows>, RecordError> {
        match Rows::open(&self.dir.join(file), file, header, self.hashes) {
            Ok(rows) => Ok(Some(rows)),
            Err(RecordError::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => {
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    /// What is to be compared with the seal of a table beside `grid.csv`.
    pub fn found_table(&self, name: &'static str) -> Result<Found, RecordError> {
        let path = self.dir.join(name);
        let bytes = match std::fs::read(&path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
            Err(error) => return Err(RecordError::io("read", &path)(error)),
        };
        let lines = bytes.split(|byte| *byte == b'\n').count().saturating_sub(1) as u64;
        let sha256 = Some(sha256(&bytes));
        Ok(Found { file: name, lines: lines.saturating_sub(1), sha256, torn: None })
    }

    /// The events, from the first.
    pub fn events(&self) -> Result<EventReader, RecordError> {
        EventReader::open(&self.dir.join(file::EVENTS), self.hashes)
    }
}

/// The spans beside the observations, of which the next one is held.
struct Spans {
    rows: Rows,
    may_be_ahead: bool,
    line: SpanLine,
    lines: u64,
}

/// What the line of `spans.csv` that was read last is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum SpanLine {
    Header,
    /// That of an observation which was not reached yet.
    Held,
    /// That of the observation read last.
    OfLast,
    /// There was none any more.
    End,
}

impl Spans {
    fn new(rows: Rows, may_be_ahead: bool) -> Self {
        Self { rows, may_be_ahead, line: SpanLine::Header, lines: 0 }
    }

    /// Reads the next line unless one is held.
    fn advance(&mut self) -> Result<(), RecordError> {
        if matches!(self.line, SpanLine::Header | SpanLine::OfLast) {
            self.line = if self.rows.advance()? { SpanLine::Held } else { SpanLine::End };
        }
        Ok(())
    }

    /// Moves on to an observation.
    fn reach(&mut self, observation: &csv::StringRecord) -> Result<(), RecordError> {
        self.advance()?;
        // What was not due has no reference, and thus no span.
        let is_due = observation.get(6).is_some_and(|reference| !reference.is_empty());
        let is_held = self.line == SpanLine::Held;
        if is_held && is_due && span::is_about(self.rows.record(), observation) {
            self.line = SpanLine::OfLast;
            self.lines += 1;
        }
        Ok(())
    }

    fn of_last(&self) -> Result<Option<RecordedSpan<'_>>, RecordError> {
        if self.line != SpanLine::OfLast {
            return Ok(None);
        }
        span::read(self.rows.record()).map(Some).map_err(|what| self.rows.malformed(what))
    }

    /// There are no more observations.
    fn end(&mut self) -> Result<(), RecordError> {
        self.advance()?;
        if self.line != SpanLine::Held || self.may_be_ahead {
            return Ok(());
        }
        let misplaced = "a span of no value that was due, or not in the order of observations.csv";
        let malformed = span::read(self.rows.record()).err();
        Err(self.rows.malformed(malformed.unwrap_or_else(|| misplaced.to_owned())))
    }
}

/// Reads `observations.csv` line by line without keeping any, and `spans.csv` beside it.
pub struct ObservationReader {
    rows: Rows,
    fields: FieldReader,
    /// `None`: there are none.
    spans: Option<Spans>,
}

impl ObservationReader {
    fn open(path: &Path, hash: bool) -> Result<Self, RecordError> {
        let rows = Rows::open(path, file::OBSERVATIONS, &OBSERVATION_HEADER, hash)?.ahead()?;
        Ok(Self { rows, fields: FieldReader::default(), spans: None })
    }

    /// What is to be compared with the seal, once the last row was read: so many were.
    pub fn found(&self, lines: u64) -> Found {
        self.rows.found(lines)
    }

    /// The next value, valid until the one after it; `None` at the end.
    pub fn next_row(&mut self) -> Result<Option<Observation<'_>>, RecordError> {
        if !self.rows.advance()? {
            self.spans.as_mut().map_or(Ok(()), Spans::end)?;
            return Ok(None);
        }
        if let Some(spans) = &mut self.spans {
            spans.reach(self.rows.record())?;
        }
        let span = self.spans.as_ref().map_or(Ok(None), Spans::of_last)?;
        match self.fields.read(self.rows.record()) {
            Ok(observation) => Ok(Some(Observation { span, ..observation })),
            Err(what) => Err(self.rows.malformed(what)),
        }
    }

    /// What is to be compared with the seal of `spans.csv`, once the last row was read; `None` if
    /// there is no such file.
    pub fn found_spans(&self) -> Option<Found> {
        self.spans.as_ref().map(|spans| spans.rows.found(spans.lines))
    }
}

/// A reader of one table, whose rows are read by a function.
macro_rules! table_reader {
    ($(#[$doc:meta])* $reader:ident, $row:ty, $read:path) => {
        $(#[$doc])*
        pub struct $reader {
            rows: Rows,
        }

        impl $reader {
            /// What is to be compared with the seal, once the last row was read: so many were.
            pub fn found(&self, lines: u64) -> Found {
                self.rows.found(lines)
            }

            /// The next row, valid until the one after it; `None` at the end.
            ///
            /// # Errors
            /// If a line is no such row; the error names file and line.
            pub fn next_row(&mut self) -> Result<Option<$row>, RecordError> {
                if !self.rows.advance()? {
                    return Ok(None);
                }
                $read(self.rows.record()).map(Some).map_err(|what| self.rows.malformed(what))
            }
        }
    };
}

table_reader!(
    /// Reads `latency.csv` line by line without keeping any.
    LatencyReader, LatencyRow<'_>, LatencyRow::read
);
table_reader!(
    /// Reads `signals.csv` line by line without keeping any.
    SignalReader, SignalSample<'_>, signal::read
);
table_reader!(
    /// Reads `grid.csv` line by line without keeping any.
    GridReader, GridRow, GridRow::read
);

/// Reads `events.jsonl` line by line.
pub struct EventReader {
    path: PathBuf,
    lines: BufReader<WholeLines>,
    buffer: Vec<u8>,
    line: u64,
    torn_bytes: u64,
}

impl EventReader {
    fn open(path: &Path, hash: bool) -> Result<Self, RecordError> {
        let (lines, torn_bytes) = open_lines(path, hash)?;
        let (lines, buffer) = (BufReader::new(lines), Vec::new());
        Ok(Self { path: path.to_owned(), lines, buffer, line: 0, torn_bytes })
    }

    /// What is to be compared with the seal, once the last line was read.
    pub fn found(&self) -> Found {
        found(file::EVENTS, self.line, self.lines.get_ref().get_ref().so_far(), self.torn_bytes)
    }
}

impl Iterator for EventReader {
    /// The line's number, from 1, and its content.
    type Item = Result<(u64, Event), RecordError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.buffer.clear();
        match self.lines.read_until(b'\n', &mut self.buffer) {
            Ok(0) => return None,
            Ok(_) => self.line += 1,
            Err(error) => return Some(Err(RecordError::io("read", &self.path)(error))),
        }
        let event = serde_json::from_slice(&self.buffer)
            .map_err(|error| RecordError::malformed(&self.path, self.line, error.to_string()));
        Some(event.map(|event| (self.line, event)))
    }
}
