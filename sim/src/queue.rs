//! The queue of what is to happen when, in simulated time.
//!
//! Ordered by time, and among equals by insertion, so that a run does not depend on how a heap
//! breaks ties.

use std::cmp::Ordering;
use std::collections::BinaryHeap;

use lastmeter_units::SimTime;

struct Pending<T> {
    at: SimTime,
    number: u64,
    item: T,
}

impl<T> Pending<T> {
    fn key(&self) -> (SimTime, u64) {
        (self.at, self.number)
    }
}

impl<T> PartialEq for Pending<T> {
    fn eq(&self, other: &Self) -> bool {
        self.key() == other.key()
    }
}

impl<T> Eq for Pending<T> {}

impl<T> PartialOrd for Pending<T> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl<T> Ord for Pending<T> {
    // Turned round: the standard heap gives the greatest first, we want the earliest.
    fn cmp(&self, other: &Self) -> Ordering {
        other.key().cmp(&self.key())
    }
}

/// Items with the instants at which they are due.
pub struct EventQueue<T> {
    heap: BinaryHeap<Pending<T>>,
    pushed: u64,
}

impl<T> Default for EventQueue<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T> EventQueue<T> {
    /// An empty queue.
    pub const fn new() -> Self {
        Self { heap: BinaryHeap::new(), pushed: 0 }
    }

    /// Adds an item that is due at an instant.
    pub fn push(&mut self, at: SimTime, item: T) {
        self.heap.push(Pending { at, number: self.pushed, item });
        self.pushed += 1;
    }

    /// When the earliest item is due.
    pub fn next_at(&self) -> Option<SimTime> {
        self.heap.peek().map(|pending| pending.at)
    }

    /// Takes the earliest item if it is due at `until` or before, with its instant.
    pub fn pop_until(&mut self, until: SimTime) -> Option<(SimTime, T)> {
        if self.next_at()? > until {
            return None;
        }
        self.heap.pop().map(|pending| (pending.at, pending.item))
    }

    /// How many items wait.
    pub fn len(&self) -> usize {
        self.heap.len()
    }

    /// Whether none waits.
    pub fn is_empty(&self) -> bool {
        self.heap.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_is_due_later_stays() {
        let mut queue = EventQueue::new();
        queue.push(SimTime(20), "b");
        queue.push(SimTime(10), "a");
        assert_eq!(queue.pop_until(SimTime(9)), None);
        assert_eq!(queue.pop_until(SimTime(10)), Some((SimTime(10), "a")));
        assert_eq!((queue.len(), queue.next_at()), (1, Some(SimTime(20))));
        assert_eq!(queue.pop_until(SimTime(19)), None);
        assert_eq!(queue.pop_until(SimTime(30)), Some((SimTime(20), "b")));
        assert!(queue.is_empty());
    }

    proptest! {
        #[test]
        fn items_come_by_time_and_then_by_insertion(times in prop::collection::vec(-3_i64..3, 0..60)) {
            let mut queue = EventQueue::new();
            for (number, &at) in times.iter().enumerate() {
                queue.push(SimTime(at), number);
            }
            let mut expected: Vec<_> = times.iter().copied().map(SimTime).zip(0..).collect();
            expected.sort();
            let popped: Vec<_> = std::iter::from_fn(|| queue.pop_until(SimTime(i64::MAX))).collect();
            prop_assert_eq!(popped, expected);
        }
    }
}
