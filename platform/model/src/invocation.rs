//! Invocations of commands: their states, and how far one has come.
//!
//! Terms: an *invocation* is one use of a command. Its states are below; on the wire and
//! in REST's `status` stands the furthest SiteWhere word that is true of it:
//!
//! | state        | means                                              | `status`               |
//! |--------------|----------------------------------------------------|------------------------|
//! | Pending      | stored; nobody has been there to take it           | `Pending`              |
//! | Sent         | handed to at least one subscriber                  | `Sent`                 |
//! | Acknowledged | the device has answered                            | `Responded`            |
//! | Failed       | could not be handed over and never will be         | `Processing`           |
//! | Expired      | nobody answered in time                            | `Sent`, else `Pending` |

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use lastmeter_units::{HardwareId, SimTime};

/// Names an invocation; written as 24 hexadecimal digits, as in the data format's example.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct InvocationId(pub i64);

impl fmt::Display for InvocationId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:024x}", self.0)
    }
}

impl FromStr for InvocationId {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let hexadecimal = text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        if text.len() != 24 || !hexadecimal {
            return Err(());
        }
        i64::from_str_radix(text, 16).map(Self).map_err(|_| ())
    }
}

/// The member of an invocation's metadata that lists what caused it, first cause first, with commas
/// between: a rule, and each application that was brought by it to ask for one more.
pub const CAUSE: &str = "cause";
/// The most causes of one invocation: what would have more is a chain that feeds itself.
pub const CAUSES_MAX: usize = 3;

/// How many causes an invocation with this metadata has.
pub fn causes(metadata: &BTreeMap<String, String>) -> usize {
    metadata.get(CAUSE).map_or(0, |causes| causes.split(',').count())
}

/// How an invocation failed that was cancelled.
pub const CANCELLED: &str = "cancelled";

lastmeter_units::words! {
    /// How far an invocation has come.
    pub enum InvocationState {
        /// Stored; nobody has been there to take it.
        Pending = "Pending",
        /// Handed to at least one subscriber.
        Sent = "Sent",
        /// The device has answered.
        Acknowledged = "Acknowledged",
        /// Could not be handed over and never will be.
        Failed = "Failed",
        /// Nobody answered in time.
        Expired = "Expired",
    }
}

/// What is asked of a device.
#[derive(Clone, Debug, PartialEq)]
pub struct NewInvocation {
    /// Row of the device.
    pub device: i64,
    /// Name of the command.
    pub command: String,
    /// Its arguments as texts, checked.
    pub parameters: BTreeMap<String, String>,
    /// `REST`, `BatchOperation`, `Script` or `Scheduler`.
    pub initiator: String,
    /// Who exactly.
    pub initiator_id: String,
    /// Texts of whoever asked.
    pub metadata: BTreeMap<String, String>,
    /// When it was asked for.
    pub created: SimTime,
    /// When it expires unless it is answered.
    pub expires: SimTime,
}

/// An invocation as a row of the store.
#[derive(Clone, Debug, PartialEq)]
pub struct InvocationRow {
    /// Its number, unique in the tenant.
    pub id: InvocationId,
    /// What is asked.
    pub asked: NewInvocation,
    /// How far it has come.
    pub state: InvocationState,
    /// When it was first handed to a subscriber.
    pub sent: Option<SimTime>,
    /// When it was answered, failed or expired.
    pub ended: Option<SimTime>,
    /// What the device answered.
    pub response: Option<String>,
    /// The one before it of the same device; 0 if it is the first.
    pub previous: i64,
}

impl InvocationRow {
    /// Whether somebody may still answer it.
    pub fn is_open(&self) -> bool {
        matches!(self.state, InvocationState::Pending | InvocationState::Sent)
    }

    /// The SiteWhere word (see the module's table).
    pub fn sitewhere_status(&self) -> &'static str {
        match (self.state, self.sent) {
            (InvocationState::Acknowledged, _) => "Responded",
            (InvocationState::Failed, _) => "Processing",
            (InvocationState::Sent, _) | (InvocationState::Expired, Some(_)) => "Sent",
            (InvocationState::Pending, _) | (InvocationState::Expired, None) => "Pending",
        }
    }
}

/// An invocation as it is stored, with whose it is.
#[derive(Clone, Debug, PartialEq)]
pub struct StoredInvocation {
    /// Its device.
    pub hardware_id: HardwareId,
    /// Token of the device's assignment.
    pub assignment: String,
    /// The row.
    pub row: InvocationRow,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_reads_back_and_nothing_else_does() {
        let id = InvocationId(0x1f);
        assert_eq!(id.to_string(), "00000000000000000000001f");
        assert_eq!(id.to_string().parse(), Ok(id));
        for text in ["", "1f", "00000000000000000000001F", "ffffffffffffffffffffffff", "é"] {
            assert_eq!(text.parse::<InvocationId>(), Err(()), "{text}");
        }
    }

    #[test]
    fn every_state_has_a_word_that_reads_back() {
        for state in InvocationState::ALL {
            assert_eq!(InvocationState::from_word(state.word()), Some(state));
        }
        assert_eq!(InvocationState::from_word("Processing"), None);
    }
}
