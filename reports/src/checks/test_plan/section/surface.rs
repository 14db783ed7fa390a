//! Tests that sweep two things at once, as surfaces: one field for each point, its colour the share
//! of the limit that is used.

use lastmeter_chart::{Axis, BAD, Block, Chart, DATA, INJECTED, INK, Panel};

use super::curves::caption;
use crate::render::figure::{Csv, Figure, Picture};
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
        let value = (side.text)(&item.planned.coordinates, test_plan);
        if !values.contains(&value) {
            values.push(value);
        }
    }
    values
}

/// The pictures of all tests that sweep exactly two things.
pub(super) fn pictures(assessed: &Assessed, figures: &mut Vec<Figure>) -> Vec<Picture> {
    let test_plan = &assessed.plan.test_plan;
    let mut pictures = Vec::new();
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
        if !fits || flat.1.len().max(upright.1.len()) < 3 || pictures.len() == PICTURES_MAX {
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
                let own = (side.text)(&item.planned.coordinates, test_plan);
                values.iter().position(|value| *value == own).unwrap_or(0)
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
        pictures.push(Picture::of(figure, title, caption, figures));
    }
    pictures
}

/// Fields of a surface: columns and rows by their values, and what is in a field of each.
pub(in crate::checks) struct Fields<'a> {
    pub(in crate::checks) flat: (&'a str, &'a [String]),
    pub(in crate::checks) upright: (&'a str, &'a [String]),
    pub(in crate::checks) height: f64,
}

impl Fields<'_> {
    /// The picture, with the shorter side across: a phone has more room below. The first row is on
    /// top, or below.
    pub(in crate::checks) fn drawn(
        &self,
        first_on_top: bool,
        blocks: impl Iterator<Item = ((usize, usize), Block)>,
    ) -> Panel {
        let is_turned = self.flat.1.len() > self.upright.1.len();
        let (flat, upright) =
            if is_turned { (self.upright, self.flat) } else { (self.flat, self.upright) };
        let count = upright.1.len();
        let mut rows = upright.1.to_vec();
        if first_on_top {
            rows.reverse();
        }
        let x = Axis::categories(flat.1.iter().cloned()).named(flat.0);
        let mut panel = Panel::new(
            x,
            Axis::categories(rows).named(upright.0),
            self.height * count.max(1) as f64,
        );
        for ((column, row), block) in blocks {
            let (column, row) = if is_turned { (row, column) } else { (column, row) };
            let row = if first_on_top { count - 1 - row } else { row };
            let (x, y) = (column as f64, row as f64);
            let (from, to) = ((x + 0.015, y + 0.03), (x + 0.985, y + 0.97));
            panel.block(Block { from, to, ..block });
        }
        panel
    }
}

/// A field with its text; where it belongs is not known yet.
pub(in crate::checks) fn field(
    colour: lastmeter_chart::Colour,
    opacity: f64,
    hint: String,
    text: String,
) -> Block {
    Block { from: (0.0, 0.0), to: (0.0, 0.0), colour, opacity, hint, text }
}

fn svg(
    title: &str,
    flat: &(&Side, Vec<String>),
    upright: &(&Side, Vec<String>),
    items: &[Item],
    cell: &dyn Fn(&Item) -> (usize, usize),
) -> String {
    let block = |item: &Item| {
        let Some(figures) = &item.figures else {
            return field(INK, 0.15, item.why.to_string(), String::new());
        };
        let share = (figures.value.abs() / item.planned.figure.value()).min(1.0);
        let share = if share.is_nan() { 1.0 } else { share };
        let colour = match item.status {
            Status::Fail => BAD,
            _ if figures.value < 0.0 => INJECTED,
            _ => DATA,
        };
        let hint = format!(
            "{} ± {} {}, limit {}",
            number(figures.value),
            number(figures.budget.expanded()),
            figures.unit,
            number(item.planned.figure.value())
        );
        // What is nearly nothing still is a field.
        field(colour, 0.06 + 0.4 * share, hint, short(figures.value))
    };
    let fields = Fields {
        flat: (flat.0.name, &flat.1),
        upright: (upright.0.name, &upright.1),
        height: 26.0,
    };
    let panel = fields.drawn(true, items.iter().map(|item| (cell(item), block(item))));
    let chart = Chart::new(title).with_key(DATA, "positive").with_key(INJECTED, "negative");
    chart.with_panel(panel).svg()
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
