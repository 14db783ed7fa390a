//! Something in a store that is not what was stored.

/// Something in the store that is not what was stored.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, thiserror::Error)]
#[error("{part} {key}: {found}")]
pub struct Damage {
    /// The table or index.
    pub part: &'static str,
    /// Which row or stretch of it.
    pub key: String,
    /// What is wrong with it.
    pub found: String,
}

impl Damage {
    #[expect(clippy::needless_pass_by_value, reason = "keys are numbers and short texts")]
    /// Damage of a part, with its key and what was found.
    pub fn new(part: &'static str, key: impl ToString, found: impl Into<String>) -> Self {
        Self { part, key: key.to_string(), found: found.into() }
    }

    /// A row that has to be there and is not.
    pub fn missing(part: &'static str, key: impl ToString) -> Self {
        Self::new(part, key, "the row is missing")
    }
}
