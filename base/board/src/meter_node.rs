//! The metering network's frames: a meter as a node that answers remote frames.
//!
//! Identifiers are standard ones: `register * 32 + node`, nodes 1 to 31, and 0 for all of them.
//! Integers are big endian. A `freeze` closes a reading (everything since the freeze before); what
//! is asked for afterwards is of that reading, so its values belong together. Remote frames have
//! the data length code 8, for two that ask with different ones garble each other.
//!
//! Compact registers have a layout for frames that carry their authentication in themselves: 4
//! bytes of data, 1 byte of freshness, 3 bytes of tag. Numbers 0x30 to 0x3F are free. For other
//! programs `base/can/metering-network.dbc` has the same layout; a test holds the two together.

mod unique_id;

use lastmeter_units::{Direction, MeasurementId, Phase, Quantity};

pub use unique_id::{UniqueId, UniqueIdHalves};

/// What a node can be asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Register {
    /// Closes a reading: its number, the windows in it (24 bits), and the byte that came with the
    /// order, which distinguishes the answer from a late one.
    Freeze = 0x01,
    /// Closes a reading: the byte that came with the order, the low 24 bits of its number (0 in the
    /// order).
    CompactFreeze = 0x02,
    /// Opens or closes the switching unit: the order has 1 to close or 0 to open and a token; the
    /// answer has the state and the same token. An order to all nodes may have a third byte, the
    /// number of the one that it is for (0: all); an authenticated one is always to all.
    Switch = 0x03,
    /// RMS voltage in uV, RMS current in uA.
    VoltageCurrent = 0x10,
    /// Active power in uW.
    ActivePower = 0x11,
    /// Apparent power in mVA, non-active power in mvar.
    ApparentPower = 0x12,
    /// Power factor in millionths, frequency in uHz.
    FactorFrequency = 0x13,
    /// Active energy consumed, in mJ.
    Consumed = 0x14,
    /// Active energy injected, in mJ.
    Injected = 0x15,
    /// The reading's number, and how many of its windows were not synchronised.
    Number = 0x16,
    /// Number and mean power, in mW, of the last interval of the power profile.
    Profile = 0x17,
    /// Failed self-tests, restarts, refused frames and lost bytes, 16 bits each.
    Status = 0x18,
    /// Version, node, CRC-32 of the image.
    Version = 0x19,
    /// A calibration register: its number in the first byte, its value in the last four.
    Calibration = 0x1A,
    /// Total harmonic distortion of voltage and current, in millionths of the fundamental. The
    /// firmware does not measure it.
    Distortion = 0x1B,
    /// The last voltage dip: its number (16 bits), residual voltage in mV and duration in ms (24
    /// bits each).
    Dip = 0x1C,
    /// Bits 63 to 0 of the node's unique id. The firmware has none.
    UniqueIdLow = 0x1D,
    /// Bits 95 to 32 of it. A node announces this half and then the other, which goes before the
    /// first half of another node, so that no two are mixed.
    UniqueIdHigh = 0x1F,
    /// RMS voltage in uV.
    CompactVoltage = 0x20,
    /// RMS current in uA.
    CompactCurrent = 0x21,
    /// Active power in mW, positive when consumed.
    CompactActivePower = 0x22,
    /// Apparent power in mVA.
    CompactApparentPower = 0x23,
    /// Non-active power in mvar.
    CompactNonActivePower = 0x24,
    /// Power factor in millionths.
    CompactFactor = 0x25,
    /// Frequency in uHz.
    CompactFrequency = 0x26,
    /// Active energy consumed, in 100 J; begins again at 0 after 429 GJ.
    CompactConsumed = 0x27,
    /// Active energy injected, likewise.
    CompactInjected = 0x28,
    /// Total harmonic distortion of the voltage, in millionths.
    CompactVoltageDistortion = 0x29,
    /// Total harmonic distortion of the current, in millionths.
    CompactCurrentDistortion = 0x2A,
    /// Of the last voltage dip: the low 8 bits of its number, residual voltage in mV.
    CompactDipResidual = 0x2B,
    /// Of the last voltage dip: the low 8 bits of its number, duration in ms.
    CompactDipDuration = 0x2C,
    /// The low 8 bits of the number of the last interval of the power profile, its mean power in
    /// 0.1 W (24 bits).
    CompactProfile = 0x2D,
    /// The low 16 bits of the reading's number, and how many of its windows were not synchronised.
    CompactNumber = 0x2E,
}

impl Register {
    /// All of them, by number.
    pub const ALL: [Self; 33] = [
        Self::Freeze,
        Self::CompactFreeze,
        Self::Switch,
        Self::VoltageCurrent,
        Self::ActivePower,
        Self::ApparentPower,
        Self::FactorFrequency,
        Self::Consumed,
        Self::Injected,
        Self::Number,
        Self::Profile,
        Self::Status,
        Self::Version,
        Self::Calibration,
        Self::Distortion,
        Self::Dip,
        Self::UniqueIdLow,
        Self::UniqueIdHigh,
        Self::CompactVoltage,
        Self::CompactCurrent,
        Self::CompactActivePower,
        Self::CompactApparentPower,
        Self::CompactNonActivePower,
        Self::CompactFactor,
        Self::CompactFrequency,
        Self::CompactConsumed,
        Self::CompactInjected,
        Self::CompactVoltageDistortion,
        Self::CompactCurrentDistortion,
        Self::CompactDipResidual,
        Self::CompactDipDuration,
        Self::CompactProfile,
        Self::CompactNumber,
    ];

    /// Register and node of an identifier, if there is such a register.
    pub fn of_identifier(identifier: u16) -> Option<(Self, u8)> {
        let number = identifier >> 5;
        let register = Self::ALL.into_iter().find(|register| u16::from(*register as u8) == number);
        register.map(|register| (register, (identifier & 31) as u8))
    }

    /// Whether it has the layout of 4 bytes of data.
    pub fn is_compact(self) -> bool {
        self == Self::CompactFreeze || self >= Self::CompactVoltage
    }

    /// The identifier of a node's register.
    pub fn identifier(self, node: u8) -> u16 {
        u16::from(self as u8) << 5 | u16::from(node & 31)
    }
}

/// The registers that make a reading, in the order in which they are asked for.
pub const READING: [Register; 6] = [
    Register::VoltageCurrent,
    Register::ActivePower,
    Register::ApparentPower,
    Register::FactorFrequency,
    Register::Consumed,
    Register::Injected,
];

/// What a reading holds: what the firmware measures.
pub const QUANTITIES: [(Quantity, Phase); 10] = [
    (Quantity::VoltageRms, Phase::L1),
    (Quantity::CurrentRms, Phase::L1),
    (Quantity::ActivePower(Direction::Consumed), Phase::L1),
    (Quantity::ActivePower(Direction::Injected), Phase::L1),
    (Quantity::ApparentPower, Phase::L1),
    (Quantity::NonActivePower, Phase::L1),
    (Quantity::PowerFactor, Phase::L1),
    (Quantity::Frequency, Phase::None),
    (Quantity::ActiveEnergy(Direction::Consumed), Phase::L1),
    (Quantity::ActiveEnergy(Direction::Injected), Phase::L1),
];

/// What the data of a node's answer mean, in SI units (joules for energies); nothing of a register
/// that holds no measured value, or of too few bytes. Of a compact register count the first four.
pub fn values(register: Register, data: &[u8]) -> Vec<(Quantity, f64)> {
    if register.is_compact() {
        return data.first_chunk().map_or_else(Vec::new, |data| compact_values(register, *data));
    }
    let Some(&data) = data.first_chunk::<8>() else { return Vec::new() };
    let first = u32::from_be_bytes([data[0], data[1], data[2], data[3]]);
    let second = u32::from_be_bytes([data[4], data[5], data[6], data[7]]);
    let (whole, unsigned) = (i64::from_be_bytes(data), u64::from_be_bytes(data));
    match register {
        Register::VoltageCurrent => vec![
            (Quantity::VoltageRms, f64::from(first) * 1e-6),
            (Quantity::CurrentRms, f64::from(second) * 1e-6),
        ],
        Register::ActivePower => by_direction(whole as f64 * 1e-6),
        Register::ApparentPower => vec![
            (Quantity::ApparentPower, f64::from(first) * 1e-3),
            (Quantity::NonActivePower, f64::from(second) * 1e-3),
        ],
        Register::FactorFrequency => {
            // Two's complement on the wire.
            let factor = first.cast_signed();
            vec![
                (Quantity::PowerFactor, f64::from(factor) * 1e-6),
                (Quantity::Frequency, f64::from(second) * 1e-6),
            ]
        }
        Register::Consumed => {
            vec![(Quantity::ActiveEnergy(Direction::Consumed), unsigned as f64 * 1e-3)]
        }
        Register::Injected => {
            vec![(Quantity::ActiveEnergy(Direction::Injected), unsigned as f64 * 1e-3)]
        }
        Register::Distortion => vec![
            (Quantity::VoltageThd, f64::from(first) * 1e-6),
            (Quantity::CurrentThd, f64::from(second) * 1e-6),
        ],
        _ => Vec::new(),
    }
}

fn compact_values(register: Register, data: [u8; 4]) -> Vec<(Quantity, f64)> {
    let (unsigned, signed) =
        (f64::from(u32::from_be_bytes(data)), f64::from(i32::from_be_bytes(data)));
    let value = match register {
        Register::CompactActivePower => return by_direction(signed * 1e-3),
        Register::CompactVoltage => (Quantity::VoltageRms, unsigned * 1e-6),
        Register::CompactCurrent => (Quantity::CurrentRms, unsigned * 1e-6),
        Register::CompactApparentPower => (Quantity::ApparentPower, unsigned * 1e-3),
        Register::CompactNonActivePower => (Quantity::NonActivePower, unsigned * 1e-3),
        Register::CompactFactor => (Quantity::PowerFactor, signed * 1e-6),
        Register::CompactFrequency => (Quantity::Frequency, unsigned * 1e-6),
        Register::CompactConsumed => {
            (Quantity::ActiveEnergy(Direction::Consumed), unsigned * 100.0)
        }
        Register::CompactInjected => {
            (Quantity::ActiveEnergy(Direction::Injected), unsigned * 100.0)
        }
        Register::CompactVoltageDistortion => (Quantity::VoltageThd, unsigned * 1e-6),
        Register::CompactCurrentDistortion => (Quantity::CurrentThd, unsigned * 1e-6),
        _ => return Vec::new(),
    };
    vec![value]
}

/// Both directions of a power that is positive when consumed.
fn by_direction(watts: f64) -> Vec<(Quantity, f64)> {
    vec![
        (Quantity::ActivePower(Direction::Consumed), watts.max(0.0)),
        (Quantity::ActivePower(Direction::Injected), (-watts).max(0.0)),
    ]
}

/// The last interval of a node's power profile.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ProfileInterval {
    /// Counted from 1; of [`Register::CompactProfile`] the low 8 bits of it.
    pub number: u32,
    /// Mean power, positive when consumed.
    pub mean_power_w: f64,
}

/// The power profile's interval in the data of [`Register::Profile`] or
/// [`Register::CompactProfile`]; nothing of other registers or of too few bytes.
pub fn profile_interval(register: Register, data: &[u8]) -> Option<ProfileInterval> {
    match (register, data) {
        (Register::Profile, &[n3, n2, n1, n0, p3, p2, p1, p0, ..]) => Some(ProfileInterval {
            number: u32::from_be_bytes([n3, n2, n1, n0]),
            mean_power_w: f64::from(i32::from_be_bytes([p3, p2, p1, p0])) * 1e-3,
        }),
        (Register::CompactProfile, &[number, p2, p1, p0, ..]) => Some(ProfileInterval {
            number: number.into(),
            // 24 bits, with their sign on top.
            mean_power_w: f64::from(i32::from_be_bytes([p2, p1, p0, 0]) >> 8) * 0.1,
        }),
        _ => None,
    }
}

/// The last voltage dip that a node has seen the end of.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct VoltageDip {
    /// Counted from 1, and 0 before the first; of compact registers the low 8 bits of it.
    pub number: u32,
    /// The least RMS voltage during it.
    pub residual_v: f64,
    /// At most 16777 s.
    pub duration_s: f64,
}

/// The dip in the data of [`Register::Dip`].
pub fn voltage_dip(data: &[u8]) -> Option<VoltageDip> {
    let &[n1, n0, v2, v1, v0, d2, d1, d0, ..] = data else { return None };
    let thousandths = |bytes: [u8; 4]| f64::from(u32::from_be_bytes(bytes)) * 1e-3;
    Some(VoltageDip {
        number: u16::from_be_bytes([n1, n0]).into(),
        residual_v: thousandths([0, v2, v1, v0]),
        duration_s: thousandths([0, d2, d1, d0]),
    })
}

/// The dip in the data of [`Register::CompactDipResidual`] and [`Register::CompactDipDuration`];
/// nothing if they are of two dips.
pub fn compact_voltage_dip(residual: &[u8], duration: &[u8]) -> Option<VoltageDip> {
    let (&[number, v2, v1, v0, ..], &[other, d2, d1, d0, ..]) = (residual, duration) else {
        return None;
    };
    if number != other {
        return None;
    }
    voltage_dip(&[0, number, v2, v1, v0, d2, d1, d0])
}

/// The identifier under which a quantity is reported: of the phase, or of the total where there is
/// only that.
pub fn identifiers(quantity: Quantity) -> Vec<MeasurementId> {
    [Phase::L1, Phase::None, Phase::Total]
        .into_iter()
        .filter_map(|phase| MeasurementId::of(quantity, phase))
        .collect()
}

#[cfg(test)]
mod tests;
