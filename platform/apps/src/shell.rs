//! The shell of an application: moves its machine in wall time beside any platform, over MQTT and
//! REST, as whom it is given credentials for.
//!
//! The machine is stepped on a thread for what may take long. Requests go one after the other, so
//! answers come in the order of the questions. What it publishes waits here until the platform has
//! taken it, and is sent again behind a lost connection: messages are numbered, so that one that
//! comes twice is known to be the same. Nothing is kept on disk: who kills it at any instant loses
//! nothing that the platform does not have.
//!
//! It is not woken while it is not connected: who hears nothing must not conclude from silence.

mod outbox;
mod requests;
#[cfg(test)]
mod tests;

use std::pin::pin;

use lastmeter_link::clock::monotonic_ns;
use lastmeter_link::http::Client;
use lastmeter_link::mqtt::{MqttVersion, Session, SessionEvent, SessionEvents, SessionOptions};
use lastmeter_link::timer::Timer;
use lastmeter_units::SimTime;
use lastmeter_wire::rest::{Answer, Request};
use serde::Serialize;
use thiserror::Error;

use self::outbox::Outbox;
use self::requests::Requests;
use super::border::{AppInput, AppOutput, Application};

/// Most that is given to the machine in one go.
const BATCH_MAX: usize = 1000;
/// How long the clock is left unlooked at: the one on the wall can be set.
const LOOK_NS: i64 = 60_000_000_000;
/// The least time from one waking to the next.
const PAUSE_NS: i64 = 1_000_000;
/// The status of an answer to a key that does not hold.
const UNAUTHORIZED: u16 = 401;
/// The status of an answer about what is not there.
const NOT_FOUND: u16 = 404;
/// Where electric networks are.
const NETWORKS: &str = "/api/v1/electric-networks/";
/// What the reason for a lost connection begins with where a right is missing.
const SUBSCRIPTION_REFUSED: &str = "the broker refused the subscription";

/// What a shell is given.
pub struct ShellOptions {
    /// How it is let in at the broker. Subscriptions and version are the shell's.
    pub session: SessionOptions,
    /// The platform's REST, with the application's key. The time limit is the shell's.
    pub rest: Client,
    /// The event time now.
    pub clock: Box<dyn Fn() -> SimTime + Send + Sync>,
}

/// What happened, for whoever looks on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum ShellEvent {
    /// It is connected, and has its subscriptions.
    Connected,
    /// There is no connection; it is tried again.
    Lost {
        /// Why, for people.
        reason: String,
    },
    /// A request was answered, or was given up with status 0.
    #[serde(skip)]
    Answered {
        /// What was asked.
        request: Request,
        /// What came of it.
        answer: Answer,
    },
    /// The platform has taken a message.
    Published {
        /// Its topic.
        topic: String,
    },
    /// The platform does not take a message; it is not sent again.
    Refused {
        /// Its topic.
        topic: String,
        /// Why, for people.
        why: String,
    },
    /// It cannot do what it is for, and goes on trying.
    Troubled {
        /// Why, for people.
        why: String,
    },
}

/// Why it ended by itself.
#[derive(Debug, Error)]
pub enum ShellError {
    /// What whoever started it has to mend: a secret that does not hold, a right or a network that
    /// is missing, another program of its name.
    #[error("{0}")]
    Refused(String),
    /// Too much waits for a platform that does not take it.
    #[error("{bytes} bytes wait for the platform, expected at most {limit}: it takes nothing")]
    Full {
        /// What waits, bytes.
        bytes: usize,
        /// What may wait, bytes.
        limit: usize,
    },
    /// There is no timer to be had.
    #[error("a timer: {0}")]
    Timer(#[from] std::io::Error),
    /// The machine broke.
    #[error("the application broke: {0}")]
    Broken(String),
    /// The session ended, which it does at the shell's word only.
    #[error("the session with the broker ended for good")]
    Ended,
}

/// Moves an application until `end` is over; what happens goes to `report`.
///
/// # Errors
/// If it cannot go on: it is refused, another one has its name, or its machine broke.
pub async fn run(
    machine: Box<dyn Application>,
    options: ShellOptions,
    mut report: impl FnMut(ShellEvent),
    end: impl Future<Output = ()>,
) -> Result<(), ShellError> {
    let subscriptions = machine.subscriptions();
    // What the platform refuses is known with MQTT 5 only.
    let session = SessionOptions { subscriptions, version: MqttVersion::V5, ..options.session };
    let (user, name) = (session.username.clone(), session.client_id.clone());
    let (session, events) = Session::open(session);
    let shell = Shell {
        user,
        name,
        clock: options.clock,
        events,
        requests: Requests::new(options.rest),
        outbox: Outbox::default(),
        timer: Timer::new()?,
        is_up: false,
        was_up: false,
        has_network: false,
        now: SimTime(i64::MIN),
        woken_ns: i64::MIN,
    };
    let moved = shell.run(machine, &session, &mut report, end).await;
    session.close().await;
    moved
}

struct Shell {
    user: String,
    name: String,
    clock: Box<dyn Fn() -> SimTime + Send + Sync>,
    events: SessionEvents,
    requests: Requests,
    outbox: Outbox,
    timer: Timer,
    is_up: bool,
    /// Whether it was connected before, and its network was there: what is missing later may come
    /// back, what is missing at the start is a mistake.
    was_up: bool,
    has_network: bool,
    /// The instant of the last step: time does not go back for a machine.
    now: SimTime,
    /// When it was woken last.
    woken_ns: i64,
}

impl Shell {
    async fn run(
        mut self,
        mut machine: Box<dyn Application>,
        session: &Session,
        report: &mut impl FnMut(ShellEvent),
        end: impl Future<Output = ()>,
    ) -> Result<(), ShellError> {
        let mut end = pin!(end);
        loop {
            let mut inputs = Vec::new();
            let wake_ns = self.wake_ns(machine.wake_at());
            let (has_requests, sends) = (!self.requests.are_empty(), self.outbox.has_more());
            // In no fixed order: what comes without end must not keep the rest from its turn.
            tokio::select! {
                () = &mut end => return Ok(()),
                event = self.events.recv() => {
                    inputs.extend(self.on_session(event.ok_or(ShellError::Ended)?, report)?);
                }
                (request, answer) = self.requests.next(), if has_requests => {
                    inputs.push(self.on_answer(request, answer, report)?);
                }
                handed = self.outbox.hand_over(session), if self.is_up && sends => {
                    if let Some(refused) = self.outbox.handed(handed) {
                        report(refused);
                    }
                }
                woken = self.timer.until(wake_ns) => {
                    woken?;
                    if self.is_up && machine.wake_at().is_some_and(|at| at <= (self.clock)()) {
                        self.woken_ns = monotonic_ns();
                        inputs.push(AppInput::Wake);
                    }
                }
            }
            while inputs.len() < BATCH_MAX
                && let Some(event) = self.events.try_recv()
            {
                inputs.extend(self.on_session(event, report)?);
            }
            if !inputs.is_empty() {
                let trouble = machine.trouble().map(str::to_owned);
                machine = self.step(machine, inputs).await?;
                if let Some(why) = machine.trouble().filter(|why| trouble.as_deref() != Some(*why))
                {
                    report(ShellEvent::Troubled { why: why.to_owned() });
                }
            }
        }
    }

    /// When it is to be woken, or the clock looked at, by the monotonic clock.
    fn wake_ns(&self, wake_at: Option<SimTime>) -> i64 {
        let now_ns = monotonic_ns();
        let wait_ns = |at: SimTime| at.0.saturating_sub((self.clock)().0).clamp(0, LOOK_NS);
        let wait_ns = wake_at.filter(|_| self.is_up).map_or(LOOK_NS, wait_ns);
        now_ns.saturating_add(wait_ns).max(self.woken_ns.saturating_add(PAUSE_NS))
    }

    fn on_session(
        &mut self,
        event: SessionEvent,
        report: &mut impl FnMut(ShellEvent),
    ) -> Result<Option<AppInput>, ShellError> {
        match event {
            SessionEvent::Connected => {
                (self.is_up, self.was_up) = (true, true);
                self.outbox.send_again();
                report(ShellEvent::Connected);
                return Ok(Some(AppInput::Connected));
            }
            SessionEvent::Received { topic, payload } => {
                return Ok(Some(AppInput::Message { topic, payload: payload.into() }));
            }
            SessionEvent::Disconnected { reason } => {
                if self.events.is_refused() {
                    return Err(wrong_password(&self.user, &reason));
                }
                if !self.was_up && reason.starts_with(SUBSCRIPTION_REFUSED) {
                    return Err(missing_right(&self.name, &reason));
                }
                self.is_up = false;
                report(ShellEvent::Lost { reason });
            }
            SessionEvent::TakenOver => {
                return Err(taken_over(&self.name));
            }
            SessionEvent::Acknowledged { message } => {
                if let Some(topic) = self.outbox.taken(message) {
                    report(ShellEvent::Published { topic });
                }
            }
            SessionEvent::Refused { message, refusal } => {
                if let Some(topic) = self.outbox.taken(message) {
                    let why = format!("{:#04x} {}", refusal.code, refusal.why);
                    report(ShellEvent::Refused { topic, why });
                }
            }
        }
        Ok(None)
    }

    /// Gives the machine what has come, and takes what it wants.
    async fn step(
        &mut self,
        mut machine: Box<dyn Application>,
        inputs: Vec<AppInput>,
    ) -> Result<Box<dyn Application>, ShellError> {
        self.now = self.now.max((self.clock)());
        let now = self.now;
        let stepped = tokio::task::spawn_blocking(move || {
            let mut out = Vec::new();
            for input in inputs {
                machine.step(now, input, &mut out);
            }
            (machine, out)
        });
        let (machine, out) =
            stepped.await.map_err(|error| ShellError::Broken(error.to_string()))?;
        for output in out {
            match output {
                AppOutput::Ask(request) => self.requests.push(request),
                AppOutput::Publish { topic, payload } => self.outbox.push(topic, payload)?,
            }
        }
        Ok(machine)
    }

    /// An answer as the machine is given it, if it came to somebody who is known and who has what
    /// it works on.
    fn on_answer(
        &mut self,
        request: Request,
        answer: Answer,
        report: &mut impl FnMut(ShellEvent),
    ) -> Result<AppInput, ShellError> {
        let input = AppInput::Answer(answer.clone());
        let (status, method, path) = (answer.status, request.method.word(), request.path.clone());
        report(ShellEvent::Answered { request, answer });
        match status {
            UNAUTHORIZED => Err(ShellError::Refused(format!(
                "`key`: {method} {path} was answered 401, found a key that does not hold, expected \
                 one of this application that has not expired"
            ))),
            NOT_FOUND if !self.has_network && path.starts_with(NETWORKS) => {
                Err(ShellError::Refused(format!(
                    "`network`: {path} was answered 404, expected the token of an electric network \
                     of this tenant, as /api/v1/electric-networks lists them"
                )))
            }
            _ => {
                self.has_network |= status == 200 && path.starts_with(NETWORKS);
                Ok(input)
            }
        }
    }
}

/// The broker does not know who that is.
fn wrong_password(user: &str, reason: &str) -> ShellError {
    ShellError::Refused(format!(
        "`password`: {reason}, found one for the user `{user}` that does not hold, expected the \
         secret of a credential of that application"
    ))
}

/// Another program goes by its name.
fn taken_over(name: &str) -> ShellError {
    ShellError::Refused(format!(
        "`name`: another connection as `{name}` took the place of this one, expected one program \
         of that name: end the other, or this one"
    ))
}

/// Why it may hear nothing of what it is for.
fn missing_right(name: &str, reason: &str) -> ShellError {
    ShellError::Refused(format!(
        "{reason}: `app:{name}` may read no device there, expected a grant of `read` of each \
         device that it is to hear of, which has to be registered: POST /api/v1/grants with \
         `\"to\": \"app:{name}\"`, `\"actions\": [\"read\"]`, `\"quantities\": [\"*\"]` and a time \
         that has begun"
    ))
}
