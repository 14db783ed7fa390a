//! How often a card may be written to: too many frames per second can stop a GTNET card until its
//! power is switched off and on.
//!
//! Source: RTDS Technologies, public description of GTNET-SKT: a `GTNETx2` takes up to 1,000
//! frames per second of 300 points and 5,000 of less than 60, the older GTNET 100; unverified
//! against hardware. Between 60 and 300 points the lower rate holds.
//!
//! The guard has no clock: instants are arguments, in the caller's time. A frame may follow the
//! last one after a period, so a burst never gets through. With a tolerance one may come that much
//! early and the next is due a period after it was due, not after it came: a sender at exactly the
//! card's rate then keeps it in spite of jitter, and the mean rate is never above the card's.

use lastmeter_units::{SimDuration, SimTime};

use crate::{Refusal, Rejection};

const NANOSECONDS_PER_SECOND: u32 = 1_000_000_000;

/// The highest rate of frames up to a size.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RateStep {
    /// The most words of a frame.
    pub words: usize,
    /// The most frames per second; 0 counts as 1.
    pub frames_per_second: u32,
}

/// The limits of a `GTNETx2` card.
pub const GTNETX2_LIMITS: &[RateStep] = &[
    RateStep { words: 59, frames_per_second: 5000 },
    RateStep { words: 300, frames_per_second: 1000 },
];

/// The limits of the older GTNET card.
pub const GTNET_LIMITS: &[RateStep] = &[RateStep { words: 300, frames_per_second: 100 }];

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
    tolerance: SimDuration,
    on_excess: OnExcess,
    /// When the next frame is due, without the tolerance.
    next: SimTime,
    held: Option<T>,
    counts: RateCounts,
}

impl<T> RateGuard<T> {
    /// A guard for frames of so many words, by limits in ascending order of size.
    pub fn new(
        limits: &[RateStep],
        words: usize,
        on_excess: OnExcess,
        tolerance: SimDuration,
    ) -> Result<Self, Rejection> {
        let Some(step) = limits.iter().find(|step| words <= step.words) else {
            let most = limits.last().map_or(0, |step| step.words);
            let detail = format!(
                "found frames of {words} words, expected at most {most}; divide the points between \
                 two components"
            );
            return Err(Rejection::new(Refusal::CardSizeExceeded, detail));
        };
        let period = NANOSECONDS_PER_SECOND.div_ceil(step.frames_per_second.max(1));
        let period = SimDuration(period.into());
        Ok(Self {
            period,
            tolerance: SimDuration(tolerance.0.clamp(0, period.0)),
            on_excess,
            next: SimTime(i64::MIN),
            held: None,
            counts: RateCounts::default(),
        })
    }

    /// The least time between two frames, on average.
    pub const fn period(&self) -> SimDuration {
        self.period
    }

    /// A frame at an instant. One that is held back already gives way to it.
    pub fn offer(&mut self, at: SimTime, frame: T) -> Offered<T> {
        if at >= self.allowed() {
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
                    self.allowed().0.saturating_sub(at.0),
                    self.period.0
                );
                Offered::Refused(Rejection::new(Refusal::CardRateExceeded, detail))
            }
        }
    }

    /// When the frame that is held back can be sent; `None` if there is none.
    pub fn due(&self) -> Option<SimTime> {
        self.held.as_ref().map(|_| self.allowed())
    }

    /// The frame that was held back, to be sent now, if it is due.
    pub fn take(&mut self, at: SimTime) -> Option<T> {
        if at < self.allowed() {
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

    const fn allowed(&self) -> SimTime {
        SimTime(self.next.0.saturating_sub(self.tolerance.0))
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

    fn guard(on_excess: OnExcess, tolerance: i64) -> RateGuard<u32> {
        RateGuard::new(GTNETX2_LIMITS, 300, on_excess, SimDuration(tolerance)).unwrap()
    }

    #[test]
    fn a_card_takes_frames_by_their_size() {
        let period = |limits, words| {
            RateGuard::<()>::new(limits, words, OnExcess::Thin, SimDuration(0))
                .map(|guard| guard.period().0)
                .map_err(|rejection| rejection.refusal)
        };
        assert_eq!(period(GTNETX2_LIMITS, 1), Ok(200_000));
        assert_eq!(period(GTNETX2_LIMITS, 59), Ok(200_000));
        assert_eq!(period(GTNETX2_LIMITS, 60), Ok(1_000_000));
        assert_eq!(period(GTNETX2_LIMITS, 300), Ok(1_000_000));
        assert_eq!(period(GTNETX2_LIMITS, 301), Err(Refusal::CardSizeExceeded));
        assert_eq!(period(GTNET_LIMITS, 30), Ok(10_000_000));
        let own = [RateStep { words: 8, frames_per_second: 3 }];
        assert_eq!(period(&own, 8), Ok(333_333_334));
        assert_eq!(period(&[], 1), Err(Refusal::CardSizeExceeded));
    }

    #[test]
    fn the_latest_state_is_sent_when_the_card_takes_it() {
        let mut guard = guard(OnExcess::Thin, 0);
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
        let mut guard = guard(OnExcess::Refuse, 0);
        assert_eq!(guard.offer(SimTime(7), 1), Offered::Send(1));
        let Offered::Refused(rejection) = guard.offer(SimTime(MS), 2) else { panic!("too soon") };
        assert_eq!(rejection.refusal, Refusal::CardRateExceeded);
        assert!(rejection.detail.starts_with("found a frame 7 ns before"), "{rejection}");
        assert_eq!(guard.offer(SimTime(MS + 7), 3), Offered::Send(3));
        assert_eq!(guard.counts(), RateCounts { sent: 2, refused: 1, ..RateCounts::default() });
        // A clock that goes back opens nothing.
        assert!(matches!(guard.offer(SimTime(i64::MIN), 4), Offered::Refused(_)));
    }

    #[test]
    fn a_tolerance_takes_jitter_but_no_higher_rate() {
        let mut guard = guard(OnExcess::Refuse, MS / 4);
        // At the card's rate, each second frame 0.25 ms early.
        for nth in 0..1000 {
            let at = nth * MS - (nth % 2) * MS / 4;
            assert!(matches!(guard.offer(SimTime(at), 0), Offered::Send(_)), "{nth}");
        }
        // Five per cent faster: the tolerance is used up after a few, then some are refused.
        let start = 2000 * MS;
        for nth in 0..1050 {
            guard.offer(SimTime(start + nth * 952_381), 0);
        }
        let RateCounts { sent, refused, .. } = guard.counts();
        assert!(sent <= 2001 && refused >= 49 && sent + refused == 2050, "{sent} and {refused}");
    }
}
