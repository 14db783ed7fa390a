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

use crate::energy::Energies;
use crate::looped::Loop;
use crate::program::Program;
use crate::quality::{Orders, Quality};
use crate::random::Streams;
use crate::spectrum::Spectrum;
use crate::timeline::Timeline;
use crate::truth::{Netting, PhaseHarmonics, ReferenceSpan, SpanMeans, Truth};

/// The ambient temperature where nothing else is said, in degrees Celsius: the reference
/// temperature of the meter standards (IEC 62052-11).
pub const REFERENCE_CELSIUS: f64 = 23.0;

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

/// A new ambient temperature.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct TemperatureChange {
    /// The first sample of the block it holds at.
    pub sample: usize,
    /// The temperature in degrees Celsius.
    pub celsius: f64,
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

/// What a terminal carries.
#[derive(Debug)]
pub(crate) enum Waveform {
    /// Tones and noise, and what happens to them.
    Timeline(Timeline),
    /// A recording, played again and again.
    Loop(Loop),
}

impl Waveform {
    pub(crate) fn phases(&self) -> usize {
        match self {
            Self::Timeline(timeline) => timeline.phases(),
            Self::Loop(table) => table.harmonics().len(),
        }
    }

    /// What the harmonics of each phase tell; what is not the same all over the span is not a
    /// number.
    pub(crate) fn harmonics(&self, from: SimDuration, to: SimDuration) -> Vec<PhaseHarmonics> {
        match self {
            Self::Timeline(timeline) => timeline.harmonics(from, to),
            Self::Loop(table) => table.harmonics().to_vec(),
        }
    }

    /// Mean voltage and current of each phase over `[from, to]`, `from < to`; none where they are
    /// not known in closed form.
    pub(crate) fn averages(&self, from: SimDuration, to: SimDuration) -> Vec<(f64, f64)> {
        match self {
            Self::Timeline(timeline) => timeline.averages(from, to).unwrap_or_default(),
            Self::Loop(_) => Vec::new(),
        }
    }

    /// Harmonics one by one, and unbalance; what is not the same all over the span is not a number.
    pub(crate) fn quality(&self, from: SimDuration, to: SimDuration) -> Quality {
        match self {
            Self::Timeline(timeline) => timeline.quality(from, to),
            Self::Loop(table) => {
                let channels = vec![Orders::UNKNOWN; 2 * self.phases()];
                Quality::new(channels, table.harmonics())
            }
        }
    }

    /// Means over `[from, to]` of each phase, `from < to`.
    pub(crate) fn means(&self, from: SimDuration, to: SimDuration) -> Vec<SpanMeans> {
        match self {
            Self::Timeline(timeline) => timeline.means(from, to),
            Self::Loop(table) => {
                let frequency_hz = table.fundamental_hz();
                let phases = table.means(from, to).into_iter().zip(table.harmonics());
                let means = phases.map(|(phase, harmonics)| SpanMeans {
                    phase,
                    q1_var: harmonics.q1_var(),
                    s_va: phase.apparent_power_va(),
                    frequency_hz,
                });
                means.collect()
            }
        }
    }

    /// The mean of each phase's apparent power over so many windows of one length, each of so many
    /// cycles, that make up `[from, to]`, `from < to`.
    pub(crate) fn apparent_powers(
        &self,
        from: SimDuration,
        to: SimDuration,
        (windows, cycles): (u64, u32),
    ) -> Vec<f64> {
        match self {
            Self::Timeline(timeline) => {
                timeline.apparent_powers(from.into(), to.into(), windows, cycles)
            }
            Self::Loop(table) => table.apparent_powers(from, to, windows, cycles),
        }
    }

    /// What registers that stood at zero at an instant hold at a later one.
    pub(crate) fn energies(&self, from: SimDuration, to: SimDuration) -> Energies {
        match self {
            Self::Timeline(timeline) => timeline.energies(from.into(), to.into()),
            Self::Loop(table) => {
                let mut energies = Energies::new(self.phases());
                table.count_active(from, to, &mut energies.active);
                let length_s = to.0.saturating_sub(from.0) as f64 / 1e9;
                energies.add_beside_active(&self.means(from, to), length_s);
                energies
            }
        }
    }
}

/// A stretch of time in which a terminal carries tones that do not change.
#[derive(Clone, Debug, PartialEq)]
pub struct Stretch {
    /// The tones; their phases count from the scenario's start.
    pub spectrum: Arc<Spectrum>,
    /// When something changes next, since the scenario's start; `None`: never. What changes
    /// between two nanoseconds changes at the nearer one here.
    pub until: Option<SimDuration>,
    /// The ambient temperature in degrees Celsius.
    pub temperature_celsius: f64,
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
    /// A program without operating points.
    #[error("the program has no operating point")]
    Empty,
    /// A program whose points have different numbers of phases.
    #[error("one operating point has {first} phases, a later one {later}; all need the same")]
    PhasesDiffer {
        /// Phases of the first point.
        first: usize,
        /// Phases of another.
        later: usize,
    },
    /// A rectangular modulation without an end.
    #[error("a rectangular modulation needs an end")]
    Endless,
    /// More changes than can be kept.
    #[error("more than {most} changes; let what comes again and again end earlier")]
    TooMany {
        /// Most there may be.
        most: usize,
    },
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
        Ok(Self::of_timeline(Timeline::of_spectrum(spectrum, name, *streams)?))
    }

    /// A terminal that carries what a program says. `name` is the source's name, as above.
    pub fn from_program(
        program: &Program,
        name: &str,
        streams: &Streams,
    ) -> Result<Self, TerminalError> {
        Ok(Self::of_timeline(program.timeline(name, *streams)?))
    }

    fn of_timeline(timeline: Timeline) -> Self {
        Self { waveform: Arc::new(Waveform::Timeline(timeline)) }
    }

    /// A terminal that plays a loop for ever.
    pub fn from_loop(table: Loop) -> Self {
        Self { waveform: Arc::new(Waveform::Loop(table)) }
    }

    /// One or three.
    pub fn phases(&self) -> usize {
        self.waveform.phases()
    }

    /// Frequency of the fundamental at the scenario's start, in hertz.
    pub fn fundamental_hz(&self) -> f64 {
        match &*self.waveform {
            Waveform::Timeline(timeline) => timeline.fundamental_hz(),
            Waveform::Loop(table) => table.fundamental_hz(),
        }
    }

    /// Writes `samples` samples from number `first_sample` on into `block`, which is resized.
    /// Sample k is the value at `k / rate_hz` seconds after the scenario's start, the same however
    /// the range is cut. The rate has to be positive; without a usable rate the values are NaN.
    pub fn render(&self, first_sample: u64, rate_hz: f64, samples: usize, block: &mut Block) {
        block.resize(self.phases(), samples);
        match &*self.waveform {
            Waveform::Timeline(timeline) => {
                timeline.temperatures(first_sample, rate_hz, samples, &mut block.temperatures);
                timeline.render(first_sample, rate_hz, &mut block.channels());
            }
            Waveform::Loop(table) => {
                block.temperatures.clear();
                if first_sample == 0 && samples > 0 {
                    let celsius = REFERENCE_CELSIUS;
                    block.temperatures.push(TemperatureChange { sample: 0, celsius });
                }
                table.render(first_sample, rate_hz, &mut block.channels());
            }
        }
    }

    /// The spectrum, if the terminal carries a single one for ever; `None` for a played recording
    /// and where anything changes.
    pub fn spectrum(&self) -> Option<&Spectrum> {
        match &*self.waveform {
            Waveform::Timeline(timeline) => timeline.only_spectrum(),
            Waveform::Loop(_) => None,
        }
    }

    /// The tones at an instant since the scenario's start, and how long they stay; `None` while the
    /// terminal carries something else: a recording, ramps, waves that are cut.
    pub fn stretch(&self, at: SimDuration) -> Option<Stretch> {
        match &*self.waveform {
            Waveform::Timeline(timeline) => timeline.stretch(at),
            Waveform::Loop(_) => None,
        }
    }

    /// Whether there is a [`Self::stretch`] at every instant.
    pub fn is_stretches(&self) -> bool {
        match &*self.waveform {
            Waveform::Timeline(timeline) => timeline.is_stretches(),
            Waveform::Loop(_) => false,
        }
    }

    /// Whether it plays a recording.
    pub fn is_recording(&self) -> bool {
        matches!(&*self.waveform, Waveform::Loop(_))
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
