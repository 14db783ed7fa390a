//! Reading a record back, as a stream, whole or torn.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom, Take};
use std::path::{Path, PathBuf};

use super::facts::RunFacts;
use super::observation::{FieldReader, OBSERVATION_HEADER, Observation};
use super::seal::{Found, Hashed};
use super::{Event, FORMAT_VERSION, RecordError, file};

/// A run folder, opened for reading.
#[derive(Clone, Debug)]
pub struct RunReader {
    dir: PathBuf,
    facts: RunFacts,
}

/// The unfinished last line of a file whose writer was killed; it was left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Torn {
    /// The file's name in the run folder.
    pub file: &'static str,
    /// How many bytes were left out.
    pub bytes: u64,
}

impl std::fmt::Display for Torn {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "the last line of {} is torn; its {} bytes were left out", self.file, self.bytes)
    }
}

impl RunReader {
    /// Opens a run folder and reads its `run.json`.
    pub fn open(dir: &Path) -> Result<Self, RecordError> {
        /// Only what tells whether the rest can be understood.
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
        Ok(Self { dir: dir.to_owned(), facts })
    }

    /// The run folder.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// What `run.json` says.
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
        self.open_observations(false)
    }

    pub(crate) fn open_observations(&self, hash: bool) -> Result<ObservationReader, RecordError> {
        ObservationReader::open(&self.dir.join(file::OBSERVATIONS), hash)
    }

    /// The events, from the first.
    pub fn events(&self) -> Result<EventReader, RecordError> {
        self.open_events(false)
    }

    pub(crate) fn open_events(&self, hash: bool) -> Result<EventReader, RecordError> {
        EventReader::open(&self.dir.join(file::EVENTS), hash)
    }
}

/// A file up to its last line end.
type Lines = Take<Hashed<File>>;

/// Opens a file of lines up to its last line end. Also gives the number of bytes behind that.
fn open_lines(path: &Path, hash: bool) -> Result<(Lines, u64), RecordError> {
    let mut file = File::open(path).map_err(RecordError::io("read", path))?;
    let (whole, length) = length_of_lines(&mut file).map_err(RecordError::io("read", path))?;
    Ok((Hashed::new(file, hash).take(whole), length - whole))
}

/// The length up to and with the last line end, and the file's length. Leaves the file at 0.
fn length_of_lines(file: &mut File) -> io::Result<(u64, u64)> {
    const BLOCK: u64 = 4096;
    let length = file.seek(SeekFrom::End(0))?;
    let mut end = length;
    let mut block = Vec::new();
    while end > 0 {
        let start = end.saturating_sub(BLOCK);
        file.seek(SeekFrom::Start(start))?;
        block.clear();
        Read::by_ref(file).take(end - start).read_to_end(&mut block)?;
        if let Some(place) = block.iter().rposition(|&byte| byte == b'\n') {
            end = start + place as u64 + 1;
            break;
        }
        end = start;
    }
    file.seek(SeekFrom::Start(0))?;
    Ok((end, length))
}

/// Reads `observations.csv` line by line without keeping any.
pub struct ObservationReader {
    path: PathBuf,
    csv: csv::Reader<Lines>,
    record: csv::ByteRecord,
    fields: FieldReader,
    torn_bytes: u64,
}

impl ObservationReader {
    fn open(path: &Path, hash: bool) -> Result<Self, RecordError> {
        let (lines, torn_bytes) = open_lines(path, hash)?;
        let mut csv = csv::ReaderBuilder::new()
            .buffer_capacity(1 << 16)
            .has_headers(false)
            .flexible(true)
            .from_reader(lines);
        let mut record = csv::ByteRecord::new();
        let found = csv
            .read_byte_record(&mut record)
            .map_err(|error| RecordError::malformed(path, 1, error.to_string()))?;
        // A writer killed at once leaves an empty file: a record without rows.
        if found && record != OBSERVATION_HEADER[..] {
            let expected = OBSERVATION_HEADER.join(",");
            return Err(RecordError::malformed(path, 1, format!("expected `{expected}`")));
        }
        let fields = FieldReader::default();
        Ok(Self { path: path.to_owned(), csv, record, fields, torn_bytes })
    }

    /// The unfinished last line, if there was one.
    pub fn torn(&self) -> Option<Torn> {
        (self.torn_bytes > 0).then_some(Torn { file: file::OBSERVATIONS, bytes: self.torn_bytes })
    }

    /// What is to be compared with the seal, once the last row was read: so many were.
    pub(crate) fn found(&self, lines: u64) -> Found {
        let sha256 = self.csv.get_ref().get_ref().so_far();
        Found { file: file::OBSERVATIONS, lines, sha256, torn: self.torn() }
    }

    /// The next value, valid until the one after it; `None` at the end.
    pub fn next_row(&mut self) -> Result<Option<Observation<'_>>, RecordError> {
        let line = |csv: &csv::Reader<Lines>| csv.position().line();
        match self.csv.read_byte_record(&mut self.record) {
            Ok(true) => {}
            Ok(false) => return Ok(None),
            Err(error) => {
                return Err(RecordError::malformed(&self.path, line(&self.csv), error.to_string()));
            }
        }
        match self.fields.read(&self.record) {
            Ok(observation) => Ok(Some(observation)),
            Err(what) => {
                let line = self.record.position().map_or(0, csv::Position::line);
                Err(RecordError::malformed(&self.path, line, what))
            }
        }
    }
}

/// Reads `events.jsonl` line by line.
pub struct EventReader {
    path: PathBuf,
    lines: BufReader<Lines>,
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

    /// The unfinished last line, if there was one.
    pub fn torn(&self) -> Option<Torn> {
        (self.torn_bytes > 0).then_some(Torn { file: file::EVENTS, bytes: self.torn_bytes })
    }

    /// What is to be compared with the seal, once the last line was read.
    pub(crate) fn found(&self) -> Found {
        let sha256 = self.lines.get_ref().get_ref().so_far();
        Found { file: file::EVENTS, lines: self.line, sha256, torn: self.torn() }
    }
}

impl Iterator for EventReader {
    /// The line's number, from 1, and what it says.
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
