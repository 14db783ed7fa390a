//! The calibrators of the STPM3x family, by name. All unverified: 12-bit gains
//! `0.875 + value / 16384` (0x800 is 1.0), a 10-bit delay of the current in steps of a 4 MHz clock
//! (0.0045 degrees at 50 Hz), 10-bit offsets of the powers in 2^-20 of full scale. A chip serves
//! two phases; here each phase has its own numbered set.

use super::{Coding, Effect, Factor, Row};

const GAIN: Factor = Factor { at_zero: 0.875, per_unit: 1.0 / 16_384.0 };
const STEP_DEG: f64 = 360.0 * 50.0 / 4e6;
const OFFSET: f64 = 1.0 / 1_048_576.0;

const fn row(name: &'static str, phase: usize, effect: Effect) -> Row {
    Row {
        name,
        addresses: &[],
        bits: 12,
        coding: Coding::Unsigned,
        reset: 0x800,
        range: Some((0, 4095)),
        phase,
        effect,
    }
}

const fn delay(name: &'static str, phase: usize) -> Row {
    Row { bits: 10, reset: 0, range: Some((0, 1023)), ..row(name, phase, Effect::Delay(STEP_DEG)) }
}

const fn offset(name: &'static str, phase: usize, effect: Effect) -> Row {
    let (coding, range) = (Coding::TwosComplement, Some((-512, 511)));
    Row { bits: 10, coding, reset: 0, range, ..row(name, phase, effect) }
}

/// The registers of three phases; a single-phase meter uses the first six.
pub(crate) static ROWS: [Row; 18] = [
    row("CHV1", 0, Effect::VoltageGain(GAIN)),
    row("CHC1", 0, Effect::CurrentGain(GAIN)),
    delay("PHC1", 0),
    offset("OFA1", 0, Effect::ActiveOffset(OFFSET)),
    offset("OFR1", 0, Effect::ReactiveOffset(OFFSET)),
    offset("OFS1", 0, Effect::ApparentOffset(OFFSET)),
    row("CHV2", 1, Effect::VoltageGain(GAIN)),
    row("CHC2", 1, Effect::CurrentGain(GAIN)),
    delay("PHC2", 1),
    offset("OFA2", 1, Effect::ActiveOffset(OFFSET)),
    offset("OFR2", 1, Effect::ReactiveOffset(OFFSET)),
    offset("OFS2", 1, Effect::ApparentOffset(OFFSET)),
    row("CHV3", 2, Effect::VoltageGain(GAIN)),
    row("CHC3", 2, Effect::CurrentGain(GAIN)),
    delay("PHC3", 2),
    offset("OFA3", 2, Effect::ActiveOffset(OFFSET)),
    offset("OFR3", 2, Effect::ReactiveOffset(OFFSET)),
    offset("OFS3", 2, Effect::ApparentOffset(OFFSET)),
];

pub(crate) const PER_PHASE: usize = 6;
