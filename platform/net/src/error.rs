//! The reasons for a connection's end that `rmqtt` accepts, by its own names.

use std::num::NonZeroU16;

use bytestring::ByteString;
use rmqtt_codec::error::{DecodeError, EncodeError};
use rmqtt_codec::v5::{DisconnectReasonCode, PublishAckReason, ToReasonCode};
use serde::{Deserialize, Serialize};

/// Why a connection ended, or a packet was not taken.
#[derive(Clone, Debug, Serialize, Deserialize, thiserror::Error)]
pub enum MqttError {
    /// What came is no packet.
    #[error("decoding: {0:?}")]
    Decode(#[from] DecodeError),
    /// What was to be sent makes no packet, or the socket is gone.
    #[error("encoding: {0:?}")]
    Encode(#[from] EncodeError),
    /// Nothing came in time.
    #[error("read timeout")]
    ReadTimeout,
    /// What was sent was not taken in time.
    #[error("write timeout")]
    WriteTimeout,
    /// A publication is refused, and the connection ends with it.
    #[error("{1}")]
    PublishAckReason(PublishAckReason, ByteString),
    /// What came first is not CONNECT.
    #[error("invalid protocol")]
    InvalidProtocol,
    /// More subscriptions than a connection may have.
    #[error("too many subscriptions")]
    TooManySubscriptions,
    /// More levels than a topic may have.
    #[error("too many topic levels")]
    TooManyTopicLevels,
    /// More subscriptions than a filter may have.
    #[error("subscription limit reached, {0}")]
    SubscribeLimited(String),
    /// No client may have this identifier.
    #[error("identifier rejected")]
    IdentifierRejected,
    /// A packet identifier that is in use.
    #[error("packet id {0} is in use")]
    PacketIdInUse(NonZeroU16),
}

impl ToReasonCode for MqttError {
    /// MQTT 5 section 3.14.2.1.
    fn to_reason_code(&self) -> DisconnectReasonCode {
        match self {
            Self::Decode(error) => error.to_reason_code(),
            Self::Encode(error) => error.to_reason_code(),
            Self::ReadTimeout | Self::WriteTimeout => DisconnectReasonCode::KeepAliveTimeout,
            Self::PublishAckReason(..) => DisconnectReasonCode::ImplementationSpecificError,
            Self::InvalidProtocol => DisconnectReasonCode::ProtocolError,
            Self::TooManySubscriptions | Self::SubscribeLimited(_) => {
                DisconnectReasonCode::QuotaExceeded
            }
            Self::TooManyTopicLevels => DisconnectReasonCode::TopicNameInvalid,
            Self::IdentifierRejected => DisconnectReasonCode::NotAuthorized,
            Self::PacketIdInUse(_) => DisconnectReasonCode::UnspecifiedError,
        }
    }
}
