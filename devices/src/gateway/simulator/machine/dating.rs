//! When samples were taken, and which is the last one of a reporting period.

use lastmeter_rts::Sample;
use lastmeter_rts::point_map::{PointDirection, StatusRole};
use lastmeter_units::{SimDuration, SimTime};

use super::{Adapter, Kind, Out, event};

/// A simulator's clock that is further off is not set: samples are dated by their arrival then.
const CLOCK_OFF_MAX: SimDuration = SimDuration::from_seconds(3600);

/// What rates and dates are rounded by.
const CLOCK_ROUNDING: SimDuration = SimDuration(2000);

impl Adapter {
    /// Whether the next sample is of the next period, by a clock that keeps its rate: this sample
    /// and the one before are as far apart as the map has it, and so is the next one.
    pub(super) fn is_last_of_period(&self, taken: SimTime, before: Option<SimTime>) -> bool {
        let period = self.sample_period();
        let keeps_rate =
            before.is_some_and(|before| (taken - before - period).0.abs() <= CLOCK_ROUNDING.0);
        keeps_rate && (taken + period - self.due).0 >= -CLOCK_ROUNDING.0
    }

    /// Between two samples, by the map.
    pub(super) fn sample_period(&self) -> SimDuration {
        SimDuration::from_seconds_f64(1.0 / self.parts.map.simulator.sample_rate)
    }

    /// When a sample was taken: by the simulator's clock where it has one that is set.
    pub(super) fn taken(&mut self, now: SimTime, sample: &Sample, out: &mut Out) -> SimTime {
        let word = |role| {
            let place = self.parts.map.position_of_role(PointDirection::FromSimulator, role)?;
            sample.values.get(place)?.finite().filter(|word| *word >= 0.0)
        };
        let of_words = || {
            let (seconds, nanoseconds) =
                (word(StatusRole::Seconds)?, word(StatusRole::Nanoseconds)?);
            Some((seconds as u64, nanoseconds as u32))
        };
        let Some((seconds, nanoseconds)) = sample.origin.or_else(of_words) else { return now };
        let at = i64::try_from(seconds).ok().and_then(|seconds| {
            seconds.checked_mul(1_000_000_000)?.checked_add(i64::from(nanoseconds))
        });
        let at = at.map(SimTime);
        let is_set = at.is_some_and(|at| (at.0.saturating_sub(now.0)).abs() <= CLOCK_OFF_MAX.0);
        if self.reported_clock != Some(is_set) {
            self.reported_clock = Some(is_set);
            let off = at.map_or(f64::NAN, |at| (at.0.saturating_sub(now.0)) as f64 / 1e9);
            let detail = if is_set {
                format!("samples are dated by the simulator's clock, {off:.3} s from here")
            } else {
                format!("the simulator's clock is {off:.0} s off: samples are dated by arrival")
            };
            event(out, Kind::DeviceStatus, detail);
        }
        if is_set { at.unwrap_or(now) } else { now }
    }
}
