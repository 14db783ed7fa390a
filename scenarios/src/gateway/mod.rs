//! Gateways that run by themselves, on real lines and against any broker.

mod kept;

pub use kept::{Kept, KeptError};
