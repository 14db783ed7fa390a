//! The software of a node: tasks and interrupts on one processor, whose jobs are about something.

use std::collections::BTreeMap;

use lastmeter_can::node::processor::{Processor, Task};
use lastmeter_units::SimTime;

/// A processor, and what each of its jobs is about.
#[derive(Debug)]
pub(crate) struct Software<J> {
    processor: Processor,
    jobs: BTreeMap<u64, J>,
    /// Of the last job.
    number: u64,
}

impl<J> Software<J> {
    /// These tasks, which are known by their places.
    pub(crate) fn new(tasks: Vec<Task>, start: SimTime) -> Self {
        Self { processor: Processor::new(tasks, start), jobs: BTreeMap::new(), number: 0 }
    }

    /// Gives a task a job, which one that is disabled drops.
    pub(crate) fn release(&mut self, now: SimTime, task: usize, job: J) {
        self.number += 1;
        if self.processor.release(now, task, self.number) {
            self.jobs.insert(self.number, job);
        }
    }

    /// The next job that is done by now. Those of periods take time, and are about nothing.
    pub(crate) fn done(&mut self, now: SimTime) -> Option<J> {
        while let Some(completed) = self.processor.pop(now) {
            let job = completed.token.and_then(|number| self.jobs.remove(&number));
            if job.is_some() {
                return job;
            }
        }
        None
    }

    /// When it has to be looked at next.
    pub(crate) fn next(&self) -> Option<SimTime> {
        self.processor.next()
    }

    /// Enables a task, or disables it and drops its jobs.
    pub(crate) fn enable(&mut self, now: SimTime, task: usize, is_enabled: bool) {
        for number in self.processor.enable(now, task, is_enabled) {
            self.jobs.remove(&number);
        }
    }

    /// Jobs that are done and were not taken are dropped as well.
    pub(crate) fn forget(&mut self) {
        self.jobs.clear();
    }
}

#[cfg(test)]
mod tests {
    use lastmeter_can::node::processor::{Release, ServiceTime};
    use lastmeter_units::SimDuration;

    use super::*;

    #[test]
    fn each_job_is_done_in_its_turn_and_a_dropped_one_never() {
        let service = |ns| ServiceTime::Always(SimDuration(ns));
        let own = Release::Periodic { first: SimTime(0), period: SimDuration(100) };
        let tasks = vec![
            Task::new("own", 1, own, service(10)),
            Task::new("events", 2, Release::Event, service(7)),
        ];
        let mut software = Software::new(tasks, SimTime(0));
        for job in ['a', 'b'] {
            software.release(SimTime(5), 1, job);
        }
        // The period's own job has the processor until 10.
        assert_eq!((software.done(SimTime(16)), software.done(SimTime(17))), (None, Some('a')));
        software.enable(SimTime(20), 1, false);
        software.release(SimTime(21), 1, 'c');
        assert_eq!(software.done(SimTime(99)), None);
        software.enable(SimTime(100), 1, true);
        software.release(SimTime(100), 1, 'd');
        assert_eq!((software.done(SimTime(116)), software.done(SimTime(117))), (None, Some('d')));
        assert_eq!(software.next(), Some(SimTime(200)));
    }
}
