//! Why bytes are no records, and why a record has no bytes.

use thiserror::Error;

lastmeter_units::words! {
    /// Part of a record at which the data ended.
    pub enum Part {
        /// A data information field extension.
        Dife = "DIFE",
        /// A value information field.
        Vif = "VIF",
        /// A value information field extension.
        Vife = "VIFE",
        /// The length of a plain-text unit, or the text.
        UnitText = "unit text",
        /// The length of a value of variable length.
        VariableLength = "length of the value",
        /// The value.
        Value = "value",
    }
}

/// Why bytes are no records. Positions count from where the reader of the records began to count:
/// the start of the frame, if [`Application::decode`](crate::application::Application::decode) did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum RecordError {
    /// The data ends within a record.
    #[error("{part} at byte {at} has {available} bytes, expected {needed}")]
    EndOfData {
        /// Where the part begins.
        at: usize,
        /// The part that is cut short.
        part: Part,
        /// Bytes it needs.
        needed: usize,
        /// Bytes there are.
        available: usize,
    },
    /// More than ten data information field extensions.
    #[error("an 11th DIFE at byte {at}, expected at most 10")]
    TooManyDife {
        /// Where the eleventh is.
        at: usize,
    },
    /// More than ten value information field extensions.
    #[error("an 11th VIFE at byte {at}, expected at most 10")]
    TooManyVife {
        /// Where the eleventh is.
        at: usize,
    },
    /// A data information field without a meaning.
    #[error("DIF {found:02X} at byte {at} is reserved")]
    ReservedDif {
        /// Its offset in the data, in bytes.
        at: usize,
        /// The field found.
        found: u8,
    },
    /// A variable length without a meaning.
    #[error(
        "variable length {found:02X} at byte {at} is reserved, expected 00 to C9, D0 to D9 or E0 to FA"
    )]
    ReservedLength {
        /// Its offset in the data, in bytes.
        at: usize,
        /// The length byte found.
        found: u8,
    },
}

/// Why a record cannot be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum EncodeError {
    /// The number has no place in the digits or bytes it was given.
    #[error("{value} does not fit into {bytes} bytes")]
    Number {
        /// The number to be written.
        value: i64,
        /// Bytes there are.
        bytes: usize,
    },
    /// There is no coding with so many bytes or digits.
    #[error("no coding has {found} bytes or digits")]
    Width {
        /// How many were asked for.
        found: usize,
    },
    /// A text, or bytes, longer than their length field can state.
    #[error("{found} bytes, expected at most {limit}")]
    TooLong {
        /// Bytes there are.
        found: usize,
        /// Bytes there may be.
        limit: usize,
    },
    /// Storage number, tariff or subunit beyond what ten extensions hold.
    #[error("storage {storage}, tariff {tariff}, subunit {subunit} need more than 10 DIFE")]
    TooManyDife {
        /// The storage number.
        storage: u64,
        /// The tariff number.
        tariff: u32,
        /// The subunit number.
        subunit: u16,
    },
    /// More than ten value information field extensions.
    #[error("{found} VIFE, expected at most 10")]
    TooManyVife {
        /// How many they are.
        found: usize,
    },
    /// The value information code cannot be written, or not with extensions.
    #[error("value information code {code:02X} cannot be written")]
    Code {
        /// The code, of seven bits.
        code: u8,
    },
    /// A field of a date or a time has no place in its bits.
    #[error("a field of the date or time does not fit into its bits")]
    Date,
    /// The value would be read as another type: a date only follows the codes of time points, and
    /// an integer of such a width never does.
    #[error("the value would not be read as what it is behind this value information")]
    Coding,
    /// Digits that are all decimal are a number, not an invalid one.
    #[error("the digits are a number")]
    ValidDigits,
    /// The telegram has no place in a frame.
    #[error("{found} bytes of user data, expected at most 252")]
    Telegram {
        /// Bytes there are.
        found: usize,
    },
}
