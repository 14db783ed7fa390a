//! When the software of a node has done what it is to do: one task that looks at its queue at
//! regular times and works on one thing after another.
//!
//! A task of period 0 begins as soon as it has something to do.

use std::collections::VecDeque;

use lastmeter_units::{SimDuration, SimTime};

/// What a task needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TaskTimes {
    /// Between two looks at its queue; 0: it is woken.
    pub(crate) period: SimDuration,
    /// For one job.
    pub(crate) service: SimDuration,
}

/// A task with its queue.
#[derive(Debug)]
pub(crate) struct Task<J> {
    times: TaskTimes,
    /// From when its periods count.
    start: SimTime,
    /// Until when it works on what it has begun.
    busy_until: SimTime,
    done: VecDeque<(SimTime, J)>,
}

impl<J> Task<J> {
    /// A task without jobs.
    pub(crate) fn new(times: TaskTimes, start: SimTime) -> Self {
        Self { times, start, busy_until: start, done: VecDeque::new() }
    }

    /// Gives it a job.
    pub(crate) fn release(&mut self, now: SimTime, job: J) {
        let ready = now.max(self.busy_until);
        let begins = match self.times.period.0 {
            0 => ready,
            period => {
                let since = (ready - self.start).0.max(0);
                self.start + SimDuration(since.div_euclid(period) * period)
                    + SimDuration(if since % period == 0 { 0 } else { period })
            }
        };
        // A task that works is not looking at its clock: what waits is begun behind it.
        let begins = if self.busy_until > now { self.busy_until } else { begins };
        self.busy_until = begins + self.times.service;
        self.done.push_back((self.busy_until, job));
    }

    /// The job that was done by now.
    pub(crate) fn done(&mut self, now: SimTime) -> Option<J> {
        self.done.pop_front_if(|(at, _)| *at <= now).map(|(_, job)| job)
    }

    /// When the next job is done.
    pub(crate) fn next(&self) -> Option<SimTime> {
        self.done.front().map(|(at, _)| *at)
    }

    /// What it has to do is forgotten.
    pub(crate) fn reset(&mut self, now: SimTime) {
        self.done.clear();
        self.busy_until = now;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_task_works_at_its_times_and_on_one_thing_after_another() {
        let times = TaskTimes { period: SimDuration(20), service: SimDuration(7) };
        let mut task = Task::new(times, SimTime(100));
        task.release(SimTime(101), 'a');
        task.release(SimTime(110), 'b');
        assert_eq!(task.next(), Some(SimTime(127)));
        assert_eq!(task.done(SimTime(126)), None);
        assert_eq!(task.done(SimTime(127)), Some('a'));
        assert_eq!((task.done(SimTime(133)), task.done(SimTime(134))), (None, Some('b')));
        task.release(SimTime(140), 'c');
        assert_eq!(task.next(), Some(SimTime(147)), "it looks just then");
        let woken = TaskTimes { period: SimDuration(0), ..times };
        let mut task = Task::new(woken, SimTime(100));
        task.release(SimTime(101), 'a');
        assert_eq!(task.next(), Some(SimTime(108)));
        task.reset(SimTime(105));
        assert_eq!(task.next(), None);
    }
}
