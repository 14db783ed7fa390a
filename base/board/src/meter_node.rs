//! The metering network's frames: a meter as a node that answers remote frames.
//!
//! Identifiers are standard ones: `register * 32 + node`, nodes 1 to 31, and 0 for all of them.
//! Integers are big endian. A `freeze` closes a reading (everything since the freeze before); what
//! is asked for afterwards is of that reading, so its values belong together. Remote frames have
//! the data length code 8, for two that ask with different ones garble each other.

use lastmeter_units::{Direction, MeasurementId, Phase, Quantity};

/// What a node can be asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Register {
    /// Closes a reading: its number, the windows in it (24 bits), and the byte that came with the
    /// order, which distinguishes the answer from a late one.
    Freeze = 0x01,
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
}

impl Register {
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
/// that holds no measured value, or of too few bytes.
pub fn values(register: Register, data: &[u8]) -> Vec<(Quantity, f64)> {
    let Some(&data) = data.first_chunk::<8>() else { return Vec::new() };
    let first = u32::from_be_bytes([data[0], data[1], data[2], data[3]]);
    let second = u32::from_be_bytes([data[4], data[5], data[6], data[7]]);
    let (whole, unsigned) = (i64::from_be_bytes(data), u64::from_be_bytes(data));
    match register {
        Register::VoltageCurrent => vec![
            (Quantity::VoltageRms, f64::from(first) * 1e-6),
            (Quantity::CurrentRms, f64::from(second) * 1e-6),
        ],
        Register::ActivePower => {
            let watts = whole as f64 * 1e-6;
            let (consumed, injected) = (watts.max(0.0), (-watts).max(0.0));
            vec![
                (Quantity::ActivePower(Direction::Consumed), consumed),
                (Quantity::ActivePower(Direction::Injected), injected),
            ]
        }
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
        Register::Freeze
        | Register::Number
        | Register::Profile
        | Register::Status
        | Register::Version
        | Register::Calibration => Vec::new(),
    }
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
mod tests {
    use super::*;

    /// Typed in: what the firmware answered to 230 V, 5 A, 60 degrees.
    #[test]
    fn answers_are_decoded_by_their_registers() {
        let data = [0x0D, 0xB5, 0x85, 0x80, 0x00, 0x4C, 0x4B, 0x40];
        let found = values(Register::VoltageCurrent, &data);
        assert_eq!(found, [(Quantity::VoltageRms, 230.0), (Quantity::CurrentRms, 5.0)]);
        let injected = values(Register::ActivePower, &(-575_000_000_i64).to_be_bytes());
        assert_eq!(injected[0].1, 0.0);
        assert!((injected[1].1 - 575.0).abs() < 1e-9);
        let mut data = [0; 8];
        data[..4].copy_from_slice(&(-500_000_i32).to_be_bytes());
        data[4..].copy_from_slice(&50_000_000_u32.to_be_bytes());
        let found = values(Register::FactorFrequency, &data);
        assert_eq!(found, [(Quantity::PowerFactor, -0.5), (Quantity::Frequency, 50.0)]);
        assert!(values(Register::VoltageCurrent, &data[..7]).is_empty());
    }

    #[test]
    fn identifiers_of_a_node() {
        assert_eq!(Register::VoltageCurrent.identifier(1), 0x201);
        assert_eq!(Register::Freeze.identifier(31), 0x3F);
        assert_eq!(Register::Calibration.identifier(5), 0x345);
        for (quantity, _) in QUANTITIES {
            assert!(!identifiers(quantity).is_empty(), "{quantity:?}");
        }
    }
}
