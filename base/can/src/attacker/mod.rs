//! An attacker as one more node of a CAN network: it hears what all hear, sends frames, and drives
//! dominant bits; it has no key.
//!
//! Sans-I/O. What happens on the bus is handed to [`Attacker::follow`], and [`Attacker::wake`] is
//! due at [`Attacker::next`]. What it wants is [`Attacker::offer`], the frame for its node, and
//! [`Attacker::take_changes`], what it does to the wire; on a [`Bus`] [`Attacker::act`] carries out
//! both. On a real bus, where nobody drives bits, all but [`Attack::DropReplay`] work.
//!
//! | module | what |
//! |---|---|
//! | `forge` | the frames of an attack, from those that were heard |
//! | `recording` | messages of one or more frames, put together from what is heard |
//!
//! Of a frame on the wire that is not valid yet a node reads bit after bit. Here it is known from
//! its sender's [`Happening::Begun`], and nothing of it is used before all of it has passed.
//! A node that sends without a pause under an identifier collides with each frame that its true
//! sender offers meanwhile: from two frames of one identifier that begin together both senders
//! count errors, until the true one is bus-off (Cho and Shin, "Error Handling of In-vehicle
//! Networks Makes Them Vulnerable", ACM CCS 2016). That is [`Attack::Suppress`], and a side effect
//! of all others that are not given a pause. A request for the same identifier loses against it.

mod forge;
mod recording;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;

use lastmeter_units::{SimDuration, SimTime};

use self::recording::{Ear, Message};
use crate::authentication::{NODE_MAX, RESYNC_REGISTER};
use crate::bus::{Bus, BusEvent, Change, Happening};
use crate::frame::{CanFrame, CanId};
use crate::wire::WireBits;

/// So many messages are kept, the last ones.
const KEPT_MAX: usize = 64;
/// The most frames of a message by the paper: 256 bytes, a sync code and a whole hash.
const PAPER_FRAMES_MAX: usize = 37;
/// Messages in which a byte that counts them wraps 256 times.
pub const WRAPPED_MESSAGES: u64 = 256 * 256;
/// Bits from the end of the first one of a frame to the acknowledge delimiter, beside those that
/// are stuffed. All of it has passed then, and no receiver takes it with a dominant bit there.
const TO_DELIMITER_BITS: i64 = 1;

lastmeter_units::words! {
    /// What an attacker does. It first hears what it needs for that.
    pub enum Attack {
        /// Sends the last message of the target again.
        ReplayLast = "replay-last",
        /// Sends an older one again, at most 63 messages behind.
        ReplayOld = "replay-old",
        /// Sends one again when a byte that counts messages has wrapped 256 times since.
        ReplayWrapped = "replay-wrapped",
        /// Sends the last message with another bit of its data flipped each time.
        FlipData = "flip-data",
        /// Sends it with a bit of its MAC flipped.
        FlipMac = "flip-mac",
        /// Sends it with a bit of its identifier flipped.
        FlipIdentifier = "flip-identifier",
        /// Sends it under another identifier: of another node or register.
        Transplant = "transplant",
        /// Destroys a message on the wire whenever it is sent, until another one passes, and sends
        /// it then. A node that repeats it all the same is driven to bus-off.
        DropReplay = "drop-then-replay",
        /// Sends the last two messages in the wrong order.
        Reorder = "reorder",
        /// Drives the target to bus-off by empty frames under its identifier; where it is polled,
        /// from the next poll on.
        Suppress = "suppress",
        /// Sends frames that nobody wins against: identifier 0, with 8 bytes.
        Flood = "flood",
        /// Sends random data and a random MAC with right identifier, length and next counter.
        GuessMac = "guess-mac",
        /// Sends all that was heard before the start, once the target was heard again.
        ReuseAfterReboot = "reuse-after-reboot",
        /// Sends the MAC frame of the last message without the data frame.
        MacAlone = "mac-without-data",
        /// Appends to the last message, and goes on with the hash from its tag.
        Extend = "extend",
    }
}

impl Attack {
    /// Whether the bus has to be calculated bit by bit ([`crate::bus::Detail::Bits`]) for it.
    pub const fn is_bit_by_bit(self) -> bool {
        matches!(self, Self::DropReplay)
    }
}

lastmeter_units::words! {
    /// How messages of the target are protected, which decides where their data and MAC are.
    pub enum Protection {
        /// Not at all.
        None = "none",
        /// By the scheme of the paper as it is written, with messages of 8 bytes.
        Paper = "paper",
        /// By data, counter and MAC in one frame.
        Compact = "compact",
        /// By counter and MAC in a second frame.
        Strong = "strong",
    }
}

impl Protection {
    /// The most frames of a message; if there is more than one, the last has an identifier of its
    /// own.
    const fn frames_max(self) -> usize {
        match self {
            Self::None | Self::Compact => 1,
            Self::Paper => PAPER_FRAMES_MAX,
            Self::Strong => 2,
        }
    }

    const fn has_closing_frame(self) -> bool {
        self.frames_max() > 1
    }
}

/// An attack, on whom, and when.
#[derive(Clone, Copy, Debug)]
pub struct AttackPlan {
    /// What.
    pub attack: Attack,
    /// How the target's messages are protected.
    pub protection: Protection,
    /// The identifier of the target's data, `register * 32 + node`.
    pub target: CanId,
    /// That under which a transplanted message is sent.
    pub elsewhere: CanId,
    /// From when on; before, it listens only.
    pub start: SimTime,
    /// How often.
    pub times: u64,
    /// How long it waits after each time; without a pause it takes all of the bus that it gets.
    pub pause: SimDuration,
    /// The length of a bit, for what it drives.
    pub bit: SimDuration,
}

/// A frame of the target on the wire that is to be destroyed.
#[derive(Clone, Copy, Debug)]
struct Strike {
    sender: usize,
    frame: CanFrame,
    at: SimTime,
}

/// The attacker's node.
pub struct Attacker {
    plan: AttackPlan,
    node: usize,
    random: Box<dyn FnMut() -> u64 + Send>,
    /// What it puts together from frames: messages of the target, and their resynchronisations.
    ears: [Ear; 2],
    kept: VecDeque<Message>,
    /// The first message that was heard, and how many came after it.
    first: Option<(Message, u64)>,
    /// Whether the target is polled, and whether that, or what an attack waits for, was after the
    /// start.
    is_polled: bool,
    is_awaited: bool,
    /// What was destroyed on the wire.
    dropped: Vec<CanFrame>,
    strike: Option<Strike>,
    changes: Vec<(SimTime, Change)>,
    /// Frames of this time that are not out yet, and whether the first is on the wire.
    queue: VecDeque<CanFrame>,
    is_sending: bool,
    due: SimTime,
    done: u64,
    sent: u64,
    destroyed: u64,
}

impl std::fmt::Debug for Attacker {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { plan, node, done, sent, .. } = self;
        write!(f, "Attacker at {node} with {plan:?}: {done} times, {sent} frames")
    }
}

impl Attacker {
    /// An attacker at a node of the bus, counted from 0. What is random comes from `random`, 64
    /// bits each.
    pub fn new(
        plan: AttackPlan,
        node: usize,
        random: impl FnMut() -> u64 + Send + 'static,
    ) -> Self {
        let resync = RESYNC_REGISTER * 32 + (plan.target.value() as u16 & u16::from(NODE_MAX));
        // Of 11 bits always.
        let resync = CanId::standard(resync.into()).unwrap_or(plan.target);
        Self {
            plan,
            node,
            random: Box::new(random),
            ears: [Ear::new(plan.target, plan.protection.frames_max()), Ear::new(resync, 2)],
            kept: VecDeque::new(),
            first: None,
            is_polled: false,
            is_awaited: false,
            dropped: Vec::new(),
            strike: None,
            changes: Vec::new(),
            queue: VecDeque::new(),
            is_sending: false,
            due: plan.start,
            done: 0,
            sent: 0,
            destroyed: 0,
        }
    }

    /// How many of its frames were sent, and acknowledged.
    pub const fn sent(&self) -> u64 {
        self.sent
    }

    /// How many frames of others it has destroyed by what it drove.
    pub const fn destroyed(&self) -> u64 {
        self.destroyed
    }

    /// Whether it has done all that was planned.
    pub fn is_over(&self) -> bool {
        self.done >= self.plan.times && self.queue.is_empty()
    }

    /// What its node has to send.
    pub fn offer(&self) -> Option<CanFrame> {
        self.queue.front().copied()
    }

    /// Takes what it does to the wire, in order of time.
    pub fn take_changes(&mut self) -> Vec<(SimTime, Change)> {
        std::mem::take(&mut self.changes)
    }

    /// When it is to be woken, unless something happens before that.
    pub fn next(&self) -> Option<SimTime> {
        let strike = self.strike.map(|strike| strike.at);
        let may = self.queue.is_empty() && self.done < self.plan.times && self.is_ready();
        strike.into_iter().chain(may.then_some(self.due)).min()
    }

    /// Takes what happened at any node of the bus, in order of time.
    pub fn follow(&mut self, event: &BusEvent) {
        if event.node == self.node {
            self.follow_own(event);
        } else {
            self.watch(event);
        }
        self.wake(event.at);
    }

    /// Goes on at an instant.
    pub fn wake(&mut self, now: SimTime) {
        if let Some(Strike { frame, at, .. }) = self.strike.take_if(|strike| strike.at <= now) {
            let drive = |does| Change::Babble(self.node, does);
            self.changes.extend([(at, drive(true)), (at + self.plan.bit, drive(false))]);
            self.destroyed += 1;
            if !self.dropped.contains(&frame) {
                self.dropped.push(frame);
            }
        }
        if self.next().is_some_and(|at| at <= now) {
            self.queue = self.frames().into();
            // An attack that this protection has no place for sends nothing, and is over.
            self.done = if self.queue.is_empty() { self.plan.times } else { self.done + 1 };
        }
    }

    /// Carries out on a bus what it wants: what its node is to send, and what it drives.
    pub fn act(&mut self, bus: &mut Bus, now: SimTime) {
        for (at, change) in self.take_changes() {
            bus.schedule(at, change);
        }
        // What is on the wire goes on by itself.
        if !self.is_sending {
            bus.offer(self.node, now, self.offer());
        }
    }

    fn follow_own(&mut self, event: &BusEvent) {
        match event.what {
            Happening::Received(frame) => self.hear(event.at, &frame),
            Happening::Begun(_) => self.is_sending = true,
            Happening::LostArbitration | Happening::Error { is_sender: true, .. } => {
                self.is_sending = false;
            }
            Happening::Sent(_) => {
                self.is_sending = false;
                self.queue.pop_front();
                self.sent += 1;
                self.due = event.at + self.plan.pause;
            }
            Happening::Error { is_sender: false, .. }
            | Happening::Overload
            | Happening::State(_) => {}
        }
    }

    /// Hears a valid frame of another node.
    fn hear(&mut self, at: SimTime, frame: &CanFrame) {
        let has_begun = at >= self.plan.start;
        if frame.is_remote() {
            if frame.id() == self.plan.target {
                self.is_polled = true;
                self.is_awaited |= has_begun && self.plan.attack == Attack::Suppress;
            }
            return;
        }
        let [target, resync] = &mut self.ears;
        let (message, resync) = (target.take(frame), resync.take(frame));
        match self.plan.attack {
            Attack::ReuseAfterReboot if has_begun => {
                self.is_awaited |= message.is_some();
                return;
            }
            Attack::ReuseAfterReboot => self.kept.extend(resync),
            // What passes behind what was destroyed.
            Attack::DropReplay => self.is_awaited |= message.is_some() && self.has_dropped(),
            _ => {}
        }
        if let Some(message) = message {
            match &mut self.first {
                Some((_, later)) => *later += 1,
                None => self.first = Some((message.clone(), 0)),
            }
            self.kept.push_back(message);
        }
        let beyond = self.kept.len().saturating_sub(KEPT_MAX);
        self.kept.drain(..beyond);
    }

    /// Watches frames of others while they are on the wire, to destroy those of the target.
    fn watch(&mut self, event: &BusEvent) {
        if self.plan.attack != Attack::DropReplay {
            return;
        }
        match event.what {
            Happening::Begun(frame) if event.at >= self.plan.start && self.is_to_drop(&frame) => {
                let bits = WireBits::of(&frame).len() as i64 + TO_DELIMITER_BITS;
                let at = event.at + SimDuration(self.plan.bit.0.saturating_mul(bits));
                self.strike = Some(Strike { sender: event.node, frame, at });
            }
            Happening::LostArbitration | Happening::Error { .. } => {
                self.strike.take_if(|strike| strike.sender == event.node);
            }
            _ => {}
        }
    }

    fn is_to_drop(&self, frame: &CanFrame) -> bool {
        let is_part = self.ears[0].hears(frame) && !frame.is_remote();
        let has_room = !self.has_dropped() && self.dropped.len() < KEPT_MAX;
        self.dropped.contains(frame) || (is_part && has_room)
    }

    /// Whether all of a message was destroyed.
    fn has_dropped(&self) -> bool {
        self.dropped.last().is_some_and(|last| self.ears[0].is_closed_by(last))
    }

    /// Whether it has heard what it needs.
    fn is_ready(&self) -> bool {
        match self.plan.attack {
            Attack::Flood => true,
            Attack::Suppress => self.is_awaited || !self.is_polled,
            Attack::DropReplay => self.is_awaited,
            Attack::ReuseAfterReboot => self.is_awaited && !self.kept.is_empty(),
            Attack::ReplayOld | Attack::Reorder => self.kept.len() > 1,
            Attack::ReplayWrapped => {
                self.first.as_ref().is_some_and(|(_, later)| *later >= WRAPPED_MESSAGES)
            }
            _ => !self.kept.is_empty(),
        }
    }

    /// The frames of this time.
    fn frames(&mut self) -> Vec<CanFrame> {
        let AttackPlan { attack, protection, target, elsewhere, .. } = self.plan;
        match attack {
            Attack::Suppress => return CanFrame::data(target, &[]).into_iter().collect(),
            Attack::Flood => return forge::first_of_all().into_iter().collect(),
            Attack::DropReplay => return self.dropped.clone(),
            _ => {}
        }
        let Some(last) = self.kept.back() else { return Vec::new() };
        let first = self.first.as_ref().map_or(last, |(first, _)| first);
        let old = self.kept.front().unwrap_or(last);
        let random = &mut self.random;
        match attack {
            Attack::ReplayOld => old.frames().to_vec(),
            Attack::ReplayWrapped => first.frames().to_vec(),
            Attack::FlipData => forge::flip_data(last, protection, random),
            Attack::FlipMac => forge::flip_mac(last, protection, random),
            Attack::FlipIdentifier => forge::flip_identifier(last, protection, random),
            Attack::Transplant => last.under(elsewhere),
            Attack::Reorder => {
                let before = self.kept.iter().rev().nth(1).unwrap_or(last);
                [last.frames(), before.frames()].concat()
            }
            Attack::GuessMac => forge::guess(last, protection, random),
            Attack::ReuseAfterReboot => {
                let place = self.done % self.kept.len() as u64;
                self.kept.get(place as usize).unwrap_or(last).frames().to_vec()
            }
            Attack::MacAlone => {
                let closing = last.frames().last().filter(|_| protection.has_closing_frame());
                closing.copied().into_iter().collect()
            }
            Attack::Extend => forge::extend(last, protection),
            Attack::ReplayLast | Attack::Suppress | Attack::Flood | Attack::DropReplay => {
                last.frames().to_vec()
            }
        }
    }
}
