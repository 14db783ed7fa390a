//! How a node comes by its number: it announces its unique id under it before it answers anything,
//! and of two nodes with one number the one with the lower id has it, as in the address claim of
//! SAE J1939-81. The other one is displaced: it is silent until its supply comes back, and does not
//! disturb the bus by answers of its own under the same identifiers.
//!
//! An announcement is two frames. It waits for a back-off that is drawn from the id, and one that
//! is destroyed, as by that of the other node, is made again after another back-off. An
//! announcement of another id is answered by one of its own, so whoever listens hears both.

use lastmeter_board::meter_node::{Register, UniqueId, UniqueIdHalves};
use lastmeter_can::frame::{CanFrame, CanId};
use lastmeter_units::{SimDuration, SimTime};

/// How long after its first announcement a node waits for that of another one under its number
/// (J1939-81): longer than any back-off.
const OBJECTION_TIME: SimDuration = SimDuration::from_milliseconds(250);

/// A node's claim of its number.
#[derive(Debug)]
pub(super) struct Claim {
    id: UniqueId,
    node: u8,
    announces_at: Option<SimTime>,
    announced: u32,
    /// The frame of its announcement that is with the controller.
    sending: Option<CanFrame>,
    /// From when on it answers; `None` before it has announced itself.
    answers_from: Option<SimTime>,
    is_displaced: bool,
    heard: UniqueIdHalves,
}

impl Claim {
    /// The claim of a node that starts, and has announced itself so often before.
    pub(super) fn new(id: UniqueId, node: u8, announced: u32, now: SimTime) -> Self {
        let mut claim = Self {
            id,
            node,
            announces_at: None,
            announced,
            sending: None,
            answers_from: None,
            is_displaced: false,
            heard: UniqueIdHalves::default(),
        };
        claim.announce(now);
        claim
    }

    /// It starts again, with other back-offs than before.
    pub(super) fn restart(&mut self, now: SimTime) {
        *self = Self::new(self.id, self.node, self.announced, now);
    }

    /// When it announces itself next.
    pub(super) fn next(&self) -> Option<SimTime> {
        self.announces_at
    }

    /// Whether it may answer, and close readings.
    pub(super) fn is_settled(&self, now: SimTime) -> bool {
        !self.is_displaced && self.answers_from.is_some_and(|from| from <= now)
    }

    /// Announces itself after a back-off, unless it is about to.
    fn announce(&mut self, now: SimTime) {
        if self.announces_at.is_none() && self.sending.is_none() {
            self.announces_at = Some(now + back_off(self.id, self.announced));
            self.announced = self.announced.wrapping_add(1);
        }
    }

    /// The first frame of an announcement that is due.
    pub(super) fn due(&mut self, now: SimTime) -> Option<CanFrame> {
        self.announces_at.take_if(|at| *at <= now)?;
        self.sending = self.frame(Register::UniqueIdHigh);
        self.sending
    }

    fn frame(&self, register: Register) -> Option<CanFrame> {
        let id = CanId::standard(u32::from(register.identifier(self.node))).ok()?;
        CanFrame::data(id, &self.id.half(register)?).ok()
    }

    /// A frame of this node was sent; what it sends next for its announcement.
    pub(super) fn sent(&mut self, now: SimTime, frame: CanFrame) -> Option<CanFrame> {
        self.sending.take_if(|sending| *sending == frame)?;
        let low = self.frame(Register::UniqueIdLow);
        if Some(frame) != low {
            self.sending = low;
            return low;
        }
        self.answers_from = self.answers_from.or(Some(now + OBJECTION_TIME));
        None
    }

    /// What this node sends was destroyed; the frame that is to be withdrawn.
    pub(super) fn destroyed(&mut self, now: SimTime) -> Option<CanFrame> {
        let frame = self.sending.take()?;
        self.announce(now);
        Some(frame)
    }

    /// Another node has announced half of its id under this number; its id, if it has the number
    /// from now on.
    pub(super) fn heard(
        &mut self,
        now: SimTime,
        register: Register,
        data: &[u8],
    ) -> Option<UniqueId> {
        let other = self.heard.take(register, data)?;
        if other == self.id || self.is_displaced {
            return None;
        }
        self.is_displaced = other < self.id;
        self.announce(now);
        Some(other).filter(|_| self.is_displaced)
    }
}

/// The wait before an announcement, from 0 to 65.535 ms: `SplitMix64` of both halves of the id and
/// of how many announcements there were.
fn back_off(id: UniqueId, announced: u32) -> SimDuration {
    let mix = |seed: u64| {
        let mixed = seed.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (mixed ^ mixed >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ mixed >> 31
    };
    let half = |register| id.half(register).map_or(0, u64::from_be_bytes);
    let halves = mix(half(Register::UniqueIdHigh)) ^ half(Register::UniqueIdLow);
    let mixed = mix(mix(halves) ^ u64::from(announced));
    SimDuration((mixed >> 48) as i64 * 1_000)
}

#[cfg(test)]
#[path = "claim_tests.rs"]
mod tests;
