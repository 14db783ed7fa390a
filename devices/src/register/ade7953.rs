//! The registers of the ADE7953 that calibration and no-load need.
//!
//! Addresses, widths and defaults as in its data sheet: 24-bit registers at 0x2xx, the same as 32
//! bits at 0x3xx. Unverified: the gains' range of 0.5 to 1.5, the range of PHCAL
//! (+-383) and its sign (positive delays the current), the scales of the offsets (9 032 007 codes
//! RMS and 4 862 401 codes of power at full scale), `AP_NOLOAD = 65536 - range / 1.4`. Channel B
//! is not wired: its registers are kept.

use super::{Coding, Effect, Factor, Row};

/// 0x400000 is 1.0.
const GAIN: Factor = Factor { at_zero: 0.0, per_unit: 1.0 / 4_194_304.0 };

const RMS_CODES: f64 = 9_032_007.0;
const POWER_CODES: f64 = 4_862_401.0;
const SQUARE: f64 = 4096.0 / (RMS_CODES * RMS_CODES);
const POWER: f64 = 1.0 / POWER_CODES;

/// The registers of an ADE7953 (data sheet).
pub(crate) static ROWS: &[Row] = &[
    gain("AIGAIN", &[0x280, 0x380], Effect::CurrentGain(GAIN)),
    gain("AVGAIN", &[0x281, 0x381], Effect::VoltageGain(GAIN)),
    gain("AWGAIN", &[0x282, 0x382], Effect::ActiveGain(GAIN)),
    gain("AVARGAIN", &[0x283, 0x383], Effect::ReactiveGain(GAIN)),
    gain("AVAGAIN", &[0x284, 0x384], Effect::ApparentGain(GAIN)),
    offset("AIRMSOS", &[0x286, 0x386], Effect::CurrentSquare(SQUARE)),
    offset("VRMSOS", &[0x288, 0x388], Effect::VoltageSquare(SQUARE)),
    offset("AWATTOS", &[0x289, 0x389], Effect::ActiveOffset(POWER)),
    offset("AVAROS", &[0x28A, 0x38A], Effect::ReactiveOffset(POWER)),
    offset("AVAOS", &[0x28B, 0x38B], Effect::ApparentOffset(POWER)),
    gain("BIGAIN", &[0x28C, 0x38C], Effect::Kept),
    gain("BWGAIN", &[0x28E, 0x38E], Effect::Kept),
    offset("BVAOS", &[0x297, 0x397], Effect::Kept),
    phase("PHCALA", &[0x108], Effect::Delay(0.02)),
    phase("PHCALB", &[0x109], Effect::Kept),
    Row {
        name: "AP_NOLOAD",
        addresses: &[0x203, 0x303],
        bits: 24,
        coding: Coding::Unsigned,
        reset: 0x00_E419,
        range: Some((0, 0xFFFF)),
        phase: 0,
        effect: Effect::NoLoad(1.4),
    },
    kept("SAGCYC", &[0x000], 8, 0),
    kept("LCYCMODE", &[0x004], 8, 0x40),
    kept("PGA_V", &[0x007], 8, 0),
    kept("PGA_IA", &[0x008], 8, 0),
    kept("PGA_IB", &[0x009], 8, 0),
    kept("UNLOCK", &[0x0FE], 8, 0),
    kept("LINECYC", &[0x101], 16, 0),
    kept("CF1DEN", &[0x103], 16, 0x3F),
    kept("REQUIRED", &[0x120], 16, 0),
    kept("SAGLVL", &[0x200, 0x300], 24, 0),
    kept("OVLVL", &[0x224, 0x324], 24, 0x00FF_FFFF),
    kept("OILVL", &[0x225, 0x325], 24, 0x00FF_FFFF),
    reading("IRMSA", &[0x21A, 0x31A], Effect::CurrentReading(RMS_CODES)),
    reading("VRMS", &[0x21C, 0x31C], Effect::VoltageReading(RMS_CODES)),
    Row { range: None, ..kept("VERSION", &[0x702], 8, 0) },
];

const fn row(name: &'static str, addresses: &'static [u16], bits: u32, effect: Effect) -> Row {
    let coding = Coding::Unsigned;
    Row { name, addresses, bits, coding, reset: 0, range: None, phase: 0, effect }
}

const fn gain(name: &'static str, addresses: &'static [u16], effect: Effect) -> Row {
    let range = Some((0x20_0000, 0x60_0000));
    Row { reset: 0x40_0000, range, ..row(name, addresses, 24, effect) }
}

const fn offset(name: &'static str, addresses: &'static [u16], effect: Effect) -> Row {
    let range = Some((-0x80_0000, 0x7F_FFFF));
    Row { coding: Coding::TwosComplement, range, ..row(name, addresses, 24, effect) }
}

const fn phase(name: &'static str, addresses: &'static [u16], effect: Effect) -> Row {
    let range = Some((-383, 383));
    Row { coding: Coding::SignMagnitude, range, ..row(name, addresses, 16, effect) }
}

const fn kept(name: &'static str, addresses: &'static [u16], bits: u32, reset: u32) -> Row {
    let range = Some((0, (1 << bits) - 1));
    Row { reset, range, ..row(name, addresses, bits, Effect::Kept) }
}

const fn reading(name: &'static str, addresses: &'static [u16], effect: Effect) -> Row {
    row(name, addresses, 24, effect)
}
