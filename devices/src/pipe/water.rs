//! A water meter (OIML R 49): a volume by an error curve over the flow.

use lastmeter_sim::WaterState;
use lastmeter_units::Quantity;

use super::integrator::rounded_down;

#[derive(Clone, Copy, Debug)]
pub(crate) struct WaterMeter {
    /// Relative, from the transitional flow on.
    pub(crate) flow_error: f64,
    /// Relative, below it.
    pub(crate) low_flow_error: f64,
    pub(crate) transitional_flow_m3_per_s: f64,
    /// Below it nothing is counted.
    pub(crate) starting_flow_m3_per_s: f64,
    pub(crate) volume_step_m3: f64,
}

impl WaterMeter {
    /// Volume flow in m3/s, as the meter counts it.
    pub(super) fn rate(&self, state: WaterState) -> f64 {
        let flow = state.volume_flow_m3_per_s;
        if flow < self.starting_flow_m3_per_s {
            return 0.0;
        }
        let is_low = flow < self.transitional_flow_m3_per_s;
        flow * (1.0 + if is_low { self.low_flow_error } else { self.flow_error })
    }

    /// A value in its SI unit.
    pub(super) fn value(&self, quantity: Quantity, volume_m3: f64, mean: f64) -> Option<f64> {
        Some(match quantity {
            Quantity::WaterVolume => rounded_down(volume_m3, self.volume_step_m3),
            Quantity::WaterVolumeFlow => mean,
            _ => return None,
        })
    }
}
