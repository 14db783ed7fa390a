//! Views: what somebody looks at again and again.

use lastmeter_units::HardwareId;
use serde::{Deserialize, Serialize};

use super::DocumentKind;
use super::body::{About, Body, Fault, Key, Metadata, Name, bodies, keys};
use crate::access::{Kind, PrincipalRef};

pub(super) const KINDS: &[DocumentKind] = &[DocumentKind::of::<View>("view", Kind::View)];

lastmeter_units::words! {
    /// Over which length of time something is looked at.
    pub enum ViewPeriod in files {
        /// A local day.
        Day = "day",
        /// From Monday to Monday.
        Week = "week",
        /// A month of the calendar.
        Month = "month",
        /// A year of the calendar.
        Year = "year",
    }
}

bodies! {
    /// A quantity of a device, over the day, week, month or year in which it is looked at.
    document View {
        /// Name for people.
        name: Name,
        /// Whose it is.
        owner: Option<PrincipalRef>,
        /// Of which device; whether it may be read is asked when it is looked at.
        device: HardwareId,
        /// Which quantity.
        quantity: Name,
        /// Over which length of time.
        period: ViewPeriod,
    }
}

impl Body for View {
    const CODE: u8 = 29;

    fn validate(&self) -> Result<(), Fault> {
        Ok(())
    }

    fn keys(&self) -> Vec<Key> {
        keys("owner", &self.owner)
    }

    fn about(&self, _token: &str) -> About {
        About { owner: self.owner.clone(), ..About::of(None) }
    }
}
