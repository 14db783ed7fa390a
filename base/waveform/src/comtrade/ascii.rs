//! Reading of ASCII data: a line per record, `n,stamp,A1,...,D1,...`.
//!
//! A missing analogue value is empty or 99999; a missing time stamp is empty; a missing digital
//! value keeps the state before it. Blank lines are passed over. Lines of up to 16 MiB are read.

use std::io::{BufReader, Read, Seek, SeekFrom};

use super::ComtradeError;
use super::error::unreadable;
use super::header::Header;
use super::scan::{Facts, Scale, Wanted};
use crate::columns::{Columns, Sink};
use crate::text::{CUT, LONGEST_LINE, decode, finite, quote, read_line};
use crate::window::Window;

/// The value that stands for a missing one (IEEE C37.111-1999, 8.4).
const MISSING: f64 = 99_999.0;
/// Values, and records, that are decoded before the sink is called.
const TURN_VALUES: usize = 1 << 14;
const TURN_RECORDS: usize = 1 << 10;
/// Bytes asked for at a time.
const BUFFER: usize = 1 << 16;

pub(super) fn read<R: Read + Seek>(
    header: &Header,
    dat: &mut Window<R>,
    wanted: &Wanted,
    sink: &mut dyn Sink,
) -> Result<Facts, ComtradeError> {
    check_text(header, dat)?;
    let announced = header.announced();
    let expected = 2 + header.analogue.len() + header.digital.len();
    let channels = header.analogue.len() + header.digital.len();
    let turn = (TURN_VALUES / channels.max(1)).clamp(1, TURN_RECORDS);
    let mut reader = Reader::new(header, wanted);
    let mut lines = Lines::new(dat)?;
    let mut kept: Vec<&[u8]> = Vec::with_capacity(expected + 2);
    let mut cut = None;
    while Some(reader.facts.records) != announced && lines.next()? {
        let line = lines.shown();
        // The end-of-file character of DOS is an end, too.
        let is_cut = wanted.checked && !lines.ended && lines.line.len() == line.len();
        cut = Some(lines.number).filter(|_| is_cut && !line.trim_ascii().is_empty());
        let mut fields = emptied(kept);
        let of_line = line.split(|&byte| byte == b',').map(<[u8]>::trim_ascii);
        // One more shows that there are too many.
        fields.extend(of_line.take(expected + 2));
        // Some writers end the line with a comma.
        if fields.len() == expected + 1 && fields.last().is_some_and(|last| last.is_empty()) {
            fields.pop();
        }
        if fields.len() != expected {
            if line.trim_ascii().is_empty() {
                kept = emptied(fields);
                continue;
            }
            let found = if fields.len() > expected { count(line) } else { fields.len() };
            return Err(lines.wrong_count(header, found, reader.facts.records));
        }
        let record = reader.facts.records;
        let into = sink.columns();
        let rows = into.rows();
        reader.take(lines.number, &fields, into)?;
        if wanted.checked {
            reader.facts.values(header, into, rows, record);
        }
        kept = emptied(fields);
        if reader.facts.records.is_multiple_of(turn as u64) && sink.turn().is_break() {
            return reader.finish();
        }
    }

    let whole = reader.facts.records;
    if let Some(announced) = announced.filter(|&announced| whole < announced) {
        return Err(ComtradeError::Truncated { whole, announced, partial: String::new() });
    }
    let _ = sink.turn();
    let surplus = if wanted.checked { lines.not_blank(u64::MAX)?.len } else { 0 };
    let mut facts = reader.finish()?;
    if let Some(line) = cut.filter(|_| surplus == 0) {
        facts.damage.push(format!("line {line} of the .dat: {CUT}"));
    }
    if surplus > 0 {
        facts.damage.push(format!(
            "{surplus} lines follow the {whole} records of the .dat and were left out"
        ));
    }
    Ok(facts)
}

fn check_text<R: Read + Seek>(header: &Header, dat: &mut Window<R>) -> Result<(), ComtradeError> {
    let mut head = Vec::new();
    dat.seek(SeekFrom::Start(0)).map_err(unreadable)?;
    dat.by_ref().take(256).read_to_end(&mut head).map_err(unreadable)?;
    if head.iter().any(|&byte| byte < 32 && !b"\t\r\n\x1a".contains(&byte)) {
        let stated = header.kind.to_string();
        return Err(ComtradeError::DataKind { stated, looks: "holds bytes that are no text" });
    }
    Ok(())
}

/// The list without what is in it, for lines of another life: its memory is kept.
fn emptied<'b>(mut fields: Vec<&[u8]>) -> Vec<&'b [u8]> {
    fields.clear();
    fields.into_iter().map(|_| &[][..]).collect()
}

fn count(line: &[u8]) -> usize {
    line.split(|&byte| byte == b',').count()
}

/// The lines of the data, one at a time.
struct Lines<'a, R> {
    reader: BufReader<&'a mut Window<R>>,
    line: Vec<u8>,
    /// The number of the line, counted from 1.
    number: usize,
    ended: bool,
}

struct NotBlank {
    len: u64,
    /// The numbers of fields of all of them.
    fields: Vec<usize>,
}

impl<'a, R: Read + Seek> Lines<'a, R> {
    fn new(dat: &'a mut Window<R>) -> Result<Self, ComtradeError> {
        dat.seek(SeekFrom::Start(0)).map_err(unreadable)?;
        let reader = BufReader::with_capacity(BUFFER, dat);
        Ok(Self { reader, line: Vec::new(), number: 0, ended: false })
    }

    /// Goes on to the next line, if there is one.
    fn next(&mut self) -> Result<bool, ComtradeError> {
        let read = read_line(&mut self.reader, LONGEST_LINE, &mut self.line).map_err(unreadable)?;
        self.number += 1;
        if read > LONGEST_LINE as u64 + 1 {
            return Err(ComtradeError::LongLine { line: self.number });
        }
        if read > 0 {
            self.ended = read > self.line.len() as u64;
        }
        Ok(read > 0)
    }

    /// The line; the end-of-file character of DOS counts as blank.
    fn shown(&self) -> &[u8] {
        self.line.strip_suffix(b"\x1a").unwrap_or(&self.line)
    }

    /// Counts the lines to come that are not blank, at most so many.
    fn not_blank(&mut self, most: u64) -> Result<NotBlank, ComtradeError> {
        let mut found = NotBlank { len: 0, fields: Vec::new() };
        while found.len < most && self.next()? {
            if self.shown().trim_ascii().is_empty() {
                continue;
            }
            found.len += 1;
            if most < u64::MAX {
                found.fields.push(count(self.shown()));
            }
        }
        Ok(found)
    }

    /// Why this line has another number of fields: all have it, or the data ends in it, or only it.
    fn wrong_count(mut self, header: &Header, found: usize, whole: u64) -> ComtradeError {
        let (analogue, digital) = (header.analogue.len(), header.digital.len());
        let expected = 2 + analogue + digital;
        let line = self.number;
        let after = match self.not_blank(8) {
            Ok(after) => after,
            Err(error) => return error,
        };
        if after.len == 0 && (whole > 0 || !self.ended) && found < expected {
            let announced = header.announced().unwrap_or(whole + 1);
            let partial = format!(" and {found} of {expected} fields of another");
            return ComtradeError::Truncated { whole, announced, partial };
        }
        if whole == 0 && after.fields.iter().all(|&fields| fields == found) {
            return ComtradeError::LineFields { analogue, digital, line, found, expected };
        }
        ComtradeError::RaggedLine { line, found, expected }
    }
}

/// What the lines so far gave.
struct Reader<'a> {
    header: &'a Header,
    wanted: &'a Wanted,
    /// The wanted channels: index and scale.
    channels: Vec<(usize, Scale)>,
    states: Vec<bool>,
    facts: Facts,
    missing_states: u64,
}

impl<'a> Reader<'a> {
    fn new(header: &'a Header, wanted: &'a Wanted) -> Self {
        let scale = |&index: &usize| Some((index, Scale::of(header.analogue.get(index)?)));
        Self {
            header,
            wanted,
            channels: wanted.analogue.iter().filter_map(scale).collect(),
            states: header.digital.iter().map(|channel| channel.normal).collect(),
            facts: Facts::default(),
            missing_states: 0,
        }
    }

    /// Takes a line that has the right number of fields.
    fn take(
        &mut self,
        line: usize,
        fields: &[&[u8]],
        into: &mut Columns,
    ) -> Result<(), ComtradeError> {
        let wrong = |field: String, found: &[u8], expected| ComtradeError::Value {
            line,
            field,
            found: decode(found).into_owned(),
            expected,
        };
        self.facts.records += 1;
        // Where records are read again, as in blocks, the first reading has checked them.
        if self.wanted.checked {
            let sample = whole(fields[0])
                .ok_or_else(|| wrong("sample number".to_owned(), fields[0], "a whole number"))?;
            let ticks = number(fields[1]).filter(|&ticks| ticks >= 0.0);
            let is_stamp = fields[1].is_empty() || ticks.is_some();
            let record = self.facts.records;
            self.facts.number(record, sample)?;
            if !is_stamp {
                let expected = "a number from 0 up, or nothing";
                return Err(wrong("time stamp".to_owned(), fields[1], expected));
            }
            self.facts.stamp(self.header, record, ticks)?;
        }
        let (analogue, digital) = fields[2..].split_at(self.header.analogue.len());
        for (&(index, scale), column) in self.channels.iter().zip(&mut into.analogue) {
            let text = analogue[index];
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
            column.push(value);
        }
        if !self.wanted.checked {
            return Ok(());
        }
        for (index, (text, state)) in digital.iter().zip(&mut self.states).enumerate() {
            match *text {
                b"0" => *state = false,
                b"1" => *state = true,
                b"" => self.missing_states += 1,
                _ => {
                    let name = quote(&self.header.digital[index].name);
                    return Err(wrong(format!("digital channel {name}"), text, "0 or 1"));
                }
            }
        }
        for (&state, column) in self.states.iter().zip(&mut into.digital) {
            column.push(state);
        }
        Ok(())
    }

    fn finish(mut self) -> Result<Facts, ComtradeError> {
        self.facts.end(self.facts.records)?;
        if self.missing_states > 0 {
            self.facts.notes.push(format!(
                "{} digital values are missing; the states before them were kept",
                self.missing_states
            ));
        }
        Ok(self.facts)
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
