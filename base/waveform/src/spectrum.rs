//! Spectrum tables: a signal as lines of order, RMS value and phase, as a small CSV text.
//!
//! Terms: a *line* at order `h` of a channel is `sqrt(2) * rms * cos(2 pi h f0 t + phase)`; the
//! order is a multiple of the fundamental `f0` and need not be whole (interharmonics). Order 0 is
//! the DC component: `rms` is its value with its sign, `phase_deg` is 0.
//!
//! The text form (UTF-8):
//! ```text
//! # lastmeter spectrum table, format 1
//! # fundamental_hz = 59.96
//! # convention: x(t) = sum of sqrt(2) * rms * cos(2 pi order fundamental_hz t + phase_deg); ...
//! channel,phase,unit,order,rms,phase_deg
//! Va,a,V,1,7621.3,0
//! ```
//! Numbers are written in the shortest form that reads back to the same value. Never touches files.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use crate::names::si_unit;
use crate::recording::ChannelKind;
use crate::text::{finite, from_position, line_of, quote, without_mark};

const FIRST_LINE: &str = "# lastmeter spectrum table, format 1";
const CONVENTION: &str = "# convention: x(t) = sum of sqrt(2) * rms * \
     cos(2 pi order fundamental_hz t + phase_deg); order 0 is DC, rms is its value";
const COLUMNS: [&str; 6] = ["channel", "phase", "unit", "order", "rms", "phase_deg"];

/// One component of a channel.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Line {
    /// Multiple of the fundamental frequency, not necessarily whole; 0 is DC.
    pub order: f64,
    /// RMS value in the channel's unit, not negative; for DC the value itself.
    pub rms: f64,
    /// Phase of the cosine at t = 0, in degrees.
    pub phase_deg: f64,
}

/// The components of one channel.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SpectrumChannel {
    /// The channel's name.
    pub name: String,
    /// SI unit without prefix: `V` or `A`.
    pub unit: String,
    /// `a`, `b`, `c`, `n`, or empty.
    pub phase: String,
    /// The components in the file's order; no order occurs twice.
    pub lines: Vec<Line>,
}

impl SpectrumChannel {
    /// Voltage, current or other, by the unit.
    pub fn kind(&self) -> ChannelKind {
        si_unit(&self.unit).kind
    }
}

/// A whole table.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SpectrumTable {
    /// The fundamental frequency in hertz.
    pub fundamental_hz: f64,
    /// The channels in the file's order.
    pub channels: Vec<SpectrumChannel>,
}

/// Why a text is no spectrum table. Lines count from 1.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SpectrumError {
    /// The first line is another one.
    #[error("the first line must be `{FIRST_LINE}`, found {found}; is this a spectrum table?")]
    NotATable {
        /// The first line, quoted.
        found: String,
    },
    /// A `# fundamental_hz = ...` line is missing.
    #[error(
        "no line `# fundamental_hz = 50` before the rows; add it with the frequency of order 1"
    )]
    NoFundamental,
    /// The line with the names of the columns is missing or another one.
    #[error(
        "line {line}: expected the columns `channel,phase,unit,order,rms,phase_deg`, found {found}"
    )]
    Columns {
        /// The line's number.
        line: u64,
        /// What stands there, quoted.
        found: String,
    },
    /// A row or header value that cannot be used.
    #[error("line {line}, {field}: found {found}, expected {expected}")]
    Value {
        /// The line's number.
        line: u64,
        /// The column or header key.
        field: &'static str,
        /// What stands there, quoted.
        found: String,
        /// What would be right.
        expected: &'static str,
    },
    /// A row with too few or too many fields.
    #[error(
        "line {line}: found {found} fields, expected 6: channel,phase,unit,order,rms,phase_deg"
    )]
    FieldCount {
        /// The line's number.
        line: u64,
        /// How many fields the row has.
        found: usize,
    },
    /// The CSV layer found something unreadable.
    #[error("line {line}: not readable as CSV text in UTF-8; save the table as plain UTF-8 text")]
    Csv {
        /// The line's number, 0 if unknown.
        line: u64,
    },
    /// There is no row.
    #[error("the table has no rows; give at least one line of one channel")]
    Empty,
}

/// Reads the text form.
///
/// # Errors
/// A [`SpectrumError`] naming the line, the field, what was found and what was expected.
pub fn read(bytes: &[u8]) -> Result<SpectrumTable, SpectrumError> {
    let bytes = without_mark(bytes);
    let mut rows = Rows::default();
    let fundamental_hz = fundamental(bytes)?;
    let mut reader = ::csv::ReaderBuilder::new()
        .comment(Some(b'#'))
        .has_headers(false)
        .flexible(true)
        .trim(::csv::Trim::All)
        .from_reader(bytes);
    let mut record = ::csv::StringRecord::new();
    let mut named = false;
    loop {
        let more = reader.read_record(&mut record).map_err(|error| SpectrumError::Csv {
            line: line_of(from_position(bytes, error.position()), error.position()),
        })?;
        if !more {
            break;
        }
        let line = line_of(from_position(bytes, record.position()), record.position());
        if named {
            rows.read(line, &record)?;
        } else if record.iter().eq(COLUMNS) {
            named = true;
        } else {
            let found = quote(&record.iter().collect::<Vec<_>>().join(","));
            return Err(SpectrumError::Columns { line, found });
        }
    }
    if rows.channels.is_empty() {
        return Err(SpectrumError::Empty);
    }
    Ok(SpectrumTable { fundamental_hz, channels: rows.channels })
}

/// Checks the first line and takes the fundamental frequency from the comment lines.
fn fundamental(bytes: &[u8]) -> Result<f64, SpectrumError> {
    let mut lines = bytes.split(|&byte| byte == b'\n').map(|line| String::from_utf8_lossy(line));
    let first = lines.next().unwrap_or_default();
    if first.trim() != FIRST_LINE {
        return Err(SpectrumError::NotATable { found: quote(first.trim()) });
    }
    for (index, line) in lines.enumerate() {
        let Some(comment) = line.strip_prefix('#') else { break };
        let Some((key, value)) = comment.split_once('=') else { continue };
        if key.trim() == "fundamental_hz" {
            return finite(value).filter(|&hz| hz > 0.0).ok_or_else(|| SpectrumError::Value {
                line: index as u64 + 2,
                field: "fundamental_hz",
                found: quote(value.trim()),
                expected: "a frequency in hertz above zero",
            });
        }
    }
    Err(SpectrumError::NoFundamental)
}

/// The rows read so far. The two indexes keep hostile tables from costing quadratic time.
#[derive(Default)]
struct Rows {
    channels: Vec<SpectrumChannel>,
    by_name: BTreeMap<String, usize>,
    /// Channel and the bits of the order.
    seen: BTreeSet<(usize, u64)>,
}

impl Rows {
    fn read(&mut self, line: u64, record: &::csv::StringRecord) -> Result<(), SpectrumError> {
        let fields: Vec<&str> = record.iter().collect();
        let [name, phase, unit, order, rms, phase_deg] = fields[..] else {
            return Err(SpectrumError::FieldCount { line, found: fields.len() });
        };
        let wrong = |field, found: &str, expected| SpectrumError::Value {
            line,
            field,
            found: quote(found),
            expected,
        };
        let si = si_unit(unit);
        if si.kind == ChannelKind::Other {
            return Err(wrong("unit", unit, "V or A, with a prefix if need be"));
        }
        let read = read_line([order, rms, phase_deg], si.factor)
            .map_err(|(field, found, expected)| wrong(field, found, expected))?;
        let index = *self.by_name.entry(name.to_owned()).or_insert_with(|| {
            self.channels.push(SpectrumChannel {
                name: name.to_owned(),
                unit: si.symbol.clone(),
                phase: phase.to_owned(),
                lines: Vec::new(),
            });
            self.channels.len() - 1
        });
        let channel = &mut self.channels[index];
        if channel.unit != si.symbol {
            return Err(wrong("unit", unit, "the unit of this channel's first row"));
        }
        if channel.phase != phase {
            return Err(wrong("phase", phase, "the phase of this channel's first row"));
        }
        if !self.seen.insert((index, read.order.to_bits())) {
            return Err(wrong("order", order, "each order once per channel"));
        }
        channel.lines.push(read);
        Ok(())
    }
}

/// The largest RMS value in V or A. No grid comes near it, and the powers and squares made from
/// it stay far from what a number can hold, so no truth computed from a table is NaN for its size.
const RMS_MAX: f64 = 1e12;

/// Reads order, RMS value and phase; an error is the field, what stands there, what is expected.
fn read_line(
    [order, rms, phase_deg]: [&str; 3],
    factor: f64,
) -> Result<Line, (&'static str, &str, &'static str)> {
    let line = Line {
        // Adding zero makes -0 the same order as 0.
        order: finite(order).filter(|&order| order >= 0.0).map(|order| order + 0.0).ok_or((
            "order",
            order,
            "a number from 0 up",
        ))?,
        rms: finite(rms)
            .map(|value| value * factor)
            .filter(|value| value.abs() <= RMS_MAX)
            .ok_or(("rms", rms, "a number of at most 1e12 V or A"))?,
        phase_deg: finite(phase_deg).ok_or(("phase_deg", phase_deg, "an angle in degrees"))?,
    };
    if line.rms < 0.0 && line.order > 0.0 {
        return Err(("rms", rms, "no negative value: turn the phase by 180 degrees instead"));
    }
    Ok(line)
}

/// Writes the text form: the same table gives the same bytes, and reading them gives the same
/// table, provided its units are `V` or `A`, its names differ and its numbers are finite, RMS
/// values at most 1e12.
pub fn write(table: &SpectrumTable) -> Vec<u8> {
    let mut text = format!(
        "{FIRST_LINE}\n# fundamental_hz = {}\n{CONVENTION}\n{}\n",
        table.fundamental_hz,
        COLUMNS.join(",")
    );
    for channel in &table.channels {
        let [name, phase, unit] = [&channel.name, &channel.phase, &channel.unit].map(|f| cell(f));
        for line in &channel.lines {
            // Writing to a String cannot fail.
            let _ = writeln!(
                text,
                "{name},{phase},{unit},{},{},{}",
                line.order, line.rms, line.phase_deg
            );
        }
    }
    text.into_bytes()
}

/// A CSV field, in quotes where it must be (also where it would look like a comment).
fn cell(text: &str) -> String {
    let text = text.trim();
    if text.contains([',', '"', '\n', '\r', '#']) {
        format!("\"{}\"", text.replace('"', "\"\""))
    } else {
        text.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TYPED: &str = "# lastmeter spectrum table, format 1\n\
        # fundamental_hz = 59.96\n\
        # convention: anything\n\
        channel,phase,unit,order,rms,phase_deg\n\
        Va,a,V,0,-1.5,0\n\
        Va,a,V,1,7621.25,0\n\
        Ia,a,mA,1,16500,179.5\n\
        Va,a,V,2.4,12,-90\n";

    #[test]
    fn a_typed_table_is_read_with_units_and_interharmonics() {
        let table = read(TYPED.as_bytes()).unwrap();
        assert_eq!(table.fundamental_hz, 59.96);
        let line = |order, rms, phase_deg| Line { order, rms, phase_deg };
        assert_eq!(table.channels.len(), 2);
        assert_eq!(table.channels[0].kind(), ChannelKind::Voltage);
        assert_eq!(
            table.channels[0].lines,
            [line(0.0, -1.5, 0.0), line(1.0, 7621.25, 0.0), line(2.4, 12.0, -90.0)]
        );
        assert_eq!(table.channels[1].unit, "A");
        assert_eq!(table.channels[1].lines, [line(1.0, 16.5, 179.5)]);
    }

    #[test]
    fn every_mistake_is_located() {
        for (from, to, expected) in [
            (
                "format 1",
                "format 9",
                "the first line must be `# lastmeter spectrum table, format 1`",
            ),
            ("# fundamental_hz = 59.96\n", "", "no line `# fundamental_hz = 50`"),
            ("59.96", "-1", "line 2, fundamental_hz: found `-1`"),
            ("order,rms", "rms,order", "line 4: expected the columns"),
            ("7621.25,0", "7621.25", "line 6: found 5 fields, expected 6"),
            ("7621.25", "NaN", "line 6, rms: found `NaN`"),
            ("7621.25", "1.1e12", "line 6, rms: found `1.1e12`, expected a number of at most 1e12"),
            ("-1.5", "-1e200", "line 5, rms: found `-1e200`, expected a number of at most 1e12"),
            ("mA,1,16500", "kA,1,2e9", "line 7, rms: found `2e9`, expected a number of at most"),
            ("7621.25", "-7621.25", "line 6, rms: found `-7621.25`, expected no negative value"),
            ("2.4,12", "1,12", "line 8, order: found `1`, expected each order once per channel"),
            ("Ia,a,mA", "Ia,a,W", "line 7, unit: found `W`, expected V or A"),
            ("Va,a,V,2.4", "Va,b,V,2.4", "line 8, phase: found `b`"),
            ("Va,a,V,2.4", "Va,a,A,2.4", "line 8, unit: found `A`"),
        ] {
            let text = TYPED.replacen(from, to, 1);
            let error = read(text.as_bytes()).unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
        }
        let head = TYPED.split_inclusive('\n').take(4).collect::<String>();
        assert_eq!(read(head.as_bytes()), Err(SpectrumError::Empty));
    }
}
