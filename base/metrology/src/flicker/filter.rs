//! Block 3: the filters of IEC 61000-4-15, clause 5.5, as digital sections.
//!
//! Bilinear transforms at 4 kS/s or more: at the band limit their frequency is off by less than
//! three parts in ten thousand, so nothing needs to be warped beforehand.

use std::f64::consts::TAU;

/// The lamp whose flicker is meant (IEC 61000-4-15 edition 2, table 3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lamp {
    /// 60 W, 230 V.
    V230,
    /// 60 W, 120 V.
    V120,
}

/// Corner of the high-pass that takes out the mean, in Hz.
const HIGH_PASS_HZ: f64 = 0.05;

/// Quality factors of a Butterworth low-pass of sixth order, 1 / (2 cos(k pi / 12)), k = 1, 3, 5.
const BUTTERWORTH: [f64; 3] =
    [0.517_638_090_205_041_5, std::f64::consts::FRAC_1_SQRT_2, 1.931_851_652_578_136_6];

impl Lamp {
    /// k, lambda, omega 1 to 4 of the weighting filter; all but k in Hz (times 2 pi).
    fn coefficients(self) -> [f64; 6] {
        match self {
            Lamp::V230 => [1.748_02, 4.059_81, 9.154_94, 2.279_79, 1.225_35, 21.9],
            Lamp::V120 => [1.635_7, 4.167_375, 9.077_169, 2.939_902, 1.394_468, 17.315_12],
        }
    }

    /// The sinusoidal modulation of 8.8 Hz at which Pinst,max is 1 (tables 1a and 1b), dV/V.
    fn unit_modulation(self) -> f64 {
        match self {
            Lamp::V230 => 0.002_50,
            Lamp::V120 => 0.003_21,
        }
    }
}

/// Where [`Lamp::unit_modulation`] holds, in Hz.
const UNIT_HZ: f64 = 8.8;

/// A second-order section in s: numerator and denominator, by falling powers.
type Analogue = ([f64; 3], [f64; 3]);

/// The sections of block 3.
fn sections(lamp: Lamp, nominal_hz: f64) -> [Analogue; 6] {
    let [k, lambda, w1, w2, w3, w4] = lamp.coefficients();
    let [lambda, w1, w2, w3, w4] = [lambda, w1, w2, w3, w4].map(|hz| TAU * hz);
    let high = TAU * HIGH_PASS_HZ;
    let low = TAU * if nominal_hz == 60.0 { 42.0 } else { 35.0 };
    let butterworth = |q: f64| ([0.0, 0.0, low * low], [1.0, low / q, low * low]);
    [
        ([0.0, 1.0, 0.0], [0.0, 1.0, high]),
        butterworth(BUTTERWORTH[0]),
        butterworth(BUTTERWORTH[1]),
        butterworth(BUTTERWORTH[2]),
        ([0.0, k * w1, 0.0], [1.0, 2.0 * lambda, w1 * w1]),
        ([0.0, 1.0 / w2, 1.0], [1.0 / (w3 * w4), 1.0 / w3 + 1.0 / w4, 1.0]),
    ]
}

/// Block 3 at a rate.
pub(super) fn weighting(lamp: Lamp, nominal_hz: f64, rate_hz: f64) -> Cascade {
    Cascade { sections: sections(lamp, nominal_hz).map(|section| Section::new(section, rate_hz)) }
}

/// The factor that makes Pinst,max 1 for the standard's reference modulation.
///
/// In closed form: a modulation dV/V leaves a sine of that amplitude in the squared signal
/// relative to its mean; squared again, it is a mean and a ripple at twice the frequency, which
/// the smoothing lets through in part.
pub(super) fn gain(lamp: Lamp, nominal_hz: f64, smoothing_s: f64) -> f64 {
    let power: f64 = sections(lamp, nominal_hz)
        .iter()
        .map(|(numerator, denominator)| {
            let w = TAU * UNIT_HZ;
            let square = |x: &[f64; 3]| (x[2] - x[0] * w * w).powi(2) + (x[1] * w).powi(2);
            square(numerator) / square(denominator)
        })
        .product();
    let ripple = 1.0 / (1.0 + (2.0 * TAU * UNIT_HZ * smoothing_s).powi(2)).sqrt();
    let amplitude = lamp.unit_modulation();
    1.0 / (0.5 * amplitude * amplitude * power * (1.0 + ripple))
}

#[derive(Clone, Debug)]
pub(super) struct Cascade {
    sections: [Section; 6],
}

impl Cascade {
    pub(super) fn next(&mut self, x: f64) -> f64 {
        self.sections.iter_mut().fold(x, |x, section| section.next(x))
    }
}

/// A digital section, transposed direct form II.
#[derive(Clone, Copy, Debug)]
struct Section {
    b: [f64; 3],
    a: [f64; 2],
    state: [f64; 2],
}

impl Section {
    /// s = 2 rate (z - 1) / (z + 1).
    fn new((numerator, denominator): Analogue, rate_hz: f64) -> Self {
        let c = 2.0 * rate_hz;
        let z = |x: [f64; 3]| {
            [
                x[0] * c * c + x[1] * c + x[2],
                2.0 * (x[2] - x[0] * c * c),
                x[0] * c * c - x[1] * c + x[2],
            ]
        };
        let (b, a) = (z(numerator), z(denominator));
        Self { b: b.map(|b| b / a[0]), a: [a[1] / a[0], a[2] / a[0]], state: [0.0; 2] }
    }

    fn next(&mut self, x: f64) -> f64 {
        let y = self.b[0] * x + self.state[0];
        self.state[0] = self.b[1] * x - self.a[0] * y + self.state[1];
        self.state[1] = self.b[2] * x - self.a[1] * y;
        y
    }
}
