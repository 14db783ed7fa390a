//! The sampling rate of time stamps, and how regular they are.
//!
//! Terms: the *median step* decides what a regular step is; the rate is one over the mean of the
//! regular steps, so that stamps rounded to whole microseconds (65, 65, 66, ... at 15,360 Hz) do
//! not give a rate that is wrong by half a unit. Steps that differ from the median by more than 1 %
//! and by more than one unit of the stamps' resolution are irregular: counted and noted, never
//! repaired. Time is in whole picoseconds, so that nothing here rounds.

use std::collections::BTreeMap;

use crate::recording::Recording;

pub(crate) const PICOSECONDS_PER_SECOND: f64 = 1e12;

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Rate {
    pub(crate) hz: f64,
    /// A sentence about the irregular steps, if there are any.
    pub(crate) note: Option<String>,
    /// Whether they show samples that are missing, of a clock that stood still or went back, or
    /// are more than one in a hundred; else it was a clock that was set right.
    pub(crate) is_damage: bool,
}

impl Rate {
    /// Notes the irregular steps.
    pub(crate) fn report(self, recording: &mut Recording) {
        match self.note {
            Some(note) if self.is_damage => recording.note_damage(None, note),
            note => recording.notes.extend(note),
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NoRate {
    TooFew,
    NotAdvancing,
}

/// Different steps that are counted one by one.
const STEPS_MAX: usize = 1 << 17;

/// Steps that are counted together: all equal, unless there are too many different ones.
#[derive(Clone, Copy, Debug)]
struct Bin {
    count: u64,
    sum: i128,
    /// The shortest and the longest step, and where each was first.
    shortest: (i128, u64),
    longest: (i128, u64),
}

impl Bin {
    fn merge(&mut self, other: &Self) {
        self.count += other.count;
        self.sum += other.sum;
        self.shortest = self.shortest.min(other.shortest);
        // Of equal steps the first counts.
        if (other.longest.0, self.longest.1) > (self.longest.0, other.longest.1) {
            self.longest = other.longest;
        }
    }

    /// The step, or the mean of steps that are counted together.
    fn step(&self) -> i128 {
        self.sum / i128::from(self.count.max(1))
    }
}

/// The steps between stamps, counted by their length.
///
/// Memory is bounded: beyond [`STEPS_MAX`] different steps, neighbouring ones are counted
/// together, in powers of two of a picosecond. Then the median is the mean of its neighbourhood,
/// which is narrower than the range of the steps divided by [`STEPS_MAX`] / 2.
#[derive(Clone, Debug, Default)]
pub(crate) struct Steps {
    bins: BTreeMap<i128, Bin>,
    /// Steps are counted together that differ only in so many lowest bits.
    shift: u32,
    count: u64,
    last_ps: Option<i64>,
    /// Steps that are all equal, not yet in a bin: the rule.
    run: Option<Bin>,
}

impl Steps {
    pub(crate) fn take(&mut self, stamp_ps: i64) {
        let Some(last_ps) = self.last_ps.replace(stamp_ps) else { return };
        let step = i128::from(stamp_ps) - i128::from(last_ps);
        let index = self.count;
        self.count += 1;
        match &mut self.run {
            Some(run) if run.shortest.0 == step => {
                run.count += 1;
                run.sum += step;
            }
            run => {
                let at = (step, index);
                let begun = Bin { count: 1, sum: step, shortest: at, longest: at };
                let ended = run.replace(begun);
                self.count_in(ended);
            }
        }
    }

    fn count_in(&mut self, run: Option<Bin>) {
        let Some(run) = run else { return };
        let key = run.shortest.0 >> self.shift;
        self.bins.entry(key).and_modify(|bin| bin.merge(&run)).or_insert(run);
        while self.bins.len() > STEPS_MAX {
            self.shift += 1;
            let mut coarser: BTreeMap<i128, Bin> = BTreeMap::new();
            for (key, bin) in std::mem::take(&mut self.bins) {
                coarser.entry(key >> 1).and_modify(|of| of.merge(&bin)).or_insert(bin);
            }
            self.bins = coarser;
        }
    }

    /// The rate of the stamps, which are `resolution_ps` fine.
    pub(crate) fn rate(&mut self, resolution_ps: i64) -> Result<Rate, NoRate> {
        let run = self.run.take();
        self.count_in(run);
        let median = self.median().ok_or(NoRate::TooFew)?;
        if median <= 0 {
            return Err(NoRate::NotAdvancing);
        }
        let resolution = i128::from(resolution_ps);
        // Rounding moves a step by up to one unit; but where a step is one unit, two are a lost
        // row.
        let tolerance = (median / 100).max(if median >= 2 * resolution { resolution } else { 0 });
        let regular = |step: i128| step > 0 && (step - median).abs() <= tolerance;
        let (mut count, mut sum) = (0_u64, 0_i128);
        let mut worst: Option<(u64, i128)> = None;
        let mut is_damage = false;
        for bin in self.bins.values() {
            if regular(bin.step()) {
                count += bin.count;
                sum += bin.sum;
                continue;
            }
            is_damage |= bin.shortest.0 <= 0 || 2 * bin.longest.0 >= 3 * median;
            for (step, index) in [bin.shortest, bin.longest] {
                let by = (step - median).abs();
                let worse = worst.is_none_or(|(first, of)| {
                    let most = (of - median).abs();
                    by > most || (by == most && index < first)
                });
                if worse {
                    worst = Some((index, step));
                }
            }
        }
        let rate_hz = PICOSECONDS_PER_SECOND * count as f64 / sum as f64;
        let note = worst.map(|(index, step)| {
            // Whole samples that are not there: what spans the place is no measurement.
            let missing = (step + median / 2) / median - 1;
            let hole = if missing > 0 {
                format!(
                    "; by the stamps {missing} {} missing there, and values of windows that span \
                     the place are wrong: cut the recording in two",
                    if missing == 1 { "is" } else { "are" }
                )
            } else {
                String::new()
            };
            format!(
                "{} of {} time steps are irregular; the worst is {} us instead of {} us, between \
                 samples {} and {} (counted from 1); the samples are taken as evenly spaced{hole}",
                self.count - count,
                self.count,
                step as f64 / 1e6,
                median as f64 / 1e6,
                index + 1,
                index + 2,
            )
        });
        let is_damage = is_damage || (self.count - count) * 100 > self.count;
        Ok(Rate { hz: rate_hz, note, is_damage })
    }

    /// The step in the middle of all steps in order.
    fn median(&self) -> Option<i128> {
        let mut below = 0;
        let middle = self.count / 2;
        let holds = |bin: &&Bin| {
            below += bin.count;
            below > middle
        };
        self.bins.values().find(holds).map(Bin::step)
    }
}

/// Two steps that take turns, as of channels that were read one after the other: what no rate can
/// stand for, and what a median would hide.
#[derive(Clone, Debug, Default)]
pub(crate) struct Alternation {
    last_ps: Option<i64>,
    /// The last two steps, the later one last.
    steps: [i128; 2],
    count: u64,
    /// Steps that were as the last but one, and not as the last.
    turns: u64,
    /// Where the first of the present run of these began.
    line: Option<u64>,
    /// Where the longest such run began, how long it is, and its steps.
    longest: (u64, u64, [i128; 2]),
}

impl Alternation {
    pub(crate) fn take(&mut self, stamp_ps: i64, line: u64) {
        let Some(last_ps) = self.last_ps.replace(stamp_ps) else { return };
        let step = i128::from(stamp_ps) - i128::from(last_ps);
        let [before, last] = self.steps;
        let near = |a: i128, b: i128| (a - b).abs() * 100 <= a.abs();
        if self.count >= 2 && near(step, before) && !near(step, last) {
            // The run began two steps before this one, and a step with the line before.
            let begin = *self.line.get_or_insert(line.saturating_sub(3));
            self.turns += 1;
            if self.turns > self.longest.1 {
                self.longest = (begin, self.turns, [step.min(last), step.max(last)]);
            }
        } else {
            (self.turns, self.line) = (0, None);
        }
        self.steps = [last, step];
        self.count += 1;
    }

    /// The two steps in microseconds and the line they alternate from on, if most steps do, and by
    /// more than one unit of the stamps.
    pub(crate) fn found(&self, resolution_ps: i64) -> Option<([f64; 2], u64)> {
        let (line, turns, [short, long]) = self.longest;
        let most = self.count >= 4 && 2 * turns >= self.count - 2;
        let real = short > 0 && long - short > i128::from(resolution_ps);
        (most && real).then(|| ([short, long].map(|ps| ps as f64 / 1e6), line))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MICROSECOND: i64 = 1_000_000;

    fn rate_of(stamps_ps: &[i64], resolution_ps: i64) -> Result<Rate, NoRate> {
        let mut steps = Steps::default();
        for &stamp in stamps_ps {
            steps.take(stamp);
        }
        steps.rate(resolution_ps)
    }

    #[test]
    fn rounded_stamps_give_the_rate_they_were_rounded_from() {
        let stamps: Vec<i64> =
            (0..1537_i64).map(|k| (k * 1_000_000 + 7_680) / 15_360 * MICROSECOND).collect();
        let rate = rate_of(&stamps, MICROSECOND).unwrap();
        // The plain median, 65 us, would give 15,384.6 Hz.
        assert!((rate.hz - 15_360.0).abs() < 0.2, "{}", rate.hz);
        assert_eq!(rate.note, None);
    }

    #[test]
    fn an_irregular_step_is_counted_and_located_and_does_not_move_the_rate() {
        let mut stamps: Vec<i64> = (0..100).map(|k| k * 20 * MICROSECOND).collect();
        for stamp in &mut stamps[40..] {
            *stamp -= 2 * MICROSECOND;
        }
        let rate = rate_of(&stamps, 1000).unwrap();
        assert_eq!(rate.hz, 50_000.0);
        let note = rate.note.unwrap();
        assert!(note.starts_with("1 of 99 time steps are irregular; the worst is 18 us instead"));
        assert!(note.contains("between samples 40 and 41"), "{note}");
        assert!(!note.contains("missing"), "{note}");
    }

    #[test]
    fn a_lost_row_shows_even_where_a_step_is_one_unit_of_the_stamps() {
        let stamps: Vec<i64> = (0..50).filter(|&k| k != 7).map(|k| k * MICROSECOND).collect();
        let rate = rate_of(&stamps, MICROSECOND).unwrap();
        assert_eq!(rate.hz, 1e6);
        let note = rate.note.unwrap();
        assert!(note.contains("2 us instead of 1 us, between samples 7 and 8"), "{note}");
        assert!(note.contains("by the stamps 1 is missing there"), "{note}");
        let hole: Vec<i64> =
            (0..500).filter(|k| !(200..300).contains(k)).map(|k| k * 100 * MICROSECOND).collect();
        let note = rate_of(&hole, MICROSECOND).unwrap().note.unwrap();
        assert!(note.contains("by the stamps 100 are missing there"), "{note}");
        assert!(note.ends_with("cut the recording in two"), "{note}");
    }

    #[test]
    fn a_clock_that_is_set_right_is_no_damage_and_lost_samples_are() {
        // 200 stamps, one of which is moved by so much, and all behind it as well.
        let moved = |by: i64, at: &[usize]| {
            let mut stamps: Vec<i64> = (0..200).map(|k| k * 100).collect();
            for &at in at {
                stamps[at..].iter_mut().for_each(|stamp| *stamp += by);
            }
            let rate = rate_of(&stamps, 1).unwrap();
            (rate.note.is_some(), rate.is_damage)
        };
        assert_eq!(moved(0, &[]), (false, false));
        assert_eq!(moved(-11, &[50]), (true, false));
        assert_eq!(moved(49, &[50]), (true, false));
        // One sample and ten are missing; the clock stands still; it goes back.
        for by in [100, 1000, -100, -5000] {
            assert_eq!(moved(by, &[50]), (true, true), "{by}");
        }
        // More than one step in a hundred.
        assert_eq!(moved(10, &[50, 100, 150]), (true, true));
    }

    #[test]
    fn stamps_without_a_rate_give_the_reason() {
        assert_eq!(rate_of(&[], 1), Err(NoRate::TooFew));
        assert_eq!(rate_of(&[5], 1), Err(NoRate::TooFew));
        assert_eq!(rate_of(&[5, 5, 5], 1), Err(NoRate::NotAdvancing));
        assert_eq!(rate_of(&[9, 6, 3], 1), Err(NoRate::NotAdvancing));
        assert!(rate_of(&[i64::MIN, i64::MAX], 1).is_ok());
    }

    #[test]
    fn the_worst_step_is_the_first_of_equals() {
        let mut stamps: Vec<i64> = (0..40).map(|k| k * 100).collect();
        // Steps of 110 and 90 around two stamps, and later again.
        for at in [30, 12] {
            stamps[at] += 10;
        }
        let note = rate_of(&stamps, 1).unwrap().note.unwrap();
        assert!(note.starts_with("4 of 39 time steps"), "{note}");
        assert!(note.contains("0.00011 us instead of 0.0001 us, between samples 12 and 13"));
    }

    #[test]
    fn steps_that_all_differ_are_counted_in_bounded_memory() {
        // 20 us with up to 100 ns of jitter, each step another one; then one lost row.
        let mut steps = Steps::default();
        let (mut stamp, count) = (0, 3 * STEPS_MAX as i64);
        for k in 0..count {
            steps.take(stamp);
            stamp += 20 * MICROSECOND + (k * 7_919 % count - count / 2) / 4;
            stamp += if k == 5_000 { 20 * MICROSECOND } else { 0 };
        }
        assert!(steps.bins.len() <= STEPS_MAX);
        let rate = steps.rate(1).unwrap();
        assert!((rate.hz / 50_000.0 - 1.0).abs() < 1e-6, "{}", rate.hz);
        let note = rate.note.unwrap();
        assert!(note.starts_with("1 of 393215 time steps are irregular"), "{note}");
        assert!(note.contains("between samples 5001 and 5002"), "{note}");
    }
}
