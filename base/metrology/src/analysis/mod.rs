//! A whole recording measured: window by window and over all of them.
//!
//! Over all gapless windows of 10 or 12 cycles; a recording shorter than one window is measured
//! over its largest whole number of cycles from the first sample. In one piece ([`analyse`]) or
//! fed in pieces ([`Analyser`]), with the same result: what is kept is a few seconds of samples,
//! sums, and the list of windows, which can be taken away meanwhile.

mod measuring;
mod notes;
mod setup;
mod totals;
mod watch;

use crate::acquire::acquire;
use crate::recording::{AnalysisError, AnalysisInput};
use crate::result::{Analysis, HalfCycleAnalysis, WaveformAnalysis, WindowAnalysis};
use measuring::Measuring;
use setup::full_cycles;
pub use setup::{AnalyserSetup, AnalysisOptions};

/// Samples the fundamental is looked for in at first, in s; twice as long where there is none,
/// and so on.
const SEARCH_S: f64 = 3.0;

/// Longer silence at the beginning is given up on, in s.
const SEARCH_MAX_S: f64 = 60.0;

/// Samples per channel that are handed on at once, so that nothing in between grows.
const PIECE: usize = 8192;

/// Measures a recording.
///
/// # Errors
/// No channels, channels of unequal length, samples that are no numbers, less than one cycle, or
/// no fundamental in any channel.
pub fn analyse(input: &AnalysisInput<'_>) -> Result<Analysis, AnalysisError> {
    analyse_with(input, AnalysisOptions::default())
}

/// Measures a recording with options.
///
/// # Errors
/// As [`analyse`].
pub fn analyse_with(
    input: &AnalysisInput<'_>,
    options: AnalysisOptions,
) -> Result<Analysis, AnalysisError> {
    input.check()?;
    let setup = AnalyserSetup {
        rate_hz: input.rate_hz,
        nominal_hz: input.nominal_hz,
        names: input.names.to_vec(),
        voltages: input.voltages.len(),
        currents: input.currents.len(),
        options,
    };
    let mut analyser = Analyser::new(setup)?;
    analyser.push(input.voltages, input.currents)?;
    analyser.finish()
}

/// Measures a recording that comes in pieces of any size.
#[derive(Debug)]
pub struct Analyser {
    setup: AnalyserSetup,
    samples: usize,
    state: State,
}

#[derive(Debug)]
enum State {
    /// All samples so far, voltages and currents, and how many the next search needs.
    Searching {
        voltages: Vec<Vec<f64>>,
        currents: Vec<Vec<f64>>,
        needed: usize,
    },
    Measuring(Box<Measuring>),
    /// A search gave up.
    Failed(AnalysisError),
}

impl Analyser {
    /// An analyser at rest.
    ///
    /// # Errors
    /// No channels, names that do not fit, an impossible rate or nominal frequency.
    pub fn new(setup: AnalyserSetup) -> Result<Self, AnalysisError> {
        let (voltages, currents) =
            (vec![Vec::new(); setup.voltages], vec![Vec::new(); setup.currents]);
        input(&setup, &voltages, &currents).check()?;
        let options = setup.options;
        if let Some(found) = options.declared_voltage_v
            && !(found.is_finite() && found > 0.0)
        {
            let expected = "a positive number of volts";
            return Err(AnalysisError::Option { what: "declared voltage", found, expected });
        }
        let needed = samples_in(SEARCH_S, setup.rate_hz);
        Ok(Self { samples: 0, state: State::Searching { voltages, currents, needed }, setup })
    }

    /// Takes the next samples of all channels.
    ///
    /// # Errors
    /// Another number of channels than announced, channels of unequal length, samples that are no
    /// numbers, or no fundamental for too long.
    pub fn push<U: AsRef<[f64]>, I: AsRef<[f64]>>(
        &mut self,
        voltages: &[U],
        currents: &[I],
    ) -> Result<(), AnalysisError> {
        let channels: Vec<&[f64]> =
            voltages.iter().map(AsRef::as_ref).chain(currents.iter().map(AsRef::as_ref)).collect();
        self.check(voltages.len(), currents.len(), &channels)?;
        let count = channels.first().map_or(0, |samples| samples.len());
        let mut from = 0;
        while from < count {
            // While searching, exactly as many as the search needs, however they come.
            let wanted = match &self.state {
                State::Searching { needed, .. } => needed.saturating_sub(self.samples).max(1),
                State::Measuring(_) => PIECE,
                State::Failed(error) => return Err(error.clone()),
            };
            let to = count.min(from + wanted);
            let piece: Vec<&[f64]> = channels.iter().map(|x| &x[from..to]).collect();
            self.samples += to - from;
            self.take(&piece)?;
            from = to;
        }
        Ok(())
    }

    /// The windows that are complete and flagged; they are then no longer kept.
    pub fn take_windows(&mut self) -> Vec<WindowAnalysis> {
        match &mut self.state {
            State::Measuring(measuring) => measuring.take_windows(),
            _ => Vec::new(),
        }
    }

    /// The waveforms of the windows that are complete, if the options asked for them; they are then
    /// no longer kept. What [`Analyser::finish`] completes comes with its last result.
    pub fn take_waveforms(&mut self) -> Vec<WaveformAnalysis> {
        match &mut self.state {
            State::Measuring(measuring) => measuring.take_waveforms(),
            _ => Vec::new(),
        }
    }

    /// The half-cycle values that are complete, if the options asked for them, phase by phase;
    /// likewise.
    pub fn take_half_cycles(&mut self) -> Vec<HalfCycleAnalysis> {
        match &mut self.state {
            State::Measuring(measuring) => measuring.take_half_cycles(),
            _ => Vec::new(),
        }
    }

    /// Ends the recording; answers with everything that was not taken before.
    ///
    /// # Errors
    /// Less than one cycle, or no fundamental in any channel.
    pub fn finish(self) -> Result<Analysis, AnalysisError> {
        let Self { setup, samples, state } = self;
        match state {
            State::Failed(error) => Err(error),
            State::Measuring(measuring) => measuring.finish(&setup, samples),
            State::Searching { voltages, currents, .. } => {
                let recording = input(&setup, &voltages, &currents);
                let acquired = acquire(&recording, setup.options.stated_hz)?;
                let full = full_cycles(acquired.nominal_hz);
                let most = u32::try_from(acquired.cycles).map_or(full, |cycles| cycles.min(full));
                // Where the last cycle ends with the recording, the engine's own estimate of the
                // frequency may find it a hair too long.
                for cycles in (1..=most).rev().take(2) {
                    let mut measuring = Measuring::new(&setup, &acquired, cycles, &recording)?;
                    for from in (0..samples).step_by(PIECE) {
                        let to = samples.min(from + PIECE);
                        measuring.push(&slices(&voltages, &currents, from..to))?;
                    }
                    match measuring.finish(&setup, samples) {
                        Err(AnalysisError::TooShort { .. }) => {}
                        other => return other,
                    }
                }
                let (found_s, cycle_s) =
                    (samples as f64 / setup.rate_hz, 1.0 / acquired.frequency_hz);
                Err(AnalysisError::TooShort { found_s, cycle_s })
            }
        }
    }

    /// Refuses what does not fit or is no number.
    fn check(
        &self,
        voltages: usize,
        currents: usize,
        channels: &[&[f64]],
    ) -> Result<(), AnalysisError> {
        let due = (self.setup.voltages, self.setup.currents);
        if (voltages, currents) != due {
            let (found, expected) = (voltages + currents, due.0 + due.1);
            return Err(AnalysisError::Names { found, expected });
        }
        let name = |k: usize| match k.checked_sub(due.0) {
            None => format!("voltage {}", self.setup.names[k]),
            Some(k) => format!("current {}", self.setup.names[k]),
        };
        let expected = channels.first().map_or(0, |samples| samples.len());
        for (k, samples) in channels.iter().enumerate() {
            if samples.len() != expected {
                let found = samples.len();
                return Err(AnalysisError::UnequalLengths { channel: name(k), found, expected });
            }
            if let Some(sample) = samples.iter().position(|x| !crate::engine::usable(*x)) {
                let sample = self.samples + sample;
                return Err(AnalysisError::NotFinite { channel: name(k), sample });
            }
        }
        Ok(())
    }

    /// Takes one piece; a search that has all it needs becomes a measurement.
    fn take(&mut self, piece: &[&[f64]]) -> Result<(), AnalysisError> {
        let State::Searching { voltages, currents, needed } = &mut self.state else {
            if let State::Measuring(measuring) = &mut self.state {
                measuring.push(piece)?;
            }
            return Ok(());
        };
        for (buffer, samples) in voltages.iter_mut().chain(currents.iter_mut()).zip(piece) {
            buffer.extend_from_slice(samples);
        }
        if self.samples < *needed {
            return Ok(());
        }
        let recording = input(&self.setup, voltages, currents);
        match acquire(&recording, self.setup.options.stated_hz) {
            Ok(acquired) => {
                let cycles = full_cycles(acquired.nominal_hz);
                let mut measuring = Measuring::new(&self.setup, &acquired, cycles, &recording)?;
                for from in (0..self.samples).step_by(PIECE) {
                    let to = self.samples.min(from + PIECE);
                    measuring.push(&slices(voltages, currents, from..to))?;
                }
                self.state = State::Measuring(Box::new(measuring));
                Ok(())
            }
            Err(error) if self.samples >= samples_in(SEARCH_MAX_S, self.setup.rate_hz) => {
                self.state = State::Failed(error.clone());
                Err(error)
            }
            Err(_) => {
                *needed = needed.saturating_mul(2);
                Ok(())
            }
        }
    }
}

fn samples_in(seconds: f64, rate_hz: f64) -> usize {
    (seconds * rate_hz).ceil() as usize
}

/// Samples as a recording.
fn input<'a>(
    setup: &'a AnalyserSetup,
    voltages: &'a [Vec<f64>],
    currents: &'a [Vec<f64>],
) -> AnalysisInput<'a> {
    let AnalyserSetup { rate_hz, nominal_hz, ref names, .. } = *setup;
    AnalysisInput { rate_hz, nominal_hz, names, voltages, currents }
}

/// A stretch of all channels, voltages first.
fn slices<'a>(
    voltages: &'a [Vec<f64>],
    currents: &'a [Vec<f64>],
    range: std::ops::Range<usize>,
) -> Vec<&'a [f64]> {
    voltages.iter().chain(currents).map(|samples| &samples[range.clone()]).collect()
}
