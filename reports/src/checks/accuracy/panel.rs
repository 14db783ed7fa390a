//! Values over time beside their reference, or errors with their limit, as a panel of a chart.

use lastmeter_chart::{self as chart, Axis, BAD, Bin, Bins, Colour, Figures, REST};

/// One point of a curve: the values of a span of time.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Point {
    /// The mean time of its values, in seconds since the start.
    pub(super) x_s: f64,
    pub(super) min: f64,
    pub(super) mean: f64,
    pub(super) max: f64,
}

/// What a series of a [`Panel`] is, and with that how it is drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    /// Many series: a band from the smallest to the largest value.
    Others,
    /// What was true: a broad line.
    Reference,
    /// What was reported, or its error: a narrow line over it.
    Reported,
}

impl Role {
    pub(super) const fn colour(self) -> Colour {
        match self {
            Self::Others => REST,
            Self::Reference => Colour::of_curve(1),
            Self::Reported => Colour::of_curve(0),
        }
    }

    /// How broad its line is, and how dark its band.
    const fn look(self) -> (f64, f64) {
        match self {
            Self::Others => (1.0, 0.35),
            Self::Reference => (4.0, 0.2),
            Self::Reported => (1.8, 0.3),
        }
    }

    /// Where its lines go: of a band along both its edges, so that a narrow one is seen.
    fn lines(self) -> &'static [fn(&Point) -> f64] {
        match self {
            Self::Others => &[|point| point.min, |point| point.max],
            Self::Reference | Self::Reported => &[|point| point.mean],
        }
    }
}

/// Series over time on one axis.
#[derive(Clone, Debug)]
pub(super) struct Panel {
    /// What the vertical axis shows, with its unit.
    pub(super) label: String,
    /// In order of time each; later ones lie over earlier ones.
    pub(super) series: Vec<(Role, Vec<Point>)>,
    /// Of errors, whose axis has zero in the middle: lines at plus and minus this, if they fit
    /// into the picture; infinite if there is no limit.
    pub(super) limit: Option<f64>,
    /// In units of the picture.
    pub(super) height: f64,
}

/// A band so many times as far from zero as the curves over it is cut.
const CUT_FROM: f64 = 3.0;

impl Panel {
    /// The smallest and the largest value of all.
    pub(super) fn ends(&self) -> (f64, f64) {
        self.ends_of(|_| true)
    }

    fn ends_of(&self, is_meant: impl Fn(Role) -> bool) -> (f64, f64) {
        let series = self.series.iter().filter(|(role, _)| is_meant(*role));
        let points = series.flat_map(|(_, points)| points);
        // A minimum or a maximum passes over NaN.
        points.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), point| {
            (low.min(point.min), high.max(point.max))
        })
    }

    /// Whether the limit's lines are in the picture: not where they would flatten the curves.
    pub(super) fn shows_limit(&self) -> bool {
        let (low, high) = self.ends();
        let reach = low.abs().max(high.abs());
        self.limit
            .is_some_and(|limit| limit.is_finite() && reach.is_finite() && limit <= 8.0 * reach)
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
    pub(super) fn is_cut(&self) -> bool {
        self.shown_ends() != self.ends()
    }

    /// The vertical axis: of errors around zero, of values as near as shows that they move, but a
    /// steady one as steady.
    fn axis(&self) -> Axis {
        let (low, high) = self.shown_ends();
        let (low, high) = if low <= high { (low, high) } else { (0.0, 0.0) };
        let (from, to) = if self.limit.is_some() {
            let shown = self.limit.filter(|_| self.shows_limit()).unwrap_or(0.0);
            let reach = 1.15 * low.abs().max(high.abs()).max(shown);
            (-reach, reach)
        } else {
            let room = (0.08 * (high - low)).max(0.005 * low.abs().max(high.abs()));
            (low - room, high + room)
        };
        // Exact agreement still needs an axis.
        let (from, to) = if to > from { (from, to) } else { (-1.0, 1.0) };
        Axis::linear(from, to, Figures::Plain).named(&*self.label)
    }

    /// The panel as it is drawn, up to the end of the run.
    pub(super) fn drawn(&self, end_s: f64) -> chart::Panel {
        let mut panel = chart::Panel::new(Axis::time(end_s), self.axis(), self.height);
        for limit in self.limit.filter(|_| self.shows_limit()).into_iter().flat_map(|it| [it, -it])
        {
            panel.rule(limit, "", BAD, "6 4");
        }
        for (role, points) in &self.series {
            let (colour, (broad, dark)) = (role.colour(), role.look());
            for points in unbroken(points) {
                let edges: Vec<_> = points.iter().map(|it| (it.x_s, it.min, it.max)).collect();
                panel.band(&edges, colour, dark);
                for value in role.lines() {
                    panel.line(points.iter().map(|it| (it.x_s, value(it))), colour, broad);
                }
            }
        }
        panel
    }
}

pub(super) fn points(bins: &Bins) -> Vec<Point> {
    let point = |(_, bin): (f64, Bin)| Point {
        x_s: bin.at_s(),
        min: bin.min,
        mean: bin.mean(),
        max: bin.max,
    };
    bins.iter().map(point).collect()
}

/// The stretches of a curve: it is torn where values are missing, or came at another pace.
fn unbroken(points: &[Point]) -> impl Iterator<Item = &[Point]> {
    let gap = |one: &Point, next: &Point| next.x_s - one.x_s;
    let mut gaps: Vec<f64> = points.windows(2).map(|pair| gap(&pair[0], &pair[1])).collect();
    gaps.sort_by(f64::total_cmp);
    let usual = gaps.get(gaps.len() / 2).copied().unwrap_or(0.0);
    points.chunk_by(move |one, next| gap(one, next) <= 1.6 * usual)
}

#[cfg(test)]
mod tests {
    use lastmeter_chart::Chart;

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
        Panel { label: "<error> in %".to_owned(), series, limit, height: 130.0 }
    }

    fn svg(panel: &Panel) -> String {
        Chart::new("<a>").with_panel(panel.drawn(10.0)).svg()
    }

    #[test]
    fn pictures_escape_their_texts_and_have_the_limit() {
        let svg = svg(&panel(Some(1.0), &[0.0, 1.0, 2.0]));
        assert!(svg.contains("aria-label=\"&lt;a&gt;\"") && svg.contains("&lt;error&gt; in %"));
        assert!(
            svg.contains(&Role::Reported.colour().to_string()) && svg.contains(&BAD.to_string())
        );
    }

    #[test]
    fn limits_far_away_are_left_out_so_that_the_curve_is_seen() {
        assert!(!panel(Some(100.0), &[1.0]).shows_limit());
        assert!(!svg(&panel(Some(100.0), &[1.0])).contains(&BAD.to_string()));
        assert!(panel(Some(5.0), &[1.0]).shows_limit());
        assert!(!panel(None, &[1.0]).shows_limit());
    }

    /// A meter that counts little among large ones is seen, and dips of the others are.
    #[test]
    fn bands_are_cut_where_they_would_flatten_the_curve_over_them() {
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
    fn curves_are_torn_where_values_are_missing() {
        let point = |x_s: f64| Point { x_s, min: 0.0, mean: 0.0, max: 0.0 };
        let points = [0.0, 10.0, 20.0, 30.0, 50.0, 60.0, 120.0].map(point);
        let lengths: Vec<usize> = unbroken(&points).map(<[Point]>::len).collect();
        assert_eq!(lengths, [4, 2, 1]);
        assert_eq!(unbroken(&points[..1]).count(), 1);
        assert_eq!(unbroken(&[]).count(), 0);
    }

    #[test]
    fn no_value_keeps_the_picture_from_being_drawn() {
        let (nan, infinite, least) = (f64::NAN, f64::INFINITY, f64::from_bits(1));
        for values in [
            &[][..],
            &[1e308],
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
                    let drawn = panel(limit, values).drawn(end_s);
                    let svg = Chart::new("").with_panel(drawn.clone()).with_panel(drawn).svg();
                    let is_whole = svg.ends_with("</svg>\n") && !svg.contains("NaN");
                    assert!(is_whole, "{values:?} {end_s} {limit:?}");
                }
            }
        }
    }
}
