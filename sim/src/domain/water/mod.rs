//! Water: what passes a pipe with drinking water.

use std::sync::Arc;

use lastmeter_units::{Quantity, SimDuration};
use serde::{Deserialize, Serialize};

use super::course::Course;
use crate::truth::ReferenceSpan;

/// What a water meter meets.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct WaterState {
    /// Volume flow, m3/s.
    pub volume_flow_m3_per_s: f64,
}

/// A pipe with water over the whole of a scenario.
#[derive(Clone, Debug)]
pub struct WaterSupply {
    /// Volume flow.
    course: Arc<Course<1>>,
}

impl WaterSupply {
    /// Volume flows in m3/s from instants on, the first at zero.
    pub(crate) fn new(flows: impl IntoIterator<Item = (SimDuration, f64)>) -> Option<Self> {
        let mut flows = flows.into_iter();
        let mut course = Course::new([flows.next()?.1]);
        flows.for_each(|(begin, flow)| course.push(begin, [flow]));
        Some(Self { course: Arc::new(course) })
    }

    /// The state from an instant on, and when it changes.
    pub(super) fn state_at(&self, at: SimDuration) -> (WaterState, Option<SimDuration>) {
        let (values, until) = self.course.at(at);
        (WaterState { volume_flow_m3_per_s: values[0] }, until)
    }

    /// A reference value; `None` of what a water supply does not have.
    pub(super) fn truth(&self, quantity: Quantity, span: ReferenceSpan) -> Option<f64> {
        match quantity {
            Quantity::WaterVolume | Quantity::WaterVolumeFlow => {
                self.course.truth(0, quantity.formation()?, span)
            }
            _ => None,
        }
    }
}
