//! Latency over time: a mark for each message, or what stands for very many of them.
//!
//! Terms: a message's time is when it was to be sent; its latency runs from there; a lost message
//! has none. The *fence* is the third quartile and one and a half times the distance of the
//! quartiles (Tukey); what is above it is an *outlier*, and no outlier is thinned out while there
//! are not too many.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};

use lastmeter_chart::{Axis, BAD, Chart, DATA, Figures, INJECTED, INK, Panel, SECOND, SHADE};

use super::words::milliseconds;
use crate::render::figure::Csv;
use crate::render::page::grouped;

/// Bins of messages, if each cannot have its mark: two marks each.
const BINS: usize = 500;
/// The most outliers beside the bins.
const OUTLIERS_MAX: usize = 2_500;
/// The most messages with a mark each.
const SINGLE_MAX: usize = 4_000;
/// The most ticks for lost messages, and for repeated ones; neighbours share one.
const TICKS_MAX: usize = 500;
/// From about so many messages the medians of the bins are taken, in equal steps.
const MEDIAN_OF: u64 = 1_000_000;

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Message {
    /// When it was to be sent, in ns since the schedule began.
    pub(super) at_ns: i64,
    /// How long it took, `None` if it was lost.
    pub(super) delay_ns: Option<i64>,
    /// How often it came.
    pub(super) copies: u32,
    /// Whether it counts, or falls into the warm-up.
    pub(super) judged: bool,
}

/// Something the bench did, from when to when.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Injection {
    /// Seconds since the schedule began.
    pub(super) from_s: f64,
    /// The same as `from_s` for an instant.
    pub(super) to_s: f64,
    pub(super) text: String,
}

/// A latency worth a line: a class, or the limit a check declares.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct LimitLine {
    /// `TT3`, `limit`.
    pub(super) name: String,
    pub(super) limit_ns: i64,
    /// Whether a check of the run judges by it.
    pub(super) declared: bool,
}

/// What stands for the messages of a span of time.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Bin {
    pub(super) start_ns: i64,
    /// How many arrived messages.
    pub(super) n: u64,
    pub(super) min_ns: i64,
    /// The median by nearest rank; beyond a million messages that of evenly chosen ones.
    pub(super) median_ns: i64,
    pub(super) max_ns: i64,
}

#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Marks {
    /// Messages with marks of their own, in order of time.
    pub(super) single: Vec<Message>,
    /// What stands for all arrived messages, if not each has its mark.
    pub(super) bins: Vec<Bin>,
    pub(super) width_ns: i64,
    /// Lost messages: when, and how many there.
    pub(super) lost: Vec<(i64, u64)>,
    /// Messages that came more than once: when, and how many there.
    pub(super) repeated: Vec<(i64, u64)>,
    /// How many outliers there are, if not each message has its mark.
    pub(super) outliers: u64,
}

/// How long it took, when it was due (of equally long ones the later is dropped first), whether it
/// counts, and how often it came.
type Outlier = (i64, Reverse<i64>, bool, u32);

/// Chooses what is drawn while the messages pass by: everything, or bins with the outliers above
/// the fence; of more outliers than can be drawn the longest. Memory is bounded.
pub(super) struct Marker {
    fence_ns: f64,
    width_ns: i64,
    /// Every so many messages one enters the medians of the bins.
    stride: u64,
    taken: u64,
    /// `None`: each message has its mark.
    bins: Option<Vec<(Bin, Vec<i64>)>>,
    single: Vec<Message>,
    /// The longest outliers, the shortest of them on top.
    longest: BinaryHeap<Reverse<Outlier>>,
    outliers: u64,
    lost: Ticks,
    repeated: Ticks,
}

impl Marker {
    /// For so many messages, of a schedule this long; outliers are above the fence.
    pub(super) fn new(n: u64, end_ns: i64, fence_ns: Option<f64>) -> Self {
        let empty = Bin { start_ns: 0, n: 0, min_ns: i64::MAX, median_ns: 0, max_ns: i64::MIN };
        let binned = n > SINGLE_MAX as u64;
        Self {
            fence_ns: fence_ns.unwrap_or(f64::INFINITY),
            width_ns: end_ns.max(0) / BINS as i64 + 1,
            stride: n / MEDIAN_OF + 1,
            taken: 0,
            bins: binned.then(|| vec![(empty, Vec::new()); BINS]),
            single: Vec::new(),
            longest: BinaryHeap::new(),
            outliers: 0,
            lost: Ticks::default(),
            repeated: Ticks::default(),
        }
    }

    pub(super) fn push(&mut self, message: Message) {
        let Message { at_ns, delay_ns, copies, judged } = message;
        if copies > 1 {
            self.repeated.push(at_ns);
        }
        let Some(delay_ns) = delay_ns else { return self.lost.push(at_ns) };
        let Some(bins) = &mut self.bins else { return self.single.push(message) };
        let place = (at_ns.max(0) / self.width_ns).min(BINS as i64 - 1) as usize;
        let (bin, delays) = &mut bins[place];
        bin.n += 1;
        bin.min_ns = bin.min_ns.min(delay_ns);
        bin.max_ns = bin.max_ns.max(delay_ns);
        if self.taken.is_multiple_of(self.stride) || delays.is_empty() {
            delays.push(delay_ns);
        }
        self.taken += 1;
        if delay_ns as f64 > self.fence_ns {
            self.outliers += 1;
            // Of equally long ones the earlier stays.
            self.longest.push(Reverse((delay_ns, Reverse(at_ns), judged, copies)));
            if self.longest.len() > OUTLIERS_MAX {
                self.longest.pop();
            }
        }
    }

    pub(super) fn finish(mut self) -> Marks {
        let longest =
            self.longest.into_iter().map(|Reverse((delay, Reverse(at_ns), judged, copies))| {
                Message { at_ns, delay_ns: Some(delay), copies, judged }
            });
        self.single.extend(longest);
        self.single.sort_by_key(|message| (message.at_ns, message.delay_ns));
        let width_ns = self.width_ns;
        let filled = self.bins.into_iter().flatten().enumerate().filter(|(_, (bin, _))| bin.n > 0);
        let bins = filled.map(|(place, (bin, mut delays))| {
            delays.sort_unstable();
            let median_ns = delays[(delays.len() - 1) / 2];
            Bin { start_ns: place as i64 * width_ns, median_ns, ..bin }
        });
        Marks {
            single: self.single,
            bins: bins.collect(),
            width_ns,
            lost: self.lost.counts.into_iter().collect(),
            repeated: self.repeated.counts.into_iter().collect(),
            outliers: self.outliers,
        }
    }
}

/// Counts by time, of neighbours together once there are many.
struct Ticks {
    width_ns: i64,
    counts: BTreeMap<i64, u64>,
}

impl Default for Ticks {
    fn default() -> Self {
        Self { width_ns: 1, counts: BTreeMap::new() }
    }
}

impl Ticks {
    fn push(&mut self, at_ns: i64) {
        self.add(at_ns, 1);
        while self.counts.len() > TICKS_MAX {
            self.width_ns = self.width_ns.saturating_mul(2);
            for (at_ns, count) in std::mem::take(&mut self.counts) {
                self.add(at_ns, count);
            }
        }
    }

    fn add(&mut self, at_ns: i64, count: u64) {
        let start_ns = at_ns.div_euclid(self.width_ns).saturating_mul(self.width_ns);
        *self.counts.entry(start_ns).or_default() += count;
    }
}

/// What the picture shows besides the messages.
pub(super) struct Scatter<'a> {
    pub(super) marks: &'a Marks,
    /// What the bench did meanwhile.
    pub(super) injections: &'a [Injection],
    /// Latencies worth a line.
    pub(super) lines: &'a [LimitLine],
    /// How long the warm-up is, from the start of the schedule.
    pub(super) warm_up_s: f64,
    /// The end of the schedule.
    pub(super) end_s: f64,
}

/// Nothing shorter is drawn on a logarithmic axis.
const LEAST_NS: f64 = 1e3;
/// The height of what shows the latencies, and of a row of lost messages.
const HEIGHTS: (f64, f64) = (210.0, 22.0);

fn seconds(at_ns: i64) -> f64 {
    at_ns as f64 / 1e9
}

impl Scatter<'_> {
    /// The shortest and the longest latency drawn.
    fn range(&self) -> Option<(f64, f64)> {
        let marks = self.marks;
        let single = marks.single.iter().filter_map(|message| message.delay_ns);
        let delays = single.chain(marks.bins.iter().flat_map(|bin| [bin.min_ns, bin.max_ns]));
        delays.fold(None, |range, delay| {
            let delay = delay as f64;
            let (low, high) = range.unwrap_or((delay, delay));
            Some((f64::min(low, delay), f64::max(high, delay)))
        })
    }

    /// Linear, unless the longest latency would flatten the others. The declared limit is in the
    /// picture where it does not flatten them.
    fn axis(&self) -> Axis {
        let (low, high) = self.range().unwrap_or((0.0, 1e6));
        let mut delays: Vec<i64> = if self.marks.bins.is_empty() {
            self.marks.single.iter().filter_map(|message| message.delay_ns).collect()
        } else {
            self.marks.bins.iter().map(|bin| bin.median_ns).collect()
        };
        delays.sort_unstable();
        let median = delays.get(delays.len() / 2).map_or(high, |&delay| delay as f64);
        let declared =
            || self.lines.iter().filter(|line| line.declared).map(|line| line.limit_ns as f64);
        if high > 6.0 * median {
            let top = declared().filter(|limit| *limit < 30.0 * high).fold(high, f64::max);
            let low = declared().filter(|limit| *limit > low / 30.0).fold(low, f64::min);
            Axis::logarithmic_around(low.max(LEAST_NS), top, Figures::Nanoseconds)
        } else {
            let top = declared().filter(|limit| *limit < 3.0 * high).fold(high, f64::max);
            Axis::linear(0.0, 1.08 * top, Figures::Nanoseconds)
        }
    }

    /// The lines the picture has room for.
    pub(super) fn is_shown(&self, line: &LimitLine) -> bool {
        self.axis().holds(line.limit_ns as f64)
    }

    /// The picture: a row of strokes for lost and for repeated messages, above all others.
    pub(super) fn svg(&self) -> String {
        let mut chart = Chart::new("latency over time").wide();
        if let Some(lanes) = self.lanes() {
            chart = chart.with_panel(lanes);
        }
        let upright = self.axis();
        let name = if upright.is_logarithmic() { "latency, log scale" } else { "latency" };
        let time = Axis::time(self.end_s).named("intended time of sending");
        let mut panel = Panel::new(time, upright.named(name), HEIGHTS.0);
        if self.warm_up_s > 0.0 {
            panel.span((0.0, self.warm_up_s), "warm-up, not judged", SHADE, 1.0);
        }
        for Injection { from_s, to_s, text } in self.injections {
            panel.span((*from_s, *to_s), text, INJECTED, 0.13);
        }
        self.draw_messages(&mut panel);
        draw_limits(&mut panel, self.lines);
        chart.with_panel(panel).svg()
    }

    /// A row of strokes for lost messages, and one for repeated ones, each with its count.
    fn lanes(&self) -> Option<Panel> {
        let lanes = [("repeated", &self.marks.repeated, SECOND), ("lost", &self.marks.lost, BAD)];
        let lanes: Vec<_> = lanes.into_iter().filter(|(_, ticks, _)| !ticks.is_empty()).collect();
        let count = |ticks: &[(i64, u64)]| grouped(ticks.iter().map(|(_, count)| count).sum());
        let names = Axis::categories(lanes.iter().map(|(name, ..)| *name));
        let counts = Axis::categories(lanes.iter().map(|(_, ticks, _)| count(ticks)));
        let height = HEIGHTS.1 * lanes.len() as f64;
        let panel = Panel::new(Axis::time(self.end_s), names, height).with_second(counts);
        let mut panel = panel.without_x_figures();
        for (row, (_, ticks, colour)) in lanes.iter().enumerate() {
            let (low, high) = (row as f64 + 0.2, row as f64 + 0.8);
            let strokes = ticks.iter().map(|(at_ns, _)| (seconds(*at_ns), low, high));
            panel.bars(strokes, *colour, (1.2, 1.0));
        }
        (!lanes.is_empty()).then_some(panel)
    }

    fn draw_messages(&self, panel: &mut Panel) {
        let marks = self.marks;
        let middle = |bin: &Bin| seconds(bin.start_ns + marks.width_ns / 2);
        let bins = || marks.bins.iter();
        let ranges = bins().map(|bin| (middle(bin), bin.min_ns as f64, bin.max_ns as f64));
        panel.bars(ranges, DATA, (1.1, 0.22));
        let of = |judged: bool| {
            let single = marks.single.iter().filter(move |message| message.judged == judged);
            single.filter_map(|it| Some((seconds(it.at_ns), it.delay_ns? as f64)))
        };
        let opacity = if marks.single.len() > 1_500 { 0.5 } else { 0.75 };
        panel.dots(of(false), INK, (2.2, 0.45));
        panel.dots(of(true), DATA, (2.2, opacity));
        panel.dots(bins().map(|bin| (middle(bin), bin.median_ns as f64)), SECOND, (2.2, 1.0));
    }

    /// The data of the picture.
    pub(super) fn csv(&self, path: &str) -> String {
        let mut csv = Csv::new("path,mark,time_s,width_s,n,min_ms,median_ms,max_ms");
        for bin in &self.marks.bins {
            let delays = [bin.min_ns, bin.median_ns, bin.max_ns].map(milliseconds);
            let place = [seconds(bin.start_ns), seconds(self.marks.width_ns), bin.n as f64];
            csv.line(&[path, "bin"], &[&place[..], &delays[..]].concat());
        }
        for message in &self.marks.single {
            let delay = message.delay_ns.map_or(f64::INFINITY, milliseconds);
            let mark = if message.judged { "message" } else { "warm-up" };
            csv.line(&[path, mark], &[seconds(message.at_ns), 0.0, 1.0, delay, delay, delay]);
        }
        let infinite = [f64::INFINITY; 3];
        for (mark, ticks) in [("lost", &self.marks.lost), ("repeated", &self.marks.repeated)] {
            for &(at_ns, count) in ticks {
                let delays = if mark == "lost" { infinite } else { [f64::NAN; 3] };
                let place = [seconds(at_ns), 0.0, count as f64];
                csv.line(&[path, mark], &[&place[..], &delays[..]].concat());
            }
        }
        csv.finish()
    }
}

pub(super) fn draw_limits(panel: &mut Panel, lines: &[LimitLine]) {
    for line in lines {
        let name = format!("{} {}", line.name, super::words::limit(line.limit_ns));
        panel.limit(line.limit_ns as f64, name, line.declared);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The most marks a picture may have.
    const MARKS_MAX: usize = 5_000;

    fn count(marks: &Marks) -> usize {
        marks.single.len() + 2 * marks.bins.len() + marks.lost.len() + marks.repeated.len()
    }

    fn message(at_ms: i64, delay_ms: Option<i64>, copies: u32) -> Message {
        let ns = |ms: i64| ms * 1_000_000;
        Message { at_ns: ns(at_ms), delay_ns: delay_ms.map(ns), copies, judged: at_ms >= 500 }
    }

    fn marks(messages: &[Message], fence_ns: Option<f64>) -> Marks {
        let end_ns = messages.iter().map(|message| message.at_ns).max().unwrap_or(0);
        let mut marker = Marker::new(messages.len() as u64, end_ns, fence_ns);
        for &message in messages {
            marker.push(message);
        }
        marker.finish()
    }

    fn scatter<'a>(marks: &'a Marks, injections: &'a [Injection]) -> Scatter<'a> {
        Scatter { marks, injections, lines: &[], warm_up_s: 0.5, end_s: 4.0 }
    }

    #[test]
    fn few_messages_have_each_its_mark() {
        let messages = [
            message(0, Some(9), 1),
            message(500, Some(12), 2),
            message(1_000, None, 0),
            message(1_500, Some(11), 1),
        ];
        let marks = marks(&messages, Some(11.5e6));
        assert_eq!((marks.single.len(), marks.bins.len(), count(&marks)), (3, 0, 5));
        assert_eq!(
            scatter(&marks, &[]).csv("reading"),
            "path,mark,time_s,width_s,n,min_ms,median_ms,max_ms\n\
             reading,warm-up,0,0,1,9,9,9\n\
             reading,message,0.5,0,1,12,12,12\n\
             reading,message,1.5,0,1,11,11,11\n\
             reading,lost,1,0,1,inf,inf,inf\n\
             reading,repeated,0.5,0,1,,,\n"
        );
        let svg = scatter(&marks, &[]).svg();
        for text in ["warm-up, not judged", ">lost<", ">repeated<"] {
            assert!(svg.contains(text), "{text}");
        }
    }

    /// A million messages: every 1 ms, 100 ms long, each thousandth 150 ms, each 10 000th lost.
    #[test]
    fn a_million_messages_have_few_marks_and_lose_no_outlier() {
        let messages: Vec<Message> = (0..1_000_000)
            .map(|i| match i {
                _ if i % 10_000 == 5 => message(i, None, 0),
                _ if i % 1_000 == 7 => message(i, Some(150), 1),
                _ => message(i, Some(90 + i % 21), 1),
            })
            .collect();
        let marks = marks(&messages, Some(130e6));
        assert!(count(&marks) <= MARKS_MAX, "{}", count(&marks));
        assert_eq!((marks.outliers, marks.single.len()), (1_000, 1_000));
        assert_eq!(marks.lost.iter().map(|(_, count)| count).sum::<u64>(), 100);
        assert_eq!(marks.bins.iter().map(|bin| bin.n).sum::<u64>(), 999_900);
        // 2000 messages in a bin: 95 or so of each length from 90 to 110 ms.
        let bin = marks.bins[100];
        assert_eq!((bin.min_ns, bin.median_ns), (90_000_000, 100_000_000));
        assert_eq!(bin.max_ns, 150_000_000);
        let scatter = Scatter { end_s: 1_000.0, ..scatter(&marks, &[]) };
        assert!(scatter.svg().len() < 120_000 && scatter.csv("reading").len() < 200_000);
    }

    #[test]
    fn of_too_many_outliers_the_longest_are_drawn() {
        let messages: Vec<Message> = (0..9_000).map(|i| message(i, Some(1_000 + i), 1)).collect();
        let marks = marks(&messages, Some(1e9));
        assert!(count(&marks) <= MARKS_MAX);
        assert_eq!((marks.outliers, marks.single.len()), (8_999, OUTLIERS_MAX));
        assert_eq!(marks.single[0].delay_ns, Some(7_500_000_000));
    }

    #[test]
    fn many_repeated_messages_do_not_break_the_bound() {
        let messages: Vec<Message> = (0..4_000).map(|i| message(i * i, Some(10), 2)).collect();
        let marks = marks(&messages, None);
        assert!(count(&marks) <= MARKS_MAX);
        assert_eq!(marks.repeated.iter().map(|(_, count)| count).sum::<u64>(), 4_000);
    }

    #[test]
    fn injections_have_their_names_and_hostile_ones_stay_text() {
        let injection = |from_s, to_s, text: &str| Injection { from_s, to_s, text: text.into() };
        let injections = [
            injection(1.0, 2.0, "impair wan +200 ms"),
            injection(1.1, 1.1, "</svg><script>"),
            injection(3.9, 4.0, "near the right edge, and long"),
        ];
        let marks = marks(&[message(600, Some(3), 1)], None);
        let svg = scatter(&marks, &injections).svg();
        assert!(
            svg.contains(">impair wan +200 ms</text>") && svg.contains("edge, and long</text>")
        );
        assert!(!svg.contains("<script") && svg.matches("</svg>").count() == 1);
    }

    #[test]
    fn no_latency_breaks_the_picture() {
        let instants = [i64::MIN, -1, 0, 1, i64::MAX];
        for delay_ns in instants.map(Some).into_iter().chain([None]) {
            for at_ns in instants {
                let message = Message { at_ns, delay_ns, copies: 1, judged: true };
                for many in [1, 6_000] {
                    let marks = marks(&vec![message; many], Some(f64::NAN));
                    for end_s in [0.0, 4.0, f64::NAN, f64::INFINITY] {
                        let svg = Scatter { end_s, ..scatter(&marks, &[]) }.svg();
                        assert!(svg.trim_end().ends_with("</svg>") && !svg.contains("NaN"));
                    }
                }
            }
        }
    }
}
