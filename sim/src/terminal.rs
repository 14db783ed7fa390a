//! The terminal: the point of the plant where a device is connected.
//!
//! It has the voltages and currents of one or three phases. A terminal never changes once it is
//! built: what it carries at each instant of the scenario is fixed, so any number of devices may
//! look at it, at any rate, in any order, and see the same. It samples nothing by itself and
//! filters nothing: `render` gives the values at instants, as an ideal converter without an
//! anti-alias filter would see them.

use std::sync::Arc;

use lastmeter_units::{MeasurementId, SimDuration};
use serde::{Deserialize, Serialize};

use crate::looped::Loop;
use crate::random::Streams;
use crate::spectrum::Spectrum;
use crate::stationary::Stationary;
use crate::truth::{Netting, PhaseHarmonics, PhaseMeans, ReferenceSpan, Truth};

/// Samples of all voltages and currents, `[phase][sample]`, in volts and amperes.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Block {
    /// Voltages in volts.
    pub voltages: Vec<Vec<f64>>,
    /// Currents in amperes, positive towards the load.
    pub currents: Vec<Vec<f64>>,
}

impl Block {
    /// Makes room for a number of phases and samples.
    fn resize(&mut self, phases: usize, samples: usize) {
        for channels in [&mut self.voltages, &mut self.currents] {
            channels.resize_with(phases, Vec::new);
            for channel in channels {
                channel.resize(samples, 0.0);
            }
        }
    }

    /// All channels, voltages first.
    fn channels(&mut self) -> Vec<&mut [f64]> {
        self.voltages.iter_mut().chain(&mut self.currents).map(Vec::as_mut_slice).collect()
    }
}

/// What a terminal carries. Waveforms that change in the course of the scenario (steps, dips, the
/// nodes of a grid) will stand beside these two, with the same few functions.
#[derive(Debug)]
pub(crate) enum Waveform {
    /// Tones and noise that never change.
    Stationary(Stationary),
    /// A recording, played again and again.
    Loop(Loop),
}

impl Waveform {
    pub(crate) fn phases(&self) -> usize {
        self.harmonics().len()
    }

    pub(crate) fn fundamental_hz(&self) -> f64 {
        match self {
            Self::Stationary(stationary) => stationary.spectrum().fundamental_hz,
            Self::Loop(table) => table.fundamental_hz(),
        }
    }

    /// What the harmonics of each phase tell.
    pub(crate) fn harmonics(&self) -> &[PhaseHarmonics] {
        match self {
            Self::Stationary(stationary) => stationary.harmonics(),
            Self::Loop(table) => table.harmonics(),
        }
    }

    /// Exact means over `[from, to]` of each phase, `from < to`.
    pub(crate) fn means(&self, from: SimDuration, to: SimDuration) -> Vec<PhaseMeans> {
        match self {
            Self::Stationary(stationary) => stationary.means(from, to),
            Self::Loop(table) => table.means(from, to),
        }
    }
}

/// A point where devices are connected: immutable, cheap to clone, shared between threads.
#[derive(Clone, Debug)]
pub struct Terminal {
    waveform: Arc<Waveform>,
}

/// Why something is no terminal.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum TerminalError {
    /// Neither one phase nor three, or voltages without currents.
    #[error(
        "found {voltages} voltages and {currents} currents; a terminal has one of each or three"
    )]
    Phases {
        /// Voltages found.
        voltages: usize,
        /// Currents found.
        currents: usize,
    },
    /// The fundamental frequency is not a positive number.
    #[error("the fundamental frequency is {0} Hz; it has to be positive and finite")]
    Fundamental(f64),
    /// A value that is infinite or not a number.
    #[error("channel {channel} contains a value that is not a finite number")]
    NotFinite {
        /// Its number, voltages first.
        channel: usize,
    },
}

impl Terminal {
    /// A terminal that carries a spectrum for ever. `name` is the source's name; it tells the
    /// noise of one source from that of another.
    pub fn from_spectrum(
        spectrum: Spectrum,
        name: &str,
        streams: &Streams,
    ) -> Result<Self, TerminalError> {
        let stationary = Stationary::new(spectrum, name, *streams)?;
        Ok(Self { waveform: Arc::new(Waveform::Stationary(stationary)) })
    }

    /// A terminal that plays a loop for ever.
    pub fn from_loop(table: Loop) -> Self {
        Self { waveform: Arc::new(Waveform::Loop(table)) }
    }

    /// One or three.
    pub fn phases(&self) -> usize {
        self.waveform.phases()
    }

    /// Frequency of the fundamental in hertz.
    pub fn fundamental_hz(&self) -> f64 {
        self.waveform.fundamental_hz()
    }

    /// Writes `samples` samples from number `first_sample` on into `block`, which is resized.
    /// Sample k is the value at `k / rate_hz` seconds after the scenario's start, the same however
    /// the range is cut. The rate has to be positive; without a usable rate the values are NaN.
    pub fn render(&self, first_sample: u64, rate_hz: f64, samples: usize, block: &mut Block) {
        block.resize(self.phases(), samples);
        let mut channels = block.channels();
        match &*self.waveform {
            Waveform::Stationary(source) => source.render(first_sample, rate_hz, &mut channels),
            Waveform::Loop(table) => table.render(first_sample, rate_hz, &mut channels),
        }
    }

    /// The spectrum, if the terminal is one; `None` for a played recording.
    pub fn spectrum(&self) -> Option<&Spectrum> {
        match &*self.waveform {
            Waveform::Stationary(stationary) => Some(stationary.spectrum()),
            Waveform::Loop(_) => None,
        }
    }

    /// The reference values of a span. To be preferred to [`Self::reference`] for several values
    /// of one span, since they share most of the work.
    pub fn truth(&self, span: ReferenceSpan) -> Truth<'_> {
        Truth::new(&self.waveform, span)
    }

    /// One reference value, in the SI unit of its registry row; `None` as [`Truth::value`] says.
    pub fn reference(&self, id: MeasurementId, span: ReferenceSpan, total: Netting) -> Option<f64> {
        self.truth(span).value(id, total)
    }
}
