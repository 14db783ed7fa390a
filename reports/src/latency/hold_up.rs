//! How long load on the machine can have held a message up, at most.
//!
//! Terms: a message is *held up* while a thread that is to pass it on is ready to run and gets no
//! processor. Of each second of a run the record has how long the threads of the bench, of a
//! platform of its own and of the kernel's disks and interrupts waited; a due instant that the
//! bench served late has held up whatever was under way then for as long. What holds a message up
//! makes it later, never earlier: so a message in time is so for certain, and one that is late may
//! owe it to the machine.
//!
//! A result is *touched* by load if that can have held up what it rests on for longer than a tenth
//! of its limit. Below that it is not looked at: on an idle machine threads wait as well, and waits
//! lead to no more than their own length of delay only as long as nothing fills up behind them.

use lastmeter_record::{LateTick, LoadFacts, LoadSecond, RealTimeFacts, Wait};

/// So often a message waits for a thread of one kind to run: of the bench for the device, its link
/// on both sides and the observer; of the platform for broker, journal and store.
const WAKES: i64 = 5;

/// A limit is touched by what is longer than this part of it.
const PART_OF_LIMIT: i64 = 10;

/// What load and late ticks can have done in a run, and when.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct HoldUps {
    /// `None`: nobody looked, or the kernel does not report it.
    load: Option<LoadFacts>,
    /// In order of their instants.
    ticks: Vec<LateTick>,
    /// The longest lateness of these: no tick that was due earlier than so long ago matters.
    worst_tick_ns: i64,
}

impl HoldUps {
    /// Of a run.
    pub fn of(real: &RealTimeFacts) -> Self {
        let mut ticks = real.late_ticks.clone();
        ticks.sort_unstable_by_key(|tick| tick.at_ns);
        let worst_tick_ns = ticks.iter().map(|tick| tick.lateness_ns).max().unwrap_or(0);
        let mut load = real.load.clone();
        if let Some(load) = &mut load {
            load.seconds.sort_by_key(|second| second.from_ns);
        }
        Self { load, ticks, worst_tick_ns }
    }

    /// How long, at most, load can have held up what went on from one instant to another, in ns.
    pub fn at_most_ns(&self, from_ns: i64, to_ns: i64) -> i64 {
        let to_ns = to_ns.max(from_ns);
        let mut held_up_ns = self.by_ticks_ns(from_ns, to_ns);
        if let Some(LoadFacts { look_ns, seconds }) = &self.load {
            let first = seconds.partition_point(|second| second.to_ns < from_ns);
            for second in seconds[first..].iter().take_while(|second| second.from_ns <= to_ns) {
                let shared_ns = to_ns.min(second.to_ns) - from_ns.max(second.from_ns);
                held_up_ns = held_up_ns.saturating_add(of_second_ns(second, shared_ns, *look_ns));
            }
        }
        held_up_ns
    }

    /// How long load held up each message of many that went on then, as a rule, in ns: what moves a
    /// median or a quartile. A thread that waits seldom and long does not, one that waits shortly
    /// each time it is to run does.
    pub fn as_a_rule_ns(&self, (from_ns, to_ns): (i64, i64), limit_ns: i64) -> i64 {
        let seconds = self.load.as_ref().map_or(&[][..], |load| &load.seconds);
        let first = seconds.partition_point(|second| second.to_ns < from_ns);
        let shared = seconds[first..].iter().take_while(|second| second.from_ns <= to_ns);
        let of = |second: &LoadSecond| {
            let waits = [Some(second.bench), second.platform, second.kernel];
            let each = |wait: Wait| wait.total_ns.min(wait.each_ns.saturating_mul(WAKES));
            waits.into_iter().flatten().map(each).sum::<i64>()
        };
        let held_up_ns = shared.map(of).max().unwrap_or(0).max(self.by_ticks_ns(from_ns, to_ns));
        if held_up_ns.saturating_mul(PART_OF_LIMIT) > limit_ns { held_up_ns } else { 0 }
    }

    /// Whether load can have decided how something that went on from one instant to another stands
    /// to a limit.
    pub fn touch(&self, (from_ns, to_ns): (i64, i64), limit_ns: i64) -> bool {
        self.at_most_ns(from_ns, to_ns).saturating_mul(PART_OF_LIMIT) > limit_ns
    }

    /// [`Self::at_most_ns`], but nothing where that does not touch the limit.
    pub fn touching_ns(&self, (from_ns, to_ns): (i64, i64), limit_ns: i64) -> i64 {
        let held_up_ns = self.at_most_ns(from_ns, to_ns);
        if held_up_ns.saturating_mul(PART_OF_LIMIT) > limit_ns { held_up_ns } else { 0 }
    }

    /// In how many seconds of so many threads waited for longer than a tenth of a limit.
    pub fn busy_seconds(&self, limit_ns: i64) -> (usize, usize) {
        let seconds = self.load.as_ref().map_or(&[][..], |load| &load.seconds);
        let is_busy = |second: &&LoadSecond| {
            let waits = [Some(second.bench), second.platform, second.kernel];
            let total_ns: i64 = waits.into_iter().flatten().map(|wait| wait.total_ns).sum();
            total_ns.saturating_mul(PART_OF_LIMIT) > limit_ns
        };
        (seconds.iter().filter(is_busy).count(), seconds.len())
    }

    /// The longest of the ticks that were late then.
    fn by_ticks_ns(&self, from_ns: i64, to_ns: i64) -> i64 {
        let earliest_ns = from_ns.saturating_sub(self.worst_tick_ns);
        let first = self.ticks.partition_point(|tick| tick.at_ns < earliest_ns);
        let due = self.ticks[first..].iter().take_while(|tick| tick.at_ns <= to_ns);
        let under_way = due.filter(|tick| tick.at_ns.saturating_add(tick.lateness_ns) >= from_ns);
        under_way.map(|tick| tick.lateness_ns).max().unwrap_or(0)
    }
}

/// How long the threads of one second can have held up what shares so much of it: those of bench,
/// platform and kernel one after the other.
fn of_second_ns(second: &LoadSecond, shared_ns: i64, look_ns: i64) -> i64 {
    // It begins and ends anywhere in a look.
    let looks = 1 + shared_ns.max(0) / look_ns.max(1) + 1;
    let of = |wait: Wait| wait.total_ns.min(wait.longest_ns.saturating_mul(looks));
    let waits = [Some(second.bench), second.platform, second.kernel];
    waits.into_iter().flatten().map(of).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: i64 = 1_000_000;
    const S: i64 = 1_000_000_000;

    fn second(from_s: i64, bench: (i64, i64), platform: Option<(i64, i64)>) -> LoadSecond {
        let wait = |(total_ms, longest_ms)| Wait {
            total_ns: total_ms * MS,
            longest_ns: longest_ms * MS,
            each_ns: longest_ms * MS / 10,
        };
        LoadSecond {
            from_ns: from_s * S,
            to_ns: (from_s + 1) * S,
            bench: wait(bench),
            platform: platform.map(wait),
            ..LoadSecond::default()
        }
    }

    fn hold_ups(seconds: Vec<LoadSecond>, late_ticks: Vec<LateTick>) -> HoldUps {
        let load = Some(LoadFacts { look_ns: 100 * MS, seconds });
        HoldUps::of(&RealTimeFacts { late_ticks, load, ..RealTimeFacts::default() })
    }

    #[test]
    fn a_message_is_held_up_by_the_looks_that_it_lives_through_and_no_others() {
        let seconds = vec![second(0, (0, 0), None), second(1, (300, 50), Some((20, 20)))];
        let found = hold_ups(seconds, Vec::new());
        // Before the busy second began.
        assert_eq!(found.at_most_ns(0, 900 * MS), 0);
        // 30 ms touch two looks at most: 2 x 50 ms of the bench, 20 ms of the platform.
        assert_eq!(found.at_most_ns(1_200 * MS, 1_230 * MS), 120 * MS);
        // The whole second: no more than its total.
        assert_eq!(found.at_most_ns(0, 5 * S), 320 * MS);
        assert_eq!(found.at_most_ns(2 * S + 1, 5 * S), 0);
    }

    #[test]
    fn a_figure_of_many_messages_is_moved_by_what_threads_wait_each_time() {
        let seconds = vec![second(0, (30, 10), Some((2, 40))), second(1, (0, 0), None)];
        let found = hold_ups(seconds, Vec::new());
        // 5 x 1 ms of the bench, and all 2 ms of the platform, which are less than 5 x 4 ms.
        assert_eq!(found.as_a_rule_ns((0, 3 * S), 69 * MS), 7 * MS);
        assert_eq!(found.as_a_rule_ns((0, 3 * S), 70 * MS), 0);
        assert_eq!(found.as_a_rule_ns((S + 1, 3 * S), 1), 0);
    }

    #[test]
    fn a_tenth_of_the_limit_is_no_touch_and_more_is() {
        let found = hold_ups(vec![second(0, (10, 10), None)], Vec::new());
        assert!(!found.touch((0, S), 100 * MS));
        assert!(found.touch((0, S), 100 * MS - 1));
        assert_eq!(found.touching_ns((0, S), 100 * MS), 0);
        assert_eq!(found.touching_ns((0, S), 99 * MS), 10 * MS);
        assert_eq!(found.busy_seconds(100 * MS), (0, 1));
        assert_eq!(found.busy_seconds(99 * MS), (1, 1));
    }

    #[test]
    fn a_late_tick_holds_up_what_was_under_way_until_it_was_served() {
        let tick = |at_ms, late_ms| LateTick { at_ns: at_ms * MS, lateness_ns: late_ms * MS };
        let found = hold_ups(Vec::new(), vec![tick(5_000, 10), tick(1_000, 700)]);
        assert_eq!(found.at_most_ns(0, 999 * MS), 0);
        assert_eq!(found.at_most_ns(0, 1_000 * MS), 700 * MS);
        assert_eq!(found.at_most_ns(1_700 * MS, 1_800 * MS), 700 * MS);
        assert_eq!(found.at_most_ns(1_701 * MS, 1_800 * MS), 0);
        assert_eq!(found.at_most_ns(0, 9_000 * MS), 700 * MS);
        assert_eq!(found.at_most_ns(5_010 * MS, 9_000 * MS), 10 * MS);
        assert_eq!(found.at_most_ns(5_011 * MS, 9_000 * MS), 0);
    }

    #[test]
    fn where_nobody_looked_nothing_is_held_up_and_that_is_reported() {
        let found = HoldUps::of(&RealTimeFacts::default());
        assert_eq!(found.load, None);
        assert!(!found.touch((0, i64::MAX), 1));
    }
}
