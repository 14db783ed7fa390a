//! A node of the bus, bit by bit: it drives a level and reads the one that comes of all of them
//! (ISO 11898-1, medium access control; Bosch CAN 2.0, part B, 3 to 8).

use lastmeter_units::SimTime;

use super::confinement::{ErrorCounters, ErrorState};
use crate::frame::CanFrame;
use crate::wire::{ErrorKind, Field, Receiver, Taken, WireBits, is_arbitrated};

/// Bits of an error or overload flag, and of the delimiter behind it.
const FLAG_BITS: u8 = 6;
const DELIMITER_BITS: u8 = 8;
/// Dominant bits behind a flag after which an error is counted.
const DOMINANT_BITS_MAX: u8 = 8;
/// Bits between frames, and those that an error-passive sender waits besides.
const INTERMISSION_BITS: u8 = 3;
const SUSPEND_BITS: u8 = 8;
/// Recessive bits after which the bus is idle, and how often a node that is off waits for them.
pub(super) const IDLE_BITS: u8 = 11;
pub(super) const RECOVERY_RUNS: u8 = 128;

/// What happens at a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Happening {
    /// It begins to send a frame.
    Begun(CanFrame),
    /// Another frame has the right of way; this one is received.
    LostArbitration,
    /// A frame of its own is out, and acknowledged.
    Sent(CanFrame),
    /// A frame of another node is valid.
    Received(CanFrame),
    /// It found an error.
    Error {
        /// Which.
        kind: ErrorKind,
        /// Whether in a frame that it sends.
        is_sender: bool,
    },
    /// It asks for a pause, since the one between frames was disturbed.
    Overload,
    /// What it may do has changed.
    State(ErrorState),
}

#[derive(Clone, Copy, Debug)]
struct Sending {
    offer: Offer,
    /// The next bit.
    place: usize,
    /// Whether it is tried again if it does not get through.
    is_repeated: bool,
}

/// What a sender reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Read {
    /// What it drives, or what may be.
    Level,
    /// Another frame has the right of way.
    Lost,
    /// A stuff bit that is disturbed while the arbitration goes on, which is not its own error.
    Disturbed,
    Wrong(ErrorKind),
}

impl Sending {
    /// Reads the bit that it has driven.
    fn read(&mut self, level: bool, receiver: &Receiver) -> Read {
        let drove = self.offer.bits.is_recessive(self.place);
        self.place += 1;
        let is_extended = self.offer.frame.id().is_extended();
        match (receiver.field(), drove == level) {
            (Field::AcknowledgeSlot, true) => Read::Wrong(ErrorKind::Acknowledge),
            (Field::AcknowledgeSlot, false) | (_, true) => Read::Level,
            (Field::Body(place), false) if drove && is_arbitrated(place, is_extended) => Read::Lost,
            // In front of RTR at the latest.
            (Field::Stuff(place), false) if drove && is_arbitrated(place, is_extended) => {
                Read::Disturbed
            }
            (_, false) => Read::Wrong(ErrorKind::Bit),
        }
    }
}

#[derive(Clone, Copy, Debug)]
enum State {
    /// It waits for a bus that is idle, after so many recessive bits.
    Integrating(u8),
    Idle,
    Frame(Receiver),
    Flag {
        is_overload: bool,
        is_passive: bool,
        is_sender: bool,
        /// Equal bits, of which a passive flag is made, or bits of an active one.
        run: u8,
        last: bool,
        /// A missing acknowledgement counts only if somebody else sends a flag.
        is_uncounted: bool,
    },
    /// Behind a flag, until a recessive bit.
    BehindFlag {
        is_overload: bool,
        is_sender: bool,
        is_first: bool,
        dominant: u8,
    },
    Delimiter {
        seen: u8,
        is_sender: bool,
    },
    Intermission {
        seen: u8,
        was_sender: bool,
    },
    Suspended(u8),
    /// So many runs of recessive bits, and bits of the next one; counted if it is to come back.
    Off {
        runs: u8,
        bits: u8,
        recovers: bool,
    },
    /// Without supply.
    Dead,
}

/// A frame that a node is to send once the bus is free.
#[derive(Clone, Copy, Debug)]
pub(super) struct Offer {
    pub(super) frame: CanFrame,
    pub(super) bits: WireBits,
    /// The lower one has the right of way.
    pub(super) priority: u32,
    /// From when on.
    pub(super) at: SimTime,
}

impl Offer {
    pub(super) fn new(frame: CanFrame, at: SimTime) -> Self {
        let (id, is_remote) = (frame.id().value(), u32::from(frame.is_remote()));
        // The bits up to IDE or, of an extended frame, up to RTR.
        let priority = if frame.id().is_extended() {
            id >> 18 << 21 | 0b11 << 19 | (id & 0x3_FFFF) << 1 | is_remote
        } else {
            id << 21 | is_remote << 20
        };
        Self { frame, bits: WireBits::of(&frame), priority, at }
    }
}

/// A node.
#[derive(Clone, Debug)]
pub(super) struct Node {
    state: State,
    /// Its own frame that is on the wire.
    sending: Option<Sending>,
    pub(super) counters: ErrorCounters,
    pub(super) offer: Option<Offer>,
    /// Whether it comes back from bus-off by itself.
    pub(super) recovers: bool,
    /// Whether nothing of what it drives gets on the wire; it reads it all the same.
    pub(super) only_listens: bool,
    /// What it drives in this bit.
    drives: bool,
}

/// What a node does while the bus stays recessive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Quiet {
    /// It is in the middle of something.
    No,
    /// It counts recessive bits, and so many are missing.
    Counts(u32),
    /// It listens.
    Listens,
    /// It takes no part.
    Away,
}

impl Node {
    /// One that has just got its supply.
    pub(super) fn new(recovers: bool) -> Self {
        let state = State::Integrating(0);
        Self {
            state,
            sending: None,
            counters: ErrorCounters::default(),
            offer: None,
            recovers,
            only_listens: false,
            drives: true,
        }
    }

    /// Loses its supply, or gets it back.
    pub(super) fn set_powered(&mut self, is_powered: bool) {
        let is_dead = matches!(self.state, State::Dead);
        if is_powered == is_dead {
            let state = if is_powered { State::Integrating(0) } else { State::Dead };
            let offer = self.offer.filter(|_| is_powered);
            let only_listens = self.only_listens;
            *self = Self { state, offer, only_listens, ..Self::new(self.recovers) };
        }
    }

    /// Comes back from bus-off, by and by.
    pub(super) fn recover(&mut self) {
        if let State::Off { recovers, .. } = &mut self.state {
            *recovers = true;
        }
    }

    pub(super) fn quiet(&self) -> Quiet {
        match self.state {
            State::Idle => Quiet::Listens,
            State::Dead | State::Off { recovers: false, .. } => Quiet::Away,
            State::Integrating(seen) => Quiet::Counts((IDLE_BITS - seen).into()),
            State::Off { runs, bits, .. } => {
                let runs = u32::from(RECOVERY_RUNS - runs) * u32::from(IDLE_BITS);
                Quiet::Counts(runs - u32::from(bits))
            }
            _ => Quiet::No,
        }
    }

    /// It has another frame to send, or none; one that has begun is not stopped.
    pub(super) fn set_offer(&mut self, offer: Option<Offer>) {
        if let (None, Some(sending)) = (&offer, &mut self.sending) {
            sending.is_repeated = false;
        }
        // Who waits already goes on waiting, whatever for.
        let since = self.offer.as_ref().map(|waiting| waiting.at);
        self.offer =
            offer.map(|offer| Offer { at: since.unwrap_or(offer.at).min(offer.at), ..offer });
    }

    /// It has acknowledged a frame.
    pub(super) fn acknowledged(&mut self) {
        self.counters.received();
    }

    /// A frame of its own is out.
    pub(super) fn sent(&mut self, frame: CanFrame, happened: &mut dyn FnMut(Happening)) {
        self.counters.sent();
        happened(Happening::Sent(frame));
    }

    /// Begins to send what it has, if it has something by an instant; the next bit is at a place.
    fn begin(&mut self, at: SimTime, place: usize, happened: &mut dyn FnMut(Happening)) -> bool {
        let Some(offer) = self.offer.take_if(|offer| offer.at <= at) else { return false };
        happened(Happening::Begun(offer.frame));
        self.sending = Some(Sending { offer, place, is_repeated: true });
        true
    }

    /// What it sends has not got through.
    fn give_up(&mut self) {
        if let Some(sending) = self.sending.take()
            && sending.is_repeated
        {
            self.offer.get_or_insert(sending.offer);
        }
    }

    /// Does something by which its counters may change, and notes if it may do another thing then.
    pub(super) fn act_counted(
        &mut self,
        happened: &mut dyn FnMut(Happening),
        act: impl FnOnce(&mut Self, &mut dyn FnMut(Happening)),
    ) {
        let before = self.counters.state();
        act(self, happened);
        let after = self.counters.state();
        if after == before {
            return;
        }
        happened(Happening::State(after));
        if after == ErrorState::BusOff {
            self.state = State::Off { runs: 0, bits: 0, recovers: self.recovers };
        }
    }

    /// Waits as an error-passive sender does behind the pause.
    pub(super) fn suspend(&mut self) {
        self.state = State::Suspended(0);
    }

    /// Lets recessive bits pass, fewer than are missing by [`Self::quiet`].
    pub(super) fn skip(&mut self, count: u32) {
        match &mut self.state {
            State::Integrating(seen) => *seen += count.min(u8::MAX.into()) as u8,
            State::Off { runs, bits, recovers: true } => {
                let all = u32::from(*bits) + count;
                *runs += (all / u32::from(IDLE_BITS)) as u8;
                *bits = (all % u32::from(IDLE_BITS)) as u8;
            }
            _ => {}
        }
    }

    /// The level that it puts on the wire in the bit from an instant on, which is recessive if
    /// `true`; whether it begins to send is decided here.
    pub(super) fn drive(&mut self, at: SimTime, happened: &mut dyn FnMut(Happening)) -> bool {
        self.drives = match &self.state {
            State::Idle => {
                let begins = self.begin(at, 0, happened);
                if begins {
                    self.state = State::Frame(Receiver::new());
                }
                !begins
            }
            State::Frame(receiver) => match &self.sending {
                Some(sending) => sending.offer.bits.is_recessive(sending.place),
                None => !receiver.is_acknowledging(),
            },
            State::Flag { is_passive, .. } => *is_passive,
            _ => true,
        };
        self.drives || self.only_listens
    }

    /// Reads the bit from an instant on.
    pub(super) fn read(&mut self, at: SimTime, wire: bool, happened: &mut dyn FnMut(Happening)) {
        // What does not get on the wire is there for itself.
        let level = wire && (self.drives || !self.only_listens);
        let State::Frame(receiver) = &mut self.state else {
            return self.act_counted(happened, |node, happened| node.take(at, level, happened));
        };
        if self.sending.is_none() && receiver.is_acknowledging() {
            receiver.take(level);
            return self.act_counted(happened, |node, happened| {
                if level {
                    node.error(ErrorKind::Bit, false, happened);
                } else {
                    node.acknowledged();
                }
            });
        }
        let read = match &mut self.sending {
            Some(sending) => sending.read(level, receiver),
            None => Read::Level,
        };
        let taken = match read {
            Read::Level | Read::Lost => receiver.take(level),
            Read::Wrong(_) | Read::Disturbed => Taken::More,
        };
        // Most bits change nothing else.
        if read == Read::Level && taken == Taken::More {
            return;
        }
        let frame = if taken == Taken::Valid { receiver.frame() } else { None };
        self.act_counted(happened, |node, happened| {
            node.take_frame(level, (read, taken), frame, happened);
        });
    }

    /// Reads a bit that is none of a frame.
    fn take(&mut self, at: SimTime, level: bool, happened: &mut dyn FnMut(Happening)) {
        match self.state {
            State::Frame(_) | State::Dead | State::Off { recovers: false, .. } => {}
            State::Integrating(seen) => {
                let seen = if level { seen + 1 } else { 0 };
                let is_idle = seen == IDLE_BITS;
                self.state = if is_idle { State::Idle } else { State::Integrating(seen) };
            }
            State::Off { runs, bits, .. } => self.take_off(level, runs, bits),
            State::Idle => self.wait(level, State::Idle),
            State::Suspended(seen) => {
                let is_over = seen + 1 == SUSPEND_BITS;
                self.wait(level, if is_over { State::Idle } else { State::Suspended(seen + 1) });
            }
            State::Intermission { seen, was_sender } => {
                self.take_pause(at, level, (seen, was_sender), happened);
            }
            State::Flag { .. } => self.take_flag(level, happened),
            State::BehindFlag { is_overload, is_sender, is_first, dominant } => {
                if level {
                    self.state = State::Delimiter { seen: 1, is_sender };
                    return;
                }
                if is_first && !is_sender && !is_overload {
                    self.counters.receive_error(8);
                }
                let dominant = dominant + 1;
                if dominant % DOMINANT_BITS_MAX == 0 {
                    happened(Happening::Error { kind: ErrorKind::Form, is_sender });
                    self.count(is_sender);
                }
                let dominant = dominant % DOMINANT_BITS_MAX;
                self.state =
                    State::BehindFlag { is_overload, is_sender, is_first: false, dominant };
            }
            State::Delimiter { seen, is_sender } => match (level, seen + 1 == DELIMITER_BITS) {
                (true, false) => {
                    self.state = State::Delimiter { seen: seen + 1, is_sender };
                }
                (true, true) => {
                    self.state = State::Intermission { seen: 0, was_sender: is_sender };
                }
                (false, true) => self.overload(is_sender, happened),
                (false, false) => self.error(ErrorKind::Form, is_sender, happened),
            },
        }
    }

    /// Waits for a frame of another node.
    fn wait(&mut self, level: bool, next: State) {
        if level {
            self.state = next;
            return;
        }
        let mut receiver = Receiver::new();
        receiver.take(level);
        self.state = State::Frame(receiver);
    }

    fn take_off(&mut self, level: bool, runs: u8, bits: u8) {
        let bits = if level { bits + 1 } else { 0 };
        let (runs, bits) = if bits == IDLE_BITS { (runs + 1, 0) } else { (runs, bits) };
        if runs == RECOVERY_RUNS {
            self.counters = ErrorCounters::default();
            self.state = State::Idle;
        } else {
            self.state = State::Off { runs, bits, recovers: true };
        }
    }

    fn take_pause(
        &mut self,
        at: SimTime,
        level: bool,
        (seen, was_sender): (u8, bool),
        happened: &mut dyn FnMut(Happening),
    ) {
        let is_last = seen + 1 == INTERMISSION_BITS;
        if !is_last && !level {
            return self.overload(was_sender, happened);
        }
        let waits = was_sender && self.counters.state() == ErrorState::Passive;
        let next = match (is_last, waits) {
            (false, _) => State::Intermission { seen: seen + 1, was_sender },
            (true, true) => State::Suspended(0),
            (true, false) => State::Idle,
        };
        // A dominant bit in the last place is the start of a frame, of its own if it has one.
        if !level && !waits {
            self.begin(at, 1, happened);
        }
        self.wait(level, next);
    }

    fn take_frame(
        &mut self,
        level: bool,
        (read, taken): (Read, Taken),
        frame: Option<CanFrame>,
        happened: &mut dyn FnMut(Happening),
    ) {
        match read {
            Read::Level => {}
            Read::Lost => {
                happened(Happening::LostArbitration);
                self.give_up();
            }
            Read::Wrong(kind) => return self.error(kind, true, happened),
            Read::Disturbed => {
                let is_sender = true;
                happened(Happening::Error { kind: ErrorKind::Stuff, is_sender });
                return self.flag(is_sender, false);
            }
        }
        match taken {
            Taken::More => {}
            Taken::Error(kind) => self.error(kind, self.sending.is_some(), happened),
            Taken::Valid => {
                if let (None, Some(frame)) = (&self.sending, frame) {
                    happened(Happening::Received(frame));
                }
            }
            Taken::Over | Taken::OverDominant => {
                let sent = self.sending.take();
                let was_sender = sent.is_some();
                if let Some(sent) = sent {
                    self.sent(sent.offer.frame, happened);
                }
                self.state = State::Intermission { seen: 0, was_sender };
                if !level {
                    self.overload(was_sender, happened);
                }
            }
        }
    }

    /// An error is found, is counted, and a flag begins with the next bit.
    fn error(&mut self, kind: ErrorKind, is_sender: bool, happened: &mut dyn FnMut(Happening)) {
        happened(Happening::Error { kind, is_sender });
        let is_passive = self.counters.state() != ErrorState::Active;
        let is_uncounted = is_passive && is_sender && kind == ErrorKind::Acknowledge;
        self.flag(is_sender, is_uncounted);
        match is_sender {
            true if is_uncounted => {}
            true => self.counters.transmit_error(),
            false => self.counters.receive_error(1),
        }
    }

    fn flag(&mut self, is_sender: bool, is_uncounted: bool) {
        self.give_up();
        let is_passive = self.counters.state() != ErrorState::Active;
        let (run, last) = (0, true);
        self.state =
            State::Flag { is_overload: false, is_passive, is_sender, run, last, is_uncounted };
    }

    fn overload(&mut self, is_sender: bool, happened: &mut dyn FnMut(Happening)) {
        happened(Happening::Overload);
        self.state = State::Flag {
            is_overload: true,
            is_passive: false,
            is_sender,
            run: 0,
            last: true,
            is_uncounted: false,
        };
    }

    fn count(&mut self, is_sender: bool) {
        if is_sender {
            self.counters.transmit_error();
        } else {
            self.counters.receive_error(8);
        }
    }

    /// A bit of its own flag.
    fn take_flag(&mut self, level: bool, happened: &mut dyn FnMut(Happening)) {
        let State::Flag { is_overload, is_passive, is_sender, run, last, is_uncounted } =
            self.state
        else {
            return;
        };
        if !is_passive && level {
            // A dominant bit of its own is not seen: another error, and a flag for it.
            happened(Happening::Error { kind: ErrorKind::Bit, is_sender });
            self.flag(is_sender, false);
            return self.count(is_sender);
        }
        if is_uncounted && !level {
            self.count(is_sender);
        }
        let run = if is_passive && level != last { 1 } else { run + 1 };
        let is_uncounted = is_uncounted && level;
        self.state = if run == FLAG_BITS {
            State::BehindFlag { is_overload, is_sender, is_first: true, dominant: 0 }
        } else {
            let last = level;
            State::Flag { is_overload, is_passive, is_sender, run, last, is_uncounted }
        };
    }
}
