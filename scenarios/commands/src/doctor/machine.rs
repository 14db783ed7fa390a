//! Processors, kernel and clocks, as the kernel's files show them. What is not there is reported
//! to be unknown; nothing here fails.

use std::path::Path;

use lastmeter_bench::floor::{load, pressure, text};
use rustix::time::{ClockId, clock_getres};

use super::finding::{Finding, Section, Topic};

/// One line about the machine.
pub(super) fn title(root: &Path) -> String {
    let processor = text(root, "proc/cpuinfo")
        .and_then(|text| {
            let line = text.lines().find_map(|line| line.strip_prefix("model name"))?;
            Some(line.split_once(": ")?.1.to_owned())
        })
        .unwrap_or_else(|| "unknown processor".to_owned());
    let kernel = text(root, "proc/sys/kernel/osrelease").unwrap_or_else(|| "unknown".to_owned());
    format!("{processor}, {} cores, Linux {kernel}", cores())
}

fn cores() -> usize {
    std::thread::available_parallelism().map_or(0, std::num::NonZero::get)
}

pub(super) fn findings(root: &Path) -> Vec<Finding> {
    vec![
        enough_cores(cores()),
        quota(text(root, "sys/fs/cgroup/cpu.max").as_deref()),
        busy(load(root), cores()),
        waiting(pressure(root)),
        governor(text(root, "sys/devices/system/cpu/cpu0/cpufreq/scaling_governor").as_deref()),
        preemption(root),
        clock_source(
            text(root, "sys/devices/system/clocksource/clocksource0/current_clocksource")
                .as_deref(),
        ),
        resolution(),
        synchronised(root),
        hardware_clocks(root),
    ]
}

fn unknown(topic: Topic, advice: &str) -> Finding {
    topic.no("not reported by the kernel", advice)
}

fn enough_cores(cores: usize) -> Finding {
    const TOPIC: Topic = Section::Processors.topic("cores");
    let advice = "bench, broker and store share them; expect tails, or run the platform elsewhere";
    TOPIC.graded(cores >= 4, cores.to_string(), advice)
}

/// `max 100000` or `200000 100000`: quota and period of the control group, in us.
fn quota(cpu_max: Option<&str>) -> Finding {
    const TOPIC: Topic = Section::Processors.topic("processor_quota");
    let Some((quota, period)) = cpu_max.and_then(|text| text.split_once(' ')) else {
        return TOPIC.ok("none reported");
    };
    if quota == "max" {
        return TOPIC.ok("none");
    }
    TOPIC.limited(
        format!("{quota} us of every {period} us"),
        "give the container no quota: the kernel stops it for the rest of a period, which shows \
         as latency",
    )
}

fn busy(load: Option<f64>, cores: usize) -> Finding {
    const TOPIC: Topic = Section::Processors.topic("load");
    let advice = "stop what else is running; with normal priority every timer suffers from it";
    match load {
        None => unknown(TOPIC, "compare the floor before and after a run"),
        Some(load) => {
            let found = format!("{load:.2} over a minute, {cores} cores");
            TOPIC.graded(load / cores.max(1) as f64 <= 0.5, found, advice)
        }
    }
}

fn waiting(pressure: Option<f64>) -> Finding {
    const TOPIC: Topic = Section::Processors.topic("pressure");
    let advice = "something waits for a processor all the time; stop what else is running";
    match pressure {
        None => unknown(TOPIC, "a kernel with PSI reports more about load"),
        Some(share) => {
            let found = format!("{share:.1} % of 10 s some task waited for a processor");
            TOPIC.graded(share <= 10.0, found, advice)
        }
    }
}

fn governor(name: Option<&str>) -> Finding {
    const TOPIC: Topic = Section::Processors.topic("frequency_governor");
    match name {
        None => TOPIC.ok("none, as in virtual machines"),
        Some("performance") => TOPIC.ok("performance"),
        Some(other) => {
            TOPIC.limited(other, "set it to `performance`: waking a slow core takes longer")
        }
    }
}

/// The preemption model, the active one where the kernel shows it, and the tick where it does.
fn preemption(root: &Path) -> Finding {
    const TOPIC: Topic = Section::Time.topic("preemption");
    let version = text(root, "proc/version").unwrap_or_default();
    let real_time =
        text(root, "sys/kernel/realtime").as_deref() == Some("1") || version.contains("PREEMPT_RT");
    if real_time {
        return TOPIC.ok("PREEMPT_RT");
    }
    let built = version.split_whitespace().find(|word| word.starts_with("PREEMPT"));
    // `none voluntary (full) lazy`, for root only.
    let active = text(root, "sys/kernel/debug/sched/preempt").and_then(|models| {
        let active = models.split_whitespace().find(|word| word.starts_with('('))?;
        Some(active.trim_matches(['(', ')']).to_owned())
    });
    let found = match (built, active) {
        (None, None) => {
            return unknown(TOPIC, "see the timer errors, which are what counts");
        }
        (built, active) => {
            let hz = tick_hz(root).map_or_else(String::new, |hz| format!(", {hz} Hz tick"));
            let model = active.unwrap_or_else(|| "model not reported".to_owned());
            format!("{}, {model}{hz}", built.unwrap_or("not dynamic"))
        }
    };
    let advice = "boot with `preempt=full`, or use a PREEMPT_RT kernel, for shorter tails";
    TOPIC.graded(found.contains(" full"), found, advice)
}

fn tick_hz(root: &Path) -> Option<u32> {
    let release = text(root, "proc/sys/kernel/osrelease")?;
    let config = text(root, &format!("boot/config-{release}"))?;
    config.lines().find_map(|line| line.strip_prefix("CONFIG_HZ=")?.parse().ok())
}

fn clock_source(name: Option<&str>) -> Finding {
    const TOPIC: Topic = Section::Time.topic("clock_source");
    match name {
        None => unknown(TOPIC, "see the timer errors, which are what counts"),
        Some(name @ ("tsc" | "kvm-clock" | "arch_sys_counter" | "hyperv_clocksource_tsc_page")) => {
            TOPIC.ok(name)
        }
        Some(name) => TOPIC.limited(
            name,
            "reading it takes a system call or a device access; choose `tsc` where it is stable",
        ),
    }
}

fn resolution() -> Finding {
    const TOPIC: Topic = Section::Time.topic("timer_resolution");
    let resolution = clock_getres(ClockId::Monotonic);
    let ns = resolution.tv_sec.saturating_mul(1_000_000_000).saturating_add(resolution.tv_nsec);
    let advice = "the kernel has no high-resolution timers; boot without `highres=off`";
    TOPIC.graded(ns <= 1_000, format!("{ns} ns"), advice)
}

/// Whether a time service reports that it keeps the clock. One host needs none: its latencies are
/// taken from one monotonic clock.
fn synchronised(root: &Path) -> Finding {
    const TOPIC: Topic = Section::Time.topic("time_service");
    let there = |path: &str| root.join(path).exists();
    if there("run/systemd/timesync/synchronized") {
        return TOPIC.ok("systemd-timesyncd, synchronised");
    }
    for (path, service) in [
        ("run/chrony/chronyd.sock", "chrony"),
        ("run/chrony/chronyd.pid", "chrony"),
        ("run/ntpd.pid", "ntpd"),
        ("run/ptp4l", "ptp4l"),
    ] {
        if there(path) {
            return TOPIC.limited(
                format!("{service} runs; how well it keeps the clock is not reported here"),
                "ask it (`chronyc tracking`, `ntpq -p`) before latencies between two hosts are \
                 believed; on one host it does not matter",
            );
        }
    }
    TOPIC.no(
        "none found",
        "on one host it does not matter; between two hosts only round trips can be judged",
    )
}

fn hardware_clocks(root: &Path) -> Finding {
    const TOPIC: Topic = Section::Time.topic("ptp");
    let clocks: Vec<String> = super::equipment::names(&root.join("dev"), &["ptp"])
        .into_iter()
        .map(|clock| {
            let name = text(root, &format!("sys/class/ptp/{clock}/clock_name"));
            format!("/dev/{clock} ({})", name.unwrap_or_else(|| "no name".to_owned()))
        })
        .collect();
    if clocks.is_empty() {
        let advice = "needed only for one-way latency between hosts, and for simulator racks";
        return TOPIC.no("no hardware clock", advice);
    }
    TOPIC.ok(clocks.join(", "))
}
