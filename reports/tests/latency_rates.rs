//! How often a verdict on latency is wrong: simulated runs whose true share of late messages is 5 %
//! above what the claim allows, and 5 % below.
//!
//! Of 500 runs that pass wrongly in 5 % the count has a standard deviation of 1 point: four of
//! them, 9 %, are the limit here. The whole, with 2,000 runs a cell, a limit of 6.5 % and random
//! designs, is `tests/long/latency_rates.sh`.

#![expect(clippy::print_stdout, reason = "the rates are what the tests are about")]

use chacha20::ChaCha8Rng;
use lastmeter_reports::latency::{BLOCK_NS, Blocks, design_effect};
use latency_model::{Bench, Design, Phase, Process, declared, drawn};
use rand::{RngExt as _, SeedableRng as _};

use crate::latency_model;

const RUNS: u32 = 500;

/// The most wrong verdicts of a cell of that size.
const RATE_MAX: f64 = 0.09;

/// A design and the rates of its wrong passes and fails.
fn rates(name: &str, design: Design, seed: u64) -> [f64; 2] {
    let bench = Bench::new(design, &mut ChaCha8Rng::seed_from_u64(seed));
    let above = bench.runs(1.05 * design.allowed, RUNS, seed);
    let below = bench.runs(0.95 * design.allowed, RUNS, seed + 1_000_000);
    let rates = [above.pass_rate(), below.fail_rate()];
    println!(
        "{name}, {} % allowed, {:.0} s, {} messages: wrong pass {:.1} %, wrong fail {:.1} %",
        100.0 * design.allowed,
        design.window_s,
        bench.n(),
        100.0 * rates[0],
        100.0 * rates[1]
    );
    rates
}

/// Each process as it is declared, in runs from just long enough for a pass with nothing late,
/// where what was not seen matters most, to eight times that.
#[test]
fn a_verdict_is_wrong_in_at_most_one_of_twenty_runs() {
    let stall_s = 2.0;
    let times = [3.1, 6.0, 12.0, 25.0];
    let mut cells = Vec::new();
    for (number, (name, process)) in declared(stall_s).into_iter().enumerate() {
        for (place, allowed) in [0.03, 0.01].into_iter().enumerate() {
            cells.push((name, process, allowed, times[(number + 2 * place) % times.len()]));
        }
    }
    let stalls = declared(stall_s);
    cells.push((stalls[1].0, stalls[1].1, 0.001, 3.1));
    cells.push((stalls[2].0, stalls[2].1, 0.001, 3.1));
    assert_eq!(cells.len(), 20);
    let mut wrong = Vec::new();
    for (seed, (name, process, allowed, times)) in (0..).step_by(10_000).zip(cells) {
        let design = Design {
            process,
            devices: 10,
            per_s: 1.0,
            phase: Phase::Staggered,
            window_s: times * stall_s / allowed,
            stall_s,
            allowed,
        };
        let found = rates(name, design, 2_027_000_000 + seed);
        if found.iter().any(|&rate| rate > RATE_MAX) {
            wrong.push((name, allowed, found));
        }
    }
    assert!(wrong.is_empty(), "{wrong:?}");
}

/// Whatever the bench, the stalls and the process: the first of the designs that the whole draws.
#[test]
fn nor_is_it_for_drawn_benches() {
    let wrong: Vec<_> = (0..12)
        .map(|number| {
            let (name, design) = drawn(4_000 + number, 20_000.0);
            (design, rates(name, design, 2_028_000_000 + 10_000 * number))
        })
        .filter(|(_, found)| found.iter().any(|&rate| rate > RATE_MAX))
        .collect();
    assert!(wrong.is_empty(), "{wrong:?}");
}

/// The same share of late messages, all in stalls as long as declared, would pass in most short
/// runs if each message counted by itself.
#[test]
fn without_a_declared_stall_most_such_runs_would_pass() {
    let design = Design {
        process: Process::Stalls(latency_model::Lengths::Fixed(1.0)),
        devices: 50,
        per_s: 2.0,
        phase: Phase::Staggered,
        window_s: 60.0,
        stall_s: 0.001,
        allowed: 0.01,
    };
    let rate = |stall_s: f64| {
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        Bench::new(Design { stall_s, ..design }, &mut rng).runs(0.0105, RUNS, 7).pass_rate()
    };
    // In 60 s there is no stall in exp(-60 x 0.0105 / 1) = 53 % of the runs.
    assert!((0.45..0.61).contains(&rate(0.001)), "{}", rate(0.001));
    assert_eq!(rate(1.0), 0.0);
}

/// A two-state chain has the correlation r^k at distance k, with r = 1 - 1/length - 1/gap, so the
/// design effect of a block of L messages is (1 + r)/(1 - r) - 2 r (1 - r^L) / (L (1 - r)^2): the
/// sum of the correlations within it.
#[test]
fn the_design_effect_is_that_of_a_process_whose_is_known() {
    /// Two messages a second.
    const PER_BLOCK: u64 = 120;
    const RUNS: u64 = 2_000;
    for (length, share) in [(3.0_f64, 0.05_f64), (10.0, 0.05), (10.0, 0.2), (20.0, 0.5)] {
        let gap = length * (1.0 - share) / share;
        let r: f64 = 1.0 - 1.0 / length - 1.0 / gap;
        let messages = PER_BLOCK as f64;
        let edges = 2.0 * r * (1.0 - r.powf(messages)) / (messages * (1.0 - r) * (1.0 - r));
        let expected = (1.0 + r) / (1.0 - r) - edges;
        // Fewer than 40 blocks, so that none are joined.
        let cut = Blocks::of(0, 39 * BLOCK_NS);
        let mut sum = 0.0;
        for run in 0..RUNS {
            let mut rng = ChaCha8Rng::seed_from_u64(run);
            let mut is_late = rng.random::<f64>() < share;
            let mut over = [0; 39];
            for message in 0..39 * PER_BLOCK {
                over[(message / PER_BLOCK) as usize] += u64::from(is_late);
                let leaves = rng.random::<f64>() < if is_late { 1.0 / length } else { 1.0 / gap };
                is_late ^= leaves;
            }
            sum += design_effect(&cut, &[PER_BLOCK; 39], &over).estimate;
        }
        let mean = sum / RUNS as f64;
        println!("bursts of {length}, share {share}: deff {mean:.2}, expected {expected:.2}");
        // A run's own share in place of the true one makes the variance between few blocks look
        // smaller, by about one part in the number of episodes.
        assert!((mean / expected - 1.0).abs() < 0.05, "{length} at {share}: {mean}, {expected}");
    }
}
