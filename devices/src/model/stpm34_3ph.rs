//! Three-phase meter built on converters of the STPM3x family.
//!
//! Defaults follow the maker's data: second-order 24-bit sigma-delta converters at 7.8125 kS/s,
//! active energy within 0.1 % over 5000:1. Of the chip's registers those that calibrate are there
//! (`register::stpm3x`); the droop of its filter (-3 dB at 3.6 kHz) is off unless `decimation`
//! asks for it.

use lastmeter_params::{Entry, Field};

use super::build::{Recipe, build};
use super::fields::{count, of_model};
use crate::model::kind::{DeviceKind, Fits};
use crate::register::stpm3x;

static FIELDS: [Field; count(&[])] = of_model(&[], &[]);

const RECIPE: Recipe = Recipe {
    phases: 3,
    registers: &stpm3x::ROWS,
    is_cvct: false,
    has_breaker: false,
    has_class: false,
};

pub(crate) const STPM34_3PH: DeviceKind = DeviceKind {
    fits: Fits::Electricity { phases: RECIPE.phases },
    entry: Entry {
        name: "stpm34-3ph",
        summary: "three-phase meter with STPM3x converters: U, I, P, Q, S, PF, f, energies",
        description: "Three voltages and three currents go through a front end (ratio, gain and \
            phase error, offset, noise, range, converter steps, and the other parameters) into \
            a metrology engine with gapless windows of 10 cycles (50 Hz) or 12 (60 Hz). Every \
            `report_every` the meter publishes one reading with its serial number over MQTT: RMS \
            means of voltages and currents, means of powers, the power factor P/S of those means, \
            and energy registers. With `fidelity = \"samples\"` every sample is computed; with \
            \"windows\" each window comes in closed form from the source's spectrum, which is \
            thousands of times faster, but follows linear stages only. The meter obeys the \
            commands `setReportingPeriod` (`seconds`), `setRegister` (`register`, `value`) and \
            `readRegister` (`register`); its registers are CHV1..3, CHC1..3 (gains), PHC1..3 \
            (delays of the currents), OFA, OFR, OFS 1..3 (offsets of powers), with the widths of \
            the STPM3x as far as known.",
        fields: &FIELDS,
    },
    build: |values, context, diagnostics| build(&RECIPE, values, context, diagnostics),
    ..DeviceKind::PLAIN
};
