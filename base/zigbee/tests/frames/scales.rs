//! Quantities in SI units, and each way in which a scale is wrong.

use lastmeter_zigbee::scale::{Quantity, ScaleError, Scales};
use lastmeter_zigbee::zcl::cluster::{ELECTRICAL_MEASUREMENT, METERING};
use lastmeter_zigbee::zcl::{Attribute, Type, Value};

fn attribute(id: u16, value: Value<'_>) -> Attribute<'_> {
    Attribute { id, value }
}

/// Voltage by 1/10, current by 1/1000, power by 10/1, frequency by 1/100, energy and demand by
/// 1/10000.
fn scales() -> Scales {
    let mut scales = Scales::default();
    for (id, number) in [
        (0x0400, 1),
        (0x0401, 100),
        (0x0600, 1),
        (0x0601, 10),
        (0x0602, 1),
        (0x0603, 1000),
        (0x0604, 10),
        (0x0605, 1),
    ] {
        let scale = attribute(id, Value::U16(Some(number)));
        assert_eq!(scales.learn(ELECTRICAL_MEASUREMENT, &scale), Ok(true));
    }
    for (id, number) in [(0x0301, 1), (0x0302, 10_000)] {
        assert_eq!(scales.learn(METERING, &attribute(id, Value::U24(Some(number)))), Ok(true));
    }
    assert_eq!(scales.learn(METERING, &attribute(0x0300, Value::Enum8(Some(0)))), Ok(true));
    scales
}

#[test]
fn attributes_become_quantities() {
    use Quantity as Q;
    let (metering, electrical) = (METERING, ELECTRICAL_MEASUREMENT);
    let cases = [
        // 12345.6789 kWh, and a step of 0.1 Wh.
        (
            metering,
            0x0000,
            Value::U48(Some(123_456_789)),
            Q::EnergyDelivered,
            44_444_444_040.0,
            360.0,
        ),
        (metering, 0x0001, Value::U48(Some(10_000)), Q::EnergyReceived, 3.6e6, 360.0),
        (metering, 0x0400, Value::I24(Some(-15_000)), Q::Demand, -1500.0, 0.1),
        (metering, 0x0006, Value::I8(Some(-95)), Q::PowerFactor, -0.95, 0.01),
        (electrical, 0x0505, Value::U16(Some(2301)), Q::VoltageRms, 230.1, 0.1),
        (electrical, 0x0508, Value::U16(Some(16_000)), Q::CurrentRms, 16.0, 0.001),
        (electrical, 0x050B, Value::I16(Some(-12)), Q::ActivePower, -120.0, 10.0),
        (electrical, 0x050E, Value::I16(Some(3)), Q::ReactivePower, 30.0, 10.0),
        (electrical, 0x050F, Value::U16(Some(13)), Q::ApparentPower, 130.0, 10.0),
        (electrical, 0x0510, Value::I8(Some(100)), Q::PowerFactor, 1.0, 0.01),
        (electrical, 0x0300, Value::U16(Some(4998)), Q::Frequency, 49.98, 0.01),
        (0x0402, 0x0000, Value::I16(Some(-555)), Q::Temperature, -5.55, 0.01),
        (0x0001, 0x0020, Value::U8(Some(31)), Q::BatteryVoltage, 3.1, 0.1),
        (0x0001, 0x0021, Value::U8(Some(150)), Q::BatteryCharge, 0.75, 0.005),
    ];
    let scales = scales();
    for (cluster, id, value, quantity, expected, resolution) in cases {
        let scaled = scales.convert(cluster, &attribute(id, value)).unwrap().unwrap();
        assert_eq!((scaled.quantity, scaled.value), (quantity, expected), "{id:04X}");
        assert_eq!(scaled.resolution, resolution, "{id:04X}");
    }
    let largest = Value::U48(Some((1 << 48) - 2));
    let scaled = scales.convert(metering, &attribute(0, largest)).unwrap().unwrap();
    assert_eq!(scaled.value, ((1_u64 << 48) - 2) as f64 * 360.0);
    assert_eq!((Q::EnergyDelivered.unit(), Q::Temperature.unit()), ("J", "°C"));
}

#[test]
fn no_value_is_no_number() {
    for (cluster, id, value) in [
        (ELECTRICAL_MEASUREMENT, 0x0505, Value::U16(None)),
        (ELECTRICAL_MEASUREMENT, 0x050B, Value::I16(None)),
        (METERING, 0x0000, Value::U48(None)),
        (METERING, 0x0400, Value::I24(None)),
        (0x0402, 0x0000, Value::I16(None)),
    ] {
        assert_eq!(scales().convert(cluster, &attribute(id, value)), Ok(None), "{id:04X}");
    }
}

const VOLTAGE: Attribute<'static> = Attribute { id: 0x0505, value: Value::U16(Some(2301)) };

fn divisor(number: Option<u16>) -> Attribute<'static> {
    attribute(0x0601, Value::U16(number))
}

#[test]
fn an_absent_zero_or_changed_scale_is_an_error() {
    let cluster = ELECTRICAL_MEASUREMENT;
    let name = "ACVoltageDivisor";
    let mut scales = Scales::default();
    let multiplier = attribute(0x0600, Value::U16(Some(1)));
    let absent = |id, name| Err(ScaleError::Absent { cluster, id, name });
    assert_eq!(scales.convert(cluster, &VOLTAGE), absent(0x0600, "ACVoltageMultiplier"));
    assert_eq!(scales.learn(cluster, &multiplier), Ok(true));
    assert_eq!(scales.convert(cluster, &VOLTAGE), absent(0x0601, name));
    let zero = ScaleError::Zero { cluster, id: 0x0601, name };
    assert_eq!(scales.learn(cluster, &divisor(Some(0))), Err(zero));
    assert_eq!(scales.convert(cluster, &VOLTAGE), Err(zero));
    assert_eq!(scales.accept_changes(), 0);
    assert_eq!(scales.convert(cluster, &VOLTAGE), Err(zero));
    assert_eq!(scales.learn(cluster, &divisor(Some(10))), Ok(true));
    let good = scales.convert(cluster, &VOLTAGE).unwrap().unwrap();
    assert_eq!(good.value, 230.1);
    // Back to nothing, to zero, and to another one.
    assert!(matches!(scales.learn(cluster, &divisor(None)), Err(ScaleError::Absent { .. })));
    assert_eq!(scales.convert(cluster, &VOLTAGE), absent(0x0601, name));
    assert_eq!(scales.learn(cluster, &divisor(Some(0))), Err(zero));
    assert_eq!(scales.convert(cluster, &VOLTAGE), Err(zero));
    let changed = ScaleError::Changed { cluster, id: 0x0601, name, from: 10, to: 100 };
    assert_eq!(scales.learn(cluster, &divisor(Some(100))), Err(changed));
    assert_eq!(scales.convert(cluster, &VOLTAGE), Err(changed));
    assert!(
        changed
            .to_string()
            .contains("ACVoltageDivisor (0x0601 of cluster 0x0B04) changed from 10 to 100")
    );
    // What comes back is what was accepted; what is accepted is used.
    assert_eq!(scales.learn(cluster, &divisor(Some(10))), Ok(true));
    assert_eq!(scales.convert(cluster, &VOLTAGE), Ok(Some(good)));
    assert_eq!(scales.learn(cluster, &divisor(Some(100))), Err(changed));
    assert_eq!(scales.accept_changes(), 1);
    assert_eq!(scales.convert(cluster, &VOLTAGE).unwrap().unwrap().value, 23.01);
}

#[test]
fn another_unit_type_range_or_attribute_is_an_error() {
    let cluster = METERING;
    let energy = attribute(0x0000, Value::U48(Some(1)));
    let mut scales = scales();
    let unit = attribute(0x0300, Value::Enum8(Some(0x80)));
    assert!(matches!(scales.learn(cluster, &unit), Err(ScaleError::Changed { .. })));
    assert!(scales.convert(cluster, &energy).is_err());
    assert_eq!(scales.accept_changes(), 1);
    let wrong = ScaleError::Unit { found: 0x80 };
    assert_eq!(scales.convert(cluster, &energy), Err(wrong));
    assert_eq!(scales.learn(cluster, &unit), Err(wrong));
    let (found, expected) = (Type::U32, Type::U48);
    let wrong = ScaleError::WrongType { cluster, id: 0, found, expected };
    assert_eq!(scales.convert(cluster, &attribute(0, Value::U32(Some(1)))), Err(wrong));
    let factor = attribute(0x0006, Value::I8(Some(101)));
    let wrong = ScaleError::OutOfRange { cluster, id: 6, found: 101, limit: 100 };
    assert_eq!(scales.convert(cluster, &factor), Err(wrong));
    let total = attribute(0x0304, Value::I32(Some(1)));
    let wrong = ScaleError::NoQuantity { cluster: ELECTRICAL_MEASUREMENT, id: 0x0304 };
    assert_eq!(scales.convert(ELECTRICAL_MEASUREMENT, &total), Err(wrong));
    assert_eq!(scales.learn(cluster, &energy), Ok(false));
}
