//! What happens to a CAN bus from outside: to its wire, to a node's driver, or by an attacker.
//!
//! It is known ahead, so that it begins and ends with a bit. The attacker is the node behind the
//! slaves, which has its supply only on a bus that is attacked; it hears all from the start on.

use lastmeter_can::attacker::{Attack, AttackPlan, Attacker, Protection};
use lastmeter_can::bus::{Bus, BusEvent, Happening};
use lastmeter_can::frame::{CanFrame, CanId};
use lastmeter_units::{SimDuration, SimTime};

use super::Party;
use crate::impair::Draws;

/// Bits of an identifier below its register.
const NODE_BITS: u32 = 5;

/// What happens.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum CanFault {
    /// The wire is cut in front of the party: all behind it are apart from those before it.
    Cut,
    /// Both conductors are joined, which is a recessive level, or one is held dominant.
    Short {
        /// Whether the level is recessive.
        is_recessive: bool,
    },
    /// The party drives a dominant level.
    Babble,
    /// Bits are read wrongly, by the party or by all of them.
    BitErrors {
        /// The probability of each bit.
        rate: f64,
    },
    /// An attacker acts against the party.
    Attack(CanAttack),
}

/// What an attacker does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CanAttack {
    /// What.
    pub attack: Attack,
    /// How the target's messages are protected.
    pub protection: Protection,
    /// The register of the target's messages: its identifier is register * 32 + node.
    pub register: u8,
    /// The identifier under which a transplanted message is sent.
    pub elsewhere: u16,
    /// How often.
    pub times: u64,
    /// How long it waits after each time.
    pub pause: SimDuration,
}

/// Something that happens to a bus for a time.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CanDisturbance {
    /// What.
    pub fault: CanFault,
    /// To whom, or against whom; `None`: to all.
    pub party: Option<Party>,
    /// The number of that party's node in identifiers.
    pub number: u8,
    /// From when on.
    pub from: SimTime,
    /// Until when.
    pub until: SimTime,
}

/// What came of an attack, at its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AttackReport {
    /// When it was over.
    pub at: SimTime,
    /// What it was.
    pub attack: Attack,
    /// Against whom.
    pub party: Option<Party>,
    /// Frames that it sent and that were acknowledged.
    pub sent: u64,
    /// Frames of others that it destroyed by driving a bit.
    pub destroyed: u64,
}

/// An attacker until the end of its attack.
#[derive(Debug)]
pub(super) struct Intruder {
    attacker: Attacker,
    attack: Attack,
    party: Option<Party>,
    node: usize,
    from: SimTime,
    until: SimTime,
}

impl Intruder {
    /// One at a node of a bus with bits of this length. `None`: there are no such identifiers.
    pub(super) fn new(
        (it, attack): (&CanDisturbance, CanAttack),
        (node, bit): (usize, SimDuration),
        mut draws: Draws,
    ) -> Option<Self> {
        let target = u32::from(attack.register) << NODE_BITS | u32::from(it.number);
        let plan = AttackPlan {
            attack: attack.attack,
            protection: attack.protection,
            target: CanId::standard(target).ok()?,
            elsewhere: CanId::standard(attack.elsewhere.into()).ok()?,
            start: it.from,
            times: attack.times,
            pause: attack.pause,
            bit,
        };
        let attacker = Attacker::new(plan, node, move || draws.word());
        let CanDisturbance { party, from, until, .. } = *it;
        Some(Self { attacker, attack: attack.attack, party, node, from, until })
    }

    /// When it is to be looked at again, unless something happens on the bus before that.
    pub(super) fn next(&self) -> SimTime {
        let own = self.attacker.next().map_or(self.until, |at| at.max(self.from));
        own.min(self.until)
    }

    /// Hears what happened; what its node sends before it begins is that of another one.
    pub(super) fn follow(&mut self, event: &BusEvent, bus: &mut Bus) {
        let is_own = event.node == self.node && !matches!(event.what, Happening::Received(_));
        if event.at >= self.from || !is_own {
            self.attacker.follow(event);
        }
        self.act(bus, event.at);
    }

    /// Goes on at an instant.
    pub(super) fn wake(&mut self, bus: &mut Bus, now: SimTime) {
        if now >= self.from {
            self.attacker.wake(now);
        }
        self.act(bus, now);
    }

    /// Whoever only listens offers nothing, for others may be at the same node.
    fn act(&mut self, bus: &mut Bus, now: SimTime) {
        if now >= self.from && now < self.until {
            self.attacker.act(bus, now);
        }
    }

    /// What came of it, if it is over by now; its node has nothing to send any more then.
    pub(super) fn over(&self, bus: &mut Bus, now: SimTime) -> Option<AttackReport> {
        if now < self.until && !self.attacker.is_over() {
            return None;
        }
        bus.offer(self.node, now, None::<CanFrame>);
        let Self { attacker, attack, party, .. } = self;
        let (sent, destroyed) = (attacker.sent(), attacker.destroyed());
        Some(AttackReport { at: now, attack: *attack, party: *party, sent, destroyed })
    }
}

/// Gaps between bits in error, until an instant.
pub(super) fn gaps_until(
    (from, until): (SimTime, SimTime),
    mut gap: impl FnMut() -> SimDuration + Send + 'static,
) -> impl FnMut() -> SimDuration + Send + 'static {
    let mut at = from;
    move || {
        let next = gap();
        at = super::later(at, next);
        if at < until { next } else { SimDuration(i64::MAX) }
    }
}

/// The gaps of a rate of bit errors.
pub(super) fn error_gaps(
    mut draws: Draws,
    rate: f64,
    bit: SimDuration,
) -> impl FnMut() -> SimDuration + Send + 'static {
    move || until_error(rate, draws.uniform(), bit)
}

/// The time until the next bit in error: the number of bits is geometrically distributed.
fn until_error(rate: f64, uniform: f64, bit: SimDuration) -> SimDuration {
    let bits = (libm::log1p(-uniform) / libm::log1p(-rate)).ceil().max(1.0);
    // The cast saturates.
    SimDuration(bit.0.saturating_mul(bits as i64))
}
