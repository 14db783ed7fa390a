//! Quantities with units, time, identities, the registry of measurement identifiers, and how an
//! enumeration gets its words.
//!
//! The vocabulary every other package speaks. Tiny on purpose: no I/O, no clock, no randomness.

mod identity;
mod measurement;
mod time;
mod words;

pub use identity::{Epoch, HardwareId, HardwareIdError, Serial, TenantName, TenantNameError};
pub use measurement::{
    Direction, Domain, Formation, MEASUREMENTS, Measurement, MeasurementId, Phase, Quantity, SiUnit,
};
pub use time::{SimDuration, SimTime, TimeError};
