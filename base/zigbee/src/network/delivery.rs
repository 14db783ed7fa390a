//! Acknowledged delivery, one message after another, and what was received before
//! (ZigBee 05-3474, 2.2.8.4, unverified).

use std::collections::VecDeque;

use lastmeter_units::{SimDuration, SimTime};

use super::frame::{ApsFrame, Body};
use super::{ANSWER_WAIT, RETRIES};
use crate::relay::FRAME_MAX;

/// Counters that a receiver remembers of a sender, which numbers its messages up to 255.
const REMEMBERED_MAX: usize = 16;

/// The number by which a machine reports what became of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Handle(pub u64);

/// Why a message is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SendError {
    /// No node of this network has the EUI-64.
    #[error("the node is not a member of the network; let it join first")]
    Unknown,
    /// The node itself is no member.
    #[error("the node has not joined a network; let it join first")]
    NotJoined,
    /// As many messages as are kept wait already.
    #[error("the queue has {0} messages and no room for another; send it later")]
    QueueFull(usize),
    /// It does not fit into a frame.
    #[error("the payload has {0} bytes, a frame carries at most {FRAME_MAX}; send it in parts")]
    TooLong(usize),
}

/// Why a message was given up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Failure {
    /// Nobody acknowledged it.
    NotAcknowledged,
    /// The sleepy receiver did not poll for it.
    Expired,
    /// The receiver or the sender left the network.
    Left,
}

#[derive(Debug, Clone)]
enum Phase {
    /// May be sent from now on; given up at this instant, if there is one.
    Waiting(Option<SimTime>),
    /// Was sent; its acknowledgement is waited for until then.
    Sent(SimTime),
}

#[derive(Debug, Clone)]
struct Message {
    handle: Handle,
    counter: u8,
    aps: ApsFrame,
    sent: u8,
    phase: Phase,
}

/// What became of a message.
pub(super) type Outcome = (Handle, Result<(), Failure>);

/// Messages to one receiver.
#[derive(Debug, Clone)]
pub(super) struct Outgoing {
    queue: VecDeque<Message>,
    room: usize,
    /// How long a message waits to be fetched; none if it is not.
    pub(super) persistence: Option<SimDuration>,
    pub(super) counter: u8,
}

impl Outgoing {
    pub(super) fn new(room: usize, persistence: Option<SimDuration>, counter: u8) -> Self {
        Self { queue: VecDeque::new(), room, persistence, counter }
    }

    pub(super) fn push(
        &mut self,
        now: SimTime,
        handle: Handle,
        aps: ApsFrame,
    ) -> Result<(), SendError> {
        if aps.payload.len() > FRAME_MAX {
            return Err(SendError::TooLong(aps.payload.len()));
        }
        if self.queue.len() >= self.room {
            return Err(SendError::QueueFull(self.room));
        }
        let phase = Phase::Waiting(self.persistence.map(|span| now + span));
        let counter = self.counter;
        self.counter = counter.wrapping_add(1);
        self.queue.push_back(Message { handle, counter, aps, sent: 0, phase });
        Ok(())
    }

    pub(super) fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }

    /// The first message, if it may be sent now.
    pub(super) fn transmit(&mut self, now: SimTime) -> Option<Body> {
        let first = self.queue.front_mut()?;
        let Phase::Waiting(_) = first.phase else { return None };
        first.sent += 1;
        first.phase = Phase::Sent(now + ANSWER_WAIT);
        let (aps_counter, aps) = (first.counter, first.aps.clone());
        Some(Body::Data { aps_counter, acknowledge: true, aps })
    }

    pub(super) fn acknowledged(&mut self, counter: u8) -> Option<Outcome> {
        // It may have been sent and wait to be sent again.
        let first = self.queue.front().filter(|it| it.sent > 0 && it.counter == counter)?;
        let handle = first.handle;
        self.queue.pop_front();
        Some((handle, Ok(())))
    }

    /// Lets time pass: what was given up until now.
    pub(super) fn step(&mut self, now: SimTime) -> Vec<Outcome> {
        let mut given_up = Vec::new();
        self.queue.retain_mut(|message| {
            let failure = match message.phase {
                Phase::Waiting(Some(until)) if until <= now => Failure::Expired,
                Phase::Sent(until) if until <= now && message.sent > RETRIES => {
                    Failure::NotAcknowledged
                }
                Phase::Sent(until) if until <= now => {
                    message.phase = Phase::Waiting(self.persistence.map(|span| now + span));
                    return true;
                }
                _ => return true,
            };
            given_up.push((message.handle, Err(failure)));
            false
        });
        given_up
    }

    /// When time changes something next; what only waits to be sent is not of time.
    pub(super) fn next(&self) -> Option<SimTime> {
        let instants = self.queue.iter().filter_map(|message| match message.phase {
            Phase::Waiting(until) => until,
            Phase::Sent(until) => Some(until),
        });
        instants.min()
    }

    /// Gives everything up.
    pub(super) fn clear(&mut self) -> Vec<Outcome> {
        self.queue.drain(..).map(|message| (message.handle, Err(Failure::Left))).collect()
    }
}

/// Counters of messages that were received last: what comes again is acknowledged, and not
/// delivered again. However late it comes: a sender goes on only when it has given a message up.
#[derive(Debug, Clone, Default)]
pub(super) struct Received(pub(super) VecDeque<u8>);

impl Received {
    /// Whether it is received for the first time.
    pub(super) fn is_new(&mut self, counter: u8) -> bool {
        if self.0.contains(&counter) {
            return false;
        }
        if self.0.len() == REMEMBERED_MAX {
            self.0.pop_front();
        }
        self.0.push_back(counter);
        true
    }
}
