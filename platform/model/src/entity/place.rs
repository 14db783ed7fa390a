//! Sites and zones.

use serde::{Deserialize, Serialize};

use super::DocumentKind;
use super::body::{
    About, Body, Fault, Key, Metadata, Name, Text, Token, at_most, bodies, ensure, keys,
};
use super::boundary::{self, Location};
use crate::access::{Kind, Target};
use crate::calendar;

pub(super) const KINDS: &[DocumentKind] =
    &[DocumentKind::of::<Site>("site", Kind::Site), DocumentKind::of::<Zone>("zone", Kind::Zone)];

lastmeter_units::words! {
    /// What a zone is of the electric network.
    pub enum ZoneKind in files {
        /// What a feeder supplies.
        Feeder = "feeder",
        /// What a transformer supplies.
        Transformer = "transformer",
        /// A line with what it connects.
        Line = "line",
        /// What a busbar supplies.
        Busbar = "busbar",
        /// No element: an area of the map.
        Area = "area",
    }
}

bodies! {
    /// A place with devices.
    document Site {
        /// Name for people.
        name: Name,
        /// What it is.
        description: Option<Text>,
        /// Where it is.
        location: Option<Location>,
        /// The corners of its boundary in order.
        #[serde(default, deserialize_with = "at_most::<_, _, 1000>")]
        coordinates: Vec<Location>,
        /// Time zone of the premises; else that of the tenant.
        time_zone: Option<calendar::Zone>,
        /// The site that it is a part of.
        parent_token: Option<Token>,
    }

    /// A part of a site or of the electric network.
    document Zone {
        /// Name for people.
        name: Name,
        /// The site that it is a part of.
        site_token: Option<Token>,
        /// What it is.
        kind: ZoneKind,
        /// The corners of its boundary in order.
        #[serde(default, deserialize_with = "at_most::<_, _, 1000>")]
        coordinates: Vec<Location>,
        /// The element of the electric network.
        element_id: Option<i64>,
        /// Whether aggregates of it are published.
        #[serde(default)]
        statistical: bool,
        /// The zone that it is a part of.
        parent_token: Option<Token>,
    }
}

impl Body for Site {
    const CODE: u8 = 6;

    fn validate(&self) -> Result<(), Fault> {
        boundary::validate(&self.coordinates)
    }

    fn keys(&self) -> Vec<Key> {
        keys("parent", &self.parent_token)
    }
}

impl Body for Zone {
    const CODE: u8 = 7;

    fn validate(&self) -> Result<(), Fault> {
        let is_fit = self.kind != ZoneKind::Area || self.element_id.is_none();
        ensure(is_fit, "elementId", "none, since the kind is `area`")?;
        boundary::validate(&self.coordinates)
    }

    fn keys(&self) -> Vec<Key> {
        [keys("site", &self.site_token), keys("parent", &self.parent_token)].concat()
    }

    fn about(&self, token: &str) -> About {
        About::of(Some(Target::Zone(token.to_owned())))
    }
}
