//! Everything that will happen at a terminal, written down before it is built.
//!
//! Terms: a *stage* is what a source carries undisturbed from an instant on: an operating point,
//! or the one spectrum it has forever. A *line* is a tone of a stage, which either keeps to a
//! multiple of the fundamental's angle (its order), or has a frequency of its own.

mod channel;
mod compose;
mod excerpts;

use std::f64::consts::TAU;
use std::sync::Arc;

use lastmeter_units::SimDuration;

use crate::disturbance::{Change, Disturbance, Modulation, Phases};
use crate::excerpt::Excerpt;
use crate::instant::Instant;
use crate::law::{Line, Place};
use crate::plan::{
    Harmonic, OperatingPoint, PhaseSequence, REFERENCE_CELSIUS, VoltageModulation, WaveShape,
};
use crate::quality::ORDER_TOLERANCE;
use crate::spectrum::{ChannelSpectrum, Spectrum, TerminalError};

/// The voltage or the current of one phase in a stage.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Channel {
    pub(crate) lines: Vec<Line>,
    pub(crate) dc: f64,
    pub(crate) noise_rms: f64,
}

/// What the source carries undisturbed, from an instant on.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Stage {
    pub(crate) from: SimDuration,
    pub(crate) frequency_hz: f64,
    pub(crate) voltages: Vec<Channel>,
    pub(crate) currents: Vec<Channel>,
    pub(crate) shape: WaveShape,
    pub(crate) celsius: f64,
}

/// What a source carries over time, from which a [`crate::Terminal`] is built.
#[derive(Clone, Debug, PartialEq)]
pub struct Program {
    stages: Vec<Stage>,
    disturbances: Vec<Disturbance>,
    /// The spectrum it was made from: undisturbed it is carried to the last bit.
    spectrum: Option<Spectrum>,
    /// What is played in place of the tones, in order of time.
    excerpts: Vec<Arc<Excerpt>>,
}

impl Program {
    /// A spectrum that is carried forever. Its tones at multiples of the fundamental follow the
    /// fundamental where its frequency changes, the others stay.
    pub fn from_spectrum(spectrum: Spectrum) -> Self {
        let channels = |spectra: &[ChannelSpectrum]| {
            spectra.iter().map(|s| Channel::of_spectrum(s, spectrum.fundamental_hz)).collect()
        };
        let stage = Stage {
            from: SimDuration::ZERO,
            frequency_hz: spectrum.fundamental_hz,
            voltages: channels(&spectrum.voltages),
            currents: channels(&spectrum.currents),
            shape: WaveShape::Sine,
            celsius: REFERENCE_CELSIUS,
        };
        Self {
            stages: vec![stage],
            disturbances: Vec::new(),
            spectrum: Some(spectrum),
            excerpts: Vec::new(),
        }
    }

    /// Operating points one after another, the first from the scenario's start on, the last for
    /// ever. The angle of the fundamental never jumps.
    pub fn from_points(points: &[OperatingPoint]) -> Result<Self, TerminalError> {
        let mut stages: Vec<Stage> = Vec::with_capacity(points.len());
        let mut from = SimDuration::ZERO;
        let mut disturbances = Vec::new();
        for point in points {
            stages.push(Stage::of_point(point, from)?);
            if let Some(modulation) = &point.voltage_modulation {
                disturbances.push(modulated(modulation, from, point.duration));
            }
            from = SimDuration(from.0.saturating_add(point.duration.0.max(0)));
        }
        let first = stages.first().ok_or(TerminalError::Empty)?.voltages.len();
        if let Some(other) = stages.iter().find(|stage| stage.voltages.len() != first) {
            let later = other.voltages.len();
            return Err(TerminalError::PhasesDiffer { first, later });
        }
        Ok(Self { stages, disturbances, spectrum: None, excerpts: Vec::new() })
    }

    /// Gives the currents of the last operating point another shape.
    pub fn set_shape(&mut self, shape: WaveShape) {
        if let Some(stage) = self.stages.last_mut() {
            stage.shape = shape;
            self.spectrum = None;
        }
    }

    /// Lets something happen; of several things at one instant in the order they were added.
    pub fn disturb(&mut self, disturbance: Disturbance) {
        self.disturbances.push(disturbance);
    }

    /// One or three.
    pub fn phases(&self) -> usize {
        self.stages.first().map_or(0, |stage| stage.voltages.len())
    }

    /// What happens, in order of time.
    fn in_order(&self) -> impl Iterator<Item = &Disturbance> {
        let mut order: Vec<&Disturbance> = self.disturbances.iter().collect();
        order.sort_by_key(|disturbance| disturbance.at);
        order.into_iter()
    }

    fn stage_at(&self, at: Instant) -> &Stage {
        let later = self.stages.partition_point(|stage| Instant::from(stage.from) <= at);
        &self.stages[later.saturating_sub(1)]
    }
}

fn modulated(of: &VoltageModulation, at: SimDuration, length: SimDuration) -> Disturbance {
    let change = Change::Flicker {
        phases: Phases::ALL,
        modulation: Modulation::Rectangle,
        depth: of.depth,
        // Two changes are a period.
        hz: of.changes_per_minute / 120.0,
    };
    Disturbance { at, length: Some(length), change }
}

impl Channel {
    fn of_spectrum(spectrum: &ChannelSpectrum, fundamental_hz: f64) -> Self {
        let lines = spectrum.tones.iter().map(|tone| {
            let order = (tone.frequency_hz / fundamental_hz).round();
            let off_hz = (tone.frequency_hz - order * fundamental_hz).abs();
            let is_harmonic = order >= 1.0 && off_hz <= ORDER_TOLERANCE * tone.frequency_hz;
            let place = if is_harmonic {
                Place::Order(order as u32)
            } else {
                Place::Hertz(tone.frequency_hz)
            };
            Line { place, rms: tone.rms, turns: tone.phase_rad / TAU }
        });
        Self { lines: lines.collect(), dc: spectrum.dc, noise_rms: spectrum.noise_rms }
    }

    /// RMS value and angle in turns of the line at the fundamental.
    fn fundamental(&self) -> Option<(f64, f64)> {
        let line = self.lines.iter().find(|line| line.place == Place::Order(1))?;
        Some((line.rms, line.turns))
    }

    /// A channel by its fundamental, whose sine begins at `turns` of the reference angle.
    fn of_harmonics(rms: f64, turns: f64, harmonics: &[Harmonic]) -> Self {
        let line = |order: u32, rms: f64, angle_rad: f64| {
            // sin x = cos(x - a quarter turn)
            let sum = f64::from(order) * turns + angle_rad / TAU - 0.25;
            Line { place: Place::Order(order), rms, turns: sum - sum.round() }
        };
        let harmonics = harmonics.iter().filter(|harmonic| harmonic.share != 0.0);
        let harmonics = harmonics.map(|h| line(h.order, rms * h.share, h.angle_rad));
        let lines = std::iter::once(line(1, rms, 0.0)).chain(harmonics).collect();
        Self { lines, ..Self::default() }
    }
}

impl Stage {
    fn of_point(point: &OperatingPoint, from: SimDuration) -> Result<Self, TerminalError> {
        let phases = point.voltages_v.len();
        let is_whole = |list: &[f64]| list.len() == phases;
        let leads = &point.voltage_leads_rad;
        if !is_whole(&point.currents_a)
            || !is_whole(&point.current_lags_rad)
            || !(leads.is_empty() || is_whole(leads))
        {
            let currents = point.currents_a.len().min(point.current_lags_rad.len());
            return Err(TerminalError::Phases { voltages: phases, currents });
        }
        let step = match point.sequence {
            PhaseSequence::Positive => -1.0 / 3.0,
            PhaseSequence::Negative => 1.0 / 3.0,
        };
        let angle = |phase: usize| {
            step * phase as f64 + leads.get(phase).copied().unwrap_or_default() / TAU
        };
        let voltage = |phase: usize| Channel {
            dc: point.voltage_dc_v,
            noise_rms: point.voltage_noise_v,
            ..Channel::of_harmonics(point.voltages_v[phase], angle(phase), &point.voltage_harmonics)
        };
        let current = |phase: usize| Channel {
            dc: point.current_dc_a,
            noise_rms: point.current_noise_a,
            ..Channel::of_harmonics(
                point.currents_a[phase],
                angle(phase) - point.current_lags_rad[phase] / TAU,
                &point.current_harmonics,
            )
        };
        Ok(Self {
            from,
            frequency_hz: point.frequency_hz,
            voltages: (0..phases).map(voltage).collect(),
            currents: (0..phases).map(current).collect(),
            shape: point.current_shape,
            celsius: point.temperature_celsius,
        })
    }
}
