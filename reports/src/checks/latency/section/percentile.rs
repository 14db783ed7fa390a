//! Latency over the percentile, the axis stretched towards 100 %: what the slowest get.
//!
//! Terms: the *bound* of a percentile is the latency it lies under at 95 % confidence (an order
//! statistic); beyond the percentile for which the messages suffice there is none.

use lastmeter_chart::{Axis, BAD, Chart, DATA, Figures, Panel};

use super::scatter::{LimitLine, draw_limits};
use super::words::nanoseconds;
use crate::latency::{Delay, Distribution, INFINITE, deciding_rank};
use crate::render::figure::Csv;

/// One percentile. A latency may be that of a lost message: [`INFINITE`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Percentile {
    /// Which share of the messages, less than 1.
    pub(super) share: f64,
    /// The latency by nearest rank.
    pub(super) delay: Delay,
    /// Its upper bound at 95 % confidence; `None` where there are too few messages for one.
    pub(super) bound: Option<Delay>,
}

impl Percentile {
    /// A percentile of some delays; `None` without any.
    pub(super) fn of(delays: &Distribution, share: f64) -> Option<Self> {
        let n = delays.n();
        // Half a rank below, so that rounding cannot end at the next one.
        let at = |rank: u64| delays.quantile((rank as f64 - 0.5) / n as f64);
        let bound = deciding_rank(n, share).and_then(at);
        Some(Self { share, delay: delays.quantile(share)?, bound })
    }
}

/// The shares of the plot for a population: those with round names, and enough between them.
pub(super) fn shares(n: u64) -> Vec<f64> {
    let named = [0.5, 0.9, 0.95, 0.97, 0.99, 0.995, 0.999, 0.9995, 0.9999, 0.999_99, 0.999_999];
    let most = 1.0 - 1.0 / n.max(2) as f64;
    let between = (0..240).map(|step| 1.0 - libm::exp10(-f64::from(step) / 40.0));
    let mut shares: Vec<f64> = between.chain(named).filter(|share| *share <= most).collect();
    shares.push(most);
    shares.sort_by(f64::total_cmp);
    shares.dedup();
    shares
}

pub(super) struct PercentilePlot<'a> {
    /// The percentiles in ascending order.
    pub(super) percentiles: &'a [Percentile],
    /// Latencies worth a line.
    pub(super) lines: &'a [LimitLine],
}

impl PercentilePlot<'_> {
    /// Logarithmic where the slowest would flatten the rest.
    fn axis(&self) -> Axis {
        let delays = self.percentiles.iter().map(|percentile| nanoseconds(percentile.delay));
        let bounds = self.percentiles.iter().filter_map(|percentile| percentile.bound);
        let all = delays.chain(bounds.map(nanoseconds)).filter(|delay| delay.is_finite());
        let (low, high) = all.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), delay| {
            (low.min(delay), high.max(delay))
        });
        if low > high {
            return Axis::linear(0.0, 1e6, Figures::Nanoseconds);
        }
        let near = self.lines.iter().filter(|line| line.declared).map(|line| line.limit_ns as f64);
        let near: Vec<f64> =
            near.filter(|limit| *limit < 30.0 * high && *limit > low / 30.0).collect();
        let (low, high) = near
            .iter()
            .fold((low, high), |(low, high), &limit| (f64::min(low, limit), f64::max(high, limit)));
        if high > 6.0 * low.max(1.0) {
            Axis::logarithmic_around(low.max(1e3), high, Figures::Nanoseconds)
        } else {
            Axis::linear(0.0, 1.08 * high, Figures::Nanoseconds)
        }
    }

    /// The picture: the percentiles, and from each to its bound a band.
    pub(super) fn svg(&self) -> String {
        let upright = self.axis();
        let name = if upright.is_logarithmic() { "latency, log scale" } else { "latency" };
        let last = self.percentiles.last().map_or(0.9, |percentile| percentile.share);
        let flat = Axis::percentiles(last).named("percentile");
        let mut panel = Panel::new(flat, upright.named(name), 170.0);
        let bounded = self.percentiles.iter().filter_map(|one| Some((one, one.bound?)));
        let edges =
            bounded.map(|(one, bound)| (one.share, nanoseconds(one.delay), nanoseconds(bound)));
        panel.band(&edges.collect::<Vec<_>>(), DATA, 0.2);
        draw_limits(&mut panel, self.lines);
        let arrived = self.percentiles.iter().filter(|one| one.delay != INFINITE);
        panel.line(arrived.map(|one| (one.share, nanoseconds(one.delay))), DATA, 2.0);
        if let Some(first) = self.percentiles.iter().find(|one| one.delay == INFINITE) {
            panel.mark(first.share, "lost from here on", BAD, (1.6, ""));
        }
        Chart::new("latency over percentile").with_panel(panel).svg()
    }

    /// Up to which share there is a bound.
    pub(super) fn bounded_up_to(&self) -> Option<f64> {
        self.percentiles.iter().rfind(|one| one.bound.is_some()).map(|one| one.share)
    }

    /// The data of the picture.
    pub(super) fn csv(&self, path: &str) -> String {
        let mut csv = Csv::new("path,percentile,latency_ms,bound_95_ms");
        for one in self.percentiles {
            let bound = one.bound.map_or(f64::NAN, |bound| nanoseconds(bound) / 1e6);
            csv.line(&[path], &[100.0 * one.share, nanoseconds(one.delay) / 1e6, bound]);
        }
        csv.finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_axis_goes_as_far_as_the_messages_and_has_the_round_percentiles() {
        for n in [0, 1, 2, 100, 1_500, 30_000, 1_000_000] {
            let shares = shares(n);
            assert!(shares.len() < 260);
            assert!(shares.windows(2).all(|pair| pair[0] < pair[1]), "{n}");
            assert!(shares.last().copied().unwrap() < 1.0);
        }
        for share in [0.5, 0.97, 0.99, 0.999] {
            assert!(shares(1_500).contains(&share));
        }
        assert!(!shares(500).contains(&0.999), "500 messages have no 99.9 % percentile");
    }

    /// From the table of the latency rules (2.6): 299 messages carry a claim about the 99 %
    /// percentile with none late, so its bound is the longest; 298 carry none.
    #[test]
    fn the_bound_is_the_order_statistic_that_decides() {
        let delays = |n: i64| Distribution::of((1..=n).map(|ms| ms * 1_000_000).collect());
        let of = |n, share| {
            let one = Percentile::of(&delays(n), share).unwrap();
            (one.delay / 1_000_000, one.bound.map(|bound| bound / 1_000_000))
        };
        assert_eq!(of(298, 0.99), (296, None));
        assert_eq!(of(299, 0.99), (297, Some(299)));
        assert_eq!(of(473, 0.99), (469, Some(472)), "one may be late");
        // scipy: binom.ppf(0.95, 10000, 0.5) + 1.
        assert_eq!(of(10_000, 0.5), (5_000, Some(5_083)));
    }

    #[test]
    fn where_there_is_no_bound_none_is_drawn_and_the_lost_are_at_the_end() {
        let one = |share, delay, bound| Percentile { share, delay, bound };
        let percentiles = [
            one(0.5, 10_000_000, Some(12_000_000)),
            one(0.9, 20_000_000, Some(INFINITE)),
            one(0.95, INFINITE, None),
        ];
        let plot = PercentilePlot { percentiles: &percentiles, lines: &[] };
        assert_eq!(
            plot.csv("command"),
            "path,percentile,latency_ms,bound_95_ms\n\
             command,50,10,12\ncommand,90,20,inf\ncommand,95,inf,\n"
        );
        assert_eq!(plot.bounded_up_to(), Some(0.9));
        let svg = plot.svg();
        assert!(svg.contains("lost from here on") && !svg.contains("NaN"), "{svg}");
    }
}
