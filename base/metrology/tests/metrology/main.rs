//! The package's tests against closed forms and independent computations.

mod accuracy;
mod aggregates;
mod analysis;
mod events;
mod faults;
mod flicker;
mod measured;
mod methods;
mod oracles;
mod power;
mod signal;
mod streaming;
mod transformer;
mod whole;
