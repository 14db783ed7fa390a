//! Writing of recordings as header and data, in every revision and kind.
//!
//! Terms: an *LSB* is the value of one step of an integer kind, `multiplier` in the header. Samples
//! are written as primary values (ratio 1:1, flag P) in the channels' own units, in UTC. Integer
//! kinds use the whole range for the largest sample of a channel, with an offset only where a
//! channel never crosses zero; FLOAT32 is written as it is, with the range of its values.
//! Gaps are written as missing.

use std::fmt::Write as _;

use lastmeter_units::SimTime;

use super::{DataKind, Revision, Written, date};
use crate::recording::{Channel, Recording};
use crate::text::quote;

/// Why a recording cannot be written.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WriteError {
    /// The kind of data came with a later revision.
    #[error("{kind} data came with COMTRADE 2013; choose that revision, or BINARY or ASCII")]
    KindNeeds2013 {
        /// The kind asked for.
        kind: DataKind,
    },
    /// No channels or no samples.
    #[error("the recording has no {what}; there is nothing to write")]
    Empty {
        /// `samples` or `channels`.
        what: &'static str,
    },
    /// A channel is shorter or longer than the first one.
    #[error("channel {channel} has {found} samples where the others have {expected}")]
    Lengths {
        /// The channel's name, quoted.
        channel: String,
        /// How many samples it has.
        found: usize,
        /// How many the first channel has.
        expected: usize,
    },
    /// The rate is no rate.
    #[error("the rate must be a number of hertz above zero, found {found}")]
    Rate {
        /// The rate as text.
        found: String,
    },
    /// More samples than a 32-bit sample number can count.
    #[error("{samples} samples are more than a COMTRADE file can number; write it in parts")]
    TooLong {
        /// How many there are.
        samples: usize,
    },
    /// A sample is beyond single precision.
    #[error("channel {channel} has samples beyond the range of FLOAT32; choose another kind")]
    OutOfRange {
        /// The channel's name, quoted.
        channel: String,
    },
}

/// Where a recording is from, for its header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin<'a> {
    /// Name of the station.
    pub station: &'a str,
    /// The recording device.
    pub device: &'a str,
    /// What made it record; none: the first sample.
    pub trigger: Option<SimTime>,
}

impl Default for Origin<'_> {
    fn default() -> Self {
        Self { station: "lastmeter", device: "1", trigger: None }
    }
}

/// Writes a recording.
///
/// # Errors
/// A [`WriteError`] if the recording has nothing to write, is uneven, or does not fit the kind.
pub fn write(
    recording: &Recording,
    kind: DataKind,
    revision: Revision,
) -> Result<Written, WriteError> {
    write_of(recording, &Origin::default(), kind, revision)
}

/// Writes a recording of a known origin.
///
/// # Errors
/// As [`write()`].
pub fn write_of(
    recording: &Recording,
    origin: &Origin<'_>,
    kind: DataKind,
    revision: Revision,
) -> Result<Written, WriteError> {
    check(recording, kind, revision)?;
    let samples = recording.samples();
    let codings = recording
        .channels
        .iter()
        .map(|channel| Coding::of(channel, kind))
        .collect::<Result<Vec<_>, _>>()?;
    // Missing samples by channel, so that writing passes over them in order.
    let mut missing = vec![vec![]; recording.channels.len()];
    for gap in &recording.gaps {
        if let Some(spans) = missing.get_mut(gap.channel) {
            spans.push(gap.first_sample..gap.first_sample.saturating_add(gap.samples));
        }
    }
    let raw: Vec<Vec<Option<f64>>> = recording
        .channels
        .iter()
        .zip(&codings)
        .zip(&missing)
        .map(|((channel, coding), gaps)| {
            let mut raw: Vec<Option<f64>> =
                channel.samples.iter().map(|&sample| coding.raw(sample)).collect();
            for gap in gaps {
                let end = gap.end.min(raw.len());
                raw[gap.start.min(end)..end].fill(None);
            }
            raw
        })
        .collect();
    let clock = Clock::of(recording, revision, samples);
    let cfg = header((recording, origin), kind, revision, &codings, &clock);
    let dat = match kind {
        DataKind::Ascii => ascii(recording, &raw, &clock),
        _ => binary(recording, kind, &raw, &clock),
    };
    Ok(Written { cfg: cfg.into_bytes(), dat })
}

fn check(recording: &Recording, kind: DataKind, revision: Revision) -> Result<(), WriteError> {
    if revision != Revision::R2013 && matches!(kind, DataKind::Binary32 | DataKind::Float32) {
        return Err(WriteError::KindNeeds2013 { kind });
    }
    if recording.channels.is_empty() && recording.digital.is_empty() {
        return Err(WriteError::Empty { what: "channels" });
    }
    let expected = recording.samples();
    if expected == 0 {
        return Err(WriteError::Empty { what: "samples" });
    }
    if u32::try_from(expected).is_err() {
        return Err(WriteError::TooLong { samples: expected });
    }
    let analogue = recording.channels.iter().map(|c| (&c.name, c.samples.len()));
    let digital = recording.digital.iter().map(|c| (&c.name, c.states.len()));
    if let Some((name, found)) = analogue.chain(digital).find(|&(_, found)| found != expected) {
        return Err(WriteError::Lengths { channel: quote(name), found, expected });
    }
    if !(recording.rate_hz.is_finite() && recording.rate_hz > 0.0) {
        return Err(WriteError::Rate { found: recording.rate_hz.to_string() });
    }
    Ok(())
}

/// How the samples of a channel become raw numbers.
struct Coding {
    multiplier: f64,
    offset: f64,
    /// The largest raw number; 0 for FLOAT32, which is written as it is.
    largest: f64,
    /// The least and the largest value of FLOAT32, as text.
    range: String,
}

impl Coding {
    fn of(channel: &Channel, kind: DataKind) -> Result<Self, WriteError> {
        let finite = || channel.samples.iter().copied().filter(|sample| sample.is_finite());
        let (low, high) = finite()
            .fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), sample| {
                (low.min(sample), high.max(sample))
            });
        let largest = match kind {
            DataKind::Ascii => 99_998.0,
            DataKind::Binary => f64::from(i16::MAX),
            DataKind::Binary32 => f64::from(i32::MAX),
            DataKind::Float32 => {
                if finite().any(|sample| !(sample as f32).is_finite()) {
                    return Err(WriteError::OutOfRange { channel: quote(&channel.name) });
                }
                let (low, high) = if low <= high { (low as f32, high as f32) } else { (0.0, 0.0) };
                // In all digits, so that none is beyond.
                let range = format!("{:?},{:?}", f64::from(low), f64::from(high));
                return Ok(Self { multiplier: 1.0, offset: 0.0, largest: 0.0, range });
            }
        };
        let offset = if low > 0.0 || high < 0.0 { low / 2.0 + high / 2.0 } else { 0.0 };
        let reach = (high - offset).abs().max((low - offset).abs());
        // A channel that is constant (or has no sample) needs no steps, but a multiplier.
        let multiplier = if reach.is_finite() && reach > 0.0 { reach / largest } else { 1.0 };
        // A reach too small to divide is below every digit that could be written.
        let multiplier = if multiplier > 0.0 { multiplier } else { f64::MIN_POSITIVE };
        let offset = if offset.is_finite() { offset } else { 0.0 };
        Ok(Self { multiplier, offset, largest, range: String::new() })
    }

    fn raw(&self, sample: f64) -> Option<f64> {
        if !sample.is_finite() {
            return None;
        }
        if self.largest == 0.0 {
            return Some(sample);
        }
        let raw = ((sample - self.offset) / self.multiplier).round();
        Some(raw.clamp(-self.largest, self.largest))
    }
}

/// The time stamps: units that fit 32 bits.
struct Clock {
    start: SimTime,
    rate_hz: f64,
    nanoseconds: bool,
    /// `timemult` in the header.
    factor: f64,
}

impl Clock {
    fn of(recording: &Recording, revision: Revision, samples: usize) -> Self {
        // Readers need a date; one that is not known is written as the beginning of 1970.
        let start = recording.start.unwrap_or_default();
        let nanoseconds = date::in_nanoseconds(start, revision);
        let rate_hz = recording.rate_hz;
        let mut clock = Self { start, rate_hz, nanoseconds, factor: 1.0 };
        // 1991 has no multiplier: stamps that do not fit are left out there.
        while revision != Revision::R1991 && clock.factor < 1e12 && clock.ticks(samples).is_none() {
            clock.factor *= 10.0;
        }
        clock
    }

    /// The stamp of a sample, unless it does not fit (the largest number means "missing").
    fn ticks(&self, sample: usize) -> Option<u32> {
        let unit = if self.nanoseconds { 1e9 } else { 1e6 };
        let ticks = (sample as f64 / self.rate_hz * unit / self.factor).round();
        (ticks < f64::from(u32::MAX)).then_some(ticks as u32)
    }
}

/// Text without what would end a field or a line.
fn clean(text: &str) -> String {
    let safe = |c: char| if c == ',' || c.is_control() { ' ' } else { c };
    text.chars().map(safe).collect::<String>().trim().to_owned()
}

/// The `.cfg` text.
fn header(
    (recording, origin): (&Recording, &Origin<'_>),
    kind: DataKind,
    revision: Revision,
    codings: &[Coding],
    clock: &Clock,
) -> String {
    let (analogue, digital) = (recording.channels.len(), recording.digital.len());
    let old = revision == Revision::R1991;
    let year = match revision {
        Revision::R1991 => "",
        Revision::R1999 => ",1999",
        Revision::R2013 => ",2013",
    };
    let mut lines = vec![
        format!("{},{}{year}", clean(origin.station), clean(origin.device)),
        format!("{},{analogue}A,{digital}D", analogue + digital),
    ];
    for ((number, channel), coding) in (1..).zip(&recording.channels).zip(codings) {
        let (name, phase) = (clean(&channel.name), clean(&channel.phase));
        let range = match kind {
            DataKind::Float32 => coding.range.clone(),
            _ => format!("{},{}", -coding.largest, coding.largest),
        };
        let ratio = if old { "" } else { ",1,1,P" };
        lines.push(format!(
            "{number},{name},{phase},,{},{:?},{:?},0,{range}{ratio}",
            clean(&channel.unit),
            coding.multiplier,
            coding.offset,
        ));
    }
    for (number, channel) in (1..).zip(&recording.digital) {
        let fields = if old { "" } else { ",," };
        let normal = u8::from(channel.normal);
        lines.push(format!("{number},{}{fields},{normal}", clean(&channel.name)));
    }
    lines.push(recording.nominal_hz.unwrap_or(0.0).to_string());
    lines.push("1".to_owned());
    lines.push(format!("{},{}", recording.rate_hz, recording.samples()));
    let start = date::write(clock.start, revision);
    let trigger = |it: SimTime| date::write_in(it, revision, clock.nanoseconds);
    let trigger = origin.trigger.map_or_else(|| start.clone(), trigger);
    lines.extend([start, trigger, kind.word().to_owned()]);
    if !old {
        lines.push(clock.factor.to_string());
    }
    if revision == Revision::R2013 {
        // In UTC; the recording place's zone does not apply; the clock is locked, no leap second.
        lines.extend(["0,x".to_owned(), "0,0".to_owned()]);
    }
    lines.push(String::new());
    lines.join("\r\n")
}

fn binary(
    recording: &Recording,
    kind: DataKind,
    raw: &[Vec<Option<f64>>],
    clock: &Clock,
) -> Vec<u8> {
    let samples = recording.samples();
    let size = super::layout::record_bytes(kind, raw.len(), recording.digital.len());
    let mut dat = Vec::with_capacity(samples * size);
    for sample in 0..samples {
        dat.extend((sample as u32 + 1).to_le_bytes());
        dat.extend(clock.ticks(sample).unwrap_or(u32::MAX).to_le_bytes());
        for channel in raw {
            let value = channel[sample];
            match kind {
                DataKind::Binary => {
                    dat.extend(value.map_or(i16::MIN, |value| value as i16).to_le_bytes());
                }
                DataKind::Binary32 => {
                    dat.extend(value.map_or(i32::MIN, |value| value as i32).to_le_bytes());
                }
                DataKind::Float32 | DataKind::Ascii => {
                    dat.extend(value.map_or(f32::NAN, |value| value as f32).to_le_bytes());
                }
            }
        }
        for word in recording.digital.chunks(16) {
            let bits = word.iter().enumerate();
            let bits = bits.fold(0_u16, |w, (bit, c)| w | u16::from(c.states[sample]) << bit);
            dat.extend(bits.to_le_bytes());
        }
    }
    dat
}

fn ascii(recording: &Recording, raw: &[Vec<Option<f64>>], clock: &Clock) -> Vec<u8> {
    let mut text = String::new();
    for sample in 0..recording.samples() {
        let ticks = clock.ticks(sample).map_or(String::new(), |ticks| ticks.to_string());
        // Writing to a String cannot fail.
        let _ = write!(text, "{},{ticks}", sample + 1);
        for channel in raw {
            let _ = write!(text, ",{}", channel[sample].map_or(99_999, |value| value as i64));
        }
        for channel in &recording.digital {
            text.push_str(if channel.states[sample] { ",1" } else { ",0" });
        }
        text.push_str("\r\n");
    }
    text.into_bytes()
}
