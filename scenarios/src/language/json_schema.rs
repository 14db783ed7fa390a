//! The JSON Schema (2020-12) of the whole language, for editors.

use lastmeter_params::schema;
use serde_json::{Value, json};

use super::sections::{FORMAT, Section, sections, single_sections};

/// The schema of a scenario file, from the definitions that reading uses.
pub fn json_schema() -> Value {
    let mut properties = serde_json::Map::new();
    properties.insert(
        "format".to_owned(),
        json!({ "const": FORMAT, "description": "the version of the scenario language" }),
    );
    for section in single_sections() {
        let mut object = schema::object(&[section.fields]);
        object["description"] = json!(section.doc);
        properties.insert(section.name.to_owned(), object);
    }
    for section in sections() {
        match section.within() {
            Some((outer, key)) => properties[outer]["properties"][key] = rows(&section),
            None => _ = properties.insert(section.name.to_owned(), rows(&section)),
        }
    }
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "lastmeter scenario",
        "type": "object",
        "properties": properties,
        "required": ["format", "scenario", "check"],
        "additionalProperties": false,
    })
}

/// The schema of a section's list: each table is one of the registered kinds, if there are kinds.
fn rows(section: &Section) -> Value {
    let Some(kind_key) = section.kind_key else {
        let items = schema::object(&[section.fields]);
        return json!({ "type": "array", "description": section.doc, "items": items });
    };
    let table = |entry: &lastmeter_params::Entry| {
        let mut table = schema::object(&[section.fields, entry.fields]);
        table["title"] = json!(entry.name);
        table["description"] = json!(entry.summary);
        table["properties"][kind_key] =
            json!({ "const": entry.name, "description": entry.summary });
        table
    };
    let tables: Vec<Value> = section.entries().into_iter().map(table).collect();
    json!({ "type": "array", "description": section.doc, "items": { "oneOf": tables } })
}
