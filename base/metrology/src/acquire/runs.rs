//! Runs of steady cycles in one channel.

use crate::sync::sines::fit;
use crate::sync::steady::{MANY_TURNS, Memory, Turns, average, halves, ratio};

pub(super) const CYCLES_MIN: f64 = 3.0;

/// Turns of the shortest run: three cycles.
const TURNS_MIN: usize = 2;

/// Turns with which a run may begin.
const TURNS_FIRST: [usize; 6] = [MANY_TURNS, 12, 8, 5, 3, TURNS_MIN];

/// Over how many turns a longer run is looked at.
const TURNS_EXAMINED: usize = 20;

/// Noise below this (in radians) makes no run better.
const NOISE_FLOOR: f64 = 5e-4;

/// A stretch of samples without a jump of phase or amplitude.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Run {
    /// Where it begins and how long it is, in samples.
    pub(super) start: f64,
    pub(super) length: f64,
    pub(super) cycles: f64,
    /// In cycles per sample: as a fit has it, of long runs roughly.
    pub(super) frequency: f64,
    /// Whether it is long enough for the frequency to be determined from its phase.
    pub(super) is_long: bool,
    /// How sharply the run determines the frequency, in units of no meaning.
    pub(super) worth: f64,
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
    let nearer = coarse * scale * usual(&turns.turn).map_or(1.0, ratio);
    memory.turns(&averaged, span, nearer, &mut turns);
    let half = 0.5 / nearer;
    let mut found = Vec::new();
    let mut at = 0;
    while at + TURNS_MIN <= turns.turn.len() {
        let count = grown(&turns, at, &mut memory);
        let mut next = at + 1;
        // What disturbs a short run at one of its ends may be left out.
        for (first, count) in [(at, count), (at, count.saturating_sub(1)), (at + 1, count)] {
            let count = count.min((at + count).saturating_sub(first));
            if count < TURNS_MIN {
                break;
            }
            let mean = turns.turn[first..first + count].iter().sum::<f64>() / count as f64;
            let (start, length) = (half * first as f64, half * halves(count) as f64);
            let cycles = 0.5 * halves(count) as f64;
            let is_long = count >= MANY_TURNS;
            let frequency = nearer * ratio(mean);
            let fitted =
                if is_long { Some(frequency) } else { fit(&averaged, start, cycles, frequency) };
            let Some(frequency) = fitted else { continue };
            let noise = memory.noise(&turns, first..first + count);
            found.push(Run {
                start: start * scale,
                length: length * scale,
                cycles,
                frequency: frequency / scale,
                is_long,
                worth: cycles.powf(1.5) / noise.max(NOISE_FLOOR),
            });
            next = first + count;
            break;
        }
        at = next;
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
        let from = at + count.saturating_sub(TURNS_EXAMINED);
        memory.are_even(turns, from..at + count)
    };
    let first = TURNS_FIRST.into_iter().find(|&count| are_even(count));
    let Some(mut count) = first else { return 0 };
    while are_even(count + 1) {
        count += 1;
    }
    count
}
