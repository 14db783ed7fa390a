//! A waveform of tones and noise that never change.

use std::sync::{Arc, OnceLock};

use num_complex::Complex64;

use crate::closed_form::{SpanWeights, mean_product};
use crate::instant::Instant;
use crate::spectrum::{ChannelSpectrum, Spectrum};
use crate::terminal::TerminalError;
use crate::tones::ToneBank;
use crate::truth::{PhaseHarmonics, PhaseMeans};

/// Highest order that counts for THD (IEC 61000-4-7).
pub(crate) const ORDER_MAX: u32 = 50;

/// How far, relative to itself, a tone may lie from a multiple of the fundamental to count as its
/// harmonic: far more than rounding, far less than any interharmonic meant as such.
pub(crate) const ORDER_TOLERANCE: f64 = 1e-9;

/// Tones and noise of one or three phases.
#[derive(Debug)]
pub(crate) struct Stationary {
    spectrum: Arc<Spectrum>,
    /// Voltages, then currents.
    bank: ToneBank,
    harmonics: OnceLock<Vec<PhaseHarmonics>>,
}

impl Stationary {
    pub(crate) fn new(spectrum: Spectrum) -> Result<Self, TerminalError> {
        check(&spectrum)?;
        let bank = ToneBank::new(spectrum.voltages.iter().chain(&spectrum.currents));
        Ok(Self { spectrum: Arc::new(spectrum), bank, harmonics: OnceLock::new() })
    }

    pub(crate) fn spectrum(&self) -> &Arc<Spectrum> {
        &self.spectrum
    }

    /// RMS value of the noise of each channel, voltages first.
    pub(crate) fn noise_rms(&self) -> impl Iterator<Item = f64> {
        self.spectrum.voltages.iter().chain(&self.spectrum.currents).map(|c| c.noise_rms)
    }

    pub(crate) fn harmonics(&self) -> &[PhaseHarmonics] {
        self.harmonics.get_or_init(|| {
            let (fundamental_hz, phases) =
                (self.spectrum.fundamental_hz, self.spectrum.voltages.len());
            let channel = |number: usize| {
                let (frequencies_hz, phasors) =
                    (&self.bank.frequencies_hz, &self.bank.channels[number]);
                fundamental_and_thd(frequencies_hz, phasors, fundamental_hz)
            };
            (0..phases)
                .map(|phase| {
                    let (u1, thd_u) = channel(phase);
                    let (i1, thd_i) = channel(phases + phase);
                    PhaseHarmonics { u1, i1, thd_u, thd_i }
                })
                .collect()
        })
    }

    /// Writes the samples without their noise.
    pub(crate) fn render(&self, first_sample: u64, rate_hz: f64, channels: &mut [&mut [f64]]) {
        self.bank.render(first_sample, rate_hz, channels);
    }

    pub(crate) fn means(&self, from: Instant, to: Instant) -> Vec<PhaseMeans> {
        let weights = SpanWeights::between(&self.bank.frequencies_hz, from, to);
        let (voltages, currents) = self.bank.channels.split_at(self.spectrum.voltages.len());
        let noise = self.spectrum.voltages.iter().zip(&self.spectrum.currents);
        let phases = voltages.iter().zip(currents).zip(noise);
        phases
            .map(|((voltage, current), (voltage_noise, current_noise))| {
                let (u, i) = (weights.at_middle(voltage), weights.at_middle(current));
                let weighted_current = weights.weighted(&i);
                PhaseMeans {
                    u2: mean_product(&u, &weights.weighted(&u)) + voltage_noise.noise_rms.powi(2),
                    i2: mean_product(&i, &weighted_current) + current_noise.noise_rms.powi(2),
                    ui: mean_product(&u, &weighted_current),
                }
            })
            .collect()
    }
}

fn check(spectrum: &Spectrum) -> Result<(), TerminalError> {
    let (voltages, currents) = (spectrum.voltages.len(), spectrum.currents.len());
    if voltages != currents || !matches!(voltages, 1 | 3) {
        return Err(TerminalError::Phases { voltages, currents });
    }
    let fundamental_hz = spectrum.fundamental_hz;
    if !(fundamental_hz.is_finite() && fundamental_hz > 0.0) {
        return Err(TerminalError::Fundamental(fundamental_hz));
    }
    let finite = |channel: &ChannelSpectrum| {
        let tones = channel.tones.iter();
        tones.flat_map(|tone| [tone.frequency_hz, tone.rms, tone.phase_rad]).all(f64::is_finite)
            && channel.dc.is_finite()
            && channel.noise_rms.is_finite()
    };
    let mut channels = spectrum.voltages.iter().chain(&spectrum.currents);
    match channels.position(|channel| !finite(channel)) {
        Some(channel) => Err(TerminalError::NotFinite { channel }),
        None => Ok(()),
    }
}

/// RMS phasor of the fundamental, and THD of the orders 2 to 50.
fn fundamental_and_thd(
    frequencies_hz: &[f64],
    phasors: &[Complex64],
    fundamental_hz: f64,
) -> (Complex64, f64) {
    let mut fundamental = Complex64::ZERO;
    let mut harmonics_square = 0.0;
    for (frequency_hz, phasor) in frequencies_hz.iter().zip(phasors) {
        let order = (frequency_hz / fundamental_hz).round();
        if (frequency_hz - order * fundamental_hz).abs() > ORDER_TOLERANCE * frequency_hz.abs() {
            continue;
        }
        if order == 1.0 {
            fundamental += phasor * std::f64::consts::FRAC_1_SQRT_2;
        } else if (2.0..=f64::from(ORDER_MAX)).contains(&order) {
            harmonics_square += phasor.norm_sqr() / 2.0;
        }
    }
    (fundamental, harmonics_square.sqrt() / fundamental.norm_sqr().sqrt())
}
