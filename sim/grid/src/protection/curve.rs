//! Time-current curves.

use super::{SettingError, above_zero, not_negative, points};

/// The shape of an inverse-time curve: `t = k / (M^alpha - 1) + c` for a multiplier of 1, where M
/// is the current over the pick-up current, and counts up to 20. IEC 60255-151, table A.1, and IEEE
/// C37.112, table 1 (constants unverified).
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Characteristic {
    /// Curve A of IEC 60255-151, standard inverse.
    StandardInverse,
    /// Curve B of IEC 60255-151, very inverse.
    VeryInverse,
    /// Curve C of IEC 60255-151, extremely inverse.
    ExtremelyInverse,
    /// Curve D of IEC 60255-151, moderately inverse of IEEE C37.112.
    IeeeModeratelyInverse,
    /// Curve E of IEC 60255-151, very inverse of IEEE C37.112.
    IeeeVeryInverse,
    /// Curve F of IEC 60255-151, extremely inverse of IEEE C37.112.
    IeeeExtremelyInverse,
}

impl Characteristic {
    /// k in seconds, alpha, c in seconds.
    fn constants(self) -> [f64; 3] {
        match self {
            Self::StandardInverse => [0.14, 0.02, 0.0],
            Self::VeryInverse => [13.5, 1.0, 0.0],
            Self::ExtremelyInverse => [80.0, 2.0, 0.0],
            Self::IeeeModeratelyInverse => [0.0515, 0.02, 0.114],
            Self::IeeeVeryInverse => [19.61, 2.0, 0.491],
            Self::IeeeExtremelyInverse => [28.2, 2.0, 0.1217],
        }
    }
}

/// Above so many times the setting the time stays as it is there: the threshold of the effective
/// range, `G_D`, of IEC 60255-151.
const MULTIPLE_MAX: f64 = 20.0;

/// After what time a device operates at a constant current.
#[derive(Clone, Debug, PartialEq)]
pub struct Curve {
    shape: Shape,
}

#[derive(Clone, Debug, PartialEq)]
enum Shape {
    Inverse { characteristic: Characteristic, pickup_a: f64, multiplier: f64 },
    Definite { pickup_a: f64, time_s: f64 },
    Table { points: Vec<(f64, f64)> },
}

impl Curve {
    /// An inverse-time curve. It operates at currents above the pick-up current, in amperes.
    ///
    /// # Errors
    /// If the pick-up current or the time multiplier is not finite and above zero.
    pub fn inverse(
        characteristic: Characteristic,
        pickup_a: f64,
        multiplier: f64,
    ) -> Result<Self, SettingError> {
        above_zero("pick-up current in A", pickup_a)?;
        above_zero("time multiplier", multiplier)?;
        Ok(Self { shape: Shape::Inverse { characteristic, pickup_a, multiplier } })
    }

    /// The same time, in seconds, at each current above the pick-up current, in amperes.
    ///
    /// # Errors
    /// If the pick-up current is not above zero, or the time is negative.
    pub fn definite(pickup_a: f64, time_s: f64) -> Result<Self, SettingError> {
        above_zero("pick-up current in A", pickup_a)?;
        not_negative("operating time in s", time_s)?;
        Ok(Self { shape: Shape::Definite { pickup_a, time_s } })
    }

    /// Points of a current in amperes and a time in seconds, straight lines on logarithmic axes
    /// between them. The curve operates from the first current on, and above the last one with
    /// constant `I^2 t`, as a fuse element that melts before heat leaves it. A fuse's times below
    /// 0.1 s are virtual ones, `I^2 t` over the square of the current (IEC 60269-1).
    ///
    /// # Errors
    /// If there are fewer than two points, a value is not finite and above zero, the currents do
    /// not rise from point to point, or a time is above the one before.
    pub fn table(points: Vec<(f64, f64)>) -> Result<Self, SettingError> {
        if points.len() < 2 {
            return Err(SettingError::new("number of points", &points.len(), "2 or more"));
        }
        let mut before = (0.0, f64::INFINITY);
        for (number, &(current_a, time_s)) in (1..).zip(&points) {
            let [current, time] =
                ["current in A", "time in s"].map(|it| format!("{it} of point {number}"));
            above_zero(&current, current_a)?;
            above_zero(&time, time_s)?;
            if current_a <= before.0 {
                let expected = format!("more than {} of the point before", before.0);
                return Err(SettingError::new(&current, &current_a, &expected));
            }
            if time_s > before.1 {
                let expected = format!("at most {} of the point before", before.1);
                return Err(SettingError::new(&time, &time_s, &expected));
            }
            before = (current_a, time_s);
        }
        Ok(Self { shape: Shape::Table { points } })
    }

    /// The current from which on it operates, in amperes.
    pub fn pickup_a(&self) -> f64 {
        match &self.shape {
            Shape::Inverse { pickup_a, .. } | Shape::Definite { pickup_a, .. } => *pickup_a,
            Shape::Table { points } => points[0].0,
        }
    }

    /// The time in seconds to operate at a constant current in amperes, if it ever does. The sign
    /// of the current does not matter; at one that is not a number it does not operate.
    pub fn operating_time(&self, current_a: f64) -> Option<f64> {
        let current = current_a.abs();
        let time = match &self.shape {
            Shape::Inverse { characteristic, pickup_a, multiplier } => {
                if current.is_nan() || current <= *pickup_a {
                    return None;
                }
                let [k, alpha, c] = characteristic.constants();
                let multiple = (current / pickup_a).min(MULTIPLE_MAX);
                // Exact also for currents just above the pick-up current.
                multiplier * (k / libm::expm1(alpha * libm::log(multiple)) + c)
            }
            Shape::Definite { pickup_a, time_s } if current > *pickup_a => *time_s,
            Shape::Definite { .. } => return None,
            Shape::Table { points } => within(points, current)?,
        };
        time.is_finite().then_some(time)
    }

    /// Points of the curve for drawing, of currents in amperes and times in seconds, by rising
    /// current; empty unless `0 < from_a <= to_a`.
    pub fn points(&self, from_a: f64, to_a: f64) -> impl Iterator<Item = (f64, f64)> + '_ {
        points(from_a, to_a, self.corners_a(), move |current_a| self.operating_time(current_a))
    }

    /// Currents at which a drawing has to have a point.
    pub(super) fn corners_a(&self) -> Vec<f64> {
        match &self.shape {
            Shape::Inverse { .. } => Vec::new(),
            Shape::Definite { pickup_a, .. } => vec![pickup_a * (1.0 + 1e-9)],
            Shape::Table { points } => points.iter().map(|point| point.0).collect(),
        }
    }
}

/// The time of a table at a current.
fn within(points: &[(f64, f64)], current: f64) -> Option<f64> {
    if current.is_nan() {
        return None;
    }
    let next = points.partition_point(|point| point.0 <= current);
    let (from_a, from_s) = *points.get(next.checked_sub(1)?)?;
    let Some((to_a, to_s)) = points.get(next) else {
        let times = from_a / current;
        return Some(from_s * times * times);
    };
    let share = libm::log(current / from_a) / libm::log(to_a / from_a);
    Some(from_s * libm::exp(share * libm::log(to_s / from_s)))
}
