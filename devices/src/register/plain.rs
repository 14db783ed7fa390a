//! The calibration coefficients of a meter whose firmware keeps them itself: gains of 24 bits with
//! 0x400000 as 1.0, offsets of 24 bits in 2^-23 of full scale, and a delay of the current of 16
//! bits, sign and magnitude, in thousandths of a degree at 50 Hz.

use super::{Coding, Effect, Factor, Row};

const GAIN: Factor = Factor { at_zero: 0.0, per_unit: 1.0 / 4_194_304.0 };
const OFFSET: f64 = 1.0 / 8_388_608.0;

const fn gain(name: &'static str, phase: usize, effect: Effect) -> Row {
    Row {
        name,
        addresses: &[],
        bits: 24,
        coding: Coding::Unsigned,
        reset: 0x40_0000,
        range: Some((0x20_0000, 0x80_0000)),
        phase,
        effect,
    }
}

const fn offset(name: &'static str, phase: usize, effect: Effect) -> Row {
    let (coding, range) = (Coding::TwosComplement, Some((-0x80_0000, 0x7F_FFFF)));
    Row { coding, reset: 0, range, ..gain(name, phase, effect) }
}

const fn delay(name: &'static str, phase: usize) -> Row {
    let (coding, range) = (Coding::SignMagnitude, Some((-7000, 7000)));
    Row { bits: 16, coding, reset: 0, range, ..gain(name, phase, Effect::Delay(0.001)) }
}

/// The coefficients of three phases; a single-phase meter uses the first five.
pub(crate) static ROWS: [Row; 15] = [
    gain("UGAIN1", 0, Effect::VoltageGain(GAIN)),
    gain("IGAIN1", 0, Effect::CurrentGain(GAIN)),
    offset("UOFFSET1", 0, Effect::VoltageOffset(OFFSET)),
    offset("IOFFSET1", 0, Effect::CurrentOffset(OFFSET)),
    delay("PHASE1", 0),
    gain("UGAIN2", 1, Effect::VoltageGain(GAIN)),
    gain("IGAIN2", 1, Effect::CurrentGain(GAIN)),
    offset("UOFFSET2", 1, Effect::VoltageOffset(OFFSET)),
    offset("IOFFSET2", 1, Effect::CurrentOffset(OFFSET)),
    delay("PHASE2", 1),
    gain("UGAIN3", 2, Effect::VoltageGain(GAIN)),
    gain("IGAIN3", 2, Effect::CurrentGain(GAIN)),
    offset("UOFFSET3", 2, Effect::VoltageOffset(OFFSET)),
    offset("IOFFSET3", 2, Effect::CurrentOffset(OFFSET)),
    delay("PHASE3", 2),
];

pub(crate) const PER_PHASE: usize = 5;
