//! Messages to the platform as devices and gateways make them: readings, alerts, answers.

use std::collections::BTreeMap;

use lastmeter_units::{Epoch, HardwareId, MeasurementId, Serial, SimTime};
use lastmeter_wire::flexmeter::{
    AcknowledgeMessage, AlertLevel, AlertMessage, MeasurementMessage, encode_acknowledge,
    encode_alert, encode_measurements,
};

/// The epoch of counters that nothing restarts: those of devices in a run.
pub const EPOCH: Epoch = Epoch(1);

/// A numbered reading of an instant.
pub(crate) fn reading(
    owner: &HardwareId,
    at: SimTime,
    (epoch, serial): (Epoch, Serial),
    values: Vec<(MeasurementId, f64)>,
) -> MeasurementMessage {
    MeasurementMessage {
        event_date: Some(at),
        update_state: true,
        epoch: Some(epoch),
        serial: Some(serial),
        ..MeasurementMessage::new(owner.clone(), values)
    }
}

pub(crate) fn encoded(message: &MeasurementMessage) -> Vec<u8> {
    let mut payload = Vec::new();
    encode_measurements(message, &mut payload);
    payload
}

/// What a device or a gateway draws attention to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Alert {
    pub(crate) kind: &'static str,
    pub(crate) level: AlertLevel,
    /// What people read.
    pub(crate) text: String,
    /// What programs read, by name.
    pub(crate) facts: Vec<(&'static str, String)>,
}

impl Alert {
    /// The message of an alert of an instant, with its number in an epoch.
    pub(crate) fn encoded(
        self,
        owner: &HardwareId,
        at: SimTime,
        (epoch, number): (Epoch, u64),
    ) -> Vec<u8> {
        let facts = self.facts.into_iter();
        let message = AlertMessage {
            hardware_id: owner.clone(),
            alert_type: self.kind.to_owned(),
            level: self.level,
            message: self.text,
            event_date: Some(at),
            update_state: true,
            epoch: Some(epoch),
            serial: Some(Serial(number)),
            originator: None,
            metadata: facts.map(|(name, value)| (name.to_owned(), value)).collect(),
        };
        let mut payload = Vec::new();
        encode_alert(&message, &mut payload);
        payload
    }
}

/// The answer to an invocation as it is sent.
pub(crate) fn answer(
    owner: &HardwareId,
    now: SimTime,
    invocation: String,
    response: String,
) -> Vec<u8> {
    let message = AcknowledgeMessage {
        hardware_id: owner.clone(),
        originating_event_id: invocation,
        response,
        event_date: Some(now),
        update_state: false,
        metadata: BTreeMap::new(),
    };
    let mut payload = Vec::new();
    encode_acknowledge(&message, &mut payload);
    payload
}
