//! Echoes through the broker: one session publishes on an open-loop schedule, another receives.

use std::time::Duration;

use lastmeter_link::clock::monotonic_ns;
use lastmeter_link::mqtt::{Session, SessionEvent, SessionEvents, SessionOptions};
use lastmeter_link::timer::Timer;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::arrivals::{Arrivals, Plan, WARM_UP};
use super::options::{FloorError, FloorOptions};

pub(super) enum EchoError {
    /// The broker takes or gives no echoes on this topic, and why.
    NotPassedOn(String),
    /// Something that would stand in the way of a run as well.
    Failed(FloorError),
}

impl From<FloorError> for EchoError {
    fn from(error: FloorError) -> Self {
        Self::Failed(error)
    }
}

/// How the session words a refused subscription; the only failure to connect that reveals something
/// about the topic.
const SUBSCRIPTION_REFUSED: &str = "the broker refused the subscription";

/// From when each echo was due until it was received, ns; lost ones are [`i64::MAX`].
pub(super) async fn latencies(
    options: &FloorOptions,
    topic: &str,
    plan: Plan,
) -> Result<Vec<i64>, EchoError> {
    // Echoes of another measurement on the same topic are not ours.
    let tag = monotonic_ns().unsigned_abs() ^ u64::from(std::process::id()) << 40;
    let subscriber = SessionOptions {
        subscriptions: vec![topic.to_owned()],
        receive_limit: options.subscriber.receive_limit.max(plan.messages as usize + 1000),
        ..options.subscriber.clone()
    };
    let (listening, events) = connect("subscriber", subscriber, options.connect_limit).await?;
    let receiver = Receiver::start(events, Arrivals::new(tag, plan.messages));
    let (publishing, events) =
        connect("publisher", options.publisher.clone(), options.connect_limit).await?;
    let acknowledging = drain(events);
    let sender = Sender { session: &publishing, topic, plan, tag };
    let measured = sender.run(&receiver, options).await;
    let arrivals = receiver.end().await;
    publishing.close().await;
    listening.close().await;
    // Ends with its session.
    acknowledging.abort();
    let start_ns = measured?;
    Ok(arrivals.latencies_ns(&plan, start_ns))
}

/// Opens a session and waits until it is connected.
async fn connect(
    who: &'static str,
    options: SessionOptions,
    limit: Duration,
) -> Result<(Session, SessionEvents), EchoError> {
    let address = options.address.clone();
    let (session, mut events) = Session::open(options);
    let mut last = "it printed nothing".to_owned();
    let connected = async {
        loop {
            match events.recv().await {
                Some(SessionEvent::Connected) => return Ok(()),
                Some(SessionEvent::Disconnected { reason }) => {
                    last.clone_from(&reason);
                    if reason.starts_with(SUBSCRIPTION_REFUSED) {
                        return Err(EchoError::NotPassedOn(reason));
                    }
                }
                Some(_) => {}
                None => std::future::pending().await,
            }
        }
    };
    if let Ok(connected) = tokio::time::timeout(limit, connected).await {
        return connected.map(|()| (session, events));
    }
    let limit_s = limit.as_secs_f64();
    Err(FloorError::Connect { who, address, limit_s, reason: last }.into())
}

/// Takes the publisher's events: acknowledgements make room for further publications, and a
/// connection that came back has to be taken note of.
fn drain(mut events: SessionEvents) -> JoinHandle<()> {
    tokio::spawn(async move { while events.recv().await.is_some() {} })
}

/// The receiving end, in a task of its own: what arrives is stamped at once, whatever the sender
/// is doing.
struct Receiver {
    task: JoinHandle<Arrivals>,
    stop: watch::Sender<bool>,
    /// Whether the warm-up has come, and whether all has.
    state: watch::Receiver<(bool, bool)>,
}

impl Receiver {
    fn start(mut events: SessionEvents, mut arrivals: Arrivals) -> Self {
        let (stop, mut stopping) = watch::channel(false);
        let (publish, state) = watch::channel((false, arrivals.is_complete()));
        let task = tokio::spawn(async move {
            loop {
                let event = tokio::select! {
                    event = events.recv() => event,
                    _ = stopping.changed() => None,
                };
                match event {
                    Some(SessionEvent::Received { payload, .. }) => {
                        arrivals.take(&payload, monotonic_ns());
                        let now = (arrivals.is_warm(), arrivals.is_complete());
                        publish.send_if_modified(|known| std::mem::replace(known, now) != now);
                    }
                    Some(_) => {}
                    None => return arrivals,
                }
            }
        });
        Self { task, stop, state }
    }

    async fn until(&self, reached: impl FnMut(&(bool, bool)) -> bool, limit: Duration) -> bool {
        let mut state = self.state.clone();
        let waited = tokio::time::timeout(limit, state.wait_for(reached)).await;
        matches!(waited, Ok(Ok(_)))
    }

    async fn end(self) -> Arrivals {
        self.stop.send_replace(true);
        // Only a panic in it could keep the task from giving back what it has.
        self.task.await.unwrap_or_else(|_| Arrivals::new(0, 0))
    }
}

struct Sender<'a> {
    session: &'a Session,
    topic: &'a str,
    plan: Plan,
    tag: u64,
}

impl Sender<'_> {
    /// Warms up, sends everything, and waits for the last to arrive. Returns when the first of
    /// those that count was due.
    async fn run(&self, receiver: &Receiver, options: &FloorOptions) -> Result<i64, EchoError> {
        let timer_failed = |source| FloorError::System { what: "a timer", source };
        let mut timer = Timer::new().map_err(timer_failed)?;
        let plan = &self.plan;
        let warm_ns = monotonic_ns();
        let sending = async {
            for number in 0..WARM_UP {
                timer.until(plan.due_ns(warm_ns, number)).await?;
                self.send(plan.messages + number).await;
            }
            Ok(())
        };
        limited(sending, options.connect_limit).await.map_err(timer_failed)?;
        if !receiver.until(|(warm, _)| *warm, options.connect_limit).await {
            return Err(EchoError::NotPassedOn(format!(
                "nothing published on `{}` arrived within {:?}",
                self.topic, options.connect_limit
            )));
        }
        // Time enough for what is left of the warm-up.
        let start_ns = monotonic_ns() + plan.due_ns(0, WARM_UP);
        let schedule = Duration::from_nanos(plan.length_ns().unsigned_abs());
        let sending = async {
            for number in 0..plan.messages {
                timer.until(plan.due_ns(start_ns, number)).await?;
                self.send(number).await;
            }
            Ok(())
        };
        let limit = schedule.saturating_add(options.grace);
        limited(sending, limit).await.map_err(timer_failed)?;
        let left_ns = plan.due_ns(start_ns, plan.messages).saturating_sub(monotonic_ns()).max(0);
        let left = Duration::from_nanos(left_ns.unsigned_abs()).saturating_add(options.grace);
        receiver.until(|(_, complete)| *complete, left).await;
        Ok(start_ns)
    }

    /// What cannot be sent, the connection being lost, is a lost echo.
    async fn send(&self, number: u32) {
        let payload = self.plan.payload(self.tag, number);
        let sent = self.session.publish(u64::from(number), self.topic, payload.into()).await;
        if let Err(error) = sent {
            tracing::debug!(number, %error, "an echo was not sent");
        }
    }
}

/// What is not sent within its time is lost.
async fn limited(
    sending: impl Future<Output = std::io::Result<()>>,
    limit: Duration,
) -> std::io::Result<()> {
    tokio::time::timeout(limit, sending).await.unwrap_or(Ok(()))
}
