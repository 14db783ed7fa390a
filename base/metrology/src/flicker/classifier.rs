//! Block 5: how long which sensation lasted, and the severity from that.
//!
//! Classes are fractions of a binary octave (1/512 of its start), so a percentile is found to
//! better than 0.2 % before it is interpolated within its class, at any level.

/// Classes per octave, as a power of two.
const CLASS_BITS: u32 = 9;

/// Exponents of the lowest and the first not covered octave: 2^-30 to 2^34.
const OCTAVES: (i64, i64) = (-30, 34);

/// A statistic of Pinst over one interval.
#[derive(Clone, Debug)]
pub(super) struct Classifier {
    counts: Vec<u32>,
    count: u64,
    pub(super) largest: f64,
    /// Where the classes end.
    end: f64,
}

impl Default for Classifier {
    fn default() -> Self {
        let classes = ((OCTAVES.1 - OCTAVES.0) << CLASS_BITS) as usize;
        Self { counts: vec![0; classes], count: 0, largest: 0.0, end: f64::INFINITY }
    }
}

/// Lower bound of a class.
fn bound(class: usize) -> f64 {
    f64::from_bits(((class as u64) << (52 - CLASS_BITS)) + lowest_bits())
}

fn lowest_bits() -> u64 {
    ((1023 + OCTAVES.0) as u64) << 52
}

impl Classifier {
    /// Larger values count as this from now on.
    pub(super) fn end_at(&mut self, pinst: f64) {
        self.end = pinst;
    }

    /// Counts one value; all are equally long.
    pub(super) fn add(&mut self, pinst: f64) {
        let pinst = if pinst > self.end { self.end } else { pinst };
        let above = pinst.max(0.0).to_bits().saturating_sub(lowest_bits());
        let class = (above >> (52 - CLASS_BITS)) as usize;
        let highest = self.counts.len() - 1;
        self.counts[class.min(highest)] += 1;
        self.count += 1;
        self.largest = self.largest.max(pinst);
    }

    pub(super) fn clear(&mut self) {
        self.counts.fill(0);
        self.count = 0;
        self.largest = 0.0;
    }

    /// The levels exceeded for given parts of the time (per cent, ascending).
    fn exceeded<const N: usize>(&self, percent: [f64; N]) -> [f64; N] {
        let mut levels = [0.0; N];
        let mut wanted = percent.iter().map(|p| 0.01 * p * self.count as f64).zip(&mut levels);
        let mut next = wanted.next();
        let mut above = 0.0;
        for (class, count) in self.counts.iter().enumerate().rev() {
            let here = f64::from(*count);
            while let Some((due, level)) = &mut next {
                if here == 0.0 || above + here < *due {
                    break;
                }
                let low = if class == 0 { 0.0 } else { bound(class) };
                let high = bound(class + 1).min(self.largest);
                **level = high - (high - low).max(0.0) * (*due - above) / here;
                next = wanted.next();
            }
            above += here;
        }
        levels
    }

    /// The severity Pst with the smoothed percentiles of clause 5.7.2; 0 where nothing was counted.
    pub(super) fn severity(&self) -> f64 {
        let [p0_1, p0_7, p1, p1_5, p2_2, p3, p4, p6, p8, p10, p13, p17, p30, p50, p80] = self
            .exceeded([
                0.1, 0.7, 1.0, 1.5, 2.2, 3.0, 4.0, 6.0, 8.0, 10.0, 13.0, 17.0, 30.0, 50.0, 80.0,
            ]);
        let p1s = (p0_7 + p1 + p1_5) / 3.0;
        let p3s = (p2_2 + p3 + p4) / 3.0;
        let p10s = (p6 + p8 + p10 + p13 + p17) / 5.0;
        let p50s = (p30 + p50 + p80) / 3.0;
        (0.0314 * p0_1 + 0.0525 * p1s + 0.0657 * p3s + 0.28 * p10s + 0.08 * p50s).sqrt()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_of_a_ramp_are_on_the_ramp() {
        let mut classifier = Classifier::default();
        for k in 1..=100_000_u32 {
            classifier.add(f64::from(k) * 1e-4);
        }
        let [p0_1, p10, p50, p80] = classifier.exceeded([0.1, 10.0, 50.0, 80.0]);
        for (found, due) in [(p0_1, 9.99), (p10, 9.0), (p50, 5.0), (p80, 2.0)] {
            assert!((found / due - 1.0).abs() < 3e-4, "{found} is not {due}");
        }
    }

    /// A ramp to 10 that ends at 4 is above nothing more than 4, which it is for 60 % of the time.
    #[test]
    fn classes_that_end_count_what_is_larger_as_their_end() {
        let mut classifier = Classifier::default();
        classifier.end_at(4.0);
        for k in 1..=100_000_u32 {
            classifier.add(f64::from(k) * 1e-4);
        }
        for (found, due) in classifier.exceeded([0.1, 50.0, 80.0]).into_iter().zip([4.0, 4.0, 2.0])
        {
            assert!((found / due - 1.0).abs() < 2e-3, "{found} is not {due}");
        }
        classifier.clear();
        classifier.add(9.0);
        assert_eq!(classifier.largest, 4.0);
    }

    #[test]
    fn a_constant_sensation_has_the_severity_of_the_sum_of_the_weights() {
        // All percentiles are equal: Pst = sqrt(0.5096 Pinst).
        for pinst in [1e-6, 0.3, 1.0, 250.0] {
            let mut classifier = Classifier::default();
            (0..1000).for_each(|_| classifier.add(pinst));
            let due = (0.5096_f64 * pinst).sqrt();
            assert!((classifier.severity() / due - 1.0).abs() < 1e-3, "{pinst}");
        }
    }

    #[test]
    fn what_is_no_sensation_does_no_harm() {
        let mut classifier = Classifier::default();
        assert_eq!(classifier.severity(), 0.0);
        for strange in [0.0, -1.0, f64::NAN, f64::INFINITY, f64::MAX, f64::MIN_POSITIVE] {
            classifier.add(strange);
        }
        assert!(classifier.severity() >= 0.0);
    }
}
