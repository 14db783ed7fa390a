//! Where the values come from that a gateway asks for or listens to beside its devices: the REST of
//! a platform and flows of an MQTT broker, each by a credential of its own.

use std::sync::Arc;

use lastmeter_bench::output::print_err;
use lastmeter_bench::run::chain;
use lastmeter_devices::GatewayInput;
use lastmeter_link::http::Client;
use lastmeter_link::mqtt::{MqttVersion, Session, SessionEvent, SessionEvents, SessionOptions};
use lastmeter_wire::rest::{Answer, Request};
use tokio::sync::mpsc;

/// Who it is where it asks and listens.
#[derive(Clone, Debug, Default)]
pub struct SourceOptions {
    /// Address of the REST interface, as `HOST:PORT`.
    pub rest: Option<String>,
    /// The bearer token of its requests.
    pub token: Option<String>,
    /// MQTT user name and password for flows; `None`: those of its readings.
    pub flows: Option<(String, String)>,
}

/// A gateway asks, and has no address to ask at.
const NOBODY_TO_ASK: &str = "it has points that are fed by a platform, which it has to ask: \
                             `--rest HOST:PORT` is missing";

/// Requests under way, and the connection on which flows come.
pub(super) struct Sources {
    client: Option<Arc<Client>>,
    answers: (mpsc::UnboundedSender<Answer>, mpsc::UnboundedReceiver<Answer>),
    session: Option<(Session, SessionEvents)>,
    /// Why there is no connection, as far as it was reported since there was one.
    reported: Option<String>,
    /// Whether it was reported that there is nobody to ask.
    lacks_rest: bool,
}

impl SourceOptions {
    /// The connection for flows with these filters, where it is one of its own.
    pub(super) fn session(
        &self,
        (broker, name): (&str, &str),
        filters: &[String],
    ) -> Option<SessionOptions> {
        let (user, password) = self.flows.as_ref().filter(|_| !filters.is_empty())?;
        let name = format!("{name}-flows");
        let mut session = SessionOptions::new(broker, &name, user, password);
        session.version = MqttVersion::V5;
        session.subscriptions = filters.to_vec();
        Some(session)
    }
}

impl Sources {
    /// Opens what is asked for, with the connection for flows.
    ///
    /// # Errors
    /// If the address of REST is none, or is missing for a gateway that asks.
    pub(super) fn open(
        options: &SourceOptions,
        flows: Option<SessionOptions>,
        asks: bool,
    ) -> Result<Self, String> {
        if asks && options.rest.is_none() {
            return Err(NOBODY_TO_ASK.to_owned());
        }
        let token = options.token.as_deref().unwrap_or_default();
        let client = |at: &String| Client::new(&format!("http://{at}"), token);
        let client = options.rest.as_ref().map(client).transpose();
        let client = client.map_err(|error| format!("--rest: {}", chain(&error)))?;
        let session = flows.map(Session::open);
        let client = client.map(Arc::new);
        let (answers, reported) = (mpsc::unbounded_channel(), None);
        Ok(Self { client, answers, session, reported, lacks_rest: false })
    }

    /// Sends a request; its answer comes by [`next`](Self::next). Without anybody to ask, which its
    /// files may want since they were read again, that is reported, and there is none.
    pub(super) fn ask(&mut self, request: Request) {
        let answers = self.answers.0.clone();
        let Some(client) = self.client.clone() else {
            if !std::mem::replace(&mut self.lacks_rest, true) {
                print_err(NOBODY_TO_ASK);
            }
            let _ = answers.send(Answer { number: request.number, status: 0, body: Vec::new() });
            return;
        };
        tokio::spawn(async move {
            let body = request.body.as_deref().map(|body| ("application/json", body));
            let asked = client.ask(request.method.word(), &request.path, body, None).await;
            let (status, body) =
                asked.map_or((0, Vec::new()), |(status, body)| (status, body.into()));
            // The gateway has ended if nobody takes it.
            let _ = answers.send(Answer { number: request.number, status, body });
        });
    }

    /// What comes next.
    pub(super) async fn next(&mut self) -> GatewayInput {
        loop {
            let event = tokio::select! {
                Some(answer) = self.answers.1.recv() => return GatewayInput::Answer(answer),
                Some(event) = heard(&mut self.session) => event,
            };
            match event {
                SessionEvent::Received { topic, payload } => {
                    return GatewayInput::Flow { topic, payload: payload.to_vec() };
                }
                SessionEvent::Connected => self.reported = None,
                SessionEvent::Disconnected { reason } => {
                    if self.reported.as_ref() != Some(&reason) {
                        print_err(&format!("no connection to the broker for flows: {reason}"));
                        self.reported = Some(reason);
                    }
                }
                SessionEvent::Acknowledged { .. }
                | SessionEvent::Refused { .. }
                | SessionEvent::TakenOver => {}
            }
        }
    }
}

/// What happens next on the connection for flows; never without one.
async fn heard(session: &mut Option<(Session, SessionEvents)>) -> Option<SessionEvent> {
    match session {
        Some((_, events)) => match events.recv().await {
            Some(event) => Some(event),
            // It has ended for good: there is nothing to wait for.
            None => std::future::pending().await,
        },
        None => std::future::pending().await,
    }
}

#[cfg(test)]
#[path = "sources_tests.rs"]
mod tests;
