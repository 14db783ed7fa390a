//! What is done with the packets of one gateway: each is on disk before it is acknowledged.

use std::collections::BTreeSet;
use std::sync::Arc;

use bytes::Bytes;
use lastmeter_fields::{Decoded, NetworkType, NodeEvent, RelayEntry, by_name};
use lastmeter_model::access::{Eui64, PrincipalRef};
use lastmeter_model::document::{Edit, Transaction};
use lastmeter_model::entity::{Body as _, FieldNetwork, NetworkState};
use lastmeter_model::message::Message;
use lastmeter_model::refusal::RefusalReason;
use lastmeter_units::SimTime;
use lastmeter_wire::topics;
use lastmeter_zigbee::address::{Eui64 as NodeAddress, ShortAddress};
use lastmeter_zigbee::delivery::{Arrival as Numbering, Received};
use lastmeter_zigbee::keys::NetworkKey;
use lastmeter_zigbee::payload::{NodeEntry, OrderState};
use lastmeter_zigbee::session::Refusal;
use serde_json::{Value, json};
use tokio::sync::OwnedMutexGuard;

use super::LinkName;
use super::firmware::{Transfers, Waiting};
use super::nodes::{Carried, News, Nodes, id_of};
use super::orders::Pending;
use super::standing::{Standing, WaitingFrame};
use crate::device_routes::GATEWAYS;
use crate::ops::networks::purpose;
use crate::port::{Arrival, Verdict};
use crate::tenant::Tenant;

/// How far ahead of the platform's time a gateway's may be.
const AHEAD_MAX_S: u32 = 900;
/// Frames that become durable together.
const RUN_MAX: usize = 64;

/// The connection is of no use any more: nothing further is acknowledged.
pub(super) struct Ended;

/// A network whose gateway has named itself.
pub(super) struct Session {
    pub(super) tenant: Arc<Tenant>,
    pub(super) token: String,
    pub(super) network: Arc<FieldNetwork>,
    pub(super) kind: &'static NetworkType,
    pub(super) nodes: Nodes,
    pub(super) standing: Standing,
    pub(super) received: Received,
    pub(super) pending: Pending,
    /// While it is there no other connection of the network is taken from.
    pub(super) turn: Option<OwnedMutexGuard<()>>,
    /// Which connection it is, once it is open.
    pub(super) link: Option<(LinkName, u64)>,
    /// Frames that are to become durable together.
    run: Vec<Arrival>,
    /// Something came that has to be acknowledged.
    pub(super) is_owed: bool,
    /// What nodes asked about their images.
    pub(super) demands: Vec<Waiting>,
    /// Nodes that were heard since.
    pub(super) heard: BTreeSet<u64>,
    pub(super) transfers: Transfers,
}

impl Session {
    /// What a network has, and its key.
    pub(super) async fn prepare(
        tenant: Arc<Tenant>,
        token: String,
        network: Arc<FieldNetwork>,
    ) -> Result<(Self, NetworkKey), Refusal> {
        let kind = by_name(network.network_type.as_str()).ok_or(Refusal::UnknownGateway)?;
        let sealed = network.sealed_key.as_ref().ok_or(Refusal::WrongKey)?;
        let opened = tenant.sealing.open(&purpose(&network, &tenant.name), sealed.as_str());
        let opened = opened.map_err(|error| {
            tracing::error!(network = token, %error, "the key of a network cannot be used");
            Refusal::WrongKey
        })?;
        let key = opened.try_into().map(NetworkKey::new).map_err(|_| Refusal::WrongKey)?;
        let nodes = Nodes::of(&tenant, &token);
        let of = (token.as_str(), network.gateway_number);
        let standing = Standing::of(&tenant, of, nodes.ids()).await.map_err(|error| {
            tracing::warn!(network = token, %error, "what a gateway has delivered is unknown");
            Refusal::Closed
        })?;
        let received = Received::up_to(standing.delivered);
        let session = Self {
            tenant,
            token,
            network,
            kind,
            nodes,
            standing,
            received,
            pending: Pending::default(),
            turn: None,
            link: None,
            run: Vec::new(),
            is_owed: false,
            demands: Vec::new(),
            heard: BTreeSet::new(),
            transfers: Transfers::default(),
        };
        Ok((session, key))
    }

    fn by(&self) -> String {
        PrincipalRef::Gateway(self.network.gateway_address).to_string()
    }

    /// Reads again what the connection before may have changed.
    pub(super) async fn renew(&mut self) -> Result<(), Ended> {
        self.nodes = Nodes::of(&self.tenant, &self.token);
        let of = (self.token.as_str(), self.network.gateway_number);
        let standing = Standing::of(&self.tenant, of, self.nodes.ids()).await;
        self.standing.held = standing.map_err(|_| Ended)?.held;
        Ok(())
    }

    /// Whether the network is there, with the key that the gateway has shown.
    pub(super) fn is_current(&self) -> bool {
        let network = self.tenant.documents.body::<FieldNetwork>(&self.token);
        network.is_some_and(|network| network.sealed_key == self.network.sealed_key)
    }

    /// The network is visible from now on.
    pub(super) async fn activate(&mut self) -> Result<(), Ended> {
        if self.network.state == NetworkState::Active {
            return Ok(());
        }
        let found = self.tenant.documents.find(FieldNetwork::kind(), &self.token).ok_or(Ended)?;
        let mut body = Value::Object(found.members());
        body["state"] = json!(NetworkState::Active);
        self.apply(vec![Edit::of(&found, Some(body))], Vec::new(), false).await
    }

    /// Does what belongs together, with a mark up to where packets are on disk if all before are.
    pub(super) async fn apply(
        &mut self,
        edits: Vec<Edit>,
        messages: Vec<Message>,
        is_marked: bool,
    ) -> Result<(), Ended> {
        let mut cursors = Vec::new();
        if is_marked {
            self.standing.delivered = self.received.delivered();
            cursors.push(self.standing.cursor(self.network.gateway_number));
        }
        let transaction = Transaction::of(self.by(), edits);
        // Without what a gateway brings its nodes' readings would be nobody's.
        let transaction = Transaction { messages, cursors, reserve: true, ..transaction };
        let changed = self.tenant.apply(transaction).await.map_err(|_| Ended)?;
        if changed.conflict.is_some() || changed.limit.is_some() {
            tracing::warn!(network = self.token, "what a gateway sent could not be kept");
            return Err(Ended);
        }
        Ok(())
    }

    /// Takes the number of a packet; whether it is to be taken.
    fn number(&mut self, epoch: u32, sequence: u32) -> bool {
        self.is_owed = true;
        let numbering = self.received.take(epoch, sequence);
        self.tenant.gateways.change(&self.token, |status| match numbering {
            Numbering::New => {}
            Numbering::AfterGap { missing } => status.missing += u64::from(missing),
            Numbering::Repeated => status.repeated += 1,
        });
        numbering != Numbering::Repeated
    }

    /// Waits until the frames that were begun are durable.
    pub(super) async fn flush(&mut self) -> Result<(), Ended> {
        let run = std::mem::take(&mut self.run);
        if run.is_empty() {
            return Ok(());
        }
        let verdicts = self.tenant.ingest.accept_run(run).await.map_err(|error| {
            tracing::warn!(network = self.token, %error, "frames are not taken; the gateway waits");
            Ended
        })?;
        // What was refused has no number in the store.
        let is_refused = |verdict: &Verdict| matches!(verdict, Verdict::Refused { .. });
        if verdicts.iter().any(is_refused) {
            self.apply(Vec::new(), Vec::new(), true).await?;
        }
        Ok(())
    }

    /// What is not taken of a node leaves a record.
    async fn refuse(&mut self, reason: &'static str, detail: &str) -> Result<(), Ended> {
        self.flush().await?;
        let topic = format!("gateway/{}", self.network.gateway_address);
        let reason = RefusalReason::Format(reason);
        let recorded = self.tenant.ingest.refuse(reason, GATEWAYS, &topic, detail).await;
        recorded.map_err(|_| Ended)?;
        self.apply(Vec::new(), Vec::new(), true).await
    }

    pub(super) async fn take_frame(
        &mut self,
        network_type: u8,
        held: WaitingFrame,
    ) -> Result<(), Ended> {
        if !self.number(held.epoch, held.sequence) {
            return Ok(());
        }
        if network_type != self.kind.code {
            let name = self.kind.entry.name;
            let detail = format!("a frame of network type {network_type}, expected `{name}`");
            return self.refuse("other_network_type", &detail).await;
        }
        let origin = match (self.kind.origin)(&held.frame) {
            Ok(origin) => origin,
            Err(refusal) => return self.refuse(refusal.reason, &refusal.detail).await,
        };
        match self.nodes.resolve(origin.node, origin.address) {
            Some(node) => match self.take_of(node, origin.address, &held).await? {
                Some(news) => self.follow(news).await,
                None => Ok(()),
            },
            None => self.hold(held).await,
        }
    }

    /// Keeps a frame until it is known which node it is from.
    async fn hold(&mut self, held: WaitingFrame) -> Result<(), Ended> {
        self.flush().await?;
        let dropped = self.standing.hold(held);
        let count = self.standing.held.len() as u64;
        self.tenant.gateways.change(&self.token, |status| {
            status.held = count;
            status.unknown += u64::from(dropped.is_some());
        });
        match dropped {
            Some(_) => self.refuse("unknown_node", "a frame of a node that never joined").await,
            None => self.apply(Vec::new(), Vec::new(), true).await,
        }
    }

    /// Takes a frame of a node; what became of it, if the frame states that.
    async fn take_of(
        &mut self,
        node: u64,
        address: u16,
        held: &WaitingFrame,
    ) -> Result<Option<News>, Ended> {
        // In the order that makes it right whenever it ends: whose it is, what it is, its entry.
        let is_news = self.nodes.hear(node, address);
        if !self.admit(node, is_news).await? {
            let detail = format!("`{}` is a node of somebody else's network", Eui64(node));
            self.refuse("foreign_node", &detail).await?;
            return Ok(None);
        }
        let mut context = self.nodes.context(node, address);
        if let Some(learned) = (self.kind.learn)(&context, &held.frame) {
            context = learned;
            self.nodes.learn(node, context.state.clone());
            let edits = self.nodes.edit(&self.token, node).into_iter().collect();
            self.apply(edits, Vec::new(), false).await?;
        }
        let decoded = match (self.kind.decode)(&context, &held.frame) {
            Ok(decoded) => decoded,
            Err(refusal) => {
                self.refuse(refusal.reason, &refusal.detail).await?;
                return Ok(None);
            }
        };
        self.heard.insert(node);
        if let Some(demand) = decoded.demand {
            // It is answered once its number is on disk.
            self.demands.push(Waiting { context, demand, taken_s: held.taken_s });
            return Ok(None);
        }
        if let Some(event) = decoded.event {
            return Ok(Some(news_of(node, event)));
        }
        let sequence = decoded.answer.as_ref().map(|answer| answer.sequence);
        let invocation = sequence.and_then(|it| self.pending.invocation(node, it));
        let invocation = invocation.map(str::to_owned).unwrap_or_default();
        let Decoded { measured, unusable, is_configuration, .. } = &decoded;
        let is_reading = !measured.is_empty() || !unusable.is_empty() || !invocation.is_empty();
        if *is_configuration || !is_reading {
            self.flush().await?;
            let now = self.tenant.clock.now();
            let at = (now, SimTime(i64::from(held.taken_s) * 1_000_000_000));
            let of = (self.token.as_str(), node);
            let kept = is_configuration.then(|| self.nodes.configuration(of, at, &held.frame));
            let edits = kept.flatten().into_iter().collect();
            self.apply(edits, Vec::new(), !is_reading).await?;
        }
        if is_reading {
            let entry = RelayEntry {
                network_type: self.kind.code,
                gateway_number: self.network.gateway_number,
                epoch: held.epoch,
                sequence: held.sequence,
                taken_s: self.believed(held.taken_s),
                context,
                invocation: &invocation,
                frame: &held.frame,
            };
            self.begin(node, &entry).await?;
            if let Some(sequence) = sequence {
                self.pending.answered(node, sequence);
            }
        }
        Ok(None)
    }

    /// When a frame was taken in; now, where that is too far ahead. A driven clock stands behind
    /// its gateways.
    fn believed(&self, taken_s: u32) -> u32 {
        let now_s = unix_s(self.tenant.clock.now());
        if taken_s > now_s.saturating_add(AHEAD_MAX_S) { now_s } else { taken_s }
    }

    /// Has a frame become durable with those around it.
    async fn begin(&mut self, node: u64, entry: &RelayEntry<'_>) -> Result<(), Ended> {
        let Some(id) = id_of(node) else { return Ok(()) };
        self.run.push(Arrival {
            door: GATEWAYS,
            sender: self.by(),
            topic: topics::input_of(self.tenant.name.as_str(), Some(&id), "relay"),
            payload: Bytes::from(entry.encode()),
            is_shared: false,
        });
        if self.run.len() >= RUN_MAX { self.flush().await } else { Ok(()) }
    }

    /// Whether the gateway may speak for a node; what is new of it is kept.
    async fn admit(&mut self, node: u64, is_news: bool) -> Result<bool, Ended> {
        let tenant = Arc::clone(&self.tenant);
        let network = Arc::clone(&self.network);
        let carried = self.nodes.carry(&tenant, (&self.token, &network), node);
        let (mut edits, messages) = match carried {
            Carried::Foreign => return Ok(false),
            Carried::Known => (Vec::new(), Vec::new()),
            Carried::New(edits, messages) => (edits, messages),
        };
        if is_news || !edits.is_empty() {
            edits.extend(self.nodes.edit(&self.token, node));
            self.apply(edits, messages, false).await?;
        }
        Ok(true)
    }

    pub(super) async fn take_news(
        &mut self,
        epoch: u32,
        sequence: u32,
        news: News,
    ) -> Result<(), Ended> {
        if self.number(epoch, sequence) { self.follow(news).await } else { Ok(()) }
    }

    /// Takes what became of nodes, and with it what waits for that.
    async fn follow(&mut self, news: News) -> Result<(), Ended> {
        self.flush().await?;
        let (tenant, network) = (Arc::clone(&self.tenant), Arc::clone(&self.network));
        let mut all = vec![news];
        while let Some(news) = all.pop() {
            let (mut edits, mut messages) = (Vec::new(), Vec::new());
            for node in self.nodes.take(news) {
                match self.nodes.carry(&tenant, (&self.token, &network), node) {
                    Carried::Foreign => continue,
                    Carried::Known => {}
                    Carried::New(more, registered) => {
                        edits.extend(more);
                        messages.extend(registered);
                    }
                }
                edits.extend(self.nodes.edit(&self.token, node));
            }
            self.apply(edits, messages, true).await?;
            all.extend(self.release().await?);
        }
        Ok(())
    }

    /// Takes frames that waited and whose node is known now; what they state of their nodes.
    async fn release(&mut self) -> Result<Vec<News>, Ended> {
        // They stay where they are kept until all of them are on disk.
        let held = self.standing.held.clone();
        let (mut left, mut news) = (Vec::new(), Vec::new());
        if held.is_empty() {
            return Ok(news);
        }
        for one in &held {
            let origin = (self.kind.origin)(&one.frame).ok();
            let of = |it: lastmeter_fields::Origin| {
                Some((self.nodes.resolve(it.node, it.address)?, it.address))
            };
            match origin.and_then(of) {
                Some((node, address)) => news.extend(self.take_of(node, address, one).await?),
                None => left.push(one.clone()),
            }
        }
        self.flush().await?;
        let count = left.len() as u64;
        self.standing.held = left;
        self.tenant.gateways.change(&self.token, |status| status.held = count);
        self.apply(Vec::new(), Vec::new(), true).await?;
        Ok(news)
    }

    /// What became of an order: one for a node that is not there fails, others are sent again.
    pub(super) async fn take_result(&mut self, order: u64, state: OrderState) -> Result<(), Ended> {
        if state != OrderState::UnknownNode {
            return Ok(());
        }
        let Some(id) = self.pending.failed(order).and_then(|id| id.parse().ok()) else {
            return Ok(());
        };
        let failed = self.tenant.dispatcher.failed(id, "the gateway has no such node").await;
        failed.map_err(|_| Ended)
    }

    /// The gateway's configuration, as it has it.
    pub(super) fn confirm(&self, settings: &[(u8, Vec<u8>)]) {
        let wanted = (self.kind.settings)(&self.network.options.0);
        let is_confirmed = wanted.iter().all(|one| settings.contains(one));
        self.tenant.gateways.change(&self.token, |status| status.options_confirmed = is_confirmed);
    }
}

/// What an event is for the nodes of a network.
fn news_of(node: u64, event: NodeEvent) -> News {
    match event {
        NodeEvent::Joined { node, address, sleeps } => {
            let (node, address) = (NodeAddress(node), ShortAddress(address));
            News::There(NodeEntry { node, address, sleeps })
        }
        NodeEvent::Left => News::Left(node),
    }
}

pub(super) fn unix_s(at: SimTime) -> u32 {
    u32::try_from(at.0.div_euclid(1_000_000_000).max(0)).unwrap_or(u32::MAX)
}
