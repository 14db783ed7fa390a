//! Single-phase meter of class 0.2 as with STCOMET or STPM34: shunt in the line, current
//! transformer in the neutral, a breaker with the voltage behind it, pulse outputs; 140 to 300 V,
//! 5 A, at most 100 A.

use lastmeter_params::{Dimension, Entry, Field, Kind};

use super::build::{Recipe, build};
use super::fields::{count, of_model};
use crate::model::kind::{DeviceKind, Fits};
use crate::register::stpm3x;

const OWN: &[Field] = &[
    Field::default(
        "neutral_gain_error",
        Kind::Quantity { dimension: Dimension::Ratio, min: -0.5, max: 0.5 },
        "\"0 %\"",
        "Relative gain error of the neutral's current transformer.",
    ),
    Field::default(
        "neutral_phase_error",
        Kind::Quantity { dimension: Dimension::Angle, min: -0.0175, max: 0.0175 },
        "\"0 deg\"",
        "Angle by which the neutral's current leads, at nominal frequency.",
    ),
];

static FIELDS: [Field; count(OWN)] = of_model(
    OWN,
    &[
        (
            "quantities",
            "[\"voltage\", \"current\", \"active_power\", \"reactive_power\", \
          \"apparent_power\", \"power_factor\", \"frequency\", \"active_energy\", \
          \"reactive_energy\", \"apparent_energy\"]",
        ),
        // 300 V and 100 A come through, with some reserve.
        ("voltage_headroom", "1.5"),
        ("current_headroom", "24"),
        ("no_load_threshold", "\"0.5 W\""),
    ],
);

const RECIPE: Recipe = Recipe {
    phases: 1,
    registers: stpm3x::ROWS.first_chunk::<{ stpm3x::PER_PHASE }>().unwrap(),
    is_cvct: false,
    has_breaker: true,
    has_class: false,
};

pub(crate) const STPM34_1PH: DeviceKind = DeviceKind {
    fits: Fits::Electricity { phases: RECIPE.phases },
    entry: Entry {
        name: "stpm34-1ph",
        summary: "single-phase meter of class 0.2 with pulse outputs, breaker and neutral current",
        description: "As `stpm34-3ph`, for one phase of 140 to 300 V and 5 A (at most 100 A). \
            Beside the line's current it measures the neutral's with a transformer of its own \
            (group `neutral_current`), and the voltage behind its breaker beside the one before it \
            (group `breaker`). The command `setBreaker` (`state` = `open` or `closed`) opens and \
            closes it: while it is open no current flows through the meter; what the source feeds \
            does not change, so a reference keeps counting what it would have carried. The group \
            `pulses` counts the pulses of the active and of the reactive output (`pulse_constant`); \
            below `no_load_threshold` nothing is registered and no pulse given. Registers: CHV1, \
            CHC1, PHC1, OFA1, OFR1, OFS1.",
        fields: &FIELDS,
    },
    build: |values, context, diagnostics| build(&RECIPE, values, context, diagnostics),
    ..DeviceKind::PLAIN
};
