//! Excerpts: what a computation hands over, and what is right about it.

use std::sync::Arc;

use lastmeter_units::SimDuration;

use crate::instant::Instant;

/// The shortest excerpt: changes of a terminal are given in whole nanoseconds.
const SHORTEST_S: f64 = 1e-9;

/// A computed waveform of a terminal over a window of time.
///
/// Between its instants the waveform is a straight line: that is its definition, so that its truth
/// is exact. On a jump the value is the mean of both sides.
#[derive(Clone, Debug, PartialEq)]
pub struct Excerpt {
    /// When it begins, since the scenario's start.
    pub from: SimDuration,
    /// When its values hold, seconds since `from`: the first 0, rising; two equal instants are a
    /// jump. It ends with the last.
    pub at_s: Arc<Vec<f64>>,
    /// Voltages, `[phase][instant]`, volts.
    pub voltages_v: Vec<Arc<Vec<f64>>>,
    /// Currents, likewise, amperes; positive towards the load.
    pub currents_a: Vec<Arc<Vec<f64>>>,
}

/// Why something is no excerpt. Instants count from 0.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum ExcerptError {
    /// It begins before the scenario.
    #[error("it begins at {0}; let it begin at the scenario's start or later")]
    Early(SimDuration),
    /// Neither one phase nor three, or voltages without currents.
    #[error("found {voltages} voltages and {currents} currents; give one of each or three")]
    Phases {
        /// Voltages found.
        voltages: usize,
        /// Currents found.
        currents: usize,
    },
    /// Fewer than two instants.
    #[error("found {0} instants; give two at least, its beginning and its end")]
    TooFew(usize),
    /// A channel has more or fewer values than there are instants.
    #[error("channel {channel} has {found} values; give {expected}, one for each instant")]
    Values {
        /// Its number, voltages first.
        channel: usize,
        /// Values found.
        found: usize,
        /// Instants.
        expected: usize,
    },
    /// An instant that is infinite or not a number.
    #[error("instant {0} is not a finite number")]
    Instant(usize),
    /// The first instant is not zero.
    #[error("the first instant is {0} s; instants count from the excerpt's beginning, give 0 s")]
    First(f64),
    /// An instant before the one ahead of it.
    #[error("instant {index} is {at_s} s, after {before_s} s; give instants in order of time")]
    Order {
        /// Its number.
        index: usize,
        /// The instant.
        at_s: f64,
        /// The one before it.
        before_s: f64,
    },
    /// Three equal instants.
    #[error("instants {index} and the two before it are all {at_s} s; a jump has two values")]
    Crowded {
        /// Number of the third.
        index: usize,
        /// The instant.
        at_s: f64,
    },
    /// A value that is infinite or not a number.
    #[error("channel {channel} is not a finite number at instant {index}")]
    NotFinite {
        /// Its number, voltages first.
        channel: usize,
        /// The instant's number.
        index: usize,
    },
    /// Nothing between its beginning and its end, or more than time has.
    #[error("it is {0} s long; give one nanosecond at least, and an end within 292 years")]
    Length(f64),
}

impl Excerpt {
    /// Whether it can be played: lengths, order, finite values.
    pub fn check(&self) -> Result<(), ExcerptError> {
        let (voltages, currents) = (self.voltages_v.len(), self.currents_a.len());
        if voltages != currents || !matches!(voltages, 1 | 3) {
            return Err(ExcerptError::Phases { voltages, currents });
        }
        if self.from < SimDuration::ZERO {
            return Err(ExcerptError::Early(self.from));
        }
        self.check_instants()?;
        for (channel, values) in self.channels().enumerate() {
            let (found, expected) = (values.len(), self.at_s.len());
            if found != expected {
                return Err(ExcerptError::Values { channel, found, expected });
            }
            if let Some(index) = values.iter().position(|value| !value.is_finite()) {
                return Err(ExcerptError::NotFinite { channel, index });
            }
        }
        Ok(())
    }

    fn check_instants(&self) -> Result<(), ExcerptError> {
        let [first, _, ..] = self.at_s[..] else {
            return Err(ExcerptError::TooFew(self.at_s.len()));
        };
        if let Some(bad) = self.at_s.iter().position(|at_s| !at_s.is_finite()) {
            return Err(ExcerptError::Instant(bad));
        }
        if first != 0.0 {
            return Err(ExcerptError::First(first));
        }
        for (index, pair) in self.at_s.windows(2).enumerate() {
            if pair[1] < pair[0] {
                let (before_s, at_s) = (pair[0], pair[1]);
                return Err(ExcerptError::Order { index: index + 1, at_s, before_s });
            }
        }
        if let Some(index) = self.at_s.windows(3).position(|three| three[0] == three[2]) {
            return Err(ExcerptError::Crowded { index: index + 2, at_s: self.at_s[index] });
        }
        let length_s = self.length_s();
        let most_s = (i64::MAX - self.from.0) as f64 / 1e9;
        // The end of all time itself is no instant at which anything could go on.
        if length_s < SHORTEST_S || length_s >= 0.999 * most_s {
            return Err(ExcerptError::Length(length_s));
        }
        Ok(())
    }

    pub(crate) fn length_s(&self) -> f64 {
        self.at_s.last().copied().unwrap_or_default()
    }

    pub(crate) fn begin(&self) -> Instant {
        Instant::from(self.from)
    }

    /// Its end; one that is a whole nanosecond but for rounding is that.
    pub(crate) fn end(&self) -> Instant {
        let end = self.begin().plus_seconds(self.length_s());
        let whole = Instant::from(end.rounded());
        if whole.seconds_since(end).abs() <= end.nearness_s() { whole } else { end }
    }

    /// The values of all channels, voltages first.
    pub(crate) fn channels(&self) -> impl Iterator<Item = &Arc<Vec<f64>>> {
        self.voltages_v.iter().chain(&self.currents_a)
    }

    /// The line, by the number of the instant it begins with, that an instant lies on; on a border
    /// the later one.
    pub(crate) fn line_at(&self, at_s: f64) -> usize {
        let begun = self.at_s.partition_point(|begin_s| *begin_s <= at_s);
        begun.saturating_sub(1).min(self.at_s.len().saturating_sub(2))
    }

    /// What of a line lies between two instants; `None` if there is no length of it.
    pub(crate) fn clip(&self, line: usize, from_s: f64, to_s: f64) -> Option<(f64, f64)> {
        let clipped = (self.at_s[line].max(from_s), self.at_s[line + 1].min(to_s));
        (clipped.0 < clipped.1).then_some(clipped)
    }

    /// A channel's value on a line that has a length.
    pub(crate) fn on_line(&self, values: &[f64], line: usize, at_s: f64) -> f64 {
        let (from_s, to_s) = (self.at_s[line], self.at_s[line + 1]);
        let (from, to) = (values[line], values[line + 1]);
        // At its ends it is what was given, to the last bit.
        if at_s <= from_s {
            from
        } else if at_s >= to_s {
            to
        } else {
            from + (to - from) * ((at_s - from_s) / (to_s - from_s))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ramp(at_s: &[f64]) -> Excerpt {
        let values = vec![Arc::new(at_s.to_vec())];
        Excerpt {
            from: SimDuration::from_seconds(1),
            at_s: Arc::new(at_s.to_vec()),
            voltages_v: values.clone(),
            currents_a: values,
        }
    }

    #[test]
    fn what_cannot_be_played_is_named() {
        let of = |at_s: &[f64]| ramp(at_s).check().unwrap_err();
        assert_eq!(ramp(&[0.0, 0.1, 0.1, 0.3]).check(), Ok(()));
        assert_eq!(of(&[]), ExcerptError::TooFew(0));
        assert_eq!(of(&[0.0]), ExcerptError::TooFew(1));
        assert_eq!(of(&[0.0, f64::NAN]), ExcerptError::Instant(1));
        assert_eq!(of(&[0.1, 0.2]), ExcerptError::First(0.1));
        let order = ExcerptError::Order { index: 2, at_s: 0.1, before_s: 0.2 };
        assert_eq!(of(&[0.0, 0.2, 0.1]), order);
        let crowded = ExcerptError::Crowded { index: 3, at_s: 0.1 };
        assert_eq!(of(&[0.0, 0.1, 0.1, 0.1, 0.2]), crowded);
        assert_eq!(of(&[0.0, 0.0]), ExcerptError::Length(0.0));
        assert_eq!(of(&[0.0, 1e300]), ExcerptError::Length(1e300));
        let early = Excerpt { from: SimDuration(-1), ..ramp(&[0.0, 0.1]) };
        assert_eq!(early.check(), Err(ExcerptError::Early(SimDuration(-1))));
        let mut two = ramp(&[0.0, 0.1]);
        two.voltages_v.push(Arc::new(vec![0.0; 2]));
        let found = ExcerptError::Phases { voltages: 2, currents: 1 };
        assert_eq!(two.check(), Err(found));
        let mut short = ramp(&[0.0, 0.1]);
        Arc::make_mut(&mut short.currents_a[0]).pop();
        let found = ExcerptError::Values { channel: 1, found: 1, expected: 2 };
        assert_eq!(short.check(), Err(found));
        let mut endless = ramp(&[0.0, 0.1]);
        Arc::make_mut(&mut endless.currents_a[0])[1] = f64::INFINITY;
        assert_eq!(endless.check(), Err(ExcerptError::NotFinite { channel: 1, index: 1 }));
        let text = order.to_string();
        assert_eq!(text, "instant 2 is 0.1 s, after 0.2 s; give instants in order of time");
    }

    #[test]
    fn an_end_next_to_a_nanosecond_is_that_nanosecond() {
        // 0.07 * 1e9 is 70000000.00000001.
        assert_eq!(ramp(&[0.0, 0.07]).end(), Instant::new(1_070_000_000, 0.0));
        let end = ramp(&[0.0, 0.5e-3 + 0.25e-9]).end();
        assert_eq!(end.ns, 1_000_500_000);
        assert!((end.part - 0.25).abs() < 1e-9);
    }
}
