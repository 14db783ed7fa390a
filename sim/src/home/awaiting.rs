//! What waits at a socket for its supply: an appliance that is switched on while there is none, and
//! begins once there is.
//!
//! Its course is that of one which is switched on at that instant, with the same draws. What it was
//! switched on for earlier, and never began, is over with the next time.

use lastmeter_units::SimDuration;

use super::course::SwitchedOn;

#[derive(Clone, Debug)]
pub(super) struct Awaiting {
    planned: Vec<SwitchedOn>,
    /// As they began, those of the planned that have.
    begun: Vec<SwitchedOn>,
    /// How many of the planned are begun, or over.
    passed: usize,
    is_live: bool,
}

impl Awaiting {
    /// What is switched on then, in order, where there is supply from the start on.
    pub(super) fn new(planned: &[SwitchedOn]) -> Self {
        Self { planned: planned.to_vec(), begun: Vec::new(), passed: 0, is_live: true }
    }

    /// Begins from the scenario's start on again.
    pub(super) fn reset(&mut self) {
        (self.begun, self.passed, self.is_live) = (Vec::new(), 0, true);
    }

    /// When its appliance is switched on, as far as is known now.
    pub(super) fn on(&self) -> Vec<SwitchedOn> {
        let planned = self.planned[self.passed..].iter().filter(|_| self.is_live);
        self.begun.iter().chain(planned).copied().collect()
    }

    /// From an instant on there is supply, or none; whether that is another state than before.
    pub(super) fn supplied(&mut self, at: SimDuration, is_live: bool) -> bool {
        if std::mem::replace(&mut self.is_live, is_live) == is_live {
            return false;
        }
        let by_then = |on: &SwitchedOn| {
            on.from.is_none_or(|from| if is_live { from <= at } else { from < at })
        };
        let waiting = &self.planned[self.passed..];
        let count = waiting.iter().take_while(|on| by_then(on)).count();
        let (waiting, later) = waiting.split_at(count);
        if is_live {
            // Only now it begins, and lasts as long as it would have.
            let next = later.first().and_then(|on| on.from);
            self.begun.extend(waiting.last().map(|on| {
                let delay = at - on.from.unwrap_or(SimDuration::ZERO);
                let until = on.until.map(|until| until + delay).into_iter().chain(next).min();
                SwitchedOn { from: Some(at), until }
            }));
        } else {
            self.begun.extend(waiting);
        }
        self.passed += count;
        true
    }
}
