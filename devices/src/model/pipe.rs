//! What the models of meters in pipes have in common.

use lastmeter_params::{Dimension, Field, Values};
use lastmeter_units::SimDuration;

use super::fields::{between, positive, shared};
use crate::border::Device;
use crate::context::DeviceContext;
use crate::outlet::Outlet;
use crate::outlet::reporter::Reporter;
use crate::pipe::{Core, PipeMeter};

const REPORT_EVERY: Field = Field::default(
    "report_every",
    // The lower bound is PERIOD_MIN.
    between(Dimension::Time, 0.25, 86_400.0),
    "\"5 min\"",
    "Time between two readings.",
);

pub(super) const VOLUME_RESOLUTION: Field = Field::default(
    "volume_resolution",
    positive(Dimension::Volume, 1e3),
    "\"1 l\"",
    "Step of the volume register, which is rounded down; `0 l`: none.",
);

/// The fields of a meter that reports by itself, behind them those of its parts.
pub(super) const fn that_report<const P: usize, const N: usize>(parts: [Field; P]) -> [Field; N] {
    let mut all = [REPORT_EVERY; N];
    all[1] = shared("obey_commands");
    let mut at = 0;
    while at < P {
        all[2 + at] = parts[at];
        at += 1;
    }
    all
}

/// Makes a meter on a field network, which measures so often.
pub(super) fn build_on_line(
    core: Core,
    outlet: Box<dyn Outlet>,
    every: SimDuration,
) -> Box<dyn Device> {
    Box::new(PipeMeter::new(core, outlet, every))
}

/// Makes a meter that reports by itself.
pub(super) fn build(core: Core, values: &Values, context: &DeviceContext<'_>) -> Box<dyn Device> {
    let outlet = Reporter::uplink(context, values.boolean("obey_commands"));
    Box::new(PipeMeter::new(core, outlet, values.duration("report_every")))
}
