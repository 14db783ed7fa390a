//! A channel's tones as its converter sees them.

use std::f64::consts::SQRT_2;

use lastmeter_sim::ChannelSpectrum;
use num_complex::Complex64;

use crate::front_end::Channel;

/// How far, in parts of a cycle per window, a frequency may be off a zero of the window's response
/// to count as being on it.
pub(super) const ON_GRID: f64 = 1e-7;

/// Orders that make the total harmonic distortion.
pub(super) const ORDER_MAX: usize = 50;

/// Tones by frequency and complex peak amplitude at time zero.
pub(super) type Components = Vec<(f64, Complex64)>;

/// A channel as the converter sees it.
pub(super) struct Converted {
    pub(super) components: Components,
    /// Of what varies at random, from window to window too.
    pub(super) variance: f64,
    pub(super) power: f64,
    /// The source's part of the variance.
    pub(super) source_variance: f64,
    /// What a coarse converter's steps leave beside the components.
    pub(super) left: StepRemainder,
}

/// What a coarse converter's steps leave beside a channel's components, the same in all windows.
#[derive(Clone, Debug, Default)]
pub(super) struct StepRemainder {
    /// Mean square.
    pub(super) square: f64,
    /// Of it, squares of peak amplitudes by order, those that count for the distortion.
    pub(super) by_order: Vec<f64>,
}

impl Converted {
    pub(super) fn new(channel: &ChannelSpectrum, front_end: &Channel) -> Self {
        let direct = front_end.response(0.0).re * channel.dc + front_end.offset();
        let mut components = Vec::with_capacity(channel.tones.len() + 1);
        if direct != 0.0 {
            components.push((0.0, Complex64::from(direct)));
        }
        let tones = channel.tones.iter().filter(|tone| tone.rms != 0.0);
        components.extend(tones.map(|tone| {
            let (sin, cos) = libm::sincos(tone.phase_rad);
            let response = front_end.response(tone.frequency_hz);
            (tone.frequency_hz, Complex64::new(cos, sin) * (SQRT_2 * tone.rms) * response)
        }));
        let source_variance = (front_end.noise_gain() * channel.noise_rms).powi(2);
        let variance = source_variance + front_end.noise_variance();
        let power = components.iter().map(|(_, x)| x.norm_sqr()).sum();
        Self { components, variance, power, source_variance, left: StepRemainder::default() }
    }

    /// Adds a part of another channel.
    pub(super) fn add(&mut self, other: &[(f64, Complex64)], part: f64) {
        for &(frequency_hz, x) in other {
            match self.components.iter_mut().find(|(f, _)| *f == frequency_hz) {
                Some((_, y)) => *y += part * x,
                None => self.components.push((frequency_hz, part * x)),
            }
        }
        self.power = self.components.iter().map(|(_, x)| x.norm_sqr()).sum();
    }

    /// The largest value that is possible, but for one of noise in two millions.
    pub(super) fn peak(&self) -> f64 {
        self.components.iter().map(|(_, x)| x.norm()).sum::<f64>() + 5.0 * self.variance.sqrt()
    }

    /// Square of the total harmonic distortion, the noise within the harmonics' lines included.
    /// Tones between the harmonics count for nothing: their leakage is not modelled.
    /// `gain` is that of the way to the lines, at a frequency in cycles per sample.
    pub(super) fn thd2(
        &self,
        fundamental_hz: f64,
        rate_hz: f64,
        samples: f64,
        gain: fn(f64) -> f64,
    ) -> f64 {
        let mut lines = [Complex64::ZERO; ORDER_MAX + 1];
        for &(frequency_hz, x) in &self.components {
            let order = frequency_hz / fundamental_hz;
            if (order - order.round()).abs() < ON_GRID
                && let Some(line) = lines.get_mut(order.round() as usize)
            {
                *line += x;
            }
        }
        let highest = (0.5 * rate_hz / fundamental_hz).ceil() - 1.0;
        let power = |order: usize| {
            let left = self.left.by_order.get(order).copied().unwrap_or(0.0);
            let is_noisy = order > 1 && order as f64 <= highest;
            let noise = if is_noisy { 2.0 * self.variance / samples } else { 0.0 };
            let square = 0.5 * (lines[order].norm_sqr() + left) + noise;
            square * gain(order as f64 * fundamental_hz / rate_hz).powi(2)
        };
        let first = power(1);
        let others: f64 = (2..=ORDER_MAX).map(power).sum();
        if first > 0.0 { others / first } else { 0.0 }
    }
}
