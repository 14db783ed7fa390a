//! What a format is as a row of the registry: its word, its texts and its keys in point maps.

use lastmeter_params::Field;

/// One kind of format.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct FormatKind {
    /// The word of a point map for it.
    pub name: &'static str,
    /// One line for lists.
    pub summary: &'static str,
    /// The long text.
    pub description: &'static str,
    /// The keys of `[simulator]` that maps of other formats do not have.
    pub simulator_keys: &'static [Field],
    /// The keys of `[[point]]` that maps of other formats do not have.
    pub point_keys: &'static [Field],
}
