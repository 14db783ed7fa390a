//! The combined voltage and current transducer of seed 003: its outputs in volts.
//!
//! Inputs of +-460 sqrt(2) V and +-30 sqrt(2) A become 0..3 V about 1.5 V, inverted; both
//! amplifiers live on the 5 V that a half-wave rectifier and a linear regulator make of the mains,
//! so the middle comes up with the supply (Fig. 5). Bandwidth: one pole, whose corner is a
//! parameter; 100 kHz makes -0.043 dB and -5.7 degrees at 10 kHz, which Fig. 6 shows as flat (the
//! figure's own numbers are not readable; the corner and the time constant are choices).

use std::f64::consts::SQRT_2;

use num_complex::Complex64;

use super::converter::Supply;
use super::linear::Linear;

/// Half of the outputs' range, and their value without an input, in volts.
pub(crate) const MIDDLE_V: f64 = 1.5;

/// Peak of the largest voltage and current.
pub(crate) const VOLTAGE_PEAK_V: f64 = 460.0 * SQRT_2;
/// See [`VOLTAGE_PEAK_V`].
pub(crate) const CURRENT_PEAK_A: f64 = 30.0 * SQRT_2;

/// One section of the transducer.
#[derive(Clone, Debug)]
pub struct Cvct {
    volts_per_unit: f64,
    supply: Supply,
    rate_hz: f64,
    pole: Linear,
    corner_hz: f64,
    done: u64,
}

impl Cvct {
    /// The voltage section, fed with volts at `rate_hz`. The corner is in Hz; the supply's time
    /// constant in seconds.
    pub fn voltage(corner_hz: f64, supply_tau_s: f64, rate_hz: f64) -> Self {
        Self::new(VOLTAGE_PEAK_V, corner_hz, supply_tau_s, rate_hz)
    }

    /// The current section, fed with amperes at `rate_hz`.
    pub fn current(corner_hz: f64, supply_tau_s: f64, rate_hz: f64) -> Self {
        Self::new(CURRENT_PEAK_A, corner_hz, supply_tau_s, rate_hz)
    }

    fn new(peak: f64, corner_hz: f64, supply_tau_s: f64, rate_hz: f64) -> Self {
        Self {
            volts_per_unit: -MIDDLE_V / peak,
            supply: Supply { tau_s: supply_tau_s },
            rate_hz,
            pole: Linear::low_pass(corner_hz, rate_hz),
            corner_hz,
            done: 0,
        }
    }

    /// Output in volts per volt or ampere of the input, at a frequency; negative real part: it
    /// inverts. Analogue closed form.
    pub fn response(&self, frequency_hz: f64) -> Complex64 {
        self.volts_per_unit / Complex64::new(1.0, frequency_hz / self.corner_hz)
    }

    /// Appends the outputs in volts that these inputs complete; the last input waits for the next.
    pub fn push(&mut self, input: &[f64], output: &mut Vec<f64>) {
        let mut samples = input.to_vec();
        self.pole.process(&mut samples);
        for x in samples {
            let part = self.supply.part(self.done as f64 / self.rate_hz);
            let middle_v = MIDDLE_V * part;
            output.push((middle_v + self.volts_per_unit * x).clamp(0.0, 2.0 * middle_v));
            self.done += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::f64::consts::TAU;

    /// Figs. 4 and 5: 230 V and 15 A in; outputs inverted, about 1.5 V, stationary after a start.
    #[test]
    fn outputs_are_inverted_and_centred_once_the_supply_is_up() {
        let rate_hz = 50_000.0;
        for (mut section, rms, peak) in [
            (Cvct::voltage(100e3, 5e-3, rate_hz), 230.0, 460.0 * SQRT_2),
            (Cvct::current(100e3, 5e-3, rate_hz), 15.0, 30.0 * SQRT_2),
        ] {
            let input: Vec<f64> = (0..10_001)
                .map(|k| SQRT_2 * rms * (TAU * 50.0 * f64::from(k) / rate_hz).sin())
                .collect();
            let mut output = Vec::new();
            for piece in input.chunks(333) {
                section.push(piece, &mut output);
            }
            assert_eq!(output.len(), 10_000);
            assert_eq!(output[0], 0.0);
            let last = &output[9000..];
            let mean = last.iter().sum::<f64>() / 1000.0;
            assert!((mean - 1.5).abs() < 1e-6, "{mean}");
            // Half the range in makes half the range out: 0.75 V about the middle.
            let (low, high) =
                last.iter().fold((9.0_f64, 0.0_f64), |(l, h), &v| (l.min(v), h.max(v)));
            let amplitude = 1.5 * SQRT_2 * rms / peak;
            assert!((high - 1.5 - amplitude).abs() < 1e-4 && (1.5 - low - amplitude).abs() < 1e-4);
            // A quarter of a cycle after the zero the input is at its crest, the output in its
            // trough.
            assert!(last[250] < 1.5 - 0.999 * amplitude);
        }
    }

    /// Fig. 6: flat to 10 kHz.
    #[test]
    fn the_bandwidth_is_flat_to_ten_kilohertz() {
        let section = Cvct::voltage(100e3, 5e-3, 1e6);
        let at = |f: f64| section.response(f);
        assert!((at(50.0).re + 1.5 / (460.0 * SQRT_2)).abs() < 1e-8);
        let ratio_db = 20.0 * (at(10e3).norm() / at(50.0).norm()).log10();
        assert!((ratio_db + 0.0432).abs() < 1e-3, "{ratio_db}");
        // Inverted: 180 degrees, less the pole's lag.
        let lag_deg = (at(10e3) / -1.0).arg().to_degrees();
        assert!((lag_deg + 5.71).abs() < 0.01, "{lag_deg}");
    }
}
