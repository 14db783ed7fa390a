//! Made-up late messages, and how often the rule is wrong about them.
//!
//! Terms: a *process* states how messages come to be late; a *cell* is a process with a bench, a
//! claim and a length of the run. The *true share* of late messages is set: a pass above what the
//! claim allows is wrong, and so is a fail below it. All processes are stationary: a run may begin
//! amid a stall.

use chacha20::ChaCha8Rng;
use lastmeter_record::Status;
use lastmeter_reports::latency::{
    Blocks, Claim, Due, Late, LimitEvidence, Tally, design_effect, judge,
};
use rand::{RngExt as _, SeedableRng as _};

/// How long stalls are.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Lengths {
    /// All the same, in s.
    Fixed(f64),
    /// Exponential with this mean.
    Exponential(f64),
    /// Pareto with exponent 1.5 and this mean, cut at ten times the mean.
    Pareto(f64),
    /// One in twenty ten times as long as here, the others half as long as here.
    Two(f64),
}

/// How messages come to be late.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Process {
    /// Each by itself.
    Independent,
    /// Those of all devices that are due in a stall.
    Stalls(Lengths),
    /// Three in ten each by itself, the others in stalls of this length, in s.
    Mixed(f64),
    /// Each device has stalls of its own, exponential with this mean.
    EachDevice(f64),
    /// The first device alone has stalls, exponential with this mean.
    OneDevice(f64),
    /// Clusters of about ten stalls of this length, with gaps of about five times that between
    /// them.
    Clusters(f64),
}

/// When messages are due.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Phase {
    /// Evenly spread over the period.
    Staggered,
    /// Each device at an instant of its own.
    Random,
    /// All at once.
    Together,
}

/// A bench with a claim.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Design {
    pub(crate) process: Process,
    pub(crate) devices: usize,
    /// Messages of each in a second.
    pub(crate) per_s: f64,
    pub(crate) phase: Phase,
    pub(crate) window_s: f64,
    pub(crate) stall_s: f64,
    /// The share that may be late.
    pub(crate) allowed: f64,
}

/// How many runs passed and failed, and the mean of the longest stall that passes hold up to.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Counts {
    pub(crate) runs: u32,
    pub(crate) passes: u32,
    pub(crate) fails: u32,
    pub(crate) holds_s: f64,
}

impl Counts {
    pub(crate) fn pass_rate(&self) -> f64 {
        f64::from(self.passes) / f64::from(self.runs)
    }

    pub(crate) fn fail_rate(&self) -> f64 {
        f64::from(self.fails) / f64::from(self.runs)
    }
}

fn exponential(rng: &mut ChaCha8Rng, mean: f64) -> f64 {
    -mean * (1.0 - rng.random::<f64>()).ln()
}

impl Lengths {
    fn mean(self) -> f64 {
        match self {
            Self::Fixed(mean) | Self::Exponential(mean) | Self::Pareto(mean) => mean,
            Self::Two(scale) => 0.05 * 10.0 * scale + 0.95 * 0.5 * scale,
        }
    }

    /// The longest there is, in s; infinite if there is none.
    pub(crate) fn longest(self) -> f64 {
        match self {
            Self::Fixed(mean) => mean,
            Self::Exponential(_) => f64::INFINITY,
            Self::Pareto(mean) | Self::Two(mean) => 10.0 * mean,
        }
    }

    fn draw(self, rng: &mut ChaCha8Rng) -> f64 {
        match self {
            Self::Fixed(length) => length,
            Self::Exponential(mean) => exponential(rng, mean),
            Self::Pareto(mean) => {
                // The mean between x and 10 m is 3 x^1.5 (x^-0.5 - (10 m)^-0.5) / (1 - (x / 10
                // m)^1.5); it is m at x = 0.415 m.
                let least = 0.415_081_176 * mean;
                loop {
                    let length = least * (1.0 - rng.random::<f64>()).powf(-1.0 / 1.5);
                    if length <= 10.0 * mean {
                        return length;
                    }
                }
            }
            Self::Two(scale) => {
                let is_long = rng.random::<f64>() < 0.05;
                if is_long { 10.0 * scale } else { 0.5 * scale }
            }
        }
    }

    /// What is left of a stall at an instant amid one: long ones are met more often.
    fn rest(self, rng: &mut ChaCha8Rng) -> f64 {
        if let Self::Exponential(mean) = self {
            return exponential(rng, mean);
        }
        loop {
            let length = self.draw(rng);
            if rng.random::<f64>() < length / self.longest() {
                return length * rng.random::<f64>();
            }
        }
    }
}

/// Calls for each stall of a window, from when to when, of a process that is in one for this share
/// of the time.
fn stalls(
    lengths: Lengths,
    share: f64,
    window_s: f64,
    rng: &mut ChaCha8Rng,
    mut stall: impl FnMut(f64, f64),
) {
    if share <= 0.0 {
        return;
    }
    let gap = lengths.mean() * (1.0 - share) / share;
    let mut at = 0.0;
    if rng.random::<f64>() < share {
        at = lengths.rest(rng);
        stall(0.0, at);
    }
    loop {
        at += exponential(rng, gap);
        if at >= window_s {
            return;
        }
        let end = at + lengths.draw(rng);
        stall(at, end);
        at = end;
    }
}

/// The most stalls of a cluster.
const CLUSTER_MAX: u32 = 30;

/// The mean number of stalls of a cluster: geometric with 0.9, cut.
fn cluster_mean() -> f64 {
    (0..CLUSTER_MAX).map(|number| 0.9_f64.powi(number as i32)).sum()
}

/// The mean length of a cluster of stalls of this length.
pub(crate) fn cluster_length(stall: f64) -> f64 {
    cluster_mean() * stall + (cluster_mean() - 1.0) * 5.0 * stall
}

fn clusters(
    length: f64,
    share: f64,
    window_s: f64,
    rng: &mut ChaCha8Rng,
    mut stall: impl FnMut(f64, f64),
) {
    if share <= 0.0 {
        return;
    }
    let cycle = cluster_mean() * length / share;
    let gap = cycle - cluster_length(length);
    assert!(gap > 0.0, "clusters cannot be so dense");
    // Some cycles before the window nothing is known any more of how it began.
    let mut at = -5.0 * cycle * (1.0 + rng.random::<f64>());
    while at < window_s {
        at += exponential(rng, gap);
        for number in 1.. {
            stall(at, at + length);
            at += length;
            if number == CLUSTER_MAX || rng.random::<f64>() < 0.1 {
                break;
            }
            at += exponential(rng, 5.0 * length);
        }
    }
}

/// A bench with its schedule, and what of it is the same in every run.
pub(crate) struct Bench {
    design: Design,
    due: Due,
    /// By message: its device.
    device: Vec<u32>,
    /// By device: the places of its messages.
    of_device: Vec<Vec<u32>>,
    blocks: Blocks,
    by_block: Vec<u64>,
    /// By message: its block.
    block: Vec<u32>,
}

impl Bench {
    pub(crate) fn new(design: Design, rng: &mut ChaCha8Rng) -> Self {
        let period_s = 1.0 / design.per_s;
        let mut messages = Vec::new();
        for device in 0..design.devices {
            let first_s = match design.phase {
                Phase::Staggered => period_s * device as f64 / design.devices as f64,
                Phase::Random => period_s * rng.random::<f64>(),
                Phase::Together => 0.0,
            };
            let count = ((design.window_s - first_s) * design.per_s).ceil().max(0.0) as u64;
            let due = (0..count).map(|number| first_s + number as f64 * period_s);
            // Rounded: where a stall is ten periods, no eleventh message is to slip into it.
            messages.extend(due.map(|at_s| ((at_s * 1e9).round() as i64, device as u32)));
        }
        messages.sort_unstable();
        let blocks = Blocks::of(0, (design.window_s * 1e9) as i64);
        let mut of_device = vec![Vec::new(); design.devices];
        for (&(_, device), place) in messages.iter().zip(0..) {
            of_device[device as usize].push(place);
        }
        let block: Vec<u32> = messages.iter().map(|(at, _)| blocks.index(*at) as u32).collect();
        let mut by_block = vec![0; blocks.count() as usize];
        for &block in &block {
            by_block[block as usize] += 1;
        }
        let (due, device) = messages.into_iter().unzip();
        Self { design, due: Due::Each(due), device, of_device, blocks, by_block, block }
    }

    fn instants(&self) -> &[i64] {
        match &self.due {
            Due::Each(instants) => instants,
            Due::ByPart { .. } => &[],
        }
    }

    /// How many messages a run has.
    pub(crate) fn n(&self) -> usize {
        self.device.len()
    }

    /// Which messages of one run are late.
    fn late(&self, share: f64, rng: &mut ChaCha8Rng) -> Vec<bool> {
        let (instants, window_s) = (self.instants(), self.design.window_s);
        let mut late = vec![false; self.n()];
        let place = |at_s: f64| instants.partition_point(|&at| (at as f64) < at_s * 1e9);
        let mark = |late: &mut Vec<bool>, from: f64, to: f64| {
            late[place(from)..place(to)].fill(true);
        };
        let each = |late: &mut Vec<bool>, share: f64, rng: &mut ChaCha8Rng| {
            let mut number = 0.0;
            if share <= 0.0 {
                return;
            }
            loop {
                number += ((1.0 - rng.random::<f64>()).ln() / (1.0 - share).ln()).floor();
                let Some(one) = late.get_mut(number as usize) else { return };
                *one = true;
                number += 1.0;
            }
        };
        match self.design.process {
            Process::Independent => each(&mut late, share, rng),
            Process::Stalls(lengths) => {
                stalls(lengths, share, window_s, rng, |from, to| mark(&mut late, from, to));
            }
            Process::Mixed(length) => {
                // Beside those in stalls.
                let alone = 0.3 * share / (1.0 - 0.7 * share);
                each(&mut late, alone, rng);
                let lengths = Lengths::Fixed(length);
                stalls(lengths, 0.7 * share, window_s, rng, |from, to| mark(&mut late, from, to));
            }
            Process::EachDevice(mean) => {
                for places in &self.of_device {
                    self.device_late(places, (mean, share), &mut late, rng);
                }
            }
            Process::OneDevice(mean) => {
                let own = share * self.n() as f64 / self.of_device[0].len() as f64;
                assert!(own < 1.0, "one device is not enough");
                self.device_late(&self.of_device[0], (mean, own), &mut late, rng);
            }
            Process::Clusters(length) => {
                clusters(length, share, window_s, rng, |from, to| mark(&mut late, from, to));
            }
        }
        late
    }

    fn device_late(
        &self,
        places: &[u32],
        (mean, share): (f64, f64),
        late: &mut [bool],
        rng: &mut ChaCha8Rng,
    ) {
        let (instants, window_s) = (self.instants(), self.design.window_s);
        let at = |at_s: f64| {
            places.partition_point(|&place| (instants[place as usize] as f64) < at_s * 1e9)
        };
        stalls(Lengths::Exponential(mean), share, window_s, rng, |from, to| {
            for &place in &places[at(from)..at(to)] {
                late[place as usize] = true;
            }
        });
    }

    /// Judges so many runs with this true share of late messages.
    pub(crate) fn runs(&self, share: f64, runs: u32, seed: u64) -> Counts {
        let mut counts = Counts { runs, ..Counts::default() };
        let instants = self.instants();
        let claim = Claim {
            coverage: 1.0 - self.design.allowed,
            stall_ns: (self.design.stall_s * 1e9).round() as i64,
        };
        for run in 0..runs {
            let mut rng = ChaCha8Rng::seed_from_u64(seed.wrapping_add(u64::from(run)));
            let flags = self.late(share, &mut rng);
            let mut over = vec![0; self.by_block.len()];
            for (&block, &is_late) in self.block.iter().zip(&flags) {
                over[block as usize] += u64::from(is_late);
            }
            let messages = instants.iter().zip(&self.device).zip(&flags);
            let late = Late::of(messages.map(|((&at, &device), &is_late)| (at, device, is_late)));
            let shown = LimitEvidence {
                tally: Tally { n: self.n() as u64, over: over.iter().sum(), ..Tally::default() },
                deff: design_effect(&self.blocks, &self.by_block, &over),
                due: &self.due,
                late: &late,
                window_ns: (self.design.window_s * 1e9).round() as i64,
            };
            let judged = judge(&shown, claim);
            counts.passes += u32::from(judged.status == Status::Pass);
            counts.fails += u32::from(judged.status == Status::Fail);
            if judged.status == Status::Pass {
                counts.holds_s += judged.holds_up_to_ns.unwrap_or(0) as f64 / 1e9;
            }
        }
        counts.holds_s /= f64::from(counts.passes.max(1));
        counts
    }
}

/// The processes as they are declared, for a stall of this length: name and process.
pub(crate) fn declared(stall_s: f64) -> [(&'static str, Process); 9] {
    [
        ("independent", Process::Independent),
        ("stalls of the declared length", Process::Stalls(Lengths::Fixed(stall_s))),
        ("exponential, declared 2 means", Process::Stalls(Lengths::Exponential(stall_s / 2.0))),
        ("Pareto 1.5 cut at 10, declared 2 means", Process::Stalls(Lengths::Pareto(stall_s / 2.0))),
        ("two lengths 1:20, longest declared", Process::Stalls(Lengths::Two(stall_s / 10.0))),
        ("30 % independent, stalls", Process::Mixed(stall_s)),
        ("each device by itself", Process::EachDevice(stall_s / 2.0)),
        ("one device only", Process::OneDevice(stall_s / 2.0)),
        ("clusters, a whole one declared", Process::Clusters(stall_s / cluster_length(1.0))),
    ]
}

/// A drawn bench with any of those processes, of 1 to 50 devices with 0.2 to 2 messages a second,
/// stalls of 0.05 to 10 s and a window of 30 s or more, that is at most so many messages long
/// beyond that.
pub(crate) fn drawn(seed: u64, messages_max: f64) -> (&'static str, Design) {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut uniform = |from: f64, to: f64| from + (to - from) * rng.random::<f64>();
    let stall_s = 0.05 * 200.0_f64.powf(uniform(0.0, 1.0));
    let devices = uniform(1.0, 51.0) as usize;
    let allowed = [0.05, 0.03, 0.01, 0.001][uniform(0.0, 4.0) as usize];
    let phase = [Phase::Staggered, Phase::Random, Phase::Together][uniform(0.0, 3.0) as usize];
    let (name, process) = declared(stall_s)[uniform(0.0, 9.0) as usize];
    let is_impossible =
        matches!(process, Process::OneDevice(_)) && 1.1 * allowed * devices as f64 > 0.9;
    let (name, process) = if is_impossible { declared(stall_s)[6] } else { (name, process) };
    let per_s = uniform(0.2, 2.0);
    // Where messages are sparse each counts by itself, and time for so many is needed.
    let apart_s = stall_s.max(1.0 / (devices as f64 * per_s));
    let times = 3.0 * 10.0_f64.powf(uniform(0.0, 1.0));
    let longest_s = messages_max / (devices as f64 * per_s);
    let window_s = (times * apart_s / allowed).min(longest_s).max(30.0);
    (name, Design { process, devices, per_s, phase, window_s, stall_s, allowed })
}
