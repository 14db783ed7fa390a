//! A receiver, two true nodes and an attacker on a bus at 125 kbit/s. The true ones send a message
//! each 20 ms; what they send is sealed here, from the documented layouts, and shares nothing with
//! the code that verifies.

use std::collections::{BTreeSet, VecDeque};

use cmac::{Cmac, KeyInit, Mac};
use lastmeter_can::attacker::{Attack, AttackPlan, Attacker, Protection};
use lastmeter_can::authentication::paper::{KeyPlace, PaperReceiver, PaperScheme};
use lastmeter_can::authentication::{
    Direction, Event, Receiver, ReceiverRecord, Refusal, Scheme, SecretKey, Settings,
};
use lastmeter_can::bus::{Bus, BusEvent, Change, Detail, ErrorState, Happening};
use lastmeter_can::controller::{
    Controller, ControllerConfiguration, MAILBOX_COUNT, TransmitOrder,
};
use lastmeter_can::frame::{CanFrame, CanId};
use lastmeter_units::{SimDuration, SimTime};
use rand::{Rng, SeedableRng};
use sha2::{Digest, Sha256};

/// A bit at 125 kbit/s.
pub(crate) const BIT: SimDuration = SimDuration(8_000);
const PERIOD: SimDuration = SimDuration::from_milliseconds(20);
pub(crate) const START: SimTime = SimTime(1_000_000_000);
/// How often an attack is repeated beside the traffic of true nodes.
pub(crate) const TIMES: u64 = 200;
const MASTER_KEY: [u8; 16] = *b"0123456789abcdef";
pub(crate) const REGISTER: u32 = 0x11;
const ATTACKER: usize = 3;

pub(crate) fn id(register: u32, node: u32) -> CanId {
    CanId::standard(register * 32 + node).unwrap()
}

fn mac(key: &[u8; 16], input: &[u8]) -> [u8; 16] {
    let mut mac = Cmac::<aes::Aes128>::new(key.into());
    mac.update(input);
    mac.finalize().into_bytes().into()
}

fn derive(key: &[u8; 16], label: &str, context: &[u8]) -> [u8; 16] {
    mac(key, &[&[1], label.as_bytes(), &[0], context, &[0, 128]].concat())
}

/// The frames of a message to the master.
fn sealed(variant: Variant, node: u32, counter: u64, data: [u8; 8]) -> Vec<CanFrame> {
    let (open, closing) = (id(REGISTER, node), id(REGISTER + 32, node));
    let of_use = |label| derive(&derive(&MASTER_KEY, "can node", &[node as u8]), label, &[]);
    let input = |data: &[u8]| {
        let id = (open.value() as u16).to_be_bytes();
        [&id[..], &[0], &counter.to_be_bytes(), &[data.len() as u8], data].concat()
    };
    let frames = match variant.protection {
        Protection::None => vec![(open, data.to_vec())],
        Protection::Compact => {
            let tag = mac(&of_use("can compact"), &input(&data[..4]));
            vec![(open, [&data[..4], &[counter as u8], &tag[..3]].concat())]
        }
        Protection::Strong => {
            let tag = mac(&of_use("can strong"), &input(&data));
            let fresh = (counter as u16).to_be_bytes();
            vec![(open, data.to_vec()), (closing, [&fresh[..], &tag[..6]].concat())]
        }
        Protection::Paper => {
            let sync = (counter as u32).to_be_bytes();
            let tag: [u8; 32] = match variant.key_place {
                KeyPlace::Last => Sha256::digest([&data[..], &sync, &MASTER_KEY].concat()).into(),
                KeyPlace::First => Sha256::digest([&MASTER_KEY[..], &data, &sync].concat()).into(),
            };
            let all = [&data[..], &sync, &tag[..variant.tag_bytes]].concat();
            let last = all.len().div_ceil(8) - 1;
            let frame = |(place, bytes): (usize, &[u8])| {
                (if place == last { closing } else { open }, bytes.to_vec())
            };
            all.chunks(8).enumerate().map(frame).collect()
        }
    };
    frames.into_iter().map(|(id, bytes)| CanFrame::data(id, &bytes).unwrap()).collect()
}

/// The frames that carry a counter after a reboot, where a scheme has such.
fn resynchronised(protection: Protection, node: u32, counter: u64) -> Vec<CanFrame> {
    if matches!(protection, Protection::None | Protection::Paper) {
        return Vec::new();
    }
    let bytes = counter.to_be_bytes();
    let key = derive(&derive(&MASTER_KEY, "can node", &[node as u8]), "can resync", &[]);
    let open = id(30, node);
    let input = [&(open.value() as u16).to_be_bytes()[..], &[0], &bytes, &[8], &bytes].concat();
    let closing = &mac(&key, &input)[..8];
    [(open, &bytes[..]), (id(62, node), closing)]
        .map(|(id, bytes)| CanFrame::data(id, bytes).unwrap())
        .to_vec()
}

/// A protection; the paper's as it is written, unless given otherwise.
#[derive(Clone, Copy)]
pub(crate) struct Variant {
    pub(crate) protection: Protection,
    pub(crate) key_place: KeyPlace,
    pub(crate) tag_bytes: usize,
}

impl Variant {
    fn of(protection: Protection) -> Self {
        Self { protection, key_place: KeyPlace::Last, tag_bytes: 4 }
    }
}

/// The receiver's verification.
enum Verification {
    /// None but of length and identifier.
    None,
    Paper(PaperReceiver),
    Real(Box<Receiver>),
}

impl Verification {
    fn new(variant: Variant) -> Self {
        let key = SecretKey::new(MASTER_KEY);
        let scheme = match variant.protection {
            Protection::None => return Self::None,
            Protection::Paper => {
                let scheme = PaperScheme::variant(key, variant.key_place, variant.tag_bytes);
                return Self::Paper(PaperReceiver::new(scheme));
            }
            Protection::Compact => Scheme::Compact,
            Protection::Strong => Scheme::Strong,
        };
        let settings = Settings { lock_out: None, ..Settings::default() };
        let mut receiver = Receiver::new(scheme, Direction::ToMaster, settings);
        for node in 1..=2 {
            receiver.add_sender(&key.node_key(node), ReceiverRecord { node, last: 0 });
        }
        Self::Real(Box::new(receiver))
    }

    /// How many messages are accepted; reasons and alarms are noted.
    fn receive(&mut self, at: SimTime, frame: &CanFrame, seen: &mut Seen) -> u64 {
        match self {
            Self::None => {
                let is_known = matches!(frame.id().value() % 32, 1 | 2) && frame.dlc() == 8;
                u64::from(is_known && !frame.is_remote())
            }
            Self::Paper(receiver) => match receiver.receive(at, frame) {
                Some(Ok(_)) => 1,
                Some(Err(reason)) => {
                    seen.reasons.insert(reason);
                    0
                }
                None => 0,
            },
            Self::Real(receiver) => {
                let mut accepted = 0;
                receiver.receive(at, frame, |event| match event {
                    Event::Verified(verified) => {
                        let message = verified.keep(|_| Ok::<_, ()>(())).unwrap();
                        accepted += u64::from(!message.is_resync());
                    }
                    Event::Refused { reason, .. } => {
                        seen.reasons.insert(reason);
                    }
                    Event::Alarm { .. } => {
                        seen.alarm.get_or_insert(at);
                    }
                });
                accepted
            }
        }
    }
}

/// A true node, or the master, which polls if it does.
pub(crate) struct TrueNode {
    number: u32,
    pub(crate) controller: Controller,
    /// Frames of its last message that wait for a mailbox.
    backlog: VecDeque<CanFrame>,
    next: Option<SimTime>,
    pub(crate) counter: u64,
    /// Until this counter it sends without a pause.
    fast_until: u64,
    /// How many of its messages are out, and accepted.
    pub(crate) out: u64,
    pub(crate) accepted: u64,
    /// When the first frame of its message was out, and how many frames like its first and its last
    /// the attacker has put behind it.
    opened: (SimTime, [u32; 2]),
    /// How many messages were refused whose frames were out within the time limit, with no more of
    /// the attacker between them than a receiver has to bear.
    pub(crate) wrongly_refused: u64,
    /// How often it had no room for a message.
    pub(crate) without_room: u64,
    /// Errors in frames of its own until it first was bus-off.
    pub(crate) errors: u32,
    pub(crate) states: Vec<ErrorState>,
}

impl TrueNode {
    /// Requests what waits, as far as there is room; whether there was.
    fn fill_mailboxes(&mut self) -> bool {
        let count = self.controller.empty_mailbox_count().min(self.backlog.len());
        for frame in self.backlog.drain(..count) {
            self.controller.request(frame).unwrap();
        }
        count > 0
    }

    pub(crate) fn was_off(&self) -> bool {
        self.states.contains(&ErrorState::BusOff)
    }
}

/// What was seen in a run.
#[derive(Clone, Debug, Default)]
pub(crate) struct Seen {
    pub(crate) forged: u64,
    pub(crate) reasons: BTreeSet<Refusal>,
    pub(crate) alarm: Option<SimTime>,
}

pub(crate) struct Network {
    bus: Bus,
    variant: Variant,
    pub(crate) nodes: Vec<TrueNode>,
    pub(crate) attacker: Attacker,
    pub(crate) attacker_states: Vec<ErrorState>,
    verification: Verification,
    /// Received at the master, and by nobody sent yet.
    received: Option<CanFrame>,
    pub(crate) seen: Seen,
    /// When the first frame of the attacker was out.
    attacker_began: SimTime,
    pub(crate) now: SimTime,
}

/// What is attacked, and how.
#[derive(Clone, Copy)]
pub(crate) struct Case {
    pub(crate) attack: Attack,
    pub(crate) variant: Variant,
    pub(crate) elsewhere: CanId,
    pub(crate) times: u64,
    pub(crate) pause: SimDuration,
    pub(crate) is_polled: bool,
    /// Whether a node gives up a frame that was destroyed.
    pub(crate) is_one_shot: bool,
    pub(crate) detail: Detail,
}

impl Case {
    /// Beside the traffic of the true nodes.
    pub(crate) fn new(attack: Attack, protection: Protection) -> Self {
        let is_drop = attack.is_bit_by_bit();
        Self {
            attack,
            variant: Variant::of(protection),
            elsewhere: id(REGISTER, 2),
            times: TIMES,
            pause: SimDuration::from_milliseconds(5),
            is_polled: false,
            is_one_shot: is_drop,
            detail: if is_drop { Detail::Bits } else { Detail::Frames },
        }
    }

    pub(crate) fn at_full_rate(attack: Attack, protection: Protection) -> Self {
        let times = if attack == Attack::GuessMac { 20_000 } else { 1_000 };
        Self { times, pause: SimDuration(0), ..Self::new(attack, protection) }
    }
}

impl Network {
    pub(crate) fn new(case: Case) -> Self {
        let Case { attack, elsewhere, times, pause, .. } = case;
        let mut bus = Bus::new(case.detail, BIT, SimTime(0), 4);
        let node = |number: u32| {
            let controller = Controller::new(ControllerConfiguration {
                transmit_order: TransmitOrder::ByRequest,
                is_one_shot: case.is_one_shot,
                has_automatic_bus_off_recovery: true,
                ..ControllerConfiguration::default()
            });
            let is_active = (number == 0) == case.is_polled;
            TrueNode {
                number,
                controller: controller.unwrap(),
                backlog: VecDeque::new(),
                next: is_active.then_some(SimTime(1_000_000 * i64::from(1 + 3 * number))),
                counter: 1,
                fast_until: 0,
                out: 0,
                accepted: 0,
                opened: (SimTime(0), [0; 2]),
                wrongly_refused: 0,
                without_room: 0,
                errors: 0,
                states: Vec::new(),
            }
        };
        let mut nodes: Vec<TrueNode> = (0..3).map(node).collect();
        for (place, node) in nodes.iter().enumerate() {
            node.controller.join(&mut bus, place);
        }
        if attack == Attack::ReplayWrapped {
            nodes[1].fast_until = 65_538;
            // The other one, which would find no room meanwhile, begins then.
            nodes[2].next = None;
        }
        let protection = case.variant.protection;
        let target = id(REGISTER, 1);
        let plan = AttackPlan {
            attack,
            protection,
            target,
            elsewhere,
            start: START,
            times,
            pause,
            bit: BIT,
        };
        let mut random = chacha20::ChaCha8Rng::from_seed([7; 32]);
        Self {
            bus,
            variant: case.variant,
            nodes,
            attacker: Attacker::new(plan, ATTACKER, move || random.next_u64()),
            attacker_states: Vec::new(),
            verification: Verification::new(case.variant),
            received: None,
            seen: Seen::default(),
            attacker_began: SimTime(i64::MAX),
            now: SimTime(0),
        }
    }

    /// What a node does when its time has come.
    fn send(&mut self, place: usize) {
        let node = &mut self.nodes[place];
        let mut frames = vec![CanFrame::remote(id(REGISTER, 1), 8).unwrap()];
        if place > 0 {
            // A value that grows, as energy does.
            let data = ((node.counter << 32) | (node.counter * 1_000_003)).to_be_bytes();
            frames = sealed(self.variant, node.number, node.counter, data);
        }
        let is_full = node.controller.empty_mailbox_count() < frames.len().min(MAILBOX_COUNT);
        if is_full || !node.backlog.is_empty() {
            node.without_room += 1;
            return;
        }
        node.counter += 1;
        node.backlog.extend(frames);
        node.fill_mailboxes();
        node.controller.offer(&mut self.bus, place, self.now);
    }

    fn follow(&mut self, event: &BusEvent) {
        self.now = event.at;
        if let Some(node) = self.nodes.get_mut(event.node) {
            node.controller.follow(&mut self.bus, event);
            if node.fill_mailboxes() {
                node.controller.offer(&mut self.bus, event.node, event.at);
            }
            match event.what {
                Happening::State(state) => node.states.push(state),
                Happening::Error { is_sender: true, .. } if !node.was_off() => node.errors += 1,
                _ => {}
            }
            if event.node > 0
                && let Happening::Received(frame) = event.what
                && frame.is_remote()
                && frame.id() == id(REGISTER, event.node as u32)
            {
                self.send(event.node);
            }
        } else if let Happening::State(state) = event.what {
            self.attacker_states.push(state);
        }
        match event.what {
            Happening::Received(frame) if event.node == 0 => self.received = Some(frame),
            Happening::Sent(frame) => self.sent(event.node, &frame),
            _ => {}
        }
        self.attacker.follow(event);
        self.attacker.act(&mut self.bus, event.at);
    }

    /// A frame is out, and so it is known whose it is.
    fn sent(&mut self, sender: usize, frame: &CanFrame) {
        if self.received.take() != Some(*frame) {
            return;
        }
        let accepted = self.verification.receive(self.now, frame, &mut self.seen);
        if sender == ATTACKER {
            self.seen.forged += accepted;
            self.attacker_began = self.attacker_began.min(self.now);
            for node in 1..3 {
                let (is_open, is_closing) = self.parts(node, frame);
                let (_, between) = &mut self.nodes[node as usize].opened;
                between[0] += u32::from(is_open);
                between[1] += u32::from(is_closing);
            }
            return;
        }
        let (is_open, is_closing) = self.parts(sender as u32, frame);
        let node = &mut self.nodes[sender];
        node.accepted += accepted;
        if is_open {
            node.opened = (self.now, [0; 2]);
        }
        if is_closing {
            node.out += 1;
            let (since, between) = node.opened;
            let in_time = self.now.since(since) <= SimDuration::from_milliseconds(100);
            let is_whole = in_time && between.iter().all(|count| *count <= 3);
            node.wrongly_refused += u64::from(is_whole && accepted == 0);
        }
        let is_fast = node.counter < node.fast_until;
        if is_fast {
            node.next = Some(self.now);
        } else if node.fast_until > 0 && self.nodes[2].next.is_none() {
            self.nodes[2].next = Some(self.now);
        }
    }

    /// Whether a frame is the first, and the last, of a message of a node.
    fn parts(&self, node: u32, frame: &CanFrame) -> (bool, bool) {
        let frames = sealed(self.variant, node, 1, [0; 8]);
        let is_it = |of: Option<&CanFrame>| of.is_some_and(|of| of.id() == frame.id());
        (is_it(frames.first()), is_it(frames.last()))
    }

    pub(crate) fn run(&mut self, until: SimTime, is_done: impl Fn(&Self) -> bool) {
        while self.now < until && !is_done(self) {
            let dues = self.nodes.iter().filter_map(|node| node.next);
            let due = dues.chain(self.attacker.next()).chain([until]).min().unwrap();
            if let Some(event) = self.bus.pop(due.max(self.now)) {
                self.follow(&event);
                continue;
            }
            self.now = self.now.max(due);
            for place in 0..self.nodes.len() {
                if let Some(next) = self.nodes[place].next.filter(|next| *next <= self.now) {
                    self.nodes[place].next = Some(next + PERIOD);
                    self.send(place);
                }
            }
            self.attacker.wake(self.now);
            self.attacker.act(&mut self.bus, self.now);
        }
    }

    /// The whole of an attack, and a second for all to recover.
    pub(crate) fn attacked(case: Case) -> Self {
        let mut network = Self::new(case);
        if case.attack == Attack::ReuseAfterReboot {
            network.run(START + SimDuration::from_milliseconds(-100), |_| false);
            network.reboot();
        }
        network.run(SimTime(200_000_000_000), |it| it.attacker.is_over());
        assert!(network.attacker.is_over(), "{}", case.attack);
        network.run_for_a_second();
        network
    }

    pub(crate) fn run_for_a_second(&mut self) {
        self.run(self.now.max(START) + SimDuration::from_seconds(1), |_| false);
    }

    /// Whether all messages of both nodes are accepted in a second from now on, but for those at
    /// its ends.
    pub(crate) fn is_back_to_normal(&mut self) -> bool {
        let accepted = |it: &Self| [it.nodes[1].accepted, it.nodes[2].accepted];
        let before = accepted(self);
        self.run_for_a_second();
        let after = accepted(self);
        let is_active = |place: &usize| self.nodes[place + 1].next.is_some();
        let mut active = (0..2).filter(is_active);
        active.all(|place| (49..=51).contains(&(after[place] - before[place])))
    }

    /// How many messages of true nodes are out, and not accepted.
    pub(crate) fn refused(&self) -> u64 {
        self.nodes.iter().map(|node| node.out - node.accepted).sum()
    }

    /// Whether an alarm was raised within a second of the start of a scheme that has such.
    pub(crate) fn has_alarm_in_time(&self) -> bool {
        let begun = self.attacker_began;
        self.seen.alarm.is_some_and(|at| at.since(begun) < SimDuration::from_seconds(1))
    }

    /// The first node is without supply for a while, and begins behind its block of counters; by
    /// the paper, which leaves that open, at 1.
    fn reboot(&mut self) {
        self.bus.schedule(self.now, Change::Supply(1, false));
        let before = self.nodes[1].next.take();
        let back = self.now + SimDuration::from_milliseconds(100);
        self.nodes[1].controller.reset();
        self.run(back, |_| false);
        self.bus.schedule(back, Change::Supply(1, true));
        let node = &mut self.nodes[1];
        node.counter = if self.variant.protection == Protection::Paper { 1 } else { 1_001 };
        node.backlog = resynchronised(self.variant.protection, 1, node.counter).into();
        node.fill_mailboxes();
        node.counter += 1;
        node.controller.offer(&mut self.bus, 1, back);
        node.next = before.map(|_| back + PERIOD);
    }
}
