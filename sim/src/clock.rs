//! The fundamental's angle: what all harmonics of a program count in.
//!
//! The frequency is constant or changes linearly from one *segment* to the next; the angle is
//! continuous. It is given as turns, a cosine's angle: 0 where the cosine has its maximum.

use crate::instant::{Instant, turns_within, wrap};
use crate::phase::turns;
use crate::track::Track;

/// A stretch of time in which the frequency is constant or changes linearly.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Segment {
    pub(crate) from: Instant,
    /// The angle there, a fraction of a turn.
    pub(crate) turns: f64,
    pub(crate) frequency_hz: f64,
    pub(crate) slope_hz_per_s: f64,
}

/// The fundamental's angle over all time; the first segment begins at zero, the last never ends.
#[derive(Clone, Debug)]
pub(crate) struct Clock {
    pub(crate) segments: Vec<Segment>,
}

impl Segment {
    pub(crate) fn frequency_at(&self, at: Instant) -> f64 {
        self.frequency_hz + self.slope_hz_per_s * at.seconds_since(self.from)
    }

    /// The fraction of a turn, from -0.5 to 0.5, at an instant in the segment.
    pub(crate) fn turns_at(&self, at: Instant) -> f64 {
        let since = at.seconds_since(self.from);
        let bent = 0.5 * self.slope_hz_per_s * since * since;
        let sum = self.turns + at.turns_since(self.from, self.frequency_hz) + (bent - bent.round());
        sum - sum.round()
    }

    /// The turns since the segment's beginning, within so many cycles.
    pub(crate) fn turns_within(&self, at: Instant, cycles: u32) -> f64 {
        let since = at.seconds_since(self.from);
        let bent = 0.5 * self.slope_hz_per_s * since * since;
        wrap(turns_within(self.from, at, self.frequency_hz, cycles) + bent, cycles)
    }

    /// The cosine angle in turns, at the scenario's start, of a tone of this frequency that has
    /// `turns_at_from` turns where the segment begins.
    pub(crate) fn at_start(&self, frequency_hz: f64, turns_at_from: f64) -> f64 {
        let back = turns_at_from - turns(frequency_hz, self.from.ns, 1e9);
        back - back.round()
    }
}

impl Clock {
    /// A clock from the course of the frequency; the angle at zero is zero.
    pub(crate) fn new(frequency: &Track) -> Self {
        let mut segments: Vec<Segment> = Vec::with_capacity(frequency.lines.len());
        for line in &frequency.lines {
            let (from, frequency_hz, slope_hz_per_s) = (line.since, line.value, line.per_s);
            let turns = segments.last().map_or(0.0, |before| before.turns_at(from));
            let same = |before: &Segment| {
                before.frequency_hz == frequency_hz
                    && before.slope_hz_per_s == 0.0
                    && slope_hz_per_s == 0.0
            };
            if !segments.last().is_some_and(same) {
                segments.push(Segment { from, turns, frequency_hz, slope_hz_per_s });
            }
        }
        Self { segments }
    }

    /// The index of the segment an instant lies in; at a border that of the one that begins.
    pub(crate) fn index_at(&self, at: Instant) -> usize {
        let later = self.segments.partition_point(|segment| segment.from <= at);
        later.saturating_sub(1)
    }

    pub(crate) fn at(&self, at: Instant) -> &Segment {
        &self.segments[self.index_at(at)]
    }

    /// The turns from zero to an instant, within so many cycles.
    pub(crate) fn turns_within(&self, at: Instant, cycles: u32) -> f64 {
        let last = self.index_at(at);
        let ends = self.segments[1..=last].iter().map(|next| next.from);
        let sum: f64 = self.segments[..=last]
            .iter()
            .zip(ends.chain([at]))
            .map(|(segment, end)| segment.turns_within(end, cycles))
            .sum();
        wrap(sum, cycles)
    }
}
