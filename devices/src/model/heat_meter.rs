//! A heat meter (EN 1434-1) with the errors of its parts, none unless planted.

use lastmeter_params::{Dimension, Entry, Field, Kind, Values};
use lastmeter_units::Domain;

use super::fields::{either_way, positive, ratio};
use super::kind::{DeviceKind, Fits};
use super::pipe::{VOLUME_RESOLUTION, build, that_report};
use crate::pipe::Core;
use crate::pipe::heat::{HeatMeter, SensorPipe};

pub(super) const PARTS: [Field; 8] = [
    Field::default("flow_error", ratio(0.5), "\"0 %\"", "Relative error of the flow sensor."),
    Field::default(
        "flow_temperature_offset",
        either_way(Dimension::TemperatureDifference, 20.0),
        "\"0 K\"",
        "By how much the sensor in the flow pipe reads too high.",
    ),
    Field::default(
        "return_temperature_offset",
        either_way(Dimension::TemperatureDifference, 20.0),
        "\"0 K\"",
        "By how much the sensor in the return pipe reads too high.",
    ),
    Field::default(
        "calculator_error",
        ratio(0.5),
        "\"0 %\"",
        "Relative error of what the calculator makes of volume and temperatures.",
    ),
    Field::default(
        "flow_sensor",
        Kind::Choice(SensorPipe::WORDS),
        "\"return\"",
        "In which pipe the calculator takes the flow sensor to be; the source has where it is.",
    ),
    Field::default(
        "energy_resolution",
        positive(Dimension::ActiveEnergy, 3.6e9),
        "\"0.1 kWh\"",
        "Step of the energy register, which is rounded down; `0 J`: none.",
    ),
    VOLUME_RESOLUTION,
    Field::default(
        "temperature_resolution",
        positive(Dimension::TemperatureDifference, 5.0),
        "\"0.01 K\"",
        "Step of the temperatures that are shown, not of those computed with; `0 K`: none.",
    ),
];

static FIELDS: [Field; 2 + PARTS.len()] = that_report(PARTS);

pub(super) fn parts(values: &Values) -> HeatMeter {
    let sensor_pipe = SensorPipe::from_word(values.text("flow_sensor"));
    HeatMeter {
        flow_error: values.si("flow_error"),
        flow_offset_k: values.si("flow_temperature_offset"),
        return_offset_k: values.si("return_temperature_offset"),
        calculator_error: values.si("calculator_error"),
        sensor_pipe: sensor_pipe.unwrap_or(SensorPipe::Return),
        energy_step_j: values.si("energy_resolution"),
        volume_step_m3: values.si("volume_resolution"),
        temperature_step_k: values.si("temperature_resolution"),
    }
}

pub(crate) const HEAT_METER: DeviceKind = DeviceKind {
    fits: Fits::Pipe(Domain::Heat),
    entry: Entry {
        name: "heat-meter",
        summary: "heat meter: energy, volume, power, volume flow, flow and return temperature",
        description: "Flow sensor, pair of temperature sensors and calculator as EN 1434-1 has them, \
            each with an error that is zero until it is planted. The calculator works with a table \
            of water at 16 bar; heat is counted while the flow is warmer than the return. A reading \
            has the registers and temperatures of its instant, and the means of power and volume \
            flow since the last one.",
        fields: &FIELDS,
    },
    build: |values, context, _| Some(build(Core::Heat(parts(values)), values, context)),
    ..DeviceKind::PLAIN
};
