//! What a register counted over stretches of time, without estimates.
//!
//! Terms: a *step* is what lies between two consecutive readings. It belongs to the stretch in
//! which it ends, as long as no reading is missing in it. One that is longer than two and a half
//! reporting periods and ends in another stretch than it began is a *gap*: of it the total is
//! known, of no stretch a part. A register that falls was restarted or exchanged: what it counted
//! meanwhile is not known.

use lastmeter_units::{SimDuration, SimTime};

use super::rollup::Summary;
use crate::calendar::Stretch;

/// One reading of a register.
pub type Reading = (SimTime, f64);

/// What a register counted in one stretch.
#[derive(Clone, Debug, PartialEq)]
pub struct Counted {
    /// Which one.
    pub stretch: Stretch,
    /// The sum of its steps; `None` without any.
    pub value: Option<f64>,
}

/// Time of which no stretch knows its part.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Gap {
    /// The instant of the reading before it.
    pub from: SimTime,
    /// The instant of the reading after it.
    pub until: SimTime,
    /// What was counted in all; `None` where the register fell.
    pub total: Option<f64>,
}

/// What a register counted.
#[derive(Clone, Debug, PartialEq)]
pub struct Energy {
    /// By stretch.
    pub counted: Vec<Counted>,
    /// What belongs to none.
    pub gaps: Vec<Gap>,
    /// The sum of the stretches and of the gaps within them.
    pub total: Option<f64>,
    /// The last reading.
    pub last: Option<Reading>,
}

/// How many periods without a reading are no gap.
const PERIODS: f64 = 2.5;

/// Whether a time without readings is a gap for a device that reports so often.
pub fn is_gap(step: SimDuration, period: SimDuration) -> bool {
    step.as_seconds_f64() > PERIODS * period.as_seconds_f64()
}

/// The readings of a register of which summaries are left, in the order of time: the first and the
/// last of each, and where it fell in between.
pub fn readings<'a>(summaries: impl IntoIterator<Item = &'a Summary>) -> Vec<Reading> {
    let mut readings: Vec<Reading> = Vec::new();
    for summary in summaries {
        readings.push(summary.first);
        if summary.min.total_cmp(&summary.first.1).is_lt() {
            // It was restarted within the bucket, after its first reading.
            readings.push((summary.first.0, summary.min));
        }
        if summary.n > 1 {
            readings.push(summary.last);
        }
    }
    readings
}

/// Sums up readings, in the order of time, of which the first may be from before the stretches.
/// The stretches follow each other.
pub fn counted(readings: &[Reading], stretches: &[Stretch], period: SimDuration) -> Energy {
    let mut energy = Energy {
        counted: stretches.iter().map(|&stretch| Counted { stretch, value: None }).collect(),
        gaps: Vec::new(),
        total: None,
        last: readings.last().copied(),
    };
    let is_within = |from: SimTime, until: SimTime| {
        let ends = stretches.first().zip(stretches.last());
        ends.is_some_and(|(first, last)| first.from <= from && until <= last.until)
    };
    // What is before all of them is in none.
    let place = |at: SimTime| {
        let is_before = stretches.first().is_some_and(|first| at < first.from);
        let next = stretches.partition_point(|stretch| stretch.until <= at);
        if is_before { usize::MAX } else { next }
    };
    for pair in readings.windows(2) {
        let [(from, before), (until, after)] = [pair[0], pair[1]];
        let step = after - before;
        if step < 0.0 {
            energy.gaps.push(Gap { from, until, total: None });
            continue;
        }
        // A reading at the border closes what lies before it.
        let end = place(SimTime(until.0.saturating_sub(1)));
        if is_gap(until.since(from), period) && place(from) != end {
            energy.gaps.push(Gap { from, until, total: Some(step) });
            // Of one that goes over an end nobody knows what belongs here.
            if !is_within(from, until) {
                continue;
            }
        } else if let Some(of) = energy.counted.get_mut(end) {
            of.value = Some(of.value.unwrap_or_default() + step);
        } else {
            continue;
        }
        energy.total = Some(energy.total.unwrap_or_default() + step);
    }
    energy
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(minutes: i64) -> SimTime {
        SimTime(minutes * 60_000_000_000)
    }

    fn hours(number: i64) -> Vec<Stretch> {
        (0..number).map(|n| Stretch { from: at(60 * n), until: at(60 * (n + 1)) }).collect()
    }

    const PERIOD: SimDuration = SimDuration::from_seconds(900);

    fn values(energy: &Energy) -> Vec<Option<f64>> {
        energy.counted.iter().map(|one| one.value).collect()
    }

    #[test]
    fn steps_belong_to_the_stretch_in_which_they_end() {
        let readings: Vec<Reading> = (-1..=8).map(|n| (at(15 * n), 0.25 * n as f64)).collect();
        let energy = counted(&readings, &hours(2), PERIOD);
        assert_eq!(values(&energy), [Some(1.0), Some(1.0)]);
        assert_eq!((energy.total, energy.gaps.len()), (Some(2.25 - 0.25), 0));
        assert_eq!(energy.last, Some((at(120), 2.0)));
    }

    #[test]
    fn a_gap_over_a_border_is_a_total_and_no_spike() {
        let readings = [(at(0), 10.0), (at(15), 10.5), (at(150), 12.4), (at(165), 12.5)];
        let energy = counted(&readings, &hours(3), PERIOD);
        assert_eq!(values(&energy)[0], Some(0.5));
        assert_eq!(values(&energy)[1], None);
        assert!((values(&energy)[2].unwrap() - 0.1).abs() < 1e-12);
        let [gap] = energy.gaps[..] else { panic!("{energy:?}") };
        assert_eq!((gap.from, gap.until), (at(15), at(150)));
        assert!((gap.total.unwrap() - 1.9).abs() < 1e-12);
        // The sum of parts and gaps is the register's difference.
        assert!((energy.total.unwrap() - 2.5).abs() < 1e-12);
    }

    #[test]
    fn a_long_step_within_a_stretch_is_counted_there_and_a_fall_is_not() {
        let readings = [(at(2), 5.0), (at(58), 6.0), (at(65), 0.0), (at(70), 0.5)];
        let energy = counted(&readings, &hours(2), PERIOD);
        assert_eq!(values(&energy), [Some(1.0), Some(0.5)]);
        assert_eq!(energy.gaps, [Gap { from: at(58), until: at(65), total: None }]);
        assert_eq!(energy.total, Some(1.5));
        let over_the_end = [(at(-60), 1.0), (at(30), 2.0), (at(45), 2.5)];
        let energy = counted(&over_the_end, &hours(1), PERIOD);
        assert_eq!((energy.total, energy.gaps.len()), (Some(0.5), 1));
        assert_eq!(counted(&[], &hours(1), PERIOD).total, None);
    }
}
