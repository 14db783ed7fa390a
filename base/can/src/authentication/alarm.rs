//! When refused frames raise an alarm, and when their identifier is locked out.

use std::collections::{BTreeMap, VecDeque};

use lastmeter_units::{SimDuration, SimTime};

/// So many failures of one identifier raise an alarm.
pub const ALARM_FAILURES: usize = 16;
/// The span in which they are counted, and in which one alarm stands for all.
pub const ALARM_SPAN: SimDuration = SimDuration::from_seconds(60);

/// The failures of one identifier.
#[derive(Debug, Default)]
struct Failures {
    /// The instants of the last ones, at most as many as raise an alarm.
    recent: VecDeque<SimTime>,
    alarm: Option<SimTime>,
    locked_until: Option<SimTime>,
}

/// That the failures of an identifier raise an alarm.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Alarm {
    /// When the first of the failures was.
    pub(super) first: SimTime,
    pub(super) locked_until: Option<SimTime>,
}

/// The failures of all identifiers that had any.
#[derive(Debug)]
pub(super) struct Watch {
    lock_out: Option<SimDuration>,
    failures: BTreeMap<u16, Failures>,
}

impl Watch {
    pub(super) const fn new(lock_out: Option<SimDuration>) -> Self {
        Self { lock_out, failures: BTreeMap::new() }
    }

    pub(super) fn is_locked_out(&self, now: SimTime, id: u16) -> bool {
        let until = self.failures.get(&id).and_then(|failures| failures.locked_until);
        until.is_some_and(|until| now < until)
    }

    /// Takes one failure. An alarm of less than a span before stands for those that follow it.
    pub(super) fn fail(&mut self, now: SimTime, id: u16) -> Option<Alarm> {
        if self.is_locked_out(now, id) {
            return None;
        }
        let failures = self.failures.entry(id).or_default();
        failures.recent.push_back(now);
        if failures.recent.len() > ALARM_FAILURES {
            failures.recent.pop_front();
        }
        let first = *failures.recent.front()?;
        if failures.recent.len() < ALARM_FAILURES || now.since(first) > ALARM_SPAN {
            return None;
        }
        let locked_until = self.lock_out.map(|span| now + span);
        if locked_until.is_some() {
            failures.locked_until = locked_until;
            failures.recent.clear();
        }
        if failures.alarm.is_some_and(|alarm| now.since(alarm) < ALARM_SPAN) {
            return None;
        }
        failures.alarm = Some(now);
        Some(Alarm { first, locked_until })
    }
}
