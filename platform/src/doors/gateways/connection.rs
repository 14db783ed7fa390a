//! One connection of a gateway, from its first byte until it ends.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use lastmeter_model::access::Eui64;
use lastmeter_model::entity::FieldNetwork;
use lastmeter_model::refusal::RefusalReason;
use lastmeter_store::lock;
use lastmeter_units::SimTime;
use lastmeter_zigbee::packet::GatewayAddress;
use lastmeter_zigbee::payload::{Content, Down, Numbered, OrderState, Setting, Up};
use lastmeter_zigbee::session::{KnownNetwork, Limits, PlatformEnd, PlatformEvent, Refusal};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, timeout, timeout_at};

use super::firmware::Transfers;
use super::nodes::News;
use super::session::{Ended, Session};
use super::standing::WaitingFrame;
use super::{INBOX_MAX, Link, Shared, ToConnection};
use crate::access::random;
use crate::device_routes::GATEWAYS;
use crate::gate::{Listener, Slot, Socket};
use crate::tenant::Tenant;

/// How long a gateway may take for its `hello`, and then for its first packet.
const HANDSHAKE: Duration = Duration::from_secs(10);
/// How long a gateway may send nothing.
const IDLE: Duration = Duration::from_mins(3);
/// How long what is sent may be left unread.
const UNREAD: Duration = Duration::from_secs(10);
/// What is read at once.
const READ_BYTES: usize = 16 * 1024;

/// What a packet was, away from its bytes.
enum Seen {
    Hello(GatewayAddress, String),
    Open,
    Frame(u8, WaitingFrame),
    News(u32, u32, News),
    OrderResult(u64, OrderState),
    Configuration(Vec<(u8, Vec<u8>)>),
    Other,
    Refused(Refusal, u16),
}

impl Seen {
    fn of(event: PlatformEvent<'_>) -> Self {
        match event {
            PlatformEvent::Hello { gateway, network_name } => {
                Self::Hello(gateway, network_name.to_owned())
            }
            PlatformEvent::Open => Self::Open,
            PlatformEvent::Refused { refusal, opcode } => Self::Refused(refusal, opcode),
            PlatformEvent::Packet { up, .. } => match up {
                Up::Numbered(Numbered { epoch, sequence, taken_s, content }) => match content {
                    Content::Relay { network_type, frame } => {
                        let frame = frame.to_vec();
                        Self::Frame(network_type, WaitingFrame { epoch, sequence, taken_s, frame })
                    }
                    Content::NodeTable(entries) => {
                        Self::News(epoch, sequence, News::Table(entries))
                    }
                    Content::NodeJoined(entry) | Content::NodeChanged(entry) => {
                        Self::News(epoch, sequence, News::There(entry))
                    }
                    Content::NodeLeft(node) => Self::News(epoch, sequence, News::Left(node.0)),
                },
                Up::OrderResult { order, state } => Self::OrderResult(order, state),
                Up::Configuration(settings) => {
                    let own = |setting: Setting<'_>| (setting.key, setting.value.to_vec());
                    Self::Configuration(settings.into_iter().map(own).collect())
                }
                Up::KeepAlive | Up::FirmwareStatus { .. } | Up::Diagnostics(_) => Self::Other,
            },
        }
    }
}

struct Connection {
    shared: Arc<Shared>,
    /// Which connection it is: one that was accepted later has a greater number.
    id: u64,
    socket: Socket,
    slot: Slot,
    end: PlatformEnd,
    session: Option<Session>,
    /// What is to be sent.
    out: Vec<u8>,
    deadline: Instant,
    to: mpsc::Sender<ToConnection>,
}

/// Serves a connection until it ends.
pub(super) async fn serve(shared: Arc<Shared>, socket: Socket, slot: Slot) {
    if shared.gate.is_shut_for(Listener::Gateways, slot.peer()) {
        return;
    }
    shared.counters.connections.fetch_add(1, Ordering::Relaxed);
    let (id, (to, mut inbox)) = (shared.counters.number(), mpsc::channel(INBOX_MAX));
    let end = PlatformEnd::new(shared.tenants.first().clock.now(), Limits::default());
    let deadline = Instant::now() + HANDSHAKE;
    let mut connection =
        Connection { shared, id, socket, slot, end, session: None, out: Vec::new(), deadline, to };
    connection.run(&mut inbox).await;
    connection.leave();
}

impl Connection {
    async fn run(&mut self, inbox: &mut mpsc::Receiver<ToConnection>) {
        let mut buffer = vec![0; READ_BYTES];
        let mut stopping = self.shared.stopping.clone();
        while !self.end.has_ended() {
            let went_on = tokio::select! {
                read = timeout_at(self.deadline, self.socket.read(&mut buffer)) => match read {
                    Ok(Ok(1..)) if self.socket.is_cut() => return,
                    Ok(Ok(count @ 1..)) => self.receive(&buffer[..count]).await,
                    Ok(_) => return,
                    Err(_elapsed) => self.close(Refusal::Silent).await,
                },
                Some(note) = inbox.recv() => self.take_note(note).await,
                () = stopped(&mut stopping) => self.close(Refusal::Closed).await,
            };
            let is_sent = self.flush_out().await;
            if went_on.is_err() || !is_sent {
                return;
            }
        }
    }

    /// The tenant's time, or that of the first one before it is known which it is.
    fn now(&self) -> SimTime {
        match &self.session {
            Some(session) => session.tenant.clock.now(),
            None => self.shared.tenants.first().clock.now(),
        }
    }

    /// Sends what is to be sent; whether the other end took it.
    async fn flush_out(&mut self) -> bool {
        if self.out.is_empty() {
            return true;
        }
        let written = timeout(UNREAD, self.socket.write_all(&self.out)).await;
        self.out.clear();
        matches!(written, Ok(Ok(())))
    }

    /// Ends the connection for a reason.
    async fn close(&mut self, refusal: Refusal) -> Result<(), Ended> {
        self.end.end(self.now(), refusal, &mut self.out);
        if refusal != Refusal::Closed {
            self.refuse(refusal, 0).await;
        }
        Ok(())
    }

    /// Takes bytes of the stream.
    async fn receive(&mut self, bytes: &[u8]) -> Result<(), Ended> {
        let mut bytes = bytes;
        loop {
            let (now, mut seen) = (self.now(), Vec::new());
            self.end.receive(now, bytes, &mut self.out, |event| seen.push(Seen::of(event)));
            let is_asked = matches!(seen.last(), Some(Seen::Hello(..)));
            for one in seen {
                self.see(one).await?;
            }
            // What came behind the request waits in the machine.
            if !is_asked {
                break;
            }
            bytes = &[];
        }
        let now = self.now();
        let is_open = |session: &&mut Session| session.turn.is_some();
        let Some(session) = self.session.as_mut().filter(is_open) else { return Ok(()) };
        session.flush().await?;
        let supplied = session.supply().await?;
        if std::mem::take(&mut session.is_owed) {
            let delivered = session.received.delivered();
            session.tenant.gateways.set_delivered(&session.token, delivered);
            self.end.send(now, &Down::Delivered(delivered), &mut self.out);
        }
        let network_type = session.kind.code;
        for frame in &supplied {
            let order = self.shared.counters.number();
            self.end.send(now, &Down::Order { order, network_type, frame }, &mut self.out);
        }
        Ok(())
    }

    async fn see(&mut self, seen: Seen) -> Result<(), Ended> {
        match seen {
            Seen::Hello(gateway, name) => return self.answer(gateway, &name).await,
            Seen::Open => return self.open().await,
            Seen::Refused(refusal, opcode) => {
                // What came before it counts.
                if let Some(session) = &mut self.session {
                    session.flush().await?;
                }
                self.refuse(refusal, opcode).await;
                return Ok(());
            }
            _ => {}
        }
        self.deadline = Instant::now() + IDLE;
        self.shared.counters.packets.fetch_add(1, Ordering::Relaxed);
        let Some(session) = &mut self.session else { return Ok(()) };
        let now = session.tenant.clock.now();
        session.tenant.gateways.change(&session.token, |status| status.heard = Some(now));
        match seen {
            Seen::Frame(network_type, held) => {
                self.shared.counters.frames.fetch_add(1, Ordering::Relaxed);
                session.take_frame(network_type, held).await
            }
            Seen::News(epoch, sequence, news) => session.take_news(epoch, sequence, news).await,
            Seen::OrderResult(order, state) => session.take_result(order, state).await,
            Seen::Configuration(settings) => {
                session.confirm(&settings);
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// Answers a request for a connection.
    async fn answer(&mut self, gateway: GatewayAddress, name: &str) -> Result<(), Ended> {
        let found = self.find(gateway, name);
        let prepared = match found {
            Some((tenant, token, network)) => Session::prepare(tenant, token, network).await,
            None => Err(Refusal::UnknownGateway),
        };
        let nonce = random().map_err(|_| Ended)?;
        let refused = match prepared {
            Ok((session, key)) => {
                let now = session.tenant.clock.now();
                let (network, delivered) =
                    (Arc::clone(&session.network), session.standing.delivered);
                self.session = Some(session);
                let known = KnownNetwork { name: network.name.as_str(), key: &key, delivered };
                self.end.answer(now, Ok(known), &nonce, &mut self.out)
            }
            Err(refusal) => {
                let now = self.now();
                self.end.answer(now, Err(refusal), &nonce, &mut self.out)
            }
        };
        self.deadline = Instant::now() + HANDSHAKE;
        if let Err(refusal) = refused {
            if refusal == Refusal::WrongKey {
                let who = gateway.to_string();
                let wait =
                    self.shared.gate.wrong_secret(Listener::Gateways, self.slot.peer(), &who);
                drop(timeout(wait, self.socket.until_cut()).await);
            }
            self.refuse(refusal, 1).await;
        }
        Ok(())
    }

    /// The network of a gateway: the one of this name, should tenants share its address.
    fn find(
        &self,
        gateway: GatewayAddress,
        name: &str,
    ) -> Option<(Arc<Tenant>, String, Arc<FieldNetwork>)> {
        let address = Eui64(gateway.0).to_string();
        let mut found: Vec<_> = Vec::new();
        for tenant in self.shared.tenants.all() {
            let of_gateway = tenant.documents.bodies_with::<FieldNetwork>("gateway", &address);
            let with_tenant = |(token, network)| (Arc::clone(&tenant), token, network);
            found.extend(of_gateway.into_iter().map(with_tenant));
        }
        let named = found.iter().position(|(.., network)| network.name.as_str() == name);
        (!found.is_empty()).then(|| found.swap_remove(named.unwrap_or(0)))
    }

    /// The gateway has shown its key.
    async fn open(&mut self) -> Result<(), Ended> {
        self.slot.mark_authenticated();
        self.deadline = Instant::now() + IDLE;
        let (id, to) = (self.id, self.to.clone());
        let Some(session) = &mut self.session else { return Err(Ended) };
        let name = (session.tenant.name.clone(), session.token.clone());
        let link = Link { id, gateway: session.network.gateway_address.0, to };
        if !self.shared.enter(name.clone(), link) {
            return self.close(Refusal::Closed).await;
        }
        session.link = Some((name.clone(), id));
        // What the connection before has taken is on disk before this one goes on.
        let turn = session.tenant.gateways.turn(&session.token);
        let turn = timeout(HANDSHAKE, turn.lock_owned()).await;
        session.turn = Some(turn.map_err(|_| Ended)?);
        let known = lock(&self.shared.transfers).remove(&name);
        session.transfers = known.unwrap_or_else(|| Transfers::since(session.tenant.clock.now()));
        session.renew().await?;
        if !session.is_current() {
            return self.close(Refusal::Closed).await;
        }
        session.activate().await?;
        let now = session.tenant.clock.now();
        let settings = (session.kind.settings)(&session.network.options.0);
        session.tenant.gateways.change(&session.token, |status| {
            status.online_since = Some(now);
            status.options_confirmed = settings.is_empty();
            status.held = session.standing.held.len() as u64;
        });
        if !settings.is_empty() {
            let of = |(key, value): &'_ (u8, Vec<u8>)| (*key, value.clone());
            let all: Vec<(u8, Vec<u8>)> = settings.iter().map(of).collect();
            let entries = all.iter().map(|(key, value)| Setting { key: *key, value }).collect();
            self.end.send(now, &Down::WriteConfiguration(entries), &mut self.out);
        }
        for id in session.nodes.ids() {
            if session.tenant.devices.is_open(&id, None) {
                session.tenant.ingest.listens(GATEWAYS, id);
            }
        }
        Ok(())
    }

    async fn take_note(&mut self, note: ToConnection) -> Result<(), Ended> {
        match note {
            ToConnection::End(refusal) => self.close(refusal).await,
            ToConnection::Order(order) => {
                let now = self.now();
                if let Some(session) = &mut self.session {
                    session.pending.sent(&order);
                }
                for frame in &order.frames {
                    let (network_type, order) = (order.network_type, order.order);
                    let down = Down::Order { order, network_type, frame };
                    self.end.send(now, &down, &mut self.out);
                }
                Ok(())
            }
        }
    }

    /// Counts a refusal; where its network is known its owner sees it, and it has a record.
    async fn refuse(&self, refusal: Refusal, opcode: u16) {
        self.shared.counters.refuse(refusal);
        let reason = RefusalReason::Connection(refusal.word());
        let Some(session) = &self.session else {
            self.shared.tenants.first().ingest.count(reason);
            return;
        };
        let (tenant, token) = (&session.tenant, &session.token);
        if !tenant.gateways.refused(token, tenant.clock.now(), refusal) {
            tenant.ingest.count(reason);
            return;
        }
        let detail = format!("opcode 0x{opcode:04x} of the gateway of the network `{token}`");
        let sender = format!("{GATEWAYS} {}", self.slot.peer());
        let topic = format!("gateway/{}", session.network.gateway_address);
        // It is counted where there is no room for its record.
        if tenant.ingest.refuse(reason, &sender, &topic, &detail).await.is_err() {
            tenant.ingest.count(reason);
        }
    }

    fn leave(&mut self) {
        let Some(session) = &mut self.session else { return };
        let Some((name, id)) = &session.link else { return };
        if session.turn.is_some() {
            let transfers = std::mem::take(&mut session.transfers);
            lock(&self.shared.transfers).insert(name.clone(), transfers);
        }
        if self.shared.leave(name, *id) {
            session.tenant.gateways.change(&session.token, |status| status.online_since = None);
        }
    }
}

/// Returns when the door is to close.
async fn stopped(stopping: &mut watch::Receiver<bool>) {
    // An error means that the door is gone, which is an end too.
    let _ = stopping.wait_for(|stop| *stop).await;
}
