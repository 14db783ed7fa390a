//! What the process may do: real-time scheduling, locked memory, open files.

use std::path::Path;

use lastmeter_bench::floor::text;
use lastmeter_link::priority;
use rustix::process::{Resource, Rlimit, getrlimit};

use super::finding::{Finding, Section, Topic};

/// Open files that a bench of ten thousand connections needs on both sides of its links.
const FILES_GOOD: u64 = 65_536;
/// Open files below which a few hundred connections already fail.
const FILES_LEAST: u64 = 4_096;

pub(super) fn findings(root: &Path) -> Vec<Finding> {
    let rtprio = getrlimit(Resource::Rtprio);
    let memlock = getrlimit(Resource::Memlock);
    vec![
        real_time(tried_fifo(), rtprio),
        real_time_share(text(root, "proc/sys/kernel/sched_rt_runtime_us").as_deref()),
        locked_memory(tried_lock(), memlock),
        open_files(getrlimit(Resource::Nofile)),
    ]
}

/// Tries it in a thread that ends afterwards: the policy goes with it.
fn tried_fifo() -> Result<String, String> {
    let tried = std::thread::Builder::new().name("doctor-fifo".to_owned()).spawn(|| {
        priority::raise_this_thread(priority::DEFAULT_LEVEL).map(|()| priority::policy_word())
    });
    let joined = tried.map_err(|error| error.to_string())?.join();
    joined.unwrap_or_else(|_| Err("the attempt panicked".to_owned()))
}

/// Tries it and gives it back.
fn tried_lock() -> Result<(), String> {
    priority::lock_memory()?;
    // What the process had not locked before this, nobody relies on.
    let _ = rustix::mm::munlockall();
    Ok(())
}

fn limit(limit: Option<u64>) -> String {
    limit.map_or_else(|| "unlimited".to_owned(), |limit| limit.to_string())
}

fn real_time(tried: Result<String, String>, rtprio: Rlimit) -> Finding {
    const TOPIC: Topic = Section::Rights.topic("real_time_priority");
    let rlimit = format!("rtprio limit {}", limit(rtprio.current));
    match tried {
        Ok(policy) => TOPIC.ok(format!("{policy} granted, {rlimit}")),
        Err(why) => TOPIC.limited(
            format!("{why}; {rlimit}"),
            "run as root or with CAP_SYS_NICE, or give the user an rtprio limit in \
             /etc/security/limits.d",
        ),
    }
}

/// What share of the time real-time threads may take before the kernel holds them back.
fn real_time_share(runtime_us: Option<&str>) -> Finding {
    const TOPIC: Topic = Section::Rights.topic("real_time_share");
    match runtime_us.and_then(|text| text.parse::<i64>().ok()) {
        None => TOPIC.no(
            "not reported by the kernel",
            "nothing to do: threads of the bench wait rather than spin",
        ),
        Some(-1) => TOPIC.ok("not held back"),
        Some(us) if us >= 500_000 => {
            let found = format!("held back after {} ms", us / 1000);
            TOPIC.ok(found)
        }
        Some(us) => TOPIC.limited(
            format!("held back after {us} us"),
            "raise /proc/sys/kernel/sched_rt_runtime_us to its default of 950000",
        ),
    }
}

fn locked_memory(tried: Result<(), String>, memlock: Rlimit) -> Finding {
    const TOPIC: Topic = Section::Rights.topic("locked_memory");
    let rlimit = match memlock.current {
        None => "memlock unlimited".to_owned(),
        Some(bytes) => format!("memlock limit {} KiB", bytes / 1024),
    };
    match tried {
        Ok(()) => TOPIC.ok(format!("granted, {rlimit}")),
        Err(why) => TOPIC.limited(
            format!("{why}; {rlimit}"),
            "run as root or with CAP_IPC_LOCK, or give the user an unlimited memlock in \
             /etc/security/limits.d",
        ),
    }
}

fn open_files(files: Rlimit) -> Finding {
    const TOPIC: Topic = Section::Rights.topic("open_files");
    let found = format!("{} at a time, at most {}", limit(files.current), limit(files.maximum));
    let advice = "raise it with `ulimit -n`; each connection through a link takes up to six";
    match files.current {
        Some(least) if least < FILES_LEAST => TOPIC.no(found, advice),
        Some(some) if some < FILES_GOOD => TOPIC.limited(found, advice),
        _ => TOPIC.ok(found),
    }
}

#[cfg(test)]
mod tests {
    use super::super::finding::Status;
    use super::*;

    fn rlimit(current: Option<u64>) -> Rlimit {
        Rlimit { current, maximum: current }
    }

    #[test]
    fn a_refused_right_is_a_limit_with_its_reason_and_what_would_grant_it() {
        let refused = real_time(Err("SCHED_FIFO 10 was refused".to_owned()), rlimit(Some(0)));
        assert_eq!(refused.status, Status::Limited);
        assert_eq!(refused.found, "SCHED_FIFO 10 was refused; rtprio limit 0");
        assert!(refused.advice.unwrap().contains("CAP_SYS_NICE"));
        let granted = real_time(Ok("SCHED_FIFO 10".to_owned()), rlimit(None));
        assert_eq!((granted.status, granted.advice), (Status::Ok, None));
        let refused = locked_memory(Err("refused".to_owned()), rlimit(Some(8 << 20)));
        assert_eq!(refused.found, "refused; memlock limit 8192 KiB");
    }

    #[test]
    fn few_open_files_are_reported() {
        let status = |current| open_files(rlimit(current)).status;
        assert_eq!(status(Some(1024)), Status::No);
        assert_eq!(status(Some(20_000)), Status::Limited);
        assert_eq!(status(Some(1 << 20)), Status::Ok);
        assert_eq!(status(None), Status::Ok);
    }

    #[test]
    fn the_share_of_real_time_threads_is_read() {
        assert_eq!(real_time_share(Some("-1")).status, Status::Ok);
        assert_eq!(real_time_share(Some("950000")).found, "held back after 950 ms");
        assert_eq!(real_time_share(Some("1000")).status, Status::Limited);
        assert_eq!(real_time_share(None).status, Status::No);
        assert_eq!(real_time_share(Some("x")).status, Status::No);
    }
}
