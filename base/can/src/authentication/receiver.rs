//! The receiver's end: frames to messages, each exactly once, or refused with its reason.
//!
//! A counter is completed from its low bits, forward only. Where that fails, the counter at or
//! before the last accepted one with the same bits is tried too, for the reason alone: a genuine
//! message that is repeated within 256 (65,536) counters is `replayed` or `too-old`; later it
//! cannot be distinguished from a forged one and is `wrong-tag`.
//!
//! Of the strong scheme, several data frames of one identifier may wait for their MAC frame, and a
//! MAC frame is tried with each of them: up to three frames of either kind that an attacker puts
//! between the two of a message do not part them. A data frame is tried four times, so that the
//! work for each frame is bounded.

use std::collections::{BTreeMap, VecDeque};

use lastmeter_units::{SimDuration, SimTime};

use super::alarm::Watch;
use super::codec::{self, Keys, Subject, Tail};
use super::keys::NodeKey;
use super::{Address, Counts, Direction, RESYNC_REGISTER, Refusal, Scheme};
use crate::frame::{CanFrame, CanId, DATA_BYTES_MAX};

/// So many data frames of one identifier wait for their MAC frame, and so often each is tried.
const WAITING_MAX: usize = 4;

/// What a receiver does.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// How long a data frame waits for its MAC frame.
    pub pair_limit: SimDuration,
    /// How long an identifier is locked out that has raised an alarm; `None` is never. Who guesses
    /// can so lock out a node; without it, its frames are accepted meanwhile.
    pub lock_out: Option<SimDuration>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            pair_limit: SimDuration::from_milliseconds(100),
            lock_out: Some(SimDuration::from_seconds(60)),
        }
    }
}

/// What a receiver keeps durably of one sender.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReceiverRecord {
    /// The sender's node.
    pub node: u8,
    /// The counter of the last message accepted; 0 before the first.
    pub last: u64,
}

/// A message that counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Message {
    /// Identifier and data, without counter and MAC.
    pub frame: CanFrame,
    /// Its counter.
    pub counter: u64,
}

impl Message {
    /// Whether it only carries the counter.
    pub fn is_resync(&self) -> bool {
        Address::of(self.frame.id()).is_some_and(|id| id.register() == RESYNC_REGISTER)
    }
}

/// A message that was verified. It counts once its record is kept.
#[derive(Debug, PartialEq, Eq)]
#[must_use = "a message counts once its record is kept"]
pub struct Verified {
    message: Message,
    record: ReceiverRecord,
}

impl Verified {
    /// What has to be kept durably. Of several messages of one sender the last suffices.
    pub const fn record(&self) -> ReceiverRecord {
        self.record
    }

    /// The message, if `write` has kept the record durably.
    pub fn keep<E>(
        self,
        write: impl FnOnce(ReceiverRecord) -> Result<(), E>,
    ) -> Result<Message, E> {
        write(self.record).map(|()| self.message)
    }
}

/// What became of frames.
#[derive(Debug, PartialEq, Eq)]
pub enum Event {
    /// A message was verified.
    Verified(Verified),
    /// A message was refused, or a frame of none.
    Refused {
        /// The identifier, that of the data frame if there are two.
        id: CanId,
        /// Why.
        reason: Refusal,
    },
    /// So many messages with one identifier were refused that it is an attack.
    Alarm {
        /// The identifier, that of the data frame if there are two.
        id: CanId,
        /// When the first of these messages came.
        first: SimTime,
        /// Until when the identifier is locked out, if it is.
        locked_until: Option<SimTime>,
    },
}

#[derive(Debug)]
struct SenderState {
    keys: Keys,
    last: u64,
    counts: Counts,
}

impl SenderState {
    /// The counter of a message that is genuine and new.
    fn counter(&self, subject: &Subject<'_>, tail: Tail<'_>) -> Result<u64, Refusal> {
        let is_sealed = |counter: &u64| subject.is_sealed(&self.keys, *counter, tail);
        if let Some(counter) = tail.fresh.counter_above(self.last).filter(is_sealed) {
            return Ok(counter);
        }
        let old = tail.fresh.counter_up_to(self.last).filter(|counter| *counter > 0);
        match old.filter(is_sealed) {
            Some(counter) if counter == self.last => Err(Refusal::Replayed),
            Some(_) => Err(Refusal::TooOld),
            None => Err(Refusal::WrongTag),
        }
    }
}

/// A data frame that waits for its MAC frame.
#[derive(Debug)]
struct Waiting {
    frame: CanFrame,
    address: Address,
    since: SimTime,
    /// How many MAC frames were not its own.
    tries: usize,
}

/// One direction of a network, at the end that receives.
#[derive(Debug)]
pub struct Receiver {
    scheme: Scheme,
    direction: Direction,
    settings: Settings,
    senders: BTreeMap<u8, SenderState>,
    /// In the order in which they came.
    waiting: VecDeque<Waiting>,
    watch: Watch,
    unknown: u64,
}

impl Receiver {
    /// A receiver of messages of this direction that knows no sender yet.
    pub const fn new(scheme: Scheme, direction: Direction, settings: Settings) -> Self {
        Self {
            scheme,
            direction,
            settings,
            senders: BTreeMap::new(),
            waiting: VecDeque::new(),
            watch: Watch::new(settings.lock_out),
            unknown: 0,
        }
    }

    /// Adds a sender with what was kept of it; `last` is 0 if nothing was.
    pub fn add_sender(&mut self, key: &NodeKey, record: ReceiverRecord) {
        let keys = Keys::new(key, self.scheme);
        let state = SenderState { keys, last: record.last, counts: Counts::default() };
        self.senders.insert(record.node, state);
    }

    /// What has to be kept of a sender, with all messages that were verified so far.
    pub fn record(&self, node: u8) -> Option<ReceiverRecord> {
        self.senders.get(&node).map(|sender| ReceiverRecord { node, last: sender.last })
    }

    /// What became of the messages of a node.
    pub fn counts(&self, node: u8) -> Option<&Counts> {
        self.senders.get(&node).map(|sender| &sender.counts)
    }

    /// How many frames came from senders that are not known.
    pub const fn unknown_senders(&self) -> u64 {
        self.unknown
    }

    /// From when on the first data frame has waited too long: [`Self::expire`] then.
    pub fn deadline(&self) -> Option<SimTime> {
        self.waiting.front().map(|first| first.since + self.settings.pair_limit)
    }

    /// Refuses data frames whose MAC frame has not come in time.
    pub fn expire(&mut self, now: SimTime, mut take: impl FnMut(Event)) {
        while self.deadline().is_some_and(|deadline| deadline <= now) {
            self.displace(now, 0, &mut take);
        }
    }

    /// Takes a frame. Instants do not go back.
    pub fn receive(&mut self, now: SimTime, frame: &CanFrame, mut take: impl FnMut(Event)) {
        self.expire(now, &mut take);
        let known = |address: &Address| self.senders.contains_key(&address.node());
        let address = Address::of(frame.id()).map(|address| address.by(self.scheme));
        let Some(address) = address.filter(known) else {
            self.unknown += 1;
            take(Event::Refused { id: frame.id(), reason: Refusal::UnknownSender });
            return;
        };
        let is_resync = address.register() == RESYNC_REGISTER;
        let is_pair = self.scheme == Scheme::Strong || is_resync;
        let is_short = (address.closes || is_resync) && usize::from(frame.dlc()) != DATA_BYTES_MAX;
        let result = if self.watch.is_locked_out(now, address.data_id) {
            Err(Refusal::LockedOut)
        } else if frame.is_remote() || is_short {
            Err(Refusal::Malformed)
        } else if is_pair && !address.closes {
            self.wait(now, address, frame, &mut take);
            return;
        } else if is_pair {
            self.pair(address, frame.bytes())
        } else {
            self.single(address, frame)
        };
        match result {
            Ok(verified) => take(Event::Verified(verified)),
            Err(reason) => self.refuse(now, address, reason, &mut take),
        }
    }

    fn single(&mut self, address: Address, frame: &CanFrame) -> Result<Verified, Refusal> {
        let (data, tail) = codec::compact(frame.bytes()).ok_or(Refusal::Malformed)?;
        let subject = Subject { address, direction: self.direction, data };
        let sender = self.senders.get(&address.node()).ok_or(Refusal::UnknownSender)?;
        let counter = sender.counter(&subject, tail)?;
        let plain = address.frame(false, data).map_err(|_| Refusal::Malformed)?;
        self.accept(address, plain, counter)
    }

    /// Lets a data frame wait. The oldest of its identifier gives way if too many do.
    fn wait(
        &mut self,
        now: SimTime,
        address: Address,
        frame: &CanFrame,
        take: &mut impl FnMut(Event),
    ) {
        let is_same = |waiting: &Waiting| waiting.address == address;
        if self.waiting.iter().filter(|waiting| is_same(waiting)).count() >= WAITING_MAX
            && let Some(oldest) = self.waiting.iter().position(is_same)
        {
            self.displace(now, oldest, take);
        }
        self.waiting.push_back(Waiting { frame: *frame, address, since: now, tries: 0 });
    }

    /// Gives up a data frame. If a MAC frame was refused that it was tried with, the message that
    /// both made is counted already.
    fn displace(&mut self, now: SimTime, place: usize, take: &mut impl FnMut(Event)) {
        if let Some(waiting) = self.waiting.remove(place).filter(|waiting| waiting.tries == 0) {
            self.refuse(now, waiting.address, Refusal::Unpaired, take);
        }
    }

    /// Looks for the data frame of a MAC frame.
    fn pair(&mut self, address: Address, bytes: &[u8]) -> Result<Verified, Refusal> {
        let sender = self.senders.get(&address.node()).ok_or(Refusal::UnknownSender)?;
        let (mut reason, mut settled) = (Refusal::Unpaired, None);
        let is_same = |waiting: &Waiting| waiting.address.data_id == address.data_id;
        for (place, waiting) in self.waiting.iter_mut().enumerate().rev() {
            if !is_same(waiting) {
                continue;
            }
            let data = waiting.frame.bytes();
            let tail = if address.register() == RESYNC_REGISTER {
                codec::resync(data, bytes)
            } else {
                codec::strong(bytes)
            };
            let Some(tail) = tail else { continue };
            let subject = Subject { address, direction: self.direction, data };
            let result = sender.counter(&subject, tail);
            if result != Err(Refusal::WrongTag) {
                settled = Some((place, waiting.frame, result));
                break;
            }
            reason = Refusal::WrongTag;
            waiting.tries += 1;
        }
        let Some((place, frame, result)) = settled else {
            let is_tried = |waiting: &Waiting| waiting.tries >= WAITING_MAX;
            self.waiting.retain(|waiting| !is_same(waiting) || !is_tried(waiting));
            return Err(reason);
        };
        self.waiting.remove(place);
        self.accept(address, frame, result?)
    }

    fn accept(
        &mut self,
        address: Address,
        frame: CanFrame,
        counter: u64,
    ) -> Result<Verified, Refusal> {
        let node = address.node();
        let sender = self.senders.get_mut(&node).ok_or(Refusal::UnknownSender)?;
        sender.last = counter;
        sender.counts.verified += 1;
        let record = ReceiverRecord { node, last: counter };
        Ok(Verified { message: Message { frame, counter }, record })
    }

    fn refuse(
        &mut self,
        now: SimTime,
        address: Address,
        reason: Refusal,
        take: &mut impl FnMut(Event),
    ) {
        if let Some(sender) = self.senders.get_mut(&address.node()) {
            sender.counts.refuse(reason);
        }
        let Ok(id) = address.id(false) else { return };
        take(Event::Refused { id, reason });
        if !reason.is_failure() {
            return;
        }
        if let Some(alarm) = self.watch.fail(now, address.data_id) {
            take(Event::Alarm { id, first: alarm.first, locked_until: alarm.locked_until });
        }
    }
}
