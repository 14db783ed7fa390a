//! A device's message as the platform holds it: below the doors it may come through and the
//! formats it may be written in.
//!
//! Formats decode into it, the pipeline carries it, stores make rows of it. The bytes as they came
//! are in the journal; nothing here is ever written as such. It has no tenant: whoever holds it is
//! inside one.

use std::collections::BTreeMap;

use lastmeter_units::{HardwareId, MeasurementId, SimTime};

/// Epoch and serial of a reading.
pub type Number = (u64, u64);

/// The names of an alert's epoch and serial in its metadata.
pub const EPOCH: &str = "epoch";
/// See [`EPOCH`].
pub const SERIAL: &str = "serial";

/// What a device sent, decoded.
#[derive(Clone, Debug, PartialEq)]
pub struct Message {
    /// Who sent it, as the message states.
    pub device: HardwareId,
    /// Under which number a repetition is recognised; nothing of it is, without one.
    pub number: Option<Number>,
    /// When it happened; `None` means the moment it is received.
    pub event: Option<SimTime>,
    /// Whether the device's last known state takes it over.
    pub updates_state: bool,
    /// Id of the invocation it answers, where it names one.
    pub originator: Option<String>,
    /// Metadata other than serial and epoch.
    pub metadata: BTreeMap<String, String>,
    /// What it is about.
    pub body: MessageBody,
}

/// What a message is about.
#[derive(Clone, Debug, PartialEq)]
pub enum MessageBody {
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
    /// The answer to a command.
    Acknowledgement {
        /// The invocation, as the device names it.
        invocation: String,
        /// What the device answers.
        response: String,
    },
    /// What an application concludes, from the message's event on.
    Result {
        /// What is concluded.
        kind: String,
        /// What of that kind it speaks of; its last result holds.
        subject: String,
        /// Until when, if it does not go on.
        until: Option<SimTime>,
        /// The conclusion, as JSON.
        content: String,
    },
    /// Samples of a recorder, from the message's event on.
    Block {
        /// What its channels measure, each once.
        channels: Vec<MeasurementId>,
        /// Samples of each channel.
        samples: usize,
        /// Samples per second of each channel.
        rate_hz: f64,
        /// The block as it came: it has one form of writing only.
        content: Vec<u8>,
    },
    /// The device is there.
    Registration,
}

impl Message {
    /// One of a device that states nothing but what it is, now, without a number.
    pub fn new(device: HardwareId, body: MessageBody) -> Self {
        Self {
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
