//! A heat meter: flow sensor, pair of temperature sensors and calculator (EN 1434-1), each with the
//! errors that its fields plant.

use lastmeter_sim::HeatState;
use lastmeter_units::Quantity;

use super::integrator::rounded_down;
use super::water_table::heat_per_cubic_metre;

lastmeter_units::words! {
    /// In which pipe the calculator takes the flow sensor to be.
    pub(crate) enum SensorPipe {
        Flow = "flow",
        Return = "return",
    }
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct HeatMeter {
    /// Error of the flow sensor, relative.
    pub(crate) flow_error: f64,
    pub(crate) flow_offset_k: f64,
    pub(crate) return_offset_k: f64,
    /// Error of the calculator, relative.
    pub(crate) calculator_error: f64,
    pub(crate) sensor_pipe: SensorPipe,
    pub(crate) energy_step_j: f64,
    pub(crate) volume_step_m3: f64,
    pub(crate) temperature_step_k: f64,
}

/// Integrals in the order in which a meter keeps them.
pub(super) const VOLUME: usize = 0;
pub(super) const ENERGY: usize = 1;

impl HeatMeter {
    /// What its sensors make of what they meet.
    fn sensed(&self, state: &HeatState) -> (f64, f64) {
        (state.flow_celsius + self.flow_offset_k, state.return_celsius + self.return_offset_k)
    }

    /// Volume flow in m3/s and thermal power in W, as the meter counts them.
    pub(super) fn rates(&self, state: &HeatState) -> [f64; 2] {
        let volume_flow = state.volume_flow_m3_per_s * (1.0 + self.flow_error);
        let (flow, back) = self.sensed(state);
        let sensor = match self.sensor_pipe {
            SensorPipe::Flow => flow,
            SensorPipe::Return => back,
        };
        // A meter of heat does not count what cools.
        let heat = heat_per_cubic_metre(flow, back, sensor).max(0.0);
        [volume_flow, volume_flow * heat * (1.0 + self.calculator_error)]
    }

    /// A value in its SI unit, of integrals up to now, means since the last reading and what flows.
    pub(super) fn value(
        &self,
        quantity: Quantity,
        sums: [f64; 2],
        means: [f64; 2],
        state: &HeatState,
    ) -> Option<f64> {
        let (flow, back) = self.sensed(state);
        Some(match quantity {
            Quantity::HeatEnergy => rounded_down(sums[ENERGY], self.energy_step_j),
            Quantity::HeatVolume => rounded_down(sums[VOLUME], self.volume_step_m3),
            Quantity::HeatPower => means[ENERGY],
            Quantity::HeatVolumeFlow => means[VOLUME],
            Quantity::FlowTemperature => self.shown(flow),
            Quantity::ReturnTemperature => self.shown(back),
            _ => return None,
        })
    }

    fn shown(&self, celsius: f64) -> f64 {
        let step = self.temperature_step_k;
        if step > 0.0 { (celsius / step).round() * step } else { celsius }
    }
}
