//! The monotonic clock of real-time runs, and the watch over everything it must not do.
//!
//! Terms: a *stamp* is an `i64` of nanoseconds of `CLOCK_MONOTONIC`, absolute since an origin of
//! the kernel's choice; a *wall step* is how far `CLOCK_REALTIME` was set, forth or back, beside
//! the monotonic clock; *suspended* is how long the machine slept, which `CLOCK_BOOTTIME` counts
//! and the monotonic clock does not.
//!
//! Latencies are differences of stamps and nothing else. A run in which the clock was stepped or
//! the machine slept is invalid: whoever runs it starts a [`ClockWatch`] and asks it at the end.

use rustix::time::{ClockId, Timespec, clock_gettime};

/// What the stamps are taken from, for the record.
pub const SOURCE: &str = "CLOCK_MONOTONIC";

const NANOSECONDS_PER_SECOND: i64 = 1_000_000_000;
/// How often a difference of two clocks is read; the reading with the least in between counts.
const READINGS_PER_PAIR: usize = 8;

/// Nanoseconds of `CLOCK_MONOTONIC`.
pub fn monotonic_ns() -> i64 {
    nanoseconds(clock_gettime(ClockId::Monotonic))
}

/// A time of the kernel in nanoseconds.
pub(crate) fn nanoseconds(time: Timespec) -> i64 {
    // The seconds of these clocks fit for 292 years from their origins.
    time.tv_sec.saturating_mul(NANOSECONDS_PER_SECOND).saturating_add(time.tv_nsec)
}

/// How the other clocks stood beside the monotonic one when the watch began.
#[derive(Clone, Debug)]
pub struct ClockWatch {
    realtime_ahead_ns: i64,
    boottime_ahead_ns: i64,
}

/// What happened to the clocks since a watch began.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClockDrift {
    /// How far the wall clock was set beside the monotonic one, ns; positive is forth. Slewing by a
    /// time service is not in it, since it moves both clocks alike.
    pub wall_step_ns: i64,
    /// How long the machine was suspended, ns.
    pub suspended_ns: i64,
}

impl ClockWatch {
    /// Begins to watch.
    pub fn start() -> Self {
        Self {
            realtime_ahead_ns: ahead_of_monotonic_ns(ClockId::Realtime),
            boottime_ahead_ns: ahead_of_monotonic_ns(ClockId::Boottime),
        }
    }

    /// What happened since. Two readings of the clocks are some tens of nanoseconds apart, and on a
    /// busy machine more: differences below a millisecond mean nothing.
    pub fn drift(&self) -> ClockDrift {
        let now = Self::start();
        ClockDrift {
            wall_step_ns: now.realtime_ahead_ns.saturating_sub(self.realtime_ahead_ns),
            suspended_ns: now.boottime_ahead_ns.saturating_sub(self.boottime_ahead_ns),
        }
    }
}

/// How far another clock is ahead of the monotonic one, from the tightest of several readings.
fn ahead_of_monotonic_ns(other: ClockId) -> i64 {
    let reading = |_| {
        let before = monotonic_ns();
        let there = nanoseconds(clock_gettime(other));
        let after = monotonic_ns();
        let took = after.saturating_sub(before);
        (took, there.saturating_sub(before.saturating_add(took / 2)))
    };
    (0..READINGS_PER_PAIR).map(reading).min().map_or(0, |(_, ahead)| ahead)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stamps_never_go_back() {
        let stamps: Vec<i64> = (0..1000).map(|_| monotonic_ns()).collect();
        assert!(stamps.is_sorted());
        assert!(stamps[0] > 0);
    }

    #[test]
    fn a_stamp_is_on_the_clock_of_the_standard_library() {
        // Linux' Instant is CLOCK_MONOTONIC; its debug form is the only way to see its origin.
        #[expect(clippy::disallowed_methods, reason = "an independent reading of the same clock")]
        let (before, instant, after) = (monotonic_ns(), std::time::Instant::now(), monotonic_ns());
        let shown = format!("{instant:?}");
        let number = |name: &str| -> i64 {
            let rest = &shown[shown.find(name).unwrap() + name.len()..];
            rest.chars()
                .skip_while(|c| !c.is_ascii_digit())
                .take_while(char::is_ascii_digit)
                .collect::<String>()
                .parse()
                .unwrap()
        };
        let there = number("tv_sec") * NANOSECONDS_PER_SECOND + number("tv_nsec");
        assert!((before..=after).contains(&there), "{before} <= {there} <= {after}");
    }

    #[test]
    fn a_watch_sees_how_far_the_clocks_moved_apart() {
        let now = ClockWatch::start();
        // As if the wall clock had stood 3 s lower, and the machine had slept 5 s less.
        let earlier = ClockWatch {
            realtime_ahead_ns: now.realtime_ahead_ns - 3_000_000_000,
            boottime_ahead_ns: now.boottime_ahead_ns - 5_000_000_000,
        };
        let drift = earlier.drift();
        assert_eq!((drift.wall_step_ns + 50_000_000) / 100_000_000, 30, "{drift:?}");
        assert_eq!((drift.suspended_ns + 50_000_000) / 100_000_000, 50, "{drift:?}");
    }
}
