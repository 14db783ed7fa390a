//! The errors of a meter of an accuracy class: a table by load point, what a kelvin and a change of
//! frequency add, and how they are drawn inside the limits of the class.
//!
//! Between the points of one angle an error is linear in the logarithm of the current, between
//! angles in the angle; beyond the last point or angle it stays what it is there. An error acts on
//! the active power of a phase and all that is added up from it; voltages, currents, reactive and
//! apparent power have none.
//!
//! Limits: IEC 62053-21:2003, tables 6 and 8 (classes 1 and 2, connected directly), and IEC
//! 62053-22:2003, tables 4 and 6 (classes 0.2 S and 0.5 S). Those of the power factors 0.5
//! inductive and 0.8 capacitive hold for class 2 too, which the standard does not have for the
//! second. Drawn are points at the ends of the ranges of current, each with the narrower limit of
//! the two ranges that meet there: so everything between them is inside too.

use rand::Rng;

use crate::front_end::REFERENCE_C;
use crate::window::{MeasuredWindow, PHASES_MAX};

/// Angles by which the current lags, in degrees: power factors 1, 0.5 inductive, 0.8 capacitive.
const LAGS_DEG: [f64; 3] = [0.0, 60.0, -36.869_897_645_844_02];

/// What of its errors a meter has at all load points alike.
const COMMON_PART: f64 = 0.7;

/// The relative change of the frequency that the limit of a class is for.
const FREQUENCY_VARIATION: f64 = 0.02;

/// The limits of a class, relative.
#[derive(Clone, Copy, Debug)]
struct Class {
    word: &'static str,
    /// At unity power factor: where the lower range of current begins and ends, over the nominal
    /// current, and the limits below and above.
    unity: Range,
    /// The same at other power factors.
    other: Range,
    /// Per kelvin, at unity power factor.
    temperature: f64,
    /// For a change of the frequency by 2 %.
    frequency: f64,
}

#[derive(Clone, Copy, Debug)]
struct Range {
    from: f64,
    to: f64,
    low: f64,
    full: f64,
}

const fn range(from: f64, to: f64, low: f64, full: f64) -> Range {
    Range { from, to, low, full }
}

#[rustfmt::skip]
static CLASSES: [Class; 4] = [
    Class { word: "0.2S", unity: range(0.01, 0.05, 0.004, 0.002), other: range(0.02, 0.1, 0.005, 0.003), temperature: 1e-4, frequency: 1e-3 },
    Class { word: "0.5S", unity: range(0.01, 0.05, 0.010, 0.005), other: range(0.02, 0.1, 0.010, 0.006), temperature: 3e-4, frequency: 2e-3 },
    Class { word: "1", unity: range(0.05, 0.1, 0.015, 0.010), other: range(0.1, 0.2, 0.015, 0.010), temperature: 5e-4, frequency: 5e-3 },
    Class { word: "2", unity: range(0.05, 0.1, 0.025, 0.020), other: range(0.1, 0.2, 0.025, 0.020), temperature: 10e-4, frequency: 8e-3 },
];

/// The words of the classes.
pub(crate) const CLASS_WORDS: &[&str] = &["0.2S", "0.5S", "1", "2"];

/// An error at a load point, relative.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct ErrorPoint {
    pub(crate) current_a: f64,
    /// By how much the current lags the voltage.
    pub(crate) lag_deg: f64,
    pub(crate) error: f64,
}

/// What is drawn of one meter.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct DrawnErrors {
    pub(crate) points: Vec<ErrorPoint>,
    /// Relative, per kelvin.
    pub(crate) temperature: f64,
    /// Relative, per relative change of the frequency.
    pub(crate) frequency: f64,
}

/// Draws the errors of a meter of a class that uses at most this part of its limits; `None`: there
/// is no such class.
pub(crate) fn draw(
    class: &str,
    part: f64,
    (nominal_a, maximum_a): (f64, f64),
    random: &mut impl Rng,
) -> Option<DrawnErrors> {
    let class = CLASSES.iter().find(|known| known.word == class)?;
    let mut within = || 2.0 * rand::RngExt::random::<f64>(random) - 1.0;
    let common = COMMON_PART * within();
    let mut points = Vec::new();
    for lag_deg in LAGS_DEG {
        let Range { from, to, low, full } = if lag_deg == 0.0 { class.unity } else { class.other };
        let currents = [(from, low), (to, full), (1.0, full)];
        let ends = currents.map(|(share, limit)| (share * nominal_a, limit));
        let last = (maximum_a, full);
        for (current_a, limit) in ends.into_iter().chain((maximum_a > nominal_a).then_some(last)) {
            let error = part * limit * (common + (1.0 - COMMON_PART) * within());
            points.push(ErrorPoint { current_a, lag_deg, error });
        }
    }
    let temperature = part * class.temperature * within();
    let frequency = part * class.frequency / FREQUENCY_VARIATION * within();
    Some(DrawnErrors { points, temperature, frequency })
}

/// The errors of one meter.
#[derive(Clone, Debug)]
pub(crate) struct ClassErrors {
    /// Rising in the angle, and of each angle points that rise in the current.
    columns: Vec<(f64, Vec<ErrorPoint>)>,
    temperature: f64,
    frequency: f64,
    nominal_hz: f64,
    /// The ambient temperature, in degrees Celsius.
    pub(crate) celsius: f64,
}

impl ClassErrors {
    pub(crate) fn new(drawn: DrawnErrors, nominal_hz: f64) -> Self {
        let mut columns: Vec<(f64, Vec<ErrorPoint>)> = Vec::new();
        for point in drawn.points {
            match columns.iter_mut().find(|(lag, _)| *lag == point.lag_deg) {
                Some((_, points)) => points.push(point),
                None => columns.push((point.lag_deg, vec![point])),
            }
        }
        columns.sort_by(|a, b| a.0.total_cmp(&b.0));
        for (_, points) in &mut columns {
            points.sort_by(|a, b| a.current_a.total_cmp(&b.current_a));
        }
        let DrawnErrors { temperature, frequency, .. } = drawn;
        Self { columns, temperature, frequency, nominal_hz, celsius: REFERENCE_C }
    }

    /// The relative error at a load point, without what temperature and frequency add.
    pub(crate) fn at(&self, current_a: f64, lag_deg: f64) -> f64 {
        let of = |column: &(f64, Vec<ErrorPoint>)| {
            let axis = |point: &ErrorPoint| (point.current_a.ln(), point.error);
            let points: Vec<(f64, f64)> = column.1.iter().map(axis).collect();
            (column.0, interpolated(&points, current_a.max(f64::MIN_POSITIVE).ln()))
        };
        let columns: Vec<(f64, f64)> = self.columns.iter().map(of).collect();
        interpolated(&columns, lag_deg)
    }

    /// Lets the errors act on the active powers of a window.
    pub(crate) fn apply(&self, window: &mut MeasuredWindow) {
        let off = window.frequency_hz / self.nominal_hz - 1.0;
        let influences = self.temperature * (self.celsius - REFERENCE_C) + self.frequency * off;
        let mut factors = [1.0; PHASES_MAX];
        for (phase, factor) in window.phases.iter_mut().zip(&mut factors) {
            if phase.p_w == 0.0 {
                continue;
            }
            // An export at some angle is like an import at that angle.
            let lag = libm::atan(phase.q1_var / phase.p_w).to_degrees();
            *factor += self.at(phase.i_rms_a, lag) + influences;
            phase.p_w *= *factor;
        }
        if let Some(before) = &mut window.before_tick {
            for (power, factor) in before.p_more_w.iter_mut().zip(factors) {
                *power *= factor;
            }
        }
    }
}

/// The value at a place between points that rise in it; beyond them that of the nearest.
fn interpolated(points: &[(f64, f64)], at: f64) -> f64 {
    let after = points.partition_point(|(place, _)| *place <= at);
    match (after.checked_sub(1).map(|before| points[before]), points.get(after)) {
        (Some((_, value)), None) | (None, Some(&(_, value))) => value,
        (Some((from, first)), Some(&(to, second))) => {
            first + (second - first) * (at - from) / (to - from)
        }
        (None, None) => 0.0,
    }
}

#[cfg(test)]
mod tests {
    use lastmeter_sim::Streams;
    use proptest::prelude::*;

    use super::*;
    use crate::window::MeasuredPhase;

    /// The limits as the tables of the standards print them, in per cent.
    fn limit_percent(class: &str, share: f64, is_unity: bool) -> Option<f64> {
        let steps: &[(f64, f64)] = match (class, is_unity) {
            ("1", true) => &[(0.05, 1.5), (0.1, 1.0)],
            ("1", false) => &[(0.1, 1.5), (0.2, 1.0)],
            ("2", true) => &[(0.05, 2.5), (0.1, 2.0)],
            ("2", false) => &[(0.1, 2.5), (0.2, 2.0)],
            ("0.2S", true) => &[(0.01, 0.4), (0.05, 0.2)],
            ("0.2S", false) => &[(0.02, 0.5), (0.1, 0.3)],
            ("0.5S", true) => &[(0.01, 1.0), (0.05, 0.5)],
            _ => &[(0.02, 1.0), (0.1, 0.6)],
        };
        steps.iter().rev().find(|(from, _)| share >= *from).map(|(_, limit)| *limit)
    }

    proptest! {
        #[test]
        fn what_is_drawn_is_inside_its_class_everywhere(
            seed in 0_u64..10_000,
            class in proptest::sample::select(CLASS_WORDS),
            share in -4.6_f64..2.5,
        ) {
            let mut random = Streams::new(seed).stream("class");
            let drawn = draw(class, 1.0, (5.0, 60.0), &mut random).unwrap();
            let (temperature, frequency) = (drawn.temperature, drawn.frequency);
            let errors = ClassErrors::new(drawn, 50.0);
            let share = share.exp();
            for lag in LAGS_DEG {
                if let Some(limit) = limit_percent(class, share, lag == 0.0) {
                    let error = 100.0 * errors.at(5.0 * share, lag);
                    prop_assert!(error.abs() <= limit, "{class}, {share}, {lag}: {error}");
                }
            }
            let of_class = CLASSES.iter().find(|it| it.word == class).unwrap();
            prop_assert!(temperature.abs() <= of_class.temperature);
            prop_assert!(frequency.abs() * 0.02 <= of_class.frequency);
        }
    }

    /// Half of the meters of a class use more than a third of it, and both signs come.
    #[test]
    fn meters_of_a_class_differ() {
        let at_nominal = |seed| {
            let mut random = Streams::new(seed).stream("class");
            let drawn = draw("1", 0.9, (5.0, 60.0), &mut random).unwrap();
            ClassErrors::new(drawn, 50.0).at(5.0, 0.0)
        };
        let errors: Vec<f64> = (0..1000).map(at_nominal).collect();
        let beyond = errors.iter().filter(|error| error.abs() > 0.0033).count();
        assert!((400..750).contains(&beyond), "{beyond}");
        assert!((400..600).contains(&errors.iter().filter(|error| **error > 0.0).count()));
        assert_eq!(draw("3", 0.9, (5.0, 60.0), &mut Streams::new(1).stream("class")), None);
    }

    #[test]
    fn errors_lie_between_their_points_and_act_on_the_active_power() {
        let point = |current_a, lag_deg, error| ErrorPoint { current_a, lag_deg, error };
        let points = vec![point(10.0, 0.0, 0.02), point(1.0, 0.0, 0.01), point(1.0, 60.0, -0.01)];
        let drawn = DrawnErrors { points, temperature: 1e-3, frequency: 0.1 };
        let mut errors = ClassErrors::new(drawn, 50.0);
        for (current_a, lag_deg, expected) in [
            (1.0, 0.0, 0.01),
            (10.0_f64.sqrt(), 0.0, 0.015),
            (0.1, 0.0, 0.01),
            (99.0, -30.0, 0.02),
            (1.0, 30.0, 0.0),
            (10.0, 30.0, 0.005),
        ] {
            let found = errors.at(current_a, lag_deg);
            assert!((found - expected).abs() < 1e-12, "{current_a} A, {lag_deg}: {found}");
        }
        errors.celsius = 33.0;
        let phase = MeasuredPhase { i_rms_a: 10.0, p_w: -100.0, q1_var: 0.0, ..Default::default() };
        let mut window = MeasuredWindow { frequency_hz: 49.0, ..MeasuredWindow::default() };
        window.phases[0] = phase;
        errors.apply(&mut window);
        // 2 % of the load point, 10 K with 0.1 % each, and 2 % of frequency with a tenth of it.
        assert!((window.phases[0].p_w + 100.0 * (1.0 + 0.02 + 0.01 - 0.002)).abs() < 1e-9);
        assert_eq!(window.phases[1].p_w, 0.0);
    }
}
