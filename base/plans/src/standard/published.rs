//! Published figures as part of a test plan: what was swept, what came of it, what is drawn of it.
//!
//! A publication that sums up a whole sweep in one figure per quantity (an r.m.s. deviation) has no
//! limit at any point. Its test plan has *sweeps* instead of tests, a *published* row for each
//! figure, and *surfaces*: a row's deviation over two of the sweep's coordinates. A row is *fitted*
//! if the model's parameters were chosen to meet it; every other is a prediction.

use lastmeter_units::{MeasurementId, SiUnit};

use super::model::{LimitFigure, Relative, value_text};

lastmeter_units::words! {
    /// A coordinate that a surface is drawn along.
    pub enum Along {
        /// Frequency in hertz.
        Frequency = "frequency",
        /// Angle by which the current lags, in degrees.
        Angle = "angle",
        /// Waveform, in the test plan's order.
        Waveform = "waveform",
        /// Voltage over nominal.
        Voltage = "voltage",
        /// Current in amperes.
        Current = "current",
    }
}

impl Along {
    /// What stands at the axis.
    pub fn describe(self) -> &'static str {
        match self {
            Self::Frequency => "frequency in Hz",
            Self::Angle => "phase angle in degrees",
            Self::Waveform => "harmonic orders",
            Self::Voltage => "voltage over Un",
            Self::Current => "current in A",
        }
    }
}

/// One figure of a publication.
#[derive(Clone, Debug, PartialEq)]
pub struct Published {
    /// What checks select it by.
    pub name: String,
    /// What the publication calls it.
    pub title: String,
    /// What is reported.
    pub quantity: MeasurementId,
    /// The published r.m.s. deviation, in percent or in the SI unit.
    pub figure: LimitFigure,
    /// Of what a figure in percent is a share.
    pub relative: Relative,
    /// Readings below this share do not count.
    pub counts_from: f64,
    /// Whether the model's parameters were fitted to it.
    pub fitted: bool,
}

impl Published {
    /// The unit of the figure.
    pub fn unit(&self) -> String {
        match (self.figure, self.quantity.row().si_unit) {
            (LimitFigure::Percent(_), _) => "%".to_owned(),
            (LimitFigure::Absolute(_), SiUnit::One) => String::new(),
            (LimitFigure::Absolute(_), unit) => unit.to_string(),
        }
    }

    /// Any figure of this row, for people: `0.03 %`, `0.67 mHz`.
    pub fn value_text(&self, value: f64) -> String {
        match (self.figure, self.quantity.row().si_unit) {
            (LimitFigure::Percent(_), _) => value_text(LimitFigure::Percent(value), "%"),
            (_, SiUnit::Hertz) => format!("{} mHz", lastmeter_text::number(1e3 * value)),
            (_, SiUnit::One) => lastmeter_text::number(value),
            (_, unit) => value_text(LimitFigure::Absolute(value), &unit.to_string()),
        }
    }

    /// The published figure, for people.
    pub fn describe(&self) -> String {
        self.value_text(self.figure.value())
    }
}

/// A row's deviation over two coordinates.
#[derive(Clone, Debug, PartialEq)]
pub struct Surface {
    /// The name of its files.
    pub name: String,
    /// What it shows.
    pub title: String,
    /// The published row, by its place.
    pub row: usize,
    /// The sweep, by its place.
    pub sweep: usize,
    /// From left to right.
    pub x: Along,
    /// From below to above.
    pub y: Along,
}
