//! What a supply sees of voltages that are known as RMS values stretch by stretch: their RMS value
//! over the period before each instant, as that of half-cycle values is.

use std::collections::VecDeque;

use lastmeter_units::SimDuration;

use crate::window::PHASES_MAX;

/// Squares of RMS voltages, V2.
type Squares = [f64; PHASES_MAX];

/// Whether any phase is at or above each of two levels.
pub(crate) type Above = [bool; 2];

#[derive(Clone, Debug, Default)]
pub(crate) struct OnePeriod {
    /// From when on each holds, in order; the last up to `until_ns`.
    held: VecDeque<(i64, Squares)>,
    until_ns: i64,
    /// What was reported last.
    reported: Option<Above>,
}

impl OnePeriod {
    /// Takes RMS voltages that hold from where the last ones ended up to an instant. Gives from
    /// when on phases are above the levels, or are not, where that changes; at first, in any case.
    /// How time is cut into stretches does not matter.
    pub(crate) fn take(
        &mut self,
        (from, to): (SimDuration, SimDuration),
        squares: Squares,
        (period, levels): (SimDuration, [f64; 2]),
    ) -> VecDeque<(SimDuration, Above)> {
        let is_new = self.held.back().is_none_or(|(_, last)| *last != squares);
        if is_new {
            self.held.push_back((from.0, squares));
        }
        self.until_ns = to.0;
        let mut changes = VecDeque::new();
        if !is_new && self.held.len() == 1 {
            return changes;
        }
        for (at_ns, above) in self.turns((from.0, to.0), period.0.max(1), levels.map(|it| it * it))
        {
            if self.reported != Some(above) {
                self.reported = Some(above);
                changes.push_back((SimDuration(at_ns), above));
            }
        }
        // What lies wholly before the last period is not looked at again.
        let oldest = to.0 - period.0;
        while self.held.get(1).is_some_and(|(next, _)| *next <= oldest) {
            self.held.pop_front();
        }
        changes
    }

    /// The mean squares over the period that ends at an instant. Before the first voltages there
    /// were such as these.
    fn mean(&self, at_ns: i64, period_ns: i64) -> Squares {
        let begin = at_ns - period_ns;
        let mut sums = [0.0; PHASES_MAX];
        for (place, (from, squares)) in self.held.iter().enumerate() {
            let from = if place == 0 { begin } else { (*from).max(begin) };
            let next = self.held.get(place + 1).map_or(at_ns, |(next, _)| (*next).min(at_ns));
            let length = (next - from).max(0) as f64;
            for (sum, square) in sums.iter_mut().zip(squares) {
                *sum += square * length;
            }
        }
        sums.map(|sum| sum / period_ns as f64)
    }

    /// Where any phase may cross a level, with what holds from then on.
    fn turns(&self, (from, to): (i64, i64), period_ns: i64, levels: [f64; 2]) -> Vec<(i64, Above)> {
        // The means go straight between these.
        let bends = self.held.iter().flat_map(|(begun, _)| [*begun, begun + period_ns]);
        let mut at: Vec<i64> = bends.filter(|it| (from..to).contains(it)).collect();
        at.extend([from, to]);
        at.sort_unstable();
        at.dedup();
        let mut turns = Vec::new();
        for two in at.windows(2) {
            let (begin, end) = (two[0], two[1]);
            let (first, last) = (self.mean(begin, period_ns), self.mean(end, period_ns));
            let crossing = |level: f64, phase: usize| {
                let share = (level - first[phase]) / (last[phase] - first[phase]);
                let is_within = share > 0.0 && share < 1.0;
                let at = is_within.then(|| begin + (share * (end - begin) as f64).ceil() as i64);
                at.filter(|at| *at < end)
            };
            let phases = 0..PHASES_MAX;
            let crossings =
                phases.flat_map(|phase| levels.map(|level| crossing(level, phase))).flatten();
            let mut borders: Vec<i64> = crossings.chain([begin, end]).collect();
            borders.sort_unstable();
            borders.dedup();
            for part in borders.windows(2) {
                // In the midst of it nothing is at a level.
                let middle = 0.5 * ((part[0] - begin) as f64 + (part[1] - begin) as f64);
                let share = middle / (end - begin) as f64;
                let is_above = |level: f64| {
                    let means = first.iter().zip(&last);
                    means.map(|(first, last)| first + (last - first) * share).any(|it| it >= level)
                };
                turns.push((part[0], levels.map(is_above)));
            }
        }
        turns
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const PERIOD: SimDuration = SimDuration::from_milliseconds(20);
    const LEVELS: [f64; 2] = [115.0, 184.0];

    fn ms(milliseconds: f64) -> SimDuration {
        SimDuration((milliseconds * 1e6) as i64)
    }

    /// What is reported of stretches, each with its end in ms and the voltage of one phase.
    fn reported(stretches: &[(f64, f64)]) -> Vec<(SimDuration, Above)> {
        reported_at(stretches, LEVELS)
    }

    fn reported_at(stretches: &[(f64, f64)], levels: [f64; 2]) -> Vec<(SimDuration, Above)> {
        let mut one = OnePeriod::default();
        let mut from = SimDuration::ZERO;
        let mut all = Vec::new();
        for (to, volts) in stretches {
            let squares = [volts * volts, 0.0, 0.0];
            all.extend(one.take((from, ms(*to)), squares, (PERIOD, levels)));
            from = ms(*to);
        }
        all
    }

    #[test]
    fn a_voltage_that_goes_is_missed_when_the_period_has_less_than_the_level() {
        // Half of 230 V is left after three quarters of a period, 80 % after 36 %; it is back in
        // the reverse order.
        let due = [
            (ms(0.0), [true, true]),
            (ms(107.2), [true, false]),
            (ms(115.0), [false, false]),
            (ms(205.0), [true, false]),
            (ms(212.8), [true, true]),
        ];
        assert_eq!(reported(&[(100.0, 230.0), (200.0, 0.0), (300.0, 230.0)]), due);
    }

    #[test]
    fn what_is_gone_for_less_than_that_is_not_missed() {
        let found = reported(&[(100.0, 230.0), (114.9, 0.0), (300.0, 230.0)]);
        let low = found.iter().filter(|(_, above)| !above[0]).count();
        assert_eq!(low, 0, "{found:?}");
        let found = reported(&[(100.0, 230.0), (115.1, 0.0), (300.0, 230.0)]);
        assert_eq!(found.iter().filter(|(_, above)| !above[0]).count(), 1, "{found:?}");
        // A first voltage that is none is none from the beginning on.
        assert_eq!(reported(&[(50.0, 0.0)]), [(ms(0.0), [false, false])]);
    }

    proptest! {
        #[test]
        fn pieces_of_time_do_not_matter(
            stretches in prop::collection::vec((1..60_i64, 0..250_i64), 1..12),
            cuts in prop::collection::vec(1..1000_i64, 0..20),
        ) {
            let mut at = 0.0;
            let whole: Vec<(f64, f64)> = stretches.iter().map(|(length, volts)| {
                at += *length as f64;
                (at, *volts as f64)
            }).collect();
            let mut cut: Vec<(f64, f64)> = whole.clone();
            for it in cuts {
                let it = it as f64 * 0.5;
                if let Some((_, volts)) = whole.iter().find(|(to, _)| it < *to) {
                    cut.push((it, *volts));
                }
            }
            cut.sort_by(|one, other| one.0.total_cmp(&other.0));
            cut.dedup_by(|one, other| one.0 == other.0);
            // At a level to the last bit either is right.
            let levels = LEVELS.map(|it| it + 0.3);
            let (one, other) = (reported_at(&whole, levels), reported_at(&cut, levels));
            prop_assert_eq!(one.len(), other.len(), "{:?} {:?}", one, other);
            for (one, other) in one.iter().zip(&other) {
                prop_assert!((one.0 - other.0).0.abs() <= 1 && one.1 == other.1);
            }
        }
    }
}
