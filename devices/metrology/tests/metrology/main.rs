//! The package's tests against closed forms and independent computations.

mod accuracy;
mod analysis;
mod flicker;
mod measured;
mod methods;
mod signal;
mod streaming;
