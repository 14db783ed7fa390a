//! When messages were due, and which of them were late: what a stall can hit, and what was hit.
//!
//! Terms: a *stall* is a stretch of time in which one cause may make the messages of all devices
//! late. How many messages one stall may hit follows from when they were due alone. An unbroken
//! *run* of late messages is one in which no message between them was in time: of all devices in
//! the order in which they were due (those due at one instant by the device's name), or of one
//! device by itself.
//!
//! Instants are kept one by one, or, where there are too many, counted by short equal *parts* of
//! the window. Then every figure is on the safe side: at least so many messages in a stall, at
//! least so long a run, and a stall at most so long.

use super::blocks::Blocks;

/// When the messages of a population were due.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Due {
    /// Each instant, ascending, in ns.
    Each(Vec<i64>),
    /// How many in each part of the window.
    ByPart {
        /// The window, cut into parts.
        parts: Blocks,
        /// How many messages were due in each.
        counts: Vec<u32>,
    },
}

impl Due {
    /// The most messages due in any half-open stretch of this length; at least that, by parts.
    pub fn most_within(&self, length_ns: i64) -> u64 {
        match self {
            Self::Each(instants) => most_within(instants, length_ns),
            Self::ByPart { parts, counts } => {
                let span = parts.spanned_by(length_ns).min(counts.len());
                let mut inside: u64 = counts[..span].iter().map(|&count| u64::from(count)).sum();
                let mut most = inside;
                for place in span..counts.len() {
                    inside += u64::from(counts[place]);
                    inside -= u64::from(counts[place - span]);
                    most = most.max(inside);
                }
                most
            }
        }
    }

    /// The shortest time, in ns, from one message to the one so many places behind it; at most
    /// that, by parts. `None` if there are no more messages than that.
    ///
    /// It is the longest half-open stretch that never holds more than `places` messages.
    pub fn shortest(&self, places: u64) -> Option<i64> {
        let places_behind = usize::try_from(places).ok()?;
        match self {
            Self::Each(instants) => {
                let behind = instants.get(places_behind..)?;
                behind.iter().zip(instants).map(|(last, first)| last - first).min()
            }
            Self::ByPart { parts, counts } => {
                let (mut inside, mut first, mut shortest) = (0_u64, 0, None);
                for (last, &count) in counts.iter().enumerate() {
                    inside += u64::from(count);
                    while inside > places {
                        let span = last - first + 1;
                        shortest = Some(shortest.map_or(span, |found: usize| found.min(span)));
                        inside -= u64::from(counts[first]);
                        first += 1;
                    }
                }
                // The first may be due at its part's end and the last at its part's beginning.
                shortest.map(|span| parts.length_of(span.saturating_sub(2)))
            }
        }
    }

    /// The longest time between a message and the next, in ns; 0 with fewer than two. By parts, the
    /// longest time without one.
    pub fn longest_gap(&self) -> i64 {
        match self {
            Self::Each(instants) => {
                instants.windows(2).map(|pair| pair[1] - pair[0]).max().unwrap_or(0)
            }
            Self::ByPart { parts, counts } => {
                // Before the first message and behind the last there is no gap between two.
                let empty: Vec<usize> =
                    counts.split(|&count| count > 0).skip(1).map(<[u32]>::len).collect();
                let between = &empty[..empty.len().saturating_sub(1)];
                parts.length_of(between.iter().copied().max().unwrap_or(0))
            }
        }
    }

    /// How long a part is, in ns, where instants are counted by parts.
    pub fn part_ns(&self) -> Option<i64> {
        match self {
            Self::Each(_) => None,
            Self::ByPart { parts, .. } => Some(parts.block_ns()),
        }
    }
}

/// The most of some ascending instants in any half-open stretch of this length.
pub(super) fn most_within(ascending: &[i64], length_ns: i64) -> u64 {
    let (mut first, mut most) = (0, 0);
    for (last, &instant) in ascending.iter().enumerate() {
        while first < last && instant - ascending[first] >= length_ns {
            first += 1;
        }
        most = most.max(last - first + 1);
    }
    most as u64
}

/// The messages over one limit.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Late {
    /// When each of them was due, ascending, in ns; `None` if they were too many to keep.
    pub due_ns: Option<Vec<i64>>,
    /// The longest unbroken run of late messages in due order, of all devices together.
    pub longest_of_all: u64,
    /// The longest unbroken run of late messages of one device.
    pub longest_of_device: u64,
}

impl Late {
    /// Of messages in due order: when each was due, the number of its device, and whether it was
    /// late.
    pub fn of(messages: impl Iterator<Item = (i64, u32, bool)>) -> Self {
        let (mut due_ns, mut late) = (Vec::new(), Self::default());
        let (mut current, mut by_device) = (0, Vec::<u64>::new());
        for (instant, device, is_late) in messages {
            let device = device as usize;
            if is_late {
                if device >= by_device.len() {
                    by_device.resize(device + 1, 0);
                }
                due_ns.push(instant);
                current += 1;
                by_device[device] += 1;
                late.longest_of_all = late.longest_of_all.max(current);
                late.longest_of_device = late.longest_of_device.max(by_device[device]);
            } else {
                current = 0;
                if let Some(run) = by_device.get_mut(device) {
                    *run = 0;
                }
            }
        }
        Self { due_ns: Some(due_ns), ..late }
    }

    /// The longer of the two runs.
    pub fn longest(&self) -> u64 {
        self.longest_of_all.max(self.longest_of_device)
    }

    /// The most late messages in any half-open stretch of this length; `None` if they were too many
    /// to keep.
    pub fn most_within(&self, length_ns: i64) -> Option<u64> {
        self.due_ns.as_ref().map(|due_ns| most_within(due_ns, length_ns))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SECOND: i64 = 1_000_000_000;

    /// Fifty devices, twice a second each and evenly spread: a hundred in each second.
    #[test]
    fn a_stall_hits_what_is_due_in_it() {
        let instants: Vec<i64> = (0..1_000).map(|number| number * SECOND / 100).collect();
        let due = Due::Each(instants);
        assert_eq!((due.most_within(SECOND), due.most_within(SECOND / 100)), (100, 1));
        // A hundred places on is a second later.
        assert_eq!((due.shortest(100), due.shortest(1)), (Some(SECOND), Some(SECOND / 100)));
        assert_eq!((due.shortest(999), due.shortest(1_000)), (Some(999 * SECOND / 100), None));
        assert_eq!(due.longest_gap(), SECOND / 100);
        // Synchronised devices are all hit by the shortest stall.
        let together = Due::Each([1, 2, 3].iter().flat_map(|&at| [at * SECOND; 50]).collect());
        assert_eq!((together.most_within(1), together.most_within(SECOND)), (50, 50));
        assert_eq!((together.most_within(SECOND + 1), together.shortest(30)), (100, Some(0)));
        let none = Due::Each(Vec::new());
        assert_eq!((none.most_within(SECOND), none.shortest(0), none.longest_gap()), (0, None, 0));
    }

    /// By hand: devices 0 and 1 alternate; 1 is late throughout, 0 in the middle.
    #[test]
    fn a_run_is_of_all_devices_or_of_one() {
        let late_of_first = [false, false, true, true, false, false];
        let messages = late_of_first.iter().enumerate().flat_map(|(number, &is_late)| {
            let at = 10 * number as i64;
            [(at, 0, is_late), (at + 5, 1, true)]
        });
        let late = Late::of(messages);
        // 15 (device 1), 20, 25, 30, 35 are late; 10 and 40 of device 0 are not.
        assert_eq!((late.longest_of_all, late.longest_of_device, late.longest()), (5, 6, 6));
        assert_eq!(late.due_ns.as_ref().unwrap(), &[5, 15, 20, 25, 30, 35, 45, 55]);
        assert_eq!((late.most_within(11), late.most_within(10)), (Some(3), Some(2)));
    }

    fn by_part(instants: &[i64], (from_ns, to_ns): (i64, i64), count: u32) -> Due {
        let parts = Blocks::with_count(from_ns, to_ns, count);
        let mut counts = vec![0; count as usize];
        for &instant in instants {
            counts[parts.index(instant)] += 1;
        }
        Due::ByPart { parts, counts }
    }

    proptest! {
        /// By the definition: a stretch that holds most may begin at a message.
        #[test]
        fn the_most_in_a_stretch_is_that_of_the_definition(
            mut instants in prop::collection::vec(0_i64..200, 0..60), length in 1_i64..100,
        ) {
            instants.sort_unstable();
            let inside = |from: i64| {
                instants.iter().filter(|&&at| (from..from + length).contains(&at)).count() as u64
            };
            let expected = instants.iter().map(|&at| inside(at)).max().unwrap_or(0);
            let due = Due::Each(instants);
            prop_assert_eq!(due.most_within(length), expected);
            // The two questions are one: so many fit into a stretch up to that length.
            for places in 1..expected + 2 {
                let fits = due.shortest(places).is_none_or(|shortest| shortest >= length);
                prop_assert_eq!(fits, expected <= places);
            }
        }

        #[test]
        fn by_parts_the_figures_are_on_the_safe_side_and_near(
            mut instants in prop::collection::vec(0_i64..=10_000, 1..200),
            length in 1_i64..4_000, places in 1_u64..20, count in 20_u32..400,
        ) {
            instants.sort_unstable();
            let counted = by_part(&instants, (0, 10_000), count);
            let each = Due::Each(instants);
            let part = 10_000 / i64::from(count) + 1;
            let found = counted.most_within(length);
            prop_assert!(found >= each.most_within(length));
            prop_assert!(found <= each.most_within(length + 2 * part + 1));
            prop_assert_eq!(counted.shortest(places).is_some(), each.shortest(places).is_some());
            if let (Some(found), Some(exact)) = (counted.shortest(places), each.shortest(places)) {
                prop_assert!(found <= exact && found >= exact - 3 * part, "{found} of {exact}");
                prop_assert_eq!(found >= length, counted.most_within(length) <= places);
            }
            let (found, exact) = (counted.longest_gap(), each.longest_gap());
            prop_assert!(found <= exact && found >= exact - 3 * part, "{found} of {exact}");
        }
    }
}
