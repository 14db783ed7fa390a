//! Why something outside was not reached, or did not take what was sent.

/// Why something outside was not reached, or did not take what was sent.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OutgoingError {
    /// It will not be otherwise.
    #[error("{0}")]
    Refused(String),
    /// It may be otherwise later.
    #[error("{0}")]
    Failed(String),
}
