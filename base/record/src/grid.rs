//! What flowed in a network, step by step: `grid.csv`, with `grid-loads.csv` and
//! `grid-voltages.csv` beside it, and `grid-inputs.csv`.
//!
//! It is what the plant did, not what anything measured. Each row holds for a step, from its time
//! on. `grid-loads.csv` has of each part of each load the power it drew, in columns
//! `LOAD.WIRES.p_w` and `LOAD.WIRES.q_var`; `grid-voltages.csv` has of each wire of each node the
//! RMS voltage to earth, per unit of the rated one and to a millionth of it, in columns
//! `NODE.WIRE`. `grid-inputs.csv` is there if breakers or sources were set between steps: of each
//! of those, in columns `breaker:NAME` (1 closed, 0 open) and `source:NAME` (per unit of the rated
//! voltage), what held in each step. `grid-heaviest.svg` and `grid-highest.svg` are one-line
//! diagrams of two of the steps; `grid-dark.svg` is one of the instant that the scenario asks
//! for, or at which most loads had no supply. `grid-curves.csv` has the time-current curves of
//! protective devices, and `grid-waveforms.csv` what disturbance recorders kept in the folder
//! `waveforms`, file by file.

use std::path::Path;

use lastmeter_units::{SimDuration, SimTime};

use super::line::{Line, TableWriter};
use super::{RecordError, file};

/// The first line of `grid.csv`.
pub const GRID_HEADER: [&str; 18] = [
    "time",
    "seconds",
    "p_a_w",
    "p_b_w",
    "p_c_w",
    "q_a_var",
    "q_b_var",
    "q_c_var",
    "loads_w",
    "loads_var",
    "losses_w",
    "losses_var",
    "declared_losses_w",
    "declared_losses_var",
    "lowest_pu",
    "lowest_at",
    "highest_pu",
    "highest_at",
];

/// One step of a network.
#[derive(Clone, Debug, PartialEq)]
pub struct GridRow {
    /// When it begins.
    pub time: SimTime,
    /// How long it lasts.
    pub length: SimDuration,
    /// What flows from all sources into the network, phase by phase: active, watts.
    pub p_w: [f64; 3],
    /// Reactive power, var.
    pub q_var: [f64; 3],
    /// What all loads draw, watts and var.
    pub loads: (f64, f64),
    /// What the plant's lines, transformers, switches and shunts take, watts and var.
    pub losses: (f64, f64),
    /// What those of the network as it is written down would take with the same loads.
    pub declared_losses: (f64, f64),
    /// The lowest voltage, relative to the rated one, and at which `NODE.WIRE`.
    pub lowest: (f64, String),
    /// The highest voltage, likewise.
    pub highest: (f64, String),
}

impl GridRow {
    /// Energy in joules of a power in watts that holds over the part of this step that lies in
    /// `[from, to]`.
    pub fn energy_j(&self, power_w: f64, from: SimTime, to: SimTime) -> f64 {
        let begin = self.time.max(from);
        let end = (self.time + self.length).min(to);
        power_w * (end - begin).0.max(0) as f64 / 1e9
    }

    fn write(&self, table: &mut TableWriter<Vec<u8>>) -> Result<(), csv::Error> {
        table.shown(Some(self.time))?;
        table.number(Some(self.length.as_seconds_f64()))?;
        for value in self.p_w.into_iter().chain(self.q_var) {
            table.number(Some(value))?;
        }
        for (active, reactive) in [self.loads, self.losses, self.declared_losses] {
            table.number(Some(active))?;
            table.number(Some(reactive))?;
        }
        for (voltage, at) in [&self.lowest, &self.highest] {
            table.number(Some(*voltage))?;
            table.text(at)?;
        }
        table.end_line()
    }

    /// Reads one record. The error states what was found and what was expected.
    pub(super) fn read(record: &csv::StringRecord) -> Result<Self, String> {
        let line = Line::of(record, &GRID_HEADER)?;
        let text = |at: usize| line.text(at).to_owned();
        let number = |at: usize| -> Result<f64, String> {
            let (name, text) = (GRID_HEADER[at], text(at));
            let value: Option<f64> = text.parse().ok().filter(|value: &f64| value.is_finite());
            value.ok_or_else(|| format!("{name} `{text}`, expected a number"))
        };
        let three = |at: usize| -> Result<[f64; 3], String> {
            Ok([number(at)?, number(at + 1)?, number(at + 2)?])
        };
        let both = |at: usize| -> Result<(f64, f64), String> { Ok((number(at)?, number(at + 1)?)) };
        let time = text(0).parse().map_err(|error| format!("time: {error}"))?;
        Ok(Self {
            time,
            length: SimDuration::from_seconds_f64(number(1)?),
            p_w: three(2)?,
            q_var: three(5)?,
            loads: both(8)?,
            losses: both(10)?,
            declared_losses: both(12)?,
            lowest: (number(14)?, text(15)),
            highest: (number(16)?, text(17)),
        })
    }
}

/// A table beside `grid.csv`: a row for each of its steps, behind the step's time.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct GridTable {
    /// What the columns are called, without that of the time.
    pub columns: Vec<String>,
    /// The rows, each with one value per column.
    pub rows: Vec<Vec<f64>>,
}

/// All that is written of a network.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct GridRecord {
    /// Its steps, in order of time.
    pub rows: Vec<GridRow>,
    /// What each part of each load drew.
    pub loads: GridTable,
    /// The voltage of each wire of each node, per unit.
    pub voltages: GridTable,
    /// What held of the breakers and sources that were set between steps, if any was.
    pub inputs: Option<GridTable>,
    /// The one-line diagrams of the step with the heaviest load and of that with the highest
    /// voltage, if drawn.
    pub diagrams: Option<[String; 2]>,
    /// What else is beside it, of a network in motion: of [`file::GRID_OPTIONAL`], with its bytes.
    pub further: Vec<(&'static str, Vec<u8>)>,
    /// What disturbance recorders kept: names in the folder [`file::WAVEFORMS`], and bytes.
    pub waveforms: Vec<(String, Vec<u8>)>,
}

impl GridRecord {
    /// The files: name and bytes.
    pub(super) fn files(&self) -> Result<Vec<(&'static str, Vec<u8>)>, csv::Error> {
        let mut main = TableWriter::new(Vec::new(), GRID_HEADER)?;
        self.rows.iter().try_for_each(|row| row.write(&mut main))?;
        let mut files = vec![
            (file::GRID, main.into_bytes()?),
            (file::GRID_LOADS, self.table(&self.loads)?),
            (file::GRID_VOLTAGES, self.table(&self.voltages)?),
        ];
        if let Some(inputs) = &self.inputs {
            files.push((file::GRID_INPUTS, self.table(inputs)?));
        }
        if let Some([heaviest, highest]) = &self.diagrams {
            files.push((file::GRID_HEAVIEST, heaviest.clone().into_bytes()));
            files.push((file::GRID_HIGHEST, highest.clone().into_bytes()));
        }
        files.extend(self.further.iter().cloned());
        Ok(files)
    }

    fn table(&self, table: &GridTable) -> Result<Vec<u8>, csv::Error> {
        let columns = table.columns.iter().map(String::as_str);
        let mut writer = TableWriter::new(Vec::new(), std::iter::once("time").chain(columns))?;
        for (step, figures) in self.rows.iter().zip(&table.rows) {
            writer.shown(Some(step.time))?;
            figures.iter().try_for_each(|figure| writer.number(Some(*figure)))?;
            writer.end_line()?;
        }
        writer.into_bytes()
    }
}

/// Reads one of the tables beside `grid.csv` from a run folder; `None` if there is none.
///
/// # Errors
/// If it cannot be read, or is no such table.
pub fn read_table(dir: &Path, name: &str) -> Result<Option<GridTable>, RecordError> {
    let path = dir.join(name);
    let bytes = match std::fs::read(&path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(RecordError::io("read", &path)(error)),
    };
    let malformed = |line: usize, what: String| RecordError::malformed(&path, line as u64, what);
    let mut reader = csv::ReaderBuilder::new().has_headers(false).from_reader(&*bytes);
    let mut table = GridTable::default();
    for (line, record) in reader.records().enumerate() {
        let record = record.map_err(|error| malformed(line + 1, error.to_string()))?;
        let fields = record.iter().skip(1);
        if line == 0 {
            table.columns = fields.map(str::to_owned).collect();
            continue;
        }
        let row: Result<Vec<f64>, _> = fields.map(str::parse::<f64>).collect();
        table.rows.push(row.map_err(|error| malformed(line + 1, error.to_string()))?);
    }
    Ok(Some(table))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row() -> GridRow {
        GridRow {
            time: SimTime(1_800_000_000_000_000_000),
            length: SimDuration::from_seconds(60),
            p_w: [1000.25, 2000.0, -3.5],
            q_var: [100.0, 1e-7, 0.0],
            loads: (2990.0, 99.0),
            losses: (6.75, 1.0),
            declared_losses: (6.5, 0.9),
            lowest: (0.97, "home, 7.b".to_owned()),
            highest: (1.01, "busbar.c".to_owned()),
        }
    }

    #[test]
    fn a_row_reads_back_as_it_was_written() {
        let record = GridRecord { rows: vec![row()], ..GridRecord::default() };
        let (_, bytes) = record.files().unwrap().remove(0);
        let mut reader = csv::Reader::from_reader(&*bytes);
        assert_eq!(reader.headers().unwrap(), &GRID_HEADER[..]);
        let read = reader.records().next().unwrap().unwrap();
        assert_eq!(GridRow::read(&read).unwrap(), row());
        let short = csv::StringRecord::from(vec!["2027-01-18T17:00:00Z"]);
        assert_eq!(GridRow::read(&short).unwrap_err(), "found 1 fields, expected 18");
    }

    #[test]
    fn energy_is_that_of_the_part_of_a_step_that_lies_within() {
        let row = row();
        let at = |seconds: i64| row.time + SimDuration::from_seconds(seconds);
        let energy = |from, to| row.energy_j(10.0, at(from), at(to));
        assert!((energy(0, 60) - 600.0).abs() < 1e-9);
        assert!((energy(-30, 20) - 200.0).abs() < 1e-9);
        assert!((energy(50, 100) - 100.0).abs() < 1e-9);
        assert!(energy(60, 120).abs() < 1e-9 && energy(-60, -1).abs() < 1e-9);
    }

    #[test]
    fn tables_read_back_as_they_were_written() {
        let folder = tempfile::tempdir().unwrap();
        let voltages = GridTable {
            columns: vec!["n.a".to_owned(), "n.b".to_owned()],
            rows: vec![vec![1.0125, 0.99]],
        };
        let record = GridRecord { rows: vec![row()], voltages, ..GridRecord::default() };
        for (name, bytes) in record.files().unwrap() {
            std::fs::write(folder.path().join(name), bytes).unwrap();
        }
        let read = read_table(folder.path(), file::GRID_VOLTAGES).unwrap();
        assert_eq!(read, Some(record.voltages));
        assert_eq!(read_table(folder.path(), "no.csv").unwrap(), None);
    }
}
