//! The connection of a client to the platform: an MQTT session, or a gateway's to the dispatcher.
//!
//! Both look alike: messages with a number and a topic go out, events come in. Packets of a
//! dispatcher have no topics; what comes from it goes under that of the gateway's commands.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use lastmeter_link::dispatcher::{Dispatcher, DispatcherEvent, DispatcherOptions};
use lastmeter_link::mqtt::{PublishError, Session, SessionEvent, SessionEvents};
use lastmeter_units::SimTime;
use lastmeter_zigbee::opcode::{Administration, Opcode};
use lastmeter_zigbee::payload::{Delivered, Down};
use lastmeter_zigbee::session::GatewaySettings;
use tokio::sync::mpsc;

/// How long connecting may take.
const CONNECT_LIMIT: Duration = Duration::from_secs(10);
/// The longest wait before connecting again.
const BACK_OFF_LONGEST: Duration = Duration::from_millis(500);

/// A client's connection, made again and again.
pub(crate) enum Connection {
    Mqtt { session: Session, events: SessionEvents },
    Dispatcher(Box<ToDispatcher>),
}

/// A gateway's connection to a dispatcher.
pub(crate) struct ToDispatcher {
    dispatcher: Dispatcher,
    events: mpsc::Receiver<DispatcherEvent>,
    /// The connection that is there.
    live: Option<u64>,
    /// Up to where messages are acknowledged.
    delivered: Delivered,
    topic: String,
    /// Event time of the gateway, by which it dates what it sends.
    clock: Arc<AtomicI64>,
    waiting: VecDeque<SessionEvent>,
}

impl Connection {
    /// Opens that of a gateway; `topic`: that of its commands.
    pub(crate) fn to_dispatcher(
        address: String,
        settings: GatewaySettings,
        topic: String,
        start: SimTime,
    ) -> Self {
        let clock = Arc::new(AtomicI64::new(start.0));
        let own = Arc::clone(&clock);
        let (dispatcher, events) = Dispatcher::open(DispatcherOptions {
            address,
            settings,
            clock: Arc::new(move || SimTime(own.load(Ordering::Relaxed))),
            connect_limit: CONNECT_LIMIT,
            back_off_longest: BACK_OFF_LONGEST,
        });
        let (live, delivered) = (None, Delivered::default());
        let waiting = VecDeque::new();
        Self::Dispatcher(Box::new(ToDispatcher {
            dispatcher,
            events,
            live,
            delivered,
            topic,
            clock,
            waiting,
        }))
    }

    /// The client has moved on.
    pub(crate) fn set_time(&self, now: SimTime) {
        if let Self::Dispatcher(it) = self {
            it.clock.store(now.0, Ordering::Relaxed);
        }
    }

    /// Hands over a message; waits while too many are under way.
    pub(crate) async fn publish(
        &self,
        message: u64,
        topic: &str,
        payload: Bytes,
    ) -> Result<(), PublishError> {
        match self {
            Self::Mqtt { session, .. } => session.publish(message, topic, payload).await,
            Self::Dispatcher(it) => {
                let connection = it.live.ok_or(PublishError::NotConnected)?;
                let packet = payload.split_first_chunk().and_then(|(code, rest)| {
                    Some((Opcode::of(u16::from_be_bytes(*code))?, rest.to_vec()))
                });
                let Some((opcode, payload)) = packet else { return Ok(()) };
                let sent = it.dispatcher.send(connection, opcode, payload).await;
                sent.map_err(|_| PublishError::NotConnected)
            }
        }
    }

    /// The next event, if there is one.
    pub(crate) fn try_recv(&mut self) -> Option<SessionEvent> {
        match self {
            Self::Mqtt { events, .. } => events.try_recv(),
            Self::Dispatcher(it) => loop {
                if let Some(event) = it.waiting.pop_front() {
                    return Some(event);
                }
                let happened = it.events.try_recv().ok()?;
                it.take(happened);
            },
        }
    }

    /// The next event; `None` once there will be none.
    pub(crate) async fn recv(&mut self) -> Option<SessionEvent> {
        match self {
            Self::Mqtt { events, .. } => events.recv().await,
            Self::Dispatcher(it) => loop {
                if let Some(event) = it.waiting.pop_front() {
                    return Some(event);
                }
                let happened = it.events.recv().await?;
                it.take(happened);
            },
        }
    }

    /// Whether a packet is about the gateway itself.
    pub(crate) fn is_administration(&self, payload: &[u8]) -> bool {
        let opcode = payload.first_chunk().and_then(|code| Opcode::of(u16::from_be_bytes(*code)));
        matches!((self, opcode), (Self::Dispatcher(_), Some(Opcode::Administration(_))))
    }

    /// Ends it in an orderly way.
    pub(crate) async fn close(self) {
        if let Self::Mqtt { session, .. } = self {
            session.close().await;
        }
    }
}

impl ToDispatcher {
    fn take(&mut self, happened: DispatcherEvent) {
        match happened {
            DispatcherEvent::Connected { connection, delivered } => {
                self.live = Some(connection);
                self.delivered(delivered);
                self.waiting.push_back(SessionEvent::Connected);
            }
            DispatcherEvent::Disconnected { reason, .. } => {
                self.live = None;
                self.waiting.push_back(SessionEvent::Disconnected { reason });
            }
            DispatcherEvent::Packet { opcode, payload } => match Down::read(opcode, &payload) {
                Some(Ok(Down::Delivered(delivered))) => self.delivered(delivered),
                _ if opcode == Administration::Time.into() => {}
                _ => {
                    let payload = [&opcode.code().to_be_bytes()[..], &payload].concat();
                    let (topic, payload) = (self.topic.clone(), payload.into());
                    self.waiting.push_back(SessionEvent::Received { topic, payload });
                }
            },
        }
    }

    /// All before a number is on the platform's disk: an acknowledgement for each message.
    fn delivered(&mut self, delivered: Delivered) {
        let before = std::mem::replace(&mut self.delivered, delivered);
        let is_same_epoch = before.epoch == delivered.epoch;
        let first = if is_same_epoch { before.next.saturating_add(1) } else { delivered.next };
        let numbers = first.min(delivered.next)..=delivered.next;
        let epoch = u64::from(delivered.epoch) << 32;
        let acknowledged =
            numbers.map(|next| SessionEvent::Acknowledged { message: epoch | u64::from(next) });
        self.waiting.extend(acknowledged);
    }
}
