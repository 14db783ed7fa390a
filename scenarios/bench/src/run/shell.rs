//! The I/O around one client: moves it, carries its messages, brings it what arrives.
//!
//! The client itself is a synchronous machine that knows no sockets; everything it is given and
//! everything it puts out is a message. Between two sync points shells run ahead concurrently; what
//! arrives for a device is kept in the inbox and handed over at sync points only, so that the
//! order of network packets never reaches the record.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use lastmeter_can::capture::Captured;
use lastmeter_devices::{
    BoardDevice, BoardInput, BoardOutput, DeviceFault, EventKind, GatewayInput, PageAnswer,
    PageRequest,
};
use lastmeter_link::mqtt::{PublishError, SessionEvent};
use lastmeter_record::Event;
use lastmeter_units::SimTime;
use lastmeter_wire::rest::Request;

use super::board::BoardShell;
use super::carried::Carried;
use super::client::Client;
use super::client_output::{ClientOutput, LinkEvent};
use super::connection::Connection;
use super::device_note::DeviceNote;
use super::error::BenchError;
use super::exchanges::BusExchange;
use super::field::Field;
use super::ledger::{AnnouncedReading, SentReading};
use super::modelled::{ReleasedReading, Uplink};
use super::mqtt_port::MqttPort;
use super::notices::{NoticeKey, NoticeNews, SentMessage};

/// How long a message may take to be acknowledged, or to arrive, in wall time.
pub(crate) const DELIVERY_LIMIT: Duration = Duration::from_mins(1);

/// One client with its connection.
pub(crate) struct Shell {
    pub(crate) parts: ShellParts,
    outputs: Vec<ClientOutput>,
    inbox: Vec<(String, Bytes)>,
    /// Messages of the platform that have arrived so far.
    pub(crate) received: u64,
    /// As many of them as the platform is known to have sent.
    settled: u64,
    /// Connections made so far. How often one broke is chance, and for `run.json` only.
    pub(crate) connections: u64,
    is_up: bool,
    /// Since when a link that is broken keeps the client from its connection.
    cut_since: Option<SimTime>,
    last_loss: Option<String>,
    /// Readings by their device; so are those sent.
    pub(crate) made: Vec<(usize, AnnouncedReading)>,
    pub(crate) sent: Vec<(usize, SentReading)>,
    /// Frames of readings that have reached their gateway.
    pub(crate) carried: Vec<(usize, Carried)>,
    /// What was asked and answered on its buses since it was last taken.
    pub(crate) exchanged: Vec<(usize, u32, BusExchange)>,
    /// What passed on its buses since it was last taken, by the number of the network.
    pub(crate) captured: Vec<(usize, SimTime, Captured)>,
    /// The devices whose breakers acted, and whether they closed.
    pub(crate) switched: Vec<(usize, bool)>,
    /// What its gateway has asked of the platform's REST, and was not answered.
    asked: Vec<Request>,
    /// What its gateway has answered of pages, by the number of the request.
    paged: Vec<(u64, PageAnswer)>,
    /// What became of alerts and answers.
    pub(crate) notices: Vec<NoticeNews>,
    /// By their messages: those that are not acknowledged.
    open_notices: BTreeMap<u64, NoticeKey>,
    /// By the name of a device or gateway.
    pub(crate) notes: Vec<Event>,
    pub(crate) published: u64,
    /// What has left for the platform, where the run records modelled latency.
    pub(crate) left: Option<Vec<ReleasedReading>>,
    /// The highest message number so far; a lower one comes again.
    last_message: u64,
}

pub(crate) struct ShellParts {
    pub(crate) client: Client,
    /// Its index among the clients: devices first, then gateways, in the scenario's order.
    pub(crate) index: usize,
    /// The index of the link that its connection passes.
    pub(crate) via: Option<usize>,
    pub(crate) port: MqttPort,
    pub(crate) connection: Connection,
    /// Counts the acknowledgements of all devices of the run.
    pub(crate) acknowledged: Arc<AtomicU64>,
    /// The modelled link to the platform; without one messages leave at once.
    pub(crate) uplink: Option<Uplink>,
    /// Whether the run records modelled latency.
    pub(crate) records_latency: bool,
    /// The board that its device is.
    pub(crate) board: Option<BoardShell>,
}

impl Shell {
    pub(crate) fn new(parts: ShellParts) -> Self {
        Self {
            outputs: Vec::new(),
            inbox: Vec::new(),
            received: 0,
            settled: 0,
            connections: 0,
            is_up: false,
            cut_since: None,
            last_loss: None,
            made: Vec::new(),
            sent: Vec::new(),
            carried: Vec::new(),
            exchanged: Vec::new(),
            captured: Vec::new(),
            switched: Vec::new(),
            asked: Vec::new(),
            paged: Vec::new(),
            notices: Vec::new(),
            open_notices: BTreeMap::new(),
            notes: Vec::new(),
            published: 0,
            left: parts.records_latency.then(Vec::new),
            last_message: 0,
            parts,
        }
    }

    /// What its client is called.
    pub(crate) fn name(&self) -> &str {
        self.parts.client.name()
    }

    /// Whether its client is a gateway that carries frames unread.
    pub(crate) fn carries_unread(&self) -> bool {
        matches!(self.parts.connection, Connection::Dispatcher(_))
    }

    /// When the oldest message was handed over that its link holds back.
    pub(crate) fn oldest_held(&self) -> Option<SimTime> {
        let held = self.parts.uplink.as_ref().and_then(Uplink::oldest);
        held.into_iter().chain(self.cut_since).chain(self.oldest_on_air()).min()
    }

    /// What was asked on its buses and has no answer will have none: the run is over.
    pub(crate) fn finish_exchanges(&mut self) {
        let mut out = Vec::new();
        if let Some(field) = self.parts.client.field_mut() {
            field.finish(&mut out);
        }
        self.exchanged.extend(out.into_iter().filter_map(|output| match output {
            ClientOutput::Exchanged { device, identifier, exchange } => {
                Some((device, identifier, exchange))
            }
            _ => None,
        }));
    }

    /// When the oldest reading was made that is on its way to the gateway.
    pub(crate) fn oldest_on_air(&self) -> Option<SimTime> {
        self.parts.client.field().and_then(Field::oldest_on_air)
    }

    /// Runs the client up to and including an instant, sending what it puts out on the way.
    pub(crate) async fn run_to(&mut self, until: SimTime) -> Result<(), BenchError> {
        while self.parts.client.now() < until {
            self.parts.client.step(until, &mut self.outputs);
            self.parts.connection.set_time(self.parts.client.now());
            self.carry().await?;
            self.exchange().await?;
            self.release(self.parts.client.now()).await?;
            // Parties share the runtime's threads with everybody's sockets.
            tokio::task::yield_now().await;
        }
        Ok(())
    }

    /// Lets the networks behind a gateway do what they do at the very start.
    pub(crate) async fn begin(&mut self) -> Result<(), BenchError> {
        if let Some(field) = self.parts.client.field_mut() {
            field.step(field.now, &mut self.outputs);
        }
        self.carry().await
    }

    /// Injects a fault into a device at the present instant.
    pub(crate) async fn fault(
        &mut self,
        device: usize,
        fault: DeviceFault,
    ) -> Result<(), BenchError> {
        self.parts.client.fault(device, fault, &mut self.outputs);
        self.carry().await?;
        self.exchange().await
    }

    /// Brings its board's answers to the device, until it waits for none.
    async fn exchange(&mut self) -> Result<(), BenchError> {
        while let Some(wait) = self.parts.client.board().and_then(|own| own.board_wait()) {
            let Some(board) = &mut self.parts.board else { break };
            let news = board.next(wait.limit).await;
            self.parts.client.of_board(news, &mut self.outputs);
            self.carry().await?;
        }
        match self.parts.client.board().and_then(|own| own.board_fault()) {
            Some(why) => Err(BenchError::Board(why)),
            None => Ok(()),
        }
    }

    /// Sends what the client has put out, and takes note of what is not for the platform.
    async fn carry(&mut self) -> Result<(), BenchError> {
        loop {
            let outputs = std::mem::take(&mut self.outputs);
            let for_board = self.parts.client.board().map(BoardDevice::take_board_output);
            let for_board = for_board.unwrap_or_default();
            if outputs.is_empty() && for_board.is_empty() {
                // What has happened on the connection may lead to more.
                match self.parts.connection.try_recv() {
                    Some(event) => self.take(event),
                    None => return Ok(()),
                }
                continue;
            }
            for output in outputs {
                match output {
                    ClientOutput::Send { message, owner, at, payload } => {
                        self.hand_over((message, owner), at, payload.into()).await?;
                    }
                    ClientOutput::Reading { device, made } => self.made.push((device, made)),
                    ClientOutput::Sent { device, sent } => self.sent.push((device, sent)),
                    ClientOutput::Carried { device, carried } => {
                        self.carried.push((device, carried));
                    }
                    ClientOutput::Exchanged { device, identifier, exchange } => {
                        self.exchanged.push((device, identifier, exchange));
                    }
                    ClientOutput::Captured { network, at, captured } => {
                        self.captured.push((network, at, captured));
                    }
                    ClientOutput::Switched { device, is_closed } => {
                        self.switched.push((device, is_closed));
                    }
                    ClientOutput::Note { of, note } => self.notes.push(note.event(&of)),
                    ClientOutput::Event(event) => self.notes.push(*event),
                    ClientOutput::Asked(request) => self.asked.push(request),
                    ClientOutput::Paged { number, answer } => self.paged.push((number, answer)),
                    ClientOutput::Failed { of, why } => return Err(BenchError::device(&of, why)),
                    // There are no real lines in virtual time, and nobody else asks.
                    ClientOutput::ToLine { .. }
                    | ClientOutput::Reopen { .. }
                    | ClientOutput::Answered { .. } => {}
                }
            }
            for output in for_board {
                let Some(board) = &mut self.parts.board else { break };
                match output {
                    BoardOutput::Bytes { port, bytes } => {
                        if let Err(reason) = board.write(port, &bytes).await {
                            let lost = BoardInput::Lost { reason };
                            self.parts.client.of_board(lost, &mut self.outputs);
                        }
                    }
                    BoardOutput::Order(order) => board.order(order).map_err(BenchError::Board)?,
                }
            }
        }
    }

    /// Gives one message to the modelled link, or straight to the network.
    async fn hand_over(
        &mut self,
        (message, owner): (u64, String),
        reading_at: SimTime,
        payload: Bytes,
    ) -> Result<(), BenchError> {
        let topic = self.parts.port.topic(&owner, &payload);
        let sent = match SentMessage::read(&topic, &payload) {
            Some(SentMessage::Reading(sent)) => self.parts.client.device(&owner).zip(Some(sent)),
            Some(SentMessage::Notice(notice)) => {
                self.open_notices.extend(notice.key().map(|key| (message, key)));
                self.notices.push(NoticeNews::Sent(notice));
                None
            }
            None => None,
        };
        let is_new = message > self.last_message;
        self.last_message = message.max(self.last_message);
        // A reading is handed over when it is due; the rest at the present instant.
        let at = if sent.is_some() { reading_at } else { self.parts.client.now() };
        if let Some(uplink) = &mut self.parts.uplink {
            if is_new {
                self.sent.extend(sent);
                uplink.hand_over(at, (message, owner), topic, payload);
                return Ok(());
            }
            if uplink.holds(message) {
                return Ok(());
            }
        } else if let (Some(left), Some((device, sent)), true) = (&mut self.left, &sent, is_new) {
            let (device, key, bytes) = (*device, sent.key, payload.len());
            left.push(ReleasedReading { device, key, handed: at, released: at, bytes });
        }
        self.published += 1;
        self.sent.extend(sent);
        self.publish(message, &topic, payload).await
    }

    /// Sends what the modelled link releases by an instant.
    pub(crate) async fn release(&mut self, by: SimTime) -> Result<(), BenchError> {
        while let Some(held) = self.parts.uplink.as_mut().and_then(|uplink| uplink.released(by)) {
            let device = self.parts.client.device(&held.owner);
            let sent = device.zip(SentReading::read(&held.payload));
            if let (Some(left), Some((device, sent))) = (&mut self.left, sent) {
                let (handed, released, bytes) = (held.handed, held.release, held.payload.len());
                left.push(ReleasedReading { device, key: sent.key, handed, released, bytes });
            }
            self.published += 1;
            self.publish(held.message, &held.topic, held.payload).await?;
        }
        Ok(())
    }

    /// Sends everything the modelled link still holds, however late that is.
    pub(crate) async fn release_all(&mut self) -> Result<(), BenchError> {
        match self.parts.uplink.as_ref().and_then(Uplink::last_release) {
            Some(last) => self.release(last).await,
            None => Ok(()),
        }
    }

    /// Hands one message to the link; waits while too many are in flight.
    async fn publish(
        &mut self,
        message: u64,
        topic: &str,
        payload: Bytes,
    ) -> Result<(), BenchError> {
        let publish = self.parts.connection.publish(message, topic, payload);
        match tokio::time::timeout(DELIVERY_LIMIT, publish).await {
            // Without a connection the outbox keeps the message until there is one again.
            Ok(Ok(()) | Err(PublishError::NotConnected)) => Ok(()),
            Ok(Err(error @ (PublishError::Topic { .. } | PublishError::TooLarge { .. }))) => {
                Err(BenchError::device(self.name(), error.to_string()))
            }
            Err(_) => Err(BenchError::timed_out(
                format!("room to send a message of device `{}`", self.name()),
                DELIVERY_LIMIT,
            )),
        }
    }

    fn take(&mut self, event: SessionEvent) {
        match event {
            SessionEvent::Connected => {
                self.connections += 1;
                self.is_up = true;
                if self.cut_since.is_none() {
                    self.notify(LinkEvent::Connected);
                }
            }
            SessionEvent::Disconnected { reason } => {
                self.last_loss = Some(reason);
                self.is_up = false;
                self.forget_unsettled();
                self.notify(LinkEvent::Disconnected);
            }
            SessionEvent::Acknowledged { message } | SessionEvent::Refused { message, .. } => {
                self.parts.acknowledged.fetch_add(1, Ordering::Relaxed);
                let notice = self.open_notices.remove(&message);
                self.notices.extend(notice.map(NoticeNews::Acknowledged));
                self.notify(LinkEvent::Acknowledged { message });
            }
            SessionEvent::Received { topic, payload } => {
                // What is for the gateway itself is no message that the platform counts.
                match self.parts.port.recipient(&topic).cloned() {
                    Some(owner) if self.parts.connection.is_administration(&payload) => {
                        self.notify(LinkEvent::Received { owner, payload: payload.to_vec() });
                    }
                    _ => {
                        self.received += 1;
                        self.inbox.push((topic, payload));
                    }
                }
            }
            SessionEvent::TakenOver => {}
        }
    }

    /// A connection of a gateway that dials has ended: what a platform that died has sent over it
    /// since the last sync point is lost. How much of it got through is chance.
    fn forget_unsettled(&mut self) {
        if self.carries_unread() {
            let unsettled = usize::try_from(self.received - self.settled).unwrap_or_default();
            self.inbox.truncate(self.inbox.len().saturating_sub(unsettled));
            self.received = self.settled;
        }
    }

    fn notify(&mut self, what: LinkEvent) {
        self.parts.client.on_link_event(what, &mut self.outputs);
    }

    /// Waits until a condition holds, taking in events and sending what they lead to.
    async fn until(
        &mut self,
        what: &str,
        holds: impl Fn(&Self) -> bool + Send,
    ) -> Result<(), BenchError> {
        let waited = tokio::time::timeout(DELIVERY_LIMIT, async {
            loop {
                self.carry().await?;
                if holds(self) {
                    return Ok(());
                }
                let Some(event) = self.parts.connection.recv().await else {
                    let message = "its connection ended for good";
                    return Err(BenchError::device(self.name(), message));
                };
                self.take(event);
            }
        })
        .await;
        waited.unwrap_or_else(|_| {
            let lost = self.last_loss.as_ref();
            let lost = lost.map(|reason| format!(" (last connection lost: {reason})"));
            let what = format!("{what}{}", lost.unwrap_or_default());
            Err(BenchError::timed_out(what, DELIVERY_LIMIT))
        })
    }

    /// Waits for a connection after so many.
    pub(crate) async fn connected_after(&mut self, connections: u64) -> Result<(), BenchError> {
        let what = format!("device `{}` to connect to the platform's broker", self.name());
        self.until(&what, |shell| shell.connections > connections).await
    }

    /// Waits until everything the device has sent is acknowledged.
    pub(crate) async fn drained(&mut self) -> Result<(), BenchError> {
        let what = format!("the acknowledgement of the messages of device `{}`", self.name());
        let is_drained = |shell: &Self| {
            let held = shell.parts.uplink.as_ref().map_or(0, Uplink::len);
            shell.cut_since.is_some() || shell.parts.client.unacknowledged() == held
        };
        self.until(&what, is_drained).await
    }

    /// The link is broken: the client has no connection until it is mended.
    pub(crate) fn cut(&mut self) {
        self.cut_since.get_or_insert(self.parts.client.now());
        self.notify(LinkEvent::Disconnected);
    }

    pub(crate) fn mend(&mut self) {
        if self.cut_since.take().is_some() && self.is_up {
            self.notify(LinkEvent::Connected);
        }
    }

    /// Its gateway loses its supply and starts again.
    pub(crate) fn restart(&mut self) {
        self.parts.client.restart(&mut self.outputs);
    }

    /// Waits until so many messages have arrived for the device since the run began.
    pub(crate) async fn arrived(&mut self, total: u64) -> Result<(), BenchError> {
        let what = format!("message {total} of the platform to device `{}`", self.name());
        self.until(&what, |shell| shell.received >= total).await?;
        self.settled = self.received;
        Ok(())
    }

    /// Whether its client waits for what the platform answers to a request of its own.
    pub(crate) fn awaits_answer(&self) -> bool {
        self.cut_since.is_none() && self.parts.client.awaits_answer()
    }

    /// Hands what has arrived to the device, at the present instant; returns whether there was any.
    pub(crate) async fn deliver(&mut self) -> Result<bool, BenchError> {
        // What came over a connection that is broken by now waits until it is mended.
        if self.cut_since.is_some() && self.carries_unread() {
            return Ok(false);
        }
        let mut inbox = std::mem::take(&mut self.inbox);
        if inbox.is_empty() {
            return Ok(false);
        }
        // Ordered by content, not by arrival: the platform's sending order is no part of the
        // contract, and the record must not depend on it.
        inbox.sort();
        for (topic, payload) in inbox {
            match self.parts.port.recipient(&topic).cloned() {
                Some(owner) => {
                    self.notify(LinkEvent::Received { owner, payload: payload.to_vec() });
                }
                None => self.refuse(&topic),
            }
        }
        self.carry().await?;
        Ok(true)
    }

    /// What its gateway has asked of REST since, in the order of numbers.
    pub(crate) fn take_asked(&mut self) -> Vec<Request> {
        let mut asked = std::mem::take(&mut self.asked);
        asked.sort_by_key(|request| request.number);
        asked
    }

    /// Whether a link that is broken keeps its client from the platform.
    pub(crate) fn is_cut(&self) -> bool {
        self.cut_since.is_some()
    }

    /// Hands its gateway what is on no line: an answer to a request, a message of a topic.
    pub(crate) async fn hand(&mut self, input: GatewayInput) -> Result<(), BenchError> {
        if let Some(field) = self.parts.client.field_mut() {
            field.hand(input, &mut self.outputs);
        }
        self.carry().await
    }

    /// Asks its gateway for a page at the present instant; what it answers, if it does.
    pub(crate) async fn page(
        &mut self,
        number: u64,
        request: PageRequest,
    ) -> Result<Option<PageAnswer>, BenchError> {
        if let Some(field) = self.parts.client.field_mut() {
            field.hand(GatewayInput::Page { number, request }, &mut self.outputs);
        }
        self.carry().await?;
        let mut paged = self.paged.drain(..);
        Ok(paged.find(|(of, _)| *of == number).map(|(_, answer)| answer))
    }

    /// The same once the run is over ([`Field::page_aside`]).
    pub(crate) fn page_aside(&mut self, now: SimTime, request: PageRequest) -> Option<PageAnswer> {
        self.parts.client.field_mut()?.page_aside(now, request)
    }

    /// Notes a message that was not asked for.
    fn refuse(&mut self, topic: &str) {
        let detail = format!("a message under `{topic}`, which was not subscribed");
        let (at, kind) = (self.parts.client.now(), EventKind::InputRefused.word());
        let note = DeviceNote::new(at, kind, detail);
        self.notes.push(note.event(self.name()));
    }

    /// Ends the connection in an orderly way.
    pub(crate) async fn close(self) {
        self.parts.connection.close().await;
        if let Some(board) = self.parts.board {
            // Nothing is to be done to one that is emulated.
            let _ = board.close().await;
        }
    }
}
