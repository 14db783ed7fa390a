//! A node: its application behind its radio.

use std::collections::VecDeque;

use lastmeter_units::{SimDuration, SimTime};
use lastmeter_zigbee::network::{
    ApsFrame, Node, NodeConfig, NodeEvent, NodeState, RadioFrame, Random,
};
use lastmeter_zigbee::zcl::cluster::{OTA_UPGRADE, PLUG, PROFILE_HOME_AUTOMATION};
use lastmeter_zigbee::zcl::{Direction, Frame, Status, Value};

use super::attributes::Attributes;
use super::server::Server;
use super::upgrade::{Upgrade, UpgradeConfig, UpgradeOutcome};

/// The endpoint that a node's application answers at.
pub const ENDPOINT: u8 = 1;
/// Frames that wait for room in the radio's queue; the oldest make room for newer ones.
const WAITING_MAX: usize = 64;

/// How much longer a radio has to be awake than it is, for it to be asked to.
const AWAKE_STEP: SimDuration = SimDuration::from_seconds(2);
/// Attributes of the cluster OTA Upgrade.
const CURRENT_FILE_VERSION: u16 = 0x0002;
const IMAGE_UPGRADE_STATUS: u16 = 0x0006;
const MANUFACTURER: u16 = 0x0007;
const IMAGE_TYPE: u16 = 0x0008;

/// How many blocks of images came to it although it had them: an attribute of this project, in the
/// manufacturer's cluster.
pub(super) const REPEATED_BLOCKS: u16 = 0x0010;

/// What distinguishes one kind of node from another.
pub trait Application {
    /// Carries out a command of a cluster, and returns how it ended.
    fn command(&mut self, attributes: &mut Attributes, cluster: u16, frame: &Frame<'_>) -> Status;

    /// Its power is gone: what it does not keep is lost.
    fn lose_power(&mut self, attributes: &mut Attributes);

    /// Its power is back.
    fn restore_power(&mut self, attributes: &mut Attributes);
}

/// A node of a home's network.
#[derive(Clone, Debug)]
pub struct ZigbeeNode<A> {
    /// Its radio.
    pub radio: Node,
    /// Its attributes.
    pub server: Server,
    /// What it is.
    pub application: A,
    waiting: VecDeque<ApsFrame>,
    /// Clusters whose reports are taken by the caller.
    held: Vec<u16>,
    has_power: bool,
    /// Its client for program images, if it takes any, and until when its radio is awake for it.
    upgrade: Option<(Upgrade, SimTime)>,
    /// Frames that were given up since they were too old.
    discarded: u64,
}

impl<A: Application> ZigbeeNode<A> {
    /// A node that has no network.
    pub fn new(config: NodeConfig, attributes: Attributes, application: A) -> Self {
        Self {
            radio: Node::new(config),
            server: Server::new(ENDPOINT, attributes),
            application,
            waiting: VecDeque::new(),
            held: Vec::new(),
            has_power: true,
            upgrade: None,
            discarded: 0,
        }
    }

    /// The node takes program images over the radio.
    #[must_use]
    pub fn with_upgrade(mut self, config: UpgradeConfig) -> Self {
        let running = config.running;
        let attributes = std::mem::take(&mut self.server.attributes);
        self.server.attributes = attributes
            .fixed(OTA_UPGRADE, CURRENT_FILE_VERSION, Value::U32(Some(running.version)))
            .fixed(OTA_UPGRADE, IMAGE_UPGRADE_STATUS, Value::Enum8(Some(0)))
            .fixed(OTA_UPGRADE, MANUFACTURER, Value::U16(Some(running.manufacturer)))
            .fixed(OTA_UPGRADE, IMAGE_TYPE, Value::U16(Some(running.image_type)))
            .fixed(PLUG, REPEATED_BLOCKS, Value::U32(Some(0)));
        self.upgrade = Some((Upgrade::new(config), SimTime(i64::MIN)));
        self
    }

    /// Its client for program images, if it takes any.
    pub fn upgrade(&self) -> Option<&Upgrade> {
        self.upgrade.as_ref().map(|(upgrade, _)| upgrade)
    }

    /// What became of program images, in order.
    pub fn upgraded(&mut self) -> Option<UpgradeOutcome> {
        self.upgrade.as_mut()?.0.outcome()
    }

    /// Whether it has power.
    pub const fn has_power(&self) -> bool {
        self.has_power
    }

    /// Frames of its application that found no room.
    pub const fn discarded(&self) -> u64 {
        self.discarded
    }

    /// It loses its power: what was to be sent is gone.
    pub fn lose_power(&mut self) {
        self.has_power = false;
        self.waiting.clear();
        self.application.lose_power(&mut self.server.attributes);
        if let Some((upgrade, awake_until)) = &mut self.upgrade {
            upgrade.lose_power();
            *awake_until = SimTime(i64::MIN);
        }
    }

    /// Its power is back: it rejoins, and reports what it reports.
    pub fn restore_power(&mut self, now: SimTime) {
        self.has_power = true;
        self.application.restore_power(&mut self.server.attributes);
        self.radio.restart(now);
    }

    /// Sends a frame, as soon as it is a member and there is room.
    pub fn send(&mut self, now: SimTime, frame: ApsFrame) {
        if self.waiting.len() == WAITING_MAX {
            self.waiting.pop_front();
            self.discarded += 1;
        }
        self.waiting.push_back(frame);
        self.flush(now);
    }

    fn flush(&mut self, now: SimTime) {
        while let Some(frame) = self.waiting.front() {
            if self.radio.send(now, frame.clone()).is_err() {
                break;
            }
            self.waiting.pop_front();
        }
    }

    /// When it has to be stepped next.
    pub fn next(&self) -> Option<SimTime> {
        let reports = self.server.attributes.next(|cluster| !self.held.contains(&cluster));
        let upgrade = self.upgrade.as_ref().and_then(|(upgrade, _)| upgrade.next());
        let own = reports.into_iter().chain(upgrade).filter(|_| self.is_joined());
        self.radio.next().into_iter().chain(own).min().filter(|_| self.has_power)
    }

    /// From now on reports of these clusters are made when the caller takes them.
    pub fn hold_reports(&mut self, clusters: &[u16]) {
        self.held = clusters.to_vec();
    }

    /// The reports of held clusters that are due; none while it is no member.
    pub fn take_held(&mut self, now: SimTime) -> Vec<ApsFrame> {
        if !self.has_power || !self.is_joined() {
            return Vec::new();
        }
        self.server.reports(now, |cluster| self.held.contains(&cluster))
    }

    /// Whether reports are made: nobody learns later how old one is that had to wait.
    fn is_joined(&self) -> bool {
        self.radio.state() == NodeState::Joined
    }

    /// Lets time pass: the radio's, and that of reports.
    pub fn step(&mut self, now: SimTime, random: Random<'_>) -> Vec<NodeEvent> {
        if !self.has_power {
            return Vec::new();
        }
        if self.is_joined() {
            for frame in self.server.reports(now, |cluster| !self.held.contains(&cluster)) {
                self.send(now, frame);
            }
        }
        self.radio.step(now, random);
        let others = self.events(now);
        self.fetch(now);
        others
    }

    /// Takes a frame that arrived now.
    pub fn receive(&mut self, now: SimTime, frame: &RadioFrame) -> Vec<NodeEvent> {
        if !self.has_power {
            return Vec::new();
        }
        self.radio.receive(now, frame);
        let others = self.events(now);
        self.fetch(now);
        others
    }

    /// Has its client for program images ask for what is due, and its radio awake meanwhile.
    fn fetch(&mut self, now: SimTime) {
        if !self.is_joined() {
            return;
        }
        let Some((upgrade, awake_until)) = &mut self.upgrade else { return };
        upgrade.step(now);
        // Its radio polls whenever it is asked to stay awake: that is not for each block.
        let wanted = upgrade.awake_until();
        if now < wanted && wanted > *awake_until + AWAKE_STEP {
            *awake_until = wanted;
            self.radio.stay_awake(now, wanted);
        }
        let (running, status) = (upgrade.running().version, upgrade.status());
        let repeated = i64::try_from(upgrade.repeated()).ok();
        let frames: Vec<_> = std::iter::from_fn(|| upgrade.transmit()).collect();
        self.server.attributes.set(OTA_UPGRADE, CURRENT_FILE_VERSION, Some(running.into()));
        self.server.attributes.set(OTA_UPGRADE, IMAGE_UPGRADE_STATUS, Some(status.into()));
        self.server.attributes.set(PLUG, REPEATED_BLOCKS, repeated);
        for payload in frames {
            let (profile, cluster) = (PROFILE_HOME_AUTOMATION, OTA_UPGRADE);
            let (source_endpoint, destination_endpoint) = (ENDPOINT, ENDPOINT);
            self.send(
                now,
                ApsFrame { profile, cluster, source_endpoint, destination_endpoint, payload },
            );
        }
    }

    /// Answers what the radio received; everything else that happened to it is the caller's.
    fn events(&mut self, now: SimTime) -> Vec<NodeEvent> {
        let mut others = Vec::new();
        while let Some(event) = self.radio.event() {
            let NodeEvent::Received(aps) = event else {
                others.push(event);
                continue;
            };
            if let (Some((upgrade, _)), OTA_UPGRADE) = (&mut self.upgrade, aps.cluster)
                && let Ok(frame) = Frame::decode(&aps.payload)
                && frame.header.direction == Direction::ToClient
            {
                upgrade.receive(now, &frame);
                continue;
            }
            let application = &mut self.application;
            let answer = self.server.receive(&aps, &mut |attributes, cluster, frame| {
                application.command(attributes, cluster, frame)
            });
            if let Some(answer) = answer {
                self.send(now, answer);
            }
        }
        self.flush(now);
        others
    }
}
