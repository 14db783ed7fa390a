//! The JSON of power-grid-model, version 1.0 of its schema: input data as rows or compact lists.
//!
//! Names, units, defaults and electrical models are those of its documentation ("Components" and
//! "Serialization"). The frequency is not part of such a file; it counts 50 Hz, so does this.
//!
//! ```text
//! json, document, attributes   rows with their places, and the names of components and attributes
//! branch, read                 input data to a network
//! write                        a network to input data
//! output, short_circuit        results
//! ```
//!
//! Larger than its budget: input and three outputs of another program, row by row.

mod attributes;
mod branch;
mod document;
mod json;
mod output;
mod read;
mod short_circuit;
#[cfg(test)]
mod tests;
mod write;

pub use document::{Document, Element, FaultRow, SymmetricOnly};
pub use output::{Extra, output, output_by_number};
pub use read::read;
pub use short_circuit::{short_circuit_output, sweep_output};
pub use write::{Written, write};

use std::fmt;

/// Rated frequency of the networks that power-grid-model describes.
pub const FREQUENCY_HZ: f64 = 50.0;

/// Kinds of components, in the order in which they are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(missing_docs, reason = "the names are those of power-grid-model's documentation")]
pub enum Component {
    Node,
    Line,
    AsymLine,
    Link,
    GenericBranch,
    Transformer,
    ThreeWindingTransformer,
    Shunt,
    Source,
    SymLoad,
    SymGen,
    AsymLoad,
    AsymGen,
    Fault,
}

impl Component {
    /// All of them, in order.
    pub const ALL: [Self; 14] = [
        Self::Node,
        Self::Line,
        Self::AsymLine,
        Self::Link,
        Self::GenericBranch,
        Self::Transformer,
        Self::ThreeWindingTransformer,
        Self::Shunt,
        Self::Source,
        Self::SymLoad,
        Self::SymGen,
        Self::AsymLoad,
        Self::AsymGen,
        Self::Fault,
    ];
}

impl fmt::Display for Component {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
