//! A small gateway: the machine of its session, a socket and an outbox.

use std::net::SocketAddr;
use std::path::Path;

use lastmeter_platform::{ClockSource, Config, DoorConfig, Platform, Running, Token};
use lastmeter_units::SimTime;
use lastmeter_zigbee::address::{Eui64, ShortAddress};
use lastmeter_zigbee::delivery::Outbox;
use lastmeter_zigbee::keys::NetworkKey;
use lastmeter_zigbee::packet::GatewayAddress;
use lastmeter_zigbee::payload::{Content, Delivered, Down, NodeEntry};
use lastmeter_zigbee::relay::Relay;
use lastmeter_zigbee::session::{GatewayEnd, GatewayEvent, GatewaySettings, Refusal};
use lastmeter_zigbee::zcl::global::command;
use lastmeter_zigbee::zcl::{Attribute, Direction, Header, Value};
use serde_json::{Value as Json, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::common::{LIMIT, TOKEN, ask};

/// The address of the gateway of the tests.
pub(super) const GATEWAY: GatewayAddress = GatewayAddress(0x0012_4B00_0000_0001);

/// A platform with the door, on a driven clock or the wall's.
pub(super) async fn start(folder: &Path, clock: ClockSource) -> Running {
    Platform::start(config(folder, clock)).await.unwrap()
}

pub(super) fn config(folder: &Path, clock: ClockSource) -> Config {
    let mut config = Config::embedded(folder, Token::new(TOKEN), clock);
    let keys = toml::Table::from_iter([("address".to_owned(), "127.0.0.1:0".into())]);
    config.doors = vec![DoorConfig { kind: "gateways".to_owned(), keys }];
    config
}

pub(super) fn door(platform: &Running) -> SocketAddr {
    platform.door_addresses().iter().find(|(name, _)| *name == "gateways").unwrap().1
}

pub(super) async fn rest(
    platform: &Running,
    method: &str,
    path: &str,
    body: Option<Json>,
) -> (u16, Json) {
    ask(platform, method, path, body.as_ref(), TOKEN).await
}

/// Registers the network of a gateway; its key.
pub(super) async fn register(
    platform: &Running,
    gateway: GatewayAddress,
    token: &str,
) -> NetworkKey {
    let body = json!({
        "token": token, "type": "zigbee", "name": "Home", "gatewayAddress": gateway.to_string(),
        "options": { "channel": 15 },
    });
    let made = rest(platform, "POST", "/api/v1/networks", Some(body)).await;
    assert_eq!(made.0, 201, "{made:?}");
    made.1["key"].as_str().unwrap().parse().unwrap()
}

#[expect(clippy::disallowed_methods, reason = "a gateway's clock is the wall's")]
pub(super) fn now() -> SimTime {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    SimTime(since.as_nanos() as i64)
}

pub(super) fn now_s() -> u32 {
    (now().0 / 1_000_000_000) as u32
}

pub(super) struct Gateway {
    pub(super) end: GatewayEnd,
    pub(super) stream: TcpStream,
    pub(super) outbox: Outbox,
    /// Orders for nodes, with their numbers.
    pub(super) orders: Vec<(u64, Vec<u8>)>,
    /// The settings that the platform wants.
    pub(super) settings: Vec<(u8, Vec<u8>)>,
    pub(super) delivered: Option<Delivered>,
    pub(super) rejected: Option<Refusal>,
}

impl Gateway {
    /// Dials in as somebody, with what waits.
    pub(super) async fn dial(
        to: SocketAddr,
        (gateway, name, key): (GatewayAddress, &str, &NetworkKey),
        outbox: Outbox,
    ) -> Self {
        let mut new = Self::ask(to, (gateway, name, key), outbox).await;
        new.until(|it| it.end.is_open() || it.rejected.is_some()).await;
        new
    }

    /// Connects and asks to be let in; what the platform answers is not read yet.
    pub(super) async fn ask(
        to: SocketAddr,
        (gateway, name, key): (GatewayAddress, &str, &NetworkKey),
        outbox: Outbox,
    ) -> Self {
        let stream = TcpStream::connect(to).await.unwrap();
        let settings = GatewaySettings::new(gateway, name, key.clone());
        let (mut out, nonce) = (Vec::new(), now().0.to_be_bytes());
        let nonce = std::array::from_fn(|at| nonce[at % 8] ^ at as u8);
        let end = GatewayEnd::new(settings, nonce, now(), &mut out);
        let (orders, settings) = (Vec::new(), Vec::new());
        let (delivered, rejected) = (None, None);
        let mut new = Self { end, stream, outbox, orders, settings, delivered, rejected };
        new.stream.write_all(&out).await.unwrap();
        new
    }

    /// The same as the gateway of the tests, with an empty outbox.
    pub(super) async fn home(to: SocketAddr, key: &NetworkKey) -> Self {
        Self::dial(to, (GATEWAY, "Home", key), Outbox::new(1 << 20)).await
    }

    /// Takes what comes until something holds or the connection ends.
    pub(super) async fn until(&mut self, holds: impl Fn(&Self) -> bool) {
        let mut buffer = vec![0; 4096];
        while !holds(self) && !self.end.has_ended() {
            let read = tokio::time::timeout(LIMIT, self.stream.read(&mut buffer)).await;
            let Ok(count @ 1..) = read.expect("the platform sends something") else { return };
            let mut out = Vec::new();
            let Self { end, outbox, orders, settings, delivered, rejected, .. } = self;
            end.receive(now(), &buffer[..count], &mut out, |event| match event {
                GatewayEvent::Accepted { delivered: at } => outbox.connected(at),
                GatewayEvent::Packet(Down::Delivered(at)) => {
                    outbox.delivered(at);
                    *delivered = Some(at);
                }
                GatewayEvent::Packet(Down::Order { order, frame, .. }) => {
                    orders.push((order, frame.to_vec()));
                }
                GatewayEvent::Packet(Down::WriteConfiguration(wanted)) => {
                    settings.extend(wanted.iter().map(|it| (it.key, it.value.to_vec())));
                }
                GatewayEvent::Packet(_) => {}
                GatewayEvent::Rejected { refusal } => *rejected = refusal,
                GatewayEvent::Refused { refusal, .. } => panic!("the platform sent {refusal}"),
            });
            // The platform may have ended the connection.
            let _ = self.stream.write_all(&out).await;
        }
    }

    /// Keeps something until it is on the platform's disk.
    pub(super) fn put(&mut self, content: &Content<'_>) {
        self.outbox.put(now_s(), content);
    }

    /// A frame of a node.
    pub(super) fn relay(&mut self, frame: &[u8]) {
        self.put(&Content::Relay { network_type: 0, frame });
    }

    /// The bytes of all that waits and was not sent.
    pub(super) fn unsent(&mut self) -> Vec<u8> {
        let mut out = Vec::new();
        while let Some(waiting) = self.outbox.next_to_send(10_000) {
            let (opcode, payload) = (waiting.opcode, waiting.payload.clone());
            let write = |to: &mut Vec<u8>| to.extend_from_slice(&payload);
            assert!(self.end.send_payload(now(), opcode, write, &mut out));
        }
        out
    }

    /// Sends all that waits.
    pub(super) async fn send(&mut self) {
        let bytes = self.unsent();
        self.stream.write_all(&bytes).await.unwrap();
    }

    /// Sends all that waits, until it is on the platform's disk.
    pub(super) async fn deliver(&mut self) {
        self.send().await;
        self.until(|it| it.outbox.is_empty()).await;
        assert!(self.outbox.is_empty(), "rejected: {:?}", self.rejected);
    }
}

/// A node in the coordinator's table.
pub(super) fn entry(node: u64, address: u16) -> NodeEntry {
    NodeEntry { node: Eui64(node), address: ShortAddress(address), sleeps: false }
}

/// A frame of a node, of a cluster.
pub(super) fn framed(node: u64, address: u16, cluster: u16, frame: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    Relay {
        short: ShortAddress(address),
        eui64: Eui64(node),
        source_endpoint: 1,
        destination_endpoint: 1,
        profile: 0x0104,
        cluster,
        lqi: 200,
        aps_counter: 1,
        frame,
    }
    .encode(&mut out);
    out
}

/// A report of a node, of the cluster Electrical Measurement.
pub(super) fn report(node: u64, address: u16, attributes: &[(u16, Value<'_>)]) -> Vec<u8> {
    let header = Header::global(Direction::ToClient, 7, command::REPORT);
    let records: Vec<Attribute<'_>> =
        attributes.iter().map(|(id, value)| Attribute { id: *id, value: *value }).collect();
    framed(node, address, 0x0B04, &header.with_records(&records).unwrap())
}

/// The scale of a node's power: tenths of a watt.
pub(super) fn scale(node: u64, address: u16) -> Vec<u8> {
    report(node, address, &[(0x0604, Value::U16(Some(1))), (0x0605, Value::U16(Some(10)))])
}

/// A node's power in tenths of a watt.
pub(super) fn power(node: u64, address: u16, tenths: i16) -> Vec<u8> {
    report(node, address, &[(0x050B, Value::I16(Some(tenths)))])
}
