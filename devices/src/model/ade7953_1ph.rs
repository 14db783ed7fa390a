//! A smart plug's measuring part around an ADE7953 (seeds 000 and 001): 24-bit sigma-delta at
//! 6.99 kS/s with its sinc^3 filter and high-pass, shunt, calibration registers.

use lastmeter_params::{Entry, Field};

use super::build::{Recipe, build};
use super::fields::{count, of_model};
use crate::calibration;
use crate::model::kind::{DeviceKind, Fits};
use crate::register::ade7953;

/// In what it differs from other meters.
pub(super) const DEFAULTS: [(&str, &str); 13] = [
    ("nominal_current", "\"10 A\""),
    ("current_headroom", "2.5"),
    ("voltage_headroom", "1.5"),
    ("sample_rate", "\"6990 Hz\""),
    ("decimation", "\"sinc3\""),
    ("current_sensor", "\"shunt\""),
    // Resistors of one per cent, before any calibration.
    ("voltage_gain_error", "\"0.8 %\""),
    ("current_gain_error", "\"-1.1 %\""),
    ("phase_error", "\"0.12 deg\""),
    ("voltage_high_pass", "\"0.5 Hz\""),
    ("current_high_pass", "\"0.5 Hz\""),
    ("voltage_snr", "80"),
    ("current_snr", "80"),
];

static FIELDS: [Field; count(&[])] = of_model(&[], &DEFAULTS);

pub(super) const RECIPE: Recipe = Recipe {
    phases: 1,
    registers: ade7953::ROWS,
    is_cvct: false,
    has_breaker: false,
    has_class: false,
};

pub(crate) const ADE7953_1PH: DeviceKind = DeviceKind {
    fits: Fits::Electricity { phases: RECIPE.phases },
    entry: Entry {
        name: "ade7953-1ph",
        summary: "smart plug with an ADE7953: single-phase, uncalibrated, with its registers",
        description: "The measuring part of a smart plug (230 V, 16 A). As delivered it is \
            uncalibrated: the gains are off by about a per cent, the phase by 0.12 degrees. The \
            commands `setRegister` (`register` = name or address, `value`) and `readRegister` \
            reach the chip's registers with their real widths: AIGAIN 0x280, AVGAIN 0x281, AWGAIN \
            0x282, AVARGAIN 0x283, AVAGAIN 0x284 (24 bits, 0x400000 is 1.0; also as 32 bits at \
            0x3xx), AIRMSOS 0x286, VRMSOS 0x288, AWATTOS 0x289, AVAROS 0x28A, AVAOS 0x28B \
            (24 bits, two's complement), PHCALA 0x108 (16 bits, sign and magnitude, 0.02 degrees \
            a step at 50 Hz), AP_NOLOAD 0x203, VRMS and IRMSA to read. Gains of U and I and the \
            phase act from the next sample on, those of powers and the offsets on the results of \
            the windows. With `decimation = \"sinc3\"`, its default, harmonics droop as the \
            converter's filter lets them; \"none\" is many times faster.",
        fields: &FIELDS,
    },
    registers: Some(calibration::ADE7953),
    build: |values, context, diagnostics| build(&RECIPE, values, context, diagnostics),
    ..DeviceKind::PLAIN
};
