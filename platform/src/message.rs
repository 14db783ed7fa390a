//! A device's message as the platform holds it: below the doors it may come through and the
//! formats it may be written in.
//!
//! Formats decode into it (`format`), the pipeline carries it, the store makes rows of it. The
//! bytes as they came are in the journal; nothing here is ever written as such.

use std::collections::BTreeMap;

use lastmeter_units::{HardwareId, MeasurementId, SimTime};

/// Epoch and serial of a reading.
pub(crate) type Number = (u64, u64);

/// The names of an alert's epoch and serial in its metadata.
pub(crate) const EPOCH: &str = "epoch";
/// See [`EPOCH`].
pub(crate) const SERIAL: &str = "serial";

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Message {
    pub(crate) tenant: &'static str,
    pub(crate) device: HardwareId,
    /// Under which number a repetition is recognised; nothing of it is, without one.
    pub(crate) number: Option<Number>,
    /// When it happened; `None` means the moment it is received.
    pub(crate) event: Option<SimTime>,
    /// Whether the device's last known state takes it over.
    pub(crate) updates_state: bool,
    /// Id of the invocation it answers, where it names one.
    pub(crate) originator: Option<String>,
    pub(crate) metadata: BTreeMap<String, String>,
    pub(crate) body: MessageBody,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum MessageBody {
    /// A reading: finite values, each quantity once, in the registry's message unit.
    Measurements(Vec<(MeasurementId, f64)>),
    /// A status, a warning, an alarm.
    Alert {
        /// The application's own name of it.
        kind: String,
        /// How bad it is, as a stable word.
        level: &'static str,
        /// Text for people or machines.
        text: String,
    },
    Acknowledgement {
        /// The invocation, as the device names it.
        invocation: String,
        response: String,
    },
    /// The device is there.
    Registration,
}

impl Message {
    /// One of a device that states nothing but what it is, now, without a number.
    pub(crate) fn new(tenant: &'static str, device: HardwareId, body: MessageBody) -> Self {
        Self {
            tenant,
            device,
            number: None,
            event: None,
            updates_state: false,
            originator: None,
            metadata: BTreeMap::new(),
            body,
        }
    }
}
