//! What was recorded of the signals that a scenario names, as lines of `signals.csv`.
//!
//! The lines of one signal stand in order of time; lines of several signals are mixed as they
//! became known.

use std::io::Write;

use lastmeter_units::{MeasurementId, SimDuration};
use serde::{Deserialize, Serialize};

use super::line::{Line, TableWriter};

/// The first line of `signals.csv`.
pub const SIGNAL_HEADER: [&str; 3] = ["signal", "time_ns", "value"];

/// Where the values of a recorded signal come from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SignalOrigin {
    /// What the platform has of this device, each value at its event time.
    Device(String),
    /// The truth of the plant at this place, `source:NAME` or `load:NAME`.
    Plant(String),
}

/// A signal of the run, as `run.json` describes it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SignalFacts {
    /// Its name in the scenario.
    pub name: String,
    /// The identifier of the measurement registry.
    pub quantity: String,
    /// Where its values come from.
    pub from: SignalOrigin,
}

impl SignalFacts {
    /// The registry row of its quantity, if it names one.
    #[must_use]
    pub fn measurement(&self) -> Option<MeasurementId> {
        MeasurementId::lookup(&self.quantity)
    }
}

/// One value of a signal.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SignalSample<'a> {
    /// The signal's name.
    pub signal: &'a str,
    /// Event time, since the scenario's start. A mean is one over the time before it.
    pub time: SimDuration,
    /// In the SI unit of the quantity. NaN: it has no value there.
    pub value: f64,
}

impl SignalSample<'_> {
    pub(crate) fn write(&self, table: &mut TableWriter<impl Write>) -> Result<(), csv::Error> {
        table.text(self.signal)?;
        table.shown(Some(self.time.0))?;
        table.number(Some(self.value))?;
        table.end_line()
    }
}

/// Reads one line. The error names what was found and what was expected.
pub(crate) fn read(record: &csv::StringRecord) -> Result<SignalSample<'_>, String> {
    let line = Line::of(record, &SIGNAL_HEADER)?;
    let signal = line.text(0);
    if signal.is_empty() {
        return Err("signal is empty, expected its name".to_owned());
    }
    let time = SimDuration(line.value(1, "whole nanoseconds")?);
    Ok(SignalSample { signal, time, value: line.value(2, "a number, or NaN")? })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn line(sample: &SignalSample<'_>) -> csv::StringRecord {
        let mut table = TableWriter::new(Vec::new(), SIGNAL_HEADER).unwrap();
        sample.write(&mut table).unwrap();
        let bytes = table.into_bytes().unwrap();
        let mut csv = csv::Reader::from_reader(&*bytes);
        csv.records().next().unwrap().unwrap()
    }

    #[test]
    fn each_wrong_field_is_named() {
        let read = |fields: &[&str]| {
            read(&csv::StringRecord::from(fields.to_vec())).map(|sample| format!("{sample:?}"))
        };
        read(&["u", "-5", "NaN"]).unwrap();
        for (fields, expected) in [
            (&["u", "1"][..], "found 2 fields, expected 3"),
            (&["", "1", "2"], "signal is empty, expected its name"),
            (&["u", "1.5", "2"], "time_ns `1.5`, expected whole nanoseconds"),
            (&["u", "1", ""], "value ``, expected a number, or NaN"),
        ] {
            assert_eq!(read(fields).unwrap_err(), expected);
        }
    }

    proptest! {
        #[test]
        fn a_sample_reads_back_as_it_was_written(ns in any::<i64>(), value in any::<f64>()) {
            let sample = SignalSample { signal: "a,\"b", time: SimDuration(ns), value };
            let record = line(&sample);
            let back = read(&record).unwrap();
            prop_assert_eq!((back.signal, back.time), (sample.signal, sample.time));
            let is_same = back.value.to_bits() == value.to_bits();
            prop_assert!(is_same || back.value.is_nan() && value.is_nan());
        }
    }
}
