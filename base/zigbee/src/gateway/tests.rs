//! A gateway between nodes and a platform that forgets what is not on its disk.

use super::*;
use crate::address::ShortAddress;
use crate::delivery::{Arrival, Received};
use crate::network::{Node, NodeConfig, NodeEvent};
use crate::payload::Numbered;

const COORDINATOR: Eui64 = Eui64(0xC0);
const NOON: SimTime = SimTime(1_800_000_000_000_000_000);

fn after(seconds: i64) -> SimTime {
    NOON + SimDuration::from_seconds(seconds)
}

/// Some nodes, their gateway, and random numbers that are counted.
struct Home {
    gateway: TransparentGateway,
    nodes: Vec<Node>,
    random: u16,
    now: SimTime,
    /// What nodes received.
    at_nodes: Vec<(Eui64, Vec<u8>)>,
}

impl Home {
    fn new(nodes: u64) -> Self {
        let mut gateway = TransparentGateway::new(GatewayConfig::new(COORDINATOR));
        gateway.permit_joining(SimTime(i64::MAX));
        let nodes = (1..=nodes).map(|node| Node::new(NodeConfig::listening(Eui64(node)))).collect();
        let mut home = Self { gateway, nodes, random: 100, now: NOON, at_nodes: Vec::new() };
        for place in 0..home.nodes.len() {
            home.nodes[place].join(home.now);
            home.run_to(home.now + SimDuration::from_seconds(1));
        }
        home
    }

    /// Carries frames and lets time pass up to an instant.
    fn run_to(&mut self, until: SimTime) {
        loop {
            self.exchange();
            let nodes = self.nodes.iter().filter_map(Node::next);
            let next = nodes.chain(self.gateway.wake_at()).min().filter(|at| *at <= until);
            self.now = next.unwrap_or(until).max(self.now);
            let random = &mut self.random;
            let mut draw = || {
                *random += 1;
                *random
            };
            self.gateway.step(self.now);
            for node in &mut self.nodes {
                node.step(self.now, &mut draw);
            }
            if next.is_none() {
                return self.exchange();
            }
        }
    }

    fn exchange(&mut self) {
        let mut moved = true;
        while std::mem::take(&mut moved) {
            for place in 0..self.nodes.len() {
                while let Some(frame) = self.nodes[place].transmit() {
                    moved = true;
                    let random = &mut self.random;
                    self.gateway.receive(self.now, &frame, &mut || {
                        *random += 1;
                        *random
                    });
                }
            }
            while let Some(frame) = self.gateway.transmit() {
                moved = true;
                for node in &mut self.nodes {
                    node.receive(self.now, &frame);
                }
            }
        }
        for node in &mut self.nodes {
            while let Some(event) = node.event() {
                if let NodeEvent::Received(aps) = event {
                    self.at_nodes.push((node.config().eui, aps.payload));
                }
            }
        }
    }

    fn send(&mut self, place: usize, payload: &[u8]) {
        let aps = ApsFrame {
            profile: 0x0104,
            cluster: 0x0702,
            source_endpoint: 1,
            destination_endpoint: 1,
            payload: payload.to_vec(),
        };
        self.nodes[place].send(self.now, aps).unwrap();
        self.exchange();
    }

    /// What goes up now, as text.
    fn ups(&mut self) -> Vec<String> {
        let mut ups = Vec::new();
        while let Some((opcode, payload)) = self.gateway.next_packet() {
            match Up::read(opcode, &payload).unwrap().unwrap() {
                Up::Numbered(Numbered {
                    sequence, content: Content::Relay { frame, .. }, ..
                }) => {
                    let relay = Relay::decode(frame).unwrap();
                    let text = String::from_utf8_lossy(relay.frame).into_owned();
                    ups.push(format!("{sequence} of {}: {text}", relay.eui64.0));
                }
                Up::Numbered(Numbered { sequence, content, .. }) => {
                    ups.push(format!("{sequence} {}", content.opcode()));
                }
                other => ups.push(format!("{other:?}")),
            }
        }
        ups
    }

    /// The bytes of an order for a node.
    fn order(node: u64, payload: &[u8]) -> Vec<u8> {
        let mut frame = Vec::new();
        let relay = Relay {
            short: ShortAddress(0),
            eui64: Eui64(node),
            source_endpoint: 1,
            destination_endpoint: 1,
            profile: 0x0104,
            cluster: 6,
            lqi: 0,
            aps_counter: 0,
            frame: payload,
        };
        relay.encode(&mut frame);
        frame
    }
}

#[test]
fn frames_and_what_decides_whose_they_are_go_up_in_one_order() {
    let mut home = Home::new(2);
    home.send(1, b"a reading");
    home.nodes[0].leave(home.now);
    home.run_to(after(10));
    assert_eq!(home.ups(), ["0 node-joined", "1 node-joined", "2 of 2: a reading", "3 node-left"]);
    assert_eq!(home.gateway.unacknowledged(), 4);
    home.gateway.take(home.now, &Down::Delivered(Delivered { epoch: 0, next: 4 }));
    assert_eq!(home.gateway.unacknowledged(), 0);
}

#[test]
fn an_order_reaches_its_node_and_reports_what_became_of_it() {
    let mut home = Home::new(2);
    home.ups();
    for (order, node) in [(7, 2), (8, 9)] {
        let frame = Home::order(node, b"off");
        let network_type = NETWORK_TYPE;
        home.gateway.take(home.now, &Down::Order { order, network_type, frame: &frame });
        home.exchange();
    }
    assert_eq!(home.at_nodes, [(Eui64(2), b"off".to_vec())]);
    assert_eq!(
        home.ups(),
        [
            "OrderResult { order: 7, state: Waiting }",
            "OrderResult { order: 7, state: Delivered }",
            "OrderResult { order: 8, state: UnknownNode }",
        ]
    );
    // A node that has died does not answer.
    home.nodes.pop();
    let frame = Home::order(2, b"off");
    home.gateway.take(home.now, &Down::Order { order: 9, network_type: 0, frame: &frame });
    home.run_to(after(60));
    let ups = home.ups();
    assert_eq!(ups.last().unwrap(), "OrderResult { order: 9, state: Unreachable }", "{ups:?}");
}

#[test]
fn a_restart_loses_nothing_and_gives_the_whole_table() {
    let mut home = Home::new(2);
    home.send(0, b"before");
    let sent = home.ups();
    let kept = home.gateway.snapshot();
    home.gateway = TransparentGateway::restart(home.gateway.config, kept, home.now);
    home.gateway.connected(Delivered { epoch: 0, next: 1 });
    home.run_to(home.now + SimDuration::from_seconds(30));
    home.send(1, b"after");
    let again = home.ups();
    assert_eq!(sent[1..], again[..2]);
    assert!(again.contains(&"3 node-table".to_owned()), "{again:?}");
    assert!(again.last().unwrap().ends_with("of 2: after"), "{again:?}");
}

#[test]
fn settings_and_counters_are_read_and_written() {
    let mut home = Home::new(1);
    home.gateway.connected(Delivered::default());
    home.send(0, b"x");
    let ups = home.ups();
    assert_eq!(ups.len(), 2);
    let settings = [
        Setting { key: setting::CHANNEL, value: &[26] },
        Setting { key: setting::CHANNEL, value: &[27] },
        Setting { key: setting::NETWORK_ID, value: &[0x12, 0x34] },
        Setting { key: 99, value: &[] },
    ];
    home.gateway.take(home.now, &Down::WriteConfiguration(settings.to_vec()));
    home.gateway.take(home.now, &Down::ReadDiagnostics);
    let expected = [
        format!(
            "{:?}",
            Up::Configuration(vec![
                Setting { key: setting::CHANNEL, value: &[26] },
                Setting { key: setting::NETWORK_ID, value: &[0x12, 0x34] },
                Setting { key: setting::SECURITY_LEVEL, value: &[5] },
            ])
        ),
        // One connection, one frame up, none down, none lost, two refused, two that wait.
        format!("{:?}", Up::Diagnostics([1, 1, 0, 0, 2, 2])),
    ];
    assert_eq!(home.ups(), expected);
    assert!(!home.gateway.is_restart_wanted());
    home.gateway.take(home.now, &Down::Restart);
    assert!(home.gateway.is_restart_wanted());
}

/// Many readings of nodes that join, rejoin and leave, over connections that break: each is on the
/// platform's disk once, in its order, and of the node that sent it.
#[test]
fn each_reading_is_stored_once_for_its_node() {
    let mut home = Home::new(6);
    let (mut received, mut disk, mut sent) = (Received::default(), Vec::new(), Vec::new());
    let mut come = Vec::new();
    for round in 0..400_usize {
        let place = (round * 7) % home.nodes.len();
        match round % 11 {
            3 => home.nodes[place].restart(home.now),
            5 => home.nodes[place].leave(home.now),
            6 => home.nodes[(round - 1) * 7 % 6].join(home.now),
            _ => {}
        }
        home.run_to(home.now + SimDuration::from_seconds(20));
        if home.nodes[place].address().is_some() {
            let text = format!("{round}");
            home.send(place, text.as_bytes());
            sent.push((home.nodes[place].config().eui, text));
        }
        let durable = received;
        while let Some((opcode, payload)) = home.gateway.next_packet() {
            let Up::Numbered(numbered) = Up::read(opcode, &payload).unwrap().unwrap() else {
                continue;
            };
            if received.take(numbered.epoch, numbered.sequence) == Arrival::Repeated {
                continue;
            }
            if let Content::Relay { frame, .. } = numbered.content {
                let relay = Relay::decode(frame).unwrap();
                let text = String::from_utf8_lossy(relay.frame).into_owned();
                come.push((relay.eui64, text));
            }
        }
        if round % 4 == 2 {
            // The platform is killed before its disk has them.
            (received, come) = (durable, Vec::new());
            home.gateway.connected(received.delivered());
        } else {
            disk.append(&mut come);
            home.gateway.take(home.now, &Down::Delivered(received.delivered()));
        }
        if round % 50 == 49 {
            let kept = home.gateway.snapshot();
            home.gateway = TransparentGateway::restart(home.gateway.config, kept, home.now);
            home.gateway.permit_joining(SimTime(i64::MAX));
            home.gateway.connected(received.delivered());
        }
    }
    home.gateway.connected(received.delivered());
    while let Some((opcode, payload)) = home.gateway.next_packet() {
        if let Up::Numbered(Numbered {
            epoch, sequence, content: Content::Relay { frame, .. }, ..
        }) = Up::read(opcode, &payload).unwrap().unwrap()
            && received.take(epoch, sequence) != Arrival::Repeated
        {
            let relay = Relay::decode(frame).unwrap();
            disk.push((relay.eui64, String::from_utf8_lossy(relay.frame).into_owned()));
        }
    }
    assert!(sent.len() > 300, "{}", sent.len());
    assert_eq!(disk, sent);
}
