//! What a node's registers hold of a reading, as the bytes of its answers.
//!
//! The layout is that of the metering network (`lastmeter_board::meter_node`), which reads what is
//! written here. Values beyond a register's range are the largest that it holds.

use std::collections::BTreeMap;

use lastmeter_board::meter_node::{ProfileInterval, Register, VoltageDip};
use lastmeter_units::{Direction, Quantity};

/// Values of a reading in SI units.
pub(super) type Values = BTreeMap<Quantity, f64>;

/// A reading that is closed.
#[derive(Clone, Debug, Default)]
pub(super) struct Closed {
    /// Counted from 1.
    pub(super) number: u32,
    /// How many measurements were made since the reading before.
    pub(super) measurements: u32,
    /// What came with the order to close it.
    pub(super) token: u8,
    /// What was measured last before it.
    pub(super) values: Values,
    /// The last interval of the power profile.
    pub(super) profile: Option<ProfileInterval>,
    /// The last voltage dip that was over.
    pub(super) dip: Option<VoltageDip>,
}

fn unsigned(value: f64) -> [u8; 4] {
    // The cast saturates.
    (value.round() as u32).to_be_bytes()
}

fn signed(value: f64) -> [u8; 4] {
    (value.round() as i32).to_be_bytes()
}

/// The last interval of the power profile; all zero before the first.
fn profile(register: Register, interval: Option<ProfileInterval>) -> Vec<u8> {
    let none = ProfileInterval { number: 0, mean_power_w: 0.0 };
    let ProfileInterval { number, mean_power_w } = interval.unwrap_or(none);
    let number = number.to_be_bytes();
    if register == Register::Profile {
        return [number, signed(mean_power_w * 1e3)].concat();
    }
    let steps = (mean_power_w * 10.0).clamp(-8_388_608.0, 8_388_607.0);
    [&number[3..], &signed(steps)[1..]].concat()
}

/// The last voltage dip; all zero before the first.
fn dip(register: Register, dip: Option<VoltageDip>) -> Vec<u8> {
    let none = VoltageDip { number: 0, residual_v: 0.0, duration_s: 0.0 };
    let VoltageDip { number, residual_v, duration_s } = dip.unwrap_or(none);
    let number = number.to_be_bytes();
    let [volts, seconds] =
        [residual_v, duration_s].map(|value| unsigned((value * 1e3).min(16_777_215.0)));
    match register {
        Register::CompactDipResidual => [&number[3..], &volts[1..]].concat(),
        Register::CompactDipDuration => [&number[3..], &seconds[1..]].concat(),
        _ => [&number[2..], &volts[1..], &seconds[1..]].concat(),
    }
}

/// The data of a register's answer; `None` of one that this node does not have.
pub(super) fn data(register: Register, closed: &Closed) -> Option<Vec<u8>> {
    let value = |quantity: Quantity| closed.values.get(&quantity).copied();
    let both = |first: Quantity, second: Quantity, steps: [f64; 2]| {
        let pair = [value(first)? * steps[0], value(second)? * steps[1]];
        Some(pair.map(unsigned).concat())
    };
    let energy = |direction| {
        let millijoules = value(Quantity::ActiveEnergy(direction))? * 1e3;
        Some((millijoules.round() as u64).to_be_bytes().to_vec())
    };
    let hundreds = |direction| {
        let hundreds = (value(Quantity::ActiveEnergy(direction))? / 100.0).floor();
        // The register begins again at 0.
        Some(((hundreds as u64) as u32).to_be_bytes().to_vec())
    };
    let net = || {
        let power = |direction| value(Quantity::ActivePower(direction));
        let injected = power(Direction::Injected).unwrap_or(0.0);
        Some(power(Direction::Consumed)? - injected)
    };
    let four = |bytes: Option<[u8; 4]>| bytes.map(|bytes| bytes.to_vec());
    let count = closed.measurements.min(0xFF_FFFF).to_be_bytes();
    let number = closed.number.to_be_bytes();
    match register {
        Register::Freeze => Some([&number[..], &count[1..], &[closed.token]].concat()),
        Register::CompactFreeze => Some([&[closed.token], &number[1..]].concat()),
        Register::VoltageCurrent => both(Quantity::VoltageRms, Quantity::CurrentRms, [1e6, 1e6]),
        Register::ActivePower => {
            net().map(|watts| ((watts * 1e6).round() as i64).to_be_bytes().to_vec())
        }
        Register::ApparentPower => {
            both(Quantity::ApparentPower, Quantity::NonActivePower, [1e3, 1e3])
        }
        Register::FactorFrequency => {
            let factor = signed(value(Quantity::PowerFactor)? * 1e6);
            Some([factor, unsigned(value(Quantity::Frequency)? * 1e6)].concat())
        }
        Register::Consumed => energy(Direction::Consumed),
        Register::Injected => energy(Direction::Injected),
        Register::Number => Some([number, [0; 4]].concat()),
        Register::Distortion => both(Quantity::VoltageThd, Quantity::CurrentThd, [1e6, 1e6]),
        Register::CompactVoltage => four(value(Quantity::VoltageRms).map(|it| unsigned(it * 1e6))),
        Register::CompactCurrent => four(value(Quantity::CurrentRms).map(|it| unsigned(it * 1e6))),
        Register::CompactActivePower => four(net().map(|it| signed(it * 1e3))),
        Register::CompactApparentPower => {
            four(value(Quantity::ApparentPower).map(|it| unsigned(it * 1e3)))
        }
        Register::CompactNonActivePower => {
            four(value(Quantity::NonActivePower).map(|it| unsigned(it * 1e3)))
        }
        Register::CompactFactor => four(value(Quantity::PowerFactor).map(|it| signed(it * 1e6))),
        Register::CompactFrequency => four(value(Quantity::Frequency).map(|it| unsigned(it * 1e6))),
        Register::CompactConsumed => hundreds(Direction::Consumed),
        Register::CompactInjected => hundreds(Direction::Injected),
        Register::CompactVoltageDistortion => {
            four(value(Quantity::VoltageThd).map(|it| unsigned(it * 1e6)))
        }
        Register::CompactCurrentDistortion => {
            four(value(Quantity::CurrentThd).map(|it| unsigned(it * 1e6)))
        }
        Register::CompactNumber => Some([&number[2..], &[0; 2]].concat()),
        Register::Profile | Register::CompactProfile => Some(profile(register, closed.profile)),
        Register::Dip | Register::CompactDipResidual | Register::CompactDipDuration => {
            Some(dip(register, closed.dip))
        }
        Register::Switch
        | Register::Status
        | Register::Version
        | Register::Calibration
        | Register::UniqueIdHigh
        | Register::UniqueIdLow => None,
    }
}

#[cfg(test)]
mod tests {
    use lastmeter_board::meter_node;
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Another package reads what is written here, to half a step of each register.
        #[test]
        fn what_is_written_is_read_by_the_network(
            volts in 0.0..4000.0_f64, amperes in 0.0..4000.0_f64, watts in -1e6..1e6_f64,
            joules in 0.0..1e12_f64, factor in -1.0..1.0_f64, thd in 0.0..2.0_f64,
        ) {
            let values = Values::from([
                (Quantity::VoltageRms, volts),
                (Quantity::CurrentRms, amperes),
                (Quantity::ActivePower(Direction::Consumed), watts.max(0.0)),
                (Quantity::ActivePower(Direction::Injected), (-watts).max(0.0)),
                (Quantity::ApparentPower, watts.abs()),
                (Quantity::NonActivePower, watts.abs()),
                (Quantity::PowerFactor, factor),
                (Quantity::Frequency, 50.0),
                (Quantity::ActiveEnergy(Direction::Consumed), joules),
                (Quantity::ActiveEnergy(Direction::Injected), joules),
                (Quantity::VoltageThd, thd),
                (Quantity::CurrentThd, thd),
            ]);
            let interval = ProfileInterval { number: 300, mean_power_w: watts };
            let dip = VoltageDip { number: 260, residual_v: volts, duration_s: amperes };
            let (profile, dip) = (Some(interval), Some(dip));
            let closed = Closed { number: 7, measurements: 3, token: 9, values, profile, dip };
            let mut found = 0;
            for register in Register::ALL {
                let Some(data) = data(register, &closed) else { continue };
                if let Some(found) = meter_node::profile_interval(register, &data) {
                    let (step, low) = if register.is_compact() { (0.1, 44) } else { (1e-3, 300) };
                    prop_assert_eq!(found.number, low);
                    let most = if register.is_compact() { 838_860.7 } else { 2_147_483.647 };
                    let off = found.mean_power_w - watts.clamp(-most, most);
                    prop_assert!(off.abs() <= 1.01 * step, "{:?} {}", register, off);
                }
                prop_assert_eq!(data.len(), if register.is_compact() { 4 } else { 8 });
                for (quantity, value) in meter_node::values(register, &data) {
                    found += 1;
                    let step = match (register.is_compact(), quantity) {
                        (
                            _,
                            Quantity::VoltageRms
                            | Quantity::CurrentRms
                            | Quantity::Frequency
                            | Quantity::PowerFactor
                            | Quantity::VoltageThd
                            | Quantity::CurrentThd,
                        )
                        | (false, Quantity::ActivePower(_)) => 1e-6,
                        (true, Quantity::ActiveEnergy(_)) => 200.0,
                        _ => 1e-3,
                    };
                    let expected = match (register.is_compact(), quantity) {
                        (true, Quantity::ActiveEnergy(_)) => joules % (100.0 * 4_294_967_296.0),
                        _ => closed.values[&quantity],
                    };
                    let off = (value - expected).abs();
                    prop_assert!(off <= 0.51 * step + 1e-12 * expected.abs(),
                        "{register:?} {quantity:?} {value} {expected}");
                }
            }
            let answer = |register| data(register, &closed).unwrap();
            let whole = meter_node::voltage_dip(&answer(Register::Dip)).unwrap();
            let parts = [Register::CompactDipResidual, Register::CompactDipDuration].map(answer);
            let compact = meter_node::compact_voltage_dip(&parts[0], &parts[1]).unwrap();
            prop_assert_eq!((whole.number, compact.number), (260, 4));
            for found in [whole, compact] {
                prop_assert!((found.residual_v - volts).abs() <= 0.000_51);
                prop_assert!((found.duration_s - amperes).abs() <= 0.000_51);
            }
            // Powers and energies have two directions each, in both layouts.
            prop_assert_eq!(found, 24);
        }
    }
}
