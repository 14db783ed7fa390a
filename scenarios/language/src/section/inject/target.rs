//! Whom injections befall.

use lastmeter_params::Diagnostics;

use crate::draft::Row;
use crate::names::Names;
use crate::section::link::Via;
use crate::section::platform::PlatformUse;

/// Whom an injection befalls.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Target {
    /// A device, by its index.
    Device(usize),
    /// A source, by its index.
    Source(usize),
    /// Something in the network.
    Network,
    /// What goes through a link.
    Link(Through),
    /// A gateway, by its index.
    Gateway(usize),
    /// A simulator, by its index.
    Simulator(usize),
    /// The bench itself: the platform, or nobody in particular, as what is only recorded.
    Bench,
}

/// Connections through a link.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Through {
    /// The link's index.
    pub link: usize,
    /// The indices of the devices whose connections they are, in order; `None`: whatever goes
    /// through the link.
    pub devices: Option<Vec<usize>>,
}

impl Through {
    /// Whether the connections of the party of this index are among them, if it goes through the
    /// link.
    pub fn is_of(&self, party: usize) -> bool {
        self.devices.as_ref().is_none_or(|devices| devices.contains(&party))
    }
}

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
    pub(crate) simulators: &'a Names,
    pub(crate) links: &'a Names,
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
