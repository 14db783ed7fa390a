//! Opcodes of a gateway's packets: what a packet is for, and which way it goes.
//!
//! Two classes. *Administration* configures and maintains the gateway; *data relay* carries native
//! frames of a network of sensors, with exactly two opcodes for each type of network: one up (to
//! the platform), one down. A new type of network adds these two and nothing else.

use std::fmt;

/// The opcode up of the first type of network; that down follows it.
const RELAY: u16 = 0x0100;
/// The opcode down of the last type there can be.
const RELAY_LAST: u16 = RELAY + 2 * (u8::MAX as u16) + 1;

/// Which way a packet goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Direction {
    /// From the gateway to the platform.
    Up,
    /// From the platform to the gateway.
    Down,
}

lastmeter_units::words! {
    /// An opcode of administration; its code is its place here, from 1.
    pub enum Administration {
        /// Request for a connection.
        Hello = "hello",
        /// Encrypted communication may begin.
        Accept = "accept",
        /// The connection ends, with the reason.
        Reject = "reject",
        /// The gateway is there.
        KeepAlive = "keep-alive",
        /// The platform's time.
        Time = "time",
        /// Up to where numbered packets are durable.
        Delivered = "delivered",
        /// What became of an order for a node.
        OrderResult = "order-result",
        /// The gateway's configuration is wanted.
        ReadConfiguration = "read-configuration",
        /// The gateway's configuration.
        Configuration = "configuration",
        /// The gateway's configuration is to be changed.
        WriteConfiguration = "write-configuration",
        /// The gateway restarts.
        Restart = "restart",
        /// A block of the gateway's own program.
        FirmwareBlock = "firmware-block",
        /// How far the gateway's own program has come.
        FirmwareStatus = "firmware-status",
        /// All nodes of the network with their addresses.
        NodeTable = "node-table",
        /// A node has joined.
        NodeJoined = "node-joined",
        /// A node has left.
        NodeLeft = "node-left",
        /// A node has another network address.
        NodeChanged = "node-changed",
        /// Counters of the gateway are wanted.
        ReadDiagnostics = "read-diagnostics",
        /// Counters of the gateway.
        Diagnostics = "diagnostics",
    }
}

impl Administration {
    /// The opcode's number.
    pub const fn code(self) -> u16 {
        self as u16 + 1
    }

    /// Which way it goes.
    pub const fn direction(self) -> Direction {
        match self {
            Self::Hello
            | Self::KeepAlive
            | Self::OrderResult
            | Self::Configuration
            | Self::FirmwareStatus
            | Self::NodeTable
            | Self::NodeJoined
            | Self::NodeLeft
            | Self::NodeChanged
            | Self::Diagnostics => Direction::Up,
            Self::Accept
            | Self::Reject
            | Self::Time
            | Self::Delivered
            | Self::ReadConfiguration
            | Self::WriteConfiguration
            | Self::Restart
            | Self::FirmwareBlock
            | Self::ReadDiagnostics => Direction::Down,
        }
    }
}

/// What a packet is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Opcode {
    /// Configuration and maintenance of the gateway.
    Administration(Administration),
    /// Native frames of a network of sensors.
    Relay {
        /// The type of the network, by its number.
        network_type: u8,
        /// Which way they go.
        direction: Direction,
    },
}

impl Opcode {
    /// The opcode of a number; `None` if there is none.
    pub fn of(code: u16) -> Option<Self> {
        if (RELAY..=RELAY_LAST).contains(&code) {
            let place = code - RELAY;
            let direction = if place.is_multiple_of(2) { Direction::Up } else { Direction::Down };
            return Some(Self::Relay { network_type: (place / 2) as u8, direction });
        }
        let place = usize::from(code.checked_sub(1)?);
        Administration::ALL.get(place).copied().map(Self::Administration)
    }

    /// Its number in a packet's header.
    pub const fn code(self) -> u16 {
        match self {
            Self::Administration(opcode) => opcode.code(),
            Self::Relay { network_type, direction } => {
                RELAY + 2 * network_type as u16 + matches!(direction, Direction::Down) as u16
            }
        }
    }

    /// Which way it goes.
    pub const fn direction(self) -> Direction {
        match self {
            Self::Administration(opcode) => opcode.direction(),
            Self::Relay { direction, .. } => direction,
        }
    }
}

impl From<Administration> for Opcode {
    fn from(opcode: Administration) -> Self {
        Self::Administration(opcode)
    }
}

impl fmt::Display for Opcode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Administration(opcode) => write!(f, "{opcode}"),
            Self::Relay { network_type, direction } => {
                let way = match direction {
                    Direction::Up => "up",
                    Direction::Down => "down",
                };
                write!(f, "relay-{way} of network type {network_type}")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_number_is_one_opcode_or_none() {
        let mut known = 0;
        for code in 0..=u16::MAX {
            let Some(opcode) = Opcode::of(code) else { continue };
            assert_eq!(opcode.code(), code);
            known += 1;
        }
        assert_eq!(known, Administration::ALL.len() + 512);
        assert_eq!(Opcode::of(0), None);
        assert_eq!(Opcode::of(20), None);
        assert_eq!(Opcode::of(0x300), None);
    }

    #[test]
    fn a_type_of_network_has_one_opcode_each_way() {
        let up = Opcode::Relay { network_type: 1, direction: Direction::Up };
        let down = Opcode::Relay { network_type: 1, direction: Direction::Down };
        assert_eq!((up.code(), down.code()), (0x102, 0x103));
        assert_eq!(up.to_string(), "relay-up of network type 1");
    }
}
