//! Curves as SVG. The only place that knows the plotting library.
//!
//! Colours are fixed words of [`PALETTE`]: a file by itself is light, and the page maps the same
//! words to its theme, so one picture serves light, dark and print.

mod curves;

use lastmeter_text::{append, escape};
use plotters::coord::Shift;
use plotters::prelude::*;

use self::curves::Lined;
use super::ticks::{TimeTick, drawn_end, time_ticks};
pub(crate) use curves::{Axis, Curve, Curves, Label, Mark};

/// The colours of series, in order, as `#RRGGBB`; the page's style sheet knows each of them.
pub(crate) const PALETTE: [RGBColor; 4] = [
    RGBColor(0x20, 0x5E, 0xA6),
    RGBColor(0xBC, 0x52, 0x15),
    RGBColor(0x24, 0x83, 0x7B),
    RGBColor(0x5E, 0x40, 0x9D),
];
const INK: RGBColor = RGBColor(0x57, 0x56, 0x53);
const LINE: RGBColor = RGBColor(0xE6, 0xE4, 0xD9);
/// Lines between those that have a figure.
const FAINT: RGBColor = RGBColor(0xF2, 0xF0, 0xE5);
const LIMIT: RGBColor = RGBColor(0xAF, 0x30, 0x29);
const FONT: &str = "sans-serif";

/// Nothing is drawn further out than this, in either direction. The library steps along an axis in
/// floating point and never ends where a range is infinite, NaN or empty, or so wide that its
/// length overflows.
const DRAWN_MAX: f64 = 1e300;
/// No axis is shorter than this, for the same reason.
const DRAWN_MIN: f64 = 1e-300;

/// The size of a picture of [`Curves`] in pixels; it scales.
const SIZE: (u32, u32) = (560, 236);

/// One point of a curve: what a span of time holds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Point {
    /// The mean time of what it holds, in seconds since the start.
    pub(crate) x_s: f64,
    /// The smallest value.
    pub(crate) min: f64,
    /// The mean.
    pub(crate) mean: f64,
    /// The largest value.
    pub(crate) max: f64,
}

impl Point {
    /// The point as the library may get it: clamped, along time to the axis (its pixels overflow
    /// far beyond), and `None` if there is a NaN in it.
    fn drawn(&self, end_s: f64) -> Option<Self> {
        let clamp = |value: f64| value.clamp(-DRAWN_MAX, DRAWN_MAX);
        let point = Self {
            x_s: self.x_s.clamp(0.0, end_s),
            min: clamp(self.min),
            mean: clamp(self.mean),
            max: clamp(self.max),
        };
        let values = [point.x_s, point.min, point.mean, point.max];
        values.iter().all(|value| !value.is_nan()).then_some(point)
    }
}

/// What a series of a [`Panel`] is, and with that how it is drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    /// Many series: a band from the smallest to the largest value.
    Others,
    /// What was true: a broad line.
    Reference,
    /// What was reported, or its error: a narrow line over it.
    Reported,
}

impl Role {
    /// Its colour, how broad its line is, and how dark its band.
    const fn look(self) -> (RGBColor, u32, f64) {
        match self {
            Self::Others => (RGBColor(0x8A, 0x88, 0x80), 1, 0.35),
            Self::Reference => (PALETTE[2], 4, 0.2),
            Self::Reported => (PALETTE[0], 2, 0.3),
        }
    }

    /// Where its lines go: of a band along both its edges, so that a narrow one is seen.
    fn lines(self) -> &'static [fn(&Point) -> f64] {
        match self {
            Self::Others => &[|point| point.min, |point| point.max],
            Self::Reference | Self::Reported => &[|point| point.mean],
        }
    }

    /// The place of its colour among those of keys.
    pub(crate) const fn key(self) -> usize {
        match self {
            Self::Others => 0,
            Self::Reported => 1,
            Self::Reference => 2,
        }
    }
}

/// Series over time on one axis.
#[derive(Clone, Debug)]
pub(crate) struct Panel {
    /// What the vertical axis shows, with its unit.
    pub(crate) label: String,
    /// In order of time each; later ones lie over earlier ones.
    pub(crate) series: Vec<(Role, Vec<Point>)>,
    /// Of errors, whose axis has zero in the middle: lines at plus and minus this, if they fit
    /// into the picture; infinite if there is no limit.
    pub(crate) limit: Option<f64>,
    /// Pixels.
    pub(crate) height: u32,
}

impl Panel {
    /// The smallest and the largest value of all.
    pub(crate) fn ends(&self) -> (f64, f64) {
        self.ends_of(|_| true)
    }

    fn ends_of(&self, is_meant: impl Fn(Role) -> bool) -> (f64, f64) {
        let series = self.series.iter().filter(|(role, _)| is_meant(*role));
        let points = series.flat_map(|(_, points)| points);
        let points = points.filter_map(|point| point.drawn(DRAWN_MAX));
        points.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), point| {
            (low.min(point.min), high.max(point.max))
        })
    }

    /// Whether the limit's lines are in the picture: not where they would flatten the curves.
    pub(crate) fn shows_limit(&self) -> bool {
        let (low, high) = self.ends();
        let reach = low.abs().max(high.abs());
        self.limit.is_some_and(|limit| reach.is_finite() && limit <= (8.0 * reach).min(DRAWN_MAX))
    }

    /// The smallest and the largest value that the axis has to have: a band that would flatten the
    /// curves over it is cut.
    fn shown_ends(&self) -> (f64, f64) {
        let ((low, high), own) = (self.ends(), self.ends_of(|role| role != Role::Others));
        let most = CUT_FROM * own.0.abs().max(own.1.abs());
        let is_cut = self.limit.is_none() && most > 0.0 && most < low.abs().max(high.abs());
        if is_cut { (low.clamp(-most, most), high.clamp(-most, most)) } else { (low, high) }
    }

    /// Whether the band goes on beyond the picture.
    pub(crate) fn is_cut(&self) -> bool {
        self.shown_ends() != self.ends()
    }

    /// The vertical axis: of errors around zero, of values as near as shows that they move, but a
    /// steady one as steady.
    fn axis(&self) -> Axis {
        let (low, high) = self.shown_ends();
        let (low, high) = if low <= high { (low, high) } else { (0.0, 0.0) };
        let range = if let Some(limit) = self.limit {
            let shown = if self.shows_limit() { limit } else { 0.0 };
            let reach = 1.15 * low.abs().max(high.abs()).max(shown);
            (-reach, reach)
        } else {
            let room = (0.08 * (high - low)).max(0.005 * low.abs().max(high.abs()));
            (low - room, high + room)
        };
        // Exact agreement still needs an axis.
        let range = if range.1 - range.0 > DRAWN_MIN { range } else { (-1.0, 1.0) };
        Axis { label: self.label.clone(), range, is_logarithmic: false }
    }
}

/// Panels with one time axis below each other.
#[derive(Clone, Debug)]
pub(crate) struct Chart {
    /// From above.
    pub(crate) panels: Vec<Panel>,
    /// The end of the horizontal axis in seconds since the start.
    pub(crate) end_s: f64,
}

/// A band so many times as far from zero as the curves over it is cut.
const CUT_FROM: f64 = 3.0;

/// How wide a chart is, pixels: its letters can be read on a phone, where it is shrunk, too.
const CHART_WIDTH: u32 = 430;
/// What stands above and below the axes of a panel.
const ABOVE: u32 = 24;
const BELOW: u32 = 22;
/// The most steps of a chart's time axis, and of its others.
const TICKS: (u32, usize) = (5, 4);

impl Chart {
    /// The picture, which has these attributes for programs.
    pub(crate) fn svg(&self, data: &[(&str, &str)]) -> Result<String, PlotError> {
        let mut svg = String::new();
        self.draw(&mut svg).map_err(|error| PlotError(error.to_string()))?;
        let mut attributes = String::from("<svg role=\"img\"");
        for (name, value) in data {
            append(&mut attributes, format_args!(" {name}=\"{}\"", escape(value)));
        }
        Ok(svg.replacen("<svg", &attributes, 1))
    }

    fn draw(&self, svg: &mut String) -> Drawn {
        let height: u32 = self.panels.iter().map(|panel| panel.height).sum();
        let mut rest = SVGBackend::with_string(svg, (CHART_WIDTH, height)).into_drawing_area();
        let end_s = drawn_end(self.end_s);
        let ticks = time_ticks(end_s, TICKS.0);
        let axes: Vec<Axis> = self.panels.iter().map(Panel::axis).collect();
        let letters = axes.iter().flat_map(Axis::labels).map(|it| it.chars().count()).max();
        let left = 10 + 8 * letters.unwrap_or(0) as u32;
        for (panel, axis) in self.panels.iter().zip(&axes) {
            let (area, below) = rest.split_vertically(panel.height);
            rest = below;
            panel.draw(&area, axis, (end_s, &ticks, left))?;
        }
        rest.present().map_err(text)?;
        Ok(())
    }
}

impl Panel {
    fn draw(
        &self,
        area: &DrawingArea<SVGBackend<'_>, Shift>,
        axis: &Axis,
        (end_s, ticks, left): (f64, &[TimeTick], u32),
    ) -> Drawn {
        let font = |colour: &RGBColor| (FONT, 13).into_font().color(colour);
        area.draw(&Text::new(self.label.clone(), (4, 4), font(&INK))).map_err(text)?;
        let across = ticks.iter().map(|(at, _)| *at).collect();
        let ends = axis.ends();
        let mut chart = ChartBuilder::on(area)
            .margin_top(ABOVE)
            .margin_right(24)
            .x_label_area_size(BELOW)
            .y_label_area_size(left)
            .build_cartesian_2d(
                Lined::of((0.0, end_s), across),
                Lined::of(ends, axis.lines(TICKS.1).0),
            )
            .map_err(text)?;
        chart
            .configure_mesh()
            .light_line_style(TRANSPARENT)
            .bold_line_style(LINE)
            .axis_style(LINE)
            .label_style(font(&INK))
            .x_label_formatter(&|at| label_at(ticks, *at))
            .y_label_formatter(&|value| axis.text(*value))
            .draw()
            .map_err(text)?;
        if let Some(limit) = self.limit.filter(|_| self.shows_limit()) {
            for limit in [limit, -limit] {
                let line = [(0.0, limit), (end_s, limit)];
                let series = DashedLineSeries::new(line, 6, 4, LIMIT.stroke_width(1));
                chart.draw_series(series).map_err(text)?;
            }
        }
        for (role, points) in &self.series {
            let (colour, broad, dark) = role.look();
            let within = |value: f64| value.clamp(ends.0, ends.1);
            let points = points.iter().filter_map(|it| it.drawn(end_s)).map(|it| Point {
                min: within(it.min),
                max: within(it.max),
                ..it
            });
            for points in whole(&points.collect::<Vec<Point>>()) {
                let upper = points.iter().map(|point| (point.x_s, point.max));
                let lower = points.iter().rev().map(|point| (point.x_s, point.min));
                let band: Vec<(f64, f64)> = upper.chain(lower).collect();
                chart.draw_series([Polygon::new(band, colour.mix(dark))]).map_err(text)?;
                for at in role.lines() {
                    let line = points.iter().map(|point| (point.x_s, at(point)));
                    if points.len() == 1 {
                        let dots = line.map(|at| Circle::new(at, broad as i32, colour.filled()));
                        chart.draw_series(dots).map_err(text)?;
                    } else {
                        let line = LineSeries::new(line, colour.stroke_width(broad));
                        chart.draw_series(line).map_err(text)?;
                    }
                }
            }
        }
        Ok(())
    }
}

/// The stretches of a curve: it is torn where values are missing, or came at another pace.
fn whole(points: &[Point]) -> impl Iterator<Item = &[Point]> {
    let gap = |one: &Point, next: &Point| next.x_s - one.x_s;
    let mut gaps: Vec<f64> = points.windows(2).map(|pair| gap(&pair[0], &pair[1])).collect();
    gaps.sort_by(f64::total_cmp);
    let usual = gaps.get(gaps.len() / 2).copied().unwrap_or(0.0);
    points.chunk_by(move |one, next| gap(one, next) <= 1.6 * usual)
}

/// What is written at a place of the time axis.
fn label_at(ticks: &[TimeTick], at: f64) -> String {
    let near = ticks.iter().min_by(|a, b| (a.0 - at).abs().total_cmp(&(b.0 - at).abs()));
    near.map(|(_, label)| label.clone()).unwrap_or_default()
}

/// What drawing comes to; the library's errors are those of its back end.
type Drawn = Result<(), Box<dyn std::error::Error + Send + Sync>>;

/// The library's errors borrow their back end; only their text leaves here.
fn text(error: impl std::fmt::Display) -> Box<dyn std::error::Error + Send + Sync> {
    error.to_string().into()
}

/// A time since the start: `4:00` in minutes and seconds, `13:00 h` in hours and minutes.
pub(crate) fn clock(seconds: f64) -> String {
    let seconds = seconds.round().max(0.0) as u64;
    if seconds >= 3600 {
        format!("{}:{:02} h", seconds / 3600, seconds / 60 % 60)
    } else {
        format!("{}:{:02}", seconds / 60, seconds % 60)
    }
}

/// The plotting library could not draw.
#[derive(Debug, thiserror::Error)]
#[error("failed to draw a picture: {0}")]
pub struct PlotError(String);

#[cfg(test)]
mod tests {
    use super::*;

    fn panel(limit: Option<f64>, means: &[f64]) -> Panel {
        let point = |(place, &mean): (usize, &f64)| Point {
            x_s: place as f64,
            min: mean - 0.5,
            mean,
            max: mean + 0.5,
        };
        let points = means.iter().enumerate().map(point).collect();
        let series = vec![(Role::Reported, points)];
        Panel { label: "<error> in %".to_owned(), series, limit, height: 130 }
    }

    fn svg(panel: &Panel) -> String {
        let chart = Chart { panels: vec![panel.clone()], end_s: 10.0 };
        chart.svg(&[("data-device", "<a>")]).unwrap()
    }

    #[test]
    fn a_picture_is_an_svg_that_escapes_its_texts() {
        let svg = svg(&panel(Some(1.0), &[0.0, 1.0, 2.0]));
        assert!(svg.starts_with("<svg role=\"img\" data-device=\"&lt;a&gt;\""), "{svg}");
        assert!(svg.trim_end().ends_with("</svg>") && svg.contains("&lt;error&gt; in %"));
        assert!(svg.contains("#205EA6") && svg.contains("#AF3029"));
    }

    #[test]
    fn a_limit_far_away_is_left_out_so_that_the_curve_is_seen() {
        assert!(!panel(Some(100.0), &[1.0]).shows_limit());
        assert!(!svg(&panel(Some(100.0), &[1.0])).contains("#AF3029"));
        assert!(panel(Some(5.0), &[1.0]).shows_limit());
        assert!(!panel(None, &[1.0]).shows_limit());
    }

    #[test]
    fn nothing_or_no_error_at_all_can_still_be_drawn() {
        let mut flat = panel(Some(1.0), &[]);
        assert!(svg(&flat).ends_with("</svg>\n"));
        flat.series[0].1 = vec![Point { x_s: 0.0, min: 0.0, mean: 0.0, max: 0.0 }];
        assert!(svg(&flat).contains("<circle"), "one value is a dot");
    }

    /// A meter that counts little among large ones is seen, and dips of the others are.
    #[test]
    fn a_band_is_cut_where_it_would_flatten_the_curve_over_it() {
        let point = |min: f64, max: f64| vec![Point { x_s: 1.0, min, mean: min, max }];
        for (own, others, is_cut, range) in [
            (15.0, (0.0, 700.0), true, (0.0, 45.0)),
            (233.0, (69.0, 231.0), false, (69.0, 233.0)),
            (0.0, (0.0, 700.0), false, (0.0, 700.0)),
            (-2.0, (-9.0, -1.0), true, (-6.0, -1.0)),
        ] {
            let (own, others) = (point(own, own), point(others.0, others.1));
            let series = vec![(Role::Others, others), (Role::Reported, own)];
            let panel = Panel { series, ..panel(None, &[]) };
            assert_eq!((panel.is_cut(), panel.shown_ends()), (is_cut, range));
            assert!(svg(&panel).ends_with("</svg>\n"));
        }
    }

    #[test]
    fn a_curve_is_torn_where_values_are_missing() {
        let point = |x_s: f64| Point { x_s, min: 0.0, mean: 0.0, max: 0.0 };
        let points = [0.0, 10.0, 20.0, 30.0, 50.0, 60.0, 120.0].map(point);
        let lengths: Vec<usize> = whole(&points).map(<[Point]>::len).collect();
        assert_eq!(lengths, [4, 2, 1]);
        assert_eq!(whole(&points[..1]).count(), 1);
        assert_eq!(whole(&[]).count(), 0);
    }

    /// Where lines stand and what is written below them, read back from the picture.
    #[test]
    fn a_figure_of_the_time_axis_stands_where_it_says() {
        let attribute = |element: &str, name: &str| -> f64 {
            let from = element.find(&format!(" {name}=\"")).unwrap() + name.len() + 3;
            element[from..].split('"').next().unwrap().parse().unwrap()
        };
        for end_s in [6.0, 47.0, 200.0, 5_400.0, 86_400.0, 2.5e6] {
            let last = Point { x_s: end_s, min: 1.0, mean: 1.0, max: 1.0 };
            let ends = vec![Point { x_s: 0.0, ..last }, last];
            let curve = Panel { series: vec![(Role::Reported, ends)], ..panel(None, &[]) };
            let svg = Chart { panels: vec![curve], end_s }.svg(&[]).unwrap();
            // The curve goes from one end of the axis to the other.
            let line = svg.split("<polyline").filter(|it| it.contains("#205EA6")).last().unwrap();
            let places: Vec<f64> = line
                .split("points=\"")
                .nth(1)
                .unwrap()
                .split([' ', ',', '"'])
                .map_while(|it| it.parse().ok())
                .collect();
            let (left, right) = (places[0], places[2]);
            let texts = svg.split("<text").skip(2).map(|it| (attribute(it, "x"), it));
            let mut count = 0;
            for (x, element) in texts {
                let label = element.split(['>', '<']).nth(1).unwrap().trim();
                let Some((figure, unit)) = label.split_once(' ') else { continue };
                let unit = [("s", 1.0), ("min", 60.0), ("h", 3600.0), ("d", 86_400.0)]
                    .iter()
                    .find(|it| it.0 == unit)
                    .unwrap()
                    .1;
                let at = figure.parse::<f64>().unwrap() * unit;
                let expected = left + at / end_s * (right - left);
                assert!((x - expected).abs() <= 1.5, "{label} of {end_s} at {x}, not {expected}");
                count += 1;
            }
            assert!(count >= 3, "{count} of {end_s}: {svg}");
        }
    }

    #[test]
    fn no_value_whatever_keeps_the_picture_from_being_drawn() {
        let (nan, infinite, least) = (f64::NAN, f64::INFINITY, f64::from_bits(1));
        for values in [
            &[1e308][..],
            &[-1e308, 1e308],
            &[f64::MAX, 0.0],
            &[nan],
            &[nan, 1.0, nan],
            &[infinite, -infinite],
            &[least],
            &[2.0, 2.0, 2.0],
        ] {
            for end_s in [10.0, 0.0, -1.0, least, 1e308, infinite, nan] {
                for limit in [None, Some(0.0), Some(1e308), Some(infinite), Some(nan)] {
                    let point = |(place, &value): (usize, &f64)| Point {
                        x_s: place as f64,
                        min: value,
                        mean: value,
                        max: value,
                    };
                    let mut panel = panel(limit, &[]);
                    panel.series[0].1 = values.iter().enumerate().map(point).collect();
                    let svg = Chart { panels: vec![panel.clone(), panel], end_s }.svg(&[]).unwrap();
                    assert!(svg.trim_end().ends_with("</svg>"), "{values:?} {end_s} {limit:?}");
                }
            }
        }
    }

    #[test]
    fn curves_are_drawn_whatever_their_axes_and_points_are() {
        let (nan, infinite) = (f64::NAN, f64::INFINITY);
        for range in [(1.0, 100.0), (0.0, 1.0), (5.0, 5.0), (nan, 1.0), (1.0, infinite), (2.0, 1.0)]
        {
            for is_logarithmic in [false, true] {
                let axis = Axis { label: "<x>".to_owned(), range, is_logarithmic };
                let points = vec![(1.0, 2.0), (nan, 1.0), (0.0, -1.0), (1e308, infinite)];
                let line = Curve { colour: 0, points: points.clone(), is_dots: false };
                let dots = Curve { colour: 9, points, is_dots: true };
                let (x, y, all) = (axis.clone(), axis, vec![line, dots]);
                let marks = vec![Mark { x: nan, word: "a".to_owned() }];
                let labels = vec![Label { at: (nan, 1.0), word: "b".to_owned(), colour: 0 }];
                let svg = Curves { x, y, all, marks, labels, height: 200 }.svg().unwrap();
                assert!(svg.trim_end().ends_with("</svg>") && svg.contains("&lt;x&gt;"));
            }
        }
    }

    #[test]
    fn times_are_written_as_on_a_stopwatch() {
        for (seconds, text) in
            [(0.0, "0:00"), (240.0, "4:00"), (3600.0, "1:00 h"), (86_400.0, "24:00 h")]
        {
            assert_eq!(clock(seconds), text);
        }
    }
}
