//! What an appliance does over time: its levels, one after another.
//!
//! A *level* is a steady current; a state without inrush is one. An inrush falls by an exponential,
//! for which a stair stands: each step has the mean of the exponential over it, so that the energy
//! is that of the exponential, up to where the stair ends. Everything stays tones that change at
//! instants, of which truth and spectrum are known.
//!
//! Durations are drawn evenly from their spread, in the order of time, each by one draw: the upper
//! 53 bits of a 64-bit word as a share from 0 to below 1. What is on at the start without having
//! been switched on there is somewhere in its cycle: one draw ahead of all others states where.

use chacha20::ChaCha8Rng;
use lastmeter_units::{SimDuration, SimTime};
use rand::Rng as _;

use super::catalogue::{Appliance, CyclePart};
use crate::grid::Raster;

/// Where the steps of an inrush end, in time constants: what is left is 7 per mille of the rush.
const STAIR_ENDS: [f64; 5] = [0.5, 1.0, 2.0, 3.0, 5.0];

/// When a socket's appliance is switched on; both ends since the scenario's start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SwitchedOn {
    /// When it is switched on; `None`: it was long before the start.
    pub from: Option<SimDuration>,
    /// When it is switched off; `None`: not before the scenario is over.
    pub until: Option<SimDuration>,
}

/// A current that stays the same for a while.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Level {
    /// The state that it belongs to.
    pub(crate) state: usize,
    /// Of the fundamental at the rated voltage in watts, negative where it feeds back.
    pub(crate) power_w: f64,
}

/// Levels over time.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Course {
    pub(crate) levels: Vec<Level>,
    /// From which instants on which level holds, in order; `None`: nothing flows.
    pub(crate) changes: Vec<(SimDuration, Option<usize>)>,
}

impl Course {
    /// The course of an appliance from the scenario's start on, as long as that lasts.
    pub(crate) fn new(
        appliance: &Appliance,
        on: &[SwitchedOn],
        (start, duration): (SimTime, SimDuration),
        draws: &mut ChaCha8Rng,
    ) -> Self {
        let mut course = Self::default();
        match &appliance.sun {
            Some((sky, step)) => {
                let raster = Raster::over(start, *step, duration);
                for (step, power_w) in sky.powers(&raster).into_iter().enumerate() {
                    let level = (power_w > 0.0).then_some(course.levels.len());
                    let fed_back = level.map(|_| Level { state: 0, power_w: -power_w });
                    course.levels.extend(fed_back);
                    course.changes.push((raster.begin(step), level));
                }
                course.switch(on);
            }
            None => {
                for span in on {
                    course.pass(appliance, *span, duration, draws);
                }
            }
        }
        course.begin_at_zero();
        course
    }

    fn level(&mut self, state: usize, power_w: f64) -> usize {
        let level = Level { state, power_w };
        self.levels.iter().position(|known| *known == level).unwrap_or_else(|| {
            self.levels.push(level);
            self.levels.len() - 1
        })
    }

    /// Adds what an appliance goes through while it is switched on.
    fn pass(
        &mut self,
        appliance: &Appliance,
        on: SwitchedOn,
        duration: SimDuration,
        draws: &mut ChaCha8Rng,
    ) {
        let until = on.until.unwrap_or(duration);
        let mut at = on.from.unwrap_or_else(|| {
            let cycle_s: f64 = appliance.cycle.iter().map(|part| part.mean_s).sum();
            SimDuration::from_seconds_f64(-share(draws) * cycle_s)
        });
        let start = appliance.start.iter().filter(|_| on.from.is_some());
        let mut before = None;
        for part in start.chain(appliance.cycle.iter().cycle()) {
            if at >= until {
                break;
            }
            let varied = 1.0 + part.spread * (2.0 * share(draws) - 1.0);
            let end = at + SimDuration::from_seconds_f64(part.mean_s * varied);
            // A state that goes on has its inrush behind it.
            if before.replace(part.state) != Some(part.state) {
                self.enter(appliance, *part, (at, end.min(until)));
            }
            at = end.max(at + SimDuration(1));
        }
        self.changes.push((at.min(until), None));
    }

    /// Adds a state with its inrush.
    fn enter(
        &mut self,
        appliance: &Appliance,
        part: CyclePart,
        (from, until): (SimDuration, SimDuration),
    ) {
        let state = &appliance.states[part.state];
        let mut at = from;
        if let Some((factor, time_constant_s)) = state.inrush {
            let mut begin = 0.0;
            for end in STAIR_ENDS {
                let mean = (libm::exp(-begin) - libm::exp(-end)) / (end - begin);
                let power_w = state.power_w * (1.0 + (factor - 1.0) * mean);
                if at < until {
                    let level = self.level(part.state, power_w);
                    self.changes.push((at, Some(level)));
                }
                at = from + SimDuration::from_seconds_f64(end * time_constant_s);
                begin = end;
            }
        }
        if at < until {
            let level = self.level(part.state, state.power_w);
            self.changes.push((at, Some(level)));
        }
    }

    /// Leaves of a course what flows while it is switched on.
    fn switch(&mut self, on: &[SwitchedOn]) {
        let all = std::mem::take(&mut self.changes);
        for span in on {
            let from = span.from.unwrap_or(SimDuration::ZERO);
            let is_on = |at: SimDuration| at > from && span.until.is_none_or(|until| at < until);
            let before = all.iter().take_while(|(at, _)| *at <= from).last();
            self.changes.push((from, before.and_then(|(_, level)| *level)));
            self.changes.extend(all.iter().filter(|(at, _)| is_on(*at)));
            self.changes.extend(span.until.map(|until| (until, None)));
        }
    }

    /// What began before the start holds from there on.
    fn begin_at_zero(&mut self) {
        let later = self.changes.partition_point(|(at, _)| *at <= SimDuration::ZERO);
        let held = later.checked_sub(1).and_then(|last| self.changes[last].1);
        self.changes.splice(..later, [(SimDuration::ZERO, held)]);
    }

    /// The level at an instant.
    pub(crate) fn level_at(&self, at: SimDuration) -> Option<usize> {
        let begun = self.changes.partition_point(|(from, _)| *from <= at);
        self.changes.get(begun.checked_sub(1)?)?.1
    }
}

/// A share from 0 to below 1.
fn share(draws: &mut ChaCha8Rng) -> f64 {
    (draws.next_u64() >> 11) as f64 / (1_u64 << 53) as f64
}
