//! Heat: a circuit that gives off heat between its flow and its return pipe.
//!
//! Definitions: the volume flow is that at the flow sensor, in the pipe where it sits. Thermal
//! power is `q (h_flow - h_return) / v`, with the specific enthalpies `h` of both pipes and the
//! specific volume `v` at the sensor, all at the circuit's pressure: the heat coefficient of
//! EN 1434-1, from IAPWS-IF97 (see `if97`). Energy and volume are its and the volume flow's
//! integrals from when the registers stood at zero, power and volume flow means over the span,
//! temperatures those at its end.

pub(crate) mod if97;

use std::sync::Arc;

use lastmeter_units::{Quantity, SimDuration};
use serde::{Deserialize, Serialize};

use super::course::Course;
use crate::truth::ReferenceSpan;

/// What a heat meter's sensors meet.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct HeatState {
    /// Temperature in the flow pipe, degrees Celsius.
    pub flow_celsius: f64,
    /// Temperature in the return pipe, degrees Celsius.
    pub return_celsius: f64,
    /// Volume flow in the pipe of the flow sensor, m3/s.
    pub volume_flow_m3_per_s: f64,
}

/// In which pipe the flow sensor sits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FlowSensor {
    Flow,
    Return,
}

/// Columns of the course.
const FLOW: usize = 0;
const RETURN: usize = 1;
const VOLUME_FLOW: usize = 2;
const POWER: usize = 3;

/// A heat circuit over the whole of a scenario.
#[derive(Clone, Debug)]
pub struct HeatCircuit {
    course: Arc<Course<4>>,
}

fn columns(pressure_pa: f64, sensor: FlowSensor, state: HeatState) -> [f64; 4] {
    let HeatState { flow_celsius, return_celsius, volume_flow_m3_per_s } = state;
    let sensor_celsius = match sensor {
        FlowSensor::Flow => flow_celsius,
        FlowSensor::Return => return_celsius,
    };
    let power_w = if volume_flow_m3_per_s == 0.0 {
        0.0
    } else {
        let heat = if97::heat_per_volume(pressure_pa, flow_celsius, return_celsius, sensor_celsius);
        volume_flow_m3_per_s * heat
    };
    [flow_celsius, return_celsius, volume_flow_m3_per_s, power_w]
}

impl HeatCircuit {
    /// States from instants on, the first at zero.
    pub(crate) fn new(
        pressure_pa: f64,
        sensor: FlowSensor,
        states: impl IntoIterator<Item = (SimDuration, HeatState)>,
    ) -> Option<Self> {
        let mut states = states.into_iter();
        let (_, first) = states.next()?;
        let mut course = Course::new(columns(pressure_pa, sensor, first));
        for (begin, state) in states {
            course.push(begin, columns(pressure_pa, sensor, state));
        }
        Some(Self { course: Arc::new(course) })
    }

    /// The state from an instant on, and when it changes.
    pub(super) fn state_at(&self, at: SimDuration) -> (HeatState, Option<SimDuration>) {
        let (values, until) = self.course.at(at);
        let state = HeatState {
            flow_celsius: values[FLOW],
            return_celsius: values[RETURN],
            volume_flow_m3_per_s: values[VOLUME_FLOW],
        };
        (state, until)
    }

    /// A reference value; `None` of what a heat circuit does not have.
    pub(super) fn truth(&self, quantity: Quantity, span: ReferenceSpan) -> Option<f64> {
        let column = match quantity {
            Quantity::HeatEnergy | Quantity::HeatPower => POWER,
            Quantity::HeatVolume | Quantity::HeatVolumeFlow => VOLUME_FLOW,
            Quantity::FlowTemperature => FLOW,
            Quantity::ReturnTemperature => RETURN,
            _ => return None,
        };
        self.course.truth(column, quantity.formation()?, span)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn s(seconds: i64) -> SimDuration {
        SimDuration::from_seconds(seconds)
    }

    /// k = 1.152 370 534 kWh/(m3 K) at 16 bar, 70 and 40 degrees Celsius, the sensor in the return
    /// pipe (iapws 1.5.5): 0.6 m3/h across 30 K are 20.742 670 kW.
    #[test]
    fn energy_is_volume_times_difference_times_coefficient() {
        let state = |flow: f64| HeatState {
            flow_celsius: 70.0,
            return_celsius: 40.0,
            volume_flow_m3_per_s: flow / 3600.0,
        };
        let states = [(s(0), state(0.6)), (s(1800), state(0.0)), (s(2700), state(1.2))];
        let circuit = HeatCircuit::new(1.6e6, FlowSensor::Return, states).unwrap();
        let span = |from, to| ReferenceSpan { from: s(from), to: s(to), registers_from: s(0) };
        let value = |quantity, from, to| circuit.truth(quantity, span(from, to)).unwrap();
        let kilowatts = 1.152_370_534_426 * 0.6 * 30.0;
        for (quantity, from, to, expected) in [
            (Quantity::HeatPower, 0, 1800, 1e3 * kilowatts),
            (Quantity::HeatPower, 0, 3600, 1e3 * kilowatts),
            (Quantity::HeatEnergy, 2700, 3600, 3.6e6 * kilowatts),
            (Quantity::HeatVolume, 2700, 3600, 0.6),
            (Quantity::HeatVolumeFlow, 1800, 3600, 0.6 / 3600.0),
            (Quantity::FlowTemperature, 0, 3600, 70.0),
            (Quantity::ReturnTemperature, 0, 3600, 40.0),
        ] {
            let found = value(quantity, from, to);
            assert!((found / expected - 1.0).abs() < 1e-10, "{quantity:?}: {found}");
        }
        assert_eq!(circuit.truth(Quantity::HeatPower, span(5, 5)), None);
        assert_eq!(circuit.truth(Quantity::WaterVolume, span(0, 5)), None);
        // The same water is more in the warmer pipe.
        let flow = HeatCircuit::new(1.6e6, FlowSensor::Flow, [(s(0), state(0.6))]).unwrap();
        let found = flow.truth(Quantity::HeatPower, span(0, 60)).unwrap();
        assert!((found / (1e3 * 1.135_609_506_739 * 18.0) - 1.0).abs() < 1e-10);
    }
}
