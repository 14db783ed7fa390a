//! Who sent what: hardware ids, epochs and serial numbers.

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
}
