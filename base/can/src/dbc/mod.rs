//! Databases of CAN messages: DBC files, and the values of frames by their names.
//!
//! | module | what |
//! |---|---|
//! | `tokens` | words, texts and marks of a file |
//! | `read` | its statements |
//! | [`message`] | messages and signals, and the rules that they keep |
//! | `codec` | frames to values and back |
//! | [`error`] | what can be wrong with a file, a frame, or values |
//! | [`metering`] | the database of the metering network |
//!
//! The file format has no public standard; what is read here is what cantools reads. Not
//! supported, and named where it occurs: CAN FD, a multiplexer below another. Attributes, groups
//! and environment variables are skipped. The parser is our own: `can-dbc` 10 truncates identifiers
//! to their low bits without an error, gives no lines, and builds a parser generator.
//!
//! ```
//! use lastmeter_can::dbc::{Database, Rounding};
//! let text = "BO_ 291 Motor: 2 Drive\n SG_ Speed : 7|16@0- (0.5,0) [0|0] \"rpm\" Panel\n";
//! let database = Database::read(text).unwrap();
//! let frame = "123#FFFE".parse().unwrap();
//! let values = database.decode(&frame).unwrap();
//! assert_eq!((values[0].name, values[0].value, values[0].unit), ("Speed", -1.0, "rpm"));
//! assert_eq!(database.encode("Motor", &[("Speed", -1.0)], Rounding::Error), Ok(frame));
//! ```

mod codec;
pub mod error;
pub mod message;
pub mod metering;
mod read;
mod tokens;

#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::collections::BTreeMap;

pub use codec::{Rounding, Value};
pub use error::{DatabaseError, DecodeError, EncodeError};
pub use message::{ByteOrder, Message, Multiplexing, NumberFormat, Signal};

use crate::frame::{CanFrame, CanId};

/// Messages with identifiers and names of their own, whose signals fit and do not overlap.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Database {
    messages: BTreeMap<CanId, Message>,
    names: BTreeMap<String, CanId>,
}

impl Database {
    /// Reads a DBC file.
    pub fn read(text: &str) -> Result<Self, DatabaseError> {
        let mut database = Self::default();
        for message in read::read(text)? {
            database.names.insert(message.name.clone(), message.id);
            database.messages.insert(message.id, message);
        }
        Ok(database)
    }

    /// Reads the bytes of a DBC file: UTF-8, or else Latin-1, which many editors write.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, DatabaseError> {
        let text = std::str::from_utf8(bytes).map_or_else(
            |_| Cow::Owned(bytes.iter().copied().map(char::from).collect()),
            Cow::Borrowed,
        );
        Self::read(&text)
    }

    /// All messages, by identifier.
    pub fn messages(&self) -> impl Iterator<Item = &Message> {
        self.messages.values()
    }

    /// The message of an identifier.
    pub fn message(&self, id: CanId) -> Option<&Message> {
        self.messages.get(&id)
    }

    /// The message of a name.
    pub fn message_named(&self, name: &str) -> Option<&Message> {
        self.messages.get(self.names.get(name)?)
    }

    /// The values of a data frame, in the order of the file. Bytes behind those of the message are
    /// left out; of a multiplexer value that selects nothing come the signals of each frame.
    pub fn decode(&self, frame: &CanFrame) -> Result<Vec<Value<'_>>, DecodeError> {
        self.message(frame.id()).ok_or(DecodeError::Unknown(frame.id()))?.decode(frame)
    }

    /// The data frame of a message: a value for each of its signals, of multiplexed ones for those
    /// that the multiplexer's value selects. Bits of no signal are 0.
    pub fn encode(
        &self,
        message: &str,
        values: &[(&str, f64)],
        rounding: Rounding,
    ) -> Result<CanFrame, EncodeError> {
        let found = self.message_named(message);
        found.ok_or_else(|| EncodeError::Message(message.to_owned()))?.encode(values, rounding)
    }
}
