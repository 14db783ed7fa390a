//! Linear stages of the analogue part: first-order sections and a shunt's inductance.
//!
//! A first-order section is `direct + lagged / (1 + s tau)`: an anti-alias RC and a divider's stray
//! capacitance (0, 1), a transformer's magnetising branch, a Rogowski coil's leaky integrator and
//! any coupling capacitor (1, -1). Its differential equation is solved exactly for an input that
//! runs between the samples as the cubic through the four nearest, so what a tone meets differs
//! from the analogue response by about 0.015 (omega T)^4 only, and is known exactly
//! ([`Linear::response`]).

use std::f64::consts::TAU;

use multiversion::multiversion;
use num_complex::Complex64;

/// A linear stage with its memory. Output k belongs to the same instant as input k, but comes
/// later by the few samples that the stage looks ahead.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Linear {
    kind: Kind,
    rate_hz: f64,
    /// The last inputs, oldest first; the output in the making belongs to the third.
    near: [f64; NEAR],
    taken: usize,
    lagged: Lagged,
}

/// Outputs of the lagged part that follow from one value before them, so that they need not wait
/// for each other.
const BLOCK: usize = 4;

/// The lagged part of a first-order section, in blocks counted from the first sample on.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Lagged {
    /// Its value before the block.
    before: f64,
    /// What the block has added so far.
    added: f64,
    /// Samples of the block so far.
    place: usize,
}

/// How much of a value is left after one sample to a whole block.
type Decay = [f64; BLOCK];

impl Lagged {
    /// The value after the next sample, which adds `more`.
    fn step(&mut self, decay: &Decay, more: f64) -> f64 {
        self.added = if self.place == 0 { more } else { decay[0] * self.added + more };
        let value = decay[self.place] * self.before + self.added;
        self.place += 1;
        if self.place == BLOCK {
            (self.before, self.place) = (value, 0);
        }
        value
    }

    /// The same for whole blocks, each place first what is added and then the value.
    fn blocks(&mut self, decay: &Decay, values: &mut [[f64; BLOCK]]) {
        for block in values {
            let mut added = block[0];
            block[0] += decay[0] * self.before;
            for place in 1..BLOCK {
                added = decay[0] * added + block[place];
                block[place] = decay[place] * self.before + added;
            }
            self.before = block[BLOCK - 1];
        }
    }
}

/// What each input adds to the lagged part: weighted with two before it and one after; `inputs` has
/// three more in front.
#[multiversion(targets = "simd")]
fn weigh(weights: [f64; 4], inputs: &[f64], added: &mut [f64]) {
    let [w0, w1, w2, w3] = weights;
    for (added, near) in added.iter_mut().zip(inputs.windows(4)) {
        *added = (w0 * near[0] + w1 * near[1]) + (w2 * near[2] + w3 * near[3]);
    }
}

/// Inputs that an output needs: two before and up to two after it.
const NEAR: usize = 5;

#[derive(Clone, Copy, Debug, PartialEq)]
enum Kind {
    FirstOrder {
        direct: f64,
        lagged: f64,
        /// What is left of the lagged part after a sample and more.
        decay: Decay,
        /// Weights of the inputs from two samples before to one after.
        weights: [f64; 4],
        /// Lag in samples, for the start.
        lag: f64,
    },
    /// `1 + s tau`, with tau in samples.
    Inductive { tau: f64 },
}

impl Linear {
    /// `1 / (1 + s tau)` with the corner `corner_hz`.
    pub(crate) fn low_pass(corner_hz: f64, rate_hz: f64) -> Self {
        Self::first_order(0.0, 1.0, rate_hz / (TAU * corner_hz), rate_hz)
    }

    /// `s tau / (1 + s tau)` with the corner `corner_hz`.
    pub(crate) fn high_pass(corner_hz: f64, rate_hz: f64) -> Self {
        Self::first_order(1.0, -1.0, rate_hz / (TAU * corner_hz), rate_hz)
    }

    /// `1 + s tau`: a resistance with an inductance in series, `tau = L / R`.
    pub(crate) fn inductive(tau_s: f64, rate_hz: f64) -> Self {
        Self::new(Kind::Inductive { tau: tau_s * rate_hz }, rate_hz)
    }

    fn first_order(direct: f64, lagged: f64, lag: f64, rate_hz: f64) -> Self {
        let b = 1.0 / lag;
        let [_, i1, i2, i3] = moments(b);
        let weights = [
            -(i3 - 3.0 * i2 + 2.0 * i1) / 6.0,
            0.5 * (i3 - 2.0 * i2 - i1) - libm::expm1(-b),
            -0.5 * (i3 - i2 - 2.0 * i1),
            (i3 - i1) / 6.0,
        ];
        let decay = std::array::from_fn(|place| libm::exp(-b * (place + 1) as f64));
        Self::new(Kind::FirstOrder { direct, lagged, decay, weights, lag }, rate_hz)
    }

    fn new(kind: Kind, rate_hz: f64) -> Self {
        Self { kind, rate_hz, near: [0.0; NEAR], taken: 0, lagged: Lagged::default() }
    }

    fn look_ahead(&self) -> usize {
        match self.kind {
            Kind::FirstOrder { .. } => 1,
            Kind::Inductive { .. } => 2,
        }
    }

    /// Gain and phase for a tone, exactly what [`Self::process`] does to it.
    pub(crate) fn response(&self, frequency_hz: f64) -> Complex64 {
        let angle = TAU * frequency_hz / self.rate_hz;
        let turn = |samples: f64| {
            let (sin, cos) = libm::sincos(samples * angle);
            Complex64::new(cos, sin)
        };
        match self.kind {
            Kind::FirstOrder { direct, lagged, decay, weights: [w0, w1, w2, w3], .. } => {
                let input = turn(-2.0) * w0 + turn(-1.0) * w1 + w2 + turn(1.0) * w3;
                direct + lagged * input / (1.0 - decay[0] * turn(-1.0))
            }
            Kind::Inductive { tau } => {
                let slope = (8.0 * turn(1.0).im - turn(2.0).im) / 6.0;
                Complex64::new(1.0, tau * slope)
            }
        }
    }

    /// Replaces inputs by the outputs they complete.
    pub(crate) fn process(&mut self, samples: &mut Vec<f64>) {
        let (mut kept, mut from) = (0, 0);
        // One by one until a block begins, and from the last whole block on.
        while from < samples.len() && !self.begins_block() {
            if let Some(y) = self.step(samples[from]) {
                samples[kept] = y;
                kept += 1;
            }
            from += 1;
        }
        let blocks = self.process_blocks(samples, from, kept);
        kept += blocks;
        for n in from + blocks..samples.len() {
            if let Some(y) = self.step(samples[n]) {
                samples[kept] = y;
                kept += 1;
            }
        }
        samples.truncate(kept);
    }

    /// Whether the next sample is the first of a block and nothing is special about it.
    fn begins_block(&self) -> bool {
        self.taken > self.look_ahead() && self.lagged.place == 0
    }

    /// The whole blocks of a first-order section from one place on, their outputs to another before
    /// it; answers with their samples.
    fn process_blocks(&mut self, samples: &mut [f64], from: usize, to: usize) -> usize {
        let Kind::FirstOrder { direct, lagged, decay, weights, .. } = self.kind else { return 0 };
        let count = (samples.len() - from) / BLOCK * BLOCK;
        if count == 0 || !self.begins_block() {
            return 0;
        }
        let mut inputs = self.near[1..4].to_vec();
        inputs.extend_from_slice(&samples[from..from + count]);
        let outputs = &mut samples[to..to + count];
        weigh(weights, &inputs, outputs);
        self.lagged.blocks(&decay, outputs.as_chunks_mut().0);
        for (y, c) in outputs.iter_mut().zip(&inputs[2..]) {
            *y = direct * c + lagged * *y;
        }
        self.near[..4].copy_from_slice(&inputs[count - 1..]);
        self.taken += count;
        count
    }

    fn step(&mut self, x: f64) -> Option<f64> {
        // The newest stands `look_ahead` places after the third.
        let newest = 2 + self.look_ahead();
        self.near.copy_within(1..=newest, 0);
        self.near[newest] = x;
        self.taken += 1;
        if self.taken <= self.look_ahead() {
            return None;
        }
        if self.taken == self.look_ahead() + 1 {
            self.begin();
        }
        let [a, b, c, d, e] = self.near;
        Some(match self.kind {
            Kind::FirstOrder { direct, lagged, decay, weights: [w0, w1, w2, w3], .. } => {
                let more = (w0 * a + w1 * b) + (w2 * c + w3 * d);
                direct * c + lagged * self.lagged.step(&decay, more)
            }
            Kind::Inductive { tau } => c + tau * ((a - e) + 8.0 * (d - b)) / 12.0,
        })
    }

    /// Before the first sample the signal came in a straight line; a section with a long memory
    /// has seen nothing yet.
    fn begin(&mut self) {
        const LONG: f64 = 64.0;
        let slope = self.near[3] - self.near[2];
        self.near[1] = self.near[2] - slope;
        self.near[0] = self.near[1] - slope;
        if let Kind::FirstOrder { lag, .. } = self.kind {
            self.lagged.before = if lag < LONG { self.near[1] - lag * slope } else { 0.0 };
        }
    }
}

/// `integral over 0..1 of b exp(-b (1 - u)) u^n du` for n = 0 to 3.
fn moments(b: f64) -> [f64; 4] {
    if b < 1.0 {
        // Expanded about b = 0, where the recursion below would lose its digits.
        let mut moments = [0.0; 4];
        let mut term = b * libm::exp(-b);
        for j in 0..30 {
            for (n, moment) in moments.iter_mut().enumerate() {
                *moment += term / (n + j + 1) as f64;
            }
            term *= b / (j + 1) as f64;
        }
        return moments;
    }
    let mut moments = [-libm::expm1(-b), 0.0, 0.0, 0.0];
    for n in 1..4 {
        moments[n] = 1.0 - n as f64 / b * moments[n - 1];
    }
    moments
}

/// A digital high-pass as energy chips have: `y = (1 - a/2) (x - m)`, where the mean m follows x.
///
/// Response `(1 - a/2) (1 - z^-1) / (1 - (1 - a) z^-1)` with `a = 1 - exp(-2 pi corner / rate)`: 1
/// at half the rate, at low frequencies nearly that of an RC.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct HighPass {
    follow: f64,
    rate_hz: f64,
}

impl HighPass {
    pub(crate) fn new(corner_hz: f64, rate_hz: f64) -> Self {
        Self { follow: -libm::expm1(-TAU * corner_hz / rate_hz), rate_hz }
    }

    /// Gain and phase for a tone, exactly what [`Self::process`] does to it.
    pub(crate) fn response(&self, frequency_hz: f64) -> Complex64 {
        let (sin, cos) = libm::sincos(TAU * frequency_hz / self.rate_hz);
        let back = Complex64::new(cos, -sin);
        (1.0 - 0.5 * self.follow) * (1.0 - back) / (1.0 - (1.0 - self.follow) * back)
    }

    /// Acts on samples in place.
    pub(crate) fn process(&self, mean: &mut f64, samples: &mut [f64]) {
        for sample in samples {
            let rest = *sample - *mean;
            *mean += self.follow * rest;
            *sample = (1.0 - 0.5 * self.follow) * rest;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RATE_HZ: f64 = 31_250.0;

    /// Steady state of a stage fed with a tone of 1 peak at zero phase.
    fn measured(stage: &Linear, frequency_hz: f64, settle: usize, pieces: usize) -> Complex64 {
        let mut stage = stage.clone();
        let cycles = 50;
        let count = (f64::from(cycles) * RATE_HZ / frequency_hz).round() as usize;
        let tone = |k: usize| (TAU * frequency_hz * k as f64 / RATE_HZ).cos();
        let input: Vec<f64> = (0..settle + count + 8).map(tone).collect();
        let mut output = Vec::new();
        for piece in input.chunks(pieces) {
            let mut piece = piece.to_vec();
            stage.process(&mut piece);
            output.extend(piece);
        }
        let sum: Complex64 = (settle..settle + count)
            .map(|k| {
                let angle = TAU * frequency_hz * k as f64 / RATE_HZ;
                Complex64::new(angle.cos(), -angle.sin()) * output[k]
            })
            .sum();
        sum * (2.0 / count as f64)
    }

    type Analogue = Box<dyn Fn(f64) -> Complex64>;

    /// Whatever the stage: its samples follow its response, and that is the analogue one.
    #[test]
    fn each_stage_has_its_stated_and_its_analogue_response() {
        let low = |fc: f64| move |f: f64| 1.0 / Complex64::new(1.0, f / fc);
        let high =
            |fc: f64| move |f: f64| Complex64::new(0.0, f / fc) / Complex64::new(1.0, f / fc);
        let inductive = |tau: f64| move |f: f64| Complex64::new(1.0, TAU * f * tau);
        let cases: [(Linear, Analogue, usize); 6] = [
            (Linear::low_pass(3000.0, RATE_HZ), Box::new(low(3000.0)), 2000),
            (Linear::low_pass(100_000.0, RATE_HZ), Box::new(low(100_000.0)), 200),
            (Linear::low_pass(20.0, RATE_HZ), Box::new(low(20.0)), 80_000),
            (Linear::high_pass(2.0, RATE_HZ), Box::new(high(2.0)), 600_000),
            (Linear::high_pass(10.0, RATE_HZ), Box::new(high(10.0)), 120_000),
            (Linear::inductive(10e-6, RATE_HZ), Box::new(inductive(10e-6)), 200),
        ];
        for (stage, analogue, settle) in &cases {
            for frequency_hz in [50.0, 250.0, 1250.0, 2500.0] {
                let stated = stage.response(frequency_hz);
                let found = measured(stage, frequency_hz, *settle, 997);
                assert!((found - stated).norm() < 1e-9, "{frequency_hz}: {found} for {stated}");
                let angle = TAU * frequency_hz / RATE_HZ;
                let limit = 1e-12 + 0.04 * angle.powi(4);
                let expected = analogue(frequency_hz);
                assert!((stated - expected).norm() < limit, "{frequency_hz}: {stated} {expected}");
            }
        }
    }

    #[test]
    fn the_cut_does_not_matter() {
        let stage = Linear::low_pass(3000.0, RATE_HZ);
        let whole = measured(&stage, 50.0, 100, 100_000);
        for pieces in [1, 2, 3, 64] {
            assert_eq!(measured(&stage, 50.0, 100, pieces), whole);
        }
    }

    #[test]
    fn the_digital_high_pass_has_its_stated_response_and_removes_the_direct_component() {
        let stage = HighPass::new(2.0, 7812.5);
        assert!(stage.response(0.0).norm() < 1e-15);
        // An RC of 2 Hz leads by atan(2/50) at 50 Hz.
        let lead = stage.response(50.0).arg();
        assert!((lead - (2.0_f64 / 50.0).atan()).abs() < 2e-5, "{lead}");
        let mut samples: Vec<f64> =
            (0..60_000).map(|k| 7.0 + (TAU * 50.0 * f64::from(k) / 7812.5).cos()).collect();
        stage.process(&mut 0.0, &mut samples);
        let (mut mean, mut tone) = (0.0, Complex64::ZERO);
        for (k, y) in samples.iter().enumerate().skip(60_000 - 3125) {
            let angle = TAU * 50.0 * k as f64 / 7812.5;
            mean += y / 3125.0;
            tone += Complex64::new(angle.cos(), -angle.sin()) * y * (2.0 / 3125.0);
        }
        assert!(mean.abs() < 1e-9, "{mean}");
        assert!((tone - stage.response(50.0)).norm() < 1e-9);
    }
}
