//! The scripts of `OpenDSS`, as far as they describe a network: what the IEEE test feeders are
//! published in.
//!
//! Commands, classes and properties may be abbreviated, come in any case and by position, and
//! have the defaults of `OpenDSS`, which were taken from its source (version 9). `docs/opendss.md`
//! has what is obeyed, what is left out with a note since it has no influence on the steady state
//! of one moment, and what is rejected; everything else is unknown, and rejected too.
//!
//! ```text
//! lex, value, bus       lines to parameters; numbers, lists, units; names of buses
//! table, class          the properties of each class
//!   -> script, script_state  runs commands, and what they have made so far
//!     -> build          a network
//! ```
//!
//! Differences that are known: loads never leap. Those of models 3 and 4 have below `vminpu` a
//! current that goes on from the one of their model, where `OpenDSS` has that of constant power;
//! above `vmaxpu` those of model 4 become the impedance that draws at that border what the model
//! draws there; and a `vlowpu` that is not below `vminpu` counts for nothing. Each of these has a
//! note.
//!
//! Larger than its budget: a language of scripts with classes, expressions and defaults.

mod build;
mod bus;
mod class;
mod lex;
mod script;
mod script_state;
mod table;
#[cfg(test)]
mod tests;
mod value;

pub use script::read;

use crate::network::Network;

/// What the scripts describe.
#[derive(Clone, Debug, PartialEq)]
pub struct Document {
    /// The network, as it stands at the end.
    pub network: Network,
    /// What was left out because it has no influence on a power flow.
    pub notes: Vec<String>,
}
