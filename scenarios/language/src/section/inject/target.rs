//! Whom injections befall.

use lastmeter_params::Diagnostics;

use crate::draft::Row;
use crate::names::Names;
use crate::references::{Target, Via};
use crate::section::platform::PlatformUse;

/// All that can be befallen, as far as it could be read.
pub(crate) struct Places<'a> {
    pub(crate) platform: Option<&'a PlatformUse>,
    pub(crate) devices: &'a Names,
    pub(crate) sources: &'a Names,
    /// The source that plays a plan.
    pub(crate) player: Option<&'static str>,
    /// The place of the network's first source among the sources.
    pub(crate) grid_from: usize,
    pub(crate) gateways: &'a Names,
    pub(crate) applications: &'a Names,
    pub(crate) simulators: &'a Names,
    pub(crate) links: &'a Names,
    pub(crate) networks: &'a Names,
    pub(crate) network_rows: &'a [Row<'a>],
    pub(crate) network_of_device: Vec<Option<usize>>,
    /// The word of each device's `authentication`, where it has that.
    pub(crate) authentication_of_device: Vec<Option<&'a str>>,
    pub(crate) via_of_device: Vec<Via>,
    pub(crate) via_of_gateway: &'a [Via],
    pub(crate) via_of_observer: &'a [Via],
    pub(crate) out: &'a mut Diagnostics,
}

impl Places<'_> {
    /// The device that a table names.
    pub(super) fn device(&mut self, row: &Row<'_>) -> Option<Target> {
        let (name, span) = row.reference("device")?;
        self.devices.find(name, span, self.out).map(Target::Device)
    }
}
