//! Flagging (IEC 61000-4-30, 4.7): values that contain a dip, a swell or an interruption are
//! marked, since those make frequency, harmonics, unbalance and flicker unreliable.

use serde::Serialize;

use crate::events::{EventKind, HalfCycle};

/// Why a value is to be taken with care.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Flags {
    /// It contains a part of a dip.
    pub dip: bool,
    /// It contains a part of a swell.
    pub swell: bool,
    /// It contains a part of an interruption.
    pub interruption: bool,
    /// A window in it was not synchronous to a fundamental.
    pub unsynchronised: bool,
}

impl Flags {
    /// Whether any is set.
    pub fn any(self) -> bool {
        self.over_event() || self.unsynchronised
    }

    /// Whether it contains a part of a dip, a swell or an interruption.
    pub fn over_event(self) -> bool {
        self.dip || self.swell || self.interruption
    }

    /// What is set in either.
    #[must_use]
    pub fn union(self, other: Self) -> Self {
        Self {
            dip: self.dip || other.dip,
            swell: self.swell || other.swell,
            interruption: self.interruption || other.interruption,
            unsynchronised: self.unsynchronised || other.unsynchronised,
        }
    }
}

/// A stretch within an event, in samples.
#[derive(Clone, Copy, Debug)]
struct Span {
    kind: EventKind,
    start: f64,
    end: f64,
}

/// Remembers where events went on, until the values over that time have been flagged.
#[derive(Clone, Debug, Default)]
pub struct FlagLedger {
    spans: Vec<Span>,
}

impl FlagLedger {
    /// Notes that a half-cycle value lies within an event of a kind.
    pub fn note(&mut self, kind: EventKind, value: HalfCycle) {
        let HalfCycle { start, end, .. } = value;
        let touching = self
            .spans
            .iter_mut()
            .rev()
            .take(8)
            .find(|span| span.kind == kind && start <= span.end && end >= span.start);
        match touching {
            Some(span) => {
                span.start = span.start.min(start);
                span.end = span.end.max(end);
            }
            None => self.spans.push(Span { kind, start, end }),
        }
    }

    /// The flags of a value from one position to another, in samples.
    pub fn flags(&self, start: f64, end: f64) -> Flags {
        let mut flags = Flags::default();
        for span in self.spans.iter().filter(|span| span.start < end && span.end > start) {
            match span.kind {
                EventKind::Dip => flags.dip = true,
                EventKind::Swell => flags.swell = true,
                EventKind::Interruption => flags.interruption = true,
            }
        }
        flags
    }

    /// Forgets what ended before a position.
    pub fn forget(&mut self, before: f64) {
        self.spans.retain(|span| span.end >= before);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_values_that_contain_a_part_of_an_event_are_flagged() {
        let mut ledger = FlagLedger::default();
        for k in 10..14 {
            let start = 10.0 * f64::from(k);
            let value = HalfCycle { start, end: start + 20.0, rms: 0.0, current: None };
            ledger.note(EventKind::Dip, value);
        }
        assert_eq!(ledger.spans.len(), 1);
        let dip = Flags { dip: true, ..Flags::default() };
        assert_eq!(ledger.flags(0.0, 100.0), Flags::default());
        assert_eq!(ledger.flags(0.0, 101.0), dip);
        assert_eq!(ledger.flags(149.0, 300.0), dip);
        assert_eq!(ledger.flags(150.0, 300.0), Flags::default());
        ledger.forget(151.0);
        assert_eq!(ledger.flags(0.0, 1000.0), Flags::default());
    }
}
