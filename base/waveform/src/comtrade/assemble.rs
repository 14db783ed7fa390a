//! From records to a recording: the rate, channels in SI primary values, joining of sections.

use std::io::{Read, Seek};
use std::ops::ControlFlow;

use super::align::{Aligner, corrected_s, highest_hz};
use super::header::{Analogue, Header, Section};
use super::scan::{Facts, Wanted};
use super::{ComtradeError, DataKind, ascii, binary};
use crate::columns::{Collect, Columns, Sink};
use crate::names::{phase_of_name, phase_symbol, si_unit};
use crate::recording::{Channel, ChannelKind, DigitalChannel, Recording};
use crate::time_axis::{NoRate, PICOSECONDS_PER_SECOND};
use crate::window::Window;

pub(super) fn read<R: Read + Seek>(
    header: &Header,
    dat: &mut Window<R>,
) -> Result<Recording, ComtradeError> {
    let (analogue, digital) = (header.analogue.len(), header.digital.len());
    let wanted = Wanted { analogue: (0..analogue).collect(), digital: true, checked: true };
    let mut sink = Collect(Columns::new(analogue, digital));
    let facts = scan(header, dat, &wanted, &mut sink)?;
    let mut columns = sink.0;
    let mut recording = about(header, facts)?;
    if let Some(mut aligner) = Aligner::of(header, &wanted.analogue, digital)? {
        let mut aligned = Columns::new(analogue, digital);
        let _ = aligner.push(&columns, &mut |made| {
            aligned.append(made);
            ControlFlow::Continue(())
        });
        columns = aligned;
    }
    recording.notes.extend(Aligner::note(header));
    for (channel, samples) in recording.channels.iter_mut().zip(columns.analogue) {
        channel.samples = samples;
    }
    for (channel, states) in recording.digital.iter_mut().zip(columns.digital) {
        channel.states = states;
    }
    recording.close_gaps();
    Ok(recording)
}

/// Everything about the recording but its samples, and the notes on joining and gaps.
pub(super) fn about(header: &Header, mut facts: Facts) -> Result<Recording, ComtradeError> {
    if facts.records == 0 {
        return Err(ComtradeError::Empty { what: "samples" });
    }
    let mut recording = Recording {
        start: header.start,
        nominal_hz: header.nominal_hz,
        notes: header.notes.clone(),
        ..Recording::default()
    };
    set_rate(header, &mut facts, &mut recording)?;
    for note in std::mem::take(&mut facts.damage) {
        recording.note_damage(None, note);
    }
    recording.notes.append(&mut facts.notes);
    for (channel, note) in facts.beyond(header) {
        recording.note_damage(Some(channel), note);
    }
    let analogue = header.analogue.iter();
    let channels = analogue.map(|line| channel(header, line, &mut recording.notes));
    recording.channels = channels.collect();
    let digital = header.digital.iter();
    recording.digital = digital
        .map(|line| DigitalChannel {
            name: line.name.clone(),
            normal: line.normal,
            states: Vec::new(),
        })
        .collect();
    Ok(recording)
}

/// The rate: that of the header (the highest), or else that of the time stamps.
fn set_rate(
    header: &Header,
    facts: &mut Facts,
    recording: &mut Recording,
) -> Result<(), ComtradeError> {
    if header.timed_by_stamps() {
        let rate = facts.steps.rate(header.tick_ps.min(1e18) as i64);
        let rate = rate.map_err(|error| {
            let why = match error {
                NoRate::TooFew => "there is only one record",
                NoRate::NotAdvancing => "they do not advance",
            };
            ComtradeError::NoRate { why: why.to_owned() }
        })?;
        recording.rate_hz = rate.hz;
        rate.report(recording);
        return Ok(());
    }
    recording.rate_hz = highest_hz(&header.sections);
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
    if let (Some(first_s), Some(last_s)) = (facts.first_s, facts.last_s) {
        let span_s = last_s - first_s;
        let resolution_s = 2.0 * header.tick_ps / PICOSECONDS_PER_SECOND;
        // Stamps that are all zero carry no time.
        if last_s != 0.0 && (span_s - expected_s).abs() > 0.01 * expected_s + resolution_s {
            let note = format!(
                "the time stamps span {span_s} s, but the samples at the header's rate span \
                 {expected_s} s; the header's rate holds"
            );
            recording.note_damage(None, note);
        }
    }
    Ok(())
}

/// One channel with its unit brought to SI and its phase named.
fn channel(header: &Header, line: &Analogue, notes: &mut Vec<String>) -> Channel {
    let unit = si_unit(&line.unit);
    let by_name = || {
        let is_named = unit.kind != ChannelKind::Other && line.phase.is_empty();
        is_named.then(|| phase_of_name(&line.name, unit.kind)).flatten()
    };
    let phase = phase_symbol(&line.phase).or_else(by_name).map(str::to_owned);
    let corrected_s = corrected_s(header, line.skew_s);
    if line.skew_s != 0.0 {
        notes.push(format!(
            "channel {} was sampled {} us later than the time stamps state; {}",
            crate::text::quote(&line.name),
            line.skew_s * 1e6,
            if corrected_s != 0.0 {
                "this is corrected, by a windowed sinc"
            } else if header.timed_by_stamps() {
                "this is not corrected, as the header states no sampling rate"
            } else {
                "this is not corrected, as no sampler is so late"
            }
        ));
    }
    Channel {
        name: line.name.clone(),
        phase: phase.unwrap_or_else(|| line.phase.to_lowercase()),
        unit: unit.symbol,
        kind: unit.kind,
        skew_s: corrected_s,
        samples: Vec::new(),
    }
}

/// Reads the records to the end, or until the sink has had enough.
pub(super) fn scan<R: Read + Seek>(
    header: &Header,
    dat: &mut Window<R>,
    wanted: &Wanted,
    sink: &mut dyn Sink,
) -> Result<Facts, ComtradeError> {
    match header.kind {
        DataKind::Ascii => ascii::read(header, dat, wanted, sink),
        _ => binary::read(header, dat, wanted, sink),
    }
}
