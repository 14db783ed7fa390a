//! What injections order of a bench.

use std::collections::BTreeMap;

use lastmeter_devices::DeviceFault;
use lastmeter_devices::endpoint::EndpointFault;
use lastmeter_devices::zigbee::ImageId;
use lastmeter_link::impair::{Breakage, Impairment};
use lastmeter_link::medium::CanFault;
use lastmeter_units::SimTime;

use crate::references::Through;

/// Something that a bench has to do at an instant, in virtual and in real time. Whom it befalls may
/// know of it ahead, and then does it at its own event time.
#[derive(Clone, Debug, PartialEq)]
pub enum Order {
    /// Something goes wrong in a device.
    Fault {
        /// By its place among the devices.
        device: usize,
        /// What goes wrong.
        fault: DeviceFault,
    },
    /// Something goes wrong in the simulator.
    Simulator(EndpointFault),
    /// Something happens to a CAN bus.
    Can {
        /// By its place among the networks.
        network: usize,
        /// To which device, or against whom, by its place among the devices; `None`: to all.
        device: Option<usize>,
        /// What.
        fault: CanFault,
        /// Until when.
        until: SimTime,
    },
    /// A command is given to a device through the platform.
    Command {
        /// By its place among the devices.
        device: usize,
        /// Its name.
        command: String,
        /// As the platform takes them.
        parameters: BTreeMap<String, String>,
        /// Whether it passes only where it is refused.
        must_be_refused: bool,
    },
    /// A device is given a program image through the platform, which fetches and runs it.
    Firmware {
        /// By its place among the devices.
        device: usize,
        /// Which image.
        image: ImageId,
        /// The length of its file.
        bytes: usize,
        /// Whether one of its bytes is another than its integrity code is of.
        is_damaged: bool,
    },
    /// The platform's child process is killed and started again.
    KillPlatform,
    /// A gateway loses its supply and starts again.
    RestartGateway(usize),
    /// An application is killed, or started again.
    Application {
        /// By its place among the applications.
        application: usize,
        /// Whether it runs from now on.
        runs: bool,
    },
    /// Something is put on top of what a link does; `None`: no more.
    Impair {
        /// Whose link.
        through: Through,
        /// What is put on top.
        change: Option<Box<Impairment>>,
    },
    /// A link breaks, or is mended.
    Disconnect {
        /// Whose link.
        through: Through,
        /// How it breaks.
        how: Breakage,
        /// Whether it breaks; else it is mended.
        begins: bool,
    },
}
