//! Why something that arrived was not taken: the closed list of reasons, each a stable word.
//!
//! A refusal is data, not an error: it is stored durably with its reason before the sender gets
//! its acknowledgement, so that a forged, broken or contradictory message leaves a trace.

use bytes::Bytes;
use lastmeter_units::HardwareId;

/// Why something was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum RefusalReason {
    /// The payload breaks its format, by the format's own word.
    Format(&'static str),
    /// The packet is larger than `limits.packet_bytes`; the connection ends without PUBACK.
    PacketTooLarge,
    /// The topic is none that this sender may publish on.
    TopicNotAllowed,
    /// The payload is in no format that is spoken here.
    UnsupportedEncoding,
    /// The message names another device than the topic it came on.
    HardwareIdMismatch,
    /// The same (device, epoch, serial) with other content has been stored before.
    ConflictingContent,
    /// A number no higher than one of its device and epoch that retention has removed: most likely
    /// what was stored once and is kept no longer.
    RepetitionBeyondRetention,
    /// An acknowledgement names no invocation of that device.
    UnknownInvocation,
    /// One more device than `limits.devices`.
    TooManyDevices,
    /// The secret that devices share came for a device with a credential of its own.
    DeviceHasCredential,
    /// The hardware id begins with `$`: it is the platform's own.
    ReservedId,
    /// Nobody has registered the device, and the tenant takes no others, or no more of it.
    UnknownDevice,
    /// The device is blocked or decommissioned.
    BlockedDevice,
    /// The device's specification is strict and declares no such type of alert.
    UndeclaredAlert,
    /// A connection was refused at a door, by the door's own word.
    Connection(&'static str),
}

impl RefusalReason {
    /// Whether what was refused was right in itself, so that its content is kept: its sender may
    /// not learn that it was refused, for MQTT 3.1.1 has no place for it.
    pub fn keeps_content(self) -> bool {
        matches!(
            self,
            Self::ConflictingContent
                | Self::RepetitionBeyondRetention
                | Self::TooManyDevices
                | Self::UnknownInvocation
                | Self::UnknownDevice
                | Self::UndeclaredAlert
        )
    }

    /// The stable word that stands in the record, the REST answer and the metrics.
    pub fn word(self) -> &'static str {
        match self {
            Self::Format(word) | Self::Connection(word) => word,
            Self::PacketTooLarge => "packet_too_large",
            Self::TopicNotAllowed => "topic_not_allowed",
            Self::UnsupportedEncoding => "unsupported_encoding",
            Self::HardwareIdMismatch => "hardware_id_mismatch",
            Self::ConflictingContent => "conflicting_content",
            Self::RepetitionBeyondRetention => "repetition_beyond_retention",
            Self::UnknownInvocation => "unknown_invocation",
            Self::TooManyDevices => "too_many_devices",
            Self::DeviceHasCredential => "device_has_credential",
            Self::ReservedId => "reserved_id",
            Self::UnknownDevice => "unknown_device",
            Self::BlockedDevice => "blocked_device",
            Self::UndeclaredAlert => "undeclared_alert",
        }
    }
}

/// A refusal as it goes into the journal and the store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefusalRecord {
    /// The stable word of the reason.
    pub reason: String,
    /// The hardware id the message claimed, if one could be read.
    pub device: Option<HardwareId>,
    /// The topic it came on, or what stands for one at its door.
    pub topic: String,
    /// What was found and what was expected.
    pub detail: String,
    /// The message itself, where it holds readings that would be lost otherwise.
    pub content: Option<Bytes>,
}

/// The longest detail and topic kept of a refusal, bytes: a hostile payload shall not grow the
/// store by more than it costs to send.
pub const REFUSAL_TEXT_BYTES_MAX: usize = 1024;

/// Cuts a text at a character boundary so that at most `bytes_max` bytes remain.
pub fn shortened(text: &str, bytes_max: usize) -> String {
    let mut end = text.len().min(bytes_max);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text[..end].to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_cut_between_characters() {
        assert_eq!(shortened("aé", 2), "a");
        assert_eq!(shortened("aé", 3), "aé");
        assert_eq!(shortened("", 3), "");
    }
}
