//! Why a connection ended, in words for a person.
//!
//! rumqttc's own texts name its types; these name what happened and to whom.

use std::time::Duration;

use rumqttc::mqttbytes::v4::Packet;
use rumqttc::{ConnectReturnCode, ConnectionError, StateError};
use rumqttc_v5::mqttbytes::v5::DisconnectReasonCode;

use super::client::Failure;
use super::shared::SessionOptions;
use crate::tls::later_words;

/// Words for an error of rumqttc's event loop against the broker at `address`.
pub(super) fn of(error: &ConnectionError, address: &str, connect_limit: Duration) -> String {
    match error {
        ConnectionError::MqttState(state) => of_state(state),
        ConnectionError::NetworkTimeout => {
            format!("no CONNACK from {address} within {} s", connect_limit.as_secs())
        }
        ConnectionError::FlushTimeout => {
            format!("{address} took no data for {} s", connect_limit.as_secs())
        }
        ConnectionError::Io(error) => format!("cannot connect to {address}: {error}"),
        ConnectionError::ConnectionRefused(code) => {
            format!("the broker refused the connection: {}", refusal(*code))
        }
        ConnectionError::NotConnAck(packet) => {
            format!("expected a CONNACK, found {}", packet_name(packet))
        }
        ConnectionError::RequestsDone => "the session was dropped".to_owned(),
        ConnectionError::SessionStateMismatch { .. } => {
            "the broker kept a session that was to begin clean".to_owned()
        }
        other => format!("the session broke: {other}"),
    }
}

fn of_state(error: &StateError) -> String {
    match error {
        StateError::Io(error)
        | StateError::Deserialization(rumqttc::mqttbytes::Error::Io(error)) => {
            later_words(error).unwrap_or_else(closed)
        }
        StateError::ConnectionAborted => closed(),
        StateError::AwaitPingResp => "the broker did not answer a keep-alive ping".to_owned(),
        StateError::Unsolicited(id) => {
            format!("the broker acknowledged packet {id}, which was not waiting for it")
        }
        StateError::ProtocolViolation(violation) => {
            format!("the broker broke the protocol: {violation}")
        }
        StateError::Deserialization(error) => format!("the broker sent a bad packet: {error}"),
        other => format!("the session broke: {other}"),
    }
}

/// The same of MQTT 5, and what a program has to know of it.
pub(super) fn of_v5(error: &rumqttc_v5::ConnectionError, options: &SessionOptions) -> Failure {
    use rumqttc_v5::mqttbytes::Error;
    use rumqttc_v5::mqttbytes::v5::ConnectReturnCode as Code;
    use rumqttc_v5::{ConnectionError, StateError};
    let SessionOptions { address, connect_limit, .. } = options;
    // The library takes a CONNACK of 3.1.1 for the beginning of a longer one.
    let mute = |reason| Failure { reason, is_mute: true, ..Failure::default() };
    let reason = match error {
        ConnectionError::MqttState(state) => match state {
            StateError::ServerDisconnect { reason_code, reason_string } => {
                return of_disconnect(*reason_code, reason_string.as_deref(), options);
            }
            StateError::Io(error) | StateError::Deserialization(Error::Io(error)) => {
                return mute(later_words(error).unwrap_or_else(closed));
            }
            StateError::ConnectionAborted => return mute(closed()),
            StateError::AwaitPingResp => "the broker did not answer a keep-alive ping".to_owned(),
            StateError::Unsolicited(id) => {
                format!("the broker acknowledged packet {id}, which was not waiting for it")
            }
            other => format!("the session broke: {other}"),
        },
        ConnectionError::Timeout(_) => {
            return mute(format!("no CONNACK from {address} within {} s", connect_limit.as_secs()));
        }
        ConnectionError::Io(error) => format!("cannot connect to {address}: {error}"),
        ConnectionError::ConnectionRefused(code) => {
            let of_3_1_1 = match code {
                Code::UnsupportedProtocolVersion => ConnectReturnCode::RefusedProtocolVersion,
                Code::BadUserNamePassword => ConnectReturnCode::BadUserNamePassword,
                Code::NotAuthorized => ConnectReturnCode::NotAuthorized,
                Code::ClientIdentifierNotValid => ConnectReturnCode::BadClientId,
                _ => return format!("the broker refused the connection: {code:?}").into(),
            };
            let reason = format!("the broker refused the connection: {}", refusal(of_3_1_1));
            let is_mute = *code == Code::UnsupportedProtocolVersion;
            let is_refused = matches!(code, Code::BadUserNamePassword | Code::NotAuthorized);
            return Failure { reason, is_refused, is_mute, ..Failure::default() };
        }
        ConnectionError::RequestsDone => "the session was dropped".to_owned(),
        ConnectionError::SessionStateMismatch { .. } => {
            "the broker kept a session that was to begin clean".to_owned()
        }
        other => format!("the session broke: {other}"),
    };
    reason.into()
}

/// What a DISCONNECT of the broker means (MQTT 5, section 3.14).
fn of_disconnect(
    code: DisconnectReasonCode,
    why: Option<&str>,
    options: &SessionOptions,
) -> Failure {
    if code == DisconnectReasonCode::SessionTakenOver {
        let reason = format!(
            "another connection with the MQTT client identifier `{}` took the place of this one",
            options.client_id
        );
        return Failure { reason, is_taken_over: true, ..Failure::default() };
    }
    let why = why.unwrap_or("no reason given");
    format!("the broker ended the connection: {code:?} ({why})").into()
}

fn closed() -> String {
    "the broker closed the connection".to_owned()
}

/// Return codes of CONNACK, MQTT 3.1.1 table 3.1.
fn refusal(code: ConnectReturnCode) -> &'static str {
    match code {
        ConnectReturnCode::Success => "accepted",
        ConnectReturnCode::RefusedProtocolVersion => "unacceptable protocol version",
        ConnectReturnCode::BadClientId => "client identifier rejected",
        ConnectReturnCode::ServiceUnavailable => "service unavailable",
        ConnectReturnCode::BadUserNamePassword => "bad user name or password",
        ConnectReturnCode::NotAuthorized => "not authorised",
    }
}

fn packet_name(packet: &Packet) -> &'static str {
    match packet {
        Packet::Connect(_) => "CONNECT",
        Packet::ConnAck(_) => "CONNACK",
        Packet::Publish(_) => "PUBLISH",
        Packet::PubAck(_) => "PUBACK",
        Packet::PubRec(_) => "PUBREC",
        Packet::PubRel(_) => "PUBREL",
        Packet::PubComp(_) => "PUBCOMP",
        Packet::Subscribe(_) => "SUBSCRIBE",
        Packet::SubAck(_) => "SUBACK",
        Packet::Unsubscribe(_) => "UNSUBSCRIBE",
        Packet::UnsubAck(_) => "UNSUBACK",
        Packet::PingReq => "PINGREQ",
        Packet::PingResp => "PINGRESP",
        Packet::Disconnect => "DISCONNECT",
    }
}
