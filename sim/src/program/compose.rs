//! From what is written down to pieces laid one after another.
//!
//! All instants at which anything begins, ends or turns are the borders of pieces; between two of
//! them each channel has one law.

use std::f64::consts::TAU;
use std::sync::Arc;

use lastmeter_units::SimDuration;

use super::channel::{Active, Composer, Halves, Tracks};
use super::{Program, Stage};
use crate::clock::Clock;
use crate::disturbance::{Change, Disturbance, Modulation, PointOnWave, Side};
use crate::gate::Cycle;
use crate::instant::Instant;
use crate::law::ClosedForm;
use crate::moving::SegmentForms;
use crate::plan::REFERENCE_CELSIUS;
use crate::random::Streams;
use crate::spectrum::{ChannelSpectrum, Spectrum, TerminalError};
use crate::stationary::Stationary;
use crate::timeline::{Piece, Timeline, Wave};
use crate::track::Track;

/// Most pieces of a program: so many take some hundred megabytes.
const PIECES_MAX: usize = 4_000_000;

/// Time constants after which nothing is left of a transient: e^-40 is 4e-18.
const TRANSIENT_DECAYS: f64 = 40.0;

/// So many pieces back an equal one is looked for.
const SHARED_WITH: usize = 6;

/// The largest step of a stair that stands for a ramp of the temperature, in kelvin.
const STEP_K: f64 = 0.25;

/// Steps of a ramp, at most: from one end of what can be given to the other there are fewer.
const STEPS_MAX: f64 = 1000.0;

impl Program {
    pub(crate) fn timeline(&self, name: &str, streams: Streams) -> Result<Timeline, TerminalError> {
        let undisturbed = self.spectrum.as_ref().filter(|_| self.disturbances.is_empty());
        let (tones, celsius) = if let Some(spectrum) = undisturbed {
            let steps = vec![(SimDuration::ZERO, REFERENCE_CELSIUS)];
            (vec![Piece::of_spectrum(spectrum.clone())?], steps)
        } else {
            let tracks = Tracks::new(self)?;
            (composed(self, &tracks)?, temperatures(&tracks.celsius))
        };
        Ok(Timeline::new(self.with_excerpts(tones)?, celsius, name, streams))
    }
}

/// The tones, without excerpts.
fn composed(program: &Program, tracks: &Tracks) -> Result<Vec<Piece>, TerminalError> {
    let clock = Clock::new(&tracks.frequency);
    let active = resolve(program, tracks, &clock);
    let borders = borders(program, tracks, &clock, &active)?;
    let mut pieces: Vec<Piece> = Vec::with_capacity(borders.len());
    let mut recent: Vec<(Vec<ClosedForm>, usize, Arc<Wave>)> = Vec::new();
    // Flicker makes hundreds of thousands of pieces, which are two.
    let mut recent_halves: Vec<(Halves, Arc<Wave>)> = Vec::new();
    let mut under_way: Vec<Active<'_>> = Vec::new();
    for (index, &from) in borders.iter().enumerate() {
        let until = borders.get(index + 1).copied();
        under_way.clear();
        under_way.extend(active.iter().filter(|active| active.is_under_way(from)));
        let segment_index = clock.index_at(from);
        let composer = Composer {
            stage: program.stage_at(from),
            clock: &clock,
            segment: clock.segments[segment_index],
            tracks,
            under_way: &under_way,
            from,
            until,
        };
        let halves = composer.halves();
        let known = recent_halves.iter().find(|(known, _)| Some(known) == halves.as_ref());
        if let Some((_, wave)) = known {
            if !pieces.last().is_some_and(|piece| Arc::ptr_eq(&piece.wave, wave)) {
                pieces.push(Piece { from, wave: Arc::clone(wave) });
            }
            continue;
        }
        let laws = composer.laws();
        let same = |(known, segment, _): &&(Vec<ClosedForm>, usize, Arc<Wave>)| {
            *segment == segment_index && *known == laws
        };
        let wave = match recent.iter().find(same) {
            Some((_, _, wave)) => Arc::clone(wave),
            None => Arc::new(composer.wave(&laws)?),
        };
        if let Some(halves) = halves {
            recent_halves.insert(0, (halves, Arc::clone(&wave)));
            recent_halves.truncate(SHARED_WITH);
        }
        if pieces.last().is_some_and(|piece| Arc::ptr_eq(&piece.wave, &wave)) {
            continue;
        }
        recent.insert(0, (laws, segment_index, Arc::clone(&wave)));
        recent.truncate(SHARED_WITH);
        pieces.push(Piece { from, wave });
    }
    Ok(pieces)
}

/// The steps of the ambient temperature, since when and to what: a ramp is a stair about its line.
fn temperatures(celsius: &Track) -> Vec<(SimDuration, f64)> {
    let lines = &celsius.lines;
    let mut steps = Vec::with_capacity(lines.len());
    for (index, line) in lines.iter().enumerate() {
        let end = lines.get(index + 1).map(|next| next.since.seconds_since(line.since));
        let (length_s, change) = match end {
            Some(length_s) => (length_s, line.per_s * length_s),
            None => (0.0, 0.0),
        };
        let count = (change.abs() / STEP_K).ceil().clamp(1.0, STEPS_MAX);
        for step in 0..count as u32 {
            let begun = f64::from(step) / count;
            let middle = if change == 0.0 { 0.0 } else { begun + 0.5 / count };
            let since = line.since.plus_seconds(begun * length_s).rounded();
            steps.push((since, line.value + middle * change));
        }
    }
    steps
}

impl Tracks {
    fn new(program: &Program) -> Result<Self, TerminalError> {
        let first = program.stages.first().ok_or(TerminalError::Empty)?;
        let channels = 2 * first.voltages.len();
        let mut tracks = Self {
            amplitudes: vec![Track::new(1.0); channels],
            angles: vec![Track::new(0.0); channels],
            celsius: Track::new(first.celsius),
            frequency: Track::new(first.frequency_hz),
        };
        let mut stages = program.stages.iter().zip(program.stages.iter().skip(1)).peekable();
        for disturbance in program.in_order() {
            while let Some((before, stage)) = stages.next_if(|(_, s)| s.from <= disturbance.at) {
                tracks.begin(before, stage);
            }
            tracks.change(disturbance);
        }
        stages.for_each(|(before, stage)| tracks.begin(before, stage));
        let lines = tracks.frequency.lines.iter();
        let mut frequencies = lines.map(|line| line.value);
        match frequencies.find(|f| !(f.is_finite() && *f > 0.0)) {
            Some(bad) => Err(TerminalError::Fundamental(bad)),
            None => Ok(tracks),
        }
    }

    /// A stage sets what differs from the stage before.
    fn begin(&mut self, before: &Stage, stage: &Stage) {
        let at = Instant::from(stage.from);
        if stage.frequency_hz != before.frequency_hz {
            self.frequency.go(at, stage.frequency_hz, SimDuration::ZERO);
        }
        if stage.celsius != before.celsius {
            self.celsius.go(at, stage.celsius, SimDuration::ZERO);
        }
    }

    fn change(&mut self, disturbance: &Disturbance) {
        let at = Instant::from(disturbance.at);
        match disturbance.change {
            Change::Frequency { to_hz, over } => self.frequency.go(at, to_hz, over),
            Change::Temperature { celsius, over } => self.celsius.go(at, celsius, over),
            Change::Amplitude { side, phases, to, over } => {
                for channel in channels_of(side, self.amplitudes.len(), |phase| phases.has(phase)) {
                    self.amplitudes[channel].go(at, to, over);
                }
            }
            Change::Angle { side, phases, by_rad, over } => {
                for channel in channels_of(side, self.angles.len(), |phase| phases.has(phase)) {
                    let target = self.angles[channel].target + by_rad / TAU;
                    self.angles[channel].go(at, target, over);
                }
            }
            _ => {}
        }
    }
}

/// The indices of channels, voltages first.
fn channels_of(
    side: Side,
    channels: usize,
    has: impl Fn(usize) -> bool,
) -> impl Iterator<Item = usize> {
    let phases = channels / 2;
    (0..channels).filter(move |channel| {
        let is_voltage = *channel < phases;
        let fits = match side {
            Side::Voltage => is_voltage,
            Side::Current => !is_voltage,
            Side::Both => true,
        };
        fits && has(channel % phases)
    })
}

/// The exact instants of all disturbances.
fn resolve<'a>(program: &'a Program, tracks: &Tracks, clock: &Clock) -> Vec<Active<'a>> {
    let instants = |disturbance: &'a Disturbance| {
        let asked = Instant::from(disturbance.at);
        let point = match &disturbance.change {
            Change::Level { point, .. } | Change::Transient { point, .. } => *point,
            _ => None,
        };
        let from = point.map_or(asked, |point| point_on_wave(program, tracks, clock, asked, point));
        let ends = |length: SimDuration| Instant::new(from.ns.saturating_add(length.0), from.part);
        let mut until = disturbance.length.map(ends);
        if let Change::Transient { decay_s, .. } = disturbance.change {
            let gone = from.plus_seconds(TRANSIENT_DECAYS * decay_s.max(0.0));
            until = Some(until.map_or(gone, |until| if until < gone { until } else { gone }));
        }
        Active { from, until, change: &disturbance.change }
    };
    program.in_order().map(instants).collect()
}

/// The first instant at or after another at which a voltage is at an angle.
fn point_on_wave(
    program: &Program,
    tracks: &Tracks,
    clock: &Clock,
    after: Instant,
    point: PointOnWave,
) -> Instant {
    /// How much of a turn counts as being there already.
    const THERE: f64 = 1e-12;
    let phase = point.phase.min(program.phases().saturating_sub(1));
    let shift = |at: Instant| tracks.angles[phase].line_at(at);
    let off = |at: Instant| {
        let channel = program.stage_at(at).voltages.get(phase);
        let own = channel.and_then(super::Channel::fundamental).map_or(0.0, |(_, turns)| turns);
        let sum = clock.at(at).turns_at(at) + own + 0.25 + shift(at).at(at) - point.angle_rad / TAU;
        sum - sum.round()
    };
    let rate = |at: Instant| clock.at(at).frequency_at(at) + shift(at).per_s;
    let now = off(after);
    let missing = if now > THERE { 1.0 - now } else { -now };
    let mut at = after.plus_seconds(missing / rate(after));
    for _ in 0..6 {
        at = at.plus_seconds(-off(at) / rate(at));
    }
    if at < after { after } else { at }
}

/// All instants at which something begins, ends or turns, in order; the first is zero.
fn borders(
    program: &Program,
    tracks: &Tracks,
    clock: &Clock,
    active: &[Active<'_>],
) -> Result<Vec<Instant>, TerminalError> {
    let mut borders = vec![Instant::default()];
    borders.extend(program.stages.iter().map(|stage| Instant::from(stage.from)));
    borders.extend(clock.segments.iter().map(|segment| segment.from));
    let set = tracks.amplitudes.iter().chain(&tracks.angles);
    borders.extend(set.flat_map(|track| &track.lines).map(|line| line.since));
    for one in active {
        borders.push(one.from);
        borders.extend(one.until);
        match one.change {
            Change::Component { component, .. } => {
                let later = |at: Instant, ns: i64| Instant::new(at.ns.saturating_add(ns), at.part);
                borders.push(later(one.from, component.rise.0.max(0)));
                borders.extend(one.until.map(|until| later(until, -component.fall.0.max(0))));
            }
            Change::Flicker { modulation: Modulation::Rectangle, hz, .. } => {
                let until = one.until.ok_or(TerminalError::Endless)?;
                let changes = until.seconds_since(one.from) * 2.0 * hz;
                if !changes.is_finite() || borders.len() as f64 + changes > PIECES_MAX as f64 {
                    return Err(TerminalError::TooMany { most: PIECES_MAX });
                }
                let at = |k: i64| one.from.plus_cycles(k, 2.0 * hz);
                borders.extend((1..=changes as i64).map(at).filter(|at| *at < until));
            }
            _ => {}
        }
    }
    borders.retain(|at| *at >= Instant::default());
    borders.sort_by(|a, b| a.ns.cmp(&b.ns).then(a.part.total_cmp(&b.part)));
    borders.dedup();
    if borders.len() > PIECES_MAX {
        return Err(TerminalError::TooMany { most: PIECES_MAX });
    }
    Ok(borders)
}

impl Composer<'_> {
    fn wave(&self, laws: &[ClosedForm]) -> Result<Wave, TerminalError> {
        if let Some(channel) = laws.iter().position(|law| !law.is_finite()) {
            return Err(TerminalError::NotFinite { channel });
        }
        let is_moving =
            self.segment.slope_hz_per_s != 0.0 || laws.iter().any(ClosedForm::is_moving);
        if is_moving {
            return Ok(Wave::Moving(SegmentForms::new(self.segment, laws.to_vec(), self.from)));
        }
        let spectra: Vec<_> = laws.iter().map(|law| law.spectra(&self.segment)).collect();
        let joined = |(inner, added): &(ChannelSpectrum, ChannelSpectrum)| ChannelSpectrum {
            dc: inner.dc + added.dc,
            tones: inner.tones.clone(),
            noise_rms: added.noise_rms,
        };
        let (voltages, currents) = spectra.split_at(spectra.len() / 2);
        let spectrum = Spectrum {
            fundamental_hz: self.segment.frequency_hz,
            voltages: voltages.iter().map(joined).collect(),
            currents: currents.iter().map(joined).collect(),
        };
        let gates: Vec<&[_]> = laws.iter().map(|law| &law.gates[..]).collect();
        let cycle = Cycle::new(self.segment.from, self.segment.frequency_hz, &gates);
        let made = match cycle {
            None => Stationary::new(spectrum)?,
            Some(cycle) => {
                let inner: Vec<ChannelSpectrum> =
                    spectra.into_iter().map(|(inner, _)| inner).collect();
                Stationary::gated(spectrum, &inner, cycle)?
            }
        };
        Ok(Wave::Stationary(made))
    }
}
