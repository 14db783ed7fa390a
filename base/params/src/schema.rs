//! JSON Schema (2020-12) of fields, from the same definitions that reading uses.
//!
//! A date is a string here: editors hand TOML dates to the schema as strings.

use serde_json::{Map, Value, json};

use crate::diagnostic::{Diagnostics, SourceId};
use crate::field::{Dimension, Field, Kind, Presence};
use crate::node::{Node, NodeValue, parse_as_written};

/// The schema of a table with these groups of fields and no other keys.
pub fn object(groups: &[&[Field]]) -> Value {
    let fields = || groups.iter().flat_map(|group| group.iter()).filter(|field| field.is_current());
    let properties: Map<String, Value> =
        fields().map(|field| (field.name.to_owned(), property(field))).collect();
    let required: Vec<&str> = fields()
        .filter(|field| field.presence == Presence::Required)
        .map(|field| field.name)
        .collect();
    json!({
        "type": "object",
        "properties": properties,
        "required": required,
        "additionalProperties": false,
    })
}

/// The schema of one field, with its description and default.
pub fn property(field: &Field) -> Value {
    let mut schema = of_kind(&field.kind);
    if let Value::Object(map) = &mut schema {
        map.insert("description".to_owned(), json!(field.doc));
        if let Presence::Default(text) = field.presence {
            map.insert("default".to_owned(), default_as_json(text));
        }
    }
    schema
}

/// The schema of what a kind of field holds.
pub fn of_kind(kind: &Kind) -> Value {
    match kind {
        Kind::Text => json!({ "type": "string" }),
        Kind::Name => json!({
            "type": "string",
            "pattern": "^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$",
        }),
        Kind::Pattern => {
            let text = json!({ "type": "string" });
            json!({ "anyOf": [text, { "type": "array", "items": text, "minItems": 1 }] })
        }
        Kind::Boolean => json!({ "type": "boolean" }),
        Kind::Integer { min, max } => {
            let mut schema = json!({ "type": "integer" });
            if *min != i64::MIN {
                schema["minimum"] = json!(min);
            }
            if *max != i64::MAX {
                schema["maximum"] = json!(max);
            }
            // What stands there as text is drawn from a distribution.
            schema["type"] = json!(["integer", "string"]);
            schema["pattern"] = json!(format!("^{DISTRIBUTION}$"));
            schema
        }
        Kind::Quantity { dimension, .. } => quantity(&[*dimension]),
        Kind::QuantityOfAny(dimensions) => quantity(dimensions),
        Kind::Instant => json!({ "type": "string", "format": "date-time" }),
        Kind::Choice(words) => json!({ "enum": words }),
        Kind::List(of) => json!({ "type": "array", "items": of_kind(of) }),
        Kind::Texts => json!({
            "type": "object",
            "additionalProperties": { "type": ["string", "number", "boolean"] },
        }),
        Kind::Open => json!({ "type": "object" }),
        Kind::Table(fields) => object(&[fields]),
    }
}

/// What a value may be drawn from in place of a number.
const DISTRIBUTION: &str = r"[a-z]+\(.*\)";

const NUMBER: &str = r"[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]+)?";

fn quantity(dimensions: &[Dimension]) -> Value {
    let alternatives: Vec<String> = dimensions.iter().map(|&one| pattern(one)).collect();
    let text = alternatives.join("|");
    if dimensions == [Dimension::Ratio] {
        // Only here a bare number can mean one thing.
        let text = format!(r"^({text}|\s*{NUMBER}\s*|{DISTRIBUTION})$");
        let text = json!({ "type": "string", "pattern": text });
        json!({ "anyOf": [{ "type": "number" }, text] })
    } else {
        json!({ "type": "string", "pattern": format!("^({text}|{DISTRIBUTION})$") })
    }
}

fn pattern(dimension: Dimension) -> String {
    let units: Vec<&str> = dimension.unit_spellings().collect();
    let units = units.join("|");
    if dimension == Dimension::Time {
        format!(r"\s*{NUMBER}\s*({units})(\s*[0-9.][0-9.eE]*\s*({units}))*\s*")
    } else {
        format!(r"\s*{NUMBER}\s*({units})\s*")
    }
}

fn default_as_json(text: &str) -> Value {
    let document = format!("value = {text}");
    let table = parse_as_written(&document, SourceId::FILE, &mut Diagnostics::new());
    table.get("value").map_or(Value::Null, as_json)
}

fn as_json(node: &Node) -> Value {
    match &node.value {
        NodeValue::String(text) | NodeValue::Datetime(text) => json!(text),
        NodeValue::Integer(number) => json!(number),
        NodeValue::Float(number) => json!(number),
        NodeValue::Boolean(value) => json!(value),
        NodeValue::Array(list) => list.iter().map(as_json).collect(),
        NodeValue::Table(table) => Value::Object(
            table.entries.iter().map(|entry| (entry.key.clone(), as_json(&entry.node))).collect(),
        ),
        NodeValue::Invalid => Value::Null,
    }
}
