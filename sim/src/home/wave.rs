//! What a tap carries while nothing changes: the supply's voltages, and the sum of currents.

use std::f64::consts::{FRAC_PI_2, PI, TAU};
use std::sync::{Arc, PoisonError};

use num_complex::Complex64;

use super::catalogue::{RATED_V, State};
use super::course::{Course, Level};
use super::{Tap, WiredSocket, Wiring};
use crate::phase::cis;
use crate::quality::ORDER_TOLERANCE;
use crate::spectrum::{ChannelSpectrum, Spectrum, TerminalError, Tone};
use crate::stationary::Stationary;
use crate::timeline::{Piece, Wave};

/// Below this share of its rated voltage an appliance draws nothing.
const WORKS_FROM: f64 = 0.1;

/// What the current of an appliance is relative to that at its rated voltage at most.
const CURRENT_MAX: f64 = 2.0;

impl Wiring {
    /// What a tap carries in a span of the supply, with a level of each of its sockets.
    pub(super) fn wave(
        &self,
        tap: &Tap,
        span: usize,
        levels: Vec<Option<usize>>,
        courses: &[Course],
    ) -> Result<Arc<Wave>, TerminalError> {
        let mut known = tap.known.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (span, levels);
        if let Some(wave) = known.get(&key) {
            return Ok(Arc::clone(wave));
        }
        let spectrum = self.spectrum(tap, span, &key.1, courses);
        let wave = Arc::new(Wave::Stationary(Stationary::new(spectrum)?));
        known.insert(key, Arc::clone(&wave));
        Ok(wave)
    }

    /// The supply's voltages without a current, from the start on.
    pub(super) fn silent(&self, phase: Option<usize>) -> Result<Piece, TerminalError> {
        let mut spectrum = of_phase(&self.supply[0].spectrum, phase);
        spectrum.currents.fill(ChannelSpectrum::default());
        Piece::of_spectrum(spectrum)
    }

    fn spectrum(
        &self,
        tap: &Tap,
        span: usize,
        levels: &[Option<usize>],
        courses: &[Course],
    ) -> Spectrum {
        let supply = &self.supply[span].spectrum;
        let mut made = of_phase(supply, tap.phase);
        for (channel, current) in made.currents.iter_mut().enumerate() {
            let phase = tap.phase.unwrap_or(channel);
            let mut sum = CurrentSum::default();
            if tap.is_supply {
                current.tones.iter().for_each(|tone| sum.add(tone.frequency_hz, phasor(tone)));
            } else {
                *current = ChannelSpectrum::default();
            }
            let fundamental = fundamental(supply, phase);
            for (&number, level) in tap.sockets.iter().zip(levels) {
                let socket = &self.sockets[number];
                if let (Some(level), Some(voltage)) = (level, fundamental)
                    && socket.phase == phase
                {
                    sum.draw(socket, courses[number].levels[*level], voltage);
                }
            }
            current.tones = sum.tones();
        }
        made
    }
}

/// One phase of a spectrum, or all.
fn of_phase(spectrum: &Spectrum, phase: Option<usize>) -> Spectrum {
    let own = |channels: &[ChannelSpectrum]| match phase {
        Some(phase) => vec![channels[phase].clone()],
        None => channels.to_vec(),
    };
    let (voltages, currents) = (own(&spectrum.voltages), own(&spectrum.currents));
    Spectrum { fundamental_hz: spectrum.fundamental_hz, voltages, currents }
}

/// The fundamental of a voltage.
fn fundamental(spectrum: &Spectrum, phase: usize) -> Option<Tone> {
    let hz = spectrum.fundamental_hz;
    let is_it = |tone: &&Tone| (tone.frequency_hz - hz).abs() <= ORDER_TOLERANCE * hz;
    spectrum.voltages[phase].tones.iter().find(is_it).copied()
}

/// RMS value and angle at the start as one number.
fn phasor(tone: &Tone) -> Complex64 {
    cis(tone.phase_rad) * tone.rms
}

/// Currents by their frequencies.
#[derive(Default)]
struct CurrentSum(Vec<(f64, Complex64)>);

impl CurrentSum {
    fn add(&mut self, frequency_hz: f64, phasor: Complex64) {
        match self.0.iter_mut().find(|(known, _)| *known == frequency_hz) {
            Some((_, sum)) => *sum += phasor,
            None => self.0.push((frequency_hz, phasor)),
        }
    }

    /// Adds what an appliance draws at a voltage.
    fn draw(&mut self, socket: &WiredSocket, level: Level, voltage: Tone) {
        let relative = voltage.rms / RATED_V;
        if relative < WORKS_FROM {
            return;
        }
        let State { lag_rad, harmonics, .. } = &socket.appliance.states[level.state];
        let follows = libm::pow(relative, socket.appliance.voltage_exponent - 1.0).min(CURRENT_MAX);
        let rms = level.power_w.abs() / (RATED_V * libm::cos(*lag_rad)) * follows;
        // What feeds back is turned around as a whole; the angle of a sine counts from its zero.
        let turned = if level.power_w < 0.0 { PI } else { 0.0 };
        let angle = voltage.phase_rad + FRAC_PI_2 - lag_rad;
        let mut add = |order: f64, share: f64, angle_rad: f64| {
            let sum = (order * angle + angle_rad + turned - FRAC_PI_2) / TAU;
            let phasor = cis(TAU * (sum - sum.round())) * (rms * share);
            self.add(order * voltage.frequency_hz, phasor);
        };
        add(1.0, 1.0, 0.0);
        for harmonic in harmonics {
            add(f64::from(harmonic.order), harmonic.share, harmonic.angle_rad);
        }
    }

    fn tones(self) -> Vec<Tone> {
        let tone = |(frequency_hz, phasor): (f64, Complex64)| Tone {
            frequency_hz,
            rms: libm::hypot(phasor.re, phasor.im),
            phase_rad: libm::atan2(phasor.im, phasor.re),
        };
        self.0.into_iter().map(tone).collect()
    }
}
