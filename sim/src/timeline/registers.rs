//! Energy in the pieces of a timeline, by the intervals that `energy` defines.
//!
//! A *group* is a long piece, or short ones up to the length of an interval. A register that spans
//! many groups costs two at each end and a look-up.

use std::sync::PoisonError;

use super::piece::is_long_movement;
use super::{DIRECTLY, Timeline};
use crate::energy::{Energies, NETTED_S};
use crate::instant::Instant;

impl Timeline {
    /// What registers that stood at zero at an instant hold at a later one.
    pub(crate) fn energies(&self, from: Instant, to: Instant) -> Energies {
        let mut sum = Energies::new(self.phases());
        let (first, last) = (self.group_of(self.index_at(from)), self.group_before(to));
        if last <= first + DIRECTLY {
            let borders = without_last_stub(without_first_stub(self.borders(from, to)));
            self.count(&borders, &mut sum);
            return sum;
        }
        let (head, tail) = (self.group_start(first + 2), self.group_start(last - 1));
        self.count(&without_first_stub(self.borders(from, head)), &mut sum);
        self.count(&without_last_stub(self.borders(tail, to)), &mut sum);
        self.count_groups(first + 2, last - 1, &mut sum);
        sum
    }

    fn group_of(&self, piece: usize) -> usize {
        self.registers.groups.partition_point(|first| *first <= piece).saturating_sub(1)
    }

    /// The group that holds just before an instant.
    fn group_before(&self, at: Instant) -> usize {
        self.group_of(self.index_before(at))
    }

    fn group_start(&self, group: usize) -> Instant {
        self.pieces[self.registers.groups[group]].from
    }

    /// The instants from one to another between which energy is netted.
    fn borders(&self, from: Instant, to: Instant) -> Vec<Instant> {
        let mut borders = vec![from];
        let (first, last) = (self.group_of(self.index_at(from)), self.group_before(to));
        for group in first..=last.max(first) {
            let start = self.group_start(group);
            let start = if start > from { start } else { from };
            let next = self.registers.groups.get(group + 1);
            let end = next.map_or(to, |next| self.pieces[*next].from);
            let end = if end < to { end } else { to };
            let piece = self.registers.groups[group];
            if is_long_movement(&self.pieces, piece) {
                let wave = &self.pieces[piece].wave;
                let mut at = start;
                while let Some(until) = wave.netted_until(at)
                    && end.seconds_since(until) >= NETTED_S
                {
                    borders.push(until);
                    at = until;
                }
            }
            borders.push(end);
        }
        borders
    }

    /// Counts what lies between borders.
    fn count(&self, borders: &[Instant], sum: &mut Energies) {
        for pair in borders.windows(2).filter(|pair| pair[0] < pair[1]) {
            let means = self.means_between(pair[0], pair[1]);
            sum.add(&means, pair[1].seconds_since(pair[0]));
        }
    }

    /// Counts the groups from one up to another.
    fn count_groups(&self, from: usize, to: usize, sum: &mut Energies) {
        let mut kept = self.registers.kept.lock().unwrap_or_else(PoisonError::into_inner);
        while kept.len() < to {
            let group = kept.len();
            let mut next = kept.last().cloned().unwrap_or_else(|| Energies::new(self.phases()));
            let borders = self.borders(self.group_start(group), self.group_start(group + 1));
            self.count(&borders, &mut next);
            kept.push(next);
        }
        if let (Some(until), Some(since)) = (kept.get(to - 1), kept.get(from - 1)) {
            sum.add_times(until, 1.0);
            sum.add_times(since, -1.0);
        }
    }
}

/// Nets a short first interval with the one after it.
fn without_first_stub(mut borders: Vec<Instant>) -> Vec<Instant> {
    if let [first, second, _, ..] = borders[..]
        && second.seconds_since(first) < NETTED_S
    {
        borders.remove(1);
    }
    borders
}

/// Nets a short last interval with the one before it.
fn without_last_stub(mut borders: Vec<Instant>) -> Vec<Instant> {
    if let [.., _, before, last] = borders[..]
        && last.seconds_since(before) < NETTED_S
    {
        borders.remove(borders.len() - 2);
    }
    borders
}
