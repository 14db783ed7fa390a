//! What is constant from instant to instant: the shape of everything that flows in pipes.
//!
//! Each piece has the same number of values, in SI units. The integrals up to the beginning of each
//! piece are kept, so that registers and means cost two look-ups, however long the course is.

use lastmeter_units::{Formation, SimDuration};

use crate::truth::ReferenceSpan;

/// Values of some columns, constant from each instant to the next; the last ones stay.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Course<const COLUMNS: usize> {
    /// When each piece begins, the first at zero, in rising order.
    begins: Vec<SimDuration>,
    values: Vec<[f64; COLUMNS]>,
    /// Integrals over time from zero to each beginning, in the values' units times seconds.
    integrals: Vec<[f64; COLUMNS]>,
}

impl<const COLUMNS: usize> Course<COLUMNS> {
    /// The values from zero on.
    pub(crate) fn new(first: [f64; COLUMNS]) -> Self {
        Self {
            begins: vec![SimDuration::ZERO],
            values: vec![first],
            integrals: vec![[0.0; COLUMNS]],
        }
    }

    /// Other values from an instant on, which is not before the last one.
    pub(crate) fn push(&mut self, begin: SimDuration, values: [f64; COLUMNS]) {
        let last = self.begins.len() - 1;
        if self.values[last] == values {
            return;
        }
        if begin <= self.begins[last] {
            self.values[last] = values;
            return;
        }
        self.integrals.push(std::array::from_fn(|column| self.until(column, begin)));
        self.begins.push(begin);
        self.values.push(values);
    }

    /// The values at an instant, where they change those that begin, and when they change next.
    pub(crate) fn at(&self, at: SimDuration) -> (&[f64; COLUMNS], Option<SimDuration>) {
        let next = self.begins.partition_point(|&begin| begin <= at).max(1);
        (&self.values[next - 1], self.begins.get(next).copied())
    }

    /// The values just before an instant; at zero the first.
    pub(crate) fn before(&self, at: SimDuration) -> &[f64; COLUMNS] {
        &self.values[self.index_before(at)]
    }

    /// The truth of a column over the span of a reading, formed as its quantity requires. `None` of
    /// a mean over an empty span, and of a register that stood at zero only later.
    pub(crate) fn truth(
        &self,
        column: usize,
        formation: Formation,
        span: ReferenceSpan,
    ) -> Option<f64> {
        let ReferenceSpan { from, to, registers_from } = span;
        match formation {
            Formation::Mean => self.mean(column, from, to),
            Formation::Register => {
                (registers_from <= to).then(|| self.integral(column, registers_from, to))
            }
            Formation::Last => Some(self.before(to)[column]),
            Formation::Interval => None,
        }
    }

    /// The integral of a column over a span that does not end before it begins.
    pub(crate) fn integral(&self, column: usize, from: SimDuration, to: SimDuration) -> f64 {
        if self.index_before(from) == self.index_before(to) {
            return self.before(to)[column] * seconds(to, from);
        }
        self.until(column, to) - self.until(column, from)
    }

    /// The mean of a column over a span; `None` if that is empty.
    pub(crate) fn mean(&self, column: usize, from: SimDuration, to: SimDuration) -> Option<f64> {
        (from < to).then(|| self.integral(column, from, to) / seconds(to, from))
    }

    fn index_before(&self, at: SimDuration) -> usize {
        self.begins.partition_point(|&begin| begin < at).saturating_sub(1)
    }

    /// The integral from zero to an instant.
    fn until(&self, column: usize, at: SimDuration) -> f64 {
        let index = self.index_before(at);
        self.integrals[index][column] + self.values[index][column] * seconds(at, self.begins[index])
    }
}

fn seconds(to: SimDuration, from: SimDuration) -> f64 {
    (to - from).as_seconds_f64()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn s(seconds: i64) -> SimDuration {
        SimDuration::from_seconds(seconds)
    }

    #[test]
    fn a_value_holds_from_its_beginning_to_the_next() {
        let mut course = Course::new([2.0]);
        course.push(s(10), [5.0]);
        course.push(s(20), [5.0]);
        course.push(s(30), [0.0]);
        assert_eq!(course.at(s(9)), (&[2.0], Some(s(10))));
        assert_eq!(course.at(s(10)), (&[5.0], Some(s(30))));
        assert_eq!(course.at(s(99)), (&[0.0], None));
        assert_eq!((course.before(s(0)), course.before(s(10))), (&[2.0], &[2.0]));
        assert_eq!(course.before(s(30)), &[5.0]);
        // 10 s at 2, 20 s at 5.
        assert_eq!(course.integral(0, s(0), s(40)), 120.0);
        assert_eq!(course.mean(0, s(5), s(15)), Some(3.5));
        assert_eq!(course.mean(0, s(5), s(5)), None);
    }

    proptest! {
        #[test]
        fn an_integral_is_the_sum_over_its_seconds(
            values in prop::collection::vec(0_i32..1000, 1..40),
            from in 0_i64..60,
            length in 0_i64..60,
        ) {
            let mut course = Course::new([f64::from(values[0])]);
            for (at, value) in values.iter().enumerate() {
                course.push(s(at as i64), [f64::from(*value)]);
            }
            let at = |second: i64| values[(second as usize).min(values.len() - 1)];
            let sum: i32 = (from..from + length).map(at).sum();
            prop_assert_eq!(course.integral(0, s(from), s(from + length)), f64::from(sum));
        }
    }
}
