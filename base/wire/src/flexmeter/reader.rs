//! Reads the JSON text into fields in one pass, without judging it.
//!
//! Terms: a *slot* is a field that was absent, of the wrong JSON type, or there. The reader goes
//! on after a field of the wrong type, so that the judgement in `decode` sees the whole message
//! and can name its device. It gives up only on text that is not JSON, a number beyond `f64`, or
//! nesting that is too deep.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::marker::PhantomData;

use lastmeter_units::{MEASUREMENTS, MeasurementId};
use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

use super::refusal::{Limits, RefusalReason, excerpt};

/// The error text that marks nesting that is too deep; the only error visitors raise themselves.
pub(super) const TOO_DEEP: &str = "nested too deep";

#[derive(Debug, Default)]
pub(super) enum Slot<T> {
    /// No such key, or `null`.
    #[default]
    Absent,
    /// A value of another JSON type, described.
    Wrong(&'static str),
    There(T),
}

/// A problem met while reading a map, kept until the message is judged.
pub(super) type Problem = (RefusalReason, String);

#[derive(Debug, Default)]
pub(super) struct EnvelopeFields<'de> {
    pub(super) hardware_id: Slot<Cow<'de, str>>,
    pub(super) kind: Slot<Cow<'de, str>>,
    pub(super) originator: Slot<Cow<'de, str>>,
    pub(super) request: Slot<RequestFields<'de>>,
    pub(super) duplicate: Option<&'static str>,
}

/// The inner object; it has the fields of all message types, because `type` may come later.
#[derive(Debug, Default)]
pub(super) struct RequestFields<'de> {
    pub(super) measurements: Slot<MeasurementFields>,
    pub(super) metadata: Slot<MetadataFields>,
    pub(super) event_date: Slot<Cow<'de, str>>,
    pub(super) update_state: Slot<bool>,
    pub(super) alert_type: Slot<Cow<'de, str>>,
    pub(super) level: Slot<Cow<'de, str>>,
    pub(super) message: Slot<Cow<'de, str>>,
    pub(super) originating_event_id: Slot<Cow<'de, str>>,
    pub(super) response: Slot<Cow<'de, str>>,
    pub(super) duplicate: Option<&'static str>,
}

/// `request.measurements`, with the first thing wrong with it.
#[derive(Debug, Default)]
pub(super) struct MeasurementFields {
    pub(super) values: Vec<(MeasurementId, f64)>,
    pub(super) problem: Option<Problem>,
}

/// `request.metadata`, with the first thing wrong with it.
#[derive(Debug, Default)]
pub(super) struct MetadataFields {
    pub(super) texts: BTreeMap<String, String>,
    pub(super) problem: Option<Problem>,
}

/// How deep the reader may still go, and how much it may keep.
#[derive(Clone, Copy)]
pub(super) struct Room {
    pub(super) depth: usize,
    pub(super) limits: Limits,
}

impl Room {
    pub(super) fn new(limits: Limits) -> Self {
        // The JSON reader itself stops at 128 levels; stay below, so that the reason is ours.
        Self { depth: limits.depth_max.min(100), limits }
    }

    pub(super) fn inside<E: Error>(self) -> Result<Self, E> {
        let depth = self.depth.checked_sub(1).ok_or_else(|| E::custom(TOO_DEEP))?;
        Ok(Self { depth, limits: self.limits })
    }
}

/// A type a slot may hold: it overrides the JSON type it takes.
pub(super) trait Slotted<'de>: Sized {
    fn text(_: Cow<'de, str>) -> Slot<Self> {
        Slot::Wrong("a text")
    }

    fn boolean(_: bool) -> Slot<Self> {
        Slot::Wrong("a boolean")
    }

    fn object<A: MapAccess<'de>>(map: A, room: Room) -> Result<Slot<Self>, A::Error> {
        skip_object(map, room)?;
        Ok(Slot::Wrong("an object"))
    }

    fn list<A: SeqAccess<'de>>(list: A, room: Room) -> Result<Slot<Self>, A::Error> {
        skip_list(list, room)?;
        Ok(Slot::Wrong("a list"))
    }
}

impl<'de> Slotted<'de> for Cow<'de, str> {
    fn text(text: Cow<'de, str>) -> Slot<Self> {
        Slot::There(text)
    }
}

impl Slotted<'_> for bool {
    fn boolean(value: bool) -> Slot<Self> {
        Slot::There(value)
    }
}

/// What a visitor of any JSON value makes of texts, booleans and numbers.
macro_rules! visits {
    ($out:ty: $($visit:ident($of:ty) = $make:expr),* $(,)?) => {
        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("any JSON value")
        }

        $(fn $visit<E>(self, value: $of) -> Result<$out, E> {
            Ok(($make)(value))
        })*
    };
}
pub(super) use visits;

pub(super) struct SlotSeed<T> {
    room: Room,
    of: PhantomData<T>,
}

impl<T> SlotSeed<T> {
    pub(super) fn new(room: Room) -> Self {
        Self { room, of: PhantomData }
    }
}

impl<'de, T: Slotted<'de>> DeserializeSeed<'de> for SlotSeed<T> {
    type Value = Slot<T>;
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Slot<T>, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de, T: Slotted<'de>> Visitor<'de> for SlotSeed<T> {
    type Value = Slot<T>;

    visits! { Slot<T>:
        visit_str(&str) = |text: &str| T::text(Cow::Owned(text.to_owned())),
        visit_bool(bool) = T::boolean,
        visit_i64(i64) = |_| Slot::Wrong("a number"),
        visit_u64(u64) = |_| Slot::Wrong("a number"),
        visit_f64(f64) = |_| Slot::Wrong("a number"),
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Slot<T>, E> {
        Ok(T::text(Cow::Borrowed(text)))
    }

    fn visit_unit<E>(self) -> Result<Slot<T>, E> {
        Ok(Slot::Absent)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, list: A) -> Result<Slot<T>, A::Error> {
        let room = self.room.inside()?;
        T::list(list, room)
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Slot<T>, A::Error> {
        let room = self.room.inside()?;
        T::object(map, room)
    }
}

/// Steps over one value of any type.
pub(super) struct Skip(pub(super) Room);

impl<'de> DeserializeSeed<'de> for Skip {
    type Value = ();
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(SlotSeed::<Nothing>::new(self.0)).map(|_| ())
    }
}

/// A type no JSON value fits, for stepping over what nobody asked for.
struct Nothing;
impl Slotted<'_> for Nothing {}

fn skip_list<'de, A: SeqAccess<'de>>(mut list: A, room: Room) -> Result<(), A::Error> {
    while list.next_element_seed(Skip(room))?.is_some() {}
    Ok(())
}

fn skip_object<'de, A: MapAccess<'de>>(mut map: A, room: Room) -> Result<(), A::Error> {
    while map.next_key_seed(Key(|_: &str| ()))?.is_some() {
        map.next_value_seed(Skip(room))?;
    }
    Ok(())
}

/// Reads a key and turns it into something at once, so that it need not be kept.
pub(super) struct Key<F>(pub(super) F);

impl<'de, R, F: FnOnce(&str) -> R> DeserializeSeed<'de> for Key<F> {
    type Value = R;
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<R, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl<R, F: FnOnce(&str) -> R> Visitor<'_> for Key<F> {
    type Value = R;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_str<E>(self, text: &str) -> Result<R, E> {
        Ok((self.0)(text))
    }
}

/// Fills the slots of one object: a key met twice is noted, a key of no slot is skipped. The first
/// value of a repeated key stays; the message is refused for it anyway.
macro_rules! fill_slots {
    ($map:ident, $room:ident, $fields:ident, { $($key:literal => $slot:ident),* $(,)? }) => {{
        const KEYS: &[&str] = &[$($key),*];
        let mut seen = 0_u32;
        while let Some(found) =
            $map.next_key_seed(Key(|text: &str| KEYS.iter().position(|key| *key == text)))?
        {
            let Some(found) = found else {
                $map.next_value_seed(Skip($room))?;
                continue;
            };
            if seen & (1 << found) != 0 {
                $fields.duplicate.get_or_insert(KEYS[found]);
                $map.next_value_seed(Skip($room))?;
                continue;
            }
            seen |= 1 << found;
            match KEYS[found] {
                $($key => $fields.$slot = $map.next_value_seed(SlotSeed::new($room))?,)*
                _ => {}
            }
        }
    }};
}

/// Reads the envelope into fields that outlive an error, so that a refusal can name the device.
pub(super) struct EnvelopeSeed<'f, 'de> {
    pub(super) fields: &'f mut EnvelopeFields<'de>,
    pub(super) room: Room,
}

impl<'de> DeserializeSeed<'de> for EnvelopeSeed<'_, 'de> {
    type Value = bool;
    /// Whether it was an object.
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<bool, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for EnvelopeSeed<'_, 'de> {
    type Value = bool;

    visits! { bool:
        visit_str(&str) = |_| false,
        visit_bool(bool) = |_| false,
        visit_i64(i64) = |_| false,
        visit_u64(u64) = |_| false,
        visit_f64(f64) = |_| false,
    }

    fn visit_unit<E>(self) -> Result<bool, E> {
        Ok(false)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, list: A) -> Result<bool, A::Error> {
        skip_list(list, self.room.inside()?)?;
        Ok(false)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<bool, A::Error> {
        let (fields, room) = (self.fields, self.room.inside()?);
        fill_slots!(map, room, fields, {
            "hardwareId" => hardware_id,
            "type" => kind,
            "originator" => originator,
            "request" => request,
        });
        Ok(true)
    }
}

impl<'de> Slotted<'de> for RequestFields<'de> {
    fn object<A: MapAccess<'de>>(mut map: A, room: Room) -> Result<Slot<Self>, A::Error> {
        let mut fields = Self::default();
        fill_slots!(map, room, fields, {
            "measurements" => measurements,
            "metadata" => metadata,
            "eventDate" => event_date,
            "updateState" => update_state,
            "type" => alert_type,
            "level" => level,
            "message" => message,
            "originatingEventId" => originating_event_id,
            "response" => response,
        });
        Ok(Slot::There(fields))
    }
}

impl<'de> Slotted<'de> for MeasurementFields {
    fn object<A: MapAccess<'de>>(mut map: A, room: Room) -> Result<Slot<Self>, A::Error> {
        let mut fields = Self::default();
        fields.values.reserve(map.size_hint().unwrap_or(24).min(room.limits.values_max));
        let mut seen = vec![false; MEASUREMENTS.len()];
        let mut entries = 0_usize;
        let lookup = |name: &str| MeasurementId::lookup(name).ok_or_else(|| excerpt(name));
        while let Some(key) = map.next_key_seed(Key(lookup))? {
            entries += 1;
            let value = map.next_value_seed(NumberSeed(room))?;
            let problem = match (key, value) {
                _ if fields.problem.is_some() => continue,
                _ if entries > room.limits.values_max => (
                    RefusalReason::TooManyValues,
                    format!("more than {} measurements", room.limits.values_max),
                ),
                (Err(name), _) => (
                    RefusalReason::UnknownIdentifier,
                    format!("`{name}` is not in the registry of measurement identifiers"),
                ),
                (Ok(id), _) if std::mem::replace(&mut seen[id.index()], true) => {
                    (RefusalReason::DuplicateKey, format!("`{id}` stands twice"))
                }
                (Ok(id), Err(found)) => (
                    RefusalReason::NotANumber,
                    format!("the value of `{id}` is {found}, expected a finite number"),
                ),
                (Ok(id), Ok(number)) => {
                    fields.values.push((id, number));
                    continue;
                }
            };
            fields.problem = Some(problem);
        }
        Ok(Slot::There(fields))
    }
}

/// Reads a finite number; anything else becomes its description.
struct NumberSeed(Room);

type Number = Result<f64, &'static str>;

impl<'de> DeserializeSeed<'de> for NumberSeed {
    type Value = Number;
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Number, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for NumberSeed {
    type Value = Number;

    visits! { Number:
        visit_f64(f64) = |value: f64| if value.is_finite() { Ok(value) } else { Err("not finite") },
        visit_u64(u64) = |value| Ok(value as f64),
        visit_i64(i64) = |value| Ok(value as f64),
        visit_str(&str) = |_| Err("a text"),
        visit_bool(bool) = |_| Err("a boolean"),
    }

    fn visit_unit<E>(self) -> Result<Number, E> {
        Ok(Err("null"))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, list: A) -> Result<Number, A::Error> {
        skip_list(list, self.0.inside()?)?;
        Ok(Err("a list"))
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Number, A::Error> {
        skip_object(map, self.0.inside()?)?;
        Ok(Err("an object"))
    }
}

impl<'de> Slotted<'de> for MetadataFields {
    fn object<A: MapAccess<'de>>(mut map: A, room: Room) -> Result<Slot<Self>, A::Error> {
        let mut fields = Self::default();
        let mut entries = 0_usize;
        while let Some(key) = map.next_key_seed(Key(str::to_owned))? {
            entries += 1;
            let value = map.next_value_seed(SlotSeed::<Cow<'de, str>>::new(room))?;
            let problem = match value {
                _ if fields.problem.is_some() => continue,
                _ if entries > room.limits.metadata_max => (
                    RefusalReason::BadMetadata,
                    format!("more than {} entries of metadata", room.limits.metadata_max),
                ),
                _ if fields.texts.contains_key(&key) => (
                    RefusalReason::DuplicateKey,
                    format!("`metadata.{}` stands twice", excerpt(&key)),
                ),
                Slot::There(text) => {
                    fields.texts.insert(key, text.into_owned());
                    continue;
                }
                Slot::Wrong(found) => (
                    RefusalReason::BadMetadata,
                    format!("`metadata.{}` is {found}, expected a text", excerpt(&key)),
                ),
                Slot::Absent => (
                    RefusalReason::BadMetadata,
                    format!("`metadata.{}` is null, expected a text", excerpt(&key)),
                ),
            };
            fields.problem = Some(problem);
        }
        Ok(Slot::There(fields))
    }
}

/// The error text that marks a key that stands twice.
pub(super) const DUPLICATE: &str = "key stands twice";

/// Reads any JSON value, refusing repeated keys and deep nesting.
#[derive(Clone, Copy)]
pub(super) struct Tree(pub(super) Room);

impl<'de> DeserializeSeed<'de> for Tree {
    type Value = Value;
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Tree {
    type Value = Value;

    visits! { Value:
        visit_bool(bool) = Value::from,
        visit_i64(i64) = Value::from,
        visit_u64(u64) = Value::from,
        visit_f64(f64) = Value::from,
        visit_str(&str) = Value::from,
        visit_string(String) = Value::from,
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Value, A::Error> {
        let inside = Self(self.0.inside()?);
        let mut values = Vec::new();
        while let Some(value) = list.next_element_seed(inside)? {
            values.push(value);
        }
        Ok(Value::Array(values))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
        let inside = Self(self.0.inside()?);
        let mut object = Map::new();
        while let Some(key) = map.next_key::<String>()? {
            let value = map.next_value_seed(inside)?;
            if object.contains_key(&key) {
                return Err(A::Error::custom(format_args!("{DUPLICATE}: `{}`", excerpt(&key))));
            }
            object.insert(key, value);
        }
        Ok(Value::Object(object))
    }
}
