//! A transparent gateway between a node and a platform, both played here.

use lastmeter_params::read_text;
use lastmeter_sim::Streams;
use lastmeter_units::SimDuration;
use lastmeter_zigbee::network::{ApsFrame, Node, NodeConfig};
use lastmeter_zigbee::payload::{Content, Numbered};

use super::*;
use crate::gateway::NetworkContext;

const START: SimTime = SimTime(1_800_000_000_000_000_000);
const NODE: Eui64 = Eui64(0x0015_8D00_0000_0042);

fn make(kept: &[Vec<u8>]) -> Box<dyn Gateway> {
    let values = read_text("", &[&FIELDS]).unwrap();
    let (files, streams) = (BTreeMap::new(), Streams::new(1));
    let devices = vec![(HardwareId::new("plug").unwrap(), NODE.to_string())];
    let context = GatewayContext {
        name: "hub",
        hardware_id: HardwareId::new("hub").unwrap(),
        tenant: "default",
        start: START,
        epoch: crate::EPOCH,
        networks: vec![NetworkContext { bits_per_second: 0, devices }],
        streams: &streams,
        files: &files,
    };
    (ZIGBEE_GATEWAY.build)(&values, &context, kept, &mut Diagnostics::new()).unwrap()
}

struct Bench {
    now: SimTime,
    gateway: Box<dyn Gateway>,
    node: Node,
    /// The last record, and all messages with their numbers, as they were sent.
    kept: Vec<Vec<u8>>,
    sent: Vec<(u64, Vec<u8>)>,
}

impl Bench {
    fn new() -> Self {
        let mut node = Node::new(NodeConfig::listening(NODE));
        node.join(START);
        Self { now: START, gateway: make(&[]), node, kept: Vec::new(), sent: Vec::new() }
    }

    fn input(&mut self, input: GatewayInput) {
        let mut out = Vec::new();
        self.gateway.step(self.now, input, &mut out);
        while !out.is_empty() {
            for output in std::mem::take(&mut out) {
                match output {
                    GatewayOutput::Keep { number, record } => {
                        self.kept = vec![record];
                        self.gateway.step(self.now, GatewayInput::Kept { number }, &mut out);
                    }
                    GatewayOutput::Send { message, payload, .. } => {
                        self.sent.push((message, payload));
                    }
                    GatewayOutput::Bytes { lane, bytes, .. } => {
                        assert!(lane.is_none_or(|lane| lane == 0));
                        self.node.receive(self.now, &RadioFrame::decode(&bytes).unwrap());
                    }
                    GatewayOutput::Forget { .. } => {}
                    other => panic!("{other:?}"),
                }
            }
        }
    }

    /// Goes on for a while, with an air that loses nothing.
    fn run(&mut self, seconds: i64) {
        let end = self.now + SimDuration::from_seconds(seconds);
        while self.now < end {
            self.now += SimDuration::from_milliseconds(50);
            self.node.step(self.now, &mut || 77);
            while let Some(frame) = self.node.transmit() {
                let mut bytes = Vec::new();
                frame.encode(&mut bytes);
                self.input(GatewayInput::Bytes { network: 0, lane: Some(0), bytes });
            }
            self.input(GatewayInput::Wake);
        }
    }

    fn report(&mut self, value: u8) {
        let aps = ApsFrame {
            profile: 0x0104,
            cluster: 0x0702,
            source_endpoint: 1,
            destination_endpoint: 1,
            payload: vec![value],
        };
        self.node.send(self.now, aps).unwrap();
    }

    fn restart(&mut self) {
        self.gateway = make(&self.kept);
    }

    /// What each message of a node holds, by its number.
    fn frames(&self) -> Vec<(u64, Vec<u8>)> {
        let of = |(message, payload): &(u64, Vec<u8>)| {
            let (code, rest) = payload.split_first_chunk()?;
            let opcode = Opcode::of(u16::from_be_bytes(*code))?;
            let Ok(Up::Numbered(Numbered { content: Content::Relay { frame, .. }, .. })) =
                Up::read(opcode, rest)?
            else {
                return None;
            };
            let relay = lastmeter_zigbee::relay::Relay::decode(frame).ok()?;
            (relay.cluster == 0x0702).then(|| (*message, relay.frame.to_vec()))
        };
        self.sent.iter().filter_map(of).collect()
    }
}

#[test]
fn what_a_node_sends_goes_out_once_it_is_kept_and_a_connection_is_there() {
    let mut bench = Bench::new();
    bench.run(5);
    bench.report(1);
    bench.run(1);
    assert_eq!(bench.sent, [], "nobody is connected");
    assert!(bench.gateway.unacknowledged() > 0);
    bench.input(GatewayInput::Connected);
    let numbers: Vec<u64> = bench.sent.iter().map(|(message, _)| *message).collect();
    assert_eq!(numbers, (1..=numbers.len() as u64).collect::<Vec<_>>(), "numbered from 1");
    assert_eq!(bench.frames().len(), 1);
    let last = numbers.len() as u64;
    bench.input(GatewayInput::Acknowledged { message: last - 1 });
    assert_eq!(bench.gateway.unacknowledged(), 1);
    bench.input(GatewayInput::Acknowledged { message: last });
    assert_eq!(bench.gateway.unacknowledged(), 0);
}

#[test]
fn a_restart_repeats_what_is_not_acknowledged_under_its_number() {
    let mut bench = Bench::new();
    bench.input(GatewayInput::Connected);
    bench.run(5);
    for value in 1..=5 {
        bench.report(value);
        bench.run(1);
    }
    let before = bench.frames();
    assert_eq!(before.len(), 5);
    bench.input(GatewayInput::Acknowledged { message: before[1].0 });
    bench.sent.clear();
    bench.restart();
    bench.input(GatewayInput::Connected);
    // What was acknowledged since the last record may come again.
    let again = bench.frames();
    assert!(again.len() >= 3 && before.ends_with(&again), "the same under the same numbers");
    // The node is still a member: the table was kept.
    bench.report(6);
    bench.run(2);
    let after = bench.frames();
    assert_eq!(after.last().map(|(_, frame)| frame.clone()), Some(vec![6]));
    assert!(after.last().unwrap().0 > before[4].0 + 1, "the table of nodes is numbered as well");
}

#[test]
fn what_is_no_packet_or_no_frame_changes_nothing() {
    let mut bench = Bench::new();
    bench.run(5);
    let waiting = bench.gateway.unacknowledged();
    let bytes = vec![0xFF; 40];
    bench.input(GatewayInput::Bytes { network: 0, lane: Some(0), bytes });
    let mut out = Vec::new();
    let owner = HardwareId::new("hub").unwrap();
    for payload in [vec![], vec![0], vec![0xFF; 12], vec![0, 6, 1]] {
        let input = GatewayInput::Command { owner: owner.clone(), payload };
        bench.gateway.step(bench.now, input, &mut out);
    }
    let refused = |it: &&GatewayOutput| {
        matches!(it, GatewayOutput::Event { kind: GatewayEventKind::InputRefused, .. })
    };
    assert_eq!(out.iter().filter(refused).count(), 4, "{out:?}");
    assert_eq!(bench.gateway.unacknowledged(), waiting);
}
