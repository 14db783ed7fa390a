//! Meters without errors, for one phase and for three: what the method alone costs, and the ground
//! on which a single error is planted.

use lastmeter_params::{Entry, Field};

use super::build::{Recipe, build};
use super::fields::{count, of_model};
use crate::calibration;
use crate::model::kind::{DeviceKind, Fits};
use crate::register::plain;

/// In what it differs from other meters.
pub(super) const DEFAULTS: [(&str, &str); 6] = [
    ("bits", "32"),
    ("sample_rate", "\"12.8 kHz\""),
    ("voltage_noise", "\"0 V\""),
    ("current_noise", "\"0 A\""),
    ("voltage_headroom", "4"),
    ("current_headroom", "100"),
];

static FIELDS: [Field; count(&[])] = of_model(&[], &DEFAULTS);

pub(super) const RECIPE_1PH: Recipe = Recipe {
    phases: 1,
    registers: plain::ROWS.first_chunk::<{ plain::PER_PHASE }>().unwrap(),
    is_cvct: false,
    has_breaker: false,
    has_class: false,
};

pub(super) const RECIPE_3PH: Recipe = Recipe { phases: 3, registers: &plain::ROWS, ..RECIPE_1PH };

const DESCRIPTION: &str = "A meter whose front end has no error until one of its fields plants it: \
    converters of 32 bits at 12.8 kS/s without noise, wide ranges. Quantities, windows, commands \
    and messages are those of `stpm34-3ph`. The coefficients that `setRegister` writes are UGAIN, \
    IGAIN (24 bits, 0x400000 is 1.0), UOFFSET, IOFFSET (24 bits, 2^-23 of full scale) and PHASE \
    (16 bits, thousandths of a degree), numbered by phase.";

pub(crate) const IDEAL_1PH: DeviceKind = DeviceKind {
    fits: Fits::Electricity { phases: RECIPE_1PH.phases },
    entry: Entry {
        name: "ideal-1ph",
        summary: "single-phase meter without errors, but for those that are planted",
        description: DESCRIPTION,
        fields: &FIELDS,
    },
    registers: Some(calibration::PLAIN),
    build: |values, context, diagnostics| build(&RECIPE_1PH, values, context, diagnostics),
    ..DeviceKind::PLAIN
};

pub(crate) const IDEAL_3PH: DeviceKind = DeviceKind {
    fits: Fits::Electricity { phases: RECIPE_3PH.phases },
    entry: Entry {
        name: "ideal-3ph",
        summary: "three-phase meter without errors, but for those that are planted",
        description: DESCRIPTION,
        fields: &FIELDS,
    },
    build: |values, context, diagnostics| build(&RECIPE_3PH, values, context, diagnostics),
    ..DeviceKind::PLAIN
};
