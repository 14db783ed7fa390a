//! What a household keeps through restarts, as records: one of the whole (`household`), one of
//! what is known of its feeds (`feeds`), and one for each meter with statistics (`meter NAME`; of
//! what is fed in, `meter NAME, fed in`). A record is a version and its fields in postcard.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::bill::Ledger;

const VERSION: u8 = 1;
/// The name of the record of the whole.
pub(super) const WHOLE: &str = "household";

/// The name of the record of feeds.
pub(super) const FEEDS: &str = "feeds";

/// The name of the record of a meter.
pub(super) fn of_meter(name: &str) -> String {
    format!("meter {name}")
}

/// The name of the record of what the connection's meter feeds in.
pub(super) fn of_injected(name: &str) -> String {
    format!("meter {name}, fed in")
}

/// The run of a movable load in one window; instants in nanoseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Run {
    pub(super) from_ns: i64,
    pub(super) until_ns: i64,
    /// When it is to start, or has started.
    pub(super) start_ns: Option<i64>,
    pub(super) has_begun: bool,
    /// It was decided that it has no start yet.
    pub(super) is_waiting: bool,
}

/// A load.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct KeptLoad {
    pub(super) name: String,
    /// Local times of day in nanoseconds that the customer has set.
    pub(super) window_ns: Option<(i64, i64)>,
    /// Since when it is shed, and the power in W that it had.
    pub(super) shed: Option<(i64, i64)>,
    /// As its switching unit has answered.
    pub(super) is_closed: Option<bool>,
    /// As the customer has switched it.
    pub(super) hand: Option<bool>,
    pub(super) run: Run,
}

/// The co-generator; energies in microjoules.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct KeptUnit {
    /// The end of the last slot that was decided; 0 before the first.
    pub(super) until_ns: i64,
    pub(super) stored: i128,
    pub(super) unmet: i128,
    /// Of that slot: the electric output in W, and the word of its reason.
    pub(super) output_w: i64,
    pub(super) reason: String,
}

/// The whole.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Kept {
    /// A strategy that the customer has selected.
    pub(super) strategy: Option<String>,
    /// The power of the contract that the customer has set, in W.
    pub(super) contract_w: Option<i64>,
    pub(super) bill: Ledger,
    pub(super) loads: Vec<KeptLoad>,
    pub(super) unit: KeptUnit,
}

/// A feed: its kind, token and unit in one text, and its spans, from and until in nanoseconds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct KeptFeed {
    pub(super) of: String,
    pub(super) spans: Vec<(i64, i64, Option<f64>)>,
}

pub(super) fn encode<T: Serialize>(kept: &T) -> Vec<u8> {
    postcard::to_extend(kept, vec![VERSION]).unwrap_or_default()
}

pub(super) fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Option<T> {
    let (&version, fields) = bytes.split_first()?;
    if version != VERSION {
        return None;
    }
    postcard::from_bytes(fields).ok()
}
