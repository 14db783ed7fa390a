//! Messages and signals of a database, and the rules that they keep.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use super::error::{DatabaseError, Fault};
use crate::frame::CanId;

/// In which order the bytes of a signal lie.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ByteOrder {
    /// Little endian (`@1`): the start bit is the least significant one.
    Intel,
    /// Big endian (`@0`): the start bit is the most significant one.
    Motorola,
}

/// What the bits of a signal are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NumberFormat {
    /// A whole number.
    Unsigned,
    /// Two's complement.
    Signed,
    /// A number of IEEE 754, of 32 or 64 bits.
    Float,
}

/// When a message has a signal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Multiplexing {
    /// In each frame.
    Always,
    /// In each frame; its value selects others.
    Multiplexer,
    /// In frames whose multiplexer has one of these values.
    Selected(Vec<RangeInclusive<u64>>),
}

/// A signal of a message. Value = raw value * factor + offset.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Signal {
    /// Unique in its message.
    pub name: String,
    /// As the file has it: bit `n % 8` of byte `n / 8`, 0 the least significant.
    pub start_bit: u32,
    /// 1 to 64.
    pub length_bits: u32,
    /// Order of its bytes.
    pub byte_order: ByteOrder,
    /// What its bits are.
    pub format: NumberFormat,
    /// Not 0.
    pub factor: f64,
    /// The value of raw value 0.
    pub offset: f64,
    /// Least and greatest value, if the file gives them (`[0|0]` does not).
    pub range: Option<(f64, f64)>,
    /// The unit of its value, empty for none.
    pub unit: String,
    /// The nodes that use it.
    pub receivers: Vec<String>,
    /// Names of raw values.
    pub labels: BTreeMap<i64, String>,
    /// When the message has it.
    pub multiplexing: Multiplexing,
    /// What the file states about it.
    pub comment: String,
    pub(super) line: usize,
}

impl Signal {
    /// How far its least significant bit is from that of the eight bytes as one number, in its
    /// byte order, or nothing if it reaches beyond them.
    pub(super) fn shift(&self) -> Option<u32> {
        match self.byte_order {
            ByteOrder::Intel => Some(self.start_bit),
            ByteOrder::Motorola => (64 - self.first_in_order()).checked_sub(self.length_bits),
        }
    }

    /// How many bits lie before its first one, counted as its byte order does.
    fn first_in_order(&self) -> u32 {
        match self.byte_order {
            ByteOrder::Intel => self.start_bit,
            ByteOrder::Motorola => self.start_bit / 8 * 8 + 7 - self.start_bit % 8,
        }
    }

    /// As many ones as it has bits.
    pub(super) fn mask(&self) -> u64 {
        u64::MAX >> (64 - self.length_bits)
    }

    /// The bits of the eight bytes (as a little-endian number) that it takes.
    fn bits(&self) -> u64 {
        let bits = self.shift().map_or(0, |shift| self.mask() << shift);
        match self.byte_order {
            ByteOrder::Intel => bits,
            ByteOrder::Motorola => bits.swap_bytes(),
        }
    }

    /// Whether a message whose multiplexer has this value has it.
    pub(super) fn is_selected_by(&self, selector: Option<i128>) -> bool {
        match &self.multiplexing {
            Multiplexing::Always | Multiplexing::Multiplexer => true,
            Multiplexing::Selected(ranges) => {
                let selector = selector.and_then(|value| u64::try_from(value).ok());
                selector.is_some_and(|value| ranges.iter().any(|range| range.contains(&value)))
            }
        }
    }

    /// Whether one frame can have both.
    fn can_be_beside(&self, other: &Self) -> bool {
        let (Multiplexing::Selected(own), Multiplexing::Selected(others)) =
            (&self.multiplexing, &other.multiplexing)
        else {
            return true;
        };
        own.iter().any(|a| others.iter().any(|b| a.start() <= b.end() && b.start() <= a.end()))
    }
}

/// A message of a database: the data frames with one identifier.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Message {
    /// Unique in its database.
    pub id: CanId,
    /// Unique in its database.
    pub name: String,
    /// Bytes of its frames, 0 to 8.
    pub dlc: u8,
    /// The node that sends it, if the file names one.
    pub sender: Option<String>,
    /// In the order of the file.
    pub signals: Vec<Signal>,
    /// What the file states about it.
    pub comment: String,
    pub(super) line: usize,
}

impl Message {
    /// The signal whose value selects others.
    pub fn multiplexer(&self) -> Option<&Signal> {
        self.signals.iter().find(|signal| signal.multiplexing == Multiplexing::Multiplexer)
    }

    /// Every rule that signals keep beside each other and in their message.
    pub(super) fn check(&self) -> Result<(), DatabaseError> {
        let is_multiplexer = |signal: &&Signal| signal.multiplexing == Multiplexing::Multiplexer;
        let multiplexers = self.signals.iter().filter(is_multiplexer).count();
        let is_multiplexed =
            |signal: &Signal| matches!(signal.multiplexing, Multiplexing::Selected(_));
        if multiplexers > 1 || multiplexers == 0 && self.signals.iter().any(is_multiplexed) {
            let fault = Fault::Multiplexer { message: self.name.clone(), found: multiplexers };
            return Err(DatabaseError { line: self.line, fault });
        }
        for (number, signal) in self.signals.iter().enumerate() {
            self.check_signal(signal)?;
            for other in &self.signals[..number] {
                self.check_pair(signal, other)?;
            }
        }
        Ok(())
    }

    fn check_signal(&self, signal: &Signal) -> Result<(), DatabaseError> {
        let wrong = |fault| Err(DatabaseError { line: signal.line, fault });
        let (message, name) = (self.name.clone(), signal.name.clone());
        let bits = u32::from(self.dlc) * 8;
        let fits = (1..=64).contains(&signal.length_bits)
            && signal.start_bit < 64
            && signal.first_in_order() + signal.length_bits <= bits;
        if !fits {
            return wrong(Fault::DoesNotFit {
                message,
                signal: name,
                start: signal.start_bit.into(),
                length: signal.length_bits.into(),
                bytes: self.dlc,
            });
        }
        let number = |what, found: String, expected| {
            wrong(Fault::Number {
                message: message.clone(),
                signal: name.clone(),
                what,
                found,
                expected,
            })
        };
        if signal.factor == 0.0 {
            let expected = "another number; a factor of 0 gives each raw value the same value";
            return number("the factor", "0".to_owned(), expected);
        }
        if let Some((minimum, maximum)) = signal.range.filter(|(least, most)| least > most) {
            let found = format!("[{minimum}|{maximum}]");
            return number("the range", found, "the minimum first, then the maximum");
        }
        if signal.format == NumberFormat::Float
            && (![32, 64].contains(&signal.length_bits)
                || signal.multiplexing == Multiplexing::Multiplexer)
        {
            let found = format!("of {} bits", signal.length_bits);
            return number("a floating point value", found, "32 or 64 bits and no multiplexer");
        }
        Ok(())
    }

    fn check_pair(&self, signal: &Signal, other: &Signal) -> Result<(), DatabaseError> {
        let (message, name, other_line) = (self.name.clone(), signal.name.clone(), other.line);
        let fault = if signal.name == other.name {
            Fault::DuplicateSignal { message, signal: name, other_line }
        } else if signal.bits() & other.bits() != 0 && signal.can_be_beside(other) {
            Fault::Overlap { message, signal: name, other: other.name.clone(), other_line }
        } else {
            return Ok(());
        };
        Err(DatabaseError { line: signal.line, fault })
    }
}
