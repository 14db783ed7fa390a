//! What the registers of a meter mean, by its data sheet: for the tool that writes them.

lastmeter_units::words! {
    /// What a register corrects.
    pub enum Role {
        /// Factor of the voltage.
        VoltageGain = "voltage gain",
        /// Factor of the current.
        CurrentGain = "current gain",
        /// Added to the voltage.
        VoltageOffset = "voltage offset",
        /// Added to the current.
        CurrentOffset = "current offset",
        /// Delay of the current.
        Delay = "delay of the current",
        /// Factor of the active power.
        ActiveGain = "active power gain",
        /// Factor of the reactive power.
        ReactiveGain = "reactive power gain",
        /// Factor of the apparent power.
        ApparentGain = "apparent power gain",
        /// Added to the square of the RMS current.
        CurrentSquare = "offset of the current's square",
        /// Added to the active power.
        ActiveOffset = "active power offset",
    }
}

lastmeter_units::words! {
    /// What a coefficient is counted in.
    pub enum Unit {
        /// A dimensionless factor.
        Factor = "1",
        /// Parts of the full scale, or of its square.
        FullScale = "full scale",
        /// Degrees at 50 Hz.
        Degree = "deg",
    }
}

/// How a register's bits stand for its value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Coding {
    /// Never negative.
    Unsigned,
    /// Two's complement.
    TwosComplement,
    /// The topmost bit is the sign.
    SignMagnitude,
}

/// A register of a data sheet.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Register {
    /// Its name in the data sheet.
    pub name: &'static str,
    /// What it corrects.
    pub role: Role,
    /// What its coefficient is counted in.
    pub unit: Unit,
    /// What one step of its value is worth.
    pub step: f64,
    /// Width in bits.
    pub bits: u32,
    /// How bits stand for the value.
    pub coding: Coding,
    /// The value it starts with.
    pub reset: i64,
    /// The least and the largest value.
    pub range: (i64, i64),
}

/// A coefficient that a register cannot hold.
#[derive(Clone, Copy, Debug, PartialEq, thiserror::Error)]
#[error("{register} would need the value {value}, and holds {least} to {largest}")]
pub struct OutOfRange {
    /// The name of the register.
    pub register: &'static str,
    /// The value that would be needed.
    pub value: f64,
    /// The least it holds.
    pub least: i64,
    /// The largest it holds.
    pub largest: i64,
}

impl Register {
    /// The coefficient that a value stands for.
    pub fn coefficient(&self, value: i64) -> f64 {
        value as f64 * self.step
    }

    /// The value nearest to a coefficient.
    pub fn value(&self, coefficient: f64) -> Result<i64, OutOfRange> {
        let (least, largest) = self.range;
        let value = (coefficient / self.step).round();
        if value >= least as f64 && value <= largest as f64 {
            return Ok(value as i64);
        }
        Err(OutOfRange { register: self.name, value, least, largest })
    }

    /// The bits of a value in range, as data sheets write them.
    pub fn word(&self, value: i64) -> String {
        let all = (1_i64 << self.bits) - 1;
        let bits = match self.coding {
            Coding::SignMagnitude if value < 0 => (1_i64 << (self.bits - 1)) | -value,
            _ => value & all,
        };
        format!("0x{bits:0digits$X}", digits = self.bits.div_ceil(4) as usize)
    }

    /// The value in what a meter answers about a register: `AVGAIN is 0x400000 (4194304)`.
    pub fn value_reported(&self, answer: &str) -> Option<i64> {
        let rest = answer.strip_prefix(self.name)?.strip_prefix(" is 0x")?;
        let (_, value) = rest.strip_suffix(')')?.split_once(" (")?;
        value.parse().ok().filter(|value| (self.range.0..=self.range.1).contains(value))
    }
}

const GAIN: f64 = 1.0 / 4_194_304.0;
/// Codes at full scale of the ADE7953: RMS values, and powers (data sheet, unverified).
const RMS_CODES: f64 = 9_032_007.0;
const POWER_CODES: f64 = 4_862_401.0;
const SIGNED_24: (i64, i64) = (-0x80_0000, 0x7F_FFFF);

const fn gain(name: &'static str, role: Role, range: (i64, i64)) -> Register {
    let (unit, step, bits, coding) = (Unit::Factor, GAIN, 24, Coding::Unsigned);
    Register { name, role, unit, step, bits, coding, reset: 0x40_0000, range }
}

const fn offset(name: &'static str, role: Role, step: f64) -> Register {
    let (unit, bits, coding) = (Unit::FullScale, 24, Coding::TwosComplement);
    Register { name, role, unit, step, bits, coding, reset: 0, range: SIGNED_24 }
}

const fn delay(name: &'static str, step: f64, most: i64) -> Register {
    let (unit, bits, coding) = (Unit::Degree, 16, Coding::SignMagnitude);
    Register { name, role: Role::Delay, unit, step, bits, coding, reset: 0, range: (-most, most) }
}

/// Gains from 0.5 to 1.5.
const HALF: (i64, i64) = (0x20_0000, 0x60_0000);
/// Gains from 0.5 to 2.
const WIDE: (i64, i64) = (0x20_0000, 0x80_0000);

pub(crate) static ADE7953: &[Register] = &[
    gain("AVGAIN", Role::VoltageGain, HALF),
    gain("AIGAIN", Role::CurrentGain, HALF),
    gain("AWGAIN", Role::ActiveGain, HALF),
    delay("PHCALA", 0.02, 383),
    gain("AVARGAIN", Role::ReactiveGain, HALF),
    gain("AVAGAIN", Role::ApparentGain, HALF),
    offset("AIRMSOS", Role::CurrentSquare, 4096.0 / (RMS_CODES * RMS_CODES)),
    offset("AWATTOS", Role::ActiveOffset, 1.0 / POWER_CODES),
];

/// Those of firmware that corrects samples before anything is computed from them.
pub(crate) static PLAIN: &[Register] = &[
    gain("UGAIN1", Role::VoltageGain, WIDE),
    gain("IGAIN1", Role::CurrentGain, WIDE),
    offset("UOFFSET1", Role::VoltageOffset, 1.0 / 8_388_608.0),
    offset("IOFFSET1", Role::CurrentOffset, 1.0 / 8_388_608.0),
    delay("PHASE1", 0.001, 7000),
];
