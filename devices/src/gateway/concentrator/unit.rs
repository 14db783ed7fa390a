//! Which identifier a value on the bus has, and its conversion to that identifier's unit.

use lastmeter_mbus::header::Medium;
use lastmeter_mbus::record::{Decimal, Quantity as Measured, Unit};
use lastmeter_units::{Direction, Domain, MeasurementId, Phase, Quantity};

/// A unit: numerator over denominator times a power of ten, in SI units.
#[derive(Debug, Clone, Copy)]
struct Scale {
    numerator: i64,
    denominator: i64,
    power: i16,
}

const fn scale(numerator: i64, denominator: i64, power: i16) -> Scale {
    Scale { numerator, denominator, power }
}

/// The domain of a device type (EN 13757-3, table 3; unverified); cold is no heat.
pub(super) const fn domain_of(medium: Medium) -> Option<Domain> {
    match medium.0 {
        0x02 => Some(Domain::Electricity),
        0x04 | 0x0C | 0x0D => Some(Domain::Heat),
        0x06 | 0x07 | 0x15 | 0x16 | 0x17 => Some(Domain::Water),
        _ => None,
    }
}

/// The domain of the four bits in a fixed data structure.
pub(super) const fn domain_of_fixed(medium: u8) -> Option<Domain> {
    match medium {
        0x2 => Some(Domain::Electricity),
        0x4 | 0xB => Some(Domain::Heat),
        0x6 | 0x7 | 0xC | 0xD => Some(Domain::Water),
        _ => None,
    }
}

/// The identifier of a quantity; nothing where the registry has none. Without a phase, voltage and
/// current are those of the only one.
pub(super) fn identifier(
    domain: Domain,
    measured: Measured,
    phase: Option<Phase>,
    negative: bool,
) -> Option<MeasurementId> {
    let direction = if negative { Direction::Injected } else { Direction::Consumed };
    let (quantity, phase) = match (domain, measured) {
        (Domain::Heat, Measured::Energy) => (Quantity::HeatEnergy, Phase::None),
        (Domain::Heat, Measured::Power) => (Quantity::HeatPower, Phase::None),
        (Domain::Heat, Measured::Volume) => (Quantity::HeatVolume, Phase::None),
        (Domain::Heat, Measured::VolumeFlow) => (Quantity::HeatVolumeFlow, Phase::None),
        (Domain::Heat, Measured::FlowTemperature) => (Quantity::FlowTemperature, Phase::None),
        (Domain::Heat, Measured::ReturnTemperature) => (Quantity::ReturnTemperature, Phase::None),
        (Domain::Water, Measured::Volume) => (Quantity::WaterVolume, Phase::None),
        (Domain::Water, Measured::VolumeFlow) => (Quantity::WaterVolumeFlow, Phase::None),
        (Domain::Electricity, Measured::Energy) => {
            (Quantity::ActiveEnergy(Direction::Consumed), phase.unwrap_or(Phase::Total))
        }
        (Domain::Electricity, Measured::Power) => {
            (Quantity::ActivePower(direction), phase.unwrap_or(Phase::Total))
        }
        (Domain::Electricity, Measured::Voltage) => {
            (Quantity::VoltageRms, phase.unwrap_or(Phase::L1))
        }
        (Domain::Electricity, Measured::Current) => {
            (Quantity::CurrentRms, phase.unwrap_or(Phase::L1))
        }
        (Domain::Electricity, Measured::Frequency) => (Quantity::Frequency, Phase::None),
        _ => return None,
    };
    MeasurementId::of(quantity, phase)
}

const fn bus_unit(unit: Unit) -> Option<Scale> {
    Some(match unit {
        Unit::WattHour => scale(36, 1, 2),
        Unit::Joule
        | Unit::Watt
        | Unit::CubicMetre
        | Unit::CubicMetrePerSecond
        | Unit::DegreeCelsius
        | Unit::Volt
        | Unit::Ampere
        | Unit::Hertz => scale(1, 1, 0),
        Unit::JoulePerHour | Unit::CubicMetrePerHour => scale(1, 36, -2),
        Unit::CubicMetrePerMinute => scale(1, 6, -1),
        Unit::Litre => scale(1, 1, -3),
        Unit::LitrePerHour => scale(1, 36, -5),
        _ => return None,
    })
}

fn message_unit(id: MeasurementId) -> Option<Scale> {
    Some(match id.row().unit {
        "MWh" => scale(36, 1, 8),
        "kWh" => scale(36, 1, 5),
        "MW" => scale(1, 1, 6),
        "kW" => scale(1, 1, 3),
        "m3/h" => scale(1, 36, -2),
        "m3" | "°C" | "V" | "A" | "Hz" => scale(1, 1, 0),
        _ => return None,
    })
}

/// A number on the bus.
#[derive(Debug, Clone, Copy)]
pub(super) enum Number {
    /// As it was transmitted.
    Exact(Decimal),
    Real(f64),
}

/// A number in the unit of an identifier's messages, rounded once; nothing where the units do not
/// fit.
pub(super) fn converted(number: Number, unit: Unit, id: MeasurementId) -> Option<f64> {
    let (from, to) = (bus_unit(unit)?, message_unit(id)?);
    let (above, below) = (from.numerator * to.denominator, from.denominator * to.numerator);
    let common = common_divisor(above, below);
    let (above, below) = (above / common, below / common);
    let power = from.power - to.power;
    let whole = |mantissa, exponent| Decimal { mantissa, exponent }.to_f64();
    Some(match number {
        Number::Exact(decimal) => {
            let exponent = decimal.exponent + power;
            match decimal.mantissa.checked_mul(above) {
                // One division of two whole numbers: rounded once.
                Some(mantissa) if exponent < 0 => mantissa as f64 / whole(below, -exponent),
                Some(mantissa) => whole(mantissa, exponent) / below as f64,
                None => whole(decimal.mantissa, exponent) * above as f64 / below as f64,
            }
        }
        Number::Real(real) if power < 0 => real * above as f64 / whole(below, -power),
        Number::Real(real) => real * whole(above, power) / below as f64,
    })
}

const fn common_divisor(mut a: i64, mut b: i64) -> i64 {
    while b != 0 {
        (a, b) = (b, a % b);
    }
    a
}

#[cfg(test)]
mod tests {
    use super::*;

    fn exactly(mantissa: i64, exponent: i16, unit: Unit, name: &str) -> f64 {
        let id = MeasurementId::lookup(name).unwrap();
        converted(Number::Exact(Decimal { mantissa, exponent }), unit, id).unwrap()
    }

    #[test]
    fn values_are_converted_as_if_written_in_the_unit() {
        assert_eq!(exactly(123_456_789, 3, Unit::WattHour, "heating.energy"), 123_456.789);
        assert_eq!(exactly(-7, -1, Unit::Litre, "heating.volume"), -0.000_7);
        assert_eq!(exactly(36, 8, Unit::Joule, "heating.energy"), 1.0);
        assert_eq!(exactly(1, 9, Unit::Joule, "heating.energy"), 1.0 / 3.6);
        assert_eq!(exactly(1234, 0, Unit::LitrePerHour, "water.flowrate"), 1.234);
        assert_eq!(exactly(5, -3, Unit::CubicMetrePerMinute, "water.flowrate"), 0.3);
        assert_eq!(exactly(2, -4, Unit::CubicMetrePerSecond, "water.flowrate"), 0.72);
        assert_eq!(exactly(54, 5, Unit::JoulePerHour, "heating.power"), 0.001_5);
        assert_eq!(exactly(2301, -1, Unit::Volt, "electricity.voltage.rms.l2"), 230.1);
        let temperature = MeasurementId::lookup("heating.temp.primary.inlet").unwrap();
        let wrong = converted(Number::Real(1.0), Unit::DegreeFahrenheit, temperature);
        assert_eq!(wrong, None);
        let real = Number::Real(0.5);
        assert_eq!(converted(real, Unit::DegreeCelsius, temperature), Some(0.5));
    }

    #[test]
    fn units_of_messages_are_those_of_the_registry() {
        let domains = [Domain::Electricity, Domain::Heat, Domain::Water];
        let measured = [Measured::Energy, Measured::Power, Measured::Volume, Measured::VolumeFlow];
        let more = [Measured::FlowTemperature, Measured::ReturnTemperature, Measured::Voltage];
        let mut seen = 0;
        for domain in domains {
            for one in measured.into_iter().chain(more) {
                let Some(id) = identifier(domain, one, None, false) else { continue };
                assert_eq!(id.row().quantity.domain(), Some(domain));
                let unit = message_unit(id).unwrap();
                let factor = unit.numerator as f64 / unit.denominator as f64
                    * 10_f64.powi(i32::from(unit.power));
                assert!((factor / id.row().si_factor - 1.0).abs() < 1e-15, "{id}");
                seen += 1;
            }
        }
        assert_eq!(seen, 11);
    }
}
