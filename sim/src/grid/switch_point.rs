//! A switch of a network as a place that a device is connected to: how it stands.
//!
//! The network is played while the run goes on, so what is known of it is renewed from instant to
//! instant; what lies behind stays as it was.

use std::sync::{Arc, PoisonError, RwLock};

use lastmeter_units::{Quantity, SimDuration};
use serde::{Deserialize, Serialize};

use crate::truth::ReferenceSpan;

/// How a switch stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SwitchState {
    /// Whether all of its poles are closed.
    pub is_closed: bool,
    /// Whether all of them are open.
    pub is_open: bool,
    /// Whether a recloser in it has opened it for good.
    pub is_locked_out: bool,
}

/// A switch: cheap to clone, shared between threads; all clones are one.
#[derive(Clone, Debug)]
pub struct SwitchPoint {
    /// From each instant on, the first from the start.
    states: Arc<RwLock<Vec<(SimDuration, SwitchState)>>>,
}

impl SwitchPoint {
    /// A switch that stands so from the start on.
    #[must_use]
    pub fn new(is_closed: bool) -> Self {
        let state = SwitchState { is_closed, is_open: !is_closed, is_locked_out: false };
        Self { states: Arc::new(RwLock::new(vec![(SimDuration::ZERO, state)])) }
    }

    /// Replaces all that is known of it: how it stands from instants on, in order, the first at the
    /// start; nothing in place of nothing.
    pub fn renew(&self, states: Vec<(SimDuration, SwitchState)>) {
        if !states.is_empty() {
            *self.states.write().unwrap_or_else(PoisonError::into_inner) = states;
        }
    }

    /// How it stands from an instant since the start on, and until when, as far as that is known.
    pub(crate) fn state_at(&self, at: SimDuration) -> (SwitchState, Option<SimDuration>) {
        let states = self.states.read().unwrap_or_else(PoisonError::into_inner);
        let next = states.partition_point(|(from, _)| *from <= at).max(1);
        (states[next - 1].1, states.get(next).map(|(from, _)| *from))
    }

    /// What a quantity of it is at the end of a span: whether it was closed just before.
    pub(crate) fn truth(&self, quantity: Quantity, span: ReferenceSpan) -> Option<f64> {
        let just_before = SimDuration((span.to.0 - 1).max(0));
        let is_closed = self.state_at(just_before).0.is_closed;
        (quantity == Quantity::BreakerClosed).then(|| f64::from(u8::from(is_closed)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reading_has_what_stood_just_before_it() {
        let point = SwitchPoint::new(true);
        let at = SimDuration::from_seconds;
        let state = |is_closed| SwitchPoint::new(is_closed).state_at(at(0)).0;
        let of = |to: SimDuration| {
            let span = ReferenceSpan { from: at(0), to, registers_from: at(0) };
            point.truth(Quantity::BreakerClosed, span)
        };
        assert_eq!((of(at(0)), of(at(100))), (Some(1.0), Some(1.0)));
        point.renew(vec![(at(0), state(true)), (at(10), state(false))]);
        let found = [at(10), at(10) + SimDuration(1)].map(of);
        assert_eq!(found, [Some(1.0), Some(0.0)]);
        assert_eq!(point.state_at(at(9)), (state(true), Some(at(10))));
        assert_eq!(point.state_at(at(10)), (state(false), None));
        point.renew(Vec::new());
        assert_eq!(of(at(20)), Some(0.0));
    }
}
