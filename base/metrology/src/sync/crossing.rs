//! Rising zero crossings at fractional positions, as in the published meter.

/// Half-width of the band around zero, relative to the peak of a sine of the signal's RMS value.
pub const BAND: f64 = 0.2;

/// The band for samples of an RMS value; `None` for silence.
pub(crate) fn band(samples: &[f64]) -> Option<f64> {
    let mean_square = samples.iter().map(|x| x * x).sum::<f64>() / samples.len().max(1) as f64;
    let band = BAND * std::f64::consts::SQRT_2 * mean_square.sqrt();
    (band > 0.0 && band.is_finite()).then_some(band)
}

/// The first rising crossing from sample `from` on: the signal was below the band (of half-width
/// `band`, in the samples' unit), then beyond it.
/// Answers with its position and the first sample beyond the band.
pub fn next(samples: &[f64], from: usize, band: f64) -> Option<(f64, usize)> {
    let mut below = None;
    for (k, x) in samples.iter().enumerate().skip(from) {
        if *x <= -band {
            below = Some(k);
        } else if let (Some(last), true) = (below, *x >= band) {
            return Some((zero(samples, last, k), k));
        }
    }
    None
}

/// Where the straight line through the samples between `last` (below the band) and `first` (beyond
/// it) is zero. The two themselves count where fewer than two lie between.
fn zero(samples: &[f64], last: usize, first: usize) -> f64 {
    let (from, to) = if first - last > 2 { (last + 1, first) } else { (last, first + 1) };
    let near = &samples[from..to];
    let n = near.len() as f64;
    let middle = 0.5 * (n - 1.0);
    let mean = near.iter().sum::<f64>() / n;
    let slope_sum: f64 = near.iter().enumerate().map(|(k, x)| (k as f64 - middle) * x).sum();
    let square_sum = n * (n * n - 1.0) / 12.0;
    let zero = middle - mean * square_sum / slope_sum;
    // Noise may turn the line; the crossing is between the two samples all the same.
    let place = if zero.is_finite() { zero } else { middle };
    (from as f64 + place).clamp(last as f64, first as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_straight_line_crosses_where_it_crosses() {
        let line: Vec<f64> = (0..50).map(|k| 0.3 * (f64::from(k) - 21.37)).collect();
        for band in [0.05, 0.2, 1.0, 5.0] {
            let (position, after) = next(&line, 0, band).expect("a crossing");
            assert!((position - 21.37).abs() < 1e-12, "{band}: {position}");
            assert!(line[after] >= band);
        }
        assert_eq!(next(&line, 0, 7.0), None, "it never was below -7");
        assert_eq!(next(&line, 22, 0.2), None, "it was below before that");
    }

    #[test]
    fn touching_zero_within_the_band_is_no_crossing() {
        // Down, up to just within the band, down again, and at last through it.
        let wave = [-2.0, -1.0, 0.4, -1.0, -2.0, -0.5, 0.5, 2.0];
        let (position, after) = next(&wave, 0, 1.0).expect("a crossing");
        assert_eq!((position, after), (5.5, 7));
        assert_eq!(band(&[0.0; 10]), None);
        assert_eq!(band(&[]), None);
    }
}
