//! Messages from the text of a database, statement by statement.
//!
//! What changes no value (attributes, node lists, groups) is skipped; what would change values and
//! is not supported (a multiplexer below another) is an error.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use super::error::{DatabaseError, wrong};
use super::message::{ByteOrder, Message, Multiplexing, NumberFormat, Signal};
use super::tokens::{Kind, Token, Tokens};
use crate::frame::CanId;

/// Where editors of databases put signals that belong to no message.
const NO_MESSAGE: &str = "VECTOR__INDEPENDENT_SIG_MSG";
/// What stands for no node.
const NO_NODE: &str = "Vector__XXX";
/// Bit 31 of an identifier: an extended one.
const EXTENDED: u64 = 1 << 31;

const MESSAGE: &str = "the identifier of a message, a whole number";
const SIGNAL: &str = "the name of a signal";
const SIGNAL_START: &str =
    "the signal's place as START|LENGTH@ORDER, as in 7|16@0+ (@1 Intel, @0 Motorola, - signed)";

/// What has been read so far.
struct Reader<'t> {
    tokens: Tokens<'t>,
    messages: Vec<Message>,
    /// By the number in the file; nothing for [`NO_MESSAGE`].
    by_number: BTreeMap<u64, Option<usize>>,
    by_name: BTreeMap<String, usize>,
    tables: BTreeMap<String, BTreeMap<i64, String>>,
    /// The signals of the statements that follow are those of [`NO_MESSAGE`].
    is_outside: bool,
}

/// The messages of a text, each checked by itself.
pub(super) fn read(text: &str) -> Result<Vec<Message>, DatabaseError> {
    let mut reader = Reader {
        tokens: Tokens::of(text)?,
        messages: Vec::new(),
        by_number: BTreeMap::new(),
        by_name: BTreeMap::new(),
        tables: BTreeMap::new(),
        is_outside: false,
    };
    while reader.tokens.peek().is_some() {
        reader.statement()?;
    }
    for message in &reader.messages {
        message.check()?;
    }
    Ok(reader.messages)
}

fn is_keyword(kind: Kind<'_>) -> bool {
    let Kind::Word(word) = kind else { return false };
    let is_upper = |c: char| c.is_ascii_uppercase() || c == '_';
    ["VERSION", "FILTER"].contains(&word) || word.ends_with('_') && word.chars().all(is_upper)
}

impl Reader<'_> {
    fn statement(&mut self) -> Result<(), DatabaseError> {
        const STATEMENT: &str = "the keyword of a statement, such as BO_, SG_, VAL_ or CM_";
        let Some(token) = self.tokens.take_if(|token| is_keyword(token.kind)) else {
            return Err(self.tokens.unexpected(STATEMENT));
        };
        let Kind::Word(keyword) = token.kind else { return Ok(()) };
        match keyword {
            "VERSION" => self.tokens.text("a text as version").map(|_| ()),
            "NS_" => self.new_symbols(),
            "BS_" | "BU_" => {
                while self.tokens.take_if(|t| !(t.is_first && is_keyword(t.kind))).is_some() {}
                Ok(())
            }
            "BO_" => self.message(token.line),
            "SG_" => self.signal(token.line),
            "VAL_TABLE_" => {
                let name = self.tokens.word("the name of a value table")?.to_owned();
                let labels = self.labels()?;
                self.tables.insert(name, labels);
                Ok(())
            }
            "VAL_" => self.value_names(),
            "CM_" => self.comment(token.line),
            "SIG_VALTYPE_" => self.float(),
            "SG_MUL_VAL_" => self.selectors(),
            _ => self.skip(token.line),
        }
    }

    /// Words, each alone in its line, of which many are keywords.
    fn new_symbols(&mut self) -> Result<(), DatabaseError> {
        self.tokens.mark(':', "':' after NS_")?;
        while self.tokens.has_lone_word() {}
        Ok(())
    }

    /// Up to the end of a statement; a statement before it is one that would be lost.
    fn skip(&mut self, line: usize) -> Result<(), DatabaseError> {
        while let Some(token) = self.tokens.take_if(|t| !(t.is_first && is_keyword(t.kind))) {
            if token.kind == Kind::Mark(';') {
                return Ok(());
            }
        }
        let error = self.tokens.unexpected("';' at the end of the statement");
        Err(DatabaseError { line, ..error })
    }

    fn message(&mut self, line: usize) -> Result<(), DatabaseError> {
        let number = self.tokens.whole(MESSAGE)?;
        let name = self.tokens.word("the name of a message")?.to_owned();
        self.tokens.mark(':', "':' and the number of bytes")?;
        let length = self.tokens.whole("the number of bytes of a message, 0 to 8")?;
        let sender = self.tokens.take_if(|t| !t.is_first && matches!(t.kind, Kind::Word(_)));
        self.is_outside = name == NO_MESSAGE;
        if self.is_outside {
            self.by_number.entry(number).or_insert(None);
            return Ok(());
        }
        let id = identifier(line, &name, number)?;
        if length > 8 {
            let fault = format!(
                "message {name} has {length} bytes, expected 0 to 8; messages of CAN FD are not \
                 supported, remove it"
            );
            return wrong(line, fault);
        }
        let sender = sender.and_then(|token| match token.kind {
            Kind::Word(word) if word != NO_NODE => Some(word.to_owned()),
            _ => None,
        });
        self.register(line, &name, number)?;
        let (signals, comment, dlc) = (Vec::new(), String::new(), length as u8);
        self.messages.push(Message { id, name, dlc, sender, signals, comment, line });
        Ok(())
    }

    /// Notes number and name of the next message, which none before it may have.
    fn register(&mut self, line: usize, name: &str, number: u64) -> Result<(), DatabaseError> {
        let by_number = self.by_number.insert(number, Some(self.messages.len())).flatten();
        let by_name = self.by_name.insert(name.to_owned(), self.messages.len());
        let by_number = by_number.map(|index| ("identifier", index));
        if let Some((what, index)) = by_number.or(by_name.map(|index| ("name", index))) {
            let other = &self.messages[index];
            let fault = format!(
                "message {name} has the {what} of message {} in line {}, expected a {what} of its \
                 own; change or remove one of them",
                other.name, other.line
            );
            return wrong(line, fault);
        }
        Ok(())
    }

    fn signal(&mut self, line: usize) -> Result<(), DatabaseError> {
        let name = self.tokens.word(SIGNAL)?.to_owned();
        let multiplexing = self.multiplexing(&name)?;
        let (start_bit, length_bits, byte_order, format) = self.place()?;
        let (factor, offset) = self.scaling()?;
        let range = self.range()?;
        let unit = self.tokens.text("the unit between quotes, \"\" for none")?;
        let receivers = self.receivers();
        let (labels, comment) = (BTreeMap::new(), String::new());
        let signal = Signal {
            name,
            start_bit,
            length_bits,
            byte_order,
            format,
            factor,
            offset,
            range,
            unit,
            receivers,
            labels,
            multiplexing,
            comment,
            line,
        };
        if self.is_outside {
            return Ok(());
        }
        let Some(message) = self.messages.last_mut() else {
            let fault = "found a signal, expected a message before it; add the line BO_";
            return wrong(line, fault.to_owned());
        };
        if let Some(other) = message.signals.iter().find(|other| other.name == signal.name) {
            let fault = format!(
                "message {} has a second signal {}, the first is in line {}; rename or remove one \
                 of them",
                message.name, signal.name, other.line
            );
            return wrong(line, fault);
        }
        message.signals.push(signal);
        Ok(())
    }

    /// `M`, `m3` or nothing, and the colon.
    fn multiplexing(&mut self, signal: &str) -> Result<Multiplexing, DatabaseError> {
        const EXPECTED: &str = "':', or M or mNUMBER and ':'";
        let line = self.tokens.line();
        if self.tokens.has_mark(':') {
            return Ok(Multiplexing::Always);
        }
        let indicator = self.tokens.parsed(EXPECTED, |word| {
            let number = word.strip_prefix('m').map(|rest| rest.trim_end_matches('M'));
            let is_nested = word.starts_with('m') && word.ends_with('M');
            match number {
                None => (word == "M").then_some((Multiplexing::Multiplexer, false)),
                Some(digits) => {
                    let value: u64 = digits.parse().ok()?;
                    Some((Multiplexing::Selected(vec![value..=value]), is_nested))
                }
            }
        })?;
        self.tokens.mark(':', EXPECTED)?;
        let (multiplexing, is_nested) = indicator;
        if is_nested { nested(line, signal) } else { Ok(multiplexing) }
    }

    /// `7|16@0+`
    fn place(&mut self) -> Result<(u32, u32, ByteOrder, NumberFormat), DatabaseError> {
        let small = |word: &str| word.parse::<u16>().ok().map(u32::from);
        let start_bit = self.tokens.parsed(SIGNAL_START, small)?;
        self.tokens.mark('|', SIGNAL_START)?;
        let length_bits = self.tokens.parsed(SIGNAL_START, small)?;
        self.tokens.mark('@', SIGNAL_START)?;
        let (byte_order, format) = self.tokens.parsed(SIGNAL_START, |word| match word {
            "0+" => Some((ByteOrder::Motorola, NumberFormat::Unsigned)),
            "0-" => Some((ByteOrder::Motorola, NumberFormat::Signed)),
            "1+" => Some((ByteOrder::Intel, NumberFormat::Unsigned)),
            "1-" => Some((ByteOrder::Intel, NumberFormat::Signed)),
            _ => None,
        })?;
        Ok((start_bit, length_bits, byte_order, format))
    }

    /// `(0.5,10)`: factor and offset.
    fn scaling(&mut self) -> Result<(f64, f64), DatabaseError> {
        self.tokens.mark('(', "factor and offset as (FACTOR,OFFSET)")?;
        let factor = self.tokens.number("the factor, a number")?;
        self.tokens.mark(',', "',' between factor and offset")?;
        let offset = self.tokens.number("the offset, a number")?;
        self.tokens.mark(')', "')' after the offset")?;
        Ok((factor, offset))
    }

    /// `[-900|900]`: minimum and maximum, where they are not both 0.
    fn range(&mut self) -> Result<Option<(f64, f64)>, DatabaseError> {
        self.tokens.mark('[', "minimum and maximum as [MINIMUM|MAXIMUM]")?;
        let minimum = self.tokens.number("the minimum, a number")?;
        self.tokens.mark('|', "'|' between minimum and maximum")?;
        let maximum = self.tokens.number("the maximum, a number")?;
        self.tokens.mark(']', "']' after the maximum")?;
        Ok((minimum != 0.0 || maximum != 0.0).then_some((minimum, maximum)))
    }

    /// Names in the same line, or behind a comma.
    fn receivers(&mut self) -> Vec<String> {
        let (mut receivers, mut is_behind_comma) = (Vec::new(), false);
        loop {
            let is_name =
                |t: Token<'_>| (is_behind_comma || !t.is_first) && matches!(t.kind, Kind::Word(_));
            match self.tokens.take_if(is_name).map(|token| token.kind) {
                Some(Kind::Word(NO_NODE)) => {}
                Some(Kind::Word(word)) => receivers.push(word.to_owned()),
                _ => return receivers,
            }
            is_behind_comma = self.tokens.has_mark(',');
        }
    }

    /// Numbers with texts, up to the semicolon.
    fn labels(&mut self) -> Result<BTreeMap<i64, String>, DatabaseError> {
        const VALUE: &str = "a whole number and its name between quotes, or ';'";
        let mut labels = BTreeMap::new();
        while !self.tokens.has_mark(';') {
            let value = self.tokens.parsed(VALUE, |word| word.parse().ok())?;
            labels.insert(value, self.tokens.text(VALUE)?);
        }
        Ok(labels)
    }

    fn value_names(&mut self) -> Result<(), DatabaseError> {
        let is_number = |word: &str| word.parse::<u64>().is_ok();
        let line = self.tokens.line();
        if !self.tokens.peek().is_some_and(|token| token.is_word(is_number)) {
            // Of an environment variable.
            return self.skip(line);
        }
        let number = self.tokens.whole(MESSAGE)?;
        let name = self.tokens.word(SIGNAL)?;
        let is_label = |word: &str| word.parse::<i64>().is_ok();
        let is_table = self.tokens.peek().is_some_and(|token| token.is_word(|w| !is_label(w)));
        let labels = if is_table {
            let table = self.tokens.word("the name of a value table")?;
            self.tokens.mark(';', "';' after the name of a value table")?;
            let Some(labels) = self.tables.get(table) else {
                return undefined("VAL_", line, &format!("value table {table}"));
            };
            labels.clone()
        } else {
            self.labels()?
        };
        if let Some(signal) = self.signal_of("VAL_", line, number, name)? {
            signal.labels = labels;
        }
        Ok(())
    }

    fn comment(&mut self, line: usize) -> Result<(), DatabaseError> {
        match self.tokens.peek().map(|token| token.kind) {
            Some(Kind::Word("BO_")) => {
                self.tokens.take();
                let number = self.tokens.whole(MESSAGE)?;
                let comment = self.tokens.text("the comment between quotes")?;
                if let Some(message) = self.message_of("CM_", line, number)? {
                    message.comment = comment;
                }
            }
            Some(Kind::Word("SG_")) => {
                self.tokens.take();
                let number = self.tokens.whole(MESSAGE)?;
                let name = self.tokens.word(SIGNAL)?;
                let comment = self.tokens.text("the comment between quotes")?;
                if let Some(signal) = self.signal_of("CM_", line, number, name)? {
                    signal.comment = comment;
                }
            }
            _ => {}
        }
        self.skip(line)
    }

    /// `SIG_VALTYPE_ 1 Name : 1;`: 0 a whole number, 1 and 2 of 32 and 64 bits with fraction.
    fn float(&mut self) -> Result<(), DatabaseError> {
        let line = self.tokens.line();
        let number = self.tokens.whole(MESSAGE)?;
        let name = self.tokens.word(SIGNAL)?;
        self.tokens.has_mark(':');
        let kind = self.tokens.parsed("0, 1 or 2 as the type of a value", |word| {
            word.parse::<u32>().ok().filter(|kind| *kind <= 2)
        })?;
        self.tokens.mark(';', "';' after the type of a value")?;
        let Some(signal) = self.signal_of("SIG_VALTYPE_", line, number, name)? else {
            return Ok(());
        };
        if kind > 0 {
            signal.format = NumberFormat::Float;
        }
        if kind == 0 || signal.length_bits == kind * 32 {
            return Ok(());
        }
        let fault = format!(
            "signal {name} of message {number} has {} bits, expected {} for type {kind}; correct \
             the type or the length",
            signal.length_bits,
            kind * 32
        );
        wrong(line, fault)
    }

    /// `SG_MUL_VAL_ 1 Name Multiplexer 0-3, 7-7;`
    fn selectors(&mut self) -> Result<(), DatabaseError> {
        const RANGE: &str = "a range of the multiplexer as FROM-TO";
        let line = self.tokens.line();
        let number = self.tokens.whole(MESSAGE)?;
        let name = self.tokens.word(SIGNAL)?;
        let multiplexer = self.tokens.word("the name of the multiplexer")?;
        let range = |word: &str| -> Option<RangeInclusive<u64>> {
            let (from, to) = word.split_once('-')?;
            let (from, to) = (from.parse().ok()?, to.parse().ok()?);
            (from <= to).then_some(from..=to)
        };
        let mut ranges = vec![self.tokens.parsed(RANGE, range)?];
        while self.tokens.has_mark(',') {
            ranges.push(self.tokens.parsed(RANGE, range)?);
        }
        self.tokens.mark(';', "';' after the ranges of a multiplexer")?;
        let message = self.message_of("SG_MUL_VAL_", line, number)?;
        let is_the_one = message.is_none_or(|message| {
            message.multiplexer().is_none_or(|signal| signal.name == multiplexer)
        });
        let Some(signal) = self.signal_of("SG_MUL_VAL_", line, number, name)? else {
            return Ok(());
        };
        if !is_the_one || !matches!(signal.multiplexing, Multiplexing::Selected(_)) {
            return nested(line, name);
        }
        signal.multiplexing = Multiplexing::Selected(ranges);
        Ok(())
    }

    /// The message of an identifier; nothing if its signals belong to none.
    fn message_of(
        &mut self,
        statement: &str,
        line: usize,
        number: u64,
    ) -> Result<Option<&mut Message>, DatabaseError> {
        match self.by_number.get(&number) {
            None => undefined(statement, line, &format!("message {number}")),
            Some(index) => Ok(index.and_then(|index| self.messages.get_mut(index))),
        }
    }

    fn signal_of(
        &mut self,
        statement: &str,
        line: usize,
        number: u64,
        name: &str,
    ) -> Result<Option<&mut Signal>, DatabaseError> {
        let Some(message) = self.message_of(statement, line, number)? else { return Ok(None) };
        let what = format!("signal {name} of message {}", message.name);
        let signal = message.signals.iter_mut().find(|signal| signal.name == name);
        signal.map_or_else(|| undefined(statement, line, &what), |signal| Ok(Some(signal)))
    }
}

fn identifier(line: usize, name: &str, number: u64) -> Result<CanId, DatabaseError> {
    let value = u32::try_from(number & !EXTENDED).unwrap_or(u32::MAX);
    let is_extended = number & EXTENDED != 0;
    let id = if is_extended { CanId::extended(value) } else { CanId::standard(value) };
    let Ok(id) = id else {
        let fault = format!(
            "message {name} has the identifier {number}, expected 0 to 2047, or for an extended \
             one 2147483648 (bit 31) plus 0 to 536870911; correct the number"
        );
        return wrong(line, fault);
    };
    Ok(id)
}

fn undefined<T>(statement: &str, line: usize, what: &str) -> Result<T, DatabaseError> {
    let fault =
        format!("{statement} names {what}, which is not defined above; correct or remove it");
    wrong(line, fault)
}

fn nested<T>(line: usize, signal: &str) -> Result<T, DatabaseError> {
    let fault = format!(
        "a multiplexer below another (signal {signal}) is not supported; give the message one \
         multiplexer M and signals mNUMBER"
    );
    wrong(line, fault)
}
