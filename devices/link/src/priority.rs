//! Real-time scheduling for the calling thread: tried, and said plainly when refused.
//!
//! A thread that is raised hands its policy on to the threads it starts afterwards; a runtime whose
//! workers shall be raised does so in its `on_thread_start`. A thread under `SCHED_FIFO` keeps its
//! processor until it waits, so raise threads that wait, never ones that compute.
//!
//! Nothing here retries, and nothing fails a run: who is refused goes on and records the reason.

use std::fmt::Display;

use rustix::mm::{MlockAllFlags, mlockall};
use thread_priority::{
    RealtimeThreadSchedulePolicy, ThreadPriority, ThreadPriorityValue, ThreadSchedulePolicy,
    set_thread_priority_and_policy, thread_native_id, thread_schedule_policy_param,
};

/// The level asked for unless somebody knows better: above ordinary real-time work, below the
/// kernel's own interrupt threads (50).
pub const DEFAULT_LEVEL: u8 = 10;

/// Tries to put the calling thread under `SCHED_FIFO` at a level from 1 to 99 (others are brought
/// into that range).
///
/// # Errors
/// The reason in words, and what would grant it.
pub fn raise_this_thread(level: u8) -> Result<(), String> {
    let level = level.clamp(1, 99);
    let wanted = ThreadPriorityValue::try_from(level)
        .map_err(|error| refused("SCHED_FIFO", level, error))?;
    let fifo = ThreadSchedulePolicy::Realtime(RealtimeThreadSchedulePolicy::Fifo);
    set_thread_priority_and_policy(thread_native_id(), ThreadPriority::Crossplatform(wanted), fifo)
        .map_err(|error| refused("SCHED_FIFO", level, format!("{error:?}")))
}

fn refused(policy: &str, level: u8, error: impl Display) -> String {
    format!(
        "{policy} {level} was refused ({error}): run as root, with CAP_SYS_NICE, or with an \
         rtprio limit of at least {level}"
    )
}

/// Tries to keep all memory of the process, present and to come, out of swap.
///
/// # Errors
/// The reason in words, and what would grant it.
pub fn lock_memory() -> Result<(), String> {
    mlockall(MlockAllFlags::CURRENT | MlockAllFlags::FUTURE).map_err(|error| {
        format!(
            "locking memory was refused ({error}): run as root, with CAP_IPC_LOCK, or with an \
             unlimited memlock"
        )
    })
}

/// Under what the calling thread runs, as the kernel says: `SCHED_FIFO 10`, `SCHED_OTHER`.
pub fn policy_word() -> String {
    use thread_priority::NormalThreadSchedulePolicy as Normal;
    use thread_priority::RealtimeThreadSchedulePolicy as Realtime;
    let (policy, level) = match thread_schedule_policy_param(thread_native_id()) {
        Ok((policy, parameter)) => (policy, parameter.sched_priority),
        Err(error) => return format!("unknown ({error:?})"),
    };
    match policy {
        ThreadSchedulePolicy::Realtime(Realtime::Fifo) => format!("SCHED_FIFO {level}"),
        ThreadSchedulePolicy::Realtime(Realtime::RoundRobin) => format!("SCHED_RR {level}"),
        ThreadSchedulePolicy::Normal(Normal::Other) => "SCHED_OTHER".to_owned(),
        ThreadSchedulePolicy::Normal(Normal::Batch) => "SCHED_BATCH".to_owned(),
        ThreadSchedulePolicy::Normal(Normal::Idle) => "SCHED_IDLE".to_owned(),
        other => format!("{other:?} {level}"),
    }
}
