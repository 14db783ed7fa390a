//! What the sequence numbers of received frames show: gaps, repetitions, reordering, wraps.
//!
//! A number counts modulo 2 to the power of its width. A frame that lies up to
//! [`MOST_MISORDERED`] numbers behind the highest is late; one further behind is the first of a
//! simulator that has begun again. The bound is that of RFC 3550, appendix A.1 (`MAX_MISORDER`).
//!
//! Numbers show only what was lost behind the counter: a simulator that skips a step before it
//! counts leaves no gap here.

/// How many numbers a late frame can lie behind the highest.
pub const MOST_MISORDERED: u64 = 100;

lastmeter_units::words! {
    /// What one sequence number shows.
    pub enum SequenceEvent {
        /// The first number.
        First = "first",
        /// One more than the last.
        Next = "next",
        /// Zero after the highest number that there is.
        Wrap = "wrap",
        /// More than one more than the last: frames are missing, or come later.
        Gap = "gap",
        /// The same as the last.
        Repetition = "repetition",
        /// Less than the highest so far: a frame that was overtaken, or repeated late.
        Reordering = "reordering",
        /// Far below the highest so far: the sender has begun again.
        Restart = "restart",
    }
}

/// Watches the sequence numbers of one sender.
#[derive(Clone, Debug)]
pub struct SequenceWatch {
    /// All bits of a number.
    mask: u64,
    highest: Option<u64>,
    counts: [u64; SequenceEvent::ALL.len()],
    missing: u64,
}

impl SequenceWatch {
    /// A watch for numbers of so many bits; less than 8 count as 8, more than 64 as 64.
    pub fn new(bits: u32) -> Self {
        Self {
            mask: u64::MAX >> (64 - bits.clamp(8, 64)),
            highest: None,
            counts: [0; SequenceEvent::ALL.len()],
            missing: 0,
        }
    }

    /// Takes the number of the frame that came next.
    pub fn observe(&mut self, sequence: u64) -> SequenceEvent {
        let sequence = sequence & self.mask;
        let event = self.highest.map_or(SequenceEvent::First, |highest| {
            let ahead = sequence.wrapping_sub(highest) & self.mask;
            let behind = highest.wrapping_sub(sequence) & self.mask;
            match ahead {
                0 => SequenceEvent::Repetition,
                1 if sequence == 0 => SequenceEvent::Wrap,
                1 => SequenceEvent::Next,
                _ if ahead <= self.mask / 2 => SequenceEvent::Gap,
                _ if behind <= MOST_MISORDERED => SequenceEvent::Reordering,
                _ => SequenceEvent::Restart,
            }
        });
        if event == SequenceEvent::Gap {
            let ahead = sequence.wrapping_sub(self.highest.unwrap_or_default()) & self.mask;
            self.missing = self.missing.saturating_add(ahead - 1);
        }
        if event != SequenceEvent::Reordering {
            self.highest = Some(sequence);
        }
        let counter = &mut self.counts[event as usize];
        *counter = counter.saturating_add(1);
        event
    }

    /// The sender begins again, with any number: after a reconnection.
    pub const fn restart(&mut self) {
        self.highest = None;
    }

    /// How often an event occurred.
    pub const fn of(&self, event: SequenceEvent) -> u64 {
        self.counts[event as usize]
    }

    /// How many numbers the gaps left out. A frame that comes late is not subtracted; see
    /// [`SequenceEvent::Reordering`].
    pub const fn missing(&self) -> u64 {
        self.missing
    }
}

#[cfg(test)]
mod tests {
    use super::SequenceEvent::{First, Gap, Next, Reordering, Repetition, Restart, Wrap};
    use super::*;

    fn events(bits: u32, numbers: &[u64]) -> (Vec<SequenceEvent>, u64) {
        let mut watch = SequenceWatch::new(bits);
        let events = numbers.iter().map(|number| watch.observe(*number)).collect();
        (events, watch.missing())
    }

    #[test]
    fn gaps_repetitions_and_reordering_are_seen() {
        let (seen, missing) = events(32, &[5, 6, 6, 9, 8, 10, 7]);
        assert_eq!(seen, [First, Next, Repetition, Gap, Reordering, Next, Reordering]);
        assert_eq!(missing, 2);
    }

    #[test]
    fn a_number_wraps_at_its_width() {
        let last = u64::from(u32::MAX);
        assert_eq!(events(32, &[last - 1, last, 0, 1]).0, [First, Next, Wrap, Next]);
        assert_eq!(events(16, &[65_535, 65_536]).0, [First, Wrap]);
        assert_eq!(events(64, &[u64::MAX, 0]).0, [First, Wrap]);
        // Lost on both sides of the wrap, and late across it.
        assert_eq!(events(32, &[last - 1, 2, last]), (vec![First, Gap, Reordering], 3));
        assert_eq!(events(64, &[last, 0]).0, [First, Restart]);
    }

    #[test]
    fn a_sender_that_begins_again_is_no_reordering() {
        assert_eq!(events(32, &[101, 1, 102]).0, [First, Reordering, Next]);
        assert_eq!(events(32, &[102, 1, 2]), (vec![First, Restart, Next], 0));
        let mut watch = SequenceWatch::new(32);
        watch.observe(50);
        watch.restart();
        assert_eq!((watch.observe(0), watch.of(First)), (First, 2));
    }
}
