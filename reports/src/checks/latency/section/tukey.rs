//! The box plot, as Tukey drew it: the whiskers end at the most extreme data inside the fences,
//! never at the fences themselves.
//!
//! Beyond the upper whisker the picture goes on with another, logarithmic scale, so that a few
//! very long latencies neither flatten the box nor are left out.

use std::collections::BTreeMap;

use lastmeter_chart::{Axis, BAD, Chart, DATA, Figures, INK, Panel};

use super::words::{duration, milliseconds};
use crate::latency::{Delay, INFINITE, TukeyBox};
use crate::render::figure::Csv;
use crate::render::page::grouped;
use lastmeter_text::number;

pub(super) const OUTLIERS_MAX: usize = 400;
/// Outliers this close to each other, in parts of their value, share a dot when there are many.
const STEPS_PER_DECADE: f64 = 300.0;

/// The box with what lies outside of its whiskers.
pub(super) struct BoxPlot {
    five: TukeyBox,
    /// Dots for outliers that arrived: where, and for how many.
    dots: Vec<(Delay, u64)>,
    /// The population, lost messages included.
    n: u64,
    /// How many were lost; they are longer than anything.
    lost: u64,
}

impl BoxPlot {
    /// The plot of a box and the delays it was made from, in ascending order.
    pub(super) fn new(five: TukeyBox, ascending: &[Delay]) -> Self {
        let arrived = ascending.partition_point(|&delay| delay != INFINITE);
        let whiskers = five.whisker_low_ns..=five.whisker_high_ns;
        let outliers: Vec<Delay> = ascending[..arrived]
            .iter()
            .filter(|delay| !whiskers.contains(delay))
            .copied()
            .collect();
        let n = ascending.len() as u64;
        Self { five, dots: dots(&outliers), n, lost: n - arrived as u64 }
    }

    /// How many outliers arrived.
    fn outliers(&self) -> u64 {
        self.dots.iter().map(|(_, count)| count).sum()
    }

    /// Whisker, quartile, median, quartile, whisker, in ns.
    fn numbers(&self) -> [f64; 5] {
        let five = &self.five;
        let (low, high) = (five.whisker_low_ns as f64, five.whisker_high_ns as f64);
        [low, five.q1_ns, five.median_ns, five.q3_ns, high]
    }

    pub(super) fn svg(&self) -> String {
        let numbers = self.numbers();
        let [low, _, median, _, high] = numbers;
        let spread = high - low;
        let margin = if spread > 0.0 { 0.06 * spread } else { median.abs().max(1e3) * 0.1 };
        let start = self.dots.first().map_or(low, |dot| low.min(dot.0 as f64)) - margin;
        let start = if low >= 0.0 { start.max(0.0) } else { start };
        let longest = self.dots.last().map_or(high, |dot| high.max(dot.0 as f64));
        let flat = if longest > high + 2.0 * spread {
            let axis = Axis::broken(start, high + margin, longest, Figures::Nanoseconds);
            axis.named("latency, log scale beyond the break")
        } else {
            Axis::linear(start, longest + margin, Figures::Nanoseconds).named("latency")
        };
        let mut panel = Panel::new(flat, Axis::bare(), 100.0);
        self.add_counts(&mut panel);
        for value in numbers {
            panel.mark(value, duration(value), INK, (0.5, "1 3"));
        }
        let spots = self.dots.iter().enumerate().map(|(place, dot)| {
            // Spread over the height of the box, in a fixed order.
            let lift = ((place * 7) % 11) as f64 - 5.0;
            (dot.0 as f64, 0.5 + 0.03 * lift)
        });
        panel.dots(spots, DATA, (3.0, 0.6));
        panel.quartiles(numbers, DATA);
        Chart::new("box plot of the latency").with_panel(panel).svg()
    }

    /// What is outside, in words: the picture alone cannot show how many dots lie over each other.
    fn add_counts(&self, panel: &mut Panel) {
        let (outliers, all) = (self.outliers(), grouped(self.n));
        let share = 100.0 * outliers as f64 / self.n.max(1) as f64;
        let mut text = match outliers {
            0 => "no outliers".to_owned(),
            1 => format!("1 outlier of {all}"),
            _ => format!("{} outliers ({} % of {all})", grouped(outliers), number(share)),
        };
        if let Some(longest) = self.dots.last().filter(|dot| dot.0 > self.five.whisker_high_ns) {
            text = format!("{text}, longest {}", duration(longest.0 as f64));
        }
        panel.note(text, INK);
        if self.lost > 0 {
            panel.note(format!("+ {} lost", grouped(self.lost)), BAD);
        }
    }

    /// The data of the picture.
    pub(super) fn csv(&self, path: &str) -> String {
        let mut csv = Csv::new("path,what,latency_ms,n");
        let names = ["whisker_low", "q1", "median", "q3", "whisker_high"];
        for (what, value) in names.into_iter().zip(self.numbers()) {
            csv.line(&[path, what], &[value / 1e6, self.n as f64]);
        }
        for &(delay_ns, count) in &self.dots {
            csv.line(&[path, "outlier"], &[milliseconds(delay_ns), count as f64]);
        }
        if self.lost > 0 {
            csv.line(&[path, "lost"], &[f64::INFINITY, self.lost as f64]);
        }
        csv.finish()
    }
}

/// Dots for these, in ascending order: one each, or, where they are too many, one for those that
/// could not be distinguished anyway. The shortest and the longest keep their exact places.
fn dots(outliers: &[Delay]) -> Vec<(Delay, u64)> {
    if outliers.len() <= OUTLIERS_MAX {
        return outliers.iter().map(|&delay| (delay, 1)).collect();
    }
    let mut steps_per_decade = STEPS_PER_DECADE;
    loop {
        let mut dots: BTreeMap<i64, (Delay, u64)> = BTreeMap::new();
        for &delay in outliers {
            let step = libm::floor(libm::log10(delay.max(1) as f64) * steps_per_decade) as i64;
            let dot = dots.entry(step).or_insert((delay, 0));
            // The longest of a step stands for it: nothing looks shorter than it was.
            *dot = (dot.0.max(delay), dot.1 + 1);
        }
        if dots.len() <= OUTLIERS_MAX {
            return dots.into_values().collect();
        }
        steps_per_decade /= 2.0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::latency::tukey_box;

    fn plot(ascending: &[Delay]) -> BoxPlot {
        BoxPlot::new(tukey_box(ascending).unwrap(), ascending)
    }

    /// By hand: nine values have their quartiles at the third and the seventh, 110 and 150 ms; the
    /// fences are at 50 and 210 ms. The data nearest inside are 100 and 205 ms: there the whiskers
    /// end, 50 ms and 5 ms away from the fences.
    #[test]
    fn whiskers_end_at_data_inside_the_fences_not_at_the_fences() {
        let ms = [100, 105, 110, 130, 140, 145, 150, 205, 1_200];
        let ascending: Vec<Delay> = ms.iter().map(|ms| ms * 1_000_000).collect();
        let picture = plot(&ascending);
        assert_eq!(picture.dots, [(1_200_000_000, 1)]);
        assert_eq!(
            picture.csv("reading"),
            "path,what,latency_ms,n\n\
             reading,whisker_low,100,9\nreading,q1,110,9\nreading,median,140,9\n\
             reading,q3,150,9\nreading,whisker_high,205,9\nreading,outlier,1200,1\n"
        );
        let svg = picture.svg();
        for text in ["100 ms", "205 ms", "140 ms", "1 outlier of 9, longest 1200 ms"] {
            assert!(svg.contains(text), "{text} in {svg}");
        }
        assert!(!svg.contains(">210 ms<") && !svg.contains(">50 ms<"), "a fence is no whisker");
    }

    #[test]
    fn lost_messages_are_counted_beside_the_box() {
        let ms = [10, 11, 12, 13, 14, 15, 16];
        let mut ascending: Vec<Delay> = ms.iter().map(|ms| ms * 1_000_000).collect();
        ascending.push(INFINITE);
        let picture = plot(&ascending);
        assert_eq!((picture.dots.len(), picture.lost, picture.n), (0, 1, 8));
        assert!(picture.csv("p").ends_with("p,lost,inf,1\n"));
        assert!(picture.svg().contains("+ 1 lost"));
    }

    #[test]
    fn very_many_outliers_are_thinned_and_still_counted() {
        let few = (0..700_000).map(|i| 1_000_000 + i);
        let many = (0..200_000).map(|i| 7_000_001 + i * 50_000);
        let sorted: Vec<Delay> = few.chain(many).collect();
        let picture = plot(&sorted);
        assert!(picture.dots.len() <= OUTLIERS_MAX);
        assert_eq!(picture.outliers(), 200_000);
        assert_eq!(picture.dots.last().map(|dot| dot.0), sorted.last().copied());
        assert!(picture.svg().len() < 40_000);
    }

    #[test]
    fn no_box_breaks_the_picture() {
        for value in [0.0, 1.0, -5.0, 1e300, f64::INFINITY, f64::NAN] {
            let five = TukeyBox {
                q1_ns: value,
                median_ns: value,
                q3_ns: value,
                whisker_low_ns: value as i64,
                whisker_high_ns: value as i64,
            };
            let svg = BoxPlot::new(five, &[i64::MIN, 0, 1, INFINITE]).svg();
            assert!(svg.trim_end().ends_with("</svg>") && !svg.contains("=\"NaN"), "{value}");
        }
    }
}
