//! The task behind a session: one connection after the other, each with an event loop of its own.
//!
//! How acknowledgements find their message numbers: the owner appends a number to `handed` under
//! the same lock under which it appends the publication to rumqttc's request queue, so both have
//! one order; rumqttc takes requests in that order and reports each with `Outgoing::Publish(packet
//! id)` before any acknowledgement of it can be reported. Taking one number per such report
//! therefore pairs number and packet id. All of it is made anew per connection.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use rumqttc::mqttbytes::v4::Packet;
use rumqttc::{
    AsyncClient, Event, EventLoop, MqttOptions, NetworkOptions, Outgoing, Publish, QoS,
    SubscribeFilter, SubscribeReasonCode,
};
use tokio::sync::{Semaphore, mpsc, watch};
use tokio::time::Instant;

use super::connection::{Connection, Dialer};
use super::reason;
use super::shared::{
    IN_FLIGHT_LIMIT, LIVE_LIMIT, Live, Queued, SessionEvent, SessionOptions, Shared,
};

/// First wait before connecting again; doubled per failure.
const BACK_OFF_FIRST: Duration = Duration::from_millis(20);
/// Longest wait before connecting again.
const BACK_OFF_LONGEST: Duration = Duration::from_secs(1);
/// How long a DISCONNECT may take to leave.
const FAREWELL_LIMIT: Duration = Duration::from_secs(1);
/// rumqttc's window and request queue beyond ours: room for SUBSCRIBE and DISCONNECT when ours is
/// full.
const SLACK: u16 = 28;

/// How a connection, or the attempt at one, ended.
enum End {
    /// The owner closed the session.
    Closed,
    /// Lost or never made; `progressed` when the broker took or gave at least one message.
    Lost { reason: String, progressed: bool },
}

/// A publication that left and has no acknowledgement yet.
struct Outstanding {
    packet: u16,
    message: u64,
    deadline: Instant,
}

/// Runs the session until it is closed. Ends the event queue by returning.
pub(super) async fn run(
    options: SessionOptions,
    shared: Arc<Shared>,
    events: mpsc::UnboundedSender<Queued>,
    mut closing: watch::Receiver<bool>,
) {
    let mut back_off = BACK_OFF_FIRST;
    let dialer = options.tls.as_ref().map(Dialer::new).transpose().map_err(|e| e.to_string());
    for connection in 1.. {
        let dialled = tokio::select! {
            () = closed(&mut closing) => return,
            dialled = dial(&options, dialer.as_ref()) => dialled,
        };
        let end = match dialled {
            Ok(tls) => {
                connect_and_serve(&options, tls, &shared, &events, &mut closing, connection).await
            }
            Err(reason) => End::Lost { reason, progressed: false },
        };
        if let Some(live) = shared.live().take() {
            live.window.close();
        }
        let End::Lost { reason, progressed } = end else { return };
        tracing::debug!(client = options.client_id, reason, "mqtt connection lost");
        if events.send(Queued::Other(SessionEvent::Disconnected { reason })).is_err() {
            return;
        }
        if progressed {
            back_off = BACK_OFF_FIRST;
        }
        // Waiting for the owner to close, with the back-off as the limit.
        if tokio::time::timeout(back_off, closed(&mut closing)).await.is_ok() {
            return;
        }
        back_off = (back_off * 2).min(BACK_OFF_LONGEST);
    }
}

/// Returns when the owner closes the session, or is gone.
async fn closed(closing: &mut watch::Receiver<bool>) {
    // An error means that the sender is gone, which is closing as well.
    let _ = closing.wait_for(|closing| *closing).await;
}

/// Makes the TLS connection, if there shall be one, within the limit for connecting. The error is
/// the reason in words.
async fn dial(
    options: &SessionOptions,
    dialer: Result<&Option<Dialer>, &String>,
) -> Result<Option<Connection>, String> {
    let Some(dialer) = dialer.map_err(Clone::clone)? else { return Ok(None) };
    check_address(&options.address)?;
    let dialled = dialer.dial(&options.address, options.nodelay);
    match tokio::time::timeout(options.connect_limit, dialled).await {
        Ok(dialled) => dialled.map(Some),
        Err(_) => Err(format!(
            "no TLS connection to {} within {:?}",
            options.address, options.connect_limit
        )),
    }
}

async fn connect_and_serve(
    options: &SessionOptions,
    tls: Option<Connection>,
    shared: &Arc<Shared>,
    events: &mpsc::UnboundedSender<Queued>,
    closing: &mut watch::Receiver<bool>,
    connection: u64,
) -> End {
    let lost = |reason: String| End::Lost { reason, progressed: false };
    let (client, mut event_loop) = match event_loop(options, tls.as_ref()) {
        Ok(made) => made,
        Err(reason) => return lost(reason),
    };
    let set_up =
        tokio::time::timeout(options.connect_limit, set_up(options, &client, &mut event_loop));
    let early = tokio::select! {
        () = closed(closing) => return End::Closed,
        done = set_up => match done {
            Ok(Ok(early)) => early,
            Ok(Err(reason)) => return lost(reason),
            Err(_) => return lost(format!(
                "{} did not accept connection and subscriptions within {:?}",
                options.address, options.connect_limit
            )),
        },
    };
    *shared.live() = Some(Live {
        connection,
        client: client.clone(),
        handed: VecDeque::new(),
        unsent: 0,
        window: Arc::new(Semaphore::new(usize::from(IN_FLIGHT_LIMIT))),
    });
    let mut service =
        Service { options, shared, events, outstanding: VecDeque::new(), progressed: false };
    if events.send(Queued::Connected { connection }).is_err() {
        return End::Closed;
    }
    for publish in early {
        if let Err(reason) = service.received(publish).await {
            return lost(reason);
        }
    }
    let reason = tokio::select! {
        // Leaving `serve` half-way drops at most whole packets from rumqttc's buffer, so a
        // DISCONNECT still fits on.
        () = closed(closing) => {
            farewell(shared, &client, &mut event_loop).await;
            drop(event_loop);
            if let Some(tls) = tls {
                tls.end(FAREWELL_LIMIT).await;
            }
            return End::Closed;
        }
        reason = service.serve(&mut event_loop) => reason,
    };
    End::Lost { reason, progressed: service.progressed }
}

/// Host and port of a broker's address.
fn check_address(address: &str) -> Result<(&str, u16), String> {
    let bad = || format!("{address:?} is no broker address; write it as host:port");
    let (host, port) = address.rsplit_once(':').ok_or_else(bad)?;
    let port = port.parse::<u16>().map_err(|_| bad())?;
    if host.is_empty() { Err(bad()) } else { Ok((host, port)) }
}

/// A fresh client and event loop for one connection.
fn event_loop(
    options: &SessionOptions,
    tls: Option<&Connection>,
) -> Result<(AsyncClient, EventLoop), String> {
    let (host, port) = check_address(&options.address)?;
    let mut mqtt = MqttOptions::new(&options.client_id, (host, port));
    if let Some(connection) = tls.cloned() {
        mqtt.set_socket_connector(move |_, _| std::future::ready(Ok(connection.clone())));
    }
    let keep_alive_s = match options.keep_alive.as_secs() {
        0 if !options.keep_alive.is_zero() => 1,
        whole_s => u16::try_from(whole_s).unwrap_or(u16::MAX),
    };
    mqtt.set_keep_alive(keep_alive_s)
        .set_clean_session(true)
        .set_credentials(&options.username, options.password.clone())
        .set_max_packet_size(options.packet_limit_bytes, options.packet_limit_bytes)
        .set_inflight(IN_FLIGHT_LIMIT + SLACK);
    let mut network = NetworkOptions::new();
    network.set_tcp_nodelay(options.nodelay);
    network.set_connection_timeout(options.connect_limit.as_secs().max(1));
    let (client, mut event_loop) = AsyncClient::builder(mqtt)
        .capacity(usize::from(IN_FLIGHT_LIMIT + SLACK + LIVE_LIMIT))
        .try_build()
        .map_err(|error| error.to_string())?;
    event_loop.set_network_options(network);
    Ok((client, event_loop))
}

/// Connects and subscribes; returns what arrived before the SUBACK. The error is the reason in
/// words.
async fn set_up(
    options: &SessionOptions,
    client: &AsyncClient,
    event_loop: &mut EventLoop,
) -> Result<Vec<Publish>, String> {
    let words = |error| reason::of(&error, &options.address, options.connect_limit);
    while !matches!(event_loop.poll().await.map_err(words)?, Event::Incoming(Packet::ConnAck(_))) {}
    let mut early = Vec::new();
    if options.subscriptions.is_empty() {
        return Ok(early);
    }
    let filters = options
        .subscriptions
        .iter()
        .map(|filter| SubscribeFilter::new(filter.clone(), QoS::AtLeastOnce));
    client
        .try_subscribe_many(filters)
        .map_err(|_| format!("not a topic filter among {:?}", options.subscriptions))?;
    loop {
        match event_loop.poll().await.map_err(words)? {
            Event::Incoming(Packet::SubAck(granted)) => {
                check_granted(options, &granted.return_codes)?;
                return Ok(early);
            }
            Event::Incoming(Packet::Publish(publish)) => early.push(publish),
            _ => {}
        }
    }
}

fn check_granted(options: &SessionOptions, codes: &[SubscribeReasonCode]) -> Result<(), String> {
    if codes.len() != options.subscriptions.len() {
        return Err(format!(
            "the broker answered {} of {} subscriptions",
            codes.len(),
            options.subscriptions.len()
        ));
    }
    let refused: Vec<&str> = options
        .subscriptions
        .iter()
        .zip(codes)
        .filter(|(_, code)| matches!(code, SubscribeReasonCode::Failure))
        .map(|(filter, _)| filter.as_str())
        .collect();
    if refused.is_empty() {
        return Ok(());
    }
    Err(format!("the broker refused the subscription to {}", refused.join(", ")))
}

/// Sends a DISCONNECT behind all that was handed over, and waits until it left.
async fn farewell(shared: &Shared, client: &AsyncClient, event_loop: &mut EventLoop) {
    // This DISCONNECT overtakes what has not left; rumqttc's other one waits for acknowledgements.
    let mut unsent =
        shared.live().as_ref().map_or(0, |live| live.handed.len() + usize::from(live.unsent));
    let left = async {
        while unsent > 0 {
            match event_loop.poll().await {
                Ok(Event::Outgoing(Outgoing::Publish(_))) => unsent -= 1,
                Ok(_) => {}
                Err(_) => return,
            }
        }
        if client.try_disconnect_now().is_err() {
            return;
        }
        while let Ok(event) = event_loop.poll().await {
            if matches!(event, Event::Outgoing(Outgoing::Disconnect)) {
                return;
            }
        }
    };
    // Out of time, the connection is cut instead.
    let _ = tokio::time::timeout(FAREWELL_LIMIT, left).await;
}

/// One connection in service.
struct Service<'a> {
    options: &'a SessionOptions,
    shared: &'a Shared,
    events: &'a mpsc::UnboundedSender<Queued>,
    /// In the order in which they left, hence with rising deadlines.
    outstanding: VecDeque<Outstanding>,
    progressed: bool,
}

impl Service<'_> {
    /// Carries messages until the connection is lost; returns the reason in words.
    async fn serve(&mut self, event_loop: &mut EventLoop) -> String {
        loop {
            let polled = match self.outstanding.front() {
                None => event_loop.poll().await,
                Some(oldest) => {
                    let message = oldest.message;
                    match tokio::time::timeout_at(oldest.deadline, event_loop.poll()).await {
                        Ok(polled) => polled,
                        Err(_) => {
                            return format!(
                                "no acknowledgement of message {message} within {:?}",
                                self.options.acknowledge_limit
                            );
                        }
                    }
                }
            };
            let handled = match polled {
                Ok(event) => self.handle(event).await,
                Err(error) => {
                    self.rescue(event_loop).await;
                    let limit = self.options.connect_limit;
                    Err(reason::of(&error, &self.options.address, limit))
                }
            };
            if let Err(reason) = handled {
                return reason;
            }
        }
    }

    async fn handle(&mut self, event: Event) -> Result<(), String> {
        match event {
            // Packets of QoS 0 have no number.
            Event::Outgoing(Outgoing::Publish(0)) => {
                if let Some(live) = self.shared.live().as_mut() {
                    live.unsent = live.unsent.saturating_sub(1);
                }
                Ok(())
            }
            Event::Outgoing(Outgoing::Publish(packet)) => self.left(packet),
            Event::Incoming(Packet::PubAck(acknowledged)) => self.acknowledged(acknowledged.pkid),
            Event::Incoming(Packet::Publish(publish)) => self.received(publish).await,
            _ => Ok(()),
        }
    }

    /// rumqttc reads several packets at once and, when the connection ends among them, reports the
    /// end first. What came before it is still in its queue: acknowledgements there would otherwise
    /// cost a repetition each.
    async fn rescue(&mut self, event_loop: &mut EventLoop) {
        while let Some(event) = event_loop.state.events.pop_front() {
            // The packet that broke the connection is in the queue too, and is the last that
            // counts.
            if self.handle(event).await.is_err() {
                return;
            }
        }
    }

    /// A publication left with this packet id: the oldest one handed over.
    fn left(&mut self, packet: u16) -> Result<(), String> {
        let handed = self.shared.live().as_mut().and_then(|live| live.handed.pop_front());
        let message =
            handed.ok_or_else(|| format!("packet {packet} left, which nobody published"))?;
        let deadline = Instant::now() + self.options.acknowledge_limit;
        self.outstanding.push_back(Outstanding { packet, message, deadline });
        Ok(())
    }

    fn acknowledged(&mut self, packet: u16) -> Result<(), String> {
        // Brokers acknowledge in order as a rule, so this looks at the first entry only.
        let at = self.outstanding.iter().position(|outstanding| outstanding.packet == packet);
        let found = at.and_then(|at| self.outstanding.remove(at)).ok_or_else(|| {
            format!("the broker acknowledged packet {packet}, which was not waiting for it")
        })?;
        self.progressed = true;
        if let Some(live) = self.shared.live().as_ref() {
            live.window.add_permits(1);
        }
        self.send(SessionEvent::Acknowledged { message: found.message })
    }

    /// Hands a received message to the owner, waiting for room with a limit.
    async fn received(&mut self, publish: Publish) -> Result<(), String> {
        // Half a keep-alive: the broker has not given up on us yet when this ends.
        let limit = match self.options.keep_alive / 2 {
            Duration::ZERO => self.options.acknowledge_limit,
            half => half,
        };
        match tokio::time::timeout(limit, self.shared.room.acquire()).await {
            Ok(Ok(permit)) => permit.forget(),
            _ => {
                return Err(format!(
                    "{} received messages were left untaken for {limit:?}",
                    self.options.receive_limit
                ));
            }
        }
        self.progressed = true;
        let topic = String::from_utf8(publish.topic.to_vec())
            .map_err(|_| "the broker sent a topic that is not UTF-8".to_owned())?;
        self.send(SessionEvent::Received { topic, payload: publish.payload })
    }

    fn send(&self, event: SessionEvent) -> Result<(), String> {
        self.events
            .send(Queued::Other(event))
            .map_err(|_| "the session's events are not taken any more".to_owned())
    }
}
