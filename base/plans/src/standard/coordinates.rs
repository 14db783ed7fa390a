//! Where a point of a sweep lies, and what the source carries there.

use super::claim::Claim;
use super::model::PowerFactor;

/// More points than these are a slip of the pen.
pub(crate) const POINTS_MAX: usize = 5_000;

/// What the source carries at an operating point.
#[derive(Clone, Debug, PartialEq)]
pub struct Conditions {
    /// 1 or 3; of the arrays so many are in use.
    pub phases: usize,
    /// RMS value of each phase's fundamental in volts.
    pub voltages: [f64; 3],
    /// RMS value of each phase's current in amperes; of the fundamental where harmonics are added.
    pub currents: [f64; 3],
    /// By how much each current lags its voltage, in radians.
    pub lag_rad: f64,
    /// In hertz.
    pub frequency: f64,
    /// Ambient temperature in degrees Celsius.
    pub celsius: f64,
    /// Whether the phases follow one another the other way round.
    pub reversed: bool,
    /// As the test plan's list of waveforms counts.
    pub waveform: usize,
}

impl Conditions {
    /// The same for two conditions that are equal, and else hardly ever.
    pub(super) fn key(&self) -> [u64; 11] {
        // Zero has two signs, which are equal.
        let bits = |value: f64| (value + 0.0).to_bits();
        let [u1, u2, u3] = self.voltages.map(bits);
        let [i1, i2, i3] = self.currents.map(bits);
        let more = [self.lag_rad, self.frequency, self.celsius].map(bits);
        let shape = 2 * self.waveform as u64 + u64::from(self.reversed);
        [u1, u2, u3, i1, i2, i3, more[0], more[1], more[2], shape, self.phases as u64]
    }

    /// Sum of the phases' apparent powers in volt-amperes, of the fundamentals.
    pub fn apparent(&self) -> f64 {
        let phases = self.voltages.iter().zip(&self.currents).take(self.phases);
        phases.map(|(voltage, current)| voltage * current).sum()
    }
}

/// Where an item of a test lies in its sweep.
#[derive(Clone, Debug, PartialEq)]
pub struct Coordinates {
    /// The current as written and in amperes; `None` if none flows.
    pub current: Option<(String, f64)>,
    /// The power factor.
    pub power_factor: PowerFactor,
    /// Whether energy flows back.
    pub export: bool,
    /// The only loaded phase, if not all are.
    pub loaded: Option<usize>,
    /// Voltage over nominal.
    pub voltage: f64,
    /// Each phase's voltage over nominal, if they differ.
    pub phase_voltages: Option<[f64; 3]>,
    /// Frequency over nominal.
    pub frequency: f64,
    /// In degrees Celsius.
    pub celsius: f64,
    /// As the test plan's list counts.
    pub waveform: usize,
    /// Whether the phase sequence is reversed.
    pub reversed: bool,
}

impl Coordinates {
    /// The same current and power factor with everything else at reference.
    pub(crate) fn at_reference(&self, celsius: f64) -> Self {
        Self {
            loaded: None,
            voltage: 1.0,
            phase_voltages: None,
            frequency: 1.0,
            celsius,
            waveform: 0,
            reversed: false,
            ..self.clone()
        }
    }

    pub(crate) fn conditions(&self, claim: &Claim) -> Conditions {
        let ratios = self.phase_voltages.unwrap_or([self.voltage; 3]);
        let amperes = self.current.as_ref().map_or(0.0, |(_, amperes)| *amperes);
        let is_loaded = |phase: usize| self.loaded.is_none_or(|loaded| loaded == phase);
        let in_use = |phase: usize| phase < claim.phases;
        let of_phase = |phase: usize, value: f64| if in_use(phase) { value } else { 0.0 };
        let back = if self.export { std::f64::consts::PI } else { 0.0 };
        Conditions {
            phases: claim.phases,
            voltages: [0, 1, 2].map(|phase| of_phase(phase, ratios[phase] * claim.voltage)),
            currents: [0, 1, 2]
                .map(|phase| of_phase(phase, if is_loaded(phase) { amperes } else { 0.0 })),
            lag_rad: self.power_factor.lag_rad + back,
            frequency: self.frequency * claim.frequency,
            celsius: self.celsius,
            reversed: self.reversed,
            waveform: self.waveform,
        }
    }
}
