//! Log lines that a sender could cause as often as it likes, at most so often.

use std::sync::Mutex;
use std::time::Duration;

use tokio::time::Instant;

use lastmeter_store::lock;

/// Lets one line through, then none for a while, and counts those it kept back.
#[derive(Debug)]
pub(crate) struct LogThrottle {
    every: Duration,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    last: Option<Instant>,
    kept_back: u64,
}

impl LogThrottle {
    /// At most one line in such a time.
    pub(crate) fn new(every: Duration) -> Self {
        Self { every, state: Mutex::default() }
    }

    /// Whether to write a line now: then how many were kept back since the last one.
    pub(crate) fn admit(&self) -> Option<u64> {
        self.admit_at(Instant::now())
    }

    fn admit_at(&self, now: Instant) -> Option<u64> {
        let mut state = lock(&self.state);
        if state.last.is_some_and(|last| now.saturating_duration_since(last) < self.every) {
            state.kept_back += 1;
            return None;
        }
        state.last = Some(now);
        Some(std::mem::take(&mut state.kept_back))
    }
}

/// For what goes wrong with a disk: a line each half minute.
impl Default for LogThrottle {
    fn default() -> Self {
        Self::new(Duration::from_secs(30))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_passes_and_those_that_follow_are_counted() {
        let (throttle, start) = (LogThrottle::default(), Instant::now());
        let at = |seconds| throttle.admit_at(start + Duration::from_secs(seconds));
        assert_eq!([at(0), at(1), at(29)], [Some(0), None, None]);
        assert_eq!([at(30), at(31), at(90)], [Some(2), None, Some(1)]);
    }
}
