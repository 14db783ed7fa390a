//! Reading of ASCII data: a line per record, `n,stamp,A1,...,D1,...`.
//!
//! A missing analogue value is empty or 99999; a missing time stamp is empty; a missing digital
//! value keeps the state before it. Blank lines are passed over. Memory grows with the lines.

use super::ComtradeError;
use super::assemble::{Data, Scale};
use super::header::Header;
use super::numbers::SampleNumbers;
use crate::text::{decode, finite, quote};

/// The value that stands for a missing one (IEEE C37.111-1999, 8.4).
const MISSING: f64 = 99_999.0;

/// Reads the records.
pub(super) fn read(header: &Header, dat: &[u8]) -> Result<Data, ComtradeError> {
    if dat.iter().take(256).any(|&byte| byte < 32 && !b"\t\r\n\x1a".contains(&byte)) {
        let stated = header.kind.to_string();
        return Err(ComtradeError::DataKind { stated, looks: "holds bytes that are no text" });
    }
    let announced = header.announced();
    let expected = 2 + header.analogue.len() + header.digital.len();
    let mut reader = Reader::new(header);
    let mut fields: Vec<&[u8]> = Vec::with_capacity(expected + 1);
    let mut lines = lines(dat).enumerate();
    for (index, line) in lines.by_ref() {
        if Some(reader.record) == announced {
            break;
        }
        fields.clear();
        fields.extend(line.split(|&byte| byte == b',').map(<[u8]>::trim_ascii));
        // Some writers end the line with a comma.
        if fields.len() == expected + 1 && fields.last().is_some_and(|last| last.is_empty()) {
            fields.pop();
        }
        if fields.len() != expected {
            if line.trim_ascii().is_empty() {
                continue;
            }
            return Err(wrong_count(header, dat, index, fields.len(), reader.record));
        }
        reader.take(index + 1, &fields)?;
    }
    let whole = reader.record;
    if let Some(announced) = announced.filter(|&announced| whole < announced) {
        return Err(ComtradeError::Truncated { whole, announced, partial: String::new() });
    }
    let surplus = self::lines(dat).filter(|line| !line.trim_ascii().is_empty()).count() as u64;
    let surplus = surplus.saturating_sub(whole);
    let mut data = reader.finish();
    if surplus > 0 {
        data.notes.push(format!(
            "{surplus} lines follow the {whole} records of the .dat and were left out"
        ));
    }
    Ok(data)
}

/// The lines of the data; the end-of-file character of DOS counts as blank.
fn lines(dat: &[u8]) -> impl Iterator<Item = &[u8]> {
    dat.split(|&byte| byte == b'\n').map(|line| line.strip_suffix(b"\x1a").unwrap_or(line))
}

/// Why a line has another number of fields: all lines have it, or the data ends in it, or only it.
fn wrong_count(
    header: &Header,
    dat: &[u8],
    index: usize,
    found: usize,
    whole: u64,
) -> ComtradeError {
    let (analogue, digital) = (header.analogue.len(), header.digital.len());
    let expected = 2 + analogue + digital;
    let count = |line: &[u8]| line.split(|&byte| byte == b',').count();
    let blank = |line: &&[u8]| !line.trim_ascii().is_empty();
    let mut after = lines(dat).skip(index + 1).filter(blank).take(8).peekable();
    let last = after.peek().is_none();
    let line = index + 1;
    if last && (whole > 0 || !dat.ends_with(b"\n")) && found < expected {
        let announced = header.announced().unwrap_or(whole + 1);
        let partial = format!(" and {found} of {expected} fields of another");
        return ComtradeError::Truncated { whole, announced, partial };
    }
    if whole == 0 && after.all(|line| count(line) == found) {
        return ComtradeError::LineFields { analogue, digital, line, found, expected };
    }
    ComtradeError::RaggedLine { line, found, expected }
}

/// What the lines so far gave.
struct Reader<'a> {
    header: &'a Header,
    scales: Vec<Scale>,
    data: Data,
    numbers: SampleNumbers,
    record: u64,
    missing_states: u64,
}

impl<'a> Reader<'a> {
    fn new(header: &'a Header) -> Self {
        let mut data = Data::default();
        data.analogue.resize_with(header.analogue.len(), Vec::new);
        data.digital.resize_with(header.digital.len(), Vec::new);
        Self {
            header,
            scales: header.analogue.iter().map(Scale::of).collect(),
            data,
            numbers: SampleNumbers::default(),
            record: 0,
            missing_states: 0,
        }
    }

    /// Takes a line that has the right number of fields.
    fn take(&mut self, line: usize, fields: &[&[u8]]) -> Result<(), ComtradeError> {
        let wrong = |field: String, found: &[u8], expected| ComtradeError::Value {
            line,
            field,
            found: decode(found).into_owned(),
            expected,
        };
        self.record += 1;
        let sample = whole(fields[0])
            .ok_or_else(|| wrong("sample number".to_owned(), fields[0], "a whole number"))?;
        self.numbers.take(self.record, sample)?;
        let ticks = if fields[1].is_empty() {
            None
        } else {
            let ticks = number(fields[1]).filter(|&ticks| ticks >= 0.0);
            let expected = "a number from 0 up, or nothing";
            Some(ticks.ok_or_else(|| wrong("time stamp".to_owned(), fields[1], expected))?)
        };
        self.data.stamp(self.header, self.record, ticks)?;
        let (analogue, digital) = fields[2..].split_at(self.scales.len());
        for (index, (text, scale)) in analogue.iter().zip(&self.scales).enumerate() {
            let value = match number(text) {
                Some(raw) if raw != MISSING => scale.apply(raw),
                Some(_) => f64::NAN,
                None if text.is_empty() => f64::NAN,
                None => {
                    let name = quote(&self.header.analogue[index].name);
                    let expected = "a number, or nothing or 99999 where it is missing";
                    return Err(wrong(format!("channel {name}"), text, expected));
                }
            };
            self.data.analogue[index].push(value);
        }
        for (index, (text, states)) in digital.iter().zip(&mut self.data.digital).enumerate() {
            let state = match *text {
                b"0" => false,
                b"1" => true,
                b"" => {
                    self.missing_states += 1;
                    states.last().copied().unwrap_or(self.header.digital[index].normal)
                }
                _ => {
                    let name = quote(&self.header.digital[index].name);
                    return Err(wrong(format!("digital channel {name}"), text, "0 or 1"));
                }
            };
            states.push(state);
        }
        Ok(())
    }

    fn finish(self) -> Data {
        let mut data = self.data;
        data.records = self.record as usize;
        data.notes.extend(self.numbers.note());
        if self.missing_states > 0 {
            data.notes.push(format!(
                "{} digital values are missing; the states before them were kept",
                self.missing_states
            ));
        }
        data
    }
}

/// A whole number of at most 18 digits.
fn whole(text: &[u8]) -> Option<u64> {
    let digits = !text.is_empty() && text.len() <= 18 && text.iter().all(u8::is_ascii_digit);
    digits.then(|| text.iter().fold(0, |sum, digit| sum * 10 + u64::from(digit - b'0')))
}

/// A finite number; whole numbers, which are the rule, take the short way.
fn number(text: &[u8]) -> Option<f64> {
    let (negative, digits) = match text.strip_prefix(b"-") {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    // Up to 15 digits an f64 holds the number exactly.
    if digits.len() <= 15
        && let Some(whole) = whole(digits)
    {
        return Some(if negative { -(whole as f64) } else { whole as f64 });
    }
    finite(std::str::from_utf8(text).ok()?)
}
