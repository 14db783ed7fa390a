//! A room: the temperature of its air, and whether its door or window is open.

use std::sync::Arc;

use lastmeter_units::{Quantity, SimDuration};
use serde::{Deserialize, Serialize};

use super::course::Course;
use crate::truth::ReferenceSpan;

/// What a sensor in a room meets.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct RoomState {
    /// Temperature of the air, °C.
    pub celsius: f64,
    /// Whether its door or window is open.
    pub is_open: bool,
}

/// A room over the whole of a scenario.
#[derive(Clone, Debug)]
pub struct Room {
    /// Temperature, and 1 where it is open.
    course: Arc<Course<2>>,
}

impl Room {
    /// States from instants on, the first at zero.
    pub(crate) fn new(states: impl IntoIterator<Item = (SimDuration, RoomState)>) -> Option<Self> {
        let columns = |state: RoomState| [state.celsius, f64::from(u8::from(state.is_open))];
        let mut states = states.into_iter();
        let mut course = Course::new(columns(states.next()?.1));
        states.for_each(|(begin, state)| course.push(begin, columns(state)));
        Some(Self { course: Arc::new(course) })
    }

    /// The state from an instant on, and when it changes.
    pub(super) fn state_at(&self, at: SimDuration) -> (RoomState, Option<SimDuration>) {
        let (&[celsius, open], until) = self.course.at(at);
        (RoomState { celsius, is_open: open > 0.0 }, until)
    }

    /// A reference value; `None` of what a room does not have.
    pub(super) fn truth(&self, quantity: Quantity, span: ReferenceSpan) -> Option<f64> {
        let column = match quantity {
            Quantity::RoomTemperature => 0,
            Quantity::ContactOpen => 1,
            _ => return None,
        };
        self.course.truth(column, quantity.formation()?, span)
    }
}
