//! What nodes answer, typed in, and held to the database that other programs read.

use lastmeter_can::dbc::metering::metering_network;
use lastmeter_can::frame::{CanFrame, CanId};
use proptest::prelude::*;

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
#[test]
fn profile_and_dips_are_decoded() {
    let data = [0, 0, 1, 2, 0xFF, 0xFF, 0xFC, 0x18];
    let interval = profile_interval(Register::Profile, &data).unwrap();
    assert_eq!(interval, ProfileInterval { number: 258, mean_power_w: -1.0 });
    let interval = profile_interval(Register::CompactProfile, &[7, 0xFF, 0xFF, 0xFE]).unwrap();
    assert_eq!(interval, ProfileInterval { number: 7, mean_power_w: -0.2 });
    assert_eq!(profile_interval(Register::Profile, &data[..7]), None);
    // 161 V for 200 ms.
    let dip = VoltageDip { number: 3, residual_v: 161.0, duration_s: 0.2 };
    assert_eq!(voltage_dip(&[0, 3, 0x02, 0x74, 0xE8, 0, 0, 200]), Some(dip));
    let (residual, duration) = ([3, 0x02, 0x74, 0xE8], [3, 0, 0, 200]);
    assert_eq!(compact_voltage_dip(&residual, &duration), Some(dip));
    assert_eq!(compact_voltage_dip(&residual, &[4, 0, 0, 200]), None);
    assert_eq!(voltage_dip(&residual), None);
}

/// Typed in: the first eight bytes, and the last eight.
#[test]
fn a_unique_id_is_joined_of_its_halves_and_of_no_others() {
    let bytes = [0, 0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77, 0x88, 0x99, 0xAA, 0xBB];
    let id = UniqueId::from_bytes(bytes);
    assert_eq!(UniqueId::from_hex("00112233445566778899AAbb"), Some(id));
    assert_eq!(id.to_string(), "00112233445566778899aabb");
    for wrong in
        ["", "+0112233445566778899aabb", "0112233445566778899aabb", "00112233445566778899aabbc"]
    {
        assert_eq!(UniqueId::from_hex(wrong), None, "{wrong}");
    }
    let (high, low) = (&bytes[..8], &bytes[4..]);
    assert_eq!(id.half(Register::UniqueIdHigh).unwrap(), high);
    assert_eq!(id.half(Register::UniqueIdLow).unwrap(), low);
    assert_eq!(id.half(Register::Version), None);
    let mut halves = UniqueIdHalves::default();
    assert_eq!(halves.take(Register::UniqueIdLow, low), None);
    assert_eq!(halves.take(Register::UniqueIdHigh, high), None);
    assert_eq!(halves.take(Register::UniqueIdLow, &[0x44, 0x55, 0x66, 0x78, 0, 0, 0, 0]), None);
    assert_eq!(halves.take(Register::UniqueIdLow, &low[..7]), None);
    assert_eq!(halves.take(Register::UniqueIdLow, low), Some(id));
    assert_eq!(halves.take(Register::UniqueIdLow, low), None, "each half is of one announcement");
}

#[test]
fn registers_are_those_of_the_database() {
    let named: Vec<(Option<(Register, u8)>, String)> = metering_network()
        .messages()
        .map(|message| {
            let id = u16::try_from(message.id.value()).unwrap();
            (Register::of_identifier(id), message.name.clone())
        })
        .collect();
    for (found, name) in &named {
        let (register, node) = found.unwrap_or_else(|| panic!("no register has {name}"));
        let expected = if node == 0 { "All".to_owned() } else { format!("Node{node}") };
        assert_eq!(*name, format!("{expected}_{register:?}"));
    }
    for register in Register::ALL {
        for node in 1..32 {
            let id = CanId::standard(register.identifier(node).into()).unwrap();
            let message = metering_network().message(id).unwrap();
            let tail = ["Freshness", "Tag"].map(|name| {
                message
                    .signals
                    .iter()
                    .find(|signal| signal.name == name)
                    .map(|signal| (signal.start_bit, signal.length_bits))
            });
            let compact = [Some((39, 8)), Some((47, 24))];
            let expected = if register.is_compact() { compact } else { [None; 2] };
            assert_eq!(tail, expected, "{register:?}");
        }
    }
}

/// What a quantity is called in the database.
fn signal_of(quantity: Quantity) -> (&'static str, &'static str) {
    match quantity {
        Quantity::VoltageRms => ("Voltage", "V"),
        Quantity::CurrentRms => ("Current", "A"),
        Quantity::ActivePower(_) => ("ActivePower", "W"),
        Quantity::ApparentPower => ("ApparentPower", "VA"),
        Quantity::NonActivePower => ("NonActivePower", "var"),
        Quantity::PowerFactor => ("PowerFactor", ""),
        Quantity::Frequency => ("Frequency", "Hz"),
        Quantity::ActiveEnergy(Direction::Consumed) => ("ConsumedEnergy", "J"),
        Quantity::ActiveEnergy(Direction::Injected) => ("InjectedEnergy", "J"),
        Quantity::VoltageThd => ("VoltageDistortion", ""),
        Quantity::CurrentThd => ("CurrentDistortion", ""),
        other => panic!("{other:?} is not in the database"),
    }
}

proptest! {
    /// Two decoders: this one, and that of databases with the file.
    #[test]
    fn values_are_those_of_the_database(
        register in prop::sample::select(Register::ALL.to_vec()),
        node in 1u8..32,
        data in any::<[u8; 8]>(),
    ) {
        let id = CanId::standard(register.identifier(node).into()).unwrap();
        let frame = CanFrame::data(id, &data).unwrap();
        let listed = metering_network().decode(&frame).unwrap();
        let listed = |name: &str| listed.iter().find(|value| value.name == name).unwrap();
        for (quantity, found) in values(register, &data) {
            let (name, unit) = signal_of(quantity);
            let expected = match quantity {
                Quantity::ActivePower(Direction::Consumed) => listed(name).value.max(0.0),
                Quantity::ActivePower(Direction::Injected) => (-listed(name).value).max(0.0),
                _ => listed(name).value,
            };
            prop_assert_eq!((found, listed(name).unit), (expected, unit));
        }
        if let Some(interval) = profile_interval(register, &data) {
            prop_assert_eq!(f64::from(interval.number), listed("Number").value);
            prop_assert_eq!(interval.mean_power_w, listed("MeanPower").value);
        }
        if register == Register::Dip {
            let dip = voltage_dip(&data).unwrap();
            let found = [f64::from(dip.number), dip.residual_v, dip.duration_s];
            let expected = ["Number", "ResidualVoltage", "Duration"].map(|name| listed(name).value);
            prop_assert_eq!(found, expected);
        }
    }
}
