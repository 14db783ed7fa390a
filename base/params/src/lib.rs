//! What a scenario may hold, how it is written, and how mistakes are reported to its author.
//!
//! The leaf that lets every package own its part of the scenario language. A part is described
//! once, as an [`Entry`] with [`Field`]s; reading ([`read_table`]), defaults, JSON Schema
//! ([`schema`]), help and `explain` all walk that one description.
//!
//! | file | purpose |
//! |---|---|
//! | `field`, `pattern`, `requirement` | the one description of a part |
//! | `node` -> `read` -> `values` | TOML with spans, checked against it |
//! | `quantity` | numbers with units |
//! | `diagnostic`, `code`, `mistake`, `nearest`, `synonyms`, `former` | mistakes and their help |
//! | [`schema`] | the JSON Schema of the same description |
//!
//! Terms: a *node* is a TOML value with the span it came from; *values* are the checked fields of
//! one table, in SI units; a *diagnostic* is one mistake of the author, at one place.

mod code;
mod diagnostic;
mod field;
mod former;
mod mistake;
mod nearest;
mod node;
mod pattern;
mod quantity;
mod read;
mod requirement;
pub mod schema;
mod synonyms;
mod values;

pub use code::{CODES, Code};
pub use diagnostic::{Diagnostic, Diagnostics, SourceId, Span};
pub use field::{Dimension, Entry, Field, Kind, Presence};
pub use former::{current_address, parse_document, use_current_words};
pub use mistake::{Mistake, Mistakes};
pub use nearest::{measurement_help, nearest, registered_measurement_help};
pub use node::{Node, NodeValue, Table, TableEntry, parse_override};
pub use pattern::{Pattern, PatternPart};
pub use quantity::{QuantityError, WrittenUnit, parse_quantity};
pub use read::{
    describe_kind, is_name, read_measurement, read_named_table, read_number_alone, read_table,
    read_table_of, read_text,
};
pub use requirement::Requirement;
pub use values::{Value, Values, quote};
