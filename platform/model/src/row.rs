//! What stores keep, as plain values.

use std::collections::BTreeMap;
use std::sync::Arc;

use lastmeter_units::{HardwareId, SimTime};

/// The instant by which a reading belongs to an assignment, a group or a position: a late one to
/// what held when it was measured, one from a clock that is fast to what held when it came.
pub fn instant_of_data(event: SimTime, received: SimTime) -> SimTime {
    event.min(received)
}

/// A stored measurement message.
#[derive(Clone, Debug, PartialEq)]
pub struct ReadingRow {
    /// Commit sequence, from 1, without gaps.
    pub sequence: u64,
    /// Who sent it.
    pub device: HardwareId,
    /// Row of the device.
    pub device_row: i64,
    /// Epoch and serial, if the message had a serial.
    pub number: Option<(u64, u64)>,
    /// When it was measured.
    pub event: SimTime,
    /// Whether the message states it; otherwise it is when it arrived.
    pub is_dated: bool,
    /// Whether its values were to become the device's latest.
    pub updates_state: bool,
    /// When it arrived.
    pub received: SimTime,
    /// When the transaction began that committed it, by the platform's clock. When that was done
    /// cannot stand in the store; `Progress` knows it for a while.
    pub commit: SimTime,
    /// Identifier and value in the message's unit.
    pub values: Vec<(Arc<str>, f64)>,
    /// Originator and metadata other than serial and epoch, as JSON; `None` if there is neither.
    pub extra: Option<String>,
}

impl ReadingRow {
    /// Metadata other than serial and epoch.
    pub fn metadata(&self) -> BTreeMap<String, String> {
        extra_metadata(self.extra.as_deref())
    }

    /// The invocation that its message names.
    pub fn originator(&self) -> Option<String> {
        Extra::of(self.extra.as_deref()).originator
    }
}

/// What a message has beside its numbers.
#[derive(Default, serde::Deserialize)]
struct Extra {
    originator: Option<String>,
    metadata: BTreeMap<String, String>,
}

impl Extra {
    fn of(text: Option<&str>) -> Self {
        text.and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default()
    }
}

/// What `extra` holds of metadata.
pub fn extra_metadata(extra: Option<&str>) -> BTreeMap<String, String> {
    Extra::of(extra).metadata
}

/// What a block has beside its samples, as it is stored.
#[derive(Default, serde::Serialize, serde::Deserialize)]
struct BlockExtra {
    channels: Vec<String>,
    samples: u64,
}

/// The channels of a block and the samples of each as one text.
pub fn block_extra(channels: &[String], samples: u64) -> String {
    serde_json::json!(BlockExtra { channels: channels.to_vec(), samples }).to_string()
}

/// The names of the channels and the samples of each in such a text.
pub fn block_channels(extra: &str) -> (Vec<String>, u64) {
    let BlockExtra { channels, samples } = serde_json::from_str(extra).unwrap_or_default();
    (channels, samples)
}

/// Something that was refused.
#[derive(Clone, Debug, PartialEq)]
pub struct RefusalRow {
    /// From 1, without gaps.
    pub sequence: u64,
    /// Stable word of the reason.
    pub reason: String,
    /// The hardware id the message claimed, if it could be read.
    pub device: Option<String>,
    /// The topic it came on.
    pub topic: String,
    /// What was found and what was expected.
    pub detail: String,
    /// When it arrived.
    pub event: SimTime,
    /// What was refused, if it would be lost otherwise and there was room for it.
    pub content: Option<Vec<u8>>,
    /// How long that was, bytes; `None` if the reason is one that keeps no content.
    pub content_bytes: Option<u64>,
}

/// A registered device.
#[derive(Clone, Debug, PartialEq)]
pub struct DeviceRow {
    /// Its row in the store, from 1.
    pub id: i64,
    /// How it is known.
    pub hardware_id: HardwareId,
    /// When it was first heard.
    pub created: SimTime,
    /// Token of its assignment.
    pub assignment: String,
    /// Commands it was ever sent or meant to be.
    pub commands: u64,
    /// The last of them; 0 if there is none.
    pub last_command: i64,
}

/// What is known last of a device.
#[derive(Clone, Debug, PartialEq)]
pub struct DeviceState {
    /// When it was last heard.
    pub last_interaction: SimTime,
    /// Last values, of messages that asked for it (`updateState`).
    pub values: Vec<StateValue>,
    /// Last alerts that asked for it, newest first.
    pub alerts: Vec<AlertRow>,
}

/// A last value.
#[derive(Clone, Debug, PartialEq)]
pub struct StateValue {
    /// Identifier of the quantity.
    pub name: String,
    /// When it was measured.
    pub event: SimTime,
    /// In the message's unit.
    pub value: f64,
}

/// A stored alert.
#[derive(Clone, Debug, PartialEq)]
pub struct AlertRow {
    /// From 1, without gaps.
    pub sequence: u64,
    /// Who sent it.
    pub device: HardwareId,
    /// When it happened; when it arrived, if its message has no date.
    pub event: SimTime,
    /// When it arrived.
    pub received: SimTime,
    /// Info, Warning, Error or Critical.
    pub level: String,
    /// The application's kind of alert.
    pub kind: String,
    /// Text for people.
    pub message: String,
    /// Metadata of the message.
    pub metadata: BTreeMap<String, String>,
}

/// A stored result of an application.
#[derive(Clone, Debug, PartialEq)]
pub struct ResultRow {
    /// Commit sequence, from 1, without gaps.
    pub sequence: u64,
    /// The application.
    pub device: HardwareId,
    /// Epoch and serial.
    pub number: Option<(u64, u64)>,
    /// What is concluded.
    pub kind: String,
    /// What of that kind it speaks of.
    pub subject: String,
    /// When what it speaks of begins.
    pub from: SimTime,
    /// When that ends, if it does.
    pub until: Option<SimTime>,
    /// When it arrived.
    pub received: SimTime,
    /// The conclusion, as JSON.
    pub content: String,
}

/// A stored block of samples.
#[derive(Clone, Debug, PartialEq)]
pub struct BlockRow {
    /// Commit sequence, from 1, without gaps.
    pub sequence: u64,
    /// The recorder.
    pub device: HardwareId,
    /// Epoch and serial.
    pub number: Option<(u64, u64)>,
    /// When the first sample was taken.
    pub event: SimTime,
    /// When it arrived.
    pub received: SimTime,
    /// What its channels measure.
    pub channels: Vec<String>,
    /// Samples of each channel.
    pub samples: u64,
    /// Samples per second of each channel.
    pub rate_hz: f64,
    /// The block as it came (`lastmeter_wire::block`).
    pub content: Vec<u8>,
}

/// One value of a series.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SeriesPoint {
    /// When it was measured.
    pub event: SimTime,
    /// Commit sequence of its reading.
    pub sequence: u64,
    /// Epoch and serial, if the message had a serial.
    pub number: Option<(u64, u64)>,
    /// In the message's unit.
    pub value: f64,
}
