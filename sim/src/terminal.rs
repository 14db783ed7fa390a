//! The terminal: the point of the plant where a device is connected.
//!
//! It has the voltages and currents of one or three phases. What it carries at each instant of the
//! scenario is fixed once it is built, so any number of devices may look at it, at any rate, in any
//! order, and see the same. Taps of homes alone may be replaced from an instant on beyond which
//! nobody has looked. It samples nothing by itself and filters nothing: `render` gives the values
//! at instants, as an ideal converter without an anti-alias filter would see them.

use std::sync::{Arc, PoisonError, RwLock};

use lastmeter_units::{MeasurementId, SimDuration};
use serde::{Deserialize, Serialize};

use crate::energy::Netting;
use crate::looped::Loop;
use crate::plan::REFERENCE_CELSIUS;
use crate::program::Program;
use crate::random::Streams;
use crate::spectrum::{Spectrum, TerminalError};
use crate::timeline::{Piece, SpectrumSpan, TemperatureChange, Timeline};
use crate::truth::{ReferenceSpan, Truth};
use crate::waveform::{Played, Waveform};

/// Samples of all voltages and currents, `[phase][sample]`, in volts and amperes.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Block {
    /// Voltages in volts.
    pub voltages: Vec<Vec<f64>>,
    /// Currents in amperes, positive towards the load.
    pub currents: Vec<Vec<f64>>,
    /// The ambient temperature, constant from each entry to the next. The block that begins with
    /// sample 0 begins with an entry; empty: unchanged since the block before.
    #[serde(default)]
    pub temperatures: Vec<TemperatureChange>,
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

/// A point where devices are connected: cheap to clone, shared between threads; all clones are one.
#[derive(Clone, Debug)]
pub struct Terminal {
    waveform: Arc<Waveform>,
}

impl Terminal {
    /// A terminal that carries a spectrum forever. `name` is the source's name; it
    /// distinguishes the noise of one source from that of another.
    pub fn from_spectrum(
        spectrum: Spectrum,
        name: &str,
        streams: &Streams,
    ) -> Result<Self, TerminalError> {
        Self::from_program(&Program::from_spectrum(spectrum), name, streams)
    }

    /// A terminal that carries what a program describes. `name` is the source's name, as above.
    pub fn from_program(
        program: &Program,
        name: &str,
        streams: &Streams,
    ) -> Result<Self, TerminalError> {
        let timeline = program.timeline(name, *streams)?;
        Ok(Self { waveform: Arc::new(Waveform::Timeline(timeline)) })
    }

    /// A terminal that plays a loop forever.
    pub fn from_loop(table: Loop) -> Self {
        Self { waveform: Arc::new(Waveform::Loop(table)) }
    }

    /// A terminal of which what lies ahead may be replaced.
    pub(crate) fn switched(timeline: Timeline) -> Self {
        Self { waveform: Arc::new(Waveform::Switched(RwLock::new(timeline))) }
    }

    /// A terminal that carries a program, all of which may be [renewed](Self::renew).
    pub(crate) fn renewable(
        program: &Program,
        name: &str,
        streams: Streams,
    ) -> Result<Self, TerminalError> {
        Ok(Self::switched(program.timeline(name, streams)?))
    }

    /// Carries from now on what another program describes, which is the same up to the instant to
    /// which anybody has looked; a terminal that is not renewable stays as it is.
    pub(crate) fn renew(
        &self,
        program: &Program,
        name: &str,
        streams: Streams,
    ) -> Result<(), TerminalError> {
        if let Waveform::Switched(own) = &*self.waveform {
            let timeline = program.timeline(name, streams)?;
            *own.write().unwrap_or_else(PoisonError::into_inner) = timeline;
        }
        Ok(())
    }

    /// Replaces what such a terminal carries from an instant on up to another; the first piece
    /// begins there.
    pub(crate) fn replace(&self, from: SimDuration, to: SimDuration, pieces: Vec<Piece>) {
        if let Waveform::Switched(timeline) = &*self.waveform {
            let mut timeline = timeline.write().unwrap_or_else(PoisonError::into_inner);
            timeline.replace(from.into(), to.into(), pieces);
        }
    }

    /// One or three.
    pub fn phases(&self) -> usize {
        self.waveform.phases()
    }

    /// Frequency of the fundamental at the scenario's start, in hertz.
    pub fn fundamental_hz(&self) -> f64 {
        match self.waveform.played() {
            Played::Timeline(timeline) => timeline.fundamental_hz(),
            Played::Loop(table) => table.fundamental_hz(),
        }
    }

    /// Writes `samples` samples from number `first_sample` on into `block`, which is resized.
    /// Sample k is the value at `k / rate_hz` seconds after the scenario's start, the same however
    /// the range is cut. The rate has to be positive; without a usable rate the values are NaN.
    pub fn render(&self, first_sample: u64, rate_hz: f64, samples: usize, block: &mut Block) {
        block.resize(self.phases(), samples);
        match self.waveform.played() {
            Played::Timeline(timeline) => {
                timeline.temperatures(first_sample, rate_hz, samples, &mut block.temperatures);
                timeline.render(first_sample, rate_hz, &mut block.channels());
            }
            Played::Loop(table) => {
                block.temperatures.clear();
                if first_sample == 0 && samples > 0 {
                    let celsius = REFERENCE_CELSIUS;
                    block.temperatures.push(TemperatureChange { sample: 0, celsius });
                }
                table.render(first_sample, rate_hz, &mut block.channels());
            }
        }
    }

    /// The tones at an instant since the scenario's start, and how long they stay; `None` while the
    /// terminal carries something else: a recording, ramps, waves that are cut.
    ///
    /// Of an excerpt there are tones for each cycle of the fundamental, counted from the excerpt's
    /// beginning, and for the rest at its end: DC component, fundamental and harmonics up to the
    /// 25th of the cycle, as exact Fourier coefficients of the straight lines. A rest takes those
    /// of the cycle before it; an excerpt shorter than a cycle has the fundamental that is nearest
    /// to it by least squares, and nothing else. They are computed when they are first asked for.
    pub fn spectrum_at(&self, at: SimDuration) -> Option<SpectrumSpan> {
        match self.waveform.played() {
            Played::Timeline(timeline) => timeline.spectrum_at(at),
            Played::Loop(_) => None,
        }
    }

    /// Whether there is a [`Self::spectrum_at`] at every instant.
    pub fn has_spectrum_throughout(&self) -> bool {
        match self.waveform.played() {
            Played::Timeline(timeline) => timeline.has_spectrum_throughout(),
            Played::Loop(_) => false,
        }
    }

    /// Whether it plays a recording.
    pub fn is_recording(&self) -> bool {
        matches!(&*self.waveform, Waveform::Loop(_))
    }

    /// RMS of each phase's voltage over a span that is not empty.
    pub(crate) fn voltages_rms(&self, from: SimDuration, to: SimDuration) -> Vec<f64> {
        let means = self.waveform.means(from, to);
        means.iter().map(|means| means.phase.u2.max(0.0).sqrt()).collect()
    }

    /// When RMS values may change, up to an instant: stretches of time in order, both ends
    /// included.
    pub(crate) fn unsteady(&self, until: SimDuration) -> Vec<(SimDuration, SimDuration)> {
        match self.waveform.played() {
            Played::Timeline(timeline) => timeline.unsteady(until),
            Played::Loop(_) => vec![(SimDuration::ZERO, until)],
        }
    }

    /// The fundamental's frequency at an instant, as it is set; hertz.
    pub(crate) fn frequency_at(&self, at: SimDuration) -> f64 {
        match self.waveform.played() {
            Played::Timeline(timeline) => timeline.frequency_at(at.into()),
            Played::Loop(_) => self.fundamental_hz(),
        }
    }

    /// The reference values of a span. To be preferred to [`Self::reference`] for several values
    /// of one span, since they share most of the work.
    pub fn truth(&self, span: ReferenceSpan) -> Truth<'_> {
        Truth::new(&self.waveform, span)
    }

    /// One reference value, in the SI unit of its registry row; `None` as in [`Truth::value`].
    pub fn reference(&self, id: MeasurementId, span: ReferenceSpan, total: Netting) -> Option<f64> {
        self.truth(span).value(id, total)
    }
}
