//! Devices; the document's token is the hardware id.

use lastmeter_units::HardwareId;
use serde::{Deserialize, Serialize};

use super::DocumentKind;
use super::body::{About, Body, Key, Metadata, Name, Text, Token, bodies, keys};
use super::boundary::Location;
use crate::access::{Eui64, Kind, SecretHash, Target, Visibility};

pub(super) const KINDS: &[DocumentKind] = &[DocumentKind::of::<Device>("device", Kind::Device)];

lastmeter_units::words! {
    /// How far a device is registered.
    pub enum DeviceStatus in files {
        /// It has sent something and nobody has registered it.
        Recognised = "recognised",
        /// Registered, and not heard yet.
        Waiting = "waiting",
        /// Registered.
        Registered = "registered",
        /// Nothing of it is taken.
        Blocked = "blocked",
        /// Decommissioned; its readings stay.
        Deleted = "deleted",
    }
}

bodies! {
    /// A device.
    document Device {
        /// What it is.
        specification_token: Option<Token>,
        /// Where it is.
        site_token: Option<Token>,
        /// The field network that it is a node of.
        field_network_token: Option<Token>,
        /// Its address in the field network.
        node_address: Option<Eui64>,
        /// How far it is registered.
        status: DeviceStatus,
        /// Who sees it without being named.
        #[serde(default = "private")]
        visibility: Visibility,
        /// The code by which it is claimed.
        claim_hash: Option<SecretHash>,
        /// The device that it is a part of.
        parent_hardware_id: Option<HardwareId>,
        /// Name for people.
        name: Option<Name>,
        /// The room it is in.
        room: Option<Name>,
        /// Where exactly it is; else where its site is.
        location: Option<Location>,
        /// What is to be known of it.
        comments: Option<Text>,
    }
}

const fn private() -> Visibility {
    Visibility::Private
}

impl Body for Device {
    const CODE: u8 = 3;

    fn keys(&self) -> Vec<Key> {
        [
            keys("specification", &self.specification_token),
            keys("site", &self.site_token),
            keys("field_network", &self.field_network_token),
            keys("parent", &self.parent_hardware_id),
            keys("status", [self.status]),
        ]
        .concat()
    }

    fn about(&self, token: &str) -> About {
        About::of(HardwareId::new(token).ok().map(Target::Device))
    }
}
