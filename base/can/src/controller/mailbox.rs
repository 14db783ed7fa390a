//! Transmit mailboxes: requests, the order in which they are sent, and how each ends (24.7.1).

use std::collections::VecDeque;

use crate::frame::CanFrame;

/// Transmit mailboxes.
pub const MAILBOX_COUNT: usize = 3;

/// Which of several requests is sent first (24.7.1, transmit priority).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum TransmitOrder {
    /// The one that wins arbitration, of equal ones that in the lower mailbox (TXFP = 0).
    #[default]
    ByIdentifier,
    /// The one that was requested first (TXFP = 1).
    ByRequest,
}

/// A transmission that was requested; unique within its controller, later ones are greater.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RequestHandle(u64);

/// How an attempt on the bus ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AttemptEnd {
    /// The frame was sent and acknowledged.
    Sent,
    /// Another node's frame won.
    LostArbitration,
    /// An error ended it.
    Error,
}

/// How a request ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TransmitOutcome {
    /// The frame was sent (TXOK).
    Sent,
    /// Its only attempt lost arbitration (ALST); in one-shot mode.
    LostArbitration,
    /// Its only attempt ended by an error (TERR); in one-shot mode.
    Error,
    /// It was aborted.
    Aborted,
}

/// The end of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TransmitEnd {
    /// Which.
    pub handle: RequestHandle,
    /// What was to be sent.
    pub frame: CanFrame,
    /// How it ended.
    pub outcome: TransmitOutcome,
}

/// A request that found no empty mailbox.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("all 3 transmit mailboxes are full, and {frame} is in none; wait until a request ends")]
pub struct MailboxesFull {
    /// What was to be sent.
    pub frame: CanFrame,
}

/// Why the report of an attempt does not fit the state of the controller.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AttemptError {
    /// There is nothing to begin with.
    #[error(
        "no request is pending, expected one before an attempt begins; ask for the pending one"
    )]
    NothingPending,
    /// A second attempt before the end of the first.
    #[error("{frame} is on the bus, expected no attempt; end it before the next one begins")]
    AlreadyOnBus {
        /// The frame whose attempt goes on.
        frame: CanFrame,
    },
    /// An end without a beginning.
    #[error("no attempt is on the bus, expected one that ends; begin it first")]
    NotOnBus,
    /// The controller may not send.
    #[error("the controller is bus-off, expected error-active or error-passive; recover it first")]
    BusOff,
}

#[derive(Clone, Copy, Debug)]
struct Request {
    handle: RequestHandle,
    frame: CanFrame,
    is_on_bus: bool,
    is_abort_requested: bool,
}

#[derive(Clone, Debug)]
pub(super) struct TransmitMailboxes {
    order: TransmitOrder,
    is_one_shot: bool,
    mailboxes: [Option<Request>; MAILBOX_COUNT],
    next_handle: u64,
    ends: VecDeque<TransmitEnd>,
}

/// The arbitration field as a number, of which the lower wins: a dominant bit is 0 (ISO 11898-1).
///
/// Base format: identifier, RTR, IDE. Extended format: the same with recessive SRR and IDE, then
/// the other 18 bits and RTR. That the choice between mailboxes counts RTR and IDE is unverified.
fn arbitration_field(frame: &CanFrame) -> u32 {
    let (value, remote) = (frame.id().value(), u32::from(frame.is_remote()));
    if frame.id().is_extended() {
        (value >> 18) << 21 | 0b11 << 19 | (value & 0x3_FFFF) << 1 | remote
    } else {
        value << 21 | remote << 20
    }
}

impl TransmitMailboxes {
    pub(super) const fn new(order: TransmitOrder, is_one_shot: bool) -> Self {
        let mailboxes = [None; MAILBOX_COUNT];
        Self { order, is_one_shot, mailboxes, next_handle: 0, ends: VecDeque::new() }
    }

    /// Takes the empty mailbox with the lowest number (unverified: CODE names the next free one).
    pub(super) fn request(&mut self, frame: CanFrame) -> Result<RequestHandle, MailboxesFull> {
        let Some(empty) = self.mailboxes.iter_mut().find(|mailbox| mailbox.is_none()) else {
            return Err(MailboxesFull { frame });
        };
        let handle = RequestHandle(self.next_handle);
        self.next_handle += 1;
        *empty = Some(Request { handle, frame, is_on_bus: false, is_abort_requested: false });
        Ok(handle)
    }

    pub(super) fn abort(&mut self, handle: RequestHandle) -> bool {
        let is_it = |mailbox: &Option<Request>| mailbox.is_some_and(|it| it.handle == handle);
        let Some(number) = self.mailboxes.iter().position(is_it) else { return false };
        match &mut self.mailboxes[number] {
            Some(request) if request.is_on_bus => request.is_abort_requested = true,
            _ => self.empty(number, TransmitOutcome::Aborted),
        }
        true
    }

    /// The mailbox that is sent next, unless an attempt goes on.
    fn scheduled(&self) -> Option<usize> {
        if self.on_bus().is_some() {
            return None;
        }
        let full = |(number, mailbox): (usize, &Option<Request>)| Some((number, (*mailbox)?));
        let requests = self.mailboxes.iter().enumerate().filter_map(full);
        let (number, _) = match self.order {
            TransmitOrder::ByIdentifier => {
                requests.min_by_key(|(number, it)| (arbitration_field(&it.frame), *number))
            }
            TransmitOrder::ByRequest => requests.min_by_key(|(_, it)| it.handle),
        }?;
        Some(number)
    }

    pub(super) fn on_bus(&self) -> Option<usize> {
        self.mailboxes.iter().position(|mailbox| mailbox.is_some_and(|it| it.is_on_bus))
    }

    pub(super) fn pending(&self) -> Option<&CanFrame> {
        self.mailboxes[self.scheduled()?].as_ref().map(|request| &request.frame)
    }

    pub(super) fn begin_attempt(&mut self) -> Result<CanFrame, AttemptError> {
        if let Some(request) = self.on_bus().and_then(|number| self.mailboxes[number]) {
            return Err(AttemptError::AlreadyOnBus { frame: request.frame });
        }
        let scheduled = self.scheduled().and_then(|number| self.mailboxes[number].as_mut());
        let request = scheduled.ok_or(AttemptError::NothingPending)?;
        request.is_on_bus = true;
        Ok(request.frame)
    }

    /// In one-shot mode the failure of the attempt ends the request, also of one that is aborted;
    /// otherwise an aborted one ends as such, and any other is pending again (24.7.1, states of a
    /// mailbox).
    pub(super) fn end_attempt(&mut self, end: AttemptEnd) -> Result<(), AttemptError> {
        let number = self.on_bus().ok_or(AttemptError::NotOnBus)?;
        let Some(request) = &mut self.mailboxes[number] else { return Ok(()) };
        request.is_on_bus = false;
        let is_aborted = request.is_abort_requested;
        match end {
            AttemptEnd::Sent => self.empty(number, TransmitOutcome::Sent),
            AttemptEnd::LostArbitration if self.is_one_shot => {
                self.empty(number, TransmitOutcome::LostArbitration);
            }
            AttemptEnd::Error if self.is_one_shot => self.empty(number, TransmitOutcome::Error),
            _ if is_aborted => self.empty(number, TransmitOutcome::Aborted),
            _ => {}
        }
        Ok(())
    }

    fn empty(&mut self, number: usize, outcome: TransmitOutcome) {
        if let Some(Request { handle, frame, .. }) = self.mailboxes[number].take() {
            self.ends.push_back(TransmitEnd { handle, frame, outcome });
        }
    }

    pub(super) fn next_end(&mut self) -> Option<TransmitEnd> {
        self.ends.pop_front()
    }

    pub(super) fn empty_count(&self) -> usize {
        self.mailboxes.iter().filter(|mailbox| mailbox.is_none()).count()
    }
}
