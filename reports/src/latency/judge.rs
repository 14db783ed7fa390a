//! The three-valued verdict on a share of late messages.
//!
//! Terms: a *claim* is that at least a share (the *coverage*) of all messages is within a limit; it
//! passes if the upper bound on the share over the limit is at most 1 - coverage, fails if the
//! lower bound is above that, and is inconclusive otherwise (rule 2.6). A message that had not
//! arrived when the bench stopped waiting, and was not late yet, is *open*: it counts against a
//! pass and not for a fail.

use super::binomial::{lower_bound, needed_sample_size, upper_bound};
use super::blocks::DesignEffect;
use crate::verdict::{Reason, Status};

/// Messages over one limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// All messages of the population.
    pub n: u64,
    /// Those that were later than the limit for certain.
    pub over: u64,
    /// Those of which it is not known.
    pub open: u64,
}

impl Tally {
    /// Over the limit as far as can be told: what counts against a pass.
    pub fn k(&self) -> u64 {
        self.over + self.open
    }
}

/// Why a verdict is as it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Grounds {
    /// The upper bound is at most what is allowed.
    Within,
    /// The lower bound is above what is allowed.
    Over,
    /// What is allowed lies between the bounds.
    Between,
    /// There are fewer messages than the claim needs even if none is late.
    TooFew {
        /// So many it needs.
        needed: u64,
    },
}

/// A verdict on one claim.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Judgement {
    /// The share that is to be within the limit.
    pub coverage: f64,
    /// What was counted.
    pub tally: Tally,
    /// By what n and k were divided.
    pub deff: DesignEffect,
    /// The upper bound on the share over the limit, with [`DesignEffect::used`].
    pub upper: f64,
    /// The lower bound, with [`DesignEffect::estimate`].
    pub lower: f64,
    /// Pass, fail or inconclusive.
    pub status: Status,
    /// Why.
    pub grounds: Grounds,
}

impl Judgement {
    /// The share that may be over the limit.
    pub fn allowed(&self) -> f64 {
        1.0 - self.coverage
    }

    /// The share that is over the limit; 0 without messages.
    pub fn share(&self) -> f64 {
        self.tally.k() as f64 / (self.tally.n as f64).max(1.0)
    }

    /// Why it is as it is, in one word.
    pub fn reason(&self) -> Reason {
        match self.grounds {
            Grounds::Within => Reason::WithinLimit,
            Grounds::Over => Reason::TooLate,
            Grounds::Between => Reason::BetweenBounds,
            Grounds::TooFew { .. } => Reason::TooFew,
        }
    }

    /// The bound that was compared with what is allowed: the lower one of a fail, else the upper.
    pub fn bound(&self) -> f64 {
        if self.status == Status::Fail { self.lower } else { self.upper }
    }

    /// The design effect in that bound.
    pub fn deff_of_bound(&self) -> f64 {
        if self.status == Status::Fail { self.deff.estimate } else { self.deff.used }
    }
}

/// Judges a claim.
pub fn judge(tally: Tally, deff: DesignEffect, coverage: f64) -> Judgement {
    let (n, k, over) = (tally.n as f64, tally.k() as f64, tally.over as f64);
    let upper = upper_bound(k / deff.used, n / deff.used);
    let lower = lower_bound(over / deff.estimate, n / deff.estimate);
    let allowed = 1.0 - coverage;
    let needed = needed_sample_size(coverage);
    let (status, grounds) = if tally.n > 0 && lower > allowed {
        (Status::Fail, Grounds::Over)
    } else if tally.n < needed {
        (Status::Inconclusive, Grounds::TooFew { needed })
    } else if upper <= allowed {
        (Status::Pass, Grounds::Within)
    } else {
        (Status::Inconclusive, Grounds::Between)
    };
    Judgement { coverage, tally, deff, upper, lower, status, grounds }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::blocks::{Blocks, Correlation};
    use super::*;

    fn deff(used: f64) -> DesignEffect {
        let blocks = Blocks::of(0, 1);
        DesignEffect {
            estimate: used,
            used,
            blocks: blocks.count(),
            block_ns: blocks.block_ns(),
            correlation: Correlation::Assumed,
        }
    }

    fn status(n: u64, over: u64, open: u64, used: f64, coverage: f64) -> Status {
        judge(Tally { n, over, open }, deff(used), coverage).status
    }

    /// The table of rule 2.6: at each size it passes, with one message fewer not.
    #[test]
    fn the_table_decides_who_passes() {
        for (coverage, k, n) in [
            (0.95, 0, 59),
            (0.99, 0, 299),
            (0.99, 2, 628),
            (0.999, 0, 2_995),
            (0.999, 1, 4_742),
            (0.999, 10, 16_959),
            (0.9999, 5, 105_128),
        ] {
            assert_eq!(status(n, k, 0, 1.0, coverage), Status::Pass, "{n} with {k}");
            assert_eq!(status(n - 1, k, 0, 1.0, coverage), Status::Inconclusive, "{n} with {k}");
        }
    }

    /// The figures of rule 2.7 and of the verdict line of the style target: 279 of 30 000 over
    /// 500 ms has an upper bound of 1.03 %, 62 over 1 s one of 0.26 %.
    #[test]
    fn the_published_run_is_judged_as_the_note_says() {
        let bound = |over| judge(Tally { n: 30_000, over, open: 0 }, deff(1.0), 0.99).upper;
        assert_eq!((bound(279) * 1e4).round(), 103.0);
        assert_eq!((bound(62) * 1e4).round(), 26.0);
        assert_eq!(status(30_000, 279, 0, 1.0, 0.99), Status::Inconclusive);
        assert_eq!(status(30_000, 279, 0, 1.0, 0.97), Status::Pass);
        assert_eq!(status(30_000, 62, 0, 1.0, 0.999), Status::Fail);
    }

    #[test]
    fn too_few_messages_never_pass_and_may_fail() {
        let judged = judge(Tally { n: 298, over: 0, open: 0 }, deff(1.0), 0.99);
        assert_eq!(judged.grounds, Grounds::TooFew { needed: 299 });
        assert_eq!(judged.status, Status::Inconclusive);
        assert_eq!(status(50, 25, 0, 1.0, 0.99), Status::Fail);
        assert_eq!(status(0, 0, 0, 1.0, 0.99), Status::Inconclusive);
    }

    #[test]
    fn what_is_not_known_counts_against_a_pass_and_not_for_a_fail() {
        assert_eq!(status(3_000, 0, 0, 1.0, 0.99), Status::Pass);
        assert_eq!(status(3_000, 0, 300, 1.0, 0.99), Status::Inconclusive);
        assert_eq!(status(3_000, 300, 0, 1.0, 0.99), Status::Fail);
    }

    #[test]
    fn correlation_makes_a_pass_harder_and_a_fail_too() {
        assert_eq!(status(3_000, 15, 0, 1.0, 0.99), Status::Pass);
        assert_eq!(status(3_000, 15, 0, 10.0, 0.99), Status::Inconclusive);
        assert_eq!(status(3_000, 50, 0, 1.0, 0.99), Status::Fail);
        assert_eq!(status(3_000, 50, 0, 20.0, 0.99), Status::Inconclusive);
    }

    /// What is not known of correlation counts against a pass alone.
    #[test]
    fn a_fail_rests_on_the_estimate_and_a_pass_on_its_upper_bound() {
        let deff = DesignEffect { estimate: 2.0, used: 10.0, ..deff(1.0) };
        let judged = judge(Tally { n: 3_000, over: 60, open: 0 }, deff, 0.99);
        assert_eq!((judged.status, judged.deff_of_bound()), (Status::Fail, 2.0));
        assert_eq!(judged.lower, lower_bound(30.0, 1_500.0));
        let judged = judge(Tally { n: 3_000, over: 10, open: 0 }, deff, 0.99);
        assert_eq!((judged.status, judged.deff_of_bound()), (Status::Inconclusive, 10.0));
        assert_eq!(judged.upper, upper_bound(1.0, 300.0));
    }

    proptest! {
        #[test]
        fn one_more_late_message_never_makes_a_verdict_better(
            n in 1_u64..20_000, over in 0_u64..300, open in 0_u64..3, used in 1.0..5.0_f64,
            coverage in prop::sample::select(vec![0.95, 0.97, 0.99, 0.999]),
        ) {
            prop_assume!(over + open < n);
            let before = status(n, over, open, used, coverage);
            prop_assert!(status(n, over + 1, open, used, coverage) >= before);
            let more_open = status(n, over, open + 1, used, coverage);
            prop_assert!(more_open >= before || before == Status::Fail);
        }

        #[test]
        fn a_pass_and_a_fail_enclose_nothing(
            n in 1_u64..20_000,
            over in 0_u64..300,
            coverage in 0.5..0.9999_f64,
        ) {
            prop_assume!(over <= n);
            let judged = judge(Tally { n, over, open: 0 }, deff(1.0), coverage);
            prop_assert!(judged.lower <= judged.share() && judged.share() <= judged.upper);
            let expected = match judged.status {
                Status::Pass => judged.upper <= judged.allowed(),
                Status::Fail => judged.lower > judged.allowed(),
                _ => true,
            };
            prop_assert!(expected);
        }
    }
}
