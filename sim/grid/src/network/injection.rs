//! What is connected to one node: sources, loads, shunts.

use num_complex::Complex64;

use super::{Connection, NodeId, Place, Wire};

/// How three (or fewer) single-phase parts are connected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Configuration {
    /// The k-th part between the k-th wire and earth, or the neutral wire where the list ends in
    /// [`super::Wire::Neutral`].
    Star,
    /// Star, star point connected to nothing.
    StarIsolated,
    /// The k-th part between the k-th wire and the next one of the list; two wires make one part.
    Delta,
}

/// How the power of a load follows its voltage; `u` is the voltage across the part as a share of
/// the rated one.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum LoadModel {
    /// The same power at any voltage.
    ConstantPower,
    /// The same current and power factor: power times `u`.
    ConstantCurrent,
    /// The same impedance: power times `u` squared.
    ConstantImpedance,
    /// Active power times `u` to one power, reactive power times `u` to another.
    Exponential {
        /// Exponent of the active power.
        active: f64,
        /// Exponent of the reactive power.
        reactive: f64,
    },
    /// A sum of the first three.
    Zip {
        /// Of the active power.
        active: ZipShares,
        /// Of the reactive power.
        reactive: ZipShares,
    },
}

/// Shares of a power; they add up to one.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ZipShares {
    /// Constant impedance.
    pub impedance: f64,
    /// Constant current.
    pub current: f64,
    /// Constant power.
    pub power: f64,
}

/// Voltages between which a load keeps to its model. Above it is the constant impedance that draws
/// at the border what the model draws there, and so it is below if `turned` is none.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct VoltageBand {
    /// As a share of the rated voltage.
    pub lowest: f64,
    /// As a share of the rated voltage.
    pub highest: f64,
    /// As a share of the rated voltage, below `lowest`: there the load has become the impedance
    /// that draws its power at the rated voltage. In between its current goes straight from one to
    /// the other (`vlowpu` of `OpenDSS`).
    pub turned: Option<f64>,
}

/// A load; a generator is a load with negative power.
#[derive(Clone, Debug, PartialEq)]
pub struct Load {
    /// Unique among the loads.
    pub name: Box<str>,
    /// Where.
    pub connection: Connection,
    /// How its parts are connected.
    pub configuration: Configuration,
    /// Power drawn by each part at rated voltage, volt-amperes; unused ones are zero.
    pub power_va: [Complex64; 3],
    /// How it follows the voltage.
    pub model: LoadModel,
    /// Rated voltage across each part, volts (line to earth in a three-phase star).
    pub rated_voltage_v: f64,
    /// Within which voltages that holds; everywhere if there is none.
    pub band: Option<VoltageBand>,
    /// Whether it is connected at all.
    pub connected: bool,
    /// Whether it was described as a generator: results give what it delivers.
    pub generator: bool,
    /// Where it was read.
    pub place: Place,
}

impl Load {
    /// How many parts it has, of which `power_va` has the powers.
    #[must_use]
    pub fn parts(&self) -> usize {
        let wires = self.connection.wires.as_slice();
        let phases = wires.iter().filter(|wire| **wire != Wire::Neutral).count();
        match self.configuration {
            Configuration::Delta if phases == 2 => 1,
            _ => phases.min(3),
        }
    }

    /// What a part is called: by the wires that it is connected to, without the neutral.
    #[must_use]
    pub fn part_name(&self, part: usize) -> String {
        let wires = self.connection.wires.as_slice();
        match self.configuration {
            Configuration::Delta => format!("{}{}", wires[part], wires[(part + 1) % wires.len()]),
            Configuration::Star | Configuration::StarIsolated => wires[part].to_string(),
        }
    }

    /// A power of the whole load over its parts, as the powers that it has are split over them:
    /// active power like active power, reactive power like reactive power or, where it has none,
    /// like active power; evenly where that has no split either.
    #[must_use]
    pub fn split(&self, whole_va: Complex64) -> [Complex64; 3] {
        let parts = self.parts();
        let own = &self.power_va[..parts];
        let shares = |of: &dyn Fn(&Complex64) -> f64| -> Option<[f64; 3]> {
            let whole: f64 = own.iter().map(of).sum();
            let mut shares = [0.0; 3];
            for (share, power) in shares.iter_mut().zip(own) {
                *share = of(power) / whole;
            }
            shares.iter().all(|it| it.is_finite()).then_some(shares)
        };
        let even = std::array::from_fn(|part| if part < parts { 1.0 / parts as f64 } else { 0.0 });
        let active = shares(&|it| it.re).unwrap_or(even);
        let reactive = shares(&|it| it.im).unwrap_or(active);
        std::array::from_fn(|part| {
            Complex64::new(whole_va.re * active[part], whole_va.im * reactive[part])
        })
    }
}

/// A constant admittance.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum ShuntAdmittance {
    /// By symmetrical components, siemens, to earth at three phases.
    Sequence {
        /// Positive sequence.
        y1_s: Complex64,
        /// Zero sequence.
        y0_s: Complex64,
    },
    /// Part by part, siemens.
    Parts {
        /// How they are connected.
        configuration: Configuration,
        /// Each part.
        y_s: [Complex64; 3],
    },
}

/// A capacitor, a reactor, an earthing.
#[derive(Clone, Debug, PartialEq)]
pub struct Shunt {
    /// Unique among the shunts.
    pub name: Box<str>,
    /// Where.
    pub connection: Connection,
    /// How much.
    pub admittance: ShuntAdmittance,
    /// Whether it is connected at all.
    pub connected: bool,
    /// Where it was read.
    pub place: Place,
}

/// A symmetrical three-phase voltage behind an impedance; its star point is solidly earthed, and
/// so is the neutral wire of its node, where there is one.
#[derive(Clone, Debug, PartialEq)]
pub struct Source {
    /// Unique among the sources.
    pub name: Box<str>,
    /// Where.
    pub node: NodeId,
    /// Voltage between lines behind the impedance, volts.
    pub voltage_v: f64,
    /// Angle of the first phase, radians.
    pub angle_rad: f64,
    /// Positive- (and negative-) sequence impedance, ohm.
    pub z1_ohm: Complex64,
    /// Zero-sequence impedance, ohm.
    pub z0_ohm: Complex64,
    /// Whether it is connected at all.
    pub connected: bool,
    /// Where it was read.
    pub place: Place,
}
