//! Reference instruments, against which meters are calibrated: they have errors of their own, and
//! a certificate that states how large these may be.

use lastmeter_params::{Dimension, Entry, Field, Kind};

use super::build::{Recipe, build};
use super::fields::{count, of_model};
use crate::model::kind::{DeviceKind, Fits};

const fn stated(default: &'static str) -> [Field; 1] {
    [Field::default(
        "stated_uncertainty",
        Kind::Quantity { dimension: Dimension::Ratio, min: 0.0, max: 0.1 },
        default,
        "Expanded uncertainty (k = 2) that its certificate states: of voltage, current and \
         apparent power, or, of acquisition, of the full scale that is calibrated.",
    )]
}

static METER: [Field; count(&[stated("\"0.04 %\"")[0]])] = of_model(
    &stated("\"0.04 %\""),
    &[
        ("nominal_current", "\"10 A\""),
        ("current_headroom", "4"),
        ("bits", "32"),
        ("sample_rate", "\"12.8 kHz\""),
        ("voltage_noise", "\"1 mV\""),
        ("current_noise", "\"50 uA\""),
        ("voltage_gain_error", "\"80 ppm\""),
        ("current_gain_error", "\"-60 ppm\""),
        ("phase_error", "\"0.003 deg\""),
    ],
);

static ACQUISITION: [Field; count(&[stated("\"0.02 %\"")[0]])] = of_model(
    &stated("\"0.02 %\""),
    &[
        // The converter's 0..3 V of 460 V and 30 A (RMS of a full-scale sine) within +-5 V.
        ("nominal_voltage", "\"460 V\""),
        ("voltage_headroom", "3.3333"),
        ("nominal_current", "\"30 A\""),
        ("current_headroom", "3.3333"),
        ("bits", "16"),
        ("sample_rate", "\"500 kHz\""),
        // About a step of the converter.
        ("voltage_noise", "\"70 mV\""),
        ("current_noise", "\"4.5 mA\""),
        ("voltage_gain_error", "\"40 ppm\""),
        ("current_gain_error", "\"-50 ppm\""),
        ("voltage_offset", "\"30 mV\""),
        ("current_offset", "\"-2 mA\""),
        ("quantities", "[\"mean\"]"),
    ],
);

const RECIPE: Recipe =
    Recipe { phases: 1, registers: &[], is_cvct: false, has_breaker: false, has_class: false };

pub(crate) const REFERENCE_1PH: DeviceKind = DeviceKind {
    fits: Fits::Electricity { phases: RECIPE.phases },
    entry: Entry {
        name: "reference-1ph",
        summary: "single-phase reference meter with small errors and a stated uncertainty",
        description: "A reference meter such as stands beside the meter under calibration: 32 \
            bits at 12.8 kS/s, small errors of its own (80 and 60 ppm of voltage and current, \
            0.003 degrees), and a certificate that states an expanded uncertainty of 0.04 %. The \
            errors are choices, well inside what is stated. Quantities and messages are those of \
            any meter; it has no registers. Which instrument it stands for is up to you: the \
            table-top meter of the smart plug's paper states far less.",
        fields: &METER,
    },
    build: |values, context, diagnostics| build(&RECIPE, values, context, diagnostics),
    ..DeviceKind::PLAIN
};

/// The registered acquisition of the static characterisation.
pub(crate) const PXI_6123: DeviceKind = DeviceKind {
    fits: Fits::Electricity { phases: RECIPE.phases },
    entry: Entry {
        name: "pxi-6123",
        summary: "16-bit acquisition at 500 kS/s: the reference of the static characterisation",
        description: "The acquisition beside the converter of the low-cost ARM meter paper \
            (section 7.1): 16 bits, 500 kS/s, both channels at once, range +-5 V, in which the converter's 0..3 V stands \
            for 460 V and 30 A. It reports mean values. Noise, gain and offset errors are choices \
            within what it states (0.02 % of full scale, k = 2); the manufacturer's values were not \
            available.",
        fields: &ACQUISITION,
    },
    build: |values, context, diagnostics| build(&RECIPE, values, context, diagnostics),
    ..DeviceKind::PLAIN
};
