//! Draws from the normal distribution, the same bits on every machine.
//!
//! Ziggurat of 256 layers (Marsaglia and Tsang 2000, in doubles as by Doornik 2005) on a named
//! stream: 98.8 % of the draws are one word, one comparison and one product. The tables and the
//! rest use `libm`, because the functions of the system's library differ between processors.

use std::sync::LazyLock;

use chacha20::ChaCha8Rng;
use rand::Rng as _;

/// 2^-53: makes 53 random bits a number from 0 to 1.
const UNIT: f64 = 1.0 / (1_u64 << 53) as f64;

const LAYERS: usize = 256;

/// Where the tail begins, and the area of each layer, for 256 of them.
const TAIL: f64 = 3.654_152_885_361_009;
const AREA: f64 = 0.004_928_673_233_992_336;

/// Right edges of the layers and the density there.
struct Tables {
    /// From the outermost to zero; the first is the virtual edge of the layer with the tail.
    x: [f64; LAYERS + 1],
    y: [f64; LAYERS + 1],
}

static TABLES: LazyLock<Tables> = LazyLock::new(|| {
    let density = |x: f64| libm::exp(-0.5 * x * x);
    let mut x = [0.0; LAYERS + 1];
    (x[0], x[1]) = (AREA / density(TAIL), TAIL);
    for layer in 2..LAYERS {
        x[layer] = (-2.0 * libm::log(AREA / x[layer - 1] + density(x[layer - 1]))).sqrt();
    }
    Tables { x, y: x.map(density) }
});

/// A stream of independent draws from the standard normal distribution.
#[derive(Debug)]
pub(crate) struct Gaussian {
    words: ChaCha8Rng,
}

impl Gaussian {
    pub(crate) fn new(words: ChaCha8Rng) -> Self {
        Self { words }
    }

    /// A number in (0, 1].
    pub(crate) fn uniform(&mut self) -> f64 {
        ((self.words.next_u64() >> 11) + 1) as f64 * UNIT
    }

    pub(crate) fn draw(&mut self) -> f64 {
        self.draw_from(&TABLES)
    }

    /// Adds `rms` times a draw to each of the samples.
    pub(crate) fn add_to(&mut self, rms: f64, samples: &mut [f64]) {
        let tables = &*TABLES;
        for sample in samples {
            *sample += rms * self.draw_from(tables);
        }
    }

    #[inline]
    fn draw_from(&mut self, tables: &Tables) -> f64 {
        loop {
            let word = self.words.next_u64();
            let layer = (word & 0xff) as usize;
            // 53 bits that are not the layer's, over -1..1.
            let u = (word >> 11) as f64 * (2.0 * UNIT) - 1.0;
            let x = u * tables.x[layer];
            if x.abs() < tables.x[layer + 1] {
                return x;
            }
            if layer == 0 {
                return self.tail(u < 0.0);
            }
            let (low, high) = (tables.y[layer], tables.y[layer + 1]);
            if low + self.uniform() * (high - low) < libm::exp(-0.5 * x * x) {
                return x;
            }
        }
    }

    /// A draw from beyond the outermost layer (Marsaglia 1964).
    #[cold]
    fn tail(&mut self, is_negative: bool) -> f64 {
        loop {
            let x = -libm::log(self.uniform()) / TAIL;
            let y = -libm::log(self.uniform());
            if 2.0 * y > x * x {
                return if is_negative { -TAIL - x } else { TAIL + x };
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use lastmeter_sim::Streams;

    #[test]
    fn the_first_four_moments_are_those_of_the_standard_normal_distribution() {
        let draws = 200_000;
        let mut stream = Gaussian::new(Streams::new(5).stream("gaussian"));
        let values: Vec<f64> = (0..draws).map(|_| stream.draw()).collect();
        // Variances of the first four powers: 1, 2, 15, 96.
        for (power, expected, variance) in
            [(1, 0.0, 1.0), (2, 1.0, 2.0), (3, 0.0, 15.0), (4, 3.0, 96.0_f64)]
        {
            let moment = values.iter().map(|v| v.powi(power)).sum::<f64>() / f64::from(draws);
            let limit = 5.0 * (variance / f64::from(draws)).sqrt();
            assert!((moment - expected).abs() < limit, "moment {power}: {moment}");
        }
    }

    /// Shares beyond 0.5, 1, 2, 3, 3.6542 (where the tail begins) and 4 sigma, two-sided, from
    /// tables of the error function.
    #[test]
    fn the_shares_in_the_middle_and_in_the_tail_are_those_of_the_tables() {
        let draws = 4_000_000;
        let mut stream = Gaussian::new(Streams::new(6).stream("gaussian"));
        let values: Vec<f64> = (0..draws).map(|_| stream.draw()).collect();
        for (edge, share) in [
            (0.5, 0.617_075_1),
            (1.0, 0.317_310_5),
            (2.0, 0.045_500_26),
            (3.0, 2.699_796e-3),
            (3.654_152_9, 2.580_3e-4),
            (4.0, 6.334_25e-5),
        ] {
            let found = values.iter().filter(|v| v.abs() > edge).count() as f64 / f64::from(draws);
            let limit = 5.0 * (share / f64::from(draws)).sqrt();
            assert!((found - share).abs() < limit, "beyond {edge}: {found} for {share}");
        }
    }
}
