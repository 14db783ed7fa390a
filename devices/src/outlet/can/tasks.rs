//! The processor of a node: its receive interrupt, its main task, and the four that the main task
//! enables and disables.
//!
//! The main task goes before all others. The one that measures has a job for each measurement, and
//! what it measured is there when that is done; those of pages and display take time at the
//! beginnings of their periods. A service time of zero takes no part in that.

use lastmeter_can::frame::CanFrame;
use lastmeter_can::node::processor::{Release, ServiceTime, Task};
use lastmeter_sim::ReferenceSpan;
use lastmeter_units::{SimDuration, SimTime};

use super::registers::Values;
use crate::border::NodeTask;
use crate::can::software::Software;

/// A task of a node.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TaskParts {
    /// Between two beginnings, of a task with periods. Zero of the one that serves the bus: it is
    /// woken.
    pub(crate) period: SimDuration,
    /// 1 is the highest.
    pub(crate) priority: u8,
    /// What one job takes.
    pub(crate) service: SimDuration,
}

/// What the software of a node takes.
#[derive(Clone, Debug)]
pub(crate) struct SoftwareParts {
    /// From the end of a frame to the interrupt routine.
    pub(crate) interrupt_latency: SimDuration,
    /// What that routine takes for one frame.
    pub(crate) interrupt_service: SimDuration,
    /// What the main task takes to enable or disable another one.
    pub(crate) main_service: SimDuration,
    /// In the order of [`NodeTask::ALL`].
    pub(crate) tasks: [TaskParts; NodeTask::ALL.len()],
    /// Those that the main task enables when the node starts.
    pub(crate) enabled: Vec<NodeTask>,
}

#[cfg(test)]
impl SoftwareParts {
    /// Of a node whose software takes so long for an answer, and nothing else.
    pub(crate) fn serving_the_bus(interrupt_latency: SimDuration, service: SimDuration) -> Self {
        let none = TaskParts { period: SimDuration::ZERO, priority: 1, service: SimDuration::ZERO };
        let can = TaskParts { service, ..none };
        Self {
            interrupt_latency,
            interrupt_service: SimDuration::ZERO,
            main_service: SimDuration::ZERO,
            tasks: NodeTask::ALL.map(|task| if task == NodeTask::Can { can } else { none }),
            enabled: NodeTask::ALL.to_vec(),
        }
    }
}

/// What a job is about.
#[derive(Debug)]
pub(super) enum Job {
    /// A frame is in the controller.
    Interrupt,
    /// The main task enables a task, or disables it.
    Switch(NodeTask, bool),
    /// The frame is to be answered.
    Answer(CanFrame),
    /// Something was measured.
    Measured(ReferenceSpan, Values),
}

const INTERRUPT: usize = 0;
const MAIN: usize = 1;

const fn place(task: NodeTask) -> usize {
    MAIN + 1 + task as usize
}

/// A node's processor with its tasks.
#[derive(Debug)]
pub(super) struct NodeSoftware {
    parts: SoftwareParts,
    software: Software<Job>,
    is_enabled: [bool; NodeTask::ALL.len()],
}

impl NodeSoftware {
    pub(super) fn new(parts: SoftwareParts, start: SimTime) -> Self {
        let always = ServiceTime::Always;
        let interrupt = Release::Interrupt { latency: parts.interrupt_latency };
        let mut tasks = vec![
            Task::new("CAN receive", 0, interrupt, always(parts.interrupt_service)),
            Task::new("main", 0, Release::Event, always(parts.main_service)),
        ];
        for (task, &TaskParts { period, priority, service }) in
            NodeTask::ALL.into_iter().zip(&parts.tasks)
        {
            let release = match task {
                NodeTask::Can if period > SimDuration::ZERO => {
                    Release::Polled { first: start, period }
                }
                NodeTask::Server | NodeTask::UserInterface if service > SimDuration::ZERO => {
                    Release::Periodic { first: start, period }
                }
                _ => Release::Event,
            };
            let enabled = parts.enabled.contains(&task);
            let task = Task::new(task.word(), priority, release, always(service));
            tasks.push(Task { enabled, ..task });
        }
        let is_enabled = NodeTask::ALL.map(|task| parts.enabled.contains(&task));
        Self { software: Software::new(tasks, start), is_enabled, parts }
    }

    pub(super) fn is_enabled(&self, task: NodeTask) -> bool {
        self.is_enabled[task as usize]
    }

    /// Whether measuring takes the processor any time.
    pub(super) fn has_to_measure(&self) -> bool {
        self.is_enabled(NodeTask::Measure)
            && self.parts.tasks[NodeTask::Measure as usize].service > SimDuration::ZERO
    }

    /// Gives whose it is a job.
    pub(super) fn release(&mut self, now: SimTime, job: Job) {
        let place = match job {
            Job::Interrupt => INTERRUPT,
            Job::Switch(..) => MAIN,
            Job::Answer(_) => place(NodeTask::Can),
            Job::Measured(..) => place(NodeTask::Measure),
        };
        self.software.release(now, place, job);
    }

    pub(super) fn done(&mut self, now: SimTime) -> Option<Job> {
        self.software.done(now)
    }

    pub(super) fn next(&self) -> Option<SimTime> {
        self.software.next()
    }

    /// The main task has come to it.
    pub(super) fn enable(&mut self, now: SimTime, task: NodeTask, is_enabled: bool) {
        self.is_enabled[task as usize] = is_enabled;
        self.software.enable(now, place(task), is_enabled);
    }

    /// The application hangs: what waits to be answered is dropped.
    pub(super) fn drop_answers(&mut self, now: SimTime) {
        let is_enabled = self.is_enabled(NodeTask::Can);
        self.software.enable(now, place(NodeTask::Can), false);
        self.software.enable(now, place(NodeTask::Can), is_enabled);
    }

    /// There is no supply: nothing is done any more.
    pub(super) fn stop(&mut self, now: SimTime) {
        for task in 0..=place(NodeTask::UserInterface) {
            self.software.enable(now, task, false);
        }
        self.software.forget();
    }

    /// The supply is back, and the main task enables what it enables at a start.
    pub(super) fn restart(&mut self, now: SimTime) {
        self.software.enable(now, INTERRUPT, true);
        self.software.enable(now, MAIN, true);
        for task in NodeTask::ALL {
            self.enable(now, task, self.parts.enabled.contains(&task));
        }
    }
}
