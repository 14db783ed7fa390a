//! What goes over the air.

use crate::address::{Eui64, ShortAddress};
use crate::zdp::Capability;

/// The source of who has no short address (IEEE 802.15.4).
pub(super) const NO_ADDRESS: ShortAddress = ShortAddress(0xFFFE);

/// Data of an application: what the application support sublayer carries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApsFrame {
    /// Profile, such as 0104 home automation.
    pub profile: u16,
    /// Cluster, such as 0006 On/Off.
    pub cluster: u16,
    /// Endpoint of the sender.
    pub source_endpoint: u8,
    /// Endpoint of the receiver.
    pub destination_endpoint: u8,
    /// Its bytes, such as a frame of the cluster library.
    pub payload: Vec<u8>,
}

/// What an association or a rejoin is answered with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JoinStatus {
    /// Joined, with this short address.
    Success(ShortAddress),
    /// The network has no room.
    AtCapacity,
    /// Joining is not permitted.
    Denied,
}

/// What a frame is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Body {
    /// A node asks to be a member.
    AssociationRequest(Capability),
    /// Its answer.
    AssociationResponse(JoinStatus),
    /// A member asks to be one again, after silence or a restart.
    RejoinRequest(Capability),
    /// Its answer; without a request it assigns another short address.
    RejoinResponse(JoinStatus),
    /// A node announces the short address it sends from, to everybody.
    Announce(Capability),
    /// Somebody leaves; as a request, the receiver has to.
    Leave {
        /// Whether the receiver has to leave, otherwise the sender does.
        request: bool,
        /// Whether the receiver has to rejoin at once.
        rejoin: bool,
    },
    /// A frame of this counter was received, of those that nothing else answers.
    Acknowledge {
        /// The frame counter of what is acknowledged.
        counter: u32,
    },
    /// A child asks for what waits for it, and shows that it is there.
    Poll,
    /// Its answer.
    PollAnswer {
        /// Whether something waits, and follows.
        pending: bool,
    },
    /// Data of an application.
    Data {
        /// Counts messages; equal in what is sent again.
        aps_counter: u8,
        /// Whether an acknowledgement is asked for.
        acknowledge: bool,
        /// What it carries.
        aps: ApsFrame,
    },
    /// Acknowledges data.
    DataAcknowledge {
        /// The counter of what is acknowledged.
        aps_counter: u8,
    },
}

/// One frame over the air.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RadioFrame {
    /// The sender's short address; FFFE while it has none.
    pub source: ShortAddress,
    /// The sender's EUI-64.
    pub source_eui: Eui64,
    /// The receiver's short address, or a broadcast address.
    pub destination: ShortAddress,
    /// The receiver's EUI-64; none of the coordinator, and in broadcasts.
    pub destination_eui: Option<Eui64>,
    /// The sender's frame counter; none in a frame that is not secured.
    pub counter: Option<u32>,
    /// What it is for.
    pub body: Body,
}
