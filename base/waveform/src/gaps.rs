//! Samples that are missing: where they are, and the straight lines that stand in for them.
//!
//! Terms: a *gap* is a run of samples that are not finite; its *ends* are the samples beside it. A
//! gap at the beginning or the end of a recording is held at its only end; a channel without any
//! sample is zero.
//!
//! A recording that is read in blocks is watched once by a [`Tracker`], which notes the ends of the
//! gaps that lie across a border of blocks (memory: at most one note per block and channel, however
//! long a gap is), and filled in another pass by a [`Filler`], which finds the others itself.

use crate::text::quote;

/// Fills a part of a gap: `done` samples of it are filled already, of `length` in all.
pub(crate) fn line(samples: &mut [f64], (from, to): (f64, f64), done: u64, length: u64) {
    let steps = (length + 1) as f64;
    for (k, sample) in (done + 1..).zip(samples) {
        let weight = k as f64 / steps;
        // Written as a weighted mean: `to - from` could overflow, this cannot.
        *sample = from * (1.0 - weight) + to * weight;
    }
}

/// What a gap with these ends is filled between.
pub(crate) fn ends(before: Option<f64>, after: Option<f64>) -> (f64, f64) {
    match (before, after) {
        (Some(from), Some(to)) => (from, to),
        (Some(held), None) | (None, Some(held)) => (held, held),
        (None, None) => (0.0, 0.0),
    }
}

/// The first run of samples that are not finite, from `at` on.
pub(crate) fn next_run(samples: &[f64], at: usize) -> Option<std::ops::Range<usize>> {
    let rest = samples.get(at..)?;
    let start = at + rest.iter().position(|sample| !sample.is_finite())?;
    let end = samples[start..].iter().position(|sample| sample.is_finite());
    Some(start..end.map_or(samples.len(), |end| start + end))
}

/// The sentence about a channel's gaps.
pub(crate) fn note(name: &str, missing: u64, samples: u64, gaps: u64, first: u64) -> String {
    if missing == samples {
        let name = quote(name);
        return format!("channel {name}: all {samples} samples are missing; it is taken as zero");
    }
    format!(
        "channel {}: {missing} of {samples} samples are missing, in {gaps} gap(s), the first at \
         sample {} (counted from 1); filled by straight lines",
        quote(name),
        first + 1,
    )
}

/// A gap across a border of blocks, or at the end of the recording.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Span {
    first: u64,
    end: u64,
    ends: (f64, f64),
}

/// What a channel's gaps were found to be.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tracked {
    pub(crate) missing: u64,
    /// The gaps that a [`Filler`] needs to know of.
    pub(crate) spans: Vec<Span>,
    /// A sentence about all of them, if there are any.
    pub(crate) note: Option<String>,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Tracker {
    at: u64,
    last: Option<f64>,
    /// Where the gap that is open begins, and the sample before it.
    open: Option<(u64, Option<f64>)>,
    missing: u64,
    gaps: u64,
    first: u64,
    spans: Vec<Span>,
}

impl Tracker {
    /// Takes the next samples; `block` is the length of the blocks that will be filled.
    pub(crate) fn take(&mut self, samples: &[f64], block: u64) {
        let whole = samples.iter().all(|sample| sample.is_finite());
        if whole && self.open.is_none() {
            self.last = samples.last().copied().or(self.last);
            self.at += samples.len() as u64;
            return;
        }
        for &sample in samples {
            if sample.is_finite() {
                self.close(Some(sample), block);
                self.last = Some(sample);
            } else {
                self.open.get_or_insert((self.at, self.last));
            }
            self.at += 1;
        }
    }

    fn close(&mut self, after: Option<f64>, block: u64) {
        let Some((first, before)) = self.open.take() else { return };
        if self.gaps == 0 {
            self.first = first;
        }
        self.gaps += 1;
        self.missing += self.at - first;
        if after.is_none() || first / block != self.at / block {
            self.spans.push(Span { first, end: self.at, ends: ends(before, after) });
        }
    }

    /// After the last sample.
    pub(crate) fn finish(mut self, name: &str, block: u64) -> Tracked {
        self.close(None, block);
        let note =
            (self.gaps > 0).then(|| note(name, self.missing, self.at, self.gaps, self.first));
        self.spans.shrink_to_fit();
        Tracked { missing: self.missing, spans: self.spans, note }
    }
}

/// Fills the gaps of one channel, block by block.
pub(crate) struct Filler<'a> {
    spans: &'a [Span],
    last: Option<f64>,
}

impl<'a> Filler<'a> {
    /// For a channel whose tracker gave these.
    pub(crate) fn new(spans: &'a [Span]) -> Self {
        Self { spans, last: None }
    }

    /// Fills the block that begins at sample `at`.
    pub(crate) fn fill(&mut self, at: u64, samples: &mut [f64]) {
        let mut from = 0;
        while let Some(run) = next_run(samples, from) {
            let first = at + run.start as u64;
            while self.spans.first().is_some_and(|span| span.end <= first) {
                self.spans = &self.spans[1..];
            }
            match self.spans.first() {
                Some(span) if span.first <= first => {
                    let part = &mut samples[run.clone()];
                    line(part, span.ends, first - span.first, span.end - span.first);
                }
                _ => {
                    let before = match run.start {
                        0 => self.last,
                        start => samples.get(start - 1).copied(),
                    };
                    let ends = ends(before, samples.get(run.end).copied());
                    let length = run.len() as u64;
                    line(&mut samples[run.clone()], ends, 0, length);
                }
            }
            from = run.end;
        }
        self.last = samples.last().copied().or(self.last);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAN: f64 = f64::NAN;

    /// Fills in blocks of any length, watched in pieces of any length.
    fn in_blocks(samples: &[f64], piece: usize, block: usize) -> (Vec<f64>, usize) {
        let mut tracker = Tracker::default();
        samples.chunks(piece).for_each(|part| tracker.take(part, block as u64));
        let spans = tracker.finish("u", block as u64).spans;
        let mut filler = Filler::new(&spans);
        let mut filled = samples.to_vec();
        for (index, part) in filled.chunks_mut(block).enumerate() {
            filler.fill((index * block) as u64, part);
        }
        (filled, spans.len())
    }

    #[test]
    fn gaps_across_blocks_are_the_straight_lines_they_are_in_one_piece() {
        let samples = [NAN, 1.0, NAN, NAN, 4.0, NAN, 6.0, NAN, NAN, NAN, 10.0, NAN];
        let expected = [1.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0, 10.0, 10.0];
        for piece in 1..=samples.len() {
            for block in 1..=samples.len() + 1 {
                let (filled, _) = in_blocks(&samples, piece, block);
                let near = filled.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-12);
                assert!(near, "{piece} {block}: {filled:?}");
            }
        }
        assert_eq!(in_blocks(&[NAN; 5], 2, 2).0, [0.0; 5]);
    }

    #[test]
    fn a_long_gap_and_many_short_ones_are_held_in_little_memory() {
        let mut samples = vec![NAN; 10_000];
        samples[0] = 1.0;
        samples[9_999] = 3.0;
        let (filled, notes) = in_blocks(&samples, 333, 100);
        assert!((filled[5_000] - (1.0 + 2.0 * 5_000.0 / 9_999.0)).abs() < 1e-12);
        assert_eq!(notes, 1);
        let every_other: Vec<f64> =
            (0..10_000).map(|k| if k % 2 == 0 { f64::from(k) } else { NAN }).collect();
        let (filled, notes) = in_blocks(&every_other, 333, 100);
        assert!(filled[..9_999].iter().zip(0..).all(|(&a, k)| a == f64::from(k)));
        assert!(notes <= 100, "{notes}");
    }
}
