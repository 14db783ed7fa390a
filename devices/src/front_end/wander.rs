//! A gain that wanders slowly: references, amplifiers and solder joints drift.
//!
//! A first-order Gauss-Markov process about the channel's gain, stationary from the first sample
//! on: normal, with the stated RMS, its correlation `exp(-t/T)` after a time t. It moves every
//! [`HELD`] samples, exactly as the process does at those instants, and is held between them. What
//! a mean over a span L sees of it has the variance `2 s^2 (T/L - (T/L)^2 (1 - exp(-L/T)))`.

use crate::gaussian::Gaussian;

/// Samples between two moves; a few milliseconds at the rates of meters.
const HELD: u32 = 64;

#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Wander {
    /// RMS, relative to the gain.
    pub(crate) rms: f64,
    /// Correlation time in seconds.
    pub(crate) time_s: f64,
}

#[derive(Debug)]
pub(crate) struct WanderState {
    rms: f64,
    /// What is left of a deviation at the next move, and how much comes again.
    kept: f64,
    fresh: f64,
    draws: Gaussian,
    deviation: f64,
    /// Samples until the next move.
    left: u32,
}

impl WanderState {
    /// At samples per second of true time.
    pub(crate) fn new(wander: Wander, rate_hz: f64, mut draws: Gaussian) -> Self {
        let step = f64::from(HELD) / (rate_hz * wander.time_s);
        let deviation = wander.rms * draws.draw();
        Self {
            rms: wander.rms,
            kept: libm::exp(-step),
            fresh: (-libm::expm1(-2.0 * step)).sqrt(),
            draws,
            deviation,
            left: HELD,
        }
    }

    /// Acts on the next samples, however they are cut.
    pub(crate) fn process(&mut self, samples: &mut [f64]) {
        let mut rest = samples;
        while !rest.is_empty() {
            if self.left == 0 {
                let fresh = self.rms * self.fresh * self.draws.draw();
                self.deviation = self.kept * self.deviation + fresh;
                self.left = HELD;
            }
            let (now, later) = rest.split_at_mut(rest.len().min(self.left as usize));
            for sample in &mut *now {
                *sample += self.deviation * *sample;
            }
            self.left -= now.len() as u32;
            rest = later;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use lastmeter_sim::Streams;

    fn state(rms: f64, time_s: f64) -> WanderState {
        let draws = Gaussian::new(Streams::new(8).stream("wander"));
        WanderState::new(Wander { rms, time_s }, 10_000.0, draws)
    }

    /// Variance, correlation after one correlation time, and what means over spans see of it,
    /// against the closed forms.
    #[test]
    fn it_has_the_stated_size_and_correlation() {
        let (rms, time_s, rate_hz) = (3e-4, 0.5, 10_000.0);
        let mut gains = vec![1.0; 20_000_000];
        state(rms, time_s).process(&mut gains);
        for gain in &mut gains {
            *gain -= 1.0;
        }
        let n = gains.len() as f64;
        // 2000 s are a thousand independent stretches of twice the correlation time.
        let independent = n / rate_hz / (2.0 * time_s);
        let spread = 5.0 * (2.0 / independent).sqrt();
        let variance = gains.iter().map(|g| g * g).sum::<f64>() / n;
        assert!((variance / (rms * rms) - 1.0).abs() < spread, "{variance}");
        let lag = (time_s * rate_hz) as usize;
        let pairs = gains.iter().zip(&gains[lag..]);
        let covariance = pairs.map(|(a, b)| a * b).sum::<f64>() / (n - lag as f64);
        let expected = rms * rms * (-1.0_f64).exp();
        assert!((covariance / expected - 1.0).abs() < 2.0 * spread, "{covariance}");
        for span_s in [0.1, 0.5, 2.0] {
            let span = (span_s * rate_hz) as usize;
            let means = gains.chunks_exact(span).map(|c| c.iter().sum::<f64>() / span as f64);
            let found = means.clone().map(|m| m * m).sum::<f64>() / means.count() as f64;
            let part = time_s / span_s;
            let expected = 2.0 * rms * rms * (part - part * part * (1.0 - (-1.0 / part).exp()));
            assert!((found / expected - 1.0).abs() < spread, "{span_s}: {found} for {expected}");
        }
    }

    #[test]
    fn nothing_depends_on_how_samples_are_cut() {
        let mut whole = vec![1.0; 1000];
        state(1e-3, 0.1).process(&mut whole);
        for size in [1, 63, 64, 65, 999] {
            let mut pieces = vec![1.0; 1000];
            let mut state = state(1e-3, 0.1);
            pieces.chunks_mut(size).for_each(|piece| state.process(piece));
            assert_eq!(pieces, whole, "{size}");
        }
        assert!(whole[0] != 1.0 && whole[63] == whole[0] && whole[64] != whole[0]);
    }
}
