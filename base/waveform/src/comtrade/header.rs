//! Reading of the header (`.cfg`): station, channels, rates, dates, kind of data.
//!
//! See the parent module for the terms. Every channel must have its line, so memory grows with the
//! text, never with a stated count.

use lastmeter_units::{SimDuration, SimTime};

use super::{ComtradeError, DataKind, Revision, date};
use crate::text::{decode, finite, quote, without_mark};

/// One analogue channel's line.
#[derive(Clone, Debug)]
pub(super) struct Analogue {
    pub(super) name: String,
    pub(super) phase: String,
    pub(super) unit: String,
    pub(super) multiplier: f64,
    pub(super) offset: f64,
    pub(super) skew_s: f64,
    /// What brings a value to the primary side: the ratio if the flag is S, else 1.
    pub(super) to_primary: f64,
    /// The range of raw numbers that the header declares, if it does.
    pub(super) range: Option<(f64, f64)>,
}

/// One digital channel's line.
#[derive(Clone, Debug)]
pub(super) struct Digital {
    pub(super) name: String,
    pub(super) normal: bool,
}

/// A run of samples at one rate; a rate of 0 means that the time stamps give it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Section {
    pub(super) rate_hz: f64,
    /// Number of the last sample, counted from 1.
    pub(super) end: u64,
}

/// What a `.cfg` holds.
#[derive(Clone, Debug)]
pub(super) struct Header {
    pub(super) analogue: Vec<Analogue>,
    pub(super) digital: Vec<Digital>,
    pub(super) nominal_hz: Option<f64>,
    /// Not empty unless the header states no rate and no number of samples at all.
    pub(super) sections: Vec<Section>,
    pub(super) start: Option<SimTime>,
    pub(super) kind: DataKind,
    /// Picoseconds in one unit of the data's time stamps.
    pub(super) tick_ps: f64,
    pub(super) notes: Vec<String>,
}

impl Header {
    /// The number of records announced, if it is.
    pub(super) fn announced(&self) -> Option<u64> {
        self.sections.last().map(|section| section.end)
    }

    /// Whether the time stamps alone give the rate.
    pub(super) fn timed_by_stamps(&self) -> bool {
        self.sections.is_empty() || self.sections.iter().any(|section| section.rate_hz == 0.0)
    }
}

/// A line of the header, split at its commas.
struct Line {
    number: usize,
    fields: Vec<String>,
}

impl Line {
    fn field(&self, index: usize) -> &str {
        self.fields.get(index).map_or("", String::as_str)
    }

    fn error(
        &self,
        index: usize,
        field: &'static str,
        expected: impl Into<String>,
    ) -> ComtradeError {
        let found = self.field(index).to_owned();
        ComtradeError::Header { line: self.number, field, found, expected: expected.into() }
    }

    fn number(&self, index: usize, field: &'static str) -> Result<f64, ComtradeError> {
        finite(self.field(index)).ok_or_else(|| self.error(index, field, "a finite number"))
    }

    /// As [`Line::number`], but an empty field has a usual value.
    fn number_or(&self, index: usize, field: &'static str, or: f64) -> Result<f64, ComtradeError> {
        if self.field(index).is_empty() { Ok(or) } else { self.number(index, field) }
    }

    /// Fields without the empty ones at the end, which some writers add.
    fn count(&self) -> usize {
        self.fields.iter().rposition(|field| !field.is_empty()).map_or(0, |last| last + 1)
    }
}

struct Lines<'a> {
    bytes: &'a [u8],
    number: usize,
}

impl Lines<'_> {
    fn next(&mut self, expected: impl FnOnce() -> String) -> Result<Line, ComtradeError> {
        self.optional().ok_or_else(|| ComtradeError::HeaderEnds {
            line: self.number + 1,
            expected: expected(),
        })
    }

    fn optional(&mut self) -> Option<Line> {
        let line = self.peek()?;
        self.number += 1;
        let end = self.bytes.iter().position(|&byte| byte == b'\n');
        self.bytes = end.map_or(&[], |end| &self.bytes[end + 1..]);
        Some(line)
    }

    /// The next line, if there is one; the end-of-file character of DOS ends the text.
    fn peek(&self) -> Option<Line> {
        let end = self.bytes.iter().position(|&byte| byte == b'\n').unwrap_or(self.bytes.len());
        let text = decode(&self.bytes[..end]);
        let text = text.trim_matches(|c: char| c.is_whitespace() || c == '\u{1a}' || c == '\0');
        if self.bytes.is_empty() || (text.is_empty() && end == self.bytes.len()) {
            return None;
        }
        let fields = text.split(',').map(|field| field.trim().to_owned()).collect();
        Some(Line { number: self.number + 1, fields })
    }
}

pub(super) fn parse(cfg: &[u8]) -> Result<Header, ComtradeError> {
    let mut lines = Lines { bytes: without_mark(cfg), number: 0 };
    let mut notes = Vec::new();
    let revision =
        revision(&lines.next(|| "`station,device,revision year`".to_owned())?, &mut notes)?;
    let counts = counts(&lines.next(|| "the channel counts, such as `10,6A,4D`".to_owned())?)?;
    let mut analogue = Vec::new();
    for index in 1..=counts.analogue {
        let expected = || format!("analogue channel {index} of {}", counts.analogue);
        let line = lines.next(expected)?;
        analogue.push(analogue_line(&line, revision, counts, &expected)?);
    }
    let mut digital = Vec::new();
    for index in 1..=counts.digital {
        let expected = || format!("digital channel {index} of {}", counts.digital);
        let line = lines.next(expected)?;
        digital.push(digital_line(&line, counts, &expected)?);
    }
    if revision == Revision::R1991 && !analogue.is_empty() {
        notes.push(
            "a header of 1991 does not state whether values are primary or secondary; taken as primary"
                .to_owned(),
        );
    }
    let nominal_hz = nominal(&lines.next(|| "the line frequency".to_owned())?, counts)?;
    let sections = sections(&mut lines)?;
    let (start, nanoseconds) = dates(&mut lines, revision, &mut notes)?;
    let line = lines.next(|| "the file type (ASCII, BINARY, BINARY32 or FLOAT32)".to_owned())?;
    let kind = DataKind::of_word(line.field(0))
        .ok_or_else(|| line.error(0, "file type", "ASCII, BINARY, BINARY32 or FLOAT32"))?;
    let factor = time_factor(&mut lines)?;
    let zone_s = zone(&mut lines, revision, &mut notes);
    let start = start.and_then(|start: SimTime| start.0.checked_sub(zone_s)).map(SimTime);
    let tick_ps = factor * if nanoseconds { 1e3 } else { 1e6 };
    Ok(Header { analogue, digital, nominal_hz, sections, start, kind, tick_ps, notes })
}

/// The revision year; absent means 1991.
fn revision(line: &Line, notes: &mut Vec<String>) -> Result<Revision, ComtradeError> {
    let text = line.field(2);
    if text.is_empty() {
        return Ok(Revision::R1991);
    }
    let year: u16 = text
        .parse()
        .map_err(|_| line.error(2, "revision year", "1991 (or nothing), 1999 or 2013"))?;
    let revision = match year {
        ..1999 => Revision::R1991,
        1999..2013 => Revision::R1999,
        2013.. => Revision::R2013,
    };
    if !matches!(year, 1991 | 1999 | 2001 | 2013) {
        notes.push(format!("revision year {year} is none of COMTRADE; read as {revision:?}"));
    }
    Ok(revision)
}

#[derive(Clone, Copy)]
struct Counts {
    analogue: u64,
    digital: u64,
}

fn counts(line: &Line) -> Result<Counts, ComtradeError> {
    let count = |index: usize, field, letter: &str, expected: &str| {
        let text = line.field(index).to_ascii_uppercase();
        let digits = text.strip_suffix(letter).unwrap_or(&text).trim();
        // At most six digits (the standard allows 999999 channels): sums cannot overflow.
        digits
            .parse::<u64>()
            .ok()
            .filter(|&count| count <= 999_999)
            .ok_or_else(|| line.error(index, field, expected))
    };
    let total = count(0, "total channels", "", "a whole number up to 999999")?;
    let analogue = count(
        1,
        "analogue channels",
        "A",
        "a whole number up to 999999 and the letter A, as `6A`",
    )?;
    let digital =
        count(2, "digital channels", "D", "a whole number up to 999999 and the letter D, as `4D`")?;
    if total != analogue + digital {
        return Err(ComtradeError::ChannelTotal { line: line.number, total, analogue, digital });
    }
    if total == 0 {
        return Err(ComtradeError::Empty { what: "channels" });
    }
    Ok(Counts { analogue, digital })
}

fn wrong_lines(line: &Line, counts: Counts, expected: String) -> ComtradeError {
    ComtradeError::ChannelLines {
        line: line.number,
        found: line.count(),
        expected,
        analogue: counts.analogue,
        digital: counts.digital,
    }
}

/// `An,ch_id,ph,ccbm,uu,a,b,skew,min,max[,primary,secondary,PS]`: the ratio came in 1999.
fn analogue_line(
    line: &Line,
    revision: Revision,
    counts: Counts,
    expected: &dyn Fn() -> String,
) -> Result<Analogue, ComtradeError> {
    // Some writers end the line with a comma.
    let count = if line.fields.len() > 13 { line.count() } else { line.fields.len() };
    // Range fields at the end may lack in old files: they are not needed to read the data.
    let enough = if revision == Revision::R1991 { 7 } else { 13 };
    if count < enough || count > 13 {
        let fields = if revision == Revision::R1991 { "10 fields" } else { "13 fields" };
        return Err(wrong_lines(line, counts, format!("{} with {fields}", expected())));
    }
    let mut to_primary = 1.0;
    if count == 13 {
        match line.field(12).to_ascii_uppercase().as_str() {
            "P" => {}
            "S" => {
                let primary = line.number(10, "primary ratio")?;
                let secondary = line.number(11, "secondary ratio")?;
                to_primary = primary / secondary;
                if !to_primary.is_finite() || to_primary == 0.0 {
                    return Err(line.error(
                        11,
                        "primary and secondary ratio",
                        "two numbers that are not zero, because the values are secondary ones",
                    ));
                }
            }
            _ => return Err(line.error(12, "primary/secondary flag", "P or S")),
        }
    }
    Ok(Analogue {
        name: line.field(1).to_owned(),
        phase: line.field(2).to_owned(),
        unit: line.field(4).to_owned(),
        multiplier: line.number(5, "channel multiplier")?,
        offset: line.number_or(6, "channel offset", 0.0)?,
        skew_s: line.number_or(7, "channel skew", 0.0)? / 1e6,
        to_primary,
        range: finite(line.field(8)).zip(finite(line.field(9))).filter(|(low, high)| low < high),
    })
}

/// `Dn,ch_id,ph,ccbm,y`; in 1991 `Dn,ch_id,y`.
fn digital_line(
    line: &Line,
    counts: Counts,
    expected: &dyn Fn() -> String,
) -> Result<Digital, ComtradeError> {
    let count = line.count();
    if !(2..=6).contains(&count) {
        return Err(wrong_lines(line, counts, format!("{} with 5 fields", expected())));
    }
    let normal = if line.fields.len() <= 3 { line.field(2) } else { line.field(4) };
    match normal {
        "" | "0" | "1" => Ok(Digital { name: line.field(1).to_owned(), normal: normal == "1" }),
        _ => Err(line.error(if line.fields.len() <= 3 { 2 } else { 4 }, "normal state", "0 or 1")),
    }
}

fn nominal(line: &Line, counts: Counts) -> Result<Option<f64>, ComtradeError> {
    if line.count() > 1 {
        return Err(wrong_lines(line, counts, "the line frequency alone".to_owned()));
    }
    let frequency = line.number_or(0, "line frequency", 0.0)?;
    if frequency < 0.0 {
        return Err(line.error(0, "line frequency", "50, 60, or 0 where there is none"));
    }
    Ok(Some(frequency).filter(|&frequency| frequency > 0.0))
}

/// `nrates`, then `samp,endsamp` for each; with `nrates` 0 one such line with a rate of 0.
fn sections(lines: &mut Lines<'_>) -> Result<Vec<Section>, ComtradeError> {
    let line = lines.next(|| "the number of sampling rates".to_owned())?;
    let rates: u64 = line
        .field(0)
        .parse()
        .map_err(|_| line.error(0, "number of sampling rates", "a whole number"))?;
    let mut sections: Vec<Section> = Vec::new();
    // Some writers leave the line out for nrates = 0: then a date follows.
    if rates == 0 && lines.peek().is_some_and(|line| line.field(0).contains('/')) {
        return Ok(sections);
    }
    for index in 1..=rates.max(1) {
        let line = lines.next(|| format!("sampling rate {index} of {rates}"))?;
        let rate_hz = line.number(0, "sampling rate")?;
        if rate_hz < 0.0 {
            return Err(line.error(0, "sampling rate", "a rate in hertz, or 0 for none"));
        }
        let before = sections.last().map_or(0, |section| section.end);
        let end: u64 = line.field(1).parse().ok().filter(|&end| end > before).ok_or_else(|| {
            let expected = format!("a whole number above {before}");
            line.error(1, "last sample number", expected)
        })?;
        sections.push(Section { rate_hz: if rates == 0 { 0.0 } else { rate_hz }, end });
    }
    Ok(sections)
}

/// The start and trigger lines: the start, and whether stamps are in nanoseconds.
fn dates(
    lines: &mut Lines<'_>,
    revision: Revision,
    notes: &mut Vec<String>,
) -> Result<(Option<SimTime>, bool), ComtradeError> {
    let line = lines.next(|| "the date and time of the first sample".to_owned())?;
    // The trigger time is not used; the line must be there for the next ones to be found.
    lines.next(|| "the date and time of the trigger".to_owned())?;
    if line.count() == 0 {
        notes.push("the header has no start time".to_owned());
        return Ok((None, false));
    }
    let stamp = date::stamp(line.field(0), line.field(1), revision).ok_or_else(|| {
        let expected = match revision {
            Revision::R1991 => "mm/dd/yy,hh:mm:ss.ssssss",
            Revision::R1999 | Revision::R2013 => "dd/mm/yyyy,hh:mm:ss.ssssss",
        };
        ComtradeError::Header {
            line: line.number,
            field: "date and time of the first sample",
            found: line.fields.join(","),
            expected: expected.to_owned(),
        }
    })?;
    if stamp.swapped {
        notes.push(format!(
            "date {} has day and month in the other order than its revision asks for",
            quote(line.field(0))
        ));
    }
    Ok((Some(stamp.instant), stamp.nanoseconds && revision == Revision::R2013))
}

/// `timemult`, 1 where the line is absent (1991) or empty.
fn time_factor(lines: &mut Lines<'_>) -> Result<f64, ComtradeError> {
    let Some(line) = lines.optional() else { return Ok(1.0) };
    let factor = line.number_or(0, "time stamp multiplier", 1.0)?;
    if factor <= 0.0 {
        return Err(line.error(0, "time stamp multiplier", "a number above zero"));
    }
    Ok(factor)
}

/// `time_code,local_code` and `tmq_code,leapsec` (2013): the header's zone in nanoseconds east of
/// UTC; the clock's quality becomes a note.
fn zone(lines: &mut Lines<'_>, revision: Revision, notes: &mut Vec<String>) -> i64 {
    let code = lines.optional().filter(|_| revision == Revision::R2013);
    let code = code.filter(|line| line.count() > 0);
    let zone_s = code.as_ref().and_then(|line| date::zone_s(line.field(0)));
    match (&code, zone_s) {
        (Some(_), Some(_)) => {}
        (Some(line), None) => notes.push(format!(
            "time code {} is unreadable; the start time is taken as UTC",
            quote(line.field(0))
        )),
        (None, _) => {
            notes.push("the header has no time zone; the start time is taken as UTC".to_owned());
        }
    }
    if let Some(quality) = code.and_then(|_| lines.optional()) {
        match quality.field(0).to_ascii_uppercase().as_str() {
            "" | "0" => {}
            "F" => notes.push("the recorder's clock had failed (time quality F)".to_owned()),
            other => notes.push(format!(
                "the recorder's clock was not locked to its source (time quality {})",
                quote(other)
            )),
        }
        if matches!(quality.field(1), "1" | "2") {
            notes.push("a leap second was added or deleted within the recording".to_owned());
        }
    }
    SimDuration::from_seconds(zone_s.unwrap_or(0)).0
}
