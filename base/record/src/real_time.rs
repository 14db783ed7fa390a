//! What a real-time run reports of its clock, its timers, its links and its floor, in `run.json`.
//!
//! Terms: the *floor* is what the bench and the machine add without the thing under test; a
//! *deadline* is the intended instant of a message, missed if the bench hands the message over
//! later than allowed. All of it is for the verdicts on latency: without it there is none. Every
//! duration is in ns.

use super::load::{LateTick, LoadFacts};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// Some figures of many durations, by nearest rank (numpy's `inverted_cdf`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Summary {
    /// How many there are; lost ones too, which count as [`i64::MAX`].
    pub n: u64,
    /// The median, ns.
    pub p50_ns: i64,
    /// 99 % are at most this.
    pub p99_ns: i64,
    /// 99.9 % are at most this.
    pub p999_ns: i64,
    /// The longest, ns.
    pub max_ns: i64,
}

impl Summary {
    /// The summary of some durations, which it puts in order; `None` without any. A lost one is
    /// handed over as [`i64::MAX`].
    pub fn of(durations_ns: &mut [i64]) -> Option<Self> {
        durations_ns.sort_unstable();
        let n = durations_ns.len();
        let max_ns = *durations_ns.last()?;
        // The smallest with at least the share at or below it, in whole per mille.
        let rank = |per_mille: usize| (n * per_mille).div_ceil(1000).clamp(1, n);
        let at = |per_mille| durations_ns[rank(per_mille) - 1];
        Some(Self { n: n as u64, p50_ns: at(500), p99_ns: at(990), p999_ns: at(999), max_ns })
    }
}

/// Whether the clocks could be trusted.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClockFacts {
    /// The kernel's clock source (`tsc`).
    pub source: String,
    /// How far the wall clock was moved against the monotonic one during the run.
    pub wall_step_ns: i64,
    /// How long the machine was suspended during the run.
    pub suspended_ns: i64,
}

/// How well the bench kept its own schedule: the instant of handing over minus the intended one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Deadlines {
    /// How many messages there were to hand over.
    pub scheduled: u64,
    /// How many the bench handed over later than allowed, or not at all.
    pub missed: u64,
    /// What is allowed: the smaller of 10 % of the period and 5 ms; with several periods the
    /// smallest one's.
    pub limit_ns: i64,
    /// The median lateness, ns.
    pub p50_ns: i64,
    /// 99 % are at most this.
    pub p99_ns: i64,
    /// The worst lateness, ns.
    pub worst_ns: i64,
}

/// What the bench and the machine add without the thing under test, measured before or after a run.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Floor {
    /// How late the bench's own timers fire.
    pub timer: Summary,
    /// Round trips through the same broker and no impairment. `None`: there is nothing to echo.
    #[serde(default)]
    pub echo: Option<Summary>,
    /// What the echo goes through (`publish to own topic, QoS 1`), or why there is none.
    #[serde(default)]
    pub echo_kind: String,
    /// The load average over one minute.
    #[serde(default)]
    pub load: Option<f64>,
    /// Share of time in which something waited for a processor (PSI cpu, some, avg10), in %.
    #[serde(default)]
    pub pressure: Option<f64>,
    /// Share of time stolen by the hypervisor while the floor was measured, in %.
    #[serde(default)]
    pub steal: Option<f64>,
}

impl Floor {
    /// What `echo_kind` begins with where the broker passes no echoes on.
    pub const LOOPBACK: &str = "TCP on loopback";

    /// Whether the echo went past the broker.
    pub fn is_past_broker(&self) -> bool {
        self.echo_kind.starts_with(Self::LOOPBACK)
    }

    /// The worse 99 % of timer and echo: what a limit is held against.
    pub fn p99_ns(&self) -> i64 {
        let echo = self.echo.filter(|echo| echo.n > 0);
        echo.map_or(self.timer.p99_ns, |echo| echo.p99_ns.max(self.timer.p99_ns))
    }
}

/// What one link did, as its proxy logged it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct LinkFacts {
    /// Its name in the scenario.
    pub name: String,
    /// Its legs in words (`flexmeter-wan`).
    #[serde(default)]
    pub kind: String,
    /// Connections that went through it.
    #[serde(default)]
    pub connections: u64,
    /// Chunks it held back and released.
    #[serde(default)]
    pub chunks: u64,
    /// Bytes it passed on.
    #[serde(default)]
    pub bytes: u64,
    /// Connections it broke.
    #[serde(default)]
    pub resets: u64,
    /// The actual release minus the intended one, both legs together.
    #[serde(default)]
    pub release_error: Option<Summary>,
    /// The median delay that it was to inject.
    #[serde(default)]
    pub injected_p50_ns: Option<i64>,
    /// Whether the proxy sets `TCP_NODELAY`.
    #[serde(default)]
    pub nodelay: bool,
    /// Whatever else it reports.
    #[serde(default)]
    pub more: Map<String, Value>,
}

/// How well a simulator of the bench kept its steps.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SimulatorFacts {
    /// Its name in the scenario.
    pub name: String,
    /// Its steps; missed are those that were served when the next one was due already.
    pub steps: Deadlines,
}

/// All a real-time run reports of itself; absent in virtual time.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct RealTimeFacts {
    /// What the clocks did.
    pub clock: ClockFacts,
    /// Which timer wakes the bench (`timerfd`).
    pub timer: String,
    /// The scheduling policy that was got (`SCHED_FIFO 10`).
    pub policy: String,
    /// Why it is not the one that was tried for.
    #[serde(default)]
    pub policy_refused: Option<String>,
    /// Whether the bench's memory is locked.
    #[serde(default)]
    pub memory_locked: bool,
    /// The policy that the threads of a platform of the bench's own got; `None` of another one.
    #[serde(default)]
    pub platform_policy: Option<String>,
    /// Why it is not the one that was tried for.
    #[serde(default)]
    pub platform_policy_refused: Option<String>,
    /// How well the bench kept its schedule.
    pub deadlines: Deadlines,
    /// The deadlines it missed, one by one. Empty with `missed` ones in `deadlines`: there were too
    /// many to keep.
    #[serde(default)]
    pub late_ticks: Vec<LateTick>,
    /// How busy the machine was. `None`: the kernel does not report it.
    #[serde(default)]
    pub load: Option<LoadFacts>,
    /// Until when the bench waited for what was still under way, since the schedule began. What did
    /// not come by then may still have come.
    pub waited_until_ns: i64,
    /// The floor before the run.
    #[serde(default)]
    pub floor_before: Option<Floor>,
    /// The floor after the run.
    #[serde(default)]
    pub floor_after: Option<Floor>,
    /// The links, by name.
    #[serde(default)]
    pub links: Vec<LinkFacts>,
    /// How well simulators kept their steps.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub simulators: Vec<SimulatorFacts>,
    /// Whether devices and observers set `TCP_NODELAY`.
    #[serde(default)]
    pub nodelay: bool,
    /// Transport security between devices and platform: `none`, `server`, `mutual`.
    #[serde(default)]
    pub tls: String,
    /// The longest time between two questions whether a reading is queryable; 0 if the platform
    /// reports by itself. `None`: it was not asked.
    #[serde(default)]
    pub poll_ns: Option<i64>,
    /// Readings that came to an observer behind one with a higher serial of the same device.
    #[serde(default)]
    pub reordered: u64,
    /// Copies that came beyond the first.
    #[serde(default)]
    pub duplicates: u64,
    /// Whatever else is worth keeping: kernel preemption, steal over the run, ...
    #[serde(default)]
    pub more: Map<String, Value>,
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `numpy.percentile([...], [50, 99, 99.9], method="inverted_cdf")`.
    #[test]
    fn a_summary_is_by_nearest_rank() {
        let mut thousand: Vec<i64> = (1..=1000).rev().collect();
        let of = |n, p50_ns, p99_ns, p999_ns, max_ns| {
            Some(Summary { n, p50_ns, p99_ns, p999_ns, max_ns })
        };
        assert_eq!(Summary::of(&mut thousand), of(1000, 500, 990, 999, 1000));
        assert_eq!(Summary::of(&mut [4, 1, 3]), of(3, 3, 4, 4, 4));
        assert_eq!(Summary::of(&mut [7]), of(1, 7, 7, 7, 7));
        assert_eq!(Summary::of(&mut []), None);
    }

    #[test]
    fn the_floor_is_the_worse_of_timer_and_echo() {
        let summary = |p99_ns| Summary { n: 2000, p99_ns, ..Summary::default() };
        let floor = |timer, echo| Floor { timer: summary(timer), echo, ..Floor::default() };
        assert_eq!(floor(100, None).p99_ns(), 100);
        assert_eq!(floor(100, Some(summary(300))).p99_ns(), 300);
        assert_eq!(floor(400, Some(summary(300))).p99_ns(), 400);
    }

    #[test]
    fn facts_read_back_and_may_lack_what_is_not_needed() {
        let facts = RealTimeFacts {
            floor_before: Some(Floor { load: Some(0.5), ..Floor::default() }),
            links: vec![LinkFacts { name: "wan".to_owned(), ..LinkFacts::default() }],
            ..RealTimeFacts::default()
        };
        let json = serde_json::to_string(&facts).unwrap();
        assert_eq!(serde_json::from_str::<RealTimeFacts>(&json).unwrap(), facts);
        let json = r#"{"clock":{"source":"tsc","wall_step_ns":0,"suspended_ns":0},
            "timer":"timerfd","policy":"SCHED_OTHER","waited_until_ns":1,"deadlines":{"scheduled":1,
            "missed":0,"limit_ns":1,"p50_ns":1,"p99_ns":1,"worst_ns":1}}"#;
        assert_eq!(serde_json::from_str::<RealTimeFacts>(json).unwrap().floor_before, None);
    }
}
