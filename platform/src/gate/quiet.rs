//! Which of many equal events get a line in the log. Pure: time comes in.

use std::time::Duration;

/// Lets a line through at most once per span of time, and tells how many it has left out.
#[derive(Debug)]
pub(super) struct Quiet {
    every: Duration,
    next: Duration,
    unsaid: u64,
}

impl Quiet {
    pub(super) fn new(every: Duration) -> Self {
        Self { every, next: Duration::ZERO, unsaid: 0 }
    }

    /// Whether the event of this moment gets a line; with it, how many before it got none.
    pub(super) fn says(&mut self, now: Duration) -> Option<u64> {
        if now < self.next {
            self.unsaid += 1;
            return None;
        }
        self.next = now + self.every;
        Some(std::mem::take(&mut self.unsaid))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_line_per_span_tells_of_all_before_it() {
        let mut quiet = Quiet::new(Duration::from_secs(10));
        let at = Duration::from_secs;
        assert_eq!(quiet.says(at(0)), Some(0));
        assert_eq!(quiet.says(at(1)), None);
        assert_eq!(quiet.says(at(9)), None);
        assert_eq!(quiet.says(at(10)), Some(2));
        assert_eq!(quiet.says(at(11)), None);
        assert_eq!(quiet.says(at(500)), Some(1));
    }
}
