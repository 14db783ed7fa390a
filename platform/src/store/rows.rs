//! What readers give out, as plain values.

use std::collections::BTreeMap;

use lastmeter_units::SimTime;

/// A stored measurement message.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct ReadingRow {
    /// Commit sequence, from 1, without gaps.
    pub(crate) sequence: u64,
    /// Hardware id.
    pub(crate) device: String,
    /// Epoch and serial, if the message had a serial (D-22).
    pub(crate) number: Option<(u64, u64)>,
    /// When it was measured.
    pub(crate) event: SimTime,
    /// When it arrived.
    pub(crate) received: SimTime,
    /// When the transaction began that committed it, by the platform's clock. When that was done
    /// cannot stand in the store; `Progress` knows it for a while.
    pub(crate) commit: SimTime,
    /// Identifier and value in the message's unit.
    pub(crate) values: Vec<(String, f64)>,
    /// Metadata other than serial and epoch.
    pub(crate) metadata: BTreeMap<String, String>,
}

/// A refusal.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct RefusalRow {
    /// From 1, without gaps.
    pub(crate) sequence: u64,
    /// The reason's word.
    pub(crate) reason: String,
    /// The hardware id the message claimed, if it could be read.
    pub(crate) device: Option<String>,
    /// The topic it came on.
    pub(crate) topic: String,
    /// What was found and what was expected.
    pub(crate) detail: String,
    /// When it arrived.
    pub(crate) event: SimTime,
}

/// A device.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct DeviceRow {
    /// Its row.
    pub(crate) id: i64,
    /// Hardware id.
    pub(crate) hardware_id: String,
    /// When it was first heard.
    pub(crate) created: SimTime,
    /// Token of its assignment.
    pub(crate) assignment: String,
    /// The assignment's status.
    pub(crate) status: String,
}

/// What is known last of a device.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct DeviceState {
    /// When it was last heard.
    pub(crate) last_interaction: Option<SimTime>,
    /// Last values, of messages that asked for it (`updateState`).
    pub(crate) values: Vec<StateValue>,
    /// Last alerts that asked for it, newest first.
    pub(crate) alerts: Vec<AlertRow>,
}

/// A last value.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct StateValue {
    /// Identifier.
    pub(crate) name: String,
    /// When it was measured.
    pub(crate) event: SimTime,
    /// In the message's unit.
    pub(crate) value: f64,
}

/// An alert.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct AlertRow {
    /// From 1.
    pub(crate) sequence: u64,
    /// When it happened.
    pub(crate) event: SimTime,
    /// When it arrived.
    pub(crate) received: SimTime,
    /// Info, Warning, Error or Critical.
    pub(crate) level: String,
    /// The application's kind of alert.
    pub(crate) kind: String,
    /// Text.
    pub(crate) message: String,
    /// Further texts by name.
    pub(crate) metadata: BTreeMap<String, String>,
}

/// One value of a series.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct SeriesPoint {
    /// When it was measured.
    pub(crate) event: SimTime,
    /// Epoch; -1 for a value without a serial.
    pub(crate) epoch: i64,
    /// Serial, or the commit sequence of a value without one.
    pub(crate) serial: i64,
    /// In the message's unit.
    pub(crate) value: f64,
}
