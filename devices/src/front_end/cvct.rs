//! The combined voltage and current transducer of the low-cost ARM meter paper: its outputs in
//! volts.
//!
//! Inputs of +-460 sqrt(2) V and +-30 sqrt(2) A become 0..3 V about 1.5 V, inverted; both
//! amplifiers live on the 5 V that a half-wave rectifier and a linear regulator make of the mains,
//! so the middle comes up with the supply (Fig. 5). Bandwidth: one pole, whose corner is a
//! parameter; 100 kHz makes -0.043 dB and -5.7 degrees at 10 kHz, which Fig. 6 shows as flat (the
//! figure's own numbers are not readable; the corner and the time constant are choices).

use std::f64::consts::SQRT_2;
use std::fmt::Write as _;

use num_complex::Complex64;

use super::converter::Supply;
use super::linear::Linear;

/// Half of the outputs' range, and their value without an input, in volts.
pub(crate) const MIDDLE_V: f64 = 1.5;

/// Peak of the largest voltage and current.
pub(crate) const VOLTAGE_PEAK_V: f64 = 460.0 * SQRT_2;
/// Peak current at full scale in A; see [`VOLTAGE_PEAK_V`].
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

/// What Figs. 4 to 6 show, as lines of CSV: `part,x,voltage,current`.
///
/// - `input`: seconds, volts and amperes: 230 V and 15 A RMS at 50 Hz, switched on at a zero
///   crossing (Fig. 4).
/// - `output`: seconds, both outputs in volts (Fig. 5).
/// - `magnitude` and `phase`: hertz, both responses in dB of the nominal ratio and in degrees,
///   inversion included (Fig. 6), to ten times the 10 kHz of the publication.
///
/// The corner is in Hz, the supply's time constant in seconds.
pub(crate) fn transducer_csv(corner_hz: f64, supply_tau_s: f64) -> String {
    const RATE_HZ: f64 = 10_000.0;
    const SHOWN: u32 = 600;
    let mut csv = String::from("part,x,voltage,current\n");
    let mut line = |part: &str, x: f64, values: [f64; 2]| {
        // Six digits are more than any picture shows.
        let [u, i] = values;
        // Writing to a string cannot fail.
        let _ = writeln!(csv, "{part},{x:.6},{u:.6},{i:.6}");
    };
    let sine = |k: u32| SQRT_2 * libm::sin(std::f64::consts::TAU * 50.0 * f64::from(k) / RATE_HZ);
    let mut sections = [
        (Cvct::voltage(corner_hz, supply_tau_s, RATE_HZ), 230.0),
        (Cvct::current(corner_hz, supply_tau_s, RATE_HZ), 15.0),
    ];
    let outputs = sections.each_mut().map(|(section, rms)| {
        // A few more inputs than outputs: the section looks ahead.
        let input: Vec<f64> = (0..SHOWN + 8).map(|k| *rms * sine(k)).collect();
        let mut output = Vec::new();
        section.push(&input, &mut output);
        output
    });
    for k in 0..SHOWN {
        line("input", f64::from(k) / RATE_HZ, [230.0 * sine(k), 15.0 * sine(k)]);
    }
    for (k, (u, i)) in outputs[0].iter().zip(&outputs[1]).take(SHOWN as usize).enumerate() {
        line("output", k as f64 / RATE_HZ, [*u, *i]);
    }
    // 10 Hz to 100 kHz, twenty to a decade.
    for step in 0..=80_u32 {
        let frequency_hz = libm::exp10(1.0 + f64::from(step) / 20.0);
        let responses = [(0, VOLTAGE_PEAK_V), (1, CURRENT_PEAK_A)]
            .map(|(section, peak)| sections[section].0.response(frequency_hz) * (peak / MIDDLE_V));
        let decibels = responses.map(|response| 20.0 * libm::log10(response.norm()));
        line("magnitude", frequency_hz, decibels);
        line("phase", frequency_hz, responses.map(|r| libm::atan2(r.im, r.re).to_degrees()));
    }
    csv
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
            // A quarter of a cycle after the zero the input is at its peak, the output in its
            // trough.
            assert!(last[250] < 1.5 - 0.999 * amplitude);
        }
    }

    /// Figs. 4 to 6 as data: inputs of 230 V and 15 A, outputs that come up from zero and then
    /// swing by half of 1.5 V against the inputs, responses that begin inverted at 0 dB.
    #[test]
    fn the_figures_are_those_of_the_transducer() {
        let csv = transducer_csv(100e3, 5e-3);
        let part = |name: &str| -> Vec<[f64; 3]> {
            let lines = csv.lines().filter_map(|line| line.strip_prefix(name));
            lines
                .map(|line| {
                    let mut cells = line.split(',').skip(1).map(|cell| cell.parse().unwrap());
                    [(); 3].map(|()| cells.next().unwrap())
                })
                .collect()
        };
        let (input, output) = (part("input"), part("output"));
        assert_eq!((input.len(), output.len()), (600, 600));
        // A quarter of a cycle in: 230 sqrt(2) V, 15 sqrt(2) A.
        assert!((input[50][1] - 325.269_119).abs() < 1e-5);
        assert!((input[50][2] - 21.213_203).abs() < 1e-5);
        assert_eq!(output[0], [0.0; 3]);
        // 45 ms in (the second peak but one), nine time constants: 1.5 (1 - e^-9) - 0.75 V.
        for column in [1, 2] {
            let expected = 1.5 * (1.0 - (-9.0_f64).exp()) - 0.75;
            assert!((output[450][column] - expected).abs() < 1e-3, "{:?}", output[450]);
        }
        let (magnitude, phase) = (part("magnitude"), part("phase"));
        let at = |list: &[[f64; 3]], hertz: f64| {
            *list.iter().find(|line| (line[0] / hertz - 1.0).abs() < 1e-6).unwrap()
        };
        // One pole at 100 kHz: -0.0432 dB and 180 - 5.711 degrees at 10 kHz, -3.0103 dB at 100 kHz.
        assert!((at(&magnitude, 10e3)[1] + 0.0432).abs() < 1e-4);
        assert!((at(&magnitude, 100e3)[2] + 3.0103).abs() < 1e-4);
        assert!((at(&phase, 10e3)[2] - 174.2894).abs() < 1e-3);
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
