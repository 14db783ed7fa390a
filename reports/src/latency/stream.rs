//! What is kept of a population with too many messages to keep one by one.
//!
//! Counts stay exact, and so do the blocks. When messages were due is counted by [`PARTS`] equal
//! parts of the window; of each limit the late messages are kept, up to a number. What follows for
//! the verdict is on the safe side (see [`super::due`]): a stall may hit at least so many messages
//! as counted, a run of late messages is at least so long as it was.
//!
//! Rows come in the order in which messages arrived or were given up, so a device's messages need
//! not come in the order in which they were due. But of two messages in time that were due one
//! after the other, some step from one row in time of that device to the next leads from one side
//! to the other: so the longest such step bounds the time in which no message of the device was in
//! time, and the most late ones due within it bound its longest run. Before the first one in time
//! and behind the last the time from and to the device's other messages does the same.

use super::blocks::Blocks;
use super::due::{Due, Late, most_within};
use super::message::{Limit, Message, Window};
use super::values::{Distribution, Values};

/// So many parts of the window are counted each by itself.
const PARTS: u32 = 1 << 20;

/// Messages of a population that come by.
#[derive(Clone, Debug)]
pub(super) struct Stream {
    parts: Blocks,
    counts: Vec<u32>,
    /// By device: when its first and its last message were due.
    ends: Vec<(i64, i64)>,
    delays: Values,
    limits: Vec<LimitRecord>,
}

#[derive(Clone, Debug)]
struct LimitRecord {
    limit: Limit,
    /// When each late message was due, and its device; `None` if there are too many.
    late: Option<Vec<(i64, u32)>>,
    late_max: usize,
    /// By device.
    in_time: Vec<Option<TimelyMessages>>,
}

/// The messages of one device that were in time.
#[derive(Clone, Copy, Debug)]
struct TimelyMessages {
    /// When the last one to come was due.
    last_ns: i64,
    /// The longest time between one and the next to come.
    step_ns: i64,
    /// When the first and the last of all were due.
    ends: (i64, i64),
}

impl Stream {
    /// Nothing yet; for each limit up to `late_max` late messages are kept.
    pub(super) fn new(
        window: Window,
        limits: impl Iterator<Item = Limit>,
        late_max: usize,
    ) -> Self {
        let kept =
            |limit| LimitRecord { limit, late: Some(Vec::new()), late_max, in_time: Vec::new() };
        Self {
            parts: Blocks::with_count(window.from_ns, window.to_ns, PARTS),
            counts: vec![0; PARTS as usize],
            ends: Vec::new(),
            delays: Values::new(0),
            limits: limits.map(kept).collect(),
        }
    }

    pub(super) fn push(&mut self, message: &Message) {
        self.counts[self.parts.index(message.intended_ns)] += 1;
        self.delays.push(message.delay);
        let (place, at_ns) = (message.device as usize, message.intended_ns);
        if place >= self.ends.len() {
            self.ends.resize(place + 1, (i64::MAX, i64::MIN));
        }
        let (first_ns, last_ns) = self.ends[place];
        self.ends[place] = (first_ns.min(at_ns), last_ns.max(at_ns));
        for kept in &mut self.limits {
            kept.push(message);
        }
    }

    pub(super) fn distribution(&self) -> Distribution {
        self.delays.distribution()
    }

    pub(super) fn due(&self) -> Due {
        Due::ByPart { parts: self.parts, counts: self.counts.clone() }
    }

    /// Those over a limit; `None` if it is none of the stream's.
    pub(super) fn late(&self, limit: Limit) -> Option<Late> {
        let kept = self.limits.iter().find(|kept| kept.limit == limit)?;
        let Some(mut late) = kept.late.clone() else { return Some(Late::default()) };
        late.sort_unstable_by_key(|&(due_ns, device)| (device, due_ns));
        let longest_of_device = late
            .chunk_by(|(_, first), (_, second)| first == second)
            .map(|of_device| {
                let due_ns: Vec<i64> = of_device.iter().map(|(due_ns, _)| *due_ns).collect();
                let device = of_device[0].1 as usize;
                match kept.in_time.get(device).copied().flatten() {
                    Some(in_time) => most_within(&due_ns, in_time.longest_ns(self.ends[device])),
                    None => due_ns.len() as u64,
                }
            })
            .max();
        let mut due_ns: Vec<i64> = late.into_iter().map(|(due_ns, _)| due_ns).collect();
        due_ns.sort_unstable();
        Some(Late {
            longest_of_all: self.longest_of_all(&due_ns),
            longest_of_device: longest_of_device.unwrap_or(0),
            due_ns: Some(due_ns),
        })
    }

    /// The most late messages with no part between them that has one in time; those of the parts at
    /// the ends may all be beside them.
    fn longest_of_all(&self, late_ns: &[i64]) -> u64 {
        let mut late = late_ns.iter().map(|&due_ns| self.parts.index(due_ns)).peekable();
        let (mut current, mut longest) = (0, 0);
        for (part, &count) in self.counts.iter().enumerate() {
            let mut late_here = 0;
            while late.next_if_eq(&part).is_some() {
                late_here += 1;
            }
            current += late_here;
            longest = longest.max(current);
            if u64::from(count) > late_here {
                current = late_here;
            }
        }
        longest
    }
}

impl LimitRecord {
    fn push(&mut self, message: &Message) {
        let Message { intended_ns, device, .. } = *message;
        if message.is_late(self.limit) {
            if self.late.as_ref().is_some_and(|late| late.len() >= self.late_max) {
                self.late = None;
            }
            if let Some(late) = &mut self.late {
                late.push((intended_ns, device));
            }
            return;
        }
        let place = device as usize;
        if place >= self.in_time.len() {
            self.in_time.resize(place + 1, None);
        }
        let first =
            TimelyMessages { last_ns: intended_ns, step_ns: 0, ends: (intended_ns, intended_ns) };
        let in_time = self.in_time[place].get_or_insert(first);
        in_time.step_ns = in_time.step_ns.max((intended_ns - in_time.last_ns).abs());
        in_time.last_ns = intended_ns;
        let (first_ns, last_ns) = in_time.ends;
        in_time.ends = (first_ns.min(intended_ns), last_ns.max(intended_ns));
    }
}

impl TimelyMessages {
    /// The longest time in which no message was in time, of a device whose first and last message
    /// were due then; at most.
    fn longest_ns(&self, (first_ns, last_ns): (i64, i64)) -> i64 {
        let (before_ns, behind_ns) = (self.ends.0 - first_ns, last_ns - self.ends.1);
        self.step_ns.max(before_ns).max(behind_ns)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_time_without_one_in_time_may_be_at_either_end_or_between() {
        let in_time = TimelyMessages { last_ns: 500, step_ns: 30, ends: (100, 500) };
        assert_eq!(in_time.longest_ns((90, 510)), 30);
        assert_eq!(in_time.longest_ns((20, 510)), 80);
        assert_eq!(in_time.longest_ns((90, 700)), 200);
    }
}
