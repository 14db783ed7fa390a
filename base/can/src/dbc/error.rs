//! Why a text is no database, a frame no values, and values no frame.

use crate::frame::{CanId, FrameError};

/// A mistake in the text of a database, with its line.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("line {line}: {fault}")]
pub struct DatabaseError {
    /// Counted from 1.
    pub line: usize,
    /// What is wrong there.
    pub fault: Fault,
}

/// What is wrong in the text of a database.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum Fault {
    /// Another word or mark than the statement has there.
    #[error("found {found}, expected {expected}; correct the statement")]
    Syntax {
        /// What stands there.
        found: String,
        /// What the statement has there.
        expected: &'static str,
    },
    /// A statement of the file format that would change values and is not supported.
    #[error("{what} is not supported; {instead}")]
    Unsupported {
        /// The feature, with where it is used.
        what: String,
        /// What to do.
        instead: &'static str,
    },
    /// An identifier that no frame can have.
    #[error(
        "message {message} has the identifier {found}, expected 0 to 2047, or for an extended \
         one 2147483648 (bit 31) plus 0 to 536870911; correct the number"
    )]
    Identifier {
        /// The message.
        message: String,
        /// The number found.
        found: u64,
    },
    /// More than a frame of classical CAN holds.
    #[error(
        "message {message} has {found} bytes, expected 0 to 8; messages of CAN FD are not \
         supported, remove it"
    )]
    Length {
        /// The message.
        message: String,
        /// The number found.
        found: u64,
    },
    /// Two messages with one identifier or one name.
    #[error(
        "message {message} has the {what} of message {other} in line {other_line}, expected a \
         {what} of its own; change or remove one of them"
    )]
    DuplicateMessage {
        /// The later one.
        message: String,
        /// Identifier or name.
        what: &'static str,
        /// The earlier one.
        other: String,
        /// Where that is.
        other_line: usize,
    },
    /// Two signals of a message with one name.
    #[error(
        "message {message} has a second signal {signal}, the first is in line {other_line}; \
         rename or remove one of them"
    )]
    DuplicateSignal {
        /// The message.
        message: String,
        /// The signal.
        signal: String,
        /// Where the first is.
        other_line: usize,
    },
    /// A signal that reaches beyond its message.
    #[error(
        "signal {signal} of message {message} has {length} bits from start bit {start}, expected \
         1 to 64 bits within {bytes} bytes; correct start bit, length or the message's length"
    )]
    DoesNotFit {
        /// The message.
        message: String,
        /// The signal.
        signal: String,
        /// Its start bit.
        start: u64,
        /// Its length in bits.
        length: u64,
        /// The length of the message.
        bytes: u8,
    },
    /// Two signals with common bits that a frame can have together.
    #[error(
        "signal {signal} of message {message} overlaps signal {other} in line {other_line}, \
         expected bits of its own; correct start bit or length of one of them"
    )]
    Overlap {
        /// The message.
        message: String,
        /// The later signal.
        signal: String,
        /// The earlier signal.
        other: String,
        /// Where that is.
        other_line: usize,
    },
    /// A number of a signal that cannot be used as such.
    #[error("signal {signal} of message {message} has {what} {found}, expected {expected}")]
    Number {
        /// The message.
        message: String,
        /// The signal.
        signal: String,
        /// Factor, offset, range or number format.
        what: &'static str,
        /// What was given.
        found: String,
        /// What it has to be.
        expected: &'static str,
    },
    /// No multiplexer, or two.
    #[error(
        "message {message} has multiplexed signals and {found} multiplexers, expected one; mark \
         the signal that selects with M"
    )]
    Multiplexer {
        /// The message.
        message: String,
        /// How many it has.
        found: usize,
    },
    /// A statement about something that the file does not define.
    #[error("{statement} names {what}, which is not defined above; correct or remove it")]
    Undefined {
        /// Keyword of the statement.
        statement: &'static str,
        /// What it names.
        what: String,
    },
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
