//! The coordinator: who is a member, under which short address, and what waits for whom.

use std::collections::VecDeque;

use lastmeter_units::{SimDuration, SimTime};

use super::delivery::{Handle, Outcome, Received, SendError};
use super::event::{Departure, Event, Refusal};
use super::frame::{ApsFrame, Body, JoinStatus, NO_ADDRESS, RadioFrame};
use super::table::{
    Child, Children, Former, Offer, OfferKind, Remembered, Snapshot, free_address, is_free,
    is_of_node, owner,
};
use super::{COUNTER_RESERVE, Random};
use crate::address::{Eui64, ShortAddress};
use crate::zdp::Capability;

/// How long an offered address is reserved.
const OFFER_TIME: SimDuration = SimDuration::from_seconds(10);
/// How often a listening child is asked again to leave or to take another address.
const ASK_AGAIN: SimDuration = SimDuration::from_seconds(2);
/// How long a node that was given an address has to announce it.
const UNFINISHED_TIME: SimDuration = SimDuration::from_seconds(20);
/// Former members that are remembered; the oldest is forgotten first.
const FORMER_MAX: usize = 256;

/// What a coordinator is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CoordinatorConfig {
    /// Its own EUI-64.
    pub eui: Eui64,
    /// Nodes that it takes.
    pub nodes_max: usize,
    /// Messages that wait for one child.
    pub queue_max: usize,
    /// Silence after which a child is lost.
    pub lost_after: SimDuration,
    /// Silence after which a child is removed and its address is free.
    pub forgotten_after: SimDuration,
    /// Whether a node that rejoins gets another short address, or keeps the one it has.
    pub rejoin_changes_address: bool,
}

impl CoordinatorConfig {
    /// One for 200 nodes that poll at least every minute.
    pub const fn new(eui: Eui64) -> Self {
        Self {
            eui,
            nodes_max: 200,
            // As many blocks of an image as a node may ask for at a time.
            queue_max: 64,
            lost_after: SimDuration::from_seconds(300),
            forgotten_after: SimDuration::from_seconds(7 * 86_400),
            rejoin_changes_address: true,
        }
    }
}

/// The coordinator of one network.
#[derive(Debug, Clone)]
pub struct Coordinator {
    config: CoordinatorConfig,
    children: Children,
    former: VecDeque<Former>,
    permits_until: Option<SimTime>,
    counter: u32,
    handle: u64,
    frames: VecDeque<RadioFrame>,
    events: VecDeque<Event>,
}

impl Coordinator {
    /// A coordinator of a new network.
    pub fn new(config: CoordinatorConfig) -> Self {
        Self {
            config,
            children: Children::new(),
            former: VecDeque::new(),
            permits_until: None,
            counter: 0,
            handle: 0,
            frames: VecDeque::new(),
            events: VecDeque::new(),
        }
    }

    /// A coordinator that starts again from what it had kept. What waited for children is gone.
    pub fn restart(config: CoordinatorConfig, snapshot: Snapshot, now: SimTime) -> Self {
        let mut started = Self::new(config);
        started.counter = snapshot.counter.saturating_add(COUNTER_RESERVE);
        started.handle = snapshot.handle;
        started.former = snapshot.former.into();
        for kept in snapshot.nodes {
            let mut child = Child::new(now, kept.capability, config.queue_max);
            child.address = Some(kept.address);
            child.counter = kept.counter;
            child.is_lost = kept.is_lost;
            child.leaving = kept.is_leaving.then_some(now);
            child.received = Received(kept.received.into());
            child.outgoing.counter = kept.next_message;
            started.children.insert(kept.node, child);
        }
        started
    }

    /// What outlasts a restart, as of now.
    pub fn snapshot(&self) -> Snapshot {
        let remembered = |(node, child): (&Eui64, &Child)| {
            Some(Remembered {
                node: *node,
                address: child.address?,
                capability: child.capability,
                counter: child.counter,
                is_lost: child.is_lost,
                is_leaving: child.leaving.is_some(),
                received: child.received.0.iter().copied().collect(),
                next_message: child.outgoing.counter,
            })
        };
        Snapshot {
            counter: self.counter,
            handle: self.handle,
            nodes: self.children.iter().filter_map(remembered).collect(),
            former: self.former.iter().copied().collect(),
        }
    }

    /// New nodes may join before this instant.
    pub const fn permit_joining(&mut self, until: SimTime) {
        self.permits_until = Some(until);
    }

    /// The members with their short addresses, by EUI-64.
    pub fn members(&self) -> impl Iterator<Item = (Eui64, ShortAddress)> {
        self.children.iter().filter_map(|(node, child)| Some((*node, child.address?)))
    }

    /// When a member was heard last.
    pub fn heard(&self, node: Eui64) -> Option<SimTime> {
        self.children.get(&node).map(|child| child.heard)
    }

    /// The next frame to send now.
    pub fn transmit(&mut self) -> Option<RadioFrame> {
        self.frames.pop_front()
    }

    /// What happened, in order.
    pub fn event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    /// Sends data to a member; to a sleepy one when it polls.
    pub fn send(&mut self, now: SimTime, to: Eui64, aps: ApsFrame) -> Result<Handle, SendError> {
        let child = self.children.get_mut(&to).filter(|child| child.address.is_some());
        let child = child.ok_or(SendError::Unknown)?;
        let handle = Handle(self.handle);
        child.outgoing.push(now, handle, aps)?;
        self.handle += 1;
        self.flush(now, to);
        Ok(handle)
    }

    /// Sends data to all nodes that listen, without acknowledgement.
    pub fn broadcast(&mut self, aps: ApsFrame) {
        self.counter += 1;
        // Broadcasts are not repeated, so nothing has to recognise them.
        let body = Body::Data { aps_counter: 0, acknowledge: false, aps };
        self.frames.push_back(RadioFrame {
            source: ShortAddress::COORDINATOR,
            source_eui: self.config.eui,
            destination: ShortAddress::BROADCAST_LISTENING,
            destination_eui: None,
            counter: Some(self.counter),
            body,
        });
    }

    /// Makes a member leave; it comes back by joining only. False if it is no member.
    pub fn remove(&mut self, now: SimTime, node: Eui64) -> bool {
        let Some(child) = self.children.get_mut(&node).filter(|it| it.address.is_some()) else {
            return false;
        };
        child.leaving = Some(now);
        self.step(now);
        true
    }

    /// Takes a frame that was received now.
    pub fn receive(&mut self, now: SimTime, frame: &RadioFrame, random: Random<'_>) {
        let is_own = frame.destination == ShortAddress::COORDINATOR
            || frame.destination.is_broadcast() && frame.destination != NO_ADDRESS;
        if !is_own || frame.source_eui == self.config.eui {
            return;
        }
        let node = frame.source_eui;
        match (&frame.body, frame.counter) {
            (Body::AssociationRequest(capability), _) => {
                self.associate(now, node, *capability, random);
            }
            (Body::Poll, _) => self.poll(now, node),
            (_, Some(counter)) => {
                let former = self.former(node).and_then(|former| former.counter);
                let child = self.children.get_mut(&node);
                let last = child.as_ref().map_or(former, |child| child.counter);
                if last.is_some_and(|last| counter <= last) {
                    return;
                }
                if let Some(child) = child {
                    child.counter = Some(counter);
                    self.hear(now, node);
                }
                self.secured(now, frame, counter, random);
            }
            _ => {}
        }
        self.flush(now, node);
    }

    fn secured(&mut self, now: SimTime, frame: &RadioFrame, counter: u32, random: Random<'_>) {
        let node = frame.source_eui;
        match &frame.body {
            Body::RejoinRequest(capability) => {
                self.rejoin(now, node, frame.source, *capability, random);
                if let Some(child) = self.children.get_mut(&node) {
                    child.counter = Some(counter);
                }
            }
            Body::Announce(_) => self.announced(now, node, frame.source, counter, random),
            Body::Leave { request: false, .. } => {
                // Who is unknown has left before, and did not receive that this was heard.
                self.transmit_secured(node, frame.source, Body::Acknowledge { counter });
                let how = self.children.get(&node).and_then(|child| child.leaving);
                let how = how.map_or(Departure::Announced, |_| Departure::Removed);
                self.take_out(node, how);
            }
            Body::Data { aps_counter, acknowledge, aps } => {
                let Some(child) = self.children.get_mut(&node) else {
                    return self.send_off(node, frame.source);
                };
                if child.address != Some(frame.source) {
                    return self.send_off(node, frame.source);
                }
                if *acknowledge {
                    let body = Body::DataAcknowledge { aps_counter: *aps_counter };
                    self.transmit_secured(node, frame.source, body);
                }
                let child = self.children.get_mut(&node);
                if child.is_some_and(|child| child.received.is_new(*aps_counter)) {
                    let (address, aps_counter, aps) = (frame.source, *aps_counter, aps.clone());
                    self.events.push_back(Event::Received { node, address, aps_counter, aps });
                }
            }
            Body::DataAcknowledge { aps_counter } => {
                let child = self.children.get_mut(&node);
                let outcome = child.and_then(|child| child.outgoing.acknowledged(*aps_counter));
                self.report(outcome);
            }
            _ => {}
        }
    }

    /// Lets time pass.
    pub fn step(&mut self, now: SimTime) {
        let nodes: Vec<Eui64> = self.children.keys().copied().collect();
        for node in nodes {
            self.age(now, node);
            self.flush(now, node);
        }
    }

    /// When it has to be stepped next.
    pub fn next(&self) -> Option<SimTime> {
        self.children.values().filter_map(|child| self.due(child)).min()
    }

    fn due(&self, child: &Child) -> Option<SimTime> {
        let silence = match child.address {
            None => UNFINISHED_TIME,
            Some(_) if child.is_lost => self.config.forgotten_after,
            Some(_) => self.config.lost_after,
        };
        let offered = child.offer.map(|offer| match offer.kind {
            OfferKind::Conflict => offer.at + ASK_AGAIN,
            _ => offer.at + OFFER_TIME,
        });
        let asks = child.capability.listens_when_idle() && !child.is_lost;
        let offered =
            offered.filter(|_| !child.is_conflicting() || asks && child.leaving.is_none());
        let leaving = child.leaving.filter(|_| asks);
        let instants = [Some(child.heard + silence), offered, leaving, child.outgoing.next()];
        instants.into_iter().flatten().min()
    }

    fn former(&self, node: Eui64) -> Option<&Former> {
        self.former.iter().find(|former| former.node == node)
    }

    /// What silence and waiting make of a child.
    fn age(&mut self, now: SimTime, node: Eui64) {
        let Some(child) = self.children.get_mut(&node) else { return };
        let given_up = child.outgoing.step(now);
        let is_late = child.offer.is_some_and(|offer| now >= offer.at + OFFER_TIME);
        if is_late && !child.is_conflicting() {
            child.offer = None;
        }
        let (silence, is_leaving) = (now - child.heard, child.leaving.is_some());
        let is_member = child.address.is_some();
        let is_forgotten = silence >= self.config.forgotten_after;
        let is_silent = silence >= self.config.lost_after;
        let is_lost_now = is_member && is_silent && !child.is_lost && !is_leaving;
        child.is_lost |= is_lost_now;
        let is_lost = child.is_lost;
        self.report(given_up);
        if is_lost_now {
            self.events.push_back(Event::Lost(node));
        }
        if is_leaving && (is_silent || is_lost) {
            self.take_out(node, Departure::Removed);
        } else if is_forgotten || !is_member && silence >= UNFINISHED_TIME {
            self.take_out(node, Departure::Forgotten);
        }
    }

    /// A member was heard.
    fn hear(&mut self, now: SimTime, node: Eui64) {
        let Some(child) = self.children.get_mut(&node) else { return };
        child.heard = now;
        if std::mem::take(&mut child.is_lost) {
            self.events.push_back(Event::Back(node));
        }
    }

    /// Sends a listening child what waits for it.
    fn flush(&mut self, now: SimTime, node: Eui64) {
        let Some(child) = self.children.get(&node) else { return };
        let offer = child.offer.filter(|offer| now >= offer.at + ASK_AGAIN);
        let is_due = child.leaving.is_some_and(|at| at <= now)
            || offer.is_some_and(|_| child.is_conflicting())
            || child.leaving.is_none() && !child.outgoing.is_empty();
        if is_due && child.capability.listens_when_idle() && !child.is_lost {
            self.hand_over(now, node);
        }
    }

    /// Sends the most urgent of what waits for a child.
    fn hand_over(&mut self, now: SimTime, node: Eui64) {
        let Some(child) = self.children.get_mut(&node) else { return };
        let to = child.address.unwrap_or(NO_ADDRESS);
        let body = if child.leaving.is_some() {
            child.leaving = Some(now + ASK_AGAIN);
            Some(Body::Leave { request: true, rejoin: false })
        } else if let Some(offer) = &mut child.offer
            && offer.kind == OfferKind::Conflict
        {
            offer.at = now;
            Some(Body::RejoinResponse(JoinStatus::Success(offer.address)))
        } else {
            child.outgoing.transmit(now)
        };
        if let Some(body) = body {
            self.transmit_secured(node, to, body);
        }
    }

    fn poll(&mut self, now: SimTime, node: Eui64) {
        // Polls are not secured: who is unknown and hears nothing rejoins by itself.
        let Some(child) = self.children.get(&node) else { return };
        let has_work = child.leaving.is_some() || child.is_conflicting();
        let pending = has_work || !child.outgoing.is_empty();
        let to = child.address.unwrap_or(NO_ADDRESS);
        self.hear(now, node);
        self.transmit_openly(node, to, Body::PollAnswer { pending });
        self.hand_over(now, node);
    }

    /// Makes who is no member with its address ask to rejoin.
    fn send_off(&mut self, node: Eui64, address: ShortAddress) {
        self.transmit_secured(node, address, Body::Leave { request: true, rejoin: true });
    }

    fn associate(&mut self, now: SimTime, node: Eui64, capability: Capability, random: Random<'_>) {
        let is_full =
            !self.children.contains_key(&node) && self.children.len() >= self.config.nodes_max;
        let status = if self.permits_until.is_none_or(|until| now >= until) {
            self.events.push_back(Event::Refused(node, Refusal::NotPermitted));
            JoinStatus::Denied
        } else if is_full {
            self.events.push_back(Event::Refused(node, Refusal::Full));
            JoinStatus::AtCapacity
        } else {
            self.offer(now, node, capability, OfferKind::Association, None, random)
        };
        self.transmit_openly(node, NO_ADDRESS, Body::AssociationResponse(status));
    }

    fn rejoin(
        &mut self,
        now: SimTime,
        node: Eui64,
        source: ShortAddress,
        capability: Capability,
        random: Random<'_>,
    ) {
        let child = self.children.get(&node);
        let was_removed = self.former(node).is_some_and(|former| former.was_removed);
        if was_removed || child.is_some_and(|it| it.leaving.is_some()) {
            self.events.push_back(Event::Refused(node, Refusal::Removed));
            let leave = Body::Leave { request: true, rejoin: false };
            return self.transmit_secured(node, source, leave);
        }
        let status = if child.is_none() && self.children.len() >= self.config.nodes_max {
            self.events.push_back(Event::Refused(node, Refusal::Full));
            JoinStatus::AtCapacity
        } else {
            let keeps = !self.config.rejoin_changes_address;
            let kept = keeps.then_some(source).filter(|it| is_free(&self.children, *it, node));
            self.offer(now, node, capability, OfferKind::Rejoin, kept, random)
        };
        self.transmit_secured(node, source, Body::RejoinResponse(status));
    }

    /// Reserves an address for a node: the one it was offered before, or this one, or a new one.
    fn offer(
        &mut self,
        now: SimTime,
        node: Eui64,
        capability: Capability,
        kind: OfferKind,
        kept: Option<ShortAddress>,
        random: Random<'_>,
    ) -> JoinStatus {
        let before = self.children.get(&node).and_then(|child| child.offer);
        let address = before.map(|offer| offer.address).or(kept);
        let Some(address) = address.or_else(|| free_address(&self.children, random)) else {
            return JoinStatus::AtCapacity;
        };
        // What was begun goes on: a node in a conflict may rejoin, and a request to associate may
        // be an old one that comes late.
        let is_member = self.children.get(&node).is_some_and(|child| child.address.is_some());
        let kind = match before.map(|offer| offer.kind) {
            Some(OfferKind::Conflict) => OfferKind::Conflict,
            Some(OfferKind::Rejoin) if is_member && kind == OfferKind::Association => {
                OfferKind::Rejoin
            }
            _ => kind,
        };
        let room = self.config.queue_max;
        let former = self.former(node).copied();
        let child = self.children.entry(node).or_insert_with(|| {
            let mut child = Child::new(now, capability, room);
            child.counter = former.and_then(|former| former.counter);
            child.outgoing.counter = former.map_or(0, |former| former.next_message);
            child
        });
        child.set_capability(capability);
        child.offer = Some(Offer { address, kind, at: now });
        JoinStatus::Success(address)
    }

    /// A node announced the address that it uses.
    fn announced(
        &mut self,
        now: SimTime,
        node: Eui64,
        address: ShortAddress,
        counter: u32,
        random: Random<'_>,
    ) {
        let Some(child) = self.children.get_mut(&node) else {
            return self.send_off(node, address);
        };
        if child.leaving.is_some() {
            return self.hand_over(now, node);
        }
        let offer = child.offer;
        let is_offered = offer.is_some_and(|offer| offer.address == address);
        if is_offered || !child.is_conflicting() && is_free(&self.children, address, node) {
            let joins = offer.is_some_and(|it| is_offered && it.kind == OfferKind::Association);
            self.settle(node, address, joins);
            return self.transmit_secured(node, address, Body::Acknowledge { counter });
        }
        let other = owner(&self.children, address).filter(|other| *other != node);
        if let Some(other) = other.filter(|_| is_of_node(address)) {
            self.events.push_back(Event::Conflict { address, nodes: [other, node] });
            self.readdress(now, other, random);
        }
        self.readdress(now, node, random);
        // Also a sleepy one listens when it has just announced itself.
        self.hand_over(now, node);
    }

    /// Offers a node another address than it has, until it takes it.
    fn readdress(&mut self, now: SimTime, node: Eui64, random: Random<'_>) {
        let Some(child) = self.children.get(&node) else { return };
        let capability = child.capability;
        if !child.is_conflicting() {
            self.offer(now, node, capability, OfferKind::Conflict, None, random);
        }
    }

    /// A node has an address from now on.
    fn settle(&mut self, node: Eui64, address: ShortAddress, joins: bool) {
        self.former.retain(|former| former.node != node);
        let Some(child) = self.children.get_mut(&node) else { return };
        let capability = child.capability;
        child.offer = None;
        let before = child.address.replace(address);
        let joined = Event::Joined { node, address, capability };
        match before {
            None => self.events.push_back(joined),
            Some(from) if joins => {
                // Who joins once more counts its messages from the beginning.
                child.received = Received::default();
                let given_up = child.outgoing.clear();
                self.report(given_up);
                let how = Departure::Unheard;
                self.events.push_back(Event::Left { node, address: from, how });
                self.events.push_back(joined);
            }
            Some(from) if from != address => {
                self.events.push_back(Event::AddressChanged { node, from, to: address });
            }
            Some(_) => {}
        }
    }

    fn take_out(&mut self, node: Eui64, how: Departure) {
        let Some(mut child) = self.children.remove(&node) else { return };
        self.report(child.outgoing.clear());
        if let Some(address) = child.address {
            let (counter, next_message) = (child.counter, child.outgoing.counter);
            let was_removed = how == Departure::Removed;
            self.former.retain(|former| former.node != node);
            self.former.push_back(Former { node, counter, next_message, was_removed });
            if self.former.len() > FORMER_MAX {
                self.former.pop_front();
            }
            self.events.push_back(Event::Left { node, address, how });
        }
    }

    fn report(&mut self, outcomes: impl IntoIterator<Item = Outcome>) {
        self.events.extend(outcomes.into_iter().map(|(handle, outcome)| match outcome {
            Ok(()) => Event::Delivered(handle),
            Err(why) => Event::Undelivered(handle, why),
        }));
    }

    /// Sends a secured frame.
    fn transmit_secured(&mut self, node: Eui64, address: ShortAddress, body: Body) {
        self.counter += 1;
        let counter = Some(self.counter);
        self.put(node, address, counter, body);
    }

    /// Sends a frame that is not secured.
    fn transmit_openly(&mut self, node: Eui64, address: ShortAddress, body: Body) {
        self.put(node, address, None, body);
    }

    fn put(&mut self, node: Eui64, destination: ShortAddress, counter: Option<u32>, body: Body) {
        self.frames.push_back(RadioFrame {
            source: ShortAddress::COORDINATOR,
            source_eui: self.config.eui,
            destination,
            destination_eui: Some(node),
            counter,
            body,
        });
    }
}
