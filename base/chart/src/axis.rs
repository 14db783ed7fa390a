//! Axes: where a value stands, from 0 to 1 of a length, and which figures stand there.
//!
//! The plotting library steps along an axis in floating point and never ends where a range is
//! infinite, NaN or empty. It never sees one: all it gets are places from 0 to 1.

use lastmeter_text::{apart, number};
use plotters::coord::ranged1d::{DefaultFormatting, KeyPointHint, Ranged};

use crate::ticks::{decade_step, drawn_end, time_ticks};

/// What the figures at an axis mean.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Figures {
    /// Nanoseconds, written with the unit that suits.
    Nanoseconds,
    /// Shares, written in percent.
    Percent,
    /// Plain numbers, whose unit is in the name of the axis.
    Plain,
    /// In this unit, written with the prefix that suits.
    Prefixed(&'static str),
}

/// An axis: which values there are, and where.
#[derive(Clone, Debug)]
pub struct Axis {
    /// What it shows, with its unit if the figures have none; may be empty.
    pub name: String,
    from: f64,
    to: f64,
    figures: Figures,
    scale: Scale,
}

#[derive(Clone, Debug)]
enum Scale {
    Linear,
    Logarithmic,
    /// Seconds from 0, at the round times of a clock.
    Time,
    /// Shares of a population, stretched towards 1: equal lengths are equal ratios of the rest.
    Percentiles,
    /// One scale up to a place, and another one beyond it.
    Broken(Box<[Axis; 2]>),
    /// Names, each with a field of length 1.
    Categories(Vec<String>),
    /// Figures at given values.
    Marked(Vec<(f64, String)>),
    /// Without figures.
    Bare,
}

/// A place on an axis, from 0 to 1, and what is written there.
pub(crate) type Tick = (f64, String);

/// Nothing is drawn further out than this, in either direction.
const DRAWN_MAX: f64 = 1e300;
/// No shorter positive value is on a logarithmic axis, and none is shorter.
const DRAWN_MIN: f64 = 1e-300;
/// The share of a broken axis before its break.
const BREAK: f64 = 0.7;
/// A logarithmic axis with more decades than these has no lines between them.
const DECADES_MAX: f64 = 12.0;
/// The shares that have a figure on an axis of percentiles.
const PERCENTILES: [f64; 9] = [0.0, 0.5, 0.9, 0.97, 0.99, 0.999, 0.9999, 0.999_99, 0.999_999];

fn finite(value: f64) -> f64 {
    if value.is_nan() { 0.0 } else { value.clamp(-DRAWN_MAX, DRAWN_MAX) }
}

fn nines(share: f64) -> f64 {
    -libm::log10((1.0 - share).max(1e-12))
}

impl Axis {
    fn new(from: f64, to: f64, figures: Figures, scale: Scale) -> Self {
        Self { name: String::new(), from, to, figures, scale }
    }

    /// From `from` to `to` as they are.
    #[must_use]
    pub fn linear(from: f64, to: f64, figures: Figures) -> Self {
        let (from, to) = (finite(from), finite(to));
        // Wide enough that its steps are numbers of their own.
        let least = (1e-12 * from.abs()).max(DRAWN_MIN);
        let to = if to - from > least { to } else { from + from.abs().max(1.0) };
        Self::new(from, to, figures, Scale::Linear)
    }

    /// Around these values with a little room; without any from 0 to 1.
    #[must_use]
    pub fn around(values: impl IntoIterator<Item = f64>, figures: Figures) -> Self {
        let finite = values.into_iter().filter(|value| value.is_finite());
        let (low, high) = finite.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| {
            (low.min(value), high.max(value))
        });
        let (low, high) = if low <= high { (low, high) } else { (0.0, 1.0) };
        let room = 0.05 * (high - low).max(1e-9 * high.abs().max(1.0));
        Self::linear(low - room, high + room, figures)
    }

    /// As far below zero as above, with a little room.
    #[must_use]
    pub fn symmetric(reaches: impl IntoIterator<Item = f64>, figures: Figures) -> Self {
        let reaches = reaches.into_iter().map(f64::abs).filter(|reach| reach.is_finite());
        let reach = 1.12 * reaches.fold(1e-9, f64::max);
        Self::linear(-reach, reach, figures)
    }

    /// Logarithmic, of positive values.
    #[must_use]
    pub fn logarithmic(from: f64, to: f64, figures: Figures) -> Self {
        let from = finite(from).max(DRAWN_MIN);
        Self::new(from, finite(to).max(from * 1.5), figures, Scale::Logarithmic)
    }

    /// Logarithmic, with a little room beyond both values.
    #[must_use]
    pub fn logarithmic_around(from: f64, to: f64, figures: Figures) -> Self {
        let axis = Self::logarithmic(from, to, figures);
        let room = libm::pow(axis.to / axis.from, 0.035);
        Self::logarithmic(axis.from / room, axis.to * room, figures)
    }

    /// Seconds since the start, to the end.
    #[must_use]
    pub fn time(end_s: f64) -> Self {
        Self::new(0.0, drawn_end(end_s), Figures::Plain, Scale::Time)
    }

    /// Shares of a population up to this one, stretched towards 1.
    #[must_use]
    pub fn percentiles(last: f64) -> Self {
        let last = if last.is_nan() { 0.9 } else { last.clamp(0.9, 1.0) };
        Self::new(0.0, last, Figures::Percent, Scale::Percentiles)
    }

    /// Linear from `from` to `at`, and from there logarithmic to `to`.
    #[must_use]
    pub fn broken(from: f64, at: f64, to: f64, figures: Figures) -> Self {
        let near = Self::linear(from, at, figures);
        let far = Self::logarithmic(near.to, to, figures);
        Self::new(near.from, far.to, figures, Scale::Broken(Box::new([near, far])))
    }

    /// One field for each name: the first from 0 to 1, with its figure in the middle.
    #[must_use]
    pub fn categories(names: impl IntoIterator<Item = impl Into<String>>) -> Self {
        let names: Vec<String> = names.into_iter().map(Into::into).collect();
        let to = names.len().max(1) as f64;
        Self::new(0.0, to, Figures::Plain, Scale::Categories(names))
    }

    /// From 0 to `to`, with these figures at these values, such as local times of day.
    #[must_use]
    pub fn marked(to: f64, figures: impl IntoIterator<Item = (f64, String)>) -> Self {
        let marks = figures.into_iter().filter(|(at, _)| at.is_finite()).collect();
        Self::new(0.0, drawn_end(to), Figures::Plain, Scale::Marked(marks))
    }

    /// From 0 to 1, without figures.
    #[must_use]
    pub fn bare() -> Self {
        Self::new(0.0, 1.0, Figures::Plain, Scale::Bare)
    }

    /// The axis with this name.
    #[must_use]
    pub fn named(self, name: impl Into<String>) -> Self {
        Self { name: name.into(), ..self }
    }

    /// Whether equal distances are equal ratios.
    #[must_use]
    pub const fn is_logarithmic(&self) -> bool {
        matches!(self.scale, Scale::Logarithmic)
    }

    pub(crate) const fn has_categories(&self) -> bool {
        matches!(self.scale, Scale::Categories(_))
    }

    pub(crate) const fn has_equal_steps(&self) -> bool {
        matches!(self.scale, Scale::Linear | Scale::Time)
    }

    pub(crate) const fn is_bare(&self) -> bool {
        matches!(self.scale, Scale::Bare)
    }

    /// Where a broken axis breaks, from 0 to 1.
    pub(crate) fn break_at(&self) -> Option<f64> {
        matches!(self.scale, Scale::Broken(_)).then_some(BREAK)
    }

    /// Whether a value is on the axis.
    #[must_use]
    pub fn holds(&self, value: f64) -> bool {
        value >= self.from && value <= self.to
    }

    /// Where a value is, from 0 to 1; what is beyond an end is at that end, NaN is nowhere.
    #[must_use]
    pub fn place(&self, value: f64) -> Option<f64> {
        if value.is_nan() {
            return None;
        }
        let share = match &self.scale {
            Scale::Logarithmic => {
                libm::log10(value.max(self.from) / self.from) / libm::log10(self.to / self.from)
            }
            Scale::Percentiles => nines(value) / nines(self.to),
            Scale::Broken(parts) => {
                let [near, far] = parts.each_ref().map(|part| part.place(value).unwrap_or(0.0));
                BREAK * near + (1.0 - BREAK) * far
            }
            _ => (value - self.from) / (self.to - self.from),
        };
        Some(if share.is_nan() { 1.0 } else { share.clamp(0.0, 1.0) })
    }

    /// At most so many places worth a line, each with its figure.
    pub(crate) fn ticks(&self, most: usize) -> Vec<Tick> {
        let most = most.max(2);
        match &self.scale {
            Scale::Time => {
                let ticks = time_ticks(self.to, most as u32 - 1).into_iter();
                ticks.filter_map(|(at, text)| Some((self.place(at)?, text))).collect()
            }
            Scale::Linear => self.written(self.steps(most), self.to),
            Scale::Logarithmic => {
                let lists = [&[1.0, 2.0, 5.0][..], &[1.0]].map(|parts| self.multiples(parts));
                let [fine, decades] = lists;
                if fine.len() < 2 {
                    return self.written(self.steps(most), self.to);
                }
                let chosen = if fine.len() <= most { fine } else { decades };
                let every = chosen.len().div_ceil(most).max(1);
                let chosen = chosen.into_iter().step_by(every);
                chosen.flat_map(|value| self.written(vec![value], value)).collect()
            }
            Scale::Percentiles => {
                let is_coarse = nines(self.to) > 3.2;
                let own = PERCENTILES.into_iter().filter(|share| nines(*share) <= nines(self.to));
                let own: Vec<f64> = own.filter(|share| *share != 0.97 || !is_coarse).collect();
                let every = own.len().div_ceil(most).max(1);
                self.written(own.into_iter().step_by(every).collect(), 1.0)
            }
            Scale::Broken(parts) => {
                let [near, far] = parts.as_ref();
                let near =
                    near.ticks(most * 2 / 3).into_iter().map(|(at, text)| (BREAK * at, text));
                let far = far.ticks(most / 3).into_iter();
                near.chain(far.map(|(at, text)| (BREAK + (1.0 - BREAK) * at, text))).collect()
            }
            Scale::Categories(names) => {
                let every = names.len().div_ceil(most).max(1);
                let named = names.iter().enumerate().step_by(every);
                named.map(|(at, name)| ((at as f64 + 0.5) / self.to, name.clone())).collect()
            }
            Scale::Marked(marks) => {
                let every = marks.len().div_ceil(most).max(1);
                let figures = marks.iter().filter(|(at, _)| self.holds(*at)).step_by(every);
                figures.filter_map(|(at, text)| Some((self.place(*at)?, text.clone()))).collect()
            }
            Scale::Bare => Vec::new(),
        }
    }

    /// Lines between those with a figure: the multiples within decades.
    pub(crate) fn fine_lines(&self) -> Vec<f64> {
        let decades = libm::log10(self.to / self.from);
        if !self.is_logarithmic() || decades > DECADES_MAX {
            return Vec::new();
        }
        let all = self.multiples(&[2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0]);
        all.into_iter().filter_map(|value| self.place(value)).collect()
    }

    /// Decades times these parts, as far as they are on the axis.
    fn multiples(&self, parts: &[f64]) -> Vec<f64> {
        let first = libm::floor(libm::log10(self.from) + 1e-9) as i32;
        let last = libm::ceil(libm::log10(self.to)) as i32;
        let all = (first..=last)
            .flat_map(|decade| parts.iter().map(move |part| part * libm::exp10(f64::from(decade))));
        let (from, to) = (self.from * 0.999_999, self.to * 1.000_001);
        all.filter(|value| (from..=to).contains(value)).collect()
    }

    /// Round values of at most so many equal steps.
    fn steps(&self, most: usize) -> Vec<f64> {
        let step = decade_step((self.to - self.from) / (most - 1) as f64);
        // What a picture loses to rounding is less than a pixel.
        let slack = (self.to - self.from) * 1e-9;
        let first = libm::ceil((self.from - slack) / step);
        let all = (0..=most).map(|place| (first + place as f64) * step);
        let all = all.map(|value| if value.abs() < step * 1e-9 { 0.0 } else { value });
        all.take_while(|value| *value <= self.to + slack).collect()
    }

    /// Values with their figures, in the unit that suits `size`.
    fn written(&self, values: Vec<f64>, size: f64) -> Vec<Tick> {
        let step = values.windows(2).map(|pair| pair[1] - pair[0]).fold(f64::INFINITY, f64::min);
        let text = |value: f64| match self.figures {
            Figures::Nanoseconds => {
                // Decades of minutes are no round figures.
                let size = if self.is_logarithmic() { size.min(1e9) } else { size };
                let (unit, name) = nanoseconds_unit(size);
                format!("{} {name}", number(value / unit))
            }
            Figures::Percent => format!("{} %", number(100.0 * value)),
            // Neighbours differ, however narrow the axis is.
            Figures::Plain if step.is_finite() => apart(value, value + step).0,
            Figures::Plain => number(value),
            Figures::Prefixed(unit) => prefixed(value, unit),
        };
        values.into_iter().filter_map(|it| Some((self.place(it)?, text(it)))).collect()
    }
}

/// A value with the prefix that suits it: `2 kA`.
fn prefixed(value: f64, unit: &str) -> String {
    const PREFIXES: [(f64, &str); 6] =
        [(1e6, "M"), (1e3, "k"), (1.0, ""), (1e-3, "m"), (1e-6, "µ"), (1e-9, "n")];
    let known = PREFIXES.into_iter().find(|(factor, _)| value.abs() * 1.000_5 >= *factor);
    let (factor, prefix) = known.unwrap_or((1.0, ""));
    format!("{} {prefix}{unit}", number(value / factor))
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

/// The lines of an axis as the plotting library takes them, in places from 0 to 1.
pub(crate) struct Ruled {
    pub(crate) with_figure: Vec<f64>,
    pub(crate) fine: Vec<f64>,
}

impl Ranged for Ruled {
    type FormatOption = DefaultFormatting;
    type ValueType = f64;

    fn map(&self, value: &f64, (from, to): (i32, i32)) -> i32 {
        from + (value * f64::from(to - from)).round() as i32
    }

    fn key_points<Hint: KeyPointHint>(&self, hint: Hint) -> Vec<f64> {
        let is_fine = hint.weight().allow_light_points();
        if is_fine { self.fine.clone() } else { self.with_figure.clone() }
    }

    fn range(&self) -> std::ops::Range<f64> {
        0.0..1.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(axis: &Axis, most: usize) -> Vec<String> {
        axis.ticks(most).into_iter().map(|tick| tick.1).collect()
    }

    #[test]
    fn logarithmic_axes_have_round_figures_with_units() {
        let axis = Axis::logarithmic(99e6, 3.4e9, Figures::Nanoseconds);
        assert_eq!(labels(&axis, 6), ["100 ms", "200 ms", "500 ms", "1 s", "2 s"]);
        let wide = Axis::logarithmic_around(42e3, 7_200e9, Figures::Nanoseconds);
        let decades =
            ["100 µs", "1 ms", "10 ms", "100 ms", "1 s", "10 s", "100 s", "1000 s", "10000 s"];
        assert_eq!(labels(&wide, 9), decades);
        assert_eq!(labels(&wide, 5), ["100 µs", "10 ms", "1 s", "100 s", "10000 s"]);
        let current = Axis::logarithmic(0.01, 2000.0, Figures::Prefixed("A"));
        assert_eq!(labels(&current, 6), ["10 mA", "100 mA", "1 A", "10 A", "100 A", "1 kA"]);
        // Half-way in ratio between both ends.
        let axis = Axis::logarithmic(1e6, 1e8, Figures::Nanoseconds);
        assert!((axis.place(1e7).unwrap() - 0.5).abs() < 1e-12);
        assert!(axis.holds(1e6) && axis.holds(1e8) && !axis.holds(8e5));
        // No decade is on it.
        let narrow = Axis::logarithmic(310.0, 480.0, Figures::Plain);
        assert_eq!(labels(&narrow, 5), ["350", "400", "450"]);
    }

    #[test]
    fn each_decade_has_a_figure_and_its_multiples_have_lines() {
        let axis = Axis::logarithmic(10.0, 1e5, Figures::Plain);
        assert_eq!(labels(&axis, 6), ["10", "100", "1000", "10000", "100000"]);
        assert_eq!(axis.fine_lines().len(), 4 * 8);
        assert!(Axis::logarithmic(1e-300, 1e300, Figures::Plain).fine_lines().is_empty());
    }

    #[test]
    fn linear_axes_have_a_handful_of_round_figures() {
        let axis = Axis::linear(0.0, 226e6, Figures::Nanoseconds);
        assert_eq!(labels(&axis, 7), ["0 ms", "50 ms", "100 ms", "150 ms", "200 ms"]);
        let axis = Axis::time(600.0);
        assert_eq!(labels(&axis, 7), ["0 min", "2 min", "4 min", "6 min", "8 min", "10 min"]);
        assert_eq!(axis.place(150.0), Some(0.25));
        assert_eq!((axis.place(-1.0), axis.place(1e9)), (Some(0.0), Some(1.0)));
        let axis = Axis::linear(229.98, 230.03, Figures::Plain);
        assert_eq!(labels(&axis, 4), ["229.98", "230", "230.02"]);
    }

    #[test]
    fn broken_axes_go_on_with_another_scale() {
        let axis = Axis::broken(0.0, 200e6, 2e9, Figures::Nanoseconds);
        assert_eq!(labels(&axis, 6), ["0 ms", "100 ms", "200 ms", "1 s"]);
        assert_eq!(axis.place(100e6), Some(0.35));
        assert_eq!((axis.place(200e6), axis.place(3e9)), (Some(0.7), Some(1.0)));
    }

    #[test]
    fn no_range_keeps_an_axis_from_its_few_ticks() {
        let values = [0.0, -1.0, 1e-300, 1e308, f64::INFINITY, f64::NEG_INFINITY, f64::NAN];
        let all = [Figures::Nanoseconds, Figures::Percent, Figures::Plain, Figures::Prefixed("A")];
        for (from, to) in values.iter().flat_map(|from| values.map(|to| (*from, to))) {
            for figures in all {
                for axis in [
                    Axis::linear(from, to, figures),
                    Axis::logarithmic_around(from, to, figures),
                    Axis::broken(from, to, to, figures),
                    Axis::around([from, to], figures),
                    Axis::symmetric([from, to], figures),
                    Axis::percentiles(from),
                    Axis::time(to),
                ] {
                    assert!(axis.ticks(7).len() <= 8 && axis.fine_lines().len() <= 120, "{axis:?}");
                    let mut places = axis.ticks(7).into_iter().map(|it| it.0).collect::<Vec<_>>();
                    places.extend(values.iter().filter_map(|value| axis.place(*value)));
                    assert!(
                        places.iter().all(|it| (0.0..=1.0).contains(it)),
                        "{axis:?} {places:?}"
                    );
                }
            }
        }
    }
}
