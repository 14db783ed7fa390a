//! Charts of the pages, as SVG: one for a wide and one for a narrow page, with a table of what is
//! drawn. Axes are elapsed time with the figures of local clocks; a missing value ends a line.

use lastmeter_chart::{Axis, Chart, Colour, DATA, Figures, Panel, SECOND};
use lastmeter_units::{SimDuration, SimTime};
use serde::Serialize;

use super::format::{self, Clock, Shown};
use crate::household::view::{LoadView, View};

/// Rows of the table below a chart at most, the latest ones.
const ROWS_MAX: usize = 400;
const DAY_S: f64 = 86_400.0;
const DASHES: &str = "6 4";
/// What a series keeps its last value for, where no other length is known: a quarter of an hour.
const STEP: SimDuration = SimDuration::from_seconds(900);
/// How far back a load's profile is drawn.
const BACK: SimDuration = SimDuration::from_seconds(48 * 3600);

/// A chart as a page holds it.
#[derive(Debug, Default, Serialize)]
pub(super) struct Picture {
    wide: String,
    narrow: String,
    /// What it shows, in a sentence.
    summary: String,
    /// What the columns of values show.
    heads: Vec<&'static str>,
    rows: Vec<Row>,
}

#[derive(Debug, Serialize)]
struct Row {
    time: String,
    /// By column; none where nothing is known.
    values: Vec<Option<Shown>>,
}

/// A stretch of time on the flat axis.
struct Span {
    clock: Clock,
    from: SimTime,
    length_s: f64,
}

impl Span {
    /// Whole local days from one instant to another.
    fn days(clock: Clock, first: SimTime, last: SimTime) -> Self {
        let from = clock.midnight(first);
        let days = (last.since(from).as_seconds_f64() / DAY_S).ceil().clamp(1.0, 4.0);
        Self { clock, from, length_s: days * DAY_S }
    }

    fn place(&self, at: SimTime) -> f64 {
        at.since(self.from).as_seconds_f64()
    }

    fn is_within(&self, at: SimTime) -> bool {
        (0.0..self.length_s).contains(&self.place(at))
    }

    fn axis(&self) -> Axis {
        let step_h = if self.length_s > DAY_S { 12 } else { 6 };
        let hours = (self.length_s / 3600.0) as i64;
        let marks = (0..=hours / step_h).map(|mark| {
            let hour = mark * step_h;
            let at = self.from + SimDuration::from_seconds(hour * 3600);
            let is_date = hour % 24 == 0 && hours > 24;
            let text = format!("{:02}:00", hour % 24);
            (self.place(at), if is_date { self.clock.date(at) } else { text })
        });
        Axis::marked(self.length_s, marks)
    }

    /// Runs of values that follow each other without a gap, each with the end of its last one. What
    /// is held lasts up to the next value, however far that is.
    fn runs(&self, points: &[(SimTime, Option<f64>)], is_held: bool) -> Vec<Vec<(f64, f64)>> {
        let lengths = points.windows(2).map(|pair| match pair {
            [one, next] => next.0.since(one.0),
            _ => STEP,
        });
        let step = lengths.filter(|length| *length > SimDuration::ZERO).min().unwrap_or(STEP);
        let (mut runs, mut run, mut end) = (Vec::new(), Vec::new(), None);
        for (at, value) in points {
            let place = self.place(*at);
            // Half a step more than a value holds for is a gap.
            let is_gap =
                !is_held && end.is_some_and(|end| place > end + 0.5 * step.as_seconds_f64());
            if (is_gap || value.is_none()) && !run.is_empty() {
                let last = std::mem::take(&mut run);
                runs.push(self.ended(last, if is_gap { end } else { Some(place) }));
            }
            run.extend(value.map(|value| (place, value)));
            end = Some(place + step.as_seconds_f64());
        }
        if !run.is_empty() {
            runs.push(self.ended(run, end));
        }
        runs
    }

    fn ended(&self, mut run: Vec<(f64, f64)>, end: Option<f64>) -> Vec<(f64, f64)> {
        if let Some((end, (_, value))) = end.zip(run.last().copied()) {
            run.push((end.min(self.length_s), value));
        }
        run
    }
}

fn drawn(label: &str, chart: impl Fn(Chart) -> Chart) -> (String, String) {
    let all = chart(Chart::new(label));
    (all.clone().wide().svg(), all.svg())
}

/// From zero, or the least value, to a little more than the largest.
fn axis_of(values: impl Iterator<Item = f64>, figures: Figures) -> Axis {
    let (low, high) =
        values.fold((0.0, 0.0), |(low, high), value| (f64::min(low, value), f64::max(high, value)));
    Axis::linear(1.08 * low, if high > 0.0 { 1.08 * high } else { 1.0 }, figures)
}

fn as_points(of: &[(SimTime, i64)], span: &Span) -> Vec<(SimTime, Option<f64>)> {
    let within = of.iter().filter(|(at, _)| span.is_within(*at));
    within.map(|(at, watts)| (*at, Some(*watts as f64))).collect()
}

fn steps(
    panel: &mut Panel,
    span: &Span,
    points: &[(SimTime, Option<f64>)],
    (colour, dashes, is_held): (Colour, &'static str, bool),
) {
    for run in span.runs(points, is_held) {
        panel.steps(run, colour, (2.0, dashes));
    }
}

fn extremes(what: &str, points: &[(SimTime, i64)], span: &Span) -> String {
    let values = || points.iter().filter(|(at, _)| span.is_within(*at)).map(|(_, watts)| *watts);
    let Some((least, most)) = values().min().zip(values().max()) else {
        return format!("{what}: nothing is measured yet.");
    };
    let [least, most] = [least, most].map(|watts| format::power(watts).text);
    format!("{what}: from {least} to {most}.")
}

/// The household's net power over the day, with the forecast of renewables and with prices.
pub(super) fn of_household(view: &View, clock: Clock) -> Picture {
    let ends = [view.renewable_w.last().map(|one| one.0), view.prices.last().map(|one| one.0)];
    let last = ends.into_iter().flatten().fold(clock.now + STEP, SimTime::max);
    let span = Span::days(clock, clock.now, last);
    let net = as_points(&view.profile, &span);
    let renewable = as_points(&view.renewable_w, &span);
    let limit_w = view.limit_w as f64;
    let powers = || net.iter().chain(&renewable).filter_map(|(_, watts)| *watts).chain([limit_w]);
    let mut above = Panel::new(span.axis(), axis_of(powers(), Figures::Prefixed("W")), 150.0);
    steps(&mut above, &span, &renewable, (SECOND, DASHES, true));
    steps(&mut above, &span, &net, (DATA, "", false));
    above.limit(limit_w, "limit", true);
    above.mark(span.place(clock.now), "now", lastmeter_chart::REST, (1.0, "2 3"));
    let prices: Vec<(SimTime, Option<f64>)> = view
        .prices
        .iter()
        .filter(|(at, _)| span.is_within(*at))
        .map(|(at, rate)| (*at, rate.map(format::per_kwh)))
        .collect();
    let known = prices.iter().filter_map(|(_, price)| *price);
    let axis = axis_of(known, Figures::Plain).named(format!("{} per kWh", view.bill.currency));
    let mut below = Panel::new(span.axis(), axis, 90.0);
    steps(&mut below, &span, &prices, (lastmeter_chart::STRONG, "", true));
    let (wide, narrow) = drawn("Net power, renewable forecast and prices of the day", |chart| {
        chart
            .with_key(DATA, "net power")
            .with_dashed_key(SECOND, "renewable forecast", DASHES)
            .with_key(lastmeter_chart::STRONG, "price of import")
            .with_panel(above.clone())
            .with_panel(below.clone())
    });
    Picture {
        wide,
        narrow,
        summary: extremes("Net power today", &view.profile, &span),
        heads: vec!["Net power", "Renewable forecast", "Price"],
        rows: household_rows(view, &span),
    }
}

fn household_rows(view: &View, span: &Span) -> Vec<Row> {
    let times = view.profile.iter().map(|one| one.0);
    let times = times.chain(view.renewable_w.iter().map(|one| one.0));
    let times = times.chain(view.prices.iter().map(|one| one.0));
    let mut times: Vec<SimTime> = times.filter(|at| span.is_within(*at)).collect();
    times.sort_unstable();
    times.dedup();
    let watts = |of: &[(SimTime, i64)], at: SimTime| {
        of.iter().find(|one| one.0 == at).map(|one| format::power(one.1))
    };
    let latest = times.len().saturating_sub(ROWS_MAX);
    let rows = times.into_iter().skip(latest).map(|at| {
        let price = view.prices.iter().find(|one| one.0 == at).and_then(|one| one.1);
        let price = price.map(|rate| format::rate(rate, &view.bill.currency));
        let values = vec![watts(&view.profile, at), watts(&view.renewable_w, at), price];
        Row { time: span.clock.text(at), values }
    });
    rows.collect()
}

/// The profile of one load.
pub(super) fn of_load(load: &LoadView, clock: Clock) -> Picture {
    let first = load.profile.iter().map(|one| one.0).find(|at| clock.now.since(*at) < BACK);
    let span = Span::days(clock, first.unwrap_or(clock.now), clock.now + STEP);
    let points = as_points(&load.profile, &span);
    let watts = points.iter().filter_map(|one| one.1);
    let mut panel = Panel::new(span.axis(), axis_of(watts, Figures::Prefixed("W")), 150.0);
    steps(&mut panel, &span, &points, (DATA, "", false));
    let label = format!("Mean power of {} by interval", load.name);
    let (wide, narrow) = drawn(&label, |chart| chart.with_panel(panel.clone()));
    let within: Vec<_> = load.profile.iter().filter(|(at, _)| span.is_within(*at)).collect();
    let latest = within.len().saturating_sub(ROWS_MAX);
    let rows = within.into_iter().skip(latest).map(|(at, watts)| Row {
        time: clock.text(*at),
        values: vec![Some(format::power(*watts))],
    });
    Picture {
        wide,
        narrow,
        summary: extremes("Mean power by interval", &load.profile, &span),
        heads: vec!["Mean power"],
        rows: rows.collect(),
    }
}
