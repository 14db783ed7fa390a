//! The one clock of every platform timer: the machine's, or one that stands still until it
//! is driven.
//!
//! Transport timers (keep-alive, header time-outs, shutdown) are not on it: they stay on the
//! machine's clock in both modes.

use std::collections::BTreeSet;
use std::sync::Mutex;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use lastmeter_model::invocation::InvocationId;
use lastmeter_store::lock;
use lastmeter_units::{HardwareId, SimTime};
use tokio::sync::Notify;

use crate::config::ClockSource;

/// The wall's clock is looked at again at least this often: it can be set forward meanwhile.
const LOOK_AGAIN: Duration = Duration::from_mins(1);

/// What is due at an instant.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Timer {
    /// A command that nobody has answered expires.
    Expire(InvocationId),
    /// What a device has not answered is sent once more.
    Retry(HardwareId),
    /// A schedule is due.
    Schedules,
}

/// The clock and what is due on it.
pub(crate) struct Clock {
    pub(crate) source: ClockSource,
    driven_ns: AtomicI64,
    timers: Mutex<BTreeSet<(SimTime, Timer)>>,
    changed: Notify,
}

impl Clock {
    /// A clock; a driven one stands at `driven` until it is advanced.
    pub(crate) fn new(source: ClockSource, driven: SimTime) -> Self {
        Self {
            source,
            driven_ns: AtomicI64::new(driven.as_nanoseconds()),
            timers: Mutex::new(BTreeSet::new()),
            changed: Notify::new(),
        }
    }

    /// The time for everything the platform stamps.
    pub(crate) fn now(&self) -> SimTime {
        match self.source {
            ClockSource::Wall => wall_now(),
            ClockSource::Driven => SimTime(self.driven_ns.load(Ordering::Acquire)),
        }
    }

    /// Moves a driven clock; one that follows the wall does not care.
    pub(crate) fn set(&self, now: SimTime) {
        self.driven_ns.store(now.as_nanoseconds(), Ordering::Release);
    }

    /// Has something happen at an instant.
    pub(crate) fn schedule(&self, at: SimTime, timer: Timer) {
        lock(&self.timers).insert((at, timer));
        self.changed.notify_one();
    }

    /// Takes the earliest timer that is due by `until`, if there is one.
    pub(crate) fn take_due(&self, until: SimTime) -> Option<(SimTime, Timer)> {
        let mut timers = lock(&self.timers);
        timers.first().filter(|(at, _)| *at <= until)?;
        timers.pop_first()
    }

    /// Waits on the wall's clock until something is due, and takes it. Never ends on a driven
    /// clock: there, advancing takes what is due.
    pub(crate) async fn next_due(&self) -> (SimTime, Timer) {
        loop {
            if self.source == ClockSource::Wall
                && let Some(due) = self.take_due(self.now())
            {
                return due;
            }
            let next = lock(&self.timers).first().map(|(at, _)| *at);
            match next.filter(|_| self.source == ClockSource::Wall) {
                None => self.changed.notified().await,
                Some(at) => {
                    let wait_ns = at.since(self.now()).0.max(1_000_000).unsigned_abs();
                    let wait = Duration::from_nanos(wait_ns).min(LOOK_AGAIN);
                    // Either a timer was added, or this one is due: both are looked at again.
                    let _ = tokio::time::timeout(wait, self.changed.notified()).await;
                }
            }
        }
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "the platform's wall clock is read in this one place, when it is not driven"
)]
pub(crate) fn wall_now() -> SimTime {
    match std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH) {
        Ok(since) => SimTime(i64::try_from(since.as_nanos()).unwrap_or(i64::MAX)),
        Err(_) => SimTime(0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timers_are_taken_in_the_order_of_their_instants() {
        let clock = Clock::new(ClockSource::Driven, SimTime(0));
        let timer = |number| Timer::Expire(InvocationId(number));
        clock.schedule(SimTime(20), timer(1));
        clock.schedule(SimTime(10), timer(3));
        clock.schedule(SimTime(10), timer(2));
        assert_eq!(clock.take_due(SimTime(9)), None);
        assert_eq!(clock.take_due(SimTime(20)), Some((SimTime(10), timer(2))));
        assert_eq!(clock.take_due(SimTime(20)), Some((SimTime(10), timer(3))));
        assert_eq!(clock.take_due(SimTime(20)), Some((SimTime(20), timer(1))));
        assert_eq!(clock.take_due(SimTime(i64::MAX)), None);
    }

    #[test]
    fn a_driven_clock_stands_still_until_it_is_set() {
        let clock = Clock::new(ClockSource::Driven, SimTime(5));
        assert_eq!(clock.now(), SimTime(5));
        clock.set(SimTime(7));
        assert_eq!(clock.now(), SimTime(7));
    }

    #[tokio::test]
    async fn a_wall_clock_hands_out_what_is_due() {
        let clock = Clock::new(ClockSource::Wall, SimTime(0));
        let due = (SimTime(1), Timer::Expire(InvocationId(1)));
        clock.schedule(due.0, due.1.clone());
        assert_eq!(clock.next_due().await, due);
        assert!(clock.now() > "2024-01-01T00:00:00Z".parse().unwrap());
    }
}
