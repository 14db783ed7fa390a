//! What is registered is documented, and the checked-in schema is the language's.

use lastmeter_params::CODES;
use serde_json::Value;

use super::VALID;
use crate::language::{explain, json_schema, registry};

#[test]
fn everything_registered_is_explained_with_its_keys() {
    let sections: std::collections::BTreeSet<&str> =
        registry().iter().map(|registered| registered.section).collect();
    assert_eq!(sections.into_iter().collect::<Vec<_>>(), ["check", "device", "inject", "source"]);
    for registered in registry() {
        let text = explain(registered.name).unwrap();
        assert!(text.contains(registered.summary), "{text}");
        for field in registered.fields {
            assert!(text.contains(field.doc), "{} in {text}", field.name);
        }
        assert!(registered.description.len() > 40, "{}", registered.name);
    }
    for code in CODES {
        assert!(explain(code.code()).unwrap().contains(code.title()));
    }
    for section in ["scenario", "platform", "expect", "source", "device", "inject", "check"] {
        assert!(explain(section).is_some(), "{section}");
    }
    assert_eq!(explain("no-such-thing"), None);
}

#[test]
fn names_in_a_section_are_unique() {
    let mut names: Vec<(&str, &str)> =
        registry().iter().map(|registered| (registered.section, registered.name)).collect();
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
        parameters: `command = { name = "setReportingPeriod", seconds = 5 }`.

        Its keys:
          device   a name (required)
                     the device it is for
          command  a table (required)
                     `name`, and the command's parameters

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
fn the_checked_in_schema_is_the_one_of_the_language() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/schema.json");
    let mut text = serde_json::to_string_pretty(&json_schema()).unwrap();
    text.push('\n');
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(path, &text).unwrap();
    }
    let checked_in = std::fs::read_to_string(path).unwrap_or_default();
    assert!(
        checked_in == text,
        "scenarios/schema.json is not what the definitions say; run the test with UPDATE_GOLDEN=1"
    );
}

/// The keys a file uses have to be keys the schema knows.
fn assert_known(value: &toml::Value, schema: &Value, path: &str) {
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
    let document: toml::Value = toml::from_str(VALID).unwrap();
    assert_known(&document, &json_schema(), "");
    let resolved = super::load(VALID).unwrap().resolved_toml();
    assert_known(&toml::from_str(&resolved).unwrap(), &json_schema(), "");
}
