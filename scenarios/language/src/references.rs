//! What the tables of a scenario refer to, by index.

use std::path::PathBuf;

use super::draft::Reported;
use super::names::Names;

pub(crate) struct References {
    /// The name of each device, and the table that makes it.
    pub(crate) devices: Vec<(String, usize)>,
    /// The source of a table's first device.
    pub(crate) source_of_table: Vec<Option<usize>>,
    pub(crate) source_of_device: Vec<Option<usize>>,
    /// The place of the network's first source among the sources.
    pub(crate) grid_from: usize,
    /// The same of its first switch, behind all others.
    pub(crate) switches_from: usize,
    pub(crate) via_of_table: Vec<Via>,
    pub(crate) on_networks: OnNetworks,
    pub(crate) via_of_gateway: Vec<Via>,
    pub(crate) observers: Names,
    pub(crate) device_names: Names,
    pub(crate) via_of_observer: Vec<Via>,
    pub(crate) devices_of_observer: Vec<Vec<usize>>,
    pub(crate) via_of_floor: Via,
    /// Whom each injection befalls; `None` after a mistake.
    pub(crate) target_of_injection: Vec<Option<Target>>,
    pub(crate) signals: Vec<SignalPlace>,
    pub(crate) devices_of_check: Vec<Vec<usize>>,
    pub(crate) authority: Result<Option<GivenAuthority>, Reported>,
}

/// Where connections go through: a link by its index, or straight to the platform.
pub(crate) type Via = Result<Option<usize>, Reported>;

/// Which networks tables are on, by index.
#[derive(Clone, Debug, Default)]
pub(crate) struct OnNetworks {
    /// By device table.
    pub(crate) of_table: Vec<Option<usize>>,
    pub(crate) of_gateway: Vec<Vec<usize>>,
}

/// Whom an injection befalls.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Target {
    Device(usize),
    Source(usize),
    Network,
    Link(Through),
    Gateway(usize),
    Application(usize),
    Simulator(usize),
    /// A CAN bus by its network, and which of its devices.
    Bus {
        network: usize,
        device: Option<usize>,
    },
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

/// What a signal is about, as far as it is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SignalPlace {
    /// The index of the device whose values the platform has.
    pub(crate) device: Option<usize>,
    /// The index of the source whose truth it is.
    pub(crate) source: Option<usize>,
}

/// An authority that the scenario gives, instead of one that the bench makes for the run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GivenAuthority {
    /// The file with its certificate, PEM.
    pub certificate: PathBuf,
    /// The file with its private key, PEM. Only somebody else's platform can do without: then the
    /// bench has no certificate to issue.
    pub key: Option<PathBuf>,
}
