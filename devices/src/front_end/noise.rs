//! What a converter adds at random: white noise, and 1/f noise below a corner.
//!
//! The white noise has the stated RMS over the converter's band. The 1/f noise has the white
//! noise's density at the *corner* and rises by 10 dB per decade below it: white noise through a
//! cascade of poles and zeros that alternate by a factor of two in frequency, from 10 mHz on, whose
//! density stays within 0.3 dB of 1/f and is known exactly ([`Flicker::density`]).

use std::f64::consts::TAU;

use crate::gaussian::Gaussian;

const LOWEST_HZ: f64 = 0.01;

/// From a pole to its zero, and from that to the next pole.
const SPACING: f64 = 2.0;

/// A filter that makes 1/f noise of white noise.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Flicker {
    /// Poles and zeros in the z plane.
    sections: Vec<(f64, f64)>,
    gain: f64,
    rate_hz: f64,
}

impl Flicker {
    /// The filter for a rate; its density is 1 at the corner.
    pub(crate) fn new(corner_hz: f64, rate_hz: f64) -> Self {
        let mut sections = Vec::new();
        let mut pole_hz = LOWEST_HZ;
        while pole_hz * SPACING < 0.25 * rate_hz {
            let place = |hz: f64| libm::exp(-TAU * hz / rate_hz);
            sections.push((place(pole_hz), place(pole_hz * SPACING)));
            pole_hz *= SPACING * SPACING;
        }
        let mut flicker = Self { sections, gain: 1.0, rate_hz };
        flicker.gain = 1.0 / flicker.density(corner_hz).sqrt();
        flicker
    }

    /// Power density relative to the white noise's.
    pub(crate) fn density(&self, frequency_hz: f64) -> f64 {
        let cos = libm::cos(TAU * frequency_hz / self.rate_hz);
        let square = |z: f64| 1.0 + z * z - 2.0 * z * cos;
        let shape: f64 =
            self.sections.iter().map(|&(pole, zero)| square(zero) / square(pole)).product();
        self.gain * self.gain * shape
    }

    /// Adds noise to samples; `memory` holds each section's last input and output.
    pub(crate) fn add_to(
        &self,
        rms: f64,
        draws: &mut Gaussian,
        memory: &mut Vec<(f64, f64)>,
        samples: &mut [f64],
    ) {
        memory.resize(self.sections.len(), (0.0, 0.0));
        for sample in samples {
            let mut x = draws.draw();
            for (&(pole, zero), (last_in, last_out)) in self.sections.iter().zip(memory.iter_mut())
            {
                let y = x - zero * *last_in + pole * *last_out;
                (*last_in, *last_out) = (x, y);
                x = y;
            }
            *sample += self.gain * rms * x;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use lastmeter_sim::Streams;

    #[test]
    fn the_density_is_that_of_one_over_f() {
        let flicker = Flicker::new(10.0, 7812.5);
        for frequency_hz in [0.1, 0.5, 1.0, 5.0, 10.0, 50.0, 300.0] {
            let ratio = flicker.density(frequency_hz) * frequency_hz / 10.0;
            assert!((10.0 * ratio.log10()).abs() < 0.5, "{frequency_hz}: {ratio}");
        }
        assert!((flicker.density(10.0) - 1.0).abs() < 1e-12);
    }

    /// Power of the samples in a band about 2 Hz against the stated density.
    #[test]
    fn the_samples_have_the_stated_density() {
        let rate_hz = 1000.0;
        let flicker = Flicker::new(10.0, rate_hz);
        let mut draws = Gaussian::new(Streams::new(3).stream("flicker"));
        let count = 500_000;
        let mut samples = vec![0.0; count];
        flicker.add_to(0.7, &mut draws, &mut Vec::new(), &mut samples);
        // A Hann-free Goertzel over 500 stretches of 1 s at 20 Hz: two degrees of freedom each.
        let mut power = 0.0;
        for stretch in samples.chunks(1000) {
            let (mut re, mut im) = (0.0, 0.0);
            for (k, x) in stretch.iter().enumerate() {
                let (sin, cos) = (TAU * 20.0 * k as f64 / rate_hz).sin_cos();
                let weight = 1.0 - (TAU * k as f64 / 1000.0).cos();
                re += x * cos * weight;
                im -= x * sin * weight;
            }
            // Sum of the squared weights is 1.5 per sample.
            power += (re * re + im * im) / 1500.0 / 500.0;
        }
        let expected = 0.49 * flicker.density(20.0);
        assert!((power / expected - 1.0).abs() < 5.0 / 500_f64.sqrt(), "{power} for {expected}");
    }
}
