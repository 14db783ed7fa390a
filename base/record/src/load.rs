//! How busy the machine was while a real-time run went on, second by second, in `run.json`.
//!
//! Terms: the *run-queue wait* of a thread is how long it was ready to run and got no processor, as
//! the kernel counts it (second figure of `/proc/PID/task/TID/schedstat`). It is looked at several
//! times a second: a *look* is the time between two of them. *Pressure* is the share of the time in
//! which anything on the machine waited for a processor (PSI), *stolen* what the hypervisor gave to
//! others.

use serde::{Deserialize, Serialize};

/// How long the one thread that waited longest of several waited for a processor, in ns.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Wait {
    /// In the whole second.
    pub total_ns: i64,
    /// In the worst look of the second.
    pub longest_ns: i64,
    /// On average each time it ran, of the thread for which this is most; of threads that ran ten
    /// times in the second, or oftener.
    #[serde(default)]
    pub each_ns: i64,
}

impl Wait {
    /// Of two stretches that are joined to one.
    fn joined(self, next: Self) -> Self {
        Self {
            total_ns: self.total_ns + next.total_ns,
            longest_ns: self.longest_ns.max(next.longest_ns),
            each_ns: self.each_ns.max(next.each_ns),
        }
    }
}

/// One second of a run; of a long run several.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct LoadSecond {
    /// When it began, since the schedule began, in ns.
    pub from_ns: i64,
    /// When it ended.
    pub to_ns: i64,
    /// The waits of the bench's threads that stamp messages or pass them on.
    pub bench: Wait,
    /// The waits of the platform's threads. `None`: they cannot be seen, as those of a platform on
    /// another machine.
    #[serde(default)]
    pub platform: Option<Wait>,
    /// The waits of the kernel's threads that write to disks and serve interrupts.
    #[serde(default)]
    pub kernel: Option<Wait>,
    /// Share of the time in which something waited for a processor, in %.
    #[serde(default)]
    pub pressure: Option<f64>,
    /// Share of the time that the hypervisor gave to others, in %.
    #[serde(default)]
    pub steal: Option<f64>,
}

impl LoadSecond {
    /// This stretch and the one that follows it as one.
    #[must_use]
    pub fn joined(self, next: Self) -> Self {
        let both = |a: Option<Wait>, b: Option<Wait>| match (a, b) {
            (Some(a), Some(b)) => Some(a.joined(b)),
            (one, other) => one.or(other),
        };
        let lengths = [self.to_ns - self.from_ns, next.to_ns - next.from_ns].map(|ns| ns as f64);
        let mean = |a: Option<f64>, b: Option<f64>| match (a, b) {
            (Some(a), Some(b)) => {
                Some((a * lengths[0] + b * lengths[1]) / (lengths[0] + lengths[1]).max(1.0))
            }
            (one, other) => one.or(other),
        };
        Self {
            from_ns: self.from_ns,
            to_ns: next.to_ns,
            bench: self.bench.joined(next.bench),
            platform: both(self.platform, next.platform),
            kernel: both(self.kernel, next.kernel),
            pressure: mean(self.pressure, next.pressure),
            steal: mean(self.steal, next.steal),
        }
    }
}

/// What was seen of the load in a run.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct LoadFacts {
    /// How long a look is at least, in ns. Under load it is longer, and what a look has found is
    /// never cut in pieces.
    pub look_ns: i64,
    /// The seconds, one after the other.
    pub seconds: Vec<LoadSecond>,
}

/// A due instant that the bench served late.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LateTick {
    /// When it was due, since the schedule began, in ns.
    pub at_ns: i64,
    /// How much later it was served, in ns.
    pub lateness_ns: i64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_seconds_as_one_keep_sums_and_the_worst() {
        let wait = |total_ns, longest_ns| Wait { total_ns, longest_ns, each_ns: longest_ns / 2 };
        let second = |from_ns, to_ns, bench, platform, pressure| LoadSecond {
            from_ns,
            to_ns,
            bench,
            platform,
            pressure,
            ..LoadSecond::default()
        };
        let one = second(0, 1_000, wait(10, 7), Some(wait(1, 1)), Some(40.0));
        let two = second(1_000, 4_000, wait(5, 5), None, Some(0.0));
        let both = second(0, 4_000, wait(15, 7), Some(wait(1, 1)), Some(10.0));
        assert_eq!(one.joined(two), both);
    }
}
