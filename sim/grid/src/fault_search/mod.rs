//! Fault search: at which places of a radial feeder a short circuit explains the phasors that its
//! station has measured.
//!
//! Known are voltages and currents of the three phases at the head of the feeder, before the fault
//! and during it, and the network behind: lines, and loads as they are thought to be. Before the
//! fault loads are scaled, phase by phase, until they draw the measured currents; during it each is
//! the admittance that it was. The measured voltages drive the feeder, so nothing upstream of the
//! station matters.
//!
//! For a place `p` two sweeps along the tree give the voltage there without the fault, `T V`, and
//! the impedance `Z` that the fault sees with the station's voltages held. By reciprocity the
//! fault's currents `i` add `T' D i` to those of the station, where the columns of `D` are 1 at the
//! wire that a current leaves and -1 at the one it comes back by. So the measured currents have `i`
//! as their least squares, and what remains of the voltage around the fault,
//!
//! ```text
//! e = D' (T V - Z D i) - R i
//! ```
//!
//! is linear in the fault's resistance `R`, which is thereby eliminated: no value of it, however
//! large, is searched for and missed. Along a line `T` is linear and `Z` quadratic in the place, so
//! the misfit is close to a parabola there; its lowest point is found line by line, and each place
//! from which it rises on every side is a candidate. Places at the same electrical distance on
//! different branches fit equally well: they are all reported. A large resistance leaves the place
//! less certain than a hundredth of the feeder; then places beside it are reported as well.
//!
//! The charging of a line with a fault on it stays at its two ends.
//!
//! ```text
//! feeder   the tree behind the station, and its sweeps
//! fit      one place and one kind of fault against what was measured
//! rank     candidates: the lowest places, branch by branch
//! ```

mod feeder;
mod fit;
mod rank;
#[cfg(test)]
mod tests;

use num_complex::Complex64;
use thiserror::Error;

pub use feeder::{Feeder, Reference, Station, Ways};
pub use rank::Candidate;

use crate::network;
use crate::short_circuit::Kind;

/// What a station has measured in one state: RMS phasors of the three phases.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Phasors {
    /// Of each phase to earth, volts.
    pub voltage_v: [Complex64; 3],
    /// Of each phase into the feeder, amperes.
    pub current_a: [Complex64; 3],
}

impl Phasors {
    fn is_finite(&self) -> bool {
        self.voltage_v.iter().chain(&self.current_a).all(|it| it.is_finite())
    }
}

/// What a station has measured of a fault.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Observation {
    /// Before the fault.
    pub before: Phasors,
    /// During it; angles need not be against the same instant as before.
    pub during: Phasors,
    /// Standard deviation of each component of a voltage, volts.
    pub voltage_sigma_v: f64,
    /// Standard deviation of each component of a current, amperes.
    pub current_sigma_a: f64,
}

/// What may be chosen.
#[derive(Clone, Debug, PartialEq)]
pub struct Options {
    /// Which kinds of faults are tried.
    pub kinds: Vec<Kind>,
    /// Standard deviation of each load, as a share of it.
    pub load_spread: f64,
    /// Standard deviation of each line's impedance, as a share of it.
    pub line_spread: f64,
    /// The most candidates.
    pub candidates_max: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self { kinds: Kind::SHORT.to_vec(), load_spread: 0.1, line_spread: 0.05, candidates_max: 5 }
    }
}

/// Why nothing can be searched for.
#[derive(Clone, Debug, PartialEq, Error)]
pub enum FaultSearchError {
    /// The network cannot be compiled.
    #[error(transparent)]
    Network(#[from] network::Fault),
    /// A neutral wire.
    #[error("the network has neutral wires; expected three phases, with the neutral reduced")]
    Neutral,
    /// There is no such station, or nothing feeds it.
    #[error("the station is not in the network, or de-energised")]
    Station,
    /// More than one way for the current of a fault.
    #[error("the station's feeder has a loop or another source; expected a radial one")]
    NotRadial,
    /// No place can be given in metres.
    #[error("no line of the feeder has a length; expected `length_m` at its lines")]
    NoLength,
    /// Impedances without an inverse.
    #[error("the impedances of the feeder have no inverse")]
    Singular,
    /// Phasors that are not numbers, or no current at all.
    #[error("the measured phasors are not finite or have no voltage")]
    Phasors,
}
