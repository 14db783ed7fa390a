//! Curves over anything, with marks of instants and words beside points.

use lastmeter_text::{apart, number};
use plotters::coord::ranged1d::{DefaultFormatting, KeyPointHint, Ranged};
use plotters::coord::types::RangedCoordf64;
use plotters::prelude::*;

use super::text;
use super::{DRAWN_MAX, DRAWN_MIN, FAINT, FONT, INK, LINE, PALETTE, PlotError, SIZE};
use crate::render::ticks::decade_step;

/// Pixels between the border of a picture and its axes: left, right, above, below.
const AROUND: [u32; 4] = [78, 34, 8, 48];
/// Letters of marks and labels: size, mean width and height of a line in pixels.
const LETTERS: (u32, f64, f64) = (12, 6.4, 13.0);
/// More rows of words than these would leave no room for curves.
const ROWS_MAX: usize = 5;
/// Marks of the same word that are nearer than so many pixels share it.
const SAME_WORD: f64 = 24.0;
/// An axis with more decades than these has no lines between them, and not a figure at each.
const DECADES_MAX: f64 = 12.0;

/// An axis of [`Curves`].
#[derive(Clone, Debug)]
pub(crate) struct Axis {
    /// What it shows, with its unit.
    pub(crate) label: String,
    /// From and to.
    pub(crate) range: (f64, f64),
    /// Whether equal lengths are equal ratios.
    pub(crate) is_logarithmic: bool,
}

impl Axis {
    /// Where a value is on it; `None` of one that it cannot show.
    fn place(&self, value: f64) -> Option<f64> {
        let placed = if self.is_logarithmic { libm::log10(value) } else { value };
        placed.is_finite().then_some(placed)
    }

    /// The ends of what is drawn, which are never one.
    pub(super) fn ends(&self) -> (f64, f64) {
        let from = self.place(self.range.0).unwrap_or(0.0);
        let to = self.place(self.range.1).unwrap_or(1.0);
        let (from, to) = (from.max(-DRAWN_MAX), to.min(DRAWN_MAX));
        if to - from > DRAWN_MIN { (from, to) } else { (from, from + 1.0) }
    }

    pub(super) fn text(&self, placed: f64) -> String {
        if self.is_logarithmic {
            return number(libm::pow(10.0, placed));
        }
        let (from, to) = self.ends();
        let value = if placed.abs() < (to - from) * 1e-9 { 0.0 } else { placed };
        // Neighbours differ, however narrow the axis is.
        apart(value, value + decade_step((to - from) / 20.0)).0
    }

    /// Its figures, of at most so many steps.
    pub(super) fn labels(&self) -> Vec<String> {
        self.lines(super::TICKS.1).0.into_iter().map(|placed| self.text(placed)).collect()
    }

    /// Where it has lines with figures, and where lines between them: of a logarithmic axis each
    /// decade and its multiples, of a linear one some round figures.
    pub(super) fn lines(&self, most: usize) -> (Vec<f64>, Vec<f64>) {
        let (from, to) = self.ends();
        if self.is_logarithmic {
            let is_long = to - from > DECADES_MAX;
            let step = if is_long { ((to - from) / DECADES_MAX).ceil() } else { 1.0 };
            let decades = multiples(from, to, step, 2 * DECADES_MAX as usize);
            let parts =
                |decade: f64| (2..10).map(move |part| decade + libm::log10(f64::from(part)));
            let before = decades.first().map(|first| first - 1.0);
            let between = before.into_iter().chain(decades.iter().copied()).flat_map(parts);
            let between = between.filter(|it| !is_long && (from..=to).contains(it));
            return (decades.clone(), between.collect());
        }
        let step = decade_step((to - from) / most.max(1) as f64);
        (multiples(from, to, step, 2 * most + 2), Vec::new())
    }
}

/// An axis with the lines that it has, as the library takes it.
pub(super) struct Lined {
    inner: RangedCoordf64,
    bold: Vec<f64>,
    light: Vec<f64>,
}

impl Lined {
    /// With figures at its lines, and no lines between them.
    pub(super) fn of((from, to): (f64, f64), bold: Vec<f64>) -> Self {
        Self { inner: (from..to).into(), bold, light: Vec::new() }
    }
}

impl Ranged for Lined {
    type FormatOption = DefaultFormatting;
    type ValueType = f64;

    fn map(&self, value: &f64, limit: (i32, i32)) -> i32 {
        self.inner.map(value, limit)
    }

    fn key_points<Hint: KeyPointHint>(&self, hint: Hint) -> Vec<f64> {
        let is_light = hint.weight().allow_light_points();
        if is_light { self.light.clone() } else { self.bold.clone() }
    }

    fn range(&self) -> std::ops::Range<f64> {
        self.inner.range()
    }
}

/// The multiples of a step between two values, at most so many.
fn multiples(from: f64, to: f64, step: f64, most: usize) -> Vec<f64> {
    // What a picture loses to rounding is less than a pixel.
    let slack = (to - from) * 1e-9;
    let first = ((from - slack) / step).ceil();
    let all = (0..most).map(|place| (first + place as f64) * step);
    all.take_while(|it| *it <= to + slack).collect()
}

/// One of [`Curves`].
#[derive(Clone, Debug)]
pub(crate) struct Curve {
    /// Place in [`PALETTE`].
    pub(crate) colour: usize,
    /// In the units of the axes.
    pub(crate) points: Vec<(f64, f64)>,
    /// Dots instead of a line.
    pub(crate) is_dots: bool,
}

/// A vertical line where something was done.
#[derive(Clone, Debug)]
pub(crate) struct Mark {
    /// In the unit of the axis.
    pub(crate) x: f64,
    /// What it was; may be empty.
    pub(crate) word: String,
}

/// Words beside a point.
#[derive(Clone, Debug)]
pub(crate) struct Label {
    /// In the units of the axes.
    pub(crate) at: (f64, f64),
    pub(crate) word: String,
    /// Place in [`PALETTE`].
    pub(crate) colour: usize,
}

/// Curves over anything.
#[derive(Clone, Debug)]
pub(crate) struct Curves {
    pub(crate) x: Axis,
    pub(crate) y: Axis,
    pub(crate) all: Vec<Curve>,
    /// In order along the axis.
    pub(crate) marks: Vec<Mark>,
    pub(crate) labels: Vec<Label>,
    /// Pixels.
    pub(crate) height: u32,
}

/// A rectangle in pixels: left, top, right, bottom.
type Area = [f64; 4];

fn overlaps(one: &Area, other: &Area) -> bool {
    one[0] < other[2] && other[0] < one[2] && one[1] < other[3] && other[1] < one[3]
}

/// From where to where a word is that stands beside a line.
fn span(word: &str, at: f64, is_left: bool) -> (f64, f64) {
    let wide = width_of(word) + 8.0;
    if is_left { (at - wide, at) } else { (at, at + wide) }
}

fn width_of(word: &str) -> f64 {
    word.chars().count() as f64 * LETTERS.1
}

impl Curves {
    /// The picture.
    pub(crate) fn svg(&self) -> Result<String, PlotError> {
        let mut svg = String::new();
        self.draw(&mut svg).map_err(|error| PlotError(error.to_string()))?;
        Ok(svg)
    }

    /// How many pixels there are between the axes.
    fn room(&self) -> (f64, f64) {
        let [left, right, above, below] = AROUND;
        let width = f64::from(SIZE.0.saturating_sub(left + right).max(1));
        (width, f64::from(self.height.saturating_sub(above + below).max(1)))
    }

    /// Of each mark with a word that is written, its row from above and whether it is left of its
    /// line. A line begins at the row of its word, so that it crosses no word before it.
    fn rows(&self) -> Vec<Option<(usize, bool)>> {
        let mut taken: Vec<(usize, f64, f64)> = Vec::new();
        let mut said: Vec<(&str, f64)> = Vec::new();
        let mut rows = Vec::new();
        for mark in &self.marks {
            rows.push(self.row(mark, &taken, &said));
            if let (Some(&Some((row, is_left))), Some(at)) = (rows.last(), self.along(mark)) {
                let (from, to) = span(&mark.word, at, is_left);
                taken.push((row, from, to));
                said.push((&mark.word, at));
            }
        }
        rows
    }

    /// Where a mark is, pixels from the left end of the axis.
    fn along(&self, mark: &Mark) -> Option<f64> {
        let ((left, right), width) = (self.x.ends(), self.room().0);
        let at = (self.x.place(mark.x)? - left) / (right - left) * width;
        (0.0..=width).contains(&at).then_some(at)
    }

    fn row(
        &self,
        mark: &Mark,
        taken: &[(usize, f64, f64)],
        said: &[(&str, f64)],
    ) -> Option<(usize, bool)> {
        let at = self.along(mark)?;
        let is_said = |(word, x): &(&str, f64)| *word == mark.word && (at - x).abs() < SAME_WORD;
        if mark.word.is_empty() || said.iter().any(is_said) {
            return None;
        }
        let is_left =
            span(&mark.word, at, false).1 > self.room().0 && span(&mark.word, at, true).0 >= 0.0;
        let (from, to) = span(&mark.word, at, is_left);
        let above = taken.iter().filter(|(_, start, end)| *start <= to && from <= *end);
        let row = above.map(|(row, ..)| row + 1).max().unwrap_or(0);
        (row < ROWS_MAX).then_some((row, is_left))
    }

    /// Of each label where its words begin in pixels from the upper left corner of the axes: where
    /// they cover neither a dot nor other words. `None` where there is no such place.
    fn label_places(&self) -> Vec<Option<(f64, f64)>> {
        let (width, height) = self.room();
        let ((left, right), (low, high)) = (self.x.ends(), self.y.ends());
        let pixel = |at: (f64, f64)| {
            let (x, y) = (self.x.place(at.0)?, self.y.place(at.1)?);
            Some(((x - left) / (right - left) * width, (high - y) / (high - low) * height))
        };
        let dots = self.all.iter().filter(|it| it.is_dots).flat_map(|it| &it.points);
        let dot = |(x, y): (f64, f64)| [x - 5.0, y - 5.0, x + 5.0, y + 5.0];
        let mut taken: Vec<Area> = dots.filter_map(|at| pixel(*at)).map(dot).collect();
        let place = |label: &Label| {
            let ((x, y), wide) = (pixel(label.at)?, width_of(&label.word));
            let tall = LETTERS.2;
            // To the right first, then to the left, from the height of the point outwards.
            let rows = [-0.9, 0.0, -1.8, 0.9, -2.7, 1.8, -3.6, 2.7, -4.5, 3.6];
            let sides = [x + 9.0, x - 9.0 - wide];
            let spots = rows.iter().flat_map(|row| sides.map(|side| (side, y + row * tall)));
            let area = |(x, y): (f64, f64)| [x, y, x + wide, y + tall];
            let is_free = |spot: &(f64, f64)| {
                let [from, top, to, bottom] = area(*spot);
                from >= 0.0
                    && to <= width
                    && top >= 0.0
                    && bottom <= height
                    && !taken.iter().any(|other| overlaps(&area(*spot), other))
            };
            let mut spots = spots;
            let found = spots.find(is_free)?;
            taken.push(area(found));
            Some(found)
        };
        self.labels.iter().map(place).collect()
    }

    /// The points of a curve that are drawn: the library draws beyond its axes what is beyond them.
    fn shown(&self, curve: &Curve, high: f64) -> Vec<(f64, f64)> {
        let ((left, right), low) = (self.x.ends(), self.y.ends().0);
        let placed = |(x, y): &(f64, f64)| Some((self.x.place(*x)?, self.y.place(*y)?));
        let within = |(x, y): &(f64, f64)| (left..=right).contains(x) && (low..=high).contains(y);
        curve.points.iter().filter_map(placed).filter(within).collect()
    }

    fn draw(&self, svg: &mut String) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
        let (width, height) = self.room();
        let ((left, right), (low, high)) = (self.x.ends(), self.y.ends());
        // Above the curves there is room for the words of marks.
        let rows = self.rows();
        let used = rows.iter().flatten().map(|(row, _)| row + 1).max().unwrap_or(0);
        let words = LETTERS.2 * used as f64;
        let curves_high = high;
        let high = low + ((high - low) * (height / (height - words).max(1.0))).min(DRAWN_MAX);
        let area = SVGBackend::with_string(svg, (SIZE.0, self.height)).into_drawing_area();
        let (across, up) = (self.x.lines(8), self.y.lines(if self.height > 200 { 6 } else { 4 }));
        let up = (up.0.into_iter().filter(|it| *it <= curves_high).collect::<Vec<f64>>(), up.1);
        let axis = |(from, to): (f64, f64), (bold, light): (Vec<f64>, Vec<f64>)| {
            let inner = (from..to).into();
            Lined { inner, bold, light }
        };
        let mut chart = ChartBuilder::on(&area)
            .margin(AROUND[2])
            .margin_right(AROUND[1])
            .x_label_area_size(AROUND[3] - AROUND[2])
            .y_label_area_size(AROUND[0] - AROUND[2])
            .build_cartesian_2d(axis((left, right), across), axis((low, high), up))
            .map_err(text)?;
        let label = (FONT, 13).into_font().color(&INK);
        chart
            .configure_mesh()
            .light_line_style(FAINT)
            .bold_line_style(LINE)
            .axis_style(LINE)
            .label_style(label)
            .axis_desc_style((FONT, 13).into_font().color(&INK))
            .x_desc(self.x.label.clone())
            .y_desc(self.y.label.clone())
            .x_label_formatter(&|placed| self.x.text(*placed))
            .y_label_formatter(&|placed| self.y.text(*placed))
            .draw()
            .map_err(text)?;
        for curve in &self.all {
            let colour = PALETTE[curve.colour % PALETTE.len()];
            let points = self.shown(curve, high).into_iter();
            if curve.is_dots {
                let dot = |at| Circle::new(at, 4, colour.filled());
                chart.draw_series(points.map(dot)).map_err(text)?;
            } else {
                let line = LineSeries::new(points, colour.stroke_width(1));
                chart.draw_series(line).map_err(text)?;
            }
        }
        let letters = |colour: &RGBColor| (FONT, LETTERS.0).into_font().color(colour);
        let row_high = (high - low) * LETTERS.2 / height;
        for (mark, row) in self.marks.iter().zip(&rows) {
            let Some(x) = self.x.place(mark.x).filter(|x| (left..=right).contains(x)) else {
                continue;
            };
            let top = high - row.map_or(used, |(row, _)| row) as f64 * row_high;
            let line = DashedLineSeries::new([(x, top), (x, low)], 3, 3, INK.stroke_width(1));
            chart.draw_series(line).map_err(text)?;
            let Some((_, is_left)) = row else { continue };
            let aside = if *is_left { -4 - width_of(&mark.word) as i32 } else { 4 };
            let word = Text::new(mark.word.clone(), (aside, 0), letters(&INK));
            chart.draw_series([EmptyElement::at((x, top)) + word]).map_err(text)?;
        }
        for (label, place) in self.labels.iter().zip(self.label_places()) {
            let Some((x, y)) = place else { continue };
            let at = (left + x / width * (right - left), high - y / height * (high - low));
            let colour = PALETTE[label.colour % PALETTE.len()];
            let word = Text::new(label.word.clone(), (0, 0), letters(&colour));
            chart.draw_series([EmptyElement::at(at) + word]).map_err(text)?;
        }
        drop(chart);
        area.present().map_err(text)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn axis(range: (f64, f64), is_logarithmic: bool) -> Axis {
        Axis { label: "x".to_owned(), range, is_logarithmic }
    }

    fn curves(marks: &[(f64, &str)], labels: &[(f64, f64)]) -> Curves {
        let mark = |(x, word): &(f64, &str)| Mark { x: *x, word: (*word).to_owned() };
        let label = |at: &(f64, f64)| Label { at: *at, word: "F1: 1 kA, 2 ms".into(), colour: 0 };
        Curves {
            x: axis((0.0, 100.0), false),
            y: axis((0.0, 10.0), false),
            all: vec![Curve { colour: 1, points: labels.to_vec(), is_dots: true }],
            marks: marks.iter().map(mark).collect(),
            labels: labels.iter().map(label).collect(),
            height: 236,
        }
    }

    #[test]
    fn each_decade_has_a_figure_and_its_multiples_have_lines() {
        let (decades, between) = axis((10.0, 1e5), true).lines(6);
        assert_eq!(decades, [1.0, 2.0, 3.0, 4.0, 5.0]);
        assert_eq!(between.len(), 4 * 8);
        let (some, none) = axis((1e-300, 1e300), true).lines(6);
        assert!(some.len() < 20 && none.is_empty());
        assert_eq!(axis((-100.0, 237.0), false).lines(6).0, [-100.0, 0.0, 100.0, 200.0]);
        assert_eq!(axis((0.0, 9.0), false).lines(6).0, [0.0, 2.0, 4.0, 6.0, 8.0]);
    }

    #[test]
    fn words_of_marks_go_down_as_stairs_and_are_said_once() {
        let near = [(10.0, "x ignited"), (12.0, "y melted"), (13.0, "y melted"), (14.0, "y blown")];
        let rows = curves(&near, &[]).rows();
        assert_eq!(rows, [Some((0, false)), Some((1, false)), None, Some((2, false))]);
        // Far enough from the others a word stands above again; at the right end before its line.
        let far = curves(&[(10.0, "x ignited"), (60.0, "y melted"), (99.0, "y blown")], &[]);
        assert_eq!(far.rows(), [Some((0, false)), Some((0, false)), Some((0, true))]);
        let svg = curves(&near, &[]).svg().unwrap();
        assert_eq!(svg.matches("y melted").count(), 1);
        assert!(svg.contains("x ignited") && svg.contains("y blown"));
    }

    #[test]
    fn labels_of_points_cover_neither_each_other_nor_points() {
        let points = [(50.0, 5.0), (50.5, 5.0), (51.0, 5.1), (99.0, 0.1), (0.5, 9.9)];
        let places = curves(&[], &points).label_places();
        let area = |(x, y): (f64, f64)| [x, y, x + width_of("F1: 1 kA, 2 ms"), y + LETTERS.2];
        let areas: Vec<Area> = places.iter().map(|it| area(it.unwrap())).collect();
        for (at, one) in areas.iter().enumerate() {
            assert!(!areas[..at].iter().any(|other| overlaps(one, other)));
        }
    }
}
