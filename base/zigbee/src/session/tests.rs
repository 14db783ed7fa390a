//! Both ends against each other, and against whoever is between them.

use proptest::prelude::*;

use super::*;
use crate::address::{Eui64, ShortAddress};
use crate::payload::{Content, Delivered, Down, NodeEntry, Numbered, OrderState, Up};

const GATEWAY: GatewayAddress = GatewayAddress(0x00AA_0000_0000_0001);
const NOON: SimTime = SimTime(1_800_000_000_000_000_000);
const DELIVERED: Delivered = Delivered { epoch: 2, next: 40 };

fn key() -> NetworkKey {
    NetworkKey::new(*b"sixteen byte key")
}

fn after(seconds: i64) -> SimTime {
    SimTime(NOON.0 + seconds * 1_000_000_000)
}

/// Both ends and what each has seen, as text.
struct Pair {
    platform: PlatformEnd,
    gateway: GatewayEnd,
    seen: Vec<String>,
    /// What is on its way up and down.
    up: Vec<u8>,
    down: Vec<u8>,
}

impl Pair {
    fn new() -> Self {
        Self::of(GatewaySettings::new(GATEWAY, "home", key()), 1)
    }

    fn of(settings: GatewaySettings, nonce: u8) -> Self {
        let mut up = Vec::new();
        let gateway = GatewayEnd::new(settings, [nonce; 16], NOON, &mut up);
        let platform = PlatformEnd::new(NOON, Limits::default());
        Self { platform, gateway, seen: Vec::new(), up, down: Vec::new() }
    }

    /// Carries everything, at these instants of either clock, until nothing moves. The platform
    /// knows one network.
    fn carry(&mut self, platform_now: SimTime, gateway_now: SimTime) {
        while !self.up.is_empty() || !self.down.is_empty() {
            let bytes = std::mem::take(&mut self.up);
            self.reach_platform(platform_now, &bytes);
            let bytes = std::mem::take(&mut self.down);
            let seen = &mut self.seen;
            self.gateway.receive(gateway_now, &bytes, &mut self.up, |event| {
                seen.push(format!("gateway: {event:?}"));
            });
        }
    }

    fn reach_platform(&mut self, now: SimTime, bytes: &[u8]) {
        let mut bytes = bytes;
        loop {
            let (seen, mut asked) = (&mut self.seen, None);
            self.platform.receive(now, bytes, &mut self.down, |event| {
                if let PlatformEvent::Hello { gateway, .. } = event {
                    asked = Some(gateway);
                } else {
                    seen.push(format!("platform: {event:?}"));
                }
            });
            let Some(gateway) = asked else { return };
            let key = key();
            let network = KnownNetwork { name: "home", key: &key, delivered: DELIVERED };
            let known = if gateway == GATEWAY { Ok(network) } else { Err(Refusal::UnknownGateway) };
            if let Err(refusal) = self.platform.answer(now, known, &[2; 16], &mut self.down) {
                self.seen.push(format!("platform rejects: {refusal}"));
            }
            bytes = &[];
        }
    }

    fn opened() -> Self {
        let mut pair = Self::new();
        pair.carry(NOON, NOON);
        assert!(pair.platform.is_open() && pair.gateway.is_open(), "{:?}", pair.seen);
        pair.seen.clear();
        pair
    }

    fn send(&mut self, up: &Up<'_>) -> Vec<u8> {
        let mut bytes = Vec::new();
        assert!(self.gateway.send(NOON, up, &mut bytes));
        bytes
    }
}

fn reading(sequence: u32) -> Up<'static> {
    let content = Content::Relay { network_type: 0, frame: b"a reading" };
    Up::Numbered(Numbered { epoch: 2, sequence, taken_s: 5, content })
}

#[test]
fn a_handshake_opens_the_session_at_both_ends() {
    let mut pair = Pair::new();
    pair.carry(NOON, NOON);
    assert_eq!(
        pair.seen,
        [
            "gateway: Accepted { delivered: Delivered { epoch: 2, next: 40 } }",
            "platform: Open",
            "platform: Packet { time_s: 1800000000, up: KeepAlive }",
            "gateway: Packet(Time)",
        ]
    );
    assert_eq!(pair.platform.gateway(), Some(GATEWAY));
}

#[test]
fn packets_go_both_ways() {
    let mut pair = Pair::opened();
    let entry = NodeEntry { node: Eui64(9), address: ShortAddress(0x1234), sleeps: true };
    let number = |content| Numbered { epoch: 2, sequence: 41, taken_s: 6, content };
    let ups = [
        reading(40),
        Up::Numbered(number(Content::NodeJoined(entry))),
        Up::OrderResult { order: 7, state: OrderState::Delivered },
    ];
    let downs = [
        Down::Delivered(Delivered { epoch: 2, next: 42 }),
        Down::Order { order: 7, network_type: 0, frame: b"off" },
    ];
    let mut expected = Vec::new();
    for up in &ups {
        let bytes = pair.send(up);
        pair.up.extend(bytes);
        expected.push(format!("platform: Packet {{ time_s: 1800000000, up: {up:?} }}"));
    }
    for down in &downs {
        assert!(pair.platform.send(NOON, down, &mut pair.down));
        expected.push(format!("gateway: Packet({down:?})"));
    }
    pair.carry(NOON, NOON);
    assert_eq!(pair.seen, expected);
}

#[test]
fn each_wrong_setting_is_named_at_both_ends() {
    let settings = || GatewaySettings::new(GATEWAY, "home", key());
    let other_key = NetworkKey::new([1; 16]);
    for (settings, refusal) in [
        (GatewaySettings { gateway: GatewayAddress(5), ..settings() }, Refusal::UnknownGateway),
        (GatewaySettings { network_name: "hone".to_owned(), ..settings() }, Refusal::WrongName),
        (GatewaySettings { key: other_key, ..settings() }, Refusal::WrongKey),
    ] {
        let mut pair = Pair::of(settings, 1);
        pair.carry(NOON, NOON);
        assert_eq!(
            pair.seen,
            [
                format!("platform rejects: {refusal}"),
                format!("gateway: Rejected {{ refusal: Some({refusal:?}) }}"),
            ]
        );
        assert!(pair.platform.has_ended() && pair.gateway.has_ended());
    }
}

/// A hello that was overheard opens nothing: the keys need the network's.
#[test]
fn a_hello_that_is_repeated_opens_no_session() {
    let mut first = Pair::new();
    let hello = first.up.clone();
    first.carry(NOON, NOON);
    let reading = first.send(&reading(40));
    let mut other = Pair::new();
    other.reach_platform(NOON, &hello);
    other.platform.receive(NOON, &[], &mut other.down, |_| ());
    assert!(!other.platform.is_open());
    // With the same nonce of the platform it would open: nonces are never used again.
    let mut known = PlatformEnd::new(NOON, Limits::default());
    let (mut down, mut seen) = (Vec::new(), Vec::new());
    known.receive(NOON, &hello, &mut down, |_| ());
    let key = key();
    let network = KnownNetwork { name: "home", key: &key, delivered: DELIVERED };
    known.answer(NOON, Ok(network), &[3; 16], &mut down).unwrap();
    known.receive(NOON, &reading, &mut down, |event| seen.push(format!("{event:?}")));
    assert_eq!(seen, ["Refused { refusal: WrongTag, opcode: 256 }"]);
}

type Change = fn(&mut Vec<u8>);

/// What somebody between the ends does to a packet that the platform was to get.
#[test]
fn what_was_changed_on_its_way_ends_the_connection() {
    let clean = |pair: &mut Pair| pair.send(&reading(40));
    let cases: [(&str, Change, Refusal); 8] = [
        ("the tag", |bytes| *bytes.last_mut().unwrap() ^= 1, Refusal::WrongTag),
        ("the payload", |bytes| bytes[23] ^= 1, Refusal::WrongTag),
        ("the time", |bytes| bytes[17] ^= 1, Refusal::WrongTag),
        ("the serial number upwards", |bytes| bytes[20] = 1, Refusal::WrongTag),
        ("the serial number downwards", |bytes| bytes[21] = 0, Refusal::RepeatedSerial),
        ("the gateway", |bytes| bytes[11] ^= 1, Refusal::OtherGateway),
        ("the direction", |bytes| bytes[13] ^= 1, Refusal::Direction),
        ("the version", |bytes| bytes[0] = 9, Refusal::Version),
    ];
    for (what, change, refusal) in cases {
        let mut pair = Pair::opened();
        let mut bytes = clean(&mut pair);
        change(&mut bytes);
        pair.reach_platform(NOON, &bytes);
        assert_eq!(pair.seen.len(), 1, "{what}");
        assert!(pair.seen[0].starts_with(&format!("platform: Refused {{ refusal: {refusal:?}")));
        assert!(pair.platform.has_ended(), "{what}");
        pair.carry(NOON, NOON);
        assert_eq!(pair.seen[1], format!("gateway: Rejected {{ refusal: Some({refusal:?}) }}"));
    }
    // The clean packet is taken, and a second time it is a repetition.
    let mut pair = Pair::opened();
    let bytes = clean(&mut pair);
    pair.reach_platform(NOON, &bytes);
    assert!(pair.platform.is_open());
    pair.reach_platform(NOON, &bytes);
    assert!(pair.seen[1].contains("RepeatedSerial"), "{:?}", pair.seen);
}

#[test]
fn a_packet_is_not_taken_back_by_who_sent_it() {
    let mut pair = Pair::opened();
    let own = pair.send(&reading(40));
    let mut seen = Vec::new();
    pair.gateway.receive(NOON, &own, &mut Vec::new(), |event| seen.push(format!("{event:?}")));
    assert_eq!(seen, ["Refused { refusal: Direction, opcode: 256 }"]);
}

#[test]
fn a_packet_of_another_connection_is_refused() {
    let (mut old, mut new) =
        (Pair::opened(), Pair::of(GatewaySettings::new(GATEWAY, "home", key()), 9));
    new.carry(NOON, NOON);
    // Its serial number is higher than all that came, its keys are not those of the connection.
    (0..3).for_each(|_| drop(old.send(&reading(40))));
    let bytes = old.send(&reading(40));
    new.seen.clear();
    new.reach_platform(NOON, &bytes);
    assert_eq!(new.seen, ["platform: Refused { refusal: WrongTag, opcode: 256 }"]);
}

#[test]
fn a_packet_with_a_wrong_time_is_refused_by_itself_and_the_clock_is_set() {
    let mut pair = Pair::opened();
    // The gateway's clock jumps by an hour; the platform's does not.
    let hour = after(3600);
    let mut bytes = Vec::new();
    pair.gateway.send(hour, &reading(40), &mut bytes);
    pair.up = bytes;
    pair.carry(NOON, hour);
    assert_eq!(
        pair.seen,
        ["platform: Refused { refusal: WrongTime, opcode: 256 }", "gateway: Packet(Time)"]
    );
    assert_eq!(pair.gateway.platform_s(hour), 1_800_000_000);
    pair.gateway.send(hour, &reading(40), &mut pair.up);
    pair.carry(NOON, hour);
    assert!(pair.seen[2].starts_with("platform: Packet"), "{:?}", pair.seen);
    // From `accept` on a gateway has the platform's time, whatever its own is.
    let mut pair = Pair::new();
    pair.carry(after(86_400), NOON);
    assert!(pair.platform.is_open(), "{:?}", pair.seen);
}

#[test]
fn an_unknown_opcode_and_a_bad_payload_are_refused_by_themselves() {
    let mut pair = Pair::opened();
    let mut keys = Keys::new(&key(), GATEWAY, (&[2; 16], &[1; 16]), Direction::Up);
    keys.own_serial = 1;
    for (code, payload, refusal) in
        [(0x7777, &b""[..], "UnknownOpcode"), (0x000E, b"short", "BadPayload")]
    {
        let bytes = sealed(&mut keys, code, payload);
        pair.reach_platform(NOON, &bytes);
        assert!(pair.seen.last().unwrap().contains(refusal), "{:?}", pair.seen);
        assert!(pair.platform.is_open());
    }
}

/// A packet with a number that no [`Opcode`] may have.
fn sealed(keys: &mut Keys, opcode: u16, payload: &[u8]) -> Vec<u8> {
    keys.own_serial += 1;
    let header = Header {
        length: (payload.len() + TAG_BYTES) as u16,
        gateway: GATEWAY,
        opcode,
        time_s: unix_s(NOON),
        serial: keys.own_serial,
    };
    let (head, mut payload) = (header.encode(), payload.to_vec());
    let tag = keys.own.seal(&header, &head, &mut payload);
    [&head[..], &payload, &tag].concat()
}

#[test]
fn who_is_silent_is_not_waited_for() {
    let mut down = Vec::new();
    let mut platform = PlatformEnd::new(NOON, Limits::default());
    assert_eq!(platform.tick(after(9), &mut down), None);
    assert_eq!(platform.tick(after(10), &mut down), Some(Refusal::Silent));
    assert!(platform.has_ended());
    let mut pair = Pair::opened();
    assert_eq!(pair.platform.tick(after(179), &mut down), None);
    assert_eq!(pair.platform.tick(after(180), &mut down), Some(Refusal::Silent));
    // A gateway that is idle is heard all the same.
    let mut pair = Pair::opened();
    for minute in 1..60 {
        let now = after(60 * minute);
        assert_eq!(pair.gateway.wake_at(), Some(now));
        assert_eq!(pair.gateway.tick(now, &mut pair.up), None);
        pair.carry(now, now);
        assert_eq!(pair.platform.tick(now, &mut down), None);
    }
    let silent = after(60 * 59 + 180);
    assert_eq!(pair.gateway.tick(silent, &mut pair.up), Some(Refusal::Silent));
}

#[test]
fn serial_numbers_are_never_used_again() {
    let mut pair = Pair::opened();
    let keys = pair.gateway.keys().unwrap();
    keys.own_serial = u32::MAX - 1;
    let last = pair.send(&reading(40));
    assert!(!pair.gateway.send(NOON, &reading(41), &mut Vec::new()));
    assert!(pair.gateway.has_ended());
    pair.reach_platform(NOON, &last);
    assert!(pair.platform.is_open());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(10_000))]

    /// Whatever comes over a connection: it is refused or asks for something, and nothing of it is
    /// taken for a gateway's packet.
    #[test]
    fn arbitrary_streams_open_nothing(
        start in prop::option::of(any::<bool>()),
        bytes in prop::collection::vec(any::<u8>(), 0..400),
        cut in 1..100_usize,
    ) {
        let mut pair = if start == Some(true) { Pair::opened() } else { Pair::new() };
        let mut stream = Vec::new();
        if start == Some(false) {
            // Something that looks like a packet.
            let header = Header {
                length: (bytes.len().max(TAG_BYTES)) as u16,
                gateway: GATEWAY,
                opcode: u16::from(bytes.first().copied().unwrap_or_default() % 24),
                time_s: unix_s(NOON),
                serial: 2,
            };
            stream.extend_from_slice(&header.encode());
        }
        stream.extend_from_slice(&bytes);
        for piece in stream.chunks(cut) {
            pair.reach_platform(NOON, piece);
            pair.gateway.receive(NOON, piece, &mut Vec::new(), |_| ());
        }
        prop_assert!(!pair.seen.iter().any(|seen| seen.contains("Packet")), "{:?}", pair.seen);
    }
}

/// A driven clock may jump by more than anybody may be silent.
#[test]
fn silence_is_measured_by_the_watch() {
    let mut pair = Pair::opened();
    let bytes = pair.send(&reading(40));
    let driven = Instants { clock: after(86_400), watch: after(1) };
    let mut down = Vec::new();
    assert_eq!(pair.platform.tick(driven, &mut down), None);
    pair.platform.receive(driven, &bytes, &mut down, |_| ());
    assert!(pair.platform.is_open());
    assert_eq!(pair.platform.wake_at(), Some(after(181)));
    let driven = Instants { clock: NOON, watch: after(181) };
    assert_eq!(pair.platform.tick(driven, &mut down), Some(Refusal::Silent));
}
