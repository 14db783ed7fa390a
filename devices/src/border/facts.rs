//! Constants of a device that checks need to know what it has to report.

use lastmeter_units::SimDuration;
use serde::{Deserialize, Serialize};

use super::event::VoltageEventKind;
use super::fault::TamperKind;

/// How a device lives on the voltage at its terminal.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct SupplyFacts {
    /// For how long it goes on working without that voltage, from when it notices.
    pub hold_up: SimDuration,
    /// How long it does not work yet when the voltage is back after that.
    pub boot: SimDuration,
    /// The voltage is there while the RMS voltage of any phase is at least this, in V.
    pub minimum_v: f64,
    /// Whether it sends a last gasp (`supply.failed`) when the voltage is gone.
    pub gasps: bool,
    /// Whether it sends a power-up message (`supply.returned`).
    pub reports: bool,
}

/// Which tampering a device reports.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TamperFacts {
    /// What it has sensors for.
    pub kinds: Vec<TamperKind>,
    /// For how long a sensor has to show a change until it is one.
    pub debounce: SimDuration,
    /// Whether contacts are read on a battery while the device has no supply.
    pub has_battery: bool,
}

/// Which voltage events a device reports, by the half-cycle RMS values of each phase. An event that
/// had begun before the device saw anything is not reported.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EventFacts {
    /// The declared voltage in V, primary, of a phase.
    pub declared_v: f64,
    /// A dip is below this, in V.
    pub dip_v: f64,
    /// A swell is above this, in V.
    pub swell_v: f64,
    /// An interruption is below this, in V.
    pub interruption_v: f64,
    /// An event is over when the voltage is back by so much beyond its threshold, in V.
    pub hysteresis_v: f64,
    /// What is reported.
    pub kinds: Vec<VoltageEventKind>,
}
