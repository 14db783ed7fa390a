//! Which refusals get a record of their own, and which are reported as a sum. Pure: time comes in.
//!
//! A flood of refused handshakes costs its sender next to nothing. Were each of them recorded
//! durably, it would fill the store; so each reason has a ration per window, and what is beyond it
//! is counted and reported in one record when the window ends.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::tls::TlsRefusal;

const WINDOW: Duration = Duration::from_mins(1);
/// Records of their own, per reason and window.
const RECORDS_PER_WINDOW: u32 = 20;

/// What was reported in the running windows. At most one entry per reason.
#[derive(Debug, Default)]
pub(super) struct Ration {
    windows: BTreeMap<TlsRefusal, Window>,
}

#[derive(Debug)]
struct Window {
    ends: Duration,
    recorded: u32,
    summed: u64,
}

impl Ration {
    /// Whether a refusal at this moment gets a record of its own; otherwise it is in the sum. It
    /// does not if there is no room for it.
    pub(super) fn admit(&mut self, now: Duration, reason: TlsRefusal, has_room: bool) -> bool {
        let window = self.windows.entry(reason).or_insert(Window {
            ends: now + WINDOW,
            recorded: 0,
            summed: 0,
        });
        if has_room && window.recorded < RECORDS_PER_WINDOW {
            window.recorded += 1;
            return true;
        }
        window.summed += 1;
        false
    }

    /// When the first window ends.
    pub(super) fn next_end(&self) -> Option<Duration> {
        self.windows.values().map(|window| window.ends).min()
    }

    /// Ends the windows that are over; gives the sums that are not zero.
    pub(super) fn end(&mut self, now: Duration) -> Vec<(TlsRefusal, u64)> {
        self.close(|window| window.ends <= now)
    }

    pub(super) fn end_all(&mut self) -> Vec<(TlsRefusal, u64)> {
        self.close(|_| true)
    }

    fn close(&mut self, over: impl Fn(&Window) -> bool) -> Vec<(TlsRefusal, u64)> {
        let mut sums = Vec::new();
        self.windows.retain(|reason, window| {
            let over = over(window);
            if over && window.summed > 0 {
                sums.push((*reason, window.summed));
            }
            !over
        });
        sums
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn nothing_is_lost_and_records_are_bounded(
            steps in proptest::collection::vec((0_u64..30, 0..13_usize), 0..400),
        ) {
            let mut ration = Ration::default();
            let (mut now, mut own, mut summed) = (Duration::ZERO, 0_u64, 0_u64);
            let mut records = 0_u64;
            for (step_s, reason) in &steps {
                now += Duration::from_secs(*step_s);
                let ended = ration.end(now);
                records += ended.len() as u64;
                summed += ended.iter().map(|(_, count)| count).sum::<u64>();
                if ration.admit(now, TlsRefusal::ALL[*reason], true) {
                    own += 1;
                }
            }
            let last = ration.end_all();
            records += own + last.len() as u64;
            summed += last.iter().map(|(_, count)| count).sum::<u64>();
            prop_assert_eq!(own + summed, steps.len() as u64);
            // Closed form: per reason 20 and a sum, in each window that can have begun.
            let windows = now.as_secs() / 60 + 1;
            prop_assert!(records <= 13 * 21 * windows);
        }
    }

    #[test]
    fn the_twenty_first_of_a_minute_is_summed_and_the_next_minute_begins_anew() {
        let mut ration = Ration::default();
        let at = |second| Duration::from_secs(second);
        for _ in 0..20 {
            assert!(ration.admit(at(5), TlsRefusal::NotTls, true));
        }
        assert!(!ration.admit(at(6), TlsRefusal::NotTls, true));
        assert!(ration.admit(at(6), TlsRefusal::Expired, true), "another reason has its own");
        assert_eq!(ration.next_end(), Some(at(65)));
        assert_eq!(ration.end(at(64)), []);
        assert_eq!(ration.end(at(65)), [(TlsRefusal::NotTls, 1)]);
        assert!(ration.admit(at(65), TlsRefusal::NotTls, true));
    }
}
