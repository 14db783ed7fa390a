//! Published figures as part of a suite: what was swept, what came of it, what is drawn of it.
//!
//! A publication that sums up a whole sweep in one figure per quantity (an r.m.s. deviation) has no
//! limit at any point. Its suite has *sweeps* instead of tests, a *published* row for each figure,
//! and *surfaces*: a row's deviation over two of the sweep's coordinates. A row is *fitted* if the
//! model's parameters were chosen to meet it; every other is a prediction.

use std::collections::BTreeMap;

use lastmeter_params::{Code, Diagnostics, Field, Kind, Values};
use lastmeter_units::{MeasurementId, SiUnit};

use super::fields::RATIO;
use super::model::{Evaluate, LimitFigure, Relative, Subject, Suite, Test};
use super::read_test::{currents, each, figure, power_factor};
use super::tell::figure_told;

/// Keys of `[[sweep]]`.
pub(crate) static SWEEP: &[Field] = &[
    Field::required("name", Kind::Name, "what surfaces call it"),
    Field::required("title", Kind::Text, "what it is"),
    Field::default(
        "current",
        Kind::List(&Kind::Text),
        "[]",
        "currents, such as `0.5 Imax`; none flows if empty",
    ),
    Field::default(
        "power_factor",
        Kind::List(&Kind::Text),
        "[\"1\"]",
        "`0.5 ind`, or the angle by which the current lags, such as `-45 deg`",
    ),
    Field::default("voltage", Kind::List(&RATIO), "[1]", "voltages over nominal"),
    Field::default("frequency", Kind::List(&RATIO), "[1]", "frequencies over nominal"),
    Field::default("waveform", Kind::List(&Kind::Name), "[\"sine\"]", "waveforms"),
];

/// Where explanations stand now.
const EXPLAINED_BY_CHECKS: &str = "the scenario explains the rows that it does not reproduce: \
    `not_reproduced` of a check of kind `published_table`";

/// Keys of `[[published]]`.
pub(crate) static PUBLISHED: &[Field] = &[
    Field::required("name", Kind::Name, "what checks select it by"),
    Field::required("title", Kind::Text, "what the publication calls it"),
    Field::required("quantity", Kind::Text, "the identifier of what is reported"),
    Field::required("figure", Kind::Text, "the published r.m.s. deviation"),
    Field::default(
        "relative_to",
        Kind::Choice(&["reading", "absolute"]),
        "\"reading\"",
        "of what a figure in % is a share; absolute: percentage points",
    ),
    Field::default(
        "counts_from",
        RATIO,
        "0",
        "readings whose reference is smaller than this share of the point's apparent power (or of \
         Un, of Imax) do not count",
    ),
    Field::default("fitted", Kind::Boolean, "false", "whether the model was fitted to it"),
    Field::retired("explanation", EXPLAINED_BY_CHECKS),
    Field::retired("explained_ratio", EXPLAINED_BY_CHECKS),
];

/// Keys of `[[surface]]`.
pub(crate) static SURFACE: &[Field] = &[
    Field::required("name", Kind::Name, "the name of its files"),
    Field::required("title", Kind::Text, "what it shows"),
    Field::required("row", Kind::Name, "the published row whose deviation it shows"),
    Field::required("sweep", Kind::Name, "over which sweep"),
    Field::required("x", Kind::Choice(Along::WORDS), "what changes from left to right"),
    Field::required("y", Kind::Choice(Along::WORDS), "what changes from below to above"),
];

/// A coordinate that a surface is drawn along.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Along {
    /// Frequency in hertz.
    Frequency,
    /// Angle by which the current lags, in degrees.
    Angle,
    /// Waveform, in the suite's order.
    Waveform,
    /// Voltage over nominal.
    Voltage,
    /// Current in amperes.
    Current,
}

impl Along {
    /// Its words in files, in the order of the enumeration.
    pub const WORDS: &'static [&'static str] =
        &["frequency", "angle", "waveform", "voltage", "current"];

    fn from_word(word: &str) -> Self {
        match word {
            "angle" => Self::Angle,
            "waveform" => Self::Waveform,
            "voltage" => Self::Voltage,
            "current" => Self::Current,
            _ => Self::Frequency,
        }
    }

    /// What stands at the axis.
    pub fn told(self) -> &'static str {
        match self {
            Self::Frequency => "frequency in Hz",
            Self::Angle => "phase angle in degrees",
            Self::Waveform => "harmonic orders",
            Self::Voltage => "voltage over Un",
            Self::Current => "current in A",
        }
    }
}

/// Points without limits.
#[derive(Clone, Debug, PartialEq)]
pub struct Sweep {
    /// The points, as those of a test are written.
    pub points: Test,
}

impl Sweep {
    /// Its name.
    pub fn name(&self) -> &str {
        &self.points.name
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
    pub fn figure_told(&self, value: f64) -> String {
        match (self.figure, self.quantity.row().si_unit) {
            (LimitFigure::Percent(_), _) => figure_told(LimitFigure::Percent(value), "%"),
            (_, SiUnit::Hertz) => format!("{} mHz", lastmeter_text::number(1e3 * value)),
            (_, SiUnit::One) => lastmeter_text::number(value),
            (_, unit) => figure_told(LimitFigure::Absolute(value), &unit.to_string()),
        }
    }

    /// The published figure, for people.
    pub fn told(&self) -> String {
        self.figure_told(self.figure.value())
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

/// Reads a sweep.
pub(crate) fn read_sweep(values: &Values, suite: &Suite, out: &mut Diagnostics) -> Option<Sweep> {
    let mistakes = out.len();
    let waveforms: Vec<&str> = suite.waveforms.iter().map(|one| one.name.as_str()).collect();
    let known = format!("expected one of {}", waveforms.join(", "));
    let waveform = each(values, "waveform", &known, out, |name| {
        waveforms.iter().position(|waveform| *waveform == name)
    });
    let label = "expected `1`, `0.5 ind`, `-45 deg`";
    let points = Test {
        name: values.text("name").to_owned(),
        title: values.text("title").to_owned(),
        evaluate: Evaluate::Error,
        quantity: String::new(),
        subject: Subject::Each(Vec::new()),
        relative: Relative::Reading,
        connections: Vec::new(),
        classes: Vec::new(),
        three_phases: false,
        current: currents(values, suite, out),
        power_factor: each(values, "power_factor", label, out, power_factor),
        export: vec![false],
        loaded: vec![None],
        voltage: values.si_list("voltage"),
        phase_voltages: Vec::new(),
        frequency: values.si_list("frequency"),
        temperature: vec![suite.temperature],
        waveform,
        reversed: vec![false],
        readings: None,
        no_load_constant: BTreeMap::new(),
        pulses: 0.0,
        expected: None,
        not_played: None,
        limits: Vec::new(),
    };
    for key in ["voltage", "frequency", "power_factor", "waveform"] {
        if values.list(key).is_empty() {
            let message = "an empty list makes no operating point";
            out.report(Code::DOES_NOT_FIT, values.span_of(key), message, "expected one or more");
        }
    }
    (out.len() == mistakes).then_some(Sweep { points })
}

/// Reads a published row.
pub(crate) fn read_published(values: &Values, out: &mut Diagnostics) -> Option<Published> {
    let text = values.text("quantity");
    let Some(quantity) = MeasurementId::lookup(text) else {
        let message = format!("there is no measurement identifier `{text}`");
        let label = "expected one identifier";
        out.report(Code::UNKNOWN_MEASUREMENT, values.span_of("quantity"), message, label);
        return None;
    };
    let subject = Subject::Each(vec![quantity]);
    let figure = match figure(values.text("figure"), &subject, Evaluate::Error) {
        Ok(figure) => figure,
        Err(message) => {
            out.report(Code::BAD_NUMBER, values.span_of("figure"), message, "expected a figure");
            return None;
        }
    };
    Some(Published {
        name: values.text("name").to_owned(),
        title: values.text("title").to_owned(),
        quantity,
        figure,
        relative: Relative::from_word(values.text("relative_to")),
        counts_from: values.si("counts_from"),
        fitted: values.boolean("fitted"),
    })
}

/// Reads a surface.
pub(crate) fn read_surface(
    values: &Values,
    suite: &Suite,
    out: &mut Diagnostics,
) -> Option<Surface> {
    let mut find = |key: &str, names: Vec<&str>| {
        let name = values.text(key);
        let found = names.iter().position(|known| *known == name);
        if found.is_none() {
            let message = format!("the suite has no {key} `{name}`");
            let label = format!("expected one of {}", names.join(", "));
            out.report(Code::UNKNOWN_REFERENCE, values.span_of(key), message, label);
        }
        found
    };
    let row = find("row", suite.published.iter().map(|row| row.name.as_str()).collect());
    let sweep = find("sweep", suite.sweeps.iter().map(Sweep::name).collect());
    Some(Surface {
        name: values.text("name").to_owned(),
        title: values.text("title").to_owned(),
        row: row?,
        sweep: sweep?,
        x: Along::from_word(values.text("x")),
        y: Along::from_word(values.text("y")),
    })
}
