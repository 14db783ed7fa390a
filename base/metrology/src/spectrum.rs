//! The lines of a recording, to be played back: order, RMS and phase per channel.
//!
//! Over the largest whole number of cycles, so a line falls on every multiple of the fundamental
//! and, between them, on every fraction of it by the number of cycles. All lines of a channel
//! together with its direct component have the recording's RMS (Parseval), and the lines of a
//! voltage and its current have its power, up to the highest order and down to the threshold.

use crate::acquire::acquire;
use crate::harmonics::Transform;
use crate::numeric::degrees;
use crate::recording::{AnalysisError, AnalysisInput};
use crate::resample::kernel::{Kernel, REACH, repeat};
use crate::window::Phasor;

/// Samples the interpolator and the edges reach beyond the stretch.
const MARGIN: usize = REACH + 1;

/// What lines to keep.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SpectrumOptions {
    /// Lines above this order are left out; at least 1.
    pub highest_order: f64,
    /// Lines below this part of the channel's largest line are left out, 0..1.
    pub threshold: f64,
    /// Whether to keep lines between the harmonics.
    pub interharmonics: bool,
    /// The line frequency the recording itself states: an opinion.
    pub stated_hz: Option<f64>,
}

impl Default for SpectrumOptions {
    fn default() -> Self {
        Self { highest_order: 50.0, threshold: 1e-4, interharmonics: true, stated_hz: None }
    }
}

/// The lines of all channels.
#[derive(Clone, Debug, PartialEq)]
pub struct Spectrum {
    /// The fundamental in Hz.
    pub fundamental_hz: f64,
    /// Whole cycles the lines were taken over.
    pub cycles: u64,
    /// One per voltage.
    pub voltages: Vec<SpectrumChannel>,
    /// One per current.
    pub currents: Vec<SpectrumChannel>,
}

/// The lines of one channel, by ascending order.
#[derive(Clone, Debug, PartialEq)]
pub struct SpectrumChannel {
    /// Name of the phase.
    pub phase: String,
    /// Direct component in V or A, with its sign; no line.
    pub dc: f64,
    /// The spectral lines, by ascending order.
    pub lines: Vec<SpectrumLine>,
}

/// A spectral line of one channel.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SpectrumLine {
    /// Multiple of the fundamental; broken between harmonics.
    pub order: f64,
    /// RMS in V or A.
    pub rms: f64,
    /// Phase in degrees, -180..=180, in the cosine convention with t = 0 at a positive peak of the
    /// first voltage's fundamental: x(t) = sum of sqrt(2) rms cos(2 pi order f t + phase).
    pub phase_deg: f64,
}

/// Takes the lines of a recording.
///
/// # Errors
/// As [`analyse`](crate::analyse); also for options out of their range.
pub fn spectrum(
    input: &AnalysisInput<'_>,
    options: &SpectrumOptions,
) -> Result<Spectrum, AnalysisError> {
    input.check()?;
    check(options)?;
    let acquired = acquire(input, options.stated_hz)?;
    let length = acquired.cycles as f64 * input.rate_hz / acquired.frequency_hz;
    let lines_per_order = acquired.cycles as usize;
    let highest = (options.highest_order * acquired.cycles as f64).floor();
    let highest = (highest.min(input.samples() as f64)) as usize;
    let kernel = Kernel::full_band();
    let mut transform = Transform::full_band(length);
    let padded: Vec<Vec<f64>> = input.channels().map(|(_, x)| pad(kernel, x, length)).collect();
    let slices: Vec<&[f64]> = padded.iter().map(Vec::as_slice).collect();
    let start = MARGIN as f64;
    let bins = transform.bins(&slices, (start, length), highest);
    let turn = bins[acquired.channel].get(lines_per_order).map_or(0.0, |b| b.phase_rad());
    let channels: Vec<SpectrumChannel> = bins
        .iter()
        .enumerate()
        .map(|(k, bins)| {
            let phase = k.checked_sub(input.voltages.len()).unwrap_or(k);
            channel(input.names[phase].clone(), bins, (turn, lines_per_order), options)
        })
        .collect();
    let (voltages, currents) = channels.split_at(input.voltages.len());
    Ok(Spectrum {
        fundamental_hz: acquired.frequency_hz,
        cycles: acquired.cycles,
        voltages: voltages.to_vec(),
        currents: currents.to_vec(),
    })
}

fn check(options: &SpectrumOptions) -> Result<(), AnalysisError> {
    let SpectrumOptions { highest_order, threshold, .. } = *options;
    if !(highest_order.is_finite() && highest_order >= 1.0) {
        let expected = "1 or more";
        return Err(AnalysisError::Option {
            what: "highest order",
            found: highest_order,
            expected,
        });
    }
    if !(0.0..1.0).contains(&threshold) {
        let expected = "0 or more and below 1";
        return Err(AnalysisError::Option { what: "threshold", found: threshold, expected });
    }
    Ok(())
}

/// The samples with [`MARGIN`] more on either side, repeated from one period away.
fn pad(kernel: &Kernel, samples: &[f64], length: f64) -> Vec<f64> {
    let back = (length.ceil() as usize + MARGIN).saturating_sub(samples.len());
    let mut padded = vec![0.0; MARGIN];
    padded.extend_from_slice(samples);
    repeat(kernel, &mut padded, MARGIN, back, length);
    padded
}

/// The lines of one channel that are to be kept.
fn channel(
    phase: String,
    bins: &[Phasor],
    (turn, lines_per_order): (f64, usize),
    options: &SpectrumOptions,
) -> SpectrumChannel {
    let dc = bins.first().map_or(0.0, |bin| bin.re);
    let largest = bins.iter().skip(1).map(|bin| bin.rms()).fold(0.0, f64::max);
    let mut lines = Vec::new();
    for (m, bin) in bins.iter().enumerate().skip(1) {
        let rms = bin.rms();
        let between = m % lines_per_order != 0;
        if rms <= 0.0 || rms < options.threshold * largest || (between && !options.interharmonics) {
            continue;
        }
        let order = m as f64 / lines_per_order as f64;
        let phase_deg = degrees(bin.phase_rad() - order * turn);
        lines.push(SpectrumLine { order, rms, phase_deg });
    }
    SpectrumChannel { phase, dc, lines }
}
