//! A panel: two axes, and what is between them.

use crate::axis::Axis;
use crate::colour::Colour;
use crate::palette::BAD;

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

/// Points of a series, in the units of the axes.
pub trait Points: IntoIterator<Item = (f64, f64)> {}

impl<T: IntoIterator<Item = (f64, f64)>> Points for T {}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shape {
    Line,
    Area,
    Dots,
    /// Upright strokes, each between two points.
    Bars,
}

#[derive(Clone, Debug)]
pub(crate) struct Series {
    pub(crate) shape: Shape,
    pub(crate) points: Vec<(f64, f64)>,
    pub(crate) colour: Colour,
    /// The width of lines, the diameter of dots.
    pub(crate) size: f64,
    pub(crate) opacity: f64,
    pub(crate) dashes: &'static str,
}

/// A straight line from one side of the panel to the other, or all between two.
#[derive(Clone, Debug)]
pub(crate) struct Rule {
    pub(crate) from: f64,
    pub(crate) to: f64,
    /// What is written beside it where there is room; may be empty.
    pub(crate) name: String,
    pub(crate) colour: Colour,
    /// Of what is between its ends.
    pub(crate) opacity: f64,
    pub(crate) width: f64,
    pub(crate) dashes: &'static str,
}

/// Series, limits, marks and words between two axes.
#[derive(Clone, Debug)]
pub struct Panel {
    pub(crate) x: Axis,
    pub(crate) y: Axis,
    pub(crate) second: Option<Axis>,
    pub(crate) height: f64,
    pub(crate) has_x_figures: bool,
    pub(crate) notes: Vec<(String, Colour)>,
    /// Below the series.
    pub(crate) blocks: Vec<Block>,
    pub(crate) series: Vec<Series>,
    /// Across.
    pub(crate) limits: Vec<Rule>,
    /// Upright.
    pub(crate) marks: Vec<Rule>,
    pub(crate) labels: Vec<((f64, f64), String, Colour)>,
}

impl Panel {
    /// An empty one, of which so much is between the axes; the picture is some 430 wide.
    #[must_use]
    pub fn new(x: Axis, y: Axis, height: f64) -> Self {
        Self {
            x,
            y,
            second: None,
            height,
            has_x_figures: true,
            notes: Vec::new(),
            blocks: Vec::new(),
            series: Vec::new(),
            limits: Vec::new(),
            marks: Vec::new(),
            labels: Vec::new(),
        }
    }

    /// The panel with the figures of a second upright axis, to the right.
    #[must_use]
    pub fn with_second(self, axis: Axis) -> Self {
        Self { second: Some(axis), ..self }
    }

    /// The panel without figures along its flat axis, which it shares with one below.
    #[must_use]
    pub fn without_x_figures(self) -> Self {
        Self { has_x_figures: false, ..self }
    }

    fn add(&mut self, shape: Shape, points: impl Points, colour: Colour, look: (f64, f64)) {
        let (points, (size, opacity)) = (points.into_iter().collect(), look);
        self.series.push(Series { shape, points, colour, size, opacity, dashes: "" });
    }

    /// A line through these points.
    pub fn line(&mut self, points: impl Points, colour: Colour, width: f64) {
        self.add(Shape::Line, points, colour, (width, 1.0));
    }

    /// A line with dashes as SVG has them: `6 4`.
    pub fn dashed(&mut self, points: impl Points, colour: Colour, look: (f64, &'static str)) {
        self.line(points, colour, look.0);
        if let Some(line) = self.series.last_mut() {
            line.dashes = look.1;
        }
    }

    /// A line that keeps each value until the next point.
    pub fn steps(&mut self, points: impl Points, colour: Colour, look: (f64, &'static str)) {
        let mut before = None;
        let corners = points.into_iter().flat_map(|(x, y)| {
            let corner = before.replace(y).map(|before| (x, before));
            corner.into_iter().chain([(x, y)])
        });
        self.dashed(corners, colour, look);
    }

    /// The area between the lower and the upper values `(x, low, high)`.
    pub fn band(&mut self, edges: &[(f64, f64, f64)], colour: Colour, opacity: f64) {
        let upper = edges.iter().map(|(x, _, high)| (*x, *high));
        let lower = edges.iter().rev().map(|(x, low, _)| (*x, *low));
        self.add(Shape::Area, upper.chain(lower), colour, (0.0, opacity));
    }

    /// Dots of this diameter and opacity.
    pub fn dots(&mut self, points: impl Points, colour: Colour, look: (f64, f64)) {
        self.add(Shape::Dots, points, colour, look);
    }

    /// Upright strokes `(x, low, high)` of this width and opacity.
    pub fn bars(
        &mut self,
        bars: impl IntoIterator<Item = (f64, f64, f64)>,
        colour: Colour,
        look: (f64, f64),
    ) {
        let ends = bars.into_iter().flat_map(|(x, low, high)| [(x, low), (x, high)]);
        self.add(Shape::Bars, ends, colour, look);
    }

    /// A curve through `(x, error, uncertainty)`: a bar as long as the uncertainty on both sides.
    pub fn errors(&mut self, points: &[(f64, f64, f64)], colour: Colour) {
        self.bars(
            points.iter().map(|(x, error, u)| (*x, error - u, error + u)),
            colour,
            (1.4, 0.7),
        );
        let line = || points.iter().map(|(x, error, _)| (*x, *error));
        self.line(line(), colour, 1.6);
        self.dots(line(), colour, (6.0, 1.0));
    }

    /// A rectangle below all series.
    pub fn block(&mut self, block: Block) {
        self.blocks.push(block);
    }

    /// A box plot along the flat axis: whisker, quartile, median, quartile, whisker.
    pub fn quartiles(&mut self, [low, q1, median, q3, high]: [f64; 5], colour: Colour) {
        let (below, middle, above) = (0.3, 0.5, 0.7);
        self.band(&[(q1, below, above), (q3, below, above)], colour, 0.2);
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
        self.rule(value, name, BAD, "6 4");
        if let Some(limit) = self.limits.last_mut().filter(|_| is_declared) {
            limit.width = 1.6;
        }
    }

    /// Another line across the panel.
    pub fn rule(&mut self, at: f64, name: impl Into<String>, colour: Colour, dashes: &'static str) {
        let (name, opacity, width) = (name.into(), 0.0, 1.0);
        self.limits.push(Rule { from: at, to: at, name, colour, opacity, width, dashes });
    }

    /// An upright line with its word above; the word may be empty.
    pub fn mark(
        &mut self,
        at: f64,
        word: impl Into<String>,
        colour: Colour,
        (width, dashes): (f64, &'static str),
    ) {
        let (name, opacity) = (word.into(), 0.0);
        self.marks.push(Rule { from: at, to: at, name, colour, opacity, width, dashes });
    }

    /// A shaded span with its word above.
    pub fn span(
        &mut self,
        ends: (f64, f64),
        word: impl Into<String>,
        colour: Colour,
        opacity: f64,
    ) {
        let ((from, to), name) = (ends, word.into());
        self.marks.push(Rule { from, to, name, colour, opacity, width: 1.0, dashes: "" });
    }

    /// Words beside a point, where there is room.
    pub fn label(&mut self, at: (f64, f64), text: impl Into<String>, colour: Colour) {
        self.labels.push((at, text.into(), colour));
    }

    /// A line of text above the panel.
    pub fn note(&mut self, text: impl Into<String>, colour: Colour) {
        self.notes.push((text.into(), colour));
    }
}
