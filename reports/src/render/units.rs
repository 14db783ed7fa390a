//! In which unit the figures of one table or picture stand: one for all of them, so that they can
//! be compared by eye.

use lastmeter_units::SiUnit;

use crate::error_limit::Limit;

/// From this on an energy is shown in the hours that meters count in: 10 Wh in joules.
const HOURS_FROM: f64 = 3.6e4;
const WATT_HOUR: f64 = 3.6e3;

/// A unit with the factor that makes it of the SI unit, or of percent.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct DisplayUnit {
    factor: f64,
    /// Its symbol; empty for a bare number.
    pub(crate) symbol: String,
}

impl DisplayUnit {
    /// The SI unit, or of a large energy the hours that meters count in.
    pub(crate) fn hours_or_plain(unit: SiUnit, reach: f64) -> Self {
        let hours = match unit {
            SiUnit::Joule => "Wh",
            SiUnit::VarSecond => "varh",
            SiUnit::VoltAmpereSecond => "VAh",
            _ => "",
        };
        if !hours.is_empty() && reach.is_finite() && reach >= HOURS_FROM {
            let (kilo, prefix) = if reach >= 1e3 * WATT_HOUR { (1e3, "k") } else { (1.0, "") };
            return Self { factor: kilo * WATT_HOUR, symbol: format!("{prefix}{hours}") };
        }
        Self::plain(unit)
    }

    fn plain(unit: SiUnit) -> Self {
        let symbol = if unit == SiUnit::One { String::new() } else { unit.to_string() };
        Self { factor: 1.0, symbol }
    }

    /// The unit for figures up to `reach`, in an SI unit: with a prefix where it takes one, of an
    /// energy in hours where it is large.
    pub(crate) fn of(unit: SiUnit, reach: f64) -> Self {
        let plain = Self::hours_or_plain(unit, reach);
        if plain.factor == 1.0 { Self::prefixed(unit, reach) } else { plain }
    }

    /// The SI unit for figures up to `reach`, with a prefix where it takes one.
    pub(crate) fn prefixed(unit: SiUnit, reach: f64) -> Self {
        const PREFIXES: [(f64, &str); 7] =
            [(1e9, "G"), (1e6, "M"), (1e3, "k"), (1.0, ""), (1e-3, "m"), (1e-6, "µ"), (1e-9, "n")];
        let plain = Self::plain(unit);
        let takes_prefix = !matches!(
            unit,
            SiUnit::One | SiUnit::DegreeCelsius | SiUnit::CubicMetre | SiUnit::CubicMetrePerSecond
        );
        if !takes_prefix || reach == 0.0 || !reach.is_finite() {
            return plain;
        }
        let magnitude = reach.abs() * 1.000_5;
        let known = PREFIXES.into_iter().find(|(factor, _)| magnitude >= *factor);
        let (factor, prefix) = known.unwrap_or((1e-9, "n"));
        Self { factor, symbol: format!("{prefix}{}", plain.symbol) }
    }

    /// The unit of errors that are compared with a limit.
    pub(crate) fn of_errors(limit: Limit, reach: f64) -> Self {
        match limit {
            Limit::Percent(_) => Self { factor: 1.0, symbol: "%".to_owned() },
            Limit::Absolute(_, unit) => Self::of(unit, reach),
        }
    }

    /// A figure in this unit.
    pub(crate) fn figure(&self, value: f64) -> f64 {
        value / self.factor
    }

    /// `error in V`, or only `error` of what has no unit.
    pub(crate) fn label(&self, what: &str) -> String {
        if self.symbol.is_empty() { what.to_owned() } else { format!("{what} in {}", self.symbol) }
    }

    /// A figure for people with its unit behind it.
    pub(crate) fn with_symbol(&self, value: f64) -> String {
        let figure = lastmeter_text::number(self.figure(value));
        if self.symbol.is_empty() { figure } else { format!("{figure} {}", self.symbol) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 1 kWh = 3.6 MJ exactly (SI brochure, table 8: 1 h = 3600 s).
    #[test]
    fn all_figures_of_one_table_are_in_one_unit() {
        for (unit, reach, symbol, value, figure) in [
            (SiUnit::Joule, 45_000_000.0, "kWh", 45_000_000.0, 12.5),
            (SiUnit::Joule, 45_000_000.0, "kWh", 36.0, 1e-5),
            (SiUnit::Joule, 72_000.0, "Wh", 36_000.0, 10.0),
            (SiUnit::Joule, 1_234.5, "kJ", 1_234.5, 1.2345),
            (SiUnit::VarSecond, 3.6e6, "kvarh", -36_000.0, -0.01),
            (SiUnit::Volt, 0.001_234_5, "mV", 0.001_234_5, 1.2345),
            (SiUnit::Volt, 999.99, "kV", 500.0, 0.5),
            (SiUnit::Watt, f64::INFINITY, "W", 5.0, 5.0),
            (SiUnit::Watt, f64::NAN, "W", 5.0, 5.0),
            (SiUnit::Hertz, 0.0, "Hz", 0.0, 0.0),
            (SiUnit::One, 0.002, "", 0.002, 0.002),
        ] {
            let shown = DisplayUnit::of(unit, reach);
            assert_eq!(shown.symbol, symbol);
            assert!(
                (shown.figure(value) - figure).abs() <= 1e-15 * figure.abs(),
                "{value} {symbol}"
            );
        }
        assert_eq!(DisplayUnit::of(SiUnit::Volt, 2.0).label("error"), "error in V");
        assert_eq!(DisplayUnit::of(SiUnit::One, 2.0).label("error"), "error");
        assert_eq!(DisplayUnit::of_errors(Limit::Percent(0.5), 1e9).with_symbol(0.25), "0.25 %");
    }
}
