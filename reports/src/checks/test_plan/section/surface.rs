//! Tests that sweep two things at once, as surfaces: one field for each point, its colour the share
//! of the limit that is used.

use super::curves::caption;
use crate::render::figure::{Csv, Figure, Key, Picture};
use crate::render::svg::{Anchor, BAD, DATA, Drawing, INJECTED, INK};
use crate::standard::{Assessed, Item};
use lastmeter_plans::standard::{Coordinates, Evaluate, TestPlan};
use lastmeter_record::Status;
use lastmeter_text::number;

/// The most pictures; the table has all points.
const PICTURES_MAX: usize = 8;
/// The most fields along one side.
const FIELDS_MAX: usize = 14;

/// Something that is swept, and how one point's value of it is written.
struct Side {
    name: &'static str,
    text: fn(&Coordinates, &TestPlan) -> String,
}

const SIDES: [Side; 8] = [
    Side {
        name: "current",
        text: |at, _| at.current.as_ref().map_or("none".to_owned(), |(text, _)| text.clone()),
    },
    Side { name: "power factor", text: |at, _| at.power_factor.text.clone() },
    Side {
        name: "loaded",
        text: |at, _| at.loaded.map_or("all".to_owned(), |phase| format!("L{}", phase + 1)),
    },
    Side { name: "voltage", text: |at, _| format!("{} Un", number(at.voltage)) },
    Side {
        name: "phase voltages",
        text: |at, _| at.phase_voltages.map_or(String::new(), |three| format!("{three:?}")),
    },
    Side { name: "frequency", text: |at, _| format!("{} fn", number(at.frequency)) },
    Side { name: "temperature", text: |at, _| format!("{} °C", number(at.celsius)) },
    Side { name: "waveform", text: |at, test_plan| test_plan.waveforms[at.waveform].name.clone() },
];

/// The different values along a side, in the order of the sweep.
fn values(side: &Side, items: &[Item], test_plan: &TestPlan) -> Vec<String> {
    let mut values: Vec<String> = Vec::new();
    for item in items {
        let text = (side.text)(&item.planned.coordinates, test_plan);
        if !values.contains(&text) {
            values.push(text);
        }
    }
    values
}

/// The pictures of all tests that sweep exactly two things.
pub(super) fn pictures(assessed: &Assessed, figures: &mut Vec<Figure>) -> Vec<Picture> {
    let test_plan = &assessed.plan.test_plan;
    let mut made = Vec::new();
    for result in &assessed.claimed().tests {
        let test = &test_plan.tests[result.test];
        let swept: Vec<(&Side, Vec<String>)> = SIDES
            .iter()
            .map(|side| (side, values(side, &result.items, test_plan)))
            .filter(|(_, values)| values.len() > 1)
            .collect();
        let [flat, upright] = swept.as_slice() else { continue };
        let fits = flat.1.len().max(upright.1.len()) <= FIELDS_MAX;
        // With two values on either side a table shows as much.
        if !fits || flat.1.len().max(upright.1.len()) < 3 || made.len() == PICTURES_MAX {
            continue;
        }
        let what = match test.evaluate {
            Evaluate::Error => "error",
            Evaluate::Repeatability => "standard deviation",
            Evaluate::TemperatureCoefficient => "error per kelvin",
            _ => "variation",
        };
        let title = format!("{}: {what} in %", test.name);
        let cell = |item: &Item| {
            let of = |(side, values): &(&Side, Vec<String>)| {
                let text = (side.text)(&item.planned.coordinates, test_plan);
                values.iter().position(|value| *value == text).unwrap_or(0)
            };
            (of(flat), of(upright))
        };
        let mut csv = Csv::new(&format!("{},{},status,figure,limit", flat.0.name, upright.0.name));
        for item in &result.items {
            let (x, y) = cell(item);
            let figure = item.figures.as_ref().map_or(f64::NAN, |figures| figures.value);
            let numbers = [figure, item.planned.figure.value()];
            csv.line(&[&flat.1[x], &upright.1[y], item.status.word()], &numbers);
        }
        let svg = svg(&title, flat, upright, &result.items, &cell);
        let figure = Figure::drawn(format!("surface-{}", test.name), svg, csv.finish());
        let items: Vec<&Item> = result.items.iter().collect();
        let caption = format!("{}; the fuller the colour, the more of the limit", caption(&items));
        let keys = [(1, "positive"), (4, "negative")];
        let keys = keys.map(|(colour, name)| Key { colour, name: name.to_owned() });
        made.push(Picture::of(figure, title, caption, figures).with_keys(keys));
    }
    made
}

fn svg(
    title: &str,
    flat: &(&Side, Vec<String>),
    upright: &(&Side, Vec<String>),
    items: &[Item],
    cell: &dyn Fn(&Item) -> (usize, usize),
) -> String {
    let (left, top, right) = (84.0, 24.0, 546.0);
    let height = 34.0;
    let width = (right - left) / flat.1.len() as f64;
    let bottom = top + height * upright.1.len() as f64;
    let mut drawing = Drawing::new(560.0, bottom + 44.0, title);
    for (row, value) in upright.1.iter().enumerate() {
        let y = top + height * (row as f64 + 0.5) + 4.0;
        drawing.text((left - 7.0, y), Anchor::End, INK, value);
    }
    for (column, value) in flat.1.iter().enumerate() {
        let x = left + width * (column as f64 + 0.5);
        drawing.sized_text((x, bottom + 16.0), Anchor::Middle, INK, 11.0, value);
    }
    drawing.text((0.0, 13.0), Anchor::Start, INK, upright.0.name);
    let middle = f64::midpoint(left, right);
    drawing.text((middle, bottom + 36.0), Anchor::Middle, INK, flat.0.name);
    for item in items {
        let (column, row) = cell(item);
        let at = (left + width * column as f64 + 1.0, top + height * row as f64 + 1.0);
        let size = (width - 2.0, height - 2.0);
        let Some(figures) = &item.figures else {
            drawing.block(at, size, (INK, 0.15), &item.why.to_string());
            continue;
        };
        let share = (figures.value.abs() / item.planned.figure.value()).min(1.0);
        let share = if share.is_nan() { 1.0 } else { share };
        let colour = match item.status {
            Status::Fail => BAD,
            _ if figures.value < 0.0 => INJECTED,
            _ => DATA,
        };
        // What is nearly nothing still is a field.
        let opacity = (100.0 * (0.06 + 0.4 * share)).round() / 100.0;
        let text = format!(
            "{} ± {} {}, limit {}",
            number(figures.value),
            number(figures.budget.expanded()),
            figures.unit,
            number(item.planned.figure.value())
        );
        drawing.block(at, size, (colour, opacity), &text);
        let text = short(figures.value);
        let place = (at.0 + size.0 / 2.0, at.1 + size.1 / 2.0 + 4.0);
        drawing.sized_text(place, Anchor::Middle, INK, 11.0, &text);
    }
    drawing.finish()
}

/// Two significant digits: there is no room for more in a field.
pub(in crate::checks) fn short(value: f64) -> String {
    if !value.is_finite() {
        return number(value);
    }
    let rounded: f64 = format!("{value:.1e}").parse().unwrap_or(value);
    let size = rounded.abs();
    if size == 0.0 {
        "0".to_owned()
    } else if (1e-3..1e4).contains(&size) {
        format!("{rounded}")
    } else {
        format!("{rounded:.0e}")
    }
}
