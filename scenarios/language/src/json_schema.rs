//! The JSON Schema (2020-12) of the whole language, for editors.

use std::collections::BTreeMap;

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
    let shared = share(&mut properties);
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "lastmeter scenario",
        "type": "object",
        "properties": properties,
        "required": required,
        "additionalProperties": false,
        "$defs": shared,
    })
}

/// Defines once what several kinds of a section have in common, and refers to it: half of the
/// schema would be the keys that all device models share.
fn share(sections: &mut serde_json::Map<String, Value>) -> serde_json::Map<String, Value> {
    let mut shared = serde_json::Map::new();
    for (section, schema) in sections {
        let items = schema.get_mut("items").and_then(|items| items.get_mut("oneOf"));
        let Some(kinds) = items.and_then(Value::as_array_mut) else { continue };
        let mut tables: Vec<_> = kinds
            .iter_mut()
            .filter_map(|kind| kind.get_mut("properties")?.as_object_mut())
            .collect();
        let mut uses: BTreeMap<(String, String), Vec<usize>> = BTreeMap::new();
        for (place, table) in tables.iter().enumerate() {
            for (key, value) in table.iter() {
                uses.entry((key.clone(), value.to_string())).or_default().push(place);
            }
        }
        for ((key, _), places) in uses.into_iter().filter(|(_, places)| places.len() > 1) {
            let alike = shared.keys().filter(|name| is_numbered(name, section, &key)).count();
            let name = match alike {
                0 => format!("{section}.{key}"),
                more => format!("{section}.{key}.{}", more + 1),
            };
            let reference = json!({ "$ref": format!("#/$defs/{name}") });
            for place in places {
                let value = tables[place].insert(key.clone(), reference.clone());
                shared.entry(name.clone()).or_insert(value.unwrap_or_default());
            }
        }
    }
    shared
}

/// Whether a definition is one of a key of a section.
fn is_numbered(name: &str, section: &str, key: &str) -> bool {
    let rest = name.strip_prefix(section).and_then(|rest| rest.strip_prefix('.'));
    let rest = rest.and_then(|rest| rest.strip_prefix(key));
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
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
