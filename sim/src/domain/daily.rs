//! Daily courses: named profiles by the hour of the day, steps, and times at which something else
//! holds: nothing flows, or a window is open.
//!
//! Shares are of the peak, made up for the purpose: they stand for no measured building. The clock
//! is UTC, as everywhere in a scenario.

use std::collections::BTreeSet;

use lastmeter_params::{Code, Diagnostics, Dimension, Field, Kind, Values};
use lastmeter_units::{SimDuration, SimTime};

use crate::injection::quantity;

const HOUR_NS: i64 = 3_600_000_000_000;
const DAY_NS: i64 = 24 * HOUR_NS;

/// The most steps that a course is made of.
const STEPS_MAX: i64 = 1_000_000;

/// A day by its hours, relative to the peak.
#[derive(Debug)]
pub(crate) struct Profile {
    pub(crate) word: &'static str,
    shares: [f64; 24],
}

/// The same all day.
pub(crate) const STEADY: Profile = Profile { word: "steady", shares: [1.0; 24] };

/// The profile of a word; the first stands for what is not there, which reading has reported.
pub(crate) fn profile(profiles: &'static [Profile], word: &str) -> &'static Profile {
    profiles.iter().find(|profile| profile.word == word).unwrap_or(&profiles[0])
}

impl Profile {
    pub(crate) const fn new(word: &'static str, shares: [f64; 24]) -> Self {
        Self { word, shares }
    }

    pub(crate) fn share(&self, at: SimTime) -> f64 {
        let hour = at.as_nanoseconds().rem_euclid(DAY_NS) / HOUR_NS;
        self.shares[hour as usize]
    }
}

const TIMES: [Field; 2] = [
    Field::required(
        "at",
        quantity(Dimension::Time, 0.0, 86_399.0),
        "When it begins, since midnight UTC",
    ),
    Field::required("for", quantity(Dimension::Time, 1.0, 86_400.0), "How long it lasts"),
];

/// A time of every day.
pub(crate) const TIMES_TABLE: Kind = Kind::Table(&TIMES);

/// The key of the times at which nothing flows.
pub(crate) const OFF_TIMES: Field = Field::default(
    "off",
    Kind::List(&TIMES_TABLE),
    "[]",
    "Times of every day at which nothing flows, such as `[{ at = \"1 h\", for = \"30 min\" }]`",
);

/// The key of the length of a step.
pub(crate) const fn step(default: &'static str) -> Field {
    Field::default(
        "step",
        quantity(Dimension::Time, 1.0, 86_400.0),
        default,
        "How long a drawn state stays; steps begin at the scenario's start",
    )
}

/// A stretch of a course in which nothing changes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Piece {
    pub(crate) begin: SimDuration,
    pub(crate) step: usize,
    /// Whether it lies in one of the times of the course.
    pub(crate) is_within: bool,
}

/// The steps of a course with its times of every day.
#[derive(Debug)]
pub(crate) struct Daily {
    start: SimTime,
    step: SimDuration,
    pub(crate) steps: usize,
    /// Beginning since midnight and length.
    times: Vec<(SimDuration, SimDuration)>,
}

impl Daily {
    /// The steps that a scenario of a length needs, with the keys `step` and that of its times.
    pub(crate) fn read(
        (values, times): (&Values, &str),
        (start, duration): (SimTime, SimDuration),
        diagnostics: &mut Diagnostics,
    ) -> Option<Self> {
        let step = values.duration("step");
        let steps = duration.0.max(0) / step.0.max(1) + 1;
        if steps > STEPS_MAX {
            let message = format!("{steps} steps are needed, of which there may be {STEPS_MAX}");
            let label = "write a longer step";
            diagnostics.report(Code::OUT_OF_RANGE, values.span_of("step"), message, label);
            return None;
        }
        let times = values.tables(times).into_iter();
        let times = times.map(|table| (table.duration("at"), table.duration("for"))).collect();
        Some(Self { start, step, steps: steps as usize, times })
    }

    pub(crate) fn begin(&self, step: usize) -> SimTime {
        self.start + SimDuration(self.step.0.saturating_mul(step as i64))
    }

    /// The pieces in their order: a step, cut where one of its times begins or ends.
    pub(crate) fn pieces(&self) -> Vec<Piece> {
        let end = self.step.0.saturating_mul(self.steps as i64);
        let mut begins: BTreeSet<i64> =
            (0..self.steps as i64).map(|step| step * self.step.0).collect();
        let since_midnight = self.start.as_nanoseconds().rem_euclid(DAY_NS);
        for &(at, length) in &self.times {
            // A time that began the day before may last into the first.
            let mut begin = at.0 - since_midnight - DAY_NS;
            while begin < end {
                let borders = [begin, begin + length.0].into_iter();
                begins.extend(borders.filter(|border| (0..end).contains(border)));
                begin += DAY_NS;
            }
        }
        let piece = |begin: i64| Piece {
            begin: SimDuration(begin),
            step: (begin / self.step.0) as usize,
            is_within: self.is_within(since_midnight + begin),
        };
        begins.into_iter().map(piece).collect()
    }

    fn is_within(&self, since_midnight: i64) -> bool {
        let inside = |&(at, length): &(SimDuration, SimDuration)| {
            (since_midnight - at.0).rem_euclid(DAY_NS) < length.0
        };
        self.times.iter().any(inside)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn s(seconds: i64) -> SimDuration {
        SimDuration::from_seconds(seconds)
    }

    #[test]
    fn a_step_is_cut_where_nothing_flows_any_more() {
        // Starts at 23:50, with nothing from 23:55 to 00:05.
        let start = SimTime(0) + s(23 * 3600 + 50 * 60);
        let daily =
            Daily { start, step: s(600), steps: 3, times: vec![(s(23 * 3600 + 3300), s(600))] };
        let found: Vec<_> = daily.pieces().iter().map(|p| (p.begin, p.step, p.is_within)).collect();
        assert_eq!(
            found,
            [
                (s(0), 0, false),
                (s(300), 0, true),
                (s(600), 1, true),
                (s(900), 1, false),
                (s(1200), 2, false),
            ]
        );
    }

    #[test]
    fn a_share_is_that_of_its_hour() {
        let mut shares = [0.0; 24];
        shares[7] = 0.5;
        let profile = Profile::new("p", shares);
        let at = |seconds: i64| profile.share(SimTime(0) + s(86_400 + seconds));
        assert_eq!([at(7 * 3600 - 1), at(7 * 3600), at(8 * 3600)], [0.0, 0.5, 0.0]);
    }
}
