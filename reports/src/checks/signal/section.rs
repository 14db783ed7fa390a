//! The part of a report about signals: each checked one over time, with the band it was held to.

use lastmeter_chart::{Axis, BAD, Chart, Colour, Figures, Panel};
use serde::Serialize;

use super::SignalCheck;
use super::judge::{Interval, Part, intervals};
use crate::check::kind::{Check, SectionHtml, SectionInput, as_type};
use crate::error::RenderError;
use crate::render::figure::{Csv, Figure, Picture};
use crate::render::template::fill;
use crate::verdict::Verdict;
use lastmeter_record::{RecordError, RunFacts, RunReader, Status};
use lastmeter_text::{Prose, number};

const TEMPLATE: &str = include_str!("section.html");

/// A picture has no more bins than these; of each the lowest and the highest value are drawn.
const BINS_MAX: usize = 500;

#[derive(Serialize)]
struct Section {
    rows: Vec<Row>,
    pictures: Vec<Picture>,
}

/// A check of a signal, as it was judged.
#[derive(Serialize)]
struct Row {
    check: String,
    signal: String,
    status: Status,
    measured: String,
    limit: String,
    why: Prose,
}

/// The section; `None` if no check is about a signal.
pub(super) fn section(
    input: &SectionInput<'_>,
    figures: &mut Vec<Figure>,
) -> Result<Option<SectionHtml>, RenderError> {
    let judged = input.judged();
    let own = judged.filter_map(|(check, verdict)| Some((as_type::<SignalCheck>(check)?, verdict)));
    let (mut rows, mut pictures) = (Vec::new(), Vec::new());
    for (check, verdict) in own {
        let filled = check.filled(input.reader)?;
        let of = |value: Option<f64>| {
            value.map_or_else(String::new, |value| format!("{} {}", number(value), verdict.unit))
        };
        rows.push(Row {
            check: verdict.check.clone(),
            signal: check.signal.clone(),
            status: verdict.status,
            measured: of(verdict.measured),
            limit: of(verdict.limit),
            why: verdict.why.clone(),
        });
        pictures.push(filled.picture(verdict, input, figures));
    }
    if rows.is_empty() {
        return Ok(None);
    }
    Ok(Some(fill("signals.html", TEMPLATE, &Section { rows, pictures })?.into()))
}

impl SignalCheck {
    /// The same check with the samples of the record, which it has not seen here.
    fn filled(&self, reader: &RunReader) -> Result<Self, RecordError> {
        let mut filled = self.clone();
        filled.begin(reader.facts());
        let Some(mut signals) = reader.signals()? else { return Ok(filled) };
        // What cannot be read of the record is left out: the verdicts report it.
        while let Ok(Some(sample)) = signals.next_row() {
            filled.signal(&sample);
        }
        Ok(filled)
    }

    fn picture(
        &self,
        verdict: &Verdict,
        input: &SectionInput<'_>,
        figures: &mut Vec<Figure>,
    ) -> Picture {
        let facts: &RunFacts = input.reader.facts();
        let (own, other) = (intervals(&self.samples), intervals(&self.others));
        let parts = self.parts(&own, &other, facts.end - facts.start);
        let bands: Vec<Vec<Edge>> = parts.iter().map(|part| self.edges(part, &own)).collect();
        let mut csv = Csv::new("signal,time_s,value,low,high");
        for interval in &own {
            let part = parts.iter().find(|part| part.holds(interval));
            let range = part.and_then(|part| part.wanted.range(interval));
            let (low, high) = range.map_or((f64::NAN, f64::NAN), |(low, high)| {
                (low - self.tolerance, high + self.tolerance)
            });
            csv.line(&[&self.signal], &[s(interval.to_ns), interval.value, low, high]);
        }
        let label = format!("{} over time with the band of {}", self.signal, verdict.check);
        let mut chart = Chart::new(label).with_key(Colour::of_curve(0), &*self.signal);
        if let super::Rule::Follows { other, .. } = &self.rule {
            chart = chart.with_key(Colour::of_curve(1), other);
        }
        let curves = [(Colour::of_curve(1), points(&other)), (Colour::of_curve(0), points(&own))];
        let mark = verdict.at.as_ref().and_then(|at| at.time);
        let mark_s = mark.map(|time| (time - facts.start).as_seconds_f64());
        let unit = format!("{} in {}", self.signal, self.unit());
        let panel = draw(&unit, input.end_s, (&curves, &bands, mark_s));
        let svg = chart.with_panel(panel).svg();
        let figure = Figure::drawn(format!("signal-{}", verdict.check), svg, csv.finish());
        let caption = "shaded: within the tolerance; red: the first value outside";
        let title = format!("{}: {}", verdict.check, verdict.status);
        Picture::of(figure, title, caption, figures)
    }

    /// The band of a part, sample by sample.
    fn edges(&self, part: &Part<'_>, own: &[Interval]) -> Vec<Edge> {
        let edge = |interval: &Interval| {
            let (low, high) = part.wanted.range(interval)?;
            Some(Edge {
                from_s: s(interval.from_ns),
                to_s: s(interval.to_ns),
                low: low - self.tolerance,
                high: high + self.tolerance,
            })
        };
        thinned(part.of(own).filter_map(edge).filter(|edge| edge.low.is_finite()))
    }
}

/// The band over the time that one sample stands for.
#[derive(Clone, Copy, Debug)]
struct Edge {
    from_s: f64,
    to_s: f64,
    low: f64,
    high: f64,
}

impl Edge {
    fn is_level_with(&self, other: &Self) -> bool {
        let bits = |edge: &Self| (edge.low.to_bits(), edge.high.to_bits());
        bits(self) == bits(other)
    }
}

/// The edges with those of one height as one, and of many as few as a picture shows.
fn thinned(edges: impl Iterator<Item = Edge>) -> Vec<Edge> {
    let mut merged: Vec<Edge> = Vec::new();
    for edge in edges {
        match merged.last_mut() {
            Some(last) if last.is_level_with(&edge) => last.to_s = edge.to_s,
            _ => merged.push(edge),
        }
    }
    let size = merged.len().div_ceil(BINS_MAX).max(1);
    let both = |bin: &[Edge]| {
        bin.iter().copied().reduce(|a, b| Edge {
            from_s: a.from_s,
            to_s: b.to_s,
            low: a.low.min(b.low),
            high: a.high.max(b.high),
        })
    };
    merged.chunks(size).filter_map(both).collect()
}

/// Nanoseconds in seconds.
fn s(ns: i64) -> f64 {
    ns as f64 / 1e9
}

/// Where a curve goes: through every sample, or through the lowest and the highest of each bin.
fn points(intervals: &[Interval]) -> Vec<(f64, f64)> {
    let known: Vec<(f64, f64)> = intervals
        .iter()
        .filter(|interval| interval.value.is_finite())
        .map(|interval| (s(interval.to_ns), interval.value))
        .collect();
    let size = known.len().div_ceil(BINS_MAX).max(1);
    if size <= 2 {
        return known;
    }
    let ends = |bin: &[(f64, f64)]| {
        let low = bin.iter().copied().min_by(|a, b| a.1.total_cmp(&b.1));
        let high = bin.iter().copied().max_by(|a, b| a.1.total_cmp(&b.1));
        let mut ends: Vec<(f64, f64)> = low.into_iter().chain(high).collect();
        ends.sort_by(|a, b| a.0.total_cmp(&b.0));
        ends
    };
    known.chunks(size).flat_map(ends).collect()
}

/// Its colour, and where it goes.
type Curve = (Colour, Vec<(f64, f64)>);

/// The curves over their bands, with the instant of the first value outside.
fn draw(
    unit: &str,
    end_s: f64,
    (curves, bands, mark_s): (&[Curve], &[Vec<Edge>], Option<f64>),
) -> Panel {
    let edges = bands.iter().flatten().flat_map(|edge| [edge.low, edge.high]);
    let values = curves.iter().flat_map(|(_, places)| places.iter().map(|place| place.1));
    let upright = Axis::around(edges.chain(values), Figures::Plain).named(unit);
    let mut panel = Panel::new(Axis::time(end_s).named("since the start"), upright, 170.0);
    for band in bands {
        let ends = |edge: &Edge| [edge.from_s, edge.to_s].map(|at| (at, edge.low, edge.high));
        panel.band(&band.iter().flat_map(ends).collect::<Vec<_>>(), Colour::of_curve(0), 0.18);
    }
    for (colour, places) in curves {
        panel.line(places.iter().copied(), *colour, 1.2);
        if places.len() <= BINS_MAX / 4 {
            panel.dots(places.iter().copied(), *colour, (3.0, 1.0));
        }
    }
    if let Some(mark_s) = mark_s {
        panel.mark(mark_s, "", BAD, (1.2, "4 3"));
    }
    panel
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ramp(count: i64) -> Vec<Interval> {
        let interval = |n: i64| Interval {
            from_ns: n * 1_000_000_000,
            to_ns: (n + 1) * 1_000_000_000,
            value: if n == 700 { 99.0 } else { (n % 7) as f64 },
        };
        (0..count).map(interval).collect()
    }

    #[test]
    fn a_long_curve_keeps_its_peaks() {
        assert_eq!(points(&ramp(600)).len(), 600);
        let long = points(&ramp(5000));
        assert!(long.len() <= 2 * BINS_MAX);
        assert!(long.contains(&(701.0, 99.0)));
        assert!(long.is_sorted_by(|a, b| a.0 <= b.0));
    }

    #[test]
    fn a_band_of_one_height_is_one_piece_and_a_long_one_has_few() {
        let edge = |n: u32, low: f64| Edge {
            from_s: f64::from(n),
            to_s: f64::from(n + 1),
            low,
            high: low + 1.0,
        };
        let level = thinned((0..9000).map(|n| edge(n, if n < 4000 { 0.0 } else { 5.0 })));
        let ends: Vec<_> = level.iter().map(|edge| (edge.from_s, edge.to_s, edge.low)).collect();
        assert_eq!(ends, [(0.0, 4000.0, 0.0), (4000.0, 9000.0, 5.0)]);
        let moving = thinned((0..9000).map(|n| edge(n, f64::from(n))));
        assert!(moving.len() <= BINS_MAX);
        assert_eq!((moving[0].low, moving[0].high), (0.0, moving[0].to_s));
    }

    #[test]
    fn no_value_whatever_keeps_the_picture_from_being_drawn() {
        for values in [&[][..], &[f64::NAN], &[1e308, -1e308], &[5.0, 5.0]] {
            let places: Vec<(f64, f64)> = values.iter().map(|value| (1.0, *value)).collect();
            let edge = Edge { from_s: 0.0, to_s: 1.0, low: f64::NEG_INFINITY, high: 1.0 };
            for end_s in [10.0, 0.0] {
                let curves = [(Colour::of_curve(0), places.clone())];
                let panel = draw("V", end_s, (&curves, &[vec![edge]], Some(3.0)));
                let svg = Chart::new("l").with_panel(panel).svg();
                assert!(svg.trim_end().ends_with("</svg>") && !svg.contains("NaN"), "{values:?}");
            }
        }
    }
}
