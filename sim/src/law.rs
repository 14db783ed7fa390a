//! What a channel carries while nothing begins or ends: lines, gates, factors and what is added.

use std::f64::consts::{FRAC_1_SQRT_2, SQRT_2, TAU};

use num_complex::Complex64;

use crate::clock::Segment;
use crate::gate::Gate;
use crate::instant::Instant;
use crate::phase::cis;
use crate::spectrum::{ChannelSpectrum, Tone};
use crate::track;

/// Where in the spectrum a line is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Place {
    /// A multiple of the fundamental, which it follows.
    Order(u32),
    /// A frequency of its own, in hertz.
    Hertz(f64),
}

/// One tone of a stage.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Line {
    pub(crate) place: Place,
    pub(crate) rms: f64,
    /// Angle of the cosine in turns: beside the fundamental's angle times the order, or at the
    /// scenario's start.
    pub(crate) turns: f64,
}

/// Something that multiplies.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Factor {
    /// Constant, or along a straight line.
    Line(track::Line),
    /// `1 + half_depth cos(2 pi (f t + turns))`.
    Swing { half_depth: f64, hz: f64, turns: f64 },
}

impl Factor {
    pub(crate) fn constant(value: f64) -> Self {
        Self::Line(track::Line { since: Instant::default(), value, per_s: 0.0 })
    }

    pub(crate) fn at(&self, at: Instant) -> f64 {
        match self {
            Self::Line(line) => line.at(at),
            Self::Swing { half_depth, hz, turns } => {
                let turned = at.turns_since(Instant::default(), *hz) + turns;
                1.0 + half_depth * libm::cos(TAU * turned)
            }
        }
    }

    /// What it leaves of the fundamental: a swing makes side bands, which are not counted.
    fn of_fundamental(&self, at: Instant) -> f64 {
        match self {
            Self::Line(line) => line.at(at),
            Self::Swing { .. } => 1.0,
        }
    }

    fn is_moving(&self) -> bool {
        matches!(self, Self::Line(line) if line.per_s != 0.0)
    }
}

/// The product of several factors at an instant.
pub(crate) fn product(factors: &[Factor], at: Instant) -> f64 {
    factors.iter().map(|factor| factor.at(at)).product()
}

/// A line with the factors of its own.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct ClosedFormLine {
    pub(crate) line: Line,
    pub(crate) factors: Vec<Factor>,
}

/// An oscillation that dies away.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Ring {
    pub(crate) since: Instant,
    pub(crate) peak: f64,
    pub(crate) hz: f64,
    pub(crate) decay_s: f64,
}

impl Ring {
    pub(crate) fn at(&self, at: Instant) -> f64 {
        let turned = at.turns_since(self.since, self.hz);
        let decayed = libm::exp(-at.seconds_since(self.since) / self.decay_s);
        self.peak * decayed * libm::sin(TAU * turned)
    }
}

/// The law of one channel.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct ClosedForm {
    pub(crate) lines: Vec<ClosedFormLine>,
    pub(crate) dc: f64,
    pub(crate) gates: Vec<Gate>,
    pub(crate) factors: Vec<Factor>,
    /// By how many turns of the fundamental the wave is ahead, where that changes.
    pub(crate) shift: Option<track::Line>,
    /// The direct component that nothing else reaches.
    pub(crate) added_dc: f64,
    pub(crate) rings: Vec<Ring>,
    pub(crate) noise_rms: f64,
}

impl ClosedForm {
    /// Whether anything changes otherwise than tones and gates do.
    pub(crate) fn is_moving(&self) -> bool {
        self.shift.is_some()
            || !self.rings.is_empty()
            || self.factors.iter().any(Factor::is_moving)
            || self.lines.iter().flat_map(|line| &line.factors).any(Factor::is_moving)
    }

    /// All numbers in it that have to be finite.
    pub(crate) fn is_finite(&self) -> bool {
        let factor = |factor: &Factor| match factor {
            Factor::Line(line) => line.value.is_finite() && line.per_s.is_finite(),
            Factor::Swing { half_depth, hz, turns } => {
                half_depth.is_finite() && hz.is_finite() && turns.is_finite()
            }
        };
        let line = |line: &ClosedFormLine| {
            let place = match line.line.place {
                Place::Order(_) => true,
                Place::Hertz(hz) => hz.is_finite(),
            };
            place
                && line.line.rms.is_finite()
                && line.line.turns.is_finite()
                && line.factors.iter().all(factor)
        };
        let ring =
            |ring: &Ring| ring.peak.is_finite() && ring.hz.is_finite() && ring.decay_s.is_finite();
        let gate = |gate: &Gate| {
            let cut = |cut: &crate::gate::Cut| {
                cut.from.is_finite() && cut.to.is_finite() && cut.factor.is_finite()
            };
            gate.offset.is_finite() && gate.cuts.iter().all(cut)
        };
        self.lines.iter().all(line)
            && self.factors.iter().all(factor)
            && self.rings.iter().all(ring)
            && self.gates.iter().all(gate)
            && [self.dc, self.added_dc, self.noise_rms].iter().all(|value| value.is_finite())
            && self.shift.is_none_or(|shift| shift.value.is_finite() && shift.per_s.is_finite())
    }

    /// The RMS phasor of the fundamental, its angle beside that of the clock.
    pub(crate) fn fundamental(&self, at: Instant) -> Complex64 {
        let common: f64 = self.factors.iter().map(|factor| factor.of_fundamental(at)).product();
        let lines = self.lines.iter().filter(|line| line.line.place == Place::Order(1));
        lines
            .map(|line| {
                let own: f64 =
                    line.factors.iter().map(|factor| factor.of_fundamental(at)).product();
                cis(TAU * line.line.turns) * (line.line.rms * own * common)
            })
            .sum()
    }

    /// The highest frequency in it, in hertz.
    pub(crate) fn top_hz(&self, fundamental_hz: f64) -> f64 {
        let swings = |factors: &[Factor]| -> f64 {
            let hz = |factor: &Factor| match factor {
                Factor::Swing { hz, .. } => *hz,
                Factor::Line(_) => 0.0,
            };
            factors.iter().map(hz).sum()
        };
        let shift_hz = self.shift.map_or(0.0, |shift| shift.per_s.abs());
        let lines = self.lines.iter().map(|line| {
            let own_hz = match line.line.place {
                Place::Order(order) => f64::from(order) * (fundamental_hz + shift_hz),
                Place::Hertz(hz) => hz * (1.0 + shift_hz / fundamental_hz),
            };
            own_hz + swings(&line.factors)
        });
        let rings = self.rings.iter().map(|ring| ring.hz + 1.0 / ring.decay_s);
        lines.chain(rings).fold(0.0, f64::max) + swings(&self.factors)
    }

    /// What the gates reach, and what nothing reaches, as tones; nothing may be moving.
    pub(crate) fn spectra(&self, segment: &Segment) -> (ChannelSpectrum, ChannelSpectrum) {
        let mut tones = Vec::new();
        for ClosedFormLine { line, factors } in &self.lines {
            let (frequency_hz, turns) = match line.place {
                Place::Order(order) => {
                    let order = f64::from(order);
                    let frequency_hz = order * segment.frequency_hz;
                    let there = order * segment.turns + line.turns;
                    (frequency_hz, segment.at_start(frequency_hz, there))
                }
                Place::Hertz(frequency_hz) => (frequency_hz, line.turns),
            };
            let tone = Tone { frequency_hz, rms: line.rms, phase_rad: TAU * turns };
            tones.extend(multiplied(vec![tone], factors));
        }
        let direct = Tone { frequency_hz: 0.0, rms: self.dc * FRAC_1_SQRT_2, phase_rad: 0.0 };
        if self.dc != 0.0 {
            tones.push(direct);
        }
        let mut inner = ChannelSpectrum::default();
        for tone in multiplied(tones, &self.factors) {
            if tone.frequency_hz == 0.0 {
                inner.dc += SQRT_2 * tone.rms * libm::cos(tone.phase_rad);
            } else {
                inner.tones.push(tone);
            }
        }
        let added = ChannelSpectrum {
            dc: self.added_dc,
            noise_rms: self.noise_rms,
            ..ChannelSpectrum::default()
        };
        (inner, added)
    }
}

/// Tones times factors that are constant or swing.
fn multiplied(tones: Vec<Tone>, factors: &[Factor]) -> Vec<Tone> {
    let mut tones = tones;
    for factor in factors {
        match *factor {
            Factor::Line(line) => tones.iter_mut().for_each(|tone| tone.rms *= line.value),
            Factor::Swing { half_depth, hz, turns } => {
                let bands: Vec<Tone> = tones
                    .iter()
                    .flat_map(|tone| {
                        let rms = 0.5 * half_depth * tone.rms;
                        // Two cosines make one of the sum and one of the difference; those of a
                        // direct component are both of the swing's own frequency.
                        let band = |sign: f64| {
                            let frequency_hz = tone.frequency_hz + sign * hz;
                            let phase_rad = tone.phase_rad + sign * TAU * turns;
                            let flip = if frequency_hz < 0.0 { -1.0 } else { 1.0 };
                            Tone {
                                frequency_hz: flip * frequency_hz,
                                rms,
                                phase_rad: flip * phase_rad,
                            }
                        };
                        [band(1.0), band(-1.0)]
                    })
                    .collect();
                tones.extend(bands);
            }
        }
    }
    tones
}
