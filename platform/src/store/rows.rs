//! What readers give out, as plain values.

use std::collections::BTreeMap;
use std::sync::Arc;

use lastmeter_units::{HardwareId, SimTime};

/// A stored measurement message.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct ReadingRow {
    /// Commit sequence, from 1, without gaps.
    pub(crate) sequence: u64,
    pub(crate) device: HardwareId,
    pub(crate) device_row: i64,
    /// Epoch and serial, if the message had a serial.
    pub(crate) number: Option<(u64, u64)>,
    /// When it was measured.
    pub(crate) event: SimTime,
    /// Whether the message states it; otherwise it is when it arrived.
    pub(crate) is_dated: bool,
    /// Whether its values were to become the device's latest.
    pub(crate) updates_state: bool,
    pub(crate) received: SimTime,
    /// When the transaction began that committed it, by the platform's clock. When that was done
    /// cannot stand in the store; `Progress` knows it for a while.
    pub(crate) commit: SimTime,
    /// Identifier and value in the message's unit.
    pub(crate) values: Vec<(Arc<str>, f64)>,
    /// Originator and metadata other than serial and epoch, as JSON; `None` if there is neither.
    pub(crate) extra: Option<String>,
}

impl ReadingRow {
    /// Metadata other than serial and epoch.
    pub(crate) fn metadata(&self) -> BTreeMap<String, String> {
        extra_metadata(self.extra.as_deref())
    }
}

/// What `extra` holds of metadata.
pub(super) fn extra_metadata(extra: Option<&str>) -> BTreeMap<String, String> {
    #[derive(serde::Deserialize)]
    struct Extra {
        metadata: BTreeMap<String, String>,
    }
    let extra = extra.and_then(|text| serde_json::from_str::<Extra>(text).ok());
    extra.map(|extra| extra.metadata).unwrap_or_default()
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct RefusalRow {
    /// From 1, without gaps.
    pub(crate) sequence: u64,
    pub(crate) reason: String,
    /// The hardware id the message claimed, if it could be read.
    pub(crate) device: Option<String>,
    pub(crate) topic: String,
    /// What was found and what was expected.
    pub(crate) detail: String,
    /// When it arrived.
    pub(crate) event: SimTime,
    /// What was refused, if it would be lost otherwise and there was room for it.
    pub(crate) content: Option<Vec<u8>>,
    /// How long that was, bytes; `None` if the reason is one that keeps no content.
    pub(crate) content_bytes: Option<u64>,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct DeviceRow {
    /// Its row in the store, from 1.
    pub(crate) id: i64,
    pub(crate) hardware_id: HardwareId,
    /// When it was first heard.
    pub(crate) created: SimTime,
    /// Token of its assignment.
    pub(crate) assignment: String,
    /// Commands it was ever sent or meant to be.
    pub(crate) commands: u64,
    /// The last of them; 0 if there is none.
    pub(crate) last_command: i64,
}

/// What is known last of a device.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct DeviceState {
    /// When it was last heard.
    pub(crate) last_interaction: SimTime,
    /// Last values, of messages that asked for it (`updateState`).
    pub(crate) values: Vec<StateValue>,
    /// Last alerts that asked for it, newest first.
    pub(crate) alerts: Vec<AlertRow>,
}

/// A last value.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct StateValue {
    pub(crate) name: String,
    /// When it was measured.
    pub(crate) event: SimTime,
    /// In the message's unit.
    pub(crate) value: f64,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct AlertRow {
    /// From 1, without gaps.
    pub(crate) sequence: u64,
    pub(crate) device: HardwareId,
    /// When it happened; when it arrived, if its message has no date.
    pub(crate) event: SimTime,
    pub(crate) received: SimTime,
    /// Info, Warning, Error or Critical.
    pub(crate) level: String,
    /// The application's kind of alert.
    pub(crate) kind: String,
    pub(crate) message: String,
    pub(crate) metadata: BTreeMap<String, String>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct SeriesPoint {
    /// When it was measured.
    pub(crate) event: SimTime,
    /// Commit sequence of its reading.
    pub(crate) sequence: u64,
    /// Epoch and serial, if the message had a serial.
    pub(crate) number: Option<(u64, u64)>,
    /// In the message's unit.
    pub(crate) value: f64,
}
