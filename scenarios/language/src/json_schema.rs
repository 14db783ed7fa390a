//! The JSON Schema (2020-12) of the whole language, for editors.

use lastmeter_params::schema;
use serde::Serialize as _;
use serde_json::ser::{PrettyFormatter, Serializer};
use serde_json::{Value, json};

use super::draft::{FORMAT, Section, once_first};
use super::section::SECTIONS;

/// The schema as text; a narrow indent spares a third of its size.
pub fn json_schema_text() -> String {
    let mut text = Vec::new();
    let indent = PrettyFormatter::with_indent(b" ");
    let mut serializer = Serializer::with_formatter(&mut text, indent);
    // What is written to memory does not fail.
    let _ = json_schema().serialize(&mut serializer);
    String::from_utf8(text).unwrap_or_default()
}

/// The schema of a scenario file, from the definitions that reading uses.
pub fn json_schema() -> Value {
    let mut properties = serde_json::Map::new();
    properties.insert(
        "format".to_owned(),
        json!({ "const": FORMAT, "description": "the version of the scenario language" }),
    );
    let mut required = vec!["format"];
    for section in once_first(SECTIONS) {
        let schema = of_section(section);
        match section.within() {
            Some((outer, key)) => properties[outer]["properties"][key] = schema,
            None => _ = properties.insert(section.name.to_owned(), schema),
        }
        required.extend(section.is_required.then_some(section.name));
    }
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "lastmeter scenario",
        "type": "object",
        "properties": properties,
        "required": required,
        "additionalProperties": false,
    })
}

/// The schema of a section's table, or of its list: each is one of the registered kinds, if there
/// are kinds.
fn of_section(section: &Section) -> Value {
    let Some((kind_key, _)) = section.kind else {
        let mut table = schema::object(&[section.fields]);
        if section.repeats {
            return json!({ "type": "array", "description": section.doc, "items": table });
        }
        table["description"] = json!(section.doc);
        return table;
    };
    let table = |entry: &lastmeter_params::Entry| {
        let mut table = schema::object(&[section.fields, entry.fields]);
        table["title"] = json!(entry.name);
        table["description"] = json!(entry.summary);
        table["properties"][kind_key] =
            json!({ "const": entry.name, "description": entry.summary });
        table
    };
    let tables: Vec<Value> = (section.entries)().iter().map(table).collect();
    json!({ "type": "array", "description": section.doc, "items": { "oneOf": tables } })
}
