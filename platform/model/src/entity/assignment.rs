//! Persons, places and things, and the devices that are assigned to them.

use lastmeter_units::{HardwareId, SimTime};
use serde::{Deserialize, Serialize};

use super::DocumentKind;
use super::body::{About, Body, Fault, Key, Metadata, Name, Token, at_most, bodies, ensure, keys};
use crate::access::{Kind, PrincipalName, PrincipalRef, Span, Target};

pub(super) const KINDS: &[DocumentKind] = &[
    DocumentKind::of::<Asset>("asset", Kind::Asset),
    DocumentKind::of::<Assignment>("assignment", Kind::Assignment),
];

lastmeter_units::words! {
    /// What an asset is.
    pub enum AssetCategory in files {
        /// Somebody.
        Person = "person",
        /// A building, a flat, a room.
        Place = "place",
        /// An appliance, a car.
        Thing = "thing",
    }
}

lastmeter_units::words! {
    /// How an assignment stands.
    pub enum AssignmentStatus in files {
        /// In force.
        Active = "active",
        /// In force, and the device is missing.
        Missing = "missing",
        /// Ended.
        Released = "released",
    }
}

bodies! {
    /// A person, place or thing.
    document Asset {
        /// What it is.
        category: AssetCategory,
        /// Name for people.
        name: Name,
        /// What else is to be known, by name.
        #[serde(default)]
        properties: Metadata,
        /// The user that a person is.
        user: Option<PrincipalName>,
        /// The place that it is in.
        parent_token: Option<Token>,
        /// The tariffs of a person; none: the only one that the tenant has.
        #[serde(default, deserialize_with = "at_most::<_, _, 16>")]
        tariff_tokens: Vec<Token>,
    }

    /// A device in the service of somebody or something, from an instant to another.
    document Assignment {
        /// The device.
        device_hardware_id: HardwareId,
        /// The asset that it is assigned to.
        asset_id: Option<Token>,
        /// The site that it is at.
        site_token: Option<Token>,
        /// The zone that it is in.
        zone_token: Option<Token>,
        /// The person asset that is the customer.
        customer_id: Option<Token>,
        /// How it stands.
        status: AssignmentStatus,
        /// The first instant.
        active_date: SimTime,
        /// The first instant after it.
        released_date: Option<SimTime>,
    }
}

impl Body for Asset {
    const CODE: u8 = 4;

    fn validate(&self) -> Result<(), Fault> {
        let is_fit = self.user.is_none() || self.category == AssetCategory::Person;
        ensure(is_fit, "user", "none, since the category is not `person`")?;
        for (index, tariff) in self.tariff_tokens.iter().enumerate() {
            let field = format!("tariffTokens[{index}]");
            let is_person = self.category == AssetCategory::Person;
            ensure(is_person, &*field, "none, since the category is not `person`")?;
            let is_first = !self.tariff_tokens[..index].contains(tariff);
            ensure(is_first, field, "a tariff that is not listed")?;
        }
        Ok(())
    }

    fn keys(&self) -> Vec<Key> {
        [
            keys("category", [self.category]),
            keys("user", &self.user),
            keys("parent", &self.parent_token),
            keys("tariff", &self.tariff_tokens),
        ]
        .concat()
    }

    fn about(&self, token: &str) -> About {
        let owner = self.user.clone().map(PrincipalRef::User);
        About { owner, ..About::of(Some(Target::Asset(token.to_owned()))) }
    }
}

impl Body for Assignment {
    const CODE: u8 = 5;

    fn validate(&self) -> Result<(), Fault> {
        let is_ended = self.released_date.is_some();
        let is_released = self.status == AssignmentStatus::Released;
        ensure(is_ended || !is_released, "releasedDate", "an instant, since it is released")?;
        let is_order = self.released_date.is_none_or(|end| self.active_date <= end);
        ensure(is_order, "releasedDate", "an instant not before `activeDate`")
    }

    fn keys(&self) -> Vec<Key> {
        [
            keys("device", [&self.device_hardware_id]),
            keys("asset", &self.asset_id),
            keys("site", &self.site_token),
            keys("zone", &self.zone_token),
            keys("customer", &self.customer_id),
        ]
        .concat()
    }

    fn about(&self, _: &str) -> About {
        About::of(Some(Target::Device(self.device_hardware_id.clone())))
    }
}

impl Assignment {
    /// When it is in force.
    pub fn span(&self) -> Span {
        Span { from: self.active_date, until: self.released_date.unwrap_or(Span::ALWAYS.until) }
    }

    /// The person asset that owns the data: the customer, else what it is assigned to.
    pub fn owner(&self) -> Option<&Token> {
        self.customer_id.as_ref().or(self.asset_id.as_ref())
    }

    /// Whether another one of the same device is in force at the same time.
    pub fn is_overlapping(&self, other: &Self) -> bool {
        self.device_hardware_id == other.device_hardware_id
            && self.span().intersection(other.span()).is_some()
    }
}
