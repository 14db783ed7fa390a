//! Sums and oscillators whose result is the same on every processor.
//!
//! Sums run in eight fixed lanes without fused multiply-add; sine and cosine come from a portable
//! library, not from the system's, whose last bit depends on the processor.

use multiversion::multiversion;

/// Number of partial sums of [`dot`]; part of the result, so it never depends on the machine.
const LANES: usize = 8;

/// Samples an oscillator advances by a table, and blocks of them by another.
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
    // Through memory: a compiler that sees these pairs would also sum the lanes in pairs, two at a
    // time where there are registers for eight.
    let lanes = std::hint::black_box(lanes);
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

/// The sums u u, i i, u i, u c, u s, i c and i s over the common length of a voltage, a current, a
/// cosine and a sine, each as [`dot`] has it, reading once.
#[multiversion(targets = "simd")]
pub(crate) fn phase_sums(u: &[f64], i: &[f64], cos: &[f64], sin: &[f64]) -> [f64; 7] {
    let n = u.len().min(i.len()).min(cos.len()).min(sin.len());
    let (u_chunks, u_rest) = u[..n].as_chunks::<LANES>();
    let (i_chunks, i_rest) = i[..n].as_chunks::<LANES>();
    let (cos_chunks, cos_rest) = cos[..n].as_chunks::<LANES>();
    let (sin_chunks, sin_rest) = sin[..n].as_chunks::<LANES>();
    let [mut uu, mut ii, mut ui, mut uc, mut us, mut ic, mut is] = [[0.0; LANES]; 7];
    for (((u, i), c), s) in u_chunks.iter().zip(i_chunks).zip(cos_chunks).zip(sin_chunks) {
        for lane in 0..LANES {
            uu[lane] += u[lane] * u[lane];
            ii[lane] += i[lane] * i[lane];
            ui[lane] += u[lane] * i[lane];
            uc[lane] += u[lane] * c[lane];
            us[lane] += u[lane] * s[lane];
            ic[lane] += i[lane] * c[lane];
            is[lane] += i[lane] * s[lane];
        }
    }
    let rest = |a: &[f64], b: &[f64]| -> f64 { a.iter().zip(b).map(|(p, q)| p * q).sum() };
    [
        total(uu) + rest(u_rest, u_rest),
        total(ii) + rest(i_rest, i_rest),
        total(ui) + rest(u_rest, i_rest),
        total(uc) + rest(u_rest, cos_rest),
        total(us) + rest(u_rest, sin_rest),
        total(ic) + rest(i_rest, cos_rest),
        total(is) + rest(i_rest, sin_rest),
    ]
}

/// The sums x y, y z and z x over the common length, each as [`dot`] has it, reading once.
#[multiversion(targets = "simd")]
pub(crate) fn mixed(x: &[f64], y: &[f64], z: &[f64]) -> [f64; 3] {
    let n = x.len().min(y.len()).min(z.len());
    let (x_chunks, x_rest) = x[..n].as_chunks::<LANES>();
    let (y_chunks, y_rest) = y[..n].as_chunks::<LANES>();
    let (z_chunks, z_rest) = z[..n].as_chunks::<LANES>();
    let [mut xy, mut yz, mut zx] = [[0.0; LANES]; 3];
    for ((x, y), z) in x_chunks.iter().zip(y_chunks).zip(z_chunks) {
        for lane in 0..LANES {
            xy[lane] += x[lane] * y[lane];
            yz[lane] += y[lane] * z[lane];
            zx[lane] += z[lane] * x[lane];
        }
    }
    let rest = |a: &[f64], b: &[f64]| -> f64 { a.iter().zip(b).map(|(p, q)| p * q).sum() };
    [
        total(xy) + rest(x_rest, y_rest),
        total(yz) + rest(y_rest, z_rest),
        total(zx) + rest(z_rest, x_rest),
    ]
}

/// The sums w c, w s, d c, d s, x and x x over the length of `x`, where w and d are x weighted by a
/// window of three terms and by its derivative: of the window's own cosine and sine, `frame`, and
/// of those it is demodulated with. Nothing comes of lists that are shorter.
#[multiversion(targets = "simd")]
pub(crate) fn windowed(
    x: &[f64],
    frame: (&[f64], &[f64]),
    (cos, sin): (&[f64], &[f64]),
    terms: [f64; 3],
) -> [f64; 6] {
    let lists = [x, frame.0, frame.1, cos, sin];
    let mut rest = [[0.0; LANES]; 5];
    let whole = x.len() / LANES * LANES;
    for (rest, list) in rest.iter_mut().zip(lists) {
        let Some(list) = list.get(whole..x.len()) else { return [0.0; 6] };
        rest[..list.len()].copy_from_slice(list);
    }
    let [x, frame_cos, frame_sin, cos, sin] = lists.map(|list| list[..whole].as_chunks().0);
    let mut sums = [[0.0; LANES]; 6];
    let chunks = x.iter().zip(frame_cos).zip(frame_sin).zip(cos).zip(sin);
    for ((((x, frame_cos), frame_sin), cos), sin) in chunks {
        weigh([x, frame_cos, frame_sin, cos, sin], terms, &mut sums);
    }
    weigh(rest.each_ref(), terms, &mut sums);
    sums.map(total)
}

/// Adds to the sums of [`windowed`].
#[expect(clippy::inline_always, reason = "only inside has it the vector units its caller has")]
#[inline(always)]
fn weigh(
    [x, frame_cos, frame_sin, cos, sin]: [&[f64; LANES]; 5],
    [mean, first, second]: [f64; 3],
    [wc, ws, dc, ds, plain, square]: &mut [[f64; LANES]; 6],
) {
    let [mut w, mut d] = [[0.0; LANES]; 2];
    for lane in 0..LANES {
        let c = frame_cos[lane];
        w[lane] = x[lane] * (mean - first * c + second * (2.0 * c * c - 1.0));
    }
    for lane in 0..LANES {
        d[lane] = x[lane] * frame_sin[lane] * (first - 4.0 * second * frame_cos[lane]);
    }
    for lane in 0..LANES {
        wc[lane] += w[lane] * cos[lane];
        ws[lane] += w[lane] * sin[lane];
        dc[lane] += d[lane] * cos[lane];
        ds[lane] += d[lane] * sin[lane];
        plain[lane] += x[lane];
        square[lane] += x[lane] * x[lane];
    }
}

/// Cosine and sine of an angle in radians.
#[inline]
pub(crate) fn direction(angle_rad: f64) -> (f64, f64) {
    let (sin, cos) = libm::sincos(angle_rad);
    (cos, sin)
}

/// Cosine and sine of the sum of two angles.
#[inline]
pub(crate) fn product((c0, s0): (f64, f64), (c1, s1): (f64, f64)) -> (f64, f64) {
    (c0 * c1 - s0 * s1, s0 * c1 + c0 * s1)
}

/// Samples that [`tone`] turns by one angle: the lanes' own angles are put in once, at the end.
const ROW: usize = 2 * LANES;

/// Rows whose angles are made from one another before one is taken from the group before.
const ROWS: usize = 8;

/// The powers of a direction up to the number of them less one, each of few products.
#[inline]
fn powers<const COUNT: usize>(of: (f64, f64)) -> [(f64, f64); COUNT] {
    let mut powers = [(1.0, 0.0); COUNT];
    powers[1] = of;
    for k in 2..COUNT {
        powers[k] = product(powers[k / 2], powers[k - k / 2]);
    }
    powers
}

/// The sums over k of x cos(k a), x sin(k a) and x x, where `step` is the direction of the angle a:
/// one reading, and an angle for every [`ROW`] samples only.
#[multiversion(targets = "simd")]
pub(crate) fn tone(x: &[f64], step: (f64, f64)) -> [f64; 3] {
    let within: [(f64, f64); ROW] = powers(step);
    let next = product(within[ROW / 2], within[ROW / 2]);
    let rows: [(f64, f64); ROWS] = powers(next);
    let onward = product(rows[ROWS / 2], rows[ROWS / 2]);
    let mut at = (1.0, 0.0);
    let [mut re, mut im, mut square] = [[0.0; ROW]; 3];
    for group in x.chunks(ROW * ROWS) {
        let (whole, rest) = group.as_chunks::<ROW>();
        let mut last = [0.0; ROW];
        last[..rest.len()].copy_from_slice(rest);
        let last = (!rest.is_empty()).then_some(&last);
        for (row, x) in rows.iter().zip(whole.iter().chain(last)) {
            let (c, s) = product(at, *row);
            for lane in 0..ROW {
                re[lane] += x[lane] * c;
                im[lane] += x[lane] * s;
                square[lane] += x[lane] * x[lane];
            }
        }
        at = product(at, onward);
    }
    let [re, im, square] = std::hint::black_box([re, im, square]);
    let [mut turned_re, mut turned_im] = [[0.0; ROW]; 2];
    for lane in 0..ROW {
        let (c, s) = within[lane];
        turned_re[lane] = re[lane] * c - im[lane] * s;
        turned_im[lane] = re[lane] * s + im[lane] * c;
    }
    [turned_re, turned_im, square]
        .map(|sums: [f64; ROW]| total(std::array::from_fn(|lane| sums[lane] + sums[lane + LANES])))
}

/// Fills `cos` and `sin` with `count` values at the angles `start + k * step` (radians).
///
/// The angle is computed anew every [`BLOCK`] blocks, so errors do not grow with `count`.
pub(crate) fn oscillate(
    start: f64,
    step: f64,
    count: usize,
    cos: &mut Vec<f64>,
    sin: &mut Vec<f64>,
) {
    let within: [(f64, f64); BLOCK] = powers(direction(step));
    let within = [within.map(|(c, _)| c), within.map(|(_, s)| s)];
    let blocks: [(f64, f64); BLOCK] = powers(direction(step * BLOCK as f64));
    cos.resize(count, 0.0);
    sin.resize(count, 0.0);
    let groups = cos.chunks_mut(BLOCK * BLOCK).zip(sin.chunks_mut(BLOCK * BLOCK));
    for (group, (cos, sin)) in groups.enumerate() {
        let at = direction(start + step * (group * BLOCK * BLOCK) as f64);
        let parts = cos.chunks_mut(BLOCK).zip(sin.chunks_mut(BLOCK));
        for ((cos, sin), block) in parts.zip(&blocks) {
            turn(&within, product(at, *block), cos, sin);
        }
    }
}

/// Cosines and sines of a sum of two angles.
#[multiversion(targets = "simd")]
fn turn(within: &[[f64; BLOCK]; 2], (c0, s0): (f64, f64), cos: &mut [f64], sin: &mut [f64]) {
    let [within_cos, within_sin] = within;
    for (((c, s), cos), sin) in within_cos.iter().zip(within_sin).zip(cos).zip(sin) {
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

/// A quotient; `None` where there is nothing to divide by.
pub(crate) fn ratio(part: f64, whole: f64) -> Option<f64> {
    (whole > 0.0).then(|| part / whole)
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
    }

    #[test]
    fn a_tone_is_summed_by_its_definition_and_bit_identical_to_plain_code() {
        for n in [0, 1, 15, 16, 17, 127, 128, 129, 400, 20_011] {
            let x: Vec<f64> = (0..n).map(|k| (k as f64 * 1.37).sin() + 0.1).collect();
            for step in [0.001, 0.0157, 0.3, 2.9] {
                let [re, im, square] = tone(&x, direction(step));
                let angle = |k: usize| step * k as f64;
                let sum = |value: &dyn Fn(usize) -> f64| (0..n).map(value).sum::<f64>();
                let tolerance = 1e-14 * (n as f64).powi(2).max(100.0);
                assert!((re - sum(&|k| x[k] * angle(k).cos())).abs() < tolerance, "{n} {step}");
                assert!((im - sum(&|k| x[k] * angle(k).sin())).abs() < tolerance, "{n} {step}");
                assert!((square - sum(&|k| x[k] * x[k])).abs() < tolerance, "{n} {step}");
                assert_eq!([re, im, square], plain_tone(&x, direction(step)), "{n} {step}");
            }
        }
    }

    /// One lane after another, so without vector units whatever the processor has.
    fn plain_tone(x: &[f64], step: (f64, f64)) -> [f64; 3] {
        let turn = step;
        let mut powers = vec![(1.0, 0.0), turn];
        for l in 2..=ROW {
            powers.push(product(powers[l / 2], powers[l - l / 2]));
        }
        let mut rows = vec![(1.0, 0.0), powers[ROW]];
        for b in 2..=ROWS {
            rows.push(product(rows[b / 2], rows[b - b / 2]));
        }
        let [mut re, mut im, mut square] = [[0.0; ROW]; 3];
        for lane in 0..ROW {
            let mut at = (1.0, 0.0);
            for group in x.chunks(ROW * ROWS) {
                for (row, x) in group.chunks(ROW).enumerate() {
                    let (c, s) = product(at, rows[row]);
                    let x = x.get(lane).copied().unwrap_or(0.0);
                    re[lane] += x * c;
                    im[lane] += x * s;
                    square[lane] += x * x;
                }
                at = product(at, rows[ROWS]);
            }
        }
        let fold = |of: &dyn Fn(usize) -> f64| {
            let l: [f64; LANES] = std::array::from_fn(|lane| of(lane) + of(lane + LANES));
            ((l[0] + l[4]) + (l[2] + l[6])) + ((l[1] + l[5]) + (l[3] + l[7]))
        };
        [
            fold(&|l| re[l] * powers[l].0 - im[l] * powers[l].1),
            fold(&|l| re[l] * powers[l].1 + im[l] * powers[l].0),
            fold(&|l| square[l]),
        ]
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
            let (x, y, z, w) = (list(3), list(50), list(77), list(20));
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
            let sums = [(&x, &x), (&y, &y), (&x, &y), (&x, &z), (&x, &w), (&y, &z), (&y, &w)];
            assert_eq!(phase_sums(&x, &y, &z, &w), sums.map(|(a, b)| plain(a, b)));
            assert_eq!(mixed(&x, &y, &z), [plain(&x, &y), plain(&y, &z), plain(&z, &x)]);
        }
    }

    #[test]
    fn windowed_sums_are_what_they_stand_for() {
        for n in [0, 1, 7, 8, 9, 100, 1003] {
            let list =
                |step: f64| (0..n).map(|k| (step * k as f64).sin() + 0.1).collect::<Vec<_>>();
            let lists = [0.31, 0.007, 0.009, 0.08, 0.11].map(list);
            let [x, c, s, cos, sin] = lists.each_ref().map(Vec::as_slice);
            let sum = |of: &dyn Fn(usize) -> f64| (0..n).map(of).sum::<f64>();
            let (a, b, d) = (0.4, 0.5, 0.1);
            // a - b cos + d cos 2, of which the derivative is b sin - 2 d sin 2.
            let window = |k: usize| x[k] * (a - b * c[k] + d * (2.0 * c[k].powi(2) - 1.0));
            let slope = |k: usize| x[k] * (b * s[k] - 2.0 * d * (2.0 * s[k] * c[k]));
            let expected = [
                sum(&|k| window(k) * cos[k]),
                sum(&|k| window(k) * sin[k]),
                sum(&|k| slope(k) * cos[k]),
                sum(&|k| slope(k) * sin[k]),
                sum(&|k| x[k]),
                sum(&|k| x[k] * x[k]),
            ];
            let found = windowed(x, (c, s), (cos, sin), [a, b, d]);
            for (found, expected) in found.iter().zip(expected) {
                assert!((found - expected).abs() < 1e-11, "{n}: {found} {expected}");
            }
        }
        assert_eq!(
            windowed(&[1.0; 9], (&[1.0; 9], &[1.0; 8]), (&[1.0; 9], &[1.0; 9]), [1.0; 3]),
            [0.0; 6]
        );
    }

    #[test]
    fn bessel_agrees_with_tabulated_values() {
        // Abramowitz and Stegun, table 9.8 (9.11): I0(1), I0(5), I0(10).
        assert!((bessel_i0(1.0) - 1.266_065_877_752_008_3).abs() < 1e-15);
        assert!((bessel_i0(5.0) / 27.239_871_823_604_44 - 1.0).abs() < 1e-14);
        assert!((bessel_i0(10.0) / 2_815.716_628_466_254 - 1.0).abs() < 1e-14);
    }
}
