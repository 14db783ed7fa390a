//! The streaming engine: samples pushed in pieces of any size, windows popped as they complete.
//!
//! Windows are gapless and phase-locked (IEC 61000-4-30: 10 cycles at 50 Hz, 12 at 60 Hz): the
//! first starts at the first sample, whatever the phase; every other starts where the phase of the
//! tracked fundamental has advanced by exactly that many cycles since the one before, so limits
//! are fractional sample positions and do not drift. The tracked channel is the first voltage, or
//! the next channel that has a fundamental if it is dead.
//!
//! A window is computed as soon as it and the few samples its smooth edges reach beyond it are
//! there. Nothing depends on how the samples were cut: every decision is a function of the samples
//! of the window, and all positions are taken relative to its first sample.

use std::collections::VecDeque;
use std::f64::consts::TAU;

use crate::edge::Edge;
use crate::harmonics::{ORDER_MAX, Transform, group};
use crate::kernel::{Kernel, REACH, repeat};
use crate::numeric::wrap;
use crate::quantities::Frame;
use crate::tracker::{Estimate, SHARE_MIN, Scratch, estimate};
use crate::window::{PhaseHarmonics, Window};

/// Samples kept before a window's start and needed after its end.
const MARGIN: usize = REACH + 1;

/// Frequencies tracked, relative to nominal: 42.5..57.5 Hz and 51..69 Hz (IEC 61000-4-30, class A
/// range) and a little more.
const RANGE: std::ops::RangeInclusive<f64> = 0.845..=1.155;

/// A stretch is synchronous enough to stop iterating when the estimate moved by less than this.
const CONVERGED: f64 = 5e-5;

/// Phase steps between two windows beyond this part of a cycle are jumps, not drift.
const JUMP_CYCLES: f64 = 0.05;

/// A recording may miss this much of a sample at the end of its last window.
const END_TOLERANCE: f64 = 0.5;

/// What the engine is to measure.
#[derive(Clone, Debug, PartialEq)]
pub struct EngineConfig {
    /// Samples per second and channel; at least eight per nominal cycle.
    pub rate_hz: f64,
    /// 50 or 60.
    pub nominal_hz: f64,
    /// Number of phases: one voltage and one current each.
    pub phases: usize,
    /// Whether to compute harmonics and sub-groups too (several times the work).
    pub harmonics: bool,
}

impl EngineConfig {
    /// Basic quantities only.
    pub fn new(rate_hz: f64, nominal_hz: f64, phases: usize) -> Self {
        Self { rate_hz, nominal_hz, phases, harmonics: false }
    }
}

/// Why an engine cannot be made or fed.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum EngineError {
    /// Neither 50 nor 60 Hz.
    #[error("the nominal frequency is {0} Hz; windows are defined for 50 and 60 Hz")]
    Nominal(f64),
    /// Too few samples per cycle, or no rate at all.
    #[error("the sampling rate is {rate_hz} Hz; at least {} Hz are needed", 8.0 * nominal_hz)]
    Rate {
        /// As given.
        rate_hz: f64,
        /// The nominal frequency it was compared with.
        nominal_hz: f64,
    },
    /// No phase at all.
    #[error("there is no phase to measure; give at least one voltage or current")]
    NoPhases,
    /// A push with the wrong number of channels.
    #[error("{found} {what} were pushed, expected {expected} (or none at all)")]
    Channels {
        /// "voltages" or "currents".
        what: &'static str,
        /// As pushed.
        found: usize,
        /// The number of phases.
        expected: usize,
    },
    /// Channels of one push differ in length.
    #[error("channel {channel} has {found} samples, the first has {expected}; all must be equal")]
    Lengths {
        /// Index, voltages first.
        channel: usize,
        /// Its length.
        found: usize,
        /// The first channel's length.
        expected: usize,
    },
    /// NaN, infinity, or a value whose square would overflow.
    #[error("sample {sample} of channel {channel} is not a finite number below 1e100")]
    NotFinite {
        /// Index, voltages first.
        channel: usize,
        /// Index within the push.
        sample: usize,
    },
    /// Samples after the end.
    #[error("samples were pushed after the signal was finished")]
    Finished,
}

/// The phase every window is to start at, on one channel.
#[derive(Clone, Copy, Debug)]
struct Lock {
    channel: usize,
    phase: f64,
}

/// Where the present window ends and what is known about it.
#[derive(Clone, Copy, Debug)]
struct Limits {
    /// In samples.
    length: f64,
    /// Cycles per sample, if tracked.
    frequency: Option<f64>,
    lock: Option<Lock>,
    flagged: bool,
}

/// Turns samples into windows; see the module's text.
#[derive(Clone, Debug)]
pub struct WindowEngine {
    config: EngineConfig,
    cycles: u32,
    /// Frequency given from outside (cycles per sample): no tracking.
    fixed: Option<f64>,
    edge: &'static Edge,
    kernel: &'static Kernel,
    transform: Option<Transform>,
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
        let EngineConfig { rate_hz, nominal_hz, phases, harmonics } = config;
        if nominal_hz != 50.0 && nominal_hz != 60.0 {
            return Err(EngineError::Nominal(nominal_hz));
        }
        if !(rate_hz.is_finite() && rate_hz >= 8.0 * nominal_hz) {
            return Err(EngineError::Rate { rate_hz, nominal_hz });
        }
        if phases == 0 {
            return Err(EngineError::NoPhases);
        }
        let longest = f64::from(cycles) * rate_hz / (nominal_hz * RANGE.start());
        Ok(Self {
            cycles,
            fixed: None,
            edge: Edge::shared(),
            kernel: Kernel::shared(),
            transform: harmonics.then(|| Transform::new(longest)),
            scratch: Scratch::default(),
            oscillator: (Vec::new(), Vec::new()),
            channels: vec![vec![0.0; MARGIN]; 2 * phases],
            base: -(MARGIN as i64),
            received: 0,
            origin: 0,
            fraction: 0.0,
            guess: None,
            lock: None,
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
        for channel in 0..2 * phases {
            check_samples(channel, present(channel).unwrap_or(&[]), count, present(channel))?;
        }
        for (channel, buffer) in self.channels.iter_mut().enumerate() {
            match present(channel) {
                Some(samples) => buffer.extend_from_slice(samples),
                None => buffer.resize(buffer.len() + count, 0.0),
            }
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
            let last = self.origin + end.ceil() as i64 + MARGIN as i64;
            let too_short = (self.received - self.origin) as f64 + END_TOLERANCE < end;
            if self.received < last && (!self.finished || too_short) {
                self.needed = last;
                break;
            }
            let extended = self.extend(limits.length, last);
            let window = self.measure(&limits, extended);
            self.ready.push_back(window);
            self.guess = limits.frequency;
            self.lock = limits.lock;
            self.origin += end.floor() as i64;
            self.fraction = end - end.floor();
            self.forget();
        }
    }

    /// Finds where the present window ends; the number of samples needed to tell if there are too
    /// few.
    fn locate(&mut self) -> Result<Limits, i64> {
        let cycles = f64::from(self.cycles);
        let nominal = self.config.nominal_hz / self.config.rate_hz;
        if let Some(fixed) = self.fixed {
            let length = cycles / fixed;
            return Ok(Limits { length, frequency: Some(fixed), lock: None, flagged: false });
        }
        for channel in 0..self.channels.len() {
            let guesses = self.guess.into_iter().chain([nominal]);
            for guess in guesses {
                if let Some((found, length)) = self.track(channel, guess)? {
                    return Ok(self.lock_on(channel, found, length));
                }
            }
        }
        Ok(Limits { length: cycles / nominal, frequency: None, lock: None, flagged: true })
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
            if (found.frequency / frequency - 1.0).abs() < CONVERGED {
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
        let front = if self.origin == 0 && self.base < 0 { MARGIN } else { 0 };
        let back = usize::try_from(last - self.received).unwrap_or(0);
        if front + back == 0 {
            return false;
        }
        for samples in &mut self.channels {
            repeat(self.kernel, samples, front, back, length);
        }
        true
    }

    /// Computes the quantities of the present window.
    fn measure(&mut self, limits: &Limits, extended: bool) -> Window {
        let rate = self.config.rate_hz;
        let phases = self.config.phases;
        let from = (self.origin - self.base) as usize - MARGIN;
        let to = from + (self.fraction + limits.length).ceil() as usize + 2 * MARGIN;
        let start = MARGIN as f64 + self.fraction;
        let slices: Vec<&[f64]> = self.channels.iter().map(|c| &c[from..to.min(c.len())]).collect();
        let (cos, sin) = &mut self.oscillator;
        let place = (start, limits.length, self.cycles);
        let frame = Frame::new(self.edge, &slices, place, (cos, sin));
        let mut quantities: Vec<_> = (0..phases).map(|p| frame.phase(p, phases + p)).collect();
        let effective = frame.effective(&quantities);
        if let Some(transform) = &mut self.transform {
            let highest = self.cycles as usize * ORDER_MAX + 1;
            let place = (start, limits.length);
            let bins = transform.bins(self.kernel, &slices, place, highest);
            let harmonics = |channel: usize| group(&bins[channel], self.cycles);
            for (p, phase) in quantities.iter_mut().enumerate() {
                let (u, i) = (harmonics(p), harmonics(phases + p));
                phase.harmonics = Some(Box::new(PhaseHarmonics { u, i }));
            }
        }
        Window {
            start_s: (self.origin as f64 + self.fraction) / rate,
            duration_s: limits.length / rate,
            cycles: self.cycles,
            frequency_hz: limits.frequency.map_or(self.config.nominal_hz, |f| f * rate),
            phases: quantities,
            tracked: limits.frequency.is_some(),
            effective,
            flagged: limits.flagged,
            extended,
        }
    }

    /// Drops samples no coming window needs, once they are more than half of what is kept.
    fn forget(&mut self) {
        let unused = usize::try_from(self.origin - self.base).unwrap_or(0).saturating_sub(MARGIN);
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
    match samples.iter().position(|x| !usable(*x)) {
        Some(sample) => Err(EngineError::NotFinite { channel, sample }),
        None => Ok(()),
    }
}
