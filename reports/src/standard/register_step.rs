//! The last digit of a meter's energy register, found in what it reported.

/// Joules of a watt-hour, var-seconds of a varhour.
const PER_HOUR: f64 = 3600.0;
/// Powers of ten that a register's last digit is looked for among.
const EXPONENT_MAX: i32 = 9;
const EXPONENT_MIN: i32 = -9;
/// Below this share of a value its last digit is lost in how numbers are stored.
const SHARE_MIN: f64 = 1e-11;

/// The largest step, a power of ten of joules or of watt-hours, that all reported values are
/// multiples of.
#[derive(Clone, Debug)]
pub(super) struct RegisterStep {
    /// Exponents that still fit: of joules, of watt-hours.
    exponents: [Option<i32>; 2],
    first: Option<f64>,
    /// A register that always shows the same has no digit that moves.
    has_moved: bool,
}

impl Default for RegisterStep {
    fn default() -> Self {
        Self { exponents: [Some(EXPONENT_MAX); 2], first: None, has_moved: false }
    }
}

impl RegisterStep {
    /// Takes the next reported value, in joules or var-seconds.
    pub(super) fn add(&mut self, value: f64) {
        if !value.is_finite() {
            return;
        }
        let first = *self.first.get_or_insert(value);
        self.has_moved |= value != first;
        for (base, exponent) in [1.0, PER_HOUR].into_iter().zip(&mut self.exponents) {
            while let Some(tried) = *exponent
                && !is_multiple(value, base * power_of_ten(tried))
            {
                *exponent = (tried > EXPONENT_MIN).then_some(tried - 1);
            }
        }
    }

    /// The step in joules or var-seconds; zero if the values show none.
    pub(super) fn joules(&self) -> f64 {
        if !self.has_moved {
            return 0.0;
        }
        let of = |base: f64, exponent: Option<i32>| {
            exponent.map_or(0.0, |exponent| base * power_of_ten(exponent))
        };
        of(1.0, self.exponents[0]).max(of(PER_HOUR, self.exponents[1]))
    }
}

/// Exact for all exponents that come up here, on any machine.
fn power_of_ten(exponent: i32) -> f64 {
    let power = (0..exponent.abs()).fold(1.0, |power, _| power * 10.0);
    if exponent < 0 { 1.0 / power } else { power }
}

fn is_multiple(value: f64, step: f64) -> bool {
    let count = value / step;
    if count.abs() * SHARE_MIN > 1.0 {
        return false;
    }
    (count - count.round()).abs() <= 8.0 * f64::EPSILON * count.abs()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn step_of(values: &[f64]) -> f64 {
        let mut step = RegisterStep::default();
        for value in values {
            step.add(*value);
        }
        step.joules()
    }

    #[test]
    fn the_last_digit_is_the_largest_step_that_fits_all() {
        // 1 Wh, 3 Wh, 17 Wh; 0.1 Wh; 1 kWh; whole joules; millijoules.
        assert_eq!(step_of(&[0.0, 3600.0, 10_800.0, 61_200.0]), 3600.0);
        assert_eq!(step_of(&[1.1 * 3600.0, 2.3 * 3600.0, 7.9 * 3600.0]), 0.1 * 3600.0);
        assert_eq!(step_of(&[3.6e6, 7.2e6, 2.52e7]), 3.6e6);
        assert_eq!(step_of(&[17.0, 18.0, 1021.0]), 1.0);
        assert_eq!(step_of(&[0.017, 0.018, 1.021]), 1e-3);
        assert_eq!(step_of(&[0.0, 36_000.0, 72_000.0, 75_600.0]), 3600.0);
    }

    #[test]
    fn no_digit_is_seen_where_nothing_moves_or_nothing_is_rounded() {
        assert_eq!(step_of(&[]), 0.0);
        assert_eq!(step_of(&[0.0, 0.0, 0.0]), 0.0);
        assert_eq!(step_of(&[3600.0, 3600.0]), 0.0);
        assert_eq!(step_of(&[f64::NAN, f64::INFINITY, 3600.0]), 0.0);
        let full: Vec<f64> = (1..50).map(|k| 1234.5 * f64::from(k).sqrt()).collect();
        assert!(step_of(&full) < 1e-6, "{}", step_of(&full));
        assert!(step_of(&[1e300, -1e300, 5e-324]).is_finite());
    }
}
