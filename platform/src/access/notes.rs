//! What was written into a tenant's audit besides changes, so that it does not grow with whoever
//! asks: so many denials a minute, and one reading of others' data a day.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;
use std::time::Duration;

use lastmeter_store::lock;
use lastmeter_units::HardwareId;
use tokio::time::Instant;

/// Denials of a principal that are written in a minute; of more of them the sum is.
pub(crate) const DENIALS_MAX: u32 = 20;
pub(crate) const MINUTE: Duration = Duration::from_mins(1);
/// Principals whose denials are counted.
const DENIED_MAX: usize = 1000;
/// Readings of others' data that are remembered as written.
const READS_MAX: usize = 100_000;

/// What is written, and what of it a short time ago.
#[derive(Default)]
pub(crate) struct Notes {
    denials: Mutex<BTreeMap<String, Denials>>,
    /// Day, reader and device.
    reads: Mutex<BTreeSet<(i64, String, HardwareId)>>,
}

/// Denials of a principal in a minute.
#[derive(Clone, Copy)]
struct Denials {
    began: Instant,
    count: u32,
}

impl Notes {
    /// Counts a denial; how many there were in its minute.
    pub(crate) fn count(&self, who: &str) -> u32 {
        let mut all = lock(&self.denials);
        let now = Instant::now();
        let is_over = |denials: &Denials| now.duration_since(denials.began) >= MINUTE;
        if all.len() >= DENIED_MAX && !all.contains_key(who) {
            all.retain(|_, denials| !is_over(denials));
        }
        let who = if all.len() < DENIED_MAX || all.contains_key(who) { who } else { "others" };
        let denials = all.entry(who.to_owned()).or_insert(Denials { began: now, count: 0 });
        if is_over(denials) {
            *denials = Denials { began: now, count: 0 };
        }
        denials.count += 1;
        denials.count
    }

    /// Whether it was written that day that a reader had data of a device.
    pub(crate) fn has_reading(&self, one: &(i64, String, HardwareId)) -> bool {
        lock(&self.reads).contains(one)
    }

    /// Takes note of it; whether it is new.
    pub(crate) fn add_reading(&self, one: (i64, String, HardwareId)) -> bool {
        let mut reads = lock(&self.reads);
        if reads.len() >= READS_MAX {
            reads.retain(|(day, ..)| *day == one.0);
        }
        reads.len() >= READS_MAX || reads.insert(one)
    }

    /// Ends the minute of a principal; how many denials there were beyond those that were written.
    pub(crate) fn beyond(&self, who: &str) -> u32 {
        let ended = lock(&self.denials).remove(who);
        ended.map_or(0, |denials| denials.count.saturating_sub(DENIALS_MAX))
    }
}
