//! Real-time scheduling for the calling thread: tried, and reported plainly when refused.
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

/// Under what the calling thread runs, as the kernel reports it: `SCHED_FIFO 10`, `SCHED_OTHER`.
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

#[cfg(test)]
mod tests {
    use super::*;

    /// In a thread of its own: the policy dies with it.
    fn in_a_thread<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
        std::thread::spawn(work).join().unwrap()
    }

    /// The policy of a thread as the kernel's own file system shows it (`proc(5)`, `stat`, fields
    /// 41 and 40 with the policy's number and the level).
    fn policy_in_proc() -> (u32, u32) {
        let stat = std::fs::read_to_string("/proc/thread-self/stat").unwrap();
        // The name in brackets may hold anything.
        let fields: Vec<&str> = stat.rsplit_once(')').unwrap().1.split_whitespace().collect();
        (fields[41 - 3].parse().unwrap(), fields[40 - 3].parse().unwrap())
    }

    #[test]
    fn a_thread_is_raised_or_the_reason_reported() {
        let (outcome, word, policy) =
            in_a_thread(|| (raise_this_thread(7), policy_word(), policy_in_proc()));
        match outcome {
            // SCHED_FIFO is number 1.
            Ok(()) => assert_eq!((word.as_str(), policy), ("SCHED_FIFO 7", (1, 7))),
            Err(reason) => {
                assert!(reason.contains("SCHED_FIFO 7 was refused"), "{reason}");
                assert!(reason.contains("CAP_SYS_NICE"), "{reason}");
                assert_eq!(policy.0, 0, "{word}");
            }
        }
    }

    #[test]
    fn a_raised_thread_hands_its_policy_on() {
        let (own, child) = in_a_thread(|| {
            // Refused or not: both threads are alike.
            let _ = raise_this_thread(5);
            (policy_word(), in_a_thread(policy_word))
        });
        assert_eq!(own, child);
    }

    #[test]
    fn levels_beyond_the_range_are_brought_into_it() {
        for (asked, level) in [(0, 1), (200, 99)] {
            let (outcome, word) = in_a_thread(move || (raise_this_thread(asked), policy_word()));
            match outcome {
                Ok(()) => assert_eq!(word, format!("SCHED_FIFO {level}")),
                Err(reason) => assert!(reason.contains(&format!("SCHED_FIFO {level}")), "{reason}"),
            }
        }
    }
}
