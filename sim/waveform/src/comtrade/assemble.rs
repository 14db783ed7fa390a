//! From records to a recording: scaling to SI primary values, the rate, joining of sections.

use super::ComtradeError;
use super::header::{Analogue, Header, Section};
use crate::names::{phase_of_name, phase_symbol, si_unit};
use crate::recording::{Channel, ChannelKind, DigitalChannel, Recording};
use crate::time_axis::{NoRate, PICOSECONDS_PER_SECOND, rate_of};

/// What brings a raw value to SI primary values.
#[derive(Clone, Copy, Debug)]
pub(super) struct Scale {
    multiplier: f64,
    offset: f64,
    factor: f64,
}

impl Scale {
    /// The scale of a channel: `(raw * a + b)`, then unit prefix and ratio.
    pub(super) fn of(channel: &Analogue) -> Self {
        let factor = si_unit(&channel.unit).factor * channel.to_primary;
        Self { multiplier: channel.multiplier, offset: channel.offset, factor }
    }

    /// The value of a raw number.
    pub(super) fn apply(self, raw: f64) -> f64 {
        (raw * self.multiplier + self.offset) * self.factor
    }
}

/// What the records hold; missing analogue values are NaN.
#[derive(Debug, Default)]
pub(super) struct Data {
    pub(super) records: usize,
    pub(super) analogue: Vec<Vec<f64>>,
    pub(super) digital: Vec<Vec<bool>>,
    pub(super) notes: Vec<String>,
    /// All time stamps in picoseconds, where they alone tell the rate.
    stamps_ps: Vec<i64>,
    /// The first and the last time stamp in seconds, where they are there.
    first_s: Option<f64>,
    last_s: Option<f64>,
}

impl Data {
    /// Takes the time stamp of a record (counted from 1), in units of the header's tick.
    pub(super) fn stamp(
        &mut self,
        header: &Header,
        record: u64,
        ticks: Option<f64>,
    ) -> Result<(), ComtradeError> {
        let stamp_ps = ticks.map(|ticks| (ticks * header.tick_ps).round());
        if record == 1 {
            self.first_s = stamp_ps.map(|ps| ps / PICOSECONDS_PER_SECOND);
        }
        self.last_s = stamp_ps.map(|ps| ps / PICOSECONDS_PER_SECOND);
        if !header.timed_by_stamps() {
            return Ok(());
        }
        let why = match stamp_ps {
            // Well inside an i64.
            Some(ps) if ps < 9e18 => {
                self.stamps_ps.push(ps as i64);
                return Ok(());
            }
            Some(_) => format!("that of record {record} is later than 104 days"),
            None => format!("record {record} has none"),
        };
        Err(ComtradeError::NoRate { why })
    }
}

/// Puts the recording together.
pub(super) fn assemble(header: Header, data: Data) -> Result<Recording, ComtradeError> {
    if data.records == 0 {
        return Err(ComtradeError::Empty { what: "samples" });
    }
    let mut recording = Recording {
        start: header.start,
        nominal_hz: header.nominal_hz,
        notes: header.notes.clone(),
        ..Recording::default()
    };
    set_rate(&header, &data, &mut recording)?;
    let uniform = header.sections.windows(2).all(|pair| pair[0].rate_hz == pair[1].rate_hz);
    let several_rates = !header.timed_by_stamps() && !uniform;
    recording.notes.extend(data.notes);
    let analogue = header.analogue.iter().zip(data.analogue);
    recording.channels =
        analogue.map(|(line, samples)| channel(line, samples, &mut recording.notes)).collect();
    let digital = header.digital.into_iter().zip(data.digital);
    recording.digital = digital
        .map(|(line, states)| DigitalChannel { name: line.name, normal: line.normal, states })
        .collect();
    if several_rates {
        join(&mut recording, &header.sections, data.records)?;
    }
    recording.close_gaps();
    Ok(recording)
}

/// The rate: that of the header (the highest), or else what the time stamps tell.
fn set_rate(header: &Header, data: &Data, recording: &mut Recording) -> Result<(), ComtradeError> {
    if header.timed_by_stamps() {
        let told = rate_of(&data.stamps_ps, header.tick_ps.min(1e18) as i64);
        let rate = told.map_err(|error| {
            let why = match error {
                NoRate::TooFew => "there is only one record",
                NoRate::NotAdvancing => "they do not advance",
            };
            ComtradeError::NoRate { why: why.to_owned() }
        })?;
        recording.rate_hz = rate.rate_hz;
        recording.notes.extend(rate.note);
        return Ok(());
    }
    let rates = header.sections.iter().map(|section| section.rate_hz);
    recording.rate_hz = rates.fold(0.0, f64::max);
    let steps = |sections: &[Section]| {
        let mut before = 0;
        let mut span_s = 0.0;
        for section in sections {
            span_s += (section.end - before) as f64 / section.rate_hz;
            before = section.end;
        }
        span_s - sections.last().map_or(0.0, |section| 1.0 / section.rate_hz)
    };
    let expected_s = steps(&header.sections);
    if let (Some(first_s), Some(last_s)) = (data.first_s, data.last_s) {
        let span_s = last_s - first_s;
        let resolution_s = 2.0 * header.tick_ps / PICOSECONDS_PER_SECOND;
        // Stamps that are all zero say nothing.
        if last_s != 0.0 && (span_s - expected_s).abs() > 0.01 * expected_s + resolution_s {
            recording.notes.push(format!(
                "the time stamps span {span_s} s, but the samples at the header's rate span \
                 {expected_s} s; the header's rate holds"
            ));
        }
    }
    Ok(())
}

/// One channel with its unit brought to SI and its phase told.
fn channel(line: &Analogue, samples: Vec<f64>, notes: &mut Vec<String>) -> Channel {
    let unit = si_unit(&line.unit);
    let by_name = || {
        let tells = unit.kind != ChannelKind::Other && line.phase.is_empty();
        tells.then(|| phase_of_name(&line.name, unit.kind)).flatten()
    };
    let phase = phase_symbol(&line.phase).or_else(by_name).map(str::to_owned);
    if line.skew_s != 0.0 {
        notes.push(format!(
            "channel {} was sampled {} us later than the time stamps say; this is not corrected",
            crate::text::quote(&line.name),
            line.skew_s * 1e6
        ));
    }
    Channel {
        name: line.name.clone(),
        phase: phase.unwrap_or_else(|| line.phase.to_lowercase()),
        unit: unit.symbol,
        kind: unit.kind,
        skew_s: line.skew_s,
        samples,
    }
}

/// Brings sections of different rates to the highest one by straight lines.
fn join(
    recording: &mut Recording,
    sections: &[Section],
    records: usize,
) -> Result<(), ComtradeError> {
    let highest_hz = recording.rate_hz;
    let map = joined(recording, sections, records)?;
    for channel in &mut recording.channels {
        let old = std::mem::take(&mut channel.samples);
        let value = |&(index, weight): &(usize, f64)| match (old.get(index), old.get(index + 1)) {
            (Some(&value), Some(&next)) if weight > 0.0 => value * (1.0 - weight) + next * weight,
            (Some(&value), _) => value,
            (None, _) => f64::NAN,
        };
        channel.samples = map.iter().map(value).collect();
    }
    for channel in &mut recording.digital {
        let old = std::mem::take(&mut channel.states);
        channel.states =
            map.iter().map(|&(index, _)| old.get(index).copied().unwrap_or_default()).collect();
    }
    let list: Vec<String> =
        sections.iter().take(8).map(|s| format!("{} Hz up to {}", s.rate_hz, s.end)).collect();
    recording.notes.push(format!(
        "{} sections of different rates ({}{}) were joined at {highest_hz} Hz; slower ones follow \
         straight lines between their samples",
        sections.len(),
        list.join(", "),
        if sections.len() > 8 { ", ..." } else { "" },
    ));
    Ok(())
}

/// For each joined sample the recorded one before it and the weight of the one after that.
fn joined(
    recording: &Recording,
    sections: &[Section],
    records: usize,
) -> Result<Vec<(usize, f64)>, ComtradeError> {
    /// Positions nearer to a sample than this are that sample.
    const NEAR: f64 = 1e-6;
    /// Values that may be made in any case, and how many times the recorded ones beyond that.
    const VALUES: f64 = 8e6;
    const TIMES: f64 = 16.0;

    let rate = recording.rate_hz;
    let mut spans = Vec::with_capacity(sections.len());
    let (mut first, mut starts_s) = (0_usize, 0.0);
    for section in sections {
        let end = usize::try_from(section.end).unwrap_or(usize::MAX).min(records);
        spans.push((first, starts_s, section.rate_hz));
        starts_s += end.saturating_sub(first) as f64 / section.rate_hz;
        first = end;
    }
    let last_step_s = sections.last().map_or(0.0, |section| 1.0 / section.rate_hz);
    let count = ((starts_s - last_step_s) * rate + NEAR).floor() + 1.0;
    let channels = (recording.channels.len() + recording.digital.len()).max(1) as f64;
    let most = (VALUES / channels).max(TIMES * records as f64);
    // Written so that a count that is not a number is refused too.
    if !(count >= 1.0 && count <= most) {
        let lowest = sections.iter().map(|s| s.rate_hz).fold(f64::INFINITY, f64::min);
        return Err(ComtradeError::RatesTooDifferent {
            lowest_hz: lowest.to_string(),
            highest_hz: rate.to_string(),
            samples: records,
            joined: count.to_string(),
        });
    }
    let mut map = Vec::with_capacity(count as usize);
    let mut at = 0;
    for index in 0..count as usize {
        let time_s = index as f64 / rate;
        while let Some(&(_, starts_s, section_hz)) = spans.get(at + 1)
            && (time_s - starts_s) * section_hz > -NEAR
        {
            at += 1;
        }
        let (first, starts_s, section_hz) = spans[at];
        let position = ((time_s - starts_s) * section_hz).max(0.0);
        let whole = (position + NEAR).floor();
        let weight = position - whole;
        let weight = if weight < NEAR { 0.0 } else { weight };
        map.push(((first + whole as usize).min(records - 1), weight));
    }
    Ok(map)
}
