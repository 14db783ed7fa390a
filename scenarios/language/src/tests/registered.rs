//! What is registered is documented, and the checked-in schema is the language's.

use lastmeter_params::{CODES, Field, Kind};
use serde_json::Value;

use super::VALID;
use super::links::LINKED;
use crate::section::SECTIONS;
use crate::{explain, json_schema, json_schema_text, registry};

/// A text as if it were never broken into lines.
fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[test]
fn everything_registered_is_explained_with_its_keys() {
    let registered: std::collections::BTreeSet<&str> =
        registry().map(|(section, _)| section.name).collect();
    assert_eq!(
        registered.into_iter().collect::<Vec<_>>(),
        [
            "application",
            "check",
            "device",
            "door",
            "gateway",
            "grid.defect",
            "grid.load",
            "grid.protection",
            "inject",
            "link",
            "network",
            "source"
        ]
    );
    for (_, registered) in registry() {
        let text = one_line(&explain(registered.name).unwrap());
        assert!(text.contains(&one_line(registered.summary)), "{text}");
        assert!(text.contains(&one_line(registered.description)), "{text}");
        for field in registered.fields {
            assert!(text.contains(&one_line(field.doc)), "{} in {text}", field.name);
        }
        assert!(registered.description.len() > 40, "{}", registered.name);
    }
    for code in CODES {
        assert!(explain(code.code()).unwrap().contains(code.title()));
    }
    for section in SECTIONS {
        let (name, fields) = (section.name, section.fields);
        let text = one_line(&explain(name).unwrap());
        assert!(text.contains(&one_line(section.doc)), "{name}");
        assert!(fields.iter().all(|field| text.contains(&one_line(field.doc))), "{name}");
    }
    assert_eq!(explain("no-such-thing"), None);
}

#[test]
fn a_section_refers_by_names_to_sections_that_have_them() {
    for section in SECTIONS {
        for (key, other) in section.refers {
            let entries = (section.entries)().into_iter().flat_map(|entry| entry.fields);
            let named: Vec<&Field> =
                section.fields.iter().chain(entries).filter(|field| field.name == *key).collect();
            assert!(!named.is_empty(), "{}.{key}", section.name);
            let is_name = |field: &&Field| field.kind == Kind::Name;
            assert!(named.iter().all(is_name), "{}.{key}", section.name);
            let other = SECTIONS.iter().find(|known| known.name == *other).unwrap();
            assert!(other.naming == crate::draft::Naming::Unique, "{}", other.name);
        }
    }
}

/// All fields of a table, those of the tables in it too.
fn with_inner(fields: &'static [Field]) -> Vec<&'static Field> {
    let inner = |field: &'static Field| match field.kind {
        Kind::Table(inner) | Kind::List(&Kind::Table(inner)) => with_inner(inner),
        _ => Vec::new(),
    };
    fields.iter().flat_map(|field| std::iter::once(field).chain(inner(field))).collect()
}

#[test]
fn the_keys_of_tables_within_tables_are_explained_too() {
    for (name, fields) in registry()
        .map(|(_, registered)| (registered.name, registered.fields))
        .chain(SECTIONS.iter().map(|section| (section.name, section.fields)))
    {
        let text = one_line(&explain(name).unwrap());
        for field in with_inner(fields) {
            assert!(text.contains(&one_line(field.doc)), "{name}: {} in {text}", field.name);
        }
    }
    // Not again where a table repeats the keys around it.
    assert_eq!(explain("link").unwrap().matches("The fixed delay of a leg").count(), 1);
}

#[test]
fn no_key_of_a_section_is_one_of_its_entries_too() {
    for section in SECTIONS {
        for entry in (section.entries)() {
            for field in entry.fields {
                assert!(section.fields.iter().all(|common| common.name != field.name));
                let same = entry.fields.iter().filter(|other| other.name == field.name);
                assert_eq!(same.count(), 1, "{}.{}", entry.name, field.name);
            }
        }
    }
}

#[test]
fn names_in_a_section_are_unique() {
    let mut names: Vec<(&str, &str)> =
        registry().map(|(section, registered)| (section.name, registered.name)).collect();
    let count = names.len();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), count);
}

#[test]
fn the_explanation_of_an_injection_reads_well() {
    insta::assert_snapshot!(explain("command").unwrap().trim_end(), @r#"
        command (inject): a command to a device, given through the platform's interface

        The bench asks the platform over REST to invoke a command on a device, as an application
        would, and waits for the acknowledgement. `command` holds the command's `name` and its
        parameters: `command = { name = "setReportingPeriod", seconds = 5 }`. The platform knows
        a device from its first reading on, so no command can come before. A command that is
        refused, fails, expires or is never answered, and that no `command_ack` check judges,
        makes the run inconclusive: what it was to test did not happen.

        Its keys:
          device   a name (required)
                     the device it is for
          command  a table (required)
                     `name`, and the command's parameters
          refused  `true` or `false` (default false)
                     whether the device has to refuse it

        Keys of every [[inject]]:
          name  a name (optional)
                  what overrides call it; else its number
          at    a time with its unit, as text (required)
                  when it happens, since the start
          kind  text (required)
                  which injection
    "#);
}

#[test]
fn the_explanation_of_a_breakage_and_of_a_preset_read_well() {
    insta::assert_snapshot!(explain("disconnect").unwrap().trim_end(), @r#"
        disconnect (inject): a link breaks for a while: reset, closed, half-open, stalled

        `reset`: connections end with a TCP reset, and new ones as soon as they are there.
        `close`: the same with an orderly end. `half-open`: connections stay and swallow what is
        written, and neither end hears of it; what notices is a limit for acknowledgements
        (`acknowledge_limit`) or the keep-alive. `stall`: connections stay, everything is held,
        and comes out in order afterwards.

        When `for` is over the link works again. Devices connect again by themselves and send
        what is in their outbox, in order. Two breakages of one link may follow each other, but
        not overlap.

        Its keys:
          link    a name (required)
                    the link it happens to
          device  text (optional)
                    only the connections of these devices: a name, or a pattern with *; else
                    everything that goes through the link, observers too
          how     one of `reset`, `close`, `half-open`, `stall` (default "reset")
                    how it breaks
          for     a time with its unit, as text (optional)
                    how long, within the scenario; `0 s`: only connections that are there; until
                    the end if left out

        Keys of every [[inject]]:
          name  a name (optional)
                  what overrides call it; else its number
          at    a time with its unit, as text (required)
                  when it happens, since the start
          kind  text (required)
                  which injection
    "#);
    let preset = explain("flexmeter-wan").unwrap();
    assert!(preset.starts_with("flexmeter-wan (link): the wide-area network"), "{preset}");
    assert!(preset.contains("Keys of every [[link]]:"), "{preset}");
}

#[test]
fn the_checked_in_schema_is_the_one_of_the_language() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../schema.json");
    let mut text = json_schema_text();
    text.push('\n');
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(path, &text).unwrap();
    }
    let checked_in = std::fs::read_to_string(path).unwrap_or_default();
    assert!(
        checked_in == text,
        "scenarios/schema.json is not what the definitions give; run the test with UPDATE_GOLDEN=1"
    );
}

/// The keys a file uses have to be keys the schema knows.
fn assert_known(value: &toml::Value, schema: &Value, path: &str) {
    let whole = json_schema();
    let name = schema["$ref"].as_str().map(|reference| reference.replace("#/$defs/", ""));
    let schema = name.map_or(schema, |name| &whole["$defs"][name]);
    match value {
        toml::Value::Table(table) => {
            let tables = schema["items"]["oneOf"].as_array();
            assert!(tables.is_none(), "{path}");
            for (key, inner) in table {
                let property = &schema["properties"][key];
                let open = schema["additionalProperties"].is_object();
                assert!(!property.is_null() || open, "{path}.{key} is not in the schema");
                assert_known(inner, property, &format!("{path}.{key}"));
            }
        }
        toml::Value::Array(list) => {
            for item in list {
                let item_schema = match schema["items"]["oneOf"].as_array() {
                    Some(kinds) => kinds
                        .iter()
                        .find(|kind| {
                            ["kind", "model"].iter().any(|key| {
                                let constant = kind["properties"][key]["const"].as_str();
                                constant.is_some()
                                    && item.get(key).and_then(toml::Value::as_str) == constant
                            })
                        })
                        .unwrap_or_else(|| panic!("{path}: no kind of the schema fits {item}")),
                    None => &schema["items"],
                };
                assert_known(item, item_schema, path);
            }
        }
        _ => assert!(!schema.is_null() || path.contains("command"), "{path}"),
    }
}

#[test]
fn the_schema_knows_every_key_of_a_valid_scenario() {
    for text in [VALID, LINKED] {
        let document: toml::Value = toml::from_str(text).unwrap();
        assert_known(&document, &json_schema(), "");
        let resolved = super::load(text).unwrap().resolved_toml();
        assert_known(&toml::from_str(&resolved).unwrap(), &json_schema(), "");
    }
}
