//! The keys of a test-plan file.

use lastmeter_params::{Dimension, Field, Kind, schema};
use serde_json::{Value, json};

use super::model::{Connection, Evaluate, Relative};
use super::published::Along;

pub(crate) const FORMAT: i64 = 1;

pub(crate) const RATIO: Kind = Kind::Quantity { dimension: Dimension::Ratio, min: 0.0, max: 10.0 };
const VOLTAGE: Kind = Kind::Quantity { dimension: Dimension::Voltage, min: 1e-3, max: 1e6 };
const CURRENT: Kind = Kind::Quantity { dimension: Dimension::Current, min: 1e-6, max: 1e6 };
const FREQUENCY: Kind = Kind::Quantity { dimension: Dimension::Frequency, min: 40.0, max: 70.0 };
const ANGLE: Kind = Kind::Quantity {
    dimension: Dimension::Angle,
    min: -std::f64::consts::TAU,
    max: std::f64::consts::TAU,
};
const CELSIUS: Kind = Kind::Integer { min: -60, max: 120 };

/// Keys of `[test_plan]`.
pub(crate) static HEAD: &[Field] = &[
    Field::required("name", Kind::Name, "what scenarios call it"),
    Field::required("title", Kind::Text, "the standard, in a line"),
    Field::required("edition", Kind::Text, "the edition of all limits that name no other"),
    Field::default("notes", Kind::Text, "\"\"", "what it leaves open, and on what it rests"),
    Field::required("classes", Kind::List(&Kind::Text), "accuracy classes, strictest first"),
    Field::required("default_class", Kind::Text, "the default class"),
    Field::default(
        "connections",
        Kind::List(&Kind::Choice(Connection::WORDS)),
        "[\"direct\", \"transformer\"]",
        "how such meters are connected; the first is the default",
    ),
    Field::default("nominal_voltage", VOLTAGE, "\"230 V\"", "where a scenario gives none"),
    Field::default("base_current", CURRENT, "\"5 A\"", "nominal current of direct connection"),
    Field::default("maximum_current", CURRENT, "\"60 A\"", "maximum current of direct connection"),
    Field::default("transformer_current", CURRENT, "\"5 A\"", "nominal current at transformers"),
    Field::default("transformer_maximum", CURRENT, "\"6 A\"", "maximum current at transformers"),
    Field::default("frequency", FREQUENCY, "\"50 Hz\"", "where a scenario gives none"),
    Field::default("temperature", CELSIUS, "23", "reference temperature in degrees Celsius"),
    Field::default(
        "missing_clauses",
        Kind::List(&Kind::Table(MISSING_CLAUSE)),
        "[]",
        "the clauses of the standard about accuracy that no test of the test plan plays: with any, a \
         class is met in the tests that the plan has",
    ),
];

pub(crate) static MISSING_CLAUSE: &[Field] = &[
    Field::required("clause", Kind::Text, "where in the standard"),
    Field::required("name", Kind::Name, "a short name"),
    Field::required("title", Kind::Text, "what the clause asks for"),
    Field::required("reason", Kind::Text, "why no test of the test plan plays it"),
    Field::optional("elsewhere", Kind::Text, "where else it is tested: `test plan mid-annex-v`"),
    Field::default(
        "confirmed",
        Kind::Boolean,
        "false",
        "whether the clause was read in a source; unverified if not",
    ),
    Field::default(
        "connections",
        Kind::List(&Kind::Choice(Connection::WORDS)),
        "[]",
        "connections it is asked of; all if empty",
    ),
    Field::default(
        "classes",
        Kind::List(&Kind::Text),
        "[]",
        "classes it is asked of; all if empty",
    ),
    Field::default("three_phases", Kind::Boolean, "false", "whether it needs three phases"),
];

pub(crate) static SYMBOL: &[Field] = &[
    Field::required("name", Kind::Text, "a current's name, such as `Itr`"),
    Field::default("classes", Kind::List(&Kind::Text), "[]", "classes it holds for; all if empty"),
    Field::required("value", Kind::Text, "what it is, such as `0.1 Ib | 0.05 In`"),
    Field::default("clause", Kind::Text, "\"\"", "where in the standard"),
];

/// Keys of a harmonic.
static COMPONENT: &[Field] = &[
    Field::required(
        "order",
        Kind::Quantity { dimension: Dimension::Ratio, min: 0.001, max: 2500.0 },
        "multiple of the fundamental's frequency; not whole for an interharmonic",
    ),
    Field::required("share", RATIO, "RMS value relative to the fundamental"),
    Field::default(
        "angle",
        ANGLE,
        "\"0 deg\"",
        "angle, sine convention: zero crosses zero upwards where the fundamental does",
    ),
];

static MODULATION: &[Field] = &[
    Field::required(
        "changes_per_minute",
        Kind::Quantity { dimension: Dimension::Ratio, min: 0.01, max: 1e4 },
        "changes per minute, two in each period",
    ),
    Field::required("depth", RATIO, "the whole change, relative to the voltage"),
];

pub(crate) static WAVEFORM: &[Field] = &[
    Field::required("name", Kind::Name, "what tests call it; `sine` is there already"),
    Field::required("title", Kind::Text, "what it is"),
    Field::default("voltage", Kind::List(&Kind::Table(COMPONENT)), "[]", "harmonics of voltages"),
    Field::default("current", Kind::List(&Kind::Table(COMPONENT)), "[]", "harmonics of currents"),
    Field::default(
        "shape",
        Kind::Choice(&["sine", "half-wave", "phase-fired", "burst"]),
        "\"sine\"",
        "shape of the current",
    ),
    Field::default("firing_angle", ANGLE, "\"90 deg\"", "where a phase-fired current begins"),
    Field::default(
        "on",
        Kind::Integer { min: 1, max: 1000 },
        "2",
        "cycles of a burst with current",
    ),
    Field::default("off", Kind::Integer { min: 1, max: 1000 }, "2", "cycles of a burst without"),
    Field::optional("modulation", Kind::Table(MODULATION), "rectangular modulation of voltages"),
];

static LIMIT: &[Field] = &[
    Field::required(
        "values",
        Kind::Texts,
        "by class: the largest value allowed, in % or in the quantity's unit",
    ),
    Field::optional("from", Kind::Text, "currents from here on, included"),
    Field::optional("below", Kind::Text, "currents below this, which is not included"),
    Field::default(
        "power_factor",
        Kind::List(&Kind::Text),
        "[]",
        "the test's power factors it holds for; all if empty",
    ),
    Field::required("clause", Kind::Text, "where in the standard"),
    Field::optional("edition", Kind::Text, "if it is not the test plan's"),
    Field::required("confirmed", Kind::Boolean, "whether the value was read in a source"),
    Field::required(
        "source",
        Kind::Text,
        "the source in which it was read, or that it is unverified",
    ),
];

pub(crate) static TEST: &[Field] = &[
    Field::required("name", Kind::Name, "what checks select it by"),
    Field::required("title", Kind::Text, "what it is"),
    Field::default(
        "evaluate",
        Kind::Choice(Evaluate::WORDS),
        "\"error\"",
        "error at the point; variation against the point at reference conditions, also per kelvin; \
         composite of error and variations; starting; no_load; repeatability",
    ),
    Field::default(
        "quantity",
        Kind::Text,
        "\"active_energy\"",
        "active_energy or reactive_energy, of the direction that flows; or an identifier, also with *",
    ),
    Field::default(
        "relative_to",
        Kind::Choice(Relative::WORDS),
        "\"reading\"",
        "of what limits in % are shares; absolute: differences of shares",
    ),
    Field::default(
        "connections",
        Kind::List(&Kind::Choice(Connection::WORDS)),
        "[]",
        "connections it is for; all if empty",
    ),
    Field::default(
        "classes",
        Kind::List(&Kind::Text),
        "[]",
        "classes the standard asks it of; all if empty",
    ),
    Field::default("three_phases", Kind::Boolean, "false", "whether it needs three phases"),
    Field::default(
        "current",
        Kind::List(&Kind::Text),
        "[]",
        "currents, such as `0.05 Ib | 0.02 In`; none flows if empty",
    ),
    Field::default(
        "power_factor",
        Kind::List(&Kind::Text),
        "[\"1\"]",
        "`1`, `0.5 ind`, `0.8 cap`; for reactive energy `sin 0.5 ind`; or the angle by which the \
         current lags, such as `-45 deg`",
    ),
    Field::default(
        "direction",
        Kind::List(&Kind::Choice(&["import", "export"])),
        "[\"import\"]",
        "which way energy flows",
    ),
    Field::default(
        "loaded",
        Kind::List(&Kind::Choice(&["all", "l1", "l2", "l3"])),
        "[\"all\"]",
        "phases that carry current",
    ),
    Field::default("voltage", Kind::List(&RATIO), "[1]", "voltages over nominal"),
    Field::default(
        "phase_voltages",
        Kind::List(&Kind::List(&RATIO)),
        "[]",
        "voltages of the three phases over nominal, instead of `voltage`; 0 interrupts",
    ),
    Field::default("frequency", Kind::List(&RATIO), "[1]", "frequencies over nominal"),
    Field::default(
        "temperature",
        Kind::List(&CELSIUS),
        "[]",
        "ambient temperatures in degrees Celsius; the test plan's reference if empty",
    ),
    Field::default("waveform", Kind::List(&Kind::Name), "[\"sine\"]", "waveforms"),
    Field::default(
        "sequence",
        Kind::List(&Kind::Choice(&["normal", "reversed"])),
        "[\"normal\"]",
        "phase sequences",
    ),
    Field::optional(
        "readings",
        Kind::Integer { min: 3, max: 10_000 },
        "readings at each point, where the claim's number does not do",
    ),
    Field::default(
        "no_load_constant",
        Kind::Texts,
        "{}",
        "by class: C of the duration C * 10^6 / (k m Un Imax) minutes",
    ),
    Field::default(
        "pulses",
        Kind::Quantity { dimension: Dimension::Ratio, min: 0.0, max: 1e6 },
        "0",
        "how many pulses the true energy of the test is worth at least",
    ),
    Field::optional(
        "expected",
        Kind::Quantity { dimension: Dimension::Ratio, min: 0.0, max: 1e6 },
        "what a quantity without unit has to be where the plant has no reference of it",
    ),
    Field::optional("not_played", Kind::Text, "why this version cannot play it"),
    Field::required("limit", Kind::List(&Kind::Table(LIMIT)), "the limits"),
];

/// Keys of `[[not_simulated]]`: how test plans of earlier versions wrote `missing_clauses`.
pub(crate) static NOT_SIMULATED: &[Field] = &[
    Field::required("name", Kind::Name, "what it is called"),
    Field::required("title", Kind::Text, "what it is"),
    Field::required("reason", Kind::Text, "why no simulated meter can be put to it"),
    Field::default("clause", Kind::Text, "\"\"", "where in the standard"),
];

static SWEEP: &[Field] = &[
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

pub(crate) static PUBLISHED: &[Field] = &[
    Field::required("name", Kind::Name, "what checks select it by"),
    Field::required("title", Kind::Text, "what the publication calls it"),
    Field::required("quantity", Kind::Text, "the identifier of what is reported"),
    Field::required("figure", Kind::Text, "the published r.m.s. deviation"),
    Field::default(
        "relative_to",
        Kind::Choice(&["reading", "absolute"]),
        "\"reading\"",
        "of what a value in % is a share; absolute: percentage points",
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

static SURFACE: &[Field] = &[
    Field::required("name", Kind::Name, "the name of its files"),
    Field::required("title", Kind::Text, "what it shows"),
    Field::required("row", Kind::Name, "the published row whose deviation it shows"),
    Field::required("sweep", Kind::Name, "over which sweep"),
    Field::required("x", Kind::Choice(Along::WORDS), "what changes from left to right"),
    Field::required("y", Kind::Choice(Along::WORDS), "what changes from below to above"),
];

/// The sections whose tables repeat.
pub(crate) static ROWS: [(&str, &[Field]); 7] = [
    ("symbol", SYMBOL),
    ("waveform", WAVEFORM),
    ("test", TEST),
    ("not_simulated", NOT_SIMULATED),
    ("sweep", SWEEP),
    ("published", PUBLISHED),
    ("surface", SURFACE),
];

/// The JSON Schema of test plan files, for editors.
pub fn test_plan_json_schema() -> Value {
    let mut properties = serde_json::Map::new();
    properties.insert("format".to_owned(), json!({ "const": FORMAT }));
    properties.insert("test_plan".to_owned(), schema::object(&[HEAD]));
    for (name, fields) in ROWS {
        let items = schema::object(&[fields]);
        properties.insert(name.to_owned(), json!({ "type": "array", "items": items }));
    }
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "lastmeter test plan",
        "type": "object",
        "properties": properties,
        "required": ["format", "test_plan"],
        "additionalProperties": false,
    })
}
