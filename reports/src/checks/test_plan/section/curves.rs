//! Error against current, a curve for each power factor, with the class's limits as steps and the
//! bench's own uncertainty as bars.

use std::collections::BTreeMap;

use crate::render::figure::{Csv, Figure, Key, Picture};
use crate::render::svg::{Axis, BAD, Drawing, Figures, Frame, INK, PARTS, curve_colour};
use crate::standard::{Assessed, Item};
use lastmeter_plans::standard::{Evaluate, LimitFigure};
use lastmeter_record::Status;
use lastmeter_text::plural;

/// Fewer currents make no curve.
const CURRENTS_MIN: usize = 3;

/// One curve: what all its points have in common, and the points by current.
struct Series<'a> {
    name: String,
    points: Vec<(f64, &'a Item)>,
}

/// The pictures, one for each quantity: balanced load and one phase loaded apart.
pub(super) fn pictures(assessed: &Assessed, figures: &mut Vec<Figure>) -> Vec<Picture> {
    let test_plan = &assessed.plan.test_plan;
    let mut groups: BTreeMap<(String, bool), Vec<Series<'_>>> = BTreeMap::new();
    for result in &assessed.claimed().tests {
        let test = &test_plan.tests[result.test];
        if test.evaluate != Evaluate::Error {
            continue;
        }
        for item in &result.items {
            let at = &item.planned.coordinates;
            let percent = matches!(item.planned.figure, LimitFigure::Percent(_));
            let (Some((_, amperes)), true) = (&at.current, percent) else { continue };
            let at_reference = at.voltage == 1.0
                && at.frequency == 1.0
                && at.phase_voltages.is_none()
                && at.waveform == 0
                && !at.reversed;
            if !at_reference || item.figures.is_none() {
                continue;
            }
            let mut name = at.power_factor.text.clone();
            if let Some(phase) = at.loaded {
                name = format!("{name} L{}", phase + 1);
            }
            if at.export {
                name = format!("{name} export");
            }
            let group = groups.entry((test.quantity.clone(), at.loaded.is_some())).or_default();
            let place = group.iter().position(|series| series.name == name).unwrap_or_else(|| {
                group.push(Series { name, points: Vec::new() });
                group.len() - 1
            });
            group[place].points.push((*amperes, item));
        }
    }
    let mut made = Vec::new();
    for ((quantity, single), mut group) in groups {
        for series in &mut group {
            series.points.sort_by(|a, b| a.0.total_cmp(&b.0));
            series.points.dedup_by(|a, b| a.0 == b.0);
        }
        group.retain(|series| series.points.len() >= CURRENTS_MIN);
        if !group.is_empty() {
            made.push(picture(&quantity, single, &group, figures));
        }
    }
    made
}

fn picture(
    quantity: &str,
    single: bool,
    group: &[Series<'_>],
    figures: &mut Vec<Figure>,
) -> Picture {
    let load = if single { "one phase loaded" } else { "balanced load" };
    let title = format!("{}, {load}", quantity.replace('_', " "));
    let mut csv =
        Csv::new("power_factor,status,current_a,error_percent,limit_percent,uncertainty_percent");
    let mut items = Vec::new();
    for series in group {
        for (amperes, item) in &series.points {
            let Some(figures) = &item.figures else { continue };
            let limit = item.planned.figure.value();
            let numbers = [*amperes, figures.value, limit, figures.budget.expanded()];
            csv.line(&[&series.name, item.status.word()], &numbers);
            items.push(*item);
        }
    }
    let word = if single { "single" } else { "balanced" };
    let name = format!("error-curve-{}-{word}", quantity.replace(['*', '.'], "-"));
    let figure = Figure::drawn(name, svg(&title, group), csv.finish());
    let keys = group.iter().enumerate();
    let keys = keys.map(|(place, series)| Key {
        colour: curve_colour(place),
        name: if series.name.starts_with("sin") {
            series.name.clone()
        } else {
            format!("PF {}", series.name)
        },
    });
    let caption = format!(
        "{}; limits dashed, bars are the bench's expanded uncertainty (k = 2)",
        caption(&items)
    );
    Picture::of(figure, title, caption, figures).with_keys(keys)
}

fn svg(title: &str, group: &[Series<'_>]) -> String {
    let all = || group.iter().flat_map(|series| series.points.iter());
    let reach = all().filter_map(|(_, item)| {
        let figures = item.figures.as_ref()?;
        let reach = figures.value.abs() + figures.budget.expanded();
        let reach = if reach.is_finite() { reach } else { 0.0 };
        Some(reach.max(item.planned.figure.value()))
    });
    let reach = 1.12 * reach.fold(1e-9, f64::max);
    let (first, last) = all()
        .fold((f64::INFINITY, 0.0_f64), |(a, b), (amperes, _)| (a.min(*amperes), b.max(*amperes)));
    let mut drawing = Drawing::new(560.0, 300.0, &format!("error against current: {title}"));
    let frame = Frame { left: 52.0, right: 546.0, top: 26.0, bottom: 250.0 };
    let flat = Axis::logarithmic(1e9 * first, 1e9 * last, Figures::Nanoamperes);
    let upright = Axis::linear(-reach, reach, Figures::Plain);
    frame.upright_axis(&mut drawing, &upright, "error in %");
    frame.flat_axis(&mut drawing, &flat, 30.0, "current, log scale");
    let zero = frame.y(upright.place(0.0));
    drawing.line((frame.left, zero), (frame.right, zero), (INK, 1.0, ""));
    let at = |amperes: f64, error: f64| {
        (frame.x(flat.place(1e9 * amperes)), frame.y(upright.place(error)))
    };
    for (place, series) in group.iter().enumerate() {
        let colour = PARTS[curve_colour(place)];
        steps(&mut drawing, series, colour, &at);
        let (mut bars, mut places, mut outside) = (Vec::new(), Vec::new(), Vec::new());
        for (amperes, item) in &series.points {
            let Some(figures) = &item.figures else { continue };
            let uncertainty = figures.budget.expanded();
            let (x, y) = at(*amperes, figures.value);
            bars.push((
                x,
                at(*amperes, figures.value + uncertainty).1,
                at(*amperes, figures.value - uncertainty).1,
            ));
            places.push((x, y));
            if item.status == Status::Fail {
                outside.push((x, y));
            }
        }
        drawing.uprights(&bars, colour, 1.4, 0.7);
        drawing.curve(&places, colour, 1.6);
        drawing.dots(&outside, BAD, 11.0, 0.5);
        drawing.dots(&places, colour, 6.0, 1.0);
    }
    drawing.finish()
}

/// The limits of a curve, on both sides of zero, as dashed steps.
fn steps(
    drawing: &mut Drawing,
    series: &Series<'_>,
    colour: &str,
    at: &dyn Fn(f64, f64) -> (f64, f64),
) {
    for (place, (amperes, item)) in series.points.iter().enumerate() {
        let limit = item.planned.figure.value();
        let next = series.points.get(place + 1);
        let until = next.map_or(*amperes, |(amperes, _)| *amperes);
        for sign in [-1.0, 1.0] {
            let from = at(*amperes, sign * limit);
            let to = at(until, sign * limit);
            drawing.line(from, to, (colour, 1.2, "5 4"));
            if let Some((_, next)) = next {
                let beyond = at(until, sign * next.planned.figure.value());
                drawing.line(to, beyond, (colour, 1.2, "5 4"));
            }
        }
    }
}

/// `16 points, 2 of them outside`.
pub(super) fn caption(items: &[&Item]) -> String {
    let failed = items.iter().filter(|item| item.status == Status::Fail).count();
    let points = plural(items.len() as u64, "point");
    match failed {
        0 => points,
        _ => format!("{points}, {failed} outside"),
    }
}
