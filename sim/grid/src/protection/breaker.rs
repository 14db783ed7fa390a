//! Circuit-breakers.

use super::{Action, SettingError, not_negative, passes, runs_out};

/// A circuit-breaker with its times of operation. When its arc ends, at a zero of the current after
/// the contacts parted, is the matter of who solves the network.
#[derive(Clone, Debug, PartialEq)]
pub struct Breaker {
    opening_s: f64,
    closing_s: f64,
    state: BreakerState,
}

/// What a breaker is at.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum BreakerState {
    /// Its contacts touch.
    Closed,
    /// Its contacts part in this time, in seconds.
    Opening(f64),
    /// Its contacts are apart.
    Open,
    /// Its contacts touch in this time, in seconds.
    Closing(f64),
}

/// What a breaker does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BreakerEvent {
    /// Its contacts part.
    Opened,
    /// Its contacts touch.
    Closed,
}

impl Breaker {
    /// A closed breaker with its opening and closing times, in seconds.
    ///
    /// # Errors
    /// If a time is negative or not finite.
    pub fn new(opening_s: f64, closing_s: f64) -> Result<Self, SettingError> {
        not_negative("opening time in s", opening_s)?;
        not_negative("closing time in s", closing_s)?;
        Ok(Self { opening_s, closing_s, state: BreakerState::Closed })
    }

    /// What it is at.
    pub fn state(&self) -> BreakerState {
        self.state
    }

    /// The command to open. One that is closing does so all the same, in its whole opening time.
    pub fn open(&mut self) {
        if matches!(self.state, BreakerState::Closed | BreakerState::Closing(_)) {
            self.state = BreakerState::Opening(self.opening_s);
        }
    }

    /// The command to close. One that is not open ignores it.
    pub fn close(&mut self) {
        if self.state == BreakerState::Open {
            self.state = BreakerState::Closing(self.closing_s);
        }
    }

    /// The time in seconds from the command to the parting of the contacts, at any current.
    pub fn operating_time(&self, _current_a: f64) -> Option<f64> {
        Some(self.opening_s)
    }

    /// The time in seconds until its contacts part or touch, if a command runs.
    pub fn due_in(&self) -> Option<f64> {
        match self.state {
            BreakerState::Opening(left_s) | BreakerState::Closing(left_s) => Some(left_s),
            BreakerState::Closed | BreakerState::Open => None,
        }
    }

    /// A step of `dt_s` seconds.
    pub fn step(&mut self, dt_s: f64) -> Option<Action<BreakerEvent>> {
        if !passes(dt_s) {
            return None;
        }
        let (after_s, event, state) = match &mut self.state {
            BreakerState::Opening(left_s) => {
                (runs_out(left_s, dt_s)?, BreakerEvent::Opened, BreakerState::Open)
            }
            BreakerState::Closing(left_s) => {
                (runs_out(left_s, dt_s)?, BreakerEvent::Closed, BreakerState::Closed)
            }
            BreakerState::Closed | BreakerState::Open => return None,
        };
        self.state = state;
        Some(Action { after_s, event })
    }
}
