//! What became of the values of a series that a rule of the scenario left out of
//! `observations.csv`, as a line of `aggregates.csv`: one for each interval of a series.

use std::io::Write;

use lastmeter_units::{MeasurementId, SimTime};

use super::line::TableWriter;

/// The first line of `aggregates.csv`.
pub const AGGREGATE_HEADER: [&str; 12] = [
    "device",
    "quantity",
    "unit",
    "from",
    "to",
    "count",
    "reference_mean",
    "reported_mean",
    "reported_min",
    "reported_max",
    "worst_error",
    "kept",
];

/// The values of one series in one interval: those that were due and came.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Aggregate<'a> {
    /// The device's name.
    pub device: &'a str,
    /// What is measured.
    pub quantity: MeasurementId,
    /// The interval's begin; it does not include it.
    pub from: SimTime,
    /// The interval's end, included.
    pub to: SimTime,
    /// How many values there were.
    pub count: u64,
    /// Mean of the references in the quantity's SI unit.
    pub reference_mean: f64,
    /// Mean of what was reported.
    pub reported_mean: f64,
    /// The smallest reported value.
    pub reported_min: f64,
    /// The largest reported value.
    pub reported_max: f64,
    /// What was reported less the reference, where that is farthest from zero.
    pub worst_error: f64,
    /// How many of the values stand in `observations.csv`.
    pub kept: u64,
}

impl Aggregate<'_> {
    pub(crate) fn write(&self, table: &mut TableWriter<impl Write>) -> Result<(), csv::Error> {
        let row = self.quantity.row();
        table.text(self.device)?;
        table.text(row.name)?;
        table.shown(Some(row.si_unit))?;
        table.shown(Some(self.from))?;
        table.shown(Some(self.to))?;
        table.shown(Some(self.count))?;
        for number in [
            self.reference_mean,
            self.reported_mean,
            self.reported_min,
            self.reported_max,
            self.worst_error,
        ] {
            table.number(Some(number))?;
        }
        table.shown(Some(self.kept))?;
        table.end_line()
    }
}
