//! Messages and signals of a database, and the rules that they keep.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use super::error::{DatabaseError, wrong};
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
            let fault = format!(
                "message {} has multiplexed signals and {multiplexers} multiplexers, expected one; \
                 mark the signal that selects with M",
                self.name
            );
            return wrong(self.line, fault);
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
        let Signal { start_bit, length_bits, factor, line, .. } = *signal;
        let place = format!("signal {} of message {}", signal.name, self.name);
        let fits = (1..=64).contains(&length_bits)
            && start_bit < 64
            && signal.first_in_order() + length_bits <= u32::from(self.dlc) * 8;
        if !fits {
            let fault = format!(
                "{place} has {length_bits} bits from start bit {start_bit}, expected 1 to 64 bits \
                 within {} bytes; correct start bit, length or the message's length",
                self.dlc
            );
            return wrong(line, fault);
        }
        if factor == 0.0 {
            let fault =
                format!("{place} has the factor 0, by which every value is the same; correct it");
            return wrong(line, fault);
        }
        if let Some((minimum, maximum)) = signal.range.filter(|(least, most)| least > most) {
            let fault = format!(
                "{place} has the range [{minimum}|{maximum}], expected the minimum first; exchange them"
            );
            return wrong(line, fault);
        }
        let is_whole = signal.format != NumberFormat::Float;
        let is_multiplexer = signal.multiplexing == Multiplexing::Multiplexer;
        if is_whole || [32, 64].contains(&length_bits) && !is_multiplexer {
            return Ok(());
        }
        let fault = format!(
            "{place} has {length_bits} bits as a floating point number, expected 32 (type 1) or 64 \
             (type 2), and no multiplexer; correct SIG_VALTYPE_ or the length"
        );
        wrong(line, fault)
    }

    fn check_pair(&self, signal: &Signal, other: &Signal) -> Result<(), DatabaseError> {
        if signal.bits() & other.bits() == 0 || !signal.can_be_beside(other) {
            return Ok(());
        }
        let fault = format!(
            "signal {} of message {} overlaps signal {} in line {}, expected bits of its own; \
             correct start bit or length of one of them",
            signal.name, self.name, other.name, other.line
        );
        wrong(signal.line, fault)
    }
}
