//! A water meter (OIML R 49) with an error curve over the flow, flat and zero unless planted.

use lastmeter_params::{Dimension, Entry, Field, Values};
use lastmeter_units::Domain;

use super::fields::{positive, ratio};
use super::kind::{DeviceKind, Fits};
use super::pipe::{VOLUME_RESOLUTION, build, that_report};
use crate::pipe::Core;
use crate::pipe::water::WaterMeter;

pub(super) const PARTS: [Field; 5] = [
    Field::default(
        "flow_error",
        ratio(0.5),
        "\"0 %\"",
        "Relative error from the transitional flow on.",
    ),
    Field::default("low_flow_error", ratio(1.0), "\"0 %\"", "Relative error below it."),
    Field::default(
        "transitional_flow",
        positive(Dimension::VolumeFlow, 1e3),
        "\"25 l/h\"",
        "Where the one gives way to the other: Q2 of OIML R 49-1.",
    ),
    Field::default(
        "starting_flow",
        positive(Dimension::VolumeFlow, 1e3),
        "\"0 l/h\"",
        "Volume flow below which nothing is counted.",
    ),
    VOLUME_RESOLUTION,
];

static FIELDS: [Field; 2 + PARTS.len()] = that_report(PARTS);

pub(super) fn parts(values: &Values) -> WaterMeter {
    WaterMeter {
        flow_error: values.si("flow_error"),
        low_flow_error: values.si("low_flow_error"),
        transitional_flow_m3_per_s: values.si("transitional_flow"),
        starting_flow_m3_per_s: values.si("starting_flow"),
        volume_step_m3: values.si("volume_resolution"),
    }
}

pub(crate) const WATER_METER: DeviceKind = DeviceKind {
    fits: Fits::Pipe(Domain::Water),
    entry: Entry {
        name: "water-meter",
        summary: "water meter: volume and volume flow",
        description: "Counts what flows with an error that depends on the flow: none until one is \
            planted, and nothing below its starting flow. A reading has the register of its \
            instant, and the mean volume flow since the last one.",
        fields: &FIELDS,
    },
    build: |values, context, _| Some(build(Core::Water(parts(values)), values, context)),
    ..DeviceKind::PLAIN
};
