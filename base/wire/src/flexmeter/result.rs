//! Results of applications (`result`): what a program concludes from readings and alerts, such as
//! an outage or the place of a fault.
//!
//! ```json
//! { "hardwareId": "outage", "type": "Result", "request": {
//!   "kind": "outage", "subject": "outage-7", "from": "...", "until": "...",
//!   "content": { ... }, "metadata": { "epoch": "1", "serial": "12" } } }
//! ```
//!
//! `kind` names what is concluded, `subject` what of it: the last result of a kind and subject is
//! what holds, those before are its history. `from` and `until` are the span that it speaks of;
//! without `until` it goes on. `content` is an object of the kind's own. Both numbers have to be
//! there: a result that is sent twice is stored once. Beyond the rules of messages of devices, a
//! key that no result has is refused and not left out (a misspelt `until` would be lost without a
//! word), in `content` no key may stand twice.

use lastmeter_units::{Epoch, HardwareId, Serial, SimTime};
use serde_json::{Map, Value, json};

use super::decode::{Judged, bad_hardware_id, decimal, missing, tree, wrong};
use super::refusal::{Limits, Refusal, RefusalReason, excerpt};

/// The longest kind, bytes.
pub const KIND_BYTES_MAX: usize = 64;
/// The longest subject, bytes.
pub const SUBJECT_BYTES_MAX: usize = 200;

/// What an application concludes.
#[derive(Clone, Debug, PartialEq)]
pub struct ResultMessage {
    /// The application, as a device.
    pub hardware_id: HardwareId,
    /// What is concluded: lower-case letters, digits and hyphens, such as `outage`.
    pub kind: String,
    /// What of that kind it speaks of, such as `outage-7`; no control characters.
    pub subject: String,
    /// When what it speaks of begins.
    pub from: SimTime,
    /// When that ends, not before `from`; `None` as long as it goes on.
    pub until: Option<SimTime>,
    /// The conclusion, in the form of its kind.
    pub content: Map<String, Value>,
    /// Which run of the counter of results.
    pub epoch: Epoch,
    /// The result's number within the epoch, from 1.
    pub serial: Serial,
}

/// Appends a result as JSON.
pub fn encode_result(message: &ResultMessage, out: &mut Vec<u8>) {
    let mut request = json!({
        "kind": message.kind,
        "subject": message.subject,
        "from": message.from,
        "content": message.content,
        "metadata": {
            "epoch": message.epoch.0.to_string(),
            "serial": message.serial.0.to_string(),
        },
    });
    if let Some(until) = message.until {
        request["until"] = json!(until);
    }
    let envelope =
        json!({ "hardwareId": message.hardware_id, "type": "Result", "request": request });
    serde_json::to_writer(out, &envelope).expect("writing into memory does not fail");
}

/// Decodes a result.
///
/// # Errors
/// [`Refusal`] with the reason, for every payload that is not exactly one.
pub fn decode_result(payload: &[u8], limits: &Limits) -> Result<ResultMessage, Refusal> {
    let anonymous = |(reason, detail)| Refusal { reason, detail, hardware_id: None };
    let envelope = tree(payload, limits, "hardwareId").map_err(anonymous)?;
    let hardware_id = text(&envelope, "hardwareId")
        .and_then(|id| HardwareId::new(id).map_err(bad_hardware_id))
        .map_err(anonymous)?;
    judge(&envelope, &hardware_id).map_err(|(reason, detail)| Refusal {
        reason,
        detail,
        hardware_id: Some(hardware_id),
    })
}

fn judge(envelope: &Map<String, Value>, hardware_id: &HardwareId) -> Judged<ResultMessage> {
    only(envelope, &["hardwareId", "type", "request"])?;
    let kind = text(envelope, "type")?;
    if kind != "Result" {
        let detail = format!("`{}`, expected Result", excerpt(kind));
        return Err((RefusalReason::UnknownType, detail));
    }
    let request = object(envelope, "request")?;
    only(request, &["kind", "subject", "from", "until", "content", "metadata"])?;
    let metadata = object(request, "metadata")?;
    only(metadata, &["epoch", "serial"])?;
    let serial = number(metadata, "serial")?;
    if serial == 0 {
        let detail = "`metadata.serial` is 0, results are numbered from 1".to_owned();
        return Err((RefusalReason::BadMetadata, detail));
    }
    let message = ResultMessage {
        hardware_id: hardware_id.clone(),
        kind: text(request, "kind")?.to_owned(),
        subject: text(request, "subject")?.to_owned(),
        from: date(request, "from")?.ok_or_else(|| missing("request.from"))?,
        until: date(request, "until")?,
        content: object(request, "content")?.clone(),
        epoch: Epoch(number(metadata, "epoch")?),
        serial: Serial(serial),
    };
    check(&message).map(|()| message)
}

/// Checks kind, subject and span.
fn check(message: &ResultMessage) -> Judged<()> {
    let is_letter = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    let ResultMessage { kind, subject, .. } = message;
    let detail = if kind.len() > KIND_BYTES_MAX || !kind.chars().all(is_letter) {
        format!("kind `{}`, expected lower-case letters, digits and hyphens", excerpt(kind))
    } else if subject.len() > SUBJECT_BYTES_MAX || subject.contains(char::is_control) {
        format!("subject `{}`, expected at most {SUBJECT_BYTES_MAX} bytes", excerpt(subject))
    } else if message.until.is_some_and(|until| until < message.from) {
        "`until` lies before `from`".to_owned()
    } else {
        return Ok(());
    };
    Err((RefusalReason::BadResult, detail))
}

/// Refuses keys that an object has beside these.
fn only(object: &Map<String, Value>, keys: &[&str]) -> Judged<()> {
    match object.keys().find(|key| !keys.contains(&key.as_str())) {
        None => Ok(()),
        Some(key) => {
            let detail = format!("unknown key `{}`, expected {}", excerpt(key), keys.join(", "));
            Err((RefusalReason::BadResult, detail))
        }
    }
}

/// A field that is there and not null.
fn field<'v>(object: &'v Map<String, Value>, key: &str) -> Judged<&'v Value> {
    object.get(key).filter(|value| !value.is_null()).ok_or_else(|| missing(key))
}

fn object<'v>(outer: &'v Map<String, Value>, key: &str) -> Judged<&'v Map<String, Value>> {
    let value = field(outer, key)?;
    value.as_object().ok_or_else(|| wrong(key, described(value), "an object"))
}

fn text<'v>(outer: &'v Map<String, Value>, key: &str) -> Judged<&'v str> {
    let value = field(outer, key)?;
    let text = value.as_str().ok_or_else(|| wrong(key, described(value), "a text"))?;
    if text.is_empty() { Err(missing(key)) } else { Ok(text) }
}

fn date(outer: &Map<String, Value>, key: &str) -> Judged<Option<SimTime>> {
    if outer.get(key).is_none_or(Value::is_null) {
        return Ok(None);
    }
    let found = text(outer, key)?;
    found.parse().map(Some).map_err(|_| {
        let detail = format!(
            "`{key}` is `{}`, expected a date such as 2016-02-10T19:40:03.391+02:00",
            excerpt(found)
        );
        (RefusalReason::BadDate, detail)
    })
}

/// A number of the metadata, as a text of decimal digits.
fn number(metadata: &Map<String, Value>, key: &str) -> Judged<u64> {
    let value = field(metadata, key)?;
    value.as_str().and_then(decimal).ok_or_else(|| {
        let detail = format!(
            "`metadata.{key}` is {}, expected a text of a decimal number",
            excerpt(&value.to_string())
        );
        (RefusalReason::BadMetadata, detail)
    })
}

const fn described(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}
