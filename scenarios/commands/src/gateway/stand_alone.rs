//! Runs a gateway by itself: on real lines, with a durable outbox, against any MQTT broker.
//!
//! One task moves the machine; a thread beside it writes the records, and the machine sends a
//! message only when it is known that its record is durable.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::Duration;

use lastmeter_bench::host::wall_now;
use lastmeter_bench::lines::Lines;
use lastmeter_bench::output::{print_err, read_text};
use lastmeter_bench::run::{MqttPort, Outgoing, Timeline};
use lastmeter_bench::stop::or_never;
use lastmeter_devices::{Gateway, GatewayInput, GatewayOutput, Metric};
use lastmeter_link::channel::ChannelEvent;
use lastmeter_link::clock::monotonic_ns;
use lastmeter_link::mqtt::{Session, SessionEvent, SessionEvents};
use lastmeter_rts::point_map::is_filter_of;
use lastmeter_units::{HardwareId, SimDuration, SimTime};
use lastmeter_wire::topics::{self, TENANT};

use tokio::signal::unix::Signal;
use tokio::sync::mpsc;

use super::answers::{Presence, difference, metrics};
use super::flow::Flow;
use super::http::{Answer, PendingRequest, Question};
use super::keeper::Keeper;
use super::kept::KeptError;
use super::sources::Sources;

/// What is asked over HTTP, if it answers there.
pub(super) type Questions = Option<mpsc::Receiver<PendingRequest>>;

/// What a gateway on real lines is made of.
pub(super) struct StandAlone {
    pub(super) gateway: Box<dyn Gateway>,
    pub(super) keeper: Keeper,
    pub(super) port: MqttPort,
    pub(super) live: LiveTopics,
    pub(super) flow: Flow,
    pub(super) files: Files,
    pub(super) presence: Presence,
    /// What is asked over HTTP.
    pub(super) questions: Questions,
    pub(super) sources: Sources,
    pub(super) session: Session,
    pub(super) events: SessionEvents,
    pub(super) lines: Lines,
    pub(super) outgoing: Outgoing,
    /// Why there is no connection to the broker, as far as it was reported since there was one.
    pub(super) reported: Vec<String>,
    pub(super) take_overs: TakeOvers,
}

/// How often another connection took the place of this one, by which it would go on forever.
#[derive(Debug, Default)]
pub(super) struct TakeOvers {
    count: u32,
    last_ns: i64,
}

impl TakeOvers {
    /// One more; whether it is one too many.
    fn is_too_many(&mut self, now_ns: i64) -> bool {
        let is_another = now_ns - self.last_ns > TAKE_OVER_PAUSE_NS;
        (self.count, self.last_ns) = (if is_another { 1 } else { self.count + 1 }, now_ns);
        self.count >= TAKE_OVERS_MAX
    }
}

/// Topics of messages that go out at once, and of those that come beside commands.
pub(super) struct LiveTopics {
    pub(super) owner: HardwareId,
    pub(super) incoming: Option<String>,
    /// Where frames of the simulator come, if they come by the broker.
    pub(super) frames: Option<String>,
    /// Filters of flows that come on the connection of the readings.
    pub(super) flows: Vec<String>,
    /// The first frame since there is a connection, which is taken once its sender is known.
    pub(super) first: Option<Vec<u8>>,
    pub(super) has_frames: bool,
}

impl LiveTopics {
    /// Those of a gateway that takes messages on this channel, and frames by the broker.
    pub(super) fn new(
        owner: &HardwareId,
        incoming: Option<&str>,
        by_broker: bool,
        flows: Vec<String>,
    ) -> Self {
        let topic = |channel| topics::simulator(TENANT, owner, channel);
        let (incoming, frames) = (incoming.map(topic), by_broker.then(|| topic("frames")));
        Self { owner: owner.clone(), incoming, frames, flows, first: None, has_frames: false }
    }

    /// What is to be subscribed to for them.
    pub(super) fn subscriptions(&self) -> impl Iterator<Item = String> {
        self.incoming.iter().chain(&self.frames).chain(&self.flows).cloned()
    }
}

/// What reads the gateway's files again.
pub(super) struct Files {
    pub(super) read: Box<dyn Fn() -> Result<BTreeMap<String, String>, String>>,
    /// What asks for it, if there are any.
    pub(super) asked: Option<Signal>,
}

/// How long the first step waits for somebody at the lines: a search would find nobody there.
const LINES_LIMIT: Duration = Duration::from_secs(1);
/// Most reasons without a connection that are reported; a broker can make up any number.
const REPORTED_MAX: usize = 16;

/// So many connections one after another that are taken over are given up: two programs with one
/// name throw each other out.
const TAKE_OVERS_MAX: u32 = 5;
/// What comes so much later is another matter, such as a program that was started again.
const TAKE_OVER_PAUSE_NS: i64 = 60_000_000_000;

/// Why it ended before it was asked to.
#[derive(Debug, thiserror::Error)]
pub(super) enum StandAloneError {
    /// What is to be durable cannot be written.
    #[error(transparent)]
    Kept(#[from] KeptError),
    /// The broker is not to be had any more.
    #[error("{0}")]
    Session(String),
    /// Another program uses the name.
    #[error(
        "{count} times in a row another connection with the MQTT client identifier `{name}` took the \
         place of this one: end the other program, or give one of them another `--name`"
    )]
    TakenOver {
        /// Take-overs so far.
        count: u32,
        /// The client identifier that was taken over.
        name: HardwareId,
    },
}

impl StandAlone {
    /// Moves the gateway until `end` is over; gives what passed through.
    #[expect(clippy::disallowed_methods, reason = "it waits for when the gateway wants to go on")]
    pub(super) async fn run(
        mut self,
        end: impl Future<Output = ()>,
    ) -> Result<Flow, StandAloneError> {
        let clock = Timeline { start: wall_now(), origin_ns: monotonic_ns() };
        let mut end = std::pin::pin!(end);
        let up = tokio::select! {
            () = &mut end => return self.close().await,
            up = lines_begin(&mut self.lines) => up,
        };
        self.step(clock.now(), GatewayInput::Wake).await?;
        for network in up {
            self.presence.on_line(network, &ChannelEvent::Up);
            let input = GatewayInput::LineUp { network };
            self.step(clock.now(), input).await?;
        }
        loop {
            let wake = self.gateway.wake_at().map_or(Duration::from_hours(1), |at| {
                Duration::from_nanos(u64::try_from((at - clock.now()).0).unwrap_or(0))
            });
            let has_waiting = !self.outgoing.is_empty();
            // In no fixed order: a line that floods must not keep the broker from being served.
            let input = tokio::select! {
                () = &mut end => return self.close().await,
                (line, event) = self.lines.recv() => {
                    self.presence.on_line(line, &event);
                    Some(on_line(line, event))
                }
                asked = questioned(&mut self.questions) => {
                    self.answer(clock.now(), asked).await?;
                    None
                }
                event = self.events.recv() => {
                    let Some(event) = event else {
                        let what = "the session with the broker ended for good".to_owned();
                        return Err(StandAloneError::Session(what));
                    };
                    self.on_session(event)?
                }
                handed = self.outgoing.hand_over(&self.session), if has_waiting => {
                    self.outgoing.handed(handed).map_err(StandAloneError::Session)?;
                    None
                }
                input = self.sources.next() => Some((None, input)),
                kept = self.keeper.kept() => Some((None, GatewayInput::Kept { number: kept? })),
                () = asked(&mut self.files.asked) => {
                    self.reload(clock.now()).await?;
                    None
                }
                () = tokio::time::sleep(wake) => Some((None, GatewayInput::Wake)),
            };
            self.flow.look();
            if let Some((at_ns, input)) = input {
                let now = clock.event_time(at_ns.unwrap_or_else(monotonic_ns), SimDuration::ZERO);
                self.step(now, input).await?;
                if let Some(at_ns) = at_ns {
                    self.flow.taken(at_ns);
                }
            }
            if let Some(bytes) = self.live.first.take() {
                let input = GatewayInput::Bytes { network: 0, lane: None, bytes };
                self.step(clock.now(), input).await?;
            }
        }
    }

    /// Answers what was asked over HTTP.
    async fn answer(
        &mut self,
        now: SimTime,
        PendingRequest { question, reply }: PendingRequest,
    ) -> Result<(), StandAloneError> {
        let none = || Answer::json(404, "{\"error\":\"there are no values yet\"}");
        let shown = |json: Option<Vec<u8>>| json.map_or_else(none, |json| Answer::json(200, json));
        let answer = match question {
            Question::Metrics => metrics(&*self.gateway, &self.flow, &self.presence),
            Question::Health => self.presence.health(),
            Question::Points => shown(self.gateway.points()),
            Question::SetPoints => shown(self.gateway.set_points()),
            Question::Samples { is_json, bytes } => {
                let before = self.gateway.metrics();
                self.step(now, GatewayInput::Frame { is_json, bytes }).await?;
                difference(&before, &self.gateway.metrics())
            }
            Question::Set(payload) => {
                let refused = |metrics: Vec<Metric>| {
                    let own = metrics.into_iter().find(|own| own.name == "sets_refused_total");
                    own.map(|own| own.value)
                };
                let before = refused(self.gateway.metrics());
                self.step(now, GatewayInput::Live { payload }).await?;
                if refused(self.gateway.metrics()) == before {
                    Answer::json(200, "{\"taken\":true}")
                } else {
                    Answer::json(422, "{\"taken\":false}")
                }
            }
        };
        // Who does not wait for it any more does not get it.
        let _ = reply.send(answer);
        Ok(())
    }

    /// Ends, with all records written.
    async fn close(mut self) -> Result<Flow, StandAloneError> {
        self.session.close().await;
        self.keeper.finish().await?;
        self.flow.look();
        Ok(self.flow)
    }

    /// Hands the gateway its files as they are now.
    async fn reload(&mut self, now: SimTime) -> Result<(), StandAloneError> {
        let mut out = Vec::new();
        let read = (self.files.read)().map_err(|mistake| vec![mistake]);
        let read = read.and_then(|files| self.gateway.reload(now, &files, &mut out));
        for mistake in read.err().into_iter().flatten() {
            print_err(&format!("{now} files_refused, the old ones stay: {mistake}"));
        }
        self.follow(now, out).await
    }

    /// Gives the gateway an input, and carries out its outputs.
    async fn step(&mut self, now: SimTime, input: GatewayInput) -> Result<(), StandAloneError> {
        let mut out = Vec::new();
        self.gateway.step(now, input, &mut out);
        self.follow(now, out).await
    }

    /// Carries out the outputs. Bytes that follow a record go out when that is durable: what is
    /// commanded must not be forgotten by a crash that comes between.
    async fn follow(
        &mut self,
        now: SimTime,
        mut out: Vec<GatewayOutput>,
    ) -> Result<(), StandAloneError> {
        while !out.is_empty() {
            let (mut records, mut forgotten, mut kept) = (Vec::new(), None, None);
            for output in std::mem::take(&mut out) {
                match output {
                    GatewayOutput::Send { message, owner, payload } => {
                        let topic = self.port.topic(owner.as_str(), &payload);
                        self.outgoing.push(message, None, topic, payload.into());
                    }
                    GatewayOutput::Bytes { network, bits_per_second, bytes, .. } => {
                        let records = std::mem::take(&mut records);
                        if let Some((last, _)) = records.last() {
                            let number = *last;
                            self.keeper.keep(records).await;
                            self.keeper.until(number).await?;
                            kept = Some(number);
                        }
                        if self.live.frames.is_some() {
                            let topic = topics::simulator(TENANT, &self.live.owner, "writes");
                            self.flow.live(self.session.publish_live(&topic, bytes));
                        } else {
                            self.lines.send(network, bits_per_second, bytes).await;
                        }
                    }
                    GatewayOutput::Reopen { network } => self.lines.reopen(network).await,
                    GatewayOutput::Live { channel, payload } => {
                        let topic = topics::simulator(TENANT, &self.live.owner, channel);
                        self.flow.live(self.session.publish_live(&topic, payload));
                    }
                    GatewayOutput::Request(request) => self.sources.ask(request),
                    // Its networks are lines.
                    GatewayOutput::Offer { .. }
                    | GatewayOutput::Stage { .. }
                    | GatewayOutput::Page { .. }
                    | GatewayOutput::Decided(_)
                    | GatewayOutput::Billed(_) => {}
                    GatewayOutput::Keep { number, record } => records.push((number, record)),
                    GatewayOutput::Forget { upto } => forgotten = Some(upto),
                    GatewayOutput::Event { kind, detail, .. } => {
                        print_err(&format!("{now} {}: {detail}", kind.word()));
                    }
                }
            }
            if !records.is_empty() {
                self.keeper.keep(records).await;
            }
            // Whatever replaces it is written before.
            if let Some(upto) = forgotten {
                self.keeper.forget(upto).await;
            }
            if let Some(number) = kept {
                self.gateway.step(now, GatewayInput::Kept { number }, &mut out);
            }
        }
        Ok(())
    }

    fn on_session(
        &mut self,
        event: SessionEvent,
    ) -> Result<Option<(Option<i64>, GatewayInput)>, StandAloneError> {
        let input = match event {
            SessionEvent::Connected => {
                log("the broker accepted the connection");
                (self.presence.broker, self.presence.connections) =
                    (true, self.presence.connections + 1);
                self.reported.clear();
                self.live.has_frames = false;
                GatewayInput::Connected
            }
            SessionEvent::Disconnected { reason } => {
                if !self.reported.contains(&reason) && self.reported.len() < REPORTED_MAX {
                    log(&format!("no connection to the broker: {reason}"));
                    self.reported.push(reason);
                }
                self.outgoing.clear();
                self.presence.broker = false;
                GatewayInput::Disconnected
            }
            SessionEvent::Acknowledged { message } => {
                self.flow.acknowledged();
                GatewayInput::Acknowledged { message }
            }
            // The refusal is durable there: sending it again would change nothing.
            SessionEvent::Refused { message, refusal } => {
                self.flow.refused(&refusal);
                GatewayInput::Acknowledged { message }
            }
            SessionEvent::TakenOver => {
                if self.take_overs.is_too_many(monotonic_ns()) {
                    let (count, name) = (self.take_overs.count, self.live.owner.clone());
                    return Err(StandAloneError::TakenOver { count, name });
                }
                return Ok(None);
            }
            SessionEvent::Received { topic, payload }
                if self.live.frames.as_ref() == Some(&topic) =>
            {
                let bytes = payload.to_vec();
                if std::mem::replace(&mut self.live.has_frames, true) {
                    GatewayInput::Bytes { network: 0, lane: None, bytes }
                } else {
                    log("the simulator is there");
                    self.live.first = Some(bytes);
                    GatewayInput::LineUp { network: 0 }
                }
            }
            SessionEvent::Received { topic, payload }
                if self.live.incoming.as_ref() == Some(&topic) =>
            {
                GatewayInput::Live { payload: payload.to_vec() }
            }
            SessionEvent::Received { topic, payload } => {
                let payload = payload.to_vec();
                match self.port.recipient(&topic).cloned() {
                    Some(owner) => GatewayInput::Command { owner, payload },
                    None if self.live.flows.iter().any(|it| is_filter_of(it, &topic)) => {
                        GatewayInput::Flow { topic, payload }
                    }
                    None => return Ok(None),
                }
            }
        };
        Ok(Some((None, input)))
    }
}

/// Until each line has somebody or is known to have nobody, and no longer than [`LINES_LIMIT`];
/// which of them have somebody.
async fn lines_begin(lines: &mut Lines) -> BTreeSet<usize> {
    let mut up = BTreeSet::new();
    let all = async {
        let mut waiting: BTreeSet<usize> = (0..lines.count()).collect();
        while !waiting.is_empty() {
            // Bytes that nobody has asked for are of no interest.
            let (line, event) = lines.recv().await;
            if !matches!(event, ChannelEvent::Arrived { .. }) {
                waiting.remove(&line);
            }
            match &event {
                ChannelEvent::Up => up.insert(line),
                ChannelEvent::Down { .. } => up.remove(&line),
                ChannelEvent::Arrived { .. } => false,
            };
            on_line(line, event);
        }
    };
    // Who comes later is welcome.
    let _ = tokio::time::timeout(LINES_LIMIT, all).await;
    up
}

/// A line of its log that is no event, with its date.
fn log(text: &str) {
    print_err(&format!("{} {text}", wall_now()));
}

fn on_line(line: usize, event: ChannelEvent) -> (Option<i64>, GatewayInput) {
    match event {
        ChannelEvent::Up => {
            log(&format!("line {}: somebody is there", line + 1));
            (None, GatewayInput::LineUp { network: line })
        }
        ChannelEvent::Down { reason } => {
            log(&format!("line {}: nobody is there: {reason}", line + 1));
            (None, GatewayInput::LineDown { network: line })
        }
        ChannelEvent::Arrived { at_ns, bytes } => {
            (Some(at_ns), GatewayInput::Bytes { network: line, lane: None, bytes })
        }
    }
}

/// What is asked next over HTTP; never if it is not served.
async fn questioned(questions: &mut Option<mpsc::Receiver<PendingRequest>>) -> PendingRequest {
    or_never(or_never(questions.as_mut()).await.recv().await).await
}

/// When the files are to be read again; never if there are none.
async fn asked(signal: &mut Option<Signal>) {
    or_never(or_never(signal.as_mut()).await.recv().await).await;
}

/// The password in a file, without the line end after it.
///
/// # Errors
/// If it cannot be read.
pub fn password(path: &Path) -> Result<String, String> {
    Ok(read_text(path)?.trim_end_matches(['\r', '\n']).to_owned())
}
