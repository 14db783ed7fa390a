//! What a batch changes of the last known state of devices: gathered, and written once a device.

use std::collections::BTreeSet;

use std::collections::BTreeMap;

use lastmeter_units::SimTime;

use super::Deciding;
use super::seam::{Batch, Effect, Found, STATE_ALERTS_MAX, State};

/// What a batch changes of a device's state.
#[derive(Default)]
pub(super) struct Touched {
    last_interaction: SimTime,
    /// Quantities of which there is any value.
    quantities: BTreeSet<u16>,
    /// Last values, of messages that asked for it.
    values: BTreeMap<u16, (i64, f64)>,
    /// Alerts that asked to be in the state, newest last.
    pub(super) alerts: Vec<i64>,
}

impl Touched {
    /// Notes that there is a value of a quantity.
    pub(super) fn know(&mut self, quantity: u16) {
        self.quantities.insert(quantity);
    }

    /// Takes a value over unless a later one is known.
    pub(super) fn offer(&mut self, quantity: u16, event_ns: i64, value: f64) {
        let known = self.values.entry(quantity).or_insert((event_ns, value));
        if known.0 <= event_ns {
            *known = (event_ns, value);
        }
    }

    /// Puts it into what is stored: a repetition that comes late does not turn the state back.
    fn merge_into(&self, state: &mut State) {
        state.last_interaction = state.last_interaction.max(self.last_interaction);
        for quantity in &self.quantities {
            state.quantities.entry(*quantity).or_default();
        }
        for (quantity, (event_ns, value)) in &self.values {
            let known = state.quantities.entry(*quantity).or_default();
            if known.is_none_or(|(known_ns, _)| known_ns <= *event_ns) {
                *known = Some((*event_ns, *value));
            }
        }
        let newest_first = self.alerts.iter().rev().chain(&state.alerts);
        state.alerts = newest_first.take(STATE_ALERTS_MAX).copied().collect();
    }
}

impl<B: Batch + ?Sized> Deciding<'_, B> {
    pub(super) fn touch(&mut self, device: i64, received: SimTime) -> &mut Touched {
        let touched = self.touched.entry(device).or_default();
        touched.last_interaction = touched.last_interaction.max(received);
        touched
    }

    pub(super) fn update_states(&mut self) -> Result<(), B::Error> {
        for (device, touched) in &self.touched {
            let mut state = match self.batch.state(*device)? {
                Found::Sound(state) => state,
                Found::Absent => State::default(),
                // As it is it will go on being noticed; what was made of it would not.
                Found::Damaged => continue,
            };
            touched.merge_into(&mut state);
            self.batch.put(Effect::State(*device, &state))?;
        }
        Ok(())
    }
}
