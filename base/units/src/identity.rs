//! Who sent what: tenants, hardware ids, epochs and serial numbers.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Uniquely identifies a device within a tenant; part of MQTT topics, so without `/`, `+`, `#`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct HardwareId(String);

/// Why a text is no hardware id.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HardwareIdError {
    /// Nothing at all.
    #[error("a hardware id is empty")]
    Empty,
    /// Longer than [`HardwareId::BYTES_MAX`].
    #[error("a hardware id has {0} bytes, at most {max} are allowed", max = HardwareId::BYTES_MAX)]
    TooLong(usize),
    /// A character that cannot stand in an MQTT topic level.
    #[error("a hardware id contains {0:?}; `/`, `+`, `#` and control characters are not allowed")]
    Character(char),
}

impl HardwareId {
    /// The longest hardware id in bytes.
    pub const BYTES_MAX: usize = 128;

    /// Checks a text and takes it as an id.
    pub fn new(text: impl Into<String>) -> Result<Self, HardwareIdError> {
        let text = text.into();
        if text.is_empty() {
            return Err(HardwareIdError::Empty);
        }
        if text.len() > Self::BYTES_MAX {
            return Err(HardwareIdError::TooLong(text.len()));
        }
        match text.chars().find(|c| matches!(c, '/' | '+' | '#') || c.is_control()) {
            Some(c) => Err(HardwareIdError::Character(c)),
            None => Ok(Self(text)),
        }
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for HardwareId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for HardwareId {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::new(String::deserialize(deserializer)?).map_err(serde::de::Error::custom)
    }
}

/// Names a tenant: an organisation with its own storage. It is the first level of a topic, a file
/// name and the end of a schema's name, so it has lower-case letters, digits and hyphens only.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct TenantName(String);

/// Why a text is no tenant's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TenantNameError {
    /// Nothing, or more than [`TenantName::BYTES_MAX`].
    #[error("a tenant's name has {0} bytes, expected 1 to {max}", max = TenantName::BYTES_MAX)]
    Length(usize),
    /// A character that it may not have, or not there.
    #[error(
        "a tenant's name contains {0:?}; it has the letters a to z, digits and hyphens, and begins \
         with a letter or a digit"
    )]
    Character(char),
}

impl TenantName {
    /// The longest name in bytes.
    pub const BYTES_MAX: usize = 32;

    /// Checks a text and takes it as a name.
    pub fn new(text: impl Into<String>) -> Result<Self, TenantNameError> {
        let text = text.into();
        if text.is_empty() || text.len() > Self::BYTES_MAX {
            return Err(TenantNameError::Length(text.len()));
        }
        let is_allowed = |(index, c): &(usize, char)| {
            c.is_ascii_lowercase() || c.is_ascii_digit() || (*c == '-' && *index > 0)
        };
        match text.char_indices().find(|one| !is_allowed(one)) {
            Some((_, c)) => Err(TenantNameError::Character(c)),
            None => Ok(Self(text)),
        }
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Default for TenantName {
    /// The tenant that is there from the first start on.
    fn default() -> Self {
        Self("default".to_owned())
    }
}

impl fmt::Display for TenantName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for TenantName {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::new(String::deserialize(deserializer)?).map_err(serde::de::Error::custom)
    }
}

/// Counts the times a device's serial counter has restarted.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Epoch(pub u64);

/// Numbers the readings of one device within an epoch, from 1, without gaps.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Serial(pub u64);

impl fmt::Display for Epoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl fmt::Display for Serial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_would_break_a_topic_is_no_hardware_id() {
        assert_eq!(HardwareId::new(""), Err(HardwareIdError::Empty));
        for c in ['/', '+', '#', '\0', '\n'] {
            assert_eq!(HardwareId::new(format!("a{c}b")), Err(HardwareIdError::Character(c)));
        }
        assert_eq!(HardwareId::new("x".repeat(129)), Err(HardwareIdError::TooLong(129)));
        assert_eq!(HardwareId::new("123-TEST-4567890").unwrap().as_str(), "123-TEST-4567890");
    }

    #[test]
    fn a_tenants_name_is_a_topic_level_a_file_name_and_a_schema_name() {
        for name in ["default", "a", "7", "case-0f3a", "a--b-", &"x".repeat(32)] {
            assert_eq!(TenantName::new(name).unwrap().as_str(), name);
        }
        for (name, error) in [
            ("", TenantNameError::Length(0)),
            (&"x".repeat(33), TenantNameError::Length(33)),
            ("-a", TenantNameError::Character('-')),
            ("A", TenantNameError::Character('A')),
            ("a.b", TenantNameError::Character('.')),
            ("a/b", TenantNameError::Character('/')),
            ("$sys", TenantNameError::Character('$')),
            ("é", TenantNameError::Character('é')),
        ] {
            assert_eq!(TenantName::new(name), Err(error), "{name}");
        }
        assert_eq!(TenantName::new("default").unwrap(), TenantName::default());
    }
}
