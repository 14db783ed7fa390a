//! The pieces of a timeline, and the groups of them whose energy is netted.

use std::sync::{Arc, Mutex, PoisonError};

use lastmeter_units::SimDuration;

use crate::energy::{Energies, NETTED_S};
use crate::instant::Instant;
use crate::means::{PhaseHarmonics, SpanMeans};
use crate::moving::SegmentForms;
use crate::quality::{Orders, Quality};
use crate::sampled::Sampled;
use crate::spectrum::{Spectrum, TerminalError};
use crate::stationary::Stationary;
use crate::track::Line;

/// One waveform from an instant until the next piece begins.
#[derive(Clone, Debug)]
pub(crate) struct Piece {
    pub(crate) from: Instant,
    pub(crate) wave: Arc<Wave>,
}

impl Piece {
    /// A spectrum from the scenario's start on.
    pub(crate) fn of_spectrum(spectrum: Spectrum) -> Result<Self, TerminalError> {
        let wave = Arc::new(Wave::Stationary(Stationary::new(spectrum)?));
        Ok(Self { from: Instant::default(), wave })
    }
}

#[derive(Debug)]
pub(crate) enum Wave {
    /// Tones that do not change, whole or cut.
    Stationary(Stationary),
    /// Something moves.
    Moving(SegmentForms),
    /// A computed waveform in place of the tones.
    Sampled(Sampled),
}

impl Wave {
    pub(super) fn noise_rms(&self) -> Vec<f64> {
        match self {
            Self::Stationary(stationary) => stationary.noise_rms().collect(),
            Self::Moving(moving) => moving.noise_rms().collect(),
            // An excerpt is played as it was computed.
            Self::Sampled(sampled) => vec![0.0; 2 * sampled.phases()],
        }
    }

    pub(super) fn render(&self, first_sample: u64, rate_hz: f64, channels: &mut [&mut [f64]]) {
        match self {
            Self::Stationary(stationary) => stationary.render(first_sample, rate_hz, channels),
            Self::Moving(moving) => moving.render(first_sample, rate_hz, channels),
            Self::Sampled(sampled) => sampled.render(first_sample, rate_hz, channels),
        }
    }

    pub(super) fn means(&self, from: Instant, to: Instant) -> Vec<SpanMeans> {
        match self {
            Self::Stationary(stationary) => {
                let (phases, harmonics) = (stationary.means(from, to), stationary.harmonics());
                SpanMeans::of_steady(phases, harmonics, stationary.fundamental_hz())
            }
            Self::Moving(moving) => moving.means(from, to),
            Self::Sampled(sampled) => sampled.means(from, to),
        }
    }

    pub(super) fn spectrum(&self) -> Option<&Arc<Spectrum>> {
        match self {
            Self::Stationary(stationary) => stationary.spectrum(),
            Self::Moving(_) | Self::Sampled(_) => None,
        }
    }

    /// Whether tones stand for it at every instant.
    pub(super) fn is_tones(&self) -> bool {
        self.spectrum().is_some() || matches!(self, Self::Sampled(_))
    }

    /// The tones at an instant, and when others follow within it; `None` where there are none.
    pub(super) fn tones(&self, at: SimDuration) -> Option<(Arc<Spectrum>, Option<SimDuration>)> {
        match self {
            Self::Sampled(sampled) => Some(sampled.spectrum_at(at)),
            Self::Stationary(_) | Self::Moving(_) => Some((Arc::clone(self.spectrum()?), None)),
        }
    }

    /// The course of the fundamental's frequency.
    pub(crate) fn frequency(&self) -> Line {
        match self {
            Self::Moving(moving) => moving.frequency(),
            Self::Stationary(_) | Self::Sampled(_) => {
                Line { since: Instant::default(), value: self.fundamental_hz(), per_s: 0.0 }
            }
        }
    }

    /// Where the interval ends within which energy is netted, of those that begin at an instant;
    /// `None` where it is the whole piece.
    pub(super) fn netted_until(&self, at: Instant) -> Option<Instant> {
        match self {
            Self::Stationary(_) => None,
            Self::Moving(moving) => Some(moving.after_whole_cycles(at, NETTED_S)),
            Self::Sampled(sampled) => Some(sampled.after_whole_cycles(at, NETTED_S)),
        }
    }

    pub(super) fn harmonics(&self, at: Instant) -> Vec<PhaseHarmonics> {
        match self {
            Self::Stationary(stationary) => stationary.harmonics().to_vec(),
            Self::Moving(moving) => moving.harmonics(at),
            Self::Sampled(sampled) => sampled.harmonics(),
        }
    }

    pub(super) fn quality(&self) -> Quality {
        match self {
            Self::Stationary(stationary) => stationary.quality(),
            // What moves, or was computed, has other fundamentals at every instant.
            Self::Moving(_) | Self::Sampled(_) => {
                let channels = vec![Orders::UNKNOWN; 2 * self.phases()];
                Quality { channels, negative: f64::NAN, zero: f64::NAN }
            }
        }
    }

    pub(super) fn phases(&self) -> usize {
        match self {
            Self::Stationary(stationary) => stationary.phases(),
            Self::Moving(moving) => moving.phases(),
            Self::Sampled(sampled) => sampled.phases(),
        }
    }

    pub(super) fn fundamental_hz(&self) -> f64 {
        match self {
            Self::Stationary(stationary) => stationary.fundamental_hz(),
            Self::Moving(moving) => moving.fundamental_hz(),
            Self::Sampled(sampled) => sampled.fundamental_hz(),
        }
    }
}

/// Where groups begin, and what they hold.
#[derive(Debug)]
pub(super) struct Registers {
    /// The first piece of each group.
    pub(super) groups: Vec<usize>,
    /// Energies from zero to the end of each of the first groups, as far as asked for.
    pub(super) kept: Mutex<Vec<Energies>>,
}

impl Registers {
    pub(super) fn new(pieces: &[Piece]) -> Self {
        let mut groups: Vec<usize> = Vec::new();
        for (index, piece) in pieces.iter().enumerate() {
            let is_full = |group: &usize| {
                piece.from.seconds_since(pieces[*group].from) >= NETTED_S
                    || is_long_movement(pieces, index)
            };
            if groups.last().is_none_or(is_full) {
                groups.push(index);
            }
        }
        Self { groups, kept: Mutex::new(Vec::new()) }
    }

    /// Takes the groups of other pieces, of which the first so many are the same.
    pub(super) fn replace_with(&mut self, other: Self, pieces: usize) {
        let pairs = self.groups.iter().zip(&other.groups);
        let same = pairs.take_while(|(own, new)| own == new && **own < pieces).count();
        // What is kept of a group reaches to where the next one begins.
        let kept = self.kept.get_mut().unwrap_or_else(PoisonError::into_inner);
        kept.truncate(same.saturating_sub(1));
        self.groups = other.groups;
    }
}

/// Whether something moves, or an excerpt is played, for longer than an interval in a piece.
pub(super) fn is_long_movement(pieces: &[Piece], index: usize) -> bool {
    let until = pieces.get(index + 1).map(|next| next.from);
    let is_long = until.is_none_or(|until| until.seconds_since(pieces[index].from) > NETTED_S);
    is_long && !matches!(*pieces[index].wave, Wave::Stationary(_))
}
