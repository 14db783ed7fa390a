//! The meter that a standard is claimed for, as it was found.

use std::sync::Arc;

use lastmeter_devices::DeviceKind;
use lastmeter_language::{LoadFailure, Texts};
use lastmeter_params::Values;

/// A meter, ready to be put into a scenario.
pub(super) struct Meter {
    pub(super) name: String,
    pub(super) kind: &'static DeviceKind,
    /// Its table, if a scenario has one.
    pub(super) values: Option<Arc<Values>>,
    /// What that scenario states in its `[test_plan]`, and the texts it is in.
    pub(super) claim: Option<(Values, Texts)>,
}

pub(super) enum Refusal {
    Message(String),
    Failure(LoadFailure),
}
