//! How often a card may be written to: too many frames per second can stop a GTNET card until its
//! power is switched off and on ([`Card::rate_max`](crate::point_map::Card::rate_max)).
//!
//! The guard has no clock: instants are arguments, in the caller's time. A frame may follow the
//! last one after a period, so a burst never gets through.

use lastmeter_units::{SimDuration, SimTime};

use crate::{Refusal, Rejection};

const NANOSECONDS_PER_SECOND: u32 = 1_000_000_000;

lastmeter_units::words! {
    /// What happens to a frame that comes too soon.
    pub enum OnExcess {
        /// It is refused.
        Refuse = "refuse",
        /// It is held back until it is due, or until a later one takes its place.
        Thin = "thin",
    }
}

/// What becomes of an offered frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Offered<T> {
    /// It is to be sent now.
    Send(T),
    /// It is held back; see [`RateGuard::due`].
    Held,
    /// It is not sent.
    Refused(Rejection),
}

/// How often what happened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RateCounts {
    /// Frames that were to be sent, at once or later.
    pub sent: u64,
    /// Frames that were held back.
    pub held: u64,
    /// Of these, frames that were never sent, because a later one took their place or the
    /// connection was lost.
    pub dropped: u64,
    /// Frames that were refused.
    pub refused: u64,
}

/// Guards one card against frames in one direction.
#[derive(Clone, Debug)]
pub struct RateGuard<T> {
    period: SimDuration,
    on_excess: OnExcess,
    /// When the next frame is due.
    next: SimTime,
    held: Option<T>,
    counts: RateCounts,
}

impl<T> RateGuard<T> {
    /// A guard for so many frames per second; 0 counts as 1.
    pub fn new(frames_per_second: u32, on_excess: OnExcess) -> Self {
        let period = NANOSECONDS_PER_SECOND.div_ceil(frames_per_second.max(1));
        Self {
            period: SimDuration(period.into()),
            on_excess,
            next: SimTime(i64::MIN),
            held: None,
            counts: RateCounts::default(),
        }
    }

    /// The least time between two frames.
    pub const fn period(&self) -> SimDuration {
        self.period
    }

    /// A frame at an instant. One that is held back already gives way to it.
    pub fn offer(&mut self, at: SimTime, frame: T) -> Offered<T> {
        if at >= self.next {
            self.discard();
            self.send(at);
            return Offered::Send(frame);
        }
        match self.on_excess {
            OnExcess::Thin => {
                self.discard();
                self.held = Some(frame);
                self.counts.held = self.counts.held.saturating_add(1);
                Offered::Held
            }
            OnExcess::Refuse => {
                self.counts.refused = self.counts.refused.saturating_add(1);
                let detail = format!(
                    "found a frame {} ns before the card takes one, expected one each {} ns; send \
                     less often, or let frames be thinned",
                    self.next.0.saturating_sub(at.0),
                    self.period.0
                );
                Offered::Refused(Rejection::new(Refusal::CardRateExceeded, detail))
            }
        }
    }

    /// When the frame that is held back can be sent; `None` if there is none.
    pub fn due(&self) -> Option<SimTime> {
        self.held.as_ref().map(|_| self.next)
    }

    /// The frame that was held back, to be sent now, if it is due.
    pub fn take(&mut self, at: SimTime) -> Option<T> {
        if at < self.next {
            return None;
        }
        let frame = self.held.take()?;
        self.send(at);
        Some(frame)
    }

    /// Forgets the frame that is held back, because the connection is lost. The rate still holds: a
    /// card counts what comes, whatever the connection.
    pub fn discard(&mut self) {
        if self.held.take().is_some() {
            self.counts.dropped = self.counts.dropped.saturating_add(1);
        }
    }

    /// What happened so far.
    pub const fn counts(&self) -> RateCounts {
        self.counts
    }

    fn send(&mut self, at: SimTime) {
        self.next = SimTime(at.max(self.next).0.saturating_add(self.period.0));
        self.counts.sent = self.counts.sent.saturating_add(1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: i64 = 1_000_000;

    fn guard(on_excess: OnExcess) -> RateGuard<u32> {
        RateGuard::new(1000, on_excess)
    }

    #[test]
    fn a_period_is_rounded_up_so_that_the_rate_is_never_above() {
        let period = |rate| RateGuard::<()>::new(rate, OnExcess::Thin).period().0;
        assert_eq!([1000, 3, 0].map(period), [1_000_000, 333_333_334, 1_000_000_000]);
    }

    #[test]
    fn the_latest_state_is_sent_when_the_card_takes_it() {
        let mut guard = guard(OnExcess::Thin);
        assert_eq!(guard.offer(SimTime(0), 1), Offered::Send(1));
        assert_eq!(guard.due(), None);
        assert_eq!(guard.offer(SimTime(100), 2), Offered::Held);
        assert_eq!(guard.offer(SimTime(MS - 1), 3), Offered::Held);
        assert_eq!((guard.due(), guard.take(SimTime(MS - 1))), (Some(SimTime(MS)), None));
        assert_eq!(guard.take(SimTime(MS)), Some(3));
        assert_eq!((guard.due(), guard.take(SimTime(9 * MS))), (None, None));
        // An offer that is allowed takes the place of what nobody has fetched.
        assert_eq!(guard.offer(SimTime(MS + 1), 4), Offered::Held);
        assert_eq!(guard.offer(SimTime(2 * MS), 5), Offered::Send(5));
        assert_eq!(guard.take(SimTime(9 * MS)), None);
        let expected = RateCounts { sent: 3, held: 3, dropped: 2, refused: 0 };
        assert_eq!(guard.counts(), expected);
        assert_eq!(guard.offer(SimTime(2 * MS), 6), Offered::Held);
        guard.discard();
        assert_eq!((guard.due(), guard.counts().dropped), (None, 3));
    }

    #[test]
    fn what_is_too_soon_is_refused_by_its_word() {
        let mut guard = guard(OnExcess::Refuse);
        assert_eq!(guard.offer(SimTime(7), 1), Offered::Send(1));
        let Offered::Refused(rejection) = guard.offer(SimTime(MS), 2) else { panic!("too soon") };
        assert_eq!(rejection.refusal, Refusal::CardRateExceeded);
        assert!(rejection.detail.starts_with("found a frame 7 ns before"), "{rejection}");
        assert_eq!(guard.offer(SimTime(MS + 7), 3), Offered::Send(3));
        assert_eq!(guard.counts(), RateCounts { sent: 2, refused: 1, ..RateCounts::default() });
        // A clock that goes back opens nothing.
        assert!(matches!(guard.offer(SimTime(i64::MIN), 4), Offered::Refused(_)));
    }
}
