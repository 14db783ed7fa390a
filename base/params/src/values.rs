//! The checked fields of one table.

use std::collections::BTreeMap;

use lastmeter_units::{SimDuration, SimTime};

use crate::diagnostic::Span;
use crate::field::Dimension;

/// One checked value, with SI numbers.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// Text, name or choice.
    Text(String),
    /// `true` or `false`.
    Boolean(bool),
    /// A whole number.
    Integer(i64),
    /// A number in the SI unit of its dimension, with the text as written.
    Quantity {
        /// In the dimension's SI unit.
        si: f64,
        /// The dimension of the unit that was written.
        dimension: Dimension,
        /// As the author wrote it, for the resolved scenario.
        written: String,
    },
    /// A point in time.
    Instant(SimTime),
    /// A list.
    List(Vec<(Value, Span)>),
    /// A table with free keys, its values as text.
    Texts(BTreeMap<String, String>),
    /// A table with free keys and any values, as TOML.
    Open(String),
    /// A nested table.
    Table(Values),
}

/// One field that is there, written or by default.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Item {
    pub(crate) name: &'static str,
    pub(crate) value: Value,
    pub(crate) span: Span,
    pub(crate) is_default: bool,
}

/// The checked fields of one table, in the order of their definition.
///
/// The getters without `Option` are for fields that are required or have a default: reading has
/// already made sure that they are there and of the right kind, so a miss is a broken invariant of
/// the registry entry, and panics with the field's name.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Values {
    /// Where the table stands.
    pub span: Span,
    pub(crate) items: Vec<Item>,
}

impl Values {
    fn item(&self, name: &str) -> Option<&Item> {
        self.items.iter().find(|item| item.name == name)
    }

    /// The value of a field, if it is there.
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.item(name).map(|item| &item.value)
    }

    /// Where a field's value stands; the table's own span if the field is absent.
    pub fn span_of(&self, name: &str) -> Span {
        self.item(name).map_or(self.span, |item| item.span)
    }

    /// Whether the field has the value of its default. Writing a default out changes nothing, so
    /// that a resolved scenario means the same as the one it came from.
    pub fn is_default(&self, name: &str) -> bool {
        self.item(name).is_some_and(|item| item.is_default)
    }

    /// Whether the field stands in the table, and is not there by its default alone.
    pub fn is_written(&self, name: &str) -> bool {
        self.item(name).is_some_and(|item| item.span != self.span)
    }

    /// A text, name or choice.
    pub fn text(&self, name: &str) -> &str {
        self.text_opt(name).unwrap_or_else(|| missing(name))
    }

    /// A text, name or choice that may be absent.
    pub fn text_opt(&self, name: &str) -> Option<&str> {
        match self.get(name)? {
            Value::Text(text) => Some(text),
            _ => missing(name),
        }
    }

    /// The value of a boolean key.
    pub fn boolean(&self, name: &str) -> bool {
        match self.get(name) {
            Some(Value::Boolean(value)) => *value,
            _ => missing(name),
        }
    }

    /// A whole number.
    pub fn integer(&self, name: &str) -> i64 {
        self.integer_opt(name).unwrap_or_else(|| missing(name))
    }

    /// A whole number that may be absent.
    pub fn integer_opt(&self, name: &str) -> Option<i64> {
        match self.get(name)? {
            Value::Integer(value) => Some(*value),
            _ => missing(name),
        }
    }

    /// A number in the SI unit of its dimension.
    pub fn si(&self, name: &str) -> f64 {
        self.si_opt(name).unwrap_or_else(|| missing(name))
    }

    /// A number in the SI unit of its dimension, that may be absent.
    pub fn si_opt(&self, name: &str) -> Option<f64> {
        match self.get(name)? {
            Value::Quantity { si, .. } => Some(*si),
            _ => missing(name),
        }
    }

    /// A span of time, rounded to nanoseconds.
    pub fn duration(&self, name: &str) -> SimDuration {
        SimDuration::from_seconds_f64(self.si(name))
    }

    /// A span of time that may be absent.
    pub fn duration_opt(&self, name: &str) -> Option<SimDuration> {
        self.si_opt(name).map(SimDuration::from_seconds_f64)
    }

    /// A point in time that may be absent.
    pub fn instant_opt(&self, name: &str) -> Option<SimTime> {
        match self.get(name)? {
            Value::Instant(value) => Some(*value),
            _ => missing(name),
        }
    }

    /// A list; empty if the field is absent.
    pub fn list(&self, name: &str) -> &[(Value, Span)] {
        match self.get(name) {
            Some(Value::List(list)) => list,
            None => &[],
            Some(_) => missing(name),
        }
    }

    /// A list of numbers in SI units; empty if the field is absent.
    pub fn si_list(&self, name: &str) -> Vec<f64> {
        self.list(name)
            .iter()
            .map(|(value, _)| match value {
                Value::Quantity { si, .. } => *si,
                _ => missing(name),
            })
            .collect()
    }

    /// A list of texts; empty if the field is absent.
    pub fn text_list(&self, name: &str) -> Vec<&str> {
        self.list(name)
            .iter()
            .map(|(value, _)| match value {
                Value::Text(text) => text.as_str(),
                _ => missing(name),
            })
            .collect()
    }

    /// A list of tables; empty if the field is absent.
    pub fn tables(&self, name: &str) -> Vec<&Values> {
        self.list(name)
            .iter()
            .map(|(value, _)| match value {
                Value::Table(values) => values,
                _ => missing(name),
            })
            .collect()
    }

    /// A table with free keys; empty if the field is absent.
    pub fn texts(&self, name: &str) -> BTreeMap<String, String> {
        match self.get(name) {
            Some(Value::Texts(texts)) => texts.clone(),
            None => BTreeMap::new(),
            Some(_) => missing(name),
        }
    }

    /// A nested table that may be absent.
    pub fn table_opt(&self, name: &str) -> Option<&Values> {
        match self.get(name)? {
            Value::Table(values) => Some(values),
            _ => missing(name),
        }
    }

    /// The fields that are there, in the order of their definition.
    pub fn iter(&self) -> impl Iterator<Item = (&'static str, &Value)> {
        self.items.iter().map(|item| (item.name, &item.value))
    }
}

impl Values {
    /// The fields as TOML lines in the order of their definition, defaults written out; nested
    /// tables stand inline. Reading the text again gives the same values.
    pub fn to_toml(&self) -> String {
        let mut text = String::new();
        for item in &self.items {
            text.push_str(item.name);
            text.push_str(" = ");
            item.value.write_toml(&mut text);
            text.push('\n');
        }
        text
    }

    /// Whether both hold the same values, wherever they come from.
    pub fn same_values(&self, other: &Self) -> bool {
        self.items.len() == other.items.len()
            && self
                .items
                .iter()
                .zip(&other.items)
                .all(|(a, b)| a.name == b.name && a.value.same(&b.value))
    }
}

impl Value {
    /// Whether both are the same value, wherever they come from.
    pub(crate) fn same(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::List(a), Self::List(b)) => {
                a.len() == b.len() && a.iter().zip(b).all(|((a, _), (b, _))| a.same(b))
            }
            (Self::Table(a), Self::Table(b)) => a.same_values(b),
            _ => self == other,
        }
    }

    /// The value as TOML writes it on one line.
    pub fn to_toml(&self) -> String {
        let mut text = String::new();
        self.write_toml(&mut text);
        text
    }

    fn write_toml(&self, text: &mut String) {
        match self {
            Self::Text(value) => text.push_str(&quote(value)),
            Self::Boolean(value) => text.push_str(&value.to_string()),
            Self::Integer(value) => text.push_str(&value.to_string()),
            Self::Quantity { written, .. } => text.push_str(&quote(written)),
            Self::Instant(value) => text.push_str(&value.to_string()),
            Self::List(list) => {
                text.push('[');
                for (index, (value, _)) in list.iter().enumerate() {
                    text.push_str(if index == 0 { "" } else { ", " });
                    value.write_toml(text);
                }
                text.push(']');
            }
            Self::Texts(texts) => {
                let row = |(key, value): (&String, &String)| {
                    format!("{} = {}", quote_key(key), quote(value))
                };
                let rows = texts.iter().map(row);
                let rows: Vec<String> = rows.collect();
                text.extend(["{ ", &rows.join(", "), " }"]);
            }
            Self::Open(toml) => text.push_str(toml),
            Self::Table(values) => {
                text.push('{');
                for (index, item) in values.items.iter().enumerate() {
                    text.push_str(if index == 0 { " " } else { ", " });
                    text.push_str(item.name);
                    text.push_str(" = ");
                    item.value.write_toml(text);
                }
                text.push_str(" }");
            }
        }
    }
}

/// A key as TOML writes it: in quotes where it has to be.
pub(crate) fn quote_key(key: &str) -> String {
    let is_bare = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    if !key.is_empty() && key.chars().all(is_bare) { key.to_owned() } else { quote(key) }
}

/// A text as a TOML basic string.
pub fn quote(value: &str) -> String {
    let mut text = String::with_capacity(value.len() + 2);
    text.push('"');
    for c in value.chars() {
        match c {
            '"' => text.push_str("\\\""),
            '\\' => text.push_str("\\\\"),
            '\n' => text.push_str("\\n"),
            '\t' => text.push_str("\\t"),
            c if c.is_control() => text.extend(format!("\\u{:04X}", u32::from(c)).chars()),
            c => text.push(c),
        }
    }
    text.push('"');
    text
}

#[cold]
fn missing<T>(name: &str) -> T {
    panic!("field `{name}` is absent, or of another kind than the getter expects")
}
