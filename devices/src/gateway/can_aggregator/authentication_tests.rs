//! An aggregator and slaves on a bus by each scheme, with an attacker as one node more.
//!
//! What slaves measured is known here in closed form, and readings are compared with that.

mod profile_tests;

use std::collections::{BTreeMap, VecDeque};

use lastmeter_can::authentication::Settings;
use lastmeter_can::bus::{Bus, Change, Detail, Happening};
use lastmeter_can::controller::{OverrunPolicy, TransmitOrder};
use lastmeter_can::frame::{CanFrame, CanId};
use lastmeter_can::wire::frame_bits;
use lastmeter_params::{Diagnostics, read_text};
use lastmeter_sim::{ReferenceSpan, Streams};
use lastmeter_units::{HardwareId, MeasurementId, Quantity, SimDuration, SimTime};
use lastmeter_wire::flexmeter::{DecodeRules, Request, decode};
use rand::Rng as _;

use super::super::{CAN_AGGREGATOR, FIELDS};
use crate::border::{Input, Output};
use crate::can::port::PortSettings;
use crate::can::seal::{Authentication, End, GuardParts, device_key, shared_key};
use crate::gateway::{
    Gateway, GatewayContext, GatewayEventKind as Kind, GatewayInput, GatewayOutput, NetworkContext,
};
use crate::outlet::Outlet;
use crate::outlet::can::{CanOutlet, CanParts, MemoryParts, SoftwareParts};
use crate::reading::{GROUPS, identifiers};

const START: SimTime = SimTime(1_700_000_000_000_000_000);
const BIT: SimDuration = SimDuration(8_000);
const STREAMS: Streams = Streams::new(7);

fn at_ms(milliseconds: i64) -> SimTime {
    START + SimDuration::from_milliseconds(milliseconds)
}

fn id(text: &str) -> HardwareId {
    HardwareId::new(text).unwrap()
}

fn name(node: u8) -> String {
    format!("m-{node}")
}

/// What a node measures in a second, in SI units: steps of the registers, but for energies.
fn measured(node: u8, second: i64, quantity: Quantity) -> f64 {
    let step = (second * 100 + i64::from(node)) as f64;
    match quantity {
        Quantity::VoltageRms => 230.0 + step * 1e-3,
        Quantity::Frequency => 50.0 + step * 1e-6,
        Quantity::PowerFactor => 0.5 + step * 1e-6,
        // In the middle between two steps of 100 J.
        Quantity::ActiveEnergy(it) => step * [200.0, 100.0][it as usize] + 50.0,
        Quantity::ActivePower(lastmeter_units::Direction::Injected) => 0.0,
        _ => step,
    }
}

/// What an attacker answers when it hears that something is asked for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Answers {
    Nothing,
    /// These bytes, with the closing frame of the last message.
    Forged(u8),
    /// The last message under that identifier.
    Replayed,
}

type Reading = (String, u64, BTreeMap<MeasurementId, f64>);

struct Net {
    scheme: Authentication,
    bus: Bus,
    gateway: Box<dyn Gateway>,
    slaves: Vec<CanOutlet>,
    now: SimTime,
    kept: BTreeMap<u64, Vec<u8>>,
    readings: Vec<Reading>,
    alerts: Vec<(String, String)>,
    events: Vec<(Kind, String)>,
    /// What was on the wire as a whole.
    wire: Vec<CanFrame>,
    /// What the attacker has still to send.
    attack: VecDeque<CanFrame>,
    answers: Answers,
    measured_s: i64,
    text: String,
}

fn addresses(nodes: u8, scheme: &str) -> Vec<(HardwareId, String)> {
    let suffix = if scheme == "none" { String::new() } else { format!(" {scheme}") };
    (1..=nodes).map(|node| (id(&name(node)), format!("{node}{suffix}"))).collect()
}

fn gateway(
    settings: &str,
    devices: Vec<(HardwareId, String)>,
    kept: &[Vec<u8>],
) -> Result<Box<dyn Gateway>, String> {
    let values = read_text(settings, &[&FIELDS]).expect("settings");
    let context = GatewayContext {
        name: "hub",
        hardware_id: id("hub"),
        tenant: "default",
        start: START,
        epoch: crate::EPOCH,
        networks: vec![NetworkContext { bits_per_second: 125_000, devices }],
        streams: &STREAMS,
        files: &BTreeMap::new(),
    };
    let mut diagnostics = Diagnostics::new();
    let gateway = (CAN_AGGREGATOR.build)(&values, &context, kept, &mut diagnostics);
    let messages: Vec<String> =
        diagnostics.into_sorted().into_iter().map(|one| one.message).collect();
    gateway.ok_or_else(|| messages.join("; "))
}

fn slave(node: u8, authentication: Authentication) -> CanOutlet {
    let port = PortSettings {
        order: TransmitOrder::ByRequest,
        overrun: OverrunPolicy::DiscardNewest,
        interrupt_latency: SimDuration::ZERO,
    };
    let (latency, service) = (SimDuration(10_000), SimDuration::from_milliseconds(5));
    let end = End::Slave(node, device_key(STREAMS, &name(node), node));
    let (shared, pair_limit) = (shared_key(STREAMS), Settings::default().pair_limit);
    CanOutlet::new(CanParts {
        start: START,
        node,
        unique_id: None,
        is_known_by_id: false,
        port,
        software: SoftwareParts::serving_the_bus(latency, service),
        memory: MemoryParts { byte_time: SimDuration::from_milliseconds(5), endurance: 100_000 },
        is_closed: None,
        obeys_orders: true,
        measure_every: SimDuration::from_seconds(1),
        profile: (SimDuration::from_seconds(5), SimDuration::ZERO),
        guard: GuardParts { authentication, end, shared, pair_limit },
    })
}

impl Net {
    fn new(scheme: Authentication, nodes: u8, settings: &str) -> Self {
        let settings = format!("authentication = \"{scheme}\"\n{settings}");
        let mut net = Self {
            scheme,
            bus: Bus::new(Detail::Frames, BIT, START, usize::from(nodes) + 2),
            gateway: gateway(&settings, addresses(nodes, scheme.word()), &[]).unwrap(),
            slaves: (1..=nodes).map(|node| slave(node, scheme)).collect(),
            now: START,
            kept: BTreeMap::new(),
            readings: Vec::new(),
            alerts: Vec::new(),
            events: Vec::new(),
            wire: Vec::new(),
            attack: VecDeque::new(),
            answers: Answers::Nothing,
            measured_s: -1,
            text: settings,
        };
        net.step(GatewayInput::Connected);
        net
    }

    fn attacker(&self) -> usize {
        self.slaves.len() + 1
    }

    fn step(&mut self, input: GatewayInput) {
        let mut out = Vec::new();
        self.gateway.step(self.now, input, &mut out);
        for output in out {
            match output {
                GatewayOutput::Offer { frame, .. } => self.bus.offer(0, self.now, frame),
                GatewayOutput::Keep { number, record } => {
                    self.kept.insert(number, record);
                    self.step(GatewayInput::Kept { number });
                }
                GatewayOutput::Forget { upto } => self.kept = self.kept.split_off(&(upto + 1)),
                GatewayOutput::Event { kind, detail, .. } => self.events.push((kind, detail)),
                GatewayOutput::Send { message, payload, .. } => {
                    self.received(&payload);
                    self.step(GatewayInput::Acknowledged { message });
                }
                _ => {}
            }
        }
    }

    fn received(&mut self, payload: &[u8]) {
        match decode(payload, &DecodeRules::default()).unwrap() {
            Request::Measurements(message) => {
                let owner = message.hardware_id.to_string();
                let values = message.values.into_iter().collect();
                let reading = (owner, message.serial.unwrap().0, values);
                // What was not forgotten yet goes out again after a restart, as it was.
                if !self.readings.contains(&reading) {
                    self.readings.push(reading);
                }
            }
            Request::Alert(alert) => {
                let facts: Vec<String> =
                    alert.metadata.iter().map(|(key, value)| format!("{key}={value}")).collect();
                self.alerts.push((alert.alert_type, facts.join(" ")));
            }
            Request::Acknowledge(_) => panic!("an answer"),
        }
    }

    fn slave_output(&mut self, slave: usize, out: Vec<Output>) {
        for output in out {
            match output {
                Output::Offer { frame } => self.bus.offer(slave + 1, self.now, frame),
                Output::Event { detail, .. } => self.events.push((Kind::InputRefused, detail)),
                _ => {}
            }
        }
    }

    /// The attacker hears what is on the wire, and sends what it has.
    fn attacker_hears(&mut self, what: Happening) {
        let was_idle = self.attack.is_empty();
        if let Happening::Received(frame) = what
            && frame.is_remote()
        {
            let asked = frame.id();
            let last = |id: u32| {
                let is_same = |one: &&CanFrame| one.id().value() == id && !one.is_remote();
                self.wire.iter().rev().find(is_same).copied()
            };
            let pair = (last(asked.value()), last(asked.value() | 0x400));
            if asked.value() >> 5 == 30 {
                return;
            }
            match self.answers {
                Answers::Nothing => {}
                Answers::Forged(byte) => {
                    self.attack.push_back(CanFrame::data(asked, &[byte; 8]).unwrap());
                    let has_two =
                        matches!(self.scheme, Authentication::Paper | Authentication::Strong);
                    self.attack.extend(pair.1.filter(|_| has_two));
                }
                Answers::Replayed => {
                    self.attack.extend(pair.0);
                    self.attack.extend(pair.1.filter(|_| asked.value() & 0x400 == 0));
                }
            }
        }
        let has_sent = matches!(what, Happening::Sent(_));
        if has_sent {
            self.attack.pop_front();
        }
        if has_sent || was_idle {
            self.offer_attack();
        }
    }

    fn offer_attack(&mut self) {
        if let Some(frame) = self.attack.front() {
            self.bus.offer(self.attacker(), self.now, Some(*frame));
        }
    }

    fn measure(&mut self, second: i64) {
        for (slave, node) in self.slaves.iter_mut().zip(1..) {
            let value = |id: MeasurementId| {
                (id, measured(node, second, id.row().quantity) / id.row().si_factor)
            };
            let values = identifiers(GROUPS, true, 1).into_iter().map(value).collect();
            let to = SimDuration::from_seconds(second);
            let span = ReferenceSpan { from: to, to, registers_from: SimDuration::ZERO };
            slave.reading(to, span, values, &mut Vec::new());
        }
    }

    /// Goes on up to an instant.
    fn run(&mut self, until: SimTime) {
        loop {
            let second = self.measured_s + 1;
            let measures_at = START + SimDuration::from_seconds(second);
            let (end, passed) = (SimTime(i64::MAX), SimDuration::ZERO);
            let slaves = self.slaves.iter().filter_map(|slave| slave.wake_at(START + passed));
            let wakes = self.gateway.wake_at().into_iter().chain(slaves);
            let next = wakes.chain(self.bus.next()).chain([measures_at]).fold(end, SimTime::min);
            if next > until {
                self.now = until;
                return;
            }
            self.now = self.now.max(next);
            if measures_at <= self.now {
                self.measured_s = second;
                self.measure(second);
            } else if let Some(event) = self.bus.pop(self.now) {
                self.happened(event.node, event.what);
            } else if self.gateway.wake_at().is_some_and(|at| at <= self.now) {
                self.step(GatewayInput::Wake);
            } else if let Some(due) =
                self.slaves.iter().position(|it| it.wake_at(START).is_some_and(|at| at <= self.now))
            {
                let mut out = Vec::new();
                self.slaves[due].take(self.now, Input::Passed, &mut out);
                self.slave_output(due, out);
            }
        }
    }

    fn happened(&mut self, node: usize, what: Happening) {
        if let Happening::Sent(frame) = what {
            self.wire.push(frame);
        }
        match node.checked_sub(1) {
            None => self.step(GatewayInput::Wire { network: 0, what }),
            Some(slave) if slave < self.slaves.len() => {
                let mut out = Vec::new();
                self.slaves[slave].take(self.now, Input::Wire { what }, &mut out);
                self.slave_output(slave, out);
            }
            Some(_) => self.attacker_hears(what),
        }
    }

    fn restart_gateway(&mut self) {
        let nodes = u8::try_from(self.slaves.len()).unwrap();
        let kept: Vec<Vec<u8>> = self.kept.values().cloned().collect();
        self.gateway = gateway(&self.text, addresses(nodes, self.scheme.word()), &kept).unwrap();
        self.step(GatewayInput::Connected);
    }

    /// The attacker sends frames one after another, the next poll is awaited.
    fn send(&mut self, frames: impl IntoIterator<Item = CanFrame>, until: SimTime) {
        self.attack.extend(frames);
        self.offer_attack();
        self.run(until);
        assert!(self.attack.is_empty(), "{} frames are left", self.attack.len());
    }

    /// The last note of a reason.
    fn refused(&self, reason: &str) -> Option<&str> {
        let of = |(kind, detail): &&(Kind, String)| {
            *kind == Kind::MessageRefused && detail.contains(&format!("refused: {reason};"))
        };
        self.events.iter().rev().find(of).map(|(_, detail)| detail.as_str())
    }

    fn count(&self, kind: Kind) -> usize {
        self.events.iter().filter(|(one, _)| *one == kind).count()
    }

    /// Each reading has what its node had measured in the second of its poll, numbers have no gap.
    fn check(&self, seconds: &[i64]) {
        let wrong = self.wrong(seconds);
        assert_eq!(
            (wrong.len(), self.readings.len()),
            (0, seconds.len() * self.slaves.len()),
            "{:?}",
            wrong.first()
        );
    }

    /// Readings whose values are none of the second of their poll.
    fn wrong(&self, seconds: &[i64]) -> Vec<&Reading> {
        let is_wrong = |(owner, serial, values): &&Reading| {
            let node = owner.trim_start_matches("m-").parse().unwrap();
            let second = seconds[usize::try_from(*serial).unwrap() - 1];
            values.len() != 10
                || values.iter().any(|(id, value)| {
                    let row = id.row();
                    // The compact register of an energy has steps of 100 J.
                    let is_rounded = self.scheme == Authentication::Compact
                        && matches!(row.quantity, Quantity::ActiveEnergy(_));
                    let rounded_j = if is_rounded { 50.0 } else { 0.0 };
                    let expected = measured(node, second, row.quantity) - rounded_j;
                    // Half a step of the coarsest register is far below the steps of the values.
                    (value * row.si_factor - expected).abs() > 1e-6
                })
        };
        self.readings.iter().filter(is_wrong).collect()
    }
}

fn polls(count: i64) -> Vec<i64> {
    (1..=count).map(|poll| 2 * poll).collect()
}

const EACH_2_S: &str = "poll_every = \"2.001 s\"\nrepetitions = 0\n";

#[test]
fn readings_are_the_same_by_each_scheme_and_two_frames_cost_twice_the_data() {
    let mut loads = Vec::new();
    for (scheme, by_data) in Authentication::ALL.iter().flat_map(|it| [(*it, 0), (*it, 1)]) {
        let word = ["remote", "data"][by_data];
        let mut net = Net::new(scheme, 3, &format!("{EACH_2_S}requests = \"{word}\"\n"));
        net.run(at_ms(21_500));
        net.check(&polls(10));
        assert_eq!(net.events, []);
        // Of a poll and node, the answer to the order and its registers; once, where there is a
        // counter, its resynchronisation and that of the order.
        let (registers, frames_of_one, resync) = match scheme {
            Authentication::None => (6, 1, 0),
            Authentication::Paper => (6, 2, 0),
            Authentication::Strong => (6, 2, 2),
            Authentication::Compact => (9, 1, 2),
        };
        let remote = net.wire.iter().filter(|frame| frame.is_remote()).count();
        let asks = 10 * 3 * registers;
        assert_eq!(remote, asks * (1 - by_data));
        let data = net.wire.len() - remote;
        let messages = 10 + 10 * 3 + asks * (1 + by_data);
        assert_eq!(data, messages * frames_of_one + 4 * resync);
        let bits = |all: bool| -> f64 {
            let frames = net.wire.iter().filter(|frame| all || !frame.is_remote());
            frames.map(|frame| f64::from(frame_bits(frame))).sum()
        };
        if by_data == 0 {
            loads.push((bits(true), bits(false)));
        }
    }
    let [none, paper, compact, strong] = loads[..] else { panic!("four schemes") };
    println!("bits of 10 polls, paper {paper:?}, compact {compact:?}");
    assert!((1.9..2.2).contains(&(strong.1 / none.1)), "{strong:?} {none:?}");
    assert!((1.6..1.9).contains(&(strong.0 / none.0)), "{strong:?} {none:?}");
}

#[test]
fn whoever_answers_first_is_read_only_without_authentication() {
    for scheme in Authentication::ALL {
        let mut net = Net::new(scheme, 2, EACH_2_S);
        net.run(at_ms(4_500));
        net.answers = Answers::Forged(0x11);
        net.run(at_ms(8_500));
        net.answers = Answers::Nothing;
        net.run(at_ms(10_500));
        let wrong = net.wrong(&polls(5)).len();
        if scheme == Authentication::None {
            assert_eq!(wrong, 4);
            continue;
        }
        net.check(&polls(5));
        assert!(net.refused("wrong-tag").is_some(), "{:?}", net.events);
        println!("{scheme}: {:?}", net.refused("wrong-tag"));
    }
}

#[test]
fn the_last_message_is_read_again_by_the_paper_s_scheme_only() {
    for scheme in [Authentication::Paper, Authentication::Compact, Authentication::Strong] {
        let mut net = Net::new(scheme, 2, EACH_2_S);
        net.run(at_ms(4_500));
        net.answers = Answers::Replayed;
        net.run(at_ms(6_500));
        net.answers = Answers::Nothing;
        net.run(at_ms(8_500));
        if scheme == Authentication::Paper {
            // The values of the poll before, for both nodes.
            let wrong = net.wrong(&polls(4));
            assert_eq!(wrong.len(), 2);
            assert!(wrong.iter().all(|(_, serial, _)| *serial == 3));
            assert!(net.refused("").is_none());
            continue;
        }
        net.check(&polls(4));
        assert!(net.refused("too-old").is_some(), "{:?}", net.events);
    }
}

/// The frames of the last message of node 1 with this register.
fn last_message(net: &Net, register: u32) -> Vec<CanFrame> {
    let ids = match net.scheme {
        Authentication::Strong => vec![register << 5 | 1, register << 5 | 1 | 0x400],
        _ => vec![register << 5 | 1],
    };
    let last = |id: u32| {
        let is_same = |frame: &&CanFrame| frame.id().value() == id && !frame.is_remote();
        *net.wire.iter().rev().find(is_same).unwrap()
    };
    ids.into_iter().map(last).collect()
}

#[test]
fn each_flipped_bit_is_refused_and_an_alarm_is_an_alert_of_the_gateway() {
    for (scheme, register, messages) in
        [(Authentication::Compact, 0x22, 64), (Authentication::Strong, 0x11, 128)]
    {
        let mut net = Net::new(scheme, 2, EACH_2_S);
        net.run(at_ms(2_500));
        let genuine = last_message(&net, register);
        let mut flipped = Vec::new();
        for place in 0..genuine.len() {
            for bit in 0..64 {
                let mut frames = genuine.clone();
                let mut bytes = frames[place].bytes().to_vec();
                bytes[bit / 8] ^= 1 << (bit % 8);
                frames[place] = CanFrame::data(frames[place].id(), &bytes).unwrap();
                flipped.extend(frames);
            }
        }
        net.send(flipped, at_ms(3_500));
        net.run(at_ms(4_500));
        let noted = net.refused("wrong-tag").unwrap();
        assert!(noted.ends_with(&format!("; {messages} so far")), "{noted}");
        assert_eq!(net.count(Kind::AuthenticationAlarm), 1);
        let expected = "count=16 device=m-1 kind=refused network=0 node=1 reason=wrong-tag";
        assert_eq!(net.alerts, [("can.authentication".to_owned(), expected.to_owned())]);
        net.check(&polls(2));
    }
}

#[test]
fn orders_of_others_close_no_reading() {
    for (scheme, register) in [(Authentication::Compact, 2), (Authentication::Strong, 1)] {
        let mut net = Net::new(scheme, 1, EACH_2_S);
        net.run(at_ms(2_500));
        let order = CanFrame::data(CanId::standard(register << 5).unwrap(), &[9; 5]).unwrap();
        let closing = CanFrame::data(CanId::standard(0x420).unwrap(), &[9; 8]).unwrap();
        let old: Vec<CanFrame> = net
            .wire
            .iter()
            .filter(|frame| {
                !frame.is_remote()
                    && [0x020, 0x420, 0x040, 0x3C0, 0x7C0].contains(&frame.id().value())
            })
            .copied()
            .collect();
        net.send([order, closing].into_iter().chain(old), at_ms(3_500));
        net.run(at_ms(4_500));
        // Numbers of readings are without a gap.
        net.check(&polls(2));
        let is_noted = |reason: &str| {
            net.events.iter().any(|(_, detail)| detail.contains(&format!("refused: {reason};")))
        };
        assert!(is_noted("wrong-tag") && is_noted("replayed"), "{:?}", net.events);
    }
}

#[test]
fn a_gateway_that_has_restarted_goes_on_and_refuses_what_it_had_accepted() {
    for scheme in [Authentication::Compact, Authentication::Strong, Authentication::Paper] {
        let mut net = Net::new(scheme, 2, EACH_2_S);
        net.run(at_ms(6_500));
        net.restart_gateway();
        // The first thing it does is a poll, and the last frames come again before its answers.
        let slaves_own = |frame: &&CanFrame| !frame.is_remote() && frame.id().value() & 31 != 0;
        let heard: Vec<CanFrame> = net.wire.iter().filter(slaves_own).copied().collect();
        net.send(heard[heard.len() - 2..].to_vec(), at_ms(7_000));
        let heard: Vec<CanFrame> = net.wire.iter().filter(slaves_own).copied().collect();
        let before = net.readings.len();
        net.send(heard[heard.len() - 40..].to_vec(), at_ms(7_900));
        assert_eq!(net.readings.len(), before);
        if scheme != Authentication::Paper {
            assert!(net.refused("too-old").is_some(), "{:?}", net.events);
            assert!(net.refused("replayed").is_some(), "{:?}", net.events);
            let not_awaited =
                net.events.iter().filter(|(_, it)| it.contains("nobody waits")).count();
            assert_eq!(not_awaited, 0);
        }
        net.run(at_ms(12_500));
        // By the paper's scheme its own answer to an order closes a reading of a node: nothing in
        // the hash states whose it is and which way it goes.
        if scheme == Authentication::Paper {
            assert!(net.wrong(&[2, 4, 6, 6, 7, 8, 10, 12]).is_empty());
            assert_eq!(net.readings.len(), 14);
        } else {
            net.check(&[2, 4, 6, 6, 8, 10, 12]);
        }
        assert_eq!(net.count(Kind::DeviceUnreachable), 0);
    }
}

#[test]
fn a_slave_that_has_restarted_goes_on_by_a_resynchronisation() {
    for scheme in [Authentication::Compact, Authentication::Strong, Authentication::Paper] {
        let mut net = Net::new(scheme, 2, EACH_2_S);
        net.run(at_ms(6_500));
        let is_resync = |frame: &&CanFrame| frame.id().value() == 0x3C1;
        let before = net.wire.iter().filter(is_resync).count();
        net.slaves[0].works_again(&mut Vec::new());
        net.run(at_ms(10_500));
        let after = net.wire.iter().filter(is_resync).count();
        let expected = if scheme == Authentication::Paper { [0, 0] } else { [1, 2] };
        assert_eq!([before, after], expected);
        net.check(&polls(5));
        assert_eq!(net.events, []);
    }
}

#[test]
fn what_cannot_be_sealed_is_not_sent_and_the_next_message_is_accepted() {
    let mut net = Net::new(Authentication::Compact, 1, EACH_2_S);
    net.run(at_ms(2_500));
    net.slaves[0].works_again(&mut Vec::new());
    let before = net.wire.len();
    let ask = CanFrame::remote(CanId::standard(0x221).unwrap(), 8).unwrap();
    // Each takes a counter for a resynchronisation that is not sent.
    net.send(vec![ask; 40], at_ms(3_000));
    assert!(net.wire[before..].iter().all(CanFrame::is_remote));
    let why = "8 data bytes, and a message of this scheme has at most 4";
    let is_noted = |(_, detail): &&(Kind, String)| detail.contains(why);
    assert_eq!(net.events.iter().filter(is_noted).count(), 40);
    net.run(at_ms(4_500));
    net.check(&polls(2));
}

/// The resynchronisation of a slave is not heard by the master, whose bus end is without supply.
#[test]
fn a_slave_whose_resynchronisation_was_lost_is_asked_for_another() {
    let mut net = Net::new(Authentication::Compact, 2, EACH_2_S);
    net.run(at_ms(4_500));
    net.slaves[0].works_again(&mut Vec::new());
    net.bus.schedule(net.now, Change::Supply(0, false));
    let ask = CanFrame::remote(CanId::standard(0x441).unwrap(), 8).unwrap();
    net.send([ask], at_ms(5_000));
    assert!(net.wire.iter().any(|frame| frame.id().value() == 0x441 && !frame.is_remote()));
    net.bus.schedule(net.now, Change::Supply(0, true));
    net.run(at_ms(10_500));
    assert!(net.refused("wrong-tag").is_some());
    assert_eq!(net.count(Kind::DeviceUnreachable), 1);
    assert_eq!(net.count(Kind::DeviceReachable), 1);
    let of = |owner: &str| {
        let own = net.readings.iter().filter(|(one, ..)| one == owner);
        own.map(|(_, serial, _)| *serial).collect::<Vec<_>>()
    };
    assert_eq!(of("m-2"), [1, 2, 3, 4, 5]);
    assert_eq!(of("m-1"), [1, 2, 4, 5], "the poll of the lost one fails");
    assert!(net.wrong(&polls(5)).is_empty());
}

#[test]
fn a_slave_that_missed_more_orders_than_a_byte_counts_comes_back() {
    let settings = "poll_every = \"100 ms\"\nrepetitions = 0\npatience = \"20 ms\"\n\
                    registers = [\"voltage_current\"]\n";
    let mut net = Net::new(Authentication::Compact, 2, settings);
    net.run(at_ms(1_000));
    net.bus.schedule(net.now, Change::Supply(1, false));
    net.run(at_ms(33_000));
    net.bus.schedule(net.now, Change::Supply(1, true));
    let polls_missed = (33_000 - 1_000) / 100;
    assert!(polls_missed > 300);
    net.run(at_ms(34_000));
    let of = |owner: &str| net.readings.iter().filter(|(one, ..)| one == owner).count();
    assert!(of("m-2") >= 338, "{}", of("m-2"));
    // All polls but those that it missed.
    assert!((17..21).contains(&of("m-1")), "{}", of("m-1"));
}

#[test]
fn keys_are_in_nothing_that_leaves() {
    let mut key = [0; 16];
    let mut keys = Vec::new();
    for stream in ["can-key", "device/m-1/can-key", "device/m-2/can-key"] {
        STREAMS.stream(stream).fill_bytes(&mut key);
        keys.push(key);
    }
    for scheme in Authentication::ALL {
        let mut net = Net::new(scheme, 2, EACH_2_S);
        net.run(at_ms(4_500));
        net.restart_gateway();
        net.answers = Answers::Forged(3);
        net.run(at_ms(8_500));
        let (debug, events) = (format!("{:?}", net.slaves), format!("{:?}", net.events));
        let kept: Vec<u8> = net.kept.values().flatten().copied().collect();
        let wire: Vec<u8> = net.wire.iter().flat_map(|frame| frame.bytes().to_vec()).collect();
        let own = format!("{:?}", shared_key(STREAMS));
        for key in &keys {
            let hex = format!("{:032x}", u128::from_be_bytes(*key));
            let decimal = format!("{key:?}");
            for text in [&debug, &events, &own] {
                assert!(!text.contains(&hex) && !text.contains(&decimal));
                assert!(!text.contains(&hex.to_uppercase()));
            }
            for bytes in [&kept, &wire, &debug.clone().into_bytes()] {
                assert!(bytes.windows(16).all(|window| window != key));
                assert!(bytes.windows(8).all(|window| window != &key[..8]));
            }
        }
        assert!(debug.contains("SecretKey(..)"));
    }
}

#[test]
fn what_does_not_fit_together_is_not_built() {
    let refusal = |settings: &str, scheme: &str| {
        gateway(settings, addresses(1, scheme), &[]).err().unwrap_or_default()
    };
    let strong = "authentication = \"strong\"\n";
    assert_eq!(
        refusal(strong, "compact"),
        "`m-1` has the authentication `compact`, and its gateway `strong`: neither would accept \
         the other's messages"
    );
    assert!(refusal(strong, "none").starts_with("`m-1` has the authentication `none`, and"));
    let by_identifier = format!("{strong}transmit_order = \"identifier\"");
    assert!(refusal(&by_identifier, "strong").contains("set `transmit_order` to \"request\""));
    let volatile = format!("{strong}outbox = \"volatile\"");
    assert!(refusal(&volatile, "strong").starts_with("`authentication` with a volatile outbox"));
    assert_eq!(refusal(strong, "strong"), "");
    assert_eq!(refusal("transmit_order = \"identifier\"\noutbox = \"volatile\"", "none"), "");
}
