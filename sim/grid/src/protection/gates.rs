//! Gates of gG fuse-links.

use super::{Curve, SettingError};

/// Between which currents the characteristic of a gG fuse-link passes. IEC 60269-1, table of the
/// gates for pre-arcing and operating times, and IEC 60269-2, `I^2 t` of the pre-arcing at 0.01 s.
/// Values unverified; those of each rating fit those of the rating 1.6 times as large, which makes
/// such a pair selective.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct GgGates {
    /// Rated current, in amperes.
    pub rated_a: f64,
    /// Conventional time, in seconds: at 1.25 times the rated current it does not operate in it,
    /// at 1.6 times it does.
    pub conventional_s: f64,
    /// It does not melt in 10 s at this current, in amperes.
    pub min_10_s_a: f64,
    /// It has operated after 5 s at this current, in amperes.
    pub max_5_s_a: f64,
    /// It does not melt in 0.1 s at this current, in amperes.
    pub min_100_ms_a: f64,
    /// It has operated after 0.1 s at this current, in amperes.
    pub max_100_ms_a: f64,
    /// Least pre-arcing `I^2 t` at 0.01 s, in A²s.
    pub min_square_time_a2s: f64,
    /// Largest pre-arcing `I^2 t` at 0.01 s, in A²s.
    pub max_square_time_a2s: f64,
}

/// Rating, the four gates in the order of the fields, both `I^2 t`.
const GATES: [[f64; 7]; 11] = [
    [16.0, 33.0, 65.0, 85.0, 150.0, 300.0, 1000.0],
    [20.0, 42.0, 85.0, 110.0, 200.0, 500.0, 1800.0],
    [25.0, 52.0, 110.0, 150.0, 260.0, 1000.0, 3000.0],
    [32.0, 75.0, 150.0, 200.0, 350.0, 1800.0, 5000.0],
    [40.0, 95.0, 190.0, 260.0, 450.0, 3000.0, 9000.0],
    [50.0, 125.0, 250.0, 350.0, 610.0, 5000.0, 16_000.0],
    [63.0, 160.0, 320.0, 450.0, 820.0, 9000.0, 27_000.0],
    [80.0, 215.0, 425.0, 610.0, 1100.0, 16_000.0, 46_000.0],
    [100.0, 290.0, 580.0, 820.0, 1450.0, 27_000.0, 86_000.0],
    [125.0, 355.0, 715.0, 1100.0, 1910.0, 46_000.0, 140_000.0],
    [160.0, 460.0, 950.0, 1450.0, 2590.0, 86_000.0, 250_000.0],
];

impl GgGates {
    /// Those of a rated current in amperes, if it is one of 16, 20, 25, 32, 40, 50, 63, 80, 100,
    /// 125 and 160 A.
    pub fn of_rating(rated_a: f64) -> Option<Self> {
        Self::all().find(|gates| gates.rated_a == rated_a)
    }

    /// Of all ratings, by rising current.
    pub fn all() -> impl Iterator<Item = Self> {
        GATES.iter().map(|&[rated_a, min_10, max_5, min_100, max_100, min_square, max_square]| {
            Self {
                rated_a,
                conventional_s: if rated_a <= 63.0 { 3600.0 } else { 7200.0 },
                min_10_s_a: min_10,
                max_5_s_a: max_5,
                min_100_ms_a: min_100,
                max_100_ms_a: max_100,
                min_square_time_a2s: min_square,
                max_square_time_a2s: max_square,
            }
        })
    }

    /// A melting curve that passes the gates: at `position` 0 the fastest, at 1 the slowest, in
    /// between by logarithmic interpolation. Below 0.01 s its `I^2 t` is constant.
    ///
    /// # Errors
    /// If the position is outside 0 to 1.
    pub fn melting(&self, position: f64) -> Result<Curve, SettingError> {
        if !(0.0..=1.0).contains(&position) {
            return Err(SettingError::new("position between the gates", &position, "0 to 1"));
        }
        let between = |from: f64, to: f64| from * libm::pow(to / from, position);
        let at_10_ms = |square_time: f64| (square_time / 0.01).sqrt();
        let points = vec![
            (between(1.25 * self.rated_a, 1.6 * self.rated_a), self.conventional_s),
            (between(self.min_10_s_a, self.max_5_s_a), between(10.0, 5.0)),
            (between(self.min_100_ms_a, self.max_100_ms_a), 0.1),
            (between(at_10_ms(self.min_square_time_a2s), at_10_ms(self.max_square_time_a2s)), 0.01),
        ];
        Curve::table(points)
    }
}
