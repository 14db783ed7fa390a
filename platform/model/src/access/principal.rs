//! Principals: their names, roles and the text form that stands in documents and audit rows.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use lastmeter_units::{HardwareId, SimTime, TenantName};
use serde::{Deserialize, Serialize};

use super::action::Action;
use super::resource::Target;

lastmeter_units::words! {
    /// A fixed role of a user within a tenant.
    pub enum Role in files {
        /// Owns devices and networks, uses what others grant.
        User = "user",
        /// Reads aggregates and the network, never single premises.
        Utility = "utility",
        /// Operates the platform: configuration, presence, refusals.
        Operator = "operator",
        /// Administers users, sites and what nobody owns.
        TenantAdmin = "tenant-admin",
    }
}

/// A name of a user or application: 1 to 64 letters, digits, `.`, `_`, `-` or `@` of ASCII.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PrincipalName(String);

/// The address of a gateway, printed as 16 lower-case hexadecimal digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Eui64(pub u64);

/// Identifies a principal within a tenant.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PrincipalRef {
    /// Nobody in particular: `anonymous`.
    Anonymous,
    /// A user of the tenant: `user:NAME`.
    User(PrincipalName),
    /// An administrator of the platform: `platform:NAME`.
    PlatformAdmin(PrincipalName),
    /// A device with a credential of its own: `device:ID`.
    Device(HardwareId),
    /// The credential that devices of the tenant share: `devices`.
    SharedDevices,
    /// A gateway: `gateway:EUI64`.
    Gateway(Eui64),
    /// An application: `app:NAME`.
    Application(PrincipalName),
    /// The bench: `bench`.
    Bench,
}

/// A text that is not of the expected form.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected {expected}, found `{found}`")]
pub struct FormError {
    /// The form that was expected.
    pub expected: &'static str,
    /// The text that was found.
    pub found: String,
}

/// Who asks: what identification found behind a credential.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Principal {
    /// Which one it is.
    pub reference: PrincipalRef,
    /// Its tenant, for `anonymous` the one that is visited; only the platform's administrators
    /// have none.
    pub tenant: Option<TenantName>,
    /// The roles of a user; others have none.
    pub roles: BTreeSet<Role>,
    /// What an API key leaves of its owner's rights; `None` without a key.
    pub key: Option<KeyScope>,
}

impl Principal {
    /// A principal of a tenant, without roles and without a key.
    pub fn of(reference: PrincipalRef, tenant: TenantName) -> Self {
        Self { reference, tenant: Some(tenant), roles: BTreeSet::new(), key: None }
    }
}

/// The most things that an API key is for, if it is not for all.
pub const KEY_THINGS_MAX: usize = 100;

/// What an API key leaves of its owner's rights.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeyScope {
    /// The actions it is for.
    pub actions: BTreeSet<Action>,
    /// The things it is for; without a list all of its owner's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on: Option<BTreeSet<Target>>,
    /// Its end on the wall clock, which identification compares: grants are on the tenant's.
    pub until: SimTime,
}

/// Serialises types through their text form.
macro_rules! serde_as_text {
    ($($name:ty),+) => {$(
        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
                let text = <std::borrow::Cow<'de, str>>::deserialize(from)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }
    )+};
}
pub(super) use serde_as_text;

serde_as_text!(PrincipalName, Eui64, PrincipalRef);

impl FormError {
    pub(super) fn new(expected: &'static str, found: &str) -> Self {
        Self { expected, found: found.to_owned() }
    }
}

impl PrincipalName {
    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for PrincipalName {
    type Err = FormError;

    fn from_str(text: &str) -> Result<Self, FormError> {
        let is_allowed = |c: u8| c.is_ascii_alphanumeric() || b"._-@".contains(&c);
        if (1..=64).contains(&text.len()) && text.bytes().all(is_allowed) {
            Ok(Self(text.to_owned()))
        } else {
            Err(FormError::new("1 to 64 letters, digits, `.`, `_`, `-` or `@`", text))
        }
    }
}

impl fmt::Display for PrincipalName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for Eui64 {
    type Err = FormError;

    fn from_str(text: &str) -> Result<Self, FormError> {
        let is_digit = |c: u8| c.is_ascii_digit() || (b'a'..=b'f').contains(&c);
        let is_form = text.len() == 16 && text.bytes().all(is_digit);
        let error = || FormError::new("16 lower-case hexadecimal digits", text);
        if !is_form {
            return Err(error());
        }
        u64::from_str_radix(text, 16).map(Self).map_err(|_| error())
    }
}

impl fmt::Display for Eui64 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

impl fmt::Display for PrincipalRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Anonymous => f.write_str("anonymous"),
            Self::User(name) => write!(f, "user:{name}"),
            Self::PlatformAdmin(name) => write!(f, "platform:{name}"),
            Self::Device(id) => write!(f, "device:{id}"),
            Self::SharedDevices => f.write_str("devices"),
            Self::Gateway(address) => write!(f, "gateway:{address}"),
            Self::Application(name) => write!(f, "app:{name}"),
            Self::Bench => f.write_str("bench"),
        }
    }
}

impl FromStr for PrincipalRef {
    type Err = FormError;

    fn from_str(text: &str) -> Result<Self, FormError> {
        let unknown = || FormError::new("a principal such as `user:NAME` or `device:ID`", text);
        Ok(match text.split_once(':') {
            None => match text {
                "anonymous" => Self::Anonymous,
                "devices" => Self::SharedDevices,
                "bench" => Self::Bench,
                _ => return Err(unknown()),
            },
            Some(("user", name)) => Self::User(name.parse()?),
            Some(("platform", name)) => Self::PlatformAdmin(name.parse()?),
            Some(("device", id)) => Self::Device(HardwareId::new(id).map_err(|_| unknown())?),
            Some(("gateway", address)) => Self::Gateway(address.parse()?),
            Some(("app", name)) => Self::Application(name.parse()?),
            Some(_) => return Err(unknown()),
        })
    }
}
