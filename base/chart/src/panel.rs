//! A panel: two axes, and what is between them.

use plotters::coord::Shift;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use crate::axis::{Axis, Ruled, Tick};
use crate::colour::{BAD, Colour, INK, LINE, SHADE};
use crate::layout::{Area, Free, Letters, SIZE, Stairs};
use crate::svg::{FINE, Surface, fine};

/// A rectangle of a heat map, or of a bar.
#[derive(Clone, Debug)]
pub struct Block {
    /// One corner, in the units of the axes.
    pub from: (f64, f64),
    /// The other one.
    pub to: (f64, f64),
    /// Its colour.
    pub colour: Colour,
    /// From 0 to 1.
    pub opacity: f64,
    /// What shows when it is pointed at; may be empty.
    pub hint: String,
    /// What is written in it, where all fields have room for theirs; may be empty.
    pub text: String,
}

#[derive(Clone, Debug)]
enum Layer {
    Line {
        points: Vec<(f64, f64)>,
        colour: Colour,
        width: f64,
        dashes: &'static str,
    },
    Area {
        outline: Vec<(f64, f64)>,
        colour: Colour,
        opacity: f64,
    },
    Dots {
        points: Vec<(f64, f64)>,
        colour: Colour,
        diameter: f64,
        opacity: f64,
    },
    Bars {
        bars: Vec<(f64, f64, f64)>,
        colour: Colour,
        width: f64,
        opacity: f64,
    },
    Block(Block),
    /// On the second upright axis.
    Second {
        points: Vec<(f64, f64)>,
        colour: Colour,
        dashes: &'static str,
    },
}

/// A line across the panel, with its name beside it where there is room.
#[derive(Clone, Debug)]
struct Limit {
    value: f64,
    name: String,
    colour: Colour,
    width: f64,
    dashes: &'static str,
}

/// An upright line, or a span of time from one, with its word above.
#[derive(Clone, Debug)]
struct Mark {
    from: f64,
    to: f64,
    word: String,
    colour: Colour,
    opacity: f64,
    width: f64,
    dashes: &'static str,
}

/// Words beside a point.
#[derive(Clone, Debug)]
struct Label {
    at: (f64, f64),
    text: String,
    colour: Colour,
}

/// Series, limits, marks and words between two axes.
#[derive(Clone, Debug)]
pub struct Panel {
    x: Axis,
    y: Axis,
    second: Option<Axis>,
    height: f64,
    has_x_figures: bool,
    notes: Vec<(String, Colour)>,
    layers: Vec<Layer>,
    limits: Vec<Limit>,
    marks: Vec<Mark>,
    labels: Vec<Label>,
}

impl Panel {
    /// An empty one, of which so much is between the axes; the picture is some 430 wide.
    #[must_use]
    pub fn new(x: Axis, y: Axis, height: f64) -> Self {
        let (notes, layers, limits) = (Vec::new(), Vec::new(), Vec::new());
        let (marks, labels, second) = (Vec::new(), Vec::new(), None);
        Self { x, y, second, height, has_x_figures: true, notes, layers, limits, marks, labels }
    }

    /// The panel with a second upright axis, to the right.
    #[must_use]
    pub fn with_second(self, axis: Axis) -> Self {
        Self { second: Some(axis), ..self }
    }

    /// The panel without figures along its flat axis, which it shares with one below.
    #[must_use]
    pub fn without_x_figures(self) -> Self {
        Self { has_x_figures: false, ..self }
    }

    /// A line through these points.
    pub fn line(
        &mut self,
        points: impl IntoIterator<Item = (f64, f64)>,
        colour: Colour,
        width: f64,
    ) {
        let points = points.into_iter().collect();
        self.layers.push(Layer::Line { points, colour, width, dashes: "" });
    }

    /// A line that keeps each value until the next point.
    pub fn steps(
        &mut self,
        points: impl IntoIterator<Item = (f64, f64)>,
        colour: Colour,
        (width, dashes): (f64, &'static str),
    ) {
        let mut before = None;
        let corners = points.into_iter().flat_map(|(x, y)| {
            let corner = before.replace(y).map(|before| (x, before));
            corner.into_iter().chain([(x, y)])
        });
        let points = corners.collect();
        self.layers.push(Layer::Line { points, colour, width, dashes });
    }

    /// A line on the second upright axis, or on the first without one.
    pub fn second_line(
        &mut self,
        points: impl IntoIterator<Item = (f64, f64)>,
        colour: Colour,
        dashes: &'static str,
    ) {
        let points = points.into_iter().collect();
        self.layers.push(Layer::Second { points, colour, dashes });
    }

    /// The area between the lower and the upper values `(x, low, high)`.
    pub fn band(&mut self, edges: &[(f64, f64, f64)], colour: Colour, opacity: f64) {
        let upper = edges.iter().map(|(x, _, high)| (*x, *high));
        let lower = edges.iter().rev().map(|(x, low, _)| (*x, *low));
        let outline = upper.chain(lower).collect();
        self.layers.push(Layer::Area { outline, colour, opacity });
    }

    /// Dots of this diameter.
    pub fn dots(
        &mut self,
        points: impl IntoIterator<Item = (f64, f64)>,
        colour: Colour,
        (diameter, opacity): (f64, f64),
    ) {
        let points = points.into_iter().collect();
        self.layers.push(Layer::Dots { points, colour, diameter, opacity });
    }

    /// Upright strokes `(x, low, high)`.
    pub fn bars(
        &mut self,
        bars: impl IntoIterator<Item = (f64, f64, f64)>,
        colour: Colour,
        (width, opacity): (f64, f64),
    ) {
        let bars = bars.into_iter().collect();
        self.layers.push(Layer::Bars { bars, colour, width, opacity });
    }

    /// A curve through `(x, error, uncertainty)`: a bar as long as the uncertainty on both sides.
    pub fn errors(&mut self, points: impl IntoIterator<Item = (f64, f64, f64)>, colour: Colour) {
        let points: Vec<_> = points.into_iter().collect();
        self.bars(
            points.iter().map(|(x, error, u)| (*x, error - u, error + u)),
            colour,
            (1.4, 0.7),
        );
        let line = || points.iter().map(|(x, error, _)| (*x, *error));
        self.line(line(), colour, 1.6);
        self.dots(line(), colour, (6.0, 1.0));
    }

    /// A rectangle.
    pub fn block(&mut self, block: Block) {
        self.layers.push(Layer::Block(block));
    }

    /// A box plot along the flat axis: whisker, quartile, median, quartile, whisker.
    pub fn quartiles(&mut self, [low, q1, median, q3, high]: [f64; 5], colour: Colour) {
        let (below, middle, above) = (0.3, 0.5, 0.7);
        let (text, hint) = (String::new(), String::new());
        self.block(Block { from: (q1, below), to: (q3, above), colour, opacity: 0.2, hint, text });
        self.bars([low, high].map(|end| (end, 0.38, 0.62)), colour, (1.6, 1.0));
        self.bars([q1, q3].map(|edge| (edge, below, above)), colour, (1.6, 1.0));
        for (from, to, y) in
            [(low, q1, middle), (q3, high, middle), (q1, q3, below), (q1, q3, above)]
        {
            self.line([(from, y), (to, y)], colour, 1.6);
        }
        self.bars([(median, below, above)], colour, (3.0, 1.0));
    }

    /// A limit: a dashed line across the panel, which stands out if a check declares it.
    pub fn limit(&mut self, value: f64, name: impl Into<String>, is_declared: bool) {
        let width = if is_declared { 1.6 } else { 1.0 };
        let name = name.into();
        self.limits.push(Limit { value, name, colour: BAD, width, dashes: "6 4" });
    }

    /// Another line across the panel.
    pub fn rule(&mut self, value: f64, name: &str, colour: Colour, dashes: &'static str) {
        self.limits.push(Limit { value, name: name.to_owned(), colour, width: 1.0, dashes });
    }

    /// An upright line with its word above; the word may be empty.
    pub fn mark(
        &mut self,
        x: f64,
        word: impl Into<String>,
        colour: Colour,
        (width, dashes): (f64, &'static str),
    ) {
        let word = word.into();
        self.marks.push(Mark { from: x, to: x, word, colour, opacity: 0.0, width, dashes });
    }

    /// A shaded span with its word above.
    pub fn span(
        &mut self,
        (from, to): (f64, f64),
        word: impl Into<String>,
        colour: Colour,
        opacity: f64,
    ) {
        let word = word.into();
        self.marks.push(Mark { from, to, word, colour, opacity, width: 1.0, dashes: "" });
    }

    /// Words beside a point, where there is room.
    pub fn label(&mut self, at: (f64, f64), text: impl Into<String>, colour: Colour) {
        self.labels.push(Label { at, text: text.into(), colour });
    }

    /// A line of text above the panel.
    pub fn note(&mut self, text: impl Into<String>, colour: Colour) {
        self.notes.push((text.into(), colour));
    }
}

/// What stands where in a panel, in units of the picture from its upper left corner.
pub(crate) struct Plan {
    pub(crate) height: f64,
    lines: Vec<(String, Colour, HPos)>,
    stairs: Stairs,
    x_ticks: Vec<Tick>,
    are_turned: bool,
    /// Above, below, left and right of what is between the axes.
    around: [f64; 4],
    below_x_figures: f64,
}

/// The length of a tick in heights of a letter; figures begin as far beyond its end.
const TICK: f64 = 0.28;
/// The most places of a curve that words avoid.
const AREAS_MAX: usize = 400;

/// The library's surfaces and errors; that of drawing into memory cannot occur.
type Sheet = DrawingArea<Surface, Shift>;
pub(crate) type Drawn = Result<(), DrawingAreaErrorKind<std::convert::Infallible>>;

/// The library's style of letters.
pub(crate) fn letters_of(letters: Letters, colour: Colour) -> TextStyle<'static> {
    ("sans-serif", SIZE * letters.phone).into_font().color(&colour.rgb())
}

fn placed(letters: Letters, colour: Colour, across: HPos, down: VPos) -> TextStyle<'static> {
    letters_of(letters, colour).pos(Pos::new(across, down))
}

fn stroke(colour: Colour, width: f64, opacity: f64) -> ShapeStyle {
    colour.rgb().mix(opacity).stroke_width(fine(width) as u32)
}

/// The most ticks that keep a distance of `line` along a length.
fn upright_ticks(axis: &Axis, length: f64, line: f64) -> Vec<Tick> {
    let most = if axis.has_categories() { 200 } else { 7 };
    let gap = |ticks: &[Tick]| {
        let gaps = ticks.windows(2).map(|pair| (pair[1].0 - pair[0].0) * length);
        gaps.fold(f64::INFINITY, f64::min)
    };
    let mut all = (2..=most).rev().map(|most| axis.ticks(most));
    all.find(|ticks| gap(ticks) >= line).unwrap_or_default()
}

/// The ticks along a flat axis, with the figures that have room; the others keep their lines.
fn flat_ticks(axis: &Axis, [left, length, width]: [f64; 3], letters: Letters) -> Vec<Tick> {
    let gap = 0.5 * letters.phone;
    let thinned = |mut ticks: Vec<Tick>| {
        // Figures are found by their place.
        ticks.dedup_by(|next, tick| next.0 == tick.0);
        let (mut free_from, mut count, all) = (0.0, 0, ticks.len());
        for (at, text) in &mut ticks {
            let (middle, half) = (left + *at * length, letters.width_of(text) / 2.0);
            if middle - half >= free_from && middle + half <= width {
                (free_from, count) = (middle + half + gap, count + 1);
            } else {
                text.clear();
            }
        }
        (ticks, count, count == all)
    };
    let tried = || (3..=9).rev().map(|most| thinned(axis.ticks(most)));
    // At equal steps each has its figure; elsewhere the more figures the better.
    let whole = tried().find(|(.., is_whole)| axis.has_equal_steps() && *is_whole);
    let best = || tried().max_by_key(|(_, count, is_whole)| (*count, *is_whole));
    whole.or_else(best).map(|(ticks, ..)| ticks).unwrap_or_default()
}

impl Panel {
    /// The letters of the upright axis: small ones for names that are near each other.
    fn upright_letters(&self, letters: Letters) -> Letters {
        let rows = self.y.ticks(200).len() as f64;
        let is_dense = self.y.has_categories() && self.height < rows * letters.line();
        if is_dense { letters.small() } else { letters }
    }

    fn upright(&self, axis: &Axis, letters: Letters) -> Vec<Tick> {
        let letters = self.upright_letters(letters);
        let mut ticks = upright_ticks(axis, self.height, letters.line());
        let most = (0.4 * crate::chart::WIDTH / letters.width_of("x")) as usize;
        for (_, text) in &mut ticks {
            if text.chars().count() > most {
                *text = text.chars().take(most - 1).chain(['…']).collect();
            }
        }
        ticks
    }

    /// How wide its figures are, to the left and to the right.
    pub(crate) fn sides(&self, letters: Letters) -> (f64, f64) {
        let widest = |axis: &Axis| {
            let own = self.upright_letters(letters);
            let ticks = self.upright(axis, letters);
            let widths = ticks.iter().map(|(_, text)| own.width_of(text));
            widths.fold(0.0, f64::max) + 0.75 * letters.phone
        };
        // Figures at the ends of the flat axis reach beyond it.
        let figures = if self.has_x_figures { self.x.ticks(6) } else { Vec::new() };
        let beyond = |tick: Option<&Tick>, from: f64| {
            tick.map_or(0.0, |(at, text)| {
                letters.width_of(text) / 2.0 + 2.0 - (at - from).abs() * 0.7 * crate::chart::WIDTH
            })
        };
        let least = 0.6 * letters.phone;
        let right = self.second.as_ref().map_or(least, widest);
        let left = widest(&self.y).max(beyond(figures.first(), 0.0));
        (left, right.max(beyond(figures.last(), 1.0)))
    }

    pub(crate) fn plan(&self, width: f64, (left, right): (f64, f64), letters: Letters) -> Plan {
        let length = width - left - right;
        let mut lines = Vec::new();
        let second = self.second.as_ref().map_or("", |axis| &axis.name);
        let all =
            [(&self.y.name, INK)].into_iter().chain(self.notes.iter().map(|it| (&it.0, it.1)));
        for (text, colour) in all.filter(|(text, _)| !text.is_empty()) {
            let wrapped = letters.wrapped(text, width);
            lines.extend(wrapped.into_iter().map(|line| (line, colour, HPos::Left)));
        }
        if !second.is_empty() {
            lines.push((second.to_owned(), INK, HPos::Right));
        }
        let along = |mark: &Mark| Some(left + self.x.place(mark.from)? * length);
        let words = self.marks.iter().map(|mark| match along(mark) {
            Some(at) if self.x.holds(mark.from) || mark.from < mark.to => (at, &*mark.word),
            _ => (0.0, ""),
        });
        let stairs = Stairs::of(&words.collect::<Vec<_>>(), width, letters);
        let names = self.x.ticks(200);
        let wide = |ticks: &[Tick]| {
            ticks.iter().map(|(_, text)| letters.width_of(text)).fold(0.0, f64::max)
        };
        let field = length / names.len().max(1) as f64;
        let are_turned = self.x.has_categories()
            && self.has_x_figures
            && wide(&names) + 0.3 * letters.phone > field
            && field >= letters.phone;
        let x_ticks = match are_turned {
            true => names,
            false if self.x.has_categories() && wide(&names) <= field => names,
            false => flat_ticks(&self.x, [left, length, width], letters),
        };
        let figures = if are_turned { wide(&x_ticks) } else { letters.phone };
        let figures = if self.x.is_bare() || !self.has_x_figures { 0.0 } else { figures };
        let below_x_figures = (2.0 * TICK + 0.1) * letters.phone + figures;
        let name = if self.x.name.is_empty() || !self.has_x_figures { 0.0 } else { letters.line() };
        let above = letters.line() * (lines.len() + stairs.rows) as f64 + 0.45 * letters.phone;
        let below = below_x_figures + name + 0.3 * letters.phone;
        let around = [above, below, left, right];
        let height = above + self.height + below;
        Plan { height, lines, stairs, x_ticks, are_turned, around, below_x_figures }
    }

    pub(crate) fn draw(
        &self,
        (sheet, surface): (&Sheet, &Surface),
        plan: &Plan,
        letters: Letters,
    ) -> Drawn {
        let [above, below, left, right] = plan.around;
        let width = f64::from(sheet.dim_in_pixel().0) / FINE;
        let line = letters.line();
        for (row, (text, colour, side)) in plan.lines.iter().enumerate() {
            let style = placed(letters, *colour, *side, VPos::Top);
            let x = if matches!(side, HPos::Right) { width } else { 0.0 };
            sheet.draw(&Text::new(text.clone(), (fine(x), fine(row as f64 * line)), style))?;
        }
        let y_ticks = self.upright(&self.y, letters);
        let second_ticks =
            self.second.as_ref().map(|axis| self.upright(axis, letters)).unwrap_or_default();
        let places = |ticks: &[Tick]| ticks.iter().map(|tick| tick.0).collect::<Vec<_>>();
        let ruled =
            |axis: &Axis, ticks| Ruled { with_figure: places(ticks), fine: axis.fine_lines() };
        let mut chart = ChartBuilder::on(sheet)
            .margin_top(fine(above))
            .margin_right(if self.second.is_some() { 0 } else { fine(right) })
            .x_label_area_size(fine(below))
            .y_label_area_size(fine(left))
            .right_y_label_area_size(if self.second.is_some() { fine(right) } else { 0 })
            .build_cartesian_2d(ruled(&self.x, &plan.x_ticks), ruled(&self.y, &y_ticks))?
            .set_secondary_coord(
                Ruled { with_figure: Vec::new(), fine: Vec::new() },
                Ruled { with_figure: places(&second_ticks), fine: Vec::new() },
            );
        let figure = |ticks: &[Tick], place: f64| {
            let same = ticks.iter().find(|tick| tick.0 == place);
            same.map(|tick| tick.1.clone()).unwrap_or_default()
        };
        let x_figure = |place: &f64| {
            let shown = if self.has_x_figures { &plan.x_ticks[..] } else { &[] };
            figure(shown, *place)
        };
        let y_figure = |place: &f64| figure(&y_ticks, *place);
        let turn = if plan.are_turned { FontTransform::Rotate270 } else { FontTransform::None };
        let mut mesh = chart.configure_mesh();
        mesh.light_line_style(stroke(SHADE, 1.0, 1.0))
            .bold_line_style(stroke(LINE, 1.0, 1.0))
            .axis_style(stroke(LINE, 1.0, 1.0))
            .x_label_style(letters_of(letters, INK).transform(turn))
            .y_label_style(letters_of(self.upright_letters(letters), INK))
            .axis_desc_style(letters_of(letters, INK))
            .set_all_tick_mark_size(fine(TICK * letters.phone))
            .x_label_formatter(&x_figure)
            .y_label_formatter(&y_figure);
        if self.x.has_categories() {
            mesh.disable_x_mesh();
        }
        if self.y.has_categories() {
            mesh.disable_y_mesh();
        }
        mesh.draw()?;
        if self.second.is_some() {
            let y_figure = |place: &f64| figure(&second_ticks, *place);
            chart
                .configure_secondary_axes()
                .axis_style(stroke(LINE, 1.0, 1.0))
                .label_style(letters_of(letters, INK))
                .set_all_tick_mark_size(fine(TICK * letters.phone))
                .y_label_formatter(&y_figure)
                .draw()?;
        }
        drop(chart);
        if self.has_x_figures {
            let middle = left + (width - left - right) / 2.0;
            let at = (fine(middle), fine(above + self.height + plan.below_x_figures));
            let style = placed(letters, INK, HPos::Center, VPos::Top);
            sheet.draw(&Text::new(self.x.name.clone(), at, style))?;
        }
        let inside = Inside {
            panel: self,
            sheet,
            surface,
            letters,
            area: [left, above, width - right, above + self.height],
        };
        inside.spans(&plan.stairs, plan.lines.len())?;
        inside.layers()?;
        inside.limits_and_labels()
    }
}

/// What is between the axes.
struct Inside<'a> {
    panel: &'a Panel,
    sheet: &'a Sheet,
    surface: &'a Surface,
    letters: Letters,
    area: Area,
}

impl Inside<'_> {
    /// A place in units of the picture; `None` of NaN.
    fn at_of(&self, y_axis: &Axis, (x, y): (f64, f64)) -> Option<(f64, f64)> {
        let ([left, top, right, bottom], panel) = (self.area, self.panel);
        let (x, y) = (panel.x.place(x)?, y_axis.place(y)?);
        Some((left + x * (right - left), bottom - y * (bottom - top)))
    }

    fn fine_at(&self, point: (f64, f64)) -> Option<(i32, i32)> {
        self.at_of(&self.panel.y, point).map(|(x, y)| (fine(x), fine(y)))
    }

    fn text(&self, text: &str, (x, y): (f64, f64), style: TextStyle<'static>) -> Drawn {
        self.sheet.draw(&Text::new(text.to_owned(), (fine(x), fine(y)), style))
    }

    fn straight(&self, from: (f64, f64), to: (f64, f64), style: ShapeStyle) -> Drawn {
        let ends = [from, to].map(|(x, y)| (fine(x), fine(y)));
        self.sheet.draw(&PathElement::new(ends.to_vec(), style))
    }

    /// Marks with their words in rows above.
    fn spans(&self, stairs: &Stairs, lines: usize) -> Drawn {
        let [left, top, right, bottom] = self.area;
        let (line, x) = (self.letters.line(), &self.panel.x);
        let along = |value: f64| x.place(value).map(|place| left + place * (right - left));
        for (mark, place) in self.panel.marks.iter().zip(&stairs.places) {
            let (Some(from), Some(to)) = (along(mark.from), along(mark.to)) else { continue };
            if mark.opacity > 0.0 {
                self.surface.hint(&mark.word);
                let corners = [(fine(from), fine(top)), (fine(to), fine(bottom))];
                let fill = mark.colour.rgb().mix(mark.opacity).filled();
                self.sheet.draw(&Rectangle::new(corners, fill))?;
            } else if !x.holds(mark.from) {
                continue;
            }
            let row_top = |row: usize| line * (lines + row) as f64;
            let start = place.map_or(top, |(row, _)| row_top(row) + 0.2 * line);
            self.surface.dash(mark.dashes);
            let style = stroke(mark.colour, mark.width, 1.0);
            // A shaded area without a line of its own has the colour of areas.
            if mark.colour != SHADE {
                self.straight((from, start), (from, bottom), style)?;
            }
            self.surface.dash("");
            if let Some((row, word_left)) = place {
                let colour = if mark.colour == SHADE { INK } else { mark.colour };
                let style = placed(self.letters, colour, HPos::Left, VPos::Top);
                self.text(&mark.word, (*word_left, row_top(*row)), style)?;
            }
        }
        if let Some(place) = x.break_at() {
            let at = left + place * (right - left);
            self.surface.dash("2 3");
            self.straight((at, top), (at, bottom), stroke(INK, 1.0, 1.0))?;
            self.surface.dash("");
        }
        Ok(())
    }

    fn layers(&self) -> Drawn {
        let panel = self.panel;
        let has_room = self.blocks_have_room();
        for layer in &panel.layers {
            match layer {
                Layer::Line { points, colour, width, dashes } => {
                    self.curve(&panel.y, points, (*colour, *width, dashes))?;
                }
                Layer::Second { points, colour, dashes } => {
                    let axis = panel.second.as_ref().unwrap_or(&panel.y);
                    self.curve(axis, points, (*colour, 1.6, dashes))?;
                }
                Layer::Area { outline, colour, opacity } => {
                    let outline: Vec<_> =
                        outline.iter().filter_map(|it| self.fine_at(*it)).collect();
                    self.sheet.draw(&Polygon::new(outline, colour.rgb().mix(*opacity)))?;
                }
                Layer::Dots { points, colour, diameter, opacity } => {
                    let style = colour.rgb().mix(*opacity).filled();
                    for at in points.iter().filter_map(|it| self.fine_at(*it)) {
                        self.sheet.draw(&Circle::new(at, fine(diameter / 2.0), style))?;
                    }
                }
                Layer::Bars { bars, colour, width, opacity } => {
                    for (x, low, high) in bars {
                        let ends = [(*x, *high), (*x, *low)].map(|it| self.at_of(&panel.y, it));
                        let [Some(from), Some(to)] = ends else { continue };
                        // What has no length still is a stroke.
                        let to = (to.0, to.1.max(from.1 + 0.1));
                        self.straight(from, to, stroke(*colour, *width, *opacity))?;
                    }
                }
                Layer::Block(block) => self.block(block, has_room)?,
            }
        }
        Ok(())
    }

    fn curve(
        &self,
        axis: &Axis,
        points: &[(f64, f64)],
        (colour, width, dashes): (Colour, f64, &'static str),
    ) -> Drawn {
        let places = points.iter().filter_map(|point| self.at_of(axis, *point));
        let places: Vec<_> = places.map(|(x, y)| (fine(x), fine(y))).collect();
        if let [at] = places[..] {
            return self.sheet.draw(&Circle::new(at, fine(width), colour.rgb().filled()));
        }
        if places.is_empty() {
            return Ok(());
        }
        self.surface.dash(dashes);
        self.sheet.draw(&PathElement::new(places, stroke(colour, width, 1.0)))?;
        self.surface.dash("");
        Ok(())
    }

    /// Whether each field has room for what is written in it.
    fn blocks_have_room(&self) -> bool {
        let blocks = self.panel.layers.iter().filter_map(|layer| match layer {
            Layer::Block(block) => Some(block),
            _ => None,
        });
        blocks.into_iter().all(|block| {
            let ends = (self.at_of(&self.panel.y, block.from), self.at_of(&self.panel.y, block.to));
            let (Some(from), Some(to)) = ends else { return true };
            let room = ((to.0 - from.0).abs(), (to.1 - from.1).abs());
            let is_wide = room.0 >= self.letters.width_of(&block.text) + 2.0;
            block.text.is_empty() || (is_wide && room.1 >= self.letters.phone)
        })
    }

    fn block(&self, block: &Block, has_room: bool) -> Drawn {
        let ends = (self.at_of(&self.panel.y, block.from), self.at_of(&self.panel.y, block.to));
        let (Some(from), Some(to)) = ends else { return Ok(()) };
        self.surface.hint(&block.hint);
        let corners = [(fine(from.0), fine(from.1)), (fine(to.0), fine(to.1))];
        let fill = block.colour.rgb().mix(block.opacity).filled();
        self.sheet.draw(&Rectangle::new(corners, fill))?;
        if !has_room || block.text.is_empty() {
            return Ok(());
        }
        let middle = (f64::midpoint(from.0, to.0), f64::midpoint(from.1, to.1));
        let style = placed(self.letters, INK, HPos::Center, VPos::Center);
        self.text(&block.text, middle, style)
    }

    /// Small areas along curves and at dots, which words rather do not cover.
    fn data_areas(&self) -> Vec<Area> {
        let mut areas = Vec::new();
        let has_words = self.panel.limits.iter().any(|limit| !limit.name.is_empty());
        if !has_words && self.panel.labels.is_empty() {
            return areas;
        }
        let around = |(x, y): (f64, f64)| [x - 1.5, y - 1.5, x + 1.5, y + 1.5];
        for layer in &self.panel.layers {
            let (Layer::Line { points, .. } | Layer::Dots { points, .. }) = layer else { continue };
            let every = points.len().div_ceil(AREAS_MAX).max(1);
            let places =
                points.iter().step_by(every).filter_map(|it| self.at_of(&self.panel.y, *it));
            let places: Vec<_> = places.collect();
            areas.extend(places.iter().copied().map(around));
            if matches!(layer, Layer::Line { .. }) {
                let between = places.windows(2).flat_map(|pair| {
                    let (from, to) = (pair[0], pair[1]);
                    let count = ((to.0 - from.0).abs().max((to.1 - from.1).abs()) / 6.0) as u32;
                    (1..=count).map(move |step| {
                        let share = f64::from(step) / f64::from(count + 1);
                        (from.0 + share * (to.0 - from.0), from.1 + share * (to.1 - from.1))
                    })
                });
                areas.extend(between.map(around));
            }
        }
        areas
    }

    /// Limits and their names, and words beside points: where they cover neither a dot that has
    /// words nor each other.
    fn limits_and_labels(&self) -> Drawn {
        let ([left, top, right, bottom], letters) = (self.area, self.letters);
        let within = [left, top, right, bottom];
        let mut free = Free { within, taken: Vec::new(), avoided: self.data_areas() };
        for label in &self.panel.labels {
            let dot = self.at_of(&self.panel.y, label.at);
            free.taken.extend(dot.map(|(x, y)| [x - 5.0, y - 5.0, x + 5.0, y + 5.0]));
        }
        let mut limits: Vec<&Limit> =
            self.panel.limits.iter().filter(|limit| self.panel.y.holds(limit.value)).collect();
        // A declared one has its name before others, and of two close ones the lower.
        limits.sort_by(|a, b| b.width.total_cmp(&a.width).then(a.value.total_cmp(&b.value)));
        let y_of = |limit: &Limit| {
            self.panel.y.place(limit.value).map(|place| bottom - place * (bottom - top))
        };
        free.taken.extend(limits.iter().filter_map(|it| y_of(it)).map(|y| [left, y, right, y]));
        for mark in &self.panel.marks {
            let line = self.panel.x.place(mark.from).filter(|_| self.panel.x.holds(mark.from));
            let x = line.map(|place| left + place * (right - left));
            free.avoided.extend(x.map(|x| [x, top, x, bottom]));
        }
        for limit in limits {
            let Some(y) = y_of(limit) else { continue };
            self.surface.dash(limit.dashes);
            self.straight((left, y), (right, y), stroke(limit.colour, limit.width, 1.0))?;
            self.surface.dash("");
            let size = (letters.width_of(&limit.name), letters.phone);
            let sides =
                [right - size.0 - 2.0, f64::midpoint(left, right) - size.0 / 2.0, left + 2.0];
            let corners =
                sides.into_iter().flat_map(|x| [y - letters.phone - 1.0, y + 1.0].map(|y| (x, y)));
            let found = if limit.name.is_empty() { None } else { free.place(corners, size) };
            if let Some(corner) = found {
                let style = placed(letters, limit.colour, HPos::Left, VPos::Top);
                self.text(&limit.name, corner, style)?;
            }
        }
        for label in &self.panel.labels {
            let Some((x, y)) = self.at_of(&self.panel.y, label.at) else { continue };
            let (wide, tall) = (letters.width_of(&label.text), letters.phone);
            // To the right first, then to the left, from the height of the point outwards.
            let rows = [-0.9, 0.0, -1.8, 0.9, -2.7, 1.8, -3.6, 2.7, -4.5, 3.6];
            let sides = [x + 9.0, x - 9.0 - wide];
            let corners = rows.iter().flat_map(|row| sides.map(|side| (side, y + row * tall)));
            if let Some(corner) = free.place(corners, (wide, tall)) {
                let style = placed(letters, label.colour, HPos::Left, VPos::Top);
                self.text(&label.text, corner, style)?;
            }
        }
        Ok(())
    }
}
