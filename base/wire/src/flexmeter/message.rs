//! The messages a device sends, as values.

use std::collections::BTreeMap;

use lastmeter_units::{Epoch, HardwareId, MeasurementId, Serial, SimTime};

/// Any message a device may send to the platform.
#[derive(Clone, Debug, PartialEq)]
pub enum Request {
    /// `DeviceMeasurements` (Flexmeter deliverable, section 4.5.1).
    Measurements(MeasurementMessage),
    /// `DeviceAlert` (section 4.5.2).
    Alert(AlertMessage),
    /// `Acknowledge` (section 4.5.3).
    Acknowledge(AcknowledgeMessage),
}

impl Request {
    /// The device that sent it.
    pub fn hardware_id(&self) -> &HardwareId {
        match self {
            Self::Measurements(message) => &message.hardware_id,
            Self::Alert(message) => &message.hardware_id,
            Self::Acknowledge(message) => &message.hardware_id,
        }
    }

    /// When it happened; `None` means the moment it is received (Table 1).
    pub fn event_date(&self) -> Option<SimTime> {
        match self {
            Self::Measurements(message) => message.event_date,
            Self::Alert(message) => message.event_date,
            Self::Acknowledge(message) => message.event_date,
        }
    }
}

/// One reading: values with their identifiers, in the units of Table 2.
#[derive(Clone, Debug, PartialEq)]
pub struct MeasurementMessage {
    /// The device that sends it.
    pub hardware_id: HardwareId,
    /// The values in the order of the message, each identifier once, in the registry's message
    /// unit (kW, kWh, V, ...), finite.
    pub values: Vec<(MeasurementId, f64)>,
    /// When it was measured; `None` means the moment it is received.
    pub event_date: Option<SimTime>,
    /// Whether the device's last known state takes these values over.
    pub update_state: bool,
    /// `metadata.epoch`: which run of the serial counter.
    pub epoch: Option<Epoch>,
    /// `metadata.serial`: the reading's number within the epoch, from 1.
    pub serial: Option<Serial>,
    /// Id of the invocation this answers, if any (SiteWhere's `originator`).
    pub originator: Option<String>,
    /// Further metadata. Never holds `serial` or `epoch`: they have their own fields, and the
    /// encoder leaves such entries out.
    pub metadata: BTreeMap<String, String>,
}

impl MeasurementMessage {
    /// A reading with nothing but its values.
    pub fn new(hardware_id: HardwareId, values: Vec<(MeasurementId, f64)>) -> Self {
        Self {
            hardware_id,
            values,
            event_date: None,
            update_state: false,
            epoch: None,
            serial: None,
            originator: None,
            metadata: BTreeMap::new(),
        }
    }

    /// The number under which a repetition is recognised: a serial without an epoch counts
    /// in epoch 0, an epoch without a serial numbers nothing.
    pub fn number(&self) -> Option<(Epoch, Serial)> {
        self.serial.map(|serial| (self.epoch.unwrap_or_default(), serial))
    }
}

lastmeter_units::words! {
    /// How bad an alert is (Table 3).
    pub enum AlertLevel {
        /// `Info`.
        Info = "Info",
        /// `Warning`.
        Warning = "Warning",
        /// `Error`.
        Error = "Error",
        /// `Critical`.
        Critical = "Critical",
    }
}

/// A device's status, warning or alarm (Table 3).
#[derive(Clone, Debug, PartialEq)]
pub struct AlertMessage {
    /// The device that sends it.
    pub hardware_id: HardwareId,
    /// What kind of alert, by the application's own name, such as `maximum.power.approaching`.
    pub alert_type: String,
    /// How bad it is.
    pub level: AlertLevel,
    /// Text for people; programs read [`Self::metadata`].
    pub message: String,
    /// When it happened; `None` means the moment it is received.
    pub event_date: Option<SimTime>,
    /// Whether the device's last known state takes the alert over.
    pub update_state: bool,
    /// `metadata.epoch`: which run of the counter of alerts.
    pub epoch: Option<Epoch>,
    /// `metadata.serial`: the alert's number within the epoch, from 1. Alerts are counted apart
    /// from readings.
    pub serial: Option<Serial>,
    /// Id of the invocation this answers, if any.
    pub originator: Option<String>,
    /// The facts of the alert by name, units in the names: what a program reads of it. A text
    /// under `serial` or `epoch` that is no number stays here.
    pub metadata: BTreeMap<String, String>,
}

/// A device's answer to a command (Table 5).
#[derive(Clone, Debug, PartialEq)]
pub struct AcknowledgeMessage {
    /// The device that sends it.
    pub hardware_id: HardwareId,
    /// Id of the invocation that is answered (`command.invocation.id`).
    pub originating_event_id: String,
    /// The device's text; empty if it printed nothing.
    pub response: String,
    /// When it answered; `None` means the moment it is received.
    pub event_date: Option<SimTime>,
    /// Carries no meaning (Table 5).
    pub update_state: bool,
    /// Further texts by name.
    pub metadata: BTreeMap<String, String>,
}
