//! One thing that happened, as a line of `events.jsonl`.
//!
//! A line is a JSON object that begins with `time`, `source` and `kind`, followed by the fields of
//! its kind in the order they were given. All times are virtual times or event times, never the
//! wall clock.

use std::fmt;

use lastmeter_units::SimTime;
use serde::de::{Error as _, MapAccess, Visitor};
use serde::ser::SerializeMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;

/// The kinds of events this version knows; readers keep others as they are.
pub mod kind {
    /// The bench did something to the system: fields `inject`, `device`, `detail`, `until`.
    pub const INJECT: &str = "inject";
    /// A command was given: fields `id`, `device`, `name`.
    pub const COMMAND: &str = "command";
    /// A device said that it got a command: fields `id`, `device`, `response`.
    pub const ACKNOWLEDGED: &str = "acknowledged";
    /// A device answered that it will not do what a command says: fields `id`, `device`,
    /// `response`.
    pub const COMMAND_REFUSED: &str = "command_refused";
    /// The platform gave a command up: fields `id`, `device`, `response`.
    pub const COMMAND_FAILED: &str = "command_failed";
    /// A command got too old before a device answered: fields `id`, `device`, `response`.
    pub const COMMAND_EXPIRED: &str = "command_expired";
    /// A reading is stored under a device that is not on the bench: field `device`.
    pub const FOREIGN_READING: &str = "foreign_reading";
    /// A reading is stored without any value the registry knows: fields `device`, `epoch`,
    /// `serial`.
    pub const VALUELESS_READING: &str = "valueless_reading";
    /// A stored reading carries a value under an identifier nobody sent: fields `device`, `epoch`,
    /// `serial`, `name`.
    pub const UNKNOWN_VALUE: &str = "unknown_value";
    /// The platform answered what its interface does not allow: field `detail`.
    pub const WRONG_ANSWER: &str = "wrong_answer";
    /// The platform refused a message: fields `reason`, `device`, `topic`, `detail`.
    pub const REFUSED: &str = "refused";
    /// A link is as it was before an injection again, told by `link:NAME`: fields `inject` (which
    /// kind of injection is over) and `link`.
    pub const RESTORED: &str = "restored";
    /// A process was killed: field `target`.
    pub const KILL: &str = "kill";
    /// A process is there again: field `target`.
    pub const RESTARTED: &str = "restarted";
    /// Something a device told about itself: fields `what`, `detail`.
    pub const DEVICE: &str = "device";
    /// The bench computed a coefficient and sent it to a meter: fields `step`, `device`,
    /// `register`, `meaning`, `unit`, `word_before`, `before`, `wanted`, `word`, `after`,
    /// `response`, and what it rests on.
    pub const CALIBRATION: &str = "calibration";
    /// A remark of the bench: field `text`.
    pub const NOTE: &str = "note";
    /// The run was interrupted here: field `detail`.
    pub const INTERRUPTED: &str = "interrupted";
}

const TIME: &str = "time";
const SOURCE: &str = "source";
const KIND: &str = "kind";

/// One thing that happened.
#[derive(Clone, Debug, PartialEq)]
pub struct Event {
    /// When, in virtual time.
    pub time: SimTime,
    /// Who says so: `bench`, `platform`, or a device's name.
    pub source: String,
    /// What kind of thing, a word of [`kind`] or another.
    pub kind: String,
    /// What else there is to say, in the order of writing.
    pub fields: Vec<(String, Value)>,
}

impl Event {
    /// An event without fields.
    pub fn new(time: SimTime, source: impl Into<String>, kind: impl Into<String>) -> Self {
        Self { time, source: source.into(), kind: kind.into(), fields: Vec::new() }
    }

    /// The event with one more field.
    ///
    /// # Panics
    /// If the field is named `time`, `source` or `kind`, or is there already.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        assert!(![TIME, SOURCE, KIND].contains(&name), "an event's field must not be named {name}");
        assert!(self.get(name).is_none(), "the event has a field {name} already");
        self.fields.push((name.to_owned(), value.into()));
        self
    }

    /// The bench did something to the system; add `until` with [`Self::with`] if it lasts.
    pub fn inject(time: SimTime, inject: &str, device: Option<&str>, detail: &str) -> Self {
        Self::new(time, "bench", kind::INJECT)
            .with("inject", inject)
            .with("device", device)
            .with("detail", detail)
    }

    /// The platform answered what its interface does not allow.
    pub fn wrong_answer(time: SimTime, detail: &str) -> Self {
        Self::new(time, "platform", kind::WRONG_ANSWER).with("detail", detail)
    }

    /// Command number `id` of this run was given to a device.
    pub fn command(time: SimTime, id: u64, device: &str, name: &str) -> Self {
        Self::new(time, "bench", kind::COMMAND)
            .with("id", id)
            .with("device", device)
            .with("name", name)
    }

    /// The command has to be refused by its device.
    #[must_use]
    pub fn must_be_refused(self) -> Self {
        self.with("expected", "refused")
    }

    /// A device acknowledged command number `id`.
    pub fn acknowledged(time: SimTime, id: u64, device: &str, response: &str) -> Self {
        Self::new(time, device, kind::ACKNOWLEDGED)
            .with("id", id)
            .with("device", device)
            .with("response", response)
    }

    /// The platform refused a message.
    pub fn refused(
        time: SimTime,
        reason: &str,
        device: Option<&str>,
        topic: &str,
        detail: &str,
    ) -> Self {
        Self::new(time, "platform", kind::REFUSED)
            .with("reason", reason)
            .with("device", device)
            .with("topic", topic)
            .with("detail", detail)
    }

    /// A link is as it was before an injection of this kind.
    pub fn restored(time: SimTime, link: &str, inject: &str) -> Self {
        Self::new(time, format!("link:{link}"), kind::RESTORED)
            .with("inject", inject)
            .with("link", link)
    }

    /// A process was killed.
    pub fn kill(time: SimTime, target: &str) -> Self {
        Self::new(time, "bench", kind::KILL).with("target", target)
    }

    /// A process is there again.
    pub fn restarted(time: SimTime, target: &str) -> Self {
        Self::new(time, "bench", kind::RESTARTED).with("target", target)
    }

    /// Something a device told about itself.
    pub fn device(time: SimTime, device: &str, what: &str, detail: &str) -> Self {
        Self::new(time, device, kind::DEVICE).with("what", what).with("detail", detail)
    }

    /// A remark of the bench.
    pub fn note(time: SimTime, text: &str) -> Self {
        Self::new(time, "bench", kind::NOTE).with("text", text)
    }

    /// The run was interrupted here.
    pub fn interrupted(time: SimTime, detail: &str) -> Self {
        Self::new(time, "bench", kind::INTERRUPTED).with("detail", detail)
    }

    /// A field's value.
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.fields.iter().find(|(field, _)| field == name).map(|(_, value)| value)
    }

    /// A field that is text.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.get(name).and_then(Value::as_str)
    }

    /// A field that is a whole number.
    pub fn number(&self, name: &str) -> Option<u64> {
        self.get(name).and_then(Value::as_u64)
    }

    /// The device it is about: the field `device`, or the source of a device's own event.
    pub fn about(&self) -> Option<&str> {
        let own = || (self.kind == kind::DEVICE).then_some(self.source.as_str());
        self.text("device").or_else(own)
    }

    /// The fields as `name value` pairs for people, without those that are `null` or empty.
    pub fn detail(&self) -> String {
        let mut parts = Vec::new();
        for (name, value) in &self.fields {
            match value {
                Value::Null => {}
                Value::String(text) if text.is_empty() => {}
                Value::String(text) => parts.push(format!("{name} {text}")),
                other => parts.push(format!("{name} {other}")),
            }
        }
        parts.join(", ")
    }
}

impl Serialize for Event {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(3 + self.fields.len()))?;
        map.serialize_entry(TIME, &self.time)?;
        map.serialize_entry(SOURCE, &self.source)?;
        map.serialize_entry(KIND, &self.kind)?;
        for (name, value) in &self.fields {
            map.serialize_entry(name, value)?;
        }
        map.end()
    }
}

impl<'de> Deserialize<'de> for Event {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(EventVisitor)
    }
}

struct EventVisitor;

impl<'de> Visitor<'de> for EventVisitor {
    type Value = Event;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object with `time`, `source` and `kind`")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Event, A::Error> {
        let (mut time, mut source, mut kind, mut fields) = (None, None, None, Vec::new());
        while let Some(name) = map.next_key::<String>()? {
            match name.as_str() {
                TIME => time = Some(map.next_value()?),
                SOURCE => source = Some(map.next_value()?),
                KIND => kind = Some(map.next_value()?),
                _ => fields.push((name, map.next_value()?)),
            }
        }
        Ok(Event {
            time: time.ok_or_else(|| A::Error::missing_field(TIME))?,
            source: source.ok_or_else(|| A::Error::missing_field(SOURCE))?,
            kind: kind.ok_or_else(|| A::Error::missing_field(KIND))?,
            fields,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_keys_stand_in_the_order_they_were_given() {
        let event = Event::new(SimTime(1_000_000_000), "meter", "device")
            .with("what", "freeze")
            .with("count", 3)
            .with("a", "last");
        let line = serde_json::to_string(&event).unwrap();
        assert_eq!(
            line,
            r#"{"time":"1970-01-01T00:00:01.000Z","source":"meter","kind":"device","what":"freeze","count":3,"a":"last"}"#
        );
        assert_eq!(serde_json::from_str::<Event>(&line).unwrap(), event);
    }

    #[test]
    fn what_lacks_time_source_or_kind_is_no_event() {
        for line in [
            "[]",
            "{}",
            r#"{"time":"1970-01-01T00:00:01Z","source":"m"}"#,
            r#"{"time":"yesterday","source":"m","kind":"note"}"#,
        ] {
            assert!(serde_json::from_str::<Event>(line).is_err(), "{line}");
        }
    }

    #[test]
    fn what_is_not_there_is_not_told() {
        let event = Event::refused(SimTime(0), "not_json", None, "t", "");
        assert_eq!(event.detail(), "reason not_json, topic t");
        assert_eq!(event.about(), None);
    }
}
