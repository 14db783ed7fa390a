//! Curves as SVG. The only place that knows the plotting library.
//!
//! Colours are fixed words of [`PALETTE`]: a file by itself is light, and the page maps the same
//! words to its theme, so one picture serves light, dark and print.

mod curves;

use plotters::prelude::*;

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

/// The size of a picture in pixels; it scales.
const SIZE: (u32, u32) = (560, 236);

/// One point of a curve: what a span of time holds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Point {
    /// The middle of the span, in seconds since the start.
    pub(crate) x_s: f64,
    /// The smallest value.
    pub(crate) min: f64,
    /// The mean.
    pub(crate) mean: f64,
    /// The largest value.
    pub(crate) max: f64,
}

impl Point {
    /// The point as the library may get it, its time in another unit: clamped, along time to the
    /// axis (its pixels overflow far beyond), and `None` if there is a NaN in it.
    fn drawn(&self, unit_s: f64, end: f64) -> Option<Self> {
        let clamp = |value: f64| value.clamp(-DRAWN_MAX, DRAWN_MAX);
        let point = Self {
            x_s: (self.x_s / unit_s).clamp(0.0, end),
            min: clamp(self.min),
            mean: clamp(self.mean),
            max: clamp(self.max),
        };
        let values = [point.x_s, point.min, point.mean, point.max];
        values.iter().all(|value| !value.is_nan()).then_some(point)
    }
}

/// One curve: the mean as a line, from smallest to largest as a band.
#[derive(Clone, Debug)]
pub(crate) struct Series {
    /// Place in [`PALETTE`].
    pub(crate) colour: usize,
    /// In order of time.
    pub(crate) points: Vec<Point>,
}

/// Curves over time with a symmetric limit.
#[derive(Clone, Debug)]
pub(crate) struct Chart {
    /// What the vertical axis shows, with its unit.
    pub(crate) y_label: String,
    /// The curves.
    pub(crate) series: Vec<Series>,
    /// Lines at plus and minus this, if they fit into the picture.
    pub(crate) limit: Option<f64>,
    /// The end of the horizontal axis in seconds since the start.
    pub(crate) end_s: f64,
}

impl Chart {
    /// The largest absolute value of the curves.
    pub(crate) fn reach(&self) -> f64 {
        let points = self.series.iter().flat_map(|series| &series.points);
        points
            .filter_map(|point| point.drawn(1.0, DRAWN_MAX))
            .map(|point| point.min.abs().max(point.max.abs()))
            .fold(0.0, f64::max)
    }

    /// Whether the limit's lines are in the picture: not where they would flatten the curves.
    pub(crate) fn shows_limit(&self) -> bool {
        self.limit.is_some_and(|limit| limit <= (8.0 * self.reach()).min(DRAWN_MAX))
    }

    /// The picture.
    pub(crate) fn svg(&self) -> Result<String, PlotError> {
        let mut svg = String::new();
        self.draw(&mut svg).map_err(|error| PlotError(error.to_string()))?;
        Ok(svg)
    }

    fn draw(&self, svg: &mut String) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
        let shown = if self.shows_limit() { self.limit } else { None };
        let reach = self.reach().max(shown.unwrap_or(0.0));
        // Exact agreement still needs an axis.
        let reach = if reach > 0.0 { (reach * 1.15).max(DRAWN_MIN) } else { 1.0 };
        let (unit_s, unit) = time_unit(self.end_s);
        let end = (self.end_s / unit_s).clamp(DRAWN_MIN, DRAWN_MAX);
        // A clamped NaN is still NaN.
        let end = if end.is_nan() { 1.0 } else { end };
        let area = SVGBackend::with_string(svg, SIZE).into_drawing_area();
        let mut chart = ChartBuilder::on(&area)
            .margin(8)
            .margin_right(26)
            .x_label_area_size(30)
            .y_label_area_size(70)
            .build_cartesian_2d(0.0..end, -reach..reach)
            .map_err(text)?;
        let label = (FONT, 13).into_font().color(&INK);
        chart
            .configure_mesh()
            .disable_x_mesh()
            .light_line_style(TRANSPARENT)
            .bold_line_style(LINE)
            .axis_style(LINE)
            .label_style(label)
            .axis_desc_style((FONT, 13).into_font().color(&INK))
            .y_desc(self.y_label.clone())
            .x_labels(6)
            .y_labels(5)
            .x_label_formatter(&|time| format!("{} {unit}", lastmeter_text::number(*time)))
            .y_label_formatter(&|value| axis_figure(*value, reach))
            .draw()
            .map_err(text)?;
        for limit in shown.into_iter().flat_map(|limit| [limit, -limit]) {
            let line = [(0.0, limit), (end, limit)];
            let series = DashedLineSeries::new(line, 6, 4, LIMIT.stroke_width(1));
            chart.draw_series(series).map_err(text)?;
        }
        for series in &self.series {
            let colour = PALETTE[series.colour % PALETTE.len()];
            let points: Vec<Point> =
                series.points.iter().filter_map(|point| point.drawn(unit_s, end)).collect();
            let upper = points.iter().map(|point| (point.x_s, point.max));
            let lower = points.iter().rev().map(|point| (point.x_s, point.min));
            let band: Vec<(f64, f64)> = upper.chain(lower).collect();
            chart.draw_series([Polygon::new(band, colour.mix(0.18))]).map_err(text)?;
            let mean = points.iter().map(|point| (point.x_s, point.mean));
            chart.draw_series(LineSeries::new(mean, colour.stroke_width(2))).map_err(text)?;
        }
        drop(chart);
        area.present().map_err(text)?;
        Ok(())
    }
}

/// The unit in which the time axis has round figures.
fn time_unit(end_s: f64) -> (f64, &'static str) {
    match end_s {
        7_200.0.. => (3_600.0, "h"),
        120.0.. => (60.0, "min"),
        _ => (1.0, "s"),
    }
}

/// A figure at the axis; the library's steps do not quite meet zero.
fn axis_figure(value: f64, reach: f64) -> String {
    lastmeter_text::number(if value.abs() < reach * 1e-9 { 0.0 } else { value })
}

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

    fn chart(limit: Option<f64>, means: &[f64]) -> Chart {
        let point = |(place, &mean): (usize, &f64)| Point {
            x_s: place as f64,
            min: mean - 0.5,
            mean,
            max: mean + 0.5,
        };
        let points = means.iter().enumerate().map(point).collect();
        let series = vec![Series { colour: 0, points }];
        Chart { y_label: "<error> in %".to_owned(), series, limit, end_s: 10.0 }
    }

    #[test]
    fn a_picture_is_an_svg_that_escapes_its_texts() {
        let svg = chart(Some(1.0), &[0.0, 1.0, 2.0]).svg().unwrap();
        assert!(svg.starts_with("<svg") && svg.trim_end().ends_with("</svg>"));
        assert!(svg.contains("&lt;error&gt; in %"));
        assert!(svg.contains("#205EA6") && svg.contains("#AF3029"));
    }

    #[test]
    fn a_limit_far_away_is_left_out_so_that_the_curve_is_seen() {
        assert!(!chart(Some(100.0), &[1.0]).shows_limit());
        assert!(!chart(Some(100.0), &[1.0]).svg().unwrap().contains("#AF3029"));
        assert!(chart(Some(5.0), &[1.0]).shows_limit());
        assert!(!chart(None, &[1.0]).shows_limit());
    }

    #[test]
    fn nothing_or_no_error_at_all_can_still_be_drawn() {
        let mut flat = chart(Some(1.0), &[]);
        assert!(flat.svg().is_ok());
        flat.series[0].points = vec![Point { x_s: 0.0, min: 0.0, mean: 0.0, max: 0.0 }];
        assert!(flat.svg().is_ok());
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
                    let mut chart = chart(limit, &[]);
                    chart.series[0].points = values.iter().enumerate().map(point).collect();
                    chart.end_s = end_s;
                    let svg = chart.svg().unwrap();
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
