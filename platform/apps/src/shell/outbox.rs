//! What an application has published and the platform has not taken yet.

use std::collections::VecDeque;

use bytes::Bytes;
use lastmeter_link::mqtt::{PublishError, Session};

use super::{ShellError, ShellEvent};

/// Most that waits, bytes.
const WAITING_MAX_BYTES: usize = 64 * 1024 * 1024;

#[derive(Debug)]
struct Message {
    number: u64,
    topic: String,
    payload: Bytes,
}

/// Messages in the order in which they were published.
#[derive(Debug, Default)]
pub(super) struct Outbox {
    messages: VecDeque<Message>,
    /// How many of them, from the first, this connection was handed.
    handed: usize,
    last: u64,
    bytes: usize,
}

impl Outbox {
    pub(super) fn push(&mut self, topic: String, payload: Vec<u8>) -> Result<(), ShellError> {
        self.bytes += topic.len() + payload.len();
        if self.bytes > WAITING_MAX_BYTES {
            return Err(ShellError::Full { bytes: self.bytes, limit: WAITING_MAX_BYTES });
        }
        self.last += 1;
        self.messages.push_back(Message { number: self.last, topic, payload: payload.into() });
        Ok(())
    }

    /// Whether there is something that this connection was not handed.
    pub(super) fn has_more(&self) -> bool {
        self.handed < self.messages.len()
    }

    /// A new connection has to be handed everything again.
    pub(super) fn send_again(&mut self) {
        self.handed = 0;
    }

    /// Hands the next message over; may be cancelled.
    pub(super) async fn hand_over(&self, session: &Session) -> Result<(), PublishError> {
        let Some(next) = self.messages.get(self.handed) else { return Ok(()) };
        session.publish(next.number, next.topic.clone(), next.payload.clone()).await
    }

    /// Takes in what became of [`hand_over`](Self::hand_over); a message that can never leave is
    /// dropped.
    pub(super) fn handed(&mut self, handed: Result<(), PublishError>) -> Option<ShellEvent> {
        match handed {
            Ok(()) => self.handed += 1,
            // Until the session reports the loss there is nothing more to hand over.
            Err(PublishError::NotConnected) => self.handed = self.messages.len(),
            Err(error @ (PublishError::Topic { .. } | PublishError::TooLarge { .. })) => {
                let topic = self.remove(self.handed)?;
                return Some(ShellEvent::Refused { topic, why: error.to_string() });
            }
        }
        None
    }

    /// Takes out a message that the platform has decided on: its topic.
    pub(super) fn taken(&mut self, number: u64) -> Option<String> {
        let at = self.messages.iter().position(|message| message.number == number)?;
        self.handed = self.handed.saturating_sub(1);
        self.remove(at)
    }

    fn remove(&mut self, at: usize) -> Option<String> {
        let message = self.messages.remove(at)?;
        self.bytes -= message.topic.len() + message.payload.len();
        Some(message.topic)
    }
}
