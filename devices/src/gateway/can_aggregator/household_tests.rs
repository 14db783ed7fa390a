//! A whole loop on a bus: registers are read, an order goes out, the node answers, the plant
//! follows when it is settled, and is read again; open and authenticated.

use std::collections::{BTreeMap, VecDeque};

use lastmeter_board::meter_node::Register;
use lastmeter_can::authentication::Settings as SealSettings;
use lastmeter_can::bus::Happening;
use lastmeter_can::frame::{CanFrame, CanId};
use lastmeter_params::{Diagnostics, read_text};
use lastmeter_sim::Streams;
use lastmeter_units::{HardwareId, SimDuration, SimTime};
use lastmeter_wire::flexmeter::{DecodeRules, Request, decode};
use lastmeter_wire::rest;

use super::super::{CAN_AGGREGATOR, FIELDS};
use crate::border::{PageMethod, PageRequest};
use crate::can::seal::{
    Authentication, End, Guard, GuardParts, KeptCounters, Opened, device_key, shared_key,
};
use crate::gateway::{
    Gateway, GatewayContext, GatewayEventKind as Kind, GatewayInput, GatewayOutput, NetworkContext,
};
use crate::household::record::{Billed, Decided};

const START: SimTime = SimTime(1_799_999_990_000_000_000);
const STREAMS: Streams = Streams::new(7);
const KEYS: &str = r#"
poll_every = "10 s"

[household]
connection = "feed-in"
contract_power = "2 kW"
hysteresis = "100 W"
open_at_least = "25 s"
feeds = { price = "spot" }
access = "none"

[[household.loads]]
device = "heater"
"#;

fn at_ms(milliseconds: i64) -> SimTime {
    START + SimDuration::from_milliseconds(milliseconds)
}

fn frame(register: Register, node: u8, data: &[u8]) -> CanFrame {
    CanFrame::data(CanId::standard(register.identifier(node).into()).unwrap(), data).unwrap()
}

/// A node that measures and switches.
struct Slave {
    number: u8,
    guard: Guard,
    readings: u32,
    power_w: i64,
    /// In mJ.
    register: i64,
    is_closed: bool,
    /// So many orders of its switching unit that it does not answer.
    deaf: u32,
}

impl Slave {
    fn new(number: u8, name: &str, authentication: Authentication) -> Self {
        let parts = GuardParts {
            authentication,
            end: End::Slave(number, device_key(STREAMS, name, number)),
            shared: shared_key(STREAMS),
            pair_limit: SealSettings::default().pair_limit,
        };
        let guard = Guard::new(parts, &KeptCounters::default());
        let (readings, power_w, register) = (0, 0, 3_600_000_000);
        Self { number, guard, readings, power_w, register, is_closed: true, deaf: 0 }
    }

    fn hear(&mut self, now: SimTime, frame: CanFrame) -> Vec<CanFrame> {
        let opened = self.guard.open(now, frame).into_iter();
        let frames = opened.filter_map(|opened| match opened {
            Opened::Frame(frame) => Some(frame),
            _ => None,
        });
        let frames: Vec<CanFrame> = frames.collect();
        let answers: Vec<CanFrame> =
            frames.into_iter().filter_map(|frame| self.answer(&frame)).collect();
        self.guard.kept();
        answers.into_iter().flat_map(|answer| self.guard.seal(answer).unwrap()).collect()
    }

    fn answer(&mut self, heard: &CanFrame) -> Option<CanFrame> {
        let (register, node) = Register::of_identifier(heard.id().value() as u16)?;
        let own = node == self.number;
        match (register, heard.bytes()) {
            (Register::Freeze, [token]) if node == 0 => {
                self.readings += 1;
                let [n3, n2, n1, n0] = self.readings.to_be_bytes();
                Some(frame(register, self.number, &[n3, n2, n1, n0, 0, 0, 1, *token]))
            }
            (Register::Switch, [state, token, rest @ ..])
                if own || (node == 0 && rest == [self.number]) =>
            {
                if self.deaf > 0 {
                    self.deaf -= 1;
                    return None;
                }
                self.is_closed = *state == 1;
                Some(frame(register, self.number, &[*state, *token]))
            }
            _ if !own || !heard.is_remote() => None,
            (Register::ActivePower, _) => {
                Some(frame(register, node, &(self.power_w * 1_000_000).to_be_bytes()))
            }
            (Register::Consumed, _) => Some(frame(register, node, &self.register.to_be_bytes())),
            _ => Some(frame(register, node, &[0; 8])),
        }
    }
}

struct Net {
    authentication: Authentication,
    gateway: Box<dyn Gateway>,
    slaves: [Slave; 2],
    now: SimTime,
    /// When all is settled next: the plant follows its switching units then.
    settled: SimTime,
    is_on: bool,
    base_w: i64,
    pending: VecDeque<CanFrame>,
    kept: BTreeMap<u64, Vec<u8>>,
    connected: bool,
    /// With their numbers: what was not forgotten yet goes out again after a restart, as it was.
    alerts: Vec<(String, u64)>,
    events: Vec<Kind>,
    decided: Vec<(SimTime, Decided)>,
    billed: Vec<Billed>,
    /// Orders of the switching unit and their answers that were on the wire.
    switched: Vec<(SimTime, CanFrame)>,
    followed: Vec<(SimTime, bool)>,
    pages: Vec<u16>,
}

fn gateway(authentication: Authentication, kept: &[Vec<u8>]) -> Box<dyn Gateway> {
    let text = format!("authentication = \"{authentication}\"\n{KEYS}");
    let values = read_text(&text, &[&FIELDS]).expect("settings");
    let id = |name: &str| HardwareId::new(name).unwrap();
    let suffix = match authentication {
        Authentication::None => String::new(),
        other => format!(" {other}"),
    };
    let devices = vec![(id("feed-in"), format!("1{suffix}")), (id("heater"), format!("2{suffix}"))];
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
    gateway.unwrap_or_else(|| panic!("{:?}", diagnostics.into_sorted()))
}

impl Net {
    fn new(authentication: Authentication) -> Self {
        let slaves = [(1, "feed-in"), (2, "heater")];
        let mut net = Self {
            authentication,
            gateway: gateway(authentication, &[]),
            slaves: slaves.map(|(number, name)| Slave::new(number, name, authentication)),
            now: START,
            settled: START,
            is_on: true,
            base_w: 0,
            pending: VecDeque::new(),
            kept: BTreeMap::new(),
            connected: true,
            alerts: Vec::new(),
            events: Vec::new(),
            decided: Vec::new(),
            billed: Vec::new(),
            switched: Vec::new(),
            followed: Vec::new(),
            pages: Vec::new(),
        };
        net.step(GatewayInput::Connected);
        net
    }

    fn restart(&mut self) {
        let kept: Vec<Vec<u8>> = self.kept.values().cloned().collect();
        self.gateway = gateway(self.authentication, &kept);
        self.pending.clear();
        if self.connected {
            self.step(GatewayInput::Connected);
        }
    }

    fn step(&mut self, input: GatewayInput) {
        let mut out = Vec::new();
        self.gateway.step(self.now, input, &mut out);
        for output in out {
            match output {
                GatewayOutput::Offer { frame: Some(frame), .. } => {
                    self.note(frame);
                    let (now, pending) = (self.now, &mut self.pending);
                    pending.extend(self.slaves.iter_mut().flat_map(|slave| slave.hear(now, frame)));
                    // Only then, as it goes on with its next frame at once.
                    self.wire(Happening::Begun(frame));
                    self.wire(Happening::Sent(frame));
                }
                GatewayOutput::Keep { number, record } => {
                    self.kept.insert(number, record);
                    self.step(GatewayInput::Kept { number });
                }
                GatewayOutput::Forget { upto } => self.kept = self.kept.split_off(&(upto + 1)),
                GatewayOutput::Event { kind, .. } => self.events.push(kind),
                GatewayOutput::Send { message, payload, .. } if self.connected => {
                    if let Ok(Request::Alert(alert)) = decode(&payload, &DecodeRules::default()) {
                        let alert = (alert.alert_type, alert.serial.unwrap().0);
                        if !self.alerts.contains(&alert) {
                            self.alerts.push(alert);
                        }
                    }
                    self.step(GatewayInput::Acknowledged { message });
                }
                GatewayOutput::Request(request) => {
                    let body = format!(
                        "{{\"kind\":\"price\",\"unit\":\"EUR/kWh\",\"validFrom\":\"{START}\",\
                         \"validUntil\":\"{}\",\"points\":[[\"{START}\",0.1],[\"{}\",0.2]]}}",
                        at_ms(1_000_000),
                        at_ms(50_000),
                    );
                    let (number, body) = (request.number, body.into_bytes());
                    let answer = rest::Answer { number, status: 200, body };
                    self.step(GatewayInput::Answer(answer));
                }
                GatewayOutput::Decided(decided) => self.decided.push((self.now, *decided)),
                GatewayOutput::Billed(billed) => self.billed.push(*billed),
                GatewayOutput::Page { answer, .. } => self.pages.push(answer.status),
                _ => {}
            }
        }
    }

    fn wire(&mut self, what: Happening) {
        self.step(GatewayInput::Wire { network: 0, what });
    }

    fn note(&mut self, frame: CanFrame) {
        if frame.id().value() >> 5 == Register::Switch as u32 {
            self.switched.push((self.now, frame));
        }
    }

    /// A frame a millisecond; the plant follows when it is settled, at least each 60 s.
    fn run(&mut self, until: SimTime) {
        while self.now < until {
            if self.settled <= self.now {
                if self.is_on != self.slaves[1].is_closed {
                    self.is_on = self.slaves[1].is_closed;
                    self.followed.push((self.now, self.is_on));
                }
                let latest = self.now + SimDuration::from_seconds(60);
                self.settled = self.gateway.settles_at().map_or(latest, |at| at.min(latest));
                assert!(self.settled > self.now, "at {}", self.now);
            }
            let heater = if self.is_on { 1800 } else { 0 };
            self.slaves[1].power_w = heater;
            self.slaves[0].power_w = self.base_w + heater;
            for slave in &mut self.slaves {
                slave.register += slave.power_w;
            }
            if let Some(frame) = self.pending.pop_front() {
                self.note(frame);
                self.wire(Happening::Received(frame));
            }
            if self.gateway.wake_at().is_some_and(|at| at <= self.now) {
                self.step(GatewayInput::Wake);
            }
            self.now += SimDuration::from_milliseconds(1);
        }
    }

    fn actions(&self) -> Vec<(i64, &'static str, &'static str)> {
        let seconds = |at: SimTime| (at - START).0 / 1_000_000_000;
        self.decided.iter().map(|(at, it)| (seconds(*at), it.action, it.reason)).collect()
    }
}

#[test]
fn a_load_is_opened_above_the_contract_and_closed_below_it() {
    for authentication in [Authentication::None, Authentication::Strong] {
        let mut net = Net::new(authentication);
        net.run(at_ms(19_000));
        assert!(net.switched.is_empty() && net.decided.is_empty(), "1800 W of 2000 W");
        net.base_w = 700;
        net.run(at_ms(25_000));
        assert_eq!(net.actions(), [(20, "open", "limit")], "{authentication}");
        let (ordered, answered) = (net.switched[0], net.switched[net.switched.len() - 1]);
        assert_eq!(ordered.1.bytes()[0], 0);
        // Open, it is an order of the node; sealed, one of all with the node's number.
        let expected = if authentication == Authentication::None { (98, 2) } else { (96, 3) };
        assert_eq!((ordered.1.id().value(), ordered.1.bytes().len()), expected);
        assert_eq!(net.followed.len(), 1);
        let delay = net.followed[0].0 - answered.0;
        assert!(delay <= SimDuration::from_milliseconds(100), "{delay}");
        // It is killed while the load is open, and the link is down.
        net.connected = false;
        net.step(GatewayInput::Disconnected);
        net.run(at_ms(38_000));
        net.restart();
        net.base_w = 0;
        net.run(at_ms(75_000));
        let after: Vec<_> = net.actions().split_off(1);
        // Open since 20.x s for 25 s at least, so at the poll of 50 s.
        assert_eq!(after, [(50, "close", "limit")], "{authentication}");
        assert!(net.is_on && net.followed.len() == 2);
        assert!(net.followed[1].0 < at_ms(51_000));
        let alert = |kind: &str, number| (kind.to_owned(), number);
        assert_eq!(net.alerts, [alert("household.shed", 1)]);
        net.connected = true;
        net.step(GatewayInput::Connected);
        assert_eq!(net.alerts[1..], [alert("household.restored", 2)]);
        assert!(!net.events.contains(&Kind::SwitchUnanswered));
    }
}

#[test]
fn an_order_that_is_not_answered_is_repeated_and_comes_again_with_the_next_poll() {
    let mut net = Net::new(Authentication::None);
    net.base_w = 700;
    net.slaves[1].deaf = 4;
    net.run(at_ms(19_000));
    // Once and twice again, then it is given up.
    assert_eq!(net.switched.len(), 3);
    assert_eq!(net.events.iter().filter(|it| **it == Kind::SwitchUnanswered).count(), 1);
    assert!(net.is_on);
    net.run(at_ms(29_000));
    assert_eq!(net.switched.len(), 3 + 3, "deaf once more, then order and answer");
    assert!(!net.is_on);
    assert_eq!(net.actions(), [(10, "open", "limit")], "decided once");
    // An answer with another token is not awaited.
    net.pending.push_back(frame(Register::Switch, 2, &[1, 77]));
    net.run(at_ms(29_010));
    assert_eq!(net.events.last(), Some(&Kind::AnswerRefused));
}

#[test]
fn the_bill_is_that_of_readings_at_the_time_of_their_polls() {
    let mut net = Net::new(Authentication::None);
    for restart in 1..9 {
        net.run(at_ms(restart * 14_321));
        net.restart();
    }
    net.run(at_ms(131_000));
    let last = net.billed.last().unwrap();
    // 1800 W from the poll at 10 s on: at 0.1 until 50 s, then at 0.2 for 1 kWh. Registers are read
    // a millisecond or two after the due time, all alike.
    let dear = (last.until - at_ms(50_000)).as_seconds_f64();
    let cents = (40.0 * 10.0 + dear * 20.0) * 1800.0 / 3.6e6;
    assert_eq!(last.from, at_ms(10_000));
    assert!((last.total.as_cents_f64() - cents).abs() < 0.001, "{last:?}, expected {cents}");
    assert_eq!(last.open_steps, 0, "the price changes at a poll");
    assert!(last.until >= at_ms(110_000));
    let spans = net.billed.windows(2).map(|pair| (pair[1].until - pair[0].until).0);
    assert!(spans.min() > Some(0));
}

#[test]
fn a_page_is_answered_and_without_a_household_nothing_is() {
    let mut net = Net::new(Authentication::None);
    let request = PageRequest {
        method: PageMethod::Get,
        path: "/nowhere".to_owned(),
        cookie: None,
        origin: None,
        host: None,
        body: Vec::new(),
    };
    net.step(GatewayInput::Page { number: 4, request });
    assert_eq!(net.pages, [404]);
}
