//! Figures with units.

/// What a figure measures: the unit of the model and its multiples, as they are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unit {
    Volt,
    Ampere,
    Watt,
    Var,
    VoltAmpere,
    Ohm,
    OhmPerKilometre,
    FaradPerKilometre,
    Metre,
    Hertz,
    Degree,
    /// A share; without a unit or in per cent.
    Share,
}

impl Unit {
    /// How it can be written, and by what that is multiplied; the first is shown as an example.
    fn spellings(self) -> &'static [(&'static str, f64)] {
        match self {
            Self::Volt => &[("V", 1.0), ("kV", 1e3)],
            Self::Ampere => &[("A", 1.0), ("kA", 1e3)],
            Self::Watt => &[("W", 1.0), ("kW", 1e3), ("MW", 1e6)],
            Self::Var => &[("var", 1.0), ("kvar", 1e3), ("Mvar", 1e6)],
            Self::VoltAmpere => &[("kVA", 1e3), ("VA", 1.0), ("MVA", 1e6), ("GVA", 1e9)],
            Self::Ohm => &[("ohm", 1.0), ("mohm", 1e-3)],
            Self::OhmPerKilometre => &[("ohm/km", 1e-3), ("mohm/m", 1e-3), ("ohm/m", 1.0)],
            Self::FaradPerKilometre => &[("nF/km", 1e-12), ("uF/km", 1e-9)],
            Self::Metre => &[("m", 1.0), ("km", 1e3), ("ft", 0.3048), ("mi", 1609.344)],
            Self::Hertz => &[("Hz", 1.0)],
            Self::Degree => &[("deg", std::f64::consts::PI / 180.0), ("rad", 1.0)],
            Self::Share => &[("%", 0.01), ("", 1.0)],
        }
    }

    /// A figure as it can be written, in a unit or two.
    pub(super) fn example(self, number: &str) -> String {
        let each = self.spellings().iter().filter(|(unit, _)| !unit.is_empty()).take(2);
        each.map(|(unit, _)| format!("\"{number} {unit}\"")).collect::<Vec<_>>().join(" or ")
    }

    /// The message for a bare number, which may be meant in several units.
    pub(super) fn without(self, number: &str) -> String {
        let example = self.example(number);
        format!("{number} is found, a value with its unit in quotes is expected, such as {example}")
    }

    /// The figure in the unit of the model (by metre where it is by length).
    pub(super) fn read(self, text: &str) -> Result<f64, String> {
        let text = text.trim();
        let end = text
            .find(|c: char| !(c.is_ascii_digit() || matches!(c, '.' | '+' | '-' | 'e' | 'E')))
            .unwrap_or(text.len());
        // An exponent needs its digits; otherwise the letter begins the unit.
        let (number, unit) = text.split_at(end);
        let example = self.spellings()[0].0;
        let expected = || format!("{text:?} is found, a value like \"2.5 {example}\" is expected");
        let number: f64 = number.trim().parse().map_err(|_| expected())?;
        let unit = unit.trim();
        if unit.starts_with(',') {
            return Err(format!(
                "{text:?} is found; decimals have a point, as in \"3.5 {example}\", and thousands \
                 nothing between them"
            ));
        }
        let spelling = self.spellings().iter().find(|(known, _)| *known == unit);
        let (_, factor) = spelling.ok_or_else(|| {
            let known: Vec<_> = self
                .spellings()
                .iter()
                .map(|(known, _)| *known)
                .filter(|it| !it.is_empty())
                .collect();
            format!("{text:?} is found, its unit is expected to be {}", known.join(" or "))
        })?;
        let value = number * factor;
        if value.is_finite() { Ok(value) } else { Err(expected()) }
    }
}
