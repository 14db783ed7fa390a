//! Writes messages of a device as JSON, in the key order of the data format's examples.
//!
//! Numbers are written with the fewest digits that read back as the same number. JSON has no NaN
//! and no infinity: such a value is written as `null`, which every strict reader refuses, so a
//! device must leave out what it does not know.

use std::collections::BTreeMap;
use std::io::Write;

use lastmeter_units::{Epoch, Serial, SimTime};

use super::message::{AcknowledgeMessage, AlertMessage, MeasurementMessage, Request};

/// Appends any message of a device.
pub fn encode(request: &Request, out: &mut Vec<u8>) {
    match request {
        Request::Measurements(message) => encode_measurements(message, out),
        Request::Alert(message) => encode_alert(message, out),
        Request::Acknowledge(message) => encode_acknowledge(message, out),
    }
}

/// Appends a `DeviceMeasurements` message (Flexmeter deliverable, section 4.5.1), with serial and
/// epoch in `request.metadata` if the reading is numbered.
pub fn encode_measurements(message: &MeasurementMessage, out: &mut Vec<u8>) {
    out.reserve(256 + 64 * message.values.len());
    envelope(out, message.hardware_id.as_str(), "DeviceMeasurements", message.originator.as_ref());
    out.extend_from_slice(b"\"measurements\":{");
    for (index, (id, value)) in message.values.iter().enumerate() {
        if index > 0 {
            out.push(b',');
        }
        // Identifiers of the registry need no escapes.
        out.push(b'"');
        out.extend_from_slice(id.name().as_bytes());
        out.extend_from_slice(b"\":");
        number(out, *value);
    }
    out.push(b'}');
    state_and_date(out, message.update_state, message.event_date);
    metadata(out, &message.metadata, &numbers(message.serial, message.epoch));
    out.extend_from_slice(b"}}");
}

/// Appends a `DeviceAlert` message (Flexmeter deliverable, section 4.5.2), with serial and epoch
/// as those of readings if the alert is numbered.
pub fn encode_alert(message: &AlertMessage, out: &mut Vec<u8>) {
    envelope(out, message.hardware_id.as_str(), "DeviceAlert", message.originator.as_ref());
    out.extend_from_slice(b"\"type\":");
    text(out, &message.alert_type);
    out.extend_from_slice(b",\"level\":");
    text(out, message.level.word());
    out.extend_from_slice(b",\"message\":");
    text(out, &message.message);
    state_and_date(out, message.update_state, message.event_date);
    let numbers = numbers(message.serial, message.epoch);
    let there: Vec<_> = numbers.into_iter().filter(|(_, number)| number.is_some()).collect();
    metadata(out, &message.metadata, &there);
    out.extend_from_slice(b"}}");
}

fn numbers(serial: Option<Serial>, epoch: Option<Epoch>) -> [(&'static str, Option<u64>); 2] {
    [("serial", serial.map(|serial| serial.0)), ("epoch", epoch.map(|epoch| epoch.0))]
}

/// Appends an `Acknowledge` message (Flexmeter deliverable, section 4.5.3, Table 5).
pub fn encode_acknowledge(message: &AcknowledgeMessage, out: &mut Vec<u8>) {
    envelope(out, message.hardware_id.as_str(), "Acknowledge", None);
    out.extend_from_slice(b"\"response\":");
    text(out, &message.response);
    out.extend_from_slice(b",\"originatingEventId\":");
    text(out, &message.originating_event_id);
    state_and_date(out, message.update_state, message.event_date);
    metadata(out, &message.metadata, &[]);
    out.extend_from_slice(b"}}");
}

fn envelope(out: &mut Vec<u8>, hardware_id: &str, kind: &str, originator: Option<&String>) {
    out.extend_from_slice(b"{\"hardwareId\":");
    text(out, hardware_id);
    out.extend_from_slice(b",\"type\":\"");
    out.extend_from_slice(kind.as_bytes());
    out.push(b'"');
    if let Some(originator) = originator {
        out.extend_from_slice(b",\"originator\":");
        text(out, originator);
    }
    out.extend_from_slice(b",\"request\":{");
}

fn state_and_date(out: &mut Vec<u8>, update_state: bool, date: Option<SimTime>) {
    out.extend_from_slice(if update_state {
        b",\"updateState\":true"
    } else {
        b",\"updateState\":false"
    });
    if let Some(date) = date {
        write(out, format_args!(",\"eventDate\":\"{date}\""));
    }
}

fn metadata(out: &mut Vec<u8>, texts: &BTreeMap<String, String>, numbers: &[(&str, Option<u64>)]) {
    let numbered = |key: &str| numbers.iter().any(|(name, _)| *name == key);
    let mut before: &[u8] = b",\"metadata\":{";
    for (name, number) in numbers {
        if let Some(number) = number {
            out.extend_from_slice(before);
            write(out, format_args!("\"{name}\":\"{number}\""));
            before = b",";
        }
    }
    for (key, value) in texts.iter().filter(|(key, _)| !numbered(key)) {
        out.extend_from_slice(before);
        text(out, key);
        out.push(b':');
        text(out, value);
        before = b",";
    }
    if before == b"," {
        out.push(b'}');
    }
}

fn text(out: &mut Vec<u8>, text: &str) {
    serde_json::to_writer(out, text).expect("writing into memory does not fail");
}

fn number(out: &mut Vec<u8>, value: f64) {
    serde_json::to_writer(out, &value).expect("writing into memory does not fail");
}

fn write(out: &mut Vec<u8>, what: std::fmt::Arguments<'_>) {
    out.write_fmt(what).expect("writing into memory does not fail");
}
