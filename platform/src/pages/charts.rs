//! Drawings of series, as SVG from the server: one for narrow and one for wide cards. What is
//! drawn also stands in a table below, and beside it as points for the script.

use lastmeter_chart::{Axis, Block, Chart, Colour, DATA, Figures, Panel, REST};
use lastmeter_model::calendar::{Stretch, Width, Zone, stretches};
use lastmeter_model::entity::Piece;
use lastmeter_model::series::energy::Energy;
use lastmeter_text::append;
use lastmeter_units::SimTime;
use serde::Serialize;
use serde_json::json;

use super::format::{Shown, Times, number};
use crate::ops::homes::Bucket;

/// The colour of what is taken from the grid, and of a time without readings.
const GRID: Colour = DATA;
const GAP: Colour = REST;
/// Points of a line at most, in a wide and in a narrow drawing: about one for two or three pixels.
const WIDE_COLUMNS: usize = 240;
const NARROW_COLUMNS: usize = 120;
/// Rows of the table below a line at most: a week has them by half an hour.
const TABLE_ROWS: usize = 400;

/// A drawing with what a page needs beside it.
#[derive(Debug, Default, Serialize)]
pub(super) struct Drawing {
    pub(super) wide: String,
    pub(super) narrow: String,
    /// What it shows, in words: least, most, total, what is missing.
    pub(super) summary: String,
    /// Points for the script, as JSON that may stand in a document.
    pub(super) points: String,
    pub(super) rows: Vec<Row>,
}

/// A row of the table below a drawing.
#[derive(Debug, Serialize)]
pub(super) struct Row {
    pub(super) time: String,
    pub(super) datetime: String,
    /// `None` where nothing was measured.
    pub(super) value: Option<Shown>,
    pub(super) kind: &'static str,
}

/// JSON that may stand within an element of a document.
fn in_document(value: &serde_json::Value) -> String {
    value.to_string().replace('<', "\\u003c").replace('>', "\\u003e").replace('&', "\\u0026")
}

/// Seconds from the beginning of a picture.
fn seconds(from: SimTime, at: SimTime) -> f64 {
    at.since(from).as_seconds_f64()
}

/// The axis of local time: elapsed time, with the figures of the zone's clocks.
fn time_axis(zone: &Zone, whole: Stretch) -> Axis {
    let length = seconds(whole.from, whole.until);
    let (width, is_clock) = match length {
        length if length <= 7.0 * 3600.0 => (Width::Hour, true),
        length if length <= 2.2 * 86_400.0 => (Width::Hour, true),
        length if length <= 62.0 * 86_400.0 => (Width::Day, false),
        _ => (Width::Month, false),
    };
    let all = stretches(zone, width, whole.from, whole.until);
    let marks = all.filter(|one| one.from >= whole.from).filter_map(|one| {
        let local = zone.local(one.from);
        let is_wanted = !is_clock || length <= 7.0 * 3600.0 || local.hour % 6 == 0;
        let text = match (is_clock, width) {
            (true, _) => format!("{:02}:{:02}", local.hour, local.minute),
            (false, Width::Month) => {
                super::format::date(local, local).split(' ').next_back()?.to_owned()
            }
            (false, _) => super::format::date(local, local),
        };
        is_wanted.then(|| (seconds(whole.from, one.from), text))
    });
    Axis::marked(length, marks)
}

fn value_axis(most: f64, unit: &str) -> Axis {
    let most = if most > 0.0 { most * 1.08 } else { 1.0 };
    Axis::linear(0.0, most, Figures::Plain).named(unit)
}

/// Both drawings of a panel.
fn drawn(label: &str, panel: &Panel) -> (String, String) {
    let chart = Chart::new(label).with_panel(panel.clone());
    (chart.clone().wide().svg(), chart.svg())
}

/// Bars of what a register counted in each stretch, with times of which only the total is known.
pub(super) fn bars(
    times: &Times,
    energy: &Energy,
    (whole, name): (Stretch, &str),
    unit: &'static str,
) -> Drawing {
    let span =
        |stretch: Stretch| (seconds(whole.from, stretch.from), seconds(whole.from, stretch.until));
    let per_bar =
        energy.counted.first().map_or(1.0, |one| seconds(one.stretch.from, one.stretch.until));
    // A gap is as high as its mean over the width of a bar.
    let heights = energy.gaps.iter().filter_map(|gap| {
        let (from, until) = (gap.from.max(whole.from), gap.until.min(whole.until));
        (from < until).then_some(())?;
        let length = seconds(gap.from, gap.until).max(1.0);
        Some((from, until, gap.total.map(|total| total * per_bar / length)))
    });
    let gaps: Vec<_> = heights.collect();
    let most = energy.counted.iter().filter_map(|one| one.value).fold(0.0, f64::max);
    let most = gaps.iter().filter_map(|gap| gap.2).fold(most, f64::max);
    let mut panel = Panel::new(time_axis(&times.zone, whole), value_axis(most, unit), 150.0);
    for (from, until, height) in &gaps {
        let (left, right) = (seconds(whole.from, *from), seconds(whole.from, *until));
        panel.span((left, right), "no readings", GAP, 0.25);
        if let Some(height) = height {
            panel.block(Block {
                from: (left, 0.0),
                to: (right, *height),
                colour: GRID,
                opacity: 0.3,
                hint: "only the total is known".to_owned(),
                text: String::new(),
            });
        }
    }
    for one in &energy.counted {
        let Some(value) = one.value else { continue };
        let (left, right) = span(one.stretch);
        let inset = (right - left) * 0.08;
        panel.block(Block {
            from: (left + inset, 0.0),
            to: (right - inset, value),
            colour: GRID,
            opacity: 1.0,
            hint: number(value, unit).text,
            text: String::new(),
        });
    }
    let rows = rows_of(times, energy, unit);
    let summary = summary(times, energy, unit);
    let points: Vec<_> = energy
        .counted
        .iter()
        .map(|one| {
            json!([times.clock(one.stretch.from).text, one.value.map(|it| number(it, unit))])
        })
        .collect();
    let (wide, narrow) = drawn(&format!("{name}: {summary}"), &panel);
    Drawing { wide, narrow, summary, points: in_document(&json!(points)), rows }
}

fn rows_of(times: &Times, energy: &Energy, unit: &'static str) -> Vec<Row> {
    let counted = energy.counted.iter().map(|one| (one.stretch.from, one.value, "measured"));
    let gaps = energy.gaps.iter().map(|gap| match gap.total {
        Some(total) => (gap.from, Some(total), "only the total known"),
        None => (gap.from, None, "counter restarted"),
    });
    let mut all: Vec<_> = counted.chain(gaps).filter(|one| one.0 < times.now).collect();
    all.sort_by_key(|one| one.0);
    let row = |(at, value, kind): (SimTime, Option<f64>, &'static str)| {
        let when = times.clock(at);
        let kind = if value.is_none() && kind == "measured" { "missing" } else { kind };
        let value = value.map(|value| number(value, unit));
        Row { time: when.text, datetime: when.datetime, value, kind }
    };
    all.into_iter().map(row).collect()
}

fn summary(times: &Times, energy: &Energy, unit: &'static str) -> String {
    let of = |value: f64| {
        let shown = number(value, unit);
        format!("{} {}", shown.text, shown.unit)
    };
    let Some(total) = energy.total else { return "no readings".to_owned() };
    let mut text = format!("{} in all", of(total));
    let most = energy.counted.iter().filter_map(|one| Some((one.value?, one.stretch.from)));
    if let Some((most, at)) = most.max_by(|a, b| a.0.total_cmp(&b.0)) {
        append(&mut text, format_args!(", most {} from {}", of(most), times.clock(at).text));
    }
    for gap in energy.gaps.iter().take(3) {
        let (from, until) = (times.clock(gap.from).text, times.clock(gap.until).text);
        match gap.total {
            Some(total) => {
                let total = of(total);
                append(&mut text, format_args!("; from {from} to {until} only the total, {total}"));
            }
            None => append(
                &mut text,
                format_args!("; the counter restarted between {from} and {until}"),
            ),
        }
    }
    text
}

/// Prices as steps, each as high as what 1 kWh costs; nothing where there is none.
pub(super) fn prices(
    times: &Times,
    pieces: &[Piece],
    (whole, name): (Stretch, &str),
    unit: &str,
) -> Drawing {
    let value = |piece: &Piece| piece.price.micros() as f64 / 1e6;
    let all = || pieces.iter().map(value);
    let (least, most) = (all().fold(0.0, f64::min), all().fold(0.0, f64::max));
    let axis = if least < 0.0 {
        Axis::around([least, most], Figures::Plain).named(unit)
    } else {
        value_axis(most, unit)
    };
    let mut panel = Panel::new(time_axis(&times.zone, whole), axis, 150.0);
    for piece in pieces {
        let price = value(piece);
        panel.block(Block {
            from: (seconds(whole.from, piece.from.max(whole.from)), price.min(0.0)),
            to: (seconds(whole.from, piece.until.min(whole.until)), price.max(0.0)),
            colour: GRID,
            // What is past stands back.
            opacity: if piece.until <= times.now { 0.35 } else { 1.0 },
            hint: piece.name.to_string(),
            text: String::new(),
        });
    }
    let shown = |piece: &Piece| {
        let text = piece.price.to_string();
        Shown { value: text.clone(), text, unit: "" }
    };
    let rows: Vec<Row> = pieces
        .iter()
        .map(|piece| {
            let when = times.clock(piece.from);
            let value = Some(shown(piece));
            Row { time: when.text, datetime: when.datetime, value, kind: "price" }
        })
        .collect();
    let edge = |least: bool| {
        // The first of those that are alike.
        let by = |piece: &&Piece| if least { piece.price.micros() } else { -piece.price.micros() };
        let found = pieces.iter().min_by_key(by);
        found.map(|piece| format!("{} {unit} from {}", piece.price, times.clock(piece.from).text))
    };
    let summary = match (edge(true), edge(false)) {
        (Some(least), Some(most)) => format!("least {least}, most {most}"),
        _ => "no prices".to_owned(),
    };
    let points: Vec<_> = rows.iter().map(|row| json!([row.time, row.value])).collect();
    let (wide, narrow) = drawn(&format!("{name}: {summary}"), &panel);
    Drawing { wide, narrow, summary, points: in_document(&json!(points)), rows }
}

/// A line with the band of least and greatest values, broken where readings are missing.
pub(super) fn line(
    times: &Times,
    buckets: &[Bucket],
    (whole, name): (Stretch, &str),
    (unit, gap_s): (&'static str, f64),
    is_from_zero: bool,
) -> Drawing {
    // The greatest value is drawn whatever the width of a bucket.
    let (least, most) =
        buckets.iter().fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), it| {
            (low.min(it.min), high.max(it.max))
        });
    let axis = if is_from_zero && least >= 0.0 {
        value_axis(most.max(0.0), unit)
    } else {
        Axis::around(buckets.iter().flat_map(|it| [it.min, it.max]), Figures::Plain).named(unit)
    };
    let middle =
        |it: &Bucket| seconds(whole.from, it.first.0).midpoint(seconds(whole.from, it.last.0));
    let mut parts: Vec<Vec<&Bucket>> = Vec::new();
    for bucket in buckets {
        let before = parts.last().and_then(|part| part.last());
        let is_next = before
            .is_some_and(|before| bucket.first.0.since(before.last.0).as_seconds_f64() <= gap_s);
        match parts.last_mut().filter(|_| is_next) {
            Some(part) => part.push(bucket),
            None => parts.push(vec![bucket]),
        }
    }
    let panel = |columns: usize| {
        let mut panel = Panel::new(time_axis(&times.zone, whole), axis.clone(), 150.0);
        for pair in parts.windows(2) {
            let (Some(end), Some(begin)) = (pair[0].last(), pair[1].first()) else { continue };
            let ends = [end.last.0, begin.first.0].map(|at| seconds(whole.from, at));
            panel.span((ends[0], ends[1]), "no readings", GAP, 0.25);
        }
        for part in &parts {
            let drawn = merged(part, buckets.len().div_ceil(columns).max(1));
            let edges: Vec<_> = drawn.iter().map(|it| (middle(it), it.min, it.max)).collect();
            panel.band(&edges, GRID, 0.18);
            let points: Vec<_> = drawn.iter().map(|it| (middle(it), it.mean)).collect();
            if points.len() == 1 {
                panel.dots(points, GRID, (5.0, 1.0));
            } else {
                panel.line(points, GRID, 2.0);
            }
        }
        panel
    };
    let of = |value: f64| {
        let shown = number(value, unit);
        format!("{} {}", shown.text, shown.unit)
    };
    let summary = if buckets.is_empty() {
        "no readings".to_owned()
    } else {
        let missing = parts.len().saturating_sub(1);
        let missing = match missing {
            0 => String::new(),
            1 => "; readings are missing once".to_owned(),
            many => format!("; readings are missing {many} times"),
        };
        format!("least {}, most {}{missing}", of(least), of(most))
    };
    let rows = table(&parts, times, unit);
    let points: Vec<_> = rows.iter().map(|row| json!([row.time, row.value])).collect();
    let label = format!("{name}: {summary}");
    let (wide, narrow) =
        (drawn(&label, &panel(WIDE_COLUMNS)).0, drawn(&label, &panel(NARROW_COLUMNS)).1);
    Drawing { wide, narrow, summary, points: in_document(&json!(points)), rows }
}

/// The rows below a line whose parts have readings without a gap.
fn table(parts: &[Vec<&Bucket>], times: &Times, unit: &'static str) -> Vec<Row> {
    let buckets: usize = parts.iter().map(Vec::len).sum();
    let in_row = buckets.div_ceil(TABLE_ROWS).max(1);
    let row = |it: Bucket| {
        let when = times.clock(it.first.0);
        let value = Some(number(it.mean, unit));
        Row { time: when.text, datetime: when.datetime, value, kind: "measured" }
    };
    parts.iter().flat_map(|part| merged(part, in_row)).map(row).collect()
}

/// So many buckets after each other as one each, with the least and the greatest of them.
fn merged(part: &[&Bucket], many: usize) -> Vec<Bucket> {
    let of_some = |some: &[&Bucket]| {
        let (first, last) = (some.first()?.first, some.last()?.last);
        let n: u64 = some.iter().map(|it| it.n).sum();
        let sum: f64 = some.iter().map(|it| it.mean * it.n as f64).sum();
        let min = some.iter().map(|it| it.min).fold(f64::INFINITY, f64::min);
        let max = some.iter().map(|it| it.max).fold(f64::NEG_INFINITY, f64::max);
        Some(Bucket { first, last, min, mean: sum / n.max(1) as f64, max, n })
    };
    part.chunks(many).filter_map(of_some).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_drawn_as_one_keeps_its_ends_and_its_mean() {
        let bucket = |at: i64, value: f64, n: u64| Bucket {
            first: (SimTime(at), value),
            last: (SimTime(at + 1), value),
            min: value - 1.0,
            mean: value,
            max: value + 1.0,
            n,
        };
        let all: Vec<Bucket> = (0..5).map(|at| bucket(at * 10, at as f64, at as u64 + 1)).collect();
        let all: Vec<&Bucket> = all.iter().collect();
        let two = merged(&all, 2);
        assert_eq!(two.len(), 3);
        // 1 x 0 and 2 x 1; the last one is alone.
        assert_eq!((two[0].n, two[0].min, two[0].max), (3, -1.0, 2.0));
        assert!((two[0].mean - 2.0 / 3.0).abs() < 1e-12);
        assert_eq!((two[1].first.0, two[1].last.0, two[2].mean), (SimTime(20), SimTime(31), 4.0));
        assert_eq!(merged(&all, 1).len(), 5);
        assert!(merged(&[], 3).is_empty());
    }
}
