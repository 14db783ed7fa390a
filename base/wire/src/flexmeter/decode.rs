//! Judges what the reader found: from the envelope inwards, in a fixed order.

use std::borrow::Cow;
use std::collections::BTreeMap;

use lastmeter_units::{Epoch, HardwareId, HardwareIdError, Serial, SimTime};
use serde::de::DeserializeSeed;
use serde_json::{Map, Value};

use super::message::{AcknowledgeMessage, AlertLevel, AlertMessage, MeasurementMessage, Request};
use super::reader::{
    DUPLICATE, EnvelopeFields, EnvelopeSeed, MeasurementFields, MetadataFields, RequestFields,
    Room, Slot, TOO_DEEP, Tree,
};
use super::refusal::{DecodeRules, Limits, Refusal, RefusalReason, excerpt};

/// Decodes one message of a device (Flexmeter deliverable, section 4.5).
///
/// # Errors
/// [`Refusal`] with the reason, for every payload that is not exactly such a message.
pub fn decode(payload: &[u8], rules: &DecodeRules) -> Result<Request, Refusal> {
    let anonymous = |(reason, detail)| Refusal { reason, detail, hardware_id: None };
    let text = as_text(payload, &rules.limits).map_err(anonymous)?;
    let mut fields = EnvelopeFields::default();
    let read = read_envelope(text, rules.limits, &mut fields);
    let hardware_id = hardware_id(std::mem::take(&mut fields.hardware_id));
    let known = hardware_id.as_ref().ok().cloned();
    read.and_then(|()| judge(fields, hardware_id?, rules)).map_err(|(reason, detail)| Refusal {
        reason,
        detail,
        hardware_id: known,
    })
}

pub(super) type Judged<T> = Result<T, (RefusalReason, String)>;

/// The device, as the outer object names it.
pub(super) fn hardware_id(slot: Slot<Cow<'_, str>>) -> Judged<HardwareId> {
    match slot {
        Slot::Absent => Err(missing("hardwareId")),
        Slot::Wrong(found) => Err(wrong("hardwareId", found, "a text")),
        Slot::There(id) => HardwareId::new(id).map_err(bad_hardware_id),
    }
}

/// Checks size and encoding, which come before any JSON.
pub(super) fn as_text<'p>(payload: &'p [u8], limits: &Limits) -> Judged<&'p str> {
    if payload.len() > limits.bytes_max {
        let detail = format!("{} bytes, at most {} are taken", payload.len(), limits.bytes_max);
        return Err((RefusalReason::TooLarge, detail));
    }
    std::str::from_utf8(payload).map_err(|error| {
        (RefusalReason::NotUtf8, format!("byte {} is not UTF-8", error.valid_up_to()))
    })
}

fn read_envelope<'p>(text: &'p str, limits: Limits, fields: &mut EnvelopeFields<'p>) -> Judged<()> {
    let mut deserializer = serde_json::Deserializer::from_str(text);
    let seed = EnvelopeSeed { fields, room: Room::new(limits) };
    let is_object = seed.deserialize(&mut deserializer).map_err(|error| not_read(&error))?;
    deserializer.end().map_err(|error| (RefusalReason::TrailingData, error.to_string()))?;
    if is_object {
        Ok(())
    } else {
        Err((RefusalReason::NotAnObject, "expected an object with `hardwareId`".to_owned()))
    }
}

/// Reads an object as it stands, each key once; `key` is the one that shows what it is.
pub(super) fn tree(payload: &[u8], limits: &Limits, key: &str) -> Judged<Map<String, Value>> {
    let text = as_text(payload, limits)?;
    let mut deserializer = serde_json::Deserializer::from_str(text);
    let tree = Tree(Room::new(*limits)).deserialize(&mut deserializer);
    let tree = tree.map_err(|error| not_read(&error))?;
    deserializer.end().map_err(|error| (RefusalReason::TrailingData, error.to_string()))?;
    match tree {
        Value::Object(object) => Ok(object),
        _ => Err((RefusalReason::NotAnObject, format!("expected an object with `{key}`"))),
    }
}

/// Sorts the errors of the JSON reader; it has no codes, only these texts.
pub(super) fn not_read(error: &serde_json::Error) -> (RefusalReason, String) {
    let text = error.to_string();
    let reason = if error.is_data() && text.starts_with(TOO_DEEP) {
        RefusalReason::TooDeep
    } else if error.is_data() && text.starts_with(DUPLICATE) {
        RefusalReason::DuplicateKey
    } else if text.starts_with("number out of range") {
        RefusalReason::NotANumber
    } else {
        RefusalReason::NotJson
    };
    (reason, text)
}

fn judge(
    fields: EnvelopeFields<'_>,
    hardware_id: HardwareId,
    rules: &DecodeRules,
) -> Judged<Request> {
    if let Some(key) = fields.duplicate {
        return Err((RefusalReason::DuplicateKey, format!("`{key}` stands twice")));
    }
    let kind = required_text(fields.kind, "type")?;
    let originator = optional_text(fields.originator, "originator")?.map(Cow::into_owned);
    let request = match fields.request {
        Slot::There(request) => request,
        Slot::Wrong(found) => return Err(wrong("request", found, "an object")),
        Slot::Absent => return Err(missing("request")),
    };
    if let Some(key) = request.duplicate {
        return Err((RefusalReason::DuplicateKey, format!("`request.{key}` stands twice")));
    }
    match &*kind {
        "DeviceMeasurements" => {
            measurements(request, hardware_id, originator, rules).map(Request::Measurements)
        }
        "DeviceAlert" => alert(request, hardware_id, originator).map(Request::Alert),
        "Acknowledge" => acknowledge(request, hardware_id).map(Request::Acknowledge),
        other => {
            let detail = format!(
                "`{}`, expected DeviceMeasurements, DeviceAlert or Acknowledge",
                excerpt(other)
            );
            Err((RefusalReason::UnknownType, detail))
        }
    }
}

pub(super) fn measurements(
    request: RequestFields<'_>,
    hardware_id: HardwareId,
    originator: Option<String>,
    rules: &DecodeRules,
) -> Judged<MeasurementMessage> {
    let values = match request.measurements {
        Slot::There(MeasurementFields { problem: Some(problem), .. }) => return Err(problem),
        Slot::There(MeasurementFields { values, problem: None }) => values,
        Slot::Wrong(found) => return Err(wrong("request.measurements", found, "an object")),
        Slot::Absent => return Err(missing("request.measurements")),
    };
    if values.is_empty() {
        let detail = "`request.measurements` has no entry".to_owned();
        return Err((RefusalReason::NoMeasurements, detail));
    }
    if rules.strict_table2
        && let Some((id, _)) = values.iter().find(|(id, _)| !id.row().is_table2())
    {
        let detail = format!("`{id}` is not in Table 2, and this tenant takes nothing else");
        return Err((RefusalReason::UnknownIdentifier, detail));
    }
    for (id, value) in values.iter().filter(|_| rules.plausible_only) {
        let row = id.row();
        let greatest = row.si_unit.greatest() / row.si_factor;
        if value.abs() > greatest {
            let unit = row.unit;
            let detail =
                format!("`{id}` is {value:e} {unit}, expected at most {greatest:e} {unit}");
            return Err((RefusalReason::Implausible, detail));
        }
    }
    let mut metadata = metadata(request.metadata)?;
    let serial = take_number(&mut metadata, "serial")?;
    if serial == Some(0) {
        let detail = "`metadata.serial` is 0, readings are numbered from 1".to_owned();
        return Err((RefusalReason::BadMetadata, detail));
    }
    Ok(MeasurementMessage {
        hardware_id,
        values,
        event_date: event_date(request.event_date)?,
        update_state: update_state(&request.update_state)?,
        epoch: take_number(&mut metadata, "epoch")?.map(Epoch),
        serial: serial.map(Serial),
        originator,
        metadata,
    })
}

pub(super) fn alert(
    request: RequestFields<'_>,
    hardware_id: HardwareId,
    originator: Option<String>,
) -> Judged<AlertMessage> {
    let level = required_text(request.level, "request.level")?;
    let level = AlertLevel::from_word(&level).ok_or_else(|| {
        let found = excerpt(&level);
        let detail = format!("`{found}`, expected Info, Warning, Error or Critical");
        (RefusalReason::BadAlertLevel, detail)
    })?;
    let message = optional_text(request.message, "request.message")?
        .ok_or_else(|| missing("request.message"))?;
    let alert_type = required_text(request.alert_type, "request.type")?.into_owned();
    let event_date = event_date(request.event_date)?;
    let update_state = update_state(&request.update_state)?;
    let mut metadata = metadata(request.metadata)?;
    Ok(AlertMessage {
        hardware_id,
        alert_type,
        level,
        message: message.into_owned(),
        event_date,
        update_state,
        serial: take_if_number(&mut metadata, "serial", 1).map(Serial),
        epoch: take_if_number(&mut metadata, "epoch", 0).map(Epoch),
        originator,
        metadata,
    })
}

pub(super) fn acknowledge(
    request: RequestFields<'_>,
    hardware_id: HardwareId,
) -> Judged<AcknowledgeMessage> {
    let id = required_text(request.originating_event_id, "request.originatingEventId")?;
    let response = optional_text(request.response, "request.response")?;
    Ok(AcknowledgeMessage {
        hardware_id,
        originating_event_id: id.into_owned(),
        response: response.map(Cow::into_owned).unwrap_or_default(),
        event_date: event_date(request.event_date)?,
        update_state: update_state(&request.update_state)?,
        metadata: metadata(request.metadata)?,
    })
}

fn required_text<'p>(slot: Slot<Cow<'p, str>>, key: &str) -> Judged<Cow<'p, str>> {
    match optional_text(slot, key)? {
        Some(text) if !text.is_empty() => Ok(text),
        _ => Err(missing(key)),
    }
}

pub(super) fn optional_text<'p>(
    slot: Slot<Cow<'p, str>>,
    key: &str,
) -> Judged<Option<Cow<'p, str>>> {
    match slot {
        Slot::There(text) => Ok(Some(text)),
        Slot::Wrong(found) => Err(wrong(key, found, "a text")),
        Slot::Absent => Ok(None),
    }
}

fn update_state(slot: &Slot<bool>) -> Judged<bool> {
    match slot {
        Slot::There(value) => Ok(*value),
        Slot::Wrong(found) => Err(wrong("request.updateState", found, "true or false")),
        Slot::Absent => Ok(false),
    }
}

fn event_date(slot: Slot<Cow<'_, str>>) -> Judged<Option<SimTime>> {
    let Some(text) = optional_text(slot, "request.eventDate")? else { return Ok(None) };
    match text.parse() {
        Ok(instant) => Ok(Some(instant)),
        Err(_) => Err((
            RefusalReason::BadDate,
            format!("`{}`, expected a date such as 2016-02-10T19:40:03.391+02:00", excerpt(&text)),
        )),
    }
}

fn metadata(slot: Slot<MetadataFields>) -> Judged<BTreeMap<String, String>> {
    match slot {
        Slot::There(MetadataFields { problem: Some(problem), .. }) => Err(problem),
        Slot::There(MetadataFields { texts, problem: None }) => Ok(texts),
        Slot::Wrong(found) => Err((
            RefusalReason::BadMetadata,
            format!("`request.metadata` is {found}, expected an object of texts"),
        )),
        Slot::Absent => Ok(BTreeMap::new()),
    }
}

/// Takes a number out of the metadata: decimal digits without sign or leading zeros, so that a
/// number has one spelling.
fn take_number(metadata: &mut BTreeMap<String, String>, key: &str) -> Judged<Option<u64>> {
    let Some(text) = metadata.remove(key) else { return Ok(None) };
    decimal(&text).map(Some).ok_or_else(|| {
        let found = excerpt(&text);
        let detail = format!("`metadata.{key}` is `{found}`, expected a decimal number");
        (RefusalReason::BadMetadata, detail)
    })
}

/// The same of an alert: before alerts had numbers, any text could stand there, so what is no
/// number from `least` on stays as it is.
fn take_if_number(metadata: &mut BTreeMap<String, String>, key: &str, least: u64) -> Option<u64> {
    let number = decimal(metadata.get(key)?).filter(|number| *number >= least)?;
    metadata.remove(key);
    Some(number)
}

pub(super) fn decimal(text: &str) -> Option<u64> {
    let is_decimal = text.bytes().all(|byte| byte.is_ascii_digit());
    let is_short = text == "0" || !text.starts_with('0');
    text.parse().ok().filter(|_| is_decimal && is_short)
}

pub(super) fn missing(key: &str) -> (RefusalReason, String) {
    (RefusalReason::MissingField, format!("`{key}` is missing"))
}

pub(super) fn wrong(key: &str, found: &str, expected: &str) -> (RefusalReason, String) {
    (RefusalReason::WrongType, format!("`{key}` is {found}, expected {expected}"))
}

pub(super) fn bad_hardware_id(error: HardwareIdError) -> (RefusalReason, String) {
    match error {
        HardwareIdError::Empty => missing("hardwareId"),
        other => (RefusalReason::BadHardwareId, other.to_string()),
    }
}
