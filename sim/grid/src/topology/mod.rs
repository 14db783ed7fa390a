//! Which nodes hang together: graphs, islands, trees and loops, what is downstream of what.
//!
//! Everything here takes time in proportion to what it looks at, needs no recursion, and depends on
//! the order of its inputs only, never on chance.

mod forest;
mod groups;
mod supply;

pub use forest::{Forest, Graph};
pub use groups::Groups;
pub(crate) use supply::loops;
pub use supply::{Element, Joins, Supply, supply};

/// No node, where a node may be missing.
pub const NONE: u32 = u32::MAX;
