//! How far queries see, signalled to whoever waits for more; and when each commit was done.
//!
//! The store's thread is the only one that writes here, right after a commit. Waiting costs no
//! query and no timer until there is something to see.

use std::collections::VecDeque;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use lastmeter_units::SimTime;
use tokio::sync::watch;

use lastmeter_model::standing::Totals;

use crate::lock;

/// Commits whose instants are kept: five minutes at 200 commits a second, 1 MiB.
const COMMITS_MAX: usize = 65_536;

/// What is committed.
#[derive(Debug)]
pub struct Progress {
    readings: watch::Sender<u64>,
    refusals: watch::Sender<u64>,
    alerts: watch::Sender<u64>,
    results: watch::Sender<u64>,
    blocks: watch::Sender<u64>,
    audited: AtomicU64,
    commits: Mutex<Commits>,
}

/// The latest commits that stored readings.
#[derive(Debug)]
struct Commits {
    /// The last reading before the oldest of them.
    before: u64,
    /// Last reading and instant of each, oldest first.
    kept: VecDeque<(u64, SimTime)>,
}

impl Progress {
    /// Of a store that stands there.
    pub fn new(totals: Totals) -> Self {
        Self {
            readings: watch::Sender::new(totals.readings),
            refusals: watch::Sender::new(totals.refusals),
            alerts: watch::Sender::new(totals.alerts),
            results: watch::Sender::new(totals.results),
            blocks: watch::Sender::new(totals.blocks),
            audited: AtomicU64::new(0),
            commits: Mutex::new(Commits { before: totals.readings, kept: VecDeque::new() }),
        }
    }

    /// Of a store that was opened and stands there.
    pub fn begin(&self, totals: Totals) {
        let mut commits = lock(&self.commits);
        commits.before = totals.readings;
        commits.kept.clear();
        drop(commits);
        self.report(totals);
    }

    /// To be called once a commit is done.
    pub fn reach(&self, totals: Totals, now: SimTime) {
        // The instant first: whoever is woken for a reading finds it.
        if *self.readings.borrow() < totals.readings {
            let mut commits = lock(&self.commits);
            if commits.kept.len() == COMMITS_MAX
                && let Some((last, _)) = commits.kept.pop_front()
            {
                commits.before = last;
            }
            commits.kept.push_back((totals.readings, now));
        }
        self.report(totals);
    }

    fn report(&self, totals: Totals) {
        report(&self.readings, totals.readings);
        report(&self.refusals, totals.refusals);
        report(&self.alerts, totals.alerts);
        report(&self.results, totals.results);
        report(&self.blocks, totals.blocks);
    }

    /// To be called once a commit is done, and at the start: the last row of the audit.
    pub fn audit(&self, last: u64) {
        self.audited.store(last, Ordering::Release);
    }

    /// The last row of the audit that is committed.
    pub fn audited(&self) -> u64 {
        self.audited.load(Ordering::Acquire)
    }

    /// How far queries see.
    pub fn totals(&self) -> Totals {
        Totals {
            readings: *self.readings.borrow(),
            refusals: *self.refusals.borrow(),
            alerts: *self.alerts.borrow(),
            results: *self.results.borrow(),
            blocks: *self.blocks.borrow(),
        }
    }

    /// The last reading that is committed, now and as it grows.
    pub fn readings(&self) -> watch::Receiver<u64> {
        self.readings.subscribe()
    }

    /// The last refusal that is committed, now and as it grows.
    pub fn refusals(&self) -> watch::Receiver<u64> {
        self.refusals.subscribe()
    }

    /// The last alert that is committed, now and as it grows.
    pub fn alerts(&self) -> watch::Receiver<u64> {
        self.alerts.subscribe()
    }

    /// When the commit of a reading was done; `None` for what was committed before this start, or
    /// too long ago.
    pub fn committed_at(&self, sequence: u64) -> Option<SimTime> {
        let commits = lock(&self.commits);
        if sequence <= commits.before {
            return None;
        }
        let at = commits.kept.partition_point(|(last, _)| *last < sequence);
        commits.kept.get(at).map(|(_, now)| *now)
    }
}

/// Wakes waiters only if there is something new to them.
fn report(sender: &watch::Sender<u64>, last: u64) {
    sender.send_if_modified(|known| {
        let is_new = *known < last;
        *known = last.max(*known);
        is_new
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    fn totals(readings: u64, refusals: u64) -> Totals {
        Totals { readings, refusals, ..Totals::default() }
    }

    #[test]
    fn a_reading_has_the_instant_of_the_commit_that_brought_it() {
        let progress = Progress::new(totals(5, 0));
        progress.reach(totals(6, 0), SimTime(60));
        progress.reach(totals(6, 1), SimTime(61));
        progress.reach(totals(9, 1), SimTime(90));
        let found = [5, 6, 7, 9, 10].map(|sequence| progress.committed_at(sequence));
        assert_eq!(found, [None, Some(SimTime(60)), Some(SimTime(90)), Some(SimTime(90)), None]);
    }

    #[test]
    fn the_instants_that_are_kept_are_bounded() {
        let progress = Progress::new(totals(0, 0));
        let commits = COMMITS_MAX as u64 + 3;
        for sequence in 1..=commits {
            progress.reach(totals(sequence, 0), SimTime(sequence.cast_signed()));
        }
        assert_eq!(progress.committed_at(3), None);
        assert_eq!(progress.committed_at(4), Some(SimTime(4)));
        assert_eq!(progress.committed_at(commits), Some(SimTime(commits.cast_signed())));
    }

    #[test]
    fn only_those_who_wait_for_it_are_woken() {
        let progress = Progress::new(totals(0, 0));
        let (mut readings, mut refusals) = (progress.readings(), progress.refusals());
        progress.reach(totals(1, 0), SimTime(1));
        assert!(readings.has_changed().unwrap() && !refusals.has_changed().unwrap());
        assert_eq!(*readings.borrow_and_update(), 1);
        progress.reach(totals(1, 1), SimTime(2));
        assert!(!readings.has_changed().unwrap() && refusals.has_changed().unwrap());
        assert_eq!(*refusals.borrow_and_update(), 1);
        let alerts = progress.alerts();
        progress.reach(Totals { alerts: 1, ..totals(1, 1) }, SimTime(3));
        assert!(alerts.has_changed().unwrap());
        assert!(!readings.has_changed().unwrap() && !refusals.has_changed().unwrap());
    }
}
