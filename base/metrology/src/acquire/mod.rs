//! Finding the fundamental of a recording nothing is known about.
//!
//! Every channel is looked through by itself, over both ranges of IEC 61000-4-30: short stretches
//! vote for the frequency of the sine that fits them best ([`ballot`]); at the frequency elected,
//! *runs* of steady cycles are looked for ([`runs`]), which fault transients, dead channels and a
//! breaker that opens do not have. The frequency on which the steady cycles of most channels agree
//! is the recording's, and its reference the first channel that has enough of them.
//!
//! What a header states is an opinion: it weighs a little where channels disagree, and it chooses
//! between windows of 50 and 60 Hz where the frequency found may belong to either. What the user
//! states is a limit: nothing outside of its range is taken, and what lies there is an error.
//!
//! Recordings of fewer than three cycles have no run; there the best fit of a sine decides, which
//! harmonics bias.

mod ballot;
mod runs;

use crate::recording::{AnalysisError, AnalysisInput};
use crate::sync::dft::{Scratch, estimate};
use ballot::{Ballot, best_fit};
use runs::{Run, runs};

/// Frequencies looked for (IEC 61000-4-30, both ranges).
const RANGE_HZ: (f64, f64) = (42.5, 69.0);

/// A nominal frequency's range, relative to it (IEC 61000-4-30, class A).
const RANGE: (f64, f64) = (0.85, 1.15);

/// Channels whose frequencies differ by less agree, in Hz.
const AGREE_HZ: f64 = 1.0;

/// How much more than a current's the steady cycles of a voltage weigh.
const VOLTAGE_WEIGHT: f64 = 2.0;

/// How much more the steady cycles weigh that agree with what a header states.
const STATED_WEIGHT: f64 = 1.25;

/// The reference has at least this part of the most steady cycles any channel has.
const REFERENCE_PART: f64 = 0.5;

/// How far the transform of a short run may be from its fit, relative.
const NEAR_FIT: f64 = 1e-3;

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Acquired {
    /// The fundamental over the recording's best run of steady cycles, in Hz.
    pub(crate) frequency_hz: f64,
    /// 50 or 60.
    pub(crate) nominal_hz: f64,
    /// The channel that phases refer to: voltages first, then currents.
    pub(crate) channel: usize,
    /// Whole cycles in the recording.
    pub(crate) cycles: u64,
    /// Where `frequency_hz` was found; `None` where there are fewer than three cycles.
    pub(crate) steady: Option<Steady>,
    /// Channels with a steady fundamental of another frequency, in Hz.
    pub(crate) others: Vec<(usize, f64)>,
}

/// A run of steady cycles.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Steady {
    pub(crate) channel: usize,
    /// Its beginning in s since the first sample.
    pub(crate) start_s: f64,
    pub(crate) cycles: f64,
}

#[derive(Clone, Copy, Debug)]
struct Candidate {
    channel: usize,
    /// The best run.
    run: Run,
    /// Cycles of all runs.
    steady_cycles: f64,
    frequency_hz: f64,
    weight: f64,
}

/// Finds the fundamental; `stated_hz` is what the recording itself states.
pub(crate) fn acquire(
    input: &AnalysisInput<'_>,
    stated_hz: Option<f64>,
) -> Result<Acquired, AnalysisError> {
    let found_s = input.samples() as f64 / input.rate_hz;
    // Half a sample is forgiven at the end.
    let forgiven_s = found_s + 0.5 / input.rate_hz;
    let highest_hz = input.nominal_hz.map_or(RANGE_HZ.1, |nominal| RANGE.1 * nominal);
    if forgiven_s * highest_hz < 1.0 {
        return Err(AnalysisError::TooShort { found_s, cycle_s: 1.0 / highest_hz });
    }
    let candidates = candidates(input, stated_hz);
    if candidates.is_empty() {
        return briefly(input, stated_hz, forgiven_s);
    }
    let (low_hz, high_hz) = input.nominal_hz.map_or(RANGE_HZ, range_of);
    let allowed = |c: &&Candidate| (low_hz..=high_hz).contains(&c.frequency_hz);
    let allowed: Vec<Candidate> = candidates.iter().filter(allowed).copied().collect();
    let Some(elected_hz) = elected(&allowed) else {
        return Err(elsewhere(input, &candidates));
    };
    let agrees = |c: &&Candidate| (c.frequency_hz - elected_hz).abs() < AGREE_HZ;
    let group: Vec<Candidate> = allowed.iter().filter(agrees).copied().collect();
    let most = group.iter().map(|c| c.steady_cycles).fold(0.0, f64::max);
    let is_enough = |c: &&Candidate| c.steady_cycles >= REFERENCE_PART * most;
    let reference = group.iter().find(is_enough).map_or(0, |c| c.channel);
    let is_voltage = |c: &Candidate| c.channel < input.voltages.len();
    let worth = |c: &Candidate| c.run.worth * if is_voltage(c) { VOLTAGE_WEIGHT } else { 1.0 };
    let best = group.iter().max_by(|a, b| worth(a).total_cmp(&worth(b)));
    let frequency_hz = best.map_or(elected_hz, |best| best.frequency_hz);
    let others = candidates.iter().filter(|c| !agrees(c)).map(|c| (c.channel, c.frequency_hz));
    Ok(Acquired {
        frequency_hz,
        nominal_hz: nominal(frequency_hz, input.nominal_hz, stated_hz),
        channel: reference,
        cycles: (forgiven_s * frequency_hz).floor() as u64,
        steady: best.map(|best| Steady {
            channel: best.channel,
            start_s: best.run.start / input.rate_hz,
            cycles: best.run.cycles,
        }),
        others: others.collect(),
    })
}

pub(crate) fn range_of(nominal_hz: f64) -> (f64, f64) {
    (RANGE.0 * nominal_hz, RANGE.1 * nominal_hz)
}

/// Whether a frequency lies in the range of a nominal one.
fn is_within(frequency_hz: f64, nominal_hz: f64) -> bool {
    let (low_hz, high_hz) = range_of(nominal_hz);
    (low_hz..=high_hz).contains(&frequency_hz)
}

/// 50 or 60: what is given, else what is stated if that can be, else what is nearer.
fn nominal(frequency_hz: f64, given_hz: Option<f64>, stated_hz: Option<f64>) -> f64 {
    let stated = stated_hz.filter(|&hz| hz == 50.0 || hz == 60.0);
    let nearer = if frequency_hz < 55.0 { 50.0 } else { 60.0 };
    given_hz.or(stated.filter(|&hz| is_within(frequency_hz, hz))).unwrap_or(nearer)
}

/// The channels that have runs of steady cycles.
fn candidates(input: &AnalysisInput<'_>, stated_hz: Option<f64>) -> Vec<Candidate> {
    let rate_hz = input.rate_hz;
    let Some(ballot) = Ballot::new(RANGE_HZ, rate_hz, input.samples()) else { return Vec::new() };
    let mut scratch = Scratch::default();
    let mut found = Vec::new();
    for (channel, (_, samples)) in input.channels().enumerate() {
        let Some(coarse) = ballot.elect(samples) else { continue };
        let runs = runs(samples, coarse, ballot.group);
        let Some(run) = runs.iter().copied().reduce(better) else { continue };
        let frequency = refined(samples, run, &mut scratch);
        let frequency_hz = frequency * rate_hz;
        // The ballot stops at the ends of the range; what lies beyond is no mains frequency.
        if !(0.995 * RANGE_HZ.0..=1.005 * RANGE_HZ.1).contains(&frequency_hz) {
            continue;
        }
        let steady_cycles: f64 = runs.iter().map(|run| run.cycles).sum();
        let is_stated = stated_hz.is_some_and(|stated| is_within(frequency_hz, stated));
        let stated = if is_stated { STATED_WEIGHT } else { 1.0 };
        let kind = if channel < input.voltages.len() { VOLTAGE_WEIGHT } else { 1.0 };
        let weight = steady_cycles * stated * kind;
        found.push(Candidate { channel, run, steady_cycles, frequency_hz, weight });
    }
    found
}

/// The sharper of two runs, the earlier of equals.
fn better(one: Run, other: Run) -> Run {
    if other.worth > one.worth { other } else { one }
}

/// The frequency that the most steady cycles agree on.
fn elected(candidates: &[Candidate]) -> Option<f64> {
    let support = |of: &Candidate| -> f64 {
        let near = |c: &&Candidate| (c.frequency_hz - of.frequency_hz).abs() < AGREE_HZ;
        candidates.iter().filter(near).map(|c| c.weight).sum()
    };
    let mut best: Option<(f64, f64)> = None;
    for candidate in candidates {
        let support = support(candidate);
        if best.is_none_or(|(most, _)| support > most) {
            best = Some((support, candidate.frequency_hz));
        }
    }
    best.map(|(_, frequency_hz)| frequency_hz)
}

/// Why nothing was found where the user allows it.
fn elsewhere(input: &AnalysisInput<'_>, candidates: &[Candidate]) -> AnalysisError {
    let heaviest = candidates.iter().max_by(|a, b| a.weight.total_cmp(&b.weight));
    match (heaviest, input.nominal_hz) {
        (Some(found), Some(nominal_hz)) => AnalysisError::OtherFrequency {
            nominal_hz,
            channel: input.channels().nth(found.channel).map_or(String::new(), |(name, _)| name),
            found_hz: found.frequency_hz,
        },
        _ => no_signal(input),
    }
}

fn no_signal(input: &AnalysisInput<'_>) -> AnalysisError {
    let (low_hz, high_hz) = input.nominal_hz.map_or(RANGE_HZ, range_of);
    AnalysisError::NoPeriodicSignal { low_hz, high_hz }
}

/// Of fewer than three cycles: the first channel that a sine fits about as well as any.
fn briefly(
    input: &AnalysisInput<'_>,
    stated_hz: Option<f64>,
    forgiven_s: f64,
) -> Result<Acquired, AnalysisError> {
    let (low_hz, high_hz) = input.nominal_hz.map_or(RANGE_HZ, range_of);
    let range = (low_hz / input.rate_hz, high_hz / input.rate_hz);
    let fit = |(channel, (_, samples))| Some((channel, best_fit(samples, range)?));
    let is_brief = forgiven_s * low_hz < runs::CYCLES_MIN;
    let fits: Vec<_> = input.channels().enumerate().filter_map(fit).collect();
    let most = fits.iter().map(|(_, (explained, _))| *explained).fold(0.0, f64::max);
    let good = fits.iter().find(|(_, (explained, _))| *explained >= REFERENCE_PART * most);
    let Some(&(channel, (_, frequency))) = good.filter(|_| is_brief) else {
        return Err(no_signal(input));
    };
    let frequency_hz = frequency * input.rate_hz;
    let cycles = (forgiven_s * frequency_hz).floor() as u64;
    if cycles == 0 {
        let found_s = input.samples() as f64 / input.rate_hz;
        return Err(AnalysisError::TooShort { found_s, cycle_s: 1.0 / frequency_hz });
    }
    // Three cycles that are not steady are no fundamental.
    if cycles as f64 >= runs::CYCLES_MIN {
        return Err(no_signal(input));
    }
    let nominal_hz = nominal(frequency_hz, input.nominal_hz, stated_hz);
    Ok(Acquired { frequency_hz, nominal_hz, channel, cycles, steady: None, others: Vec::new() })
}

/// The frequency of a run. Where a short one is all of the recording, the transform over its whole
/// cycles sees what is periodic in them apart from the fundamental, if it is near what the fit has.
fn refined(samples: &[f64], run: Run, scratch: &mut Scratch) -> f64 {
    let whole = (samples.len() as f64 + 0.5) * run.frequency;
    if !run.is_long && run.cycles + 1.0 < whole {
        return run.frequency;
    }
    let found = refine(samples, run, scratch);
    let is_near = (found / run.frequency - 1.0).abs() < NEAR_FIT;
    if run.is_long || is_near { found } else { run.frequency }
}

/// The mean frequency over all whole cycles of a run, from stretches that double in length so that
/// each is near enough to the next one's answer.
fn refine(samples: &[f64], run: Run, scratch: &mut Scratch) -> f64 {
    let mut frequency = run.frequency;
    let mut cycles = 10.0_f64;
    let samples = &samples[(run.start.max(0.0) as usize).min(samples.len())..];
    let length = run.length.min(samples.len() as f64);
    loop {
        // What the coarse frequency is off must not cost a cycle.
        let whole = ((length + 0.5) * frequency + 0.05).floor();
        let stretch = cycles.min(whole);
        for _ in 0..4 {
            let stretch = (stretch / frequency).min(samples.len() as f64);
            match estimate(samples, 0.0, stretch, frequency, scratch) {
                Some(found) if (found.frequency / frequency - 1.0).abs() < 0.1 => {
                    frequency = found.frequency;
                }
                _ => return frequency,
            }
        }
        if stretch >= whole {
            return frequency;
        }
        cycles *= 2.0;
    }
}
