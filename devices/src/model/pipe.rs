//! What the models of meters in pipes have in common.

use lastmeter_params::{Dimension, Field, Values};

use super::fields::{between, positive};
use super::kind::DeviceContext;
use crate::border::Device;
use crate::outlet::Outlet;
use crate::pipe::{Core, PipeMeter};

pub(super) const REPORT_EVERY: Field = Field::default(
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

/// Makes a meter that reports by itself.
pub(super) fn build(core: Core, values: &Values, context: &DeviceContext<'_>) -> Box<dyn Device> {
    let outlet = Outlet::uplink(context, values.boolean("obey_commands"));
    Box::new(PipeMeter::new(core, outlet, values.duration("report_every")))
}
