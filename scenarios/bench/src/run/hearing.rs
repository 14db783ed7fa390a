//! A connection on which somebody hears topics of the platform: an application, or a gateway whose
//! points they feed.

use bytes::Bytes;
use lastmeter_link::mqtt::{Session, SessionEvent, SessionEvents};

use super::error::BenchError;
use super::shell::DELIVERY_LIMIT;

/// Who hears, as messages name it.
#[derive(Clone, Copy)]
pub(crate) enum Hearer {
    Application,
    Gateway,
}

/// The connection, with what came on it.
pub(crate) struct Hearing {
    of: Hearer,
    pub(crate) name: String,
    session: Session,
    events: SessionEvents,
    inbox: Vec<(String, Bytes)>,
    /// Messages that have come, and that went to it.
    heard: u64,
    pub(crate) sent: u64,
    /// The last message that it published.
    published: u64,
    acknowledged: u64,
    is_up: bool,
    /// Whether it was made since this was taken.
    pub(crate) is_new: bool,
    last_loss: Option<String>,
}

impl Hearing {
    pub(crate) fn new(of: Hearer, name: &str, (session, events): (Session, SessionEvents)) -> Self {
        Self {
            of,
            name: name.to_owned(),
            session,
            events,
            inbox: Vec::new(),
            heard: 0,
            sent: 0,
            published: 0,
            acknowledged: 0,
            is_up: false,
            is_new: false,
            last_loss: None,
        }
    }

    /// Waits for the connection; `what` is what it waits for in words.
    pub(crate) async fn connected(&mut self, what: &str) -> Result<(), BenchError> {
        self.until(what, |it| it.is_up).await
    }

    /// Waits for another connection: the platform that this one was to has been killed.
    pub(crate) async fn reconnected(&mut self) -> Result<(), BenchError> {
        self.is_up = false;
        self.connected("to be connected again").await
    }

    /// Waits until all that went to it has come; what has.
    pub(crate) async fn arrived(&mut self) -> Result<Vec<(String, Bytes)>, BenchError> {
        self.until("what is live to come", |it| it.heard >= it.sent).await?;
        Ok(std::mem::take(&mut self.inbox))
    }

    /// What comes next, as soon as it does.
    pub(crate) async fn next(&mut self) -> Result<Vec<(String, Bytes)>, BenchError> {
        while self.inbox.is_empty() {
            self.take_next().await?;
        }
        Ok(std::mem::take(&mut self.inbox))
    }

    /// Publishes a message, and waits for its acknowledgement.
    pub(crate) async fn publish(&mut self, topic: &str, payload: Bytes) -> Result<(), BenchError> {
        self.published += 1;
        let sent = self.session.publish(self.published, topic, payload).await;
        sent.map_err(|error| BenchError::device(&self.name, error.to_string()))?;
        let what = "the acknowledgement of its message";
        self.until(what, |it| it.acknowledged == it.published).await
    }

    pub(crate) async fn close(self) {
        self.session.close().await;
    }

    async fn until(
        &mut self,
        what: &str,
        holds: impl Fn(&Self) -> bool + Send,
    ) -> Result<(), BenchError> {
        let waited = tokio::time::timeout(DELIVERY_LIMIT, async {
            while !holds(self) {
                self.take_next().await?;
            }
            Ok(())
        });
        waited.await.unwrap_or_else(|_| {
            let noun = match self.of {
                Hearer::Application => "application",
                Hearer::Gateway => "gateway",
            };
            let lost = self.last_loss.as_ref();
            let lost = lost.map(|reason| format!(" (last connection lost: {reason})"));
            let what = format!("{noun} `{}` {what}{}", self.name, lost.unwrap_or_default());
            Err(BenchError::timed_out(what, DELIVERY_LIMIT))
        })
    }

    async fn take_next(&mut self) -> Result<(), BenchError> {
        let why = match self.of {
            Hearer::Application => "its connection ended for good",
            Hearer::Gateway => "it hears no topics any more",
        };
        let ended = || BenchError::device(&self.name, why);
        match self.events.recv().await.ok_or_else(ended)? {
            SessionEvent::Connected => {
                (self.is_up, self.is_new) = (true, true);
                // What went to the connection before, nobody counts any more.
                (self.heard, self.sent) = (0, 0);
            }
            SessionEvent::Disconnected { reason } => {
                (self.is_up, self.last_loss) = (false, Some(reason));
            }
            SessionEvent::Acknowledged { message } | SessionEvent::Refused { message, .. } => {
                self.acknowledged = message;
            }
            SessionEvent::Received { topic, payload } => {
                self.heard += 1;
                self.inbox.push((topic, payload));
            }
            SessionEvent::TakenOver => {}
        }
        Ok(())
    }
}
