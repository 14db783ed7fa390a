//! The share of messages that arrived within a time, over that time: the empirical distribution.
//!
//! Lost messages stay in the population, so their share is missing at the upper end of the curve.

use lastmeter_chart::{Axis, BAD, Chart, DATA, Figures, Panel};

use super::scatter::LimitLine;
use super::words::{limit, milliseconds, percent};
use crate::latency::{Delay, Distribution, INFINITE};
use crate::render::figure::Csv;
use crate::render::page::grouped;

pub(super) const STEPS_MAX: usize = 2_000;
/// The longest latencies whose steps are all kept.
const TAIL: usize = 500;

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

pub(super) struct Ecdf<'a> {
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
        Axis::logarithmic_around(from.max(1e3), to, Figures::Nanoseconds)
    }

    pub(super) fn svg(&self) -> String {
        let (flat, upright) = (self.axis(), Axis::linear(0.0, 1.0, Figures::Percent));
        let (flat, upright) =
            (flat.named("latency, log scale"), upright.named("share of all messages"));
        let mut panel = Panel::new(flat, upright, 170.0);
        let arrived = self.steps.last().map_or(0, |step| step.count);
        if arrived < self.n {
            let share = arrived as f64 / self.n as f64;
            let lost = grouped(self.n - arrived);
            panel.note(format!("{lost} lost: the curve ends at {}", percent(share)), BAD);
        }
        for line in self.lines {
            let width = if line.declared { 1.6 } else { 1.0 };
            let name = format!("{} {}", line.name, limit(line.limit_ns));
            panel.mark(line.limit_ns as f64, name, BAD, (width, "6 4"));
        }
        for coverage in self.coverages {
            panel.rule(*coverage, format!("{} coverage", percent(*coverage)), BAD, "2 3");
        }
        let first = self.steps.first().map(|step| (step.delay_ns as f64, 0.0));
        let steps = self.steps.iter().map(|step| (step.delay_ns as f64, self.share(step)));
        // The share of those that never came is missing to the end.
        let last = self.steps.last().map(|step| (f64::INFINITY, self.share(step)));
        panel.steps(first.into_iter().chain(steps).chain(last), DATA, (2.0, ""));
        Chart::new("share of messages within a latency").with_panel(panel).svg()
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
        assert!(svg.contains(">99 % coverage<"));
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
