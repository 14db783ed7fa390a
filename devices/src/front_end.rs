//! What happens to one voltage or current between the terminal and the metrology.
//!
//! In this order: the external transformer (or nothing, ratio 1), the meter's own divider, shunt
//! or current transformer with its gain error and phase error, the converter with its offset, its
//! noise, its range and its steps. The meter undoes the nominal ratio, so all values here are
//! primary ones.
//!
//! Terms: *lead* is the angle by which a channel's signal comes early, at nominal frequency; the
//! *full scale* is the peak that is not clipped yet; a *step* is the converter's smallest.
//!
//! The phase error is a first-order all-pass in the sampled domain, `(a + z^-1)/(1 + a z^-1)`
//! against the plain delay `z^-1` of a channel without error. Its gain is exactly one, and its
//! angle is known exactly at every frequency (nearly that of a constant time), so both fidelities
//! treat it alike. White noise only: 1/f noise, non-linearity, temperature and jitter are not
//! modelled here.

use std::f64::consts::{SQRT_2, TAU};

use crate::gaussian::Gaussian;

/// An all-pass closer to instability than this is refused: it would act far beyond its channel's
/// fundamental.
const POLE_MAX: f64 = 0.9;

/// What a channel is like. Voltages in volts or currents in amperes throughout.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct ChannelParameters {
    /// Primary value over the value at the meter's terminals: 1 if connected directly.
    pub(crate) ratio: f64,
    /// Nominal RMS value at the meter's terminals.
    pub(crate) nominal: f64,
    /// Range over nominal: a sine of `nominal * headroom` is not clipped yet.
    pub(crate) headroom: f64,
    /// Relative error of the gain.
    pub(crate) gain_error: f64,
    /// Direct component the converter adds, at the meter's terminals.
    pub(crate) offset: f64,
    /// RMS of the white noise the converter adds, at the meter's terminals.
    pub(crate) noise_rms: f64,
    /// Lead at the nominal frequency in radians.
    pub(crate) lead_rad: f64,
    /// Bits of the converter, sign included.
    pub(crate) bits: u32,
}

/// Parameters that make no channel.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum ChannelError {
    /// A phase error too large for the sampling rate.
    Phase,
}

/// One channel of a front end, ready for use.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Channel {
    gain: f64,
    offset: f64,
    noise_rms: f64,
    full_scale: f64,
    step: f64,
    pole: f64,
    rate_hz: f64,
}

/// What a channel remembers between blocks of samples.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct ChannelState {
    /// The last input of the all-pass.
    last_in: Option<f64>,
    /// Its last output; at the second input still to be guessed.
    last_out: Option<f64>,
    /// Whether a sample has ever reached the end of the range.
    pub(crate) has_clipped: bool,
}

impl Channel {
    /// A channel sampled at `rate_hz` in a network of `nominal_hz`.
    pub(crate) fn new(
        parameters: &ChannelParameters,
        nominal_hz: f64,
        rate_hz: f64,
    ) -> Result<Self, ChannelError> {
        let angle = TAU * nominal_hz / rate_hz;
        let half = libm::tan(0.5 * parameters.lead_rad);
        let (sin, cos) = libm::sincos(angle);
        let pole = half / (sin - half * cos);
        if !pole.is_finite() || pole.abs() > POLE_MAX {
            return Err(ChannelError::Phase);
        }
        let full_scale = parameters.nominal * parameters.headroom * SQRT_2 * parameters.ratio;
        Ok(Self {
            gain: 1.0 + parameters.gain_error,
            offset: parameters.offset * parameters.ratio,
            noise_rms: parameters.noise_rms * parameters.ratio,
            full_scale,
            step: full_scale * libm::exp2(1.0 - f64::from(parameters.bits)),
            pole,
            rate_hz,
        })
    }

    /// Whether it shifts phases at all.
    pub(crate) fn shifts_phase(&self) -> bool {
        self.pole != 0.0
    }

    /// Gain and lead in radians for a tone.
    pub(crate) fn response(&self, frequency_hz: f64) -> (f64, f64) {
        let (sin, cos) = libm::sincos(TAU * frequency_hz / self.rate_hz);
        (self.gain, 2.0 * libm::atan2(self.pole * sin, 1.0 + self.pole * cos))
    }

    /// The direct component it adds.
    pub(crate) fn offset(&self) -> f64 {
        self.offset
    }

    /// The largest peak that is not clipped.
    pub(crate) fn full_scale(&self) -> f64 {
        self.full_scale
    }

    /// Variance of what it adds at random: the converter's noise and the rounding to its steps.
    pub(crate) fn noise_variance(&self) -> f64 {
        self.noise_rms * self.noise_rms + self.step * self.step / 12.0
    }

    /// Converts samples, appending to `output`. With `is_delayed`, the first sample of all is held
    /// back and each following one yields the sample before it, shifted in phase.
    pub(crate) fn convert(
        &self,
        state: &mut ChannelState,
        noise: &mut Gaussian,
        input: &[f64],
        is_delayed: bool,
        output: &mut Vec<f64>,
    ) {
        let from = output.len();
        if is_delayed {
            for &x in input {
                let Some(last_in) = state.last_in.replace(x) else { continue };
                // What the first output would have been, had the signal come in a straight line:
                // it is late by the delay of an all-pass at low frequencies.
                let delay = (1.0 - self.pole) / (1.0 + self.pole);
                let last_out = state.last_out.unwrap_or(last_in - delay * (x - last_in));
                let y = self.pole * (x - last_out) + last_in;
                state.last_out = Some(y);
                output.push(y);
            }
        } else {
            output.extend_from_slice(input);
        }
        let fresh = &mut output[from..];
        if self.noise_rms == 0.0 {
            for y in fresh.iter_mut() {
                *y = self.digitise(self.gain * *y + self.offset);
            }
        } else {
            for y in fresh.iter_mut() {
                *y = self.digitise(self.gain * *y + self.offset + self.noise_rms * noise.draw());
            }
        }
        if !state.has_clipped {
            let end = self.full_scale - 1.5 * self.step;
            state.has_clipped = fresh.iter().any(|y| y.abs() >= end);
        }
    }

    /// Clips and rounds to the nearest step.
    fn digitise(&self, x: f64) -> f64 {
        // Adding and taking away 1.5 * 2^52 rounds to a whole number without a library call.
        const ROUND: f64 = 6_755_399_441_055_744.0;
        let steps = x.clamp(-self.full_scale, self.full_scale - self.step) / self.step;
        ((steps + ROUND) - ROUND) * self.step
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use lastmeter_sim::Streams;

    fn ideal() -> ChannelParameters {
        ChannelParameters {
            ratio: 1.0,
            nominal: 230.0,
            headroom: 2.0,
            gain_error: 0.0,
            offset: 0.0,
            noise_rms: 0.0,
            lead_rad: 0.0,
            bits: 24,
        }
    }

    fn converted(parameters: ChannelParameters, input: &[f64], is_delayed: bool) -> Vec<f64> {
        let channel = Channel::new(&parameters, 50.0, 7812.5).unwrap();
        let mut noise = Gaussian::new(Streams::new(1).stream("noise"));
        let mut output = Vec::new();
        channel.convert(&mut ChannelState::default(), &mut noise, input, is_delayed, &mut output);
        output
    }

    #[test]
    fn a_converter_clips_at_full_scale_and_rounds_to_its_steps() {
        // Full scale 230 V * 2 * sqrt(2) = 650.538 V; eight bits make steps of 650.538/128 V.
        let step = 650.538_238_691_623_7 / 128.0;
        let coarse = ChannelParameters { bits: 8, ..ideal() };
        let output = converted(coarse, &[0.0, 0.4 * step, 0.6 * step, 1e6, -1e6], false);
        for (found, expected) in output.iter().zip([0.0, 0.0, 1.0, 127.0, -128.0]) {
            assert!((found / step - expected).abs() < 1e-9, "{found} is not {expected} steps");
        }
    }

    #[test]
    fn gain_ratio_and_offset_act_on_primary_values() {
        let parameters =
            ChannelParameters { ratio: 100.0, gain_error: 0.01, offset: 0.5, bits: 32, ..ideal() };
        let output = converted(parameters, &[20_000.0], false);
        assert!((output[0] - (20_200.0 + 50.0)).abs() < 1e-4, "{}", output[0]);
    }

    #[test]
    fn noise_has_the_stated_rms() {
        let output =
            converted(ChannelParameters { noise_rms: 0.7, ..ideal() }, &vec![0.0; 40_000], false);
        let rms = (output.iter().map(|y| y * y).sum::<f64>() / 40_000.0).sqrt();
        // Standard error of an RMS over n draws: sigma / sqrt(2 n), 5 of them allowed.
        assert!((rms - 0.7).abs() < 5.0 * 0.7 / 80_000_f64.sqrt(), "{rms}");
    }

    #[test]
    fn the_phase_error_leads_by_the_stated_angle_and_changes_no_amplitude() {
        for lead_deg in [-1.0_f64, -0.1, 0.1, 0.5, 1.0] {
            let lead_rad = lead_deg.to_radians();
            let parameters = ChannelParameters { lead_rad, bits: 32, ..ideal() };
            let channel = Channel::new(&parameters, 50.0, 7812.5).unwrap();
            assert!((channel.response(50.0).1 - lead_rad).abs() < 1e-12);
            // Four cycles are 625 samples; leave 100 for the transient.
            let wave = |lead: f64, k: f64| 300.0 * (TAU * 50.0 * k / 7812.5 + lead).cos();
            let input: Vec<f64> = (0..800).map(|k| wave(0.0, f64::from(k))).collect();
            let output = converted(parameters, &input, true);
            assert_eq!(output.len(), 799);
            for k in 100..725_u32 {
                let expected = wave(lead_rad, f64::from(k));
                let found = output[k as usize];
                assert!((found - expected).abs() < 1e-5, "sample {k}: {found} for {expected}");
            }
        }
    }

    #[test]
    fn a_phase_error_that_would_make_the_filter_unstable_is_refused() {
        let parameters = ChannelParameters { lead_rad: 0.05, ..ideal() };
        assert_eq!(Channel::new(&parameters, 50.0, 7812.5), Err(ChannelError::Phase));
    }
}
