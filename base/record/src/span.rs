//! What a reference was taken over where the device does not announce it, as a line of `spans.csv`.
//!
//! The lines stand in the order of the rows of `observations.csv` they belong to; a row without a
//! line has an announced span, and its reference is exact.

use std::io::Write;

use lastmeter_units::{MeasurementId, SimDuration};

use super::line::{Line, TableWriter};
use super::observation::Observation;

/// The first line of `spans.csv`.
pub const SPAN_HEADER: [&str; 9] =
    ["device", "epoch", "serial", "event_time", "quantity", "from_ns", "to_ns", "spread", "way"];

/// What the reference of one value was taken over, and how well it is known by that.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RecordedSpan<'a> {
    /// Beginning of the span, since the scenario's start.
    pub from: SimDuration,
    /// End of the span, since the scenario's start.
    pub to: SimDuration,
    /// How far the reference differs at most over the spans that the device's declaration admits,
    /// in the SI unit of a difference of two of the quantity's values. NaN: not known.
    pub spread: f64,
    /// By which way the reading came: `direct`, or the name of a gateway.
    pub way: &'a str,
}

impl RecordedSpan<'_> {
    /// Whether the reference is uncertain by it.
    pub fn is_uncertain(&self) -> bool {
        self.spread != 0.0
    }

    /// Writes the line about this span of an observation.
    pub(crate) fn write(
        &self,
        observation: &Observation<'_>,
        table: &mut TableWriter<impl Write>,
    ) -> Result<(), csv::Error> {
        table.text(observation.device)?;
        table.shown(observation.epoch.map(|epoch| epoch.0))?;
        table.shown(observation.serial.map(|serial| serial.0))?;
        table.shown(Some(observation.event_time))?;
        table.text(observation.quantity.name())?;
        table.shown(Some(self.from.0))?;
        table.shown(Some(self.to.0))?;
        table.number(Some(self.spread))?;
        table.text(self.way)?;
        table.end_line()
    }
}

/// Where the fields that identify a value stand in both files: in `spans.csv` and in
/// `observations.csv`.
const IDENTITY: [(usize, usize); 5] = [(0, 0), (1, 1), (2, 2), (3, 5), (4, 3)];

/// Whether a line of `spans.csv` is about a line of `observations.csv`.
pub(crate) fn is_about(line: &csv::StringRecord, observation: &csv::StringRecord) -> bool {
    IDENTITY.iter().all(|&(own, other)| line.get(own) == observation.get(other))
}

/// Reads one line. The error names what was found and what was expected.
pub(crate) fn read(record: &csv::StringRecord) -> Result<RecordedSpan<'_>, String> {
    let line = Line::of(record, &SPAN_HEADER)?;
    let instant = |place| line.value(place, "whole nanoseconds").map(SimDuration);
    let quantity = line.text(4);
    if MeasurementId::lookup(quantity).is_none() {
        return Err(format!("`{quantity}` is not an identifier of the measurement registry"));
    }
    let (from, to) = (instant(5)?, instant(6)?);
    if from > to {
        return Err(format!("from_ns {} after to_ns {}, expected it before", from.0, to.0));
    }
    let found = line.text(7);
    let spread: f64 =
        found
            .parse()
            .ok()
            .filter(|spread: &f64| spread.is_nan() || *spread >= 0.0)
            .ok_or_else(|| format!("spread `{found}`, expected a number from 0 on, or NaN"))?;
    let way = line.text(8);
    if way.is_empty() {
        return Err("way is empty, expected `direct` or the name of a gateway".to_owned());
    }
    Ok(RecordedSpan { from, to, spread, way })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_wrong_field_is_named() {
        let good =
            ["m", "", "", "2027-01-18T17:00:00Z", "water.volume", "-5", "7", "NaN", "direct"];
        let read = |fields: &[&str]| {
            read(&csv::StringRecord::from(fields.to_vec())).map(|span| format!("{span:?}"))
        };
        read(&good).unwrap();
        for (place, wrong, expected) in [
            (4, "speed", "`speed` is not an identifier of the measurement registry"),
            (5, "1.5", "from_ns `1.5`, expected whole nanoseconds"),
            (6, "", "to_ns ``, expected whole nanoseconds"),
            (6, "-6", "from_ns -5 after to_ns -6, expected it before"),
            (7, "-1", "spread `-1`, expected a number from 0 on, or NaN"),
            (7, "", "spread ``, expected a number from 0 on, or NaN"),
            (8, "", "way is empty, expected `direct` or the name of a gateway"),
        ] {
            let mut fields = good;
            fields[place] = wrong;
            assert_eq!(read(&fields).unwrap_err(), expected);
        }
        assert_eq!(read(&good[1..]).unwrap_err(), "found 8 fields, expected 9");
    }
}
