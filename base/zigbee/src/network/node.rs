//! A node: how it becomes a member, stays one, and comes back.

use std::collections::VecDeque;

use lastmeter_units::{SimDuration, SimTime};

use super::delivery::{Handle, Outcome, Outgoing, Received, SendError};
use super::event::NodeEvent;
use super::frame::{ApsFrame, Body, JoinStatus, NO_ADDRESS, RadioFrame};
use super::{ANSWER_WAIT, COUNTER_RESERVE, Random};
use crate::address::{Eui64, ShortAddress};
use crate::zdp::Capability;

/// The first and the longest pause between two attempts.
const FIRST_PAUSE: SimDuration = SimDuration::from_seconds(2);
const LONGEST_PAUSE: SimDuration = SimDuration::from_seconds(60);
/// How often a node states that it leaves, if nobody acknowledges it.
const LEAVE_ATTEMPTS: u32 = 8;
/// Polls or messages in a row that may remain without answer.
const MISSED_MAX: u32 = 3;
/// How soon a child polls again while something waits for it.
const FAST_POLL: SimDuration = SimDuration::from_milliseconds(100);

/// What a node is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NodeConfig {
    /// Its EUI-64.
    pub eui: Eui64,
    /// What it states when it joins.
    pub capability: Capability,
    /// How often it polls: what waits for it, if it sleeps, and whether its parent is there.
    pub poll_every: SimDuration,
    /// Messages that wait to be sent.
    pub queue_max: usize,
}

impl NodeConfig {
    /// A node on mains that polls every minute.
    pub const fn listening(eui: Eui64) -> Self {
        let poll_every = SimDuration::from_seconds(60);
        Self { eui, capability: Capability::PLUG, poll_every, queue_max: 16 }
    }

    /// A node on a battery that polls so often.
    pub const fn sleepy(eui: Eui64, poll_every: SimDuration) -> Self {
        Self { eui, capability: Capability::SLEEPER, poll_every, queue_max: 16 }
    }
}

/// Where a node is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum NodeState {
    /// It has no network.
    NotJoined,
    /// It asks to be a member.
    Joining,
    /// It announces its short address, which nobody has acknowledged.
    Announcing,
    /// It is a member.
    Joined,
    /// Its parent does not answer; it rejoins soon.
    Orphan,
    /// It asks to be a member again.
    Rejoining,
    /// It states that it leaves.
    Leaving,
}

/// One node.
#[derive(Debug, Clone)]
pub struct Node {
    config: NodeConfig,
    state: NodeState,
    address: ShortAddress,
    /// The address that was acknowledged last.
    member: Option<ShortAddress>,
    counter: u32,
    /// The counter of the first frame that announced this address.
    announced: u32,
    /// The coordinator's frame counter that was received last.
    heard: Option<u32>,
    handle: u64,
    outgoing: Outgoing,
    received: Received,
    attempt: u32,
    /// When the state does something next.
    due: SimTime,
    missed: u32,
    awake_until: SimTime,
    stays_awake_until: SimTime,
    frames: VecDeque<RadioFrame>,
    events: VecDeque<NodeEvent>,
}

impl Node {
    /// A node that has no network.
    pub fn new(config: NodeConfig) -> Self {
        Self {
            config,
            state: NodeState::NotJoined,
            address: NO_ADDRESS,
            member: None,
            counter: 0,
            announced: 0,
            heard: None,
            handle: 0,
            outgoing: Outgoing::new(config.queue_max, None, 0),
            received: Received::default(),
            attempt: 0,
            due: SimTime(i64::MAX),
            missed: 0,
            awake_until: SimTime(i64::MIN),
            stays_awake_until: SimTime(i64::MIN),
            frames: VecDeque::new(),
            events: VecDeque::new(),
        }
    }

    /// What it is.
    pub const fn config(&self) -> &NodeConfig {
        &self.config
    }

    /// Where it is in its life.
    pub const fn state(&self) -> NodeState {
        self.state
    }

    /// Its short address, as long as it has one.
    pub fn address(&self) -> Option<ShortAddress> {
        Some(self.address).filter(|address| *address != NO_ADDRESS)
    }

    /// Whether its receiver is on.
    pub fn is_awake(&self, now: SimTime) -> bool {
        let until = self.awake_until.max(self.stays_awake_until);
        self.config.capability.listens_when_idle() || now <= until
    }

    /// The next frame to send now.
    pub fn transmit(&mut self) -> Option<RadioFrame> {
        self.frames.pop_front()
    }

    /// What happened, in order.
    pub fn event(&mut self) -> Option<NodeEvent> {
        self.events.pop_front()
    }

    /// Begins to join, if it has no network.
    pub fn join(&mut self, now: SimTime) {
        if matches!(self.state, NodeState::NotJoined | NodeState::Leaving) {
            self.enter(NodeState::Joining, now);
        }
    }

    /// Leaves the network, and states it.
    pub fn leave(&mut self, now: SimTime) {
        match self.state {
            NodeState::NotJoined | NodeState::Leaving => {}
            NodeState::Joining => self.forget(),
            _ => {
                self.enter(NodeState::Leaving, now);
                self.member = None;
                let given_up = self.outgoing.clear();
                self.report(given_up);
                self.events.push_back(NodeEvent::Left);
            }
        }
    }

    /// It has counted its frames up to here before: none that the network has heard is used again.
    pub const fn go_on_from(&mut self, counter: u32) {
        self.counter = counter;
    }

    /// Its power came back: it knows its network, and rejoins it.
    pub fn restart(&mut self, now: SimTime) {
        self.frames.clear();
        let given_up = self.outgoing.clear();
        self.report(given_up);
        self.counter = self.counter.saturating_add(COUNTER_RESERVE);
        // Far from those that the coordinator may still remember.
        self.outgoing.counter = self.outgoing.counter.wrapping_add(128);
        match self.state {
            NodeState::NotJoined | NodeState::Leaving => self.forget(),
            NodeState::Joining => self.enter(NodeState::Joining, now),
            _ => self.enter(NodeState::Rejoining, now),
        }
    }

    /// Stays awake until then, and polls without pause: somebody sends it much.
    pub fn stay_awake(&mut self, now: SimTime, until: SimTime) {
        self.stays_awake_until = until;
        if self.state == NodeState::Joined {
            self.due = self.due.min(now);
        }
    }

    /// Uses another short address of its own accord and announces it, as a node with a fault does.
    pub fn claim_address(&mut self, now: SimTime, address: ShortAddress) {
        if matches!(self.state, NodeState::Joined | NodeState::Announcing) {
            self.take(now, address);
        }
    }

    /// Sends data to the coordinator, at once or when it is a member again.
    pub fn send(&mut self, now: SimTime, aps: ApsFrame) -> Result<Handle, SendError> {
        if self.member.is_none() {
            return Err(SendError::NotJoined);
        }
        let handle = Handle(self.handle);
        self.outgoing.push(now, handle, aps)?;
        self.handle += 1;
        self.flush(now);
        Ok(handle)
    }

    /// When it has to be stepped next.
    pub fn next(&self) -> Option<SimTime> {
        let due = Some(self.due).filter(|due| due.0 < i64::MAX);
        let sent = self.outgoing.next();
        due.into_iter().chain(sent).min()
    }

    /// Lets time pass.
    pub fn step(&mut self, now: SimTime, random: Random<'_>) {
        let given_up = self.outgoing.step(now);
        let was_missed = given_up.iter().any(|(_, outcome)| outcome.is_err());
        self.report(given_up);
        if was_missed && self.state == NodeState::Joined {
            // The poll finds out whether the parent is there.
            self.due = self.due.min(now);
        }
        if now >= self.due {
            self.act(now, random);
        }
        self.flush(now);
    }

    /// Does what the state is for, once more.
    fn act(&mut self, now: SimTime, random: Random<'_>) {
        let capability = self.config.capability;
        match self.state {
            NodeState::NotJoined => self.due = SimTime(i64::MAX),
            NodeState::Joining => {
                self.transmit_openly(now, Body::AssociationRequest(capability));
                self.pause(now, random);
            }
            NodeState::Announcing => {
                self.announce(now);
                self.pause(now, random);
            }
            NodeState::Joined if self.missed > MISSED_MAX => {
                self.enter(NodeState::Orphan, now);
                self.events.push_back(NodeEvent::Orphaned);
                self.pause(now, random);
            }
            NodeState::Joined => {
                // Until the answer comes, it is missed.
                self.missed += 1;
                self.due = now + ANSWER_WAIT;
                self.transmit_openly(now, Body::Poll);
            }
            NodeState::Orphan | NodeState::Rejoining => {
                self.state = NodeState::Rejoining;
                self.transmit_secured(now, Body::RejoinRequest(capability));
                self.pause(now, random);
            }
            NodeState::Leaving if self.attempt >= LEAVE_ATTEMPTS => self.forget(),
            NodeState::Leaving => {
                self.transmit_secured(now, Body::Leave { request: false, rejoin: false });
                self.attempt += 1;
                self.due = now + ANSWER_WAIT;
            }
        }
    }

    /// The pause before the next attempt: doubled each time, and its second half by chance.
    fn pause(&mut self, now: SimTime, random: Random<'_>) {
        let longest = (FIRST_PAUSE * (1 << self.attempt.min(16))).min(LONGEST_PAUSE);
        self.attempt += 1;
        let chance = i64::from(random());
        self.due = now + SimDuration(longest.0 / 2 + longest.0 / 2 * chance / 65_536);
    }

    fn enter(&mut self, state: NodeState, now: SimTime) {
        (self.state, self.attempt, self.missed, self.due) = (state, 0, 0, now);
    }

    /// Has no network any more.
    fn forget(&mut self) {
        self.enter(NodeState::NotJoined, SimTime(i64::MAX));
        self.address = NO_ADDRESS;
        self.member = None;
        self.received = Received::default();
    }

    /// Uses an address from now on, and announces it.
    fn take(&mut self, now: SimTime, address: ShortAddress) {
        self.address = address;
        self.enter(NodeState::Announcing, now);
        self.announced = self.counter + 1;
    }

    fn announce(&mut self, now: SimTime) {
        let capability = self.config.capability;
        self.transmit_secured(now, Body::Announce(capability));
        if let Some(frame) = self.frames.back_mut() {
            frame.destination = ShortAddress::BROADCAST_LISTENING;
        }
    }

    /// Takes a frame that arrived now; without effect on others, and while it sleeps.
    pub fn receive(&mut self, now: SimTime, frame: &RadioFrame) {
        let is_own = match frame.destination_eui {
            Some(eui) => eui == self.config.eui,
            None => frame.destination.is_broadcast(),
        };
        let is_parent = frame.source == ShortAddress::COORDINATOR;
        if !is_own || !is_parent || !self.is_awake(now) || self.state == NodeState::NotJoined {
            return;
        }
        if let Some(counter) = frame.counter {
            if self.heard.is_some_and(|last| counter <= last) {
                return;
            }
            // It has started again, perhaps without its table: it numbers messages from 0.
            if self.heard.is_some_and(|last| counter - last >= COUNTER_RESERVE / 2) {
                self.received = Received::default();
            }
            self.heard = Some(counter);
        }
        match (&frame.body, frame.counter) {
            (Body::AssociationResponse(status), None) => self.associated(now, *status),
            (Body::PollAnswer { pending }, None) => self.polled(now, *pending),
            (body, Some(_)) if self.state != NodeState::Joining => self.secured(now, body),
            _ => {}
        }
        self.flush(now);
    }

    fn associated(&mut self, now: SimTime, status: JoinStatus) {
        match status {
            _ if self.state != NodeState::Joining => {}
            JoinStatus::Success(address) => self.take(now, address),
            _ => self.events.push_back(NodeEvent::Refused),
        }
    }

    fn polled(&mut self, now: SimTime, pending: bool) {
        if self.state == NodeState::Joined {
            self.missed = 0;
            let is_fast = pending || now < self.stays_awake_until;
            self.due = now + if is_fast { FAST_POLL } else { self.config.poll_every };
        }
    }

    fn secured(&mut self, now: SimTime, body: &Body) {
        match body {
            Body::RejoinResponse(JoinStatus::Success(address)) => {
                let is_asked = self.state == NodeState::Rejoining;
                let is_other = self.address != *address;
                if is_asked || is_other && self.state != NodeState::Leaving {
                    self.take(now, *address);
                }
            }
            Body::RejoinResponse(_) => self.events.push_back(NodeEvent::Refused),
            Body::Leave { request: true, rejoin: true } => {
                let is_member = matches!(self.state, NodeState::Announcing | NodeState::Joined);
                if is_member {
                    self.enter(NodeState::Rejoining, now);
                }
            }
            Body::Leave { request: true, .. } => self.leave(now),
            Body::Acknowledge { counter } => self.acknowledged(now, *counter),
            Body::Data { aps_counter, acknowledge, aps } => {
                if *acknowledge {
                    let body = Body::DataAcknowledge { aps_counter: *aps_counter };
                    self.transmit_secured(now, body);
                }
                if !*acknowledge || self.received.is_new(*aps_counter) {
                    self.events.push_back(NodeEvent::Received(aps.clone()));
                }
            }
            Body::DataAcknowledge { aps_counter } => {
                let outcome = self.outgoing.acknowledged(*aps_counter);
                self.report(outcome);
            }
            _ => {}
        }
    }

    fn acknowledged(&mut self, now: SimTime, counter: u32) {
        match self.state {
            NodeState::Leaving => self.forget(),
            NodeState::Announcing if counter >= self.announced => {
                self.enter(NodeState::Joined, now + self.config.poll_every);
                let to = self.address;
                self.events.push_back(match self.member.replace(to) {
                    None => NodeEvent::Joined(to),
                    Some(from) => NodeEvent::Rejoined { from, to },
                });
            }
            _ => {}
        }
    }

    /// Sends what waits, as far as it is a member.
    fn flush(&mut self, now: SimTime) {
        if self.state == NodeState::Joined
            && let Some(body) = self.outgoing.transmit(now)
        {
            self.transmit_secured(now, body);
        }
    }

    fn report(&mut self, outcomes: impl IntoIterator<Item = Outcome>) {
        self.events.extend(outcomes.into_iter().map(|(handle, outcome)| match outcome {
            Ok(()) => NodeEvent::Delivered(handle),
            Err(why) => NodeEvent::Undelivered(handle, why),
        }));
    }

    fn transmit_secured(&mut self, now: SimTime, body: Body) {
        self.counter += 1;
        self.put(now, Some(self.counter), body);
    }

    /// Sends a frame that is not secured.
    fn transmit_openly(&mut self, now: SimTime, body: Body) {
        self.put(now, None, body);
    }

    /// Sends a frame to the parent, and listens for its answer.
    fn put(&mut self, now: SimTime, counter: Option<u32>, body: Body) {
        self.awake_until = now + ANSWER_WAIT;
        self.frames.push_back(RadioFrame {
            source: self.address,
            source_eui: self.config.eui,
            destination: ShortAddress::COORDINATOR,
            destination_eui: None,
            counter,
            body,
        });
    }
}
