//! A coordinator and its nodes in one air, with what the network itself knows of its history.

use std::collections::{BTreeMap, BTreeSet};

use lastmeter_units::{SimDuration, SimTime};

use super::air::{Air, Stream, Weather};
use super::eui;
use crate::address::{Eui64, ShortAddress};
use crate::network::{
    ApsFrame, Coordinator, CoordinatorConfig, Event, Handle, Node, NodeConfig, NodeEvent,
    NodeState, Snapshot,
};

pub(super) const COORDINATOR: Eui64 = Eui64(0x0015_8D00_0000_0001);
pub(super) const LOST_AFTER: SimDuration = SimDuration::from_seconds(120);
const TICK: SimDuration = SimDuration::from_seconds(1);

/// One line of a node's history.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Line {
    Joined(ShortAddress),
    Changed(ShortAddress, ShortAddress),
    Left,
    Lost,
    Back,
    /// The coordinator lost its table.
    Unknown,
}

pub(super) type History = BTreeMap<Eui64, Vec<Line>>;

#[derive(Debug)]
pub(super) struct Member {
    pub(super) node: Node,
    pub(super) is_dead: bool,
    /// Whether the network counts it as a member.
    pub(super) is_known: bool,
    is_lost: bool,
    is_unheard: bool,
    sent: u32,
}

pub(super) struct Simulation {
    pub(super) now: SimTime,
    pub(super) config: CoordinatorConfig,
    pub(super) coordinator: Option<Coordinator>,
    /// As of the last change of the table.
    pub(super) kept: Snapshot,
    pub(super) members: Vec<Member>,
    pub(super) air: Air,
    stream: Stream,
    /// Addresses that are drawn lie below this number.
    pub(super) addresses: u16,
    /// As the coordinator reports it, and as the network has it.
    pub(super) reported: History,
    pub(super) truth: History,
    pub(super) events: Vec<Event>,
    /// Messages that arrived at the coordinator, and how many arrived again.
    pub(super) arrived: BTreeSet<(Eui64, u32)>,
    pub(super) doubled: usize,
    /// Whether a coordinator started without what it had received last.
    pub(super) may_double: bool,
    /// Messages that arrived at nodes.
    pub(super) fetched: Vec<(SimTime, Eui64, u32)>,
    pub(super) commands: u32,
    sent: BTreeMap<Handle, (Eui64, u32)>,
}

fn data(node: Eui64, number: u32) -> ApsFrame {
    let payload = [&node.0.to_le_bytes()[..], &number.to_le_bytes()[..]].concat();
    ApsFrame {
        profile: 0x0104,
        cluster: 0x0B04,
        source_endpoint: 1,
        destination_endpoint: 1,
        payload,
    }
}

fn read(aps: &ApsFrame) -> (Eui64, u32) {
    let (node, number) = aps.payload.split_at(8);
    let node = u64::from_le_bytes(node.try_into().unwrap());
    (Eui64(node), u32::from_le_bytes(number.try_into().unwrap()))
}

impl Simulation {
    pub(super) fn new(weather: Weather, seed: u64) -> Self {
        let config = CoordinatorConfig {
            lost_after: LOST_AFTER,
            queue_max: 8,
            forgotten_after: SimDuration::from_seconds(86_400),
            ..CoordinatorConfig::new(COORDINATOR)
        };
        let mut coordinator = Coordinator::new(config);
        coordinator.permit_joining(SimTime(i64::MAX));
        Self {
            now: SimTime(0),
            config,
            coordinator: Some(coordinator),
            kept: Snapshot::default(),
            members: Vec::new(),
            air: Air::new(weather, seed ^ 0xA1),
            stream: Stream(seed ^ 0xB2),
            addresses: 0xFFFF,
            reported: History::new(),
            truth: History::new(),
            events: Vec::new(),
            arrived: BTreeSet::new(),
            doubled: 0,
            may_double: false,
            fetched: Vec::new(),
            commands: 0,
            sent: BTreeMap::new(),
        }
    }

    pub(super) fn coordinator(&mut self) -> &mut Coordinator {
        self.coordinator.as_mut().expect("the coordinator is on")
    }

    /// Adds a node, every second one sleepy, and returns its place.
    pub(super) fn add(&mut self) -> usize {
        let number = self.members.len();
        let every = SimDuration::from_seconds(15 + (number % 7) as i64);
        let config = match number % 2 {
            0 => NodeConfig { poll_every: every, ..NodeConfig::listening(eui(number)) },
            _ => NodeConfig::sleepy(eui(number), every),
        };
        let node = Node::new(config);
        self.members.push(Member {
            node,
            is_dead: false,
            is_known: false,
            is_lost: false,
            is_unheard: false,
            sent: 0,
        });
        number
    }

    pub(super) fn add_joined(&mut self) -> usize {
        let place = self.add();
        self.join(place);
        self.settle();
        assert_eq!(self.members[place].node.state(), NodeState::Joined);
        place
    }

    pub(super) fn join(&mut self, place: usize) {
        let now = self.now;
        self.members[place].node.join(now);
        self.drain();
    }

    pub(super) fn leave(&mut self, place: usize) {
        let now = self.now;
        self.members[place].node.leave(now);
        self.drain();
    }

    pub(super) fn remove(&mut self, place: usize) {
        let (now, node) = (self.now, eui(place));
        let was_known = self.coordinator().remove(now, node);
        let member = &mut self.members[place];
        if was_known && member.is_dead && member.is_known {
            member.is_known = false;
            self.truth.entry(node).or_default().push(Line::Left);
        }
        self.drain();
    }

    pub(super) fn kill(&mut self, place: usize) {
        self.members[place].is_dead = true;
    }

    /// Power comes back to a node.
    pub(super) fn revive(&mut self, place: usize) {
        let now = self.now;
        let member = &mut self.members[place];
        member.is_dead = false;
        member.node.restart(now);
        if std::mem::take(&mut member.is_lost) && member.is_known {
            self.truth.entry(eui(place)).or_default().push(Line::Back);
        }
        self.drain();
    }

    pub(super) fn claim(&mut self, place: usize, address: ShortAddress) {
        let now = self.now;
        self.members[place].node.claim_address(now, address);
        self.drain();
    }

    /// A reading of a node; false if it is not taken.
    pub(super) fn read(&mut self, place: usize) -> bool {
        let now = self.now;
        let member = &mut self.members[place];
        member.sent += 1;
        let number = member.sent;
        let is_taken = member.node.send(now, data(eui(place), number)).is_ok();
        self.drain();
        is_taken
    }

    /// A command to a node; false if it is not taken.
    pub(super) fn command(&mut self, place: usize) -> bool {
        let now = self.now;
        self.commands += 1;
        let aps = data(eui(place), self.commands);
        let Some(coordinator) = &mut self.coordinator else { return false };
        let taken = coordinator.send(now, eui(place), aps).ok();
        self.sent.extend(taken.map(|handle| (handle, (eui(place), self.commands))));
        self.drain();
        taken.is_some()
    }

    /// The coordinator stops; what it has now is kept, or only what it had when its table changed.
    pub(super) fn stop(&mut self, is_fresh: bool) {
        let stopped = self.coordinator.take().expect("it is on");
        self.may_double |= !is_fresh;
        if is_fresh {
            self.kept = stopped.snapshot();
        }
    }

    pub(super) fn start(&mut self, has_table: bool) {
        self.may_double |= !has_table;
        if !has_table {
            for kept in &self.kept.nodes {
                self.reported.entry(kept.node).or_default().push(Line::Unknown);
            }
            for member in &mut self.members {
                let node = member.node.config().eui;
                if std::mem::take(&mut member.is_known) {
                    self.truth.entry(node).or_default().push(Line::Unknown);
                }
            }
            self.kept = std::mem::take(&mut self.kept).without_table();
        }
        let mut started = Coordinator::restart(self.config, self.kept.clone(), self.now);
        started.permit_joining(SimTime(i64::MAX));
        self.kept = started.snapshot();
        self.coordinator = Some(started);
    }

    pub(super) fn run(&mut self, span: SimDuration) {
        let end = self.now + span;
        while let Some(next) = self.next().filter(|next| *next <= end) {
            self.now = self.now.max(next);
            self.turn();
        }
        self.now = end;
    }

    fn next(&self) -> Option<SimTime> {
        let alive = self.members.iter().filter(|member| !member.is_dead);
        let nodes = alive.filter_map(|member| member.node.next());
        let coordinator = self.coordinator.as_ref().and_then(Coordinator::next);
        nodes.chain(coordinator).chain(self.air.next()).min()
    }

    fn turn(&mut self) {
        let (now, addresses) = (self.now, self.addresses);
        let stream = &mut self.stream;
        let mut any = || (stream.draw() >> 16) as u16;
        while let Some(frame) = self.air.pop(now) {
            if Air::is_to_coordinator(&frame, COORDINATOR) {
                if let Some(coordinator) = &mut self.coordinator {
                    coordinator.receive(now, &frame, &mut || any() % addresses);
                }
                continue;
            }
            for member in self.members.iter_mut().filter(|member| !member.is_dead) {
                let is_meant = frame.destination_eui == Some(member.node.config().eui);
                let is_there = Some(frame.destination) == member.node.address();
                if is_meant || is_there || frame.destination.is_broadcast() {
                    member.node.receive(now, &frame);
                }
            }
        }
        if let Some(coordinator) = &mut self.coordinator
            && coordinator.next().is_some_and(|next| next <= now)
        {
            coordinator.step(now);
            assert!(coordinator.next().is_none_or(|next| next > now), "stepped in vain at {now}");
        }
        for member in self.members.iter_mut().filter(|member| !member.is_dead) {
            if member.node.next().is_some_and(|next| next <= now) {
                member.node.step(now, &mut any);
                let next = member.node.next();
                assert!(next.is_none_or(|next| next > now), "stepped in vain at {now}");
            }
        }
        self.drain();
    }

    pub(super) fn drain(&mut self) {
        for place in 0..self.members.len() {
            while let Some(frame) = self.members[place].node.transmit() {
                assert!(!self.members[place].is_dead);
                self.air.transmit(self.now, frame);
            }
            while let Some(event) = self.members[place].node.event() {
                self.of_node(place, &event);
            }
        }
        let Some(coordinator) = &mut self.coordinator else { return };
        while let Some(frame) = coordinator.transmit() {
            self.air.transmit(self.now, frame);
        }
        let mut events = Vec::new();
        while let Some(event) = coordinator.event() {
            events.push(event);
        }
        let addresses: Vec<_> = coordinator.members().map(|(_, address)| address).collect();
        let unique: BTreeSet<_> = addresses.iter().collect();
        assert_eq!(unique.len(), addresses.len(), "two nodes have one address");
        assert!(addresses.iter().all(|address| (1..=0xFFF7).contains(&address.0)));
        for event in events {
            self.of_coordinator(event);
        }
    }

    fn of_node(&mut self, place: usize, event: &NodeEvent) {
        let member = &mut self.members[place];
        let lines = self.truth.entry(eui(place)).or_default();
        match event {
            NodeEvent::Rejoined { from, to } if member.is_known => {
                lines.extend((from != to).then_some(Line::Changed(*from, *to)));
            }
            NodeEvent::Joined(to) | NodeEvent::Rejoined { to, .. } => {
                member.is_known = true;
                lines.push(Line::Joined(*to));
            }
            NodeEvent::Left => {
                lines.extend(std::mem::take(&mut member.is_known).then_some(Line::Left));
            }
            NodeEvent::Received(aps) => {
                let (node, number) = read(aps);
                assert_eq!(node, eui(place), "a command for another node");
                let is_again = self.fetched.iter().any(|it| (it.1, it.2) == (node, number));
                assert!(!is_again, "a command twice");
                self.fetched.push((self.now, node, number));
            }
            _ => {}
        }
    }

    fn of_coordinator(&mut self, event: Event) {
        self.events.push(event.clone());
        let line = match event {
            Event::Joined { node, address, .. } => (node, Line::Joined(address)),
            Event::AddressChanged { node, from, to } => (node, Line::Changed(from, to)),
            Event::Left { node, .. } => (node, Line::Left),
            Event::Lost(node) => (node, Line::Lost),
            Event::Back(node) => (node, Line::Back),
            Event::Received { node, address, aps, .. } => {
                let (sender, number) = read(&aps);
                assert_eq!(sender, node, "a reading of another node");
                let owner = self.coordinator().members().find(|(_, of)| *of == address);
                assert_eq!(owner.map(|(owner, _)| owner), Some(node), "from another's address");
                self.doubled += usize::from(!self.arrived.insert((node, number)));
                return;
            }
            Event::Delivered(handle) => {
                let (node, number) = self.sent[&handle];
                let is_there = self.fetched.iter().any(|it| (it.1, it.2) == (node, number));
                assert!(is_there, "a command that was acknowledged and not received");
                return;
            }
            _ => return,
        };
        self.kept = self.coordinator().snapshot();
        let member = self.members.iter_mut().find(|it| it.node.config().eui == line.0);
        let member = member.expect("a node of this world");
        match line.1 {
            // A live node may be unheard for so long in foul weather, which is no event of its own.
            Line::Lost if !member.is_dead => member.is_unheard = true,
            Line::Back if std::mem::take(&mut member.is_unheard) => {}
            _ => self.reported.entry(line.0).or_default().push(line.1),
        }
        if line.1 == Line::Lost && member.is_dead {
            member.is_lost = true;
            self.truth.entry(line.0).or_default().push(Line::Lost);
        }
    }

    /// Whether the coordinator's table is what the live nodes make of it; dead ones may be in it.
    pub(super) fn is_converged(&self, dead_are_gone: bool) -> bool {
        let Some(coordinator) = &self.coordinator else { return false };
        let table: BTreeMap<_, _> = coordinator.members().collect();
        self.members.iter().all(|member| {
            let entry = table.get(&member.node.config().eui).copied();
            match member.node.state() {
                _ if member.is_dead => !dead_are_gone || entry.is_none(),
                NodeState::Joined => entry.is_some() && entry == member.node.address(),
                NodeState::NotJoined => entry.is_none(),
                _ => false,
            }
        })
    }

    /// Runs until the table is right, and returns how long that took.
    pub(super) fn settle(&mut self) -> SimDuration {
        let begin = self.now;
        loop {
            self.run(TICK);
            if self.is_converged(false) {
                return self.now - begin;
            }
            let waited = self.now - begin;
            assert!(waited < SimDuration::from_seconds(900), "not settled: {:?}", self.states());
        }
    }

    pub(super) fn states(&self) -> Vec<(NodeState, Option<ShortAddress>, bool)> {
        let of = |it: &Member| (it.node.state(), it.node.address(), it.is_dead);
        self.members.iter().map(of).collect()
    }
}
