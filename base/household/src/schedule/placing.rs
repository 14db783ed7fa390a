//! The search for starts: one load at a time among all of its starts, then pairs of loads.
//!
//! A measure is a sum over slots, or the highest of them. So what lies before and behind a run
//! needs to be put together once, and each start costs the slots of the run alone.

use super::{Forecast, Strategy};

/// How often all pairs are looked at. Each move makes the measure better, so it ends by itself;
/// this bounds the time.
pub const ROUNDS_MAX: usize = 8;

/// A load's powers and the slots it may start in.
#[derive(Clone, Copy, Debug)]
pub(super) struct Run<'a> {
    pub(super) profile_w: &'a [i64],
    pub(super) first: usize,
    pub(super) last: usize,
    /// Whether the horizon, not the window, has the last start.
    pub(super) is_cut: bool,
}

impl Run<'_> {
    fn add(&self, net_w: &mut [i64], start: usize, sign: i64) {
        for (net, power) in net_w[start..].iter_mut().zip(self.profile_w) {
            *net += sign * power;
        }
    }

    /// Net powers with the load at a start.
    pub(super) fn added(&self, net_w: &[i64], start: usize) -> Vec<i64> {
        let mut net_w = net_w.to_vec();
        self.add(&mut net_w, start, 1);
        net_w
    }
}

/// Starts of all loads, and what they sum up to.
pub(super) struct Placing<'a> {
    forecast: &'a Forecast,
    strategy: Strategy,
    runs: &'a [Run<'a>],
    starts: Vec<usize>,
    net_w: Vec<i64>,
}

impl<'a> Placing<'a> {
    pub(super) fn find(forecast: &'a Forecast, strategy: Strategy, runs: &'a [Run<'a>]) -> Self {
        let net_w = forecast.slots().iter().map(|slot| slot.net_w).collect();
        let starts = runs.iter().map(|run| run.first).collect();
        let mut placing = Self { forecast, strategy, runs, starts, net_w };
        let mut order: Vec<usize> = (0..runs.len()).collect();
        order.sort_by_key(|at| -runs[*at].profile_w.iter().sum::<i64>());
        for at in order {
            if strategy != Strategy::ComfortFirst {
                placing.starts[at] = placing.best_start(&runs[at]).0;
            }
            runs[at].add(&mut placing.net_w, placing.starts[at], 1);
        }
        // As early as wished is best already.
        if strategy != Strategy::ComfortFirst {
            placing.improve();
        }
        placing
    }

    pub(super) fn run(&self, index: usize) -> &Run<'a> {
        &self.runs[index]
    }

    pub(super) fn start(&self, index: usize) -> usize {
        self.starts[index]
    }

    pub(super) fn net_w(&self) -> &[i64] {
        &self.net_w
    }

    pub(super) fn net_without(&self, index: usize) -> Vec<i64> {
        let mut net_w = self.net_w.clone();
        self.runs[index].add(&mut net_w, self.starts[index], -1);
        net_w
    }

    /// What a slot adds to the measure.
    fn value(&self, slot: usize, net_w: i64) -> i128 {
        match self.strategy {
            Strategy::LeastCost => self.forecast.slot_cost(slot, net_w).parts(),
            Strategy::MostOwnEnergy => i128::from((-net_w).max(0)),
            Strategy::LowestPeak => i128::from(net_w),
            // Not used: the start alone counts.
            Strategy::ComfortFirst => 0,
        }
    }

    fn join(&self, one: i128, other: i128) -> i128 {
        match self.strategy {
            Strategy::LowestPeak => one.max(other),
            _ => one + other,
        }
    }

    /// The measure of no slot at all.
    fn nothing(&self) -> i128 {
        match self.strategy {
            Strategy::LowestPeak => i128::MIN,
            _ => 0,
        }
    }

    /// The measure of all slots; less is better.
    pub(super) fn measure(&self, net_w: &[i64]) -> i128 {
        let values = net_w.iter().enumerate().map(|(slot, net)| self.value(slot, *net));
        values.fold(self.nothing(), |sum, value| self.join(sum, value))
    }

    /// The earliest of the best starts of a load that is not in the sum, and the measure with it.
    fn best_start(&self, run: &Run<'_>) -> (usize, i128) {
        let (net_w, slots) = (&self.net_w, self.net_w.len());
        let mut before = vec![self.nothing(); slots + 1];
        let mut behind = before.clone();
        for slot in 0..slots {
            before[slot + 1] = self.join(before[slot], self.value(slot, net_w[slot]));
            let from_end = slots - 1 - slot;
            let value = self.value(from_end, net_w[from_end]);
            behind[from_end] = self.join(behind[from_end + 1], value);
        }
        let with = |start: usize| {
            let powers = run.profile_w.iter().enumerate();
            let values =
                powers.map(|(at, power)| self.value(start + at, net_w[start + at] + power));
            let own = values.fold(before[start], |sum, value| self.join(sum, value));
            (start, self.join(own, behind[start + run.profile_w.len()]))
        };
        let starts = (run.first + 1..=run.last).map(with);
        starts.fold(with(run.first), |best, next| if next.1 < best.1 { next } else { best })
    }

    fn improve(&mut self) {
        for _ in 0..ROUNDS_MAX {
            let mut has_moved = false;
            for one in 0..self.runs.len() {
                for other in one + 1..self.runs.len() {
                    has_moved |= self.moves_pair(one, other);
                }
            }
            if !has_moved {
                break;
            }
        }
    }

    /// Moves two loads to their best pair of starts; whether that is better than before.
    fn moves_pair(&mut self, one: usize, other: usize) -> bool {
        let [first, second] = [self.runs[one], self.runs[other]];
        let before = (self.starts[one], self.starts[other]);
        let (mut best, mut best_measure) = (before, self.measure(&self.net_w));
        first.add(&mut self.net_w, before.0, -1);
        second.add(&mut self.net_w, before.1, -1);
        for start in first.first..=first.last {
            first.add(&mut self.net_w, start, 1);
            let (second_start, measure) = self.best_start(&second);
            first.add(&mut self.net_w, start, -1);
            if measure < best_measure {
                (best, best_measure) = ((start, second_start), measure);
            }
        }
        first.add(&mut self.net_w, best.0, 1);
        second.add(&mut self.net_w, best.1, 1);
        (self.starts[one], self.starts[other]) = best;
        best != before
    }
}
