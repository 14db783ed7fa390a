//! What the points of a simulator show of the plant, and what they drive in it.

use std::fmt;

use lastmeter_rts::point_map::{StatusRole, WaveformChannel};
use lastmeter_sim::grid::{BreakerAt, GridInput, LivePoint};
use num_complex::Complex64;

use super::value::Probe;

/// What a point that the simulator sends shows.
#[derive(Clone, Debug)]
pub enum Shown {
    /// A quantity at a place of the network; energies at the end of the frame's period.
    Value(Probe),
    /// Instantaneous values at a place of the network.
    Waveform(LivePoint, WaveformChannel),
    /// Whether a breaker is closed.
    Breaker(BreakerAt),
    /// What was written to a point, by its place among those that are written; 0 before that.
    Echo(usize),
    /// A status of the simulator itself.
    Status(StatusRole),
    /// The same word all the time.
    Word(f64),
}

/// What a point that the simulator takes drives.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Driven {
    /// A breaker: closed unless the value is 0.
    Breaker(BreakerAt),
    /// The active power that a load draws, watts; its reactive power is then 0.
    LoadPower(usize),
    /// The voltage of a source, per unit of its rated one.
    SourceVoltage(usize),
    /// No input of the network.
    Nothing,
}

impl Driven {
    /// What a value in the SI unit does to a network.
    pub(super) fn input(self, si: f64) -> Option<GridInput> {
        match self {
            Self::Breaker(at) => Some(GridInput::Breaker { at, is_closed: si != 0.0 }),
            Self::LoadPower(load) => {
                Some(GridInput::LoadSetPoint { load, power_va: Some(Complex64::new(si, 0.0)) })
            }
            Self::SourceVoltage(source) => {
                Some(GridInput::SourceVoltage { source, voltage_pu: si })
            }
            Self::Nothing => None,
        }
    }
}

impl fmt::Display for Driven {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Breaker(_) => "a breaker",
            Self::LoadPower(_) => "the power of a load",
            Self::SourceVoltage(_) => "the voltage of a source",
            Self::Nothing => "nothing",
        })
    }
}
