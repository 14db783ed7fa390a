//! A controller at a node of the bus: what happened there is what it takes part in.

use super::{AttemptEnd, Controller};
use crate::bus::{ErrorState, Happening};

impl Controller {
    /// Takes what happened at its node. What it offers the bus from then on is
    /// [`Self::pending`].
    pub fn happened(&mut self, what: &Happening) {
        // An attempt that was begun or has ended otherwise meanwhile is none of it.
        let end = match *what {
            Happening::Begun(_) => {
                let _ = self.begin_attempt();
                return;
            }
            Happening::Received(frame) => {
                self.receive(frame);
                return;
            }
            Happening::State(state) => return self.set_bus_off(state == ErrorState::BusOff),
            Happening::Sent(_) => AttemptEnd::Sent,
            Happening::LostArbitration => AttemptEnd::LostArbitration,
            Happening::Error { is_sender: true, .. } => AttemptEnd::Error,
            Happening::Error { is_sender: false, .. } | Happening::Overload => return,
        };
        let _ = self.end_attempt(end);
    }
}
