//! Closed forms of the corrections.

/// The factor that makes the reported value the reference one; `None` where nothing determines
/// it: no value, opposite signs, no number.
pub fn gain(reported: f64, reference: f64) -> Option<f64> {
    let factor = reference / reported;
    (factor.is_finite() && factor > 0.0).then_some(factor)
}

/// By how much, in radians, the current has to come later, so that the reported active power is
/// that of the reference meter, with the gains right already.
///
/// The reference is `P = S cos(phi)` and `Q = S sin(phi)`. A meter whose current leads by `d`
/// reports `S cos(phi - d)`, so `d = phi - acos(P_reported / S)`, with the sign of `phi`. Nothing
/// can be found at unity power factor, where the power hardly depends on the angle: `None` there
/// (below a `phi` of 6 degrees), and where the power is more than the apparent one.
pub fn delay_rad(reported_w: f64, reference_w: f64, reference_var: f64) -> Option<f64> {
    let apparent_va = libm::hypot(reference_w, reference_var);
    let phi = libm::atan2(reference_var, reference_w);
    let cosine = reported_w / apparent_va;
    if !(phi.abs() > 0.1 && (-1.0..=1.0).contains(&cosine)) {
        return None;
    }
    let seen = libm::copysign(libm::acos(cosine), phi);
    Some(phi - seen)
}

/// What has to be added to the square of the reported RMS value, in parts of the full scale's.
pub fn square_offset(reported: f64, reference: f64, full_scale: f64) -> Option<f64> {
    let part = (reference - reported) * (reference + reported) / (full_scale * full_scale);
    part.is_finite().then_some(part)
}

/// What has to be added to the reported active power, in parts of the full scale's.
pub fn active_offset(reported_w: f64, reference_w: f64, full_scale_w: f64) -> Option<f64> {
    let part = (reference_w - reported_w) / full_scale_w;
    part.is_finite().then_some(part)
}

/// The straight line of least squares through points.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Line {
    /// Rise of y per x.
    pub gain: f64,
    /// y where x is zero.
    pub offset: f64,
    /// Standard deviation of the points about it, with two degrees of freedom gone.
    pub residual: f64,
    /// Standard uncertainty of the gain from that scatter.
    pub gain_uncertainty: f64,
    /// Standard uncertainty of the offset from that scatter.
    pub offset_uncertainty: f64,
    /// How many points.
    pub points: usize,
}

impl Line {
    /// The line through the pairs `(x, y)`; `None` with fewer than three of them, where all have
    /// one x, or where one is no number.
    pub fn through(pairs: &[(f64, f64)]) -> Option<Self> {
        let n = pairs.len();
        if n < 3 {
            return None;
        }
        let count = n as f64;
        let mean = |of: fn(&(f64, f64)) -> f64| pairs.iter().map(of).sum::<f64>() / count;
        let (x_mean, y_mean) = (mean(|pair| pair.0), mean(|pair| pair.1));
        let (mut xx, mut xy) = (0.0, 0.0);
        for (x, y) in pairs {
            xx += (x - x_mean) * (x - x_mean);
            xy += (x - x_mean) * (y - y_mean);
        }
        let gain = xy / xx;
        let offset = y_mean - gain * x_mean;
        let squares = pairs.iter().map(|(x, y)| {
            let away = y - (gain * x + offset);
            away * away
        });
        let residual = (squares.sum::<f64>() / (count - 2.0)).sqrt();
        let gain_uncertainty = residual / xx.sqrt();
        let offset_uncertainty = residual * (1.0 / count + x_mean * x_mean / xx).sqrt();
        let line = Self { gain, offset, residual, gain_uncertainty, offset_uncertainty, points: n };
        (gain.is_finite() && offset.is_finite() && residual.is_finite()).then_some(line)
    }
}
