//! A relay that opens its breaker.

use super::{Act, Cause, Device, DeviceInputs, Move, NamedCurve, Squares, distinct};
use crate::motion::OperationKind;
use crate::network::Wire;
use crate::protection::{Quantity, Relay, Trip};
use crate::transient::Pole;

/// A breaker that a relay opens, by the phasors of its currents.
#[derive(Clone, Debug)]
pub struct RelayBreaker {
    relay: Relay,
    opening_s: f64,
    opens_in_s: Option<f64>,
    /// It has opened, and what it measures of the current before that is not over yet.
    is_open: bool,
}

impl RelayBreaker {
    /// Of a relay, and the time in seconds from its trip until the contacts part.
    #[must_use]
    pub const fn new(relay: Relay, opening_s: f64) -> Self {
        Self { relay, opening_s, opens_in_s: None, is_open: false }
    }
}

impl Device for RelayBreaker {
    fn picked_up(&self, seen: &DeviceInputs<'_>) -> Squares {
        seen.picked_up(|current_a, earth| self.relay.operating_time(current_a, earth).is_some())
    }

    fn due_in(&self, seen: &DeviceInputs<'_>) -> Option<f64> {
        match self.opens_in_s {
            None if self.is_open => None,
            None => self.relay.due_in(&seen.currents()),
            left_s => left_s,
        }
    }

    fn step(&mut self, dt_s: f64, seen: &DeviceInputs<'_>) -> Vec<Act> {
        let mut acts = Vec::new();
        self.is_open &= self.picked_up(seen).iter().any(Option::is_some);
        if self.is_open {
            return acts;
        }
        let mut from_s = 0.0;
        if self.opens_in_s.is_none()
            && let Some(trip) = self.relay.step(dt_s, &seen.currents())
        {
            from_s = trip.after_s;
            self.opens_in_s = Some(self.opening_s);
            acts.push(Act {
                after_s: from_s,
                moves: Move::Stay,
                kind: OperationKind::Tripped,
                detail: tripped_by(trip.event),
                cause: Cause::First,
            });
        }
        if let Some(left_s) = &mut self.opens_in_s {
            if *left_s <= dt_s - from_s {
                acts.push(Act {
                    after_s: from_s + *left_s,
                    moves: Move::Open(Pole::All),
                    kind: OperationKind::Opened,
                    detail: "by its relay".to_owned(),
                    // The cause is reported with the relay's trip.
                    cause: Cause::Other,
                });
                (self.opens_in_s, self.is_open) = (None, true);
                self.relay.reset();
            } else {
                *left_s -= dt_s - from_s;
            }
        }
        acts
    }

    fn curves(&self, from_a: f64, to_a: f64) -> Vec<NamedCurve> {
        let curve = |(name, earth): (&str, bool)| {
            (name.to_owned(), self.relay.points(from_a, to_a, earth).collect())
        };
        distinct([("phases", false), ("residual", true)].map(curve))
    }
}

fn tripped_by(Trip { quantity, stage }: Trip) -> String {
    let what = match quantity {
        Quantity::Phase(phase) => format!("the current of phase {}", Wire::ALL[usize::from(phase)]),
        Quantity::Earth => "the residual current".to_owned(),
    };
    format!("by {what}, stage {}", stage + 1)
}
