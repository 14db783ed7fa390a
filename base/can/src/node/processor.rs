//! One processor and its tasks: fixed priorities, pre-emptive, to the nanosecond.
//!
//! Sans-I/O: instants are arguments, and service times are drawn by the caller. A *job* is one run
//! of a task. It is *released* when something asks for it, and *ready* from when the processor may
//! run it; its *service time* is the processor time that it takes.
//!
//! At each instant the job that runs is the ready one of the highest priority: interrupts go before
//! tasks, smaller numbers before larger ones. Of equal priority it is the one that has been ready
//! longest, so equals do not pre-empt each other, and the jobs of a task go first in, first out.
//! What became ready at the same instant goes in the order of the list of tasks. To switch takes no
//! time of its own: it is part of service times.
//!
//! At one instant jobs end first, then periods begin, then what the caller changes applies. A main
//! task that enables and disables others is a task like them: when its job has ended, its owner
//! calls [`Processor::enable`] at that instant.
//!
//! Periodic tasks with C the service time, T the period, and hp the tasks of higher priority
//! respond at the latest after R = C + sum over hp of ceil(R / T) C, where R is at most the task's
//! period (Joseph and Pandya, "Finding response times in a real-time system", The Computer Journal,
//! 1986).
//!
//! ```
//! use lastmeter_can::node::processor::{Processor, Release, ServiceTime, Task};
//! use lastmeter_units::{SimDuration, SimTime};
//! let task = |name, release, microseconds: i64| {
//!     Task::new(name, 0, release, ServiceTime::Always(SimDuration(microseconds * 1_000)))
//! };
//! let polled =
//!     Release::Polled { first: SimTime(0), period: SimDuration::from_milliseconds(20) };
//! let interrupt = Release::Interrupt { latency: SimDuration(2_000) };
//! let tasks = vec![task("CAN receive", interrupt, 10), task("CAN manage", polled, 500)];
//! let mut processor = Processor::new(tasks, SimTime(0));
//! processor.release(SimTime(1_000_000), 0, 7);
//! let frame = processor.pop(SimTime(5_000_000)).unwrap();
//! assert_eq!(frame.at, SimTime(1_012_000));
//! processor.release(frame.at, 1, 7);
//! assert_eq!(processor.pop(SimTime(i64::MAX)).unwrap().at, SimTime(20_500_000));
//! ```

use std::collections::{BTreeMap, VecDeque};
use std::fmt;

use lastmeter_units::{SimDuration, SimTime};

/// How jobs of a task come about, and when they are ready. A period is at least a nanosecond, and
/// the first one begins at `first`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Release {
    /// By hardware: ready after the latency, before all tasks.
    Interrupt {
        /// From the request to the first instruction.
        latency: SimDuration,
    },
    /// By an event: ready at once.
    Event,
    /// By an event, which the task sees when it polls: ready when its next period begins, or at
    /// once if that is now. To poll in vain takes no time.
    Polled {
        /// The beginning of the first period.
        first: SimTime,
        /// From one beginning to the next.
        period: SimDuration,
    },
    /// By each beginning of a period, one job without a token; it is missed if that of the period
    /// before has not ended. By events beside it, which are ready at once.
    Periodic {
        /// The beginning of the first period.
        first: SimTime,
        /// From one beginning to the next.
        period: SimDuration,
    },
}

impl Release {
    /// The first beginning of a period from an instant on, if there is one before the end of time.
    fn beginning(self, at: SimTime) -> Option<SimTime> {
        let (Self::Polled { first, period } | Self::Periodic { first, period }) = self else {
            return None;
        };
        let period = i128::from(period.0.max(1));
        let since = (i128::from(at.0) - i128::from(first.0)).max(0);
        let whole = (since + period - 1) / period * period;
        i64::try_from(i128::from(first.0) + whole).ok().map(SimTime)
    }

    /// When a job is ready that an event releases now.
    fn ready_at(self, now: SimTime) -> SimTime {
        match self {
            Self::Interrupt { latency } => later(now, latency.max(SimDuration::ZERO)),
            Self::Event | Self::Periodic { .. } => now,
            Self::Polled { .. } => self.beginning(now).unwrap_or(SimTime(i64::MAX)),
        }
    }
}

/// The processor time of each job; a negative one counts as none.
pub enum ServiceTime {
    /// Always the same.
    Always(SimDuration),
    /// Asked for when a job is released, once for each in the order of the releases; such as a
    /// draw from a random stream.
    Drawn(Box<dyn FnMut() -> SimDuration + Send>),
}

impl ServiceTime {
    fn draw(&mut self) -> SimDuration {
        match self {
            Self::Always(service) => *service,
            Self::Drawn(draw) => draw(),
        }
        .max(SimDuration::ZERO)
    }
}

impl fmt::Debug for ServiceTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Always(service) => write!(f, "Always({service})"),
            Self::Drawn(_) => f.write_str("Drawn"),
        }
    }
}

/// A task, or what serves an interrupt.
#[derive(Debug)]
pub struct Task {
    /// Its name, for reports.
    pub name: String,
    /// 0 is the highest; interrupts are compared with interrupts only.
    pub priority: u8,
    /// How its jobs come about.
    pub release: Release,
    /// The processor time of each.
    pub service: ServiceTime,
    /// The most jobs by events that wait or run; more are dropped.
    pub room: usize,
    /// Whether it is enabled from the start on.
    pub enabled: bool,
}

impl Task {
    /// A task that is enabled and has room for any number of jobs.
    pub fn new(name: &str, priority: u8, release: Release, service: ServiceTime) -> Self {
        Self { name: name.to_owned(), priority, release, service, room: usize::MAX, enabled: true }
    }
}

/// What became of the jobs of a task.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TaskCounts {
    /// Jobs that were released and not dropped at once.
    pub released: u64,
    /// Jobs that have ended.
    pub completed: u64,
    /// Jobs that were dropped: the task was disabled, or had no room.
    pub dropped: u64,
    /// Periods that began before the job of the period before had ended.
    pub missed: u64,
    /// Processor time, with that of jobs dropped later.
    pub busy: SimDuration,
}

/// A job that has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Completed {
    /// When.
    pub at: SimTime,
    /// Its task, counted from 0 in the order of the list.
    pub task: usize,
    /// What the caller released it with; none of a periodic task's own job.
    pub token: Option<u64>,
    /// When it was asked for.
    pub released_at: SimTime,
    /// From when on the processor might run it.
    pub ready_at: SimTime,
    /// When it first ran.
    pub started_at: SimTime,
    /// The processor time that it took.
    pub service: SimDuration,
}

impl Completed {
    /// From the release to the end.
    pub const fn response(&self) -> SimDuration {
        self.at.since(self.released_at)
    }
}

/// The order in which ready jobs run, the first one first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Urgency {
    is_task: bool,
    priority: u8,
    ready_at: SimTime,
    task: usize,
    /// Of all jobs, in the order of their release.
    number: u64,
}

#[derive(Debug)]
struct Job {
    token: Option<u64>,
    released_at: SimTime,
    started_at: Option<SimTime>,
    service: SimDuration,
    remaining: SimDuration,
}

#[derive(Debug)]
struct State {
    task: Task,
    counts: TaskCounts,
    /// Jobs by events that have not ended.
    pending: usize,
    /// Whether the job of its period has not ended.
    is_own_pending: bool,
    /// The next beginning of a period that releases a job.
    beginning: Option<SimTime>,
}

/// A processor with its tasks.
#[derive(Debug)]
pub struct Processor {
    start: SimTime,
    now: SimTime,
    tasks: Vec<State>,
    /// All that have not ended, also those that are not ready yet.
    jobs: BTreeMap<Urgency, Job>,
    number: u64,
    /// Those that have ended and were not taken.
    due: VecDeque<Completed>,
}

impl Processor {
    /// An idle processor. Tasks are known by their places in the list.
    pub fn new(tasks: Vec<Task>, start: SimTime) -> Self {
        let state = |task: Task| State {
            beginning: own_beginning(&task, start),
            task,
            counts: TaskCounts::default(),
            pending: 0,
            is_own_pending: false,
        };
        let tasks = tasks.into_iter().map(state).collect();
        Self { start, now: start, tasks, jobs: BTreeMap::new(), number: 0, due: VecDeque::new() }
    }

    /// An event or an interrupt asks for a job. Whether it was released: not if the task is
    /// disabled, has no room, or is not in the list. What lies before an earlier call counts as
    /// now.
    pub fn release(&mut self, at: SimTime, task: usize, token: u64) -> bool {
        self.settle(at);
        let Some(state) = self.tasks.get_mut(task) else { return false };
        if !state.task.enabled || state.pending >= state.task.room {
            state.counts.dropped += 1;
            return false;
        }
        state.pending += 1;
        self.insert(task, Some(token));
        true
    }

    /// Enables a task, whose periods go on as if it had always been, or disables it; by that its
    /// jobs are dropped wherever they are, and their tokens returned in the order of their release.
    pub fn enable(&mut self, at: SimTime, task: usize, enabled: bool) -> Vec<u64> {
        self.settle(at);
        let Some(state) = self.tasks.get_mut(task) else { return Vec::new() };
        if state.task.enabled == enabled {
            return Vec::new();
        }
        state.task.enabled = enabled;
        state.beginning = own_beginning(&state.task, self.now);
        (state.pending, state.is_own_pending) = (0, false);
        let jobs = self.jobs.extract_if(.., |urgency, _| urgency.task == task);
        let tokens: Vec<Option<u64>> = jobs.map(|(_, job)| job.token).collect();
        state.counts.dropped += tokens.len() as u64;
        tokens.into_iter().flatten().collect()
    }

    /// When [`Self::pop`] has something to do next, if nothing is changed until then. A job need
    /// not end there: another one may become ready.
    pub fn next(&self) -> Option<SimTime> {
        if let Some(completed) = self.due.front() {
            return Some(completed.at);
        }
        let ready = self.jobs.iter().find(|(urgency, _)| urgency.ready_at <= self.now);
        let end = ready.map(|(_, job)| later(self.now, job.remaining));
        end.into_iter().chain(self.arrival()).min()
    }

    /// The next job that has ended up to an instant. Time does not pass beyond its end.
    pub fn pop(&mut self, until: SimTime) -> Option<Completed> {
        match self.due.front() {
            Some(completed) if completed.at > until => None,
            Some(_) => self.due.pop_front(),
            None => self.run(until),
        }
    }

    /// What became of the jobs of a task, up to the latest instant of a call.
    pub fn counts(&self, task: usize) -> Option<TaskCounts> {
        self.tasks.get(task).map(|state| state.counts)
    }

    /// The name of a task.
    pub fn name(&self, task: usize) -> Option<&str> {
        self.tasks.get(task).map(|state| state.task.name.as_str())
    }

    /// The share of the time since the start in which a job ran, from 0 to 1.
    pub fn utilisation(&self) -> f64 {
        let busy: f64 = self.tasks.iter().map(|state| state.counts.busy.as_seconds_f64()).sum();
        let elapsed = self.now.since(self.start).as_seconds_f64();
        if elapsed > 0.0 { busy / elapsed } else { 0.0 }
    }

    fn settle(&mut self, at: SimTime) {
        while let Some(completed) = self.run(at) {
            self.due.push_back(completed);
        }
    }

    fn insert(&mut self, task: usize, token: Option<u64>) {
        let now = self.now;
        let Some(state) = self.tasks.get_mut(task) else { return };
        state.counts.released += 1;
        self.number += 1;
        let release = state.task.release;
        let urgency = Urgency {
            is_task: !matches!(release, Release::Interrupt { .. }),
            priority: state.task.priority,
            ready_at: release.ready_at(now),
            task,
            number: self.number,
        };
        let service = state.task.service.draw();
        let (released_at, remaining) = (now, service);
        self.jobs.insert(urgency, Job { token, released_at, started_at: None, service, remaining });
    }

    /// Releases what periods release that begin now.
    fn begin_periods(&mut self) {
        for task in 0..self.tasks.len() {
            let state = &mut self.tasks[task];
            let Some(at) = state.beginning.filter(|&at| at <= self.now) else { continue };
            state.beginning = state.task.release.beginning(later(at, SimDuration(1)));
            state.beginning = state.beginning.filter(|&next| next > at);
            if state.is_own_pending {
                state.counts.missed += 1;
            } else {
                state.is_own_pending = true;
                self.insert(task, None);
            }
        }
    }

    /// When something becomes ready next, or a period begins.
    fn arrival(&self) -> Option<SimTime> {
        let ready = self.jobs.keys().map(|urgency| urgency.ready_at).filter(|&at| at > self.now);
        ready.chain(self.tasks.iter().filter_map(|state| state.beginning)).min()
    }

    /// Lets time pass up to the end of the next job, or an instant if none ends before it.
    fn run(&mut self, until: SimTime) -> Option<Completed> {
        loop {
            self.begin_periods();
            let now = self.now;
            let arrival = self.arrival().filter(|&at| at <= until);
            let mut to = arrival.unwrap_or(until).max(now);
            if let Some((&urgency, job)) =
                self.jobs.iter_mut().find(|(urgency, _)| urgency.ready_at <= now)
            {
                to = to.min(later(now, job.remaining));
                let span = to.since(now);
                job.remaining = job.remaining - span;
                if span > SimDuration::ZERO || job.remaining == SimDuration::ZERO {
                    job.started_at.get_or_insert(now);
                }
                let is_over = job.remaining == SimDuration::ZERO;
                let counts = &mut self.tasks[urgency.task].counts;
                counts.busy = counts.busy + span;
                if is_over {
                    self.now = to;
                    return self.complete(urgency);
                }
            }
            self.now = to;
            arrival?;
        }
    }

    fn complete(&mut self, urgency: Urgency) -> Option<Completed> {
        let job = self.jobs.remove(&urgency)?;
        let state = &mut self.tasks[urgency.task];
        state.counts.completed += 1;
        match job.token {
            Some(_) => state.pending -= 1,
            None => state.is_own_pending = false,
        }
        Some(Completed {
            at: self.now,
            task: urgency.task,
            token: job.token,
            released_at: job.released_at,
            ready_at: urgency.ready_at,
            started_at: job.started_at.unwrap_or(self.now),
            service: job.service,
        })
    }
}

/// The next beginning of a period that releases a job of a task.
fn own_beginning(task: &Task, now: SimTime) -> Option<SimTime> {
    let is_own = task.enabled && matches!(task.release, Release::Periodic { .. });
    task.release.beginning(now).filter(|_| is_own)
}

/// An instant and a span, up to the end of time.
const fn later(at: SimTime, span: SimDuration) -> SimTime {
    SimTime(at.0.saturating_add(span.0))
}

#[cfg(test)]
#[path = "processor_tests.rs"]
mod tests;
