//! Writing the record while the run goes on.
//!
//! What is handed over between two [`RunWriter::sync`] calls is written sorted: events by (time,
//! source, order of handing over), observations by (event time, device, epoch, serial, quantity),
//! latency rows by (intended instant, path, id), samples of signals by (time, signal).
//! So the order in which concurrent devices happen to finish does not reach the files. One
//! reading's values have to be handed over within one interval.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use lastmeter_units::{Epoch, MeasurementId, Serial, SimDuration, SimTime};

use super::aggregate::{AGGREGATE_HEADER, Aggregate};
use super::facts::{RunEnd, RunFacts, RunStart, Signal};
use super::grid::GridRecord;
use super::hash::{Hashed, sha256};
use super::latency::{LATENCY_HEADER, LatencyRow, Point};
use super::line::TableWriter;
use super::observation::{OBSERVATION_HEADER, Observation};
use super::real_time::RealTimeFacts;
use super::signal::{SIGNAL_HEADER, SignalSample};
use super::span::{RecordedSpan, SPAN_HEADER};
use super::{Event, FORMAT_VERSION, RecordError, file, write_whole};

/// Appends to a run folder. Dropped without [`Self::finish`] it leaves a valid, unfinished record.
pub struct RunWriter {
    dir: PathBuf,
    facts: RunFacts,
    events: BufWriter<Hashed<File>>,
    events_written: u64,
    observations: Table,
    /// `None`: no value was handed over with a span.
    spans: Option<Table>,
    /// `None`: no series is thinned.
    aggregates: Option<Table>,
    /// `None`: this run does not record latency.
    latency: Option<LatencyFile>,
    /// `None`: this run names no signal.
    signals: Option<SignalFile>,
    pending_events: Vec<Event>,
    pending_rows: Vec<Row>,
    devices: Names,
    ways: Names,
}

type Table = TableWriter<Hashed<File>>;

/// An observation with its device as a number, to be kept until the next sync.
#[derive(Clone, Copy)]
struct Row {
    device: usize,
    epoch: Option<Epoch>,
    serial: Option<Serial>,
    quantity: MeasurementId,
    event_time: SimTime,
    reference: Option<f64>,
    reported: Option<f64>,
    span: Option<RowSpan>,
}

/// The span of an observation, with its way as a number.
#[derive(Clone, Copy)]
struct RowSpan {
    from: SimDuration,
    to: SimDuration,
    spread: f64,
    way: usize,
}

impl Row {
    /// The row as it was handed over, with these names of devices and of ways.
    fn observation<'a>(&self, devices: &'a [String], ways: &'a [String]) -> Observation<'a> {
        let span = self.span.map(|RowSpan { from, to, spread, way }| RecordedSpan {
            from,
            to,
            spread,
            way: &ways[way],
        });
        Observation {
            device: &devices[self.device],
            epoch: self.epoch,
            serial: self.serial,
            quantity: self.quantity,
            event_time: self.event_time,
            reference: self.reference,
            reported: self.reported,
            span,
        }
    }

    fn order(&self, other: &Self, names: &[String]) -> Ordering {
        let bits = |value: Option<f64>| value.map(f64::to_bits);
        self.event_time
            .cmp(&other.event_time)
            .then_with(|| names[self.device].cmp(&names[other.device]))
            .then_with(|| (self.epoch, self.serial).cmp(&(other.epoch, other.serial)))
            .then_with(|| self.quantity.cmp(&other.quantity))
            // What was due before what came unexpected, then any fixed order.
            .then_with(|| self.reference.is_none().cmp(&other.reference.is_none()))
            .then_with(|| bits(self.reference).cmp(&bits(other.reference)))
            .then_with(|| bits(self.reported).cmp(&bits(other.reported)))
    }
}

/// `latency.csv`, with what is to be written at the next sync.
struct LatencyFile {
    table: Table,
    paths: Names,
    pending: Vec<PendingLatency>,
    /// The ids of the pending rows, one behind the other: no allocation per row.
    ids: String,
}

/// A latency row with its texts as places.
#[derive(Clone, Copy)]
struct PendingLatency {
    path: usize,
    id: (usize, usize),
    points: [Option<i64>; Point::COUNT],
    bytes: u32,
    copies: u32,
}

/// `signals.csv`, with what is to be written at the next sync: time, number of the signal, value.
struct SignalFile {
    table: Table,
    names: Names,
    pending: Vec<(SimDuration, usize, f64)>,
}

impl SignalFile {
    fn write(&mut self) -> Result<(), csv::Error> {
        let names = &self.names.list;
        // Stable, so that two samples of one instant keep the order they were handed over in.
        self.pending.sort_by(|a, b| (a.0, &names[a.1]).cmp(&(b.0, &names[b.1])));
        for (time, signal, value) in self.pending.drain(..) {
            SignalSample { signal: &names[signal], time, value }.write(&mut self.table)?;
        }
        Ok(self.table.flush()?)
    }
}

/// A new table that begins with this header.
fn create_table<'a>(
    path: &Path,
    header: impl IntoIterator<Item = &'a str>,
) -> Result<Table, RecordError> {
    let file = File::create(path).map_err(RecordError::io("create", path))?;
    let begin = || {
        let mut table = TableWriter::new(Hashed::new(file, true), header)?;
        table.flush()?;
        Ok(table)
    };
    begin().map_err(|error: csv::Error| RecordError::io("write", path)(error.into()))
}

impl LatencyFile {
    fn create(path: &Path) -> Result<Self, RecordError> {
        let table = create_table(path, LATENCY_HEADER)?;
        let (paths, pending, ids) = (Names::default(), Vec::new(), String::new());
        Ok(Self { table, paths, pending, ids })
    }

    fn push(&mut self, row: &LatencyRow<'_>) {
        let start = self.ids.len();
        self.ids.push_str(row.id);
        self.pending.push(PendingLatency {
            path: self.paths.number(row.path),
            id: (start, self.ids.len()),
            points: row.points,
            bytes: row.bytes,
            copies: row.copies,
        });
    }

    fn write(&mut self) -> Result<(), csv::Error> {
        let (ids, paths) = (&self.ids, &self.paths.list);
        let key = |row: &PendingLatency| {
            let (start, end) = row.id;
            (row.points[Point::Intended.index()], &paths[row.path], &ids[start..end])
        };
        // Stable, so that even two rows of one message keep the order they were handed over in.
        self.pending.sort_by(|a, b| key(a).cmp(&key(b)));
        for row in self.pending.drain(..) {
            let (start, end) = row.id;
            let row = LatencyRow {
                path: &paths[row.path],
                id: &ids[start..end],
                points: row.points,
                bytes: row.bytes,
                copies: row.copies,
            };
            row.write(&mut self.table)?;
        }
        self.ids.clear();
        Ok(self.table.flush()?)
    }
}

/// Device names as numbers.
#[derive(Default)]
struct Names {
    list: Vec<String>,
    numbers: BTreeMap<String, usize>,
    last: usize,
}

impl Names {
    fn number(&mut self, name: &str) -> usize {
        if self.list.get(self.last).is_some_and(|last| last == name) {
            return self.last;
        }
        self.last = self.numbers.get(name).copied().unwrap_or(self.list.len());
        if self.last == self.list.len() {
            self.numbers.insert(name.to_owned(), self.last);
            self.list.push(name.to_owned());
        }
        self.last
    }
}

impl RunWriter {
    /// Starts the record of a run in `dir`, which is created and must not hold a run already.
    pub fn create(dir: &Path, start: &RunStart) -> Result<Self, RecordError> {
        fs::create_dir_all(dir).map_err(RecordError::io("create", dir))?;
        if dir.join(file::RUN).exists() {
            return Err(RecordError::Occupied(dir.to_owned()));
        }
        let facts = RunFacts {
            format_version: FORMAT_VERSION,
            scenario_hash: sha256(start.scenario_toml.as_bytes()),
            ..start.facts.clone()
        };
        write_whole(&dir.join(file::SCENARIO), start.scenario_toml.as_bytes())?;
        let events_path = dir.join(file::EVENTS);
        let events = File::create(&events_path).map_err(RecordError::io("create", &events_path))?;
        let observations = create_table(&dir.join(file::OBSERVATIONS), OBSERVATION_HEADER)?;
        let mut writer = Self {
            dir: dir.to_owned(),
            facts,
            events: BufWriter::new(Hashed::new(events, true)),
            events_written: 0,
            observations,
            spans: None,
            aggregates: None,
            latency: None,
            signals: None,
            pending_events: Vec::new(),
            pending_rows: Vec::new(),
            devices: Names::default(),
            ways: Names::default(),
        };
        writer.sync()?;
        // Last, so that a folder with a `run.json` always has the other files.
        writer.write_facts()?;
        Ok(writer)
    }

    /// The run folder.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// What `run.json` holds so far.
    pub fn facts(&self) -> &RunFacts {
        &self.facts
    }

    /// Takes an event; it is in the file after the next [`Self::sync`].
    pub fn event(&mut self, event: &Event) {
        self.pending_events.push(event.clone());
    }

    /// Takes an observation; it is in the file after the next [`Self::sync`].
    pub fn observation(&mut self, observation: &Observation<'_>) {
        self.pending_rows.push(Row {
            device: self.devices.number(observation.device),
            epoch: observation.epoch,
            serial: observation.serial,
            quantity: observation.quantity,
            event_time: observation.event_time,
            reference: observation.reference,
            reported: observation.reported,
            span: observation.span.map(|RecordedSpan { from, to, spread, way }| RowSpan {
                from,
                to,
                spread,
                way: self.ways.number(way),
            }),
        });
    }

    /// Makes the run one that thins series: there is an `aggregates.csv` from now on.
    ///
    /// # Errors
    /// If the file cannot be created.
    pub fn record_aggregates(&mut self) -> Result<(), RecordError> {
        let path = self.dir.join(file::AGGREGATES);
        self.aggregates = Some(create_table(&path, AGGREGATE_HEADER)?);
        Ok(())
    }

    /// Takes what was left out of a series in an interval, of a run that called
    /// [`Self::record_aggregates`]; it is in the file after the next [`Self::sync`].
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn aggregate(&mut self, aggregate: &Aggregate<'_>) -> Result<(), RecordError> {
        let Some(table) = &mut self.aggregates else { return Ok(()) };
        let path = || self.dir.join(file::AGGREGATES);
        aggregate.write(table).map_err(|error| RecordError::io("write", &path())(error.into()))
    }

    /// Makes the run one that records latency: there is a `latency.csv` from now on, even if no row
    /// is ever handed over. Called again it does nothing.
    pub fn record_latency(&mut self) -> Result<(), RecordError> {
        if self.latency.is_none() {
            self.latency = Some(LatencyFile::create(&self.dir.join(file::LATENCY))?);
        }
        Ok(())
    }

    /// Takes a latency row; it is in the file after the next [`Self::sync`]. A row whose message
    /// may still arrive is to be handed over when it did, or when it is given up.
    ///
    /// # Errors
    /// The first row of a run that did not call [`Self::record_latency`] creates the file.
    pub fn latency(&mut self, row: &LatencyRow<'_>) -> Result<(), RecordError> {
        self.record_latency()?;
        if let Some(file) = &mut self.latency {
            file.push(row);
        }
        Ok(())
    }

    /// Makes the run one that records signals: there is a `signals.csv` from now on, even if no
    /// sample is ever handed over. Called again it does nothing.
    ///
    /// # Errors
    /// If the file cannot be created.
    pub fn record_signals(&mut self) -> Result<(), RecordError> {
        if self.signals.is_none() {
            let table = create_table(&self.dir.join(file::SIGNALS), SIGNAL_HEADER)?;
            let (names, pending) = (Names::default(), Vec::new());
            self.signals = Some(SignalFile { table, names, pending });
        }
        Ok(())
    }

    /// Takes a sample of a signal; it is in the file after the next [`Self::sync`].
    ///
    /// # Errors
    /// The first sample of a run that did not call [`Self::record_signals`] creates the file.
    pub fn signal(&mut self, sample: &SignalSample<'_>) -> Result<(), RecordError> {
        self.record_signals()?;
        if let Some(file) = &mut self.signals {
            let signal = file.names.number(sample.signal);
            file.pending.push((sample.time, signal, sample.value));
        }
        Ok(())
    }

    /// Writes what flows in the plant's network: known from the beginning, and written whole.
    pub fn grid(&mut self, record: &GridRecord) -> Result<(), RecordError> {
        let files = record.files().map_err(std::io::Error::from);
        let files = files.map_err(RecordError::io("write", &self.dir.join(file::GRID)))?;
        for (name, bytes) in files {
            self.facts.hashes.insert(name.to_owned(), sha256(&bytes));
            write_whole(&self.dir.join(name), &bytes)?;
        }
        let waveforms = self.dir.join(file::WAVEFORMS);
        if !record.waveforms.is_empty() {
            fs::create_dir_all(&waveforms).map_err(RecordError::io("create", &waveforms))?;
        }
        for (name, bytes) in &record.waveforms {
            write_whole(&waveforms.join(name), bytes)?;
        }
        self.facts.grid = Some(record.rows.len() as u64);
        self.write_facts()
    }

    /// Records what is known of clock, timers, links and floor; written by [`Self::finish`].
    pub fn set_real_time(&mut self, facts: RealTimeFacts) {
        self.facts.real_time = Some(facts);
    }

    /// Records which signal ended the run; written by [`Self::finish`].
    pub fn set_signal(&mut self, signal: Signal) {
        self.facts.signal = Some(signal);
    }

    /// Writes all that was handed over, sorted, and gives it to the operating system: what is
    /// synced survives the death of the process.
    pub fn sync(&mut self) -> Result<(), RecordError> {
        self.write_events().map_err(RecordError::io("write", &self.dir.join(file::EVENTS)))?;
        if self.spans.is_none() && self.pending_rows.iter().any(|row| row.span.is_some()) {
            self.spans = Some(create_table(&self.dir.join(file::SPANS), SPAN_HEADER)?);
        }
        self.write_rows()
            .map_err(std::io::Error::from)
            .map_err(RecordError::io("write", &self.dir.join(file::OBSERVATIONS)))?;
        if let Some(aggregates) = &mut self.aggregates {
            let path = self.dir.join(file::AGGREGATES);
            aggregates.flush().map_err(RecordError::io("write", &path))?;
        }
        if let Some(signals) = &mut self.signals {
            signals
                .write()
                .map_err(std::io::Error::from)
                .map_err(RecordError::io("write", &self.dir.join(file::SIGNALS)))?;
        }
        if let Some(latency) = &mut self.latency {
            latency
                .write()
                .map_err(std::io::Error::from)
                .map_err(RecordError::io("write", &self.dir.join(file::LATENCY)))?;
        }
        Ok(())
    }

    fn write_events(&mut self) -> std::io::Result<()> {
        // Stable, so that one source's events keep the order they were handed over in.
        self.pending_events.sort_by(|a, b| (a.time, &a.source).cmp(&(b.time, &b.source)));
        for event in self.pending_events.drain(..) {
            serde_json::to_writer(&mut self.events, &event)?;
            self.events.write_all(b"\n")?;
            self.events_written += 1;
        }
        self.events.flush()
    }

    fn write_rows(&mut self) -> Result<(), csv::Error> {
        let names = &self.devices.list;
        self.pending_rows.sort_unstable_by(|a, b| a.order(b, names));
        // Spans first: of a writer that is killed no row may lack its span.
        if let Some(spans) = &mut self.spans {
            for row in &self.pending_rows {
                let observation = row.observation(names, &self.ways.list);
                if let Some(span) = &observation.span {
                    span.write(&observation, spans)?;
                }
            }
            spans.flush()?;
        }
        for row in self.pending_rows.drain(..) {
            row.observation(names, &self.ways.list).write(&mut self.observations)?;
        }
        Ok(self.observations.flush()?)
    }

    /// Writes the rest, how the run ended, and by what a later change is noticed: counts and
    /// hashes. Nothing may be appended afterwards.
    pub fn finish(mut self, end: RunEnd) -> Result<(), RecordError> {
        self.sync()?;
        let tables = [
            (file::OBSERVATIONS, &mut self.facts.observations, Some(&self.observations)),
            (file::SPANS, &mut self.facts.spans, self.spans.as_ref()),
            (file::SIGNALS, &mut self.facts.signals, self.signals.as_ref().map(|file| &file.table)),
            (file::LATENCY, &mut self.facts.latency, self.latency.as_ref().map(|file| &file.table)),
        ];
        let aggregates = self.aggregates.as_ref().and_then(|table| table.target().so_far());
        let mut hashes =
            vec![(file::EVENTS, self.events.get_ref().so_far()), (file::AGGREGATES, aggregates)];
        for (name, lines, table) in tables {
            *lines = table.map(TableWriter::written);
            hashes.push((name, table.and_then(|table| table.target().so_far())));
        }
        self.facts.events = Some(self.events_written);
        let sealed = hashes.into_iter().filter_map(|(name, hash)| Some((name.to_owned(), hash?)));
        self.facts.hashes.extend(sealed);
        self.facts.set_end(end);
        let own = super::seal::facts_hash(&self.facts);
        self.facts.hashes.insert(file::RUN.to_owned(), own);
        self.write_facts()
    }

    fn write_facts(&self) -> Result<(), RecordError> {
        write_facts(&self.dir, &self.facts)
    }
}

/// Writes `run.json` whole.
pub fn write_facts(dir: &Path, facts: &RunFacts) -> Result<(), RecordError> {
    let path = dir.join(file::RUN);
    let mut bytes = serde_json::to_vec_pretty(facts)
        .map_err(|error| RecordError::io("write", &path)(error.into()))?;
    bytes.push(b'\n');
    write_whole(&path, &bytes)
}
