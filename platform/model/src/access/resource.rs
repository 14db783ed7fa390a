//! What somebody may or may not have access to, with all of it that decides.

use std::fmt;
use std::str::FromStr;

use lastmeter_units::{HardwareId, TenantName};

use super::principal::{FormError, PrincipalRef, serde_as_text};

lastmeter_units::words! {
    /// The kinds of resources, as routes, documents and audit rows name them.
    pub enum Kind in files {
        /// One's own account.
        Account = "account",
        /// One's own tokens and API keys.
        Token = "token",
        /// A user with its roles.
        User = "user",
        /// An application that reads and publishes.
        Application = "application",
        /// A credential of a user, device, gateway or application.
        Credential = "credential",
        /// A tenant with its limits.
        Tenant = "tenant",
        /// A field network with its options.
        FieldNetwork = "field-network",
        /// A gateway.
        Gateway = "gateway",
        /// A device.
        Device = "device",
        /// A virtual device.
        VirtualDevice = "virtual-device",
        /// A configuration of a device.
        Configuration = "configuration",
        /// Firmware.
        Firmware = "firmware",
        /// Latest values and presence.
        Latest = "latest",
        /// Readings and their roll-ups.
        Series = "series",
        /// Alerts of a device.
        Alert = "alert",
        /// Where a device was.
        Location = "location",
        /// Series as files.
        Export = "export",
        /// Values over a statistical zone or group.
        Aggregate = "aggregate",
        /// A command to a device.
        Invocation = "invocation",
        /// A schedule of commands.
        Schedule = "schedule",
        /// One command to many devices.
        Batch = "batch",
        /// A grant; with a purpose it is the tenant's.
        Grant = "grant",
        /// A rule.
        Rule = "rule",
        /// What a report is made of, and when.
        ReportPlan = "report-plan",
        /// A layout of a user's page.
        View = "view",
        /// An alarm of a user's rule.
        Alarm = "alarm",
        /// A notification.
        Notification = "notification",
        /// An alarm of the network: outage, fault, topology.
        NetworkAlarm = "network-alarm",
        /// A report.
        Report = "report",
        /// A bill.
        Bill = "bill",
        /// A tariff.
        Tariff = "tariff",
        /// A feed of weather or prices.
        Feed = "feed",
        /// A site.
        Site = "site",
        /// A zone.
        Zone = "zone",
        /// An electric network.
        ElectricNetwork = "electric-network",
        /// A topology vector.
        Topology = "topology",
        /// A specification of devices, with its commands and quantities.
        Specification = "specification",
        /// A person, place or thing that devices are assigned to.
        Asset = "asset",
        /// An assignment of a device.
        Assignment = "assignment",
        /// A group of devices.
        Group = "group",
        /// The settings of the tenant.
        Settings = "settings",
        /// A job of maintenance.
        Job = "job",
        /// A result of an application: an estimate, a location, a plan.
        Result = "result",
        /// A refused message.
        Refusal = "refusal",
        /// What a damaged store lost.
        Losses = "losses",
        /// Metrics of the tenant.
        Metrics = "metrics",
        /// The audit trail.
        Audit = "audit",
        /// Lists in commit order.
        CommitOrder = "commit-order",
        /// The tenant's clock.
        Clock = "clock",
        /// Topics on which one device publishes.
        OwnInput = "own-input",
        /// Topics on which devices without credentials of their own publish.
        SharedInput = "shared-input",
        /// Topics of commands.
        CommandTopic = "command-topic",
        /// Topics of committed values.
        Live = "live",
        /// The topic of alerts.
        LiveAlerts = "live-alerts",
        /// Topics of estimates.
        Estimates = "estimates",
        /// Topics that are forwarded and never stored.
        Forwarded = "forwarded",
    }
}

/// What rights are about: the subject of a resource, or what a grant is on.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Target {
    /// `device:ID`.
    Device(HardwareId),
    /// `virtual-device:ID~N`.
    VirtualDevice(HardwareId),
    /// `field-network:TOKEN`.
    FieldNetwork(String),
    /// `asset:TOKEN`.
    Asset(String),
    /// `group:TOKEN`.
    Group(String),
    /// `zone:TOKEN`.
    Zone(String),
    /// `feed:TOKEN`.
    Feed(String),
    /// `electric-network:TOKEN`.
    ElectricNetwork(String),
}

impl Target {
    /// The device or virtual device, if it is one.
    pub const fn device(&self) -> Option<&HardwareId> {
        match self {
            Self::Device(id) | Self::VirtualDevice(id) => Some(id),
            _ => None,
        }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Device(id) => write!(f, "device:{id}"),
            Self::VirtualDevice(id) => write!(f, "virtual-device:{id}"),
            Self::FieldNetwork(token) => write!(f, "field-network:{token}"),
            Self::Asset(token) => write!(f, "asset:{token}"),
            Self::Group(token) => write!(f, "group:{token}"),
            Self::Zone(token) => write!(f, "zone:{token}"),
            Self::Feed(token) => write!(f, "feed:{token}"),
            Self::ElectricNetwork(token) => write!(f, "electric-network:{token}"),
        }
    }
}

impl FromStr for Target {
    type Err = FormError;

    fn from_str(text: &str) -> Result<Self, FormError> {
        let error = || FormError::new("a target such as `device:ID` or `zone:TOKEN`", text);
        let (kind, name) = text.split_once(':').ok_or_else(error)?;
        let id = HardwareId::new(name).map_err(|_| error())?;
        Ok(match kind {
            "device" => Self::Device(id),
            "virtual-device" => Self::VirtualDevice(id),
            "field-network" => Self::FieldNetwork(name.to_owned()),
            "asset" => Self::Asset(name.to_owned()),
            "group" => Self::Group(name.to_owned()),
            "zone" => Self::Zone(name.to_owned()),
            "feed" => Self::Feed(name.to_owned()),
            "electric-network" => Self::ElectricNetwork(name.to_owned()),
            _ => return Err(error()),
        })
    }
}

serde_as_text!(Target);

/// What a resource is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Subject<'a> {
    /// Nothing in particular: a tariff, a user.
    Nothing,
    /// One thing.
    One(&'a Target),
    /// Whatever the principal may have: a list.
    List,
}

/// Whose document it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Owner<'a> {
    /// There is no such document, or the resource is no document.
    Absent,
    /// The tenant's: a common rule, a grant with a purpose.
    Tenant,
    /// A principal's.
    Of(&'a PrincipalRef),
}

/// A resource with what decides about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Resource<'a> {
    /// What it is.
    pub kind: Kind,
    /// Whose it is; `None` is the platform itself.
    pub tenant: Option<&'a TenantName>,
    /// What it is about.
    pub subject: Subject<'a>,
    /// Whose document it is.
    pub owner: Owner<'a>,
    /// Whom a grant is to.
    pub to: Option<&'a PrincipalRef>,
}

impl<'a> Resource<'a> {
    /// A resource of a tenant that is no document.
    pub const fn new(kind: Kind, tenant: &'a TenantName, subject: Subject<'a>) -> Self {
        Self { kind, tenant: Some(tenant), subject, owner: Owner::Absent, to: None }
    }

    /// The same as a document of an owner.
    #[must_use]
    pub const fn owned(self, owner: Owner<'a>) -> Self {
        Self { owner, ..self }
    }
}
