//! Definitions of commands.

use std::collections::BTreeMap;

use lastmeter_wire::flexmeter::ParameterValue;
use serde_json::{Value, json};

use super::sample::bodies;
use crate::entity::{CommandBody, read};

#[test]
fn a_document_becomes_a_command() {
    let (_, body) = bodies().into_iter().find(|(kind, _)| *kind == "command").unwrap();
    let command = read::<CommandBody>(&body).unwrap().command("t-1");
    let definition = command.definition();
    assert_eq!((definition.token.as_str(), definition.name.as_str()), ("t-1", "blink"));
    assert_eq!(definition.specification_token, "s-1");
    let given = |count: &str, colour: &str| {
        let pairs = [("count", count), ("colour", colour)];
        BTreeMap::from(pairs.map(|(name, text)| (name.to_owned(), text.to_owned())))
    };
    let arguments = command.arguments(&given("3", "red")).unwrap();
    assert_eq!(arguments["count"], ParameterValue::Integer(3));
    assert_eq!(
        command.arguments(&given("11", "red")).unwrap_err().to_string(),
        "parameter `count` is `11`, expected a Int32 from 1 to 10"
    );
    assert!(command.arguments(&given("3", "green")).is_err());
}

#[test]
fn errors_name_the_field() {
    let body = |parameters: Value| json!({"specificationToken": "s", "name": "x", "parameters": parameters});
    let named = |name: &str| json!({"specificationToken": "s", "name": name});
    let parameter = |parameter: Value| body(json!([parameter]));
    let cases = [
        (json!(3), "body: `3`, expected struct CommandBody"),
        (named(""), "name: `\"\"`, expected a text of 1 to 128 bytes"),
        (named("setBreaker"), "name: `\"setBreaker\"`, expected another name"),
        (body(json!(1)), "parameters: `1`, expected a sequence"),
        (body(json!(vec![json!({"name": "n", "type": "Bool"}); 65])), "parameters: `[{"),
        (parameter(json!(1)), "parameters[0]: `1`, expected struct ParameterBody"),
        (parameter(json!({"name": "n"})), "parameters[0].type: missing, expected a value"),
        (parameter(json!({"name": "n", "type": "int"})), "parameters[0].type: `\"int\"`, expected"),
        (
            parameter(json!({"name": "n", "type": "Double", "min": 2, "max": 1})),
            "parameters[0].max: `1`, expected a number not below `min`",
        ),
        (
            parameter(json!({"name": "n", "type": "String", "min": 2})),
            "parameters[0].min: `2`, expected no bound",
        ),
        (
            parameter(json!({"name": "n", "type": "Int64", "choices": ["1"]})),
            "parameters[0].choices: `[\"1\"]`, expected none",
        ),
        (
            parameter(json!({"name": "n", "type": "String", "choices": ["1", "1"]})),
            "parameters[0].choices: `[\"1\",\"1\"]`, expected different texts",
        ),
        (
            body(json!(vec![json!({"name": "n", "type": "Bool"}); 2])),
            "parameters[1].name: `\"n\"`, expected a name that no other parameter has",
        ),
    ];
    for (body, expected) in cases {
        let error = read::<CommandBody>(&body).unwrap_err().to_string();
        assert!(error.starts_with(expected), "{error} | {expected}");
    }
}
