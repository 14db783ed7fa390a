//! The streaming engine: samples pushed in pieces of any size, windows popped as they complete.
//!
//! Windows are gapless and phase-locked (IEC 61000-4-30: 10 cycles at 50 Hz, 12 at 60 Hz): the
//! first starts at the first sample, whatever the phase; every other starts where the phase of the
//! tracked fundamental has advanced by exactly that many cycles since the one before, so limits
//! are fractional sample positions and do not drift. The tracked channel is the first voltage, or
//! the next channel that has a fundamental if it is dead. With [`Synchronisation::ZeroCrossing`]
//! windows reach from one zero crossing to another instead; with the time of the first sample they
//! are synchronised anew at each 10-minute tick.
//!
//! A window is computed as soon as it and the few samples its smooth edges reach beyond it are
//! there. Nothing depends on how the samples were cut: every decision is a function of the samples
//! of the window, and all positions are taken relative to its first sample.

use std::collections::VecDeque;
use std::f64::consts::TAU;

use crate::config::WINDOW_SAMPLES;
use crate::edge::{EDGE_SAMPLES, Edge};
use crate::harmonics::{Transform, group};
use crate::numeric::wrap;
use crate::quantities::Frame;
use crate::resample::kernel::{Kernel, REACH, repeat};
use crate::resample::synchronous::Synchronous;
use crate::resample::{Demand, Resampler};
use crate::sync::dft::{Estimate, SHARE_MIN, Scratch, estimate};
use crate::sync::steady::Memory;
use crate::sync::{Synchronisation, crossing};
use crate::ticks::Ticks;
use crate::window::{BeforeTick, ORDER_MAX, PhaseHarmonics, Window};

pub use crate::config::{EngineConfig, EngineError};

/// Frequencies tracked, relative to nominal: 42.5..57.5 Hz and 51..69 Hz (IEC 61000-4-30, class A
/// range) and a little more.
const RANGE: std::ops::RangeInclusive<f64> = 0.845..=1.155;

/// A stretch is synchronous enough to stop iterating when the estimate moved by less than this.
const CONVERGED_MAX: f64 = 5e-5;

/// Phase steps between two windows beyond this part of a cycle are jumps, not drift.
const JUMP_CYCLES: f64 = 0.05;

/// A recording may miss this much of a sample at the end of its last window.
const END_TOLERANCE: f64 = 0.5;

/// The frequency of a power system does not change by more than this part of it from one window to
/// the next: what does is the ringing of something that was switched off.
const STRAY_MAX: f64 = 0.05;

/// The phase every window is to start at, on one channel.
#[derive(Clone, Copy, Debug)]
struct Lock {
    channel: usize,
    phase: f64,
}

/// What is believed of a recording's fundamental while it is measured.
#[derive(Clone, Debug)]
struct Guide {
    /// The frequency of the last window that had a steady fundamental, in cycles per sample.
    frequency: f64,
    /// Windows since then.
    lost: u32,
    /// How many windows were tracked in each channel.
    tracked: Vec<u32>,
    memory: Memory,
}

/// Where the present window ends and what is known about it.
#[derive(Clone, Copy, Debug)]
struct Limits {
    /// Length of the window, in samples.
    length: f64,
    /// Cycles per sample, if tracked.
    frequency: Option<f64>,
    lock: Option<Lock>,
    /// The channel whose zero crossing the window ends at.
    aligned: Option<usize>,
    flagged: bool,
}

/// Turns samples into windows; see the module's text.
#[derive(Clone, Debug)]
pub struct WindowEngine {
    config: EngineConfig,
    cycles: u32,
    /// Frequency given from outside (cycles per sample): no tracking.
    fixed: Option<f64>,
    /// Only steady fundamentals near this are tracked, in whatever channel there is one.
    guide: Option<Guide>,
    edge: &'static Edge,
    transform: Option<Transform>,
    synchronous: Option<Synchronous>,
    ticks: Option<Ticks>,
    /// Samples kept before a window's start and needed after its end.
    margin: usize,
    scratch: Scratch,
    oscillator: (Vec<f64>, Vec<f64>),
    /// Voltages, then currents; the first sample of each has the index `base`.
    channels: Vec<Vec<f64>>,
    base: i64,
    received: i64,
    /// The present window starts at sample `origin` plus `fraction`.
    origin: i64,
    fraction: f64,
    guess: Option<f64>,
    lock: Option<Lock>,
    /// The channel whose zero crossing the present window starts at.
    aligned: Option<usize>,
    /// Whether the samples before the first one were made up.
    is_front_filled: bool,
    /// No attempt is worth making before this many samples were received.
    needed: i64,
    finished: bool,
    ready: VecDeque<Window>,
}

impl WindowEngine {
    /// An engine for windows of 10 (50 Hz) or 12 (60 Hz) cycles.
    pub fn new(config: EngineConfig) -> Result<Self, EngineError> {
        let cycles = if config.nominal_hz == 60.0 { 12 } else { 10 };
        Self::with_cycles(config, cycles)
    }

    /// An engine for windows of another number of cycles, for recordings that hold no more.
    pub(crate) fn with_cycles(config: EngineConfig, cycles: u32) -> Result<Self, EngineError> {
        config.check()?;
        let nominal = config.nominal_hz / config.rate_hz;
        let demand = Demand {
            cycles,
            points: config.window_samples.unwrap_or(WINDOW_SAMPLES),
            range: (nominal * RANGE.start(), nominal * RANGE.end()),
        };
        let resampler = config.harmonics.then(|| Resampler::new(config.resampling, demand));
        let synchronous = config
            .samples_per_cycle
            .map(|per_cycle| Synchronous::new(config.resampling, per_cycle, demand));
        let reach = resampler.as_ref().map_or(0, Resampler::reach);
        let reach = reach.max(synchronous.as_ref().map_or(0, Synchronous::reach));
        let margin = reach.max(REACH) + 1;
        Ok(Self {
            cycles,
            fixed: None,
            guide: None,
            edge: Edge::shared(),
            transform: resampler.map(|resampler| Transform::new(demand.points, resampler)),
            synchronous,
            ticks: config.first_sample_unix_ns.map(|at| Ticks::new(at, config.rate_hz)),
            margin,
            scratch: Scratch::default(),
            oscillator: (Vec::new(), Vec::new()),
            channels: vec![vec![0.0; margin]; 2 * config.phases],
            base: -(margin as i64),
            received: 0,
            origin: 0,
            fraction: 0.0,
            guess: None,
            lock: None,
            aligned: None,
            is_front_filled: false,
            needed: 0,
            finished: false,
            ready: VecDeque::new(),
            config,
        })
    }

    /// Sets the frequency instead of tracking it (recordings too short to track anything).
    pub(crate) fn fix_frequency(&mut self, frequency_hz: f64) {
        self.fixed = Some(frequency_hz / self.config.rate_hz);
    }

    /// Lets only windows be tracked in which a channel's fundamental is steady, beginning near a
    /// frequency. Others keep the length of the last that was, and are flagged.
    pub(crate) fn guide(&mut self, frequency_hz: f64) {
        let frequency = frequency_hz / self.config.rate_hz;
        let tracked = vec![0; self.channels.len()];
        self.guide = Some(Guide { frequency, lost: 0, tracked, memory: Memory::default() });
    }

    /// How many windows were tracked in each channel, voltages first, if it was set to choose.
    pub(crate) fn tracked(&self) -> &[u32] {
        self.guide.as_ref().map_or(&[], |guide| &guide.tracked)
    }

    /// Takes the next samples of all channels. An empty list of voltages or of currents stands for
    /// channels that do not exist: their values are zero.
    pub fn push<U: AsRef<[f64]>, I: AsRef<[f64]>>(
        &mut self,
        voltages: &[U],
        currents: &[I],
    ) -> Result<(), EngineError> {
        if self.finished {
            return Err(EngineError::Finished);
        }
        let phases = self.config.phases;
        for (what, found) in [("voltages", voltages.len()), ("currents", currents.len())] {
            if found != 0 && found != phases {
                return Err(EngineError::Channels { what, found, expected: phases });
            }
        }
        let present = |channel: usize| -> Option<&[f64]> {
            match channel.checked_sub(phases) {
                None => voltages.get(channel).map(AsRef::as_ref),
                Some(current) => currents.get(current).map(AsRef::as_ref),
            }
        };
        let count = (0..2 * phases).find_map(present).map_or(0, <[f64]>::len);
        let kept = self.channels.first().map_or(0, Vec::len);
        for channel in 0..2 * phases {
            // A channel is taken as soon as it was looked through, while it is still near.
            let samples = present(channel).unwrap_or(&[]);
            if let Err(error) = check_samples(channel, samples, count, present(channel)) {
                self.channels.iter_mut().for_each(|buffer| buffer.truncate(kept));
                return Err(error);
            }
            let buffer = &mut self.channels[channel];
            buffer.extend_from_slice(samples);
            buffer.resize(kept + count, 0.0);
        }
        self.received += count as i64;
        self.advance();
        Ok(())
    }

    /// The next complete window.
    pub fn pop(&mut self) -> Option<Window> {
        self.ready.pop_front()
    }

    /// Ends the signal: a window that is complete but for the few samples beyond its end is still
    /// given out, marked [`Window::extended`]; what follows the last whole window is dropped.
    pub fn finish(&mut self) {
        self.finished = true;
        self.advance();
    }

    /// Completes as many windows as the samples allow.
    fn advance(&mut self) {
        while self.finished || self.received >= self.needed {
            let limits = match self.locate() {
                Ok(limits) => limits,
                Err(needed) => {
                    self.needed = needed;
                    break;
                }
            };
            let end = self.fraction + limits.length;
            let last = self.origin + end.ceil() as i64 + self.margin as i64;
            let too_short = (self.received - self.origin) as f64 + END_TOLERANCE < end;
            if self.received < last && (!self.finished || too_short) {
                self.needed = last;
                break;
            }
            let extended = self.extend(limits.length, last);
            let mut window = self.measure(&limits, extended);
            if let Some(guide) = &mut self.guide {
                guide.lost = limits.frequency.map_or(guide.lost.saturating_add(1), |_| 0);
                guide.frequency = limits.frequency.unwrap_or(guide.frequency);
                if let Some(lock) = limits.lock {
                    guide.tracked[lock.channel] += 1;
                }
            }
            self.guess = limits.frequency;
            self.lock = limits.lock;
            self.aligned = limits.aligned;
            let mut next = (self.origin, end);
            if let Some(mut ticks) = self.ticks {
                let start = self.origin as f64 + self.fraction;
                let (interval, tick) = ticks.place(start, self.origin as f64 + end);
                self.ticks = Some(ticks);
                window.ten_minutes = Some(interval);
                if let Some(tick) = tick {
                    window.before_tick = Some(Box::new(self.before_tick(start, tick)));
                    next = (0, tick);
                    (self.lock, self.aligned) = (None, None);
                }
            }
            self.ready.push_back(window);
            self.move_to(next);
            self.forget();
        }
    }

    /// Lets the next window start at a position past a sample.
    fn move_to(&mut self, (sample, past): (i64, f64)) {
        self.origin = sample + past.floor() as i64;
        self.fraction = past - past.floor();
    }

    /// Finds where the present window ends; the number of samples needed where there are too few.
    fn locate(&mut self) -> Result<Limits, i64> {
        let cycles = f64::from(self.cycles);
        let nominal = self.config.nominal_hz / self.config.rate_hz;
        let limits = |length: f64, frequency: Option<f64>| Limits {
            length,
            frequency,
            lock: None,
            aligned: None,
            flagged: frequency.is_none(),
        };
        if let Some(fixed) = self.fixed {
            return Ok(limits(cycles / fixed, Some(fixed)));
        }
        if self.config.synchronisation == Synchronisation::ZeroCrossing {
            let found = self.cross()?;
            return Ok(found.unwrap_or_else(|| limits(cycles / nominal, None)));
        }
        if let Some(mut guide) = self.guide.take() {
            let found = self.follow(&mut guide);
            let lost = limits(cycles / guide.frequency, None);
            // Back before anything returns: it is not changed until the window is measured.
            self.guide = Some(guide);
            return Ok(found?.unwrap_or(lost));
        }
        for channel in 0..self.channels.len() {
            let guesses = self.guess.into_iter().chain([nominal]);
            for guess in guesses {
                if let Some((found, length)) = self.track(channel, guess)? {
                    return Ok(self.lock_on(channel, found, length));
                }
            }
        }
        Ok(limits(cycles / nominal, None))
    }

    /// Finds the window of the first channel whose fundamental is steady over it; `None` where no
    /// channel has one.
    fn follow(&mut self, guide: &mut Guide) -> Result<Option<Limits>, i64> {
        let from = (self.origin - self.base) as usize;
        let stray = STRAY_MAX * f64::from(1 + guide.lost.min(10));
        for channel in 0..self.channels.len() {
            let Some((found, length)) = self.track(channel, guide.frequency)? else { continue };
            let is_near = (found.frequency / guide.frequency - 1.0).abs() <= stray;
            let samples = &self.channels[channel][from..];
            let span = (self.fraction, length);
            if is_near && guide.memory.is_steady(samples, span, found.frequency) {
                // What jumped between two windows has not harmed either.
                return Ok(Some(Limits { flagged: false, ..self.lock_on(channel, found, length) }));
            }
        }
        Ok(None)
    }

    /// Finds the window from one rising zero crossing to another; one that does not start at a
    /// crossing is moved to the next. `None` where there are none.
    fn cross(&mut self) -> Result<Option<Limits>, i64> {
        let cycle = self.config.rate_hz / self.config.nominal_hz;
        let cycles = f64::from(self.cycles);
        // A cycle to find the first crossing in, and half of one to see the last one through.
        let wanted = (self.fraction + (cycles + 1.5) * cycle / RANGE.start()).ceil() as i64;
        if self.origin + wanted > self.received && !self.finished {
            return Err(self.origin + wanted);
        }
        let others = (0..self.channels.len()).filter(|channel| Some(*channel) != self.aligned);
        for channel in self.aligned.into_iter().chain(others) {
            let from = (self.origin - self.base) as usize;
            let samples = &self.channels[channel][from..];
            let samples = &samples[..samples.len().min(wanted as usize)];
            let level = &samples[..samples.len().min((cycles * cycle) as usize)];
            let Some(band) = crossing::band(level) else { continue };
            let mut first = self.fraction;
            if self.aligned != Some(channel) {
                match crossing::next(samples, 0, band) {
                    Some((position, _)) if position <= self.fraction + cycle / RANGE.start() => {
                        first = position.max(self.fraction);
                    }
                    _ => continue,
                }
            }
            let mut last = Some(first);
            for _ in 0..self.cycles {
                // The signal has to come down before it can rise again.
                let from = |last: f64| (last + 0.5 * cycle * RANGE.start()) as usize;
                last = last
                    .and_then(|last| crossing::next(samples, from(last), band))
                    .map(|found| found.0);
            }
            let Some(last) = last else { continue };
            let frequency = cycles / (last - first);
            if RANGE.contains(&(frequency * cycle)) {
                self.move_to((self.origin, first));
                self.aligned = Some(channel);
                return Ok(Some(Limits {
                    length: last - first,
                    frequency: Some(frequency),
                    lock: None,
                    aligned: Some(channel),
                    flagged: false,
                }));
            }
        }
        if self.origin + wanted > self.received {
            // The signal ended before its last crossing: what is left is no window.
            return Err(i64::MAX);
        }
        self.aligned = None;
        Ok(None)
    }

    /// Estimates a channel's fundamental over the present window, whose length follows from the
    /// estimate itself; `None` if the channel has none. Answers with the stretch's length too.
    fn track(&mut self, channel: usize, guess: f64) -> Result<Option<(Estimate, f64)>, i64> {
        let nominal = self.config.nominal_hz / self.config.rate_hz;
        let available = (self.received - self.origin) as f64 - self.fraction;
        let from = (self.origin - self.base) as usize;
        let samples = &self.channels[channel][from..];
        let mut frequency = guess;
        for _ in 0..8 {
            let wanted = f64::from(self.cycles) / frequency;
            if wanted > available && (!self.finished || available < 0.5 * wanted) {
                return Err(self.origin + (self.fraction + wanted).ceil() as i64);
            }
            let length = wanted.min(available);
            let found = estimate(samples, self.fraction, length, frequency, &mut self.scratch)
                .filter(|e| e.share >= SHARE_MIN && RANGE.contains(&(e.frequency / nominal)));
            let Some(found) = found else { return Ok(None) };
            if (found.frequency / frequency - 1.0).abs() < CONVERGED_MAX {
                return Ok(Some((found, length)));
            }
            frequency = found.frequency;
        }
        Ok(None)
    }

    /// The end of the window from the phase in the middle of the stretch just tracked.
    fn lock_on(&self, channel: usize, found: Estimate, length: f64) -> Limits {
        let start_phase = found.middle_phase - TAU * found.frequency * 0.5 * length;
        let cycles = f64::from(self.cycles);
        let limits = |cycles: f64, phase: f64, flagged: bool| Limits {
            length: cycles / found.frequency,
            frequency: Some(found.frequency),
            lock: Some(Lock { channel, phase }),
            aligned: None,
            flagged,
        };
        match self.lock {
            Some(lock) if lock.channel == channel => {
                let ahead_cycles = wrap(start_phase - lock.phase) / TAU;
                if ahead_cycles.abs() > JUMP_CYCLES {
                    limits(cycles, start_phase, true)
                } else {
                    limits(cycles - ahead_cycles, lock.phase, false)
                }
            }
            _ => limits(cycles, start_phase, false),
        }
    }

    /// Fills in what the window needs from before the first and after the last sample by repeating
    /// the signal one window away. Answers whether there was anything to fill in.
    fn extend(&mut self, length: f64, last: i64) -> bool {
        let is_front_needed = !self.is_front_filled && self.origin < self.margin as i64;
        let front = if is_front_needed { self.margin } else { 0 };
        self.is_front_filled = true;
        let back = usize::try_from(last - self.received).unwrap_or(0);
        if front + back == 0 {
            return false;
        }
        for samples in &mut self.channels {
            repeat(Kernel::full_band(), samples, front, back, length);
        }
        true
    }

    /// The present window with a length and a frequency as the published formulae are printed:
    /// f = n fs / (x(1) + dx(1) - x(0) + dx(0)), where dx(0) has to be subtracted.
    fn printed(&self, limits: &Limits) -> Limits {
        let length = limits.length + 2.0 * self.fraction;
        Limits { length, frequency: Some(f64::from(self.cycles) / length), ..*limits }
    }

    /// Computes the quantities of the present window.
    fn measure(&mut self, limits: &Limits, extended: bool) -> Window {
        let as_printed = self.config.as_printed && limits.aligned.is_some();
        let Limits { length, frequency, .. } =
            if as_printed { self.printed(limits) } else { *limits };
        let rate = self.config.rate_hz;
        let phases = self.config.phases;
        let from = (self.origin - self.base) as usize - self.margin;
        let to = from + (self.fraction + length).ceil() as usize + 2 * self.margin;
        let start = self.margin as f64 + self.fraction;
        let slices: Vec<&[f64]> = self.channels.iter().map(|c| &c[from..to.min(c.len())]).collect();
        let (cos, sin) = &mut self.oscillator;
        let place = (start, length, self.cycles);
        let frame = Frame::new(self.edge, &slices, place, (cos, sin));
        let mut quantities: Vec<_> = (0..phases).map(|p| frame.phase(p, phases + p)).collect();
        if as_printed {
            // V(k) = V(k-1) + (v(k)^2 - v(k-N+1)^2) / N, where v(k-N) has to leave.
            let first = |channel: usize| slices[channel].get(start.ceil() as usize);
            let share = |channel| first(channel).map_or(0.0, |x: &f64| x * x / length);
            for (p, phase) in quantities.iter_mut().enumerate() {
                phase.lose_squares(share(p), share(phases + p));
            }
        }
        let effective = frame.effective(&quantities);
        if let Some(transform) = &mut self.transform {
            // Up to the last bin before the first order that is not reported.
            let highest = self.cycles as usize * (ORDER_MAX + 1) - 1;
            let bins = transform.bins(&slices, (start, length), highest);
            let harmonics = |channel: usize| group(&bins[channel], self.cycles);
            for (p, phase) in quantities.iter_mut().enumerate() {
                let (u, i) = (harmonics(p), harmonics(phases + p));
                phase.harmonics = Some(Box::new(PhaseHarmonics { u, i }));
            }
        }
        let synchronous = self.synchronous.as_ref();
        let points = synchronous.map(|s| s.points(&slices, (start, length)));
        Window {
            start_s: (self.origin as f64 + self.fraction) / rate,
            duration_s: limits.length / rate,
            cycles: self.cycles,
            frequency_hz: frequency.map_or(self.config.nominal_hz, |f| f * rate),
            phases: quantities,
            tracked: limits.frequency.is_some(),
            effective,
            synchronous: points.map(Box::new),
            ten_minutes: None,
            before_tick: None,
            flagged: limits.flagged,
            extended,
        }
    }

    /// The powers between a window's start and the tick it runs across, with the edges the windows
    /// before and after have.
    fn before_tick(&self, start: f64, tick: f64) -> BeforeTick {
        let (rate, phases) = (self.config.rate_hz, self.config.phases);
        let length = tick - start;
        let [first, last] = [start - EDGE_SAMPLES, tick + EDGE_SAMPLES];
        let [first, last] = [first, last].map(|at| (at.ceil() as i64 - self.base).max(0) as usize);
        let weight = |k: usize| {
            let at = (self.base + k as i64) as f64;
            let step = |limit: f64| self.edge.step((at - limit) / EDGE_SAMPLES);
            step(start) - step(tick)
        };
        let kept = self.channels.first().map_or(0, Vec::len);
        let weights: Vec<f64> = (first..last.min(kept)).map(weight).collect();
        let mean = |p: usize| {
            let (u, i) = (&self.channels[p][first..], &self.channels[phases + p][first..]);
            let sum: f64 = weights.iter().zip(u).zip(i).map(|((w, u), i)| w * u * i).sum();
            if length > 0.0 { sum / length } else { 0.0 }
        };
        BeforeTick { duration_s: length / rate, p_w: (0..phases).map(mean).collect() }
    }

    /// Drops samples no coming window needs, once they are more than half of what is kept.
    fn forget(&mut self) {
        let unused =
            usize::try_from(self.origin - self.base).unwrap_or(0).saturating_sub(self.margin);
        let kept = self.channels.first().map_or(0, Vec::len);
        if 2 * unused > kept {
            let unused = unused.min(kept);
            for channel in &mut self.channels {
                channel.drain(..unused);
            }
            self.base += unused as i64;
        }
    }
}

/// Whether a sample can be measured: finite, and so small that no sum of squares overflows.
pub(crate) fn usable(x: f64) -> bool {
    x.abs() < 1e100
}

/// Whether all samples can be measured; looks at every one, as that can be done several at a time.
#[multiversion::multiversion(targets = "simd")]
pub(crate) fn all_usable(samples: &[f64]) -> bool {
    samples.iter().fold(true, |all, x| all & usable(*x))
}

/// Refuses a channel of another length than the first, and values that are no numbers.
fn check_samples(
    channel: usize,
    samples: &[f64],
    expected: usize,
    present: Option<&[f64]>,
) -> Result<(), EngineError> {
    let found = samples.len();
    if present.is_some() && found != expected {
        return Err(EngineError::Lengths { channel, found, expected });
    }
    if all_usable(samples) {
        return Ok(());
    }
    let sample = samples.iter().position(|x| !usable(*x)).unwrap_or(0);
    Err(EngineError::NotFinite { channel, sample })
}
