//! Why a text is no database, a frame no values, and values no frame.

use crate::frame::{CanId, FrameError};

/// A mistake in the text of a database, with its line.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {fault}")]
pub struct DatabaseError {
    /// Counted from 1.
    pub line: usize,
    /// What was found, what was expected, what to do.
    pub fault: String,
}

/// A mistake in a line.
pub(super) fn wrong<T>(line: usize, fault: String) -> Result<T, DatabaseError> {
    Err(DatabaseError { line, fault })
}

/// Why a frame has no values.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum DecodeError {
    /// The database has no message with this identifier.
    #[error("no message has the identifier {0}; add it to the database, or use another one")]
    Unknown(CanId),
    /// A remote frame asks for values and has none.
    #[error("a remote frame for message {message} has no values, expected a data frame")]
    Remote {
        /// The message that is asked for.
        message: String,
    },
    /// Fewer bytes than the message has.
    #[error(
        "a frame of message {message} has {found} bytes, expected {expected}; correct the sender \
         or the message's length"
    )]
    Short {
        /// The message.
        message: String,
        /// Bytes of the frame.
        found: usize,
        /// Bytes of the message.
        expected: u8,
    },
}

/// Why values make no frame.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum EncodeError {
    /// The database has no message with this name.
    #[error("unknown message {0}; use a name of the database")]
    Message(String),
    /// The message has no signal with this name, or none for this value of its multiplexer.
    #[error("message {message} has no signal {signal} here, expected {expected}")]
    Signal {
        /// The message.
        message: String,
        /// The name that was given.
        signal: String,
        /// The signals that it has.
        expected: String,
    },
    /// A value given twice.
    #[error("signal {signal} of message {message} is given twice; give one value")]
    Twice {
        /// The message.
        message: String,
        /// The signal.
        signal: String,
    },
    /// No value given.
    #[error("signal {signal} of message {message} has no value; give one")]
    Missing {
        /// The message.
        message: String,
        /// The signal.
        signal: String,
    },
    /// A value that the bits do not hold, or outside of what the database allows.
    #[error(
        "{found} {unit} of signal {signal} of message {message} is out of range, expected \
         {minimum} to {maximum}"
    )]
    Range {
        /// The message.
        message: String,
        /// The signal.
        signal: String,
        /// The value that was given.
        found: f64,
        /// Its unit.
        unit: String,
        /// The least value.
        minimum: f64,
        /// The greatest value.
        maximum: f64,
    },
    /// A value between two that the signal can have.
    #[error(
        "{found} {unit} of signal {signal} of message {message} lies between two values, \
         expected a multiple of {step}, the nearest is {nearest}; give that, or have it rounded"
    )]
    Rounding {
        /// The message.
        message: String,
        /// The signal.
        signal: String,
        /// The value that was given.
        found: f64,
        /// Its unit.
        unit: String,
        /// The factor of the signal.
        step: f64,
        /// The nearest value that it can have.
        nearest: f64,
    },
    /// The message does not fit a frame.
    #[error(transparent)]
    Frame(#[from] FrameError),
}
