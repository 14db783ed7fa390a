//! rumqttc's clients of MQTT 3.1.1 and of MQTT 5 as one: what a session does with either, and what
//! it sees happen.

use bytes::Bytes;
use rumqttc::mqttbytes::v4;
use rumqttc_v5::mqttbytes::v5;

use super::connection::Connection;
use super::driver::check_address;
use super::reason;
use super::shared::{IN_FLIGHT_LIMIT, LIVE_LIMIT, MqttVersion, PublicationRefusal, SessionOptions};

/// rumqttc's window and request queue beyond ours: room for SUBSCRIBE and DISCONNECT when ours is
/// full.
const CONTROL_PACKET_SLOTS: u16 = 28;

/// The side that publishes.
#[derive(Clone, Debug)]
pub(super) enum Client {
    V3(rumqttc::AsyncClient),
    V5(rumqttc_v5::AsyncClient),
}

/// The side that is polled.
pub(super) enum EventLoop {
    V3(Box<rumqttc::EventLoop>),
    V5(Box<rumqttc_v5::EventLoop>),
}

pub(super) enum Happened {
    /// CONNACK that accepts.
    Accepted,
    /// SUBACK: of each filter whether it was granted.
    Granted(Vec<bool>),
    /// PUBLISH to us.
    Received { topic: Bytes, payload: Bytes },
    /// PUBACK of a packet, with what MQTT 5 has to add to it.
    Acknowledged { packet: u16, refusal: Option<PublicationRefusal> },
    /// A publication left with this number; 0: of QoS 0, which have none.
    Left(u16),
    /// Our DISCONNECT left.
    Farewell,
    /// Of no interest.
    Other,
}

/// Why a connection ended, or was never made.
#[derive(Default)]
pub(super) struct Failure {
    pub(super) reason: String,
    /// Another connection has the client identifier now.
    pub(super) is_taken_over: bool,
    /// The broker does not take user name and password.
    pub(super) is_refused: bool,
    /// What a broker that does not speak MQTT 5 does: it refuses the version, or it answers nothing
    /// that can be read. One that is not connected yet is tried with 3.1.1 next.
    pub(super) is_mute: bool,
}

impl From<String> for Failure {
    fn from(reason: String) -> Self {
        Self { reason, ..Self::default() }
    }
}

/// A fresh client and event loop for one connection.
pub(super) fn event_loop(
    options: &SessionOptions,
    version: MqttVersion,
    tls: Option<&Connection>,
) -> Result<(Client, EventLoop), String> {
    let (host, port) = check_address(&options.address)?;
    let keep_alive_s = match options.keep_alive.as_secs() {
        // Zero would turn keep-alive off (MQTT 3.1.1 section 3.1.2.10).
        0 if !options.keep_alive.is_zero() => 1,
        whole_s => u16::try_from(whole_s).unwrap_or(u16::MAX),
    };
    let capacity = usize::from(IN_FLIGHT_LIMIT + CONTROL_PACKET_SLOTS + LIVE_LIMIT);
    let (user, password) = (&options.username, options.password.clone());
    let connector = tls.cloned();
    if version == MqttVersion::V3 {
        let mut mqtt = rumqttc::MqttOptions::new(&options.client_id, (host, port));
        if let Some(connection) = connector {
            mqtt.set_socket_connector(move |_, _| std::future::ready(Ok(connection.clone())));
        }
        mqtt.set_keep_alive(keep_alive_s)
            .set_clean_session(true)
            .set_credentials(user, password)
            .set_max_packet_size(options.packet_limit_bytes, options.packet_limit_bytes)
            .set_inflight(IN_FLIGHT_LIMIT + CONTROL_PACKET_SLOTS);
        let mut network = rumqttc::NetworkOptions::new();
        network.set_tcp_nodelay(options.nodelay);
        network.set_connection_timeout(options.connect_limit.as_secs().max(1));
        let built = rumqttc::AsyncClient::builder(mqtt).capacity(capacity).try_build();
        let (client, mut event_loop) = built.map_err(|error| error.to_string())?;
        event_loop.set_network_options(network);
        return Ok((Client::V3(client), EventLoop::V3(Box::new(event_loop))));
    }
    let mut mqtt = rumqttc_v5::MqttOptions::new(&options.client_id, (host, port));
    if let Some(connection) = connector {
        mqtt.set_socket_connector(move |_, _| std::future::ready(Ok(connection.clone())));
    }
    let mut network = rumqttc_v5::NetworkOptions::new();
    network.set_tcp_nodelay(options.nodelay);
    mqtt.set_keep_alive(keep_alive_s)
        .set_clean_start(true)
        .set_credentials(user, password)
        .set_max_packet_size(u32::try_from(options.packet_limit_bytes).ok())
        .set_connect_timeout(options.connect_limit)
        .set_outgoing_inflight_upper_limit(IN_FLIGHT_LIMIT + CONTROL_PACKET_SLOTS)
        .set_network_options(network);
    let built = rumqttc_v5::AsyncClient::builder(mqtt).capacity(capacity).try_build();
    let (client, event_loop) = built.map_err(|error| error.to_string())?;
    Ok((Client::V5(client), EventLoop::V5(Box::new(event_loop))))
}

impl Client {
    /// Hands a publication over; `false` where the connection is gone.
    pub(super) fn publish(&self, topic: String, payload: Bytes, is_acknowledged: bool) -> bool {
        match self {
            Self::V3(client) => {
                let options = if is_acknowledged {
                    rumqttc::PublishOptions::at_least_once()
                } else {
                    rumqttc::PublishOptions::at_most_once()
                };
                client.try_publish(topic, payload, options).is_ok()
            }
            Self::V5(client) => {
                let options = if is_acknowledged {
                    rumqttc_v5::PublishOptions::at_least_once()
                } else {
                    rumqttc_v5::PublishOptions::at_most_once()
                };
                client.try_publish(topic, payload, options).is_ok()
            }
        }
    }

    /// Subscribes with QoS 1; `false` where a filter is none.
    pub(super) fn subscribe(&self, filters: &[String]) -> bool {
        let filters = filters.iter().cloned();
        match self {
            Self::V3(client) => {
                let qos = rumqttc::QoS::AtLeastOnce;
                let all = filters.map(|filter| rumqttc::SubscribeFilter::new(filter, qos));
                client.try_subscribe_many(all).is_ok()
            }
            Self::V5(client) => {
                let qos = rumqttc_v5::mqttbytes::QoS::AtLeastOnce;
                let all = filters.map(|filter| v5::SubscribeFilter::new(filter, qos));
                client.try_subscribe_many(all).is_ok()
            }
        }
    }

    /// Sends DISCONNECT ahead of all else; `false` where the connection is gone.
    pub(super) fn disconnect_now(&self) -> bool {
        match self {
            Self::V3(client) => client.try_disconnect_now().is_ok(),
            Self::V5(client) => client.try_disconnect_now().is_ok(),
        }
    }
}

impl EventLoop {
    /// What happens next.
    pub(super) async fn poll(&mut self, options: &SessionOptions) -> Result<Happened, Failure> {
        let limit = options.connect_limit;
        match self {
            Self::V3(event_loop) => match event_loop.poll().await {
                Ok(event) => Ok(of_v3(event)),
                Err(error) => Err(reason::of(&error, &options.address, limit).into()),
            },
            Self::V5(event_loop) => match event_loop.poll().await {
                Ok(event) => Ok(of_v5(event)),
                Err(error) => Err(reason::of_v5(&error, options)),
            },
        }
    }

    /// What had happened before the connection ended, and was not polled yet.
    pub(super) fn left_over(&mut self) -> Option<Happened> {
        match self {
            Self::V3(event_loop) => event_loop.state.events.pop_front().map(of_v3),
            Self::V5(event_loop) => event_loop.state.events.pop_front().map(of_v5),
        }
    }
}

fn of_v3(event: rumqttc::Event) -> Happened {
    use rumqttc::Outgoing;
    match event {
        rumqttc::Event::Outgoing(Outgoing::Publish(packet)) => Happened::Left(packet),
        rumqttc::Event::Outgoing(Outgoing::Disconnect) => Happened::Farewell,
        rumqttc::Event::Incoming(packet) => match packet {
            v4::Packet::ConnAck(_) => Happened::Accepted,
            v4::Packet::SubAck(granted) => Happened::Granted(
                granted
                    .return_codes
                    .iter()
                    .map(|code| *code != v4::SubscribeReasonCode::Failure)
                    .collect(),
            ),
            v4::Packet::PubAck(answer) => {
                Happened::Acknowledged { packet: answer.pkid, refusal: None }
            }
            v4::Packet::Publish(publish) => {
                Happened::Received { topic: publish.topic, payload: publish.payload }
            }
            _ => Happened::Other,
        },
        rumqttc::Event::Outgoing(_) => Happened::Other,
    }
}

fn of_v5(event: rumqttc_v5::Event) -> Happened {
    use rumqttc_v5::Outgoing;
    match event {
        rumqttc_v5::Event::Outgoing(Outgoing::Publish(packet)) => Happened::Left(packet),
        rumqttc_v5::Event::Outgoing(Outgoing::Disconnect) => Happened::Farewell,
        rumqttc_v5::Event::Incoming(packet) => match packet {
            v5::Packet::ConnAck(_) => Happened::Accepted,
            v5::Packet::SubAck(granted) => {
                let is_granted = |code: &_| matches!(code, v5::SubscribeReasonCode::Success(_));
                Happened::Granted(granted.return_codes.iter().map(is_granted).collect())
            }
            v5::Packet::PubAck(answer) => {
                let (packet, code) = (answer.pkid, answer.reason as u8);
                let why = answer.properties.and_then(|properties| properties.reason_string);
                // Section 2.4: from 0x80 on codes are failures.
                let refusal = PublicationRefusal { code, why: why.unwrap_or_default() };
                Happened::Acknowledged { packet, refusal: (code >= 0x80).then_some(refusal) }
            }
            v5::Packet::Publish(publish) => {
                Happened::Received { topic: publish.topic, payload: publish.payload }
            }
            _ => Happened::Other,
        },
        rumqttc_v5::Event::Outgoing(_) | rumqttc_v5::Event::Auth(_) => Happened::Other,
    }
}
