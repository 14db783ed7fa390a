//! Meters of an accuracy class: ideal but for errors of the active power that are drawn inside the
//! limits of the class, or stand in the scenario.

use std::f64::consts::FRAC_PI_2;

use chacha20::ChaCha8Rng;
use lastmeter_params::{
    Dimension, Entry, Field, Kind, Node, NodeValue, Span, Table, TableEntry, Values,
    read_number_alone,
};

use super::build::{Recipe, build};
use super::fields::{between, count, of_model, ratio, shared};
use super::ideal;
use crate::class_errors::{CLASS_WORDS, ClassErrors, DrawnErrors, ErrorPoint, draw};
use crate::model::kind::{DeviceKind, Fits};

const PART: Field = Field::default(
    "class_part",
    between(Dimension::Ratio, 0.0, 1.0),
    "\"90 %\"",
    "How much of the limits of its class a drawn meter uses at most.",
);
const MAXIMUM: Field = Field::default(
    "maximum_current",
    between(Dimension::Current, 1e-6, 1e6),
    "\"60 A\"",
    "Imax: the current up to which errors are drawn.",
);

const POINT: [Field; 3] = [
    Field::required("current", between(Dimension::Current, 1e-9, 1e6), "RMS current of a phase"),
    Field::default(
        "lag",
        between(Dimension::Angle, -FRAC_PI_2, FRAC_PI_2),
        "\"0 deg\"",
        "by how much the current lags the voltage: 60 degrees are a power factor of 0.5 inductive",
    ),
    Field::required("error", ratio(0.5), "relative error of the active power"),
];

const OWN: [Field; 6] = [
    Field::default(
        "accuracy_class",
        Kind::Choice(CLASS_WORDS),
        "\"1\"",
        "Accuracy class by IEC 62053-21 or -22, inside whose limits errors are drawn.",
    ),
    PART,
    MAXIMUM,
    Field::default(
        "errors",
        Kind::List(&Kind::Table(&POINT)),
        "[]",
        "Relative error of the active power by load point; left out, it is drawn by the seed, and \
         stands in the resolved scenario.",
    ),
    Field::default(
        "temperature_coefficient",
        ratio(0.01),
        "\"0 %\"",
        "What a kelvin above 23 degrees Celsius adds to the error; left out, it is drawn.",
    ),
    Field::default(
        "frequency_coefficient",
        ratio(10.0),
        "\"0 %\"",
        "What the frequency adds to the error, for each relative change of it; left out, it is \
         drawn.",
    ),
];

const DEFAULTS: [(&str, &str); ideal::DEFAULTS.len() + 1] = {
    let mut all = [("fidelity", "\"windows\""); ideal::DEFAULTS.len() + 1];
    let mut at = 0;
    while at < ideal::DEFAULTS.len() {
        all[at] = ideal::DEFAULTS[at];
        at += 1;
    }
    all
};

static FIELDS: [Field; count(&OWN)] = of_model(&OWN, &DEFAULTS);

const DESCRIPTION: &str = "A meter as good as its accuracy class, for populations: ideal voltages, \
    currents, reactive and apparent power, and an error of the active power that is drawn inside the \
    limits of the class by load point (IEC 62053-21: classes 1 and 2; IEC 62053-22: 0.2 S and \
    0.5 S), with what temperature and frequency add. Each member of a group has errors of its own, \
    which stand in the resolved scenario; `errors` in the file takes their place. `nominal_current` \
    is Ib or In.";

const RECIPE_1PH: Recipe = Recipe { has_class: true, ..ideal::RECIPE_1PH };
const RECIPE_3PH: Recipe = Recipe { has_class: true, ..ideal::RECIPE_3PH };

pub(crate) const CLASS_METER_1PH: DeviceKind = DeviceKind {
    fits: Fits::Electricity { phases: RECIPE_1PH.phases },
    entry: Entry {
        name: "class-meter-1ph",
        summary: "single-phase meter with errors drawn inside its accuracy class",
        description: DESCRIPTION,
        fields: &FIELDS,
    },
    draws: Some(drawn),
    build: |values, context, diagnostics| build(&RECIPE_1PH, values, context, diagnostics),
    ..DeviceKind::PLAIN
};

pub(crate) const CLASS_METER_3PH: DeviceKind = DeviceKind {
    fits: Fits::Electricity { phases: RECIPE_3PH.phases },
    entry: Entry {
        name: "class-meter-3ph",
        summary: "three-phase meter with errors drawn inside its accuracy class",
        description: DESCRIPTION,
        fields: &FIELDS,
    },
    draws: Some(drawn),
    build: |values, context, diagnostics| build(&RECIPE_3PH, values, context, diagnostics),
    ..DeviceKind::PLAIN
};

/// The errors of a meter with these values.
pub(super) fn errors(values: &Values) -> ClassErrors {
    let point = |table: &Values| ErrorPoint {
        current_a: table.si("current"),
        lag_deg: table.si("lag").to_degrees(),
        error: table.si("error"),
    };
    let drawn = DrawnErrors {
        points: values.tables("errors").into_iter().map(point).collect(),
        temperature: values.si("temperature_coefficient"),
        frequency: values.si("frequency_coefficient"),
    };
    ClassErrors::new(drawn, values.si("nominal_frequency"))
}

/// What is drawn of a meter with this table: none where the class cannot be read, which is
/// reported when the table is.
fn drawn(table: &Table, random: &mut ChaCha8Rng) -> Vec<(&'static str, NodeValue)> {
    let number = |field: &Field| read_number_alone(table, Span::default(), field);
    let nominal = number(&shared("nominal_current"));
    let (Some(part), Some(nominal), Some(maximum)) = (number(&PART), nominal, number(&MAXIMUM))
    else {
        return Vec::new();
    };
    let class = table.text("accuracy_class").unwrap_or("1");
    let Some(drawn) = draw(class, part, (nominal, maximum), random) else { return Vec::new() };
    let node = |value| Node { value, span: Span::default() };
    let entry = |key: &str, value: String| TableEntry {
        key: key.to_owned(),
        key_span: Span::default(),
        node: node(NodeValue::String(value)),
    };
    let percent = |ratio: f64| format!("{} %", 100.0 * ratio);
    let point = |point: &ErrorPoint| {
        let entries = vec![
            entry("current", format!("{} A", point.current_a)),
            entry("lag", format!("{} deg", point.lag_deg)),
            entry("error", percent(point.error)),
        ];
        node(NodeValue::Table(Table { entries, incomplete: false }))
    };
    vec![
        ("errors", NodeValue::Array(drawn.points.iter().map(point).collect())),
        ("temperature_coefficient", NodeValue::String(percent(drawn.temperature))),
        ("frequency_coefficient", NodeValue::String(percent(drawn.frequency))),
    ]
}
