//! Quantities with units, time, identities, and the registry of measurement identifiers.
//!
//! The vocabulary every other package speaks. Tiny on purpose: no I/O, no clock, no randomness.

mod identity;
mod measurement;
mod quantity;
mod time;

pub use identity::{Epoch, HardwareId, HardwareIdError, Serial};
pub use measurement::{
    Direction, Domain, Formation, MEASUREMENTS, Measurement, MeasurementId, Phase, Quantity, SiUnit,
};
pub use quantity::{
    Amperes, Degrees, Hertz, Joules, Radians, Seconds, VarSeconds, Vars, VoltAmpereSeconds,
    VoltAmperes, Volts, Watts,
};
pub use time::{SimDuration, SimTime, TimeError};
