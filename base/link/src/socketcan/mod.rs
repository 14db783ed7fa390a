//! Interfaces of `SocketCAN`: CAN controllers and adapters that Linux drives itself.
//!
//! [`CanInterface`] sends and receives frames of classical CAN, and hears of errors on the bus. It
//! is there with the cargo feature `socketcan` on Linux; in other builds [`CanInterface::open`]
//! answers [`SocketCanError::NotBuilt`]. Bit rate and sampling point belong to the interface and
//! are set with `ip link`, not here.
//!
//! Sockets, options and error frames: the kernel's `Documentation/networking/can.rst`.

use std::fmt;
use std::str::FromStr;

use lastmeter_can::frame::{CanFrame, FrameError};

#[cfg(not(all(feature = "socketcan", target_os = "linux")))]
mod absent;
#[cfg(all(feature = "socketcan", target_os = "linux"))]
mod convert;
#[cfg(all(feature = "socketcan", target_os = "linux"))]
mod interface;

#[cfg(not(all(feature = "socketcan", target_os = "linux")))]
pub use absent::CanInterface;
#[cfg(all(feature = "socketcan", target_os = "linux"))]
pub use convert::{from_kernel, to_kernel};
#[cfg(all(feature = "socketcan", target_os = "linux"))]
pub use interface::CanInterface;

/// What an address of an interface begins with: `can:can0`.
pub const PREFIX: &str = "can:";

/// The longest name of an interface, bytes (IFNAMSIZ without its zero).
const NAME_BYTES_MAX: usize = 15;

/// The name of a network interface: `can0`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InterfaceName(String);

impl InterfaceName {
    /// The name as the kernel has it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for InterfaceName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A text that no network interface can be named.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{found}` is not the name of a network interface: expected 1 to 15 bytes without blanks, `/` \
     and `:`, as in `can:can0`"
)]
pub struct InterfaceNameError {
    /// The text that is no interface name.
    pub found: String,
}

/// Reads a name, without [`PREFIX`], by the rules of Linux (`dev_valid_name` in `net/core/dev.c`).
impl FromStr for InterfaceName {
    type Err = InterfaceNameError;

    fn from_str(text: &str) -> Result<Self, InterfaceNameError> {
        let is_forbidden = |c: char| c == '/' || c == ':' || c == '\0' || c.is_whitespace();
        let is_name = (1..=NAME_BYTES_MAX).contains(&text.len())
            && !text.contains(is_forbidden)
            && !matches!(text, "." | "..");
        if !is_name {
            return Err(InterfaceNameError { found: text.to_owned() });
        }
        Ok(Self(text.to_owned()))
    }
}

/// What an interface received.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CanArrival {
    /// When the kernel received it, ns of [`crate::clock::monotonic_ns`]: its stamp, moved from the
    /// wall clock as that stood when the frame was read.
    pub at_ns: i64,
    /// The kernel's stamp itself, ns since 1970-01-01T00:00:00Z on the machine's wall clock.
    pub unix_ns: i64,
    /// Frame or error that came.
    pub content: CanContent,
}

/// A frame, or what went wrong on the bus.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CanContent {
    /// A data or remote frame.
    Frame(CanFrame),
    /// An error frame of the kernel (`linux/can/error.h`), in words: `bus off; error counters:
    /// tx=255, rx=0`.
    Error(String),
}

/// Why an interface could not be opened, or does not go on.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SocketCanError {
    /// The program was built without.
    #[error("this build has no SocketCAN: build it with `--features socketcan`")]
    NotBuilt,
    /// The kernel has no CAN, or no raw sockets for it.
    #[error(
        "cannot open {PREFIX}{interface}: this kernel has no SocketCAN ({reason}); load it with \
         `modprobe can_raw`, or boot a kernel that has CONFIG_CAN and CONFIG_CAN_RAW"
    )]
    NoKernel {
        /// Name of the interface.
        interface: InterfaceName,
        /// The kernel's answer.
        reason: String,
    },
    /// No interface has that name.
    #[error(
        "no such interface {0}: plug in its adapter and bring it up with \
         `ip link set {0} up type can bitrate 125000`"
    )]
    NoInterface(InterfaceName),
    /// It is an interface of something else, such as Ethernet.
    #[error("{0} is no CAN interface; `ip link show type can` lists those there are")]
    NotCan(InterfaceName),
    /// The interface is down.
    #[error(
        "{0} is down: bring it up with \
         `ip link set {0} up type can bitrate 125000`"
    )]
    Down(InterfaceName),
    /// The interface went away, mostly with its adapter.
    #[error("{0} is gone: plug in its adapter again and bring it up")]
    Gone(InterfaceName),
    /// What was to be sent stays in the queue.
    #[error(
        "{interface} took no more frames for {waited_s} s: nobody acknowledges them; check the \
         bit rate, the terminators, and that another node is on the bus"
    )]
    QueueFull {
        /// Name of the interface.
        interface: InterfaceName,
        /// How long it was tried, seconds.
        waited_s: u64,
    },
    /// The kernel handed over a frame that is none of classical CAN.
    #[error("{interface} received what is no frame of classical CAN: {source}")]
    Frame {
        /// Name of the interface.
        interface: InterfaceName,
        /// What is wrong with it.
        source: FrameError,
    },
    /// Another answer of the kernel.
    #[error("cannot {action} {PREFIX}{interface}: {reason}")]
    Kernel {
        /// Name of the interface.
        interface: InterfaceName,
        /// What was tried: `open`, `receive from`, `send to`.
        action: &'static str,
        /// The kernel's answer.
        reason: String,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_that_linux_takes() {
        for name in ["can0", "vcan12", "a-name.of_15by", "123456789012345"] {
            assert_eq!(name.parse::<InterfaceName>().unwrap().as_str(), name);
        }
        for name in ["", "1234567890123456", "can 0", "can/0", "can:0", "can0\n", ".", "..", "a\0"]
        {
            let error = name.parse::<InterfaceName>().unwrap_err();
            assert!(error.to_string().contains("expected 1 to 15 bytes"), "{name:?}: {error}");
        }
    }

    #[test]
    fn errors_name_the_interface_and_what_to_do() {
        let interface: InterfaceName = "can7".parse().unwrap();
        let none = SocketCanError::NoInterface(interface.clone()).to_string();
        assert!(none.starts_with("no such interface can7: "), "{none}");
        assert!(none.contains("`ip link set can7 up type can bitrate 125000`"), "{none}");
        let reason = "not supported".to_owned();
        let kernel = SocketCanError::NoKernel { interface, reason }.to_string();
        assert!(
            kernel.starts_with("cannot open can:can7: this kernel has no SocketCAN"),
            "{kernel}"
        );
        assert!(kernel.contains("`modprobe can_raw`"), "{kernel}");
    }

    #[cfg(not(all(feature = "socketcan", target_os = "linux")))]
    #[test]
    fn a_build_without_the_feature_names_it() {
        let error = CanInterface::open(&"can0".parse().unwrap()).unwrap_err();
        let expected = "this build has no SocketCAN: build it with `--features socketcan`";
        assert_eq!(error.to_string(), expected);
    }
}
