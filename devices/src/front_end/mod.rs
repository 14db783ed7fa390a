//! What happens to voltages and currents between the terminal and the metrology.
//!
//! Stages in this order, each there only if its parameter asks for it; parameters are in physical
//! units at the meter's terminals, values are primary ones throughout (the meter undoes the
//! nominal ratio of its transformers).
//!
//! | stage | where | response, or what it does |
//! |---|---|---|
//! | current transformer | `transformer` | lead `atan(fc/f)`, by current; saturates |
//! | divider's capacitance, shunt's inductance, Rogowski integrator, anti-alias RC | `linear` | first order |
//! | decimation, instants of the samples | `kernel`, `group` | sinc^3; `exp(j 2 pi f s)` for a skew s |
//! | compensation of the droop | `kernel` | `1 + 2c (1 - cos w)` |
//! | phase error | `phase` | all-pass, exact at nominal frequency |
//! | gain, offset, their temperature slopes | here | constant |
//! | gain that wanders | `wander` | first-order Gauss-Markov |
//! | supply that all channels follow, pickup of the next phase's voltage | `coupling` | `C du/dt` |
//! | crosstalk | `group` | adds a part of the phase's other channel |
//! | supply that comes up | `converter` | `1 - exp(-t/tau)` |
//! | non-linearity | `converter` | second and third harmonic |
//! | noise | `noise` | white, and 1/f below a corner |
//! | range, steps, INL | `converter` | clips and rounds |
//! | high-pass | `linear` | hides direct components |
//! | calibration registers | here | gain, offset, and phase together with the phase error |
//!
//! A `board_converter` is the same in codes; `cvct` is the combined transducer of the ARM meter.
//!
//! Everything linear has one [`Channel::response`], which `fidelity = "windows"` uses; what it
//! cannot use is named by [`Channel::beyond_windows`].
//!
//! Terms: *lead* is the angle by which a channel's signal comes early, at nominal frequency; the
//! *full scale* is the peak that is not clipped yet; a *step* is the converter's smallest; the
//! *feed* is what the terminal gives, at a whole multiple of the converter's true rate.

pub(crate) mod board_converter;
pub(crate) mod converter;
pub(crate) mod coupling;
pub(crate) mod cvct;
pub(crate) mod group;
pub(crate) mod kernel;
pub(crate) mod linear;
pub(crate) mod noise;
pub(crate) mod phase;
pub(crate) mod transformer;
pub(crate) mod wander;

#[cfg(test)]
mod tests;

use std::f64::consts::{SQRT_2, TAU};
use std::sync::Arc;

use lastmeter_params::Values;
use num_complex::Complex64;

use converter::{Curve, Digitiser, Supply};
use kernel::{Compensation, Kernel};
use linear::{HighPass, Linear};
use noise::Flicker;
use phase::PhaseShift;
use transformer::{Transformer, TransformerParameters};
use wander::Wander;

/// The temperature at which slopes have no effect, in degrees Celsius.
pub(crate) const REFERENCE_C: f64 = 23.0;

/// Where a tuning-fork or AT crystal is fastest (or slowest), in degrees Celsius.
pub(crate) const TURNOVER_C: f64 = 25.0;

/// Feed samples that make one of a decimated converter; odd, so that its filter is centred.
const DECIMATION: usize = 15;

/// Feed samples per converter sample where instants move, and where an analogue stage acts.
const OVERSAMPLED: usize = 2;
const ANALOGUE: usize = 4;

lastmeter_units::words! {
    /// How a converter comes from its modulator's rate to its own.
    #[derive(Default)]
    pub(crate) enum Decimation {
        /// It samples at instants, without averaging.
        #[default]
        None = "none",
        /// Three moving averages.
        Sinc3 = "sinc3",
        /// The same, with a filter that takes most of their droop away.
        Compensated = "sinc3-compensated",
    }
}

/// The common clock of all channels.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Sampling {
    /// 50 or 60.
    pub(crate) nominal_hz: f64,
    /// Samples per second of the device's own clock.
    pub(crate) rate_hz: f64,
    /// How much faster its clock runs, relative.
    pub(crate) clock_error: f64,
    /// What its crystal adds per square kelvin from the turnover, relative.
    pub(crate) clock_curve: f64,
    /// RMS jitter of the sampling instants, common to all channels.
    pub(crate) jitter_s: f64,
    pub(crate) decimation: Decimation,
    /// By how much later than voltages currents are sampled.
    pub(crate) skew_s: f64,
    /// Whether a channel has a stage that acts on the feed.
    pub(crate) is_analogue: bool,
}

impl Sampling {
    /// An ideal clock.
    pub(crate) fn ideal(nominal_hz: f64, rate_hz: f64) -> Self {
        Self { nominal_hz, rate_hz, ..Self::default() }
    }

    /// Whether instants move between samples of the feed.
    fn moves(&self) -> bool {
        self.jitter_s > 0.0 || self.clock_curve != 0.0
    }

    /// Feed samples per sample.
    pub(crate) fn oversampling(&self) -> usize {
        if self.decimation != Decimation::None {
            DECIMATION
        } else if self.is_analogue {
            ANALOGUE
        } else if self.moves() || self.skew_s != 0.0 {
            OVERSAMPLED
        } else {
            1
        }
    }

    /// The feed to ask for: a multiple of the true rate at the reference temperature.
    pub(crate) fn feed_hz(&self) -> f64 {
        self.rate_hz * (1.0 + self.clock_error) * self.oversampling() as f64
    }

    /// The true rate at the reference temperature.
    pub(crate) fn true_rate_hz(&self) -> f64 {
        self.rate_hz * (1.0 + self.clock_error)
    }

    /// Length of the decimator's moving averages in feed samples.
    fn average(&self) -> usize {
        if self.decimation == Decimation::None { 1 } else { DECIMATION }
    }

    /// How much faster the clock runs at a temperature than at the reference, relative.
    fn drift(&self, celsius: f64) -> f64 {
        let away = |celsius: f64| (celsius - TURNOVER_C) * (celsius - TURNOVER_C);
        self.clock_curve * (away(celsius) - away(REFERENCE_C))
    }
}

/// What a channel senses with, beyond its ratio.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) enum Sensor {
    /// Without errors of its own.
    #[default]
    Ideal,
    /// A divider with a stray capacitance: its RC.
    Divider { tau_s: f64 },
    /// A shunt with an inductance: its L/R.
    Shunt { tau_s: f64 },
    /// A transformer with a core.
    Transformer(TransformerParameters),
    /// A coil with a leaky integrator.
    Rogowski { corner_hz: f64 },
}

/// What a channel is like. Voltages in volts or currents in amperes throughout.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct ChannelParameters {
    /// Primary value over the value at the meter's terminals: 1 if connected directly.
    pub(crate) ratio: f64,
    /// Nominal RMS value at the meter's terminals.
    pub(crate) nominal: f64,
    /// Range over nominal: a sine of `nominal * headroom` is not clipped yet.
    pub(crate) headroom: f64,
    /// Relative error of the gain.
    pub(crate) gain_error: f64,
    /// Its slope per kelvin from the reference temperature.
    pub(crate) gain_slope: f64,
    /// How it wanders about that.
    pub(crate) wander: Wander,
    /// Direct component the converter adds, at the meter's terminals.
    pub(crate) offset: f64,
    /// Its slope per kelvin.
    pub(crate) offset_slope: f64,
    /// RMS of the white noise the converter adds, at the meter's terminals.
    pub(crate) noise_rms: f64,
    /// Corner of the 1/f noise in Hz; 0 for none.
    pub(crate) noise_corner_hz: f64,
    /// Lead at the nominal frequency in radians.
    pub(crate) lead_rad: f64,
    /// Its slope per kelvin.
    pub(crate) lead_slope: f64,
    /// Later by this than the common instant of sampling.
    pub(crate) late_s: f64,
    pub(crate) sensor: Sensor,
    /// Corner of the anti-alias RC in Hz; 0 for none.
    pub(crate) low_pass_hz: f64,
    /// Corner of the digital high-pass in Hz; 0 for none.
    pub(crate) high_pass_hz: f64,
    pub(crate) curve: Curve,
    /// Bits of the converter, sign included.
    pub(crate) bits: u32,
    /// Step and origin at the meter's terminals, where they do not follow from range and bits.
    pub(crate) steps: Option<(f64, f64)>,
    /// Integral non-linearity in steps over the range.
    pub(crate) inl: Arc<[f64]>,
    pub(crate) supply: Option<Supply>,
    /// Whether calibration registers may shift its phase at any time.
    pub(crate) is_adjustable: bool,
}

impl ChannelParameters {
    /// A channel without errors but its range and the steps of its converter.
    pub(crate) fn ideal(nominal: f64, headroom: f64, bits: u32) -> Self {
        Self { ratio: 1.0, nominal, headroom, bits, ..Self::default() }
    }
}

/// Parameters that make no channel.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum ChannelError {
    /// A phase error too large for the sampling rate.
    Phase,
}

/// What calibration registers do to a channel's samples.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Calibration {
    pub(crate) gain: f64,
    /// Added after the gain, in parts of the full scale.
    pub(crate) offset: f64,
    pub(crate) lead_rad: f64,
}

impl Default for Calibration {
    fn default() -> Self {
        Self { gain: 1.0, offset: 0.0, lead_rad: 0.0 }
    }
}

/// One channel of a front end, ready for use, at one temperature and with one calibration.
#[derive(Clone, Debug)]
pub(crate) struct Channel {
    parameters: ChannelParameters,
    sampling: Sampling,
    celsius: f64,
    pub(crate) calibration: Calibration,
    gain: f64,
    offset: f64,
    phase: PhaseShift,
    pub(crate) full_scale: f64,
    noise_rms: f64,
    flicker: Option<Flicker>,
    digitiser: Digitiser,
    stages: Vec<Linear>,
    transformer: Option<Transformer>,
    compensation: Option<Compensation>,
    high_pass: Option<HighPass>,
}

impl Channel {
    /// A channel at the reference temperature, without calibration.
    pub(crate) fn new(
        parameters: &ChannelParameters,
        sampling: &Sampling,
    ) -> Result<Self, ChannelError> {
        let p = parameters;
        let rate_hz = sampling.true_rate_hz();
        let full_scale = p.nominal * p.headroom * SQRT_2 * p.ratio;
        let step = full_scale * libm::exp2(1.0 - f64::from(p.bits));
        let inl = Arc::clone(&p.inl);
        let digitiser = match p.steps {
            None => Digitiser { step, origin: 0.0, low: -full_scale, high: full_scale - step, inl },
            Some((step, origin)) => {
                let (step, origin) = (step * p.ratio, origin * p.ratio);
                Digitiser { step, origin, low: -full_scale, high: full_scale, inl }
            }
        };
        let mut channel = Self {
            celsius: REFERENCE_C,
            calibration: Calibration::default(),
            gain: 1.0,
            offset: 0.0,
            phase: PhaseShift::default(),
            full_scale,
            noise_rms: p.noise_rms * p.ratio,
            flicker: (p.noise_corner_hz > 0.0).then(|| Flicker::new(p.noise_corner_hz, rate_hz)),
            digitiser,
            stages: stages(p, sampling),
            transformer: match &p.sensor {
                Sensor::Transformer(core) => {
                    Some(Transformer::new(core, sampling.nominal_hz, sampling.feed_hz()))
                }
                _ => None,
            },
            compensation: (sampling.decimation == Decimation::Compensated)
                .then(|| Compensation::new(sampling.average(), rate_hz)),
            high_pass: (p.high_pass_hz > 0.0).then(|| HighPass::new(p.high_pass_hz, rate_hz)),
            parameters: p.clone(),
            sampling: *sampling,
        };
        channel.set(REFERENCE_C, Calibration::default())?;
        Ok(channel)
    }

    /// Takes over a temperature and a calibration; without effect if they cannot be had.
    pub(crate) fn set(
        &mut self,
        celsius: f64,
        calibration: Calibration,
    ) -> Result<(), ChannelError> {
        let p = &self.parameters;
        let warmer = celsius - REFERENCE_C;
        let lead_rad = p.lead_rad + p.lead_slope * warmer + calibration.lead_rad;
        let sampling = &self.sampling;
        let phase = PhaseShift::new(lead_rad, sampling.nominal_hz, sampling.true_rate_hz())
            .ok_or(ChannelError::Phase)?;
        self.phase = phase;
        self.gain = 1.0 + p.gain_error + p.gain_slope * warmer;
        self.offset = (p.offset + p.offset_slope * warmer) * p.ratio;
        (self.celsius, self.calibration) = (celsius, calibration);
        Ok(())
    }

    /// The same channel with another calibration.
    pub(crate) fn calibrate(&mut self, calibration: Calibration) -> Result<(), ChannelError> {
        self.set(self.celsius, calibration)
    }

    /// Gain and turn of a tone, before crosstalk.
    pub(crate) fn response(&self, frequency_hz: f64) -> Complex64 {
        let sampling = &self.sampling;
        let average = Kernel::response(sampling.average(), frequency_hz, sampling.feed_hz());
        let (sin, cos) = libm::sincos(TAU * frequency_hz * self.parameters.late_s);
        let mut response = Complex64::new(cos, sin) * (average * self.gain * self.calibration.gain);
        for stage in &self.stages {
            response *= stage.response(frequency_hz);
        }
        if let Some(compensation) = &self.compensation {
            response *= compensation.response(frequency_hz);
        }
        if let Some(high_pass) = &self.high_pass {
            response *= high_pass.response(frequency_hz);
        }
        response * self.phase.response(frequency_hz)
    }

    /// The direct component it adds.
    pub(crate) fn offset(&self) -> f64 {
        let through = if self.high_pass.is_some() { 0.0 } else { self.offset };
        self.calibration.gain * through + self.calibration.offset * self.full_scale
    }

    /// What white noise of the source meets: filters in the way are taken as open.
    pub(crate) fn noise_gain(&self) -> f64 {
        self.gain * self.calibration.gain
    }

    /// Variance of what it adds at random: the converter's noise and the rounding to its steps.
    pub(crate) fn noise_variance(&self) -> f64 {
        let gain = self.calibration.gain;
        let rounding = self.digitiser.rounding_variance();
        gain * gain * (self.noise_rms * self.noise_rms + rounding)
    }

    /// The steps of a converter that is coarse beside the noise at its input, and the RMS of that
    /// noise; `None` where rounding is like noise of its own. `source_variance` is that of the
    /// source's noise, calibrated.
    pub(crate) fn coarse_steps(&self, source_variance: f64) -> Option<(&Digitiser, f64)> {
        let gain = self.calibration.gain;
        if self.parameters.steps.is_none() || self.high_pass.is_some() || gain == 0.0 {
            return None;
        }
        let noise_rms = (source_variance / (gain * gain) + self.noise_rms * self.noise_rms).sqrt();
        (noise_rms < 0.5 * self.digitiser.step).then_some((&self.digitiser, noise_rms))
    }

    /// What of it no closed form has, by the name of its parameter; that its supply comes up is
    /// left off.
    pub(crate) fn beyond_windows(&self) -> Option<&'static str> {
        let p = &self.parameters;
        let slopes = p.gain_slope != 0.0 || p.offset_slope != 0.0 || p.lead_slope != 0.0;
        let sampling = &self.sampling;
        [
            (self.transformer.is_some(), "a transformer's core"),
            (!p.curve.is_straight(), "non-linearity"),
            (!p.inl.is_empty(), "integral non-linearity"),
            (self.flicker.is_some(), "1/f noise"),
            (p.wander.rms > 0.0, "a gain that wanders"),
            (slopes || sampling.clock_curve != 0.0, "temperature"),
            (sampling.jitter_s > 0.0, "jitter"),
        ]
        .into_iter()
        .find_map(|(is_there, name)| is_there.then_some(name))
    }
}

/// RMS of the largest sine of a meter's `voltage` or `current`, primary.
pub fn full_scale(values: &Values, kind: &str) -> f64 {
    let si = |name: &str| values.si(&format!("{kind}_{name}"));
    values.si(&format!("nominal_{kind}")) * si("headroom") * si("ratio")
}

/// The linear stages that act on the feed.
fn stages(p: &ChannelParameters, sampling: &Sampling) -> Vec<Linear> {
    let feed_hz = sampling.feed_hz();
    let sensor = match p.sensor {
        Sensor::Divider { tau_s } if tau_s > 0.0 => {
            Some(Linear::low_pass(1.0 / (TAU * tau_s), feed_hz))
        }
        Sensor::Shunt { tau_s } if tau_s != 0.0 => Some(Linear::inductive(tau_s, feed_hz)),
        Sensor::Rogowski { corner_hz } if corner_hz > 0.0 => {
            Some(Linear::high_pass(corner_hz, feed_hz))
        }
        _ => None,
    };
    let anti_alias = (p.low_pass_hz > 0.0).then(|| Linear::low_pass(p.low_pass_hz, feed_hz));
    sensor.into_iter().chain(anti_alias).collect()
}
