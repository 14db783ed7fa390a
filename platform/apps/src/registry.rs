//! Every kind of application.

use super::fault_location::FAULT_LOCATION;
use super::kind::ApplicationKind;
use super::outage::OUTAGE;
use super::reaction::{CONTROLLER, THRESHOLD};

/// The kinds of application that a scenario or a file of settings can name.
pub static APPLICATIONS: &[ApplicationKind] = &[THRESHOLD, CONTROLLER, OUTAGE, FAULT_LOCATION];
