//! Sums and oscillators whose result is the same on every processor.
//!
//! Sums run in eight fixed lanes without fused multiply-add; sine and cosine come from a portable
//! library, not from the system's, whose last bit depends on the processor.

use multiversion::multiversion;

/// Number of partial sums of [`dot`]; part of the result, so it never depends on the machine.
const LANES: usize = 8;

/// Samples an oscillator advances by table before its angle is computed anew.
const BLOCK: usize = 32;

/// Sum of products over the common length.
#[multiversion(targets = "simd")]
pub(crate) fn dot(x: &[f64], y: &[f64]) -> f64 {
    let n = x.len().min(y.len());
    let (x_chunks, x_rest) = x[..n].as_chunks::<LANES>();
    let (y_chunks, y_rest) = y[..n].as_chunks::<LANES>();
    let mut lanes = [0.0; LANES];
    for (p, q) in x_chunks.iter().zip(y_chunks) {
        for lane in 0..LANES {
            lanes[lane] += p[lane] * q[lane];
        }
    }
    let rest: f64 = x_rest.iter().zip(y_rest).map(|(p, q)| p * q).sum();
    total(lanes) + rest
}

/// The sum of all lanes.
#[inline]
fn total(lanes: [f64; LANES]) -> f64 {
    let even = (lanes[0] + lanes[4]) + (lanes[2] + lanes[6]);
    let odd = (lanes[1] + lanes[5]) + (lanes[3] + lanes[7]);
    even + odd
}

/// The sums x x, y y and x y over the common length, each as [`dot`] has it, reading once.
#[multiversion(targets = "simd")]
pub(crate) fn dots(x: &[f64], y: &[f64]) -> [f64; 3] {
    let n = x.len().min(y.len());
    let (x_chunks, x_rest) = x[..n].as_chunks::<LANES>();
    let (y_chunks, y_rest) = y[..n].as_chunks::<LANES>();
    let [mut xx, mut yy, mut xy] = [[0.0; LANES]; 3];
    for (p, q) in x_chunks.iter().zip(y_chunks) {
        for lane in 0..LANES {
            xx[lane] += p[lane] * p[lane];
            yy[lane] += q[lane] * q[lane];
            xy[lane] += p[lane] * q[lane];
        }
    }
    let rest = |a: &[f64], b: &[f64]| -> f64 { a.iter().zip(b).map(|(p, q)| p * q).sum() };
    [
        total(xx) + rest(x_rest, x_rest),
        total(yy) + rest(y_rest, y_rest),
        total(xy) + rest(x_rest, y_rest),
    ]
}

/// The sums x c and x s over the common length, each as [`dot`] has it, reading once.
#[multiversion(targets = "simd")]
pub(crate) fn turned(x: &[f64], cos: &[f64], sin: &[f64]) -> [f64; 2] {
    let n = x.len().min(cos.len()).min(sin.len());
    let (x_chunks, x_rest) = x[..n].as_chunks::<LANES>();
    let (cos_chunks, cos_rest) = cos[..n].as_chunks::<LANES>();
    let (sin_chunks, sin_rest) = sin[..n].as_chunks::<LANES>();
    let [mut xc, mut xs] = [[0.0; LANES]; 2];
    for ((p, c), s) in x_chunks.iter().zip(cos_chunks).zip(sin_chunks) {
        for lane in 0..LANES {
            xc[lane] += p[lane] * c[lane];
            xs[lane] += p[lane] * s[lane];
        }
    }
    let rest = |a: &[f64], b: &[f64]| -> f64 { a.iter().zip(b).map(|(p, q)| p * q).sum() };
    [total(xc) + rest(x_rest, cos_rest), total(xs) + rest(x_rest, sin_rest)]
}

/// Fills `cos` and `sin` with `count` values at the angles `start + k * step` (radians).
///
/// The angle is computed anew every [`BLOCK`] values, so errors do not grow with `count`.
pub(crate) fn oscillate(
    start: f64,
    step: f64,
    count: usize,
    cos: &mut Vec<f64>,
    sin: &mut Vec<f64>,
) {
    let mut within = [(0.0, 0.0); BLOCK];
    for (k, entry) in within.iter_mut().enumerate() {
        let (s, c) = libm::sincos(step * k as f64);
        *entry = (c, s);
    }
    cos.resize(count, 0.0);
    sin.resize(count, 0.0);
    let blocks = cos.chunks_mut(BLOCK).zip(sin.chunks_mut(BLOCK));
    for (block, (cos, sin)) in blocks.enumerate() {
        let (s0, c0) = libm::sincos(start + step * (block * BLOCK) as f64);
        turn(&within, (c0, s0), cos, sin);
    }
}

/// The same for no more than some cycles: two angles are computed and multiplied out, each value by
/// at most a few products and one more for every [`BLOCK`] before it.
pub(crate) fn oscillate_briefly(
    start: f64,
    step: f64,
    count: usize,
    cos: &mut Vec<f64>,
    sin: &mut Vec<f64>,
) {
    let product =
        |(c0, s0): (f64, f64), (c1, s1): (f64, f64)| (c0 * c1 - s0 * s1, s0 * c1 + c0 * s1);
    let mut within = [(1.0, 0.0); BLOCK];
    let (s, c) = libm::sincos(step);
    within[1] = (c, s);
    for k in 2..BLOCK {
        within[k] = product(within[k / 2], within[k - k / 2]);
    }
    let onward = product(within[BLOCK / 2], within[BLOCK / 2]);
    let (s, c) = libm::sincos(start);
    let mut at = (c, s);
    cos.resize(count, 0.0);
    sin.resize(count, 0.0);
    for (cos, sin) in cos.chunks_mut(BLOCK).zip(sin.chunks_mut(BLOCK)) {
        turn(&within, at, cos, sin);
        at = product(at, onward);
    }
}

/// Cosines and sines of a sum of two angles.
#[multiversion(targets = "simd")]
fn turn(within: &[(f64, f64); BLOCK], (c0, s0): (f64, f64), cos: &mut [f64], sin: &mut [f64]) {
    for (((c, s), cos), sin) in within.iter().zip(cos).zip(sin) {
        *cos = c0 * c - s0 * s;
        *sin = s0 * c + c0 * s;
    }
}

/// An angle brought into -pi..=pi.
pub(crate) fn wrap(angle_rad: f64) -> f64 {
    let turns = angle_rad / std::f64::consts::TAU;
    (turns - turns.round()) * std::f64::consts::TAU
}

/// An angle in degrees, -180..=180.
pub(crate) fn degrees(angle_rad: f64) -> f64 {
    wrap(angle_rad).to_degrees()
}

/// The modified Bessel function I0, by its power series (all terms positive: no cancellation).
pub(crate) fn bessel_i0(x: f64) -> f64 {
    let quarter = 0.25 * x * x;
    let mut term = 1.0;
    let mut sum = 1.0;
    for k in 1..60 {
        term *= quarter / f64::from(k * k);
        sum += term;
        if term < 1e-18 * sum {
            break;
        }
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_oscillator_stays_on_its_angle() {
        let (mut cos, mut sin) = (Vec::new(), Vec::new());
        oscillate(0.3, 0.0402, 5000, &mut cos, &mut sin);
        for k in [0, 1, 31, 32, 33, 1000, 4999] {
            let angle = 0.3 + 0.0402 * k as f64;
            assert!((cos[k] - angle.cos()).abs() < 1e-14 * angle.max(1.0), "cosine {k}");
            assert!((sin[k] - angle.sin()).abs() < 1e-14 * angle.max(1.0), "sine {k}");
        }
        assert_eq!((cos.len(), sin.len()), (5000, 5000));
        oscillate_briefly(0.3, 0.0402, 5000, &mut cos, &mut sin);
        for k in [0, 1, 31, 32, 33, 1000, 4999] {
            let angle = 0.3 + 0.0402 * k as f64;
            assert!((cos[k] - angle.cos()).abs() < 1e-13, "cosine {k}");
            assert!((sin[k] - angle.sin()).abs() < 1e-13, "sine {k}");
        }
    }

    #[test]
    fn the_sum_of_products_counts_every_element_once() {
        for n in 0..40_u32 {
            let x: Vec<f64> = (0..n).map(f64::from).collect();
            let squares = f64::from(n) * (f64::from(n) - 1.0) * (2.0 * f64::from(n) - 1.0) / 6.0;
            assert_eq!(dot(&x, &x), squares.max(0.0));
        }
    }

    #[test]
    fn sums_made_together_or_by_plain_code_are_the_same_to_the_last_bit() {
        let value = |k: usize| libm::sin(k as f64 * 1.37) * 10f64.powi((k % 7) as i32);
        for n in [0, 1, 7, 8, 9, 100, 1003] {
            let list = |from: usize| (from..from + n).map(value).collect::<Vec<f64>>();
            let (x, y, z) = (list(3), list(50), list(77));
            // One lane after another, so without vector units whatever the processor has.
            let plain = |x: &[f64], y: &[f64]| {
                let whole = n / LANES * LANES;
                let lane = |lane: usize| {
                    (lane..whole).step_by(LANES).fold(0.0, |sum, k| sum + x[k] * y[k])
                };
                let l: [f64; LANES] = std::array::from_fn(lane);
                let rest: f64 = (whole..n).map(|k| x[k] * y[k]).sum();
                ((l[0] + l[4]) + (l[2] + l[6])) + ((l[1] + l[5]) + (l[3] + l[7])) + rest
            };
            assert_eq!(dot(&x, &y), plain(&x, &y));
            assert_eq!(dots(&x, &y), [plain(&x, &x), plain(&y, &y), plain(&x, &y)]);
            assert_eq!(turned(&x, &y, &z), [plain(&x, &y), plain(&x, &z)]);
        }
    }

    #[test]
    fn bessel_agrees_with_tabulated_values() {
        // Abramowitz and Stegun, table 9.8 (9.11): I0(1), I0(5), I0(10).
        assert!((bessel_i0(1.0) - 1.266_065_877_752_008_3).abs() < 1e-15);
        assert!((bessel_i0(5.0) / 27.239_871_823_604_44 - 1.0).abs() < 1e-14);
        assert!((bessel_i0(10.0) / 2_815.716_628_466_254 - 1.0).abs() < 1e-14);
    }
}
