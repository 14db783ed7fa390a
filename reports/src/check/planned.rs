//! The bench that a scenario plans, as checks see it before anything runs.

use lastmeter_units::SimDuration;

/// What is planned, as far as it could be read.
pub struct PlannedBench<'a> {
    /// How long the scenario lasts.
    pub duration: Option<SimDuration>,
    /// The plant's network; `None` without one.
    pub network: Option<&'a PlannedNetwork>,
    /// What the check's devices report by themselves, one for each of their tables; `None` of one
    /// that could not be made.
    pub devices: Vec<Option<PlannedReports>>,
    /// The names of all devices of the scenario.
    pub device_names: Vec<String>,
    /// The names of all its gateways.
    pub gateway_names: Vec<String>,
    /// Name and kind of each of its applications.
    pub applications: Vec<(String, String)>,
}

/// What a device reports by itself.
#[derive(Clone, Debug, Default)]
pub struct PlannedReports {
    /// Whether it lives on what it measures, and reports when that is gone.
    pub has_hold_up: bool,
    /// The words of the voltage events that it reports.
    pub events: Vec<&'static str>,
    /// The words of the tampering that it has sensors for.
    pub tamper: Vec<&'static str>,
}

/// The plant's network as it is planned.
#[derive(Clone, Debug)]
pub struct PlannedNetwork {
    /// Whether something happens in it between its steps; `None` after a mistake.
    pub is_in_motion: Option<bool>,
    /// Whether a simulator plays it.
    pub is_simulated: bool,
    /// Whether an outage of it is planned; also after a mistake, when nobody knows.
    pub has_planned_outages: bool,
    /// The elements to which something may be done; `None` as long as that is not known.
    pub elements: Option<Vec<String>>,
}
