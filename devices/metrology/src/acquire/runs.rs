//! Runs of steady cycles in one channel.

use crate::sync::steady::{Memory, Turns, average, halves, ratio};

/// Cycles a run has at least.
pub(super) const CYCLES_MIN: f64 = 3.0;

/// Turns of the shortest run: three cycles.
const TURNS_MIN: usize = 2;

/// Turns with which a search begins where it can, and over how many a longer run is looked at.
const TURNS_MANY: usize = 10;
const TURNS_LOOK: usize = 20;

/// A run.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Run {
    /// Where it begins and how long it is, in samples.
    pub(super) start: f64,
    pub(super) length: f64,
    /// How long it is, in cycles.
    pub(super) cycles: f64,
    /// Roughly, in cycles per sample.
    pub(super) frequency: f64,
}

/// The runs of a channel whose fundamental is near `coarse` (cycles per sample); samples are
/// averaged in groups of `group`.
pub(super) fn runs(samples: &[f64], coarse: f64, group: usize) -> Vec<Run> {
    let mut averaged = Vec::new();
    average(samples, group, &mut averaged);
    let scale = group.max(1) as f64;
    let mut memory = Memory::default();
    let mut turns = Turns::default();
    // Half a sample is forgiven at the end.
    let span = (0.0, averaged.len() as f64 + 0.5);
    memory.turns(&averaged, span, coarse * scale, &mut turns);
    // The blocks' sines have to be those of the channel, or what they leave is not its noise.
    let nearer = coarse * usual(&turns.turn).map_or(1.0, ratio);
    memory.turns(&averaged, span, nearer * scale, &mut turns);
    let half = 0.5 / nearer;
    let mut found = Vec::new();
    let mut at = 0;
    while at + TURNS_MIN <= turns.turn.len() {
        let count = grown(&turns, at, &mut memory);
        if count > 0 {
            let mean = turns.turn[at..at + count].iter().sum::<f64>() / count as f64;
            found.push(Run {
                start: half * at as f64,
                length: half * halves(count) as f64,
                cycles: 0.5 * halves(count) as f64,
                frequency: nearer * ratio(mean),
            });
        }
        at += count.max(1);
    }
    found
}

/// The turn that those are nearest to which differ little from their neighbours.
fn usual(turns: &[f64]) -> Option<f64> {
    let change = |pair: &[f64]| ((pair[1] - pair[0]).abs(), 0.5 * (pair[0] + pair[1]));
    let mut changes: Vec<(f64, f64)> = turns.windows(2).map(change).collect();
    changes.retain(|(change, _)| change.is_finite());
    changes.sort_unstable_by(|a, b| a.0.total_cmp(&b.0));
    let kept = changes.len().div_ceil(3);
    let mut means: Vec<f64> = changes.iter().take(kept).map(|(_, mean)| *mean).collect();
    means.sort_unstable_by(f64::total_cmp);
    means.get(means.len() / 2).copied()
}

/// How many turns from a place on are even.
fn grown(turns: &Turns, at: usize, memory: &mut Memory) -> usize {
    let mut are_even = |count: usize| {
        let from = at + count.saturating_sub(TURNS_LOOK);
        memory.are_even(turns, from..at + count)
    };
    let mut count = if are_even(TURNS_MANY) { TURNS_MANY } else { TURNS_MIN };
    if !are_even(count) {
        return 0;
    }
    while are_even(count + 1) {
        count += 1;
    }
    count
}
