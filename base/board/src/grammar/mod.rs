//! The line grammar: what a meter that speaks lines of text is asked, and what it answers.
//!
//! | file | purpose |
//! |---|---|
//! | `read`, `field`, `keys` | TOML to a grammar, with every mistake |
//! | `pattern`, `number`, `answer` | the form of a line, its numbers, what a line means |
//! | `reader`, `exchange` | bytes to lines; asking and answering on one port |
//!
//! Many energy meters on a serial line have a protocol of their own: a request such as `READ?`,
//! an answer such as `U=230.12 V I=5.001A n=17`, or one such line every second unasked. A board
//! file describes that as data:
//!
//! ```toml
//! [[request]]
//! send = "READ?\r\n"                    # absent: the meter sends by itself
//! answer = "U={u}V I={i}A n={number}\r\n"
//! timeout = "500 ms"                    # from the request to the end of the answer
//! settle = "50 ms"                      # the silence that has to follow a request without answer
//!
//! [request.field.u]
//! quantity = "electricity.voltage.rms.l1"
//! unit = "V"                            # value in this unit = number * scale + offset
//! least = "0 V"                         # what lies outside is rejected
//! greatest = "500 V"
//!
//! [request.field.i]
//! quantity = "electricity.current.rms.l1"
//! unit = "A"
//!
//! [request.field.number]
//! role = "sequence"
//! modulo = 65536
//! ```
//!
//! `answer` is text with fields in braces. A blank matches one or more blanks, `*` any text within
//! the line in front of other text, and blanks around a field are not part of it. Behind a field
//! and at the end no `*` may stand: a meter that reports a fault there is refused. `{{`, `}}` and
//! `{*}` stand for the characters themselves. The answer is one line; it ends in `\r\n`, `\n`, `\r`
//! or another control or punctuation character, and all requests of a port end alike.
//!
//! [`Grammar::from_tables`] reads such tables out of a document, [`Exchange`] asks and reads.
//! Nothing here does I/O or knows the time by itself.

mod answer;
mod exchange;
mod field;
mod keys;
mod number;
mod pattern;
mod read;
mod reader;
#[cfg(test)]
mod tests;

use lastmeter_params::Dimension;
use lastmeter_units::MeasurementId;

use pattern::Pattern;

pub use answer::{Answer, AnswerText, Refusal};
pub use exchange::{BeginError, Counts, Exchange, Outcome};
pub use number::{DecimalSeparator, NumberBase};
pub use reader::{LINE_BYTES_MAX, Line, LineReader, shown_bytes};

lastmeter_units::words! {
    /// What a field is that carries no quantity.
    pub enum FieldRole {
        /// The number of the answer, which grows by one with each and wraps at `modulo`.
        Sequence = "sequence",
        /// The version of the meter's program.
        Version = "version",
        /// The meter's name or address.
        Node = "node",
        /// What the meter reports of itself; an answer with another text than `good` is rejected.
        Status = "status",
        /// The meter's own time, which is kept and not used.
        TimeStamp = "time-stamp",
    }
}

/// How the number of a field becomes a quantity.
#[derive(Clone, Debug, PartialEq)]
pub struct Measured {
    /// What it measures.
    pub quantity: MeasurementId,
    /// The dimension of the unit, which is that of the quantity.
    pub dimension: Dimension,
    /// One of the unit in the SI unit.
    pub factor: f64,
    /// The number times this, plus `offset`, is the value in the unit. Never 0.
    pub scale: f64,
    /// In the unit.
    pub offset: f64,
    /// The least plausible value in the SI unit.
    pub least: Option<f64>,
    /// The greatest plausible value in the SI unit.
    pub greatest: Option<f64>,
    /// Digits behind the decimal separator that a simulated meter writes.
    pub decimals: usize,
    /// How the number is written.
    pub base: NumberBase,
    /// Between whole part and fraction.
    pub decimal: DecimalSeparator,
}

/// What the text of a field means.
#[derive(Clone, Debug, PartialEq)]
pub enum Meaning {
    /// A number that is a quantity.
    Measured(Measured),
    /// The number of the answer.
    Sequence {
        /// It counts from 0 to one less than this, at least 2 and at most 2^32.
        modulo: u64,
        /// How the number is written.
        base: NumberBase,
    },
    /// A status word of the meter.
    Status {
        /// The only text with which an answer is accepted.
        good: String,
    },
    /// Text that is kept, of role version, node or time stamp.
    Text(FieldRole),
}

/// One field of an answer.
#[derive(Clone, Debug, PartialEq)]
pub struct AnswerField {
    /// Its name in the answer.
    pub name: String,
    /// What its text means.
    pub meaning: Meaning,
}

/// One request and its answer.
#[derive(Clone, Debug, PartialEq)]
pub struct Request {
    /// The bytes that ask; `None` where the meter sends by itself.
    pub send: Option<Vec<u8>>,
    /// The answer as it stands in the file.
    pub answer: String,
    /// From the request to the end of the answer, in nanoseconds.
    pub timeout_ns: u64,
    /// The silence after which nothing late is expected any more, in nanoseconds.
    pub settle_ns: u64,
    /// The fields in the order of the answer.
    pub fields: Vec<AnswerField>,
    pattern: Pattern,
    line_end: String,
}

impl Request {
    /// Whether the meter sends the line by itself.
    pub fn is_spontaneous(&self) -> bool {
        self.send.is_none()
    }

    /// What it measures, in the order of the answer.
    pub fn quantities(&self) -> impl Iterator<Item = MeasurementId> {
        self.fields.iter().filter_map(|field| match &field.meaning {
            Meaning::Measured(measured) => Some(measured.quantity),
            _ => None,
        })
    }
}

/// The requests of one port, in the order of the file.
#[derive(Clone, Debug, PartialEq)]
pub struct Grammar {
    /// At least one.
    pub requests: Vec<Request>,
    /// The bytes that end a line, the same for all requests.
    pub line_end: Vec<u8>,
}
