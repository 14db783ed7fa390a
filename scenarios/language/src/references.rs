//! What the tables of a scenario refer to, by index.

use super::draft::Reported;
use super::names::Names;
use super::section::gateway::OnNetworks;
use super::section::inject::Target;
use super::section::link::Via;
use super::section::platform::GivenAuthority;
use super::section::signal::SignalPlace;

/// What the tables refer to.
pub(crate) struct References {
    /// The name of each device, and the table that makes it.
    pub(crate) devices: Vec<(String, usize)>,
    /// The source of a table's first device.
    pub(crate) source_of_table: Vec<Option<usize>>,
    pub(crate) source_of_device: Vec<Option<usize>>,
    /// The place of the network's first source among the sources.
    pub(crate) grid_from: usize,
    pub(crate) via_of_table: Vec<Via>,
    pub(crate) on_networks: OnNetworks,
    pub(crate) via_of_gateway: Vec<Via>,
    pub(crate) observers: Names,
    /// The names of all devices.
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
