//! Commands that a specification of devices defines: documents in, [`Command`]s out.

use std::borrow::Cow;

use lastmeter_wire::commands::{self, Command, ParameterKind};
use lastmeter_wire::flexmeter::ParameterType;
use serde_json::{Map, Value};

use crate::document::FieldError;

/// The longest text that an argument may be, in bytes.
pub const TEXT_BYTES_MAX: usize = 1024;

/// The longest name, in bytes.
pub const NAME_BYTES_MAX: usize = 64;

/// The most parameters of a command, and the most choices of a parameter.
pub const ENTRIES_MAX: usize = 64;

type Found<T> = Result<T, FieldError>;

/// The command of a definition document with this token, of the specification with that one:
/// `name`, `namespace`, `description`, and `parameters` with `name`, `type`, `required`, and
/// `min` and `max` (numbers) or `choices` (texts).
///
/// # Errors
/// The first field that has no valid value.
pub fn command(token: &str, specification: &str, body: &Value) -> Found<Command> {
    let fields = Fields::of(body, String::new())?;
    fields.only(&["name", "namespace", "description", "parameters"])?;
    let name = fields.name()?;
    if commands::find(&name).is_some() {
        return Err(fields.error("name", "another name than the built-in commands have"));
    }
    let mut parameters: Vec<ParameterKind> = Vec::new();
    for (index, value) in fields.list("parameters")?.iter().enumerate() {
        let parameter = Fields::of(value, format!("parameters[{index}]."))?;
        let kind = parameter.parameter()?;
        if parameters.iter().any(|other| other.name == kind.name) {
            return Err(parameter.error("name", "a name that no other parameter has"));
        }
        parameters.push(kind);
    }
    Ok(Command {
        token: token.to_owned(),
        specification: specification.to_owned(),
        namespace: fields.text("namespace")?.unwrap_or_default().to_owned(),
        name,
        description: fields.text("description")?.unwrap_or_default().to_owned(),
        parameters,
    })
}

struct Fields<'a> {
    object: &'a Map<String, Value>,
    /// What stands before a name of one of them.
    path: String,
}

impl<'a> Fields<'a> {
    fn of(value: &'a Value, path: String) -> Found<Self> {
        if let Value::Object(object) = value {
            return Ok(Self { object, path });
        }
        let field = Some(path.trim_end_matches('.')).filter(|field| !field.is_empty());
        let (field, found) = (field.unwrap_or("definition").to_owned(), shown(Some(value)));
        Err(FieldError { field, found, expected: "an object".to_owned() })
    }

    fn error(&self, name: &str, expected: impl Into<String>) -> FieldError {
        let field = format!("{}{name}", self.path);
        FieldError { field, found: shown(self.object.get(name)), expected: expected.into() }
    }

    fn only(&self, names: &[&str]) -> Found<()> {
        match self.object.keys().find(|name| !names.contains(&name.as_str())) {
            Some(name) => {
                let name: String = name.chars().take(NAME_BYTES_MAX).collect();
                Err(self.error(&name, format!("one of {}", names.join(", "))))
            }
            None => Ok(()),
        }
    }

    /// A field that may be left out or null.
    fn field<T>(
        &self,
        name: &str,
        expected: &str,
        read: impl FnOnce(&'a Value) -> Option<T>,
    ) -> Found<Option<T>> {
        match self.object.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(value) => read(value).map(Some).ok_or_else(|| self.error(name, expected)),
        }
    }

    fn text(&self, name: &str) -> Found<Option<&'a str>> {
        let expected = format!("a text of at most {TEXT_BYTES_MAX} bytes");
        self.field(name, &expected, |value| {
            value.as_str().filter(|text| text.len() <= TEXT_BYTES_MAX)
        })
    }

    fn name(&self) -> Found<String> {
        let expected = format!("a text of 1 to {NAME_BYTES_MAX} bytes without control characters");
        let is_name = |text: &&str| {
            (1..=NAME_BYTES_MAX).contains(&text.len()) && !text.contains(char::is_control)
        };
        let name = self.field("name", &expected, |value| value.as_str().filter(is_name))?;
        name.map(str::to_owned).ok_or_else(|| self.error("name", expected))
    }

    fn list(&self, name: &str) -> Found<&'a [Value]> {
        let expected = format!("a list of at most {ENTRIES_MAX}");
        let is_short = |list: &&Vec<Value>| list.len() <= ENTRIES_MAX;
        let list = self.field(name, &expected, |value| value.as_array().filter(is_short))?;
        Ok(list.map_or(&[], Vec::as_slice))
    }

    fn parameter(&self) -> Found<ParameterKind> {
        self.only(&["name", "type", "required", "min", "max", "choices"])?;
        let name = Cow::Owned(self.name()?);
        let types = "a type of SiteWhere such as Double, Int32, Bool or String";
        let read_type = |value: &Value| serde_json::from_value(value.clone()).ok();
        let kind = self.field("type", types, read_type)?;
        let kind: ParameterType = kind.ok_or_else(|| self.error("type", types))?;
        let required = self.field("required", "true or false", Value::as_bool)?.unwrap_or(false);
        let is_text = matches!(kind, ParameterType::String | ParameterType::Bytes);
        let bound = |name| match self.field(name, "a number", Value::as_f64)? {
            Some(_) if is_text || kind == ParameterType::Bool => {
                Err(self.error(name, "no bound, since the type is no number"))
            }
            bound => Ok(bound),
        };
        let (min, max) = (bound("min")?, bound("max")?);
        if min.zip(max).is_some_and(|(min, max)| max < min) {
            return Err(self.error("max", "a number not below `min`"));
        }
        let expected = format!("different texts of at most {TEXT_BYTES_MAX} bytes");
        let mut choices: Vec<String> = Vec::new();
        for value in self.list("choices")? {
            let text = value.as_str().filter(|text| text.len() <= TEXT_BYTES_MAX);
            let text = text.filter(|text| !choices.iter().any(|other| other == text));
            choices.push(text.ok_or_else(|| self.error("choices", &*expected))?.to_owned());
        }
        if !choices.is_empty() && !is_text {
            return Err(self.error("choices", "none, since the type is no text"));
        }
        let bytes_max = is_text.then_some(TEXT_BYTES_MAX);
        Ok(ParameterKind { name, kind, required, positive: false, min, max, bytes_max, choices })
    }
}

/// A value for people, shortened.
fn shown(value: Option<&Value>) -> String {
    match value {
        None => "missing".to_owned(),
        Some(value) => {
            let text = value.to_string();
            format!("`{}`", &text[..text.floor_char_boundary(80)])
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use lastmeter_wire::flexmeter::ParameterValue;
    use serde_json::json;

    use super::*;

    fn error(body: &Value) -> String {
        command("t", "s", body).unwrap_err().to_string()
    }

    #[test]
    fn a_document_becomes_a_command() {
        let body = json!({
            "name": "blink", "namespace": "urn:x", "description": "Blinks.",
            "parameters": [
                {"name": "count", "type": "Int32", "required": true, "min": 1, "max": 10},
                {"name": "colour", "type": "String", "choices": ["red", "blue"]},
            ],
        });
        let command = command("t-1", "s-1", &body).unwrap();
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
        let parameter = |parameter: Value| json!({"name": "x", "parameters": [parameter]});
        let cases = [
            (json!(3), "definition: `3`, expected an object"),
            (json!({}), "name: missing, expected a text of 1 to 64 bytes"),
            (json!({"name": "setBreaker"}), "name: `\"setBreaker\"`, expected another name"),
            (json!({"name": "x", "more": 1}), "more: `1`, expected one of name, namespace,"),
            (json!({"name": "x", "parameters": 1}), "parameters: `1`, expected a list"),
            (parameter(json!(1)), "parameters[0]: `1`, expected an object"),
            (parameter(json!({"name": "n"})), "parameters[0].type: missing, expected a type"),
            (parameter(json!({"name": "n", "type": "int"})), "parameters[0].type: `\"int\"`"),
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
                json!({"name": "x", "parameters": vec![json!({"name": "n", "type": "Bool"}); 2]}),
                "parameters[1].name: `\"n\"`, expected a name that no other parameter has",
            ),
        ];
        for (body, expected) in cases {
            assert!(error(&body).starts_with(expected), "{} | {expected}", error(&body));
        }
    }
}
