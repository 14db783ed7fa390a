//! What injections order of a bench.

use std::collections::BTreeMap;

use lastmeter_devices::DeviceFault;
use lastmeter_devices::endpoint::EndpointFault;
use lastmeter_link::impair::{Breakage, Impairment};

use super::target::Through;

/// Something that a bench has to do at an instant, in virtual and in real time. Whom it befalls may
/// know of it ahead, and then does it at its own event time.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Order {
    /// Something goes wrong in a device.
    Fault { device: usize, fault: DeviceFault },
    /// Something goes wrong in the simulator.
    Simulator(EndpointFault),
    /// A command is given to a device through the platform.
    Command {
        device: usize,
        command: String,
        parameters: BTreeMap<String, String>,
        must_be_refused: bool,
    },
    /// The platform's child process is killed and started again.
    KillPlatform,
    /// A gateway loses its supply and starts again.
    RestartGateway(usize),
    /// Something is put on top of what a link does; `None`: no more.
    Impair { through: Through, change: Option<Box<Impairment>> },
    /// A link breaks, or is mended.
    Disconnect { through: Through, how: Breakage, begins: bool },
}
