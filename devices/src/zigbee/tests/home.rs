//! A coordinator and one node, with an air that loses nothing unless it is asked to.

use lastmeter_units::{SimDuration, SimTime};
use lastmeter_zigbee::address::Eui64;
use lastmeter_zigbee::network::{
    ApsFrame, Coordinator, CoordinatorConfig, Event, NodeConfig, NodeEvent,
};
use lastmeter_zigbee::zcl::cluster::PROFILE_HOME_AUTOMATION;
use lastmeter_zigbee::zcl::global::command;
use lastmeter_zigbee::zcl::{Attribute, Direction, Frame, Global, Header, Record, Value};

use crate::zigbee::{Application, ZigbeeNode};

pub(super) const NODE: Eui64 = Eui64(0x0015_8D00_0000_0042);

pub(super) fn seconds(seconds: i64) -> SimDuration {
    SimDuration::from_seconds(seconds)
}

pub(super) const fn config() -> NodeConfig {
    NodeConfig::listening(NODE)
}

/// A report as a reader of the wire sees it: when, cluster, attributes as (id, number).
pub(super) type Report = (SimTime, u16, Vec<(u16, Option<i64>)>);

/// Answers a frame of the node with one for it.
pub(super) type Answering = Box<dyn FnMut(SimTime, &ApsFrame) -> Option<Vec<u8>>>;

pub(super) struct Home<A> {
    pub(super) now: SimTime,
    pub(super) coordinator: Coordinator,
    pub(super) node: ZigbeeNode<A>,
    /// What arrived at the coordinator.
    pub(super) received: Vec<(SimTime, ApsFrame)>,
    pub(super) happened: Vec<NodeEvent>,
    /// What answers the node's frames behind the coordinator.
    pub(super) server: Option<Answering>,
    /// Frames of a hundred that the air loses.
    pub(super) lost_percent: u16,
    random: u16,
}

impl<A: Application> Home<A> {
    /// The node joins.
    pub(super) fn new(node: ZigbeeNode<A>) -> Self {
        let mut coordinator = Coordinator::new(CoordinatorConfig::new(Eui64(1)));
        coordinator.permit_joining(SimTime(i64::MAX));
        let now = SimTime(0);
        let (received, happened, random) = (Vec::new(), Vec::new(), 1);
        let (server, lost_percent) = (None, 0);
        let mut home =
            Self { now, coordinator, node, received, happened, server, lost_percent, random };
        home.node.radio.join(now);
        home.run(seconds(1));
        assert_eq!(home.coordinator.members().count(), 1);
        home
    }

    pub(super) fn run(&mut self, span: SimDuration) {
        let end = self.now + span;
        loop {
            self.exchange();
            let next = self.coordinator.next().into_iter().chain(self.node.next()).min();
            let Some(next) = next.filter(|next| *next <= end) else { break };
            self.now = self.now.max(next);
            let random = self.draw();
            self.coordinator.step(self.now);
            let happened = self.node.step(self.now, &mut || random);
            self.happened.extend(happened);
        }
        self.now = end;
    }

    fn draw(&mut self) -> u16 {
        self.random = self.random.wrapping_mul(25_173).wrapping_add(13_849);
        self.random
    }

    fn is_lost(&mut self) -> bool {
        self.lost_percent > 0 && self.draw() / 16 % 100 < self.lost_percent
    }

    fn exchange(&mut self) {
        loop {
            let mut is_quiet = true;
            while let Some(frame) = self.node.radio.transmit() {
                is_quiet = false;
                if !self.is_lost() {
                    self.coordinator.receive(self.now, &frame, &mut || self.random);
                }
            }
            while let Some(frame) = self.coordinator.transmit() {
                is_quiet = false;
                if !self.is_lost() {
                    let happened = self.node.receive(self.now, &frame);
                    self.happened.extend(happened);
                }
            }
            while let Some(event) = self.coordinator.event() {
                if let Event::Received { node, aps, .. } = event {
                    assert_eq!(node, NODE);
                    let server = self.server.as_mut();
                    if let Some(payload) = server.and_then(|answer| answer(self.now, &aps)) {
                        let answer = ApsFrame { payload, ..aps.clone() };
                        self.coordinator.send(self.now, NODE, answer).unwrap();
                        is_quiet = false;
                    }
                    self.received.push((self.now, aps));
                }
            }
            if is_quiet {
                return;
            }
        }
    }

    /// Sends a frame to the node and returns what it answers; empty if nothing.
    pub(super) fn ask(&mut self, cluster: u16, payload: Vec<u8>) -> Vec<u8> {
        let aps = ApsFrame {
            profile: PROFILE_HOME_AUTOMATION,
            cluster,
            source_endpoint: 1,
            destination_endpoint: 1,
            payload,
        };
        let before = self.received.len();
        self.coordinator.send(self.now, NODE, aps).unwrap();
        self.exchange();
        let answers = &self.received[before..];
        let answer = answers.iter().find(|(_, aps)| aps.cluster == cluster);
        answer.map(|(_, aps)| aps.payload.clone()).unwrap_or_default()
    }

    /// A list of records to the server of a cluster.
    pub(super) fn global<'a, R: Record<'a>>(
        &mut self,
        cluster: u16,
        command: u8,
        records: &[R],
    ) -> Vec<u8> {
        let header = Header::global(Direction::ToServer, 0x55, command);
        let payload = header.with_records(records).unwrap();
        self.ask(cluster, payload)
    }

    /// What a client reads of one attribute.
    pub(super) fn read(&mut self, cluster: u16, id: u16) -> Option<i64> {
        let ids = [lastmeter_zigbee::zcl::global::AttributeId(id)];
        let answer = self.global(cluster, command::READ, &ids);
        let frame = Frame::decode(&answer).unwrap();
        let Ok(Global::ReadResponse(mut records)) = Global::decode(&frame) else {
            panic!("{answer:02X?}")
        };
        records.next().unwrap().unwrap().result.ok().and_then(|value| value.number())
    }

    /// The reports so far.
    pub(super) fn reports(&self) -> Vec<Report> {
        let mut all = Vec::new();
        for (at, aps) in &self.received {
            let frame = Frame::decode(&aps.payload).unwrap();
            if let Ok(Global::Report(attributes)) = Global::decode(&frame) {
                let number = |it: Attribute<'_>| (it.id, it.value.number());
                let values = attributes.map(|attribute| number(attribute.unwrap())).collect();
                assert!(aps.payload.len() <= 82);
                all.push((*at, aps.cluster, values));
            }
        }
        all
    }

    /// Instants and numbers of the reports of one attribute.
    pub(super) fn reported(&self, cluster: u16, id: u16) -> Vec<(SimTime, Option<i64>)> {
        let of = self.reports().into_iter().filter(|report| report.1 == cluster);
        let values = of.flat_map(|(at, _, values)| values.into_iter().map(move |it| (at, it)));
        values
            .filter(|(_, (other, _))| *other == id)
            .map(|(at, (_, number))| (at, number))
            .collect()
    }
}

pub(super) fn number(value: i16) -> Value<'static> {
    Value::I16(Some(value))
}
