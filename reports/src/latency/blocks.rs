//! How many independent messages a run is worth: the design effect of runs of late messages.
//!
//! Terms: messages over a limit come in *episodes* (a stall, a slow state of the link), so n of
//! them tell less than n independent ones. The *design effect* deff is the variance of the share
//! over the limit between *blocks* of time, against that of independent messages (Kish 1965); n /
//! deff and k / deff stand in its place in the binomial bound (rule 2.7).
//!
//! Blocks are equal parts of the window: as many as there are whole 60 s, and at least
//! [`BLOCKS_MIN`], so that a short run has shorter ones. Resampling blocks many times converges to
//! the closed form used here. Correlation that lasts longer than a block is not seen: so blocks are
//! also joined by two, four and so on, as long as 20 remain, and the largest estimate counts. (With
//! 60 s alone, slow states of half a minute let 6.7 % of runs at the limit pass.) With fewer than
//! 20 blocks of 60 s the figures say *correlation not assessed*, although what the shorter blocks
//! show is used.
//!
//! An estimate from few episodes is uncertain, and runs with few late messages show too little of
//! it just when they pass: by the estimate alone a fifth of the runs just past a limit passed where
//! three episodes were to be expected. So the bound uses the estimate's own upper bound: what is
//! above 1 is multiplied by 2 e / chi2(5 %, 2 e) with e = k / deff episodes, as for the mean of e
//! exponential sizes. At many episodes that is 1. A fail rests on the estimate as it is: what is
//! not known of correlation must buy no green and excuse no red. None or one message over the limit
//! shows nothing of correlation: deff is 1, and the figures say *independence assumed*.

use super::binomial::{CONFIDENCE, gamma_quantile};

/// The length of a block that correlation is assessed by, in ns (rule 2.7).
pub const BLOCK_NS: i64 = 60_000_000_000;

/// With fewer blocks of that length, correlation is not assessed (rule 2.7).
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

    /// How many there are.
    pub fn count(&self) -> u32 {
        self.count
    }

    /// How long each is, in ns, rounded down.
    pub fn block_ns(&self) -> i64 {
        self.length_ns / i64::from(self.count)
    }

    /// Whether there are enough blocks of 60 s to assess correlation.
    pub fn are_long_enough(&self) -> bool {
        self.length_ns / BLOCK_NS >= i64::from(BLOCKS_MIN)
    }

    /// The block of an instant in the window.
    pub fn index(&self, instant_ns: i64) -> usize {
        let since = i128::from(instant_ns) - i128::from(self.from_ns);
        let index = since * i128::from(self.count) / i128::from(self.length_ns);
        index.clamp(0, i128::from(self.count) - 1) as usize
    }
}

/// What is known of correlation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Correlation {
    /// None or one message is over the limit: independence is assumed.
    Assumed,
    /// There are fewer than 20 blocks of 60 s: only what lasts shorter is seen.
    NotAssessed,
    /// Assessed by 20 or more blocks of at least 60 s.
    Assessed,
}

impl Correlation {
    /// The words beside a verdict; empty if assessed.
    pub const fn words(self) -> &'static str {
        match self {
            Self::Assumed => "independence assumed",
            Self::NotAssessed => "correlation not assessed",
            Self::Assessed => "",
        }
    }
}

/// The design effect of the messages over one limit.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct DesignEffect {
    /// From the blocks, at least 1.
    pub estimate: f64,
    /// Its upper bound, by which n and k are divided for the upper bound on the share.
    pub used: f64,
    /// From how many blocks, those that gave the largest estimate.
    pub blocks: u32,
    /// How long each is, in ns.
    pub block_ns: i64,
    /// What is known of correlation.
    pub correlation: Correlation,
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
    let correlation = match k {
        0 | 1 => Correlation::Assumed,
        _ if blocks.are_long_enough() => Correlation::Assessed,
        _ => Correlation::NotAssessed,
    };
    let used = 1.0 + (estimate - 1.0) * uncertainty(k as f64 / estimate);
    let block_ns = blocks.length_ns / i64::from(count);
    DesignEffect { estimate, used, blocks: count, block_ns, correlation }
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

/// By how much the mean size of so many episodes may be larger than it looks.
fn uncertainty(episodes: f64) -> f64 {
    let episodes = episodes.max(1.0);
    episodes / gamma_quantile(episodes, 1.0 - CONFIDENCE)
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
        for (seconds, count, block_s, long_enough) in [
            (30, 20, 1.5, false),
            (1_199, 20, 59.95, false),
            (1_200, 20, 60.0, true),
            (1_259, 20, 62.95, true),
            (15_000, 250, 60.0, true),
        ] {
            let blocks = Blocks::of(5, 5 + seconds * SECOND);
            assert_eq!(blocks.count(), count, "{seconds} s");
            assert_eq!(blocks.block_ns() as f64 / 1e9, block_s, "{seconds} s");
            assert_eq!(blocks.are_long_enough(), long_enough, "{seconds} s");
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
            prop_assert!(deff.estimate >= 1.0 && deff.used >= deff.estimate);
            prop_assert!(deff.used.is_finite());
        }
    }

    #[test]
    fn none_one_or_all_show_nothing_of_correlation() {
        let messages = vec![120; 20];
        for (over, expected) in [(0, Correlation::Assumed), (1, Correlation::Assumed)] {
            let mut counts = vec![0; 20];
            counts[3] = over;
            let deff = design_effect(&twenty(), &messages, &counts);
            assert_eq!((deff.estimate, deff.used, deff.correlation), (1.0, 1.0, expected));
        }
        let deff = design_effect(&twenty(), &messages, &messages);
        assert_eq!((deff.used, deff.correlation), (1.0, Correlation::Assessed));
        let short = design_effect(&Blocks::of(0, 30 * SECOND), &messages, &messages);
        assert_eq!(short.correlation, Correlation::NotAssessed);
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
        // 2 e / chi2.ppf(.05, 2 e) of scipy with one episode.
        let expected = 1.0 + (deff.estimate - 1.0) / 0.051_293_294_387_550_53;
        assert!((deff.used - expected).abs() < 1e-6 * expected, "{}", deff.used);
    }

    /// Spread evenly, late messages are more regular than chance: 1, never below.
    #[test]
    fn evenly_spread_messages_have_a_design_effect_of_one() {
        let deff = design_effect(&twenty(), &[120; 20], &[6; 20]);
        assert_eq!(deff.estimate, 1.0);
        assert_eq!(deff.used, 1.0);
    }
}
