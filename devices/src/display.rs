//! What a meter shows of a value: as many digits as its display has.

use lastmeter_params::{Dimension, Field, Kind, Values};
use lastmeter_units::{MeasurementId, Quantity};

/// The last digit of a quantity on the display.
const fn digit(name: &'static str, dimension: Dimension, help: &'static str) -> Field {
    Field::optional(name, Kind::Quantity { dimension, min: 1e-9, max: 1e6 }, help)
}

const HELP: &str = "Last digit of it on the display, from which readings are taken then; all digits \
    if left out.";

/// The fields of a display, by the quantities that it shows.
pub(crate) const FIELDS: [Field; 8] = [
    digit("display_voltage", Dimension::Voltage, HELP),
    digit("display_current", Dimension::Current, HELP),
    digit("display_frequency", Dimension::Frequency, HELP),
    digit("display_active_power", Dimension::ActivePower, HELP),
    digit("display_apparent_power", Dimension::ApparentPower, HELP),
    digit("display_non_active_power", Dimension::ApparentPower, HELP),
    digit("display_power_factor", Dimension::Ratio, HELP),
    digit("display_thd", Dimension::Ratio, HELP),
];

/// The last digits, in SI units, by the places in [`FIELDS`].
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Display([Option<f64>; FIELDS.len()]);

impl Display {
    /// Of a model that may have one.
    pub(crate) fn of(values: &Values) -> Self {
        Self(FIELDS.map(|field| values.si_opt(field.name)))
    }

    /// A value in the unit of messages as it is shown.
    pub(crate) fn shown(&self, id: MeasurementId, value: f64) -> f64 {
        let place = match id.row().quantity {
            Quantity::VoltageRms => 0,
            Quantity::CurrentRms => 1,
            Quantity::Frequency => 2,
            Quantity::ActivePower(_) => 3,
            Quantity::ApparentPower => 4,
            Quantity::NonActivePower => 5,
            Quantity::PowerFactor => 6,
            Quantity::VoltageThd | Quantity::CurrentThd => 7,
            _ => return value,
        };
        self.0[place].map_or(value, |step| {
            let step = step / id.row().si_factor;
            (value / step).round() * step
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_shown_to_the_nearest_last_digit() {
        let mut display = Display::default();
        (display.0[0], display.0[4], display.0[6]) = (Some(0.1), Some(10.0), Some(0.01));
        let shown = |name: &str, value| display.shown(MeasurementId::lookup(name).unwrap(), value);
        for (name, value, expected) in [
            ("electricity.voltage.rms.l1", 230.06, 230.1),
            ("electricity.voltage.rms.l1", 230.04, 230.0),
            // 10 VA are 0.01 kVA.
            ("electricity.power.apparent.l1", 1.7251, 1.73),
            ("electricity.powerFactor.l1", std::f64::consts::FRAC_1_SQRT_2, 0.71),
            ("electricity.powerFactor.l1", -0.384, -0.38),
            ("electricity.frequency", 50.012_345, 50.012_345),
        ] {
            let found = shown(name, value);
            assert!((found - expected).abs() < 1e-12, "{name} {value}: {found}");
        }
    }
}
