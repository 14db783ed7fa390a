//! Error against current, a curve for each power factor, with the class's limits as steps and the
//! bench's own uncertainty as bars.

use std::collections::BTreeMap;

use lastmeter_chart::{Axis, BAD, Chart, Colour, Figures, INK, Panel};

use crate::render::figure::{Csv, Figure, Picture};
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
    let caption = format!(
        "{}; limits dashed, bars are the bench's expanded uncertainty (k = 2)",
        caption(&items)
    );
    Picture::of(figure, title, caption, figures)
}

fn svg(title: &str, group: &[Series<'_>]) -> String {
    let all = || group.iter().flat_map(|series| series.points.iter());
    let reaches = all().filter_map(|(_, item)| {
        let figures = item.figures.as_ref()?;
        let reach = figures.value.abs() + figures.budget.expanded();
        Some([reach, item.planned.figure.value()])
    });
    let (first, last) = all()
        .fold((f64::INFINITY, 0.0_f64), |(a, b), (amperes, _)| (a.min(*amperes), b.max(*amperes)));
    let current = Axis::logarithmic_around(first, last, Figures::Prefixed("A"));
    let error = Axis::symmetric(reaches.flatten(), Figures::Plain).named("error in %");
    let mut panel = Panel::new(current.named("current, log scale"), error, 200.0);
    let mut chart = Chart::new(format!("error against current: {title}"));
    panel.rule(0.0, "", INK, "");
    for (place, series) in group.iter().enumerate() {
        let colour = Colour::of_curve(place);
        let is_sine = series.name.starts_with("sin");
        let prefix = if is_sine { "" } else { "PF " };
        chart = chart.with_key(colour, format!("{prefix}{}", series.name));
        let limits = || series.points.iter().map(|(at, item)| (*at, item.planned.figure.value()));
        for sign in [-1.0, 1.0] {
            panel.steps(limits().map(|(at, limit)| (at, sign * limit)), colour, (1.2, "5 4"));
        }
        let known = series.points.iter().filter_map(|(amperes, item)| {
            let figures = item.figures.as_ref()?;
            Some((item.status, (*amperes, figures.value, figures.budget.expanded())))
        });
        let known: Vec<_> = known.collect();
        let outside = known.iter().filter(|(status, _)| *status == Status::Fail);
        panel.dots(outside.map(|(_, (at, error, _))| (*at, *error)), BAD, (11.0, 0.5));
        panel.errors(&known.into_iter().map(|(_, point)| point).collect::<Vec<_>>(), colour);
    }
    chart.with_panel(panel).svg()
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
