//! A controller at a node of a bus: it offers what it has, and what happens there is what it takes
//! part in.

use lastmeter_units::SimTime;

use super::{AttemptEnd, Controller, Reception};
use crate::bus::{Bus, BusEvent, ErrorState, Happening};

impl Controller {
    /// Takes its place at a node of the bus.
    pub fn join(&self, bus: &mut Bus, node: usize) {
        bus.set_recovery(node, self.configuration().has_automatic_bus_off_recovery);
    }

    /// Offers the bus what is first of what is requested; after each request and abort.
    pub fn offer(&self, bus: &mut Bus, node: usize, at: SimTime) {
        // What is on the wire goes on by itself.
        if !self.is_sending() {
            bus.offer(node, at, self.pending().copied());
        }
    }

    /// Takes what happened at its node, and offers what is first then. Its owner starts it again
    /// ([`Self::reset`]) when the node's supply is lost.
    pub fn follow(&mut self, bus: &mut Bus, event: &BusEvent) {
        self.take(event.what);
        self.offer(bus, event.node, event.at);
    }

    /// Takes what happened at its node; what became of a frame that it received. What is first then
    /// is [`Self::pending`].
    pub fn take(&mut self, what: Happening) -> Option<Reception> {
        let mut reception = None;
        let end = match what {
            Happening::Begun(frame) => {
                // Another one was offered by somebody else, and is none of its requests.
                if self.pending() == Some(&frame) {
                    let _ = self.begin_attempt();
                }
                None
            }
            Happening::Received(frame) => {
                reception = Some(self.receive(frame));
                None
            }
            Happening::State(state) => {
                self.set_bus_off(state == ErrorState::BusOff);
                None
            }
            Happening::Sent(_) => Some(AttemptEnd::Sent),
            Happening::LostArbitration => Some(AttemptEnd::LostArbitration),
            Happening::Error { is_sender: true, .. } => Some(AttemptEnd::Error),
            Happening::Error { is_sender: false, .. } | Happening::Overload => None,
        };
        // Errors of its flag come behind the end of its attempt.
        if let Some(end) = end.filter(|_| self.is_sending()) {
            let _ = self.end_attempt(end);
        }
        reception
    }
}
