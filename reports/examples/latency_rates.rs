//! The whole table of wrong verdicts of the latency rule, how long runs have to be for a verdict,
//! and what happens where stalls are longer than declared. Ends with 1 if something is above its
//! limit.
//!
//! `latency_rates [RUNS]`: so many runs in each cell, 2,000 if it is left out.

#![expect(clippy::print_stdout, reason = "it answers whoever runs it")]

use chacha20::ChaCha8Rng;
use latency_model::{Bench, Design, Lengths, Phase, Process, cluster_length, declared, drawn};
use rand::SeedableRng as _;

#[path = "../tests/latency_model/mod.rs"]
mod latency_model;

/// The most wrong verdicts of a cell.
const RATE_MAX: f64 = 0.065;

/// With so many fresh runs a cell above that is decided.
const DECIDING_RUNS: u32 = 20_000;

/// How many random designs there are.
const RANDOM_DESIGNS: u64 = 120;

/// Longer runs are not simulated.
const MESSAGES_MAX: f64 = 60_000.0;

/// Ten devices with a message a second, stalls of 1 s.
const PLAIN: Design = Design {
    process: Process::Independent,
    devices: 10,
    per_s: 1.0,
    phase: Phase::Staggered,
    window_s: 0.0,
    stall_s: 1.0,
    allowed: 0.01,
};

fn main() {
    let runs = std::env::args().nth(1).and_then(|text| text.parse().ok()).unwrap_or(2_000);
    let mut off = Vec::new();
    wrong_verdicts(runs, &mut off);
    run_lengths(runs / 4, &mut off);
    longer_than_declared(runs);
    if !off.is_empty() {
        println!("\nabove the limit:\n{}", off.join("\n"));
        std::process::exit(1);
    }
}

/// One cell: the rates of wrong passes and wrong fails.
fn cell(what: &str, design: Design, (runs, seed): (u32, u64), off: &mut Vec<String>) -> [f64; 2] {
    let bench = Bench::new(design, &mut ChaCha8Rng::seed_from_u64(seed));
    let shares = [1.05 * design.allowed, 0.95 * design.allowed];
    let rate = |place: usize, runs: u32, seed: u64| {
        let counts = bench.runs(shares[place], runs, seed + (place as u64) * 1_000_000_000);
        [counts.pass_rate(), counts.fail_rate()][place]
    };
    [0, 1].map(|place| {
        let mut found = rate(place, runs, seed);
        if found > RATE_MAX {
            println!("  {what}: {:.1} % of {runs}, once more", 100.0 * found);
            found = rate(place, DECIDING_RUNS, seed + 100_000_000);
            if found > RATE_MAX {
                let verdict = ["pass", "fail"][place];
                off.push(format!("{what}: wrong {verdict} in {:.2} %, {design:?}", 100.0 * found));
            }
        }
        100.0 * found
    })
}

fn wrong_verdicts(runs: u32, off: &mut Vec<String>) {
    println!(
        "wrong verdicts in %, worst over run lengths of 3.05, 5, 10 and 25 stall/a, {runs} runs"
    );
    println!("allowed 3 / 1 / 0.1 %: pass at a true share of 1.05 a, fail at 0.95 a");
    let mut seed = 0;
    for (name, process) in declared(PLAIN.stall_s) {
        let mut worst = [[0.0_f64; 2]; 3];
        for (allowed, worst) in [0.03, 0.01, 0.001].into_iter().zip(&mut worst) {
            for times in [3.05, 5.0, 10.0, 25.0] {
                seed += 100_000;
                let window_s = times * PLAIN.stall_s / allowed;
                let per_s = PLAIN.per_s.min(MESSAGES_MAX / (window_s * PLAIN.devices as f64));
                let design = Design { process, per_s, window_s, allowed, ..PLAIN };
                let what = format!("{name}, {} %, {window_s:.0} s", 100.0 * allowed);
                let found = cell(&what, design, (runs, seed), off);
                *worst = [worst[0].max(found[0]), worst[1].max(found[1])];
            }
        }
        let column = |place: usize| worst.map(|found| format!("{:.1}", found[place])).join("/");
        println!("{name:40} pass {:14} fail {}", column(0), column(1));
    }
    random_designs(runs, off);
}

/// Any bench, any stall, any process.
fn random_designs(runs: u32, off: &mut Vec<String>) {
    let mut worst = [0.0_f64; 2];
    for number in 0..RANDOM_DESIGNS {
        let (name, design) = drawn(4_000 + number, 5.0 * MESSAGES_MAX);
        let what = format!("random design {number}, {name}");
        let found = cell(&what, design, (runs, number * 1_000_000), off);
        worst = [worst[0].max(found[0]), worst[1].max(found[1])];
    }
    println!(
        "{:40} pass {:<14.1} fail {:.1}",
        format!("{RANDOM_DESIGNS} random designs, the worst"),
        worst[0],
        worst[1]
    );
}

/// The shortest run of which at least four in five end so, in s, by bisection.
fn length_for(design: Design, share: f64, runs: u32, is_pass: bool) -> f64 {
    let rate = |window_s: f64| {
        let seed = (window_s * 1e3) as u64;
        let bench = Bench::new(Design { window_s, ..design }, &mut ChaCha8Rng::seed_from_u64(1));
        let counts = bench.runs(share, runs, seed);
        if is_pass { counts.pass_rate() } else { counts.fail_rate() }
    };
    let (mut short, mut long) = (1.0, 8.0);
    while rate(long) < 0.8 {
        (short, long) = (long, 2.0 * long);
    }
    while long / short > 1.01 {
        let middle = f64::sqrt(short * long);
        if rate(middle) < 0.8 { short = middle } else { long = middle }
    }
    long
}

/// A process with what it is to take at 0, a/10, a/3 and a/2 in stalls over the allowed share, from
/// and to.
type Power = (&'static str, Process, [(f64, f64); 4]);

fn run_lengths(runs: u32, off: &mut Vec<String>) {
    let stalls = Process::Stalls;
    let few = [(3.0, 3.0), (4.2, 4.2), (8.0, 8.0), (15.0, 15.0)];
    let short = [(3.0, 3.0), (4.2, 4.2), (8.0, 10.0), (15.0, 18.0)];
    let rows: [Power; 7] = [
        ("independent", Process::Independent, few),
        ("stalls of a tenth of the declared length", stalls(Lengths::Fixed(0.1)), few),
        ("one device", Process::OneDevice(0.5), few),
        (
            "stalls of the declared length",
            stalls(Lengths::Fixed(1.0)),
            [(3.0, 3.0), (4.8, 4.8), (11.0, 11.0), (20.0, 23.0)],
        ),
        ("exponential, declared 6 means", stalls(Lengths::Exponential(1.0 / 6.0)), short),
        ("Pareto 1.5, longest declared", stalls(Lengths::Pareto(0.1)), short),
        (
            "exponential, declared 2 means",
            stalls(Lengths::Exponential(0.5)),
            [(3.0, 3.0), (4.2, 4.2), (19.0, 19.0), (45.0, 45.0)],
        ),
    ];
    println!(
        "\nrun length to pass in 80 % of {runs} runs, in stall/a, true share 0, a/10, a/3, a/2"
    );
    for (name, process, expected) in rows {
        for allowed in [0.03, 0.01, 0.001] {
            let design = Design { process, allowed, ..PLAIN };
            let what = format!("{name}, {} %", 100.0 * allowed);
            let mut found = Vec::new();
            for (parts, (from, to)) in [0.0, 0.1, 1.0 / 3.0, 0.5].into_iter().zip(expected) {
                let window_s = length_for(design, parts * allowed, runs, true);
                let times = window_s * allowed / design.stall_s;
                hold(times, (from, to), &format!("{what}, at {parts:.2} a"), off);
                found.push(format!("{times:.1}"));
            }
            println!("{what:50} {}", found.join("  "));
        }
    }
    println!("run length to fail in 80 % of runs at 99 %, in s, true share 2 a, 3 a, 10 a");
    // What is expected was found in steps of a factor of 1.2: from the step before it.
    let step = |window_s: f64| (window_s / 1.2, window_s);
    for (name, process, expected) in [
        ("independent", Process::Independent, [step(223.0), step(52.0), (0.0, 36.0)]),
        ("stalls of 1 s", stalls(Lengths::Fixed(1.0)), [step(1150.0), step(321.0), (0.0, 36.0)]),
    ] {
        let mut found = Vec::new();
        for (parts, range) in [2.0, 3.0, 10.0].into_iter().zip(expected) {
            let window_s =
                length_for(Design { process, ..PLAIN }, parts * PLAIN.allowed, runs, false);
            hold(window_s, range, &format!("{name} fails at {parts} a"), off);
            found.push(format!("{window_s:.0}"));
        }
        println!("{name:42} {}", found.join("  "));
    }
}

/// Within a fifth of what is expected.
fn hold(found: f64, (from, to): (f64, f64), what: &str, off: &mut Vec<String>) {
    if !(0.8 * from..=1.2 * to).contains(&found) {
        off.push(format!("{what}: {found:.1}, expected {from} to {to}"));
    }
}

/// Only the declaration helps against what a run does not see; the longest stall it holds up to
/// states what it rests on.
fn longer_than_declared(runs: u32) {
    println!("\nstalls f times as long as declared (1 s at 99 %), true share 1.05 a: wrong passes");
    println!("    f  run length  wrong pass  exp(-3.15 / f)  mean longest stall stated");
    for times in [1.0_f64, 1.5, 2.0, 3.0, 10.0] {
        for window_s in [305.0, 600.0] {
            let process = Process::Stalls(Lengths::Fixed(times));
            let design = Design { process, window_s, ..PLAIN };
            let bench = Bench::new(design, &mut ChaCha8Rng::seed_from_u64(9));
            let counts = bench.runs(1.05 * design.allowed, runs, 77);
            println!(
                "{times:5}  {window_s:8} s  {:8.1} %  {:12.1} %  {:.2} s",
                100.0 * counts.pass_rate(),
                100.0 * (-3.15 / times).exp(),
                counts.holds_s
            );
        }
    }
    let wrong_use = Process::Clusters(1.0);
    let design = Design { process: wrong_use, window_s: 305.0, ..PLAIN };
    let bench = Bench::new(design, &mut ChaCha8Rng::seed_from_u64(9));
    let counts = bench.runs(1.05 * design.allowed, runs, 78);
    println!(
        "clusters of about ten stalls of 1 s ({:.0} s in all), one stall declared: {:.1} %",
        cluster_length(1.0),
        100.0 * counts.pass_rate()
    );
}
