//! Log lines that a sender could cause as often as it likes, at most so often.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Between two lines of one kind.
const PAUSE: Duration = Duration::from_secs(30);

/// Lets one line through, then none for a while, and counts those it kept back.
#[derive(Debug, Default)]
pub(crate) struct Sparse {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    last: Option<Instant>,
    kept_back: u64,
}

impl Sparse {
    /// Whether to write a line now: then how many were kept back since the last one.
    #[expect(
        clippy::disallowed_methods,
        reason = "how often a log is written is the machine's time"
    )]
    pub(crate) fn admit(&self) -> Option<u64> {
        self.admit_at(Instant::now())
    }

    fn admit_at(&self, now: Instant) -> Option<u64> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if state.last.is_some_and(|last| now.saturating_duration_since(last) < PAUSE) {
            state.kept_back += 1;
            return None;
        }
        state.last = Some(now);
        Some(std::mem::take(&mut state.kept_back))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[expect(clippy::disallowed_methods, reason = "some instant to count from")]
    fn a_line_passes_and_those_that_follow_are_counted() {
        let (sparse, start) = (Sparse::default(), Instant::now());
        let at = |seconds| sparse.admit_at(start + Duration::from_secs(seconds));
        assert_eq!([at(0), at(1), at(29)], [Some(0), None, None]);
        assert_eq!([at(30), at(31), at(90)], [Some(2), None, Some(1)]);
    }
}
