//! The task behind a session: one connection after the other, each with an event loop of its own.
//!
//! How acknowledgements find their message numbers: the owner appends a number to `handed` under
//! the same lock under which it appends the publication to rumqttc's request queue, so both have
//! one order; rumqttc takes requests in that order and reports each with `Outgoing::Publish(packet
//! id)` before any acknowledgement of it can be reported. Taking one number per such report
//! therefore pairs number and packet id. All of it is made anew per connection.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::{Semaphore, mpsc, watch};
use tokio::time::Instant;

use super::client::{Client, EventLoop, Failure, Happened, event_loop};
use super::connection::{Connection, Dialer};
use super::shared::{
    IN_FLIGHT_LIMIT, Live, MqttVersion, PublicationRefusal, Queued, SessionEvent, SessionOptions,
    Shared,
};

/// First wait before connecting again; doubled per failure.
const BACK_OFF_FIRST: Duration = Duration::from_millis(20);
/// Longest wait before connecting again.
const BACK_OFF_LONGEST: Duration = Duration::from_secs(1);
/// How long a DISCONNECT may take to leave.
const FAREWELL_LIMIT: Duration = Duration::from_secs(1);
/// How a connection, or the attempt at one, ended.
enum End {
    /// The owner closed the session.
    Closed,
    /// Lost or never made; `progressed` when the broker took or gave at least one message.
    Lost { failure: Failure, progressed: bool },
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
    let mut version = options.version;
    let dialer = options.tls.as_ref().map(Dialer::new).transpose().map_err(|e| e.to_string());
    for connection in 1.. {
        let dialled = tokio::select! {
            () = closed(&mut closing) => return,
            dialled = dial(&options, dialer.as_ref()) => dialled,
        };
        let end = match dialled {
            Ok(tls) => {
                let place = (connection, version);
                connect_and_serve(&options, tls, &shared, &events, &mut closing, place).await
            }
            Err(reason) => End::Lost { failure: reason.into(), progressed: false },
        };
        if let Some(live) = shared.live().take() {
            live.window.close();
        }
        let End::Lost { failure, progressed } = end else { return };
        let Failure { reason, is_taken_over, is_refused, is_mute } = failure;
        shared.is_refused.store(is_refused, Ordering::Release);
        tracing::debug!(client = options.client_id, reason, "mqtt connection lost");
        let taken_over = is_taken_over.then_some(SessionEvent::TakenOver);
        for event in taken_over.into_iter().chain([SessionEvent::Disconnected { reason }]) {
            if events.send(Queued::Other(event)).is_err() {
                return;
            }
        }
        // For one connection only: a broker that is restarted speaks it the next time.
        let is_other = is_mute && version == MqttVersion::V5;
        version = if is_other { MqttVersion::V3 } else { options.version };
        if is_taken_over {
            // Who has the name now would be thrown out in turn: the owner may want to end instead.
            back_off = BACK_OFF_LONGEST;
        } else if progressed {
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
    (connection, version): (u64, MqttVersion),
) -> End {
    let lost = |failure: Failure| End::Lost { failure, progressed: false };
    let (client, mut event_loop) = match event_loop(options, version, tls.as_ref()) {
        Ok(made) => made,
        Err(reason) => return lost(reason.into()),
    };
    let set_up =
        tokio::time::timeout(options.connect_limit, set_up(options, &client, &mut event_loop));
    let early = tokio::select! {
        () = closed(closing) => return End::Closed,
        done = set_up => match done {
            Ok(Ok(early)) => early,
            Ok(Err(failure)) => return lost(failure),
            Err(_) => return lost(format!(
                "{} did not accept connection and subscriptions within {:?}",
                options.address, options.connect_limit
            ).into()),
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
    for (topic, payload) in early {
        if let Err(reason) = service.received(&topic, payload).await {
            return lost(reason.into());
        }
    }
    let failure = tokio::select! {
        // Leaving `serve` half-way drops at most whole packets from rumqttc's buffer, so a
        // DISCONNECT still fits on.
        () = closed(closing) => {
            farewell(options, shared, &client, &mut event_loop).await;
            drop(event_loop);
            if let Some(tls) = tls {
                tls.end(FAREWELL_LIMIT).await;
            }
            return End::Closed;
        }
        failure = service.serve(&mut event_loop) => failure,
    };
    let failure = Failure { is_mute: false, ..failure };
    End::Lost { failure, progressed: service.progressed }
}

/// Host and port of a broker's address.
pub(super) fn check_address(address: &str) -> Result<(&str, u16), String> {
    let bad = || format!("{address:?} is no broker address; write it as host:port");
    let (host, port) = address.rsplit_once(':').ok_or_else(bad)?;
    let port = port.parse::<u16>().map_err(|_| bad())?;
    if host.is_empty() { Err(bad()) } else { Ok((host, port)) }
}

/// Connects and subscribes; returns what arrived before the SUBACK, topics and payloads.
async fn set_up(
    options: &SessionOptions,
    client: &Client,
    event_loop: &mut EventLoop,
) -> Result<Vec<(Bytes, Bytes)>, Failure> {
    loop {
        match event_loop.poll(options).await {
            Ok(Happened::Accepted) => break,
            Ok(_) => {}
            Err(failure) if failure.is_mute => {
                let reason = format!("{}, to MQTT 5; 3.1.1 is tried next", failure.reason);
                return Err(Failure { reason, ..failure });
            }
            Err(failure) => return Err(failure),
        }
    }
    let mut early = Vec::new();
    if options.subscriptions.is_empty() {
        return Ok(early);
    }
    if !client.subscribe(&options.subscriptions) {
        return Err(format!("not a topic filter among {:?}", options.subscriptions).into());
    }
    loop {
        match event_loop.poll(options).await? {
            Happened::Granted(granted) => {
                check_granted(options, &granted)?;
                return Ok(early);
            }
            Happened::Received { topic, payload } => early.push((topic, payload)),
            _ => {}
        }
    }
}

fn check_granted(options: &SessionOptions, granted: &[bool]) -> Result<(), String> {
    if granted.len() != options.subscriptions.len() {
        return Err(format!(
            "the broker answered {} of {} subscriptions",
            granted.len(),
            options.subscriptions.len()
        ));
    }
    let refused: Vec<&str> = options
        .subscriptions
        .iter()
        .zip(granted)
        .filter(|(_, granted)| !**granted)
        .map(|(filter, _)| filter.as_str())
        .collect();
    if refused.is_empty() {
        return Ok(());
    }
    Err(format!("the broker refused the subscription to {}", refused.join(", ")))
}

/// Sends a DISCONNECT behind all that was handed over, and waits until it left.
async fn farewell(
    options: &SessionOptions,
    shared: &Shared,
    client: &Client,
    event_loop: &mut EventLoop,
) {
    // This DISCONNECT overtakes what has not left; rumqttc's other one waits for acknowledgements.
    let mut unsent =
        shared.live().as_ref().map_or(0, |live| live.handed.len() + usize::from(live.unsent));
    let left = async {
        while unsent > 0 {
            match event_loop.poll(options).await {
                Ok(Happened::Left(_)) => unsent -= 1,
                Ok(_) => {}
                Err(_) => return,
            }
        }
        if !client.disconnect_now() {
            return;
        }
        while let Ok(event) = event_loop.poll(options).await {
            if matches!(event, Happened::Farewell) {
                return;
            }
        }
    };
    // Out of time, the connection is cut instead.
    let _ = tokio::time::timeout(FAREWELL_LIMIT, left).await;
}

struct Service<'a> {
    options: &'a SessionOptions,
    shared: &'a Shared,
    events: &'a mpsc::UnboundedSender<Queued>,
    /// In the order in which they left, hence with rising deadlines.
    outstanding: VecDeque<Outstanding>,
    progressed: bool,
}

impl Service<'_> {
    /// Carries messages until the connection is lost; returns why.
    async fn serve(&mut self, event_loop: &mut EventLoop) -> Failure {
        loop {
            let poll = event_loop.poll(self.options);
            let polled = match self.outstanding.front() {
                None => poll.await,
                Some(oldest) => {
                    let message = oldest.message;
                    let Ok(polled) = tokio::time::timeout_at(oldest.deadline, poll).await else {
                        let limit = self.options.acknowledge_limit;
                        let what = "no acknowledgement of message";
                        return format!("{what} {message} within {limit:?}").into();
                    };
                    polled
                }
            };
            let handled = match polled {
                Ok(happened) => self.handle(happened).await.map_err(Failure::from),
                Err(failure) => {
                    self.rescue(event_loop).await;
                    Err(failure)
                }
            };
            if let Err(failure) = handled {
                return failure;
            }
        }
    }

    async fn handle(&mut self, happened: Happened) -> Result<(), String> {
        match happened {
            // Packets of QoS 0 have no number.
            Happened::Left(0) => {
                if let Some(live) = self.shared.live().as_mut() {
                    live.unsent = live.unsent.saturating_sub(1);
                }
                Ok(())
            }
            Happened::Left(packet) => self.left(packet),
            Happened::Acknowledged { packet, refusal } => self.acknowledged(packet, refusal),
            Happened::Received { topic, payload } => self.received(&topic, payload).await,
            _ => Ok(()),
        }
    }

    /// rumqttc reads several packets at once and, when the connection ends among them, reports the
    /// end first. What came before it is still in its queue: acknowledgements there would otherwise
    /// cost a repetition each.
    async fn rescue(&mut self, event_loop: &mut EventLoop) {
        while let Some(happened) = event_loop.left_over() {
            // The packet that broke the connection is in the queue too, and is the last that
            // counts.
            if self.handle(happened).await.is_err() {
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

    fn acknowledged(
        &mut self,
        packet: u16,
        refusal: Option<PublicationRefusal>,
    ) -> Result<(), String> {
        // Brokers acknowledge in order as a rule, so this looks at the first entry only.
        let at = self.outstanding.iter().position(|outstanding| outstanding.packet == packet);
        let found = at.and_then(|at| self.outstanding.remove(at)).ok_or_else(|| {
            format!("the broker acknowledged packet {packet}, which was not waiting for it")
        })?;
        self.progressed = true;
        if let Some(live) = self.shared.live().as_ref() {
            live.window.add_permits(1);
        }
        let message = found.message;
        self.send(match refusal {
            None => SessionEvent::Acknowledged { message },
            Some(refusal) => SessionEvent::Refused { message, refusal },
        })
    }

    /// Hands a received message to the owner, waiting for room with a limit.
    async fn received(&mut self, topic: &[u8], payload: Bytes) -> Result<(), String> {
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
        let topic = String::from_utf8(topic.to_vec())
            .map_err(|_| "the broker sent a topic that is not UTF-8".to_owned())?;
        self.send(SessionEvent::Received { topic, payload })
    }

    fn send(&self, event: SessionEvent) -> Result<(), String> {
        self.events
            .send(Queued::Other(event))
            .map_err(|_| "the session's events are not taken any more".to_owned())
    }
}
