//! Settings of a tenant: one document, with the token `settings`.

use std::num::NonZeroU32;

use serde::{Deserialize, Serialize};

use super::DocumentKind;
use super::body::{Body, Currency, Metadata, bodies};
use crate::access::Kind;
use crate::calendar::Zone;

pub(super) const KINDS: &[DocumentKind] =
    &[DocumentKind::of::<TenantSettings>("tenant_settings", Kind::Settings)];

lastmeter_units::words! {
    /// What becomes of messages from devices that nobody registered.
    pub enum Registration in files {
        /// The first message registers the device.
        Open = "open",
        /// A part of them is kept for who registers the device.
        Recognise = "recognise",
        /// They are refused.
        Closed = "closed",
    }
}

bodies! {
    /// Settings of a tenant.
    document TenantSettings {
        /// Time zone of premises that have none of their own.
        time_zone: Zone,
        /// The currency of tariffs and bills.
        currency: Currency,
        /// What becomes of messages from unknown devices.
        registration: Registration,
        /// More refused messages in an hour are an alarm.
        refusals_per_hour: Option<NonZeroU32>,
        /// How long data is kept.
        #[serde(default)]
        retention_days: RetentionDays,
    }
}

/// For how many days after receipt data is kept; without a number for ever.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RetentionDays {
    /// Readings.
    pub readings: Option<NonZeroU32>,
    /// Alerts.
    pub alerts: Option<NonZeroU32>,
    /// Refused messages.
    pub refusals: Option<NonZeroU32>,
    /// Roll-ups.
    pub rollups: Option<NonZeroU32>,
}

impl Body for TenantSettings {
    const CODE: u8 = 18;
}
