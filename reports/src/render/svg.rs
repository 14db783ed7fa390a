//! Pictures drawn by hand as SVG: a few shapes, axes, and the words for colours.
//!
//! Every colour is a fixed word of this file: a picture by itself is light, and the page's style
//! sheet maps the same words to its theme. Coordinates are rounded to a tenth of a pixel, so the
//! same data gives the same bytes. No value whatever, infinite or NaN, breaks a picture.

use lastmeter_units::SiUnit;

use super::page::with_prefix;
use super::ticks::{decade_step, time_ticks};
use lastmeter_text::{apart, append, escape, number};

/// Letters and axes.
pub(crate) const INK: &str = "#575653";
/// Grid lines.
pub(crate) const LINE: &str = "#E6E4D9";
/// Shaded areas.
pub(crate) const SHADE: &str = "#F2F0E5";
/// Limits, losses, what is bad.
pub(crate) const BAD: &str = "#AF3029";
/// What the bench did to the system.
pub(crate) const INJECTED: &str = "#BC5215";
/// The data of a picture with one series.
pub(crate) const DATA: &str = "#205EA6";
/// Duplicates, and the second of two things.
pub(crate) const SECOND: &str = "#5E409D";
/// Parts of a whole, in order.
pub(crate) const PARTS: [&str; 7] =
    ["#8A8880", "#205EA6", "#24837B", "#5E409D", "#BC5215", "#8F6B00", "#A02F6F"];

/// The place of a curve's colour among [`PARTS`]; the first there is grey.
pub(crate) fn curve_colour(place: usize) -> usize {
    1 + place % (PARTS.len() - 1)
}

/// A picture being drawn. Later shapes lie over earlier ones.
pub(crate) struct Drawing {
    text: String,
}

/// On which side of its place a text stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Anchor {
    /// It begins there.
    Start,
    /// It is centred there.
    Middle,
    /// It ends there.
    End,
}

impl Drawing {
    /// An empty picture of this size, described to those who do not see it by its label.
    pub(crate) fn new(width: f64, height: f64, label: &str) -> Self {
        let (width, height) = (pixels(width), pixels(height));
        let text = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" \
             viewBox=\"0 0 {width} {height}\" role=\"img\" aria-label=\"{}\" \
             font-family=\"sans-serif\" font-size=\"12\">",
            escape(label)
        );
        Self { text }
    }

    /// A straight line; `dash` as SVG has it (`"6 4"`), empty for none.
    pub(crate) fn line(&mut self, from: (f64, f64), to: (f64, f64), stroke: (&str, f64, &str)) {
        let (colour, width, dash) = stroke;
        let dash =
            if dash.is_empty() { String::new() } else { format!(" stroke-dasharray=\"{dash}\"") };
        let [x1, y1, x2, y2] = [from.0, from.1, to.0, to.1].map(pixels);
        append(
            &mut self.text,
            format_args!(
                "<line x1=\"{x1}\" y1=\"{y1}\" x2=\"{x2}\" y2=\"{y2}\" stroke=\"{colour}\" \
                 stroke-width=\"{width}\"{dash}/>"
            ),
        );
    }

    /// A filled rectangle with a text that shows when it is pointed at.
    pub(crate) fn block(
        &mut self,
        at: (f64, f64),
        size: (f64, f64),
        fill: (&str, f64),
        title: &str,
    ) {
        let (colour, opacity) = fill;
        let [x, y, width, height] = [at.0, at.1, size.0.max(0.0), size.1.max(0.0)].map(pixels);
        append(
            &mut self.text,
            format_args!(
                "<rect x=\"{x}\" y=\"{y}\" width=\"{width}\" height=\"{height}\" fill=\"{colour}\""
            ),
        );
        if opacity < 1.0 {
            append(&mut self.text, format_args!(" opacity=\"{opacity}\""));
        }
        if title.is_empty() {
            self.text.push_str("/>");
        } else {
            append(&mut self.text, format_args!("><title>{}</title></rect>", escape(title)));
        }
    }

    /// A text.
    pub(crate) fn text(&mut self, at: (f64, f64), anchor: Anchor, colour: &str, text: &str) {
        self.sized_text(at, anchor, colour, 12.0, text);
    }

    /// A text in smaller letters, beside a mark.
    pub(crate) fn small_text(&mut self, at: (f64, f64), anchor: Anchor, colour: &str, text: &str) {
        self.sized_text(at, anchor, colour, 11.5, text);
    }

    /// A text with letters of this height.
    pub(crate) fn sized_text(
        &mut self,
        at: (f64, f64),
        anchor: Anchor,
        colour: &str,
        size: f64,
        text: &str,
    ) {
        let (x, y) = (pixels(at.0), pixels(at.1));
        let anchor = match anchor {
            Anchor::Start => "",
            Anchor::Middle => " text-anchor=\"middle\"",
            Anchor::End => " text-anchor=\"end\"",
        };
        let size = if size == 12.0 { String::new() } else { format!(" font-size=\"{size}\"") };
        append(
            &mut self.text,
            format_args!(
                "<text x=\"{x}\" y=\"{y}\" fill=\"{colour}\"{anchor}{size}>{}</text>",
                escape(text)
            ),
        );
    }

    /// Any number of round dots of one colour, as one short element.
    pub(crate) fn dots(
        &mut self,
        places: &[(f64, f64)],
        colour: &str,
        diameter: f64,
        opacity: f64,
    ) {
        let mut path = String::with_capacity(places.len() * 15);
        for &(x, y) in places {
            append(&mut path, format_args!("M{} {}h.01", pixels(x), pixels(y)));
        }
        self.strokes(&path, colour, diameter, opacity);
    }

    /// Any number of upright strokes `(x, top, bottom)` of one colour, as one element.
    pub(crate) fn uprights(
        &mut self,
        strokes: &[(f64, f64, f64)],
        colour: &str,
        width: f64,
        opacity: f64,
    ) {
        let mut path = String::with_capacity(strokes.len() * 20);
        for &(x, top, bottom) in strokes {
            append(
                &mut path,
                format_args!("M{} {}V{}", pixels(x), pixels(top), pixels(bottom + 0.1)),
            );
        }
        self.strokes(&path, colour, width, opacity);
    }

    fn strokes(&mut self, path: &str, colour: &str, width: f64, opacity: f64) {
        if !path.is_empty() {
            append(
                &mut self.text,
                format_args!(
                    "<path d=\"{path}\" stroke=\"{colour}\" stroke-width=\"{width}\" \
                     stroke-linecap=\"round\" opacity=\"{opacity}\" fill=\"none\"/>"
                ),
            );
        }
    }

    /// A line through these places.
    pub(crate) fn curve(&mut self, places: &[(f64, f64)], colour: &str, width: f64) {
        if places.is_empty() {
            return;
        }
        append(
            &mut self.text,
            format_args!(
                "<polyline points=\"{}\" fill=\"none\" stroke=\"{colour}\" \
                 stroke-width=\"{width}\" stroke-linejoin=\"round\"/>",
                list(places)
            ),
        );
    }

    /// A filled area with this outline.
    pub(crate) fn area(&mut self, outline: &[(f64, f64)], colour: &str, opacity: f64) {
        if outline.is_empty() {
            return;
        }
        append(
            &mut self.text,
            format_args!(
                "<polygon points=\"{}\" fill=\"{colour}\" opacity=\"{opacity}\"/>",
                list(outline)
            ),
        );
    }

    /// The picture as a file.
    pub(crate) fn finish(mut self) -> String {
        self.text.push_str("</svg>\n");
        self.text
    }
}

fn list(places: &[(f64, f64)]) -> String {
    let mut text = String::with_capacity(places.len() * 12);
    for &(x, y) in places {
        append(&mut text, format_args!("{},{} ", pixels(x), pixels(y)));
    }
    text.truncate(text.trim_end().len());
    text
}

/// A coordinate to a tenth of a pixel, without needless digits.
fn pixels(value: f64) -> f64 {
    let tenths = (value * 10.0).round() / 10.0;
    // Also what a negative zero becomes.
    if tenths.is_finite() && tenths != 0.0 { tenths } else { 0.0 }
}

/// How wide a text is with letters of 12 pixels, about; letters of any viewer's font.
pub(crate) fn width_of(text: &str) -> f64 {
    6.7 * text.chars().count() as f64
}

/// A part of a picture in which data is drawn: its edges in pixels.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Frame {
    /// The left edge.
    pub(crate) left: f64,
    /// The right edge.
    pub(crate) right: f64,
    /// The upper edge.
    pub(crate) top: f64,
    /// The lower edge.
    pub(crate) bottom: f64,
}

impl Frame {
    /// Where a share of the width is.
    pub(crate) fn x(&self, share: f64) -> f64 {
        self.left + (self.right - self.left) * share
    }

    /// Where a share of the height is, from below.
    pub(crate) fn y(&self, share: f64) -> f64 {
        self.bottom + (self.top - self.bottom) * share
    }

    /// Horizontal grid lines with their figures to the left, and the axis' name above them.
    pub(crate) fn upright_axis(&self, drawing: &mut Drawing, axis: &Axis, name: &str) {
        for tick in axis.ticks() {
            let y = self.y(axis.place(tick.value));
            drawing.line((self.left, y), (self.right, y), (LINE, 1.0, ""));
            drawing.text((self.left - 7.0, y + 4.0), Anchor::End, INK, &tick.label);
        }
        if !name.is_empty() {
            drawing.text((0.0, self.top - 9.0), Anchor::Start, INK, name);
        }
    }

    /// Vertical grid lines with their figures below, and the axis' name below those. No figure
    /// reaches farther out than `margin` pixels.
    pub(crate) fn flat_axis(&self, drawing: &mut Drawing, axis: &Axis, margin: f64, name: &str) {
        let mut free_from = self.left - margin;
        for tick in axis.ticks() {
            let x = self.x(axis.place(tick.value));
            drawing.line((x, self.top), (x, self.bottom), (LINE, 1.0, ""));
            let half = width_of(&tick.label) / 2.0;
            if x - half >= free_from && x + half <= self.right + margin {
                drawing.text((x, self.bottom + 17.0), Anchor::Middle, INK, &tick.label);
                free_from = x + half + 4.0;
            }
        }
        if !name.is_empty() {
            let middle = f64::midpoint(self.left, self.right);
            drawing.text((middle, self.bottom + 34.0), Anchor::Middle, INK, name);
        }
    }
}

/// What the figures at an axis mean.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Figures {
    /// Nanoseconds, written with the unit that suits.
    Nanoseconds,
    /// Seconds since the start, from 0, at round times.
    Clock,
    /// Shares, written in percent.
    Percent,
    /// Plain numbers.
    Plain,
    /// Nanoamperes, written in A with the prefix that suits.
    Nanoamperes,
}

/// An axis: which values there are, and where.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Axis {
    from: f64,
    to: f64,
    logarithmic: bool,
    figures: Figures,
}

/// A place on an axis.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Tick {
    /// Its value.
    pub(crate) value: f64,
    /// What is written there.
    pub(crate) label: String,
}

/// Nothing shorter is drawn on a logarithmic axis, in nanoseconds.
const LEAST: f64 = 1e3;
const STEPS: [f64; 3] = [1.0, 2.0, 5.0];
/// The most steps of a linear axis.
const TICKS_MAX: u32 = 6;

impl Axis {
    /// From `from` to `to` as they are.
    pub(crate) fn linear(from: f64, to: f64, figures: Figures) -> Self {
        let (from, to) = (finite(from), finite(to));
        let to = if to > from { to } else { from + from.abs().max(1.0) };
        Self { from, to, logarithmic: false, figures }
    }

    /// Logarithmic, with a little room beyond both values.
    pub(crate) fn logarithmic(from: f64, to: f64, figures: Figures) -> Self {
        let from = finite(from).max(LEAST);
        let to = finite(to).max(from * 1.5);
        let room = libm::pow(to / from, 0.035);
        Self { from: from / room, to: to * room, logarithmic: true, figures }
    }

    /// Whether equal distances are equal ratios.
    pub(crate) fn is_logarithmic(&self) -> bool {
        self.logarithmic
    }

    /// Where the axis ends.
    pub(crate) fn end(&self) -> f64 {
        self.to
    }

    /// Whether a value is on the axis.
    pub(crate) fn holds(&self, value: f64) -> bool {
        value >= self.from && value <= self.to
    }

    /// Where a value is, from 0 to 1; what is beyond an end is at that end.
    pub(crate) fn place(&self, value: f64) -> f64 {
        let share = if self.logarithmic {
            let decades = libm::log10(self.to / self.from);
            libm::log10(value.max(self.from) / self.from) / decades
        } else {
            (value - self.from) / (self.to - self.from)
        };
        if share.is_nan() { 0.0 } else { share.clamp(0.0, 1.0) }
    }

    /// The places worth a line, each with its figure.
    pub(crate) fn ticks(&self) -> Vec<Tick> {
        if self.logarithmic { self.decades() } else { self.steps() }
    }

    fn decades(&self) -> Vec<Tick> {
        let decades = libm::log10(self.to / self.from);
        let mut ticks = Vec::new();
        let mut decade = libm::exp10(libm::floor(libm::log10(self.from) + 1e-9));
        // The axis of all durations there are has sixteen decades.
        for _ in 0..40 {
            for step in STEPS {
                let value = decade * step;
                if value < self.from * 0.999_999 || value > self.to * 1.000_001 {
                    continue;
                }
                if step == 1.0 || decades <= 2.2 {
                    ticks.push(Tick { value, label: self.figure(value, value) });
                }
            }
            decade *= 10.0;
        }
        ticks
    }

    fn steps(&self) -> Vec<Tick> {
        if self.figures == Figures::Clock {
            let ticks = time_ticks(self.to, TICKS_MAX).into_iter();
            return ticks.map(|(value, label)| Tick { value, label }).collect();
        }
        let step = decade_step((self.to - self.from) / f64::from(TICKS_MAX));
        let first = libm::ceil(self.from / step - 1e-9);
        let mut ticks = Vec::new();
        for place in 0..=8 {
            let value = (first + f64::from(place)) * step;
            if value > self.to * (1.0 + 1e-9) || !value.is_finite() {
                break;
            }
            let value = if value.abs() < step * 1e-9 { 0.0 } else { value };
            let label = match self.figures {
                Figures::Plain => apart(value, value + step).0,
                _ => self.figure(value, self.to),
            };
            ticks.push(Tick { value, label });
        }
        ticks
    }

    /// A value as text, in the unit that suits `size`.
    fn figure(&self, value: f64, size: f64) -> String {
        match self.figures {
            Figures::Nanoseconds => {
                // Decades of minutes are no round figures.
                let size = if self.logarithmic { size.min(1e9) } else { size };
                let (unit, name) = nanoseconds_unit(size);
                format!("{} {name}", number(value / unit))
            }
            Figures::Percent => format!("{} %", number(100.0 * value)),
            Figures::Plain | Figures::Clock => number(value),
            Figures::Nanoamperes => with_prefix(value / 1e9, SiUnit::Ampere),
        }
    }
}

fn finite(value: f64) -> f64 {
    if value.is_nan() { 0.0 } else { value.clamp(-1e300, 1e300) }
}

fn nanoseconds_unit(size: f64) -> (f64, &'static str) {
    match size.abs() {
        ..0.999e6 => (1e3, "µs"),
        ..0.999e9 => (1e6, "ms"),
        ..599e9 => (1e9, "s"),
        ..7_199e9 => (60e9, "min"),
        _ => (3_600e9, "h"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(axis: &Axis) -> Vec<String> {
        axis.ticks().into_iter().map(|tick| tick.label).collect()
    }

    #[test]
    fn a_logarithmic_axis_has_round_figures_with_units() {
        let axis = Axis::logarithmic(99e6, 3.4e9, Figures::Nanoseconds);
        assert_eq!(labels(&axis), ["100 ms", "200 ms", "500 ms", "1 s", "2 s"]);
        let wide = Axis::logarithmic(42e3, 7_200e9, Figures::Nanoseconds);
        let decades =
            ["100 µs", "1 ms", "10 ms", "100 ms", "1 s", "10 s", "100 s", "1000 s", "10000 s"];
        assert_eq!(labels(&wide), decades);
        // Half-way in ratio between both ends.
        let axis = Axis::logarithmic(1e6, 1e8, Figures::Nanoseconds);
        assert!((axis.place(1e7) - 0.5).abs() < 1e-12);
        assert!(axis.holds(1e6) && axis.holds(1e8) && !axis.holds(8e5));
    }

    #[test]
    fn a_linear_axis_has_a_handful_of_round_figures() {
        let axis = Axis::linear(0.0, 226e6, Figures::Nanoseconds);
        assert_eq!(labels(&axis), ["0 ms", "50 ms", "100 ms", "150 ms", "200 ms"]);
        let axis = Axis::linear(0.0, 600.0, Figures::Clock);
        assert_eq!(labels(&axis), ["0 min", "2 min", "4 min", "6 min", "8 min", "10 min"]);
        assert_eq!(axis.place(150.0), 0.25);
        assert_eq!((axis.place(-1.0), axis.place(1e9)), (0.0, 1.0));
    }

    #[test]
    fn no_range_whatever_keeps_an_axis_from_its_few_ticks() {
        let odd = [0.0, -1.0, 1e-300, 1e308, f64::INFINITY, f64::NEG_INFINITY, f64::NAN];
        for from in odd {
            for to in odd {
                for figures in [
                    Figures::Nanoseconds,
                    Figures::Clock,
                    Figures::Percent,
                    Figures::Plain,
                    Figures::Nanoamperes,
                ] {
                    for axis in
                        [Axis::linear(from, to, figures), Axis::logarithmic(from, to, figures)]
                    {
                        assert!(axis.ticks().len() <= 400, "{axis:?}");
                        for value in odd {
                            assert!((0.0..=1.0).contains(&axis.place(value)), "{axis:?} {value}");
                        }
                    }
                }
            }
        }
    }

    #[test]
    fn coordinates_are_short_and_always_numbers() {
        let mut drawing = Drawing::new(100.0, 50.0, "<a>");
        drawing.dots(&[(1.04, f64::NAN), (f64::INFINITY, -0.01)], DATA, 2.0, 1.0);
        let svg = drawing.finish();
        assert!(svg.contains("d=\"M1 0h.01M0 0h.01\""), "{svg}");
        assert!(svg.contains("aria-label=\"&lt;a&gt;\""));
    }
}
