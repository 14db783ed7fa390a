//! Three-phase networks: what is connected to what, and what flows when loads draw from it.
//!
//! [`Network`] is the model as people describe it, in SI units. Everything here is pure and
//! synchronous: text and numbers in, numbers and text out. The results never depend on the order in
//! which threads finish.
//!
//! The library serves the plant of the bench, and alone `lastmeter grid`. It is held against
//! power-grid-model and `OpenDSS`.
//!
//! ```text
//! network      the model as people describe it, in SI units; check: what is wrong with it
//! format       files in and out; diagram: its one-line diagram
//!   -> circuit   what the solvers see: nodes, branches, loads; topology: islands, trees, loops
//!     -> flow, sweep           the steady state, in general and on trees
//!     -> short_circuit         currents and voltages just after a fault
//!     -> fault_search          the places of a fault, from what a station measures of it
//!     -> transient             voltages and currents instant by instant
//!       -> motion              faults and switching between steps; protection: its devices
//! block, block_lu  small square matrices, and sparse matrices of them
//! ```

#![expect(clippy::needless_range_loop, reason = "matrices are indexed by row and column")]

pub mod block;
pub mod block_lu;
pub mod check;
pub mod circuit;
pub mod diagram;
pub mod fault_search;
pub mod flow;
pub mod format;
pub mod motion;
pub mod network;
pub mod protection;
pub mod short_circuit;
pub mod sweep;
pub mod topology;
pub mod transient;

#[cfg(test)]
extern crate self as lastmeter_grid;
#[cfg(test)]
#[path = "../tests/common/mod.rs"]
mod testing;

pub use network::Network;
pub use num_complex::Complex64;
