//! The machine a run takes place on, and its wall clock: for `run.json`, never for a compared file.

use std::collections::BTreeMap;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use lastmeter_link::clock::ClockWatch;
use lastmeter_record::ClockFacts;
use lastmeter_units::SimTime;
use serde_json::{Value, json};

/// The wall clock.
#[expect(clippy::disallowed_methods, reason = "when a run took place is a fact about the run")]
pub fn wall_now() -> SimTime {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    SimTime::from_nanoseconds(i64::try_from(since.as_nanos()).unwrap_or(i64::MAX))
}

/// The monotonic clock, for how long a run took.
#[expect(clippy::disallowed_methods, reason = "how long a run took is a fact about the run")]
pub fn monotonic() -> Instant {
    Instant::now()
}

/// The wall clock as part of a folder's name: `20270118T170000Z`.
pub fn stamp() -> String {
    let text = wall_now().to_string();
    let digits: String = text.chars().filter(|c| !matches!(c, '-' | ':')).collect();
    format!("{}Z", digits.split('.').next().unwrap_or("unknown").trim_end_matches('Z'))
}

pub(crate) fn versions() -> BTreeMap<String, String> {
    BTreeMap::from([
        ("lastmeter".to_owned(), env!("CARGO_PKG_VERSION").to_owned()),
        ("scenario format".to_owned(), "1".to_owned()),
    ])
}

pub(crate) fn thread_cpu_ns() -> i64 {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    time.tv_sec * 1_000_000_000 + time.tv_nsec
}

/// Whether the clocks could be trusted since the watch began.
pub(crate) fn clock_facts(watch: &ClockWatch) -> ClockFacts {
    let path = "/sys/devices/system/clocksource/clocksource0/current_clocksource";
    let source = std::fs::read_to_string(path).unwrap_or_default();
    let drift = watch.drift();
    ClockFacts {
        source: source.trim().to_owned(),
        wall_step_ns: drift.wall_step_ns,
        suspended_ns: drift.suspended_ns,
    }
}

/// What the machine is called, if it is known.
pub fn host_name() -> Option<String> {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    Some(name.trim().to_owned()).filter(|name| !name.is_empty())
}

/// What is known about the machine.
pub(crate) fn facts() -> BTreeMap<String, Value> {
    let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
    let processor = read("/proc/cpuinfo")
        .lines()
        .find_map(|line| line.strip_prefix("model name")?.split_once(": "))
        .map_or_else(|| "unknown".to_owned(), |(_, name)| name.to_owned());
    let cores = std::thread::available_parallelism().map_or(0, std::num::NonZero::get);
    let or_unknown = |text: String| {
        let text = text.trim().to_owned();
        if text.is_empty() { "unknown".to_owned() } else { text }
    };
    BTreeMap::from([
        ("processor".to_owned(), json!(processor)),
        ("cores".to_owned(), json!(cores)),
        ("kernel".to_owned(), json!(or_unknown(read("/proc/sys/kernel/osrelease")))),
        ("name".to_owned(), json!(or_unknown(host_name().unwrap_or_default()))),
        (
            "system".to_owned(),
            json!(format!("{} {}", std::env::consts::OS, std::env::consts::ARCH)),
        ),
        ("load".to_owned(), json!(or_unknown(read("/proc/loadavg")))),
    ])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_stamp_of_a_folder_has_no_character_that_a_path_cannot_have() {
        let stamp = stamp();
        assert_eq!((stamp.len(), stamp.as_bytes()[8], stamp.as_bytes()[15]), (16, b'T', b'Z'));
        assert!(stamp.chars().all(|c| c.is_ascii_alphanumeric()));
    }
}
