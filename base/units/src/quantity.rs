//! Physical quantities as small tuple structs in SI units.
//!
//! They keep a voltage from being handed over where a current is due; arithmetic beyond sums and
//! scaling happens on the bare number, close to the formula's source.

use serde::{Deserialize, Serialize};

macro_rules! quantities {
    ($($(#[$doc:meta])* $name:ident $unit:literal;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, PartialOrd, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub f64);

        impl std::ops::Add for $name {
            type Output = Self;
            fn add(self, other: Self) -> Self {
                Self(self.0 + other.0)
            }
        }

        impl std::ops::Sub for $name {
            type Output = Self;
            fn sub(self, other: Self) -> Self {
                Self(self.0 - other.0)
            }
        }

        impl std::ops::Mul<f64> for $name {
            type Output = Self;
            fn mul(self, factor: f64) -> Self {
                Self(self.0 * factor)
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                std::fmt::Display::fmt(&self.0, f)?;
                f.write_str(concat!(" ", $unit))
            }
        }
    )*};
}

quantities! {
    /// Electric potential difference in volts.
    Volts "V";
    /// Electric current in amperes.
    Amperes "A";
    /// Active power in watts.
    Watts "W";
    /// Reactive power in vars.
    Vars "var";
    /// Apparent power in volt-amperes.
    VoltAmperes "VA";
    /// Active energy in joules (watt-seconds).
    Joules "J";
    /// Reactive energy in var-seconds.
    VarSeconds "var s";
    /// Apparent energy in volt-ampere-seconds.
    VoltAmpereSeconds "VA s";
    /// Frequency in hertz.
    Hertz "Hz";
    /// A span in seconds, for arithmetic with physical quantities.
    Seconds "s";
    /// Angle in radians.
    Radians "rad";
    /// Angle in degrees.
    Degrees "deg";
}

impl From<Degrees> for Radians {
    fn from(angle: Degrees) -> Self {
        Self(angle.0.to_radians())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quantity_prints_its_unit_and_honours_the_precision() {
        assert_eq!(format!("{:.1}", Volts(229.96)), "230.0 V");
        assert_eq!((Volts(1.0) + Volts(2.0) - Volts(0.5)) * 2.0, Volts(5.0));
        assert!((Radians::from(Degrees(180.0)).0 - std::f64::consts::PI).abs() < 1e-15);
    }
}
