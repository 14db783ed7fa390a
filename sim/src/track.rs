//! A parameter that is set at instants, at once or along a straight line.

use lastmeter_units::SimDuration;

use crate::instant::Instant;

/// A piece of a track: the value at an instant, and how it goes on.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Line {
    pub(crate) since: Instant,
    pub(crate) value: f64,
    pub(crate) per_s: f64,
}

/// A value over time: constant, or straight from one value to another.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Track {
    /// All of it, in order of time.
    pub(crate) lines: Vec<Line>,
    /// What the value will be when the last line has come to its end, if nothing else is given.
    pub(crate) target: f64,
}

impl Line {
    pub(crate) fn at(&self, at: Instant) -> f64 {
        // A constant is exactly that, however far away.
        if self.per_s == 0.0 {
            return self.value;
        }
        self.value + self.per_s * at.seconds_since(self.since)
    }
}

impl Track {
    pub(crate) fn new(value: f64) -> Self {
        let start = Line { since: Instant::default(), value, per_s: 0.0 };
        Self { lines: vec![start], target: value }
    }

    /// From an instant on the value goes to another, straight in a time, at once if that is zero.
    /// To be called in order of time; what was still on its way is left there.
    pub(crate) fn go(&mut self, at: Instant, to: f64, over: SimDuration) {
        let now = self.line_at(at).at(at);
        self.lines.retain(|line| line.since < at);
        if over > SimDuration::ZERO {
            let per_s = (to - now) / over.as_seconds_f64();
            self.lines.push(Line { since: at, value: now, per_s });
            let end = Instant::new(at.ns.saturating_add(over.0), at.part);
            self.lines.push(Line { since: end, value: to, per_s: 0.0 });
        } else {
            self.lines.push(Line { since: at, value: to, per_s: 0.0 });
        }
        self.target = to;
    }

    pub(crate) fn line_at(&self, at: Instant) -> Line {
        let later = self.lines.partition_point(|line| line.since <= at);
        self.lines[later.saturating_sub(1)]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_on_its_way_is_left_there() {
        let at = |ns: i64| Instant::new(ns, 0.0);
        let mut track = Track::new(1.0);
        track.go(at(1_000_000_000), 3.0, SimDuration::from_seconds(2));
        assert_eq!(track.target, 3.0);
        track.go(at(2_000_000_000), 0.0, SimDuration::ZERO);
        let value = |ns: i64| track.line_at(at(ns)).at(at(ns));
        assert_eq!([0, 999_999_999].map(value), [1.0, 1.0]);
        assert_eq!([1_000_000_000, 1_500_000_000].map(value), [1.0, 1.5]);
        assert_eq!([2_000_000_000, 5_000_000_000].map(value), [0.0, 0.0]);
        assert_eq!(track.lines.len(), 3);
    }
}
