//! The forms of what applications read of the platform.

use std::collections::BTreeMap;

use lastmeter_units::SimTime;
use lastmeter_wire::rest::Answer;
use serde::Deserialize;
use serde::de::DeserializeOwned;

/// The body of an answer that is as it was expected; `None`: refused, or nobody answered.
pub(crate) fn body<T: DeserializeOwned>(answer: &Answer) -> Option<T> {
    if !(200..300).contains(&answer.status) {
        return None;
    }
    serde_json::from_slice(&answer.body).ok()
}

/// A reading as it comes on the live topics, values in message units.
#[derive(Debug, Deserialize)]
pub(crate) struct LiveReading {
    pub(crate) event_time: SimTime,
    pub(crate) values: BTreeMap<String, f64>,
}

/// An alert as it comes on the live topic.
#[derive(Debug, Deserialize)]
pub(crate) struct LiveAlert {
    pub(crate) device: String,
    #[serde(rename = "type")]
    pub(crate) kind: String,
    pub(crate) event_time: SimTime,
    #[serde(default)]
    pub(crate) metadata: BTreeMap<String, String>,
}

/// What is to be known of an assignment.
#[derive(Debug, Deserialize)]
pub(crate) struct Assignment {
    pub(crate) token: String,
}

/// A list of results.
#[derive(Debug, Deserialize)]
pub(crate) struct Results<T> {
    pub(crate) results: Vec<T>,
    /// Where the next page begins, if it is a list with pages that has one.
    #[serde(default)]
    pub(crate) next: Option<String>,
}

/// A page of a list in the order of commit.
#[derive(Debug, Deserialize)]
pub(crate) struct Page<T> {
    pub(crate) results: Vec<T>,
    /// Where the next page begins.
    pub(crate) next: String,
    /// Whether there is more by now.
    pub(crate) more: bool,
}

/// What is to be known of a command that was asked for.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Invocation {
    pub(crate) event_date: SimTime,
    pub(crate) initiator_id: String,
    pub(crate) command_token: String,
    pub(crate) parameter_values: BTreeMap<String, String>,
    #[serde(default)]
    pub(crate) metadata: BTreeMap<String, String>,
}

/// A series of readings, oldest first, in message units.
#[derive(Debug, Deserialize)]
pub(crate) struct Series {
    pub(crate) quantity: String,
    pub(crate) points: Vec<(SimTime, f64)>,
}
