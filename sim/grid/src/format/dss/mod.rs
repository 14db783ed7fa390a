//! The scripts of `OpenDSS`, as far as they describe a network: what the IEEE test feeders are
//! published in.
//!
//! Commands, classes and properties may be abbreviated, come in any case and by position, and
//! have the defaults of `OpenDSS`, which were taken from its source (version 9). [`table_page`] has
//! what is obeyed, what is left out with a note since it has no influence on the steady state of
//! one moment, and what is rejected; everything else is unknown, and rejected too.
//!
//! Differences that are known: loads never leap. Those of models 3 and 4 have below `vminpu` a
//! current that goes on from the one of their model, where `OpenDSS` has that of constant power;
//! above `vmaxpu` those of model 4 become the impedance that draws at that border what the model
//! draws there; and a `vlowpu` that is not below `vminpu` counts for nothing. Each of these has a
//! note.

mod build;
mod bus;
mod class;
mod lex;
mod script;
mod table;
#[cfg(test)]
mod tests;
mod value;
mod world;

use std::collections::BTreeMap;

pub use table::table_page;

use crate::format::Refusal;
use crate::network::Network;

/// What the scripts say.
#[derive(Clone, Debug, PartialEq)]
pub struct Document {
    /// The network, as it stands at the end.
    pub network: Network,
    /// Load shapes by name, in lower case.
    pub profiles: BTreeMap<String, Profile>,
    /// For each load of the network which profile it follows, if any.
    pub follows: Vec<Follows>,
    /// What was left out because it has no influence on a power flow.
    pub notes: Vec<String>,
}

/// The profile that a load follows, by the kind of run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Follows {
    /// Over a day.
    pub daily: Option<String>,
    /// Over a year; where a script gives only a daily one, that.
    pub yearly: Option<String>,
}

/// A load shape: factors of a load's power at equal steps.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Profile {
    /// From one value to the next, seconds. Value `i`, counted from 0, holds for the step that ends
    /// at `(i + 1) * step_s`, which is how `OpenDSS` counts.
    pub step_s: f64,
    /// Factors of the active power, and of the reactive one where there are no others.
    pub active: Vec<f64>,
    /// Factors of the reactive power, if the script gives them.
    pub reactive: Option<Vec<f64>>,
    /// Whether these are kilowatts and kilovars themselves.
    pub actual: bool,
}

/// Reads the script `text` that is called `file` in messages. Other files that it names are asked
/// of `open`, by their path from the folder of this one, with `/` between folders; it answers with
/// the text or with the reason why not.
///
/// # Errors
/// Every mistake with file and line: what is no command, class or property; what is one, but
/// cannot be expressed here; values that are none; objects that do not exist.
pub fn read(
    file: &str,
    text: &str,
    open: &mut dyn FnMut(&str) -> Result<String, String>,
) -> Result<Document, Refusal> {
    script::run(file, text, open)
}
