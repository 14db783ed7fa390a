//! The share of messages that arrived within a time, over that time: the empirical distribution.
//!
//! Lost messages stay in the population, so their share is missing at the upper end of the curve.

use super::scatter::LimitLine;
use super::words::{limit, milliseconds, percent};
use crate::latency::{Delay, Distribution, INFINITE};
use crate::render::figure::Csv;
use crate::render::page::grouped;
use crate::render::svg::{Anchor, Axis, BAD, DATA, Drawing, Figures, Frame, INK};

/// The most steps of the curve.
pub(super) const STEPS_MAX: usize = 2_000;
/// The longest latencies whose steps are all kept.
const TAIL: usize = 500;

/// One step of the curve.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Step {
    /// Up to this latency ...
    pub(super) delay_ns: Delay,
    /// ... this many arrived.
    pub(super) count: u64,
}

/// The steps of latencies in ascending order: all of them, or evenly thinned ones with the whole
/// tail. Each kept step is exact.
fn steps(sorted: &[Delay]) -> Vec<Step> {
    let last = sorted.len().saturating_sub(1);
    let stride = (sorted.len() / (STEPS_MAX - TAIL)).max(1);
    let is_kept = |place: usize| place.is_multiple_of(stride) || place + TAIL > last;
    let mut steps: Vec<Step> = Vec::new();
    for (place, &delay_ns) in sorted.iter().enumerate() {
        // Of equal latencies the last has the count of them all.
        let is_last_of_equals = sorted.get(place + 1) != Some(&delay_ns);
        let count = place as u64 + 1;
        match steps.last_mut() {
            Some(step) if step.delay_ns == delay_ns => step.count = count,
            _ if is_kept(place) || (is_last_of_equals && place == last) => {
                steps.push(Step { delay_ns, count });
            }
            _ => {}
        }
    }
    steps
}

/// The steps of a distribution; of one that is too large to be kept, those of its percentiles.
pub(super) fn steps_of(delays: &Distribution) -> Vec<Step> {
    if let Some(ascending) = delays.ascending() {
        let arrived = ascending.partition_point(|&delay| delay != INFINITE);
        return steps(&ascending[..arrived]);
    }
    let n = delays.n();
    let ranks =
        (1..=STEPS_MAX as u64).map(|step| (u128::from(n) * u128::from(step)) / STEPS_MAX as u128);
    let mut kept: Vec<Step> = Vec::new();
    for count in ranks.map(|rank| rank as u64).filter(|rank| *rank > 0) {
        let Some(delay_ns) = delays.quantile((count as f64 - 0.5) / n as f64) else { continue };
        match kept.last_mut() {
            _ if delay_ns == INFINITE => break,
            Some(step) if step.delay_ns == delay_ns => step.count = count,
            _ => kept.push(Step { delay_ns, count }),
        }
    }
    // All that arrived, whatever the last percentile is.
    if let Some(step) = kept.last_mut() {
        step.count = n - delays.infinite();
    }
    kept
}

/// What the picture shows.
pub(super) struct Ecdf<'a> {
    /// The steps.
    pub(super) steps: &'a [Step],
    /// The population, lost messages included.
    pub(super) n: u64,
    /// Latencies worth a line.
    pub(super) lines: &'a [LimitLine],
    /// The shares that checks ask for, in ascending order.
    pub(super) coverages: &'a [f64],
}

impl Ecdf<'_> {
    fn share(&self, step: &Step) -> f64 {
        step.count as f64 / self.n.max(1) as f64
    }

    /// From the nearest line below the data to the nearest above, if those are not far.
    fn axis(&self) -> Axis {
        let first = self.steps.first().map_or(1e6, |step| step.delay_ns as f64);
        let last = self.steps.last().map_or(1e9, |step| step.delay_ns as f64);
        let limits = || self.lines.iter().map(|line| line.limit_ns as f64);
        let below = limits().filter(|limit| *limit < first && *limit * 12.0 > first);
        let above = limits().filter(|limit| *limit > last && *limit < last * 12.0);
        let declared = self.lines.iter().filter(|line| line.declared);
        let declared: Vec<f64> = declared
            .map(|line| line.limit_ns as f64)
            .filter(|limit| *limit * 1e3 > first && *limit < last * 1e3)
            .collect();
        let from = below.fold(None, |nearest: Option<f64>, limit| {
            Some(nearest.map_or(limit, |nearest| nearest.max(limit)))
        });
        let to = above.fold(None, |nearest: Option<f64>, limit| {
            Some(nearest.map_or(limit, |nearest| nearest.min(limit)))
        });
        let from = declared.iter().copied().fold(from.unwrap_or(first), f64::min);
        let to = declared.iter().copied().fold(to.unwrap_or(last), f64::max);
        Axis::logarithmic(from, to, Figures::Nanoseconds)
    }

    /// The picture.
    pub(super) fn svg(&self) -> String {
        let mut drawing = Drawing::new(560.0, 300.0, "share of messages within a latency");
        let frame = Frame { left: 52.0, right: 488.0, top: 44.0, bottom: 252.0 };
        let (flat, upright) = (self.axis(), Axis::linear(0.0, 1.0, Figures::Percent));
        frame.upright_axis(&mut drawing, &upright, "");
        drawing.text((0.0, 13.0), Anchor::Start, INK, "share of all messages");
        frame.flat_axis(&mut drawing, &flat, 30.0, "latency, log scale");
        self.limits(&mut drawing, &frame, &flat);
        let mut free_from = f64::NEG_INFINITY;
        for &coverage in self.coverages.iter().rev() {
            let y = frame.y(upright.place(coverage));
            drawing.line((frame.left, y), (frame.right, y), (BAD, 1.0, "2 3"));
            // Close ones share the room; below the figures stands what they are.
            let base = (y + 4.0).max(free_from);
            let at = (frame.right + 6.0, base);
            drawing.small_text(at, Anchor::Start, BAD, &percent(coverage));
            free_from = base + 13.0;
        }
        if free_from.is_finite() {
            drawing.small_text((frame.right + 6.0, free_from), Anchor::Start, BAD, "coverage");
        }
        let mut places = Vec::with_capacity(2 * self.steps.len() + 2);
        let mut before = frame.bottom;
        for step in self.steps {
            let x = frame.x(flat.place(step.delay_ns as f64));
            let y = frame.y(self.share(step));
            places.extend([(x, before), (x, y)]);
            before = y;
        }
        places.push((frame.right, before));
        drawing.curve(&places, DATA, 2.0);
        let arrived = self.steps.last().map_or(0, |step| step.count);
        if arrived < self.n {
            let share = arrived as f64 / self.n as f64;
            let lost = grouped(self.n - arrived);
            let text = format!("{lost} lost: the curve ends at {}", percent(share));
            let at = (frame.right - 6.0, frame.bottom - 9.0);
            drawing.small_text(at, Anchor::End, BAD, &text);
        }
        drawing.finish()
    }

    fn limits(&self, drawing: &mut Drawing, frame: &Frame, axis: &Axis) {
        let mut free_from = f64::NEG_INFINITY;
        let mut shown: Vec<&LimitLine> =
            self.lines.iter().filter(|line| axis.holds(line.limit_ns as f64)).collect();
        shown.sort_by_key(|line| line.limit_ns);
        for line in shown {
            let x = frame.x(axis.place(line.limit_ns as f64));
            let width = if line.declared { 1.6 } else { 1.0 };
            drawing.line((x, frame.top), (x, frame.bottom), (BAD, width, "6 4"));
            let half = 3.3 * line.name.chars().count() as f64;
            if x - half >= free_from {
                let limit = limit(line.limit_ns);
                drawing.small_text((x, frame.top - 17.0), Anchor::Middle, BAD, &line.name);
                drawing.sized_text((x, frame.top - 5.0), Anchor::Middle, BAD, 10.0, &limit);
                free_from = x + half + 8.0;
            }
        }
    }

    /// The data of the picture.
    pub(super) fn csv(&self, path: &str) -> String {
        let mut csv = Csv::new("path,latency_ms,arrived,n,share");
        for step in self.steps {
            let numbers =
                [milliseconds(step.delay_ns), step.count as f64, self.n as f64, self.share(step)];
            csv.line(&[path], &numbers);
        }
        csv.finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lost_messages_keep_the_curve_below_one() {
        // Five messages: 10, 10, 20 and 40 ms, and one lost.
        let steps = steps(&[10_000_000, 10_000_000, 20_000_000, 40_000_000]);
        let picture = Ecdf { steps: &steps, n: 5, lines: &[], coverages: &[0.99] };
        assert_eq!(
            picture.csv("reading"),
            "path,latency_ms,arrived,n,share\n\
             reading,10,2,5,0.4\nreading,20,3,5,0.6\nreading,40,4,5,0.8\n"
        );
        let svg = picture.svg();
        assert!(svg.contains("1 lost: the curve ends at 80 %"), "{svg}");
        assert!(svg.contains(">99 %<") && svg.contains(">coverage<"));
    }

    #[test]
    fn thinned_steps_are_exact_and_keep_both_ends() {
        let sorted: Vec<i64> = (0..1_000_000).map(|i| 100_000_000 + i * 37).collect();
        let steps = steps(&sorted);
        assert!(steps.len() <= STEPS_MAX + 1, "{}", steps.len());
        for step in &steps {
            assert_eq!(sorted[step.count as usize - 1], step.delay_ns);
        }
        assert_eq!(steps[0], Step { delay_ns: 100_000_000, count: 1 });
        assert_eq!(steps.last().unwrap().count, 1_000_000);
        let tail = &steps[steps.len() - TAIL..];
        assert!(tail.windows(2).all(|pair| pair[1].count == pair[0].count + 1));
    }

    #[test]
    fn nothing_at_all_can_be_drawn() {
        let picture = Ecdf { steps: &[], n: 0, lines: &[], coverages: &[] };
        assert!(picture.svg().trim_end().ends_with("</svg>"));
    }
}
