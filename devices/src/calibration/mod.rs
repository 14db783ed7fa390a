//! Calibration as a service tool does it: from what a meter and a reference meter reported to the
//! words for the meter's registers.
//!
//! Pure arithmetic. It sees reported values only, never the truth, and shares nothing with the
//! metrology that made them nor with the registers inside the meters: what a register's bits mean
//! is written here once more, from the data sheets ([`Register`]).
//!
//! Terms: a *role* is what a register corrects; a *coefficient* is what its word stands for; a
//! *change* is what has to be done to the coefficient that was in force while measuring.

mod arithmetic;
mod sheet;

pub use arithmetic::{Line, active_offset, delay_rad, gain, square_offset};
pub(crate) use sheet::{ADE7953, PLAIN};
pub use sheet::{Coding, OutOfRange, Register, Role, Unit};

/// What a meter reported at one point, the means of its readings, in SI units.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Measured {
    /// RMS voltage in volts.
    pub voltage_v: f64,
    /// RMS current in amperes.
    pub current_a: f64,
    /// Active power in watts, positive for import.
    pub active_w: f64,
    /// Reactive power in var, positive for a lagging current.
    pub reactive_var: f64,
    /// Apparent power in volt-amperes.
    pub apparent_va: f64,
}

/// RMS values of the largest sines a meter takes: what registers of offsets count in.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Scale {
    /// RMS voltage in V.
    pub voltage_v: f64,
    /// RMS current in A.
    pub current_a: f64,
}

/// A step of an energy chip's procedure, in the order of the chips' application notes (ADE7953:
/// gains of the RMS values, active gain at unity power factor, phase from the error at 0.5, the
/// other gains, offsets at low current).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Gains of voltage and current.
    RmsGains,
    /// Gain of the active power, at unity power factor.
    ActiveGain,
    /// Phase between the channels, at an inductive power factor.
    Phase,
    /// Gains of reactive and apparent power, at an inductive power factor.
    OtherGains,
    /// Offsets of the current's square and of the active power, at low current.
    Offsets,
}

/// What has to be done to a coefficient.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Change {
    /// Multiply it by this factor.
    Times(f64),
    /// Add to it.
    Plus(f64),
}

impl Change {
    /// The coefficient that is wanted where another was in force.
    pub fn of(self, coefficient: f64) -> f64 {
        match self {
            Self::Times(factor) => coefficient * factor,
            Self::Plus(term) => coefficient + term,
        }
    }
}

/// What one step of the procedure asks for: the meter reported `reported` while the reference meter
/// reported `reference`, at a frequency in hertz. What the values do not determine (no current,
/// no number) is left out.
pub fn changes(
    step: Step,
    reported: &Measured,
    reference: &Measured,
    (scale, frequency_hz): (Scale, f64),
) -> Vec<(Role, Change)> {
    let times = |role, reported: f64, reference: f64| {
        Some((role, Change::Times(gain(reported, reference)?)))
    };
    let found = match step {
        Step::RmsGains => [
            times(Role::VoltageGain, reported.voltage_v, reference.voltage_v),
            times(Role::CurrentGain, reported.current_a, reference.current_a),
        ],
        Step::ActiveGain => [times(Role::ActiveGain, reported.active_w, reference.active_w), None],
        Step::Phase => {
            let delay = delay_rad(reported.active_w, reference.active_w, reference.reactive_var);
            // A delay register holds a time, which is written as an angle at 50 Hz.
            let degrees = |rad: f64| rad.to_degrees() * 50.0 / frequency_hz;
            [delay.map(|rad| (Role::Delay, Change::Plus(degrees(rad)))), None]
        }
        Step::OtherGains => [
            times(Role::ReactiveGain, reported.reactive_var, reference.reactive_var),
            times(Role::ApparentGain, reported.apparent_va, reference.apparent_va),
        ],
        Step::Offsets => {
            let square = square_offset(reported.current_a, reference.current_a, scale.current_a);
            let full_w = scale.voltage_v * scale.current_a;
            let active = active_offset(reported.active_w, reference.active_w, full_w);
            [
                square.map(|part| (Role::CurrentSquare, Change::Plus(part))),
                active.map(|part| (Role::ActiveOffset, Change::Plus(part))),
            ]
        }
    };
    found.into_iter().flatten().collect()
}

#[cfg(test)]
mod tests;
