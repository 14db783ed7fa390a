//! Fault confinement (ISO 11898-1; Bosch CAN 2.0, part B, 8): two counters, and what a node may do
//! by them.

/// Both counters of a node at most here: it is error-active.
const ACTIVE_MAX: u16 = 127;
/// From here on it warns, where it has such a flag.
const WARNING_MIN: u16 = 96;
/// The transmit error counter at most here: above, the node is bus-off.
const BUS_MAX: u16 = 255;
/// What the receive error counter is set to when a node that is error-passive receives a frame.
const RECEIVED_PASSIVE: u16 = 119;
/// Beyond it the receive error counter has no meaning.
const RECEIVE_MAX: u16 = 255;

/// What a node may do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ErrorState {
    /// It sends active error flags.
    #[default]
    Active,
    /// It sends passive error flags, and waits after a frame of its own.
    Passive,
    /// It takes no part.
    BusOff,
}

impl ErrorState {
    /// Its name.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Active => "error-active",
            Self::Passive => "error-passive",
            Self::BusOff => "bus-off",
        }
    }
}

/// The error counters of a node.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ErrorCounters {
    transmit: u16,
    receive: u16,
}

impl ErrorCounters {
    /// The transmit error counter.
    pub const fn transmit(self) -> u16 {
        self.transmit
    }

    /// The receive error counter.
    pub const fn receive(self) -> u16 {
        self.receive
    }

    /// What the node may do.
    pub const fn state(self) -> ErrorState {
        if self.transmit > BUS_MAX {
            ErrorState::BusOff
        } else if self.transmit > ACTIVE_MAX || self.receive > ACTIVE_MAX {
            ErrorState::Passive
        } else {
            ErrorState::Active
        }
    }

    /// Whether a counter has reached the warning limit.
    pub const fn is_warning(self) -> bool {
        self.transmit >= WARNING_MIN || self.receive >= WARNING_MIN
    }

    /// A frame was sent.
    pub(super) fn sent(&mut self) {
        self.transmit = self.transmit.saturating_sub(1);
    }

    /// A frame was received.
    pub(super) fn received(&mut self) {
        self.receive = match self.receive {
            count if count > ACTIVE_MAX => RECEIVED_PASSIVE,
            count => count.saturating_sub(1),
        };
    }

    /// An error of what the node sends.
    pub(super) fn transmit_error(&mut self) {
        self.transmit = self.transmit.saturating_add(8).min(BUS_MAX + 1);
    }

    /// An error of what the node receives, by 1 or by 8.
    pub(super) fn receive_error(&mut self, by: u16) {
        self.receive = (self.receive + by).min(RECEIVE_MAX);
    }
}
