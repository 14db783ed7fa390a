//! The kinds of documents: what a body of each may have, under which keys it is found, and what
//! follows from several of them at an instant.
//!
//! | code | kind | file |
//! |---|---|---|
//! | 1, 2, 17 | `specification`, `command`, `quantity` | `specification`, `command` |
//! | 3 | `device` | `device` |
//! | 4, 5 | `asset`, `assignment` | `assignment` |
//! | 6, 7 | `site`, `zone` | `place`, with `boundary` |
//! | 8 | `group` | `group` |
//! | 9, 10 | `electric_network`, `topology` | `network` |
//! | 11 to 14 | `user`, `credential`, `grant`, `application` | `identity` |
//! | 15, 16, 19 | `schedule`, `batch`, `job` | `work` |
//! | 20, 21 | `batch_elements`, `device_route` | `work` |
//! | 18 | `tenant_settings` | `settings` |
//! | 22, 23 | `rule`, `alarm` | `rule`, `alarm` |
//! | 24, 25 | `tariff`, `bill` | `tariff`, `bill`, with `money` |
//! | 26 | `feed` | `feed` |
//! | 27, 28 | `report_plan`, `report` | `report` |
//! | 29 | `view` | `view` |
//! | 30 | `notification` | `notification` |
//! | 31 to 34 | `field_network`, `gateway_number`, `node`, `node_configuration` | `field_network` |
//! | 35 to 37 | `firmware_image`, `firmware_content`, `firmware_transfer` | `firmware` |
//! | 38 | `outage_review` | `outage` |
//!
//! A code is never given to another kind. `body` reads all of them, `history` answers what held at
//! an instant.

mod alarm;
mod assignment;
mod bill;
mod body;
mod boundary;
mod command;
mod device;
mod feed;
mod field_network;
mod firmware;
mod group;
mod history;
mod identity;
mod money;
mod network;
mod notification;
mod outage;
mod place;
mod report;
mod rule;
mod settings;
mod specification;
mod tariff;
#[cfg(test)]
mod tests;
mod view;
mod work;

use serde_json::Value;

use crate::access::{Grant, Kind};

pub use crate::row::instant_of_data;
pub use alarm::{Alarm, AlarmKey};
pub use assignment::{Asset, AssetCategory, Assignment, AssignmentStatus};
pub use bill::{
    Bill, EnergyLine, FixedLine, GapLine, GapPrice, Line, OpenCause, OpenLine, PeakLine, PriceFeed,
    RegisterSpan,
};
pub use body::{
    About, Body, Currency, Fault, FieldError, Fingerprint, Key, Metadata, Name, Text, Token, read,
};
pub use boundary::{BoundingBox, Location, is_inside};
pub use command::{CommandBody, ParameterBody};
pub use device::{Device, DeviceStatus};
pub use feed::{Feed, FeedKind, FeedPoint};
pub use field_network::{
    FieldNetwork, GATEWAY_NUMBER_MAX, GatewayNumber, NetworkOptions, NetworkState, Node,
    NodeConfiguration, NodeState,
};
pub use firmware::{
    FirmwareContent, FirmwareImage, FirmwareTransfer, IMAGE_BYTES_MAX, TransferState,
};
pub use group::{Group, Member, MemberReference};
pub use history::{is_in_cycle, position_at, tenures, version_at};
pub use identity::{Application, Credential, OneTimeCode, Proof, User};
pub use money::{Decimal, Money};
pub use network::{ElectricNetwork, Switch, Topology};
pub use notification::{Attempt, Channel, Notification, NotificationState, quiet_until};
pub use outage::{OutageReview, OutageVerdict};
pub use place::{Site, Zone, ZoneKind};
pub use report::{
    Lack, Missing, Report, ReportFailure, ReportInput, ReportKind, ReportPeriod, ReportPlan,
    ReportRun, report_token,
};
pub use rule::{
    Absence, AlertComes, Condition, FeedLevel, GiveCommand, Offer, OfferState, RaiseAlert, Rate,
    Rule, RuleAction, SendMessage, TariffPrice, Threshold, TimeWindow,
};
pub use settings::{Registration, RetentionDays, TenantSettings};
pub use specification::{
    AlertType, Delivery, Quantity, QuantityKind, Specification, SpecifiedQuantity, Summary,
};
pub use tariff::{
    DatedPrice, Direction, FixedTerm, PeakTerm, PeakWindow, Piece, PriceZone, Tariff,
};
pub use view::{View, ViewPeriod};
pub use work::{
    Batch, BatchElements, CommandCall, DeviceRoute, ELEMENTS_MAX, Job, JobKind, JobState,
    ScheduledCommand, Targets, UNDER_WAY_MAX,
};

/// A kind of document.
#[derive(Debug)]
pub struct DocumentKind {
    /// Its name, as tokens, audit rows and exports have it.
    pub name: &'static str,
    /// Its number in stores; never given to another kind.
    pub code: u8,
    /// What rights call it.
    pub resource: Kind,
    /// Whether all documents of it are held in memory while the tenant is open.
    pub is_resident: bool,
    /// Checks a body, and names the keys under which the document is found.
    pub check: fn(&Value) -> Result<Vec<Key>, FieldError>,
    /// What rights look at in a document with this token and body.
    pub about: fn(&str, &str) -> About,
}

impl DocumentKind {
    /// A resident kind with a body.
    const fn of<T: Body>(name: &'static str, resource: Kind) -> Self {
        let (check, about) = (body::check::<T>, body::about::<T>);
        Self { name, code: T::CODE, resource, is_resident: true, check, about }
    }

    /// The member of a body's rendering that is the document's token.
    pub fn token_member(&self) -> &'static str {
        match self.code {
            Device::CODE => "hardwareId",
            User::CODE => "username",
            _ => "token",
        }
    }

    /// Members of a body that are shown to nobody.
    pub fn secrets(&self) -> &'static [&'static str] {
        match self.code {
            Device::CODE => &["claimHash"],
            User::CODE => &["passwordHash", "resetCode"],
            Credential::CODE => &["proof"],
            FieldNetwork::CODE => &["sealedKey"],
            _ => &[],
        }
    }

    /// Members of a body that nobody but the platform writes.
    pub fn platform_members(&self) -> &'static [&'static str] {
        if self.code == FieldNetwork::CODE { field_network::OWN_MEMBERS } else { &[] }
    }

    /// Members of a body that stay as they were made.
    pub fn fixed_members(&self) -> &'static [&'static str] {
        match self.code {
            Grant::CODE => &["to", "on"],
            FieldNetwork::CODE => &["gatewayAddress", "type"],
            _ => &[],
        }
    }

    /// The kind of the documents that the values of a key name.
    pub fn named_by(&self, key: &str) -> Option<&'static Self> {
        kind_of_code(match key {
            "specification" => Specification::CODE,
            "site" => Site::CODE,
            "zone" => Zone::CODE,
            "asset" | "customer" => Asset::CODE,
            "group" => Group::CODE,
            "schedule" => ScheduledCommand::CODE,
            "electric_network" => ElectricNetwork::CODE,
            "tariff" => Tariff::CODE,
            "feed" => Feed::CODE,
            "field_network" => FieldNetwork::CODE,
            "image" => FirmwareImage::CODE,
            "parent" => self.code,
            _ => return None,
        })
    }
}

/// Every kind there is, one slice per file of kinds; a new one is a row.
pub static KINDS: &[&[DocumentKind]] = &[
    specification::KINDS,
    command::KINDS,
    device::KINDS,
    assignment::KINDS,
    place::KINDS,
    group::KINDS,
    network::KINDS,
    identity::KINDS,
    work::KINDS,
    settings::KINDS,
    rule::KINDS,
    alarm::KINDS,
    tariff::KINDS,
    bill::KINDS,
    feed::KINDS,
    report::KINDS,
    view::KINDS,
    notification::KINDS,
    field_network::KINDS,
    firmware::KINDS,
    outage::KINDS,
];

/// The kind with a code.
pub fn kind_of_code(code: u8) -> Option<&'static DocumentKind> {
    KINDS.iter().copied().flatten().find(|kind| kind.code == code)
}

/// The kind with a name.
pub fn kind_of_name(name: &str) -> Option<&'static DocumentKind> {
    KINDS.iter().copied().flatten().find(|kind| kind.name == name)
}

impl PartialEq for DocumentKind {
    fn eq(&self, other: &Self) -> bool {
        self.code == other.code
    }
}

impl Eq for DocumentKind {}
