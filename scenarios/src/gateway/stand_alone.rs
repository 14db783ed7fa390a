//! Runs a gateway by itself: on real lines, with a durable outbox, against any MQTT broker.
//!
//! One task moves the machine; records are written before it does anything else, so that what is
//! sent is durable whenever the process dies.

use std::collections::{BTreeSet, VecDeque};
use std::path::Path;
use std::time::Duration;

use bytes::Bytes;
use lastmeter_devices::{Gateway, GatewayInput, GatewayOutput};
use lastmeter_link::channel::{Channel, ChannelEvent};
use lastmeter_link::clock::monotonic_ns;
use lastmeter_link::mqtt::{PublishError, Session, SessionEvent, SessionEvents};
use lastmeter_units::{SimDuration, SimTime};
use tokio::sync::mpsc;

use super::kept::{Kept, KeptError};
use crate::output::print_err;
use crate::run::{MqttPort, wall_now};

/// What a gateway on real lines is made of.
pub(super) struct StandAlone {
    pub(super) gateway: Box<dyn Gateway>,
    pub(super) kept: Kept,
    pub(super) port: MqttPort,
    pub(super) session: Session,
    pub(super) events: SessionEvents,
    pub(super) lines: Vec<Channel>,
    /// For each line the rate it was last set to.
    pub(super) rates: Vec<u32>,
    /// Why there is no connection to the broker, as far as it was told since there was one.
    pub(super) told: Vec<String>,
}

/// How long the first step waits for somebody at the lines: a search would find nobody there.
const LINES_LIMIT: Duration = Duration::from_secs(1);
/// Events of all lines that wait: few, so that answers on one line are not late for a flood on
/// another.
const LINE_EVENTS_LIMIT: usize = 16;
/// Most reasons without a connection that are told; a broker can make up any number.
const TOLD_LIMIT: usize = 16;

/// A message the link has not taken yet.
struct Waiting {
    message: u64,
    topic: String,
    payload: Bytes,
}

/// Event time by a monotonic clock that began at a wall time.
#[derive(Clone, Copy)]
struct Clock {
    wall: SimTime,
    monotonic_ns: i64,
}

impl Clock {
    fn start() -> Self {
        Self { wall: wall_now(), monotonic_ns: monotonic_ns() }
    }

    fn at(&self, at_ns: i64) -> SimTime {
        self.wall + SimDuration(at_ns - self.monotonic_ns)
    }

    fn now(&self) -> SimTime {
        self.at(monotonic_ns())
    }
}

/// What happens at one of the lines.
enum OnLine {
    Event(usize, ChannelEvent),
}

/// Why it ended before it was told to.
#[derive(Debug, thiserror::Error)]
pub(super) enum StandAloneError {
    /// What is to be durable cannot be written.
    #[error(transparent)]
    Kept(#[from] KeptError),
    /// The broker is not to be had any more.
    #[error("{0}")]
    Session(String),
}

impl StandAlone {
    /// Moves the gateway until `end` is over.
    #[expect(clippy::disallowed_methods, reason = "it waits for when the gateway wants to go on")]
    pub(super) async fn run(
        mut self,
        end: impl Future<Output = ()>,
    ) -> Result<(), StandAloneError> {
        let clock = Clock::start();
        let count = self.lines.len();
        let (to_lines, mut from_lines) = spawn_lines(std::mem::take(&mut self.lines));
        let mut waiting = VecDeque::new();
        let mut end = std::pin::pin!(end);
        tokio::select! {
            () = &mut end => {
                self.session.close().await;
                return Ok(());
            }
            () = lines_begin(count, &mut from_lines) => {}
        }
        self.step(clock.now(), GatewayInput::Wake, &to_lines, &mut waiting).await?;
        loop {
            let wake = self.gateway.wake_at().map_or(Duration::from_hours(1), |at| {
                Duration::from_nanos(u64::try_from((at - clock.now()).0).unwrap_or(0))
            });
            let has_waiting = !waiting.is_empty();
            // In no fixed order: a line that floods must not keep the broker from being served.
            let input = tokio::select! {
                () = &mut end => {
                    self.session.close().await;
                    return Ok(());
                }
                event = from_lines.recv() => match event {
                    Some(OnLine::Event(line, event)) => on_line(line, event),
                    None => None,
                },
                event = self.events.recv() => {
                    let Some(event) = event else {
                        let what = "the session with the broker ended for good".to_owned();
                        return Err(StandAloneError::Session(what));
                    };
                    self.on_session(event, &mut waiting)
                }
                handed = hand_over(&self.session, waiting.front()), if has_waiting => {
                    handed_over(handed, &mut waiting)?;
                    None
                }
                () = tokio::time::sleep(wake) => Some((None, GatewayInput::Wake)),
            };
            if let Some((at_ns, input)) = input {
                let now = at_ns.map_or_else(|| clock.now(), |at_ns| clock.at(at_ns));
                self.step(now, input, &to_lines, &mut waiting).await?;
            }
        }
    }

    /// Tells the gateway something, and does what it says.
    async fn step(
        &mut self,
        now: SimTime,
        input: GatewayInput,
        to_lines: &[mpsc::Sender<ToLine>],
        waiting: &mut VecDeque<Waiting>,
    ) -> Result<(), StandAloneError> {
        let mut out = Vec::new();
        self.gateway.step(now, input, &mut out);
        while !out.is_empty() {
            let (mut records, mut forgotten) = (Vec::new(), None);
            for output in std::mem::take(&mut out) {
                match output {
                    GatewayOutput::Send { message, owner, payload } => {
                        let topic = self.port.topic(owner.as_str());
                        waiting.push_back(Waiting { message, topic, payload: payload.into() });
                    }
                    GatewayOutput::Bytes { network, bits_per_second, bytes, .. } => {
                        if let Some(line) = to_lines.get(network) {
                            let rate = self.rates.get_mut(network);
                            let is_new = rate.is_some_and(|rate| {
                                std::mem::replace(rate, bits_per_second) != bits_per_second
                            });
                            let baud = is_new.then_some(bits_per_second);
                            // A line that is gone has reported why.
                            let _ = line.send(ToLine { baud, bytes }).await;
                        }
                    }
                    GatewayOutput::Keep { number, record } => records.push((number, record)),
                    GatewayOutput::Forget { upto } => forgotten = Some(upto),
                    GatewayOutput::Event { kind, detail } => {
                        print_err(&format!("{now} {}: {detail}", kind.word()));
                    }
                }
            }
            if let Some((last, _)) = records.last() {
                let number = *last;
                self.kept.keep(&records)?;
                self.gateway.step(now, GatewayInput::Kept { number }, &mut out);
            }
            // Whatever replaces it has been written before.
            if let Some(upto) = forgotten {
                self.kept.forget(upto)?;
            }
        }
        Ok(())
    }

    fn on_session(
        &mut self,
        event: SessionEvent,
        waiting: &mut VecDeque<Waiting>,
    ) -> Option<(Option<i64>, GatewayInput)> {
        let input = match event {
            SessionEvent::Connected => {
                print_err("the broker accepted the connection");
                self.told.clear();
                GatewayInput::Connected
            }
            SessionEvent::Disconnected { reason } => {
                if !self.told.contains(&reason) && self.told.len() < TOLD_LIMIT {
                    print_err(&format!("no connection to the broker: {reason}"));
                    self.told.push(reason);
                }
                waiting.clear();
                GatewayInput::Disconnected
            }
            SessionEvent::Acknowledged { message } => GatewayInput::Acknowledged { message },
            SessionEvent::Received { topic, payload } => {
                let owner = self.port.recipient(&topic)?.clone();
                GatewayInput::Command { owner, payload: payload.to_vec() }
            }
        };
        Some((None, input))
    }
}

/// Bytes for a line, at a new rate if it says one.
struct ToLine {
    baud: Option<u32>,
    bytes: Vec<u8>,
}

/// Serves each line in a task of its own, so that a slow one holds up no other.
fn spawn_lines(lines: Vec<Channel>) -> (Vec<mpsc::Sender<ToLine>>, mpsc::Receiver<OnLine>) {
    let (events, from_lines) = mpsc::channel(LINE_EVENTS_LIMIT);
    let mut to_lines = Vec::new();
    for (number, mut line) in lines.into_iter().enumerate() {
        let (to_line, mut sends) = mpsc::channel::<ToLine>(64);
        to_lines.push(to_line);
        let events = events.clone();
        tokio::spawn(async move {
            loop {
                tokio::select! {
                    event = line.recv() => {
                        if events.send(OnLine::Event(number, event)).await.is_err() {
                            return;
                        }
                    }
                    sent = sends.recv() => {
                        let Some(ToLine { baud, bytes }) = sent else { return };
                        if let Some(baud) = baud {
                            line.set_baud(baud).await;
                        }
                        // Why a line is lost is an event of its own, told once.
                        let _ = line.send(&bytes).await;
                    }
                }
            }
        });
    }
    (to_lines, from_lines)
}

/// Until each line has somebody or is known to have nobody, and no longer than [`LINES_LIMIT`].
async fn lines_begin(count: usize, from_lines: &mut mpsc::Receiver<OnLine>) {
    let all = async {
        let mut waiting: BTreeSet<usize> = (0..count).collect();
        while !waiting.is_empty() {
            // Bytes that nobody has asked for are of no interest.
            let Some(OnLine::Event(line, event)) = from_lines.recv().await else { return };
            if !matches!(event, ChannelEvent::Arrived { .. }) {
                waiting.remove(&line);
            }
            on_line(line, event);
        }
    };
    // Who comes later is welcome.
    let _ = tokio::time::timeout(LINES_LIMIT, all).await;
}

fn on_line(line: usize, event: ChannelEvent) -> Option<(Option<i64>, GatewayInput)> {
    match event {
        ChannelEvent::Up => {
            print_err(&format!("line {}: somebody is there", line + 1));
            Some((None, GatewayInput::LineUp { network: line }))
        }
        ChannelEvent::Down { reason } => {
            print_err(&format!("line {}: nobody is there: {reason}", line + 1));
            None
        }
        ChannelEvent::Arrived { at_ns, bytes } => {
            Some((Some(at_ns), GatewayInput::Bytes { network: line, lane: None, bytes }))
        }
    }
}

async fn hand_over(session: &Session, first: Option<&Waiting>) -> Result<(), PublishError> {
    let Some(first) = first else { return Ok(()) };
    session.publish(first.message, first.topic.clone(), first.payload.clone()).await
}

fn handed_over(
    handed: Result<(), PublishError>,
    waiting: &mut VecDeque<Waiting>,
) -> Result<(), StandAloneError> {
    match handed {
        // Without a connection the outbox keeps everything until there is one again.
        Err(PublishError::NotConnected) => waiting.clear(),
        Ok(()) => {
            waiting.pop_front();
        }
        Err(error @ (PublishError::Topic { .. } | PublishError::TooLarge { .. })) => {
            return Err(StandAloneError::Session(error.to_string()));
        }
    }
    Ok(())
}

/// The password in a file, without the line end after it.
pub(super) fn password(path: &Path) -> Result<String, String> {
    let text = std::fs::read_to_string(path)
        .map_err(|error| format!("cannot read {}: {error}", path.display()))?;
    Ok(text.trim_end_matches(['\r', '\n']).to_owned())
}
