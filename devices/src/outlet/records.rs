//! How values go over an M-Bus line: which value information field, how many digits.

use std::collections::BTreeMap;

use lastmeter_mbus::record::{Record, Value, Vif};
use lastmeter_units::{Direction, MeasurementId, Phase, Quantity};

lastmeter_units::words! {
    /// How numbers are coded (EN 13757-3, annex A).
    pub(crate) enum Coding {
        /// Binary coded decimal, type A; a minus is an F in the highest digit.
        Bcd = "bcd",
        /// Signed integers of four bytes, type B.
        Integer = "integer",
        /// Reals of 32 bits, type H.
        Real = "real",
    }
}

/// A field of values: its code, its unit in SI, and how many decimal digits it has.
struct FieldOfValues {
    vif: Vif<'static>,
    /// One step in the SI unit of the quantity.
    step: f64,
    digits: u8,
}

const fn primary(code: u8, step: f64, digits: u8) -> FieldOfValues {
    FieldOfValues { vif: Vif::Primary(code), step, digits }
}

/// The field of a quantity; nothing where these meters have none.
fn field_of(quantity: Quantity) -> Option<FieldOfValues> {
    Some(match quantity {
        // 100 Wh.
        Quantity::HeatEnergy => primary(0x05, 3.6e5, 8),
        // 1 W.
        Quantity::HeatPower => primary(0x2B, 1.0, 6),
        // 1 l.
        Quantity::HeatVolume | Quantity::WaterVolume => primary(0x13, 1e-3, 8),
        // 0.1 l/h.
        Quantity::HeatVolumeFlow | Quantity::WaterVolumeFlow => primary(0x3A, 1e-4 / 3600.0, 6),
        // 0.01 degrees.
        Quantity::FlowTemperature => primary(0x59, 1e-2, 4),
        Quantity::ReturnTemperature => primary(0x5D, 1e-2, 4),
        // 1 Wh.
        Quantity::ActiveEnergy(Direction::Consumed) => primary(0x03, 3600.0, 8),
        // 0.1 W.
        Quantity::ActivePower(Direction::Consumed) => primary(0x2A, 0.1, 8),
        // 0.1 V and 1 mA.
        Quantity::VoltageRms => FieldOfValues { vif: Vif::Fd(0x48), step: 0.1, digits: 6 },
        Quantity::CurrentRms => FieldOfValues { vif: Vif::Fd(0x59), step: 1e-3, digits: 8 },
        _ => return None,
    })
}

/// Whether a meter on a line reports a quantity. Power goes as one number with a sign.
pub(crate) fn is_reported(id: MeasurementId) -> bool {
    let quantity = id.row().quantity;
    quantity == Quantity::ActivePower(Direction::Injected) || field_of(quantity).is_some()
}

/// The records of what was measured, in the units of messages.
pub(crate) fn records(values: &[(MeasurementId, f64)], coding: Coding) -> Vec<Record<'static>> {
    numbered(values, coding).into_iter().map(|(_, record)| record).collect()
}

/// What these records carry, in SI units: as many digits as go over the line. A power with a sign
/// is one that is consumed and one that is injected.
pub(crate) fn carried(values: &[(MeasurementId, f64)], coding: Coding) -> BTreeMap<String, f64> {
    let mut all = BTreeMap::new();
    let mut put = |id: MeasurementId, si: f64| all.insert(id.name().to_owned(), si);
    for (id, record) in numbered(values, coding) {
        let steps = match record.value {
            Value::Bcd { value, .. } | Value::Integer { value, .. } => value as f64,
            Value::Real(value) => f64::from(value),
            _ => continue,
        };
        let row = id.row();
        let si = field_of(row.quantity).map_or(f64::NAN, |field| field.step * steps);
        if row.quantity == Quantity::ActivePower(Direction::Consumed) {
            let injected = Quantity::ActivePower(Direction::Injected);
            if let Some(injected) = MeasurementId::of(injected, row.phase) {
                put(injected, (-si).max(0.0));
            }
            put(id, si.max(0.0));
        } else {
            put(id, si);
        }
    }
    all
}

fn numbered(
    values: &[(MeasurementId, f64)],
    coding: Coding,
) -> Vec<(MeasurementId, Record<'static>)> {
    let value_of = |quantity: Quantity, phase: Phase| {
        let id = MeasurementId::of(quantity, phase)?;
        values.iter().find(|(other, _)| *other == id).map(|(_, value)| *value)
    };
    let of = |&(id, value): &(MeasurementId, f64)| {
        let row = id.row();
        let is_power = row.quantity == Quantity::ActivePower(Direction::Consumed);
        let injected = value_of(Quantity::ActivePower(Direction::Injected), row.phase);
        let value = value - injected.filter(|_| is_power).unwrap_or(0.0);
        Some((id, record(id, value, coding)?))
    };
    values.iter().filter_map(of).collect()
}

/// The record of a value in the unit of messages; nothing where these meters have none.
fn record(id: MeasurementId, value: f64, coding: Coding) -> Option<Record<'static>> {
    let FieldOfValues { vif, step, digits } = field_of(id.row().quantity)?;
    let steps = value * id.row().si_factor / step;
    let whole = steps.round();
    let value = match coding {
        Coding::Bcd => {
            // One digit is left for the sign.
            let largest = 10_i64.pow(u32::from(digits)) - 1;
            let smallest = 1 - 10_i64.pow(u32::from(digits) - 1);
            Value::Bcd { digits, value: (whole as i64).clamp(smallest, largest) }
        }
        Coding::Integer => {
            let (smallest, largest) = (i64::from(i32::MIN) + 1, i64::from(i32::MAX));
            Value::Integer { bytes: 4, value: (whole as i64).clamp(smallest, largest) }
        }
        Coding::Real => Value::Real(steps as f32),
    };
    Some(Record::new(vif, value))
}
