//! Messages on their way to the link: those that it has not taken yet, and the readings, alerts and
//! answers that it has not acknowledged.

use std::collections::{BTreeMap, VecDeque};
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use lastmeter_link::clock::monotonic_ns;
use lastmeter_link::mqtt::{PublishError, Session};
use lastmeter_units::{Epoch, Serial};
use tokio::sync::mpsc::UnboundedSender;

use super::report::Report;
use crate::run::notices::{NoticeKey, NoticeNews, SentMessage};

/// A message the link has not taken yet.
struct Waiting {
    message: u64,
    /// Whose reading it may be; nobody's where none is recorded.
    device: Option<usize>,
    topic: String,
    payload: Bytes,
}

/// The messages of one connection.
#[derive(Default)]
pub struct Outgoing {
    waiting: VecDeque<Waiting>,
    /// Readings by the number of their message, until acknowledged.
    readings: BTreeMap<u64, (usize, (Epoch, Serial))>,
    /// Alerts and answers likewise.
    notices: BTreeMap<u64, NoticeKey>,
}

impl Outgoing {
    /// Takes a message that is to be sent after those that wait.
    pub fn push(&mut self, message: u64, device: Option<usize>, topic: String, payload: Bytes) {
        self.waiting.push_back(Waiting { message, device, topic, payload });
    }

    /// Whether none waits.
    pub fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// The connection is lost: the device or gateway keeps everything until there is one again.
    pub fn clear(&mut self) {
        self.waiting.clear();
    }

    /// What is reported of a message that is acknowledged for the first time.
    pub(super) fn acknowledged(&mut self, message: u64, at_ns: i64) -> Option<Report> {
        if let Some((device, key)) = self.readings.remove(&message) {
            return Some(Report::Acknowledged { device, key, at_ns });
        }
        self.notices.remove(&message).map(|key| Report::Notice(NoticeNews::Acknowledged(key)))
    }

    /// Hands the first message over; ends when the link has taken it.
    pub async fn hand_over(&self, session: &Session) -> Result<(), PublishError> {
        let Some(first) = self.waiting.front() else { return Ok(()) };
        session.publish(first.message, first.topic.clone(), first.payload.clone()).await
    }

    /// What became of the first message; the error breaks the bench.
    pub fn handed(&mut self, handed: Result<(), PublishError>) -> Result<(), String> {
        match handed {
            Err(PublishError::NotConnected) => self.clear(),
            Ok(()) => {
                self.waiting.pop_front();
            }
            Err(error @ (PublishError::Topic { .. } | PublishError::TooLarge { .. })) => {
                return Err(error.to_string());
            }
        }
        Ok(())
    }

    /// Hands over what the link takes without waiting.
    pub(crate) fn send_what_waits(
        &mut self,
        session: &Session,
        reports: &UnboundedSender<Report>,
    ) -> Result<(), String> {
        while !self.is_empty() {
            self.stamp(reports);
            let mut attempt = Box::pin(self.hand_over(session));
            let polled = attempt.as_mut().poll(&mut Context::from_waker(Waker::noop()));
            drop(attempt);
            match polled {
                Poll::Ready(handed) => self.handed(handed)?,
                Poll::Pending => break,
            }
        }
        Ok(())
    }

    /// The instant at which a message is first handed to the link.
    fn stamp(&mut self, reports: &UnboundedSender<Report>) {
        let Some(first) = self.waiting.front() else { return };
        if self.readings.contains_key(&first.message) || self.notices.contains_key(&first.message) {
            return;
        }
        let report = match (SentMessage::read(&first.topic, &first.payload), first.device) {
            (Some(SentMessage::Reading(sent)), Some(device)) => {
                self.readings.insert(first.message, (device, sent.key));
                let (at_ns, payload) = (monotonic_ns(), first.payload.clone());
                Report::Published { device, sent, at_ns, payload }
            }
            (Some(SentMessage::Notice(notice)), _) => {
                self.notices.extend(notice.key().map(|key| (first.message, key)));
                Report::Notice(NoticeNews::Sent(notice))
            }
            _ => return,
        };
        // Nobody listens any more: the run has ended.
        let _ = reports.send(report);
    }
}
