//! Integrals of what is constant for a while, the same to the bit however a while is cut.

use lastmeter_units::SimDuration;

/// Integrals of some rates since the start.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Integrator<const RATES: usize> {
    /// Up to `since`.
    sums: [f64; RATES],
    rates: [f64; RATES],
    since: SimDuration,
    /// Up to when they have been seen.
    pub(crate) until: SimDuration,
}

impl<const RATES: usize> Integrator<RATES> {
    pub(crate) fn new() -> Self {
        let since = SimDuration::ZERO;
        Self { sums: [0.0; RATES], rates: [0.0; RATES], since, until: since }
    }

    /// These rates held from the last instant to this one.
    pub(crate) fn hold(&mut self, until: SimDuration, rates: [f64; RATES]) {
        // Only where they change something is added up: a stretch in two parts is one.
        if rates != self.rates {
            self.sums = self.sums();
            self.rates = rates;
            self.since = self.until;
        }
        self.until = until;
    }

    /// The integrals so far, in the rates' units times seconds.
    pub(crate) fn sums(&self) -> [f64; RATES] {
        let seconds = (self.until - self.since).as_seconds_f64();
        std::array::from_fn(|rate| self.sums[rate] + self.rates[rate] * seconds)
    }
}

/// What a register shows that counts in steps.
pub(super) fn rounded_down(value: f64, step: f64) -> f64 {
    if step > 0.0 { (value / step).floor() * step } else { value }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// Tenths of units that no double holds, so that any other order of sums would show.
        #[test]
        fn no_cut_changes_a_bit(
            stretches in prop::collection::vec((1_i64..1_000_000, 0_u8..4), 1..30),
            cuts in prop::collection::vec(1_i64..1_000_000, 1..30),
        ) {
            let (mut whole, mut cut) = (Integrator::<1>::new(), Integrator::<1>::new());
            let mut at = 0;
            for (index, (length, rate)) in stretches.iter().enumerate() {
                let rates = [f64::from(*rate) * 0.1];
                let inside = at + cuts[index % cuts.len()] % length;
                at += length;
                whole.hold(SimDuration(at), rates);
                cut.hold(SimDuration(inside), rates);
                cut.hold(SimDuration(at), rates);
                prop_assert_eq!(whole.sums(), cut.sums());
            }
        }
    }
}
