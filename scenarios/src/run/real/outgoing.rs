//! Messages on their way to the link: those that it has not taken yet, and the readings that it has
//! not acknowledged.

use std::collections::{BTreeMap, VecDeque};
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use lastmeter_link::clock::monotonic_ns;
use lastmeter_link::mqtt::{PublishError, Session};
use lastmeter_units::{Epoch, Serial};
use tokio::sync::mpsc::UnboundedSender;

use super::report::Report;
use crate::run::ledger::Sent;

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
pub(crate) struct Outgoing {
    waiting: VecDeque<Waiting>,
    /// Readings by the number of their message, until acknowledged.
    readings: BTreeMap<u64, (usize, (Epoch, Serial))>,
}

impl Outgoing {
    pub(crate) fn push(
        &mut self,
        message: u64,
        device: Option<usize>,
        topic: String,
        payload: Bytes,
    ) {
        self.waiting.push_back(Waiting { message, device, topic, payload });
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// The connection is lost: the device or gateway keeps everything until there is one again.
    pub(crate) fn clear(&mut self) {
        self.waiting.clear();
    }

    /// The reading that a message was, if it was one and is acknowledged for the first time.
    pub(crate) fn acknowledged(&mut self, message: u64) -> Option<(usize, (Epoch, Serial))> {
        self.readings.remove(&message)
    }

    /// Hands the first message over; ends when the link has taken it.
    pub(crate) async fn hand_over(&self, session: &Session) -> Result<(), PublishError> {
        let Some(first) = self.waiting.front() else { return Ok(()) };
        session.publish(first.message, first.topic.clone(), first.payload.clone()).await
    }

    /// What became of the first message; the error breaks the bench.
    pub(crate) fn handed(&mut self, handed: Result<(), PublishError>) -> Result<(), String> {
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
        if self.readings.contains_key(&first.message) {
            return;
        }
        let Some((device, sent)) = first.device.zip(Sent::read(&first.payload)) else { return };
        self.readings.insert(first.message, (device, sent.key));
        let (at_ns, payload) = (monotonic_ns(), first.payload.clone());
        // Nobody listens any more: the run has ended.
        let _ = reports.send(Report::Published { device, sent, at_ns, payload });
    }
}
