//! JSON with places: rows of attributes, each with the line on which it stands, and the column, as
//! what programs write is one line.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::Component;

/// An object's members in their order, duplicates included.
#[derive(Default)]
pub(super) struct Members<'a>(pub(super) Vec<(Cow<'a, str>, &'a RawValue)>);

#[derive(serde::Deserialize)]
struct Name<'a>(#[serde(borrow)] Cow<'a, str>);

impl<'de> Deserialize<'de> for Members<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Collect;
        impl<'de> Visitor<'de> for Collect {
            type Value = Members<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut members = Vec::with_capacity(map.size_hint().unwrap_or(0));
                while let Some((name, value)) = map.next_entry::<Name<'de>, &'de RawValue>()? {
                    members.push((name.0, value));
                }
                Ok(Members(members))
            }
        }
        deserializer.deserialize_map(Collect)
    }
}

/// Finds lines and columns: where each line begins.
pub(super) struct Lines<'a> {
    text: &'a str,
    begins: Vec<usize>,
}

impl<'a> Lines<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        let after = text.bytes().enumerate().filter(|&(_, byte)| byte == b'\n');
        Self { text, begins: after.map(|(at, _)| at + 1).collect() }
    }

    /// Line and column, in bytes, of a value that was parsed from the text, both from 1.
    pub(super) fn of(&self, value: &RawValue) -> (u32, u32) {
        let offset = (value.get().as_ptr() as usize).wrapping_sub(self.text.as_ptr() as usize);
        let line = self.begins.partition_point(|&begin| begin <= offset);
        let begin = line.checked_sub(1).map_or(0, |before| self.begins[before]);
        (line as u32 + 1, offset.wrapping_sub(begin) as u32 + 1)
    }
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Value {
    Missing,
    Number(f64),
    Phases([f64; 3]),
}

/// What is found in a row, or what is wrong with it.
pub(super) type RowResult<T> = Result<T, String>;

/// One component as it stands in the file. Absent attributes are `null`, not a number, or not
/// there; integers moreover by their lowest value, as power-grid-model marks them.
pub(super) struct Row {
    component: Component,
    values: Vec<Value>,
    /// Line and column.
    pub(super) at: (u32, u32),
    pub(super) id: i32,
    /// What it is called besides; no attribute of power-grid-model, which passes over such.
    pub(super) name: Option<String>,
    /// The length of a line in metres; no attribute of power-grid-model either.
    pub(super) length_m: Option<f64>,
}

/// The attribute that holds what an element is called.
const NAME: &str = "name";

/// The attribute that holds the length of a line.
const LENGTH: &str = "length_m";

const ABSENT_ID: f64 = -2_147_483_648.0;
const ABSENT_SMALL: f64 = -128.0;

impl Row {
    /// Reads a row: an object, or a list in the order of `compact`.
    pub(super) fn read(
        component: Component,
        compact: Option<&[usize]>,
        raw: &RawValue,
        at: (u32, u32),
    ) -> Result<Self, (i32, String)> {
        let known = component.attributes();
        let values = vec![Value::Missing; known.len()];
        let mut row = Self { component, values, at, id: 0, name: None, length_m: None };
        let filled = if raw.get().starts_with('{') {
            row.fill_from_object(raw, known)
        } else {
            row.fill_from_list(raw, known, compact)
        };
        if let Value::Number(id) = row.values[0] {
            row.id = id as i32;
        }
        filled.map_err(|wrong| (row.id, wrong))?;
        row.id = row.id("id").map_err(|wrong| (row.id, wrong))?;
        Ok(row)
    }

    fn fill_from_object(&mut self, raw: &RawValue, known: &[&str]) -> RowResult<()> {
        let Members(members) = serde_json::from_str(raw.get()).map_err(|error| within(&error))?;
        let mut seen = vec![false; known.len()];
        let mut unknown = None;
        for (name, value) in members {
            if name == NAME {
                if self.name.is_some() {
                    return Err(format!("{NAME} stands there twice"));
                }
                let wrong = |_| format!("{NAME} is {}, expected a text", shorten(value.get()));
                self.name = Some(serde_json::from_str(value.get()).map_err(wrong)?);
                continue;
            }
            if name == LENGTH && matches!(self.component, Component::Line | Component::AsymLine) {
                self.take_length(value)?;
                continue;
            }
            let Some(at) = known.iter().position(|&known| known == name) else {
                unknown = unknown.or(Some(name));
                continue;
            };
            if std::mem::replace(&mut seen[at], true) {
                return Err(format!("{name} stands there twice"));
            }
            self.values[at] = parse(known[at], value)?;
        }
        unknown
            .map_or(Ok(()), |name| Err(format!("{name} is no attribute of a {}", self.component)))
    }

    fn take_length(&mut self, value: &RawValue) -> RowResult<()> {
        if self.length_m.is_some() {
            return Err(format!("{LENGTH} stands there twice"));
        }
        let metres = serde_json::from_str::<f64>(value.get()).ok();
        let Some(metres) = metres.filter(|it| *it > 0.0 && it.is_finite()) else {
            let found = shorten(value.get());
            return Err(format!("{LENGTH} is {found}, expected a number above 0"));
        };
        self.length_m = Some(metres);
        Ok(())
    }

    fn fill_from_list(
        &mut self,
        raw: &RawValue,
        known: &[&str],
        compact: Option<&[usize]>,
    ) -> RowResult<()> {
        let values: Vec<&RawValue> = serde_json::from_str(raw.get())
            .map_err(|_| "neither an object nor a list of values".to_owned())?;
        let Some(order) = compact else {
            return Err("a list of values needs their order under \"attributes\"".to_owned());
        };
        if values.len() != order.len() {
            let (found, expected) = (values.len(), order.len());
            return Err(format!("{found} values, but \"attributes\" lists {expected} for it"));
        }
        for (&at, value) in order.iter().zip(values) {
            self.values[at] = parse(known[at], value)?;
        }
        Ok(())
    }

    fn value(&self, name: &str) -> Value {
        let at = self.component.attributes().iter().position(|&known| known == name);
        at.map_or(Value::Missing, |at| self.values[at])
    }

    pub(super) fn number(&self, name: &str) -> RowResult<Option<f64>> {
        match self.value(name) {
            Value::Missing => Ok(None),
            Value::Number(number) if number.is_finite() => Ok(Some(number)),
            Value::Number(number) => Err(format!("{name} is {number}, expected a number")),
            Value::Phases(_) => Err(format!("{name} is a list, expected one number")),
        }
    }

    /// A number that has to be there.
    pub(super) fn need(&self, name: &str) -> RowResult<f64> {
        self.number(name)?.ok_or_else(|| format!("{name} is missing"))
    }

    /// A number that has to be there and above zero.
    pub(super) fn positive(&self, name: &str) -> RowResult<f64> {
        let number = self.need(name)?;
        if number > 0.0 {
            Ok(number)
        } else {
            Err(format!("{name} is {number}, expected more than 0"))
        }
    }

    /// A number, or its default.
    pub(super) fn or(&self, name: &str, default: f64) -> RowResult<f64> {
        Ok(self.number(name)?.unwrap_or(default))
    }

    /// Three numbers, one for each phase, that have to be there.
    pub(super) fn phases(&self, name: &str) -> RowResult<[f64; 3]> {
        match self.value(name) {
            Value::Missing => Err(format!("{name} is missing")),
            Value::Number(_) => Err(format!("{name} is one number, expected a list of 3")),
            Value::Phases(numbers) if numbers.iter().all(|number| number.is_finite()) => {
                Ok(numbers)
            }
            Value::Phases(_) => Err(format!("{name} lacks a phase")),
        }
    }

    pub(super) fn id(&self, name: &str) -> RowResult<i32> {
        let found = self.need(name)?;
        if found.fract() == 0.0 && found > ABSENT_ID && found <= f64::from(i32::MAX) {
            Ok(found as i32)
        } else if found == ABSENT_ID {
            Err(format!("{name} is missing"))
        } else {
            Err(format!("{name} is {found}, expected a whole number of 32 bits"))
        }
    }

    /// A small whole number, or none if it is absent.
    pub(super) fn small(&self, name: &str) -> RowResult<Option<i32>> {
        match self.number(name)? {
            None | Some(ABSENT_SMALL) => Ok(None),
            Some(found) if found.fract() == 0.0 && found.abs() <= 127.0 => Ok(Some(found as i32)),
            Some(found) => Err(format!("{name} is {found}, expected a whole number of 8 bits")),
        }
    }

    /// A small whole number that has to be there.
    pub(super) fn need_small(&self, name: &str) -> RowResult<i32> {
        self.small(name)?.ok_or_else(|| format!("{name} is missing"))
    }

    /// Whether something is connected: 0 or 1.
    pub(super) fn status(&self, name: &str) -> RowResult<bool> {
        match self.need_small(name)? {
            0 => Ok(false),
            1 => Ok(true),
            found => Err(format!("{name} is {found}, expected 0 or 1")),
        }
    }
}

fn parse(name: &str, raw: &RawValue) -> RowResult<Value> {
    let text = raw.get();
    let wrong = || format!("{name} is {}, expected a number", shorten(text));
    match text.as_bytes().first() {
        Some(b'n') => Ok(Value::Missing),
        Some(b'"') => match text {
            "\"inf\"" | "\"+inf\"" => Ok(Value::Number(f64::INFINITY)),
            "\"-inf\"" => Ok(Value::Number(f64::NEG_INFINITY)),
            _ => Err(wrong()),
        },
        Some(b'[') => {
            let numbers: Vec<Option<f64>> = serde_json::from_str(text).map_err(|_| wrong())?;
            match numbers[..] {
                [a, b, c] => Ok(Value::Phases([a, b, c].map(|value| value.unwrap_or(f64::NAN)))),
                _ => Err(format!("{name} has {} values, expected 3", numbers.len())),
            }
        }
        _ => text.parse().map(Value::Number).map_err(|_| wrong()),
    }
}

/// What is wrong in a piece of the text, without a place, as that would count from its begin.
pub(super) fn within(error: &serde_json::Error) -> String {
    let message = error.to_string();
    message.split_once(" at line ").map_or(message.clone(), |(what, _)| what.to_owned())
}

/// The beginning of what was found, for a message.
fn shorten(text: &str) -> Cow<'_, str> {
    if text.chars().count() <= 30 {
        return text.into();
    }
    let mut begin: String = text.chars().take(27).collect();
    begin.push_str("...");
    begin.into()
}
