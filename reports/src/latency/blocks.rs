//! By how much messages that are late together vary more than independent ones.
//!
//! Terms: messages over a limit come in *episodes* (a stall, a slow state of the link), so n of
//! them show less than n independent ones. The *design effect* deff is the variance of the share
//! over the limit between *blocks* of time, against that of independent messages (Kish 1965). It is
//! one of the numbers of messages that the rule counts as one (see [`super::judge`]).
//!
//! Blocks are equal parts of the window: as many as there are whole 60 s, and at least
//! [`BLOCKS_MIN`], so that a short run has shorter ones. Resampling blocks many times converges to
//! the closed form used here. Correlation that lasts longer than a block is not seen: so blocks are
//! also joined by two, four and so on, as long as 20 remain, and the largest estimate counts.
//!
//! An estimate from few episodes is uncertain, and none or one message over the limit shows nothing
//! of correlation: that is what the declared stall is for.

/// The length of a block of a long run, in ns.
pub const BLOCK_NS: i64 = 60_000_000_000;

/// A run has at least so many blocks, however short.
pub const BLOCKS_MIN: u32 = 20;

/// The window of a run, cut into equal blocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Blocks {
    from_ns: i64,
    length_ns: i64,
    count: u32,
}

impl Blocks {
    /// Cuts a window, from the first to the last instant, both included.
    pub fn of(from_ns: i64, to_ns: i64) -> Self {
        let length_ns = to_ns.saturating_sub(from_ns).max(1);
        let whole = u32::try_from(length_ns / BLOCK_NS).unwrap_or(u32::MAX);
        Self { from_ns, length_ns, count: whole.max(BLOCKS_MIN) }
    }

    pub(super) fn with_count(from_ns: i64, to_ns: i64, count: u32) -> Self {
        Self { count, ..Self::of(from_ns, to_ns) }
    }

    /// How many there are.
    pub fn count(&self) -> u32 {
        self.count
    }

    /// How long each is, in ns, rounded down.
    pub fn block_ns(&self) -> i64 {
        self.length_ns / i64::from(self.count)
    }

    /// How many blocks a half-open stretch of this length may touch, at most.
    pub(super) fn spanned_by(&self, length_ns: i64) -> usize {
        let parts = i128::from(length_ns.max(1)) * i128::from(self.count);
        let whole = parts.div_euclid(i128::from(self.length_ns));
        let up = i128::from(parts.rem_euclid(i128::from(self.length_ns)) > 0);
        usize::try_from(whole + up + 1).unwrap_or(usize::MAX)
    }

    /// How long so many blocks are together, in ns, rounded down.
    pub(super) fn length_of(&self, blocks: usize) -> i64 {
        let length = i128::from(self.length_ns) * blocks as i128 / i128::from(self.count);
        i64::try_from(length).unwrap_or(i64::MAX)
    }

    /// The block of an instant in the window.
    pub fn index(&self, instant_ns: i64) -> usize {
        let since_ns = instant_ns.saturating_sub(self.from_ns).clamp(0, self.length_ns);
        let index = if let Some(product) = since_ns.checked_mul(i64::from(self.count)) {
            product / self.length_ns
        } else {
            let product = i128::from(since_ns) * i128::from(self.count);
            (product / i128::from(self.length_ns)) as i64
        };
        index.min(i64::from(self.count) - 1) as usize
    }
}

/// The design effect of the messages over one limit.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct DesignEffect {
    /// From the blocks, at least 1.
    pub estimate: f64,
    /// From how many blocks, those that gave the largest estimate.
    pub blocks: u32,
    /// How long each is, in ns.
    pub block_ns: i64,
}

/// The design effect of messages and of those over a limit, each counted by block.
pub fn design_effect(blocks: &Blocks, messages: &[u64], over: &[u64]) -> DesignEffect {
    let n: u64 = messages.iter().sum();
    let k: u64 = over.iter().sum();
    let (mut estimate, mut count) = (1.0, blocks.count());
    let mut joined = if k > 1 { messages.len() } else { 0 };
    while joined >= BLOCKS_MIN as usize {
        let found = estimate_of(&join(messages, joined), &join(over, joined), n, k);
        if found > estimate {
            (estimate, count) = (found, joined as u32);
        }
        joined /= 2;
    }
    DesignEffect { estimate, blocks: count, block_ns: blocks.length_ns / i64::from(count) }
}

/// The counts of fewer, longer blocks.
fn join(counts: &[u64], blocks: usize) -> Vec<u64> {
    let mut joined = vec![0; blocks];
    for (number, count) in counts.iter().enumerate() {
        joined[number * blocks / counts.len()] += count;
    }
    joined
}

/// The variance of the share between blocks over that of independent messages, at least 1.
fn estimate_of(messages: &[u64], over: &[u64], n: u64, k: u64) -> f64 {
    if n <= k {
        // All are over the limit: there is nothing that could vary.
        return 1.0;
    }
    let (n, k, blocks) = (n as f64, k as f64, messages.len() as f64);
    let share = k / n;
    let squares: f64 = messages
        .iter()
        .zip(over)
        .map(|(&messages, &over)| {
            let difference = over as f64 - share * messages as f64;
            difference * difference
        })
        .sum();
    let between = squares * blocks / (blocks - 1.0) / (n * n);
    let independent = share * (1.0 - share) / (n - 1.0);
    (between / independent).max(1.0)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SECOND: i64 = 1_000_000_000;

    fn twenty() -> Blocks {
        Blocks::of(0, 20 * BLOCK_NS)
    }

    #[test]
    fn a_window_is_cut_into_minutes_or_into_twenty_parts() {
        for (seconds, count, block_s) in [
            (30, 20, 1.5),
            (1_199, 20, 59.95),
            (1_200, 20, 60.0),
            (1_259, 20, 62.95),
            (15_000, 250, 60.0),
        ] {
            let blocks = Blocks::of(5, 5 + seconds * SECOND);
            assert_eq!(blocks.count(), count, "{seconds} s");
            assert_eq!(blocks.block_ns() as f64 / 1e9, block_s, "{seconds} s");
            assert_eq!(blocks.index(5), 0);
            assert_eq!(blocks.index(5 + seconds * SECOND), count as usize - 1);
        }
    }

    proptest! {
        #[test]
        fn any_instant_has_a_block(from in any::<i64>(), to in any::<i64>(), at in any::<i64>()) {
            let blocks = Blocks::of(from, to);
            prop_assert!(blocks.index(at) < blocks.count() as usize);
        }

        #[test]
        fn no_counts_make_a_design_effect_below_one(
            counts in prop::collection::vec((0_u64..500, 0_u64..500), 20),
        ) {
            let messages: Vec<u64> = counts.iter().map(|(a, b)| a + b).collect();
            let over: Vec<u64> = counts.iter().map(|(a, _)| *a).collect();
            let deff = design_effect(&twenty(), &messages, &over);
            prop_assert!(deff.estimate >= 1.0 && deff.estimate.is_finite());
        }
    }

    #[test]
    fn none_one_or_all_show_nothing_of_correlation() {
        let messages = vec![120; 20];
        for over in [0, 1] {
            let mut counts = vec![0; 20];
            counts[3] = over;
            assert_eq!(design_effect(&twenty(), &messages, &counts).estimate, 1.0);
        }
        assert_eq!(design_effect(&twenty(), &messages, &messages).estimate, 1.0);
    }

    /// Half an hour of late messages in each of five hours is five episodes, not 150.
    #[test]
    fn longer_blocks_see_longer_episodes() {
        let blocks = Blocks::of(0, 300 * BLOCK_NS);
        let messages = vec![60; 300];
        let over: Vec<u64> = (0..300).map(|block| if block % 60 < 30 { 6 } else { 0 }).collect();
        let deff = design_effect(&blocks, &messages, &over);
        // By numpy over 300, 150, 75 and 37 blocks: 3.17, 6.36, 11.9, 21.9.
        assert_eq!(deff.blocks, 37);
        assert!((deff.estimate - 21.852_587_069_525_665).abs() < 1e-9, "{}", deff.estimate);
        assert_eq!(join(&[1, 2, 3, 4, 5], 2), [6, 9]);
    }

    /// All of a block late and nothing else: k = 120 are one episode, so deff is about 120.
    #[test]
    fn one_episode_counts_as_one_message() {
        let mut over = vec![0; 20];
        over[7] = 120;
        let deff = design_effect(&twenty(), &[120; 20], &over);
        // 120 * 2399 / 2400 * (1 - 1/20) * 20/19 / (1 - 1/20), by hand.
        let expected = 120.0 * (2399.0 / 2400.0) / (1.0 - 1.0 / 20.0);
        assert!((deff.estimate - expected).abs() < 1e-9, "{}", deff.estimate);
    }

    /// Spread evenly, late messages are more regular than chance: 1, never below.
    #[test]
    fn evenly_spread_messages_have_a_design_effect_of_one() {
        let deff = design_effect(&twenty(), &[120; 20], &[6; 20]);
        assert_eq!(deff.estimate, 1.0);
    }
}
