//! The smart meter of the low-cost ARM meter paper: its transducer before the 12-bit converter of
//! an STM32F107.

use lastmeter_params::{Dimension, Entry, Field, Kind};

use super::build::{Recipe, build, front_end};
use super::fields::{count, of_model};
use crate::calibration;
use crate::display;
use crate::front_end::board_converter::BoardConverter;
use crate::front_end::cvct::transducer_csv;
use crate::model::kind::{DeviceKind, Fits};
use crate::register::plain;

const OWN: &[Field] = &[
    display::FIELDS[0],
    display::FIELDS[1],
    display::FIELDS[2],
    display::FIELDS[3],
    display::FIELDS[4],
    display::FIELDS[5],
    display::FIELDS[6],
    display::FIELDS[7],
    Field::default(
        "recursions",
        Kind::Choice(&["corrected", "as-printed"]),
        "\"corrected\"",
        "With zero crossings: the paper's formulae as they must be meant, or as they are printed, \
         where the residual of the first crossing is added to the length of a window, and the \
         sample that leaves the sum of squares is one too late.",
    ),
    Field::default(
        "converter_range",
        Kind::Quantity { dimension: Dimension::Voltage, min: 3.0, max: 5.0 },
        "\"3.6 V\"",
        "Range of the converter from zero on; the transducer uses the lower 3 V of it.",
    ),
    Field::default(
        "transducer_bandwidth",
        Kind::Quantity { dimension: Dimension::Frequency, min: 1e3, max: 1e7 },
        "\"100 kHz\"",
        "Corner frequency of the transducer, unless `anti_alias` gives another.",
    ),
    Field::default(
        "transducer_start",
        Kind::Quantity { dimension: Dimension::Time, min: 1e-6, max: 1.0 },
        "\"5 ms\"",
        "Time constant with which its supply, and with it the middle of its outputs, comes up.",
    ),
];

static FIELDS: [Field; count(OWN)] = of_model(
    OWN,
    &[
        // 460 V and 30 A RMS are full scale.
        ("nominal_voltage", "\"230 V\""),
        ("voltage_headroom", "2"),
        ("nominal_current", "\"15 A\""),
        ("current_headroom", "2"),
        ("bits", "12"),
        ("sample_rate", "\"10 kHz\""),
        ("synchronisation", "\"zero-crossing\""),
        ("resampling", "\"linear\""),
        ("voltage_noise", "\"0 V\""),
        ("current_noise", "\"0 A\""),
    ],
);

const RECIPE: Recipe = Recipe {
    phases: 1,
    registers: plain::ROWS.first_chunk::<{ plain::PER_PHASE }>().unwrap(),
    is_cvct: true,
    has_breaker: false,
    has_class: false,
};

pub(crate) const CVCT_STM32F107: DeviceKind = DeviceKind {
    fits: Fits::Electricity { phases: RECIPE.phases },
    board_converter: Some(|values, context, out| {
        // A board corrects what it measures by registers of its own.
        let plain = Recipe { registers: &[], ..RECIPE };
        BoardConverter::new(values, front_end(&plain, values, context, out)?, out)
    }),
    entry: Entry {
        name: "cvct-stm32f107",
        summary: "the paper's smart meter: CVCT and 12-bit converter of an STM32F107",
        description: "Divider and shunt with differential amplifiers bring 460 V and 30 A (RMS of \
            a full-scale sine) to 0..3 V about 1.5 V, inverted, of which a 12-bit converter of \
            0..3.6 V makes steps of 0.381 V and 24.9 mA; the middle lies between two of them. The \
            supply comes up with the voltage (`transducer_start`), so the first window is off. \
            The firmware keeps coefficients that `setRegister` writes: UGAIN1, IGAIN1 (24 bits, \
            0x400000 is 1.0), UOFFSET1, IOFFSET1 (24 bits, 2^-23 of full scale), PHASE1 (16 bits, \
            thousandths of a degree). Windows are found at zero crossings and resampled by \
            straight lines, as published, to 4096 points (`window_samples = 256` as printed holds \
            twelve orders). The paper does not state its sampling rate; 10 kHz is a choice. With \
            `fidelity = \"windows\"` each window is computed in closed form, its limits and the \
            steps of the converter too; the start of the supply is left off.",
        fields: &FIELDS,
    },
    registers: Some(calibration::PLAIN),
    transducer: Some(|values| {
        transducer_csv(values.si("transducer_bandwidth"), values.si("transducer_start"))
    }),
    build: |values, context, diagnostics| build(&RECIPE, values, context, diagnostics),
    ..DeviceKind::PLAIN
};
