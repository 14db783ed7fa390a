//! From what is written down to pieces laid one after another.

use std::f64::consts::TAU;
use std::sync::Arc;

use lastmeter_units::SimDuration;

use super::{Channel, Place, Program};
use crate::clock::{Clock, Segment};
use crate::instant::Instant;
use crate::random::Streams;
use crate::spectrum::{ChannelSpectrum, Spectrum, Tone};
use crate::stationary::Stationary;
use crate::terminal::TerminalError;
use crate::timeline::{Piece, Timeline, Wave};

pub(super) fn timeline(
    program: &Program,
    name: &str,
    streams: Streams,
) -> Result<Timeline, TerminalError> {
    let frequencies: Vec<(SimDuration, f64, f64)> =
        program.stages.iter().map(|stage| (stage.from, stage.frequency_hz, 0.0)).collect();
    if let Some((_, bad, _)) = frequencies.iter().find(|(_, f, _)| !(f.is_finite() && *f > 0.0)) {
        return Err(TerminalError::Fundamental(*bad));
    }
    let clock = Clock::new(&frequencies);
    let mut pieces = Vec::with_capacity(program.stages.len());
    let mut temperatures: Vec<(SimDuration, f64)> = Vec::new();
    for (index, stage) in program.stages.iter().enumerate() {
        let next = program.stages.get(index + 1);
        if next.is_some_and(|next| next.from == stage.from) {
            continue;
        }
        if temperatures.last().is_none_or(|(_, celsius)| *celsius != stage.celsius) {
            temperatures.push((stage.from, stage.celsius));
        }
        let from = Instant::from(stage.from);
        let segment = &clock.segments()[clock.index_at(from)];
        let spectra = |channels: &[Channel]| {
            channels.iter().map(|channel| spectrum_of(channel, segment)).collect()
        };
        let spectrum = Spectrum {
            fundamental_hz: segment.frequency_hz,
            voltages: spectra(&stage.voltages),
            currents: spectra(&stage.currents),
        };
        let wave = Arc::new(Wave::Stationary(Stationary::new(spectrum)?));
        pieces.push(Piece { from, wave });
    }
    Ok(Timeline::new(pieces, temperatures, name, streams))
}

/// The tones of a channel while the frequency is that of a segment.
fn spectrum_of(channel: &Channel, segment: &Segment) -> ChannelSpectrum {
    let tones = channel.lines.iter().map(|line| {
        let (frequency_hz, turns) = match line.place {
            Place::Order(order) => {
                let order = f64::from(order);
                let frequency_hz = order * segment.frequency_hz;
                let there = order * segment.turns + line.turns;
                (frequency_hz, segment.at_start(frequency_hz, there))
            }
            Place::Hertz(frequency_hz) => (frequency_hz, line.turns),
        };
        Tone { frequency_hz, rms: line.rms, phase_rad: TAU * turns }
    });
    ChannelSpectrum { dc: channel.dc, tones: tones.collect(), noise_rms: channel.noise_rms }
}
