//! The settings of a door: its kind, and the keys of that kind.

use serde::Deserialize;

/// A door to be opened: `[[door]]` in the settings.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct DoorConfig {
    /// Its kind, such as `http`; `lastmeter list doors` has all.
    pub kind: String,
    /// The keys of that kind.
    #[serde(flatten)]
    pub keys: toml::Table,
}
