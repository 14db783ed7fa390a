//! What operators make of outages that an application reports.

use serde::{Deserialize, Serialize};

use super::DocumentKind;
use super::body::{Body, Metadata, bodies};
use crate::access::Kind;

pub(super) const KINDS: &[DocumentKind] =
    &[DocumentKind::of::<OutageReview>("outage_review", Kind::NetworkAlarm)];

lastmeter_units::words! {
    /// What an operator makes of an outage.
    pub enum OutageVerdict in files {
        /// It is one.
        Confirmed = "confirmed",
        /// It is none.
        Rejected = "rejected",
    }
}

bodies! {
    /// What an operator made of an outage; the document's token is the hardware id of the
    /// application, `~` and the subject of its results. Who and when is in the document's versions.
    document OutageReview {
        /// What it is.
        verdict: OutageVerdict,
    }
}

impl Body for OutageReview {
    const CODE: u8 = 38;
}
